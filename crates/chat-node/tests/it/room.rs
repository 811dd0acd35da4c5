//! The tutorial's events and texts, on one node and on two.

use crate::client::Client;
use crate::cluster::Node;
use crate::eventually;
use crate::redis_server::redis_or_skip;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_welcomed_and_needs_a_name_before_it_speaks() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;

    let mut client = node.client().await;
    client.emit("message", "too early").await;
    assert_eq!(client.message().await, "Failed to send the message. Specify a username first.");
    client.emit("set_username", "  Ada ").await;
    assert_eq!(client.message().await, "Your username is set to Ada");
    client.emit("message", "hello").await;
    assert_eq!(client.message().await, "Ada: hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_to_the_sender_only() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut listener = node.client().await;

    let mut client = node.client().await;
    let bad_name = "Failed to set the username. Use 1 to 64 characters, without control characters or a colon before a space.";
    for packet in [r#"42["set_username","  "]"#, r#"42["set_username","a\nb"]"#, r#"42["set_username",7]"#] {
        client.send(packet).await;
        assert_eq!(client.message().await, bad_name, "{packet}");
    }
    client.emit("set_username", "Ada").await;
    client.message().await;
    client.send(r#"42["message",{"not":"text"}]"#).await;
    assert_eq!(client.message().await, "Failed to send the message. It must be text.");
    client.emit("message", &"x".repeat(4097)).await;
    assert_eq!(client.message().await, "Failed to send the message. It is longer than 4096 characters.");
    client.emit("message", &"é".repeat(4096)).await;
    assert!(client.message().await.starts_with("Ada: éé"));

    assert!(listener.message().await.starts_with("Ada: éé"), "the refusals reached somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_cross_nodes_both_ways_and_a_farewell_too() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let (mut ada, mut bob) = (first.named("Ada").await, second.named("Bob").await);
    assert_eq!((ada.node.as_str(), bob.node.as_str()), ("ecs01", "ecs02"));

    ada.emit("message", "to the other side").await;
    assert_eq!(ada.message().await, "Ada: to the other side");
    assert_eq!(bob.message().await, "Ada: to the other side");
    bob.emit("message", "<b>&amp;\u{1F600}").await;
    assert_eq!(bob.message().await, "Bob: <b>&amp;\u{1F600}");
    assert_eq!(ada.message().await, "Bob: <b>&amp;\u{1F600}");

    let nameless = second.client().await;
    nameless.leave().await;
    bob.leave().await;
    assert_eq!(ada.message().await, "Bob left the chatroom.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_what_follows_at_once_keep_their_order() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.client().await;

    client.emit("set_username", "Ada").await;
    for number in 0..300 {
        client.emit("message", &number.to_string()).await;
    }

    assert_eq!(client.message().await, "Your username is set to Ada");
    let expected: Vec<String> = (0..300).map(|number| format!("Ada: {number}")).collect();
    assert_eq!(client.messages(300).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_clients_of_all_nodes_see_one_order() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let (mut ada, mut bob) = (first.named("Ada").await, second.named("Bob").await);

    for number in 0..100 {
        ada.emit("message", &number.to_string()).await;
        bob.emit("message", &number.to_string()).await;
    }

    let seen_by_ada = ada.messages(200).await;
    assert_eq!(seen_by_ada, bob.messages(200).await);
    let own: Vec<&String> = seen_by_ada.iter().filter(|text| text.starts_with("Ada")).collect();
    let expected: Vec<String> = (0..100).map(|number| format!("Ada: {number}")).collect();
    assert!(own.into_iter().eq(expected.iter()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_hash_that_expires_and_goes_with_its_client() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let client = node.named("Ada").await;
    let key = format!("session:{}", client.sid);
    let mut connection = redis.connection().await.unwrap();

    let username = async |connection: &mut redis::aio::MultiplexedConnection| {
        redis::cmd("HGET").arg(&key).arg("username").query_async::<Option<String>>(connection).await.unwrap()
    };
    eventually("the hash is written", async || username(&mut connection).await.filter(|name| name == "Ada"))
        .await;
    let seconds: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((1..=60).contains(&seconds), "expires in {seconds} s");

    client.leave().await;
    eventually("the hash is gone", async || username(&mut connection).await.is_none().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_hash_is_kept_alive_and_written_again_when_it_is_lost() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.limits.session_lifetime = std::time::Duration::from_secs(3);
    })
    .await;
    node.wait_until_ready().await;
    let client = node.named("Ada").await;
    let key = format!("session:{}", client.sid);
    let mut connection = redis.connection().await.unwrap();

    let exists = async |connection: &mut redis::aio::MultiplexedConnection| {
        redis::cmd("EXISTS").arg(&key).query_async::<bool>(connection).await.unwrap()
    };
    eventually("the hash is written", async || exists(&mut connection).await.then_some(())).await;
    redis::cmd("DEL").arg(&key).exec_async(&mut connection).await.unwrap();
    eventually("the hash is back", async || exists(&mut connection).await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_ask_which_node_it_is_on() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client: Client = node.client().await;
    client.send(r#"421["node"]"#).await;
    assert_eq!(client.packet().await.unwrap(), r#"431["ecs01"]"#);
}
