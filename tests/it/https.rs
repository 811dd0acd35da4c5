//! https from topology to proof: certificates that are brought along, made or named, the redirect, and what is left of
//! all that by hand, by a crash and by a lost state.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use albatross::base::certificate::{Certificate, self_signed};
use albatross::cloud::Product;
use albatross::cloud::call::Call;
use serde_json::Value;

use crate::chatroom::CHECKS;
use crate::doctor::upload_certificate;
use crate::parts::lacks_redis;
use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::block_on;

pub(crate) const BROUGHT: &str = "certificate: { file: chain.pem, key: key.pem }";
pub(crate) const MADE: &str = "certificate: { self_signed: true }";

/// The example, under the name of all others.
fn secure() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chatroom-https.yaml"));
    text.expect("the example is there").replace("stack: chatroom-https", "stack: chatroom")
}

/// Writes it with these changes.
pub(crate) fn write_secure(env: &TestEnv, changes: &[(&str, &str)]) {
    let text = changes.iter().fold(secure(), |text, (from, to)| {
        assert!(text.contains(from), "the example has no `{from}`");
        text.replacen(from, to, 1)
    });
    env.write("chatroom.yaml", text);
}

/// Puts a chain and its key beside the topology.
pub(crate) fn bring(env: &TestEnv, certificate: &Certificate) {
    env.write("chain.pem", &certificate.chain.pem);
    env.write("key.pem", certificate.key.expose());
    let only_ours = fs::Permissions::from_mode(0o600);
    fs::set_permissions(env.file("key.pem"), only_ours).expect("its mode set");
}

/// The example's control plane with these changes, up.
fn control_plane(changes: &[(&str, &str)]) -> TestEnv {
    let env = TestEnv::with_control_plane();
    bring(&env, &self_signed("example.com").expect("a name"));
    write_secure(&env, changes);
    env.local("apply").expect_code(0);
    env
}

/// What ALB calls each certificate that the service has, by number.
fn certificates(env: &TestEnv) -> BTreeMap<String, String> {
    let world = env.cloud().world();
    let found = world["certificates"].as_object().expect("certificates by number");
    let identifier = |number: &String| format!("{number}-cn-hangzhou");
    let there = found.iter().filter(|(_, one)| one["deleted"] != true);
    there.map(|(number, _)| (number.clone(), identifier(number))).collect()
}

/// The certificates of the https listener.
fn shown(env: &TestEnv) -> Value {
    let world = env.cloud().world();
    let listeners = world["listeners"].as_object().expect("listeners by id").values();
    let mut secure = listeners.filter(|one| one["port"] == 443);
    secure.next().expect("the https listener")["certificates"].clone()
}

fn call(env: &TestEnv, call: &Call) -> Value {
    block_on(env.cloud().client("cn-hangzhou").call(call)).expect("the cloud takes it")
}

fn ids(env: &TestEnv) -> BTreeMap<String, String> {
    let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let resources = status["resources"].as_array().expect("a list").iter();
    resources.map(|one| (text(&one["address"]), text(&one["id"]))).collect()
}

#[track_caller]
pub(crate) fn expect_no_change(env: &TestEnv) {
    assert_eq!(planned(env), BTreeMap::new());
}

/// No file below a folder has this in it.
pub(crate) fn expect_nowhere(folder: &Path, text: &str) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            expect_nowhere(&path, text);
        } else if path.is_file() {
            let content = fs::read(&path).expect("readable");
            let content = String::from_utf8_lossy(&content);
            assert!(!content.contains(text), "{} has it", path.display());
        }
    }
}

/// A line of a key that is in nothing else.
fn middle_of(key: &str) -> &str {
    key.lines().nth(1).expect("a key has lines")
}

