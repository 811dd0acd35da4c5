//! The examples are accepted, and every rule speaks with its place.

use super::*;
use crate::topology::model::RedisPlace;

const CHATROOM: &str = include_str!("../../examples/chatroom.yaml");
const TAIR: &str = include_str!("../../examples/chatroom-tair.yaml");
const MINIMAL: &str = include_str!("../../examples/minimal.yaml");

fn codes(text: &str) -> Vec<(&'static str, usize)> {
    let diagnostics = load(text.as_bytes()).expect_err("the text has a fault");
    diagnostics.iter().map(|one| (one.code, one.place.as_ref().map_or(0, |place| place.line))).collect()
}

#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(CHATROOM.contains(from), "the example has no `{from}`");
    CHATROOM.replacen(from, to, 1)
}

#[test]
fn the_examples_are_valid() {
    let chatroom = load(CHATROOM.as_bytes()).expect("valid");
    assert_eq!(chatroom.url(), "http://example.com:5000/");
    assert!(CHATROOM.lines().count() <= 40);
    let minimal = load(MINIMAL.as_bytes()).expect("valid");
    assert_eq!(
        minimal.instances.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["ecs01", "ecs02", "ecs03"]
    );
    let RedisPlace::OnHost(redis) = &minimal.redis.place else { panic!("{:?}", minimal.redis) };
    assert_eq!(redis.on.as_str(), "ecs03");
    let tair = load(TAIR.as_bytes()).expect("valid");
    let RedisPlace::Managed(managed) = &tair.redis.place else { panic!("{:?}", tair.redis) };
    assert_eq!((managed.class.as_str(), managed.engine.as_str()), ("tair.rdb.1g", "7.0"));
    assert_eq!((tair.instances.len(), &tair.node), (2, &chatroom.node));
    assert_eq!(minimal.node.on.len(), 2);
    assert_eq!(minimal.load_balancer.listener, chatroom.load_balancer.listener);
}

#[test]
fn a_certificate_is_an_id_or_files_or_made() {
    let certificate = |written: &str| {
        let text = SECURE.replace("{ self_signed: true }", written);
        load(text.as_bytes()).map(|topology| topology.load_balancer.listener.certificate.expect("one"))
    };
    assert_eq!(certificate("12345-cn-hangzhou"), Ok(model::Certificate::Id("12345-cn-hangzhou".to_owned())));
    assert_eq!(certificate("{ self_signed: true }"), Ok(model::Certificate::SelfSigned));
    let files = model::Certificate::Files { chain: "chain.pem".into(), key: "keys/key.pem".into() };
    assert_eq!(certificate("{ file: chain.pem, key: keys/key.pem }"), Ok(files));
    for wrong in [
        "{ file: a }",
        "{ key: a }",
        "{}",
        "{ self_signed: false }",
        "{ self_signed: true, file: a, key: b }",
    ] {
        assert_eq!(certificate(wrong).unwrap_err()[0].code, "certificate-form", "{wrong}");
    }
    let unknown = certificate("{ file: a, kee: b }").unwrap_err();
    assert_eq!((unknown[0].code, unknown[0].help.as_deref()), ("certificate-form", Some(CERTIFICATE_HELP)));
    assert!(unknown.iter().any(|one| one.help.as_deref() == Some("did you mean `key`?")), "{unknown:?}");
    assert_eq!(certificate("[a]").unwrap_err()[0].code, "syntax");
}

const SECURE: &str = include_str!("../../examples/chatroom-https.yaml");
const CERTIFICATE_HELP: &str = "write `{ file: chain.pem, key: key.pem }`, `{ self_signed: true }`, or an id such as `12345-cn-hangzhou`";

#[test]
fn the_known_fields_are_those_of_the_schema() {
    for path in
        ["", "network", "network.vpc", "network.vswitches.a", "ssh", "instances.ecs01", "redis", "node"]
    {
        let parents = if path.is_empty() { Vec::new() } else { places::path(path) };
        assert!(!known_fields(&parents).is_empty(), "{path}");
    }
    assert_eq!(codes(&changed("redis:", "redsi: {}\nredis:")), [("unknown-field", 20)]);
    let diagnostics = load(changed("  port: 5000", "  prot: 5000").as_bytes()).unwrap_err();
    assert_eq!(diagnostics[0].help.as_deref(), Some("did you mean `port`?"));
}

