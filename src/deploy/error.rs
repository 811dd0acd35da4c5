//! Why a deployment stopped. Each sentence names the host, and [`DeployError::hint`] the next command.

use super::artifact::Architecture;
use crate::ssh::SshError;

/// A deployment that did not come to its end on one host.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The connection or a command failed.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// A file could not be made from its template.
    #[error("{file} cannot be written from its template")]
    Template {
        /// The template.
        file: &'static str,
        /// What it objects to.
        #[source]
        source: minijinja::Error,
    },
    /// Somebody else is at work on the host.
    #[error("{host}: {who} is at work on it, and was not done after {seconds} s")]
    Busy {
        /// The host.
        host: String,
        /// User and machine, as they call themselves.
        who: String,
        /// How long they were waited for.
        seconds: u64,
    },
    /// What an earlier step began does not end.
    #[error("{host}: a command that {who} began still runs after {seconds} s")]
    StillRunning {
        /// The host.
        host: String,
        /// User and machine, as they call themselves.
        who: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Somebody else has begun a step since.
    #[error("{host}: another operator has begun to work on it, so this step was stopped")]
    TakenOver {
        /// The host.
        host: String,
    },
    /// Not a system we know how to install packages on.
    #[error("{host}: {found} is not supported: {why}")]
    UnsupportedSystem {
        /// The host.
        host: String,
        /// What it calls itself.
        found: String,
        /// The missing part.
        why: &'static str,
    },
    /// Redis may take more memory than there is.
    #[error("{host}: Redis may take {wanted} MiB, and the host has {found} MiB of memory")]
    MemoryTooSmall {
        /// The host.
        host: String,
        /// What the topology gives it, in mebibytes.
        wanted: u64,
        /// What the host has, in mebibytes.
        found: u64,
    },
    /// A release has no room.
    #[error("{host}: a release needs {needed} MiB of /opt, and {found} MiB are free there")]
    DiskFull {
        /// The host.
        host: String,
        /// What it takes, in mebibytes.
        needed: u64,
        /// What is free, in mebibytes.
        found: u64,
    },
    /// The host cannot fetch packages.
    #[error(
        "{host}: the package repository cannot be reached, so `{package}` cannot be installed{}",
        lines(tail)
    )]
    RepositoryUnreachable {
        /// The host.
        host: String,
        /// What was wanted.
        package: String,
        /// The tool's last lines.
        tail: String,
    },
    /// The package manager refused.
    #[error("{host}: `{package}` could not be installed{}", lines(tail))]
    PackageFailed {
        /// The host.
        host: String,
        /// What was wanted.
        package: String,
        /// The tool's last lines.
        tail: String,
    },
    /// The binary was built for another processor.
    #[error("{host}: the binary is for {binary}, but the host is {machine}")]
    WrongArchitecture {
        /// The host.
        host: String,
        /// What the binary is for.
        binary: Architecture,
        /// What the host is.
        machine: Architecture,
    },
    /// The binary was built against a newer C library.
    #[error("{host}: the binary needs glibc {}.{}, but the host has {found}", .needed.0, .needed.1)]
    GlibcTooOld {
        /// The host.
        host: String,
        /// What the binary asks for.
        needed: (u32, u32),
        /// What there is.
        found: String,
    },
    /// The binary is started by a program that is not there.
    #[error("{host}: the binary is started by {loader}, which the host does not have")]
    NoLoader {
        /// The host.
        host: String,
        /// The path of the loader.
        loader: String,
    },
    /// A kept release has a secret that nobody knows any more.
    #[error("{host}: release {release} needs the secret `{variable}`, which the one in force does not have")]
    SecretGone {
        /// The host.
        host: String,
        /// The release.
        release: String,
        /// The name of the variable.
        variable: String,
    },
    /// Somebody else listens on the port.
    #[error("{host}: port {port} is already in use by {holder}")]
    PortInUse {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Who holds it, as far as the host tells.
        holder: String,
    },
    /// The Redis of the host's packages cannot carry messages.
    #[error("{host}: its Redis is {found}, which has no streams; 5.0 or newer is needed")]
    RedisTooOld {
        /// The host.
        host: String,
        /// What it says its version is.
        found: String,
    },
    /// Redis is not up.
    #[error("{host}: Redis did not start: {why}{}", lines(journal))]
    RedisNotStarted {
        /// The host.
        host: String,
        /// How it showed.
        why: String,
        /// The unit's last lines.
        journal: String,
    },
    /// There is no password where one should be.
    #[error("{host}: there is no Redis password in {path}")]
    NoPassword {
        /// The host.
        host: String,
        /// Where it should be.
        path: &'static str,
    },
    /// The host's tool gave something else than a password.
    #[error("{host}: `openssl rand` did not give a password")]
    PasswordNotMade {
        /// The host.
        host: String,
    },
    /// The first release on a host did not come up; it was stopped.
    #[error(
        "{host}: release {release} did not become ready: {}; there is no earlier release to go back to{}",
        trouble.why,
        lines(&trouble.journal)
    )]
    NotReady {
        /// The host.
        host: String,
        /// The new release.
        release: String,
        /// How it showed.
        trouble: Box<Trouble>,
    },
    /// The new release did not come up; the one before runs again.
    #[error(
        "{host}: release {release} did not become ready: {}; rolled back to {previous}, which is ready{}",
        trouble.why,
        lines(&trouble.journal)
    )]
    RolledBack {
        /// The host.
        host: String,
        /// The new release.
        release: String,
        /// The one that runs again.
        previous: String,
        /// How the new one failed.
        trouble: Box<Trouble>,
    },
    /// The new release did not come up, and stays where it is.
    #[error(
        "{host}: release {release} did not become ready: {}; it stays in force instead of {previous}, since \
         `auto_revert` is off{}",
        trouble.why,
        lines(&trouble.journal)
    )]
    LeftUnready {
        /// The host.
        host: String,
        /// The new release.
        release: String,
        /// The one before.
        previous: String,
        /// How the new one failed.
        trouble: Box<Trouble>,
    },
    /// The host does not have a release that it shall go back to, or has its binary alone.
    #[error("{host}: release {release} is not kept there as a whole")]
    NotKept {
        /// The host.
        host: String,
        /// The release.
        release: String,
    },
    /// A release that is kept listens somewhere else than the load balancer asks.
    #[error("{host}: release {release} listens on {found}, and the load balancer asks {place}")]
    ListensElsewhere {
        /// The host.
        host: String,
        /// The release.
        release: String,
        /// Where it listens.
        found: String,
        /// Where it would have to.
        place: String,
    },
    /// Neither the new release nor the one before came up.
    #[error(
        "{host}: release {release} did not become ready: {}; going back to {previous} did not help: {again}{}",
        trouble.why,
        lines(&trouble.journal)
    )]
    RollbackFailed {
        /// The host.
        host: String,
        /// The new release.
        release: String,
        /// The one before.
        previous: String,
        /// How the new one failed.
        trouble: Box<Trouble>,
        /// How the one before failed.
        again: Box<str>,
    },
}

