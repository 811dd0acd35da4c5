//! What a plan foretells is what its apply does: the changing calls, per resource and in order, as the cloud saw them.

use std::collections::BTreeMap;

use albatross::base::ids::CloudId;
use albatross::plan::desired::{Brought, desired};
use albatross::plan::forecast::forecast;
use albatross::plan::make_destroy;
use albatross::resource::observed::{Observation, Observed};
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::tair;

/// Actions in their order, by what they are for: `put listener.main`.
type Calls = BTreeMap<String, Vec<String>>;

/// What the plan of the topology foretells.
fn foretold(env: &TestEnv) -> (Calls, Value) {
    let plan = env.run(&["--local", "plan", "--json", "chatroom.yaml"]).expect_code(0).json();
    let mut calls = Calls::new();
    for one in plan["forecast"]["operations"].as_array().expect("operations") {
        let text = |field: &str| one[field].as_str().expect("a text").to_owned();
        let actions = one["calls"].as_array().expect("a list").iter();
        let actions: Vec<String> = actions.map(|call| call.as_str().expect("a text").to_owned()).collect();
        if !actions.is_empty() {
            // The log names what was deposed by the address it had.
            let address = text("address");
            let first = address.split('~').next().unwrap_or_default();
            calls.insert(format!("{} {first}", text("verb")), actions);
        }
    }
    (calls, plan["forecast"].clone())
}

/// Finds out what each changing call was for.
#[derive(Default)]
struct Attribution {
    /// Addresses by id, learned from the calls that made them.
    addresses: BTreeMap<String, String>,
}

impl Attribution {
    /// What a command has changed, from its lines of the log.
    fn calls(&mut self, log: &[Value]) -> Calls {
        let mut calls = Calls::new();
        for call in log.iter().filter(|call| call["effect"] == "change" && call["status"] == 200) {
            let action =
                call["operation"].as_str().and_then(|name| name.split('.').nth(1)).expect("an action");
            let removes = ["Delete", "Remove", "Revoke"].iter().any(|word| action.starts_with(word));
            // The record's own actions have its name in the middle.
            let verb = if removes { "delete" } else { "put" };
            let subject = self.subject(action, call);
            calls.entry(format!("{verb} {subject}")).or_default().push(action.to_owned());
        }
        calls
    }

