//! Rules of Redis: where it comes from, and what each of these can be.

use crate::topology::findings::{Finding, Findings, below, one_of};
use crate::topology::places::path;
use crate::topology::resolve::DEFAULT_ENGINE;
use crate::topology::rules::machines::unknown_instance;
use crate::topology::schema::{Document, ManagedRedis};

/// Versions of managed Redis that have Streams.
const ENGINES: [&str; 3] = ["5.0", "6.0", "7.0"];
/// The lowest port of a managed Redis.
const LOWEST_PORT: i64 = 1024;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    match document.redis.managed() {
        Some((field, managed)) => {
            one_place(document, field, findings);
            settings_of_hosts(document, field, findings);
            class(field, managed, findings);
            engine(field, managed, findings);
            vswitch(document, field, managed, findings);
            port(document, findings);
        }
        None if document.has_redis() => on_host(document, findings),
        None => {}
    }
    redis_memory(document, findings);
}

fn on_host(document: &Document, findings: &mut Findings<'_>) {
    let on = document.redis.on.as_deref().unwrap_or_default();
    // Only without a vSwitch are there no instances by default, and that is reported as such.
    if !document.instances.is_empty() && !document.instances.contains_key(on) {
        findings.at_value(&path("redis.on"), unknown_instance(document, on));
    }
}

/// On an instance, as Tair or as classic Redis, not in two ways.
fn one_place(document: &Document, field: &str, findings: &mut Findings<'_>) {
    let redis = &document.redis;
    let other = if redis.on.is_some() {
        "on"
    } else if redis.tair.is_some() && redis.classic.is_some() {
        "classic"
    } else {
        return;
    };
    findings.at_key(
        &below(&path("redis"), other),
        Finding {
            code: "redis-twice",
            message: "Redis is in two places".to_owned(),
            cause: format!("the topology says both `{field}` and `{other}`"),
            help: "keep one of `on`, `tair` and `classic`".to_owned(),
        },
    );
}

/// What the class of a managed Redis decides, and the cloud.
fn settings_of_hosts(document: &Document, field: &str, findings: &mut Findings<'_>) {
    let redis = &document.redis;
    let written = [("max_memory", redis.max_memory.is_some()), ("persistence", redis.persistence.is_some())];
    for (setting, _) in written.into_iter().filter(|(_, is_written)| *is_written) {
        findings.at_key(
            &below(&path("redis"), setting),
            Finding {
                code: "redis-setting",
                message: format!("a managed Redis has no `{setting}`"),
                cause: "its class decides how much it holds, and all of it survives a restart".to_owned(),
                help: format!("remove `{setting}`, and choose `redis.{field}.class`"),
            },
        );
    }
}

fn class(field: &str, managed: &ManagedRedis, findings: &mut Findings<'_>) {
    let class = &managed.class;
    let (prefix, example) =
        if field == "tair" { ("tair.rdb.", "tair.rdb.1g") } else { ("redis.", "redis.master.small.default") };
    if class.starts_with(prefix) && class.len() > prefix.len() {
        return;
    }
    findings.at_value(
        &below(&below(&path("redis"), field), "class"),
        Finding {
            code: "redis-class",
            message: format!("`{class}` is no class of `{field}`"),
            cause: format!("its classes begin with `{prefix}`"),
            help: format!("write for example `class: {example}`"),
        },
    );
}

/// Tair and cloud-native classes have the later versions, those on local disks 5.0 alone.
fn engine(field: &str, managed: &ManagedRedis, findings: &mut Findings<'_>) {
    let engine = managed.engine.as_deref().unwrap_or(DEFAULT_ENGINE);
    let is_local =
        field == "classic" && managed.class.starts_with("redis.") && managed.class.ends_with(".default");
    let place = below(&below(&path("redis"), field), "engine");
    if ["2.8", "4.0"].contains(&engine) {
        findings.at_value(
            &place,
            Finding {
                code: "redis-engine",
                message: format!("Redis {engine} cannot carry the messages"),
                cause: "it has no Streams, which came with 5.0".to_owned(),
                help: format!("write for example `engine: \"{DEFAULT_ENGINE}\"`"),
            },
        );
    } else if !ENGINES.contains(&engine) || (is_local && engine != DEFAULT_ENGINE) {
        let known: &[&str] = if is_local { &ENGINES[..1] } else { &ENGINES };
        findings.at_value(
            &place,
            Finding {
                code: "redis-engine",
                message: format!("`{}` has no version {engine}", managed.class),
                cause: format!("there is {}", one_of(known.iter().copied())),
                help: format!("write for example `engine: \"{DEFAULT_ENGINE}\"`"),
            },
        );
    }
}

fn vswitch(document: &Document, field: &str, managed: &ManagedRedis, findings: &mut Findings<'_>) {
    let known = &document.network.vswitches;
    let Some(name) = managed.vswitch.as_ref().filter(|name| !known.contains_key(*name)) else { return };
    findings.at_value(
        &below(&below(&path("redis"), field), "vswitch"),
        Finding {
            code: "unknown-vswitch",
            message: format!("no vSwitch is called `{name}`"),
            cause: format!("there is {}", one_of(known.keys().map(String::as_str))),
            help: "use one that is declared under `network.vswitches`".to_owned(),
        },
    );
}

fn port(document: &Document, findings: &mut Findings<'_>) {
    if let Some(port) = document.redis.port.filter(|port| (1..LOWEST_PORT).contains(port)) {
        findings.at_value(
            &path("redis.port"),
            Finding {
                code: "port-range",
                message: format!("{port} is not a port of a managed Redis"),
                cause: format!("its ports are {LOWEST_PORT} to 65535"),
                help: "write for example `port: 6379`".to_owned(),
            },
        );
    }
}

fn redis_memory(document: &Document, findings: &mut Findings<'_>) {
    if let Some(megabytes) = document.redis.max_memory.filter(|megabytes| *megabytes < 16) {
        findings.at_value(
            &path("redis.max_memory"),
            Finding {
                code: "redis-memory",
                message: format!("{megabytes} MiB is too little for Redis"),
                cause: "it needs 16 MiB at least".to_owned(),
                help: "write for example `max_memory: 256`".to_owned(),
            },
        );
    }
}
