//! Messages out: to NATS, and what the stream says of them.

use super::batch::Message;
use super::connection::Connection;
use super::counters::add;
use super::flight::{Flying, Outcome};
use super::options::PublishError;
use super::publisher::Publisher;
use super::stream::kind;
use crate::feed::nats::{META_EVERY_MS, Marks, Meta};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{StatusCode, header};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// For room in the client: where its socket takes nothing, the thread has other things to do.
const ROOM_PATIENCE: Duration = Duration::from_millis(5);

impl Publisher {
    /// The open messages are to go out.
    pub(super) fn close_batches(&mut self) {
        self.batch_began = None;
        if self.batches.is_empty() {
            return;
        }
        let epoch = self.epoch.get_or_insert_with(Publisher::new_epoch);
        let flying = |message| Flying { epoch: Arc::clone(epoch), message };
        self.outbox.extend(self.batches.take().map(flying));
    }

    pub(super) fn has_sent_all(&self) -> bool {
        self.again.is_empty() && self.outbox.is_empty()
    }

    /// Hands messages to the client while the lease holds and there is room: first those that go
    /// out once more.
    pub(super) async fn send(&mut self, connection: &Connection) -> Result<(), PublishError> {
        while let Some((number, flying)) = self.again.front() {
            if !self.hand_over(connection, flying, Some(*number)).await? {
                return Ok(());
            }
            self.again.pop_front();
            add(&self.counters.resent, 1);
        }
        while self.flight.has_room()
            && let Some(flying) = self.outbox.front()
        {
            let number = self.options.stream.as_ref().map(|_| self.flight.next_number());
            if !self.hand_over(connection, flying, number).await? {
                return Ok(());
            }
            let flying = self.outbox.pop_front().expect("it was looked at right above");
            self.count(&flying.message);
            if number.is_some() {
                self.unstored.sends(&flying.message);
                self.flight.push(flying, Instant::now());
            }
        }
        Ok(())
    }

    fn count(&self, message: &Message) {
        add(&self.counters.messages, 1);
        add(&self.counters.lines, message.lines as u64);
        add(&self.counters.bytes, message.payload.len() as u64);
    }

    /// False: the lease does not hold, or the client has no room.
    async fn hand_over(
        &self,
        connection: &Connection,
        flying: &Flying,
        number: Option<u64>,
    ) -> Result<bool, PublishError> {
        let Flying { epoch, message } = flying;
        // Right before each message: the process may have been stopped since the one before.
        if !self.lease.may_publish(Instant::now()) {
            return Ok(false);
        }
        let prefix = &self.options.prefix;
        let subject = prefix.subject(kind(message.channel), message.symbol.as_str());
        let (first, last) = (message.from, message.to);
        let mut headers = Marks { epoch, term: self.lease.term(), first, last }.to_headers();
        let (client, payload) = (&connection.client, message.payload.clone());
        let handed = match number {
            Some(number) => {
                let of = &subject[prefix.as_str().len()..];
                headers.insert(header::NATS_MESSAGE_ID, format!("{epoch}{of}.{first}-{last}"));
                let reply = connection.ack_subject(number);
                let publish =
                    client.publish_with_reply_and_headers(subject, reply, headers, payload);
                timeout(ROOM_PATIENCE, publish).await
            }
            None => {
                timeout(ROOM_PATIENCE, client.publish_with_headers(subject, headers, payload)).await
            }
        };
        match handed {
            Err(_) => Ok(false),
            Ok(Ok(())) => Ok(true),
            Ok(Err(_)) => Err(PublishError::Lost),
        }
    }

    /// The stream, or its absence, answers for a message.
    pub(super) fn take_ack(&mut self, ack: &async_nats::Message) {
        let number = ack.subject.rsplit('.').next().and_then(|token| token.parse().ok());
        let Some(number) = number else { return };
        self.misses_stream |= ack.status == Some(StatusCode::NO_RESPONDERS);
        let (outcome, why, is_repeated) = read_ack(ack);
        let Some(flying) = self.flight.settle(number, outcome) else { return };
        let counters = &self.counters;
        if let Outcome::Stored(_) = outcome {
            self.unstored.is_stored(&flying.message);
            add(if is_repeated { &counters.repeated } else { &counters.stored }, 1);
            return;
        }
        add(&counters.unstored, 1);
        let must_change = self.unstored.failed(&flying.message);
        self.warn(&format!("the stream stores nothing: {why}; live goes on"));
        if must_change {
            self.end_epoch();
        }
    }

