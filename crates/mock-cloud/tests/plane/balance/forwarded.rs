//! What servers are told of clients, and what becomes of connections to them.

use mock_cloud::plane::spec::{ForwardedFor, ForwardedHeader};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::balance::setup::{GROUP, Setup};

/// The value of a header as the server saw it.
fn seen<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    body.lines().filter_map(|line| line.split_once(": ")).find(|(own, _)| *own == name).map(|own| own.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn x_forwarded_for_is_appended_removed_or_left_alone() {
    let mut setup = Setup::new([100, 100]).await;
    let given = "X-Forwarded-For: 10.9.8.7\r\n";
    let cases = [
        (ForwardedFor::Append, Some("127.0.0.1"), Some("10.9.8.7, 127.0.0.1")),
        (ForwardedFor::Remove, None, None),
        (ForwardedFor::Untouched, None, Some("10.9.8.7")),
    ];
    for (mode, without, with) in cases {
        setup.listener().forwarded_for = mode;
        setup.region.apply();
        let holds = async || {
            let answers = (setup.ask("/seen", "").await, setup.ask("/seen", given).await);
            (seen(&answers.0, "x-forwarded-for"), seen(&answers.1, "x-forwarded-for")) == (without, with)
        };
        crate::support::eventually(&format!("{mode:?}"), holds).await;
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_told_what_is_switched_on() {
    let mut setup = Setup::new([100, 100]).await;
    let names =
        ["x-forwarded-proto", "x-forwarded-port", "x-forwarded-host", "x-forwarded-client-srcport", "slb-id"];
    let answer = setup.ask("/seen", "").await;
    assert!(names.iter().all(|name| seen(&answer, name).is_none()), "{answer}");
    setup.listener().forwarded = vec![
        ForwardedHeader::Protocol,
        ForwardedHeader::Port,
        ForwardedHeader::Host,
        ForwardedHeader::ClientPort,
        ForwardedHeader::BalancerId,
    ];
    setup.region.apply();
    setup.answers("it is in force", "/seen", |answer| seen(answer, "slb-id").is_some()).await;
    let mut stream = BufReader::new(TcpStream::connect(setup.front).await.unwrap());
    let port = stream.get_ref().local_addr().unwrap().port().to_string();
    let request = "GET /seen HTTP/1.1\r\nHost: example.com:5000\r\nX-Forwarded-Proto: gopher\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while stream.read_line(&mut answer).await.unwrap() > 0 {}
    let told = names.map(|name| seen(&answer, name).unwrap_or_default());
    assert_eq!(told, ["http", "5000", "example.com:5000", &port, "alb-1"], "{answer}");
    assert_eq!(seen(&answer, "host"), Some("example.com:5000"));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_connection_stay_there() {
    let setup = Setup::new([100, 100]).await;
    let answer = setup
        .send(
            "GET /seen HTTP/1.1\r\nHost: example.com\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Kept: 1\r\n\r\n",
        )
        .await;
    let gone = ["x-secret", "keep-alive", "te", "connection"];
    assert!(gone.iter().all(|name| seen(&answer, name).is_none()), "{answer}");
    assert_eq!(seen(&answer, "x-kept"), Some("1"));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_servers_are_kept_where_that_is_switched_on() {
    let mut setup = Setup::with([100, 0], |_| {}).await;
    let number = async || {
        let answer = setup.ask("/connection", "").await;
        answer.rsplit("\r\n").next().unwrap().parse::<usize>().unwrap()
    };
    // Health checks have connections of their own, which are counted, too: only the same number means the same one.
    // Each thread of the load balancer has its own.
    let met = std::sync::Mutex::new(std::collections::BTreeSet::new());
    crate::support::eventually("the same connection again", async || {
        let number = number().await;
        !met.lock().unwrap().insert(number)
    })
    .await;
    setup.group().keep_alive = false;
    setup.region.apply();
    setup.answers("it is in force", "/seen", |answer| seen(answer, "connection") == Some("close")).await;
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(
            setup.ask("/connection", "").await.rsplit("\r\n").next().unwrap().parse::<usize>().unwrap(),
        );
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(setup.balancer().server_groups.contains_key(GROUP));
    setup.end().await;
}
