//! A room of the test's own behind a bus: it writes down all it hears, without any HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_node::bus::{
    Accepted, Audience, Bus, Entry, Outcome, Presence, Receipt, Refusal, Say, SessionId, Settings,
};
use chat_node::{Config, NodeId, RedisAddress};

use crate::eventually;

/// A new id, as good as any.
pub(crate) fn some_id() -> SessionId {
    SessionId::random()
}

/// What it has heard so far.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) entries: Mutex<Vec<Arc<Entry>>>,
    pub(crate) told: Mutex<Vec<(SessionId, String)>>,
    pub(crate) outcomes: Mutex<Vec<(u64, Outcome)>>,
    pub(crate) here: Mutex<Vec<Presence>>,
    pub(crate) moved: Mutex<Vec<SessionId>>,
}

impl Audience for Room {
    fn deliver(&self, entries: &[Arc<Entry>]) {
        self.entries.lock().unwrap().extend_from_slice(entries);
    }

    fn tell(&self, session: SessionId, sentence: &str) {
        self.told.lock().unwrap().push((session, sentence.to_owned()));
    }

    fn acknowledge(&self, receipt: Receipt, outcome: Outcome) {
        self.outcomes.lock().unwrap().push((receipt.number, outcome));
    }

    fn moved(&self, presence: &Presence) {
        self.moved.lock().unwrap().push(presence.session.sid);
    }

    fn presences(&self) -> Vec<Presence> {
        self.here.lock().unwrap().clone()
    }

    fn pressure(&self) -> usize {
        0
    }
}

/// A bus and its room, with one client.
pub(crate) struct Line {
    pub(crate) bus: Bus,
    pub(crate) room: Arc<Room>,
    pub(crate) session: SessionId,
}

impl Line {
    /// With the usual settings.
    pub(crate) fn start(node: &str, url: &str) -> Self {
        Self::start_with(node, url, |_| ())
    }

    /// With other settings.
    pub(crate) fn start_with(node: &str, url: &str, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_at(node, RedisAddress::parse(url).unwrap(), change)
    }

    /// With other settings, at an address.
    pub(crate) fn start_at(node: &str, address: RedisAddress, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Config::new(NodeId::parse(node).unwrap(), address).bus();
        change(&mut settings);
        let room = Arc::new(Room::default());
        Self { bus: Bus::start(settings, room.clone()), room, session: some_id() }
    }

    /// Started and connected.
    pub(crate) async fn ready(node: &str, url: &str) -> Self {
        let line = Self::start(node, url);
        line.wait_until_ready().await;
        line
    }

    pub(crate) async fn wait_until_ready(&self) {
        eventually("the bus is ready", async || self.bus.connectivity().ready().ok()).await;
    }

    /// Waits until it says that something does not work and why, with these words.
    pub(crate) async fn wait_until_trouble(&self, words: &str) -> String {
        let look = async || {
            let reason = self.bus.connectivity().ready().err();
            reason.filter(|reason| reason.contains(words))
        };
        let found = tokio::time::timeout(crate::DEADLINE, crate::repeatedly(look)).await;
        found.unwrap_or_else(|_| panic!("not `{words}`, but {:?}", self.bus.connectivity().ready()))
    }

    /// Says something with an acknowledgement of that number.
    pub(crate) fn say(&self, number: u64) -> Result<Accepted, Refusal> {
        let receipt = Some(number);
        self.bus.say(Say { session: self.session, text: format!("number {number}"), once: None, receipt })
    }

    /// Says something without an acknowledgement.
    pub(crate) fn say_plainly(&self, text: &str) {
        let say = Say { session: self.session, text: text.to_owned(), once: None, receipt: None };
        assert_eq!(self.bus.say(say), Ok(Accepted::Queued));
    }

    /// What became of a message.
    pub(crate) async fn outcome(&self, number: u64) -> Outcome {
        let what = format!("number {number} is acknowledged");
        let find = async || {
            let outcomes = self.room.outcomes.lock().unwrap();
            outcomes.iter().find(|(other, _)| *other == number).map(|(_, outcome)| *outcome)
        };
        eventually(&what, find).await
    }

    /// Waits for a message that is the last, and returns all.
    pub(crate) async fn texts_until(&self, last: &str) -> Vec<String> {
        let find = async || {
            let texts = self.texts();
            texts.iter().any(|text| text == last).then_some(texts)
        };
        eventually(last, find).await
    }

    /// All that was delivered so far.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.room.entries.lock().unwrap().iter().map(|entry| entry.text.to_string()).collect()
    }

    /// Waits for a sentence to the client.
    pub(crate) async fn wait_until_told(&self, sentence: &str) {
        let find = async || {
            let told = self.room.told.lock().unwrap();
            told.contains(&(self.session, sentence.to_owned())).then_some(())
        };
        eventually(sentence, find).await;
    }

    /// The value of a line of the metrics.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        self.bus.measure(&mut text);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Says numbers until one is written.
    pub(crate) async fn is_well(&self, number: u64) {
        self.say(number).unwrap();
        assert!(matches!(self.outcome(number).await, Outcome::Said(_)));
        self.texts_until(&format!("number {number}")).await;
    }
}

/// The texts of these numbers.
pub(crate) fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| format!("number {number}")).collect()
}

/// Settings that end an outage's patience early.
pub(crate) fn keep_for(time: Duration) -> impl FnOnce(&mut Settings) {
    move |settings| settings.keep_for = time
}
