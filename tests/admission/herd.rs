//! Very many clients on one thread.

use super::raw::{Answer, REQUEST, parse};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub struct Member {
    /// Until it was refused and closed.
    stream: Option<TcpStream>,
    requested: bool,
    got: Vec<u8>,
    pub answer: Option<Answer>,
    /// Quotes since it was served.
    pub quotes: u64,
    /// The sequence number of the last one.
    last: u64,
    /// What should not have happened to it.
    pub trouble: Option<String>,
}

pub struct Herd {
    poll: Poll,
    to: SocketAddr,
    pub members: Vec<Member>,
    answered: usize,
}

impl Herd {
    pub fn new(to: SocketAddr) -> Herd {
        Herd { poll: Poll::new().expect("epoll"), to, members: Vec::new(), answered: 0 }
    }

    /// Begins so many connects, all at once.
    pub fn grow(&mut self, count: usize) {
        for _ in 0..count {
            let mut stream = TcpStream::connect(self.to).expect("a descriptor and a port");
            let token = Token(self.members.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, interest).expect("epoll");
            self.members.push(Member {
                stream: Some(stream),
                requested: false,
                got: Vec::new(),
                answer: None,
                quotes: 0,
                last: 0,
                trouble: None,
            });
        }
    }

    /// Drives all until `enough` says so.
    pub fn drive(&mut self, what: &str, mut enough: impl FnMut(&Herd) -> bool) {
        let deadline = Instant::now() + super::PATIENCE;
        let mut events = Events::with_capacity(4096);
        while !enough(self) {
            assert!(Instant::now() < deadline, "{what}: {} answered", self.answered);
            let pause = Some(Duration::from_millis(100));
            self.poll.poll(&mut events, pause).expect("polls");
            for event in &events {
                let member = &mut self.members[event.token().0];
                let was_answered = member.answer.is_some();
                member.step();
                self.answered += usize::from(!was_answered && member.answer.is_some());
            }
        }
    }

    pub fn all_answered(&self) -> bool {
        self.answered == self.members.len()
    }

    pub fn served(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.answer == Some(Answer::Served))
    }
}

impl Member {
    fn step(&mut self) {
        if !self.requested {
            self.request();
        }
        let mut buffer = [0; 16 * 1024];
        while let Some(stream) = &mut self.stream {
            match stream.read(&mut buffer) {
                Ok(0) => self.over("an end"),
                Ok(count) => {
                    self.got.extend_from_slice(&buffer[..count]);
                    self.digest();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(error) => self.over(&error.to_string()),
            }
        }
    }

    fn request(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        match stream.write(REQUEST) {
            Ok(count) => {
                assert_eq!(count, REQUEST.len(), "a fresh socket takes it");
                self.requested = true;
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            // It was told before it could ask, which the read will show.
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.requested = true;
            }
            Err(error) => self.over(&error.to_string()),
        }
    }

    fn over(&mut self, how: &str) {
        self.stream = None;
        if self.answer.is_none() || self.answer == Some(Answer::Served) {
            let got = String::from_utf8_lossy(&self.got);
            self.trouble = Some(format!("{how} after {:?}, told {got:?}", self.answer));
        }
    }

    fn digest(&mut self) {
        if self.answer.is_none() {
            self.answer = parse(&self.got);
        }
        if self.answer == Some(Answer::Served) {
            self.count_quotes();
        }
    }

    /// Quotes follow each other without a hole, since the client keeps up.
    fn count_quotes(&mut self) {
        let text = String::from_utf8_lossy(&self.got).into_owned();
        // What comes behind the last whole item waits for the rest.
        let whole = text.rfind('}').map_or(0, |at| at + 1);
        for item in text[..whole].split("{\"T\":\"q\"").skip(1) {
            let number = item.split("\"sq\":").nth(1).expect("a quote has a number");
            let number = number.split([',', '}']).next().expect("digits").parse::<u64>();
            let number = number.expect("digits");
            if self.last != 0 && number != self.last + 1 {
                self.trouble = Some(format!("quote {number} after {}", self.last));
            }
            (self.last, self.quotes) = (number, self.quotes + 1);
        }
        self.got = text.as_bytes()[whole..].to_vec();
    }
}
