//! Several regions of one account, each with an address of its own.

use serde_json::Value;

use crate::support::Cloud;

#[tokio::test]
async fn a_call_without_a_region_is_for_the_one_whose_address_it_came_to() {
    let cloud = Cloud::start(&["--pace", "instant", "--region", "cn-hangzhou", "--region", "us-west-1"]);
    let endpoint = |region: &str| cloud.ready["endpoints"][region].as_str().unwrap().to_owned();
    assert_eq!(cloud.ready["endpoint"], endpoint("cn-hangzhou"));
    let west = cloud.at(&endpoint("us-west-1"));
    let network = west.call("Vpc.CreateVpc", &[("RegionId", "us-west-1")]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    let off = ("HealthCheckConfig.HealthCheckEnabled", "false");
    let group = [("ServerGroupName", "west"), ("VpcId", id), off];
    west.call("Alb.CreateServerGroup", &group).await.good();
    let names = async |cloud: &Cloud| -> Vec<Value> {
        let listed = cloud.call("Alb.ListServerGroups", &[]).await.good();
        listed["ServerGroups"].as_array().unwrap().iter().map(|own| own["ServerGroupName"].clone()).collect()
    };
    assert_eq!(names(&west).await, ["west"]);
    assert_eq!(names(&cloud).await, Vec::<Value>::new());
    assert_eq!(cloud.resources().await, 2, "there is one world");
    assert_eq!(
        west.call("Sts.GetCallerIdentity", &[]).await.good()["AccountId"],
        cloud.call("Sts.GetCallerIdentity", &[]).await.good()["AccountId"]
    );
}

#[test]
fn a_region_that_is_wrong_is_one_sentence() {
    for (regions, word) in [(["mars-1", "cn-beijing"], "mars-1"), (["cn-beijing", "cn-beijing"], "twice")] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mock-cloud"))
            .args(["serve", "--region", regions[0], "--region", regions[1]])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().count() == 1 && said.contains(word), "{said}");
    }
}
