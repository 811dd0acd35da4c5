//! Reading forwarding rules.

use serde_json::{Value, json};

use crate::api::alb_reads::{among, list};
use crate::api::{Call, Handler, tags};
use crate::plane::spec::rule::{Action, ActionKind, Condition, Direction, Header, Pair};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::rule::Rule;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("ListRules", list_rules)];

fn list_rules(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let world = &*call.world;
    let balancer = |own: &Rule| balancer_of(world, own).to_owned();
    let direction = match parameters.text("Direction") {
        None => None,
        Some("Response") => Some(Direction::Response),
        Some(_) => Some(Direction::Request),
    };
    let mut rules: Vec<&Rule> = world
        .rules
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| among(parameters, "RuleIds", &own.id))
        .filter(|own| among(parameters, "ListenerIds", &own.listener))
        .filter(|own| among(parameters, "LoadBalancerIds", &balancer(own)))
        .filter(|own| direction.is_none_or(|wanted| wanted == own.direction))
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    rules.sort_by_key(|own| (&own.listener, own.priority, &own.id));
    list(rules.into_iter().map(|own| describe(world, own)).collect(), parameters, "Rules")
}

fn balancer_of<'a>(world: &'a World, rule: &Rule) -> &'a str {
    world.listeners.get(&rule.listener).map_or("", |listener| listener.load_balancer.as_str())
}

fn describe(world: &World, own: &Rule) -> Value {
    json!({
        "RuleId": own.id,
        "RuleName": own.name,
        "ListenerId": own.listener,
        "LoadBalancerId": balancer_of(world, own),
        "Direction": own.direction,
        "Priority": own.priority,
        "RuleStatus": own.status,
        "RuleConditions": own.conditions.iter().map(describe_condition).collect::<Vec<_>>(),
        "RuleActions": own.actions.iter().map(describe_action).collect::<Vec<_>>(),
        "Tags": tags::alb_tags(&own.meta),
    })
}

fn describe_condition(own: &Condition) -> Value {
    let config = match own {
        Condition::Host(values)
        | Condition::Path(values)
        | Condition::Method(values)
        | Condition::SourceIp(values)
        | Condition::ResponseStatusCode(values) => json!({"Values": values}),
        Condition::Header(header) | Condition::ResponseHeader(header) => describe_header(header),
        Condition::QueryString(pairs) | Condition::Cookie(pairs) => {
            json!({"Values": pairs.iter().map(describe_pair).collect::<Vec<_>>()})
        }
    };
    with_config(json!({"Type": own.kind()}), own.kind(), config)
}

fn describe_header(header: &Header) -> Value {
    json!({"Key": header.key, "Values": header.values})
}

fn describe_pair(pair: &Pair) -> Value {
    json!({"Key": pair.key, "Value": pair.value})
}

fn describe_action(own: &Action) -> Value {
    let config = match &own.kind {
        ActionKind::ForwardGroup { groups, sticky } => describe_forward(groups, *sticky),
        ActionKind::Redirect(own) => json!({
            "Host": own.host,
            "HttpCode": own.http_code,
            "Path": own.path,
            "Port": own.port,
            "Protocol": own.protocol,
            "Query": own.query,
        }),
        ActionKind::FixedResponse { content, content_type, http_code } => {
            json!({"Content": content, "ContentType": content_type, "HttpCode": http_code})
        }
        ActionKind::Rewrite { host, path, query } => json!({"Host": host, "Path": path, "Query": query}),
        ActionKind::InsertHeader { key, value, value_type, cover: _ } => {
            json!({"Key": key, "Value": value, "ValueType": value_type})
        }
        ActionKind::RemoveHeader { key } => json!({"Key": key}),
        ActionKind::TrafficLimit { qps, per_ip_qps } => {
            let mut config = json!({});
            for (name, limit) in [("QPS", qps), ("PerIpQps", per_ip_qps)] {
                if let Some(limit) = limit {
                    config[name] = json!(limit);
                }
            }
            config
        }
        ActionKind::TrafficMirror { groups } => {
            let tuples: Vec<Value> = groups.iter().map(|id| json!({"ServerGroupId": id})).collect();
            json!({"TargetType": "ForwardGroupMirror", "MirrorGroupConfig": {"ServerGroupTuples": tuples}})
        }
        ActionKind::Cors(own) => json!({
            "AllowCredentials": own.allow_credentials,
            "AllowHeaders": own.allow_headers,
            "AllowMethods": own.allow_methods,
            "AllowOrigin": own.allow_origin,
            "ExposeHeaders": own.expose_headers,
            "MaxAge": own.max_age,
        }),
    };
    let word = own.kind.word();
    with_config(json!({"Order": own.order, "Type": word}), word, config)
}

fn describe_forward(groups: &[(String, u32)], sticky: Option<u32>) -> Value {
    let tuples = groups.iter().map(|(id, weight)| json!({"ServerGroupId": id, "Weight": weight}));
    let mut session = json!({"Enabled": sticky.is_some()});
    if let Some(seconds) = sticky {
        session["Timeout"] = json!(seconds);
    }
    json!({"ServerGroupTuples": tuples.collect::<Vec<_>>(), "ServerGroupStickySession": session})
}

/// Adds the config that is named after the type.
fn with_config(mut row: Value, word: &str, config: Value) -> Value {
    row[format!("{word}Config")] = config;
    row
}
