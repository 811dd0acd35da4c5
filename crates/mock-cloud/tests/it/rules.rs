//! Forwarding rules of ALB listeners.

use mock_cloud::world::pace::Pace;
use mock_cloud::world::view::WorldView;
use serde_json::Value;

use crate::ground::{Ground, refusal, text};

struct Scene {
    ground: Ground,
    balancer: String,
    group: String,
    listener: String,
}

fn scene(pace: Pace, edition: &str) -> Scene {
    let mut ground = Ground::new(pace);
    let (vpc, balancer) = ground.balancer(edition);
    let group = ground.server_group(&vpc, &[]);
    let listener = text(&ground.listener(&balancer, &group, &[]).unwrap()["ListenerId"]);
    Scene { ground, balancer, group, listener }
}

impl Scene {
    /// A rule that forwards a path, changed by `more`; an empty value leaves a parameter out.
    fn parameters<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut new = vec![
            ("ListenerId", self.listener.as_str()),
            ("RuleName", "chat rule"),
            ("Priority", "10"),
            ("RuleConditions.1.Type", "Path"),
            ("RuleConditions.1.PathConfig.Values.1", "/chat/*"),
            ("RuleActions.1.Type", "ForwardGroup"),
            ("RuleActions.1.Order", "1"),
            ("RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", &self.group),
        ];
        new.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        new.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        new
    }

    fn create(&mut self, more: &[(&str, &str)]) -> Result<Value, (u16, String)> {
        let new: Vec<(String, String)> =
            self.parameters(more).iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let new: Vec<(&str, &str)> = new.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        self.ground.call("Alb.CreateRule", &new).map_err(|error| (error.status, error.code))
    }

    fn list(&mut self) -> Value {
        let own = [("ListenerIds.1", self.listener.clone())];
        let own: Vec<(&str, &str)> = own.iter().map(|(a, b)| (*a, b.as_str())).collect();
        self.ground.good("Alb.ListRules", &own)["Rules"].clone()
    }
}

const NO_FORWARD: [(&str, &str); 1] =
    [("RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId", "")];

#[test]
fn a_dry_run_draws_no_id() {
    let (token, port, dry) = (("ClientToken", "t"), ("ListenerPort", "81"), ("DryRun", "true"));
    let made = |runs_dry: bool| {
        let mut scene = scene(Pace::Instant, "Standard");
        let (balancer, group) = (scene.balancer.clone(), scene.group.clone());
        if runs_dry {
            scene.create(&[token, dry]).unwrap_err();
            scene.ground.listener(&balancer, &group, &[token, port, dry]).unwrap_err();
        }
        let rule = text(&scene.create(&[token]).unwrap()["RuleId"]);
        (rule, text(&scene.ground.listener(&balancer, &group, &[token, port]).unwrap()["ListenerId"]))
    };
    assert_eq!(made(false), made(true));
}

#[test]
fn the_world_shows_rules() {
    let mut scene = scene(Pace::Instant, "Standard");
    let id = text(&scene.create(&[]).unwrap()["RuleId"]);
    let shown = serde_json::to_value(WorldView(&scene.ground.world)).unwrap();
    assert_eq!(shown["rules"][&id]["name"], "chat rule");
    assert!(["nat_gateways", "snat_entries", "disks"].iter().all(|kind| shown[kind].is_object()), "{shown}");
}

#[test]
fn a_rule_is_made_changed_and_deleted() {
    let mut scene = scene(Pace::Instant, "Standard");
    let made = scene.create(&[("Tag.1.Key", "stack"), ("Tag.1.Value", "chat")]).unwrap();
    let id = text(&made["RuleId"]);
    assert!(id.starts_with("rule-") && made["JobId"].is_string());
    let rules = scene.list();
    assert_eq!(rules[0]["RuleStatus"], "Available");
    assert_eq!(rules[0]["RuleConditions"][0]["PathConfig"]["Values"][0], "/chat/*");
    let tuple = &rules[0]["RuleActions"][0]["ForwardGroupConfig"]["ServerGroupTuples"][0];
    assert_eq!((&tuple["ServerGroupId"], &tuple["Weight"]), (&scene.group.as_str().into(), &100.into()));
    assert_eq!(rules[0]["Tags"][0]["Value"], "chat");
    let group = ("ServerGroupId", scene.group.as_str());
    assert_eq!(
        scene.ground.refused("Alb.DeleteServerGroup", &[group]),
        refusal(400, "ResourceInUse.ServerGroup")
    );
    let change = [
        ("RuleId", id.as_str()),
        ("Priority", "5"),
        ("RuleActions.1.Type", "FixedResponse"),
        ("RuleActions.1.Order", "1"),
        ("RuleActions.1.FixedResponseConfig.Content", "closed"),
        ("RuleActions.1.FixedResponseConfig.HttpCode", "503"),
    ];
    scene.ground.good("Alb.UpdateRuleAttribute", &change);
    let rules = scene.list();
    assert_eq!((&rules[0]["Priority"], &rules[0]["RuleName"]), (&5.into(), &"chat rule".into()));
    assert_eq!(rules[0]["RuleActions"][0]["FixedResponseConfig"]["HttpCode"], "503");
    scene.ground.good("Alb.DeleteRule", &[("RuleId", &id)]);
    assert_eq!(scene.list(), serde_json::json!([]));
    assert_eq!(
        scene.ground.refused("Alb.DeleteRule", &[("RuleId", &id)]),
        refusal(404, "ResourceNotFound.Rule")
    );
}

