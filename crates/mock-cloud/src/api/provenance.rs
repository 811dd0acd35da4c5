//! Where each behaviour comes from: said by documentation, by the official SDKs, by other people's clients, or guessed.

mod codes;
mod redis;
mod storage;
mod traffic;

use std::collections::BTreeMap;

use serde::Serialize;

pub use codes::UNDOCUMENTED_CODES;

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
    /// Stays the same when the sentence is worded anew: the part of the cloud, a dot, a word for the behaviour.
    pub id: String,
    /// What the emulation does.
    pub sentence: String,
    /// Why we think so.
    pub source: Source,
}

/// A behaviour as it is written down here.
type Row = (&'static str, Source, &'static str);

const fn row(id: &'static str, source: Source, sentence: &'static str) -> Row {
    (id, source, sentence)
}

use Source::{ClientCode, Documented, Guessed, Sdk};

/// Every behaviour of the control plane that is not a plain reading of the metadata.
const ROWS: &[Row] = &[
    row("gateway.signature-v3", Sdk, "V3 signatures are checked over the headers named in SignedHeaders"),
    row(
        "faults.unhealthy",
        Guessed,
        "a server that a fault makes ill fails its checks as RESPONSE_MISMATCH, and no check that is switched off",
    ),
    row("faults.reboot", Guessed, "an instance whose host reboots by a fault goes on to be Running"),
    row("gateway.signature-v1", Documented, "V1 signatures cover query and form in one map"),
    row("gateway.time-window", Documented, "time stamps are accepted within 15 minutes, also for V1"),
    row("gateway.nonce", Documented, "a nonce is good for one call"),
    row(
        "gateway.wrong-secret",
        Sdk,
        "a wrong secret is SignatureDoesNotMatch with a colon before the text to sign",
    ),
    row(
        "gateway.missing-parameter",
        Guessed,
        "a missing parameter is Missing<Name>, a wrong one InvalidParameter, for all products",
    ),
    row(
        "gateway.signed-headers",
        Documented,
        "the host and every x-acs- header that is there have to be signed",
    ),
    row("gateway.unsigned-header", Guessed, "one that is not is IncompleteSignature"),
    row("gateway.other-algorithms", Documented, "SM3, RSA and bearer tokens are InvalidSignatureMethod"),
    row("gateway.nonce-per-key", Guessed, "nonces are remembered for each key, about a million at most"),
    row(
        "gateway.order",
        Guessed,
        "key, security token, time stamp, signature and nonce are checked in this order",
    ),
    row(
        "gateway.status",
        Documented,
        "a refusal has the HTTP status that the metadata has for action and code",
    ),
    row("gateway.token-missing", Documented, "a temporary key without its token is MissingSecurityToken"),
    row("gateway.token-codes", Documented, "a wrong token is Malformed, MismatchWithAccessKey or Expired"),
    row("gateway.token-status", Guessed, "the HTTP status of InvalidSecurityToken codes is 400"),
    row(
        "gateway.token-of-lasting-key",
        Guessed,
        "a token beside a lasting key is InvalidSecurityToken.MismatchWithAccessKey",
    ),
    row("gateway.methods", Documented, "GET, POST and HEAD; others are UnsupportedHTTPMethod"),
    row("gateway.methods-status", Guessed, "the HTTP status of UnsupportedHTTPMethod is 400"),
    row("gateway.path", Guessed, "another path than / is InvalidAction.NotFound"),
    row(
        "gateway.bad-http",
        Guessed,
        "what is not HTTP/1.1 gets the JSON envelope of an error, with codes that begin with Mock.",
    ),
    row("gateway.xml", Documented, "V1 calls without Format get XML; a list repeats the element of its name"),
    row("gateway.throttling", Sdk, "throttling carries x-acs-retry-after in milliseconds"),
    row("sts.identity", Documented, "GetCallerIdentity tells Account, RAMUser and AssumedRoleUser apart"),
    row(
        "sts.assumed-arn",
        ClientCode,
        "its Arn of a role is acs:ram::<account>:assumed-role/<role>/<session>",
    ),
    row("sts.root", Documented, "the root account may not assume roles: NoPermission"),
    row("sts.duration", Documented, "sessions last 900 seconds to MaxSessionDuration, 3600 unless told"),
    row("sts.chaining", Guessed, "a session may assume a further role, for as long as any other caller"),
    row("sts.trust", Guessed, "every role trusts every identity of its account and the OIDC provider"),
    row("sts.policy", Guessed, "a session policy is checked for its form and narrows nothing"),
    row("sts.permissions", Guessed, "RAM user and sessions may do everything the account may"),
    row("sts.expired-key", Guessed, "an ended key is known for a day, then it is not found"),
    row("sts.oidc-claims", Documented, "iss, aud and exp of an OIDC token are held against the provider"),
    row("sts.oidc-status", Guessed, "refusals of OIDC tokens have the HTTP status 400"),
    row("sts.oidc-signature", Guessed, "the signature of an OIDC token is not verified"),
    row("sts.oidc-anonymous", Sdk, "AssumeRoleWithOIDC takes calls without a signature"),
    row("sts.oidc-replay", Guessed, "its time stamp and nonce are not looked at"),
    row("gateway.unsigned", Guessed, "an unsigned request is MissingAccessKeyId"),
    row("gateway.dry-run-status", Guessed, "a dry run that would succeed answers HTTP 400"),
    row(
        "gateway.region-of-resource",
        Guessed,
        "the region of a call without RegionId is that of the resource it names",
    ),
    row(
        "tokens.repeated",
        Documented,
        "a repeated client token gives the first answer, other parameters a mismatch",
    ),
    row("tokens.refusal-kept", Documented, "a 4xx is kept for its token"),
    row(
        "tokens.passing-state",
        ClientCode,
        "a 4xx that speaks of a passing state is not kept: Terraform repeats the token",
    ),
    row("tokens.lifetime", Guessed, "tokens never expire, and the repeated answer has a new request id"),
    row("tokens.scope", Guessed, "a token counts for one action in one region"),
    row(
        "tokens.in-progress",
        ClientCode,
        "while the first answer is under way the product's own code says so",
    ),
    row(
        "tokens.in-progress-others",
        Guessed,
        "products without a known code answer IdempotentProcessing, 400",
    ),
    row("lists.lag", ClientCode, "lists lag behind creation; reads by id do not"),
    row("lists.next-token", Guessed, "a NextToken is a position in creation order"),
    row("vpc.states", ClientCode, "Pending, then Available; Pending again while it is deleted"),
    row("vpc.dependencies", ClientCode, "a VPC with vSwitches or security groups cannot be deleted"),
    row("vswitch.concurrency", ClientCode, "no concurrent changes of vSwitches in one VPC: TaskConflict"),
    row("vswitch.reserved-addresses", Documented, "the first address and the last three are reserved"),
    row("vswitch.dependencies", ClientCode, "a vSwitch with network interfaces cannot be deleted"),
    row("vswitch.address-order", Guessed, "addresses are handed out from the lowest"),
    row(
        "instance.states",
        Sdk,
        "Pending, Starting, Running, Stopping, Stopped; released ones go after a while",
    ),
    row("instance.released-state", Guessed, "a released instance is shown as Stopping until it is gone"),
    row(
        "instance.interface-lingers",
        ClientCode,
        "its network interface lingers and blocks vSwitch and security group",
    ),
    row(
        "instance.sequential-names",
        Documented,
        "sequential names prefix[begin,bits]suffix, UniqueSuffix from 001",
    ),
    row("instance.public-addresses", Guessed, "public addresses come from 198.18.0.0/15"),
    row(
        "instance.stock",
        Guessed,
        "no instance type is ever out of stock unless a fault or the stock endpoint says so",
    ),
    row("instance.no-addresses", Guessed, "a vSwitch without addresses answers InvalidVSwitchId.IpNotEnough"),
    row("security-group.existing-rule", Sdk, "an existing rule is accepted and adds nothing"),
    row(
        "security-group.rule-changes",
        Documented,
        "ModifySecurityGroupRule changes what it is given; no rule becomes the same as another, no source another kind",
    ),
    row("security-group.revoke-absent", Guessed, "revoking a rule that does not exist succeeds"),
    row("security-group.not-enforced", Guessed, "rules are recorded, not enforced on traffic"),
    row("key-pair.fingerprint", Guessed, "the fingerprint has the official length but is not MD5"),
    row("key-pair.delete-absent", Guessed, "deleting a key pair that does not exist succeeds"),
    row("cloud-assistant.needs-running", Sdk, "needs a Running instance; results are Base64 unless told"),
    row("cloud-assistant.exit-code", Guessed, "a script that ends with another code than 0 is Failed"),
    row(
        "image.families",
        Documented,
        "families as the help page lists them; image ids are made up in their form",
    ),
    row("alb.states", Sdk, "Provisioning, then Active; changes pass through Configuring"),
    row(
        "alb.dns-name",
        Documented,
        "its DNS name ends in alb.aliyuncsslb.com, abroad in alb.aliyuncsslbintl.com",
    ),
    row(
        "alb.made-by-itself",
        Documented,
        "makes an EIP, network interfaces and a managed security group by itself",
    ),
    row("alb.one-interface-a-zone", Guessed, "one network interface and one address a zone"),
    row("alb.leftovers", Guessed, "what it made lingers after it is gone"),
    row("alb.delete-listeners", Guessed, "deleting it deletes its listeners"),
    row("alb.listeners-need-active", ClientCode, "listeners can only be changed while the ALB is Active"),
    row("listener.configuring", Sdk, "changes while Configuring are ResourceInConfiguring.Listener"),
    row("listener.group-change", Guessed, "attaching and detaching a server group puts it into Configuring"),
    row("server-group.not-available", Sdk, "changes while not Available are IncorrectStatus.ServerGroup"),
    row("server-group.in-use", Sdk, "a group in use cannot be deleted: ResourceInUse.ServerGroup"),
    row("server-group.gone-instance", Guessed, "a gone instance leaves its groups"),
    row("health.only-unhealthy", Sdk, "only servers that are not healthy are listed; weight 0 is Unused"),
    row(
        "dns.cname-conflicts",
        Documented,
        "CNAME conflicts as the help page has them; at @ it stands beside MX, TXT and NS",
    ),
    row("dns.two-cnames", Guessed, "two CNAME records of one host and line conflict"),
    row("dns.unchanged-update", ClientCode, "an unchanged update is DomainRecordDuplicate"),
    row("dns.absent-record", ClientCode, "a record that does not exist is DomainRecordNotBelongToUser"),
    row("dns.ttl-range", Documented, "TTL 600 to 86400 in the free edition"),
    row("dns.ttl-too-short", Guessed, "a TTL that is too short is QuotaExceeded.TTL"),
    row(
        "pace.machines",
        ClientCode,
        "a VPC or vSwitch takes 5 s, an instance 15 s, its release 8 s: what Terraform prints in published walks",
    ),
    row("pace.nat-gateway", Documented, "a NAT gateway takes 1 minute; the documentation says 1 to 3"),
    row("pace.redis", ClientCode, "Redis takes 4 minutes; Terraform's provider looks first after 3 to 5"),
    row(
        "pace.balancer",
        Guessed,
        "an ALB takes 30 s, a listener or server group 8 s: within the 5 s to 5 minutes that the provider waits",
    ),
    row("pace.rest", Guessed, "durations of all other transitions"),
    row(
        "pace.health-checks",
        Guessed,
        "only instant hurries health checks: every twentieth of their interval, at most 50 ms; thresholds stay",
    ),
    row(
        "redis.states",
        Documented,
        "Creating, then Normal; CreateInstance is paid by use, CreateTairInstance a subscription",
    ),
    row("redis.four-minutes", ClientCode, "four minutes to Normal; IsOrderCompleted from then on"),
    row(
        "redis.changing",
        Guessed,
        "a new allow list, password or security group passes through Changing; a name does not",
    ),
    row(
        "redis.while-changing",
        Guessed,
        "ModifySecurityIps answers LockTimeout, other changes TaskExists where that is documented",
    ),
    row("redis.delete", Documented, "only what is Normal, paid by use and unprotected can be deleted"),
    row("redis.released", Guessed, "shown as Released until it is gone, and so long it keeps its address"),
    row("redis.subscription", Guessed, "it never ends by itself"),
    row("redis.address", Guessed, "it counts against the vSwitch, but no network interface is listed"),
    row(
        "redis.class",
        Guessed,
        "an unknown one is InvalidInstancelevel; one of another Tair line InstanceClass.NotMatch",
    ),
    row(
        "redis.zone",
        Guessed,
        "a zone that is not that of the vSwitch is InvalidVpcIdOrVswitchId.NotSupported",
    ),
    row(
        "redis.vswitch",
        Guessed,
        "one without addresses is ResourceNotAvailable, a pending one VpcServiceError",
    ),
    row("redis.range", Guessed, "ports, periods, prefixes and windows out of range are IllegalParamError"),
    row("redis.list-kinds", Guessed, "without InstanceType a list holds Redis and Tair"),
    row("redis.nobody", Guessed, "the default allow list is 127.0.0.1, also after it was emptied"),
    row("redis.append", Guessed, "appending an address that is there is SecurityIPList.Duplicate"),
    row(
        "redis.password-form",
        Documented,
        "8 to 32 characters of three kinds of four; the same for every account",
    ),
    row(
        "redis.changes",
        Guessed,
        "class, settings and restart pass through Changing; settings other than these are Mock.NotEmulated",
    ),
    row("redis.class-change", Guessed, "to any class of the same product line; what it holds stays"),
    row(
        "redis.account-states",
        Sdk,
        "Unavailable, then Available; up to eighteen beside the one named like the instance",
    ),
    row("redis.default-account", Guessed, "it is listed, as Super"),
    row("redis.reserved-accounts", Guessed, "which names are reserved"),
    row("redis.classes", Documented, "classes on local disks and their limits"),
    row("redis.cloud-native-classes", Guessed, "their limits; every class is on sale in every zone"),
    row("redis.price", Guessed, "a price table of its own, in yuan, the same everywhere"),
    row("certificate.identifier", Sdk, "the CertId with cn-hangzhou, abroad with ap-southeast-1"),
    row("certificate.stores", Guessed, "the mainland and Hong Kong share one, all other regions another"),
    row("certificate.key-mismatch", Guessed, "the key of another certificate is InvalidParameter"),
    row("certificate.will-expire", Guessed, "means within thirty days"),
    row("certificate.fingerprint", Guessed, "SHA-1 of the certificate, also where the text says public key"),
    row("certificate.chain", Guessed, "that of the details begins with the certificate itself"),
    row(
        "certificate.in-use",
        Guessed,
        "one that a listener uses can be deleted, and the listener goes on serving it",
    ),
    row("certificate.orders", Guessed, "nothing was ever bought, so lists of orders are empty"),
    row("rule.states", Sdk, "Provisioning, Configuring, Available; its listener is Configuring meanwhile"),
    row(
        "rule.limits",
        Documented,
        "3 actions, 5 values and 5 wildcards in the Basic edition, 5, 10 and 10 in the others",
    ),
    row("rule.quota", Documented, "40 rules of an ALB in the Basic edition, 100 in the others"),
    row("rule.deleted-listener", Guessed, "deleting a listener deletes its rules"),
    row("rule.groups", Guessed, "the groups of a rule are Configuring while it changes"),
    row(
        "listener.certificate-states",
        Sdk,
        "Associating, Associated, Diassociating while the listener is Configuring",
    ),
    row(
        "listener.certificate-quota",
        Documented,
        "10 additional certificates of an ALB in the Basic edition, 25 in the others",
    ),
    row(
        "listener.tls-policies",
        Documented,
        "the system policies of the help page; custom ones do not exist",
    ),
    row("alb.access-log", Guessed, "any project and store is accepted, nothing is written"),
    row("eip.states", Sdk, "Available, Associating, InUse, Unassociating, Releasing"),
    row("eip.quota", Documented, "20 addresses of an account, without those of cloud services"),
    row("eip.service-managed", Guessed, "an address that an ALB made cannot be taken from it: Forbidden"),
    row(
        "eip.second",
        Guessed,
        "an instance with an address refuses a second one: InvalidAssociation.Duplicated",
    ),
    row("nat-gateway.states", Sdk, "Creating, Available, Deleting; it takes an address of its vSwitch"),
    row("nat-gateway.quotas", Guessed, "5 gateways of a VPC, 20 addresses and 40 SNAT entries of a gateway"),
    row(
        "nat-gateway.traffic",
        Guessed,
        "entries are recorded; hosts reach the Internet with or without them",
    ),
    row("snat-entry.states", Sdk, "Pending, then Available; a vSwitch has one entry"),
    row(
        "disk.life",
        Sdk,
        "come with RunInstances and go with the instance unless DeleteWithInstance is false",
    ),
    row("disk.sizes", Documented, "sizes by category and performance level"),
    row(
        "disk.families",
        Guessed,
        "which families take which categories; the default is cloud_essd where ultra disks do not fit",
    ),
    row("price.table", Guessed, "all prices: a table in the proportions of the real one"),
    row(
        "price.spot",
        Guessed,
        "spot prices move every hour between a tenth and four tenths of the full price",
    ),
    row("console.lines", Guessed, "shows the boot and what the service manager says, the last 64 lines"),
    row("console.status", Documented, "an instance that is not Running answers 405"),
    row("quota.processors", Guessed, "1000 processors in a region, spot instances counted by themselves"),
    row("quota.numbers", Documented, "10 VPCs in a region, 100 security groups, 5 groups of an instance"),
    row(
        "disk.grows",
        Documented,
        "ResizeDisk makes a disk larger and never smaller, while its instance is Running or Stopped",
    ),
    row(
        "disk.keeps",
        Documented,
        "ModifyDiskAttribute says whether a disk goes with its instance; a system disk always does",
    ),
    row(
        "instance.release-time.changed",
        Documented,
        "ModifyInstanceAutoReleaseTime sets another time, or none when it is sent none",
    ),
    row("instance.release-time", Sdk, "an AutoReleaseTime releases it, whatever its protection"),
    row(
        "instance.absent-places",
        Guessed,
        "launch templates, deployment sets, dedicated hosts and clusters do not exist",
    ),
    row("cloud-assistant.stop", Guessed, "a stopped script is Stopped at once, its late result is dropped"),
    row("cloud-assistant.repeat", Guessed, "scripts run once: periods and reboots are refused"),
];

