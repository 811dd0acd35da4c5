//! What a new machine gets before it boots for the first time: its names, its keys, its user data.

use std::io;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::plane::guest::router::NAME_SERVER;
use crate::plane::host::machine::{host_key, machine_id};
use crate::plane::host::root::Root;
use crate::plane::spec::Instance;

/// Where the image's unit looks for user data; see `image/recipe.rs`.
pub(crate) const USER_DATA: &str = "/var/lib/cloud/instance/user-data.txt";

/// The facts of a new machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Furniture {
    pub(crate) machine_id: String,
    host_name: String,
    address: Ipv4Addr,
    authorized_keys: Vec<String>,
    user_data: Option<Vec<u8>>,
}

impl Furniture {
    pub(crate) fn of(instance: &Instance) -> Self {
        let host_name = if instance.host_name.is_empty() { &instance.id } else { &instance.host_name };
        Self {
            machine_id: machine_id(&instance.id),
            host_name: host_name.clone(),
            address: instance.private_address,
            authorized_keys: instance.authorized_keys.clone(),
            user_data: instance.user_data.clone(),
        }
    }
}

/// Puts it into a root.
pub(crate) fn furnish(root: &Root, furniture: &Furniture) -> io::Result<()> {
    let name = &furniture.host_name;
    root.write("/etc/hostname", format!("{name}\n").as_bytes(), 0o644)?;
    let hosts = format!("127.0.0.1 localhost\n{} {name}\n", furniture.address);
    root.write("/etc/hosts", hosts.as_bytes(), 0o644)?;
    root.write("/etc/resolv.conf", format!("nameserver {NAME_SERVER}\n").as_bytes(), 0o644)?;
    root.write("/etc/machine-id", format!("{}\n", furniture.machine_id).as_bytes(), 0o444)?;
    root.make_folders("/root/.ssh", 0o700)?;
    let keys = furniture.authorized_keys.iter().flat_map(|key| [key.trim_end(), "\n"]).collect::<String>();
    root.write("/root/.ssh/authorized_keys", keys.as_bytes(), 0o600)?;
    host_key(root, name)?;
    if let Some(user_data) = &furniture.user_data {
        root.write(USER_DATA, user_data, 0o700)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_gets_its_name_its_keys_and_its_user_data_for_root_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path().to_owned()).unwrap();
        let furniture = Furniture {
            machine_id: "0".repeat(32),
            host_name: "ecs01".to_owned(),
            address: Ipv4Addr::new(192, 168, 0, 1),
            authorized_keys: vec!["ssh-ed25519 AAAA one\n".to_owned()],
            user_data: Some(b"#!/bin/sh\n".to_vec()),
        };
        furnish(&root, &furniture).unwrap();
        assert_eq!(root.read_text("/etc/hosts").unwrap(), "127.0.0.1 localhost\n192.168.0.1 ecs01\n");
        assert_eq!(root.read_text("/etc/resolv.conf").unwrap(), "nameserver 100.100.2.136\n");
        assert_eq!(root.read_text("/root/.ssh/authorized_keys").unwrap(), "ssh-ed25519 AAAA one\n");
        let mode = |path: &str| {
            let place = root.place(path, crate::plane::host::root::Last::Follow).unwrap();
            place.stat().unwrap().st_mode & 0o777
        };
        assert_eq!(
            (mode(USER_DATA), mode("/root/.ssh"), mode("/root/.ssh/authorized_keys")),
            (0o700, 0o700, 0o600)
        );
        assert_eq!(mode("/etc/ssh/ssh_host_ed25519_key"), 0o600);
    }
}
