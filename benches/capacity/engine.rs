//! What the publisher sends to NATS, and what NATS does with it: one copy for each node.

use crate::bytes::{SEGMENT_BYTES, SEGMENT_HEAD_BYTES, message};
use crate::constants as c;
use crate::model::Market;

/// Lines of a symbol that a message has at most, whatever the publisher's turn brings.
const LINES_MAX: f64 = 256.0;

/// What a market is for one NATS server with so many nodes.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    pub lines: f64,
    pub messages_hz: f64,
    pub copies_hz: f64,
    /// Bytes a second on the cable, TCP's and Ethernet's heads included.
    pub in_hz: f64,
    pub out_hz: f64,
    /// Of one core: a publisher's connection is read, and its copies are made, by one thread.
    pub cores: f64,
    /// JetStream's bytes a second on disk; 0 without.
    pub disk_hz: f64,
}

pub fn engine(market: &Market, nodes: f64, is_stored: bool) -> Engine {
    let each_hz = market.ticks_hz / market.symbols;
    // What came for a symbol within the publisher's turn is one message.
    let lines = (each_hz * c::PUBLISHER_TURN_S.value).round().clamp(1.0, LINES_MAX);
    let messages_hz = market.ticks_hz / lines;
    let copies_hz = messages_hz * nodes;
    let shape = message(1, 100_000, lines as u64, is_stored);
    // Many messages share a segment: heads come by bytes.
    let heads = 1.0 + SEGMENT_HEAD_BYTES / SEGMENT_BYTES;
    let copy_us = c::NATS_COPY.value + (lines - 1.0) * c::NATS_COPY_LINE.value;
    let stored_us = if is_stored { c::NATS_STORE.value } else { 0.0 };
    let disk = message_on_disk(lines, is_stored);
    Engine {
        lines,
        messages_hz,
        copies_hz,
        in_hz: messages_hz * shape.publish.len() as f64 * heads,
        out_hz: copies_hz * shape.copy_bytes as f64 * heads,
        cores: (messages_hz * (c::NATS_IN.value + stored_us) + copies_hz * copy_us) / 1e6,
        disk_hz: messages_hz * disk,
    }
}

/// A message on disk is its subject, headers and payload; what was measured has one line.
fn message_on_disk(lines: f64, is_stored: bool) -> f64 {
    if !is_stored {
        return 0.0;
    }
    let length = |lines| message(1, 100_000, lines, true).publish.len() as f64;
    c::NATS_DISK_BYTES.value + length(lines as u64) - length(1)
}

pub fn check() {
    let market = Market { symbols: 500.0, ticks_hz: 5_000.0, flush_hz: 10.0 };
    let (one, ten) = (engine(&market, 1.0, false), engine(&market, 10.0, false));
    assert_eq!((one.lines, one.messages_hz, ten.copies_hz), (1.0, 5_000.0, 50_000.0));
    assert!(one.in_hz == ten.in_hz && one.cores < ten.cores, "nodes are copies: {ten:?}");
    assert!(engine(&market, 1.0, true).disk_hz > 5_000.0 * 100.0, "a line and its head");
    let busy = engine(&Market { ticks_hz: 500_000.0, ..market }, 1.0, false);
    assert_eq!((busy.lines, busy.messages_hz), (10.0, 50_000.0), "a turn's lines are a message");
}
