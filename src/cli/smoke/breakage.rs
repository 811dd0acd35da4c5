//! How each control is made: by what a person would do, or by a fault of the local cloud where nobody can do it.

use serde::Deserialize;
use serde_json::json;

use super::control::Control;
use super::ground::{Ground, Undo, token};
use crate::base::certificate::self_signed;
use crate::base::ids::CloudId;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cloud::alb::StickySessionConfig;
use crate::cloud::call::Call;
use crate::cloud::dns::NewRecord;
use crate::cloud::{Product, alb, cas, dns};
use crate::deploy::{node, redis};
use crate::resource::Kind;
use crate::topology::model::RedisPlace;

/// Makes one; what was done, in words.
pub(super) async fn make(ground: &mut Ground<'_>, control: Control) -> Result<String, Failure> {
    match control {
        Control::RedisStopped => stop_redis(ground).await,
        Control::NodeDown => stop_node(ground).await,
        Control::StickyOff => unstick(ground).await,
        Control::CertificateWrong => show_another_certificate(ground).await,
        Control::NameStale => leave_name_behind(ground).await,
        Control::ListenerHasty => lose_patience(ground).await,
        Control::RedisPortClosed => close_redis_port(ground).await,
    }
}

async fn stop_redis(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let host = redis_host(ground)?;
    ground.note(Undo::Start { host: host.clone(), unit: redis::UNIT });
    ground.systemctl(&host, "stop", redis::UNIT).await?;
    Ok(format!("Redis is stopped on {host}"))
}

fn redis_host(ground: &Ground<'_>) -> Result<String, Failure> {
    match &ground.session.topology.redis.place {
        RedisPlace::OnHost(redis) => Ok(redis.on.to_string()),
        RedisPlace::Managed(_) | RedisPlace::Absent => Err(missing("a host of Redis")),
    }
}

fn missing(what: &str) -> Failure {
    Failure::saying(ExitStatus::Bug, format!("the stack has no {what}"), "report it with your topology")
}

async fn stop_node(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let nodes = &ground.session.topology.node.on;
    let host = nodes.last().ok_or_else(|| missing("node"))?.to_string();
    ground.note(Undo::Start { host: host.clone(), unit: node::UNIT });
    ground.systemctl(&host, "stop", node::UNIT).await?;
    ground.until_servers_are_away(true).await?;
    Ok(format!("the node on {host} is stopped"))
}

async fn unstick(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let group = ground.server_group()?;
    let found =
        alb::server_groups_with_ids(&ground.session.provider.client, std::slice::from_ref(&group)).await?;
    let sticky = found.first().ok_or_else(|| missing("server group"))?.sticky_session_config.clone();
    ground.note(Undo::Call(Box::new(stick(&group, &sticky))));
    let off = StickySessionConfig { sticky_session_enabled: false, ..StickySessionConfig::default() };
    ground.call(&stick(&group, &off)).await?;
    ground.until_configured().await?;
    Ok("the server group is not sticky".to_owned())
}

