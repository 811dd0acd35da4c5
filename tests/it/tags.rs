//! Tags of the topology: on everything that has some, changed in place, told apart from those of others.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::block_on;
use crate::tair;

/// The chatroom with these tags, and one of its machines with one more.
fn write(env: &TestEnv, tags: &str) {
    let own = "ecs02: { vswitch: b, tags: { role: node, team: nodes }";
    env.write_changed(
        "chatroom.yaml",
        &[("region:", &format!("tags: {tags}\nregion:")), ("ecs02: { vswitch: b", own)],
    );
}

/// Resources of these kinds, in the cloud's own world.
fn all<'w>(world: &'w Value, kinds: &'w [&str]) -> impl Iterator<Item = &'w Value> {
    kinds.iter().flat_map(|kind| match &world[*kind] {
        Value::Object(things) => things.values().collect::<Vec<_>>(),
        Value::Array(things) => things.iter().collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            panic!("{kind} is {other}")
        }
    })
}

/// A tag of a resource, by the address that its own tags have.
fn tag(world: &Value, address: &str, key: &str) -> Option<String> {
    let mut things = all(world, &TAGGED);
    let found = things.find(|thing| thing["meta"]["tags"]["albatross:resource"] == address);
    let tags = &found.unwrap_or_else(|| panic!("no {address}"))["meta"]["tags"];
    tags[key].as_str().map(str::to_owned)
}

const TAGGED: [&str; 7] =
    ["vpcs", "vswitches", "security_groups", "instances", "load_balancers", "server_groups", "key_pairs"];
const ADDRESSES: [&str; 10] = [
    "vpc.main",
    "vswitch.a",
    "vswitch.b",
    "security_group.main",
    "key_pair.main",
    "instance.ecs01",
    "instance.ecs02",
    "instance.ecs03",
    "load_balancer.main",
    "server_group.main",
];

/// What each address has of a tag.
fn of_all(env: &TestEnv, key: &str) -> Vec<Option<String>> {
    let world = env.cloud().world();
    ADDRESSES.iter().map(|address| tag(&world, address, key)).collect()
}

/// How many calls changed something so far.
fn changing_calls(env: &TestEnv) -> Vec<String> {
    let log = env.cloud().call_log();
    let actions = log.iter().map(|call| call["operation"].as_str().expect("a text").to_owned());
    let reads = ["Describe", "List", "Get"];
    let changes = |action: &String| {
        let (_, name) = action.split_once('.').expect("both");
        !reads.iter().any(|read| name.starts_with(read))
    };
    actions.filter(changes).collect()
}

/// Somebody tags an instance or takes a tag away.
fn by_hand(env: &TestEnv, action: &str, name: &str, tag: (&str, &str)) {
    let id = env
        .run(&["--local", "outputs", "chatroom.yaml", &format!("instance.{name}.id")])
        .expect_code(0)
        .stdout;
    let call = Call::new(Product::Ecs, action)
        .with("RegionId", "cn-hangzhou")
        .with("ResourceType", "instance")
        .with_list("ResourceId", [id.trim()]);
    let call = match action {
        "TagResources" => call.with_tags(&[tag]),
        _ => call.with_list("TagKey", [tag.0]),
    };
    block_on(env.cloud().client("cn-hangzhou").call::<Value>(&call)).expect("it is done");
}

