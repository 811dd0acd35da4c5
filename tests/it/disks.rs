//! Disks of machines: made as they are asked for, grown in place, and never made smaller without another machine.

use serde_json::Value;

use crate::replace::planned;
use crate::support::TestEnv;

/// The chatroom with these fields for its second node.
fn write(env: &TestEnv, fields: &str) {
    let own = format!("ecs02: {{ vswitch: b, types: [ecs.g7.large], {fields}");
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b", &own)]);
}

/// Name, size, category, level, whether it is encrypted and whether it goes with its machine: of each disk of one.
fn disks(env: &TestEnv, name: &str) -> Vec<(String, i64, String, bool, bool)> {
    let (world, id) = (env.cloud().world(), env.cloud().instance(name)["id"].clone());
    let all = world["disks"].as_object().expect("disks");
    let own = all.values().filter(|disk| disk["instance"] == id);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut own: Vec<_> = own
        .map(|disk| {
            let kind = format!("{} {}", text(&disk["category"]), text(&disk["performance_level"]));
            let flags =
                ["encrypted", "delete_with_instance"].map(|field| disk[field].as_bool().expect("a flag"));
            (text(&disk["name"]), disk["size"].as_i64().expect("a size"), kind, flags[0], flags[1])
        })
        .collect();
    own.sort();
    own
}

fn disk(
    name: &str,
    size: i64,
    kind: &str,
    (is_encrypted, goes): (bool, bool),
) -> (String, i64, String, bool, bool) {
    (name.to_owned(), size, kind.to_owned(), is_encrypted, goes)
}

const LOGS: &str =
    "{ name: logs, size: 20GiB, category: cloud_essd, performance_level: PL0, encrypted: true }";

#[test]
fn disks_are_made_as_they_are_asked_for_and_grow_in_place() {
    let env = TestEnv::with_control_plane();
    let of = |system: &str, logs: &str| {
        format!(
            "disk: {{ size: {system}, category: cloud_auto, encrypted: true }}, data_disks: [{logs}, {{ name: rest, size: 30 }}]"
        )
    };
    write(&env, &of("40GiB", LOGS));
    env.local("apply").expect_code(0);
    assert_eq!(
        disks(&env, "ecs02"),
        [
            disk("", 40, "cloud_auto ", (true, true)),
            disk("logs", 20, "cloud_essd PL0", (true, true)),
            disk("rest", 30, "cloud_essd PL1", (false, true)),
        ]
    );
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    let id = env.cloud().instance("ecs02")["id"].clone();
    write(&env, &of("60GiB", &LOGS.replace("20GiB", "1TiB, delete_with_instance: false")));
    env.local("plan").expect_code(0).expect_in_order(&[
        "~ instance.ecs02",
        "data_disks.logs.delete_with_instance: true -> false",
        "data_disks.logs.size: 20 -> 1024",
        "disk: 40 -> 60",
        "Plan: 1 to update.",
        "(3 that change something)",
    ]);
    env.local("apply").expect_code(0).expect_in_order(&[
        "disk logs has 1024 GiB now; its file system is yours to grow",
        "its system disk has 60 GiB now; its file system is yours to grow",
    ]);
    assert_eq!(env.cloud().instance("ecs02")["id"], id, "the machine is the same");
    assert_eq!(
        disks(&env, "ecs02")[..2],
        [disk("", 60, "cloud_auto ", (true, true)), disk("logs", 1024, "cloud_essd PL0", (true, false))]
    );
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}

