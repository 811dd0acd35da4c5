//! What the cloud's answers come to, field by field, spelt as the specs spell it. Pure.

use jiff::Timestamp;

use crate::apply::provider::balancer::{load_balancer_outputs, server_id};
use crate::apply::provider::front::certificate_outputs;
use crate::apply::provider::machine::instance_outputs;
use crate::apply::provider::network::rule_id;
use crate::apply::provider::redis::{account_id, redis_outputs};
use crate::base::certificate::days_between;
use crate::base::ids::CloudId;
use crate::base::{clock, expiry};
use crate::cloud::disks::Disk;
use crate::cloud::{alb, alb_rules, cas, dns, ecs, redis, tag_value, vpc};
use crate::resource::disks;
use crate::resource::observed::{Observation, Output, range_of};
use crate::resource::ownership::{
    EXPIRES_TAG, IMAGE_TAG, ORIGIN_TAG, PASSWORD_TAG, USER_DATA_TAG, tagged_image,
};
use crate::resource::settings::{ENDING, RENEWAL_DAYS, VALID, VALIDITY};
use crate::resource::spec::{EXPIRES, NO_USER_DATA, Spec};

pub(super) fn of_vpc(found: &vpc::Vpc) -> Observation {
    Observation::new(found.vpc_id.clone()).field("cidr", &found.cidr_block).field("name", &found.vpc_name)
}

pub(super) fn of_vswitch(found: &vpc::VSwitch) -> Observation {
    Observation::new(found.v_switch_id.clone())
        .field("vpc", &found.vpc_id)
        .field("zone", &found.zone_id)
        .field("cidr", &found.cidr_block)
        .field("name", &found.v_switch_name)
}

pub(super) fn of_security_group(found: &ecs::SecurityGroup) -> Observation {
    Observation::new(found.security_group_id.clone())
        .field("vpc", &found.vpc_id)
        .field("name", &found.security_group_name)
}

pub(super) fn of_key_pair(found: &ecs::KeyPair) -> Observation {
    Observation::new(CloudId::new(&found.key_pair_name))
}

/// Groups beside the stack's own are nobody's business here.
pub(super) fn of_instance(found: &ecs::Instance, own_group: Option<&CloudId>) -> Observation {
    let outputs = instance_outputs(found);
    let exposure = if outputs.contains_key(&Output::PublicAddress) { "public" } else { "private" };
    let groups = &found.security_group_ids.security_group_id;
    let group = own_group.filter(|own| groups.contains(own)).or_else(|| groups.first());
    let groups: Vec<&str> = groups.iter().map(CloudId::as_str).collect();
    let mut observation = Observation::new(found.instance_id.clone())
        .field("name", &found.instance_name)
        .field("vswitch", &found.vpc_attributes.v_switch_id)
        .field("type", &found.instance_type)
        .field("exposure", exposure)
        .field("security_group", group.map(ToString::to_string).unwrap_or_default())
        .field("security_groups", groups.join(","))
        .field("key_pair", &found.key_pair_name)
        .field("status", &found.status)
        .field("image_id", &found.image_id);
    observation =
        observation.field("user_data", tag_value(&found.tags.tag, USER_DATA_TAG).unwrap_or(NO_USER_DATA));
    let note = tag_value(&found.tags.tag, EXPIRES_TAG);
    observation = observation.field(EXPIRES, expiry::observed(&found.auto_release_time, note));
    if let Some(spot) = found.spot() {
        observation = observation.field("spot", spot.word());
    }
    if let Some(family) = tag_value(&found.tags.tag, IMAGE_TAG).and_then(tagged_image) {
        observation = observation.field("image", family);
    }
    observation.outputs = outputs;
    observation
}

/// With what its disks are. A data disk that the topology has and that is not among them has no size.
pub(super) fn with_disks(found: Observation, there: &[Disk], wanted: Option<&Spec>) -> Observation {
    let data = there.iter().filter(|disk| !disk.is_system());
    let mut found = data.clone().fold(found, |found, disk| {
        let field = |what| disks::data_field(&disk.disk_name, what);
        let found = found
            .field(field(disks::SIZE), disk.size)
            .field(field("category"), &disk.category)
            .field(field("encrypted"), disk.encrypted)
            .field(field(disks::DELETE_WITH_INSTANCE), disk.delete_with_instance);
        if disk.performance_level.is_empty() {
            return found;
        }
        found.field(field("performance_level"), &disk.performance_level)
    });
    if let Some(disk) = there.iter().find(|disk| disk.is_system()) {
        found = found
            .field(disks::SYSTEM_SIZE, disk.size)
            .field("disk.category", &disk.category)
            .field("disk.performance_level", &disk.performance_level)
            .field("disk.encrypted", disk.encrypted);
    }
    let Some(Spec::Instance(spec)) = wanted else { return found };
    let missing = spec.data_disks.iter().filter(|disk| data.clone().all(|own| own.disk_name != disk.name));
    missing.fold(found, |found, disk| found.field(disks::data_field(&disk.name, disks::SIZE), disks::NO_DISK))
}

