//! What an instance is told at its first start: rendered, sent, told apart, and kept out of plans and journal.

use albatross::cloud::Product;
use albatross::cloud::call::Call;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::replace::planned;
use crate::support::TestEnv;
use crate::support::cloud::block_on;

const TEMPLATE: &str = "#!/bin/sh\necho {{ instance }} of {{ stack }} greets {{ whom }}\n";

/// The chatroom whose second node is told this.
fn write(env: &TestEnv, user_data: &str) {
    let told = format!("ecs02: {{ vswitch: b, user_data: {user_data}");
    env.write_changed("chatroom.yaml", &[("ecs02: { vswitch: b", &told)]);
}

/// What the cloud has for an instance.
fn told(env: &TestEnv, address: &str) -> String {
    let id =
        env.run(&["--local", "outputs", "chatroom.yaml", &format!("{address}.id")]).expect_code(0).stdout;
    let call = Call::new(Product::Ecs, "DescribeUserData")
        .with("RegionId", "cn-hangzhou")
        .with("InstanceId", id.trim());
    let answer: Value = block_on(env.cloud().client("cn-hangzhou").call(&call)).expect("it is told");
    let text = answer["UserData"].as_str().expect("a text");
    String::from_utf8(STANDARD.decode(text).expect("base64")).expect("UTF-8")
}

#[test]
fn a_template_is_filled_in_and_another_text_makes_another_instance() {
    let env = TestEnv::with_control_plane();
    env.write("first.sh", TEMPLATE);
    write(&env, "{ file: first.sh, with: { whom: hunter2 } }");
    env.local("apply").expect_code(0);
    assert_eq!(told(&env, "instance.ecs02"), "#!/bin/sh\necho ecs02 of chatroom greets hunter2\n");
    assert_eq!(told(&env, "instance.ecs01"), "");
    assert!(planned(&env).is_empty(), "{:?}", planned(&env));
    for file in ["journal", "plan"] {
        let text = std::fs::read_to_string(env.state().join(file)).unwrap_or_default();
        assert!(!text.contains("hunter2") && !text.contains(&STANDARD.encode("hunter2")), "{file}");
    }
    env.write("first.sh", TEMPLATE.replace("greets", "knows"));
    env.local("plan").expect_code(0).expect_in_order(&[
        "+/- instance.ecs02",
        "user_data: ",
        "an instance is told it at its first start only",
    ]);
    write(&env, "'echo $${HOME}'");
    env.local("apply").expect_code(0);
    assert_eq!(told(&env, "instance.ecs02"), "echo ${HOME}");
}
