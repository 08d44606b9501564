//! What feeds' texts mean, with where they were given.

use crate::config::{Config, ConfigError, ConfigErrors, Origin};
use crate::feed::{FeedKind, FeedSpec};

/// Reads the texts, which the configuration cannot: it comes before feeds.
pub fn specs(config: &Config) -> Result<Vec<FeedSpec>, ConfigErrors> {
    let place = match config.origin("feeds") {
        Origin::Flag(name) => format!("--{name}"),
        Origin::Variable(name) => format!("{name}:"),
        Origin::File { path, line } => format!("{}:{line}: feed.feeds:", path.display()),
        Origin::Default => "feeds:".to_string(),
    };
    let (mut specs, mut errors) = (Vec::<FeedSpec>::new(), Vec::new());
    for text in &config.settings.feeds {
        let why = match text.parse::<FeedSpec>() {
            Ok(spec) if is_single(&spec) && specs.iter().any(|other| other.kind == spec.kind) => {
                let kind = spec.kind();
                format!("{kind}: it is given twice, and there is one alone; give it once")
            }
            Ok(spec) => {
                specs.push(spec);
                continue;
            }
            Err(error) => error.to_string(),
        };
        errors.push(ConfigError::BadFeed { place: place.clone(), why });
    }
    if errors.is_empty() { Ok(specs) } else { Err(ConfigErrors(errors)) }
}

/// Standard input can be read once, and the admin port has one place for lines.
fn is_single(spec: &FeedSpec) -> bool {
    matches!(spec.kind, FeedKind::Stdin | FeedKind::Api)
}

/// Whether the same feeds go on, perhaps at another pace.
pub fn differ_in_pace_alone(old: &Config, new: &Config) -> bool {
    let (Ok(old), Ok(new)) = (specs(old), specs(new)) else { return false };
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.is_same_but_pace(new))
}
