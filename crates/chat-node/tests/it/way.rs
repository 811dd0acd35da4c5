//! A way to Redis that can be taken away.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A TCP relay between a node and Redis that can be taken away.
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    target: SocketAddr,
    closing: CancellationToken,
}

impl Way {
    pub(crate) async fn open(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Self { address: listener.local_addr().unwrap(), target, closing: CancellationToken::new() };
        way.relay(listener);
        way
    }

    pub(crate) fn close(&mut self) {
        std::mem::take(&mut self.closing).cancel();
    }

    pub(crate) async fn reopen(&self) {
        // The old listener goes when its task has seen the cancellation.
        let listener =
            crate::eventually("the port is free again", async || TcpListener::bind(self.address).await.ok())
                .await;
        self.relay(listener);
    }

    fn relay(&self, listener: TcpListener) {
        let (closing, target) = (self.closing.clone(), self.target);
        tokio::spawn(closing.clone().run_until_cancelled_owned(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let copying = async move {
                    // Without a Redis behind it, the connection ends at once.
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                };
                tokio::spawn(closing.clone().run_until_cancelled_owned(copying));
            }
        }));
    }
}
