//! The feed of a floor: lines become event lines as the server encodes them, by its own public
//! functions.

use tapecast::feed::Numbering;
use tapecast::market::{Channel, Feed, Name, Record, Symbol, SymbolId, Tick, TickBody};
use tapecast::wire::{Event, Format, LineEncoder, Names};

/// What has come since the last flush.
pub struct Market {
    /// The start of a line whose end has not come.
    rest: Vec<u8>,
    numbering: Numbering,
    texts: Texts,
    ticks: Vec<Tick>,
    /// The burst's events, and the burst's lines in each format that was asked for.
    events: Vec<Event>,
    lines: [Lines; Format::COUNT],
}

/// What ticks refer to by number.
#[derive(Default)]
pub struct Texts {
    pub symbols: Vec<Symbol>,
    codes: Vec<Name>,
    conditions: Vec<Name>,
}

struct Lines {
    encoder: LineEncoder,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Market {
    pub fn new() -> Market {
        Market {
            rest: Vec::new(),
            numbering: Numbering::default(),
            texts: Texts::default(),
            ticks: Vec::new(),
            events: Vec::new(),
            lines: Format::ALL.map(|format| Lines {
                encoder: LineEncoder::new(format),
                bytes: Vec::new(),
                ends: Vec::new(),
            }),
        }
    }

    /// Takes the next piece of the feed.
    pub fn take(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in self.rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record = Record::parse(line).expect("the driver writes good lines");
            self.numbering.number(Feed(0), &record, 0, &mut self.ticks).expect("within limits");
            for tick in self.ticks.drain(..) {
                match tick.body() {
                    TickBody::Symbol { name, .. } => self.texts.symbols.push(name),
                    TickBody::Code { name, .. } => self.texts.codes.push(name),
                    TickBody::Conditions { joined, .. } => self.texts.conditions.push(joined),
                    TickBody::Trade(head, trade) => self.events.push(Event::Trade(head, trade)),
                    TickBody::Quote(head, quote) => self.events.push(Event::Quote(head, quote)),
                    other => unreachable!("records are trades and quotes, not {other:?}"),
                }
            }
        }
        self.rest.drain(..end);
    }

    /// All symbols so far, at the place of their number.
    pub fn symbols(&self) -> &[Symbol] {
        &self.texts.symbols
    }

    /// Symbol and channel of each event of the burst.
    pub fn burst(&self) -> impl Iterator<Item = (SymbolId, Channel)> {
        self.events.iter().map(|event| match event {
            Event::Trade(head, _) => (head.symbol, Channel::Trades),
            Event::Quote(head, _) => (head.symbol, Channel::Quotes),
            other => unreachable!("a burst has trades and quotes, not {other:?}"),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Encodes the burst in this format, unless that was done.
    pub fn encode(&mut self, format: Format) {
        let lines = &mut self.lines[format.index()];
        if lines.ends.is_empty() {
            for event in &self.events {
                lines.encoder.encode(event, false, &self.texts, &mut lines.bytes);
                lines.ends.push(lines.bytes.len());
            }
        }
    }

    /// The line of the burst's event `index`, which was encoded.
    pub fn line(&self, format: Format, index: u32) -> &[u8] {
        let (lines, index) = (&self.lines[format.index()], index as usize);
        let start = index.checked_sub(1).map_or(0, |before| lines.ends[before]);
        &lines.bytes[start..lines.ends[index]]
    }

    /// The burst was sent.
    pub fn settle(&mut self) {
        self.events.clear();
        for lines in &mut self.lines {
            lines.bytes.clear();
            lines.ends.clear();
        }
    }
}

impl Names for Texts {
    fn symbol(&self, id: SymbolId) -> &str {
        self.symbols[id.0 as usize].as_str()
    }

    fn code(&self, code: u8) -> &str {
        self.codes[usize::from(code) - 1].as_str()
    }

    fn conditions(&self, list: u16) -> &str {
        self.conditions[usize::from(list) - 1].as_str()
    }
}
