//! What an answer means for the call that got it: try again, not there, or final. Pure.
//!
//! Three sources, in this order:
//!
//! 1. what holds for every action: throttling, `ServiceUnavailable`, any 5xx, and a token whose first call is still
//!    under way;
//! 2. what the official Terraform provider retries, or takes as absent, action by action;
//! 3. what we know beside that, each with its reason.
//!
//! The last two are the tables of [`table`]. A code stands for the codes below it too: `DependencyViolation` for
//! `DependencyViolation.VSwitch`.

mod table;

use std::time::Duration;

use crate::cloud::Product;

/// Codes that pass whatever the action, beside those that speak of throttling.
const PASSING: [&str; 1] = ["ServiceUnavailable"];

/// What one action's answers mean.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    product: Product,
    action: &'static str,
    again: &'static [&'static str],
    absent: &'static [&'static str],
}

/// What we know beside the provider's rules.
#[derive(Debug, Clone, Copy)]
struct Addition {
    product: Product,
    actions: &'static [&'static str],
    again: &'static [&'static str],
    absent: &'static [&'static str],
    /// Why, for whoever reads the table.
    why: &'static str,
}

/// An answer after which an action is tried again, beside those that hold for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retried {
    /// Product.
    pub product: Product,
    /// Action.
    pub action: &'static str,
    /// Code of the answer.
    pub code: &'static str,
    /// Why, when the official provider does not.
    pub why: Option<&'static str>,
}

/// Whether the same call may be sent again after this answer.
pub fn is_passing(product: Product, action: &str, status: u16, code: &str) -> bool {
    // What is not implemented will not be so in a second.
    let failing_server = status >= 500 && status != 501;
    failing_server
        || is_throttling(status, code)
        || stands_in(&PASSING, code)
        || stands_in(token_still_processing(product), code)
        || rules(product, action).any(|(again, _)| stands_in(again, code))
}

/// Whether the answer means that what the call is about is not there: for a delete, that it is done.
pub fn is_absent(product: Product, action: &str, code: &str) -> bool {
    rules(product, action).any(|(_, absent)| stands_in(absent, code))
}

