//! NATS over WebSocket: binary frames that carry the bytes of a line protocol, cut anywhere.
//!
//! The client's side of <https://docs.nats.io/reference/reference-protocols/nats-protocol>, as far
//! as a subscriber needs it.

use crate::wire::client::{FrameError, Opcode, next_header};

/// What an operation may take before it is complete: the server's largest payload is 1 MiB.
const OPERATION_BYTES_MAX: usize = (1 << 20) + 4096;

/// A control frame's payload (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// The subjects of the feed's lines are this and the symbol.
const SUBJECT_PREFIX: &str = "tick.";

/// One connection's place in its stream.
#[derive(Debug)]
pub struct NatsStream {
    hello: Vec<u8>,
    /// Bytes of the frame under way that have not come.
    frame_left: u64,
    /// The start of an operation.
    rest: Vec<u8>,
}

/// What stood at the beginning of received bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined<'a> {
    /// A data frame of so many bytes in all has begun, and what is there of it was joined.
    Data(usize),
    Control(Opcode, &'a [u8]),
    /// Nothing that is whole, or nothing at all.
    Incomplete,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    Message(&'a [u8]),
    Ping,
    Pong,
    Error(String),
    /// INFO and +OK.
    Other,
}

impl NatsStream {
    /// Subscribes to the symbols; the answer to the last line says that all is done.
    pub fn new<'a>(symbols: impl Iterator<Item = &'a str>) -> NatsStream {
        let mut hello = String::from(
            "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"lang\":\"rust\",\
             \"version\":\"1\",\"protocol\":1}\r\n",
        );
        for (number, symbol) in symbols.enumerate() {
            hello.push_str(&format!("SUB {SUBJECT_PREFIX}{symbol} {}\r\n", number + 1));
        }
        hello.push_str("PING\r\n");
        NatsStream { hello: hello.into_bytes(), frame_left: 0, rest: Vec::new() }
    }

    pub fn take_hello(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.hello)
    }

    /// Takes one frame, or what there is of it, and says how many bytes that were. `joined` gets
    /// the payload, behind what was kept of the last operation if it is empty.
    pub fn join<'a>(
        &mut self,
        bytes: &'a [u8],
        joined: &mut Vec<u8>,
    ) -> Result<(usize, Joined<'a>), FrameError> {
        joined.append(&mut self.rest);
        if self.frame_left > 0 {
            let taken = self.join_payload(bytes, joined);
            if self.frame_left > 0 || taken == bytes.len() {
                return Ok((taken, Joined::Incomplete));
            }
            let (more, outcome) = self.join(&bytes[taken..], joined)?;
            return Ok((taken + more, outcome));
        }
        let Some(header) = next_header(bytes)? else { return Ok((0, Joined::Incomplete)) };
        let behind = &bytes[header.header_bytes..];
        if matches!(header.opcode, Opcode::Text | Opcode::Binary) {
            self.frame_left = header.payload_bytes;
            let taken = header.header_bytes + self.join_payload(behind, joined);
            let frame_bytes = header.header_bytes + header.payload_bytes as usize;
            return Ok((taken, Joined::Data(frame_bytes)));
        }
        let length = header.payload_bytes.min(CONTROL_BYTES_MAX) as usize;
        Ok(match behind.get(..length) {
            None => (0, Joined::Incomplete),
            Some(payload) => {
                (header.header_bytes + length, Joined::Control(header.opcode, payload))
            }
        })
    }

    fn join_payload(&mut self, bytes: &[u8], joined: &mut Vec<u8>) -> usize {
        let taken = self.frame_left.min(bytes.len() as u64) as usize;
        joined.extend_from_slice(&bytes[..taken]);
        self.frame_left -= taken as u64;
        taken
    }

    /// The start of an operation whose end has not come.
    pub fn keep(&mut self, rest: &[u8]) {
        self.rest = rest.to_vec();
    }
}

