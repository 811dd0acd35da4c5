//! A stack that several people share: two machines with a home each, one bucket, one stack.
//!
//! What was done twice, or by two at once, the cloud's own log shows.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use reqsign_aliyun_oss::{Credential, RequestSigner, SigningVersion};
use reqsign_core::{Context, SignRequest};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::cloud::{LocalCloud, ServedCloud, block_on, wait_for};
use crate::support::{Run, TestEnv};

const BUCKET: &str = "team-state";
/// What stands in a topology that is shared.
pub(crate) const SHARED: (&str, &str) =
    ("region: cn-hangzhou\n", "region: cn-hangzhou\nstate: oss://team-state/albatross\n");
const APPLY: [&str; 6] = ["--local", "apply", "--yes", "--lock-wait", "120", "chatroom.yaml"];

/// Two machines with one cloud between them.
pub(crate) struct Team {
    pub(crate) ada: TestEnv,
    pub(crate) ben: TestEnv,
}

impl Team {
    /// Whose instances are nothing.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::on_hosts("none", arguments)
    }

    pub(crate) fn on_hosts(kind: &str, arguments: &[&str]) -> Self {
        let ada = TestEnv::with_cloud(&[&["--hosts", kind], arguments].concat());
        let ben = TestEnv::new();
        for env in [&ada, &ben] {
            env.write_changed("chatroom.yaml", &[SHARED]);
        }
        std::fs::create_dir_all(ben.file(".albatross/local")).expect("writable");
        std::fs::write(ben.file(".albatross/local/cloud.json"), ada.read(".albatross/local/cloud.json"))
            .expect("writable");
        Self { ada, ben }
    }

    /// With the stack as it was made by the first of them.
    pub(crate) fn with_stack() -> Self {
        let team = Self::new(&["--pace", "instant"]);
        team.ada.local("apply").expect_code(0);
        team
    }

    fn cloud(&self) -> LocalCloud {
        self.ada.cloud()
    }

    /// Where the stack's objects are.
    fn prefix(&self) -> String {
        format!("albatross/{}/cn-hangzhou/chatroom", self.cloud().account_id())
    }

    /// Both see the same, and nothing is left to do.
    #[track_caller]
    pub(crate) fn agree(&self) -> Value {
        let list = |env: &TestEnv| {
            env.run(&["--local", "state", "list", "--json", "chatroom.yaml"]).expect_code(0).json()
        };
        let (one, other) = (list(&self.ada), list(&self.ben));
        assert_eq!(one, other);
        one
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // The cloud is the first one's.
        let _ = std::fs::remove_file(self.ben.file(".albatross/local/cloud.json"));
    }
}

/// One request of the bucket itself, signed.
fn ask(cloud: &LocalCloud, method: &Method, path: &str, body: &str) -> (u16, String) {
    let signer =
        RequestSigner::new(BUCKET).with_region("cn-hangzhou").with_signing_version(SigningVersion::V4);
    let credential = Credential {
        access_key_id: cloud.access_key_id(),
        access_key_secret: cloud.access_key_secret(),
        security_token: None,
        expires_in: None,
    };
    block_on(async {
        let url = format!("{}/{path}", cloud.endpoint());
        let request =
            http::Request::builder().method(method).uri(url).body(body.to_owned()).expect("a request");
        let (mut parts, body) = request.into_parts();
        signer.sign_request(&Context::new(), &mut parts, Some(&credential), None).await.expect("signed");
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, body)).expect("a request");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.execute(request).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    })
}

/// What the log has of changes, in order: locks taken and given back, and what was done to the stack.
#[derive(Debug, PartialEq)]
enum Deed {
    Locked(String),
    Released(String),
    Changed(String),
}

