//! Forwarding rules: what they ask of a request, which one counts, and what it does.

use mock_cloud::plane::spec::rule::{ActionKind, Condition, Direction, ForwardRule, Header, Pair, Redirect};

use crate::balance::setup::{GROUP, OTHER, Setup, header};

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.to_owned(), value: value.to_owned() }
}

fn rule(conditions: Vec<Condition>, actions: Vec<ActionKind>) -> ForwardRule {
    ForwardRule { id: "rule-1".to_owned(), direction: Direction::Request, conditions, actions }
}

fn path(value: &str) -> Vec<Condition> {
    vec![Condition::Path(texts(&[value]))]
}

fn fixed(content: &str) -> ActionKind {
    ActionKind::FixedResponse {
        content: content.to_owned(),
        content_type: "application/json".to_owned(),
        http_code: "203".to_owned(),
    }
}

fn to(groups: &[(&str, u32)], sticky: Option<u32>) -> ActionKind {
    let groups = groups.iter().map(|(id, weight)| ((*id).to_owned(), *weight)).collect();
    ActionKind::ForwardGroup { groups, sticky }
}

fn insert(key: &str, value: &str, value_type: &str, cover: bool) -> ActionKind {
    let (key, value, value_type) = (key.to_owned(), value.to_owned(), value_type.to_owned());
    ActionKind::InsertHeader { key, value, value_type, cover }
}

/// All traffic goes to the first server, unless a rule says otherwise.
async fn ruled(rules: Vec<ForwardRule>) -> Setup {
    Setup::with([100, 0], |balancer| {
        balancer.listeners.get_mut("lsn-1").unwrap().rules.clone_from(&rules);
        balancer.server_groups.get_mut(OTHER).unwrap().servers.values_mut().for_each(|own| own.weight = 100);
    })
    .await
}

