//! Nothing outlives the cloud, however it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Region, eventually, has, is_alive};

/// A supervisor of its own with a program that starts another one.
fn supervised(program: &[&str]) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-cloud"));
    command.arg("supervise").arg("--").args(program).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn the_exit_status_is_passed_through() {
    if !has("the_exit_status_is_passed_through", &["sh"]) {
        return;
    }
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let mut child = supervised(&["sh", "-c", script]);
        let stdin = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(status), "{script}");
        drop(stdin);
    }
    let mut child = supervised(&["/none"]);
    let stdin = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(203));
    drop(stdin);
}

#[tokio::test]
async fn a_closed_input_ends_the_whole_group() {
    if !has("a_closed_input_ends_the_whole_group", &["sh", "sleep"]) {
        return;
    }
    let mut child = supervised(&["sh", "-c", "trap '' TERM HUP INT; sleep 1000 & echo $!; echo $$; wait"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = (0..2).map(|_| lines.next().unwrap().unwrap().parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    drop(child.stdin.take());
    let child = std::sync::Mutex::new(child);
    let is_over = || child.lock().unwrap().try_wait().unwrap().is_some();
    eventually("the supervisor ends", async || is_over()).await;
    assert_eq!(child.lock().unwrap().wait().unwrap().code(), Some(137));
    for pid in pids {
        eventually("the group is gone", async || !is_alive(pid)).await;
    }
}

/// This test starts itself anew as the cloud: that one is killed without a chance to clean up.
#[tokio::test(flavor = "multi_thread")]
async fn killing_the_cloud_ends_redis() {
    if !has("killing_the_cloud_ends_redis", &["redis-server", "ssh-keygen", "ssh"]) {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "death::be_the_cloud", "--nocapture"]).env(BE_THE_CLOUD, "yes");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut cloud = command.spawn().unwrap();
    let mut lines = BufReader::new(cloud.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find_map(|line| line.split_once("redis ").map(|(_, pid)| pid.to_owned()));
    let redis: u32 = line.unwrap().trim().parse().unwrap();
    assert!(is_alive(redis));
    assert!(std::fs::read_to_string(format!("/proc/{redis}/comm")).unwrap().starts_with("redis-server"));
    cloud.kill().unwrap();
    cloud.wait().unwrap();
    eventually("redis ends with the cloud", async || !is_alive(redis)).await;
}

/// Set for the process that [`killing_the_cloud_ends_redis`] starts.
const BE_THE_CLOUD: &str = "MOCK_CLOUD_TEST_BE_THE_CLOUD";

/// The other half of the test above; nothing when it is run by itself.
#[tokio::test(flavor = "multi_thread")]
async fn be_the_cloud() {
    if std::env::var_os(BE_THE_CLOUD).is_none() {
        return;
    }
    let region = Region::with_hosts(1).await;
    let script = "apt-get install -y redis-server\nsystemctl show redis-server --property=MainPID\n";
    let result = region.plane.run_command("i-ecs01", script).await.unwrap();
    let text = String::from_utf8(result.output).unwrap();
    let pid = text.split("MainPID=").nth(1).unwrap().trim().to_owned();
    writeln!(std::io::stdout(), "redis {pid}").unwrap();
    // Waits to be killed; ends as well when the test that started it dies.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}
