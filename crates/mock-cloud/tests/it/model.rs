//! The world without a server: calls at chosen moments, no clock, no socket.

use std::collections::BTreeMap;

use mock_cloud::api::{Operation, Strictness, execute};
use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::{CommandResult, Health, Host, HostState, Power, Status};
use mock_cloud::wire::ApiError;
use mock_cloud::world::pace::Pace;
use mock_cloud::world::{Settings, World};
use serde_json::Value;

use crate::replies;

pub(crate) const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

pub(crate) fn world(pace: Pace, hosts: HostKind) -> World {
    let domains = vec!["example.com".to_owned()];
    World::new(Settings { region: "cn-hangzhou".to_owned(), pace, seed: 1, hosts, domains }, 0)
}

pub(crate) fn call(world: &mut World, name: &str, parameters: &[(&str, &str)]) -> Result<Value, ApiError> {
    let (product, action) = name.split_once('.').unwrap();
    let operation = Operation { product: product.to_owned(), action: action.to_owned() };
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let answer = execute(world, &operation, &parameters, Strictness::Strict).answer;
    world.advance(world.now);
    answer.inspect(|reply| replies::check(name, reply))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A vSwitch and a security group to put instances into.
fn places(world: &mut World) -> (String, String) {
    let vpc = text(&call(world, "Vpc.CreateVpc", &[REGION, ("CidrBlock", "10.0.0.0/8")]).unwrap()["VpcId"]);
    world.advance(world.now + 60_000);
    let new = [REGION, ("VpcId", &vpc), ("ZoneId", "cn-hangzhou-j"), ("CidrBlock", "10.0.0.0/29")];
    let switch = text(&call(world, "Vpc.CreateVSwitch", &new).unwrap()["VSwitchId"]);
    world.advance(world.now + 60_000);
    let group = call(world, "Ecs.CreateSecurityGroup", &[REGION, ("VpcId", &vpc)]).unwrap();
    (switch, text(&group["SecurityGroupId"]))
}

fn run(world: &mut World, places: &(String, String), more: &[(&str, &str)]) -> Result<Value, ApiError> {
    let mut parameters = vec![
        REGION,
        ("ImageFamily", "acs:debian_12_11_x64"),
        ("InstanceType", "ecs.e-c1m1.large"),
        ("VSwitchId", places.0.as_str()),
        ("SecurityGroupId", places.1.as_str()),
    ];
    parameters.extend(more);
    call(world, "Ecs.RunInstances", &parameters)
}

fn status_of(world: &mut World, id: &str) -> String {
    let listed = call(world, "Ecs.DescribeInstanceStatus", &[REGION, ("InstanceId.1", id)]).unwrap();
    let row = &listed["InstanceStatuses"]["InstanceStatus"][0]["Status"];
    row.as_str().unwrap_or("absent").to_owned()
}

fn report(id: &str, state: HostState) -> Status {
    let host = Host { state, processes: Vec::new(), started: None, console: String::new() };
    Status { hosts: BTreeMap::from([(id.to_owned(), host)]), ..Status::default() }
}

#[test]
fn an_instance_goes_through_its_states_as_time_passes() {
    let mut world = world(Pace::Real, HostKind::None);
    let places = places(&mut world);
    let made = run(&mut world, &places, &[]).unwrap();
    let id = text(&made["InstanceIdSets"]["InstanceIdSet"][0]);
    let begun = world.now;
    let mut seen = vec![status_of(&mut world, &id)];
    for second in 1..=40 {
        world.advance(begun + second * 1000);
        let status = status_of(&mut world, &id);
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }
    assert_eq!(seen, ["absent", "Pending", "Starting", "Running"], "absent: lists lag behind");
}

#[test]
fn with_real_hosts_an_instance_runs_when_its_host_is_ready() {
    let mut world = world(Pace::Instant, HostKind::Process);
    let places = places(&mut world);
    let made = run(&mut world, &places, &[]).unwrap();
    let id = text(&made["InstanceIdSets"]["InstanceIdSet"][0]);
    assert_eq!(status_of(&mut world, &id), "Starting");
    assert_eq!(world.desired().instances[&id].power, Power::On);
    world.observe(&report(&id, HostState::Booting));
    assert_eq!(status_of(&mut world, &id), "Starting");
    world.observe(&report(&id, HostState::Ready));
    assert_eq!(status_of(&mut world, &id), "Running");
    call(&mut world, "Ecs.StopInstance", &[("InstanceId", &id)]).unwrap();
    assert_eq!(status_of(&mut world, &id), "Stopped");
    assert_eq!(world.desired().instances[&id].power, Power::Off);
    call(&mut world, "Ecs.StartInstance", &[("InstanceId", &id)]).unwrap();
    assert_eq!(status_of(&mut world, &id), "Starting");
    world.observe(&report(&id, HostState::Ready));
    assert_eq!(status_of(&mut world, &id), "Running");
}

/// A machine that is still up from before is not taken for one that has started again.
#[test]
fn an_instance_that_is_rebooted_waits_for_the_host_of_that_start() {
    let mut world = world(Pace::Instant, HostKind::Machine);
    let places = places(&mut world);
    let made = run(&mut world, &places, &[]).unwrap();
    let id = text(&made["InstanceIdSets"]["InstanceIdSet"][0]);
    let mut report = report(&id, HostState::Ready);
    let mut status_after = |world: &mut World, started: i64| {
        report.hosts.get_mut(&id).unwrap().started = Some(started);
        world.observe(&report);
        status_of(world, &id)
    };
    let first = world.desired().instances[&id].started;
    assert_eq!(status_after(&mut world, first), "Running");
    world.advance(world.now + 1_000);
    call(&mut world, "Ecs.RebootInstance", &[("InstanceId", &id)]).unwrap();
    assert_eq!(status_after(&mut world, first), "Starting");
    let second = world.desired().instances[&id].started;
    assert_eq!(status_after(&mut world, second), "Running");
}

#[test]
fn with_real_hosts_a_script_is_an_errand_whose_result_comes_back() {
    let mut world = world(Pace::Instant, HostKind::Process);
    let places = places(&mut world);
    let made = run(&mut world, &places, &[]).unwrap();
    let id = text(&made["InstanceIdSets"]["InstanceIdSet"][0]);
    let command = [REGION, ("Type", "RunShellScript"), ("CommandContent", "hostname"), ("InstanceId.1", &id)];
    assert_eq!(call(&mut world, "Ecs.RunCommand", &command).unwrap_err().code, "IncorrectInstanceStatus");
    world.observe(&report(&id, HostState::Ready));
    call(&mut world, "Ecs.RunCommand", &command).unwrap();
    let errand = world.errands.pop().unwrap();
    assert_eq!((errand.instance.as_str(), errand.script.as_str()), (id.as_str(), "hostname"));
    let result = CommandResult { exit_code: 3, output: b"ecs01\n".to_vec() };
    world.script_ended(&errand.invocation, &errand.instance, Ok(result));
    let results = call(&mut world, "Ecs.DescribeInvocationResults", &[REGION]).unwrap();
    let result = &results["Invocation"]["InvocationResults"]["InvocationResult"][0];
    assert_eq!(
        (result["ExitCode"].as_i64(), result["InvokeRecordStatus"].as_str()),
        (Some(3), Some("Failed"))
    );
}

#[test]
fn addresses_run_out_after_the_reserved_ones() {
    let mut world = world(Pace::Instant, HostKind::None);
    let places = places(&mut world);
    let refused = run(&mut world, &places, &[("Amount", "5")]).unwrap_err();
    assert_eq!(refused.code, "InvalidVSwitchId.IpNotEnough");
    let made = run(&mut world, &places, &[("Amount", "5"), ("MinAmount", "1")]).unwrap();
    assert_eq!(
        made["InstanceIdSets"]["InstanceIdSet"].as_array().unwrap().len(),
        4,
        "8 addresses, 4 reserved"
    );
    let again = run(&mut world, &places, &[("PrivateIpAddress", "10.0.0.1")]).unwrap_err();
    assert_eq!(again.code, "InvalidPrivateIpAddress.Duplicated");
}

#[test]
fn a_server_that_is_not_healthy_is_listed_with_its_reason() {
    let mut world = world(Pace::Instant, HostKind::Process);
    let places = places(&mut world);
    let vpc = world.vpcs.keys().next().unwrap().clone();
    let new = [REGION, ("VpcId", &vpc), ("ZoneId", "cn-hangzhou-k"), ("CidrBlock", "10.0.1.0/24")];
    let second = text(&call(&mut world, "Vpc.CreateVSwitch", &new).unwrap()["VSwitchId"]);
    let made = run(&mut world, &places, &[]).unwrap();
    let instance = text(&made["InstanceIdSets"]["InstanceIdSet"][0]);
    let zones = [
        ("VpcId", vpc.as_str()),
        ("AddressType", "Internet"),
        ("LoadBalancerEdition", "Basic"),
        ("LoadBalancerBillingConfig.PayType", "PostPay"),
        ("ZoneMappings.1.ZoneId", "cn-hangzhou-j"),
        ("ZoneMappings.1.VSwitchId", &places.0),
        ("ZoneMappings.2.ZoneId", "cn-hangzhou-k"),
        ("ZoneMappings.2.VSwitchId", &second),
    ];
    let balancer = text(&call(&mut world, "Alb.CreateLoadBalancer", &zones).unwrap()["LoadBalancerId"]);
    let on = ("HealthCheckConfig.HealthCheckEnabled", "true");
    let group =
        call(&mut world, "Alb.CreateServerGroup", &[("ServerGroupName", "chat"), ("VpcId", &vpc), on])
            .unwrap();
    let group = text(&group["ServerGroupId"]);
    let server = [
        ("ServerGroupId", group.as_str()),
        ("Servers.1.ServerId", &instance),
        ("Servers.1.ServerType", "Ecs"),
        ("Servers.1.Port", "5000"),
    ];
    call(&mut world, "Alb.AddServersToServerGroup", &server).unwrap();
    let new = [
        ("LoadBalancerId", balancer.as_str()),
        ("ListenerPort", "5000"),
        ("ListenerProtocol", "HTTP"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &group),
    ];
    let listener = text(&call(&mut world, "Alb.CreateListener", &new).unwrap()["ListenerId"]);
    let desired = world.desired().load_balancers[&balancer].clone();
    assert_eq!(desired.listeners[&listener].server_group, group);
    let key = format!("{instance}:5000");
    assert_eq!(desired.server_groups[&group].servers[&key].address.to_string(), "10.0.0.1");
    let mut listed = |health: Option<Health>| {
        let servers = health.map(|health| (key.clone(), health)).into_iter().collect();
        world.observe(&Status { health: BTreeMap::from([(listener.clone(), servers)]), ..Status::default() });
        let reply = call(&mut world, "Alb.GetListenerHealthStatus", &[("ListenerId", &listener)]).unwrap();
        reply["ListenerHealthStatus"][0]["ServerGroupInfos"][0]["NonNormalServers"].clone()
    };
    assert_eq!(listed(None)[0]["Status"], "Initial");
    let sick = listed(Some(Health::Unhealthy("CONNECT_FAILED".to_owned())));
    assert_eq!(
        (&sick[0]["Status"], &sick[0]["Reason"]["ReasonCode"]),
        (&"Unhealthy".into(), &"CONNECT_FAILED".into())
    );
    assert_eq!(listed(Some(Health::Healthy)), serde_json::json!([]));
}
