//! A load balancer as most tests want one; those that want something else change it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use mock_cloud::plane::spec::{
    CheckProtocol, ForwardedFor, HealthCheck, HttpVersion, Listener, ListenerProtocol, LoadBalancer,
    Scheduler, Server, ServerGroup, ServerProtocol,
};

/// One HTTP listener, `lsn-1` on port 5000, before the group `sgp-1` of these servers, which is checked quickly.
pub(crate) fn balancer(vpc: &str, servers: BTreeMap<String, Server>) -> LoadBalancer {
    let listener = Listener {
        port: 5000,
        protocol: ListenerProtocol::Http,
        idle_timeout: Duration::from_secs(15),
        request_timeout: Duration::from_secs(10),
        running: true,
        gzip: true,
        forwarded_for: ForwardedFor::Append,
        forwarded: Vec::new(),
        server_group: "sgp-1".to_owned(),
        rules: Vec::new(),
    };
    let group = ServerGroup {
        protocol: ServerProtocol::Http,
        scheduler: Scheduler::RoundRobin,
        servers,
        health_check: quick_checks(),
        sticky: None,
        drain: None,
        slow_start: None,
        keep_alive: true,
    };
    LoadBalancer {
        id: "alb-1".to_owned(),
        vpc: vpc.to_owned(),
        sources: vec![Ipv4Addr::new(192, 168, 0, 200)],
        dns_name: "alb-1.cn-hangzhou.alb.aliyuncsslb.com".to_owned(),
        addresses: vec![Ipv4Addr::new(198, 18, 0, 50), Ipv4Addr::new(198, 18, 0, 51)],
        listeners: BTreeMap::from([("lsn-1".to_owned(), listener)]),
        server_groups: BTreeMap::from([("sgp-1".to_owned(), group)]),
    }
}

fn quick_checks() -> HealthCheck {
    HealthCheck {
        enabled: true,
        protocol: CheckProtocol::Http,
        version: HttpVersion::Http11,
        host: None,
        path: "/healthz".to_owned(),
        method: "HEAD".to_owned(),
        port: None,
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(2),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        codes: vec!["http_2xx".to_owned()],
    }
}
