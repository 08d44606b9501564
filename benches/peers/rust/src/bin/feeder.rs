//! Publishes the feed to a server that is a program of its own; its CPU is not the server's.
//!
//! * `feeder nats|nchan PORT`: publishes standard input to that port of this host, to its end.
//! * `feeder await PORT`: returns when the port accepts connections.
//! * `feeder ports N`: prints N free ports.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use peers::Messages;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// As the peers that read the feed themselves.
const READ_BYTES: usize = 1 << 20;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "give one of: nats PORT, nchan PORT, await PORT, ports N";
    let [task, number] = &arguments[..] else { return Err(io::Error::other(usage)) };
    let number: u16 = number.parse().map_err(|_| io::Error::other(usage))?;
    match task.as_str() {
        "nats" => publish_to_nats(connect(number)?),
        "nchan" => publish_to_nchan(connect(number)?),
        "await" => connect(number).map(drop),
        "ports" => print_free_ports(number),
        _ => Err(io::Error::other(usage)),
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let began = Instant::now();
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if began.elapsed() > START => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// All are held until all are known, so that no two are the same.
fn print_free_ports(count: u16) -> io::Result<()> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = (0..count).map(bind).collect::<io::Result<Vec<_>>>()?;
    for listener in &listeners {
        println!("{}", listener.local_addr()?.port());
    }
    Ok(())
}

/// `PUB` to the subject of the symbol (NATS client protocol).
fn publish_to_nats(stream: TcpStream) -> io::Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    let stream = Arc::new(Mutex::new(stream));
    let write = move |bytes: &[u8]| stream.lock().expect("no writer panics").write_all(bytes);
    write(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n")?;
    let answer = write.clone();
    std::thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            if line == "PING" && answer(b"PONG\r\n").is_err() {
                break;
            }
            if line.starts_with("-ERR") {
                eprintln!("nats-server: {line}");
            }
        }
    });
    publish(write, |symbol, text, out| {
        let head = format!("PUB tick.{symbol} {}\r\n", text.len());
        [head.as_str(), text, "\r\n"]
            .iter()
            .for_each(|part| out.extend_from_slice(part.as_bytes()));
    })
}

/// `POST` to the channel of the symbol, over one connection and without waiting for answers.
fn publish_to_nchan(mut stream: TcpStream) -> io::Result<()> {
    let mut answers = BufReader::new(stream.try_clone()?);
    std::thread::spawn(move || -> io::Result<()> {
        let mut line = Vec::new();
        while answers.read_until(b'\n', &mut line)? > 0 {
            if line.starts_with(b"HTTP/1.1 ") && line[9] != b'2' {
                eprintln!("nginx: {}", String::from_utf8_lossy(&line).trim_end());
            }
            line.clear();
        }
        Ok(())
    });
    publish(
        move |bytes| stream.write_all(bytes),
        |symbol, text, out| {
            let length = text.len();
            let head = format!(
                "POST /pub/{symbol} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
            );
            [head.as_str(), text].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        },
    )
}

/// Writes what one read gives with one write.
fn publish(
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
    request: impl Fn(&str, &str, &mut Vec<u8>),
) -> io::Result<()> {
    let (mut input, mut piece) = (io::stdin().lock(), vec![0; READ_BYTES]);
    let (mut messages, mut out) = (Messages::default(), Vec::new());
    loop {
        let count = input.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        messages.take(&piece[..count], |symbol, text| request(symbol, &text, &mut out));
        write(&out)?;
        out.clear();
    }
}
