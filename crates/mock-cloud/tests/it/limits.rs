//! Quotas, conditions between parameters, and pages: what the older handlers refuse, and what they tell again.

use serde_json::{Value, json};

use crate::ground::{Ground, REGION, refusal, text};

#[test]
fn a_region_has_ten_networks() {
    let mut ground = Ground::instant();
    for _ in 0..10 {
        ground.good("Vpc.CreateVpc", &[REGION]);
    }
    assert_eq!(ground.refused("Vpc.CreateVpc", &[REGION]), refusal(400, "QuotaExceeded.Vpc"));
    ground.good("Vpc.CreateVpc", &[("RegionId", "us-west-1")]);
    let bad = [("RegionId", "us-west-1"), ("Description", "http://chat")];
    assert_eq!(ground.refused("Vpc.CreateVpc", &bad), refusal(400, "InvalidVpcDiscription.Malformed"));
}

#[test]
fn the_basic_edition_drains_no_connections_and_starts_none_slowly() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Basic");
    let draining = ground.server_group(&vpc, &[("ConnectionDrainConfig.ConnectionDrainEnabled", "true")]);
    let slow = ground.server_group(&vpc, &[("SlowStartConfig.SlowStartEnabled", "true")]);
    let code = |ground: &mut Ground, group: &str| ground.listener(&balancer, group, &[]).unwrap_err().code;
    assert_eq!(code(&mut ground, &draining), "Mismatch.LoadBalancerEditionAndConnectionDrain");
    assert_eq!(code(&mut ground, &slow), "Mismatch.LoadBalancerEditionAndSlowStartEnable");
    let plain = ground.server_group(&vpc, &[]);
    ground.listener(&balancer, &plain, &[]).unwrap();
    let change =
        [("ServerGroupId", plain.as_str()), ("ConnectionDrainConfig.ConnectionDrainEnabled", "true")];
    assert_eq!(
        ground.refused("Alb.UpdateServerGroupAttribute", &change),
        refusal(400, "Mismatch.LoadBalancerEditionAndConnectionDrain")
    );
    let on = ("StickySessionConfig.StickySessionEnabled", "true");
    let own = ("StickySessionConfig.StickySessionType", "Server");
    let new = [
        ("ServerGroupName", "chat"),
        ("VpcId", &vpc),
        ("HealthCheckConfig.HealthCheckEnabled", "false"),
        on,
        own,
    ];
    assert_eq!(
        ground.refused("Alb.CreateServerGroup", &new),
        refusal(400, "MissingStickySessionConfigCookie")
    );
}

#[test]
fn a_group_that_is_being_deleted_takes_no_listener() {
    let mut ground = Ground::new(mock_cloud::world::pace::Pace::Real);
    let (vpc, balancer) = ground.balancer("Basic");
    let group = ground.server_group(&vpc, &[]);
    ground.good("Alb.DeleteServerGroup", &[("ServerGroupId", &group)]);
    let error = ground.listener(&balancer, &group, &[]).unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (404, "ResourceNotFound.ServerGroup"));
}

#[test]
fn what_a_listener_adds_to_requests_is_told_again() {
    let mut ground = Ground::instant();
    let (vpc, balancer) = ground.balancer("Standard");
    let group = ground.server_group(&vpc, &[]);
    let switch = ("XForwardedForConfig.XForwardedForProtoEnabled", "True");
    let id = text(&ground.listener(&balancer, &group, &[switch]).unwrap()["ListenerId"]);
    let own = ("ListenerId", id.as_str());
    let mode = ("XForwardedForConfig.XForwardedForProcessingMode", "remove");
    ground.good("Alb.UpdateListenerAttribute", &[own, mode]);
    let told = ground.good("Alb.GetListenerAttribute", &[own])["XForwardedForConfig"].clone();
    assert_eq!(told["XForwardedForProtoEnabled"], true);
    assert_eq!(told["XForwardedForProcessingMode"], "remove");
    assert_eq!((&told["XForwardedForEnabled"], told.as_object().unwrap().len()), (&json!(true), 17));
}

