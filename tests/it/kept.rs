//! What others made is used, left as it is, and never deleted.

use albatross::base::ids::CloudId;
use albatross::cloud::dns::{self, NewRecord};
use albatross::cloud::transport::Client;
use serde_json::Value;

use crate::support::cloud::block_on;
use crate::support::{TestEnv, guest};

/// Id of a resource of the chatroom.
fn id(status: &Value, address: &str) -> String {
    let resources = status["resources"].as_array().expect("a list");
    let found = resources.iter().find(|one| one["address"] == address);
    found.and_then(|one| one["id"].as_str()).unwrap_or_else(|| panic!("no {address} in {status}")).to_owned()
}

/// A second stack in the network and behind the load balancer of the first.
fn guest_of(status: &Value) -> String {
    let parts = ["vpc.main", "vswitch.a", "vswitch.b", "security_group.main", "load_balancer.main"];
    let ids = parts.map(|part| id(status, part));
    let [vpc, a, b, group, balancer] = &ids;
    guest((vpc, a, b), group, balancer)
}

#[test]
fn what_is_named_by_id_outlives_the_stack() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    let before = env.cloud().status()["resources_by_kind"].clone();
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    env.write("guest.yaml", guest_of(&status));

    env.run(&["--local", "apply", "--yes", "guest.yaml"]).expect_code(0);
    assert!(env.cloud().status()["resources_by_kind"]["instance"].as_u64() > before["instance"].as_u64());
    env.run(&["--local", "plan", "--detailed-exitcode", "guest.yaml"]).expect_code(0);
    let destroyed = env.run(&["--local", "destroy", "--yes", "guest.yaml"]).expect_code(0);
    assert!(destroyed.stdout.ends_with("0 resources left\n"), "{destroyed:?}");
    for kept in ["vpc.main", "vswitch.a", "vswitch.b", "security_group.main", "load_balancer.main"] {
        assert!(
            !destroyed.stdout.contains(&format!("- {kept} ")),
            "{kept} was deleted: {}",
            destroyed.stdout
        );
    }

    assert_eq!(env.cloud().status()["resources_by_kind"], before);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    env.expect_destroyed_to_nothing();
}

#[test]
fn an_id_that_does_not_exist_is_named() {
    let env = TestEnv::with_control_plane();
    env.write_changed(
        "chatroom.yaml",
        &[("vpc: { cidr: 192.168.0.0/16 } ", "vpc: { id: vpc-bp1nosuchnetwork0000 } ")],
    );
    env.local("apply").expect_code(1).expect_in_order(&["error: vpc.main", "help: "]);
    assert_eq!(env.cloud().resources(), 0);
}

/// A record at the chatroom's name that is none of its own; its id.
fn foreign_record(client: &Client, value: &str) -> CloudId {
    let call = dns::add_record("example.com", NewRecord { host: "@", value, ttl: 600 });
    let reply: Value = block_on(client.call(&call)).expect("the record is made");
    CloudId::new(reply["RecordId"].as_str().expect("an id"))
}

#[test]
fn a_record_of_another_owner_is_not_touched() {
    let env = TestEnv::with_control_plane();
    let client = env.cloud().client("cn-hangzhou");
    let record = foreign_record(&client, "shop.example.net");
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: example.com has a record of another owner: CNAME shop.example.net",
        "resource: record.main",
        "help: remove it in the DNS console",
    ]);
    let records = block_on(dns::records(&client, "example.com", "@")).expect("a list");
    assert_eq!((records.len(), records[0].value.trim_end_matches('.')), (1, "shop.example.net"));

    let removed: Value = block_on(client.call(&dns::delete_record(&record))).expect("the record goes");
    assert!(removed.is_object());
    env.local("apply").expect_code(0);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_record_that_is_right_already_is_used_and_kept() {
    let env = TestEnv::with_control_plane();
    let client = env.cloud().client("cn-hangzhou");
    let record = foreign_record(&client, "shop.example.net");
    env.local("apply").expect_code(3);
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).json();
    let resources = status["resources"].as_array().expect("a list");
    let balancer = resources.iter().find(|one| one["address"] == "load_balancer.main").expect("it is there");
    let name = balancer["outputs"]["dns_name"].as_str().expect("its name");
    let call = dns::update_record(&record, NewRecord { host: "@", value: name, ttl: 600 });
    let updated: Value = block_on(client.call(&call)).expect("the record changes");
    assert!(updated.is_object());

    env.local("apply").expect_code(0);
    env.run(&["--local", "plan", "--detailed-exitcode", "chatroom.yaml"]).expect_code(0);
    let destroyed = env.local("destroy").expect_code(0);
    assert!(destroyed.stdout.ends_with("0 resources left\n"), "{destroyed:?}");
    assert_eq!(env.cloud().resources(), 1, "{}", env.cloud().status()["resources_by_kind"]);
}
