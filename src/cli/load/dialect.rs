//! What servers under test speak, so that one instrument measures all of them.
//!
//! A dialect says how symbols are asked for and how events come. All are over WebSocket, and the
//! objects are the same: what Tapecast has as elements of its arrays.

mod json;
mod msgpack;
mod nats;
mod scan;

pub use nats::{Joined, NatsStream, Operation, next_operation};

use super::digest::Digest;
use super::symbols::SymbolTable;
use crate::wire::client::Opcode;
use std::fmt::{self, Display, Formatter};

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Arrays of events with greeting, snapshot and gaps; symbols are an option of the URL
    Tapecast,
    /// One event a text message; symbols are an option of the URL
    Messages,
    /// Arrays of events and nothing else; symbols are an option of the URL
    Arrays,
    /// NATS over WebSocket: one event a MSG of the subject tick.SYMBOL
    Nats,
    /// One event a text message; symbols are segments of the URL's path
    Nchan,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Tapecast => "tapecast",
            Dialect::Messages => "messages",
            Dialect::Arrays => "arrays",
            Dialect::Nats => "nats",
            Dialect::Nchan => "nchan",
        }
    }
}

impl Display for Dialect {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a message of the server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An array of events in JSON.
    Array,
    /// One event in JSON.
    Object,
    /// An array of events in MessagePack.
    MessagePack,
}

impl Form {
    /// Replaces what `digest` held. A payload of another form is one malformed entry.
    pub fn parse(self, payload: &[u8], symbols: &mut SymbolTable, digest: &mut Digest) {
        digest.clear();
        let outcome = match self {
            Form::Array => json::parse_array(payload, |line| digest.push(&line, symbols)),
            Form::Object => json::parse_object(payload, |line| digest.push(&line, symbols)),
            Form::MessagePack => msgpack::parse_array(payload, |line| digest.push(&line, symbols)),
        };
        if let Err(why) = outcome {
            digest.malformed(why);
        }
    }

    /// The same, cheaper and without a look at what is not checked. `false`: the payload has
    /// something that only [`Form::parse`] knows.
    #[inline]
    pub fn scan(self, payload: &[u8], symbols: &mut SymbolTable, digest: &mut Digest) -> bool {
        digest.clear();
        match self {
            Form::Array => scan::scan_array(payload, symbols, digest),
            Form::Object => scan::scan_object(payload, symbols, digest),
            Form::MessagePack => false,
        }
    }

    pub fn opcode(self) -> Opcode {
        match self {
            Form::Array | Form::Object => Opcode::Text,
            Form::MessagePack => Opcode::Binary,
        }
    }
}
