//! ECS: security groups, key pairs, instances and the Cloud Assistant. API version 2014-05-26.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::ids::{ClientToken, CloudId, RegionId};
use crate::base::secret::Secret;
use crate::base::spot::Spot;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::disks;
use crate::cloud::error::CloudError;
use crate::cloud::pages::{self, Page};
pub use crate::cloud::security_rules::{
    Permission, Rule, authorize, modify, revoke, revoke_all, revoke_by_ids, rules_of,
};
use crate::cloud::tagging::{self, Tagged, Tagger};
use crate::cloud::transport::Client;
use crate::cloud::vpc::{Selection, Tags};

/// A security group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecurityGroup {
    /// `sg-...`.
    pub security_group_id: CloudId,
    /// Name shown in the console.
    #[serde(default)]
    pub security_group_name: String,
    /// Its VPC.
    #[serde(default)]
    pub vpc_id: String,
    /// Whether another product of the cloud made it for itself.
    #[serde(default)]
    pub service_managed: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A key pair.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyPair {
    /// Its name, unique in the region.
    pub key_pair_name: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// `i-...`.
    pub instance_id: CloudId,
    /// Name given to it.
    pub instance_name: String,
    /// `Pending`, `Starting`, `Running`, `Stopping`, `Stopped`.
    pub status: String,
    /// `ecs.c7.large`.
    #[serde(default)]
    pub instance_type: String,
    /// Image it was made from.
    #[serde(default)]
    pub image_id: String,
    /// Key pair it was made with.
    #[serde(default)]
    pub key_pair_name: String,
    /// Its security groups.
    #[serde(default)]
    pub security_group_ids: SecurityGroupIds,
    /// Where it is in the VPC.
    #[serde(default)]
    pub vpc_attributes: VpcAttributes,
    /// Its public addresses.
    #[serde(default)]
    pub public_ip_address: Addresses,
    /// When it goes by itself, `2026-12-01T08:00Z`; empty when it does not.
    #[serde(default)]
    pub auto_release_time: String,
    /// `NoSpot`, `SpotAsPriceGo` or `SpotWithPriceLimit`.
    #[serde(default)]
    pub spot_strategy: String,
    /// What an hour may cost, with `SpotWithPriceLimit`.
    #[serde(default)]
    pub spot_price_limit: f64,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// Ids as ECS wraps them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecurityGroupIds {
    /// The list.
    pub security_group_id: Vec<CloudId>,
}

/// Where an instance is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcAttributes {
    /// Its vSwitch.
    pub v_switch_id: String,
    /// Its addresses there.
    pub private_ip_address: Addresses,
}

