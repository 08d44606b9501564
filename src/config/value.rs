//! What a setting's value may be, and how it is read and written, wherever it comes from.

use crate::wire::AddressHeader;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use toml::de::DeValue;
use toml_writer::{ToTomlValue, TomlStringBuilder};

/// A value that its form has let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The form's word for it is given, such as `auto`.
    None,
    Number(u64),
    Switch(bool),
    Text(String),
    Texts(Vec<String>),
}

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A whole number; `none` is the word for leaving it open.
    Number { unit: Unit, least: u64, most: u64, none: Option<&'static str> },
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text; the error of the check is the cure.
    Text(fn(&str) -> Result<(), String>),
    /// `ADDRESS:PORT`; `none` is the word for leaving it out.
    Address { none: Option<&'static str> },
    /// So many texts at most.
    Texts { most: usize },
    /// So many IP networks at most, perhaps none. A text may hold several, with commas between.
    Networks { most: usize },
}

/// How a number may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Digits alone: counts, ms, seconds.
    Plain,
    /// Also with `K`, `M`, `G` or `T` for powers of 1,024.
    Bytes,
}

/// A field of the settings that a value is put into. Forms are so narrow that each value fits.
pub trait Field: Sized {
    fn value(&self) -> Value;
    fn of(value: Value) -> Self;
}

impl Form {
    /// Reads a flag's or a variable's text. The error is the cure.
    pub fn read_text(&self, text: &str) -> Result<Value, String> {
        let value = match self {
            Form::Number { none, .. } | Form::Address { none } if *none == Some(text) => {
                Some(Value::None)
            }
            Form::Number { unit: Unit::Plain, .. } => text.parse().ok().map(Value::Number),
            Form::Number { unit: Unit::Bytes, .. } => bytes(text).map(Value::Number),
            Form::Switch => text.parse().ok().map(Value::Switch),
            _ => Some(Value::Text(text.to_string())),
        };
        self.check(value)
    }

    /// Reads a list of them. The error is the cure.
    pub fn read_texts(&self, texts: Vec<String>) -> Result<Value, String> {
        let texts = match self {
            Form::Networks { .. } => networks(&texts),
            _ => texts,
        };
        self.check(Some(Value::Texts(texts)))
    }

    pub fn is_list(&self) -> bool {
        matches!(self, Form::Texts { .. } | Form::Networks { .. })
    }

