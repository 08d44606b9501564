//! What happens when memory or time run out.

use super::server::number;
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::{Form, Unit};

pub const TABLE: Table = Table {
    name: "overload",
    about: "Overload",
    settings: &[
        Setting {
            key: "memory_budget",
            value_name: "BYTES",
            means: "Memory of the whole server, its clients' sockets included, for example 512M or \
                    4G; auto is 80 % of the control group's limit or of what the machine has",
            why: "What is above it the kernel would take by killing the process. At 70 % the \
                  operator is told, at 85 % new connections are refused, at 95 % those furthest \
                  behind are closed.",
            changes: Changes::Live,
            form: Form::Number {
                unit: Unit::Bytes,
                least: 1 << 20,
                most: 1 << 60,
                none: Some("auto"),
            },
            at: at!(memory_budget_bytes),
        },
        Setting {
            key: "lag_refuse_ms",
            value_name: "MS",
            means: "Lag (p99 over some seconds) above which a shard refuses new connections; 0 \
                    turns it off",
            why: "A flush to a full shard of 20,000 clients takes 92 ms, so a healthy one stays \
                  below 200. Half a second is what one sees, and more clients make it more.",
            changes: Changes::Live,
            form: number(0, 60_000),
            at: at!(hub.lag.refuse_ms),
        },
        Setting {
            key: "lag_widen_ms",
            value_name: "MS",
            means: "Lag above which a shard widens its batching window step by step, up to 250 ms; \
                    0 turns it off",
            why: "Refusing had its chance; a ticker that is a second late is better with fewer \
                  sends.",
            changes: Changes::Live,
            form: number(0, 60_000),
            at: at!(hub.lag.widen_ms),
        },
    ],
};
