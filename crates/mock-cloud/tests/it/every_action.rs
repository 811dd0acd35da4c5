//! One story in which every emulated action of ECS, VPC, ALB and Alidns succeeds at least once, so that the shape of
//! every reply has been held against its tree.

use std::collections::BTreeSet;

use base64::Engine as _;
use mock_cloud::api::emulated;
use serde_json::Value;

use crate::ground::{Ground, REGION, text};

/// A ground that remembers what was called.
struct Story {
    ground: Ground,
    told: BTreeSet<String>,
}

impl Story {
    #[track_caller]
    fn call(&mut self, name: &str, parameters: &[(&str, &str)]) -> Value {
        let reply = self.ground.good(name, parameters);
        self.ground.wait(300);
        self.told.insert(name.to_owned());
        reply
    }

    #[track_caller]
    fn regional(&mut self, name: &str, parameters: &[(&str, &str)]) -> Value {
        let mut all = vec![REGION];
        all.extend(parameters);
        self.call(name, &all)
    }
}

#[test]
fn every_action_succeeds_in_one_story() {
    let mut story = Story { ground: Ground::instant(), told: BTreeSet::new() };
    places(&mut story);
    let (vpc, switches) = network(&mut story);
    let (group, instances) = machines(&mut story, &vpc, &switches);
    scripts(&mut story, &instances);
    addresses(&mut story, &vpc, &switches, &instances);
    balancers(&mut story, &vpc, &switches, &instances);
    names(&mut story);
    take_down(&mut story, &vpc, &group, &instances);
    let ours = |name: &String| ["Ecs.", "Vpc.", "Alb.", "Alidns."].iter().any(|own| name.starts_with(own));
    let untold: Vec<String> =
        emulated().into_iter().filter(|name| ours(name) && !story.told.contains(name)).collect();
    assert!(untold.is_empty(), "never called: {untold:?}");
}

fn places(story: &mut Story) {
    for product in ["Ecs", "Vpc", "Alb"] {
        let (regions, zones) = (format!("{product}.DescribeRegions"), format!("{product}.DescribeZones"));
        assert!(story.call(&regions, &[]).to_string().contains("cn-hangzhou"));
        let own = if product == "Alb" { &[][..] } else { &[REGION][..] };
        assert!(story.call(&zones, own).to_string().contains("cn-hangzhou-j"));
    }
    let types = story.call("Ecs.DescribeInstanceTypes", &[("InstanceTypes.1", "ecs.g7.large")]);
    assert_eq!(types["InstanceTypes"]["InstanceType"][0]["CpuCoreCount"], 2);
    let offer = [("DestinationResource", "SystemDisk"), ("InstanceType", "ecs.g7.large")];
    let offer = story.regional("Ecs.DescribeAvailableResource", &offer).to_string();
    assert!(offer.contains("cloud_essd") && !offer.contains("cloud_ssd"), "{offer}");
    let images = story.regional("Ecs.DescribeImages", &[("ImageFamily", "acs:debian_12_11_x64")]);
    assert_eq!(images["TotalCount"], 1);
    let image = story.regional("Ecs.DescribeImageFromFamily", &[("ImageFamily", "acs:debian_12_11_x64")]);
    assert_eq!(image["Image"]["ImageId"], images["Images"]["Image"][0]["ImageId"]);
    story.regional("Ecs.DescribePrice", &[("InstanceType", "ecs.g7.large"), ("SystemDisk.Size", "40")]);
    let spot = [("InstanceType", "ecs.g7.large"), ("NetworkType", "vpc")];
    story.regional("Ecs.DescribeSpotPriceHistory", &spot);
    story.regional("Ecs.DescribeAccountAttributes", &[]);
}

