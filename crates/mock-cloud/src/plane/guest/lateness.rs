//! What comes late: a device of the router that keeps each packet for a while and then gives it back.
//!
//! 1. A rule of the router sends what goes to a late machine into a TUN device, which is this program.
//! 2. A task keeps every packet until its time has come and writes it into the same device again.
//! 3. Coming from there, it goes on to the machine's cable as if nothing had been, and is not judged a second time.
//!
//! So a kernel needs no queueing discipline for delays, which many are built without.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::plane::guest::namespace::Namespace;

/// With what the names of these devices begin; a number follows.
pub(crate) const DEVICE: &str = "late";
/// The routing table of the first device; the main one of the kernel is 254.
const FIRST_TABLE: u32 = 1_000;
/// Looked up before the main table, which is at 32766, and in this order: back from the device, into the device.
const BACK: u32 = 100;
const INTO: u32 = 101;
/// Longer packets than these are not sent: the device has the usual size of Ethernet.
const LONGEST_PACKET: usize = 1_500;
/// Most packets that wait for one machine. What comes then is lost, as on a cable.
const MOST_PACKETS: usize = 10_000;

/// The lateness of one machine, as long as it is held.
#[derive(Debug)]
pub(crate) struct Lateness {
    machine: Ipv4Addr,
    number: u32,
    /// How late what comes to it comes.
    pub(crate) delay: Duration,
    _end: DropGuard,
}

impl Lateness {
    /// Makes what goes to a machine late. The number is one that no other lateness of this router has.
    ///
    /// # Errors
    /// When this computer has no such devices.
    pub(crate) async fn begin(
        router: &Namespace,
        machine: Ipv4Addr,
        delay: Duration,
        number: u32,
    ) -> io::Result<Self> {
        let name = format!("{DEVICE}{number}");
        let device = open(router, name.clone()).await?;
        // What the router sends itself comes back with an address of its own, by a way that does not lead there.
        let setting = |device: &str, setting: &str| format!("ipv4/conf/{device}/{setting}");
        router
            .set(vec![
                (setting(&name, "accept_local"), "1"),
                (setting(&name, "rp_filter"), "0"),
                (setting("all", "rp_filter"), "0"),
            ])
            .await?;
        let end = CancellationToken::new();
        tokio::spawn(keep(device, delay, end.clone()));
        let lateness = Self { machine, number, delay, _end: end.drop_guard() };
        let table = lateness.table();
        let mut batch = format!("route replace default dev {name} table {table}\n");
        for (priority, rule) in lateness.rules() {
            let _ = writeln!(batch, "rule add priority {priority} {rule}");
        }
        router.run("ip", &["-batch", "-"], &batch).await?;
        Ok(lateness)
    }

    /// Makes it as quick as the others again; what still waits is delivered.
    ///
    /// # Errors
    /// When the kernel keeps a rule.
    pub(crate) async fn end(self, router: &Namespace) -> io::Result<()> {
        let mut batch = String::new();
        for (priority, rule) in self.rules().into_iter().rev() {
            let _ = writeln!(batch, "rule delete priority {priority} {rule}");
        }
        router.run("ip", &["-batch", "-"], &batch).await.map(drop)
    }

    fn table(&self) -> u32 {
        FIRST_TABLE + self.number
    }

    fn rules(&self) -> [(u32, String); 2] {
        let (machine, number, table) = (self.machine, self.number, self.table());
        [
            (BACK, format!("to {machine}/32 iif {DEVICE}{number} lookup main")),
            (INTO, format!("to {machine}/32 lookup {table}")),
        ]
    }
}

/// Why this computer cannot make packets late; nothing when it can.
pub(crate) async fn cannot_be_had() -> Option<String> {
    static REASON: OnceCell<Option<String>> = OnceCell::const_new();
    let find = || async {
        let tried = async { open(&Namespace::new().await?, format!("{DEVICE}0")).await };
        let error = tried.await.err()?;
        Some(format!("this computer makes no TUN device ({error})"))
    };
    REASON.get_or_init(find).await.clone()
}

/// A device in the router that is there as long as it is held.
async fn open(router: &Namespace, name: String) -> io::Result<Tun> {
    let runtime = Handle::current();
    let made = router.inside(move || {
        let _inside = runtime.enter();
        let mut devices = Tun::builder().name(&name).up().build().map_err(io::Error::other)?;
        devices.pop().ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    made.await
}

/// Keeps each packet as long as it shall be late. At the end all that wait are delivered at once.
async fn keep(device: Tun, delay: Duration, end: CancellationToken) {
    let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut packet = [0; LONGEST_PACKET];
    loop {
        let due = waiting.front().map(|(due, _)| *due);
        tokio::select! {
            () = end.cancelled() => break,
            received = device.recv(&mut packet) => match received {
                Ok(length) if waiting.len() < MOST_PACKETS => {
                    waiting.push_back((Instant::now() + delay, packet[..length].to_vec()));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "packets are not late any more, they are lost");
                    break;
                }
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, packet)) = waiting.pop_front() {
                    deliver(&device, &packet).await;
                }
            }
        }
    }
    for (_, packet) in waiting {
        deliver(&device, &packet).await;
    }
}

async fn deliver(device: &Tun, packet: &[u8]) {
    if let Err(error) = device.send(packet).await {
        tracing::debug!(%error, "a late packet is lost");
    }
}
