//! Events as a client reads them: numbers stay the text that the server wrote.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One element of a message. Members that its kind does not have are absent; unknown ones are
/// ignored, as the protocol asks of clients.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    #[serde(rename = "T", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(rename = "S", borrow)]
    symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    pub t: Option<&'a RawValue>,
    pub sq: Option<u64>,
    #[serde(borrow)]
    pub bp: Option<&'a RawValue>,
    #[serde(borrow)]
    pub bs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub ap: Option<&'a RawValue>,
    #[serde(rename = "as", borrow)]
    pub ask_size: Option<&'a RawValue>,
    #[serde(borrow)]
    pub p: Option<&'a RawValue>,
    #[serde(borrow)]
    pub s: Option<&'a RawValue>,
    #[serde(borrow)]
    pub o: Option<&'a RawValue>,
    #[serde(borrow)]
    pub h: Option<&'a RawValue>,
    #[serde(borrow)]
    pub l: Option<&'a RawValue>,
    /// The close of a bar; conditions of a trade.
    #[serde(borrow)]
    pub c: Option<&'a RawValue>,
    #[serde(borrow)]
    pub v: Option<&'a RawValue>,
    #[serde(borrow)]
    pub ch: Option<Cow<'a, str>>,
    pub from: Option<u64>,
    pub to: Option<u64>,
    #[serde(borrow)]
    pub epoch: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub msg: Option<Cow<'a, str>>,
    pub code: Option<u64>,
    #[serde(borrow)]
    pub state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub feed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub age_ms: Option<&'a RawValue>,
    pub in_ms: Option<u64>,
    pub retry_ms: Option<u64>,
    #[serde(borrow)]
    limits: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Limits {
    since: Option<usize>,
}

impl<'a> Event<'a> {
    /// Text between the quotes; a symbol has no byte that JSON escapes.
    pub fn symbol(&self) -> &'a str {
        unquoted(self.symbol)
    }

    /// Symbols that a `since` may name, where the greeting says so.
    pub fn since_max(&self) -> Option<usize> {
        serde_json::from_str::<Limits>(self.limits?.get()).ok()?.since
    }

    /// Trades, quotes and bars: what a subscription is for.
    pub fn is_data(&self) -> bool {
        matches!(&*self.kind, "t" | "q" | "b")
    }

    /// Time of day of the event, to the microsecond, in UTC.
    pub fn time_of_day(&self) -> String {
        let text = unquoted(self.t);
        let parsed = match text.parse::<i64>() {
            Ok(ns) => jiff::Timestamp::from_nanosecond(i128::from(ns)),
            Err(_) => text.parse::<jiff::Timestamp>(),
        };
        parsed.map_or_else(|_| "-".to_string(), |time| time.strftime("%H:%M:%S.%6f").to_string())
    }
}

/// Elements of a message in order, each with its own text.
pub fn parse_message(text: &str) -> Result<Vec<(&str, Event<'_>)>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    let texts = elements.into_iter().map(RawValue::get);
    texts.map(|text| Ok((text, serde_json::from_str(text)?))).collect()
}

/// The value's text, `-` where there is none.
pub fn shown(value: Option<&RawValue>) -> &str {
    value.map_or("-", RawValue::get)
}

fn unquoted(value: Option<&RawValue>) -> &str {
    value.map_or("", |raw| raw.get().trim_matches('"'))
}

/// For terminals: what a stranger wrote must not move the cursor.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_servers_text() {
        let text = r#"[{"T":"q","S":"ES=F","bp":1.10,"as":3,"t":"2013-10-08T13:30:00.5Z","sq":9},
            {"T":"t","S":"A","p":1e2,"c":["@"],"t":1381239000500000999,"new":{}}]"#;
        let events = parse_message(text).expect("a good message");
        let (raw, quote) = &events[0];
        assert!(raw.starts_with(r#"{"T":"q""#) && raw.ends_with(r#""sq":9}"#));
        assert_eq!((quote.symbol(), shown(quote.bp), shown(quote.bs)), ("ES=F", "1.10", "-"));
        assert_eq!((shown(quote.ask_size), quote.sq), ("3", Some(9)));
        assert_eq!(quote.time_of_day(), "13:30:00.500000");
        assert_eq!(events[1].1.time_of_day(), "13:30:00.500000");
        assert_eq!(shown(events[1].1.p), "1e2");
    }

    #[test]
    fn the_greeting_says_its_limits() {
        let text = r#"[{"T":"success","msg":"connected","epoch":"x","limits":{"since":7,"a":1}}]"#;
        let greeting = &parse_message(text).expect("a good message")[0].1;
        assert_eq!((greeting.since_max(), greeting.epoch.as_deref()), (Some(7), Some("x")));
        assert!(parse_message("{}").is_err() && parse_message("[1]").is_err());
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a[2Jb");
    }
}
