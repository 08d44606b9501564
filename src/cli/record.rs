//! `tapecast record`: what a feed gives, as files that can be replayed.

mod nats_flags;

use crate::cli::serve;
use crate::config::Settings;
use crate::feed::{
    FeedOpenError, FeedSpec, Ingest, IngestError, Inlet, Retry, SpecError, Subscribed,
};
use crate::market::Channel;
use crate::panics;
use crate::record::{
    Cuts, Folder, FolderError, Recorded, Recorder, RecordingError, Recovered, Writer,
};
use nats_flags::NatsFlags;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Ticks that wait while the disk is busy, at 64 bytes each: a second or two of a busy market.
const INLET_TICKS: usize = 1 << 18;

/// Of numbers that are given here; no file names it.
const EPOCH: &str = "recording";

/// As `serve` has it by default.
const STALE_MS: u64 = 5_000;

/// Records feeds, or another server's stream, into files that `--feed replay:` reads.
///
/// Files are zstd-compressed NDJSON, named NAME-TIME-NUMBER.ndjson.zst, and .part while they are
/// written; what a crash left is completed at the next start. Ends with the feeds, after --seconds,
/// or with SIGTERM or ctrl-C. Logins and TLS of NATS are settings, as of 'serve': flags, TAPECAST_
/// variables, and keys of --config.
#[derive(Debug, Clone, clap::Args)]
pub struct RecordArgs {
    /// A feed as for `serve`, or a stream's URL like ws://127.0.0.1:9001/v1/stream; may be given
    /// more than once
    #[arg(long = "feed", value_name = "SPEC|URL", required = true)]
    pub feeds: Vec<String>,
    /// The folder for the files; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What the files' names begin with
    #[arg(long, value_name = "NAME", default_value = "tape")]
    pub name: String,
    /// Begin another file when one has so many megabytes
    #[arg(long, value_name = "MB", default_value = "256",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub cut_mb: u64,
    /// Begin another file after so many minutes
    #[arg(long, value_name = "MINUTES", default_value = "60",
        value_parser = clap::value_parser!(u64).range(1..=525_600))]
    pub cut_minutes: u64,
    /// End after so many seconds
    #[arg(long, value_name = "S",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub seconds: Option<u64>,
    /// Level of the compression
    #[arg(long, value_name = "LEVEL", default_value = "3",
        value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    #[command(flatten)]
    pub nats: NatsFlags,
}

/// Why nothing, or not all, was recorded.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("--feed {0}")]
    Spec(#[from] SpecError),
    #[error(
        "--feed api: its records come by an admin port, and record has none; give tcp: or unix:"
    )]
    NoAdminPort,
    #[error(transparent)]
    Open(#[from] FeedOpenError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("cannot wait for signals or feeds: {0}; raise the limit of open files")]
    Descriptors(io::Error),
}

/// 0: recorded; 1: failed, with what was written kept; 2: wrong use.
pub fn run(args: &RecordArgs) -> ExitCode {
    let settings = match serve::load_aloud(&args.nats.sources()) {
        // Of the others, which are not its flags, none changes what is recorded.
        Ok(config) => Settings { nats: config.settings.nats, ..Settings::default() },
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    panics::install();
    match record(args, &settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tapecast record: {error}");
            let is_use = matches!(error, RecordError::Spec(_) | RecordError::NoAdminPort)
                || matches!(error, RecordError::Folder(FolderError::Name(_)));
            ExitCode::from(if is_use { 2 } else { 1 })
        }
    }
}

fn record(args: &RecordArgs, settings: &Settings) -> Result<(), RecordError> {
    let spec = |text: &String| Ok(parse(text)?.with_settings(settings));
    let specs = args.feeds.iter().map(spec).collect::<Result<Vec<_>, RecordError>>()?;
    if specs.iter().any(|spec| spec.kind() == "api") {
        return Err(RecordError::NoAdminPort);
    }
    // A feed that waits for readers has one.
    let subscribed: Subscribed = Arc::new(|| u64::MAX);
    let sources = specs.iter().map(|spec| spec.open(&subscribed)).collect::<Result<Vec<_>, _>>()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The second one ends the process at once; the next start completes the file.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(RecordError::Descriptors)?;
    }
    let (folder, recovered) = Folder::open(&args.out, &args.name)?;
    recovered.iter().for_each(tell_recovered);
    let cuts =
        Cuts { bytes: args.cut_mb * 1_000_000, time: Duration::from_secs(args.cut_minutes * 60) };
    let began = Instant::now();
    let writer = Writer::new(folder, cuts, args.level, began);
    let inlet = Arc::new(Inlet::new(INLET_TICKS).map_err(RecordError::Descriptors)?);
    let (names, inlets) = (FeedSpec::names(&specs), vec![Arc::clone(&inlet)]);
    let ingest = Ingest::spawn(names, sources, inlets, EPOCH, STALE_MS, Retry::default())?;
    let recorder = Recorder::new(inlet, ingest, writer);
    let deadline = args.seconds.map(|seconds| began + Duration::from_secs(seconds));
    let (recorded, result) = recorder.run(&stop, deadline);
    print_summary(&recorded, began.elapsed());
    Ok(result?)
}

/// A URL is that of a stream.
fn parse(text: &str) -> Result<FeedSpec, SpecError> {
    let is_url = text.starts_with("ws://") || text.starts_with("wss://");
    if is_url { format!("websocket:{text}").parse() } else { text.parse() }
}

fn tell_recovered(recovered: &Recovered) {
    match recovered {
        Recovered::Kept { path, bytes, cut_bytes } => tracing::warn!(
            "an earlier recording was not ended: {} is complete now with {bytes} bytes; \
             {cut_bytes} bytes behind its last whole frame were cut off",
            path.display()
        ),
        Recovered::Empty { path, cut_bytes } => tracing::warn!(
            "an earlier recording was not ended: of {} nothing was whole, its {cut_bytes} bytes \
             are gone",
            path.display()
        ),
    }
}

fn print_summary(recorded: &Recorded, time: Duration) {
    let written = &recorded.written;
    let of = |channel: Channel| recorded.lines[channel as usize];
    for path in &written.files {
        println!("file     {}", path.display());
    }
    println!(
        "wrote    {} lines in {} files: {} bytes of {} uncompressed, in {:.1} s",
        written.lines,
        written.files.len(),
        written.file_bytes,
        written.line_bytes,
        time.as_secs_f64()
    );
    println!(
        "of them  {} trades, {} quotes, {} bars, {} gaps ({} trades missing), {} new epochs",
        of(Channel::Trades),
        of(Channel::Quotes),
        of(Channel::Bars),
        recorded.gaps,
        recorded.missing_trades,
        recorded.new_epochs
    );
    if written.unwritten_lines > 0 {
        println!("missing  {} lines that could not be written", written.unwritten_lines);
    }
}
