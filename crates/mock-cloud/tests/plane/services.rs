//! Units over real processes, packages, Redis, and reaching hosts through each other.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::{Region, eventually, has, is_alive, run, text};

const PROGRAMS: &[&str] = &["ssh", "sftp", "ssh-keygen"];

/// A unit around a small real program of this machine.
fn unit(start: &str, more: &str) -> String {
    format!(
        "[Unit]\nDescription=Small\n[Service]\nExecStart={start}\n{more}\n[Install]\nWantedBy=multi-user.target\n"
    )
}

fn real_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap().canonicalize().unwrap()
}

/// Puts a real program of this machine onto the host.
async fn put_program(region: &Region, name: &str, to: &str) {
    region.upload(&real_program(name), to).await;
    region.ok(&format!("chmod 755 {to}")).await;
}

async fn main_pid(region: &Region, unit: &str) -> u32 {
    let shown = region.ok(&format!("systemctl show {unit} --property=MainPID")).await;
    shown.trim().strip_prefix("MainPID=").unwrap().parse().unwrap()
}

/// Waits until a unit is as `systemctl is-active` calls it.
async fn becomes(region: &Region, unit: &str, word: &str) {
    for _ in 0..600 {
        let said = region.ssh(&format!("systemctl is-active {unit}")).await;
        if text(&said).trim() == word {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{unit} does not become {word}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_starts_its_commands_once_unless_it_is_stopped() {
    if !has("a_timer_starts_its_commands_once_unless_it_is_stopped", PROGRAMS) {
        return;
    }
    let region = Region::with_hosts(1).await;
    let folder = "/etc/systemd/system";
    let service = "[Service]\nType=oneshot\nExecStart=-/usr/bin/rm /tmp/absent\nExecStart=/usr/bin/touch /tmp/one\n\
                   ExecStart=/usr/bin/mv -fT /tmp/one /tmp/two\n";
    region.write(service, &format!("{folder}/late.service")).await;
    region.write("[Timer]\nOnActiveSec=1h\n", &format!("{folder}/late.timer")).await;
    region.ok("systemctl start late.timer").await;
    becomes(&region, "late.timer", "active").await;
    region.ok("systemctl stop late.timer").await;
    becomes(&region, "late.timer", "inactive").await;
    region.write("[Timer]\nOnActiveSec=300ms\n", &format!("{folder}/late.timer")).await;
    region.ok("systemctl restart late.timer").await;
    becomes(&region, "late.timer", "inactive").await;
    for _ in 0..600 {
        if region.ssh("ls /tmp/two").await.status.success() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the commands were not run: {}", region.ok("journalctl -u late.service").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_started_restarted_and_stopped() {
    if !has("a_unit_is_started_restarted_and_stopped", PROGRAMS) {
        return;
    }
    let region = Region::with_hosts(1).await;
    region.ok("mkdir -p /opt/x").await;
    put_program(&region, "sleep", "/opt/x/sleep").await;
    let file = "/etc/systemd/system/nap.service";
    region.write(&unit("/opt/x/sleep 1000", "Restart=on-failure\nRestartSec=10ms"), file).await;
    region.ok("systemctl daemon-reload").await;
    assert_eq!(region.ssh("systemctl is-enabled nap").await.status.code(), Some(1));
    let enabled = region.ssh("systemctl enable --now nap.service").await;
    assert!(text(&enabled).contains("Created symlink"), "{}", text(&enabled));
    assert_eq!(region.ok("systemctl is-enabled nap").await, "enabled\n");
    assert_eq!(region.ok("systemctl is-active nap").await, "active\n");
    assert_eq!(
        region.ok("systemctl show nap none --property=ActiveState,UnitFileState").await,
        "ActiveState=active\nUnitFileState=enabled\n\nActiveState=inactive\nUnitFileState=\n"
    );
    let first = main_pid(&region, "nap").await;
    let command = std::fs::read_to_string(format!("/proc/{first}/cmdline")).unwrap();
    assert!(
        command.ends_with("/opt/x/sleep\u{0}1000\u{0}")
            && command.starts_with(region.root("i-ecs01").to_str().unwrap())
    );
    let status = region.plane.status();
    let process = &status.hosts["i-ecs01"].processes[0];
    assert_eq!(
        (process.unit.as_str(), process.pid, process.state.as_str()),
        ("nap.service", Some(first), "active")
    );
    // Killed by hand: it comes back with another process.
    rustix::process::kill_process(pid(first), rustix::process::Signal::KILL).unwrap();
    region
        .until("it runs again", |status| {
            let process = &status.hosts["i-ecs01"].processes[0];
            process.state == "active" && process.pid != Some(first)
        })
        .await;
    let shown = region.ok("systemctl show nap --property=ActiveState,NRestarts,Result").await;
    assert_eq!(shown, "ActiveState=active\nNRestarts=1\nResult=success\n");
    let second = main_pid(&region, "nap").await;
    region.ok("systemctl restart nap").await;
    assert_ne!(main_pid(&region, "nap").await, second);
    let third = main_pid(&region, "nap").await;
    // A changed file counts after daemon-reload only.
    region.write(&unit("/opt/x/sleep 2000", ""), file).await;
    region.ok("systemctl restart nap").await;
    assert!(cmdline(main_pid(&region, "nap").await).contains("1000"));
    region.ok("systemctl daemon-reload").await;
    region.ok("systemctl restart nap").await;
    assert!(cmdline(main_pid(&region, "nap").await).contains("2000"));
    let last = main_pid(&region, "nap").await;
    region.ok("systemctl disable --now nap").await;
    assert_eq!(region.ssh("systemctl is-active nap").await.status.code(), Some(3));
    for pid in [first, second, third, last] {
        assert!(!is_alive(pid));
    }
    let journal = region.ok("journalctl -u nap -n 50 --no-pager").await;
    assert!(
        journal.contains("code=killed, status=9/KILL")
            && journal.contains("systemd[1]: Started nap.service - Small.")
    );
    region.plane.shutdown().await;
}

fn pid(number: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

fn cmdline(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_fails_as_systemd_says() {
    if !has("what_cannot_run_fails_as_systemd_says", PROGRAMS) {
        return;
    }
    let region = Region::with_hosts(1).await;
    region.ok("mkdir -p /opt/x").await;
    region.write("#!/bin/sh\ntouch /tmp/never\n", "/opt/x/script").await;
    let mut foreign = std::fs::read(real_program("sleep")).unwrap();
    foreign[18..20].copy_from_slice(&[0xf3, 0x00]);
    std::fs::write(region.path("foreign"), foreign).unwrap();
    region.upload(&region.path("foreign"), "/opt/x/foreign").await;
    region.ok("chmod 755 /opt/x/script /opt/x/foreign").await;
    region.upload(Path::new("/bin/true"), "/opt/x/plain").await;
    region.ok("chmod 644 /opt/x/plain").await;
    for (program, reason) in [
        ("/opt/x/none", "No such file or directory"),
        ("/opt/x/script", "Exec format error"),
        ("/opt/x/foreign", "Exec format error"),
        ("/opt/x/plain", "Permission denied"),
        ("/opt/x", "Permission denied"),
    ] {
        region.write(&unit(program, ""), "/etc/systemd/system/bad.service").await;
        region.ok("systemctl daemon-reload").await;
        let output = region.ssh("systemctl start bad").await;
        assert_eq!(output.status.code(), Some(1), "{program}");
        let sentence = "Job for bad.service failed because the control process exited with error code.";
        assert!(text(&output).contains(sentence), "{}", text(&output));
        let shown = region.ok("systemctl show bad --property=ActiveState,Result,ExecMainStatus").await;
        assert_eq!(shown, "ActiveState=failed\nResult=exit-code\nExecMainStatus=203\n", "{program}");
        let journal = region.ok("journalctl -u bad -n 3 --no-pager -o cat").await;
        assert!(journal.contains(reason), "{program}: {journal}");
    }
    region.ok("systemctl reset-failed bad").await;
    assert_eq!(region.ssh("systemctl is-active bad").await.status.code(), Some(3));
    // One that ends at once again and again is given up.
    put_program(&region, "false", "/opt/x/false").await;
    let more = "Restart=on-failure\nRestartSec=1ms";
    region.write(&unit("/opt/x/false", more), "/etc/systemd/system/crash.service").await;
    region.ok("systemctl start crash").await;
    region
        .until("it is given up", |status| {
            let processes = &status.hosts["i-ecs01"].processes;
            processes.iter().any(|process| process.unit == "crash.service" && process.state == "failed")
        })
        .await;
    assert!(
        region
            .ok("journalctl -u crash -n 9 --no-pager")
            .await
            .contains("Start request repeated too quickly.")
    );
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_gets_and_prints() {
    if !has("what_a_program_gets_and_prints", PROGRAMS) {
        return;
    }
    let region = Region::with_hosts(2).await;
    region.ok("mkdir -p /opt/x /etc/albatross").await;
    put_program(&region, "env", "/opt/x/env").await;
    region.write("SECRET=redis://:p@192.168.0.2:80/0\nQUOTED=\"a b\"\n", "/etc/albatross/x.env").await;
    let more =
        "Environment=LISTEN=0.0.0.0:5000\nEnvironmentFile=/etc/albatross/x.env\nEnvironmentFile=-/none";
    region.write(&unit("/opt/x/env", more), "/etc/systemd/system/show.service").await;
    region.ok("systemctl start show").await;
    let own = region.ssh_server().ip();
    let expected = ["QUOTED=a b".to_owned(), format!("LISTEN={own}:5000"), ":10080/0".to_owned()];
    eventually("the environment is in the journal", async || {
        let journal = region.ok("journalctl -u show -n 50 --no-pager -o cat").await;
        expected.iter().all(|line| journal.contains(line.as_str())) && !journal.contains("HOME=")
    })
    .await;
    let missing = "EnvironmentFile=/none";
    region.write(&unit("/opt/x/env", missing), "/etc/systemd/system/missing.service").await;
    assert_eq!(region.ssh("systemctl start missing").await.status.code(), Some(1));
    region.plane.shutdown().await;
}

const REDIS: &str = "bind 192.168.0.1 127.0.0.1\nport 6379\nrequirepass secret\ndir /var/lib/albatross-redis\nsave \"\"\n\
                     pidfile /run/redis.pid\n";

async fn install_redis(region: &Region) {
    let installed = region.ok("apt-get install -y --no-install-recommends redis-server").await;
    assert!(installed.contains("Setting up redis-server"));
    assert_eq!(region.ok("dpkg-query -W -f '${db:Status-Status}' redis-server").await, "installed");
    assert_eq!(
        region.ok("systemctl is-active redis-server").await,
        "active\n",
        "Debian starts what it installs"
    );
    region.ok("systemctl disable --now redis-server").await;
    region.ok("mkdir -p /var/lib/albatross-redis /etc/albatross").await;
    region.write(REDIS, "/etc/albatross/redis.conf").await;
    let unit = unit(
        "/usr/bin/redis-server /etc/albatross/redis.conf",
        "Restart=on-failure\nUser=redis\nProtectSystem=strict",
    );
    region.write(&unit, "/etc/systemd/system/albatross-redis.service").await;
    region.ok("systemctl daemon-reload").await;
    region.ok("systemctl enable --now albatross-redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_runs_on_its_vpc_address() {
    if !has("redis_runs_on_its_vpc_address", &["ssh", "sftp", "ssh-keygen", "redis-server", "redis-cli"]) {
        return;
    }
    let mut region = Region::with_hosts(2).await;
    install_redis(&region).await;
    eventually("redis listens", async || {
        region.ok("ss -ltnH sport = :6379").await.contains("192.168.0.1:6379")
    })
    .await;
    let listening = region.ok("ss -ltnHp").await;
    assert!(listening.contains("192.168.0.1:22") && listening.contains("redis-server"), "{listening}");
    assert_eq!(region.ok("cat /etc/albatross/redis.conf").await, REDIS, "the original stays");
    let ping =
        region.ssh_with("redis-cli -h 192.168.0.1 -p 6379 --no-auth-warning", "AUTH secret\nPING\n").await;
    assert_eq!(text(&ping), "OK\nPONG\n");
    let ping = region.ok("env REDISCLI_AUTH=secret redis-cli -h 192.168.0.1 -p 6379 PING").await;
    assert_eq!(ping, "PONG\n");
    assert!(region.ok("redis-cli PING").await.contains("NOAUTH"));
    // A second one on the same port fails by itself, as on a real host.
    let second = unit("/usr/bin/redis-server /etc/albatross/redis.conf", "");
    region.write(&second, "/etc/systemd/system/second.service").await;
    region.ok("systemctl start second").await;
    eventually("the second one failed", async || {
        region.ssh("systemctl is-active second").await.stdout == b"failed\n"
    })
    .await;
    assert!(
        region.ok("journalctl -u second -n 20 --no-pager -o cat").await.contains("Address already in use")
    );
    // Switched off and on again: enabled units come back, files were kept.
    let before = main_pid(&region, "albatross-redis").await;
    region.desired.instances.get_mut("i-ecs01").unwrap().power = mock_cloud::plane::spec::Power::Off;
    region.apply();
    let off = mock_cloud::plane::spec::HostState::Off;
    region.until("it is off", |status| status.hosts["i-ecs01"].state == off).await;
    assert!(!is_alive(before));
    region.desired.instances.get_mut("i-ecs01").unwrap().power = mock_cloud::plane::spec::Power::On;
    region.apply();
    region.all_ready().await;
    assert_eq!(region.ok("systemctl is-active albatross-redis").await, "active\n");
    let after = main_pid(&region, "albatross-redis").await;
    // Gone: nothing is left.
    region.desired.instances.remove("i-ecs01");
    region.apply();
    region.until("it is gone", |status| !status.hosts.contains_key("i-ecs01")).await;
    assert!(!is_alive(after) && !region.root("i-ecs01").exists());
    region.plane.shutdown().await;
    assert!(!region.root("i-ecs02").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_notifies_has_started_when_it_says_so() {
    if !has(
        "a_unit_that_notifies_has_started_when_it_says_so",
        &["ssh", "sftp", "ssh-keygen", "redis-server"],
    ) {
        return;
    }
    let region = Region::with_hosts(1).await;
    region.ok("mkdir -p /opt/x").await;
    put_program(&region, "sleep", "/opt/x/sleep").await;
    put_program(&region, "true", "/opt/x/true").await;
    let file = "/etc/systemd/system/says.service";
    let shown = async || region.ok("systemctl show says --property=ActiveState,SubState,Result").await;
    let define = async |program: &str, more: &str| {
        region.write(&unit(program, &format!("Type=notify\n{more}")), file).await;
        region.ok("systemctl daemon-reload").await;
    };

    // One that never says it, and one that ends before it does.
    for (program, result) in [("/opt/x/sleep 1000", "timeout"), ("/opt/x/true", "protocol")] {
        define(program, "TimeoutStartSec=300ms").await;
        assert_eq!(region.ssh("systemctl start says").await.status.code(), Some(1), "{program}");
        assert_eq!(shown().await, format!("ActiveState=failed\nSubState=failed\nResult={result}\n"));
    }

    // A start that waits is seen to wait, and gives way to a stop.
    define("/opt/x/sleep 1000", "").await;
    let waits = region.ssh("systemctl start says");
    let stops = async {
        eventually("it waits", async || {
            shown().await.starts_with("ActiveState=activating\nSubState=start\n")
        })
        .await;
        region.ok("systemctl stop says").await;
    };
    let (started, ()) = tokio::join!(waits, stops);
    assert_eq!(started.status.code(), Some(1));
    assert_eq!(region.ssh("systemctl is-active says").await.status.code(), Some(3));

    // One that says it and is silent from then on.
    region.ok("apt-get install -y --no-install-recommends redis-server").await;
    let redis = "/usr/bin/redis-server --port 6390 --supervised systemd";
    define(redis, "").await;
    region.ok("systemctl start says").await;
    assert_eq!(shown().await, "ActiveState=active\nSubState=running\nResult=success\n");
    region.ok("systemctl stop says").await;
    define(redis, "WatchdogSec=300ms").await;
    region.ok("systemctl start says").await;
    eventually("it was ended", async || {
        shown().await == "ActiveState=failed\nSubState=failed\nResult=watchdog\n"
    })
    .await;
    assert!(
        region.ok("journalctl -u says -n 2000 --no-pager").await.contains("Watchdog timeout (limit 0.3s)!")
    );
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_host_is_reached_through_a_public_one() {
    if !has("a_private_host_is_reached_through_a_public_one", PROGRAMS) {
        return;
    }
    let region = Region::with_hosts(2).await;
    let server = region.ssh_server();
    let options = region.options("key").join(" ");
    let through = format!("ProxyCommand=ssh {options} -p {} -W %h:%p root@{}", server.port(), server.ip());
    let mut command = Command::new("ssh");
    command.args(region.options("key")).arg("-o").arg(&through).args(["root@192.168.0.2", "hostname"]);
    let output = run(command, "").await;
    assert_eq!(text(&output), "ecs02\n");
    // What is not of the region is refused by the server, not tried.
    let mut command = Command::new("ssh");
    command.args(["-o", "LogLevel=INFO"]).args(region.options("key"));
    command.args(["-p", &server.port().to_string(), "-W", "8.8.8.8:53"]);
    command.arg(format!("root@{}", server.ip()));
    let output = run(command, "").await;
    assert!(text(&output).contains("administratively prohibited"), "{}", text(&output));
    region.plane.shutdown().await;
}
