//! Received bytes in, messages out: RFC 6455's receiving side, for a server.
//!
//! tungstenite's [`WebSocketContext`] unmasks, joins fragments, checks UTF-8 and answers pings and
//! Close frames; it is fed from memory and writes to memory. Between messages it has no state
//! that counts (its buffers are empty, nothing waits to be sent, no fragment is open), so a
//! session that is at rest holds none: decoders are taken from the shard's [`DecoderPool`] for
//! the received bytes and go back with the last of them, unless a frame or a message is unfinished.
//! Whether one is, and whether headers keep the rules, says the `Walker`.

use super::walker::Walker;
use crate::limits::{DECODER_BUFFER_BYTES, DECODER_SPARES_MAX, FRAGMENTS_MAX, PONGS_PER_READ_MAX};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// One message from the peer, borrowed from the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    /// Its pong is in `replies` already, or will be when the bytes are used up.
    Ping,
    Pong,
    /// The answering Close frame is in `replies` already, and nothing more will come. `code` is
    /// `None` where the peer gave none. A server that has sent its own Close must not send
    /// `replies`: this is the answer to it.
    Close {
        code: Option<u16>,
    },
}

/// How the peer broke RFC 6455 or a limit. The connection must be closed with
/// [`DecodeError::close_code`]; the text is short enough for the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("reserved bits are set in a frame, but no extension was agreed on")]
    ReservedBits,
    #[error("the opcode {0:#x} is reserved; send 0x0 to 0x2 or 0x8 to 0xa")]
    Opcode(u8),
    #[error("a frame has no mask; clients must mask every frame")]
    Unmasked,
    #[error("a frame's length is not in its shortest form")]
    LengthForm,
    #[error("a control frame is fragmented")]
    ControlFragmented,
    #[error("a control frame has more than 125 bytes")]
    ControlLength,
    #[error("a continuation frame came without a message to continue")]
    NothingToContinue,
    #[error("a new message began before the last one ended")]
    Unfinished,
    #[error("a Close frame has half a code; send none or two bytes")]
    ClosePayload,
    #[error("the close code {0} must not be sent; 1000 is the usual one")]
    CloseCode(u16),
    #[error("text is not UTF-8")]
    Utf8,
    #[error("a message is over {bytes_max} bytes; send it in parts")]
    TooLarge { bytes_max: u64 },
    #[error("a message has more than {FRAGMENTS_MAX} fragments; send it in larger ones")]
    TooManyFragments,
    #[error("a frame breaks the WebSocket protocol")]
    Other,
}

impl DecodeError {
    /// RFC 6455, section 7.4.1.
    pub fn close_code(self) -> u16 {
        match self {
            DecodeError::Utf8 => 1007,
            DecodeError::TooLarge { .. } | DecodeError::TooManyFragments => 1009,
            _ => 1002,
        }
    }
}

/// The decoder of one connection: a pointer, and nothing behind it while the connection rests.
#[derive(Debug, Default)]
pub struct Decoder(Option<Box<Open>>);

const _: () = assert!(size_of::<Decoder>() == 8, "an idle session's decoder is one pointer");

#[derive(Debug)]
struct Open {
    walker: Walker,
    /// `None` after the end: a Close frame, an error, or the owner's `Break`.
    context: Option<WebSocketContext>,
}

/// Decoders for the sessions of one shard that share a message limit, and that limit.
#[derive(Debug)]
pub struct DecoderPool {
    message_bytes_max: usize,
    #[expect(clippy::vec_box, reason = "sessions hold the box, and it moves without a copy")]
    spares: Vec<Box<Open>>,
}

impl DecoderPool {
    pub fn new(message_bytes_max: usize) -> DecoderPool {
        DecoderPool { message_bytes_max, spares: Vec::new() }
    }

    fn take(&mut self) -> Box<Open> {
        self.spares.pop().unwrap_or_else(|| {
            let context = WebSocketContext::new(Role::Server, Some(self.config()));
            Box::new(Open { walker: Walker::default(), context: Some(context) })
        })
    }

    fn give_back(&mut self, open: Box<Open>) {
        // A decoder whose buffer grew is not kept, or one large message a session would in the
        // end fill the pool with large buffers.
        let has_grown = open.walker.longest_payload() > DECODER_BUFFER_BYTES as u64;
        if !has_grown && self.spares.len() < DECODER_SPARES_MAX {
            self.spares.push(open);
        }
    }

    fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(DECODER_BUFFER_BYTES)
            // Replies go to memory at once: nothing is buffered, so this bound is never reached.
            .write_buffer_size(0)
            .max_write_buffer_size(DECODER_BUFFER_BYTES)
            .max_message_size(Some(self.message_bytes_max))
            .max_frame_size(Some(self.message_bytes_max))
            .accept_unmasked_frames(false)
    }
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder(None)
    }

    /// Nothing of a frame or message is held.
    pub fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }

    /// At most so many bytes are held for an unfinished frame or message.
    pub fn heap_bytes(&self) -> usize {
        let Some(open) = &self.0 else { return 0 };
        let context = open
            .context
            .as_ref()
            .map(|_| DECODER_BUFFER_BYTES.saturating_add(open.walker.held_bytes_max()));
        size_of::<Open>() + context.unwrap_or(0)
    }

    /// Decodes `bytes` and hands each complete message to `on`, in order.
    ///
    /// Pongs and the answer to a Close frame are appended to `replies` as complete frames; `on`
    /// gets `replies` too, so that what it answers stands in order with them. At most
    /// [`PONGS_PER_READ_MAX`] pongs are made of one `bytes`, the last of them for the newest ping.
    ///
    /// After an error, a Close frame or a `Break` from `on` the connection is over for this
    /// decoder: the rest of `bytes`, and what comes later, is ignored.
    pub fn feed(
        &mut self,
        pool: &mut DecoderPool,
        bytes: &[u8],
        replies: &mut Vec<u8>,
        on: &mut dyn FnMut(Incoming<'_>, &mut Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), DecodeError> {
        let mut open = self.0.take().unwrap_or_else(|| pool.take());
        let result = open.feed(bytes, pool.message_bytes_max, replies, on);
        if open.context.is_some() && open.walker.is_at_rest() {
            pool.give_back(open);
        } else {
            self.0 = Some(open);
        }
        result
    }
}

impl Open {
    fn feed(
        &mut self,
        bytes: &[u8],
        message_bytes_max: usize,
        replies: &mut Vec<u8>,
        on: &mut dyn FnMut(Incoming<'_>, &mut Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), DecodeError> {
        let Some(context) = &mut self.context else { return Ok(()) };
        let (length, verdict) = self.walker.walk(bytes, message_bytes_max as u64);
        let mut memory = Memory::new(&bytes[..length], replies);
        let result = read_all(context, &mut memory, on);
        memory.finish();
        // What stood before the frame that is wrong has been decoded; its own error comes first.
        let result = result.and_then(|flow| verdict.map(|()| flow));
        match result {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(())) => {
                self.context = None;
                Ok(())
            }
            Err(error) => {
                self.context = None;
                Err(error)
            }
        }
    }
}

/// Reads until the memory is used up (`Continue`), or the connection is over (`Break`).
fn read_all(
    context: &mut WebSocketContext,
    memory: &mut Memory<'_>,
    on: &mut dyn FnMut(Incoming<'_>, &mut Vec<u8>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, DecodeError> {
    loop {
        let message = match context.read(memory) {
            Ok(message) => message,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(ControlFlow::Continue(()));
            }
            Err(error) => return Err(explain(&error)),
        };
        let flow = match &message {
            Message::Text(text) => on(Incoming::Text(text), memory.replies),
            Message::Binary(bytes) => on(Incoming::Binary(bytes), memory.replies),
            Message::Ping(_) => {
                context.flush(memory).map_err(|error| explain(&error))?;
                on(Incoming::Ping, memory.replies)
            }
            Message::Pong(_) => on(Incoming::Pong, memory.replies),
            Message::Close(frame) => {
                // The answer is written by the next call, which ends with `ConnectionClosed`.
                let _ = context.flush(memory);
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let _ = on(Incoming::Close { code }, memory.replies);
                ControlFlow::Break(())
            }
            // tungstenite makes no raw frame of what it reads.
            Message::Frame(_) => ControlFlow::Continue(()),
        };
        if flow.is_break() {
            // `on` may have ended `replies` with a Close frame, and nothing may follow that.
            memory.newest_pong.clear();
            return Ok(ControlFlow::Break(()));
        }
    }
}

/// Header errors have been found by the walker before, so UTF-8 is what is left in practice.
fn explain(error: &Error) -> DecodeError {
    match error {
        Error::Utf8(_) => DecodeError::Utf8,
        Error::Capacity(tungstenite::error::CapacityError::MessageTooLong { max_size, .. }) => {
            DecodeError::TooLarge { bytes_max: *max_size as u64 }
        }
        _ => DecodeError::Other,
    }
}

/// The stream that tungstenite reads from and writes to: received bytes, then `WouldBlock`.
struct Memory<'a> {
    input: &'a [u8],
    replies: &'a mut Vec<u8>,
    pongs: usize,
    /// The newest pong beyond the limit; it waits for the end, as a newer one may replace it.
    newest_pong: Vec<u8>,
}

/// First byte of a Pong frame: final, opcode 0xa.
const PONG: u8 = 0x8a;

impl<'a> Memory<'a> {
    fn new(input: &'a [u8], replies: &'a mut Vec<u8>) -> Memory<'a> {
        Memory { input, replies, pongs: 0, newest_pong: Vec::new() }
    }

    fn release_newest_pong(&mut self) {
        self.replies.append(&mut self.newest_pong);
    }

    fn finish(mut self) {
        self.release_newest_pong();
    }
}

impl Read for Memory<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(out)
    }
}

impl Write for Memory<'_> {
    /// Gets one whole frame a call, because tungstenite's write buffer is set to hold none.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let is_pong = frame.first() == Some(&PONG);
        self.pongs += usize::from(is_pong);
        if is_pong && self.pongs >= PONGS_PER_READ_MAX {
            self.newest_pong.clear();
            self.newest_pong.extend_from_slice(frame);
        } else {
            // Before a Close frame, since nothing may follow it.
            self.release_newest_pong();
            self.replies.extend_from_slice(frame);
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