#[test]
fn every_rule_has_its_place() {
    let cases = [
        ("stack: chatroom", "stack: Chat Room", "stack-name", 3),
        ("region: cn-hangzhou", "region: Hangzhou", "region", 4),
        ("zone: cn-hangzhou-h", "zone: cn-beijing-h", "zone-outside-region", 9),
        ("cidr: 192.168.0.0/24", "cidr: 10.0.0.0/24", "cidr-outside-vpc", 9),
        ("cidr: 192.168.1.0/24", "cidr: 192.168.0.128/25", "cidr-overlap", 10),
        ("cidr: 192.168.0.0/16", "cidr: 192.168.0.0/33", "cidr", 7),
        ("[203.0.113.0/24]", "[203.0.113.1/24]", "cidr", 13),
        ("cidr: 192.168.0.0/16", "cidr: 127.0.0.0/16", "cidr", 7),
        ("cidr: 192.168.1.0/24", "cidr: 192.168.1.0/29", "vswitch-too-small", 10),
        ("  address: internet", "  vswitches: [a, b, c]", "unknown-vswitch", 28),
        ("ssh:", "ssh:\n  user: admin", "ssh-user", 13),
        ("[203.0.113.0/24]", "[]", "ssh-allow-from", 13),
        ("ecs02: { vswitch: b", "ecs02: { vswitch: c", "unknown-vswitch", 17),
        ("via: ecs01", "via: ecs1", "unknown-instance", 18),
        ("via: ecs01", "via: ecs03", "unreachable", 18),
        ("ecs03: { vswitch: a, via: ecs01 }", "ecs03: { vswitch: a }", "unreachable", 18),
        ("on: ecs03", "on: ecs04", "unknown-instance", 21),
        ("[ecs01, ecs02]", "[ecs01, ecs09]", "unknown-instance", 24),
        ("  port: 5000", "  port: 70000", "port-range", 25),
        ("  port: 5000", "  port: 22", "port-taken", 25),
        ("b: { zone: cn-hangzhou-i", "b: { zone: cn-hangzhou-h", "zone-twice", 27),
        ("protocol: http", "protocol: https", "https-without-certificate", 30),
        ("idle_timeout: 60s", "idle_timeout: 601s", "timeout-range", 32),
        ("idle_timeout: 60s", "idle_timeout: 10s", "ping-interval", 32),
        ("domain: example.com", "domain: http://example.com", "domain", 36),
        ("stack: chatroom", "endpoints: { ecs: http://example.com }\nstack: chatroom", "endpoint", 3),
        (
            "stack: chatroom",
            "endpoints: { oss: https://example.com }\nstack: chatroom",
            "endpoint-product",
            3,
        ),
    ];
    for (from, to, code, line) in cases {
        let found = codes(&changed(from, to));
        assert!(found.contains(&(code, line)), "{to}: expected {code} at line {line}, found {found:?}");
    }
}

#[test]
fn endpoints_are_taken_by_product() {
    let text = format!(
        "{CHATROOM}\nendpoints: {{ r_kvstore: https://redis.example.com, ecs: 'http://127.0.0.1:80' }}\n"
    );
    let topology = load(text.as_bytes()).expect("valid");
    let urls: Vec<(&str, &str)> =
        topology.endpoints.iter().map(|(product, one)| (product.as_str(), one.url().as_str())).collect();
    assert_eq!(urls, [("ecs", "http://127.0.0.1/"), ("r_kvstore", "https://redis.example.com/")]);
}

#[test]
fn regions_have_the_forms_the_cloud_gives_them() {
    for region in
        ["cn-hangzhou", "ap-southeast-1", "cn-hangzhou-finance", "cn-shanghai-finance-1", "cn-wuhan-lr"]
    {
        let text = CHATROOM.replace("cn-hangzhou", region);
        assert!(load(text.as_bytes()).is_ok(), "{region}");
    }
    for region in ["hangzhou", "cn-", "cn-hangzhou-h-1-2", "CN-hangzhou", "cn-shanghai-1-finance"] {
        assert!(
            codes(&changed("region: cn-hangzhou", &format!("region: {region}"))).contains(&("region", 4)),
            "{region}"
        );
    }
}

#[test]
fn vswitches_of_an_existing_load_balancer_are_checked_too() {
    let text = changed("  address: internet", "  id: alb-1\n  vswitches: [typo]");
    assert_eq!(codes(&text), [("unknown-vswitch", 29)]);
}

#[test]
fn all_findings_come_together_in_the_order_of_the_file() {
    let text = changed("via: ecs01", "via: ecs9")
        .replace("on: ecs03", "on: ecs08")
        .replace("host: \"@\"", "hots: x");
    let found: Vec<_> = codes(&text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(found, ["unknown-instance", "unknown-instance", "unknown-field"]);
}

#[test]
fn a_topology_without_a_name_is_refused() {
    let (text, _) = CHATROOM.split_once("dns:").unwrap();
    assert_eq!(codes(text).first().map(|(code, _)| *code), Some("no-dns"));
}

#[test]
fn syntax_duplicate_keys_and_types_stop_with_their_place() {
    for (text, line) in [
        ("stack: [a", 1),
        ("stack: a\nstack: b\n", 2),
        (changed("port: 5000", "port: five").as_str(), 25),
        (changed("access: public", "access: private").as_str(), 16),
    ] {
        let diagnostics = load(text.as_bytes()).unwrap_err();
        assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
        assert_eq!(diagnostics[0].code, "syntax");
        assert_eq!(diagnostics[0].place.as_ref().map(|place| place.line), Some(line), "{diagnostics:?}");
    }
}

#[test]
fn hostile_files_are_refused_at_once() {
    let large = vec![b'#'; 10 * 1024 * 1024];
    assert_eq!(load(&large).unwrap_err()[0].code, "file-too-large");
    assert_eq!(load(b"stack: \xff\n").unwrap_err()[0].code, "not-utf-8");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        bomb = format!("{bomb}a{level}: &a{level} [{}]\n", [item.as_str(); 10].join(", "));
    }
    let found = load(bomb.as_bytes()).unwrap_err();
    assert_eq!(found[0].code, "syntax", "{found:?}");
}

