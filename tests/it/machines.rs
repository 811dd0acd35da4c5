//! The whole road on machine hosts: real Debians, booted by the local cloud.

use albatross::base::ids::{ClientToken, CloudId};
use albatross::cloud::Product;
use albatross::cloud::call::Call;
use albatross::cloud::ecs::{self, NewInstance};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mock_cloud::image::build::Wanted;
use mock_cloud::image::{DEFAULT, Store, ability};
use serde_json::Value;

use crate::chatroom::plain_checks;
use crate::parts::missing;
use crate::rollout::{TIMER, write_another_node};
use crate::support::TestEnv;
use crate::support::cloud::{LocalCloud, block_on, wait_for};

const REGION: &str = "cn-hangzhou";

/// A folder whose clouds find the image of this machine, which is built when it can be; nothing where it cannot.
fn with_machines(test: &str) -> Option<TestEnv> {
    let wanted = Wanted { name: DEFAULT.to_owned(), suite: None, mirror: None };
    let built = ability::check().and_then(|()| {
        let built = Store::of_this_machine().build(&wanted, &|_| {});
        built.map_err(|error| error.to_string())
    });
    match built {
        Ok((image, _)) => {
            let mut env = TestEnv::new();
            let images = image.root.ancestors().nth(2).expect("the folder of the images").to_owned();
            env.set("MOCK_CLOUD_IMAGES", images.to_str().expect("a path in plain letters"));
            Some(env)
        }
        Err(reason) => {
            missing(test, &reason);
            None
        }
    }
}

#[test]
fn smoke_proves_the_chatroom_on_machines_and_leaves_nothing() {
    let Some(env) = with_machines("smoke_proves_the_chatroom_on_machines_and_leaves_nothing") else {
        return;
    };
    let smoke =
        env.run(&["smoke", "chatroom.yaml", "--hosts", "machine", "--json", "out.json"]).expect_code(0);
    smoke.expect_in_order(&["10 checks passed, 0 failed, 2 skipped", "0 resources left"]);
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    assert_eq!(report["hosts"], "machine");
    let checks = report["checks"].as_array().expect("a list");
    let passed = checks.iter().filter(|check| check["status"] == "passed").map(|check| &check["id"]);
    assert_eq!(passed.collect::<Vec<_>>(), plain_checks());
}

#[test]
fn smoke_proves_https_on_machines() {
    let Some(env) = with_machines("smoke_proves_https_on_machines") else {
        return;
    };
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chatroom-https.yaml");
    env.write("chatroom.yaml", std::fs::read(example).expect("the example"));
    env.run(&["smoke", "chatroom.yaml", "--hosts", "machine"]).expect_code(0).expect_in_order(&[
        "passed tls.valid",
        "passed http.redirects",
        "12 checks passed, 0 failed, 0 skipped",
        "0 resources left",
    ]);
}

#[test]
fn smoke_proves_the_chatroom_with_tair_on_machines_and_leaves_nothing() {
    let Some(env) = with_machines("smoke_proves_the_chatroom_with_tair_on_machines_and_leaves_nothing")
    else {
        return;
    };
    env.write("tair.yaml", include_str!("../../examples/chatroom-tair.yaml"));
    let smoke = env.run(&["smoke", "tair.yaml", "--hosts", "machine"]).expect_code(0);
    smoke.expect_in_order(&["10 checks passed, 0 failed, 2 skipped", "0 resources left"]);
}

