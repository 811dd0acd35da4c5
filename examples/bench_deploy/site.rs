//! The hosts that are deployed to: machine hosts of a local cloud, made and deployed to once by `albatross apply`.
//!
//! What the peers are told of them (addresses, host keys, the password of Redis) is what the cloud and the hosts say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::hosts;
use crate::limit::Raised;

pub(crate) const TOPOLOGY: &str = "bench.yaml";
/// Where Redis is.
const BUS: &str = "bus";
/// Digits of a binary's digest that the peers call a release by.
const RELEASE_DIGITS: usize = 12;

/// A host and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// Its SSH server, from here.
    pub(crate) ssh: SocketAddr,
    /// Its address in its network.
    pub(crate) private_address: String,
}

/// A local cloud that ends with it, and the hosts of the nodes there.
pub(crate) struct Site {
    folder: TempDir,
    programs: PathBuf,
    /// The node's binary.
    pub(crate) node: PathBuf,
    pub(crate) hosts: Vec<Host>,
    // Behind the cloud, which ends first.
    _limit: Raised,
}

impl Site {
    /// Makes a stack of so many nodes.
    pub(crate) fn new(nodes: usize) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let programs = bench.parent().and_then(Path::parent).context("a folder")?.to_owned();
        let node = programs.join("chat-node");
        ensure!(node.exists(), "{} is not built: run `make build` first", node.display());
        let limit = Raised::for_machines(nodes + 1)?;
        let mut site =
            Self { folder: tempfile::tempdir()?, programs, node, hosts: Vec::new(), _limit: limit };
        std::fs::write(site.path(TOPOLOGY), topology(nodes))?;
        // At a pace of its own a load balancer looks at each server once a second; at none it would do little else.
        site.run(&["cloud", "up", "--hosts", "machine", "--pace", "brisk"])?;
        site.run(&["--local", "apply", "--yes", TOPOLOGY])?;
        site.find_hosts(nodes)?;
        Ok(site)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The operator's private key.
    pub(crate) fn key(&self) -> PathBuf {
        self.path("config/albatross/id_ecdsa")
    }

    /// `albatross` as it is run for this site.
    pub(crate) fn albatross(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("albatross"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.albatross(arguments).output().context("albatross starts")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?} ended with {}: {said}", output.status);
        Ok(output)
    }

    fn asked(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&self.run(arguments)?.stdout)?)
    }

    /// Finds the hosts, and writes down what the peers need to know of them.
    fn find_hosts(&mut self, size: usize) -> Result<()> {
        let outputs = self.asked(&["--local", "outputs", TOPOLOGY, "--json"])?;
        let status = self.asked(&["cloud", "status", "--json"])?;
        let facts = Facts { outputs: &outputs["outputs"], ways: ways(&status)? };
        let bus = facts.host(BUS)?;
        self.hosts = (1..=size).map(|number| facts.host(&format!("web-{number}"))).collect::<Result<_>>()?;
        let keys = self.hosts.iter().chain([&bus]).map(|host| facts.known_host(host));
        std::fs::write(self.path("known_hosts"), keys.collect::<Result<String>>()?)?;
        let password = hosts::ask(self, &bus, "cat /etc/albatross/redis.password")?;
        let inventory = self.inventory(&bus, password.trim())?;
        Ok(std::fs::write(self.path("inventory.json"), serde_json::to_vec(&inventory)?)?)
    }

    /// The hosts as Ansible reads them; pyinfra reads the same.
    fn inventory(&self, bus: &Host, password: &str) -> Result<Value> {
        let host = |host: &Host| {
            let (address, port) = (host.ssh.ip(), host.ssh.port());
            let own = json!({ "ansible_host": address, "ansible_port": port, "node": host.name,
                              "private_address": host.private_address });
            (host.name.clone(), own)
        };
        let known_hosts = self.path("known_hosts").display().to_string();
        let release = hex::encode(Sha256::digest(std::fs::read(&self.node)?))[..RELEASE_DIGITS].to_owned();
        let shared = json!({
            "ansible_user": "root",
            "ansible_ssh_private_key_file": self.key(),
            "ansible_ssh_common_args": format!("-o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes"),
            "known_hosts": known_hosts,
            "redis_address": bus.private_address,
            "redis_password": password,
            "binary": self.node,
            "release": release,
        });
        let hosts: Map<String, Value> = self.hosts.iter().map(host).collect();
        Ok(json!({ "all": { "hosts": hosts, "vars": shared } }))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A cloud that is left behind ends by itself; there is nobody to tell.
        let _ = self.run(&["cloud", "down"]);
    }
}

/// What the stack and its cloud say.
struct Facts<'a> {
    outputs: &'a Value,
    ways: BTreeMap<SocketAddr, SocketAddr>,
}

impl Facts<'_> {
    fn output(&self, name: &str) -> Result<&str> {
        self.outputs[name].as_str().with_context(|| format!("no output is called {name}"))
    }

    fn host(&self, name: &str) -> Result<Host> {
        let public = self.output(&format!("instance.{name}.public_address"))?;
        let shown = SocketAddr::new(public.parse()?, 22);
        let ssh = *self.ways.get(&shown).with_context(|| format!("there is no way to {shown}"))?;
        let private_address = self.output(&format!("instance.{name}.private_address"))?.to_owned();
        Ok(Host { name: name.to_owned(), ssh, private_address })
    }

    /// A line of `known_hosts`, with the key that the cloud vouches for.
    fn known_host(&self, host: &Host) -> Result<String> {
        let key = self.output(&format!("host_key.{}.host_key", host.name))?;
        Ok(format!("[{}]:{} {key}\n", host.ssh.ip(), host.ssh.port()))
    }
}

/// From the addresses of the cloud to those that can be connected to.
fn ways(status: &Value) -> Result<BTreeMap<SocketAddr, SocketAddr>> {
    let all = status["connect_to"].as_array().context("the cloud says how its hosts are reached")?;
    let end = |way: &Value, end: &str| -> Result<SocketAddr> {
        Ok(way[end].as_str().context("an address")?.parse()?)
    };
    all.iter().map(|way| Ok((end(way, "from")?, end(way, "to")?))).collect()
}

fn topology(size: usize) -> String {
    format!(
        "stack: bench\nregion: cn-hangzhou\nnetwork:\n  zones: [cn-hangzhou-h, cn-hangzhou-i]\n\
         ssh:\n  allow_from: [0.0.0.0/0]\ninstances:\n  {BUS}: {{ vswitch: a, access: public }}\n  \
         web: {{ count: {size}, access: public }}\nredis:\n  on: {BUS}\nnode:\n  on: [web]\n\
         dns:\n  domain: example.com\n"
    )
}
