//! One event as a feed says it: names as text, nothing numbered yet; and its text line.

use super::decimal::DecimalError;
use super::{Decimal, Symbol, SymbolError};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A trade or a quote of a feed, before the ingest thread numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    pub symbol: Symbol,
    /// ns since the Unix epoch.
    pub event_ns: i64,
    pub body: RecordBody<'a>,
}

/// Codes are empty where the feed has none. Sizes are not negative.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordBody<'a> {
    Trade {
        id: Option<u64>,
        price: Decimal,
        size: Decimal,
        exchange: Cow<'a, str>,
        tape: Cow<'a, str>,
        /// Conditions joined by commas.
        conditions: Cow<'a, str>,
    },
    Quote {
        /// Price and size.
        bid: (Decimal, Decimal),
        bid_exchange: Cow<'a, str>,
        ask: (Decimal, Decimal),
        ask_exchange: Cow<'a, str>,
    },
}

/// Why a line is not a record. `value` is what the member held, shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it is not UTF-8 text; write it as UTF-8")]
    NotUtf8,
    #[error("it is not a JSON object ({0}); write one object a line")]
    Syntax(String),
    #[error("member {member:?} is missing; give {cure}")]
    Missing { member: &'static str, cure: &'static str },
    #[error("member \"T\" is {value}; \"t\" (a trade) and \"q\" (a quote) are known")]
    Kind { value: String },
    #[error("member \"S\" is {value}: {why}")]
    Symbol { value: String, why: SymbolError },
    #[error("member {member:?} is {value}, not a string; put it in quotes or leave it out")]
    Text { member: &'static str, value: String },
    #[error("member {member:?} is {value}, which {why}; give a plain JSON number")]
    Number { member: &'static str, value: String, why: DecimalError },
    #[error("member {member:?} is {value}; a size is 0 or more")]
    Negative { member: &'static str, value: String },
    #[error("member \"i\" is {value}; a trade id is an integer from 0 to 2^64-1, or left out")]
    Id { value: String },
    #[error("member \"c\" is {value}; give an array of strings without commas, or leave it out")]
    Conditions { value: String },
    #[error(
        "member \"t\" is {value}; give a time as \"2013-10-08T13:46:21.414Z\", or as integer \
         nanoseconds since 1970, in the years 1678 to 2261"
    )]
    Time { value: String },
}

/// The members of a line as their own JSON text, so that each is judged by itself and no price
/// passes through a binary float. `null` counts as left out.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "T")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, rename = "S")]
    symbol: Option<&'a RawValue>,
    #[serde(borrow, rename = "t")]
    time: Option<&'a RawValue>,
    #[serde(borrow, rename = "i")]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "p")]
    price: Option<&'a RawValue>,
    #[serde(borrow, rename = "s")]
    size: Option<&'a RawValue>,
    #[serde(borrow, rename = "x")]
    exchange: Option<&'a RawValue>,
    #[serde(borrow, rename = "z")]
    tape: Option<&'a RawValue>,
    #[serde(borrow, rename = "c")]
    conditions: Option<&'a RawValue>,
    #[serde(borrow, rename = "bx")]
    bid_exchange: Option<&'a RawValue>,
    #[serde(borrow, rename = "bp")]
    bid_price: Option<&'a RawValue>,
    #[serde(borrow, rename = "bs")]
    bid_size: Option<&'a RawValue>,
    #[serde(borrow, rename = "ax")]
    ask_exchange: Option<&'a RawValue>,
    #[serde(borrow, rename = "ap")]
    ask_price: Option<&'a RawValue>,
    #[serde(borrow, rename = "as")]
    ask_size: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    /// Parses one line of a feed: a JSON object with the members that the protocol gives a trade
    /// or a quote. Other members are ignored.
    pub fn parse(line: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let text = std::str::from_utf8(line).map_err(|_| RecordError::NotUtf8)?;
        // serde would take an array for a struct too, member by member.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(RecordError::Syntax(format!("it begins {}", shorten(text))));
        }
        let line: Line<'a> =
            serde_json::from_str(text).map_err(|e| RecordError::Syntax(e.to_string()))?;
        let is_trade = line.is_trade()?;
        let (symbol, event_ns) = (parse_symbol(line.symbol)?, parse_time(line.time)?);
        let body = if is_trade { line.trade()? } else { line.quote()? };
        Ok(Record { symbol, event_ns, body })
    }

    /// Appends the record as a line, with its newline: the inverse of [`Record::parse`].
    pub fn write(&self, out: &mut Vec<u8>) {
        let kind = if matches!(self.body, RecordBody::Trade { .. }) { "t" } else { "q" };
        out.extend_from_slice(format!("{{\"T\":\"{kind}\",\"S\":\"{}\"", self.symbol).as_bytes());
        match &self.body {
            RecordBody::Trade { id, price, size, exchange, tape, conditions } => {
                if let Some(id) = id {
                    out.extend_from_slice(format!(",\"i\":{id}").as_bytes());
                }
                write_text(out, "x", exchange);
                write_number(out, "p", *price);
                write_number(out, "s", *size);
                if !conditions.is_empty() {
                    let list: Vec<&str> = conditions.split(',').collect();
                    write_json(out, "c", &list);
                }
                write_text(out, "z", tape);
            }
            RecordBody::Quote { bid, bid_exchange, ask, ask_exchange } => {
                write_text(out, "bx", bid_exchange);
                write_number(out, "bp", bid.0);
                write_number(out, "bs", bid.1);
                write_text(out, "ax", ask_exchange);
                write_number(out, "ap", ask.0);
                write_number(out, "as", ask.1);
            }
        }
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.event_ns))
            .expect("64-bit nanoseconds are the years 1677 to 2262, all of which jiff knows");
        out.extend_from_slice(format!(",\"t\":\"{time}\"}}\n").as_bytes());
    }
}

