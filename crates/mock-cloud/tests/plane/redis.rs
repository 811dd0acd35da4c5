//! Managed Redis with real clients: who is let in, what accounts may do, and what survives what.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mock_cloud::plane::spec::{Account, Privilege, Redis};
use mock_cloud::secret::Secret;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, cmd};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::{Region, VPC, eventually, has, text};

const PROGRAMS: &[&str] = &["ssh", "sftp", "ssh-keygen", "redis-server", "redis-cli"];
const ID: &str = "r-bp1test";
const PORT: u16 = 6379;

fn instance() -> Redis {
    let account = |password: &str, privilege| Account { password: Secret::new(password), privilege };
    Redis {
        id: ID.to_owned(),
        domain: format!("{ID}.redis.rds.aliyuncs.com"),
        vpc: VPC.to_owned(),
        private_address: Ipv4Addr::new(192, 168, 0, 40),
        port: PORT,
        memory: 64 << 20,
        eviction: "noeviction".to_owned(),
        append_only: true,
        password: Some(Secret::new("Owner-Horse-1")),
        accounts: BTreeMap::from([
            ("chat".to_owned(), account("Chat-Horse-1", Privilege::ReadWrite)),
            ("reader".to_owned(), account("Reader-Horse-1", Privilege::ReadOnly)),
        ]),
        allowed: vec!["192.168.0.1/32".parse().unwrap()],
        restarts: 0,
        revision: 1,
    }
}

/// Two hosts, of which the first is let in.
async fn region() -> Region {
    let mut region = Region::with_hosts(2).await;
    region.desired.redis.insert(ID.to_owned(), instance());
    region.apply();
    in_force(&region, 1).await;
    region
}

async fn in_force(region: &Region, revision: u64) {
    region.until("it is in force", |status| status.redis.get(ID) == Some(&revision)).await;
}

/// Changes the instance and waits until that is in force.
async fn change(region: &mut Region, change: impl FnOnce(&mut Redis)) {
    let redis = region.desired.redis.get_mut(ID).unwrap();
    change(redis);
    redis.revision += 1;
    let revision = redis.revision;
    region.apply();
    in_force(region, revision).await;
}

/// Where a host finds it: addresses are given in order, the first is that of those who come in their own name.
fn way(region: &Region, host: u8) -> SocketAddr {
    let IpAddr::V4(dns) = region.plane.dns().ip() else { unreachable!() };
    SocketAddr::from((Ipv4Addr::new(127, dns.octets()[1], 201, 1 + host), PORT))
}

async fn connect(
    region: &Region,
    host: u8,
    user: &str,
    password: &str,
) -> Result<MultiplexedConnection, RedisError> {
    let address = way(region, host);
    let client = Client::open(format!("redis://{user}:{password}@{address}/")).unwrap();
    client.get_multiplexed_async_connection().await
}

async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    line: &str,
) -> Result<T, RedisError> {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await
}

fn refusal<T>(result: Result<T, RedisError>) -> String {
    result.err().expect("it is refused").to_string()
}

