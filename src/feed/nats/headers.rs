//! What each message says of itself beside its lines.

use async_nats::HeaderMap;

/// Epoch of the numbers in it.
const EPOCH: &str = "Tape-Epoch";
/// Term of its publisher, decimal.
const TERM: &str = "Tape-Term";
/// First and last number in it, decimal, with a dash between.
const RANGE: &str = "Tape-Sq";

/// Longest text of an epoch, in bytes.
pub const EPOCH_BYTES_MAX: usize = 32;

/// Of which reign a message is, and which numbers it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks<'a> {
    pub epoch: &'a str,
    /// Grows with each change of leadership within an epoch.
    pub term: u64,
    pub first: u64,
    pub last: u64,
}

impl<'a> Marks<'a> {
    /// `None` where one is missing or makes no sense: such a message is nobody's.
    pub fn of(headers: Option<&'a HeaderMap>) -> Option<Marks<'a>> {
        let headers = headers?;
        let text = |name| headers.get(name).map(|value| value.as_str());
        let epoch = text(EPOCH).filter(|epoch| is_epoch(epoch))?;
        let (first, last) = text(RANGE)?.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let term = text(TERM)?.parse().ok()?;
        (first <= last).then_some(Marks { epoch, term, first, last })
    }

    pub fn to_headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(EPOCH, self.epoch);
        headers.insert(TERM, self.term.to_string());
        headers.insert(RANGE, format!("{}-{}", self.first, self.last));
        headers
    }
}

/// Printable ASCII without blank, quote and backslash: it stands in JSON and in message ids.
pub fn is_epoch(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    (1..=EPOCH_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_and_nonsense_is_none() {
        let marks = Marks { epoch: "e-1", term: 7, first: 3, last: 9 };
        let headers = marks.to_headers();
        assert_eq!(Marks::of(Some(&headers)), Some(marks));
        assert_eq!(Marks::of(None), None);
        for (name, value) in
            [(EPOCH, "two words"), (EPOCH, ""), (TERM, "x"), (RANGE, "9-3"), (RANGE, "3")]
        {
            let mut wrong = headers.clone();
            wrong.insert(name, value);
            assert_eq!(Marks::of(Some(&wrong)), None, "{name}: {value}");
        }
    }
}
