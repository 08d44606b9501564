//! The feed: quotes of a hundred symbols in turn, at an even rate, by one of two ways.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tapecast::feed::nats::{Marks, Meta, Prefix, PublisherState, SubjectKind};

const SYMBOLS: u64 = 100;

/// Quotes are sent so often.
const STEP: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pipe,
    Nats,
}

/// Runs until it is stopped.
pub struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Feeder {
    pub fn by_pipe(mut stdin: ChildStdin, ticks_per_second: u64) -> Feeder {
        Feeder::start(move |stop| {
            steps(ticks_per_second, &stop, |ticks| {
                let text: String = ticks.map(|number| line(number).1).collect();
                // The server may have ended.
                let _ = stdin.write_all(text.as_bytes());
            });
        })
    }

    pub fn by_nats(url: &str, epoch: String, ticks_per_second: u64) -> Feeder {
        let url = url.to_string();
        Feeder::start(move |stop| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            let client = runtime.block_on(async_nats::connect(url)).expect("a server");
            let prefix = Prefix::default();
            let meta = Meta {
                instance: epoch.clone(),
                epoch: epoch.clone(),
                term: 1,
                state: PublisherState::Ok,
                stream_seq: None,
                every_ms: 5,
                leaving: false,
            };
            steps(ticks_per_second, &stop, |ticks| {
                runtime.block_on(async {
                    let said = client.publish(prefix.meta(), meta.to_payload().into()).await;
                    said.expect("the client takes it");
                    for number in ticks {
                        let (symbol, text) = line(number);
                        let (epoch, sq) = (epoch.as_str(), number / SYMBOLS + 1);
                        let marks = Marks { epoch, term: 1, first: sq, last: sq };
                        let subject = prefix.subject(SubjectKind::Quotes, &symbol);
                        let headers = marks.to_headers();
                        let sent = client.publish_with_headers(subject, headers, text.into());
                        sent.await.expect("the client takes it");
                    }
                    client.flush().await.expect("a connection");
                });
            });
        })
    }

    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("the feeder does not panic");
    }

    fn start(run: impl FnOnce(Arc<AtomicBool>) + Send + 'static) -> Feeder {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Feeder { stop, thread: thread::spawn(move || run(stopped)) }
    }
}

/// Calls with the numbers that are due, until it is stopped.
fn steps(ticks_per_second: u64, stop: &AtomicBool, mut send: impl FnMut(std::ops::Range<u64>)) {
    let (began, mut sent) = (Instant::now(), 0);
    while !stop.load(Ordering::Acquire) {
        thread::sleep(STEP);
        let due = began.elapsed().as_micros() as u64 * ticks_per_second / 1_000_000;
        send(sent..due);
        sent = due;
    }
}

/// Symbol and line of a quote.
fn line(number: u64) -> (String, String) {
    let (symbol, sq) = (format!("S{:03}", number % SYMBOLS), number / SYMBOLS + 1);
    let time = "2026-11-20T14:30:00.123456789Z";
    let text = format!(
        "{{\"T\":\"q\",\"S\":\"{symbol}\",\"bx\":\"Q\",\"bp\":{sq}.25,\"bs\":300,\"ax\":\"P\",\
         \"ap\":{sq}.5,\"as\":200,\"t\":\"{time}\",\"sq\":{sq}}}\n"
    );
    (symbol, text)
}
