//! The limit: a server of `WebSocket`s and nothing else. No Socket.IO, no names, no session, no memory of what was said, no
//! care for clients that do not read.
//!
//! What a client says is published at Redis. What comes back is made into a frame once, and each client is given the same
//! bytes, which go out with all others that wait in one write. One thread, as its core is one. Two ways: each frame by
//! itself, or what one read of the subscription brought joined into one piece, which is how the chat node does it.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const CHANNEL: &str = "bench";
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Frames written at once.
const AT_ONCE: usize = 64;

/// What waits for one client.
#[derive(Default)]
struct Outbox {
    waiting: Mutex<Vec<Bytes>>,
    news: Notify,
}

impl Outbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Outboxes = Arc<Mutex<Vec<Arc<Outbox>>>>;

/// What clients are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// Each frame.
    Frames,
    /// All frames of one read.
    Joined,
}

/// Serves on a port until it is killed.
pub(crate) fn serve(port: u16, redis: u16, pieces: Pieces) -> Result<Infallible> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let outboxes = Outboxes::default();
        let (say, said) = mpsc::unbounded_channel();
        let publishing = TcpStream::connect((Ipv4Addr::LOCALHOST, redis)).await?;
        let subscribed = TcpStream::connect((Ipv4Addr::LOCALHOST, redis)).await?;
        publishing.set_nodelay(true)?;
        let publisher = tokio::spawn(publish(publishing, said));
        let listening = tokio::spawn(subscribe(subscribed, outboxes.clone(), pieces));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let acceptor = tokio::spawn(accept(listener, outboxes, say));
        tokio::select! {
            ended = publisher => ended??,
            ended = listening => ended??,
            ended = acceptor => ended??,
        }
        bail!("a part of it has ended")
    })
}

async fn accept(
    listener: TcpListener,
    outboxes: Outboxes,
    say: mpsc::UnboundedSender<Vec<u8>>,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (outboxes, say) = (outboxes.clone(), say.clone());
        tokio::spawn(async move {
            let outbox = Arc::new(Outbox::default());
            // A client that goes away ends its connection, and nothing else.
            client(stream, &outbox, &outboxes, &say).await.ok();
            let mut all = outboxes.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|other| !Arc::ptr_eq(other, &outbox));
        });
    }
}

async fn client(
    mut stream: TcpStream,
    outbox: &Arc<Outbox>,
    outboxes: &Outboxes,
    say: &mpsc::UnboundedSender<Vec<u8>>,
) -> Result<()> {
    shake_hands(&mut stream).await?;
    outboxes.lock().unwrap_or_else(PoisonError::into_inner).push(outbox.clone());
    let mut incoming = Vec::new();
    let mut outgoing: Vec<Bytes> = Vec::new();
    loop {
        if outgoing.is_empty() {
            std::mem::swap(&mut outgoing, &mut outbox.lock());
        }
        while !outgoing.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                outgoing.iter().take(AT_ONCE).map(|bytes| IoSlice::new(bytes)).collect();
            match stream.try_write_vectored(&slices) {
                Ok(written) => advance(&mut outgoing, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        tokio::select! {
            biased;
            ready = stream.readable() => {
                ready?;
                read(&stream, &mut incoming, say)?;
            }
            ready = stream.writable(), if !outgoing.is_empty() => ready?,
            () = outbox.news.notified(), if outgoing.is_empty() => {}
        }
    }
}

fn advance(outgoing: &mut Vec<Bytes>, mut written: usize) {
    let whole = outgoing
        .iter()
        .take_while(|bytes| {
            let is_whole = bytes.len() <= written;
            written -= if is_whole { bytes.len() } else { 0 };
            is_whole
        })
        .count();
    outgoing.drain(..whole);
    if let Some(first) = outgoing.first_mut() {
        first.advance(written);
    }
    if outgoing.is_empty() {
        *outgoing = Vec::new();
    }
}

async fn shake_hands(stream: &mut TcpStream) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            bail!("the client left");
        }
    }
    let head = String::from_utf8(head)?;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).context("a key")?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(())
}

