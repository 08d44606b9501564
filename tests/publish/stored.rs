//! What the stream has.

use crate::listener::{Heard, heard};
use crate::nats_server::NatsServer;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Asks JetStream something.
pub fn ask<T>(server: &NatsServer, question: impl AsyncFnOnce(Context) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = async_nats::connect(server.url()).await.expect("the server is up");
        question(jetstream::new(client)).await
    })
}

/// Where the stream ends.
pub fn last_sequence(server: &NatsServer) -> u64 {
    ask(server, async |context| {
        let stream = context.get_stream("TAPE").await;
        stream.map_or(0, |stream| stream.cached_info().state.last_sequence)
    })
}

/// All messages of the stream, in its order.
pub fn all(server: &NatsServer) -> Vec<Heard> {
    ask(server, async |context| {
        let stream: Stream = context.get_stream("TAPE").await.expect("the stream");
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(30),
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.expect("a consumer");
        let count = consumer.cached_info().num_pending as usize;
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            let fetch = consumer.fetch().max_messages(5_000).messages();
            let mut fetched = fetch.await.expect("messages");
            while let Some(message) = fetched.next().await {
                messages.push(heard(Instant::now(), &message.expect("a message")));
            }
        }
        messages
    })
}

/// How often each number is stored, by subject: panics where one is stored twice. Gives the number
/// of numbers, those of gaps aside.
pub fn assert_each_once(messages: &[Heard]) -> usize {
    let mut seen: BTreeMap<(&str, u64), &Heard> = BTreeMap::new();
    for message in messages {
        for line in message.lines.iter().filter(|line| line["T"] != "gap") {
            let sq = line["sq"].as_u64().expect("a number");
            let before = seen.insert((&message.subject, sq), message);
            assert!(
                before.is_none(),
                "{} has {sq} twice: {before:?}, {message:?}",
                message.subject
            );
        }
    }
    seen.len()
}
