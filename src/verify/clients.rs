//! The two people of the proof: connected from two places, on two nodes, talking.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::check::{Finding, Verdict};
use super::connect::{Stream, connect};
use super::crowd::ATTEMPTS;
use super::scenario::{Scenario, Vantage};
use crate::socketio::{Client, ClientError, Event};

/// Where to look when messages do not cross.
pub(super) const REDIS_HINT: &str = "on the Redis host: `systemctl status albatross-redis.service`, of a \
                                     managed Redis its state in the console; on each node: `curl -s \
                                     http://ADDRESS:PORT/readyz`";
pub(super) const GREETING: &str = "Welcome to the chatroom!";
/// How a node begins when it could not pass a message on.
const NOT_SENT: &str = "Failed to send the message.";
const NAME_FIRST: &str = "Failed to send the message. Specify a username first.";

/// What a node says to somebody who took a name.
pub(super) fn named(name: &str) -> String {
    format!("Your username is set to {name}")
}

/// One connected person.
#[derive(Debug)]
pub(super) struct Person {
    client: Client<Box<dyn Stream>>,
    /// Unique to this run, so that a busy room does not confuse it.
    pub(super) name: String,
    /// Which node answered.
    pub(super) node: String,
}

impl Person {
    /// Connects from a vantage point to one of the load balancer's addresses; what went wrong is part of a sentence.
    pub(super) async fn arrive(
        scenario: &Scenario,
        vantage: &Vantage,
        address: IpAddr,
        name: String,
    ) -> Result<Self, String> {
        let stream = connect(scenario, vantage, address).await.map_err(|error| error.to_string())?;
        let client = Client::connect(stream, &scenario.authority(), scenario.deadline)
            .await
            .map_err(|error| words(&error))?;
        let node = client.header("x-chat-node").unwrap_or_default().to_owned();
        Ok(Self { client, name, node })
    }

    /// Takes its name.
    pub(super) async fn introduce(&mut self, deadline: Duration) -> Result<(), String> {
        let name = self.name.clone();
        self.say("set_username", &name).await?;
        self.hear(&named(&name), deadline).await.map(drop)
    }

    /// The next event, answering pings on the way.
    pub(super) async fn next_event(&mut self, deadline: Duration) -> Result<Event, ClientError> {
        self.client.next_event(deadline).await
    }

    /// Leaves.
    pub(super) async fn leave(self) {
        self.client.close().await;
    }

    /// Waits until exactly this text arrives; what others say in the meantime is passed over.
    pub(super) async fn hear(&mut self, text: &str, deadline: Duration) -> Result<Duration, String> {
        self.hear_since(Instant::now(), text, deadline).await
    }

    /// As [`Person::hear`]; the time is counted from `started`, which is before the text was sent.
    async fn hear_since(
        &mut self,
        started: Instant,
        text: &str,
        deadline: Duration,
    ) -> Result<Duration, String> {
        while self.next_said(started, deadline).await? != text {}
        Ok(started.elapsed())
    }

    /// The next text of the room, until so long after `started`.
    async fn next_said(&mut self, started: Instant, deadline: Duration) -> Result<String, String> {
        loop {
            let left = deadline.saturating_sub(started.elapsed());
            match self.client.next_event(left).await {
                Ok(event) if event.name == "message" => return Ok(event.text().to_owned()),
                Ok(_) => {}
                Err(ClientError::TimedOut { .. }) => {
                    return Err(format!("nothing like it came within {:.1} s", deadline.as_secs_f64()));
                }
                Err(error) => return Err(words(&error)),
            }
        }
    }

    /// As [`Person::hear_since`] for one's own words, but a node that says that it could not send them is believed at
    /// once, and `refused` is told.
    async fn hear_own(
        &mut self,
        started: Instant,
        text: &str,
        deadline: Duration,
        refused: &Notify,
    ) -> Result<Duration, String> {
        loop {
            let said = self.next_said(started, deadline).await?;
            if said == text {
                return Ok(started.elapsed());
            }
            if said.starts_with(NOT_SENT) {
                refused.notify_one();
                return Err(format!("the node said `{said}`"));
            }
        }
    }

