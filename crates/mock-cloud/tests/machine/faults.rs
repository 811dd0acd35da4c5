//! Faults of the data plane on machines: what each does, seen from outside or from another machine, and its end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mock_cloud::plane::spec::{Conditions, Desired, HostState, Status, Troubles};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Region, can_have_machines, eventually};

const FIRST: &str = "i-ecs01";
const SECOND: &str = "i-ecs02";
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

impl Region {
    /// From now on the first machine puts up with this.
    fn suffer(&mut self, conditions: Conditions) {
        self.desired.troubles.instances.insert(FIRST.to_owned(), conditions);
        self.apply();
    }

    /// Nothing is wrong any more.
    fn recover(&mut self) {
        self.desired.troubles = Troubles::default();
        self.apply();
    }

    /// Whether somebody can log in within a moment.
    async fn greets(&self) -> bool {
        let server = self.ssh_server();
        let greeting = async {
            let mut greeting = [0; 4];
            TcpStream::connect(server).await.ok()?.read_exact(&mut greeting).await.ok()?;
            (greeting == *b"SSH-").then_some(())
        };
        tokio::time::timeout(Duration::from_millis(500), greeting).await.is_ok_and(|said| said.is_some())
    }

    /// The status of a script on the first machine, and what it said.
    async fn attempt(&self, script: &str) -> (i32, String) {
        let result = self.plane.run_command(FIRST, script).await.unwrap();
        (result.exit_code, String::from_utf8_lossy(&result.output).into_owned())
    }
}

