//! Two stacks in one cloud, whose VPCs use the same addresses, do not meet.

use std::fs;

use crate::parts::lacks_redis;
use crate::walk::Walk;

fn passes(walk: &Walk, line: &str) {
    let said = walk.run(line);
    assert_eq!(said.code, Some(0), "{line}\n{}", said.text);
}

#[test]
fn two_stacks_with_the_same_addresses_stand_side_by_side() {
    if lacks_redis("two_stacks_with_the_same_addresses_stand_side_by_side") {
        return;
    }
    let walk = Walk::new();
    let topology = fs::read_to_string(walk.path().join("examples/minimal.yaml")).expect("the example");
    let topology = topology.replace("domain: example.com", "domain: example.com\n  host: second");
    fs::write(walk.path().join("second.yaml"), topology).expect("written");
    passes(&walk, "albatross cloud up --pace instant");
    passes(&walk, "albatross --local apply --yes examples/chatroom.yaml");
    passes(&walk, "albatross --local apply --yes second.yaml");
    passes(&walk, "albatross --local verify examples/chatroom.yaml");
    passes(&walk, "albatross --local verify second.yaml");
    passes(&walk, "albatross --local destroy --yes examples/chatroom.yaml");
    passes(&walk, "albatross --local verify second.yaml");
}
