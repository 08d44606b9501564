//! A made-up recording of the real one's shape: four symbols, half an hour, some 200,000 trades
//! and quotes. The same bytes at every run.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const EVENTS: i64 = 200_000;

const BEGIN_MS: i64 = 1_700_000_000_000;

const LENGTH_MS: i64 = 30 * 60 * 1000;

/// Name, first price in units of `10^-digits`, digits, and share of the events in percent.
const SYMBOLS: [(&str, i64, u32, u8); 4] = [
    ("MADE.A", 1_350, 2, 40),
    ("MADE.B", 1_675_000, 4, 30),
    ("MADE.C", 52_340, 3, 20),
    ("MADE.D", 9, 1, 10),
];

const EXCHANGES: [&str; 4] = ["P", "Q", "N", "Z"];

/// Writes the file, compressed as the real one is, and gives its path.
pub fn write() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made-up.ndjson.gz");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines(EVENTS).as_bytes()).expect("memory takes every byte");
    // Renamed into place: another test process may be reading it.
    let half = path.with_extension(std::process::id().to_string());
    std::fs::write(&half, gzip.finish().expect("memory takes every byte")).expect("room on disk");
    std::fs::rename(&half, &path).expect("the same directory");
    path
}

/// The text of `events` lines.
pub fn lines(events: i64) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut prices, mut ids) = (SYMBOLS.map(|symbol| symbol.1), [0; SYMBOLS.len()]);
    let mut text = String::new();
    for event in 0..events {
        // Squared: busy at the open, as the real one is. Many events share a millisecond.
        let part = event as f64 / EVENTS as f64;
        let at_ms = BEGIN_MS + (part * part * LENGTH_MS as f64) as i64;
        let time = jiff::Timestamp::from_millisecond(at_ms).expect("a recent year");
        let percent = random.u8(..100);
        let mut below = 0;
        let at = SYMBOLS.iter().position(|(.., share)| {
            below += share;
            percent < below
        });
        let at = at.expect("the shares sum up to 100");
        let (name, _, digits, _) = SYMBOLS[at];
        prices[at] = (prices[at] + random.i64(-2..=2)).max(5);
        let (bid, ask) = (number(prices[at] - 1, digits), number(prices[at] + 1, digits));
        let (a, b) = (EXCHANGES[random.usize(..4)], EXCHANGES[random.usize(..4)]);
        let size = 100 * random.u32(1..50);
        let written = if random.u8(..100) < 30 {
            ids[at] += random.u64(1..4);
            let price = if random.bool() { bid } else { ask };
            let id = ids[at];
            writeln!(
                text,
                r#"{{"T":"t","S":"{name}","i":{id},"x":"{a}","p":{price},"s":{size},"t":"{time}"}}"#
            )
        } else {
            writeln!(
                text,
                concat!(
                    r#"{{"T":"q","S":"{name}","bx":"{a}","bp":{bid},"bs":{size},"#,
                    r#""ax":"{b}","ap":{ask},"as":100,"t":"{time}"}}"#
                ),
                name = name,
                a = a,
                bid = bid,
                size = size,
                b = b,
                ask = ask,
                time = time
            )
        };
        written.expect("memory takes every byte");
    }
    text
}

/// As a feed in Python would write it: no zeros at the end, but at least one digit.
fn number(units: i64, digits: u32) -> String {
    let power = 10_i64.pow(digits);
    let fraction = format!("{:0width$}", units % power, width = digits as usize);
    let fraction = fraction.trim_end_matches('0');
    format!("{}.{}", units / power, if fraction.is_empty() { "0" } else { fraction })
}
