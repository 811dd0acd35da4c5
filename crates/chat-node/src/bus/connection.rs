//! One connection to Redis: requests go out and replies come in, in order, over whatever carries the bytes.
//!
//! Both directions advance together, so a long pipeline and its replies cannot block each other. Nothing is lost when
//! a caller stops waiting: what has arrived stays here until the next look.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::resp::{Request, Value, decode};
use super::trouble::Trouble;

/// What carries the bytes: TCP, or TLS over it.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// The connection.
pub(super) struct Connection {
    carrier: Box<dyn Carrier>,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Written to the carrier, but perhaps not by it to the network.
    unflushed: bool,
    /// Bytes that have arrived so far.
    received: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Over something that is connected.
    pub(super) fn over(carrier: impl Carrier + 'static) -> Self {
        Self {
            carrier: Box::new(carrier),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            unflushed: false,
            received: 0,
        }
    }

    /// Puts a request behind those that wait to be sent; [`Connection::next`] sends them.
    pub(super) fn queue(&mut self, request: &Request) {
        request.write_to(&mut self.outgoing);
    }

    /// Sends what is queued and returns the next reply. May be dropped and called again at any time.
    pub(super) async fn next(&mut self) -> Result<Value, Trouble> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// One request and its reply; a refusal of Redis is an error. `key` is what the request is about.
    pub(super) async fn call(
        &mut self,
        request: Request,
        key: &str,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let reply = self.ask(&request, patience).await?;
        match reply.refusal() {
            Some(said) => Err(Trouble::refusal(request.name(), key, said)),
            None => Ok(reply),
        }
    }

    /// One request and its reply, whatever that is.
    pub(super) async fn ask(&mut self, request: &Request, patience: Duration) -> Result<Value, Trouble> {
        self.queue(request);
        self.answer(patience).await
    }

    /// Several requests at once, and their replies.
    pub(super) async fn pipeline(
        &mut self,
        requests: &[Request],
        patience: Duration,
    ) -> Result<Vec<Value>, Trouble> {
        for request in requests {
            self.queue(request);
        }
        let mut replies = Vec::with_capacity(requests.len());
        while replies.len() < requests.len() {
            replies.push(self.answer(patience).await?);
        }
        Ok(replies)
    }

    /// The next reply. The patience is with silence: a long reply may come slowly.
    async fn answer(&mut self, patience: Duration) -> Result<Value, Trouble> {
        loop {
            let before = self.received;
            match timeout(patience, self.next()).await {
                Ok(reply) => return reply,
                Err(_) if self.received > before => {}
                Err(_) => return Err(Trouble::silence(patience)),
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Trouble>> {
        let sent = self.poll_send(context);
        loop {
            if let Some(value) = decode(&mut self.incoming)? {
                return Poll::Ready(Ok(value));
            }
            match self.poll_receive(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Trouble::closed())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                // Only now: replies that arrived before the other side went away are still worth having.
                Poll::Pending => {
                    return if let Poll::Ready(Err(error)) = sent {
                        Poll::Ready(Err(error.into()))
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.carrier).poll_write(context, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.carrier).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.carrier).poll_read(context, &mut buffer))?;
        self.incoming.extend_from_slice(buffer.filled());
        self.received += buffer.filled().len() as u64;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::trouble::Reason;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_pipeline_larger_than_every_buffer_goes_through() {
        let (near, mut far) = duplex(64);
        let mut connection = Connection::over(near);
        let echo = tokio::spawn(async move {
            let mut chunk = [0; 50];
            for _ in 0..200 {
                far.read_exact(&mut chunk[..14]).await.unwrap();
                far.write_all(b"+PONG\r\n").await.unwrap();
            }
        });
        let requests: Vec<Request> = (0..200).map(|_| Request::new("PING")).collect();
        let replies = connection.pipeline(&requests, PATIENCE).await.unwrap();
        assert!(replies.iter().all(|reply| reply.as_str() == Some("PONG")));
        echo.await.unwrap();
    }

    #[tokio::test]
    async fn replies_that_came_before_the_end_are_delivered() {
        let (near, mut far) = duplex(1024);
        let mut connection = Connection::over(near);
        far.write_all(b"+one\r\n+two\r\n+th").await.unwrap();
        drop(far);
        connection.queue(&Request::new("PING"));
        assert_eq!(connection.next().await.unwrap().as_str(), Some("one"));
        assert_eq!(connection.next().await.unwrap().as_str(), Some("two"));
        assert_eq!(connection.next().await.unwrap_err().reason, Reason::Connection);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_an_end() {
        let (near, _far) = duplex(1024);
        let trouble = Connection::over(near).ask(&Request::new("PING"), PATIENCE).await.unwrap_err();
        assert_eq!(trouble, Trouble::new(Reason::Timeout, "Redis has not answered for 5.0 s"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_comes_slowly_is_waited_for() {
        let (near, mut far) = duplex(1024);
        let slowly = async {
            far.write_all(b"$6\r\n").await.unwrap();
            for byte in b"slowly\r\n" {
                tokio::time::sleep(PATIENCE / 2).await;
                far.write_all(&[*byte]).await.unwrap();
            }
            // The other end stays until everything is read.
            far
        };
        let mut connection = Connection::over(near);
        let ping = Request::new("PING");
        let (reply, _far) = tokio::join!(connection.ask(&ping, PATIENCE), slowly);
        assert_eq!(reply.unwrap().as_str(), Some("slowly"));
    }
}
