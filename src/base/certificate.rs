//! Server certificates: a chain in PEM, what the first certificate of it says, and the private key that belongs to it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::base::clock;
use crate::base::secret::Secret;

/// Days for which a self-signed certificate is made: more than that, some browsers take from nobody.
const SELF_SIGNED_DAYS: i32 = 825;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Why a text is no certificate or key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no certificate in it.
    #[error("it holds no `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// What stands there is none.
    #[error("it cannot be read as a certificate: {0}")]
    Unreadable(String),
    /// There is no private key in it, or one of a kind that nobody uses here.
    #[error("it holds no private key in PEM without a passphrase")]
    NoKey,
    /// The key is that of another certificate.
    #[error("it is the key of another certificate")]
    OtherKey,
    /// Nothing can be made for such a name.
    #[error("no certificate can be made for it: {0}")]
    NotMade(String),
}

/// What one certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Who it is for: common name, else the first of its names.
    pub subject: String,
    /// Who signed it: common name, else organisation.
    pub issuer: String,
    /// The DNS names it is for.
    pub names: Vec<String>,
    /// When it begins.
    pub begins: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
    /// SHA-256 of the whole certificate, upper-case hex.
    pub sha256: String,
}

/// A chain, the certificate of the server first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// As it was written.
    pub pem: String,
    /// What the certificate of the server says.
    pub server: Details,
    /// SHA-256 of all certificates in their order, in hex: another chain has another one.
    pub digest: String,
    blocks: Vec<CertificateDer<'static>>,
}

/// A chain and the key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain.
    pub chain: Chain,
    /// The private key of its first certificate, in PEM.
    pub key: Secret<String>,
}

impl Chain {
    /// Reads a chain.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(pem: &str) -> Result<Self, CertificateError> {
        let unreadable = |error: &dyn std::fmt::Display| CertificateError::Unreadable(error.to_string());
        let blocks: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))?;
        let details = blocks.iter().map(|block| Details::read(block)).collect::<Result<Vec<_>, _>>()?;
        let server = details.into_iter().next().ok_or(CertificateError::NoCertificate)?;
        let mut hash = Sha256::new();
        for block in &blocks {
            hash.update(block);
        }
        Ok(Self { pem: pem.to_owned(), server, digest: hex::encode(hash.finalize()), blocks })
    }

    /// Its certificates, that of the server first, in DER.
    pub fn blocks(&self) -> &[CertificateDer<'static>] {
        &self.blocks
    }

    /// The chain with its key.
    ///
    /// # Errors
    /// When the key is none, or that of another certificate.
    pub fn with_key(self, key: Secret<String>) -> Result<Certificate, CertificateError> {
        let private =
            PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| CertificateError::NoKey)?;
        let private =
            default_provider().key_provider.load_private_key(private).map_err(|_| CertificateError::NoKey)?;
        match CertifiedKey::new(self.blocks.clone(), private).keys_match() {
            Ok(()) => Ok(Certificate { chain: self, key }),
            Err(_) => Err(CertificateError::OtherKey),
        }
    }
}

impl Details {
    /// What a certificate in DER says.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(der: &[u8]) -> Result<Self, CertificateError> {
        let unreadable = |error: &dyn std::fmt::Display| CertificateError::Unreadable(error.to_string());
        let (_, found) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let extension = found.subject_alternative_name().map_err(|error| unreadable(&error))?;
        let names = extension.iter().flat_map(|one| &one.value.general_names).filter_map(|name| {
            if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None }
        });
        let names: Vec<String> = names.collect();
        let moment = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| unreadable(&error))
        };
        Ok(Self {
            subject: called(found.subject()).or_else(|| names.first().cloned()).unwrap_or_default(),
            issuer: called(found.issuer()).unwrap_or_default(),
            names,
            begins: moment(found.validity().not_before)?,
            ends: moment(found.validity().not_after)?,
            sha256: hex::encode_upper(Sha256::digest(der)),
        })
    }

    /// Whether a browser takes it for a name.
    pub fn covers(&self, name: &str) -> bool {
        covers(self.names.iter().map(String::as_str), name)
    }

    /// Whole days until it ends; negative when it has.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        days_between(now, self.ends)
    }
}

