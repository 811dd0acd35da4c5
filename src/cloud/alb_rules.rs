//! Forwarding rules of ALB listeners, as far as they are redirects. API version 2020-06-16.
//!
//! A redirect cannot be what a listener does by default: it is a rule. While a rule or its listener is being changed,
//! other changes of the listener are refused.

use serde::Deserialize;

use crate::base::ids::{ClientToken, CloudId};
use crate::cloud::alb::all;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::pages::Page;
use crate::cloud::transport::Client;
use crate::cloud::{Product, Tag};

/// A rule of a listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rule {
    /// `rule-...`.
    pub rule_id: CloudId,
    /// Name shown in the console.
    #[serde(default)]
    pub rule_name: String,
    /// The listener it is of.
    pub listener_id: CloudId,
    /// `Provisioning`, `Configuring`, `Available`.
    pub rule_status: String,
    /// 1 is asked first.
    #[serde(default)]
    pub priority: u32,
    /// What it is for; all of them must hold.
    #[serde(default)]
    pub rule_conditions: Vec<Condition>,
    /// What it does.
    #[serde(default)]
    pub rule_actions: Vec<Action>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// What a rule is for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Condition {
    /// `Path`, `Host`, ...
    #[serde(rename = "Type")]
    pub kind: String,
    /// Paths it is for.
    pub path_config: PathConfig,
}

/// Paths a rule is for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PathConfig {
    /// With `*` and `?`.
    pub values: Vec<String>,
}

/// What a rule does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Action {
    /// `Redirect`, `ForwardGroup`, ...
    #[serde(rename = "Type")]
    pub kind: String,
    /// Where a redirect leads.
    pub redirect_config: RedirectConfig,
}

/// Where a redirect leads; `${host}` and the like stand for what was asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RedirectConfig {
    /// `HTTPS`.
    pub protocol: String,
    /// Its port.
    pub port: String,
    /// Status of the answer.
    pub http_code: String,
    /// Host.
    pub host: String,
    /// Path.
    pub path: String,
    /// Query.
    pub query: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RulesPage {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for RulesPage {
    type Item = Rule;

    fn into_items(self) -> (Vec<Rule>, Option<String>) {
        (self.rules, self.next_token)
    }
}

/// `ListRules` of a load balancer.
///
/// # Errors
/// What the cloud says.
pub async fn rules(client: &Client, load_balancer: &CloudId) -> Result<Vec<Rule>, CloudError> {
    let call = Call::new(Product::Alb, "ListRules").with_list("LoadBalancerIds", [load_balancer]);
    all::<RulesPage>(client, call).await
}

/// `ListRules` by ids, 20 at most.
///
/// # Errors
/// What the cloud says.
pub async fn rules_with_ids(client: &Client, ids: &[CloudId]) -> Result<Vec<Rule>, CloudError> {
    let call = Call::new(Product::Alb, "ListRules").with_list("RuleIds", ids);
    all::<RulesPage>(client, call).await
}

/// A redirect of everything to https.
#[derive(Debug, Clone, Copy)]
pub struct Redirect<'a> {
    /// Name shown in the console.
    pub name: &'a str,
    /// 1 is asked first.
    pub priority: u32,
    /// Paths it is for.
    pub paths: &'a str,
    /// Status of the answer.
    pub code: &'a str,
    /// The port it leads to.
    pub port: u16,
}

/// `CreateRule`; answers `RuleId`.
pub fn create_redirect(
    listener: &CloudId,
    redirect: Redirect<'_>,
    tags: &[(&str, &str)],
    token: &ClientToken,
) -> Call {
    let call =
        Call::new(Product::Alb, "CreateRule").with("ListenerId", listener).with_tags(tags).with_token(token);
    with_redirect(call, redirect)
}

/// `UpdateRuleAttribute`.
pub fn update_redirect(id: &CloudId, redirect: Redirect<'_>, token: &ClientToken) -> Call {
    let call = Call::new(Product::Alb, "UpdateRuleAttribute").with("RuleId", id).with_token(token);
    with_redirect(call, redirect)
}

/// `DeleteRule`.
pub fn delete_rule(id: &CloudId) -> Call {
    Call::new(Product::Alb, "DeleteRule").with("RuleId", id)
}

fn with_redirect(call: Call, redirect: Redirect<'_>) -> Call {
    call.with("RuleName", redirect.name)
        .with("Priority", redirect.priority)
        .with("RuleConditions.1.Type", "Path")
        .with("RuleConditions.1.PathConfig.Values.1", redirect.paths)
        .with("RuleActions.1.Type", "Redirect")
        .with("RuleActions.1.Order", 1)
        .with("RuleActions.1.RedirectConfig.Protocol", "HTTPS")
        .with("RuleActions.1.RedirectConfig.Port", redirect.port)
        .with("RuleActions.1.RedirectConfig.HttpCode", redirect.code)
        .with("RuleActions.1.RedirectConfig.Host", "${host}")
        .with("RuleActions.1.RedirectConfig.Path", "${path}")
        .with("RuleActions.1.RedirectConfig.Query", "${query}")
}
