//! A program on a host with somebody at this end: what it reads and writes as it goes, its terminal, how it ended.
//!
//! It has an SSH connection of its own, as a tunnel has, since it may last for hours. Bytes go through socket pairs, so
//! that whoever holds the other ends reads and writes them as any stream.

use std::io::{self, Read as _, Write as _};

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::error::SshError;
use super::link::Link;
use super::transfer;
use super::tunnel::some;

/// What is moved at once.
const PIECE: usize = 32 * 1024;

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// The user's shell.
    Shell,
    /// A command line.
    Line(String),
}

/// How large a terminal is, in letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Letters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A terminal that a program is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// What `TERM` says.
    pub kind: String,
    /// How large it is at first.
    pub size: Size,
}

/// A program that runs.
#[derive(Debug)]
pub struct Conversation {
    /// What it reads, and what it writes; shutting this for writing ends its input.
    pub stdio: UnixStream,
    /// What it writes to standard error; with a terminal, nothing.
    pub stderr: UnixStream,
    /// Tells it that its terminal has another size.
    pub sizes: mpsc::UnboundedSender<Size>,
    /// How it ended: its status, or 128 and the number of the signal.
    pub status: oneshot::Receiver<Result<i32, SshError>>,
}

/// The ends of a conversation that the session's thread holds.
pub(super) struct Ends {
    stdio: UnixStream,
    stderr: UnixStream,
    sizes: mpsc::UnboundedReceiver<Size>,
    status: oneshot::Sender<Result<i32, SshError>>,
}

/// Both sides. They are made on the runtime of whoever speaks; the ends move to that of the session.
pub(super) fn pair() -> io::Result<(Conversation, Loose)> {
    let (stdio, far_stdio) = std::os::unix::net::UnixStream::pair()?;
    let (stderr, far_stderr) = std::os::unix::net::UnixStream::pair()?;
    for stream in [&stdio, &far_stdio, &stderr, &far_stderr] {
        stream.set_nonblocking(true)?;
    }
    let (size, sizes) = mpsc::unbounded_channel();
    let (ended, status) = oneshot::channel();
    let (stdio, stderr) = (UnixStream::from_std(stdio)?, UnixStream::from_std(stderr)?);
    let loose = Loose { stdio: far_stdio, stderr: far_stderr, sizes, status: ended };
    Ok((Conversation { stdio, stderr, sizes: size, status }, loose))
}

/// The ends, not yet on a runtime.
pub(super) struct Loose {
    stdio: std::os::unix::net::UnixStream,
    stderr: std::os::unix::net::UnixStream,
    sizes: mpsc::UnboundedReceiver<Size>,
    status: oneshot::Sender<Result<i32, SshError>>,
}

impl Loose {
    /// On the runtime that runs this.
    pub(super) fn tie(self) -> io::Result<Ends> {
        let (stdio, stderr) = (UnixStream::from_std(self.stdio)?, UnixStream::from_std(self.stderr)?);
        Ok(Ends { stdio, stderr, sizes: self.sizes, status: self.status })
    }
}

/// Starts the program, with a terminal where it is to have one.
pub(super) async fn start(
    link: &Link,
    program: &Program,
    terminal: Option<&Terminal>,
) -> Result<ssh2::Channel, ssh2::Error> {
    let mut channel = link.again(|| link.session.channel_session()).await?;
    if let Some(Terminal { kind, size }) = terminal {
        let size = (u32::from(size.columns), u32::from(size.rows), 0, 0);
        link.again(|| channel.request_pty(kind, None, Some(size))).await?;
    }
    match program {
        Program::Shell => link.again(|| channel.shell()).await?,
        Program::Line(text) => link.again(|| channel.exec(text)).await?,
    }
    Ok(channel)
}

/// Carries everything until the program has ended, and tells how.
pub(super) async fn hold(link: &Link, host: &str, channel: ssh2::Channel, ends: Ends) {
    let Ends { stdio, stderr, sizes, status } = ends;
    let begun = tokio::time::Instant::now();
    let mut pump =
        Pump { channel, stdio, stderr, sizes, input: Vec::new(), input_ended: false, input_told: false };
    let ended = match pump.run(link).await {
        Ok(()) => transfer::close(link, pump.channel).await,
        Err(error) => Err(error),
    };
    let lost = |source| SshError::ConnectionLost {
        host: host.to_owned(),
        what: "the conversation with a program".to_owned(),
        after: Some(begun.elapsed()),
        source: Some(source),
    };
    // Whoever asked may be gone.
    drop(status.send(ended.map_err(lost)));
}

struct Pump {
    channel: ssh2::Channel,
    stdio: UnixStream,
    stderr: UnixStream,
    sizes: mpsc::UnboundedReceiver<Size>,
    /// Read here, not yet taken there.
    input: Vec<u8>,
    input_ended: bool,
    input_told: bool,
}

impl Pump {
    async fn run(&mut self, link: &Link) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            let mut moved = self.send_input()?;
            if !moved && link.mid_write() && (!self.input.is_empty() || self.input_ended) && !self.input_told
            {
                link.wait().await;
                continue;
            }
            moved |= self.take_input(&mut buffer)?;
            while let Ok(size) = self.sizes.try_recv() {
                let (columns, rows) = (u32::from(size.columns), u32::from(size.rows));
                link.again(|| self.channel.request_pty_size(columns, rows, None, None)).await?;
                moved = true;
            }
            moved |= pass_on(&mut self.channel.stream(0), &self.stdio, &mut buffer).await?;
            moved |= pass_on(&mut self.channel.stderr(), &self.stderr, &mut buffer).await?;
            if self.channel.eof() && !moved {
                return Ok(());
            }
            if !moved {
                self.rest(link).await;
            }
        }
    }

    fn send_input(&mut self) -> io::Result<bool> {
        if !self.input.is_empty() {
            let sent = some(self.channel.write(&self.input))?.unwrap_or(0);
            self.input.drain(..sent);
            return Ok(sent > 0);
        }
        if self.input_ended && !self.input_told {
            self.input_told = some(self.channel.send_eof().map_err(io::Error::from))?.is_some();
            return Ok(self.input_told);
        }
        Ok(false)
    }

    fn take_input(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if self.input_ended || !self.input.is_empty() {
            return Ok(false);
        }
        let Some(count) = some(self.stdio.try_read(buffer))? else { return Ok(false) };
        self.input.extend_from_slice(&buffer[..count]);
        self.input_ended = count == 0;
        Ok(true)
    }

    /// Sleeps until somebody has something.
    async fn rest(&mut self, link: &Link) {
        let reads_input = !self.input_ended && self.input.is_empty();
        tokio::select! {
            () = link.wait() => {}
            _ = self.stdio.ready(Interest::READABLE), if reads_input => {}
            // Taken up at once: the others are looked at anew.
            Some(size) = self.sizes.recv() => {
                let (columns, rows) = (u32::from(size.columns), u32::from(size.rows));
                // A size that could not be told is told with the next one.
                let _ = link.again(|| self.channel.request_pty_size(columns, rows, None, None)).await;
            }
        }
    }
}

/// Passes on what a stream of the channel has; a reader here that is gone misses it.
async fn pass_on(stream: &mut ssh2::Stream, to: &UnixStream, buffer: &mut [u8]) -> io::Result<bool> {
    let Some(count @ 1..) = some(stream.read(buffer))? else { return Ok(false) };
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        if to.writable().await.is_err() {
            break;
        }
        match some(to.try_write(rest)) {
            Ok(written) => rest = &rest[written.unwrap_or(0)..],
            Err(_) => break,
        }
    }
    Ok(true)
}
