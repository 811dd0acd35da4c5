"""What ALB has to refuse."""

from harness.build import ZONES, forward
from harness.registry import refused

from .alb_groups import server
from .alb_rules import conditions, forward_to, make, redirect

NO_BALANCER = "alb-nobody0nobody0nobo"
NO_GROUP = "sgp-nobody0nobody0nobo"
NO_LISTENER = "lsn-nobody0nobody0nobo"
NO_RULE = "rule-nobody0nobody0nobo"


def balancer(stage, zones):
    """CreateLoadBalancer with other zones."""
    return stage.build.balancer(ZoneMappings=[{"ZoneId": zone, "VSwitchId": vswitch} for zone, vswitch in zones])


def twice_one_zone(stage):
    """Both mappings in one zone."""
    first = stage.build.shared["vswitches"][0]
    other = stage.build.vswitch(stage.build.shared["vpc"], 100)
    return balancer(stage, [(ZONES[0], first), (ZONES[0], other)])


def swapped_zones(stage):
    """Each vSwitch with the other's zone."""
    first, second = stage.build.shared["vswitches"]
    return balancer(stage, [(ZONES[0], second), (ZONES[1], first)])


def listener(stage, **more):
    """CreateListener with something different."""
    new = {"LoadBalancerId": stage.build.shared_balancer, "ListenerProtocol": "HTTP", "ListenerPort": stage.build.port()}
    if "DefaultActions" not in more:
        new["DefaultActions"] = forward(stage.build.server_group())
    return stage("Alb.CreateListener", **(new | more))


def taken_port(stage):
    """A second listener on one port."""
    port = stage.build.port()
    stage.build.listener(ListenerPort=port)
    return listener(stage, ListenerPort=port)


def group_elsewhere(stage):
    """A listener with a group of another VPC."""
    return listener(stage, DefaultActions=forward(stage.build.server_group(VpcId=stage.build.vpc())))


def add(stage, group, servers):
    """AddServersToServerGroup."""
    return stage("Alb.AddServersToServerGroup", ServerGroupId=group, Servers=servers)


def same_server_later(stage):
    """A server that is in the group already."""
    group, instance = stage.build.server_group(), stage.build.instance()
    add(stage, group, [server(instance)])
    stage.build.server_group_is_available(group)
    return add(stage, group, [server(instance)])


def same_server_at_once(stage):
    """A server twice in one call."""
    group, instance = stage.build.server_group(), stage.build.instance()
    return add(stage, group, [server(instance), server(instance)])


def server_elsewhere(stage):
    """A server of another VPC."""
    return add(stage, stage.build.server_group(VpcId=stage.build.vpc()), [server(stage.build.instance())])


def group_of_a_listener(stage):
    """A group a listener forwards to."""
    group = stage.build.server_group()
    stage.build.listener(group)
    return group


def protected(stage):
    """A load balancer that must not be deleted."""
    made = stage.build.balancer()
    stage("Alb.EnableDeletionProtection", ResourceId=made)
    return made


def changing_listener(stage):
    """A change of a listener while another is under way."""
    made = stage.brisk.build.listener()
    stage.brisk("Alb.UpdateListenerAttribute", ListenerId=made, IdleTimeout=20)
    return stage.brisk("Alb.UpdateListenerAttribute", ListenerId=made, IdleTimeout=30)


def deleting_a_changing_listener(stage):
    """Deletion of a listener while a change is under way."""
    made = stage.brisk.build.listener()
    stage.brisk("Alb.UpdateListenerAttribute", ListenerId=made, IdleTimeout=20)
    return stage.brisk("Alb.DeleteListener", ListenerId=made)


def changing_group(stage):
    """Two changes of the servers of a group at once."""
    group, instance = stage.brisk.build.server_group(), stage.brisk.build.instance()
    stage.brisk("Alb.AddServersToServerGroup", ServerGroupId=group, Servers=[server(instance, 80)])
    return stage.brisk("Alb.AddServersToServerGroup", ServerGroupId=group, Servers=[server(instance, 81)])


