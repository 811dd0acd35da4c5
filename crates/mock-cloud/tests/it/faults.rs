//! Faults that were asked for: through the endpoint, from a file, from a seed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

async fn ask(cloud: &Cloud, faults: &Value) {
    cloud.post_admin("/_mock/faults", &faults.to_string()).await.good();
}

#[tokio::test]
async fn faults_come_when_they_were_asked_for() {
    let cloud = Cloud::instant();
    let plan = r#"[{"action":"Vpc.CreateVpc","occurrence":2,"fault":{"lost_reply":{}}},
        {"action":"Vpc.CreateVpc","occurrence":3,"fault":{"throttle":{}}},
        {"action":"Vpc.CreateVpc","occurrence":4,"fault":{"error":{"status":403,"code":"Forbidden.RAM"}}}]"#;
    cloud.post_admin("/_mock/faults", plan).await.good();
    let create = [("RegionId", "cn-hangzhou"), ("ClientToken", "a")];
    let first = cloud.call("Vpc.CreateVpc", &create[..1]).await.good();
    let lost = cloud.signed(&cloud.signer(), "Vpc.CreateVpc", &create, &[]).await;
    assert!(lost.is_err(), "the connection closes without an answer");
    cloud.call("Vpc.CreateVpc", &create).await.refused(400, "Throttling.User");
    cloud.call("Vpc.CreateVpc", &create).await.refused(403, "Forbidden.RAM");
    let again = cloud.call("Vpc.CreateVpc", &create).await.good();
    assert_ne!(first["VpcId"], again["VpcId"]);
    assert_eq!(cloud.resources().await, 2, "the lost reply had its effect, and the token found it again");
}

#[tokio::test]
async fn a_lack_of_stock_sticks_to_its_token() {
    let cloud = Cloud::instant();
    let plan = r#"[{"action":"Ecs.RunInstances","occurrence":1,"fault":{"no_stock":{}}}]"#;
    cloud.post_admin("/_mock/faults", plan).await.good();
    let run = [("RegionId", "cn-hangzhou"), ("ClientToken", "a")];
    cloud.call("Ecs.RunInstances", &run).await.refused(403, "OperationDenied.NoStock");
    cloud.call("Ecs.RunInstances", &run).await.refused(403, "OperationDenied.NoStock");
    cloud.call("Ecs.RunInstances", &run[..1]).await.refused(400, "MissingImageId");
}

#[tokio::test]
async fn a_call_that_was_answered_runs_out_of_nothing() {
    let cloud = Cloud::instant();
    let plan = json!([{"action": "Vpc.CreateVpc", "occurrence": 2, "fault": {"no_stock": {}}}]);
    ask(&cloud, &plan).await;
    let create = [REGION, ("ClientToken", "a")];
    let first = cloud.call("Vpc.CreateVpc", &create).await.good();
    for _ in 0..2 {
        assert_eq!(cloud.call("Vpc.CreateVpc", &create).await.good()["VpcId"], first["VpcId"]);
    }
    assert_eq!(cloud.resources().await, 1);
}

#[tokio::test]
async fn an_error_after_the_effect_is_healed_by_the_token() {
    let cloud = Cloud::instant();
    let fault = json!({"server_error": {"status": 503, "after_commit": true}});
    ask(&cloud, &json!([{"action": "Vpc.CreateVpc", "fault": fault}])).await;
    let create = [REGION, ("ClientToken", "a")];
    cloud.call("Vpc.CreateVpc", &create).await.refused(503, "ServiceUnavailable");
    assert_eq!(cloud.resources().await, 1);
    cloud.call("Vpc.CreateVpc", &create).await.good();
    assert_eq!(cloud.resources().await, 1);
    assert!(cloud.log().await.contains("\"fault\":\"server_error_after_commit\""));
}

/// Action, how many calls of it there are then, parameters, status and code.
type InProgress<'a> = (&'a str, usize, Vec<(&'a str, &'a str)>, u16, &'a str);