#[test]
fn smoke_proves_wss_with_a_redirect_and_leaves_nothing() {
    if lacks_redis("smoke_proves_wss_with_a_redirect_and_leaves_nothing") {
        return;
    }
    let env = TestEnv::new();
    write_secure(&env, &[]);
    let arguments = ["smoke", "--quick", "chatroom.yaml", "--hosts", "process", "--json", "out.json"];
    env.run(&arguments).expect_code(0).expect_in_order(&[
        "+ certificate.main ",
        "self-signed, for example.com",
        "+ listener.main ",
        "HTTPS 443",
        "+ listener.redirect ",
        "HTTP 80",
        "+ listener_rule.redirect ",
        "every request: 308 to https on port 443",
        "No changes: 28 resources",
        "Verifying https://example.com/ with two clients",
        "passed tls.valid",
        "passed http.redirects",
        "http://example.com/ leads to https://example.com/ with status 308",
        "passed page.loads",
        "passed message.b_to_a",
        "15 checks passed, 0 failed, 2 skipped",
        "0 resources left",
    ]);
    let report: Value = serde_json::from_str(&env.read("out.json")).expect("JSON");
    let checks = report["checks"].as_array().expect("a list");
    let passed = checks.iter().filter(|check| check["status"] == "passed").map(|check| &check["id"]);
    assert_eq!(passed.collect::<Vec<_>>(), CHECKS[..15]);
    let valid = &checks[1]["evidence"];
    assert_eq!((&valid["subject"], &valid["protocol"]), (&"example.com".into(), &"TLS 1.3".into()));
    for name in ["issuer", "ends", "days_left", "trusted_by", "sha256"] {
        assert!(valid[name].is_string(), "{name}: {valid}");
    }
}

/// The listener shows this certificate from now on.
fn show(env: &TestEnv, listener: &str, certificate: &str) {
    let update = Call::new(Product::Alb, "UpdateListenerAttribute").with("ListenerId", listener);
    call(env, &update.with("Certificates.1.CertificateId", certificate));
}

#[test]
fn what_others_break_fails_the_right_check_is_shown_and_is_mended() {
    if lacks_redis("what_others_break_fails_the_right_check_is_shown_and_is_mended") {
        return;
    }
    let env = TestEnv::with_cloud(&["--pace", "instant"]);
    write_secure(&env, &[]);
    env.local("apply")
        .expect_code(0)
        .expect_in_order(&["The chatroom is at https://example.com/", "On this machine open https://127."]);
    env.verify().expect_code(0).expect_in_order(&["15 checks passed"]);
    let known = ids(&env);

    let rule = Call::new(Product::Alb, "DeleteRule").with("RuleId", &known["listener_rule.redirect"]);
    call(&env, &rule);
    env.verify().expect_code(4).expect_in_order(&[
        "passed tls.valid",
        "FAILED http.redirects",
        "but the status is 200",
        "passed page.loads",
        "14 checks passed, 1 failed",
    ]);

    let other = upload_certificate(&env.cloud(), "example.org");
    show(&env, &known["listener.main"], &other);
    env.verify().expect_code(4).expect_in_order(&[
        "FAILED tls.valid",
        "help: `albatross --local plan chatroom.yaml` compares it",
        "not reached because tls.valid failed",
        "1 check passed, 14 failed, 2 skipped",
    ]);
    env.local("plan").expect_code(0).expect_in_order(&["listener.main", "certificate: ", &other]);
    env.local("apply").expect_code(0);
    env.verify().expect_code(0);

    // One named by id is held against the name only where it is shown.
    write_secure(&env, &[(MADE, &format!("certificate: {other}"))]);
    env.local("apply").expect_code(0);
    env.verify()
        .expect_code(4)
        .expect_in_order(&["FAILED tls.valid", "the one shown is for example.org, not for example.com"]);
}

