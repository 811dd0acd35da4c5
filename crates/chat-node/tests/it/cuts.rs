//! The connection breaks at any byte of a pipeline, in either direction, and what was on its way may still arrive late:
//! each message is said once, in order, and its sender is told the truth.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_node::bus::Outcome;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::listener::{Line, numbers};
use crate::redis_server::{PASSWORD, redis_or_skip};

/// Messages in the pipeline that is cut.
const MESSAGES: u64 = 4;
/// Cases at once.
const ABREAST: usize = 24;

/// Where the first pipeline with messages is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Redis gets so many bytes of it and nothing more.
    Requests(usize),
    /// Redis gets so many bytes of it at first, and the rest after the node has connected anew and is done.
    Late(usize),
    /// The same, but the rest overtakes what the node sends again.
    Overtaking(usize),
    /// Redis gets all of it, and the node so many bytes of the answers.
    Answers(usize),
}

impl Cut {
    fn has_rest(self) -> bool {
        matches!(self, Self::Late(_) | Self::Overtaking(_))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_at_any_byte_leaves_each_message_said_once_and_in_order() {
    let redis = redis_or_skip!("--databases", "8192");
    let length = pipeline_length(&redis.url()).await;
    let requests = (0..=length.0).map(Cut::Requests);
    let late = (0..length.0).flat_map(|at| [Cut::Late(at), Cut::Overtaking(at)]);
    let answers = (0..=length.1).map(Cut::Answers);
    let cases: Vec<Cut> = requests.chain(late).chain(answers).collect();
    assert!(cases.len() > 1000, "the pipeline is shorter than it was: {length:?}");

    let copies = futures_util::stream::iter(cases.into_iter().enumerate())
        .map(|(case, cut)| play(redis.address(), case + 1, cut))
        .buffer_unordered(ABREAST)
        .fold((0, 0), async |(cases, copies), more| (cases + 1, copies + more))
        .await;
    // Late bytes do write a second time; were there no copies, nothing was tried.
    assert!(copies.1 > 100, "{copies:?}");
}

/// Lets one pipeline be cut, and returns how many copies were dropped.
async fn play(redis: SocketAddr, database: usize, cut: Cut) -> u64 {
    let shears = Shears::open(redis, cut).await;
    let url = format!("redis://:{PASSWORD}@{}/{database}", shears.address);
    let line = Line::ready("ecs01", &url).await;
    for number in 0..MESSAGES {
        line.say(number).unwrap();
    }
    for number in 0..MESSAGES {
        let outcome = line.outcome(number).await;
        assert!(matches!(outcome, Outcome::Said(_)), "{cut:?}: number {number} is {outcome:?}");
    }
    shears.release.notify_one();
    if matches!(cut, Cut::Late(_)) {
        shears.released.notified().await;
    }
    line.is_well(MESSAGES).await;
    assert_eq!(line.texts(), numbers(0..MESSAGES + 1), "{cut:?}");
    assert!(shears.has_cut.load(Ordering::Relaxed), "{cut:?} was never reached");

    let copies = whole(line.metric("chat_messages_copies_total"));
    let read = whole(line.metric("chat_messages_read_total"));
    assert_eq!(read - copies, MESSAGES + 1, "{cut:?}");
    if !cut.has_rest() {
        assert_eq!(copies, 0, "{cut:?}: the stream has a message twice");
    }
    copies
}

fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().unwrap()
}

/// How many bytes the pipeline and its answers have.
async fn pipeline_length(url: &str) -> (usize, usize) {
    let line = Line::ready("ecs01", url).await;
    line.is_well(0).await;
    let entries = line.room.entries.lock().unwrap();
    let id = entries[0].position.to_string();
    // As the node writes it; a test that cuts behind the end finds out when it is longer.
    let request = |number: u64| {
        let parts =
            ["XADD", "chat:messages", "MAXLEN", "~", "100000", "*", "text", &format!("number {number}")]
                .map(str::len)
                .into_iter()
                .chain(["node", "ecs01", "epoch", "0123456789abcdef", "seq", "1"].map(str::len));
        parts.map(|part| format!("${part}\r\n\r\n").len() + part).sum::<usize>() + "*14\r\n".len()
    };
    let answer = format!("${}\r\n{id}\r\n", id.len()).len();
    ((0..MESSAGES).map(request).sum(), answer * usize::try_from(MESSAGES).unwrap())
}

/// A relay that cuts the first connection that carries messages.
struct Shears {
    address: SocketAddr,
    has_cut: Arc<AtomicBool>,
    /// Lets late bytes go on.
    release: Arc<Notify>,
    /// They are with Redis.
    released: Arc<Notify>,
}

impl Shears {
    async fn open(redis: SocketAddr, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shears = Self {
            address: listener.local_addr().unwrap(),
            has_cut: Arc::default(),
            release: Arc::default(),
            released: Arc::default(),
        };
        let (has_cut, release, released) =
            (shears.has_cut.clone(), shears.release.clone(), shears.released.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(redis).await.unwrap();
                let relay = Relay {
                    cut,
                    has_cut: has_cut.clone(),
                    release: release.clone(),
                    released: released.clone(),
                };
                tokio::spawn(relay.run(near, far));
            }
        });
        shears
    }
}

