//! WebSocket beneath the messages: fragments, control frames, masks, and how each violation is answered.

use chat_node::engine_io::CloseReason;

use super::server::{Happened, Options, Server};
use super::wire::{Bare, frame};

async fn echoing() -> (Server, Bare) {
    let options = Options::default();
    let settings = chat_node::engine_io::Settings {
        ping_interval: std::time::Duration::from_secs(20),
        max_payload: 1000,
        ..options.settings
    };
    let server = Server::echo_with(Options { settings, ..Options::default() }).await;
    let bare = Bare::websocket(&server).await;
    (server, bare)
}

#[tokio::test]
async fn fragments_are_put_together_and_pings_between_them_answered() {
    let (_server, mut bare) = echoing().await;
    bare.write(&frame(0x01, b"4one ")).await;
    bare.write(&frame(0x89, b"there?")).await;
    assert_eq!(bare.read(8).await, b"\x8a\x06there?");
    bare.write(&frame(0x00, b"two ")).await;
    bare.write(&frame(0x80, b"three")).await;
    assert_eq!(bare.read(16).await, b"\x81\x0e4one two three");
}

#[tokio::test]
async fn frames_may_arrive_byte_by_byte_and_many_at_once() {
    let (_server, mut bare) = echoing().await;
    for byte in frame(0x81, b"4slowly") {
        bare.write(&[byte]).await;
    }
    assert_eq!(bare.read(9).await, b"\x81\x074slowly");
    bare.write(&[frame(0x81, b"4a"), frame(0x82, b"b"), frame(0x81, b"4c")].concat()).await;
    assert_eq!(bare.read(11).await, b"\x81\x024a\x82\x01b\x81\x024c");
}

#[tokio::test]
async fn violations_are_answered_with_their_code() {
    let table: [(Vec<u8>, u16); 10] = [
        // Not masked.
        (b"\x81\x024a".to_vec(), 1002),
        // A reserved bit; as if compression had been agreed on.
        (frame(0xc1, b"4a"), 1002),
        (frame(0x83, b"4a"), 1002),
        // A fragmented ping, one that is too long.
        (frame(0x09, b""), 1002),
        (frame(0x89, &[0; 126]), 1002),
        // The end of nothing.
        (frame(0x80, b"4a"), 1002),
        (frame(0x88, b"\x00"), 1002),
        (frame(0x81, b"4\xff"), 1007),
        (frame(0x81, &[b'4'; 1001]), 1009),
        ([frame(0x01, &[b'4'; 600]), frame(0x80, &[b'4'; 401])].concat(), 1009),
    ];
    for (bytes, code) in table {
        let (mut server, mut bare) = echoing().await;
        bare.write(&bytes).await;
        let rest = bare.rest().await;
        assert_eq!((rest[0], u16::from_be_bytes([rest[2], rest[3]])), (0x88, code), "{bytes:?}");
        let reason = if code == 1009 { CloseReason::TooLarge } else { CloseReason::TransportError };
        assert_eq!(server.happens().await, Happened::Closed(reason), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_message_of_just_the_limit_is_taken() {
    let (_server, mut bare) = echoing().await;
    bare.write(&frame(0x81, &[b'4'; 1000])).await;
    assert_eq!(bare.read(4).await, b"\x81\x7e\x03\xe8");
    assert_eq!(bare.read(1000).await, [b'4'; 1000]);
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code_and_the_connection_ends() {
    let (_server, mut bare) = echoing().await;
    bare.write(&frame(0x88, b"\x0f\xa0bye")).await;
    assert_eq!(bare.rest().await, b"\x88\x02\x0f\xa0");
}

#[tokio::test]
async fn what_follows_a_close_frame_is_not_looked_at() {
    let (_server, mut bare) = echoing().await;
    bare.write(&[frame(0x88, b""), frame(0x81, b"4late")].concat()).await;
    assert_eq!(bare.rest().await, b"\x88\x00");
}
