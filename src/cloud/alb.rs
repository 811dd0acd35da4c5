//! ALB: load balancers, server groups and listeners. API version 2020-06-16.
//!
//! Writes answer before they are done: a new load balancer is `Provisioning`, a group being changed `Configuring`.
//! Changes of one group are refused while it is being changed, so they are made one after another.

use serde::Deserialize;

use crate::base::ids::{ClientToken, CloudId, RegionId};
pub use crate::cloud::alb_servers::{add_server, add_servers, remove_server, remove_servers};
use crate::cloud::alb_settings::with_group_settings;
pub use crate::cloud::alb_settings::{
    HealthCheck, HealthCheckConfig, StickySessionConfig, rename_load_balancer, start_listener,
    update_server_group, weigh_server,
};
use crate::cloud::call::Call;
use crate::cloud::error::{CloudError, absent_as_none};
use crate::cloud::pages::{self, Page};
use crate::cloud::transport::Client;
use crate::cloud::{Product, Tag};

/// The largest page of ALB lists.
const PAGE: u32 = 100;
/// The largest page of `GetListenerHealthStatus`.
const HEALTH_PAGE: u32 = 30;
/// What a server group calls a server that is an instance.
pub const INSTANCE: &str = "Ecs";

/// A load balancer in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoadBalancer {
    /// `alb-...`.
    pub load_balancer_id: CloudId,
    /// `Provisioning`, `Active`, `Configuring`, `Inactive`, `CreateFailed`.
    pub load_balancer_status: String,
    /// Name shown in the console.
    #[serde(default)]
    pub load_balancer_name: String,
    /// Its own name, reached only through a CNAME.
    #[serde(rename = "DNSName", default)]
    pub dns_name: String,
    /// `Internet` or `Intranet`.
    #[serde(default)]
    pub address_type: String,
    /// `Basic`, `Standard`, ...
    #[serde(default)]
    pub load_balancer_edition: String,
    /// Its VPC.
    #[serde(default)]
    pub vpc_id: String,
    /// Its vSwitches; only in `GetLoadBalancerAttribute`.
    #[serde(default)]
    pub zone_mappings: Vec<ZoneMapping>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// Where a load balancer is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ZoneMapping {
    /// vSwitch in the zone.
    pub v_switch_id: String,
    /// Its addresses there.
    #[serde(default)]
    pub load_balancer_addresses: Vec<LoadBalancerAddress>,
}

/// An address of a load balancer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoadBalancerAddress {
    /// Public address, or the private one of an intranet load balancer.
    #[serde(default)]
    pub address: String,
}

/// A server group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServerGroup {
    /// `sgp-...`.
    pub server_group_id: CloudId,
    /// `Creating`, `Available`, `Configuring`.
    pub server_group_status: String,
    /// Name shown in the console.
    #[serde(default)]
    pub server_group_name: String,
    /// `Wrr`, ...
    #[serde(default)]
    pub scheduler: String,
    /// Whether a browser comes back to the same server.
    #[serde(default)]
    pub sticky_session_config: StickySessionConfig,
    /// Its VPC.
    #[serde(default)]
    pub vpc_id: String,
    /// How its servers are probed.
    #[serde(default)]
    pub health_check_config: HealthCheckConfig,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// A server in a group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackendServer {
    /// `i-...`.
    pub server_id: CloudId,
    /// `Ecs`, `Eni`, `Eci`, `Ip`.
    #[serde(default)]
    pub server_type: String,
    /// Its address.
    #[serde(default)]
    pub server_ip: String,
    /// Its share of the traffic, 0 to 100.
    #[serde(default)]
    pub weight: u32,
    /// Port traffic goes to.
    pub port: u16,
    /// `Adding`, `Available`, `Configuring`, `Removing`.
    pub status: String,
}

/// A listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listener {
    /// `lsn-...`.
    pub listener_id: CloudId,
    /// Its load balancer.
    #[serde(default)]
    pub load_balancer_id: String,
    /// Says whose listener it is.
    #[serde(default)]
    pub listener_description: String,
    /// `Provisioning`, `Running`, `Configuring`, `Stopped`.
    pub listener_status: String,
    /// Its port.
    pub listener_port: u16,
    /// `HTTP`, `HTTPS`.
    pub listener_protocol: String,
    /// Seconds.
    #[serde(default)]
    pub idle_timeout: u32,
    /// Seconds.
    #[serde(default)]
    pub request_timeout: u32,
    /// What it does with requests.
    #[serde(default)]
    pub default_actions: Vec<DefaultAction>,
    /// Which versions and ciphers of TLS it takes.
    #[serde(default)]
    pub security_policy_id: String,
    /// Its certificates; only in `GetListenerAttribute`.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

