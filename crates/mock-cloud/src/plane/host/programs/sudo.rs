//! `sudo`: runs a command as root for those whom `/etc/sudoers.d` lets.
//!
//! Users of process hosts have no passwords, so who would be asked for one is refused; machine hosts have the real
//! program.

use std::sync::Arc;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::Outcome;
use crate::plane::host::programs::call::Call;
use crate::plane::host::root::{Last, Root};

const RULES: &str = "/etc/sudoers.d";

pub(crate) async fn sudo(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    while let Some(option) = call.argv.first().filter(|word| word.starts_with('-')).cloned() {
        call.argv.remove(0);
        match option.as_str() {
            "--" => break,
            "-n" | "-k" | "-S" => {}
            "-p" if !call.argv.is_empty() => drop(call.argv.remove(0)),
            _ => return Outcome::refused(format!("sudo {option}")),
        }
    }
    if call.argv.is_empty() {
        return Outcome::refused("sudo without a program");
    }
    if let Some(user) = call.caller.user.take() {
        match rule(machine, &user) {
            Rule::Free => {}
            Rule::Password => return Outcome::failed(1, "sudo: a password is required"),
            Rule::None => {
                let host = machine.host_name();
                return Outcome::failed(1, format!("{user} is not allowed to run sudo on {host}."));
            }
        }
    }
    machine.run(call).await
}

enum Rule {
    Free,
    Password,
    None,
}

/// The first line for somebody: `deploy ALL=(ALL) NOPASSWD: ALL`.
fn rule(machine: &Machine, user: &str) -> Rule {
    let files =
        machine.root.place(RULES, Last::Follow).and_then(|place| Root::list(&place)).unwrap_or_default();
    let texts = files.iter().filter_map(|name| machine.root.read_text(&format!("{RULES}/{name}")).ok());
    let lines: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    match lines.iter().find(|line| line.split_whitespace().next() == Some(user)) {
        Some(line) if line.contains("NOPASSWD:") => Rule::Free,
        Some(_) => Rule::Password,
        None => Rule::None,
    }
}
