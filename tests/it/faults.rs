//! What goes wrong, one test each: a clear message, the right exit code, and the way on from there.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use albatross::base::ids::CloudId;
use albatross::cloud::ecs;
use albatross::resource::ownership::HOST_KEY_TAG;
use albatross::ssh::{Identity, KeyKind};
use serde_json::{Value, json};

use crate::parts::lacks_redis;
use crate::rollout::{deploy, write_another_node};
use crate::support::cloud::{ServedCloud, block_on};
use crate::support::{Run, TestEnv, program};

/// A folder that talks to a cloud as to the real one: by its endpoint, with keys in the environment.
fn by_endpoint(cloud: &ServedCloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.set("ALBATROSS_ENDPOINT", &cloud.endpoint());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &cloud.access_key_id());
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &cloud.access_key_secret());
    env
}

/// The first call is refused, so nothing is changed.
fn refused_at_once(env: &TestEnv) -> Run {
    let run = env.run(&["apply", "--yes", "chatroom.yaml"]).expect_code(1);
    assert!(!env.file(".albatross").exists(), "state was written");
    run
}

#[test]
fn a_wrong_access_key() {
    let cloud = ServedCloud::start(&[]);
    let mut env = by_endpoint(&cloud);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "mockAccessKeyIdOfNobody");
    refused_at_once(&env).expect_in_order(&[
        "error: ",
        "GetCallerIdentity",
        "InvalidAccessKeyId.NotFound",
        "request id: ",
        "help: ",
    ]);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", &cloud.access_key_id());
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
}

#[test]
fn a_wrong_secret() {
    let cloud = ServedCloud::start(&[]);
    let mut env = by_endpoint(&cloud);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "not-the-secret");
    refused_at_once(&env)
        .expect_in_order(&["error: ", "GetCallerIdentity", "SignatureDoesNotMatch", "request id: ", "help: "])
        .expect_absent("not-the-secret");
    env.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &cloud.access_key_secret());
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
}

#[test]
fn a_clock_that_is_off_by_an_hour() {
    for offset in ["3600", "-3600"] {
        let cloud = ServedCloud::start(&["--clock-offset", offset]);
        refused_at_once(&by_endpoint(&cloud)).expect_in_order(&[
            "error: ",
            "GetCallerIdentity",
            "InvalidTimeStamp.Expired",
            "request id: ",
            "help: ",
            "clock",
        ]);
    }
}

#[test]
fn an_endpoint_that_is_not_reachable() {
    let mut env = by_endpoint(&ServedCloud::start(&[]));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    env.set("ALBATROSS_ENDPOINT", &format!("http://{address}"));
    refused_at_once(&env).expect_in_order(&["error: ", &address, "caused by: ", "help: "]);
}

#[test]
fn no_credentials_at_all() {
    let mut env = by_endpoint(&ServedCloud::start(&[]));
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "");
    refused_at_once(&env).expect_in_order(&[
        "error: no access key was found",
        "environment: ",
        ".aliyun/config.json",
        ".alibabacloud/credentials",
        "ECS metadata: ",
        "credentials URI: ",
        "help: set ALIBABA_CLOUD_ACCESS_KEY_ID",
    ]);
}

#[test]
fn a_credentials_file_that_cannot_be_read() {
    let cloud = ServedCloud::start(&[]);
    let mut env = by_endpoint(&cloud);
    env.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "");
    env.write(".aliyun/config.json", "{ \"current\": \"default\", ");
    refused_at_once(&env).expect_in_order(&[
        "error: ",
        ".aliyun/config.json` is not understood at line 1, column 24",
        "help: correct `",
    ]);

    let profile = json!({
        "name": "default",
        "mode": "AK",
        "access_key_id": cloud.access_key_id(),
        "access_key_secret": cloud.access_key_secret(),
    });
    env.write(".aliyun/config.json", json!({"current": "default", "profiles": [profile]}).to_string());
    env.run(&["plan", "chatroom.yaml"]).expect_code(0);
}

