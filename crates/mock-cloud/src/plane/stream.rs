//! A byte stream that remembers when it was last used and that can be cut from outside.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// When a stream was last read or written, and whether somebody is waiting for an answer on its behalf.
#[derive(Debug)]
pub(crate) struct Activity {
    born: Instant,
    /// Milliseconds after `born`.
    last: AtomicU64,
    waiting: AtomicUsize,
}

/// Held while a request waits for its backend: then silence is not idleness.
pub(crate) struct Waiting(Arc<Activity>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stamp();
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { born: Instant::now(), last: AtomicU64::new(0), waiting: AtomicUsize::new(0) })
    }

    /// Something happens now.
    pub(crate) fn stamp(&self) {
        let elapsed = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.born + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Marks that a backend is being waited for.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(self))
    }

    /// Resolves once nothing happened for as long as `limit` says; the limit is asked for again each time.
    pub(crate) async fn silent_for(&self, limit: impl Fn() -> Duration) {
        loop {
            let deadline = self.last() + limit();
            if self.waiting.load(Ordering::Relaxed) == 0 && Instant::now() >= deadline {
                return;
            }
            // Never asleep for long, so that a shorter limit takes effect soon.
            let wake = deadline.max(Instant::now() + Duration::from_millis(20));
            tokio::time::sleep_until(wake.min(Instant::now() + Duration::from_secs(1))).await;
        }
    }
}

/// The stream itself.
pub(crate) struct Guarded<S> {
    inner: S,
    activity: Arc<Activity>,
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Guarded<S> {
    /// Wraps a stream; cancelling `cut` makes every read and write fail.
    pub(crate) fn new(inner: S, activity: Arc<Activity>, cut: CancellationToken) -> Self {
        Self { inner, activity, cut: Some(Box::pin(cut.cancelled_owned())) }
    }

    /// The same for a stream whose owner drops it when it is to end.
    pub(crate) fn watched(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity, cut: None }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(cut) = &mut self.cut else { return Ok(()) };
        match cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        if result.is_ready() {
            self.activity.stamp();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let result = Pin::new(&mut self.inner).poll_write(context, buffer);
        if result.is_ready() {
            self.activity.stamp();
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        if result.is_ready() {
            self.activity.stamp();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
