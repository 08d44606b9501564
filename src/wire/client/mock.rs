//! A server's end of a stream, for tests of clients: tungstenite's own, so that ours is not held
//! to itself.

use std::io::{Read, Write};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::frame::{CloseFrame, coding::CloseCode};
use tungstenite::{Message, WebSocket};

/// An accepted connection.
pub struct MockServer<S> {
    socket: WebSocket<S>,
    /// The request target that the client asked for.
    pub target: String,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Text(String),
    Binary(Vec<u8>),
    /// It is answered with the next call.
    Ping,
    Pong(Vec<u8>),
    /// Code of its Close; 1005: none.
    Close(u16),
    /// Nothing within the stream's time limit, or nothing ever again.
    Nothing,
}

impl<S: Read + Write> MockServer<S> {
    #[allow(clippy::result_large_err, reason = "the callback's error type is tungstenite's")]
    pub fn accept(stream: S) -> MockServer<S> {
        let mut target = String::new();
        let note = |request: &Request, response: Response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let socket = tungstenite::accept_hdr(stream, note).map_err(|e| e.to_string());
        MockServer { socket: socket.expect("the client's upgrade is good"), target }
    }

    /// `false` once the client is gone.
    pub fn say(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).is_ok()
    }

    pub fn say_bytes(&mut self, payload: Vec<u8>) -> bool {
        self.socket.send(Message::binary(payload)).is_ok()
    }

    pub fn ping(&mut self, payload: &'static str) -> bool {
        self.socket.send(Message::Ping(payload.into())).is_ok()
    }

    /// Sends a Close and reads until the client is gone.
    pub fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let _ = self.socket.close(Some(frame));
        while self.socket.read().is_ok() {}
    }

    pub fn read(&mut self) -> Sent {
        match self.socket.read() {
            Ok(Message::Text(text)) => Sent::Text(text.to_string()),
            Ok(Message::Binary(payload)) => Sent::Binary(payload.to_vec()),
            Ok(Message::Ping(_)) => Sent::Ping,
            Ok(Message::Pong(payload)) => Sent::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => {
                let _ = self.socket.flush();
                Sent::Close(frame.map_or(1005, |frame| frame.code.into()))
            }
            Ok(other) => panic!("{other:?} is not what our clients send"),
            Err(_) => Sent::Nothing,
        }
    }

    pub fn stream(&mut self) -> &mut S {
        self.socket.get_mut()
    }
}
