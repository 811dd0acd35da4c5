//! A way to Redis that stalls, or garbles a word.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A relay that can be closed without ending a connection, and may exchange one word for another as long.
pub(crate) struct Valve {
    pub(crate) address: SocketAddr,
    is_open: watch::Sender<bool>,
}

/// One word and another.
type Words = Option<(&'static [u8; 5], &'static [u8; 5])>;

impl Valve {
    pub(crate) async fn open(target: SocketAddr) -> Self {
        Self::open_replacing(target, None).await
    }

    pub(crate) async fn open_replacing(target: SocketAddr, words: Words) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, watching) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target).await.unwrap();
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                tokio::spawn(Self::pass(near_read, far_write, watching.clone(), words));
                tokio::spawn(Self::pass(far_read, near_write, watching.clone(), None));
            }
        });
        Self { address, is_open }
    }

    pub(crate) fn set(&self, is_open: bool) {
        self.is_open.send(is_open).unwrap();
    }

    async fn pass(
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
        mut is_open: watch::Receiver<bool>,
        words: Words,
    ) {
        let mut chunk = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            if is_open.wait_for(|is_open| *is_open).await.is_err() {
                return;
            }
            let bytes = &mut chunk[..length];
            if let Some((old, new)) = words {
                while let Some(at) = bytes.windows(5).position(|window| window == old) {
                    bytes[at..at + 5].copy_from_slice(new);
                }
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }
}
