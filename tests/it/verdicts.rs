//! How often a verdict on a real chatroom of a local cloud is wrong: rounds of one fault each, drawn by a seed, and
//! rounds without one. `CLOUD_SEEDS=N` runs N rounds, beginning with round `CLOUD_SEED`.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::wait_for;

/// Rounds where nobody says how many.
const ROUNDS: u64 = 2;
/// Faults that a verification has to see, in the words of `cloud fault`, and how the layer may be called.
const FAULTS: [(&[&str], &[&str]); 6] = [
    (&["redis-stop", "ecs03"], &["Redis", "node", "network"]),
    (&["network-cut", "ecs01", "ecs03"], &["network", "node"]),
    (&["network-cut", "ecs02", "ecs03"], &["network", "node"]),
    (&["unhealthy", "ecs01"], &["health checks"]),
    (&["unhealthy", "ecs02"], &["health checks"]),
    (&["node-kill", "ecs02"], &["node", "health checks"]),
];

/// What a round came to.
#[derive(Debug, PartialEq)]
enum Verdict {
    Right,
    FalsePass,
    FalseFailure(String),
    AnotherLayer(String),
}

fn is_ill(env: &TestEnv, host: &str) -> bool {
    let region = env.cloud().region();
    let hosts = region["hosts"].as_array().expect("a list");
    let id = &hosts.iter().find(|one| one["name"] == host).expect("the host is there")["id"];
    let servers = region["balancers"][0]["servers"].as_array().expect("a list");
    servers.iter().any(|one| one["host"] == *id && one["health"].get("unhealthy").is_some())
}

/// Lets one fault be in force while the chatroom is verified.
fn sick_round(env: &TestEnv, (fault, layers): (&[&str], &[&str])) -> Verdict {
    env.run(&[&["cloud", "fault"], fault].concat()).expect_code(0);
    if ["unhealthy", "node-kill"].contains(&fault[0]) {
        wait_for("its server is found ill", || is_ill(env, fault[1]).then_some(()));
    }
    let run = env.run(&["--local", "verify", "--quick", "--json", "out.json", "chatroom.yaml"]);
    let faults = env.run(&["cloud", "fault", "list", "--json"]).expect_code(0).json();
    for one in faults.as_array().expect("a list") {
        env.run(&["cloud", "fault", "lift", one["id"].as_str().expect("an id")]).expect_code(0);
    }
    wait_for("the chatroom is well again", || env.verify().code.filter(|code| *code == 0));
    if run.code == Some(0) {
        return Verdict::FalsePass;
    }
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let checks = report["checks"].as_array().expect("a list");
    let named: Vec<&str> = checks.iter().filter_map(|check| check["evidence"]["layer"].as_str()).collect();
    if named.iter().any(|layer| layers.contains(layer)) {
        return Verdict::Right;
    }
    Verdict::AnotherLayer(format!("{fault:?}: {named:?}"))
}

#[test]
fn seeded_faults_of_a_local_cloud_get_the_verdict_they_deserve() {
    if lacks_redis("seeded_faults_of_a_local_cloud_get_the_verdict_they_deserve") {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("CLOUD_SEED").unwrap_or(0);
    let rounds = number("CLOUD_SEEDS").unwrap_or(ROUNDS);
    let env = TestEnv::with_chatroom();
    let mut wrong = Vec::new();
    for seed in first..first + rounds {
        let mut random = StdRng::seed_from_u64(seed);
        // The first round of all is a sick one, so that a single one shows something.
        let verdict = if seed == first || random.random_bool(0.5) {
            sick_round(&env, *FAULTS.choose(&mut random).expect("one"))
        } else {
            let run = env.verify();
            if run.code == Some(0) { Verdict::Right } else { Verdict::FalseFailure(run.stdout) }
        };
        if verdict != Verdict::Right {
            wrong.push((seed, verdict));
        }
    }
    let count = |is: fn(&Verdict) -> bool| wrong.iter().filter(|(_, verdict)| is(verdict)).count();
    println!(
        "verify, local clouds: {rounds} runs, {} false passes, {} false failures, {} with another layer",
        count(|verdict| *verdict == Verdict::FalsePass),
        count(|verdict| matches!(verdict, Verdict::FalseFailure(_))),
        count(|verdict| matches!(verdict, Verdict::AnotherLayer(_)))
    );
    assert!(wrong.is_empty(), "CLOUD_SEED=N repeats one: {wrong:#?}");
}
