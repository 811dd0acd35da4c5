"""ECS: what there is to choose from, and what it costs."""

from harness.build import IMAGE_FAMILY, INSTANCE_TYPE, ZONES
from harness.check import contains, equal, has, one
from harness.registry import case


@case
def regions_and_zones_are_listed(stage):
    regions = stage("Ecs.DescribeRegions")["Regions"]["Region"]
    has("regions", [one["RegionId"] for one in regions], "cn-hangzhou")
    zones = stage("Ecs.DescribeZones")["Zones"]["Zone"]
    for zone in ZONES:
        has("zones", [one["ZoneId"] for one in zones], zone)


@case
def a_family_has_an_image(stage):
    image = stage("Ecs.DescribeImageFromFamily", ImageFamily=IMAGE_FAMILY)["Image"]
    listed = stage("Ecs.DescribeImages", ImageFamily=IMAGE_FAMILY, ImageOwnerAlias="system")["Images"]["Image"]
    found = one("images with the id", [one for one in listed if one["ImageId"] == image["ImageId"]])
    contains("the image", found, {"ImageFamily": IMAGE_FAMILY, "OSType": "linux", "Status": "Available"})
    alone = stage("Ecs.DescribeImages", ImageId=image["ImageId"])["Images"]["Image"]
    equal("by id", [one["ImageId"] for one in alone], [image["ImageId"]])


@case
def a_type_is_described_and_available(stage):
    types = stage("Ecs.DescribeInstanceTypes", InstanceTypes=[INSTANCE_TYPE])["InstanceTypes"]["InstanceType"]
    contains("the type", one("types", types), {"InstanceTypeId": INSTANCE_TYPE, "CpuCoreCount": 2})
    wanted = {"DestinationResource": "InstanceType", "InstanceType": INSTANCE_TYPE}
    zones = stage("Ecs.DescribeAvailableResource", **wanted)["AvailableZones"]["AvailableZone"]
    has("zones with it", [one["ZoneId"] for one in zones], ZONES[0])


@case
def a_price_is_told(stage):
    price = stage("Ecs.DescribePrice", InstanceType=INSTANCE_TYPE, PriceUnit="Hour")["PriceInfo"]["Price"]
    equal("currency", price["Currency"], "CNY")
    assert price["TradePrice"] > 0, f"{INSTANCE_TYPE} is free: {price}"
    assert price["TradePrice"] <= price["OriginalPrice"], f"the price is above its list price: {price}"
    twice = stage("Ecs.DescribePrice", InstanceType=INSTANCE_TYPE, PriceUnit="Hour")["PriceInfo"]["Price"]
    equal("the same asked again", twice, price)


@case
def spot_prices_are_told(stage):
    answer = stage("Ecs.DescribeSpotPriceHistory", InstanceType=INSTANCE_TYPE, NetworkType="vpc")
    prices = answer["SpotPrices"]["SpotPriceType"]
    assert prices, "no spot price"
    for price in prices:
        assert 0 < price["SpotPrice"] <= price["OriginPrice"], f"an odd spot price: {price}"


@case
def the_account_has_limits(stage):
    items = stage("Ecs.DescribeAccountAttributes")["AccountAttributeItems"]["AccountAttributeItem"]
    assert items, "no attribute"
    for item in items:
        assert item["AttributeName"], f"an attribute without a name: {item}"
