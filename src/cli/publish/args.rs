//! The flags of `publish`: its own, and the settings that it shares with `serve`.

use crate::cli::serve::{GivenSettings, SettingFlags};
use crate::config::{NatsSettings, Sources};
use crate::feed::nats::{EPOCH_BYTES_MAX, NatsError, Prefix, Servers, is_epoch};
use crate::publish::{PublishOptions, StreamOptions};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::time::Duration;

/// What is left behind it for `+` and a number: see `Publisher::end_epoch`.
const OWN_EPOCH_BYTES_MAX: usize = 21;
const _: () = assert!(OWN_EPOCH_BYTES_MAX + 1 + 10 == EPOCH_BYTES_MAX);

/// Tables of settings that a publisher reads: from flags, variables and the file, as `serve` does.
const TABLES: [&str; 3] = ["feed", "nats", "log"];

#[derive(Debug, Clone)]
pub struct PublishArgs {
    own: OwnArgs,
    settings: GivenSettings,
}

/// Publish feeds to NATS, for any number of nodes
///
/// Gives sequence numbers and sends each line on PREFIX.t.SYMBOL (trades), PREFIX.q.SYMBOL (quotes)
/// and PREFIX.b.SYMBOL (bars). With --jetstream a stream keeps them, nodes have history, and of
/// several publishers one leads while the others stand by. Feeds and NATS logins are settings, as
/// of 'serve': flags, TAPECAST_ variables, and keys of --config.
#[derive(Debug, Clone, Args)]
struct OwnArgs {
    /// Where to: nats://HOST:PORT, or tls://HOST:PORT; several of one cluster with commas
    #[arg(long, value_name = "URL")]
    to: String,
    /// What subjects begin with
    #[arg(long, value_name = "PREFIX", default_value = "tape")]
    subject: String,
    /// Keep what is published in a stream of JetStream, which is made if it is not there
    #[arg(long)]
    jetstream: bool,
    /// How long the stream keeps it: 30m, 1h, 2d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    max_age: Duration,
    /// How much the stream keeps: 512MiB, 1GiB
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = parse_bytes)]
    max_bytes: u64,
    /// How many messages of one symbol and channel the stream keeps [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_per_subject: Option<u32>,
    /// On how many servers of a cluster the stream is kept
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
    /// Change a stream that is there and is otherwise
    #[arg(long)]
    update_stream: bool,
    /// Gather lines of a symbol for so long
    #[arg(long, value_name = "MS", default_value = "2")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1_000))]
    batch_ms: u16,
    /// Whether several publishers of one subject agree who leads: on or off [default: on with
    /// --jetstream]
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    lease: Option<String>,
    /// Epoch of the numbers, for feeds that bring their own and begin anew each day, say
    /// [default: that of the stream, or a new one]
    #[arg(long, value_name = "TEXT")]
    epoch: Option<String>,
    /// End after this many seconds
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    seconds: Option<f64>,
    /// Print nothing at the start
    #[arg(long)]
    quiet: bool,
}

/// What is wrong with the flags.
#[derive(Debug, thiserror::Error)]
pub enum PublishArgsError {
    #[error("--to {0}")]
    To(#[from] NatsError),
    #[error("--subject {text:?} cannot begin a subject; give {cure}")]
    Subject { text: String, cure: String },
    #[error(
        "--epoch {0:?} is none; give 1 to {OWN_EPOCH_BYTES_MAX} printable characters without \
         blank, quote, backslash and +"
    )]
    Epoch(String),
    #[error("--lease on needs --jetstream, which keeps the lease; give both, or neither")]
    LeaseWithoutStream,
    #[error("--{0} is for the stream; give --jetstream as well, or leave it out")]
    StreamFlag(&'static str),
}

impl PublishArgs {
    pub fn sources(&self) -> Sources {
        self.settings.sources()
    }

    pub fn seconds(&self) -> Option<f64> {
        self.own.seconds
    }

    pub fn quiet(&self) -> bool {
        self.own.quiet
    }

