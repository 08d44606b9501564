//! The options of a feed's text, `KEY=VALUE` or a word alone, between commas.

use super::SpecError;
use std::fmt::Display;
use std::str::FromStr;

/// What follows the kind, taken out key by key; what nobody took is unknown.
#[derive(Debug)]
pub struct Options<'a> {
    feed: &'static str,
    /// As the kind declares them: `key=`, or a word that has no value.
    known: Vec<&'static str>,
    left: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// Splits `text`, whose keys are these.
    pub fn split(
        feed: &'static str,
        keys: [&[&'static str]; 2],
        text: &'a str,
    ) -> Result<Options<'a>, SpecError> {
        let left: Vec<&str> = text.split(',').filter(|option| !option.is_empty()).collect();
        for (at, option) in left.iter().enumerate() {
            if left[..at].iter().any(|earlier| key_of(earlier) == key_of(option)) {
                return Err(SpecError::Twice { feed, text: key_of(option).into() });
            }
        }
        Ok(Options { feed, known: keys.concat(), left })
    }

    /// The same where something comes before the options: a path, an address, a URL. Commas up to
    /// the first known option belong to it.
    pub fn after_subject(
        feed: &'static str,
        keys: [&[&'static str]; 2],
        text: &'a str,
    ) -> Result<(&'a str, Options<'a>), SpecError> {
        let known = keys.concat();
        let mut subject_bytes = 0;
        for part in text.split(',') {
            if known.contains(&as_declared(part)) {
                break;
            }
            subject_bytes += part.len() + 1;
        }
        let subject = &text[..subject_bytes.saturating_sub(1).min(text.len())];
        let rest = text.get(subject_bytes..).unwrap_or("");
        Ok((subject, Options::split(feed, keys, rest)?))
    }

    /// The value of `key=…`, where it is given.
    pub fn take(&mut self, key: &str) -> Option<&'a str> {
        let is = |option: &&str| option.split_once('=').is_some_and(|(name, _)| name == key);
        let at = self.left.iter().position(is)?;
        self.left.remove(at).split_once('=').map(|(_, value)| value)
    }

    /// Whether the word is given.
    pub fn take_word(&mut self, word: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|option| *option != word);
        self.left.len() < before
    }

    /// The value of `key=…` as a whole number from `min` to `max`.
    pub fn take_whole<T: FromStr + PartialOrd + Display>(
        &mut self,
        key: &'static str,
        min: T,
        max: T,
    ) -> Result<Option<T>, SpecError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.parse().ok().filter(|n| (&min..=&max).contains(&n)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, value, format!("a whole number from {min} to {max}"))),
        }
    }

    /// The value of `key=…` as `on` or `off`.
    pub fn take_switch(&mut self, key: &'static str) -> Result<Option<bool>, SpecError> {
        match self.take(key) {
            None => Ok(None),
            Some("on") => Ok(Some(true)),
            Some("off") => Ok(Some(false)),
            Some(value) => Err(self.wrong(key, value, "on or off")),
        }
    }

    /// The error for a value that does not fit; `cure` continues "give".
    pub fn wrong(&self, key: &'static str, value: &str, cure: impl Into<String>) -> SpecError {
        SpecError::BadValue { feed: self.feed, key, value: value.into(), cure: cure.into() }
    }

    /// To be called last: what is left is unknown.
    pub fn finish(self) -> Result<(), SpecError> {
        let Some(option) = self.left.first() else { return Ok(()) };
        let (key, known) = (option.to_string(), self.known.join(", "));
        Err(SpecError::UnknownKey { feed: self.feed, key, known })
    }
}

fn key_of(option: &str) -> &str {
    option.split_once('=').map_or(option, |(key, _)| key)
}

/// `key=` of `key=value`, and a word as it stands.
fn as_declared(option: &str) -> &str {
    option.find('=').map_or(option, |at| &option[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&[&str]; 2] = [&["speed=", "loop"], &["only="]];

    #[test]
    fn commas_up_to_the_first_known_option_belong_to_the_subject() {
        for (text, subject, left) in [
            ("", "", ""),
            ("a", "a", ""),
            ("a,b", "a,b", ""),
            ("a,b=c,loop,x", "a,b=c", "loop,x"),
            ("a,speed,only=B", "a,speed", "only=B"),
            ("a,loop=1", "a,loop=1", ""),
            ("loop", "", "loop"),
            ("a,,only=", "a,", "only="),
        ] {
            let (got, options) = Options::after_subject("x", KEYS, text).expect(text);
            assert_eq!((got, options.left.join(",")), (subject, left.to_string()), "{text}");
        }
    }
}
