//! Families of codes: what is said when a code has no words of its own. The first that fits is taken.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["*Throttling*"],
        means: "calls come faster than the account may make them",
        why: "Each action has a limit of calls a minute, shared by everybody who uses the account.",
        next: "wait a minute and run the same command again; ask the quota center for more if it happens often",
    },
    Explanation {
        codes: &["*TokenExpired*"],
        means: "the temporary key has expired",
        why: "Keys from STS live for an hour unless asked for longer.",
        next: "fetch a new key, or let Albatross renew it: docs/credentials.md lists where it takes keys from",
    },
    Explanation {
        codes: &[
            "*InsufficientBalance*",
            "*INSUFFICIENT_BALANCE*",
            "*Arrear*",
            "PAY*",
            "OrderError*",
            "OrderFailed*",
        ],
        means: "the order is not accepted, most often for want of money",
        why: "Pay-as-you-go resources need a balance or a valid means of payment, and no unpaid bill.",
        next: "see the billing console (usercenter2.aliyun.com), then run the same command again",
    },
    Explanation {
        codes: &[
            "Forbidden.RAM*",
            "NoPermission*",
            "AccessDenied*",
            "*Unauthorized*",
            "*NotAuthorized*",
            "PermissionDenied*",
            "*.NoPermission",
        ],
        means: "this user may not make this call",
        why: "A RAM user or role may do only what a policy allows.",
        next: "attach a policy that allows {permission} in the RAM console",
    },
    Explanation {
        codes: &[
            "*QuotaExceed*",
            "*LimitExceed*",
            "*ExceedLimit*",
            "*ExceedQuota*",
            "QuotaNotEnough*",
            "*CountExceeded*",
            "NumberExceed*",
        ],
        means: "the account has as many of these as it may have",
        why: "Every account has a quota for each kind of resource, most of them for each region.",
        next: "remove what is not used any more, or raise the quota for {RegionId|the region} in the quota center \
               (quotas.console.aliyun.com)",
    },
    Explanation {
        codes: &[
            "DependencyViolation*",
            "ResourceInUse*",
            "*AlreadyAttached*",
            "*AlreadyAssociated*",
            "*InUse",
        ],
        means: "something else still uses the resource",
        why: "The cloud deletes nothing that another resource depends on.",
        next: "delete or detach what uses it in the console, then run the same command again",
    },
    Explanation {
        codes: &[
            "Incorrect*Status*",
            "IncorrectStatus*",
            "*InConfiguring*",
            "*Conflict.Task*",
            "TaskConflict*",
        ],
        means: "the resource is being changed and takes no other change yet",
        why: "Something else works on it, or its last change is not through.",
        next: "run the same command again in a minute; see in the console what is under way if it stays so",
    },
    Explanation {
        codes: &[
            "ResourceNotFound*",
            "*.NotFound*",
            "*NotExist*",
            "*NoExist*",
            "*NOT_EXISTS",
            "*NO_EXIST",
            "*NotFound",
        ],
        means: "the resource named in the call is not there",
        why: "It was deleted, belongs to another account, or is in another region.",
        next: "run `albatross plan` to see what there is; an `id` written in the topology must be one of \
               {RegionId|the topology's region}",
    },
    Explanation {
        codes: &["*AlreadyExist*", "*Duplicate*", "*Duplicated*", "*Existed*", "*Duplication", "*Conflict*"],
        means: "there is one like it already",
        why: "Names, ports and records of this kind are given once.",
        next: "remove the other one in the console, or choose another name in the topology",
    },
    Explanation {
        codes: &["*Mismatch*", "*NotMatch*"],
        means: "two things named in the call do not belong together",
        why: "Most often one is in another zone, VPC or region than the other.",
        next: "compare the ids written in the topology with the console: all must be in one VPC of \
               {RegionId|the region}",
    },
    Explanation {
        codes: &[
            "*Unsupported*",
            "*NotSupport*",
            "*NOT_SUPPORT*",
            "ResourceNotAvailable*",
            "ResourceNotEnough*",
            "*NoAvail*",
        ],
        means: "what is asked for is not offered here",
        why: "Not every region, zone and account has every feature.",
        next: "choose another zone or instance type; `albatross doctor FILE` shows what is offered",
    },
    Explanation {
        codes: &[
            "Missing*",
            "*.Malformed*",
            "*Illegal*",
            "*.Invalid*",
            "Invalid*",
            "*INVALID*",
            "*Exclusive*",
            "Miss*",
            "*Param*",
        ],
        means: "the cloud does not take a value of the call",
        why: "The value has another form, length or range than the cloud wants.",
        next: "see the message for the field; if the topology is not at fault, report it: it is a fault of Albatross",
    },
    Explanation {
        codes: &["OperationDenied*", "OperationDenyed*", "Forb*", "NOT_ALLOW*"],
        means: "the cloud does not allow this now, or not to this account",
        why: "A rule of the product stands in the way; the message names it.",
        next: "follow the message; if it is about permission, allow {permission} in the RAM console",
    },
    Explanation {
        codes: &[
            "InternalError*",
            "ServiceUnavailable*",
            "System*",
            "UnKnown*",
            "Unknown*",
            "OperationFailed*",
        ],
        means: "something failed inside the cloud",
        why: "It passes by itself nearly always.",
        next: "run the same command again; if it stays so, give the request id to the cloud's support",
    },
];
