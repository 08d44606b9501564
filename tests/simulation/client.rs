//! One client: what it says and when, how fast it reads, and the socket between it and the hub.

use super::act::{Act, Change, Since, client_frame, request};
use super::checker::{Checker, Stage};
use super::world::World;
use bytes::Bytes;
use fastrand::Rng;
use serde_json::json;
use std::collections::VecDeque;

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    /// Takes all at once.
    Eager,
    /// Takes anything from nothing to all.
    Moody,
    /// Takes nothing.
    Stuck,
}

/// One connection, from accept to release.
pub struct Connection {
    pub slot: u32,
    pub checker: Checker,
    /// What is still to be given to the hub, and where in it each act ends.
    out: Vec<u8>,
    acts: VecDeque<(usize, Act)>,
    given: usize,
    /// Where the last act ends of those that were given whole.
    executed: usize,
    /// The send that the ring has under way.
    pub rest: Option<Bytes>,
    /// The server has shut its side.
    pub shut: bool,
    /// The server has let go; a reset or an orderly end.
    pub dropped: Option<bool>,
    /// The client has ended its side.
    pub left: bool,
}

pub struct Client {
    pub connection: Option<Connection>,
    pub mood: Mood,
    /// Keeps its mood, answers every ping, makes no errors.
    pub steady: bool,
    had: Since,
    /// How its last connection ended, and how often it had been told before.
    pub farewell: Option<(Stage, usize)>,
}

impl Client {
    pub fn new(rng: &mut Rng) -> Client {
        let steady = rng.u8(..3) == 0;
        Client { connection: None, mood: Mood::Eager, steady, had: Since::new(), farewell: None }
    }

    /// Begins a connection; the hub has just given it `slot`.
    pub fn connect(&mut self, slot: u32, rng: &mut Rng, world: &World, limits: (bool, usize)) {
        let msgpack = rng.u8(..3) == 0;
        let checker = Checker::new(msgpack, self.steady, limits.0, limits.1);
        let (out, act) = match rng.u8(..24) {
            0 if !self.steady => (b"GET /nowhere HTTP/1.1\r\n\r\n".to_vec(), Act::BadUpgrade),
            1..12 => {
                let mut change = Change { adds: true, ..Change::default() };
                change.items = super::act::random_items(rng);
                change.random_options(rng);
                let url = change.url();
                (request(rng, &url, msgpack), Act::Upgrade(Some(change)))
            }
            _ => (request(rng, "", msgpack), Act::Upgrade(None)),
        };
        let acts = VecDeque::from([(out.len(), act)]);
        self.connection = Some(Connection {
            slot,
            checker,
            out,
            acts,
            given: 0,
            executed: 0,
            rest: None,
            shut: false,
            dropped: None,
            left: false,
        });
        if !self.had.is_empty() && rng.bool() {
            let mut change = Change { adds: true, ..Change::default() };
            let names = self.had.keys();
            let pairs = names.flat_map(|name| (0..3).map(move |channel| (name.clone(), channel)));
            change.items = pairs.collect();
            change.resume(rng, &self.had, world);
            self.say(Act::Change(change), rng);
        }
    }

    /// A proxy has begun the connection with this header.
    pub fn announce(&mut self, header: &[u8]) {
        let Some(connection) = &mut self.connection else { return };
        connection.out.splice(..0, header.iter().copied());
        connection.acts.iter_mut().for_each(|(end, _)| *end += header.len());
    }

    /// Decides to say something, or to change how it reads.
    pub fn live(&mut self, rng: &mut Rng, world: &World) {
        if !self.steady && rng.u8(..12) == 0 {
            self.mood = [Mood::Eager, Mood::Moody, Mood::Moody, Mood::Stuck][rng.usize(..4)];
        }
        let Some(connection) = &mut self.connection else { return };
        let pongs = std::mem::take(&mut connection.checker.pongs_due);
        for _ in 0..pongs.min(3) {
            if self.steady || rng.u8(..4) > 0 {
                self.say(Act::WsPong, rng);
            }
        }
        if rng.u8(..12) > 0 {
            return;
        }
        let id = [None, Some(json!(7)), Some(json!("x"))][rng.usize(..3)].clone();
        let act = match rng.u8(..40) {
            0..24 => Act::Change(Change::random(rng, &self.had, world)),
            24..27 => Act::List(id),
            27..30 => Act::Ping(id),
            30..33 => Act::WsPing(vec![rng.u8(..); rng.usize(..9)]),
            33 => Act::WsPong,
            34 => Act::Auth,
            35 => Act::Wrong(400),
            36 => Act::Wrong(410),
            37 => Act::Close,
            38 if !self.steady => Act::Garbage,
            39 if !self.steady => Act::Fault,
            _ => return,
        };
        self.say(act, rng);
    }

    /// Nothing is on its way from it or to it.
    pub fn is_quiet(&self) -> bool {
        let quiet = |c: &Connection| {
            let idle = c.rest.is_none() && c.checker.pongs_due == 0 && !c.shut;
            idle && c.dropped.is_none() && (c.left || !c.has_more())
        };
        self.connection.as_ref().is_none_or(quiet)
    }

    pub fn answer_pings(&mut self, rng: &mut Rng) {
        let due = self.connection.as_mut().map(|c| std::mem::take(&mut c.checker.pongs_due));
        for _ in 0..due.unwrap_or(0) {
            self.say(Act::WsPong, rng);
        }
    }

    pub fn say(&mut self, act: Act, rng: &mut Rng) {
        let Some(connection) = &mut self.connection else { return };
        let bytes = match &act {
            Act::WsPong => client_frame(rng, 0x8a, b""),
            act => act.bytes(rng),
        };
        connection.out.extend(bytes);
        connection.acts.push_back((connection.out.len(), act));
    }

    /// The connection is over: what it had is what the next one may resume with.
    pub fn end(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.had = connection.checker.pairs.had();
            self.farewell = Some((connection.checker.stage, connection.checker.shutdowns));
        }
    }

    /// Bytes that the socket takes now of `length`, or an error as the kernel gives it.
    pub fn takes(&self, length: usize, rng: &mut Rng) -> i32 {
        const AGAIN: i32 = -11;
        const RESET: i32 = -104;
        match self.mood {
            Mood::Eager => length as i32,
            Mood::Stuck => AGAIN,
            Mood::Moody if rng.u8(..200) == 0 => RESET,
            Mood::Moody => match rng.u8(..4) {
                0 => AGAIN,
                1 => rng.usize(1..=length) as i32,
                _ => length as i32,
            },
        }
    }
}

impl Connection {
    pub fn has_more(&self) -> bool {
        self.given < self.out.len()
    }

    /// The next bytes for the hub, at most `most`.
    pub fn give(&mut self, most: usize) -> Vec<u8> {
        let end = self.out.len().min(self.given + most);
        let bytes = self.out[self.given..end].to_vec();
        self.given = end;
        bytes
    }

    /// The hub has executed what was given to it.
    pub fn given(&mut self, world: &World) {
        while let Some((end, act)) = self.acts.pop_front_if(|(end, _)| *end <= self.given) {
            self.executed = end;
            self.checker.execute(act, world);
        }
        // A part of it can mean something by chance.
        if self.given > self.executed && matches!(self.acts.front(), Some((_, Act::Garbage))) {
            self.checker.is_lost = true;
        }
    }

    /// It is neither ending nor refused: what is promised must come.
    pub fn is_sound(&self) -> bool {
        let open = self.checker.stage == Stage::Open && !self.checker.is_lost;
        open && !self.left && !self.shut && self.dropped.is_none()
    }
}
