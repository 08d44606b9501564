//! What a publisher is told, and why it cannot do it.

use crate::config::NatsSettings;
use crate::feed::nats::{NatsError, Prefix, Servers};
use std::io;
use std::time::Duration;

/// Where to publish, and how.
#[derive(Debug, Clone)]
pub struct PublishOptions {
    pub servers: Servers,
    pub nats: NatsSettings,
    pub prefix: Prefix,
    /// `None`: nothing is stored.
    pub stream: Option<StreamOptions>,
    /// Whether one of several publishers leads; only with a stream.
    pub has_lease: bool,
    /// For so long lines of one symbol are gathered for one message.
    pub batch: Duration,
    /// `None`: the stream's, or a new one.
    pub epoch: Option<String>,
    /// Host and process, for the nodes and for other publishers.
    pub instance: String,
    /// By feed, where lines of one sequence are one: whether its records bring their numbers.
    pub sequenced: Vec<bool>,
    /// The epoch that the feeds bring, where they bring one.
    pub feed_epoch: Option<String>,
}

/// The stream that keeps what was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    pub max_age: Duration,
    pub max_bytes: u64,
    pub max_per_subject: Option<u32>,
    pub replicas: usize,
    /// A stream that is there and differs is changed.
    pub update: bool,
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions {
            max_age: Duration::from_secs(3_600),
            max_bytes: 1 << 30,
            max_per_subject: None,
            replicas: 1,
            update: false,
        }
    }
}

/// Why nothing can be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error(
        "the NATS server has no JetStream; start nats-server with -js, or publish without \
         --jetstream"
    )]
    NoJetStream,
    #[error(
        "stream {name} is there and is otherwise: {differs}; give its values, or --update-stream"
    )]
    StreamDiffers { name: String, differs: String },
    #[error("cannot {what} {name} in JetStream: {why}")]
    JetStream { what: &'static str, name: String, why: String },
    #[error("the connection to NATS was lost")]
    Lost,
    #[error("it was told to end before the server had answered")]
    Stopped,
    #[error("cannot start the publishing thread: {0}; raise the limits of threads and descriptors")]
    Thread(#[from] io::Error),
}

impl PublishError {
    /// Whether trying again would end alike.
    pub fn is_final(&self) -> bool {
        match self {
            PublishError::StreamDiffers { .. } | PublishError::Thread(_) => true,
            PublishError::Nats(error) => {
                matches!(error, NatsError::BadUrl { .. } | NatsError::File { .. })
            }
            PublishError::NoJetStream
            | PublishError::JetStream { .. }
            | PublishError::Lost
            | PublishError::Stopped => false,
        }
    }
}
