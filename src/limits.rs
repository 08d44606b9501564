//! Every hard limit, and how the limits relate. A setting may be lower than its limit, never
//! higher.
//!
//! Units stand last in a name. What a limit protects stands beside it; relations that would break
//! silently are asserted at compile time at the end.

/// Longest symbol, exchange code and condition list, in bytes: what fits the payload of one `Tick`.
pub const NAME_BYTES_MAX: usize = 32;

/// Symbols of all feeds together.
pub const SYMBOLS_MAX: usize = 100_000;

/// Symbols of one shard that clients have named and no feed has sent (error 405 above it). Some
/// megabytes; apart from the feeds' share, so that made-up names never shut a feed's symbol out.
pub const SYMBOLS_UNFED_MAX: usize = 50_000;

/// Distinct exchange and tape codes. Code 0 means "absent", so 255 fit the one byte they get.
pub const CODES_MAX: usize = 255;

/// Distinct condition lists (`c` of a trade). List 0 means "absent".
pub const CONDITION_LISTS_MAX: usize = u16::MAX as usize;

/// Most digits after the decimal point of a price or a size: four bits of the shared byte.
pub const SCALE_MAX: u8 = 15;

/// Payload of one server frame, in bytes. Large enough that headers do not count, small enough
/// that the one unfinished frame that a lagging session holds stays a small part of its budget.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 32 * 1024;

/// The least that a setting may make of it: half of a frame must hold any line with what joins
/// it, since a catch-up keeps the other half for trades.
pub const FRAME_PAYLOAD_BYTES_MIN: usize = 2 * LINE_BYTES_MAX + 32;

/// Longest encoded event line (one element of a frame's array), in bytes.
pub const LINE_BYTES_MAX: usize = 1024;

/// HTTP request head of an upgrade, in bytes.
pub const UPGRADE_BYTES_MAX: usize = 16 * 1024;

/// Header of the PROXY protocol's version 2, in bytes: the two paths of a Unix socket are 232, the
/// rest is room for what a proxy adds (its own id, the name that TLS asked for). Of version 1 the
/// text says 107.
pub const PROXY_HEADER_BYTES_MAX: usize = 536;
pub const PROXY_LINE_BYTES_MAX: usize = 107;

/// Networks of trusted proxies.
pub const TRUSTED_PROXIES_MAX: usize = 64;

/// Headers of an upgrade request.
pub const UPGRADE_HEADERS_MAX: usize = 64;

/// Queries of upgrades, and what they led to, that a shard keeps for the next who asks the same,
/// and how long one may be. A thousand symbols in three channels are 120 KB when they are read, so
/// all together are at most 2 MB; beyond that the one asked for longest ago is forgotten.
pub const QUERIES_KEPT_MAX: usize = 16;
pub const QUERY_KEPT_BYTES_MAX: usize = 2048;

/// Buffers for what a client gets at once when it comes, of at most 2 KiB, that a shard keeps for
/// the next ones: more are seldom in use at a time, since each turn sends what it composed. Beyond
/// that they are given back.
pub const WELCOMES_KEPT_MAX: usize = 64;

/// One command from a client, in bytes, over all its fragments (close code 1009 above it).
/// Three lists of 10,000 symbols of ordinary length fit.
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;

/// Frames of one fragmented message: a message of empty fragments would never come over a limit of
/// bytes. Enough for the largest message in pieces of 64 bytes, as conformance suites send it.
pub const FRAGMENTS_MAX: u32 = 20_000;

/// One message on `/echo`, in bytes.
pub const ECHO_BYTES_MAX: usize = 1024 * 1024;

/// How deep the arrays and objects of a MessagePack command may nest: ours need three. JSON has
/// its parser's own limit of 128. Both keep a hostile command off the stack's end.
pub const COMMAND_DEPTH_MAX: usize = 16;

/// The text `id` of a command, in bytes: it is given back, so it bounds what an answer repeats.
pub const MESSAGE_ID_BYTES_MAX: usize = 64;

/// How much of a peer's own text an error message repeats, in bytes.
pub const QUOTE_BYTES_MAX: usize = 160;

