//! Uploaded certificates: one central store for the Chinese mainland, one for the rest of the world.

use serde::Serialize;

use crate::secret::Secret;
use crate::world::meta::Meta;
use crate::world::{Moment, World, regions};

/// A certificate this close to its end counts as about to expire.
const WARNING: Moment = 30 * 24 * 3600 * 1000;

/// One uploaded certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// The decimal `CertId`.
    pub id: i64,
    /// `cas-upload-...`.
    pub resource: String,
    /// Unique among the certificates of the account.
    pub name: String,
    /// As given, or empty.
    pub resource_group: String,
    /// PEM of the whole chain, the certificate of the server first.
    #[serde(skip)]
    pub chain: String,
    /// PEM of the private key.
    #[serde(skip)]
    pub key: Secret,
    /// The certificate of the server.
    pub leaf: Details,
    /// The certificates behind it, in their order.
    pub issuers: Vec<Details>,
    /// Deleted by its owner; kept for listeners that still serve it.
    pub deleted: bool,
    /// Its region is that of the store.
    pub meta: Meta,
}

/// What one X.509 certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Who it is for.
    pub subject: Name,
    /// Common name of who signed it, else their organisation.
    pub issuer: String,
    /// DNS names and addresses it is valid for.
    pub alternative_names: Vec<String>,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Digest of the DER form, upper-case hex.
    pub sha1: String,
    /// Digest of the DER form, upper-case hex.
    pub sha256: String,
    /// `RSA` or `ECC`.
    pub algorithm: &'static str,
    /// Bits of the public key.
    pub key_size: usize,
    /// Valid from.
    pub not_before: Moment,
    /// Valid until.
    pub not_after: Moment,
}

/// Parts of a distinguished name; what is missing is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Name {
    /// `CN`.
    pub common: String,
    /// `C`.
    pub country: String,
    /// `ST`.
    pub province: String,
    /// `L`.
    pub city: String,
    /// `O`.
    pub organization: String,
}

/// How far a certificate is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Valid for more than thirty days.
    Issued,
    /// Valid for less.
    WillExpire,
    /// Over.
    Expired,
}

impl Certificate {
    /// The whole chain, the certificate of the server first.
    pub fn links(&self) -> impl Iterator<Item = &Details> {
        std::iter::once(&self.leaf).chain(&self.issuers)
    }

    /// What other services know it by: `<CertId>-<region of the store>`.
    pub fn identifier(&self) -> String {
        format!("{}-{}", self.id, self.meta.region)
    }

    /// How far it is in its life.
    pub fn validity(&self, now: Moment) -> Validity {
        match self.leaf.not_after - now {
            ..=0 => Validity::Expired,
            1..WARNING => Validity::WillExpire,
            WARNING.. => Validity::Issued,
        }
    }
}

impl Details {
    /// Every name it is valid for, joined by commas; without alternative names the common name.
    pub fn domains(&self) -> String {
        if self.alternative_names.is_empty() {
            self.subject.common.clone()
        } else {
            self.alternative_names.join(",")
        }
    }

    /// Whole days until it ends; negative when it is over.
    pub fn remaining_days(&self, now: Moment) -> Moment {
        (self.not_after - now).div_euclid(24 * 3600 * 1000)
    }
}

/// Region of the store that serves callers in this region.
pub fn store_of(region: &str) -> &'static str {
    let domestic = region == "cn-hongkong" || regions::find(region).is_some_and(|own| own.mainland);
    if domestic { "cn-hangzhou" } else { "ap-southeast-1" }
}

impl World {
    /// The certificate with this `CertIdentifier`, unless it was deleted.
    pub fn certificate(&self, identifier: &str) -> Option<&Certificate> {
        self.served_certificate(identifier).filter(|own| !own.deleted)
    }

    /// The same, also when it was deleted while a listener used it.
    pub fn served_certificate(&self, identifier: &str) -> Option<&Certificate> {
        let (id, _) = identifier.split_once('-')?;
        self.certificates.get(&id.parse().ok()?).filter(|own| own.identifier() == identifier)
    }

    /// Whether a listener names this certificate, as its default or an additional one.
    pub fn serves(&self, identifier: &str) -> bool {
        self.listeners.values().any(|own| {
            own.certificates.iter().any(|used| used == identifier)
                || own.additional_certificates.iter().any(|used| used.id == identifier)
        })
    }

    /// Takes a certificate out of the store; what a listener serves goes on being served.
    pub fn delete_certificate(&mut self, id: i64) {
        let used = self.certificates.get(&id).is_some_and(|own| self.serves(&own.identifier()));
        if !used {
            self.certificates.remove(&id);
        } else if let Some(own) = self.certificates.get_mut(&id) {
            own.deleted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_store_at_home_and_one_abroad() {
        let stores = ["cn-hangzhou", "cn-shenzhen", "cn-hongkong", "eu-central-1"].map(store_of);
        assert_eq!(stores, ["cn-hangzhou", "cn-hangzhou", "cn-hangzhou", "ap-southeast-1"]);
    }
}