impl Listener {
    /// The group its default action forwards to.
    pub fn server_group(&self) -> Option<&CloudId> {
        let action = self.default_actions.first()?;
        action.forward_group_config.server_group_tuples.first().map(|tuple| &tuple.server_group_id)
    }
}

/// What a listener does with a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DefaultAction {
    /// Where it forwards to.
    pub forward_group_config: ForwardGroupConfig,
}

/// Where a listener forwards to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ForwardGroupConfig {
    /// The groups; exactly one for a default action.
    pub server_group_tuples: Vec<ServerGroupTuple>,
}

/// One group of an action.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServerGroupTuple {
    /// Its id.
    pub server_group_id: CloudId,
}

/// A certificate of a listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Certificate {
    /// `<number>-<region>`.
    pub certificate_id: String,
}

/// A server that gets no traffic, and why.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NonNormalServer {
    /// `i-...`.
    pub server_id: String,
    /// Port traffic would go to.
    #[serde(default)]
    pub port: u16,
    /// `Initial`, `Unhealthy`, `Unused`, `Unavailable`.
    pub status: String,
    /// Why.
    #[serde(default)]
    pub reason: Reason,
}

impl NonNormalServer {
    /// Whether it is this port of this instance.
    pub fn is(&self, instance: &CloudId, port: u16) -> bool {
        self.server_id == instance.as_str() && self.port == port
    }

    /// Whether its settings keep traffic away, and no check of its health changes that: its weight is 0, or nobody
    /// checks.
    pub fn is_set_aside(&self) -> bool {
        matches!(self.status.as_str(), "Unused" | "Unavailable")
    }
}

/// Why a server gets no traffic.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reason {
    /// `CONNECT_FAILED`, `RESPONSE_MISMATCH`, ...
    pub reason_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListenerHealth {
    #[serde(default)]
    server_group_infos: Vec<GroupHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GroupHealth {
    #[serde(default)]
    non_normal_servers: Vec<NonNormalServer>,
}

macro_rules! page {
    ($name:ident, $field:ident: $item:ty) => {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct $name {
            #[serde(default)]
            $field: Vec<$item>,
            #[serde(default)]
            next_token: Option<String>,
        }
        impl Page for $name {
            type Item = $item;
            fn into_items(self) -> (Vec<$item>, Option<String>) {
                (self.$field, self.next_token)
            }
        }
    };
}

page!(LoadBalancersPage, load_balancers: LoadBalancer);
page!(ServerGroupsPage, server_groups: ServerGroup);
page!(ServersPage, servers: BackendServer);
page!(ListenersPage, listeners: Listener);
page!(HealthPage, listener_health_status: ListenerHealth);

pub(super) async fn all<P: Page>(client: &Client, call: Call) -> Result<Vec<P::Item>, CloudError> {
    pages::all::<P>(client, &call.with("MaxResults", PAGE)).await
}

/// How many ids a list takes.
const IDS: usize = 20;

/// A list by ids, so many at a time as the API takes.
async fn by_ids<P: Page>(
    client: &Client,
    call: Call,
    (parameter, ids): (&str, &[CloudId]),
) -> Result<Vec<P::Item>, CloudError> {
    let call = call.with("RegionId", client.region());
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        found.extend(all::<P>(client, call.clone().with_list(parameter, ids)).await?);
    }
    Ok(found)
}

/// `ListLoadBalancers` with a tag.
///
/// # Errors
/// What the cloud says.
pub async fn load_balancers(
    client: &Client,
    key: &str,
    value: &str,
) -> Result<Vec<LoadBalancer>, CloudError> {
    let call = Call::new(Product::Alb, "ListLoadBalancers")
        .with("RegionId", client.region())
        .with_tags(&[(key, value)]);
    all::<LoadBalancersPage>(client, call).await
}

/// `ListLoadBalancers`: all of the region.
///
/// # Errors
/// What the cloud says.
pub async fn all_load_balancers(client: &Client) -> Result<Vec<LoadBalancer>, CloudError> {
    let call = Call::new(Product::Alb, "ListLoadBalancers").with("RegionId", client.region());
    all::<LoadBalancersPage>(client, call).await
}

/// `ListServerGroups`: all of the region.
///
/// # Errors
/// What the cloud says.
pub async fn all_server_groups(client: &Client) -> Result<Vec<ServerGroup>, CloudError> {
    let call = Call::new(Product::Alb, "ListServerGroups").with("RegionId", client.region());
    all::<ServerGroupsPage>(client, call).await
}