/// Hands on what a client says: masked frames of less than 126 bytes.
fn read(stream: &TcpStream, incoming: &mut Vec<u8>, say: &mpsc::UnboundedSender<Vec<u8>>) -> Result<()> {
    let mut chunk = [0; 4096];
    match stream.try_read(&mut chunk) {
        Ok(0) => bail!("the client left"),
        Ok(length) => incoming.extend_from_slice(&chunk[..length]),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let mut at = 0;
    while let Some(&[_, short, mask @ ..]) = incoming[at..].first_chunk::<6>() {
        let length = usize::from(short & 0x7f);
        let Some(payload) = incoming.get(at + 6..at + 6 + length) else { break };
        say.send(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())?;
        at += 6 + length;
    }
    incoming.drain(..at);
    if incoming.is_empty() {
        *incoming = Vec::new();
    }
    Ok(())
}

/// Publishes what gathers in one write, and throws the answers away.
async fn publish(stream: TcpStream, mut said: mpsc::UnboundedReceiver<Vec<u8>>) -> Result<()> {
    let (mut read, mut write) = stream.into_split();
    tokio::spawn(async move {
        let mut chunk = vec![0; CHUNK];
        while matches!(read.read(&mut chunk).await, Ok(1..)) {}
    });
    let mut texts = Vec::new();
    while said.recv_many(&mut texts, 1024).await > 0 {
        let mut requests = Vec::new();
        for text in texts.drain(..) {
            let head =
                format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{CHANNEL}\r\n${}\r\n", CHANNEL.len(), text.len());
            requests.extend_from_slice(head.as_bytes());
            requests.extend_from_slice(&text);
            requests.extend_from_slice(b"\r\n");
        }
        write.write_all(&requests).await?;
    }
    Ok(())
}

async fn subscribe(mut stream: TcpStream, outboxes: Outboxes, pieces: Pieces) -> Result<()> {
    stream.write_all(format!("SUBSCRIBE {CHANNEL}\r\n").as_bytes()).await?;
    let mut incoming = BytesMut::with_capacity(CHUNK);
    loop {
        incoming.reserve(CHUNK);
        if stream.read_buf(&mut incoming).await? == 0 {
            bail!("redis went away");
        }
        let (mut frames, mut ends) = (BytesMut::new(), vec![0]);
        while let Some(text) = published(&mut incoming)? {
            frames.extend_from_slice(&[0x81, u8::try_from(text.len()).context("a short text")?]);
            frames.extend_from_slice(&text);
            ends.push(frames.len());
        }
        if frames.is_empty() {
            continue;
        }
        let frames = frames.freeze();
        let given: Vec<Bytes> = match pieces {
            Pieces::Frames => ends.windows(2).map(|ends| frames.slice(ends[0]..ends[1])).collect(),
            Pieces::Joined => vec![frames],
        };
        for outbox in outboxes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            outbox.lock().extend_from_slice(&given);
            outbox.news.notify_one();
        }
    }
}

/// The next text that was published, or an empty one for the answer to the subscription. `None` when it is not here
/// entirely.
fn published(incoming: &mut BytesMut) -> Result<Option<Bytes>> {
    let mut at = 0;
    let mut line = || {
        let end = at + incoming[at..].windows(2).position(|pair| pair == b"\r\n")?;
        let line = &incoming[at..end];
        at = end + 2;
        Some(line)
    };
    // `*3`, and then `$7`, `message`, `$5`, the channel, `$64`, the text.
    let [Some(_), Some(_), Some(kind), Some(_), Some(_), Some(last)] = [(); 6].map(|()| line()) else {
        return Ok(None);
    };
    if kind != b"message" {
        incoming.advance(at);
        return Ok(None);
    }
    let length: usize = std::str::from_utf8(&last[1..])?.parse()?;
    if incoming.len() < at + length + 2 {
        return Ok(None);
    }
    incoming.advance(at);
    let text = incoming.split_to(length).freeze();
    incoming.advance(2);
    Ok(Some(text))
}
