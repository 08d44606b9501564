//! A recording replayed whole, as fast as it goes, to clients that each want something else.
//!
//! Method: 200 clients with every set of the four symbols, several sets of channels, both
//! encodings, both forms of time and some with a rate subscribe by URL; the replay waits for all
//! of them. Each stream is held against the file item by item (ids, sequence numbers, times,
//! prices as text) until the last trade, quote and bar have come: exactly the trades of its
//! symbols, in order, nothing missing or double, and the file's last quotes. Bars are compared
//! with bars that the test makes itself.

use crate::harness::item::Item;
use crate::harness::{Client, Follower, Message, PATIENCE, Recording, Server, alone};
use serde_json::value::RawValue;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 200;

/// How often a silent client looks whether its time is over.
const STEP: Duration = Duration::from_secs(1);

const CHANNELS: [&str; 5] =
    ["trades", "quotes,trades", "quotes", "trades,bars", "trades,quotes,bars"];

#[test]
fn two_hundred_clients_get_exactly_what_the_file_has() {
    for recording in Recording::all() {
        let _alone = alone();
        let feed = recording.feed(&format!("speed=max,wait={CLIENTS}"));
        let server = Server::with_feed(&feed, "--shards 2");
        let address = server.address;
        let threads: Vec<_> = (0..CLIENTS)
            .map(|n| thread::spawn(move || follow(&wish(recording, n), recording, address)))
            .collect();
        // Who has everything stays: a recording may have nothing for some, and the replay waits
        // for all to be there at once.
        let mut done = Vec::new();
        for (n, thread) in threads.into_iter().enumerate() {
            done.push(thread.join().unwrap_or_else(|_| panic!("client {n} failed")));
        }
        for (n, (follower, _)) in done.iter().enumerate() {
            for (symbol, seen) in follower.seen() {
                assert_eq!(seen.lost_count, 0, "client {n}: a gap in {symbol}");
            }
        }
        server.stop();
    }
}

struct Wish {
    symbols: Vec<String>,
    channels: Vec<String>,
    target: String,
    is_binary: bool,
}

fn wish(recording: &Recording, n: usize) -> Wish {
    let set = n % 16;
    let named = recording.symbols.keys().enumerate().filter(|(at, _)| set & (1 << at) != 0);
    let mut symbols: Vec<String> = named.map(|(_, name)| name.clone()).collect();
    if symbols.is_empty() {
        symbols.push("*".to_string());
    }
    let channels = CHANNELS[n / 16 % CHANNELS.len()];
    let mut target = format!("/v1/stream?symbols={}&channels={channels}", symbols.join(","));
    if n.is_multiple_of(3) {
        target.push_str("&ts=ns");
    }
    let is_binary = n.is_multiple_of(7);
    if is_binary {
        target.push_str("&encoding=msgpack");
    }
    if n % 20 == 19 {
        target.push_str("&max_hz=10");
    }
    let channels = channels.split(',').map(str::to_string).collect();
    Wish { symbols, channels, target, is_binary }
}

fn follow(wish: &Wish, recording: &'static Recording, address: SocketAddr) -> (Follower, Client) {
    let stream = std::net::TcpStream::connect(address).expect("listening");
    let mut client = Client::open(stream, &wish.target);
    let mut follower = Follower::new(recording, &wish.symbols, &wish.channels);
    let deadline = Instant::now() + PATIENCE;
    while !follower.is_done() {
        assert!(Instant::now() < deadline, "{}: so far {follower}", wish.target);
        let Some(message) = client.next_within(STEP) else { continue };
        match message {
            Message::Text(text) if !wish.is_binary => {
                let items: Vec<Item<&RawValue>> = serde_json::from_str(&text).expect("an array");
                items.iter().for_each(|item| follower.take(item));
            }
            Message::Binary(bytes) if wish.is_binary => {
                let items: Vec<Item<f64>> = rmp_serde::from_slice(&bytes).expect("an array");
                items.iter().for_each(|item| follower.take(item));
            }
            Message::Ping | Message::Pong => {}
            other => panic!("{other:?}"),
        }
    }
    (follower, client)
}
