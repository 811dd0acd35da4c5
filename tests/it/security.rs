//! Security rules in words: let in as they say, changed by their difference, told apart from those of others.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::block_on;

/// The chatroom that lets these in, too.
fn write(env: &TestEnv, allow: &str, more: &[(&str, &str)]) {
    let group = format!("  security_group: {{ allow: [{allow}] }}\n\nssh:");
    let changes: Vec<(&str, &str)> =
        [("\nssh:", group.as_str())].into_iter().chain(more.iter().copied()).collect();
    env.write_changed("chatroom.yaml", &changes);
}

/// The rules of the stack's group: protocol, ports, source, description; those with a description of ours by what it names.
fn rules(env: &TestEnv) -> Vec<String> {
    let world = env.cloud().world();
    let groups = world["security_groups"].as_object().expect("groups");
    let own =
        groups.values().find(|group| group["meta"]["tags"]["albatross:resource"] == "security_group.main");
    let rules = own.expect("the stack's group")["rules"].as_array().expect("rules").clone();
    let mut told: Vec<String> = rules
        .iter()
        .map(|rule| {
            let at = &rule["permission"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let said = text(&rule["description"]).replace("albatross.chatroom.security_rule.", "");
            let protocol = text(&at["protocol"]).to_lowercase();
            format!("{said}: {protocol} {} from {}", text(&at["port_range"]), text(&at["source_cidr"]))
        })
        .collect();
    told.sort();
    told
}

/// The calls that changed a rule so far.
fn changes(env: &TestEnv) -> Vec<String> {
    let log = env.cloud().call_log();
    let actions = log.iter().map(|call| call["operation"].as_str().expect("a text").to_owned());
    actions.filter(|action| action.ends_with("SecurityGroup") && !action.contains("Create")).collect()
}

#[test]
fn what_is_allowed_in_words_is_let_in_and_changed_by_its_difference() {
    let env = TestEnv::with_control_plane();
    write(
        &env,
        "tcp 8000-8100 from 10.0.0.0/8, udp 53 from ecs03, icmp from anywhere, 9100 from load balancer, 9200 from nodes",
        &[],
    );
    env.local("plan").expect_code(0).expect_in_order(&[
        "+ security_rule.icmp-from-0.0.0.0-0",
        "icmp from 0.0.0.0/0",
        "+ security_rule.tcp-8000-8100-from-10.0.0.0-8",
        "tcp 8000-8100 from 10.0.0.0/8",
        "+ security_rule.udp-53-from-ecs03",
        "udp 53 from instance.ecs03",
    ]);
    env.local("apply").expect_code(0);
    let own =
        |env: &TestEnv| rules(env).into_iter().filter(|rule| rule.contains("-from-")).collect::<Vec<_>>();
    let address =
        |name: &str| env.cloud().instance(name)["private_address"].as_str().expect("one").to_owned();
    assert_eq!(
        own(&env),
        [
            "icmp-from-0.0.0.0-0: icmp -1/-1 from 0.0.0.0/0".to_owned(),
            "tcp-8000-8100-from-10.0.0.0-8: tcp 8000/8100 from 10.0.0.0/8".to_owned(),
            "tcp-9100-from-balancer-a: tcp 9100/9100 from 192.168.0.0/24".to_owned(),
            "tcp-9100-from-balancer-b: tcp 9100/9100 from 192.168.1.0/24".to_owned(),
            format!("tcp-9200-from-ecs01: tcp 9200/9200 from {}/32", address("ecs01")),
            format!("tcp-9200-from-ecs02: tcp 9200/9200 from {}/32", address("ecs02")),
            format!("udp-53-from-ecs03: udp 53/53 from {}/32", address("ecs03")),
        ]
    );
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    let before = changes(&env).len();
    write(
        &env,
        "tcp 8000-8100 from 10.0.0.0/8, icmp from 10.0.0.0/8, 9100 from load balancer, 9200 from nodes",
        &[],
    );
    env.local("apply").expect_code(0).expect_in_order(&["Done: 1 created, 2 deleted."]);
    let mut made = changes(&env).split_off(before);
    made.sort();
    // Both that go go with one call.
    assert_eq!(made, ["Ecs.AuthorizeSecurityGroup", "Ecs.RevokeSecurityGroup"]);
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}

#[test]
fn a_rule_that_is_wanted_in_another_way_is_never_taken_away() {
    let env = TestEnv::with_control_plane();
    let node = ("  port: 5000\n\nload", "  port: 5001\n\nload");
    write(&env, "5000 from load balancer, ssh from 203.0.113.0/24", &[]);
    env.local("apply").expect_code(0);
    assert!(
        !rules(&env).iter().any(|rule| rule.contains("-from-")),
        "they are let in anyway: {:?}",
        rules(&env)
    );
    // The nodes go to another port, and what was theirs is let in for its own sake.
    write(&env, "5000 from load balancer, ssh from 203.0.113.0/24", &[node]);
    let before = env.cloud().call_log().len();
    env.local("apply").expect_code(0);
    let log = env.cloud().call_log().split_off(before);
    let revoked = log.iter().filter(|call| call["operation"] == "Ecs.RevokeSecurityGroup").count();
    assert_eq!(revoked, 0, "both ports are wanted");
    let has =
        |port: &str| rules(&env).iter().filter(|rule| rule.contains(&format!("tcp {port}/{port} "))).count();
    assert_eq!((has("5000"), has("5001")), (2, 2));
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    // And back: the rules for the other port go, and no other.
    write(&env, "5000 from load balancer", &[]);
    env.local("apply").expect_code(0);
    assert_eq!((has("5000"), has("5001"), has("22")), (2, 0, 1));
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}

#[test]
fn rules_of_others_are_shown_and_stay_unless_the_topology_is_exclusive() {
    let env = TestEnv::with_control_plane();
    write(&env, "9100 from 10.0.0.0/8", &[]);
    env.local("apply").expect_code(0);
    let id =
        env.run(&["--local", "outputs", "chatroom.yaml", "security_group.main.id"]).expect_code(0).stdout;
    let by_hand = |protocol: &str, ports: &str| {
        let call = Call::new(Product::Ecs, "AuthorizeSecurityGroup")
            .with("RegionId", "cn-hangzhou")
            .with("SecurityGroupId", id.trim())
            .with("Permissions.1.IpProtocol", protocol)
            .with("Permissions.1.PortRange", ports)
            .with("Permissions.1.SourceCidrIp", "198.51.100.0/24");
        block_on(env.cloud().client("cn-hangzhou").call::<Value>(&call)).expect("it is let in");
    };
    by_hand("UDP", "9100/9100");
    by_hand("ICMP", "-1/-1");
    env.local("plan").expect_code(0).expect_in_order(&[
        "not ours:",
        "lets in icmp -1/-1",
        "kept",
        "No changes",
    ]);
    // What is asked for later is theirs, and is used as it is.
    write(&env, "9100 from 10.0.0.0/8, icmp from 198.51.100.0/24", &[]);
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    write(&env, "9100 from 10.0.0.0/8", &[("region:", "exclusive: true\nregion:")]);
    env.local("apply").expect_code(0);
    assert!(!rules(&env).iter().any(|rule| rule.contains("198.51.100.0/24")), "{:?}", rules(&env));
    assert!(rules(&env).iter().any(|rule| rule.starts_with("tcp-9100-from-10.0.0.0-8")), "{:?}", rules(&env));
}
