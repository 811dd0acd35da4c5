//! Layer 3: what a topology needs to be allowed.
//!
//! [`document`] has the calls of each part of its life, put together from what the topology has: a load balancer every
//! one, certificates and a managed Redis only some. A test lives such lives and compares.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::base::bucket::BucketLocation;
use crate::cloud::{Product, permission};
use crate::topology::model::{Protocol, RedisPlace, Series, Topology, Vpc};

/// What somebody wants to be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Plan, apply, deploy, scale, verify and destroy.
    Life,
    /// Change in place what is there already, or bring back what others have changed.
    Changes,
    /// Ask beforehand whether it can become real.
    Doctor,
    /// Ask what it costs.
    Cost,
    /// Make the role with which ALB works for the account, once.
    Role,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Life, Self::Changes, Self::Doctor, Self::Cost, Self::Role];
}

/// What makes a service-linked role.
const ROLE_ACTION: &str = "ram:CreateServiceLinkedRole";

/// Actions of one product.
type Group = (Product, &'static [&'static str]);

const LIFE: [Group; 5] = [
    (Product::Sts, &["GetCallerIdentity"]),
    (
        Product::Vpc,
        &["CreateVSwitch", "CreateVpc", "DeleteVSwitch", "DeleteVpc", "DescribeVSwitches", "DescribeVpcs"],
    ),
    (
        Product::Ecs,
        &[
            "AuthorizeSecurityGroup",
            "CreateSecurityGroup",
            "DeleteInstances",
            "DeleteKeyPairs",
            "DeleteSecurityGroup",
            "DescribeCloudAssistantStatus",
            "DescribeDisks",
            "DescribeImages",
            "DescribeInstances",
            "DescribeInvocationResults",
            "DescribeKeyPairs",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroupAttribute",
            "DescribeSecurityGroups",
            "ImportKeyPair",
            "RevokeSecurityGroup",
            "RunCommand",
            "RunInstances",
            "TagResources",
        ],
    ),
    (
        Product::Alb,
        &[
            "AddServersToServerGroup",
            "CreateListener",
            "CreateLoadBalancer",
            "CreateServerGroup",
            "DeleteListener",
            "DeleteLoadBalancer",
            "DeleteServerGroup",
            "GetListenerHealthStatus",
            "GetLoadBalancerAttribute",
            "ListListeners",
            "ListLoadBalancers",
            "ListServerGroupServers",
            "ListServerGroups",
            "RemoveServersFromServerGroup",
        ],
    ),
    (
        Product::Alidns,
        &[
            "AddDomainRecord",
            "DeleteDomainRecord",
            "DescribeDomainRecordInfo",
            "DescribeSubDomainRecords",
            "UpdateDomainRecordRemark",
        ],
    ),
];

const LIFE_OF_HTTPS: [Group; 2] = [
    (
        Product::Cas,
        &["DeleteUserCertificate", "GetUserCertificateDetail", "ListCertificates", "UploadUserCertificate"],
    ),
    (Product::Alb, &["GetListenerAttribute"]),
];

const LIFE_OF_REDIRECTS: Group = (Product::Alb, &["CreateRule", "DeleteRule", "ListRules"]);

const LIFE_OF_MANAGED_REDIS: Group = (
    Product::RKvstore,
    &[
        "CreateAccount",
        "DeleteInstance",
        "DescribeAccounts",
        "DescribeInstances",
        "DescribeSecurityIps",
        "ModifyInstanceConfig",
        "ModifySecurityIps",
        "TagResources",
    ],
);

const CHANGES: [Group; 4] = [
    (Product::Vpc, &["ModifyVpcAttribute", "TagResources", "UnTagResources"]),
    (
        Product::Ecs,
        &[
            "ModifyDiskAttribute",
            "ModifyInstanceAttribute",
            "ModifyInstanceAutoReleaseTime",
            "ModifySecurityGroupRule",
            "ResizeDisk",
            "StartInstances",
            "UntagResources",
        ],
    ),
    (
        Product::Alb,
        &[
            "GetListenerAttribute",
            "StartListener",
            "TagResources",
            "UnTagResources",
            "UpdateListenerAttribute",
            "UpdateLoadBalancerAttribute",
            "UpdateServerGroupAttribute",
            "UpdateServerGroupServersAttribute",
        ],
    ),
    (Product::Alidns, &["SetDomainRecordStatus", "UpdateDomainRecord"]),
];

const CHANGES_OF_REDIRECTS: Group = (Product::Alb, &["UpdateRuleAttribute"]);

const CHANGES_OF_MANAGED_REDIS: Group = (
    Product::RKvstore,
    &["ModifyInstanceAttribute", "ModifyInstanceSpec", "ResetAccountPassword", "UntagResources"],
);

