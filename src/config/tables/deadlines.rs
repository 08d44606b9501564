//! How long a client may take for what.

use super::server::{DAY_MS, number};
use crate::config::setting::{Changes, Setting, Table, at};

pub const TABLE: Table = Table {
    name: "deadlines",
    about: "Deadlines",
    settings: &[
        Setting {
            key: "handshake_ms",
            value_name: "MS",
            means: "Time for a client's upgrade request to arrive whole",
            why: "A TLS proxy and a slow phone behind it need two seconds; a slowloris gets ten.",
            changes: Changes::Live,
            form: number(100, 600_000),
            at: at!(hub.handshake_ms),
        },
        Setting {
            key: "ping_ms",
            value_name: "MS",
            means: "Silence of a client after which it is pinged",
            why: "Below the 60 s after which proxies and address translators forget who is silent.",
            changes: Changes::Live,
            form: number(100, DAY_MS),
            at: at!(hub.ping_ms),
        },
        Setting {
            key: "pong_ms",
            value_name: "MS",
            means: "Time for the answer to a ping",
            why: "A phone that wakes its radio answers in a few seconds; 20 s is a client that is \
                  gone.",
            changes: Changes::Live,
            form: number(100, DAY_MS),
            at: at!(hub.pong_ms),
        },
        Setting {
            key: "write_stall_ms",
            value_name: "MS",
            means: "Time without any progress of a send after which a client is closed",
            why: "Second line behind user_timeout_ms, which ends who acknowledges nothing: this \
                  ends who acknowledges and never reads.",
            changes: Changes::Live,
            form: number(100, DAY_MS),
            at: at!(hub.write_stall_ms),
        },
        Setting {
            key: "close_ms",
            value_name: "MS",
            means: "Time for a closing connection to end",
            why: "A Close frame and its answer are one round trip; five seconds allow for a lossy \
                  path.",
            changes: Changes::Live,
            form: number(100, 600_000),
            at: at!(hub.close_ms),
        },
    ],
};
