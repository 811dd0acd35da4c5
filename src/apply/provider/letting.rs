//! Lets the operator's key in where another operator made the machines, or where somebody else logs in than the key pair
//! was made for.
//!
//! A machine that does not take the key is told so by the Cloud Assistant, which is root there: the key is added to the
//! `authorized_keys` of who logs in, unless it is there. Nothing is ever taken out of it: the others stay let in.

use std::collections::BTreeSet;

use super::{Known, Provider};
use crate::apply::error::ApplyError;
use crate::apply::hosts::Place;
use crate::cloud::ecs;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::ssh::{SshError, quote};

impl Provider {
    /// Makes sure that the operator's key is let in on the whole way to a machine.
    pub(super) async fn let_in(&self, address: &ResourceAddress, host: &HostSpec) -> Result<(), ApplyError> {
        let mut told = BTreeSet::new();
        loop {
            let refused = match self.hosts.log_in(Place { host, known: &self.known }).await {
                Err(ApplyError::Ssh(SshError::KeyNotAccepted { host, user, .. }))
                    if told.insert(host.clone()) =>
                {
                    (host, user)
                }
                done => return done,
            };
            let (name, user) = refused;
            let machine =
                machine_on_the_way(&self.known, host, &name).ok_or_else(|| ApplyError::Missing {
                    address: host.address(Kind::Instance),
                    what: "machine that refuses the key",
                })?;
            self.note(address, format!("{name}: adding the key for {user} through the Cloud Assistant"));
            self.add_key(&machine, &user).await?;
        }
    }

    async fn add_key(&self, machine: &ResourceAddress, user: &str) -> Result<(), ApplyError> {
        let passwd = self.assist(machine, &format!("getent passwd {}", quote(user))).await?;
        let home = Home::parse(&passwd)
            .ok_or_else(|| ApplyError::NoUser { host: machine.name.clone(), user: user.to_owned() })?;
        let script = home.script(&self.hosts.operator_key());
        self.assist(machine, &script).await.map(drop)
    }

    /// Runs a script as root through the Cloud Assistant; what it printed.
    async fn assist(&self, machine: &ResourceAddress, script: &str) -> Result<String, ApplyError> {
        let instance = self.known.id(machine)?;
        let journalled = machine.on_same_machine(Kind::HostKey);
        let region = self.client.region();
        let call = self
            .ledger
            .intend(&journalled, |token| ecs::run_command(region, &instance, script, token))
            .await?;
        let reply = self.send(&journalled, &call).await?;
        self.ledger.answered(&journalled)?;
        let result = self.script_is_over(machine, &reply, "the command that adds the key").await?;
        // `getent` ends with 2 when there is no such user, and prints nothing.
        match result.exit_code {
            None | Some(0 | 2) => Ok(result.output()),
            Some(status) => Err(ApplyError::KeyNotAdded {
                host: machine.name.clone(),
                why: format!("the command ended with {status}: {}", result.output()),
            }),
        }
    }
}

fn machine_on_the_way(known: &Known, host: &HostSpec, name: &str) -> Option<ResourceAddress> {
    known.route(host).into_iter().find(|machine| machine.name == name)
}

/// Where somebody is at home.
struct Home {
    user: String,
    group: String,
    folder: String,
}

impl Home {
    /// From a line of `/etc/passwd`.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [_, _, user, group, _, folder, _] = fields.as_slice() else { return None };
        let numbers = [user, group].iter().all(|field| field.parse::<u32>().is_ok());
        (numbers && folder.starts_with('/')).then(|| Self {
            user: (*user).to_owned(),
            group: (*group).to_owned(),
            folder: (*folder).to_owned(),
        })
    }

    /// Adds a key to a list that may be there, and may lack its last end of line.
    fn script(&self, key: &str) -> String {
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        let (key, owner) = (quote(&key.join(" ")), format!("{}:{}", self.user, self.group));
        let folder = quote(&format!("{}/.ssh", self.folder));
        let list = quote(&format!("{}/.ssh/authorized_keys", self.folder));
        format!(
            "install -d -m 0700 -o {} -g {} {folder}\ntouch {list}\n\
             grep -qF -e {key} {list} || printf '\\n%s\\n' {key} >>{list}\nchown {owner} {list}\nchmod 0600 {list}\n",
            self.user, self.group
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_adds_a_key_once_and_takes_none_away() {
        let folder = tempfile::tempdir().unwrap();
        let own = rustix_ids();
        let home = folder.path().to_str().unwrap();
        let line = format!("me:x:{}:{}:Me:{home}:/bin/sh\n", own.0, own.1);
        let home = Home::parse(&line).unwrap();
        let list = folder.path().join(".ssh/authorized_keys");
        std::fs::create_dir(folder.path().join(".ssh")).unwrap();
        std::fs::write(&list, "ssh-rsa AAAAother somebody").unwrap();
        for _ in 0..2 {
            let script = home.script("ssh-ed25519 AAAAown+/= me@here\n");
            let done = std::process::Command::new("sh").args(["-e", "-c", &script]).status().unwrap();
            assert!(done.success());
        }
        let text = std::fs::read_to_string(&list).unwrap();
        assert_eq!(text, "ssh-rsa AAAAother somebody\nssh-ed25519 AAAAown+/=\n");
    }

    fn rustix_ids() -> (u32, u32) {
        (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
    }

    #[test]
    fn a_line_that_is_of_nobody_is_none() {
        assert!(Home::parse("").is_none());
        assert!(Home::parse("a:b:c").is_none());
        assert_eq!(Home::parse("root:x:0:0:root:/root:/bin/bash").unwrap().folder, "/root");
    }
}
