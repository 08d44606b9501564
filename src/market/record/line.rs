//! A record out of its text line.

use super::{Record, RecordBody, RecordError};
use crate::market::{Channel, Decimal, Symbol};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

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
    /// Conditions of a trade, close of a bar.
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
    #[serde(borrow, rename = "sq")]
    seq: Option<&'a RawValue>,
    #[serde(borrow, rename = "o")]
    open: Option<&'a RawValue>,
    #[serde(borrow, rename = "h")]
    high: Option<&'a RawValue>,
    #[serde(borrow, rename = "l")]
    low: Option<&'a RawValue>,
    #[serde(borrow, rename = "v")]
    volume: Option<&'a RawValue>,
    #[serde(borrow, rename = "n")]
    trades: Option<&'a RawValue>,
    #[serde(borrow, rename = "vw")]
    vwap: Option<&'a RawValue>,
    #[serde(borrow, rename = "ch")]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
}

/// What a line is of.
enum Kind {
    Trade,
    Quote,
    Bar,
    Lost,
}

impl<'a> Record<'a> {
    /// Parses one line of a feed: a JSON object with the members that the protocol gives a trade,
    /// a quote, a bar or a gap. Other members are ignored. A gap without `from` begins at 1.
    pub fn parse(line: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let text = std::str::from_utf8(line).map_err(|_| RecordError::NotUtf8)?;
        // serde would take an array for a struct too, member by member.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(RecordError::Syntax(format!("it begins {}", shorten(text))));
        }
        let line: Line<'a> =
            serde_json::from_str(text).map_err(|e| RecordError::Syntax(e.to_string()))?;
        let kind = line.kind()?;
        let symbol = parse_symbol(line.symbol)?;
        if let Kind::Lost = kind {
            return Ok(Record { symbol, event_ns: 0, seq: None, body: line.lost()? });
        }
        let event_ns = parse_time(line.time)?;
        let body = match kind {
            Kind::Trade => line.trade()?,
            Kind::Quote => line.quote()?,
            Kind::Bar | Kind::Lost => line.bar()?,
        };
        // Whether a feed's numbers count is for others to say: one that is none is as if left out.
        let seq = line.seq.and_then(|raw| parse_whole("sq", raw, 1).ok());
        Ok(Record { symbol, event_ns, seq, body })
    }
}

impl<'a> Line<'a> {
    fn kind(&self) -> Result<Kind, RecordError> {
        let cure = "\"T\":\"t\" for a trade or \"T\":\"q\" for a quote";
        let kind = self.kind.ok_or(RecordError::Missing { member: "T", cure })?;
        match kind.get() {
            "\"t\"" => Ok(Kind::Trade),
            "\"q\"" => Ok(Kind::Quote),
            "\"b\"" => Ok(Kind::Bar),
            "\"gap\"" => Ok(Kind::Lost),
            other => Err(RecordError::Kind { value: shorten(other) }),
        }
    }

    fn trade(&self) -> Result<RecordBody<'a>, RecordError> {
        Ok(RecordBody::Trade {
            id: self.id.map(|raw| parse_whole("i", raw, 0)).transpose()?,
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

    fn bar(&self) -> Result<RecordBody<'a>, RecordError> {
        Ok(RecordBody::Bar {
            open: parse_number("o", self.open)?,
            high: parse_number("h", self.high)?,
            low: parse_number("l", self.low)?,
            close: parse_number("c", self.conditions)?,
            volume: parse_size("v", self.volume)?,
            trades: parse_required("n", self.trades, 0)?,
            vwap: parse_number("vw", self.vwap)?,
        })
    }

    fn lost(&self) -> Result<RecordBody<'a>, RecordError> {
        let cure = "the channel as a string";
        let raw = self.channel.ok_or(RecordError::Missing { member: "ch", cure })?;
        let channel = parse_text(raw).and_then(|name| Channel::from_name(&name));
        let channel = channel.ok_or_else(|| RecordError::Channel { value: shorten(raw.get()) })?;
        let from = self.from.map_or(Ok(1), |raw| parse_whole("from", raw, 1))?;
        let to = parse_required("to", self.to, 1)?;
        if from > to {
            return Err(RecordError::Range { from, to });
        }
        Ok(RecordBody::Lost { channel, from, to })
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

fn parse_whole(member: &'static str, raw: &RawValue, least: u64) -> Result<u64, RecordError> {
    let number = raw.get().parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| RecordError::Whole { member, value: shorten(raw.get()), least })
}

fn parse_required(
    member: &'static str,
    raw: Option<&RawValue>,
    least: u64,
) -> Result<u64, RecordError> {
    let raw = raw.ok_or(RecordError::Missing { member, cure: "it as an integer" })?;
    parse_whole(member, raw, least)
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