pub(super) fn of_rule(group: &CloudId, found: &ecs::Permission) -> Observation {
    let port = port(&found.port_range);
    let source = source(found);
    let protocol = found.ip_protocol.to_ascii_lowercase();
    Observation::new(rule_id(group, (&protocol, &port), &found.source_cidr_ip))
        .field("group", group)
        .field("port", port)
        .field("from", source)
        .field("protocol", protocol)
        .field("policy", found.policy.to_ascii_lowercase())
        .field("priority", &found.priority)
        .field("rule", &found.security_group_rule_id)
        .field("description", &found.description)
}

/// `22/22` is one port; other ranges stay as they are.
fn port(range: &str) -> String {
    match range.split_once('/') {
        Some((first, last)) if first == last && first != "-1" => first.to_owned(),
        _ => range.to_owned(),
    }
}

/// The cloud may show a single address without its prefix.
fn source(rule: &ecs::Permission) -> String {
    let range = &rule.source_cidr_ip;
    match (range.as_str(), rule.source_group_id.as_str()) {
        ("", group) => group.to_owned(),
        (range, _) if range.contains('/') => range.to_owned(),
        (range, _) => range_of(range),
    }
}

pub(super) fn of_load_balancer(found: &alb::LoadBalancer) -> Observation {
    let mut vswitches: Vec<&str> = found.zone_mappings.iter().map(|zone| zone.v_switch_id.as_str()).collect();
    vswitches.sort_unstable();
    let mut observation = Observation::new(found.load_balancer_id.clone())
        .field("vswitches", vswitches.join(","))
        .field("address_type", &found.address_type)
        .field("edition", &found.load_balancer_edition)
        .field("name", &found.load_balancer_name);
    observation.outputs = load_balancer_outputs(found);
    observation
}

pub(super) fn of_server_group(found: &alb::ServerGroup) -> Observation {
    let check = &found.health_check_config;
    let sticky = &found.sticky_session_config;
    let is_inserted = sticky.sticky_session_enabled && sticky.sticky_session_type == "Insert";
    let protocol = if check.health_check_enabled { check.health_check_protocol.as_str() } else { "off" };
    Observation::new(found.server_group_id.clone())
        .field("vpc", &found.vpc_id)
        .field("name", &found.server_group_name)
        .field("scheduler", &found.scheduler)
        .field("health_protocol", protocol)
        .field("health_method", &check.health_check_method)
        .field("health_path", &check.health_check_path)
        .field("health_codes", check.health_check_codes.join(","))
        .field("health_interval", check.health_check_interval)
        .field("health_timeout", check.health_check_timeout)
        .field("healthy_threshold", check.healthy_threshold)
        .field("unhealthy_threshold", check.unhealthy_threshold)
        .field(
            "sticky_seconds",
            if is_inserted { sticky.cookie_timeout.to_string() } else { "off".to_owned() },
        )
}

pub(super) fn of_server(group: &CloudId, found: &alb::BackendServer) -> Observation {
    Observation::new(server_id(group, &found.server_id, found.port))
        .field("group", group)
        .field("instance", &found.server_id)
        .field("server_type", &found.server_type)
        .field("port", found.port)
        .field("weight", found.weight)
}

pub(super) fn of_listener(found: &alb::Listener) -> Observation {
    let observation = Observation::new(found.listener_id.clone())
        .field("load_balancer", &found.load_balancer_id)
        .field("server_group", found.server_group().map(ToString::to_string).unwrap_or_default())
        .field("name", &found.listener_description)
        .field("protocol", &found.listener_protocol)
        .field("port", found.listener_port)
        .field("idle_timeout", found.idle_timeout)
        .field("request_timeout", found.request_timeout)
        .field("status", settled(&found.listener_status));
    match found.certificates.first() {
        Some(certificate) => observation
            .field("certificate", &certificate.certificate_id)
            .field("tls_policy", &found.security_policy_id),
        None => observation,
    }
}

