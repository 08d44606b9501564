//! A symbol: the short name under which an instrument is traded and subscribed.

use crate::limits::NAME_BYTES_MAX;
use std::fmt;

/// 1 to [`NAME_BYTES_MAX`] printable ASCII bytes without blank, comma, quote, backslash and `*`.
///
/// These rules make a symbol valid as it stands in JSON, in a URL list and on a terminal, so no
/// encoder escapes one. Case counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    bytes: [u8; NAME_BYTES_MAX],
    length: u8,
}

/// Why a text is not a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    #[error("a symbol is empty; give 1 to {NAME_BYTES_MAX} characters")]
    Empty,
    #[error("a symbol has {0} bytes; {NAME_BYTES_MAX} are the most")]
    TooLong(usize),
    #[error(
        "a symbol has the byte {0:#04x}; printable ASCII without blank, comma, quotes, \
         backslash and '*' is allowed"
    )]
    BadByte(u8),
}

impl Symbol {
    /// Checks and copies `text`.
    pub fn parse(text: &str) -> Result<Symbol, SymbolError> {
        Symbol::from_bytes(text.as_bytes())
    }

    /// As [`Symbol::parse`], for bytes that are not yet known to be UTF-8.
    pub fn from_bytes(text: &[u8]) -> Result<Symbol, SymbolError> {
        if text.is_empty() {
            return Err(SymbolError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(SymbolError::TooLong(text.len()));
        }
        let bad = |b: &&u8| !b.is_ascii_graphic() || matches!(**b, b',' | b'"' | b'\\' | b'*');
        if let Some(byte) = text.iter().find(bad) {
            return Err(SymbolError::BadByte(*byte));
        }
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Symbol { bytes, length: text.len() as u8 })
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a symbol is ASCII by construction")
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_exchanges_use_and_refuses_the_rest() {
        for good in ["A", "BRK.B", "BTC/USD", "TEST.A", "ES=F", "^GSPC", &"X".repeat(32)] {
            assert_eq!(Symbol::parse(good).map(|s| s.to_string()), Ok(good.to_string()));
        }
        assert_eq!(Symbol::parse(""), Err(SymbolError::Empty));
        assert_eq!(Symbol::parse(&"X".repeat(33)), Err(SymbolError::TooLong(33)));
        for (bad, byte) in [("A B", b' '), ("A,B", b','), ("*", b'*'), ("\"", b'"'), ("é", 0xc3)] {
            assert_eq!(Symbol::parse(bad), Err(SymbolError::BadByte(byte)), "{bad}");
        }
    }
}
