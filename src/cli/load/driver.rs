//! The run: opens connections in windows, counts for a while, closes. One thread, one epoll.

use super::LoadError;
use super::ask::Ask;
use super::check::Ledger;
use super::connection::{Connection, Ending, Sink, Step};
use super::cpu::CpuSeconds;
use super::cue::Cue;
use super::tally::new_histogram;
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Events that one turn takes from the kernel.
const EVENTS_MAX: usize = 1024;

/// From the first SYN to the answer of the upgrade. A SYN that found the server's backlog full is
/// sent again after 1, 3 and 7 s, so a loaded server has three chances.
const OPENING_TIME_MAX: Duration = Duration::from_secs(10);

/// How long the server may take to end connections that we closed.
const LEAVING_TIME_MAX: Duration = Duration::from_secs(3);

/// Longest sleep, so that deadlines are seen.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// The same while a line on stdin is waited for, which nothing wakes us for.
const CUE_SLEEP_MAX: Duration = Duration::from_millis(1);

/// Distinct texts of failures that are told apart.
const FAILURE_TEXTS_MAX: usize = 32;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    pub ask: Ask,
    pub address: SocketAddr,
    pub connection_count: usize,
    /// Handshakes in flight.
    pub window: usize,
    pub counting_time: Duration,
    pub receive_buffer_bytes: Option<usize>,
    /// Share of the connections that are never read after they opened, 0 to 1.
    pub stall_share: f64,
    /// Counting begins when whoever started the run says so.
    pub is_cued: bool,
}

/// What happened to connections over the run.
#[derive(Debug)]
pub struct Census {
    pub opened_count: usize,
    pub stalled_count: usize,
    /// Open when the counting window began, and when it ended.
    pub open_at_start: usize,
    pub open_at_end: usize,
    pub refused: BTreeMap<u16, u64>,
    pub closed: BTreeMap<u16, u64>,
    pub failed: BTreeMap<String, u64>,
    /// µs from the dial to the upgrade's answer.
    pub connect_latency: Histogram<u64>,
    pub opening_time: Duration,
    pub counting_time: Duration,
    pub counting_cpu: CpuSeconds,
}

pub struct Driver {
    plan: Plan,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    sink: Sink,
    census: Census,
    began: Instant,
    open_count: usize,
    /// Connections whose handshake is under way, by number.
    opening: Vec<usize>,
    /// Those that used up their turn, with whether their end is in the queue.
    unfinished: Vec<(usize, bool)>,
}

impl Driver {
    pub fn new(plan: Plan, ledger: Ledger) -> io::Result<Driver> {
        let census = Census {
            opened_count: 0,
            stalled_count: 0,
            open_at_start: 0,
            open_at_end: 0,
            refused: BTreeMap::new(),
            closed: BTreeMap::new(),
            failed: BTreeMap::new(),
            connect_latency: new_histogram(),
            opening_time: Duration::ZERO,
            counting_time: Duration::ZERO,
            counting_cpu: CpuSeconds::default(),
        };
        Ok(Driver {
            poll: Poll::new()?,
            connections: Vec::with_capacity(plan.connection_count),
            sink: Sink::new(plan.ask.form(), ledger),
            plan,
            census,
            began: Instant::now(),
            open_count: 0,
            opening: Vec::new(),
            unfinished: Vec::new(),
        })
    }

