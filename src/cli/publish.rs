//! `tapecast publish`: the ingest node. Feeds in, NATS out.

mod args;
mod service;

pub use args::PublishArgs;

use crate::cli::serve;
use crate::config::{Origin, Settings};
use crate::control::{LOOK_RUNNING, LogLevel, Signals, Woken};
use crate::feed::{FeedOpenError, Ingest, IngestCounters, IngestError, IngestHandle, Inlet, Retry};
use crate::feed::{FeedSpec, Source, Subscribed};
use crate::limits::INLET_TICKS;
use crate::panics;
use crate::publish::{PublishCounters, PublishError, PublishOptions, Publisher, PublisherHandle};
use crate::wire::client::without_logins;
use service::Service;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the log says what was done.
const COUNTS_EVERY: Duration = Duration::from_secs(10);

/// Why it does not begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(
        "--feed api: its records come by an admin port, and publish has none; give tcp: or unix:"
    )]
    NoAdminPort,
    #[error(transparent)]
    Feed(#[from] FeedOpenError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("no descriptors are left: {0}; raise the limit of open files")]
    Descriptors(#[from] io::Error),
}

/// `serve` alone has a feed by default: here its made-up prices would go to every node.
const NO_FEED: &str = "error: --feed is missing: say what is published, such as --feed stdin, or \
--feed synthetic for a made-up market; a file of --config has it as `feeds` of [feed]";

/// Runs until a signal or `--seconds`. 0: stopped in order; 1: failed; 2: wrong use.
pub fn run(args: &PublishArgs) -> ExitCode {
    let sources = args.sources();
    let checked = serve::check_aloud(&sources);
    let nats = checked.as_ref().map_or_else(|_| Default::default(), |c| c.settings.nats.clone());
    let checked = checked.and_then(|config| Ok((serve::feed_specs(&config)?, config)));
    let names_a_feed =
        checked.as_ref().is_ok_and(|(_, config)| config.origin("feeds") != Origin::Default);
    let (options, (specs, config)) = match (args.options(nats), checked) {
        (Ok(options), Ok(checked)) if names_a_feed => (options, checked),
        // All that is wrong is told at once.
        (options, checked) => {
            if let Err(error) = options {
                eprintln!("error: {error}");
            }
            match checked {
                Err(errors) => eprintln!("{errors}"),
                Ok(_) if !names_a_feed => eprintln!("{NO_FEED}"),
                Ok(_) => {}
            }
            return ExitCode::from(2);
        }
    };
    let _log = LogLevel::start(&config.settings.log).expect("the level has been checked");
    panics::install();
    let settings = &config.settings;
    let started = Signals::new()
        .map_err(StartError::Descriptors)
        .and_then(|signals| Ok((signals, Running::start(options.clone(), specs, settings)?)));
    let (mut signals, running) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if !args.quiet() {
        // A reader of our output that has gone is no reason to end.
        let _ = print_what_runs(&settings.feeds, &options);
    }
    running.until_stopped(&mut signals, args.seconds())
}

/// Both threads.
struct Running {
    ingest: IngestHandle,
    publisher: PublisherHandle,
}

impl Running {
    fn start(
        mut options: PublishOptions,
        specs: Vec<FeedSpec>,
        settings: &Settings,
    ) -> Result<Running, StartError> {
        if specs.iter().any(|spec| spec.kind() == "api") {
            return Err(StartError::NoAdminPort);
        }
        let (stale_ms, boundaries) = (settings.feed_stale_ms, &settings.boundaries);
        let retry = Retry::new(boundaries.feed_retry_ms, boundaries.feed_retry_ms_max);
        // Nobody subscribes here: a replay that waits for subscribers begins at once.
        let subscribed: Subscribed = Arc::new(|| u64::MAX);
        let open = |spec: FeedSpec| spec.with_settings(settings).open(&subscribed);
        let names = FeedSpec::names(&specs);
        let sources: Vec<Box<dyn Source>> =
            specs.into_iter().map(open).collect::<Result<_, _>>()?;
        options.sequenced = sequenced(&sources);
        let brings_epoch = sources.iter().any(|source| source.epoch().is_some());
        let inlet = Arc::new(Inlet::new(INLET_TICKS)?);
        let inlets = vec![Arc::clone(&inlet)];
        let ingest = Ingest::spawn(names, sources, inlets, &epoch(), stale_ms, retry)?;
        options.feed_epoch = brings_epoch.then(|| ingest.counters().epoch().as_str().to_string());
        let publisher = match Publisher::spawn(options, inlet) {
            Ok(publisher) => publisher,
            Err(error) => {
                ingest.stop();
                let _ = ingest.join();
                return Err(error.into());
            }
        };
        Ok(Running { ingest, publisher })
    }

    fn until_stopped(self, signals: &mut Signals, seconds: Option<f64>) -> ExitCode {
        let began = Instant::now();
        let until = seconds.map(|seconds| began + Duration::from_secs_f64(seconds));
        let (mut service, mut counted_at) = (Service::of_environment(), began);
        loop {
            let look = || {
                let now = Instant::now();
                panics::log_reports(false);
                if now.duration_since(counted_at) >= COUNTS_EVERY {
                    counted_at = now;
                    self.log_counts();
                }
                service.look(self.publisher.counters(), now);
                let is_over = until.is_some_and(|until| now >= until);
                let runs = self.publisher.is_running() && self.ingest.is_running();
                (is_over || !runs).then_some(())
            };
            match signals.wait(LOOK_RUNNING, look) {
                Woken::Reload => tracing::warn!("SIGHUP: publish reads nothing again; restart it"),
                Woken::Signal(name) => {
                    tracing::info!("{name}: stopping");
                    break;
                }
                Woken::Asked | Woken::Condition(()) => break,
            }
        }
        service.stopping();
        self.stop()
    }

    /// The feeds first: all that they gave goes out.
    fn stop(self) -> ExitCode {
        self.ingest.stop();
        let counters = Arc::clone(self.ingest.counters());
        let ingested = self.ingest.join();
        self.publisher.stop();
        let published = Arc::clone(self.publisher.counters());
        let ended = self.publisher.join();
        log_counts(&counters, &published);
        panics::log_reports(true);
        match (ingested, ended) {
            (Ok(()), Ok(())) => ExitCode::SUCCESS,
            (Err(_), _) => {
                tracing::error!("the ingest thread panicked; the process exits for its supervisor");
                ExitCode::FAILURE
            }
            (_, Err(error)) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    fn log_counts(&self) {
        log_counts(self.ingest.counters(), self.publisher.counters());
    }
}

/// By feed, where lines of one sequence count as one in the place of the first: whether its records
/// bring their numbers.
fn sequenced(sources: &[Box<dyn Source>]) -> Vec<bool> {
    let mut lines: Vec<Option<&str>> = Vec::new();
    for source in sources {
        let line = source.line();
        if line.is_none() || !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.iter().map(Option::is_some).collect()
}

fn log_counts(ingest: &IngestCounters, published: &PublishCounters) {
    let of_feed = |counters: fn(&crate::feed::FeedCounters) -> u64| -> u64 {
        ingest.feeds.iter().map(|feed| counters(feed)).sum()
    };
    let records = of_feed(|feed| feed.records.load(Ordering::Relaxed));
    let bad_lines = of_feed(|feed| feed.bad_lines.load(Ordering::Relaxed));
    let lost: u64 = ingest.shards.iter().map(|shard| shard.lost.load(Ordering::Relaxed)).sum();
    tracing::info!(records, bad_lines, trades_lost = lost, "{published}");
}

/// For numbers that are given here: the publisher gives them their place in its own epoch.
fn epoch() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", since.as_micros(), std::process::id())
}

fn print_what_runs(feeds: &[String], options: &PublishOptions) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let prefix = options.prefix.as_str();
    writeln!(out, "tapecast {} publish", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  feeds    {}", without_logins(&feeds.join("  ")))?;
    writeln!(out, "  to       {} on {prefix}.t|q|b.SYMBOL", options.servers)?;
    match &options.stream {
        Some(stream) => writeln!(
            out,
            "  stream   {}: {} s, {} MiB, {} replicas",
            options.prefix.stream(),
            stream.max_age.as_secs(),
            stream.max_bytes >> 20,
            stream.replicas
        )?,
        None => writeln!(out, "  stream   none: nodes get no history (--jetstream)")?,
    }
    let lease = if options.has_lease { "asked for: one of several leads" } else { "none" };
    writeln!(out, "  lease    {lease}")?;
    writeln!(out, "  batches  {} ms", options.batch.as_millis())?;
    writeln!(out, "  as       {}", options.instance)?;
    let subject = options.prefix.wildcard();
    writeln!(out, "  nodes    tapecast serve --feed nats:{},subject={subject}", options.servers)?;
    out.flush()
}