    fn subject(&mut self, action: &str, call: &Value) -> String {
        let parameters = call["parameters"].as_object().expect("parameters");
        let parameter = |name: &str| parameters.get(name).and_then(Value::as_str);
        let tags =
            (1..=20).filter(|number| parameter(&format!("Tag.{number}.Key")) == Some("albatross:resource"));
        if let Some(address) = tags.into_iter().find_map(|number| parameter(&format!("Tag.{number}.Value"))) {
            for id in call["resources"]["shown"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                self.addresses.insert(id.to_owned(), address.to_owned());
            }
            return address.to_owned();
        }
        let name = |prefix: &str| {
            let named = call["resources"]["named"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut known = named.filter_map(|id| self.addresses.get(id));
            let found = known.find(|address| address.starts_with(prefix));
            found.map_or("main", |address| &address[prefix.len()..]).to_owned()
        };
        // What one call does together is foretold of the first.
        let machine = |first: &str| {
            let known = parameter(first).and_then(|id| self.addresses.get(id));
            known.and_then(|address| address.strip_prefix("instance.")).expect("a machine").to_owned()
        };
        match action {
            "ModifyInstanceSpec" | "ModifyInstanceConfig" | "ModifySecurityIps" | "DeleteInstance" => {
                "redis_instance.main".to_owned()
            }
            "CreateAccount" | "ResetAccountPassword" => "redis_account.main".to_owned(),
            "TagResources" if parameter("Tag.1.Key") == Some("albatross:password") => {
                "redis_account.main".to_owned()
            }
            "AuthorizeSecurityGroup" => {
                let remark = parameter("Permissions.1.Description").expect("a remark");
                remark.split_once(".chatroom.").expect("ours").1.to_owned()
            }
            "RevokeSecurityGroup" => "security_rule".to_owned(),
            "RunCommand" | "TagResources" => format!("host_key.{}", name("instance.")),
            "AddServersToServerGroup" | "RemoveServersFromServerGroup" => {
                format!("server.{}", machine("Servers.1.ServerId"))
            }
            "DeleteInstances" => format!("instance.{}", machine("InstanceId.1")),
            "StartInstance" => format!("instance.{}", name("instance.")),
            "DeleteVSwitch" => format!("vswitch.{}", name("vswitch.")),
            "DeleteVpc" => "vpc.main".to_owned(),
            "DeleteSecurityGroup" => "security_group.main".to_owned(),
            "DeleteKeyPairs" => "key_pair.main".to_owned(),
            "DeleteLoadBalancer" => "load_balancer.main".to_owned(),
            "DeleteServerGroup" => "server_group.main".to_owned(),
            "UpdateListenerAttribute" | "DeleteListener" => "listener.main".to_owned(),
            "AddDomainRecord" | "UpdateDomainRecord" | "UpdateDomainRecordRemark" | "DeleteDomainRecord" => {
                "record.main".to_owned()
            }
            other => panic!("{other} is foretold of nothing"),
        }
    }
}

/// Rules are revoked by ids of their own, which nothing else names: how many is what can be compared.
fn without_names_of_revoked_rules(calls: Calls) -> Calls {
    let mut plain = Calls::new();
    for (subject, actions) in calls {
        let revoked = subject.starts_with("delete security_rule.");
        let subject = if revoked { "delete security_rule".to_owned() } else { subject };
        plain.entry(subject).or_default().extend(actions);
    }
    plain
}

/// Applies the topology as it stands and compares.
#[track_caller]
fn expect_as_foretold(env: &TestEnv, attribution: &mut Attribution) {
    let (expected, whole) = foretold(env);
    let before = env.cloud().call_log().len();
    env.local("apply").expect_code(0);
    let log = env.cloud().call_log();
    let log = &log[before..];
    assert_eq!(attribution.calls(log), without_names_of_revoked_rules(expected));
    let (calls, foretold) =
        (log.len(), usize::try_from(whole["calls"].as_u64().expect("a number")).expect("few"));
    let near = foretold / 2..=foretold * 3 / 2 + 10;
    assert!(near.contains(&calls), "{calls} calls, {foretold} were foretold");
}

#[test]
fn an_apply_calls_what_its_plan_foretold() {
    let env = TestEnv::with_control_plane();
    let mut attribution = Attribution::default();
    expect_as_foretold(&env, &mut attribution);

    env.write_changed("chatroom.yaml", &[("idle_timeout: 60s ", "idle_timeout: 45s ")]);
    expect_as_foretold(&env, &mut attribution);

    // The machine moves, with its rule, its key and its membership.
    let moved =
        [("idle_timeout: 60s ", "idle_timeout: 45s "), ("ecs02: { vswitch: b", "ecs02: { vswitch: a")];
    env.write_changed("chatroom.yaml", &moved);
    expect_as_foretold(&env, &mut attribution);

    let before = env.cloud().call_log().len();
    env.local("destroy").expect_code(0);
    let removed = attribution.calls(&env.cloud().call_log()[before..]);
    assert_eq!(removed, without_names_of_revoked_rules(foretold_of_destroy(&env)));
}

/// A destroy of the chatroom, when all of it is there.
fn foretold_of_destroy(env: &TestEnv) -> Calls {
    let topology = albatross::topology::load(env.read("chatroom.yaml").as_bytes()).expect("valid");
    let mut observed = Observed::default();
    for address in
        desired(&topology, "ssh-ed25519 AAAA test", &Brought::default()).without_hosts().resources.into_keys()
    {
        let id = CloudId::new(format!("id-{address}"));
        observed.resources.insert(address, Observation::new(id));
    }
    let plan = make_destroy(&topology.stack, &topology.region, &observed);
    let forecast = forecast(&plan).expect("no cycle");
    let calls = forecast.operations.iter().filter(|one| !one.calls.is_empty());
    calls
        .map(|one| {
            let actions = one.calls.iter().map(|action| (*action).to_owned()).collect();
            (format!("delete {}", one.address), actions)
        })
        .collect()
}

/// What is foretold of a release that is put on a node: the node's server goes and comes back.
fn as_of_its_release(mut calls: Calls) -> Calls {
    for node in ["ecs01", "ecs02"] {
        let away = calls.remove(&format!("delete server.{node}"));
        let back = calls.remove(&format!("put server.{node}"));
        let both: Vec<String> = away.into_iter().chain(back).flatten().collect();
        if !both.is_empty() {
            calls.insert(format!("put release.{node}"), both);
        }
    }
    calls
}

#[test]
fn a_rollout_calls_what_its_plan_foretold() {
    if lacks_redis("a_rollout_calls_what_its_plan_foretold") {
        return;
    }
    let env = TestEnv::with_cloud(&["--hosts", "process", "--pace", "instant"]);
    let mut attribution = Attribution::default();
    expect_as_foretold(&env, &mut attribution);
    env.write_changed("chatroom.yaml", &[("  port: 5000\n\n", "  port: 5000\n  ping_interval: 8s\n\n")]);
    let (expected, _) = foretold(&env);
    let away = ["RemoveServersFromServerGroup", "AddServersToServerGroup"].map(str::to_owned).to_vec();
    assert_eq!(expected["put release.ecs01"], away);
    let before = env.cloud().call_log().len();
    env.local("apply").expect_code(0);
    let done = attribution.calls(&env.cloud().call_log()[before..]);
    assert_eq!(as_of_its_release(done), expected);
}

#[test]
fn an_apply_with_a_managed_redis_calls_what_its_plan_foretold() {
    let env = TestEnv::with_control_plane();
    let mut attribution = Attribution::default();
    for (from, to) in [
        ("", ""),
        ("tair.rdb.1g", "tair.rdb.2g"),
        ("engine: \"7.0\"", "engine: \"6.0\""),
        ("    vswitch: a ", "    eviction: volatile-lru\n    vswitch: a "),
    ] {
        env.write(
            "chatroom.yaml",
            if from.is_empty() { tair::example() } else { tair::example().replace(from, to) },
        );
        expect_as_foretold(&env, &mut attribution);
        assert_eq!(foretold(&env).0, Calls::new(), "nothing is left to do");
    }
    let before = env.cloud().call_log().len();
    env.local("destroy").expect_code(0);
    let removed = attribution.calls(&env.cloud().call_log()[before..]);
    assert_eq!(removed, without_names_of_revoked_rules(foretold_of_destroy(&env)));
}

#[test]
fn a_plan_says_what_to_expect_in_one_line() {
    let env = TestEnv::with_control_plane();
    let line =
        |said: &str| said.lines().find(|line| line.starts_with("Expect about ")).map(ToOwned::to_owned);
    let first = line(&env.local("plan").expect_code(0).stdout).expect("a forecast");
    let pattern = r"^Expect about \d+ calls \(22 that change something\) and \d+ (seconds|minutes?)\.$";
    assert!(regex::Regex::new(pattern).unwrap().is_match(&first), "{first}");
    env.local("apply").expect_code(0);
    assert_eq!(line(&env.local("plan").expect_code(0).stdout), None, "nothing is to be done");
}
