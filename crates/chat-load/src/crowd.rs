//! Many clients together: how they come in, when they are through, and what they have to tell.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::{Client, World};
use crate::judge::Record;

/// How many clients come in at once.
const ARRIVING: usize = 50;
/// How long they may take to come in, and the last messages to reach everybody.
const SETTLING: Duration = Duration::from_mins(1);

/// Clients that are in the room.
#[derive(Debug)]
pub struct Crowd {
    world: Arc<World>,
    running: Vec<JoinHandle<Record>>,
}

impl Crowd {
    /// Lets clients in, a few at a time. None when they are not all in after a minute.
    pub async fn arrive(world: &Arc<World>, clients: u32) -> Option<Self> {
        let mut running = Vec::new();
        for index in 0..clients {
            running.push(tokio::spawn(Client::new(world.clone(), index).run()));
            if running.len() % ARRIVING == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let crowd = Self { world: world.clone(), running };
        let connected = async {
            while !crowd.is_complete() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SETTLING, connected).await.ok()?;
        Some(crowd)
    }

    fn is_complete(&self) -> bool {
        self.world.connected.load(Ordering::Relaxed) == self.running.len()
    }

    /// Nobody says anything new; waits until every message is acknowledged and nothing more is heard. False when that
    /// takes longer than a minute.
    pub async fn settle(&self) -> bool {
        self.world.is_closing.store(true, Ordering::Relaxed);
        let quiet = async {
            while self.world.settled.load(Ordering::Relaxed) < self.running.len() {
                sleep(Duration::from_millis(100)).await;
            }
            loop {
                let heard = self.world.heard.load(Ordering::Relaxed);
                sleep(Duration::from_secs(2)).await;
                if self.world.heard.load(Ordering::Relaxed) == heard && self.is_complete() {
                    return;
                }
            }
        };
        timeout(SETTLING, quiet).await.is_ok()
    }

    /// Everybody goes, and tells what they heard.
    ///
    /// # Panics
    /// When a client has panicked.
    pub async fn leave(self) -> Vec<Record> {
        self.world.is_over.store(true, Ordering::Relaxed);
        let mut records = Vec::with_capacity(self.running.len());
        for client in self.running {
            records.push(client.await.expect("no client panics"));
        }
        records
    }
}
