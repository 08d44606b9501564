//! The market: a thread that writes bursts of lines to a server's standard input, at instants
//! that are scheduled beforehand.
//!
//! The event time in a line is the scheduled instant, whenever the write happens. So a latency
//! from it includes what a late writer or a server that does not read adds: nothing is omitted.

use crate::process;
use crate::workload::Market;
use rustix::thread::{ClockId, Timespec, clock_nanosleep_absolute};
use rustix::time::clock_gettime;
use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// A burst that is written so much after its instant is counted as late.
const LATE_NS: i64 = 5_000_000;

/// The first burst comes this long after the start.
pub const LEAD_NS: i64 = 50_000_000;

/// A pipe must take a whole burst at once: the default of 64 KiB would not. The limit of an
/// unprivileged process (pipe(7), /proc/sys/fs/pipe-max-size).
const PIPE_BYTES: usize = 1 << 20;

/// When the bursts are: one every so often, or with a market that has its turn in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Of the first burst, since the Unix epoch.
    pub first_ns: i64,
    pub every_ns: i64,
    pub turns: Option<Turns>,
}

/// So many bursts, then none until so long after the first of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    pub bursts: i64,
    pub every_ns: i64,
}

impl Schedule {
    /// From now on, without a pause.
    pub fn steady(market: &Market) -> Schedule {
        let every_ns = market.every_us as i64 * 1_000;
        Schedule { first_ns: now_ns() + LEAD_NS, every_ns, turns: None }
    }

    /// Of a burst, counted from 0.
    pub fn instant_ns(&self, burst: i64) -> i64 {
        let (turn, burst) = match self.turns {
            None => (0, burst),
            Some(turns) => ((burst / turns.bursts) * turns.every_ns, burst % turns.bursts),
        };
        self.first_ns + turn + burst * self.every_ns
    }
}

/// What the writer did up to now.
#[derive(Debug, Clone, Copy)]
pub struct Bursts {
    pub count: u64,
    pub late: u64,
    /// The most that a burst was late, in ns.
    pub late_ns_max: u64,
}

/// Readable while it runs.
#[derive(Debug, Default)]
struct Counts {
    bursts: AtomicU64,
    late: AtomicU64,
    late_ns_max: AtomicU64,
    stop: AtomicBool,
}

/// The writer's thread. It ends when it is dropped or its reader is gone; the pipe stays open
/// until [`Feed::close`], since its end is the server's end.
pub struct Feed {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<ChildStdin>>,
}

impl Feed {
    /// Writes until it is told to stop. The thread runs on `core`.
    pub fn start(market: Market, schedule: Schedule, pipe: ChildStdin, core: usize) -> Feed {
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        let run = move || {
            process::pin_this_thread(core);
            process::run_before_others();
            write_bursts(&market, &schedule, pipe, &shared)
        };
        let thread = std::thread::Builder::new().name("market".into()).spawn(run);
        Feed { counts, thread: Some(thread.expect("a thread can be had")) }
    }

    /// From now on the latest burst is sought anew.
    pub fn begin_count(&self) -> Bursts {
        self.counts.late_ns_max.store(0, Ordering::Relaxed);
        self.bursts()
    }

    pub fn bursts(&self) -> Bursts {
        let counts = &self.counts;
        Bursts {
            count: counts.bursts.load(Ordering::Relaxed),
            late: counts.late.load(Ordering::Relaxed),
            late_ns_max: counts.late_ns_max.load(Ordering::Relaxed),
        }
    }

    /// Waits until the next burst would be due, and gives the pipe back.
    pub fn stop(mut self) -> ChildStdin {
        self.counts.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("only this takes it");
        thread.join().expect("the writer does not panic")
    }
}

/// After an error the thread is left alone: it ends with its next burst.
impl Drop for Feed {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
    }
}

fn write_bursts(
    market: &Market,
    schedule: &Schedule,
    mut pipe: ChildStdin,
    counts: &Counts,
) -> ChildStdin {
    // A smaller pipe is slower, and then bursts count as late.
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
    let mut lines = Lines::new(market);
    for burst in 0.. {
        let instant = schedule.instant_ns(burst);
        sleep_until(instant);
        if counts.stop.load(Ordering::Relaxed) {
            break;
        }
        let burst = lines.burst(instant);
        if pipe.write_all(burst).is_err() {
            break; // the server is gone, which its own exit tells better
        }
        let late = now_ns() - instant;
        counts.bursts.fetch_add(1, Ordering::Relaxed);
        counts.late.fetch_add(u64::from(late > LATE_NS), Ordering::Relaxed);
        counts.late_ns_max.fetch_max(late.max(0) as u64, Ordering::Relaxed);
    }
    pipe
}

/// Lines of quotes whose times and prices are put in for each burst.
pub struct Lines {
    /// Of each symbol, the line up to the bid's last digits.
    heads: Vec<String>,
    burst: usize,
    repeats: usize,
    next: usize,
    turn: u64,
    text: Vec<u8>,
}

impl Lines {
    pub fn new(market: &Market) -> Lines {
        let head = |n| format!(r#"{{"T":"q","S":"{}","bx":"Q","bp":{}"#, symbol(n), 100 + n % 400);
        let heads = (1..=market.symbols).map(head).collect();
        let (burst, repeats) = (market.burst, market.repeats);
        Lines { heads, burst, repeats, next: 0, turn: 0, text: Vec::new() }
    }

    /// The next symbols in turn; every line has another price than the one before it.
    pub fn burst(&mut self, event_ns: i64) -> &[u8] {
        self.text.clear();
        for _ in 0..self.burst {
            let head = &self.heads[self.next];
            self.next = (self.next + 1) % self.heads.len();
            for _ in 0..self.repeats {
                self.turn += 1;
                let cents = 10 + self.turn % 80;
                self.text.extend_from_slice(head.as_bytes());
                let rest = writeln!(
                    self.text,
                    r#".{cents},"bs":{},"ax":"P","ap":{}.{},"as":{},"t":{event_ns}}}"#,
                    100 * (1 + self.turn % 9),
                    100 + self.turn % 400,
                    cents + 1,
                    100 * (1 + self.turn % 7),
                );
                rest.expect("a Vec takes all");
            }
        }
        &self.text
    }
}

/// As `tapecast load` names them.
pub fn symbol(number: usize) -> String {
    format!("S{number:05}")
}

/// Since the Unix epoch.
pub fn now_ns() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// On the clock that the latencies are told by.
pub fn sleep_until(instant_ns: i64) {
    let (tv_sec, tv_nsec) = (instant_ns / 1_000_000_000, instant_ns % 1_000_000_000);
    while clock_nanosleep_absolute(ClockId::Realtime, &Timespec { tv_sec, tv_nsec }).is_err() {}
}