#[test]
fn what_would_lose_data_makes_another_machine_and_says_so() {
    let env = TestEnv::with_control_plane();
    write(&env, &format!("disk: 60, data_disks: [{LOGS}]"));
    env.local("apply").expect_code(0);
    let changes: [(&str, &[&str]); 5] = [
        (
            "disk: 40, data_disks: [LOGS]",
            &["disk: 60 -> 40  # forces replacement: a disk cannot be made smaller"],
        ),
        (
            "disk: 60",
            &[
                "data_disks.logs.size: 20 -> (none)  # forces replacement: a data disk goes with its instance, and what is on it is lost",
            ],
        ),
        (
            "disk: 60, data_disks: [LOGS, { name: more, size: 20 }]",
            &[
                "data_disks.more.size: (none) -> 20  # forces replacement: a data disk is made with its instance",
            ],
        ),
        (
            "disk: { size: 60, encrypted: true }, data_disks: [LOGS]",
            &["disk.encrypted: false -> true  # forces replacement"],
        ),
        (
            "disk: { size: 60, category: cloud_auto }, data_disks: [LOGS]",
            &[
                "disk.category: cloud_essd -> cloud_auto  # forces replacement: a disk is made with its category",
            ],
        ),
    ];
    for (fields, said) in changes {
        write(&env, &fields.replace("LOGS", LOGS));
        env.local("plan").expect_code(0).expect_in_order(&[&["+/- instance.ecs02"], said].concat());
    }
    // What is protected is neither replaced nor loses a disk; it may grow.
    write(&env, "disk: 60, protect: true");
    env.local("apply").expect_code(1).expect_in_order(&["instance.ecs02", "protect"]);
    write(&env, &format!("disk: 80, protect: true, data_disks: [{LOGS}]"));
    env.local("apply").expect_code(0);
    // A size that is left to the cloud to choose is not compared.
    assert_eq!(disks(&env, "ecs02")[0].1, 80);
}

#[test]
fn a_disk_that_stays_is_told_of_before_its_machine_goes() {
    let env = TestEnv::with_control_plane();
    write(&env, "data_disks: [{ name: kept, size: 20, delete_with_instance: false }]");
    env.local("apply").expect_code(0);
    let note = "note: the disk kept stays when instance.ecs02 goes, and is paid until somebody deletes it";
    env.local("destroy").expect_code(0).expect_in_order(&[note, "0 resources left"]);
    let world = env.cloud().world();
    let left = world["disks"].as_object().expect("disks");
    assert_eq!(left.values().map(|disk| disk["name"].clone()).collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn a_disk_that_others_attach_or_grow_is_theirs_or_drift() {
    let env = TestEnv::with_control_plane();
    write(&env, "disk: 40");
    env.local("apply").expect_code(0);
    let client = env.cloud().client("cn-hangzhou");
    let system = {
        let world = env.cloud().world();
        let id = env.cloud().instance("ecs02")["id"].clone();
        let all = world["disks"].as_object().expect("disks");
        all.values().find(|disk| disk["instance"] == id).expect("a disk")["id"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let call = albatross::cloud::call::Call::new(albatross::cloud::Product::Ecs, "ResizeDisk")
        .with("DiskId", system)
        .with("NewSize", 100)
        .with("Type", "online");
    crate::support::cloud::block_on(client.call::<Value>(&call)).expect("it grows");
    env.local("plan").expect_code(0).expect_in_order(&[
        "Changed outside of Albatross:",
        "instance.ecs02",
        "disk: 40 -> 100",
        "+/- instance.ecs02",
        "disk: 100 -> 40  # forces replacement: a disk cannot be made smaller",
    ]);
    write(&env, "disk: 100");
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
}

#[test]
fn disks_are_priced() {
    let env = TestEnv::with_control_plane();
    let price = |fields: &str| {
        write(&env, fields);
        let cost = env.run(&["--local", "cost", "--json", "chatroom.yaml"]).expect_code(0).json();
        let rows = cost["priced"].as_array().expect("a list").clone();
        let own = rows.iter().find(|row| row["address"] == "instance.ecs02").expect("a price").clone();
        let price = ["price", "hour", "paid"].iter().find_map(|field| own[*field].as_f64());
        (own["what"].as_str().unwrap_or_default().to_owned(), price, own.to_string())
    };
    let (_, _, plain) = price("disk: 40");
    let (what, _, more) = price(
        "disk: 40, data_disks: [{ name: logs, size: 500, category: cloud_essd, performance_level: PL2 }]",
    );
    assert!(what.contains("500 GiB of data disks"), "{what}");
    assert_ne!(plain, more);
}
