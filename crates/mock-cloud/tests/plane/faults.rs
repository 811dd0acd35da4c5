//! Faults of the data plane on process hosts: what each does, seen from outside, and that nothing of it stays.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::{Conditions, Health, HostState, Record, Status};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::balance::setup::{Setup, exchange};
use crate::support::{Region, eventually, has, run, text};

const PROGRAMS: &[&str] = &["ssh", "sftp", "ssh-keygen", "redis-server", "redis-cli"];
const HOST: &str = "i-ecs01";
const REDIS: &str = "redis-server.service";
const NODE: &str = "chat-node.service";

impl Region {
    /// From now on the first host puts up with this.
    fn suffer(&mut self, conditions: Conditions) {
        self.desired.troubles.instances.insert(HOST.to_owned(), conditions);
        self.apply();
    }

    /// Nothing is wrong any more.
    fn recover(&mut self) {
        self.desired.troubles = mock_cloud::plane::spec::Troubles::default();
        self.apply();
    }

    /// Runs a script of the Cloud Assistant, which must succeed.
    async fn assist(&self, id: &str, script: &str) -> String {
        let result = self.plane.run_command(id, script).await.unwrap();
        let said = String::from_utf8_lossy(&result.output).into_owned();
        assert_eq!(result.exit_code, 0, "{script}: {said}");
        said
    }
}

/// The process of a unit of the first host, while it runs.
fn process(status: &Status, unit: &str) -> Option<u32> {
    let processes = &status.hosts[HOST].processes;
    processes.iter().find(|process| process.unit == unit && process.state == "active")?.pid
}

/// What the kernel says a process does: `S` sleeps, `T` is stopped.
fn letter(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().chars().next().unwrap()
}

