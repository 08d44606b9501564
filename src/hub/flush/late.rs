//! Sessions that came while their cohort's window was filling: they have a part of it.

use super::Active;
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
        let (frames, out) = (&mut self.flush.frames, &mut self.batch.flush_bytes);
        let (from, window) = (frames.taken.len(), active.part.taken.clone());
        let first = window.start + self.book.newer_than(&frames.taken[window.clone()], mark);
        frames.taken.extend_from_within(first..window.end);
        let (start, before, format) = (out.len(), active.before, cohort.format);
        let lines = &mut self.lines[format.index()];
        let part = frames.encode_window(from, &self.book, lines, format.encoding, after.1, out);
        self.counters.items_out += part.items;
        self.counters.frames_out += part.ends.len() as u64;
        self.counters.gaps_out += part.gaps;
        session.items = session.items.wrapping_add(part.items).wrapping_sub(cohort.items);
        session.place = Place::InStep(cohort.in_step.len() as u32);
        cohort.in_step.push(slot);
        let listed = self.batch.sends.len();
        if let Some(end) = frames.end(&part) {
            self.batch.sends.push(Send { slot, start, end });
        }
        let sends = listed..self.batch.sends.len();
        let own = Active { cohort: id, start, sends, part, before, after, ..Active::default() };
        self.flush.active.push(own);
        self.account(slot); // its lag is gone
    }
}
