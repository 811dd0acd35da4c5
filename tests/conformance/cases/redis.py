"""R-kvstore: Redis and Tair instances, accounts, allow lists, security groups, tags."""

import json

from harness.build import PASSWORD, ZONES
from harness.check import contains, equal, has, lacks, one
from harness.refusals import expect_refusal
from harness.registry import case
from harness.waiting import wait_for, wait_until_accepted

OTHER_PASSWORD = "Other-Horse-8"


def read(stage, redis):
    """An instance as DescribeInstanceAttribute has it."""
    found = stage("R-kvstore.DescribeInstanceAttribute", InstanceId=redis)["Instances"]["DBInstanceAttribute"]
    return one("DescribeInstanceAttribute", found)


def lists(stage, redis):
    """Allow lists by name."""
    groups = stage("R-kvstore.DescribeSecurityIps", InstanceId=redis)["SecurityIpGroups"]["SecurityIpGroup"]
    return {group["SecurityIpGroupName"]: set(group["SecurityIpList"].split(",")) for group in groups}


@case
def a_redis_is_made_read_changed_and_deleted(stage):
    name = stage.build.name("redis")
    redis = stage.build.redis(InstanceName=name)
    shared = stage.build.shared
    wanted = {"InstanceId": redis, "InstanceName": name, "InstanceStatus": "Normal", "ChargeType": "PostPaid"}
    wanted |= {"InstanceClass": "redis.master.small.default", "EngineVersion": "5.0", "Port": 6379}
    wanted |= {"VpcId": shared["vpc"], "VSwitchId": shared["vswitches"][0], "ZoneId": ZONES[0]}
    found = read(stage, redis)
    contains("the instance", found, wanted | {"VpcAuthMode": "Open", "Capacity": 1024})
    listed = stage("R-kvstore.DescribeInstances", InstanceIds=redis)["Instances"]["KVStoreInstance"]
    contains("in the list", one("instances", listed), wanted | {"ConnectionDomain": found["ConnectionDomain"]})
    net = stage("R-kvstore.DescribeDBInstanceNetInfo", InstanceId=redis)["NetInfoItems"]["InstanceNetInfo"]
    way = {"ConnectionString": found["ConnectionDomain"], "Port": "6379", "IPAddress": found["PrivateIp"]}
    contains("its way in", one("ways in", net), way | {"VPCId": shared["vpc"], "VSwitchId": shared["vswitches"][0]})
    stage("R-kvstore.ModifyInstanceAttribute", InstanceId=redis, InstanceName=f"{name}-new")
    wait_for("the name is new", lambda: read(stage, redis)["InstanceName"] == f"{name}-new")
    stage.build.redis_is(redis, "Normal")
    stage("R-kvstore.DeleteInstance", InstanceId=redis)
    left = lambda: stage("R-kvstore.DescribeInstances", InstanceIds=redis)["Instances"]["KVStoreInstance"]
    wait_for(f"{redis} is gone", lambda: left() == [])


@case
def a_tair_is_made_and_read(stage):
    shared = stage.build.shared
    new = {"InstanceType": "tair_rdb", "InstanceClass": "tair.rdb.1g", "ChargeType": "PostPaid", "Password": PASSWORD}
    new |= {"VpcId": shared["vpc"], "VSwitchId": shared["vswitches"][1], "ZoneId": ZONES[1]}
    tair = stage("R-kvstore.CreateTairInstance", **new)["InstanceId"]
    stage.build.redis_is(tair, "Normal")
    contains("the instance", read(stage, tair), {"InstanceType": "tair_rdb", "InstanceClass": "tair.rdb.1g", "ZoneId": ZONES[1]})


@case
def a_redis_is_being_created_first(stage):
    cloud = stage.brisk
    shared = cloud.build.shared
    new = {"InstanceClass": "redis.master.small.default", "ChargeType": "PostPaid", "Password": PASSWORD}
    new |= {"VpcId": shared["vpc"], "VSwitchId": shared["vswitches"][0], "ZoneId": ZONES[0]}
    redis = cloud("R-kvstore.CreateInstance", **new)["InstanceId"]
    equal("InstanceStatus", read(cloud, redis)["InstanceStatus"], "Creating")
    cloud.build.redis_is(redis, "Normal")


@case
def addresses_are_let_in_and_shut_out(stage):
    redis = stage.build.redis()
    equal("at first", lists(stage, redis), {"default": {"127.0.0.1"}})
    change = lambda mode, addresses, **more: stage(
        "R-kvstore.ModifySecurityIps", InstanceId=redis, ModifyMode=mode, SecurityIps=addresses, **more
    )
    change("Cover", "10.0.0.1,10.1.0.0/16")
    stage.build.redis_is(redis, "Normal")
    equal("after Cover", lists(stage, redis)["default"], {"10.0.0.1", "10.1.0.0/16"})
    change("Append", "10.0.0.2")
    stage.build.redis_is(redis, "Normal")
    equal("after Append", lists(stage, redis)["default"], {"10.0.0.1", "10.1.0.0/16", "10.0.0.2"})
    change("Delete", "10.0.0.1")
    stage.build.redis_is(redis, "Normal")
    equal("after Delete", lists(stage, redis)["default"], {"10.1.0.0/16", "10.0.0.2"})
    change("Cover", "10.9.0.0/24", SecurityIpGroupName="nodes")
    stage.build.redis_is(redis, "Normal")
    equal("another list", lists(stage, redis)["nodes"], {"10.9.0.0/24"})