/// Every action that takes a code as a sign that its resource is not there.
pub fn taken_as_absent(code: &str) -> Vec<(Product, &'static str)> {
    let mut actions: Vec<(Product, &'static str)> =
        ruled().filter(|(product, action)| is_absent(*product, action, code)).collect();
    actions.dedup();
    actions
}

/// Whether a code passes for every action, whatever its status.
pub fn is_passing_anywhere(code: &str) -> bool {
    is_throttling(400, code) || stands_in(&PASSING, code)
}

/// Whether the cloud refuses because it was called too often.
pub fn is_throttling(status: u16, code: &str) -> bool {
    status == 429 || code.contains("Throttling")
}

/// Whether the gateway refused, before the product that keeps client tokens saw the call: for want of a good key, time
/// stamp or permission. Such a refusal says nothing about an earlier sending of the same call.
pub fn is_of_the_gateway(code: &str) -> bool {
    const FAMILIES: [&str; 12] = [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "SignatureNonceUsed",
        "InvalidTimeStamp",
        "InvalidSecurityToken",
        "SecurityTokenExpired",
        "MissingSecurityToken",
        "Forbidden.RAM",
        "Forbidden.AccessKeyDisabled",
        "NoPermission",
        "AuthorizationFailure",
    ];
    stands_in(&FAMILIES, code)
}

/// `x-acs-retry-after`: milliseconds; what is not a number asks for nothing.
pub fn asked_wait(header: Option<&str>) -> Duration {
    Duration::from_millis(header.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

/// Every action that has a rule, as product and action.
pub fn ruled() -> impl Iterator<Item = (Product, &'static str)> {
    table::RULES.iter().map(|rule| (rule.product, rule.action))
}

/// Every answer that is retried for its action.
pub fn retried() -> impl Iterator<Item = Retried> {
    let provider = table::RULES.iter().flat_map(|&Rule { product, action, again, .. }| {
        again.iter().map(move |code| Retried { product, action, code, why: None })
    });
    let added = table::ADDITIONS.iter().flat_map(|one: &'static Addition| {
        one.actions.iter().flat_map(move |action| {
            one.again.iter().map(move |code| Retried {
                product: one.product,
                action,
                code,
                why: Some(one.why),
            })
        })
    });
    provider.chain(added)
}

type Codes = &'static [&'static str];

/// What is retried and what is absent, from each table.
fn rules(product: Product, action: &str) -> impl Iterator<Item = (Codes, Codes)> {
    let own = table::RULES.iter().filter(move |rule| rule.product == product && rule.action == action);
    let added = table::ADDITIONS.iter().filter(move |one| one.is_for(product, action));
    own.map(|rule| (rule.again, rule.absent)).chain(added.map(|one| (one.again, one.absent)))
}

impl Addition {
    fn is_for(&self, product: Product, action: &str) -> bool {
        self.product == product && self.actions.contains(&action)
    }
}

/// A call whose answer was lost is sent again with its token, perhaps while the first one is still at work.
fn token_still_processing(product: Product) -> Codes {
    table::TOKENS.iter().find(|(of, _)| *of == product).map_or(&[], |(_, codes)| codes)
}

fn stands_in(codes: &[&str], code: &str) -> bool {
    codes.iter().any(|one| is_below_or_at(code, one))
}

fn is_below_or_at(code: &str, family: &str) -> bool {
    code.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_code_means_another_thing_for_another_action() {
        let passing = |action, code| is_passing(Product::Vpc, action, 400, code);
        assert!(passing("DeleteVSwitch", "DependencyViolation"));
        assert!(passing("DeleteVSwitch", "DependencyViolation.RouterInterface"));
        assert!(!passing("CreateVSwitch", "DependencyViolation"));
        assert!(passing("CreateVSwitch", "TaskConflict"));
        assert!(!passing("DescribeVSwitches", "TaskConflict"));
        assert!(is_passing(Product::Alb, "DeleteServerGroup", 400, "ResourceInUse.ServerGroup"));
        assert!(!is_passing(Product::Alb, "CreateServerGroup", 400, "ResourceInUse.ServerGroup"));
    }

    #[test]
    fn a_busy_cloud_and_a_token_under_way_pass_for_every_action() {
        for (_, action) in ruled() {
            for product in Product::ALL {
                let passing = |status, code| is_passing(product, action, status, code);
                assert!(
                    passing(400, "Throttling.User")
                        && passing(429, "X")
                        && passing(400, "Rejected.Throttling")
                );
                assert!(
                    passing(500, "InternalError") && passing(503, "X") && passing(400, "ServiceUnavailable")
                );
                assert!(
                    !passing(400, "InvalidParameter") && !passing(501, "X") && !passing(403, "NoPermission")
                );
            }
        }
        assert!(is_passing(Product::Alb, "CreateLoadBalancer", 400, "IdempotenceProcessing"));
        assert!(is_passing(Product::Ecs, "RunInstances", 403, "IdempotentProcessing"));
        assert!(is_passing(Product::Vpc, "CreateVpc", 400, "LastTokenProcessing"));
    }

    #[test]
    fn what_is_deleted_already_is_absent() {
        assert!(is_absent(Product::Vpc, "DeleteVSwitch", "InvalidVswitchID.NotFound"));
        assert!(is_absent(Product::Alb, "DeleteListener", "ResourceNotFound.Listener"));
        assert!(is_absent(Product::Alidns, "DeleteDomainRecord", "DomainRecordNotBelongToUser"));
        assert!(!is_absent(Product::Alidns, "AddDomainRecord", "DomainRecordNotBelongToUser"));
        assert!(!is_absent(Product::Vpc, "CreateVSwitch", "InvalidVSwitchId.NotFound"));
    }

    #[test]
    fn the_gateway_refuses_for_keys_time_and_permission() {
        for code in
            ["InvalidAccessKeyId.Inactive", "Forbidden.RAM", "NoPermission.X", "InvalidTimeStamp.Expired"]
        {
            assert!(is_of_the_gateway(code), "{code}");
        }
        for code in ["OperationDenied.NoStock", "Forbidden.VpcNotFound", "IdempotentParameterMismatch"] {
            assert!(!is_of_the_gateway(code), "{code}");
        }
    }

    #[test]
    fn a_wait_is_asked_for_in_milliseconds() {
        assert_eq!(asked_wait(Some("1500")), Duration::from_millis(1500));
        assert_eq!(asked_wait(Some("soon")), Duration::ZERO);
        assert_eq!(asked_wait(None), Duration::ZERO);
    }

    #[test]
    fn no_row_stands_twice_and_every_addition_has_a_reason_and_a_row() {
        for (index, rule) in table::RULES.iter().enumerate() {
            let same = |other: &&Rule| other.product == rule.product && other.action == rule.action;
            assert!(!table::RULES[..index].iter().any(|other| same(&other)), "{} stands twice", rule.action);
        }
        for one in table::ADDITIONS {
            assert!(!one.why.is_empty(), "{one:?}");
            assert!(one.again.len() + one.absent.len() > 0, "{one:?}");
            for action in one.actions {
                let mut rows = table::RULES.iter().filter(|rule| one.is_for(rule.product, rule.action));
                let row = rows.find(|rule| rule.action == *action);
                let row = row.unwrap_or_else(|| panic!("{action} has no row"));
                for code in one.again {
                    assert!(!row.again.contains(code), "{action} retries {code} already");
                }
            }
        }
    }
}