fn network(story: &mut Story) -> (String, [String; 2]) {
    let vpc = text(&story.regional("Vpc.CreateVpc", &[("CidrBlock", "10.0.0.0/8")])["VpcId"]);
    story.regional("Vpc.ModifyVpcAttribute", &[("VpcId", &vpc), ("VpcName", "chat")]);
    assert_eq!(story.regional("Vpc.DescribeVpcAttribute", &[("VpcId", &vpc)])["VpcName"], "chat");
    assert_eq!(story.regional("Vpc.DescribeVpcs", &[("VpcName", "chat")])["TotalCount"], 1);
    let switches =
        [("cn-hangzhou-j", "10.0.0.0/24"), ("cn-hangzhou-k", "10.0.1.0/24")].map(|(zone, cidr)| {
            let new = [("VpcId", vpc.as_str()), ("ZoneId", zone), ("CidrBlock", cidr)];
            text(&story.regional("Vpc.CreateVSwitch", &new)["VSwitchId"])
        });
    assert_eq!(story.regional("Vpc.DescribeVSwitches", &[("VpcId", &vpc)])["TotalCount"], 2);
    story.regional("Vpc.DescribeVSwitchAttributes", &[("VSwitchId", &switches[0])]);
    let tag = [("ResourceType", "VPC"), ("ResourceId.1", vpc.as_str())];
    story.regional("Vpc.TagResources", &[tag[0], tag[1], ("Tag.1.Key", "a"), ("Tag.1.Value", "b")]);
    let tags = story.regional("Vpc.ListTagResources", &tag);
    assert_eq!(tags["TagResources"]["TagResource"][0]["TagValue"], "b");
    story.regional("Vpc.UnTagResources", &[tag[0], tag[1], ("TagKey.1", "a")]);
    (vpc, switches)
}