    /// Reads what stands in the file. The error is the cure.
    pub fn read_toml(&self, value: &DeValue<'_>) -> Result<Value, String> {
        let read = match (self, value) {
            (Form::Number { .. }, DeValue::Integer(number)) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Number)
            }
            (Form::Number { unit, none, .. }, DeValue::String(text)) => {
                // A number in quotes is a mistake, but where quotes are needed.
                let needs_quotes = *unit == Unit::Bytes || *none == Some(&**text);
                return if needs_quotes { self.read_text(text) } else { self.check(None) };
            }
            (Form::Switch, DeValue::Boolean(on)) => Some(Value::Switch(*on)),
            (Form::Word(_) | Form::Text(_) | Form::Address { .. }, DeValue::String(text)) => {
                return self.read_text(text);
            }
            (Form::Texts { .. } | Form::Networks { .. }, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_string));
                match texts.collect::<Option<Vec<String>>>() {
                    Some(texts) => return self.read_texts(texts),
                    None => None,
                }
            }
            _ => None,
        };
        self.check(read)
    }

    /// Gives the value back where the form takes it, else the cure.
    pub fn check(&self, value: Option<Value>) -> Result<Value, String> {
        let fits = match (self, &value) {
            (Form::Number { none, .. } | Form::Address { none }, Some(Value::None)) => {
                none.is_some()
            }
            (Form::Number { least, most, .. }, Some(Value::Number(number))) => {
                (least..=most).contains(&number)
            }
            (Form::Switch, Some(Value::Switch(_))) => true,
            (Form::Word(words), Some(Value::Text(text))) => words.contains(&text.as_str()),
            (Form::Text(check), Some(Value::Text(text))) => {
                return check(text).map(|()| own(value));
            }
            (Form::Address { .. }, Some(Value::Text(text))) => text.parse::<SocketAddr>().is_ok(),
            (Form::Texts { most }, Some(Value::Texts(texts))) => (1..=*most).contains(&texts.len()),
            (Form::Networks { most }, Some(Value::Texts(texts))) => {
                texts.len() <= *most && texts.iter().all(|text| network(text).is_some())
            }
            _ => false,
        };
        if fits { Ok(own(value)) } else { Err(self.cure()) }
    }

    fn cure(&self) -> String {
        let (cure, none) = match self {
            Form::Number { unit: Unit::Plain, least, most, none } => {
                (format!("give a number from {least} to {most}"), *none)
            }
            Form::Number { unit: Unit::Bytes, least, most, none } => {
                let text = "give a number of bytes, such as 65536 or \"64K\"";
                (format!("{text}, from {least} to {most}"), *none)
            }
            Form::Switch => ("give true or false".to_string(), None),
            Form::Word(words) => (format!("give {}", words.join(" or ")), None),
            Form::Text(_) => ("give a text in quotes".to_string(), None),
            Form::Address { none } => {
                ("give an address and a port, such as 127.0.0.1:9001".to_string(), *none)
            }
            Form::Texts { most } => {
                (format!("give one to {most} texts, such as [\"synthetic\"]"), None)
            }
            Form::Networks { most } => {
                let text = "addresses or networks, such as 192.0.2.7, 10.0.0.0/8 or fd00::/8, \
                            with no bit set behind the network's length";
                (format!("give at most {most} {text}"), None)
            }
        };
        cure + &none.map(|word| format!(", or \"{word}\"")).unwrap_or_default()
    }

    /// As the file has it.
    pub fn to_toml(&self, value: &Value) -> String {
        let text = |text: &str| TomlStringBuilder::new(text).as_basic().to_toml_value();
        match value {
            Value::None => text(self.plain(value).as_str()),
            Value::Text(word) => text(word),
            Value::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|word| text(word)).collect();
                format!("[{}]", texts.join(", "))
            }
            Value::Number(_) | Value::Switch(_) => self.plain(value),
        }
    }

    /// As a flag or a variable has it.
    pub fn plain(&self, value: &Value) -> String {
        match (self, value) {
            (Form::Number { none, .. } | Form::Address { none }, Value::None) => {
                none.unwrap_or("none").to_string()
            }
            (_, Value::None) => "none".to_string(),
            (_, Value::Number(number)) => number.to_string(),
            (_, Value::Switch(on)) => on.to_string(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::Texts(texts)) => texts.join(";"),
        }
    }
}

fn own(value: Option<Value>) -> Value {
    value.expect("only what is there fits a form")
}

