//! The account: money, identity, risk control, quotas, service-linked roles.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &[
            "InvalidAccountStatus.NotEnoughBalance",
            "InsufficientBalance",
            "AccountMoneyValidateError",
            "CASH_BOOK_INSUFFICIENT",
            "InsufficientBalance.AgentCredit",
            "InvalidAccountStatus.PayAmountLimitExceeded",
        ],
        means: "the account has too little money for what is billed by use",
        why: "To make pay-as-you-go resources an account must hold a balance or have a valid means of payment.",
        next: "top the account up or add a card in the billing console (usercenter2.aliyun.com), then run the same \
               command again",
    },
    Explanation {
        codes: &["Account.Arrearage", "InvalidInstance.UnPaidOrder"],
        means: "the account owes money",
        why: "While a bill is unpaid, nothing new can be made, and running resources are stopped after a while.",
        next: "pay the bill in the billing console (usercenter2.aliyun.com), then run the same command again",
    },
    Explanation {
        codes: &["PaymentMethodNotFound", "InvalidPayMethod", "PayIllegalAgreement"],
        means: "the account has no means of payment",
        why: "Accounts of alibabacloud.com need a card or another method before they can make anything.",
        next: "add one in the billing console under `Payment Methods`, then run the same command again",
    },
    Explanation {
        codes: &["RealNameAuthenticationError"],
        means: "the account's owner has not been verified",
        why: "Resources on the Chinese mainland are sold to verified persons and companies only.",
        next: "verify the account at account.console.aliyun.com under `Identity Verification`, or choose a `region` \
               outside the mainland than {RegionId|this one}",
    },
    Explanation {
        codes: &["Forbidden.RiskControl", "SecurityRisk.3DVerification", "SecurityRisk.AuthVerification"],
        means: "the cloud's risk control has stopped the account",
        why: "New accounts, unusual sums or unusual places make it ask for a proof of identity.",
        next: "log in to the console: it shows what is asked for; otherwise open a ticket with the request id",
    },
    Explanation {
        codes: &["InvalidAccountStatus", "AccountForbidden.ProductCreationLimited", "UserNotInTheWhiteList"],
        means: "the account may not make this kind of resource",
        why: "It is locked, limited by its reseller, or the feature is open to invited accounts only.",
        next: "see the messages in the console, or open a ticket with the request id",
    },
    Explanation {
        codes: &["QuotaExceed.ElasticQuota", "QuotaExceed.AfterpayInstance", "OperationDenied.QuotaExceed"],
        means: "the account may not have so many processors of this kind in the region",
        why: "The number of pay-as-you-go vCPUs is limited for each region, for new accounts to a few.",
        next: "raise the vCPU quota for {RegionId|the region} in the quota center (quotas.console.aliyun.com), or \
               write a smaller type than {InstanceType|this one} under `types`",
    },
    Explanation {
        codes: &["QuotaExceeded.Vpc"],
        means: "the region has as many VPCs as the account may have there",
        why: "Each region has a quota of them, a small one for new accounts.",
        next: "name one that is there with `network.vpc.id`, delete one in the VPC console, or raise the quota in \
               the quota center",
    },
    Explanation {
        codes: &["QuotaExceeded.VSwitch"],
        means: "the VPC has as many vSwitches as it may have",
        why: "The quota is 150 for each VPC.",
        next: "delete what {VpcId|the VPC} does not need, or take `network.vpc.id` out so that one is made",
    },
    Explanation {
        codes: &["QuotaExceed.SecurityGroup"],
        means: "the region has as many security groups as the account may have there",
        why: "Each region has a quota of them, and every ALB adds one of its own.",
        next: "name one that is there with `network.security_group.id`, or delete unused ones in the ECS console",
    },
    Explanation {
        codes: &["QuotaExceed.KeyPair"],
        means: "the region has as many key pairs as the account may have there",
        why: "Each region has a quota of them; key pairs of stacks that are gone may be left.",
        next: "delete unused key pairs in the ECS console under `Key Pairs`",
    },
    Explanation {
        codes: &["QuotaExceeded.LoadBalancersNum"],
        means: "the region has as many ALBs as the account may have there",
        why: "Each region has a quota of them.",
        next: "name one that is there with `load_balancer.id`, or delete unused ones in the ALB console",
    },
    Explanation {
        codes: &["OperationDenyed.ServiceLinkedRoleNotExist"],
        means: "the account lacks the role with which ALB works for it",
        why: "ALB makes addresses and network interfaces in the account's VPC, as the role AliyunServiceRoleForAlb. \
              It is made once, when ALB is opened for the first time.",
        next: "run `aliyun resourcemanager CreateServiceLinkedRole --ServiceName alb.aliyuncs.com`, or open the ALB \
               console once and confirm; then run the same command again",
    },
];