fn machines(story: &mut Story, vpc: &str, switches: &[String; 2]) -> (String, Vec<String>) {
    let group = text(&story.regional("Ecs.CreateSecurityGroup", &[("VpcId", vpc)])["SecurityGroupId"]);
    let rule = [
        ("SecurityGroupId", group.as_str()),
        ("Permissions.1.IpProtocol", "TCP"),
        ("Permissions.1.PortRange", "22/22"),
        ("Permissions.1.SourceCidrIp", "0.0.0.0/0"),
    ];
    story.regional("Ecs.AuthorizeSecurityGroup", &rule);
    let own = story.regional("Ecs.DescribeSecurityGroupAttribute", &rule[..1]);
    assert_eq!(own["Permissions"]["Permission"][0]["PortRange"], "22/22");
    let id = text(&own["Permissions"]["Permission"][0]["SecurityGroupRuleId"]);
    story.regional(
        "Ecs.ModifySecurityGroupRule",
        &[rule[0], ("SecurityGroupRuleId", &id), ("Description", "who logs in")],
    );
    story.regional("Ecs.RevokeSecurityGroup", &rule);
    assert_eq!(story.regional("Ecs.DescribeSecurityGroups", &[("VpcId", vpc)])["TotalCount"], 1);
    let key = public_key();
    story.regional("Ecs.ImportKeyPair", &[("KeyPairName", "kp"), ("PublicKeyBody", &key)]);
    story.regional("Ecs.DescribeKeyPairs", &[("IncludePublicKey", "true")]);
    let run = [
        ("ImageFamily", "acs:debian_12_11_x64"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("VSwitchId", switches[0].as_str()),
        ("SecurityGroupId", &group),
        ("KeyPairName", "kp"),
        ("Amount", "4"),
        ("InternetMaxBandwidthOut", "1"),
        ("UserData", "IyEvYmluL3No"),
        ("DataDisk.1.Size", "20"),
    ];
    let made = story.regional("Ecs.RunInstances", &run);
    let ids = made["InstanceIdSets"]["InstanceIdSet"].as_array().unwrap().iter().map(text);
    let ids: Vec<String> = ids.collect();
    let one = ("InstanceId", ids[0].as_str());
    story.regional("Ecs.ModifyInstanceAttribute", &[one, ("InstanceName", "chat")]);
    assert_eq!(story.regional("Ecs.DescribeInstances", &[("InstanceName", "chat")])["TotalCount"], 1);
    story.regional("Ecs.DescribeInstanceStatus", &[("InstanceId.1", &ids[0])]);
    assert_eq!(story.call("Ecs.DescribeInstanceAttribute", &[one])["InstanceName"], "chat");
    assert_eq!(story.regional("Ecs.DescribeUserData", &[one])["UserData"], "IyEvYmluL3No");
    let disks = story.regional("Ecs.DescribeDisks", &[one]);
    assert_eq!(disks["TotalCount"], 2);
    let disk = text(&disks["Disks"]["Disk"][0]["DiskId"]);
    story.call("Ecs.ResizeDisk", &[("DiskId", &disk), ("NewSize", "500"), ("Type", "online")]);
    story.regional("Ecs.ModifyDiskAttribute", &[("DiskId", &disk), ("DiskName", "grown")]);
    story.regional("Ecs.ModifyInstanceAutoReleaseTime", &[one]);
    assert_eq!(story.regional("Ecs.DescribeNetworkInterfaces", &[one])["TotalCount"], 1);
    story.regional("Ecs.GetInstanceConsoleOutput", &[one]);
    story.call("Ecs.AllocatePublicIpAddress", &[one]);
    for action in ["RebootInstance", "StopInstance", "StartInstance"] {
        story.call(&format!("Ecs.{action}"), &[one]);
    }
    for action in ["StopInstances", "StartInstances"] {
        let reply = story.regional(&format!("Ecs.{action}"), &[("InstanceId.1", &ids[0])]);
        assert_eq!(reply["InstanceResponses"]["InstanceResponse"][0]["Code"], "200");
    }
    let tag = [("ResourceType", "instance"), ("ResourceId.1", ids[0].as_str())];
    story.regional("Ecs.TagResources", &[tag[0], tag[1], ("Tag.1.Key", "a"), ("Tag.1.Value", "b")]);
    story.regional("Ecs.ListTagResources", &tag);
    story.regional("Ecs.UntagResources", &[tag[0], tag[1], ("TagKey.1", "a")]);
    (group, ids)
}

fn public_key() -> String {
    let mut blob = vec![0, 0, 0, 7];
    blob.extend(b"ssh-rsa");
    blob.extend([0, 0, 0, 3, 1, 0, 1, 0, 0, 0, 32]);
    blob.extend([7; 32]);
    format!("ssh-rsa {}", base64::engine::general_purpose::STANDARD.encode(blob))
}

fn scripts(story: &mut Story, instances: &[String]) {
    let command = [("Type", "RunShellScript"), ("CommandContent", "true"), ("InstanceId.1", &instances[0])];
    let id = text(&story.regional("Ecs.RunCommand", &command)["InvokeId"]);
    assert_eq!(story.regional("Ecs.DescribeInvocations", &[("InvokeId", &id)])["TotalCount"], 1);
    story.regional("Ecs.DescribeInvocationResults", &[("InvokeId", &id)]);
    story.regional("Ecs.StopInvocation", &[("InvokeId", &id)]);
    let own = story.regional("Ecs.DescribeCloudAssistantStatus", &[("InstanceId.1", &instances[0])]);
    let row = &own["InstanceCloudAssistantStatusSet"]["InstanceCloudAssistantStatus"][0];
    assert_eq!(row["CloudAssistantStatus"], "true");
}

fn addresses(story: &mut Story, vpc: &str, switches: &[String; 2], instances: &[String]) {
    let gateway = [("VpcId", vpc), ("VSwitchId", &switches[0])];
    let made = story.regional("Vpc.CreateNatGateway", &gateway);
    let (id, table) = (text(&made["NatGatewayId"]), text(&made["SnatTableIds"]["SnatTableId"][0]));
    let made = story.regional("Vpc.AllocateEipAddress", &[]);
    let (eip, address) = (text(&made["AllocationId"]), text(&made["EipAddress"]));
    let bind = [("AllocationId", eip.as_str()), ("InstanceId", &id), ("InstanceType", "Nat")];
    story.regional("Vpc.AssociateEipAddress", &bind);
    let entry = [("SnatTableId", table.as_str()), ("SourceVSwitchId", &switches[1]), ("SnatIp", &address)];
    let entry = text(&story.regional("Vpc.CreateSnatEntry", &entry)["SnatEntryId"]);
    assert_eq!(story.regional("Vpc.DescribeSnatTableEntries", &[("SnatTableId", &table)])["TotalCount"], 1);
    assert_eq!(story.regional("Vpc.DescribeNatGateways", &[("VpcId", vpc)])["TotalCount"], 1);
    assert_eq!(story.regional("Vpc.DescribeEipAddresses", &[("AllocationId", &eip)])["TotalCount"], 1);
    story.regional("Vpc.DeleteSnatEntry", &[("SnatTableId", &table), ("SnatEntryId", &entry)]);
    story.regional("Vpc.UnassociateEipAddress", &bind);
    story.regional("Vpc.ReleaseEipAddress", &[("AllocationId", &eip)]);
    story.regional("Vpc.DeleteNatGateway", &[("NatGatewayId", &id)]);
    assert!(!instances.is_empty());
}

fn balancers(story: &mut Story, vpc: &str, switches: &[String; 2], instances: &[String]) {
    let new = [
        ("VpcId", vpc),
        ("AddressType", "Internet"),
        ("LoadBalancerEdition", "Standard"),
        ("LoadBalancerBillingConfig.PayType", "PostPay"),
        ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
        ("ZoneMappings.1.VSwitchId", &switches[0]),
        ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
        ("ZoneMappings.2.VSwitchId", &switches[1]),
    ];
    let id = text(&story.call("Alb.CreateLoadBalancer", &new)["LoadBalancerId"]);
    let own = ("LoadBalancerId", id.as_str());
    let on = ("HealthCheckConfig.HealthCheckEnabled", "true");
    let group = [("ServerGroupName", "chat"), ("VpcId", vpc), on];
    let group = text(&story.call("Alb.CreateServerGroup", &group)["ServerGroupId"]);
    servers(story, &group, instances);
    let certificate = story.ground.certificate("chat");
    let other = story.ground.certificate("other");
    let new = [
        own,
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("Certificates.1.CertificateId", &certificate),
        ("DefaultActions.1.Type", "ForwardGroup"),
        ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &group),
    ];
    let made = story.call("Alb.CreateListener", &new);
    let listener = text(&made["ListenerId"]);
    let listen = ("ListenerId", listener.as_str());
    story.call("Alb.ListAsynJobs", &[("JobIds.1", &text(&made["JobId"]))]);
    listeners(story, &listener, &other);
    rules(story, &listener, &group);
    story.call("Alb.DeleteListener", &[listen]);
    options(story, &id, vpc);
    story.call("Alb.DeleteServerGroup", &[("ServerGroupId", &group)]);
    story.call("Alb.DeleteLoadBalancer", &[own]);
}

