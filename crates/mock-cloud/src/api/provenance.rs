//! Where each behaviour comes from: said by documentation, by the official SDKs, by other people's clients, or guessed.

use std::collections::BTreeMap;

use serde::Serialize;

/// How sure a behaviour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Official help pages or published metadata.
    Documented,
    /// Code, models and texts of the official SDKs.
    Sdk,
    /// What the official CLI and Terraform provider rely on.
    ClientCode,
    /// Our own reading.
    Guessed,
}

/// One behaviour.
#[derive(Debug, Clone, Serialize)]
pub struct Behaviour {
    /// Which part of the cloud.
    pub subject: &'static str,
    /// What the emulation does.
    pub sentence: &'static str,
    /// Why we think so.
    pub source: Source,
}

const fn row(subject: &'static str, source: Source, sentence: &'static str) -> Behaviour {
    Behaviour { subject, sentence, source }
}

use Source::{ClientCode, Documented, Guessed, Sdk};

/// Every behaviour that is not a plain reading of the metadata.
pub const BEHAVIOURS: &[Behaviour] = &[
    row("gateway", Sdk, "V3 signatures are checked over the headers named in SignedHeaders"),
    row("gateway", Documented, "V1 signatures cover query and form in one map"),
    row("gateway", Documented, "time stamps are accepted within 15 minutes, also for V1"),
    row("gateway", Documented, "a nonce is good for one call"),
    row("gateway", Sdk, "a wrong secret is SignatureDoesNotMatch with a colon before the text to sign"),
    row(
        "gateway",
        Guessed,
        "a missing parameter is Missing<Name>, a wrong one InvalidParameter, for all products",
    ),
    row("gateway", Guessed, "an unsigned request is MissingAccessKeyId"),
    row("gateway", Guessed, "a dry run that would succeed answers HTTP 400"),
    row("gateway", Guessed, "the region of a call without RegionId is that of the resource it names"),
    row("tokens", Documented, "a repeated client token gives the first answer, other parameters a mismatch"),
    row("tokens", Documented, "a 4xx is kept for its token"),
    row(
        "tokens",
        ClientCode,
        "a 4xx that speaks of a passing state is not kept: Terraform repeats the token",
    ),
    row("tokens", Guessed, "tokens never expire, and the repeated answer has a new request id"),
    row("lists", ClientCode, "lists lag behind creation; reads by id do not"),
    row("lists", Guessed, "a NextToken is a position in creation order"),
    row("vpc", ClientCode, "Pending, then Available; Pending again while it is deleted"),
    row("vpc", ClientCode, "a VPC with vSwitches or security groups cannot be deleted"),
    row("vswitch", ClientCode, "no concurrent changes of vSwitches in one VPC: TaskConflict"),
    row("vswitch", Documented, "the first address and the last three are reserved"),
    row("vswitch", ClientCode, "a vSwitch with network interfaces cannot be deleted"),
    row("vswitch", Guessed, "addresses are handed out from the lowest"),
    row("instance", Sdk, "Pending, Starting, Running, Stopping, Stopped; released ones go after a while"),
    row("instance", Guessed, "a released instance is shown as Stopping until it is gone"),
    row("instance", ClientCode, "its network interface lingers and blocks vSwitch and security group"),
    row("instance", Documented, "sequential names prefix[begin,bits]suffix, UniqueSuffix from 001"),
    row("instance", Guessed, "public addresses come from 198.18.0.0/15"),
    row("instance", Guessed, "no instance type is ever out of stock unless a fault says so"),
    row("instance", Guessed, "a vSwitch without addresses answers InvalidVSwitchId.IpNotEnough"),
    row("security-group", Sdk, "an existing rule is accepted and adds nothing"),
    row("security-group", Guessed, "revoking a rule that does not exist succeeds"),
    row("security-group", Guessed, "rules are recorded, not enforced on traffic"),
    row("key-pair", Guessed, "the fingerprint has the official length but is not MD5"),
    row("key-pair", Guessed, "deleting a key pair that does not exist succeeds"),
    row("cloud-assistant", Sdk, "needs a Running instance; results are Base64 unless told"),
    row("cloud-assistant", Guessed, "a script that ends with another code than 0 is Failed"),
    row("image", Documented, "families as the help page lists them; image ids are made up in their form"),
    row("alb", Sdk, "Provisioning, then Active; changes pass through Configuring"),
    row("alb", Documented, "its DNS name ends in alb.aliyuncsslb.com, abroad in alb.aliyuncsslbintl.com"),
    row("alb", Documented, "makes an EIP, network interfaces and a managed security group by itself"),
    row("alb", Guessed, "one network interface and one address a zone"),
    row("alb", Guessed, "what it made lingers after it is gone"),
    row("alb", Guessed, "deleting it deletes its listeners"),
    row("alb", ClientCode, "listeners can only be changed while the ALB is Active"),
    row("listener", Sdk, "changes while Configuring are ResourceInConfiguring.Listener"),
    row("listener", Guessed, "attaching and detaching a server group puts it into Configuring"),
    row("server-group", Sdk, "changes while not Available are IncorrectStatus.ServerGroup"),
    row("server-group", Sdk, "a group in use cannot be deleted: ResourceInUse.ServerGroup"),
    row("server-group", Guessed, "a gone instance leaves its groups"),
    row("health", Sdk, "only servers that are not healthy are listed; weight 0 is Unused"),
    row("dns", Documented, "CNAME conflicts as the help page has them; at @ it stands beside MX, TXT and NS"),
    row("dns", Guessed, "two CNAME records of one host and line conflict"),
    row("dns", ClientCode, "an unchanged update is DomainRecordDuplicate"),
    row("dns", ClientCode, "a record that does not exist is DomainRecordNotBelongToUser"),
    row("dns", Documented, "TTL 600 to 86400 in the free edition"),
    row("dns", Guessed, "a TTL that is too short is QuotaExceeded.TTL"),
    row("pace", Guessed, "durations of all transitions"),
    row(
        "redis",
        Documented,
        "Creating, then Normal; CreateInstance is paid by use, CreateTairInstance a subscription",
    ),
    row("redis", ClientCode, "four minutes from Creating to Normal; IsOrderCompleted from then on"),
    row(
        "redis",
        Guessed,
        "a new allow list, password or security group passes through Changing; a name does not",
    ),
    row("redis", Documented, "an instance that is not Normal answers IncorrectDBInstanceState, 403"),
    row(
        "redis",
        Guessed,
        "while Changing ModifySecurityIps is LockTimeout, other changes TaskExists where documented",
    ),
    row("redis", Documented, "only an instance that is Normal, paid by use and unprotected can be deleted"),
    row("redis", Guessed, "deleting a subscription is OperationDenied.ChargeType"),
    row(
        "redis",
        Guessed,
        "a deleted instance is shown as Released until it is gone, and keeps its address so long",
    ),
    row("redis", Guessed, "a subscription never ends by itself"),
    row("redis", Guessed, "its address counts against the vSwitch, but no network interface is listed"),
    row(
        "redis",
        Guessed,
        "an unknown class is InvalidInstancelevel; a class of another Tair line InstanceClass.NotMatch",
    ),
    row("redis", Guessed, "a zone that is not the vSwitch's is InvalidVpcIdOrVswitchId.NotSupported"),
    row(
        "redis",
        Guessed,
        "a vSwitch without addresses answers ResourceNotAvailable, a pending one VpcServiceError",
    ),
    row("redis", Guessed, "ports, periods, prefixes and windows out of range are IllegalParamError"),
    row("redis", Guessed, "without InstanceType a list holds Redis and Tair"),
    row(
        "redis",
        Guessed,
        "nobody is let in at first: the default allow list is 127.0.0.1, also after it was emptied",
    ),
    row("redis", Guessed, "appending an address that is there is SecurityIPList.Duplicate"),
    row(
        "redis",
        Guessed,
        "allow lists are recorded, not enforced on traffic: no Redis server stands behind an instance",
    ),
    row("redis", Guessed, "an allow list is malformed or too long with the codes of its template actions"),
    row(
        "redis-account",
        Sdk,
        "Unavailable, then Available; up to eighteen beside the one named like the instance",
    ),
    row("redis-account", Guessed, "the default account is listed as Super"),
    row("redis-account", Guessed, "an account that does not exist is InvalidAccountName.NotFound"),
    row("redis-account", Guessed, "which names are reserved"),
    row("redis-catalogue", Documented, "classes and their limits on local disks"),
    row("redis-catalogue", Guessed, "limits of cloud-native classes; every class is on sale in every zone"),
    row("redis-price", Guessed, "a price table of its own, in yuan, the same everywhere"),
    row("certificate", Documented, "NameRepeat, NotFound and ParseCertificateFailed, all 400"),
    row(
        "certificate",
        Guessed,
        "an expired certificate is CertificateExpired, a key of another one InvalidParameter",
    ),
    row("certificate", Sdk, "CertIdentifier is the CertId with cn-hangzhou, abroad with ap-southeast-1"),
    row("certificate", Guessed, "regions on the mainland and Hong Kong share one store, all others another"),
    row("certificate", Guessed, "about to expire means within thirty days"),
    row(
        "certificate",
        Guessed,
        "FingerPrint is SHA-1 of the certificate, also where the text says public key",
    ),
    row("certificate", Guessed, "the chain of the details begins with the certificate itself"),
    row(
        "certificate",
        Guessed,
        "one that a listener uses can be deleted, and the listener goes on serving it",
    ),
    row("certificate", Guessed, "nothing was ever bought, so lists of orders are empty"),
];

/// How many behaviours there are of each source.
pub fn counts() -> BTreeMap<Source, usize> {
    let mut counts = BTreeMap::new();
    for behaviour in BEHAVIOURS {
        *counts.entry(behaviour.source).or_default() += 1;
    }
    counts
}
