//! What can go wrong between us and a host, told apart.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::command::Output;
use super::route::Voucher;

/// A failed operation on one host. Each variant names the host first.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Nothing listens there.
    #[error("{host}: {address} refuses the connection: no SSH server listens there")]
    Refused {
        /// The host, as the topology calls it.
        host: String,
        /// Where we tried.
        address: SocketAddr,
        /// The system's word on it.
        #[source]
        source: io::Error,
    },
    /// The network does not lead there.
    #[error("{host}: {address} cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// Where we tried.
        address: SocketAddr,
        /// The system's word on it.
        #[source]
        source: io::Error,
    },
    /// A deadline passed; the connection was shut.
    #[error("{host}: {what} did not finish within {}", seconds(*.after))]
    TimedOut {
        /// The host.
        host: String,
        /// The operation.
        what: String,
        /// The deadline.
        after: Duration,
    },
    /// No key is pinned, so nobody could be told from an impostor.
    #[error("{host}: its host key is not known, and a key is never trusted on first use{}", note(*.authority))]
    NoHostKey {
        /// The host.
        host: String,
        /// Where it was looked for.
        address: SocketAddr,
        /// Who was asked for it.
        vouched_by: Voucher,
        /// Whether `known_hosts` has an authority for it instead.
        authority: bool,
    },
    /// Whoever answers shows a key that was given up.
    #[error(
        "{host}: the host key {found} is revoked in `known_hosts`: whoever has stolen it may be between us and the host"
    )]
    HostKeyRevoked {
        /// The host.
        host: String,
        /// Fingerprint of the key presented.
        found: String,
    },
    /// Somebody answers who does not hold the pinned key.
    #[error(
        "{host}: the host key has changed: expected {expected}, found {found}; the instance was reinstalled or \
         replaced, the address belongs to another machine now, or somebody is between us and the host"
    )]
    HostKeyChanged {
        /// The host.
        host: String,
        /// Fingerprints of the pinned keys.
        expected: String,
        /// Fingerprint of the key presented.
        found: String,
        /// Who says which key it should be.
        vouched_by: Voucher,
    },
    /// sudo does not make the user root.
    #[error("{host}: sudo does not let `{user}` do anything as root{}", indented(why))]
    SudoRefused {
        /// The host.
        host: String,
        /// Who logged in.
        user: String,
        /// What sudo said.
        why: String,
        /// Whether a password was sent.
        with_password: bool,
    },
    /// The agent does not sign.
    #[error("{host}: the SSH agent does not sign with {fingerprint}")]
    Agent {
        /// The host.
        host: String,
        /// The key.
        fingerprint: String,
        /// libssh2's word on it.
        #[source]
        source: ssh2::Error,
    },
    /// The server does not let this key in.
    #[error("{host}: the key {fingerprint} is not accepted for user `{user}`")]
    KeyNotAccepted {
        /// The host.
        host: String,
        /// Who we wanted to be.
        user: String,
        /// Our key.
        fingerprint: String,
        /// libssh2's word on it.
        #[source]
        source: ssh2::Error,
    },
    /// The two sides found no common ground before login.
    #[error("{host}: no SSH connection could be agreed on")]
    Handshake {
        /// The host.
        host: String,
        /// libssh2's word on it.
        #[source]
        source: ssh2::Error,
    },
    /// The connection ended under an operation.
    #[error("{host}: the connection was lost during {what}{}", after_seconds(*.after))]
    ConnectionLost {
        /// The host.
        host: String,
        /// The operation.
        what: String,
        /// How long it had been under way; unknown when it never began.
        after: Option<Duration>,
        /// How it showed.
        #[source]
        source: Option<io::Error>,
    },
    /// A command ended with a status other than 0.
    #[error("{host}: `{command}` failed with status {exit}{}", indented(stderr_tail))]
    RemoteFailure {
        /// The host.
        host: String,
        /// The command line.
        command: String,
        /// Its status.
        exit: i32,
        /// The last lines it wrote.
        stderr_tail: String,
    },
    /// A file could not be read or written.
    #[error("{host}: {path} could not be {action}")]
    File {
        /// The host.
        host: String,
        /// The file there.
        path: String,
        /// "read" or "written".
        action: &'static str,
        /// The server's word on it.
        #[source]
        source: io::Error,
    },
    /// What arrived is not what was sent.
    #[error("{host}: {path} arrived damaged: its sha256 is {found}, not {expected}")]
    Damaged {
        /// The host.
        host: String,
        /// The file there.
        path: String,
        /// What was sent.
        expected: String,
        /// What arrived.
        found: String,
    },
    /// The host does not connect us onwards.
    #[error("{host}: no connection from there to {target}")]
    NotForwarded {
        /// The host in the middle.
        host: String,
        /// Where it should have connected.
        target: SocketAddr,
        /// libssh2's word on it.
        #[source]
        source: ssh2::Error,
    },
    /// Our own machine is the cause.
    #[error("{host}: no session could be started on this machine")]
    Local {
        /// The host the session was for.
        host: String,
        /// The system's word on it.
        #[source]
        source: io::Error,
    },
}

