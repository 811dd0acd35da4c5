//! Three machines together: how soon they are there, and that they are what they claim to be.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Region, can_have_machines, instance, say};

/// Enough for a machine that is busy with other tests; alone the three take about a second.
const BOOT_LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn three_machines_boot_together_and_are_debians_with_systemd() {
    if !can_have_machines("three_machines_boot_together_and_are_debians_with_systemd") {
        return;
    }
    let began = Instant::now();
    let region = Region::with((1..=3).map(instance).collect()).await;
    region.all_ready().await;
    let took = began.elapsed();
    say(&format!("three machines can be logged in to after {} ms", took.as_millis()));
    assert!(took < BOOT_LIMIT, "{took:?}");

    let said =
        region.ssh("cat /proc/1/comm; hostname; . /etc/os-release; echo $ID; systemctl is-active ssh").await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "systemd\necs01\ndebian\nactive\n");
    for number in 1..=3 {
        let address = region.assist(&format!("i-ecs0{number}"), "hostname -I").await;
        assert_eq!(address.trim(), format!("192.168.0.{number}"));
    }
    let failed = region.assist("i-ecs02", "systemctl list-units --failed --no-legend --plain").await;
    assert_eq!(failed, "", "a unit failed");
    let keys: Vec<String> = vec![
        region.assist("i-ecs01", "cat /etc/ssh/ssh_host_ed25519_key.pub").await,
        region.assist("i-ecs02", "cat /etc/ssh/ssh_host_ed25519_key.pub").await,
    ];
    assert!(
        keys[0].starts_with("ssh-ed25519 ") && keys[0] != keys[1],
        "each has a host key of its own: {keys:?}"
    );
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apt_installs_redis_without_a_network_and_its_unit_runs() {
    if !can_have_machines("apt_installs_redis_without_a_network_and_its_unit_runs") {
        return;
    }
    let region = Region::with_machines(1).await;
    let update = region.assist("i-ecs01", "apt-get update 2>&1").await;
    assert!(!update.contains("Failed") && !update.contains("W:"), "{update}");
    assert!(
        region.plane.run_command("i-ecs01", "test -e /usr/bin/redis-server").await.unwrap().exit_code != 0
    );
    region
        .assist(
            "i-ecs01",
            "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server",
        )
        .await;
    assert_eq!(region.assist("i-ecs01", "systemctl is-active redis-server").await, "active\n");
    assert_eq!(region.assist("i-ecs01", "redis-cli ping").await, "PONG\n");
    let version = region.assist("i-ecs01", "dpkg-query --show --showformat='${Status}' redis-server").await;
    assert_eq!(version, "install ok installed");
    let status = region.plane.status();
    let units = &status.hosts["i-ecs01"].processes;
    let redis = units.iter().find(|unit| unit.unit == "redis-server.service");
    assert!(redis.is_some_and(|unit| unit.pid.is_some()), "{units:?}");
    region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_asks_the_names_of_the_region() {
    if !can_have_machines("a_machine_asks_the_names_of_the_region") {
        return;
    }
    let mut region = Region::with_machines(1).await;
    let record = mock_cloud::plane::spec::Record {
        host: "chat".to_owned(),
        kind: "A".to_owned(),
        value: "192.168.0.9".to_owned(),
        ttl: 60,
    };
    region.desired.domains.insert("example.com".to_owned(), vec![record]);
    region.apply();
    let script = "until getent ahostsv4 chat.example.com; do sleep 0.05; done | head -1";
    let found = region.assist("i-ecs01", script).await;
    assert!(found.starts_with(&Ipv4Addr::new(192, 168, 0, 9).to_string()), "{found}");
    region.plane.shutdown().await;
}
