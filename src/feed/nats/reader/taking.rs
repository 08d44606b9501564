//! What becomes of each message: given, kept back or dropped.

use super::super::backlog::Backlog;
use super::super::counters::NatsCounters;
use super::super::headers::Marks;
use super::super::history::Read;
use super::super::meta::Meta;
use super::super::outbox::MESSAGE_BYTES_MAX;
use super::super::reign::{Heard, Verdict};
use super::{BACKLOG_BYTES_MAX, FOREIGN_BYTES_MAX, MESSAGES_MAX, READ_AGAIN_MS, Reader, Reading};
use async_nats::Message;

/// After so long without success live messages go on without what should come before them.
const GIVE_UP_MS: u64 = 10_000;

impl Reader {
    /// What waited goes on, in its order.
    pub(super) fn drain(&mut self) {
        if self.holds() || self.outbox.is_backed_up() {
            return;
        }
        for _ in 0..MESSAGES_MAX {
            let Some(message) = self.backlog.pop() else {
                self.outbox.waits(false);
                break;
            };
            self.give(message);
        }
        self.outbox.close_block();
    }

    /// A live message.
    pub(super) fn take(&mut self, message: Message) {
        if message.subject.as_str() == self.following.prefix.meta() {
            self.hear(&message);
        } else if self.holds() || !self.backlog.is_empty() || self.outbox.is_backed_up() {
            if !self.backlog.push(message) {
                self.overflow();
            }
        } else {
            self.give(message);
        }
    }

    /// Too much waited: what was thrown away is in the stream, or lost.
    fn overflow(&mut self) {
        tracing::warn!("nats: more came than can wait; what was left out is read from the stream");
        let plan = self.reading.as_ref().map_or_else(|| self.since_well(), |now| now.plan);
        if self.counters.has_history() {
            self.need(plan);
        }
    }

    fn hear(&mut self, message: &Message) {
        let Some(mut meta) = Meta::parse(&message.payload) else {
            return NatsCounters::count(&self.counters.strange);
        };
        if self.holds() || !self.backlog.is_empty() || self.outbox.is_backed_up() {
            meta.stream_seq = None; // what was sent before it still waits, and may be thrown away
        }
        let (servers, now_ms) = (&self.following.servers, self.now_ms());
        match self.reign.hear(&meta, now_ms) {
            Heard::Nothing => {}
            Heard::NewTerm => {
                tracing::info!("nats: {} publishes now, in term {}", meta.instance, meta.term);
            }
            Heard::Rivals(ours, other) => tracing::warn!(
                "nats: two publish at {servers}, {ours} and {other}, each in an epoch of its own; \
                 {ours} is followed until it is silent: give both the same lease, or stop one"
            ),
            Heard::NewEpoch => {
                tracing::info!("nats: {} publishes, epoch {}", meta.instance, meta.epoch);
                self.recall_foreign();
                if self.read_ms > 0 {
                    self.reading = None;
                    self.need(self.fill());
                }
            }
        }
        if meta.stream_seq.is_some() && !self.counters.has_history() && self.told_absent {
            self.told_absent = false;
            self.need(self.fill());
        }
        self.tell_state();
    }

    /// What came before its epoch was in force goes before what came since.
    fn recall_foreign(&mut self) {
        let foreign = std::mem::replace(&mut self.foreign, Backlog::new(FOREIGN_BYTES_MAX));
        let waiting = std::mem::replace(&mut self.backlog, foreign.widened(BACKLOG_BYTES_MAX));
        self.backlog.append(waiting);
    }

    /// A message whose turn it is.
    fn give(&mut self, message: Message) {
        let now_ms = self.now_ms();
        let Some(marks) = self.marks(&message) else { return };
        match self.reign.judge(marks, now_ms) {
            Verdict::Ours => self.outbox.lines(marks.epoch, &message.payload),
            Verdict::OldTerm => NatsCounters::count(&self.counters.dropped_by_term),
            Verdict::Foreign => {
                NatsCounters::count(&self.counters.dropped_by_epoch);
                // When it is too much, what comes later is worth more.
                self.foreign.push(message);
            }
        }
    }

    fn marks<'a>(&self, message: &'a Message) -> Option<Marks<'a>> {
        let is_ours = self.following.prefix.split(&message.subject).is_some();
        let fits = message.payload.len() <= MESSAGE_BYTES_MAX;
        let marks = Marks::of(message.headers.as_ref()).filter(|_| is_ours && fits);
        if marks.is_none() {
            NatsCounters::count(&self.counters.strange);
        }
        marks
    }

    pub(super) fn take_read(&mut self, read: Read) {
        let now_ms = self.now_ms();
        match read {
            Read::Newest(headers) => {
                if let Some(marks) = Marks::of(Some(&headers))
                    && self.reign.epoch().is_none()
                {
                    self.reign.adopt(marks);
                }
                self.counters.set_history(true);
            }
            Read::Message(message) => self.take_history(&message),
            Read::Done(reached) => {
                self.counters.set_history(true);
                self.reign.reached(reached, now_ms);
                (self.reading, self.told_failed) = (None, false);
                tracing::debug!("nats: the stream is read up to {reached}");
            }
            // A server that has just been started may not have it yet.
            Read::Absent
                if self.counters.has_history() && now_ms < self.due_since_ms + GIVE_UP_MS =>
            {
                self.fail("no such stream", now_ms);
            }
            Read::Absent => {
                self.counters.set_history(false);
                self.reading = None;
                if !std::mem::replace(&mut self.told_absent, true) {
                    let prefix = self.following.prefix.as_str();
                    tracing::warn!(
                        "nats: no stream of JetStream takes {prefix}.t.>, so what is missed is \
                         lost: give publish --jetstream"
                    );
                }
            }
            Read::Failed(why) => self.fail(&why, now_ms),
        }
    }

    fn take_history(&mut self, message: &Message) {
        let Some(marks) = self.marks(message) else { return };
        let Some(reading) = &mut self.reading else { return };
        NatsCounters::count(&self.counters.history_messages);
        match self.reign.judge_history(marks, &mut reading.term) {
            Verdict::Ours => self.outbox.lines(marks.epoch, &message.payload),
            Verdict::OldTerm => NatsCounters::count(&self.counters.dropped_by_term),
            Verdict::Foreign => NatsCounters::count(&self.counters.dropped_by_epoch),
        }
    }

    fn fail(&mut self, why: &str, now_ms: u64) {
        let Some(Reading { plan, .. }) = self.reading.take() else { return };
        let since_ms = self.due_since_ms;
        if now_ms < since_ms + GIVE_UP_MS {
            if !std::mem::replace(&mut self.told_failed, true) {
                tracing::warn!("nats: cannot read the stream: {why}; tried again");
            }
            self.need(plan);
            (self.due_since_ms, self.due_ms) = (since_ms, now_ms + READ_AGAIN_MS);
        } else {
            tracing::error!("nats: cannot read the stream: {why}; what is missed is lost");
        }
    }
}
