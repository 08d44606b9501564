//! What a client says after the upgrade: one object a message, in JSON or MessagePack.
//!
//! Both encodings are read into the same private form (`message`), which knows types and member
//! names; this file knows what the members mean together.

mod message;

use self::message::Message;
use super::frame::cut;
use super::interest::clamp_heartbeat_ms;
pub use super::interest::{Item, Rate, Subject};
use super::{Encoding, Fault, TimeStyle};
use crate::limits::{
    HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, QUOTE_BYTES_MAX, SESSION_SYMBOLS_MAX, SINCE_SYMBOLS_MAX,
};
use crate::market::{Channel, Symbol};

/// The client's `id`, given back as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MessageId {
    Number(i64),
    /// At most [`crate::limits::MESSAGE_ID_BYTES_MAX`] bytes.
    Text(String),
}

/// What the client had last of a symbol, before it reconnected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    pub symbol: Symbol,
    /// By `Channel as usize`.
    pub seqs: [Option<u64>; 3],
}

/// Members of a subscribe or an unsubscribe. Options left out stay as they are.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Change {
    /// At most [`SESSION_SYMBOLS_MAX`]; the same item may stand more than once.
    pub items: Vec<Item>,
    pub id: Option<MessageId>,
    pub max_hz: Option<Rate>,
    /// 0 is off; all else is within the limits.
    pub heartbeat_ms: Option<u32>,
    pub times: Option<TimeStyle>,
    pub epoch: Option<String>,
    pub since: Vec<Since>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Key and secret are not kept: where no authentication is configured any key is right.
    Auth,
    Subscribe(Change),
    Unsubscribe(Change),
    List {
        id: Option<MessageId>,
    },
    Ping {
        id: Option<MessageId>,
    },
    /// For staging and tests; to be refused as unknown where fault injection is off.
    Fault(Fault),
}

/// An `error` event for one message; the connection stays.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code} {message}")]
pub struct CommandError {
    /// Alpaca's numbers: 400 invalid syntax, 405 symbol limit exceeded, 410 invalid subscribe
    /// action.
    pub code: u16,
    /// Names the input and the cure. Short, whatever the input.
    pub message: String,
    pub id: Option<MessageId>,
}

/// Reads one message. What memory it takes is bounded by the length of `bytes`, whatever lengths
/// they claim.
pub fn parse(encoding: Encoding, bytes: &[u8]) -> Result<Command, CommandError> {
    let message = message::read(encoding, bytes)?;
    let id = message.id.clone();
    let result = match message.action.as_deref() {
        Some("auth") => Ok(Command::Auth),
        Some("subscribe") => change("subscribe", message).map(Command::Subscribe),
        Some("unsubscribe") => change("unsubscribe", message).map(Command::Unsubscribe),
        Some("list") => Ok(Command::List { id: message.id }),
        Some("ping") => Ok(Command::Ping { id: message.id }),
        Some("fault") => match message::fault(encoding, bytes) {
            Some(fault) => Ok(Command::Fault(fault)),
            None => Err(unknown_action(Some("fault"))),
        },
        other => Err(unknown_action(other)),
    };
    result.map_err(|(code, text)| CommandError { code, message: text, id })
}

/// What a fault is answered with where faults are not for clients to ask for.
pub fn no_fault() -> CommandError {
    let (code, message) = unknown_action(Some("fault"));
    CommandError { code, message, id: None }
}

/// Code and message of an error.
type Refused = (u16, String);

fn unknown_action(action: Option<&str>) -> Refused {
    let cure = "send \"auth\", \"subscribe\", \"unsubscribe\", \"list\" or \"ping\"";
    let text = match action {
        None => format!("the message has no \"action\"; {cure}"),
        Some(name) => format!("unknown action {:?}; {cure}", cut(name, QUOTE_BYTES_MAX / 2)),
    };
    (400, text)
}

fn change(action: &str, message: Message) -> Result<Change, Refused> {
    let sets_option =
        message.max_hz.is_some() || message.heartbeat_ms.is_some() || message.ts.is_some();
    let items = items([message.trades, message.quotes, message.bars])?;
    if items.is_empty() && !sets_option {
        let text = format!(
            "{action} names nothing; give \"trades\", \"quotes\" or \"bars\" a list of symbols"
        );
        return Err((410, text));
    }
    Ok(Change {
        items,
        id: message.id,
        max_hz: message.max_hz.map(rate).transpose()?,
        heartbeat_ms: message.heartbeat_ms.map(heartbeat_ms).transpose()?,
        times: message.ts.as_deref().map(time_style).transpose()?,
        epoch: message.epoch,
        since: since(message.since)?,
    })
}

/// `lists` by `Channel as usize`.
fn items(lists: [Option<message::Names>; 3]) -> Result<Vec<Item>, Refused> {
    let mut items = Vec::new();
    for (channel, list) in Channel::ALL.into_iter().zip(lists) {
        let Some(list) = list else { continue };
        if let Some(problem) = list.problem {
            let text = format!("{}: {problem}; correct or leave out that symbol", channel.name());
            return Err((410, text));
        }
        items.extend(list.subjects.into_iter().map(|subject| Item { channel, subject }));
        if items.len() > SESSION_SYMBOLS_MAX {
            return Err((
                405,
                format!(
                    "more than {SESSION_SYMBOLS_MAX} symbols; name fewer, use \"*\", or open a \
                     second connection"
                ),
            ));
        }
    }
    Ok(items)
}

fn since(entries: Option<message::SinceEntries>) -> Result<Vec<Since>, Refused> {
    let Some(entries) = entries else { return Ok(Vec::new()) };
    if let Some(problem) = entries.problem {
        return Err((410, format!("since: {problem}; correct or leave out that symbol")));
    }
    if entries.entries.len() > SINCE_SYMBOLS_MAX {
        let text = format!(
            "since names more than {SINCE_SYMBOLS_MAX} symbols; leave some out, they get a snapshot"
        );
        return Err((405, text));
    }
    Ok(entries.entries)
}

fn rate(hz: f64) -> Result<Rate, Refused> {
    let text = || format!("max_hz {hz} is not a rate; give 0 (off) or updates a second, as 4");
    Rate::from_hz(hz).ok_or_else(|| (400, text()))
}

fn heartbeat_ms(ms: f64) -> Result<u32, Refused> {
    let text = || {
        format!(
            "heartbeat_ms {ms} is not a time; give 0 (off) or {HEARTBEAT_MS_MIN} to \
             {HEARTBEAT_MS_MAX}"
        )
    };
    clamp_heartbeat_ms(ms).ok_or_else(|| (400, text()))
}

fn time_style(name: &str) -> Result<TimeStyle, Refused> {
    let text =
        || format!("unknown ts {:?}; give \"rfc3339\" or \"ns\"", cut(name, QUOTE_BYTES_MAX / 2));
    TimeStyle::from_name(name).ok_or_else(|| (400, text()))
}

#[cfg(test)]
mod tests;