/// Whether an SSH server says who it is.
async fn greets(server: SocketAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(server).await?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await?;
        Ok::<_, std::io::Error>(greeting == *b"SSH-")
    };
    tokio::time::timeout(Duration::from_millis(300), greeting).await.is_ok_and(|said| said.unwrap_or(false))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_reboots_is_away_and_comes_back_with_what_is_enabled() {
    if !has("a_host_that_reboots_is_away_and_comes_back_with_what_is_enabled", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    region.ok("apt-get install -y redis-server").await;
    region.ok("touch /root/kept").await;
    let server = region.ssh_server();
    let before = process(&region.plane.status(), REDIS).unwrap();
    region.suffer(Conditions { is_off: true, ..Conditions::default() });
    region.until("it is off", |status| status.hosts[HOST].state == HostState::Off).await;
    assert!(TcpStream::connect(server).await.is_err(), "nothing listens");
    assert!(!crate::support::is_alive(before), "what ran on it has ended");
    region.recover();
    // Its units run before the boot is over.
    region.until("it is on", |status| status.hosts[HOST].state == HostState::Ready).await;
    let status = region.until("Redis runs again", |status| process(status, REDIS).is_some()).await;
    assert_ne!(process(&status, REDIS), Some(before));
    assert_eq!(region.ok("ls /root/kept").await, "/root/kept\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_host_says_nothing_and_goes_on_where_it_was() {
    if !has("a_frozen_host_says_nothing_and_goes_on_where_it_was", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    region.ok("apt-get install -y redis-server").await;
    let server = region.ssh_server();
    let redis = process(&region.plane.status(), REDIS).unwrap();
    region.suffer(Conditions { is_frozen: true, ..Conditions::default() });
    eventually("its programs are stopped", async || letter(redis) == 'T').await;
    assert!(TcpStream::connect(server).await.is_ok(), "the kernel takes connections");
    assert!(!greets(server).await, "nobody answers them");
    let script = tokio::time::timeout(Duration::from_millis(300), region.plane.run_command(HOST, "true"));
    assert!(script.await.is_err(), "the Cloud Assistant does not answer either");
    region.recover();
    eventually("they go on", async || letter(redis) != 'T').await;
    assert!(greets(server).await);
    assert_eq!(process(&region.plane.status(), REDIS), Some(redis), "it is the same process");
    assert_eq!(region.ok("redis-cli ping").await, "PONG\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_nothing_and_gives_everything_back() {
    if !has("a_full_disk_takes_nothing_and_gives_everything_back", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    region.write("old", "/root/old").await;
    region.suffer(Conditions { is_full: true, ..Conditions::default() });
    eventually("df says so", async || region.ok("df --output=avail /").await.trim().ends_with(" 0")).await;
    let local = region.path("new");
    std::fs::write(&local, "new").unwrap();
    let put = region.sftp(&format!("put {} /root/new\n", local.display())).await;
    assert!(!put.status.success() && text(&put).contains("Failure"), "{}", text(&put));
    let touched = region.ssh("touch /root/other").await;
    assert!(text(&touched).contains("No space left on device"), "{}", text(&touched));
    assert_eq!(region.ok("cat /root/old").await, "old", "what is there can be read");
    region.ok("rm /root/old").await;
    region.recover();
    eventually("there is room again", async || region.ssh("touch /root/other").await.status.success()).await;
    region.upload(&local, "/root/new").await;
    assert_eq!(region.ok("cat /root/new").await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_is_cut_after_so_many_bytes_and_then_it_is_not() {
    if !has("ssh_is_cut_after_so_many_bytes_and_then_it_is_not", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    let local = region.path("big");
    std::fs::write(&local, vec![7; 1 << 20]).unwrap();
    region.suffer(Conditions { ssh_cut: Some(64 * 1024), ..Conditions::default() });
    let put = format!("put {} /root/big\n", local.display());
    eventually("an upload breaks off", async || {
        let output = region.sftp(&put).await;
        !output.status.success() && text(&output).contains("onnection")
    })
    .await;
    assert_eq!(region.ok("echo short").await, "short\n", "what is short gets through");
    let arrived = region.root(HOST).join("root/big").metadata().map_or(0, |found| found.len());
    assert!(arrived < 64 * 1024, "{arrived} bytes arrived");
    region.recover();
    eventually("an upload is whole", async || region.sftp(&put).await.status.success()).await;
    assert_eq!(region.root(HOST).join("root/big").metadata().unwrap().len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_ssh_takes_its_time_and_loses_nothing() {
    if !has("slow_ssh_takes_its_time_and_loses_nothing", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    let (local, back) = (region.path("some"), region.path("back"));
    let bytes: Vec<u8> = (0..48 * 1024_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    std::fs::write(&local, &bytes).unwrap();
    region.upload(&local, "/root/some").await;
    let batch = format!("get /root/some {}\n", back.display());
    let timed = async |region: &Region| {
        let begun = Instant::now();
        assert!(region.sftp(&batch).await.status.success());
        begun.elapsed()
    };
    region.suffer(Conditions { ssh_rate: Some(32 * 1024), ..Conditions::default() });
    eventually("it is slow", async || timed(&region).await > Duration::from_millis(1_400)).await;
    assert_eq!(std::fs::read(&back).unwrap(), bytes);
    region.recover();
    eventually("it is quick", async || timed(&region).await < Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_stopped_and_started_again() {
    if !has("redis_is_stopped_and_started_again", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    region.ok("apt-get install -y redis-server").await;
    region.suffer(Conditions { stops_redis: true, ..Conditions::default() });
    region.plane.faults_applied().await;
    assert_eq!(process(&region.plane.status(), REDIS), None, "it is in force when it is said to be");
    let asked = region.ssh("redis-cli ping").await;
    assert!(!asked.status.success(), "{}", text(&asked));
    // Whoever starts it does so in vain.
    region.ok("systemctl start redis-server").await;
    region.until("it is stopped again", |status| process(status, REDIS).is_none()).await;
    region.recover();
    region.plane.faults_applied().await;
    assert!(process(&region.plane.status(), REDIS).is_some(), "it is undone when it is said to be");
    assert_eq!(region.ok("redis-cli ping").await, "PONG\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_as_often_as_it_comes_and_then_left_alone() {
    if !has("a_node_is_killed_as_often_as_it_comes_and_then_left_alone", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(1).await;
    region.ok("apt-get install -y redis-server").await;
    let unit =
        "[Service]\nExecStart=/usr/bin/redis-server --port 6400\nRestart=on-failure\nRestartSec=10ms\n";
    region.write(unit, "/etc/systemd/system/chat-node.service").await;
    region.ok("systemctl start chat-node").await;
    region.suffer(Conditions { kills_node: true, ..Conditions::default() });
    // It comes back by itself, and is given up when that does not help.
    let has_failed = |status: &Status| {
        status.hosts[HOST].processes.iter().any(|process| process.unit == NODE && process.state == "failed")
    };
    region.until("the service manager gives it up", has_failed).await;
    let journal = region.ok("journalctl -u chat-node").await;
    assert!(journal.contains("code=killed, status=9/KILL"), "{journal}");
    assert!(journal.contains("Start request repeated too quickly"), "{journal}");
    assert!(process(&region.plane.status(), REDIS).is_some(), "nobody else is killed");
    region.recover();
    region.until("it runs again", |status| process(status, NODE).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_are_cut_apart_reach_the_others_only() {
    if !has("two_hosts_that_are_cut_apart_reach_the_others_only", PROGRAMS) {
        return;
    }
    let mut region = Region::with_hosts(3).await;
    for id in [HOST, "i-ecs02", "i-ecs03"] {
        region.assist(id, "apt-get install -y redis-server").await;
        // A Redis without a password lets nobody in from another host unless it is told to.
        eventually("Redis can be told", async || {
            let told = region.plane.run_command(id, "redis-cli config set protected-mode no").await.unwrap();
            told.output.starts_with(b"OK")
        })
        .await;
    }
    let beat = |number: u8| {
        format!(
            "[Service]\nExecStart=/usr/bin/redis-cli -u redis://192.168.0.{number}:6379 -r 1000000 -i 0.02 INCR beats\n"
        )
    };
    for number in [2, 3] {
        region.write(&beat(number), &format!("/etc/systemd/system/beat{number}.service")).await;
        region.ok(&format!("systemctl start beat{number}")).await;
    }
    let beats = async |region: &Region, number: u8| -> u64 {
        let said = region.assist(&format!("i-ecs0{number}"), "redis-cli get beats").await;
        said.trim().parse().unwrap_or(0)
    };
    let grows = async |region: &Region, number: u8| {
        let before = beats(region, number).await;
        eventually("its counter grows", async || beats(region, number).await > before + 2).await;
    };
    grows(&region, 2).await;
    grows(&region, 3).await;
    region.desired.troubles.cuts.insert((HOST.to_owned(), "i-ecs02".to_owned()));
    region.apply();
    eventually("nothing comes through any more", async || {
        let before = beats(&region, 2).await;
        grows(&region, 3).await;
        beats(&region, 2).await == before
    })
    .await;
    let jump = region.ssh("curl -s -m 0.3 http://192.168.0.2:22/").await;
    assert_eq!(jump.status.code(), Some(28), "{}", text(&jump));
    region.recover();
    grows(&region, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_name_is_answered_as_before() {
    if !has("a_stale_name_is_answered_as_before", &["dig"]) {
        return;
    }
    let mut region = Region::empty(HostKind::None).await;
    let point_at = |region: &mut Region, address: &str| {
        let record =
            Record { host: "chat".to_owned(), kind: "A".to_owned(), value: address.to_owned(), ttl: 600 };
        region.desired.domains.insert("example.com".to_owned(), vec![record]);
        region.apply();
    };
    let answer = async |region: &Region| {
        let dns = region.plane.dns();
        let mut dig = Command::new("dig");
        dig.arg(format!("@{}", dns.ip())).args(["-p", &dns.port().to_string(), "+short", "+norecurse"]);
        dig.args(["chat.example.com", "A"]);
        String::from_utf8(run(dig, "").await.stdout).unwrap()
    };
    point_at(&mut region, "192.0.2.1");
    eventually("the name is there", async || answer(&region).await == "192.0.2.1\n").await;
    region.desired.troubles.stale_names.insert("chat.example.com".to_owned());
    point_at(&mut region, "192.0.2.2");
    // A record beside it shows that the change has arrived.
    let other = Record { host: "www".to_owned(), kind: "TXT".to_owned(), value: "new".to_owned(), ttl: 600 };
    region.desired.domains.get_mut("example.com").unwrap().push(other);
    region.apply();
    let dns = region.plane.dns();
    eventually("the change is there", async || {
        let mut dig = Command::new("dig");
        dig.arg(format!("@{}", dns.ip())).args(["-p", &dns.port().to_string(), "+short", "+norecurse"]);
        dig.args(["www.example.com", "TXT"]);
        run(dig, "").await.stdout == b"\"new\"\n"
    })
    .await;
    assert_eq!(answer(&region).await, "192.0.2.1\n");
    region.recover();
    eventually("the name is as it should be", async || answer(&region).await == "192.0.2.2\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_server_gets_nothing_though_it_serves() {
    let mut setup = Setup::new([100, 100]).await;
    setup.region.suffer(Conditions { fails_checks: true, ..Conditions::default() });
    setup.is(1, &Health::Unhealthy("RESPONSE_MISMATCH".to_owned())).await;
    setup.is(2, &Health::Healthy).await;
    assert_eq!(setup.turns(6).await, (0, 6), "the other one answers all");
    let itself = setup.place(1, 5000);
    let answer = exchange(itself, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "it serves whoever asks: {answer}");
    setup.region.recover();
    setup.is(1, &Health::Healthy).await;
    assert_eq!(setup.turns(6).await, (3, 3));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_hosts_say_what_they_cannot_have() {
    let region = Region::empty(HostKind::Process).await;
    let lossy = Conditions { loss: Some(10), ..Conditions::default() };
    let late = Conditions { delay: Some(Duration::from_millis(10)), ..Conditions::default() };
    for conditions in [lossy, late] {
        let reason = region.plane.cannot(&conditions).await.unwrap();
        assert!(reason.contains("--hosts machine"), "{reason}");
    }
    let frozen = Conditions { is_frozen: true, ..Conditions::default() };
    assert_eq!(region.plane.cannot(&frozen).await, None);
    assert_eq!(region.plane.cannot_cut(), None);
    let nothing = Region::empty(HostKind::None).await;
    assert!(nothing.plane.cannot(&frozen).await.is_some() && nothing.plane.cannot_cut().is_some());
}
