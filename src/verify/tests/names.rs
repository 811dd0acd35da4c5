//! A DNS server with one record.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record as Line, RecordType};
use tokio::net::UdpSocket;

/// What the server knows.
pub(super) enum Record {
    Alias(String, IpAddr),
    Address(IpAddr),
    Missing,
    Silent,
    /// Nothing at so many questions, then this.
    After(usize, Box<Record>),
}

pub(super) async fn serve(record: Record) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut record = record;
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            record = match record {
                Record::After(0, then) => *then,
                Record::After(left, then) => Record::After(left - 1, then),
                same @ (Record::Alias(..) | Record::Address(_) | Record::Missing | Record::Silent) => same,
            };
            if let Some(answer) = answer(&record, &question) {
                let _ = socket.send_to(&answer.to_vec().unwrap(), peer).await;
            }
        }
    });
    address
}

fn answer(record: &Record, question: &Message) -> Option<Message> {
    let query = question.queries.first()?.clone();
    let (name, kind) = (query.name().clone(), query.query_type());
    let mut lines = Vec::new();
    let address = |name: &Name, address: &IpAddr| {
        let IpAddr::V4(address) = address else { panic!("only IPv4 here") };
        Line::from_rdata(name.clone(), 600, RData::A(A(*address)))
    };
    match record {
        Record::Silent => return None,
        Record::Address(found) if kind == RecordType::A => lines.push(address(&name, found)),
        Record::Missing | Record::After(..) | Record::Address(_) => {}
        Record::Alias(target, found) => {
            let target = Name::from_ascii(format!("{target}.")).unwrap();
            if name != target {
                lines.push(Line::from_rdata(name.clone(), 600, RData::CNAME(CNAME(target.clone()))));
            }
            if kind == RecordType::A {
                lines.push(address(&target, found));
            }
        }
    }
    let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    answer.metadata.authoritative = true;
    if matches!(record, Record::Missing | Record::After(..)) {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer.add_query(query);
    answer.add_answers(lines);
    Some(answer)
}