#[test]
fn an_address_that_was_brought_along_stays_with_the_account() {
    let mut ground = Ground::instant();
    let (vpc, switches) = ground.network();
    let made = ground.good("Vpc.AllocateEipAddress", &[REGION]);
    let eip = text(&made["AllocationId"]);
    let new = [
        ("VpcId", vpc.as_str()),
        ("AddressType", "Internet"),
        ("LoadBalancerEdition", "Basic"),
        ("LoadBalancerBillingConfig.PayType", "PostPay"),
        ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
        ("ZoneMappings.1.VSwitchId", &switches[0]),
        ("ZoneMappings.1.AllocationId", &eip),
        ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
        ("ZoneMappings.2.VSwitchId", &switches[1]),
    ];
    let balancer = text(&ground.good("Alb.CreateLoadBalancer", &new)["LoadBalancerId"]);
    let told = ground.good("Alb.GetLoadBalancerAttribute", &[("LoadBalancerId", &balancer)]);
    assert_eq!(told["ZoneMappings"][0]["LoadBalancerAddresses"][0]["Address"], made["EipAddress"]);
    assert_eq!(
        ground.refused("Vpc.ReleaseEipAddress", &[("AllocationId", &eip)]),
        refusal(400, "IncorrectEipStatus")
    );
    ground.good("Alb.DeleteLoadBalancer", &[("LoadBalancerId", &balancer)]);
    let left = ground.good("Vpc.DescribeEipAddresses", &[REGION]);
    let left = left["EipAddresses"]["EipAddress"].as_array().unwrap().clone();
    assert_eq!((left.len(), &left[0]["Status"]), (1, &"Available".into()));
}

#[test]
fn scripts_have_bounds() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[]);
    let mut refused = |more: &[(&str, &str)]| {
        let mut own =
            vec![REGION, ("Type", "RunShellScript"), ("CommandContent", "true"), ("InstanceId.1", &instance)];
        own.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        own.extend(more);
        ground.refused("Ecs.RunCommand", &own)
    };
    let long = "x".repeat(129);
    assert_eq!(refused(&[("Timeout", "9")]), refusal(400, "InvalidParameter"));
    assert_eq!(refused(&[("Name", &long)]), refusal(403, "CmdName.ExceedLimit"));
    assert_eq!(refused(&[("Type", "RunBatScript")]), refusal(400, "InvalidInstance.NotMatch"));
    assert_eq!(refused(&[("RepeatMode", "Sometimes")]), refusal(404, "InvalidRepeatMode.NotFound"));
    assert_eq!(
        refused(&[("ContentEncoding", "Base64"), ("CommandContent", "***")]),
        refusal(400, "CmdContent.DecodeError")
    );
}

