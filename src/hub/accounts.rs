//! What clients cost, in bytes: of the process, and of the kernel.
//!
//! Each session's entry holds what was counted for it last; whoever changes what a session holds
//! calls [`Hub::account`], and the difference goes into the sums. The process's part is exact up
//! to the allocator's rounding, but a frame that several sessions hold counts in full for each.
//! The kernel's part is an estimate: what a socket costs at rest, and for what is in its buffers
//! the mean of sockets that the shard has looked at, apart for those that are full.

use super::Hub;
use crate::session::{Phase, Place, Session};

/// What an idle client costs the process: the session in its slot, generation, entry here, the
/// shard's connection (24), places in its cohort, on the timing wheel (16) and in the queue.
pub const SESSION_BYTES: usize =
    size_of::<Option<Session>>() + 4 + size_of::<Entry>() + 24 + 4 + 16 + 4;

/// One sample moves a mean by a 32nd: the samples of some 50 ms decide.
const SAMPLE_SHARE: i64 = 32;

/// What clients may cost, all in bytes but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySettings {
    /// Of this shard's clients, in the process and in the kernel together.
    pub budget_bytes: u64,
    /// What the kernel holds for a socket with empty buffers: the TCP socket, its inode, dentry
    /// and file (4,012 measured), and the receive that is armed on the ring.
    pub socket_bytes: u64,
    /// What is taken to be in the buffers of a full socket until some were looked at.
    pub socket_full_bytes: u64,
    /// How long a session that is closed for want of memory may take to end, in ms. A client that
    /// reads gets its Close frame in this time; one that does not holds what shall be freed.
    pub shed_grace_ms: u64,
}

impl Default for MemorySettings {
    fn default() -> MemorySettings {
        MemorySettings {
            budget_bytes: u64::MAX,
            socket_bytes: 4_608,
            socket_full_bytes: 56 * 1024,
            shed_grace_ms: 1_000,
        }
    }
}

/// What was counted for the session in a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entry {
    /// 0 where the slot is free.
    process_bytes: u32,
    /// Its socket took less than it was given.
    full: bool,
    /// It is closing: what it costs comes back soon, whatever its peer does.
    leaving: bool,
}

/// What clients cost now, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub sessions: u64,
    pub cohorts: u64,
    /// The kernel's structures for the sockets.
    pub sockets: u64,
    /// What is in the sockets' buffers: the part that `/proc/net/sockstat` counts too.
    pub buffers: u64,
    /// Of all this, what belongs to sessions that are closing.
    pub leaving: u64,
}

impl Used {
    pub fn total(&self) -> u64 {
        self.sessions + self.cohorts + self.sockets + self.buffers
    }

    /// What will be left when those who are closing are gone.
    pub fn staying(&self) -> u64 {
        self.total().saturating_sub(self.leaving)
    }
}

/// Sums over sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    process_bytes: u64,
    sockets: u64,
    full: u64,
}

impl Sums {
    fn add(&mut self, entry: Entry) {
        self.process_bytes += u64::from(entry.process_bytes);
        self.sockets += 1;
        self.full += u64::from(entry.full);
    }

    fn take(&mut self, entry: Entry) {
        self.process_bytes -= u64::from(entry.process_bytes);
        self.sockets -= 1;
        self.full -= u64::from(entry.full);
    }

    fn buffers(&self, means: &[Mean; 2]) -> u64 {
        let [open, full] = means.map(|mean| mean.bytes());
        (self.sockets - self.full) * open + self.full * full
    }
}

/// A mean that forgets. In fractions of a byte, so that small differences count.
#[derive(Debug, Clone, Copy)]
struct Mean {
    fractions: i64,
}

impl Mean {
    fn at(bytes: u64) -> Mean {
        Mean { fractions: bytes as i64 * SAMPLE_SHARE }
    }

    fn take(&mut self, bytes: u64) {
        self.fractions += bytes as i64 - self.fractions / SAMPLE_SHARE;
    }