fn state(status: &Status) -> &HostState {
    &status.hosts[FIRST].state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_reboots_is_away_and_has_a_new_boot() {
    if !can_have_machines("a_machine_that_reboots_is_away_and_has_a_new_boot") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    let boot = region.assist(FIRST, "cut -d' ' -f22 /proc/1/stat").await;
    region.suffer(Conditions { is_off: true, ..Conditions::default() });
    region.until("it is off", |status| *state(status) == HostState::Off).await;
    region.recover();
    region.until("it is back", |status| *state(status) == HostState::Ready).await;
    assert_ne!(region.assist(FIRST, "cut -d' ' -f22 /proc/1/stat").await, boot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_machine_says_nothing_and_goes_on_where_it_was() {
    if !can_have_machines("a_frozen_machine_says_nothing_and_goes_on_where_it_was") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    region
        .assist(FIRST, "systemd-run --quiet --unit=counter sh -c 'while :; do date +%s%N >/run/now; done'")
        .await;
    assert!(region.greets().await);
    region.suffer(Conditions { is_frozen: true, ..Conditions::default() });
    eventually("nobody answers", async || !region.greets().await).await;
    let script = tokio::time::timeout(Duration::from_secs(1), region.plane.run_command(FIRST, "true"));
    assert!(script.await.is_err(), "the Cloud Assistant does not answer either");
    region.recover();
    eventually("it answers again", async || region.greets().await).await;
    region.assist(FIRST, "systemctl is-active counter; a=$(cat /run/now); until [ \"$a\" != \"$(cat /run/now)\" ]; do :; done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_a_machine_is_really_full() {
    if !can_have_machines("a_full_disk_of_a_machine_is_really_full") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    let full = Conditions { is_full: true, ..Conditions::default() };
    if let Some(reason) = region.plane.cannot(&full).await {
        assert!(reason.contains("loop") || reason.contains("mkfs.ext4"), "{reason}");
        return;
    }
    region.assist(FIRST, "echo before >/root/log").await;
    region.suffer(full);
    eventually("it is full", async || {
        region.assist(FIRST, "df --output=avail / | tail -n 1").await.trim() == "0"
    })
    .await;
    let (status, said) = region.attempt("head -c 8192 /dev/zero >/root/new").await;
    assert!(status != 0 && said.contains("No space left on device"), "{said}");
    let (status, said) = region.attempt("head -c 8192 /dev/zero >>/root/log").await;
    assert!(status != 0 && said.contains("No space left on device"), "what is there does not grow: {said}");
    assert!(region.assist(FIRST, "head -n 1 /root/log").await.starts_with("before"));
    region.recover();
    eventually("there is room again", async || region.attempt("echo after >/root/new").await.0 == 0).await;
    assert_eq!(region.assist(FIRST, "cat /root/new; ls /.full 2>&1 | grep -c 'No such'").await, "after\n1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_to_a_machine_is_cut_or_slow_and_then_neither() {
    if !can_have_machines("ssh_to_a_machine_is_cut_or_slow_and_then_neither") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    let many = "head -c 40000 /dev/zero | tr '\\0' x";
    region.suffer(Conditions { ssh_cut: Some(30_000), ..Conditions::default() });
    eventually("it breaks off", async || !region.ssh(many).await.status.success()).await;
    assert!(region.ssh("true").await.status.success(), "what is short gets through");
    region.suffer(Conditions { ssh_rate: Some(20_000), ..Conditions::default() });
    eventually("it is slow", async || {
        let begun = Instant::now();
        let output = region.ssh(many).await;
        output.stdout.len() == 40_000 && begun.elapsed() > Duration::from_millis(1_800)
    })
    .await;
    region.recover();
    eventually("it is quick", async || {
        let begun = Instant::now();
        region.ssh(many).await.stdout.len() == 40_000 && begun.elapsed() < Duration::from_millis(1_500)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_of_a_machine_are_stopped_and_killed_until_that_is_over() {
    if !can_have_machines("units_of_a_machine_are_stopped_and_killed_until_that_is_over") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    let script = "for name in redis-small chat-node; do\n\
                  printf '[Service]\\nExecStart=/usr/bin/sleep 1000\\nRestart=on-failure\\nRestartSec=100ms\\n' \
                  >/etc/systemd/system/$name.service\n\
                  done\nsystemctl daemon-reload\nsystemctl start redis-small chat-node\n";
    region.assist(FIRST, script).await;
    let first = region.assist(FIRST, "systemctl show chat-node --property=MainPID --value").await;
    region.suffer(Conditions { stops_redis: true, kills_node: true, ..Conditions::default() });
    let runs = |status: &Status, unit: &str| {
        status.hosts[FIRST].processes.iter().any(|process| process.unit == unit)
    };
    let active = async |unit: &str| region.attempt(&format!("systemctl is-active {unit}")).await.1;
    region.plane.faults_applied().await;
    assert_eq!(active("redis-small").await, "inactive\n", "it is in force when it is said to be");
    eventually("the node is given up", async || active("chat-node").await == "failed\n").await;
    let (_, journal) = region.attempt("journalctl --no-pager -u chat-node").await;
    assert!(journal.contains("code=killed, status=9/KILL"), "{journal}");
    let well = Desired { troubles: Troubles::default(), ..region.desired.clone() };
    region.plane.reconcile(well);
    eventually("both run again", async || {
        active("redis-small").await == "active\n" && active("chat-node").await == "active\n"
    })
    .await;
    assert_ne!(region.assist(FIRST, "systemctl show chat-node --property=MainPID --value").await, first);
    assert!(runs(&region.plane.status(), "chat-node.service"));
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_cut_apart_and_lose_packets_and_then_do_not() {
    if !can_have_machines("machines_are_cut_apart_and_lose_packets_and_then_do_not") {
        return;
    }
    let mut region = Region::with_machines(3).await;
    for id in [SECOND, "i-ecs03"] {
        region.listen(id, 6379).await;
    }
    assert!(region.reaches(FIRST, OTHER, 6379).await);
    region.desired.troubles.cuts.insert((FIRST.to_owned(), SECOND.to_owned()));
    region.apply();
    eventually("they do not reach each other", async || !region.reaches(FIRST, OTHER, 6379).await).await;
    assert!(region.reaches(FIRST, Ipv4Addr::new(192, 168, 0, 3), 6379).await, "the third one is reached");
    assert!(region.greets().await, "and so is the machine from outside");
    region.recover();
    eventually("they do again", async || region.reaches(FIRST, OTHER, 6379).await).await;

    let ping = format!("ping -q -i 0.01 -c 200 -w 10 {OTHER} | grep -o '[0-9.]*% packet loss'");
    let lost = async || -> f64 {
        let said = region.attempt(&ping).await.1;
        said.split('%').next().unwrap().trim().parse().unwrap()
    };
    assert!(lost().await < 1.0);
    let mut troubles = Troubles::default();
    troubles.instances.insert(FIRST.to_owned(), Conditions { loss: Some(30), ..Conditions::default() });
    region.plane.reconcile(Desired { troubles, ..region.desired.clone() });
    // Lost on the way there or back: 1 - 0.7 * 0.7, which is 51 of a hundred.
    eventually("packets are lost", async || (35.0..67.0).contains(&lost().await)).await;
    region.plane.reconcile(region.desired.clone());
    eventually("none is lost any more", async || lost().await < 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_does_so_and_nothing_of_it_is_lost() {
    if !can_have_machines("what_comes_late_does_so_and_nothing_of_it_is_lost") {
        return;
    }
    let mut region = Region::with_machines(2).await;
    region.listen(FIRST, 6379).await;
    let late = Conditions { delay: Some(Duration::from_millis(150)), ..Conditions::default() };
    assert_eq!(region.plane.cannot(&late).await, None);
    let ping = format!("ping -q -i 0.05 -c 5 -w 5 {OTHER} | sed -n 's/^rtt[^=]*= \\([0-9]*\\).*/\\1/p'");
    let quickest = async |region: &Region| -> u64 { region.attempt(&ping).await.1.trim().parse().unwrap() };
    region.suffer(late);
    eventually("answers come late", async || quickest(&region).await >= 150).await;
    assert!(region.reaches(SECOND, OWN, 6379).await, "what is let in is let in late too");
    let begun = Instant::now();
    assert!(region.greets().await, "whoever comes from outside waits as well");
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
    // Many packets that are on their way at once arrive all, and in order.
    region
        .assist(
            SECOND,
            "systemd-run --quiet --unit=many systemd-socket-activate --inetd --accept --listen=7000 cat /usr/bin/bash\n\
             until timeout 1 bash -c '</dev/tcp/127.0.0.1/7000'; do sleep 0.05; done\n",
        )
        .await;
    let sent = region.assist(SECOND, "sha256sum </usr/bin/bash").await;
    let came = region.assist(FIRST, &format!("bash -c 'cat </dev/tcp/{OTHER}/7000' | sha256sum")).await;
    assert_eq!(came, sent);
    region.recover();
    eventually("answers come at once", async || quickest(&region).await < 100).await;
    assert!(region.greets().await);
}