fn servers(story: &mut Story, group: &str, instances: &[String]) {
    let own = ("ServerGroupId", group);
    let server = |id: &str| {
        ["ServerId", "ServerType", "Port"].map(|name| format!("Servers.1.{name}")).into_iter().zip([
            id.to_owned(),
            "Ecs".to_owned(),
            "5000".to_owned(),
        ])
    };
    for (action, id) in [
        ("Alb.AddServersToServerGroup", &instances[0]),
        ("Alb.UpdateServerGroupServersAttribute", &instances[0]),
        ("Alb.RemoveServersFromServerGroup", &instances[0]),
        ("Alb.AddServersToServerGroup", &instances[1]),
    ] {
        let server: Vec<(String, String)> = server(id).collect();
        let mut all = vec![own];
        all.extend(server.iter().map(|(a, b)| (a.as_str(), b.as_str())));
        story.call(action, &all);
    }
    let replace = [
        own,
        ("RemovedServers.1.ServerId", instances[1].as_str()),
        ("RemovedServers.1.ServerType", "Ecs"),
        ("RemovedServers.1.Port", "5000"),
        ("AddedServers.1.ServerId", &instances[2]),
        ("AddedServers.1.ServerType", "Ecs"),
        ("AddedServers.1.Port", "5000"),
    ];
    story.call("Alb.ReplaceServersInServerGroup", &replace);
    let listed = story.call("Alb.ListServerGroupServers", &[own]);
    assert_eq!(
        (&listed["TotalCount"], &listed["Servers"][0]["ServerId"]),
        (&1.into(), &instances[2].as_str().into())
    );
    story.call("Alb.UpdateServerGroupAttribute", &[own, ("ServerGroupName", "talk")]);
    let groups = story.call("Alb.ListServerGroups", &[("ServerGroupIds.1", group)]);
    assert_eq!(groups["ServerGroups"][0]["ServerGroupName"], "talk");
}

