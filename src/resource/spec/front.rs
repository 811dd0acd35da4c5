//! What people meet: a listener, its certificate, and a rule that leads them on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Wanted, id_of, the};
use crate::base::word::{self, Word};
use crate::resource::observed::Output;
use crate::resource::{Kind, ResourceAddress, ownership, settings};

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// `HTTP` or `HTTPS`.
    #[serde(deserialize_with = "word::deserialize")]
    pub protocol: Word,
    /// Its port.
    pub port: u16,
    /// Seconds.
    pub idle_timeout: u32,
    /// Seconds.
    pub request_timeout: u32,
    /// For https.
    pub certificate: Option<ListenerCertificate>,
}

/// The certificate of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerCertificate {
    /// There before us, by what the ALB calls it.
    Named(String),
    /// The stack's own.
    Own,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSpec {
    /// The name it is for.
    pub name: String,
    /// Where it comes from.
    pub origin: CertificateOrigin,
}

/// Where a certificate comes from. Its key is never a part of what is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateOrigin {
    /// Brought along: the digest of its chain.
    Brought(String),
    /// Made with its key when it is uploaded.
    SelfSigned,
}

impl CertificateOrigin {
    /// As its tag says it.
    pub fn word(&self) -> &str {
        match self {
            Self::Brought(digest) => digest,
            Self::SelfSigned => ownership::SELF_SIGNED,
        }
    }
}

/// A rule of a listener: every request is answered with a redirect to https.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerRuleSpec {
    /// The listener it is of.
    pub listener: ResourceAddress,
    /// The port it leads to.
    pub port: u16,
}

impl CertificateSpec {
    /// One that is brought along is what it is; one that is made is made again in time.
    pub(super) fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        let origin = ("origin", Wanted::Exactly(self.origin.word().to_owned()));
        let made = match self.origin {
            CertificateOrigin::Brought(_) => Vec::new(),
            CertificateOrigin::SelfSigned => vec![
                ("names", Wanted::Exactly(self.name.to_ascii_lowercase())),
                (settings::VALIDITY, Wanted::Exactly(settings::VALID.to_owned())),
            ],
        };
        std::iter::once(origin).chain(made).collect()
    }
}

impl ListenerSpec {
    pub(super) fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        let certificate = self.certificate.iter().map(|certificate| match certificate {
            ListenerCertificate::Named(id) => ("certificate", Wanted::Exactly(id.clone())),
            ListenerCertificate::Own => {
                let own = ResourceAddress::only(Kind::Certificate);
                ("certificate", Wanted::Outputs(vec![own], Output::CertificateId))
            }
        });
        BTreeMap::from([
            ("load_balancer", the(Kind::LoadBalancer)),
            ("server_group", the(Kind::ServerGroup)),
            ("protocol", Wanted::Exactly(self.protocol.to_owned())),
            ("port", Wanted::Exactly(self.port.to_string())),
            ("idle_timeout", Wanted::Exactly(self.idle_timeout.to_string())),
            ("request_timeout", Wanted::Exactly(self.request_timeout.to_string())),
        ])
        .into_iter()
        .chain(certificate)
        .collect()
    }
}

impl ListenerRuleSpec {
    pub(super) fn wanted(&self) -> BTreeMap<&'static str, Wanted> {
        BTreeMap::from([
            ("listener", id_of(self.listener.clone())),
            ("port", Wanted::Exactly(self.port.to_string())),
        ])
    }
}
