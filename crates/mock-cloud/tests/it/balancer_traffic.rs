//! What the API is told of load balancers reaches those who carry traffic; what it does there is tested with sockets.

use std::time::Duration;

use mock_cloud::plane::spec::rule::{ActionKind, Condition, Direction};
use mock_cloud::plane::spec::{
    CheckProtocol, ForwardedFor, ForwardedHeader, HealthCheck, HttpVersion, ListenerProtocol, LoadBalancer,
    Scheduler, ServerProtocol, Sticky, Tls,
};
use mock_cloud::world::pace::Pace;

use crate::ground::{Ground, text};

const ON: (&str, &str) = ("HealthCheckConfig.HealthCheckEnabled", "true");

fn traffic(ground: &Ground, balancer: &str) -> LoadBalancer {
    ground.world.desired().load_balancers[balancer].clone()
}

/// A group with these settings behind a plain listener.
fn group(more: &[(&str, &str)]) -> mock_cloud::plane::spec::ServerGroup {
    let mut ground = Ground::new(Pace::Real);
    let (vpc, balancer) = ground.balancer("Standard");
    let group = ground.server_group(&vpc, more);
    ground.listener(&balancer, &group, &[]).unwrap();
    traffic(&ground, &balancer).server_groups[&group].clone()
}

#[test]
fn settings_of_a_group_reach_its_traffic() {
    let plain = group(&[]);
    assert_eq!((plain.scheduler, plain.protocol), (Scheduler::RoundRobin, ServerProtocol::Http));
    assert_eq!((plain.sticky, plain.drain, plain.slow_start), (None, None, None));
    assert!(!plain.keep_alive && !plain.health_check.enabled);
    let sticky = ("StickySessionConfig.StickySessionEnabled", "true");
    let whole = group(&[
        ("Scheduler", "Wrr"),
        sticky,
        ("StickySessionConfig.CookieTimeout", "70"),
        ("ConnectionDrainConfig.ConnectionDrainEnabled", "true"),
        ("ConnectionDrainConfig.ConnectionDrainTimeout", "80"),
        ("SlowStartConfig.SlowStartEnabled", "true"),
        ("SlowStartConfig.SlowStartDuration", "90"),
        ("UpstreamKeepaliveEnabled", "true"),
    ]);
    assert_eq!(whole.sticky, Some(Sticky::Insert(Duration::from_secs(70))));
    assert_eq!(whole.drain, Some(Duration::from_secs(80)));
    assert_eq!(whole.slow_start, Some(Duration::from_secs(90)));
    assert!(whole.keep_alive);
    let own =
        [sticky, ("StickySessionConfig.StickySessionType", "Server"), ("StickySessionConfig.Cookie", "user")];
    assert_eq!(group(&own).sticky, Some(Sticky::Server("user".to_owned())));
    for (word, scheduler) in [("Wlc", Scheduler::LeastConnections), ("Sch", Scheduler::SourceHash)] {
        assert_eq!(group(&[("Scheduler", word)]).scheduler, scheduler);
    }
}

#[test]
fn a_health_check_reaches_its_traffic() {
    let default = group(&[ON]).health_check;
    let expected = HealthCheck {
        enabled: true,
        protocol: CheckProtocol::Http,
        version: HttpVersion::Http11,
        host: None,
        path: "/".to_owned(),
        method: "HEAD".to_owned(),
        port: None,
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        healthy_threshold: 3,
        unhealthy_threshold: 3,
        codes: vec!["http_2xx".to_owned()],
    };
    assert_eq!(default, expected);
    let other = group(&[
        ON,
        ("HealthCheckConfig.HealthCheckProtocol", "HTTPS"),
        ("HealthCheckConfig.HealthCheckHttpVersion", "HTTP1.0"),
        ("HealthCheckConfig.HealthCheckHost", "chat.example.com"),
        ("HealthCheckConfig.HealthCheckPath", "/healthz"),
        ("HealthCheckConfig.HealthCheckMethod", "GET"),
        ("HealthCheckConfig.HealthCheckConnectPort", "5001"),
        ("HealthCheckConfig.HealthCheckInterval", "7"),
        ("HealthCheckConfig.HealthCheckTimeout", "8"),
        ("HealthCheckConfig.HealthyThreshold", "4"),
        ("HealthCheckConfig.UnhealthyThreshold", "6"),
        ("HealthCheckConfig.HealthCheckCodes.1", "http_3xx"),
    ]);
    let expected = HealthCheck {
        enabled: true,
        protocol: CheckProtocol::Https,
        version: HttpVersion::Http10,
        host: Some("chat.example.com".to_owned()),
        path: "/healthz".to_owned(),
        method: "GET".to_owned(),
        port: Some(5001),
        interval: Duration::from_secs(7),
        timeout: Duration::from_secs(8),
        healthy_threshold: 4,
        unhealthy_threshold: 6,
        codes: vec!["http_3xx".to_owned()],
    };
    assert_eq!(other.health_check, expected);
    let tcp = group(&[ON, ("HealthCheckConfig.HealthCheckProtocol", "TCP")]);
    assert_eq!(tcp.health_check.protocol, CheckProtocol::Tcp);
}

