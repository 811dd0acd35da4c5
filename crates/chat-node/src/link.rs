//! The accepted TCP connections: no delay, a bound on stalled writes, and a cut that works from outside.
//!
//! A client that stops reading blocks its writer for ever: the Socket.IO engine cancels a session only between two
//! writes, and its `disconnect` needs room in the very queue that is full. So each connection carries a [`Link`];
//! cutting it makes the pending read and write fail, and everything above unwinds as if the network had failed.
//! A write that makes no progress for [`crate::Limits::write_stall`] fails by itself.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

/// A handle on one TCP connection.
#[derive(Debug, Clone, Default)]
pub struct Link(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Link {
    /// Makes the connection fail now, whatever it is waiting for.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Acquire)
    }

    /// A handle that does not keep the state alive.
    pub fn downgrade(&self) -> WeakLink {
        WeakLink(Arc::downgrade(&self.0))
    }
}

/// A handle that ends with its connection.
#[derive(Debug, Clone)]
pub struct WeakLink(std::sync::Weak<State>);

impl WeakLink {
    /// The link, while its connection exists.
    pub fn upgrade(&self) -> Option<Link> {
        self.0.upgrade().map(Link)
    }
}

impl Connected<IncomingStream<'_, LinkListener>> for Link {
    fn connect_info(incoming: IncomingStream<'_, LinkListener>) -> Self {
        incoming.io().link.clone()
    }
}

/// Accepts TCP connections as [`LinkedStream`]s.
#[derive(Debug)]
pub struct LinkListener {
    listener: TcpListener,
    write_stall: Duration,
}

impl LinkListener {
    /// Takes over a bound listener.
    pub fn new(listener: TcpListener, write_stall: Duration) -> Self {
        Self { listener, write_stall }
    }
}

impl Listener for LinkListener {
    type Io = LinkedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (LinkedStream, SocketAddr) {
        // axum's own accept retries what can be retried and waits when file descriptors run out.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // A chat message is one small write: with Nagle's algorithm it would wait for the delayed
        // acknowledgement of the one before it, 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%address, %error, "TCP_NODELAY could not be set");
        }
        (LinkedStream::new(stream, self.write_stall), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP stream under a [`Link`].
#[derive(Debug)]
pub struct LinkedStream<S = TcpStream> {
    stream: S,
    link: Link,
    write_stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> LinkedStream<S> {
    fn new(stream: S, write_stall: Duration) -> Self {
        Self { stream, link: Link::default(), write_stall, stalled: None }
    }

    /// Turns "not now" into an error when the link is cut or nothing could be written for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        self.link.0.writer.register(context.waker());
        if self.link.is_cut() {
            return Poll::Ready(Err(cut_error()));
        }
        let deadline = Instant::now() + self.write_stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

fn cut_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut")
}

impl<S: AsyncRead + Unpin> AsyncRead for LinkedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.link.0.reader.register(context.waker());
        if self.link.is_cut() {
            return Poll::Ready(Err(cut_error()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LinkedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.link.is_cut() {
            return Poll::Ready(Err(cut_error()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.link.is_cut() {
            return Poll::Ready(Err(cut_error()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair(write_stall: Duration) -> (LinkedStream<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(8);
        (LinkedStream::new(near, write_stall), far)
    }

    #[tokio::test]
    async fn a_cut_ends_a_read_that_waits() {
        let (mut stream, _far) = pair(Duration::from_secs(20));
        let link = stream.link.clone();
        let reading = tokio::spawn(async move { stream.read_u8().await });
        tokio::task::yield_now().await;
        link.cut();
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_cut_ends_a_write_that_waits() {
        let (mut stream, _far) = pair(Duration::from_secs(20));
        let link = stream.link.clone();
        let writing = tokio::spawn(async move { stream.write_all(&[0; 64]).await });
        tokio::task::yield_now().await;
        link.cut();
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_the_write_in_time() {
        let write_stall = Duration::from_millis(50);
        let (mut stream, _far) = pair(write_stall);
        let started = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= write_stall);
    }

    #[tokio::test]
    async fn a_slow_peer_that_reads_on_is_left_alone() {
        let (mut stream, mut far) = pair(Duration::from_secs(1));
        let writing = tokio::spawn(async move { stream.write_all(&[0; 64]).await });
        let mut eight = [0; 8];
        // Longer than the bound in all, never in one go.
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            far.read_exact(&mut eight).await.unwrap();
        }
        writing.await.unwrap().unwrap();
    }
}
