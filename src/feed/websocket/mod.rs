//! An upstream over WebSocket as a feed: what speaks Alpaca's v2 dialect, and so another Tapecast.
//!
//! Must not know the ingest thread's numbers nor what clients are told. Dialling is `subscribe`'s
//! too.

mod backoff;
mod dial;
mod tls;

pub use backoff::{Backoff, RetryHint};
pub use dial::{Connection, DialError, Dialer};
pub use tls::TlsError;
