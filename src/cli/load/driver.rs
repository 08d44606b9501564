//! The run: opens connections in windows, counts for a while, closes. One thread, one epoll.

use super::LoadError;
use super::ask::Ask;
use super::census::{Census, OpenCounts};
use super::check::Ledger;
use super::churn::{Churn, Deed};
use super::connection::{Class, Connection, Ending, Step};
use super::cpu::CpuSeconds;
use super::cue::Cue;
use super::dial::begin_connect;
use super::last_reader::LastReader;
use super::sink::Sink;
use super::slow::SlowReaders;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::net::SocketAddr;
use std::thread;
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

/// The same while there are slow readers or a churn.
const PACED_SLEEP_MAX: Duration = Duration::from_millis(1);

/// The same while a line on stdin is waited for, which nothing wakes us for.
const CUE_SLEEP_MAX: Duration = Duration::from_millis(1);

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
    /// Share of those that read a little at a time; both together are at most 1.
    pub slow_share: f64,
    /// Further connections that come and go, a second, while it is counted.
    pub churn_hz: Option<f64>,
    /// Counting begins when whoever started the run says so.
    pub is_cued: bool,
    /// Between two looks at the sockets.
    pub rest: Duration,
}

impl Plan {
    /// Of the connection that opened after so many others: spread evenly over all.
    fn class(&self, opened_before: usize) -> Class {
        let share = self.stall_share + self.slow_share;
        let before = (opened_before as f64 * share).floor();
        if ((opened_before + 1) as f64 * share).floor() == before {
            return Class::Reading;
        }
        let stalled = self.stall_share / share;
        let is_stalled = (before * stalled).floor() < ((before + 1.0) * stalled).floor();
        if is_stalled { Class::Stalled } else { Class::Slow }
    }
}

pub struct Driver {
    plan: Plan,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    sink: Sink,
    census: Census,
    began: Instant,
    open: OpenCounts,
    /// Connections whose handshake is under way, by number.
    opening: Vec<usize>,
    /// Those that used up their turn, with whether their end is in the queue.
    unfinished: Vec<(usize, bool)>,
    slow: SlowReaders,
    churn: Option<Churn>,
    /// More sockets were ready than one look tells of: there is no time to rest.
    is_behind: bool,
}

impl Driver {
    pub fn new(plan: Plan, ledger: Ledger) -> io::Result<Driver> {
        let last_reader = LastReader::new(ledger.symbol_count(), plan.ask.draw.is_some());
        Ok(Driver {
            poll: Poll::new()?,
            connections: Vec::with_capacity(plan.connection_count),
            sink: Sink::new(plan.ask.form, last_reader, ledger),
            plan,
            census: Census::new(),
            began: Instant::now(),
            open: OpenCounts::default(),
            opening: Vec::new(),
            unfinished: Vec::new(),
            slow: SlowReaders::new(),
            churn: None,
            is_behind: false,
        })
    }

    /// Opens, counts, closes.
    pub fn run(mut self) -> Result<(Census, Sink), LoadError> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.open_all(&mut events)?;
        if self.plan.is_cued {
            self.wait_for_cue(&mut events)?;
        }
        if self.open.total() > 0 {
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
                self.dial(None)?;
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
        self.census.open_at_start = self.open;
        self.churn = self.plan.churn_hz.map(|hz| Churn::new(hz, self.now_ns()));
        let (began, cpu) = (Instant::now(), CpuSeconds::now());
        self.sink.books.is_counting = true;
        while let Some(left) = self.plan.counting_time.checked_sub(began.elapsed()) {
            self.turn(events, left.min(SLEEP_MAX))?;
            self.expire();
        }
        self.sink.books.is_counting = false;
        self.census.counting_time = began.elapsed();
        self.census.counting_cpu = CpuSeconds::now().since(cpu);
        self.census.open_at_end = self.open;
        self.churn = None;
        Ok(())
    }

    /// Says goodbye to all, a window at a time, and waits for the ends.
    fn leave(&mut self, events: &mut Events) -> io::Result<()> {
        for first in (0..self.connections.len()).step_by(self.plan.window) {
            let last = self.connections.len().min(first + self.plan.window);
            for number in first..last {
                let Some(connection) = &mut self.connections[number] else { continue };
                if !connection.leave(&mut self.sink) {
                    self.drop_silently(number);
                }
            }
            self.turn(events, Duration::ZERO)?;
        }
        let began = Instant::now();
        while self.open.total() > 0 && began.elapsed() < LEAVING_TIME_MAX {
            self.turn(events, SLEEP_MAX)?;
        }
        Ok(())
    }

