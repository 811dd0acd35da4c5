//! The same room over TLS, with certificates of every fault, and before it a listener that leads there.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::*;
use crate::base::certificate::{self, Certificate, Chain};
use crate::base::secret::Secret;
use crate::verify::Tls;

/// A certificate for names, signed by somebody nobody knows, valid from one year to another.
fn signed(names: &[&str], years: (i32, i32)) -> Certificate {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut wanted =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    (wanted.not_before, wanted.not_after) =
        (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
    let made = wanted.signed_by(&key, &Issuer::from_params(&authority, &authority_key)).unwrap();
    let chain = Chain::read(&format!("{}{}", made.pem(), signed.pem())).unwrap();
    chain.with_key(Secret::new(key.serialize_pem())).unwrap()
}

fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(certificate.key.expose().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.chain.blocks().to_vec(), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The room shows one certificate, and the certificate service keeps another, or the same.
async fn over_tls(shown: &Certificate, kept: &Certificate) -> Scenario {
    let behaviour = Behaviour { tls: Some(acceptor(shown)), ..Behaviour::default() };
    let plain = scenario(behaviour, alias()).await;
    Scenario { tls: Some(Tls::new(vec![kept.chain.server.sha256.clone()]).unwrap()), ..plain }
}

/// Answers everything with a head, on a port of its own; gives the scenario with it.
async fn before_it(scenario: Scenario, head: &'static str) -> Scenario {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 2000]).await;
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    let AddressMap::Mapped(map) = &scenario.address_map else { panic!("the room is mapped") };
    let mut map = map.clone();
    map.insert(SocketAddr::new(OUTSIDE, 80), address);
    Scenario { redirect_from: Some(80), address_map: AddressMap::Mapped(map), ..scenario }
}

const LEADS_THERE: &str =
    "HTTP/1.1 308 X\r\nLocation: https://example.com:5000/?from=verify\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_kept_certificate_is_trusted_with_its_chain_and_all_goes_over_it() {
    for certificate in
        [signed(&["example.com"], (2020, 2090)), certificate::self_signed("example.com").unwrap()]
    {
        let scenario = before_it(over_tls(&certificate, &certificate).await, LEADS_THERE).await;
        let report = report(&scenario).await;
        assert_eq!(failed(&report), [""; 0], "{report:#?}");
        assert_eq!(report.count(Status::Skipped), 2, "idle.survives takes long, failover stops a node");
        let valid = check(&report, CheckId::TlsValid);
        assert!(valid.evidence["trusted_by"].starts_with("the certificate service"), "{valid:?}");
        assert_eq!(
            (valid.evidence["protocol"].as_str(), valid.evidence["names"].as_str()),
            ("TLS 1.3", "example.com")
        );
        assert_eq!(valid.evidence["sha256"], certificate.chain.server.sha256);
        assert!(
            valid.evidence.contains_key("issuer") && valid.evidence.contains_key("days_left"),
            "{valid:?}"
        );
        let redirects = check(&report, CheckId::HttpRedirects);
        assert_eq!(redirects.evidence["status"], "308");
        assert!(redirects.evidence["location"].starts_with("https://example.com:5000/"), "{redirects:?}");
        assert!(
            check(&report, CheckId::PageLoads).sentence.starts_with("https://example.com:5000/ answered 200")
        );
    }
}

/// As `openssl req -x509` makes it where nobody says otherwise.
fn of_an_authority(name: &str, years: (i32, i32)) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::new(vec![name.to_owned()]).unwrap();
    wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (wanted.not_before, wanted.not_after) =
        (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
    let made = wanted.self_signed(&key).unwrap();
    Chain::read(&made.pem()).unwrap().with_key(Secret::new(key.serialize_pem())).unwrap()
}

#[tokio::test]
async fn a_kept_certificate_that_says_it_is_an_authority_is_held_to_its_name_and_its_dates() {
    let good = of_an_authority("example.com", (2020, 2090));
    let report = report(&over_tls(&good, &good).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    for (shown, words) in [
        (of_an_authority("example.org", (2020, 2090)), "example.org"),
        (of_an_authority("example.com", (2020, 2021)), "ended on 2021"),
        (of_an_authority("example.com", (2080, 2090)), "begins on 2080"),
    ] {
        let told = refused(&shown, &shown).await;
        assert!(told.contains(words), "{told}");
    }
    let told = refused(&good, &of_an_authority("example.com", (2020, 2090))).await;
    assert!(told.contains("whom this machine does not trust"), "another one of the same name: {told}");
}

/// The sentence of `tls.valid`, which fails, and with it all that comes after it.
async fn refused(shown: &Certificate, kept: &Certificate) -> String {
    let report = report(&over_tls(shown, kept).await).await;
    // What nobody asked for is left out all the same, and is no failure.
    for skipped in [CheckId::HttpRedirects, CheckId::IdleSurvives, CheckId::Failover] {
        assert_eq!(check(&report, skipped).status, Status::Skipped, "{report:#?}");
    }
    assert_eq!(failed(&report).len(), CheckId::OF_CHAT.len() - 4, "{report:#?}");
    assert_eq!(check(&report, CheckId::PageLoads).sentence, "not reached because tls.valid failed");
    let valid = check(&report, CheckId::TlsValid);
    assert!(
        valid.hint.as_ref().unwrap().starts_with("openssl s_client -connect example.com:5000"),
        "{valid:?}"
    );
    valid.sentence.clone()
}

#[tokio::test]
async fn wrong_ended_early_and_unknown_certificates_are_told_apart() {
    let good = signed(&["example.com"], (2020, 2090));
    let cases = [
        (
            signed(&["example.org", "*.example.com"], (2020, 2090)),
            "is for example.org, *.example.com, not for example.com",
        ),
        (signed(&["example.com"], (2020, 2021)), "ended on 2021-01-01"),
        (signed(&["example.com"], (2089, 2090)), "begins on 2089-01-01"),
    ];
    for (certificate, words) in cases {
        let sentence = refused(&certificate, &certificate).await;
        assert!(sentence.contains(words), "{sentence}");
    }
    let sentence = refused(&signed(&["example.com"], (2020, 2090)), &good).await;
    assert!(sentence.contains("is not the one that the certificate service keeps"), "{sentence}");
}

#[tokio::test]
async fn a_listener_that_does_not_speak_tls_fails_at_once() {
    let certificate = certificate::self_signed("example.com").unwrap();
    let plain = scenario(Behaviour::default(), alias()).await;
    let kept = vec![certificate.chain.server.sha256];
    let report = report(&Scenario { tls: Some(Tls::new(kept).unwrap()), ..plain }).await;
    let valid = check(&report, CheckId::TlsValid);
    assert!(valid.sentence.contains("the TLS handshake"), "{valid:?}");
}

#[tokio::test]
async fn a_redirect_that_is_missing_or_leads_elsewhere_fails_alone() {
    let certificate = certificate::self_signed("example.com").unwrap();
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "but the status is 200"),
        (
            "HTTP/1.1 308 X\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n",
            "it leads to `https://example.org/`",
        ),
        ("HTTP/1.1 308 X\r\nContent-Length: 0\r\n\r\n", "it leads to ``"),
        ("HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", "the load balancer has no answer from any node"),
    ];
    for (head, words) in cases {
        let report = report(&before_it(over_tls(&certificate, &certificate).await, head).await).await;
        assert_eq!(failed(&report), ["http.redirects"], "{report:#?}");
        let redirects = check(&report, CheckId::HttpRedirects);
        assert!(redirects.sentence.contains(words), "{redirects:?}");
    }
}

#[tokio::test]
async fn without_a_redirect_in_the_topology_nobody_looks_for_one() {
    let certificate = certificate::self_signed("example.com").unwrap();
    let report = report(&over_tls(&certificate, &certificate).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let skipped = check(&report, CheckId::HttpRedirects);
    assert_eq!(
        (skipped.status, skipped.sentence.as_str()),
        (Status::Skipped, "the topology has no `redirect_from`")
    );
}
