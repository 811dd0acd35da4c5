//! Threads that carry the client connections, one a processor, each with a runtime of its own.
//!
//! A request goes to and fro between two sockets. When both belong to one thread nobody else has to be woken for it,
//! and waking another thread costs more than all that is done to a small request.

use std::io;
use std::net::TcpStream;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The threads. What they carry ends with them.
pub(super) struct Lanes {
    threads: Vec<Handle>,
    next: AtomicUsize,
    ended: CancellationToken,
}

impl Lanes {
    /// Starts them.
    pub(super) fn start() -> io::Result<Self> {
        let ended = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = (0..count).map(|_| lane(ended.clone())).collect::<io::Result<_>>()?;
        Ok(Self { threads, next: AtomicUsize::new(0), ended })
    }

    /// Carries a connection on the thread whose turn it is.
    pub(super) fn carry<F>(
        &self,
        stream: TcpStream,
        talk: impl FnOnce(tokio::net::TcpStream) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        self.threads[turn].spawn(async move {
            match tokio::net::TcpStream::from_std(stream) {
                Ok(stream) => talk(stream).await,
                Err(error) => tracing::warn!(%error, "a connection cannot be watched"),
            }
        });
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

fn lane(ended: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("proxy".to_owned()).spawn(move || runtime.block_on(ended.cancelled()))?;
    Ok(handle)
}
