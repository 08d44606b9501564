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
    let (mut specs, mut errors) = (Vec::new(), Vec::new());
    for text in &config.settings.feeds {
        let why = match text.parse::<FeedSpec>() {
            Ok(spec) if is_stdin(&spec) && specs.iter().any(is_stdin) => {
                "stdin: it is given twice, and can be read once; give it once".to_string()
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

fn is_stdin(spec: &FeedSpec) -> bool {
    spec.kind == FeedKind::Stdin
}

/// Whether the same feeds go on, perhaps at another pace.
pub fn differ_in_pace_alone(old: &Config, new: &Config) -> bool {
    let (Ok(old), Ok(new)) = (specs(old), specs(new)) else { return false };
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.is_same_but_pace(new))
}
