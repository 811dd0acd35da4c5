//! Redis and Tair instances over HTTP: what was asked for is what is shown, and what is wrong is refused.

use serde_json::{Value, json};

use crate::support::Cloud;

pub(crate) const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
pub(crate) const PASSWORD: &str = "Sword_fish1";

/// What makes an order wrong, and how it is refused.
type Refusal<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

pub(crate) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned()
}

/// A VPC with one vSwitch, and one that is elsewhere.
pub(crate) struct Place {
    pub(crate) vpc: String,
    pub(crate) switch: String,
    pub(crate) other_switch: String,
}

impl Place {
    pub(crate) async fn make(cloud: &Cloud) -> Self {
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

pub(crate) async fn create(cloud: &Cloud, place: &Place, more: &[(&str, &str)]) -> Value {
    cloud.call("R-kvstore.CreateInstance", &place.order(more)).await.good()
}

pub(crate) async fn attribute(cloud: &Cloud, id: &str) -> Value {
    let reply = cloud.call("R-kvstore.DescribeInstanceAttribute", &[("InstanceId", id)]).await.good();
    reply["Instances"]["DBInstanceAttribute"][0].clone()
}

#[track_caller]
pub(crate) fn assert_fields(shown: &Value, expected: &Value) {
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
async fn a_dry_run_draws_no_id() {
    let made = async |runs_dry: bool| {
        let cloud = Cloud::instant();
        let place = Place::make(&cloud).await;
        if runs_dry {
            let dry = place.order(&[("Token", "t"), ("DryRun", "true")]);
            cloud.call("R-kvstore.CreateInstance", &dry).await.refused(400, "DryRunOperation");
        }
        let made = create(&cloud, &place, &[("Token", "t")]).await;
        (text(&made, "InstanceId"), text(&made, "ConnectionDomain"))
    };
    let first = made(false).await;
    assert!(first.1.starts_with(&first.0), "{first:?}");
    assert_eq!(first, made(true).await);
}
