//! The DNS server, asked by dig.

use tokio::process::Command;

use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::Record;

use crate::support::{Region, balancer, eventually, has, run};

async fn dig(region: &Region, question: &[&str]) -> String {
    let dns = region.plane.dns();
    let mut command = Command::new("dig");
    command.arg(format!("@{}", dns.ip())).args([
        "-p",
        &dns.port().to_string(),
        "+tries=1",
        "+time=5",
        "+norecurse",
    ]);
    command.args(question);
    String::from_utf8(run(command, "").await.stdout).unwrap()
}

fn record(host: &str, kind: &str, value: &str) -> Record {
    Record { host: host.to_owned(), kind: kind.to_owned(), value: value.to_owned(), ttl: 600 }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_answered_as_alidns_does() {
    if !has("names_are_answered_as_alidns_does", &["dig"]) {
        return;
    }
    for hosts in [HostKind::Process, HostKind::None] {
        let mut region = Region::empty(hosts).await;
        let balancer = balancer(&[]);
        let name = balancer.dns_name.clone();
        region.desired.load_balancers.insert(balancer.id.clone(), balancer);
        region.desired.domains.insert("example.com".to_owned(), vec![record("@", "CNAME", &name)]);
        region.apply();
        let chain = format!("{name}.\n198.18.0.50\n198.18.0.51\n");
        eventually("the apex leads to the load balancer", async || {
            dig(&region, &["+short", "example.com", "A"]).await == chain
        })
        .await;
        assert_eq!(dig(&region, &["+short", "+tcp", "example.com", "A"]).await, chain);
        assert_eq!(dig(&region, &["+short", "example.com", "CNAME"]).await, format!("{name}.\n"));
        assert_eq!(dig(&region, &["+short", "example.com", "AAAA"]).await, format!("{name}.\n"));
        assert!(dig(&region, &["+short", "example.com", "SOA"]).await.starts_with("dns1.hichina.com."));
        assert!(dig(&region, &["example.com", "A"]).await.contains("flags: qr aa"));
        assert!(dig(&region, &["none.example.com", "A"]).await.contains("status: NXDOMAIN"));
        assert!(dig(&region, &["example.org", "A"]).await.contains("status: REFUSED"));
        // Records change while it runs.
        let domain = region.desired.domains.get_mut("example.com").unwrap();
        *domain = vec![record("www", "A", "1.2.3.4"), record("www", "TXT", "hello there")];
        region.apply();
        eventually("the new record is served", async || {
            dig(&region, &["+short", "www.example.com", "A"]).await == "1.2.3.4\n"
        })
        .await;
        assert_eq!(dig(&region, &["+short", "www.example.com", "TXT"]).await, "\"hello there\"\n");
        assert_eq!(dig(&region, &["+short", "example.com", "A"]).await, "");
        region.plane.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_run_side_by_side() {
    let (one, two) = (Region::empty(HostKind::None).await, Region::empty(HostKind::Process).await);
    assert_ne!(one.plane.dns().ip(), two.plane.dns().ip());
    one.plane.shutdown().await;
    two.plane.shutdown().await;
}
