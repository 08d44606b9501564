//! What is said on one connection: greeting, authentication, subscription, items. No socket, no
//! clock: texts in; commands and feed lines out.

use super::backoff::RetryHint;
use super::credentials::Credentials;
use crate::market::{Channel, ChannelSet};
use crate::wire::client::{Event, Positions, Wish, printable};
use serde_json::json;
use serde_json::value::RawValue;

/// For what only an operator can change: it is tried again, in case one did.
const REFUSED: RetryHint = RetryHint { retry_ms: 60_000, jitter_ms: 60_000 };

/// For another connection of the same account, which may be ours from before.
const CROWDED: RetryHint = RetryHint { retry_ms: 20_000, jitter_ms: 20_000 };

/// What outlives a connection.
#[derive(Debug)]
pub struct Upstream {
    symbols: Vec<String>,
    /// Of all upstreams; `None`: what is usual for its kind.
    channels: Option<ChannelSet>,
    /// Asked of another Tapecast, in ms.
    heartbeat_ms: u64,
    positions: Positions,
    /// It may ask for a panic: for staging and tests.
    pub takes_faults: bool,
}

/// One connection, from its greeting on.
#[derive(Debug)]
pub struct Conversation<'a> {
    upstream: &'a mut Upstream,
    credentials: Option<Credentials>,
    stage: Stage,
    /// Of a `shutdown` event.
    shutdown_hint: Option<RetryHint>,
    /// Whether items came.
    pub has_flowed: bool,
    /// Items that were no events.
    pub bad_items_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The server has not said hello.
    Greeting,
    /// It was told key and secret.
    Authenticating(Greeting),
    /// It was asked for what is wanted.
    Subscribing,
    /// It said what it will give.
    Flowing,
}

/// What a greeting says of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Greeting {
    /// Of another Tapecast; others number nothing.
    epoch: Option<String>,
    since_max: Option<usize>,
}

/// What a message came to, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To be sent to the server. May hold a secret.
    Command(String),
    /// From here on numbers count in this epoch.
    Epoch(String),
    /// Feed lines.
    Lines(Vec<u8>),
    /// For the log.
    Note(String),
}

/// Why a connection is to be ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    pub why: String,
    /// When to dial again; without it, after the usual backoff.
    pub hint: Option<RetryHint>,
    /// Only an operator can change it.
    pub is_refusal: bool,
}

impl Ending {
    pub fn lost(why: String, hint: Option<RetryHint>) -> Ending {
        Ending { why, hint, is_refusal: false }
    }

    pub fn refused(why: String) -> Ending {
        Ending { why, hint: Some(REFUSED), is_refusal: true }
    }
}

impl Upstream {
    pub fn new(symbols: Vec<String>, channels: Option<ChannelSet>, heartbeat_ms: u64) -> Upstream {
        let (positions, takes_faults) = (Positions::default(), false);
        Upstream { symbols, channels, heartbeat_ms, positions, takes_faults }
    }

    /// Another Tapecast numbers, takes `since` and can be asked for heartbeats; others may refuse
    /// what they do not know.
    fn wish(&self, is_tapecast: bool) -> Wish {
        let usual = if is_tapecast { ChannelSet::ALL } else { TRADES_AND_QUOTES };
        Wish {
            symbols: self.symbols.clone(),
            channels: self.channels.unwrap_or(usual),
            max_hz: None,
            heartbeat_ms: is_tapecast.then_some(self.heartbeat_ms),
            ns_times: is_tapecast,
            misses_first_trades: true,
        }
    }
}

const TRADES_AND_QUOTES: ChannelSet =
    ChannelSet::of(Channel::Trades).with(ChannelSet::of(Channel::Quotes));

