//! ALB: zones, addresses, listeners, certificates, server groups.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["Mismatch.ZoneIdAndVSwitchId"],
        means: "a vSwitch of the load balancer is in another zone than the topology says",
        why: "An existing vSwitch was named with the wrong zone.",
        next: "write the zone that the VPC console shows for each `network.vswitches.NAME.id`",
    },
    Explanation {
        codes: &["DuplicatedParam.ZoneId"],
        means: "two vSwitches of the load balancer are in one zone",
        why: "An ALB takes one vSwitch in each of its zones.",
        next: "list one vSwitch of each zone under `load_balancer.vswitches`",
    },
    Explanation {
        codes: &["ResourceNotEnough.VSwitchIp"],
        means: "a vSwitch has too few addresses left for the load balancer",
        why: "An ALB takes an address in every zone and more as it grows: 8 free ones are advised.",
        next: "write a larger `cidr` for its vSwitches, a /24 for example, or list others under \
               `load_balancer.vswitches`",
    },
    Explanation {
        codes: &["ResourceNotFound.Certificate"],
        means: "the certificate is not there",
        why: "Its id ends with the region of the certificate store: `-cn-hangzhou` for the mainland, \
              `-ap-southeast-1` abroad. It was deleted, or is in the other store, or belongs to another account.",
        next: "write the id that the certificate console (yundun.console.aliyun.com, `SSL Certificates`) shows instead of \
               {CertificateId|this one}; upload the certificate there if it is missing",
    },
    Explanation {
        codes: &["ResourceAlreadyExist.Listener", "ResourceAlreadyAssociated.Listener"],
        means: "another listener of the load balancer has this port",
        why: "The ALB named by id serves something else there already.",
        next: "write another `load_balancer.listener.port` than {ListenerPort|this one}, or remove the other \
               listener of {LoadBalancerId|the ALB} in the console",
    },
    Explanation {
        codes: &["VipStatusNotSupport"],
        means: "the address of the load balancer is being set up or is stopped",
        why: "Minutes after it was made or changed, an ALB takes no listener. One that is stopped for unpaid bills \
              takes none at all.",
        next: "run the same command again; if it stays so, see the state of {LoadBalancerId|the ALB} in its console",
    },
    Explanation {
        codes: &["IncorrectStatus.LoadBalancer", "IncorrectBusinessStatus.LoadBalancer"],
        means: "the load balancer is being changed, or is locked",
        why: "While it is made or changed, and while bills are unpaid, it takes no change.",
        next: "run the same command again; if it stays so, see the state of {LoadBalancerId|the ALB} in its console",
    },
    Explanation {
        codes: &[
            "IncorrectStatus.Listener",
            "IncorrectStatus.ServerGroup",
            "ResourceInConfiguring",
            "ResourceInConfiguring.Listener",
            "ResourceInConfiguring.BackendServer",
        ],
        means: "the listener or server group is being changed and takes no other change yet",
        why: "Changes of one listener or group are made one after another.",
        next: "run the same command again",
    },
    Explanation {
        codes: &["IdempotenceProcessing"],
        means: "the same call is still being carried out",
        why: "Its first answer was lost or late, and it was sent again.",
        next: "run the same command again: the cloud then answers with what the first call made",
    },
    Explanation {
        codes: &["Mismatch.VpcId"],
        means: "load balancer, server group and servers are not in one VPC",
        why: "The ALB or a vSwitch was named by an id of another VPC.",
        next: "compare `load_balancer.id` and `network.vpc.id` with the consoles: both must be in one VPC",
    },
    Explanation {
        codes: &["Conflict.BackendServer", "DuplicatedParam.BackendServer"],
        means: "the server is in the group already",
        why: "A server and port stand in a group once.",
        next: "run `albatross plan`: it shows the servers of {ServerGroupId|the group}",
    },
    Explanation {
        codes: &["ResourceInUse.ServerGroup"],
        means: "a listener or rule still uses the server group",
        why: "A group goes after what forwards to it; a deleted listener lets go of it seconds later.",
        next: "run `albatross destroy` again; a rule made in the console must be removed there from \
               {ServerGroupId|the group}'s listener",
    },
    Explanation {
        codes: &["OperationDenied.DeletionProtectionEnabled"],
        means: "somebody protects the load balancer from deletion",
        why: "Deletion protection was switched on in the console; Albatross never does that.",
        next: "switch deletion protection of {LoadBalancerId|the ALB} off in the ALB console, then run the same \
               command again",
    },
    Explanation {
        codes: &[
            "ResourceQuotaExceeded.LoadBalancerListenersNum",
            "ResourceQuotaExceeded.LoadBalancerServersNum",
            "ResourceQuotaExceeded.ServerAddedNum",
        ],
        means: "the load balancer has as many listeners or servers as it may have",
        why: "50 listeners; 200 servers in the basic edition and 1,000 in others, counted once for each listener or \
              rule that uses them.",
        next: "write `load_balancer.edition: standard`, or remove what {LoadBalancerId|the ALB} does not need",
    },
    Explanation {
        codes: &[
            "ResourceNotFound.LoadBalancer",
            "ResourceNotFound.Listener",
            "ResourceNotFound.ServerGroup",
        ],
        means: "this part of the load balancer is not there",
        why: "It was deleted in the console, or was made a moment ago and is not seen yet.",
        next: "run the same command again; an id under `load_balancer.id` must be one of {RegionId|the region}",
    },
    Explanation {
        codes: &["Forbidden.LoadBalancer", "Forbidden.Listener", "Forbidden.ServerGroup"],
        means: "this user may not use this part of the load balancer",
        why: "A policy allows some load balancers, and this is not one of them.",
        next: "let the account's owner allow {permission} for {LoadBalancerId|the resource} in the RAM console",
    },
];