#[tokio::test]
async fn a_token_is_in_progress_while_its_first_answer_is_under_way() {
    let cloud = Cloud::instant();
    let network = cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    let token = ("ClientToken", "a");
    let off = ("HealthCheckConfig.HealthCheckEnabled", "false");
    let cases: [InProgress<'_>; 3] = [
        ("Vpc.CreateVpc", 2, vec![REGION, token], 400, "TOKEN_PROCESSING"),
        ("Ecs.CreateSecurityGroup", 1, vec![REGION, ("VpcId", id), token], 403, "IdempotentProcessing"),
        (
            "Alb.CreateServerGroup",
            1,
            vec![("ServerGroupName", "group"), ("VpcId", id), off, token],
            400,
            "IdempotenceProcessing",
        ),
    ];
    for (action, calls, parameters, status, code) in cases {
        ask(&cloud, &json!([{"action": action, "fault": {"slow_reply": {"milliseconds": 1_500}}}])).await;
        let begun = Instant::now();
        let first = async { (cloud.call(action, &parameters).await.good(), begun.elapsed()) };
        let second = async {
            cloud.wait_for_calls(action, calls).await;
            let answer = cloud.call(action, &parameters).await;
            assert!(begun.elapsed() < Duration::from_millis(1_500), "too late to tell");
            answer.refused(status, code);
        };
        let ((first, took), ()) = tokio::join!(first, second);
        assert!(took >= Duration::from_millis(1_500), "{action} took {took:?}");
        let again = cloud.call(action, &parameters).await.good();
        let without_id = |mut reply: Value| {
            reply["RequestId"] = Value::Null;
            reply
        };
        assert_eq!(without_id(first), without_id(again), "{action}");
    }
}

#[tokio::test]
async fn a_call_is_not_in_progress_once_its_caller_has_left() {
    let cloud = Cloud::instant();
    ask(&cloud, &json!([{"action": "Vpc.CreateVpc", "fault": {"slow_reply": {"milliseconds": 600_000}}}]))
        .await;
    let create = [REGION, ("ClientToken", "a")];
    let slow = tokio::time::timeout(Duration::from_millis(300), cloud.call("Vpc.CreateVpc", &create)).await;
    assert!(slow.is_err(), "the answer comes in ten minutes");
    cloud.call_until_settled("Vpc.CreateVpc", &create, &["TOKEN_PROCESSING"]).await;
    assert_eq!(cloud.resources().await, 1);
}

#[tokio::test]
async fn a_stale_read_shows_the_world_as_it_was() {
    let cloud = Cloud::instant();
    let stale = json!({"stale_read": {"milliseconds": 60_000}});
    ask(&cloud, &json!([{"action": "Vpc.Describe*", "occurrence": 2, "fault": stale}])).await;
    let network = cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    let count = async || cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good()["TotalCount"].as_u64();
    assert_eq!(count().await, Some(1));
    assert_eq!(count().await, Some(0), "the fault is of the second read");
    assert_eq!(count().await, Some(1));
    let own = [REGION, ("VpcId", network["VpcId"].as_str().unwrap())];
    cloud.call("Vpc.DescribeVpcAttribute", &own).await.good();
}

#[tokio::test]
async fn stock_for_some_gives_some_when_that_is_enough() {
    let cloud = Cloud::instant();
    let network = cloud.call("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    let new = [REGION, ("VpcId", id), ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/24")];
    let vswitch = cloud.call("Vpc.CreateVSwitch", &new).await.good();
    let group = cloud.call("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", id)]).await.good();
    let mut run = vec![
        REGION,
        ("ImageFamily", "acs:debian_12_11_x64"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("VSwitchId", vswitch["VSwitchId"].as_str().unwrap()),
        ("SecurityGroupId", group["SecurityGroupId"].as_str().unwrap()),
        ("Amount", "3"),
    ];
    let partial =
        json!({"action": "Ecs.RunInstances", "times": 2, "fault": {"partial_amount": {"amount": 2}}});
    ask(&cloud, &json!([partial])).await;
    cloud.call("Ecs.RunInstances", &run).await.refused(403, "OperationDenied.NoStock");
    run.extend([("MinAmount", "1"), ("ClientToken", "t")]);
    let made = cloud.call("Ecs.RunInstances", &run).await.good();
    assert_eq!(made["InstanceIdSets"]["InstanceIdSet"].as_array().unwrap().len(), 2);
    let again = cloud.call("Ecs.RunInstances", &run).await.good();
    assert_eq!(made["InstanceIdSets"], again["InstanceIdSets"], "the token is that of the whole call");
}

