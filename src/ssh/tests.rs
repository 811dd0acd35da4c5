//! Sessions against a real sshd on a loopback port.

mod agents;
mod conversing;
mod locks;
mod relay;
mod rights;
mod sending;
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssh2::MethodType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::link::{Link, Socket};
use super::{Command, HostKey, Identity, KeyKind, Limits, Session, SshError};
use crate::base::secret::Secret;
use relay::Relay;
use server::{Server, server};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn short() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        handshake: Duration::from_secs(10),
        command: Duration::from_secs(10),
    }
}

async fn session(server: &Server) -> Session {
    Session::connect(&server.route(), &server.identity, &short()).await.unwrap()
}

fn other_key() -> HostKey {
    HostKey::parse(&Identity::generate(KeyKind::Ed25519, "").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_command_keeps_its_arguments_its_streams_and_its_status() {
    let Some(server) = server("a_command_keeps_its_arguments_its_streams_and_its_status") else {
        return;
    };
    let session = session(&server).await;
    let odd = "it's $HOME; `x` \"y\" *\n~";
    let output = session.run(Command::new("printf").arg("%s").arg(odd)).await.unwrap();
    assert_eq!((output.status, output.stdout), (0, odd.as_bytes().to_vec()));

    let output =
        session.run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 7"])).await.unwrap();
    assert_eq!((output.status, output.text().as_str(), output.tail(1).as_str()), (7, "out", "err"));

    let killed = session.run(Command::new("sh").args(["-c", "kill -9 $$"])).await.unwrap();
    assert_eq!(killed.status, 137);

    let error = session.check(Command::new("ls").arg("/no such")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("box: `ls '/no such'` failed with status 2\n    ls: "), "{text}");
    assert!(error.hint().unwrap().contains("ls '/no such'"));
}

#[tokio::test]
async fn the_cipher_is_one_that_processors_know() {
    let Some(server) = server("the_cipher_is_one_that_processors_know") else { return };
    let socket = std::net::TcpStream::connect(server.route().address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut link = Link::new(Socket::Tcp(socket)).unwrap();
    link.log_in(&server.route(), &server.identity).await.unwrap();
    for direction in [MethodType::CryptCs, MethodType::CryptSc] {
        assert_eq!(link.session.methods(direction), Some("aes256-gcm@openssh.com"));
    }
}

#[tokio::test]
async fn much_input_and_much_output_at_once_do_not_stall() {
    let Some(server) = server("much_input_and_much_output_at_once_do_not_stall") else {
        return;
    };
    let session = session(&server).await;
    let input: Vec<u8> = (0..6_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let command = Command::new("sh").args(["-c", "tee /dev/stderr"]).stdin(input.clone());
    let output = session.run(command).await.unwrap();
    for (stream, heard) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let same = heard.iter().zip(&input).take_while(|(one, other)| one == other).count();
        assert!(*heard == input, "{stream}: {} bytes, of which {same} are as they were sent", heard.len());
    }
    // A command that does not read what it is given.
    let output = session.run(Command::new("echo").arg("done").stdin(input)).await.unwrap();
    assert_eq!(output.text(), "done");
}

#[tokio::test]
async fn a_file_is_put_in_place_whole_and_read_back() {
    let Some(server) = server("a_file_is_put_in_place_whole_and_read_back") else {
        return;
    };
    let session = session(&server).await;
    let path = server.path("payload it's");
    assert_eq!(session.read(&path).await.unwrap(), None);
    for seed in 1..3_u8 {
        let bytes: Vec<u8> = (0..251_u8).cycle().take(3_000_000).map(|byte| byte ^ seed).collect();
        session.upload(&path, bytes.clone().into(), 0o750).await.unwrap();
        assert!(session.read(&path).await.unwrap() == Some(bytes));
    }
    let output = session.check(Command::new("stat").args(["-c", "%a"]).arg(&path)).await.unwrap();
    assert_eq!(output.text(), "750");
    session.upload(&path, Vec::new().into(), 0o600).await.unwrap();
    assert_eq!(session.read(&path).await.unwrap(), Some(Vec::new()));
    assert_eq!(server.files(), ["payload it's"], "nothing is left beside the file");

    let error = session.upload("/no/such/folder/x", b"x".to_vec().into(), 0o600).await.unwrap_err();
    assert_eq!(error.to_string(), "box: /no/such/folder/x could not be written");
    assert!(session.run(Command::new("true")).await.is_ok(), "a refusal does not end the session");
}

#[tokio::test]
async fn a_changed_host_key_stops_before_anything_is_authenticated() {
    let Some(server) = server("a_changed_host_key_stops_before_anything_is_authenticated") else {
        return;
    };
    let mut route = server.route();
    let real = route.host_keys[0].fingerprint();
    route.host_keys = vec![other_key()];
    let error = Session::connect(&route, &server.identity, &short()).await.unwrap_err();
    let SshError::HostKeyChanged { expected, found, .. } = &error else { panic!("{error:?}") };
    assert_eq!(found, &format!("{real} (ssh-ed25519)"));
    assert!(expected.contains(&route.host_keys[0].fingerprint()));
    assert!(error.to_string().contains("was reinstalled or replaced"), "{error}");
    assert!(error.hint().unwrap().contains("Cloud Assistant"));
    assert!(!server.log().contains("Accepted publickey"), "{}", server.log());

    route.host_keys.clear();
    let error = Session::connect(&route, &server.identity, &short()).await.unwrap_err();
    assert!(matches!(error, SshError::NoHostKey { .. }), "{error:?}");
}

#[tokio::test]
async fn any_pinned_kind_of_host_key_is_the_one_presented() {
    let Some(server) = server("any_pinned_kind_of_host_key_is_the_one_presented") else {
        return;
    };
    for key in server.host_keys() {
        let mut route = server.route();
        route.host_keys = vec![other_key(), key.clone()];
        if key.algorithm() != "ssh-ed25519" {
            route.host_keys.remove(0);
        }
        let session = Session::connect(&route, &server.identity, &short()).await;
        assert!(session.is_ok(), "{}: {session:?}", key.algorithm());
    }
}

#[tokio::test]
async fn a_key_that_is_not_authorised_is_named() {
    let Some(server) = server("a_key_that_is_not_authorised_is_named") else {
        return;
    };
    let (text, _) = Identity::generate(KeyKind::Ed25519, "stranger").unwrap();
    let stranger = Identity::from_openssh(&text, None).unwrap();
    let error = Session::connect(&server.route(), &stranger, &short()).await.unwrap_err();
    assert!(matches!(error, SshError::KeyNotAccepted { .. }), "{error:?}");
    assert!(error.to_string().contains(stranger.fingerprint()), "{error}");
}

#[tokio::test]
async fn every_common_kind_of_client_key_logs_in() {
    let Some(server) = server("every_common_kind_of_client_key_logs_in") else {
        return;
    };
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "521"), ("rsa", "2048")] {
        let text = server.authorise_new_key(kind, bits);
        let identity = Identity::from_openssh(&Secret::new(text), None).unwrap();
        let session = Session::connect(&server.route(), &identity, &short()).await;
        assert!(session.is_ok(), "{kind} {bits}: {session:?}");
    }
}

#[tokio::test]
async fn nobody_listening_a_silent_peer_and_a_wrong_protocol_are_told_apart() {
    let Some(server) = server("nobody_listening_a_silent_peer_and_a_wrong_protocol_are_told_apart") else {
        return;
    };
    let mut route = server.route();
    let listener = std::net::TcpListener::bind((LOCALHOST, 0)).unwrap();
    route.address = listener.local_addr().unwrap();
    let limits = Limits { handshake: Duration::from_millis(300), ..short() };
    let error = Session::connect(&route, &server.identity, &limits).await.unwrap_err();
    assert_eq!(error.to_string(), "box: the SSH handshake did not finish within 0.3 s");

    let talker = std::thread::spawn(move || {
        drop(listener.accept().unwrap()); // the connection of before
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        drop(stream);
        let (stream, _) = listener.accept().unwrap();
        drop((stream, listener));
    });
    for _ in 0..2 {
        let error = Session::connect(&route, &server.identity, &short()).await.unwrap_err();
        assert!(matches!(error, SshError::Handshake { .. } | SshError::ConnectionLost { .. }), "{error:?}");
    }
    talker.join().unwrap();
    let error = Session::connect(&route, &server.identity, &limits).await.unwrap_err();
    assert!(matches!(error, SshError::Refused { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("nc -vz 127.0.0.1"));
}

#[tokio::test]
async fn a_host_that_freezes_mid_command_ends_at_the_deadline() {
    let Some(server) = server("a_host_that_freezes_mid_command_ends_at_the_deadline") else {
        return;
    };
    let relay = Relay::start(server.route().address).await;
    let mut route = server.route();
    route.address = relay.address;
    let session = Session::connect(&route, &server.identity, &short()).await.unwrap();
    let started = Instant::now();
    let command = Command::new("sh").args(["-c", "while :; do echo tick; sleep 0.05; done"]);
    let running = session.run(command.deadline(Duration::from_millis(900)));
    let (outcome, ()) = tokio::join!(running, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.freeze();
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, SshError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().ends_with("did not finish within 0.9 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let later = session.run(Command::new("true")).await.unwrap_err();
    assert!(matches!(later, SshError::ConnectionLost { .. }), "{later:?}");
}

#[tokio::test]
async fn a_host_frozen_from_the_start_of_a_command_ends_at_the_deadline_too() {
    let Some(server) = server("a_host_frozen_from_the_start_of_a_command_ends_at_the_deadline_too") else {
        return;
    };
    let relay = Relay::start(server.route().address).await;
    let mut route = server.route();
    route.address = relay.address;
    let session = Session::connect(&route, &server.identity, &short()).await.unwrap();
    relay.freeze();
    let bytes: Arc<[u8]> = vec![7; 20_000_000].into();
    let command = Command::new("cat").stdin(bytes).deadline(Duration::from_millis(400));
    let started = Instant::now();
    assert!(matches!(session.run(command).await, Err(SshError::TimedOut { .. })));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// ssh2 says goodbye to an SFTP server by a call that blocks until it is answered.
#[tokio::test]
async fn a_host_that_freezes_after_or_in_an_upload_holds_nobody_up() {
    let Some(server) = server("a_host_that_freezes_after_or_in_an_upload_holds_nobody_up") else {
        return;
    };
    let limits = Limits { command: Duration::from_secs(4), ..short() };
    for large in [false, true] {
        let relay = Relay::start(server.route().address).await;
        let mut route = server.route();
        route.address = relay.address;
        let session = Session::connect(&route, &server.identity, &limits).await.unwrap();
        session.upload(&server.path("file"), vec![1; 1000].into(), 0o600).await.unwrap();
        relay.freeze();
        let started = Instant::now();
        let error = if large {
            session.upload(&server.path("file"), vec![2; 40_000].into(), 0o600).await.unwrap_err()
        } else {
            session.run(Command::new("true").deadline(Duration::from_millis(600))).await.unwrap_err()
        };
        assert!(matches!(error, SshError::TimedOut { .. }), "{error:?}");
        let later = tokio::time::timeout(Duration::from_secs(5), session.run(Command::new("true"))).await;
        let later = later.expect("nobody waits for a host that was given up").unwrap_err();
        assert!(matches!(later, SshError::ConnectionLost { .. }), "{later:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_cable_cut_mid_upload_leaves_the_old_file() {
    let Some(server) = server("a_cable_cut_mid_upload_leaves_the_old_file") else {
        return;
    };
    let relay = Relay::start(server.route().address).await;
    let mut route = server.route();
    route.address = relay.address;
    let session = Session::connect(&route, &server.identity, &short()).await.unwrap();
    let path = server.path("release");
    session.upload(&path, b"old".to_vec().into(), 0o600).await.unwrap();
    relay.cut_after(1_000_000);
    let started = Instant::now();
    let error = session.upload(&path, vec![1; 8_000_000].into(), 0o600).await.unwrap_err();
    assert!(matches!(error, SshError::ConnectionLost { .. }), "{error:?}");
    assert!(error.to_string().contains("the upload of"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let again = Session::connect(&server.route(), &server.identity, &short()).await.unwrap();
    assert_eq!(again.read(&path).await.unwrap(), Some(b"old".to_vec()));
    assert_eq!(server.files().len(), 2, "what was cut off lies beside the file");
    again.upload(&path, b"new".to_vec().into(), 0o600).await.unwrap();
    assert_eq!(server.files(), ["release"], "the next upload clears it away");
}

#[tokio::test]
async fn two_hops_are_walked_and_each_one_is_verified() {
    let Some(server) = server("two_hops_are_walked_and_each_one_is_verified") else {
        return;
    };
    let route = server.behind(&server.behind(&server.route(), "middle"), "inner");
    let session = Session::connect(&route, &server.identity, &short()).await.unwrap();
    let bytes: Vec<u8> = (0..241_u8).cycle().take(2_000_000).collect();
    let path = server.path("through");
    session.upload(&path, bytes.clone().into(), 0o644).await.unwrap();
    assert!(session.read(&path).await.unwrap() == Some(bytes));

    let mut wrong = route.clone();
    wrong.via.as_mut().unwrap().host_keys = vec![other_key()];
    let error = Session::connect(&wrong, &server.identity, &short()).await.unwrap_err();
    assert_eq!(error.host(), "middle");
    assert!(matches!(error, SshError::HostKeyChanged { .. }), "{error:?}");

    let mut closed = route;
    closed.address = SocketAddr::new(LOCALHOST, 1);
    let error = Session::connect(&closed, &server.identity, &short()).await.unwrap_err();
    assert_eq!(error.to_string(), "middle: no connection from there to 127.0.0.1:1");
}

#[tokio::test]
async fn a_tunnel_carries_both_directions_and_the_end() {
    let Some(server) = server("a_tunnel_carries_both_directions_and_the_end") else {
        return;
    };
    let session = session(&server).await;
    let listener = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let tunnel = session.tunnel(LOCALHOST, port).await.unwrap();
    let (mut read, mut write) = tunnel.into_split();
    let sent: Vec<u8> = (0..239_u8).cycle().take(5_000_000).collect();
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&copy).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == sent);
    writer.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn who_stops_waiting_does_not_stop_the_session() {
    let Some(server) = server("who_stops_waiting_does_not_stop_the_session") else {
        return;
    };
    let session = session(&server).await;
    let slow = session.run(Command::new("sleep").arg("0.3"));
    assert!(tokio::time::timeout(Duration::from_millis(50), slow).await.is_err());
    assert_eq!(session.run(Command::new("echo").arg("next")).await.unwrap().text(), "next");
}

#[tokio::test]
async fn commands_follow_each_other_without_waiting_for_the_clock() {
    let Some(server) = server("commands_follow_each_other_without_waiting_for_the_clock") else {
        return;
    };
    let session = session(&server).await;
    let inner =
        Session::connect(&server.behind(&server.route(), "inner"), &server.identity, &short()).await.unwrap();
    for session in [session, inner] {
        let mut slow = Vec::new();
        // A machine with much to do is slow for a while; wake-ups that are missed are missed each time.
        while slow.len() < 8 && slow.last().is_none_or(|last| *last > 2) {
            slow.push(0);
            for _ in 0..15 {
                let started = Instant::now();
                session.run(Command::new("true")).await.unwrap();
                // A wake-up that was missed shows as a wait for the next look, half a second later.
                *slow.last_mut().unwrap() += usize::from(started.elapsed() > Duration::from_millis(400));
            }
        }
        assert!(slow.last().is_some_and(|last| *last <= 2), "of 15 commands waited {slow:?}");
    }
}
