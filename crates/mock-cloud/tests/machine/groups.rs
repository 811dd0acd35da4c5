//! Security groups between machines, from outside, and in two regions at once.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use mock_cloud::plane::spec::Source;

use crate::support::{NODES, OTHERS, Region, addresses, admit, can_have_machines, instance};

const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_opens_is_closed_to_another_group_and_open_inside() {
    if !can_have_machines("what_no_rule_opens_is_closed_to_another_group_and_open_inside") {
        return;
    }
    let mut stranger = instance(3);
    stranger.security_groups = vec![OTHERS.to_owned()];
    let mut region = Region::with(vec![instance(1), instance(2), stranger]).await;
    region.all_ready().await;
    region.listen("i-ecs02", 6379).await;
    assert!(region.reaches("i-ecs01", SECOND, 6379).await, "members of a normal group admit each other");
    assert!(!region.reaches("i-ecs03", SECOND, 6379).await, "nobody opened it to another group");
    assert!(region.reaches("i-ecs03", SECOND, 22).await, "this was opened to all");

    let from_others = Source::Group(OTHERS.to_owned());
    region.set_rules(vec![admit(22, addresses("0.0.0.0/0")), admit(6379, from_others)]);
    crate::support::eventually("the rule is in force", async || {
        region.reaches("i-ecs03", SECOND, 6379).await
    })
    .await;
    region.set_rules(Vec::new());
    crate::support::eventually("it is not any more", async || !region.reaches("i-ecs03", SECOND, 6379).await)
        .await;
    assert!(!region.reaches("i-ecs03", SECOND, 22).await);
    let group = region.desired.security_groups.get_mut(NODES).unwrap();
    group.inside = mock_cloud::plane::spec::Inside::Closed;
    region.apply();
    crate::support::eventually("inside an enterprise group nothing is open", async || {
        !region.reaches("i-ecs01", SECOND, 6379).await
    })
    .await;
    region.plane.shutdown().await;
}

/// Whether the SSH server of the public machine greets somebody from outside.
fn is_greeted(region: &Region) -> bool {
    let Ok(mut stream) = TcpStream::connect(region.ssh_server()) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut [0; 4]).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_outside_only_what_is_opened_to_outside_is_reached() {
    if !can_have_machines("from_outside_only_what_is_opened_to_outside_is_reached") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    assert!(is_greeted(&region));
    let ports =
        |region: &Region| -> Vec<String> { region.plane.status().connect_to.keys().cloned().collect() };
    assert_eq!(ports(&region), ["198.18.0.1:22"], "nothing else is in the map");
    region.set_rules(vec![admit(22, addresses("192.168.0.0/16"))]);
    crate::support::eventually("SSH is closed to outside", async || !is_greeted(&region)).await;
    region.set_rules(vec![admit(22, addresses("198.51.100.7/32")), admit(8080, addresses("0.0.0.0/0"))]);
    crate::support::eventually("one person outside is let in", async || is_greeted(&region)).await;
    assert_eq!(ports(&region), ["198.18.0.1:22", "198.18.0.1:8080"]);
    region.instance("i-ecs01").refuses_ssh = true;
    region.apply();
    crate::support::eventually("the fault is in force", async || !is_greeted(&region)).await;
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_with_the_same_addresses_do_not_meet() {
    if !can_have_machines("two_regions_with_the_same_addresses_do_not_meet") {
        return;
    }
    let (one, two) = tokio::join!(Region::with_machines(1), Region::with_machines(2));
    one.assist("i-ecs01", "echo one >/root/whose").await;
    two.assist("i-ecs01", "echo two >/root/whose").await;
    for (region, expected) in [(&one, "one\n"), (&two, "two\n")] {
        assert_eq!(String::from_utf8(region.ssh("cat /root/whose").await.stdout).unwrap(), expected);
    }
    assert!(two.reaches("i-ecs01", SECOND, 22).await);
    assert!(!one.reaches("i-ecs01", SECOND, 22).await, "that machine is in the other region");
    one.plane.shutdown().await;
    assert_eq!(
        two.assist("i-ecs01", "cat /root/whose").await,
        "two\n",
        "the end of one region is not the other's"
    );
    two.plane.shutdown().await;
}