    /// Sends one text under the name of an event.
    pub(super) async fn say(&mut self, event: &str, text: &str) -> Result<(), String> {
        self.client.emit(event, text).await.map_err(|error| words(&error))
    }

    /// The node in a sentence.
    pub(super) fn on(&self) -> &str {
        if self.node.is_empty() { "an unnamed node" } else { &self.node }
    }
}

/// An error with its causes, as part of a sentence.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Both of them, on two nodes if that can be had.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) first: Person,
    pub(super) second: Person,
    attempts: usize,
    deadline: Duration,
}

impl Pair {
    /// `websocket.upgrade`: connects both; the second again and again until it lands on another node.
    pub(super) async fn connect(
        scenario: &Scenario,
        addresses: &[IpAddr],
        nonce: &str,
    ) -> Result<(Self, Finding), Finding> {
        let url = scenario.socket_url("/socket.io/");
        let [here, there] = &scenario.sources;
        let fail = |who: &str, vantage: &Vantage, why: String| {
            Finding::new(format!("expected a WebSocket at {url} from {vantage}, but {why}"))
                .with("client", who)
                .hint(format!("curl -v '{}'", scenario.url("/socket.io/?EIO=4&transport=polling")))
        };
        let address = |turn: usize| addresses[turn % addresses.len()];
        let started = Instant::now();
        let first = Person::arrive(scenario, here, address(0), format!("a-{nonce}")).await;
        let first = first.map_err(|why| fail("a", here, why))?;
        let mut attempts = 0;
        let second = loop {
            attempts += 1;
            let second = Person::arrive(scenario, there, address(attempts), format!("b-{nonce}")).await;
            let second = second.map_err(|why| fail("b", there, why))?;
            if second.node != first.node || attempts == ATTEMPTS || started.elapsed() > scenario.deadline {
                break second;
            }
            second.client.close().await;
        };
        let finding = Finding::new(format!(
            "two WebSockets stand, from {here} to {} and from {there} to {}",
            first.on(),
            second.on()
        ))
        .with("node_a", &first.node)
        .with("node_b", &second.node)
        .with("source_a", here.told())
        .with("source_b", there.told())
        .with("attempts_b", attempts)
        .with("ping_interval", format!("{} ms", first.client.handshake().ping_interval));
        Ok((Self { first, second, attempts, deadline: scenario.deadline }, finding))
    }

    /// `welcome`
    pub(super) async fn welcome(&mut self) -> Verdict {
        for person in [&mut self.first, &mut self.second] {
            person.hear(GREETING, self.deadline).await.map_err(|why| {
                Finding::new(format!("expected `{GREETING}` from {}, but {why}", person.on()))
                    .hint("see whether the port leads to chat-node and not to another program")
            })?;
        }
        Ok(Finding::new("both nodes greet"))
    }

    /// `username.required`
    pub(super) async fn username_required(&mut self) -> Verdict {
        let fail = |why: String| {
            Finding::new(format!("expected `{NAME_FIRST}` for a message without a name, but {why}"))
        };
        let text = format!("nobody-{}", self.first.name);
        self.first.say("message", &text).await.map_err(fail)?;
        self.first.hear(NAME_FIRST, self.deadline).await.map_err(|why| fail(why).hint(REDIS_HINT))?;
        Ok(Finding::new("a message without a name is turned down"))
    }

    /// `username.set`
    pub(super) async fn username_set(&mut self) -> Verdict {
        let mut finding = Finding::new("both names are taken");
        for (letter, person) in [("a", &mut self.first), ("b", &mut self.second)] {
            let text = named(&person.name);
            let node = person.on().to_owned();
            let fail = |why: String| {
                Finding::new(format!(
                    "expected `{text}` from {node}, but {why}; likely layer: Redis, where names are kept"
                ))
                .hint(REDIS_HINT)
            };
            person.introduce(self.deadline).await.map_err(fail)?;
            finding = finding.with(&format!("name_{letter}"), &person.name);
        }
        Ok(finding)
    }

    /// `message.a_to_b`
    pub(super) async fn first_speaks(&mut self) -> Verdict {
        speak(&mut self.first, &mut self.second, self.deadline).await
    }

    /// `message.b_to_a`
    pub(super) async fn second_speaks(&mut self) -> Verdict {
        speak(&mut self.second, &mut self.first, self.deadline).await
    }

