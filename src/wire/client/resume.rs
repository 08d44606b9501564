//! What this client has, so that after a reconnect it gets what it lacks.

use super::Event;
use crate::limits::{SESSION_SYMBOLS_MAX, SINCE_SYMBOLS_MAX, SYMBOLS_MAX};
use crate::market::{Channel, ChannelSet};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

/// Last sequence numbers by symbol and channel, and the epoch that they count in.
#[derive(Debug, Default)]
pub struct Positions {
    epoch: Option<String>,
    symbols: FxHashMap<String, Position>,
    /// Grows with every event: what came last is named first where a `since` is full.
    event_count: u64,
}

#[derive(Debug, Default)]
struct Position {
    /// By `Channel as usize`; 0: none.
    last: [u64; 3],
    touched: u64,
}

/// What is asked for on every connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub symbols: Vec<String>,
    pub channels: ChannelSet,
    pub max_hz: Option<f64>,
    pub heartbeat_ms: Option<u64>,
    /// Times as integer nanoseconds.
    pub ns_times: bool,
    /// Of a symbol that was followed without a trade, trades from the first on are missed. It may
    /// give some that are older than the first connection, and loses none.
    pub misses_first_trades: bool,
}

impl Positions {
    /// Takes what an event says about the stream's position. False: it came before, from another
    /// server of the same publisher that was ahead of this one.
    pub fn note(&mut self, event: &Event) -> bool {
        match &*event.kind {
            "t" => self.advance(event.symbol(), Channel::Trades, event.sq),
            "q" => self.advance(event.symbol(), Channel::Quotes, event.sq),
            "b" => self.advance(event.symbol(), Channel::Bars, event.sq),
            // What a gap names will never come, so there is no use in asking for it again.
            "gap" => {
                if let Some(channel) = event.ch.as_deref().and_then(Channel::from_name) {
                    self.advance(event.symbol(), channel, event.to);
                }
                true
            }
            "epoch" => {
                self.restart(event.epoch.as_deref());
                true
            }
            _ => true,
        }
    }

    /// Sequence numbers start again.
    pub fn restart(&mut self, epoch: Option<&str>) {
        self.epoch = epoch.map(str::to_string);
        self.symbols.clear();
    }

    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    fn advance(&mut self, symbol: &str, channel: Channel, sq: Option<u64>) -> bool {
        let Some(sq) = sq else { return true };
        self.event_count += 1;
        if !self.symbols.contains_key(symbol) {
            if self.symbols.len() == SYMBOLS_MAX {
                return true;
            }
            self.symbols.insert(symbol.to_string(), Position::default());
        }
        let position = self.symbols.get_mut(symbol).expect("it was inserted if it was missing");
        let last = &mut position.last[channel as usize];
        let is_news = sq > *last;
        *last = sq.max(*last);
        position.touched = self.event_count;
        is_news
    }

    /// The subscribe command. `since_max` is the server's limit, where it told one; the symbols
    /// that changed last are named, the others come with a full snapshot.
    pub fn command(&self, wish: &Wish, since_max: Option<usize>) -> String {
        let since_max = since_max.unwrap_or(SINCE_SYMBOLS_MAX).min(SINCE_SYMBOLS_MAX);
        let latest = self.latest();
        self.subscribe(&wish.symbols, wish, &latest[..latest.len().min(since_max)])
    }

    /// The same for who wants every symbol's rest: where one `since` cannot name all of them, they
    /// are asked for by name first, a command for as many as it can. What is named already is not
    /// added again by the last command, which asks for the wish itself.
    pub fn commands(&self, wish: &Wish, since_max: Option<usize>) -> Vec<String> {
        let since_max = since_max.unwrap_or(SINCE_SYMBOLS_MAX).clamp(1, SINCE_SYMBOLS_MAX);
        let mut latest = self.latest();
        if latest.len() <= since_max {
            return vec![self.command(wish, Some(since_max))];
        }
        latest.truncate(SESSION_SYMBOLS_MAX);
        let by_name = latest.chunks(since_max).map(|part| {
            let names: Vec<String> = part.iter().map(|(name, _)| name.to_string()).collect();
            self.subscribe(&names, wish, part)
        });
        by_name.chain([self.subscribe(&wish.symbols, wish, &[])]).collect()
    }

    /// Last number of a channel of a symbol; `None` before the first.
    pub fn last(&self, symbol: &str, channel: Channel) -> Option<u64> {
        let position = self.symbols.get(symbol)?;
        Some(position.last[channel as usize]).filter(|last| *last > 0)
    }

    fn subscribe(&self, symbols: &[String], wish: &Wish, since: &[(&str, &Position)]) -> String {
        let mut command = Map::new();
        command.insert("action".to_string(), json!("subscribe"));
        for channel in wish.channels.iter() {
            command.insert(channel.name().to_string(), json!(symbols));
        }
        if let Some(max_hz) = wish.max_hz {
            command.insert("max_hz".to_string(), json!(max_hz));
        }
        if let Some(heartbeat_ms) = wish.heartbeat_ms {
            command.insert("heartbeat_ms".to_string(), json!(heartbeat_ms));
        }
        if wish.ns_times {
            command.insert("ts".to_string(), json!("ns"));
        }
        let since = since_of(since, wish);
        if let Some(epoch) = self.epoch.as_ref().filter(|_| !since.is_empty()) {
            command.insert("epoch".to_string(), json!(epoch));
            command.insert("since".to_string(), Value::Object(since));
        }
        Value::Object(command).to_string()
    }

