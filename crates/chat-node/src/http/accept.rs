//! The listening socket: takes connections in while there is room, and speaks HTTP/1 on each.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::occupancy::Taking;
use super::site::Site;
use super::stall::Stalling;

/// How long a connection may idle between two requests. Longer than balancers keep theirs, so that none sends
/// a request into a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to read that there is no place for it.
const TURNING_AWAY: Duration = Duration::from_millis(500);
/// How many may be reading that at once.
const MOST_TURNED_AWAY: usize = 256;
/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);
/// Most headers of a request.
const HEADERS: usize = 64;
/// Most bytes that are kept of a request before its body.
const HEAD: usize = 16 * 1024;

/// Accepts connections and serves the site on them until `closing` is cancelled. Then nothing is accepted any more,
/// and requests under way are still answered: `connections` is empty once they are.
pub async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    closing: CancellationToken,
    connections: TaskTracker,
) {
    let mut has_room = true;
    let refusals = Arc::new(Semaphore::new(MOST_TURNED_AWAY));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                has_room = true;
                // A chat message is one small write: with Nagle's algorithm it would wait for the delayed
                // acknowledgement of the one before it, 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
                }
                match site.admit_connection(peer.ip()) {
                    Ok(place) => {
                        connections.spawn(serve(stream, peer, place, site.clone(), closing.clone()));
                    }
                    Err(refusal) => {
                        // Who comes when even those are too many hears nothing.
                        if let Ok(permit) = refusals.clone().try_acquire_owned() {
                            connections.spawn(turn_away(stream, refusal, permit));
                        }
                    }
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Once, and not ten times a second for as long as it lasts.
                if std::mem::take(&mut has_room) {
                    tracing::warn!(%error, "no connection can be accepted");
                }
                tokio::time::sleep(NO_ROOM).await;
            }
        }
    }
}

/// Says that there is no place, and hears the request out: closing a socket that holds unread bytes would make the
/// system throw the answer away.
async fn turn_away(mut stream: TcpStream, refusal: String, _permit: OwnedSemaphorePermit) {
    let saying = async {
        stream.write_all(refusal.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // Whether it was heard or not.
    tokio::time::timeout(TURNING_AWAY, saying).await.ok();
}

/// The client was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    _place: Taking,
    site: Arc<Site>,
    closing: CancellationToken,
) {
    let first_by = tokio::time::sleep(site.handshake_timeout);
    let has_asked = Arc::new(AtomicBool::new(false));
    let service = {
        let (site, has_asked) = (site.clone(), has_asked.clone());
        service_fn(move |request| {
            has_asked.store(true, Ordering::Relaxed);
            let site = site.clone();
            async move { Ok::<_, Infallible>(site.respond(request, peer.ip()).await) }
        })
    };
    let stream = TokioIo::new(Stalling::new(stream, site.write_stall));
    let mut settings = http1::Builder::new();
    settings.timer(TokioTimer::new()).header_read_timeout(KEEP_ALIVE).max_headers(HEADERS).max_buf_size(HEAD);
    let mut connection = std::pin::pin!(settings.serve_connection(stream, service).with_upgrades());
    let mut first_by = std::pin::pin!(first_by);
    loop {
        tokio::select! {
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%peer, %error, "a connection failed");
                }
                return;
            }
            () = first_by.as_mut(), if !has_asked.load(Ordering::Relaxed) => {
                if !has_asked.load(Ordering::Relaxed) {
                    site.counts.silent.increment();
                    return;
                }
            }
            () = closing.cancelled() => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    if let Err(error) = connection.await {
        tracing::debug!(%peer, %error, "a connection failed");
    }
}
