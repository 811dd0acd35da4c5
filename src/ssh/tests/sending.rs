//! Large files: what an earlier try left is checked, and the rest is sent.

use std::fs;
use std::time::Duration;

use super::server::{Server, server};
use super::{session, short};
use crate::ssh::packed::Packed;
use crate::ssh::{Command, Sent, Session};

/// A content that compresses a little, so that a part of it is a part of something.
fn content() -> Vec<u8> {
    (0..400_000_u32).flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 12).to_le_bytes()).collect()
}

async fn sent(server: &Server, session: &Session, packed: &Packed) -> Sent {
    let path = server.path("program");
    let sent = session.send(&[], &path, packed, 0o755).await.unwrap();
    assert!(fs::read(&path).unwrap() == content(), "the content is what was sent");
    let mode = session.check(Command::new("stat").args(["-c", "%a"]).arg(&path)).await.unwrap();
    assert_eq!((mode.text().as_str(), server.files()), ("755", vec!["program".to_owned()]));
    sent
}

#[tokio::test]
async fn what_was_cut_is_taken_up_and_what_is_damaged_is_sent_anew() {
    let Some(server) = server("what_was_cut_is_taken_up_and_what_is_damaged_is_sent_anew") else { return };
    let session = session(&server).await;
    let packed = Packed::of(&content());
    let (bytes, whole) = (packed.bytes(), packed.len());
    assert!(whole < content().len() && whole > 500_000, "{whole}");
    let from = |found: usize, was_damaged: bool| Sent { found, sent: whole - found, was_damaged };
    assert_eq!(sent(&server, &session, &packed).await, from(0, false));
    let part = server.path(&packed.part());
    for found in [1, 300_000, whole - 1, whole] {
        fs::write(&part, &bytes[..found]).unwrap();
        assert_eq!(sent(&server, &session, &packed).await, from(found, false));
    }
    let mut damaged = bytes[..300_000].to_vec();
    damaged[150_000] ^= 1;
    let longer = [bytes, b"x".as_slice()].concat();
    for left in [damaged, longer] {
        fs::write(&part, left).unwrap();
        assert_eq!(sent(&server, &session, &packed).await, from(0, true));
    }
    // What is left of another file is in nobody's way, and goes.
    fs::write(server.path(&Packed::of(b"another").part()), b"x").unwrap();
    assert_eq!(sent(&server, &session, &packed).await, from(0, false));
}

#[tokio::test]
async fn a_file_that_cannot_be_put_in_place_leaves_nothing_and_the_session_goes_on() {
    let Some(server) = server("a_file_that_cannot_be_put_in_place_leaves_nothing_and_the_session_goes_on")
    else {
        return;
    };
    let session = session(&server).await;
    let packed = Packed::of(&content());
    let error = session.send(&[], "/no/such/folder/program", &packed, 0o755).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/"), "{error}");
    assert_eq!(server.files(), Vec::<String>::new());
    // Unpacked to something else: the host's own digest tells.
    server.program("gzip", "#!/bin/sh\nprintf other >\"${3%.gz}\"\nrm \"$3\"\n");
    let error = session.send(&[], &server.path("program"), &packed, 0o755).await.unwrap_err();
    assert!(error.to_string().contains("program arrived damaged"), "{error}");
    assert_eq!(server.files(), Vec::<String>::new());
    assert!(session.run(Command::new("true")).await.is_ok());
}

#[tokio::test]
async fn several_commands_are_answered_in_one_round_trip() {
    let Some(server) = server("several_commands_are_answered_in_one_round_trip") else { return };
    let session = Session::connect(&server.route(), &server.identity, &short()).await.unwrap();
    fs::write(server.path("a file"), "no end").unwrap();
    let commands = vec![
        Command::new("cat").arg(server.path("a file")),
        Command::new("cat").arg(server.path("absent")),
        Command::new("echo").arg("it's; $HOME"),
    ];
    let answers = session.look(commands).await.unwrap();
    let told: Vec<(i32, &[u8])> =
        answers.iter().map(|answer| (answer.status, answer.stdout.as_slice())).collect();
    assert_eq!(told, [(0, b"no end".as_slice()), (1, b""), (0, b"it's; $HOME\n")]);
    drop(session);
    // What the server says arrives a moment later; its last word is the farewell.
    let has_ended =
        || ["Disconnected from", "Connection closed by"].iter().any(|end| server.log().contains(end));
    tokio::time::timeout(Duration::from_secs(20), async {
        while !has_ended() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let sessions = server.log().matches("Starting session").count();
    assert_eq!(sessions, 1, "{}", server.log());
}
