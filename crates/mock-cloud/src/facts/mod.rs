//! What the official metadata says about the parameters of each emulated action.
//!
//! `actions.json` is data, not code: names, types, nesting, which are required, ranges and closed sets of values,
//! taken from the official SDK models and `OpenAPI` metadata. A value is refused here, before a handler sees it;
//! a parameter nobody knows is reported back, because the real cloud ignores it.

mod errors;
mod quotas;

pub use errors::{GATEWAY_CODES, errors};
pub use quotas::quota_refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::wire::{ApiError, Parameters};

/// The whole table.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// Actions by `Product.Action`.
    actions: BTreeMap<String, ActionFacts>,
    /// Products by version.
    #[serde(skip)]
    products: BTreeMap<String, String>,
}

/// One action.
#[derive(Debug, Deserialize)]
pub struct ActionFacts {
    /// Version of its API, `2014-05-26`.
    pub version: String,
    /// Name of the idempotency token, when it takes one.
    pub token: Option<String>,
    /// Whether it knows `DryRun`.
    #[serde(default)]
    pub dry_run: bool,
    parameters: BTreeMap<String, ParameterFacts>,
}

#[derive(Debug, Deserialize)]
struct ParameterFacts {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: bool,
    minimum: Option<i64>,
    maximum: Option<i64>,
    maximum_items: Option<usize>,
    values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Integer,
    Boolean,
    Number,
    Object,
    List,
}

/// What an action does to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It only shows.
    Read,
    /// It makes, changes or removes a resource.
    Change,
}

/// First words of the actions that only show.
const READS: &[&str] = &["Describe", "List", "Get"];

/// Actions that hand out keys: no resource is changed by them.
const HANDS_OUT_KEYS: &[&str] = &["AssumeRole", "AssumeRoleWithOIDC"];

/// Parameters that every action takes without using them, and those of the protocol itself.
const COMMON: &[&str] = &[
    "RegionId",
    "OwnerAccount",
    "OwnerId",
    "ResourceOwnerAccount",
    "ResourceOwnerId",
    "AcceptLanguage",
    "SourceIp",
    "SecureTransport",
];

/// The embedded table.
///
/// # Panics
/// Never in a build whose tests passed: the table is embedded.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let mut facts: Facts = serde_json::from_str(include_str!("actions.json"))
            .expect("the embedded table is checked by a test");
        let product = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let actions = facts.actions.iter();
        facts.products = actions.map(|(name, own)| (own.version.clone(), product(name))).collect();
        facts
    })
}

impl Facts {
    /// Facts of one action.
    pub fn action(&self, product: &str, action: &str) -> Option<&ActionFacts> {
        self.actions.get(&format!("{product}.{action}"))
    }

    /// What an action does to the cloud, when it is one of the real cloud's that are known here.
    pub fn effect(&self, product: &str, action: &str) -> Option<Effect> {
        self.action(product, action)?;
        let reads = READS.iter().any(|word| action.starts_with(word)) || self.hands_out_keys(action);
        Some(if reads { Effect::Read } else { Effect::Change })
    }

    /// Whether an action hands out keys: it changes no resource, and yet a session begins.
    pub fn hands_out_keys(&self, action: &str) -> bool {
        HANDS_OUT_KEYS.contains(&action)
    }

    /// Whether `Product.Action` is one of the real cloud's that are known here.
    pub fn has(&self, name: &str) -> bool {
        self.actions.contains_key(name)
    }

    /// Whether any action has a parameter of this name; `N` stands for an index.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.actions.values().any(|action| action.parameters.contains_key(&general(name)))
    }

    /// Every `Product.Action`, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// The product that has this API version.
    pub fn product_of(&self, version: &str) -> Option<&str> {
        self.products.get(version).map(String::as_str)
    }

    /// The product that has this action, whatever the version.
    pub fn product_with(&self, action: &str) -> Option<&str> {
        self.actions.keys().find_map(|name| {
            let (product, own) = name.split_once('.')?;
            (own == action).then_some(product)
        })
    }
}

impl ActionFacts {
    /// Checks a call; answers the names the action does not know.
    ///
    /// # Errors
    /// What the gateway says of a missing or wrong parameter.
    pub fn check(&self, parameters: &Parameters) -> Result<BTreeSet<String>, ApiError> {
        self.check_required(parameters)?;
        let mut unknown = BTreeSet::new();
        for (name, value) in parameters.iter() {
            match self.parameters.get(&general(name)) {
                Some(parameter) if !value.is_empty() => parameter.check(name, value)?,
                None if !self.knows(name) => {
                    unknown.insert(name.to_owned());
                }
                Some(_) | None => {}
            }
        }
        self.check_lengths(parameters)?;
        Ok(unknown)
    }

    /// Whether the action takes a parameter of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.parameters.contains_key(&general(name)) || COMMON.contains(&name) || self.is_list_item(name)
    }

    /// `InstanceId.1` of a list of texts has no entry of its own.
    fn is_list_item(&self, name: &str) -> bool {
        let general = general(name);
        let list = general.strip_suffix(".N").and_then(|name| self.parameters.get(name));
        list.is_some_and(|parameter| parameter.kind == Kind::List)
    }

    fn check_required(&self, parameters: &Parameters) -> Result<(), ApiError> {
        for (path, _) in self.parameters.iter().filter(|(_, parameter)| parameter.required) {
            let Some((parent, last)) = path.rsplit_once('.') else {
                if !parameters.has(path) {
                    return Err(ApiError::missing(path));
                }
                continue;
            };
            for parent in concrete_parents(parent, parameters) {
                let name = format!("{parent}.{last}");
                if !parameters.has(&name) {
                    return Err(ApiError::missing(&name));
                }
            }
        }
        Ok(())
    }

    fn check_lengths(&self, parameters: &Parameters) -> Result<(), ApiError> {
        let lists = self.parameters.iter().filter(|(path, _)| !path.contains('.'));
        for (path, maximum) in lists.filter_map(|(path, facts)| Some((path, facts.maximum_items?))) {
            let count = parameters.texts(path).len().max(parameters.list(path).len());
            if count > maximum {
                return Err(ApiError::invalid(path, format!("{count} items, at most {maximum} are allowed")));
            }
        }
        Ok(())
    }
}

