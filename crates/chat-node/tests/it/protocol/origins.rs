//! Pages of other sites: what they may, over polling, by a question beforehand, and with a WebSocket.

use reqwest::{Method, Response};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::server::{Options, Server};

const LISTED: &str = "https://chat.example.com";
const OTHER: &str = "https://elsewhere.example";

async fn server(origins: &[&'static str]) -> Server {
    Server::echo_with(Options { origins: origins.to_vec(), ..Options::default() }).await
}

async fn request(server: &Server, method: Method, origin: &str) -> Response {
    let request = reqwest::Client::new().request(method, server.url("polling")).header("origin", origin);
    request.header("access-control-request-method", "POST").send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn websocket_status(server: &Server, origin: &str) -> u16 {
    let mut request = server.url("websocket").replacen("http", "ws", 1).into_client_request().unwrap();
    request.headers_mut().insert("origin", origin.parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_listed_site_may_poll_and_read_the_answers() {
    let server = server(&[LISTED]).await;
    let response = request(&server, Method::GET, LISTED).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), Some(LISTED));
    assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&response, "access-control-expose-headers"), Some("x-chat-node"));
    assert_eq!(header(&response, "vary"), Some("origin"));
    assert_eq!(websocket_status(&server, LISTED).await, 101);
}

#[tokio::test]
async fn another_site_is_refused_on_both_transports() {
    for origins in [&[][..], &[LISTED][..]] {
        let server = server(origins).await;
        let response = request(&server, Method::GET, OTHER).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "access-control-allow-origin")),
            (403, None)
        );
        assert_eq!(response.text().await.unwrap(), r#"{"code":4,"message":"Forbidden"}"#);
        assert_eq!(websocket_status(&server, OTHER).await, 403);
        assert_eq!(websocket_status(&server, "null").await, 403);
        assert!(server.site.engine.registry().is_empty());
    }
}

#[tokio::test]
async fn all_sites_may_when_that_is_said() {
    let server = server(&["*"]).await;
    let response = request(&server, Method::GET, OTHER).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&response, "access-control-allow-credentials"), None);
    assert_eq!(websocket_status(&server, OTHER).await, 101);
}

#[tokio::test]
async fn the_server_s_own_page_needs_no_permission() {
    let server = server(&[]).await;
    let own = format!("http://{}", server.address);
    assert_eq!(request(&server, Method::GET, &own).await.status(), 200);
    assert_eq!(websocket_status(&server, &own).await, 101);
}

#[tokio::test]
async fn a_question_beforehand_is_answered_for_listed_sites() {
    let server = server(&[LISTED]).await;
    let response = request(&server, Method::OPTIONS, LISTED).await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "access-control-allow-origin"), Some(LISTED));
    assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, POST"));
    let response = request(&server, Method::OPTIONS, OTHER).await;
    assert_eq!((response.status().as_u16(), header(&response, "access-control-allow-methods")), (204, None));
}
