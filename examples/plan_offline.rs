//! Library use without a network: read a topology, plan it against nothing, print the steps.
//!
//!     cargo run --example plan_offline examples/chatroom.yaml

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::process::ExitCode;

use albatross::plan::{
    self,
    desired::{Brought, desired},
};
use albatross::resource::observed::Observed;
use albatross::topology;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: plan_offline FILE");
        return ExitCode::from(64);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(64);
        }
    };
    match topology::load(&bytes) {
        Ok(topology) => {
            let wanted = desired(&topology, "ssh-ed25519 AAAA operator", &Brought::default());
            let plan = plan::make(&topology.stack, &topology.region, &wanted, &Observed::default());
            for step in &plan.steps {
                println!("{:>3} {}", step.action.glyph(), step.address);
            }
            println!("{} to create", plan.summary().create);
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                eprintln!("{path}: {}: {}", diagnostic.message, diagnostic.cause);
            }
            ExitCode::from(65)
        }
    }
}
