//! What an apply that was killed still does on a host, late, while the next one is at work there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::parts::lacks_redis;
use crate::rollout::write_another_node;
use crate::support::TestEnv;
use crate::support::cloud::LocalCloud;

/// The move that puts a release in force.
const FLIP: &str = "mv -fT /opt/albatross/.current.new /opt/albatross/current";
/// Chatrooms at the same time.
const LANES: usize = 4;
const APPLY: &[&str] = &["--local", "apply", "--yes", "chatroom.yaml"];
/// Of a binary that no release of the host has, so that it is sent.
const APPLY_ANOTHER: &[&str] = &["--local", "--chat-node", "other-node", "apply", "--yes", "chatroom.yaml"];
/// Releases of long ago, of which a change prunes the first.
const OLD: [&str; 2] = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"];

/// A chatroom with one node, whose releases differ in how often they ping.
struct Stage {
    env: TestEnv,
    cloud: LocalCloud,
    /// How another release is put in force.
    apply: &'static [&'static str],
    /// The root folder of the node's host.
    host: PathBuf,
}

impl Stage {
    fn new(apply: &'static [&'static str]) -> Self {
        let env = TestEnv::with_cloud(&["--pace", "instant"]);
        let cloud = env.cloud();
        write_another_node(&env, "other-node");
        write_release(&env, 5);
        env.local("apply").expect_code(0);
        let status = cloud.status();
        let hosts = status["hosts"].as_array().expect("hosts");
        let own = hosts.iter().find(|host| host["name"] == "ecs01").expect("the node's host");
        let id = own["id"].as_str().expect("an id").to_owned();
        let host = find(env.folder(), &id).expect("the folder of a host");
        Self { env, cloud, apply, host }
    }

    /// The first release in force, and nothing left of others but the old ones.
    fn reset(&self) {
        write_release(&self.env, 5);
        self.env.local("apply").expect_code(0);
        let current = self.current();
        for entry in fs::read_dir(self.host.join("opt/albatross/releases")).expect("releases") {
            let path = entry.expect("an entry").path();
            if !path.ends_with(&current) {
                fs::remove_dir_all(path).expect("removable");
            }
        }
        for old in OLD {
            fs::create_dir_all(self.host.join("opt/albatross/releases").join(old)).expect("writable");
        }
        self.cloud.count_effects_anew();
    }

    fn current(&self) -> String {
        let target = fs::read_link(self.host.join("opt/albatross/current")).expect("a link");
        target.file_name().expect("a release").to_str().expect("text").to_owned()
    }

    /// All that a release is on the host.
    fn in_force(&self) -> BTreeMap<&'static str, String> {
        let text = |path: &str| fs::read_to_string(self.host.join(path)).unwrap_or_default();
        let status = self.cloud.status();
        let hosts = status["hosts"].as_array().expect("hosts");
        let own = hosts.iter().find(|host| host["name"] == "ecs01").expect("the node's host");
        let unit = own["processes"]
            .as_array()
            .expect("units")
            .iter()
            .find(|unit| unit["unit"] == "chat-node.service");
        BTreeMap::from([
            ("current", self.current()),
            ("environment", text("etc/albatross/chat-node.env")),
            ("unit", text("etc/systemd/system/chat-node.service")),
            ("state", unit.map(|unit| unit["state"].to_string()).unwrap_or_default()),
        ])
    }

    /// What a change of the release does on the node's host, in order.
    fn effects(&self) -> Vec<(String, u64)> {
        let all = self.cloud.effects();
        all.into_iter().filter(|(key, _)| key.split(' ').nth(1) == Some("ecs01")).collect()
    }

    /// The next occurrence of a key.
    fn next(&self, wanted: &str) -> u64 {
        self.cloud
            .effects()
            .iter()
            .filter(|(key, _)| key == wanted)
            .map(|(_, occurrence)| *occurrence)
            .max()
            .unwrap_or(0)
            + 1
    }
}

fn write_release(env: &TestEnv, ping_seconds: u32) {
    let ping = format!("  port: 5000\n  ping_interval: {ping_seconds}s\n\nload");
    env.write_changed(
        "chatroom.yaml",
        &[("on: [ecs01, ecs02]", "on: [ecs01]"), ("  port: 5000\n\nload", &ping)],
    );
}

