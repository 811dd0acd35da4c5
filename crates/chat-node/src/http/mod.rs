//! HTTP/1 in front of the sessions: connections, their limits, origins, proxies, pages.
//!
//! [`mod@accept`] takes connections in, [`site`] answers what is asked on them. A connection that becomes a WebSocket leaves
//! HTTP altogether.

pub mod accept;
pub mod occupancy;
pub mod origin;
pub mod proxies;
pub mod site;
pub mod stall;

pub use ::http::Response;
pub use accept::accept;
pub use site::{NODE_HEADER, Pages, Site, Way, plain};