/// `ListLoadBalancers` of a VPC.
///
/// # Errors
/// What the cloud says.
pub async fn load_balancers_of(client: &Client, vpc: &CloudId) -> Result<Vec<LoadBalancer>, CloudError> {
    let call = Call::new(Product::Alb, "ListLoadBalancers")
        .with("RegionId", client.region())
        .with_list("VpcIds", [vpc]);
    all::<LoadBalancersPage>(client, call).await
}

/// `ListLoadBalancers` by ids; without zones.
///
/// # Errors
/// What the cloud says.
pub async fn load_balancers_with_ids(
    client: &Client,
    ids: &[CloudId],
) -> Result<Vec<LoadBalancer>, CloudError> {
    let call = Call::new(Product::Alb, "ListLoadBalancers");
    by_ids::<LoadBalancersPage>(client, call, ("LoadBalancerIds", ids)).await
}

/// `GetLoadBalancerAttribute`; none when it is not there.
///
/// # Errors
/// What the cloud says.
pub async fn load_balancer(client: &Client, id: &CloudId) -> Result<Option<LoadBalancer>, CloudError> {
    absent_as_none(
        client.call(&Call::new(Product::Alb, "GetLoadBalancerAttribute").with("LoadBalancerId", id)).await,
    )
}

/// `ListServerGroups` with a tag.
///
/// # Errors
/// What the cloud says.
pub async fn server_groups(client: &Client, key: &str, value: &str) -> Result<Vec<ServerGroup>, CloudError> {
    let call = Call::new(Product::Alb, "ListServerGroups")
        .with("RegionId", client.region())
        .with_tags(&[(key, value)]);
    all::<ServerGroupsPage>(client, call).await
}

/// `ListServerGroups` by ids.
///
/// # Errors
/// What the cloud says.
pub async fn server_groups_with_ids(
    client: &Client,
    ids: &[CloudId],
) -> Result<Vec<ServerGroup>, CloudError> {
    let call = Call::new(Product::Alb, "ListServerGroups");
    by_ids::<ServerGroupsPage>(client, call, ("ServerGroupIds", ids)).await
}

/// `ListServerGroupServers`.
///
/// # Errors
/// What the cloud says.
pub async fn servers(client: &Client, group: &CloudId) -> Result<Vec<BackendServer>, CloudError> {
    let call = Call::new(Product::Alb, "ListServerGroupServers").with("ServerGroupId", group);
    all::<ServersPage>(client, call).await
}

/// `ListListeners` of a load balancer.
///
/// # Errors
/// What the cloud says.
pub async fn listeners(client: &Client, load_balancer: &CloudId) -> Result<Vec<Listener>, CloudError> {
    let call = Call::new(Product::Alb, "ListListeners")
        .with("RegionId", client.region())
        .with_list("LoadBalancerIds", [load_balancer]);
    all::<ListenersPage>(client, call).await
}

/// `ListListeners` by ids.
///
/// # Errors
/// What the cloud says.
pub async fn listeners_with_ids(client: &Client, ids: &[CloudId]) -> Result<Vec<Listener>, CloudError> {
    let call = Call::new(Product::Alb, "ListListeners");
    by_ids::<ListenersPage>(client, call, ("ListenerIds", ids)).await
}

/// `GetListenerAttribute`; none when it is not there.
///
/// # Errors
/// What the cloud says.
pub async fn listener(client: &Client, id: &CloudId) -> Result<Option<Listener>, CloudError> {
    absent_as_none(client.call(&Call::new(Product::Alb, "GetListenerAttribute").with("ListenerId", id)).await)
}

/// `GetListenerHealthStatus`: the servers that get no traffic; none when the listener is not there.
///
/// # Errors
/// What the cloud says.
pub async fn unhealthy_servers(
    client: &Client,
    listener: &CloudId,
) -> Result<Option<Vec<NonNormalServer>>, CloudError> {
    let call = Call::new(Product::Alb, "GetListenerHealthStatus").with("ListenerId", listener);
    let pages = pages::all::<HealthPage>(client, &call.with("MaxResults", HEALTH_PAGE)).await;
    let servers = |pages: Vec<ListenerHealth>| {
        let groups = pages.into_iter().flat_map(|listener| listener.server_group_infos);
        groups.flat_map(|group| group.non_normal_servers).collect()
    };
    Ok(absent_as_none(pages)?.map(servers))
}