const DOCTOR: [Group; 3] = [
    (
        Product::Ecs,
        &[
            "DescribeAccountAttributes",
            "DescribeAvailableResource",
            "DescribeInstanceTypes",
            "DescribeRegions",
            "DescribeZones",
        ],
    ),
    (Product::Alb, &["DescribeZones"]),
    (Product::Alidns, &["DescribeDomainInfo", "DescribeDomainNs"]),
];

const PRICE_OF_MACHINES: Group = (Product::Ecs, &["DescribePrice"]);
const PRICE_OF_REDIS: Group = (Product::RKvstore, &["DescribePrice"]);

/// A RAM policy for some parts: a document of version 1.
pub fn document(topology: &Topology, parts: &[Part]) -> Value {
    let mut statements = Vec::new();
    let actions = actions(topology, parts);
    if !actions.is_empty() {
        statements.push(json!({"Effect": "Allow", "Action": actions, "Resource": "*"}));
    }
    if parts.contains(&Part::Life) {
        statements.extend(topology.state.as_ref().into_iter().flat_map(of_bucket));
    }
    if parts.contains(&Part::Role) {
        statements.push(json!({
            "Effect": "Allow",
            "Action": [ROLE_ACTION],
            "Resource": "*",
            "Condition": {"StringEquals": {"ram:ServiceName": "alb.aliyuncs.com"}},
        }));
    }
    json!({"Version": "1", "Statement": statements})
}

/// What shared state needs: to look at its bucket, and to read and write below its prefix. Nothing is ever removed.
fn of_bucket(location: &BucketLocation) -> [Value; 2] {
    let BucketLocation { bucket, prefix, .. } = location;
    let below = if prefix.is_empty() { "*".to_owned() } else { format!("{prefix}/*") };
    [
        json!({
            "Effect": "Allow",
            "Action": ["oss:GetBucketVersioning", "oss:ListObjects"],
            "Resource": format!("acs:oss:*:*:{bucket}"),
        }),
        json!({
            "Effect": "Allow",
            "Action": ["oss:GetObject", "oss:PutObject"],
            "Resource": format!("acs:oss:*:*:{bucket}/{below}"),
        }),
    ]
}

/// The RAM actions of some parts that the program calls itself, `ecs:RunInstances`.
fn actions(topology: &Topology, parts: &[Part]) -> BTreeSet<String> {
    let not_needed = of_existing(topology);
    let groups = parts.iter().flat_map(|part| groups(topology, *part));
    let of_group = |(product, actions): Group| {
        let needed = actions.iter().filter(|action| !not_needed.contains(*action));
        needed.map(|action| permission::of(product, action)).collect::<Vec<_>>()
    };
    groups.flat_map(of_group).collect()
}

/// What is there already is neither made nor deleted.
fn of_existing(topology: &Topology) -> Vec<&'static str> {
    let all_exist = topology.vswitches.values().all(|vswitch| vswitch.existing.is_some());
    let kinds = [
        (matches!(topology.vpc, Vpc::Existing(_)), ["CreateVpc", "DeleteVpc"]),
        (all_exist, ["CreateVSwitch", "DeleteVSwitch"]),
        (topology.security_group.is_some(), ["CreateSecurityGroup", "DeleteSecurityGroup"]),
        (topology.load_balancer.existing.is_some(), ["CreateLoadBalancer", "DeleteLoadBalancer"]),
    ];
    kinds.into_iter().filter(|(exists, _)| *exists).flat_map(|(_, actions)| actions).collect()
}

fn groups(topology: &Topology, part: Part) -> Vec<Group> {
    let is_https = topology.load_balancer.listener.protocol == Protocol::Https;
    let redirects = topology.load_balancer.redirect_from.is_some();
    let managed = match &topology.redis.place {
        RedisPlace::Managed(redis) => Some(redis.series),
        RedisPlace::OnHost(_) | RedisPlace::Absent => None,
    };
    let mut groups = Vec::new();
    match part {
        Part::Life => {
            groups.extend(LIFE);
            groups.extend(is_https.then_some(LIFE_OF_HTTPS).into_iter().flatten());
            groups.extend(redirects.then_some(LIFE_OF_REDIRECTS));
            groups.extend(managed.map(|_| LIFE_OF_MANAGED_REDIS));
            groups.extend(managed.map(|series| (Product::RKvstore, creation(series))));
        }
        Part::Changes => {
            groups.extend(CHANGES);
            groups.extend(redirects.then_some(CHANGES_OF_REDIRECTS));
            groups.extend(managed.map(|_| CHANGES_OF_MANAGED_REDIS));
        }
        // Nobody calls that here: ALB's console does, or its first load balancer.
        Part::Role => {}
        Part::Doctor => groups.extend(DOCTOR),
        Part::Cost => {
            groups.push(PRICE_OF_MACHINES);
            groups.extend(managed.map(|_| PRICE_OF_REDIS));
        }
    }
    groups
}

fn creation(series: Series) -> &'static [&'static str] {
    match series {
        Series::Tair => &["CreateTairInstance"],
        Series::Classic => &["CreateInstance"],
    }
}
