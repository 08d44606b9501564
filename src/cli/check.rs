//! `tapecast check`: whether this machine suffices for a configuration, before it is started.

mod table;

use super::serve::{self, ServeArgs};
use crate::server::{Facts, Finding, Level, findings};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Look whether this machine has what serve needs, and how to mend what it lacks
///
/// With the flags of 'serve': kernel and io_uring, limits, sysctls, the address, network card and
/// clock. It changes nothing.
///
/// Each finding is ok, a note, a should (the server starts, and meets this limit under the load
/// that is configured) or a must (it does not start), with the command that mends it.
///
/// Exit codes: 0 no must, 1 a must, 2 wrong use.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// One JSON object in place of the table: version, ok, musts, shoulds, and findings, each with
    /// name, level, found, wanted, why and cure
    #[arg(long)]
    pub json: bool,
    /// Do not try the addresses: where this server is running, or systemd passes its sockets
    #[arg(long)]
    pub skip_addresses: bool,
    #[command(flatten)]
    pub serve: ServeArgs,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    version: &'static str,
    ok: bool,
    musts: usize,
    shoulds: usize,
    findings: &'a [Finding],
}

/// 0: no must; 1: a must; 2: wrong use.
pub fn run(args: &CheckArgs) -> ExitCode {
    let settings = match serve::check_aloud(&args.serve.sources()) {
        Ok(config) => config.settings,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    let facts = Facts::read(Path::new("/"), &settings, !args.skip_addresses);
    let found = findings(&settings, &facts);
    let text = if args.json { json(&found) } else { table::table(&found) };
    // A reader that has gone has read enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::from(u8::from(count(&found, Level::Must) > 0))
}

fn json(findings: &[Finding]) -> String {
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        ok: count(findings, Level::Must) == 0,
        musts: count(findings, Level::Must),
        shoulds: count(findings, Level::Should),
        findings,
    };
    serde_json::to_string_pretty(&report).expect("strings and numbers become JSON") + "\n"
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}
