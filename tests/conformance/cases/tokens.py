"""Client tokens and dry runs: the same call twice makes one thing, and a dry run makes none."""

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from harness.build import IMAGE_FAMILY, INSTANCE_TYPE, VPC_RANGE, ZONES, forward
from harness.check import equal
from harness.refusals import code_of
from harness.registry import case


def made_once(stage, operation, new, answer_id, change, count):
    """Same token, same parameters: same id and no second one; other parameters: a mismatch."""
    token = stage.build.name("token")
    first = answer_id(stage(operation, ClientToken=token, **new))
    before = count()
    again = answer_id(stage(operation, ClientToken=token, **new))
    equal("the second answer", again, first)
    equal("how many there are", count(), before)
    mismatch = code_of(lambda: stage(operation, ClientToken=token, **(new | change)))
    equal("the code for other parameters", mismatch, "IdempotentParameterMismatch")
    equal("how many there are after the mismatch", count(), before)


@case
def a_vpc_is_made_once(stage):
    count = lambda: stage("Vpc.DescribeVpcs")["TotalCount"]
    made_once(
        stage, "Vpc.CreateVpc", {"CidrBlock": VPC_RANGE}, lambda answer: answer["VpcId"], {"VpcName": "another"}, count
    )


@case
def a_vswitch_is_made_once(stage):
    vpc = stage.build.vpc()
    new = {"VpcId": vpc, "ZoneId": ZONES[0], "CidrBlock": "172.16.1.0/24"}
    count = lambda: stage("Vpc.DescribeVSwitches", VpcId=vpc)["TotalCount"]
    made_once(stage, "Vpc.CreateVSwitch", new, lambda answer: answer["VSwitchId"], {"CidrBlock": "172.16.2.0/24"}, count)


@case
def instances_are_made_once(stage):
    shared = stage.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": IMAGE_FAMILY, "SecurityGroupId": shared["group"]}
    new |= {"VSwitchId": shared["vswitches"][0], "Amount": 2}
    count = lambda: stage("Ecs.DescribeInstances", VpcId=shared["vpc"])["TotalCount"]
    ids = lambda answer: sorted(answer["InstanceIdSets"]["InstanceIdSet"])
    made_once(stage, "Ecs.RunInstances", new, ids, {"Amount": 3}, count)


@case
def a_security_group_is_made_once(stage):
    vpc = stage.build.vpc()
    count = lambda: len(stage("Ecs.DescribeSecurityGroups", VpcId=vpc)["SecurityGroups"]["SecurityGroup"])
    group = lambda answer: answer["SecurityGroupId"]
    made_once(stage, "Ecs.CreateSecurityGroup", {"VpcId": vpc}, group, {"Description": "another"}, count)


@case
def a_listener_is_made_once(stage):
    balancer = stage.build.balancer()
    new = {"LoadBalancerId": balancer, "ListenerProtocol": "HTTP", "ListenerPort": 80}
    new |= {"DefaultActions": forward(stage.build.server_group())}
    count = lambda: len(stage("Alb.ListListeners", LoadBalancerIds=[balancer])["Listeners"])
    made_once(stage, "Alb.CreateListener", new, lambda answer: answer["ListenerId"], {"IdleTimeout": 20}, count)


@case
def a_redis_is_made_once(stage):
    vpc = stage.build.vpc()
    new = {"InstanceClass": "redis.master.small.default", "ChargeType": "PostPaid", "VpcId": vpc, "ZoneId": ZONES[0]}
    new |= {"VSwitchId": stage.build.vswitch(vpc, 1)}
    token = stage.build.name("token")
    first, second = (stage("R-kvstore.CreateInstance", Token=token, **new)["InstanceId"] for _ in range(2))
    equal("the second answer", second, first)
    equal("how many there are", stage("R-kvstore.DescribeInstances", VpcId=vpc)["TotalCount"], 1)


@case
def a_dry_run_of_instances_makes_none(stage):
    shared = stage.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": IMAGE_FAMILY, "SecurityGroupId": shared["group"]}
    count = lambda: stage("Ecs.DescribeInstances", VpcId=shared["vpc"])["TotalCount"]
    before = count()
    run = lambda: stage("Ecs.RunInstances", VSwitchId=shared["vswitches"][0], DryRun=True, **new)
    equal("code", code_of(run), "DryRunOperation")
    equal("how many there are", count(), before)


@case
def dry_runs_of_a_balancer_make_and_change_nothing(stage):
    shared = stage.build.shared
    name = stage.build.name("alb")
    new = {"VpcId": shared["vpc"], "AddressType": "Intranet", "LoadBalancerEdition": "Basic", "LoadBalancerName": name}
    new |= {"LoadBalancerBillingConfig": {"PayType": "PostPay"}}
    new |= {"ZoneMappings": [{"ZoneId": zone, "VSwitchId": one} for zone, one in zip(ZONES, shared["vswitches"])]}
    equal("code", code_of(lambda: stage("Alb.CreateLoadBalancer", DryRun=True, **new)), "DryRunOperation")
    equal("balancers with the name", stage("Alb.ListLoadBalancers", LoadBalancerNames=[name])["LoadBalancers"], [])
    group = stage.build.server_group(ServerGroupName=name)
    rename = lambda: stage("Alb.UpdateServerGroupAttribute", ServerGroupId=group, ServerGroupName="new", DryRun=True)
    equal("code of the change", code_of(rename), "DryRunOperation")
    found = stage("Alb.ListServerGroups", ServerGroupIds=[group])["ServerGroups"]
    equal("its name", [one["ServerGroupName"] for one in found], [name])


@case
def dry_runs_of_power_change_nothing(stage):
    instance = stage.build.instance()
    equal("code", code_of(lambda: stage("Ecs.StopInstances", InstanceId=[instance], DryRun=True)), "DRYRUN.SUCCESS")
    equal("Status", stage("Ecs.DescribeInstanceAttribute", InstanceId=instance)["Status"], "Running")


@case
def a_dry_run_still_finds_what_is_wrong(stage):
    shared = stage.build.shared
    new = {"InstanceType": INSTANCE_TYPE, "ImageFamily": "acs:no_such_family", "SecurityGroupId": shared["group"]}
    run = lambda: stage("Ecs.RunInstances", VSwitchId=shared["vswitches"][0], DryRun=True, **new)
    assert code_of(run) != "DryRunOperation", "the dry run of a call that must fail succeeds"


@case
def a_lost_reply_is_fetched_with_the_token(stage):
    token = stage.build.name("token")
    fault = {"action": "Vpc.CreateVpc", "occurrence": 1, "fault": {"lost_reply": {}}}
    stage.instant.address.admin("faults", [fault])
    before = stage("Vpc.DescribeVpcs")["TotalCount"]
    try:
        lost = stage("Vpc.CreateVpc", CidrBlock=VPC_RANGE, ClientToken=token)
    except Exception as error:  # the SDK has several words for a connection that ends
        assert not isinstance(error, AlibabaCloudException), f"an answer instead of none: {error}"
    else:
        raise AssertionError(f"the reply was not lost: {lost}")
    vpc = stage("Vpc.CreateVpc", CidrBlock=VPC_RANGE, ClientToken=token)["VpcId"]
    equal("how many more there are", stage("Vpc.DescribeVpcs")["TotalCount"] - before, 1)
    equal("its range", stage("Vpc.DescribeVpcAttribute", VpcId=vpc)["CidrBlock"], VPC_RANGE)
