//! A room full of clients in one thread: they come in, some of them speak, all of them listen.
//!
//! While they speak in a closed loop, each that speaks has so many messages under way, and says the next one when it hears
//! one of its own. At a rate, messages are said when they are due, whatever was heard, and how long one took counts
//! from when it was due.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::time::Instant;

use super::client::{Client, Stage};
use super::histogram::Histogram;
use super::pace::Pace;
use super::stamp::{MOST_SENDERS, Stamp};
use super::tally::{Tally, Verdict};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;
/// The token of the pace.
const PACE: Token = Token(usize::MAX);
/// Longest time without a look at the clock.
const LOOK: Duration = Duration::from_millis(20);
/// Silence after which what has not come does not come any more.
const SILENCE: Duration = Duration::from_secs(5);
/// How long nobody may be let in: a server on a busy core takes its time.
const ARRIVAL: Duration = Duration::from_secs(30);

/// How the servers are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Socket.IO over a WebSocket; what a client says about itself when it joins, as JSON or nothing.
    SocketIo {
        /// The JSON.
        auth: &'static str,
    },
    /// A WebSocket, and the texts themselves in it.
    Bare,
}

/// Who comes, and where to.
#[derive(Debug, Clone)]
pub struct Guests {
    /// The nodes; the clients take turns.
    pub nodes: Vec<SocketAddr>,
    /// How they are spoken to.
    pub protocol: Protocol,
    /// How many come.
    pub clients: usize,
    /// How many of them speak.
    pub senders: usize,
    /// How many may be on their way in at once.
    pub at_once: usize,
}

/// How messages are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// So many of each sender are under way.
    Closed(u32),
    /// So many a second by all senders together.
    Paced(u32),
}

/// For how long.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// What does not count yet.
    pub warm_up: Duration,
    /// What does.
    pub span: Duration,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Deliveries in the span.
    pub deliveries: u64,
    /// Messages said in the span.
    pub messages: u64,
    /// How long the span was.
    pub took: Duration,
    /// How long deliveries took from one node to another, or all of them where there is one node.
    pub latency: Histogram,
    /// What was wrong, from the first message to the last one.
    pub verdict: Verdict,
}