/// Reason of a Close frame, in bytes (RFC 6455, section 5.5: 125 for the payload, 2 for the code).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Pongs that one piece of received bytes may ask for one by one; of what comes after them only
/// the newest ping is answered (RFC 6455, section 5.5.3), so a flood of pings makes no flood.
/// Sixteen, because conformance suites send ten at once and count the answers.
pub const PONGS_PER_READ_MAX: usize = 16;

/// Read buffer of a frame decoder, in bytes. It is copied to from memory, so a small one costs
/// little, and it is what a session holds while a frame is unfinished.
pub const DECODER_BUFFER_BYTES: usize = 1024;

/// Decoders that a shard keeps for the next received bytes. One is in use at a time; more come
/// back when sessions that were in the middle of a message end it.
pub const DECODER_SPARES_MAX: usize = 16;

/// `max_hz`, in thousandths of a hertz: 0.1 to 1000 Hz. A slower timer would look like a dead
/// feed, a faster one than the flush does nothing.
pub const RATE_MILLIHERTZ_MIN: u32 = 100;
pub const RATE_MILLIHERTZ_MAX: u32 = 1_000_000;

/// Interval of the heartbeats that a client asks for: ten a second to one an hour.
pub const HEARTBEAT_MS_MIN: u32 = 100;
pub const HEARTBEAT_MS_MAX: u32 = 3_600_000;

/// Symbols that one session may name in all its channels together (error 405 above it).
pub const SESSION_SYMBOLS_MAX: usize = 20_000;

/// Symbols that one `since` may name.
pub const SINCE_SYMBOLS_MAX: usize = 1_000;

/// Capacity of one shard's inlet, in ticks (64 bytes each, and 8 of the queue): 4.5 MiB.
pub const INLET_TICKS: usize = 65_536;

/// The tape's length where `--tape-ticks` is left out, and the most it may be.
pub const TAPE_TICKS: usize = 65_536;
pub const TAPE_TICKS_MAX: usize = 16 * 1024 * 1024;

/// Answers and other frames of its own that a client may leave unread, in bytes, before it is
/// closed; the answer to one command may exceed it.
pub const PERSONAL_BYTES_MAX: usize = 256 * 1024;

/// The same on `/echo`: a few messages of the largest size.
pub const PERSONAL_ECHO_BYTES_MAX: usize = 4 * ECHO_BYTES_MAX;

/// Commands of one client: this many a second, after a burst. A page that subscribes symbol by
/// symbol at its start fits the burst.
pub const COMMANDS_PER_SECOND: u32 = 50;
pub const COMMANDS_BURST: u32 = 500;

/// Bytes of one client that are taken in at once, beyond its rate: two of the largest commands.
pub const INTAKE_BURST_BYTES: i32 = 2 * COMMAND_BYTES_MAX as i32;

/// Refused or unreadable commands, less the good ones since, that end a session with 1008.
pub const STRIKES_MAX: u16 = 50;

/// Longest message that our own client takes, in bytes: room for servers with larger frames than
/// ours, and a bound on what a stranger can make it hold.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Longest that a server's retry hint can make our own client wait, in ms: ten minutes.
pub const RETRY_HINT_MS_MAX: u64 = 600_000;

/// Longest line of a feed, in bytes; a longer one is a bad line.
pub const FEED_LINE_BYTES_MAX: usize = 64 * 1024;

/// Refusals that a shard has in progress: clients that are told to come back later and whose
/// request is awaited for that. Each holds a descriptor, so it is also a part of the reserve; a
/// thousand is what a fast shard refuses in 20 ms.
pub const REFUSALS_MAX: usize = 1024;

/// The most of `descriptors / this` that refusals may hold where descriptors are few.
pub const REFUSALS_SHARE: usize = 16;

/// Accepts that a shard has armed one by one where it could not take all that the backlog may
/// bring: what it can overshoot a limit by, and enough for one entry into the kernel.
pub const SINGLE_ACCEPTS_MAX: usize = 64;

/// Sockets on their way from a full shard to another one; each holds a descriptor meanwhile.
pub const HANDED_MAX: usize = 128;

/// Listening sockets that systemd may pass beside one for each shard: for further addresses. The
/// reserve of descriptors has room for them.
pub const PASSED_BESIDE_MAX: usize = 16;

