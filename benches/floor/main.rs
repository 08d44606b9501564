//! The floor: what the same bytes to the same sockets cost without a server around them.
//!
//! `--send` and `--ring` accept upgrades, read feed lines from standard input, encode the frames
//! that the server would send and send them, with send(2) or with io_uring. `--connect` and
//! `--idle` stop behind the upgrade. Each prints `server PID` and `stream URL`, and ends with its
//! input. Without any of these it runs a small mode, which compares its bytes with the server's.

mod audience;
mod clients;
mod floor;
mod market;
mod outbox;
mod ready_made;
mod small;

use std::io;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use floor::{Floor, Task};
use outbox::Way;
use ready_made::ReadyMade;

#[derive(Parser)]
#[command(name = "floor", about = "The least that serving can cost", long_about = None)]
#[command(group = ArgGroup::new("what").args(["send", "ring", "connect", "idle"]))]
struct Options {
    /// Send with send(2).
    #[arg(long)]
    send: bool,
    /// Send with io_uring, 256 sends a call.
    #[arg(long)]
    ring: bool,
    /// Accept, receive and answer; nothing is sent.
    #[arg(long)]
    connect: bool,
    /// The same, and standard input is left alone; ends by a signal only.
    #[arg(long)]
    idle: bool,
    /// Send each client ready-made frames of so many bytes, so often a second, instead of the feed.
    #[arg(long, value_name = "BYTES,HZ")]
    ready_made: Option<ReadyMade>,
    /// Least time between two flushes, as the server's --flush-ms.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    flush_ms: u64,
    /// What cargo bench adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// What is meant for the test harness, which this has not.
    #[arg(hide = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    if !(options.send || options.ring || options.connect || options.idle) {
        small::run();
        return Ok(());
    }
    let mut floor = Floor::new(Task {
        way: if options.ring { Way::ring()? } else { Way::Send },
        is_connect_only: options.connect || options.idle,
        is_idle: options.idle,
        window: Duration::from_millis(options.flush_ms),
        ready_made: options.ready_made,
    })?;
    println!("server {}", std::process::id());
    println!("stream ws://{}/v1/stream", floor.address()?);
    floor.run()
}
