//! From an uploaded certificate to a handshake: a TLS listener serves what the store holds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mock_cloud::gates::Gates;
use mock_cloud::plane::{HostKind, Plane, PlaneConfig};
use mock_cloud::world::World;
use mock_cloud::world::pace::Pace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::certificates::{Issued, first_block, id_of, make_balancer, valid};
use crate::model::{call, text, world};

const PATIENCE: Duration = Duration::from_secs(20);

/// A world whose wishes a data plane fulfils.
struct Setup {
    world: World,
    plane: Plane,
    _folder: tempfile::TempDir,
}

impl Setup {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let config = PlaneConfig { hosts: HostKind::Process, data, gates: Gates::default() };
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_mock-cloud"));
        let plane = Plane::start_with_supervisor(config, supervisor).await.unwrap();
        Self { world: world(Pace::Instant, HostKind::Process), plane, _folder: folder }
    }

    fn upload(&mut self, name: &str, issued: &Issued) -> String {
        let new = [("Name", name), ("Cert", issued.chain.as_str()), ("Key", issued.key.as_str())];
        id_of(&call(&mut self.world, "cas.UploadUserCertificate", &new).unwrap())
    }

    /// Hands the world over and waits until a new connection to port 443 is served with this certificate.
    async fn serves(&self, address: &str, domain: &str, issued: &Issued) {
        self.plane.reconcile(self.world.desired());
        let expected = first_block(&issued.chain);
        let wait = async {
            loop {
                let socket = self.plane.status().connect_to.get(address).copied();
                let shown = match socket {
                    Some(socket) => handshake(socket, domain, issued).await.ok(),
                    None => None,
                };
                if shown.as_ref().is_some_and(|(certificate, _)| *certificate == expected) {
                    return shown.unwrap().1;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reply = tokio::time::timeout(PATIENCE, wait).await;
        let reply = reply.unwrap_or_else(|_| panic!("{domain} is never served at {address}"));
        assert!(reply.starts_with("HTTP/1.1 5"), "the group has no servers: {reply}");
    }
}

/// Connects, trusting only who signed this certificate; answers the certificate shown and the reply to a request.
async fn handshake(socket: SocketAddr, domain: &str, issued: &Issued) -> std::io::Result<(Vec<u8>, String)> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::pem_slice_iter(issued.chain.as_bytes()).nth(1).unwrap().unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(socket).await?;
    let name = ServerName::try_from(domain.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let request = format!("GET / HTTP/1.1\r\nhost: {domain}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = vec![0; 64];
    let length = stream.read(&mut reply).await?;
    Ok((shown, String::from_utf8_lossy(&reply[..length]).into_owned()))
}

#[tokio::test]
async fn a_listener_serves_its_certificate_the_next_one_and_a_deleted_one() {
    let mut setup = Setup::start().await;
    let world = &mut setup.world;
    let (balancer, group) = make_balancer(async |name: &str, given: Vec<(&str, String)>| {
        let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        call(world, name, &given).unwrap()
    })
    .await;
    let (first, second) = (valid("a.example"), valid("b.example"));
    let ids = [setup.upload("first", &first), setup.upload("second", &second)];
    let identifiers = ids.each_ref().map(|id| format!("{id}-cn-hangzhou"));
    let new = [
        ("LoadBalancerId", balancer.as_str()),
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &group),
        ("Certificates.1.CertificateId", &identifiers[0]),
    ];
    let listener = text(&call(&mut setup.world, "Alb.CreateListener", &new).unwrap()["ListenerId"]);
    let shown =
        call(&mut setup.world, "Alb.GetLoadBalancerAttribute", &[("LoadBalancerId", &balancer)]).unwrap();
    let address = text(&shown["ZoneMappings"][0]["LoadBalancerAddresses"][0]["Address"]) + ":443";
    setup.serves(&address, "a.example", &first).await;

    let change = [("ListenerId", listener.as_str()), ("Certificates.1.CertificateId", &identifiers[1])];
    call(&mut setup.world, "Alb.UpdateListenerAttribute", &change).unwrap();
    setup.serves(&address, "b.example", &second).await;

    call(&mut setup.world, "cas.DeleteUserCertificate", &[("CertId", &ids[1])]).unwrap();
    let desired = setup.world.desired();
    assert!(desired.load_balancers[&balancer].listeners.contains_key(&listener), "it goes on");
    setup.serves(&address, "b.example", &second).await;
    setup.plane.shutdown().await;
}
