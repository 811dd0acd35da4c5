"""What ECS has to refuse."""

from harness.build import IMAGE_FAMILY, INSTANCE_TYPE, base64_of, public_key
from harness.registry import refused

NOBODY = "i-bp1nobody0nobody0no"
NO_GROUP = "sg-bp1nobody0nobody0no"
NO_VSWITCH = "vsw-bp1nobody0nobody0no"
#: A rule that nothing is wrong with.
PERMISSION = {"IpProtocol": "tcp", "PortRange": "22/22", "SourceCidrIp": "203.0.113.0/24"}


def run(stage, **more):
    """RunInstances in the shared network with something different."""
    shared = stage.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": IMAGE_FAMILY}
    new |= {"VSwitchId": shared["vswitches"][0], "SecurityGroupId": shared["group"]}
    new |= more
    return stage("Ecs.RunInstances", **{name: value for name, value in new.items() if value is not None})


def rule(stage, **more):
    """AuthorizeSecurityGroup with something different."""
    new = PERMISSION | more
    new = {name: value for name, value in new.items() if value is not None}
    return stage("Ecs.AuthorizeSecurityGroup", SecurityGroupId=stage.build.shared["group"], Permissions=[new])


def elsewhere(stage):
    """A security group of another VPC."""
    return stage.build.group(stage.build.vpc())


def brisk_instance(stage):
    """An instance that has only just been asked for."""
    shared = stage.brisk.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": IMAGE_FAMILY, "SecurityGroupId": shared["group"]}
    return stage.brisk("Ecs.RunInstances", VSwitchId=shared["vswitches"][0], **new)["InstanceIdSets"]["InstanceIdSet"][0]


def attached_key(stage):
    """A key pair that an instance has."""
    name = stage.build.name("key")
    stage("Ecs.ImportKeyPair", KeyPairName=name, PublicKeyBody=public_key())
    stage.build.instance(KeyPairName=name)
    return name


def imported_key(stage):
    """A key pair."""
    name = stage.build.name("key")
    stage("Ecs.ImportKeyPair", KeyPairName=name, PublicKeyBody=public_key())
    return name


def command(stage, **more):
    """RunCommand with something different."""
    new = {"Type": "RunShellScript", "CommandContent": base64_of("true"), "ContentEncoding": "Base64"}
    return stage("Ecs.RunCommand", **(new | more))


def protected(stage):
    """An instance that must not be deleted."""
    return stage.build.instance(DeletionProtection=True)


