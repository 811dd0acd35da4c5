//! The program itself: flags, environment, exit codes, signals, and what it never shows.

use std::net::{SocketAddr, TcpListener};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::DEADLINE;
use crate::client::Client;
use crate::redis_server::{PASSWORD, free_address, redis_or_skip, url};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-node"));
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).output();
    tokio::time::timeout(DEADLINE, output).await.expect("the program did not end").unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn usage_errors_are_64_and_never_repeat_the_redis_url() {
    let cases: [&[&str]; 6] = [
        &[],
        &["--listen", "127.0.0.1:0"],
        &["--listen", "nowhere", "--redis", "redis://:hunter2@127.0.0.1/0"],
        &["--listen", "127.0.0.1:0", "--redis", "hunter2"],
        &["--listen", "127.0.0.1:0", "--redis", "redis://:hunter2@127.0.0.1/0", "--ping-interval", "0s"],
        &["--listen", "127.0.0.1:0", "--redis", "redis://:hunter2@127.0.0.1/0", "--node-id", "two words"],
    ];
    for arguments in cases {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!stderr(&output).is_empty() && !stderr(&output).contains("hunter2"), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn help_hides_the_value_of_the_redis_url() {
    let output = program()
        .arg("--help")
        .env("CHAT_NODE_REDIS", "redis://:hunter2@127.0.0.1/0")
        .output()
        .await
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(help.contains("CHAT_NODE_REDIS") && !help.contains("hunter2"), "{help}");
}

#[tokio::test]
async fn a_port_in_use_is_one_sentence_with_address_and_cause() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address, "--redis", "redis://127.0.0.1/0"]).await;
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("chat-node: cannot listen on {address}: Address already in use (os error 98)\n");
    assert_eq!(stderr(&output), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_configured_by_the_environment_and_drains_at_sigterm() {
    let redis = redis_or_skip!();
    let mut node = Running::start(&redis.url()).await;
    let mut client = Client::connect(node.address).await;
    assert_eq!(client.node, "from-environment");
    client.message().await;
    client.emit("set_username", "Ada").await;
    client.message().await;

    let started = std::time::Instant::now();
    node.terminate().await;
    client.closed().await;
    let status = tokio::time::timeout(DEADLINE, node.child.wait()).await.expect("it did not end").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());

    let mut connection = redis.connection().await.unwrap();
    let mut command = redis::cmd("XREVRANGE");
    command.arg("chat:messages").arg("+").arg("-").arg("COUNT").arg(1);
    let entry = format!("{:?}", command.query_async::<redis::Value>(&mut connection).await.unwrap());
    assert!(entry.contains("Ada left the chatroom."), "{entry}");
    let log = node.rest_of_log().await;
    assert!(log.contains("drained") && !log.contains(PASSWORD), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_when_redis_is_away_and_says_nothing_secret() {
    let mut node = Running::start(&url(free_address())).await;
    let mut client = Client::connect(node.address).await;
    client.message().await;
    client.emit("set_username", "Ada").await;
    client.message().await;

    let started = std::time::Instant::now();
    node.terminate().await;
    let status = tokio::time::timeout(DEADLINE, node.child.wait()).await.expect("it did not end").unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    let log = node.rest_of_log().await;
    assert!(log.contains("redis did not take the farewells in time") && !log.contains(PASSWORD), "{log}");
}

struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Running {
    async fn start(redis_url: &str) -> Self {
        let mut command = program();
        command.env("CHAT_NODE_LISTEN", "127.0.0.1:0").env("CHAT_NODE_REDIS", redis_url);
        command.env("CHAT_NODE_ID", "from-environment").env("CHAT_NODE_PING_INTERVAL", "5s");
        command.env("CHAT_NODE_ALLOWED_ORIGINS", "https://a.example,https://b.example");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let reading = log.read_line(&mut line);
        tokio::time::timeout(DEADLINE, reading).await.expect("it did not listen").unwrap();
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("no address in {line}")).parse().unwrap();
        assert!(!line.contains(PASSWORD), "{line}");
        Self { child, log, address }
    }

    async fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(status.success());
    }

    async fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).await.unwrap();
        rest
    }
}
