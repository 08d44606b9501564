//! Subjects: `PREFIX.t.SYMBOL` and its like, and symbols as one token of a subject.

use std::fmt::Write as _;
use std::str::FromStr;

/// Where none is given.
pub const PREFIX: &str = "tape";

/// What subjects begin with: ordinary tokens with dots between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// What a subject's messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// Trades, and losses of trades.
    Trades,
    Quotes,
    Bars,
}

impl SubjectKind {
    pub const ALL: [SubjectKind; 3] = [SubjectKind::Trades, SubjectKind::Quotes, SubjectKind::Bars];

    /// Its token.
    pub fn letter(self) -> &'static str {
        match self {
            SubjectKind::Trades => "t",
            SubjectKind::Quotes => "q",
            SubjectKind::Bars => "b",
        }
    }
}

impl Default for Prefix {
    fn default() -> Prefix {
        Prefix(PREFIX.into())
    }
}

impl FromStr for Prefix {
    type Err = String;

    /// The error is the cure.
    fn from_str(text: &str) -> Result<Prefix, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let fits = |token: &str| !token.is_empty() && token.bytes().all(plain);
        match text.len() <= 64 && text.split('.').all(fits) {
            true => Ok(Prefix(text.into())),
            false => Err("letters, digits, _ and -, with single dots between, such as tape".into()),
        }
    }
}

impl Prefix {
    /// Of a subject that ends with `.>`; the error is the cure.
    pub fn of_wildcard(subject: &str) -> Result<Prefix, String> {
        let cure = "PREFIX.> with a prefix of letters, digits, _ and -, such as tape.>";
        subject.strip_suffix(".>").and_then(|prefix| prefix.parse().ok()).ok_or(cure.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All that is under it.
    pub fn wildcard(&self) -> String {
        format!("{}.>", self.0)
    }

    /// All symbols of a kind.
    pub fn all_of(&self, kind: SubjectKind) -> String {
        format!("{}.{}.>", self.0, kind.letter())
    }

    pub fn meta(&self) -> String {
        format!("{}.meta", self.0)
    }

    pub fn subject(&self, kind: SubjectKind, symbol: &str) -> String {
        format!("{}.{}.{}", self.0, kind.letter(), escape(symbol))
    }

    /// The stream of its messages: the prefix in capitals, since a stream's name has no dot.
    pub fn stream(&self) -> String {
        self.0.to_ascii_uppercase().replace('.', "_")
    }

    /// Kind and escaped symbol of one of its subjects; `None` for others.
    pub fn split<'a>(&self, subject: &'a str) -> Option<(SubjectKind, &'a str)> {
        let rest = subject.strip_prefix(self.as_str())?.strip_prefix('.')?;
        let (letter, symbol) = rest.split_once('.')?;
        let kind = SubjectKind::ALL.into_iter().find(|kind| kind.letter() == letter)?;
        (!symbol.is_empty() && !symbol.contains('.')).then_some((kind, symbol))
    }
}

/// A symbol as one token: what a subject gives a meaning to, and `%`, become `%XX`.
pub fn escape(symbol: &str) -> String {
    let mut token = String::with_capacity(symbol.len());
    for c in symbol.chars() {
        match c {
            '.' | '>' | '*' | '%' | '\0'..=' ' | '\x7f' => {
                write!(token, "%{:02X}", u32::from(c)).expect("a String takes all");
            }
            _ => token.push(c),
        }
    }
    token
}

/// What was escaped; `None` where a `%` is followed by anything but two hex digits, or the bytes
/// are no text.
pub fn unescape(token: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(token.len()), token.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| !d.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_survive_as_one_token() {
        for (symbol, token) in [
            ("AAPL", "AAPL"),
            ("BRK.B", "BRK%2EB"),
            (">", "%3E"),
            ("A%2E", "A%252E"),
            ("É/€", "É/€"),
        ] {
            assert_eq!(escape(symbol), token);
            assert_eq!(unescape(token).as_deref(), Some(symbol));
        }
        for token in ["%", "%2", "%2g", "%+1", "%€"] {
            assert_eq!(unescape(token), None, "{token}");
        }
        assert_eq!(unescape("a%2eb").as_deref(), Some("a.b"), "others may write small letters");
    }

    #[test]
    fn subjects_are_made_and_taken_apart() {
        let prefix: Prefix = "us.tape".parse().expect("a prefix");
        assert_eq!(prefix.subject(SubjectKind::Trades, "BRK.B"), "us.tape.t.BRK%2EB");
        assert_eq!(prefix.split("us.tape.q.A"), Some((SubjectKind::Quotes, "A")));
        for other in ["us.tape.meta", "us.tape.x.A", "us.tape.q.A.B", "us.tape.q.", "us.tapes.q.A"]
        {
            assert_eq!(prefix.split(other), None, "{other}");
        }
        assert_eq!(prefix.stream(), "US_TAPE");
        assert_eq!(Prefix::of_wildcard("tape.>"), Ok(Prefix::default()));
        for bad in ["tape", "tape.*", ">", ".>", "a..b.>", "a b.>", "*.>", "ta>pe.>"] {
            assert!(Prefix::of_wildcard(bad).is_err(), "{bad}");
        }
    }
}
