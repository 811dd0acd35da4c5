//! One client: it stays, whatever happens to its node. It comes back as who it was, after a pause that is drawn as the
//! bundled page draws it, says again what was not acknowledged, and writes down all it hears.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::judge::{Heard, Name, Offset, Record};

/// Messages of one client that may wait for their acknowledgement.
const WINDOW: usize = 4;
/// How long a node may take to let a client in.
const JOINING: Duration = Duration::from_secs(10);
/// How often a client looks whether it is time to go.
const LOOK: Duration = Duration::from_secs(1);
/// Silence after which a connection counts as dead: more than a ping and its answer take.
const SILENCE: Duration = Duration::from_secs(25);
/// How long it waits at most after a goodbye: another node is there already.
const ORDERLY_CEILING: Duration = Duration::from_millis(250);
/// How long it waits at most after a connection that broke.
const FIRST_CEILING: Duration = Duration::from_millis(500);
/// How long it waits at most after each of the next failures; then twice as long with each.
const NEXT_CEILING: Duration = Duration::from_secs(1);
const PATIENT_FAILURES: u32 = 6;
/// How long it waits at most in the end.
const LAST_CEILING: Duration = Duration::from_secs(10);

/// A way into the chatroom.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// Where to connect.
    pub address: SocketAddr,
    /// What is asked for there: a name and a port.
    pub host: String,
}

impl Entrance {
    /// A node itself.
    pub fn direct(address: SocketAddr) -> Self {
        Self { address, host: address.to_string() }
    }
}

/// What all clients look at.
#[derive(Debug)]
pub struct World {
    /// The ways in; a client takes the next one each time.
    pub entrances: Vec<Entrance>,
    /// How often one client says something.
    pub pace: Duration,
    /// No new messages from now on.
    pub is_closing: AtomicBool,
    /// Everybody goes.
    pub is_over: AtomicBool,
    /// Clients that are in the room.
    pub connected: AtomicUsize,
    /// Clients that are through with what they had to say.
    pub settled: AtomicUsize,
    /// The longest any client heard nothing, in milliseconds, while messages were said.
    pub longest_gap: AtomicU64,
    /// What was heard in all, to see whether anything is still on its way.
    pub heard: AtomicU64,
}

impl World {
    /// One in which all clients together say so much a second.
    pub fn new(entrances: Vec<Entrance>, clients: u32, messages_a_second: u32) -> Self {
        Self {
            entrances,
            pace: Duration::from_secs(u64::from(clients)) / messages_a_second,
            is_closing: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            connected: AtomicUsize::new(0),
            settled: AtomicUsize::new(0),
            longest_gap: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        }
    }
}

/// The state that survives a connection.
pub struct Client {
    world: Arc<World>,
    index: u32,
    /// Which node it turns to next.
    turn: usize,
    identity: Option<(String, String)>,
    offset: Option<String>,
    has_name: bool,
    waiting: VecDeque<u32>,
    record: Record,
    last_heard: Option<Instant>,
    is_settled: bool,
    /// When it says something next.
    next: Instant,
    /// Attempts in a row that failed.
    failures: u32,
}

type Socket = WebSocketStream<TcpStream>;

/// The connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// The node said goodbye.
    Orderly,
    /// It broke, or never came to be.
    Broken,
}

impl Client {
    /// One that is not there yet.
    pub fn new(world: Arc<World>, index: u32) -> Self {
        let pace = world.pace;
        Self {
            world,
            index,
            turn: usize::try_from(index).unwrap_or_default(),
            identity: None,
            offset: None,
            has_name: false,
            waiting: VecDeque::new(),
            record: Record::default(),
            last_heard: None,
            is_settled: false,
            next: Instant::now() + pace.mul_f64(rand::random_range(0.0..1.0)),
            failures: 0,
        }
    }

