//! What balancers, deployers and Prometheus ask: `/healthz`, `/readyz`, `/metrics`; and the page.
//!
//! `/healthz` does not look at Redis on purpose: a load balancer that cuts all clients because Redis blinked makes
//! a small trouble large. `/readyz` does, for deployers and operators, who ask the node itself: neither it nor
//! `/metrics` is there for a request that a proxy has passed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::chat::Chat;
use crate::engine_io::Body;
use crate::engine_io::registry::Registry;
use crate::http::{Pages, Way, plain, site};
use crate::metrics::{Gauges, Transports};
use crate::page;

/// What the probes look at.
#[derive(Debug)]
pub struct Vitals {
    /// The chatroom with its bus and its counters.
    pub chat: Arc<Chat>,
    /// Set once, when the node begins to drain.
    pub draining: Arc<AtomicBool>,
    /// The sessions.
    pub registry: Arc<Registry>,
    /// What is refused before there is a session.
    pub counts: Arc<site::Counts>,
}

impl Pages for Vitals {
    fn page(&self, path: &str, way: Way) -> Option<Response<Body>> {
        match path {
            // For those who run the node; through a balancer anybody would read what is wrong with it.
            "/readyz" | "/metrics" if way == Way::Forwarded => None,
            "/" => Some(page::page()),
            "/healthz" => Some(self.healthz()),
            "/readyz" => Some(self.readyz()),
            "/metrics" => Some(self.metrics()),
            _ => None,
        }
    }
}

impl Vitals {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// 200 while the node serves, 503 once it drains.
    fn healthz(&self) -> Response<Body> {
        if self.is_draining() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        plain(StatusCode::OK, "ok")
    }

    /// 200 when messages can be sent and received, else 503 and the reason.
    fn readyz(&self) -> Response<Body> {
        if self.is_draining() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.chat.bus.connectivity().ready() {
            Ok(()) => plain(StatusCode::OK, "ready"),
            Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
    }

    /// Prometheus' text format.
    fn metrics(&self) -> Response<Body> {
        let (queued_packets, queued_bytes) = self.registry.queued();
        let gauges = Gauges {
            connected: self.chat.room.occupied(),
            sessions: self.registry.len(),
            queued_packets,
            queued_bytes,
            draining: self.is_draining(),
        };
        let transports = Transports { engine: &self.registry.counts, site: &self.counts };
        let mut text = self.chat.metrics.render(gauges, transports);
        self.chat.bus.measure(&mut text);
        let mut response = plain(StatusCode::OK, text);
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
