//! A server of anybody's own: deployed, reached through the load balancer, changed, put back, taken away.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::cloud::block_on;
use crate::support::{Run, TestEnv, program};

/// The example as it is, with a prefix that a shell or systemd would take apart, and the program of this build.
fn topology(prefix: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own-app.yaml");
    let text = std::fs::read_to_string(path).expect("the example is there");
    let built = program("examples/echo_server");
    let changes = [
        ("../target/release/examples/echo_server", built.to_str().expect("a path")),
        ("\"echo: \"", prefix),
        ("stack: echo\n", "stack: echo\nnode: { rollout: { min_healthy_time: 0s } }\n"),
    ];
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "the example has no `{from}`");
        text.replace(from, to)
    })
}

fn run(env: &TestEnv, verb: &str, more: &[&str]) -> Run {
    env.run(&[&["--local", verb, "own-app.yaml"], more].concat())
}

/// Where an apply says that the load balancer is on this machine.
fn address(applied: &Run) -> String {
    let place = applied.stdout.split("On this machine open http://").nth(1).expect("an address");
    place.split('/').next().expect("an address").to_owned()
}

/// What the app answers through the load balancer; else the status that it turned the client away with.
fn said(address: &str, token: &str, text: &str) -> Result<String, u16> {
    block_on(async {
        let request = format!("ws://{address}/?token={token}");
        let mut socket = match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        socket.send(Message::text(text)).await.expect("it is sent");
        let answer = socket.next().await.expect("an answer").expect("a message");
        Ok(answer.into_text().expect("a text").to_string())
    })
}

#[test]
fn an_app_is_deployed_reached_changed_put_back_and_taken_away() {
    let mut env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.write("own-app.yaml", topology(r#""a \"b\" $HOME %h: ""#));
    run(&env, "plan", &[]).expect_code(1).expect_in_order(&[
        "the secret `app.env.TOKEN` cannot be used: the variable ECHO_TOKEN is not set",
        "help: set ECHO_TOKEN",
    ]);
    env.set("ECHO_TOKEN", "tulip$1");
    run(&env, "plan", &[])
        .expect_code(0)
        .expect_absent("redis")
        .expect_in_order(&["release.ecs01", "app on port 8080"]);
    let applied = run(&env, "apply", &["--yes"]).expect_code(0).expect_absent("tulip");
    let address = address(&applied.expect_in_order(&["The app is at http://"]));
    assert_eq!(said(&address, "tulip$1", "hello").as_deref(), Ok("a \"b\" $HOME %h: hello"));
    assert_eq!(said(&address, "rose", "hello"), Err(401));
    run(&env, "plan", &["--detailed-exitcode"]).expect_code(0).expect_in_order(&["No changes"]);

    // Another secret is the same release, and is seen.
    env.set("ECHO_TOKEN", "rose");
    run(&env, "plan", &["--diff=full"])
        .expect_code(0)
        .expect_absent("tulip")
        .expect_absent("rose")
        .expect_in_order(&[
            "~ release.ecs01",
            "environment_file: edited by hand",
            "~ /etc/albatross/chat-node.env",
            "(nothing but what is secret in it changes)",
        ]);
    run(&env, "apply", &["--yes"]).expect_code(0);
    assert_eq!(said(&address, "tulip$1", "hello"), Err(401));
    // Another argument is another release, which `rollback` takes back, with the secret of now.
    env.write("own-app.yaml", topology("\"again: \""));
    run(&env, "apply", &["--yes"]).expect_code(0);
    assert_eq!(said(&address, "rose", "hello").as_deref(), Ok("again: hello"));
    run(&env, "rollback", &["--yes"]).expect_code(0);
    assert_eq!(said(&address, "rose", "hello").as_deref(), Ok("a \"b\" $HOME %h: hello"));
    run(&env, "logs", &["--lines", "1"]).expect_code(0);

    run(&env, "verify", &["--quick"]).expect_code(0).expect_in_order(&["passed http.answers", "/healthz"]);
    run(&env, "destroy", &["--yes"]).expect_code(0).expect_in_order(&["0 resources left"]);
}

#[test]
fn smoke_says_what_it_cannot_prove_of_an_app() {
    let mut env = TestEnv::new();
    env.set("ECHO_TOKEN", "tulip");
    let told = topology("\"echo: \"");
    let untold = told.replace("verify: { kind: http, path: /healthz }\n", "");
    assert_ne!(told, untold);
    env.write("own-app.yaml", told);
    env.run(&["smoke", "--quick", "own-app.yaml"])
        .expect_code(0)
        .expect_in_order(&["passed http.answers", "0 resources left"]);
    env.write("own-app.yaml", untold);
    env.run(&["smoke", "--quick", "own-app.yaml"]).expect_code(4).expect_in_order(&[
        "== destroy",
        "skipped verify",
        "nothing is said of what `",
        "0 resources left",
    ]);
}

#[test]
fn a_program_that_cannot_run_there_is_refused_before_anything_is_sent() {
    let mut env = TestEnv::with_cloud(&["--pace", "instant"]);
    env.set("ECHO_TOKEN", "tulip");
    let built = program("examples/echo_server");
    let mut bytes = std::fs::read(&built).expect("it is built");
    let with = |env: &TestEnv, bytes: &[u8]| {
        env.write("own", bytes);
        env.write("own-app.yaml", topology("\"echo: \"").replace(built.to_str().expect("a path"), "own"));
    };
    with(&env, b"#!/bin/sh\n");
    run(&env, "validate", &[]).expect_code(65).expect_in_order(&[
        "app-binary",
        "is not a 64-bit Linux program",
        "own-app.yaml:",
    ]);
    // That of another processor: the machine in the header of the file.
    let is_arm = bytes[18] == 183;
    bytes[18] = if is_arm { 62 } else { 183 };
    with(&env, &bytes);
    run(&env, "apply", &["--yes"])
        .expect_code(3)
        .expect_in_order(&["the binary is for ", ", but the host is "]);
    assert!(env.cloud().uploads().iter().all(|(key, _)| !key.contains(".gz.part")), "nothing was sent");
}
