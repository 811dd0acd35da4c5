//! What one client may do: how fast, how long, under which name; and what it learns of each message it says.

use serde_json::{Value, json};

use crate::client::Client;
use crate::cluster::Node;
use crate::redis_server::redis_or_skip;

const TOO_FAST: &str = "Failed to send the message. You are sending too fast; wait a moment.";

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_fast_is_told_and_who_goes_on_is_closed() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.limits.message_rate = 1;
        config.limits.message_burst = 5;
    })
    .await;
    node.wait_until_ready().await;
    let (mut ada, mut bob) = (node.named("Ada").await, node.named("Bob").await);

    for number in 0..5 {
        ada.emit("message", &number.to_string()).await;
    }
    let mut heard = ada.messages(5).await;
    heard.sort();
    assert_eq!(heard[..4], ["Ada: 0", "Ada: 1", "Ada: 2", "Ada: 3"]);
    assert_eq!(heard[4], TOO_FAST);
    for _ in 0..20 {
        ada.try_emit("message", "faster").await;
    }
    assert_eq!(ada.close_code().await, Some(1008));
    assert_eq!(node.metric("chat_flooders_total").await, 1);
    assert!(node.metric("chat_rate_limited_total").await >= 6);

    // The others hear of it no more than of any other end.
    for number in 0..4 {
        assert_eq!(bob.message().await, format!("Ada: {number}"));
    }
    assert!(["Ada left the chatroom.", "Ada: faster"].contains(&bob.message().await.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_texts_have_their_lengths_and_names_their_form() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.limits.name_characters = 5;
        config.limits.text_characters = 3;
    })
    .await;
    node.wait_until_ready().await;
    let mut client = node.client().await;
    let bad_name = "Failed to set the username. Use 1 to 5 characters, without control characters or a colon before a space.";
    for name in ["123456", "", "a\u{202e}b"] {
        client.emit("set_username", name).await;
        assert_eq!(client.message().await, bad_name);
    }
    client.emit("set_username", " \u{FF21}d\u{61}\u{301} ").await;
    assert_eq!(client.message().await, "Your username is set to Ad\u{e1}");
    client.emit("message", "1234").await;
    assert_eq!(client.message().await, "Failed to send the message. It is longer than 3 characters.");
    client.emit("message", "123").await;
    assert_eq!(client.message().await, "Ad\u{e1}: 123");
    assert_eq!(node.metric("chat_names_refused_total").await, 3);
}

async fn say(client: &mut Client, id: u32, values: Value) {
    let Value::Array(mut event) = values else { panic!("not a list") };
    event.insert(0, "message".into());
    client.send(&format!("42{id}{}", Value::Array(event))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_tells_what_became_of_a_message() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = Client::connect_saying(node.address, &json!({"recovery": true})).await;
    client.event().await;
    say(&mut client, 1, json!(["too early"])).await;
    let refused = json!({"error": "Failed to send the message. Specify a username first."});
    assert_eq!(client.acknowledged(1).await, refused);
    client.emit("set_username", "Ada").await;
    client.event().await;

    say(&mut client, 2, json!(["hello"])).await;
    let (mut offset, mut heard) = (None, None);
    while offset.is_none() || heard.is_none() {
        let packet = client.packet().await.unwrap();
        if let Some(answer) = packet.strip_prefix("432") {
            offset = Some(serde_json::from_str::<Value>(answer).unwrap()[0]["offset"].clone());
        } else {
            heard = Some(serde_json::from_str::<Value>(packet.strip_prefix("42").unwrap()).unwrap());
        }
    }
    assert_eq!(heard, Some(json!(["message", "Ada: hello", offset.unwrap()])));

    for (id, values) in [(3, json!(["a", 7])), (4, json!(["a", ""])), (5, json!(["a", "x".repeat(65)]))] {
        say(&mut client, id, values).await;
        let answer = client.acknowledged(id).await;
        assert_eq!(
            answer,
            json!({"error": "Failed to send the message. Its id must be text of 1 to 64 bytes."})
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_again_is_said_once_on_any_node() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let mut bob = second.named("Bob").await;
    let mut ada = Client::connect_saying(first.address, &json!({"recovery": true})).await;
    let mut offset = ada.event().await.pop().unwrap();
    ada.emit("set_username", "Ada").await;
    ada.event().await;
    say(&mut ada, 1, json!(["only once", "id-1"])).await;
    assert_eq!(bob.message().await, "Ada: only once");
    let pid = ada.pid.clone().unwrap();
    // The answer is lost with the connection.
    ada.vanish();
    assert_eq!(bob.message().await, "Ada left the chatroom.");

    let mut ada = Client::connect_saying(second.address, &json!({"pid": pid, "offset": offset})).await;
    assert_eq!(ada.pid, Some(pid));
    let mut event = ada.event().await;
    offset = event.pop().unwrap();
    assert_eq!(event, ["Ada: only once"]);
    ada.event().await;
    say(&mut ada, 2, json!(["only once", "id-1"])).await;
    assert_eq!(ada.acknowledged(2).await, json!({ "offset": offset }));
    bob.emit("message", "heard").await;
    assert_eq!(bob.message().await, "Bob: heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_nobody_knows_are_of_no_consequence() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.named("Ada").await;
    client.send(r#"42["whatever",{"a":[1]}]"#).await;
    client.send(r#"427["whatever"]"#).await;
    client.send(r#"42["message"]"#).await;
    assert_eq!(client.message().await, "Failed to send the message. It must be text.");
    client.emit("message", "still here").await;
    assert_eq!(client.message().await, "Ada: still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_again_and_again_gives_nobody_more_to_say() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.client().await;
    client.send("41").await;
    client.send("40{}").await;
    client.send(r#"42["set_username","Ada"]"#).await;
    for _ in 0..20 {
        client.send(r#"42["message","much"]"#).await;
    }
    let too_fast = r#"42["message","Failed to send the message. You are sending too fast; wait a moment."]"#;
    while client.packet().await.expect("it is only told") != too_fast {}
    for _ in 0..20 {
        client.send("41").await;
        client.send("40{}").await;
    }
    assert_eq!(client.close_code().await, Some(1008));
}
