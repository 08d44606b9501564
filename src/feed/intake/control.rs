//! Lines of a publisher that are no records: what it asks of its connection.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A request among the lines.
#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    /// `{"action":"acks","every":1000,"id":…}`: it wants to know what became of its lines. `id` is
    /// JSON, and is given back.
    Acks { every: u64, id: Option<String> },
    /// `{"T":"epoch","epoch":"…"}`: numbers begin anew.
    Epoch(String),
}

/// Lines between two acks where the request does not say.
const EVERY: u64 = 1_000;

/// The `id` of a request, in bytes: every ack repeats it.
const ID_BYTES_MAX: usize = 64;

/// An epoch's name, in bytes: what a tick carries.
pub const EPOCH_BYTES_MAX: usize = crate::limits::NAME_BYTES_MAX;

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    every: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "T")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    epoch: Option<&'a RawValue>,
}

impl Control {
    /// `None`: the line is no request, and bad for the reason that was found already. The error
    /// names the member and the cure.
    pub fn parse(line: &[u8]) -> Option<Result<Control, String>> {
        let text: Text<'_> = serde_json::from_slice(line).ok()?;
        match (text.action.map(RawValue::get), text.kind.map(RawValue::get)) {
            (Some("\"acks\""), _) => Some(text.acks()),
            (Some(_), _) => {
                let why = "member \"action\" is unknown; give {\"action\":\"acks\",\"every\":1000}";
                Some(Err(why.into()))
            }
            (None, Some("\"epoch\"")) => Some(text.epoch()),
            (None, _) => None,
        }
    }
}

impl Text<'_> {
    fn acks(&self) -> Result<Control, String> {
        let every = self.every.map_or(Some(EVERY), |raw| raw.get().parse().ok());
        let every = every.filter(|every| *every > 0);
        let every = every.ok_or("member \"every\" is no whole number above 0; give lines")?;
        let id = self.id.map(|raw| raw.get().to_string());
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return Err(format!("member \"id\" is longer than {ID_BYTES_MAX} bytes; shorten it"));
        }
        Ok(Control::Acks { every, id })
    }

    fn epoch(&self) -> Result<Control, String> {
        let text = self.epoch.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let fits = |text: &String| {
            let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
            (1..=EPOCH_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
        };
        text.filter(fits).map(Control::Epoch).ok_or_else(|| {
            format!(
                "member \"epoch\" is no epoch; give 1 to {EPOCH_BYTES_MAX} printable ASCII \
                 characters without blank, quote and backslash"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_bad_records() {
        let parse = |text: &str| Control::parse(text.as_bytes());
        let acks =
            |every, id: Option<&str>| Some(Ok(Control::Acks { every, id: id.map(str::to_string) }));
        assert_eq!(parse(r#"{"action":"acks"}"#), acks(EVERY, None));
        assert_eq!(parse(r#"{"action":"acks","every":5,"id":"x"}"#), acks(5, Some("\"x\"")));
        let epoch = parse(r#"{"T":"epoch","epoch":"e-1"}"#);
        assert_eq!(epoch, Some(Ok(Control::Epoch("e-1".into()))));
        for none in ["", "x", "[]", "{}", r#"{"T":"t"}"#, r#"{"T":5}"#] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn errors_name_the_member_and_the_cure() {
        let long = format!(r#"{{"action":"acks","id":"{}"}}"#, "x".repeat(ID_BYTES_MAX));
        for (line, words) in [
            (r#"{"action":"ack"}"#, ["\"action\"", "acks"]),
            (r#"{"action":"acks","every":0}"#, ["\"every\"", "above 0"]),
            (r#"{"action":"acks","every":"5"}"#, ["\"every\"", "lines"]),
            (long.as_str(), ["\"id\"", "64"]),
            (r#"{"T":"epoch"}"#, ["\"epoch\"", "32"]),
            (r#"{"T":"epoch","epoch":"a b"}"#, ["\"epoch\"", "blank"]),
        ] {
            let error = Control::parse(line.as_bytes()).expect(line).expect_err(line);
            assert!(words.iter().all(|word| error.contains(word)), "{line}: {error}");
        }
    }
}
