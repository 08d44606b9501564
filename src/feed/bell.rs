//! The bell: how a feed wakes a shard that sleeps, and costs nothing while it does not.

use crossbeam::utils::CachePadded;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Two eventfds, and the flag that says by which of them its shard is to be woken, if at all.
///
/// The shard, before it sleeps: [`Bell::fall_asleep`], then look at its queues once more, then
/// await [`Bell::fd`]; when it is awake: [`Bell::wake_up`]. Before a nap in its own ring, which
/// looks at [`Bell::nap_fd`]: [`Bell::doze`] in its place. Who gives it work: push, then
/// [`Bell::ring`]. Each side writes, fences and only then reads what the other wrote, so at
/// least one of them sees the other's write: a wake-up cannot be lost. A ring too many can
/// happen, and does no harm.
#[derive(Debug)]
pub struct Bell {
    /// [`AWAKE`], [`NAPS`] or [`SLEEPS`]. On a line of its own: the feed reads it after each batch,
    /// and nothing else may evict it.
    state: CachePadded<AtomicU8>,
    eventfd: File,
    nap: File,
}

/// Waits for a bell beside other things. One at a time may: a ring wakes one reader.
#[derive(Debug)]
pub struct BellListener {
    eventfd: AsyncFd<File>,
}

impl BellListener {
    /// Until it rings. May be dropped at any time: a ring that was not taken is still there.
    pub async fn rung(&self) -> io::Result<()> {
        let mut guard = self.eventfd.readable().await?;
        // It is readable, so this read does not block; it makes the bell silent again.
        let read = guard.get_inner().read_exact(&mut [0; 8]);
        guard.clear_ready();
        read
    }
}

const AWAKE: u8 = 0;
const NAPS: u8 = 1;
const SLEEPS: u8 = 2;

impl Bell {
    /// Errors: no descriptor is left (EMFILE, ENFILE), or no memory.
    pub fn new() -> io::Result<Bell> {
        let (eventfd, nap) = (eventfd()?, eventfd()?);
        Ok(Bell { state: CachePadded::new(AtomicU8::new(AWAKE)), eventfd, nap })
    }

    /// Wakes the shard if it sleeps or is about to. To be called after the work is in its queue.
    pub fn ring(&self) {
        // Pairs with the fence in `rest`: either the shard's last look at its queues sees what was
        // pushed before this, or the load below sees that it falls asleep.
        fence(Ordering::SeqCst);
        // The load keeps the line shared while the shard is awake; the swap elects one ringer.
        if self.state.load(Ordering::Relaxed) == AWAKE {
            return;
        }
        let mut bell = match self.state.swap(AWAKE, Ordering::AcqRel) {
            AWAKE => return,
            NAPS => &self.nap,
            _ => &self.eventfd,
        };
        bell.write_all(&1_u64.to_ne_bytes())
            .expect("eventfd(2): 8 bytes are taken by a descriptor that is open, and this is");
    }

    /// For the shard's read and for its ring's completions. Valid as long as the bell is.
    pub fn fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    /// For a nap: to be polled, never read. Valid as long as the bell is.
    pub fn nap_fd(&self) -> RawFd {
        self.nap.as_raw_fd()
    }

    /// For who waits for it in a runtime of tokio's, the one that runs now. Errors: no descriptor
    /// is left.
    pub fn listener(&self) -> io::Result<BellListener> {
        let eventfd = self.eventfd.try_clone()?;
        // SAFETY: the file owns its descriptor, which stays open and the same until the AsyncFd,
        // which owns the file, is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(eventfd, Interest::READABLE) };
        Ok(BellListener { eventfd: registered? })
    }

    /// The shard says that it will sleep. It must look at its queues once more after this.
    pub fn fall_asleep(&self) {
        self.rest(SLEEPS);
    }

    /// The shard says that it will nap. It must look at its queues once more after this.
    pub fn doze(&self) {
        self.rest(NAPS);
    }