#[test]
fn settings_of_a_listener_reach_its_traffic() {
    let mut ground = Ground::new(Pace::Real);
    let (vpc, balancer) = ground.balancer("Standard");
    let group = ground.server_group(&vpc, &[]);
    let made = ground.listener(&balancer, &group, &[]).unwrap();
    let id = text(&made["ListenerId"]);
    let listener = traffic(&ground, &balancer).listeners[&id].clone();
    assert_eq!((listener.port, listener.protocol), (80, ListenerProtocol::Http));
    assert_eq!(listener.idle_timeout, Duration::from_secs(15));
    assert_eq!(listener.request_timeout, Duration::from_mins(1));
    assert!(listener.gzip && listener.running && listener.forwarded.is_empty());
    assert_eq!(listener.forwarded_for, ForwardedFor::Append);
    let change = [
        ("ListenerId", id.as_str()),
        ("IdleTimeout", "30"),
        ("RequestTimeout", "40"),
        ("GzipEnabled", "false"),
        ("XForwardedForConfig.XForwardedForProcessingMode", "remove"),
        ("XForwardedForConfig.XForwardedForProtoEnabled", "true"),
        ("XForwardedForConfig.XForwardedForSLBPortEnabled", "true"),
        ("XForwardedForConfig.XForwardedForHostEnabled", "true"),
        ("XForwardedForConfig.XForwardedForClientSrcPortEnabled", "true"),
        ("XForwardedForConfig.XForwardedForSLBIdEnabled", "true"),
    ];
    ground.good("Alb.UpdateListenerAttribute", &change);
    let listener = traffic(&ground, &balancer).listeners[&id].clone();
    assert_eq!(listener.idle_timeout, Duration::from_secs(30));
    assert_eq!(listener.request_timeout, Duration::from_secs(40));
    assert!(!listener.gzip);
    assert_eq!(listener.forwarded_for, ForwardedFor::Remove);
    let all = [
        ForwardedHeader::Protocol,
        ForwardedHeader::Port,
        ForwardedHeader::Host,
        ForwardedHeader::ClientPort,
        ForwardedHeader::BalancerId,
    ];
    assert_eq!(listener.forwarded, all);
    ground.wait(60);
    let off = [("ListenerId", id.as_str()), ("XForwardedForConfig.XForwardedForEnabled", "false")];
    ground.good("Alb.UpdateListenerAttribute", &off);
    assert_eq!(traffic(&ground, &balancer).listeners[&id].forwarded_for, ForwardedFor::Untouched);
}

#[test]
fn tls_of_a_listener_reaches_its_traffic() {
    let mut ground = Ground::new(Pace::Real);
    let (vpc, balancer) = ground.balancer("Standard");
    let group = ground.server_group(&vpc, &[]);
    let (default, other) = (ground.certificate("default"), ground.certificate("other"));
    let new = [
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("Certificates.1.CertificateId", default.as_str()),
        ("SecurityPolicyId", "tls_cipher_policy_1_2_strict_with_1_3"),
    ];
    let id = text(&ground.listener(&balancer, &group, &new).unwrap()["ListenerId"]);
    let tls = |ground: &Ground| -> Tls {
        match &traffic(ground, &balancer).listeners[&id].protocol {
            ListenerProtocol::Https(tls) => tls.clone(),
            ListenerProtocol::Http => panic!("it is a TLS listener"),
        }
    };
    let first = tls(&ground);
    assert_eq!(first.versions, ["TLSv1.2", "TLSv1.3"]);
    assert!(first.http2 && first.ciphers.iter().any(|own| own == "ECDHE-RSA-AES128-GCM-SHA256"));
    assert_eq!(first.certificates.len(), 1);
    assert_eq!(first.certificates[0].names, ["default.example.com"]);
    let associate = [("ListenerId", id.as_str()), ("Certificates.1.CertificateId", &other)];
    ground.good("Alb.AssociateAdditionalCertificatesWithListener", &associate);
    assert_eq!(tls(&ground).certificates.len(), 1, "it is still on its way");
    ground.wait(60);
    let names: Vec<_> = tls(&ground).certificates.into_iter().flat_map(|own| own.names).collect();
    assert_eq!(names, ["default.example.com", "other.example.com"]);
    ground.good("Alb.UpdateListenerAttribute", &[("ListenerId", &id), ("Http2Enabled", "false")]);
    assert!(!tls(&ground).http2);
}

#[test]
fn rules_reach_the_traffic_of_their_listener_with_their_groups() {
    let mut ground = Ground::new(Pace::Real);
    let (vpc, balancer) = ground.balancer("Standard");
    let (group, other) = (ground.server_group(&vpc, &[]), ground.server_group(&vpc, &[]));
    let id = text(&ground.listener(&balancer, &group, &[]).unwrap()["ListenerId"]);
    let rule = |priority: &str, path: &str, group: &str| -> Vec<(String, String)> {
        let tuple = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId";
        let pairs = [
            ("ListenerId", id.as_str()),
            ("RuleName", "chat"),
            ("Priority", priority),
            ("RuleConditions.1.Type", "Path"),
            ("RuleConditions.1.PathConfig.Values.1", path),
            ("RuleActions.1.Type", "ForwardGroup"),
            ("RuleActions.1.Order", "1"),
            (tuple, group),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    for given in [rule("7", "/weak", &group), rule("3", "/strong", &other)] {
        let given: Vec<(&str, &str)> = given.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        ground.good("Alb.CreateRule", &given);
        assert!(traffic(&ground, &balancer).listeners[&id].rules.len() < 2, "not at once");
        ground.wait(60);
    }
    let traffic = traffic(&ground, &balancer);
    assert!(traffic.server_groups.contains_key(&group) && traffic.server_groups.contains_key(&other));
    let rules = &traffic.listeners[&id].rules;
    let paths: Vec<&Condition> = rules.iter().flat_map(|rule| &rule.conditions).collect();
    let path = |text: &str| Condition::Path(vec![text.to_owned()]);
    assert_eq!(paths, [&path("/strong"), &path("/weak")]);
    assert_eq!(rules[0].direction, Direction::Request);
    assert_eq!(rules[0].actions, [ActionKind::ForwardGroup { groups: vec![(other, 100)], sticky: None }]);
}
