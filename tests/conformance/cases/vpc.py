"""VPC: networks, vSwitches and their tags."""

from harness.build import VPC_RANGE, ZONES
from harness.check import contains, equal, has, lacks, one
from harness.registry import case
from harness.waiting import wait_for


@case
def a_vpc_is_made_read_changed_and_deleted(stage):
    tag = {"Key": "team", "Value": "blue"}
    vpc = stage.build.vpc(VpcName="first", Description="made by a test", Tag=[tag])
    listed = one("DescribeVpcs", stage("Vpc.DescribeVpcs", VpcId=vpc)["Vpcs"]["Vpc"])
    contains("the listed VPC", listed, {"VpcId": vpc, "CidrBlock": VPC_RANGE, "VpcName": "first", "Status": "Available"})
    equal("Description", listed["Description"], "made by a test")
    equal("Tags", listed["Tags"]["Tag"], [tag])
    stage("Vpc.ModifyVpcAttribute", VpcId=vpc, VpcName="second", Description="changed by a test")
    read = stage("Vpc.DescribeVpcAttribute", VpcId=vpc)
    contains("the changed VPC", read, {"VpcName": "second", "Description": "changed by a test", "CidrBlock": VPC_RANGE})
    stage("Vpc.DeleteVpc", VpcId=vpc)
    gone = lambda: stage("Vpc.DescribeVpcs", VpcId=vpc)["Vpcs"]["Vpc"] == []
    wait_for(f"{vpc} is gone", gone)


@case
def a_vswitch_is_made_read_and_deleted(stage):
    vpc = stage.build.vpc()
    vswitch = stage.build.vswitch(vpc, 7, VSwitchName="seventh", Description="a test's")
    wanted = {"VSwitchId": vswitch, "VpcId": vpc, "CidrBlock": "172.16.7.0/24", "ZoneId": ZONES[0], "VSwitchName": "seventh"}
    listed = one("DescribeVSwitches", stage("Vpc.DescribeVSwitches", VpcId=vpc)["VSwitches"]["VSwitch"])
    contains("the listed vSwitch", listed, wanted | {"Status": "Available", "AvailableIpAddressCount": 252})
    contains("the vSwitch", stage("Vpc.DescribeVSwitchAttributes", VSwitchId=vswitch), wanted)
    network = stage("Vpc.DescribeVpcAttribute", VpcId=vpc)
    equal("vSwitches of the VPC", network["VSwitchIds"]["VSwitchId"], [vswitch])
    stage("Vpc.DeleteVSwitch", VSwitchId=vswitch)
    gone = lambda: stage("Vpc.DescribeVSwitches", VSwitchId=vswitch)["VSwitches"]["VSwitch"] == []
    wait_for(f"{vswitch} is gone", gone)


@case
def tags_are_added_listed_selected_by_and_removed(stage):
    vpc = stage.build.vpc()
    tags = [{"Key": "stage", "Value": "test"}, {"Key": "owner", "Value": "nobody"}]
    stage("Vpc.TagResources", ResourceType="VPC", ResourceId=[vpc], Tag=tags)
    listed = stage("Vpc.ListTagResources", ResourceType="VPC", ResourceId=[vpc])["TagResources"]["TagResource"]
    pairs = sorted((one["TagKey"], one["TagValue"]) for one in listed)
    equal("tags", pairs, [("owner", "nobody"), ("stage", "test")])
    found = stage("Vpc.DescribeVpcs", Tag=[{"Key": "stage", "Value": "test"}])["Vpcs"]["Vpc"]
    has("VPCs with the tag", [one["VpcId"] for one in found], vpc)
    stage("Vpc.UnTagResources", ResourceType="VPC", ResourceId=[vpc], TagKey=["stage"])
    left = stage("Vpc.ListTagResources", ResourceType="VPC", ResourceId=[vpc])["TagResources"]["TagResource"]
    equal("tags left", [one["TagKey"] for one in left], ["owner"])


@case
def a_vswitch_is_found_by_its_tag(stage):
    vpc = stage.build.vpc()
    vswitch = stage.build.vswitch(vpc, 1, Tag=[{"Key": "row", "Value": "one"}])
    found = stage("Vpc.DescribeVSwitches", Tag=[{"Key": "row", "Value": "one"}])["VSwitches"]["VSwitch"]
    has("vSwitches with the tag", [one["VSwitchId"] for one in found], vswitch)
    none = stage("Vpc.DescribeVSwitches", VpcId=vpc, Tag=[{"Key": "row", "Value": "two"}])["VSwitches"]["VSwitch"]
    lacks("vSwitches with another value", [one["VSwitchId"] for one in none], vswitch)


@case
def regions_and_zones_are_listed(stage):
    regions = stage("Vpc.DescribeRegions")["Regions"]["Region"]
    has("regions", [one["RegionId"] for one in regions], "cn-hangzhou")
    zones = stage("Vpc.DescribeZones")["Zones"]["Zone"]
    has("zones", [one["ZoneId"] for one in zones], ZONES[0])


@case
def a_new_vpc_is_pending_and_refuses_to_go(stage):
    vpc = stage.brisk("Vpc.CreateVpc", CidrBlock=VPC_RANGE)["VpcId"]
    equal("Status", stage.brisk("Vpc.DescribeVpcAttribute", VpcId=vpc)["Status"], "Pending")
    status = lambda: stage.brisk("Vpc.DescribeVpcAttribute", VpcId=vpc)["Status"] == "Available"
    wait_for(f"{vpc} is Available", status)
