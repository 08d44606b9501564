//! Cohorts: all sessions of the shard that asked for the same thing, and the index from a symbol
//! to those who watch it.

use super::book::Book;
use super::interest::Interest;
use super::joining::Snapshot;
use super::symbols::Symbols;
use crate::market::{Channel, ChannelSet};
use crate::session::Lag;
use crate::wire::{Format, Rate};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::hint::black_box;
use std::mem::offset_of;
use std::rc::Rc;

/// Windows of more updates give their memory back with their flush.
const WINDOW_KEPT_MAX: usize = 64;

/// No cohort: what a session that asked for nothing has.
pub const APART: u32 = u32::MAX;

/// What its members have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CohortKey {
    pub interest: Interest,
    pub format: Format,
    pub rate: Rate,
}

/// A list that needs no memory of its own while it is short: where everyone watches something
/// else, a tick and a flush touch the cohort's two cache lines and nothing behind them.
pub type Short = SmallVec<[u32; 4]>;

/// On the first line is what a tick touches.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Cohort {
    /// The updates since the last flush, as stamps of the book's recent ticks, in order.
    pub window: Short,
    /// Slots of the sessions that have all that was flushed. Dense: a flush walks it.
    pub in_step: Short,
    /// Takes the window's place where the cohort has a rate: merged at each beat of its clock.
    pub merged: Option<Box<Merged>>,
    /// All sessions that belong to it, in step or not.
    pub(super) sessions: u32,
    /// As in the key.
    pub format: Format,
    /// Slots of sessions that are behind by nothing and wait for the next flush to come into
    /// step; an entry whose session has moved on is passed over.
    pub waiting: Short,
    /// Items put into this cohort's flushes since it began.
    pub items: u64,
    pub key: Rc<CohortKey>,
    /// Kept where many join.
    pub(super) snapshot: Option<Box<Snapshot>>,
}

const _: () = assert!(size_of::<Option<Cohort>>() == 128 && offset_of!(Cohort, waiting) == 64);

/// The state of a cohort with a rate.
#[derive(Debug)]
pub struct Merged {
    /// What its members in step have: the same marks that a session behind has.
    pub lag: Lag,
    pub flushed_at_ms: u64,
    /// When its clock is due. At rest it does not run: nothing is due until a tick comes.
    pub due_at_ms: Option<u64>,
}

/// One watcher of a symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    pub(super) cohort: u32,
    pub(super) channels: ChannelSet,
}

/// Ids are used again; a cohort ends with its last session.
#[derive(Debug, Default)]
pub struct Cohorts {
    pub(super) cohorts: Vec<Option<Cohort>>,
    pub(super) free: Vec<u32>,
    pub(super) by_key: FxHashMap<Rc<CohortKey>, u32>,
    /// By symbol. Cohorts with `*` and cohorts with a rate are not in it.
    pub(super) watches: Vec<Vec<Watch>>,
    /// Cohorts with `*` and without a rate.
    pub(super) stars: Vec<u32>,
    /// Cohorts whose window is not empty.
    pub(super) dirty: Vec<u32>,
    /// Cohorts with a rate whose clock is not armed.
    pub(super) resting: Vec<u32>,
    /// What the cohorts hold: what they ask for, its index, and their windows.
    bytes: u64,
}

impl Cohort {
    /// Arrival number and tape position that its members in step have. A window begins with its
    /// own first update, not with the last flush: members may have come into step in between.
    pub fn has(&self, book: &Book) -> (u64, u64) {
        match (&self.merged, self.window.first()) {
            (Some(merged), _) => (merged.lag.mark, merged.lag.cursor),
            (None, Some(first)) => book.before(*first),
            (None, None) => book.here(),
        }
    }

    fn key_bytes(&self) -> u64 {
        let merged = self.merged.as_ref().map_or(0, |_| size_of::<Merged>());
        (COHORT_BYTES + merged + self.key.interest.named().len() * NAMED_BYTES) as u64
    }

    fn snapshot_bytes(&self) -> u64 {
        let bytes = |snapshot: &Snapshot| size_of::<Snapshot>() + snapshot.frame.capacity();
        self.snapshot.as_deref().map_or(0, bytes) as u64
    }
}

/// A cohort, its key, and the key's place in the table.
const COHORT_BYTES: usize =
    size_of::<Option<Cohort>>() + size_of::<CohortKey>() + 16 + size_of::<(Rc<CohortKey>, u32)>();

