//! A machine that runs: `systemd-nspawn` under the supervisor, its console, its first process.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::plane::guest::Site;
use crate::plane::guest::boot::Plan;
use crate::plane::guest::command::SEARCH_PATH;
use crate::plane::guest::furnish::Furniture;
use crate::plane::guest::limits::{self, Groups};
use crate::plane::guest::router::{Cable, Router};
use crate::plane::host::process::{self, End, Launch, Printed, Running, outer_program};
use crate::plane::spec::Instance;

/// Between two looks whether somebody answers on the SSH port.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How long a machine may take to shut down in good order, before its power is cut.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// How long what is killed may take to be gone.
const GONE: Duration = Duration::from_secs(5);
/// A tree of processes and mounts of its own; the tree ends with its first process, and that with its starter.
const UNSHARE: &[&str] =
    &["--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private", "--"];
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// How a machine is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is asked to shut down first.
    Gentle,
    /// Its power is cut.
    Cut,
}

/// A running machine.
pub(crate) struct Booted {
    /// The moment of the start that this is.
    pub(crate) started: i64,
    /// Its first process as the outer machine sees it, once there is one.
    pub(crate) leader: watch::Receiver<Option<u32>>,
    address: Ipv4Addr,
    process: Running,
    router: Arc<Router>,
    cable: Cable,
    groups: Vec<PathBuf>,
    /// Copy the console and wait for the first process; end with the machine.
    tasks: JoinSet<()>,
}

/// Takes what the console shows.
pub(crate) type Screen = Arc<dyn Fn(&[u8]) + Send + Sync>;

impl Booted {
    /// Switches a machine on whose files are in `folder`.
    pub(crate) async fn start(
        site: &Site,
        router: Arc<Router>,
        instance: &Instance,
        folder: &Path,
        screen: Screen,
    ) -> io::Result<Self> {
        let cable = router.lay_cable(instance).await?;
        let name = site.machine_name(&instance.id);
        let groups = Groups::make(&name, instance.memory);
        if let Some(error) = &groups.missing {
            site.note_missing_limits(error);
        }
        let groups = groups.folders;
        let plan = Plan {
            image: site.image.clone(),
            name,
            network: cable.namespace.path(),
            groups: groups.clone(),
            furniture: Furniture::of(instance),
        };
        let (process, printed, notices) = match begin(site, &plan, folder).await {
            Ok(begun) => begun,
            Err(error) => {
                remove_groups(groups).await;
                return Err(error);
            }
        };
        let (tell, leader) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(show(printed.stdout, Arc::clone(&screen)));
        tasks.spawn(show(printed.stderr, screen));
        tasks.spawn(wait_for_leader(notices, process.pid, tell));
        let (started, address) = (instance.started, instance.private_address);
        Ok(Self { started, leader, address, process, router, cable, groups, tasks })
    }

    /// The process that ends when the machine does, as the outer machine sees it.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid
    }

    /// The control groups it was born in.
    pub(crate) fn groups(&self) -> &[PathBuf] {
        &self.groups
    }

    /// Who finds out whether its SSH server answers.
    pub(crate) fn knocker(&self) -> Knocker {
        Knocker { router: Arc::clone(&self.router), address: self.address, leader: self.leader.clone() }
    }

    /// Resolves when it ends by itself.
    pub(crate) async fn end(&mut self) -> End {
        self.process.end().await
    }

    /// Switches it off and takes its cable away.
    pub(crate) async fn switch_off(mut self, manner: Manner) {
        if manner == Manner::Gentle {
            self.process.signal(SIGTERM).await;
            if tokio::time::timeout(SHUTDOWN, self.process.end()).await.is_err() {
                tracing::info!(address = %self.address, "a machine does not shut down and is cut off");
            }
        }
        self.process.signal(SIGKILL).await;
        let _ = tokio::time::timeout(GONE, self.process.end()).await;
        let leader = *self.leader.borrow();
        if let Some(leader) = leader {
            wait_until_gone(leader).await;
        }
        self.tasks.shutdown().await;
        self.router.remove_cable(self.cable, self.address).await;
        remove_groups(self.groups).await;
    }
}