/// Accepts a second, and in a burst: what the thousandths of a bucket have room for.
pub const ACCEPT_RATE_MAX: u32 = 1_000_000;

/// Submissions that a shard's ring queues before it enters the kernel (64 bytes each).
pub const RING_ENTRIES: u32 = 256;

/// Completions that a shard's ring holds (16 bytes each): a chunk's, and those of a look, at which
/// the kernel (6.13 on) handles some 20 receives. It keeps more, at the price of an allocation for
/// each. A flush walks through both rings round and round: with 1,024 and 32,768 entries its sends
/// took 0.6 % longer, presumably since what is written next had left the caches.
pub const RING_COMPLETIONS: u32 = 1024;

/// Receive buffers of a shard, which all its connections share: 2 MiB at most. A command of
/// ordinary length fits one; a buffer is lent only while its bytes are read.
pub const RECEIVE_BUFFERS: u16 = 1024;
pub const RECEIVE_BUFFER_BYTES: u32 = 2048;

/// Sends of a flush between two looks at the completions: 1 to 2 ms at 4.6 to 7 us each, which is
/// what a flush may delay an accept or a pong. Ticks are taken in once a turn.
pub const SENDS_PER_CHUNK: usize = 256;

/// Connections of the admin port: a few scrapers, operators and pages. More wait in its backlog.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// Most feeds of one server. Each is polled in turn by one thread, and a feed's number is one byte.
pub const FEEDS_MAX: usize = 16;

/// Connections of a feed that listens for publishers, where its text does not say, and the most
/// that it may say: each may hold some 250 KiB, and 544 KiB in the kernel.
pub const PUBLISHERS: usize = 64;
pub const PUBLISHERS_MAX: usize = 1024;

/// Bodies of lines, posted to the admin port, that are being judged or wait for it.
pub const BODIES_MAX: usize = ADMIN_CONNECTIONS_MAX;

/// One such body, in bytes: for small things, since it is read whole before its first line counts.
pub const POSTED_BYTES_MAX: usize = 1024 * 1024;

/// Trades of all feeds that wait behind holes in the numbers of their sources, for the other line
/// or for history: what a busy feed gives in a second, 6 MiB.
pub const HELD_TICKS_MAX: usize = 65_536;

/// The highest number that a source may give: clients in JavaScript count exactly up to it.
pub const SEQ_MAX: u64 = 1 << 53;

/// How far a source's numbers may go on at once: above what a symbol has in weeks, and below what
/// a damaged number is likely to be.
pub const SEQ_JUMP_MAX: u64 = 1 << 36;

/// Most records a second, or in one burst, that a synthetic feed may be asked for: far above what
/// one ingest thread can make, so that a typo is told from a load.
pub const FEED_RATE_MAX: u32 = 10_000_000;

const _: () = assert!(FEEDS_MAX <= u8::MAX as usize, "a feed's number is one byte in a tick");
const _: () = assert!(
    FRAME_PAYLOAD_BYTES_MAX <= u16::MAX as usize,
    "a server frame's length must fit the two-byte form, so that its header is 2 or 4 bytes"
);
const _: () = assert!(
    FRAME_PAYLOAD_BYTES_MIN < FRAME_PAYLOAD_BYTES_MAX,
    "every line must fit a frame with room for another, or a flush could make no progress"
);
const _: () =
    assert!(ECHO_BYTES_MAX > COMMAND_BYTES_MAX, "echo is the one place for large messages");
const _: () =
    assert!(ECHO_BYTES_MAX / 64 < FRAGMENTS_MAX as usize, "pieces of 64 bytes are allowed");
const _: () = assert!(
    SENDS_PER_CHUNK <= RING_ENTRIES as usize && RING_ENTRIES * 2 <= RING_COMPLETIONS,
    "a chunk is submitted at once, and what is submitted at once must find room to complete"
);
const _: () = assert!(
    RECEIVE_BUFFERS.is_power_of_two() && RECEIVE_BUFFERS <= 1 << 15,
    "io_uring_register_buf_ring(3)"
);
const _: () = assert!(
    CLIENT_MESSAGE_BYTES_MAX > FRAME_PAYLOAD_BYTES_MAX,
    "the client must take every frame that the server sends"
);
