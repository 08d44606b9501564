//! What a run found, as a table for people and as JSON for programs.

mod brief;

pub use brief::Brief;

use super::census::Census;
use super::cpu::CpuSeconds;
use super::driver::Plan;
use super::findings::Findings;
use super::sink::Sink;
use super::tally::{Percentiles, percentiles};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// Said in place of latencies where they would be nonsense.
const NO_LATENCY: &str = "not meaningful: event times are not of now";

/// Units stand last in the names; times are seconds unless they say otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub url: String,
    #[serde(flatten)]
    pub brief: Brief,
    pub connections: Connections,
    pub connect: Connect,
    pub window: Window,
    /// µs from the event time to the return of the read that brought it; absent where most event
    /// times are a day or more from now.
    pub latency_us: Option<Percentiles>,
    pub findings: Findings,
    pub violation_count: u64,
    pub cpu: Cpu,
}

#[derive(Debug, Clone, Serialize)]
pub struct Connections {
    pub asked: usize,
    pub opened: usize,
    pub stalled: usize,
    pub open_at_start: usize,
    pub open_at_end: usize,
    /// By HTTP status.
    pub refused: BTreeMap<u16, u64>,
    /// By close code of the server; 1005 none in its Close, 1006 no Close.
    pub closed: BTreeMap<u16, u64>,
    /// By what went wrong.
    pub failed: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Connect {
    pub seconds: f64,
    pub per_second: f64,
    pub latency_us: Percentiles,
}

#[derive(Debug, Clone, Serialize)]
pub struct Window {
    pub seconds: f64,
    pub items: u64,
    pub frames: u64,
    /// Frames with their headers.
    pub bytes: u64,
    pub items_per_second: f64,
    pub frames_per_second: f64,
    pub bytes_per_second: f64,
    /// Frames of the whole run that were not byte-equal to a recent one.
    pub frames_parsed: u64,
}

/// CPU seconds of the load process itself. Where `window` comes near the window's length, the
/// generator was the bottleneck and its latencies are its own.
#[derive(Debug, Clone, Serialize)]
pub struct Cpu {
    pub window: CpuSeconds,
    pub whole_run: CpuSeconds,
}

impl Report {
    pub fn new(plan: &Plan, census: Census, sink: Sink) -> Report {
        let tally = &sink.books.reading;
        let brief = Brief::new(plan, &census, &sink);
        let per_second = |count: u64, time: std::time::Duration| {
            if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
        };
        let counting_time = census.counting_time;
        Report {
            url: plan.ask.to_string(),
            brief,
            connect: Connect {
                seconds: census.opening_time.as_secs_f64(),
                per_second: per_second(census.opened_count as u64, census.opening_time),
                latency_us: percentiles(&census.connect_latency),
            },
            window: Window {
                seconds: counting_time.as_secs_f64(),
                items: tally.item_count,
                frames: tally.frame_count,
                bytes: tally.byte_count,
                items_per_second: per_second(tally.item_count, counting_time),
                frames_per_second: per_second(tally.frame_count, counting_time),
                bytes_per_second: per_second(tally.byte_count, counting_time),
                frames_parsed: sink.books.cache.parsed_count,
            },
            connections: Connections {
                asked: plan.connection_count,
                opened: census.opened_count,
                stalled: census.open_at_start.stalled,
                open_at_start: census.open_at_start.total(),
                open_at_end: census.open_at_end.total(),
                refused: census.refused,
                closed: census.closed,
                failed: census.failed,
            },
            latency_us: tally.latency(),
            violation_count: sink.books.ledger.findings.violation_count(),
            findings: sink.books.ledger.findings,
            cpu: Cpu { window: census.counting_cpu, whole_run: CpuSeconds::now() },
        }
    }