/// Finds out whether the SSH server of a machine answers.
pub(crate) struct Knocker {
    router: Arc<Router>,
    address: Ipv4Addr,
    leader: watch::Receiver<Option<u32>>,
}

impl Knocker {
    /// Resolves once somebody can log in.
    pub(crate) async fn answered(mut self) {
        while self.leader.borrow_and_update().is_none() {
            if self.leader.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
        while self.greeting().await.is_err() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn greeting(&self) -> io::Result<()> {
        let connect = self.router.connect(self.address, 22);
        let mut stream = tokio::time::timeout(Duration::from_millis(500), connect)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await?;
        if &greeting == b"SSH-" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

/// Removes groups beside everything else: that may take a moment.
async fn remove_groups(groups: Vec<PathBuf>) {
    let removed = tokio::task::spawn_blocking(move || limits::remove_all(&groups)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "a control group cannot be removed");
    }
}

/// Starts the command that becomes the machine.
async fn begin(site: &Site, plan: &Plan, folder: &Path) -> io::Result<(Running, Printed, UnixDatagram)> {
    plan.write(folder)?;
    let (notices, address) = listen_for_notices(&plan.name)?;
    let (process, printed) = process::start(&site.supervisor, launch(site, folder, address)?).await?;
    Ok((process, printed, notices))
}

/// The command that becomes the machine.
fn launch(site: &Site, folder: &Path, notices: String) -> io::Result<Launch> {
    let program = outer_program("unshare").ok_or_else(|| io::Error::other("unshare is not installed"))?;
    let mut arguments: Vec<String> = UNSHARE.iter().map(|own| (*own).to_owned()).collect();
    arguments.extend([site.program().display().to_string(), "boot".to_owned(), folder.display().to_string()]);
    let environment =
        BTreeMap::from([("PATH".to_owned(), SEARCH_PATH.to_owned()), ("NOTIFY_SOCKET".to_owned(), notices)]);
    Ok(Launch { program, arguments, environment, directory: folder.to_owned() })
}

/// A socket that `systemd-nspawn` tells the first process to, and its name as an environment has it.
fn listen_for_notices(machine: &str) -> io::Result<(UnixDatagram, String)> {
    // Abstract, so that no path is too long and no file is left; a number, since the one before may still be open.
    let name = format!("mock-cloud/{machine}/{:08x}", rand::random::<u32>());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
    let socket = std::os::unix::net::UnixDatagram::bind_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok((UnixDatagram::from_std(socket)?, format!("@{name}")))
}

/// Looks for the first process of the machine at each notice. Anybody may send some, so none is believed.
async fn wait_for_leader(notices: UnixDatagram, starter: u32, tell: watch::Sender<Option<u32>>) {
    while notices.recv(&mut [0; 4096]).await.is_ok() {
        if let Some(leader) = find_leader(starter) {
            tell.send_replace(Some(leader));
        }
    }
}

/// The first process inside: the only grandchild of the starter that is the first one of a tree.
fn find_leader(starter: u32) -> Option<u32> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let is_grandchild = |pid: &u32| parents.get(pid).and_then(|parent| parents.get(parent)) == Some(&starter);
    parents.keys().copied().filter(is_grandchild).find(|pid| is_first(*pid))
}

/// Whether a process is the first one of its innermost tree.
fn is_first(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().last() == Some("1"))
}

/// The parent of a process.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

async fn wait_until_gone(pid: u32) {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let deadline = Instant::now() + GONE;
    while process.exists() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn show(mut printed: impl AsyncRead + Unpin, screen: Screen) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = printed.read(&mut buffer).await {
        screen(&buffer[..count]);
    }
}
