//! Names from record to answer: what the API took is asked of the DNS server over UDP and TCP, and records that cannot
//! stand beside each other are judged when one is added and when one is changed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::Cloud;

/// How long a record may take until it is served.
const PATIENCE: Duration = Duration::from_secs(20);

type Record<'r> = (&'r str, &'r str, &'r str, &'r str);

fn parameters((host, kind, value, ttl): Record<'_>) -> Vec<(&str, &str)> {
    let mut parameters = vec![("RR", host), ("Type", kind), ("Value", value), ("TTL", ttl)];
    if kind == "MX" {
        parameters.push(("Priority", "10"));
    }
    parameters
}

async fn add(cloud: &Cloud, record: Record<'_>) -> crate::support::Answer {
    let new = [vec![("DomainName", "example.com")], parameters(record)].concat();
    cloud.call("Alidns.AddDomainRecord", &new).await
}

async fn added(cloud: &Cloud, record: Record<'_>) -> String {
    add(cloud, record).await.good()["RecordId"].as_str().unwrap().to_owned()
}

async fn update(cloud: &Cloud, id: &str, record: Record<'_>) -> crate::support::Answer {
    let change = [vec![("RecordId", id)], parameters(record)].concat();
    cloud.call("Alidns.UpdateDomainRecord", &change).await
}

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut question = Message::new(7, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    question.to_vec().unwrap()
}

async fn ask_by_udp(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question(name, kind), server).await.unwrap();
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).await.unwrap();
    Message::from_vec(&bytes[..length]).unwrap()
}

async fn ask_by_tcp(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let question = question(name, kind);
    stream.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
    stream.write_all(&question).await.unwrap();
    let length = stream.read_u16().await.unwrap();
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.unwrap();
    Message::from_vec(&bytes).unwrap()
}

/// Code and answers, the same over both ways and from who is responsible: `name TTL type data`.
async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
    let [udp, tcp] = [ask_by_udp(server, name, kind).await, ask_by_tcp(server, name, kind).await];
    assert!(udp.metadata.authoritative && tcp.metadata.authoritative, "{udp}");
    let told = |message: &Message| {
        let lines = message
            .answers
            .iter()
            .map(|one| format!("{} {} {} {}", one.name, one.ttl, one.record_type(), one.data));
        (message.metadata.response_code, lines.collect::<Vec<String>>())
    };
    assert_eq!(told(&udp), told(&tcp));
    told(&udp)
}

