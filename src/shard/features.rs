//! Each feature of io_uring that a shard uses, tried one by one, for a check before the start.

use super::probe::{self, RingError};
use super::{Completion, End, SendNow, Token};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// The only connection of a trial.
const TOKEN: Token = Token { slot: 0, generation: 0 };

/// Turns of a trial until its completion counts as missing; it comes with the first.
const TURNS: usize = 100;

/// What was tried, and why it does not work. Without a ring nothing else is tried.
pub fn features() -> Vec<(&'static str, Result<(), RingError>)> {
    let ring = probe::probe();
    if ring.is_err() {
        return vec![("ring", ring)];
    }
    vec![
        ("ring", ring),
        ("multishot accept", accepts()),
        ("multishot receive", receives()),
        ("send", sends()),
    ]
}

/// A kernel that has no multishot accept refuses it at once; one that has it waits.
fn accepts() -> Result<(), RingError> {
    let what = "multishot accept";
    let (_bell, mut ring) = probe::small_ring()?;
    let listener =
        TcpListener::bind("127.0.0.1:0").map_err(|e| probe::explain("a socket on loopback", &e))?;
    ring.accept(listener.as_raw_fd());
    let mut out = Vec::new();
    ring.collect(1, &mut out);
    match out.pop() {
        Some(Completion::AcceptFailed { errno, .. }) => Err(failed(what, errno)),
        _ => Ok(()),
    }
}

/// Bytes that wait come in a buffer that the kernel picked, and the receive stays armed.
fn receives() -> Result<(), RingError> {
    let what = "multishot receive";
    let (_bell, mut ring) = probe::small_ring()?;
    let (mut peer, own) = pair()?;
    peer.write_all(b"?").map_err(|e| probe::explain("a pair of sockets", &e))?;
    ring.receive(TOKEN, own.as_raw_fd());
    let mut out = Vec::new();
    for _ in 0..TURNS {
        ring.collect(1, &mut out);
        match out.pop() {
            Some(Completion::Received { buffer, more, .. }) => {
                ring.give_back(buffer);
                return if more { Ok(()) } else { Err(failed(what, libc::EINVAL)) };
            }
            Some(Completion::ReceiveEnded { end: End::Failed(errno), .. }) => {
                return Err(failed(what, errno));
            }
            _ => {}
        }
    }
    Err(failed(what, libc::ETIMEDOUT))
}

fn sends() -> Result<(), RingError> {
    let (_bell, mut ring) = probe::small_ring()?;
    let (_peer, own) = pair()?;
    let mut results = Vec::new();
    let send = SendNow { fd: own.as_raw_fd(), start: 0, end: 1 };
    ring.send_now(&[send], b"!", &mut results);
    match results[0] {
        1 => Ok(()),
        result => Err(failed("send", -result)),
    }
}

fn pair() -> Result<(UnixStream, UnixStream), RingError> {
    UnixStream::pair().map_err(|e| probe::explain("a pair of sockets", &e))
}

fn failed(what: &'static str, errno: i32) -> RingError {
    probe::explain(what, &io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_each() {
        let found = features();
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|(_, result)| result.is_ok()), "{found:?}");
    }
}
