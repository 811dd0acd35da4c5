//! How the machines of a topology are logged into, with the passwords that it only says the places of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::apply::hosts::{Access, HostKeySource, Login};
use crate::base::durable;
use crate::base::secret::Secret;
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::ssh::{HostKey, Sudo};
use crate::topology::model::{self, HostKeys, Topology};

/// Reads all that logging in takes beside the operator's key.
///
/// # Errors
/// When a password is not where the topology says.
pub(super) fn access(topology: &Topology) -> Result<Access, Failure> {
    let machines =
        topology.instances.iter().map(|(name, instance)| Ok((name.clone(), login(&instance.login)?)));
    Ok(Access {
        // Of machines that are gone from the topology nobody knows better.
        others: login(&topology.ssh.login)?,
        machines: machines.collect::<Result<BTreeMap<_, _>, Failure>>()?,
        host_keys: match &topology.ssh.host_keys {
            HostKeys::ControlPlane => HostKeySource::ControlPlane,
            HostKeys::KnownHosts => HostKeySource::KnownHosts(environment::known_hosts()),
            HostKeys::Pinned(lines) => HostKeySource::Pinned(pinned(lines)?),
        },
    })
}

fn pinned(lines: &BTreeMap<String, String>) -> Result<BTreeMap<String, HostKey>, Failure> {
    lines.iter().map(|(name, line)| Ok((name.clone(), HostKey::parse(line)?))).collect()
}

fn login(login: &model::Login) -> Result<Login, Failure> {
    let sudo = match &login.sudo {
        model::Sudo::No => Sudo::No,
        model::Sudo::Free => Sudo::Free,
        model::Sudo::Variable(name) => Sudo::Password(from_variable(name)?),
        model::Sudo::File(path) => Sudo::Password(from_file(&environment::expand_home(path))?),
    };
    Ok(Login { user: login.user.clone(), port: login.port, sudo })
}

fn from_variable(name: &str) -> Result<Secret<String>, Failure> {
    environment::secret_of_topology(name).ok_or_else(|| {
        Failure::saying(
            ExitStatus::Failed,
            format!("the password for sudo is not there: the variable {name} is not set"),
            format!("set {name}, or write another place under `sudo.password`"),
        )
    })
}

fn from_file(path: &Path) -> Result<Secret<String>, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let error =
            anyhow::Error::new(error).context(format!("the password for sudo cannot be read from `{shown}`"));
        Failure::new(ExitStatus::Failed, error, Some("write another place under `sudo.password`".to_owned()))
    };
    if let Some(mode) = durable::mode_open_to_others(&fs::metadata(path).map_err(unreadable)?) {
        return Err(Failure::saying(
            ExitStatus::Failed,
            format!("the password for sudo in `{shown}` can be read by others: its mode is {mode:o}"),
            format!("run `chmod 600 {shown}`"),
        ));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}
