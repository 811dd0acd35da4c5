//! What a change of each field of a topology does to a running chatroom: nothing, an update in place, or a replacement
//! and in which order. A new field needs a row.

use std::collections::BTreeSet;

use crate::docs::schema_fields;
use crate::parts::lacks_redis;
use crate::replace::planned;
use crate::support::{TestEnv, example};
use crate::tair;

/// What a changed field does.
enum Does {
    /// Exactly these steps: `verb address`, several addresses of one verb behind it.
    Plan(&'static [&'static str]),
    /// The plan is refused with this.
    Refused(&'static str),
    /// It makes another stack, or is no part of what is compared: this says why.
    NotCompared(&'static str),
}

use Does::{NotCompared, Plan, Refused};

/// A field, what is written instead of what in the chatroom, and what that does.
type Row = (&'static str, &'static [(&'static str, &'static str)], Does);

/// Both nodes get another release, whatever of them changes.
const RELEASES: &[&str] = &["update release.ecs01 release.ecs02"];
const HOW: &str = "how a release comes in force, not which";
const LOOK: &str = "what a verification looks for, not what there is";
const HOOK: &str = "what the operator's machine does, not what there is";
/// A second machine that is made before the old one goes.
const MACHINE: &[&str] =
    &["+/- instance.ecs02 host_key.ecs02 security_rule.redis-ecs02 release.ecs02 server.ecs02"];

fn rows() -> Vec<Row> {
    [network(), machines(), all(), service(), app(), front()].into_iter().flatten().collect()
}

/// Changes of a chatroom with a Tair instance.
fn managed() -> Vec<Row> {
    const ANOTHER: &[&str] =
        &["+/- redis_instance.main redis_account.main", "update release.ecs01 release.ecs02"];
    vec![
        // The nodes' stream may take a part of it.
        (
            "redis.tair.class",
            &[("tair.rdb.1g", "tair.rdb.2g")],
            Plan(&["update redis_instance.main release.ecs01 release.ecs02"]),
        ),
        ("redis.tair.engine", &[("engine: \"7.0\"", "engine: \"6.0\"")], Plan(ANOTHER)),
        ("redis.tair.vswitch", &[("    vswitch: a ", "    vswitch: b ")], Plan(ANOTHER)),
        (
            "redis.tair.eviction",
            &[("    vswitch: a ", "    eviction: volatile-lru\n    vswitch: a ")],
            Plan(&["update redis_instance.main"]),
        ),
        ("redis.tair.protect", &[("    vswitch: a ", "    protect: true\n    vswitch: a ")], Plan(&[])),
        (
            "redis.classic.class",
            &[
                ("  tair: ", "  classic: "),
                ("tair.rdb.1g", "redis.master.small.default"),
                ("engine: \"7.0\"", "engine: \"5.0\""),
            ],
            Plan(ANOTHER),
        ),
        ("redis.classic.engine", &[], NotCompared("as `redis.tair.engine`")),
        ("redis.classic.vswitch", &[], NotCompared("as `redis.tair.vswitch`")),
        ("redis.classic.eviction", &[], NotCompared("as `redis.tair.eviction`")),
        ("redis.classic.protect", &[], NotCompared("as `redis.tair.protect`")),
    ]
}

fn network() -> Vec<Row> {
    vec![
        (
            "variables",
            &[],
            NotCompared("what they are put into is: `a_value_that_is_put_in_counts_as_a_written_one`"),
        ),
        ("stack", &[], NotCompared("another name is another stack")),
        ("region", &[], NotCompared("another region has a stack of its own")),
        (
            "network.vpc.cidr",
            &[("192.168.0.0/16", "192.168.0.0/17")],
            Plan(&[
                "+/- vpc.main vswitch.a vswitch.b security_group.main instance.ecs01 instance.ecs02 instance.ecs03",
                "+/- host_key.ecs01 host_key.ecs02 host_key.ecs03 security_rule.node-a security_rule.node-b",
                "+/- security_rule.redis-ecs01 security_rule.redis-ecs02 security_rule.ssh-203.0.113.0-24",
                "+/- redis.ecs03 load_balancer.main server_group.main release.ecs01 release.ecs02 server.ecs01",
                "+/- server.ecs02 listener.main",
                "update record.main",
            ]),
        ),
        (
            "network.vpc.id",
            &[("{ cidr: 192.168.0.0/16 }", "{ id: vpc-bp1other }")],
            Refused("the topology names vpc-bp1other"),
        ),
        ("network.zones", &[], NotCompared("a short form of `network.vswitches`")),
        (
            "network.vswitches.NAME.zone",
            &[("zone: cn-hangzhou-i", "zone: cn-hangzhou-j")],
            Plan(&[
                "-/+ vswitch.b instance.ecs02 host_key.ecs02 release.ecs02 server.ecs02 load_balancer.main",
                "-/+ listener.main security_rule.redis-ecs02",
                "update record.main",
            ]),
        ),
        (
            "network.vswitches.NAME.cidr",
            &[("192.168.1.0/24", "192.168.7.0/24")],
            Plan(&[
                "+/- vswitch.b instance.ecs02 host_key.ecs02 release.ecs02 server.ecs02 load_balancer.main",
                "+/- listener.main security_rule.redis-ecs02 security_rule.node-b",
                // The other node is told from where the load balancer comes.
                "update record.main release.ecs01",
            ]),
        ),
        (
            "network.vswitches.NAME.id",
            &[("cidr: 192.168.1.0/24 }", "cidr: 192.168.1.0/24, id: vsw-bp1other }")],
            Refused("the topology names vsw-bp1other"),
        ),
        (
            "network.security_group.id",
            &[("\nssh:", "  security_group: { id: sg-bp1other }\n\nssh:")],
            Refused("the topology names sg-bp1other"),
        ),
        (
            "network.security_group.allow",
            &[("\nssh:", "  security_group: { allow: [9100 from load balancer, redis from nodes] }\n\nssh:")],
            // The nodes are let in to Redis anyway.
            Plan(&["create security_rule.tcp-9100-from-balancer-a security_rule.tcp-9100-from-balancer-b"]),
        ),
        (
            "ssh.allow_from",
            &[("203.0.113.0/24", "198.51.100.0/24")],
            Plan(&["create security_rule.ssh-198.51.100.0-24", "delete security_rule.ssh-203.0.113.0-24"]),
        ),
        ("ssh.key", &[], NotCompared("who logs in is no part of what there is")),
        ("ssh.user", &[], NotCompared("who logs in is no part of what there is")),
        ("ssh.sudo", &[], NotCompared("how root's work is done is no part of what there is")),
        ("ssh.host_keys", &[], NotCompared("whose word counts is no part of what there is")),
        ("ssh.port", &[], NotCompared("only rules: `the_ports_of_public_machines_are_opened_and_no_others`")),
        ("endpoints", &[], NotCompared("where the cloud is asked, not what there is")),
    ]
}

fn machines() -> Vec<Row> {
    vec![
        (
            "instances.NAME.count",
            &[("ecs02: { vswitch: b", "ecs02: { count: 2, vswitch: b")],
            Plan(&[
                "create instance.ecs02-1 host_key.ecs02-1 security_rule.redis-ecs02-1 release.ecs02-1 server.ecs02-1",
                "create instance.ecs02-2 host_key.ecs02-2 security_rule.redis-ecs02-2 release.ecs02-2 server.ecs02-2",
                "delete instance.ecs02 host_key.ecs02 security_rule.redis-ecs02 release.ecs02 server.ecs02",
            ]),
        ),
        ("instances.NAME.vswitches", &[("ecs02: { vswitch: b", "ecs02: { vswitches: [a, b]")], Plan(MACHINE)),
        ("instances.NAME.vswitch", &[("ecs02: { vswitch: b", "ecs02: { vswitch: a")], Plan(MACHINE)),
        (
            "instances.NAME.access",
            &[("ecs03: { vswitch: a, via: ecs01 }", "ecs03: { vswitch: a, access: public }")],
            Plan(&["+/- instance.ecs03 host_key.ecs03 redis.ecs03", "update release.ecs01 release.ecs02"]),
        ),
        (
            "instances.NAME.via",
            &[("ecs02: { vswitch: b, access: public", "ecs02: { vswitch: b, via: ecs01")],
            Plan(MACHINE),
        ),
        (
            "instances.NAME.types",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, types: [ecs.c7.large]")],
            Plan(MACHINE),
        ),
        (
            "instances.NAME.image",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, image: 'acs:debian_12_11_x64'")],
            Plan(MACHINE),
        ),
        ("instances.NAME.ssh.user", &[], NotCompared("as `ssh.user`")),
        ("instances.NAME.ssh.sudo", &[], NotCompared("as `ssh.sudo`")),
        ("instances.NAME.ssh.port", &[], NotCompared("as `ssh.port`")),
        (
            "instances.NAME.disk",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, disk: 60")],
            Plan(&["update instance.ecs02"]),
        ),
        (
            "instances.NAME.data_disks",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, data_disks: [{ name: logs, size: 20 }]")],
            Plan(MACHINE),
        ),
        (
            "instances.NAME.user_data",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, user_data: 'echo hello'")],
            Plan(MACHINE),
        ),
        ("instances.NAME.spot", &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, spot: true")], Plan(MACHINE)),
        (
            "instances.NAME.protect",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, protect: true")],
            Plan(&[]),
        ),
        ("state", &[], NotCompared("where the journal is, not what there is")),
        ("exclusive", &[("region:", "exclusive: true\nregion:")], Plan(&[])),
    ]
}

/// What is said of all resources, or of all instances.
fn all() -> Vec<Row> {
    vec![
        (
            "instances.NAME.tags",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, tags: { role: node }")],
            Plan(&["update instance.ecs02"]),
        ),
        (
            "tags",
            &[("region:", "tags: { team: chat }\nregion:")],
            Plan(&[
                "update vpc.main vswitch.a vswitch.b security_group.main key_pair.main",
                "update instance.ecs01 instance.ecs02 instance.ecs03 load_balancer.main server_group.main",
            ]),
        ),
        (
            "instances.NAME.expires",
            &[("ecs02: { vswitch: b", "ecs02: { vswitch: b, expires: 4h")],
            Plan(&["update instance.ecs02"]),
        ),
        (
            "expires",
            &[("region:", "expires: 4h\nregion:")],
            Plan(&["update instance.ecs01 instance.ecs02 instance.ecs03"]),
        ),
        ("protect", &[("region:", "protect: true\nregion:")], Plan(&[])),
    ]
}

fn service() -> Vec<Row> {
    vec![
        (
            "redis.on",
            &[("on: ecs03 ", "on: ecs02 "), ("on: [ecs01, ecs02]", "on: [ecs01]")],
            Plan(&[
                "create redis.ecs02",
                "update release.ecs01",
                "delete redis.ecs03 release.ecs02 server.ecs02 security_rule.redis-ecs02",
            ]),
        ),
        (
            "redis.port",
            &[("on: ecs03 ", "port: 6380\n  on: ecs03 ")],
            Plan(&[
                "update redis.ecs03 release.ecs01 release.ecs02",
                "+/- security_rule.redis-ecs01 security_rule.redis-ecs02",
            ]),
        ),
        (
            "redis.max_memory",
            &[("on: ecs03 ", "max_memory: 512\n  on: ecs03 ")],
            // The nodes' stream may take a part of it.
            Plan(&["update redis.ecs03 release.ecs01 release.ecs02"]),
        ),
        (
            "redis.persistence",
            &[("on: ecs03 ", "persistence: none\n  on: ecs03 ")],
            Plan(&["update redis.ecs03"]),
        ),
        (
            "node.on",
            &[("on: [ecs01, ecs02]", "on: [ecs01]")],
            Plan(&["delete release.ecs02 server.ecs02 security_rule.redis-ecs02"]),
        ),
        (
            "node.port",
            &[("  port: 5000\n\nload", "  port: 5001\n\nload")],
            Plan(&[
                "update release.ecs01 release.ecs02",
                "+/- server.ecs01 server.ecs02 security_rule.node-a security_rule.node-b",
            ]),
        ),
        (
            "node.ping_interval",
            &[("  port: 5000\n\n", "  port: 5000\n  ping_interval: 8s\n\n")],
            Plan(RELEASES),
        ),
        (
            "node.ping_timeout",
            &[("  port: 5000\n\n", "  port: 5000\n  ping_timeout: 8s\n\n")],
            Plan(RELEASES),
        ),
        (
            "node.allowed_origins",
            &[("  port: 5000\n\n", "  port: 5000\n  allowed_origins: ['https://example.org']\n\n")],
            Plan(RELEASES),
        ),
        ("node.rollout.max_parallel", &[], NotCompared(HOW)),
        ("node.rollout.min_healthy_time", &[], NotCompared(HOW)),
        ("node.rollout.healthy_deadline", &[], NotCompared(HOW)),
        ("node.rollout.auto_revert", &[], NotCompared(HOW)),
        ("hooks.before_apply", &[], NotCompared(HOOK)),
        ("hooks.after_apply", &[], NotCompared(HOOK)),
        ("hooks.before_deploy", &[], NotCompared(HOOK)),
        ("hooks.after_deploy", &[], NotCompared(HOOK)),
        ("hooks.before_rollback", &[], NotCompared(HOOK)),
        ("hooks.after_rollback", &[], NotCompared(HOOK)),
        ("hooks.before_destroy", &[], NotCompared(HOOK)),
        ("hooks.after_destroy", &[], NotCompared(HOOK)),
        ("hooks.timeout", &[], NotCompared(HOOK)),
        ("outputs", &[], NotCompared("what is told of what there is")),
        ("verify.vantages", &[], NotCompared(LOOK)),
        ("verify.kind", &[], NotCompared(LOOK)),
        ("verify.path", &[], NotCompared(LOOK)),
        ("verify.send", &[], NotCompared(LOOK)),
        ("verify.expect.status", &[], NotCompared(LOOK)),
        ("verify.expect.body", &[], NotCompared(LOOK)),
        ("verify.expect.headers", &[], NotCompared(LOOK)),
        ("verify.expect.message", &[], NotCompared(LOOK)),
    ]
}

/// A chatroom becomes an app: the same instances, another release.
fn app() -> Vec<Row> {
    vec![
        (
            "app.binary",
            &[
                ("  port: 5000\n\nload_balancer", "\nload_balancer"),
                ("\nnode:\n", "\napp: { binary: /bin/true }\nnode:\n"),
            ],
            Plan(RELEASES),
        ),
        (
            "app.args",
            &[
                ("  port: 5000\n\nload_balancer", "\nload_balancer"),
                ("\nnode:\n", "\napp: { binary: /bin/true, args: [a] }\nnode:\n"),
            ],
            Plan(RELEASES),
        ),
        (
            "app.env",
            &[
                ("  port: 5000\n\nload_balancer", "\nload_balancer"),
                ("\nnode:\n", "\napp: { binary: /bin/true, env: { A: b } }\nnode:\n"),
            ],
            Plan(RELEASES),
        ),
        (
            "app.port",
            &[
                ("  port: 5000\n\nload_balancer", "\nload_balancer"),
                ("\nnode:\n", "\napp: { binary: /bin/true, port: 5001 }\nnode:\n"),
            ],
            Plan(&[
                "update release.ecs01 release.ecs02",
                "+/- server.ecs01 server.ecs02 security_rule.node-a security_rule.node-b",
            ]),
        ),
        (
            "app.health.path",
            &[
                ("  port: 5000\n\nload_balancer", "\nload_balancer"),
                ("\nnode:\n", "\napp: { binary: /bin/true, health: { path: /up } }\nnode:\n"),
            ],
            Plan(&["update server_group.main release.ecs01 release.ecs02"]),
        ),
        ("app.health.within", &[], NotCompared(HOW)),
    ]
}

fn front() -> Vec<Row> {
    const BALANCER: &[&str] = &["+/- load_balancer.main listener.main", "update record.main"];
    vec![
        (
            "load_balancer.id",
            &[("  address: internet", "  id: alb-other")],
            Refused("the topology names alb-other"),
        ),
        (
            "load_balancer.vswitches",
            &[
                ("\nssh:", "    c: { zone: cn-hangzhou-j, cidr: 192.168.2.0/24 }\n\nssh:"),
                ("  address: internet", "  vswitches: [a, c]"),
            ],
            Plan(&[
                "create vswitch.c security_rule.node-c",
                "delete security_rule.node-b",
                "+/- load_balancer.main listener.main",
                "update record.main release.ecs01 release.ecs02",
            ]),
        ),
        ("load_balancer.address", &[("address: internet", "address: intranet")], Plan(BALANCER)),
        ("load_balancer.edition", &[("address: internet", "edition: standard")], Plan(BALANCER)),
        ("load_balancer.protect", &[("address: internet", "protect: true")], Plan(&[])),
        (
            "load_balancer.listener.protocol",
            &[("protocol: http", "protocol: https\n    certificate: 1-cn-hangzhou")],
            Plan(&["-/+ listener.main"]),
        ),
        (
            "load_balancer.listener.port",
            &[("    port: 5000", "    port: 8080")],
            Plan(&["+/- listener.main"]),
        ),
        (
            "load_balancer.listener.idle_timeout",
            &[("idle_timeout: 60s", "idle_timeout: 50s")],
            Plan(&["update listener.main"]),
        ),
        (
            "load_balancer.listener.request_timeout",
            &[("request_timeout: 60s", "request_timeout: 50s")],
            Plan(&["update listener.main"]),
        ),
        (
            "load_balancer.listener.certificate",
            &[],
            NotCompared("only with https: `another_chain_is_uploaded_shown_and_then_the_old_one_goes`"),
        ),
        (
            "load_balancer.redirect_from",
            &[],
            NotCompared("only with https: `the_redirect_is_changed_in_place_and_moves_with_the_port`"),
        ),
        ("dns.domain", &[("domain: example.com ", "domain: example.net ")], Plan(&["+/- record.main"])),
        ("dns.host", &[("host: \"@\" ", "host: chat ")], Plan(&["+/- record.main"])),
        ("dns.ttl", &[("host: \"@\" ", "ttl: 900\n  host: \"@\" ")], Plan(&["update record.main"])),
    ]
}

#[test]
fn every_field_is_updated_in_place_or_forces_a_replacement() {
    let (rows, managed, fields) = (rows(), managed(), schema_fields());
    let written: BTreeSet<String> = rows.iter().chain(&managed).map(|row| row.0.to_owned()).collect();
    assert_eq!(written.len(), rows.len() + managed.len(), "a field stands twice");
    assert_eq!(written, fields, "a field has no row, or a row no field");
    if lacks_redis("every_field_is_updated_in_place_or_forces_a_replacement") {
        return;
    }
    let mut wrong = differing(&TestEnv::with_chatroom(), &example(), rows);
    wrong.extend(differing(&tair::with_tair(), &tair::example(), managed));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The examples with the changes of each row: topologies in which every compared field is written.
pub(crate) fn variants() -> Vec<String> {
    let changed = |example: &str, rows: Vec<Row>| -> Vec<String> {
        let changed = rows
            .iter()
            .map(|row| row.1.iter().fold(example.to_owned(), |text, (from, to)| text.replace(from, to)));
        changed.collect()
    };
    [changed(&example(), rows()), changed(&tair::example(), managed())].concat()
}

/// What does something else than its row says.
fn differing(env: &TestEnv, example: &str, rows: Vec<Row>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, changes, does) in rows {
        let changed = changes.iter().fold(example.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the example has no `{from}`");
            text.replace(from, to)
        });
        env.write("chatroom.yaml", changed);
        match does {
            NotCompared(why) => assert!(changes.is_empty() && !why.is_empty(), "{field}"),
            Refused(why) => drop(env.local("plan").expect_code(1).expect_in_order(&[why])),
            Plan(expected) => {
                let expected = expected.iter().flat_map(|line| {
                    let mut words = line.split(' ');
                    let verb = words.next().unwrap_or_default();
                    words.map(move |address| format!("{verb} {address}"))
                });
                let expected: BTreeSet<String> = expected.collect();
                let found: BTreeSet<String> =
                    planned(env).into_iter().map(|(address, verb)| format!("{verb} {address}")).collect();
                if found != expected {
                    let missing: Vec<_> = expected.difference(&found).collect();
                    let other: Vec<_> = found.difference(&expected).collect();
                    wrong.push(format!("{field}: does not {missing:?}, but {other:?}"));
                }
            }
        }
    }
    wrong
}
