//! What follows an upgrade: bytes both ways, until one side ends.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;

use crate::plane::proxy::backend::Era;
use crate::plane::proxy::front::Client;
use crate::plane::proxy::traffic::Counted;
use crate::plane::proxy::upstream::Lease;

/// Bytes that are carried at once: most messages are far smaller.
const BUFFER: usize = 8 * 1024;

/// The two ends of a tunnel, still on their way out of HTTP.
pub(super) struct Ends {
    pub(super) client: OnUpgrade,
    pub(super) server: OnUpgrade,
}

/// Both ways until one side ends, nothing happens for too long, or the server has to be let go.
pub(super) async fn carry(ends: Ends, client: Arc<Client>, mut lease: Lease, era: Era) {
    let (Ok(client_side), Ok(server_side), ()) = tokio::join!(ends.client, ends.server, lease.end()) else {
        return;
    };
    let (mut client_side, server_side) = (TokioIo::new(client_side), TokioIo::new(server_side));
    let mut server_side = Counted::new(server_side, Arc::clone(lease.backend().traffic()));
    tokio::select! {
        _ = copy_bidirectional_with_sizes(&mut client_side, &mut server_side, BUFFER, BUFFER) => {}
        () = client.activity.silent_for(|| client.idle()) => tracing::debug!("a silent tunnel was cut"),
        () = era.tunnels.cancelled() => tracing::debug!("a tunnel to a server that left was cut"),
        () = client.cut.cancelled() => {}
    }
    drop(lease);
}