/// How a release failed to become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was seen from outside.
    pub why: String,
    /// The unit's last lines.
    pub journal: String,
}

impl DeployError {
    /// A command to type or a line to change.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Ssh(error) => return error.hint(),
            Self::Template { .. } => return None,
            Self::Busy { host, .. } => format!(
                "run it again when they are done; on {host}: `ls /run/albatross/*/by` shows who it is"
            ),
            Self::StillRunning { host, .. } => format!(
                "run it again when it has ended; on {host}: `fuser -v /run/albatross.running` shows it"
            ),
            Self::TakenOver { .. } => {
                "`albatross plan FILE` shows what is left to do; run it again when the other is done"
                    .to_owned()
            }
            Self::UnsupportedSystem { .. } => {
                "use an image of Alibaba Cloud Linux 3, Debian 12 or Ubuntu 22.04 or later; without a Redis of your \
                 own: `redis: { tair: { class: tair.rdb.1g } }`"
                    .to_owned()
            }
            Self::MemoryTooSmall { .. } => {
                "lower `redis.max_memory`, or give the instance a larger `type`".to_owned()
            }
            Self::DiskFull { host, .. } => format!(
                "`albatross ssh FILE {host} -- df -h` shows what is full; make room there, then run again"
            ),
            Self::RepositoryUnreachable { host, .. } => format!(
                "give {host} a way out (a public address or a NAT gateway) or an image whose mirror is inside the VPC"
            ),
            Self::PackageFailed { host, package, .. } => {
                format!("on {host}: install `{package}` by hand, then run again")
            }
            Self::WrongArchitecture { machine, .. } => {
                format!(
                    "`cargo build --release -p chat-node --target {}`, or another instance type",
                    machine.target()
                )
            }
            Self::GlibcTooOld { .. } => {
                "use the static binary that `make build` makes, or a newer image".to_owned()
            }
            Self::NoLoader { .. } => {
                "build it static, or against the C library of the image, or use an image that has this one".to_owned()
            }
            Self::SecretGone { .. } => {
                "write the variable into the topology again, and run `albatross apply FILE`".to_owned()
            }
            Self::PortInUse { host, port, .. } => {
                format!(
                    "on {host}: `ss -ltnp sport = :{port}` shows who; stop it, or take another port in the topology"
                )
            }
            Self::RedisTooOld { .. } => {
                "take a newer image, or a managed Redis: `redis: { tair: { class: tair.rdb.1g } }`".to_owned()
            }
            Self::RedisNotStarted { host, .. } => {
                format!("on {host}: `journalctl -u albatross-redis.service -n 100 --no-pager`")
            }
            Self::NoPassword { .. } | Self::PasswordNotMade { .. } => {
                "`albatross apply FILE` makes it where Redis runs; that host needs openssl".to_owned()
            }
            Self::NotKept { .. } => {
                "`albatross releases FILE` lists what each host has; `albatross deploy FILE` brings a release anew"
                    .to_owned()
            }
            Self::ListensElsewhere { .. } => {
                "write the settings of that release into the topology, and run `albatross apply FILE`".to_owned()
            }
            Self::NotReady { host, .. }
            | Self::LeftUnready { host, .. }
            | Self::RolledBack { host, .. }
            | Self::RollbackFailed { host, .. } => {
                format!("on {host}: `journalctl -u chat-node.service -n 100 --no-pager`")
            }
        };
        Some(hint)
    }

    /// Whether the host is back on its earlier release (its own exit code).
    pub fn rolled_back(&self) -> bool {
        matches!(self, Self::RolledBack { .. })
    }
}

/// Text on lines of its own below a sentence, or nothing.
fn lines(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "\n    " + line)
}
