//! Reading the conditions and actions of a forwarding rule, each checked by itself.
//!
//! What they may be together, and with which listener, is said in [`crate::api::alb_rules`].

use ipnet::IpNet;

use crate::plane::spec::rule::{Action, ActionKind, Condition, Cors, Header, Pair, Redirect};
use crate::wire::{ApiError, Parameters};

/// Server groups of one forwarding action.
const GROUPS: usize = 5;
/// Methods a condition may name.
const METHODS: &[&str] = &["HEAD", "GET", "POST", "OPTIONS", "PATCH", "PUT", "DELETE"];
/// Bytes of a fixed answer.
const CONTENT_LIMIT: usize = 1024;
/// Characters no value of a cookie or query condition has.
const FORBIDDEN: &str = " #[]{}\\|<>&\"";

/// The conditions of a call.
///
/// # Errors
/// `Missing...` or `InvalidParameter`, naming the condition.
pub(super) fn read_conditions(parameters: &Parameters) -> Result<Vec<Condition>, ApiError> {
    let listed = parameters.list("RuleConditions").into_iter().enumerate();
    listed.map(|(index, given)| read_condition(&Place::new("RuleConditions", index), &given)).collect()
}

/// The actions of a call, in their order.
///
/// # Errors
/// `Missing...` or `InvalidParameter`, naming the action.
pub(super) fn read_actions(parameters: &Parameters) -> Result<Vec<Action>, ApiError> {
    let listed = parameters.list("RuleActions").into_iter().enumerate();
    let read = listed.map(|(index, given)| read_action(&Place::new("RuleActions", index), &given));
    let mut actions: Vec<Action> = read.collect::<Result<_, ApiError>>()?;
    actions.sort_by_key(|action| action.order);
    if let Some(pair) = actions.windows(2).find(|pair| pair[0].order == pair[1].order) {
        return Err(ApiError::invalid("RuleActions", format!("the Order {} is given twice", pair[0].order)));
    }
    Ok(actions)
}

/// Where in the call something stands, for errors.
struct Place(String);

impl Place {
    fn new(list: &str, index: usize) -> Self {
        Self(format!("{list}.{}", index + 1))
    }

