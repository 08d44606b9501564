//! Who leads: what is heard of others, what the lease says, and what follows from both.

use super::connection::Connection;
use super::counters::{Role, add};
use super::lease::{Answer, Change};
use super::options::PublishError;
use super::outgo::root;
use super::publisher::{Publisher, wall_ns};
use super::stream;
use crate::feed::nats::{Marks, Meta};
use async_nats::Message;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What the one before published in its last second may be under way still, or may lie before what
/// our own feed has had since: trades of this time are told as lost, too.
const HEARD_SLACK_NS: i64 = 1_000_000_000;

impl Publisher {
    /// Another publisher's lines, heard as a standby.
    pub(super) fn hear(&mut self, message: &Message) {
        let Some(marks) = Marks::of(message.headers.as_ref()) else { return };
        let of = stream::of_subject(&self.options.prefix, &message.subject);
        let Some((symbol, channel)) = of else { return };
        add(&self.counters.heard, 1);
        // One that lost its lease without knowing: nodes pass its messages over, and so do we.
        if marks.term < self.lease.term() {
            return;
        }
        self.heard_ns = Some(wall_ns());
        self.lease.saw_term(marks.term);
        self.follow_epoch(marks.epoch);
        self.positions.heard(symbol, channel, marks.last);
    }

    /// What a publisher says of itself: another one, since our own is not sent back to us.
    pub(super) async fn hear_meta(
        &mut self,
        connection: &mut Connection,
        message: &Message,
    ) -> Result<(), PublishError> {
        let Some(meta) = Meta::parse(&message.payload) else { return Ok(()) };
        if meta.instance == self.options.instance {
            return Ok(());
        }
        if !self.options.has_lease {
            self.warn(&format!(
                "{} publishes on {} as well; stop one of the two, or give both --jetstream",
                meta.instance,
                self.options.prefix.wildcard()
            ));
            return Ok(());
        }
        if meta.term < self.lease.term() {
            return Ok(());
        }
        if self.role != Role::Standby {
            tracing::warn!("{} leads with term {}; this one stands by", meta.instance, meta.term);
            self.stand_by(connection).await?;
        }
        self.heard_ns = Some(wall_ns());
        self.lease.heard(meta.term, Instant::now());
        self.follow_epoch(&meta.epoch);
        if meta.leaving {
            tracing::info!("{} leaves", meta.instance);
            self.lease.leader_left();
        }
        Ok(())
    }

    /// The lease was asked for, or to be renewed.
    pub(super) async fn take_answer(
        &mut self,
        connection: &mut Connection,
        answer: Answer,
    ) -> Result<(), PublishError> {
        match self.lease.answered(answer, Instant::now()) {
            Change::None => {}
            Change::Acquired(term) => {
                // The feed's numbers go on where nobody else led meanwhile.
                let led = match self.role {
                    Role::Paused => self.another_led(connection).await?,
                    Role::Standby | Role::Leader => false,
                };
                if led {
                    // What came in that one's time is not known to be unsent.
                    self.heard_ns = Some(wall_ns());
                    self.forget_unsent();
                    self.enter(Role::Standby);
                    self.positions.were_deaf();
                    self.read_stream(connection).await?;
                }
                if self.role == Role::Paused {
                    self.lead(term);
                } else {
                    self.takes_over = true;
                }
            }
            Change::Lost => {
                tracing::warn!(
                    "the lease is lost; nothing is published until it is known who leads"
                );
                self.takes_over = false;
                if self.role == Role::Leader {
                    self.enter(Role::Paused);
                }
            }
        }
        Ok(())
    }

    /// Whether the stream has messages of a term above ours.
    async fn another_led(&mut self, connection: &Connection) -> Result<bool, PublishError> {
        let Some(store) = &connection.store else { return Ok(false) };
        let found = self.attend(stream::read(&store.stream, &self.options.prefix)).await?;
        Ok(found.term > self.counters.term.load(Ordering::Relaxed))
    }

    /// Another leads, or led: what we had not sent is dropped, since it gives these numbers anew.
    fn forget_unsent(&mut self) {
        let dropped = self.flight.drop_all() + self.outbox.len();
        add(&self.counters.dropped, dropped as u64);
        self.numbers.end_term(&mut self.positions);
        self.outbox.clear();
        self.again.clear();
        self.batches.clear();
        self.batch_began = None;
    }

    async fn stand_by(&mut self, connection: &mut Connection) -> Result<(), PublishError> {
        self.forget_unsent();
        self.takes_over = false;
        self.lease.given_back();
        self.enter(Role::Standby);
        self.attend(connection.listen(&self.options)).await?;
        // What was given while we did not listen.
        self.positions.were_deaf();
        self.read_stream(connection).await
    }

    /// The term begins: what was held goes out first, as far as nobody published it.
    pub(super) async fn begin_term(&mut self, connection: &mut Connection) {
        self.takes_over = false;
        connection.live = None;
        self.choose_epoch();
        self.numbers.begin_term();
        self.unstored.begin();
        self.take_held(self.heard_ns.map(|heard_ns| heard_ns - HEARD_SLACK_NS));
        self.lead(self.lease.term());
    }

    fn lead(&mut self, term: u64) {
        add(&self.counters.terms, 1);
        self.counters.term.store(term, Ordering::Relaxed);
        let epoch = self.epoch.as_deref().unwrap_or("");
        let known = self.positions.count();
        tracing::info!("publishes with term {term} in epoch {epoch}; {known} positions are known");
        self.meta_is_due = true;
        self.enter(Role::Leader);
    }

    fn enter(&mut self, role: Role) {
        self.role = role;
        self.counters.set_role(role);
    }

    /// The feeds' epoch, or that which was asked for, or that of the ones before, or a new one.
    fn choose_epoch(&mut self) {
        let wanted = self.feed_epoch.clone();
        let given = self.options.epoch.as_deref().map(Arc::from);
        let Some(wanted) = wanted.or(given) else {
            self.epoch.get_or_insert_with(Publisher::new_epoch);
            return;
        };
        if self.epoch.as_deref().map(root) != Some(root(&wanted)) {
            self.positions.clear();
            self.may_lack_positions = false;
            self.epoch = Some(wanted);
        }
    }

    /// The one that leads is in this epoch.
    fn follow_epoch(&mut self, epoch: &str) {
        if self.epoch.as_deref() == Some(epoch) {
            return;
        }
        if self.epoch.as_deref().map(root) != Some(root(epoch)) {
            self.positions.clear();
            self.may_lack_positions = false;
        }
        self.epoch = Some(Arc::from(epoch));
    }

    /// Takes over what the stream says of those before.
    pub(super) async fn read_stream(
        &mut self,
        connection: &Connection,
    ) -> Result<(), PublishError> {
        let Some(store) = &connection.store else { return Ok(()) };
        let found = self.attend(stream::read(&store.stream, &self.options.prefix)).await?;
        self.lease.saw_term(found.term);
        self.flight.begin_at(found.stream_seq);
        let Some(epoch) = found.epoch else { return Ok(()) };
        self.follow_epoch(&epoch);
        self.may_lack_positions |= found.was_cut;
        let of_epoch = found.last.iter().filter(|(.., of)| root(of) == root(&epoch));
        of_epoch.for_each(|(symbol, channel, sq, _)| self.positions.read(*symbol, *channel, *sq));
        Ok(())
    }
}