/// A person at a terminal: `script` gives the program a real one, and types what comes on its input.
#[test]
fn a_person_logs_in_to_machines_with_a_terminal_of_their_own() {
    let Some(env) = with_machines("a_person_logs_in_to_machines_with_a_terminal_of_their_own") else {
        return;
    };
    env.cloud_up(&["--pace", "instant", "--hosts", "machine"]);
    env.run(&["--local", "apply", "--yes", "chatroom.yaml"]).expect_code(0);
    for host in ["ecs01", "ecs03"] {
        let plain = env.command(&[]);
        let mut script = std::process::Command::new("script");
        let line = format!(
            "stty rows 33 cols 99; exec {} --local ssh chatroom.yaml {host}",
            crate::support::ALBATROSS
        );
        script
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(env.folder())
            .env_clear();
        script.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut person = script.spawn().expect("`script` is installed");
        let mut keys = person.stdin.take().expect("a pipe");
        let typed = b"stty size; hostname; tty; kill -WINCH $$\nexit 9\n";
        std::io::Write::write_all(&mut keys, typed).expect("somebody reads");
        let output = person.wait_with_output().expect("it ends");
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(9), "{seen}");
        for part in ["33 99", host, "/dev/pts/"] {
            assert!(seen.contains(part), "`{part}` is not in {seen}");
        }
        drop(keys);
    }
    let run = env.run(&["--local", "ssh", "chatroom.yaml", "ecs01", "--", "sh", "-c", "echo $0; exit 6"]);
    assert_eq!(run.expect_code(6).stdout, "sh\n");
    env.run(&["cloud", "logs", "ecs01"]).expect_code(0).expect_in_order(&["systemd", "sshd"]);
    env.run(&["cloud", "fault", "ssh-cut", "ecs03"])
        .expect_code(1)
        .expect_in_order(&["ssh_cut cannot be had of ecs03: it has no public address"]);
}

fn token() -> ClientToken {
    ClientToken::new(uuid::Uuid::new_v4().simple().to_string())
}

/// Runs a script by the Cloud Assistant; its exit code and what it printed.
fn assist(cloud: &LocalCloud, instance: &CloudId, script: &str) -> (i64, String) {
    let client = cloud.client(REGION);
    let command = ecs::run_command(client.region(), instance, script, &token());
    let reply: Value = block_on(client.call(&command)).expect("taken");
    let invocation = reply["InvokeId"].as_str().expect("an id").to_owned();
    wait_for("the script ends", || {
        let result = block_on(ecs::invocation_result(&client, &invocation)).expect("an answer")?;
        Some((result.exit_code?, result.output()))
    })
}

fn instance(cloud: &LocalCloud, name: &str) -> CloudId {
    CloudId::new(cloud.instance(name)["id"].as_str().expect("an id"))
}

/// A machine of somebody else in the chatroom's VPC, in a security group of its own.
fn make_stranger(cloud: &LocalCloud) -> CloudId {
    let client = cloud.client(REGION);
    let neighbour = cloud.instance("ecs03");
    let text = |name: &str| neighbour[name].as_str().expect("a text").to_owned();
    let group =
        Call::new(Product::Ecs, "CreateSecurityGroup").with("RegionId", REGION).with("VpcId", text("vpc"));
    let group: Value = block_on(client.call(&group)).expect("taken");
    let new = NewInstance {
        name: "stranger",
        instance_type: &text("instance_type"),
        image_family: "acs:alibaba_cloud_linux_3_2104_lts_x64",
        disk: 40,
        vswitch: &CloudId::new(text("vswitch")),
        security_group: &CloudId::new(group["SecurityGroupId"].as_str().expect("an id")),
        key_pair: &text("key_pair"),
        bandwidth: 0,
        tags: &[],
    };
    let call = ecs::run_instance(client.region(), &new, &token());
    let reply: Value = block_on(client.call(&call)).expect("taken");
    let id = ecs::first_instance_id(&reply).expect("an id");
    wait_for("it runs", || (cloud.instance("stranger")["status"] == "Running").then_some(()));
    id
}

#[test]
fn an_applied_chatroom_is_on_debians_with_systemd_and_closed_to_others() {
    let Some(env) = with_machines("an_applied_chatroom_is_on_debians_with_systemd_and_closed_to_others")
    else {
        return;
    };
    env.cloud_up(&["--hosts", "machine", "--pace", "instant"]);
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
    let cloud = env.cloud();
    assert_eq!(cloud.status()["hosts_mode"], "machine");
    let (node, redis) = (instance(&cloud, "ecs01"), instance(&cloud, "ecs03"));
    for (id, unit) in [(&node, "chat-node.service"), (&redis, "albatross-redis.service")] {
        let script = format!("cat /proc/1/comm; systemctl is-active {unit}");
        assert_eq!(assist(&cloud, id, &script), (0, "systemd\nactive\n".to_owned()), "{unit}");
    }
    let installed = assist(&cloud, &redis, "dpkg-query --show --showformat='${Status}' redis-server");
    assert_eq!(installed, (0, "install ok installed".to_owned()));

    let address = cloud.instance("ecs03")["private_address"].as_str().expect("an address").to_owned();
    let knock = format!("timeout 3 bash -c '</dev/tcp/{address}/6379'");
    assert_eq!(assist(&cloud, &node, &knock).0, 0, "a node reaches Redis");
    let stranger = make_stranger(&cloud);
    assert_ne!(assist(&cloud, &stranger, &knock).0, 0, "from outside the security group Redis is closed");
    env.local("verify").expect_code(0);
    a_machine_does_what_calls_say(&cloud, &stranger);
}