#[tokio::test]
async fn a_quota_has_the_code_of_its_action() {
    let cloud = Cloud::instant();
    ask(&cloud, &json!([{"action": "*", "fault": {"quota": {}}}])).await;
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good();
    let create = [REGION, ("ClientToken", "a")];
    for _ in 0..2 {
        cloud.call("Vpc.CreateVpc", &create).await.refused(400, "QuotaExceeded.Vpc");
    }
    let made = cloud.call("Vpc.CreateVpc", &create[..1]).await.good();
    let network = [REGION, ("VpcId", made["VpcId"].as_str().unwrap())];
    cloud.call("Ecs.CreateSecurityGroup", &network).await.refused(403, "QuotaExceed.SecurityGroup");
    cloud.call("Vpc.DeleteVpc", &network).await.good();
}

#[tokio::test]
async fn a_file_says_the_same_as_the_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.yaml");
    std::fs::write(
        &path,
        "# the first list fails\n- action: Vpc.DescribeVpcs\n  fault: {throttle: {retry_after: 7}}\n",
    )
    .unwrap();
    let cloud = Cloud::start(&["--pace", "instant", "--faults", path.to_str().unwrap()]);
    let pending = cloud.admin("/_mock/faults").await;
    assert_eq!(pending[0]["fault"], "throttle");
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.refused(400, "Throttling.User");
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good();
    assert_eq!(cloud.admin("/_mock/faults").await, json!([]));
}

#[test]
fn a_bad_file_is_one_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.yaml");
    std::fs::write(&path, "- action: Vpc.MakeVpc\n  fault: {throttle: {}}\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mock-cloud"))
        .args(["serve", "--faults", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    let place = format!("{}:1:11: no action is called Vpc.MakeVpc", path.display());
    assert!(said.lines().count() == 1 && said.contains(&place), "{said}");
}

/// What the calls of an action meet, by their number: lost answers have no status.
async fn drawn(seed: &str, others_between: bool) -> Vec<Option<u16>> {
    let cloud = Cloud::start(&["--pace", "instant", "--fault-seed", seed, "--fault-rate", "0.6"]);
    let mut met = Vec::new();
    for _ in 0..24 {
        let answer = cloud.signed(&cloud.signer(), "Vpc.DescribeVpcs", &[REGION], &[]).await;
        met.push(answer.ok().map(|answer| answer.status));
        if others_between {
            drop(cloud.signed(&cloud.signer(), "Ecs.DescribeRegions", &[], &[]).await);
        }
    }
    met
}

#[tokio::test]
async fn a_seed_draws_the_same_faults_whatever_else_is_called() {
    let (alone, among_others) = tokio::join!(drawn("5", false), drawn("5", true));
    assert_eq!(alone, among_others);
    assert!(alone.iter().any(|status| *status != Some(200)) && alone.contains(&Some(200)), "{alone:?}");
    assert_ne!(alone, drawn("6", false).await);
}

#[tokio::test]
async fn a_session_ends_when_it_is_asked_to() {
    let cloud = Cloud::instant();
    let own = crate::sts::session(&cloud).await;
    ask(&cloud, &json!([{"action": "Vpc.DescribeVpcs", "fault": {"expire_token": {}}}])).await;
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good();
    let list = async || cloud.signed(&own, "Vpc.DescribeVpcs", &[REGION], &[]).await.unwrap();
    list().await.refused(400, "InvalidSecurityToken.Expired");
    list().await.refused(400, "InvalidSecurityToken.Expired");
}
