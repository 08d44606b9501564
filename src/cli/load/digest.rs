//! A message reduced to what is checked and measured, so that it is parsed once however many
//! connections get it.

use super::symbols::SymbolTable;
use crate::market::Channel;
use std::borrow::Cow;

/// What one message says, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Digest {
    pub entries: Vec<Entry>,
    /// Event times of the items that are not of a snapshot, in µs since the Unix epoch, each with
    /// the number of neighbours that share it.
    pub times: Vec<(i64, u32)>,
    /// Trades, quotes and bars.
    pub item_count: u32,
}

/// Items are nearly everything, so they stay small and in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Item(Item),
    Rare(Box<Rare>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rare {
    Greeting,
    Gap {
        symbol: u32,
        channel: Channel,
        from: Option<u64>,
        to: Option<u64>,
    },
    Heartbeat {
        item_count: u64,
    },
    Epoch,
    Error {
        code: u64,
        message: String,
    },
    Shutdown,
    /// Acks, feed states, and what later versions add.
    Other,
    /// Not what the protocol says; the text says why.
    Malformed(String),
}

const _: () = assert!(size_of::<Entry>() == 24, "the checker walks entries; they stay compact");

/// A trade, quote or bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub symbol: u32,
    pub channel: Channel,
    pub is_snapshot: bool,
    pub sq: u64,
    /// µs since the Unix epoch.
    pub event_us: i64,
}

/// The members of one event that are checked or counted, in whatever encoding it came.
#[derive(Debug, Default)]
pub struct Line<'a> {
    pub kind: &'a str,
    pub symbol: Option<&'a str>,
    pub sq: Option<u64>,
    pub is_snapshot: bool,
    /// µs since the Unix epoch.
    pub event_us: Option<i64>,
    pub channel: Option<&'a str>,
    pub from: Option<u64>,
    pub to: Option<u64>,
    /// Of a heartbeat.
    pub item_count: Option<u64>,
    pub code: Option<u64>,
    pub message: Option<Cow<'a, str>>,
}

impl Digest {
    pub fn clear(&mut self) {
        self.entries.clear();
        self.times.clear();
        self.item_count = 0;
    }

    pub fn push(&mut self, line: &Line, symbols: &mut SymbolTable) {
        let channel = match line.kind {
            "t" => Channel::Trades,
            "q" => Channel::Quotes,
            "b" => Channel::Bars,
            _ => return self.push_rare(line, symbols),
        };
        let symbol = line.symbol.and_then(|name| symbols.intern(name));
        let (Some(symbol), Some(sq), Some(event_us)) = (symbol, line.sq, line.event_us) else {
            return self.malformed(format!("a {:?} event lacks one of S, sq and t", line.kind));
        };
        let is_snapshot = line.is_snapshot;
        self.push_item(Item { symbol, channel, is_snapshot, sq, event_us });
    }

    #[inline]
    pub fn push_item(&mut self, item: Item) {
        self.item_count += 1;
        self.entries.push(Entry::Item(item));
        if item.is_snapshot {
            return;
        }
        match self.times.last_mut() {
            Some((last, count)) if *last == item.event_us => *count += 1,
            _ => self.times.push((item.event_us, 1)),
        }
    }

    fn push_rare(&mut self, line: &Line, symbols: &mut SymbolTable) {
        let rare = match line.kind {
            "success" if line.message.as_deref() == Some("connected") => Rare::Greeting,
            "gap" => {
                let channel = line.channel.and_then(Channel::from_name);
                let symbol = line.symbol.and_then(|name| symbols.intern(name));
                let (Some(symbol), Some(channel)) = (symbol, channel) else {
                    return self.malformed("a gap lacks S or a known ch".to_string());
                };
                Rare::Gap { symbol, channel, from: line.from, to: line.to }
            }
            "hb" => match line.item_count {
                Some(item_count) => Rare::Heartbeat { item_count },
                None => return self.malformed("a heartbeat lacks n".to_string()),
            },
            "epoch" => Rare::Epoch,
            "shutdown" => Rare::Shutdown,
            "error" => {
                let message = line.message.as_deref().unwrap_or("").to_string();
                Rare::Error { code: line.code.unwrap_or(0), message }
            }
            _ => Rare::Other,
        };
        self.entries.push(Entry::Rare(Box::new(rare)));
    }

