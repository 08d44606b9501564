//! What all connections of a run read through, and what they fill.

use super::check::{Ledger, Origin, StreamCheck};
use super::connection::{Class, PAYLOAD_BYTES_MAX};
use super::dialect::Form;
use super::frame_cache::FrameCache;
use super::last_reader::LastReader;
use super::tally::Tally;

/// It holds a flush of any sensible size, so that one call takes all that a socket has.
pub const READ_BYTES: usize = 256 * 1024;

const _: () = assert!(
    PAYLOAD_BYTES_MAX * 2 <= READ_BYTES,
    "the start of a frame is put before the next read, which must have room for the rest"
);

pub struct Sink {
    /// One for all connections: nothing stays in it from one read to the next.
    pub buffer: Box<[u8]>,
    /// Where frames that carry a stream are joined.
    pub joined: Vec<u8>,
    pub books: Books,
}

/// The results, and what it takes to get them.
pub struct Books {
    pub cache: FrameCache,
    pub form: Form,
    pub ledger: Ledger,
    /// Of those that read all at once, and of the slow ones.
    pub reading: Tally,
    pub slow: Tally,
    pub last_reader: LastReader,
    /// Whether the counting window is open.
    pub is_counting: bool,
    /// Monotonic ns of the run, set once a turn: good enough to order subscriptions. Latencies
    /// are not taken from it, but from the clock, after each read.
    pub now_ns: u64,
    rng: fastrand::Rng,
}

/// Who reads, and when (see [`unix_us`]).
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    pub number: usize,
    pub class: Class,
    pub asked_ns: u64,
    pub now_us: i64,
}

impl Sink {
    pub fn new(form: Form, last_reader: LastReader, ledger: Ledger) -> Sink {
        Sink {
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            joined: Vec::new(),
            books: Books {
                cache: FrameCache::new(form),
                form,
                ledger,
                reading: Tally::new(),
                slow: Tally::new(),
                last_reader,
                is_counting: false,
                now_ns: 0,
                rng: fastrand::Rng::new(),
            },
        }
    }
}

impl Books {
    /// Checks one message, and counts it where it counts.
    #[inline]
    pub fn take_events(&mut self, payload: &[u8], reader: Reader, check: &mut StreamCheck) {
        let Books { cache, ledger, last_reader, now_ns, .. } = self;
        let digest = cache.digest(payload, &mut ledger.symbols);
        let Reader { number, asked_ns, now_us, class } = reader;
        let missing_before = ledger.findings.missing_count();
        check.apply(digest, Origin { connection: number, asked_ns, now_ns: *now_ns }, ledger);
        let tally = match class {
            _ if !self.is_counting => return,
            Class::Reading => &mut self.reading,
            Class::Slow => &mut self.slow,
            Class::Stalled | Class::Passing => return,
        };
        tally.items(digest, now_us);
        tally.missing_count += ledger.findings.missing_count() - missing_before;
        if class == Class::Reading {
            last_reader.frame(digest, &ledger.interest, now_us);
        }
    }

    /// Where a connection of this class counts, if it does now.
    #[inline]
    pub fn tally(&mut self, class: Class) -> Option<&mut Tally> {
        match class {
            Class::Reading if self.is_counting => Some(&mut self.reading),
            Class::Slow if self.is_counting => Some(&mut self.slow),
            _ => None,
        }
    }

    pub fn mask(&mut self) -> [u8; 4] {
        self.rng.u32(..).to_ne_bytes()
    }
}

/// The system clock, which event times are compared with.
pub fn unix_us() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_micros() as i64
}
