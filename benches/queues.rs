//! What one feed thread can give to 1, 2, 4, 8 and 16 shards: the cost of a tick on the ingest
//! thread, by the number of queues. `cargo bench --bench queues`; without `--bench` it runs a
//! small mode.
//!
//! * *alone*: nobody pops while ticks are pushed; the same core empties the queues in between,
//!   untimed. That is the producer's own work, with all lines in its own cache.
//! * *drained*: one thread a queue does nothing but pop, as an idle shard would, on other cores
//!   as far as there are any. Each line then comes from another core's cache, as in a server.
//!   Only the pushes count, by their CPU time; where consumers share a core, what they cannot pop
//!   in time is waited for, and *sustained* says what that came to, by the clock.
//!
//! The order is the ingest thread's: a batch of records goes to the first outlet, then to the
//! next, and each bell is rung once a batch.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use tapecast::feed::{Inlet, Numbering, Outlet};
use tapecast::limits::INLET_TICKS;
use tapecast::market::{Decimal, Feed, Record, RecordBody, Symbol, Tick};

/// Records that a feed gives in a turn.
const BATCH_TICKS: usize = 256;

/// Batches between two looks whether the consumers are done: far less than a queue holds.
const BURST_BATCHES: usize = 32;

const _: () = assert!(BATCH_TICKS * BURST_BATCHES <= INLET_TICKS / 2);

const QUEUES: [usize; 5] = [1, 2, 4, 8, 16];

/// Medians of so many rounds, since a machine's speed drifts.
const ROUNDS: usize = 5;

fn main() {
    let small = !std::env::args().any(|argument| argument == "--bench");
    let bursts = if small { 2 } else { 60 };
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.first().map(|core| core_affinity::set_for_current(*core));
    let (ticks, record_ns) = make_ticks(if small { 10 } else { 2_000 });
    println!("{} cores; a line to a numbered tick: {record_ns:.0} ns", cores.len());
    println!("a ring of a shard that sleeps: {:.0} ns", ring_ns(if small { 10 } else { 20_000 }));
    // Per queue: what a tick takes in each. Then ticks a second, which go to all of them.
    println!("| queues | alone, ns | drained, ns | alone | drained | sustained | with parsing |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for queues in QUEUES {
        let (mut alone, mut drained, mut sustained) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..if small { 1 } else { ROUNDS } {
            alone.push(Queues::new(queues).measure(&ticks, bursts).0);
            let mut queues = Queues::new(queues);
            queues.consume(&cores);
            let (pushing_ns, whole_ns) = queues.measure(&ticks, bursts);
            drained.push(pushing_ns);
            sustained.push(whole_ns);
        }
        let [alone, drained, sustained] = [alone, drained, sustained].map(median);
        let per_second = |ns: f64| format!("{:.2} M", 1e3 / ns);
        println!(
            "| {queues} | {:.1} | {:.1} | {} | {} | {} | {} |",
            alone / queues as f64,
            drained / queues as f64,
            per_second(alone),
            per_second(drained),
            per_second(sustained),
            per_second(record_ns + drained)
        );
    }
}

/// Outlets and inlets as the ingest thread has them, and whoever pops.
struct Queues {
    outlets: Vec<(Outlet, Arc<Inlet>)>,
    stop: Arc<AtomicBool>,
    consumers: Vec<JoinHandle<u64>>,
}

impl Queues {
    fn new(count: usize) -> Queues {
        let inlet = || Arc::new(Inlet::new(INLET_TICKS).expect("a descriptor for its bell"));
        let outlets = (0..count).map(|_| (Outlet::default(), inlet())).collect();
        Queues { outlets, stop: Arc::default(), consumers: Vec::new() }
    }

    /// Starts a thread for each queue, on all cores but the first; on that one where it is alone.
    fn consume(&mut self, cores: &[core_affinity::CoreId]) {
        let others = if cores.len() > 1 { &cores[1..] } else { cores };
        for (index, (_, inlet)) in self.outlets.iter().enumerate() {
            let core = others.get(index % others.len().max(1)).copied();
            let (inlet, stop) = (Arc::clone(inlet), Arc::clone(&self.stop));
            self.consumers.push(std::thread::spawn(move || {
                core.map(core_affinity::set_for_current);
                pop_until(&inlet, &stop)
            }));
        }
    }