impl<'a> Line<'a> {
    fn is_trade(&self) -> Result<bool, RecordError> {
        let cure = "\"T\":\"t\" for a trade or \"T\":\"q\" for a quote";
        let kind = self.kind.ok_or(RecordError::Missing { member: "T", cure })?;
        match kind.get() {
            "\"t\"" => Ok(true),
            "\"q\"" => Ok(false),
            other => Err(RecordError::Kind { value: shorten(other) }),
        }
    }

    fn trade(&self) -> Result<RecordBody<'a>, RecordError> {
        Ok(RecordBody::Trade {
            id: self.id.map(parse_id).transpose()?,
            price: parse_number("p", self.price)?,
            size: parse_size("s", self.size)?,
            exchange: parse_code("x", self.exchange)?,
            tape: parse_code("z", self.tape)?,
            conditions: parse_conditions(self.conditions)?,
        })
    }

    fn quote(&self) -> Result<RecordBody<'a>, RecordError> {
        Ok(RecordBody::Quote {
            bid: (parse_number("bp", self.bid_price)?, parse_size("bs", self.bid_size)?),
            bid_exchange: parse_code("bx", self.bid_exchange)?,
            ask: (parse_number("ap", self.ask_price)?, parse_size("as", self.ask_size)?),
            ask_exchange: parse_code("ax", self.ask_exchange)?,
        })
    }
}

/// The string that `raw` is; `None` where it is something else.
fn parse_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        // Escapes that name half a surrogate pair are the one thing that still fails here.
        return serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn parse_symbol(raw: Option<&RawValue>) -> Result<Symbol, RecordError> {
    let cure = "the symbol as a string";
    let raw = raw.ok_or(RecordError::Missing { member: "S", cure })?;
    let text = parse_text(raw)
        .ok_or_else(|| RecordError::Text { member: "S", value: shorten(raw.get()) })?;
    Symbol::parse(&text).map_err(|why| RecordError::Symbol { value: shorten(raw.get()), why })
}

