//! Keys, clock, permission and traffic: what any call can meet, whatever it is about.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["InvalidAccessKeyId.NotFound"],
        means: "the cloud does not know this access key",
        why: "The id is mistyped, the key was deleted, or it belongs to the other site: accounts of aliyun.com and \
              of alibabacloud.com are different ones.",
        next: "compare ALIBABA_CLOUD_ACCESS_KEY_ID, or the profile's key, with the list at \
               ram.console.aliyun.com/manage/ak",
    },
    Explanation {
        codes: &["InvalidAccessKeyId.Inactive"],
        means: "the access key is switched off",
        why: "Somebody disabled it, or it was disabled because it had leaked or was unused for long.",
        next: "enable the key in the RAM console under its user, or make a new one and set it in the environment or \
               with `aliyun configure`",
    },
    Explanation {
        codes: &["SignatureDoesNotMatch", "IncompleteSignature"],
        means: "the secret does not belong to this access key",
        why: "The secret is of another key, was cut off when it was copied, or has a blank or a line break at its \
              end. A proxy that rewrites the host name breaks signatures too.",
        next: "set ALIBABA_CLOUD_ACCESS_KEY_SECRET, or the profile's secret, again; a lost secret cannot be shown: \
               make a new key in the RAM console",
    },
    Explanation {
        codes: &["InvalidTimeStamp.Expired", "InvalidTimeStamp.Format"],
        means: "this machine's clock and the cloud's are too far apart",
        why: "Every call carries its time, and the cloud takes those that are at most 15 minutes off, so that a \
              recorded call is worth nothing later.",
        next: "set this machine's clock, for example with `timedatectl set-ntp true`; `albatross doctor FILE` says \
               by how many seconds it is off",
    },
    Explanation {
        codes: &["SignatureNonceUsed"],
        means: "the cloud has seen this very call before",
        why: "Each call has a number that is used once. A proxy that sends requests twice makes the second one fail.",
        next: "run the same command again; if it happens again, call without the proxy",
    },
    Explanation {
        codes: &["InvalidSecurityToken.Expired"],
        means: "the temporary key has expired",
        why: "Keys from STS live for an hour unless asked for longer.",
        next: "fetch a new key and set all three of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and \
               ALIBABA_CLOUD_SECURITY_TOKEN",
    },
    Explanation {
        codes: &[
            "InvalidSecurityToken.Malformed",
            "InvalidSecurityToken.MismatchWithAccessKey",
            "MissingSecurityToken",
        ],
        means: "the token does not go with this access key",
        why: "A key that begins with `STS.` works only with the token it came with, and a lasting key only without.",
        next: "set ALIBABA_CLOUD_SECURITY_TOKEN from the same answer as the key, or unset it for a lasting key",
    },
    Explanation {
        codes: &["Forbidden.RAM", "NoPermission", "Forbidden", "AuthorizationFailure"],
        means: "this user may not make this call",
        why: "A RAM user or role may do only what a policy allows; a new one may do nothing. The account itself may \
              do everything.",
        next: "let the account's owner attach a policy that allows {permission} in the RAM console \
               (ram.console.aliyun.com/policies)",
    },
    Explanation {
        codes: &["InvalidUser.PassRoleForbidden"],
        means: "this user may not hand a RAM role to an instance",
        why: "Giving a machine a role gives its rights away, so it needs a permission of its own.",
        next: "let the account's owner allow `ram:PassRole` for this user in the RAM console",
    },
    Explanation {
        codes: &["InvalidOperation.SecurityGroupNotAuthorized", "Operation.Forbidden"],
        means: "a rule of the account forbids this to everybody, or to this user",
        why: "Besides missing permission, a policy may deny outright, and a resource directory may set limits.",
        next: "ask the account's owner which policy denies {permission}",
    },
    Explanation {
        codes: &[
            "Throttling",
            "Throttling.User",
            "Throttling.Api",
            "Throttling.Resource",
            "Rejected.Throttling",
        ],
        means: "calls come faster than the account may make them",
        why: "Each action has a limit of calls a minute, shared by everybody who uses the account. Albatross slows \
              down and tries again for a minute before it gives up.",
        next: "wait a minute and run the same command again; ask the quota center for more if it happens often",
    },
    Explanation {
        codes: &["DryRunOperation", "DRYRUN.SUCCESS"],
        means: "a dry run passed: the call itself would have been taken",
        why: "Calls with `DryRun` are checked and not carried out, and the cloud answers with this code when nothing \
              is wrong. `albatross doctor` asks so.",
        next: "nothing: it is no failure",
    },
    Explanation {
        codes: &["ServiceUnavailable", "InternalError"],
        means: "something failed inside the cloud",
        why: "It passes by itself nearly always, and Albatross has tried for a minute.",
        next: "run the same command again; see status.alibabacloud.com, and give the request id to the support if \
               it stays so",
    },
    Explanation {
        codes: &["InvalidAction.NotFound", "InvalidApi.NotFound", "InvalidVersion", "NoSuchVersion"],
        means: "the endpoint does not offer this call",
        why: "The endpoint is of another product, or the product is not offered in the region.",
        next: "check `--endpoint` and ALBATROSS_ENDPOINT; without them, choose another region than {RegionId|this one}",
    },
    Explanation {
        codes: &[
            "InvalidRegionId.NotFound",
            "Forbidden.RegionId",
            "RegionUnauthorized",
            "InvalidRegion.NotSupport",
        ],
        means: "this account cannot use this region",
        why: "The region's id is mistyped, or the account is of the site that does not sell it.",
        next: "write another `region` in the topology than {RegionId|this one}; `aliyun ecs DescribeRegions` lists \
               those of the account",
    },
];
