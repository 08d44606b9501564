//! `replay:PATH[,OPTION…]`.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use std::path::PathBuf;

/// Records from a file of lines: plain, gzip or zstd, by its first bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySpec {
    pub path: PathBuf,
    /// `speed=1|10|max`, any number above 0: how much faster than it happened; `None` is `max`.
    pub speed: Option<f64>,
    /// `loop`: start over at the end.
    pub repeat: bool,
    /// `wait=N`: begin when so many sessions have subscribed.
    pub wait: u64,
    /// `restamp`: event times of now in place of the file's.
    pub restamp: bool,
}

const FEED: &str = "replay";

const KEYS: &[&str] = &["speed=", "wait=", "loop", "restamp"];

impl ReplaySpec {
    pub fn parse(text: &str) -> Result<(ReplaySpec, CommonSpec), SpecError> {
        let (path, mut options) = Options::after_subject(FEED, [KEYS, COMMON_KEYS], text)?;
        if path.is_empty() {
            return Err(SpecError::NoPath(FEED));
        }
        let common = CommonSpec::take(&mut options)?;
        let spec = ReplaySpec {
            path: PathBuf::from(path),
            speed: speed(&mut options)?,
            repeat: options.take_word("loop"),
            wait: options.take_whole("wait", 0, u64::MAX)?.unwrap_or(0),
            restamp: options.take_word("restamp"),
        };
        if let Some(line) = common.line.as_ref().filter(|_| spec.repeat) {
            // From the second pass on every number would have come before.
            return Err(options.wrong("line", line, "it without loop"));
        }
        options.finish()?;
        Ok((spec, common))
    }
}

fn speed(options: &mut Options<'_>) -> Result<Option<f64>, SpecError> {
    let Some(value) = options.take("speed") else { return Ok(Some(1.0)) };
    if value == "max" {
        return Ok(None);
    }
    let speed: Option<f64> = value.parse().ok().filter(|s| (1e-6..=1e6).contains(s));
    let cure = "max, or a number from 0.000001 to 1000000 such as speed=10";
    speed.map(Some).ok_or_else(|| options.wrong("speed", value, cure))
}
