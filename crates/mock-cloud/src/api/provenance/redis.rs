//! Where the behaviours of the servers behind managed Redis come from.

use super::Source::{Documented, Guessed};
use super::{Row, row};

/// Every behaviour of these servers that is not one of Redis itself.
pub(super) const ROWS: &[Row] = &[
    row("redis-server.illegal-address", Documented, "who is on no list is told `ERR illegal address`"),
    row(
        "redis-server.refusal",
        Guessed,
        "the connection is taken, and whatever is said gets that error, with address and port",
    ),
    row("redis-server.who-is-in", Guessed, "a connection stays when its address leaves the list"),
    row("redis-server.groups", Documented, "instances of bound security groups are let in beside the lists"),
    row(
        "redis-server.logins",
        Documented,
        "account and password, `account:password` as one, or the password alone for the default account",
    ),
    row(
        "redis-server.one-word-logins",
        Guessed,
        "`account:password` as one is for accounts that may write: the server knows one user without a name",
    ),
    row("redis-server.no-password", Guessed, "the default account cannot log in before it has a password"),
    row("redis-server.new-password", Guessed, "it counts for who comes; who is in is not asked again"),
    row(
        "redis-server.commands",
        Guessed,
        "which commands are kept from accounts: what administers the server",
    ),
    row(
        "redis-server.full",
        Documented,
        "at the memory of its class writes are refused, or the policy evicts",
    ),
    row("redis-server.policy", Documented, "volatile-lru unless it is told otherwise"),
    row("redis-server.version", Guessed, "the redis-server of this computer, whatever version was asked for"),
    row("redis-server.restart", Guessed, "connections end, and what was held is there again"),
];