#[test]
fn rules_of_one_listener_are_changed_one_after_the_other() {
    let mut scene = scene(Pace::Real, "Standard");
    let made = scene.create(&[]).unwrap();
    let job = [("JobIds.1", made["JobId"].as_str().unwrap())];
    assert_eq!(scene.ground.good("Alb.ListAsynJobs", &job)["Jobs"][0]["Status"], "Processing");
    let second = [("Priority", "11")];
    assert_eq!(scene.create(&second).unwrap_err(), refusal(400, "ResourceInConfiguring.Listener"));
    assert_eq!(scene.list(), serde_json::json!([]), "lists lag behind");
    scene.ground.wait(3);
    assert_eq!(scene.list()[0]["RuleStatus"], "Provisioning");
    scene.ground.wait(30);
    assert_eq!(scene.list()[0]["RuleStatus"], "Available");
    let jobs = scene.ground.good("Alb.ListAsynJobs", &job);
    assert_eq!(
        (&jobs["Jobs"][0]["Status"], &jobs["Jobs"][0]["ResourceType"]),
        (&"Succeeded".into(), &"rule".into())
    );
    scene.create(&second).unwrap();
}

#[test]
fn a_priority_is_taken_once_in_a_listener() {
    let mut scene = scene(Pace::Instant, "Basic");
    let first = text(&scene.create(&[]).unwrap()["RuleId"]);
    assert_eq!(scene.create(&[]).unwrap_err(), refusal(400, "Conflict.Priority"));
    let second = text(&scene.create(&[("Priority", "11")]).unwrap()["RuleId"]);
    let change = [("RuleId", second.as_str()), ("Priority", "10")];
    assert_eq!(scene.ground.refused("Alb.UpdateRuleAttribute", &change), refusal(400, "Conflict.Priority"));
    scene.ground.good("Alb.UpdateRuleAttribute", &[("RuleId", &first), ("Priority", "10")]);
    for outside in ["0", "10001"] {
        assert_eq!(scene.create(&[("Priority", outside)]).unwrap_err(), refusal(400, "InvalidParameter"));
    }
}

#[test]
fn a_redirect_leads_somewhere_else() {
    let mut scene = scene(Pace::Instant, "Basic");
    let mut redirect = |more: &[(&'static str, &'static str)]| {
        let mut new = vec![("RuleActions.1.Type", "Redirect")];
        new.extend(NO_FORWARD);
        new.extend(more);
        scene.create(&new)
    };
    let host = "RuleActions.1.RedirectConfig.Host";
    let code = "RuleActions.1.RedirectConfig.HttpCode";
    assert_eq!(redirect(&[(code, "302")]).unwrap_err(), refusal(400, "InvalidParameter"));
    assert_eq!(
        redirect(&[(host, "www.example.com"), (code, "304")]).unwrap_err(),
        refusal(400, "InvalidParameter")
    );
    redirect(&[(host, "www.example.com")]).unwrap();
    let config = &scene.list()[0]["RuleActions"][0]["RedirectConfig"];
    assert_eq!((&config["HttpCode"], &config["Path"]), (&"301".into(), &"${path}".into()));
}

#[test]
fn conditions_and_actions_are_limited_by_edition() {
    let mut scene = scene(Pace::Instant, "Basic");
    let methods = ["GET", "POST", "PUT", "HEAD", "DELETE"];
    let names: Vec<String> = (1..=5).map(|n| format!("RuleConditions.2.MethodConfig.Values.{n}")).collect();
    let mut more = vec![("RuleConditions.2.Type", "Method")];
    more.extend(names.iter().map(String::as_str).zip(methods));
    assert_eq!(scene.create(&more).unwrap_err(), refusal(400, "QuotaExceeded.RuleMatchEvaluationsNum"));
    let names: Vec<String> = (2..=6).map(|n| format!("RuleConditions.1.PathConfig.Values.{n}")).collect();
    let paths: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "/*")).collect();
    assert_eq!(scene.create(&paths).unwrap_err(), refusal(400, "QuotaExceeded.RuleMatchEvaluationsNum"));
    let inserts: Vec<[String; 4]> = (2..=4)
        .map(|n| {
            ["Type", "Order", "InsertHeaderConfig.Key", "InsertHeaderConfig.Value"]
                .map(|name| format!("RuleActions.{n}.{name}"))
        })
        .collect();
    let orders = ["2", "3", "4"];
    let mut more = vec![("RuleActions.1.Order", "9")];
    for (names, order) in inserts.iter().zip(orders) {
        let values = ["InsertHeader", order, "X-Chat", "yes"];
        more.extend(names.iter().map(String::as_str).zip(values));
    }
    assert_eq!(scene.create(&more).unwrap_err(), refusal(400, "QuotaExceeded.RuleActionsNum"));
    more.truncate(more.len() - 4);
    scene.create(&more).unwrap();
    assert_eq!(scene.list()[0]["RuleActions"][2]["Type"], "ForwardGroup", "the last in order is the last");
}