    /// Lives until everything is over, and tells what it has written down.
    pub async fn run(mut self) -> Record {
        while !self.world.is_over.load(Ordering::Relaxed) {
            let entrance = self.world.entrances[self.turn % self.world.entrances.len()].clone();
            self.turn += 1;
            let mut end = Gone::Broken;
            if let Ok(Ok(socket)) = timeout(JOINING, self.join(&entrance)).await {
                self.failures = 0;
                self.world.connected.fetch_add(1, Ordering::Relaxed);
                end = self.stay(socket).await.err().unwrap_or(Gone::Orderly);
                self.world.connected.fetch_sub(1, Ordering::Relaxed);
            } else {
                self.failures += 1;
            }
            sleep(self.pause(end)).await;
        }
        self.record
    }

    /// As the page waits: from all of zero to a ceiling, lower behind a goodbye, higher with each failure.
    fn pause(&self, end: Gone) -> Duration {
        let ceiling = match (end, self.failures) {
            (Gone::Orderly, 0) => ORDERLY_CEILING,
            (_, 0) => FIRST_CEILING,
            (_, failures) => {
                LAST_CEILING.min(NEXT_CEILING * 2_u32.pow(failures.saturating_sub(PATIENT_FAILURES).min(10)))
            }
        };
        ceiling.mul_f64(rand::random_range(0.0..1.0))
    }

    async fn join(&mut self, entrance: &Entrance) -> Result<Socket, Gone> {
        let stream = TcpStream::connect(entrance.address).await.map_err(|_| Gone::Broken)?;
        stream.set_nodelay(true).ok();
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", entrance.host);
        // Thousands of these in one process.
        let small = WebSocketConfig::default().read_buffer_size(2048).write_buffer_size(0);
        let connecting = tokio_tungstenite::client_async_with_config(url, stream, Some(small));
        let (mut socket, _) = connecting.await.map_err(|_| Gone::Broken)?;
        loop {
            let packet = packet(&mut socket).await?;
            if packet.starts_with('0') {
                let auth = match (&self.identity, &self.offset) {
                    (Some((_, pid)), Some(offset)) => {
                        json!({ "recovery": true, "pid": pid, "offset": offset })
                    }
                    _ => json!({ "recovery": true }),
                };
                send(&mut socket, format!("40{auth}")).await?;
            } else if let Some(joined) = packet.strip_prefix("40") {
                self.joined(joined)?;
                return Ok(socket);
            } else if packet == "2" {
                send(&mut socket, "3".to_owned()).await?;
            } else if packet.starts_with("44") {
                return Err(Gone::Broken);
            }
        }
    }

    fn joined(&mut self, joined: &str) -> Result<(), Gone> {
        let joined: Value = serde_json::from_str(joined).map_err(|_| Gone::Broken)?;
        let text = |name: &str| joined[name].as_str().map(str::to_owned);
        let now = (text("sid").ok_or(Gone::Broken)?, text("pid").ok_or(Gone::Broken)?);
        match self.identity.replace(now.clone()) {
            None => {}
            Some(before) if before == now => self.record.recovered += 1,
            // Before it was greeted it has nothing to come back to.
            Some(_) if self.offset.is_none() => self.has_name = false,
            Some(_) => {
                self.record.forgotten += 1;
                self.has_name = false;
            }
        }
        Ok(())
    }

