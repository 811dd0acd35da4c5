//! A load balancer in front of machines: it comes from its vSwitch, and machines reach it by its public address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use mock_cloud::plane::spec::{Health, LoadBalancer, Server};

use crate::support::{Region, VPC, addresses, admit, can_have_machines, eventually};

const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 50);

/// Before the node: another port, another vSwitch, and checks that what listens there answers.
fn balancer() -> LoadBalancer {
    let server = Server { vpc: VPC.to_owned(), address: NODE, port: 5000, weight: 100 };
    let mut balancer = crate::balancer::balancer(VPC, BTreeMap::from([("node".to_owned(), server)]));
    balancer.sources = vec![Ipv4Addr::new(192, 168, 1, 7)];
    balancer.addresses = vec![PUBLIC];
    let listener = balancer.listeners.get_mut("lsn-1").unwrap();
    (listener.port, listener.gzip) = (80, false);
    let check = &mut balancer.server_groups.get_mut("sgp-1").unwrap().health_check;
    (check.method, check.path) = ("GET".to_owned(), "/".to_owned());
    check.interval = Duration::from_millis(100);
    balancer
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
