//! Redis and Tair instances over HTTP: what was asked for is what is shown, and what is wrong is refused.

use serde_json::{Value, json};

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const PASSWORD: &str = "Sword_fish1";

/// What makes an order wrong, and how it is refused.
type Refusal<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned()
}

/// A VPC with one vSwitch, and one that is elsewhere.
struct Place {
    vpc: String,
    switch: String,
    other_switch: String,
}

impl Place {
    async fn make(cloud: &Cloud) -> Self {
        let mut made = Vec::new();
        for _ in 0..2 {
            let vpc = cloud.call("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]).await.good();
            let vpc = text(&vpc, "VpcId");
            let new =
                [REGION, ("VpcId", vpc.as_str()), ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/24")];
            let switch = text(&cloud.call("Vpc.CreateVSwitch", &new).await.good(), "VSwitchId");
            made.push((vpc, switch));
        }
        let (vpc, switch) = made[0].clone();
        Self { vpc, switch, other_switch: made[1].1.clone() }
    }

    /// Parameters of an instance of one GB, with these instead or beside.
    fn order<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let base = [
            REGION,
            ("InstanceClass", "redis.master.small.default"),
            ("VpcId", self.vpc.as_str()),
            ("VSwitchId", self.switch.as_str()),
        ];
        let kept = base.into_iter().filter(|(name, _)| more.iter().all(|(own, _)| own != name));
        kept.chain(more.iter().copied()).collect()
    }
}

async fn create(cloud: &Cloud, place: &Place, more: &[(&str, &str)]) -> Value {
    cloud.call("R-kvstore.CreateInstance", &place.order(more)).await.good()
}

async fn attribute(cloud: &Cloud, id: &str) -> Value {
    let reply = cloud.call("R-kvstore.DescribeInstanceAttribute", &[("InstanceId", id)]).await.good();
    reply["Instances"]["DBInstanceAttribute"][0].clone()
}

#[track_caller]
fn assert_fields(shown: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
}

#[tokio::test]
async fn what_was_ordered_is_what_is_shown() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let more = [
        ("InstanceName", "chat-redis"),
        ("Password", PASSWORD),
        ("Port", "6380"),
        ("ConnectionStringPrefix", "chatredis01"),
        ("PrivateIpAddress", "10.0.0.9"),
        ("MaintainStartTime", "01:00Z"),
        ("MaintainEndTime", "03:00Z"),
        ("Tag.1.Key", "stack"),
        ("Tag.1.Value", "chat"),
    ];
    let made = create(&cloud, &place, &more).await;
    let id = text(&made, "InstanceId");
    assert!(id.starts_with("r-bp1"), "{id}");
    let expected = json!({
        "InstanceName": "chat-redis", "InstanceStatus": "Creating", "ChargeType": "PostPaid", "Port": 6380,
        "ConnectionDomain": "chatredis01.redis.rds.aliyuncs.com", "PrivateIpAddr": "10.0.0.9",
        "Capacity": 1024, "Bandwidth": 10, "Connections": 10_000, "QPS": 80_000, "NodeType": "double",
        "NetworkType": "VPC", "UserName": id, "VpcId": place.vpc, "VSwitchId": place.switch,
        "ZoneId": "cn-hangzhou-j", "RegionId": "cn-hangzhou", "EndTime": "",
    });
    assert_fields(&made, &expected);
    assert!(made["OrderId"].is_i64(), "{made}");
    let shown = attribute(&cloud, &id).await;
    let same = json!({
        "InstanceId": id, "InstanceName": "chat-redis", "InstanceStatus": "Normal", "Port": 6380,
        "ConnectionDomain": "chatredis01.redis.rds.aliyuncs.com", "PrivateIp": "10.0.0.9",
        "EngineVersion": "5.0", "Engine": "Redis", "InstanceType": "Redis", "ArchitectureType": "standard",
        "InstanceClass": "redis.master.small.default", "Capacity": 1024, "VpcAuthMode": "Open",
        "MaintainStartTime": "01:00Z", "MaintainEndTime": "03:00Z", "SecurityIPList": "127.0.0.1",
        "IsOrderCompleted": true, "InstanceReleaseProtection": false, "ReadOnlyCount": 0,
        "Tags": {"Tag": [{"Key": "stack", "Value": "chat"}]},
    });
    assert_fields(&shown, &same);
    let listed = cloud.call("R-kvstore.DescribeInstances", &[REGION]).await.good();
    let row = &listed["Instances"]["KVStoreInstance"][0];
    assert_fields(
        row,
        &json!({"InstanceId": id, "EditionType": "Community", "Port": 6380, "ReadOnlyCount": "0"}),
    );
    let net = cloud.call("R-kvstore.DescribeDBInstanceNetInfo", &[("InstanceId", &id)]).await.good();
    assert_eq!(net["InstanceNetworkType"], "VPC");
    let item = &net["NetInfoItems"]["InstanceNetInfo"][0];
    assert_fields(
        item,
        &json!({"Port": "6380", "IPAddress": "10.0.0.9", "VPCId": place.vpc, "IPType": "Private"}),
    );

