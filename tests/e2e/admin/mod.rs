//! The admin port of real servers, asked over plain HTTP.
//!
//! Method: each request is written by hand on a connection of its own and the answer read to its
//! end, so that nothing between hides a header or tries again. Values are held against what the
//! test's own clients did.

mod endpoints;
mod inspection;
mod loaded;
mod rules;
mod stopping;

use crate::harness::{PATIENCE, Server};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What came back.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        found.map(str::trim)
    }
}

pub fn get(server: &Server, path: &str) -> Answer {
    ask(server.admin(), "GET", path, "Host: localhost\r\n", "")
}

/// The body of a good answer, as JSON.
pub fn json(server: &Server, path: &str) -> Value {
    let answer = get(server, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// `headers` as lines with their ends.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the admin port listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\
         \r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it takes a request");
    read_answer(&mut stream)
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it answers and ends the connection");
    let text = String::from_utf8(bytes).expect("answers are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("a status"), head: head.to_string(), body: body.to_string() }
}

/// The sum over all rows of a metric whose labels contain `labels`.
pub fn metric(metrics: &str, name: &str, labels: &str) -> f64 {
    let rows = metrics.lines().filter_map(|line| {
        let (row, value) = line.rsplit_once(' ')?;
        let (found, its_labels) = row.split_once('{').unwrap_or((row, ""));
        (found == name && its_labels.contains(labels)).then(|| value.parse::<f64>())
    });
    let values: Vec<f64> = rows.map(|value| value.expect("a number")).collect();
    assert!(!values.is_empty(), "{name}{{{labels}}} is not among the metrics");
    values.into_iter().sum()
}
