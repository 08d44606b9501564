//! Key and secret for an upstream: where they are from. They are never logged nor shown.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// As Alpaca's own clients name them.
const KEY_VARIABLE: &str = "APCA_API_KEY_ID";
const SECRET_VARIABLE: &str = "APCA_API_SECRET_KEY";

/// Whom the variables are for: given to another host, they would be given away.
const VARIABLES_DOMAIN: &str = "alpaca.markets";

/// Where credentials are read, at each connection anew, so that files may be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsSource {
    Given { key: KeySource, secret_file: PathBuf },
    Variables,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Text(String),
    File(PathBuf),
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
}

/// The text names no more than paths and variables.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("cannot read {path}: {why}; give a file with one line")]
    Unreadable { path: PathBuf, why: io::Error },
    #[error("{0} is not one line of text; write the key or the secret into it and nothing else")]
    NotOneLine(PathBuf),
    #[error("{KEY_VARIABLE} and {SECRET_VARIABLE} belong together; set both, or neither")]
    HalfVariables,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl CredentialsSource {
    /// The one for a host for which the feed's text names none.
    pub fn usual_of(host: &str) -> Option<CredentialsSource> {
        let is_below = host.strip_suffix(VARIABLES_DOMAIN).is_some_and(|name| name.ends_with('.'));
        let is_set = |name| std::env::var_os(name).is_some();
        let is_any_set = is_set(KEY_VARIABLE) || is_set(SECRET_VARIABLE);
        (is_below && is_any_set).then_some(CredentialsSource::Variables)
    }

    pub fn read(&self) -> Result<Credentials, CredentialsError> {
        match self {
            CredentialsSource::Given { key, secret_file } => {
                let key = match key {
                    KeySource::Text(key) => key.clone(),
                    KeySource::File(path) => line_of(path)?,
                };
                Ok(Credentials { key, secret: line_of(secret_file)? })
            }
            CredentialsSource::Variables => {
                let variable = |name| {
                    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
                    value.ok_or(CredentialsError::HalfVariables)
                };
                Ok(Credentials { key: variable(KEY_VARIABLE)?, secret: variable(SECRET_VARIABLE)? })
            }
        }
    }
}

fn line_of(path: &Path) -> Result<String, CredentialsError> {
    let unreadable = |why| CredentialsError::Unreadable { path: path.into(), why };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let line = text.trim();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(CredentialsError::NotOneLine(path.into()));
    }
    Ok(line.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_of_a_file_and_never_shown() {
        let folder = std::env::temp_dir().join(format!("tapecast-secret-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let secret_file = folder.join("secret");
        let key = KeySource::Text("K".to_string());
        let source = CredentialsSource::Given { key, secret_file: secret_file.clone() };
        let missing = source.read().expect_err("no file yet").to_string();
        assert!(missing.contains("secret"), "{missing}");
        for bad in ["", "\n", "a\nb\n"] {
            fs::write(&secret_file, bad).expect("a file");
            assert!(matches!(source.read(), Err(CredentialsError::NotOneLine(_))), "{bad:?}");
        }
        fs::write(&secret_file, "S3cret\n").expect("a file");
        let read = source.read().expect("one line");
        assert_eq!((read.key.as_str(), read.secret.as_str()), ("K", "S3cret"));
        assert!(!format!("{read:?}").contains("S3cret"));
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn variables_are_for_their_own_domain() {
        assert_eq!(CredentialsSource::usual_of("node.example"), None);
        assert_eq!(CredentialsSource::usual_of("notalpaca.markets"), None);
    }
}
