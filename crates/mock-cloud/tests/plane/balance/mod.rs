//! The load balancer with real sockets: what each setting of the API does to traffic.

mod checks;
mod drain;
mod forwarded;
mod protocols;
mod rules;
mod schedule;
mod secure;
mod server;
mod sessions;
pub(crate) mod setup;
mod timeouts;
mod traffic;
