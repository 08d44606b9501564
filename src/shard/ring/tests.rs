//! Method: a ring with real sockets on loopback. Every wait is a wait for the eventfd, so a
//! wake-up that is lost ends in a failure at the deadline.

mod harness;

use super::*;
use crate::shard::{End, socket};
use harness::Rig;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

const DEADLINE: Duration = Duration::from_secs(10);
const SMALL: RingSettings =
    RingSettings { entries: 64, completions: 256, buffers: 16, buffer_bytes: 512 };

fn token(slot: usize) -> Token {
    Token { slot: slot as u32, generation: 9 }
}

#[test]
fn accepts_a_hundred_and_then_no_more_until_armed_again() {
    let mut rig = Rig::new(SMALL);
    let pairs = rig.pairs(100);
    // SAFETY: F_GETFD takes no pointer.
    let flags = unsafe { libc::fcntl(pairs[99].1.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
    let _waiting = TcpStream::connect(rig.address).expect("the backlog takes it");
    assert!(!rig.ring.collect(10, &mut Vec::new()));
    rig.ring.accept(rig.listener.as_raw_fd());
    assert!(matches!(rig.one(), Completion::Accepted { .. }));
}

#[test]
fn a_refused_accept_says_so_and_ends() {
    let mut rig = Rig::new(SMALL);
    let (peer, _served) = rig.pairs(1).remove(0);
    rig.ring.accept(peer.as_raw_fd());
    match rig.one() {
        Completion::AcceptFailed { errno: libc::EINVAL, more: false, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_bytes_than_buffers_arrive_whole_and_in_order() {
    let mut rig = Rig::new(RingSettings { buffers: 4, buffer_bytes: 64, ..SMALL });
    let (mut peer, served) = rig.pairs(1).remove(0);
    let sent: Vec<u8> = (0..4096u32).map(|n| (n % 251) as u8).collect();
    peer.write_all(&sent).expect("the socket's buffer takes it");
    drop(peer);
    rig.ring.receive(token(3), served.as_raw_fd());
    let (mut held, mut bytes, mut dry) = (Vec::new(), Vec::new(), 0);
    rig.until(|ring, completion| match completion {
        Completion::Received { token: from, buffer, more } => {
            assert_eq!(from, token(3));
            bytes.extend_from_slice(ring.buffer(&buffer));
            held.push(buffer);
            if !more {
                ring.receive(token(3), served.as_raw_fd());
            }
            false
        }
        Completion::ReceiveEnded { end: End::NoBuffers, .. } => {
            assert_eq!((held.len(), ring.free_buffers()), (4, 0));
            held.drain(..).for_each(|buffer| ring.give_back(buffer));
            dry += 1;
            ring.receive(token(3), served.as_raw_fd());
            false
        }
        Completion::ReceiveEnded { end: End::Eof, .. } => true,
        other => panic!("{other:?}"),
    });
    assert!(bytes == sent && dry >= 15, "{} bytes, {dry} times dry", bytes.len());
    held.drain(..).for_each(|buffer| rig.ring.give_back(buffer));
    assert_eq!(rig.ring.free_buffers(), 4);
}

/// The completion queue has 64 places and the submission queue 8: both run over.
#[test]
fn nothing_is_lost_when_the_queues_overflow() {
    let mut rig = Rig::new(RingSettings { entries: 8, completions: 64, ..SMALL });
    let mut pairs = rig.pairs(300);
    for (slot, (peer, served)) in pairs.iter_mut().enumerate() {
        peer.write_all(&[slot as u8]).expect("sends");
        rig.ring.receive(token(slot), served.as_raw_fd());
    }
    let mut got = vec![None; pairs.len()];
    rig.until(|ring, completion| {
        match completion {
            Completion::Received { token, buffer, more } => {
                got[token.slot as usize] = Some(ring.buffer(&buffer)[0]);
                ring.give_back(buffer);
                if !more {
                    ring.receive(token, pairs[token.slot as usize].1.as_raw_fd());
                }
            }
            Completion::ReceiveEnded { token, end: End::NoBuffers } => {
                ring.receive(token, pairs[token.slot as usize].1.as_raw_fd());
            }
            other => panic!("{other:?}"),
        }
        got.iter().all(Option::is_some)
    });
    assert!(got.iter().enumerate().all(|(slot, byte)| *byte == Some(slot as u8)));
}

/// Nothing rings while the bell is silent; what came then keeps the thread from sleeping.
#[test]
fn the_bell_rings_only_for_who_will_sleep() {
    let mut rig = Rig::new(SMALL);
    let (mut peer, served) = rig.pairs(1).remove(0);
    let fd = served.as_raw_fd();
    rig.ring.receive(token(0), fd);
    rig.quieten();
    rig.ring.silence_bell();
    let mut results = Vec::new();
    rig.ring.send_now(&[SendNow { fd, start: 0, end: 5 }; 3], b"hello", &mut results);
    peer.write_all(b"x").expect("sends");
    assert_eq!((results, rig.bell_rings()), (vec![5; 3], false));
    rig.ring.arm_bell();
    let mut out = Vec::new();
    assert!(rig.ring.collect(0, &mut out) && out.is_empty());
    assert!(matches!(rig.one(), Completion::Received { more: true, .. }));
    rig.quieten();
    peer.write_all(b"y").expect("sends");
    rig.sleep(Instant::now() + DEADLINE);
    assert!(matches!(rig.one(), Completion::Received { more: true, .. }));
}

/// The kernel runs a bounded share of the deferred work per call and rings once for all of it.
#[test]
fn one_ring_of_the_bell_is_enough_for_many_completions() {
    let mut rig = Rig::new(RingSettings { buffers: 512, ..SMALL });
    let mut pairs = rig.pairs(200);
    for (slot, (_, served)) in pairs.iter().enumerate() {
        rig.ring.receive(token(slot), served.as_raw_fd());
    }
    rig.quieten();
    let (go, gone) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        gone.recv().expect("told to");
        pairs.iter_mut().for_each(|(peer, _)| peer.write_all(b"x").expect("sends"));
        pairs
    });
    go.send(()).expect("the writer lives");
    rig.sleep(Instant::now() + DEADLINE);
    let _pairs = writer.join().expect("the writer ends");
    let mut count = 0;
    rig.until(|ring, completion| match completion {
        Completion::Received { buffer, more: true, .. } => {
            ring.give_back(buffer);
            count += 1;
            count == 200
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_full_socket_takes_part_then_nothing_then_the_rest_step_by_step() {
    let mut rig = Rig::new(SMALL);
    let (mut peer, served) = rig.pairs(1).remove(0);
    let fd = served.as_raw_fd();
    let bytes: Vec<u8> = (0..8_000_000u32).map(|n| (n / 7) as u8).collect();
    let mut results = Vec::new();
    let mut sent = 0;
    // The kernel moves what it was given to the peer meanwhile, until that is full too.
    while results.first() != Some(&-libc::EAGAIN) {
        let rest = SendNow { fd, start: sent, end: bytes.len() };
        rig.ring.send_now(&[rest, SendNow { fd: -1, ..rest }], &bytes, &mut results);
        sent += usize::try_from(results[0]).unwrap_or(0);
        assert_eq!(results[1], -libc::EBADF);
    }
    assert!(0 < sent && sent < bytes.len());

    let frame = Bytes::from(bytes);
    rig.ring.send_rest(token(1), fd, frame.slice(sent..));
    assert!(!rig.ring.collect(10, &mut Vec::new()), "nobody reads");
    let expected = frame.clone();
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; expected.len()];
        peer.read_exact(&mut read).expect("all of it");
        assert!(read == expected);
    });
    let mut steps = 0;
    rig.until(|ring, completion| match completion {
        Completion::Sent { token: of, result: Ok(taken) } => {
            assert_eq!(of, token(1));
            (sent, steps) = (sent + taken, steps + 1);
            if sent < frame.len() {
                ring.send_rest(of, fd, frame.slice(sent..));
            }
            sent == frame.len()
        }
        other => panic!("{other:?}"),
    });
    reader.join().expect("the reader got all bytes in order");
    assert!(steps > 10, "{steps} steps");
    assert!(rig.ring.frames.is_empty());
}

#[test]
fn sends_of_a_chunk_leave_other_completions_for_collect() {
    let mut rig = Rig::new(SMALL);
    let mut pairs = rig.pairs(40);
    for (slot, (peer, served)) in pairs.iter_mut().enumerate() {
        peer.write_all(b"hello").expect("sends");
        rig.ring.receive(token(slot), served.as_raw_fd());
    }
    let sends: Vec<_> = (pairs.iter().enumerate())
        .map(|(i, (_, served))| SendNow { fd: served.as_raw_fd(), start: i % 5, end: 5 + i })
        .collect();
    let bytes: Vec<u8> = (0..64).collect();
    let mut results = Vec::new();
    rig.ring.send_now(&sends, &bytes, &mut results);
    for ((send, result), (peer, _)) in sends.iter().zip(&results).zip(&mut pairs) {
        assert_eq!(*result as usize, send.end - send.start);
        let mut read = vec![0; *result as usize];
        peer.read_exact(&mut read).expect("all of it");
        assert_eq!(read, bytes[send.start..send.end]);
    }
    let mut count = 0;
    rig.until(|ring, completion| {
        match completion {
            Completion::Received { buffer, more, token } => {
                assert_eq!(ring.buffer(&buffer), b"hello");
                ring.give_back(buffer);
                count += 1;
                assert!(more, "the receive of {token:?} goes on");
            }
            Completion::ReceiveEnded { token, end: End::NoBuffers } => {
                ring.receive(token, pairs[token.slot as usize].1.as_raw_fd());
            }
            other => panic!("{other:?}"),
        }
        count == 40
    });
}

#[test]
fn cancels_end_what_is_in_flight_and_the_frame_is_released() {
    let mut rig = Rig::new(SMALL);
    let (_peer, served) = rig.pairs(1).remove(0);
    let fd = served.as_raw_fd();
    let bytes = vec![7; 4_000_000];
    let mut results = Vec::new();
    let whole = SendNow { fd, start: 0, end: bytes.len() };
    while results.first() != Some(&-libc::EAGAIN) {
        rig.ring.send_now(&[whole], &bytes, &mut results);
    }
    let frame = Bytes::from(bytes);
    rig.ring.receive(token(5), fd);
    rig.ring.send_rest(token(5), fd, frame.clone());
    assert!(!rig.ring.collect(10, &mut Vec::new()) && !frame.is_unique());
    rig.ring.cancel_send(token(5));
    match rig.one() {
        Completion::Sent { result: Err(libc::ECANCELED), .. } => assert!(frame.is_unique()),
        other => panic!("{other:?}"),
    }
    rig.ring.cancel_receive(token(5));
    match rig.one() {
        Completion::ReceiveEnded { end: End::Cancelled, token: of } => assert_eq!(of, token(5)),
        other => panic!("{other:?}"),
    }
    // A cancel that comes too late has nothing to say.
    rig.ring.cancel_receive(token(5));
    rig.ring.cancel_send(token(5));
    let mut out = Vec::new();
    assert!(!rig.ring.collect(10, &mut out) && out.is_empty());
}

#[test]
fn the_earliest_deadline_is_the_one_that_rings() {
    fn now_ns() -> u64 {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid timespec.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }
    let mut rig = Rig::new(SMALL);
    let start = now_ns();
    let in_ms = |ms: u64| start + ms * 1_000_000;
    rig.ring.timeout_at(in_ms(600_000));
    assert!(!rig.ring.collect(10, &mut Vec::new()));
    rig.ring.timeout_at(in_ms(30));
    rig.ring.timeout_at(in_ms(300_000));
    assert!(matches!(rig.one(), Completion::Timeout));
    assert!((in_ms(30)..in_ms(5_000)).contains(&now_ns()));
    rig.ring.timeout_at(in_ms(60));
    assert!(matches!(rig.one(), Completion::Timeout));
    rig.ring.timeout_at(0);
    assert!(matches!(rig.one(), Completion::Timeout), "a deadline that has passed rings too");
}

#[test]
fn ends_of_connections_are_told_apart() {
    let mut rig = Rig::new(SMALL);
    let mut pairs = rig.pairs(3).into_iter();
    let mut next = |slot: usize| {
        let (peer, served) = pairs.next().expect("three pairs");
        rig.ring.receive(token(slot), served.as_raw_fd());
        (peer, served)
    };
    let (mut left, (gone, _gone), (mut reset, cut)) = (next(0), next(1), next(2));
    socket::close(OwnedFd::from(gone), true);
    socket::shutdown_write(left.1.as_fd());
    assert_eq!(left.0.read(&mut [0]).expect("the end"), 0);
    match rig.one() {
        Completion::ReceiveEnded { end: End::Failed(libc::ECONNRESET), token: of } => {
            assert_eq!(of, token(1));
        }
        other => panic!("{other:?}"),
    }
    // The descriptor is closed only after its operations have ended.
    rig.ring.cancel_receive(token(2));
    assert!(matches!(rig.one(), Completion::ReceiveEnded { end: End::Cancelled, .. }));
    socket::close(cut, true);
    assert_eq!(reset.read(&mut [0]).expect_err("reset").kind(), ErrorKind::ConnectionReset);
}

/// Method: another thread sends a byte, waits until it was received, and sends the next, so that
/// no later byte ends a `collect` that waits for work which is not there. Where `collect` trusted
/// the flag alone, it stood still after 40,000 to 260,000 bytes.
#[test]
fn a_flag_that_outlives_its_work_holds_nothing_up() {
    const BYTES: usize = 500_000;
    // On a machine that is busy with other things each byte waits for its turn twice.
    let until = Instant::now() + Duration::from_secs(6);
    let mut rig = Rig::new(SMALL);
    let (mut peer, served) = rig.pairs(1).remove(0);
    rig.ring.receive(token(0), served.as_raw_fd());
    let received = AtomicUsize::new(0);
    let in_time = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for sent in 0..BYTES {
                peer.write_all(&[1]).expect("sends");
                let began = Instant::now();
                if began > until {
                    break;
                }
                while received.load(Ordering::Acquire) <= sent {
                    if began.elapsed() > DEADLINE {
                        // What comes ends the wait of the one who looks for it.
                        peer.write_all(&[1]).expect("sends");
                        return false;
                    }
                    std::hint::spin_loop();
                }
            }
            true
        });
        let mut out = Vec::new();
        while !sender.is_finished() {
            // Something to submit, so that the kernel is entered while the byte arrives.
            rig.ring.cancel_receive(token(1));
            rig.ring.collect(64, &mut out);
            for completion in out.drain(..) {
                let Completion::Received { token, buffer, more } = completion else {
                    panic!("{completion:?}")
                };
                received.fetch_add(buffer.length(), Ordering::Release);
                rig.ring.give_back(buffer);
                if !more {
                    rig.ring.receive(token, served.as_raw_fd());
                }
            }
        }
        sender.join().expect("it did not panic")
    });
    assert!(in_time, "collect did not return after {} bytes", received.into_inner());
}