/// What a load balancer is made from.
#[derive(Debug)]
pub struct NewLoadBalancer<'a> {
    /// Name shown in the console.
    pub name: &'a str,
    /// Its VPC.
    pub vpc: &'a CloudId,
    /// `Internet` or `Intranet`.
    pub address_type: &'a str,
    /// `Basic` or `Standard`.
    pub edition: &'a str,
    /// Zone and vSwitch, two or more.
    pub zones: &'a [(String, CloudId)],
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// `CreateLoadBalancer`; answers `LoadBalancerId`.
pub fn create_load_balancer(region: &RegionId, new: &NewLoadBalancer<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Alb, "CreateLoadBalancer")
        .with("RegionId", region)
        .with("LoadBalancerName", new.name)
        .with("VpcId", new.vpc)
        .with("AddressType", new.address_type)
        .with("LoadBalancerEdition", new.edition)
        .with("LoadBalancerBillingConfig.PayType", "PostPay")
        .with_tags(new.tags)
        .with_token(token);
    (1..).zip(new.zones).fold(call, |call, (number, (zone, vswitch))| {
        call.with(&format!("ZoneMappings.{number}.ZoneId"), zone)
            .with(&format!("ZoneMappings.{number}.VSwitchId"), vswitch)
    })
}

/// `DeleteLoadBalancer`.
pub fn delete_load_balancer(id: &CloudId) -> Call {
    Call::new(Product::Alb, "DeleteLoadBalancer").with("LoadBalancerId", id)
}

/// What a server group is made from.
#[derive(Debug)]
pub struct NewServerGroup<'a> {
    /// Name shown in the console.
    pub name: &'a str,
    /// Its VPC.
    pub vpc: &'a CloudId,
    /// How its servers are probed.
    pub health: HealthCheck<'a>,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// `CreateServerGroup`; answers `ServerGroupId`.
pub fn create_server_group(region: &RegionId, new: &NewServerGroup<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Alb, "CreateServerGroup")
        .with("RegionId", region)
        .with("ServerGroupName", new.name)
        .with("VpcId", new.vpc)
        .with("Protocol", "HTTP")
        .with_tags(new.tags)
        .with_token(token);
    with_group_settings(call, new.health)
}

/// `DeleteServerGroup`.
pub fn delete_server_group(id: &CloudId) -> Call {
    Call::new(Product::Alb, "DeleteServerGroup").with("ServerGroupId", id)
}

/// What a listener is made from.
#[derive(Debug)]
pub struct ListenerSettings<'a> {
    /// Where it forwards to.
    pub server_group: &'a CloudId,
    /// Seconds.
    pub idle_timeout: u32,
    /// Seconds.
    pub request_timeout: u32,
    /// For https: what it shows, and which versions and ciphers of TLS it takes.
    pub secure: Option<(&'a str, &'a str)>,
    /// Says whose listener it is.
    pub description: &'a str,
}

/// `CreateListener`; answers `ListenerId`.
pub fn create_listener(
    load_balancer: &CloudId,
    (protocol, port): (&str, u16),
    settings: &ListenerSettings<'_>,
    tags: &[(&str, &str)],
    token: &ClientToken,
) -> Call {
    let call = Call::new(Product::Alb, "CreateListener")
        .with("LoadBalancerId", load_balancer)
        .with("ListenerProtocol", protocol)
        .with("ListenerPort", port)
        .with_tags(tags)
        .with_token(token);
    with_listener_settings(call, settings)
}

/// `UpdateListenerAttribute`.
pub fn update_listener(id: &CloudId, settings: &ListenerSettings<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Alb, "UpdateListenerAttribute").with("ListenerId", id).with_token(token);
    with_listener_settings(call, settings)
}

fn with_listener_settings(call: Call, settings: &ListenerSettings<'_>) -> Call {
    call.with("ListenerDescription", settings.description)
        // Both are always sent: the cloud's own default cuts a silent WebSocket after 15 s.
        .with("IdleTimeout", settings.idle_timeout)
        .with("RequestTimeout", settings.request_timeout)
        .with("DefaultActions.1.Type", "ForwardGroup")
        .with("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", settings.server_group)
        .with_some("Certificates.1.CertificateId", settings.secure.map(|(certificate, _)| certificate))
        .with_some("SecurityPolicyId", settings.secure.map(|(_, policy)| policy))
}

/// `DeleteListener`.
pub fn delete_listener(id: &CloudId) -> Call {
    Call::new(Product::Alb, "DeleteListener").with("ListenerId", id)
}
