//! Reading ALB instances, listeners, server groups, servers, health and jobs.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, alb_balancers, alb_listeners, tags};
use crate::plane::spec::Health;
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::load_balancer::{AccessLog, Job, Listener, LoadBalancer, ZoneMapping};
use crate::world::meta::timestamp;
use crate::world::rule::Rule;
use crate::world::server_group::{Server, ServerGroup};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("GetLoadBalancerAttribute", get_load_balancer_attribute),
    ("ListLoadBalancers", list_load_balancers),
    ("GetListenerAttribute", get_listener_attribute),
    ("ListListeners", list_listeners),
    ("GetListenerHealthStatus", get_listener_health_status),
    ("ListServerGroups", list_server_groups),
    ("ListServerGroupServers", list_server_group_servers),
    ("ListAsynJobs", list_asyn_jobs),
];

const SIZE: Size = Size { default: 20, minimum: 1, maximum: 100 };

/// A bare list with the numbers that every ALB list has.
pub(super) fn list(all: Vec<Value>, parameters: &Parameters, name: &str) -> Result<Value, ApiError> {
    let page = page::by_token(all, parameters, SIZE)?;
    Ok(json!({
        name: page.items,
        "NextToken": page.next_token,
        "MaxResults": page.size,
        "TotalCount": page.total,
    }))
}

/// Whether a list of wanted texts is absent or holds the own one.
pub(super) fn among(parameters: &Parameters, name: &str, own: &str) -> bool {
    let wanted = parameters.texts(name);
    wanted.is_empty() || wanted.iter().any(|text| text == own)
}

fn get_load_balancer_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let balancer = alb_balancers::find(call.world, call.parameters.required("LoadBalancerId")?)?;
    let mut reply = describe_balancer(balancer);
    reply["RegionId"] = json!(balancer.meta.region);
    reply["ZoneMappings"] = balancer.zones.iter().map(describe_zone).collect();
    Ok(reply)
}

fn list_load_balancers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut balancers: Vec<&LoadBalancer> = call
        .world
        .load_balancers
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| {
            among(parameters, "LoadBalancerIds", &own.id) && among(parameters, "LoadBalancerNames", &own.name)
        })
        .filter(|own| {
            among(parameters, "VpcIds", &own.vpc) && accepts(parameters, "AddressType", &own.address_type)
        })
        .filter(|own| accepts(parameters, "LoadBalancerStatus", &format!("{:?}", own.status)))
        .filter(|own| accepts(parameters, "DNSName", &own.dns_name))
        .filter(|own| {
            parameters.text("ZoneId").is_none_or(|zone| own.zones.iter().any(|own| own.zone == zone))
        })
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    balancers.sort_by_key(|own| (own.meta.created, &own.id));
    list(balancers.into_iter().map(describe_balancer).collect(), parameters, "LoadBalancers")
}

fn describe_balancer(own: &LoadBalancer) -> Value {
    let since = own.deletion_protection.map(timestamp).unwrap_or_default();
    json!({
        "LoadBalancerId": own.id,
        "LoadBalancerName": own.name,
        "LoadBalancerEdition": own.edition,
        "LoadBalancerStatus": own.status,
        "LoadBalancerBussinessStatus": "Normal",
        "AddressType": own.address_type,
        "AddressAllocatedMode": own.address_mode,
        "AddressIpVersion": own.ip_version,
        "DNSName": own.dns_name,
        "VpcId": own.vpc,
        "CreateTime": timestamp(own.meta.created),
        "BandwidthPackageId": "",
        "ResourceGroupId": "",
        "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        "DeletionProtectionConfig": {"Enabled": own.deletion_protection.is_some(), "EnabledTime": since},
        "ModificationProtectionConfig": {"Status": own.modification_protection, "Reason": own.modification_reason},
        "AccessLogConfig": describe_access_log(own.access_log.as_ref()),
        "LoadBalancerOperationLocks": [],
        "SecurityGroupIds": own.security_groups,
        "Tags": tags::alb_tags(&own.meta),
    })
}

fn describe_access_log(own: Option<&AccessLog>) -> Value {
    own.map_or_else(|| json!({}), |own| json!({"LogProject": own.project, "LogStore": own.store}))
}

fn describe_zone(own: &ZoneMapping) -> Value {
    let mut address = json!({
        "IntranetAddress": own.private_address.to_string(),
        "IntranetAddressHcStatus": "Healthy",
        "Ipv4LocalAddresses": [own.private_address.to_string()],
        "Ipv6LocalAddresses": [],
    });
    match &own.public {
        Some((public, eip)) => {
            address["Address"] = json!(public.to_string());
            address["AllocationId"] = json!(eip);
            address["EipType"] = json!("Common");
        }
        None => address["Address"] = json!(own.private_address.to_string()),
    }
    json!({
        "ZoneId": own.zone,
        "VSwitchId": own.vswitch,
        "Status": "Active",
        "LoadBalancerAddresses": [address],
    })
}

