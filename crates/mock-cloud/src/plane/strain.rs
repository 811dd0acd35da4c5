//! A byte stream that is carried as badly as its way is: slowly, not at all for a while, or cut after some bytes.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::plane::spec::Conditions;

/// Bytes carried at once.
const PIECE: usize = 32 * 1024;
/// Pieces a second on a slow way, so that what is slow is not jerky.
const SLOW_PIECES: u64 = 20;

/// How bad a way is at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strain {
    /// Nothing comes through until this is over.
    pub(crate) is_held: bool,
    /// Bytes a second, each way.
    pub(crate) rate: Option<u64>,
    /// Bytes of a connection after which it is cut, both ways together.
    pub(crate) cut_after: Option<u64>,
}

impl Strain {
    /// What SSH to an instance has to go through.
    pub(crate) fn of_ssh(conditions: &Conditions) -> Self {
        Self { is_held: conditions.is_frozen, rate: conditions.ssh_rate, cut_after: conditions.ssh_cut }
    }
}

/// Carries bytes both ways until the server has said all, as its way is at each moment.
///
/// # Errors
/// A side breaks, or the way is cut.
pub(crate) async fn carry(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    strain: watch::Receiver<Strain>,
) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    let carried = AtomicU64::new(0);
    let up = Lane { strain: strain.clone(), carried: &carried }.run(from_client, to_server);
    let down = Lane { strain, carried: &carried }.run(from_server, to_client);
    let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
    tokio::select! {
        // A client that has said all still wants to hear the rest.
        up = &mut up => match up {
            Ok(()) => down.await,
            Err(error) => Err(error),
        },
        down = &mut down => down,
    }
}

/// One direction.
struct Lane<'a> {
    strain: watch::Receiver<Strain>,
    /// Bytes of the connection so far.
    carried: &'a AtomicU64,
}

impl Lane<'_> {
    async fn run(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            let most = self.strain.borrow().rate.map_or(PIECE, piece_of);
            let count = from.read(&mut buffer[..most]).await?;
            // What was read when the way closed waits there.
            let strain = self.passable().await?;
            if count == 0 {
                return to.shutdown().await;
            }
            let Admitted { bytes, is_last } = self.admit(count, strain.cut_after);
            to.write_all(&buffer[..bytes]).await?;
            if is_last {
                to.flush().await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if let Some(rate) = strain.rate {
                tokio::time::sleep(Duration::from_nanos(count as u64 * 1_000_000_000 / rate.max(1))).await;
            }
        }
    }

    /// How the way is, once something comes through.
    async fn passable(&mut self) -> io::Result<Strain> {
        let open = self.strain.wait_for(|strain| !strain.is_held).await;
        // Whoever would open it is gone.
        open.map(|strain| *strain).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn admit(&self, count: usize, cut_after: Option<u64>) -> Admitted {
        let before = self.carried.fetch_add(count as u64, Ordering::Relaxed);
        let left = cut_after.map(|most| most.saturating_sub(before));
        match left.and_then(|left| usize::try_from(left).ok()).filter(|left| *left <= count) {
            Some(bytes) => Admitted { bytes, is_last: true },
            None => Admitted { bytes: count, is_last: false },
        }
    }
}

/// How much of a piece is carried.
struct Admitted {
    bytes: usize,
    is_last: bool,
}

fn piece_of(rate: u64) -> usize {
    usize::try_from(rate / SLOW_PIECES).unwrap_or(PIECE).clamp(1, PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends with a way between them.
    fn way(strain: Strain) -> (tokio::io::DuplexStream, tokio::io::DuplexStream, watch::Sender<Strain>) {
        let (client, near) = tokio::io::duplex(1 << 20);
        let (far, server) = tokio::io::duplex(1 << 20);
        let (change, strain) = watch::channel(strain);
        tokio::spawn(carry(near, far, strain));
        (client, server, change)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_way_takes_as_long_as_its_rate_says() {
        let (mut client, mut server, _change) = way(Strain { rate: Some(1_000), ..Strain::default() });
        let begun = tokio::time::Instant::now();
        client.write_all(&[7; 5_000]).await.unwrap();
        drop(client);
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 5_000);
        let seconds = begun.elapsed().as_secs_f64();
        assert!((4.9..5.2).contains(&seconds), "{seconds}");
    }

    #[tokio::test]
    async fn a_way_is_cut_at_the_byte_it_says_both_ways_together() {
        let (mut client, mut server, _change) = way(Strain { cut_after: Some(10), ..Strain::default() });
        client.write_all(b"123456").await.unwrap();
        let mut seen = [0; 6];
        server.read_exact(&mut seen).await.unwrap();
        server.write_all(b"abcdefgh").await.unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"abcd");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_said_while_a_way_was_closed_arrives_when_it_opens() {
        let (mut client, mut server, change) = way(Strain { is_held: true, ..Strain::default() });
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        let nothing = tokio::time::timeout(Duration::from_mins(1), server.read_exact(&mut heard)).await;
        assert!(nothing.is_err());
        change.send_replace(Strain::default());
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }
}