    /// Every symbol, those that changed last first.
    fn latest(&self) -> Vec<(&str, &Position)> {
        let symbols = self.symbols.iter();
        let mut latest: Vec<_> =
            symbols.map(|(name, position)| (name.as_str(), position)).collect();
        latest.sort_unstable_by_key(|(_, position)| std::cmp::Reverse(position.touched));
        latest
    }
}

fn since_of(symbols: &[(&str, &Position)], wish: &Wish) -> Map<String, Value> {
    let is_asked = |channel: Channel, last: u64| {
        let from_the_first = channel == Channel::Trades && wish.misses_first_trades;
        wish.channels.has(channel) && (last > 0 || from_the_first)
    };
    let channels = |position: &Position| -> Map<String, Value> {
        let last = Channel::ALL.into_iter().map(|c| (c, position.last[c as usize]));
        let asked = last.filter(|(channel, last)| is_asked(*channel, *last));
        asked.map(|(channel, last)| (channel.name().to_string(), json!(last))).collect()
    };
    let named = symbols.iter().map(|(name, p)| (name.to_string(), channels(p).into()));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse_message;
    use super::*;

    fn wish() -> Wish {
        Wish {
            symbols: vec!["A".to_string(), "*".to_string()],
            channels: ChannelSet::of(Channel::Trades).with(ChannelSet::of(Channel::Quotes)),
            max_hz: Some(0.5),
            heartbeat_ms: Some(1000),
            ns_times: false,
            misses_first_trades: false,
        }
    }

    fn noted(text: &str) -> Positions {
        let mut positions = Positions::default();
        positions.restart(Some("e1"));
        for (_, event) in parse_message(text).expect("a good message") {
            positions.note(&event);
        }
        positions
    }

    fn command(positions: &Positions, wish: &Wish, since_max: Option<usize>) -> Value {
        serde_json::from_str(&positions.command(wish, since_max)).expect("JSON was written")
    }

    #[test]
    fn the_first_command_asks_without_since() {
        assert_eq!(
            command(&noted("[]"), &wish(), None),
            json!({"action": "subscribe", "trades": ["A", "*"], "quotes": ["A", "*"],
                "max_hz": 0.5, "heartbeat_ms": 1000})
        );
    }

    #[test]
    fn what_came_before_is_told_from_news() {
        let mut positions = noted(r#"[{"T":"t","S":"A","sq":7},{"T":"q","S":"A","sq":3}]"#);
        let text = r#"[{"T":"t","S":"A","sq":7},{"T":"t","S":"A","sq":8},{"T":"q","S":"A","sq":2},
            {"T":"epoch","epoch":"e2"},{"T":"t","S":"A","sq":1}]"#;
        let events = parse_message(text).expect("a good message");
        let news: Vec<bool> = events.iter().map(|(_, event)| positions.note(event)).collect();
        assert_eq!(news, [false, true, false, true, true]);
    }

    #[test]
    fn since_says_the_last_of_each_channel() {
        let positions = noted(
            r#"[{"T":"t","S":"A","sq":7},{"T":"q","S":"A","sq":3},{"T":"t","S":"B","sq":1},
                {"T":"gap","S":"B","ch":"trades","to":9},{"T":"q","S":"C","sq":2}]"#,
        );
        let full = command(&positions, &wish(), None);
        assert_eq!(full["epoch"], "e1");
        assert_eq!(
            full["since"],
            json!({"A": {"trades": 7, "quotes": 3}, "B": {"trades": 9}, "C": {"quotes": 2}})
        );
        let short = command(&positions, &wish(), Some(2));
        assert_eq!(short["since"], json!({"B": {"trades": 9}, "C": {"quotes": 2}}));
        assert_eq!(command(&positions, &wish(), Some(0)).get("epoch"), None);
    }

    #[test]
    fn more_symbols_than_one_since_may_name_are_named_in_parts() {
        let positions = noted(
            r#"[{"T":"t","S":"A","sq":7},{"T":"q","S":"B","sq":3},{"T":"b","S":"B","sq":9},
                {"T":"t","S":"C","sq":1}]"#,
        );
        let wish = Wish { misses_first_trades: true, ns_times: true, ..wish() };
        let commands = positions.commands(&wish, Some(2));
        let commands: Vec<Value> =
            commands.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        assert_eq!(commands[0]["trades"], json!(["C", "B"]));
        let missed = json!({"C": {"trades": 1}, "B": {"trades": 0, "quotes": 3}});
        assert_eq!((&commands[0]["since"], &commands[0]["epoch"]), (&missed, &json!("e1")));
        assert_eq!(commands[1]["since"], json!({"A": {"trades": 7}}));
        assert_eq!(
            (&commands[2]["quotes"], &commands[2]["ts"]),
            (&json!(["A", "*"]), &json!("ns"))
        );
        assert_eq!((commands.len(), commands[2].get("since")), (3, None));
        assert_eq!(positions.commands(&wish, Some(3)).len(), 1);
        assert_eq!(positions.last("B", Channel::Trades), None);
    }

    #[test]
    fn a_new_epoch_forgets() {
        let positions = noted(
            r#"[{"T":"t","S":"A","sq":7},{"T":"epoch","epoch":"e2"},{"T":"t","S":"A","sq":1}]"#,
        );
        let command = command(&positions, &wish(), None);
        assert_eq!(
            (&command["epoch"], &command["since"]),
            (&json!("e2"), &json!({"A":{"trades":1}}))
        );
    }
}
