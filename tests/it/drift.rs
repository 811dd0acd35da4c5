//! What others change by hand is shown field by field and brought back; what they put there is left alone.

#![expect(clippy::too_many_lines, clippy::format_collect, reason = "one story a test")]

use std::collections::BTreeMap;

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use albatross::cloud::transport::Client;
use serde_json::{Value, json};

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::block_on;

/// The chatroom's control plane, up.
fn control_plane() -> TestEnv {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    env
}

/// Somebody at work on a stack without us.
struct Somebody {
    client: Client,
    ids: BTreeMap<String, String>,
    fields: BTreeMap<String, Value>,
}

impl Somebody {
    fn in_cloud_of(env: &TestEnv) -> Self {
        let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
        let resources = status["resources"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let ids = resources.iter().map(|one| (text(&one["address"]), text(&one["id"])));
        let fields = resources.iter().map(|one| (text(&one["address"]), one["fields"].clone()));
        let client = env.cloud().client("cn-hangzhou");
        Self { client, ids: ids.collect(), fields: fields.collect() }
    }

    fn id(&self, address: &str) -> &str {
        &self.ids[address]
    }

    #[track_caller]
    fn call(&self, call: &Call) -> Value {
        block_on(self.client.call::<Value>(call)).unwrap_or_else(|error| panic!("{}: {error}", call.action))
    }

    /// Adds the machine with Redis to the chatroom's servers.
    fn add_a_server(&self) {
        let call = alb("AddServersToServerGroup")
            .with("ServerGroupId", self.id("server_group.main"))
            .with_form("Servers.1.ServerType", "Ecs")
            .with_form("Servers.1.ServerId", self.id("instance.ecs03"))
            .with_form("Servers.1.Port", 8080)
            .with_form("Servers.1.Weight", 10);
        self.call(&call);
    }

    fn add_a_rule(&self) {
        let call = ecs("AuthorizeSecurityGroup")
            .with("SecurityGroupId", self.id("security_group.main"))
            .with("Permissions.1.IpProtocol", "TCP")
            .with("Permissions.1.PortRange", "9100/9100")
            .with("Permissions.1.SourceCidrIp", "10.0.0.0/8")
            .with("Permissions.1.Description", "monitoring");
        self.call(&call);
    }

    fn add_a_listener(&self) {
        let call = alb("CreateListener")
            .with("LoadBalancerId", self.id("load_balancer.main"))
            .with("ListenerProtocol", "HTTP")
            .with("ListenerPort", 8080)
            .with("DefaultActions.1.Type", "ForwardGroup")
            .with(
                "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
                self.id("server_group.main"),
            );
        self.call(&call);
    }
}

fn plan(env: &TestEnv) -> Value {
    env.run(&["--local", "plan", "--json", "chatroom.yaml"]).expect_code(0).json()
}

/// What a plan's JSON says was changed: `address field: applied -> now`, or `address is gone`.
fn drift(plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for one in plan["drift"].as_array().expect("a list") {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let address = text(&one["address"]);
        if one["gone"] == true {
            lines.push(format!("{address} is gone"));
        }
        for change in one["changes"].as_array().expect("a list") {
            let (field, applied, now) = (&change["field"], &change["applied"], &change["now"]);
            lines.push(format!("{address} {}: {} -> {}", text(field), text(applied), text(now)));
        }
    }
    lines
}

fn alb(action: &str) -> Call {
    Call::new(Product::Alb, action)
}

fn ecs(action: &str) -> Call {
    Call::new(Product::Ecs, action).with("RegionId", "cn-hangzhou")
}

/// What each step of a plan does, those that do nothing left out.
fn actions(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("a list").iter();
    let steps = steps.filter(|step| step["action"] != "keep");
    steps
        .map(|step| {
            format!("{} {}", step["action"].as_str().expect("text"), step["address"].as_str().expect("text"))
        })
        .collect()
}

#[test]
fn after_an_apply_nothing_has_drifted() {
    let env = control_plane();
    let plan = plan(&env);
    assert_eq!((drift(&plan), actions(&plan)), (vec![], vec![]));
    assert_eq!(plan["foreign"], json!([]));
    env.local("plan").expect_code(0).expect_absent("Changed outside").expect_absent("not ours");
}

#[test]
fn what_was_changed_by_hand_is_shown_field_by_field_and_brought_back() {
    let env = control_plane();
    let somebody = Somebody::in_cloud_of(&env);
    let group = somebody.id("server_group.main");
    somebody.call(
        &alb("UpdateServerGroupAttribute")
            .with("ServerGroupId", group)
            .with("HealthCheckConfig.HealthCheckEnabled", true)
            .with("HealthCheckConfig.HealthCheckInterval", 7)
            .with("HealthCheckConfig.HealthyThreshold", 5)
            .with("Scheduler", "Wlc"),
    );
    somebody.call(
        &alb("UpdateListenerAttribute")
            .with("ListenerId", somebody.id("listener.main"))
            .with("IdleTimeout", 15)
            .with("ListenerDescription", "mine"),
    );
    somebody.call(
        &alb("UpdateServerGroupServersAttribute")
            .with("ServerGroupId", group)
            .with_form("Servers.1.ServerType", "Ecs")
            .with_form("Servers.1.ServerId", somebody.id("instance.ecs02"))
            .with_form("Servers.1.Port", 5000)
            .with_form("Servers.1.Weight", 0),
    );
    somebody.call(
        &alb("UpdateLoadBalancerAttribute")
            .with("LoadBalancerId", somebody.id("load_balancer.main"))
            .with("LoadBalancerName", "web"),
    );
    let record = somebody.id("record.main");
    somebody.call(
        &Call::new(Product::Alidns, "SetDomainRecordStatus")
            .with("RecordId", record)
            .with("Status", "Disable"),
    );
    let rename = ecs("ModifyInstanceAttribute")
        .without("RegionId")
        .with("InstanceId", somebody.id("instance.ecs01"))
        .with("InstanceName", "web-1");
    somebody.call(&rename);
    let stop = ecs("StopInstances").with_list("InstanceId", [somebody.id("instance.ecs03")]);
    somebody.call(&stop);
    somebody.call(
        &Call::new(Product::Vpc, "ModifyVpcAttribute")
            .with("RegionId", "cn-hangzhou")
            .with("VpcId", somebody.id("vpc.main"))
            .with("VpcName", "net"),
    );
    let rule = |name: &str| somebody.fields[name]["rule"].as_str().expect("an id");
    somebody.call(
        &ecs("ModifySecurityGroupRule")
            .with("SecurityGroupId", somebody.id("security_group.main"))
            .with("SecurityGroupRuleId", rule("security_rule.redis-ecs01"))
            .with("Priority", 50),
    );
    let revoke = ecs("RevokeSecurityGroup")
        .with("SecurityGroupId", somebody.id("security_group.main"))
        .with_list("SecurityGroupRuleId", [rule("security_rule.ssh-203.0.113.0-24")]);
    somebody.call(&revoke);

    let planned = plan(&env);
    assert_eq!(
        drift(&planned),
        [
            "vpc.main name: chatroom-vpc-main -> net",
            "instance.ecs01 name: ecs01 -> web-1",
            "instance.ecs03 status: Running -> Stopped",
            "security_rule.redis-ecs01 priority: 1 -> 50",
            "security_rule.ssh-203.0.113.0-24 is gone",
            "load_balancer.main name: chatroom-load-balancer-main -> web",
            "server_group.main health_interval: 1 -> 7",
            "server_group.main healthy_threshold: 2 -> 5",
            "server_group.main scheduler: Wrr -> Wlc",
            "server.ecs02 weight: 100 -> 0",
            "listener.main idle_timeout: 60 -> 15",
            "listener.main name: chatroom-listener-main -> mine",
            "record.main status: ENABLE -> DISABLE",
        ]
    );
    assert_eq!(
        actions(&planned),
        [
            "update vpc.main",
            "update instance.ecs01",
            "update instance.ecs03",
            "update security_rule.redis-ecs01",
            "create security_rule.ssh-203.0.113.0-24",
            "update load_balancer.main",
            "update server_group.main",
            "update server.ecs02",
            "update listener.main",
            "update record.main",
        ]
    );
    env.local("plan").expect_code(0).expect_in_order(&[
        "Changed outside of Albatross:",
        "~ vpc.main",
        "name: chatroom-vpc-main -> net",
        "- security_rule.ssh-203.0.113.0-24",
        "is gone; it is made again",
        "idle_timeout: 60 -> 15",
        "Plan: 1 to create, 9 to update.",
    ]);
    env.local("apply").expect_code(0);
    let after = plan(&env);
    assert_eq!((drift(&after), actions(&after)), (vec![], vec![]));
}

#[test]
fn what_others_put_there_is_shown_and_kept() {
    let env = control_plane();
    let somebody = Somebody::in_cloud_of(&env);
    somebody.add_a_server();
    somebody.add_a_rule();
    somebody.add_a_listener();
    let before = env.cloud().status()["resources_by_kind"].clone();
    for _ in 0..2 {
        let planned = plan(&env);
        assert_eq!((drift(&planned), actions(&planned)), (vec![], vec![]));
        let foreign = planned["foreign"].as_array().expect("a list");
        let words: Vec<&str> = foreign.iter().map(|one| one["words"].as_str().expect("a text")).collect();
        assert!(words[0].starts_with("lets in tcp 9100/9100 from 10.0.0.0/8"), "{words:?}");
        assert!(words[1].ends_with("on port 8080, weight 10"), "{words:?}");
        assert_eq!(words[2], "HTTP on port 8080");
        env.local("plan").expect_in_order(&[
            "not ours: security rule",
            "not ours: server",
            "not ours: listener",
        ]);
        env.local("apply").expect_code(0);
    }
    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    env.local("destroy").expect_code(3).expect_in_order(&[
        "stands in the way: load_balancer.main stays",
        "error: things of others",
        "help:",
    ]);
    let status = env.cloud().status()["resources_by_kind"].clone();
    let left = |kind: &str| status[kind].as_u64().unwrap_or(0);
    let left = ["load_balancer", "listener", "server_group", "vpc", "instance"].map(left);
    assert_eq!(left, [1, 1, 1, 1, 0], "{status}");
}

#[test]
fn of_an_exclusive_topology_what_others_put_there_is_removed() {
    let env = control_plane();
    let somebody = Somebody::in_cloud_of(&env);
    somebody.add_a_server();
    somebody.add_a_rule();
    somebody.add_a_listener();
    env.write_changed("chatroom.yaml", &[("stack: chatroom", "stack: chatroom\nexclusive: true")]);
    let actions = actions(&plan(&env));
    let kinds: Vec<&str> = actions.iter().map(|line| line.split('.').next().unwrap()).collect();
    assert_eq!(kinds, ["delete listener", "delete server", "delete security_rule"], "{actions:?}");
    env.local("apply").expect_code(0).expect_in_order(&["Done: 3 deleted."]);
    let after = plan(&env);
    assert_eq!((drift(&after), self::actions(&after), &after["foreign"]), (vec![], vec![], &json!([])));
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_plan_from_the_journal_asks_nobody() {
    let env = control_plane();
    let somebody = Somebody::in_cloud_of(&env);
    let stop = ecs("StopInstances").with_list("InstanceId", [somebody.id("instance.ecs03")]);
    somebody.call(&stop);
    let before = env.cloud().call_log().len();
    env.run(&["--local", "plan", "--refresh=false", "--detailed-exitcode", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["No changes: 22 resources"]);
    let calls = env.cloud().call_log();
    assert!(calls[before..].is_empty(), "{:?}", &calls[before..]);
    env.run(&["--local", "plan", "--refresh=false", "--refresh-only", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&["error: `--refresh-only`", "help: leave one of the two out"]);
    env.write_changed("longer.yaml", &[("idle_timeout: 60s", "idle_timeout: 90s")]);
    env.run(&["--local", "plan", "--refresh=false", "--detailed-exitcode", "longer.yaml"])
        .expect_code(2)
        .expect_in_order(&["~ listener.main", "idle_timeout: 60 -> 90"]);
}

#[test]
fn drift_alone_is_shown_and_taken_into_the_journal() {
    let env = control_plane();
    let somebody = Somebody::in_cloud_of(&env);
    somebody.call(
        &alb("UpdateListenerAttribute")
            .with("ListenerId", somebody.id("listener.main"))
            .with("IdleTimeout", 15),
    );
    let only = ["--local", "plan", "--refresh-only", "chatroom.yaml"];
    env.run(&[&only[..], &["--detailed-exitcode"]].concat())
        .expect_code(2)
        .expect_in_order(&["~ listener.main", "idle_timeout: 60 -> 15", "1 resource not as it was left."])
        .expect_absent("Plan:");
    let before = env.cloud().world();
    env.run(&["--local", "apply", "--refresh-only", "--yes", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["idle_timeout: 60 -> 15", "The journal has it"]);
    assert_eq!(env.cloud().world()["listeners"], before["listeners"]);
    env.run(&only).expect_code(0).expect_in_order(&["Nothing was changed outside of Albatross."]);
    let planned = plan(&env);
    assert_eq!((drift(&planned), actions(&planned)), (vec![], vec!["update listener.main".to_owned()]));
}

#[test]
fn a_plan_of_what_is_as_it_shall_be_takes_few_calls_however_many_machines() {
    let env = control_plane();
    let count = |file: &str| {
        let before = env.cloud().call_log().len();
        env.run(&["--local", "plan", "--detailed-exitcode", file]).expect_code(0);
        env.cloud().call_log().len() - before
    };
    let few = count("chatroom.yaml");
    assert!(few <= 12, "{few} calls");
    let nodes: String =
        (1..=99).map(|number| format!("  n{number:03}: {{ vswitch: a, access: public }}\n")).collect();
    let names: Vec<String> = (1..=99).map(|number| format!("n{number:03}")).collect();
    env.write_changed(
        "hundred.yaml",
        &[
            ("stack: chatroom", "stack: hundred"),
            ("  ecs01: { vswitch: a, access: public }\n  ecs02: { vswitch: b, access: public }\n", &nodes),
            ("ecs03: { vswitch: a, via: ecs01 }", "ecs03: { vswitch: a, via: n001 }"),
            ("on: [ecs01, ecs02] ", &format!("on: [{}] ", names.join(", "))),
            ("host: \"@\"", "host: hundred"),
        ],
    );
    env.run(&["--local", "apply", "--yes", "hundred.yaml"]).expect_code(0);
    assert_eq!(count("hundred.yaml"), few);
}

#[test]
fn what_was_edited_on_a_machine_is_shown_and_brought_back() {
    if lacks_redis("what_was_edited_on_a_machine_is_shown_and_brought_back") {
        return;
    }
    let env = TestEnv::with_chatroom();
    assert_eq!(drift(&plan(&env)), Vec::<String>::new());
    let somebody = Somebody::in_cloud_of(&env);
    let on_host = |host: &str, path: &str| {
        let id = somebody.id(&format!("instance.{host}"));
        env.file(&format!(".albatross/local/data/hosts/{id}{path}"))
    };
    let edit = |host: &str, path: &str, from: &str, to: &str| {
        let file = on_host(host, path);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(text.contains(from), "{path} has no `{from}`");
        std::fs::write(&file, text.replace(from, to)).expect("writable");
    };
    let password = on_host("ecs03", "/etc/albatross/redis.password");
    let password = std::fs::read_to_string(password).expect("a password");
    edit("ecs01", "/etc/albatross/chat-node.env", "PING_INTERVAL=10s", "PING_INTERVAL=1s");
    edit("ecs02", "/etc/albatross/chat-node.env", password.trim(), "0123456789abcdef");
    edit("ecs02", "/etc/systemd/system/chat-node.service", "RestartSec=1", "RestartSec=9");
    edit("ecs03", "/etc/albatross/redis.conf", "appendfsync everysec", "appendfsync no");
    // A node that is given no traffic anyway is not waited for: what gives it some comes later.
    somebody.call(
        &alb("UpdateServerGroupServersAttribute")
            .with("ServerGroupId", somebody.id("server_group.main"))
            .with_form("Servers.1.ServerType", "Ecs")
            .with_form("Servers.1.ServerId", somebody.id("instance.ecs01"))
            .with_form("Servers.1.Port", 5000)
            .with_form("Servers.1.Weight", 0),
    );
    let planned =
        env.local("plan").expect_code(0).expect_absent(password.trim()).expect_absent("0123456789abcdef");
    planned.expect_in_order(&["Changed outside of Albatross:", "redis.ecs03"]);
    let edited = |address: &str, field: &str, path: &str| {
        format!("{address} {field}: as written -> edited by hand: {path}")
    };
    assert_eq!(
        drift(&plan(&env)),
        [
            edited("redis.ecs03", "configuration_file", "/etc/albatross/redis.conf"),
            edited("release.ecs01", "environment_file", "/etc/albatross/chat-node.env"),
            edited("release.ecs02", "environment_file", "/etc/albatross/chat-node.env"),
            edited("release.ecs02", "unit_file", "/etc/systemd/system/chat-node.service"),
            "server.ecs01 weight: 100 -> 0".to_owned(),
        ]
    );
    env.local("apply").expect_code(0);
    assert_eq!(drift(&plan(&env)), Vec::<String>::new());
    env.expect_exactly_the_chatroom();
    env.verify().expect_code(0);
}

#[test]
fn behind_a_stopped_listener_nodes_are_changed_all_the_same() {
    if lacks_redis("behind_a_stopped_listener_nodes_are_changed_all_the_same") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let somebody = Somebody::in_cloud_of(&env);
    somebody.call(&alb("StopListener").with("ListenerId", somebody.id("listener.main")));
    env.write_changed(
        "chatroom.yaml",
        &[("  on: [ecs01, ecs02]", "  ping_interval: 7s\n  on: [ecs01, ecs02]")],
    );
    env.local("plan").expect_in_order(&["~ release.ecs01", "~ release.ecs02", "~ listener.main"]);
    env.local("apply").expect_code(0).expect_in_order(&["Done: 3 updated."]);
    env.verify().expect_code(0);
}

/// The lists of the real cloud show what was made a moment later; then nothing of it was lost with the state.
#[test]
fn without_state_everything_is_found_again_after_the_lag() {
    let env = TestEnv::with_cloud(&["--hosts", "none", "--pace", "real"]);
    let mut apply = env.start(&["--local", "apply", "--yes", "chatroom.yaml"]);
    while !apply.has_ended() {
        env.cloud().pass_time(2);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    apply.finish().expect_code(0);
    for entry in std::fs::read_dir(env.file(".albatross")).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.file_name().is_some_and(|name| name != "local") {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            removed.expect("removable");
        }
    }
    env.cloud().pass_time(30);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"])
        .expect_code(0)
        .expect_in_order(&["No changes: 22 resources as the topology says."])
        .expect_absent("Changed outside");
}
