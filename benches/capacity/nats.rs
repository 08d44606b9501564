//! What a message costs nats-server: messages of the publisher's shape are written to a server of
//! our own at a steady rate, so many subscribers read a copy of each, and the CPU time of the
//! server is read before the first and after the last. `cargo bench --bench capacity -- --nats`.
//!
//! The server is on the first core, publisher and subscribers on the last. Nothing here parses a
//! message: all of a case are as long as each other, so bytes are counted.

use crate::bytes::{INBOX, message};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Longest wait for anything that the server should do.
const DEADLINE: Duration = Duration::from_secs(20);

/// Messages are written together so often: what a publisher's turn brings.
const STEP: Duration = Duration::from_millis(10);

/// The numbers of a symbol go on from here, so that all have as many digits.
const FIRST: u64 = 100_000;

/// As the publisher sets it up.
const STREAM: &str = r#"{"name":"TAPE","subjects":["tape.t.>","tape.q.>","tape.b.>"],
    "retention":"limits","max_age":3600000000000,"max_bytes":1073741824,"max_consumers":-1,
    "max_msgs":-1,"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"old","storage":"file",
    "num_replicas":1,"duplicate_window":120000000000}"#;

/// One load.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub is_stored: bool,
    pub lines: u64,
    pub messages_hz: u64,
    pub copies: usize,
}

/// What it cost.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// CPU of the server for one message, with all its copies.
    pub message_us: f64,
    pub publish_bytes: usize,
    pub copy_bytes: usize,
    /// Of a stored message, on disk; 0 of others.
    pub disk_bytes: f64,
    /// The most that the server had in memory.
    pub memory_mib: f64,
}

pub fn measure(case: Case, seconds: f64) -> Outcome<Figures> {
    let server = Nats::start(case.is_stored)?;
    let count = ((case.messages_hz as f64 * seconds) as u64).max(1);
    let sample = message(1, FIRST, case.lines, case.is_stored);
    let expected = count * sample.copy_bytes as u64;
    let mut readers = Vec::new();
    for _ in 0..case.copies {
        let stream = server.connect("SUB tape.> 1\r\n")?;
        readers.push(std::thread::spawn(move || read_bytes(stream, expected)));
    }
    let mut publisher = server.connect(&format!("SUB {INBOX} 9\r\n"))?;
    if case.is_stored {
        server.make_stream()?;
        let acks = publisher.try_clone()?;
        readers.push(std::thread::spawn(move || read_lines(acks, 2 * count)));
    }
    let before_s = server.cpu_s()?;
    publish(&mut publisher, case, count)?;
    if !case.is_stored {
        // Its answer comes after all that was written before.
        publisher.write_all(b"PING\r\n")?;
        read_lines(publisher.try_clone()?, 1)?;
    }
    for reader in readers {
        reader.join().map_err(|_| "a reader panicked")??;
    }
    let message_us = (server.cpu_s()? - before_s) * 1e6 / count as f64;
    Ok(Figures {
        message_us,
        publish_bytes: sample.publish.len(),
        copy_bytes: sample.copy_bytes,
        disk_bytes: server.disk_bytes()? as f64 / count as f64,
        memory_mib: server.memory_mib()?,
    })
}

/// Steps at scheduled instants; one that is late is made up for by the next.
fn publish(to: &mut TcpStream, case: Case, count: u64) -> Outcome<()> {
    const SYMBOLS: u64 = 500;
    let (began, mut written, mut bytes) = (Instant::now(), 0, Vec::new());
    while written < count {
        let due = (began.elapsed() + STEP).as_secs_f64() * case.messages_hz as f64;
        bytes.clear();
        while written < (due as u64).min(count) {
            let first = FIRST + written / SYMBOLS * case.lines;
            let message = message(written % SYMBOLS, first, case.lines, case.is_stored);
            bytes.extend(message.publish);
            written += 1;
        }
        to.write_all(&bytes)?;
        std::thread::sleep(STEP);
    }
    Ok(())
}

