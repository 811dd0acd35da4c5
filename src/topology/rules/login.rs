//! Rules of logging in: who, at which port, how root's work is done, and whose word on host keys counts.

use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::resolve::{DEFAULT_SSH_PORT, DEFAULT_USER};
use crate::topology::rules::is_port;
use crate::topology::rules::machines::unknown_instance;
use crate::topology::schema::{Document, HostKeysForm, InstanceSsh, KeyForm, SudoForm};

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    let ssh = &document.ssh;
    let all = InstanceSsh { user: ssh.user.clone(), port: ssh.port, sudo: ssh.sudo.clone() };
    let place = path("ssh");
    written(&all, &place, findings);
    let mut is_told = root_work(&all, &place, findings);
    for (name, instance) in &document.instances {
        let place = below(&below(&path("instances"), name), "ssh");
        let own = &instance.ssh;
        written(own, &place, findings);
        let merged = InstanceSsh {
            user: own.user.clone().or_else(|| all.user.clone()),
            port: own.port.or(all.port),
            sudo: own.sudo.clone().or_else(|| all.sudo.clone()),
        };
        // What is wrong with all of them is told once.
        if !is_told || own.user.is_some() || own.sudo.is_some() {
            is_told |= root_work(&merged, &place, findings);
        }
    }
    fingerprint(document, findings);
    host_keys(document, findings);
}

fn written(ssh: &InstanceSsh, place: &Path, findings: &mut Findings<'_>) {
    if let Some(user) = ssh.user.as_ref().filter(|user| !is_login_name(user)) {
        findings.at_value(
            &below(place, "user"),
            Finding {
                code: "login-name",
                message: format!("`{user}` cannot be the name of a user"),
                cause:
                    "up to 32 lower-case letters, digits, hyphens and underscores, no digit or hyphen first"
                        .to_owned(),
                help: "write for example `user: deploy`".to_owned(),
            },
        );
    }
    if let Some(port) = ssh.port.filter(|port| !is_port(*port)) {
        findings.at_value(
            &below(place, "port"),
            Finding {
                code: "port-range",
                message: format!("{port} is not a port"),
                cause: "a port is a number from 1 to 65535".to_owned(),
                help: "leave `port` out: it is 22 then".to_owned(),
            },
        );
    }
    if let Some(SudoForm::Password(from)) = &ssh.sudo
        && from.env.is_some() == from.file.is_some()
    {
        findings.at_value(
            &below(place, "sudo"),
            Finding {
                code: "sudo-password",
                message: "it is not said where the password for sudo is".to_owned(),
                cause: "it is in a variable of the environment or in a file, and exactly one is written"
                    .to_owned(),
                help: "write `sudo: { password: { env: NAME } }` or `sudo: { password: { file: PATH } }`"
                    .to_owned(),
            },
        );
    }
}

/// The port at which an instance is logged into.
pub(super) fn login_port(document: &Document, name: &str) -> i64 {
    let own = document.instances.get(name).and_then(|instance| instance.ssh.port);
    own.or(document.ssh.port).unwrap_or_else(|| i64::from(DEFAULT_SSH_PORT))
}

/// As useradd takes them.
fn is_login_name(name: &str) -> bool {
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_');
    let rest = name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || "-_".contains(one));
    begins && rest && name.len() <= 32
}

/// Packages and units are installed as root. True when somebody else would have to do it.
fn root_work(ssh: &InstanceSsh, place: &Path, findings: &mut Findings<'_>) -> bool {
    let user = ssh.user.as_deref().unwrap_or(DEFAULT_USER);
    if user == DEFAULT_USER || !matches!(ssh.sudo, None | Some(SudoForm::Plain(false))) {
        return false;
    }
    findings.at_value(
        &below(place, "user"),
        Finding {
            code: "ssh-user",
            message: format!("`{user}` cannot install packages and units"),
            cause: "that is work of root, and `sudo` is not written".to_owned(),
            help: "write `sudo: true` beside it, or leave `user` out".to_owned(),
        },
    );
    true
}

fn fingerprint(document: &Document, findings: &mut Findings<'_>) {
    let Some(KeyForm::Agent(Some(print))) = &document.ssh.key else { return };
    if print.strip_prefix("SHA256:").is_none_or(|rest| rest.len() != 43) {
        findings.at_value(
            &path("ssh.key.agent"),
            Finding {
                code: "key-fingerprint",
                message: format!("`{print}` is not the fingerprint of a key"),
                cause: "it is `SHA256:` and 43 letters, as `ssh-add -l` prints it".to_owned(),
                help: "copy it from `ssh-add -l`, or write `key: agent` when the agent has one key only"
                    .to_owned(),
            },
        );
    }
}

fn host_keys(document: &Document, findings: &mut Findings<'_>) {
    let HostKeysForm::Pinned(lines) = &document.ssh.host_keys else { return };
    let place = path("ssh.host_keys.pinned");
    for name in lines.keys().filter(|name| !document.instances.contains_key(*name) && !is_id(name)) {
        findings.at_key(&below(&place, name), unknown_instance(document, name));
    }
    // What is pinned by id may be any of them.
    if lines.keys().any(|name| !document.instances.contains_key(name) && is_id(name)) {
        return;
    }
    for name in document.instances.keys().filter(|name| !lines.contains_key(*name)) {
        findings.at_key(
            &place,
            Finding {
                code: "pin-missing",
                message: format!("instance `{name}` has no pinned host key"),
                cause: "host keys are pinned here, and one that is not known is never trusted".to_owned(),
                help: format!("add `{name}: ssh-ed25519 AAAA...`, or leave `host_keys` out"),
            },
        );
    }
}

/// Whether a text has the form of an instance's id.
fn is_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|rest| {
        rest.len() >= 8 && rest.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
    })
}
