"""What R-kvstore and STS have to refuse."""

from harness.build import PASSWORD
from harness.registry import refused

NOBODY = "r-bp1nobody0nobody"


def make(stage, **more):
    """CreateInstance with something different."""
    shared = stage.build.shared
    new = {"InstanceClass": "redis.master.small.default", "ChargeType": "PostPaid", "Password": PASSWORD}
    new |= {"VpcId": shared["vpc"], "VSwitchId": shared["vswitches"][0], "ZoneId": "cn-hangzhou-h"}
    return stage("R-kvstore.CreateInstance", **(new | more))


def other_instance_with_a_used_token(stage):
    """The second instance with one token."""
    token = stage.build.name("token")
    make(stage, Token=token)
    return make(stage, Token=token, Port="6380")


def account(stage, redis, **more):
    """CreateAccount with something different."""
    new = {"AccountName": "someone", "AccountPassword": PASSWORD, "AccountPrivilege": "RoleReadOnly"} | more
    return stage("R-kvstore.CreateAccount", InstanceId=redis, **new)


def same_account_twice(stage):
    """An account that is there."""
    redis = stage.build.redis()
    account(stage, redis)
    stage.build.redis_is(redis, "Normal")
    return account(stage, redis)


def same_address_twice(stage):
    """An address that is in the list."""
    redis = stage.build.redis()
    change = {"InstanceId": redis, "SecurityIps": "10.0.0.1"}
    stage("R-kvstore.ModifySecurityIps", ModifyMode="Cover", **change)
    stage.build.redis_is(redis, "Normal")
    return stage("R-kvstore.ModifySecurityIps", ModifyMode="Append", **change)


def protected(stage):
    """An instance that must not be deleted."""
    redis = stage.build.redis()
    stage("R-kvstore.ModifyInstanceAttribute", InstanceId=redis, InstanceReleaseProtection=True)
    stage.build.redis_is(redis, "Normal")
    return redis


refused("R-kvstore.CreateInstance", "InvalidPassword.Malformed", lambda stage: make(stage, Password="short"))
refused("R-kvstore.CreateInstance", "InvalidVPCId.NotFound", lambda stage: make(stage, VpcId="vpc-bp1nobody"))
refused("R-kvstore.CreateInstance", "InvalidvSwitchId", lambda stage: make(stage, VSwitchId="vsw-bp1nobody"))
refused("R-kvstore.CreateInstance", "InvalidInstanceName.Malformed", lambda stage: make(stage, InstanceName="1"))
refused("R-kvstore.CreateInstance", "InvalidEngineVersion.Malformed", lambda stage: make(stage, EngineVersion="7.0"))
refused("R-kvstore.CreateInstance", "DryRunOperation", lambda stage: make(stage, DryRun=True))
refused("R-kvstore.CreateInstance", "IdempotentParameterMismatch", other_instance_with_a_used_token)
refused(
    "R-kvstore.ModifySecurityGroupConfiguration",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("R-kvstore.ModifySecurityGroupConfiguration", DBInstanceId=NOBODY, SecurityGroupId="sg-nobody"),
)
refused(
    "R-kvstore.DescribeSecurityIps",
    "InvalidInstanceId.NotFound",
    lambda stage: stage("R-kvstore.DescribeSecurityIps", InstanceId=NOBODY),
)
refused("R-kvstore.CreateAccount", "InvalidAccountName.Duplicate", same_account_twice)
refused(
    "R-kvstore.CreateAccount",
    "InvalidAccountPassword.Format",
    lambda stage: account(stage, stage.build.redis(), AccountPassword="short"),
)
refused("R-kvstore.ModifySecurityIps", "SecurityIPList.Duplicate", same_address_twice)
refused(
    "R-kvstore.DeleteInstance",
    "InstanceReleaseProtection",
    lambda stage: stage("R-kvstore.DeleteInstance", InstanceId=protected(stage)),
)
refused(
    "R-kvstore.TagResources",
    "InvalidTagKey.Malformed",
    lambda stage: stage(
        "R-kvstore.TagResources",
        ResourceType="INSTANCE",
        ResourceId=[stage.build.redis()],
        Tag=[{"Key": "acs:mine", "Value": "b"}],
    ),
)
