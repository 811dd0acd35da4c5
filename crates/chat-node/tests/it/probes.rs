//! What is asked over plain HTTP: the page, the probes, the header on every response, polling and origins.

use crate::cluster::Node;
use crate::redis_server::redis_or_skip;

#[tokio::test(flavor = "multi_thread")]
async fn every_response_names_the_node() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;

    let expected = [
        ("/", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/nowhere", 404),
        ("/socket.io/?EIO=4&transport=polling", 200),
        ("/socket.io/?EIO=3&transport=polling", 400),
        ("/socket.io/?EIO=4&transport=carrier-pigeon", 400),
    ];
    for (path, status) in expected {
        let response = node.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["x-chat-node"], "ecs01", "{path}");
    }
    assert_eq!(node.client().await.node, "ecs01");

    // What a proxy passes on may come from anybody.
    let browser = reqwest::Client::new();
    for (path, status) in [("/", 200), ("/healthz", 200), ("/readyz", 404), ("/metrics", 404)] {
        let request = browser.get(format!("http://{}{path}", node.address));
        let response = request.header("x-forwarded-for", "198.51.100.7").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_health_answer_to_head_too() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;

    assert_eq!(node.get("/healthz").await.text().await.unwrap(), "ok");
    let browser = reqwest::Client::new();
    for path in ["/", "/healthz", "/readyz", "/metrics"] {
        let response = browser.head(format!("http://{}{path}", node.address)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["x-chat-node"], "ecs01");
    }
    for path in ["/", "/healthz"] {
        let response = browser.post(format!("http://{}{path}", node.address)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let page = node.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let text = page.text().await.unwrap();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(text.contains(&format!("<script nonce=\"{nonce}\">")), "the script would not run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_poll() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let browser = reqwest::Client::new();
    let base = format!("http://{}/socket.io/?EIO=4&transport=polling", node.address);

    let open = browser.get(&base).send().await.unwrap().text().await.unwrap();
    let open: serde_json::Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["maxPayload"], 64 * 1024);
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&10_000.into(), &10_000.into()));
    let session = format!("{base}&sid={}", open["sid"].as_str().unwrap());
    let post = async |body: &str| browser.post(&session).body(body.to_owned()).send().await.unwrap().status();
    assert_eq!(post("40").await, 200);
    let mut polled = String::new();
    while !polled.contains("Welcome") {
        polled += &browser.get(&session).send().await.unwrap().text().await.unwrap();
    }
    assert_eq!(post("42[\"set_username\",\"Ada\"]\u{1e}42[\"message\",\"by post\"]").await, 200);
    while !polled.contains("Ada: by post") {
        polled += &browser.get(&session).send().await.unwrap().text().await.unwrap();
    }
    assert!(polled.contains("Your username is set to Ada"), "{polled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_origins_may_read_from_another_site() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.allowed_origins = vec![chat_node::config::Origin::parse("https://chat.example.com").unwrap()];
    })
    .await;
    let browser = reqwest::Client::new();
    let url = format!("http://{}/socket.io/?EIO=4&transport=polling", node.address);

    for (origin, allowed) in [("https://chat.example.com", true), ("https://elsewhere.example", false)] {
        let response = browser.get(&url).header("origin", origin).send().await.unwrap();
        let header =
            response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(header, allowed.then_some(origin));
    }
}
