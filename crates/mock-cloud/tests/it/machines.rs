//! Disks, prices, consoles, stopped scripts and quotas of instances, and what a new instance may be made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::{CommandResult, Host, HostState, Status};
use mock_cloud::world::pace::Pace;
use serde_json::{Value, json};

use crate::ground::{Ground, REGION, refusal, text};

/// Parameters, and the status and code they are refused with.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

fn disks(ground: &mut Ground, more: &[(&str, &str)]) -> Vec<Value> {
    let mut own = vec![REGION];
    own.extend(more);
    ground.good("Ecs.DescribeDisks", &own)["Disks"]["Disk"].as_array().unwrap().clone()
}

#[test]
fn disks_come_with_an_instance_and_go_with_it_unless_they_are_to_be_kept() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[
        ("SystemDisk.Size", "60"),
        ("SystemDisk.DiskName", "root"),
        ("DataDisk.1.Size", "200"),
        ("DataDisk.1.PerformanceLevel", "PL0"),
        ("DataDisk.2.Size", "30"),
        ("DataDisk.2.DeleteWithInstance", "false"),
        ("Tag.1.Key", "stack"),
        ("Tag.1.Value", "chat"),
    ]);
    let all = disks(&mut ground, &[("InstanceId", &instance)]);
    let told: Vec<(&str, &str, i64)> = all
        .iter()
        .map(|disk| {
            (disk["Type"].as_str().unwrap(), disk["Device"].as_str().unwrap(), disk["Size"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(told, [("system", "/dev/xvda", 60), ("data", "/dev/xvdb", 200), ("data", "/dev/xvdc", 30)]);
    assert_eq!((&all[0]["Category"], &all[0]["PerformanceLevel"]), (&"cloud_essd".into(), &"PL1".into()));
    assert_eq!((&all[1]["IOPS"], &all[1]["Status"]), (&4200.into(), &"In_use".into()));
    assert_eq!(all[2]["Tags"]["Tag"][0], json!({"TagKey": "stack", "TagValue": "chat"}));
    assert_eq!(disks(&mut ground, &[("DiskType", "system")]).len(), 1);
    assert_eq!(disks(&mut ground, &[("DiskType", "all"), ("Status", "Available")]).len(), 0);
    ground.good("Ecs.DeleteInstance", &[("InstanceId", &instance), ("Force", "true")]);
    let left = disks(&mut ground, &[]);
    assert_eq!(
        (left.len(), &left[0]["Status"], &left[0]["InstanceId"]),
        (1, &"Available".into(), &"".into())
    );
    let malformed = [REGION, ("DiskIds", "d-1")];
    assert_eq!(ground.refused("Ecs.DescribeDisks", &malformed), refusal(403, "InvalidDiskIds.Malformed"));
}

#[test]
fn a_disk_grows_and_never_shrinks_and_may_be_told_to_stay() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[("SystemDisk.Size", "60"), ("DataDisk.1.Size", "200")]);
    let all = disks(&mut ground, &[("InstanceId", &instance)]);
    let [system, data] = [0, 1].map(|index| text(&all[index]["DiskId"]));
    ground.wait(300);
    for (disk, size) in [(&system, "61"), (&data, "4096")] {
        ground.good("Ecs.ResizeDisk", &[("DiskId", disk), ("NewSize", size), ("Type", "online")]);
    }
    let sizes = |ground: &mut Ground| -> Vec<Value> {
        disks(ground, &[("InstanceId", &instance)]).iter().map(|disk| disk["Size"].clone()).collect()
    };
    assert_eq!(sizes(&mut ground), [61, 4096]);
    let refused: [Case<'_>; 4] = [
        (&[("DiskId", &data), ("NewSize", "4096")], 403, "InvalidDiskSize.TooSmall"),
        (&[("DiskId", &data), ("NewSize", "65537")], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (&[("DiskId", &system), ("NewSize", "2049")], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (&[("DiskId", "d-bp1nobody"), ("NewSize", "100")], 404, "InvalidDiskId.NotFound"),
    ];
    for (parameters, status, code) in refused {
        assert_eq!(ground.refused("Ecs.ResizeDisk", parameters), refusal(status, code), "{parameters:?}");
    }
    assert_eq!(sizes(&mut ground), [61, 4096]);
    let keep = [("DiskId", data.as_str()), ("DeleteWithInstance", "false"), ("DiskName", "kept")];
    ground.good("Ecs.ModifyDiskAttribute", &keep);
    let refused: [Case<'_>; 5] = [
        (&[("DiskId", &system), ("DeleteWithInstance", "false")], 403, "DiskNotPortable"),
        (&[("DiskId", &data)], 400, "NoAttributeToModify"),
        (&[("DiskId", &data), ("DiskIds.1", &data), ("DiskName", "ab")], 400, "InvalidParameter.Conflict"),
        (&[("DiskId", &data), ("DiskName", "a")], 400, "InvalidDiskName.Malformed"),
        (&[("DiskId", "d-bp1nobody"), ("DiskName", "ab")], 404, "InvalidDiskId.NotFound"),
    ];
    for (parameters, status, code) in refused {
        assert_eq!(
            ground.refused("Ecs.ModifyDiskAttribute", parameters),
            refusal(status, code),
            "{parameters:?}"
        );
    }
    ground.good("Ecs.DeleteInstance", &[("InstanceId", &instance), ("Force", "true")]);
    let left = disks(&mut ground, &[]);
    assert_eq!(left.iter().map(|disk| disk["DiskName"].clone()).collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn disks_are_paged_in_both_ways() {
    let mut ground = Ground::instant();
    ground.instance(&[("Amount", "15")]);
    let page = ground.good("Ecs.DescribeDisks", &[REGION, ("MaxResults", "5")]);
    assert_eq!(page["Disks"]["Disk"].as_array().unwrap().len(), 10, "less than ten counts as ten");
    let next = [REGION, ("NextToken", page["NextToken"].as_str().unwrap())];
    let page = ground.good("Ecs.DescribeDisks", &next);
    assert_eq!((page["Disks"]["Disk"].as_array().unwrap().len(), &page["NextToken"]), (5, &"".into()));
    let page = ground.good("Ecs.DescribeDisks", &[REGION, ("PageSize", "4"), ("PageNumber", "4")]);
    assert_eq!((page["Disks"]["Disk"].as_array().unwrap().len(), &page["TotalCount"]), (3, &15.into()));
}

#[test]
fn prices_are_the_same_for_the_same_question_and_add_up() {
    let mut ground = Ground::instant();
    let price = |ground: &mut Ground, more: &[(&str, &str)]| {
        let mut own = vec![REGION, ("InstanceType", "ecs.e-c1m1.large")];
        own.extend(more);
        ground.good("Ecs.DescribePrice", &own)["PriceInfo"]["Price"].clone()
    };
    let one = price(&mut ground, &[]);
    assert_eq!(one, price(&mut ground, &[]));
    let hour = one["TradePrice"].as_f64().unwrap();
    assert!(hour > 0.05 && hour < 1.0 && one["Currency"] == "CNY", "{one}");
    let three = price(&mut ground, &[("Amount", "3")])["TradePrice"].as_f64().unwrap();
    assert!((three - 3.0 * hour).abs() < 1e-5);
    let month = price(&mut ground, &[("PriceUnit", "Month")])["TradePrice"].as_f64().unwrap();
    assert!(month > 100.0 * hour && month < 720.0 * hour, "a month is cheaper than its hours");
    let spot = price(&mut ground, &[("SpotStrategy", "SpotAsPriceGo"), ("ZoneId", "cn-hangzhou-j")]);
    assert_eq!(spot["OriginalPrice"], one["OriginalPrice"]);
    assert!(spot["TradePrice"].as_f64().unwrap() < hour / 2.0);
    let whole = price(
        &mut ground,
        &[
            ("SystemDisk.Size", "40"),
            ("InternetMaxBandwidthOut", "5"),
            ("InternetChargeType", "PayByBandwidth"),
        ],
    );
    let parts = whole["DetailInfos"]["DetailInfo"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part["Resource"].as_str().unwrap()).collect();
    assert_eq!(names, ["instanceType", "systemDisk", "bandwidth"]);
    let sum: f64 = parts.iter().map(|part| part["TradePrice"].as_f64().unwrap()).sum();
    assert!((sum - whole["TradePrice"].as_f64().unwrap()).abs() < 1e-5);
    let abroad = [("RegionId", "us-west-1"), ("InstanceType", "ecs.e-c1m1.large")];
    assert_eq!(ground.good("Ecs.DescribePrice", &abroad)["PriceInfo"]["Price"]["Currency"], "USD");
    let disk =
        [REGION, ("ResourceType", "disk"), ("DataDisk.1.Category", "cloud_essd"), ("DataDisk.1.Size", "100")];
    let disk = ground.good("Ecs.DescribePrice", &disk)["PriceInfo"]["Price"]["TradePrice"].as_f64().unwrap();
    assert!((disk - 0.21).abs() < 1e-6, "{disk}");
}

#[test]
fn questions_about_prices_are_checked() {
    let mut ground = Ground::instant();
    let mut refused = |more: &[(&str, &str)]| {
        let mut own = vec![REGION];
        own.extend(more);
        ground.refused("Ecs.DescribePrice", &own)
    };
    let kind = ("InstanceType", "ecs.g7.large");
    assert_eq!(refused(&[]), refusal(404, "InvalidInstanceType.Missing"));
    assert_eq!(
        refused(&[("InstanceType", "ecs.none")]),
        refusal(400, "InvalidInstanceType.ValueNotSupported")
    );
    assert_eq!(refused(&[kind, ("PriceUnit", "Day")]), refusal(400, "InvalidPriceUnit.ValueNotSupported"));
    assert_eq!(refused(&[kind, ("Period", "2")]), refusal(400, "InvalidPeriod"));
    assert_eq!(refused(&[kind, ("Amount", "1001")]), refusal(403, "InvalidAmount.Malformed"));
    assert_eq!(refused(&[kind, ("ZoneId", "mars-a")]), refusal(400, "Invalid.ZoneId"));
    assert_eq!(refused(&[("ResourceType", "disk")]), refusal(404, "InvalidDiskCategory.Missing"));
    assert_eq!(
        refused(&[("ResourceType", "bandwidth"), ("InternetChargeType", "PayByBandwidth")]),
        refusal(400, "InvalidInternetChargeType.ValueNotSupported")
    );
}

#[test]
fn the_history_of_spot_prices_has_three_hours_unless_told() {
    let mut ground = Ground::instant();
    let base =
        [REGION, ("InstanceType", "ecs.g7.large"), ("NetworkType", "vpc"), ("ZoneId", "cn-hangzhou-j")];
    let told = ground.good("Ecs.DescribeSpotPriceHistory", &base);
    let rows = told["SpotPrices"]["SpotPriceType"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let (spot, full) = (row["SpotPrice"].as_f64().unwrap(), row["OriginPrice"].as_f64().unwrap());
        assert!(spot > 0.0 && spot < full / 2.0 && row["ZoneId"] == "cn-hangzhou-j", "{row}");
    }
    let mut all = vec![REGION, base[1], base[2]];
    all.extend([("StartTime", "2027-01-01T00:00:00Z"), ("EndTime", "2027-01-10T00:00:00Z")]);
    let first = ground.good("Ecs.DescribeSpotPriceHistory", &all);
    assert_eq!(first["NextOffset"], 1000);
    all.push(("Offset", "1000"));
    let second = ground.good("Ecs.DescribeSpotPriceHistory", &all);
    let total = 8 * 217;
    assert_eq!(
        (second["SpotPrices"]["SpotPriceType"].as_array().unwrap().len(), &second["NextOffset"]),
        (total - 1000, &total.into())
    );
    let long = [base[0], base[1], base[2], ("StartTime", "2026-01-01T00:00:00Z")];
    assert_eq!(
        ground.refused("Ecs.DescribeSpotPriceHistory", &long),
        refusal(400, "InvalidParams.StartTime")
    );
    let classic = [base[0], base[1], ("NetworkType", "classic")];
    assert_eq!(
        ground.refused("Ecs.DescribeSpotPriceHistory", &classic),
        refusal(400, "InvalidParams.NetworkType")
    );
}

#[test]
fn the_console_shows_what_the_host_printed() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[("HostName", "chat01")]);
    let own = [REGION, ("InstanceId", instance.as_str())];
    let told = ground.good("Ecs.GetInstanceConsoleOutput", &own);
    let shown = |told: &Value| {
        String::from_utf8(STANDARD.decode(told["ConsoleOutput"].as_str().unwrap()).unwrap()).unwrap()
    };
    assert!(shown(&told).ends_with("chat01 login: "), "{told}");
    assert_eq!(told["LastUpdateTime"].as_str().unwrap().len(), "2018-03-22 10:04:57".len());
    let console = "\x1b[32m[  OK  ]\x1b[0m Started chat-node.\r\n".to_owned();
    let host = Host { state: HostState::Ready, processes: Vec::new(), started: None, console };
    let status = Status { hosts: [(instance.clone(), host)].into_iter().collect(), ..Status::default() };
    ground.world.observe(&status);
    let plain = ground.good("Ecs.GetInstanceConsoleOutput", &[own[0], own[1], ("RemoveSymbols", "true")]);
    assert_eq!(shown(&plain), "[  OK  ] Started chat-node.\n");
    ground.good("Ecs.StopInstance", &[("InstanceId", &instance)]);
    assert_eq!(ground.refused("Ecs.GetInstanceConsoleOutput", &own), refusal(405, "IncorrectInstanceStatus"));
    let none = [REGION, ("InstanceId", "i-none")];
    assert_eq!(ground.refused("Ecs.GetInstanceConsoleOutput", &none), refusal(404, "InvalidParameter"));
}

#[test]
fn a_script_can_be_stopped_and_its_late_result_changes_nothing() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[]);
    ground.world.settings.hosts = HostKind::Process;
    let command =
        [REGION, ("Type", "RunShellScript"), ("CommandContent", "sleep 60"), ("InstanceId.1", &instance)];
    let id = text(&ground.good("Ecs.RunCommand", &command)["InvokeId"]);
    let errand = ground.world.errands.pop().unwrap();
    assert!(!errand.stop.is_cancelled());
    ground.good("Ecs.StopInvocation", &[REGION, ("InvokeId", &id), ("InstanceId.1", &instance)]);
    assert!(errand.stop.is_cancelled());
    let late = CommandResult { exit_code: 0, output: Vec::new() };
    ground.world.script_ended(&id, &instance, Ok(late));
    let results = ground.good("Ecs.DescribeInvocationResults", &[REGION, ("InvokeId", &id)]);
    let result = &results["Invocation"]["InvocationResults"]["InvocationResult"][0];
    assert_eq!(
        (&result["InvokeRecordStatus"], &result["InvocationStatus"]),
        (&"Stopped".into(), &"Terminated".into())
    );
    assert!(!result["StopTime"].as_str().unwrap().is_empty() && result.get("ExitCode").is_none(), "{result}");
    let all = ground.good("Ecs.DescribeInvocations", &[REGION, ("InvokeStatus", "Stopped")]);
    assert_eq!(all["TotalCount"], 1);
    let none = [REGION, ("InvokeId", "t-none")];
    assert_eq!(ground.refused("Ecs.StopInvocation", &none), refusal(404, "InvalidInvokeId.NotFound"));
}

#[test]
fn quotas_are_told_and_kept() {
    let mut ground = Ground::instant();
    let told = |ground: &mut Ground, name: &str| {
        let told = ground.good("Ecs.DescribeAccountAttributes", &[REGION, ("AttributeName.1", name)]);
        let items = told["AccountAttributeItems"]["AccountAttributeItem"].as_array().unwrap().clone();
        assert_eq!(items.len(), 1);
        items[0]["AttributeValues"]["ValueItem"][0]["Value"].as_str().unwrap().parse::<u32>().unwrap()
    };
    let most = told(&mut ground, "max-postpaid-instance-vcpu-count");
    let (vpc, [vswitch, _]) = ground.network();
    let wide = ground.vswitch(&vpc, "cn-hangzhou-j", "10.1.0.0/16");
    let group = ground.security_group(&vpc);
    ground.run(&vswitch, &group, &[("Amount", "2")]).unwrap();
    assert_eq!(told(&mut ground, "used-postpaid-instance-vcpu-count"), 4);
    for _ in 0..4 {
        ground.run(&wide, &group, &[("Amount", "100")]).unwrap();
    }
    let error = ground.run(&wide, &group, &[("Amount", "100")]).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (403, "QuotaExceed.ElasticQuota"));
    assert!(told(&mut ground, "used-postpaid-instance-vcpu-count") <= most);
    let groups = told(&mut ground, "max-security-groups");
    for _ in 1..groups {
        ground.security_group(&vpc);
    }
    assert_eq!(
        ground.refused("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", &vpc)]),
        refusal(403, "QuotaExceed.SecurityGroup")
    );
    let unknown = [REGION, ("AttributeName.1", "max-coffee")];
    assert_eq!(ground.refused("Ecs.DescribeAccountAttributes", &unknown), refusal(403, "Invalid.Parameter"));
}

