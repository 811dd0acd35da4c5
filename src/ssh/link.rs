//! One libssh2 session in its non-blocking mode, and the waiting for it.
//!
//! libssh2 answers "again" whenever the socket has nothing for it; [`Link::again`] then sleeps until the socket has.
//! Because nothing in here ever blocks the thread, a deadline around any of it holds.
//!
//! Rule of libssh2 that the callers keep: a packet that was sent in part must be finished before anything else is
//! sent. So nothing else is tried while [`Link::wait`] says that a write is under way, and one link serves one
//! operation at a time.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ssh2::{BlockDirections, ErrorCode, MethodType};
use tokio::io::Interest;

use super::error::SshError;
use super::key::{HostKey, Identity, Means};
use super::route::Route;

/// libssh2's "call again later".
const AGAIN: i32 = -37;
/// The agent answers with something else than a signature.
const AGENT_SAID_NO: i32 = -42;
/// The server does not take the key, or its signature.
const NOT_ACCEPTED: [i32; 2] = [-18, -19];
/// Codes that mean that the other side is gone rather than of another mind.
const GONE: [i32; 5] = [-2, -7, -13, -14, -43];
/// Ciphers, the best first. Processors have instructions for the first two, and libssh2 has no fast form of the third;
/// left to itself it would also offer some that were broken long ago.
const CIPHERS: &str = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,\
                       aes192-ctr,aes128-ctr";
/// How an RSA key signs: SHA-1 can be forged, and current servers refuse it.
const RSA_SIGNATURES: &str = "rsa-sha2-512,rsa-sha2-256";
/// A bound on every sleep: libssh2 keeps packets of its own, and a look now and then costs nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The byte stream a session runs over: the network, or another session's tunnel.
#[derive(Debug)]
pub(super) enum Socket {
    /// Straight to the host.
    Tcp(TcpStream),
    /// Through the host before it.
    Tunnel(UnixStream),
}

impl Socket {
    /// Ends the connection for every holder of the socket.
    fn shut(&self) {
        // An error here means that it is over already.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Tunnel(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Tunnel(stream) => stream.as_raw_fd(),
        }
    }
}

/// The runtime's view of the same socket, to sleep on.
enum Watch {
    Tcp(tokio::net::TcpStream),
    Tunnel(tokio::net::UnixStream),
}

impl Watch {
    fn of(socket: &Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(stream) => tokio::net::TcpStream::from_std(stream.try_clone()?).map(Self::Tcp),
            Socket::Tunnel(stream) => tokio::net::UnixStream::from_std(stream.try_clone()?).map(Self::Tunnel),
        }
    }

    /// Sleeps until there was news since the last time.
    async fn news(&self, interest: Interest) {
        let blocked = || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        // An error shows again, with its cause, in the operation that is repeated next. libssh2 has emptied the
        // socket before it asks to wait, so the readiness is used up: the second call takes note of that.
        let _ = match self {
            Self::Tcp(stream) => {
                acknowledge(stream);
                let _ = stream.ready(interest).await;
                stream.try_io(interest, blocked)
            }
            Self::Tunnel(stream) => {
                let _ = stream.ready(interest).await;
                stream.try_io(interest, blocked)
            }
        };
    }
}

