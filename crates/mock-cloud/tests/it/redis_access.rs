//! Who may use a Redis instance: allow lists, security groups, accounts; and its tags.

use serde_json::{Value, json};

use crate::redis::{PASSWORD, Place, REGION, assert_fields, attribute, create, text};
use crate::support::Cloud;

#[tokio::test]
async fn allow_lists_are_covered_extended_and_cut() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let own = ("InstanceId", id.as_str());
    let modify = async |more: &[(&str, &str)]| {
        cloud.call("R-kvstore.ModifySecurityIps", &[&[own], more].concat()).await
    };
    let lists = async || {
        let reply = cloud.call("R-kvstore.DescribeSecurityIps", &[own]).await.good();
        let rows = reply["SecurityIpGroups"]["SecurityIpGroup"].as_array().unwrap().clone();
        let pair = |row: &Value| (text(row, "SecurityIpGroupName"), text(row, "SecurityIpList"));
        rows.iter().map(pair).collect::<Vec<_>>()
    };
    let pairs = |expected: &[(&str, &str)]| {
        expected.iter().map(|(name, list)| ((*name).to_owned(), (*list).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(lists().await, pairs(&[("default", "127.0.0.1")]));
    modify(&[("SecurityIps", "10.0.0.0/24,10.0.1.1")]).await.good();
    assert_eq!(lists().await, pairs(&[("default", "10.0.0.0/24,10.0.1.1")]));
    let append = ("ModifyMode", "Append");
    modify(&[("SecurityIps", "10.0.1.2"), append]).await.good();
    modify(&[("SecurityIps", "10.0.1.2"), append]).await.refused(409, "SecurityIPList.Duplicate");
    let delete = ("ModifyMode", "Delete");
    modify(&[("SecurityIps", "10.0.0.0/24"), delete]).await.good();
    assert_eq!(lists().await, pairs(&[("default", "10.0.1.1,10.0.1.2")]));
    modify(&[("SecurityIps", "10.9.9.9"), delete]).await.refused(404, "InvalidSecurityIPList.NotFound");
    modify(&[("SecurityIps", "10.0.1.1,10.0.1.1")]).await.refused(409, "SecurityIPList.Duplicate");
    modify(&[("SecurityIps", "10.0.1.300")]).await.refused(400, "InvalidSecurityIPList.Format");
    modify(&[("SecurityIps", "10.0.0.1"), ("ModifyMode", "Replace")]).await.refused(400, "InvalidParameter");
    let nodes = ("SecurityIpGroupName", "nodes");
    modify(&[("SecurityIps", "10.0.2.1"), nodes, ("SecurityIpGroupAttribute", "hidden")]).await.good();
    assert_eq!(lists().await.len(), 2);
    modify(&[("SecurityIps", "10.0.2.1"), ("SecurityIpGroupName", "No")])
        .await
        .refused(400, "InvalidGroupName.Format");
    modify(&[("SecurityIps", "10.0.2.1"), nodes, delete]).await.good();
    assert_eq!(lists().await, pairs(&[("default", "10.0.1.1,10.0.1.2")]), "an empty list goes");
    modify(&[("SecurityIps", "10.0.1.1,10.0.1.2"), delete]).await.good();
    assert_eq!(lists().await, pairs(&[("default", "127.0.0.1")]), "the default one lets nobody in");
    let none = cloud.call("R-kvstore.DescribeSecurityIps", &[("InstanceId", "r-none")]).await;
    none.refused(404, "InvalidInstanceId.NotFound");
}

#[tokio::test]
async fn accounts_are_made_listed_and_limited() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let own = ("InstanceId", id.as_str());
    let password = ("AccountPassword", PASSWORD);
    let new = async |name: &str, more: &[(&str, &str)]| {
        let base = [own, ("AccountName", name), password];
        let kept = base.into_iter().filter(|(name, _)| more.iter().all(|(own, _)| own != name));
        let pairs: Vec<(&str, &str)> = kept.chain(more.iter().copied()).collect();
        cloud.call("R-kvstore.CreateAccount", &pairs).await
    };
    let made =
        new("chat", &[("AccountPrivilege", "RoleReadOnly"), ("AccountDescription", "reader")]).await.good();
    assert_eq!((&made["AcountName"], &made["InstanceId"]), (&json!("chat"), &json!(id)));
    for (name, more, code) in [
        ("chat", &[][..], "InvalidAccountName.Duplicate"),
        ("Chat", &[][..], "InvalidAccountName.Format"),
        ("root", &[][..], "InvalidAccountName.Forbid"),
        ("a", &[("AccountPassword", "weak")][..], "InvalidAccountPassword.Format"),
        ("a", &[("AccountDescription", "1x")][..], "InvalidAccountDescription.Format"),
        ("a", &[("AccountPrivilege", "RoleAll")][..], "InvalidAccountPrivilege.Malformed"),
    ] {
        new(name, more).await.refused(400, code);
    }
    for index in 1..18 {
        new(&format!("chat{index}"), &[]).await.good();
    }
    new("onemore", &[]).await.refused(403, "AccountLimitExceeded");
    let list = async |more: &[(&str, &str)]| {
        cloud.call("R-kvstore.DescribeAccounts", &[&[own], more].concat()).await.good()
    };
    let all = list(&[]).await;
    assert_eq!(all["TotalCount"], 19, "eighteen and the default one");
    assert_fields(&all["Accounts"]["Account"][0], &json!({"AccountName": id, "AccountType": "Super"}));
    let chat = list(&[("AccountName", "chat")]).await;
    let row = &chat["Accounts"]["Account"][0];
    assert_fields(
        row,
        &json!({"AccountStatus": "Available", "AccountType": "Normal", "AccountDescription": "reader"}),
    );
    assert_eq!(row["DatabasePrivileges"]["DatabasePrivilege"][0]["AccountPrivilege"], "RoleReadOnly");
    let page = list(&[("SearchAccountName", "chat1"), ("PageSize", "5"), ("PageNumber", "2")]).await;
    assert_eq!((&page["TotalCount"], page["Accounts"]["Account"].as_array().unwrap().len()), (&json!(9), 4));
    let reset = [own, ("AccountName", "chat"), ("AccountPassword", "Other_fish2")];
    cloud.call("R-kvstore.ResetAccountPassword", &reset).await.good();
    let nobody = [own, ("AccountName", "nobody"), password];
    cloud.call("R-kvstore.ResetAccountPassword", &nobody).await.refused(404, "InvalidAccountName.NotFound");
    let weak = [own, ("AccountName", "chat"), ("AccountPassword", "weak")];
    cloud.call("R-kvstore.ResetAccountPassword", &weak).await.refused(400, "InvalidAccountPassword.Format");
    let old = text(&create(&cloud, &place, &[("EngineVersion", "2.8")]).await, "InstanceId");
    let none = [("InstanceId", old.as_str()), ("AccountName", "chat"), password];
    cloud.call("R-kvstore.CreateAccount", &none).await.refused(400, "InvalidEngineVersion.Format");
}

#[tokio::test]
async fn security_groups_of_the_same_vpc_can_be_let_in() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let switches =
        cloud.call("Vpc.DescribeVSwitches", &[REGION, ("VSwitchId", &place.other_switch)]).await.good();
    let elsewhere = text(&switches["VSwitches"]["VSwitch"][0], "VpcId");
    let mut groups = Vec::new();
    for vpc in [place.vpc.as_str(), elsewhere.as_str()] {
        let made = cloud.call("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", vpc)]).await.good();
        groups.push(text(&made, "SecurityGroupId"));
    }
    let set = async |groups: &str| {
        let pairs = [("DBInstanceId", id.as_str()), ("SecurityGroupId", groups)];
        cloud.call("R-kvstore.ModifySecurityGroupConfiguration", &pairs).await
    };
    set(&groups[0]).await.good();
    let own = [("InstanceId", id.as_str())];
    let shown = cloud.call("R-kvstore.DescribeSecurityGroupConfiguration", &own).await.good();
    let rows = shown["Items"]["EcsSecurityGroupRelation"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_fields(&rows[0], &json!({"SecurityGroupId": groups[0], "RegionId": "cn-hangzhou"}));
    set(&groups[1]).await.refused(400, "InvalidParam");
    set("sg-none").await.refused(400, "InvalidParam");
    let eleven = [groups[0].as_str(); 11].join(",");
    set(&eleven).await.refused(403, "AssociatedEcsSecurityGroupId.QuotaExceed");
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let own = [REGION, ("ResourceType", "INSTANCE"), ("ResourceId.1", id.as_str())];
    let tag =
        [&own[..], &[("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b"), ("Tag.2.Value", "2")]]
            .concat();
    cloud.call("R-kvstore.TagResources", &tag).await.good();
    let listed = cloud.call("R-kvstore.ListTagResources", &own).await.good();
    let rows = listed["TagResources"]["TagResource"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_fields(
        &rows[1],
        &json!({"ResourceId": id, "ResourceType": "INSTANCE", "TagKey": "b", "TagValue": "2"}),
    );
    cloud.call("R-kvstore.UntagResources", &[&own[..], &[("TagKey.1", "a")]].concat()).await.good();
    assert_eq!(attribute(&cloud, &id).await["Tags"], json!({"Tag": [{"Key": "b", "Value": "2"}]}));
    cloud.call("R-kvstore.UntagResources", &[&own[..], &[("All", "true")]].concat()).await.good();
    assert_eq!(attribute(&cloud, &id).await["Tags"], json!({"Tag": []}));
    let gone = [REGION, own[1], ("ResourceId.1", "r-none"), ("Tag.1.Key", "a"), ("Tag.1.Value", "1")];
    cloud.call("R-kvstore.TagResources", &gone).await.refused(404, "InvalidDbInstanceId.NotFound");
    cloud.call("R-kvstore.ListTagResources", &own[..2]).await.refused(400, "MissParameter.TagOrResourceId");
    let names: Vec<String> = (1..=21).map(|index| format!("Tag.{index}.Key")).collect();
    let values: Vec<String> = (1..=21).map(|index| format!("Tag.{index}.Value")).collect();
    let mut many = own.to_vec();
    many.extend(
        names
            .iter()
            .zip(&values)
            .flat_map(|(name, value)| [(name.as_str(), name.as_str()), (value.as_str(), "x")]),
    );
    cloud.call("R-kvstore.TagResources", &many).await.refused(400, "NumberExceed.Tags");
}

#[tokio::test]
async fn passwords_are_neither_logged_nor_shown_with_the_world() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[("Password", "Secret_one1")]).await, "InstanceId");
    let own = ("InstanceId", id.as_str());
    let account = [own, ("AccountName", "chat"), ("AccountPassword", "Secret_two2")];
    cloud.call("R-kvstore.CreateAccount", &account).await.good();
    let reset = [own, ("AccountName", "chat"), ("AccountPassword", "Secret_three3")];
    cloud.call("R-kvstore.ResetAccountPassword", &reset).await.good();
    let change = [own, ("NewPassword", "Secret_four4")];
    cloud.call("R-kvstore.ModifyInstanceAttribute", &change).await.good();
    let weak = [own, ("NewPassword", "Secret_")];
    cloud.call("R-kvstore.ModifyInstanceAttribute", &weak).await.refused(400, "InvalidPassword.Malformed");
    for path in ["/_mock/calls", "/_mock/world"] {
        let shown = cloud.read_admin(path).await;
        assert!(shown.contains(&id), "{shown}");
        assert!(!shown.contains("Secret_"), "{path}: {shown}");
    }
}
