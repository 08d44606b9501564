use super::*;

const SECOND: i64 = 1_000_000_000;
const A: SymbolId = SymbolId(0);
const B: SymbolId = SymbolId(1);

struct Desk {
    bars: Bars,
    out: Vec<Tick>,
}

impl Desk {
    fn new() -> Desk {
        Desk { bars: Bars::default(), out: Vec::new() }
    }

    fn trade(&mut self, symbol: SymbolId, at_ns: i64, price: &str, size: &str) {
        let decimal = |text| Decimal::parse(text).expect("a number");
        self.bars.advance(at_ns, 7, &mut self.out);
        self.bars.trade(symbol, at_ns, decimal(price), decimal(size));
    }

    /// Symbol, sequence number, minute, "open high low close volume trades vwap" of closed bars.
    fn closed(&mut self) -> Vec<(SymbolId, u64, i64, String)> {
        let ticks = std::mem::take(&mut self.out);
        ticks.chunks(2).map(|pair| Desk::text(&pair[0], &pair[1])).collect()
    }

    fn text(first: &Tick, second: &Tick) -> (SymbolId, u64, i64, String) {
        let (TickBody::BarPrices(h, p), TickBody::BarTotals(same, t)) =
            (first.body(), second.body())
        else {
            panic!("{first:?} {second:?}")
        };
        assert_eq!(h, same);
        let mut text = Vec::new();
        for price in [p.open, p.high, p.low, p.close] {
            h.price(price).write(&mut text);
            text.push(b' ');
        }
        h.size(t.volume).write(&mut text);
        text.extend_from_slice(format!(" {} ", t.trades).as_bytes());
        h.price(t.vwap).write(&mut text);
        (h.symbol, h.seq, h.event_ns, String::from_utf8(text).expect("digits"))
    }
}

#[test]
fn a_minute_closes_a_second_after_its_end() {
    let mut desk = Desk::new();
    desk.trade(A, 0, "10.00", "100");
    desk.trade(A, SECOND, "10.5", "50");
    desk.trade(B, 2 * SECOND, "7", "1");
    desk.trade(A, 30 * SECOND, "9.99", "150");
    desk.trade(A, MINUTE_NS + SECOND / 2, "11", "1");
    // Out of order, but its minute is still open.
    desk.trade(A, MINUTE_NS - 1, "10.01", "100");
    assert!(desk.closed().is_empty());
    desk.bars.advance(MINUTE_NS + SECOND - 1, 7, &mut desk.out);
    assert!(desk.closed().is_empty());
    desk.bars.advance(MINUTE_NS + SECOND, 7, &mut desk.out);
    // (1000 + 525 + 1498.5 + 1001) / 400 = 10.06125, rounded to four digits.
    let first = (A, 1, 0, "10.0 10.5 9.99 10.01 400 4 10.0613".to_string());
    assert_eq!(desk.closed(), [first, (B, 1, 0, "7.0 7.0 7.0 7.0 1 1 7.0".to_string())]);
    desk.trade(A, MINUTE_NS - 1, "99", "1");
    assert_eq!(desk.bars.late_count(), 1);
    desk.bars.end(7, &mut desk.out);
    assert_eq!(desk.closed(), [(A, 2, MINUTE_NS, "11.0 11.0 11.0 11.0 1 1 11.0".to_string())]);
}

#[test]
fn empty_minutes_give_no_bar_and_a_new_start_is_a_new_time() {
    let mut desk = Desk::new();
    desk.trade(A, 5 * MINUTE_NS, "1", "1");
    desk.trade(A, 9 * MINUTE_NS, "2", "1");
    assert_eq!(desk.closed().len(), 1);
    assert_eq!(desk.bars.next_close_ns(), Some(10 * MINUTE_NS + SECOND));
    desk.bars.end(7, &mut desk.out);
    assert_eq!(desk.closed()[0].2, 9 * MINUTE_NS);
    desk.trade(A, 0, "3", "1");
    desk.bars.end(7, &mut desk.out);
    assert_eq!(desk.closed(), [(A, 3, 0, "3.0 3.0 3.0 3.0 1 1 3.0".to_string())]);
    assert_eq!(desk.bars.next_close_ns(), None);
}

#[test]
fn sums_are_exact_whatever_the_scales() {
    let mut desk = Desk::new();
    desk.trade(A, 0, "0.1", "0.5");
    desk.trade(A, 0, "0.12345678", "3");
    desk.trade(A, 0, "-0.2", "0.25");
    desk.trade(B, 0, "5", "0");
    desk.bars.end(7, &mut desk.out);
    // (0.05 + 0.37037034 - 0.05) / 3.75 = 0.098765424, rounded to eight digits.
    let first = "0.1 0.12345678 -0.2 -0.2 3.75 3 0.09876542".to_string();
    let expected = [(A, 1, 0, first), (B, 1, 0, "5.0 5.0 5.0 5.0 0 1 5.0".to_string())];
    assert_eq!(desk.closed(), expected);
}

/// Method: extreme but legal values; nothing may panic, what does not fit is counted.
#[test]
fn extremes_are_refused_not_fatal() {
    let mut desk = Desk::new();
    let (max, fine) = ("9223372036854775807", "9223.372036854775807");
    desk.trade(A, i64::MIN, "1", "1");
    desk.trade(A, 0, max, "1");
    desk.trade(A, 0, "1", max);
    desk.trade(A, 0, "1", max);
    desk.trade(A, 0, fine, "1");
    desk.trade(B, 0, fine, max);
    desk.trade(B, 0, fine, max);
    desk.trade(A, i64::MAX, "1", "1");
    desk.bars.end(7, &mut desk.out);
    assert!(desk.bars.late_count() >= 3, "{}", desk.bars.late_count());
    assert_eq!(desk.closed().len(), 3);
}