    /// One that the server has not ended, and need not.
    fn drop_silently(&mut self, number: usize) {
        let class = self.connections[number].take().map(|connection| connection.class);
        if let Some(count) = class.and_then(|class| self.open.of(class)) {
            *count -= 1;
        }
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// In the place of one that has ended, or in a new one.
    fn dial(&mut self, free: Option<usize>) -> io::Result<usize> {
        let number = free.unwrap_or(self.connections.len());
        if free.is_none() {
            self.connections.push(None);
        }
        let now_ns = self.now_ns();
        let request = self.plan.ask.request(number, &self.sink.books.ledger.symbols);
        let stream = match begin_connect(&self.plan) {
            Ok(stream) => stream,
            Err(error) => {
                self.census.end(self.dialled_class(), Ending::Failed(format!("connect: {error}")));
                return Ok(number);
            }
        };
        let mut connection = Connection::new(number, stream, request, now_ns);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.source(), Token(number), interest)?;
        connection.class = self.dialled_class();
        self.connections[number] = Some(connection);
        self.opening.push(number);
        Ok(number)
    }

    /// All that are dialled within the counting window are of the churn.
    fn dialled_class(&self) -> Class {
        if self.churn.is_some() { Class::Passing } else { Class::Reading }
    }

    /// Waits for sockets, at most `sleep_max`, and gives each that is ready its turn.
    fn turn(&mut self, events: &mut Events, sleep_max: Duration) -> io::Result<()> {
        if !self.plan.rest.is_zero() && !self.is_behind {
            thread::sleep(self.plan.rest);
        }
        let sleep = match (self.unfinished.is_empty(), self.slow.is_empty(), &self.churn) {
            (false, ..) => Duration::ZERO,
            (_, true, None) => sleep_max,
            _ => sleep_max.min(PACED_SLEEP_MAX),
        };
        match self.poll.poll(events, Some(sleep)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        self.sink.books.now_ns = self.now_ns();
        for (number, is_ended) in std::mem::take(&mut self.unfinished) {
            self.read(number, is_ended);
        }
        self.is_behind = events.iter().count() == EVENTS_MAX;
        for event in events.iter() {
            self.ready(event);
        }
        for number in self.slow.take_due(self.now_ns()) {
            self.sip(number);
        }
        self.churn_on()
    }

    fn churn_on(&mut self) -> io::Result<()> {
        let Some(churn) = &mut self.churn else { return Ok(()) };
        let mut deeds = Vec::new();
        churn.deeds(self.began.elapsed().as_nanos() as u64, &mut deeds);
        for deed in deeds {
            match deed {
                Deed::Dial(free) => {
                    let number = self.dial(free)?;
                    if self.connections[number].is_none()
                        && let Some(churn) = &mut self.churn
                    {
                        churn.ended(number);
                    }
                }
                Deed::Skip => self.census.churn.skipped_count += 1,
                Deed::Leave { number, dialled_ns } => {
                    if let Some(connection) = &mut self.connections[number]
                        && connection.dialled_ns == dialled_ns
                        && !connection.leave(&mut self.sink)
                    {
                        self.end(number, Ending::Closed(1006));
                    }
                }
                Deed::Drop { number, dialled_ns } => {
                    let connection = self.connections[number].as_ref();
                    if connection.is_some_and(|c| c.dialled_ns == dialled_ns) {
                        self.end(number, Ending::Failed("no end after a Close".to_string()));
                    }
                }
            }
        }
        Ok(())
    }

    fn ready(&mut self, event: &Event) {
        let number = event.token().0;
        let Some(connection) = &mut self.connections[number] else { return };
        let is_ended = event.is_read_closed() || event.is_error();
        if !connection.reads_when_ready() {
            if is_ended && connection.class == Class::Stalled {
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
        if !connection.reads_when_ready() {
            return;
        }
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

    fn sip(&mut self, number: usize) {
        let Some(connection) = &mut self.connections[number] else { return };
        if let Step::Ended(ending) = connection.sip(&mut self.sink) {
            self.end(number, ending);
        }
    }

    fn opened(&mut self, number: usize) {
        self.opening.retain(|n| *n != number);
        let now_ns = self.now_ns();
        let connection = self.connections[number].as_mut().expect("it has just opened");
        let took_us = ((now_ns - connection.dialled_ns) / 1000).max(1);
        if connection.class == Class::Passing {
            self.census.churn.connect_latency.saturating_record(took_us);
            if let Some(churn) = &mut self.churn {
                churn.opened(number, connection.dialled_ns, now_ns);
            }
            return;
        }
        self.census.connect_latency.saturating_record(took_us);
        let class = self.plan.class(self.census.opened_count);
        self.census.opened_count += 1;
        connection.settle(class);
        *self.open.of(class).expect("only those of the churn are not counted") += 1;
        match class {
            Class::Reading => self.sink.books.last_reader.count(connection.own(), true),
            Class::Slow => self.slow.add(number, now_ns),
            Class::Stalled | Class::Passing => {}
        }
    }

    fn end(&mut self, number: usize, ending: Ending) {
        let ended = self.connections[number].take().expect("a connection ends once");
        if ended.is_opening() {
            self.opening.retain(|n| *n != number);
        } else if let Some(count) = self.open.of(ended.class) {
            *count -= 1;
            if ended.class == Class::Reading {
                self.sink.books.last_reader.count(ended.own(), false);
            }
        }
        if let (Class::Passing, Some(churn)) = (ended.class, &mut self.churn) {
            churn.ended(number);
        }
        self.census.end(ended.class, ending);
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
