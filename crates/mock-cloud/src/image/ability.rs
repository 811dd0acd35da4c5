//! Whether this machine can have machines of its own.

use std::path::Path;

use rustix::thread::{CapabilitySet, capabilities};

use crate::plane::guest::command::SEARCH_PATH;

/// Programs that machines are run with, and the package of each in Debian.
const PROGRAMS: &[(&str, &str)] = &[
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
];

/// Whether machines can be run here, else what is missing in a sentence.
///
/// # Errors
/// The sentence.
pub fn check() -> Result<(), String> {
    check_programs(PROGRAMS)?;
    if !rustix::process::geteuid().is_root() {
        return Err("machines of their own need root".to_owned());
    }
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    let has = capabilities(None).is_ok_and(|own| own.effective.contains(needed));
    if has {
        Ok(())
    } else {
        Err("this root may not make networks and mounts (CAP_SYS_ADMIN, CAP_NET_ADMIN)".to_owned())
    }
}

/// Whether programs are there, else which package to install.
pub(super) fn check_programs(programs: &[(&str, &str)]) -> Result<(), String> {
    let is_there =
        |program: &str| SEARCH_PATH.split(':').any(|folder| Path::new(folder).join(program).is_file());
    match programs.iter().find(|(program, _)| !is_there(program)) {
        Some((program, package)) => {
            Err(format!("{program} is not installed: `apt-get install --no-install-recommends {package}`"))
        }
        None => Ok(()),
    }
}