    pub fn malformed(&mut self, why: String) {
        self.entries.push(Entry::Rare(Box::new(Rare::Malformed(why))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::dialect::Form;

    fn digest(text: &str) -> Digest {
        let mut digest = Digest::default();
        Form::Array.parse(text.as_bytes(), &mut SymbolTable::default(), &mut digest);
        digest
    }

    #[test]
    fn items_are_reduced_to_what_is_checked() {
        let got = digest(
            r#"[{"T":"q","S":"AAPL","bp":1.5,"t":1700000000000001999,"sq":7,"sn":1},
                {"T":"t","S":"MSFT","c":["@","F"],"t":"2023-11-14T22:13:20.000001Z","sq":3},
                {"T":"t","S":"AAPL","t":1700000000000001000,"sq":1},
                {"T":"b","S":"AAPL","n":12,"t":1700000000000002000,"sq":2}]"#,
        );
        let start: i64 = 1_700_000_000_000_000;
        let item = |symbol, channel, is_snapshot, sq, event_us| {
            Entry::Item(Item { symbol, channel, is_snapshot, sq, event_us: start + event_us })
        };
        let expected = [
            item(0, Channel::Quotes, true, 7, 1),
            item(1, Channel::Trades, false, 3, 1),
            item(0, Channel::Trades, false, 1, 1),
            item(0, Channel::Bars, false, 2, 2),
        ];
        assert_eq!(got.entries, expected);
        assert_eq!(got.item_count, 4);
        assert_eq!(got.times, [(1_700_000_000_000_001, 2), (1_700_000_000_000_002, 1)]);
    }

    #[test]
    fn the_rest_is_kept_by_kind() {
        let got = digest(
            r#"[{"T":"success","msg":"connected","v":1,"limits":{"since":9}},
                {"T":"gap","S":"A","ch":"trades","to":9},{"T":"hb","t":1,"feed":"ok","n":5},
                {"T":"feed","state":"down","S":["A","B"]},{"T":"error","code":405,"msg":"a\nb"},
                {"T":"epoch","epoch":"x"},{"T":"shutdown","in_ms":1,"retry_ms":2}]"#,
        );
        let rare: Vec<Rare> = got
            .entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Rare(rare) => *rare,
                item => panic!("{item:?}"),
            })
            .collect();
        let expected = [
            Rare::Greeting,
            Rare::Gap { symbol: 0, channel: Channel::Trades, from: None, to: Some(9) },
            Rare::Heartbeat { item_count: 5 },
            Rare::Other,
            Rare::Error { code: 405, message: "a\nb".to_string() },
            Rare::Epoch,
            Rare::Shutdown,
        ];
        assert_eq!(rare, expected);
    }

    #[test]
    fn what_is_no_event_is_malformed() {
        for bad in [
            "{}",
            "[",
            "[1]",
            r#"[{"T":"q","S":"A","t":1}]"#,
            r#"[{"T":"t","sq":1,"t":1}]"#,
            r#"[{"T":"q","S":"A","sq":1,"t":"noon"}]"#,
            r#"[{"T":"gap","S":"A","ch":"news"}]"#,
            r#"[{"T":"hb"}]"#,
        ] {
            let entries = digest(bad).entries;
            let [Entry::Rare(rare)] = entries.as_slice() else { panic!("{bad}: {entries:?}") };
            assert!(matches!(**rare, Rare::Malformed(_)), "{bad}");
        }
    }
}