#[test]
fn what_a_rule_is_made_of_is_checked() {
    let mut scene = scene(Pace::Instant, "Standard");
    let path = "RuleConditions.1.PathConfig.Values.1";
    let kind = "RuleConditions.1.Type";
    let bad: &[&[(&str, &str)]] = &[
        &[(path, "no-slash")],
        &[(kind, "Host"), (path, ""), ("RuleConditions.1.HostConfig.Values.1", "nodots")],
        &[(kind, "Method"), (path, ""), ("RuleConditions.1.MethodConfig.Values.1", "BREW")],
        &[(kind, "SourceIp"), (path, ""), ("RuleConditions.1.SourceIpConfig.Values.1", "10.0.0")],
        &[
            (kind, "Header"),
            (path, ""),
            ("RuleConditions.1.HeaderConfig.Key", "Cookie"),
            ("RuleConditions.1.HeaderConfig.Values.1", "x"),
        ],
        &[(kind, "Weather")],
        &[("RuleActions.1.Order", "50001")],
        &[("RuleActions.1.Type", "Rewrite"), ("RuleActions.1.RewriteConfig.Path", "/x")],
        &[("Direction", "Sideways")],
    ];
    for more in bad {
        assert_eq!(scene.create(more).unwrap_err(), refusal(400, "InvalidParameter"), "{more:?}");
    }
    let group = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId";
    assert_eq!(
        scene.create(&[(group, "sgp-none")]).unwrap_err(),
        refusal(404, "ResourceNotFound.ServerGroup")
    );
    assert_eq!(
        scene.create(&[("ListenerId", "lsn-none")]).unwrap_err(),
        refusal(404, "ResourceNotFound.Listener")
    );
    let (other, _) = scene.ground.network();
    let far = scene.ground.server_group(&other, &[]);
    assert_eq!(scene.create(&[(group, &far)]).unwrap_err(), refusal(400, "Mismatch.VpcId"));
    let dry = [("DryRun", "true")];
    assert_eq!(scene.create(&dry).unwrap_err(), refusal(400, "DryRunOperation"));
    assert_eq!(scene.list(), serde_json::json!([]));
    let good: &[&[(&str, &str)]] = &[
        &[(kind, "Host"), (path, ""), ("RuleConditions.1.HostConfig.Values.1", "*.example.com")],
        &[
            (kind, "Cookie"),
            (path, ""),
            ("RuleConditions.1.CookieConfig.Values.1.Key", "user"),
            ("RuleConditions.1.CookieConfig.Values.1.Value", "a*"),
        ],
        &[(kind, "SourceIp"), (path, ""), ("RuleConditions.1.SourceIpConfig.Values.1", "10.0.0.0/8")],
    ];
    for (index, more) in good.iter().enumerate() {
        let priority = (index + 1).to_string();
        let mut more = more.to_vec();
        more.push(("Priority", &priority));
        scene.create(&more).unwrap();
    }
    let kinds = scene.list();
    let kinds: Vec<&Value> =
        kinds.as_array().unwrap().iter().map(|rule| &rule["RuleConditions"][0]["Type"]).collect();
    assert_eq!(kinds, ["Host", "Cookie", "SourceIp"], "by priority");
}

#[test]
fn rules_go_with_their_listener_and_are_listed_by_balancer_in_pages() {
    let mut scene = scene(Pace::Instant, "Standard");
    for priority in ["3", "1", "2"] {
        scene.create(&[("Priority", priority)]).unwrap();
    }
    let own = ("LoadBalancerIds.1", scene.balancer.as_str());
    let first = scene.ground.good("Alb.ListRules", &[own, ("MaxResults", "2")]);
    let next = text(&first["NextToken"]);
    let second = scene.ground.good("Alb.ListRules", &[own, ("MaxResults", "2"), ("NextToken", &next)]);
    let priorities = |page: &Value| -> Vec<i64> {
        page["Rules"].as_array().unwrap().iter().map(|rule| rule["Priority"].as_i64().unwrap()).collect()
    };
    assert_eq!((priorities(&first), priorities(&second)), (vec![1, 2], vec![3]));
    assert_eq!(second["NextToken"], "");
    scene.ground.good("Alb.DeleteListener", &[("ListenerId", &scene.listener)]);
    assert_eq!(scene.ground.good("Alb.ListRules", &[own])["Rules"], serde_json::json!([]));
    scene.ground.good("Alb.DeleteServerGroup", &[("ServerGroupId", &scene.group)]);
}

#[test]
fn a_balancer_has_as_many_rules_as_its_edition_allows() {
    let mut scene = scene(Pace::Instant, "Basic");
    for priority in 1..=40 {
        scene.create(&[("Priority", &priority.to_string())]).unwrap();
    }
    assert_eq!(
        scene.create(&[("Priority", "41")]).unwrap_err(),
        refusal(400, "ResourceQuotaExceeded.LoadBalancerRulesNum")
    );
}
