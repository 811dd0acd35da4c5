//! The call log: what a program can count from it alone.

use serde_json::{Value, json};

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

async fn calls(cloud: &Cloud) -> Vec<Value> {
    cloud.log().await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_change_and_its_reading_back_meet_in_an_id() {
    let cloud = Cloud::instant();
    let made = cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    let id = made["VpcId"].clone();
    cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good();
    cloud.call("Vpc.DescribeVpcs", &[REGION, ("VpcId", "vpc-nobody")]).await.good();
    cloud.call("Vpc.DeleteVpc", &[REGION, ("VpcId", id.as_str().unwrap())]).await.good();
    let gone = [REGION, ("VpcId", id.as_str().unwrap())];
    cloud.call("Vpc.DescribeVpcs", &gone).await.good();
    let calls = calls(&cloud).await;
    let effects: Vec<&Value> = calls.iter().map(|call| &call["effect"]).collect();
    assert_eq!(effects, ["change", "read", "read", "change", "read"]);
    let named = |index: usize| calls[index]["resources"]["named"].clone();
    let shown = |index: usize| calls[index]["resources"]["shown"].as_array().unwrap().contains(&id);
    assert_eq!((named(0), shown(0)), (json!([]), true), "{}", calls[0]);
    assert_eq!((named(1), shown(1)), (json!([]), true), "{}", calls[1]);
    assert_eq!((named(2), shown(2)), (json!([]), false), "what never existed is no resource");
    assert_eq!((named(3), shown(3)), (json!([id]), false), "{}", calls[3]);
    assert_eq!((named(4), shown(4)), (json!([id]), false), "what existed is still named");
}

#[tokio::test]
async fn it_says_who_called() {
    let cloud = Cloud::instant();
    cloud.call("Sts.GetCallerIdentity", &[]).await.good();
    reqwest::Client::builder()
        .user_agent("somebody/1")
        .build()
        .unwrap()
        .get(format!("{}/?Action=DescribeVpcs&Version=2016-04-28", cloud.endpoint()))
        .send()
        .await
        .unwrap();
    let calls = calls(&cloud).await;
    assert_eq!(calls[0]["client"]["signature"], "V3");
    assert_eq!(calls[0]["effect"], "read");
    assert_eq!(calls[1]["client"], json!({"signature": "none", "agent": "somebody/1"}));
}
