//! How often the local cloud is asked how far it is, and what is shown meanwhile.

use std::time::Duration;

use albatross::base::disk::DiskOptions;
use albatross::base::ids::{ClientToken, CloudId};
use albatross::base::spot::Spot;
use albatross::cloud::ecs::{self, NewInstance};
use albatross::cloud::poller::{HasState, Poller};
use albatross::cloud::transport::Client;
use albatross::cloud::vpc::{self, NewVSwitch};
use albatross::cloud::wait::{Condition, Look};
use albatross::ssh::{Identity, KeyKind};
use futures_util::future::join_all;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::cloud::{LocalCloud, ServedCloud, block_on};

const DEADLINE: Duration = Duration::from_mins(1);

fn condition(name: &'static str) -> Condition<'static> {
    Condition { subject: "a resource", name, deadline: DEADLINE, notice: &|_| () }
}

fn in_state<I: HasState>(wanted: &'static str) -> impl Fn(Option<&I>) -> Look<()> {
    move |found| match found {
        Some(found) if found.state() == wanted => Look::Done(()),
        Some(found) => Look::NotYet(found.state().to_owned()),
        None => Look::Absent,
    }
}

async fn created(client: &Client, call: &albatross::cloud::call::Call, field: &str) -> CloudId {
    let reply: Value = client.call(call).await.expect("it is made");
    CloudId::new(reply[field].as_str().expect("an id"))
}

/// A network with so many instances that have just been asked for.
async fn starting(client: &Client, poller: &Poller, number: usize) -> Vec<CloudId> {
    let region = client.region();
    let token = |name: &str| ClientToken::new(format!("{name}-of-{number}"));
    let network = vpc::create_vpc(region, "n", "10.0.0.0/8", &[], &token("vpc"));
    let vpc = created(client, &network, "VpcId").await;
    poller.vpcs.until(&vpc, condition("Available"), in_state("Available")).await.expect("it is there");
    let new = NewVSwitch { name: "v", vpc: &vpc, zone: "cn-hangzhou-h", cidr: "10.0.0.0/24", tags: &[] };
    let vswitch = created(client, &vpc::create_vswitch(region, &new, &token("vswitch")), "VSwitchId").await;
    poller
        .vswitches
        .until(&vswitch, condition("Available"), in_state("Available"))
        .await
        .expect("it is there");
    let group = ecs::create_security_group(region, "g", &vpc, &[], &token("group"));
    let group = created(client, &group, "SecurityGroupId").await;
    let (_, key) = Identity::generate(KeyKind::EcdsaP256, "test").expect("a key");
    let pair = format!("key-of-{number}");
    let _: Value =
        client.call(&ecs::import_key_pair(region, &pair, key.trim(), &[])).await.expect("it is made");
    let mut ids = Vec::new();
    for index in 0..number {
        let new = NewInstance {
            name: "node",
            instance_type: "ecs.g7.large",
            image_family: "acs:debian_12_11_x64",
            disk: 40,
            disk_options: &DiskOptions::default(),
            data_disks: &[],
            vswitch: &vswitch,
            security_group: &group,
            key_pair: &pair,
            bandwidth: 0,
            spot: &Spot::No,
            release_time: None,
            user_data: None,
            tags: &[],
        };
        let call = ecs::run_instance(region, &new, &token(&format!("instance-{index}")));
        let reply: Value = client.call(&call).await.expect("it is made");
        ids.push(ecs::first_instance_id(&reply).expect("an id"));
    }
    ids
}

/// The readings of instances that it takes until so many run, by how many each asks for.
fn readings(number: usize) -> Vec<usize> {
    let cloud = ServedCloud::start(&["--pace", "brisk"]);
    block_on(async {
        let client = cloud.client("cn-hangzhou");
        let poller = Poller::new(&client);
        let ids = starting(&client, &poller, number).await;
        let waits =
            ids.iter().map(|id| poller.instances.until(id, condition("Running"), in_state("Running")));
        for waited in join_all(waits).await {
            waited.expect("it runs");
        }
    });
    described(&cloud)
}

/// How many instances each `DescribeInstances` named.
fn described(cloud: &LocalCloud) -> Vec<usize> {
    let log = cloud.call_log();
    let readings = log.iter().filter(|call| call["operation"] == "Ecs.DescribeInstances");
    readings
        .map(|call| call["parameters"]["InstanceIds"].as_str().map_or(0, |ids| ids.matches("\"i-").count()))
        .collect()
}

#[test]
fn ten_instances_that_start_are_read_together() {
    let (one, ten) = (readings(1), readings(10));
    assert_eq!(ten[0], 10, "the first look asks for all of them: {ten:?}");
    assert!(ten.is_sorted_by(|earlier, later| earlier >= later), "asked again for what runs: {ten:?}");
    // A few more at the end, since not all of ten run at the same moment.
    assert!(ten.len() <= one.len() + 4, "{} readings for ten, {} for one", ten.len(), one.len());
}

#[test]
fn an_apply_with_ten_instances_reads_little_more_than_one_with_three() {
    let reads = |instances: &str| {
        let env = TestEnv::new();
        let more = format!("ecs03: {{ vswitch: a, via: ecs01 }}\n{instances} #");
        env.write_changed("chatroom.yaml", &[("ecs03: { vswitch: a, via: ecs01 }", &more)]);
        env.cloud_up(&["--pace", "brisk", "--hosts", "none"]);
        env.local("apply").expect_code(0);
        let calls = env.cloud().calls();
        calls["Ecs.DescribeInstances"].as_u64().expect("a number")
    };
    let one = |number| format!("  ecs{number:02}: {{ vswitch: b, access: public }}\n");
    let more = (4..=10).map(one).collect::<Vec<String>>().concat();
    let (three, ten) = (reads(""), reads(&more));
    assert!(ten <= three * 2, "{ten} readings for ten instances, {three} for three");
}

/// Both are said: what is waited for, and in which of these states it is.
#[track_caller]
fn expect_waits(said: &str, waits: &[(&str, &str)]) {
    for (what, states) in waits {
        let line = format!(r"(?m)^ *\d+\.\d s     {what}, is ({states}), \d+ s$");
        assert!(Regex::new(&line).expect("a pattern").is_match(said), "no {line} in\n{said}");
    }
}

/// The next readings of states answer late, with what was true when they were asked: waits get long enough to be told.
/// All of them do, so that none tells how fast this cloud is and the next wait begins with a look.
fn slow_down(cloud: &LocalCloud) {
    let actions =
        ["Vpc.DescribeVpcs", "Vpc.DescribeVSwitches", "Alb.ListServerGroups", "Ecs.DescribeInstances"];
    let late = json!({"slow_reply": {"milliseconds": 1_100}});
    cloud.break_calls(actions.iter().flat_map(|action| (1..=3).map(move |call| (*action, call))), &late);
}

#[test]
fn a_wait_says_for_what_and_how_far_it_is() {
    let env = TestEnv::with_cloud(&["--pace", "brisk", "--hosts", "none"]);
    slow_down(&env.cloud());
    expect_waits(
        &env.local("apply").expect_code(0).stderr,
        &[
            (r"vpc\.main: waiting for Available", "not listed yet|Pending"),
            (r"vswitch\.[ab]: waiting for Available", "not listed yet|Pending"),
            // Whichever of the three is made first is in the reading that answers late.
            (r"instance\.ecs0[123]: waiting for Running", "not listed yet|Pending|Starting"),
        ],
    );
    slow_down(&env.cloud());
    expect_waits(
        &env.local("destroy").expect_code(0).stderr,
        &[(r"instance\.ecs0[123]: waiting for removal", "Running|Stopping|Stopped")],
    );
}