/// Common name, else organisation.
fn called(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_common_name().chain(name.iter_organization()).next()?;
    first.as_str().ok().map(ToOwned::to_owned)
}

/// Whole days from one moment to another, rounded down.
pub fn days_between(now: Timestamp, end: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(DAY.as_secs())
}

/// Whether one of the names of a certificate is a name, or stands for it: `*` stands for exactly one label.
pub fn covers<'n>(names: impl IntoIterator<Item = &'n str>, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    names.into_iter().any(|own| {
        let own = own.to_ascii_lowercase();
        let wild = own.strip_prefix("*.").zip(name.split_once('.'));
        own == name || wild.is_some_and(|(parent, (_, rest))| parent == rest)
    })
}

/// Makes a key and a certificate for a name, signed by nobody else.
///
/// # Errors
/// When the name is none that can be in a certificate.
pub fn self_signed(name: &str) -> Result<Certificate, CertificateError> {
    let not_made = |error: rcgen::Error| CertificateError::NotMade(error.to_string());
    let key = KeyPair::generate().map_err(not_made)?;
    let mut wanted = CertificateParams::new(vec![name.to_owned()]).map_err(not_made)?;
    wanted.distinguished_name.push(DnType::CommonName, name);
    // Certificates are made by whole days here, and begin a day ago, so that a clock that is behind takes them too.
    let date = |moment: Timestamp| {
        let day = TimeZone::UTC.to_datetime(moment).date();
        rcgen::date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    wanted.not_before = date(clock::now() - DAY);
    wanted.not_after = date(clock::now() + DAY * SELF_SIGNED_DAYS);
    let made = wanted.self_signed(&key).map_err(not_made)?;
    Chain::read(&made.pem())?.with_key(Secret::new(key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_made_is_for_its_name_and_its_key_belongs_to_it() {
        let made = self_signed("chat.example.com").unwrap();
        let server = &made.chain.server;
        assert_eq!(
            (server.names.as_slice(), server.subject.as_str()),
            (&["chat.example.com".to_owned()][..], "chat.example.com")
        );
        assert_eq!(server.issuer, server.subject);
        assert!(server.covers("CHAT.example.com") && !server.covers("example.com"));
        assert_eq!(server.days_left(clock::now()), i64::from(SELF_SIGNED_DAYS) - 1);
        let again = Chain::read(&made.chain.pem).unwrap();
        assert_eq!(again, made.chain);
        assert_eq!(again.with_key(made.key.clone()).unwrap(), made);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let [one, two] = ["a.example.com", "b.example.com"].map(|name| self_signed(name).unwrap());
        assert_ne!(one.chain.digest, two.chain.digest);
        assert_eq!(one.chain.clone().with_key(two.key), Err(CertificateError::OtherKey));
        let text = Secret::new("no key".to_owned());
        assert_eq!(one.chain.with_key(text), Err(CertificateError::NoKey));
        assert_eq!(Chain::read("nothing"), Err(CertificateError::NoCertificate));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Chain::read(broken), Err(CertificateError::Unreadable(_))));
    }

    #[test]
    fn a_star_covers_one_label_and_not_the_domain_itself() {
        let names = ["example.com", "*.chat.example.com"];
        assert!(covers(names, "example.com") && covers(names, "EU.chat.example.com"));
        assert!(!covers(names, "chat.example.com") && !covers(names, "a.b.chat.example.com"));
        assert!(!covers(names, "www.example.com"));
    }

    #[test]
    fn no_key_is_shown() {
        let made = self_signed("example.com").unwrap();
        assert!(!format!("{made:?}").contains("PRIVATE KEY"), "{made:?}");
    }
}