/// A symbol that a cohort names: in its key, and in the index, whose lists double as they grow.
const NAMED_BYTES: usize = size_of::<(u32, ChannelSet)>() + 2 * size_of::<Watch>();

impl Cohorts {
    pub fn at(&self, id: u32) -> Option<&Cohort> {
        self.cohorts.get(id as usize)?.as_ref()
    }

    pub fn at_mut(&mut self, id: u32) -> Option<&mut Cohort> {
        self.cohorts.get_mut(id as usize)?.as_mut()
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Finds or makes the cohort of `key` and counts one session more in it. `here` is what a
    /// new cohort's members have from the start.
    pub fn enroll(&mut self, key: CohortKey, symbols: &mut Symbols, here: (u64, u64)) -> u32 {
        if let Some(id) = self.by_key.get(&key).copied() {
            let cohort = self.cohorts[id as usize].as_mut().expect("keys lead to live cohorts");
            cohort.sessions += 1;
            return id;
        }
        let key = Rc::new(key);
        let id = self.free.pop().unwrap_or_else(|| {
            self.cohorts.push(None);
            self.cohorts.len() as u32 - 1
        });
        self.by_key.insert(key.clone(), id);
        for (symbol, _) in key.interest.named() {
            symbols.acquire(*symbol);
        }
        let merged = (key.rate != Rate::OFF).then(|| {
            self.resting.push(id);
            let lag = Lag::at(here.0, here.1);
            Box::new(Merged { lag, flushed_at_ms: 0, due_at_ms: None })
        });
        if merged.is_none() {
            self.watch(id, &key.interest);
        }
        let cohort = Cohort {
            window: Short::new(),
            in_step: Short::new(),
            merged,
            sessions: 1,
            format: key.format,
            waiting: Short::new(),
            items: 0,
            key,
            snapshot: None,
        };
        self.bytes += cohort.key_bytes();
        self.cohorts[id as usize] = Some(cohort);
        id
    }

    /// One session more in a cohort that lives.
    pub fn join(&mut self, id: u32) {
        self.at_mut(id).expect("its caller has just seen it").sessions += 1;
    }

    pub fn keep_snapshot(&mut self, id: u32, snapshot: Snapshot) {
        let cohort = self.cohorts[id as usize].as_mut().expect("its caller has just seen it");
        self.bytes -= cohort.snapshot_bytes();
        cohort.snapshot = Some(Box::new(snapshot));
        self.bytes += cohort.snapshot_bytes();
    }

    /// Nobody is in step, or waits to be; who was is behind now, from `here` on. No window may hold
    /// anything.
    pub fn begin_anew(&mut self, here: (u64, u64)) {
        for cohort in self.cohorts.iter_mut().flatten() {
            debug_assert!(cohort.window.is_empty(), "what has come has been flushed");
            self.bytes -= cohort.snapshot_bytes();
            cohort.snapshot = None;
            cohort.in_step.clear();
            cohort.waiting.clear();
            if let Some(merged) = &mut cohort.merged {
                merged.lag = Lag::at(here.0, here.1);
            }
        }
    }

    /// What the cohorts hold, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves a cohort's window, which is to be flushed, to the end of `to`.
    pub fn take_window(&mut self, id: u32, to: &mut Vec<u32>) {
        let cohort = self.cohorts[id as usize].as_mut().expect("its caller has just seen it");
        to.extend_from_slice(&cohort.window);
        cohort.window.clear();
        if cohort.window.capacity() > WINDOW_KEPT_MAX {
            self.bytes -= window_bytes(&cohort.window);
            cohort.window = Short::new();
        }
    }

    /// Panics where `bytes` is not what walking over the cohorts gives.
    pub fn check_bytes(&self) {
        let held = self.cohorts.iter().flatten();
        let held = held.map(|c| c.key_bytes() + c.snapshot_bytes() + window_bytes(&c.window));
        assert_eq!(self.bytes, held.sum::<u64>(), "the sum over the cohorts");
    }

    /// One session less; the last one ends the cohort.
    pub fn dismiss(&mut self, id: u32, symbols: &mut Symbols) {
        let cohort = self.cohorts[id as usize].as_mut().expect("a session's cohort lives");
        cohort.sessions -= 1;
        if cohort.sessions > 0 {
            return;
        }
        let ended = self.cohorts[id as usize].take().expect("just seen");
        self.bytes -= ended.key_bytes() + ended.snapshot_bytes() + window_bytes(&ended.window);
        self.by_key.remove(&ended.key);
        match ended.merged {
            Some(_) => self.resting.retain(|resting| *resting != id),
            None => self.unwatch(id, &ended.key.interest),
        }
        for (symbol, _) in ended.key.interest.named() {
            symbols.release(*symbol);
        }
        self.free.push(id);
    }

    /// Notes a tick in the window of each cohort that wants it: four bytes, no copy.
    #[inline]
    pub fn note(&mut self, symbol: u32, channel: Channel, stamp: u32) {
        let named = self.watches.get(symbol as usize).map_or(&[][..], Vec::as_slice);
        for watch in named {
            if watch.channels.has(channel) {
                note(&mut self.cohorts, &mut self.dirty, &mut self.bytes, watch.cohort, stamp);
            }
        }
        for star in &self.stars {
            let cohort = self.cohorts[*star as usize].as_ref().expect("a listed star lives");
            if cohort.key.interest.channels(symbol).has(channel) {
                note(&mut self.cohorts, &mut self.dirty, &mut self.bytes, *star, stamp);
            }
        }
    }

    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Puts the cohorts to be flushed into `queue`, which is empty, the first one last; an id in it
    /// may have ended meanwhile, and be that of another cohort, one with a rate as well.
    pub fn take_dirty(&mut self, queue: &mut Vec<u32>) {
        debug_assert!(queue.is_empty(), "one flush is over before the next begins");
        std::mem::swap(&mut self.dirty, queue);
        queue.reverse();
    }

    /// Reads what the flush of some cohorts begins with. These reads wait for memory side by side,
    /// where the flush of each would wait for its own.
    pub fn touch(&self, ids: &[u32]) {
        let some = ids.iter().filter_map(|id| self.at(*id));
        black_box(some.clone().map(|cohort| cohort.window.len()).sum::<usize>());
        let first = some.filter_map(|cohort| cohort.window.first());
        black_box(first.fold(0, |all, stamp| all ^ stamp));
    }

    /// Cohorts with a rate whose clock is to be armed, since ticks have come.
    pub fn take_resting(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.resting)
    }

