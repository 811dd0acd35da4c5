//! `--diff=full`: what a plan shows of hosts is what is done on them, and showing it does nothing.

use regex::Regex;
use serde_json::Value;

use crate::parts::lacks_redis;
use crate::support::TestEnv;
use crate::support::cloud::LocalCloud;

/// Programs that change nothing.
const LOOKS: [&str; 15] = [
    "cat",
    "curl",
    "date",
    "df",
    "getconf",
    "getent",
    "ls",
    "readlink",
    "redis-cli",
    "redis-server",
    "sha256sum",
    "ss",
    "stat",
    "test",
    "uname",
];
/// What runs each command of a step.
const STEP: &str = "flock -s -o /run/albatross.running flock -s -o /run/albatross/*/lock ";

/// One line of a host's own log as something that was done there, if it was.
fn done(line: &str) -> Option<String> {
    let line = line.strip_prefix(STEP).unwrap_or(line);
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        // A look is several commands on one line.
        _ if line.contains("; echo ") => None,
        [program, ..] if LOOKS.contains(program) => None,
        ["systemctl", "is-active" | "is-enabled" | "show", ..] => None,
        // The lock and the folder of a step, and how a file comes to its place.
        _ if line.contains("/run/albatross") || line.starts_with("chmod ") || line.starts_with("gzip ") => {
            None
        }
        ["mv", "-fT", from, _] if from.ends_with(".gz.part") => None,
        ["mv", "-fT", from, to] if from.ends_with(".*.new") => Some(format!("file {to}")),
        _ => Some(line.to_owned()),
    }
}

/// What was done on a host since counting began.
fn done_on(cloud: &LocalCloud, host: &str) -> Vec<String> {
    let begins = format!("command {host} ");
    let effects = cloud.effects();
    effects.iter().filter_map(|(key, _)| done(key.strip_prefix(&begins)?)).collect()
}

/// What a plan says of a step on a host, in the words of the log.
fn said(plan: &Value, address: &str) -> Vec<String> {
    let hosts = plan["hosts"].as_array().expect("hosts");
    let own = hosts.iter().find(|one| one["address"] == address).expect("a step of the host");
    let releases = Regex::new("releases/[0-9a-f]{12}").expect("a pattern");
    let line = |deed: &Value| {
        let line = if let Some(words) = deed["command"].as_array() {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        } else {
            let path = deed["file"]["path"].as_str().or_else(|| deed["program"]["path"].as_str());
            format!("file {}", path.expect("a path"))
        };
        releases.replace_all(&line, "releases/*").into_owned()
    };
    own["deeds"].as_array().expect("deeds").iter().map(line).collect()
}

#[test]
fn what_a_plan_shows_of_hosts_is_what_is_done_and_showing_does_nothing() {
    if lacks_redis("what_a_plan_shows_of_hosts_is_what_is_done_and_showing_does_nothing") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    let plan =
        |more: &[&str]| env.run(&[&["--local", "plan", "--diff=full", "chatroom.yaml"], more].concat());
    plan(&[]).expect_code(0).expect_in_order(&[
        "On the host of redis.ecs03:\n  known after apply: the machine is made by this plan\n",
        "On the host of release.ecs01:\n  known after apply: the machine is made by this plan\n",
    ]);
    env.local("apply").expect_code(0);
    plan(&[]).expect_code(0).expect_in_order(&["No changes", "Nothing would be done on any host."]);
    let secret =
        env.run(&["--local", "ssh", "chatroom.yaml", "ecs03", "--", "cat", "/etc/albatross/redis.password"]);
    let secret = secret.expect_code(0).stdout;
    assert_eq!(secret.trim().len(), 64);

    env.write_changed(
        "chatroom.yaml",
        &[
            ("  port: 5000\n\nload", "  port: 5000\n  ping_interval: 9s\n\nload"),
            ("  on: ecs03 ", "  max_memory: 128\n  on: ecs03 "),
        ],
    );
    let cloud = env.cloud();
    cloud.count_effects_anew();
    let shown = plan(&[]).expect_code(0).expect_absent(secret.trim());
    let shown = shown.expect_in_order(&[
        "On the host of redis.ecs03:",
        "  ~ /etc/albatross/redis.conf  mode 0640 root:root, was 640 ",
        "-maxmemory 256mb",
        "+maxmemory 128mb",
        "  $ systemctl restart albatross-redis.service",
        "On the host of release.ecs01:",
        "  $ install -m 0755 /opt/albatross/releases/",
        "  ~ /etc/albatross/chat-node.env  mode 0600 root:root, was 600 root:root",
        " CHAT_NODE_REDIS=redis://:(secret)@",
        "-CHAT_NODE_PING_INTERVAL=10s",
        "+CHAT_NODE_PING_INTERVAL=9s",
        "  $ systemctl restart chat-node.service",
    ]);
    assert!(shown.stdout.contains("On the host of release.ecs02:"), "{shown:?}");
    let told = plan(&["--json"]).expect_code(0).expect_absent(secret.trim()).json();
    assert!(cloud.uploads().is_empty(), "{:?}", cloud.uploads());
    for host in ["ecs01", "ecs02", "ecs03"] {
        assert_eq!(done_on(&cloud, host), Vec::<String>::new(), "{host}");
    }

    cloud.count_effects_anew();
    env.run(&["--local", "apply", "--yes", "--diff=full", "chatroom.yaml"])
        .expect_code(0)
        .expect_absent(secret.trim())
        .expect_in_order(&[
            "On the host of redis.ecs03:",
            "  $ systemctl restart albatross-redis.service",
            "Done: ",
        ]);
    for (address, host) in [("redis.ecs03", "ecs03"), ("release.ecs01", "ecs01"), ("release.ecs02", "ecs02")]
    {
        let said = said(&told, address);
        assert!(said.len() > 10, "{said:#?}");
        assert_eq!(said, done_on(&cloud, host), "{address}");
    }
    env.run(&["--local", "plan", "--diff=full", "--refresh=false", "chatroom.yaml"])
        .expect_code(64)
        .expect_in_order(&[
            "what is done on hosts follows from what is there",
            "help: leave one of the two out",
        ]);
}
