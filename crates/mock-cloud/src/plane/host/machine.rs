//! One process host: its root directory, what it knows of itself, and its services.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rand::RngCore;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::gates::Gates;
use crate::plane::host::packages::Manager;
use crate::plane::host::process::Supervisor;
use crate::plane::host::programs;
use crate::plane::host::root::{Last, Root};
use crate::plane::host::service::Services;
use crate::plane::names::Zones;
use crate::plane::network::Network;
use crate::plane::report::Changed;
use crate::plane::spec::{Conditions, Instance};
use crate::plane::strain::Strain;

/// Where the host's private key is, inside its root.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// The distribution a host claims to be, by its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distribution {
    Debian,
    Ubuntu,
    AlibabaLinux,
}

impl Distribution {
    fn of(image: &str) -> Self {
        let image = image.to_ascii_lowercase();
        if image.contains("debian") {
            Self::Debian
        } else if image.contains("ubuntu") {
            Self::Ubuntu
        } else {
            Self::AlibabaLinux
        }
    }

    /// Its package manager.
    pub(crate) fn manager(self) -> Manager {
        match self {
            Self::Debian | Self::Ubuntu => Manager::Apt,
            Self::AlibabaLinux => Manager::Dnf,
        }
    }

    fn os_release(self) -> &'static str {
        match self {
            Self::Debian => {
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
                 VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"
            }
            Self::Ubuntu => {
                "PRETTY_NAME=\"Ubuntu 24.04 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\n\
                 VERSION=\"24.04 LTS (Noble Numbat)\"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n"
            }
            Self::AlibabaLinux => {
                "NAME=\"Alibaba Cloud Linux\"\nVERSION=\"3 (OpenAnolis Edition)\"\nID=\"alinux\"\n\
                 ID_LIKE=\"rhel fedora centos anolis\"\nVERSION_ID=\"3\"\nPLATFORM_ID=\"platform:al8\"\n\
                 PRETTY_NAME=\"Alibaba Cloud Linux 3.2104 (OpenAnolis Edition)\"\n"
            }
        }
    }
}

/// What a machine needs from the plane.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) network: Arc<Network>,
    pub(crate) zones: Arc<Zones>,
    pub(crate) supervisor: Supervisor,
    pub(crate) changed: Changed,
    pub(crate) gates: Gates,
}

/// One process host.
pub(crate) struct Machine {
    pub(crate) root: Root,
    pub(crate) network: Arc<Network>,
    pub(crate) zones: Arc<Zones>,
    pub(crate) supervisor: Supervisor,
    pub(crate) changed: Changed,
    pub(crate) gates: Gates,
    /// Its loopback address.
    pub(crate) address: Ipv4Addr,
    pub(crate) services: Services,
    /// Timers that count, and services of one shot that run, by their names.
    pub(super) tasks: Mutex<BTreeMap<String, JoinHandle<()>>>,
    pub(crate) key: PrivateKey,
    instance: watch::Sender<Instance>,
    conditions: watch::Sender<Conditions>,
    /// Those that it was held to last.
    applied: watch::Sender<Conditions>,
    /// How bad the way to its SSH server is.
    strain: watch::Sender<Strain>,
}

impl Machine {
    /// Opens the machine whose root is `folder`, making what a freshly installed one has when it is new.
    pub(crate) fn open(
        folder: PathBuf,
        instance: Instance,
        address: Ipv4Addr,
        surroundings: Surroundings,
    ) -> io::Result<Self> {
        let is_new = !folder.exists();
        std::fs::create_dir_all(&folder)?;
        let root = Root::open(folder)?;
        let distribution = Distribution::of(&instance.image);
        if is_new {
            install(&root, distribution, &instance)?;
        }
        let key = host_key(&root, &instance.host_name)?;
        let Surroundings { network, zones, supervisor, changed, gates } = surroundings;
        Ok(Self {
            root,
            network,
            zones,
            supervisor,
            changed,
            gates,
            address,
            services: Services::default(),
            tasks: Mutex::default(),
            key,
            instance: watch::Sender::new(instance),
            conditions: watch::Sender::default(),
            applied: watch::Sender::default(),
            strain: watch::Sender::default(),
        })
    }

    /// What the control plane says of it.
    pub(crate) fn instance(&self) -> Instance {
        self.instance.borrow().clone()
    }

    /// Takes over what the control plane says of it now, and what is wrong with it.
    pub(crate) fn update(&self, instance: Instance, conditions: Conditions) {
        self.instance.send_replace(instance);
        self.root.fill(conditions.is_full);
        self.strain.send_replace(Strain::of_ssh(&conditions));
        self.conditions.send_replace(conditions);
    }

    /// What is wrong with it, now and from now on.
    pub(crate) fn conditions(&self) -> watch::Receiver<Conditions> {
        self.conditions.subscribe()
    }

    /// It is held to these now.
    pub(super) fn note_applied(&self, conditions: Conditions) {
        self.applied.send_replace(conditions);
    }

    /// Waits until it is held to what is wrong with it now.
    pub(super) async fn conditions_applied(&self) {
        let wanted = self.conditions.borrow().clone();
        // Its sender is ours, so it does not end.
        let _ = self.applied.subscribe().wait_for(|applied| *applied == wanted).await;
    }

