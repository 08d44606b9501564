//! Names in definitions: the short texts that exchange codes and condition lists stand for.

use crate::limits::NAME_BYTES_MAX;

/// A short text in a definition: at most [`NAME_BYTES_MAX`] bytes of UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    length: u8,
}

impl Name {
    /// `None` where the text is longer than [`NAME_BYTES_MAX`].
    pub fn new(text: &str) -> Option<Name> {
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Name { bytes, length: text.len() as u8 })
    }

    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..self.length as usize];
        std::str::from_utf8(bytes).expect("a name is made from a str only")
    }

    /// The text padded with zeros, and its length: how a tick carries it.
    pub(super) fn into_parts(self) -> ([u8; NAME_BYTES_MAX], u8) {
        (self.bytes, self.length)
    }

    /// The inverse of [`Name::into_parts`].
    pub(super) fn from_parts(bytes: [u8; NAME_BYTES_MAX], length: u8) -> Name {
        Name { bytes, length }
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_text_up_to_its_limit() {
        let long = "é".repeat(NAME_BYTES_MAX / 2);
        let name = Name::new(&long).expect("32 bytes fit");
        assert_eq!(name.as_str(), long);
        let (bytes, length) = name.into_parts();
        assert_eq!(Name::from_parts(bytes, length), name);
        assert_eq!(Name::new(&format!("{long}x")), None);
    }
}
