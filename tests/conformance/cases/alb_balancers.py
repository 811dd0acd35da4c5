"""ALB: load balancers."""

from harness.build import ZONES
from harness.check import contains, equal, has, one
from harness.registry import case
from harness.waiting import wait_for


def read(stage, balancer):
    """A load balancer as GetLoadBalancerAttribute has it."""
    return stage("Alb.GetLoadBalancerAttribute", LoadBalancerId=balancer)


@case
def a_balancer_is_made_read_changed_and_deleted(stage):
    shared = stage.build.shared
    name = stage.build.name("balancer")
    balancer = stage.build.balancer(LoadBalancerName=name, AddressType="Intranet")
    wanted = {
        "LoadBalancerId": balancer,
        "LoadBalancerName": name,
        "AddressType": "Intranet",
        "VpcId": shared["vpc"],
        "LoadBalancerEdition": "Standard",
        "LoadBalancerStatus": "Active",
    }
    found = read(stage, balancer)
    contains("the balancer", found, wanted)
    zones = sorted((one["ZoneId"], one["VSwitchId"]) for one in found["ZoneMappings"])
    equal("zones", zones, list(zip(ZONES, shared["vswitches"])))
    listed = stage("Alb.ListLoadBalancers", LoadBalancerIds=[balancer])["LoadBalancers"]
    contains("in the list", one("balancers", listed), wanted | {"DNSName": found["DNSName"]})
    stage("Alb.UpdateLoadBalancerAttribute", LoadBalancerId=balancer, LoadBalancerName=f"{name}-renamed")
    wait_for("the name is new", lambda: read(stage, balancer)["LoadBalancerName"] == f"{name}-renamed")
    stage.build.balancer_is(balancer, "Active")
    stage("Alb.DeleteLoadBalancer", LoadBalancerId=balancer)
    left = lambda: stage("Alb.ListLoadBalancers", LoadBalancerIds=[balancer])["LoadBalancers"]
    wait_for(f"{balancer} is gone", lambda: left() == [])


@case
def a_balancer_on_the_internet_brings_addresses(stage):
    balancer = stage.build.shared_balancer
    eips = stage("Vpc.DescribeEipAddresses", ServiceManaged=True)["EipAddresses"]["EipAddress"]
    shown = {address["Address"] for zone in read(stage, balancer)["ZoneMappings"] for address in zone["LoadBalancerAddresses"]}
    missing = shown - {one["IpAddress"] for one in eips}
    assert shown, "the balancer shows no address"
    assert not missing, f"{missing} are no addresses of the account"


@case
def deletion_protection_is_switched(stage):
    balancer = stage.build.balancer()
    protected = lambda: read(stage, balancer)["DeletionProtectionConfig"]["Enabled"]
    stage("Alb.EnableDeletionProtection", ResourceId=balancer)
    wait_for("protection is on", lambda: protected() is True)
    stage("Alb.DisableDeletionProtection", ResourceId=balancer)
    wait_for("protection is off", lambda: protected() is False)


@case
def an_access_log_is_kept(stage):
    balancer = stage.build.balancer()
    log = {"LogProject": "conformance-project", "LogStore": "conformance-store"}
    stage("Alb.EnableLoadBalancerAccessLog", LoadBalancerId=balancer, **log)
    config = lambda: read(stage, balancer).get("AccessLogConfig")
    wait_for("the log is on", config)
    contains("AccessLogConfig", config(), log)


@case
def a_balancer_joins_a_security_group(stage):
    balancer = stage.build.balancer()
    group = stage.build.group(stage.build.shared["vpc"])
    stage("Alb.LoadBalancerJoinSecurityGroup", LoadBalancerId=balancer, SecurityGroupIds=[group])
    wait_for("the group is shown", lambda: group in read(stage, balancer).get("SecurityGroupIds", []))


@case
def tags_are_added_listed_and_removed(stage):
    balancer = stage.build.balancer(Tag=[{"Key": "first", "Value": "one"}])
    target = {"ResourceType": "loadbalancer", "ResourceId": [balancer]}
    stage("Alb.TagResources", Tag=[{"Key": "second", "Value": "two"}], **target)
    listed = stage("Alb.ListTagResources", **target)["TagResources"]
    pairs = sorted((one["TagKey"], one["TagValue"]) for one in listed)
    equal("tags", pairs, [("first", "one"), ("second", "two")])
    found = stage("Alb.ListLoadBalancers", Tag=[{"Key": "second", "Value": "two"}])["LoadBalancers"]
    has("balancers with the tag", [one["LoadBalancerId"] for one in found], balancer)
    stage("Alb.UnTagResources", TagKey=["first"], **target)
    left = stage("Alb.ListTagResources", **target)["TagResources"]
    equal("tags left", [one["TagKey"] for one in left], ["second"])


@case
def a_job_tells_how_a_change_ended(stage):
    group = stage.build.server_group()
    answer = stage("Alb.UpdateServerGroupAttribute", ServerGroupId=group, ServerGroupName="renamed-by-a-job")
    jobs = lambda: stage("Alb.ListAsynJobs", JobIds=[answer["JobId"]])["Jobs"]
    wait_for("the job has succeeded", lambda: [one["Status"] for one in jobs()] == ["Succeeded"])
    contains("the job", one("jobs", jobs()), {"Id": answer["JobId"], "ResourceId": group})


@case
def places_and_policies_are_listed(stage):
    has("regions", [one["RegionId"] for one in stage("Alb.DescribeRegions")["Regions"]], "cn-hangzhou")
    zones = [one["ZoneId"] for one in stage("Alb.DescribeZones")["Zones"]]
    for zone in ZONES:
        has("zones", zones, zone)
    policies = [one["SecurityPolicyId"] for one in stage("Alb.ListSystemSecurityPolicies")["SecurityPolicies"]]
    has("policies", policies, "tls_cipher_policy_1_0")