/// A number of bytes, with `K`, `M`, `G` or `T` for powers of 1,024.
fn bytes(text: &str) -> Option<u64> {
    let shift = match text.chars().last()?.to_ascii_uppercase() {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Addresses and networks, as networks where they are such; what is none stays for the check.
fn networks(texts: &[String]) -> Vec<String> {
    let parts = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let named = parts.filter(|part| !part.is_empty());
    let whole = |part: &str| network(part).map_or(part.to_string(), |net| net.to_string());
    named.map(whole).collect()
}

/// A network, or the network of one address.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
    let network = text.parse::<IpNet>().ok().or_else(address)?;
    (network == network.trunc()).then_some(network)
}

/// What a form that lets through something else would be: a mistake in the declaration, which the
/// tests of `declared` would find.
const FORM: &str = "the form fits the field";

macro_rules! number_fields {
    ($($number:ty),+) => { $(
        impl Field for $number {
            fn value(&self) -> Value {
                // A lossless one: 64 bits are the most of all.
                Value::Number(*self as u64)
            }

            fn of(value: Value) -> $number {
                let Value::Number(number) = value else { panic!("{FORM}: {value:?}") };
                number.try_into().expect(FORM)
            }
        }
    )+ };
}

number_fields!(u32, u64, usize);

impl Field for bool {
    fn value(&self) -> Value {
        Value::Switch(*self)
    }

    fn of(value: Value) -> bool {
        let Value::Switch(on) = value else { panic!("{FORM}: {value:?}") };
        on
    }
}

impl Field for String {
    fn value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn of(value: Value) -> String {
        let Value::Text(text) = value else { panic!("{FORM}: {value:?}") };
        text
    }
}

impl Field for Vec<String> {
    fn value(&self) -> Value {
        Value::Texts(self.clone())
    }

    fn of(value: Value) -> Vec<String> {
        let Value::Texts(texts) = value else { panic!("{FORM}: {value:?}") };
        texts
    }
}

impl Field for SocketAddr {
    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn of(value: Value) -> SocketAddr {
        String::of(value).parse().expect(FORM)
    }
}

impl Field for Vec<IpNet> {
    fn value(&self) -> Value {
        Value::Texts(self.iter().map(IpNet::to_string).collect())
    }

    fn of(value: Value) -> Vec<IpNet> {
        let texts = Vec::<String>::of(value);
        texts.iter().map(|text| network(text).expect(FORM)).collect()
    }
}

impl Field for AddressHeader {
    fn value(&self) -> Value {
        Value::Text(self.word().to_string())
    }

    fn of(value: Value) -> AddressHeader {
        let word = String::of(value);
        let both = [AddressHeader::XForwardedFor, AddressHeader::Forwarded];
        both.into_iter().find(|header| header.word() == word).expect(FORM)
    }
}

impl<T: Field> Field for Option<T> {
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::None, T::value)
    }

    fn of(value: Value) -> Option<T> {
        (value != Value::None).then(|| T::of(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Form =
        Form::Number { unit: Unit::Bytes, least: 0, most: u64::MAX, none: Some("auto") };

    #[test]
    fn bytes_have_units() {
        for (text, bytes) in [("1000", 1_000), ("64K", 65_536), ("3m", 3 << 20), ("4G", 4 << 30)] {
            assert_eq!(BYTES.read_text(text), Ok(Value::Number(bytes)));
        }
        for text in ["", "M", "1.5G", "-1", "4GB", "99999999999T", "1é"] {
            let cure = BYTES.read_text(text).expect_err(text);
            assert!(cure.contains("64K") && cure.ends_with("or \"auto\""), "{cure}");
        }
        assert_eq!(BYTES.read_text("auto"), Ok(Value::None));
    }

    /// Method: what may stand behind `x =` in a file, for a number and a list.
    #[test]
    fn types_of_the_file_are_strict() {
        let plain = Form::Number { unit: Unit::Plain, least: 1, most: 9, none: None };
        let read = |form: &Form, text| {
            let value = DeValue::parse(text).expect("TOML");
            form.read_toml(value.get_ref())
        };
        assert_eq!(read(&plain, "7"), Ok(Value::Number(7)));
        assert_eq!(read(&plain, "0x7"), Ok(Value::Number(7)));
        for text in ["\"7\"", "7.0", "-7", "true", "[7]", "{}", "0", "10", "\"auto\""] {
            assert_eq!(read(&plain, text), Err("give a number from 1 to 9".into()), "{text}");
        }
        assert_eq!(read(&BYTES, "\"1K\""), Ok(Value::Number(1024)));
        let list = Form::Texts { most: 2 };
        assert_eq!(read(&list, "['a']"), Ok(Value::Texts(vec!["a".into()])));
        for text in ["[]", "'a'", "[1]", "['a', 'b', 'c']"] {
            assert!(read(&list, text).is_err(), "{text}");
        }
        let list_of = Form::Networks { most: 3 };
        let texts = |all: &[&str]| Value::Texts(all.iter().map(|text| text.to_string()).collect());
        let given = "['192.0.2.7', '10.0.0.0/8', 'fd00::1']";
        assert_eq!(
            read(&list_of, given),
            Ok(texts(&["192.0.2.7/32", "10.0.0.0/8", "fd00::1/128"]))
        );
        assert_eq!(
            list_of.read_texts(vec!["::1, 10.0.0.0/8".into()]).as_ref(),
            Ok(&texts(&["::1/128", "10.0.0.0/8"]))
        );
        assert_eq!(read(&list_of, "[]"), Ok(texts(&[])));
        for text in ["['proxy']", "['10.0.0.1/8']", "['10.0.0.0/33']", "[1]", "'::1'"] {
            let cure = read(&list_of, text).expect_err(text);
            assert!(cure.contains("10.0.0.0/8"), "{text}: {cure}");
        }
        assert_eq!(list.to_toml(&Value::Texts(vec!["a\"b".into()])), r#"["a\"b"]"#);
    }
}