/// A network in which no instance comes to be.
struct Scene {
    ground: Ground,
    vswitch: String,
    group: String,
}

impl Scene {
    fn new() -> Self {
        let mut ground = Ground::instant();
        let (vpc, [vswitch, _]) = ground.network();
        let group = ground.security_group(&vpc);
        Self { ground, vswitch, group }
    }

    fn refuses(&mut self, cases: &[Case<'_>]) {
        for (more, status, code) in cases {
            let error = self.ground.run(&self.vswitch, &self.group, more).unwrap_err();
            assert_eq!((error.status, error.code.as_str()), (*status, *code), "{more:?}");
        }
        assert!(self.ground.world.instances.is_empty() && self.ground.world.disks.is_empty());
    }
}

#[test]
fn how_many_and_what_they_are_called_is_checked() {
    let mut scene = Scene::new();
    let long = "a".repeat(129);
    let data = STANDARD.encode(vec![b'x'; 32 * 1024 + 1]);
    let cases: &[Case<'_>] = &[
        (&[("Amount", "101")], 400, "InvalidMaxAmount.Malformed"),
        (&[("Amount", "0")], 400, "InvalidMaxAmount.Malformed"),
        (&[("Amount", "2"), ("MinAmount", "3")], 400, "InvalidMinAmount.Malformed"),
        (&[("InstanceName", &long)], 400, "InvalidInstanceName.Malformed"),
        (&[("InstanceName", "http://chat")], 400, "InvalidInstanceName.Malformed"),
        (&[("HostName", "-chat")], 400, "InvalidHostName.Malformed"),
        (&[("HostName", "chat"), ("HostNames.1", "chat1")], 403, "InvalidHostname.SingleAndMultiConflict"),
        (&[("Amount", "2"), ("HostNames.1", "chat1")], 403, "InvalidHostname.SizeInvalid"),
        (&[("Description", "x")], 400, "InvalidDescription.Malformed"),
        (&[("UserData", "***")], 400, "InvalidUserData.Base64FormatInvalid"),
        (&[("UserData", &data)], 400, "InvalidUserData.SizeExceeded"),
    ];
    scene.refuses(cases);
}

#[test]
fn disks_bandwidth_and_access_are_checked() {
    let mut scene = Scene::new();
    let cases: &[Case<'_>] = &[
        (&[("SystemDisk.Category", "floppy")], 400, "InvalidSystemDiskCategory.ValueNotSupported"),
        (&[("SystemDisk.Category", "cloud_ssd")], 403, "InvalidInstanceType.NotSupportDiskCategory"),
        (&[("SystemDisk.Size", "10")], 404, "InvalidSystemDiskSize.LessThanImageSize"),
        (&[("DataDisk.1.Size", "5")], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (
            &[("DataDisk.1.Category", "floppy"), ("DataDisk.1.Size", "50")],
            400,
            "InvalidDataDiskCategory.ValueNotSupported",
        ),
        (
            &[("DataDisk.1.Size", "50"), ("DataDisk.1.SnapshotId", "s-1")],
            404,
            "InvalidDataDiskSnapshotId.NotFound",
        ),
        (&[("InternetMaxBandwidthOut", "101")], 400, "InvalidInternetMaxBandwidthOut.Malformed"),
        (&[("InternetMaxBandwidthIn", "11")], 400, "InvalidInternetMaxBandwidthIn.Malformed"),
        (&[("InternetChargeType", "PayByLuck")], 400, "InvalidInternetChargeType.ValueNotSupported"),
        (&[("Password", "weak")], 400, "InvalidPassword.Malformed"),
        (&[("KeyPairName", "none")], 404, "InvalidKeyPairName.NotFound"),
    ];
    scene.refuses(cases);
}

#[test]
fn images_types_groups_and_zones_are_checked() {
    let mut scene = Scene::new();
    let group = scene.group.clone();
    let cases: &[Case<'_>] = &[
        (&[("SecurityGroupIds.1", &group)], 400, "InvalidSecurityGroupId.SingleIdAndMultiIdConflict"),
        (
            &[("SecurityGroupId", ""), ("SecurityGroupIds.1", &group), ("SecurityGroupIds.2", &group)],
            400,
            "InvalidParameter.SecurityGroupIdRepeated",
        ),
        (&[("SecurityGroupId", "sg-none")], 404, "InvalidSecurityGroupId.NotFound"),
        (
            &[("ImageId", "debian_12_11_x64_20G_alibase_20260910.vhd")],
            400,
            "UnexpectedImageFamily.ImageIdSupplied",
        ),
        (&[("ImageFamily", ""), ("ImageId", "none.vhd")], 404, "InvalidImageId.NotFound"),
        (&[("ImageFamily", "acs:alibaba_cloud_linux_3_2104_lts_arm64")], 403, "ImageNotSupportInstanceType"),
        (&[("InstanceType", "ecs.none")], 400, "InvalidInstanceType.ValueNotSupported"),
        (&[("ZoneId", "cn-hangzhou-k")], 400, "InvalidParameter.Mismatch"),
        (&[("ZoneId", "mars-a")], 404, "InvalidZoneId.NotFound"),
        (&[("VSwitchId", "vsw-none")], 404, "InvalidVSwitchId.NotFound"),
    ];
    scene.refuses(cases);
}

#[test]
fn how_instances_are_paid_and_where_they_go_is_checked() {
    let mut scene = Scene::new();
    let vswitch = scene.vswitch.clone();
    let cases: &[Case<'_>] = &[
        (&[("SpotStrategy", "Luck")], 400, "InvalidSpotStrategy"),
        (&[("SpotStrategy", "SpotWithPriceLimit")], 400, "InvalidSpotPriceLimit"),
        (
            &[("SpotStrategy", "SpotWithPriceLimit"), ("SpotPriceLimit", "0.1234")],
            400,
            "InvalidSpotPriceLimit",
        ),
        (
            &[("SpotStrategy", "SpotWithPriceLimit"), ("SpotPriceLimit", "0.001")],
            400,
            "InvalidSpotPriceLimit.LowerThanPublicPrice",
        ),
        (&[("SpotStrategy", "SpotAsPriceGo"), ("SpotDuration", "2")], 400, "InvalidSpotDuration"),
        (
            &[("SpotStrategy", "SpotAsPriceGo"), ("SpotInterruptionBehavior", "Explode")],
            400,
            "InvalidSpotInterruptionBehavior",
        ),
        (
            &[("SpotStrategy", "SpotAsPriceGo"), ("InstanceChargeType", "PrePaid"), ("Period", "1")],
            400,
            "InvalidSpotPrepaid",
        ),
        (&[("InstanceChargeType", "PrePaid"), ("Period", "10")], 400, "InvalidPeriod"),
        (&[("InstanceChargeType", "Free")], 400, "Invalid.InstanceChargeType"),
        (&[("AutoReleaseTime", "2027-01-15T08:10:00Z")], 400, "InvalidAutoReleaseTime.Malformed"),
        (&[("PrivateIpAddress", "10.9.0.1")], 400, "InvalidPrivateIpAddress"),
        (&[("PrivateIpAddress", "255.255.255.255"), ("Amount", "2")], 400, "InvalidPrivateIpAddress"),
        (&[("PrivateIpAddress", "10.0.0.254")], 400, "InvalidPrivateIpAddress.Duplicated"),
        (&[("LaunchTemplateId", "lt-1")], 404, "InvalidLaunchTemplate.NotFound"),
        (&[("IoOptimized", "none")], 400, "IoOptimized.NotSupported"),
        (
            &[("NetworkInterface.1.InstanceType", "Primary"), ("NetworkInterface.1.VSwitchId", &vswitch)],
            400,
            "InvalidParam.NetworkInterface",
        ),
        (&[("DryRun", "true")], 400, "DryRunOperation"),
    ];
    scene.refuses(cases);
}

#[test]
fn an_instance_with_a_release_time_goes_by_itself() {
    let mut ground = Ground::new(Pace::Real);
    let instance = ground.instance(&[("AutoReleaseTime", "2027-01-15T09:30:59Z")]);
    let listed = ground.good("Ecs.DescribeInstances", &[REGION]);
    assert_eq!(listed["Instances"]["Instance"][0]["AutoReleaseTime"], "2027-01-15T09:30Z");
    assert!(ground.world.instances.contains_key(&instance));
    ground.wait(7200);
    assert!(ground.world.instances.is_empty());
}

#[test]
fn a_release_time_is_set_moved_and_taken_back() {
    let mut ground = Ground::new(Pace::Real);
    let instance = ground.instance(&[]);
    ground.wait(300);
    let own = ("InstanceId", instance.as_str());
    let told = |ground: &mut Ground| {
        let listed = ground.good("Ecs.DescribeInstances", &[REGION]);
        text(&listed["Instances"]["Instance"][0]["AutoReleaseTime"])
    };
    let set = |ground: &mut Ground, at: &str| {
        ground.good("Ecs.ModifyInstanceAutoReleaseTime", &[own, ("AutoReleaseTime", at)]);
    };
    set(&mut ground, "2027-01-15T09:30:00Z");
    assert_eq!(told(&mut ground), "2027-01-15T09:30Z");
    set(&mut ground, "2027-01-15T12:00:59Z");
    assert_eq!(told(&mut ground), "2027-01-15T12:00Z");
    ground.wait(7200);
    assert!(ground.world.instances.contains_key(&instance), "the first time does not count any more");
    ground.good("Ecs.ModifyInstanceAutoReleaseTime", &[own]);
    assert_eq!(told(&mut ground), "");
    ground.wait(4 * 7200);
    assert!(ground.world.instances.contains_key(&instance), "no time counts any more");
    for (at, code) in [
        ("2027-01-15T08:00:00Z", "InvalidAutoReleaseTime.Malformed"),
        ("soon", "InvalidAutoReleaseTime.Malformed"),
    ] {
        let asked = [own, ("AutoReleaseTime", at)];
        assert_eq!(ground.refused("Ecs.ModifyInstanceAutoReleaseTime", &asked), refusal(400, code));
    }
    let nobody = [("InstanceId", "i-bp1nobody")];
    assert_eq!(ground.refused("Ecs.ModifyInstanceAutoReleaseTime", &nobody), refusal(404, "NoSuchResource"));
}

#[test]
fn a_primary_interface_says_where_an_instance_goes() {
    let mut ground = Ground::instant();
    let (vpc, [vswitch, _]) = ground.network();
    let group = ground.security_group(&vpc);
    let made = ground.run(
        "",
        "",
        &[
            ("VSwitchId", ""),
            ("SecurityGroupId", ""),
            ("Amount", "2"),
            ("NetworkInterface.1.InstanceType", "Primary"),
            ("NetworkInterface.1.VSwitchId", &vswitch),
            ("NetworkInterface.1.SecurityGroupIds.1", &group),
            ("NetworkInterface.1.PrimaryIpAddress", "10.0.0.20"),
        ],
    );
    assert_eq!(made.unwrap()["InstanceIdSets"]["InstanceIdSet"].as_array().unwrap().len(), 2);
    let found = ground.good("Ecs.DescribeInstances", &[REGION, ("PrivateIpAddresses", r#"["10.0.0.21"]"#)]);
    assert_eq!(found["TotalCount"], 1, "the addresses follow one another");
}
