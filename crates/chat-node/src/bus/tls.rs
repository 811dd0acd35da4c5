//! TLS towards Redis: TLS 1.2 and 1.3, whom to trust, and what to say when a certificate is no good.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address::AddressError;
use super::trouble::{Reason, Trouble};

/// The settings, made once: reading the system's authorities takes a while.
pub(super) fn configuration(
    authority: Option<Vec<CertificateDer<'static>>>,
) -> Result<Arc<ClientConfig>, AddressError> {
    let certificates = authority.map_or_else(system, Ok)?;
    let mut roots = RootCertStore::empty();
    // The system may hold a certificate nobody can read; the others are as good as before.
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(AddressError::Authority);
    }
    // Named rather than taken from the process: another crate of the program may bring a provider of its own.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(settings))
}

fn system() -> Result<Vec<CertificateDer<'static>>, AddressError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(AddressError::NoAuthorities(why));
    }
    Ok(found.certs)
}

/// Makes a connection safe, for the host of this name only.
pub(super) async fn secure(
    settings: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Trouble> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Trouble::new(Reason::Tls, format!("`{host}` cannot be the name in a certificate")))?;
    let connecting = TlsConnector::from(settings).connect(name, stream);
    connecting.await.map_err(|error| explain(host, &error))
}

fn explain(host: &str, error: &io::Error) -> Trouble {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    let sentence = match cause {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "the certificate of Redis comes from no known authority: give its authority by --redis-ca"
                .to_owned()
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            format!("the certificate of Redis is for another name than `{host}`")
        }
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "the certificate of Redis has expired".to_owned(),
        Some(Error::InvalidCertificate(reason)) => format!("the certificate of Redis is no good: {reason}"),
        Some(Error::InvalidMessage(_)) => {
            "what answers does not speak TLS: write redis:// instead of rediss://, or its port with TLS"
                .to_owned()
        }
        Some(other) => format!("no safe connection to Redis: {other}"),
        None => format!("Redis ended the connection before it was safe; does this port have TLS? ({error})"),
    };
    Trouble::new(Reason::Tls, sentence)
}
