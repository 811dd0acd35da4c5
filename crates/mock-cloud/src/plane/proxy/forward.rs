//! One request through a load balancer: chosen server, headers, timeouts, and the tunnel of an upgrade.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, UPGRADE};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plane::proxy::front::{Live, Setting, current};
use crate::plane::proxy::group::Backend;
use crate::plane::stream::Activity;

/// A body on its way, never held as a whole.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// Headers that belong to one connection, not to the request.
const HOP_BY_HOP: &[&str] = &["keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"];
/// The sticky cookie.
const STICKY: &str = "SERVERID";

/// The client connection a request came on.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) peer: IpAddr,
    pub(super) live: Live,
    pub(super) activity: Arc<Activity>,
    pub(super) cut: CancellationToken,
}

impl Client {
    pub(super) fn idle(&self) -> Duration {
        current(&self.live).listener.idle_timeout
    }
}

/// Carries one request to a server and its answer back.
pub(super) async fn forward(client: Client, mut request: Request<Incoming>) -> Response<Body> {
    let setting = current(&client.live);
    if is_own_name(&setting, &request) {
        return plain(StatusCode::FORBIDDEN);
    }
    let sticky = setting.listener.sticky.and_then(|lifetime| Sticky::read(request.headers(), lifetime));
    let Some(backend) = setting.group.pick(sticky.as_ref().map(|sticky| sticky.server.as_str())) else {
        return plain(StatusCode::SERVICE_UNAVAILABLE);
    };
    let wants_upgrade = is_upgrade(request.headers());
    let client_side = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
    let Some(request) = outgoing(request, &backend, client.peer, wants_upgrade) else {
        return plain(StatusCode::BAD_GATEWAY);
    };
    let mut response = match exchange(&client, &backend, request, setting.listener.request_timeout).await {
        Ok(response) => response,
        Err(status) => return plain(status),
    };
    if setting.listener.sticky.is_some() {
        stick(&mut response, &backend, sticky.as_ref());
    }
    if let Some(client_side) = client_side
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        let server_side = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel(client, backend, client_side, server_side));
    } else {
        clean(response.headers_mut(), false);
    }
    response.map(BodyExt::boxed)
}

fn plain(status: StatusCode) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let page = format!(
        "<html><head><title>{status}</title></head><body><h1>{}: {reason}</h1></body></html>\n",
        status.as_u16()
    );
    let body = Full::new(Bytes::from(page)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Whether the request names the load balancer itself instead of a domain that leads to it.
fn is_own_name(setting: &Setting, request: &Request<Incoming>) -> bool {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map_or(named.unwrap_or_default(), |authority| authority.as_str());
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.trim_end_matches('.').eq_ignore_ascii_case(&setting.dns_name)
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let tokens = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    headers.contains_key(UPGRADE)
        && tokens.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

/// The request as the server gets it.
fn outgoing(
    mut request: Request<Incoming>,
    backend: &Backend,
    peer: IpAddr,
    is_upgrade: bool,
) -> Option<Request<Incoming>> {
    let target = backend.target(backend.port())?;
    let host = request.uri().authority().map(ToString::to_string);
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(target.to_string())
        .path_and_query(path)
        .build()
        .ok()?;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(&host).ok()) {
        headers.insert(HOST, host);
    }
    clean(headers, is_upgrade);
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let before: Vec<&str> =
        headers.get_all(&forwarded).iter().filter_map(|value| value.to_str().ok()).collect();
    let chain =
        before.into_iter().map(str::to_owned).chain([peer.to_string()]).collect::<Vec<_>>().join(", ");
    headers.insert(forwarded, HeaderValue::from_str(&chain).ok()?);
    Some(request)
}

/// Takes out what belongs to one connection, and what `Connection` says does.
fn clean(headers: &mut HeaderMap, is_upgrade: bool) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|token| token.trim().to_ascii_lowercase()))
        .collect();
    let named = named.iter().map(String::as_str).filter(|name| !(is_upgrade && *name == "upgrade"));
    for name in HOP_BY_HOP.iter().copied().chain(named) {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
    if is_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(UPGRADE);
    }
}

async fn exchange(
    client: &Client,
    backend: &Backend,
    request: Request<Incoming>,
    limit: Duration,
) -> Result<Response<Incoming>, StatusCode> {
    let _waiting = client.activity.wait();
    tokio::select! {
        response = backend.client.request(request) => response.map_err(|error| {
            tracing::info!(%error, "a server did not answer");
            StatusCode::BAD_GATEWAY
        }),
        () = overdue(&client.activity, limit) => Err(StatusCode::GATEWAY_TIMEOUT),
    }
}

/// Resolves when the server is late, counted from the last byte of the request.
async fn overdue(activity: &Activity, limit: Duration) {
    let started = Instant::now();
    loop {
        let deadline = activity.last().max(started) + limit;
        if Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}

/// Both ways until one side ends, nothing happens for too long, or the server left the group.
async fn tunnel(client: Client, backend: Arc<Backend>, client_side: OnUpgrade, server_side: OnUpgrade) {
    let (Ok(client_side), Ok(server_side)) = tokio::join!(client_side, server_side) else {
        return;
    };
    let (mut client_side, mut server_side) = (TokioIo::new(client_side), TokioIo::new(server_side));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client_side, &mut server_side) => {}
        () = client.activity.silent_for(|| client.idle()) => tracing::debug!("a silent tunnel was cut"),
        () = backend.gone.cancelled() => tracing::debug!("a tunnel to a removed server was cut"),
        () = client.cut.cancelled() => {}
    }
}

/// What a sticky cookie says.
struct Sticky {
    server: String,
    /// Seconds since 1970 of the first request.
    since: i64,
}

impl Sticky {
    /// Reads `SERVERID=<server>|<last>|<first>` unless it is older than its lifetime.
    fn read(headers: &HeaderMap, lifetime: Duration) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let value = cookies.flat_map(|value| value.split(';')).find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == STICKY).then_some(value)
        })?;
        let mut parts = value.split('|');
        let (server, last, first) = (parts.next()?, parts.next()?, parts.next()?);
        let age = now() - last.parse::<i64>().ok()?;
        let is_fresh = age <= i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        is_fresh.then_some(Self { server: server.to_owned(), since: first.parse().ok()? })
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn stick(response: &mut Response<Incoming>, backend: &Backend, before: Option<&Sticky>) {
    let server = backend.cookie();
    let first = before.filter(|before| before.server == server).map_or_else(now, |before| before.since);
    if let Ok(cookie) = HeaderValue::from_str(&format!("{STICKY}={server}|{}|{first};Path=/", now())) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
