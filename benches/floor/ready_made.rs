//! Ready-made bytes at a given rate for each client: what the kernel alone allows.

use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant};

use tapecast::wire::frame::write_message;

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub struct ReadyMade {
    frame: Vec<u8>,
    hz: f64,
    /// Sends that are due and not made, with the part of one.
    owed: f64,
    looked_at: Instant,
    /// The member that is next.
    next: usize,
}

impl FromStr for ReadyMade {
    type Err = String;

    /// `BYTES,HZ`: length of the payload, and frames a second to each client.
    fn from_str(text: &str) -> Result<ReadyMade, String> {
        const START: &str = "[{\"T\":\"filler\",\"x\":\"";
        const END: &str = "\"}]";
        let around = START.len() + END.len();
        let cure = || format!("{text}: give BYTES,HZ as 512,10; at least {around} bytes");
        let (bytes, hz) = text.split_once(',').ok_or_else(cure)?;
        let bytes: usize = bytes.parse().ok().filter(|n| *n >= around).ok_or_else(cure)?;
        let hz: f64 = hz.parse().ok().filter(|hz| *hz > 0.0).ok_or_else(cure)?;
        let payload = format!("{START}{}{END}", "x".repeat(bytes - around));
        let mut frame = Vec::new();
        write_message(true, payload.as_bytes(), &mut frame);
        Ok(ReadyMade { frame, hz, owed: 0.0, looked_at: Instant::now(), next: 0 })
    }
}

impl ReadyMade {
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub fn timeout(&self) -> Duration {
        STEP.saturating_sub(self.looked_at.elapsed())
    }

    /// Those of `count` members whose turn it is: each in the order of the members, and none twice
    /// at once. What a slow machine does not manage in time is not made up for.
    pub fn due(&mut self, count: usize) -> (Range<usize>, Range<usize>) {
        if self.looked_at.elapsed() < STEP || count == 0 {
            return (0..0, 0..0);
        }
        let now = Instant::now();
        let spent = now.duration_since(self.looked_at).as_secs_f64();
        self.looked_at = now;
        self.owed = (self.owed + spent * self.hz * count as f64).min(count as f64);
        let due = self.owed as usize;
        self.owed -= due as f64;
        let start = self.next % count;
        self.next = (start + due) % count;
        (start..(start + due).min(count), 0..(start + due).saturating_sub(count))
    }
}
