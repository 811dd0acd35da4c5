//! R-kvstore: managed Redis.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["InvalidCapacity.NotFound", "InstanceClass.NotMatch", "InvalidInstancelevel"],
        means: "there is no Redis of this size here",
        why: "Classes of instances differ from zone to zone and engine version to engine version.",
        next: "choose another class or zone; `aliyun r-kvstore DescribeAvailableResource --RegionId {RegionId|REGION}` \
               lists them",
    },
    Explanation {
        codes: &["InvalidPassword.Malformed", "InvalidAccountPassword.Format"],
        means: "the password is too simple",
        why: "It needs 8 to 32 characters of three kinds: capitals, small letters, digits, signs.",
        next: "choose a longer password with capitals, small letters and digits",
    },
    Explanation {
        codes: &["InvalidvSwitchId", "VSwithNotBelongToNotVpcFault", "InvalidVPCId.NotFound"],
        means: "the vSwitch does not belong to the VPC or zone of the instance",
        why: "A Redis instance is in the zone of its vSwitch.",
        next: "choose a vSwitch of the instance's zone instead of {VSwitchId|this one}",
    },
    Explanation {
        codes: &["IzNotSupportVpcError", "InvalidIzNo.NotSupported"],
        means: "the zone sells no Redis of this kind",
        why: "Not every zone has every product.",
        next: "choose another zone of {RegionId|the region}",
    },
    Explanation {
        codes: &["IncorrectDBInstanceState", "InvalidStatus"],
        means: "the Redis instance is being changed and takes no other change yet",
        why: "It takes changes only while its state is Normal.",
        next: "run the same command again in a few minutes",
    },
    Explanation {
        codes: &["InstanceReleaseProtection"],
        means: "somebody protects the Redis instance from release",
        why: "Release protection was switched on in the console.",
        next: "switch it off in the Redis console, then run the same command again",
    },
    Explanation {
        codes: &["RequestTokenConflict"],
        means: "the same call is still being carried out",
        why: "Its first answer was lost or late, and it was sent again.",
        next: "run the same command again: the cloud then answers with what the first call made",
    },
];
