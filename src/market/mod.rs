//! What the market says, as values: symbols, exact decimals, ticks, and the text lines of a feed.
//!
//! Pure. Must not know sockets, clocks, threads, sessions or encodings for clients. The main type
//! is [`Tick`]: the one record that crosses from the feed thread to the shards.

mod body;
mod channel;
mod decimal;
mod name;
mod record;
mod symbol;
mod tick;

pub use body::{BarPrices, BarTotals, Feed, Head, Quote, SymbolId, TickBody, Trade};
pub use channel::{Channel, ChannelSet, FeedState};
pub use decimal::Decimal;
pub use name::Name;
pub use record::{Record, RecordBody, RecordError};
pub use symbol::{Symbol, SymbolError};
pub use tick::Tick;