    fn bytes(self) -> u64 {
        (self.fractions / SAMPLE_SHARE).max(0) as u64
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Accounts {
    /// By slot.
    entries: Vec<Entry>,
    all: Sums,
    leaving: Sums,
    socket_bytes: u64,
    /// In the buffers of a socket: of one that takes what it is given, of one that is full.
    means: [Mean; 2],
}

impl Accounts {
    pub fn new(settings: &MemorySettings) -> Accounts {
        Accounts {
            entries: Vec::new(),
            all: Sums::default(),
            leaving: Sums::default(),
            socket_bytes: settings.socket_bytes,
            means: [Mean::at(0), Mean::at(settings.socket_full_bytes)],
        }
    }

    fn set(&mut self, slot: u32, entry: Entry) {
        let at = slot as usize;
        if at >= self.entries.len() {
            self.entries.resize(at + 1, Entry::default());
        }
        let before = std::mem::replace(&mut self.entries[at], entry);
        for (entry, change) in [(before, Sums::take as fn(&mut Sums, Entry)), (entry, Sums::add)] {
            if entry != Entry::default() {
                change(&mut self.all, entry);
                if entry.leaving {
                    change(&mut self.leaving, entry);
                }
            }
        }
    }

    fn used(&self, cohorts: u64) -> Used {
        let leaving = self.leaving.process_bytes + self.leaving.sockets * self.socket_bytes;
        Used {
            sessions: self.all.process_bytes,
            cohorts,
            sockets: self.all.sockets * self.socket_bytes,
            buffers: self.all.buffers(&self.means),
            leaving: leaving + self.leaving.buffers(&self.means),
        }
    }

    fn sample(&mut self, slot: u32, bytes: u64) {
        let entry = self.entries.get(slot as usize).copied().unwrap_or_default();
        if entry != Entry::default() {
            self.means[usize::from(entry.full)].take(bytes);
        }
    }
}

impl Hub {
    /// What the clients of this shard cost.
    pub fn used(&self) -> Used {
        self.accounts.used(self.cohorts.bytes() + self.book.symbols.unfed_bytes())
    }

    /// The shard has looked how much the kernel holds in the buffers of a session's socket.
    pub fn sample_socket(&mut self, slot: u32, bytes: u64) {
        self.accounts.sample(slot, bytes);
    }

    /// Counts what a session costs now in place of what it cost before.
    pub(super) fn account(&mut self, slot: u32) {
        let entry = self.sessions.at(slot).map(cost);
        self.accounts.set(slot, entry.unwrap_or_default());
    }

    /// Sessions whose socket does not take what they are owed.
    pub fn stopped(&self) -> u64 {
        self.accounts.all.full - self.accounts.leaving.full
    }

    /// Sessions that are closing.
    pub fn leaving(&self) -> u64 {
        self.accounts.leaving.sockets
    }

    /// Whether a session holds more than an idle one.
    pub(super) fn holds_more(&self, slot: u32) -> bool {
        let entry = self.accounts.entries.get(slot as usize).copied().unwrap_or_default();
        entry.process_bytes as usize > SESSION_BYTES
    }

    /// Panics where the sums are not what walking over everything gives.
    pub fn check_accounts(&self) {
        let mut accounts = Accounts::new(&self.settings.memory);
        for (slot, session) in self.sessions.iter() {
            let entry = cost(session);
            assert_eq!(self.accounts.entries[slot as usize], entry, "slot {slot}: its account");
            accounts.set(slot, entry);
        }
        assert_eq!(self.accounts.all, accounts.all, "the sum over the sessions");
        assert_eq!(self.accounts.leaving, accounts.leaving, "the sum over those who leave");
        self.cohorts.check_bytes();
    }
}

/// What a session costs now.
fn cost(session: &Session) -> Entry {
    let head = match &session.phase {
        Phase::Upgrading(head) => head.capacity(),
        _ => 0,
    };
    let lag = match &session.place {
        Place::Behind(lag) => lag.heap_bytes(),
        _ => 0,
    };
    let outgoing = session.outgoing.as_ref().map_or(0, |outgoing| outgoing.heap_bytes());
    let bytes = SESSION_BYTES + head + lag + outgoing + session.decoder.heap_bytes();
    let leaving =
        matches!(session.phase, Phase::Closing(_) | Phase::Lingering(_) | Phase::Ended(_));
    Entry {
        process_bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        full: session.is_unfinished(),
        leaving,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(process_bytes: u32, full: bool, leaving: bool) -> Entry {
        Entry { process_bytes, full, leaving }
    }

    fn accounts(socket_bytes: u64, socket_full_bytes: u64) -> Accounts {
        let settings =
            MemorySettings { socket_bytes, socket_full_bytes, ..MemorySettings::default() };
        Accounts::new(&settings)
    }

    #[test]
    fn sums_follow_every_change_and_come_back_to_zero() {
        let mut accounts = accounts(4_000, 50_000);
        accounts.set(3, entry(300, false, false));
        accounts.set(0, entry(300, false, false));
        accounts.set(0, entry(30_300, true, false));
        let used = accounts.used(7);
        assert_eq!((used.sessions, used.cohorts), (30_600, 7));
        assert_eq!((used.sockets, used.buffers, used.leaving), (8_000, 50_000, 0));
        accounts.set(0, entry(30_300, true, true));
        assert_eq!(accounts.used(7).leaving, 30_300 + 4_000 + 50_000);
        assert_eq!(accounts.used(7).total(), 30_600 + 7 + 8_000 + 50_000);
        accounts.set(0, Entry::default());
        accounts.set(3, Entry::default());
        assert_eq!(accounts.used(0), Used::default());
    }

    #[test]
    fn samples_decide_what_is_in_the_buffers_of_each_kind_of_socket() {
        let mut accounts = accounts(0, 50_000);
        accounts.set(0, entry(300, false, false));
        accounts.set(1, entry(300, true, false));
        for _ in 0..500 {
            accounts.sample(0, 2_000);
            accounts.sample(1, 40_000);
            accounts.sample(9, 1 << 40); // nobody is there
        }
        let buffers = accounts.used(0).buffers;
        assert!((41_900..=42_100).contains(&buffers), "{buffers}");
    }
}
