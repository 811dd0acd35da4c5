//! Rules of security groups: read with their group, added and removed. Part of ECS.

use serde::Deserialize;

use crate::base::ids::{ClientToken, CloudId, RegionId};
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::ecs::SecurityGroup;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Tags;

/// A rule of a security group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Permission {
    /// `sgr-...`.
    #[serde(default)]
    pub security_group_rule_id: String,
    /// `ingress` or `egress`.
    #[serde(default)]
    pub direction: String,
    /// `TCP`, ...; the cloud does not keep the case.
    #[serde(default)]
    pub ip_protocol: String,
    /// `22/22`.
    #[serde(default)]
    pub port_range: String,
    /// The range let in.
    #[serde(default)]
    pub source_cidr_ip: String,
    /// The security group let in, in place of a range.
    #[serde(default)]
    pub source_group_id: String,
    /// `Accept` or `Drop`; the cloud does not keep the case.
    #[serde(default)]
    pub policy: String,
    /// 1 to 100, lower goes first.
    #[serde(default)]
    pub priority: String,
    /// Says whose rule it is.
    #[serde(default)]
    pub description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PermissionsReply {
    security_group_id: CloudId,
    #[serde(default)]
    security_group_name: String,
    #[serde(default)]
    vpc_id: String,
    permissions: PermissionList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PermissionList {
    #[serde(default)]
    permission: Vec<Permission>,
}

/// `DescribeSecurityGroupAttribute`: a group, without its tags, and the rules that let traffic in; none when it is not
/// there.
///
/// # Errors
/// What the cloud says.
pub async fn rules_of(
    client: &Client,
    group: &CloudId,
) -> Result<Option<(SecurityGroup, Vec<Permission>)>, CloudError> {
    let call = Call::new(Product::Ecs, "DescribeSecurityGroupAttribute")
        .with("RegionId", client.region())
        .with("SecurityGroupId", group)
        .with("Direction", "ingress")
        .with("MaxResults", 1000);
    let reply: PermissionsReply = match client.call(&call).await {
        Ok(reply) => reply,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error),
    };
    let group = SecurityGroup {
        security_group_id: reply.security_group_id,
        security_group_name: reply.security_group_name,
        vpc_id: reply.vpc_id,
        service_managed: false,
        tags: Tags::default(),
    };
    Ok(Some((group, reply.permissions.permission)))
}

/// A rule to add or remove.
#[derive(Debug)]
pub struct Rule<'a> {
    /// Its group.
    pub group: &'a CloudId,
    /// Protocol let in.
    pub protocol: &'a str,
    /// Ports let in, `22/22`; `-1/-1` of a protocol without any.
    pub ports: &'a str,
    /// Range let in.
    pub source: &'a str,
    /// Says whose rule it is.
    pub description: &'a str,
}

/// `AuthorizeSecurityGroup` of rules of one group: one that is there already is success and adds nothing.
pub fn authorize(region: &RegionId, group: &CloudId, rules: &[Rule<'_>], token: &ClientToken) -> Call {
    let call = with_rules(rule_call("AuthorizeSecurityGroup", region, group), rules);
    let descriptions = (1..).zip(rules);
    let call = descriptions.fold(call, |call, (number, rule)| {
        call.with(&format!("Permissions.{number}.Description"), rule.description)
    });
    call.with_token(token)
}

/// `ModifySecurityGroupRule`: all of a rule but its ports and whom it lets in.
pub fn modify(region: &RegionId, id: &str, rule: &Rule<'_>) -> Call {
    Call::new(Product::Ecs, "ModifySecurityGroupRule")
        .with("RegionId", region)
        .with("SecurityGroupId", rule.group)
        .with("SecurityGroupRuleId", id)
        .with("IpProtocol", rule.protocol)
        .with("Policy", "accept")
        .with("Priority", 1)
        .with("Description", rule.description)
}

/// `RevokeSecurityGroup` of rules by their ids: all of them or none.
pub fn revoke_by_ids(region: &RegionId, group: &CloudId, rules: &[&str]) -> Call {
    rule_call("RevokeSecurityGroup", region, group).with_list("SecurityGroupRuleId", rules)
}

/// `RevokeSecurityGroup` of rules by what they say.
pub fn revoke_all(region: &RegionId, group: &CloudId, rules: &[Rule<'_>]) -> Call {
    with_rules(rule_call("RevokeSecurityGroup", region, group), rules)
}

/// `RevokeSecurityGroup`.
pub fn revoke(region: &RegionId, rule: &Rule<'_>) -> Call {
    revoke_all(region, rule.group, std::slice::from_ref(rule))
}

fn rule_call(action: &str, region: &RegionId, group: &CloudId) -> Call {
    Call::new(Product::Ecs, action).with("RegionId", region).with("SecurityGroupId", group)
}

fn with_rules(call: Call, rules: &[Rule<'_>]) -> Call {
    (1..).zip(rules).fold(call, |call, (number, rule)| {
        let field = |name: &str| format!("Permissions.{number}.{name}");
        call.with(&field("IpProtocol"), rule.protocol)
            .with(&field("PortRange"), rule.ports)
            .with(&field("SourceCidrIp"), rule.source)
            .with(&field("Policy"), "accept")
            .with(&field("NicType"), "intranet")
            .with(&field("Priority"), 1)
    })
}
