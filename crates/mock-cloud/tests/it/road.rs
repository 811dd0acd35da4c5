//! The chatroom, from nothing to a name that resolves, and back to nothing.

use base64::Engine as _;
use serde_json::Value;

use crate::support::Cloud;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const PASSING: &[&str] =
    &["DependencyViolation", "TaskConflict", "IncorrectStatus", "ResourceIn", "IncorrectV"];

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}"))
}

struct Network {
    vpc: String,
    switches: [String; 2],
    group: String,
}

struct Balancer {
    id: String,
    group: String,
    listener: String,
    record: String,
}

async fn make_network(cloud: &Cloud) -> Network {
    let made =
        cloud.call("Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8"), ("VpcName", "chat")]).await.good();
    let vpc = text(&made, "VpcId").to_owned();
    cloud
        .wait("Vpc.DescribeVpcAttribute", &[REGION, ("VpcId", &vpc)], |body| body["Status"] == "Available")
        .await;
    let mut switches = Vec::new();
    for (zone, cidr) in [("cn-hangzhou-j", "10.0.0.0/24"), ("cn-hangzhou-k", "10.0.1.0/24")] {
        let new = [REGION, ("VpcId", vpc.as_str()), ("ZoneId", zone), ("CidrBlock", cidr)];
        let made = cloud.call_until_settled("Vpc.CreateVSwitch", &new, PASSING).await;
        let switch = text(&made, "VSwitchId").to_owned();
        let own = [REGION, ("VSwitchId", switch.as_str())];
        cloud.wait("Vpc.DescribeVSwitchAttributes", &own, |body| body["Status"] == "Available").await;
        switches.push(switch);
    }
    let made = cloud.call("Ecs.CreateSecurityGroup", &[REGION, ("VpcId", &vpc)]).await.good();
    let group = text(&made, "SecurityGroupId").to_owned();
    let rule = [
        REGION,
        ("SecurityGroupId", group.as_str()),
        ("Permissions.1.IpProtocol", "tcp"),
        ("Permissions.1.PortRange", "5000/5000"),
        ("Permissions.1.SourceCidrIp", "10.0.0.0/24"),
    ];
    cloud.call("Ecs.AuthorizeSecurityGroup", &rule).await.good();
    cloud.call("Ecs.AuthorizeSecurityGroup", &rule).await.good();
    let own =
        cloud.call("Ecs.DescribeSecurityGroupAttribute", &[REGION, ("SecurityGroupId", &group)]).await.good();
    assert_eq!(
        own["Permissions"]["Permission"].as_array().unwrap().len(),
        1,
        "an existing rule adds nothing"
    );
    Network { vpc, switches: switches.try_into().unwrap(), group }
}

fn public_key() -> String {
    let mut blob = vec![0, 0, 0, 7];
    blob.extend(b"ssh-rsa");
    blob.extend([0, 0, 0, 3, 1, 0, 1, 0, 0, 0, 32]);
    blob.extend([7; 32]);
    format!("ssh-rsa {} me", base64::engine::general_purpose::STANDARD.encode(blob))
}

