"""ALB: server groups and their servers."""

from harness.check import contains, equal, one
from harness.registry import case
from harness.waiting import wait_for

CHECK = {
    "HealthCheckEnabled": True,
    "HealthCheckProtocol": "HTTP",
    "HealthCheckMethod": "HEAD",
    "HealthCheckPath": "/healthz",
    "HealthCheckInterval": 5,
    "HealthCheckTimeout": 3,
    "HealthyThreshold": 2,
    "UnhealthyThreshold": 4,
    "HealthCheckCodes": ["http_2xx", "http_3xx"],
}


def described(stage, group):
    """A group as ListServerGroups has it."""
    return one("server groups", stage("Alb.ListServerGroups", ServerGroupIds=[group])["ServerGroups"])


def server(instance, port=80, **more):
    """A server as the calls take it."""
    return {"ServerType": "Ecs", "ServerId": instance, "Port": port} | more


def servers(stage, group):
    """The servers of a group: id and port to weight."""
    listed = stage("Alb.ListServerGroupServers", ServerGroupId=group)["Servers"]
    return {(one["ServerId"], one["Port"]): one["Weight"] for one in listed}


def servers_are(stage, group, wanted):
    """Waits until the group is settled, then compares."""
    stage.build.server_group_is_available(group)
    wait_for(f"the servers are {wanted}", lambda: servers(stage, group) == wanted)


@case
def a_group_is_made_read_changed_and_deleted(stage):
    name = stage.build.name("group")
    sticky = {"StickySessionEnabled": True, "StickySessionType": "Insert", "CookieTimeout": 500}
    more = {"ServerGroupName": name, "Scheduler": "Wrr", "HealthCheckConfig": CHECK, "StickySessionConfig": sticky}
    group = stage.build.server_group(**more)
    found = described(stage, group)
    contains("the group", found, {"ServerGroupId": group, "Protocol": "HTTP", "VpcId": stage.build.shared["vpc"]} | more)
    change = {"ServerGroupName": f"{name}-new", "Scheduler": "Wlc"}
    stage("Alb.UpdateServerGroupAttribute", ServerGroupId=group, **change)
    stage.build.server_group_is_available(group)
    contains("the changed group", described(stage, group), change | {"HealthCheckConfig": CHECK})
    stage("Alb.DeleteServerGroup", ServerGroupId=group)
    left = lambda: stage("Alb.ListServerGroups", ServerGroupIds=[group])["ServerGroups"]
    wait_for(f"{group} is gone", lambda: left() == [])


@case
def servers_are_added_changed_replaced_and_removed(stage):
    first, second = stage.build.instances(2)
    group = stage.build.server_group()
    stage("Alb.AddServersToServerGroup", ServerGroupId=group, Servers=[server(first, 80, Weight=100), server(first, 81, Weight=50)])
    servers_are(stage, group, {(first, 80): 100, (first, 81): 50})
    stage("Alb.UpdateServerGroupServersAttribute", ServerGroupId=group, Servers=[server(first, 81, Weight=20)])
    servers_are(stage, group, {(first, 80): 100, (first, 81): 20})
    change = {"RemovedServers": [server(first, 80)], "AddedServers": [server(second, 80, Weight=30)]}
    stage("Alb.ReplaceServersInServerGroup", ServerGroupId=group, **change)
    servers_are(stage, group, {(second, 80): 30, (first, 81): 20})
    stage("Alb.RemoveServersFromServerGroup", ServerGroupId=group, Servers=[server(first, 81)])
    servers_are(stage, group, {(second, 80): 30})
    left = stage("Alb.ListServerGroupServers", ServerGroupId=group, ServerIds=[first])["Servers"]
    equal("ports of the removed server", [one["Port"] for one in left], [])
    equal("ServerCount", described(stage, group)["ServerCount"], 1)
