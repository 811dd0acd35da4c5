//! Names whose own servers and whose resolvers say different things, and names that nobody asks for.

use std::net::SocketAddr;

use super::names::{self, Record};
use super::room::Behaviour;
use super::{BALANCER, OUTSIDE, alias, check, failed, report, scenario};
use crate::verify::{Authorities, CheckId, Scenario, Status};

/// With these servers of the zone, and this resolver.
async fn split(zone: Vec<Record>, resolver: Record) -> Scenario {
    let mut servers = Vec::new();
    for record in zone {
        servers.push(names::serve(record).await);
    }
    Scenario { authorities: Authorities::At(servers), ..scenario(Behaviour::default(), resolver).await }
}

fn old() -> Record {
    Record::Alias("alb-old.cn-hangzhou.alb.aliyuncsslb.com".to_owned(), OUTSIDE)
}

#[tokio::test]
async fn a_record_that_has_spread_passes_with_time_and_ttl() {
    let later = Record::After(3, Box::new(alias()));
    let report = report(&split(vec![alias(), later], alias()).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let dns = check(&report, CheckId::DnsCname);
    assert!(dns.evidence["propagation"].starts_with("2 of 2 after "), "{dns:?}");
    // The second server knew nothing at first, so more than one look was needed.
    assert!(!dns.evidence["propagation"].ends_with("after 0.0 s"), "{dns:?}");
    assert_eq!((dns.evidence["ttl"].as_str(), dns.evidence["kept_for"].as_str()), ("600 s", "600 s"));
    assert_eq!(dns.evidence.keys().filter(|name| name.starts_with("authority.")).count(), 2);
}

#[tokio::test]
async fn what_a_resolver_has_kept_is_told_apart_from_what_the_zone_says() {
    let missing = || Record::Missing;
    for (zone, resolver, words) in [
        (alias(), old(), "the zone's own servers have it right, and "),
        (alias(), missing(), "has kept that there is no such name"),
        (old(), alias(), ", one of the zone's own servers, still says alb-old."),
        (missing(), alias(), ", one of the zone's own servers, knows no such name"),
        (
            Record::Address(OUTSIDE),
            alias(),
            ", one of the zone's own servers, has no alias, only the address",
        ),
        (alias(), Record::Silent, "does not answer"),
    ] {
        let report = report(&split(vec![alias(), zone], resolver).await).await;
        let dns = check(&report, CheckId::DnsCname);
        assert_eq!(dns.status, Status::Failed);
        let start = format!("expected example.com to be an alias of {BALANCER}., but ");
        assert!(dns.sentence.starts_with(&start) && dns.sentence.contains(words), "{words}: {dns:?}");
        assert!(dns.hint.as_ref().unwrap().starts_with("dig @127.0.0.1 -p "), "{dns:?}");
    }
}

#[tokio::test]
async fn a_server_of_the_zone_that_nobody_may_ask_is_no_fault() {
    let report = report(&split(vec![alias(), Record::Silent], alias()).await).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let dns = check(&report, CheckId::DnsCname);
    assert!(dns.evidence["propagation"].starts_with("1 of 2 after "), "{dns:?}");
    assert!(dns.evidence.values().any(|answer| answer.starts_with("no answer: ")), "{dns:?}");
}

#[tokio::test]
async fn zone_servers_that_cannot_be_found_are_evidence() {
    let zone = Authorities::OfZone("example.com".to_owned());
    let lost = Scenario { authorities: zone, ..scenario(Behaviour::default(), alias()).await };
    let report = report(&lost).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    assert!(!check(&report, CheckId::DnsCname).evidence.contains_key("propagation"));
}

#[tokio::test]
async fn where_it_is_said_where_to_connect_nobody_asks_for_the_name() {
    let room = scenario(Behaviour::default(), alias()).await;
    let target = room.address_map.resolve(OUTSIDE, 5000).unwrap();
    let blind = Scenario {
        connect_to: [(5000, target)].into(),
        address_map: crate::base::address_map::AddressMap::Mapped([].into()),
        dns_server: Some(names::serve(Record::Silent).await),
        ..room
    };
    let report = report(&blind).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    let dns = check(&report, CheckId::DnsCname);
    let told = format!("example.com:5000 is connected to at {target} (--connect-to)");
    assert_eq!((dns.status, dns.sentence.as_str()), (Status::Skipped, told.as_str()));

    let nobody: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wrong = Scenario { connect_to: [(5000, nobody)].into(), ..blind };
    let report = super::report(&wrong).await;
    assert!(
        check(&report, CheckId::PageLoads).sentence.contains(&format!("{nobody} refuses")),
        "{report:#?}"
    );
}
