//! The bare loop: one thread, one epoll, the server's own socket options, and nothing else that a
//! server does. It does not catch up who was slow, does not ping, and limits nothing.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use tapecast::config::SocketOptions;
use tapecast::shard::listen;

use crate::audience::{Audience, Member};
use crate::clients::{Answer, Client, Clients, Stage};
use crate::market::Market;
use crate::outbox::{Outbox, Way};
use crate::ready_made::ReadyMade;

const LISTENER: Token = Token(0);
const FEED: Token = Token(1);
/// A client's token is this and its slot.
const FIRST_CLIENT: usize = 2;

/// What a pipe holds, and how often it is read before what came is sent.
const READ_BYTES: usize = 64 * 1024;
const READS_MAX: usize = 16;

/// What a floor is to do.
pub struct Task {
    pub way: Way,
    /// Only accepts, receives and answers.
    pub is_connect_only: bool,
    /// Standard input is left alone.
    pub is_idle: bool,
    /// Between two flushes, at least.
    pub window: Duration,
    pub ready_made: Option<ReadyMade>,
}

pub struct Floor {
    poll: Poll,
    listener: mio::net::TcpListener,
    clients: Clients,
    audience: Audience,
    market: Market,
    outbox: Outbox,
    dirty: Vec<u32>,
    buffer: Vec<u8>,
    is_connect_only: bool,
    window: Duration,
    flushed_at: Instant,
    ready_made: Option<ReadyMade>,
    /// Standard input may have more.
    feed_waits: bool,
    feed_ended: bool,
}