/// Microseconds since a moment.
fn since(moment: Instant) -> u64 {
    u64::try_from(moment.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What listens for all clients.
#[derive(Debug)]
struct Ear {
    nodes: usize,
    tally: Tally,
    latency: Histogram,
    /// Deliveries count.
    is_counting: bool,
    begun: Instant,
}

impl Ear {
    fn now(&self) -> u64 {
        since(self.begun)
    }

    fn hear(&mut self, client: usize, stamp: Stamp, now: u64) {
        self.tally.hear(client, stamp);
        let is_across = self.nodes == 1 || client % self.nodes != usize::from(stamp.sender) % self.nodes;
        if self.is_counting && is_across {
            self.latency.add(now.saturating_sub(stamp.moment));
        }
    }
}

/// Clients that are in.
#[derive(Debug)]
pub struct Room {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    guests: Guests,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    ear: Ear,
    /// What each sender has said so far.
    said: Vec<u32>,
    /// When the next message is due, and by whom, at a rate.
    due: u64,
    turn: usize,
}

impl Room {
    /// Lets all in, and says how long that took.
    ///
    /// # Errors
    /// When one of them is not let in, or nothing happens for a while.
    pub fn arrive(guests: Guests) -> io::Result<(Self, Duration)> {
        assert!(
            guests.senders <= MOST_SENDERS.min(guests.clients),
            "a sender is a client with a small number"
        );
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), PACE)?);
        let begun = Instant::now();
        let ear = Ear {
            nodes: guests.nodes.len(),
            tally: Tally::new(guests.clients, guests.senders),
            latency: Histogram::default(),
            is_counting: false,
            begun,
        };
        let mut room = Self {
            poll,
            events: Events::with_capacity(4096),
            waker,
            clients: Vec::with_capacity(guests.clients),
            buffer: vec![0; BUFFER],
            ear,
            said: vec![0; guests.senders],
            due: 0,
            turn: 0,
            guests,
        };
        room.fill()?;
        Ok((room, begun.elapsed()))
    }

    fn fill(&mut self) -> io::Result<()> {
        let (mut inside, mut moved) = (0, Instant::now());
        while inside < self.guests.clients {
            while self.clients.len() < self.guests.clients
                && self.clients.len() - inside < self.guests.at_once
            {
                self.connect()?;
            }
            self.poll_for(LOOK)?;
            let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
            for event in &events {
                let index = event.token().0;
                let Some(client) = self.clients.get_mut(index) else { continue };
                let was_in = client.stage == Stage::In;
                if event.is_writable() {
                    client.writable()?;
                }
                if event.is_readable() {
                    client.readable(&mut self.buffer, || 0, |_, _| {})?;
                }
                if !was_in && client.stage == Stage::In {
                    inside += 1;
                    moved = Instant::now();
                }
            }
            self.events = events;
            if moved.elapsed() > ARRIVAL {
                let text = format!("{inside} of {} clients are in, and no more come", self.guests.clients);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<()> {
        let index = self.clients.len();
        let host = self.guests.nodes[index % self.guests.nodes.len()];
        let name = (index < self.guests.senders).then(|| format!("s{index:03}"));
        let mut client = Client::new(TcpStream::connect(host)?, host, self.guests.protocol, name);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(client.stream(), Token(index), both)?;
        self.clients.push(client);
        Ok(())
    }

    fn poll_for(&mut self, patience: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            outcome => outcome,
        }
    }

    /// Lets the senders speak, counts, and waits until everybody has heard everything. `edge` is called where what counts
    /// begins and where it ends.
    ///
    /// # Errors
    /// When the system refuses something; a client that is put out hears nothing any more, and that is counted.
    pub fn talk(&mut self, load: Load, times: Times, edge: &mut dyn FnMut()) -> io::Result<Figures> {
        self.ear.latency = Histogram::default();
        let pace = self.begin(load)?;
        self.listen_for(load, times.warm_up)?;
        edge();
        let (begun, heard, said) = (Instant::now(), self.ear.tally.heard(), self.all_said());
        self.ear.is_counting = true;
        self.listen_for(load, times.span)?;
        self.ear.is_counting = false;
        let took = begun.elapsed();
        edge();
        let (deliveries, messages) = (self.ear.tally.heard() - heard, self.all_said() - said);
        drop(pace);
        self.hear_out()?;
        let latency = std::mem::take(&mut self.ear.latency);
        Ok(Figures { deliveries, messages, took, latency, verdict: self.ear.tally.judge(&self.said) })
    }

    fn all_said(&self) -> u64 {
        self.said.iter().copied().map(u64::from).sum()
    }

    fn begin(&mut self, load: Load) -> io::Result<Option<Pace>> {
        match load {
            Load::Closed(window) => {
                for sender in 0..self.guests.senders {
                    self.say(sender, window)?;
                }
                Ok(None)
            }
            Load::Paced(rate) => {
                self.due = self.ear.now();
                Ok(Some(Pace::begin(self.waker.clone(), Duration::from_secs(1) / rate.max(1))))
            }
        }
    }

    fn listen_for(&mut self, load: Load, span: Duration) -> io::Result<()> {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.listen(Some(load), left.min(LOOK))?;
        }
    }

    /// Listens until nothing is on its way: what comes twice comes at the end, too.
    fn hear_out(&mut self) -> io::Result<()> {
        let wanted = self.all_said() * self.clients.len() as u64;
        let (mut heard, mut moved) = (self.ear.tally.heard(), Instant::now());
        while moved.elapsed() < SILENCE {
            self.listen(None, LOOK)?;
            let now = self.ear.tally.heard();
            if now > heard {
                (heard, moved) = (now, Instant::now());
            } else if heard >= wanted {
                break;
            }
        }
        Ok(())
    }

    /// Reads what there is. Under a load, who hears itself speaks again, and so does whose turn it is.
    fn listen(&mut self, load: Option<Load>, patience: Duration) -> io::Result<()> {
        self.poll_for(patience)?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let index = event.token().0;
            if event.token() != PACE {
                let own = self.attend(index, event.is_readable(), event.is_writable());
                if own > 0 && matches!(load, Some(Load::Closed(_))) {
                    self.say(index, own)?;
                }
            }
            if let Some(Load::Paced(rate)) = load {
                self.say_what_is_due(rate)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Looks after one client, and says how many messages of its own it has heard.
    fn attend(&mut self, index: usize, is_readable: bool, is_writable: bool) -> u32 {
        let (ear, mut own) = (&mut self.ear, 0);
        let begun = ear.begun;
        let client = &mut self.clients[index];
        if client.stage == Stage::Gone {
            return 0;
        }
        let mut outcome = if is_writable { client.flush() } else { Ok(()) };
        if is_readable && outcome.is_ok() {
            outcome = client.readable(
                &mut self.buffer,
                || since(begun),
                |stamp, now| {
                    own += u32::from(usize::from(stamp.sender) == index);
                    ear.hear(index, stamp, now);
                },
            );
        }
        if outcome.is_err() {
            client.stage = Stage::Gone;
        }
        own
    }

    fn say_what_is_due(&mut self, rate: u32) -> io::Result<()> {
        let now = self.ear.now();
        let step = 1_000_000 / u64::from(rate.max(1));
        while self.due <= now {
            let sender = self.turn % self.guests.senders.max(1);
            self.turn += 1;
            self.say_at(sender, self.due);
            self.flush(sender)?;
            self.due += step;
        }
        Ok(())
    }

    fn say(&mut self, sender: usize, count: u32) -> io::Result<()> {
        let now = self.ear.now();
        for _ in 0..count {
            self.say_at(sender, now);
        }
        self.flush(sender)
    }

    fn say_at(&mut self, sender: usize, moment: u64) {
        self.said[sender] += 1;
        let number = self.said[sender];
        let sender_byte = u8::try_from(sender).expect("there are at most 256 senders");
        self.clients[sender].say(Stamp { sender: sender_byte, number, moment });
    }

    fn flush(&mut self, sender: usize) -> io::Result<()> {
        let client = &mut self.clients[sender];
        if client.stage == Stage::Gone { Ok(()) } else { client.flush() }
    }
}

#[cfg(test)]
mod tests;