/// Confirms at once what has arrived. An SSH server holds its next small packet back until then (Nagle), and the
/// kernel would wait 40 ms for something to send along: twice per command.
fn acknowledge(stream: &tokio::net::TcpStream) {
    #[cfg(target_os = "linux")]
    // Only a delay is at stake.
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// A session and the means to wait for it. Dropping it shuts the connection.
pub(super) struct Link {
    pub(super) session: ssh2::Session,
    socket: Arc<Socket>,
    watch: Watch,
}

impl Link {
    /// Takes a connected, non-blocking socket. Must run on the runtime that will drive the link.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        let watch = Watch::of(&socket)?;
        let socket = Arc::new(socket);
        let mut session = ssh2::Session::new()?;
        session.set_tcp_stream(Arc::clone(&socket));
        session.set_blocking(false);
        Ok(Self { session, socket, watch })
    }

    /// Ends the connection: every call of libssh2 on it comes to its end, too.
    pub(super) fn shut(&self) {
        self.socket.shut();
    }

    /// Repeats an operation of libssh2 until it has an answer.
    pub(super) async fn again<T>(
        &self,
        mut operation: impl FnMut() -> Result<T, ssh2::Error>,
    ) -> Result<T, ssh2::Error> {
        loop {
            match operation() {
                Err(error) if error.code() == ErrorCode::Session(AGAIN) => self.wait().await,
                answer => return answer,
            }
        }
    }

    /// The same for operations that speak in `io::Error`.
    pub(super) async fn again_io<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait().await,
                answer => return answer,
            }
        }
    }

    /// Sleeps until the socket has what libssh2 waits for.
    pub(super) async fn wait(&self) {
        let interest = match self.session.block_directions() {
            BlockDirections::Outbound => Interest::WRITABLE,
            BlockDirections::Both => Interest::READABLE | Interest::WRITABLE,
            BlockDirections::Inbound | BlockDirections::None => Interest::READABLE,
        };
        // Running out of time here is no failure: it only means to look again.
        let _ = tokio::time::timeout(LOOK_AGAIN, self.watch.news(interest)).await;
    }

    /// Whether a packet is half sent, so that only the same operation may go on.
    pub(super) fn mid_write(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }

    /// Agrees on keys with the host, verifies it, then logs in.
    pub(super) async fn log_in(&mut self, route: &Route, identity: &Identity) -> Result<(), SshError> {
        if route.host_keys.is_empty() {
            return Err(SshError::NoHostKey {
                host: route.host.clone(),
                address: route.address,
                vouched_by: route.vouched_by,
                authority: false,
            });
        }
        self.shake_hands(route).await?;
        self.verify(route)?;
        self.authenticate(route, identity).await
    }

    async fn shake_hands(&mut self, route: &Route) -> Result<(), SshError> {
        let fault = |source| handshake_error(&route.host, source);
        let wanted = preferred(&route.host_keys);
        self.session.method_pref(MethodType::HostKey, &wanted).map_err(fault)?;
        for direction in [MethodType::CryptCs, MethodType::CryptSc] {
            self.session.method_pref(direction, CIPHERS).map_err(fault)?;
        }
        self.session.method_pref(MethodType::SignAlgo, RSA_SIGNATURES).map_err(fault)?;
        let mut session = self.session.clone();
        self.again(|| session.handshake()).await.map_err(fault)
    }

    fn verify(&self, route: &Route) -> Result<(), SshError> {
        let found = self.session.host_key().and_then(|(blob, _)| HostKey::from_blob(blob.to_vec()));
        if let Some(found) = found.as_ref().filter(|found| route.revoked.contains(found)) {
            return Err(SshError::HostKeyRevoked { host: route.host.clone(), found: found.fingerprint() });
        }
        if found.as_ref().is_some_and(|found| route.host_keys.contains(found)) {
            return Ok(());
        }
        let expected: Vec<String> = route
            .host_keys
            .iter()
            .map(|key| format!("{} ({})", key.fingerprint(), key.algorithm()))
            .collect();
        Err(SshError::HostKeyChanged {
            host: route.host.clone(),
            expected: expected.join(" or "),
            found: found
                .map_or("no key".to_owned(), |key| format!("{} ({})", key.fingerprint(), key.algorithm())),
            vouched_by: route.vouched_by,
        })
    }

    async fn authenticate(&self, route: &Route, identity: &Identity) -> Result<(), SshError> {
        let done = match identity.means() {
            Means::Key(private) => {
                let attempt =
                    || self.session.userauth_pubkey_memory(&route.user, None, private.expose(), None);
                self.again(attempt).await
            }
            Means::Agent { socket, blob } => self.let_agent_sign(route, identity, (socket, blob)).await?,
        };
        done.map_err(|source| match source.code() {
            // The agent was asked and said no.
            ErrorCode::Session(AGENT_SAID_NO) => SshError::Agent {
                host: route.host.clone(),
                fingerprint: identity.fingerprint().to_owned(),
                source,
            },
            ErrorCode::Session(code) if NOT_ACCEPTED.contains(&code) => SshError::KeyNotAccepted {
                host: route.host.clone(),
                user: route.user.clone(),
                fingerprint: identity.fingerprint().to_owned(),
                source,
            },
            ErrorCode::Session(_) | ErrorCode::SFTP(_) => handshake_error(&route.host, source),
        })
    }
}

impl Link {
    /// The outer error is that of the agent, the inner one that of the host.
    async fn let_agent_sign(
        &self,
        route: &Route,
        identity: &Identity,
        (socket, blob): (&Path, &[u8]),
    ) -> Result<Result<(), ssh2::Error>, SshError> {
        let fingerprint = || identity.fingerprint().to_owned();
        let fault = |source| SshError::Agent { host: route.host.clone(), fingerprint: fingerprint(), source };
        let mut agent = self.session.agent().map_err(fault)?;
        agent.set_identity_path(socket).map_err(fault)?;
        agent.connect().map_err(fault)?;
        agent.list_identities().map_err(fault)?;
        let keys = agent.identities().map_err(fault)?;
        let gone = || {
            fault(ssh2::Error::new(ErrorCode::Session(AGENT_SAID_NO), "the agent has not got it any more"))
        };
        let key = keys.iter().find(|key| key.blob() == blob).ok_or_else(gone)?;
        Ok(self.again(|| agent.userauth(&route.user, key)).await)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // First, so that libssh2's own farewell fails at once instead of being kept for later.
        self.socket.shut();
    }
}

/// Every signature algorithm we know, those of the pinned keys first: the host then presents a key that can be
/// compared, and still has one to show when none of the pinned kinds is left.
fn preferred(keys: &[HostKey]) -> String {
    const ALL: [&str; 6] = [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    ];
    let mut order: Vec<&str> = Vec::new();
    for name in keys.iter().flat_map(HostKey::signatures).copied().chain(ALL) {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order.join(",")
}

fn handshake_error(host: &str, source: ssh2::Error) -> SshError {
    match source.code() {
        ErrorCode::Session(code) if GONE.contains(&code) => SshError::ConnectionLost {
            host: host.to_owned(),
            what: "the SSH handshake".to_owned(),
            after: None,
            source: Some(source.into()),
        },
        ErrorCode::Session(_) | ErrorCode::SFTP(_) => SshError::Handshake { host: host.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::KeyKind;

    #[test]
    fn the_pinned_kind_is_asked_for_first() {
        let (_, line) = Identity::generate(KeyKind::Ed25519, "").unwrap();
        let ed25519 = HostKey::parse(&line).unwrap();
        assert!(preferred(&[ed25519]).starts_with("ssh-ed25519,ecdsa"));
        let mut rsa = vec![0, 0, 0, 7];
        rsa.extend_from_slice(b"ssh-rsa and more");
        let order = preferred(&[HostKey::from_blob(rsa).unwrap()]);
        assert_eq!(
            order,
            "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521"
        );
    }
}
