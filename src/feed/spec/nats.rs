//! `nats:URL[,OPTION…]`: what a publisher sends by way of NATS.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use crate::config::NatsSettings;
use crate::feed::nats::{Following, NatsError, Prefix};
use crate::limits::TAPE_TICKS;

const KEYS: &[&str] = &["subject=", "history="];

pub fn parse(text: &str) -> Result<(Box<Following>, CommonSpec), SpecError> {
    let (url, mut options) = Options::after_subject("nats", [KEYS, COMMON_KEYS], text)?;
    let url = if url.starts_with("//") { format!("nats:{url}") } else { url.to_string() };
    let servers = url.parse().map_err(|error: NatsError| SpecError::Nats(error.to_string()))?;
    let common = CommonSpec::take(&mut options)?;
    let prefix = match options.take("subject") {
        None => Prefix::default(),
        Some(value) => {
            Prefix::of_wildcard(value).map_err(|cure| options.wrong("subject", value, cure))?
        }
    };
    let history = match options.take("history") {
        None | Some("auto") => true,
        Some("off") => false,
        Some(value) => return Err(options.wrong("history", value, "auto or off")),
    };
    options.finish()?;
    let (settings, trades_max) = (NatsSettings::default(), TAPE_TICKS as u64);
    let following = Following { servers, prefix, history, settings, trades_max };
    Ok((Box::new(following), common))
}

#[cfg(test)]
mod tests {
    use crate::feed::{FeedKind, FeedSpec};

    #[test]
    fn texts_mean_what_they_say() {
        let of = |text: &str| match text.parse::<FeedSpec>().expect(text).kind {
            FeedKind::Nats(following) => *following,
            other => panic!("{text}: {other:?}"),
        };
        let both = [of("nats:nats://a:4222"), of("nats://a")];
        assert_eq!(both[0], both[1], "the kind and the scheme may be written once");
        assert_eq!((both[0].prefix.as_str(), both[0].history), ("tape", true));
        let cluster = of("nats:tls://u:p@a,tls://b:5000,subject=us.tape.>,history=off,only=A*");
        assert_eq!(cluster.servers.to_string(), "tls://a:4222,tls://b:5000");
        assert_eq!((cluster.prefix.as_str(), cluster.history), ("us.tape", false));
    }

    /// Method: wrong texts; each message must have these words, and none the password.
    #[test]
    fn errors_name_key_value_and_cure() {
        for (text, word) in [
            ("nats", "give nats://HOST:PORT"),
            ("nats:http://u:secret@a", "nats://HOST:PORT"),
            ("nats://u:secret@a,subject=tape", "PREFIX.>"),
            ("nats://u:secret@a,history=on", "auto or off"),
            ("nats://u:secret@a,history=off,x=1", "unknown key"),
        ] {
            let error = text.parse::<FeedSpec>().expect_err(text).to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
