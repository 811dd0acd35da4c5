//! One node from its socket to its drain.
//!
//! Serving: axum for the page and the probes, the Socket.IO engine as a layer in front of it, and around both
//! what every response carries.
//!
//! Draining, when the shutdown future completes:
//! 1. `/healthz` and `/readyz` say 503 and new sessions are refused, for [`Config::drain_delay`].
//! 2. The transport of every client is closed. Not by a Socket.IO disconnect packet: after that one, clients do not
//!    reconnect by themselves, and reconnecting, to another node, is what they shall do.
//! 3. The farewells of named clients are written to the stream.
//! 4. The listener closes.
//!
//! Each step is bounded, so that a client or a Redis that does not answer cannot hold the process: at most about
//! eight seconds in all with the longest delay.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use socketioxide::SocketIo;
use socketioxide::layer::SocketIoLayer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::bus::Bus;
use crate::chat::{self, Chat};
use crate::config::{Config, Origin};
use crate::health::{self, Vitals};
use crate::link::{Link, LinkListener};
use crate::metrics::Metrics;
use crate::page;
use crate::room::Room;

/// Names the node on every response, so that one can see where a balancer led.
pub const NODE_HEADER: HeaderName = HeaderName::from_static("x-chat-node");
const SOCKET_PATH: &str = "/socket.io";

const CLOSING: Duration = Duration::from_secs(2);
const WRITING: Duration = Duration::from_secs(2);
const HANGING_UP: Duration = Duration::from_secs(1);
/// How long a client may stay outside of the namespace after it has connected.
const JOINING: Duration = Duration::from_secs(10);

/// The node could not go on serving.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The accept loop ended by itself.
    #[error("the server stopped accepting connections")]
    Accept(#[source] io::Error),
    /// The accept loop panicked.
    #[error("the server failed")]
    Failed(#[source] tokio::task::JoinError),
}

/// Serves the chatroom on `listener` until `shutdown` completes, then drains and returns.
///
/// # Guarantees
/// Never waits for Redis to begin, and returns at most ten seconds after `shutdown`.
///
/// # Errors
/// Only when serving itself breaks; trouble with Redis is reported by `/readyz` and healed.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let metrics = Arc::new(Metrics::default());
    let room = Arc::new(Room::new(metrics.clone()));
    let chat = Arc::new(Chat {
        bus: Bus::start(config.bus(), room.clone()),
        room,
        metrics,
        node_id: config.node_id.clone(),
        text_characters: config.limits.text_characters,
    });
    let vitals = Vitals { chat: chat.clone(), draining: Arc::new(AtomicBool::new(false)) };
    let (engine, io) = engine(&config);
    chat::attach(&io, &chat);
    let keeping = tokio::spawn(chat.keep_sessions(config.limits.session_lifetime));

    let hang_up = CancellationToken::new();
    let application = router(&config, engine, vitals.clone()).into_make_service_with_connect_info::<Link>();
    let listener = LinkListener::new(listener, config.limits.write_stall);
    let serving =
        axum::serve(listener, application).with_graceful_shutdown(hang_up.clone().cancelled_owned());
    let mut serving = tokio::spawn(serving.into_future());

    let outcome = tokio::select! {
        ended = &mut serving => judge(ended),
        () = shutdown => {
            drain(&config, &vitals, &io).await;
            hang_up.cancel();
            timeout(HANGING_UP, &mut serving).await.map_or(Ok(()), judge)
        }
    };
    serving.abort();
    keeping.abort();
    outcome
}

fn judge(ended: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), ServeError> {
    ended.map_err(ServeError::Failed)?.map_err(ServeError::Accept)
}

async fn drain(config: &Config, vitals: &Vitals, io: &SocketIo) {
    let room = &vitals.chat.room;
    tracing::info!(clients = room.occupied(), "draining");
    vitals.draining.store(true, Ordering::Release);
    tokio::time::sleep(config.drain_delay.min(Config::MAX_DRAIN_DELAY)).await;
    if timeout(CLOSING, io.close()).await.is_err() {
        tracing::warn!("clients that do not close are cut off");
        room.cut_all();
    }
    // A closing engine forgets its namespaces before it could tell us who left.
    vitals.chat.everybody_leaves();
    if timeout(WRITING, vitals.chat.bus.finish()).await.is_err() {
        tracing::warn!("redis did not take the farewells in time");
    }
    tracing::info!("drained");
}

fn engine(config: &Config) -> (SocketIoLayer, SocketIo) {
    let payload = config.limits.payload_bytes;
    let frame = usize::try_from(payload).unwrap_or(usize::MAX);
    SocketIo::builder()
        .req_path(SOCKET_PATH)
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .connect_timeout(JOINING)
        .max_buffer_size(config.limits.queued_packets)
        .max_payload(u64::from(payload))
        .ws_max_message_size(frame)
        .ws_max_frame_size(frame)
        .build_layer()
}

fn router(config: &Config, engine: SocketIoLayer, vitals: Vitals) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .with_state(vitals.clone())
        .layer(engine)
        .layer(middleware::from_fn_with_state(vitals, guard_sessions))
        .layer(cross_origin(&config.allowed_origins))
        // Outermost, so that refusals of the layers above carry it too.
        .layer(SetResponseHeaderLayer::overriding(NODE_HEADER, config.node_id.header()))
}

fn cross_origin(allowed: &[Origin]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed.iter().map(Origin::header)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE])
        .expose_headers([NODE_HEADER])
}

/// Refuses new sessions while draining, and remembers which TCP connection an upgraded session moves to.
async fn guard_sessions(State(vitals): State<Vitals>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(SOCKET_PATH) {
        return next.run(request).await;
    }
    let query = request.uri().query().unwrap_or_default();
    let session = query.split('&').find_map(|pair| pair.strip_prefix("sid=")).map(str::to_owned);
    let websocket = query.split('&').any(|pair| pair == "transport=websocket");
    match session {
        None if vitals.is_draining() => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "draining\n").into_response()
        }
        Some(session) if websocket => {
            let link = request.extensions().get::<ConnectInfo<Link>>().map(|ConnectInfo(link)| link.clone());
            let response = next.run(request).await;
            if let (StatusCode::SWITCHING_PROTOCOLS, Some(link)) = (response.status(), link) {
                vitals.chat.room.upgraded(&session, &link);
            }
            response
        }
        _ => next.run(request).await,
    }
}
