//! What is replaced, in which order, and that people notice as little of it as the cloud allows.

use std::collections::BTreeMap;

use albatross::base::ids::CloudId;
use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::doctor::upload_certificate;
use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::block_on;
use crate::support::people::Regular;

/// A chatroom in a cloud without machines.
fn control_plane() -> TestEnv {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    env
}

/// What a plan does, by address: the verb, and for a replacement its sign.
pub(crate) fn planned(env: &TestEnv) -> BTreeMap<String, String> {
    let plan = env.run(&["--local", "plan", "--json", "chatroom.yaml"]).expect_code(0).json();
    let steps = plan["steps"].as_array().expect("steps");
    let changed = steps.iter().filter(|step| step["action"] != "keep");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verb = |step: &Value| match step["order"].as_str() {
        Some("new_first") => "+/-".to_owned(),
        Some("old_first") => "-/+".to_owned(),
        _ => text(&step["action"]),
    };
    changed.map(|step| (text(&step["address"]), verb(step))).collect()
}

/// What a plan does, as `verb address`.
#[track_caller]
fn expect_plan(env: &TestEnv, expected: &[&str]) {
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let found = planned(env).into_iter().map(|(address, verb)| format!("{verb} {address}")).collect();
    assert_eq!(sorted(found), sorted(expected.iter().map(ToString::to_string).collect()));
}

/// Each of these was done before the next was; `~` stands for what was deposed.
#[track_caller]
fn expect_done_in_order(said: &str, done: &[&str]) {
    let mut from = 0;
    for what in done {
        let beginning = format!(" s  ok {what}");
        let lines: Vec<&str> = said.lines().collect();
        let at = lines.iter().skip(from).position(|line| {
            line.split_once(&beginning).is_some_and(|(_, rest)| what.ends_with('~') || rest.starts_with(':'))
        });
        from += at.unwrap_or_else(|| panic!("`{what}` was not done after the ones before in\n{said}")) + 1;
    }
}

/// Applies; nothing is left to do, and the cloud has as many of everything as before.
#[track_caller]
fn applied(env: &TestEnv) -> String {
    let before = env.cloud().status()["resources_by_kind"].clone();
    let run = env.local("apply").expect_code(0);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    run.stderr
}

const MACHINE: [&str; 3] = ["+/- instance.ecs02", "+/- host_key.ecs02", "+/- security_rule.redis-ecs02"];

/// A machine of a cloud without hosts is replaced.
#[track_caller]
fn expect_replaced_machine(env: &TestEnv, change: (&str, &str), words: &str) {
    env.write_changed("chatroom.yaml", &[change]);
    expect_plan(env, &[&MACHINE[..], &["+/- server.ecs02"]].concat());
    env.local("plan").expect_in_order(&["+/- instance.ecs02", words]);
    let said = applied(env);
    expect_done_in_order(&said, &["instance.ecs02", "server.ecs02", "server.ecs02~", "instance.ecs02~"]);
    expect_done_in_order(&said, &["instance.ecs02", "host_key.ecs02", "host_key.ecs02~", "instance.ecs02~"]);
    env.expect_destroyed_to_nothing();
}

#[test]
fn another_type_makes_the_new_machine_first() {
    expect_replaced_machine(
        &control_plane(),
        ("ecs02: { vswitch: b", "ecs02: { vswitch: b, types: [ecs.c7.large]"),
        "type: ecs.e-c1m2.large -> ecs.c7.large  # forces replacement: an instance cannot change its type",
    );
}

#[test]
fn another_image_makes_the_new_machine_first() {
    expect_replaced_machine(
        &control_plane(),
        ("ecs02: { vswitch: b", "ecs02: { vswitch: b, image: 'acs:debian_12_11_x64'"),
        "image: acs:alibaba_cloud_linux_3_2104_lts_x64 -> acs:debian_12_11_x64  # forces replacement: another image",
    );
}