impl<'a> Conversation<'a> {
    pub fn new(upstream: &'a mut Upstream, credentials: Option<Credentials>) -> Conversation<'a> {
        Conversation {
            upstream,
            credentials,
            stage: Stage::Greeting,
            shutdown_hint: None,
            has_flowed: false,
            bad_items_count: 0,
        }
    }

    /// One text message. Errors: the connection is of no use any more.
    pub fn take(&mut self, text: &str) -> Result<Vec<Outcome>, Ending> {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
            let why =
                format!("it sent what is not an array of events ({error}); is the URL right?");
            Ending::refused(why)
        })?;
        let (mut outcomes, mut lines) = (Vec::new(), Vec::new());
        for item in items {
            let Ok(event) = serde_json::from_str::<Event>(item.get()) else {
                self.bad_items_count += 1;
                continue;
            };
            if self.line(item.get(), &event, &mut lines) {
                continue;
            }
            if !lines.is_empty() {
                // Whatever changes the epoch stands behind the lines of the old one.
                outcomes.push(Outcome::Lines(std::mem::take(&mut lines)));
            }
            self.remark(&event, &mut outcomes)?;
        }
        if !lines.is_empty() {
            outcomes.push(Outcome::Lines(lines));
        }
        Ok(outcomes)
    }

    /// A close of the server's: the protocol's table of codes, from the client's side.
    pub fn closed(&self, code: u16, reason: &str) -> Ending {
        let why = match reason {
            "" => format!("it closed with code {code}"),
            reason => format!("it closed with code {code}: {}", printable(reason)),
        };
        match code {
            1002 | 1003 | 1007 | 1008 | 1009 => Ending::refused(why),
            _ => Ending::lost(why, RetryHint::from_reason(reason).or(self.shutdown_hint)),
        }
    }

    pub fn shutdown_hint(&self) -> Option<RetryHint> {
        self.shutdown_hint
    }

    /// Whether the item is of the market, and so becomes a feed line or is nothing.
    fn line(&mut self, item: &str, event: &Event, lines: &mut Vec<u8>) -> bool {
        match &*event.kind {
            "t" | "q" | "b" => {
                self.has_flowed = true;
                // JSON has line ends between members only, where a blank means the same.
                lines.extend(item.bytes().map(|b| if b == b'\n' || b == b'\r' { b' ' } else { b }));
                lines.push(b'\n');
            }
            "gap" => self.gap(event, lines),
            _ => return false,
        }
        self.upstream.positions.note(event);
        true
    }

    /// Without `from`, all after the last that we got is meant; without `to` there is nothing.
    fn gap(&self, event: &Event, lines: &mut Vec<u8>) {
        let Some(to) = event.to else { return };
        if event.ch.as_deref() != Some(Channel::Trades.name()) {
            return;
        }
        let last = self.upstream.positions.last(event.symbol(), Channel::Trades).unwrap_or(0);
        // Behind the highest number there is no other.
        let Some(from) = event.from.or_else(|| last.checked_add(1)) else { return };
        if from <= to {
            let symbol = event.symbol();
            let line = json!({"T": "gap", "S": symbol, "ch": "trades", "from": from, "to": to});
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
    }

    /// All that is not of the market.
    fn remark(&mut self, event: &Event, outcomes: &mut Vec<Outcome>) -> Result<(), Ending> {
        match (&*event.kind, event.msg.as_deref()) {
            ("success", Some("connected")) if self.stage == Stage::Greeting => {
                self.greeted(event, outcomes)?;
            }
            ("success", Some("authenticated")) => {
                if let Stage::Authenticating(greeting) = &self.stage {
                    self.subscribe(greeting.clone(), outcomes);
                }
            }
            ("subscription", _) => self.stage = Stage::Flowing,
            ("epoch", _) => {
                if let Some(epoch) = event.epoch.as_deref() {
                    self.upstream.positions.restart(Some(epoch));
                    outcomes.push(Outcome::Epoch(epoch.to_string()));
                }
            }
            ("feed", _) => {
                let state = event.state.as_deref().unwrap_or("in no state that it names");
                let note = format!("its feed is {}", printable(state));
                outcomes.push(Outcome::Note(note));
            }
            ("fault", _) if self.upstream.takes_faults => {
                panic!("a fault was asked for by the upstream")
            }
            ("shutdown", _) => self.shutdown_hint = event.retry_ms.map(RetryHint::spread),
            ("error", text) => self.error(event.code.unwrap_or(0), text.unwrap_or(""), outcomes)?,
            _ => {}
        }
        Ok(())
    }

    fn greeted(&mut self, event: &Event, outcomes: &mut Vec<Outcome>) -> Result<(), Ending> {
        let epoch = event.epoch.as_deref().map(str::to_string);
        let greeting = Greeting { epoch, since_max: event.since_max() };
        if greeting.epoch.is_none() && self.upstream.positions.epoch().is_some() {
            let why = "it numbers its events no more; is it another server? restart this one";
            return Err(Ending::refused(why.to_string()));
        }
        match self.credentials.take() {
            Some(Credentials { key, secret }) => {
                let command = json!({"action": "auth", "key": key, "secret": secret});
                outcomes.push(Outcome::Command(command.to_string()));
                self.stage = Stage::Authenticating(greeting);
            }
            None => self.subscribe(greeting, outcomes),
        }
        Ok(())
    }

    /// What was noted belongs to the old epoch and is sent with it; a server with another one then
    /// says what is lost, and from now on its own counts.
    fn subscribe(&mut self, greeting: Greeting, outcomes: &mut Vec<Outcome>) {
        let Greeting { epoch, since_max } = greeting;
        let wish = self.upstream.wish(epoch.is_some());
        let positions = &mut self.upstream.positions;
        outcomes.extend(positions.commands(&wish, since_max).into_iter().map(Outcome::Command));
        if positions.epoch() != epoch.as_deref() {
            positions.restart(epoch.as_deref());
            outcomes.extend(epoch.map(Outcome::Epoch));
        }
        self.stage = Stage::Subscribing;
    }

    /// Before the subscription stands, an error is its refusal; codes as in Alpaca's documentation
    /// ("Streaming market data", section "errors").
    fn error(&self, code: u64, text: &str, outcomes: &mut Vec<Outcome>) -> Result<(), Ending> {
        let text = printable(text);
        let cure = match code {
            401 => "; give key= and secret_file=",
            402 => "; are key= and secret_file= right?",
            406 => "; is another client of this account connected?",
            409 => "; choose another URL, or symbols and channels of your subscription",
            405 => "; ask for fewer symbols=",
            _ => "",
        };
        let why = format!("it refuses with error {code}, {text}{cure}");
        match code {
            406 => Err(Ending { why, hint: Some(CROWDED), is_refusal: true }),
            404 | 500 => Err(Ending::lost(why, None)),
            _ if self.stage == Stage::Flowing => {
                outcomes.push(Outcome::Note(format!("it reports error {code}, {text}")));
                Ok(())
            }
            _ => Err(Ending::refused(why)),
        }
    }
}

#[cfg(test)]
mod tests;
