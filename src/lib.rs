//! Tapecast: one market data feed in, very many WebSocket subscribers out.
//!
//! One process, one executor per core; a dead, slow or hostile client costs itself and nobody
//! else.
//!
//! ```text
//!  feed thread             shard 0 … N-1, each a thread on one core           subscribers
//! ┌───────────┐ Tick  ┌──────────────────────────────────────────────────┐
//! │ files     │──────▶│ inlet ─▶ hub (latest, tape, cohorts, ─▶ socket   │── frames ──▶ browsers,
//! │ sockets   │ queue │          ▲    sessions): pure          ring      │              bots, SDKs
//! │ NATS      │ per   │          └── commands ◀── wire ◀── bytes ◀───┘   │◀── commands ──
//! └───────────┘ shard └──────────────────────────────────────────────────┘
//!  control threads: signals, admin HTTP; read counters, never touch a session
//! ```
//!
//! # Modules, in reading order
//! Each imports only from those before it; `tests/structure` reads the code and keeps that.
//!
//! * [`limits`]: every hard limit and how they relate.
//! * [`market`]: symbols, exact decimals, the 64-byte [`market::Tick`], lines of a feed. Pure.
//! * [`wire`]: the upgrade, frames, commands in, events out, as bytes. Pure. Its protocol is
//!   `src/wire/PROTOCOL.md`.
//! * [`session`]: one client: state, deadlines, every reason it can end. Pure.
//! * [`hub`]: all the state of a shard, and what every client is owed. Pure; the heart.
//! * [`config`]: settings, each declared once with its reason; file, variables and flags read
//!   into them.
//! * [`panics`]: what a panic said, caught at a boundary and logged from elsewhere.
//! * [`feed`]: sources of records, the ingest thread that numbers them, the queue to each shard.
//! * [`publish`]: the ingest node: ticks out to NATS, once for all nodes, and who of several leads.
//! * [`record`]: what feeds give, written to files that can be replayed.
//! * [`shard`]: listener, socket ring, and the turn that drives hub and ring.
//! * [`web`]: the pages and the browser client, as bytes.
//! * [`control`]: signals, the watchdog over the shards, the admin port, and what systemd is told.
//! * [`server`]: puts it together: threads on cores, start, stop.
//! * [`cli`]: one file a command.
//!
//! Read first: the text of [`hub`], whose run loop stands there in ten lines; then `hub/cohort.rs`
//! and `hub/catchup.rs`, then `shard/turn.rs`.
//!
//! # What crosses cores
//! [`market::Tick`] records (feed to shard, one bounded queue each), an accepted socket that a full
//! shard hands to one with room, control messages (stop, new settings, questions: one bounded
//! queue per shard each, and a bounded reply to who asked), names of symbols (feed to admin port,
//! each once), the name of the epoch (feed to admin port), and counters: plain atomics, written by
//! one thread alone. Before all that, between the thread that reads publishers' sockets and the
//! ingest thread: what they send, in a short queue a connection, and what they are answered, in
//! another. No payload, no reference count and no lock is shared by two shards.
//!
//! # Invariants
//! 1. Only what is listed above crosses cores. A hub is not `Send` (`tests/invariants.rs`); a tick
//!    is 64 bytes without pointers (asserted in `market/tick.rs`).
//! 2. The hub and below are deterministic. `tests/structure` allows them no socket, clock, thread
//!    or random source; `tests/simulation` replays its seeds.
//! 3. A tick is encoded at most once per shard, format and flush (`hub/lines.rs` keeps each line),
//!    a cohort's frame once per flush: `tests/invariants.rs`.
//! 4. Nothing grows without a limit from [`limits`] or the configuration, and each full thing has
//!    one written policy: the tables in `README.md` and `PROTOCOL.md`. Relations of limits are
//!    asserted in `limits.rs`; `feed/outlet/tests.rs`, `feed/numbering.rs` and
//!    `tests/conformance` fill what can be filled.
//! 5. A slow client hurts only itself, a slow shard only its clients, and a live feed never
//!    waits: `feed/feed_run/tests.rs`, `feed/outlet/tests.rs`, `shard/listener/tests.rs` (what a
//!    client that does not read costs the kernel), `tests/e2e`, `tests/faults`, `tests/overload`.
//!    Replays alone wait for readers (`hub/holding.rs`).
//! 6. What a peer can cause never panics, it ends in a [`session::CloseReason`]; what only we can
//!    cause is asserted. `tests/conformance`, `tests/simulation`. Where that fails, it costs one
//!    session (`hub/boundary.rs`), one shard (`shard/survivor.rs`) or one feed
//!    (`feed/feed_run.rs`) and not the process: `tests/boundaries`.
//! 7. Per client, symbol and epoch, sequence numbers only grow; at rest, a client's last value
//!    equals `latest`; no trade is lost without a `gap` or a new epoch. `tests/simulation`,
//!    `tests/e2e`, and `tapecast load` checks every stream that it opens.
//! 8. After a Close frame no byte is sent: `tests/simulation`, `tests/conformance` (replies).
//! 9. Every accepted socket is released exactly once; after the last one leaves, all budgets are
//!    back at zero: `tests/simulation`, `tests/overload`, `tests/ring_leaks.rs`.
//!
//! # What is absent on purpose
//! No queue of messages per client: who is behind has a mark and a cursor. No `Arc` of a payload,
//! no broadcast channel, no lock. No binary float between a feed's price and a client's
//! JSON. No timestamp but those that the feed and the ingest thread gave.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod config;
pub mod control;
pub mod feed;
pub mod hub;
pub mod limits;
pub mod market;
pub mod panics;
pub mod publish;
pub mod record;
pub mod server;
pub mod session;
pub mod shard;
pub mod web;
pub mod wire;
