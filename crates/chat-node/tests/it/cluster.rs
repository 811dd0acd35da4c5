//! Nodes inside of the test process.

use std::net::{Ipv4Addr, SocketAddr};

use chat_node::{Config, NodeId, RedisAddress};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::{DEADLINE, eventually};

/// A node, its address, and the way to end it.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Node {
    /// A node with the usual settings.
    pub(crate) async fn start(id: &str, redis_url: &str) -> Self {
        Self::start_with(id, redis_url, |_| ()).await
    }

    /// A node with other settings.
    pub(crate) async fn start_with(id: &str, redis_url: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(NodeId::parse(id).unwrap(), RedisAddress::parse(redis_url).unwrap());
        // Tests speak faster than people; those about that say so.
        config.limits.message_burst = 100_000;
        change(&mut config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let told = shutdown.clone().cancelled_owned();
        let serving = tokio::spawn(async move { chat_node::serve(listener, config, told).await.unwrap() });
        Self { address, shutdown, serving }
    }

    /// A node that Redis has answered.
    pub(crate) async fn ready(id: &str, redis_url: &str) -> Self {
        let node = Self::start(id, redis_url).await;
        node.wait_until_ready().await;
        node
    }

    pub(crate) async fn wait_until_ready(&self) {
        eventually("the node is ready", async || (self.get("/readyz").await.status() == 200).then_some(()))
            .await;
    }

    /// Returns what `/readyz` says once the node has noticed that it cannot write: a message sent from then on is
    /// certainly not sent, where one sent a moment earlier may be in doubt.
    pub(crate) async fn wait_until_unready(&self) -> String {
        let reason = eventually("the node cannot write", async || {
            let response = self.get("/readyz").await;
            let status = response.status();
            let reason = response.text().await.unwrap();
            (status == 503 && reason.contains("writing to redis does not work")).then_some(reason)
        });
        reason.await
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("http://{}{path}", self.address)).await.unwrap()
    }

    /// The value of one of `/metrics`' numbers.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// A client that was welcomed.
    pub(crate) async fn client(&self) -> Client {
        let mut client = Client::connect(self.address).await;
        assert_eq!(client.message().await, "Welcome to the chatroom!");
        client
    }

    /// A client with a name.
    pub(crate) async fn named(&self, name: &str) -> Client {
        let mut client = self.client().await;
        client.emit("set_username", name).await;
        assert_eq!(client.message().await, format!("Your username is set to {name}"));
        client
    }

    /// Tells the node to drain.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Returns when it has drained.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(DEADLINE, self.serving).await.expect("the node did not end").unwrap();
    }
}
