//! Health checks: probes of one server for as long as it is in its group, as the settings of the group say.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Version};
use tokio::time::{Instant, timeout_at};

use crate::plane::probe::{NoAnswer, Probe, connect};
use crate::plane::proxy::backend::Backend;
use crate::plane::proxy::group::{Settings, current};
use crate::plane::proxy::secure;
use crate::plane::report::Changed;
use crate::plane::spec::{CheckProtocol, Health, HealthCheck, HttpVersion};

/// Where checks are off, settings are looked at again after this at most.
const LOOK: Duration = Duration::from_millis(200);

/// Probes a server until it leaves its group.
pub(super) async fn watch(backend: Arc<Backend>, settings: Settings, changed: Changed) {
    let (mut good, mut bad) = (0_u32, 0_u32);
    while !backend.is_retired() {
        let group = current(&settings);
        let check = &group.health_check;
        let mut pause = check.interval.max(Duration::from_millis(5));
        if check.enabled {
            let result = tokio::select! {
                result = probe(&backend, check) => result,
                () = backend.retired() => return,
            };
            (good, bad) =
                if result.is_ok() { (good.saturating_add(1), 0) } else { (0, bad.saturating_add(1)) };
            match result {
                Ok(()) if good >= check.healthy_threshold => {
                    backend.judge(Health::Healthy, group.drain, &changed);
                }
                Err(reason) if bad >= check.unhealthy_threshold => {
                    backend.judge(Health::Unhealthy(reason.to_owned()), group.drain, &changed);
                }
                Ok(()) | Err(_) => {}
            }
        } else {
            (good, bad) = (0, 0);
            backend.judge(Health::Healthy, group.drain, &changed);
            pause = pause.min(LOOK);
        }
        backend.era().pool.expire();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = backend.retired() => return,
        }
    }
}

/// One probe: the reason code of the load balancer's API when it fails.
async fn probe(backend: &Backend, check: &HealthCheck) -> Result<(), &'static str> {
    if backend.is_unwell() {
        return Err("RESPONSE_MISMATCH");
    }
    let target = backend.target(check.port).ok_or("CONNECT_TIMEOUT")?;
    let deadline = Instant::now() + check.timeout;
    let stream = match timeout_at(deadline, connect(target, backend.source())).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => return Err("CONNECT_FAILED"),
        Err(_) => return Err("CONNECT_TIMEOUT"),
    };
    let probe = Probe {
        target,
        source: backend.source(),
        method: check.method.parse().unwrap_or(Method::HEAD),
        host: check.host.clone().unwrap_or_else(|| backend.address().to_string()),
        path: check.path.clone(),
        limit: check.timeout,
    };
    let version = match check.version {
        HttpVersion::Http10 => Version::HTTP_10,
        HttpVersion::Http11 => Version::HTTP_11,
    };
    let ask = async {
        match check.protocol {
            CheckProtocol::Tcp => Ok(None),
            CheckProtocol::Http => probe.status(stream, version).await.map(Some),
            CheckProtocol::Https => {
                let stream = secure::wrap(stream).await.map_err(|_| NoAnswer::SendFailed)?;
                probe.status(stream, version).await.map(Some)
            }
        }
    };
    match timeout_at(deadline, ask).await.unwrap_or(Err(NoAnswer::ReceiveTimeout)) {
        Ok(None) => Ok(()),
        Ok(Some(status)) => {
            let class = format!("http_{}xx", status.as_u16() / 100);
            check.codes.contains(&class).then_some(()).ok_or("RESPONSE_MISMATCH")
        }
        Err(NoAnswer::ConnectFailed) => Err("CONNECT_FAILED"),
        Err(NoAnswer::ConnectTimeout) => Err("CONNECT_TIMEOUT"),
        Err(NoAnswer::SendFailed) => Err("SEND_REQUEST_FAILED"),
        Err(NoAnswer::ReceiveTimeout) => Err("RECV_RESPONSE_TIMEOUT"),
        Err(NoAnswer::ReceiveFailed) => Err("RECV_RESPONSE_FAILED"),
    }
}
