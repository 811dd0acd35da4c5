//! `websocket.upgrade` and `websocket.echo` of any service: two connections from two places, and each says something
//! and hears what the topology expects.

use std::fmt::Write as _;
use std::net::IpAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::check::{Finding, Verdict};
use super::clients::{shown, words};
use super::connect::{Stream, connect};
use super::scenario::{Echo, Scenario, Vantage};

/// How much of a message is shown.
const SHOWN: usize = 120;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects both.
pub(super) async fn meet(
    scenario: &Scenario,
    echo: &Echo,
    addresses: &[IpAddr],
) -> Result<([Socket; 2], Finding), Finding> {
    let url = scenario.socket_url(&echo.path);
    let [here, there] = &scenario.sources;
    let address = |turn: usize| addresses[turn % addresses.len()];
    let fail = |vantage: &Vantage, why: String, status: Option<u16>| {
        let failed = Finding::new(format!("expected a WebSocket at {url} from {vantage}, but {why}"))
            .with("source", vantage.told())
            .hint(format!(
                "curl -v -H 'Connection: Upgrade' -H 'Upgrade: websocket' '{}'",
                scenario.url(&echo.path)
            ));
        status.map_or(failed.clone(), |status| failed.with("status", status))
    };
    let first = open(scenario, here, address(0), &url).await;
    let first = first.map_err(|(why, status)| fail(here, why, status))?;
    let second = open(scenario, there, address(1), &url).await;
    let second = second.map_err(|(why, status)| fail(there, why, status))?;
    let finding = Finding::new(format!("two WebSockets stand at {url}, from {here} and from {there}"))
        .with("source_a", here.told())
        .with("source_b", there.told())
        .with("address_a", address(0))
        .with("address_b", address(1));
    Ok(([first, second], finding))
}

async fn open(
    scenario: &Scenario,
    vantage: &Vantage,
    address: IpAddr,
    url: &str,
) -> Result<Socket, (String, Option<u16>)> {
    let stream = connect(scenario, vantage, address).await.map_err(|error| (error.to_string(), None))?;
    // What is secured is secured already, and the handshake is the same.
    let plain = url.replacen("wss://", "ws://", 1);
    match timeout(scenario.deadline, tokio_tungstenite::client_async(plain, stream)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(response))) => {
            let status = response.status().as_u16();
            Err((format!("the upgrade was answered with HTTP status {status}"), Some(status)))
        }
        Ok(Err(error)) => Err((words(&error), None)),
        Err(_) => Err((format!("nothing came within {:.1} s", scenario.deadline.as_secs_f64()), None)),
    }
}

/// Lets each say something and hear what is expected.
pub(super) async fn check(scenario: &Scenario, echo: &Echo, sockets: [Socket; 2]) -> Verdict {
    let mut finding = Finding::default();
    let mut latencies = Vec::new();
    for (mut socket, (vantage, letter)) in sockets.into_iter().zip(scenario.sources.iter().zip(["a", "b"])) {
        let said = echo.send.clone().unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()));
        let wanted = echo.expect.clone().unwrap_or_else(|| said.clone());
        let started = Instant::now();
        let heard = say(scenario, &mut socket, &said, &wanted).await;
        let latency = shown(started.elapsed());
        // It leaves politely; whether that is heard does not matter.
        let _ = socket.close(None).await;
        heard.map_err(|why| {
            Finding::new(format!(
                "expected `{}` from {} after `{}`, but {why}",
                short(&wanted),
                scenario.socket_url(&echo.path),
                short(&said)
            ))
            .with("source", vantage.told())
            .hint(format!(
                "`albatross status FILE` shows what runs where; a client of your own at {}",
                scenario.socket_url(&echo.path)
            ))
        })?;
        finding = finding.with(&format!("latency_{letter}"), &latency).with("said", short(&said));
        latencies.push(latency);
    }
    finding.sentence = format!("both hear what is expected, after {}", latencies.join(" and "));
    Ok(finding)
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Says it, and reads until exactly what is wanted comes; greetings before it are passed over, and told when it does not.
async fn say(scenario: &Scenario, socket: &mut Socket, said: &str, wanted: &str) -> Result<(), String> {
    let mut others = String::new();
    let talk = async {
        socket.send(Message::text(said)).await.map_err(|error| words(&error))?;
        while let Some(message) = socket.next().await {
            match message.map_err(|error| words(&error))? {
                Message::Text(text) if text.as_str() == wanted => return Ok(()),
                Message::Text(text) => {
                    let _ = write!(others, " `{}`", short(&text));
                }
                Message::Binary(bytes) if bytes.as_ref() == wanted.as_bytes() => return Ok(()),
                Message::Binary(bytes) => {
                    let _ = write!(others, " {} bytes", bytes.len());
                }
                Message::Close(_) => break,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Err("the server closed the connection".to_owned())
    };
    let ended = timeout(scenario.deadline, talk).await;
    let ended = ended
        .unwrap_or_else(|_| Err(format!("it did not come within {:.1} s", scenario.deadline.as_secs_f64())));
    ended.map_err(|why| if others.is_empty() { why } else { format!("{why}; what came is{others}") })
}