fn get_listener_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = alb_listeners::find(call.world, call.parameters.required("ListenerId")?)?;
    let mut reply = describe_listener(listener);
    let certificates = listener.certificates.iter().map(|id| json!({"CertificateId": id}));
    reply["Certificates"] = certificates.collect();
    let authorities = listener.ca_certificates.iter().map(|id| json!({"CertificateId": id}));
    reply["CaCertificates"] = authorities.collect();
    reply["CaEnabled"] = json!(listener.ca_enabled);
    reply["AclConfig"] = json!({});
    Ok(reply)
}

fn list_listeners(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut listeners: Vec<&Listener> = call
        .world
        .listeners
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| among(parameters, "ListenerIds", &own.id))
        .filter(|own| among(parameters, "LoadBalancerIds", &own.load_balancer))
        .filter(|own| accepts(parameters, "ListenerProtocol", &own.protocol))
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    listeners.sort_by_key(|own| (own.meta.created, &own.id));
    list(listeners.into_iter().map(describe_listener).collect(), parameters, "Listeners")
}

fn describe_listener(own: &Listener) -> Value {
    json!({
        "ListenerId": own.id,
        "LoadBalancerId": own.load_balancer,
        "ListenerPort": own.port,
        "ListenerProtocol": own.protocol,
        "ListenerDescription": own.description,
        "ListenerStatus": own.status,
        "IdleTimeout": own.idle_timeout,
        "RequestTimeout": own.request_timeout,
        "GzipEnabled": own.gzip,
        "Http2Enabled": own.http2,
        "SecurityPolicyId": own.security_policy,
        "DefaultActions": [{
            "Type": "ForwardGroup",
            "ForwardGroupConfig": {"ServerGroupTuples": [{"ServerGroupId": own.server_group}]},
        }],
        "LogConfig": {
            "AccessLogRecordCustomizedHeadersEnabled": false,
            "AccessLogTracingConfig": {"TracingEnabled": false},
        },
        "QuicConfig": {"QuicUpgradeEnabled": false},
        "XForwardedForConfig": own.forwarded,
        "Tags": tags::alb_tags(&own.meta),
    })
}

/// Only servers that are not healthy are listed: an empty list is good news.
fn get_listener_health_status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = alb_listeners::find(call.world, call.parameters.required("ListenerId")?)?;
    let group = call.world.server_groups.get(&listener.server_group);
    let groups: Vec<Value> =
        group.map(|group| describe_health(call.world, listener, group)).into_iter().collect();
    let with_rules = call.parameters.flag("IncludeRule");
    let rules = call.world.rules_of(&listener.id).into_iter().filter(|_| with_rules);
    let rules: Vec<Value> = rules.map(|rule| describe_rule_health(call.world, listener, rule)).collect();
    Ok(json!({
        "ListenerHealthStatus": [{
            "ListenerId": listener.id,
            "ListenerPort": listener.port,
            "ListenerProtocol": listener.protocol,
            "ServerGroupInfos": groups,
        }],
        "RuleHealthStatus": rules,
        "NextToken": "",
    }))
}

fn describe_rule_health(world: &World, listener: &Listener, rule: &Rule) -> Value {
    let groups = rule.groups().into_iter().filter_map(|id| world.server_groups.get(id));
    let infos: Vec<Value> = groups.map(|group| describe_health(world, listener, group)).collect();
    json!({"RuleId": rule.id, "ServerGroupInfos": infos})
}

fn describe_health(world: &World, listener: &Listener, group: &ServerGroup) -> Value {
    let troubled: Vec<Value> = group
        .servers
        .iter()
        .filter_map(|server| {
            let (status, reason) = trouble(world, listener, group, server)?;
            Some(json!({
                "ServerId": server.id,
                "ServerIp": server.address.to_string(),
                "Port": server.port,
                "Status": status,
                "Reason": {"ReasonCode": reason},
            }))
        })
        .collect();
    json!({
        "ServerGroupId": group.id,
        "ActionType": "ForwardGroup",
        "HealthCheckEnabled": if group.health_check.enabled { "on" } else { "off" },
        "ServerCount": group.servers.len(),
        "NonNormalServers": troubled,
    })
}

/// Status and reason of a server that is not healthy.
fn trouble(
    world: &World,
    listener: &Listener,
    group: &ServerGroup,
    server: &Server,
) -> Option<(&'static str, String)> {
    if server.weight == 0 {
        return Some(("Unused", "WEIGHT_IS_ZERO".to_owned()));
    }
    if !group.health_check.enabled {
        return None;
    }
    match world.server_health(listener, &group.id, &server.key()) {
        Health::Healthy => None,
        Health::Initial => Some(("Initial", String::new())),
        Health::Unhealthy(reason) => Some(("Unhealthy", reason)),
        Health::Unused => Some(("Unused", "WEIGHT_IS_ZERO".to_owned())),
    }
}