#[test]
fn a_certificate_that_is_brought_along_is_uploaded_and_its_key_stays_where_it_was() {
    let env = control_plane(&[(MADE, BROUGHT)]);
    let [(number, identifier)] = certificates(&env).into_iter().collect::<Vec<_>>().try_into().expect("one");
    assert_eq!(shown(&env), Value::from(vec![identifier]));
    assert_eq!(ids(&env)["certificate.main"], number);
    expect_no_change(&env);
    let key = env.read("key.pem");
    expect_nowhere(&env.file(".albatross"), middle_of(&key));
    env.run(&["--local", "plan", "--out", "saved.plan", "chatroom.yaml"]).expect_code(0);
    assert!(!env.read("saved.plan").contains(middle_of(&key)));
    env.expect_destroyed_to_nothing();
    assert_eq!(certificates(&env), BTreeMap::new());
}

#[test]
fn another_chain_is_uploaded_shown_and_then_the_old_one_goes() {
    let env = control_plane(&[(MADE, BROUGHT)]);
    let before = certificates(&env);
    bring(&env, &self_signed("example.com").expect("a name"));
    env.local("plan").expect_code(0).expect_in_order(&[
        "+/- certificate.main ",
        "origin: ",
        "# forces replacement: a certificate cannot be changed",
        "~ listener.main ",
        "certificate: ",
        "-> (known after apply)",
        "Plan: 1 to update, 1 to replace.",
    ]);
    env.local("apply").expect_code(0).expect_in_order(&[
        "ok certificate.main: ",
        "ok listener.main: ",
        "ok certificate.main~",
    ]);
    let after = certificates(&env);
    assert_eq!(after.len(), 1);
    assert_ne!(after, before);
    assert_eq!(shown(&env), after.values().cloned().collect::<Value>());
    expect_no_change(&env);
    // From one that was brought along to one that is made, and to one that is there.
    write_secure(&env, &[]);
    assert_eq!(planned(&env)["certificate.main"], "+/-");
    env.local("apply").expect_code(0);
    let id = upload_certificate(&env.cloud(), "example.com");
    write_secure(&env, &[(MADE, &format!("certificate: {id}"))]);
    env.local("apply").expect_code(0);
    assert_eq!(certificates(&env).into_values().collect::<Vec<_>>(), [id]);
    expect_no_change(&env);
}

#[test]
fn a_lost_state_finds_certificate_redirect_and_rule_again() {
    let env = control_plane(&[]);
    let before = certificates(&env);
    fs::remove_dir_all(env.state()).expect("there was a state");
    expect_no_change(&env);
    env.local("apply").expect_code(0);
    assert_eq!(certificates(&env), before);
    fs::remove_dir_all(env.state()).expect("there was a state");
    env.expect_destroyed_to_nothing();
    assert_eq!(certificates(&env), BTreeMap::new());
}

#[test]
fn a_certificate_that_somebody_deleted_is_told_and_made_again() {
    let env = control_plane(&[]);
    let [number] = certificates(&env).into_keys().collect::<Vec<_>>().try_into().expect("one");
    call(&env, &Call::new(Product::Cas, "DeleteUserCertificate").with("CertId", &number));
    env.local("plan").expect_code(0).expect_in_order(&[
        "certificate.main",
        "+ certificate.main ",
        "~ listener.main ",
    ]);
    env.local("apply").expect_code(0);
    assert_eq!(shown(&env), certificates(&env).into_values().collect::<Value>());
    expect_no_change(&env);
}

#[test]
fn an_upload_whose_answer_is_lost_makes_one_certificate() {
    let env = TestEnv::with_control_plane();
    write_secure(&env, &[]);
    env.cloud().fail_first(&["cas.UploadUserCertificate"], "lost_reply");
    env.local("apply").expect_code(0);
    assert_eq!(certificates(&env).len(), 1);
    expect_no_change(&env);
}

