//! What must hold of the hub's tables between two calls.
//!
//! Only an error of our own can break it, so it is asserted. The simulation calls it at every
//! step; a shard never does, since it walks everything.

use super::Hub;
use super::cohort::{APART, Cohort};
use super::deadlines::next_deadline;
use crate::market::Channel;
use crate::session::{Lag, Phase, Place, Session};
use std::cmp::Reverse;

impl Hub {
    /// Panics where an invariant does not hold. Not to be called between `next_batch` and `sent`.
    pub fn check(&self) {
        for (slot, session) in self.sessions.iter() {
            self.check_place(slot, session);
            self.check_progress(slot, session);
        }
        self.check_queue();
        let ids = 0..self.cohorts.cohorts.len() as u32;
        let live = ids.filter_map(|id| Some((id, self.cohorts.at(id)?)));
        let live: Vec<(u32, &Cohort)> = live.collect();
        for (id, cohort) in &live {
            self.check_cohort(*id, cohort);
        }
        assert_eq!(live.len(), self.cohorts.by_key.len(), "every live cohort has its key");
        self.check_index(&live);
        self.check_symbols(&live);
        self.check_accounts();
        let subscribed = self.sessions.iter().filter(|(_, s)| s.cohort != APART).count();
        assert_eq!(self.subscribed, subscribed, "the count of subscribed sessions");
        let upgrading = |(_, s): &(u32, &Session)| matches!(s.phase, Phase::Upgrading(_));
        let half_open = self.sessions.iter().filter(upgrading).count();
        assert_eq!(self.admission.half_open(), half_open, "the count of half-open sessions");
        let counted = self.sessions.iter().filter(|(_, s)| s.is_counted());
        self.admission.check_addresses(counted.map(|(_, s)| s.peer.ip()));
    }

    /// Session and cohort agree on where the session stands.
    fn check_place(&self, slot: u32, session: &Session) {
        if session.cohort == APART {
            assert!(matches!(session.place, Place::Apart), "slot {slot} stands in no cohort");
            return;
        }
        assert!(session.is_streaming(), "slot {slot} is {:?} and in a cohort", session.phase);
        let cohort = self.cohorts.at(session.cohort).expect("a session's cohort lives");
        assert_eq!((cohort.key.format, cohort.key.rate), (session.format, session.rate));
        match &session.place {
            Place::Apart => panic!("slot {slot} has a cohort and no place in it"),
            Place::InStep(index) => {
                let listed = cohort.in_step.get(*index as usize).copied();
                assert_eq!(listed, Some(slot), "a member stands where it believes to");
                assert!(!session.is_unfinished(), "slot {slot} is in step with a cut frame");
            }
            Place::Behind(lag) => self.check_lag(slot, session, cohort, lag),
        }
    }

    fn check_lag(&self, slot: u32, session: &Session, cohort: &Cohort, lag: &Lag) {
        let gaps = lag.pending.iter().filter(|bit| bit % 3 == Channel::Trades as usize).count();
        assert_eq!(lag.gaps as usize, gaps, "slot {slot}: the count of pending gaps");
        assert!(lag.fresh.iter().all(|bit| lag.pending.has(bit)), "slot {slot}: fresh is pending");
        let (arrivals, head) = self.book.here();
        assert!(lag.mark <= arrivals && lag.cursor <= head, "slot {slot} is ahead of the market");
        if let Some(floors) = &lag.floors {
            assert!(floors.named.is_sorted_by_key(|(symbol, _)| *symbol));
            assert!(floors.named.iter().all(|(_, floor)| *floor <= floors.base));
        }
        if lag.waiting {
            assert!(cohort.waiting.contains(&slot), "slot {slot} waits where nobody looks");
            let comes = match &cohort.merged {
                None => !cohort.window.is_empty() || self.flush.serves_late(session.cohort),
                Some(merged) => (merged.lag.mark, merged.lag.cursor) != self.book.here(),
            };
            assert!(comes, "slot {slot} waits for a flush that does not come");
        }
        let moves = session.queued || session.is_unfinished() || lag.waiting;
        assert!(moves, "slot {slot} is behind and nothing moves it on");
    }

