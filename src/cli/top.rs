//! `tapecast top`: the status page for a terminal.
//!
//! A thread asks the admin port, so that keys and sizes are heeded while a server is slow to
//! answer. All that is shown lies in one [`Page`]; drawing it is a pure function into a buffer, for
//! the terminal, for `--once` and for the tests.

mod amounts;
mod fetch;
mod input;
mod page;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use fetch::{FetchError, Source, SourceError};
use page::Page;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Oftener than the eye follows costs the shards turns, for the list of who lags.
const EVERY_MS_MIN: u64 = 100;
const EVERY_MS_MAX: u64 = 3_600_000;

/// Columns of a frame that goes to no terminal.
const ONCE_COLUMNS: u16 = 100;

/// Shows a server's status in the terminal: load against limits, feeds, latency, who lags.
///
/// Keys: q quits, ? tells the others. Where stdout is no terminal, it prints one frame as text.
/// Exit codes: 0 done, 1 no answer or no terminal, 2 wrong use.
#[derive(Debug, Clone, clap::Args)]
pub struct TopArgs {
    /// The server's admin port, as its --admin says
    #[arg(default_value = "http://127.0.0.1:9002/")]
    pub url: String,
    /// Ask the server in this interval
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub every: u64,
    /// Print one frame as plain text, and end
    #[arg(long)]
    pub once: bool,
}

/// Why there is nothing to show, or no more of it; the text names the input and the cure.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    #[error("{0}")]
    Url(#[from] SourceError),
    #[error("--every {0} is out of range; give {EVERY_MS_MIN} to {EVERY_MS_MAX} ms")]
    Every(u64),
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("the terminal cannot be used: {0}; try --once, which needs none")]
    Terminal(#[source] io::Error),
    #[error("the thread that asks the server has panicked; please report it")]
    AskerGone,
}

impl TopError {
    fn exit_code(&self) -> ExitCode {
        match self {
            TopError::Url(_) | TopError::Every(_) => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

/// Runs until a key or a signal ends it. 0: done; 1: the first question had no good answer, or the
/// terminal failed; 2: wrong use.
pub fn run(args: &TopArgs) -> ExitCode {
    match top(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tapecast top: {error}");
            error.exit_code()
        }
    }
}

fn top(args: &TopArgs) -> Result<(), TopError> {
    if !(EVERY_MS_MIN..=EVERY_MS_MAX).contains(&args.every) {
        return Err(TopError::Every(args.every));
    }
    let source = Source::parse(&args.url)?;
    let first = source.fetch()?;
    let page = Page::new(source.url(), first);
    if !args.once && io::stdout().is_terminal() {
        return screen::run(source, page, Duration::from_millis(args.every));
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = size.map(|size| size.ws_col).filter(|columns| *columns > 0);
    let text = view::text(&page, columns.unwrap_or(ONCE_COLUMNS), Instant::now());
    // A reader that has gone has read enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}
