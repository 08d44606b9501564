//! What stops an error of our own, and when it is given up.

use super::server::{DAY_MS, number};
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::Form;

pub const TABLE: Table = Table {
    name: "boundaries",
    about: "Error boundaries",
    settings: &[
        Setting {
            key: "shard_restarts",
            value_name: "N",
            means: "Restarts of one shard after a panic, within the window; one more and the \
                    process exits with code 70",
            why: "A defect that a rare message meets comes once in a while, and its restart costs \
                  one shard's clients a reconnect. Five in a minute is a defect that every \
                  client's return meets again: then a fresh process, or an operator, must look at \
                  it.",
            changes: Changes::Restart,
            form: number(0, 1_000_000),
            at: at!(boundaries.shard_restarts_max),
        },
        Setting {
            key: "shard_restart_window_ms",
            value_name: "MS",
            means: "The window over which restarts are counted",
            why: "A minute tells a defect that comes back with every client from a rare one.",
            changes: Changes::Restart,
            form: number(1, DAY_MS),
            at: at!(boundaries.shard_restart_window_ms),
        },
        Setting {
            key: "stuck_report_ms",
            value_name: "MS",
            means: "Time after which a shard that does not turn is logged as stuck",
            why: "The longest turn of a healthy shard is a flush of 32,768 sends: 150 ms.",
            changes: Changes::Live,
            form: number(100, DAY_MS),
            at: at!(boundaries.stuck_report_ms),
        },
        Setting {
            key: "stuck_exit_ms",
            value_name: "MS",
            means: "Time after which the process exits with code 71 because of it",
            why: "A machine that swaps, or a debugger's short stop, is not killed for it; clients \
                  have their own heartbeats and are gone by then.",
            changes: Changes::Live,
            form: number(200, DAY_MS),
            at: at!(boundaries.stuck_exit_ms),
        },
        Setting {
            key: "fault_injection",
            value_name: "BOOL",
            means: "Let clients and feed lines ask for panics and stalls: for staging and tests \
                    only",
            why: "Whoever can connect can then end the server.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(hub.fault_injection),
        },
    ],
};