/// systemd itself runs the timer and its commands here.
#[test]
fn a_machine_puts_the_release_before_back_when_nobody_confirms_the_other_one() {
    let test = "a_machine_puts_the_release_before_back_when_nobody_confirms_the_other_one";
    let Some(env) = with_machines(test) else { return };
    env.cloud_up(&["--hosts", "machine", "--pace", "instant"]);
    let short = "min_healthy_time: 10s, healthy_deadline: 11s";
    env.write_changed("chatroom.yaml", &[("min_healthy_time: 0s", short)]);
    env.local("apply").expect_code(0);
    let (cloud, node) = (env.cloud(), instance(&env.cloud(), "ecs01"));
    let link = |name: &str| assist(&cloud, &node, &format!("readlink /opt/albatross/{name}")).1;
    let before = link("ready");
    write_another_node(&env, "other-node");
    let command = env.start(&["--local", "--chat-node", "other-node", "deploy", "--yes", "chatroom.yaml"]);
    wait_for("the flip", || (link("current") != before).then_some(()));
    command.kill();
    assert_eq!(link("ready"), "", "it was confirmed before the command died");
    let begun = std::time::Instant::now();
    while link("ready") != before {
        assert!(begun.elapsed() < TIMER, "the release before did not come back");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(link("current"), before);
    let left = "test -e /opt/albatross/before || echo gone; systemctl is-active chat-node.service";
    wait_for("nothing is left of it", || (assist(&cloud, &node, left).1 == "gone\nactive\n").then_some(()));
    env.run(&["--local", "--chat-node", "other-node", "deploy", "--yes", "chatroom.yaml"]).expect_code(0);
    assert_ne!(link("ready"), before);
}

/// One call about an instance.
fn call(cloud: &LocalCloud, action: &str, instance: &CloudId) -> Value {
    let call = Call::new(Product::Ecs, action).with("RegionId", REGION).with("InstanceId", instance);
    block_on(cloud.client(REGION).call(&call)).expect("the cloud takes it")
}

fn wait_until(cloud: &LocalCloud, status: &str) {
    wait_for(status, || (cloud.instance("stranger")["status"] == status).then_some(()));
}

fn a_machine_does_what_calls_say(cloud: &LocalCloud, id: &CloudId) {
    let shown = wait_for("the console shows a login", || {
        let reply = call(cloud, "GetInstanceConsoleOutput", id);
        let text = BASE64.decode(reply["ConsoleOutput"].as_str().expect("a text")).expect("base64");
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("stranger login:").then_some(text)
    });
    assert!(shown.contains("Welcome to Debian"), "{shown}");
    let agents = || block_on(ecs::agents(&cloud.client(REGION), std::slice::from_ref(id))).expect("a list");
    assert!(agents()[0].is_online());

    assert_eq!(assist(cloud, id, "echo kept >/root/file").0, 0);
    call(cloud, "StopInstance", id);
    wait_until(cloud, "Stopped");
    assert!(!agents()[0].is_online());
    call(cloud, "StartInstance", id);
    wait_until(cloud, "Running");
    let boot = "cat /root/file; cut -d' ' -f22 /proc/1/stat";
    let first = assist(cloud, id, boot);
    assert!(first.1.starts_with("kept\n"), "{first:?}");
    call(cloud, "RebootInstance", id);
    wait_until(cloud, "Running");
    let second = assist(cloud, id, boot);
    assert!(second.1.starts_with("kept\n") && first != second, "{first:?} and {second:?}");
}
