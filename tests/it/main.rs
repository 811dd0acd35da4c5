//! The program from outside, and the house it is built as.

#![expect(clippy::disallowed_methods, reason = "tests write files, read CI and wait for processes")]
#![expect(clippy::needless_raw_string_hashes, reason = "`SNAPSHOTS=overwrite` writes them so")]

mod adopt;
mod architecture;
mod browser;
mod builds;
mod chatroom;
mod ci;
mod credential_chain;
mod credentials;
mod deeds;
mod docs;
mod doctor;
mod drift;
mod faults;
mod fields;
mod forecast;
mod graph;
mod https;
mod input;
mod kept;
mod late;
mod layers;
mod locks;
mod machines;
mod neighbours;
mod outputs;
mod own_app;
mod parts;
mod plans;
mod polling;
mod replace;
mod reports;
mod retries;
mod rollout;
mod scale;
mod schema;
mod sending;
mod shells;
mod sight;
mod smoke;
mod spot;
mod ssh;
mod ssh_trust;
mod state;
mod state_command;
mod support;
mod tair;
mod topology_file;
mod transcripts;
mod user_data;
mod variables;
mod verdicts;
mod verifying;
mod walk;
