//! R-kvstore: managed Redis and Tair. API version 2015-01-01.
//!
//! An instance that is made, or changed, takes no other change until it is `Normal` again.

use serde::Deserialize;
use serde_json::json;

use crate::base::ids::{ClientToken, CloudId, RegionId};
use crate::base::secret::Secret;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::{CloudError, absent_as_none};
use crate::cloud::pages;
use crate::cloud::tagging::{self, Tagged, Tagger};
use crate::cloud::transport::Client;
use crate::cloud::vpc::Tags;

/// The largest page of `DescribeInstances`.
const PAGE: usize = 50;
/// How many ids `DescribeInstances` takes.
const IDS: usize = 30;
/// The allow list that every instance has.
const DEFAULT_LIST: &str = "default";

/// An instance in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// `r-...`.
    pub instance_id: CloudId,
    /// Name shown in the console.
    #[serde(default)]
    pub instance_name: String,
    /// `Creating`, `Normal`, `Changing`, ...
    pub instance_status: String,
    /// `Redis`, `Tair`, `tair_rdb`, ...
    #[serde(default)]
    pub instance_type: String,
    /// `tair.rdb.1g`.
    #[serde(default)]
    pub instance_class: String,
    /// `5.0`.
    #[serde(default)]
    pub engine_version: String,
    /// Megabytes it holds.
    #[serde(default)]
    pub capacity: u32,
    /// The name it is reached by in its VPC.
    #[serde(default)]
    pub connection_domain: String,
    /// Its port.
    #[serde(default)]
    pub port: u16,
    /// Its VPC.
    #[serde(default)]
    pub vpc_id: String,
    /// Its vSwitch.
    #[serde(default)]
    pub v_switch_id: String,
    /// Settings of the engine, as the text of a JSON object.
    #[serde(default)]
    pub config: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Instance {
    /// What goes when its memory is full.
    pub fn eviction(&self) -> Option<String> {
        let config: serde_json::Value = serde_json::from_str(&self.config).ok()?;
        let setting = config.get("maxmemory-policy").or_else(|| config.get("EvictionPolicy"));
        setting.and_then(serde_json::Value::as_str).map(str::to_owned)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstancesReply {
    instances: InstanceList,
}

#[derive(Deserialize)]
struct InstanceList {
    #[serde(rename = "KVStoreInstance", default)]
    instances: Vec<Instance>,
}

/// Instances with a tag.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn instances(client: &Client, key: &str, value: &str) -> Result<Vec<Instance>, CloudError> {
    let call = list(client).with_tags(&[(key, value)]);
    pages::all_numbered(client, &call, PAGE, |reply: InstancesReply| reply.instances.instances).await
}

/// Those of these instances that are there.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn instances_with_ids(client: &Client, ids: &[CloudId]) -> Result<Vec<Instance>, CloudError> {
    let mut all = Vec::new();
    for some in ids.chunks(IDS) {
        let ids = some.iter().map(CloudId::as_str).collect::<Vec<_>>().join(",");
        let call = list(client).with("InstanceIds", ids).with("PageSize", PAGE);
        let reply: Option<InstancesReply> = absent_as_none(client.call(&call).await)?;
        all.extend(reply.map(|reply| reply.instances.instances).unwrap_or_default());
    }
    Ok(all)
}

fn list(client: &Client) -> Call {
    Call::new(Product::RKvstore, "DescribeInstances").with("RegionId", client.region())
}

/// What a new instance shall be.
#[derive(Debug, Clone, Copy)]
pub struct NewInstance<'a> {
    /// Name shown in the console.
    pub name: &'a str,
    /// Its product line.
    pub line: Line,
    /// Its class.
    pub class: &'a str,
    /// The version of Redis it speaks.
    pub engine: &'a str,
    /// Its VPC.
    pub vpc: &'a CloudId,
    /// Its vSwitch.
    pub vswitch: &'a CloudId,
    /// Its port.
    pub port: u16,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// Product lines, which are made by calls of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Tair in memory.
    Tair,
    /// Redis as it is published.
    Classic,
}

impl Line {
    /// `InstanceType` of the API.
    pub fn instance_type(self) -> &'static str {
        match self {
            Self::Tair => "tair_rdb",
            Self::Classic => "Redis",
        }
    }
}

/// Makes an instance that is paid by use: left out, a Tair would be a subscription.
pub fn create_instance(region: &RegionId, new: &NewInstance<'_>, token: &ClientToken) -> Call {
    let call = match new.line {
        Line::Tair => Call::new(Product::RKvstore, "CreateTairInstance").with_token(token),
        Line::Classic => Call::new(Product::RKvstore, "CreateInstance").with("Token", token),
    };
    call.with("RegionId", region)
        .with("InstanceType", new.line.instance_type())
        .with("InstanceName", new.name)
        .with("InstanceClass", new.class)
        .with("EngineVersion", new.engine)
        .with("VpcId", new.vpc)
        .with("VSwitchId", new.vswitch)
        .with("Port", new.port)
        .with("ChargeType", "PostPaid")
        .with_tags(new.tags)
}

/// Changes the class of an instance, now and not when it is maintained.
pub fn change_class(id: &CloudId, class: &str) -> Call {
    Call::new(Product::RKvstore, "ModifyInstanceSpec")
        .with("InstanceId", id)
        .with("InstanceClass", class)
        .with("EffectiveTime", "Immediately")
}

