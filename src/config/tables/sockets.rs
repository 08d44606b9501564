//! Options of the listening socket, which every accepted one inherits.

use super::server::number;
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::{Form, Unit};

const fn bytes(least: u64) -> Form {
    Form::Number { unit: Unit::Bytes, least, most: 1 << 28, none: None }
}

pub const TABLE: Table = Table {
    name: "sockets",
    about: "Socket options",
    settings: &[
        Setting {
            key: "user_timeout_ms",
            value_name: "MS",
            means: "TCP_USER_TIMEOUT: ends a peer that acknowledges nothing",
            why: "Several retransmissions on a slow path, and a short stop of a laptop's radio, \
                  but not a subscriber who has left the building.",
            changes: Changes::Restart,
            form: number(100, 86_400_000),
            at: at!(sockets.user_timeout_ms),
        },
        Setting {
            key: "send_buffer_bytes",
            value_name: "BYTES",
            means: "SO_SNDBUF (the kernel doubles it): bounds the kernel's memory for a client",
            why: "The hard bound: 96 KiB with the doubling, whatever a peer does. Not 32: \
                  loopback's segments are 64 KiB, and where the buffer holds only one of them the \
                  sender waits 40 ms for its delayed acknowledgement each time (2 MB/s measured, \
                  not 4 GB/s).",
            changes: Changes::Restart,
            form: bytes(4096),
            at: at!(sockets.send_buffer_bytes),
        },
        Setting {
            key: "receive_buffer_bytes",
            value_name: "BYTES",
            means: "SO_RCVBUF (the kernel doubles it)",
            why: "A peer whose receive is stopped for its rate fills this (27 to 31 KiB measured), \
                  and no session accounts for it. Commands are small, and 500 MB/s still come \
                  through; left alone, it starts at 128 KiB and grows to 6 MiB.",
            changes: Changes::Restart,
            form: bytes(2048),
            at: at!(sockets.receive_buffer_bytes),
        },
        Setting {
            key: "notsent_lowat_bytes",
            value_name: "BYTES",
            means: "TCP_NOTSENT_LOWAT: a socket with so much unsent takes no more",
            why: "One frame of 32 KiB. This also bounds what send takes, so a peer that stops \
                  reading costs the kernel this and what it has not acknowledged: 36 KiB measured \
                  with a receive buffer of 8 KiB, 36 to 56 with the default. Half of it would hold \
                  20 to 48, and cut large frames for clients that keep up.",
            changes: Changes::Restart,
            form: bytes(1024),
            at: at!(sockets.notsent_lowat_bytes),
        },
        Setting {
            key: "keepalive_idle_s",
            value_name: "S",
            means: "Silence before the first keepalive probe",
            why: "Only for connections that are silent in both directions: pings come sooner, and \
                  this is for the time before the upgrade and where pings are turned off.",
            changes: Changes::Restart,
            form: number(1, 32_767),
            at: at!(sockets.keepalive_idle_s),
        },
        Setting {
            key: "keepalive_interval_s",
            value_name: "S",
            means: "Time between keepalive probes",
            why: "With the count below, a dead peer is gone half a minute after its first probe.",
            changes: Changes::Restart,
            form: number(1, 32_767),
            at: at!(sockets.keepalive_interval_s),
        },
        Setting {
            key: "keepalive_count",
            value_name: "N",
            means: "Keepalive probes without an answer that end a connection",
            why: "One or two may be lost on a bad path; three in a row are a peer that is gone.",
            changes: Changes::Restart,
            form: number(1, 127),
            at: at!(sockets.keepalive_count),
        },
        Setting {
            key: "backlog",
            value_name: "N",
            means: "Connections that wait for their accept, per shard",
            why: "Ten thousand reconnects at once on a few shards; the kernel caps it at \
                  net.core.somaxconn, 4,096 since Linux 5.4.",
            changes: Changes::Restart,
            form: number(1, 1 << 24),
            at: at!(sockets.backlog),
        },
        Setting {
            key: "defer_accept",
            value_name: "BOOL",
            means: "TCP_DEFER_ACCEPT: a client is accepted when its request has come",
            why: "Accept and request are one step then, which halves the CPU of a connect; a \
                  client that says nothing holds no descriptor at first, and is accepted after \
                  a second.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(sockets.defer_accept),
        },
        Setting {
            key: "incoming_cpu",
            value_name: "BOOL",
            means: "SO_INCOMING_CPU: a shard gets the clients whose packets its core handles",
            why: "It saved a tenth of the CPU of two shards. But where one core handles all \
                  packets (a proxy on this machine, a card with one queue), its shard gets all \
                  clients until it is full, so it needs a card with a queue for each shard's core.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(sockets.incoming_cpu),
        },
    ],
};
