//! Tests of the data plane, driven by the real clients: OpenSSH, dig, redis, hyper.

#![expect(clippy::doc_markdown, reason = "names of programs")]

mod balance;
mod commands;
mod death;
mod files;
mod names;
mod services;
mod support;