fn deeds(cloud: &LocalCloud) -> Vec<Deed> {
    let is_done = |call: &Value| call["effect"] == "change" && call["status"] == 200;
    let log = cloud.call_log();
    let deed = |call: &Value| {
        let operation = call["operation"].as_str().expect("a name").to_owned();
        let key = call["parameters"]["key"].as_str().unwrap_or_default().to_owned();
        let name = key.rsplit('/').next().unwrap_or_default().to_owned();
        match operation.as_str() {
            "Oss.PutObject" if key.contains("/lock/") => Some(Deed::Locked(name)),
            "Oss.PutObject" if key.contains("/released/") => Some(Deed::Released(name)),
            operation if operation.starts_with("Oss.") => None,
            operation => Some(Deed::Changed(operation.to_owned())),
        }
    };
    log.iter().filter(|call| is_done(call)).filter_map(deed).collect()
}

/// Every change was made while its maker had the lock, which one had at a time.
#[track_caller]
fn expect_one_at_a_time(deeds: &[Deed]) -> usize {
    let mut held: Option<&String> = None;
    let mut holders = 0;
    for deed in deeds {
        match (deed, held) {
            (Deed::Locked(epoch), None) => {
                held = Some(epoch);
                holders += 1;
            }
            (Deed::Released(epoch), Some(holder)) if epoch == holder => held = None,
            (Deed::Changed(_), Some(_)) => {}
            (deed, held) => panic!("{deed:?} while {held:?} had the lock: {deeds:#?}"),
        }
    }
    holders
}

/// How often each token was sent by each creating action.
fn tokens(cloud: &LocalCloud, action: &str) -> BTreeSet<String> {
    let log = cloud.call_log();
    let calls = log.iter().filter(|call| call["operation"] == action && call["status"] == 200);
    calls.filter_map(|call| call["parameters"]["ClientToken"].as_str().map(str::to_owned)).collect()
}

fn kinds(cloud: &LocalCloud) -> BTreeMap<String, u64> {
    let kinds = cloud.status()["resources_by_kind"].clone();
    let kinds: BTreeMap<String, u64> = serde_json::from_value(kinds).expect("numbers");
    kinds.into_iter().filter(|(_, number)| *number > 0).collect()
}

#[test]
fn what_one_has_made_the_other_changes_and_removes() {
    let team = Team::with_stack();
    let plan = ["--local", "plan", "--detailed-exitcode", "chatroom.yaml"];
    team.ben.run(&plan).expect_code(0).expect_in_order(&["No changes: "]);
    team.ben.write_changed("chatroom.yaml", &[SHARED, ("idle_timeout: 60s", "idle_timeout: 90s")]);
    let expected =
        ["(1 that changes something) and ", ", not counting calls to oss://team-state/albatross.\n"];
    team.ben.local("plan").expect_code(0).expect_in_order(&expected);
    let applied = team.ben.local("apply").expect_code(0);
    let applied = applied
        .expect_in_order(&["~ listener.main"])
        .expect_in_order(&expected)
        .expect_in_order(&["1 updated"]);
    applied.expect_in_order(&["took ", " lines of others from oss://team-state/albatross/"]);
    std::fs::copy(team.ben.file("chatroom.yaml"), team.ada.file("chatroom.yaml")).expect("copied");
    team.ada.run(&plan).expect_code(0).expect_in_order(&["No changes: "]);
    team.agree();
    let status = team.ada.local("status").expect_code(0);
    assert!(
        status.stdout.contains(&format!("Its state is shared in oss://team-state/{}", team.prefix())),
        "{status:?}"
    );
    let destroyed = team.ada.local("destroy").expect_code(0);
    assert!(destroyed.stdout.ends_with("0 resources left\n"), "{destroyed:?}");
    assert_eq!(team.agree()["resources"].as_array().map(Vec::len), Some(0));
    expect_one_at_a_time(&deeds(&team.cloud()));
}

