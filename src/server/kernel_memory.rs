//! The estimate of what sockets hold, checked against what the kernel says.
//!
//! `/proc/net/sockstat` has the memory of all TCP buffers of the machine: this process's, its
//! peers' on the same machine, and those of others. So the estimate may well be below it; where
//! it is far below, somebody should look who that is.

use std::path::Path;
use std::time::{Duration, Instant};

/// How often the kernel is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Told beyond this factor and so many bytes.
const FACTOR: u64 = 2;
const SLACK_BYTES: u64 = 64 << 20;

/// And again only after it was below half of that for so long: clients that stall and are closed
/// make both numbers go up and down, and each crossing would be a line of the log.
const CALM: Duration = Duration::from_secs(60);

/// See the module's text.
#[derive(Debug, Default)]
pub struct KernelMemory {
    asked_at: Option<Instant>,
    bytes: Option<u64>,
    is_told: bool,
    /// Since when it has been below half of the bound.
    calm_since: Option<Instant>,
}

impl KernelMemory {
    /// Bytes of all TCP buffers when it was asked last; `None` where the kernel does not say.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Asks the kernel, now and then; `estimated_bytes` is what the shards count.
    pub fn watch(&mut self, estimated_bytes: u64) {
        if self.asked_at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.asked_at = Some(Instant::now());
        self.bytes = tcp_bytes(Path::new("/proc/net/sockstat"));
        let Some(bytes) = self.bytes else { return };
        let bound = estimated_bytes.saturating_mul(FACTOR).saturating_add(SLACK_BYTES);
        if self.is_news(bytes, bound, Instant::now()) {
            tracing::warn!(
                "the kernel holds {} MiB in TCP buffers, the shards count {} MiB of it as their \
                 clients': the rest is of other programs, or the estimate is wrong",
                bytes >> 20,
                estimated_bytes >> 20
            );
        }
    }

    fn is_news(&mut self, bytes: u64, bound: u64, now: Instant) -> bool {
        if bytes >= bound / 2 {
            self.calm_since = None;
        } else if now.duration_since(*self.calm_since.get_or_insert(now)) >= CALM {
            self.is_told = false;
        }
        bytes > bound && !std::mem::replace(&mut self.is_told, true)
    }
}

/// The `mem` of the `TCP` line, which is in pages.
fn tcp_bytes(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    pages(&text).map(|pages| pages * rustix::param::page_size() as u64)
}

fn pages(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = line.split(' ');
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tcp_line_is_read() {
        let text = "sockets: used 44\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 208\n\
                    UDP: inuse 1 mem 9\n";
        assert_eq!(pages(text), Some(208));
        assert_eq!(pages("sockets: used 44\n"), None);
    }

    #[test]
    fn what_goes_up_and_down_is_told_once_and_again_after_a_calm_minute() {
        let (mut memory, began) = (KernelMemory::default(), Instant::now());
        let mut told = |at_s, bytes| memory.is_news(bytes, 100, began + Duration::from_secs(at_s));
        assert!(told(0, 101));
        assert!(!told(1, 40) && !told(2, 101), "a dip");
        assert!(
            !told(3, 49) && !told(40, 50) && !told(62, 49) && !told(64, 101),
            "no whole minute"
        );
        assert!(!told(70, 49) && !told(130, 49) && told(131, 101));
        assert!(!told(132, 150));
    }

    #[test]
    fn this_kernel_says_it() {
        let mut memory = KernelMemory::default();
        memory.watch(0);
        assert!(memory.bytes().is_some());
    }
}