    let change =
        [("InstanceId", id.as_str()), ("InstanceName", "new"), ("InstanceReleaseProtection", "true")];
    cloud.call("R-kvstore.ModifyInstanceAttribute", &change).await.good();
    let shown = attribute(&cloud, &id).await;
    assert_fields(&shown, &json!({"InstanceName": "new", "InstanceReleaseProtection": true}));
    let own = [("InstanceId", id.as_str())];
    cloud.call("R-kvstore.DeleteInstance", &own).await.refused(403, "InstanceReleaseProtection");
    let open = [own[0], ("InstanceReleaseProtection", "false")];
    cloud.call("R-kvstore.ModifyInstanceAttribute", &open).await.good();
    cloud.call("R-kvstore.DeleteInstance", &own).await.good();
    let gone = cloud.call("R-kvstore.DescribeInstanceAttribute", &own).await;
    gone.refused(404, "InvalidInstanceId.NotFound");
    assert_eq!(cloud.resources().await, 4, "two VPCs with a vSwitch each");
}

#[tokio::test]
async fn tair_is_a_subscription_unless_told() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let tair = |more: &[(&'static str, &'static str)]| {
        let base = [("InstanceClass", "tair.rdb.1g"), ("InstanceType", "tair_rdb")];
        place.order(&[&base, more].concat()).into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    };
    let send = async |pairs: Vec<(String, String)>| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        cloud.call("R-kvstore.CreateTairInstance", &pairs).await
    };
    send(tair(&[])).await.refused(400, "MissingParameter");
    send(tair(&[("Period", "10")])).await.refused(400, "IllegalParamError");
    send(tair(&[("ChargeType", "PostPaid"), ("EngineVersion", "1.0")]))
        .await
        .refused(400, "InvalidEngineVersion.Malformed");
    let paid = send(tair(&[("Period", "12")])).await.good();
    let by_use = send(tair(&[("ChargeType", "PostPaid"), ("ShardCount", "2"), ("InstanceName", "two")]));
    let by_use = by_use.await.good();
    assert!(paid.get("InstanceName").is_none(), "only when it was given: {paid}");
    assert_eq!((&by_use["InstanceName"], &by_use["Bandwidth"]), (&json!("two"), &json!(192)));
    assert!(paid["TaskId"].is_string(), "{paid}");
    let (paid, by_use) = (text(&paid, "InstanceId"), text(&by_use, "InstanceId"));
    let shown = attribute(&cloud, &paid).await;
    assert_fields(
        &shown,
        &json!({"ChargeType": "PrePaid", "InstanceType": "tair_rdb", "EngineVersion": "5.0"}),
    );
    assert_ne!(shown["EndTime"], "");
    let two = attribute(&cloud, &by_use).await;
    assert_fields(
        &two,
        &json!({"ArchitectureType": "cluster", "ShardCount": 2, "Capacity": 2048, "EndTime": ""}),
    );
    cloud
        .call("R-kvstore.DeleteInstance", &[("InstanceId", &paid)])
        .await
        .refused(403, "OperationDenied.ChargeType");
    cloud.call("R-kvstore.DeleteInstance", &[("InstanceId", &by_use)]).await.good();
    let disk = [
        REGION,
        ("InstanceClass", "tair.essd.standard.xlarge"),
        ("InstanceType", "tair_essd"),
        ("VpcId", place.vpc.as_str()),
        ("VSwitchId", place.switch.as_str()),
        ("ChargeType", "PostPaid"),
    ];
    cloud.call("R-kvstore.CreateTairInstance", &disk).await.refused(400, "MissingParameter");
    let disk = [&disk[..], &[("Storage", "60"), ("StorageType", "essd_pl1")]].concat();
    let made = cloud.call("R-kvstore.CreateTairInstance", &disk).await.good();
    let shown = attribute(&cloud, &text(&made, "InstanceId")).await;
    assert_fields(&shown, &json!({"Storage": "60", "StorageType": "essd_pl1", "EngineVersion": "1.0"}));
    let wrong = [&disk[..2], &[("InstanceType", "tair_scm")], &disk[3..]].concat();
    cloud.call("R-kvstore.CreateTairInstance", &wrong).await.refused(400, "InstanceClass.NotMatch");
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused_with_its_code() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    create(&cloud, &place, &[("PrivateIpAddress", "10.0.0.9"), ("ConnectionStringPrefix", "takenprefix")])
        .await;
    let before = cloud.resources().await;
    let other = place.other_switch.clone();
    let cases: &[Refusal] = &[
        (&[("InstanceClass", "")], 400, "MissingParameter"),
        (&[("InstanceClass", "redis.none")], 400, "InvalidInstancelevel"),
        (&[("InstanceClass", "tair.rdb.1g")], 400, "InvalidInstancelevel"),
        (&[("InstanceClass", ""), ("Capacity", "1000")], 400, "InvalidCapacity.NotFound"),
        (&[("EngineVersion", "7.0")], 400, "InvalidEngineVersion.Malformed"),
        (&[("VpcId", "")], 400, "MissingParameter"),
        (&[("VpcId", "vpc-none")], 400, "InvalidVPCId.NotFound"),
        (&[("VSwitchId", "vsw-none")], 400, "InvalidvSwitchId"),
        (&[("VSwitchId", &other)], 400, "VSwithNotBelongToNotVpcFault"),
        (&[("ZoneId", "cn-hangzhou-z")], 400, "ZoneIdNotFound"),
        (&[("ZoneId", "cn-hangzhou-k")], 404, "InvalidVpcIdOrVswitchId.NotSupported"),
        (&[("SecondaryZoneId", "cn-hangzhou-j")], 400, "InvalidIzNo.NotSupported"),
        (&[("InstanceName", "1a")], 400, "InvalidInstanceName.Malformed"),
        (&[("Password", "weak")], 400, "InvalidPassword.Malformed"),
        (&[("PrivateIpAddress", "10.1.0.1")], 400, "InvalidIPNotInSubnet"),
        (&[("PrivateIpAddress", "10.0.0.9")], 400, "InvalidPrivateIpAddress.AlreadyUsed"),
        (&[("PrivateIpAddress", "10.0.0.255")], 400, "InvalidPrivateIpAddress.AlreadyUsed"),
        (&[("Port", "0")], 400, "IllegalParamError"),
        (&[("Port", "65536")], 400, "IllegalParamError"),
        (&[("ConnectionStringPrefix", "Short")], 400, "IllegalParamError"),
        (&[("ConnectionStringPrefix", "takenprefix")], 400, "IllegalParamError"),
        (&[("MaintainStartTime", "21:30Z")], 400, "IllegalParamError"),
        (&[("ShardCount", "2")], 400, "InvalidShardInfo.Format"),
        (&[("ChargeType", "PrePaid")], 400, "MissingParameter"),
        (&[("AutoRenew", "true")], 400, "MissingParameter"),
        (&[("ChargeType", "Free")], 400, "InvalidParameter"),
        (&[("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (&[("BackupId", "1")], 501, "Mock.NotEmulated"),
        (&[("InstanceType", "Memcache")], 501, "Mock.NotEmulated"),
    ];
    for (more, status, code) in cases {
        let answer = cloud.call("R-kvstore.CreateInstance", &place.order(more)).await;
        assert_eq!((answer.status, answer.code()), (*status, *code), "{more:?} {}", answer.text);
    }
    assert_eq!(cloud.resources().await, before);
    create(&cloud, &place, &[("InstanceClass", ""), ("Capacity", "2048")]).await;
    create(&cloud, &place, &[("ChargeType", "prepaid"), ("Period", "1")]).await;
}

#[tokio::test]
async fn tokens_and_dry_runs_have_no_second_effect() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    let before = cloud.resources().await;
    let dry = place.order(&[("DryRun", "true"), ("Token", "d")]);
    cloud.call("R-kvstore.CreateInstance", &dry).await.refused(400, "DryRunOperation");
    let bad = place.order(&[("DryRun", "true"), ("Password", "weak")]);
    cloud.call("R-kvstore.CreateInstance", &bad).await.refused(400, "InvalidPassword.Malformed");
    assert_eq!(cloud.resources().await, before);
    let order = place.order(&[("Token", "t")]);
    let first = cloud.call("R-kvstore.CreateInstance", &order).await.good();
    let second = cloud.call("R-kvstore.CreateInstance", &order).await.good();
    assert_eq!((&first["InstanceId"], &first["OrderId"]), (&second["InstanceId"], &second["OrderId"]));
    assert_eq!(cloud.resources().await, before + 1);
    let other = place.order(&[("Token", "t"), ("InstanceName", "other")]);
    cloud.call("R-kvstore.CreateInstance", &other).await.refused(400, "IdempotentParameterMismatch");
    let class = [("InstanceClass", "tair.rdb.1g"), ("InstanceType", "tair_rdb"), ("ChargeType", "PostPaid")];
    let tair = place.order(&[&class[..], &[("ClientToken", "t")]].concat());
    let first = cloud.call("R-kvstore.CreateTairInstance", &tair).await.good();
    let second = cloud.call("R-kvstore.CreateTairInstance", &tair).await.good();
    assert_eq!(first["InstanceId"], second["InstanceId"]);
    let dry = place.order(&[&class[..], &[("DryRun", "true")]].concat());
    cloud.call("R-kvstore.CreateTairInstance", &dry).await.refused(400, "DryRunOperation");
    assert_eq!(cloud.resources().await, before + 2);
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let cloud = Cloud::instant();
    let place = Place::make(&cloud).await;
    for index in 0..5 {
        let name = format!("chat-{index}");
        create(&cloud, &place, &[("InstanceName", &name), ("Tag.1.Key", "n"), ("Tag.1.Value", &name)]).await;
    }
    let class = [("InstanceClass", "tair.rdb.1g"), ("InstanceType", "tair_rdb"), ("ChargeType", "PostPaid")];
    cloud.call("R-kvstore.CreateTairInstance", &place.order(&class)).await.good();
    let list = async |more: &[(&str, &str)]| {
        cloud.call("R-kvstore.DescribeInstances", &[&[REGION], more].concat()).await.good()
    };
    let rows = |page: &Value| page["Instances"]["KVStoreInstance"].as_array().unwrap().clone();
    let mut seen = std::collections::BTreeSet::new();
    for number in ["1", "2", "3"] {
        let page = list(&[("PageSize", "2"), ("PageNumber", number)]).await;
        assert_eq!((&page["TotalCount"], &page["PageSize"]), (&json!(6), &json!(2)));
        seen.extend(rows(&page).iter().map(|row| text(row, "InstanceId")));
    }
    assert_eq!(seen.len(), 6, "no page repeats another");
    assert!(rows(&list(&[("PageSize", "2"), ("PageNumber", "4")]).await).is_empty());
    assert_eq!(list(&[]).await["PageSize"], 30);
    for size in ["0", "51"] {
        let answer = cloud.call("R-kvstore.DescribeInstances", &[REGION, ("PageSize", size)]).await;
        answer.refused(400, "InvalidParameter");
    }
    let two =
        rows(&list(&[]).await)[..2].iter().map(|row| text(row, "InstanceId")).collect::<Vec<_>>().join(",");
    for (filter, count) in [
        (("InstanceIds", two.as_str()), 2),
        (("InstanceIds", "r-none"), 0),
        (("SearchKey", "chat-3"), 1),
        (("InstanceType", "Tair"), 1),
        (("InstanceType", "Redis"), 5),
        (("EditionType", "Enterprise"), 1),
        (("InstanceStatus", "Normal"), 6),
        (("InstanceStatus", "Creating"), 0),
        (("InstanceClass", "tair.rdb.1g"), 1),
        (("VSwitchId", place.switch.as_str()), 6),
        (("VpcId", "vpc-other"), 0),
        (("PrivateIp", "10.0.0.1"), 1),
    ] {
        assert_eq!(list(&[filter]).await["TotalCount"], count, "{filter:?}");
    }
    let tagged = list(&[("Tag.1.Key", "n"), ("Tag.1.Value", "chat-2")]).await;
    assert_eq!(rows(&tagged)[0]["InstanceName"], "chat-2");
    let many = vec!["r-x"; 31].join(",");
    let answer = cloud.call("R-kvstore.DescribeInstances", &[REGION, ("InstanceIds", &many)]).await;
    answer.refused(400, "InvalidInstanceIds.Malformed");
    let elsewhere = cloud.call("R-kvstore.DescribeInstances", &[("RegionId", "cn-beijing")]).await.good();
    assert_eq!(elsewhere["TotalCount"], 0);
}

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
async fn places_and_classes_are_on_offer() {
    let cloud = Cloud::instant();
    let regions = cloud.call("R-kvstore.DescribeRegions", &[]).await.good();
    let rows = regions["RegionIds"]["KVStoreRegion"].as_array().unwrap();
    let own = rows.iter().find(|row| row["RegionId"] == "cn-hangzhou").unwrap();
    assert_eq!(own["RegionEndpoint"], "r-kvstore.aliyuncs.com");
    assert!(text(own, "ZoneIds").starts_with("cn-hangzhou-b,"), "{own}");
    let zones = cloud.call("R-kvstore.DescribeZones", &[REGION]).await.good();
    let rows = zones["Zones"]["KVStoreZone"].as_array().unwrap();
    assert_eq!(rows.len(), own["ZoneIdList"]["ZoneId"].as_array().unwrap().len());
    let offer = async |more: &[(&str, &str)]| {
        let base = [REGION, ("ZoneId", "cn-hangzhou-j")];
        let reply = cloud.call("R-kvstore.DescribeAvailableResource", &[&base, more].concat()).await.good();
        let zones = reply["AvailableZones"]["AvailableZone"].as_array().unwrap().clone();
        assert_eq!(zones.len(), 1);
        let engine = &zones[0]["SupportedEngines"]["SupportedEngine"][0];
        let edition = &engine["SupportedEditionTypes"]["SupportedEditionType"][0];
        let series = &edition["SupportedSeriesTypes"]["SupportedSeriesType"][0];
        let version = &series["SupportedEngineVersions"]["SupportedEngineVersion"][0];
        let architecture = &version["SupportedArchitectureTypes"]["SupportedArchitectureType"][0];
        let shard = &architecture["SupportedShardNumbers"]["SupportedShardNumber"][0];
        let node = &shard["SupportedNodeTypes"]["SupportedNodeType"][0];
        let classes = node["AvailableResources"]["AvailableResource"].as_array().cloned().unwrap_or_default();
        classes.iter().map(|class| text(class, "InstanceClass")).collect::<Vec<_>>()
    };
    assert!(offer(&[]).await.contains(&"redis.master.small.default".to_owned()));
    assert!(offer(&[("ProductType", "OnECS")]).await.contains(&"redis.shard.small.2.ce".to_owned()));
    assert!(offer(&[("ProductType", "Tair_rdb")]).await.contains(&"tair.rdb.1g".to_owned()));
    assert!(offer(&[("Engine", "Memcache")]).await.is_empty());
    let upgrade = [REGION, ("OrderType", "UPGRADE")];
    cloud.call("R-kvstore.DescribeAvailableResource", &upgrade).await.refused(400, "MissingParameter");
    let place = Place::make(&cloud).await;
    for class in offer(&[]).await {
        create(&cloud, &place, &[("InstanceClass", &class)]).await;
    }
    let id = text(
        &create(&cloud, &place, &[("InstanceClass", "redis.master.4xlarge.default")]).await,
        "InstanceId",
    );
    let larger = offer(&[("OrderType", "UPGRADE"), ("InstanceId", &id)]).await;
    assert_eq!(larger, ["redis.master.8xlarge.default"]);
}

#[tokio::test]
async fn prices_follow_class_time_and_number() {
    let cloud = Cloud::instant();
    let ask = async |more: &[(&str, &str)]| {
        cloud.call("R-kvstore.DescribePrice", &[&[REGION], more].concat()).await
    };
    let amount = |reply: &Value, name: &str| reply["Order"][name].as_str().unwrap().parse::<f64>().unwrap();
    let buy = ("OrderType", "BUY");
    let small = ("InstanceClass", "redis.master.small.default");
    let hour = ask(&[buy, small]).await.good();
    assert_eq!((&hour["Order"]["TradeAmount"], &hour["Order"]["Currency"]), (&json!("0.21"), &json!("CNY")));
    assert_eq!(ask(&[buy, small]).await.good()["Order"], hour["Order"], "the same at any time");
    let two = ask(&[buy, ("Capacity", "1024"), ("Quantity", "2")]).await.good();
    assert_eq!(two["Order"]["TradeAmount"], "0.42");
    let single = ask(&[buy, small, ("NodeType", "STAND_ALONE")]).await.good();
    assert!(amount(&single, "TradeAmount") < amount(&hour, "TradeAmount"));
    let month = ask(&[buy, small, ("ChargeType", "PrePaid"), ("Period", "1")]).await.good();
    let year = ask(&[buy, small, ("ChargeType", "PrePaid"), ("Period", "12")]).await.good();
    assert!(amount(&month, "TradeAmount") > 100.0 * amount(&hour, "TradeAmount"));
    let rest = amount(&year, "OriginalAmount") - amount(&year, "DiscountAmount");
    assert!((rest - amount(&year, "TradeAmount")).abs() < 0.001 && amount(&year, "DiscountAmount") > 0.0);
    let list = r#"[{"ShardClass": "tair.rdb.1g", "ShardCount": "3"}, {"InstanceClass": "tair.rdb.2g", "Quantity": 2}]"#;
    let several = ask(&[buy, ("Instances", list)]).await.good();
    assert_eq!(several["SubOrders"]["SubOrder"].as_array().unwrap().len(), 2);
    for (more, code) in [
        (&[buy][..], "MissingParameter"),
        (&[("OrderType", "RENEW"), small][..], "MissingParameter"),
        (&[buy, ("InstanceClass", "none")][..], "IllegalParamError"),
        (&[buy, small, ("ChargeType", "PrePaid")][..], "MissingParameter"),
        (&[buy, small, ("ChargeType", "PrePaid"), ("Period", "10")][..], "IllegalParamError"),
        (&[buy, small, ("Quantity", "31")][..], "IllegalParamError"),
        (&[buy, ("Instances", "{}")][..], "InvalidInstances.Format"),
        (&[buy, ("Instances", r#"[{"ShardClass": "none"}]"#)][..], "InvalidInstances.Format"),
        (&[("OrderType", "GIFT"), small][..], "InvalidParameter"),
    ] {
        ask(more).await.refused(400, code);
    }
    let place = Place::make(&cloud).await;
    let id = text(&create(&cloud, &place, &[]).await, "InstanceId");
    let renew = ask(&[("OrderType", "RENEW"), ("InstanceId", &id), ("Period", "1")]).await.good();
    assert_eq!(renew["Order"]["TradeAmount"], month["Order"]["TradeAmount"]);
    assert_eq!(renew["SubOrders"]["SubOrder"][0]["InstanceId"], id.as_str());
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
