//! A client whose link carries less than its symbols bring: conflation, as the hub does it. It has
//! one frame at a time, of the latest of each symbol that changed and all trades, and what the
//! kernel holds of earlier ones is before it.

use crate::bytes::{FRAME_HEAD_BYTES, on_cable};
use crate::constants as c;
use crate::model::Market;

/// What such a client gets.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    pub updates_hz: f64,
    /// Of the updates for it.
    pub share: f64,
    /// How old a quote is when it has come, at most about.
    pub age_s: f64,
    /// Whether trades alone are more than the link carries: then they end in gaps.
    pub loses_trades: bool,
}

/// A client of `symbols` of the market, on a link of so many kbit/s.
pub fn reader(market: &Market, symbols: f64, link_kbit: f64) -> Reader {
    let link = link_kbit * 1_000.0 / 8.0;
    let ticks_hz = symbols * market.ticks_hz / market.symbols;
    let heads = on_cable(1_000_000.0) / 1_000_000.0;
    let update = c::UPDATE_BYTES.value * heads;
    let trades_hz = (ticks_hz * c::TRADES.value).min(link / update);
    let loses_trades = ticks_hz * c::TRADES.value > link / update;
    // A frame lasts as long as its bytes take, and holds what changed meanwhile: the longer it
    // lasts, the less of it is new for each second. The fixed point lies between the flush and
    // all symbols at once.
    let quotes_in = |s: f64| {
        let each = ticks_hz * (1.0 - c::TRADES.value) / symbols * s;
        symbols * (1.0 - (-each).exp())
    };
    let lasts = |s: f64| (FRAME_HEAD_BYTES + (quotes_in(s) + trades_hz * s) * update) / link;
    let flush_s = 1.0 / market.flush_hz;
    if ticks_hz * update <= link {
        return Reader { updates_hz: ticks_hz, share: 1.0, age_s: flush_s, loses_trades: false };
    }
    let mut s = 60.0;
    for _ in 0..1_000 {
        s = (s + lasts(s).clamp(flush_s, 60.0)) / 2.0;
    }
    let updates_hz = if loses_trades { link / update } else { quotes_in(s) / s + trades_hz };
    let age_s = c::STALLED_BYTES.value / link + s;
    Reader { updates_hz, share: updates_hz / ticks_hz, age_s, loses_trades }
}

pub fn check() {
    let market = Market { symbols: 500.0, ticks_hz: 5_000.0, flush_hz: 10.0 };
    let of = |kbit| reader(&market, 50.0, kbit);
    let (fast, slow, tiny) = (of(10_000.0), of(256.0), of(16.0));
    assert!(fast.share == 1.0 && !slow.loses_trades && tiny.loses_trades);
    assert!(slow.share < 1.0 && slow.age_s > fast.age_s && tiny.age_s > slow.age_s);
    // What it gets fills its link.
    let bits = slow.updates_hz * c::UPDATE_BYTES.value * 8.0;
    assert!((200_000.0..256_000.0).contains(&bits), "{bits}");
}