@case
def an_account_is_made_listed_and_gets_a_new_password(stage):
    redis = stage.build.redis()
    new = {"AccountName": "reader", "AccountPassword": PASSWORD, "AccountPrivilege": "RoleReadOnly"}
    stage("R-kvstore.CreateAccount", InstanceId=redis, AccountDescription="reads-only", **new)

    def account():
        accounts = stage("R-kvstore.DescribeAccounts", InstanceId=redis, AccountName="reader")["Accounts"]["Account"]
        return one("accounts", accounts)

    wait_for("the account is Available", lambda: account()["AccountStatus"] == "Available")
    contains("the account", account(), {"AccountName": "reader", "InstanceId": redis, "AccountDescription": "reads-only"})
    privilege = one("privileges", account()["DatabasePrivileges"]["DatabasePrivilege"])
    equal("privilege", privilege["AccountPrivilege"], "RoleReadOnly")
    stage.build.redis_is(redis, "Normal")
    stage("R-kvstore.ResetAccountPassword", InstanceId=redis, AccountName="reader", AccountPassword=OTHER_PASSWORD)
    wait_for("the account is Available again", lambda: account()["AccountStatus"] == "Available")


@case
def a_redis_gets_another_class_other_settings_and_another_start(stage):
    redis = stage.build.redis()
    stage("R-kvstore.ModifyInstanceSpec", InstanceId=redis, InstanceClass="redis.master.mid.default")
    stage.build.redis_is(redis, "Normal")
    contains("the larger one", read(stage, redis), {"InstanceClass": "redis.master.mid.default", "Capacity": 2048})
    stage("R-kvstore.ModifyInstanceConfig", InstanceId=redis, Config='{"maxmemory-policy":"noeviction"}')
    stage.build.redis_is(redis, "Normal")
    equal("what goes first", json.loads(read(stage, redis)["Config"])["EvictionPolicy"], "noeviction")
    equal("who restarts", stage("R-kvstore.RestartInstance", InstanceId=redis)["InstanceId"], redis)
    stage.build.redis_is(redis, "Normal")


@case
def a_security_group_is_bound(stage):
    redis, group = stage.build.redis(), stage.build.group(stage.build.shared["vpc"])
    stage("R-kvstore.ModifySecurityGroupConfiguration", DBInstanceId=redis, SecurityGroupId=group)
    items = lambda: stage("R-kvstore.DescribeSecurityGroupConfiguration", InstanceId=redis)["Items"]
    bound = lambda: [one["SecurityGroupId"] for one in items()["EcsSecurityGroupRelation"]]
    wait_for("the group is bound", lambda: bound() == [group])


@case
def tags_are_added_listed_and_removed(stage):
    redis = stage.build.redis()
    target = {"ResourceType": "INSTANCE", "ResourceId": [redis]}
    tags = [{"Key": "stage", "Value": "test"}, {"Key": "owner", "Value": "nobody"}]
    stage("R-kvstore.TagResources", Tag=tags, **target)
    listed = lambda: stage("R-kvstore.ListTagResources", **target)["TagResources"]["TagResource"]
    equal("tags", sorted((one["TagKey"], one["TagValue"]) for one in listed()), [("owner", "nobody"), ("stage", "test")])
    found = stage("R-kvstore.DescribeInstances", Tag=[{"Key": "stage", "Value": "test"}])["Instances"]["KVStoreInstance"]
    has("instances with the tag", [one["InstanceId"] for one in found], redis)
    stage("R-kvstore.UntagResources", TagKey=["owner"], **target)
    equal("tags left", [one["TagKey"] for one in listed()], ["stage"])


@case
def what_there_is_to_choose_from(stage):
    has("regions", [one["RegionId"] for one in stage("R-kvstore.DescribeRegions")["RegionIds"]["KVStoreRegion"]], "cn-hangzhou")
    has("zones", [one["ZoneId"] for one in stage("R-kvstore.DescribeZones")["Zones"]["KVStoreZone"]], ZONES[0])
    zones = stage("R-kvstore.DescribeAvailableResource", InstanceChargeType="PostPaid")["AvailableZones"]["AvailableZone"]
    has("zones with stock", [one["ZoneId"] for one in zones], ZONES[0])


@case
def a_price_is_told(stage):
    new = {"OrderType": "BUY", "InstanceClass": "redis.master.small.default", "ChargeType": "PostPaid", "ZoneId": ZONES[0]}
    order = stage("R-kvstore.DescribePrice", **new)["Order"]
    assert float(order["TradeAmount"]) > 0, f"it is free: {order}"
    equal("the same asked again", stage("R-kvstore.DescribePrice", **new)["Order"], order)


@case
def a_vswitch_with_a_redis_stays(stage):
    vpc = stage.build.vpc()
    vswitch = stage.build.vswitch(vpc, 1)
    redis = stage.build.redis(VpcId=vpc, VSwitchId=vswitch)
    expect_refusal("Vpc.DeleteVSwitch", "DependencyViolation", lambda: stage("Vpc.DeleteVSwitch", VSwitchId=vswitch))
    stage("R-kvstore.DeleteInstance", InstanceId=redis)
    left = lambda: stage("R-kvstore.DescribeInstances", VpcId=vpc)["Instances"]["KVStoreInstance"]
    wait_for(f"{redis} is gone", lambda: left() == [])

    delete = lambda: stage("Vpc.DeleteVSwitch", VSwitchId=vswitch)
    wait_until_accepted("deleting the vSwitch", delete, "DependencyViolation")
    lacks("vSwitches", [one["VSwitchId"] for one in stage("Vpc.DescribeVSwitches", VpcId=vpc)["VSwitches"]["VSwitch"]], vswitch)