    /// Something opened, and nothing broke the protocol.
    pub fn is_good(&self) -> bool {
        self.connections.opened > 0 && self.violation_count == 0
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.fmt_connections(f)?;
        self.fmt_window(f)?;
        self.fmt_findings(f)?;
        let Cpu { window, whole_run } = &self.cpu;
        writeln!(
            f,
            "own CPU         {:.2} s user + {:.2} s system in the window; {:.2} + {:.2} in all",
            window.user, window.system, whole_run.user, whole_run.system
        )
    }
}

impl Report {
    fn fmt_connections(&self, f: &mut Formatter) -> fmt::Result {
        let c = &self.connections;
        writeln!(f, "server          {}", self.url)?;
        write!(f, "connections     {} asked, {} opened", c.asked, c.opened)?;
        if c.stalled > 0 {
            write!(f, " ({} of them never read)", c.stalled)?;
        }
        let slow = self.brief.classes.slow.start;
        if slow > 0 {
            write!(f, " ({slow} of them read slowly)")?;
        }
        writeln!(f, ", {} open in the window, {} at its end", c.open_at_start, c.open_at_end)?;
        for (status, count) in &c.refused {
            writeln!(f, "  refused       {count} with HTTP {status}")?;
        }
        for (code, count) in &c.closed {
            match code {
                1006 => writeln!(f, "  closed        {count} without a Close frame")?,
                _ => writeln!(f, "  closed        {count} with code {code}")?,
            }
        }
        for (why, count) in &c.failed {
            writeln!(f, "  failed        {count}: {why}")?;
        }
        let connect = &self.connect;
        writeln!(f, "connect rate    {:.0}/s over {:.2} s", connect.per_second, connect.seconds)?;
        writeln!(f, "connect time    {}", Latency(&connect.latency_us))?;
        let (brief, churn) = (&self.brief, &self.brief.churn);
        if brief.churned + churn.failed + churn.skipped > 0 {
            writeln!(
                f,
                "churn           {} came and went, {} failed, {} were skipped",
                brief.churned, churn.failed, churn.skipped
            )?;
        }
        Ok(())
    }

    fn fmt_window(&self, f: &mut Formatter) -> fmt::Result {
        let w = &self.window;
        writeln!(f, "window          {:.2} s", w.seconds)?;
        writeln!(f, "items           {} ({:.0}/s)", w.items, w.items_per_second)?;
        writeln!(f, "frames          {} ({:.0}/s)", w.frames, w.frames_per_second)?;
        writeln!(f, "bytes           {} ({:.1} MB/s)", w.bytes, w.bytes_per_second / 1e6)?;
        match &self.latency_us {
            None => return writeln!(f, "latency         {NO_LATENCY}"),
            Some(latency) if latency.count == 0 => writeln!(f, "latency         no items")?,
            Some(latency) => writeln!(f, "latency         {}", Latency(latency))?,
        }
        let last = &self.brief.last_us;
        if last.count > 0 {
            writeln!(f, "last reader     {} ({} ticks)", Latency(last), last.count)?;
        }
        let slow = &self.brief.slow;
        if self.brief.classes.slow.start > 0 {
            writeln!(f, "slow readers    {} items, {} bytes", slow.ticks, slow.bytes)?;
        }
        Ok(())
    }

    fn fmt_findings(&self, f: &mut Formatter) -> fmt::Result {
        let found = &self.findings;
        writeln!(
            f,
            "gaps announced  {} ({} sequence numbers)",
            found.gap_count, found.gap_lost_count
        )?;
        writeln!(
            f,
            "conflation      {} jumps, {} updates merged",
            found.jump_count, found.merged_count
        )?;
        for (code, count) in &found.errors {
            let first = found.first_error.as_deref().unwrap_or("");
            writeln!(f, "  error events  {count} with code {code}; the first of all: {first:?}")?;
        }
        writeln!(f, "violations      {}", self.violation_count)?;
        for (kind, count) in &found.violations {
            writeln!(f, "  {kind:?}: {count}")?;
        }
        found.texts.iter().try_for_each(|text| writeln!(f, "    {text}"))
    }
}

struct Latency<'a>(&'a Percentiles);

impl Display for Latency<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let p = self.0;
        let ms = |us: u64| us as f64 / 1000.0;
        write!(
            f,
            "p50 {:.3} ms, p90 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3}, mean {:.3}",
            ms(p.p50),
            ms(p.p90),
            ms(p.p99),
            ms(p.p999),
            ms(p.max),
            p.mean / 1000.0
        )
    }
}
