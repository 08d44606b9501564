//! Every hard limit, and how the limits relate. A setting may be lower than its limit, never higher.
//!
//! Units stand last in a name. What a limit protects stands beside it; relations that would break
//! silently are asserted at compile time at the end.

/// Longest symbol, exchange code and condition list, in bytes: what fits the payload of one `Tick`.
pub const NAME_BYTES_MAX: usize = 32;

/// Symbols that one shard knows, from feeds and from subscriptions together.
pub const SYMBOLS_MAX: usize = 100_000;

/// Distinct exchange and tape codes. Code 0 means "absent", so 255 fit the one byte they get.
pub const CODES_MAX: usize = 255;

/// Distinct condition lists (`c` of a trade). List 0 means "absent".
pub const CONDITION_LISTS_MAX: usize = u16::MAX as usize;

/// Most digits after the decimal point of a price or a size: four bits of the shared byte.
pub const SCALE_MAX: u8 = 15;

/// Payload of one server frame, in bytes. Large enough that headers do not count, small enough
/// that the one unfinished frame that a lagging session holds stays a small part of its budget.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 32 * 1024;

/// Longest encoded event line (one element of a frame's array), in bytes.
pub const LINE_BYTES_MAX: usize = 1024;

/// Room kept before a payload for its frame header (RFC 6455, section 5.2: 2, 4 or 10 bytes).
pub const FRAME_HEADER_BYTES_MAX: usize = 10;

/// HTTP request head of an upgrade, in bytes.
pub const UPGRADE_BYTES_MAX: usize = 16 * 1024;

/// Headers of an upgrade request.
pub const UPGRADE_HEADERS_MAX: usize = 64;

/// One command from a client, in bytes, over all its fragments (close code 1009 above it).
/// Three lists of 10,000 symbols of ordinary length fit.
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;

/// One message on `/echo`, in bytes.
pub const ECHO_BYTES_MAX: usize = 1024 * 1024;

/// Symbols that one session may name in all its channels together (error 405 above it).
pub const SESSION_SYMBOLS_MAX: usize = 20_000;

/// Symbols that one `since` may name.
pub const SINCE_SYMBOLS_MAX: usize = 1_000;

/// Capacity of one shard's inlet, in ticks (64 bytes each): 4 MiB.
pub const INLET_TICKS: usize = 65_536;

/// The tape's length where `--tape-ticks` is left out, and the most it may be.
pub const TAPE_TICKS: usize = 65_536;
pub const TAPE_TICKS_MAX: usize = 16 * 1024 * 1024;

/// Longest message that our own client takes, in bytes: room for servers with larger frames than
/// ours, and a bound on what a stranger can make it hold.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Longest that a server's retry hint can make our own client wait, in ms: ten minutes.
pub const RETRY_HINT_MS_MAX: u64 = 600_000;

/// Longest line of a feed, in bytes; a longer one is a bad line.
pub const FEED_LINE_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(
    FRAME_PAYLOAD_BYTES_MAX <= u16::MAX as usize,
    "a server frame's length must fit the two-byte form, so that its header is 2 or 4 bytes"
);
const _: () = assert!(
    LINE_BYTES_MAX * 2 < FRAME_PAYLOAD_BYTES_MAX,
    "every line must fit a frame with room for another, or a flush could make no progress"
);
const _: () =
    assert!(ECHO_BYTES_MAX > COMMAND_BYTES_MAX, "echo is the one place for large messages");
const _: () = assert!(
    CLIENT_MESSAGE_BYTES_MAX > FRAME_PAYLOAD_BYTES_MAX,
    "the client must take every frame that the server sends"
);