    /// Checked as a whole; the feeds are known when they are open.
    pub fn options(&self, nats: NatsSettings) -> Result<PublishOptions, PublishArgsError> {
        let own = &self.own;
        let servers: Servers = own.to.parse()?;
        let subject = |cure| PublishArgsError::Subject { text: own.subject.clone(), cure };
        let prefix: Prefix = own.subject.parse().map_err(subject)?;
        if let Some(epoch) = &own.epoch
            && (!is_epoch(epoch) || epoch.len() > OWN_EPOCH_BYTES_MAX || epoch.contains('+'))
        {
            return Err(PublishArgsError::Epoch(epoch.clone()));
        }
        let wants_lease = own.lease.as_deref().map(|lease| lease == "on");
        if !own.jetstream {
            if wants_lease == Some(true) {
                return Err(PublishArgsError::LeaseWithoutStream);
            }
            if own.update_stream || own.max_per_subject.is_some() {
                let flag = if own.update_stream { "update-stream" } else { "max-per-subject" };
                return Err(PublishArgsError::StreamFlag(flag));
            }
        }
        let stream = own.jetstream.then(|| StreamOptions {
            max_age: own.max_age,
            max_bytes: own.max_bytes,
            max_per_subject: own.max_per_subject,
            replicas: usize::from(own.replicas),
            update: own.update_stream,
        });
        Ok(PublishOptions {
            servers,
            nats,
            prefix,
            has_lease: own.jetstream && wants_lease.unwrap_or(true),
            stream,
            batch: Duration::from_millis(own.batch_ms.into()),
            epoch: own.epoch.clone(),
            instance: instance(),
            sequenced: Vec::new(),
            feed_epoch: None,
        })
    }
}

/// Host and process.
fn instance() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!("{host}-{}", std::process::id())
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let cure = || "give a number with s, m, h or d, from 1s to 365d, such as 1h".to_string();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| cure())?;
    let seconds = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(cure()),
    };
    let seconds = number.checked_mul(seconds).filter(|s| (1..=365 * 86_400).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(cure)
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let cure = || "give bytes with K, M, G or T, at least 1M, such as 1GiB".to_string();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| cure())?;
    let shift = match text[split..].trim_end_matches("iB") {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(cure()),
    };
    let bytes = number.checked_mul(1 << shift).filter(|b| (1 << 20..=1 << 50).contains(b));
    bytes.ok_or_else(cure)
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|s| (0.0..=1e9).contains(s));
    seconds.ok_or_else(|| "give a number of seconds, such as 60".to_string())
}

impl Args for PublishArgs {
    fn augment_args(command: Command) -> Command {
        let flags = SettingFlags::of(&TABLES);
        flags.augment(OwnArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        PublishArgs::augment_args(command)
    }
}

impl FromArgMatches for PublishArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<PublishArgs, clap::Error> {
        let own = OwnArgs::from_arg_matches(matches)?;
        Ok(PublishArgs { own, settings: SettingFlags::of(&TABLES).given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = PublishArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<PublishArgs, clap::Error> {
        let command = PublishArgs::augment_args(Command::new("publish"));
        let matches = command.try_get_matches_from([&["publish"], arguments].concat())?;
        PublishArgs::from_arg_matches(&matches)
    }

    fn options(arguments: &[&str]) -> Result<PublishOptions, PublishArgsError> {
        let args = parsed(&[&["--to", "nats://a"], arguments].concat()).expect("flags");
        let (config, errors) = Sources::default().read();
        assert!(errors.is_empty());
        args.options(config.settings.nats)
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse_time("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_time("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(parse_bytes("1GiB"), Ok(1 << 30));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        for wrong in ["", "h", "1", "0s", "1w", "-1h", "366d", "99999999999999999999d"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "G", "1X", "1023K", "99999999T"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lease_comes_with_a_stream() {
        assert!(!options(&[]).expect("plain").has_lease);
        let with = options(&["--jetstream", "--max-age", "5m"]).expect("with a stream");
        assert!(with.has_lease);
        assert_eq!(with.stream.expect("a stream").max_age, Duration::from_secs(300));
        assert!(!options(&["--jetstream", "--lease", "off"]).expect("alone").has_lease);
        for (wrong, word) in [
            (&["--lease", "on"][..], "--jetstream"),
            (&["--update-stream"], "--jetstream"),
            (&["--subject", "a.>"], "letters"),
            (&["--epoch", "a b"], "--epoch"),
            (&["--epoch", "a+1"], "--epoch"),
        ] {
            let error = options(wrong).expect_err("it is wrong").to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn settings_of_feeds_and_nats_are_flags_here_too() {
        let args = parsed(&["--to", "nats://a", "--feed", "stdin", "--nats-tls-ca", "ca.pem"]);
        let (config, errors) = args.expect("flags").settings.flags_alone().read();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(config.settings.feeds, ["stdin"]);
        assert_eq!(config.settings.nats.tls_ca, "ca.pem");
        assert!(parsed(&["--to", "nats://a", "--listen", "127.0.0.1:1"]).is_err());
    }
}
