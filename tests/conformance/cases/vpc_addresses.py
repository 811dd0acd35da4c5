"""VPC: elastic addresses, NAT gateways and their entries."""

from harness.build import ZONES
from harness.check import contains, equal, one
from harness.registry import case
from harness.waiting import wait_for


def address(stage, allocation):
    """An elastic address as DescribeEipAddresses has it."""
    return one("addresses", stage("Vpc.DescribeEipAddresses", AllocationId=allocation)["EipAddresses"]["EipAddress"])


def gateways(stage, gateway):
    """NAT gateways with this id."""
    return stage("Vpc.DescribeNatGateways", NatGatewayId=gateway)["NatGateways"]["NatGateway"]


def make_gateway(stage, vpc, vswitch):
    """An available NAT gateway."""
    new = {"VpcId": vpc, "VSwitchId": vswitch, "NatType": "Enhanced", "InternetChargeType": "PayByLcu"}
    answer = stage("Vpc.CreateNatGateway", Name="door", **new)
    gateway = answer["NatGatewayId"]
    wait_for(f"{gateway} is Available", lambda: [one["Status"] for one in gateways(stage, gateway)] == ["Available"])
    return gateway, one("SNAT tables", answer["SnatTableIds"]["SnatTableId"])


@case
def an_address_is_allocated_bound_freed_and_released(stage):
    answer = stage("Vpc.AllocateEipAddress", Bandwidth="10", InternetChargeType="PayByTraffic", Name="first")
    allocation = answer["AllocationId"]
    found = address(stage, allocation)
    wanted = {"AllocationId": allocation, "IpAddress": answer["EipAddress"], "Bandwidth": "10", "Name": "first"}
    contains("the address", found, wanted | {"InternetChargeType": "PayByTraffic", "Status": "Available"})
    instance = stage.build.instance()
    stage("Vpc.AssociateEipAddress", AllocationId=allocation, InstanceId=instance, InstanceType="EcsInstance")
    wait_for("the address is in use", lambda: address(stage, allocation)["Status"] == "InUse")
    contains("the bound address", address(stage, allocation), {"InstanceId": instance, "InstanceType": "EcsInstance"})
    shown = one("instances", stage("Ecs.DescribeInstances", InstanceIds=f'["{instance}"]')["Instances"]["Instance"])
    contains("the instance's address", shown["EipAddress"], {"AllocationId": allocation, "IpAddress": answer["EipAddress"]})
    stage("Vpc.UnassociateEipAddress", AllocationId=allocation, InstanceId=instance, InstanceType="EcsInstance")
    wait_for("the address is free", lambda: address(stage, allocation)["Status"] == "Available")
    stage("Vpc.ReleaseEipAddress", AllocationId=allocation)
    left = lambda: stage("Vpc.DescribeEipAddresses", AllocationId=allocation)["EipAddresses"]["EipAddress"]
    wait_for("the address is gone", lambda: left() == [])


@case
def a_gateway_with_an_entry_is_made_read_and_deleted(stage):
    vpc = stage.build.vpc()
    vswitch = stage.build.vswitch(vpc, 1)
    gateway, table = make_gateway(stage, vpc, vswitch)
    contains("the gateway", one("gateways", gateways(stage, gateway)), {"VpcId": vpc, "Name": "door", "NatType": "Enhanced"})
    eip = stage("Vpc.AllocateEipAddress")
    stage("Vpc.AssociateEipAddress", AllocationId=eip["AllocationId"], InstanceId=gateway, InstanceType="Nat")
    wait_for("the address is in use", lambda: address(stage, eip["AllocationId"])["Status"] == "InUse")
    new = {"SnatTableId": table, "SnatIp": eip["EipAddress"], "SourceVSwitchId": vswitch, "SnatEntryName": "out"}
    entry = stage("Vpc.CreateSnatEntry", **new)["SnatEntryId"]
    entries = lambda: stage("Vpc.DescribeSnatTableEntries", SnatTableId=table)["SnatTableEntries"]["SnatTableEntry"]
    wait_for("the entry is Available", lambda: [one["Status"] for one in entries()] == ["Available"])
    contains("the entry", one("entries", entries()), {"SnatEntryId": entry, "SnatIp": eip["EipAddress"], "SnatEntryName": "out"})
    stage("Vpc.DeleteSnatEntry", SnatTableId=table, SnatEntryId=entry)
    gone = {"SnatTableId": table, "SnatEntryId": entry}
    left = lambda: stage("Vpc.DescribeSnatTableEntries", **gone)["SnatTableEntries"]["SnatTableEntry"]
    wait_for("the entry is gone", lambda: left() == [])
    stage("Vpc.UnassociateEipAddress", AllocationId=eip["AllocationId"], InstanceId=gateway, InstanceType="Nat")
    wait_for("the address is free", lambda: address(stage, eip["AllocationId"])["Status"] == "Available")
    stage("Vpc.DeleteNatGateway", NatGatewayId=gateway)
    wait_for(f"{gateway} is gone", lambda: gateways(stage, gateway) == [])


@case
def a_gateway_can_be_forced_to_go(stage):
    vpc = stage.build.vpc()
    gateway, table = make_gateway(stage, vpc, stage.build.vswitch(vpc, 2, zone=ZONES[1]))
    equal("zone", one("gateways", gateways(stage, gateway))["NatGatewayPrivateInfo"]["IzNo"], ZONES[1])
    stage("Vpc.DeleteNatGateway", NatGatewayId=gateway, Force=True)
    wait_for(f"{gateway} is gone", lambda: gateways(stage, gateway) == [])