    /// Numbers have run away from what is stored, or the stream keeps some no more: who reads it
    /// must not continue them.
    pub(super) fn end_epoch(&mut self) {
        if self.feed_epoch.is_some() {
            return;
        }
        let root = self.epoch.as_deref().map_or("", root);
        let ends = self.epoch.as_deref().and_then(|epoch| epoch.split_once('+')?.1.parse().ok());
        let next = format!("{root}+{}", ends.unwrap_or(0_u32).saturating_add(1));
        tracing::warn!(
            "epoch {next} begins: the stream does not know all numbers of the one before"
        );
        self.close_batches();
        self.unstored.begin();
        self.may_lack_positions = false;
        self.epoch = Some(Arc::from(next));
        self.meta_is_due = true;
    }

    /// Says that this publisher is there, or that it goes.
    pub(super) async fn say_meta(&mut self, connection: &Connection, leaving: bool) {
        if !self.lease.may_publish(Instant::now()) {
            return;
        }
        let epoch = self.epoch.get_or_insert_with(Publisher::new_epoch).to_string();
        let meta = Meta {
            epoch,
            term: self.lease.term(),
            instance: self.options.instance.clone(),
            state: self.states.together(),
            stream_seq: self.options.stream.as_ref().map(|_| self.flight.stored_seq()),
            every_ms: META_EVERY_MS,
            leaving,
        };
        let subject = self.options.prefix.meta();
        let publish = connection.client.publish(subject, meta.to_payload().into());
        let _ = timeout(ROOM_PATIENCE, publish).await;
    }
}

/// The part of an epoch's text that stays when it ends for what was not stored.
pub fn root(epoch: &str) -> &str {
    epoch.split('+').next().unwrap_or(epoch)
}

/// Outcome, in words what is wrong, and whether the stream had it already.
fn read_ack(ack: &async_nats::Message) -> (Outcome, String, bool) {
    if ack.status == Some(StatusCode::NO_RESPONDERS) {
        return (Outcome::Failed, "there is no stream to take it".into(), false);
    }
    match serde_json::from_slice::<Response<PublishAck>>(&ack.payload) {
        Ok(Response::Ok(ack)) => (Outcome::Stored(ack.sequence), String::new(), ack.duplicate),
        Ok(Response::Err { error }) => (Outcome::Failed, error.to_string(), false),
        Err(error) => (Outcome::Failed, format!("its answer is none ({error})"), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(payload: &str, status: Option<StatusCode>) -> async_nats::Message {
        async_nats::Message {
            subject: "_INBOX.x.7".into(),
            reply: None,
            payload: payload.to_string().into(),
            headers: None,
            status,
            description: None,
            length: payload.len(),
        }
    }

    #[test]
    fn acks_say_stored_repeated_or_failed() {
        let stored = read_ack(&ack(r#"{"stream":"TAPE","seq":41}"#, None));
        assert_eq!((stored.0, stored.2), (Outcome::Stored(41), false));
        let known = read_ack(&ack(r#"{"stream":"TAPE","seq":41,"duplicate":true}"#, None));
        assert_eq!((known.0, known.2), (Outcome::Stored(41), true));
        let error = r#"{"error":{"code":503,"err_code":10077,"description":"no space left"}}"#;
        let failed = read_ack(&ack(error, None));
        assert_eq!(failed.0, Outcome::Failed);
        assert!(failed.1.contains("no space left"), "{}", failed.1);
        assert_eq!(read_ack(&ack("", Some(StatusCode::NO_RESPONDERS))).0, Outcome::Failed);
        assert_eq!(read_ack(&ack("?", None)).0, Outcome::Failed);
    }

    #[test]
    fn an_epoch_keeps_its_root() {
        assert_eq!((root("6439f-2a+3"), root("6439f-2a")), ("6439f-2a", "6439f-2a"));
    }
}
