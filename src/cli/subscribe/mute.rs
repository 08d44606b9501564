//! Symbols of which nothing comes: most often mistyped, or not the feed's.

use crate::wire::client::Event;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The snapshot of what the feed has comes at once, so who has waited so long is told. A quiet
/// symbol may well come later.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many are named.
const NAMED_MAX: usize = 5;

/// Who was asked for and has not been heard of.
#[derive(Debug)]
pub struct Mute {
    symbols: BTreeSet<String>,
    /// Since the first connection has subscribed.
    since: Option<Instant>,
    is_told: bool,
}

impl Mute {
    /// `*` stands for any.
    pub fn new(symbols: &[String]) -> Mute {
        Mute { symbols: symbols.iter().cloned().collect(), since: None, is_told: false }
    }

    pub fn subscribed(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub fn note(&mut self, event: &Event) {
        if event.is_data() && !self.is_told {
            self.symbols.remove(event.symbol());
            self.symbols.remove("*");
        }
    }

    /// What is to be said, once.
    pub fn notice(&mut self, now: Instant) -> Option<String> {
        let is_due = self.since.is_some_and(|since| now.duration_since(since) >= PATIENCE);
        if !is_due || std::mem::replace(&mut self.is_told, true) || self.symbols.is_empty() {
            return None;
        }
        let named: Vec<&str> = self.symbols.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = match self.symbols.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let rest = match self.symbols.len() {
            1 => "it is accepted, and comes when the feed has it; is the name right?",
            _ => "they are accepted, and come when the feed has them; are the names right?",
        };
        Some(format!("no data yet for {}{more}: {rest}", named.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::parse_message;

    fn mute(symbols: &[&str], heard: &str) -> (Option<String>, Option<String>) {
        let symbols: Vec<String> = symbols.iter().map(|symbol| symbol.to_string()).collect();
        let (mut mute, began) = (Mute::new(&symbols), Instant::now());
        assert_eq!(mute.notice(began + PATIENCE), None, "not subscribed yet");
        mute.subscribed(began);
        mute.subscribed(began + PATIENCE);
        for (_, event) in &parse_message(heard).expect("a good message") {
            mute.note(event);
        }
        assert_eq!(mute.notice(began + PATIENCE / 2), None, "too early");
        (mute.notice(began + PATIENCE), mute.notice(began + PATIENCE * 2))
    }

    #[test]
    fn symbols_of_which_nothing_comes_are_named_once() {
        let quote = r#"[{"T":"q","S":"AAPL","bp":1,"bs":1,"ap":2,"as":1,"t":0,"sq":1}]"#;
        let told = |text: &str| (Some(text.to_string()), None);
        assert_eq!(
            mute(&["AAPL", "APPL"], quote),
            told(
                "no data yet for APPL: it is accepted, and comes when the feed has it; is the \
                 name right?"
            )
        );
        assert_eq!(
            mute(&["A", "B", "C", "D", "E", "F", "G"], quote),
            told(
                "no data yet for A, B, C, D, E and 2 more: they are accepted, and come when the \
                 feed has them; are the names right?"
            )
        );
        assert_eq!(mute(&["AAPL"], quote), (None, None));
        assert_eq!(mute(&["*"], quote), (None, None));
        let heartbeat = r#"[{"T":"hb","t":0,"feed":"ok","age_ms":1,"n":0}]"#;
        assert!(
            mute(&["*"], heartbeat).0.is_some_and(|text| text.starts_with("no data yet for *:"))
        );
    }
}
