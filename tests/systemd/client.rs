//! Clients in the machine's network.

use crate::machine::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;
use tapecast::wire::client::{ClientStream, Endpoint, Received, Upgrade, UpgradeError};

/// Where the installed service serves.
pub const ADDRESS: &str = "127.0.0.1:9001";

/// What a try to subscribe came to.
#[derive(Debug)]
pub enum Outcome {
    /// The kernel had nobody who listens.
    ConnectRefused,
    /// Told by HTTP, or by an end before the answer, that this server does not serve it now.
    TurnedAway(String),
    Subscribed(Box<Client>),
}

#[derive(Debug)]
pub struct Client {
    stream: ClientStream<TcpStream>,
}

impl Client {
    /// Connects, and subscribes by the query.
    pub fn connect(address: SocketAddr) -> Outcome {
        let mut stream = match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => stream,
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                return Outcome::ConnectRefused;
            }
            Err(e) => return Outcome::TurnedAway(format!("connect: {e}")),
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        match upgrade(&mut stream, address) {
            Ok(tail) => {
                Outcome::Subscribed(Box::new(Client { stream: ClientStream::new(stream, tail) }))
            }
            Err(why) => Outcome::TurnedAway(why),
        }
    }

    /// One that must be served.
    pub fn subscribed(address: SocketAddr) -> Client {
        match Client::connect(address) {
            Outcome::Subscribed(client) => *client,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a market event.
    pub fn wait_for_tick(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.stream.read().expect("it is served") {
                Received::Text(text) if text.contains("\"T\":\"q\"") => return,
                Received::Closed { code, reason } => panic!("closed with {code}: {reason}"),
                _ => {}
            }
        }
        panic!("no quote in time");
    }

    /// Reads to the end: the close code, and its reason; or how it ended without.
    pub fn wait_for_close(&mut self) -> Result<(u16, String), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.stream.read() {
                Ok(Received::Closed { code, reason }) => return Ok((code, reason)),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        panic!("no end in time");
    }

    /// Whether the first that it gets is a Close with this code.
    pub fn is_closed_at_once(&mut self, with: u16) -> bool {
        let first = self.stream.read().expect("a message");
        matches!(first, Received::Closed { code, .. } if code == with)
    }

    pub fn send(&mut self, text: &str) {
        self.stream.send(text).expect("it is read");
    }
}

/// Gives what came behind the answer's head. Few events a second, so that a client from which
/// nothing is read while its test does something else has room for its Close frame.
fn upgrade(stream: &mut TcpStream, address: SocketAddr) -> Result<Vec<u8>, String> {
    let url = format!("ws://{address}/v1/stream?symbols=AAPL&channels=quotes&max_hz=2");
    let endpoint: Endpoint = Endpoint::parse(&url).expect("a URL of this protocol");
    let upgrade = Upgrade::new(&endpoint, [7; 16]);
    stream.write_all(&upgrade.request).map_err(|e| format!("request: {e}"))?;
    let (mut bytes, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut block).map_err(|e| format!("answer: {e}"))?;
        if count == 0 {
            return Err("ended before the answer".to_string());
        }
        bytes.extend_from_slice(&block[..count]);
        match upgrade.answer(&bytes) {
            Ok(Some(head)) => return Ok(bytes.split_off(head)),
            Ok(None) => {}
            Err(UpgradeError::Refused(refusal)) => return Err(format!("{refusal:?}")),
            Err(error) => panic!("{error}"),
        }
    }
}