    /// A part of it.
    fn inner(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    fn missing(&self, name: &str) -> ApiError {
        ApiError::missing(&format!("{}.{name}", self.0))
    }

    fn invalid(&self, name: &str, reason: impl std::fmt::Display) -> ApiError {
        ApiError::invalid(&format!("{}.{name}", self.0), reason)
    }

    /// A text whose length is within the bounds.
    fn sized(&self, name: &str, text: &str, bounds: (usize, usize)) -> Result<(), ApiError> {
        let length = text.chars().count();
        if (bounds.0..=bounds.1).contains(&length) {
            return Ok(());
        }
        Err(self.invalid(name, format!("it has {length} characters, not {} to {}", bounds.0, bounds.1)))
    }
}

fn read_condition(place: &Place, given: &Parameters) -> Result<Condition, ApiError> {
    let kind = given.text("Type").ok_or_else(|| place.missing("Type"))?;
    let values = |name: &str, check: fn(&Place, &str, &str) -> Result<(), ApiError>| {
        let values = given.object(name).texts("Values");
        if values.is_empty() {
            return Err(place.missing(&format!("{name}.Values")));
        }
        for value in &values {
            check(place, name, value)?;
        }
        Ok(values)
    };
    match kind {
        "Host" => values("HostConfig", check_host).map(Condition::Host),
        "Path" => values("PathConfig", check_path).map(Condition::Path),
        "Method" => values("MethodConfig", check_method).map(Condition::Method),
        "SourceIp" => values("SourceIpConfig", check_network).map(Condition::SourceIp),
        "ResponseStatusCode" => {
            values("ResponseStatusCodeConfig", check_status).map(Condition::ResponseStatusCode)
        }
        "Header" => {
            let values = values("HeaderConfig", check_header_value)?;
            read_header_key(place, "HeaderConfig", given).map(|key| Condition::Header(Header { key, values }))
        }
        "ResponseHeader" => {
            let values = values("ResponseHeaderConfig", check_header_value)?;
            let key = read_header_key(place, "ResponseHeaderConfig", given)?;
            Ok(Condition::ResponseHeader(Header { key, values }))
        }
        "QueryString" => read_pairs(place, "QueryStringConfig", given, 128).map(Condition::QueryString),
        "Cookie" => read_pairs(place, "CookieConfig", given, 100).map(Condition::Cookie),
        other => Err(place.invalid("Type", format!("{other} is not a condition"))),
    }
}

fn check_host(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    place.sized(name, value, (3, 128))?;
    let good = |one: char| one.is_ascii_alphanumeric() || "-.*?~^$()[]|+\\".contains(one);
    let dotted = value.contains('.') && !value.starts_with('.') && !value.ends_with('.');
    if value.chars().all(good) && dotted {
        return Ok(());
    }
    Err(place.invalid(name, format!("{value} is not a host name")))
}

fn check_path(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    place.sized(name, value, (1, 128))?;
    let expression = value.starts_with('~');
    let good = |one: char| one.is_ascii_alphanumeric() || "$-_.+/&~@:*?'%!,;=".contains(one);
    if expression || (value.starts_with('/') && value.chars().all(good)) {
        return Ok(());
    }
    Err(place.invalid(name, format!("{value} is not a path that begins with /")))
}

fn check_method(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    if METHODS.contains(&value) {
        return Ok(());
    }
    Err(place.invalid(name, format!("{value} is not one of {}", METHODS.join(", "))))
}

fn check_network(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    let good = value.parse::<IpNet>().is_ok() || value.parse::<std::net::IpAddr>().is_ok();
    if good { Ok(()) } else { Err(place.invalid(name, format!("{value} is not a network"))) }
}

fn check_status(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    let known = value.parse::<u16>().is_ok_and(|status| (100..=599).contains(&status));
    if known { Ok(()) } else { Err(place.invalid(name, format!("{value} is not a status code"))) }
}

fn check_header_value(place: &Place, name: &str, value: &str) -> Result<(), ApiError> {
    place.sized(name, value, (1, 128))
}

fn read_header_key(place: &Place, name: &str, given: &Parameters) -> Result<String, ApiError> {
    let config = given.object(name);
    let key = config.text("Key").ok_or_else(|| place.missing(&format!("{name}.Key")))?;
    check_header_name(place, &format!("{name}.Key"), key)?;
    if ["cookie", "host"].contains(&key.to_ascii_lowercase().as_str()) {
        return Err(place.invalid(&format!("{name}.Key"), format!("{key} has conditions of its own")));
    }
    Ok(key.to_owned())
}

fn check_header_name(place: &Place, name: &str, key: &str) -> Result<(), ApiError> {
    place.sized(name, key, (1, 40))?;
    if key.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_') {
        return Ok(());
    }
    Err(place.invalid(name, format!("{key} is not the name of a header")))
}