fn list_server_groups(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut groups: Vec<&ServerGroup> = call
        .world
        .server_groups
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| {
            among(parameters, "ServerGroupIds", &own.id) && among(parameters, "ServerGroupNames", &own.name)
        })
        .filter(|own| {
            accepts(parameters, "VpcId", &own.vpc) && accepts(parameters, "ServerGroupType", &own.kind)
        })
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    groups.sort_by_key(|own| (own.meta.created, &own.id));
    let all = groups.into_iter().map(|own| describe_group(call.world, own)).collect();
    list(all, parameters, "ServerGroups")
}

fn describe_group(world: &World, own: &ServerGroup) -> Value {
    json!({
        "ServerGroupId": own.id,
        "ServerGroupName": own.name,
        "ServerGroupStatus": own.status,
        "ServerGroupType": own.kind,
        "VpcId": own.vpc,
        "Protocol": own.protocol,
        "Scheduler": own.scheduler,
        "ServerCount": own.servers.len(),
        "CreateTime": timestamp(own.meta.created),
        "CrossZoneEnabled": own.cross_zone,
        "UpstreamKeepaliveEnabled": own.keepalive,
        "Ipv6Enabled": false,
        "ConfigManagedEnabled": false,
        "RelatedLoadBalancerIds": world.balancers_of_group(&own.id),
        "ResourceGroupId": "",
        "HealthCheckConfig": describe_check(own),
        "StickySessionConfig": {
            "StickySessionEnabled": own.sticky.enabled,
            "StickySessionType": own.sticky.kind,
            "Cookie": own.sticky.cookie,
            "CookieTimeout": own.sticky.timeout,
        },
        "ConnectionDrainConfig": {
            "ConnectionDrainEnabled": own.drain.is_some(),
            "ConnectionDrainTimeout": own.drain.unwrap_or(300),
        },
        "SlowStartConfig": {
            "SlowStartEnabled": own.slow_start.is_some(),
            "SlowStartDuration": own.slow_start.unwrap_or(30),
        },
        "Tags": tags::alb_tags(&own.meta),
    })
}

fn describe_check(group: &ServerGroup) -> Value {
    let own = &group.health_check;
    json!({
        "HealthCheckEnabled": own.enabled,
        "HealthCheckProtocol": own.protocol,
        "HealthCheckPath": own.path,
        "HealthCheckHost": own.host,
        "HealthCheckMethod": own.method,
        "HealthCheckHttpVersion": own.http_version,
        "HealthCheckConnectPort": own.port,
        "HealthCheckInterval": own.interval,
        "HealthCheckTimeout": own.timeout,
        "HealthyThreshold": own.healthy_threshold,
        "UnhealthyThreshold": own.unhealthy_threshold,
        "HealthCheckCodes": own.codes,
    })
}

fn list_server_group_servers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let groups = call.world.server_groups.values();
    let chosen = groups.filter(|own| {
        own.meta.region == call.region
            && accepts(parameters, "ServerGroupId", &own.id)
            && tags::matches(&own.meta, parameters)
    });
    let servers = chosen.flat_map(|group| group.servers.iter().map(move |server| (group, server)));
    let all = servers
        .filter(|(_, server)| among(parameters, "ServerIds", &server.id))
        .map(|(group, server)| {
            json!({
                "ServerGroupId": group.id,
                "ServerId": server.id,
                "ServerIp": server.address.to_string(),
                "ServerType": server.kind,
                "Port": server.port,
                "Weight": server.weight,
                "Description": server.description,
                "Status": server.status,
                "RemoteIpEnabled": false,
            })
        })
        .collect();
    list(all, parameters, "Servers")
}

fn list_asyn_jobs(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut jobs: Vec<&Job> = call
        .world
        .jobs
        .values()
        .filter(|own| among(parameters, "JobIds", &own.id) && among(parameters, "ResourceIds", &own.resource))
        .filter(|own| accepts(parameters, "ApiName", &own.action))
        .filter(|own| accepts(parameters, "ResourceType", own.resource_type))
        .collect();
    jobs.sort_by_key(|own| (std::cmp::Reverse(own.created), &own.id));
    list(jobs.into_iter().map(describe_job).collect(), parameters, "Jobs")
}

fn describe_job(own: &Job) -> Value {
    let operation = ["Create", "Delete", "Update"].into_iter().find(|verb| own.action.starts_with(verb));
    json!({
        "Id": own.id,
        "ApiName": own.action,
        "ResourceId": own.resource,
        "ResourceType": own.resource_type,
        "OperateType": operation.unwrap_or("Update"),
        "Status": if own.finished.is_some() { "Succeeded" } else { "Processing" },
        "CreateTime": own.created,
        "ModifyTime": own.finished.unwrap_or(own.created),
        "ErrorCode": "",
        "ErrorMessage": "",
    })
}
