//! One connection to a server. Whoever uses it drives it, in their own task: a request needs no other task to be woken.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::plane::proxy::body::Sent;

/// A connection that speaks HTTP/1.1.
pub(super) struct Connection {
    sender: SendRequest<Sent>,
    /// Moves what is sent and received; `None` once the connection is over, or has become something else.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Connection {
    /// Begins to speak HTTP; all ends when `ended` is cancelled.
    pub(super) async fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        ended: CancellationToken,
    ) -> Option<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let driver = async move {
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                _ = connection.with_upgrades() => {}
            }
        };
        Some(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Goes on with what is under way. Whoever is told to wait must come back through here.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.driver else { return Poll::Ready(()) };
        if driver.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.driver = None;
        Poll::Ready(())
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// With the request, when nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Sent>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            let _ = self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Whether the next request may be sent. The server may have closed it meanwhile: that is seen here.
    pub(super) fn is_ready(&mut self) -> bool {
        // Nobody waits for it, so nobody is to be woken.
        let is_open = self.drive(&mut Context::from_waker(Waker::noop())).is_pending();
        is_open && self.sender.is_ready()
    }

    /// Resolves when the next request may be sent, or never will be.
    pub(super) async fn rest(&mut self) {
        poll_fn(|context| match self.drive(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.sender.poll_ready(context).map(drop),
        })
        .await;
    }

    /// Resolves when it is over.
    pub(super) async fn end(&mut self) {
        poll_fn(|context| self.drive(context)).await;
    }
}