struct Relay {
    cut: Cut,
    has_cut: Arc<AtomicBool>,
    release: Arc<Notify>,
    released: Arc<Notify>,
}

impl Relay {
    /// Copies both ways until one ends or the cut is due.
    async fn run(self, mut near: TcpStream, mut far: TcpStream) {
        let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
        let mut counted: Option<(usize, usize)> = None;
        loop {
            tokio::select! {
                read = near.read(&mut up) => {
                    let Ok(length @ 1..) = read else { return };
                    let bytes = &up[..length];
                    if counted.is_none() && !self.has_cut.load(Ordering::Relaxed) && is_message(bytes) {
                        counted = Some((0, 0));
                    } else if matches!(self.cut, Cut::Overtaking(_)) && counted.is_none() && is_message(bytes) {
                        self.release.notify_one();
                        self.released.notified().await;
                        // Later ones have nothing to wait for.
                        self.released.notify_one();
                    }
                    let Some((requests, _)) = &mut counted else {
                        if far.write_all(bytes).await.is_err() { return }
                        continue;
                    };
                    let keep = match self.cut {
                        Cut::Requests(at) | Cut::Late(at) | Cut::Overtaking(at) => at.saturating_sub(*requests).min(length),
                        Cut::Answers(_) => length,
                    };
                    *requests += length;
                    far.write_all(&bytes[..keep]).await.unwrap();
                    let is_due = match self.cut {
                        Cut::Requests(at) | Cut::Late(at) | Cut::Overtaking(at) => *requests >= at,
                        Cut::Answers(_) => false,
                    };
                    if is_due {
                        let rest = bytes[keep..].to_vec();
                        return self.sever(near, far, rest).await;
                    }
                }
                read = far.read(&mut down) => {
                    let Ok(length @ 1..) = read else { return };
                    let Some((_, answers)) = &mut counted else {
                        if near.write_all(&down[..length]).await.is_err() { return }
                        continue;
                    };
                    let keep = match self.cut {
                        Cut::Answers(at) => at.saturating_sub(*answers).min(length),
                        Cut::Requests(_) | Cut::Late(_) | Cut::Overtaking(_) => length,
                    };
                    *answers += length;
                    near.write_all(&down[..keep]).await.ok();
                    if matches!(self.cut, Cut::Answers(at) if *answers >= at) {
                        return self.sever(near, far, Vec::new()).await;
                    }
                }
            }
        }
    }

    async fn sever(self, near: TcpStream, mut far: TcpStream, rest: Vec<u8>) {
        self.has_cut.store(true, Ordering::Relaxed);
        drop(near);
        if self.cut.has_rest() {
            self.release.notified().await;
            far.write_all(&rest).await.unwrap();
            far.shutdown().await.unwrap();
            // Redis has carried out all of it when it closes as well.
            let mut answers = Vec::new();
            far.read_to_end(&mut answers).await.ok();
            self.released.notify_one();
        }
    }
}

fn is_message(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"MAXLEN") && bytes.windows(4).any(|window| window == b"XADD")
}