/// Addresses as ECS wraps them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Addresses {
    /// The list.
    pub ip_address: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstancesReply {
    instances: InstanceList,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceList {
    #[serde(default)]
    instance: Vec<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecurityGroupsReply {
    security_groups: SecurityGroupList,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for SecurityGroupsReply {
    type Item = SecurityGroup;

    fn into_items(self) -> (Vec<SecurityGroup>, Option<String>) {
        (self.security_groups.security_group, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecurityGroupList {
    #[serde(default)]
    security_group: Vec<SecurityGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPairsReply {
    key_pairs: KeyPairList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPairList {
    #[serde(default)]
    key_pair: Vec<KeyPair>,
}

/// `DescribeSecurityGroups`.
///
/// # Errors
/// What the cloud says.
pub async fn security_groups(
    client: &Client,
    selection: Selection<'_>,
) -> Result<Vec<SecurityGroup>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeSecurityGroups")
        .with("RegionId", client.region())
        .with("MaxResults", 100);
    let call = selection.select(call, "SecurityGroupId");
    pages::all::<SecurityGroupsReply>(client, &call).await
}

/// `DescribeSecurityGroups`: those of a VPC.
///
/// # Errors
/// What the cloud says.
pub async fn security_groups_of(client: &Client, vpc: &CloudId) -> Result<Vec<SecurityGroup>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeSecurityGroups")
        .with("RegionId", client.region())
        .with("VpcId", vpc)
        .with("MaxResults", 100);
    pages::all::<SecurityGroupsReply>(client, &call).await
}

/// `CreateSecurityGroup`; answers `SecurityGroupId`.
pub fn create_security_group(
    region: &RegionId,
    name: &str,
    vpc: &CloudId,
    tags: &[(&str, &str)],
    token: &ClientToken,
) -> Call {
    Call::new(Product::Ecs, "CreateSecurityGroup")
        .with("RegionId", region)
        .with("SecurityGroupName", name)
        .with("SecurityGroupType", "normal")
        .with("VpcId", vpc)
        .with_tags(tags)
        .with_token(token)
}

/// `DeleteSecurityGroup`.
pub fn delete_security_group(region: &RegionId, id: &CloudId) -> Call {
    Call::new(Product::Ecs, "DeleteSecurityGroup").with("RegionId", region).with("SecurityGroupId", id)
}

/// `DescribeKeyPairs` by tag or name.
///
/// # Errors
/// What the cloud says.
pub async fn key_pairs(client: &Client, selection: Selection<'_>) -> Result<Vec<KeyPair>, CloudError> {
    let call =
        Call::new(Product::Ecs, "DescribeKeyPairs").with("RegionId", client.region()).with("PageSize", 50);
    let call = selection.select(call, "KeyPairName");
    Ok(client.call::<KeyPairsReply>(&call).await?.key_pairs.key_pair)
}

/// `ImportKeyPair`. It takes no token; its name is unique instead.
pub fn import_key_pair(region: &RegionId, name: &str, public_key: &str, tags: &[(&str, &str)]) -> Call {
    Call::new(Product::Ecs, "ImportKeyPair")
        .with("RegionId", region)
        .with("KeyPairName", name)
        .with("PublicKeyBody", public_key)
        .with_tags(tags)
}

/// `DeleteKeyPairs`.
pub fn delete_key_pair(region: &RegionId, name: &CloudId) -> Call {
    Call::new(Product::Ecs, "DeleteKeyPairs")
        .with("RegionId", region)
        .with("KeyPairNames", serde_json::json!([name.as_str()]))
}

impl Page for InstancesReply {
    type Item = Instance;

    fn into_items(self) -> (Vec<Instance>, Option<String>) {
        (self.instances.instance, self.next_token)
    }
}

/// `DescribeInstances` with a tag, or the one with an id.
///
/// # Errors
/// What the cloud says.
pub async fn instances(client: &Client, selection: Selection<'_>) -> Result<Vec<Instance>, CloudError> {
    match selection {
        Selection::Id(id) => instances_with_ids(client, std::slice::from_ref(id)).await,
        Selection::Tag(key, value) => {
            pages::all::<InstancesReply>(client, &describe_instances(client).with_tags(&[(key, value)])).await
        }
        Selection::All => pages::all::<InstancesReply>(client, &describe_instances(client)).await,
    }
}

/// How many instances one call takes.
const IDS: usize = 100;
/// How many agents a page of `DescribeCloudAssistantStatus` holds.
const AGENTS: usize = 50;

/// `DescribeInstances` by ids.
///
/// # Errors
/// What the cloud says.
pub async fn instances_with_ids(client: &Client, ids: &[CloudId]) -> Result<Vec<Instance>, CloudError> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS) {
        let call = describe_instances(client).with("InstanceIds", serde_json::json!(ids));
        found.extend(pages::all::<InstancesReply>(client, &call).await?);
    }
    Ok(found)
}

fn describe_instances(client: &Client) -> Call {
    Call::new(Product::Ecs, "DescribeInstances").with("RegionId", client.region()).with("MaxResults", IDS)
}

/// `DescribeInstances` of a VPC.
///
/// # Errors
/// What the cloud says.
pub async fn instances_of(client: &Client, vpc: &CloudId) -> Result<Vec<Instance>, CloudError> {
    pages::all::<InstancesReply>(client, &describe_instances(client).with("VpcId", vpc)).await
}

/// What an instance is made from.
#[derive(Debug)]
pub struct NewInstance<'a> {
    /// Name and host name.
    pub name: &'a str,
    /// Type tried.
    pub instance_type: &'a str,
    /// Image family.
    pub image_family: &'a str,
    /// System disk in GiB.
    pub disk: u32,
    /// What it is made as.
    pub disk_options: &'a DiskOptions,
    /// Disks beside it.
    pub data_disks: &'a [DataDisk],
    /// Its vSwitch.
    pub vswitch: &'a CloudId,
    /// Its security group.
    pub security_group: &'a CloudId,
    /// Its key pair.
    pub key_pair: &'a str,
    /// Mbit/s out to the Internet; 0 gives no public address.
    pub bandwidth: u32,
    /// Whether it may be taken back.
    pub spot: &'a Spot,
    /// When it goes by itself.
    pub release_time: Option<&'a str>,
    /// What it is told at its first start.
    pub user_data: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

impl Instance {
    /// Whether it may be taken back; none when the cloud does not tell.
    pub fn spot(&self) -> Option<Spot> {
        Some(match self.spot_strategy.as_str() {
            "NoSpot" => Spot::No,
            "SpotAsPriceGo" => Spot::MarketPrice,
            "SpotWithPriceLimit" => Spot::Limited(self.spot_price_limit.to_string()),
            _ => return None,
        })
    }
}

fn with_spot(call: Call, spot: &Spot) -> Call {
    match spot {
        Spot::No => call,
        Spot::MarketPrice => call.with("SpotStrategy", "SpotAsPriceGo"),
        Spot::Limited(price) => call.with("SpotStrategy", "SpotWithPriceLimit").with("SpotPriceLimit", price),
    }
}

/// `RunInstances`; answers `InstanceIdSets.InstanceIdSet`.
pub fn run_instance(region: &RegionId, new: &NewInstance<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Ecs, "RunInstances")
        .with("RegionId", region)
        .with("Amount", 1)
        .with("InstanceName", new.name)
        .with("HostName", new.name)
        .with("InstanceType", new.instance_type)
        .with("ImageFamily", new.image_family)
        .with("InstanceChargeType", "PostPaid")
        .with("VSwitchId", new.vswitch)
        .with("SecurityGroupId", new.security_group)
        .with("KeyPairName", new.key_pair)
        .with("InternetMaxBandwidthOut", new.bandwidth)
        .with("InternetChargeType", "PayByTraffic")
        .with("HttpTokens", "required")
        .with_some("AutoReleaseTime", new.release_time)
        .with_tags(new.tags)
        .with_token(token);
    let call = disks::made(call, new.instance_type, (new.disk, new.disk_options, new.data_disks));
    let call = with_spot(call, new.spot);
    match new.user_data {
        // It may have a secret in it.
        Some(text) => call.with_secret("UserData", Secret::new(BASE64.encode(text))),
        None => call,
    }
}

/// The id in an answer to `RunInstances`.
pub fn first_instance_id(reply: &serde_json::Value) -> Option<CloudId> {
    reply.pointer("/InstanceIdSets/InstanceIdSet/0").and_then(serde_json::Value::as_str).map(CloudId::new)
}

/// `DeleteInstances`, running or not: all of them or none.
pub fn delete_instances(region: &RegionId, ids: &[&CloudId]) -> Call {
    Call::new(Product::Ecs, "DeleteInstances")
        .with("RegionId", region)
        .with_list("InstanceId", ids)
        .with("Force", true)
}

/// `StartInstances`.
pub fn start_instance(region: &RegionId, id: &CloudId) -> Call {
    Call::new(Product::Ecs, "StartInstances").with("RegionId", region).with_list("InstanceId", [id])
}

/// `ModifyInstanceAttribute`: its name, or all of its security groups.
pub fn modify_instance(id: &CloudId, name: Option<&str>, security_groups: &[&str]) -> Call {
    Call::new(Product::Ecs, "ModifyInstanceAttribute")
        .with("InstanceId", id)
        .with_some("InstanceName", name)
        .with_list("SecurityGroupIds", security_groups)
}

/// `ModifyInstanceAutoReleaseTime`: when it goes by itself; none takes that back.
pub fn release_at(region: &RegionId, id: &CloudId, time: Option<&str>) -> Call {
    Call::new(Product::Ecs, "ModifyInstanceAutoReleaseTime")
        .with("RegionId", region)
        .with("InstanceId", id)
        .with_some("AutoReleaseTime", time)
}

/// `TagResources` of ECS for an instance.
pub fn tag_instance(region: &RegionId, id: &CloudId, tags: &[(&str, &str)]) -> Call {
    tagging::tag(region, Tagged { tagger: Tagger::Ecs, resource_type: "instance", id }, tags)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentsReply {
    instance_cloud_assistant_status_set: AgentList,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentList {
    #[serde(default)]
    instance_cloud_assistant_status: Vec<Agent>,
}

/// The Cloud Assistant of an instance.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Agent {
    /// Its instance.
    pub instance_id: CloudId,
    /// `true` or `false`.
    cloud_assistant_status: String,
}

impl Agent {
    /// Whether it takes commands.
    pub fn is_online(&self) -> bool {
        self.cloud_assistant_status == "true"
    }
}

impl Page for AgentsReply {
    type Item = Agent;

    fn into_items(self) -> (Vec<Agent>, Option<String>) {
        (self.instance_cloud_assistant_status_set.instance_cloud_assistant_status, self.next_token)
    }
}

/// `DescribeCloudAssistantStatus` by instances.
///
/// # Errors
/// What the cloud says.
pub async fn agents(client: &Client, instances: &[CloudId]) -> Result<Vec<Agent>, CloudError> {
    let mut found = Vec::new();
    for ids in instances.chunks(AGENTS) {
        let call = Call::new(Product::Ecs, "DescribeCloudAssistantStatus")
            .with("RegionId", client.region())
            .with("MaxResults", AGENTS)
            .with_list("InstanceId", ids);
        found.extend(pages::all::<AgentsReply>(client, &call).await?);
    }
    Ok(found)
}

/// `RunCommand` with a shell script; answers `InvokeId`.
pub fn run_command(region: &RegionId, id: &CloudId, script: &str, token: &ClientToken) -> Call {
    Call::new(Product::Ecs, "RunCommand")
        .with("RegionId", region)
        .with("Type", "RunShellScript")
        .with("CommandContent", BASE64.encode(script))
        .with("ContentEncoding", "Base64")
        .with("Timeout", 60)
        .with_list("InstanceId", [id])
        .with_token(token)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationReply {
    invocation: Invocation,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation {
    invocation_results: InvocationResults,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationResults {
    #[serde(default)]
    invocation_result: Vec<InvocationResult>,
}

/// Result of a command on one instance.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationResult {
    /// `Running`, `Finished`, `Success`, `Failed`, ...
    pub invoke_record_status: String,
    /// Exit status of the script.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// What it printed, base64.
    #[serde(default)]
    output: String,
}

impl InvocationResult {
    /// What it printed.
    pub fn output(&self) -> String {
        BASE64
            .decode(&self.output)
            .map_or_else(|_| self.output.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// `DescribeInvocationResults`.
///
/// # Errors
/// What the cloud says.
pub async fn invocation_result(
    client: &Client,
    invocation: &str,
) -> Result<Option<InvocationResult>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeInvocationResults")
        .with("RegionId", client.region())
        .with("InvokeId", invocation)
        .with("ContentEncoding", "Base64");
    let reply: InvocationReply = client.call(&call).await?;
    Ok(reply.invocation.invocation_results.invocation_result.into_iter().next())
}

/// A network interface in a VPC; what an ALB made for itself shows up here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkInterface {
    /// `eni-...`.
    pub network_interface_id: CloudId,
    /// Says whose it is.
    #[serde(default)]
    pub description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkInterfacesReply {
    network_interface_sets: NetworkInterfaceList,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkInterfaceList {
    #[serde(default)]
    network_interface_set: Vec<NetworkInterface>,
}

impl Page for NetworkInterfacesReply {
    type Item = NetworkInterface;

    fn into_items(self) -> (Vec<NetworkInterface>, Option<String>) {
        (self.network_interface_sets.network_interface_set, self.next_token)
    }
}

/// `DescribeNetworkInterfaces` of a VPC.
///
/// # Errors
/// What the cloud says.
pub async fn network_interfaces(client: &Client, vpc: &CloudId) -> Result<Vec<NetworkInterface>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeNetworkInterfaces")
        .with("RegionId", client.region())
        .with("VpcId", vpc)
        .with("MaxResults", 100);
    pages::all::<NetworkInterfacesReply>(client, &call).await
}
