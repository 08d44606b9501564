//! The part of the report that the benchmark suite compares.

use crate::cli::load::census::Census;
use crate::cli::load::driver::Plan;
use crate::cli::load::sink::Sink;
use crate::cli::load::tally::{Percentiles, percentiles};
use serde::Serialize;

/// What a comparison of servers needs, in one place. Of the readers that read all at once, within
/// the counting window, unless it says otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Brief {
    pub dialect: &'static str,
    /// Trades, quotes and bars that came.
    pub ticks: u64,
    /// Frames with their headers.
    pub bytes: u64,
    /// Calls of recv(2) that gave bytes.
    pub reads: u64,
    pub frames: u64,
    /// Sequence numbers that did not come: merged, announced as a gap, or lost.
    pub missing: u64,
    /// Of all connections and the whole run.
    pub violations: u64,
    /// µs from the event time to the read by the last reader, of ticks that all got.
    pub last_us: Percentiles,
    /// User and system time of the load process.
    pub cpu_s: f64,
    pub connect_us: Percentiles,
    pub connects_per_s: f64,
    /// Connections of the churn that came and went as they should.
    pub churned: u64,
    pub churn: ChurnReport,
    pub classes: Classes,
    pub slow: SlowReport,
}

/// Open connections when counting began and when it ended.
#[derive(Debug, Clone, Serialize)]
pub struct Classes {
    pub reading: StartEnd,
    pub slow: StartEnd,
    pub stalled: StartEnd,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct StartEnd {
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct ChurnReport {
    pub failed: u64,
    pub skipped: u64,
    pub connect_us: Percentiles,
}

/// What the slow readers got.
#[derive(Debug, Clone, Serialize)]
pub struct SlowReport {
    pub ticks: u64,
    pub bytes: u64,
    pub missing: u64,
    pub latency_us: Option<Percentiles>,
}

impl Brief {
    pub fn new(plan: &Plan, census: &Census, sink: &Sink) -> Brief {
        let (reading, slow) = (&sink.books.reading, &sink.books.slow);
        let (start, end) = (census.open_at_start, census.open_at_end);
        let class = |start, end| StartEnd { start, end };
        let opening_s = census.opening_time.as_secs_f64();
        Brief {
            dialect: plan.ask.dialect.name(),
            ticks: reading.item_count,
            bytes: reading.byte_count,
            reads: reading.read_count,
            frames: reading.frame_count,
            missing: reading.missing_count,
            violations: sink.books.ledger.findings.violation_count(),
            last_us: sink.books.last_reader.latency(),
            cpu_s: census.counting_cpu.user + census.counting_cpu.system,
            connect_us: percentiles(&census.connect_latency),
            connects_per_s: census.opened_count as f64 / opening_s.max(f64::MIN_POSITIVE),
            churned: census.churn.done_count,
            churn: ChurnReport {
                failed: census.churn.failed_count,
                skipped: census.churn.skipped_count,
                connect_us: percentiles(&census.churn.connect_latency),
            },
            classes: Classes {
                reading: class(start.reading, end.reading),
                slow: class(start.slow, end.slow),
                stalled: class(start.stalled, end.stalled),
            },
            slow: SlowReport {
                ticks: slow.item_count,
                bytes: slow.byte_count,
                missing: slow.missing_count,
                latency_us: slow.latency(),
            },
        }
    }
}
