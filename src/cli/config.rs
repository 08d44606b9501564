//! `tapecast config`: what is in force and where it is from, or a file with every key.

use super::serve::{ServeArgs, check_aloud};
use crate::config::{commented_defaults, effective};
use std::io::{self, Write};
use std::process::ExitCode;

/// Print the configuration in force, with the origin of each value
///
/// It is what 'serve' would run with, given the same flags: a file, and behind each value the flag,
/// the variable or the line that it is from, or that it is the default.
///
/// Exit codes: 0 printed, 2 the configuration is wrong.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgs {
    /// Print a commented file with every key and its default instead
    #[arg(long)]
    pub default: bool,
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// 0: printed; 2: the configuration is wrong.
pub fn run(args: &ConfigArgs) -> ExitCode {
    let text = if args.default {
        commented_defaults()
    } else {
        match check_aloud(&args.serve.sources()) {
            Ok(config) => effective(&config),
            Err(errors) => {
                eprintln!("{errors}");
                return ExitCode::from(2);
            }
        }
    };
    // A reader that has gone has read enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