/// Each applies changes of their own, again and again, as fast as they can.
#[test]
fn two_who_hammer_one_stack_lose_nothing_and_never_work_at_once() {
    const ROUNDS: usize = 7;
    let team = Team::with_stack();
    let before = deeds(&team.cloud()).len();
    let hammer = |env: &TestEnv, from: usize| {
        for round in 0..ROUNDS {
            let idle = format!("idle_timeout: {}s", from + round);
            env.write_changed("chatroom.yaml", &[SHARED, ("idle_timeout: 60s", &idle)]);
            env.run(&APPLY).expect_code(0);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| hammer(&team.ada, 20));
        scope.spawn(|| hammer(&team.ben, 40));
    });
    let deeds = deeds(&team.cloud()).split_off(before);
    assert_eq!(expect_one_at_a_time(&deeds), 2 * ROUNDS);
    let updates =
        deeds.iter().filter(|deed| **deed == Deed::Changed("Alb.UpdateListenerAttribute".to_owned()));
    // Each apply asked for another value than the one before it.
    assert_eq!(updates.count(), 2 * ROUNDS);
    // The journal has every one of them, under a number of its own.
    team.agree();
    let show = team.ada.run(&["--local", "state", "show", "--json", "chatroom.yaml", "listener.main"]);
    let shown = show.expect_code(0).json();
    let world = team.cloud().world();
    let listener =
        world["listeners"].as_object().and_then(|all| all.values().next()).expect("a listener").clone();
    let idle = listener["idle_timeout"].to_string();
    assert!(
        shown["fields"]["idle_timeout"].as_str().is_some_and(|field| field.starts_with(&idle)),
        "{shown} {listener}"
    );
    assert!(shown["revision"].as_u64().is_some_and(|revision| revision >= 2 * ROUNDS as u64), "{shown}");
    let journal = std::fs::read_to_string(
        team.ben.file(".albatross").join(team.cloud().account_id()).join("cn-hangzhou/chatroom/journal"),
    );
    let journal = journal.expect("a journal");
    let announced = journal.lines().filter(|line| line.contains("UpdateListenerAttribute")).count();
    let by_ben = team.ben.run(&["--local", "state", "pull", "chatroom.yaml"]).expect_code(0);
    assert!(announced + usize::from(by_ben.stdout.starts_with("Took")) >= ROUNDS, "{announced} {by_ben:?}");
    team.ada.local("destroy").expect_code(0).expect_in_order(&["0 resources left"]);
}

#[test]
fn the_second_is_told_who_is_at_work_on_which_machine() {
    let team = Team::new(&["--pace", "real"]);
    let mut first = team.ada.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    first.wait_for_line("vpc.main: waiting for Available");
    let holder = format!("process {}, since ", first.id());
    team.ben.local("apply").expect_code(5).expect_in_order(&[
        "error: the stack is locked by ",
        &holder,
        "--local apply --yes chatroom.yaml",
        "help: wait until",
    ]);
    let unlock = |more: &[&str]| team.ben.run(&[&["--local", "unlock"], more, &["chatroom.yaml"]].concat());
    unlock(&[]).expect_code(5).expect_in_order(&["help: that command is at work", "--force"]);
    unlock(&["--force"]).expect_code(0).expect_in_order(&["Removed the lock of "]);
    let ended = first.finish().expect_code(5);
    ended.expect_in_order(&["the lock of oss://team-state/", " was taken away from this command: "]);
    unlock(&[]).expect_code(0).expect_in_order(&["The stack chatroom in cn-hangzhou is not locked."]);
}

/// The call was sent, and its sender is gone before the answer came.
#[test]
fn what_a_killed_operator_began_the_other_finishes_once() {
    for action in ["Vpc.CreateVpc", "Ecs.RunInstances", "Alb.CreateLoadBalancer"] {
        let team = Team::new(&["--pace", "instant"]);
        team.cloud().withhold_answers(&[action]);
        let first = team.ada.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
        wait_for("the call to be done", || {
            let log = team.cloud().call_log();
            log.iter().any(|call| call["operation"] == action && call["fault"] == "slow_reply").then_some(())
        });
        first.kill();
        let second = team.ben.local("apply").expect_code(0);
        second.expect_in_order(&["going on from an earlier command"]);
        assert_eq!(tokens(&team.cloud(), "Alb.CreateLoadBalancer").len(), 1, "{action}");
        assert_eq!(tokens(&team.cloud(), "Vpc.CreateVpc").len(), 1, "{action}");
        let kinds = kinds(&team.cloud());
        assert_eq!((kinds["vpc"], kinds["load_balancer"], kinds["instance"]), (1, 1, 3), "{action}");
        // Whoever was killed comes back, and has nothing to do.
        let plan = ["--local", "plan", "--detailed-exitcode", "chatroom.yaml"];
        team.ada.run(&plan).expect_code(0).expect_in_order(&["No changes: "]);
        team.agree();
    }
}