fn parse_time(raw: Option<&RawValue>) -> Result<i64, RecordError> {
    let cure = "the event's time";
    let raw = raw.ok_or(RecordError::Missing { member: "t", cure })?;
    let wrong = || RecordError::Time { value: shorten(raw.get()) };
    let Some(text) = parse_text(raw) else {
        return raw.get().parse().map_err(|_| wrong());
    };
    // jiff takes more than RFC 3339: a zone in brackets may follow there, here it may not.
    if text.ends_with(']') {
        return Err(wrong());
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

fn parse_number(member: &'static str, raw: Option<&RawValue>) -> Result<Decimal, RecordError> {
    let cure = "it as a JSON number";
    let raw = raw.ok_or(RecordError::Missing { member, cure })?;
    Decimal::parse(raw.get()).map_err(|why| RecordError::Number {
        member,
        value: shorten(raw.get()),
        why,
    })
}

fn parse_size(member: &'static str, raw: Option<&RawValue>) -> Result<Decimal, RecordError> {
    let size = parse_number(member, raw)?;
    if size.units < 0 {
        let value = shorten(raw.map_or("", RawValue::get));
        return Err(RecordError::Negative { member, value });
    }
    Ok(size)
}

fn parse_id(raw: &RawValue) -> Result<u64, RecordError> {
    raw.get().parse().map_err(|_| RecordError::Id { value: shorten(raw.get()) })
}

fn parse_code<'a>(
    member: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Cow<'a, str>, RecordError> {
    let Some(raw) = raw else { return Ok(Cow::Borrowed("")) };
    parse_text(raw).ok_or_else(|| RecordError::Text { member, value: shorten(raw.get()) })
}

fn parse_conditions(raw: Option<&RawValue>) -> Result<Cow<'_, str>, RecordError> {
    let Some(raw) = raw else { return Ok(Cow::Borrowed("")) };
    let wrong = || RecordError::Conditions { value: shorten(raw.get()) };
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let mut joined = Cow::Borrowed("");
    for (at, condition) in list.into_iter().enumerate() {
        let text = parse_text(condition).filter(|t| !t.contains(',')).ok_or_else(wrong)?;
        if at == 0 {
            joined = text;
        } else {
            let joined = joined.to_mut();
            joined.push(',');
            joined.push_str(&text);
        }
    }
    Ok(joined)
}

/// What an error shows of a value: its beginning, harmless on a terminal.
fn shorten(value: &str) -> String {
    const CHARS_MAX: usize = 40;
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = value.chars().take(CHARS_MAX).map(shown).collect();
    if value.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, member: &str, value: &T) {
    out.extend_from_slice(format!(",\"{member}\":").as_bytes());
    serde_json::to_writer(out, value).expect("strings always serialize, and a Vec takes them");
}

fn write_text(out: &mut Vec<u8>, member: &str, text: &str) {
    if !text.is_empty() {
        write_json(out, member, text);
    }
}

