//! The command line.

use std::path::PathBuf;

/// Half of it is the mean wait, which leaves 10 ms of the 55 that were published.
pub const BATCH_MS: u64 = 90;

/// Measures Tapecast, the floors and the peers that are installed, in turn, on one core each.
///
/// Servers run on the first core, their feed and the load on the last. Writes results.json,
/// results.md and SVG charts to the directory of --out.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "cargo bench --bench fanout --")]
pub struct Args {
    /// W1 ... W5, L1 ... L6, M1, S1, G1, or all, or cells as --list calls them
    #[arg(long, value_delimiter = ',', default_value = "all")]
    pub workloads: Vec<String>,
    /// tapecast, floor-send, floor-ring, floor-connect, bun, ws, ws-frames, tungstenite,
    /// fastwebsockets, nats, nchan, or installed for all that are there
    #[arg(long, value_delimiter = ',', default_value = "installed")]
    pub servers: Vec<String>,
    /// Rounds, in each of which every server runs once; up to as many more where others disturbed
    /// Tapecast's run or the floor's
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Counting window of each run, at least 20 bursts
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,
    /// From the first tick to the window, at least 17 sends to each connection: the kernel
    /// acknowledges the first 16 segments of each at once, which costs the server's core a quarter
    /// more
    #[arg(long, value_name = "S", default_value_t = 4.0)]
    pub warmup: f64,
    /// Directory of what is written, from the package's root
    #[arg(long, value_name = "DIR", default_value = "target/fanout")]
    pub out: PathBuf,
    /// Most connections of any workload
    #[arg(long, value_name = "N", default_value_t = 18_000)]
    pub connections_max: usize,
    /// Batching window of the batched workloads, L4 and L6
    #[arg(long, value_name = "MS", default_value_t = BATCH_MS)]
    pub batch_ms: u64,
    /// Flags for `tapecast serve`, in one argument
    #[arg(long, value_name = "FLAGS", default_value = "", allow_hyphen_values = true)]
    pub tapecast_flags: String,
    /// One round of a second with at most 200 connections: to see that all works
    #[arg(long)]
    pub quick: bool,
    /// Keep the cells in --out that are not measured now, instead of beginning anew
    #[arg(long)]
    pub keep: bool,
    /// List workloads and servers, and end
    #[arg(long)]
    pub list: bool,
    /// Write tables and charts of --out again, and measure nothing
    #[arg(long)]
    pub render: bool,
    /// Copy results and charts of --out to benches/results, and measure nothing
    #[arg(long)]
    pub publish: bool,
    /// Publish cells of a tree with changes as well; the results say so
    #[arg(long, requires = "publish")]
    pub force: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Args {
    /// With what `--quick` means put in.
    pub fn settled(mut self) -> Args {
        if self.quick {
            (self.rounds, self.seconds, self.warmup) = (1, 1.0, 0.5);
            self.connections_max = self.connections_max.min(200);
        }
        self
    }
}
