//! The stream of JetStream that keeps what was published, and the bucket of the lease.

use super::lease::TTL;
use super::{PublishError, StreamOptions};
use crate::feed::nats::{Marks, Prefix, SubjectKind};
use crate::market::{Channel, Symbol};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode, Message, kv};
use futures::StreamExt;
use std::time::Duration;

/// In this time the stream knows a message again by its id: longer than any reconnect whose
/// unacknowledged messages are sent once more.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Last messages that are asked for at a time.
const FETCH_MAX: usize = 2_000;

/// For the next of them to come. A server that starts from a large stream is slow at first.
const FETCH_PATIENCE: Duration = Duration::from_secs(20);

/// Where the key of the lease lies. Entries age out by themselves; in memory, so that a full disk
/// takes the lease from nobody.
pub const LEASE_KEY: &str = "leader";

/// The stream as it is to be.
pub fn wanted(prefix: &Prefix, options: &StreamOptions) -> Config {
    Config {
        name: prefix.stream(),
        description: Some("What tapecast publish has sent".into()),
        subjects: SubjectKind::ALL.map(|kind| prefix.all_of(kind)).to_vec(),
        max_age: options.max_age,
        max_bytes: i64::try_from(options.max_bytes).unwrap_or(i64::MAX),
        max_messages: -1,
        max_messages_per_subject: options.max_per_subject.map_or(-1, i64::from),
        max_consumers: -1,
        discard: DiscardPolicy::Old,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: options.replicas,
        duplicate_window: DUPLICATE_WINDOW.min(options.max_age),
        allow_direct: true,
        ..Config::default()
    }
}

/// Makes the stream, or takes the one that is there if it is as wanted.
pub async fn set_up(
    context: &Context,
    prefix: &Prefix,
    options: &StreamOptions,
) -> Result<Stream, PublishError> {
    let wanted = wanted(prefix, options);
    let name = wanted.name.clone();
    match context.get_stream(&name).await {
        Ok(stream) => {
            let differs = differences(&stream.cached_info().config, &wanted);
            if differs.is_empty() {
                return Ok(stream);
            }
            if !options.update {
                let differs = differs.join(", ");
                return Err(PublishError::StreamDiffers { name, differs });
            }
            context
                .update_stream(&wanted)
                .await
                .map_err(|error| failed("update", &name, &error))?;
            tracing::info!("stream {name} is changed: {}", differs.join(", "));
        }
        Err(error) if is_missing(error.kind()) => {
            context.create_stream(wanted).await.map_err(|error| match error.kind() {
                CreateStreamErrorKind::JetStreamUnavailable => PublishError::NoJetStream,
                _ => failed("create", &name, &error),
            })?;
            tracing::info!("stream {name} is made");
        }
        Err(error) => return Err(failed("find", &name, &error)),
    }
    context.get_stream(&name).await.map_err(|error| failed("find", &name, &error))
}

/// The bucket of the lease: made, or found. Its stream is made by ourselves: the library would ask
/// for the account first, whose answer from servers before 2.10 it cannot read.
pub async fn bucket(
    context: &Context,
    prefix: &Prefix,
    options: &StreamOptions,
) -> Result<kv::Store, PublishError> {
    let name = lease_name(prefix);
    if let Ok(store) = context.get_key_value(&name).await {
        return replicated(context, store, options).await;
    }
    let made = context.create_stream(lease_config(prefix, options)).await;
    made.map_err(|error| failed("create bucket", &name, &error))?;
    context.get_key_value(&name).await.map_err(|error| failed("find bucket", &name, &error))
}

/// A bucket that is there, on as many servers as the stream where it may be changed.
async fn replicated(
    context: &Context,
    store: kv::Store,
    options: &StreamOptions,
) -> Result<kv::Store, PublishError> {
    let is = &store.stream.cached_info().config;
    let (count, wanted) = (is.num_replicas, options.replicas);
    if count == wanted {
        return Ok(store);
    }
    let name = &store.name;
    if !options.update {
        tracing::warn!(
            "the bucket {name} of the lease has {count} replicas and not {wanted}; while its \
             servers are away nobody can take over. Give --update-stream once to change it"
        );
        return Ok(store);
    }
    let config = Config { num_replicas: wanted, ..is.clone() };
    let updated = context.update_stream(config).await;
    updated.map_err(|error| failed("update bucket", name, &error))?;
    tracing::info!("the bucket {name} of the lease has {wanted} replicas now, not {count}");
    Ok(store)
}