#[test]
fn a_smaller_disk_makes_the_new_machine_first() {
    expect_replaced_machine(
        &control_plane(),
        ("ecs02: { vswitch: b", "ecs02: { vswitch: b, disk: 30"),
        "disk: 40 -> 30  # forces replacement: a disk cannot be made smaller",
    );
}

#[test]
fn another_vswitch_makes_the_new_machine_first() {
    expect_replaced_machine(
        &control_plane(),
        ("ecs02: { vswitch: b", "ecs02: { vswitch: a"),
        "# forces replacement: an instance cannot change its vSwitch",
    );
}

#[test]
fn a_machine_that_goes_behind_another_loses_its_public_address_first_and_last() {
    let env = control_plane();
    env.write_changed(
        "chatroom.yaml",
        &[("ecs02: { vswitch: b, access: public }", "ecs02: { vswitch: b, via: ecs01 }")],
    );
    env.local("plan")
        .expect_in_order(&["exposure: public -> private  # forces replacement: an instance is made"]);
    expect_done_in_order(
        &applied(&env),
        &["instance.ecs02", "server.ecs02", "server.ecs02~", "instance.ecs02~"],
    );
}

/// Everything on the vSwitch `b` goes, and comes back.
const ON_B: [&str; 9] = [
    "vswitch.b",
    "instance.ecs02",
    "host_key.ecs02",
    "security_rule.redis-ecs02",
    "load_balancer.main",
    "server.ecs02",
    "listener.main",
    "server_group.main",
    "record.main",
];

