//! What a client's commands do.

use super::Hub;
use super::cohort::APART;
use super::interest::Interest;
use super::membership::Resume;
use crate::limits::{COMMANDS_BURST, COMMANDS_PER_SECOND, STRIKES_MAX};
use crate::market::Channel;
use crate::session::{CloseReason, Now};
use crate::wire::{
    Change, Command, CommandError, Encoding, Item, MessageId, Rate, Subject, TimeStyle, UrlOptions,
    command, event,
};
use std::ops::Range;
use std::rc::Rc;

impl Hub {
    /// One message of a client that streams.
    pub(super) fn command(&mut self, slot: u32, encoding: Encoding, bytes: &[u8], now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        self.counters.commands += 1;
        let result = if session.commands.take(COMMANDS_PER_SECOND, COMMANDS_BURST, now.ms) {
            command::parse(encoding, bytes).and_then(|command| self.execute(slot, command, now))
        } else {
            let message = format!("more than {COMMANDS_PER_SECOND} messages a second; send fewer");
            Err(CommandError { code: 429, message, id: None })
        };
        let Some(session) = self.sessions.at_mut(slot) else { return };
        match result {
            Ok(()) => session.strikes = session.strikes.saturating_sub(1),
            Err(error) => {
                self.counters.commands_refused += 1;
                session.strikes += 1;
                let (format, strikes) = (session.format, session.strikes);
                event::error(
                    format,
                    error.code,
                    &error.message,
                    error.id.as_ref(),
                    session.personal(),
                );
                if strikes >= STRIKES_MAX {
                    self.end(slot, CloseReason::Abuse, now);
                }
            }
        }
        self.enqueue(slot);
    }

    fn execute(&mut self, slot: u32, command: Command, now: Now) -> Result<(), CommandError> {
        let Some(session) = self.sessions.at_mut(slot) else { return Ok(()) };
        let format = session.format;
        match command {
            Command::Auth if session.authenticated => {
                let message = "this connection is authenticated already".to_string();
                return Err(CommandError { code: 403, message, id: None });
            }
            Command::Auth => {
                session.authenticated = true;
                event::authenticated(format, session.personal());
            }
            Command::Ping { id } => {
                event::pong(format, id.as_ref(), now.unix_ns, session.personal());
            }
            Command::List { id } => self.write_subscription(slot, id.as_ref()),
            Command::Subscribe(change) => {
                self.subscribe(slot, &change, now)?;
            }
            Command::Unsubscribe(change) => self.unsubscribe(slot, &change, now),
            Command::Fault(fault) => self.fault(fault)?,
        }
        Ok(())
    }

    /// What the URL of the upgrade asked for.
    pub(super) fn apply_url(&mut self, slot: u32, options: &Rc<UrlOptions>, now: Now) {
        if self.join_as_before(slot, options, now) {
            return;
        }
        let (items, max_hz) = (options.items.clone(), options.max_hz);
        let heartbeat_ms = options.heartbeat_ms;
        let change = Change { items, max_hz, heartbeat_ms, ..Change::default() };
        let asked = !change.items.is_empty() || max_hz.is_some() || heartbeat_ms.is_some();
        if !asked {
            return;
        }
        match self.subscribe(slot, &change, now) {
            Ok(answer) => self.note_join(slot, options, answer),
            Err(error) => {
                let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
                let format = session.format;
                event::error(format, error.code, &error.message, None, session.personal());
            }
        }
    }

    /// Gives where in the session's own frames the answer lies.
    fn subscribe(
        &mut self,
        slot: u32,
        change: &Change,
        now: Now,
    ) -> Result<Range<usize>, CommandError> {
        let old = self.interest(slot);
        let refuse = |message| CommandError { code: 405, message, id: change.id.clone() };
        let Some(items) = self.changing(|hub| hub.numbered(&change.items)) else {
            return Err(refuse(
                "too many names that no feed sends; name fewer unknown symbols".to_string(),
            ));
        };
        let new = old.with(items.iter().copied());
        let most = self.settings.session_symbols_max;
        if new.named().len() > most {
            self.changing(|hub| hub.forget(&items));
            let message = format!("more than {most} symbols; unsubscribe some or use \"*\"");
            return Err(refuse(message));
        }
        let first = self.sessions.at(slot).is_some_and(|s| s.cohort == APART) && !new.is_empty();
        let resume = self.resume(change);
        let answer = self.apply(slot, old, new, change, &resume, now);
        self.changing(|hub| hub.forget(&items));
        if first {
            self.write_feeds_not_ok(slot);
        }
        Ok(answer)
    }

