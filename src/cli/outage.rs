//! Stops a node for a verification, and starts it again whatever happens: when somebody says stop, too. Should this
//! program die, the node's host starts it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, watch};

use crate::base::retry::{Backoff, Deadline};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::inquiry::Sessions;
use crate::cli::session::Session;
use crate::deploy::node;
use crate::diagnosis::Door as _;
use crate::ssh;
use crate::verify::{FAILOVER_BOUND, Outage};

/// How long a node may be away; after that its host starts it.
const LIMIT: Duration = Duration::from_secs(FAILOVER_BOUND.as_secs() + 30);
/// How long the start is tried again while its host does not answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stops and starts nodes of a stack.
pub(super) struct Stopper<'a> {
    sessions: Sessions<'a>,
    command: &'a Session,
    /// The way to the node that is away, which is there before it is.
    way: Mutex<Option<Arc<ssh::Session>>>,
    is_away: watch::Sender<bool>,
}

impl<'a> Stopper<'a> {
    /// For a command that hears when somebody says stop.
    pub(super) fn new(command: &'a Session) -> Self {
        let (is_away, _) = watch::channel(false);
        Self { sessions: Sessions(command), command, way: Mutex::default(), is_away }
    }

    /// Does something, until somebody says stop; a node that is away then is started first.
    ///
    /// # Errors
    /// When somebody said stop.
    pub(super) async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut away = self.is_away.subscribe();
        let stopped = async {
            self.command.stop.token().cancelled().await;
            if *away.borrow() {
                anstream::eprintln!("starting the node again first; once more ends at once");
            }
            // The sender lives as long as we do.
            let _ = away.wait_for(|away| !away).await;
        };
        tokio::select! {
            done = work => Ok(done),
            () = stopped => {
                anstream::eprintln!("\nStopped; every node runs.");
                Err(Failure::shown(ExitStatus::Interrupted))
            }
        }
    }

    async fn way_to(&self, node: &str) -> Result<Arc<ssh::Session>, String> {
        let mut way = self.way.lock().await;
        if let Some(session) = way.as_ref().filter(|session| session.host() == node) {
            return Ok(session.clone());
        }
        Ok(way.insert(self.sessions.open(node).await?).clone())
    }

    async fn start(&self, node: &str) -> Result<(), String> {
        let session = self.way_to(node).await?;
        let started = node::start_again(&*session).await;
        if started.is_err() {
            // The next attempt takes another way.
            self.way.lock().await.take();
        }
        started.map_err(|error| error.to_string())
    }
}

impl Outage for Stopper<'_> {
    fn begin<'b>(&'b self, node: &'b str) -> BoxFuture<'b, Result<(), String>> {
        Box::pin(async move {
            let session = self.way_to(node).await?;
            let seconds = LIMIT.as_secs();
            anstream::eprintln!(
                "stopping the node of {node}; its host starts it after {seconds} s, whatever happens here"
            );
            self.is_away.send_replace(true);
            let tell = |text: &str| anstream::eprintln!("{text}");
            node::stop_for(&*session, LIMIT, &(Arc::new(tell) as _)).await.map_err(|error| error.to_string())
        })
    }

    fn end<'b>(&'b self, node: &'b str) -> BoxFuture<'b, Result<(), String>> {
        Box::pin(async move {
            let deadline = Deadline::after(PATIENCE);
            let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
            let started = loop {
                match self.start(node).await {
                    Ok(()) => break Ok(()),
                    Err(error) => {
                        if !backoff.wait(&deadline).await {
                            let seconds = LIMIT.as_secs();
                            break Err(format!(
                                "{error}; its host starts it {seconds} s after it was stopped"
                            ));
                        }
                    }
                }
            };
            self.is_away.send_replace(false);
            started
        })
    }

    fn interrupted(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.command.stop.token().cancelled())
    }
}