refused("Ecs.RunInstances", "InvalidVSwitchId.NotFound", lambda stage: run(stage, VSwitchId=NO_VSWITCH))
refused("Ecs.RunInstances", "InvalidSecurityGroupId.NotFound", lambda stage: run(stage, SecurityGroupId=NO_GROUP))
refused("Ecs.RunInstances", "InvalidSecurityGroup.VpcMismatch", lambda stage: run(stage, SecurityGroupId=elsewhere(stage)))
refused("Ecs.RunInstances", "InvalidImageId.NotFound", lambda stage: run(stage, ImageFamily=None, ImageId="nothing.vhd"))
refused("Ecs.RunInstances", "UnexpectedImageFamily.ImageIdSupplied", lambda stage: run(stage, ImageId="nothing.vhd"))
refused("Ecs.RunInstances", "InvalidKeyPairName.NotFound", lambda stage: run(stage, KeyPairName="nobodys"))
refused("Ecs.RunInstances", "InvalidInstanceType.ValueNotSupported", lambda stage: run(stage, InstanceType="ecs.none.large"))
refused("Ecs.RunInstances", "InvalidHostName.Malformed", lambda stage: run(stage, HostName="no_underscores"))
refused("Ecs.RunInstances", "InvalidUserData.SizeExceeded", lambda stage: run(stage, UserData=base64_of("x" * 33_000)))
refused("Ecs.RunInstances", "InvalidRegionId.NotFound", lambda stage: run(stage, RegionId="cn-nowhere"))
refused("Ecs.StartInstance", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.StartInstance", InstanceId=NOBODY))
refused(
    "Ecs.StartInstance",
    "IncorrectInstanceStatus",
    lambda stage: stage("Ecs.StartInstance", InstanceId=stage.build.instance()),
)
refused("Ecs.StopInstance", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.StopInstance", InstanceId=NOBODY))
refused(
    "Ecs.StopInstance",
    "IncorrectInstanceStatus",
    lambda stage: stage.brisk("Ecs.StopInstance", InstanceId=brisk_instance(stage)),
)
refused("Ecs.RebootInstance", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.RebootInstance", InstanceId=NOBODY))
refused(
    "Ecs.RebootInstance",
    "IncorrectInstanceStatus",
    lambda stage: stage("Ecs.RebootInstance", InstanceId=stage.build.stopped_instance()),
)
refused("Ecs.DeleteInstance", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.DeleteInstance", InstanceId=NOBODY))
refused(
    "Ecs.DeleteInstance",
    "InvalidOperation.DeletionProtection",
    lambda stage: stage("Ecs.DeleteInstance", InstanceId=protected(stage), Force=True),
)
refused(
    "Ecs.DeleteInstance",
    "IncorrectInstanceStatus",
    lambda stage: stage("Ecs.DeleteInstance", InstanceId=stage.build.instance()),
)
refused(
    "Ecs.DeleteInstances",
    "IncorrectInstanceStatus",
    lambda stage: stage("Ecs.DeleteInstances", InstanceId=[stage.build.instance()]),
)
refused(
    "Ecs.DeleteInstances",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("Ecs.DeleteInstances", InstanceId=[NOBODY], Force=True),
)
refused("Ecs.StartInstances", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.StartInstances", InstanceId=[NOBODY]))
refused("Ecs.StopInstances", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.StopInstances", InstanceId=[NOBODY]))
refused(
    "Ecs.StartInstances",
    "DRYRUN.SUCCESS",
    lambda stage: stage("Ecs.StartInstances", InstanceId=[stage.build.stopped_instance()], DryRun=True),
)
refused(
    "Ecs.StopInstances",
    "DRYRUN.SUCCESS",
    lambda stage: stage("Ecs.StopInstances", InstanceId=[stage.build.instance()], DryRun=True),
)
refused(
    "Ecs.DeleteInstances",
    "DRYRUN.SUCCESS",
    lambda stage: stage("Ecs.DeleteInstances", InstanceId=[stage.build.instance()], Force=True, DryRun=True),
)
refused(
    "Ecs.ModifyInstanceAttribute",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("Ecs.ModifyInstanceAttribute", InstanceId=NOBODY, InstanceName="nobody"),
)
refused(
    "Ecs.ModifyInstanceAttribute",
    "InvalidHostName.Malformed",
    lambda stage: stage("Ecs.ModifyInstanceAttribute", InstanceId=stage.build.instance(), HostName="no_underscores"),
)
refused(
    "Ecs.DescribeInstanceAttribute",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("Ecs.DescribeInstanceAttribute", InstanceId=NOBODY),
)
refused("Ecs.DescribeUserData", "InvalidInstanceId.NotFound", lambda stage: stage("Ecs.DescribeUserData", InstanceId=NOBODY))
refused(
    "Ecs.CreateSecurityGroup",
    "InvalidVpcId.NotFound",
    lambda stage: stage("Ecs.CreateSecurityGroup", VpcId="vpc-bp1nobody0nobody0no"),
)
refused(
    "Ecs.DescribeSecurityGroupAttribute",
    "InvalidSecurityGroupId.NotFound",
    lambda stage: stage("Ecs.DescribeSecurityGroupAttribute", SecurityGroupId=NO_GROUP),
)
refused("Ecs.AuthorizeSecurityGroup", "InvalidPortRange.Malformed", lambda stage: rule(stage, PortRange="eighty"))
refused("Ecs.AuthorizeSecurityGroup", "InvalidPriority.Malformed", lambda stage: rule(stage, Priority="101"))
refused("Ecs.AuthorizeSecurityGroup", "InvalidPolicy.Malformed", lambda stage: rule(stage, Policy="perhaps"))
refused("Ecs.AuthorizeSecurityGroup", "MissingParameter.Source", lambda stage: rule(stage, SourceCidrIp=None))
refused("Ecs.AuthorizeSecurityGroup", "InvalidIpProtocol.ValueNotSupported", lambda stage: rule(stage, IpProtocol="carrier"))
refused(
    "Ecs.AuthorizeSecurityGroup",
    "InvalidSecurityGroupId.NotFound",
    lambda stage: stage(
        "Ecs.AuthorizeSecurityGroup",
        SecurityGroupId=NO_GROUP,
        Permissions=[PERMISSION],
    ),
)
refused(
    "Ecs.RevokeSecurityGroup",
    "InvalidSecurityGroupId.NotFound",
    lambda stage: stage(
        "Ecs.RevokeSecurityGroup",
        SecurityGroupId=NO_GROUP,
        Permissions=[PERMISSION],
    ),
)
refused(
    "Ecs.DeleteSecurityGroup",
    "InvalidSecurityGroup.NotFound",
    lambda stage: stage("Ecs.DeleteSecurityGroup", SecurityGroupId=NO_GROUP),
)


def used_group(stage):
    """A security group an instance is in."""
    group = stage.build.group(stage.build.shared["vpc"])
    stage.build.instance(SecurityGroupId=group)
    return group


refused(
    "Ecs.DeleteSecurityGroup",
    "DependencyViolation",
    lambda stage: stage("Ecs.DeleteSecurityGroup", SecurityGroupId=used_group(stage)),
)
refused(
    "Ecs.ImportKeyPair",
    "KeyPair.AlreadyExist",
    lambda stage: stage("Ecs.ImportKeyPair", KeyPairName=imported_key(stage), PublicKeyBody=public_key()),
)
refused(
    "Ecs.ImportKeyPair",
    "InvalidPublicKeyBody.Malformed",
    lambda stage: stage("Ecs.ImportKeyPair", KeyPairName="nobodys", PublicKeyBody="no key at all"),
)
refused(
    "Ecs.DeleteKeyPairs",
    "InvalidParameter.KeypairAlreadyAttachedInstance",
    lambda stage: stage("Ecs.DeleteKeyPairs", KeyPairNames=f'["{attached_key(stage)}"]'),
)
refused("Ecs.RunCommand", "InvalidInstance.NotFound", lambda stage: command(stage, InstanceId=[NOBODY]))
refused(
    "Ecs.RunCommand",
    "CmdContent.DecodeError",
    lambda stage: command(stage, InstanceId=[stage.build.instance()], CommandContent="no base64!"),
)


def other_command_with_a_used_token(stage):
    """The second command with one token."""
    instance, token = stage.build.instance(), stage.build.name("token")
    command(stage, InstanceId=[instance], ClientToken=token)
    return command(stage, InstanceId=[instance], ClientToken=token, Timeout=77)


refused("Ecs.RunCommand", "IdempotentParameterMismatch", other_command_with_a_used_token)
refused(
    "Ecs.StopInvocation",
    "InvalidInvokeId.NotFound",
    lambda stage: stage("Ecs.StopInvocation", InvokeId="t-hz0nobody", InstanceId=[NOBODY]),
)
refused(
    "Ecs.TagResources",
    "InvalidResourceId.NotFound",
    lambda stage: stage("Ecs.TagResources", ResourceType="instance", ResourceId=[NOBODY], Tag=[{"Key": "a", "Value": "b"}]),
)
refused(
    "Ecs.TagResources",
    "InvalidTagKey.Malformed",
    lambda stage: stage(
        "Ecs.TagResources",
        ResourceType="instance",
        ResourceId=[stage.build.instance()],
        Tag=[{"Key": "acs:mine", "Value": "b"}],
    ),
)
refused("Ecs.DescribeZones", "InvalidRegionId.NotFound", lambda stage: stage("Ecs.DescribeZones", RegionId="cn-nowhere"))
refused(
    "Ecs.GetInstanceConsoleOutput",
    "IncorrectInstanceStatus",
    lambda stage: stage("Ecs.GetInstanceConsoleOutput", InstanceId=stage.build.stopped_instance()),
)
refused(
    "Ecs.AllocatePublicIpAddress",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("Ecs.AllocatePublicIpAddress", InstanceId=NOBODY),
)
