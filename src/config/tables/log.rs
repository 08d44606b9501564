//! What is logged, and how.

use crate::config::log::check_level;
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::Form;

pub const TABLE: Table = Table {
    name: "log",
    about: "Log",
    settings: &[
        Setting {
            key: "log_level",
            value_name: "LEVEL",
            means: "What is logged: off, error, warn, info, debug or trace, also for a part alone \
                    (tapecast::feed=debug,info)",
            why: "Starts, stops, changes of state and faults, but no line for each session: those \
                  are debug. TAPECAST_LOG is the same as TAPECAST_LOG_LEVEL.",
            changes: Changes::Live,
            form: Form::Text(check_level),
            at: at!(log.level),
        },
        Setting {
            key: "log_format",
            value_name: "FORMAT",
            means: "How it looks: human, or json for what collects logs",
            why: "A person reads it first.",
            changes: Changes::Restart,
            form: Form::Word(&["human", "json"]),
            at: at!(log.format),
        },
    ],
};