def listener_of_a_new_balancer(stage):
    """A listener of a load balancer that is not active yet."""
    cloud = stage.brisk
    shared = cloud.build.shared
    group = cloud.build.server_group()
    new = {
        "LoadBalancerName": cloud.build.name("alb"),
        "VpcId": shared["vpc"],
        "AddressType": "Intranet",
        "LoadBalancerEdition": "Basic",
        "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        "ZoneMappings": [{"ZoneId": zone, "VSwitchId": one} for zone, one in zip(ZONES, shared["vswitches"])],
    }
    made = cloud("Alb.CreateLoadBalancer", **new)["LoadBalancerId"]
    new = {"ListenerProtocol": "HTTP", "ListenerPort": 80, "DefaultActions": forward(group)}
    return cloud("Alb.CreateListener", LoadBalancerId=made, **new)


def taken_priority(stage):
    """Two rules of one priority."""
    listener = stage.build.listener()
    make(stage, listener, 7)
    return make(stage, listener, 7, "/other")


def rule(stage, **more):
    """CreateRule with something different."""
    new = {"Priority": 5, "RuleName": "refused", "RuleConditions": conditions("/x"), "RuleActions": redirect()} | more
    if "ListenerId" not in new:
        new["ListenerId"] = stage.build.listener()
    return stage("Alb.CreateRule", **new)


def replaced_with_a_used_token(stage):
    """The second replacement with one token."""
    group, token = stage.build.server_group(), stage.build.name("token")
    first, second = stage.build.instances(2)
    add(stage, group, [server(first)])
    stage.build.server_group_is_available(group)
    change = {"ServerGroupId": group, "ClientToken": token}
    stage("Alb.ReplaceServersInServerGroup", RemovedServers=[server(first)], AddedServers=[server(second)], **change)
    stage.build.server_group_is_available(group)
    return stage("Alb.ReplaceServersInServerGroup", RemovedServers=[server(second)], AddedServers=[server(first)], **change)


for action, parameters in {
    "GetLoadBalancerAttribute": {"LoadBalancerId": NO_BALANCER},
    "UpdateLoadBalancerAttribute": {"LoadBalancerId": NO_BALANCER, "LoadBalancerName": "nobody"},
    "DeleteLoadBalancer": {"LoadBalancerId": NO_BALANCER},
    "EnableDeletionProtection": {"ResourceId": NO_BALANCER},
    "DisableDeletionProtection": {"ResourceId": NO_BALANCER},
    "EnableLoadBalancerAccessLog": {"LoadBalancerId": NO_BALANCER, "LogProject": "project", "LogStore": "store"},
    "LoadBalancerJoinSecurityGroup": {"LoadBalancerId": NO_BALANCER, "SecurityGroupIds": ["sg-nobody"]},
}.items():
    refused(
        f"Alb.{action}",
        "ResourceNotFound.LoadBalancer",
        lambda stage, action=action, parameters=parameters: stage(f"Alb.{action}", **parameters),
    )

for action, parameters in {
    "UpdateServerGroupAttribute": {"ServerGroupName": "nobody"},
    "DeleteServerGroup": {},
    "AddServersToServerGroup": {"Servers": [server("i-nobody")]},
    "RemoveServersFromServerGroup": {"Servers": [server("i-nobody")]},
    "UpdateServerGroupServersAttribute": {"Servers": [server("i-nobody", Weight=1)]},
}.items():
    refused(
        f"Alb.{action}",
        "ResourceNotFound.ServerGroup",
        lambda stage, action=action, parameters=parameters: stage(f"Alb.{action}", ServerGroupId=NO_GROUP, **parameters),
    )

for action in ("GetListenerAttribute", "StartListener", "StopListener", "DeleteListener", "GetListenerHealthStatus",
               "ListListenerCertificates"):
    refused(
        f"Alb.{action}",
        "ResourceNotFound.Listener",
        lambda stage, action=action: stage(f"Alb.{action}", ListenerId=NO_LISTENER),
    )

