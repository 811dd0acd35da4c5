//! What a server is started with, and what of it can be changed while it runs.

use crate::plane::spec::Redis;

/// The socket of a server, in its folder.
pub(super) const SOCKET: &str = "redis.sock";
/// Its access rules, in its folder.
pub(super) const ACCESS: &str = "users.acl";
/// Its configuration, in its folder.
pub(super) const CONFIGURATION: &str = "redis.conf";

/// The settings that follow from what is wanted; all of them can be changed while the server runs.
pub(super) fn wanted(redis: &Redis) -> [(&'static str, String); 3] {
    let append_only = if redis.append_only { "yes" } else { "no" };
    [
        ("maxmemory", redis.memory.to_string()),
        ("maxmemory-policy", redis.eviction.clone()),
        ("appendonly", append_only.to_owned()),
    ]
}

/// The configuration of a server that works in its folder, and listens there alone.
pub(super) fn configuration(redis: &Redis) -> String {
    let fixed = format!(
        "port 0\nunixsocket {SOCKET}\nunixsocketperm 700\ndaemonize no\naclfile {ACCESS}\nlogfile redis.log\nsave \
         \"\"\ndatabases 256\nset-proc-title no\nenable-debug-command no\nenable-module-command no\n"
    );
    let wanted = wanted(redis);
    let wanted = wanted.iter().flat_map(|(name, value)| [name, " ", value, "\n"]);
    wanted.fold(fixed, |text, part| text + part)
}
