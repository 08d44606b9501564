//! Sessions that came while their cohort's window was filling: they have a part of it.

use crate::hub::Hub;
use crate::hub::batch::Send;
use crate::session::Place;

impl Hub {
    /// Gives the next session that waited what of the window came after it, every update, and puts
    /// it into step. `at` is the place of its cohort among the active ones.
    pub(super) fn serve_late(&mut self, at: usize) {
        let active = &self.flush.active[at];
        let (id, after) = (active.cohort, active.after);
        // The cohort may have ended meanwhile, and its number be another's.
        let Some(cohort) = self.cohorts.at_mut(id) else { return };
        if active.late >= cohort.waiting.len() {
            return;
        }
        let slot = cohort.waiting.swap_remove(active.late);
        let Some(session) = self.sessions.at_mut(slot).filter(|s| s.cohort == id) else { return };
        let Some(lag) = session.lag().filter(|lag| lag.waiting) else { return };
        let mark = lag.mark;
        if mark > after.0 {
            cohort.waiting.push(slot); // came after the window was taken
            return;
        }
        lag.waiting = false;
        if session.is_unfinished() {
            return; // an answer was cut, and it goes on where that is sent
        }
        let mut own = self.flush.spare.pop().unwrap_or_default();
        let (first, out) =
            (self.book.newer_than(&active.frames.taken, mark), &mut self.batch.flush_bytes);
        own.frames.taken.extend_from_slice(&active.frames.taken[first..]);
        (own.cohort, own.start, own.merged) = (id, out.len(), false);
        (own.before, own.after) = (active.before, after);
        let lines = &mut self.lines[cohort.key.format.index()];
        own.frames.encode_window(&self.book, lines, cohort, after.1, out);
        let items = own.frames.items();
        self.counters.items_out += items;
        self.counters.frames_out += own.frames.ends.len() as u64;
        self.counters.gaps_out += own.frames.gaps();
        session.items = session.items.wrapping_add(items).wrapping_sub(cohort.items);
        session.place = Place::InStep(cohort.in_step.len() as u32);
        cohort.in_step.push(slot);
        let listed = self.batch.sends.len();
        if let Some(end) = own.frames.end() {
            self.batch.sends.push(Send { slot, start: own.start, end });
        }
        own.sends = listed..self.batch.sends.len();
        self.flush.active.push(own);
        self.account(slot); // its lag is gone
    }
}
