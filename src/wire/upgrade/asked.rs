//! What the headers of a request ask for, read in one pass: a herd of clients that come back is
//! mostly requests.

use crate::wire::Encoding;
use httparse::Header;

/// The headers that decide about an upgrade. What is not UTF-8 counts as empty.
#[derive(Debug, Default)]
pub(super) struct Asked<'h> {
    /// `Upgrade` has the word websocket, and `Connection` the word upgrade (RFC 6455, section
    /// 4.2.1, items 3 and 4).
    is_upgrade: [bool; 2],
    /// The first `Sec-WebSocket-Version`.
    pub version: Option<&'h str>,
    /// How often there is a `Host`.
    pub hosts: usize,
    /// A body is announced.
    pub has_body: bool,
    /// The last `Sec-WebSocket-Key`, and how many there are.
    pub key: Option<&'h str>,
    pub keys: usize,
    /// By the content type of a request without content, as Alpaca's SDKs ask for MessagePack.
    pub encoding: Encoding,
}

impl<'h> Asked<'h> {
    pub fn of(headers: &[Header<'h>]) -> Asked<'h> {
        let mut asked = Asked::default();
        headers.iter().for_each(|header| asked.read(header));
        asked
    }

    pub fn is_upgrade(&self) -> bool {
        self.is_upgrade == [true; 2]
    }

    fn read(&mut self, header: &Header<'h>) {
        // Names differ in length, so that most are passed over without a look at their letters.
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let value = || std::str::from_utf8(header.value).unwrap_or_default().trim_ascii();
        if is("Host") {
            self.hosts += 1;
        } else if is("Upgrade") {
            self.is_upgrade[0] |= has_word(value(), "websocket");
        } else if is("Connection") {
            self.is_upgrade[1] |= has_word(value(), "upgrade");
        } else if is("Sec-WebSocket-Version") {
            self.version = self.version.or_else(|| Some(value()));
        } else if is("Sec-WebSocket-Key") {
            self.keys += 1;
            self.key = Some(value());
        } else if is("Transfer-Encoding") {
            self.has_body = true;
        } else if is("Content-Length") {
            self.has_body |= value() != "0";
        } else if is("Content-Type") && is_msgpack(value()) {
            self.encoding = Encoding::MessagePack;
        }
    }
}

/// In a list of words whose case does not count.
fn has_word(value: &str, word: &str) -> bool {
    value.split(',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
}

fn is_msgpack(value: &str) -> bool {
    let kind = value.split(';').next().unwrap_or_default().trim();
    let known = ["application/msgpack", "application/x-msgpack"];
    known.iter().any(|known| kind.eq_ignore_ascii_case(known))
}
