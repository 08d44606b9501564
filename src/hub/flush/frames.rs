//! What a flush sends to one cohort, as frames.

use crate::hub::book::Book;
use crate::hub::catchup::compose;
use crate::hub::cohort::Cohort;
use crate::hub::lines::{Lines, Span};
use crate::session::Lag;
use crate::wire::frame;

/// Updates of a flush whose lists are kept for the next: 12 KB at most, of each cohort in a batch.
const UPDATES_KEPT_MAX: usize = 1024;

/// Where a frame ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameEnd {
    /// In the batch.
    pub bytes: usize,
    /// In `Frames::taken`.
    pub taken: usize,
    /// The tape position where what follows this frame begins.
    pub position: u64,
    /// In this frame and those before it.
    pub items: u64,
    /// Likewise.
    pub gaps: u64,
}

/// The frames of one flush of one cohort, and what they carry, in order: what a member that misses
/// some of them is owed.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub ends: Vec<FrameEnd>,
    /// Of a window: stamps of recent ticks. Of a cohort with a rate: bits of its interest.
    pub taken: Vec<u32>,
    /// Of the window's lines; kept for its memory.
    spans: Vec<Span>,
}

impl Frames {
    /// Where the bytes end; `None` where there are none.
    pub fn end(&self) -> Option<usize> {
        self.ends.last().map(|frame| frame.bytes)
    }

    pub fn items(&self) -> u64 {
        self.ends.last().map_or(0, |frame| frame.items)
    }

    pub fn gaps(&self) -> u64 {
        self.ends.last().map_or(0, |frame| frame.gaps)
    }

    /// Makes it that of another cohort. False where it holds more memory than is worth keeping.
    pub fn clear(&mut self) -> bool {
        self.ends.clear();
        self.taken.clear();
        self.spans.clear();
        self.taken.capacity().max(self.spans.capacity()) <= UPDATES_KEPT_MAX
    }

    /// Encodes the window in `taken`, every update of it. `behind` is the tape position after it.
    pub fn encode_window(
        &mut self,
        book: &Book,
        lines: &mut Lines,
        cohort: &Cohort,
        behind: u64,
        out: &mut Vec<u8>,
    ) {
        let Frames { ends, taken, spans } = self;
        let encoding = cohort.key.format.encoding;
        spans.extend(taken.iter().map(|stamp| lines.recent(book, book.index_of(*stamp))));
        let (mut first, mut bytes, mut items) = (0, 0, 0);
        for end in 1..=spans.len() {
            let tick = &book.recent_at(taken[end - 1]).tick;
            items += u64::from(!tick.is_loss());
            bytes += spans[end - 1].len();
            let next = spans.get(end).map(|next| bytes + next.len());
            let count = end - first;
            let fits = |bytes| frame::array_payload_len(encoding, count + 1, bytes);
            if next.is_some_and(|bytes| fits(bytes) <= lines.frame_bytes()) {
                continue;
            }
            let elements = spans[first..end].iter().map(|span| lines.bytes(*span));
            frame::write_array(encoding, count, bytes, elements, out);
            let following = taken.get(end).map(|stamp| book.recent_at(*stamp).position);
            let position = following.unwrap_or(behind);
            let gaps = end as u64 - items;
            ends.push(FrameEnd { bytes: out.len(), taken: end, position, items, gaps });
            (first, bytes) = (end, 0);
        }
    }

    /// Encodes what has changed since a cohort's last beat: the latest of each symbol, all trades.
    /// Gives how many quotes and bars were replaced by newer ones.
    pub fn encode_merged(
        &mut self,
        book: &Book,
        lines: &mut Lines,
        cohort: &Cohort,
        lag: &mut Lag,
        out: &mut Vec<u8>,
    ) -> u64 {
        let (key, mut items, mut gaps, mut conflated) = (&cohort.key, 0, 0, 0);
        loop {
            let before = out.len();
            let Frames { ends, taken, .. } = self;
            let composed =
                compose(book, lines, &key.interest, key.format.encoding, lag, taken, out);
            items += composed.items;
            gaps += composed.gaps;
            conflated += composed.conflated;
            if out.len() > before {
                let (bytes, taken, position) = (out.len(), taken.len(), lag.cursor);
                ends.push(FrameEnd { bytes, taken, position, items, gaps });
            }
            if composed.done {
                return conflated;
            }
        }
    }
}