/// A lease passes, the other takes over, the first comes back.
#[test]
fn an_operator_who_was_stopped_is_overtaken_and_begins_nothing_more() {
    let team = Team::new(&["--pace", "real"]);
    let mut first = team.ada.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    first.wait_for_line("load_balancer.main: waiting for Active");
    first.signal(Signal::STOP);
    let mut second = team.ben.start(&APPLY);
    second.wait_for_line("waiting 120 s at most for ");
    second.wait_for_line("going on from an earlier command");
    first.signal(Signal::CONT);
    let overtaken = first.finish().expect_code(5);
    let overtaken = overtaken.expect_in_order(&[
        "the lock of oss://team-state/",
        "was taken away from this command: it is held by ",
        "from now on nothing is begun",
    ]);
    drop(overtaken);
    second.finish().expect_code(0);
    for action in ["Vpc.CreateVpc", "Alb.CreateLoadBalancer"] {
        assert_eq!(tokens(&team.cloud(), action).len(), 1, "{action}");
    }
    let kinds = kinds(&team.cloud());
    assert_eq!((kinds["vpc"], kinds["load_balancer"], kinds["instance"]), (1, 1, 3));
    // What the first has seen after it was overtaken is not lost, and contradicts nothing.
    team.ada.run(&["--local", "state", "push", "chatroom.yaml"]).expect_code(0);
    team.agree();
    let plan = ["--local", "plan", "--detailed-exitcode", "chatroom.yaml"];
    team.ada.run(&plan).expect_code(0).expect_in_order(&["No changes: "]);
}

#[test]
fn without_its_bucket_a_command_stops_before_the_next_call_and_nothing_is_lost() {
    let team = Team::new(&["--pace", "instant"]);
    // The first lines go there, and then no more.
    let denied = serde_json::json!({"error": {"status": 403, "code": "AccessDenied"}});
    team.cloud().break_calls((8..=400).map(|occurrence| ("Oss.PutObject", occurrence)), &denied);
    let stopped = team.ada.local("apply");
    assert!([1, 3].contains(&stopped.code.expect("it ended")), "{stopped:?}");
    let stopped = stopped.expect_in_order(&[
        "error: what was to be done could not be written to oss://team-state/",
        "so it was not begun: OSS: AccessDenied",
        "help: allow oss:GetBucketVersioning",
        "`albatross --local state push chatroom.yaml`",
        "albatross explain state-unshared",
    ]);
    assert!(stopped.stderr.contains("the end of this command is in the journal here only"), "{stopped:?}");
    team.ada
        .run(&["--local", "state", "push", "chatroom.yaml"])
        .expect_code(1)
        .expect_in_order(&["AccessDenied"]);
    clear_faults(&team.cloud());
    team.ada
        .run(&["--local", "state", "push", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["Put ", " into oss://team-state/"]);
    team.agree();
    team.ben.local("apply").expect_code(0);
    assert_eq!(tokens(&team.cloud(), "Vpc.CreateVpc").len(), 1);
    assert_eq!(kinds(&team.cloud())["vpc"], 1);
}

fn clear_faults(cloud: &LocalCloud) {
    block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("{}/_mock/faults", cloud.endpoint());
        let answer =
            client.delete(url).header("x-mock-token", cloud.admin_token()).send().await.expect("an answer");
        assert!(answer.status().is_success());
    });
}

#[test]
fn a_bucket_that_keeps_or_kept_versions_is_refused() {
    let team = Team::with_stack();
    for status in ["Enabled", "Suspended"] {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        assert_eq!(ask(&team.cloud(), &Method::PUT, "team-state/?versioning", &body).0, 200);
        for verb in ["plan", "apply"] {
            team.ben.local(verb).expect_code(1).expect_in_order(&[
                "error: the bucket of oss://team-state/",
                &format!(" keeps versions ({status}), so that it cannot keep two commands apart"),
                "help: use a bucket that never kept versions",
                "albatross explain state-bucket-versioned",
            ]);
        }
    }
}

