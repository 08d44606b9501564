//! How other threads wake the ingest thread, which may wait for an input at the same time.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Wakes one thread, as [`Thread::unpark`](std::thread::Thread::unpark) does: a wake that comes
/// before the wait ends it at once, and many are one. What was written before the wake is seen
/// after the wait.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// [`AWAKE`], [`WAITS`] or [`WOKEN`].
    state: AtomicU8,
    /// Readable where the thread was woken while it waited.
    eventfd: OwnedFd,
}

const AWAKE: u8 = 0;
const WAITS: u8 = 1;
const WOKEN: u8 = 2;

thread_local! {
    static OWN: OnceCell<Waker> = const { OnceCell::new() };
}

impl Waker {
    /// Errors: no descriptor is left (EMFILE, ENFILE), or no memory.
    pub fn new() -> io::Result<Waker> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker(Arc::new(Inner { state: AtomicU8::new(AWAKE), eventfd })))
    }

    /// That of this thread. Panics: it has none yet, and no descriptor is left for one.
    pub fn current() -> Waker {
        OWN.with(|own| own.get_or_init(|| Waker::new().expect("a descriptor is left")).clone())
    }

    /// Is that of this thread from now on, which has none yet.
    pub fn make_current(&self) {
        OWN.with(|own| own.set(self.clone()).expect("a thread has one waker"));
    }

    pub fn wake(&self) {
        // Release: what was given before this is seen by who takes the state.
        if self.0.state.swap(WOKEN, Ordering::AcqRel) == WAITS {
            // One wake in each wait, so the counter never becomes too large for this.
            let written = rustix::io::write(&self.0.eventfd, &1_u64.to_ne_bytes());
            written.expect("eventfd(2): 8 bytes are taken by a descriptor that is open");
        }
    }

    /// For the thread whose it is: until it is woken, one of `inputs` is readable or at its end, or
    /// `longest` is over. It may end without any of these.
    pub fn wait<'a>(&self, longest: Duration, inputs: impl Iterator<Item = BorrowedFd<'a>>) {
        let Inner { state, eventfd } = &*self.0;
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        if state.compare_exchange(AWAKE, WAITS, success, failure).is_ok() {
            let own = PollFd::from_borrowed_fd(eventfd.as_fd(), PollFlags::IN);
            let inputs = inputs.map(|input| PollFd::from_borrowed_fd(input, PollFlags::IN));
            let mut all: Vec<PollFd<'_>> = std::iter::once(own).chain(inputs).collect();
            let longest = Timespec::try_from(longest).ok();
            // What fails, be it by a signal, is a wait that ended early.
            let _ = poll(&mut all, longest.as_ref());
            if !all[0].revents().is_empty() {
                let _ = rustix::io::read(eventfd, &mut [0; 8]);
            }
        }
        // A wake that has not come to its write yet makes the next wait a short one.
        state.swap(AWAKE, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::AtomicU64;
    use std::thread;
    use std::time::Instant;

    /// Longer than any test may take: what ends a wait is not its time.
    const LONG: Duration = Duration::from_secs(100);

    fn wait(waker: &Waker) {
        waker.wait(LONG, std::iter::empty());
    }

    #[test]
    fn wakes_before_a_wait_are_one() {
        let (waker, began) = (Waker::current(), Instant::now());
        waker.wake();
        waker.wake();
        wait(&waker);
        assert!(began.elapsed() < LONG / 2);
        let (short, began) = (Duration::from_millis(30), Instant::now());
        waker.wait(short, std::iter::empty());
        assert!(began.elapsed() >= short, "the second had nothing left to end it");
    }

    #[test]
    fn an_input_ends_a_wait_by_bytes_and_by_its_end() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (waker, began) = (Waker::new().expect("a descriptor"), Instant::now());
        let writing = thread::spawn(move || writer.write_all(b"x").map(|()| writer));
        waker.wait(LONG, std::iter::once(reader.as_fd()));
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]), Ok(1));
        drop(writing.join().expect("it does not panic").expect("it is read"));
        waker.wait(LONG, std::iter::once(reader.as_fd()));
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]), Ok(0));
        assert!(began.elapsed() < LONG / 2);
    }

    /// Method: two threads wake each other in turn as fast as they can; each looks at what the
    /// other gave before it waits. A wake that is lost would leave both waiting.
    #[test]
    fn no_wake_is_lost() {
        const TURNS: u64 = 50_000;
        let turn = Arc::new(AtomicU64::new(0));
        let (here, began) = (Waker::new().expect("a descriptor"), Instant::now());
        let there = Waker::new().expect("a descriptor");
        let play = |own: Waker, other: Waker, turn: Arc<AtomicU64>, rest: u64| {
            for next in (rest..TURNS).step_by(2) {
                while turn.load(Ordering::Relaxed) != next {
                    wait(&own);
                }
                turn.store(next + 1, Ordering::Relaxed);
                other.wake();
            }
        };
        let (own, other, shared) = (there.clone(), here.clone(), Arc::clone(&turn));
        let thread = thread::spawn(move || play(own, other, shared, 1));
        play(here, there, turn, 0);
        thread.join().expect("it does not panic");
        assert!(began.elapsed() < LONG / 2, "a wake was lost");
    }
}
