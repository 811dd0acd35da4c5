//! The SSH server of one host: public keys only, `exec` through the interpreter, SFTP, and TCP forwarding inside
//! the region.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{HashAlg, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, MethodKind, MethodSet, SshId,
};
use tokio::io::{AsyncWriteExt, SimplexStream, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::gates::{self, Passage, Verdict};
use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::Outcome;
use crate::plane::host::programs::{Caller, Live, Stdin};
use crate::plane::host::sftp::Files;
use crate::plane::network::outer_port;
use crate::plane::probe::connect;
use crate::plane::strain;
use crate::plane::stream::{Activity, Guarded};

/// Bytes of an SFTP conversation on their way.
const SFTP_BUFFER: usize = 256 * 1024;
/// Bytes of a connection on their way to and from its server.
const WAY: usize = 64 * 1024;
/// How long the last words of a server may take to its client.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a forwarded connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Listens on the host's SSH port; what it gives back serves until `off`. While the host refuses SSH nothing
/// listens there.
pub(crate) async fn listen(
    machine: Arc<Machine>,
    off: CancellationToken,
) -> io::Result<impl Future<Output = ()>> {
    let mut news = machine.news();
    let mut listener = bind(&machine).await?;
    let config = Arc::new(server::Config {
        server_id: SshId::Standard("SSH-2.0-mockcloud_1".into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Nothing is guessed here: keys are refused at once, so that tests of refusal are quick.
        auth_rejection_time: Duration::from_millis(1),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![machine.key.clone()],
        inactivity_timeout: None,
        nodelay: true,
        ..server::Config::default()
    });
    Ok(async move {
        loop {
            tokio::select! {
                () = off.cancelled() => return,
                _ = news.changed() => if machine.instance().refuses_ssh == listener.is_some() {
                    listener = bind(&machine).await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "the SSH port cannot be listened on again");
                        None
                    });
                },
                accepted = accept(listener.as_ref()) => match accepted {
                    Ok((stream, _)) => {
                        tokio::spawn(converse(Arc::clone(&machine), stream, Arc::clone(&config), off.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accepting an SSH connection failed");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        }
    })
}

/// The listener on the host's SSH port, unless it refuses.
async fn bind(machine: &Machine) -> io::Result<Option<TcpListener>> {
    if machine.instance().refuses_ssh {
        return Ok(None);
    }
    TcpListener::bind(SocketAddr::from((machine.address, outer_port(22)))).await.map(Some)
}

/// The next connection; never one when nothing listens.
async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn converse(
    machine: Arc<Machine>,
    stream: TcpStream,
    config: Arc<server::Config>,
    off: CancellationToken,
) {
    let cut = off.child_token();
    let _ = stream.set_nodelay(true);
    let stream = Guarded::new(stream, Activity::new(), cut.clone());
    let (near, far) = tokio::io::duplex(WAY);
    let carried = tokio::spawn(strain::carry(stream, far, machine.strain()));
    let connection = Connection { machine, user: None, channels: HashMap::new(), cut: cut.clone(), off };
    let ended = match server::run_stream(config, near, connection).await {
        Ok(session) => session.await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an SSH connection ended");
    }
    let _ = tokio::time::timeout(FAREWELL, carried).await;
    cut.cancel();
}

/// One client.
struct Connection {
    machine: Arc<Machine>,
    /// Who logged in, when it is not root.
    user: Option<String>,
    /// Session channels that do nothing yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// Cancelled when the client goes, or the host is switched off; cancelling it cuts the connection.
    cut: CancellationToken,
    /// Cancelled when the host is switched off.
    off: CancellationToken,
}

impl Connection {
    fn knows(&self, user: &str, offered: &PublicKey) -> bool {
        let keys = self.machine.authorized_keys(user);
        let mut known = keys.iter().filter_map(|line| PublicKey::from_openssh(line.trim()).ok());
        known.any(|key| key.key_data() == offered.key_data())
    }

    /// Runs something beside the connection, and not longer than it.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = work => {}
            }
        });
    }
}

fn judged(is_known: bool) -> Auth {
    if is_known { Auth::Accept } else { Auth::reject() }
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let is_known = self.knows(user, offer.public_key);
        if !is_known {
            let fingerprint = offer.public_key.fingerprint(HashAlg::Sha256);
            tracing::debug!(user, %fingerprint, "an unknown key was offered");
        }
        Ok(judged(is_known))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        // SHA-1 signatures are refused, as today's servers do.
        let is_old = key.algorithm.as_str() == "ssh-rsa";
        let is_known = !is_old && self.knows(user, key.public_key);
        self.user = (is_known && user != "root").then(|| user.to_owned());
        Ok(judged(is_known))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    /// A terminal is taken as given: what is printed here is the same with and without one.
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        if let Some(channel) = self.channels.remove(&channel) {
            session.channel_success(channel.id())?;
            self.spawn(refuse_shell(channel));
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(channel) = self.channels.remove(&channel) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel.id())?;
        let machine = Arc::clone(&self.machine);
        let what = format!("{} {}", machine.host_name(), String::from_utf8_lossy(line));
        let passage = machine.gates.arrive(gates::Kind::Command, &what);
        let user = self.user.clone();
        let work =
            execute(Executed { machine, user, line: line.to_vec(), passage }, channel, self.cut.clone());
        let off = self.off.clone();
        // Not by `spawn`: a command goes on when its client is gone.
        tokio::spawn(async move { off.run_until_cancelled(work).await });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.channels.remove(&channel) {
            Some(channel) if name == "sftp" => {
                session.channel_success(channel.id())?;
                let home = self.user.as_ref().map(|user| self.machine.home(user).unwrap_or_default());
                let files = Files::new(Arc::clone(&self.machine), home, self.cut.clone(), self.off.clone());
                self.spawn(serve_files(files, channel));
                Ok(())
            }
            Some(_) | None => session.channel_failure(channel),
        }
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host_to_connect: &str,
        port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let port = u16::try_from(port_to_connect).ok();
        let target = port.and_then(|port| self.machine.reach(host_to_connect, port));
        let source = self.machine.address;
        let machine = Arc::clone(&self.machine);
        let Some(target) = target else {
            tracing::info!(host_to_connect, port_to_connect, "forwarding outside of the region refused");
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        self.spawn(async move {
            let open = async {
                machine.passable(target).await;
                connect(target, Some(source)).await
            };
            match tokio::time::timeout(CONNECT_LIMIT, open).await {
                Ok(Ok(mut stream)) => {
                    reply.accept().await;
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
                }
                Ok(Err(_)) | Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

/// A command line that a client sent.
struct Executed {
    machine: Arc<Machine>,
    user: Option<String>,
    line: Vec<u8>,
    passage: Passage,
}

impl Executed {
    /// Runs it to its end; nothing when it is not to be answered.
    async fn run(mut self, stdin: Stdin, teller: Live, gone: &CancellationToken) -> Option<Outcome> {
        if self.passage.begin(gone).await == Verdict::Drop {
            return None;
        }
        let outcome = match std::str::from_utf8(&self.line) {
            Ok(line) => {
                let caller = Caller { user: self.user, live: Some(teller), gone: gone.clone() };
                self.machine.run_line(line, stdin, caller).await
            }
            Err(_) => Outcome::refused("a command that is not UTF-8"),
        };
        tracing::debug!(line = %String::from_utf8_lossy(&self.line), status = outcome.status, "executed");
        (self.passage.end(gone).await == Verdict::Go).then_some(outcome)
    }
}

/// Runs a command to its end, also when nobody waits for it any more; `cut` says so, and ends the connection.
async fn execute(executed: Executed, channel: Channel<Msg>, cut: CancellationToken) {
    let (from_client, to_client) = channel.split();
    let (read, write) = tokio::io::simplex(64 * 1024);
    let gone = cut.child_token();
    let (teller, mut said) = mpsc::unbounded_channel();
    let run = executed.run(Stdin::from_reader(read), teller, &gone);
    // What it says while it runs; its end drops the sender.
    let repeat = async {
        while let Some(piece) = said.recv().await {
            let _ = to_client.data_bytes(piece).await;
        }
    };
    let mut run = std::pin::pin!(async { tokio::join!(run, repeat).0 });
    let outcome = tokio::select! {
        outcome = &mut run => outcome,
        () = feed(from_client, write, &gone) => run.await,
    };
    match outcome {
        Some(outcome) => finish(&to_client, outcome).await,
        None => cut.cancel(),
    }
}

/// Hands the client's data to the command as it reads; resolves when the client closes the channel or is gone, which
/// ends the command's input.
///
/// Its end of file is only that: the channel stays open for the answer.
async fn feed(mut from_client: ChannelReadHalf, write: WriteHalf<SimplexStream>, gone: &CancellationToken) {
    let mut write = Some(write);
    let messages = async {
        while let Some(message) = from_client.wait().await {
            if let ChannelMsg::Data { data } = &message {
                if let Some(open) = &mut write
                    && open.write_all(data).await.is_err()
                {
                    write = None;
                }
            } else if matches!(message, ChannelMsg::Eof) {
                end(&mut write).await;
            } else if matches!(message, ChannelMsg::Close) {
                return;
            }
        }
    };
    gone.run_until_cancelled(messages).await;
    gone.cancel();
    end(&mut write).await;
}

/// Lets the reader see the end.
async fn end(write: &mut Option<WriteHalf<SimplexStream>>) {
    if let Some(mut open) = write.take() {
        let _ = open.shutdown().await;
    }
}

async fn finish(to_client: &russh::ChannelWriteHalf<Msg>, outcome: Outcome) {
    let status = u32::try_from(outcome.status).unwrap_or(255);
    let sent = async {
        if !outcome.stdout.is_empty() {
            to_client.data_bytes(outcome.stdout).await?;
        }
        if !outcome.stderr.is_empty() {
            to_client.extended_data_bytes(1, outcome.stderr).await?;
        }
        to_client.exit_status(status).await?;
        to_client.eof().await?;
        to_client.close().await
    };
    if let Err(error) = sent.await {
        tracing::debug!(%error, "the client left before its command ended");
    }
}

async fn refuse_shell(channel: Channel<Msg>) {
    let (_from_client, to_client) = channel.split();
    finish(&to_client, Outcome::refused("an interactive shell")).await;
}

/// SFTP over the channel; when the client is done it gets an exit status, as `sftp-server` gives.
async fn serve_files(files: Files, channel: Channel<Msg>) {
    let (mut ours, theirs) = tokio::io::duplex(SFTP_BUFFER);
    russh_sftp::server::run(theirs, files).await;
    let (mut from_client, to_client) = channel.split();
    let mut writer = to_client.make_writer();
    let mut reader = from_client.make_reader();
    {
        let (mut read, mut write) = tokio::io::split(&mut ours);
        let up = async {
            let _ = tokio::io::copy(&mut reader, &mut write).await;
            let _ = write.shutdown().await;
        };
        let down = tokio::io::copy(&mut read, &mut writer);
        let _ = tokio::join!(up, down);
    }
    finish(&to_client, Outcome::done()).await;
}
