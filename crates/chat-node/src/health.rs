//! What balancers, deployers and Prometheus ask: `/healthz`, `/readyz`, `/metrics`.
//!
//! `/healthz` does not look at Redis on purpose: a load balancer that cuts all clients because Redis blinked makes
//! a small trouble large. `/readyz` does, for deployers and operators.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::chat::Chat;
use crate::metrics::Gauges;

/// What the probes look at.
#[derive(Debug, Clone)]
pub struct Vitals {
    /// The chatroom with its bus and its counters.
    pub chat: Arc<Chat>,
    /// Set once, when the node begins to drain.
    pub draining: Arc<AtomicBool>,
}

impl Vitals {
    /// Whether the node has begun to drain.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// `/healthz`: 200 while the node serves, 503 once it drains.
pub async fn healthz(State(vitals): State<Vitals>) -> impl IntoResponse {
    if vitals.is_draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    answer(StatusCode::OK, "ok".to_owned())
}

/// `/readyz`: 200 when messages can be sent and received, else 503 and the reason.
pub async fn readyz(State(vitals): State<Vitals>) -> impl IntoResponse {
    if vitals.is_draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    match vitals.chat.bus.connectivity().ready() {
        Ok(()) => answer(StatusCode::OK, "ready".to_owned()),
        Err(reason) => answer(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

/// `/metrics`: Prometheus' text format.
pub async fn metrics(State(vitals): State<Vitals>) -> impl IntoResponse {
    let gauges = Gauges { connected: vitals.chat.room.occupied(), draining: vitals.is_draining() };
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let mut text = vitals.chat.metrics.render(gauges);
    vitals.chat.bus.measure(&mut text);
    (kind, text)
}

fn answer(status: StatusCode, text: String) -> impl IntoResponse {
    // A probe's answer is about now.
    (status, [(header::CACHE_CONTROL, "no-store")], text)
}
