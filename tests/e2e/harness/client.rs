//! A WebSocket client for the tests: tungstenite's client side over a blocking socket.

use super::PATIENCE;
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::{Error, WebSocket};

/// What a client may see, pings aside (they are answered).
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
    /// Code 1005 stands for none.
    Closed(u16, String),
    /// The connection ended without a Close frame.
    Lost(String),
    Ping,
    Pong,
}

pub struct Client {
    socket: WebSocket<TcpStream>,
    /// Of the `connected` message.
    pub epoch: String,
}

impl Client {
    /// Connects and takes the `connected` message, which must be the first.
    pub fn connect(address: SocketAddr, target: &str) -> Client {
        Client::greeted(TcpStream::connect(address).expect("listening"), target)
    }

    /// The same over a connection that is there already.
    pub fn connect_through(stream: TcpStream) -> Client {
        Client::greeted(stream, "/v1/stream")
    }

    fn greeted(stream: TcpStream, target: &str) -> Client {
        let mut client = Client::open(stream, target);
        let first = client.event();
        assert_eq!((&first["T"], &first["msg"]), (&"success".into(), &"connected".into()));
        client.epoch = first["epoch"].as_str().expect("a text").to_string();
        client
    }

    /// The upgrade alone, over a socket that may have options.
    pub fn open(stream: TcpStream, target: &str) -> Client {
        Client::try_open(stream, target).expect("an upgrade")
    }

    /// As [`Client::open`]; `None` where the server is gone before it has answered.
    pub fn try_open(stream: TcpStream, target: &str) -> Option<Client> {
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let peer = stream.peer_addr().ok()?;
        let request = format!("ws://{peer}{target}").into_client_request().expect("a URL");
        let (socket, _) = tungstenite::client::client(request, stream).ok()?;
        Some(Client { socket, epoch: String::new() })
    }

    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    pub fn send(&mut self, command: Value) {
        self.send_text(&command.to_string());
    }

    pub fn send_text(&mut self, text: &str) {
        self.socket.send(tungstenite::Message::text(text)).expect("the server takes commands");
    }

    pub fn send_message(&mut self, message: tungstenite::Message) {
        self.socket.send(message).expect("the server takes messages");
    }

    /// A Close with code 1000, and the server's answer to it.
    pub fn close(mut self) {
        let code = tungstenite::protocol::frame::coding::CloseCode::Normal;
        let frame = tungstenite::protocol::CloseFrame { code, reason: "".into() };
        self.socket.close(Some(frame)).expect("the server takes a Close");
        loop {
            match self.next() {
                Message::Closed(1000, _) => return,
                Message::Closed(..) | Message::Lost(_) => panic!("not the answer to our Close"),
                _ => {}
            }
        }
    }

    /// Panics: nothing came within [`PATIENCE`].
    pub fn next(&mut self) -> Message {
        self.next_within(PATIENCE).expect("the server owes us something")
    }

    /// `None` where nothing came in this time.
    pub fn next_within(&mut self, time: Duration) -> Option<Message> {
        self.stream().set_read_timeout(Some(time)).expect("not zero");
        use tungstenite::Message as M;
        Some(match self.socket.read() {
            Ok(M::Text(text)) => Message::Text(text.to_string()),
            Ok(M::Binary(bytes)) => Message::Binary(bytes.to_vec()),
            Ok(M::Ping(_)) => Message::Ping,
            Ok(M::Pong(_)) => Message::Pong,
            Ok(M::Frame(_)) => unreachable!("tungstenite gives whole messages"),
            Ok(M::Close(frame)) => {
                // The answer is a courtesy.
                let _ = self.socket.flush();
                match frame {
                    Some(frame) => Message::Closed(frame.code.into(), frame.reason.to_string()),
                    None => Message::Closed(1005, String::new()),
                }
            }
            Err(Error::Io(e))
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return None;
            }
            Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::Interrupted => return None,
            Err(Error::Io(e)) => Message::Lost(e.to_string()),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                Message::Lost("ended".into())
            }
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Message::Lost("closed".into()),
            Err(error) => panic!("the server broke the protocol: {error}"),
        })
    }

    /// The next frame's events; pings and pongs are passed over.
    pub fn events(&mut self) -> Vec<Value> {
        loop {
            match self.next() {
                Message::Text(text) => return serde_json::from_str(&text).expect("an array"),
                Message::Ping | Message::Pong => {}
                other => panic!("events were expected, not {other:?}"),
            }
        }
    }

    /// The one event of the next frame.
    pub fn event(&mut self) -> Value {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Events up to the first frame with one that fits, all of that frame included.
    pub fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (mut all, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let events = self.events();
            let found = events.iter().any(&fits);
            all.extend(events);
            if found {
                return all;
            }
            assert!(Instant::now() < deadline, "{what}: did not come among {} events", all.len());
        }
    }

    /// The first event that fits.
    pub fn find(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let events = self.until(what, &fits);
        events.into_iter().find(fits).expect("until ends with one")
    }

    /// Everything up to the end of the connection; the end is the last.
    pub fn rest(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            all.push(self.next());
            if matches!(all.last(), Some(Message::Closed(..) | Message::Lost(_))) {
                return all;
            }
        }
    }
}

/// A frame's type and symbol.
pub fn is(event: &Value, kind: &str, symbol: &str) -> bool {
    event["T"] == kind && event["S"] == symbol
}