fn listeners(story: &mut Story, listener: &str, other: &str) {
    let own = ("ListenerId", listener);
    story.call("Alb.UpdateListenerAttribute", &[own, ("ListenerDescription", "front")]);
    for action in ["StopListener", "StartListener"] {
        story.call(&format!("Alb.{action}"), &[own]);
    }
    assert_eq!(story.call("Alb.GetListenerAttribute", &[own])["ListenerDescription"], "front");
    assert_eq!(story.call("Alb.ListListeners", &[("ListenerIds.1", listener)])["TotalCount"], 1);
    story.call("Alb.GetListenerHealthStatus", &[own, ("IncludeRule", "true")]);
    let certificate = [own, ("Certificates.1.CertificateId", other)];
    story.call("Alb.AssociateAdditionalCertificatesWithListener", &certificate);
    assert_eq!(story.call("Alb.ListListenerCertificates", &[own])["TotalCount"], 2);
    story.call("Alb.DissociateAdditionalCertificatesFromListener", &certificate);
    assert!(story.call("Alb.ListSystemSecurityPolicies", &[])["SecurityPolicies"].is_array());
}

fn rules(story: &mut Story, listener: &str, group: &str) {
    let new = [
        ("ListenerId", listener),
        ("RuleName", "by path"),
        ("Priority", "1"),
        ("RuleConditions.1.Type", "Path"),
        ("RuleConditions.1.PathConfig.Values.1", "/chat"),
        ("RuleConditions.2.Type", "Header"),
        ("RuleConditions.2.HeaderConfig.Key", "X-Chat"),
        ("RuleConditions.2.HeaderConfig.Values.1", "yes"),
        ("RuleConditions.3.Type", "QueryString"),
        ("RuleConditions.3.QueryStringConfig.Values.1.Key", "room"),
        ("RuleConditions.3.QueryStringConfig.Values.1.Value", "1"),
        ("RuleActions.1.Type", "InsertHeader"),
        ("RuleActions.1.Order", "1"),
        ("RuleActions.1.InsertHeaderConfig.Key", "X-Room"),
        ("RuleActions.1.InsertHeaderConfig.Value", "ClientSrcIp"),
        ("RuleActions.1.InsertHeaderConfig.ValueType", "SystemDefined"),
        ("RuleActions.2.Type", "TrafficLimit"),
        ("RuleActions.2.Order", "2"),
        ("RuleActions.2.TrafficLimitConfig.QPS", "100"),
        ("RuleActions.3.Type", "Cors"),
        ("RuleActions.3.Order", "3"),
        ("RuleActions.3.CorsConfig.AllowOrigin.1", "*"),
        ("RuleActions.4.Type", "Rewrite"),
        ("RuleActions.4.Order", "4"),
        ("RuleActions.4.RewriteConfig.Path", "/talk"),
        ("RuleActions.5.Type", "ForwardGroup"),
        ("RuleActions.5.Order", "5"),
        ("RuleActions.5.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", group),
        ("RuleActions.5.ForwardGroupConfig.ServerGroupStickySession.Enabled", "true"),
    ];
    let rule = text(&story.call("Alb.CreateRule", &new)["RuleId"]);
    story.call("Alb.UpdateRuleAttribute", &[("RuleId", &rule), ("RuleName", "by room")]);
    assert_eq!(story.call("Alb.ListRules", &[("RuleIds.1", &rule)])["Rules"][0]["RuleName"], "by room");
    story.call("Alb.GetListenerHealthStatus", &[("ListenerId", listener), ("IncludeRule", "true")]);
    story.call("Alb.DeleteRule", &[("RuleId", &rule)]);
}