    /// `nodes.differ`
    pub(super) fn nodes_differ(&self, expected: &[String]) -> Verdict {
        let (a, b) = (&self.first.node, &self.second.node);
        let list = expected.join(", ");
        let fail = |why: String| {
            Finding::new(format!("expected the two clients on two nodes of {list}, but {why}"))
                .with("node_a", a)
                .with("node_b", b)
                .with("attempts_b", self.attempts)
        };
        let missing =
            "answers carry no X-Chat-Node header: likely layer: another program behind the load balancer";
        if a.is_empty() || b.is_empty() {
            return Err(fail(missing.to_owned()).hint("curl -sI http://HOST:PORT/ | grep -i x-chat-node"));
        }
        if a == b {
            let times = self.attempts;
            let why = format!(
                "{times} connections in a row led to {a}; likely layer: the server group (one healthy server only, or \
                 sticky sessions)"
            );
            return Err(fail(why).hint("`albatross status FILE` shows the group's servers and their health"));
        }
        if let Some(stranger) =
            [a, b].into_iter().find(|node| !expected.is_empty() && !expected.contains(node))
        {
            let why = format!("{stranger} answered, which is none of them; likely layer: the server group");
            return Err(fail(why).hint("`albatross plan FILE` shows what differs from the topology"));
        }
        Ok(Finding::new(format!("the clients sit on {a} and {b}"))
            .with("node_a", a)
            .with("node_b", b)
            .with("attempts_b", self.attempts))
    }

    /// `leave.announced`
    pub(super) async fn second_leaves(self) -> Verdict {
        let Self { mut first, second, deadline, .. } = self;
        let text = format!("{} left the chatroom.", second.name);
        let node = second.on().to_owned();
        let started = Instant::now();
        second.client.close().await;
        let heard = first.hear_since(started, &text, deadline).await;
        let finding = match heard {
            Ok(after) => Ok(Finding::new("a departure reaches the other node").with("latency", shown(after))),
            Err(why) => Err(Finding::new(format!(
                "expected `{text}` on {}, but {why}; likely layer: node {node}, or Redis between the two",
                first.on()
            ))
            .hint(REDIS_HINT)),
        };
        first.client.close().await;
        finding
    }
}

/// Says something unique and waits until both have heard it.
async fn speak(speaker: &mut Person, listener: &mut Person, deadline: Duration) -> Verdict {
    let nonce = format!("{:016x}", rand::random::<u64>());
    let text = format!("{}: {nonce}", speaker.name);
    let (from, to) = (speaker.on().to_owned(), listener.on().to_owned());
    let fail = |why: String| {
        Finding::new(format!("expected `{text}` to go from {from} to {to}, but {why}"))
            .with("nonce", &nonce)
            .hint(REDIS_HINT)
    };
    let started = Instant::now();
    speaker.say("message", &nonce).await.map_err(&fail)?;
    let refused = Notify::new();
    let listening = async {
        tokio::select! {
            heard = listener.hear_since(started, &text, deadline) => heard,
            () = refused.notified() => Err("its sender was turned down".to_owned()),
        }
    };
    let (echo, heard) = tokio::join!(speaker.hear_own(started, &text, deadline, &refused), listening);
    match (echo, heard) {
        (Ok(own), Ok(other)) => {
            Ok(Finding::new(format!("a message went from {from} to {to} in {}", shown(other)))
                .with("nonce", &nonce)
                .with("latency", shown(other))
                .with("latency_own", shown(own)))
        }
        (Ok(_), Err(why)) if from != to => Err(fail(format!(
            "it came back on {from} and did not reach {to}: {why}; likely layer: Redis as {to} sees it"
        ))),
        (Ok(_), Err(why)) => {
            Err(fail(format!("it came back to its sender only: {why}; likely layer: the node {to}")))
        }
        (Err(why), Ok(_)) => {
            Err(fail(format!("its sender did not hear it: {why}; likely layer: Redis as {from} sees it")))
        }
        (Err(why), Err(_)) => {
            Err(fail(format!("nobody heard it: {why}; likely layer: Redis, or the way from {from} to it")))
        }
    }
}

/// A latency as people read it.
pub(super) fn shown(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