impl ParameterFacts {
    fn check(&self, name: &str, value: &str) -> Result<(), ApiError> {
        match self.kind {
            Kind::Integer => self.check_integer(name, value),
            Kind::Boolean if !["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => {
                Err(ApiError::invalid(name, format!("{value} is neither true nor false")))
            }
            Kind::Number if value.parse::<f64>().is_err() => {
                Err(ApiError::invalid(name, format!("{value} is not a number")))
            }
            Kind::Text => match &self.values {
                Some(values) if !values.iter().any(|known| known.eq_ignore_ascii_case(value)) => {
                    let reason = format!("{value} is not one of {}", values.join(", "));
                    Err(ApiError::invalid(name, reason))
                }
                _ => Ok(()),
            },
            Kind::Boolean | Kind::Number | Kind::Object | Kind::List => Ok(()),
        }
    }

    fn check_integer(&self, name: &str, value: &str) -> Result<(), ApiError> {
        let Ok(number) = value.parse::<i64>() else {
            return Err(ApiError::invalid(name, format!("{value} is not a whole number")));
        };
        if self.minimum.is_some_and(|minimum| number < minimum)
            || self.maximum.is_some_and(|top| number > top)
        {
            let bound = |bound: Option<i64>| bound.map_or_else(String::new, |bound| bound.to_string());
            let range = format!("{}..{}", bound(self.minimum), bound(self.maximum));
            return Err(ApiError::invalid(name, format!("{value} is outside of {range}")));
        }
        Ok(())
    }
}

/// `Tag.12.Key` becomes `Tag.N.Key`.
fn general(name: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = name.split('.').map(|part| if is_index(part) { "N" } else { part }).collect();
    parts.join(".")
}

/// The parents of a nested parameter that are there, with their real indices.
fn concrete_parents(parent: &str, parameters: &Parameters) -> BTreeSet<String> {
    let depth = parent.split('.').count();
    let prefixes = parameters.iter().filter_map(|(name, _)| {
        let parts: Vec<&str> = name.split('.').take(depth).collect();
        (parts.len() == depth && name.split('.').count() > depth).then(|| parts.join("."))
    });
    prefixes.filter(|prefix| general(prefix) == parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, pairs: &[(&str, &str)]) -> Result<BTreeSet<String>, ApiError> {
        let (product, action) = name.split_once('.').unwrap();
        let parameters =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        facts().action(product, action).unwrap().check(&parameters)
    }

    #[test]
    fn every_action_reads_or_changes() {
        let words = [
            "Add",
            "Allocate",
            "Associate",
            "Authorize",
            "Create",
            "Delete",
            "Disable",
            "Dissociate",
            "Enable",
            "Import",
            "LoadBalancerJoin",
            "Modify",
            "Reboot",
            "Release",
            "Remove",
            "Replace",
            "Reset",
            "Resize",
            "Restart",
            "Revoke",
            "Run",
            "Set",
            "Start",
            "Stop",
            "Tag",
            "Unassociate",
            "UnTag",
            "Untag",
            "Update",
            "Upload",
        ];
        for name in facts().names() {
            let (product, action) = name.split_once('.').unwrap();
            let changes = words.iter().any(|word| action.starts_with(word));
            let expected = if changes { Effect::Change } else { Effect::Read };
            assert_eq!(facts().effect(product, action), Some(expected), "{name}");
        }
        assert_eq!(facts().effect("Ecs", "MakeCoffee"), None);
    }

    #[test]
    fn a_missing_parameter_is_named() {
        assert_eq!(check("Vpc.CreateVpc", &[]).unwrap_err().code, "MissingRegionId");
        let given = [("ServerGroupId", "sgp-1"), ("Servers.1.Port", "5000")];
        assert_eq!(
            check("Alb.AddServersToServerGroup", &given).unwrap_err().code,
            "MissingServersServerType"
        );
    }

    #[test]
    fn ranges_types_and_values_are_checked() {
        let base = [("LoadBalancerId", "alb-1"), ("DefaultActions.1.Type", "ForwardGroup")];
        let group = ("DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", "sgp-1");
        let with = |port: &'static str, protocol: &'static str| {
            let mut pairs = vec![("ListenerPort", port), ("ListenerProtocol", protocol), group];
            pairs.extend(base);
            check("Alb.CreateListener", &pairs)
        };
        assert!(with("5000", "HTTP").unwrap().is_empty());
        assert_eq!(with("70000", "HTTP").unwrap_err().code, "InvalidParameter");
        assert_eq!(with("x", "HTTP").unwrap_err().code, "InvalidParameter");
        assert_eq!(with("80", "TCP").unwrap_err().code, "InvalidParameter");
    }

    #[test]
    fn unknown_names_are_reported_not_refused() {
        let unknown = check("Vpc.CreateVpc", &[("RegionId", "cn-hangzhou"), ("Tags.1.Key", "a")]).unwrap();
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["Tags.1.Key"]);
        let listed = [("RegionId", "cn-hangzhou"), ("InstanceId.1", "i-1")];
        assert!(check("Ecs.StopInstances", &listed).unwrap().is_empty());
    }
}
