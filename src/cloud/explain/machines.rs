//! ECS: stock, types, disks, images, key pairs, the Cloud Assistant.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["OperationDenied.NoStock", "ResourceNotAvailable", "LackResource"],
        means: "the zone has none of these left",
        why: "Small types of a popular zone sell out. Albatross has tried every type of the list, in its order.",
        next: "write another type than {InstanceType|this one} under `types` of the instance, or another zone under \
               `network.vswitches`; `albatross doctor FILE` shows what is in stock where",
    },
    Explanation {
        codes: &["OperationDenied.ZoneNotAllowed", "Zone.NotOnSale", "Zone.NotOpen", "Zone.Closed"],
        means: "nothing new is sold in this zone",
        why: "Full zones are closed to accounts that have nothing there.",
        next: "write another zone of {RegionId|the region} under `network.vswitches`; `albatross doctor FILE` lists \
               those that are open",
    },
    Explanation {
        codes: &[
            "InvalidInstanceType.ZoneNotSupported",
            "InvalidInstanceType.ValueNotSupported",
            "InvalidInstanceType.NotSupported",
            "OperationDenied.FlavorNotSupported",
            "InstanceType.Offline",
        ],
        means: "the zone does not offer this instance type",
        why: "Each zone has its own machines; old types are withdrawn, new ones come zone by zone.",
        next: "write another type than {InstanceType|this one} under `types` of the instance; `albatross doctor FILE` \
               shows which zones have it",
    },
    Explanation {
        codes: &["InvalidInstanceType.ValueUnauthorized", "InvalidSystemDiskCategory.ValueUnauthorized"],
        means: "this account may not use this type",
        why: "Some types are open to invited accounts only.",
        next: "write another type than {InstanceType|this one} under `types` of the instance",
    },
    Explanation {
        codes: &[
            "InvalidSystemDiskCategory.ValueNotSupported",
            "InvalidInstanceType.NotSupportDiskCategory",
            "InvalidDiskCategory.NotSupported",
            "OperationDenied.DiskTypeNotSupport",
        ],
        means: "the instance type takes no disk of this category here",
        why: "Entry disks go with the families e and u1, ESSD with newer ones, and not every zone has every category.",
        next: "write another type than {InstanceType|this one} under `types`: it does not take \
               {SystemDisk.Category|that disk}",
    },
    Explanation {
        codes: &[
            "InvalidSystemDiskSize.LessThanImageSize",
            "InvalidSystemDiskSize.LessThanMinSize",
            "InvalidDisk.SystemDiskSize",
        ],
        means: "the system disk is smaller than its image",
        why: "A system disk is a copy of the image and must hold it whole.",
        next: "write a larger `disk` for {InstanceName|the instance}, 40 GiB is enough for all public images",
    },
    Explanation {
        codes: &["InvalidSystemDiskSize.ValueNotSupported"],
        means: "the system disk is too small or too large",
        why: "Each category of disk has a smallest and a largest size, and the disk must hold its image.",
        next: "write another `disk` for {InstanceName|the instance}; `albatross doctor FILE` shows which sizes there are",
    },
    Explanation {
        codes: &[
            "InvalidImageFamily.MissingAvailableImage",
            "InvalidImageId.NotFound",
            "OperationDenied.ImageNotValid",
        ],
        means: "there is no such image any more",
        why: "Public images are replaced every few weeks and families end with their system's support; the name of a \
              family holds the minor version.",
        next: "write another `image` than {ImageFamily|this one}, or leave it out for \
               `acs:alibaba_cloud_linux_3_2104_lts_x64`; `aliyun ecs DescribeImages --ImageOwnerAlias system` lists them",
    },
    Explanation {
        codes: &["ImageNotSupportInstanceType", "InvalidImage.NotSupported"],
        means: "the image does not run on this instance type",
        why: "An image is built for x86 or for ARM; the families c8y, g8y and the like are ARM.",
        next: "write an `image` for the architecture of {InstanceType|the type}: its name ends with `_x64` or `_arm64`",
    },
    Explanation {
        codes: &["ImageNotSupportCloudInit"],
        means: "the image cannot be set up at its first start",
        why: "Without cloud-init an image takes neither key pair nor user data.",
        next: "write a public image family under `image` instead of {ImageFamily|this one}",
    },
    Explanation {
        codes: &["KeyPair.AlreadyExist"],
        means: "a key pair of this name is there already",
        why: "Names of key pairs are unique in a region. Albatross makes the name from stack and key, so the one that is \
              there holds the same key: it was imported before and the answer was lost.",
        next: "nothing: {KeyPairName|the key pair} is used; if somebody else made it under this name, delete it in the \
               ECS console and run the same command again",
    },
    Explanation {
        codes: &["InvalidKeyPairName.NotFound", "InvalidKeyPair.NotFound"],
        means: "the key pair is not there",
        why: "It was deleted between two steps, or is in another region.",
        next: "run the same command again: {KeyPairName|the key pair} is then imported anew",
    },
    Explanation {
        codes: &["InvalidPublicKeyBody.Malformed"],
        means: "the cloud does not take this SSH key",
        why: "Key pairs are RSA or ECDSA; Ed25519 keys are refused.",
        next: "leave `ssh.key` out so that one is made, or make one with `ssh-keygen -t ecdsa`",
    },
    Explanation {
        codes: &["InvalidParameter.KeypairAlreadyAttachedInstance"],
        means: "instances still use the key pair",
        why: "A key pair can be deleted when its last instance is gone.",
        next: "run `albatross destroy` again in a minute; instances of others that use it must be detached in the console",
    },
    Explanation {
        codes: &["InvalidInstanceId.NotFound", "Forbidden.InstanceNotFound"],
        means: "the instance is not there",
        why: "It was released in the console, or its list entry lags behind.",
        next: "run the same command again: {InstanceId|the instance} is then made anew",
    },
    Explanation {
        codes: &["IncorrectInstanceStatus", "IncorrectInstanceStatus.Initializing"],
        means: "the instance is starting, stopping or locked",
        why: "In these states it takes no commands. An instance locked for unpaid bills stays so.",
        next: "run the same command again; if it stays so, see the state of {InstanceId|the instance} in the ECS console",
    },
    Explanation {
        codes: &["InvalidOperation.DeletionProtection"],
        means: "somebody protects the instance from deletion",
        why: "Deletion protection was switched on in the console; Albatross never does that.",
        next: "switch deletion protection of {InstanceId.1|the instance} off in the ECS console, then run the same \
               command again",
    },
    Explanation {
        codes: &["InvalidOperation.PublicIpAddressNoStock"],
        means: "there is no public address left for an instance in this zone",
        why: "Addresses are sold zone by zone.",
        next: "use another zone, or reach the instance with `via:` instead of `access: public`",
    },
    Explanation {
        codes: &["IdempotentParameterMismatch"],
        means: "a call was repeated with its old token but other parameters",
        why: "An earlier command was interrupted and the topology was changed since.",
        next: "run the same command again: it begins with a new token",
    },
    Explanation {
        codes: &[
            "InvalidSpotPriceLimit.LowerThanPublicPrice",
            "OperationDenied.SpotPriceLowerThanPublicPrice",
        ],
        means: "the market asks more for a spot instance than its price limit",
        why: "The price follows demand, zone by zone and type by type. Albatross has tried every type of the list, in its \
              order.",
        next: "write a higher `price_limit` or another type for {InstanceName|the instance}, or `spot: true` for whatever \
               the market asks",
    },
    Explanation {
        codes: &["InvalidInstance.NotFound", "CmdCount.ExceedQuota", "Invocation.ExceedQuota"],
        means: "the Cloud Assistant does not run the command",
        why: "Its agent on the instance is not online yet, or the account has run too many commands today.",
        next: "see `Cloud Assistant` of {InstanceId.1|the instance} in the ECS console, then run the same command again",
    },
];