    pub fn rest(&mut self, id: u32) {
        self.resting.push(id);
    }

    fn watch(&mut self, id: u32, interest: &Interest) {
        if !interest.all().is_empty() {
            return self.stars.push(id);
        }
        for (symbol, channels) in interest.named() {
            let at = *symbol as usize;
            if at >= self.watches.len() {
                self.watches.resize_with(at + 1, Vec::new);
            }
            self.watches[at].push(Watch { cohort: id, channels: *channels });
        }
    }

    fn unwatch(&mut self, id: u32, interest: &Interest) {
        if !interest.all().is_empty() {
            return self.stars.retain(|star| *star != id);
        }
        for (symbol, _) in interest.named() {
            let watches = &mut self.watches[*symbol as usize];
            if let Some(at) = watches.iter().position(|w| w.cohort == id) {
                watches.swap_remove(at);
            }
        }
    }
}

/// Where nobody is in step, or waits to come into it, there is no window: who comes into step
/// then has had what it would hold. Inlined, since each store between those to two windows takes a
/// place among the stores that wait for memory.
#[inline(always)]
fn note(
    cohorts: &mut [Option<Cohort>],
    dirty: &mut Vec<u32>,
    bytes: &mut u64,
    id: u32,
    stamp: u32,
) {
    let cohort = cohorts[id as usize].as_mut().expect("the index names live cohorts");
    if cohort.in_step.is_empty() && cohort.waiting.is_empty() {
        return;
    }
    if cohort.window.is_empty() {
        dirty.push(id);
    }
    if cohort.window.len() == cohort.window.capacity() {
        *bytes += grow(&mut cohort.window);
    }
    cohort.window.push(stamp);
}

/// Makes room for one more; gives the bytes that this took. Apart, so that noting stays small.
#[cold]
fn grow(window: &mut Short) -> u64 {
    let before = window_bytes(window);
    window.reserve(1);
    window_bytes(window) - before
}

/// Of its own memory, beside the cohort's.
fn window_bytes(window: &Short) -> u64 {
    if window.spilled() { (window.capacity() * size_of::<u32>()) as u64 } else { 0 }
}
