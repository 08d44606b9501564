//! One connection of `subscribe`, from the dial to its end.

use super::mute::Mute;
use super::view::View;
use crate::feed::{Connection, DialError, Dialer, RetryHint};
use crate::wire::client::{Event, Positions, Received, StreamError, Wish, parse_message};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// A read sleeps no longer than this, so that tables are redrawn and deadlines seen.
pub const READ_SLEEP: Duration = Duration::from_millis(100);

/// A server that says nothing this long is asked whether it is there, and given up after twice
/// the time: TCP alone notices a vanished peer after minutes, and a quiet one never.
const SILENCE_BEFORE_PING: Duration = Duration::from_secs(15);
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What stays the same over all connections.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Taken in turn; at least one.
    pub dialers: Vec<Dialer>,
    pub wish: Wish,
    pub deadline: Option<Instant>,
}

/// What outlives a connection.
pub struct Session {
    pub positions: Positions,
    pub view: View,
    /// Events still to be printed; `None`: no end.
    pub events_left: Option<u64>,
    dials: usize,
    /// Whether any connection was ever opened.
    pub was_open: bool,
    /// Whether data came on the present connection.
    pub has_flowed: bool,
    mute: Mute,
    /// Of a `shutdown` event on the present connection.
    shutdown_hint: Option<RetryHint>,
}

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// `--count` or `--seconds` is reached.
    Done,
    /// Nobody reads stdout any more.
    OutputGone,
    /// Dialling again would change nothing; the text says why and what would.
    Final(String),
    /// To be dialled again, after the hint where there is one.
    Lost { why: String, hint: Option<RetryHint> },
}

impl Session {
    /// `symbols` are those that are asked for.
    pub fn new(view: View, events_left: Option<u64>, symbols: &[String]) -> Session {
        Session {
            positions: Positions::default(),
            view,
            events_left,
            dials: 0,
            was_open: false,
            has_flowed: false,
            mute: Mute::new(symbols),
            shutdown_hint: None,
        }
    }

    /// Dials, subscribes, prints until something ends it.
    pub fn connect(&mut self, plan: &Plan) -> Ending {
        self.has_flowed = false;
        self.shutdown_hint = None;
        let dialer = &plan.dialers[self.dials % plan.dialers.len()];
        self.dials += 1;
        match dialer.dial() {
            Err(error) => not_open(&error),
            Ok(stream) => {
                self.was_open = true;
                match self.follow(stream, plan) {
                    Ok(never) => match never {},
                    Err(ending) => ending,
                }
            }
        }
    }

    fn follow(
        &mut self,
        mut stream: Connection,
        plan: &Plan,
    ) -> Result<std::convert::Infallible, Ending> {
        let mut heard = Instant::now();
        let mut is_pinged = false;
        loop {
            if plan.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(leave(stream, Ending::Done));
            }
            match stream.read().map_err(|error| self.lost(error.to_string()))? {
                Received::Nothing => {}
                Received::Other => (heard, is_pinged) = (Instant::now(), false),
                Received::Closed { code, reason } => return Err(self.closed(code, &reason)),
                Received::Text(text) => {
                    (heard, is_pinged) = (Instant::now(), false);
                    if let Err(ending) = self.message(&text, &mut stream, plan) {
                        return Err(leave(stream, ending));
                    }
                }
            }
            if let Some(notice) = self.mute.notice(Instant::now()) {
                self.view.note(&notice);
            }
            self.view.flush().map_err(|error| output_failed(&error))?;
            if heard.elapsed() >= SILENCE_MAX {
                return Err(self.lost(format!("nothing came for {} s", SILENCE_MAX.as_secs())));
            }
            if heard.elapsed() >= SILENCE_BEFORE_PING && !is_pinged {
                is_pinged = true;
                self.send(&mut stream, r#"{"action":"ping"}"#)?;
            }
        }
    }

