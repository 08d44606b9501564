//! The life of one connection: what wakes the thread, and its turn.

use super::connection::Connection;
use super::counters::{Role, add};
use super::lease::Answer;
use super::options::PublishError;
use super::publisher::Publisher;
use crate::feed::BellListener;
use crate::feed::nats::META_EVERY_MS;
use async_nats::Message;
use futures::{FutureExt, StreamExt};
use std::future::pending;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The longest sleep: so late at most is the lease asked for, or a lost connection seen.
const SLEEP_MAX: Duration = Duration::from_millis(25);

/// Acks or messages of others that are taken in one go, before anything else is looked at.
const MESSAGES_MAX: usize = 1_024;

/// A message without an ack after this, while the connection is alive, is given up as not stored:
/// live must not stand still for it.
const ACK_PATIENCE: Duration = Duration::from_secs(5);

/// For the acks of what was sent last, when the process stops.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// How often stream and bucket are looked for where they were missing.
const SET_UP_EVERY: Duration = Duration::from_secs(5);

/// For it to be there: less than the lease holds.
const SET_UP_PATIENCE: Duration = Duration::from_millis(500);

/// What ended a sleep.
enum Woken {
    Meta(Message),
    Ack(Message),
    Live(Message),
    Answer(Answer),
    /// The feeds have something, or time has passed.
    Time,
    Lost,
}

/// What goes on beside the messages of a connection.
struct Waits {
    bell: BellListener,
    asking: Option<JoinHandle<Answer>>,
    set_up_at: Instant,
    dropped_count: u64,
}

impl Publisher {
    /// Publishes, or stands by, until the connection is lost (an error) or the process stops.
    pub(super) async fn serve(&mut self, connection: &mut Connection) -> Result<(), PublishError> {
        let bell = self.inlet.bell().listener()?;
        let now = Instant::now();
        let mut waits = Waits { bell, asking: None, set_up_at: now, dropped_count: 0 };
        self.again = self.flight.again(now).into();
        self.meta_is_due = true;
        loop {
            let woken = self.sleep(connection, &mut waits).await;
            add(&self.counters.turns, 1);
            match woken {
                Woken::Lost => return Err(PublishError::Lost),
                Woken::Meta(message) => self.hear_meta(connection, &message).await?,
                Woken::Ack(message) => {
                    self.take_ack(&message);
                    for _ in 1..MESSAGES_MAX {
                        let Some(Some(more)) = connection.acks.next().now_or_never() else { break };
                        self.take_ack(&more);
                    }
                    self.flight.advance();
                }
                Woken::Live(message) => {
                    self.hear(&message);
                    for _ in 1..MESSAGES_MAX {
                        let Some(live) = &mut connection.live else { break };
                        let Some(Some(more)) = live.next().now_or_never() else { break };
                        self.hear(&more);
                    }
                }
                Woken::Answer(answer) => {
                    waits.asking = None;
                    self.take_answer(connection, answer).await?;
                }
                Woken::Time => {}
            }
            if !connection.is_up() {
                return Err(PublishError::Lost);
            }
            if self.stop.load(Ordering::Acquire) {
                return self.part(connection).await;
            }
            self.turn(connection, &mut waits).await?;
        }
    }

    async fn turn(
        &mut self,
        connection: &mut Connection,
        waits: &mut Waits,
    ) -> Result<(), PublishError> {
        let now = Instant::now();
        if waits.asking.is_none()
            && let Some(ask) = self.lease.due(now)
        {
            waits.asking = Some(connection.ask(ask, &self.options.instance));
        }
        self.set_up_late(connection, waits, now).await?;
        let dropped_count = connection.dropped_count();
        if std::mem::replace(&mut waits.dropped_count, dropped_count) != dropped_count {
            self.positions.were_deaf();
        }
        if self.takes_over && self.lease.may_publish(now) {
            self.begin_term(connection).await;
        }
        match self.role {
            Role::Leader => self.publish_turn(connection, now).await?,
            Role::Standby => self.hold_ticks(),
            Role::Paused => {}
        }
        let every = Duration::from_millis(META_EVERY_MS);
        let is_due = self.meta_at.is_none_or(|at| now.duration_since(at) >= every);
        if self.role == Role::Leader && (is_due || std::mem::take(&mut self.meta_is_due)) {
            self.say_meta(connection, false).await;
            self.meta_at = Some(now);
        }
        Ok(())
    }

    /// A leader's turn: what is due goes out, and more comes in where there is room for it.
    async fn publish_turn(
        &mut self,
        connection: &mut Connection,
        now: Instant,
    ) -> Result<(), PublishError> {
        if !self.lease.may_publish(now) {
            return Ok(());
        }
        let given_up = self.flight.give_up(now, ACK_PATIENCE);
        if !given_up.is_empty() {
            let count = given_up.len();
            add(&self.counters.unstored, count as u64);
            self.warn(&format!("{count} messages had no ack of the stream; live goes on"));
            // Where a node listens, nobody says that there is no stream.
            self.misses_stream = true;
            if given_up.iter().any(|flying| self.unstored.failed(&flying.message)) {
                self.end_epoch();
            }
        }
        self.send(connection).await?;
        if self.has_sent_all() {
            self.take_ticks();
            if self.batch_is_due(Instant::now()) {
                self.close_batches();
                self.send(connection).await?;
            }
        }
        Ok(())
    }

