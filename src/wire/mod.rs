//! tmp
mod clockface;
pub mod codec;
pub mod format;
pub mod frame;
pub mod interest;
mod json;
pub mod line;
mod msgpack;
mod walker;
pub use codec::{DecodeError, Decoder, DecoderPool, Incoming};
pub use format::{Encoding, Format, TimeStyle};
pub use interest::{Item, Rate, Subject};
pub use line::{Event, LineEncoder, Names};