    fn unsubscribe(&mut self, slot: u32, change: &Change, now: Now) {
        let old = self.interest(slot);
        let known = change.items.iter().filter_map(|item| match item.subject {
            Subject::All => Some((None, item.channel)),
            Subject::Name(name) => Some((Some(self.book.symbols.find(&name)?), item.channel)),
        });
        let new = old.without(known);
        self.apply(slot, old, new, change, &[], now);
    }

    /// Puts options and interest in force and answers with the whole resulting set. Gives where in
    /// the session's own frames the answer lies.
    fn apply(
        &mut self,
        slot: u32,
        old: Interest,
        new: Interest,
        change: &Change,
        resume: &[Resume],
        now: Now,
    ) -> Range<usize> {
        let Some(session) = self.sessions.at_mut(slot) else { return 0..0 };
        let before = (session.format, session.rate);
        set_options(session, change.max_hz, change.times, change.heartbeat_ms, now);
        let moves = new != old || before != (session.format, session.rate);
        let start = self.personal_bytes(slot);
        self.write_subscription_of(slot, &new, change.id.as_ref());
        let answer = start..self.personal_bytes(slot);
        if moves {
            self.changing(|hub| hub.change(slot, new, resume));
        }
        self.arm(slot, now);
        answer
    }

    fn personal_bytes(&self, slot: u32) -> usize {
        let outgoing = self.sessions.at(slot).and_then(|session| session.outgoing.as_ref());
        outgoing.map_or(0, |outgoing| outgoing.personal_bytes())
    }

    /// The interest of a session's cohort.
    pub(super) fn interest(&self, slot: u32) -> Interest {
        let cohort = self.sessions.at(slot).and_then(|s| self.cohorts.at(s.cohort));
        cohort.map(|c| c.key.interest.clone()).unwrap_or_default()
    }

    fn write_subscription(&mut self, slot: u32, id: Option<&MessageId>) {
        let interest = self.interest(slot);
        self.write_subscription_of(slot, &interest, id);
    }

    fn write_subscription_of(&mut self, slot: u32, interest: &Interest, id: Option<&MessageId>) {
        let lists = Channel::ALL.map(|channel| {
            let star = interest.all().has(channel).then_some("*");
            let named = interest.named().iter().filter(|(_, channels)| channels.has(channel));
            let names = named.map(|(symbol, _)| self.book.symbols.name(*symbol));
            star.into_iter().chain(names).collect::<Vec<_>>()
        });
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let symbols = [&lists[0][..], &lists[1][..], &lists[2][..]];
        let subscription = event::Subscription {
            id,
            symbols,
            max_hz: session.rate,
            heartbeat_ms: session.heartbeat_ms,
        };
        let format = session.format;
        event::subscription(format, &subscription, session.personal());
    }

    /// The hub's numbers of what is named; `None` where the table of symbols is full.
    fn numbered(&mut self, items: &[Item]) -> Option<Vec<(Option<u32>, Channel)>> {
        let mut numbered = Vec::with_capacity(items.len());
        for item in items {
            let symbol = match item.subject {
                Subject::All => None,
                Subject::Name(name) => match self.book.symbols.number(name) {
                    Some(number) => Some(number),
                    None => {
                        self.forget(&numbered);
                        return None;
                    }
                },
            };
            numbered.push((symbol, item.channel));
        }
        Some(numbered)
    }

    /// Gives numbers back that nobody came to use.
    fn forget(&mut self, items: &[(Option<u32>, Channel)]) {
        for symbol in items.iter().filter_map(|(symbol, _)| *symbol) {
            self.book.symbols.forget_if_unused(symbol);
        }
    }

    /// What the client says it has, ascending by symbol.
    fn resume(&self, change: &Change) -> Vec<Resume> {
        let valid = change.epoch.as_deref() == Some(&self.epoch);
        let mut resume: Vec<Resume> = change
            .since
            .iter()
            .filter_map(|since| {
                let symbol = self.book.symbols.find(&since.symbol)?;
                Some(Resume { symbol, seqs: since.seqs, valid })
            })
            .collect();
        resume.sort_unstable_by_key(|r| r.symbol);
        resume.dedup_by_key(|r| r.symbol);
        resume
    }
}

pub(super) fn set_options(
    session: &mut crate::session::Session,
    max_hz: Option<Rate>,
    times: Option<TimeStyle>,
    heartbeat_ms: Option<u32>,
    now: Now,
) {
    session.rate = max_hz.unwrap_or(session.rate);
    session.format.times = times.unwrap_or(session.format.times);
    if let Some(ms) = heartbeat_ms {
        session.heartbeat_ms = ms;
        let next = now.ms + u64::from(ms);
        session.deadlines.heartbeat_at_ms = if ms == 0 { u64::MAX } else { next };
    }
}