/// Finds a folder by its name.
fn find(below: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(below).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == name {
            return Some(path);
        }
        if let Some(found) =
            entry.file_type().ok().filter(fs::FileType::is_dir).and_then(|_| find(&path, name))
        {
            return Some(found);
        }
    }
    None
}

/// An apply of the release 6 is killed at an effect, which then comes while an apply of the release 7 is at work.
fn come_late(
    stage: &Stage,
    (key, occurrence): &(String, u64),
    at_work: &str,
    wanted: &BTreeMap<&str, String>,
) {
    stage.reset();
    let late = stage.cloud.gate_before(key, *occurrence);
    write_release(&stage.env, 6);
    let dead = stage.env.start(stage.apply);
    let held = stage.cloud.gate_state(late);
    dead.signal(Signal::KILL);
    let dead = dead.finish();
    assert_eq!(held, "held", "{key}: {dead:?}");

    write_release(&stage.env, 7);
    let at_work = stage.cloud.gate_before(at_work, stage.next(at_work));
    let next = stage.env.start(stage.apply);
    if stage.cloud.gate_state(at_work) != "held" {
        next.signal(Signal::KILL);
        panic!("the next apply is not at work after {key}: {:?}", next.finish());
    }
    stage.cloud.open_gate(late);
    let ended = stage.cloud.gate_state(late);
    assert!(["late", "done"].contains(&ended.as_str()), "{key} is {ended}");
    stage.cloud.open_gate(at_work);
    next.finish().expect_code(0);
    assert_eq!(&stage.in_force(), wanted, "{key}, {occurrence}");
}

/// Whether an undisturbed change always does it: how often a node is looked at until it is ready is left to chance.
fn is_certain((key, occurrence): &(String, u64)) -> bool {
    !(key.contains("systemctl show") || key.contains("curl") && *occurrence > 1)
}

/// Puts a release in force, undisturbed.
fn released(stage: &Stage, ping_seconds: u32) -> BTreeMap<&'static str, String> {
    stage.reset();
    write_release(&stage.env, ping_seconds);
    stage.env.run(stage.apply).expect_code(0);
    stage.in_force()
}

/// Works off some effects of a chatroom of its own: its releases have names of their own.
fn work_off(
    apply: &'static [&'static str],
    chosen: impl FnOnce(Vec<(String, u64)>) -> Vec<(String, u64)>,
) -> usize {
    let stage = Stage::new(apply);
    let wanted = released(&stage, 7);
    let unwanted = released(&stage, 6);
    assert!(unwanted["current"] != wanted["current"] && unwanted["environment"] != wanted["environment"]);
    let effects: Vec<(String, u64)> = stage.effects().into_iter().filter(is_certain).collect();
    let (flip, _) = effects.iter().find(|(key, _)| key.ends_with(FLIP)).expect("a release is put in force");
    let flip = flip.clone();
    chosen(effects).iter().map(|effect| come_late(&stage, effect, &flip, &wanted)).count()
}

/// One effect in so many of a change in which the binary is sent.
fn one_in_so_many(effects: Vec<(String, u64)>, lane: usize) -> Vec<(String, u64)> {
    let uploads = effects.iter().filter(|(key, _)| key.starts_with("upload")).count();
    // The binary, what is kept beside it, what is laid aside with its timer, what is in force, and since when.
    assert!(uploads == 11 && effects.len() > 60, "{effects:#?}");
    effects.into_iter().skip(lane).step_by(LANES).collect()
}

/// The copy of a binary that another release has.
fn the_copy(effects: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let copies: Vec<_> = effects.into_iter().filter(|(key, _)| key.contains(" install -m 0755 ")).collect();
    assert_eq!(copies.len(), 1, "{copies:#?}");
    copies
}

#[test]
fn nothing_that_a_dead_apply_does_late_harms_the_next_one() {
    if lacks_redis("nothing_that_a_dead_apply_does_late_harms_the_next_one") {
        return;
    }
    // Most of the time is waiting, so several chatrooms are worked on at once.
    let done: usize = std::thread::scope(|scope| {
        let sending = (0..LANES).map(|lane| {
            scope.spawn(move || work_off(APPLY_ANOTHER, |effects| one_in_so_many(effects, lane)))
        });
        let lanes: Vec<_> = sending.chain([scope.spawn(|| work_off(APPLY, the_copy))]).collect();
        lanes.into_iter().map(|lane| lane.join().expect("every effect is harmless")).sum()
    });
    assert!(done > 40, "{done}");
}