/// What the first word of a host is answered with, before anybody logs in.
async fn answer(region: &Region, host: u8) -> String {
    let mut stream = TcpStream::connect(way(region, host)).await.unwrap();
    stream.write_all(b"PING\r\n").await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_reaches_it_by_name_and_address_when_its_own_address_is_allowed() {
    if !has("a_host_reaches_it_by_name_and_address_when_its_own_address_is_allowed", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    region.ok("apt-get install -y redis-tools").await;
    let name = format!("{ID}.redis.rds.aliyuncs.com");
    for place in [name.as_str(), "192.168.0.40"] {
        let line = format!("redis-cli --no-auth-warning -h {place} --user chat --pass Chat-Horse-1 PING");
        assert_eq!(region.ok(&line).await, "PONG\n", "{place}");
    }
    let inside = async |region: &Region, host: &str| {
        let install = region.plane.run_command(host, "apt-get install -y redis-tools").await.unwrap();
        assert_eq!(install.exit_code, 0);
        let line = format!("redis-cli --no-auth-warning -h {name} --user chat --pass Chat-Horse-1 PING");
        let said = region.plane.run_command(host, &line).await.unwrap();
        String::from_utf8(said.output).unwrap()
    };
    let said = inside(&region, "i-ecs02").await;
    assert!(said.contains("ERR illegal address: 192.168.0.2:"), "{said}");
    change(&mut region, |own| own.allowed = vec!["192.168.0.0/24".parse().unwrap()]).await;
    assert_eq!(inside(&region, "i-ecs02").await, "PONG\n");

    // Its own list of one who is nobody: the outer machine's address lets nobody in either.
    change(&mut region, |own| own.allowed = vec!["127.0.0.1/32".parse().unwrap()]).await;
    for host in [1, 2] {
        let answer = answer(&region, host).await;
        assert!(answer.starts_with(&format!("-ERR illegal address: 192.168.0.{host}:")), "{answer}");
    }
    let outside = region.plane.status().connect_to;
    assert!(outside.keys().all(|address| !address.contains("192.168.0.40")), "{outside:?}");
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_on_the_outer_machine_comes_in_their_own_name() {
    if !has("nobody_on_the_outer_machine_comes_in_their_own_name", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    change(&mut region, |own| own.allowed = vec!["0.0.0.0/0".parse().unwrap()]).await;
    let stranger = answer(&region, 0).await;
    assert!(stranger.starts_with("-ERR illegal address: 127.0.0.1:"), "{stranger}");
    assert!(connect(&region, 0, "chat", "Chat-Horse-1").await.is_err());
    assert!(connect(&region, 1, "chat", "Chat-Horse-1").await.is_ok());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_stays_when_the_list_changes() {
    if !has("who_is_in_stays_when_the_list_changes", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    let mut inside = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    change(&mut region, |own| own.allowed.clear()).await;
    assert_eq!(ask::<String>(&mut inside, "PING").await.unwrap(), "PONG");
    assert!(connect(&region, 1, "chat", "Chat-Horse-1").await.is_err());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_may_do_what_their_privilege_says() {
    if !has("accounts_may_do_what_their_privilege_says", PROGRAMS) {
        return;
    }
    let region = region().await;
    let mut writer = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    for line in [
        "SET key value",
        "XADD chat:messages * text hello",
        "HSET session:1 name ada",
        "EVAL return(1) 0",
        "FLUSHALL",
        "SET key value",
    ] {
        ask::<redis::Value>(&mut writer, line).await.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let mut reader = connect(&region, 1, "reader", "Reader-Horse-1").await.unwrap();
    assert_eq!(ask::<String>(&mut reader, "GET key").await.unwrap(), "value");
    for line in ["SET key other", "XADD chat:messages * a b", "FLUSHALL", "EVAL return(1) 0"] {
        let refused = refusal(ask::<redis::Value>(&mut reader, line).await);
        assert!(refused.contains("permission"), "{line}: {refused}");
    }
    let kept = ["CONFIG SET maxmemory 1", "SHUTDOWN", "REPLICAOF h 1", "ACL LIST", "SAVE"];
    for line in kept {
        let refused = refusal(ask::<redis::Value>(&mut writer, line).await);
        assert!(refused.contains("permission"), "{line}: {refused}");
    }
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_those_of_the_accounts() {
    if !has("logins_are_those_of_the_accounts", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    for (user, password, good) in [
        (ID, "Owner-Horse-1", true),
        ("", "Owner-Horse-1", true),
        ("", "chat%3AChat-Horse-1", true),
        ("", "r-bp1test%3AOwner-Horse-1", true),
        ("chat", "Owner-Horse-1", false),
        ("chat", "x", false),
        ("mock-cloud", "x", false),
        ("", "reader%3AReader-Horse-1", false),
    ] {
        let done = connect(&region, 1, user, password).await;
        assert_eq!(done.is_ok(), good, "{user}:{password} {:?}", done.err());
    }
    let silent = answer(&region, 1).await;
    assert!(silent.starts_with("-NOAUTH "), "{silent}");

    // Another password counts from now on; who is in is not asked again.
    let mut inside = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    change(&mut region, |own| {
        own.accounts.get_mut("chat").unwrap().password = Secret::new("Chat-Horse-2");
        own.accounts.remove("reader");
    })
    .await;
    assert_eq!(ask::<String>(&mut inside, "PING").await.unwrap(), "PONG");
    assert!(connect(&region, 1, "chat", "Chat-Horse-1").await.is_err());
    assert!(connect(&region, 1, "chat", "Chat-Horse-2").await.is_ok());
    assert!(connect(&region, 1, "reader", "Reader-Horse-1").await.is_err());
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_as_much_as_its_class_says_and_what_goes_first_is_chosen() {
    if !has("it_holds_as_much_as_its_class_says_and_what_goes_first_is_chosen", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    change(&mut region, |own| own.memory = 4 << 20).await;
    let mut writer = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    let fill = async |writer: &mut MultiplexedConnection| -> Result<(), RedisError> {
        for index in 0..64 {
            let value = "x".repeat(128 << 10);
            let _: () = cmd("SET").arg(format!("key{index}")).arg(value).query_async(writer).await?;
        }
        Ok(())
    };
    let refused = refusal(fill(&mut writer).await);
    assert!(refused.contains("OOM") || refused.contains("maxmemory"), "{refused}");
    change(&mut region, |own| own.eviction = "allkeys-lru".to_owned()).await;
    fill(&mut writer).await.unwrap();
    assert!(ask::<i64>(&mut writer, "DBSIZE").await.unwrap() < 64, "some went");
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_holds_survives_a_restart_and_a_killed_process_but_not_its_end() {
    if !has("what_it_holds_survives_a_restart_and_a_killed_process_but_not_its_end", PROGRAMS) {
        return;
    }
    let mut region = region().await;
    let mut writer = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    ask::<()>(&mut writer, "SET key value").await.unwrap();
    let pid = async |region: &Region| -> u32 {
        let mut own = connect(region, 1, "chat", "Chat-Horse-1").await.unwrap();
        let told: String = ask(&mut own, "INFO server").await.unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
        line.trim().parse().unwrap()
    };
    let first = pid(&region).await;
    change(&mut region, |own| own.restarts += 1).await;
    let second = pid(&region).await;
    assert_ne!(first, second, "it is another process");
    let mut again = connect(&region, 1, "chat", "Chat-Horse-1").await.unwrap();
    assert_eq!(ask::<String>(&mut again, "GET key").await.unwrap(), "value");

    let killed = rustix::process::Pid::from_raw(i32::try_from(second).unwrap()).unwrap();
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    eventually("it is back with all it held", async || {
        let Ok(mut own) = connect(&region, 1, "chat", "Chat-Horse-1").await else { return false };
        ask::<String>(&mut own, "GET key").await.is_ok_and(|value| value == "value")
    })
    .await;

    let folder = region.path("data/redis").join(ID);
    for name in ["users.acl", "redis.conf"] {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.join(name);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(!written.contains("Horse"), "no password is written down: {written}");
    }
    region.desired.redis.clear();
    region.apply();
    eventually("it is gone with its files", async || !folder.exists()).await;
    let line = format!("redis-cli -h {ID}.redis.rds.aliyuncs.com PING");
    region.ok("apt-get install -y redis-tools").await;
    let gone = region.ssh(&line).await;
    assert!(!gone.status.success(), "{}", text(&gone));
    region.plane.shutdown().await;
}
