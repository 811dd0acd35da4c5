//! Which code an action answers when the quota of what it makes is used up.

use crate::api::Operation;
use crate::wire::ApiError;

/// Actions that make something the account has a quota of, with their code and its HTTP status.
const CODES: &[(&str, u16, &str)] = &[
    ("Alb.AddServersToServerGroup", 400, "ResourceQuotaExceeded.LoadBalancerServersNum"),
    ("Alb.CreateListener", 400, "ResourceQuotaExceeded.LoadBalancerListenersNum"),
    ("Alb.CreateLoadBalancer", 400, "QuotaExceeded.LoadBalancersNum"),
    ("Alb.CreateRule", 400, "ResourceQuotaExceeded.LoadBalancerRulesNum"),
    ("Alb.CreateServerGroup", 400, "QuotaExceeded.ServerGroupsNum"),
    ("Alidns.AddDomainRecord", 400, "QuotaExceeded.Record"),
    ("Ecs.AuthorizeSecurityGroup", 403, "AuthorizationLimitExceed"),
    ("Ecs.CreateSecurityGroup", 403, "QuotaExceed.SecurityGroup"),
    ("Ecs.ImportKeyPair", 403, "QuotaExceed.KeyPair"),
    ("Ecs.RunCommand", 403, "Invocation.ExceedQuota"),
    ("Ecs.RunInstances", 403, "QuotaExceed.ElasticQuota"),
    ("R-kvstore.CreateAccount", 403, "AccountLimitExceeded"),
    ("R-kvstore.CreateInstance", 400, "QuotaExceed"),
    ("R-kvstore.CreateTairInstance", 400, "QuotaExceed"),
    ("Vpc.AllocateEipAddress", 400, "QuotaExceeded.Eip"),
    ("Vpc.CreateNatGateway", 400, "OperationFailed.EnhancedQuotaExceed"),
    ("Vpc.CreateSnatEntry", 400, "QuotaExceeded.SnatEntry"),
    ("Vpc.CreateVSwitch", 400, "QuotaExceeded.VSwitch"),
    ("Vpc.CreateVpc", 400, "QuotaExceeded.Vpc"),
];

/// The refusal of an action whose quota is used up; none for an action that makes nothing with a quota.
pub fn quota_refusal(operation: &Operation) -> Option<ApiError> {
    let name = operation.to_string();
    let (_, status, code) = CODES.iter().find(|(action, ..)| *action == name)?;
    Some(ApiError::new(*status, *code, "The quota of the account for this resource is used up."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::errors;

    #[test]
    fn every_code_is_documented_with_its_status() {
        for (name, status, code) in CODES {
            let (product, action) = name.split_once('.').unwrap();
            let operation = Operation { product: product.to_owned(), action: action.to_owned() };
            assert!(errors().knows(&operation, code), "{name} {code}");
            let refusal = quota_refusal(&operation).unwrap();
            assert_eq!(errors().settle(&operation, refusal).status, *status, "{name} {code}");
        }
    }
}
