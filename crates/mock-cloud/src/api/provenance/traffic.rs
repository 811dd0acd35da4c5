//! Where the behaviours of the load balancer's traffic come from.

use super::Source::{Documented, Guessed, Sdk};
use super::{Row, row};

/// Every behaviour of traffic that is not a plain reading of the metadata.
pub(super) const ROWS: &[Row] = &[
    row(
        "traffic.own-name",
        Documented,
        "an ALB cannot be reached by its own DNS name, only by a CNAME to it",
    ),
    row("traffic.own-name-status", Guessed, "a request for that name gets 403"),
    row("traffic.late", Documented, "a server that does not answer within the request timeout gives 504"),
    row(
        "traffic.statuses",
        Guessed,
        "a server that cannot be reached gives 502, a group without a healthy server 503",
    ),
    row("traffic.silent-websocket", Guessed, "the idle timeout ends silent WebSockets, too"),
    row(
        "traffic.forwarded",
        Documented,
        "X-Forwarded-For is appended to, removed or left alone; what else servers are told is switched on",
    ),
    row("traffic.sticky-cookies", Documented, "SERVERID and, for pages of other sites, SERVERCORSID"),
    row(
        "traffic.sticky-form",
        Guessed,
        "SERVERID is server, last and first request, and set with each answer",
    ),
    row(
        "traffic.sticky-rewritten",
        Documented,
        "the cookie of a server is rewritten, and requests follow it",
    ),
    row("traffic.sticky-value", Guessed, "its value is the name of the server then; what else it says stays"),
    row("traffic.group-cookie", Guessed, "what keeps a client with a group of a rule is SERVERGROUPID"),
    row(
        "traffic.drain",
        Documented,
        "with a drain, what is open goes on so long when its server leaves or falls ill; then requests get 500",
    ),
    row(
        "traffic.no-drain",
        Guessed,
        "without, WebSockets of a server that leaves end at once and its requests are answered; one that is ill \
         keeps both",
    ),
    row(
        "traffic.former-group",
        Guessed,
        "what is open stays when no listener or rule names its group any more",
    ),
    row(
        "traffic.slow-start",
        Documented,
        "the share of a new server grows evenly, unless it is the first one",
    ),
    row("traffic.slow-start-least", Guessed, "it begins with a hundredth"),
    row(
        "traffic.keep-alive",
        Sdk,
        "connections to servers are kept only where UpstreamKeepaliveEnabled says so",
    ),
    row("traffic.keep-alive-time", Guessed, "for 15 seconds"),
    row("traffic.least-connections", Sdk, "Wlc looks at weights and at what is open to each server"),
    row("traffic.open", Guessed, "which are requests under way and WebSockets"),
    row(
        "traffic.hash",
        Guessed,
        "Sch is rendezvous hashing of the client's address; UchConfig has no effect",
    ),
    row("traffic.gzip", Guessed, "texts of 1 KB and more of ten media types are compressed"),
    row("traffic.http2", Sdk, "HTTP/2 is spoken by HTTPS listeners; servers are asked in HTTP/1.1"),
    row("traffic.certificates", Documented, "a client is shown the certificate for the name it asks for"),
    row("traffic.certificate-order", Guessed, "an exact name before a wildcard, else the default one"),
    row("traffic.old-tls", Guessed, "what a policy allows below TLS 1.2 is not spoken"),
    row("traffic.server-certificates", Guessed, "certificates of HTTPS servers are not checked"),
    row("traffic.grpc", Guessed, "gRPC groups carry no traffic; a gRPC health check is a TCP one"),
    row("traffic.rules", Sdk, "the rule with the smallest priority whose conditions all hold counts"),
    row("traffic.wildcards", Sdk, "values have * and ? for any characters and for one"),
    row(
        "traffic.expressions",
        Guessed,
        "hosts and paths are expressions behind ~, paths without case behind ~*",
    ),
    row("traffic.case", Guessed, "only paths tell capital letters from small ones"),
    row(
        "traffic.inserted-header",
        Guessed,
        "an inserted header leaves one alone that is there, unless it covers",
    ),
    row(
        "traffic.limits",
        Guessed,
        "limits count at each listener, in seconds that begin with a request; then 503",
    ),
    row(
        "traffic.mirror-and-cors",
        Guessed,
        "mirrors and CORS actions are kept and told, but nothing is done",
    ),
];