#[test]
fn everything_that_can_have_tags_has_them_and_a_change_is_one_in_place() {
    let env = TestEnv::with_control_plane();
    write(&env, "{ team: chat, cost-center: 4711, stage: live }");
    env.local("plan").expect_code(0).expect_in_order(&[
        "+ vpc.main",
        "tags: cost-center=4711, stage=live, team=chat",
        "+ instance.ecs02",
        "tags: cost-center=4711, role=node, stage=live, team=nodes",
    ]);
    env.local("apply").expect_code(0);
    let expected = |value: &str| {
        let of = |address: &&str| Some(if *address == "instance.ecs02" { "nodes" } else { value }.to_owned());
        ADDRESSES.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(of_all(&env, "team"), expected("chat"));
    assert_eq!(tag(&env.cloud().world(), "instance.ecs02", "role").as_deref(), Some("node"));
    expect_nothing_to_do(&env);

    write(&env, "{ team: platform, stage: live }");
    env.local("plan").expect_code(0).expect_in_order(&[
        "~ vpc.main",
        "tags.cost-center: 4711 -> (none)",
        "tags.team: chat -> platform",
        "Plan: 10 to update.",
        // Two calls each, but the machine with a team of its own has one to lose only.
        "(19 that change something)",
    ]);
    let before = changing_calls(&env).len();
    env.local("apply").expect_code(0);
    let made = changing_calls(&env).split_off(before);
    assert_eq!(made.len(), 19, "{made:?}");
    assert!(made.iter().all(|action| action.to_ascii_lowercase().ends_with("tagresources")), "{made:?}");
    assert_eq!(of_all(&env, "team"), expected("platform"));
    assert_eq!(of_all(&env, "cost-center"), vec![None; ADDRESSES.len()]);
    expect_nothing_to_do(&env);
}

#[test]
fn what_others_make_of_a_tag_is_drift_and_tags_of_their_own_stay() {
    let env = TestEnv::with_control_plane();
    write(&env, "{ team: chat }");
    env.local("apply").expect_code(0);
    by_hand(&env, "TagResources", "ecs01", ("team", "theirs"));
    by_hand(&env, "UntagResources", "ecs03", ("team", ""));
    by_hand(&env, "TagResources", "ecs02", ("owner", "bob"));
    let plan = env.local("plan").expect_code(0).expect_in_order(&[
        "Changed outside of Albatross:",
        "instance.ecs01",
        "tags.team: chat -> theirs",
        "instance.ecs03",
        "tags.team: chat -> (none)",
        "~ instance.ecs01",
        "tags.team: theirs -> chat",
        "~ instance.ecs03",
        "tags.team: (none) -> chat",
        "Plan: 2 to update.",
    ]);
    plan.expect_absent("bob");
    env.local("apply").expect_code(0);
    assert_eq!(tag(&env.cloud().world(), "instance.ecs01", "team").as_deref(), Some("chat"));
    expect_nothing_to_do(&env);
    // Neither a change of the topology nor its exclusiveness touches what is not its own.
    env.write_changed("chatroom.yaml", &[("region:", "exclusive: true\nregion:")]);
    env.local("apply").expect_code(0);
    assert_eq!(tag(&env.cloud().world(), "instance.ecs02", "owner").as_deref(), Some("bob"));
    assert_eq!(tag(&env.cloud().world(), "instance.ecs02", "role"), None);
    by_hand(&env, "TagResources", "ecs02", ("role", "theirs"));
    assert!(
        planned(&env).is_empty(),
        "a tag that the stack has taken away is anybody's: {:?}",
        planned(&env)
    );
}

#[test]
fn a_lost_state_makes_no_change_and_keeps_no_tag_for_its_own() {
    let env = TestEnv::with_control_plane();
    write(&env, "{ team: chat }");
    env.local("apply").expect_code(0);
    by_hand(&env, "TagResources", "ecs02", ("owner", "bob"));
    std::fs::remove_dir_all(env.state()).expect("there is a state");
    expect_nothing_to_do(&env);
    env.local("apply").expect_code(0);
    write(&env, "{}");
    let planned = planned(&env);
    assert_eq!(planned.len(), 9, "what was found again is the stack's own: {planned:?}");
    env.local("apply").expect_code(0);
    assert_eq!(tag(&env.cloud().world(), "instance.ecs02", "owner").as_deref(), Some("bob"));
}

#[test]
fn a_managed_redis_and_what_was_killed_in_the_middle_have_theirs() {
    let env = TestEnv::with_control_plane();
    env.write("chatroom.yaml", tair::example().replace("region:", "tags: { team: chat }\nregion:"));
    env.local("apply").expect_code(0);
    let of_redis = |env: &TestEnv| {
        let world = env.cloud().world();
        let found = all(&world, &["redis_instances"]).next().expect("it is there").clone();
        found["meta"]["tags"]["team"].as_str().map(str::to_owned)
    };
    assert_eq!(of_redis(&env).as_deref(), Some("chat"));
    env.write("chatroom.yaml", tair::example().replace("region:", "tags: { squad: chat }\nregion:"));
    // The first answer of each is lost: the same command goes on, and nothing is done twice or left out.
    env.cloud().fail_first(&["R-kvstore.TagResources", "Vpc.UnTagResources"], "lost_reply");
    env.local("apply");
    env.local("apply").expect_code(0);
    assert_eq!(of_redis(&env), None);
    expect_nothing_to_do(&env);
}

#[track_caller]
fn expect_nothing_to_do(env: &TestEnv) {
    let planned = planned(env);
    assert!(planned.is_empty(), "{planned:?}");
}
