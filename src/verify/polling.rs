//! `polling.sticky`: two clients without WebSocket, whose every request has to reach the node that knows them.
//!
//! A client that polls makes one HTTP request after the other. The load balancer gives it a cookie by which it is led
//! to the same node again; without that, another node answers that it knows no such session.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::check::{Finding, Verdict};
use super::clients::{GREETING, named};
use super::connect::connect;
use super::crowd::{ATTEMPTS, Place};
use super::http::{Request, Response, send};
use super::scenario::{Scenario, Vantage};
use crate::socketio::{EnginePacket, Packet};

/// The cookie of an ALB that inserts one.
const COOKIE: &str = "SERVERID";
/// Separates the packets of one answer.
const SEPARATOR: char = '\u{1e}';

/// One client that polls.
struct Poller<'a> {
    scenario: &'a Scenario,
    vantage: &'a Vantage,
    address: IpAddr,
    path: String,
    cookie: String,
    node: String,
    requests: usize,
    name: String,
    waiting: VecDeque<String>,
}

/// Lets two of them meet on two nodes and hear each other.
pub(super) async fn check(place: &Place<'_>) -> Verdict {
    let url = place.scenario.url("/socket.io/?EIO=4&transport=polling");
    let fail = |why: String| {
        Finding::new(format!("expected two clients to talk by long-polling, each on one node, but {why}"))
            .hint(format!("curl -sv '{url}' 2>&1 | grep -i -e set-cookie -e x-chat-node"))
    };
    let (mut first, mut second) = meet(place).await.map_err(fail)?;
    let deadline = place.scenario.deadline;
    for one in [&mut first, &mut second] {
        one.introduce(deadline).await.map_err(fail)?;
    }
    let nonce = place.nonce;
    for (from, to) in [(0, 1), (1, 0)] {
        let both = [&mut first, &mut second];
        let text = format!("{}: {nonce}", both[from].name);
        both[from].say("message", nonce).await.map_err(fail)?;
        both[to].hear(&text, deadline).await.map_err(fail)?;
    }
    let finding = Finding::new(format!(
        "clients that poll stay on {} and {} for {} and {} requests, and hear each other",
        first.node, second.node, first.requests, second.requests
    ))
    .with("node_a", &first.node)
    .with("node_b", &second.node)
    .with("requests", first.requests + second.requests)
    .with("cookie", COOKIE);
    first.leave().await;
    second.leave().await;
    Ok(finding)
}

async fn meet<'a>(place: &Place<'a>) -> Result<(Poller<'a>, Poller<'a>), String> {
    let [here, there] = &place.scenario.sources;
    let nonce = place.nonce;
    let address = |turn: usize| place.addresses[turn % place.addresses.len()];
    let first = Poller::arrive(place.scenario, here, address(0), format!("pa-{nonce}")).await?;
    for attempt in 1..=ATTEMPTS {
        let second = Poller::arrive(place.scenario, there, address(attempt), format!("pb-{nonce}")).await?;
        if second.node != first.node {
            return Ok((first, second));
        }
        second.leave().await;
    }
    Err(format!("{ATTEMPTS} clients in a row were led to {}", first.node))
}

impl<'a> Poller<'a> {
    async fn arrive(
        scenario: &'a Scenario,
        vantage: &'a Vantage,
        address: IpAddr,
        name: String,
    ) -> Result<Self, String> {
        let path = "/socket.io/?EIO=4&transport=polling".to_owned();
        let (cookie, node) = (String::new(), String::new());
        let waiting = VecDeque::new();
        let mut own = Self { scenario, vantage, address, path, cookie, node, requests: 0, name, waiting };
        let opened = own.request(None).await?;
        let EnginePacket::Open(handshake) = parse(&opened.body)? else {
            return Err(format!("the first answer is `{}`", beginning(&opened.body)));
        };
        // Without a cookie it goes on, and whether it stays shows by itself.
        own.cookie = opened.sets_cookie(COOKIE).unwrap_or_default().to_owned();
        opened.header("x-chat-node").clone_into(&mut own.node);
        own.path = format!("{}&sid={}", own.path, handshake.sid);
        own.post(&EnginePacket::Message(Packet::Connect { namespace: "/".to_owned(), data: None })).await?;
        own.hear(GREETING, scenario.deadline).await?;
        Ok(own)
    }

    /// One request of the session, which has to reach its node.
    async fn request(&mut self, body: Option<&str>) -> Result<Response, String> {
        let stream =
            connect(self.scenario, self.vantage, self.address).await.map_err(|error| error.to_string())?;
        let authority = self.scenario.authority();
        let request = Request { authority: &authority, path: &self.path, cookie: &self.cookie, body };
        let response = send(self.scenario, stream, request).await?;
        self.requests += 1;
        let node = response.header("x-chat-node");
        if !self.node.is_empty() && node != self.node {
            let found = if node.is_empty() { "no node" } else { node };
            return Err(format!(
                "request {} of a session on {} reached {found}; likely layer: the server group (sticky sessions are off, \
                 or its node is away)",
                self.requests, self.node
            ));
        }
        if response.status != 200 {
            let (status, reason) = (response.status, response.likely());
            return Err(format!("request {} was answered with {status}{reason}", self.requests));
        }
        Ok(response)
    }

    async fn post(&mut self, packet: &EnginePacket) -> Result<(), String> {
        self.request(Some(&packet.encode())).await.map(drop)
    }

    async fn say(&mut self, event: &str, text: &str) -> Result<(), String> {
        self.post(&EnginePacket::Message(Packet::event(event, text))).await
    }

    async fn introduce(&mut self, deadline: Duration) -> Result<(), String> {
        let name = self.name.clone();
        self.say("set_username", &name).await?;
        self.hear(&named(&name), deadline).await
    }

    /// Polls until exactly this text comes.
    async fn hear(&mut self, text: &str, deadline: Duration) -> Result<(), String> {
        let started = Instant::now();
        loop {
            while let Some(said) = self.waiting.pop_front() {
                if said == text {
                    return Ok(());
                }
            }
            if started.elapsed() > deadline {
                return Err(format!(
                    "`{text}` did not come to {} within {:.1} s",
                    self.node,
                    deadline.as_secs_f64()
                ));
            }
            self.poll().await?;
        }
    }

    /// Takes what waits, and answers a ping.
    async fn poll(&mut self) -> Result<(), String> {
        let answer = self.request(None).await?;
        for text in answer.body.split(SEPARATOR) {
            match parse(text)? {
                EnginePacket::Ping(probe) => self.post(&EnginePacket::Pong(probe)).await?,
                EnginePacket::Message(Packet::Event { name, arguments, .. }) if name == "message" => {
                    let said = arguments.first().and_then(serde_json::Value::as_str).unwrap_or_default();
                    self.waiting.push_back(said.to_owned());
                }
                EnginePacket::Close => return Err(format!("{} closed the session", self.node)),
                EnginePacket::Open(_)
                | EnginePacket::Pong(_)
                | EnginePacket::Message(_)
                | EnginePacket::Upgrade
                | EnginePacket::Noop => {}
            }
        }
        Ok(())
    }

    /// Leaves; a node that does not answer forgets it by itself.
    async fn leave(mut self) {
        let _ = self.post(&EnginePacket::Close).await;
    }
}

fn parse(text: &str) -> Result<EnginePacket, String> {
    EnginePacket::parse(text).map_err(|error| error.to_string())
}

fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}
