//! Proof that the chatroom works, from outside: names, the certificate, the page, two clients on two nodes, messages both ways.
//!
//! A [`Scenario`] says where to look and what to expect; [`run()`] goes through the checks in order and gives a
//! [`Report`]. Each check passes, fails with what was expected and what was seen, or was not reached because one
//! before it failed; that counts as a failure, never as nothing.

mod answers;
mod check;
mod clients;
mod connect;
mod crowd;
mod dns;
mod echo;
mod failover;
mod github;
mod histogram;
mod html;
mod http;
mod idle;
mod inquiry;
mod junit;
mod page;
mod path;
mod picture;
mod polling;
mod redirect;
mod report;
mod run;
mod scenario;
mod tls;

pub use check::{Check, CheckId, Status};
pub use failover::{BOUND as FAILOVER_BOUND, Outage};
pub use inquiry::{Diagnosis, Failed, Inquirer, Inquiry, Layer};
pub use picture::{NodePart, Part, Picture};
pub use report::{Report, Stage};
pub use run::{Means, run};
pub use scenario::{Authorities, Echo, Page, Scenario, Service, Vantage};
pub use tls::Tls;

#[cfg(test)]
mod tests;