    fn send(&self, stream: &mut Connection, text: &str) -> Result<(), Ending> {
        stream.send(text).map_err(|error: StreamError| self.lost(error.to_string()))
    }

    fn message(&mut self, text: &str, stream: &mut Connection, plan: &Plan) -> Result<(), Ending> {
        let events = parse_message(text).map_err(|error| {
            Ending::Final(format!(
                "the server sent what is not an array of events ({error}); is the URL right?"
            ))
        })?;
        for (raw, event) in &events {
            let is_news = self.positions.note(event);
            self.has_flowed |= event.is_data();
            if !is_news {
                continue; // this server is behind the one before it
            }
            self.mute.note(event);
            match &*event.kind {
                "success" if event.msg.as_deref() == Some("connected") => {
                    self.subscribe(event, stream, plan)?;
                }
                "subscription" => {
                    self.mute.subscribed(Instant::now());
                    let dialer = &plan.dialers[(self.dials - 1) % plan.dialers.len()];
                    self.view.note(&format!("subscribed to {}", dialer.endpoint()));
                }
                "success" | "pong" => {}
                _ => self.show(raw, event)?,
            }
        }
        Ok(())
    }

    /// What was noted belongs to the old epoch and is sent with it; a server with another one
    /// then says what is lost, and from now on its own counts.
    fn subscribe(
        &mut self,
        greeting: &Event,
        stream: &mut Connection,
        plan: &Plan,
    ) -> Result<(), Ending> {
        let command = self.positions.command(&plan.wish, greeting.since_max());
        let epoch = greeting.epoch.as_deref();
        if self.positions.epoch() != epoch {
            if self.positions.epoch().is_some() {
                self.view.note("the server counts anew; what came in between is unknown");
            }
            self.positions.restart(epoch);
        }
        self.send(stream, &command)
    }

    fn show(&mut self, raw: &str, event: &Event) -> Result<(), Ending> {
        self.view.event(raw, event).map_err(|error| output_failed(&error))?;
        if event.kind == "shutdown" {
            self.shutdown_hint = event.retry_ms.map(RetryHint::spread);
        }
        if let Some(left) = &mut self.events_left {
            *left -= 1;
            if *left == 0 {
                return Err(Ending::Done);
            }
        }
        if event.kind == "error" && !self.has_flowed {
            let (code, text) = (event.code.unwrap_or(0), event.msg.as_deref().unwrap_or(""));
            let why = format!("the server refused the subscription: error {code}, {text}");
            return Err(Ending::Final(why));
        }
        Ok(())
    }

    fn lost(&self, why: String) -> Ending {
        Ending::Lost { why, hint: self.shutdown_hint }
    }

    /// The protocol's table of close codes, from the client's side.
    pub(super) fn closed(&self, code: u16, reason: &str) -> Ending {
        let why = match reason {
            "" => format!("the server closed with code {code}"),
            reason => format!("the server closed with code {code}: {reason}"),
        };
        let hint = RetryHint::from_reason(reason);
        match code {
            1000 => Ending::Final(format!("{why}; it regards the stream as ended")),
            1002 | 1003 | 1007 | 1009 => {
                Ending::Final(format!("{why}; it did not understand this client"))
            }
            1008 => Ending::Final(format!("{why}; its policy forbids this, so ask its operator")),
            _ => Ending::Lost { why, hint: hint.or(self.shutdown_hint) },
        }
    }
}

/// A goodbye is a courtesy: whether it arrives changes nothing.
fn leave(mut stream: Connection, ending: Ending) -> Ending {
    let _ = stream.close();
    ending
}

fn output_failed(error: &io::Error) -> Ending {
    match error.kind() {
        ErrorKind::BrokenPipe => Ending::OutputGone,
        _ => Ending::Final(format!("cannot write to stdout: {error}")),
    }
}

fn not_open(error: &DialError) -> Ending {
    let why = error.to_string();
    if error.is_final() { Ending::Final(why) } else { Ending::Lost { why, hint: error.hint() } }
}
