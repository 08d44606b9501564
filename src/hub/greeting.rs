//! The first event of a connection. Only the session's id differs from one to the next, so it is
//! made once for each encoding: after an outage thousands get it at once.

use crate::wire::event::{self, Limits};
use crate::wire::{Encoding, Format};

/// An id in hexadecimal, as logs have it.
const ID_DIGITS: usize = 16;

/// By encoding.
#[derive(Debug, Default)]
pub(super) struct Greetings([Option<Greeting>; 2]);

#[derive(Debug)]
struct Greeting {
    epoch: String,
    limits: Limits,
    frame: Vec<u8>,
    /// Where in the frame the id stands.
    id_at: usize,
}

impl Greetings {
    /// Appends it. Most often the last one serves, with another id.
    pub fn write(
        &mut self,
        encoding: Encoding,
        epoch: &str,
        limits: &Limits,
        session: u64,
        out: &mut Vec<u8>,
    ) {
        let kept = &mut self.0[encoding as usize];
        let greeting = match kept.take() {
            Some(greeting) if greeting.epoch == epoch && greeting.limits == *limits => greeting,
            _ => Greeting::new(encoding, epoch, limits),
        };
        let greeting = kept.insert(greeting);
        let id_at = out.len() + greeting.id_at;
        out.extend_from_slice(&greeting.frame);
        out[id_at..][..ID_DIGITS].copy_from_slice(&digits(session));
    }
}

impl Greeting {
    fn new(encoding: Encoding, epoch: &str, limits: &Limits) -> Greeting {
        let place = "-".repeat(ID_DIGITS);
        let mut frame = Vec::new();
        let format = Format { encoding, ..Format::default() };
        event::connected(format, epoch, &place, limits, &mut frame);
        // An epoch may hold the same, but stands before it; behind it are numbers.
        let id_at = frame.windows(ID_DIGITS).rposition(|window| window == place.as_bytes());
        let id_at = id_at.expect("both encodings leave such a text as it is");
        Greeting { epoch: epoch.to_string(), limits: *limits, frame, id_at }
    }
}

fn digits(session: u64) -> [u8; ID_DIGITS] {
    std::array::from_fn(|at| {
        let digit = (session >> (4 * (ID_DIGITS - 1 - at))) & 15;
        b"0123456789abcdef"[digit as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_would_be_written_each_time() {
        let mut greetings = Greetings::default();
        let few = Limits { symbols: 7, since: 8, message_bytes: 9 };
        let many = Limits { symbols: 5_000, ..few };
        let dashes = "-".repeat(2 * ID_DIGITS);
        for (epoch, limits) in [("e1", few), ("e1", many), ("e2", many), (&dashes, few)] {
            for session in [1, 0x0123_4567_89ab_cdef, u64::MAX, 0] {
                for encoding in [Encoding::Json, Encoding::MessagePack] {
                    let (mut made, mut written) = (vec![1, 2], vec![1, 2]);
                    greetings.write(encoding, epoch, &limits, session, &mut made);
                    let format = Format { encoding, ..Format::default() };
                    let id = format!("{session:016x}");
                    event::connected(format, epoch, &id, &limits, &mut written);
                    assert_eq!(made, written, "{epoch} {session:x} {encoding:?}");
                }
            }
        }
    }
}
