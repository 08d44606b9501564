//! `nats:URL[,OPTION…]`: what a publisher sends by way of NATS.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use crate::config::NatsSettings;
use crate::feed::nats::{Following, NatsError, Prefix};
use crate::limits::TAPE_TICKS;

const KEYS: &[&str] = &["subject=", "history="];

pub fn parse(text: &str) -> Result<(Following, CommonSpec), SpecError> {
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
    Ok((Following { servers, prefix, history, settings, trades_max }, common))
}
