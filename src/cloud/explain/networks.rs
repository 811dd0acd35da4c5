//! VPC: ranges, vSwitches, security groups.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["InvalidCidrBlock.Overlapped", "OperationFailed.CidrAcross"],
        means: "the address range overlaps another vSwitch of the VPC",
        why: "An existing VPC may hold vSwitches the topology does not know, also of other people.",
        next: "write another `cidr` than {CidrBlock|this one} under `network.vswitches`; the VPC console lists the \
               ranges {VpcId|the VPC} uses",
    },
    Explanation {
        codes: &["InvalidCidrBlock.Malformed", "IllegalParam.CidrBlock", "InvalidCirdrBlock.MaskLength"],
        means: "this cannot be the address range of a vSwitch",
        why: "It must be a /16 to /29 inside the VPC's range, and not be the whole of it in some regions.",
        next: "write another `cidr` than {CidrBlock|this one}, such as `192.168.0.0/24`",
    },
    Explanation {
        codes: &[
            "OperationDenied.CidrInExcludeCidrs",
            "RouteConflict.AlreadyExist",
            "OperationFailed.ResourceConflict",
        ],
        means: "the address range is routed elsewhere",
        why: "A route of the VPC, a peer or an attached network leads to the same addresses.",
        next: "write another `cidr` than {CidrBlock|this one}, or remove the route in the VPC console",
    },
    Explanation {
        codes: &["InvalidVpcId.NotFound", "InvalidVpcID.NotFound", "Forbidden.VpcNotFound", "VpcNotFound"],
        means: "the VPC is not there",
        why: "It was deleted, belongs to another account, or is in another region.",
        next: "write an id of {RegionId|the topology's region} under `network.vpc.id`; without `id`, run the same \
               command again",
    },
    Explanation {
        codes: &[
            "InvalidVSwitchId.NotFound",
            "InvalidVswitchID.NotFound",
            "InvalidVSwitchId.NotExist",
            "ResourceNotFound.VSwitch",
        ],
        means: "the vSwitch is not there",
        why: "It was deleted, is in another region, or was made a moment ago and other products do not see it yet.",
        next: "write an id of {RegionId|the topology's region} under `network.vswitches`; without `id`, run the same \
               command again",
    },
    Explanation {
        codes: &["InvalidZoneId.NotFound", "Invalid.ZoneId", "ZoneIdNotFound", "InvalidVpcZone.NotSupported"],
        means: "there is no such zone for this account",
        why: "Zones differ from region to region, and some are hidden from new accounts.",
        next: "write a zone of {RegionId|the region} under `network.vswitches`; `albatross doctor FILE` lists them",
    },
    Explanation {
        codes: &["InvalidParameter.Mismatch", "ResourcesNotInSameZone", "InvalidParameter.VSwitchId"],
        means: "vSwitch and zone do not go together",
        why: "An existing vSwitch is in another zone than the topology says.",
        next: "write the zone that the VPC console shows for {VSwitchId|the vSwitch}",
    },
    Explanation {
        codes: &["InvalidSecurityGroup.VpcMismatch", "OperationDenied.InconsistentNetwork"],
        means: "security group and vSwitch are in two VPCs",
        why: "A group protects machines of its own VPC only.",
        next: "write a `network.security_group.id` of the VPC, or leave it out so that a group is made",
    },
    Explanation {
        codes: &["InvalidVSwitchId.IpNotEnough", "QuotaExceeded.PrivateIpAddress"],
        means: "the vSwitch has no address left",
        why: "A /28 has 12 addresses to give; instances, ALBs and databases all take some.",
        next: "write a larger `cidr` for the vSwitch, or use another one than {VSwitchId|this one}",
    },
    Explanation {
        codes: &[
            "InvalidSecurityGroupId.NotFound",
            "InvalidSecurityGroup.NotFound",
            "InvalidSecurityGroupId",
        ],
        means: "the security group is not there",
        why: "It was deleted, or is in another region.",
        next: "write an id of {RegionId|the topology's region} under `network.security_group.id`, or leave it out \
               so that a group is made",
    },
    Explanation {
        codes: &["AuthorizationLimitExceed", "AuthorizedGroupRule.LimitExceed"],
        means: "the security group has as many rules as it may have",
        why: "A group has a quota of rules, and the groups of one network interface have one together.",
        next: "remove rules of {SecurityGroupId|the group} in the ECS console, or leave `network.security_group.id` \
               out so that a group is made",
    },
    Explanation {
        codes: &["SecurityGroupInstanceLimitExceed", "JoinedGroupLimitExceed"],
        means: "the security group has as many instances as it may have",
        why: "A group holds a limited number of private addresses.",
        next: "leave `network.security_group.id` out so that a group is made",
    },
    Explanation {
        codes: &["InvalidOperation.ResourceManagedByCloudProduct"],
        means: "the resource belongs to another product of the cloud",
        why: "Groups and interfaces that ALB, ACK and others made for themselves are changed by them alone.",
        next: "write another id than {SecurityGroupId|this one}, or leave `network.security_group.id` out",
    },
    Explanation {
        codes: &[
            "DependencyViolation",
            "DependencyViolation.VSwitch",
            "DependencyViolation.SecurityGroup",
            "DependencyViolation.Instance",
            "DependencyViolation.CloudServiceResource",
            "DependencyViolation.NatGateway",
        ],
        means: "something is still in it",
        why: "A VPC, vSwitch or group goes last. What an ALB made for itself disappears minutes after it; what \
              others made there stays.",
        next: "run `albatross destroy` again in a few minutes; the VPC console shows under `Resources` of \
               {VpcId|the VPC} what is left",
    },
    Explanation {
        codes: &["TaskConflict", "OperationConflict", "IncorrectVSwitchStatus", "IncorrectVpcStatus"],
        means: "the VPC is being changed and takes no other change yet",
        why: "One VPC makes its vSwitches one after another.",
        next: "run the same command again",
    },
];
