//! A publisher that keeps to the contract, and does otherwise where a test wants it.

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, HeaderMap};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tapecast::feed::nats::{META_EVERY_MS, Marks, Meta, Prefix, PublisherState, SubjectKind};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::oneshot;

/// How long an acknowledgement may take before the message is sent once more.
const ACK_MAX: Duration = Duration::from_secs(1);

/// What the stream may keep of a subject; `None`: no stream, and nothing is acknowledged.
pub type Stream = Option<Kept>;

#[derive(Debug, Clone, Copy)]
pub enum Kept {
    All,
    PerSubject(i64),
}

enum Order {
    Send(SubjectKind, String, u64, u64),
    Term(u64),
    State(PublisherState),
    Settled(oneshot::Sender<()>),
}

/// Publishes on a thread of its own, and says that it is there until it is dropped.
pub struct Publisher {
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    client: Client,
    stream: Stream,
    meta: Meta,
}

impl Publisher {
    pub fn start(url: &str, instance: &str, epoch: &str, term: u64, stream: Stream) -> Publisher {
        Publisher::start_as(ConnectOptions::new(), url, instance, epoch, term, stream)
    }

    /// The same with a login.
    pub fn start_as(
        options: ConnectOptions,
        url: &str,
        instance: &str,
        epoch: &str,
        term: u64,
        stream: Stream,
    ) -> Publisher {
        let (orders, mut taken) = mpsc::unbounded_channel();
        let meta = Meta {
            epoch: epoch.into(),
            term,
            instance: instance.into(),
            state: PublisherState::Ok,
            stream_seq: None,
            every_ms: META_EVERY_MS,
            leaving: false,
        };
        let url = url.to_string();
        let run = async move {
            let client = options.connect(url).await.expect("a server");
            let mut work = Work { client, stream, meta };
            work.make_stream().await;
            let mut ticks = tokio::time::interval(Duration::from_millis(META_EVERY_MS));
            loop {
                tokio::select! {
                    order = taken.recv() => match order {
                        Some(order) => work.follow(order).await,
                        None => return,
                    },
                    _ = ticks.tick() => work.say().await,
                }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let thread = Some(thread::spawn(move || runtime.block_on(run)));
        Publisher { orders: Some(orders), thread }
    }

    pub fn trades(&self, symbol: &str, numbers: std::ops::RangeInclusive<u64>) {
        for sq in numbers {
            self.order(Order::Send(SubjectKind::Trades, symbol.into(), sq, sq));
        }
    }

    pub fn quote(&self, symbol: &str, sq: u64) {
        self.order(Order::Send(SubjectKind::Quotes, symbol.into(), sq, sq));
    }

    pub fn bar(&self, symbol: &str, sq: u64) {
        self.order(Order::Send(SubjectKind::Bars, symbol.into(), sq, sq));
    }

    /// What is sent from here on is of this term, as that of one who was succeeded is.
    pub fn set_term(&self, term: u64) {
        self.order(Order::Term(term));
    }

    pub fn set_state(&self, state: PublisherState) {
        self.order(Order::State(state));
    }

    /// Waits until all orders are done: sent, and stored where there is a stream.
    pub fn settle(&self) {
        let (done, wait) = oneshot::channel();
        self.order(Order::Settled(done));
        wait.blocking_recv().expect("the publisher lives");
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("only drop takes it");
        assert!(orders.send(order).is_ok(), "the publisher has died");
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            panic!("the publisher has died");
        }
    }
}

impl Work {
    async fn make_stream(&self) {
        let Some(kept) = self.stream else { return };
        let prefix = Prefix::default();
        let config = stream::Config {
            name: prefix.stream(),
            subjects: SubjectKind::ALL.map(|kind| prefix.all_of(kind)).to_vec(),
            max_messages_per_subject: match kept {
                Kept::All => -1,
                Kept::PerSubject(most) => most,
            },
            ..stream::Config::default()
        };
        let context = jetstream::new(self.client.clone());
        context.get_or_create_stream(config).await.expect("JetStream");
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Send(kind, symbol, first, last) => self.send(kind, &symbol, first, last).await,
            Order::Term(term) => self.meta.term = term,
            Order::State(state) => {
                self.meta.state = state;
                self.say().await;
            }
            Order::Settled(done) => {
                self.client.flush().await.expect("a connection");
                self.say().await;
                // Who gave up waiting has failed for another reason.
                let _ = done.send(());
            }
        }
    }

    async fn say(&self) {
        let subject = Prefix::default().meta();
        let payload = self.meta.to_payload().into();
        self.client.publish(subject, payload).await.expect("the client takes it");
    }

    async fn send(&mut self, kind: SubjectKind, symbol: &str, first: u64, last: u64) {
        let subject = Prefix::default().subject(kind, symbol);
        let lines: String = (first..=last).map(|sq| line(kind, symbol, sq)).collect();
        let Meta { epoch, term, .. } = &self.meta;
        let headers = Marks { epoch, term: *term, first, last }.to_headers();
        if self.stream.is_none() {
            let sent = self.client.publish_with_headers(subject, headers, lines.into()).await;
            return sent.expect("the client takes it");
        }
        let id = format!("{epoch}.{}.{symbol}.{first}-{last}.{term}", kind.letter());
        self.meta.stream_seq = Some(self.store(subject, headers, lines, id).await);
    }

    /// Until it is acknowledged.
    async fn store(&self, subject: String, headers: HeaderMap, lines: String, id: String) -> u64 {
        let context = jetstream::new(self.client.clone());
        let mut headers = headers;
        headers.insert("Nats-Msg-Id", id);
        loop {
            let lines = lines.clone().into();
            let sent = context.publish_with_headers(subject.clone(), headers.clone(), lines).await;
            if let Ok(sent) = sent
                && let Ok(Ok(ack)) = tokio::time::timeout(ACK_MAX, sent).await
            {
                return ack.sequence;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn line(kind: SubjectKind, symbol: &str, sq: u64) -> String {
    let begin = format!("{{\"T\":\"{}\",\"S\":\"{symbol}\"", kind.letter());
    let time = "2026-11-20T14:30:00Z";
    let rest = match kind {
        SubjectKind::Trades => format!("\"p\":{sq}.25,\"s\":{sq}"),
        SubjectKind::Quotes => format!("\"bp\":{sq},\"bs\":1,\"ap\":{sq}.5,\"as\":2"),
        SubjectKind::Bars => {
            format!("\"o\":1,\"h\":{sq},\"l\":1,\"c\":2,\"v\":{sq},\"n\":3,\"vw\":1.5")
        }
    };
    format!("{begin},{rest},\"t\":\"{time}\",\"sq\":{sq}}}\n")
}