/// Waits for these answers; the code that came with them.
async fn until_served(server: SocketAddr, name: &str, kind: RecordType, wanted: &[&str]) -> ResponseCode {
    let begun = Instant::now();
    loop {
        let (code, lines) = ask(server, name, kind).await;
        if lines == wanted {
            return code;
        }
        assert!(begun.elapsed() < PATIENCE, "{name} {kind}: {lines:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_the_api_took_is_answered_with_its_ttl() {
    let cloud = Cloud::instant();
    let server: SocketAddr = cloud.ready["dns"].as_str().unwrap().parse().unwrap();
    let www = added(&cloud, ("www", "A", "192.0.2.1", "600")).await;
    added(&cloud, ("@", "CNAME", "www.example.com", "900")).await;
    added(&cloud, ("@", "TXT", "hello", "700")).await;
    added(&cloud, ("*.wild", "A", "192.0.2.9", "800")).await;
    let alias = "example.com. 900 CNAME www.example.com.";
    until_served(server, "x.wild.example.com.", RecordType::A, &["x.wild.example.com. 800 A 192.0.2.9"])
        .await;
    // A CNAME at the domain itself stands beside what else is there, and is followed.
    until_served(server, "example.com.", RecordType::A, &[alias, "www.example.com. 600 A 192.0.2.1"]).await;
    until_served(server, "EXAMPLE.com.", RecordType::CNAME, &["example.com. 900 CNAME www.example.com."])
        .await;
    until_served(server, "example.com.", RecordType::TXT, &["example.com. 700 TXT hello"]).await;
    assert_eq!(ask(server, "example.com.", RecordType::SOA).await.1.len(), 1);
    assert_eq!(ask(server, "none.example.com.", RecordType::A).await, (ResponseCode::NXDomain, Vec::new()));
    // There is such a name, but nothing of this type.
    assert_eq!(ask(server, "www.example.com.", RecordType::TXT).await, (ResponseCode::NoError, Vec::new()));
    let refused = ask_by_udp(server, "example.org.", RecordType::A).await;
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);

    update(&cloud, &www, ("www", "A", "192.0.2.2", "1200")).await.good();
    until_served(server, "www.example.com.", RecordType::A, &["www.example.com. 1200 A 192.0.2.2"]).await;
    let off = [("RecordId", www.as_str()), ("Status", "Disable")];
    cloud.call("Alidns.SetDomainRecordStatus", &off).await.good();
    // The alias leads to a name that is not there any more.
    let code = until_served(server, "example.com.", RecordType::A, &[alias]).await;
    assert_eq!(code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn a_cname_stands_beside_what_the_help_page_says_and_nothing_else() {
    // At the domain itself and elsewhere.
    let beside = [
        ("A", "192.0.2.1", false, false),
        ("AAAA", "2001:db8::1", false, false),
        ("SRV", "1 1 5060 sip.example.com", false, false),
        ("CAA", "0 issue \"ca.example.org\"", false, false),
        ("REDIRECT_URL", "https://example.org", false, false),
        ("CNAME", "other.example.com", false, false),
        ("MX", "mail.example.org", true, false),
        ("TXT", "hello", true, false),
    ];
    for (kind, value, at_domain, elsewhere) in beside {
        let cloud = Cloud::instant();
        for (host, stands) in [("@", at_domain), ("chat", elsewhere)] {
            let other = added(&cloud, (host, kind, value, "600")).await;
            let alias = (host, "CNAME", "www.example.com", "600");
            if stands {
                added(&cloud, alias).await;
                continue;
            }
            add(&cloud, alias).await.refused(400, "DomainRecordConflict");
            // Nor can another record become one, whichever of the two is changed.
            let free = added(&cloud, ("free", "CNAME", "www.example.com", "600")).await;
            update(&cloud, &free, alias).await.refused(400, "DomainRecordConflict");
            update(&cloud, &other, ("free", kind, value, "600")).await.refused(400, "DomainRecordConflict");
            // On another line they do not meet.
            let abroad =
                [vec![("DomainName", "example.com"), ("Line", "oversea")], parameters(alias)].concat();
            cloud.call("Alidns.AddDomainRecord", &abroad).await.good();
            cloud.call("Alidns.DeleteDomainRecord", &[("RecordId", &free)]).await.good();
            cloud.call("Alidns.DeleteDomainRecord", &[("RecordId", &other)]).await.good();
            added(&cloud, alias).await;
        }
    }
}

#[tokio::test]
async fn the_same_record_is_there_once() {
    let cloud = Cloud::instant();
    let one = added(&cloud, ("www", "A", "192.0.2.1", "600")).await;
    let two = added(&cloud, ("www", "A", "192.0.2.2", "600")).await;
    add(&cloud, ("WWW", "A", "192.0.2.1", "900")).await.refused(400, "DomainRecordDuplicate");
    update(&cloud, &two, ("www", "A", "192.0.2.1", "600")).await.refused(400, "DomainRecordDuplicate");
    update(&cloud, &one, ("www", "A", "192.0.2.1", "600")).await.refused(400, "DomainRecordDuplicate");
    update(&cloud, &one, ("www", "A", "192.0.2.1", "900")).await.good();
    add(&cloud, ("@", "CNAME", "www.example.com", "60")).await.refused(400, "QuotaExceeded.TTL");
}
