//! Proof that the chatroom works, from outside: names, the certificate, the page, two clients on two nodes, messages both ways.
//!
//! A [`Scenario`] says where to look and what to expect; [`run()`] goes through the checks in order and gives a
//! [`Report`]. Each check passes, fails with what was expected and what was seen, or was not reached because one
//! before it failed; that counts as a failure, never as nothing.

mod check;
mod clients;
mod connect;
mod crowd;
mod dns;
mod github;
mod histogram;
mod html;
mod http;
mod idle;
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
pub use picture::{NodePart, Part, Picture};
pub use report::{Report, Stage};
pub use run::run;
pub use scenario::{Scenario, Vantage};
pub use tls::Tls;

#[cfg(test)]
mod tests;