    async fn stay(&mut self, mut socket: Socket) -> Result<(), Gone> {
        if !self.has_name {
            send(&mut socket, format!("42{}", json!(["set_username", format!("c{}", self.index)]))).await?;
        }
        for count in self.waiting.clone() {
            self.say(&mut socket, count).await?;
        }
        let mut look = interval(LOOK);
        loop {
            if self.world.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::select! {
                packet = timeout(SILENCE, packet(&mut socket)) => {
                    let packet = packet.map_err(|_| Gone::Broken)??;
                    self.take(&mut socket, &packet).await?;
                }
                () = sleep_until(self.next) => {
                    self.next = Instant::now() + self.world.pace.mul_f64(rand::random_range(0.5..1.5));
                    if self.has_name && self.waiting.len() < WINDOW && !self.is_closing() {
                        self.record.said += 1;
                        self.waiting.push_back(self.record.said);
                        self.say(&mut socket, self.record.said).await?;
                    }
                }
                _ = look.tick() => self.settle(),
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.world.is_closing.load(Ordering::Relaxed)
    }

    fn settle(&mut self) {
        if self.is_closing() && self.waiting.is_empty() && !self.is_settled {
            self.is_settled = true;
            self.world.settled.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn say(&mut self, socket: &mut Socket, count: u32) -> Result<(), Gone> {
        let (text, id) = (format!("m{}/{count}", self.index), format!("m{count}"));
        send(socket, format!("42{count}{}", json!(["message", text, id]))).await
    }

    async fn take(&mut self, socket: &mut Socket, packet: &str) -> Result<(), Gone> {
        if packet == "2" {
            return send(socket, "3".to_owned()).await;
        }
        if let Some(event) = packet.strip_prefix("42") {
            self.hear(event);
        } else if let Some(answer) = packet.strip_prefix("43") {
            self.acknowledged(socket, answer).await?;
        } else if packet.starts_with("41") {
            return Err(Gone::Broken);
        }
        Ok(())
    }

    fn hear(&mut self, event: &str) {
        let Ok(event) = serde_json::from_str::<Value>(event) else { return };
        let (Some(text), Some(offset)) = (event[1].as_str(), event[2].as_str()) else { return };
        let Some(place) = parse_offset(offset) else { return };
        // Every event has one; what is told to this client alone has that of the entry before.
        self.offset = Some(offset.to_owned());
        self.record.joined.get_or_insert(place);
        if text == format!("Your username is set to c{}", self.index) {
            self.has_name = true;
            return;
        }
        // Those that go at the end are said farewell to.
        if self.world.is_over.load(Ordering::Relaxed) {
            return;
        }
        let heard = match (parse_message(text), text.ends_with(" left the chatroom.")) {
            (Some(name), _) => Heard::Message(name),
            (None, true) => Heard::Farewell,
            // Told to this client alone: it has no place of its own.
            (None, false) => return,
        };
        self.record.heard.push((place, heard));
        self.world.heard.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        if let Some(last) = self.last_heard.replace(now) {
            let gap = u64::try_from((now - last).as_millis()).unwrap_or(u64::MAX);
            self.world.longest_gap.fetch_max(gap, Ordering::Relaxed);
        }
    }

    async fn acknowledged(&mut self, socket: &mut Socket, answer: &str) -> Result<(), Gone> {
        let start = answer.find('[').ok_or(Gone::Broken)?;
        let count: u32 = answer[..start].parse().map_err(|_| Gone::Broken)?;
        let answer: Value = serde_json::from_str(&answer[start..]).map_err(|_| Gone::Broken)?;
        let Some(at) = self.waiting.iter().position(|waiting| *waiting == count) else {
            return Ok(());
        };
        if answer[0]["offset"].is_string() {
            self.waiting.remove(at);
            self.record.acknowledged.push(count);
            return Ok(());
        }
        self.record.refused += 1;
        sleep(Duration::from_millis(100)).await;
        self.say(socket, count).await
    }
}

/// `c12: m12/7`.
fn parse_message(text: &str) -> Option<Name> {
    let (_, text) = text.split_once(": m")?;
    let (sender, count) = text.split_once('/')?;
    Some(Name { sender: sender.parse().ok()?, count: count.parse().ok()? })
}

fn parse_offset(text: &str) -> Option<Offset> {
    let (milliseconds, sequence) = text.split_once('-')?;
    Some((milliseconds.parse().ok()?, sequence.parse().ok()?))
}

async fn packet(socket: &mut Socket) -> Result<String, Gone> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
            Some(Ok(Message::Close(_))) => return Err(Gone::Orderly),
            Some(Err(_)) | None => return Err(Gone::Broken),
            Some(Ok(_)) => {}
        }
    }
}

async fn send(socket: &mut Socket, packet: String) -> Result<(), Gone> {
    socket.send(Message::text(packet)).await.map_err(|_| Gone::Broken)
}