#[test]
fn a_vswitch_in_another_zone_has_to_make_room() {
    let env = control_plane();
    env.write_changed("chatroom.yaml", &[("zone: cn-hangzhou-i", "zone: cn-hangzhou-j")]);
    let plan = planned(&env);
    for address in ["vswitch.b", "instance.ecs02", "host_key.ecs02", "server.ecs02", "load_balancer.main"] {
        assert_eq!(plan[address], "-/+", "{address} of {plan:?}");
    }
    assert_eq!(plan["record.main"], "update");
    env.local("plan")
        .expect_in_order(&["-/+ vswitch.b", "# forces replacement: a vSwitch cannot change its zone"]);
    let said = applied(&env);
    expect_done_in_order(
        &said,
        &["instance.ecs02", "vswitch.b", "vswitch.b", "instance.ecs02", "server.ecs02"],
    );
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_vswitch_with_another_range_is_made_beside_the_old_one() {
    let env = control_plane();
    env.write_changed("chatroom.yaml", &[("cidr: 192.168.1.0/24", "cidr: 192.168.7.0/24")]);
    let plan = planned(&env);
    for address in
        ON_B.iter().filter(|address| !address.starts_with("server_group") && **address != "record.main")
    {
        assert_eq!(plan.get(*address).map(String::as_str), Some("+/-"), "{address} of {plan:?}");
    }
    let said = applied(&env);
    expect_done_in_order(
        &said,
        &["vswitch.b", "load_balancer.main", "listener.main", "record.main", "listener.main~", "vswitch.b~"],
    );
    env.expect_destroyed_to_nothing();
}

#[test]
fn another_range_of_the_vpc_makes_everything_anew_and_moves_the_record() {
    let env = control_plane();
    let other = [
        ("192.168.0.0/16", "10.0.0.0/16"),
        ("192.168.0.0/24", "10.0.0.0/24"),
        ("192.168.1.0/24", "10.0.1.0/24"),
    ];
    env.write_changed("chatroom.yaml", &other);
    let plan = planned(&env);
    assert!(plan.iter().all(|(address, verb)| verb == "+/-" || address == "record.main"), "{plan:?}");
    let said = applied(&env);
    let order =
        ["vpc.main", "listener.main", "record.main", "load_balancer.main~", "vswitch.a~", "vpc.main~"];
    expect_done_in_order(&said, &order);
    env.expect_destroyed_to_nothing();
}

#[test]
fn the_record_moves_to_another_balancer_before_the_old_one_goes() {
    let env = control_plane();
    env.write_changed("chatroom.yaml", &[("  address: internet", "  edition: standard")]);
    expect_plan(&env, &["+/- load_balancer.main", "+/- listener.main", "update record.main"]);
    let said = applied(&env);
    expect_done_in_order(
        &said,
        &["load_balancer.main", "listener.main", "record.main", "listener.main~", "load_balancer.main~"],
    );
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_listener_on_another_port_stands_beside_the_old_one() {
    let env = control_plane();
    env.write_changed("chatroom.yaml", &[("    port: 5000", "    port: 8080")]);
    expect_plan(&env, &["+/- listener.main"]);
    expect_done_in_order(&applied(&env), &["listener.main", "listener.main~"]);
}

#[test]
fn a_listener_with_another_protocol_on_the_same_port_waits_for_it() {
    let env = control_plane();
    let id = upload_certificate(&env.cloud(), "example.com");
    env.write_changed(
        "chatroom.yaml",
        &[("protocol: http", &format!("protocol: https\n    certificate: {id}"))],
    );
    expect_plan(&env, &["-/+ listener.main"]);
    env.local("plan").expect_in_order(&["# forces replacement: a listener cannot change its protocol"]);
    let said = applied(&env);
    expect_done_in_order(&said, &["listener.main", "listener.main"]);
}

#[test]
fn a_certificate_is_changed_in_place() {
    let env = control_plane();
    let [first, second] =
        ["example.com", "www.example.com"].map(|name| upload_certificate(&env.cloud(), name));
    let secure = |id: &str| format!("protocol: https\n    certificate: {id}");
    env.write_changed("chatroom.yaml", &[("protocol: http", &secure(&first))]);
    env.local("apply").expect_code(0);
    env.write_changed("chatroom.yaml", &[("protocol: http", &secure(&second))]);
    expect_plan(&env, &["update listener.main"]);
    applied(&env);
}

#[test]
fn a_record_with_another_name_is_made_before_the_old_one_goes() {
    let env = control_plane();
    env.write_changed("chatroom.yaml", &[("host: \"@\" ", "host: chat ")]);
    expect_plan(&env, &["+/- record.main"]);
    expect_done_in_order(&applied(&env), &["record.main", "record.main~"]);
    env.expect_destroyed_to_nothing();
}

#[test]
fn from_two_nodes_to_five_and_back_nothing_else_is_touched() {
    let env = control_plane();
    let two = env.cloud().status()["resources_by_kind"].clone();
    let nodes = "  ecs04: { vswitch: a, access: public }\n  ecs05: { vswitch: b, access: public }\n  ecs06: { vswitch: a, via: ecs01 }\n";
    env.write_changed(
        "chatroom.yaml",
        &[
            ("\nredis:", &format!("{nodes}\nredis:")),
            ("on: [ecs01, ecs02] ", "on: [ecs01, ecs02, ecs04, ecs05, ecs06] "),
        ],
    );
    let of_nodes = |verb: &str| -> Vec<String> {
        let kinds = ["instance.", "host_key.", "security_rule.redis-", "server."];
        let names = ["ecs04", "ecs05", "ecs06"];
        names.iter().flat_map(|name| kinds.map(|kind| format!("{verb} {kind}{name}"))).collect()
    };
    expect_plan(&env, &of_nodes("create").iter().map(String::as_str).collect::<Vec<_>>());
    env.local("apply").expect_code(0);
    env.write_changed("chatroom.yaml", &[]);
    expect_plan(&env, &of_nodes("delete").iter().map(String::as_str).collect::<Vec<_>>());
    env.local("apply").expect_code(0);
    assert_eq!(env.cloud().status()["resources_by_kind"], two);
}

#[test]
fn what_is_protected_is_neither_replaced_nor_deleted() {
    let env = control_plane();
    let before = env.cloud().status()["resources_by_kind"].clone();
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b", "ecs02: { vswitch: a, protect: true")]);
    let expected = [
        "error: instance.ecs02 is protected, and this plan would replace it (vswitch: vsw-",
        "an instance cannot change its vSwitch)",
        "help: nothing was changed; if it shall go, set `instances.ecs02.protect` to false in line 17 of chatroom.yaml",
    ];
    for verb in ["plan", "apply"] {
        env.local(verb).expect_code(1).expect_in_order(&expected);
    }
    env.write_changed("chatroom.yaml", &[("  address: internet", "  protect: true")]);
    env.local("plan").expect_code(0);
    env.local("destroy").expect_code(1).expect_in_order(&[
        "error: load_balancer.main is protected, and this plan would delete it",
        "set `load_balancer.protect` to false in line 29 of chatroom.yaml",
    ]);
    env.write_changed("chatroom.yaml", &[("region:", "protect: true\nregion:")]);
    env.local("plan").expect_code(0);
    env.local("destroy").expect_code(1).expect_in_order(&["error: ", "set `protect` to false in line 4"]);
    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    env.write_changed("chatroom.yaml", &[]);
    env.expect_destroyed_to_nothing();
}

/// The id of a resource of the chatroom.
fn id(env: &TestEnv, address: &str) -> String {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let resources = status["resources"].as_array().expect("a list").clone();
    let found = resources.iter().find(|one| one["address"] == address);
    found.and_then(|one| one["id"].as_str()).unwrap_or_else(|| panic!("no {address} in {status}")).to_owned()
}

/// A machine of ours that was made some time ago, from the image of that time.
fn run_old_image(env: &TestEnv) {
    let client = env.cloud().client("cn-hangzhou");
    let ask = |call: Call| -> Value { block_on(client.call(&call)).expect("the cloud does it") };
    let of = |action: &str| Call::new(Product::Ecs, action).with("RegionId", "cn-hangzhou");
    let [vswitch, group, key, old] = ["vswitch.b", "security_group.main", "key_pair.main", "instance.ecs02"]
        .map(|address| id(env, address));
    ask(of("DeleteInstances").with_list("InstanceId", [CloudId::new(old)]).with("Force", true));
    let tags = [
        ("albatross:stack", "chatroom"),
        ("albatross:resource", "instance.ecs02"),
        ("albatross:generation", "1"),
        ("albatross:image", "family=acs:alibaba_cloud_linux_3_2104_lts_x64"),
    ];
    let run = of("RunInstances").with("Amount", 1).with("InstanceName", "ecs02").with("HostName", "ecs02");
    let run =
        run.with("InstanceType", "ecs.e-c1m2.large").with("ImageId", OLD_IMAGE).with("KeyPairName", key);
    let run =
        run.with("VSwitchId", vswitch).with("SecurityGroupId", group).with("InternetMaxBandwidthOut", 10);
    ask(run.with("SystemDisk.Category", "cloud_essd_entry").with("SystemDisk.Size", 40).with_tags(&tags));
}

const OLD_IMAGE: &str = "aliyun_3_x64_20G_alibase_20260315.vhd";

#[test]
fn a_newer_image_is_worth_a_line_and_no_change() {
    let env = control_plane();
    env.local("plan").expect_code(0).expect_absent("note:");
    run_old_image(&env);
    env.local("apply").expect_code(0);
    let asked = env.cloud().calls()["Ecs.DescribeImages"].as_u64();
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0).expect_in_order(&[
        "No changes:",
        "note: instance.ecs02 runs aliyun_3_x64_20G_alibase_20260315.vhd, the family \
         acs:alibaba_cloud_linux_3_2104_lts_x64 has aliyun_3_x64_20G_alibase_20260915.vhd",
    ]);
    assert_eq!(env.cloud().calls()["Ecs.DescribeImages"].as_u64(), asked.map(|asked| asked + 1));
}

/// Kills an apply that replaces the second machine when it says a line.
fn killed_while_replacing(line: &str) -> TestEnv {
    let env = TestEnv::with_cloud(&["--hosts", "none"]);
    env.local("apply").expect_code(0);
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b", "ecs02: { vswitch: a")]);
    env.kill_local_at(line, "apply");
    env
}

/// Two of everything that was being replaced become one, in the state of a whole chatroom.
#[track_caller]
fn expect_one_of_each(env: &TestEnv, instances: u64) {
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    let kinds = env.cloud().status()["resources_by_kind"].clone();
    let count = |kind: &str| kinds[kind].as_u64();
    let found = ["instance", "disk", "server", "security_group_rule"].map(count);
    assert_eq!(found, [Some(instances), Some(instances), Some(2), Some(5)]);
}

#[test]
fn a_replacement_that_was_killed_is_finished_by_the_next_apply() {
    for line in
        [".. instance.ecs02: create", ".. host_key.ecs02: create", ".. server.ecs02~", ".. instance.ecs02~"]
    {
        let env = killed_while_replacing(line);
        env.local("apply").expect_code(0);
        expect_one_of_each(&env, 3);
    }
}

#[test]
fn without_a_journal_the_machine_that_was_made_last_is_the_one() {
    let env = killed_while_replacing(".. server.ecs02: create");
    let account = env.file(".albatross").join(env.cloud().account_id());
    std::fs::remove_dir_all(&account).expect("a state folder");
    let plan = planned(&env);
    let deposed = plan.iter().find(|(address, _)| address.starts_with("instance.ecs02~i-"));
    assert_eq!(deposed.map(|(_, verb)| verb.as_str()), Some("delete"), "{plan:?}");
    assert!(!plan.contains_key("instance.ecs02"), "the new one stays: {plan:?}");
    env.local("apply").expect_code(0);
    expect_one_of_each(&env, 3);
}

#[test]
fn destroy_takes_what_a_killed_replacement_left() {
    let env = killed_while_replacing(".. server.ecs02~");
    env.expect_destroyed_to_nothing();
}

#[test]
fn people_hardly_notice_that_a_machine_is_replaced() {
    if lacks_redis("people_hardly_notice_that_a_machine_is_replaced") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let regular = Regular::arrives(&env);
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, disk: 30")]);
    let run = env.local("apply").expect_code(0);
    expect_done_in_order(
        &run.stderr,
        &[
            "instance.ecs02",
            "host_key.ecs02",
            "release.ecs02",
            "server.ecs02",
            "server.ecs02~",
            "release.ecs02~",
            "instance.ecs02~",
        ],
    );
    regular.leaves_content();
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
    env.expect_destroyed_to_nothing();
}

#[test]
fn releases_move_to_another_redis_machine_one_after_another() {
    if lacks_redis("releases_move_to_another_redis_machine_one_after_another") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let regular = Regular::arrives(&env);
    env.write_changed("chatroom.yaml", &[("ecs03: { vswitch: a,", "ecs03: { vswitch: a, disk: 30,")]);
    expect_plan(
        &env,
        &[
            "+/- instance.ecs03",
            "+/- host_key.ecs03",
            "+/- redis.ecs03",
            "update release.ecs01",
            "update release.ecs02",
        ],
    );
    let run = env.local("apply").expect_code(0);
    expect_done_in_order(
        &run.stderr,
        &[
            "instance.ecs03",
            "redis.ecs03",
            "release.ecs01",
            "release.ecs02",
            "redis.ecs03~",
            "instance.ecs03~",
        ],
    );
    regular.leaves_content();
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
}

#[test]
fn the_old_jump_host_is_the_way_until_the_new_one_is() {
    if lacks_redis("the_old_jump_host_is_the_way_until_the_new_one_is") {
        return;
    }
    let env = TestEnv::with_chatroom();
    env.write_changed("chatroom.yaml", &[("ecs01: { vswitch: a", "ecs01: { vswitch: a, disk: 30")]);
    env.kill_local_at(".. host_key.ecs01: create", "apply");
    // Redis is behind the jump host: it can be read, and is as it was.
    let plan = planned(&env);
    assert!(!plan.contains_key("redis.ecs03"), "{plan:?}");
    assert!(plan.keys().any(|address| address.starts_with("instance.ecs01~i-")), "{plan:?}");
    let run = env.local("apply").expect_code(0);
    expect_done_in_order(&run.stderr, &["release.ecs01", "server.ecs01~", "instance.ecs01~"]);
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
}
