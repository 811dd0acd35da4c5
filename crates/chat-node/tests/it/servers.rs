//! Redis servers of every kind: old, strict, encrypted, of both protocol versions.

use std::net::SocketAddr;
use std::path::Path;

use chat_node::RedisAddress;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::cluster::Node;
use crate::eventually;
use crate::listener::Line;
use crate::redis_server::{PASSWORD, RedisServer, free_address, redis_or_skip};

/// All that the rule for the chat's user allows, as the bus documents it.
const COMMANDS: [&str; 19] = [
    "hello",
    "auth",
    "select",
    "info",
    "time",
    "xadd",
    "xread",
    "xrange",
    "xrevrange",
    "xtrim",
    "xlen",
    "hset",
    "hmget",
    "pexpire",
    "del",
    "zadd",
    "zrem",
    "zrangebyscore",
    "ping",
];

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_the_protocol_are_spoken() {
    let redis = redis_or_skip!();
    for protocol in ["", "?protocol=resp2", "?protocol=resp3"] {
        let line = Line::ready("ecs01", &format!("{}{protocol}", redis.url())).await;
        line.is_well(0).await;
        let clients: String = redis.run(&["CLIENT", "LIST"]).await;
        let expected = if protocol.ends_with('2') { "resp=2" } else { "resp=3" };
        // Redis before 7.0 does not tell; the test's own connection is one of them.
        if clients.contains("resp=") {
            let count = clients.lines().filter(|line| line.contains(expected)).count();
            assert!(count >= 3, "{protocol}: {clients}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_is_refused_with_what_to_do() {
    let address = old_redis().await;
    let node = Node::start("ecs01", &format!("redis://:{PASSWORD}@{address}/0")).await;
    let expected =
        "Redis 3.2.12 has no Streams: use Redis 5 or newer, Alibaba Cloud Linux 3's package, or Tair";
    eventually(expected, async || {
        let response = node.get("/readyz").await;
        let status = response.status();
        (status == 503 && response.text().await.unwrap().contains(expected)).then_some(())
    })
    .await;
    assert_eq!(node.get("/healthz").await.status(), 200);
    let metric = node.metric("chat_redis_troubles_total{side=\"write\",reason=\"version\"}").await;
    assert!(metric >= 1);
}

/// Speaks as Redis 3.2 does.
async fn old_redis() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                while let Ok(length @ 1..) = client.read(&mut chunk).await {
                    let request = String::from_utf8_lossy(&chunk[..length]).into_owned();
                    let reply = match request.split("\r\n").nth(2).unwrap_or_default() {
                        "AUTH" => "+OK\r\n".to_owned(),
                        "INFO" => {
                            let text = "# Server\r\nredis_version:3.2.12\r\nredis_mode:standalone\r\n";
                            format!("${}\r\n{text}\r\n", text.len())
                        }
                        other => format!("-ERR unknown command '{other}'\r\n"),
                    };
                    if client.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Makes a user with a difficult password that may do all of [`COMMANDS`] but one, and returns the URL.
async fn user(redis: &RedisServer, without: &str, keys: &[&str]) -> String {
    let name = format!("chat-{without}");
    let mut rule = vec!["ACL".to_owned(), "SETUSER".to_owned(), name.clone(), "reset".to_owned()];
    rule.extend(["on".to_owned(), ">p@ss/w:rd% é?#".to_owned(), "-@all".to_owned()]);
    rule.extend(keys.iter().map(|key| format!("~{key}")));
    rule.extend(COMMANDS.iter().filter(|command| **command != without).map(|command| format!("+{command}")));
    redis.run::<()>(&rule.iter().map(String::as_str).collect::<Vec<_>>()).await;
    format!("redis://{name}:p%40ss%2Fw%3Ard%25%20%C3%A9%3F%23@{}/0", redis.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_just_the_documented_permissions_will_do() {
    let redis = redis_or_skip!();
    for without in ["nothing", "info", "hello"] {
        let line = Line::ready("ecs01", &user(&redis, without, &["chat:*", "session:*"]).await).await;
        line.is_well(0).await;
    }
    let documented = include_str!("../../src/bus/mod.rs");
    for command in COMMANDS.iter().filter(|command| **command != "ping") {
        assert!(documented.contains(&format!("+{command}")), "+{command} is not documented");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_told_by_its_command_or_its_key() {
    let redis = redis_or_skip!();
    // What logs in, and what has another way when it is refused.
    let dispensable = ["hello", "auth", "select", "info", "xtrim", "xlen", "ping"];
    for without in COMMANDS.iter().filter(|command| !dispensable.contains(command)) {
        let line = Line::start("ecs01", &user(&redis, without, &["chat:*", "session:*"]).await);
        let words = format!("may not run {}: allow it (ACL: +{without})", without.to_uppercase());
        line.wait_until_trouble(&words).await;
    }
    let line = Line::start("ecs01", &user(&redis, "nothing", &["chat:*"]).await);
    line.wait_until_trouble("may not use the key `session:*` with HSET: allow it").await;
    let line = Line::start("ecs01", &user(&redis, "nothing", &["session:*"]).await);
    line.wait_until_trouble(
        "writing to redis does not work: the Redis user may not use the key `chat:messages`",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_read_does_not_count_as_reading() {
    let redis = redis_or_skip!();
    let line = Line::start("ecs01", &user(&redis, "xread", &["chat:*", "session:*"]).await);
    eventually("it is tried several times", async || {
        (line.metric("chat_redis_connected_total{side=\"read\"}") > 3.5).then_some(())
    })
    .await;
    // Each change is counted.
    let troubles = line.metric("chat_redis_troubles_total{side=\"read\",reason=\"permission\"}");
    assert!((troubles - 1.0).abs() < 0.1, "{troubles}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_clients_is_told_as_such() {
    let redis = redis_or_skip!("--maxclients", "5");
    let mut others = Vec::new();
    while others.len() < 5 {
        others.extend(redis.connection().await);
    }
    let line = Line::start("ecs01", &redis.url());
    line.wait_until_trouble("Redis takes no more clients: raise maxclients (ERR max number of clients").await;
    drop(others);
    line.wait_until_ready().await;
    line.is_well(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_comes_later_is_noticed() {
    let redis = redis_or_skip!();
    let line = Line::start("ecs01", &user(&redis, "xadd", &["chat:*", "session:*"]).await);
    line.wait_until_trouble("may not run XADD").await;
    redis.run::<()>(&["ACL", "SETUSER", "chat-xadd", "+xadd"]).await;
    line.wait_until_ready().await;
    line.is_well(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_login_is_told_and_never_repeated() {
    let redis = redis_or_skip!();
    let address = redis.address();
    let cases = [
        (format!("redis://{address}"), "Redis asks for a password: put it into the Redis URL (NOAUTH"),
        (
            format!("redis://{address}/?protocol=resp2"),
            "Redis asks for a password: put it into the Redis URL (NOAUTH",
        ),
        (
            format!("redis://:hunter2@{address}"),
            "the user or the password in the Redis URL is wrong (WRONGPASS",
        ),
        (
            format!("redis://nobody:hunter2@{address}"),
            "the user or the password in the Redis URL is wrong (WRONGPASS",
        ),
        (
            format!("redis://:hunter2@{address}/?protocol=resp2"),
            "the user or the password in the Redis URL is wrong (WRONGPASS",
        ),
    ];
    for (url, words) in cases {
        let reason = Line::start("ecs01", &url).wait_until_trouble(words).await;
        assert!(!reason.contains("hunter2") && !reason.contains("nobody"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_for_a_redis_that_has_none_is_told() {
    let redis = redis_or_skip!();
    redis.run::<()>(&["CONFIG", "SET", "requirepass", ""]).await;
    let line = Line::start("ecs01", &format!("redis://:hunter2@{}/?protocol=resp2", redis.address()));
    line.wait_until_trouble("this Redis has none: remove it from the URL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_redis_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        }
    });
    let line = Line::start("ecs01", &format!("redis://{address}"));
    line.wait_until_trouble("what answers there does not speak the protocol of Redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_in_the_hosts_file_and_an_unknown_one_is_told() {
    let redis = redis_or_skip!();
    let url = |host: &str| format!("redis://:{PASSWORD}@{host}:{}/0", redis.address().port());
    Line::ready("ecs01", &url("localhost")).await.is_well(0).await;
    Line::start("ecs01", &url("redis.invalid")).wait_until_trouble("`redis.invalid` has no address").await;
}

/// An authority and a certificate of its own, in files for a server.
struct Identity {
    authority: String,
}

impl Identity {
    fn write(folder: &Path, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut server = CertificateParams::new(names).unwrap();
        change(&mut server);
        let key = KeyPair::generate().unwrap();
        let certificate = server.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
        Self { authority: authority.pem() }
    }

    fn line(&self, url: &str) -> Line {
        let address = RedisAddress::parse_with_authority(url, Some(self.authority.as_bytes())).unwrap();
        Line::start_at("ecs01", address, |_| ())
    }
}

/// A port with TLS beside the plain one.
async fn with_tls(redis: &mut RedisServer, folder: &Path) -> u16 {
    let port = free_address().port();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    redis.kill();
    redis.add_options(&["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
    redis.add_options(&["--tls-cert-file", &file("certificate.pem"), "--tls-key-file", &file("key.pem")]);
    redis.add_options(&["--tls-ca-cert-file", &file("authority.pem")]);
    redis.resume().await;
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_whom_the_authority_vouches_for_by_name() {
    let mut redis = redis_or_skip!();
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::write(folder.path(), &["localhost"], |_| ());
    let port = with_tls(&mut redis, folder.path()).await;
    let url = |host: &str| format!("rediss://:{PASSWORD}@{host}:{port}/0");

    let line = identity.line(&url("localhost"));
    line.wait_until_ready().await;
    for number in 0..200 {
        line.say(number).unwrap();
    }
    line.is_well(200).await;

    let other_name = identity.line(&url("127.0.0.1"));
    other_name.wait_until_trouble("the certificate of Redis is for another name than `127.0.0.1`").await;
    let stranger = Identity::write(tempfile::tempdir().unwrap().path(), &["localhost"], |_| ());
    let stranger = stranger.line(&url("localhost"));
    stranger.wait_until_trouble("comes from no known authority: give its authority by --redis-ca").await;
    let plain_port = format!("rediss://:{PASSWORD}@localhost:{}/0", redis.address().port());
    identity.line(&plain_port).wait_until_trouble("reading from redis does not work").await;
    let plain = Line::start("ecs01", &format!("redis://:{PASSWORD}@localhost:{port}/0"));
    plain.wait_until_trouble("if this port of Redis has TLS, write rediss://").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_told() {
    let mut redis = redis_or_skip!();
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::write(folder.path(), &["localhost"], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let port = with_tls(&mut redis, folder.path()).await;
    let line = identity.line(&format!("rediss://:{PASSWORD}@localhost:{port}/0"));
    line.wait_until_trouble("the certificate of Redis has expired").await;
}
