//! Server frames (RFC 6455, section 5.2): a header without a mask, then the payload.
//!
//! Without a mask the bytes are the same for everyone, so one encoding serves a whole cohort.

use super::Encoding;
use crate::limits::{CLOSE_REASON_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// Appends one data frame whose payload is the array of `lines`, each an encoded element.
///
/// `lines_bytes` is the sum of their lengths, `count` their number. That the payload fits
/// [`FRAME_PAYLOAD_BYTES_MAX`] is the caller's duty; see [`array_payload_len`].
pub fn write_array<'a>(
    encoding: Encoding,
    count: usize,
    lines_bytes: usize,
    lines: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) {
    let length = array_payload_len(encoding, count, lines_bytes);
    debug_assert!(length <= FRAME_PAYLOAD_BYTES_MAX, "{length} bytes in one frame");
    write_header(data_opcode(encoding == Encoding::Json), length, out);
    let start = out.len();
    match encoding {
        Encoding::Json => {
            for (index, line) in lines.enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                out.extend_from_slice(line);
            }
            if count == 0 {
                out.push(b'[');
            }
            out.push(b']');
        }
        Encoding::MessagePack => {
            rmp::encode::write_array_len(out, count as u32).expect("a Vec takes every byte");
            for line in lines {
                out.extend_from_slice(line);
            }
        }
    }
    debug_assert_eq!(out.len() - start, length, "count or lines_bytes is not that of the lines");
}

/// Length of the payload that [`write_array`] makes: the lines, and what joins them.
pub fn array_payload_len(encoding: Encoding, count: usize, lines_bytes: usize) -> usize {
    let around = match (encoding, count) {
        (Encoding::Json, 0) => 2,
        // Two brackets, and a comma fewer than there are lines.
        (Encoding::Json, _) => count + 1,
        (Encoding::MessagePack, 0..=15) => 1,
        (Encoding::MessagePack, 16..=0xffff) => 3,
        (Encoding::MessagePack, _) => 5,
    };
    lines_bytes + around
}

/// Appends one data frame of any length: text (which must then be UTF-8) or binary.
pub fn write_message(is_text: bool, payload: &[u8], out: &mut Vec<u8>) {
    write_header(data_opcode(is_text), payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a Close frame. `reason` is cut to the 123 bytes that fit, at a character's end.
pub fn write_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let reason = cut(reason, CLOSE_REASON_BYTES_MAX);
    write_header(OpCode::Control(Control::Close), 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends a Ping frame. `payload` is ours, so that it has at most 125 bytes is asserted.
pub fn write_ping(payload: &[u8], out: &mut Vec<u8>) {
    assert!(payload.len() <= 125, "a control frame's payload has at most 125 bytes");
    write_header(OpCode::Control(Control::Ping), payload.len(), out);
    out.extend_from_slice(payload);
}

/// The longest start of `text` that has at most `bytes_max` bytes and ends with a character.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

fn data_opcode(is_text: bool) -> OpCode {
    OpCode::Data(if is_text { Data::Text } else { Data::Binary })
}

fn write_header(opcode: OpCode, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(length as u64, out).expect("a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(encoding: Encoding, lines: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let bytes = lines.iter().map(|line| line.len()).sum();
        write_array(encoding, lines.len(), bytes, lines.iter().copied(), &mut out);
        out
    }

    #[test]
    fn arrays_are_joined_and_counted() {
        assert_eq!(array(Encoding::Json, &[]), b"\x81\x02[]");
        assert_eq!(array(Encoding::Json, &[b"{}"]), b"\x81\x04[{}]");
        assert_eq!(array(Encoding::Json, &[b"{}", b"1"]), b"\x81\x06[{},1]");
        assert_eq!(array(Encoding::MessagePack, &[b"\x80", b"\x01"]), b"\x82\x03\x92\x80\x01");
        let many = vec![&b"\x80"[..]; 16];
        assert_eq!(array(Encoding::MessagePack, &many)[..5], *b"\x82\x13\xdc\x00\x10");
    }

    /// Method: the lengths at which the header's form changes, read back from the bytes.
    #[test]
    fn headers_have_the_shortest_form() {
        for (length, header) in [
            (0_usize, &b"\x82\x00"[..]),
            (125, b"\x82\x7d"),
            (126, b"\x82\x7e\x00\x7e"),
            (65_535, b"\x82\x7e\xff\xff"),
            (65_536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ] {
            let mut out = Vec::new();
            write_message(false, &vec![7; length], &mut out);
            assert_eq!(&out[..header.len()], header, "{length}");
            assert_eq!(out.len(), header.len() + length);
        }
    }

    #[test]
    fn control_frames_stay_within_125_bytes() {
        let mut out = Vec::new();
        write_close(1008, "no", &mut out);
        assert_eq!(out, b"\x88\x04\x03\xf0no");
        out.clear();
        write_close(1011, &"é".repeat(100), &mut out);
        assert_eq!(out.len(), 2 + 2 + 122, "123 bytes would cut the last é in two");
        out.clear();
        write_ping(b"7", &mut out);
        assert_eq!(out, b"\x89\x017");
    }
}
