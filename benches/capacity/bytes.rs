//! What a message of each kind is on the wire, made by the functions that the program sends with
//! where there are any, so that it is counted and not assumed.

use tapecast::market::{Decimal, Record, RecordBody, Symbol};

/// Payload of a TCP segment: an Ethernet frame of 1,500 less IPv4, TCP and its timestamps.
pub const SEGMENT_BYTES: f64 = 1_448.0;

/// Around a segment on the cable: preamble 8, Ethernet 14 and 4, gap 12, IPv4 20, TCP 32.
pub const SEGMENT_HEAD_BYTES: f64 = 90.0;

/// Header of a server's WebSocket frame: two bytes and a length of two (RFC 6455, section 5.2).
pub const FRAME_HEAD_BYTES: f64 = 4.0;

/// An epoch as the server makes them.
const EPOCH: &str = "660b0d9fb2dcb-5b3b";

/// Where acknowledgements go: as long as those of the usual client.
pub const INBOX: &str = "_INBOX.k3KHSRvvQv0tX3i6hYxTQd.00000001";

/// A subject's subscription in a node: one, of all that the publisher sends.
const SUBSCRIPTION: &str = "1";

/// Bytes on the cable of so many bytes that TCP gets in one send.
pub fn on_cable(payload_bytes: f64) -> f64 {
    payload_bytes + (payload_bytes / SEGMENT_BYTES).ceil() * SEGMENT_HEAD_BYTES
}

/// A symbol of the made market; all are of one length, so that all messages are.
pub fn symbol(number: u64) -> Symbol {
    Symbol::parse(&format!("S{:05}", number % 100_000)).expect("six letters and digits")
}

/// A quote as a line of a feed, numbered by its source.
pub fn line(symbol: Symbol, seq: u64, out: &mut Vec<u8>) {
    let price = |cents| (Decimal::new(cents, 2), Decimal::new(1_400, 0));
    let body = RecordBody::Quote {
        bid: price(23_071),
        bid_exchange: "V".into(),
        ask: price(23_074),
        ask_exchange: "Q".into(),
    };
    Record { symbol, event_ns: 1_700_000_000_123_456_789, seq: Some(seq), body }.write(out);
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

/// One message to NATS: `lines` quotes of one symbol from `first` on. Stored ones have an id, and
/// ask for an acknowledgement.
pub struct Message {
    pub publish: Vec<u8>,
    /// What the server sends to each subscriber of it.
    pub copy_bytes: usize,
}

pub fn message(number: u64, first: u64, lines: u64, is_stored: bool) -> Message {
    let (symbol, last) = (symbol(number), first + lines - 1);
    let mut payload = Vec::new();
    (first..=last).for_each(|seq| line(symbol, seq, &mut payload));
    let mut head =
        format!("NATS/1.0\r\nTape-Epoch: {EPOCH}\r\nTape-Term: 12\r\nTape-Sq: {first}-{last}\r\n");
    if is_stored {
        head.push_str(&format!("Nats-Msg-Id: {EPOCH}.q.{symbol}.{first}-{last}\r\n"));
    }
    head.push_str("\r\n");
    let reply = if is_stored { format!("{INBOX} ") } else { String::new() };
    let sizes = format!("{reply}{} {}\r\n", head.len(), head.len() + payload.len());
    let mut publish = format!("HPUB tape.q.{symbol} {sizes}{head}").into_bytes();
    publish.extend(&payload);
    publish.extend(b"\r\n");
    let copy_head = format!("HMSG tape.q.{symbol} {SUBSCRIPTION} {sizes}");
    let copy_bytes = copy_head.len() + head.len() + payload.len() + 2;
    Message { publish, copy_bytes }
}

pub fn check() {
    assert_eq!(on_cable(100.0), 190.0);
    assert_eq!(on_cable(2.0 * SEGMENT_BYTES), 2.0 * (SEGMENT_BYTES + SEGMENT_HEAD_BYTES));
    let (one, ten) = (message(1, 100_001, 1, false), message(1, 100_001, 10, false));
    let mut lines = Vec::new();
    line(symbol(1), 100_001, &mut lines);
    let more = ten.copy_bytes - one.copy_bytes;
    // The total's digits grow by one.
    assert!((9 * lines.len()..=9 * lines.len() + 1).contains(&more), "nine more lines: {more}");
    assert!(message(1, 100_001, 1, true).copy_bytes > one.copy_bytes, "an id and an inbox");
}
