//! A client's message in both encodings.

use tapecast::limits::{
    HEARTBEAT_MS_MAX, MESSAGE_ID_BYTES_MAX, SESSION_SYMBOLS_MAX, SINCE_SYMBOLS_MAX,
};
use tapecast::wire::{Change, Command, Encoding, MessageId, command};

/// Longest answer to a message that is none: it must not grow with the message.
const MESSAGE_CHARS_MAX: usize = 600;

/// The bytes as JSON and as MessagePack: what is accepted is within the limits, and what is not
/// gets a short error with one of the protocol's numbers.
pub fn check(bytes: &[u8]) {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        match command::parse(encoding, bytes) {
            Ok(Command::Subscribe(change) | Command::Unsubscribe(change)) => check_change(&change),
            Ok(Command::List { id } | Command::Ping { id }) => check_id(id.as_ref()),
            Ok(Command::Auth | Command::Fault(_)) => {}
            Err(error) => {
                assert!([400, 405, 410].contains(&error.code), "{error}");
                assert!(error.message.chars().count() <= MESSAGE_CHARS_MAX, "{error}");
                check_id(error.id.as_ref());
            }
        }
    }
}

fn check_change(change: &Change) {
    assert!(change.items.len() <= SESSION_SYMBOLS_MAX);
    assert!(change.since.len() <= SINCE_SYMBOLS_MAX);
    assert!(change.heartbeat_ms.is_none_or(|ms| ms <= HEARTBEAT_MS_MAX));
    let something = !change.items.is_empty()
        || change.max_hz.is_some()
        || change.heartbeat_ms.is_some()
        || change.times.is_some();
    assert!(something, "a change that changes nothing is refused");
    check_id(change.id.as_ref());
}

fn check_id(id: Option<&MessageId>) {
    if let Some(MessageId::Text(text)) = id {
        assert!(text.len() <= MESSAGE_ID_BYTES_MAX);
    }
}
