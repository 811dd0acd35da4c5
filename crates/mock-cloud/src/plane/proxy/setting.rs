//! What a listener does now, ready for its traffic.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::HeaderValue;
use tokio_rustls::TlsAcceptor;

use crate::plane::proxy::group::Group;
use crate::plane::proxy::rules::Rules;
use crate::plane::proxy::tls;
use crate::plane::spec::{Listener, ListenerProtocol, LoadBalancer};

/// The settings of a listener; they never change, they are replaced.
pub(super) struct Setting {
    /// Id of the load balancer.
    pub(super) id: HeaderValue,
    /// The load balancer's own name.
    pub(super) dns_name: String,
    pub(super) listener: Listener,
    pub(super) group: Arc<Group>,
    pub(super) rules: Rules,
    /// `None` for a plain listener, and for one whose certificates cannot be used.
    pub(super) tls: Option<TlsAcceptor>,
    groups: BTreeMap<String, Arc<Group>>,
}

impl Setting {
    /// The settings of a listener whose groups are these; what is costly to make is taken from the former ones.
    pub(super) fn new(
        balancer: &LoadBalancer,
        listener: &Listener,
        groups: BTreeMap<String, Arc<Group>>,
        former: Option<&Self>,
    ) -> Option<Self> {
        let kept = former.filter(|former| former.listener.protocol == listener.protocol);
        let tls = match (&listener.protocol, kept) {
            (_, Some(former)) => former.tls.clone(),
            (ListenerProtocol::Http, None) => None,
            (ListenerProtocol::Https(own), None) => tls::acceptor(own)
                .inspect_err(|error| tracing::warn!(%error, "a certificate cannot be used"))
                .ok(),
        };
        Some(Self {
            id: HeaderValue::from_str(&balancer.id).ok()?,
            dns_name: balancer.dns_name.clone(),
            group: Arc::clone(groups.get(&listener.server_group)?),
            rules: Rules::new(&listener.rules, &groups),
            listener: listener.clone(),
            tls,
            groups,
        })
    }

    /// Whether it is what is wanted now.
    pub(super) fn is_for(&self, listener: &Listener, groups: &BTreeMap<String, Arc<Group>>) -> bool {
        let are_same = || {
            let mut pairs = self.groups.iter().zip(groups);
            pairs.all(|(own, wanted)| own.0 == wanted.0 && Arc::ptr_eq(own.1, wanted.1))
        };
        self.listener == *listener && self.groups.len() == groups.len() && are_same()
    }

    /// Its groups by id.
    pub(super) fn groups(&self) -> &BTreeMap<String, Arc<Group>> {
        &self.groups
    }

    /// What it speaks, as addresses name it.
    pub(super) fn scheme(&self) -> &'static str {
        match self.listener.protocol {
            ListenerProtocol::Http => "http",
            ListenerProtocol::Https(_) => "https",
        }
    }
}

/// The settings of a listener, readable by its connections at any time.
pub(super) type Live = Arc<RwLock<Arc<Setting>>>;

/// The settings as they are now.
pub(super) fn current(live: &Live) -> Arc<Setting> {
    Arc::clone(&live.read().unwrap_or_else(PoisonError::into_inner))
}