/// Killed when the upload has begun: before, while or after the service took it. The secret that was kept for it goes.
#[test]
fn a_command_that_is_killed_at_the_upload_leaves_one_certificate_and_no_key() {
    for line in [".. certificate.main: create", "ok certificate.main", "ok listener.main"] {
        let env = TestEnv::with_control_plane();
        write_secure(&env, &[]);
        env.kill_local_at(line, "apply");
        env.local("apply").expect_code(0);
        let found = certificates(&env);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!(shown(&env), found.into_values().collect::<Value>(), "{line}");
        expect_no_change(&env);
        expect_nowhere(&env.file(".albatross"), "PRIVATE KEY");
    }
}

#[test]
fn the_redirect_is_changed_in_place_and_moves_with_the_port() {
    let env = control_plane(&[]);
    write_secure(&env, &[("redirect_from: 80 ", "redirect_from: 8080 ")]);
    let moved = [("listener.redirect", "+/-"), ("listener_rule.redirect", "+/-"), ("record.main", "update")];
    let found = planned(&env);
    for (address, verb) in &moved[..2] {
        assert_eq!(found[*address], *verb, "{found:?}");
    }
    env.local("apply").expect_code(0);
    expect_no_change(&env);
    let rule = ids(&env)["listener_rule.redirect"].clone();
    let update = Call::new(Product::Alb, "UpdateRuleAttribute").with("RuleId", &rule).with("Priority", 9);
    call(&env, &update);
    assert_eq!(planned(&env), BTreeMap::from([("listener_rule.redirect".to_owned(), "update".to_owned())]));
    env.local("apply").expect_code(0);
    expect_no_change(&env);
    assert_eq!(ids(&env)["listener_rule.redirect"], rule);
}

#[test]
fn from_http_to_https_and_back() {
    let env = TestEnv::with_control_plane();
    env.local("apply").expect_code(0);
    // The redirect takes the port that the plain listener had.
    let to_https =
        [("protocol: http\n    port: 5000", "protocol: https\n    certificate: { self_signed: true }")];
    let text = to_https.iter().fold(crate::support::example(), |text, (from, to)| text.replace(from, to));
    let text = text.replace("  address: internet", "  address: internet\n  redirect_from: 5000");
    env.write("chatroom.yaml", text);
    env.local("apply").expect_code(0);
    expect_no_change(&env);
    env.write_changed("chatroom.yaml", &[]);
    env.local("apply").expect_code(0);
    expect_no_change(&env);
    assert_eq!(certificates(&env), BTreeMap::new());
    env.expect_destroyed_to_nothing();
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let env = TestEnv::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wanted = rcgen::CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
    let now = jiff::Timestamp::now().as_second();
    let soon = jiff::Timestamp::from_second(now + 5 * 24 * 3600).expect("a moment");
    let soon = jiff::tz::TimeZone::UTC.to_datetime(soon).date();
    wanted.not_after =
        rcgen::date_time_ymd(soon.year().into(), soon.month().unsigned_abs(), soon.day().unsigned_abs());
    env.write("chain.pem", wanted.self_signed(&key).expect("a certificate").pem());
    env.write("key.pem", key.serialize_pem());
    fs::set_permissions(env.file("key.pem"), fs::Permissions::from_mode(0o600)).expect("its mode set");
    write_secure(&env, &[(MADE, BROUGHT)]);
    env.run(&["validate", "chatroom.yaml"]).expect_code(0).expect_in_order(&[
        "is valid",
        "warning: the certificate `chain.pem` ends in 4 days: get a new one for example.com",
    ]);
}

#[test]
fn doctor_judges_what_the_topology_brings_along_or_has_made() {
    let env = TestEnv::with_control_plane();
    bring(&env, &self_signed("example.com").expect("a name"));
    write_secure(&env, &[(MADE, BROUGHT)]);
    let doctor = || env.run(&["--local", "doctor", "chatroom.yaml"]);
    doctor().expect_code(0).expect_in_order(&["ok   certificate   `chain.pem` is for example.com and lasts"]);
    write_secure(&env, &[]);
    doctor().expect_code(0).expect_in_order(&["warn certificate   apply makes one for example.com"]);
}