    /// For who has no ring of its own: sleeps until it is rung or `time` is over, if there is no
    /// work to begin with. It may wake without either.
    pub fn wait(&self, time: Duration, has_work: impl FnOnce() -> bool) {
        self.fall_asleep();
        if !has_work() {
            let mut poll = libc::pollfd { fd: self.fd(), events: libc::POLLIN, revents: 0 };
            let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
            // SAFETY: one pollfd that lives across the call, and the count says one.
            let ready = unsafe { libc::poll(&raw mut poll, 1, ms) };
            if ready == 1 {
                // It has rung, so the read does not block; what fails will be polled again.
                let _ = (&self.eventfd).read(&mut [0; 8]);
            }
        }
        self.wake_up();
    }

    /// The shard is awake: pushes need no ring until it falls asleep again.
    pub fn wake_up(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    fn rest(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

fn eventfd() -> io::Result<File> {
    // Without EFD_NONBLOCK: io_uring would end a read of a silent non-blocking descriptor with
    // EAGAIN at once, where the shard's read must wait. A write blocks only where 2^64-2 rings
    // were never read.
    // SAFETY: eventfd(2) takes no pointers; its result is checked before use.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` is open, was made here, and is owned by nothing else.
    Ok(unsafe { File::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Inlet;
    use crate::market::{Feed, FeedState, Tick, TickBody};
    use std::sync::Arc;

    fn tick(number: i64) -> Tick {
        Tick::new(TickBody::FeedState { feed: Feed(0), state: FeedState::Ok, last_ns: number })
    }

    /// Whether a read of a descriptor would not block, by a poll(2) that does not wait.
    fn has_rung(fd: RawFd) -> bool {
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd that lives across the call, and the count says one.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn rings_only_who_sleeps() {
        let bell = Bell::new().expect("a descriptor");
        bell.ring();
        assert!(!has_rung(bell.fd()));
        bell.fall_asleep();
        bell.ring();
        assert!(has_rung(bell.fd()));
        (&bell.eventfd).read_exact(&mut [0; 8]).expect("it rang");
        bell.ring();
        assert!(!has_rung(bell.fd()), "one ring a sleep");
        bell.doze();
        bell.ring();
        assert!(has_rung(bell.nap_fd()) && !has_rung(bell.fd()));
    }

    /// Method: as below, with a consumer that waits by the bell alone; its waits are so long that
    /// one lost wake-up would end the test.
    #[test]
    fn who_waits_is_woken() {
        let inlet = Arc::new(Inlet::new(4).expect("a descriptor"));
        let feed = Arc::clone(&inlet);
        let thread = std::thread::spawn(move || {
            for number in 0..20_000 {
                while feed.push(tick(number)).is_err() {
                    std::thread::yield_now();
                }
                feed.bell().ring();
            }
        });
        let began = std::time::Instant::now();
        let mut next = 0;
        while next < 20_000 {
            match inlet.pop() {
                Some(tick) => {
                    assert_eq!(tick.ingest_ns(), next);
                    next += 1;
                }
                None => inlet.bell().wait(Duration::from_secs(100), || !inlet.is_empty()),
            }
        }
        assert!(began.elapsed() < Duration::from_secs(90), "a wake-up was lost");
        thread.join().expect("the feed's side does not panic");
    }

    /// Method: two threads play feed and shard as fast as they can; the shard sleeps by a blocking
    /// read whenever its queue is empty. A lost wake-up would leave it there for ever.
    #[test]
    fn no_wake_up_is_lost() {
        const TICKS: i64 = 50_000;
        let inlet = Arc::new(Inlet::new(4).expect("a descriptor"));
        let feed = Arc::clone(&inlet);
        let thread = std::thread::spawn(move || {
            for number in 0..TICKS {
                while feed.push(tick(number)).is_err() {
                    std::thread::yield_now();
                }
                feed.bell().ring();
            }
        });
        let mut next = 0;
        while next < TICKS {
            if let Some(tick) = inlet.pop() {
                assert_eq!(tick.ingest_ns(), next);
                next += 1;
                continue;
            }
            inlet.bell().fall_asleep();
            if inlet.is_empty() {
                (&inlet.bell().eventfd).read_exact(&mut [0; 8]).expect("an eventfd reads 8 bytes");
            }
            inlet.bell().wake_up();
        }
        thread.join().expect("the feed's side does not panic");
    }
}
