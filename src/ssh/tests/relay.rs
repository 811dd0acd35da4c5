//! A wire between client and server that can freeze or be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Relay {
    pub(super) address: SocketAddr,
    frozen: Arc<AtomicBool>,
    /// Bytes towards the server until the cut.
    left: Arc<AtomicI64>,
}

impl Relay {
    pub(super) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let frozen = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let (stop, count) = (Arc::clone(&frozen), Arc::clone(&left));
        tokio::spawn(async move {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(target).await.unwrap();
            let (mut near_read, mut near_write) = near.into_split();
            let (mut far_read, mut far_write) = far.into_split();
            let idle = Arc::new(AtomicI64::new(i64::MAX));
            tokio::select! {
                () = carry(&mut near_read, &mut far_write, &stop, &count) => {}
                () = carry(&mut far_read, &mut near_write, &stop, &idle) => {}
            }
        });
        Self { address, frozen, left }
    }

    pub(super) fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    pub(super) fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

/// Forwards until the end, the cut, or for ever when frozen.
async fn carry(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    frozen: &AtomicBool,
    left: &AtomicI64,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        while frozen.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let rest = left.fetch_sub(i64::try_from(count).unwrap(), Ordering::SeqCst);
        if count == 0 || rest <= 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