/// What was made is recorded; without the cause the same command finishes.
#[track_caller]
fn goes_on(env: &TestEnv) {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let recorded = status["resources"].as_array().map_or(0, Vec::len);
    assert!(recorded > 10, "only {recorded} resources are known");
    env.local("apply").expect_code(0).expect_absent("+ vpc.main");
    env.expect_exactly_the_chatroom();
}

#[test]
fn an_ssh_server_that_refuses() {
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.cloud().break_host("ecs02", "refuse_ssh");
    env.run(&["--local", "--boot-limit", "1", "apply", "--yes", "chatroom.yaml"])
        .expect_code(3)
        .expect_in_order(&[
            "error: ecs02: 127.",
            " refuses the connection: no SSH server listens there",
            "resource: release.ecs02",
            "help: see whether the instance runs and its sshd is up: `nc -vz 127.",
        ]);
    env.cloud().break_host("ecs02", "none");
    goes_on(&env);
}

#[test]
fn a_host_key_that_changed() {
    if lacks_redis("a_host_key_that_changed") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let host = env.cloud().instance("ecs02");
    let pinned = host["meta"]["tags"][HOST_KEY_TAG].as_str().expect("its key is pinned").to_owned();
    let (_, other) = Identity::generate(KeyKind::Ed25519, "another").expect("a key");
    let pin = |key: &str| {
        let client = env.cloud().client("cn-hangzhou");
        let id = CloudId::new(host["id"].as_str().expect("an id"));
        let call = ecs::tag_instance(client.region(), &id, &[(HOST_KEY_TAG, key.trim())]);
        let _: Value = block_on(client.call(&call)).expect("the tag is set");
    };
    pin(&other);
    let plan = env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]);
    plan.expect_in_order(&["release.ecs02", "unknown until apply: ecs02: the host key has changed"]);
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs02: the host key has changed: expected SHA256:",
        "found SHA256:",
        "resource: release.ecs02",
        "help: go on only when the cloud itself shows the new fingerprint",
    ]);
    pin(&pinned);
    goes_on(&env);
}

#[test]
fn a_redis_that_does_not_start() {
    let mut env = TestEnv::new();
    let programs = env.file("programs");
    let program = "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'Redis server v=7.0.15'\n\
                   echo 'Fatal error: no memory'\nexit 1\n";
    env.write("programs/redis-server", program);
    let broken = programs.join("redis-server");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).expect("ours");
    env.search_first(&programs);
    env.cloud_up(&["--pace", "instant"]);
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs03: Redis did not start: ",
        "resource: redis.ecs03",
        "help: on ecs03: `journalctl -u albatross-redis.service",
    ]);
    fs::remove_file(broken).expect("ours");
    goes_on(&env);
}

#[test]
fn a_port_that_is_in_use() {
    if lacks_redis("a_port_that_is_in_use") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    let network = env.cloud().dns().replace(".0.2:10053", "");
    let holders: Vec<TcpListener> = (1..=3)
        .map(|host| {
            TcpListener::bind(format!("{network}.1.{host}:5000")).expect("an address of the cloud's own")
        })
        .collect();
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs01: port 5000 is already in use",
        "resource: release.ecs01",
        "help: on ecs01: `ss -ltnp sport = :5000` shows who",
    ]);
    drop(holders);
    goes_on(&env);
}

#[test]
fn a_binary_for_another_architecture() {
    if lacks_redis("a_binary_for_another_architecture") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("chat-node-of-another-machine", node_for_arm());
    let arguments =
        ["--local", "--chat-node", "chat-node-of-another-machine", "apply", "--yes", "chatroom.yaml"];
    env.run(&arguments).expect_code(3).expect_in_order(&[
        "error: ecs01: the binary is for aarch64, but the host is x86_64",
        "resource: release.ecs01",
        "help: `cargo build --release -p chat-node --target x86_64-",
    ]);
    goes_on(&env);
}