/// A topology with machines of one kind.
const SCALED: &str = r#"# Several machines of one kind, reached directly.
#
variables:
  NODES: { type: number, default: 2, description: how many instances run the chat node }
  DOMAIN: example.com
  OFFICES: [203.0.113.0/24]

stack: chat-${env:STAGE:-test}
region: cn-hangzhou

network:
  zones: [cn-hangzhou-h, cn-hangzhou-i]

ssh:
  allow_from: ${OFFICES}

instances:
  bus: { vswitch: a, via: web-1 }
  web: { count: "${NODES}", access: public }

redis:
  on: bus

node:
  on: [web]                                           # all of them

dns:
  domain: ${DOMAIN}
  host: ${env:STAGE:-test}
"#;

/// The machines of a topology with their vSwitches.
fn homes(text: &str) -> Vec<String> {
    let topology = load(text.as_bytes()).expect("valid");
    topology.instances.iter().map(|(name, instance)| format!("{name} in {}", instance.vswitch)).collect()
}

#[test]
fn machines_of_one_declaration_take_its_vswitches_in_turn() {
    let three = SCALED.replace("default: 2,", "default: 3,");
    assert_eq!(homes(&three), ["bus in a", "web-1 in a", "web-2 in b", "web-3 in a"]);
    let named = three.replace("access: public }", "access: public, vswitches: [b] }");
    assert_eq!(homes(&named), ["bus in a", "web-1 in b", "web-2 in b", "web-3 in b"]);
    let single = three.replace("count: \"${NODES}\", ", "").replace("web-1", "web");
    assert_eq!(homes(&single), ["bus in a", "web in a"]);
}

#[test]
fn without_a_word_on_redis_it_stays_where_it_is_when_the_count_changes() {
    let place = |count: &str| {
        let text = SCALED
            .replace("default: 2,", &format!("default: {count},"))
            .replace("  bus: { vswitch: a, via: web-1 }\n", "")
            .replace("redis:\n  on: bus\n", "")
            .replace("node:\n  on: [web] ", "# ");
        let topology = load(text.as_bytes()).expect("valid");
        match topology.redis.place {
            RedisPlace::OnHost(hosted) => (hosted.on.to_string(), topology.node.on.len()),
            RedisPlace::Managed(_) | RedisPlace::Absent => panic!("on a machine"),
        }
    };
    assert_eq!(place("3"), ("web-1".to_owned(), 2));
    assert_eq!(place("12"), ("web-1".to_owned(), 11));
}

#[test]
fn what_is_wrong_with_machines_of_one_declaration_is_said_once_and_there() {
    let text = SCALED.replace("access: public }", "access: public, disk: 10, image: centos_7 }");
    assert_eq!(codes(&text), [("disk-size", 19), ("image-past-its-end", 19)]);
    let text = SCALED.replace("on: [web] ", "on: [web, web-2, bus2] ");
    assert_eq!(codes(&text), [("node-twice", 25), ("unknown-instance", 25)]);
}

#[test]
fn a_value_that_is_put_in_is_checked_as_a_written_one_and_shown_at_its_reference() {
    let text = changed("stack: chatroom", "variables: { PORT: five }\nstack: chatroom")
        .replace("    port: 5000", "    port: ${PORT}");
    let found = load(text.as_bytes()).unwrap_err();
    assert_eq!(found[0].code, "syntax");
    assert_eq!(found[0].place.as_ref().map(|place| &text[place.bytes.clone()]), Some("${PORT}"));
    assert!(found[0].cause.ends_with("here it is \"five\""), "{found:?}");
}

#[test]
fn a_reference_alone_has_the_type_of_its_value_wherever_it_stands() {
    let text =
        changed("stack: chatroom", "variables: { PORT: 5001, ON: [ecs01], SPOT: true }\nstack: chatroom")
            .replace("    port: 5000", "    port: \"${PORT}\"")
            .replace("on: [ecs01, ecs02]", "on: ${ON}")
            .replace("ecs02: { vswitch: b,", "ecs02: { vswitch: b, spot: \"${SPOT}\",")
            .replace("  host: \"@\"", "  host: >-\n    chat-${PORT}\n  # ");
    let topology = load(text.as_bytes()).expect("valid");
    assert_eq!(topology.url(), "http://chat-5001.example.com:5001/");
    assert_eq!(topology.node.on.len(), 1);
}
