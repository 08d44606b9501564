//! Items of frames. Everyone in step gets the same frames, so each is parsed once.

use serde::Deserialize;
use std::collections::HashMap;
use std::rc::Rc;

/// A trade (channel 0) or a quote (channel 1).
#[derive(Debug, Clone, Copy)]
pub struct Item {
    pub symbol: usize,
    pub channel: usize,
    pub seq: u64,
    pub event_ns: i64,
    pub is_snapshot: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    #[serde(rename = "S", borrow, default)]
    symbol: Option<&'a serde_json::value::RawValue>,
    sq: Option<u64>,
    t: Option<i64>,
    sn: Option<u8>,
}

/// Frames kept; a client that is late by more costs a parse.
const FRAMES_MAX: usize = 1024;

type Items = Rc<Vec<Result<Item, String>>>;

#[derive(Default)]
pub struct Memo {
    frames: HashMap<Vec<u8>, Items>,
    symbols: HashMap<String, usize>,
}

impl Memo {
    /// The market's items of a frame; an `Err` is an event that no healthy client should get.
    pub fn items(&mut self, payload: &[u8]) -> Items {
        if let Some(items) = self.frames.get(payload) {
            return items.clone();
        }
        let lines: Vec<Line> = serde_json::from_slice(payload)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(payload)));
        let items = lines.into_iter().filter_map(|line| self.item(&line)).collect();
        let items = Rc::new(items);
        if self.frames.len() >= FRAMES_MAX {
            self.frames.clear();
        }
        self.frames.insert(payload.to_vec(), Rc::clone(&items));
        items
    }

    fn item(&mut self, line: &Line<'_>) -> Option<Result<Item, String>> {
        let channel = match line.kind {
            "t" => 0,
            "q" => 1,
            "gap" | "error" | "shutdown" | "epoch" => {
                return Some(Err(format!("a {:?} event", line.kind)));
            }
            _ => return None,
        };
        let name = line.symbol.expect("trades and quotes have a symbol").get();
        let next = self.symbols.len();
        let symbol = *self.symbols.entry(name.to_string()).or_insert(next);
        let seq = line.sq.expect("and a sequence number");
        let event_ns = line.t.expect("and a time");
        Some(Ok(Item { symbol, channel, seq, event_ns, is_snapshot: line.sn.is_some() }))
    }
}
