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

const GOOD: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--redis", "redis://:hunter2@127.0.0.1/0", "--node-id", "ecs01"];

#[tokio::test]
async fn each_flag_has_its_bounds_and_says_them() {
    let cases = [
        ("--ping-interval", "0s", "it must be between 1s and 1h"),
        ("--drain-delay", "4s", "it must be at most 3s"),
        ("--drain-spread", "3s", "it must be at most 2s"),
        ("--handshake-timeout", "500ms", "it must be between 1s and 1m"),
        ("--write-stall", "2m", "it must be between 1s and 1m"),
        ("--connections", "0", "it must be a number between 1 and 1000000"),
        ("--connections-per-address", "x", "it must be a number between 1 and 1000000"),
        ("--message-rate", "0", "0 is not in 1..=100000"),
        ("--message-burst", "100001", "100001 is not in 1..=100000"),
        ("--message-length", "0", "it must be a number between 1 and 100000"),
        ("--name-length", "257", "it must be a number between 1 and 256"),
        ("--max-payload", "1023", "1023 is not in 1024..=1000000"),
        ("--queue-packets", "1", "it must be a number between 16 and 1000000"),
        ("--queue-bytes", "1", "it must be a number between 65536 and 1000000000"),
        ("--max-payload", "2048", "too small for messages of 4096 characters: give at least 16640"),
        ("--message-length", "100000", "too small for messages of 100000 characters"),
        ("--stream-length", "1", "it must be a number between 1000 and 10000000"),
        ("--stream-bytes", "999999", "it must be a number between 1000000 and 100000000000"),
        ("--recovery", "sometimes", "[possible values: auto, always, never]"),
        ("--log-format", "xml", "[possible values: text, json]"),
        ("--trusted-proxy", "everybody", "the trusted proxy `everybody` is not usable"),
        ("--allowed-origin", "chat.example.com", "the allowed origin `chat.example.com` is not usable"),
    ];
    for (flag, value, sentence) in cases {
        let output = run(&[&["check-config"], &GOOD[..], &[flag, value]].concat()).await;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(64), "{flag} {value}: {said}");
        assert!(said.contains(sentence) && !said.contains("hunter2"), "{flag} {value}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_without_a_node_and_without_a_network_unless_asked() {
    let output = run(&[&["check-config"], &GOOD[..]].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "the settings of node ecs01 are good\n");

    let nobody = url(free_address());
    let output = run(&["check-config", "--connect", "--listen", "127.0.0.1:0", "--redis", &nobody]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot be used: ") && !stderr(&output).contains(PASSWORD));

    let redis = redis_or_skip!();
    let output =
        run(&["check-config", "--connect", "--listen", "127.0.0.1:0", "--redis", &redis.url()]).await;
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(said.contains(" answers: Redis ") && !said.contains(PASSWORD), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_and_the_log_may_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let systemd = tokio::net::UnixDatagram::bind(&socket).unwrap();
    // As systemd does it, which knows the process it starts.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_chat-node")]).args(GOOD);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "100000").env("CHAT_NODE_LOG_FORMAT", "json");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let heard = async |word: &str| {
        let mut buffer = [0; 256];
        let hearing = async {
            loop {
                let length = systemd.recv(&mut buffer).await.unwrap();
                if std::str::from_utf8(&buffer[..length]).unwrap().trim() == word {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, hearing).await.unwrap_or_else(|_| panic!("{word} was not said"));
    };
    heard("READY=1").await;
    heard("WATCHDOG=1").await;
    heard("WATCHDOG=1").await;
    terminate(&child).await;
    heard("STOPPING=1").await;
    assert_eq!(tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap().code(), Some(0));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    let first: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&first["message"], &first["node"]), (&"listening".into(), &"ecs01".into()));
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

async fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let status = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(status.success());
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
        terminate(&self.child).await;
    }

    async fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).await.unwrap();
        rest
    }
}