fn lease_name(prefix: &Prefix) -> String {
    format!("{}_LEASE", prefix.stream())
}

/// On as many servers as the stream: with fewer, the loss of one could leave all standing by.
fn lease_config(prefix: &Prefix, options: &StreamOptions) -> Config {
    let name = lease_name(prefix);
    Config {
        name: format!("KV_{name}"),
        description: Some("Which tapecast publish leads".into()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_messages: -1,
        max_consumers: -1,
        max_age: TTL,
        max_bytes: 64 * 1024,
        storage: StorageType::Memory,
        discard: DiscardPolicy::New,
        duplicate_window: TTL,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: options.replicas,
        ..Config::default()
    }
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn failed(what: &'static str, name: &str, error: &dyn std::error::Error) -> PublishError {
    let why = error.to_string();
    // The library's words for a question that nobody took; its kinds differ with each question.
    let nobody = ["no responders", "jetstream unavailable", "resource does not exist"];
    match nobody.iter().any(|words| why.contains(words)) {
        true => PublishError::NoJetStream,
        false => PublishError::JetStream { what, name: name.into(), why },
    }
}

/// What of the stream that is there is not as wanted, in words.
fn differences(is: &Config, wanted: &Config) -> Vec<String> {
    let mut differs = Vec::new();
    let mut compare = |what: &str, is: String, wanted: String| {
        if is != wanted {
            differs.push(format!("{what} is {is} and not {wanted}"));
        }
    };
    let mut subjects = [is.subjects.clone(), wanted.subjects.clone()];
    subjects.iter_mut().for_each(|subjects| subjects.sort());
    let [subjects, wanted_subjects] = subjects.map(|subjects| subjects.join(" "));
    compare("subjects", subjects, wanted_subjects);
    compare("max_age", format!("{:?}", is.max_age), format!("{:?}", wanted.max_age));
    compare("max_bytes", is.max_bytes.to_string(), wanted.max_bytes.to_string());
    let per_subject = |config: &Config| config.max_messages_per_subject.max(-1).to_string();
    compare("max per subject", per_subject(is), per_subject(wanted));
    compare("replicas", is.num_replicas.to_string(), wanted.num_replicas.to_string());
    compare("discard", format!("{:?}", is.discard), format!("{:?}", wanted.discard));
    compare("retention", format!("{:?}", is.retention), format!("{:?}", wanted.retention));
    compare("storage", format!("{:?}", is.storage), format!("{:?}", wanted.storage));
    let window = |config: &Config| format!("{:?}", config.duplicate_window);
    compare("duplicate window", window(is), window(wanted));
    differs
}

/// What the stream says of those who published before.
#[derive(Debug, Default)]
pub struct Found {
    /// Of the newest message.
    pub epoch: Option<String>,
    /// The highest of all.
    pub term: u64,
    /// Where the stream ends, 0 where nothing was ever stored.
    pub stream_seq: u64,
    /// Its first messages are gone: a symbol that was quiet for long may have numbers all the same.
    pub was_cut: bool,
    /// The last number of each symbol and channel, with its epoch.
    pub last: Vec<(Symbol, Channel, u64, String)>,
}

/// Reads the last message of each subject, without its lines.
pub async fn read(stream: &Stream, prefix: &Prefix) -> Result<Found, PublishError> {
    let (mut found, mut newest) = (Found::default(), 0);
    for kind in SubjectKind::ALL {
        read_kind(stream, prefix, kind, |message| found.take(prefix, message, &mut newest)).await?;
    }
    let state =
        stream.get_info().await.map_err(|error| failed("read", &prefix.stream(), &error))?;
    found.stream_seq = state.state.last_sequence;
    found.was_cut = state.state.first_sequence > 1;
    Ok(found)
}

async fn read_kind(
    stream: &Stream,
    prefix: &Prefix,
    kind: SubjectKind,
    mut take: impl FnMut(&Message),
) -> Result<(), PublishError> {
    let name = prefix.stream();
    let config = pull::Config {
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        headers_only: true,
        // By kind, since the filter must lie within one of the stream's subjects.
        filter_subject: prefix.all_of(kind),
        inactive_threshold: Duration::from_secs(60),
        ..pull::Config::default()
    };
    let wrong = |error: &dyn std::error::Error| failed("read", &name, error);
    let consumer = stream.create_consumer(config).await.map_err(|error| wrong(&error))?;
    let mut pending = consumer.cached_info().num_pending;
    while pending > 0 {
        let fetch = consumer.fetch().max_messages(FETCH_MAX).messages();
        let mut messages = fetch.await.map_err(|error| wrong(&error))?;
        let mut count = 0;
        while let Ok(Some(message)) = tokio::time::timeout(FETCH_PATIENCE, messages.next()).await {
            let message = message.map_err(|error| failed("read", &name, &*error))?;
            count += 1;
            pending = message.info().map_or(pending.saturating_sub(1), |info| info.pending);
            take(&message);
        }
        if count == 0 {
            let why = format!("{pending} subjects are still to come, and do not");
            return Err(PublishError::JetStream { what: "read", name, why });
        }
    }
    let _ = stream.delete_consumer(&consumer.cached_info().name).await;
    Ok(())
}

impl Found {
    fn take(&mut self, prefix: &Prefix, message: &Message, newest: &mut u64) {
        let Some(marks) = Marks::of(message.headers.as_ref()) else { return };
        let stream_seq = message.info().map_or(0, |info| info.stream_sequence);
        if stream_seq > *newest {
            *newest = stream_seq;
            self.epoch = Some(marks.epoch.to_string());
        }
        self.term = self.term.max(marks.term);
        if let Some((symbol, channel)) = of_subject(prefix, &message.subject) {
            self.last.push((symbol, channel, marks.last, marks.epoch.to_string()));
        }
    }
}

/// Symbol and channel of a subject; `None` where another program has put something there.
pub fn of_subject(prefix: &Prefix, subject: &str) -> Option<(Symbol, Channel)> {
    let (kind, token) = prefix.split(subject)?;
    let symbol = Symbol::parse(&crate::feed::nats::unescape(token)?).ok()?;
    Some((symbol, channel(kind)))
}

fn channel(kind: SubjectKind) -> Channel {
    match kind {
        SubjectKind::Trades => Channel::Trades,
        SubjectKind::Quotes => Channel::Quotes,
        SubjectKind::Bars => Channel::Bars,
    }
}

pub fn kind(channel: Channel) -> SubjectKind {
    match channel {
        Channel::Trades => SubjectKind::Trades,
        Channel::Quotes => SubjectKind::Quotes,
        Channel::Bars => SubjectKind::Bars,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_otherwise_is_told_of_in_words() {
        let options = StreamOptions::default();
        let wanted = wanted(&Prefix::default(), &options);
        assert_eq!(wanted.name, "TAPE");
        assert_eq!(wanted.subjects, ["tape.t.>", "tape.q.>", "tape.b.>"]);
        let mut is = wanted.clone();
        is.subjects.reverse();
        is.max_messages_per_subject = -1;
        assert!(differences(&is, &wanted).is_empty());
        is.max_age = Duration::from_secs(60);
        is.num_replicas = 3;
        let differs = differences(&is, &wanted);
        assert_eq!(differs, ["max_age is 60s and not 3600s", "replicas is 3 and not 1"]);
    }

    #[test]
    fn the_lease_is_on_as_many_servers_as_the_stream() {
        let options = StreamOptions { replicas: 3, ..StreamOptions::default() };
        let prefix = Prefix::default();
        let lease = lease_config(&prefix, &options);
        assert_eq!((lease.name.as_str(), lease.num_replicas), ("KV_TAPE_LEASE", 3));
        assert_eq!(wanted(&prefix, &options).num_replicas, lease.num_replicas);
    }

    #[test]
    fn subjects_name_symbol_and_channel() {
        let prefix = Prefix::default();
        let (symbol, channel) = of_subject(&prefix, "tape.q.BRK%2EB").expect("one of ours");
        assert_eq!((symbol.as_str(), channel), ("BRK.B", Channel::Quotes));
        assert_eq!(of_subject(&prefix, "tape.q.%"), None);
        assert_eq!(prefix.subject(kind(Channel::Bars), "A"), "tape.b.A");
    }
}
