//! What the tests share: the image, a region with machines, ways in, and bounded waiting.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use mock_cloud::gates::Gates;
use mock_cloud::image::build::Wanted;
use mock_cloud::image::{DEFAULT, Store, ability};
use mock_cloud::plane::spec::{
    Desired, Inside, Instance, Policy, Power, Rule, SecurityGroup, Source, Status, Traffic,
};
use mock_cloud::plane::{HostKind, Plane, PlaneConfig};
use tempfile::TempDir;
use tokio::process::Command;

use crate::waiting;

/// Nothing in these tests takes longer, on a machine that does other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The VPC of all machines.
pub(crate) const VPC: &str = "vpc-1";
/// The group of the machines that belong together.
pub(crate) const NODES: &str = "sg-nodes";
/// A group of somebody else.
pub(crate) const OTHERS: &str = "sg-others";

/// Whether there is an image to make machines of; it is built when there could be one.
pub(crate) fn can_have_machines(test: &str) -> bool {
    let wanted = Wanted { name: DEFAULT.to_owned(), suite: None, mirror: None };
    let built = ability::check().and_then(|()| {
        let built = Store::of_this_machine().build(&wanted, &|line| say(&format!("{test}: {line}")));
        built.map(drop).map_err(|error| error.to_string())
    });
    let Err(reason) = built else {
        return true;
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {reason}");
    say(&format!("skipped: {test}: {reason}"));
    false
}

/// Says a line past the test harness, which would hide it.
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A machine of the nodes; the first one is public.
pub(crate) fn instance(number: u8) -> Instance {
    Instance {
        id: format!("i-ecs0{number}"),
        host_name: format!("ecs0{number}"),
        image: "debian_12_x64".to_owned(),
        vpc: VPC.to_owned(),
        subnet: "192.168.0.0/24".parse().unwrap(),
        private_address: Ipv4Addr::new(192, 168, 0, number),
        security_groups: vec![NODES.to_owned()],
        memory: 1 << 30,
        started: 1,
        public_address: (number == 1).then_some(Ipv4Addr::new(198, 18, 0, 1)),
        authorized_keys: Vec::new(),
        user_data: None,
        power: Power::On,
        refuses_ssh: false,
    }
}

/// A rule that lets TCP to a port in.
pub(crate) fn admit(port: u16, source: Source) -> Rule {
    Rule { priority: 1, policy: Policy::Accept, traffic: Traffic::Tcp(port..=port), source }
}

/// These addresses.
pub(crate) fn addresses(network: &str) -> Source {
    Source::Addresses(network.parse().unwrap())
}

/// A plane with machines.
pub(crate) struct Region {
    pub(crate) plane: Plane,
    pub(crate) desired: Desired,
    folder: TempDir,
}

impl Region {
    /// Boots this many machines, which admit SSH from anywhere, and each other everything.
    pub(crate) async fn with_machines(count: u8) -> Self {
        let region = Self::with((1..=count).map(instance).collect()).await;
        region.all_ready().await;
        region
    }

    /// Begins to boot these.
    pub(crate) async fn with(instances: Vec<Instance>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = PlaneConfig {
            hosts: HostKind::Machine,
            data: folder.path().join("data"),
            gates: Gates::default(),
        };
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_mock-cloud"));
        let plane = Plane::start_with_supervisor(config, supervisor).await.unwrap();
        let mut region = Self { plane, desired: Desired::default(), folder };
        region.make_key().await;
        let nodes = SecurityGroup { inside: Inside::Open, rules: vec![admit(22, addresses("0.0.0.0/0"))] };
        let others = SecurityGroup { inside: Inside::Open, rules: Vec::new() };
        region.desired.security_groups.extend([(NODES.to_owned(), nodes), (OTHERS.to_owned(), others)]);
        for mut instance in instances {
            instance.authorized_keys = vec![region.public_key()];
            region.desired.instances.insert(instance.id.clone(), instance);
        }
        region.apply();
        region
    }

    pub(crate) fn apply(&self) {
        self.plane.reconcile(self.desired.clone());
    }

    pub(crate) fn instance(&mut self, id: &str) -> &mut Instance {
        self.desired.instances.get_mut(id).unwrap()
    }

    /// Rules of the nodes from now on.
    pub(crate) fn set_rules(&mut self, rules: Vec<Rule>) {
        self.desired.security_groups.get_mut(NODES).unwrap().rules = rules;
        self.apply();
    }

    pub(crate) async fn all_ready(&self) {
        waiting::all_ready(&self.plane, PATIENCE, &self.desired).await;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        waiting::until(&self.plane, PATIENCE, what, holds).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a machine on the outer one.
    pub(crate) fn files(&self, id: &str) -> PathBuf {
        self.path("data/hosts").join(id)
    }

    async fn make_key(&self) {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.path("key"));
        assert!(run(keygen).await.status.success());
    }

    fn public_key(&self) -> String {
        std::fs::read_to_string(self.path("key.pub")).unwrap().trim().to_owned()
    }

    /// The SSH server of the public machine.
    pub(crate) fn ssh_server(&self) -> SocketAddr {
        self.plane.status().connect_to["198.18.0.1:22"]
    }

    /// Runs a line on the public machine, as a person would.
    pub(crate) async fn ssh(&self, line: &str) -> Output {
        let server = self.ssh_server();
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-i"]).arg(self.path("key")).args(["-p", &server.port().to_string()]);
        for option in
            ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"]
        {
            command.args(["-o", option]);
        }
        command.arg(format!("root@{}", server.ip())).arg(line);
        run(command).await
    }

    /// Runs a script by the Cloud Assistant, which must succeed; what it printed.
    pub(crate) async fn assist(&self, id: &str, script: &str) -> String {
        let result = self.plane.run_command(id, script).await.unwrap();
        let said = String::from_utf8_lossy(&result.output).into_owned();
        assert_eq!(result.exit_code, 0, "{script}: {said}");
        said
    }

    /// Whether a TCP port answers a machine.
    pub(crate) async fn reaches(&self, id: &str, address: Ipv4Addr, port: u16) -> bool {
        let script = format!("timeout 2 bash -c '</dev/tcp/{address}/{port}'");
        self.plane.run_command(id, &script).await.unwrap().exit_code == 0
    }

    /// Answers every HTTP request at a port of a machine with a greeting.
    pub(crate) async fn listen(&self, id: &str, port: u16) {
        let script = format!(
            "cat >/root/answer <<'END'\n\
             #!/bin/sh\n\
             while read -r line && [ \"${{#line}}\" -gt 1 ]; do :; done\n\
             printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello'\n\
             END\n\
             chmod 755 /root/answer\n\
             systemd-run --quiet --unit=listen-{port} systemd-socket-activate --inetd --accept --listen={port} \
             /root/answer\n\
             until timeout 1 bash -c '</dev/tcp/127.0.0.1/{port}'; do sleep 0.05; done\n"
        );
        self.assist(id, &script).await;
    }
}

/// Runs a program to its end.
pub(crate) async fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    output.unwrap_or_else(|_| panic!("{command:?} did not end")).unwrap()
}

/// Asks again until it holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    waiting::eventually(PATIENCE, what, holds).await;
}

/// Processes of the outer machine whose command line has this text.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(text)
    })
    .collect()
}

/// Everything in a folder, or nothing when it is not there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
