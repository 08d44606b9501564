//! Frames as a client that keeps no buffer per connection reads and writes them.

/// Kinds of frame (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// One whole frame of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerFrame<'a> {
    pub opcode: Opcode,
    pub payload: &'a [u8],
    /// Header and payload together: where the next frame begins.
    pub frame_bytes: usize,
}

/// How a frame of a server begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerHeader {
    pub opcode: Opcode,
    pub header_bytes: usize,
    pub payload_bytes: u64,
}

/// What a server may not send, or this reader does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is masked, which a server's never is")]
    Masked,
    #[error("reserved bits {0:#04x} are set though no extension was agreed")]
    ReservedBits(u8),
    #[error("the opcode {0} is not defined")]
    Opcode(u8),
    #[error("a control frame is fragmented or over 125 bytes")]
    Control,
    #[error("the message is fragmented; this server is expected to send whole ones")]
    Fragmented,
    #[error("the payload has {0} bytes, more than this client takes")]
    TooLong(u64),
}

/// Reads the first frame of `bytes`; `None` while it is incomplete.
///
/// Fragmented messages are refused: this server has no use for them, and joining them would cost
/// every connection a buffer. [`super::ClientStream`] does join them.
#[inline]
pub fn next_frame(
    bytes: &[u8],
    payload_bytes_max: usize,
) -> Result<Option<ServerFrame<'_>>, FrameError> {
    let Some(header) = next_header(bytes)? else { return Ok(None) };
    let ServerHeader { opcode, header_bytes, payload_bytes } = header;
    if payload_bytes > payload_bytes_max as u64 {
        return Err(FrameError::TooLong(payload_bytes));
    }
    let frame_bytes = header_bytes + payload_bytes as usize;
    let payload = bytes.get(header_bytes..frame_bytes);
    Ok(payload.map(|payload| ServerFrame { opcode, payload, frame_bytes }))
}

/// Reads the header that `bytes` begin with, for who takes payloads in pieces; `None` while it is
/// incomplete.
#[inline]
pub fn next_header(bytes: &[u8]) -> Result<Option<ServerHeader>, FrameError> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    let opcode = parse_opcode(first, second)?;
    let (header_bytes, payload_bytes) = match second {
        126 => {
            let Some(length) = bytes.get(2..4) else { return Ok(None) };
            (4, u64::from(u16::from_be_bytes(length.try_into().expect("two bytes were asked"))))
        }
        127 => {
            let Some(length) = bytes.get(2..10) else { return Ok(None) };
            (10, u64::from_be_bytes(length.try_into().expect("eight bytes were asked")))
        }
        short => (2, u64::from(short)),
    };
    Ok(Some(ServerHeader { opcode, header_bytes, payload_bytes }))
}

#[inline]
fn parse_opcode(first: u8, second: u8) -> Result<Opcode, FrameError> {
    if first & 0x70 != 0 {
        return Err(FrameError::ReservedBits(first & 0x70));
    }
    if second & 0x80 != 0 {
        return Err(FrameError::Masked);
    }
    let is_final = first & 0x80 != 0;
    let opcode = match first & 0x0f {
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        0 => return Err(FrameError::Fragmented),
        other => return Err(FrameError::Opcode(other)),
    };
    let is_control = opcode as u8 & 0x8 != 0;
    match is_control {
        true if !is_final || second > 125 => Err(FrameError::Control),
        false if !is_final => Err(FrameError::Fragmented),
        _ => Ok(opcode),
    }
}

/// Appends a client's frame; `mask` should not be guessable (RFC 6455, section 5.3).
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.push(0x80 | opcode as u8);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Code and reason of a Close frame; 1005 stands for "none given" (RFC 6455, section 7.1.5).
pub fn parse_close(payload: &[u8]) -> (u16, &str) {
    match payload {
        [high, low, reason @ ..] => {
            (u16::from_be_bytes([*high, *low]), std::str::from_utf8(reason).unwrap_or(""))
        }
        _ => (1005, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(short as u8),
            medium @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Method: every length form, cut at every byte up to its end.
    #[test]
    fn a_frame_appears_when_its_last_byte_does() {
        for length in [0, 1, 125, 126, 300, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = framed(0x81, &payload);
            let step = (length / 50).max(1);
            for cut in (0..bytes.len()).step_by(step) {
                assert_eq!(next_frame(&bytes[..cut], 1 << 20), Ok(None), "{length} {cut}");
            }
            let frame =
                ServerFrame { opcode: Opcode::Text, payload: &payload, frame_bytes: bytes.len() };
            assert_eq!(next_frame(&bytes, 1 << 20), Ok(Some(frame)));
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_an_error() {
        let cases: [(&[u8], FrameError); 8] = [
            (&[0xc1, 0], FrameError::ReservedBits(0x40)),
            (&[0x81, 0x80], FrameError::Masked),
            (&[0x83, 0], FrameError::Opcode(3)),
            (&[0x8b, 0], FrameError::Opcode(11)),
            (&[0x01, 0], FrameError::Fragmented),
            (&[0x80, 0], FrameError::Fragmented),
            (&[0x09, 0], FrameError::Control),
            (&[0x88, 126], FrameError::Control),
        ];
        for (bytes, error) in cases {
            assert_eq!(next_frame(bytes, 100), Err(error), "{bytes:?}");
        }
        assert_eq!(next_frame(&framed(0x82, &[0; 101]), 100), Err(FrameError::TooLong(101)));
    }

    #[test]
    fn a_close_is_masked_and_read_back() {
        let mut out = Vec::new();
        write_frame(&mut out, Opcode::Close, &1000_u16.to_be_bytes(), [1, 2, 3, 4]);
        assert_eq!(out, [0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2]);
        assert_eq!(parse_close(&[0x03, 0xf5, b'{', b'}']), (1013, "{}"));
        assert_eq!(parse_close(&[]), (1005, ""));
        assert_eq!(parse_close(&[0x03, 0xe8, 0xff]), (1000, ""));
    }
}
