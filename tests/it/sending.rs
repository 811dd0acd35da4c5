//! What goes over the wire to hosts: nothing to those that are as they shall be, and of a cut binary only the rest.

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::LocalCloud;

/// Bytes of parts of the binary that were written on a host.
fn sent(cloud: &LocalCloud, host: &str) -> u64 {
    let is_part = |key: &str| key.starts_with(&format!("upload {host} ")) && key.ends_with(".gz.part");
    cloud.uploads().iter().filter(|(key, _)| is_part(key)).map(|(_, bytes)| bytes).sum()
}

#[test]
fn hosts_as_they_shall_be_are_read_by_one_command_each_and_sent_nothing() {
    if lacks_redis("hosts_as_they_shall_be_are_read_by_one_command_each_and_sent_nothing") {
        return;
    }
    let env = TestEnv::with_chatroom();
    let cloud = env.cloud();
    for verb in ["plan", "apply"] {
        cloud.count_effects_anew();
        env.local(verb).expect_code(0);
        let on_hosts: Vec<String> =
            cloud.effects().into_iter().map(|(key, _)| key).filter(|key| !key.starts_with("api ")).collect();
        for host in ["ecs01", "ecs02", "ecs03"] {
            let begins = format!("command {host} ");
            let own = on_hosts.iter().filter(|key| key.starts_with(&begins)).count();
            assert_eq!(own, 1, "{verb}: {on_hosts:#?}");
        }
        assert_eq!(on_hosts.len(), 3, "{verb}: {on_hosts:#?}");
    }
}

#[test]
fn of_a_binary_that_was_cut_only_the_rest_is_sent() {
    if lacks_redis("of_a_binary_that_was_cut_only_the_rest_is_sent") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    let cloud = env.cloud();
    env.write("cut.yaml", "- host: ecs01\n  fault: {ssh_cut: {after: 3000000}}\n");
    env.run(&["cloud", "fault", "add", "cut.yaml"]).expect_code(0);
    env.local("apply").expect_code(3).expect_in_order(&[
        "error: ecs01: the connection was lost during the upload of /opt/albatross/releases/",
        "help: a second `albatross --local apply chatroom.yaml` goes on from here",
    ]);
    let first = sent(&cloud, "ecs01");
    assert!(first > 1_000_000, "{first}");
    env.run(&["cloud", "fault", "lift", "f1"]).expect_code(0);
    env.local("apply").expect_code(0).expect_in_order(&[
        "ecs01: sending release ",
        " KiB compressed)",
        &format!("ecs01: {} KiB of it were there from an earlier upload, ", first / 1024),
    ]);
    let whole = sent(&cloud, "ecs02");
    assert_eq!(sent(&cloud, "ecs01"), whole, "each byte was sent once");
    let binary = std::fs::metadata(crate::support::program("chat-node")).expect("it is there").len();
    assert!(whole < binary / 2, "{whole} of {binary}");
    env.expect_empty_plan();
}