/// The node of this machine, that says of itself it is for another.
fn node_for_arm() -> Vec<u8> {
    let mut binary = fs::read(program("chat-node")).expect("it is built");
    // The ELF header's machine, little-endian: 183 is AArch64.
    binary[18..20].copy_from_slice(&183_u16.to_le_bytes());
    binary
}

#[test]
fn the_build_for_the_processor_of_a_host_is_taken_from_beside_the_other() {
    if lacks_redis("the_build_for_the_processor_of_a_host_is_taken_from_beside_the_other") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("node", node_for_arm());
    let this = fs::read(program("chat-node")).expect("it is built");
    env.write("node-aarch64", &this);
    let apply = ["--local", "--chat-node", "node", "apply", "--yes", "chatroom.yaml"];
    env.run(&apply).expect_code(1).expect_in_order(&[
        "error: node-aarch64 is for x86_64, but its name says aarch64",
        "help: remove `node-aarch64`, or put one there that is built for aarch64-unknown-linux-gnu",
    ]);
    fs::remove_file(env.file("node-aarch64")).expect("it is there");
    env.write("node-x86_64", &this);
    env.run(&apply).expect_code(0);
    env.verify().expect_code(0);
    env.run(&["--local", "--chat-node", "node", "plan", "--detailed-exitcode", "chatroom.yaml"])
        .expect_code(0);
}

#[test]
fn a_disk_that_is_full() {
    if lacks_redis("a_disk_that_is_full") {
        return;
    }
    let env = TestEnv::with_chatroom();
    write_another_node(&env, "other-node");
    env.run(&["cloud", "fault", "disk-full", "ecs01"]).expect_code(0);
    env.cloud().count_effects_anew();
    deploy(&env, "other-node").expect_code(3).expect_in_order(&[
        "1 failed, 1 not begun",
        "error: ecs01: a release needs ",
        " MiB of /opt, and 0 MiB are free there",
        "resource: release.ecs01",
        "help: `albatross --local ssh chatroom.yaml ecs01 -- df -h` shows what is full",
    ]);
    assert!(env.cloud().uploads().is_empty(), "{:?}", env.cloud().uploads());
    env.verify().expect_code(0);
    env.run(&["cloud", "fault", "lift", "--all"]).expect_code(0);
    deploy(&env, "other-node").expect_code(0);
    env.verify().expect_code(0);
}

/// Types of the instances that were made.
fn instance_types(env: &TestEnv) -> Vec<String> {
    let world = env.cloud().world();
    let instances = world["instances"].as_object().expect("by id");
    let mut types: Vec<String> = instances.values().map(|one| one["instance_type"].to_string()).collect();
    types.sort();
    types
}

#[test]
fn no_stock_of_the_first_type_takes_the_second() {
    if lacks_redis("no_stock_of_the_first_type_takes_the_second") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.cloud().fail_first(&["Ecs.RunInstances"], "no_stock");
    env.local("apply").expect_code(0).expect_in_order(&["ecs.e-c1m2.large is out of stock"]);
    let types = instance_types(&env);
    assert_eq!(
        (types.len(), types.iter().filter(|one| one.contains("ecs.e-c1m2.large")).count()),
        (3, 2),
        "{types:?}"
    );
    env.expect_exactly_the_chatroom();
}

#[test]
fn no_stock_of_any_type() {
    if lacks_redis("no_stock_of_any_type") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    // All three in one vSwitch, so that they are asked for at once: after a failure nothing new is begun.
    let only = "ecs02: { vswitch: a, access: public, types: [ecs.g7.large] }";
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b, access: public }", only)]);
    // Three instances ask, two of them for four types each.
    env.cloud().fail_calls("Ecs.RunInstances", 1..=9, "no_stock");
    env.local("apply").expect_code(3).expect_in_order(&[
        "3 failed",
        "OperationDenied.NoStock",
        "resource: instance.ecs0",
        "request id: ",
        "help: ",
    ]);
    assert_eq!(instance_types(&env), Vec::<String>::new());
    env.local("apply").expect_code(0).expect_absent("+ vpc.main");
    env.expect_exactly_the_chatroom();
}
