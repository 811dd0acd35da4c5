//! TLS: certificates by name, the protocols and ciphers of security policies, and servers that speak it themselves.

use std::net::SocketAddr;
use std::sync::Arc;

use mock_cloud::plane::spec::{
    Certificate, CheckProtocol, Listener, ListenerProtocol, LoadBalancer, ServerProtocol, Tls,
};
use mock_cloud::secret::Secret;
use mock_cloud::world::tls_policy;
use rcgen::generate_simple_self_signed;
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion,
    version,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::balance::setup::{GROUP, Setup, says};
use crate::support::eventually;

/// A certificate that is its own authority.
pub(crate) fn issue(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let issued = generate_simple_self_signed(names.clone()).unwrap();
    let key = Secret::new(issued.signing_key.serialize_pem());
    Certificate { chain: issued.cert.pem(), key, names }
}

/// The bytes of a certificate.
fn bytes(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap()
}

/// What a server needs to speak TLS with this certificate.
pub(crate) fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(certificate.key.expose().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![bytes(certificate)], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The listener over TLS, with these certificates and this policy.
pub(crate) fn https(listener: &mut Listener, certificates: &[Certificate], policy: &str) {
    let policy = tls_policy::find(policy).unwrap();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    listener.port = 443;
    listener.protocol = ListenerProtocol::Https(Tls {
        certificates: certificates.to_vec(),
        versions: owned(policy.versions),
        ciphers: owned(&policy.ciphers.concat()),
        http2: true,
    });
}

pub(crate) async fn secure(certificates: &[Certificate], policy: &str) -> Setup {
    let change = |balancer: &mut LoadBalancer| {
        https(balancer.listeners.get_mut("lsn-1").unwrap(), certificates, policy);
    };
    Setup::with([100, 100], change).await
}

/// What a client saw of a handshake.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    certificate: CertificateDer<'static>,
    version: ProtocolVersion,
    suite: CipherSuite,
}

/// What a client needs that trusts these certificates.
pub(crate) fn client_config(trusted: &[Certificate]) -> Arc<ClientConfig> {
    config(trusted, BOTH, None)
}

fn config(
    trusted: &[Certificate],
    versions: &[&'static SupportedProtocolVersion],
    only: Option<CipherSuite>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(bytes(certificate)).unwrap();
    }
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| only.is_none_or(|only| suite.suite() == only));
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A client that trusts these certificates and speaks these versions; with one suite only, if one is given.
async fn handshake(
    front: SocketAddr,
    name: &str,
    trusted: &[Certificate],
    versions: &[&'static SupportedProtocolVersion],
    only: Option<CipherSuite>,
) -> std::io::Result<Shown> {
    let stream = TcpStream::connect(front).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(config(trusted, versions, only)).connect(name, stream).await?;
    let session = stream.get_ref().1;
    Ok(Shown {
        certificate: session.peer_certificates().unwrap()[0].clone(),
        version: session.protocol_version().unwrap(),
        suite: session.negotiated_cipher_suite().unwrap().suite(),
    })
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_the_one_for_the_name_asked_for() {
    let all =
        [issue(&["example.com"]), issue(&["chat.example.org", "www.example.org"]), issue(&["*.example.org"])];
    let setup = secure(&all, "tls_cipher_policy_1_2").await;
    for (name, served) in [("example.com", 0), ("WWW.example.org", 1), ("other.example.org", 2)] {
        let shown = handshake(setup.front, name, &all, BOTH, None).await.unwrap();
        assert_eq!(shown.certificate, bytes(&all[served]), "{name}");
    }
    // The default one for all other names, which do not fit it; a wildcard stands for one label.
    for name in ["example.net", "a.b.example.org"] {
        let refused = handshake(setup.front, name, &all, BOTH, None).await.unwrap_err();
        assert!(refused.to_string().contains("not valid for name"), "{refused}");
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_while_connections_stay() {
    let (old, new) = (issue(&["example.com"]), issue(&["example.com"]));
    let mut setup = secure(std::slice::from_ref(&old), "tls_cipher_policy_1_2").await;
    let client = client(&setup, &old).build().unwrap();
    ask(&client).await;
    https(setup.listener(), std::slice::from_ref(&new), "tls_cipher_policy_1_2");
    setup.region.apply();
    let is_new =
        async || handshake(setup.front, "example.com", std::slice::from_ref(&new), BOTH, None).await.is_ok();
    eventually("the new certificate", is_new).await;
    // This client trusts the old one alone, so it can only be answered on the connection that it has.
    ask(&client).await;
    setup.end().await;
}

/// A request that succeeds.
async fn ask(client: &reqwest::Client) {
    let answer = client.get("https://example.com/").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// A client that knows the load balancer by its domain and trusts its certificate.
pub(crate) fn client(setup: &Setup, trusted: &Certificate) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(trusted.chain.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([root]).resolve("example.com", setup.front)
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_say_which_versions_are_spoken() {
    let all = [issue(&["example.com"])];
    let mut setup = secure(&all, "tls_cipher_policy_1_0").await;
    let (tls12, tls13) = (ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3);
    let cases = [
        ("tls_cipher_policy_1_0", Some(tls12), None),
        ("tls_cipher_policy_1_1", Some(tls12), None),
        ("tls_cipher_policy_1_2", Some(tls12), None),
        ("tls_cipher_policy_1_2_strict", Some(tls12), None),
        ("tls_cipher_policy_1_2_strict_with_1_3", Some(tls12), Some(tls13)),
        ("tls_cipher_policy_1_0_to_1_3", Some(tls12), Some(tls13)),
    ];
    for (policy, old, new) in cases {
        https(setup.listener(), &all, policy);
        setup.region.apply();
        let holds = async || {
            let spoken = async |version| {
                let shown = handshake(setup.front, "example.com", &all, &[version], None).await;
                shown.ok().map(|shown| shown.version)
            };
            (spoken(&version::TLS12).await, spoken(&version::TLS13).await) == (old, new)
        };
        eventually(policy, holds).await;
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_say_which_ciphers_are_spoken() {
    let all = [issue(&["example.com"])];
    let setup = secure(&all, "tls_cipher_policy_1_2").await;
    let spoken = async |suite| {
        handshake(setup.front, "example.com", &all, BOTH, Some(suite)).await.map(|shown| shown.suite)
    };
    let allowed = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    assert_eq!(spoken(allowed).await.unwrap(), allowed);
    // No policy of the cloud has it for TLS 1.2.
    let other = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    assert!(spoken(other).await.is_err());
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_can_speak_tls_themselves() {
    let acceptor = acceptor(&issue(&["unknown.example.com"]));
    let setup = Setup::with_servers([100, 100], Some(acceptor), |balancer| {
        for group in balancer.server_groups.values_mut() {
            group.protocol = ServerProtocol::Https;
            group.health_check.protocol = CheckProtocol::Https;
        }
    })
    .await;
    assert_eq!(setup.turns(6).await, (3, 3));
    says(&mut setup.upgrade().await, "over it").await;
    assert!(setup.region.desired.load_balancers["alb-1"].server_groups.contains_key(GROUP));
    setup.end().await;
}
