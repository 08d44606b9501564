//! One connection as a stream of messages, with pings answered and every RFC 6455 rule kept.

use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use std::io::{self, ErrorKind, Read, Write};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::{CloseFrame, Utf8Bytes, coding::CloseCode};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket};

/// A text message; it dereferences to `str`.
pub type Text = Utf8Bytes;

/// Bytes that one read of the socket takes.
const READ_BYTES: usize = 64 * 1024;

/// A client's stream behind an upgrade that was accepted.
#[derive(Debug)]
pub struct ClientStream<S> {
    socket: WebSocket<S>,
}

/// What one call of [`ClientStream::read`] brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    Text(Text),
    /// A ping, pong or binary message: the peer lives.
    Other,
    /// The stream's own time limit passed and no message was complete.
    Nothing,
    /// The server's Close; it was answered. Code 1005 stands for "none given".
    Closed {
        code: u16,
        reason: String,
    },
}

/// Why a stream ended without a Close frame of the server.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("the server ended the connection without a Close frame")]
    EndedUnannounced,
    #[error("the server broke the WebSocket protocol: {0}")]
    Protocol(Error),
}

impl<S: Read + Write> ClientStream<S> {
    /// `tail` is what came behind the head of the server's answer.
    pub fn new(stream: S, tail: Vec<u8>) -> ClientStream<S> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(CLIENT_MESSAGE_BYTES_MAX * 2)
            .max_message_size(Some(CLIENT_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(CLIENT_MESSAGE_BYTES_MAX));
        let socket = WebSocket::from_partially_read(stream, tail, Role::Client, Some(config));
        ClientStream { socket }
    }

    pub fn read(&mut self) -> Result<Received, StreamError> {
        match self.socket.read() {
            Ok(Message::Text(text)) => Ok(Received::Text(text)),
            Ok(Message::Close(frame)) => {
                // The answer is a courtesy to a server that may be gone already.
                let _ = self.socket.flush();
                Ok(closed(frame))
            }
            Ok(_) => Ok(Received::Other),
            Err(error) => nothing_or(error),
        }
    }

    pub fn send(&mut self, text: &str) -> Result<(), StreamError> {
        match self.socket.send(Message::text(text)) {
            Ok(()) => Ok(()),
            Err(error) => nothing_or(error).map(|_| ()),
        }
    }

    /// Asks whether the server is there; its pong is [`Received::Other`].
    pub fn ping(&mut self) -> Result<(), StreamError> {
        match self.socket.send(Message::Ping(Bytes::new())) {
            Ok(()) => Ok(()),
            Err(error) => nothing_or(error).map(|_| ()),
        }
    }

    /// Says goodbye with code 1000; nothing can be sent afterwards.
    pub fn close(&mut self) -> Result<(), StreamError> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        match self.socket.close(Some(frame)) {
            Ok(()) | Err(Error::ConnectionClosed) => Ok(()),
            Err(error) => nothing_or(error).map(|_| ()),
        }
    }

    pub fn stream(&self) -> &S {
        self.socket.get_ref()
    }
}

fn closed(frame: Option<CloseFrame>) -> Received {
    match frame {
        Some(frame) => {
            Received::Closed { code: frame.code.into(), reason: frame.reason.to_string() }
        }
        None => Received::Closed { code: 1005, reason: String::new() },
    }
}

fn nothing_or(error: Error) -> Result<Received, StreamError> {
    match error {
        Error::Io(e)
            if matches!(
                e.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ) =>
        {
            Ok(Received::Nothing)
        }
        Error::Io(e) => Err(StreamError::Broken(e)),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Err(StreamError::EndedUnannounced)
        }
        other => Err(StreamError::Protocol(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Bytes in one at a time, each read preceded by a time-out; keeps what was written.
    struct Trickle {
        bytes: VecDeque<u8>,
        waits: bool,
        written: Vec<u8>,
    }

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.waits = !self.waits;
            match self.bytes.pop_front() {
                Some(byte) if self.waits => {
                    self.bytes.push_front(byte);
                    Err(ErrorKind::WouldBlock.into())
                }
                Some(byte) => {
                    buffer[0] = byte;
                    Ok(1)
                }
                None => Ok(0),
            }
        }
    }

    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Method: a text in two fragments around a ping, then a Close, byte by byte with time-outs.
    #[test]
    fn messages_survive_any_split_and_pings_are_answered() {
        let bytes = b"\x01\x02[{\x89\x01p\x80\x02}]\x88\x04\x03\xf5{}";
        let waits = false;
        let stream = Trickle { bytes: bytes.iter().copied().collect(), waits, written: vec![] };
        let mut stream = ClientStream::new(stream, vec![]);
        let mut got = Vec::new();
        while !matches!(got.last(), Some(Received::Closed { .. })) {
            match stream.read().expect("a good stream") {
                Received::Nothing => {}
                message => got.push(message),
            }
        }
        let closed = Received::Closed { code: 1013, reason: "{}".to_string() };
        assert_eq!(got, [Received::Other, Received::Text("[{}]".into()), closed]);
        let written = &stream.stream().written;
        assert_eq!((written[0], written[1]), (0x8a, 0x81), "a masked pong of one byte");
        assert_eq!(written[7], 0x88, "the Close is answered");
        assert!(matches!(stream.read(), Err(StreamError::EndedUnannounced)));
    }
}