fn read_pairs(place: &Place, name: &str, given: &Parameters, longest: usize) -> Result<Vec<Pair>, ApiError> {
    let listed = given.object(name).list("Values");
    if listed.is_empty() {
        return Err(place.missing(&format!("{name}.Values")));
    }
    let mut pairs = Vec::new();
    for own in listed {
        let pair = Pair { key: own.owned("Key"), value: own.owned("Value") };
        if pair.value.is_empty() {
            return Err(place.missing(&format!("{name}.Values.Value")));
        }
        place.sized(name, &pair.value, (1, longest))?;
        let texts = [&pair.key, &pair.value];
        if pair.key.chars().count() > 100 || texts.iter().any(|text| text.contains(|c| FORBIDDEN.contains(c)))
        {
            return Err(place.invalid(name, format!("{}={} is not valid", pair.key, pair.value)));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn read_action(place: &Place, given: &Parameters) -> Result<Action, ApiError> {
    let kind = given.text("Type").ok_or_else(|| place.missing("Type"))?;
    let order = given.unsigned::<u32>("Order").ok_or_else(|| place.missing("Order"))?;
    if !(1..=50_000).contains(&order) {
        return Err(place.invalid("Order", "it must be 1 to 50000"));
    }
    let name = format!("{kind}Config");
    let config = given.object(&name);
    if !given.has(&name) {
        return Err(place.missing(&name));
    }
    let kind = match kind {
        "ForwardGroup" => read_forward(place, &config)?,
        "Redirect" => read_redirect(place, &config)?,
        "FixedResponse" => read_fixed_response(place, &config)?,
        "Rewrite" => ActionKind::Rewrite {
            host: config.text_or("Host", "${host}"),
            path: config.text_or("Path", "${path}"),
            query: config.text_or("Query", "${query}"),
        },
        "InsertHeader" => read_insert_header(place, &config)?,
        "RemoveHeader" => {
            let key = config.text("Key").ok_or_else(|| place.inner("RemoveHeaderConfig").missing("Key"))?;
            check_header_name(&place.inner("RemoveHeaderConfig"), "Key", key)?;
            ActionKind::RemoveHeader { key: key.to_owned() }
        }
        "TrafficLimit" => read_limit(place, &config)?,
        "TrafficMirror" => read_mirror(place, &config)?,
        "Cors" => read_cors(&config),
        other => return Err(place.invalid("Type", format!("{other} is not an action"))),
    };
    Ok(Action { order, kind })
}

fn read_forward(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    let tuples = config.list("ServerGroupTuples");
    let (place, name) = (place.inner("ForwardGroupConfig"), "ServerGroupTuples");
    if tuples.is_empty() {
        return Err(place.missing(name));
    }
    if tuples.len() > GROUPS {
        return Err(place.invalid(name, "an action forwards to five groups at most"));
    }
    let mut groups: Vec<(String, u32)> = Vec::new();
    for tuple in &tuples {
        let id =
            tuple.text("ServerGroupId").ok_or_else(|| place.missing(&format!("{name}.ServerGroupId")))?;
        let weight = tuple.unsigned("Weight").unwrap_or(100);
        if weight > 100 {
            return Err(place.invalid(&format!("{name}.Weight"), "it must be 0 to 100"));
        }
        if groups.iter().any(|(earlier, _)| earlier == id) {
            return Err(place.invalid(name, format!("the group {id} is given twice")));
        }
        groups.push((id.to_owned(), weight));
    }
    let session = config.object("ServerGroupStickySession");
    let seconds: u32 = session.unsigned("Timeout").unwrap_or(1000);
    if !(1..=86_400).contains(&seconds) {
        return Err(place
            .inner("ServerGroupStickySession")
            .invalid("Timeout", "it must be 1 to 86400 seconds"));
    }
    Ok(ActionKind::ForwardGroup { groups, sticky: session.flag("Enabled").then_some(seconds) })
}

fn read_redirect(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    let redirect = Redirect {
        host: config.text_or("Host", "${host}"),
        path: config.text_or("Path", "${path}"),
        query: config.text_or("Query", "${query}"),
        protocol: config.text_or("Protocol", "${protocol}"),
        port: config.text_or("Port", "${port}"),
        http_code: config.text_or("HttpCode", "301"),
    };
    if !["301", "302", "303", "307", "308"].contains(&redirect.http_code.as_str()) {
        return Err(place
            .inner("RedirectConfig")
            .invalid("HttpCode", "it must be 301, 302, 303, 307 or 308"));
    }
    if !["${protocol}", "HTTP", "HTTPS"].contains(&redirect.protocol.as_str()) {
        return Err(place
            .inner("RedirectConfig")
            .invalid("Protocol", "it must be HTTP, HTTPS or ${protocol}"));
    }
    let port = redirect.port.parse::<u16>().is_ok_and(|port| (1..=63_335).contains(&port));
    if !port && redirect.port != "${port}" {
        return Err(place.inner("RedirectConfig").invalid("Port", "it must be 1 to 63335 or ${port}"));
    }
    for (name, text, bounds) in [
        ("Host", &redirect.host, (3, 256)),
        ("Path", &redirect.path, (1, 256)),
        ("Query", &redirect.query, (1, 128)),
    ] {
        place.sized(&format!("RedirectConfig.{name}"), text, bounds)?;
    }
    let leads_back = redirect.host == "${host}"
        && redirect.path == "${path}"
        && redirect.query == "${query}"
        && redirect.protocol == "${protocol}"
        && redirect.port == "${port}";
    if leads_back {
        return Err(place.invalid("RedirectConfig", "something beside HttpCode must differ from its default"));
    }
    Ok(ActionKind::Redirect(redirect))
}

fn read_fixed_response(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    const TYPES: &[&str] =
        &["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
    let content =
        config.text("Content").ok_or_else(|| place.inner("FixedResponseConfig").missing("Content"))?;
    let http_code =
        config.text("HttpCode").ok_or_else(|| place.inner("FixedResponseConfig").missing("HttpCode"))?;
    let content_type = config.text_or("ContentType", "text/plain");
    if content.len() > CONTENT_LIMIT || !content.is_ascii() {
        return Err(place
            .inner("FixedResponseConfig")
            .invalid("Content", "it must be at most 1 KB of ASCII"));
    }
    if !TYPES.contains(&content_type.as_str()) {
        return Err(place.inner("FixedResponseConfig").invalid("ContentType", "it is not a known type"));
    }
    let status = http_code.strip_prefix("HTTP_").unwrap_or(http_code);
    let known = status.parse::<u16>().is_ok_and(|code| [2, 4, 5].contains(&(code / 100)));
    if !known {
        return Err(place
            .inner("FixedResponseConfig")
            .invalid("HttpCode", "it must be a 2xx, 4xx or 5xx status"));
    }
    let (content, http_code) = (content.to_owned(), http_code.to_owned());
    Ok(ActionKind::FixedResponse { content, content_type, http_code })
}

fn read_insert_header(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    const SYSTEM: &[&str] = &["ClientSrcPort", "ClientSrcIp", "Protocol", "SLBId", "SLBPort"];
    let key = config.text("Key").ok_or_else(|| place.inner("InsertHeaderConfig").missing("Key"))?;
    let value = config.text("Value").ok_or_else(|| place.inner("InsertHeaderConfig").missing("Value"))?;
    check_header_name(&place.inner("InsertHeaderConfig"), "Key", key)?;
    place.inner("InsertHeaderConfig").sized("Value", value, (1, 128))?;
    let value_type = config.text_or("ValueType", "UserDefined");
    let good = match value_type.as_str() {
        "SystemDefined" => SYSTEM.contains(&value),
        "UserDefined" | "ReferenceHeader" => true,
        _ => return Err(place.inner("InsertHeaderConfig").invalid("ValueType", "it is not a known type")),
    };
    if !good {
        let reason = format!("{value} is not one of {}", SYSTEM.join(", "));
        return Err(place.inner("InsertHeaderConfig").invalid("Value", reason));
    }
    let (key, value, cover) = (key.to_owned(), value.to_owned(), config.flag("CoverEnabled"));
    Ok(ActionKind::InsertHeader { key, value, value_type, cover })
}

fn read_limit(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    let (qps, per_ip_qps) = (config.unsigned("QPS"), config.unsigned("PerIpQps"));
    let outside = |limit: &Option<u32>| limit.is_some_and(|limit| !(1..=1_000_000).contains(&limit));
    if outside(&qps) || outside(&per_ip_qps) {
        return Err(place.invalid("TrafficLimitConfig", "limits are 1 to 1000000 requests a second"));
    }
    match (qps, per_ip_qps) {
        (None, None) => Err(place.inner("TrafficLimitConfig").missing("QPS")),
        (Some(all), Some(one)) if one >= all => {
            Err(place.inner("TrafficLimitConfig").invalid("PerIpQps", "it must be smaller than QPS"))
        }
        _ => Ok(ActionKind::TrafficLimit { qps, per_ip_qps }),
    }
}

fn read_mirror(place: &Place, config: &Parameters) -> Result<ActionKind, ApiError> {
    if config.text("TargetType").is_some_and(|kind| kind != "ForwardGroupMirror") {
        return Err(place
            .inner("TrafficMirrorConfig")
            .invalid("TargetType", "only ForwardGroupMirror is possible"));
    }
    let tuples = config.object("MirrorGroupConfig").list("ServerGroupTuples");
    let groups: Vec<String> = tuples.iter().map(|tuple| tuple.owned("ServerGroupId")).collect();
    if groups.is_empty() || groups.iter().any(String::is_empty) {
        return Err(place.inner("TrafficMirrorConfig").missing("MirrorGroupConfig"));
    }
    Ok(ActionKind::TrafficMirror { groups })
}

fn read_cors(config: &Parameters) -> ActionKind {
    ActionKind::Cors(Cors {
        allow_credentials: config.text_or("AllowCredentials", "off"),
        allow_headers: config.texts("AllowHeaders"),
        allow_methods: config.texts("AllowMethods"),
        allow_origin: config.texts("AllowOrigin"),
        expose_headers: config.texts("ExposeHeaders"),
        max_age: config.integer("MaxAge").unwrap_or(172_800),
    })
}
