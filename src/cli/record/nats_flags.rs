//! How a NATS server is reached: the flags of `serve` and `publish` for it.

use crate::cli::serve::{GivenSettings, SettingFlags};
use crate::config::Sources;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// What was given of them, and of the file that may have them.
#[derive(Debug, Clone, Default)]
pub struct NatsFlags(GivenSettings);

impl NatsFlags {
    /// The flags, the process's variables and the file, to be read.
    pub fn sources(&self) -> Sources {
        self.0.sources()
    }
}

fn flags() -> SettingFlags {
    SettingFlags::of(&["nats"])
}

impl Args for NatsFlags {
    fn augment_args(command: Command) -> Command {
        flags().augment(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        NatsFlags::augment_args(command)
    }
}

impl FromArgMatches for NatsFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<NatsFlags, clap::Error> {
        Ok(NatsFlags(flags().given(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = NatsFlags::from_arg_matches(matches)?;
        Ok(())
    }
}
