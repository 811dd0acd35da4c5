"""What somebody changes through the SDKs our plan shows field by field, and our apply brings back."""

import json

from harness.check import equal, one
from harness.registry import case
from harness.waiting import wait_for

from cases.both_ways import TOPOLOGY, Home

#: As our own program names them.
ACTIONS = ("update", "create", "replace", "delete")


class Somebody:
    """Works on the stack through the SDKs, by the ids that our own program tells."""

    def __init__(self, home):
        self.cloud = home.cloud
        status = json.loads(home.run("--local", "status", "--json", str(TOPOLOGY)))
        self.ids = {resource["address"]: resource["id"] for resource in status["resources"]}

    def change_ten_things(self):
        """One change each of a name, a weight, a setting, a state, a rule, a record."""
        group, listener = self.ids["server_group.main"], self.ids["listener.main"]
        self.cloud("Vpc.ModifyVpcAttribute", VpcId=self.ids["vpc.main"], VpcName="net")
        self.cloud("Ecs.ModifyInstanceAttribute", InstanceId=self.ids["instance.ecs01"], InstanceName="web-1")
        self.cloud("Ecs.StopInstances", InstanceId=[self.ids["instance.ecs03"]])
        self.cloud("Ecs.RevokeSecurityGroup", SecurityGroupId=self.ids["security_group.main"], SecurityGroupRuleId=[self.ssh_rule()])
        self.cloud("Alb.UpdateLoadBalancerAttribute", LoadBalancerId=self.ids["load_balancer.main"], LoadBalancerName="web")
        check = {"HealthCheckEnabled": True, "HealthCheckInterval": 7, "HealthyThreshold": 5}
        self.cloud("Alb.UpdateServerGroupAttribute", ServerGroupId=group, HealthCheckConfig=check)
        wait_for("the group takes changes again", lambda: self.group_status() == "Available")
        server = {"ServerType": "Ecs", "ServerId": self.ids["instance.ecs02"], "Port": 5000, "Weight": 0}
        self.cloud("Alb.UpdateServerGroupServersAttribute", ServerGroupId=group, Servers=[server])
        self.cloud("Alb.UpdateListenerAttribute", ListenerId=listener, IdleTimeout=15)
        self.cloud("Alidns.SetDomainRecordStatus", RecordId=self.ids["record.main"], Status="Disable")

    def group_status(self):
        """How far the group is with the last change."""
        groups = self.cloud("Alb.ListServerGroups", ServerGroupIds=[self.ids["server_group.main"]])["ServerGroups"]
        return one("server groups", groups)["ServerGroupStatus"]

    def ssh_rule(self):
        """Id of the rule that lets SSH in."""
        return self.rule("22/22")

    def rule(self, ports, description=""):
        """Id of the rule for these ports whose description holds this."""
        answer = self.cloud("Ecs.DescribeSecurityGroupAttribute", SecurityGroupId=self.ids["security_group.main"], Direction="ingress")
        rules = [rule for rule in answer["Permissions"]["Permission"] if rule["PortRange"] == ports]
        rules = [rule for rule in rules if description in rule["Description"]]
        return one(f"rules for {ports}", rules)["SecurityGroupRuleId"]


@case
def what_the_sdks_change_our_plan_shows_and_our_apply_brings_back(stage):
    with Home(stage) as home:
        home.run("--local", "apply", "--yes", str(TOPOLOGY))
        equal("drift after an apply", home.plan()["drift"], [])
        Somebody(home).change_ten_things()
        plan = home.plan()
        seen = {
            (drifted["address"], change["field"], change["applied"], change["now"])
            for drifted in plan["drift"]
            for change in drifted["changes"]
        }
        wanted = {
            ("vpc.main", "name", "chatroom-vpc-main", "net"),
            ("instance.ecs01", "name", "ecs01", "web-1"),
            ("load_balancer.main", "name", "chatroom-load-balancer-main", "web"),
            ("server_group.main", "health_interval", "1", "7"),
            ("server_group.main", "healthy_threshold", "2", "5"),
            ("server.ecs02", "weight", "100", "0"),
            ("listener.main", "idle_timeout", "60", "15"),
            ("record.main", "status", "ENABLE", "DISABLE"),
        }
        stopped = {row for row in seen if row[:3] == ("instance.ecs03", "status", "Running")}
        equal("instances that do not run", len(stopped), 1)
        equal("drift", seen - stopped, wanted)
        gone = [drifted["address"] for drifted in plan["drift"] if drifted["gone"]]
        equal("gone", gone, ["security_rule.ssh-203.0.113.0-24"])
        changed = {drifted["address"] for drifted in plan["drift"]}
        planned = {step["address"] for step in plan["steps"] if step["action"] in ACTIONS}
        equal("what the plan changes", planned, changed)
        home.run("--local", "apply", "--yes", str(TOPOLOGY))
        after = home.plan()
        equal("drift once it was brought back", after["drift"], [])
        equal("has_changes", after["has_changes"], False)
