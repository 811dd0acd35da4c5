//! Settings of ALB resources that can be changed in place, and how they are read back.

use serde::Deserialize;

use crate::base::ids::{ClientToken, CloudId};
use crate::cloud::Product;
use crate::cloud::alb::INSTANCE;
use crate::cloud::call::Call;

/// How servers are probed, as a list tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheckConfig {
    /// Whether they are probed at all.
    pub health_check_enabled: bool,
    /// `HTTP`, ...
    pub health_check_protocol: String,
    /// `HEAD`, `GET`, ...
    pub health_check_method: String,
    /// Path asked.
    pub health_check_path: String,
    /// Answers that are good: `http_2xx`, ...
    pub health_check_codes: Vec<String>,
    /// Seconds between two probes.
    pub health_check_interval: u32,
    /// Seconds a server may take to answer.
    pub health_check_timeout: u32,
    /// Good probes in a row that make a server healthy.
    pub healthy_threshold: u32,
    /// Bad probes in a row that make it unhealthy.
    pub unhealthy_threshold: u32,
}

/// Whether a browser comes back to the same server, as a list tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StickySessionConfig {
    /// Whether it does.
    pub sticky_session_enabled: bool,
    /// `Insert` or `Server`.
    pub sticky_session_type: String,
    /// Seconds.
    pub cookie_timeout: u32,
}

/// How servers are probed.
#[derive(Debug, Clone, Copy)]
pub struct HealthCheck<'a> {
    /// Path asked with HEAD; a 2xx answer is good.
    pub path: &'a str,
    /// Seconds between two probes, 1 to 50.
    pub interval: u32,
    /// Seconds a server may take to answer, 1 to 300.
    pub timeout: u32,
    /// Probes in a row that decide, 2 to 10.
    pub threshold: u32,
    /// Seconds for which a browser comes back to the same server.
    pub sticky_seconds: u32,
}

/// `UpdateServerGroupAttribute`; without a name it keeps its own.
pub fn update_server_group(
    id: &CloudId,
    name: Option<&str>,
    health: HealthCheck<'_>,
    token: &ClientToken,
) -> Call {
    let call = Call::new(Product::Alb, "UpdateServerGroupAttribute")
        .with("ServerGroupId", id)
        .with_some("ServerGroupName", name)
        .with_token(token);
    with_group_settings(call, health)
}

pub(super) fn with_group_settings(call: Call, health: HealthCheck<'_>) -> Call {
    call.with("Scheduler", "Wrr")
        .with("HealthCheckConfig.HealthCheckEnabled", true)
        .with("HealthCheckConfig.HealthCheckProtocol", "HTTP")
        .with("HealthCheckConfig.HealthCheckMethod", "HEAD")
        .with("HealthCheckConfig.HealthCheckPath", health.path)
        .with("HealthCheckConfig.HealthCheckInterval", health.interval)
        .with("HealthCheckConfig.HealthCheckTimeout", health.timeout)
        .with("HealthCheckConfig.HealthyThreshold", health.threshold)
        .with("HealthCheckConfig.UnhealthyThreshold", health.threshold)
        .with_list("HealthCheckConfig.HealthCheckCodes", ["http_2xx"])
        // Long-polling clients must come back to the node that holds their session.
        .with("StickySessionConfig.StickySessionEnabled", true)
        .with("StickySessionConfig.StickySessionType", "Insert")
        .with("StickySessionConfig.CookieTimeout", health.sticky_seconds)
}

/// `UpdateServerGroupServersAttribute`: the weight of an instance, 0 to 100. The list travels in the form body.
pub fn weigh_server(
    group: &CloudId,
    instance: &CloudId,
    port: u16,
    weight: u32,
    token: &ClientToken,
) -> Call {
    Call::new(Product::Alb, "UpdateServerGroupServersAttribute")
        .with("ServerGroupId", group)
        .with_form("Servers.1.ServerType", INSTANCE)
        .with_form("Servers.1.ServerId", instance)
        .with_form("Servers.1.Port", port)
        .with_form("Servers.1.Weight", weight)
        .with_token(token)
}

/// `UpdateLoadBalancerAttribute`: the name.
pub fn rename_load_balancer(id: &CloudId, name: &str, token: &ClientToken) -> Call {
    Call::new(Product::Alb, "UpdateLoadBalancerAttribute")
        .with("LoadBalancerId", id)
        .with("LoadBalancerName", name)
        .with_token(token)
}

/// `StartListener`: of one that was stopped.
pub fn start_listener(id: &CloudId, token: &ClientToken) -> Call {
    Call::new(Product::Alb, "StartListener").with("ListenerId", id).with_token(token)
}
