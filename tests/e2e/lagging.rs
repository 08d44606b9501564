//! Clients that stop reading while a replay at full speed goes on.
//!
//! Method: a thousand clients with `SO_RCVBUF` of 8 KiB, set before they connect, subscribe to
//! everything and read nothing; every deadline lies beyond the test. Then a few that read, with
//! room in the kernel so that they are never the slow ones, subscribe, and with the last of them
//! the replay begins, with a tape of 4,096 trades. Private memory of the process and `skmem` of
//! its own sockets are summed up before the replay and after
//! its end. Then each of the thousand reads, and its stream is held against the file: whole up to
//! the place where it stopped, a gap, the retained trades, the last quotes.

use crate::harness::item::Item;
use crate::harness::{Follower, Raw, Recording, Server, alone, kernel, wait_for};
use serde_json::value::RawValue;
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use tapecast::wire::client::Opcode;

const LAGGING: usize = 1_000;

const READING: usize = 4;

const RECEIVE_BUFFER_BYTES: usize = 8 * 1024;

const TAPE_TICKS: usize = 4_096;

/// What the issue allows a client that lags, process and kernel together.
const BYTES_PER_CLIENT_MAX: u64 = 100 * 1024;

const FLAGS: &str = "--shards 2 --tape-ticks 4096 --ping-ms 3600000 --pong-ms 3600000 \
     --write-stall-ms 3600000 --user-timeout-ms 3600000";

#[test]
fn a_thousand_that_stop_reading_cost_little_and_are_told_what_they_missed() {
    let _alone = alone();
    let recording = Recording::best();
    let feed = recording.feed(&format!("speed=max,wait={}", LAGGING + READING));
    let server = Server::with_feed(&feed, FLAGS);
    let mut lagging: Vec<Raw> = (0..LAGGING).map(|_| subscribe_small(&server)).collect();
    let before = memory(&server, LAGGING);

    let readers: Vec<_> = (0..READING).map(|_| read_everything(&server, recording)).collect();
    for reader in readers {
        let follower = reader.join().expect("a reading client gets every trade");
        assert!(follower.seen().values().all(|seen| seen.lost_count == 0), "{follower}");
    }
    let after = memory(&server, LAGGING);
    let growth = after.saturating_sub(before) / LAGGING as u64;
    writeln!(std::io::stderr(), "a lagging client costs {growth} bytes").expect("stderr is open");
    assert!(growth < BYTES_PER_CLIENT_MAX, "{growth} bytes a client, from {before} to {after}");

    thread::scope(|scope| {
        for part in lagging.chunks_mut(LAGGING / 8) {
            scope.spawn(|| part.iter_mut().for_each(|client| catch_up(client, recording)));
        }
    });
    server.stop();
}

fn subscribe_small(server: &Server) -> Raw {
    let mut client = Raw::connect_small(server.address, RECEIVE_BUFFER_BYTES);
    client.upgrade("/v1/stream?symbols=*");
    client
}

/// Of the process and of its sockets, in bytes, once it is as many as there should be.
fn memory(server: &Server, clients: usize) -> u64 {
    let sockets = wait_for("the clients' sockets", || {
        Some(kernel::sockets(server)).filter(|sockets| sockets.count == clients)
    });
    kernel::anonymous_bytes(server) + sockets.bytes
}

fn follower(recording: &'static Recording) -> Follower {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    Follower::new(recording, &names(&["*"]), &names(&["trades", "quotes"]))
}

/// Reads on one thread and checks on another, so that the check does not slow the reading.
fn read_everything(server: &Server, recording: &'static Recording) -> thread::JoinHandle<Follower> {
    let mut client = Raw::connect_large(server.address);
    client.upgrade("/v1/stream?symbols=*");
    let (pieces, checker) = mpsc::channel();
    let stream = client.stream.try_clone().expect("descriptors are left");
    thread::spawn(move || {
        pieces.send(std::mem::take(&mut client.bytes)).expect("the checker waits");
        // The checker ends this by ending the connection.
        while client.read(crate::harness::PATIENCE).is_ok_and(|more| more) {
            if pieces.send(std::mem::take(&mut client.bytes)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let mut follower = follower(recording);
        let mut queued = Queued { bytes: Vec::new(), pieces: checker };
        while !follower.is_done() {
            let frame = queued.frame();
            take(&mut follower, &frame);
        }
        stream.shutdown(std::net::Shutdown::Both).expect("it is connected");
        follower
    })
}

/// Pieces of a stream, as whole text frames.
struct Queued {
    bytes: Vec<u8>,
    pieces: mpsc::Receiver<Vec<u8>>,
}

impl Queued {
    fn frame(&mut self) -> Vec<u8> {
        loop {
            let frame = tapecast::wire::client::next_frame(&self.bytes, 1 << 20).expect("a frame");
            if let Some(frame) = frame {
                assert_eq!(frame.opcode, Opcode::Text);
                let (payload, end) = (frame.payload.to_vec(), frame.frame_bytes);
                self.bytes.drain(..end);
                return payload;
            }
            let piece = self.pieces.recv_timeout(crate::harness::PATIENCE);
            self.bytes.extend(piece.expect("the stream goes on until all has come"));
        }
    }
}

fn take(follower: &mut Follower, payload: &[u8]) {
    let items: Vec<Item<&RawValue>> = serde_json::from_slice(payload).expect("an array");
    items.iter().for_each(|item| follower.take(item));
}

fn catch_up(client: &mut Raw, recording: &'static Recording) {
    let mut follower = follower(recording);
    while !follower.is_done() {
        let (opcode, payload) = client.frame().expect("the connection lives");
        assert_eq!(opcode, Opcode::Text);
        take(&mut follower, &payload);
    }
    for (symbol, seen) in follower.seen() {
        let total = recording.symbols[symbol].trades.len() as u64;
        let retained = recording.trades_among_last(TAPE_TICKS, symbol);
        assert!(seen.lost_count > 0, "{symbol}: it was behind by more than the tape");
        assert_eq!(seen.gap_to, total - retained, "{symbol}: no more than the tape has lost");
    }
}
