//! Bodies on their way, never held as a whole: what clients send, what servers answer, and pages of our own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};

use crate::plane::proxy::gzip::Compressed;
use crate::plane::proxy::upstream::Lease;
use crate::plane::stream::Activity;

/// What a client sends, and when the last of it came.
pub(super) struct Sent {
    incoming: Incoming,
    progress: Arc<Activity>,
}

impl Sent {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming, progress: Activity::new() }
    }

    /// When it last went on.
    pub(super) fn progress(&self) -> Arc<Activity> {
        Arc::clone(&self.progress)
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(context);
        if frame.is_ready() {
            self.progress.stamp();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A body on its way to a client.
pub(super) enum Body {
    /// Nothing, or nothing left.
    Empty,
    /// A page.
    Whole(Bytes),
    /// What a server sends.
    Served(Served),
    /// The same, compressed.
    Compressed(Box<Compressed>),
}

/// What a server sends, and what that occupies until it was read.
pub(super) struct Served {
    incoming: Incoming,
    lease: Lease,
}

impl Served {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        Self { incoming, lease }
    }

    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = self.next(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.lease.backend().traffic().answered(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Asked first, so that the connection knows that more is wanted; then the connection gets on.
        let frame = Pin::new(&mut self.incoming).poll_frame(context);
        if frame.is_ready() {
            return frame;
        }
        self.lease.drive(context);
        Pin::new(&mut self.incoming).poll_frame(context)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A connection in the middle of an answer that nobody reads is of no use for another one.
        if self.incoming.is_end_stream() {
            self.lease.finish();
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let page = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(page))))
            }
            Self::Served(served) => served.poll(context),
            Self::Compressed(compressed) => compressed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Served(served) => served.incoming.is_end_stream(),
            Self::Compressed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Served(served) => served.incoming.size_hint(),
            Self::Compressed(_) => SizeHint::default(),
        }
    }
}