async fn make_instances(cloud: &Cloud, network: &Network) -> Vec<String> {
    let key = public_key();
    cloud.call("Ecs.ImportKeyPair", &[REGION, ("KeyPairName", "kp"), ("PublicKeyBody", &key)]).await.good();
    let run = [
        REGION,
        ("ImageFamily", "acs:debian_12_11_x64"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("VSwitchId", network.switches[0].as_str()),
        ("SecurityGroupId", network.group.as_str()),
        ("KeyPairName", "kp"),
        ("InstanceName", "ecs[1,2]"),
        ("HostName", "ecs[1,2]"),
        ("Amount", "3"),
        ("InternetMaxBandwidthOut", "5"),
    ];
    let mut dry = run.to_vec();
    dry.push(("DryRun", "true"));
    cloud.call("Ecs.RunInstances", &dry).await.refused(400, "DryRunOperation");
    let made = cloud.call("Ecs.RunInstances", &run).await.good();
    let running = |body: &Value| {
        let instances = body["Instances"]["Instance"].as_array().unwrap();
        instances.len() == 3 && instances.iter().all(|own| own["Status"] == "Running")
    };
    let listed = cloud.wait("Ecs.DescribeInstances", &[REGION], running).await;
    let first = &listed["Instances"]["Instance"][0];
    assert_eq!((text(first, "InstanceName"), text(first, "HostName")), ("ecs01", "ecs01"));
    assert_eq!(first["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0], "10.0.0.1");
    assert!(first["PublicIpAddress"]["IpAddress"][0].as_str().unwrap().starts_with("198.18."));
    let ids = made["InstanceIdSets"]["InstanceIdSet"].as_array().unwrap();
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

async fn read_host_key(cloud: &Cloud, instance: &str) {
    let script = ("CommandContent", "cat /etc/ssh/ssh_host_ed25519_key.pub");
    let command = [REGION, ("Type", "RunShellScript"), script, ("InstanceId.1", instance)];
    let made = cloud.call("Ecs.RunCommand", &command).await.good();
    let own = [REGION, ("InvokeId", text(&made, "InvokeId")), ("ContentEncoding", "PlainText")];
    let finished = |body: &Value| {
        body["Invocation"]["InvocationResults"]["InvocationResult"][0]["InvokeRecordStatus"] == "Finished"
    };
    let results = cloud.wait("Ecs.DescribeInvocationResults", &own, finished).await;
    let result = &results["Invocation"]["InvocationResults"]["InvocationResult"][0];
    assert!(text(result, "Output").starts_with("ssh-ed25519 AAAA"), "{result}");
    assert_eq!(result["ExitCode"], 0);
}

async fn make_balancer(cloud: &Cloud, network: &Network, instances: &[String]) -> Balancer {
    let new = [
        ("VpcId", network.vpc.as_str()),
        ("AddressType", "Internet"),
        ("LoadBalancerEdition", "Basic"),
        ("LoadBalancerBillingConfig.PayType", "PostPay"),
        ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
        ("ZoneMappings.1.VSwitchId", &network.switches[0]),
        ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
        ("ZoneMappings.2.VSwitchId", &network.switches[1]),
    ];
    let id = text(&cloud.call("Alb.CreateLoadBalancer", &new).await.good(), "LoadBalancerId").to_owned();
    let on = ("HealthCheckConfig.HealthCheckEnabled", "true");
    let new = [("ServerGroupName", "chat"), ("VpcId", network.vpc.as_str()), on];
    let group = text(&cloud.call("Alb.CreateServerGroup", &new).await.good(), "ServerGroupId").to_owned();
    let own = [("LoadBalancerId", id.as_str())];
    let active = |body: &Value| body["LoadBalancerStatus"] == "Active";
    let balancer = cloud.wait("Alb.GetLoadBalancerAttribute", &own, active).await;
    let available = |body: &Value| body["ServerGroups"][0]["ServerGroupStatus"] == "Available";
    cloud.wait("Alb.ListServerGroups", &[("ServerGroupIds.1", &group)], available).await;
    let servers = [
        ("Servers.1.ServerId", instances[0].as_str()),
        ("Servers.1.ServerType", "Ecs"),
        ("Servers.1.Port", "5000"),
        ("Servers.2.ServerId", instances[1].as_str()),
        ("Servers.2.ServerType", "Ecs"),
        ("Servers.2.Port", "5000"),
    ];
    let own = [("ServerGroupId", group.as_str())];
    cloud.call_with_form("Alb.AddServersToServerGroup", &own, &servers).await.good();
    let new = [
        ("LoadBalancerId", id.as_str()),
        ("ListenerPort", "5000"),
        ("ListenerProtocol", "HTTP"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &group),
    ];
    let made = cloud.call_until_settled("Alb.CreateListener", &new, PASSING).await;
    let listener = text(&made, "ListenerId").to_owned();
    let done = |body: &Value| body["Jobs"][0]["Status"] == "Succeeded";
    cloud.wait("Alb.ListAsynJobs", &[("JobIds.1", text(&made, "JobId"))], done).await;
    let health = cloud.call("Alb.GetListenerHealthStatus", &[("ListenerId", &listener)]).await.good();
    assert_eq!(
        health["ListenerHealthStatus"][0]["ServerGroupInfos"][0]["NonNormalServers"],
        serde_json::json!([])
    );
    let name = ("Value", text(&balancer, "DNSName"));
    let record = [("DomainName", "example.com"), ("RR", "@"), ("Type", "CNAME"), name];
    let made = cloud.call("Alidns.AddDomainRecord", &record).await.good();
    cloud.call("Alidns.AddDomainRecord", &record).await.refused(400, "DomainRecordDuplicate");
    let address = [("DomainName", "example.com"), ("RR", "@"), ("Type", "A"), ("Value", "192.0.2.1")];
    cloud.call("Alidns.AddDomainRecord", &address).await.refused(400, "DomainRecordConflict");
    Balancer { id, group, listener, record: text(&made, "RecordId").to_owned() }
}

/// In the wrong order nothing goes.
async fn dependencies_hold(cloud: &Cloud, network: &Network, instances: &[String], balancer: &Balancer) {
    let vpc = [REGION, ("VpcId", network.vpc.as_str())];
    cloud.call("Vpc.DeleteVpc", &vpc).await.refused(400, "DependencyViolation.VSwitch");
    let switch = [REGION, ("VSwitchId", network.switches[1].as_str())];
    cloud.call("Vpc.DeleteVSwitch", &switch).await.refused(400, "DependencyViolation");
    let group = [REGION, ("SecurityGroupId", network.group.as_str())];
    cloud.call("Ecs.DeleteSecurityGroup", &group).await.refused(403, "DependencyViolation");
    let keys = [REGION, ("KeyPairNames", r#"["kp"]"#)];
    cloud
        .call("Ecs.DeleteKeyPairs", &keys)
        .await
        .refused(400, "InvalidParameter.KeypairAlreadyAttachedInstance");
    let instance = [REGION, ("InstanceId.1", instances[0].as_str())];
    cloud.call("Ecs.DeleteInstances", &instance).await.refused(403, "IncorrectInstanceStatus");
    let servers = [("ServerGroupId", balancer.group.as_str())];
    cloud.call("Alb.DeleteServerGroup", &servers).await.refused(400, "ResourceInUse.ServerGroup");
    let protected = [("ResourceId", balancer.id.as_str())];
    cloud.call("Alb.EnableDeletionProtection", &protected).await.good();
    let own = [("LoadBalancerId", balancer.id.as_str())];
    cloud
        .call("Alb.DeleteLoadBalancer", &own)
        .await
        .refused(400, "OperationDenied.DeletionProtectionEnabled");
    cloud.call("Alb.DisableDeletionProtection", &protected).await.good();
}

async fn take_down(cloud: &Cloud, network: &Network, instances: &[String], balancer: &Balancer) {
    let record = [("RecordId", balancer.record.as_str())];
    cloud.call("Alidns.DeleteDomainRecord", &record).await.good();
    cloud.call("Alidns.DeleteDomainRecord", &record).await.refused(400, "DomainRecordNotBelongToUser");
    cloud.call("Alb.DeleteListener", &[("ListenerId", &balancer.listener)]).await.good();
    let own = [("ServerGroupId", balancer.group.as_str())];
    cloud.call_until_settled("Alb.DeleteServerGroup", &own, PASSING).await;
    cloud.call_until_settled("Alb.DeleteLoadBalancer", &[("LoadBalancerId", &balancer.id)], PASSING).await;
    let mut delete = vec![REGION, ("Force", "true")];
    let names: Vec<String> = (1..=instances.len()).map(|index| format!("InstanceId.{index}")).collect();
    delete.extend(names.iter().map(String::as_str).zip(instances.iter().map(String::as_str)));
    cloud.call("Ecs.DeleteInstances", &delete).await.good();
    let group = [REGION, ("SecurityGroupId", network.group.as_str())];
    cloud.call_until_settled("Ecs.DeleteSecurityGroup", &group, PASSING).await;
    cloud.call("Ecs.DeleteKeyPairs", &[REGION, ("KeyPairNames", r#"["kp"]"#)]).await.good();
    for switch in &network.switches {
        cloud.call_until_settled("Vpc.DeleteVSwitch", &[REGION, ("VSwitchId", switch)], PASSING).await;
    }
    cloud.call_until_settled("Vpc.DeleteVpc", &[REGION, ("VpcId", &network.vpc)], PASSING).await;
}

async fn whole_road(pace: &str) {
    let cloud = Cloud::start(&["--pace", pace, "--strict"]);
    let network = make_network(&cloud).await;
    let instances = make_instances(&cloud, &network).await;
    read_host_key(&cloud, &instances[0]).await;
    let balancer = make_balancer(&cloud, &network, &instances).await;
    let status = cloud.admin("/_mock/status").await;
    assert_eq!(status["resources_by_kind"]["eip"], 2);
    assert_eq!(status["resources_by_kind"]["managed_security_group"], 1);
    assert_eq!(status["resources_by_kind"]["server"], 2);
    assert_eq!(status["resources"], 23, "{status}");
    assert_eq!(status["calls"]["Ecs.RunInstances"], 2);
    dependencies_hold(&cloud, &network, &instances, &balancer).await;
    take_down(&cloud, &network, &instances, &balancer).await;
    for _ in 0..200 {
        if cloud.resources().await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("left: {}", cloud.admin("/_mock/status").await["resources_by_kind"]);
}

#[tokio::test]
async fn the_whole_road_without_delays() {
    whole_road("instant").await;
}

#[tokio::test]
async fn the_whole_road_at_a_brisk_pace() {
    whole_road("brisk").await;
}
