//! What the JetStream stream has of before.

use super::reign::Position;
use super::subject::{Prefix, SubjectKind};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{GetStreamByNameErrorKind, RequestError, RequestErrorKind};
use async_nats::jetstream::stream::{Info, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, HeaderMap, Message};
use futures::StreamExt;
use std::error::Error;
use std::fmt::Display;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

/// Messages that are asked for at once: with the longest payload 16 MiB, with an ordinary one
/// some hundred KiB.
const BATCH: usize = 256;

/// How long the server may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// After so long without a question the server forgets the consumer, should it not be deleted.
const FORGET: Duration = Duration::from_secs(30);

/// Looks for a place to begin at; each halves the distance.
const SEARCHES_MAX: u32 = 12;

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The last message of each symbol's quotes and bars, and so many messages of trades at most.
    Fill { trades_max: u64 },
    /// Everything behind this.
    From(Position),
}

impl Plan {
    /// The one that has what both have.
    pub fn and(self, other: Plan) -> Plan {
        match (self, other) {
            (Plan::From(a), Plan::From(b)) if b.stream_seq < a.stream_seq => Plan::From(b),
            (Plan::Fill { .. }, _) | (Plan::From(_), Plan::From(_)) => self,
            (_, Plan::Fill { .. }) => other,
        }
    }
}

/// What is read.
#[derive(Debug)]
pub enum Read {
    /// The headers of the stream's newest message, before all others.
    Newest(HeaderMap),
    Message(Message),
    /// All was given up to this sequence number of the stream.
    Done(u64),
    /// There is no such stream, or no JetStream at all.
    Absent,
    /// The text says what did not work.
    Failed(String),
}

/// Reads on a task of its own, as fast as what it gives is taken. Dropping the receiver ends it.
pub fn read(client: Client, prefix: Prefix, plan: Plan) -> Receiver<Read> {
    let (sender, receiver) = mpsc::channel(BATCH);
    tokio::spawn(async move {
        let end = match read_all(client, &prefix, plan, &sender).await {
            Ok(end) => end,
            Err(why) => Read::Failed(why),
        };
        // Who dropped the receiver does not want to know.
        let _ = sender.send(end).await;
    });
    receiver
}

async fn read_all(
    client: Client,
    prefix: &Prefix,
    plan: Plan,
    sender: &Sender<Read>,
) -> Result<Read, String> {
    let Some(stream) = find(client, prefix).await? else { return Ok(Read::Absent) };
    let info = within(stream.get_info()).await?;
    let target = info.state.last_sequence;
    if let Ok(newest) = within(stream.get_raw_message(target)).await {
        let _ = sender.send(Read::Newest(newest.headers)).await;
    }
    let pass = Pass { stream: &stream, target, sender };
    match plan {
        Plan::From(position) => {
            // A position beyond the end is of a stream that was there before this one.
            let is_of_this = position.stream_seq <= target;
            let start_sequence = if is_of_this { position.stream_seq + 1 } else { 1 };
            if start_sequence <= target {
                let policy = DeliverPolicy::ByStartSequence { start_sequence };
                let consumer = pass.consumer(prefix.wildcard(), policy).await?;
                pass.run(consumer).await?;
            }
        }
        Plan::Fill { trades_max } => {
            for kind in [SubjectKind::Quotes, SubjectKind::Bars] {
                let policy = DeliverPolicy::LastPerSubject;
                let consumer = pass.consumer(prefix.all_of(kind), policy).await?;
                pass.run(consumer).await?;
            }
            let trades = prefix.all_of(SubjectKind::Trades);
            let consumer = pass.newest_of(&trades, trades_max, &info).await?;
            pass.run(consumer).await?;
        }
    }
    Ok(Read::Done(target))
}

/// The stream that takes the trades; `None` where there is none.
async fn find(client: Client, prefix: &Prefix) -> Result<Option<Stream>, String> {
    let mut context = jetstream::new(client);
    context.set_timeout(ANSWER_MAX);
    let name = match context.stream_by_subject(prefix.all_of(SubjectKind::Trades)).await {
        Ok(name) => name,
        Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => return Ok(None),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    within(context.get_stream(name)).await.map(Some)
}

/// Nobody answers for JetStream, or it is not enabled for this account.
fn is_absent(error: &(dyn Error + 'static)) -> bool {
    let not_enabled =
        [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.into_iter().any(|cause| {
        let request = cause.downcast_ref::<RequestError>();
        let answer = cause.downcast_ref::<jetstream::Error>();
        request.is_some_and(|error| error.kind() == RequestErrorKind::NoResponders)
            || answer.is_some_and(|error| not_enabled.contains(&error.error_code()))
    })
}

/// One reading of one stream.
struct Pass<'a> {
    stream: &'a Stream,
    /// What is stored behind this comes live.
    target: u64,
    sender: &'a Sender<Read>,
}

impl Pass<'_> {
    async fn consumer(
        &self,
        filter_subject: String,
        deliver_policy: DeliverPolicy,
    ) -> Result<PullConsumer, String> {
        let config = pull::Config {
            deliver_policy,
            filter_subject,
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGET,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        within(self.stream.create_consumer(config)).await
    }

    /// A consumer of the newest `most` messages of a subject, or of up to half as many.
    async fn newest_of(
        &self,
        subject: &str,
        most: u64,
        info: &Info,
    ) -> Result<PullConsumer, String> {
        let all = self.consumer(subject.into(), DeliverPolicy::All).await?;
        if all.cached_info().num_pending <= most {
            return Ok(all);
        }
        self.forget(&all).await;
        // Too many come from `early` on, and not too many from `late` on.
        let (mut early, mut late) = (info.state.first_sequence, self.target + 1);
        for _ in 0..SEARCHES_MAX {
            let start_sequence = early + (late - early) / 2;
            let policy = DeliverPolicy::ByStartSequence { start_sequence };
            let consumer = self.consumer(subject.into(), policy).await?;
            match consumer.cached_info().num_pending {
                pending if pending > most => early = start_sequence,
                pending if pending >= most / 2 => return Ok(consumer),
                _ => late = start_sequence,
            }
            self.forget(&consumer).await;
        }
        let policy = DeliverPolicy::ByStartSequence { start_sequence: late };
        self.consumer(subject.into(), policy).await
    }

    async fn run(&self, consumer: PullConsumer) -> Result<(), String> {
        let (mut pending, mut given) = (consumer.cached_info().num_pending, 0);
        while pending > 0 {
            let before = given;
            let fetch = consumer.fetch().max_messages(BATCH);
            let mut batch = within(fetch.messages()).await?;
            while let Some(message) = within(async { batch.next().await.transpose() }).await? {
                let info = message.info().map_err(|error| error.to_string())?;
                let (at, count) = (info.stream_sequence, info.consumer_sequence);
                pending = info.pending;
                if at > self.target {
                    pending = 0;
                    break;
                }
                given += 1;
                if count != given {
                    return Err(format!("message {given} of the stream's reading was lost"));
                }
                if self.sender.send(Read::Message(message.split().0)).await.is_err() {
                    return Ok(());
                }
            }
            if given == before {
                break; // what was there has been removed by the stream's retention
            }
        }
        self.forget(&consumer).await;
        Ok(())
    }

    /// The server would forget it too, somewhat later.
    async fn forget(&self, consumer: &PullConsumer) {
        let _ = within(self.stream.delete_consumer(&consumer.cached_info().name)).await;
    }
}

/// The answer, or in words why there is none.
async fn within<T, E: Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}