    /// What is unsent will be sent, and the wheel wakes the session in time.
    fn check_progress(&self, slot: u32, session: &Session) {
        let ended = matches!(session.phase, Phase::Ended(_) | Phase::Lingering(_));
        let unsent = session.outgoing.as_ref().is_some_and(|o| !o.is_empty());
        let wants = unsent || matches!(session.phase, Phase::Closing(_));
        let moves = session.queued || session.is_unfinished();
        assert!(ended || !wants || moves, "slot {slot} has unsent frames and nobody to send them");
        let due = next_deadline(session, slot, &self.settings);
        let armed = session.deadlines.armed_at_ms;
        assert!(armed <= due, "slot {slot} sleeps until {armed} with a deadline at {due}");
    }

    fn check_queue(&self) {
        for (slot, session) in self.sessions.iter() {
            let own = (slot, session.generation);
            let places = self.queue.iter().filter(|queued| **queued == own).count();
            assert_eq!(places, usize::from(session.queued), "slot {slot} in the queue");
        }
    }

    fn check_cohort(&self, id: u32, cohort: &Cohort) {
        let sessions = self.sessions.iter().filter(|(_, s)| s.cohort == id).count();
        assert_eq!(cohort.sessions as usize, sessions, "cohort {id}: its sessions");
        assert!(sessions > 0, "cohort {id} has outlived its sessions");
        assert_eq!(self.cohorts.by_key.get(&cohort.key), Some(&id), "cohort {id}: its key");
        assert_eq!(cohort.format, cohort.key.format, "cohort {id}: its format beside its window");
        for (index, slot) in cohort.in_step.iter().enumerate() {
            let session = self.sessions.at(*slot).expect("a member is a session");
            let here = matches!(session.place, Place::InStep(at) if at as usize == index);
            assert!(here && session.cohort == id, "cohort {id} lists slot {slot} wrongly");
        }
        if !cohort.window.is_empty() {
            let listed = self.cohorts.dirty.contains(&id) || self.flush.queue.contains(&id);
            assert!(listed, "cohort {id} has a window that no flush takes");
        }
        let resting = self.cohorts.resting.iter().filter(|resting| **resting == id).count();
        let Some(merged) = &cohort.merged else {
            assert_eq!(resting, 0, "cohort {id} has no rate");
            return;
        };
        let clock = |at_ms| self.flush.clocks.iter().any(|Reverse(clock)| *clock == (at_ms, id));
        let waits = merged.due_at_ms.is_some_and(clock) || self.flush.queue.contains(&id);
        assert_eq!(
            resting,
            usize::from(merged.due_at_ms.is_none()),
            "cohort {id} rests unless armed"
        );
        assert!(merged.due_at_ms.is_none() || waits, "cohort {id}: its clock does not run");
        assert!(merged.lag.pending.is_empty(), "cohort {id} keeps nothing between two beats");
    }

    /// The index from symbols to cohorts has what the cohorts ask for and nothing else.
    fn check_index(&self, live: &[(u32, &Cohort)]) {
        let mut expected = 0;
        for (id, cohort) in live.iter().filter(|(_, cohort)| cohort.merged.is_none()) {
            let stars = self.cohorts.stars.iter().filter(|star| *star == id).count();
            let has_star = !cohort.key.interest.all().is_empty();
            assert_eq!(stars, usize::from(has_star), "cohort {id} among those with a star");
            if has_star {
                continue;
            }
            for (symbol, channels) in cohort.key.interest.named() {
                let watches = &self.cohorts.watches[*symbol as usize];
                let own: Vec<_> = watches.iter().filter(|watch| watch.cohort == *id).collect();
                assert!(own.len() == 1 && own[0].channels == *channels, "cohort {id}: its watch");
                expected += 1;
            }
        }
        let watches: usize = self.cohorts.watches.iter().map(Vec::len).sum();
        assert_eq!(watches, expected, "the index names nobody who is gone");
    }

    fn check_symbols(&self, live: &[(u32, &Cohort)]) {
        let symbols = &self.book.symbols;
        let mut references = vec![0; symbols.len()];
        for (_, cohort) in live {
            for (symbol, _) in cohort.key.interest.named() {
                references[*symbol as usize] += 1;
            }
        }
        for (number, row) in symbols.rows.iter().enumerate() {
            assert_eq!(row.references, references[number], "symbol {number}: cohorts naming it");
            let needed = row.references > 0 || row.feed.is_some();
            assert_eq!(row.name.is_some(), needed, "symbol {number} lives while it is needed");
            let is_free = symbols.free.contains(&(number as u32));
            assert_eq!(is_free, !needed, "symbol {number} is free when nobody needs it");
        }
        let named = symbols.rows.iter().filter(|row| row.name.is_some()).count();
        assert_eq!(symbols.numbers.len(), named, "every name has one number");
    }
}
