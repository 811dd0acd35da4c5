//! A load balancer in front of machines: it comes from its vSwitch, and machines reach it by its public address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use mock_cloud::plane::spec::{
    CheckProtocol, ForwardedFor, Health, HealthCheck, HttpVersion, Listener, ListenerProtocol, LoadBalancer,
    Scheduler, Server, ServerGroup, ServerProtocol,
};

use crate::support::{Region, VPC, addresses, admit, can_have_machines, eventually};

const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 50);

fn balancer() -> LoadBalancer {
    let server = Server { vpc: VPC.to_owned(), address: NODE, port: 5000, weight: 100 };
    let listener = Listener {
        port: 80,
        protocol: ListenerProtocol::Http,
        idle_timeout: Duration::from_secs(15),
        request_timeout: Duration::from_secs(10),
        running: true,
        gzip: false,
        forwarded_for: ForwardedFor::Append,
        forwarded: Vec::new(),
        server_group: "sgp-1".to_owned(),
        rules: Vec::new(),
    };
    let group = ServerGroup {
        protocol: ServerProtocol::Http,
        scheduler: Scheduler::RoundRobin,
        servers: BTreeMap::from([("node".to_owned(), server)]),
        health_check: check(),
        sticky: None,
        drain: None,
        slow_start: None,
        keep_alive: true,
    };
    LoadBalancer {
        id: "alb-1".to_owned(),
        vpc: VPC.to_owned(),
        sources: vec![Ipv4Addr::new(192, 168, 1, 7)],
        dns_name: "alb-1.cn-hangzhou.alb.aliyuncsslb.com".to_owned(),
        addresses: vec![PUBLIC],
        listeners: BTreeMap::from([("lsn-1".to_owned(), listener)]),
        server_groups: BTreeMap::from([("sgp-1".to_owned(), group)]),
    }
}

fn check() -> HealthCheck {
    HealthCheck {
        enabled: true,
        protocol: CheckProtocol::Http,
        version: HttpVersion::Http11,
        host: None,
        path: "/".to_owned(),
        method: "GET".to_owned(),
        port: None,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(2),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        codes: vec!["http_2xx".to_owned()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_from_its_vswitch_and_is_let_in_by_a_rule_for_that_alone() {
    if !can_have_machines("it_comes_from_its_vswitch_and_is_let_in_by_a_rule_for_that_alone") {
        return;
    }
    let mut region = Region::with_machines(2).await;
    region.listen("i-ecs01", 5000).await;
    region.desired.load_balancers.insert("alb-1".to_owned(), balancer());
    region.apply();
    region
        .until("it is not let in", |status| {
            matches!(status.health.get("lsn-1").and_then(|own| own.get("node")), Some(Health::Unhealthy(_)))
        })
        .await;
    region.set_rules(vec![admit(22, addresses("0.0.0.0/0")), admit(5000, addresses("192.168.1.0/24"))]);
    region.until("it is let in", |status| status.health["lsn-1"]["node"] == Health::Healthy).await;

    let script = format!("curl --silent --max-time 5 -H 'Host: chat.example.com' http://{PUBLIC}/");
    assert_eq!(
        region.assist("i-ecs02", &script).await,
        "hello",
        "a machine reaches it by its public address"
    );
    region.desired.load_balancers.clear();
    region.apply();
    eventually("it is gone for machines too", async || {
        region.plane.run_command("i-ecs02", &script).await.is_ok_and(|said| said.exit_code != 0)
    })
    .await;
    region.plane.shutdown().await;
}
