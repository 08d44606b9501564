//! What goes over a connection, as bytes: the upgrade, frames, commands in, events out.
//!
//! Pure: bytes in, bytes out, and no socket, clock, thread or random source. Only this folder
//! knows RFC 6455 and tungstenite. It must not know sessions, cohorts or what is subscribed: it
//! says what a client asked for ([`Command`]) and writes what it is told to ([`LineEncoder`]).
//!
//! In reading order: [`proxy`] says who a client behind a proxy is; [`upgrade`] turns a request
//! head into an [`Upgrade`] or a [`Refusal`]; [`codec`] turns received bytes into messages;
//! [`command`] turns a message into a [`Command`]; [`mod@line`] encodes one market event,
//! [`frame`] joins lines, and [`event`] writes all the rest that a server says.

pub mod client;
mod clockface;
pub mod codec;
pub mod command;
pub mod event;
mod fault;
pub mod format;
pub mod frame;
pub mod interest;
mod json;
pub mod line;
mod msgpack;
pub mod proxy;
mod query;
mod refusal;
pub mod upgrade;
mod walker;

pub use codec::{DecodeError, Decoder, DecoderPool, Incoming};
pub use command::{Change, Command, CommandError, MessageId, Since};
pub use fault::Fault;
pub use format::{Encoding, Format, TimeStyle};
pub use interest::{Item, Rate, Subject};
pub use line::{Event, LineEncoder, Names};
pub use proxy::{AddressHeader, Announced, Proxies};
pub use query::{Queries, UrlOptions};
pub use refusal::Refusal;
pub use upgrade::{Endpoint, Parsed, Upgrade};