fn read_bytes(mut from: TcpStream, expected: u64) -> Outcome<()> {
    let (mut buffer, mut count) = (vec![0; 256 * 1024], 0);
    while count < expected {
        let bytes = from.read(&mut buffer).map_err(|e| format!("{count} of {expected}: {e}"))?;
        if bytes == 0 {
            return Err(format!("the server left after {count} of {expected} bytes").into());
        }
        count += bytes as u64;
    }
    Ok(())
}

/// Lines that are not the server's own PING.
fn read_lines(from: TcpStream, mut expected: u64) -> Outcome<()> {
    let mut reader = BufReader::new(from);
    let mut line = String::new();
    while expected > 0 {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.starts_with("-ERR") {
            return Err(format!("the server said {line:?}, {expected} lines before the end").into());
        }
        expected -= u64::from(line != "PING\r\n");
    }
    Ok(())
}

/// A server of our own, with its ports and its directory; gone with this.
struct Nats {
    child: Child,
    directory: PathBuf,
    address: String,
}

impl Nats {
    fn start(is_stored: bool) -> Outcome<Nats> {
        static STARTED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("capacity-nats-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir"]).arg(&directory);
        if is_stored {
            command.arg("-js").arg("-sd").arg(directory.join("store"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        // The child keeps the core on which it was started.
        cores.first().map(|core| core_affinity::set_for_current(*core));
        let child = command.spawn().map_err(|e| {
            format!("nats-server does not start ({e}); install Debian's package nats-server")
        });
        cores.last().map(|core| core_affinity::set_for_current(*core));
        let mut server = Nats { child: child?, directory, address: String::new() };
        server.address = server.await_address()?;
        Ok(server)
    }

    fn await_address(&mut self) -> Outcome<String> {
        let file = self.directory.join(format!("nats-server_{}.ports", self.child.id()));
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let address = text.split("nats://").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(address) = address {
                return Ok(address.into());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("nats-server ended with {status}; run it by hand").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("nats-server named no port".into())
    }

    /// A connection whose `commands` the server has read.
    fn connect(&self, commands: &str) -> Outcome<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let hello = r#"CONNECT {"verbose":false,"headers":true,"no_responders":false}"#;
        stream.write_all(format!("{hello}\r\n{commands}PING\r\n").as_bytes())?;
        // One byte at a time, so that none is taken that comes later.
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"PONG\r\n") {
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        Ok(stream)
    }

    fn make_stream(&self) -> Outcome<()> {
        let mut stream = self.connect("SUB made 1\r\n")?;
        let text = STREAM.replace('\n', "");
        let subject = "$JS.API.STREAM.CREATE.TAPE";
        stream.write_all(format!("PUB {subject} made {}\r\n{text}\r\n", text.len()).as_bytes())?;
        let mut lines = BufReader::new(stream).lines();
        let answer = lines.nth(1).ok_or("no answer to the stream's set-up")??;
        match answer.contains("\"error\"") {
            true => Err(format!("the stream was not made: {answer}").into()),
            false => Ok(()),
        }
    }

    /// Of all its threads, in seconds.
    fn cpu_s(&self) -> Outcome<f64> {
        let mut ns = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            ns += text.split(' ').next().ok_or("no schedstat")?.parse::<u64>()?;
        }
        Ok(ns as f64 / 1e9)
    }

    fn memory_mib(&self) -> Outcome<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
        let kib = line.split_whitespace().nth(1).ok_or("no number in VmHWM")?.parse::<f64>()?;
        Ok(kib / 1024.0)
    }

    fn disk_bytes(&self) -> Outcome<u64> {
        fn below(directory: &Path) -> std::io::Result<u64> {
            let mut bytes = 0;
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let data = entry.metadata()?;
                bytes += if data.is_dir() { below(&entry.path())? } else { data.len() };
            }
            Ok(bytes)
        }
        let messages = self.directory.join("store/jetstream/$G/streams/TAPE/msgs");
        if messages.exists() { Ok(below(&messages)?) } else { Ok(0) }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // Already gone where it failed; what is left of it is the directory.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
