//! What a flush sends to one cohort, as frames.

use crate::hub::book::Book;
use crate::hub::catchup::compose;
use crate::hub::cohort::CohortKey;
use crate::hub::lines::{Lines, Span};
use crate::session::Lag;
use crate::wire::{Encoding, frame};
use std::ops::Range;

/// Of what a batch lists, as much as its memory is kept for: more than one needs whose bytes are
/// many short lines.
const KEPT_MAX: usize = 16_384;

/// Where a frame ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameEnd {
    /// In the batch.
    pub bytes: usize,
    /// In `Frames::taken`.
    pub taken: usize,
    /// The tape position where what follows this frame begins.
    pub position: u64,
    /// In this frame and those of its cohort before it.
    pub items: u64,
    /// Likewise.
    pub gaps: u64,
}

/// The frames of a batch, and what they carry, one cohort's after another's and in order: what a
/// member that misses some of them is owed.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub ends: Vec<FrameEnd>,
    /// Of a window: stamps of recent ticks. Of a cohort with a rate: bits of its interest.
    pub taken: Vec<u32>,
    /// Of the window's lines; kept for its memory.
    spans: Vec<Span>,
}

/// Those of one flush of one cohort.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// In `Frames::ends`.
    pub ends: Range<usize>,
    /// In `Frames::taken`.
    pub taken: Range<usize>,
    /// In all of its frames.
    pub items: u64,
    pub gaps: u64,
}

impl Frames {
    /// Forgets all but the first part.
    pub fn keep(&mut self, first: &Part) {
        self.ends.truncate(first.ends.end);
        self.taken.truncate(first.taken.end);
        self.ends.shrink_to(KEPT_MAX);
        self.taken.shrink_to(KEPT_MAX);
        self.spans.clear();
        self.spans.shrink_to(KEPT_MAX);
    }

    /// Where the bytes of a part end; `None` where there are none.
    pub fn end(&self, part: &Part) -> Option<usize> {
        self.ends[part.ends.clone()].last().map(|frame| frame.bytes)
    }

    /// What was added since `ends` and `taken` had these lengths.
    fn part(&self, ends: usize, taken: usize) -> Part {
        let (ends, taken) = (ends..self.ends.len(), taken..self.taken.len());
        let last = self.ends[ends.clone()].last();
        let (items, gaps) = last.map_or((0, 0), |last| (last.items, last.gaps));
        Part { ends, taken, items, gaps }
    }

    /// Encodes a window: every update that `taken` has from `from` on. `behind` is the tape
    /// position after it.
    pub fn encode_window(
        &mut self,
        from: usize,
        book: &Book,
        lines: &mut Lines,
        encoding: Encoding,
        behind: u64,
        out: &mut Vec<u8>,
    ) -> Part {
        let Frames { ends, taken, spans } = self;
        let (window, before) = (&taken[from..], ends.len());
        spans.clear();
        spans.extend(window.iter().map(|stamp| lines.recent(book, book.index_of(*stamp))));
        let (mut first, mut bytes, mut gaps) = (0, 0, 0);
        for end in 1..=spans.len() {
            bytes += spans[end - 1].len();
            let next = spans.get(end).map(|next| bytes + next.len());
            let count = end - first;
            let fits = |bytes| frame::array_payload_len(encoding, count + 1, bytes);
            if next.is_some_and(|bytes| fits(bytes) <= lines.frame_bytes()) {
                continue;
            }
            let elements = spans[first..end].iter().map(|span| lines.bytes(*span));
            frame::write_array(encoding, count, bytes, elements, out);
            let following = window.get(end).map(|stamp| book.recent_at(*stamp).position);
            let position = following.unwrap_or(behind);
            gaps += book.losses(&window[first..end]);
            let items = end as u64 - gaps;
            ends.push(FrameEnd { bytes: out.len(), taken: from + end, position, items, gaps });
            (first, bytes) = (end, 0);
        }
        self.part(before, from)
    }

    /// Encodes what has changed since a cohort's last beat: the latest of each symbol, all trades.
    /// Gives how many quotes and bars were replaced by newer ones, too.
    pub fn encode_merged(
        &mut self,
        book: &Book,
        lines: &mut Lines,
        key: &CohortKey,
        lag: &mut Lag,
        out: &mut Vec<u8>,
    ) -> (Part, u64) {
        let (mut items, mut gaps, mut conflated) = (0, 0, 0);
        let (before, from) = (self.ends.len(), self.taken.len());
        loop {
            let start = out.len();
            let Frames { ends, taken, .. } = self;
            let composed =
                compose(book, lines, &key.interest, key.format.encoding, lag, taken, out);
            items += composed.items;
            gaps += composed.gaps;
            conflated += composed.conflated;
            if out.len() > start {
                let (bytes, taken, position) = (out.len(), taken.len(), lag.cursor);
                ends.push(FrameEnd { bytes, taken, position, items, gaps });
            }
            if composed.done {
                return (self.part(before, from), conflated);
            }
        }
    }
}
