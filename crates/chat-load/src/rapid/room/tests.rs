//! A room before a server that is well, and before one that is not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{Figures, Guests, Load, Protocol, Room, Times};
use crate::rapid::frames;
use crate::rapid::stamp::LENGTH;

const CLIENTS: usize = 4;
const SENDERS: usize = 2;

/// Serves so many clients; the first of them gets each message as often as `times` says by its number.
fn serve(times: fn(u64) -> usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let all: Vec<TcpStream> = (0..CLIENTS).map(|_| accept(&listener)).collect();
        let readers: Vec<TcpStream> = all.iter().map(|stream| stream.try_clone().unwrap()).collect();
        let all = Arc::new(Mutex::new((all, 0)));
        for reader in readers {
            let all = all.clone();
            thread::spawn(move || relay(reader, &all, times));
        }
    });
    address
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
    stream
}

fn relay(mut reader: TcpStream, all: &Mutex<(Vec<TcpStream>, u64)>, times: fn(u64) -> usize) {
    // A header of two bytes, the mask, the text.
    let mut frame = [0; 6 + LENGTH];
    while reader.read_exact(&mut frame).is_ok() {
        let mut all = all.lock().unwrap();
        all.1 += 1;
        let count = all.1;
        let mut said = vec![0x81, 64];
        said.extend_from_slice(&frame[6..]);
        assert_eq!(frames::first(&said).map(|(_, size)| size), Some(2 + LENGTH));
        for (client, stream) in all.0.iter_mut().enumerate() {
            let times = if client == 0 { times(count) } else { 1 };
            for _ in 0..times {
                // The room may be gone already.
                stream.write_all(&said).ok();
            }
        }
    }
}

fn talk(times: fn(u64) -> usize, load: Load) -> (Figures, usize) {
    let guests = Guests {
        nodes: vec![serve(times)],
        protocol: Protocol::Bare,
        clients: CLIENTS,
        senders: SENDERS,
        at_once: 2,
    };
    let (mut room, _) = Room::arrive(guests).unwrap();
    let times = Times { warm_up: Duration::from_millis(20), span: Duration::from_millis(100) };
    let mut edges = 0;
    let figures = room.talk(load, times, &mut || edges += 1).unwrap();
    (figures, edges)
}

#[test]
fn what_all_hear_once_is_good_and_timed() {
    let (figures, edges) = talk(|_| 1, Load::Closed(2));
    assert!(figures.verdict.is_good() && figures.verdict.apart == 0, "{:?}", figures.verdict);
    assert_eq!((edges, figures.latency.total()), (2, figures.deliveries));
    assert!(figures.deliveries > 0 && figures.took >= Duration::from_millis(100), "{figures:?}");
}

#[test]
fn a_rate_is_kept_whatever_is_heard() {
    let (figures, _) = talk(|_| 1, Load::Paced(200));
    // Twenty are due in the span.
    assert!((10..=30).contains(&figures.messages), "{}", figures.messages);
    assert!(figures.verdict.is_good(), "{:?}", figures.verdict);
}

#[test]
fn what_one_client_misses_or_hears_twice_is_noticed() {
    let (figures, _) = talk(|count| usize::from(count != 3) + usize::from(count == 5), Load::Closed(2));
    let verdict = figures.verdict;
    assert_eq!((verdict.lost, verdict.doubled, verdict.reordered, verdict.apart), (1, 1, 0, 1));
}