/// Every behaviour that is not a plain reading of the metadata, the codes that no metadata knows among them.
pub fn behaviours() -> Vec<Behaviour> {
    let all = ROWS.iter().chain(traffic::ROWS).chain(redis::ROWS).chain(storage::ROWS);
    let rows = all.map(|(id, source, sentence)| Behaviour {
        id: (*id).to_owned(),
        sentence: (*sentence).to_owned(),
        source: *source,
    });
    let codes = UNDOCUMENTED_CODES.iter().map(|(code, source, place)| Behaviour {
        id: format!("code.{code}"),
        sentence: format!("{place} answers {code}, which the metadata does not have"),
        source: *source,
    });
    rows.chain(codes).collect()
}

/// How many behaviours there are of each source.
pub fn counts() -> BTreeMap<Source, usize> {
    let mut counts = BTreeMap::new();
    for behaviour in behaviours() {
        *counts.entry(behaviour.source).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_behaviour_has_an_id_of_its_own() {
        let mut seen = BTreeSet::new();
        for behaviour in behaviours() {
            let form = behaviour.id.split_once('.').is_some_and(|(subject, word)| {
                !subject.is_empty() && !word.is_empty() && !behaviour.id.contains(char::is_whitespace)
            });
            assert!(form, "{} is not of the form subject.word", behaviour.id);
            assert!(seen.insert(behaviour.id.clone()), "{} is there twice", behaviour.id);
        }
    }
}
