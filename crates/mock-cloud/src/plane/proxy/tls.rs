//! TLS of a listener: the certificate for the name that a client asks for, and no more than its policy allows.
//!
//! What clients below TLS 1.2 may speak is not spoken here: no maintained library does.

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CipherSuite, ServerConfig, SupportedProtocolVersion, version};

use crate::plane::spec::{Certificate, Tls};

/// How a listener speaks TLS.
///
/// # Errors
/// A certificate or key cannot be read, or the policy leaves nothing to speak.
pub(super) fn acceptor(tls: &Tls) -> io::Result<TlsAcceptor> {
    let mut provider = default_provider();
    provider
        .cipher_suites
        .retain(|suite| openssl_name(suite.suite()).is_some_and(|name| tls.ciphers.contains(&name)));
    let certificates = tls.certificates.iter().map(|own| Served::new(own, &provider));
    let certificates = certificates.collect::<io::Result<Vec<Served>>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions(tls))
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(certificates)));
    if tls.http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let spoken = [("TLSv1.2", &version::TLS12), ("TLSv1.3", &version::TLS13)];
    let allowed = |(name, _): &(&str, _)| tls.versions.iter().any(|own| own == name);
    spoken.into_iter().filter(allowed).map(|(_, version)| version).collect()
}

/// What policies call a cipher suite.
fn openssl_name(suite: CipherSuite) -> Option<String> {
    let name = suite.as_str()?;
    if name.starts_with("TLS13_") {
        return Some(name.replacen("TLS13_", "TLS_", 1));
    }
    let (exchange, cipher) = name.strip_prefix("TLS_")?.split_once("_WITH_")?;
    let cipher = cipher.replace("AES_", "AES").replace('_', "-");
    Some(format!("{}-{cipher}", exchange.replace('_', "-")))
}

/// A certificate and the names it is for.
#[derive(Debug)]
struct Served {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Served {
    fn new(certificate: &Certificate, provider: &CryptoProvider) -> io::Result<Self> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(io::Error::other)?;
        let key =
            PrivateKeyDer::from_pem_slice(certificate.key.expose().as_bytes()).map_err(io::Error::other)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(io::Error::other)?;
        Ok(Self { names: certificate.names.clone(), key: Arc::new(key) })
    }

    fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    /// A wildcard stands for one label.
    fn is_for_all_of(&self, parent: &str) -> bool {
        self.names.iter().any(|own| own.strip_prefix("*.") == Some(parent))
    }
}

/// Chooses by the name a client asks for; the default one, which is the first, serves all others.
#[derive(Debug)]
struct ByName(Vec<Served>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let parent = name.split_once('.').map_or("", |(_, parent)| parent);
        let exact = self.0.iter().find(|own| own.is_for(&name));
        let chosen = exact.or_else(|| self.0.iter().find(|own| own.is_for_all_of(parent)));
        chosen.or(self.0.first()).map(|own| Arc::clone(&own.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_the_names_of_policies() {
        let cases = [
            (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
            (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
            (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ];
        for (suite, name) in cases {
            assert_eq!(openssl_name(suite).as_deref(), Some(name));
        }
    }
}
