//! Faults of the data plane as they are asked for: by the endpoint, a file and a seed; listed, lifted, refused, drawn.
//! What each does is tested in `plane/faults.rs` and `machine/faults.rs`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Cloud;

const PATIENCE: Duration = Duration::from_secs(30);

async fn faults(cloud: &Cloud) -> Vec<Value> {
    cloud.admin("/_mock/faults").await.as_array().unwrap().clone()
}

/// Waits until the list of faults looks like this.
async fn until(cloud: &Cloud, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let faults = faults(cloud).await;
        if holds(&faults) {
            return faults;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}: {faults:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_fault_is_listed_with_its_times_and_lifted_by_its_name() {
    let cloud = Cloud::start_with("process", &["--pace", "instant"]);
    let wishes = json!([
        {"host": "ecs01", "fault": {"freeze": {}}, "in": "1h", "for": "10s"},
        {"host": "ecs01", "fault": {"ssh_slow": {"rate": 1000}}},
        {"name": "example.com", "fault": {"dns_stale": {}}, "for": "1s"},
    ]);
    let answer = cloud.post_admin("/_mock/faults", &wishes.to_string()).await.good();
    assert_eq!(answer, json!({"faults": 3, "ids": ["f1", "f2", "f3"]}));
    let listed = faults(&cloud).await;
    assert_eq!(listed[0]["state"], "to come");
    let begins = listed[0]["begins_in"].as_i64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&begins), "{begins}");
    assert_eq!(listed[1]["state"], "waits for its host");
    assert_eq!((&listed[1]["settings"], &listed[1]["ends_in"]), (&json!({"rate": 1000}), &Value::Null));
    assert_eq!((&listed[2]["name"], &listed[2]["state"]), (&json!("example.com"), &json!("in force")));
    let left = until(&cloud, "the third one ends by itself", |faults| faults.len() == 2).await;
    assert_eq!((&left[0]["id"], &left[1]["id"]), (&json!("f1"), &json!("f2")));
    cloud.delete_admin("/_mock/faults/f1").await;
    assert_eq!(faults(&cloud).await.len(), 1);
    cloud.delete_admin("/_mock/faults").await;
    assert!(faults(&cloud).await.is_empty());
    let again = cloud.post_admin("/_mock/faults", r#"[{"host": "a", "fault": {"freeze": {}}}]"#).await.good();
    assert_eq!(again["ids"], json!(["f4"]), "a name is never given twice");
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_by_name_and_nothing_is_taken() {
    let cloud = Cloud::start_with("process", &[]);
    let wishes = json!([
        {"host": "ecs01", "fault": {"freeze": {}}},
        {"host": "ecs01", "fault": {"network_loss": {}}},
    ]);
    let refusal = cloud.post_admin("/_mock/faults", &wishes.to_string()).await;
    assert_eq!(refusal.status, 409);
    let sentence = refusal.body["error"].as_str().unwrap();
    assert!(sentence.starts_with("network_loss cannot be had here: "), "{sentence}");
    assert!(faults(&cloud).await.is_empty());
    let none = Cloud::start(&[]);
    let frozen = none.post_admin("/_mock/faults", r#"[{"host": "a", "fault": {"freeze": {}}}]"#).await;
    assert_eq!(frozen.status, 409, "{}", frozen.text);
    let stale =
        none.post_admin("/_mock/faults", r#"[{"name": "a.example.com", "fault": {"dns_stale": {}}}]"#).await;
    stale.good();
}

#[test]
fn a_file_with_a_fault_that_these_hosts_cannot_have_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.yaml");
    std::fs::write(&file, "- host: ecs01\n  fault: {network_delay: {milliseconds: 5}}\n").unwrap();
    let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_mock-cloud"));
    let output = serve.args(["serve", "--hosts", "process", "--faults"]).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("network_delay cannot be had here: process hosts have no packets"), "{said}");
}

#[tokio::test]
async fn a_seed_draws_faults_of_hosts_only_when_it_is_asked_to() {
    let image = [("RegionId", "cn-hangzhou"), ("CidrBlock", "192.168.0.0/16")];
    let with = Cloud::start_with(
        "process",
        &["--pace", "instant", "--fault-seed", "5", "--fault-rate", "0", "--plane-fault-every", "1"],
    );
    let without =
        Cloud::start_with("process", &["--pace", "instant", "--fault-seed", "5", "--fault-rate", "0"]);
    for cloud in [&with, &without] {
        let vpc = cloud.call("Vpc.CreateVpc", &image).await.good()["VpcId"].as_str().unwrap().to_owned();
        let subnet = [
            ("RegionId", "cn-hangzhou"),
            ("ZoneId", "cn-hangzhou-h"),
            ("VpcId", &vpc),
            ("CidrBlock", "192.168.0.0/24"),
        ];
        let subnet = cloud.call("Vpc.CreateVSwitch", &subnet).await.good();
        let subnet = subnet["VSwitchId"].as_str().unwrap();
        let inside = [("RegionId", "cn-hangzhou"), ("VpcId", vpc.as_str())];
        let group = cloud.call("Ecs.CreateSecurityGroup", &inside).await.good();
        let group = group["SecurityGroupId"].as_str().unwrap().to_owned();
        let run = [
            ("RegionId", "cn-hangzhou"),
            ("ImageId", "debian_12_11_x64_20G_alibase_20260910.vhd"),
            ("InstanceType", "ecs.e-c1m1.large"),
            ("SecurityGroupId", &group),
            ("VSwitchId", subnet),
            ("InstanceName", "ecs01"),
        ];
        cloud.call("Ecs.RunInstances", &run).await.good();
    }
    let drawn = |faults: &[Value]| -> BTreeSet<String> {
        faults.iter().map(|fault| fault["fault"].as_str().unwrap().to_owned()).collect()
    };
    let seen = until(&with, "one is drawn", |faults| !faults.is_empty()).await;
    assert!(!drawn(&seen).is_empty() && seen[0]["drawn"] == true && seen[0]["host"] == "ecs01", "{seen:?}");
    assert!(seen[0]["ends_in"].as_i64().is_some_and(|ends| ends <= 5_000), "it passes by itself: {seen:?}");
    assert!(faults(&without).await.is_empty(), "the same seed means what it always meant");
}

#[tokio::test]
async fn the_page_is_whole_and_has_no_secret() {
    let cloud = Cloud::instant();
    let client = reqwest::Client::new();
    let get = async |path: &str, accept: &str| {
        let request = client.get(format!("{}{path}", cloud.endpoint())).header("accept", accept);
        let answer = request.send().await.unwrap();
        let policy =
            answer.headers().get("content-security-policy").map(|own| own.to_str().unwrap().to_owned());
        (answer.status().as_u16(), policy, answer.text().await.unwrap())
    };
    let (status, policy, page) = get("/", "text/html,*/*").await;
    assert_eq!(status, 200);
    assert!(page.contains("<title>Region</title>"), "{page}");
    let token = cloud.ready["admin_token"].as_str().unwrap();
    assert!(!page.contains(token) && cloud.ready["console"].as_str().unwrap().ends_with(token));
    let policy = policy.unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for file in ["page.css", "main.mjs", "picture.mjs"] {
        assert_eq!(get(&format!("/_mock/page/{file}"), "*/*").await.0, 200, "{file}");
    }
    assert_eq!(get("/_mock/page/../calls", "*/*").await.0, 401, "the token is asked for behind the page");
    assert_eq!(get("/_mock/region", "*/*").await.0, 401);
    let (status, _, api) = get("/", "*/*").await;
    assert!(status >= 400 && api.contains("Code"), "whoever wants no page speaks to the API: {api}");
    let region = cloud.admin("/_mock/region").await;
    assert_eq!((&region["region"], &region["hosts_mode"]), (&json!("cn-hangzhou"), &json!("none")));
}