fn write_number(out: &mut Vec<u8>, member: &str, number: Decimal) {
    out.extend_from_slice(format!(",\"{member}\":").as_bytes());
    number.write(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Record<'_>, RecordError> {
        Record::parse(line.as_bytes())
    }

    /// Method: lines as a feed writes them, parsed, written, and parsed again.
    #[test]
    fn lines_become_records_and_lines_again() {
        let trade = concat!(
            r#"{"T":"t","S":"SPY","i":27724,"x":"P","p":167.50,"s":360,"c":["@","I"],"#,
            r#""t":"2013-10-08T13:46:21.414Z","new":{"a":[1]}}"#
        );
        let record = parse(trade).expect("a trade");
        assert_eq!(record.event_ns, 1_381_239_981_414_000_000);
        let RecordBody::Trade { id, price, exchange, tape, conditions, .. } = &record.body else {
            panic!("{record:?}")
        };
        assert_eq!((*id, *price), (Some(27_724), Decimal::new(16_750, 2)));
        assert_eq!((&**exchange, &**tape, &**conditions), ("P", "", "@,I"));
        let mut line = Vec::new();
        record.write(&mut line);
        let written = r#"{"T":"t","S":"SPY","i":27724,"x":"P","p":167.5,"s":360,"c":["@","I"],"#;
        assert!(line.starts_with(written.as_bytes()), "{}", String::from_utf8_lossy(&line));
        let again = Record::parse(&line).expect("what is written is a line");
        assert_eq!((again.event_ns, again.symbol), (record.event_ns, record.symbol));

        let quote = concat!(
            r#"{"T":"q","S":"BAC","bx":"\u0051","bp":-13.81,"bs":24200.5,"ap":13.82,"as":0,"#,
            r#""t":1381239981414000001,"ax":null}"#
        );
        let record = parse(quote).expect("a quote");
        let RecordBody::Quote { bid, bid_exchange, ask, ask_exchange } = &record.body else {
            panic!("{record:?}")
        };
        assert_eq!(*bid, (Decimal::new(-1381, 2), Decimal::new(242_005, 1)));
        assert_eq!(*ask, (Decimal::new(1382, 2), Decimal::new(0, 0)));
        assert_eq!((&**bid_exchange, &**ask_exchange), ("Q", ""));
        let mut line = Vec::new();
        record.write(&mut line);
        assert_eq!(Record::parse(&line), Ok(record));
    }

    #[test]
    fn times_have_any_offset() {
        for (text, ns) in [
            (r#""1970-01-01T01:00:00.000000001+01:00""#, 1),
            (r#""1969-12-31T23:59:59Z""#, -1_000_000_000),
            ("-5", -5),
        ] {
            let line = format!(r#"{{"T":"t","S":"A","p":1,"s":1,"t":{text}}}"#);
            assert_eq!(parse(&line).map(|r| r.event_ns), Ok(ns), "{text}");
        }
    }

    /// Method: one wrong member at a time; the message must name the member and the value.
    #[test]
    fn errors_name_member_and_value() {
        let time = r#""t":"2013-10-08T13:46:21Z""#;
        for (bad, words) in [
            ("nonsense".to_string(), vec!["JSON object"]),
            ("[]".to_string(), vec!["JSON object", "[]"]),
            (r#"["t","A",0,1,1,1,"","",[],"",1,1,"",1,1]"#.to_string(), vec!["JSON object"]),
            (format!("\"{}\"", "w".repeat(60_000)), vec!["JSON object", "www"]),
            (r#"{"T":"t""#.to_string(), vec!["JSON object"]),
            (format!(r#"{{"S":"A",{time}}}"#), vec!["\"T\"", "missing"]),
            (format!(r#"{{"T":"b","S":"A",{time}}}"#), vec!["\"T\"", "\"b\""]),
            (format!(r#"{{"T":"t","p":1,"s":1,{time}}}"#), vec!["\"S\"", "missing"]),
            (format!(r#"{{"T":"t","S":7,"p":1,"s":1,{time}}}"#), vec!["\"S\"", "7", "string"]),
            (format!(r#"{{"T":"t","S":"A B","p":1,"s":1,{time}}}"#), vec!["\"S\"", "A B", "0x20"]),
            (format!(r#"{{"T":"t","S":"A","s":1,{time}}}"#), vec!["\"p\"", "missing"]),
            (format!(r#"{{"T":"t","S":"A","p":"1","s":1,{time}}}"#), vec!["\"p\"", "decimal"]),
            (format!(r#"{{"T":"t","S":"A","p":1e-99,"s":1,{time}}}"#), vec!["\"p\"", "1e-99"]),
            (format!(r#"{{"T":"t","S":"A","p":1,"s":-3,{time}}}"#), vec!["\"s\"", "-3", "0 or"]),
            (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"i":-1,{time}}}"#), vec!["\"i\"", "-1"]),
            (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"c":["a,b"],{time}}}"#), vec!["\"c\""]),
            (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"x":{{}},{time}}}"#), vec!["\"x\""]),
            (r#"{"T":"t","S":"A","p":1,"s":1}"#.to_string(), vec!["\"t\"", "missing"]),
            (r#"{"T":"t","S":"A","p":1,"s":1,"t":"noon"}"#.to_string(), vec!["\"t\"", "noon"]),
            (r#"{"T":"t","S":"A","p":1,"s":1,"t":1.5}"#.to_string(), vec!["\"t\"", "1.5"]),
            (format!(r#"{{"T":"q","S":"A","bp":1,"bs":1,"ap":2,{time}}}"#), vec!["\"as\""]),
        ] {
            let error = parse(&bad).expect_err(&bad).to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{bad} gave: {error}");
            assert!(error.len() < 250, "{error}");
        }
        assert_eq!(Record::parse(b"{\"T\":\"\xff\"}"), Err(RecordError::NotUtf8));
        let long = format!(r#"{{"T":"{}\u001b"}}"#, "x".repeat(1000));
        assert!(parse(&long).expect_err("no kind").to_string().len() < 150);
    }
}