/// The first operation and its length; `None` while it is incomplete.
pub fn next_operation(bytes: &[u8]) -> Result<Option<(Operation<'_>, usize)>, String> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return match bytes.len() {
            0..OPERATION_BYTES_MAX => Ok(None),
            length => Err(format!("an operation has over {length} bytes")),
        };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let next = end + 1;
    let operation = match line {
        [b'M', b'S', b'G', b' ', arguments @ ..] => {
            let length = payload_bytes(arguments)
                .ok_or_else(|| format!("no MSG: {}", String::from_utf8_lossy(line)))?;
            let whole = next + length + 2;
            if bytes.len() < whole {
                return Ok(None);
            }
            let payload = &bytes[next..next + length];
            return Ok(Some((Operation::Message(payload), whole)));
        }
        b"PING" => Operation::Ping,
        b"PONG" => Operation::Pong,
        [b'-', b'E', b'R', b'R', why @ ..] => {
            Operation::Error(String::from_utf8_lossy(why).trim().to_string())
        }
        [b'I', b'N', b'F', b'O', ..] | b"+OK" => Operation::Other,
        _ => return Err(format!("no operation: {}", String::from_utf8_lossy(line))),
    };
    Ok(Some((operation, next)))
}

/// Of `<subject> <sid> [reply-to] <#bytes>`.
fn payload_bytes(arguments: &[u8]) -> Option<usize> {
    let digits = arguments.rsplit(|byte| *byte == b' ').next()?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (length <= OPERATION_BYTES_MAX).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_says_hello() {
        let mut stream = NatsStream::new(["A", "B"].into_iter());
        let hello = String::from_utf8(stream.take_hello()).expect("text");
        let lines: Vec<&str> = hello.split("\r\n").collect();
        assert!(lines[0].starts_with("CONNECT {\"verbose\":false,"), "{hello}");
        assert_eq!(lines[1..], ["SUB tick.A 1", "SUB tick.B 2", "PING", ""]);
    }

    /// Method: a stream in three frames with a ping between, given in two parts cut at every byte.
    #[test]
    fn operations_come_out_however_the_stream_is_cut() {
        let text =
            b"INFO {\"a\":1}\r\nMSG tick.A 1 5\r\n{\r\n1}\r\n+OK\r\nMSG tick.B 2 _R 2\r\n{}\r\n\
            PING\r\n-ERR 'no'\r\nPONG\r\n";
        let mut bytes = Vec::new();
        for part in [&text[..20], &text[20..40], &text[40..]] {
            bytes.extend([0x82, part.len() as u8]);
            bytes.extend(part);
            bytes.extend(b"\x89\x01p");
        }
        for cut in 0..=bytes.len() {
            let (mut stream, mut found, mut pings) = (NatsStream::new([].into_iter()), vec![], 0);
            let mut tail = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                tail.extend_from_slice(part);
                let (mut used, mut joined) = (0, Vec::new());
                loop {
                    let (taken, what) = stream.join(&tail[used..], &mut joined).expect("frames");
                    used += taken;
                    match what {
                        Joined::Incomplete => break,
                        Joined::Control(Opcode::Ping, b"p") => pings += 1,
                        what => assert!(matches!(what, Joined::Data(_)), "{what:?}"),
                    }
                }
                tail.drain(..used);
                let mut at = 0;
                while let Some((operation, length)) = next_operation(&joined[at..]).expect("good") {
                    found.push(format!("{operation:?}"));
                    at += length;
                }
                stream.keep(&joined[at..]);
            }
            let expected = [
                Operation::Other,
                Operation::Message(b"{\r\n1}"),
                Operation::Other,
                Operation::Message(b"{}"),
                Operation::Ping,
                Operation::Error("'no'".to_string()),
                Operation::Pong,
            ];
            assert_eq!(found, expected.map(|o| format!("{o:?}")), "cut at {cut}");
            assert_eq!((pings, tail.len()), (3, 0), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_operation_is_named() {
        for bad in ["HELLO\r\n", "MSG a 1 x\r\n", "MSG a 1 99999999\r\n"] {
            assert!(next_operation(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