/// `UpdateServerGroupAttribute` of the sticky sessions alone.
fn stick(group: &CloudId, sticky: &StickySessionConfig) -> Call {
    let is_on = sticky.sticky_session_enabled;
    Call::new(Product::Alb, "UpdateServerGroupAttribute")
        .with("ServerGroupId", group)
        .with("StickySessionConfig.StickySessionEnabled", is_on)
        .with_some("StickySessionConfig.StickySessionType", is_on.then_some(&sticky.sticky_session_type))
        .with_some("StickySessionConfig.CookieTimeout", is_on.then_some(sticky.cookie_timeout))
        .with_token(&token())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Uploaded {
    cert_id: i64,
}

async fn show_another_certificate(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let client = &ground.session.provider.client;
    let listener = alb::listener(client, &ground.listener()?).await?.ok_or_else(|| missing("listener"))?;
    let own = listener.certificates.first().ok_or_else(|| missing("certificate"))?;
    let back = show(&listener.listener_id, &own.certificate_id);
    let name = format!("elsewhere.{}", ground.session.topology.dns.domain);
    let other = self_signed(&name).map_err(|error| Failure::new(ExitStatus::Bug, error, None))?;
    let title = format!("smoke-{:08x}", rand::random::<u32>());
    let new = cas::NewCertificate { name: &title, chain: &other.chain.pem, key: &other.key, tags: &[] };
    let uploaded: Uploaded = client.call(&cas::upload(&new, &token())).await?;
    let number = CloudId::new(uploaded.cert_id.to_string());
    let identifier = cas::certificate(client, number.as_str()).await?.cert_identifier;
    ground.note(Undo::Call(Box::new(cas::delete(&number))));
    ground.note(Undo::Call(Box::new(back)));
    ground.call(&show(&listener.listener_id, &identifier)).await?;
    ground.until_configured().await?;
    Ok(format!("the listener shows a certificate for {name}"))
}

/// `UpdateListenerAttribute` of the certificate alone.
fn show(listener: &CloudId, certificate: &str) -> Call {
    update_listener(listener).with("Certificates.1.CertificateId", certificate)
}

fn update_listener(listener: &CloudId) -> Call {
    Call::new(Product::Alb, "UpdateListenerAttribute").with("ListenerId", listener).with_token(&token())
}

/// The record names another load balancer, the name servers take that in and then nothing more, and the record is
/// right again: what a cache does that keeps an answer for too long.
async fn leave_name_behind(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let topology = &ground.session.topology;
    let (domain, host, name) = (&topology.dns.domain, &topology.dns.host, topology.dns.full_name());
    let before = format!("alb-{:016x}.{}.alb.aliyuncsslb.com", rand::random::<u64>(), topology.region);
    let records = dns::records(&ground.session.provider.client, domain, host).await?;
    let alias = records.into_iter().find(|record| record.kind == "CNAME" && record.line == "default");
    let alias = alias.ok_or_else(|| missing("record"))?;
    let say = |value| dns::update_record(&alias.record_id, NewRecord { host, value, ttl: alias.ttl });
    let right = Undo::Call(Box::new(say(&alias.value)));
    ground.note(right.clone());
    ground.call(&say(&before)).await?;
    ground.fault(&json!({"name": name, "fault": {"dns_stale": {}}})).await?;
    ground.undo_now(&right).await?;
    Ok(format!("{name} is answered as before its last change"))
}

/// A timeout that is over before the ping comes.
async fn lose_patience(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let topology = &ground.session.topology;
    let (usual, ping) =
        (topology.load_balancer.listener.idle_timeout.count(), topology.node.ping_interval.count());
    let short = (ping * 3 / 5).max(1);
    let listener = ground.listener()?;
    let patience = |seconds: u32| update_listener(&listener).with("IdleTimeout", seconds);
    ground.note(Undo::Call(Box::new(patience(usual))));
    ground.call(&patience(short)).await?;
    ground.until_configured().await?;
    Ok(format!("the listener cuts after {short} s and the node pings each {ping} s"))
}

/// A rule that drops what comes to Redis: to take away the rules that let it in is not enough, since the members of a
/// group reach each other unless they are told otherwise. A connection that stands is let through by its state, so
/// Redis is started anew, and the nodes have to come back.
async fn close_redis_port(ground: &mut Ground<'_>) -> Result<String, Failure> {
    let group = ground.session.provider.known.only(Kind::SecurityGroup)?;
    let port = ground.session.topology.redis.port;
    let region = &ground.session.topology.region;
    let drop = |action| {
        Call::new(Product::Ecs, action)
            .with("RegionId", region)
            .with("SecurityGroupId", &group)
            .with("Permissions.1.IpProtocol", "tcp")
            .with("Permissions.1.PortRange", format!("{port}/{port}"))
            .with("Permissions.1.SourceCidrIp", "0.0.0.0/0")
            .with("Permissions.1.Policy", "drop")
            .with("Permissions.1.Priority", 1)
            .with("Permissions.1.NicType", "intranet")
    };
    ground.note(Undo::Call(Box::new(drop("RevokeSecurityGroup"))));
    ground.call(&drop("AuthorizeSecurityGroup").with_token(&token())).await?;
    let host = redis_host(ground)?;
    ground.systemctl(&host, "restart", redis::UNIT).await?;
    Ok(format!("nobody is let in to port {port} of {host}"))
}
