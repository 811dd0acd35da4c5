//! A host in memory that understands what deployment says to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::dnf::Dnf;
use super::steps::Steps;
use crate::deploy::Host;
use crate::ssh::{Command, Output, Packed, Sent, SshError};

/// What `openssl rand` gives here.
pub(super) const PASSWORD: &str = "5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f";
const RELEASES: &str = "/opt/albatross/releases/";
const BEFORE: &str = "/opt/albatross/before";

#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    pub(super) text: String,
    pub(super) mode: u32,
}

/// Everything the host is.
#[derive(Default)]
pub(super) struct State {
    release: &'static str,
    /// What `uname -m` says.
    pub(super) machine: &'static str,
    files: BTreeMap<String, File>,
    links: BTreeMap<String, String>,
    users: BTreeSet<String>,
    active: BTreeSet<String>,
    enabled: BTreeSet<String>,
    clock: u32,
    log: Vec<String>,
    uploads: Vec<String>,
    pub(super) steps: Steps,
    pub(super) listeners: String,
    /// Releases that end at once.
    pub(super) broken: BTreeSet<String>,
    /// Releases that run and never become ready.
    pub(super) silent: BTreeSet<String>,
    pub(super) redis_fails: Option<String>,
    pub(super) repository_is_away: bool,
    pub(super) lacks_systemd: bool,
    pub(super) free_kibibytes: u64,
    /// A real dnf in place of one that is played.
    pub(super) dnf: Option<Dnf>,
    /// Every operation after this many fails.
    pub(super) cut_after: Option<usize>,
    /// This one fails.
    pub(super) cut_at: Option<&'static str>,
    /// How often a unit was started again by itself, when that is told.
    pub(super) restarts: Option<u32>,
    /// Whether that is so before each look.
    pub(super) restarts_at_each_look: bool,
}

pub(super) struct Played {
    name: &'static str,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

impl Played {
    pub(super) fn debian(name: &'static str) -> Self {
        Self::new(name, "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n")
    }

    pub(super) fn alinux(name: &'static str) -> Self {
        Self::new(
            name,
            "PRETTY_NAME=\"Alibaba Cloud Linux 3\"\nID=\"alinux\"\nID_LIKE=\"rhel fedora centos anolis\"\nVERSION_ID=\"3\"\n",
        )
    }

    pub(super) fn rocky(name: &'static str) -> Self {
        Self::new(
            name,
            "PRETTY_NAME=\"Rocky Linux 9.4 (Blue Onyx)\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n",
        )
    }

