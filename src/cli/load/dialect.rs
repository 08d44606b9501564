//! What servers under test speak, so that one instrument measures all of them.
//!
//! A dialect says how symbols are asked for and how events come. All are over WebSocket, and the
//! objects are the same: what Tapecast has as elements of its arrays.

use std::fmt::{self, Display, Formatter};

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Arrays of events with greeting, snapshot and gaps; symbols are an option of the URL
    Tapecast,
    /// One event a text message; symbols are an option of the URL
    Messages,
    /// One event a text message; symbols are segments of the URL's path
    Nchan,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Tapecast => "tapecast",
            Dialect::Messages => "messages",
            Dialect::Nchan => "nchan",
        }
    }
}

impl Display for Dialect {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}
