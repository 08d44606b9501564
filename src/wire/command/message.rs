//! A client's message by its types: the form that both encodings are read into.
//!
//! Lists are read item by item into what is kept, so that nothing is allocated for a length that
//! is only claimed, and a bad symbol leaves the rest readable (the answer needs the `id`).

use super::{CommandError, MessageId, Since};
use crate::limits::{
    COMMAND_DEPTH_MAX, MESSAGE_ID_BYTES_MAX, QUOTE_BYTES_MAX, SESSION_SYMBOLS_MAX,
    SINCE_SYMBOLS_MAX,
};
use crate::market::{Channel, Symbol, SymbolError};
use crate::wire::frame::cut;
use crate::wire::{Encoding, Fault, Subject};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Unknown members are ignored: they may be another dialect's.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Message {
    pub action: Option<String>,
    pub id: Option<MessageId>,
    pub trades: Option<Names>,
    pub quotes: Option<Names>,
    pub bars: Option<Names>,
    pub max_hz: Option<f64>,
    pub heartbeat_ms: Option<f64>,
    pub ts: Option<String>,
    pub epoch: Option<String>,
    pub since: Option<SinceEntries>,
}

/// The one member that the answer to an unreadable message can still give back.
#[derive(serde::Deserialize)]
struct IdAlone {
    id: Option<MessageId>,
}

/// One list of symbols. Beyond the limit only one more is kept: enough to tell.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub subjects: Vec<Subject>,
    /// The first one that is none.
    pub problem: Option<SymbolError>,
}

/// As [`Names`], for `since`.
#[derive(Debug, Default)]
pub(super) struct SinceEntries {
    pub entries: Vec<Since>,
    pub problem: Option<SymbolError>,
}

/// `since` of one symbol: channel name to sequence number.
struct Seqs([Option<u64>; 3]);

pub(super) fn read(encoding: Encoding, bytes: &[u8]) -> Result<Message, CommandError> {
    if !is_object(encoding, bytes) {
        return Err(syntax("it is not an object".into(), None));
    }
    decode(encoding, bytes).map_err(|text| {
        let id = decode::<IdAlone>(encoding, bytes).ok().and_then(|message| message.id);
        syntax(text, id)
    })
}

/// The members of a fault. Apart from the others, so that no word is taken from a dialect.
pub(super) fn fault(encoding: Encoding, bytes: &[u8]) -> Option<Fault> {
    #[derive(serde::Deserialize)]
    struct Members {
        at: String,
        ms: Option<u64>,
    }
    let Members { at, ms } = decode(encoding, bytes).ok()?;
    Fault::from_name(&at, ms)
}

/// serde would take an array for a struct too, member by member.
fn is_object(encoding: Encoding, bytes: &[u8]) -> bool {
    match encoding {
        Encoding::Json => bytes.trim_ascii_start().first() == Some(&b'{'),
        // Fixmap, map 16, map 32.
        Encoding::MessagePack => matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)),
    }
}

fn decode<'de, T: Deserialize<'de>>(encoding: Encoding, bytes: &'de [u8]) -> Result<T, String> {
    match encoding {
        Encoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        Encoding::MessagePack => {
            let mut decoder = rmp_serde::Deserializer::new(bytes);
            decoder.set_max_depth(COMMAND_DEPTH_MAX);
            let value = T::deserialize(&mut decoder).map_err(|error| error.to_string())?;
            match decoder.get_ref().len() {
                0 => Ok(value),
                more => Err(format!("{more} bytes follow the object")),
            }
        }
    }
}

fn syntax(text: String, id: Option<MessageId>) -> CommandError {
    // serde repeats the value it did not expect, however long.
    let text = cut(&text, QUOTE_BYTES_MAX);
    let cure = r#"send one object, as {"action":"subscribe","trades":["AAPL"]}"#;
    CommandError { code: 400, message: format!("invalid message: {text}; {cure}"), id }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MessageId, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = MessageId;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "an id that is an integer or at most {MESSAGE_ID_BYTES_MAX} bytes long")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<MessageId, E> {
                Ok(MessageId::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<MessageId, E> {
                let signed = i64::try_from(number);
                let unexpected = de::Unexpected::Unsigned(number);
                signed.map(MessageId::Number).map_err(|_| E::invalid_value(unexpected, &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MessageId, E> {
                if text.len() > MESSAGE_ID_BYTES_MAX {
                    return Err(E::invalid_length(text.len(), &self));
                }
                Ok(MessageId::Text(text.to_string()))
            }
        }
        deserializer.deserialize_any(Id)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of symbols")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Names::default();
                while let Some(Name(subject)) = seq.next_element()? {
                    match subject {
                        Err(problem) => names.problem = names.problem.or(Some(problem)),
                        Ok(_) if names.subjects.len() > SESSION_SYMBOLS_MAX => {}
                        Ok(subject) => names.subjects.push(subject),
                    }
                }
                Ok(names)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A text that may be a subject.
struct Name(Result<Subject, SymbolError>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a symbol")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name(Subject::parse(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for SinceEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SinceEntries, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = SinceEntries;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of symbols")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SinceEntries, A::Error> {
                let mut since = SinceEntries::default();
                while let Some((Name(subject), Seqs(seqs))) = map.next_entry()? {
                    match subject {
                        Err(problem) => since.problem = since.problem.or(Some(problem)),
                        Ok(_) if since.entries.len() > SINCE_SYMBOLS_MAX => {}
                        Ok(Subject::Name(symbol)) => since.entries.push(Since { symbol, seqs }),
                        Ok(Subject::All) => {
                            let star = Symbol::parse("*").expect_err("a symbol has no '*'");
                            since.problem = since.problem.or(Some(star));
                        }
                    }
                }
                Ok(since)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Seqs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seqs, D::Error> {
        struct Channels;
        impl<'de> Visitor<'de> for Channels {
            type Value = Seqs;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of sequence numbers, as {\"trades\":812}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seqs, A::Error> {
                let mut seqs = [None; 3];
                while let Some(name) = map.next_key::<String>()? {
                    match Channel::from_name(&name) {
                        Some(channel) => seqs[channel as usize] = map.next_value()?,
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Seqs(seqs))
            }
        }
        deserializer.deserialize_map(Channels)
    }
}
