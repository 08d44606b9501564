//! Faults that a client may ask for where fault injection is on: for staging and tests.

/// Where our own error shall happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// In what is the session's own.
    Session,
    /// While tables that sessions share are being changed.
    Hub,
    /// In the shard's turn.
    Turn,
    /// In the turn, and once more while the shard's tables are being salvaged.
    Salvage,
    /// The shard's turn stops for so long.
    Stall { ms: u64 },
}

impl Fault {
    /// `ms` counts for a stall, which otherwise does not end.
    pub fn from_name(name: &str, ms: Option<u64>) -> Option<Fault> {
        Some(match name {
            "session" => Fault::Session,
            "hub" => Fault::Hub,
            "turn" => Fault::Turn,
            "salvage" => Fault::Salvage,
            "stall" => Fault::Stall { ms: ms.unwrap_or(u64::MAX) },
            _ => return None,
        })
    }
}
