//! Reads what is uploaded as a certificate: PEM chain and private key, and whether the two belong together.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::wire::ApiError;
use crate::world::Moment;
use crate::world::certificate::{Details, Name};

/// A chain whose first certificate belongs to the private key it came with.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) leaf: Details,
    pub(super) issuers: Vec<Details>,
}

/// Reads chain and key.
///
/// # Errors
/// `ParseCertificateFailed` for what is no certificate or key, `CertificateExpired`,
/// `InvalidParameter` for a key of another certificate.
pub(super) fn read(chain: &str, key: &str, now: Moment) -> Result<Chain, ApiError> {
    let blocks: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable("Cert", error))?;
    let mut certificates =
        blocks.iter().map(|block| read_certificate(block)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let leaf =
        certificates.next().ok_or_else(|| unreadable("Cert", "it holds no -----BEGIN CERTIFICATE-----"))?;
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unreadable("Key", error))?;
    let provider = default_provider();
    let private =
        provider.key_provider.load_private_key(private).map_err(|error| unreadable("Key", error))?;
    if CertifiedKey::new(blocks, private).keys_match().is_err() {
        return Err(ApiError::invalid("Key", "it is not the private key of the first certificate"));
    }
    if leaf.not_after <= now {
        let message = "The certificate has expired.";
        return Err(ApiError::bad_request("CertificateExpired", message));
    }
    Ok(Chain { leaf, issuers: certificates.collect() })
}

fn unreadable(parameter: &str, reason: impl std::fmt::Display) -> ApiError {
    let message = format!("The parameter {parameter} cannot be parsed: {reason}.");
    ApiError::bad_request("ParseCertificateFailed", message)
}

fn read_certificate(der: &[u8]) -> Result<Details, ApiError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable("Cert", error))?;
    let (algorithm, key_size) = read_key(&certificate)?;
    let issuer = read_name(certificate.issuer());
    let moment = |time: x509_parser::time::ASN1Time| time.timestamp() * 1000;
    Ok(Details {
        subject: read_name(certificate.subject()),
        issuer: if issuer.common.is_empty() { issuer.organization } else { issuer.common },
        alternative_names: read_alternative_names(&certificate)?,
        serial: read_serial(certificate.raw_serial()),
        sha1: hex::encode_upper(Sha1::digest(der)),
        sha256: hex::encode_upper(Sha256::digest(der)),
        algorithm,
        key_size,
        not_before: moment(certificate.validity().not_before),
        not_after: moment(certificate.validity().not_after),
    })
}

fn read_key(certificate: &X509Certificate<'_>) -> Result<(&'static str, usize), ApiError> {
    let key = certificate.public_key().parsed().map_err(|error| unreadable("Cert", error))?;
    match &key {
        PublicKey::RSA(_) => Ok(("RSA", key.key_size())),
        PublicKey::EC(_) => Ok(("ECC", key.key_size())),
        PublicKey::DSA(_)
        | PublicKey::GostR3410(_)
        | PublicKey::GostR3410_2012(_)
        | PublicKey::Unknown(_) => Err(unreadable("Cert", "its key is neither RSA nor ECC")),
    }
}

fn read_name(name: &X509Name<'_>) -> Name {
    Name {
        common: first(name.iter_common_name()),
        country: first(name.iter_country()),
        province: first(name.iter_state_or_province()),
        city: first(name.iter_locality()),
        organization: first(name.iter_organization()),
    }
}

fn first<'a, 'b: 'a>(mut attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'b>>) -> String {
    let text = attributes.next().and_then(|attribute| attribute.as_str().ok());
    text.unwrap_or_default().to_owned()
}

fn read_alternative_names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, ApiError> {
    let extension = certificate.subject_alternative_name().map_err(|error| unreadable("Cert", error))?;
    let Some(extension) = extension else { return Ok(Vec::new()) };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => read_address(bytes),
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    });
    Ok(names.collect())
}

fn read_address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()))
        .ok()
}

/// Without the zero byte that only keeps the number positive.
fn read_serial(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
        bytes => hex::encode(bytes),
    }
}