impl SshError {
    /// A command that ended with a status other than 0, with its last lines.
    pub(crate) fn remote_failure(host: &str, command: String, output: &Output, lines: usize) -> Self {
        let (host, exit, stderr_tail) = (host.to_owned(), output.status, output.tail(lines));
        Self::RemoteFailure { host, command, exit, stderr_tail }
    }

    /// The host it happened on.
    pub fn host(&self) -> &str {
        match self {
            Self::Refused { host, .. }
            | Self::Unreachable { host, .. }
            | Self::TimedOut { host, .. }
            | Self::NoHostKey { host, .. }
            | Self::HostKeyChanged { host, .. }
            | Self::HostKeyRevoked { host, .. }
            | Self::SudoRefused { host, .. }
            | Self::Agent { host, .. }
            | Self::KeyNotAccepted { host, .. }
            | Self::Handshake { host, .. }
            | Self::ConnectionLost { host, .. }
            | Self::RemoteFailure { host, .. }
            | Self::File { host, .. }
            | Self::Damaged { host, .. }
            | Self::NotForwarded { host, .. }
            | Self::Local { host, .. } => host,
        }
    }

    /// With how long it had been under way, where that is not known yet.
    pub(super) fn lasting(mut self, lasted: Duration) -> Self {
        if let Self::ConnectionLost { after, .. } = &mut self {
            after.get_or_insert(lasted);
        }
        self
    }

    /// Whether the same may succeed a little later, as while a host boots.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::ConnectionLost { .. }
                | Self::NotForwarded { .. }
        )
    }

    /// A command to type or a line to change.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { address, .. } => {
                format!("see whether the instance runs and its sshd is up: `{}`", probe(address))
            }
            Self::Unreachable { address, .. } => {
                format!("see whether `ssh.allow_from` holds this machine's address: `{}`", probe(address))
            }
            Self::TimedOut { .. } => {
                "see whether the host answers at all and whether `ssh.allow_from` holds this \
                                      machine's address; a second `albatross apply FILE` goes on from here"
                    .to_owned()
            }
            Self::NoHostKey { address, vouched_by, .. } => vouched_by.supply(*address),
            Self::HostKeyChanged { vouched_by, .. } => format!(
                "go on only when the cloud itself shows the new fingerprint: run `ssh-keygen -lf \
                 /etc/ssh/ssh_host_ed25519_key.pub` on the instance through Cloud Assistant; {}",
                vouched_by.amend()
            ),
            Self::HostKeyRevoked { .. } => {
                "give the host a new key; if this one is good after all, remove its `@revoked` line from `known_hosts`"
                    .to_owned()
            }
            Self::SudoRefused { host, user, with_password, .. } => sudo_hint(host, user, *with_password),
            Self::Agent { .. } => "`ssh-add -l` lists what the agent has; one that is locked or asks for a touch needs \
                                   somebody there"
                .to_owned(),
            Self::KeyNotAccepted { user, .. } => format!(
                "`albatross apply FILE` puts your key there through the Cloud Assistant; or give `ssh.key` the private key \
                 whose public line is in `~{user}/.ssh/authorized_keys` of that host"
            ),
            Self::Handshake { host, .. } => format!("`ssh -v` shows what {host} offers"),
            Self::ConnectionLost { .. } | Self::Damaged { .. } => {
                "a second `albatross apply FILE` goes on from here".to_owned()
            }
            Self::RemoteFailure { host, command, .. } => format!("run it by hand on {host}: `{command}`"),
            Self::File { host, path, .. } => format!("on {host}: `ls -ld {path}; df -h {path}`"),
            Self::NotForwarded { host, target, .. } => {
                format!(
                    "on {host}: `nc -vz {} {}`; its sshd needs AllowTcpForwarding",
                    target.ip(),
                    target.port()
                )
            }
            Self::Local { .. } => return None,
        };
        Some(hint)
    }
}

fn sudo_hint(host: &str, user: &str, with_password: bool) -> String {
    if with_password {
        format!(
            "see whether the password under `sudo.password` is that of `{user}` on {host}, and `sudo -l` there"
        )
    } else {
        format!(
            "give `{user}` a line in `/etc/sudoers.d` of {host}, or write `sudo: {{ password: {{ env: NAME }} }}` with the \
             name of a variable that holds its password"
        )
    }
}

/// What `known_hosts` has instead of a key.
fn note(authority: bool) -> &'static str {
    if authority {
        "; `known_hosts` has a @cert-authority for it, and certificates are not supported"
    } else {
        ""
    }
}

/// How long something had been under way, behind a sentence.
fn after_seconds(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", after {}", seconds(after)))
}

/// The command that shows whether a port answers.
fn probe(address: &SocketAddr) -> String {
    format!("nc -vz {} {}", address.ip(), address.port())
}

/// A duration as people say it.
fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Text on lines of its own below a sentence, or nothing.
fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "\n    " + line)
}