fn options(story: &mut Story, id: &str, vpc: &str) {
    let own = ("LoadBalancerId", id);
    story.call("Alb.UpdateLoadBalancerAttribute", &[own, ("LoadBalancerName", "front")]);
    story.call("Alb.EnableDeletionProtection", &[("ResourceId", id)]);
    story.call("Alb.DisableDeletionProtection", &[("ResourceId", id)]);
    story.call("Alb.EnableLoadBalancerAccessLog", &[own, ("LogProject", "chat"), ("LogStore", "access")]);
    let group = story.ground.security_group(vpc);
    story.call("Alb.LoadBalancerJoinSecurityGroup", &[own, ("SecurityGroupIds.1", &group)]);
    assert_eq!(story.call("Alb.GetLoadBalancerAttribute", &[own])["LoadBalancerName"], "front");
    assert_eq!(story.call("Alb.ListLoadBalancers", &[("LoadBalancerIds.1", id)])["TotalCount"], 1);
    let tag = [("ResourceType", "loadbalancer"), ("ResourceId.1", id)];
    story.call("Alb.TagResources", &[tag[0], tag[1], ("Tag.1.Key", "a"), ("Tag.1.Value", "b")]);
    story.call("Alb.ListTagResources", &tag);
    story.call("Alb.UnTagResources", &[tag[0], tag[1], ("TagKey.1", "a")]);
}

fn names(story: &mut Story) {
    let domain = ("DomainName", "example.com");
    let new = [domain, ("RR", "chat"), ("Type", "A"), ("Value", "192.0.2.1")];
    let id = text(&story.call("Alidns.AddDomainRecord", &new)["RecordId"]);
    let own = ("RecordId", id.as_str());
    let change = [own, ("RR", "chat"), ("Type", "A"), ("Value", "192.0.2.2")];
    story.call("Alidns.UpdateDomainRecord", &change);
    story.call("Alidns.UpdateDomainRecordRemark", &[own, ("Remark", "ours")]);
    story.call("Alidns.SetDomainRecordStatus", &[own, ("Status", "Disable")]);
    let told = story.call("Alidns.DescribeDomainRecordInfo", &[own]);
    assert_eq!((&told["Value"], &told["Remark"]), (&"192.0.2.2".into(), &"ours".into()));
    assert_eq!(story.call("Alidns.DescribeDomainRecords", &[domain])["TotalCount"], 1);
    assert_eq!(
        story.call("Alidns.DescribeSubDomainRecords", &[("SubDomain", "chat.example.com")])["TotalCount"],
        1
    );
    for action in ["DescribeDomainInfo", "DescribeDomainNs"] {
        story.call(&format!("Alidns.{action}"), &[domain]);
    }
    assert_eq!(story.call("Alidns.DescribeDomains", &[])["TotalCount"], 1);
    story.call("Alidns.DeleteDomainRecord", &[own]);
    story.call("Alidns.DeleteSubDomainRecords", &[domain, ("RR", "chat")]);
}

fn take_down(story: &mut Story, vpc: &str, group: &str, instances: &[String]) {
    story.call("Ecs.DeleteInstance", &[("InstanceId", &instances[0]), ("Force", "true")]);
    let names: Vec<String> = (1..instances.len()).map(|index| format!("InstanceId.{index}")).collect();
    let mut rest = vec![("Force", "true")];
    rest.extend(names.iter().map(String::as_str).zip(instances[1..].iter().map(String::as_str)));
    story.regional("Ecs.DeleteInstances", &rest);
    story.regional("Ecs.DeleteKeyPairs", &[("KeyPairNames", r#"["kp"]"#)]);
    let listed = story.ground.good("Ecs.DescribeSecurityGroups", &[REGION, ("VpcId", vpc)]);
    for own in listed["SecurityGroups"]["SecurityGroup"].as_array().unwrap() {
        let id = text(&own["SecurityGroupId"]);
        story.regional("Ecs.DeleteSecurityGroup", &[("SecurityGroupId", &id)]);
    }
    assert!(story.ground.call("Ecs.DeleteSecurityGroup", &[REGION, ("SecurityGroupId", group)]).is_err());
    let switches = story.ground.good("Vpc.DescribeVSwitches", &[REGION, ("VpcId", vpc)]);
    for own in switches["VSwitches"]["VSwitch"].as_array().unwrap() {
        story.regional("Vpc.DeleteVSwitch", &[("VSwitchId", &text(&own["VSwitchId"]))]);
    }
    story.regional("Vpc.DeleteVpc", &[("VpcId", vpc)]);
    let left: Vec<(&str, usize)> =
        story.ground.world.census().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(left, [("certificate", 2)], "the certificate service is none of ours");
}