pub(super) fn of_redis_instance(found: &redis::Instance, allowed: &[String]) -> Observation {
    let series = if found.instance_type == redis::Line::Tair.instance_type() { "tair" } else { "classic" };
    let mut observation = Observation::new(found.instance_id.clone())
        .field("vpc", &found.vpc_id)
        .field("vswitch", &found.v_switch_id)
        .field("series", series)
        .field("class", &found.instance_class)
        .field("engine", &found.engine_version)
        .field("port", found.port)
        .field("eviction", found.eviction().unwrap_or_default())
        .field("allow_list", allowed.join(","))
        .field("name", &found.instance_name)
        .field("status", &found.instance_status);
    observation.outputs = redis_outputs(found);
    observation
}

/// Which password counts stands in a tag of the instance; on which machines it is, they tell.
pub(super) fn of_redis_account(instance: &redis::Instance, found: &redis::Account) -> Observation {
    let privileges = found.database_privileges.database_privilege.iter();
    let privileges: Vec<&str> = privileges.map(|one| one.account_privilege.as_str()).collect();
    let observation = Observation::new(account_id(&instance.instance_id, &found.account_name))
        .field("instance", &instance.instance_id)
        .field("privilege", privileges.join(","));
    match tag_value(&instance.tags.tag, PASSWORD_TAG) {
        Some(digest) => observation.output(Output::Password, digest),
        None => observation,
    }
}

/// A listener that is being changed is one that runs.
fn settled(status: &str) -> &str {
    if matches!(status, "Configuring" | "Provisioning") { "Running" } else { status }
}

/// What was uploaded says by its tag where it comes from: what the service says of its content has more than one form.
pub(super) fn of_certificate(found: &cas::Certificate) -> Observation {
    let end = found.not_after.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
    let is_ending = found.expired || end.is_some_and(|end| days_between(clock::now(), end) < RENEWAL_DAYS);
    let mut observation = Observation::new(CloudId::new(found.id.to_string()))
        .field("origin", tag_value(&found.tags, ORIGIN_TAG).unwrap_or_default())
        .field("names", found.names().join(",").to_ascii_lowercase())
        .field(VALIDITY, if is_ending { ENDING } else { VALID });
    observation.outputs = certificate_outputs(found);
    observation
}

pub(super) fn of_listener_rule(found: &alb_rules::Rule) -> Observation {
    let paths = found.rule_conditions.iter().map(|one| match one.kind.as_str() {
        "Path" => one.path_config.values.join(","),
        other => format!("by {other}"),
    });
    let redirect = match found.rule_actions.as_slice() {
        [only] if only.kind == "Redirect" => only.redirect_config.clone(),
        _ => alb_rules::RedirectConfig::default(),
    };
    Observation::new(found.rule_id.clone())
        .field("listener", &found.listener_id)
        .field("name", &found.rule_name)
        .field("priority", found.priority)
        .field("paths", paths.collect::<Vec<_>>().join(" and "))
        .field("protocol", redirect.protocol)
        .field("port", redirect.port)
        .field("code", redirect.http_code)
        .field("host", redirect.host)
        .field("path", redirect.path)
        .field("query", redirect.query)
}

pub(super) fn of_record(domain: &str, record: &dns::Record) -> Observation {
    Observation::new(record.record_id.clone())
        .field("name", format!("{} {domain}", record.host))
        .field("type", &record.kind)
        .field("value", record.value.trim_end_matches('.'))
        .field("ttl", record.ttl)
        .field("line", &record.line)
        .field("status", record.status.to_ascii_uppercase())
        .field("remark", record.remark.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_by_port_and_range() {
        let read = |range: &str, source: &str| {
            let json = serde_json::json!({
                "PortRange": range, "SourceCidrIp": source, "IpProtocol": "TCP", "Policy": "Accept", "Priority": "1",
            });
            let rule: ecs::Permission = serde_json::from_value(json).unwrap();
            of_rule(&CloudId::new("sg-1"), &rule)
        };
        let one = read("22/22", "10.0.0.7");
        assert_eq!((one.fields["port"].as_str(), one.fields["from"].as_str()), ("22", "10.0.0.7/32"));
        assert_eq!((one.fields["protocol"].as_str(), one.fields["policy"].as_str()), ("tcp", "accept"));
        assert_eq!(one.id.as_str(), "sg-1:22:10.0.0.7/32");
        assert_eq!(read("1/65535", "0.0.0.0/0").fields["port"], "1/65535");
        assert_eq!(read("-1/-1", "0.0.0.0/0").fields["port"], "-1/-1");
    }
}