#[test]
fn security_groups_admit_groups_of_their_own_network() {
    let mut ground = Ground::instant();
    let (one, _) = ground.network();
    let (two, _) = ground.network();
    let (own, far) = (ground.security_group(&one), ground.security_group(&two));
    let enterprise = [REGION, ("VpcId", one.as_str()), ("SecurityGroupType", "enterprise")];
    let enterprise = text(&ground.good("Ecs.CreateSecurityGroup", &enterprise)["SecurityGroupId"]);
    let rule = |group: &str, source: &str| -> Vec<(String, String)> {
        [
            ("SecurityGroupId", group),
            ("IpProtocol", "tcp"),
            ("PortRange", "80/80"),
            ("SourceGroupId", source),
            REGION,
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .to_vec()
    };
    let mut refused = |group: &str, source: &str| {
        let rule = rule(group, source);
        let rule: Vec<(&str, &str)> = rule.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        ground.refused("Ecs.AuthorizeSecurityGroup", &rule)
    };
    assert_eq!(refused(&own, &far), refusal(400, "InvalidSourceGroupId.Mismatch"));
    assert_eq!(refused(&enterprise, &own), refusal(400, "InvalidGroupAuthParameter.OperationDenied"));
    assert_eq!(refused(&own, "sg-none"), refusal(404, "InvalidSourceGroupId.NotFound"));
    let kind = [REGION, ("VpcId", one.as_str()), ("SecurityGroupType", "loose")];
    assert_eq!(ground.refused("Ecs.CreateSecurityGroup", &kind), refusal(400, "InvalidParams.GroupType"));
}

#[test]
fn an_instance_is_changed_within_its_network() {
    let mut ground = Ground::instant();
    let instance = ground.instance(&[]);
    let (far, _) = ground.network();
    let far = ground.security_group(&far);
    let own = ("InstanceId", instance.as_str());
    let change =
        |ground: &mut Ground, more: (&str, &str)| ground.refused("Ecs.ModifyInstanceAttribute", &[own, more]);
    assert_eq!(
        change(&mut ground, ("SecurityGroupIds.1", &far)),
        refusal(404, "InvalidSecurityGroupVpc.NotBelongToOneVpc")
    );
    assert_eq!(change(&mut ground, ("Password", "weak")), refusal(400, "InvalidPassword.Malformed"));
    assert_eq!(change(&mut ground, ("UserData", "***")), refusal(403, "InvalidUserData.Base64FormatInvalid"));
    assert_eq!(change(&mut ground, ("UserData", "IyEvYmluL3No")), refusal(403, "IncorrectInstanceStatus"));
    ground.good("Ecs.StopInstance", &[own, ("StoppedMode", "StopCharging")]);
    let listed = ground.good("Ecs.DescribeInstances", &[REGION]);
    assert_eq!(listed["Instances"]["Instance"][0]["StoppedMode"], "StopCharging");
    ground.good("Ecs.ModifyInstanceAttribute", &[own, ("UserData", "IyEvYmluL3No")]);
    assert_eq!(ground.good("Ecs.DescribeUserData", &[REGION, own])["UserData"], "IyEvYmluL3No");
}

/// Name of a list, where its items are, and what it needs.
type List<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Pages through a numbered list: sizes of the pages, and the page after the last one.
fn numbered(ground: &mut Ground, name: &str, place: &str, more: &[(&str, &str)]) -> Vec<usize> {
    let mut sizes = Vec::new();
    for number in ["1", "2", "3", "4000000000000000000"] {
        let mut own = more.to_vec();
        own.extend([("PageSize", "2"), ("PageNumber", number)]);
        let page = ground.good(name, &own);
        assert_eq!((&page["PageSize"], &page["TotalCount"]), (&2.into(), &3.into()), "{name}: {page}");
        sizes.push(page.pointer(place).and_then(Value::as_array).unwrap().len());
    }
    sizes
}

#[test]
fn numbered_lists_end_and_go_no_further() {
    let mut ground = Ground::instant();
    let vpc = ground.network().0;
    ground.vswitch(&vpc, "cn-hangzhou-j", "10.9.0.0/24");
    for host in ["a", "b", "c"] {
        let record = [("DomainName", "example.com"), ("RR", host), ("Type", "A"), ("Value", "192.0.2.1")];
        ground.good("Alidns.AddDomainRecord", &record);
    }
    for _ in 0..2 {
        ground.good("Vpc.CreateVpc", &[REGION]);
    }
    for _ in 0..3 {
        ground.security_group(&vpc);
    }
    let all: &[List<'_>] = &[
        ("Vpc.DescribeVpcs", "/Vpcs/Vpc", &[REGION]),
        ("Vpc.DescribeVSwitches", "/VSwitches/VSwitch", &[REGION]),
        ("Ecs.DescribeSecurityGroups", "/SecurityGroups/SecurityGroup", &[REGION]),
        ("Alidns.DescribeDomainRecords", "/DomainRecords/Record", &[("DomainName", "example.com")]),
    ];
    for (name, place, more) in all {
        assert_eq!(numbered(&mut ground, name, place, more), [2, 1, 0, 0], "{name}");
    }
    for (name, more) in
        [("Vpc.DescribeVpcs", ("PageSize", "51")), ("Alidns.DescribeDomainRecords", ("PageSize", "501"))]
    {
        let own = [REGION, ("DomainName", "example.com"), more];
        let skip = usize::from(!name.starts_with("Vpc"));
        let own: Vec<(&str, &str)> = if skip == 1 { own[1..].to_vec() } else { vec![own[0], own[2]] };
        assert_eq!(ground.refused(name, &own), refusal(400, "InvalidParameter"), "{name}");
    }
}
