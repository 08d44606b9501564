//! What stands before all tables: the server as a whole.

use crate::config::setting::{At, Changes, Setting, Table, at};
use crate::config::value::{Field, Form, Unit, Value};
use crate::limits::TAPE_TICKS_MAX;

pub const TABLE: Table = Table {
    name: "",
    about: "Server",
    settings: &[
        Setting {
            key: "listen",
            value_name: "ADDRESS:PORT",
            means: "Address and port of the stream; port 0 picks a free one",
            why: "Only this machine, until a proxy or an operator says otherwise.",
            changes: Changes::Restart,
            form: Form::Address { none: None },
            at: at!(listen),
        },
        Setting {
            key: "shards",
            value_name: "N",
            means: "Shards, each pinned to a core; auto is one for each core that the process may \
                    use",
            why: "More shards than cores share them; fewer leave cores to a proxy or a feed.",
            changes: Changes::Restart,
            form: Form::Number { unit: Unit::Plain, least: 1, most: 1024, none: Some("auto") },
            at: at!(shards),
        },
        Setting {
            key: "tape_ticks",
            value_name: "N",
            means: "Trades that each shard keeps for clients that are behind or resume",
            why: "Half a minute at 2,000 trades a second, which the synthetic feed has, and 5 MiB \
                  a shard. Who is further behind is told by a gap what is lost.",
            changes: Changes::Restart,
            form: number(1, TAPE_TICKS_MAX as u64),
            at: at!(hub.tape_ticks),
        },
        Setting {
            key: "flush_ms",
            value_name: "MS",
            means: "Batching window; 0 sends as soon as the turn comes",
            why: "Under load batches form by themselves; at rest a tick goes out at once.",
            changes: Changes::Live,
            form: number(0, 60_000),
            at: at!(hub.flush_ms),
        },
        Setting {
            key: "drain_seconds",
            value_name: "S",
            means: "Time over which a stop spreads its closes",
            why: "Long enough that clients do not all come to the next server at once, short \
                  enough that an operator waits for it. Supervisors must wait longer.",
            changes: Changes::Live,
            form: number(0, 3_600),
            at: At {
                of: |settings| Value::Number(settings.drain_ms / 1_000),
                set: |settings, value| settings.drain_ms = u64::of(value) * 1_000,
            },
        },
        Setting {
            key: "echo",
            value_name: "BOOL",
            means: "Serve /echo, which returns each message: for conformance suites",
            why: "It has no limit of intake, so it is no place for the public.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(hub.echo),
        },
    ],
};

/// A number without a unit of its own.
pub(super) const fn number(least: u64, most: u64) -> Form {
    Form::Number { unit: Unit::Plain, least, most, none: None }
}

/// The longest that most deadlines may be: a day, in ms.
pub(super) const DAY_MS: u64 = 86_400_000;
