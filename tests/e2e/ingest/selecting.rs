//! Symbols that are left out or come under other names, through to a subscriber.

use super::{Publisher, counts, feed, tcp_address, trade};
use crate::harness::client::is;
use crate::harness::{Client, Server, wait_for};

/// Method: two feeds that know the same names; each gives what its options say and no more.
#[test]
fn feeds_share_symbols_out_by_their_options() {
    let names = "names=SYM,symbols=3,test_symbols=off,rate=100,trades=100";
    let synthetic = format!("--feed synthetic:{names},except=SYM0001,map=SYM0002:SECOND");
    let server = Server::with_feed("tcp:127.0.0.1:0,only=SYM0001|B.*,map=B.1:BEE", &synthetic);
    let mut client = Client::connect(server.address, "/v1/stream?symbols=*&channels=trades");
    let mut publisher = Publisher::with_acks(tcp_address(&server), 4);
    let symbols = ["SYM0001", "B.1", "B.2", "SYM0003"];
    publisher.send(&symbols.map(|symbol| trade(symbol, 1)).concat());
    assert_eq!(counts(&publisher.ack())[0], 4);
    let mut seen = Vec::new();
    for symbol in ["SYM0001", "BEE", "B.2", "SECOND", "SYM0003"] {
        if !seen.iter().any(|event| is(event, "t", symbol)) {
            seen.extend(client.until(symbol, |event| is(event, "t", symbol)));
        }
    }
    assert!(!seen.iter().any(|e| e["S"] == "SYM0002" || e["S"] == "B.1"), "old names");
    // Of SYM0003 the trades are the synthetic feed's alone, whose ids count by symbol.
    let third = seen.iter().filter(|event| is(event, "t", "SYM0003"));
    let numbers = third.map(|event| (event["i"].as_u64(), event["sq"].as_u64()));
    assert!(numbers.into_iter().all(|(id, sq)| id == sq), "{seen:?}");
    assert_eq!(feed(&server, 0)["filtered"], 1);
    wait_for("the first of three symbols, at random", || {
        (feed(&server, 1)["filtered"].as_u64() > Some(0)).then_some(())
    });
    server.stop();
}
