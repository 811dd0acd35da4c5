//! The whole road on machine hosts: real Debians, booted by the local cloud.

use albatross::base::disk::DiskOptions;
use albatross::base::ids::{ClientToken, CloudId};
use albatross::base::spot::Spot;
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
use crate::rollout::{TIMER, deploy, write_another_node};
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
    let smoke = env
        .run(&["smoke", "--quick", "chatroom.yaml", "--hosts", "machine", "--json", "out.json"])
        .expect_code(0);
    smoke.expect_in_order(&["13 checks passed, 0 failed, 4 skipped", "0 resources left"]);
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    assert_eq!(report["hosts"], "machine");
    let checks = report["checks"].as_array().expect("a list");
    let passed = checks.iter().filter(|check| check["status"] == "passed").map(|check| &check["id"]);
    assert_eq!(passed.collect::<Vec<_>>(), plain_checks());
}

/// What only machines have: a security group that keeps somebody out.
#[test]
fn smoke_breaks_machines_in_every_way_and_verify_notices_each() {
    let Some(env) = with_machines("smoke_breaks_machines_in_every_way_and_verify_notices_each") else {
        return;
    };
    let shorter =
        [("idle_timeout: 60s ", "idle_timeout: 15s "), ("request_timeout: 60s", "request_timeout: 15s")];
    env.write_changed("chatroom.yaml", &shorter);
    let arguments =
        ["smoke", "chatroom.yaml", "--hosts", "machine", "--pace", "instant", "--json", "out.json"];
    env.run(&arguments)
        .expect_code(0)
        .expect_in_order(&["each node answers: ecs01, ecs02, ecs04", "0 resources left"]);
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let controls = report["controls"].as_array().expect("a list");
    let passed =
        controls.iter().filter(|control| control["status"] == "passed").map(|control| &control["name"]);
    let all =
        ["redis.stopped", "node.down", "sticky.off", "name.stale", "listener.hasty", "redis.port_closed"];
    assert_eq!(passed.collect::<Vec<_>>(), all);
    let port = controls[6]["sentence"].as_str().expect("a text");
    assert!(
        port.starts_with("nobody is let in to port 6379 of ecs03: verify fails at message.a_to_b"),
        "{port}"
    );
}