    /// Where JetStream was missing when the connection was made, it is looked for from time to
    /// time.
    async fn set_up_late(
        &mut self,
        connection: &mut Connection,
        waits: &mut Waits,
        now: Instant,
    ) -> Result<(), PublishError> {
        let is_due = now.duration_since(waits.set_up_at) >= SET_UP_EVERY;
        let is_missing = self.misses_stream || connection.store.is_none();
        if self.options.stream.is_none() || !is_missing || !is_due {
            return Ok(());
        }
        waits.set_up_at = now;
        // A server that hangs must not keep us from what goes on without it.
        let set_up = tokio::time::timeout(SET_UP_PATIENCE, connection.set_up(&self.options)).await;
        match set_up.unwrap_or(Err(PublishError::NoJetStream)) {
            Ok(()) => {
                self.misses_stream = false;
                tracing::info!("JetStream is there again: messages are stored");
            }
            Err(error) => self.warn(&format!("{error}; live goes on and nothing is stored")),
        }
        Ok(())
    }

    /// Sleeps until there is something to do.
    async fn sleep(&mut self, connection: &mut Connection, waits: &mut Waits) -> Woken {
        let (may_sleep, wants_ticks) = self.fall_asleep();
        let sleep = if may_sleep { self.sleep_for() } else { Duration::ZERO };
        let answer = async {
            match &mut waits.asking {
                // A task that panicked has not answered.
                Some(asking) => asking.await.unwrap_or(Answer::Silence),
                None => pending().await,
            }
        };
        let live = async {
            match &mut connection.live {
                Some(live) => live.next().await,
                None => pending().await,
            }
        };
        let rung = async {
            match wants_ticks {
                true => waits.bell.rung().await,
                false => pending().await,
            }
        };
        let or_lost = |message: Option<Message>, woken: fn(Message) -> Woken| {
            message.map_or(Woken::Lost, woken)
        };
        let woken = tokio::select! {
            biased;
            // Who else leads is heard before the answer about the lease is.
            meta = connection.metas.next() => or_lost(meta, Woken::Meta),
            ack = connection.acks.next() => or_lost(ack, Woken::Ack),
            live = live => or_lost(live, Woken::Live),
            answer = answer => Woken::Answer(answer),
            _ = rung => Woken::Time,
            () = tokio::time::sleep(sleep) => Woken::Time,
        };
        self.inlet.bell().wake_up();
        woken
    }

    /// Whether it may sleep, and whether ticks are to wake it.
    fn fall_asleep(&self) -> (bool, bool) {
        let takes = match self.role {
            Role::Leader => {
                self.lease.may_publish(Instant::now())
                    && self.has_sent_all()
                    && self.batch_began.is_none()
            }
            // Held ticks may be a moment older.
            Role::Standby | Role::Paused => false,
        };
        if !takes {
            let has_more =
                self.role == Role::Standby && self.inlet.len() >= super::intake::TICKS_MAX;
            return (!has_more, false);
        }
        self.inlet.bell().fall_asleep();
        (self.inlet.is_empty(), true)
    }

    fn sleep_for(&self) -> Duration {
        let Some(began) = self.batch_began else { return SLEEP_MAX };
        (began + self.options.batch).saturating_duration_since(Instant::now()).min(SLEEP_MAX)
    }

    /// The last turn: all that came goes out, who stands by is told, the lease is given back.
    async fn part(&mut self, connection: &mut Connection) -> Result<(), PublishError> {
        if self.role != Role::Leader {
            return Ok(());
        }
        let until = Instant::now() + STOP_PATIENCE;
        loop {
            let now = Instant::now();
            if !self.lease.may_publish(now) || now >= until || !connection.is_up() {
                break;
            }
            self.send(connection).await?;
            if self.has_sent_all() {
                self.take_ticks();
                self.close_batches();
                self.send(connection).await?;
            }
            if self.has_sent_all() && self.flight.is_empty() && self.inlet.is_empty() {
                break;
            }
            let ack = tokio::time::timeout(SLEEP_MAX, connection.acks.next()).await;
            if let Ok(Some(message)) = ack {
                self.take_ack(&message);
                self.flight.advance();
            }
        }
        self.say_meta(connection, true).await;
        if let Some(revision) = self.lease.revision() {
            connection.give_back(revision).await;
            self.lease.given_back();
        }
        let _ = tokio::time::timeout(STOP_PATIENCE, connection.client.flush()).await;
        Ok(())
    }

    /// Writes a warning, unless there were too many lately.
    pub(super) fn warn(&mut self, text: &str) {
        if let Some(suppressed) = self.warnings.admit(super::publisher::wall_ns()) {
            tracing::warn!(suppressed, "{text}");
        }
    }
}
