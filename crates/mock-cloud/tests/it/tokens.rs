//! Client tokens.

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

#[tokio::test]
async fn the_same_token_gives_the_first_answer_again() {
    let cloud = Cloud::instant();
    let create = [REGION, ("VpcName", "one"), ("ClientToken", "t")];
    let first = cloud.call("Vpc.CreateVpc", &create).await.good();
    let second = cloud.call("Vpc.CreateVpc", &create).await.good();
    assert_eq!(first["VpcId"], second["VpcId"]);
    assert_ne!(first["RequestId"], second["RequestId"]);
    assert_eq!(cloud.resources().await, 1);
    let other = [REGION, ("VpcName", "two"), ("ClientToken", "t")];
    cloud.call("Vpc.CreateVpc", &other).await.refused(400, "IdempotentParameterMismatch");
}

#[tokio::test]
async fn a_refusal_is_kept_unless_it_passes_by_itself() {
    let cloud = Cloud::instant();
    let network = cloud.call("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    let zone = ("ZoneId", "cn-hangzhou-j");
    let wrong = [REGION, ("VpcId", id), zone, ("CidrBlock", "192.168.0.0/24"), ("ClientToken", "t")];
    cloud.call("Vpc.CreateVSwitch", &wrong).await.refused(400, "InvalidCidrBlock.Malformed");
    cloud.call("Vpc.CreateVSwitch", &wrong).await.refused(400, "InvalidCidrBlock.Malformed");
    let right = [REGION, ("VpcId", id), zone, ("CidrBlock", "10.0.0.0/24"), ("ClientToken", "t")];
    cloud.call("Vpc.CreateVSwitch", &right).await.refused(400, "IdempotentParameterMismatch");
    cloud.call("Vpc.CreateVSwitch", &right[..4]).await.good();
    let delete = [REGION, ("VpcId", id), ("ClientToken", "d")];
    cloud.call("Vpc.DeleteVpc", &delete).await.refused(400, "DependencyViolation.VSwitch");
    let switches = cloud.call("Vpc.DescribeVSwitches", &[REGION]).await.good();
    let switch = switches["VSwitches"]["VSwitch"][0]["VSwitchId"].as_str().unwrap();
    cloud.call("Vpc.DeleteVSwitch", &[REGION, ("VSwitchId", switch)]).await.good();
    cloud.call("Vpc.DeleteVpc", &delete).await.good();
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let create = [REGION, ("ClientToken", "t")];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let cloud = Cloud::instant();
        ids.push(cloud.call("Vpc.CreateVpc", &create).await.good()["VpcId"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}
