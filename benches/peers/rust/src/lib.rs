//! What the Rust peers have in common: lines of the feed become messages, the URL of an upgrade a
//! list of symbols, and what is published goes to a queue of each subscriber.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, unix::pipe};
use tokio::sync::Notify;

/// Messages that wait for one client; one that has more does not read, and is let go.
const QUEUE_MAX: usize = 16_384;

/// A burst comes whole where the pipe holds it; Linux lets a pipe have so much.
const READ_BYTES: usize = 1 << 20;

/// Numbers the lines of each symbol.
#[derive(Default)]
pub struct Messages {
    numbers: FxHashMap<String, u64>,
    rest: Vec<u8>,
}

impl Messages {
    /// Takes the next piece of the feed and gives symbol and message of each line that is whole:
    /// the line's object, with its number as the last member.
    pub fn take(&mut self, piece: &[u8], mut each: impl FnMut(&str, String)) {
        self.rest.extend_from_slice(piece);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = std::str::from_utf8(&self.rest[..end]).expect("the driver writes UTF-8");
        for line in text.lines() {
            let (_, name) = line.split_once("\"S\":\"").expect("every line has a symbol");
            let symbol = name.split('"').next().expect("a split has a first part");
            if !self.numbers.contains_key(symbol) {
                self.numbers.insert(symbol.to_string(), 0);
            }
            let number = self.numbers.get_mut(symbol).expect("just made");
            *number += 1;
            each(symbol, format!("{},\"sq\":{number}}}", &line[..line.len() - 1]));
        }
        self.rest.drain(..end);
    }
}

/// The symbols of `…?symbols=A,B`.
pub fn symbols(query: &str) -> Vec<String> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("symbols="));
    values.flat_map(|value| value.split(',')).map(str::to_string).collect()
}

/// One client's queue. Task and publisher share a thread.
pub struct Subscriber<M> {
    queue: RefCell<Vec<M>>,
    bell: Notify,
    is_gone: Cell<bool>,
}

impl<M> Subscriber<M> {
    /// Waits for messages and gives all of them for the empty `batch`; `false`: the client is let
    /// go, since it reads too slowly.
    pub async fn wait(&self, batch: &mut Vec<M>) -> bool {
        while self.queue.borrow().is_empty() {
            self.bell.notified().await;
        }
        std::mem::swap(batch, &mut self.queue.borrow_mut());
        !self.is_gone.get()
    }

    /// No more is published to it.
    pub fn leave(&self) {
        self.is_gone.set(true);
    }
}

/// Subscribers by symbol. One that has left is taken out when its symbol is published next.
pub struct Topics<M> {
    lists: RefCell<FxHashMap<String, Vec<Rc<Subscriber<M>>>>>,
}

impl<M: Clone> Topics<M> {
    #[allow(clippy::new_without_default, reason = "a peer makes one, by name")]
    pub fn new() -> Rc<Topics<M>> {
        Rc::new(Topics { lists: RefCell::default() })
    }

    pub fn subscribe(&self, symbols: &[String]) -> Rc<Subscriber<M>> {
        let (queue, bell, is_gone) = (RefCell::default(), Notify::new(), Cell::new(false));
        let subscriber = Rc::new(Subscriber { queue, bell, is_gone });
        let mut lists = self.lists.borrow_mut();
        for symbol in symbols {
            lists.entry(symbol.clone()).or_default().push(subscriber.clone());
        }
        subscriber
    }

    fn publish(&self, symbol: &str, message: &M) {
        let mut lists = self.lists.borrow_mut();
        let Some(list) = lists.get_mut(symbol) else { return };
        list.retain(|subscriber| {
            if subscriber.is_gone.get() {
                return false;
            }
            let mut queue = subscriber.queue.borrow_mut();
            if queue.is_empty() {
                subscriber.bell.notify_one();
            }
            queue.push(message.clone());
            subscriber.is_gone.set(queue.len() > QUEUE_MAX);
            true
        });
    }

    /// Publishes standard input, which must be a pipe, to its end.
    pub async fn publish_feed(&self, message_of: impl Fn(String) -> M) -> io::Result<()> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let mut input = pipe::Receiver::from_owned_fd(input)?;
        let (mut messages, mut piece) = (Messages::default(), vec![0; READ_BYTES]);
        loop {
            let count = input.read(&mut piece).await?;
            if count == 0 {
                return Ok(());
            }
            messages.take(&piece[..count], |symbol, text| self.publish(symbol, &message_of(text)));
            // The clients' tasks run before the next read.
            tokio::task::yield_now().await;
        }
    }
}

/// Listens on a free port and says so.
pub fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(4096)?;
    println!("server {}", std::process::id());
    println!("stream ws://{}/v1/stream", listener.local_addr()?);
    Ok(listener)
}

/// Runs a server until the feed ends, on this thread alone.
pub fn run(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let result = tokio::task::LocalSet::new().block_on(&runtime, server);
    // Thousands of clients need no farewell.
    std::process::exit(result.map_or_else(|error| report(&error), |()| 0))
}

fn report(error: &io::Error) -> i32 {
    eprintln!("{error}");
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_numbers_whatever_pieces_they_come_in() {
        let feed = b"{\"T\":\"q\",\"S\":\"A\",\"t\":5}\n{\"S\":\"B\"}\n{\"S\":\"A\"}\n{\"S";
        for step in [1, 7, feed.len()] {
            let (mut messages, mut all) = (Messages::default(), Vec::new());
            for piece in feed.chunks(step) {
                messages.take(piece, |symbol, text| all.push(format!("{symbol} {text}")));
            }
            let expected = [
                "A {\"T\":\"q\",\"S\":\"A\",\"t\":5,\"sq\":1}",
                "B {\"S\":\"B\",\"sq\":1}",
                "A {\"S\":\"A\",\"sq\":2}",
            ];
            assert_eq!(all, expected, "{step}");
        }
    }

    #[test]
    fn a_query_names_symbols() {
        assert_eq!(symbols("x=1&symbols=A,B&ts=ns"), ["A", "B"]);
        assert!(symbols("").is_empty());
    }
}
