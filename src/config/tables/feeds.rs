//! Where ticks come from, and when a feed counts as dead.

use super::server::{DAY_MS, number};
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::Form;
use crate::limits::FEEDS_MAX;

pub const TABLE: Table = Table {
    name: "feed",
    about: "Feeds",
    settings: &[
        Setting {
            key: "feeds",
            value_name: "SPEC",
            means: "Where ticks come from; the flag may be given more than once, the variable \
                    splits at semicolons",
            why: "\
synthetic[:symbols=500,rate=20000,seed=1]: a seeded random walk. Also interval_ms=40,burst=50 \
for exact loads, trades=PERCENT (0: quotes alone), names=SYM (SYM0001 ...), test_symbols=off.

replay:PATH[,speed=1|10|max,loop,wait=N,restamp]: NDJSON, plain, .gz or .zst. wait=N begins when \
N sessions have subscribed; restamp gives event times of now.

stdin: the same lines from standard input.

nats:nats://HOST:4222[,subject=tape.>,history=off]: what a publisher sends by way of NATS.

tcp:ADDRESS[,connections=64,rate=N,idle_s=N]: the same lines from publishers that connect; \
unix:PATH[,mode=660, and the same]: at a Unix socket; api: posted to /api/publish of the admin port.

websocket:URL[,symbols=A|B,channels=trades|quotes|bars,stale_ms=10000]: another server's stream, \
of a Tapecast or in Alpaca's v2 dialect; with key=K or key_file=PATH, and secret_file=PATH, where \
it asks who is there, and ca_file=PATH where wss:// is to trust a private authority.

All take only=AAPL|BRK.*, except=TEST.*, map=OLD:NEW and line=NAME (feeds of one NAME are lines of \
one sequence: their lines have numbers, the first of each wins).

With SIGHUP the rate of a synthetic feed changes (rate, or interval_ms and burst). Anything else \
about feeds needs a restart.",
            changes: Changes::Live,
            form: Form::Texts { most: FEEDS_MAX },
            at: at!(feeds),
        },
        Setting {
            key: "feed_stale_ms",
            value_name: "MS",
            means: "Time without a tick after which a feed counts as stale",
            why: "A liquid symbol ticks many times a second; five seconds without any symbol's \
                  tick is an incident, not a pause.",
            changes: Changes::Live,
            form: number(10, DAY_MS),
            at: at!(feed_stale_ms),
        },
        Setting {
            key: "feed_retry_ms",
            value_name: "MS",
            means: "First wait before a feed that died is started again; it doubles with each \
                    death in a row",
            why: "A file that is being replaced or a pipe's writer that restarts is back in a \
                  second.",
            changes: Changes::Live,
            form: number(10, DAY_MS),
            at: at!(boundaries.feed_retry_ms),
        },
        Setting {
            key: "feed_retry_ms_max",
            value_name: "MS",
            means: "The longest of these waits",
            why: "Long enough that a feed that stays away costs nothing, short enough that nobody \
                  restarts the server by hand to have it sooner.",
            changes: Changes::Live,
            form: number(10, DAY_MS),
            at: at!(boundaries.feed_retry_ms_max),
        },
    ],
};
