//! What the tests of the data plane share: a running plane with hosts, the OpenSSH clients, and bounded waiting.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use mock_cloud::gates::Gates;
use mock_cloud::plane::spec::{Desired, Instance, LoadBalancer, Power, Server, Status};
use mock_cloud::plane::{HostKind, Plane, PlaneConfig};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{balancer, waiting};

/// Nothing in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether all of these programs are here. Under CI a missing one fails the test, elsewhere it is skipped aloud.
pub(crate) fn has(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {missing:?}");
    // Not by the macro: the test harness would hide it.
    let line = format!("SKIPPED {test}: {missing:?} not on PATH\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    false
}

/// A plane with its data, keys and wish.
pub(crate) struct Region {
    pub(crate) plane: Plane,
    pub(crate) desired: Desired,
    folder: TempDir,
}

/// The VPC of all hosts.
pub(crate) const VPC: &str = "vpc-1";

pub(crate) fn instance(id: &str, last: u8) -> Instance {
    Instance {
        id: id.to_owned(),
        host_name: id.trim_start_matches("i-").to_owned(),
        image: "debian_12_x64".to_owned(),
        vpc: VPC.to_owned(),
        subnet: "192.168.0.0/24".parse().unwrap(),
        private_address: Ipv4Addr::new(192, 168, 0, last),
        security_groups: Vec::new(),
        memory: 1 << 30,
        started: 0,
        public_address: None,
        authorized_keys: Vec::new(),
        user_data: None,
        power: Power::On,
        refuses_ssh: false,
    }
}

impl Region {
    /// Starts a plane without anything in it.
    pub(crate) async fn empty(hosts: HostKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gates = Gates::default();
        let config = PlaneConfig { hosts, data: folder.path().join("data"), gates };
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_mock-cloud"));
        let plane = Plane::start_with_supervisor(config, supervisor).await.unwrap();
        Self { plane, desired: Desired::default(), folder }
    }

    /// Starts a plane with ready hosts; `ecs01` at .1 and so on; all have the key, the first is public.
    pub(crate) async fn with_hosts(count: u8) -> Self {
        let mut region = Self::empty(HostKind::Process).await;
        region.make_key("key").await;
        for number in 1..=count {
            let mut instance = instance(&format!("i-ecs0{number}"), number);
            instance.authorized_keys = vec![region.public_key("key")];
            if number == 1 {
                instance.public_address = Some(Ipv4Addr::new(198, 18, 0, 1));
            }
            region.desired.instances.insert(instance.id.clone(), instance);
        }
        region.apply();
        region.all_ready().await;
        region
    }

    pub(crate) fn apply(&self) {
        self.plane.reconcile(self.desired.clone());
    }

    pub(crate) async fn all_ready(&self) {
        waiting::all_ready(&self.plane, PATIENCE, &self.desired).await;
    }

    /// Waits until the status is as described.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        waiting::until(&self.plane, PATIENCE, what, holds).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the outer machine that a path of a host is.
    pub(crate) fn root(&self, id: &str) -> PathBuf {
        self.folder.path().join("data/hosts").join(id)
    }

    pub(crate) async fn make_key(&self, name: &str) {
        let path = self.path(name);
        let output =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).output();
        assert!(output.await.unwrap().status.success());
    }

    pub(crate) fn public_key(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// The SSH server of the public host.
    pub(crate) fn ssh_server(&self) -> SocketAddr {
        self.plane.status().connect_to["198.18.0.1:22"]
    }

    /// Options for every OpenSSH client: this key only, and the pinned host key of each host.
    pub(crate) fn options(&self, key: &str) -> Vec<String> {
        let known = self.path("known_hosts");
        let lines: String = self
            .desired
            .instances
            .keys()
            .filter_map(|id| {
                std::fs::read_to_string(self.root(id).join("etc/ssh/ssh_host_ed25519_key.pub")).ok()
            })
            .flat_map(|key| ["* ".to_owned(), key])
            .collect();
        std::fs::write(&known, lines).unwrap();
        let known = known.display();
        let key = self.path(key).display().to_string();
        let settings = [
            format!("UserKnownHostsFile={known}"),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "BatchMode=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        let mut options = vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), key];
        for setting in settings {
            options.extend(["-o".to_owned(), setting]);
        }
        options
    }

    /// Runs one remote command on the public host, as a client that quotes nothing itself.
    pub(crate) async fn ssh(&self, line: &str) -> Output {
        self.ssh_with(line, "").await
    }

    pub(crate) async fn ssh_with(&self, line: &str, input: &str) -> Output {
        let server = self.ssh_server();
        let mut command = Command::new("ssh");
        command.args(self.options("key")).args(["-p", &server.port().to_string()]);
        command.arg(format!("root@{}", server.ip())).arg(line);
        run(command, input).await
    }

    /// The same, and it must succeed; its standard output.
    pub(crate) async fn ok(&self, line: &str) -> String {
        let output = self.ssh(line).await;
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `sftp` with these commands, stopping at the first that fails.
    pub(crate) async fn sftp(&self, batch: &str) -> Output {
        let server = self.ssh_server();
        let mut command = Command::new("sftp");
        command.args(["-q", "-b", "-", "-P", &server.port().to_string()]).args(self.options("key"));
        command.arg(format!("root@{}", server.ip()));
        run(command, batch).await
    }

    /// Puts a file of the outer machine onto the public host.
    pub(crate) async fn upload(&self, from: &Path, to: &str) {
        let output = self.sftp(&format!("put {} {to}\n", from.display())).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// Writes a text file onto the public host.
    pub(crate) async fn write(&self, text: &str, to: &str) {
        let local = self.path("upload");
        std::fs::write(&local, text).unwrap();
        self.upload(&local, to).await;
    }
}

/// Runs a program to its end with this input, within the patience of a test.
pub(crate) async fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_bytes().to_vec();
    let work = async {
        let _ = stdin.write_all(&input).await;
        drop(stdin);
        child.wait_with_output().await.unwrap()
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{command:?} did not end"))
}

/// Text of what a program printed to both.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asks again until it holds; for conditions nothing announces.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    waiting::eventually(PATIENCE, what, holds).await;
}

/// Whether a process of the outer machine exists and is not a zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

/// A load balancer with one HTTP listener on port 5000 and quick checks.
pub(crate) fn balancer(servers: &[(Ipv4Addr, u16, u16)]) -> LoadBalancer {
    let server = |&(address, port, weight): &(Ipv4Addr, u16, u16)| {
        (format!("{address}:{port}"), Server { vpc: VPC.to_owned(), address, port, weight })
    };
    balancer::balancer(VPC, servers.iter().map(server).collect())
}
