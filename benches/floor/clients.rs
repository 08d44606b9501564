//! The clients of a floor, by slot: their sockets, their upgrade and how they leave.

use std::io::{self, ErrorKind, Write};

use mio::net::TcpStream;
use tapecast::wire::event::{Limits, connected};
use tapecast::wire::{Format, Item, Parsed, Queries, frame, upgrade};
use tungstenite::handshake::derive_accept_key;

pub struct Client {
    pub stream: TcpStream,
    pub stage: Stage,
}

pub enum Stage {
    /// What has come of its request.
    Upgrading(Vec<u8>),
    /// Open, and nothing is sent to it.
    Apart,
    Member {
        cohort: u32,
        place: u32,
    },
    /// Its socket did not take all.
    Behind {
        cohort: u32,
        rest: Vec<u8>,
    },
}

/// What received bytes ask for.
pub enum Answer {
    Nothing,
    Ends,
    Joins { format: Format, items: Vec<Item> },
}

#[derive(Default)]
pub struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<u32>,
}

impl Clients {
    pub fn next_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        })
    }

    pub fn insert(&mut self, slot: u32, stream: TcpStream) {
        let stage = Stage::Upgrading(Vec::new());
        self.slots[slot as usize] = Some(Client { stream, stage });
    }

    pub fn at(&mut self, slot: u32) -> Option<&mut Client> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub fn remove(&mut self, slot: u32) {
        if self.slots[slot as usize].take().is_some() {
            self.free.push(slot);
        }
    }
}

impl Client {
    /// No bytes are the end of the stream.
    pub fn receive(&mut self, bytes: &[u8], is_connect_only: bool) -> Answer {
        let Stage::Upgrading(request) = &mut self.stage else {
            const CLOSE: u8 = 0x88;
            let leaves = bytes.first().is_none_or(|byte| *byte == CLOSE);
            return if leaves { self.end() } else { Answer::Nothing };
        };
        if bytes.is_empty() {
            return Answer::Ends;
        }
        // Mostly the request comes at once, and then it is not copied.
        let is_whole = bytes.ends_with(b"\r\n\r\n");
        if !is_whole || !request.is_empty() {
            request.extend_from_slice(bytes);
            if !request.ends_with(b"\r\n\r\n") {
                return Answer::Nothing;
            }
        }
        let request = std::mem::take(request);
        let request = if request.is_empty() { bytes } else { &request };
        if is_connect_only { self.answer_barely(request) } else { self.answer(request) }
    }

    fn answer(&mut self, request: &[u8]) -> Answer {
        let Ok(Parsed::Request { upgrade, .. }) =
            upgrade::parse(request, false, &mut Queries::default())
        else {
            return Answer::Ends;
        };
        let mut response = Vec::new();
        upgrade.response(&mut response);
        let limits = Limits { symbols: 0, since: 0, message_bytes: 0 };
        connected(upgrade.format, "floor", "0", &limits, &mut response);
        self.stage = Stage::Apart;
        match self.stream.write(&response) {
            Ok(count) if count == response.len() => {
                Answer::Joins { format: upgrade.format, items: upgrade.options.items.clone() }
            }
            _ => Answer::Ends,
        }
    }

    /// The least that a client takes for an upgrade and a greeting.
    fn answer_barely(&mut self, request: &[u8]) -> Answer {
        const NAME: &[u8] = b"\r\nSec-WebSocket-Key: ";
        const GREETING: &[u8] = br#"[{"T":"success","msg":"connected"}]"#;
        let Some(at) = request.windows(NAME.len()).position(|part| part == NAME) else {
            return Answer::Ends;
        };
        let Some(key) = request.get(at + NAME.len()..at + NAME.len() + 24) else {
            return Answer::Ends;
        };
        let mut response = Vec::with_capacity(256);
        response.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        response.extend_from_slice(derive_accept_key(key).as_bytes());
        response.extend_from_slice(b"\r\n\r\n");
        frame::write_message(true, GREETING, &mut response);
        self.stage = Stage::Apart;
        match self.stream.write(&response) {
            Ok(count) if count == response.len() => Answer::Nothing,
            _ => Answer::Ends,
        }
    }

    fn end(&mut self) -> Answer {
        let mut close = Vec::new();
        frame::write_close(1000, "", &mut close);
        // A courtesy; who is behind gets none, in the middle of a frame.
        if !matches!(self.stage, Stage::Behind { .. }) {
            let _ = self.stream.write(&close);
        }
        Answer::Ends
    }

    /// The cohort that it comes back to, once all is sent.
    pub fn send_rest(&mut self) -> io::Result<Option<u32>> {
        let Stage::Behind { cohort, rest } = &mut self.stage else { return Ok(None) };
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => drop(rest.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(*cohort))
    }
}
