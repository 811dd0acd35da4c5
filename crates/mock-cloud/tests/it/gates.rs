//! Gates from outside: calls, commands and uploads that are held, and what becomes of them without their caller.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const VPC: &[(&str, &str)] = &[REGION, ("CidrBlock", "10.0.0.0/8")];
const PATIENCE: Duration = Duration::from_secs(20);

/// Sets a gate and gives its number.
async fn gate(cloud: &Cloud, key: &str, occurrence: u64, moment: &str) -> u64 {
    let place = json!({"key": key, "occurrence": occurrence, "moment": moment});
    let set = cloud.post_admin("/_mock/gates", &place.to_string()).await.good();
    set["gate"].as_u64().unwrap()
}

async fn tell(cloud: &Cloud, gate: u64, then: &str) {
    cloud.post_admin(&format!("/_mock/gates/{gate}"), &json!({"then": then}).to_string()).await.good();
}

/// How far a gate is, once it holds something or what it held is over.
async fn state(cloud: &Cloud, gate: u64) -> String {
    let answer = cloud.admin(&format!("/_mock/gates/{gate}?wait=20")).await;
    answer["state"].as_str().unwrap().to_owned()
}

/// Asks again until it holds.
#[track_caller]
fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let begun = Instant::now();
    async move {
        while !holds().await {
            assert!(begun.elapsed() < PATIENCE, "never at {place}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits until the cloud has seen that the caller of what is held is gone.
async fn left_alone(cloud: &Cloud, gate: u64) {
    until(async || cloud.admin(&format!("/_mock/gates/{gate}")).await["alone"] == true).await;
}

/// `key occurrence state` of every effect.
async fn effects(cloud: &Cloud) -> Vec<String> {
    let text = cloud.read_admin("/_mock/effects").await;
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.enumerate()
        .map(|(index, row)| {
            assert_eq!(row["sequence"], index + 1, "{row}");
            format!(
                "{} {} {}",
                row["key"].as_str().unwrap(),
                row["occurrence"],
                row["state"].as_str().unwrap()
            )
        })
        .collect()
}

async fn vpcs(cloud: &Cloud) -> u64 {
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good()["TotalCount"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_held_before_and_after_and_holds_nobody_else_up() {
    let cloud = Arc::new(Cloud::instant());
    let before = gate(&cloud, "api Vpc.CreateVpc", 2, "before").await;
    let after = gate(&cloud, "api Vpc.CreateVpc", 3, "after").await;
    assert_eq!(cloud.admin(&format!("/_mock/gates/{before}?wait=0.01")).await["state"], "armed");
    cloud.call("Vpc.CreateVpc", VPC).await.good();
    let spawn = || {
        let cloud = Arc::clone(&cloud);
        tokio::spawn(async move { cloud.call("Vpc.CreateVpc", VPC).await })
    };
    let second = spawn();
    assert_eq!(state(&cloud, before).await, "held");
    let third = spawn();
    assert_eq!(state(&cloud, after).await, "held");
    // The third is there, though it was not answered; the second is not.
    assert_eq!(vpcs(&cloud).await, 2);
    assert!(!second.is_finished() && !third.is_finished());
    let told = ["1 done", "2 held", "3 held"].map(|end| format!("api Vpc.CreateVpc {end}"));
    assert_eq!(effects(&cloud).await, told);
    for gate in [before, after] {
        tell(&cloud, gate, "go").await;
        assert_eq!(state(&cloud, gate).await, "done");
    }
    second.await.unwrap().good();
    third.await.unwrap().good();
    assert_eq!(vpcs(&cloud).await, 3);
    cloud.delete_admin("/_mock/effects").await;
    assert!(effects(&cloud).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_leaves_no_trace_and_one_without_a_caller_is_done() {
    let cloud = Arc::new(Cloud::instant());
    let mut signer = cloud.signer();
    signer.nonce = Some("once".to_owned());
    let dropped = gate(&cloud, "api Vpc.CreateVpc", 1, "before").await;
    let call = tokio::spawn({
        let (cloud, signer) = (Arc::clone(&cloud), signer.clone());
        async move { cloud.signed(&signer, "Vpc.CreateVpc", VPC, &[]).await }
    });
    assert_eq!(state(&cloud, dropped).await, "held");
    tell(&cloud, dropped, "drop").await;
    assert!(call.await.unwrap().is_err(), "the connection ends without an answer");
    assert_eq!(state(&cloud, dropped).await, "dropped");
    assert!(!cloud.log().await.contains("CreateVpc"));
    // The same nonce is good still.
    cloud.signed(&signer, "Vpc.CreateVpc", VPC, &[]).await.unwrap().good();

    let late = gate(&cloud, "api Vpc.CreateVpc", 3, "before").await;
    let call = tokio::spawn({
        let cloud = Arc::clone(&cloud);
        async move { cloud.call("Vpc.CreateVpc", VPC).await }
    });
    assert_eq!(state(&cloud, late).await, "held");
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    left_alone(&cloud, late).await;
    tell(&cloud, late, "go").await;
    assert_eq!(state(&cloud, late).await, "late");
    assert_eq!(vpcs(&cloud).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_gate_is_refused_with_a_sentence() {
    let cloud = Cloud::instant();
    cloud.call("Vpc.CreateVpc", VPC).await.good();
    let place = |key: &str, occurrence: u64, moment: &str| {
        json!({"key": key, "occurrence": occurrence, "moment": moment}).to_string()
    };
    let id = gate(&cloud, "api Vpc.DeleteVpc", 1, "before").await;
    for (path, body, status, part) in [
        ("/_mock/gates", place("api Vpc.CreateVpc", 1, "before"), 409, "the next one is 2"),
        ("/_mock/gates", place("api Vpc.DeleteVpc", 1, "before"), 409, "at this place already"),
        ("/_mock/gates", place("api Vpc.DeleteVpc", 1, "between"), 400, "unknown variant `between`"),
        ("/_mock/gates/99", json!({"then": "go"}).to_string(), 404, "there is no gate 99"),
        (&format!("/_mock/gates/{id}"), json!({"then": "go"}).to_string(), 409, "nothing is held"),
        (&format!("/_mock/gates/{id}"), json!({"then": "stay"}).to_string(), 400, "unknown variant `stay`"),
        ("/_mock/gates/x", json!({"then": "go"}).to_string(), 404, "no such endpoint"),
    ] {
        let answer = cloud.post_admin(path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text);
        assert!(answer.text.contains(part), "{}", answer.text);
    }
    let stranger = reqwest::get(format!("{}/_mock/effects", cloud.endpoint())).await.unwrap();
    assert_eq!(stranger.status(), 401);
    // A call nobody believes, and one that only reads, are no effects.
    let mut signer = cloud.signer();
    signer.secret.push('x');
    cloud.signed(&signer, "Vpc.CreateVpc", VPC, &[]).await.unwrap().refused(400, "SignatureDoesNotMatch");
    vpcs(&cloud).await;
    assert_eq!(effects(&cloud).await, ["api Vpc.CreateVpc 1 done"]);
}

/// A cloud with one process host, `ecs01`, and OpenSSH clients for it.
struct Host {
    cloud: Cloud,
    folder: TempDir,
    server: SocketAddr,
    root: std::path::PathBuf,
}

impl Host {
    /// Nothing where OpenSSH is missing, said aloud; under CI that fails the test.
    async fn start(test: &str) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in ["ssh", "sftp", "ssh-keygen"] {
            if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {program}");
                // Not by the macro: the test harness would hide it.
                let line = format!("skipped {test}: {program} is missing\n");
                std::io::stderr().write_all(line.as_bytes()).unwrap();
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let arguments = ["--pace", "instant", "--data", data.to_str().unwrap()];
        let cloud = Cloud::start_with("process", &arguments);
        let key = folder.path().join("key");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&key);
        assert!(keygen.status().await.unwrap().success());
        let public = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
        let instance = make_instance(&cloud, public.trim()).await;
        let status = cloud.admin("/_mock/status").await;
        let ways = status["connect_to"].as_array().unwrap();
        let way = ways.iter().find(|way| way["from"].as_str().unwrap().ends_with(":22")).unwrap();
        let server = way["to"].as_str().unwrap().parse().unwrap();
        cloud.delete_admin("/_mock/effects").await;
        Some(Self { cloud, server, root: data.join("hosts").join(instance), folder })
    }

    fn client(&self, program: &str, port: &str) -> Command {
        let mut command = Command::new(program);
        command.args([port, &self.server.port().to_string(), "-F", "none", "-i"]);
        command.arg(self.folder.path().join("key"));
        for option in
            ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"]
        {
            command.args(["-o", option]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        command
    }

    fn ssh(&self, line: &str) -> Child {
        let mut command = self.client("ssh", "-p");
        let mut child = command.arg(format!("root@{}", self.server.ip())).arg(line).spawn().unwrap();
        drop(child.stdin.take());
        child
    }

    async fn sftp(&self, batch: &str) -> Child {
        let mut command = self.client("sftp", "-P");
        let mut child = command.args(["-b", "-"]).arg(format!("root@{}", self.server.ip())).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, batch.as_bytes()).await.unwrap();
        child
    }

    fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(name)).ok()
    }

    /// Holds what a client does at a gate, and ends the client there.
    async fn die_at(&self, gate: u64, mut client: Child) {
        assert_eq!(state(&self.cloud, gate).await, "held");
        // With its group: `sftp` leaves an `ssh` behind that would go on listening.
        let group = client.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap())).unwrap();
        kill_process_group(group, Signal::KILL).unwrap();
        client.wait().await.unwrap();
        left_alone(&self.cloud, gate).await;
    }
}

async fn ended(child: Child) -> Output {
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("the client ends").unwrap()
}

async fn make_instance(cloud: &Cloud, public_key: &str) -> String {
    let vpc = cloud.call("Vpc.CreateVpc", VPC).await.good();
    let vpc = ("VpcId", vpc["VpcId"].as_str().unwrap());
    let switch = [REGION, vpc, ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/24")];
    let switch = cloud.call("Vpc.CreateVSwitch", &switch).await.good();
    let group = cloud.call("Ecs.CreateSecurityGroup", &[REGION, vpc]).await.good();
    let pair = [REGION, ("KeyPairName", "kp"), ("PublicKeyBody", public_key)];
    cloud.call("Ecs.ImportKeyPair", &pair).await.good();
    let run = [
        REGION,
        ("ImageFamily", "acs:debian_12_11_x64"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("VSwitchId", switch["VSwitchId"].as_str().unwrap()),
        ("SecurityGroupId", group["SecurityGroupId"].as_str().unwrap()),
        ("KeyPairName", "kp"),
        ("InstanceName", "ecs01"),
        ("HostName", "ecs01"),
        ("InternetMaxBandwidthOut", "5"),
    ];
    let made = cloud.call("Ecs.RunInstances", &run).await.good();
    let running = |body: &Value| body["Instances"]["Instance"][0]["Status"] == "Running";
    cloud.wait("Ecs.DescribeInstances", &[REGION], running).await;
    made["InstanceIdSets"]["InstanceIdSet"][0].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_held_and_goes_on_without_its_caller() {
    let Some(host) = Host::start("a_command_is_held_and_goes_on_without_its_caller").await else {
        return;
    };
    let cloud = &host.cloud;
    let key = "command ecs01 touch /made";
    let late = gate(cloud, key, 1, "before").await;
    host.die_at(late, host.ssh("touch /made")).await;
    assert!(ended(host.ssh("echo other")).await.status.success(), "nobody else is held up");
    assert_eq!(host.file("made"), None);
    tell(cloud, late, "go").await;
    assert_eq!(state(cloud, late).await, "late");
    assert_eq!(host.file("made").as_deref(), Some(""));

    let dropped = gate(cloud, "command ecs01 rm /made", 1, "before").await;
    let client = host.ssh("rm /made");
    assert_eq!(state(cloud, dropped).await, "held");
    tell(cloud, dropped, "drop").await;
    assert_eq!(ended(client).await.status.code(), Some(255), "it sees the connection end");
    assert!(host.file("made").is_some());

    let after = gate(cloud, "command ecs01 rm /made", 2, "after").await;
    let mut client = host.ssh("rm /made");
    assert_eq!(state(cloud, after).await, "held");
    assert_eq!((host.file("made"), client.try_wait().unwrap()), (None, None));
    tell(cloud, after, "go").await;
    assert!(ended(client).await.status.success());
    let told = [
        "command ecs01 touch /made 1 late",
        "command ecs01 echo other 1 done",
        "command ecs01 rm /made 1 dropped",
        "command ecs01 rm /made 2 done",
    ];
    assert_eq!(effects(cloud).await, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_connection_is_gone_runs_to_its_end() {
    let Some(host) = Host::start("a_command_whose_connection_is_gone_runs_to_its_end").await else {
        return;
    };
    let cloud = &host.cloud;
    let mut holder = host.client("ssh", "-p");
    let mut holder =
        holder.arg(format!("root@{}", host.server.ip())).arg("flock /tmp/lock cat").spawn().unwrap();
    let running = |line: &str| format!("command ecs01 {line} 1 running");
    let (first, second) = (running("flock /tmp/lock cat"), running("flock /tmp/lock touch /made"));
    until(async || effects(cloud).await == [first.clone()]).await;
    let mut waiting = host.ssh("flock /tmp/lock touch /made");
    until(async || effects(cloud).await == [first.clone(), second.clone()]).await;
    waiting.kill().await.unwrap();
    assert_eq!(host.file("made"), None);
    // The input of a command ends with its connection: this one lets go of the lock.
    holder.kill().await.unwrap();
    until(async || host.file("made").is_some()).await;
    until(async || effects(cloud).await.iter().all(|line| line.ends_with("done"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_held_at_its_opening_and_at_its_close() {
    let Some(host) = Host::start("an_upload_is_held_at_its_opening_and_at_its_close").await else {
        return;
    };
    let cloud = &host.cloud;
    let local = host.folder.path().join("local");
    std::fs::write(&local, "new").unwrap();
    let put = format!("put {} /tmp/file\n", local.display());
    let key = "upload ecs01 /tmp/file";

    let late = gate(cloud, key, 1, "before").await;
    host.die_at(late, host.sftp(&put).await).await;
    assert_eq!(host.file("tmp/file"), None);
    tell(cloud, late, "go").await;
    assert_eq!(state(cloud, late).await, "late");
    assert_eq!(host.file("tmp/file").as_deref(), Some(""), "opened, and nothing came to write");

    let dropped = gate(cloud, key, 2, "before").await;
    let client = host.sftp(&put).await;
    assert_eq!(state(cloud, dropped).await, "held");
    tell(cloud, dropped, "drop").await;
    assert!(!ended(client).await.status.success());

    let after = gate(cloud, key, 3, "after").await;
    let mut client = host.sftp(&put).await;
    assert_eq!(state(cloud, after).await, "held");
    assert_eq!((host.file("tmp/file").as_deref(), client.try_wait().unwrap()), (Some("new"), None));
    tell(cloud, after, "go").await;
    assert!(ended(client).await.status.success());

    let moved = gate(cloud, "upload ecs01 rename /tmp/file /tmp/other", 1, "before").await;
    host.die_at(moved, host.sftp("rename /tmp/file /tmp/other\n").await).await;
    assert_eq!(host.file("tmp/other"), None);
    tell(cloud, moved, "go").await;
    assert_eq!(state(cloud, moved).await, "late");
    assert_eq!((host.file("tmp/other").as_deref(), host.file("tmp/file")), (Some("new"), None));
}