    fn new(name: &'static str, release: &'static str) -> Self {
        Self {
            name,
            state: Mutex::new(State {
                release,
                machine: "x86_64",
                free_kibibytes: 20 << 20,
                ..State::default()
            }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(super) fn file(&self, path: &str) -> File {
        self.with(|state| state.files[path].clone())
    }

    /// Somebody adds a line by hand.
    pub(super) fn edit(&self, path: &str) {
        self.with(|state| state.files.get_mut(path).expect("a file").text.push_str("# by hand\n"));
    }

    /// Somebody takes a unit out of the start-up.
    pub(super) fn disable(&self, unit: &str) {
        self.with(|state| assert!(state.enabled.remove(unit), "{unit} was not enabled"));
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.with(|state| state.log.clone())
    }

    pub(super) fn forget_log(&self) {
        self.with(|state| {
            state.log.clear();
            state.uploads.clear();
        });
    }

    pub(super) fn uploads(&self) -> Vec<String> {
        self.with(|state| state.uploads.clone())
    }

    pub(super) fn releases(&self) -> Vec<String> {
        self.with(|state| state.release_names())
    }

    /// All that lasts, times left out.
    pub(super) fn world(&self) -> String {
        self.with(|state| {
            let files = state.files.iter().filter(|(path, _)| !path.ends_with("manifest.json"));
            let files: Vec<_> = files.collect();
            format!("{files:#?}{:#?}{:#?}{:#?}", state.links, state.users, state.active)
        })
    }

    fn operation(&self, what: String) -> Result<(), SshError> {
        self.with(|state| {
            let is_cut = state.cut_after.is_some_and(|cut| state.log.len() >= cut);
            if is_cut || state.cut_at.is_some_and(|cut| cut == what) {
                let host = self.name.to_owned();
                // What a connection held ends with it.
                state.steps.is_held = false;
                return Err(SshError::ConnectionLost { host, what, after: None, source: None });
            }
            state.log.push(what);
            Ok(())
        })
    }
}

impl Played {
    fn answer(&self, command: &Command) -> Output {
        let stdin = command.input().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let words: Vec<&str> = command.argv().iter().map(String::as_str).collect();
        let (step, words) = Steps::unwrap(&words);
        if let Some(refused) = step.and_then(|lock| self.with(|state| state.steps.refusal(lock))) {
            return refused;
        }
        let (status, text) = self.with(|state| state.run(words, stdin.as_deref().unwrap_or_default()));
        Output { status, stdout: text.into_bytes(), stderr: Vec::new() }
    }
}

impl Host for Played {
    fn name(&self) -> &str {
        self.name
    }

    async fn run(&self, command: Command) -> Result<Output, SshError> {
        let words: Vec<&str> = command.argv().iter().map(String::as_str).collect();
        self.operation(Steps::unwrap(&words).1.join(" "))?;
        Ok(self.answer(&command))
    }

    async fn look(&self, commands: Vec<Command>) -> Result<Vec<Output>, SshError> {
        self.operation("look".to_owned())?;
        Ok(commands.iter().map(|command| self.answer(command)).collect())
    }

    async fn send(
        &self,
        wrapper: &[String],
        path: &str,
        packed: &Packed,
        mode: u32,
    ) -> Result<Sent, SshError> {
        let mut content = Vec::new();
        GzDecoder::new(packed.bytes().as_ref()).read_to_end(&mut content).unwrap();
        self.upload_by(wrapper, path, content.into(), mode).await?;
        Ok(Sent { found: 0, sent: packed.len(), was_damaged: false })
    }

    async fn check(&self, command: Command) -> Result<Output, SshError> {
        let line = command.to_string();
        let output = self.run(command).await?;
        match output.status {
            0 => Ok(output),
            _ => Err(SshError::remote_failure(self.name, line, &output, 5)),
        }
    }

    async fn upload(&self, path: &str, bytes: Arc<[u8]>, mode: u32) -> Result<(), SshError> {
        self.operation(format!("upload {path}"))?;
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.with(|state| {
            state.uploads.push(path.to_owned());
            state.files.insert(path.to_owned(), File { text, mode });
        });
        Ok(())
    }

    async fn upload_by(
        &self,
        wrapper: &[String],
        path: &str,
        bytes: Arc<[u8]>,
        mode: u32,
    ) -> Result<(), SshError> {
        let moved = Command::new("true").wrapped_by(wrapper.iter().cloned());
        let words: Vec<&str> = moved.argv().iter().map(String::as_str).collect();
        let refused = self.with(|state| state.steps.refusal(Steps::unwrap(&words).0?));
        match refused {
            Some(output) => Err(SshError::remote_failure(self.name, moved.to_string(), &output, 5)),
            None => self.upload(path, bytes, mode).await,
        }
    }

    async fn hold(&self, command: Command) -> Result<Option<Output>, SshError> {
        self.operation(format!("hold {command}"))?;
        Ok(self.with(|state| state.steps.hold()))
    }

    async fn let_go(&self) -> Result<(), SshError> {
        self.operation("let go".to_owned())?;
        self.with(|state| state.steps.is_held = false);
        Ok(())
    }

    fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.turn
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        self.operation(format!("read {path}"))?;
        Ok(self.with(|state| {
            let path = state.followed(path);
            state.files.get(&path).map(|file| file.text.clone().into_bytes())
        }))
    }
}

fn said(text: impl Into<String>) -> (i32, String) {
    (0, text.into())
}

fn when(condition: bool) -> (i32, String) {
    (i32::from(!condition), String::new())
}

impl State {
    /// The packages of Alibaba Cloud Linux have one without access rules.
    fn has_old_redis(&self) -> bool {
        self.release.contains("alinux")
    }

    fn run(&mut self, words: &[&str], stdin: &str) -> (i32, String) {
        match words {
            ["env", _, rest @ ..] => self.run(rest, stdin),
            [.., path] if path.starts_with("/run/albatross") => self.steps.run(words),
            ["uname", "-m"] => said(format!("{}\n", self.machine)),
            ["cat", "/etc/os-release"] => said(self.release),
            ["getconf", "GNU_LIBC_VERSION"] => said("glibc 2.36\n"),
            ["getconf", "_PHYS_PAGES"] => said("1048576\n"),
            ["getconf", "PAGE_SIZE"] => said("4096\n"),
            ["test", "-d", "/run/systemd/system"] => when(!self.lacks_systemd),
            ["df", "-k", "--output=avail", "/opt"] => said(format!("   Avail\n{}\n", self.free_kibibytes)),
            ["date", "-u", "+%s"] => said(format!("{}\n", crate::base::clock::now().as_second())),
            ["stat", "-c", "%a %U:%G", path] => match self.files.get(*path) {
                Some(file) => said(format!("{:o} root:root\n", file.mode)),
                None => (1, String::new()),
            },
            ["test", "-x", path] => when(self.files.contains_key(*path)),
            ["install", "-m", "0755", from, to] => {
                let text = self.files[*from].text.clone();
                self.files.insert((*to).to_owned(), File { text, mode: 0o755 });
                said("")
            }
            ["install", "-d", ..] | ["systemctl", "daemon-reload"] => said(""),
            ["chown", "root:redis", path] => {
                when(self.files.contains_key(*path) && self.users.contains("redis"))
            }
            ["getent", "passwd", name] => when(self.users.contains(*name)),
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name] => {
                when(self.users.insert((*name).to_owned()))
            }
            ["redis-server", "--version"] => {
                let version = if self.has_old_redis() { "5.0.3" } else { "7.0.15" };
                said(format!("Redis server v={version} sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 build=0"))
            }
            ["sysctl", "--quiet", file] => when(self.files.contains_key(file.trim_start_matches("--load="))),
            ["systemd-tmpfiles", "--create", file] => when(self.files.contains_key(*file)),
            ["openssl", "rand", "-hex", "32"] => said(PASSWORD),
            ["date", "-u", _] => {
                self.clock += 1;
                said(format!("2026-01-01T00:00:{:02}Z", self.clock))
            }
            ["cat", path] => match self.files.get(&self.followed(path)) {
                Some(file) => said(file.text.clone()),
                None => (1, String::new()),
            },
            ["sha256sum", path] => match self.files.get(&self.followed(path)) {
                Some(file) => said(format!("{}  {path}\n", hex::encode(Sha256::digest(&file.text)))),
                None => (1, String::new()),
            },
            ["dnf", rest @ ..] if self.dnf.is_some() => self.real_dnf(rest),
            ["apt-get" | "dnf", rest @ ..] => self.packages(rest),
            ["systemctl", rest @ ..] => self.systemctl(rest),
            ["journalctl", "-u", unit, ..] => said(self.journal(unit)),
            ["ss", "-ltnpH", "sport", "=", _] => said(self.listeners.clone()),
            ["curl", ..] => said(self.ready()),
            ["redis-cli", ..] => {
                let is_up = self.active.contains("albatross-redis.service");
                let configuration = &self.files["/etc/albatross/redis.conf"].text;
                let digest = hex::encode(Sha256::digest(PASSWORD));
                let knows = if self.has_old_redis() {
                    configuration.contains(&format!("requirepass {PASSWORD}"))
                } else {
                    configuration.contains(&format!("user default on #{digest} "))
                };
                assert_eq!(stdin, format!("AUTH {PASSWORD}\nPING\n"));
                said(if is_up && knows { "OK\nPONG\n" } else { "" })
            }
            _ => self.paths(words),
        }
    }

    fn paths(&mut self, words: &[&str]) -> (i32, String) {
        match words {
            ["readlink", paths @ ..] => {
                let found: Vec<String> =
                    paths.iter().filter_map(|path| self.links.get(*path).cloned()).collect();
                (i32::from(found.len() < paths.len()), found.join("\n"))
            }
            ["rm", "-rf", "/opt/albatross/ready"] => {
                self.links.remove("/opt/albatross/ready");
                said("")
            }
            ["ln", "-sfn", target, path] => {
                self.links.insert((*path).to_owned(), (*target).to_owned());
                said("")
            }
            ["mv", "-fT", from, to] => {
                let target = self.links.remove(*from).unwrap();
                self.links.insert((*to).to_owned(), target);
                said("")
            }
            ["ls", "-1", BEFORE] => {
                let is_inside = |path: &&String| path.starts_with(BEFORE);
                when(self.files.keys().chain(self.links.keys()).any(|path| is_inside(&path)))
            }
            ["rm", "-rf", BEFORE] => {
                self.files.retain(|path, _| !path.starts_with(BEFORE));
                self.links.retain(|path, _| !path.starts_with(BEFORE));
                said("")
            }
            ["ls", "-1", "/opt/albatross/releases"] => said(self.release_names().join("\n")),
            ["rm", "-rf", path] => {
                let is_release = path.starts_with(RELEASES) && path.len() == RELEASES.len() + 12;
                assert!(is_release || !path.starts_with("/opt/albatross/releases"), "{path}");
                let is_gone = |name: &String| name.as_str() == *path || name.starts_with(&format!("{path}/"));
                self.files.retain(|name, _| !is_gone(name));
                self.links.retain(|name, _| !is_gone(name));
                said("")
            }
            other => panic!("`{other:?}` is not understood"),
        }
    }

    fn packages(&mut self, words: &[&str]) -> (i32, String) {
        let is_install = words.contains(&"install");
        if self.repository_is_away {
            let told = "Failed to fetch http://deb.debian.org/debian  Could not resolve 'deb.debian.org'";
            return if is_install { (100, format!("E: {told}")) } else { said(format!("W: {told}")) };
        }
        if is_install {
            self.is_packaged();
        }
        said("")
    }

    /// By a real dnf, into a folder.
    fn real_dnf(&mut self, words: &[&str]) -> (i32, String) {
        let (status, text) = self.dnf.as_ref().expect("it was asked for").run(words);
        if status == 0 {
            self.is_packaged();
        }
        (status, text)
    }

    fn is_packaged(&mut self) {
        let program = File { text: String::new(), mode: 0o755 };
        self.files.insert("/usr/bin/redis-server".to_owned(), program);
        self.users.insert("redis".to_owned());
    }

    fn systemctl(&mut self, words: &[&str]) -> (i32, String) {
        match words {
            ["enable", unit] => {
                self.enabled.insert((*unit).to_owned());
                when(self.files.contains_key(&format!("/etc/systemd/system/{unit}")))
            }
            ["is-enabled", unit] if self.enabled.contains(*unit) => said("enabled\n"),
            ["is-enabled", _] => (1, "disabled\n".to_owned()),
            ["disable", "--now", unit] | ["stop", unit] => {
                self.active.remove(*unit);
                if words[0] == "disable" {
                    self.enabled.remove(*unit);
                }
                said("")
            }
            ["reset-failed", _] => said(""),
            ["restart", unit] => {
                if self.is_broken(unit) {
                    self.active.remove(*unit);
                    return (1, String::new());
                }
                self.active.insert((*unit).to_owned());
                said("")
            }
            ["is-active", unit] if self.active.contains(*unit) => said("active\n"),
            ["is-active", _] => (3, "inactive\n".to_owned()),
            ["show", unit, _] if self.active.contains(*unit) => {
                let restarts = self.restarts.get_or_insert_default();
                *restarts += u32::from(self.restarts_at_each_look);
                said(format!("ActiveState=active\nNRestarts={restarts}\n"))
            }
            ["show", units @ .., "--property=ActiveState,UnitFileState"] => {
                let told = units.iter().map(|unit| {
                    let active = if self.active.contains(*unit) { "active" } else { "inactive" };
                    let enabled = if self.enabled.contains(*unit) { "enabled" } else { "" };
                    format!("ActiveState={active}\nUnitFileState={enabled}\n")
                });
                said(told.collect::<Vec<_>>().join("\n"))
            }
            ["show", _, _] => said("ActiveState=failed\nResult=exit-code\nExecMainStatus=1\n"),
            other => panic!("`systemctl {other:?}` is not understood"),
        }
    }

    pub(super) fn is_active(&self, unit: &str) -> bool {
        self.active.contains(unit)
    }

    fn is_broken(&self, unit: &str) -> bool {
        match unit {
            "chat-node.service" => self.broken.contains(&self.current()),
            "albatross-revert.timer" => false,
            _ => self.redis_fails.is_some(),
        }
    }

    fn journal(&self, unit: &str) -> String {
        match unit {
            "chat-node.service" => format!("chat-node: cannot reach redis://:{PASSWORD}@10.0.0.7\n"),
            _ => self.redis_fails.clone().unwrap_or_default(),
        }
    }

    fn ready(&self) -> String {
        match self.active.contains("chat-node.service") {
            true if self.silent.contains(&self.current()) => "redis is away\n503".to_owned(),
            true => "ok\n200".to_owned(),
            false => "\n000".to_owned(),
        }
    }

    /// A path whose first folders may be the link that says what is in force.
    fn followed(&self, path: &str) -> String {
        match path.strip_prefix("/opt/albatross/current/") {
            Some(rest) => format!("{RELEASES}{}/{rest}", self.current()),
            None => path.to_owned(),
        }
    }

    fn current(&self) -> String {
        let target = self.links.get("/opt/albatross/current").cloned().unwrap_or_default();
        target.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn release_names(&self) -> Vec<String> {
        let paths = self.files.keys().filter_map(|path| path.strip_prefix(RELEASES)?.split('/').next());
        let names: BTreeSet<String> = paths.map(str::to_owned).collect();
        names.into_iter().collect()
    }
}
