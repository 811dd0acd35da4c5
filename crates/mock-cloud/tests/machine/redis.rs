//! A managed Redis beside machines: found by its name in the VPC, and by the allow list told from whom it is asked.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use mock_cloud::plane::spec::Redis;
use mock_cloud::secret::Secret;

use crate::support::{Region, VPC, can_have_machines};

const ID: &str = "r-bp1test";
const NAME: &str = "r-bp1test.redis.rds.aliyuncs.com";

/// The first word to it, and what it answers.
const ASK: &str =
    "exec 3<>/dev/tcp/r-bp1test.redis.rds.aliyuncs.com/6379; printf 'PING\\r\\n' >&3; head -n 1 <&3";

#[tokio::test(flavor = "multi_thread")]
async fn machines_find_it_by_its_name_and_come_in_their_own() {
    if !can_have_machines("machines_find_it_by_its_name_and_come_in_their_own") {
        return;
    }
    let mut region = Region::with_machines(2).await;
    let redis = Redis {
        id: ID.to_owned(),
        domain: NAME.to_owned(),
        vpc: VPC.to_owned(),
        private_address: Ipv4Addr::new(192, 168, 0, 40),
        port: 6379,
        memory: 64 << 20,
        eviction: "noeviction".to_owned(),
        append_only: true,
        password: Some(Secret::new("Owner-Horse-1")),
        accounts: BTreeMap::new(),
        allowed: vec!["192.168.0.1/32".parse().unwrap()],
        restarts: 0,
        revision: 1,
    };
    region.desired.redis.insert(ID.to_owned(), redis);
    region.apply();
    region.until("it is in force", |status| status.redis.get(ID) == Some(&1)).await;
    let found = region.assist("i-ecs01", &format!("getent ahostsv4 {NAME} | head -n 1")).await;
    assert!(found.starts_with("192.168.0.40 "), "{found}");
    let ask = format!("timeout 10 bash -c \"{ASK}\"");
    let let_in = region.assist("i-ecs01", &ask).await;
    assert!(let_in.starts_with("-NOAUTH "), "{let_in}");
    let kept_out = region.assist("i-ecs02", &ask).await;
    assert!(kept_out.starts_with("-ERR illegal address: 192.168.0.2:"), "{kept_out}");
    region.plane.shutdown().await;
}