    /// CPU time of the pushes and time of everything, in ns per tick.
    fn measure(mut self, ticks: &[Tick], bursts: usize) -> (f64, f64) {
        let (began, mut pushing_ns) = (Instant::now(), 0);
        // The first burst finds every page of the queues untouched.
        for burst in 0..=bursts {
            let before_ns = thread_cpu_ns();
            self.push_burst(ticks);
            if burst > 0 {
                pushing_ns += thread_cpu_ns() - before_ns;
            }
            self.await_empty();
        }
        let whole = began.elapsed();
        self.stop.store(true, Ordering::Release);
        let each = BATCH_TICKS * BURST_BATCHES;
        for consumer in self.consumers {
            let popped = consumer.join().expect("a consumer only pops");
            assert_eq!(popped, (each * (bursts + 1)) as u64, "every tick came once");
        }
        let whole_ns = whole.as_nanos() as f64 / ((bursts + 1) * each) as f64;
        (pushing_ns as f64 / (bursts * each) as f64, whole_ns)
    }

    fn push_burst(&mut self, ticks: &[Tick]) {
        for _ in 0..BURST_BATCHES {
            for (outlet, inlet) in &mut self.outlets {
                for tick in ticks {
                    outlet.offer(*tick, inlet);
                }
            }
            for (outlet, inlet) in &mut self.outlets {
                if outlet.take_pushed() {
                    inlet.bell().ring();
                }
            }
        }
    }

    fn await_empty(&mut self) {
        for (outlet, inlet) in &mut self.outlets {
            assert!(outlet.is_clear(), "a queue was full, and what was pushed was merged");
            if self.consumers.is_empty() {
                while inlet.pop().is_some() {}
            }
            while !inlet.is_empty() {
                std::thread::yield_now();
            }
        }
    }
}

fn pop_until(inlet: &Inlet, stop: &AtomicBool) -> u64 {
    let mut popped = 0;
    loop {
        while let Some(tick) = inlet.pop() {
            black_box(tick);
            popped += 1;
        }
        if stop.load(Ordering::Acquire) && inlet.is_empty() {
            return popped;
        }
        std::thread::yield_now();
    }
}

/// The ingest thread's part of a wake-up, in ns; what the waking takes is the other core's.
fn ring_ns(rounds: usize) -> f64 {
    let inlet = Inlet::new(1).expect("a descriptor for its bell");
    let before_ns = thread_cpu_ns();
    for _ in 0..rounds {
        inlet.bell().fall_asleep();
        inlet.bell().ring();
    }
    (thread_cpu_ns() - before_ns) as f64 / rounds as f64
}

/// A batch of quotes, and what it takes from a line to a numbered tick, in ns.
fn make_ticks(rounds: usize) -> (Vec<Tick>, f64) {
    let lines: Vec<Vec<u8>> = (0..BATCH_TICKS).map(line).collect();
    let (mut numbering, mut ticks) = (Numbering::default(), Vec::new());
    let mut number = |ticks: &mut Vec<Tick>| {
        ticks.clear();
        for line in &lines {
            let record = Record::parse(line).expect("it was written as a record");
            numbering.number(Feed(0), &record, record.event_ns, ticks).expect("room for it");
        }
    };
    // The first time gives the definitions too.
    number(&mut ticks);
    let before_ns = thread_cpu_ns();
    (0..rounds).for_each(|_| number(&mut ticks));
    let each_ns = (thread_cpu_ns() - before_ns) as f64 / (rounds * BATCH_TICKS) as f64;
    assert_eq!(ticks.len(), BATCH_TICKS);
    (ticks, each_ns)
}

fn line(number: usize) -> Vec<u8> {
    let symbol = Symbol::parse(&format!("S{number:05}")).expect("short");
    let (price, size) = (Decimal::new(23_071 + number as i64, 2), Decimal::new(100, 0));
    let body = RecordBody::Quote {
        bid: (price, size),
        bid_exchange: "V".into(),
        ask: (price, size),
        ask_exchange: "Q".into(),
    };
    let mut line = Vec::new();
    Record { symbol, event_ns: 1_700_000_000_123_456_789, seq: None, body }.write(&mut line);
    line
}

/// Not the clock's time: on a machine with other work this thread is not always running.
fn thread_cpu_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
