"""ALB: forwarding rules."""

from harness.check import contains, equal, one
from harness.registry import case
from harness.waiting import wait_for


def conditions(path):
    """One condition: the path."""
    return [{"Type": "Path", "PathConfig": {"Values": [path]}}]


def forward_to(group, order=1):
    """One action: a group with a weight."""
    tuples = [{"ServerGroupId": group, "Weight": 50}]
    return [{"Order": order, "Type": "ForwardGroup", "ForwardGroupConfig": {"ServerGroupTuples": tuples}}]


def redirect(**more):
    """One action: somewhere else."""
    return [{"Order": 1, "Type": "Redirect", "RedirectConfig": {"Host": "elsewhere.example.com", "HttpCode": "302"} | more}]


def make(stage, listener, priority=10, path="/a/*", actions=None, **more):
    """An available rule."""
    new = {"ListenerId": listener, "Priority": priority, "RuleName": stage.build.name("rule")}
    new |= {"RuleConditions": conditions(path), "RuleActions": actions or redirect()}
    rule = stage("Alb.CreateRule", **(new | more))["RuleId"]
    wait_for(f"{rule} is Available", lambda: found(stage, rule)["RuleStatus"] == "Available")
    return rule


def found(stage, rule):
    """A rule as ListRules has it."""
    return one("rules", stage("Alb.ListRules", RuleIds=[rule])["Rules"])


@case
def a_rule_is_made_read_changed_and_deleted(stage):
    listener, group = stage.build.listener(), stage.build.server_group()
    rule = make(stage, listener, 20, actions=forward_to(group), RuleName="first")
    seen = found(stage, rule)
    wanted = {"RuleId": rule, "ListenerId": listener, "Priority": 20, "RuleName": "first"}
    contains("the rule", seen, wanted | {"LoadBalancerId": stage.build.shared_balancer})
    condition = one("conditions", seen["RuleConditions"])
    contains("the condition", condition, {"Type": "Path", "PathConfig": {"Values": ["/a/*"]}})
    action = one("actions", seen["RuleActions"])
    contains("the action", action, {"Type": "ForwardGroup", "Order": 1})
    equal("group", one("groups", action["ForwardGroupConfig"]["ServerGroupTuples"])["ServerGroupId"], group)
    change = {"Priority": 30, "RuleName": "second", "RuleConditions": conditions("/b"), "RuleActions": redirect()}
    stage("Alb.UpdateRuleAttribute", RuleId=rule, **change)
    wait_for("the rule is settled", lambda: found(stage, rule)["RuleStatus"] == "Available")
    seen = found(stage, rule)
    contains("the changed rule", seen, {"Priority": 30, "RuleName": "second"})
    contains("the new condition", one("conditions", seen["RuleConditions"]), {"PathConfig": {"Values": ["/b"]}})
    action = one("actions", seen["RuleActions"])
    contains("the new action", action["RedirectConfig"], {"Host": "elsewhere.example.com", "HttpCode": "302"})
    stage("Alb.DeleteRule", RuleId=rule)
    left = lambda: stage("Alb.ListRules", RuleIds=[rule])["Rules"]
    wait_for(f"{rule} is gone", lambda: left() == [])


@case
def rules_are_listed_by_listener(stage):
    listener = stage.build.listener()
    rules = [make(stage, listener, priority, f"/{priority}") for priority in (3, 1, 2)]
    listed = stage("Alb.ListRules", ListenerIds=[listener])["Rules"]
    equal("rules", {one["RuleId"]: one["Priority"] for one in listed}, dict(zip(rules, (3, 1, 2))))
