"""ALB: listeners, health and what they forward."""

from harness.build import forward
from harness.check import contains, equal, one
from harness.registry import case
from harness.waiting import wait_for

from .alb_groups import server


def read(stage, listener):
    """A listener as GetListenerAttribute has it."""
    return stage("Alb.GetListenerAttribute", ListenerId=listener)


def target(found):
    """The group a listener forwards to."""
    action = one("default actions", found["DefaultActions"])
    return one("groups", action["ForwardGroupConfig"]["ServerGroupTuples"])["ServerGroupId"]


@case
def a_listener_is_made_read_changed_and_deleted(stage):
    balancer, port = stage.build.shared_balancer, stage.build.port()
    group, other = stage.build.server_group(), stage.build.server_group()
    settings = {"IdleTimeout": 40, "RequestTimeout": 45, "ListenerDescription": "for_a_test", "GzipEnabled": False}
    listener = stage.build.listener(group, ListenerPort=port, **settings)
    wanted = {"ListenerId": listener, "LoadBalancerId": balancer, "ListenerPort": port, "ListenerProtocol": "HTTP"} | settings
    contains("the listener", read(stage, listener), wanted)
    equal("its group", target(read(stage, listener)), group)
    listed = stage("Alb.ListListeners", ListenerIds=[listener])["Listeners"]
    contains("in the list", one("listeners", listed), wanted)
    change = {"IdleTimeout": 50, "RequestTimeout": 55, "ListenerDescription": "changed_by_a_test"}
    stage("Alb.UpdateListenerAttribute", ListenerId=listener, DefaultActions=forward(other), **change)
    stage.build.listener_is(listener, "Running")
    contains("the changed listener", read(stage, listener), change)
    equal("its new group", target(read(stage, listener)), other)
    stage("Alb.DeleteListener", ListenerId=listener)
    left = lambda: stage("Alb.ListListeners", ListenerIds=[listener])["Listeners"]
    wait_for(f"{listener} is gone", lambda: left() == [])


@case
def a_listener_is_stopped_and_started(stage):
    listener = stage.build.listener()
    stage("Alb.StopListener", ListenerId=listener)
    stage.build.listener_is(listener, "Stopped")
    stage("Alb.StartListener", ListenerId=listener)
    stage.build.listener_is(listener, "Running")


@case
def only_servers_that_are_not_healthy_are_listed(stage):
    instance = stage.build.instance()
    group = stage.build.server_group()
    stage("Alb.AddServersToServerGroup", ServerGroupId=group, Servers=[server(instance, 80, Weight=0)])
    stage.build.server_group_is_available(group)
    listener = stage.build.listener(group)

    def unhealthy():
        status = stage("Alb.GetListenerHealthStatus", ListenerId=listener)["ListenerHealthStatus"]
        infos = one("listeners", status)["ServerGroupInfos"]
        return [(item["ServerId"], item["Status"]) for info in infos for item in info["NonNormalServers"]]

    equal("servers of weight 0", unhealthy(), [(instance, "Unused")])
    stage("Alb.UpdateServerGroupServersAttribute", ServerGroupId=group, Servers=[server(instance, 80, Weight=10)])
    stage.build.server_group_is_available(group)
    wait_for("no server is unhealthy", lambda: unhealthy() == [])


@case
def a_change_passes_through_configuring(stage):
    cloud = stage.brisk
    listener = cloud.build.listener()
    cloud("Alb.UpdateListenerAttribute", ListenerId=listener, IdleTimeout=20)
    status = lambda: cloud("Alb.GetListenerAttribute", ListenerId=listener)["ListenerStatus"]
    equal("ListenerStatus", status(), "Configuring")
    cloud.build.listener_is(listener, "Running")
    equal("IdleTimeout", cloud("Alb.GetListenerAttribute", ListenerId=listener)["IdleTimeout"], 20)