impl Floor {
    pub fn new(task: Task) -> io::Result<Floor> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        // Who does not read stays, as in a run of the server that is compared.
        let options = SocketOptions { user_timeout_ms: 3_600_000, ..SocketOptions::default() };
        let sockets = listen(address, 1, &options).map_err(io::Error::other)?;
        let listener = sockets.into_iter().next().expect("one was asked for");
        let listener = TcpListener::from(listener);
        listener.set_nonblocking(true)?;
        let mut listener = mio::net::TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        if !task.is_idle {
            let input = io::stdin();
            rustix::io::ioctl_fionbio(input.as_fd(), true)?;
            let fd = input.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), FEED, Interest::READABLE)?;
        }
        Ok(Floor {
            poll,
            listener,
            clients: Clients::default(),
            audience: Audience::default(),
            market: Market::new(),
            outbox: Outbox::new(task.way),
            dirty: Vec::new(),
            buffer: vec![0; READ_BYTES],
            is_connect_only: task.is_connect_only,
            window: task.window,
            flushed_at: Instant::now(),
            ready_made: task.ready_made,
            feed_waits: !task.is_idle,
            feed_ended: false,
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the feed ends.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.feed_ended {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    FEED => self.feed_waits = true,
                    Token(token) => self.turn((token - FIRST_CLIENT) as u32, event),
                }
            }
            if self.feed_waits {
                self.read_feed()?;
            }
            if !self.market.is_empty() && self.flushed_at.elapsed() >= self.window {
                self.flush();
            }
            self.send_ready_made();
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        if self.feed_waits {
            return Some(Duration::ZERO);
        }
        let rest = self.window.saturating_sub(self.flushed_at.elapsed());
        let window = (!self.market.is_empty()).then_some(rest);
        window.or(self.ready_made.as_ref().map(ReadyMade::timeout))
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let slot = self.clients.next_slot();
            let token = Token(FIRST_CLIENT + slot as usize);
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.clients.insert(slot, stream);
        }
    }

    fn turn(&mut self, slot: u32, event: &Event) {
        let Some(client) = self.clients.at(slot) else { return };
        if let Stage::Behind { .. } = client.stage
            && event.is_writable()
        {
            self.send_rest(slot);
        } else if event.is_readable() {
            self.receive(slot);
        }
    }

    fn receive(&mut self, slot: u32) {
        let Some(client) = self.clients.at(slot) else { return };
        let count = match client.stream.read(&mut self.buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        match client.receive(&self.buffer[..count], self.is_connect_only) {
            Answer::Nothing => {}
            Answer::Ends => self.remove(slot),
            Answer::Joins { format, items } => {
                // What is ready-made goes to all alike.
                let items = if self.ready_made.is_some() { Vec::new() } else { items };
                let cohort = self.audience.cohort(format, items);
                self.join(slot, cohort);
            }
        }
    }

    fn join(&mut self, slot: u32, cohort: u32) {
        let Some(client) = self.clients.at(slot) else { return };
        let fd = client.stream.as_raw_fd();
        let place = self.audience.join(cohort, Member { fd, slot });
        client.stage = Stage::Member { cohort, place };
    }

    /// Takes a member out of its cohort, which it names.
    fn leave(&mut self, slot: u32) -> Option<u32> {
        let Stage::Member { cohort, place } = self.clients.at(slot)?.stage else { return None };
        if let Some(moved) = self.audience.leave(cohort, place)
            && let Some(client) = self.clients.at(moved)
        {
            client.stage = Stage::Member { cohort, place };
        }
        Some(cohort)
    }

    fn remove(&mut self, slot: u32) {
        self.leave(slot);
        self.clients.remove(slot);
    }

    fn read_feed(&mut self) -> io::Result<()> {
        for _ in 0..READS_MAX {
            match rustix::io::read(io::stdin().as_fd(), &mut self.buffer[..]) {
                Ok(0) => {
                    self.feed_ended = true;
                    return Ok(());
                }
                Ok(count) if self.ready_made.is_none() && !self.is_connect_only => {
                    self.market.take(&self.buffer[..count]);
                }
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    self.feed_waits = false;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.flushed_at = Instant::now();
        let mut dirty = std::mem::take(&mut self.dirty);
        self.audience.mark(&self.market, &mut dirty);
        for cohort in dirty.drain(..) {
            let cohort = &mut self.audience.cohorts[cohort as usize];
            let start = self.outbox.bytes.len();
            cohort.encode(&mut self.market, &mut self.outbox.bytes);
            self.outbox.send(start, &cohort.members);
        }
        self.dirty = dirty;
        self.outbox.finish();
        self.market.settle();
        self.settle_short();
    }

    fn send_ready_made(&mut self) {
        let (Some(ready), [cohort, ..]) = (&mut self.ready_made, &self.audience.cohorts[..]) else {
            return;
        };
        let members = &cohort.members[..];
        let (first, second) = ready.due(members.len());
        if first.len() + second.len() > 0 {
            let start = self.outbox.bytes.len();
            self.outbox.bytes.extend_from_slice(ready.frame());
            self.outbox.send_same(start, &members[first]);
            self.outbox.send_same(start, &members[second]);
            self.outbox.finish();
            self.settle_short();
        }
    }

    /// Those whose socket took less hold the rest of their flush, and get none until it is sent.
    fn settle_short(&mut self) {
        for short in std::mem::take(&mut self.outbox.short) {
            let Some(rest) = short.rest else {
                self.remove(short.slot);
                continue;
            };
            let Some(cohort) = self.leave(short.slot) else { continue };
            let Some(client) = self.clients.at(short.slot) else { continue };
            client.stage = Stage::Behind { cohort, rest };
            let token = Token(FIRST_CLIENT + short.slot as usize);
            let both = Interest::READABLE | Interest::WRITABLE;
            let Client { stream, .. } = client;
            self.poll.registry().reregister(stream, token, both).expect("it is registered");
        }
    }

    fn send_rest(&mut self, slot: u32) {
        let Some(client) = self.clients.at(slot) else { return };
        match client.send_rest() {
            Ok(Some(cohort)) => self.join(slot, cohort),
            Ok(None) => {}
            Err(_) => self.remove(slot),
        }
    }
}
