//! What we set on a resource beside what makes it that resource: names, thresholds, weights, states.
//!
//! All of it is compared with what is there. What no call can bring back is shown only, see [`is_shown_only`].

use std::collections::BTreeMap;

use crate::base::ids::StackName;
use crate::resource::ownership::console_name;
use crate::resource::spec::{Spec, Wanted};
use crate::resource::{Kind, ResourceAddress};

/// Seconds between two probes of a server.
pub const HEALTH_INTERVAL: u32 = 1;
/// Seconds a server may take to answer a probe.
pub const HEALTH_TIMEOUT: u32 = 2;
/// Probes in a row that decide.
pub const HEALTH_THRESHOLD: u32 = 2;
/// Seconds for which a browser comes back to the node that holds its session.
pub const STICKY_SECONDS: u32 = 1000;
/// Share of the traffic of each server, 0 to 100.
pub const WEIGHT: u32 = 100;
/// A file on a machine that is as it was put there.
pub const AS_WRITTEN: &str = "as written";
/// A unit that starts with its machine.
pub const ENABLED: &str = "enabled";

/// Whether a certificate that was made lasts for a while; a new one is made in time.
pub const VALIDITY: &str = "validity";
/// It does.
pub const VALID: &str = "valid";
/// It does not.
pub const ENDING: &str = "ending";
/// Days before its end at which one is made anew.
pub const RENEWAL_DAYS: i64 = 30;
/// Versions and ciphers of TLS that an https listener takes: 1.2 with forward secrecy, and 1.3. The cloud's own default
/// begins with 1.0.
pub const TLS_POLICY: &str = "tls_cipher_policy_1_2_strict_with_1_3";
/// How the redirect to https is answered: for good, with method and body kept.
pub const REDIRECT_CODE: &str = "308";
/// Of the rules of a listener the redirect is the first.
pub const REDIRECT_PRIORITY: u32 = 1;
/// Paths that are redirected.
pub const REDIRECT_PATHS: &str = "/*";
/// What goes when the memory of a managed Redis is full, unless it is told otherwise.
pub const DEFAULT_EVICTION: &str = "volatile-lru";
/// What the nodes' account of a managed Redis may do.
pub const PRIVILEGE: &str = "RoleReadWrite";
/// A password that the nodes have.
pub const ON_NODES: &str = "on the nodes";
/// A password that no node has any more.
pub const LOST: &str = "lost";

/// The fields of a record that one call sets; its status and its remark have calls of their own.
pub const RECORD_VALUES: [&str; 5] = ["name", "value", "ttl", "type", "line"];

const GROUP_NUMBERS: [(&str, u32); 5] = [
    ("health_interval", HEALTH_INTERVAL),
    ("health_timeout", HEALTH_TIMEOUT),
    ("healthy_threshold", HEALTH_THRESHOLD),
    ("unhealthy_threshold", HEALTH_THRESHOLD),
    ("sticky_seconds", STICKY_SECONDS),
];

/// The name a resource has in consoles; none for kinds without one.
pub fn name(stack: &StackName, address: &ResourceAddress) -> Option<String> {
    match address.kind {
        Kind::Instance => Some(address.name.clone()),
        Kind::Vpc
        | Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::RedisInstance
        | Kind::LoadBalancer
        | Kind::ServerGroup
        | Kind::Listener
        | Kind::ListenerRule => Some(console_name(stack, address)),
        Kind::KeyPair
        | Kind::Certificate
        | Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisAccount
        | Kind::Release
        | Kind::Server
        | Kind::Record => None,
    }
}

/// Whether a difference in a field is told but not mended: no call that we use changes it.
pub fn is_shown_only(kind: Kind, field: &str) -> bool {
    matches!(
        (kind, field),
        (Kind::VSwitch | Kind::SecurityGroup, "name")
            | (Kind::Instance, "key_pair")
            | (Kind::HostKey, "key")
            | (Kind::RedisAccount, "privilege")
    )
}

/// Whether a field changes as time goes by, so that nobody else has changed it.
pub fn changes_by_itself(kind: Kind, field: &str) -> bool {
    (kind, field) == (Kind::Certificate, VALIDITY)
}

/// What we set on every resource of a kind, whatever the topology says.
pub(super) fn settings(spec: &Spec) -> BTreeMap<&'static str, Wanted> {
    let fixed: &[(&'static str, &str)] = match spec {
        Spec::SecurityRule(_) => &[("policy", "accept"), ("priority", "1")],
        Spec::Redis(_) => {
            &[("start", ENABLED), ("unit_file", AS_WRITTEN), ("configuration_file", AS_WRITTEN)]
        }
        Spec::Release(_) => &[
            ("start", ENABLED),
            ("unit_file", AS_WRITTEN),
            ("environment_file", AS_WRITTEN),
            ("program", AS_WRITTEN),
        ],
        Spec::ServerGroup(_) => &[
            ("scheduler", "Wrr"),
            ("health_protocol", "HTTP"),
            ("health_method", "HEAD"),
            ("health_codes", "http_2xx"),
        ],
        Spec::Listener(listener) if listener.certificate.is_some() => {
            &[("status", "Running"), ("tls_policy", TLS_POLICY)]
        }
        Spec::Listener(_) => &[("status", "Running")],
        Spec::ListenerRule(_) => &[
            ("paths", REDIRECT_PATHS),
            ("protocol", "HTTPS"),
            ("code", REDIRECT_CODE),
            ("host", "${host}"),
            ("path", "${path}"),
            ("query", "${query}"),
        ],
        Spec::Record(_) => &[("type", "CNAME"), ("line", "default"), ("status", "ENABLE")],
        Spec::RedisAccount(_) => &[("password", ON_NODES)],
        Spec::Vpc(_)
        | Spec::VSwitch(_)
        | Spec::SecurityGroup(_)
        | Spec::RedisInstance(_)
        | Spec::KeyPair(_)
        | Spec::Instance(_)
        | Spec::HostKey(_)
        | Spec::LoadBalancer(_)
        | Spec::Server(_)
        | Spec::Certificate(_) => &[],
    };
    let numbers: &[(&'static str, u32)] = match spec.kind() {
        Kind::ServerGroup => &GROUP_NUMBERS,
        Kind::Server => &[("weight", WEIGHT)],
        Kind::ListenerRule => &[("priority", REDIRECT_PRIORITY)],
        Kind::Vpc
        | Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::KeyPair
        | Kind::Instance
        | Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisInstance
        | Kind::RedisAccount
        | Kind::LoadBalancer
        | Kind::Release
        | Kind::Certificate
        | Kind::Listener
        | Kind::Record => &[],
    };
    let fixed = fixed.iter().map(|(field, value)| (*field, Wanted::Exactly((*value).to_owned())));
    let numbers = numbers.iter().map(|(field, value)| (*field, Wanted::Exactly(value.to_string())));
    fixed.chain(numbers).collect()
}
