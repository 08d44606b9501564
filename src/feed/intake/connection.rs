//! One publisher's connection: bytes in, answers out, neither waiting for the other.

use super::IntakeLimits;
use super::publisher::{Block, Cut, Publisher};
use super::reception::Reception;
use super::replies::{self, Outgoing, Replies};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{self, Instant};

/// One read.
const BLOCK_BYTES: usize = 16 * 1024;

/// Blocks between a connection and the ingest thread. Where they are full, nothing is read, and
/// TCP holds the publisher up.
const BLOCKS_MAX: usize = 4;

/// What one connection may hold in the process: its blocks (read, waiting and being taken apart),
/// the ingest thread's room for lines, and answers that wait.
pub const CONNECTION_BYTES: usize =
    (BLOCKS_MAX + 2) * BLOCK_BYTES + 2 * (crate::limits::FEED_LINE_BYTES_MAX + 1) + 32 * 1024;

/// How long a publisher that has sent everything may take to read its answers.
const GRACE: Duration = Duration::from_secs(10);

/// How long one that is turned away may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

pub enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What a connection needs to begin.
pub struct Entrance<'a> {
    pub name: String,
    pub reception: &'a Arc<Reception>,
    pub limits: IntakeLimits,
    pub place: OwnedSemaphorePermit,
}

/// The connection's side of what it shares with its [`Publisher`].
pub struct Conversation {
    blocks: mpsc::Sender<Block>,
    outgoing: Arc<Outgoing>,
    reception: Arc<Reception>,
    limits: IntakeLimits,
    /// Until both sides are done: the ingest thread may still have lines of a closed connection.
    _place: Arc<OwnedSemaphorePermit>,
}

impl Entrance<'_> {
    /// The publisher goes to the ingest thread.
    pub fn begin(self) -> Conversation {
        let Entrance { name, reception, limits, place } = self;
        let (place, outgoing) = (Arc::new(place), Arc::new(Outgoing::default()));
        let (blocks, input) = mpsc::channel(BLOCKS_MAX);
        let replies = Replies::to_connection(Arc::clone(&outgoing));
        let publisher = Publisher::new(name, input, replies, Some(Arc::clone(&place)));
        // There is a place at the reception for each permit. Without it the connection would end.
        if reception.enter(publisher).is_err() {
            tracing::error!("a publisher found no room at the reception");
        }
        Conversation { blocks, outgoing, reception: Arc::clone(reception), limits, _place: place }
    }
}

pub async fn converse(connection: Connection, conversation: Conversation) {
    match connection {
        Connection::Tcp(mut stream) => {
            let (input, output) = stream.split();
            conversation.hold(input, output).await;
        }
        Connection::Unix(mut stream) => {
            let (input, output) = stream.split();
            conversation.hold(input, output).await;
        }
    }
}

impl Conversation {
    async fn hold(self, input: impl AsyncRead + Unpin, output: impl AsyncWrite + Unpin) {
        let Conversation { blocks, outgoing, reception, limits, _place } = self;
        let reads = async {
            read(input, blocks, &reception, limits).await;
            // The end of the blocks is news too.
            reception.wake();
            time::sleep(GRACE).await;
        };
        tokio::select! {
            () = write(output, &outgoing) => {}
            () = reads => {}
        }
    }
}

/// Until the end of the input, or until the feed has gone.
async fn read(
    mut input: impl AsyncRead + Unpin,
    blocks: mpsc::Sender<Block>,
    reception: &Reception,
    limits: IntakeLimits,
) {
    let mut pace = Pace { lines_per_second: limits.lines_per_second, due: Instant::now() };
    let idle = limits.idle_s.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        let got = match idle {
            Some(idle) => time::timeout(idle, input.read(&mut buffer)).await,
            None => Ok(input.read(&mut buffer).await),
        };
        let block = match got {
            Ok(Ok(0)) => return,
            Ok(Ok(count)) => Ok(buffer[..count].to_vec()),
            Ok(Err(_)) | Err(_) => Err(Cut),
        };
        let lines = block.as_ref().map_or(0, |bytes| lines_in(bytes));
        let is_cut = block.is_err();
        if blocks.send(block).await.is_err() || is_cut {
            return;
        }
        reception.wake();
        pace.after(lines).await;
    }
}

fn lines_in(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u32
}

/// Keeps a connection to so many lines a second; a second's lines may come at once.
struct Pace {
    lines_per_second: Option<u32>,
    /// When the lines so far were due.
    due: Instant,
}

impl Pace {
    async fn after(&mut self, lines: u32) {
        let Some(rate) = self.lines_per_second else { return };
        let earliest = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(self.due);
        self.due = self.due.max(earliest) + Duration::from_secs(1) * lines / rate;
        time::sleep_until(self.due).await;
    }
}

/// Writes what comes, until the publisher has all of it or has gone.
async fn write(mut output: impl AsyncWrite + Unpin, outgoing: &Outgoing) {
    let mut is_read = true;
    while let Some(line) = outgoing.next().await {
        // Who reads no more may still send.
        is_read = is_read && output.write_all(line.as_bytes()).await.is_ok();
    }
    // It may have gone.
    let _ = output.shutdown().await;
}

/// Says that there is no place, and closes.
pub async fn turn_away(connection: Connection, most: usize) {
    let msg = format!("{most} publishers are connected, the most; come back later");
    let line = replies::refusal(&msg);
    let telling = async {
        match connection {
            Connection::Tcp(stream) => tell(stream, &line).await,
            Connection::Unix(stream) => tell(stream, &line).await,
        }
    };
    // Who does not read it in this time does not get it.
    let _ = time::timeout(FAREWELL, telling).await;
}

async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str) {
    if stream.write_all(line.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    // A socket that is closed with bytes unread is reset, and what was told is lost.
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}
