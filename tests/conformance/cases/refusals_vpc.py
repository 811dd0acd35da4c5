"""What VPC has to refuse."""

from harness.build import ZONES
from harness.registry import refused

NO_VPC = "vpc-bp1nobody0nobody0no"
NO_VSWITCH = "vsw-bp1nobody0nobody0no"
NO_EIP = "eip-bp1nobody0nobody0no"
NO_GATEWAY = "ngw-bp1nobody0nobody0no"


def vswitch(stage, **more):
    """CreateVSwitch in a VPC of its own with something different."""
    new = {"ZoneId": ZONES[0], "CidrBlock": "172.16.9.0/24"} | more
    if "VpcId" not in new:
        new["VpcId"] = stage.build.vpc()
    return stage("Vpc.CreateVSwitch", **new)


def overlapping(stage):
    """A second vSwitch with a part of the first one's range."""
    vpc = stage.build.vpc()
    stage.build.vswitch(vpc, 1)
    return vswitch(stage, VpcId=vpc, CidrBlock="172.16.1.128/25")


def used_vswitch(stage):
    """A vSwitch an instance is in."""
    vpc = stage.build.vpc()
    made = stage.build.vswitch(vpc, 1)
    stage.build.instance(VSwitchId=made, SecurityGroupId=stage.build.group(vpc))
    return made


def vpc_with_vswitch(stage):
    """A VPC that is not empty."""
    vpc = stage.build.vpc()
    stage.build.vswitch(vpc, 1)
    return vpc


def vpc_with_group(stage):
    """A VPC with a security group."""
    vpc = stage.build.vpc()
    stage.build.group(vpc)
    return vpc


def second_vswitch_at_once(stage):
    """Two vSwitches of one VPC, the second while the first is being made."""
    vpc = stage.brisk.build.vpc()
    new = {"VpcId": vpc, "ZoneId": ZONES[0]}
    stage.brisk("Vpc.CreateVSwitch", CidrBlock="172.16.1.0/24", **new)
    return stage.brisk("Vpc.CreateVSwitch", CidrBlock="172.16.2.0/24", **new)


def bound_address(stage):
    """An elastic address that is in use."""
    eip = stage("Vpc.AllocateEipAddress")["AllocationId"]
    stage("Vpc.AssociateEipAddress", AllocationId=eip, InstanceId=stage.build.instance(), InstanceType="EcsInstance")
    return eip


refused("Vpc.DeleteVpc", "InvalidVpcId.NotFound", lambda stage: stage("Vpc.DeleteVpc", VpcId=NO_VPC))
refused(
    "Vpc.DeleteVpc",
    "DependencyViolation.VSwitch",
    lambda stage: stage("Vpc.DeleteVpc", VpcId=vpc_with_vswitch(stage)),
)
refused(
    "Vpc.DeleteVpc",
    "DependencyViolation.SecurityGroup",
    lambda stage: stage("Vpc.DeleteVpc", VpcId=vpc_with_group(stage)),
)
refused(
    "Vpc.ModifyVpcAttribute",
    "InvalidVpcId.NotFound",
    lambda stage: stage("Vpc.ModifyVpcAttribute", VpcId=NO_VPC, VpcName="nobody"),
)
refused("Vpc.CreateVSwitch", "InvalidVpcId.NotFound", lambda stage: vswitch(stage, VpcId=NO_VPC))
refused("Vpc.CreateVSwitch", "InvalidZoneId.NotFound", lambda stage: vswitch(stage, ZoneId="cn-hangzhou-zz"))
refused("Vpc.CreateVSwitch", "InvalidCidrBlock.Overlapped", overlapping)
refused("Vpc.CreateVSwitch", "InvalidCidrBlock.Malformed", lambda stage: vswitch(stage, CidrBlock="172.16.1.0"))
refused("Vpc.CreateVSwitch", "TaskConflict", second_vswitch_at_once)
refused("Vpc.DeleteVSwitch", "InvalidVSwitchId.NotFound", lambda stage: stage("Vpc.DeleteVSwitch", VSwitchId=NO_VSWITCH))
refused(
    "Vpc.DeleteVSwitch",
    "DependencyViolation",
    lambda stage: stage("Vpc.DeleteVSwitch", VSwitchId=used_vswitch(stage)),
)
refused(
    "Vpc.DescribeVSwitchAttributes",
    "InvalidVSwitchId.NotFound",
    lambda stage: stage("Vpc.DescribeVSwitchAttributes", VSwitchId=NO_VSWITCH),
)
refused(
    "Vpc.AssociateEipAddress",
    "InvalidAllocationId.NotFound",
    lambda stage: stage("Vpc.AssociateEipAddress", AllocationId=NO_EIP, InstanceId=stage.build.instance()),
)
refused(
    "Vpc.UnassociateEipAddress",
    "InvalidAllocationId.NotFound",
    lambda stage: stage("Vpc.UnassociateEipAddress", AllocationId=NO_EIP),
)
refused("Vpc.ReleaseEipAddress", "InvalidAllocationId.NotFound", lambda stage: stage("Vpc.ReleaseEipAddress", AllocationId=NO_EIP))
refused(
    "Vpc.ReleaseEipAddress",
    "IncorrectEipStatus",
    lambda stage: stage("Vpc.ReleaseEipAddress", AllocationId=bound_address(stage)),
)
refused("Vpc.CreateNatGateway", "InvalidVpcId.NotFound", lambda stage: stage("Vpc.CreateNatGateway", VpcId=NO_VPC, NatType="Enhanced"))
refused(
    "Vpc.DeleteNatGateway",
    "InvalidNatGatewayId.NotFound",
    lambda stage: stage("Vpc.DeleteNatGateway", NatGatewayId=NO_GATEWAY),
)
refused(
    "Vpc.CreateSnatEntry",
    "InvalidSnatTableId.NotFound",
    lambda stage: stage("Vpc.CreateSnatEntry", SnatTableId="stb-bp1nobody", SnatIp="203.0.113.9", SourceCIDR="172.16.0.0/24"),
)
