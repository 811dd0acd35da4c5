//! Rules of security groups: changed where they are.

use serde_json::Value;

use crate::ground::{Ground, REGION, refusal, text};

fn group(ground: &mut Ground) -> String {
    let (vpc, _) = ground.network();
    ground.security_group(&vpc)
}

/// Lets in port 22 from a source, and says what the rule is called.
fn let_in(ground: &mut Ground, group: &str, source: &str) -> String {
    let rule = [
        REGION,
        ("SecurityGroupId", group),
        ("Permissions.1.IpProtocol", "TCP"),
        ("Permissions.1.PortRange", "22/22"),
        ("Permissions.1.SourceCidrIp", source),
        ("Permissions.1.Description", "first"),
    ];
    ground.good("Ecs.AuthorizeSecurityGroup", &rule);
    let all = rules(ground, group);
    let own = all.iter().find(|rule| rule["SourceCidrIp"] == source).unwrap();
    text(&own["SecurityGroupRuleId"])
}

fn rules(ground: &mut Ground, group: &str) -> Vec<Value> {
    let told = ground.good("Ecs.DescribeSecurityGroupAttribute", &[REGION, ("SecurityGroupId", group)]);
    told["Permissions"]["Permission"].as_array().unwrap().clone()
}

#[test]
fn a_rule_changes_in_what_is_given_and_in_nothing_else() {
    let mut ground = Ground::instant();
    let group = group(&mut ground);
    let rule = let_in(&mut ground, &group, "10.0.0.0/8");
    let named = [REGION, ("SecurityGroupId", group.as_str()), ("SecurityGroupRuleId", rule.as_str())];
    let mut expected = rules(&mut ground, &group)[0].clone();
    for (parameter, field, value) in [
        ("Description", "Description", "second"),
        ("Priority", "Priority", "7"),
        ("Policy", "Policy", "Drop"),
        ("PortRange", "PortRange", "23/24"),
        ("SourceCidrIp", "SourceCidrIp", "10.1.0.0/16"),
    ] {
        let more = [named.as_slice(), &[(parameter, value)]].concat();
        ground.good("Ecs.ModifySecurityGroupRule", &more);
        expected[field] = value.into();
        assert_eq!(rules(&mut ground, &group), [expected.clone()], "{parameter}");
    }
}

#[test]
fn a_change_of_a_rule_that_is_none_is_refused_and_changes_nothing() {
    let mut ground = Ground::instant();
    let group = group(&mut ground);
    let rule = let_in(&mut ground, &group, "10.0.0.0/8");
    let_in(&mut ground, &group, "10.1.0.0/16");
    let before = rules(&mut ground, &group);
    let long = "x".repeat(513);
    for (id, parameter, value, status, code) in [
        (rule.as_str(), "SourceCidrIp", "10.1.0.0/16", 400, "InvalidParam.DuplicatePermissions"),
        (&rule, "Priority", "101", 400, "InvalidPriority.Malformed"),
        (&rule, "Policy", "perhaps", 400, "InvalidPolicy.Malformed"),
        (&rule, "IpProtocol", "GRE", 400, "InvalidPortRange.Malformed"),
        (&rule, "Description", &long, 400, "InvalidSecurityGroupDiscription.Malformed"),
        ("sgr-nobody", "Description", "second", 404, "InvalidSecurityGroupRuleId.NotFound"),
    ] {
        let given = [REGION, ("SecurityGroupId", &group), ("SecurityGroupRuleId", id), (parameter, value)];
        assert_eq!(
            ground.refused("Ecs.ModifySecurityGroupRule", &given),
            refusal(status, code),
            "{parameter}"
        );
    }
    assert_eq!(rules(&mut ground, &group), before);
}
