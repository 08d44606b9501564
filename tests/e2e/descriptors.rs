//! Connections come and go, and nothing of them stays.
//!
//! Method: 2,000 clients, some of which leave with a Close, some by a FIN, some by a reset, some
//! before their upgrade, some while they are behind; then the server's descriptors and sockets
//! are counted again.

use crate::harness::{Raw, Server, alone, kernel, raw, wait_for};
use std::time::Duration;
use tapecast::wire::client::Opcode;

#[test]
fn descriptors_come_back() {
    let _alone = alone();
    let server = Server::start("--shards 2 --close-ms 500");
    let mut warm = Raw::connect(server.address);
    warm.upgrade("/v1/stream");
    let before = kernel::descriptors(&server);
    for round in 0..10 {
        let mut clients: Vec<Raw> = (0..200).map(|_| Raw::connect(server.address)).collect();
        for (n, client) in clients.iter_mut().enumerate() {
            match n % 6 {
                0 => {}
                1 => client.write(&raw::request("/v1/stream").as_bytes()[..30]),
                2 => client.upgrade("/v1/stream?symbols=*"),
                3 => client.upgrade("/v1/stream?symbols=*&max_hz=5&channels=quotes"),
                _ => client.upgrade("/v1/stream"),
            }
            let linger = (n + round).is_multiple_of(3).then_some(Duration::ZERO);
            socket2::SockRef::from(&client.stream).set_linger(linger).expect("a TCP socket");
            if n % 6 == 5 {
                client.send(Opcode::Close, &[0x03, 0xe8]);
            }
        }
    }
    wait_for("every socket is gone but one", || {
        (kernel::sockets(&server).count == 1).then_some(())
    });
    wait_for("every descriptor is back", || (kernel::descriptors(&server) <= before).then_some(()));
    warm.send(Opcode::Text, br#"{"action":"ping","id":1}"#);
    server.stop();
}
