//! Clients of the room that poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::room::{Behaviour, Bus, message};
use crate::socketio::{EnginePacket, Packet};

/// The sessions of all nodes, by id.
pub(super) type Polls = Arc<Mutex<HashMap<String, Poll>>>;

/// One session.
#[derive(Clone)]
pub(super) struct Poll {
    node: &'static str,
    name: Option<String>,
    out: mpsc::UnboundedSender<String>,
    waiting: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>>,
}

/// Answers one request that came to a node by its turn.
pub(super) async fn answer(
    request: &str,
    turn: &'static str,
    behaviour: &Behaviour,
    (bus, polls): (&Bus, &Polls),
) -> String {
    let cookie = request.lines().find_map(|line| line.strip_prefix("Cookie: SERVERID="));
    let led = behaviour.nodes.iter().find(|node| behaviour.is_sticky && Some(**node) == cookie);
    let node = led.copied().unwrap_or(turn);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let Some((_, sid)) = path.split_once("&sid=") else {
        return respond(node, 200, &open(node, behaviour, (bus, polls)));
    };
    let found = polls.lock().unwrap().get(sid).cloned().filter(|poll| poll.node == node);
    let Some(poll) = found else {
        return respond(node, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    };
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if request.starts_with("POST") {
        take(sid, &poll, body, behaviour, (bus, polls));
        return respond(node, 200, "ok");
    }
    let mut waiting = poll.waiting.lock().await;
    let mut packets: Vec<String> =
        timeout(Duration::from_millis(200), waiting.recv()).await.ok().flatten().into_iter().collect();
    while let Ok(next) = waiting.try_recv() {
        packets.push(next);
    }
    if packets.is_empty() {
        packets.push("6".to_owned());
    }
    respond(node, 200, &packets.join("\u{1e}"))
}

fn open(node: &'static str, behaviour: &Behaviour, (bus, polls): (&Bus, &Polls)) -> String {
    let (out, waiting) = mpsc::unbounded_channel();
    let mut news = bus.news.subscribe();
    let (told, crossing) = (out.clone(), behaviour.crossing);
    tokio::spawn(async move {
        while let Ok((from, text, entry)) = news.recv().await {
            if crossing.leads(from, node, &text) && told.send(message(&text, entry)).is_err() {
                return;
            }
        }
    });
    let mut polls = polls.lock().unwrap();
    let sid = format!("poll{}", polls.len());
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    polls.insert(sid.clone(), Poll { node, name: None, out, waiting });
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[],\"pingInterval\":50,\"pingTimeout\":5000,\"maxPayload\":100000}}"
    )
}

fn take(sid: &str, poll: &Poll, body: &str, behaviour: &Behaviour, (bus, polls): (&Bus, &Polls)) {
    let tell = |text: &str| {
        let _ = poll.out.send(EnginePacket::Message(Packet::event("message", text)).encode());
    };
    match EnginePacket::parse(body) {
        Ok(EnginePacket::Message(Packet::Connect { .. })) => {
            let _ = poll.out.send("40{\"sid\":\"s\"}".to_owned());
            // It has to be answered, and is no message.
            let _ = poll.out.send("2".to_owned());
            tell("Welcome to the chatroom!");
        }
        Ok(EnginePacket::Message(Packet::Event { name, arguments, .. })) => {
            let text = arguments[0].as_str().unwrap_or_default().to_owned();
            match (name.as_str(), &poll.name) {
                ("set_username", _) => {
                    tell(&format!("Your username is set to {text}"));
                    polls.lock().unwrap().insert(sid.to_owned(), Poll { name: Some(text), ..poll.clone() });
                }
                ("message", Some(name)) => bus.spread(behaviour, poll.node, format!("{name}: {text}")),
                _ => {}
            }
        }
        _ => {}
    }
}

fn respond(node: &str, status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/plain; charset=UTF-8\r\nX-Chat-Node: {node}\r\nSet-Cookie: \
         SERVERID={node}; Path=/\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
