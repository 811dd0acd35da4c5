//! Lists: pages to the end, filters, and the lag behind writes.

use std::collections::BTreeSet;

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

#[tokio::test]
async fn next_tokens_lead_to_the_end_without_repeating() {
    let cloud = Cloud::instant();
    let network = cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    for index in 0..7 {
        let name = format!("group{index}");
        let off = ("HealthCheckConfig.HealthCheckEnabled", "false");
        cloud.call("Alb.CreateServerGroup", &[("ServerGroupName", &name), ("VpcId", id), off]).await.good();
    }
    let (mut seen, mut token, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let page =
            cloud.call("Alb.ListServerGroups", &[("MaxResults", "3"), ("NextToken", &token)]).await.good();
        let groups = page["ServerGroups"].as_array().unwrap();
        seen.extend(groups.iter().map(|group| group["ServerGroupName"].as_str().unwrap().to_owned()));
        pages += 1;
        page["NextToken"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (7, 3));
    cloud.call("Alb.ListServerGroups", &[("NextToken", "rubbish")]).await.refused(400, "InvalidNextToken");
}

#[tokio::test]
async fn page_numbers_count_all_items() {
    let cloud = Cloud::instant();
    for index in 0..5 {
        let host = format!("h{index}");
        let record = [("DomainName", "example.com"), ("RR", &host), ("Type", "A"), ("Value", "192.0.2.1")];
        cloud.call("Alidns.AddDomainRecord", &record).await.good();
    }
    let page = [("DomainName", "example.com"), ("PageNumber", "2"), ("PageSize", "3")];
    let page = cloud.call("Alidns.DescribeDomainRecords", &page).await.good();
    assert_eq!(page["DomainRecords"]["Record"].as_array().unwrap().len(), 2);
    assert_eq!(page["TotalCount"], 5);
}

#[tokio::test]
async fn lists_lag_behind_writes_but_reads_by_id_do_not() {
    // The lag is to be longer than a few calls.
    let cloud = Cloud::start(&["--pace", "real"]);
    let network = cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    let id = network["VpcId"].as_str().unwrap();
    let own = cloud.call("Vpc.DescribeVpcAttribute", &[REGION, ("VpcId", id)]).await.good();
    assert_eq!(own["Status"], "Pending");
    let listed = cloud.call("Vpc.DescribeVpcs", &[REGION]).await.good();
    assert_eq!(listed["TotalCount"], 0);
    cloud.wait("Vpc.DescribeVpcs", &[REGION], |body| body["TotalCount"] == 1).await;
    cloud
        .wait("Vpc.DescribeVpcAttribute", &[REGION, ("VpcId", id)], |body| body["Status"] == "Available")
        .await;
}

#[tokio::test]
async fn tags_filter_and_other_regions_are_not_listed() {
    let cloud = Cloud::instant();
    let tag = [("Tag.1.Key", "stack"), ("Tag.1.Value", "chat")];
    cloud.call("Vpc.CreateVpc", &[REGION, tag[0], tag[1]]).await.good();
    cloud.call("Vpc.CreateVpc", &[REGION]).await.good();
    cloud.call("Vpc.CreateVpc", &[("RegionId", "us-west-1"), tag[0], tag[1]]).await.good();
    let found = cloud.call("Vpc.DescribeVpcs", &[REGION, tag[0], tag[1]]).await.good();
    assert_eq!(found["TotalCount"], 1);
    assert_eq!(found["Vpcs"]["Vpc"][0]["Tags"]["Tag"][0]["Value"], "chat");
    let other = [REGION, ("Tag.1.Key", "stack"), ("Tag.1.Value", "other")];
    assert_eq!(cloud.call("Vpc.DescribeVpcs", &other).await.good()["TotalCount"], 0);
}