#[test]
fn a_damaged_history_is_told_with_its_object_and_a_way_out() {
    let team = Team::with_stack();
    let path = format!("{BUCKET}/{}/journal/000000000002", team.prefix());
    let (status, text) = ask(&team.cloud(), &Method::GET, &path, "");
    assert_eq!(status, 200, "{text}");
    assert_eq!(ask(&team.cloud(), &Method::PUT, &path, &text.replacen("chatroom", "chatr00m", 1)).0, 200);
    team.ben.local("plan").expect_code(1).expect_in_order(&[
        "error: `journal/000000000002` in oss://team-state/",
        " is damaged: ",
        "help: put the object back as it was",
        "albatross explain state-segment-damaged",
    ]);
}

/// As in a real account: nobody makes a bucket there.
#[test]
fn a_bucket_that_is_not_there_or_may_not_be_used_is_told() {
    let cloud = ServedCloud::start(&["--region", "cn-hangzhou", "--region", "cn-shanghai"]);
    let mut env = TestEnv::new();
    env.write_changed("chatroom.yaml", &[SHARED]);
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &cloud.access_key_id());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &cloud.access_key_secret());
    let plan = || env.run(&["plan", "chatroom.yaml"]);
    let refused = |run: Run, words: &[&str]| drop(run.expect_code(1).expect_in_order(words));
    refused(
        plan(),
        &[
            "error: the shared state oss://team-state/albatross/",
            " cannot be used: there is no bucket `team-state`",
            "request id: ",
            "help: make the bucket `team-state` in the OSS console",
            "albatross explain state-no-bucket",
        ],
    );
    assert_eq!(ask(&cloud, &Method::PUT, "team-state/", "").0, 200);
    cloud.refuse_first("Oss.GetBucketVersioning", 403, "AccessDenied");
    refused(
        plan(),
        &["cannot be used: OSS: AccessDenied", "policy chatroom.yaml`", "albatross explain state-denied"],
    );
    env.set("ALBATROSS_ENDPOINT", cloud.status()["endpoints"]["cn-shanghai"].as_str().expect("an address"));
    env.write_changed(
        "chatroom.yaml",
        &[
            (SHARED.0, "region: cn-shanghai\nstate: oss://team-state/albatross\n"),
            ("cn-hangzhou-h", "cn-shanghai-b"),
            ("cn-hangzhou-i", "cn-shanghai-g"),
        ],
    );
    refused(
        env.run(&["plan", "chatroom.yaml"]),
        &[
            "the bucket `team-state` is in another region",
            "?region=REGION",
            "albatross explain state-other-region",
        ],
    );
}

#[test]
fn what_is_not_shared_cannot_be_pushed() {
    let env = TestEnv::with_control_plane();
    for verb in ["push", "pull"] {
        env.run(&["--local", "state", verb, "chatroom.yaml"]).expect_code(64).expect_in_order(&[
            "error: the state of chatroom is not shared: it is in `",
            "help: write where",
        ]);
    }
}

#[test]
fn a_stack_from_before_goes_into_its_bucket_and_on_from_there() {
    let team = Team::new(&["--pace", "instant"]);
    team.ada.write_changed("chatroom.yaml", &[]);
    team.ada.local("apply").expect_code(0);
    team.ada.write_changed("chatroom.yaml", &[SHARED]);
    team.ada
        .run(&["--local", "state", "push", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["Put ", " lines into oss://team-state/"]);
    team.agree();
    let plan = ["--local", "plan", "--detailed-exitcode", "chatroom.yaml"];
    team.ben.run(&plan).expect_code(0).expect_in_order(&["No changes: "]);
    let policy = team.ben.run(&["policy", "chatroom.yaml"]).expect_code(0).json();
    let statements = policy["Statement"].as_array().expect("a list");
    assert_eq!(statements[2]["Resource"], "acs:oss:*:*:team-state/albatross/*", "{policy}");
}