#[test]
fn smoke_proves_https_on_machines() {
    let Some(env) = with_machines("smoke_proves_https_on_machines") else {
        return;
    };
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chatroom-https.yaml");
    env.write("chatroom.yaml", std::fs::read(example).expect("the example"));
    env.run(&["smoke", "--quick", "chatroom.yaml", "--hosts", "machine"]).expect_code(0).expect_in_order(&[
        "passed tls.valid",
        "passed http.redirects",
        "15 checks passed, 0 failed, 2 skipped",
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
    let smoke = env.run(&["smoke", "--quick", "tair.yaml", "--hosts", "machine"]).expect_code(0);
    smoke.expect_in_order(&["13 checks passed, 0 failed, 4 skipped", "0 resources left"]);
}

/// A user who becomes root with a password, on Debians, one of which listens elsewhere.
#[test]
fn a_user_with_a_password_for_sudo_sets_up_machines() {
    let Some(mut env) = with_machines("a_user_with_a_password_for_sudo_sets_up_machines") else {
        return;
    };
    env.cloud_up(&["--pace", "instant", "--hosts", "machine"]);
    env.local("apply").expect_code(0);
    let cloud = env.cloud();
    let make = "useradd --create-home --shell /bin/bash deploy && echo deploy:tulip | chpasswd && \
                echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy";
    for host in ["ecs01", "ecs02", "ecs03"] {
        assert_eq!(assist(&cloud, &instance(&cloud, host), make), (0, String::new()), "{host}");
    }
    let moved = "echo 'Port 2222' >/etc/ssh/sshd_config.d/port.conf && systemctl restart ssh";
    assert_eq!(assist(&cloud, &instance(&cloud, "ecs03"), moved), (0, String::new()));
    let ssh = "ssh:\n  user: deploy\n  sudo: { password: { env: SUDO_SECRET } }\n";
    let third = "  ecs03: { vswitch: a, via: ecs01, ssh: { port: 2222 } }";
    env.write_changed(
        "chatroom.yaml",
        &[
            ("ssh:\n", ssh),
            ("  ecs03: { vswitch: a, via: ecs01 }", third),
            ("  port: 5000\n\nload", "  port: 5000\n  ping_interval: 9s\n\nload"),
            ("redis:\n", "redis:\n  max_memory: 300\n"),
        ],
    );
    env.set("SUDO_SECRET", "rose");
    env.local("apply")
        .expect_code(3)
        .expect_in_order(&["sudo does not let `deploy` do anything as root"])
        .expect_absent("rose");
    env.set("SUDO_SECRET", "tulip");
    env.local("apply").expect_code(0);
    env.expect_empty_plan();
    let journal = std::fs::read_to_string(env.state().join("journal")).expect("the journal");
    assert!(!journal.contains("tulip") && !journal.contains("rose"));
    let owner = assist(&cloud, &instance(&cloud, "ecs03"), "stat -c '%U %a' /etc/albatross/redis.conf");
    assert_eq!(owner, (0, "root 640\n".to_owned()));
    let logged = assist(&cloud, &instance(&cloud, "ecs01"), "journalctl -q _COMM=sudo | grep -c tulip");
    assert_eq!(logged.1, "0\n", "sudo logs what it runs");
    for host in ["ecs01", "ecs03"] {
        let run = env.run(&["--local", "ssh", "chatroom.yaml", host, "--", "id", "-un"]).expect_code(0);
        assert_eq!(run.stdout, "deploy\n");
    }
    env.run(&["--local", "logs", "chatroom.yaml", "ecs03"]).expect_code(0).expect_in_order(&["redis"]);
    env.local("verify").expect_code(0);
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
pub(crate) fn assist(cloud: &LocalCloud, instance: &CloudId, script: &str) -> (i64, String) {
    let client = cloud.client(REGION);
    let command = ecs::run_command(client.region(), instance, script, &token());
    let reply: Value = block_on(client.call(&command)).expect("taken");
    let invocation = reply["InvokeId"].as_str().expect("an id").to_owned();
    wait_for("the script ends", || {
        let result = block_on(ecs::invocation_result(&client, &invocation)).expect("an answer")?;
        Some((result.exit_code?, result.output()))
    })
}

pub(crate) fn instance(cloud: &LocalCloud, name: &str) -> CloudId {
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
        disk_options: &DiskOptions::default(),
        data_disks: &[],
        vswitch: &CloudId::new(text("vswitch")),
        security_group: &CloudId::new(group["SecurityGroupId"].as_str().expect("an id")),
        key_pair: &text("key_pair"),
        bandwidth: 0,
        spot: &Spot::No,
        release_time: None,
        user_data: None,
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
        let exposure = exposure(&cloud, id, unit);
        assert!(exposure <= 2.0, "systemd-analyze security rates {unit} at {exposure}");
    }
    let installed = assist(&cloud, &redis, "dpkg-query --show --showformat='${Status}' redis-server");
    assert_eq!(installed, (0, "install ok installed".to_owned()));

    let address = cloud.instance("ecs03")["private_address"].as_str().expect("an address").to_owned();
    redis_serves_the_node_alone(&cloud, &redis, &address);
    let knock = format!("timeout 3 bash -c '</dev/tcp/{address}/6379'");
    assert_eq!(assist(&cloud, &node, &knock).0, 0, "a node reaches Redis");
    let stranger = make_stranger(&cloud);
    assert_ne!(assist(&cloud, &stranger, &knock).0, 0, "from outside the security group Redis is closed");
    env.verify().expect_code(0);
    a_machine_does_what_calls_say(&cloud, &stranger);
}

/// How exposed a unit is to what may go wrong in it, from 0 (not at all) to 10.
fn exposure(cloud: &LocalCloud, instance: &CloudId, unit: &str) -> f64 {
    let script = format!("systemd-analyze security --no-pager {unit} | tail -n 1");
    let (_, said) = assist(cloud, instance, &script);
    let number = said.split_whitespace().find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no exposure is in `{said}`"))
}

/// What Redis says to who knows its password.
fn tells(cloud: &LocalCloud, redis: &CloudId, address: &str, words: &str) -> String {
    let script = format!(
        "REDISCLI_AUTH=$(cat /etc/albatross/redis.password) redis-cli -h {address} --no-auth-warning {words}"
    );
    assist(cloud, redis, &script).1
}

/// Redis hears at its private address, asks who is there, and lets the node do what it does and nothing else.
fn redis_serves_the_node_alone(cloud: &LocalCloud, redis: &CloudId, address: &str) {
    let ask = |words: &str| {
        let script = format!("redis-cli -h {address} --no-auth-warning {words}");
        assist(cloud, redis, &script).1
    };
    let knowing = |words: &str| tells(cloud, redis, address, words);
    assert!(ask("xlen chat:messages").starts_with("NOAUTH"));
    assert!(knowing("xlen chat:messages").trim().parse::<u64>().is_ok());
    for denied in ["flushall", "config get dir", "keys \\*", "get other", "acl whoami"] {
        let said = knowing(denied);
        assert!(said.starts_with("NOPERM"), "{denied}: {said}");
    }
    let listens = assist(cloud, redis, "ss -ltnH sport = :6379").1;
    assert_eq!(listens.lines().count(), 1, "{listens}");
    assert!(listens.contains(&format!("{address}:6379")), "{listens}");
    let stored = "stat -c %a /etc/albatross/redis.password; grep -c \"$(cat /etc/albatross/redis.password)\" \
                  /etc/albatross/redis.conf; cat /etc/sysctl.d/60-albatross-redis.conf | grep -c overcommit";
    assert_eq!(assist(cloud, redis, stored).1, "600\n0\n1\n");
}

/// An upgrade is the scripts of the package, and then our unit with the program that is there now.
#[test]
fn what_redis_holds_outlives_another_configuration_and_its_package_put_there_anew() {
    let test = "what_redis_holds_outlives_another_configuration_and_its_package_put_there_anew";
    let Some(env) = with_machines(test) else { return };
    env.cloud_up(&["--hosts", "machine", "--pace", "instant"]);
    env.local("apply").expect_code(0);
    env.verify().expect_code(0);
    let (cloud, redis) = (env.cloud(), instance(&env.cloud(), "ecs03"));
    let address = cloud.instance("ecs03")["private_address"].as_str().expect("an address").to_owned();
    let held = || -> u64 {
        let said = tells(&cloud, &redis, &address, "xlen chat:messages");
        said.trim().parse().unwrap_or_else(|_| panic!("no number of messages: {said}"))
    };
    let before = held();
    assert!(before > 0, "there is nothing to be lost");
    env.write_changed("chatroom.yaml", &[("redis:\n", "redis:\n  max_memory: 300\n")]);
    env.local("apply").expect_code(0);
    assert!(held() >= before, "lost by another configuration");
    let anew = "apt-get install -y --reinstall redis-server redis-tools && systemctl restart albatross-redis";
    let (code, said) = assist(&cloud, &redis, &format!("export DEBIAN_FRONTEND=noninteractive; {anew}"));
    assert_eq!(code, 0, "{said}");
    wait_for("Redis answers", || {
        let said = tells(&cloud, &redis, &address, "xlen chat:messages");
        said.trim().parse::<u64>().ok()
    });
    assert!(held() >= before, "lost by its package");
    env.expect_empty_plan();
    env.verify().expect_code(0);
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
    deploy(&env, "other-node").expect_code(0);
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