/// Whether a request meets a rule with this condition.
async fn meets(condition: Condition, requests: &[(&str, bool)]) {
    let setup = ruled(vec![rule(vec![condition.clone()], vec![fixed("met")])]).await;
    for (request, expected) in requests {
        let answer = setup.send(&format!("{request}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.ends_with("met"), *expected, "{condition:?}: {request}: {answer}");
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_host() {
    let condition = Condition::Host(texts(&["*.chat.example.com", "chat.example.com"]));
    let requests = [
        ("GET / HTTP/1.1\r\nHost: chat.example.com", true),
        ("GET / HTTP/1.1\r\nHost: A.Chat.Example.com:5000", true),
        ("GET / HTTP/1.1\r\nHost: example.com", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_path() {
    let condition = Condition::Path(texts(&["/chat/*", "~^/v[0-9]+$"]));
    let requests = [
        ("GET /chat/1?a=/other HTTP/1.1\r\nHost: a.com", true),
        ("GET /v12 HTTP/1.1\r\nHost: a.com", true),
        ("GET /Chat/1 HTTP/1.1\r\nHost: a.com", false),
        ("GET /v HTTP/1.1\r\nHost: a.com", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_method() {
    let condition = Condition::Method(texts(&["GET", "PUT"]));
    let requests = [
        ("GET / HTTP/1.1\r\nHost: a.com", true),
        ("PUT / HTTP/1.1\r\nContent-Length: 0\r\nHost: a.com", true),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: a.com", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_header() {
    let condition = Condition::Header(Header { key: "x-tier".to_owned(), values: texts(&["gold", "sil*"]) });
    let requests = [
        ("GET / HTTP/1.1\r\nHost: a.com\r\nX-Tier: silver", true),
        ("GET / HTTP/1.1\r\nHost: a.com\r\nX-Tier: bronze", false),
        ("GET / HTTP/1.1\r\nHost: a.com", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_query_string() {
    let condition = Condition::QueryString(vec![pair("room", "lobby*"), pair("", "any")]);
    let requests = [
        ("GET /?a=1&room=lobby2 HTTP/1.1\r\nHost: a.com", true),
        ("GET /?x=any HTTP/1.1\r\nHost: a.com", true),
        ("GET /?room=hall HTTP/1.1\r\nHost: a.com", false),
        ("GET / HTTP/1.1\r\nHost: a.com", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_a_cookie() {
    let condition = Condition::Cookie(vec![pair("user", "a?ice")]);
    let requests = [
        ("GET / HTTP/1.1\r\nHost: a.com\r\nCookie: b=1; user=alice", true),
        ("GET / HTTP/1.1\r\nHost: a.com\r\nCookie: user=bob", false),
    ];
    meets(condition, &requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_can_ask_for_the_address_of_a_client() {
    let request = "GET / HTTP/1.1\r\nHost: a.com";
    meets(Condition::SourceIp(texts(&["10.0.0.0/8", "127.0.0.1"])), &[(request, true)]).await;
    meets(Condition::SourceIp(texts(&["10.0.0.0/8"])), &[(request, false)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_conditions_hold_and_the_strongest_rule_wins() {
    let two = [path("/a*"), vec![Condition::Method(texts(&["POST"]))]].concat();
    let setup = ruled(vec![
        rule(two, vec![fixed("first")]),
        rule(path("/a*"), vec![fixed("second")]),
        rule(path("/ab"), vec![fixed("third")]),
    ])
    .await;
    let post = "POST /ab HTTP/1.1\r\nHost: a.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(setup.send(post).await.ends_with("first"));
    assert!(setup.ask("/ab", "").await.ends_with("second"));
    assert!(setup.ask("/b", "").await.contains("\r\none "), "the default action");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_response_is_given_at_once() {
    let setup = ruled(vec![rule(path("/f"), vec![fixed("{}")])]).await;
    let answer = setup.ask("/f", "").await;
    assert!(answer.starts_with("HTTP/1.1 203 ") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_says_where_to() {
    let redirect = |fields: [&str; 6]| {
        let [host, path, query, protocol, port, http_code] = fields.map(str::to_owned);
        ActionKind::Redirect(Redirect { host, path, query, protocol, port, http_code })
    };
    let (host, all, query) = ("${host}", "${path}", "${query}");
    let secure = redirect([host, all, query, "HTTPS", "443", "301"]);
    let moved =
        redirect(["new.example.com", "/at/${host}${path}", "from=${port}", "${protocol}", "${port}", "308"]);
    let setup = ruled(vec![rule(path("/s*"), vec![secure]), rule(path("/m*"), vec![moved])]).await;
    let cases = [
        ("/s/1?a=b", "301", "https://example.com/s/1?a=b"),
        ("/s", "301", "https://example.com/s"),
        ("/m", "308", "http://new.example.com:5000/at/example.com/m?from=5000"),
    ];
    for (asked, status, location) in cases {
        let answer = setup.ask(asked, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(header(&answer, "location"), Some(location));
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_forwards_to_groups_by_weight() {
    let setup = ruled(vec![rule(path("/*"), vec![to(&[(GROUP, 75), (OTHER, 25)], None)])]).await;
    assert_eq!(setup.turns(8).await, (6, 2));
    setup.end().await;
    let setup = ruled(vec![rule(path("/*"), vec![to(&[(GROUP, 0), (OTHER, 100)], None)])]).await;
    assert_eq!(setup.turns(4).await, (0, 4));
    assert!(setup.region.plane.status().health.contains_key("lsn-1/sgp-2"), "health of the group is told");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_stay_with_its_group() {
    let setup = ruled(vec![rule(path("/*"), vec![to(&[(GROUP, 50), (OTHER, 50)], Some(60))])]).await;
    let first = setup.ask("/", "").await;
    let cookie = header(&first, "set-cookie").unwrap().split(';').next().unwrap();
    let turns = setup.turns_with(6, &format!("Cookie: {cookie}\r\n")).await;
    assert_eq!(turns, if first.contains("\r\none ") { (6, 0) } else { (0, 6) });
    assert_eq!(setup.turns(6).await, (3, 3));
    let (name, _) = cookie.split_once('|').unwrap();
    assert_eq!(setup.turns_with(6, &format!("Cookie: {name}|1|1\r\n")).await, (3, 3), "too old");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_rewritten_on_its_way() {
    let rewrite = |host: &str, path: &str, query: &str| {
        let (host, path, query) = (host.to_owned(), path.to_owned(), query.to_owned());
        vec![ActionKind::Rewrite { host, path, query }, to(&[(GROUP, 100)], None)]
    };
    let setup = ruled(vec![
        rule(path("/een"), rewrite("inner.example.com", "/s${path}", "${query}")),
        rule(path("/w*"), rewrite("${host}", "/seen", "port=${port}")),
    ])
    .await;
    let cases = [
        ("/w?x=1", "GET /seen?port=5000 HTTP/1.1", "host: example.com"),
        ("/een", "GET /s/een HTTP/1.1", "host: inner.example.com"),
    ];
    for (asked, line, host) in cases {
        let answer = setup.ask(asked, "").await;
        assert!(answer.contains(&format!("\r\n{line}\n")), "{answer}");
        assert!(answer.contains(&format!("\n{host}\n")), "{answer}");
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_requests_are_inserted_and_removed() {
    let actions = vec![
        insert("x-given", "new", "UserDefined", true),
        insert("x-kept", "new", "UserDefined", false),
        insert("x-copy", "x-from", "ReferenceHeader", true),
        insert("x-port", "SLBPort", "SystemDefined", true),
        insert("x-address", "ClientSrcIp", "SystemDefined", true),
        ActionKind::RemoveHeader { key: "x-gone".to_owned() },
        to(&[(GROUP, 100)], None),
    ];
    let setup = ruled(vec![rule(path("/*"), actions)]).await;
    let answer = setup.ask("/seen", "X-Given: old\r\nX-Kept: old\r\nX-From: here\r\nX-Gone: 1\r\n").await;
    for line in ["x-given: new", "x-kept: old", "x-copy: here", "x-port: 5000", "x-address: 127.0.0.1"] {
        assert!(answer.contains(&format!("\n{line}\n")), "{line}: {answer}");
    }
    assert!(!answer.contains("x-gone"), "{answer}");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_lets_no_more_through_than_its_limit() {
    let limit = |qps, per_ip_qps| ActionKind::TrafficLimit { qps, per_ip_qps };
    let setup = ruled(vec![
        rule(path("/all"), vec![limit(Some(3), None), fixed("let through")]),
        rule(path("/each"), vec![limit(None, Some(2)), fixed("let through")]),
    ])
    .await;
    for (path, most) in [("/all", 3), ("/each", 2)] {
        let mut answers = Vec::new();
        let began = tokio::time::Instant::now();
        for _ in 0..8 {
            answers.push(setup.ask(path, "").await.starts_with("HTTP/1.1 203 "));
        }
        let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
        let through = answers.iter().filter(|through| **through).count();
        assert!((most..=most * seconds).contains(&through), "{path}: {through} of 8 in {seconds} s");
        assert!(seconds > 2 || !answers[7], "{path}: {answers:?}");
        setup.answers("the next second", path, |answer| answer.starts_with("HTTP/1.1 203 ")).await;
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_answers_change_their_headers() {
    let answering =
        |conditions, actions| ForwardRule { direction: Direction::Response, ..rule(conditions, actions) };
    let pot = Condition::ResponseHeader(Header { key: "x-kind".to_owned(), values: texts(&["p*"]) });
    let setup = ruled(vec![
        answering(
            vec![pot, Condition::ResponseStatusCode(texts(&["418"]))],
            vec![
                insert("x-found", "yes", "UserDefined", true),
                ActionKind::RemoveHeader { key: "x-kind".to_owned() },
            ],
        ),
        answering(path("/seen"), vec![insert("x-path", "seen", "UserDefined", true)]),
    ])
    .await;
    let answer = setup.ask("/teapot", "").await;
    assert_eq!((header(&answer, "x-found"), header(&answer, "x-kind")), (Some("yes"), None), "{answer}");
    let answer = setup.ask("/seen", "").await;
    assert_eq!((header(&answer, "x-found"), header(&answer, "x-path")), (None, Some("seen")), "{answer}");
    setup.end().await;
}
