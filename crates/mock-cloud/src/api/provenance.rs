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
    row("rule", Sdk, "Provisioning, Configuring, Available; its listener is Configuring meanwhile"),
    row(
        "rule",
        Documented,
        "3 actions, 5 values and 5 wildcards in the Basic edition, 5, 10 and 10 in the others",
    ),
    row("rule", Documented, "40 rules of an ALB in the Basic edition, 100 in the others"),
    row("rule", Guessed, "deleting a listener deletes its rules"),
    row("rule", Guessed, "the groups of a rule are Configuring while it changes"),
    row("rule", Guessed, "rules are kept, told and counted, but traffic takes the default action"),
    row("certificate", Sdk, "Associating, Associated, Diassociating while the listener is Configuring"),
    row(
        "certificate",
        Documented,
        "10 additional certificates of an ALB in the Basic edition, 25 in the others",
    ),
    row("tls-policy", Documented, "the system policies of the help page; custom ones do not exist"),
    row("access-log", Guessed, "any project and store is accepted, nothing is written"),
    row("eip", Sdk, "Available, Associating, InUse, Unassociating, Releasing"),
    row("eip", Documented, "20 addresses of an account, without those of cloud services"),
    row("eip", Guessed, "an address that an ALB made cannot be taken from it: Forbidden"),
    row("eip", Guessed, "an instance with an address refuses a second one: InvalidAssociation.Duplicated"),
    row("nat-gateway", Sdk, "Creating, Available, Deleting; it takes an address of its vSwitch"),
    row("nat-gateway", Guessed, "5 gateways of a VPC, 20 addresses and 40 SNAT entries of a gateway"),
    row("nat-gateway", Guessed, "entries are recorded; hosts reach the Internet with or without them"),
    row("snat-entry", Sdk, "Pending, then Available; a vSwitch has one entry"),
    row("disk", Sdk, "come with RunInstances and go with the instance unless DeleteWithInstance is false"),
    row("disk", Documented, "sizes by category and performance level"),
    row(
        "disk",
        Guessed,
        "which families take which categories; the default is cloud_essd where ultra disks do not fit",
    ),
    row("price", Guessed, "all prices: a table in the proportions of the real one"),
    row("price", Guessed, "spot prices move every hour between a tenth and four tenths of the full price"),
    row("console", Guessed, "shows the boot and what the service manager says, the last 64 lines"),
    row("console", Documented, "an instance that is not Running answers 405"),
    row("quota", Guessed, "1000 processors in a region, spot instances counted by themselves"),
    row("quota", Documented, "10 VPCs in a region, 100 security groups, 5 groups of an instance"),
    row("instance", Sdk, "an AutoReleaseTime releases it, whatever its protection"),
    row("instance", Guessed, "launch templates, deployment sets, dedicated hosts and clusters do not exist"),
    row("cloud-assistant", Guessed, "a stopped script is Stopped at once, its late result is dropped"),
    row("cloud-assistant", Guessed, "scripts run once: periods and reboots are refused"),
];

/// How many behaviours there are of each source.
pub fn counts() -> BTreeMap<Source, usize> {
    let mut counts = BTreeMap::new();
    for behaviour in BEHAVIOURS {
        *counts.entry(behaviour.source).or_default() += 1;
    }
    counts
}
