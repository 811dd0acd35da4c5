"""One account in two regions, each with an address of its own: ALB, which sends no region, is told by the address."""

from harness.build import VPC_RANGE
from harness.check import equal
from harness.process import OTHER_REGION, REGION
from harness.registry import case


def elsewhere(stage, product):
    """A client of the other region."""
    host = stage.instant.address.ready["endpoints"][OTHER_REGION].removeprefix("http://")
    return stage.instant.client(product, endpoint=host, region_id=OTHER_REGION)


@case
def what_is_made_in_one_region_is_not_in_the_other(stage):
    vpc = elsewhere(stage, "Vpc")("CreateVpc", RegionId=OTHER_REGION, CidrBlock=VPC_RANGE)["VpcId"]
    there = elsewhere(stage, "Vpc")("DescribeVpcs", RegionId=OTHER_REGION, VpcId=vpc)["Vpcs"]["Vpc"]
    equal("there", [(one["VpcId"], one["RegionId"]) for one in there], [(vpc, OTHER_REGION)])
    equal("here", stage("Vpc.DescribeVpcs", RegionId=REGION, VpcId=vpc)["Vpcs"]["Vpc"], [])


@case
def a_call_without_a_region_is_of_its_address(stage):
    vpc = elsewhere(stage, "Vpc")("CreateVpc", RegionId=OTHER_REGION, CidrBlock=VPC_RANGE)["VpcId"]
    alb = elsewhere(stage, "Alb")
    new = {"ServerGroupName": "far-away", "Protocol": "HTTP", "HealthCheckConfig": {"HealthCheckEnabled": False}}
    group = alb("CreateServerGroup", VpcId=vpc, **new)["ServerGroupId"]
    there = [one["ServerGroupId"] for one in alb("ListServerGroups", ServerGroupIds=[group])["ServerGroups"]]
    equal("there", there, [group])
    equal("here", stage("Alb.ListServerGroups", ServerGroupIds=[group])["ServerGroups"], [])
