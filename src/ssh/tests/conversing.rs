//! Programs that somebody sits at, on a real sshd: terminals and their sizes, streams, ends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::server;
use super::session;
use crate::ssh::{Conversation, Program, Size, Terminal};

fn terminal() -> Terminal {
    Terminal { kind: "xterm-256color".to_owned(), size: Size { columns: 101, rows: 37 } }
}

/// Reads until a text was said.
async fn hear(conversation: &mut Conversation, text: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    let hear = async {
        while !heard.contains(text) {
            let count = conversation.stdio.read(&mut buffer).await.unwrap();
            assert!(count > 0, "it ended before it said {text}: {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    let heard_it = tokio::time::timeout(std::time::Duration::from_secs(20), hear).await.is_ok();
    assert!(heard_it, "it never said {text}: {heard}");
    heard
}

#[tokio::test]
async fn a_program_has_its_streams_apart_and_its_status_is_told() {
    let Some(server) = server("a_program_has_its_streams_apart_and_its_status_is_told") else { return };
    let session = session(&server).await;
    let line = "cat; echo err >&2; exit 7".to_owned();
    let mut talk = session.converse(Program::Line(line), None).await.unwrap();
    let much = vec![b'x'; 3_000_000];
    let (mut read, mut write) = tokio::io::split(talk.stdio);
    let input = much.clone();
    let send = tokio::spawn(async move {
        write.write_all(&input).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let (all, errors) = tokio::join!(read.read_to_end(&mut said), talk.stderr.read_to_end(&mut complained));
    all.unwrap();
    errors.unwrap();
    send.await.unwrap();
    assert_eq!(said.len(), much.len());
    assert_eq!(complained, b"err\n");
    assert_eq!(talk.status.await.unwrap().unwrap(), 7);
    let killed = session.converse(Program::Line("kill -9 $$".to_owned()), None).await.unwrap();
    assert_eq!(killed.status.await.unwrap().unwrap(), 137);
}

#[tokio::test]
async fn a_shell_has_a_terminal_of_our_size_and_follows_it() {
    let Some(server) = server("a_shell_has_a_terminal_of_our_size_and_follows_it") else { return };
    let session = session(&server).await;
    let mut talk = session.converse(Program::Shell, Some(terminal())).await.unwrap();
    talk.stdio.write_all(b"echo kind=$TERM; stty size\n").await.unwrap();
    let heard = hear(&mut talk, "37 101").await;
    assert!(heard.contains("kind=xterm-256color"), "{heard}");
    talk.sizes.send(Size { columns: 55, rows: 22 }).unwrap();
    // The shell may read the line before it hears of the size.
    talk.stdio
        .write_all(b"until [ \"$(stty size)\" = '22 55' ]; do :; done; echo now $((6 * 7))\n")
        .await
        .unwrap();
    hear(&mut talk, "now 42").await;
    // Ctrl-C is for the other side, and for the program there, which must run by then.
    let command = b"PS1='asks'' again '; sh -c 'echo runs $((7 * 7)); exec cat'\n";
    talk.stdio.write_all(command).await.unwrap();
    hear(&mut talk, "runs 49").await;
    talk.stdio.write_all(b"\x03").await.unwrap();
    // A shell may throw away what was typed before it asks again.
    hear(&mut talk, "asks again ").await;
    talk.stdio.write_all(b"exit 5\n").await.unwrap();
    let mut rest = Vec::new();
    talk.stdio.read_to_end(&mut rest).await.unwrap();
    assert_eq!(talk.status.await.unwrap().unwrap(), 5);
}

#[tokio::test]
async fn a_program_behind_another_host_is_reached_as_well() {
    let Some(server) = server("a_program_behind_another_host_is_reached_as_well") else { return };
    let route = server.behind(&server.route(), "inner");
    let session = crate::ssh::Session::connect(&route, &server.identity, &super::short()).await.unwrap();
    let mut talk = session.converse(Program::Line("echo through; exit 3".to_owned()), None).await.unwrap();
    hear(&mut talk, "through").await;
    assert_eq!(talk.status.await.unwrap().unwrap(), 3);
}
