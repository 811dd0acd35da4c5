//! `tls.valid`, and the trust that every connection of a verification over https rests on.
//!
//! A certificate is taken when its chain leads to a root that this machine trusts, as browsers do; or when it is the very
//! one that the certificate service keeps for the listener, whose digest came over an authenticated channel. Then the end
//! of its own chain is the root, so that the chain, the host name and the dates are checked all the same. The private key
//! is proven by the handshake.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::check::{Finding, Verdict};
use super::connect::{ConnectError, connect_plain, secure};
use super::scenario::Scenario;
use crate::base::certificate::Details;
use crate::base::clock;

/// How https is spoken to the listener.
#[derive(Clone)]
pub struct Tls {
    verifier: Arc<Verifier>,
    connector: TlsConnector,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("kept", &self.verifier.kept).finish_non_exhaustive()
    }
}

impl Tls {
    /// With the digests (SHA-256, upper-case hex) of the certificate that the certificate service keeps for the listener;
    /// without any only what this machine trusts counts.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn new(kept: Vec<String>) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let public = if roots.is_empty() { None } else { Some(checking(roots, &provider)?) };
        let verifier =
            Arc::new(Verifier { provider: provider.clone(), public, kept, seen: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        Ok(Self { verifier, connector: TlsConnector::from(Arc::new(config)) })
    }

    pub(super) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    fn seen(&self) -> Option<Seen> {
        self.verifier.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the other side showed last.
#[derive(Debug, Clone)]
struct Seen {
    server: Result<Details, String>,
    length: usize,
    is_kept: bool,
    trust: Option<Trust>,
}

/// Why a chain is taken.
#[derive(Debug, Clone, Copy)]
enum Trust {
    Machine,
    Service,
}

impl fmt::Display for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Machine => "a root that this machine trusts",
            Self::Service => "the certificate service, which keeps this very certificate",
        })
    }
}

#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    public: Option<Arc<WebPkiServerVerifier>>,
    kept: Vec<String>,
    seen: Mutex<Option<Seen>>,
}

fn checking(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

impl Verifier {
    /// Checks a chain against what this machine trusts, else, when it is the one that is kept, against its own end.
    fn judge(
        &self,
        (server, behind): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        name: &ServerName<'_>,
        now: UnixTime,
        is_kept: bool,
    ) -> Result<Trust, Error> {
        let publicly =
            self.public.as_ref().map(|public| public.verify_server_cert(server, behind, name, &[], now));
        let refused = match publicly {
            Some(Ok(_)) => return Ok(Trust::Machine),
            // Alone and not taken for one of a server: nobody vouches for it, whatever else it says.
            Some(Err(Error::InvalidCertificate(CertificateError::Other(_)))) if behind.is_empty() => {
                CertificateError::UnknownIssuer.into()
            }
            Some(Err(error)) => error,
            None => CertificateError::UnknownIssuer.into(),
        };
        if !is_kept {
            return Err(refused);
        }
        let mut roots = RootCertStore::empty();
        roots.add(behind.last().unwrap_or(server).clone().into_owned())?;
        match checking(roots, &self.provider)?.verify_server_cert(server, behind, name, &[], now) {
            Ok(_) => {}
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if behind.is_empty() => {
                check_alone(server, name, now)?;
            }
            Err(error) => return Err(error),
        }
        Ok(Trust::Service)
    }
}

/// Checks name and dates of a certificate that stands alone and says that it is one of an authority, as `openssl req -x509`
/// makes them. Browsers take it for one of a server, the library does not. There is no chain to be checked.
fn check_alone(server: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let details = Details::read(server).map_err(|error| Error::General(error.to_string()))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < details.begins.as_second() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > details.ends.as_second() {
        return Err(CertificateError::Expired.into());
    }
    // An address is no name: no certificate here is for one.
    let is_for_it = matches!(name, ServerName::DnsName(name) if details.covers(name.as_ref()));
    if is_for_it { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        behind: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let details = Details::read(server).map_err(|error| error.to_string());
        let is_kept = details.as_ref().is_ok_and(|details| self.kept.contains(&details.sha256));
        let verdict = self.judge((server, behind), name, now, is_kept);
        let trust = verdict.as_ref().ok().copied();
        let seen = Seen { server: details, length: behind.len() + 1, is_kept, trust };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        verdict.map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shakes hands once and says with whom.
pub(super) async fn check(scenario: &Scenario, tls: &Tls, address: IpAddr) -> Verdict {
    let authority = format!("{}:{}", scenario.host, scenario.port);
    let fail = |seen: String| {
        let finding = Finding::new(format!("expected a valid certificate for {authority}, but {seen}"));
        let finding = told(finding.with("address", address), tls.seen().as_ref());
        finding.hint(format!(
            "openssl s_client -connect {authority} -servername {} -showcerts </dev/null",
            scenario.host
        ))
    };
    let stream = connect_plain(scenario, &scenario.sources[0], (address, scenario.port)).await;
    let stream = stream.map_err(|error| fail(error.to_string()))?;
    let stream = secure(scenario, tls, stream).await.map_err(|error| fail(words(&error, scenario, tls)))?;
    let protocol = stream.get_ref().1.protocol_version().and_then(|version| version.as_str());
    let protocol = protocol.unwrap_or("TLS").replace('_', ".").replace("TLSv", "TLS ");
    let seen = tls.seen();
    let words = match &seen {
        Some(Seen { server: Ok(server), .. }) => format!(
            "the certificate of {} is valid until {}, {protocol}",
            server.names.join(", "),
            server.ends.strftime("%Y-%m-%d")
        ),
        Some(_) | None => format!("a valid certificate, {protocol}"),
    };
    Ok(told(Finding::new(words).with("address", address).with("protocol", protocol), seen.as_ref()))
}

/// With what the other side showed.
fn told(finding: Finding, seen: Option<&Seen>) -> Finding {
    let Some(seen) = seen else { return finding };
    let finding = match &seen.server {
        Ok(server) => finding
            .with("subject", &server.subject)
            .with("names", server.names.join(" "))
            .with("issuer", &server.issuer)
            .with("ends", server.ends)
            .with("days_left", server.days_left(clock::now()))
            .with("sha256", &server.sha256),
        Err(why) => finding.with("certificate", why),
    };
    let finding = finding.with("chain", seen.length).with("kept_by_service", seen.is_kept);
    match seen.trust {
        Some(trust) => finding.with("trusted_by", trust),
        None => finding,
    }
}

/// Why a handshake did not come to its end, in the words of who looks after the certificate.
fn words(error: &ConnectError, scenario: &Scenario, tls: &Tls) -> String {
    let ConnectError::Tls(Error::InvalidCertificate(why)) = error else { return error.to_string() };
    let seen = tls.seen();
    let server = seen.as_ref().and_then(|seen| seen.server.as_ref().ok());
    let day = |moment: jiff::Timestamp| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    match (why, server) {
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            Some(server),
        ) => {
            format!("the one shown is for {}, not for {}", server.names.join(", "), scenario.host)
        }
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, Some(server)) => {
            format!("the one shown ended on {}", day(server.ends))
        }
        (CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }, Some(server)) => {
            format!("the one shown begins on {}", day(server.begins))
        }
        (CertificateError::UnknownIssuer, Some(server)) => format!(
            "the one shown is signed by {}, whom this machine does not trust, and is not the one that the certificate \
             service keeps for the listener",
            server.issuer
        ),
        (other, _) => format!("the one shown is not valid: {other}"),
    }
}
