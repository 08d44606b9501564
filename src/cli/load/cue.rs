//! `--start-on-line`: whoever measures the server says when counting begins.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const WAITS: u8 = 0;
const LINE: u8 = 1;
const ENDED: u8 = 2;

/// Reads stdin on a thread of its own, since the connections must be read meanwhile.
#[derive(Debug)]
pub struct Cue(Arc<AtomicU8>);

impl Cue {
    /// Says `open` on stdout and begins to listen.
    pub fn announce() -> io::Result<Cue> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "open")?;
        stdout.flush()?;
        let heard = Arc::new(AtomicU8::new(WAITS));
        let hears = heard.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line).unwrap_or(0);
            hears.store(if read > 0 { LINE } else { ENDED }, Ordering::Release);
        });
        Ok(Cue(heard))
    }

    /// Whether the line has come; `None` where it never will.
    pub fn has_come(&self) -> Option<bool> {
        match self.0.load(Ordering::Acquire) {
            WAITS => Some(false),
            LINE => Some(true),
            _ => None,
        }
    }
}
