//! Sticky sessions: the cookie of the load balancer, and that of the server.

use std::time::Duration;

use mock_cloud::plane::spec::{Health, Sticky};

use crate::balance::setup::{GROUP, Setup, header};

async fn sticky(sticky: Sticky) -> Setup {
    Setup::with([100, 100], |balancer| {
        balancer.server_groups.get_mut(GROUP).unwrap().sticky = Some(sticky.clone());
    })
    .await
}

/// The name and value of the cookie that an answer sets.
fn cookie(answer: &str) -> &str {
    header(answer, "set-cookie").unwrap().split(';').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_cookie_keeps_a_client_at_its_server() {
    let mut setup = sticky(Sticky::Insert(Duration::from_mins(1))).await;
    let first = setup.ask("/", "").await;
    let own = cookie(&first);
    assert!(own.starts_with("SERVERID="), "{first}");
    let elsewhere = own.replacen("SERVERID=", "SERVERCORSID=", 1);
    assert!(first.contains(&format!("set-cookie: {elsewhere};Path=/;SameSite=None;Secure\r\n")), "{first}");
    assert!(first.contains("\r\none "), "the first server is first");
    assert_eq!(setup.turns_with(6, &format!("Cookie: a=b; {own}\r\n")).await, (6, 0));
    assert_eq!(setup.turns_with(6, &format!("Cookie: {elsewhere}\r\n")).await, (6, 0));
    // A server without weight takes no requests, whatever cookies say.
    setup.server(1).weight = 0;
    setup.region.apply();
    setup.is(1, &Health::Unused).await;
    assert_eq!(setup.turns_with(3, &format!("Cookie: {own}\r\n")).await, (0, 3));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_cookie_ends_with_its_lifetime() {
    let setup = sticky(Sticky::Insert(Duration::from_mins(1))).await;
    let first = setup.ask("/", "").await;
    let name = cookie(&first).split('|').next().unwrap();
    let now = jiff::Timestamp::now().as_second();
    assert_eq!(setup.turns_with(6, &format!("Cookie: {name}|{}|1\r\n", now - 30)).await, (6, 0));
    let (one, two) = setup.turns_with(6, &format!("Cookie: {name}|{}|1\r\n", now - 90)).await;
    assert_eq!((one, two), (3, 3), "an old cookie counts for nothing");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_of_a_server_is_rewritten_and_followed() {
    let setup = sticky(Sticky::Server("session".to_owned())).await;
    let first = setup.ask("/set-cookie", "").await;
    let set = header(&first, "set-cookie").unwrap();
    assert!(set.starts_with("session=") && set.ends_with("; Path=/; HttpOnly"), "{set}");
    assert!(!set.contains("secret"), "the value names the server now: {set}");
    let (one, two) = setup.turns_with(6, &format!("Cookie: {}\r\n", cookie(&first))).await;
    assert!((one, two) == (6, 0) || (one, two) == (0, 6), "{one} and {two}");
    // Without that cookie of the server there is nothing to follow.
    let other = setup.ask("/", "").await;
    assert_eq!(header(&other, "set-cookie"), None);
    assert_eq!(setup.turns_with(6, "Cookie: session=unknown\r\n").await, (3, 3));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sticky_sessions_nobody_gets_a_cookie() {
    let setup = Setup::new([100, 100]).await;
    assert_eq!(header(&setup.ask("/", "").await, "set-cookie"), None);
    let set = setup.ask("/set-cookie", "").await;
    assert_eq!(header(&set, "set-cookie"), Some("session=secret; Path=/; HttpOnly"));
    setup.end().await;
}
