//! One connection to NATS, with all that is asked of it. A lost one is never made again: another
//! takes its place, so that nothing that waited in it goes out later.

use super::lease::{Answer, Ask, TTL};
use super::options::{PublishError, PublishOptions};
use super::stream::{self, LEASE_KEY};
use crate::feed::nats::{Link, connect_once};
use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError as AckError, PublishErrorKind};
use async_nats::jetstream::kv;
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, Subscriber, jetstream};
use bytes::Bytes;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// For an answer about the lease: after this, the next question has a chance before the fence.
const LEASE_PATIENCE: Duration = Duration::from_millis(400);

/// For the server's word that it has a subscription.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);

pub struct Connection {
    pub client: Client,
    link: Arc<Link>,
    /// Of the stream, by the numbers of messages.
    pub acks: Subscriber,
    inbox: String,
    /// What publishers say of themselves.
    pub metas: Subscriber,
    /// What another publishes, while this one stands by.
    pub live: Option<Subscriber>,
    pub store: Option<Store>,
}

/// What JetStream has for a publisher.
pub struct Store {
    pub stream: Stream,
    /// `None` where there is no lease.
    pub bucket: Option<kv::Store>,
}

impl Connection {
    /// Connects and subscribes.
    pub async fn open(options: &PublishOptions) -> Result<Connection, PublishError> {
        let link = Arc::new(Link::default());
        let name = format!("tapecast publish {}", options.instance);
        let client = connect_once(&options.servers, &options.nats, &name, &link).await?;
        let inbox = client.new_inbox();
        let subscribe =
            async |subject: String| client.subscribe(subject).await.map_err(|_| PublishError::Lost);
        let acks = subscribe(format!("{inbox}.*")).await?;
        let metas = subscribe(options.prefix.meta()).await?;
        Ok(Connection { client, link, acks, inbox, metas, live: None, store: None })
    }

    /// Makes or finds stream and bucket.
    pub async fn set_up(&mut self, options: &PublishOptions) -> Result<(), PublishError> {
        let Some(wanted) = &options.stream else { return Ok(()) };
        let context = jetstream::new(self.client.clone());
        let stream = stream::set_up(&context, &options.prefix, wanted).await?;
        let bucket = match options.has_lease {
            true => Some(stream::bucket(&context, &options.prefix, wanted).await?),
            false => None,
        };
        self.store = Some(Store { stream, bucket });
        Ok(())
    }

    /// Hears what another publishes, from now on.
    pub async fn listen(&mut self, options: &PublishOptions) -> Result<(), PublishError> {
        // Kind and symbol are one token each; meta has one token less.
        let subject = format!("{}.*.*", options.prefix.as_str());
        let live = self.client.subscribe(subject).await.map_err(|_| PublishError::Lost)?;
        let flush = timeout(LISTEN_PATIENCE, self.client.flush()).await;
        flush.map_err(|_| PublishError::Lost)?.map_err(|_| PublishError::Lost)?;
        self.live = Some(live);
        Ok(())
    }

    pub fn is_up(&self) -> bool {
        // The event of a lost connection may find its queue full; the state is never late.
        let is_connected = self.client.connection_state() == State::Connected;
        is_connected && self.link.is_up.load(Ordering::Acquire)
    }

    /// Times that messages for us were dropped, because they were not taken quickly enough.
    pub fn dropped_count(&self) -> u64 {
        self.link.slow_consumer.load(Ordering::Relaxed)
    }

    /// Where the ack of a message is to go.
    pub fn ack_subject(&self, number: u64) -> String {
        format!("{}.{number}", self.inbox)
    }

    /// Asks about the lease in a task of its own; nothing else waits for it.
    pub fn ask(&self, ask: Ask, instance: &str) -> tokio::task::JoinHandle<Answer> {
        let bucket = self.store.as_ref().and_then(|store| store.bucket.clone());
        let value = Bytes::from(instance.to_string());
        tokio::spawn(async move {
            let Some(bucket) = bucket else { return Answer::NoJetStream };
            timeout(LEASE_PATIENCE, ask_bucket(&bucket, ask, value))
                .await
                .unwrap_or(Answer::Silence)
        })
    }

    /// Gives the lease back, so that another need not wait until it ages out.
    pub async fn give_back(&self, revision: u64) {
        let bucket = self.store.as_ref().and_then(|store| store.bucket.as_ref());
        if let Some(bucket) = bucket {
            let delete = bucket.delete_expect_revision(LEASE_KEY, Some(revision));
            if !matches!(timeout(LEASE_PATIENCE, delete).await, Ok(Ok(()))) {
                let ttl_ms = TTL.as_millis();
                tracing::warn!("the lease could not be given back; it ends within {ttl_ms} ms");
            }
        }
    }
}

async fn ask_bucket(bucket: &kv::Store, ask: Ask, value: Bytes) -> Answer {
    match ask {
        Ask::Renew(revision) => match bucket.update(LEASE_KEY, value, revision).await {
            Ok(revision) => Answer::Ours(revision),
            Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => Answer::Refused,
            Err(error) if is_no_jetstream(&error) => Answer::NoJetStream,
            Err(_) => Answer::Silence,
        },
        Ask::Create => match bucket.create(LEASE_KEY, value).await {
            Ok(revision) => Answer::Ours(revision),
            Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => Answer::Refused,
            Err(error) if is_no_jetstream(&error) => Answer::NoJetStream,
            Err(_) => Answer::Silence,
        },
    }
}

/// Whether nobody took the question: then there is no bucket for anybody.
fn is_no_jetstream(error: &(dyn Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(inner) = error {
        if let Some(ack) = inner.downcast_ref::<AckError>() {
            return ack.kind() == PublishErrorKind::StreamNotFound;
        }
        error = inner.source();
    }
    false
}
