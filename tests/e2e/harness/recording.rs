//! A recording, and what each of its symbols says, read without the project's own parser.

use super::bars::{Bar, BarMaker};
use super::generator;
use super::item::Stamp;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Beside the project, where the real tape is; it is never part of it.
const REAL: &str = "../shared/data/us-equities-2013-10-08-0930-1000.ndjson.gz";

/// By symbol; a sequence number is an index plus one.
pub struct Recording {
    pub path: PathBuf,
    pub symbols: BTreeMap<String, Tape>,
    /// The symbol of every trade, in the order of the file.
    order: Vec<String>,
}

#[derive(Default)]
pub struct Tape {
    pub trades: Vec<Trade>,
    pub quotes: Vec<Quote>,
    pub bars: Vec<Bar>,
}

/// Prices and sizes are the file's text.
#[derive(Debug)]
pub struct Trade {
    pub id: u64,
    pub t_ns: i64,
    pub exchange: String,
    pub price: String,
    pub size: String,
}

#[derive(Debug)]
pub struct Quote {
    pub t_ns: i64,
    /// Bid exchange, price and size, then the ask's.
    pub fields: [String; 6],
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    #[serde(rename = "S")]
    symbol: &'a str,
    t: Stamp,
    i: Option<u64>,
    x: Option<&'a str>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
    #[serde(borrow)]
    s: Option<&'a RawValue>,
    bx: Option<&'a str>,
    #[serde(borrow)]
    bp: Option<&'a RawValue>,
    #[serde(borrow)]
    bs: Option<&'a RawValue>,
    ax: Option<&'a str>,
    #[serde(borrow)]
    ap: Option<&'a RawValue>,
    #[serde(borrow, rename = "as")]
    ask_size: Option<&'a RawValue>,
}

impl Recording {
    /// The made-up one, and the real one where it is there.
    pub fn all() -> &'static [Recording] {
        static ALL: OnceLock<Vec<Recording>> = OnceLock::new();
        ALL.get_or_init(|| {
            let real = std::env::var_os("TAPECAST_RECORDING").map(PathBuf::from);
            let real = real.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(REAL));
            let mut all = vec![Recording::read(&generator::write())];
            match real.exists() {
                true => all.push(Recording::read(&real)),
                // Past the test runner's capture: whoever reads the result must know.
                false => writeln!(
                    std::io::stderr(),
                    "NOTE: no recording at {}; the tests replay a made-up one alone \
                     (TAPECAST_RECORDING names a file)",
                    real.display()
                )
                .expect("stderr is open"),
            }
            all
        })
    }

    /// The real one where it is there.
    pub fn best() -> &'static Recording {
        Recording::all().last().expect("one is made up")
    }

    fn read(path: &Path) -> Recording {
        let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let lines = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)).lines();
        let mut symbols = BTreeMap::<String, Tape>::new();
        let (mut bars, mut order) = (BarMaker::default(), Vec::new());
        for line in lines {
            let line = line.expect("a whole file");
            let line: Line = serde_json::from_str(&line).expect("a good line");
            let t_ns = line.t.0;
            bars.reach(t_ns);
            let tape = symbols.entry(line.symbol.to_string()).or_default();
            if line.kind == "t" {
                let trade = trade(&line, t_ns);
                bars.trade(line.symbol, t_ns, &trade.price, &trade.size);
                tape.trades.push(trade);
                order.push(line.symbol.to_string());
            } else {
                tape.quotes.push(quote(&line, t_ns));
            }
        }
        for (symbol, bar) in bars.end() {
            symbols.get_mut(&symbol).expect("it traded").bars.push(bar);
        }
        Recording { path: path.to_path_buf(), symbols, order }
    }

    /// How many of the last `count` trades of the file are this symbol's.
    pub fn trades_among_last(&self, count: usize, symbol: &str) -> u64 {
        let last = self.order.iter().rev().take(count);
        last.filter(|name| *name == symbol).count() as u64
    }

    /// The feed that replays it; `options` as `--feed` has them.
    pub fn feed(&self, options: &str) -> String {
        format!("replay:{},{options}", self.path.display())
    }
}

fn text(value: Option<&RawValue>) -> String {
    value.expect("lines of this kind have it").get().to_string()
}

fn trade(line: &Line, t_ns: i64) -> Trade {
    Trade {
        id: line.i.expect("trades have ids"),
        t_ns,
        exchange: line.x.unwrap_or_default().to_string(),
        price: text(line.p),
        size: text(line.s),
    }
}

fn quote(line: &Line, t_ns: i64) -> Quote {
    let code = |code: Option<&str>| code.unwrap_or_default().to_string();
    let bid = [code(line.bx), text(line.bp), text(line.bs)];
    let ask = [code(line.ax), text(line.ap), text(line.ask_size)];
    let [a, b, c] = bid;
    let [d, e, f] = ask;
    Quote { t_ns, fields: [a, b, c, d, e, f] }
}
