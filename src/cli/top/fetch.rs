//! The questions to the admin port, and what can be wrong with the answers.

use crate::control::report::{Sessions, Status};
use serde::de::DeserializeOwned;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::{Agent, Error};

/// The server itself waits a second for a shard that is busy.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// Some kilobytes a shard, and some hundred bytes a session of the list.
const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Rows that are asked for: each shard gathers them within its turn.
const LAGGING_MAX: usize = 100;

/// How much of a strange answer is told.
const QUOTED_CHARS_MAX: usize = 100;

/// Why a text is not where an admin port can be.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{0:?} is not a URL ({1}); give one like http://127.0.0.1:9002/")]
    Syntax(String, ureq::http::uri::InvalidUri),
    #[error("{0:?} is not an http:// URL; give the admin port's, like http://127.0.0.1:9002/")]
    Scheme(String),
    #[error("{0:?} asks for TLS, which 'top' does not speak; use http://, through a tunnel if far")]
    Tls(String),
    #[error("{0:?} names no host; give one like http://127.0.0.1:9002/")]
    NoHost(String),
    #[error("{0:?} has a query; leave out what begins with '?'")]
    Query(String),
}

/// Why there is no status. Texts of others are quoted, so that they cannot steer a terminal.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("nothing listens at {0}; is the server running, and is this its --admin address?")]
    Refused(String),
    #[error("{0} has not answered within {secs} s", secs = ANSWER_TIME_MAX.as_secs())]
    Late(String),
    #[error("the host of {0} is not known; check its name, or give its address")]
    Name(String),
    #[error("{0} answers {1} {2:?}; give a Tapecast's admin port, like http://127.0.0.1:9002/")]
    Code(String, u16, String),
    #[error("{0} is not a Tapecast's admin port ({1}); give one like http://127.0.0.1:9002/")]
    Foreign(String, serde_json::Error),
    #[error("no good answer from {0}: {1}; is this a Tapecast's admin port?")]
    Other(String, Box<Error>),
}

/// What was answered, and when.
#[derive(Debug)]
pub struct Snapshot {
    pub at: Instant,
    pub status: Status,
    /// Or why that is not known: status alone is worth showing.
    pub lagging: Result<Sessions, FetchError>,
}

/// An admin port.
#[derive(Debug)]
pub struct Source {
    /// Ends in a slash.
    url: String,
    agent: Agent,
}

impl Source {
    /// A URL, or its host and port alone, as `--admin` has them.
    pub fn parse(url: &str) -> Result<Source, SourceError> {
        let given = || url.to_string();
        let is_bare = !url.is_empty() && !url.contains("://");
        let whole = if is_bare { format!("http://{url}") } else { given() };
        let uri: Uri = whole.parse().map_err(|error| SourceError::Syntax(given(), error))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(SourceError::Tls(given())),
            _ => return Err(SourceError::Scheme(given())),
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(SourceError::NoHost(given()));
        }
        if uri.query().is_some() {
            return Err(SourceError::Query(given()));
        }
        // A redirect leads elsewhere than was asked for, and a proxy of the environment is for
        // the world outside.
        let config = Agent::config_builder()
            .timeout_global(Some(ANSWER_TIME_MAX))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("tapecast-top/", env!("CARGO_PKG_VERSION")))
            .build();
        let url = format!("{}/", uri.to_string().trim_end_matches('/'));
        Ok(Source { url, agent: config.new_agent() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and waits for the answers.
    pub fn fetch(&self) -> Result<Snapshot, FetchError> {
        let status = self.ask("api/status")?;
        let at = Instant::now();
        let lagging = self.ask(&format!("api/sessions?state=lagging&limit={LAGGING_MAX}"));
        Ok(Snapshot { at, status, lagging })
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, FetchError> {
        let url = format!("{}{path}", self.url);
        let failed = |error| self.failed(error);
        let mut response = self.agent.get(&url).call().map_err(failed)?;
        let body = response.body_mut().with_config().limit(BODY_BYTES_MAX);
        let body = body.read_to_vec().map_err(failed)?;
        if response.status() != 200 {
            let text = String::from_utf8_lossy(&body);
            let text = text.trim().chars().take(QUOTED_CHARS_MAX).collect();
            return Err(FetchError::Code(url, response.status().as_u16(), text));
        }
        serde_json::from_slice(&body).map_err(|error| FetchError::Foreign(self.url.clone(), error))
    }

    fn failed(&self, error: Error) -> FetchError {
        let url = self.url.clone();
        match error {
            Error::Timeout(_) => FetchError::Late(url),
            Error::ConnectionFailed => FetchError::Refused(url),
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                FetchError::Refused(url)
            }
            Error::HostNotFound => FetchError::Name(url),
            other => FetchError::Other(url, Box::new(other)),
        }
    }
}

/// A thread that asks when it is told to. It ends with the process: nothing waits for it.
#[derive(Debug)]
pub struct Asker {
    ask: SyncSender<()>,
    answers: Receiver<Result<Snapshot, FetchError>>,
    is_asking: bool,
}

/// The thread has panicked.
#[derive(Debug)]
pub struct AskerGone;

impl Asker {
    pub fn start(source: Source) -> io::Result<Asker> {
        let (ask, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let work = move || {
            while asked.recv().is_ok() && answer.send(source.fetch()).is_ok() {}
        };
        std::thread::Builder::new().name("asker".into()).spawn(work)?;
        Ok(Asker { ask, answers, is_asking: false })
    }

    /// Asks, unless the last answer is still to come.
    pub fn ask(&mut self) {
        if !self.is_asking {
            self.is_asking = self.ask.try_send(()).is_ok();
        }
    }

    pub fn answer(&mut self) -> Result<Option<Result<Snapshot, FetchError>>, AskerGone> {
        match self.answers.try_recv() {
            Ok(answer) => {
                self.is_asking = false;
                Ok(Some(answer))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(AskerGone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_plain_http() {
        for (url, base) in [
            ("http://127.0.0.1:9002", "http://127.0.0.1:9002/"),
            ("127.0.0.1:9002", "http://127.0.0.1:9002/"),
            ("http://[::1]:9002/", "http://[::1]:9002/"),
            ("http://tape.example/east/", "http://tape.example/east/"),
        ] {
            assert_eq!(Source::parse(url).expect("a good URL").url(), base);
        }
        for (url, word) in [
            ("ws://127.0.0.1:9001/", "admin port"),
            ("https://a/", "TLS"),
            ("http://a/?x=1", "query"),
            ("", "not a URL"),
            ("http://", "http://127.0.0.1:9002/"),
        ] {
            let error = Source::parse(url).expect_err("no admin port").to_string();
            assert!(error.contains(word) && error.contains(&format!("{url:?}")), "{error}");
        }
    }
}