    /// Opens, counts, closes.
    pub fn run(mut self) -> Result<(Census, Sink), LoadError> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.open_all(&mut events)?;
        if self.plan.is_cued {
            self.wait_for_cue(&mut events)?;
        }
        self.census.open_at_start = self.open_count;
        if self.open_count > 0 {
            self.count(&mut events)?;
            self.leave(&mut events)?;
        }
        Ok((self.census, self.sink))
    }

    fn open_all(&mut self, events: &mut Events) -> io::Result<()> {
        while self.connections.len() < self.plan.connection_count || !self.opening.is_empty() {
            if self.is_hopeless() {
                self.plan.connection_count = self.connections.len();
            }
            while self.opening.len() < self.plan.window
                && self.connections.len() < self.plan.connection_count
            {
                self.dial()?;
            }
            self.turn(events, SLEEP_MAX)?;
            self.expire();
        }
        self.census.opening_time = self.began.elapsed();
        Ok(())
    }

    fn wait_for_cue(&mut self, events: &mut Events) -> Result<(), LoadError> {
        let cue = Cue::announce()?;
        while !cue.has_come().ok_or(LoadError::NoLine)? {
            self.turn(events, CUE_SLEEP_MAX)?;
        }
        Ok(())
    }

    /// A whole window and more was tried and nothing opened: the rest would only take time.
    fn is_hopeless(&self) -> bool {
        let tried = self.connections.len() - self.opening.len();
        self.census.opened_count == 0 && tried >= self.plan.window
    }

    fn count(&mut self, events: &mut Events) -> io::Result<()> {
        let (began, cpu) = (Instant::now(), CpuSeconds::now());
        self.sink.is_counting = true;
        while let Some(left) = self.plan.counting_time.checked_sub(began.elapsed()) {
            self.turn(events, left.min(SLEEP_MAX))?;
        }
        self.sink.is_counting = false;
        self.census.counting_time = began.elapsed();
        self.census.counting_cpu = CpuSeconds::now().since(cpu);
        self.census.open_at_end = self.open_count;
        Ok(())
    }

    /// Says goodbye to all, a window at a time, and waits for the ends.
    fn leave(&mut self, events: &mut Events) -> io::Result<()> {
        for first in (0..self.connections.len()).step_by(self.plan.window) {
            let last = self.connections.len().min(first + self.plan.window);
            for number in first..last {
                let Some(connection) = &mut self.connections[number] else { continue };
                if !connection.leave(&mut self.sink) {
                    self.connections[number] = None;
                    self.open_count -= 1;
                }
            }
            self.turn(events, Duration::ZERO)?;
        }
        let began = Instant::now();
        while self.open_count > 0 && began.elapsed() < LEAVING_TIME_MAX {
            self.turn(events, SLEEP_MAX)?;
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn dial(&mut self) -> io::Result<()> {
        let number = self.connections.len();
        let now_ns = self.now_ns();
        let own = self.plan.ask.own_symbols(number);
        let upgrade = self.plan.ask.upgrade(own.as_ref(), &self.sink.ledger.symbols);
        let stream = match begin_connect(&self.plan) {
            Ok(stream) => stream,
            Err(error) => {
                self.connections.push(None);
                self.census.end(Ending::Failed(format!("connect: {error}")));
                return Ok(());
            }
        };
        let mut connection = Connection::new(number, stream, upgrade, own, now_ns);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.source(), Token(number), interest)?;
        self.connections.push(Some(connection));
        self.opening.push(number);
        Ok(())
    }

    /// Waits for sockets, at most `sleep_max`, and gives each that is ready its turn.
    fn turn(&mut self, events: &mut Events, sleep_max: Duration) -> io::Result<()> {
        let sleep = if self.unfinished.is_empty() { sleep_max } else { Duration::ZERO };
        match self.poll.poll(events, Some(sleep)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        self.sink.now_ns = self.now_ns();
        for (number, is_ended) in std::mem::take(&mut self.unfinished) {
            self.read(number, is_ended);
        }
        for event in events.iter() {
            self.ready(event);
        }
        Ok(())
    }

    fn ready(&mut self, event: &Event) {
        let number = event.token().0;
        let Some(connection) = &mut self.connections[number] else { return };
        let is_ended = event.is_read_closed() || event.is_error();
        if connection.is_stalled() {
            if is_ended {
                self.end(number, Ending::Closed(1006));
            }
            return;
        }
        if event.is_writable()
            && let Step::Ended(ending) = connection.write_ready()
        {
            return self.end(number, ending);
        }
        if event.is_readable() || is_ended {
            self.read(number, is_ended);
        }
    }

    fn read(&mut self, number: usize, is_ended: bool) {
        let Some(connection) = &mut self.connections[number] else { return };
        let was_opening = connection.is_opening();
        let step = connection.read_ready(is_ended, &mut self.sink);
        if was_opening && !connection.is_opening() {
            self.opened(number);
        }
        match step {
            Step::Waits => {}
            Step::More => self.unfinished.push((number, is_ended)),
            Step::Ended(ending) => self.end(number, ending),
        }
    }

    fn opened(&mut self, number: usize) {
        self.opening.retain(|n| *n != number);
        self.open_count += 1;
        let before = self.census.opened_count as f64 * self.plan.stall_share;
        self.census.opened_count += 1;
        let after = self.census.opened_count as f64 * self.plan.stall_share;
        let now_ns = self.now_ns();
        let connection = self.connections[number].as_mut().expect("it has just opened");
        let took_us = (now_ns - connection.dialled_ns) / 1000;
        self.census.connect_latency.saturating_record(took_us.max(1));
        if before.floor() < after.floor() {
            connection.stall();
            self.census.stalled_count += 1;
        }
    }

    fn end(&mut self, number: usize, ending: Ending) {
        let ended = self.connections[number].take().expect("a connection ends once");
        match ended.is_opening() {
            true => self.opening.retain(|n| *n != number),
            false => self.open_count -= 1,
        }
        self.census.end(ending);
    }

    fn expire(&mut self) {
        let now_ns = self.now_ns();
        let limit_ns = OPENING_TIME_MAX.as_nanos() as u64;
        let is_late = |number: &&usize| {
            let connection = self.connections[**number].as_ref();
            connection.is_some_and(|c| now_ns.saturating_sub(c.dialled_ns) > limit_ns)
        };
        let late: Vec<usize> = self.opening.iter().filter(is_late).copied().collect();
        for number in late {
            let why = format!("no answer within {} s", OPENING_TIME_MAX.as_secs());
            self.end(number, Ending::Failed(why));
        }
    }
}

impl Census {
    fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Refused(status) => *self.refused.entry(status).or_default() += 1,
            Ending::Closed(code) => *self.closed.entry(code).or_default() += 1,
            Ending::Left => {}
            Ending::Failed(text) => {
                let is_room = self.failed.len() < FAILURE_TEXTS_MAX;
                let known = is_room || self.failed.contains_key(&text);
                let text = if known { text } else { "other".to_string() };
                *self.failed.entry(text).or_default() += 1;
            }
        }
    }
}

fn begin_connect(plan: &Plan) -> io::Result<TcpStream> {
    let domain = Domain::for_address(plan.address);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = plan.receive_buffer_bytes {
        // Before the connect, since the window is announced in the handshake (tcp(7)).
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&plan.address.into()) {
        Ok(()) => {}
        // EINPROGRESS has no stable kind of its own in std.
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