/// Changes what goes when the memory of an instance is full.
pub fn set_eviction(id: &CloudId, eviction: &str) -> Call {
    let config = json!({ "maxmemory-policy": eviction });
    Call::new(Product::RKvstore, "ModifyInstanceConfig").with("InstanceId", id).with("Config", config)
}

/// Renames an instance.
pub fn rename_instance(id: &CloudId, name: &str) -> Call {
    Call::new(Product::RKvstore, "ModifyInstanceAttribute").with("InstanceId", id).with("InstanceName", name)
}

/// Lets in these addresses and ranges, joined by commas, and nobody else.
pub fn set_allow_list(id: &CloudId, entries: &str) -> Call {
    Call::new(Product::RKvstore, "ModifySecurityIps")
        .with("InstanceId", id)
        .with("SecurityIps", entries)
        .with("SecurityIpGroupName", DEFAULT_LIST)
        .with("ModifyMode", "Cover")
}

/// Deletes an instance.
pub fn delete_instance(id: &CloudId) -> Call {
    Call::new(Product::RKvstore, "DeleteInstance").with("InstanceId", id)
}

/// Tags an instance.
pub fn tag_instance(region: &RegionId, id: &CloudId, tags: &[(&str, &str)]) -> Call {
    tagging::tag(region, Tagged { tagger: Tagger::RKvstore, resource_type: "INSTANCE", id }, tags)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AllowListsReply {
    security_ip_groups: AllowLists,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AllowLists {
    #[serde(default)]
    security_ip_group: Vec<AllowList>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AllowList {
    security_ip_group_name: String,
    #[serde(default)]
    security_ip_list: String,
}

/// Who an instance lets in by its default list, sorted. Lists that others have added are theirs.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn allow_list(client: &Client, id: &CloudId) -> Result<Vec<String>, CloudError> {
    let call = Call::new(Product::RKvstore, "DescribeSecurityIps").with("InstanceId", id);
    let reply: Option<AllowListsReply> = absent_as_none(client.call(&call).await)?;
    let lists = reply.map(|reply| reply.security_ip_groups.security_ip_group).unwrap_or_default();
    let own = lists.iter().filter(|list| list.security_ip_group_name == DEFAULT_LIST);
    let entries = own.flat_map(|list| list.security_ip_list.split(','));
    let mut entries: Vec<String> =
        entries.map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
    entries.sort();
    Ok(entries)
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Account {
    /// Its instance.
    pub instance_id: CloudId,
    /// Its name.
    pub account_name: String,
    /// `Available`, `Unavailable`.
    pub account_status: String,
    /// What it may do.
    #[serde(default)]
    pub database_privileges: Privileges,
}

/// Privileges as the API wraps them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Privileges {
    /// The list.
    pub database_privilege: Vec<Privilege>,
}

/// What an account may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Privilege {
    /// `RoleReadWrite`, `RoleReadOnly`.
    pub account_privilege: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountsReply {
    accounts: AccountList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountList {
    #[serde(default)]
    account: Vec<Account>,
}

/// An account by its name.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn account(client: &Client, id: &CloudId, name: &str) -> Result<Option<Account>, CloudError> {
    let call =
        Call::new(Product::RKvstore, "DescribeAccounts").with("InstanceId", id).with("AccountName", name);
    let reply: Option<AccountsReply> = absent_as_none(client.call(&call).await)?;
    let accounts = reply.map(|reply| reply.accounts.account).unwrap_or_default();
    Ok(accounts.into_iter().find(|one| one.account_name == name))
}

/// Makes an account that may read and write.
pub fn create_account(id: &CloudId, name: &str, privilege: &str, password: Secret<String>) -> Call {
    Call::new(Product::RKvstore, "CreateAccount")
        .with("InstanceId", id)
        .with("AccountName", name)
        .with("AccountPrivilege", privilege)
        .with_secret("AccountPassword", password)
}

/// Gives an account another password.
pub fn reset_password(id: &CloudId, name: &str, password: Secret<String>) -> Call {
    Call::new(Product::RKvstore, "ResetAccountPassword")
        .with("InstanceId", id)
        .with("AccountName", name)
        .with_secret("AccountPassword", password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_by_both_names() {
        let read = |config: &str| {
            let found = json!({"InstanceId": "r-1", "InstanceStatus": "Normal", "Config": config});
            serde_json::from_value::<Instance>(found).unwrap().eviction()
        };
        assert_eq!(read(r#"{"EvictionPolicy":"volatile-lru"}"#).as_deref(), Some("volatile-lru"));
        assert_eq!(read(r#"{"maxmemory-policy":"noeviction"}"#).as_deref(), Some("noeviction"));
        assert_eq!(read(""), None);
    }

    #[test]
    fn every_line_is_paid_by_use_and_carries_its_token() {
        let (vpc, vswitch) = (CloudId::new("vpc-1"), CloudId::new("vsw-1"));
        for (line, token) in [(Line::Tair, "ClientToken"), (Line::Classic, "Token")] {
            let new = NewInstance {
                name: "chat",
                line,
                class: "c",
                engine: "5.0",
                vpc: &vpc,
                vswitch: &vswitch,
                port: 6379,
                tags: &[],
            };
            let call = create_instance(&RegionId::new("cn-hangzhou"), &new, &ClientToken::new("0f"));
            assert_eq!((call.query["ChargeType"].as_str(), call.query[token].as_str()), ("PostPaid", "0f"));
        }
    }
}