refused("Alb.CreateLoadBalancer", "DuplicatedParam.ZoneId", twice_one_zone)
refused("Alb.CreateLoadBalancer", "Mismatch.ZoneIdAndVSwitchId", swapped_zones)
refused(
    "Alb.CreateLoadBalancer",
    "ResourceNotFound.VSwitch",
    lambda stage: balancer(stage, [(ZONES[0], stage.build.shared["vswitches"][0]), (ZONES[1], "vsw-bp1nobody")]),
)
refused(
    "Alb.DeleteLoadBalancer",
    "OperationDenied.DeletionProtectionEnabled",
    lambda stage: stage("Alb.DeleteLoadBalancer", LoadBalancerId=protected(stage)),
)
refused("Alb.CreateServerGroup", "ResourceNotFound.Vpc", lambda stage: stage.build.server_group(VpcId="vpc-bp1nobody"))
refused(
    "Alb.DeleteServerGroup",
    "ResourceInUse.ServerGroup",
    lambda stage: stage("Alb.DeleteServerGroup", ServerGroupId=group_of_a_listener(stage)),
)
refused("Alb.AddServersToServerGroup", "Conflict.BackendServer", same_server_later)
refused("Alb.AddServersToServerGroup", "DuplicatedParam.BackendServer", same_server_at_once)
refused("Alb.AddServersToServerGroup", "Mismatch.VpcId", server_elsewhere)
refused("Alb.AddServersToServerGroup", "IncorrectStatus.ServerGroup", changing_group)
refused(
    "Alb.AddServersToServerGroup",
    "ResourceNotFound.Ecs",
    lambda stage: add(stage, stage.build.server_group(), [server("i-bp1nobody")]),
)
refused(
    "Alb.RemoveServersFromServerGroup",
    "ResourceNotFound.BackendServer",
    lambda stage: stage(
        "Alb.RemoveServersFromServerGroup", ServerGroupId=stage.build.server_group(), Servers=[server("i-bp1nobody")]
    ),
)
refused("Alb.ReplaceServersInServerGroup", "IdempotentParameterMismatch", replaced_with_a_used_token)
refused("Alb.CreateListener", "ResourceAlreadyExist.Listener", taken_port)
refused("Alb.CreateListener", "Mismatch.VpcId", group_elsewhere)
refused("Alb.CreateListener", "IncorrectStatus.LoadBalancer", listener_of_a_new_balancer)
refused("Alb.CreateListener", "ResourceNotFound.ServerGroup", lambda stage: listener(stage, DefaultActions=forward(NO_GROUP)))
refused("Alb.CreateListener", "ResourceNotFound.LoadBalancer", lambda stage: listener(stage, LoadBalancerId=NO_BALANCER))
refused(
    "Alb.CreateListener",
    "ResourceNotFound.Certificate",
    lambda stage: listener(stage, ListenerProtocol="HTTPS", Certificates=[{"CertificateId": "404404-cn-hangzhou"}]),
)
refused("Alb.UpdateListenerAttribute", "ResourceInConfiguring.Listener", changing_listener)
refused("Alb.DeleteListener", "ResourceInConfiguring.Listener", deleting_a_changing_listener)
refused(
    "Alb.StartListener",
    "IncorrectStatus.Listener",
    lambda stage: stage("Alb.StartListener", ListenerId=stage.build.listener()),
)
refused("Alb.CreateRule", "Conflict.Priority", taken_priority)
refused("Alb.CreateRule", "ResourceNotFound.Listener", lambda stage: rule(stage, ListenerId=NO_LISTENER))
refused("Alb.CreateRule", "ResourceNotFound.ServerGroup", lambda stage: rule(stage, RuleActions=forward_to(NO_GROUP)))
refused("Alb.UpdateRuleAttribute", "ResourceNotFound.Rule", lambda stage: stage("Alb.UpdateRuleAttribute", RuleId=NO_RULE, Priority=3))
refused("Alb.DeleteRule", "ResourceNotFound.Rule", lambda stage: stage("Alb.DeleteRule", RuleId=NO_RULE))
refused(
    "Alb.TagResources",
    "ResourceNotFound.LoadBalancer",
    lambda stage: stage(
        "Alb.TagResources", ResourceType="loadbalancer", ResourceId=[NO_BALANCER], Tag=[{"Key": "a", "Value": "b"}]
    ),
)