    /// How bad the way to its SSH server is, now and from now on.
    pub(crate) fn strain(&self) -> watch::Receiver<Strain> {
        self.strain.subscribe()
    }

    /// Whether nothing on it moves.
    pub(crate) fn is_frozen(&self) -> bool {
        self.conditions.borrow().is_frozen
    }

    /// Waits until it moves.
    pub(crate) async fn thawed(&self) {
        // Its sender is ours, so it does not end.
        let _ = self.conditions().wait_for(|conditions| !conditions.is_frozen).await;
    }

    /// Wakes whenever the control plane says something new of it.
    pub(crate) fn news(&self) -> watch::Receiver<Instance> {
        self.instance.subscribe()
    }

    /// Waits until it reaches a place.
    pub(crate) async fn passable(&self, place: SocketAddr) {
        if let IpAddr::V4(other) = place.ip() {
            self.network.passable(self.address, other).await;
        }
    }

    /// What `hostname` prints.
    pub(crate) fn host_name(&self) -> String {
        let instance = self.instance.borrow();
        if instance.host_name.is_empty() { instance.id.clone() } else { instance.host_name.clone() }
    }

    /// Public keys with which somebody may log in now, in OpenSSH form. Those of the key pair are root's.
    pub(crate) fn authorized_keys(&self, user: &str) -> Vec<String> {
        let mut keys = match user {
            "root" => self.instance.borrow().authorized_keys.clone(),
            _ => Vec::new(),
        };
        let text = self
            .home(user)
            .and_then(|home| self.root.read_text(&format!("{home}/.ssh/authorized_keys")).ok());
        keys.extend(text.unwrap_or_default().lines().map(str::to_owned));
        keys
    }

    /// Where somebody is at home.
    pub(crate) fn home(&self, user: &str) -> Option<String> {
        programs::user(self, user)?.split(':').nth(5).map(str::to_owned)
    }

    /// Starts what is enabled, as a boot does.
    pub(crate) async fn start_enabled(self: &Arc<Self>) {
        let services = &self.services;
        services.announce(&format!("Booting {} on {}", self.instance().image, self.address));
        services.announce("Started OpenSSH server.");
        let wants = "/etc/systemd/system/multi-user.target.wants";
        let units = self.root.place(wants, Last::Follow).and_then(|place| Root::list(&place));
        for unit in units.unwrap_or_default() {
            if let Err(error) = self.start_unit(&unit).await {
                tracing::info!(unit, ?error, "an enabled unit did not start at boot");
            }
        }
        services.announce("Reached target Multi-User System.");
        services.announce(&format!("{} login:", self.host_name()));
    }
}

/// The first files of a machine.
fn install(root: &Root, distribution: Distribution, instance: &Instance) -> io::Result<()> {
    for folder in [
        "/etc/systemd/system/multi-user.target.wants",
        "/etc/sudoers.d",
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib/systemd/system",
        "/var/lib",
        "/var/log",
        "/opt",
        "/run/systemd/system",
        "/home",
    ] {
        root.make_folders(folder, 0o755)?;
    }
    root.make_folders("/root/.ssh", 0o700)?;
    root.place("/root", Last::Follow)?.set_mode(0o700)?;
    root.make_folders("/tmp", 0o1777)?;
    for (link, target) in
        [("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/var/run", "/run")]
    {
        root.place(link, Last::Keep)?.link_to(target)?;
    }
    root.write("/usr/lib/os-release", distribution.os_release().as_bytes(), 0o644)?;
    root.place("/etc/os-release", Last::Keep)?.link_to("../usr/lib/os-release")?;
    root.write("/etc/hostname", format!("{}\n", instance.host_name).as_bytes(), 0o644)?;
    root.write("/etc/machine-id", format!("{}\n", machine_id(&instance.id)).as_bytes(), 0o444)?;
    root.write(
        "/etc/passwd",
        b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
        0o644,
    )?;
    let keys = instance.authorized_keys.iter().flat_map(|key| [key.trim_end(), "\n"]).collect::<String>();
    root.write("/root/.ssh/authorized_keys", keys.as_bytes(), 0o600)?;
    if let Some(user_data) = &instance.user_data {
        root.write("/var/lib/cloud/instance/user-data.txt", user_data, 0o600)?;
    }
    programs::install(root, distribution.manager())
}

/// The machine id of an instance: the same as long as it exists.
pub(crate) fn machine_id(instance: &str) -> String {
    use sha2::Digest;
    hex::encode(&sha2::Sha256::digest(instance.as_bytes())[..16])
}

/// Reads the host key of a root, or makes one.
pub(crate) fn host_key(root: &Root, name: &str) -> io::Result<PrivateKey> {
    if let Ok(text) = root.read(HOST_KEY) {
        return PrivateKey::from_openssh(&text).map_err(io::Error::other);
    }
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, format!("root@{name}")).map_err(io::Error::other)?;
    root.write(HOST_KEY, key.to_openssh(LineEnding::LF).map_err(io::Error::other)?.as_bytes(), 0o600)?;
    let public = key.public_key().to_openssh().map_err(io::Error::other)?;
    root.write(&format!("{HOST_KEY}.pub"), format!("{public}\n").as_bytes(), 0o644)?;
    Ok(key)
}
