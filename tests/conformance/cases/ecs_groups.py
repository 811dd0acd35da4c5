"""ECS: security groups, key pairs and tags."""

from harness.build import public_key
from harness.check import contains, equal, has, one
from harness.registry import case

RULE = {"IpProtocol": "tcp", "PortRange": "22/22", "SourceCidrIp": "203.0.113.0/24", "Policy": "accept", "Priority": "1"}


def rules(stage, group):
    """The ingress rules of a group."""
    answer = stage("Ecs.DescribeSecurityGroupAttribute", SecurityGroupId=group, Direction="ingress")
    return answer["Permissions"]["Permission"]


@case
def a_group_is_made_read_and_deleted(stage):
    vpc = stage.build.shared["vpc"]
    name = stage.build.name("group")
    more = {"SecurityGroupName": name, "Description": "a test's", "SecurityGroupType": "enterprise"}
    group = stage.build.group(vpc, **more)
    listed = stage("Ecs.DescribeSecurityGroups", SecurityGroupIds=f'["{group}"]')["SecurityGroups"]["SecurityGroup"]
    contains("the group", one("DescribeSecurityGroups", listed), {"SecurityGroupId": group, "VpcId": vpc} | more)
    read = stage("Ecs.DescribeSecurityGroupAttribute", SecurityGroupId=group)
    contains("the group alone", read, {"SecurityGroupId": group, "SecurityGroupName": name, "VpcId": vpc})
    stage("Ecs.DeleteSecurityGroup", SecurityGroupId=group)
    left = stage("Ecs.DescribeSecurityGroups", SecurityGroupIds=f'["{group}"]')["SecurityGroups"]["SecurityGroup"]
    equal("groups left", left, [])


@case
def rules_are_added_once_and_removed(stage):
    group = stage.build.group(stage.build.shared["vpc"])
    described = RULE | {"Description": "who may log in"}
    stage("Ecs.AuthorizeSecurityGroup", SecurityGroupId=group, Permissions=[described])
    rule = one("rules", rules(stage, group))
    contains("the rule", rule, {"PortRange": "22/22", "SourceCidrIp": "203.0.113.0/24", "Description": "who may log in"})
    equal("protocol", rule["IpProtocol"].lower(), "tcp")
    stage("Ecs.AuthorizeSecurityGroup", SecurityGroupId=group, Permissions=[described])
    one("rules after the same again", rules(stage, group))
    named = {"SecurityGroupId": group, "SecurityGroupRuleId": rule["SecurityGroupRuleId"]}
    stage("Ecs.ModifySecurityGroupRule", **named, Description="who logs in")
    renamed = one("rules after another description", rules(stage, group))
    equal("the rule afterwards", renamed, rule | {"Description": "who logs in"})
    stage("Ecs.RevokeSecurityGroup", SecurityGroupId=group, Permissions=[RULE])
    equal("rules left", rules(stage, group), [])


@case
def a_key_pair_is_imported_listed_and_deleted(stage):
    name = stage.build.name("key")
    tag = {"Key": "who", "Value": name}
    answer = stage("Ecs.ImportKeyPair", KeyPairName=name, PublicKeyBody=public_key(), Tag=[tag])
    listed = one("key pairs", stage("Ecs.DescribeKeyPairs", Tag=[tag])["KeyPairs"]["KeyPair"])
    contains("the key pair", listed, {"KeyPairName": name, "KeyPairFingerPrint": answer["KeyPairFingerPrint"]})
    instance = stage.build.instance(KeyPairName=name)
    found = one("instances", stage("Ecs.DescribeInstances", KeyPairName=name)["Instances"]["Instance"])
    contains("the instance", found, {"InstanceId": instance, "KeyPairName": name})
    stage("Ecs.DeleteInstance", InstanceId=instance, Force=True)
    free = stage.build.name("key")
    stage("Ecs.ImportKeyPair", KeyPairName=free, PublicKeyBody=public_key())
    stage("Ecs.DeleteKeyPairs", KeyPairNames=f'["{free}"]')
    equal("key pairs left", stage("Ecs.DescribeKeyPairs", KeyPairName=free)["KeyPairs"]["KeyPair"], [])


@case
def tags_are_added_listed_and_removed(stage):
    instance = stage.build.instance()
    tags = [{"Key": "stage", "Value": "test"}, {"Key": "owner", "Value": "nobody"}]
    stage("Ecs.TagResources", ResourceType="instance", ResourceId=[instance], Tag=tags)
    list_tags = lambda: stage("Ecs.ListTagResources", ResourceType="instance", ResourceId=[instance])
    listed = list_tags()["TagResources"]["TagResource"]
    pairs = sorted((one["ResourceId"], one["TagKey"], one["TagValue"]) for one in listed)
    equal("tags", pairs, [(instance, "owner", "nobody"), (instance, "stage", "test")])
    stage("Ecs.UntagResources", ResourceType="instance", ResourceId=[instance], All=True)
    equal("tags left", list_tags()["TagResources"]["TagResource"], [])


@case
def a_group_is_tagged_and_found(stage):
    group = stage.build.group(stage.build.shared["vpc"])
    stage("Ecs.TagResources", ResourceType="securitygroup", ResourceId=[group], Tag=[{"Key": "found", "Value": "by"}])
    found = stage("Ecs.DescribeSecurityGroups", Tag=[{"Key": "found", "Value": "by"}])["SecurityGroups"]["SecurityGroup"]
    has("groups with the tag", [one["SecurityGroupId"] for one in found], group)
