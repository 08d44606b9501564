//! Where frames begin and end in received bytes, and the rules that their headers must keep.
//!
//! tungstenite checks most of them too, but only when a frame is complete, which lets a peer send
//! a whole message before it learns that the header was wrong. Here a bad header is found when
//! its last byte arrives (RFC 6455, section 7.1.7: fail as soon as it is known).

use super::codec::DecodeError;
use crate::limits::FRAGMENTS_MAX;
use std::io::Cursor;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

/// Longest header: 2 bytes, 8 of length, 4 of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Follows one connection's bytes. It copies headers only, never payload.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// The start of a header of which more has to come.
    header: [u8; HEADER_BYTES_MAX],
    header_length: usize,
    /// The frame whose header is complete and whose payload is not.
    frame: Option<Unfinished>,
    /// Payload bytes so far of the data message whose last frame has not ended.
    message: Option<u64>,
    /// Data frames of that message so far.
    fragments: u32,
    /// A Close frame has ended: nothing that follows counts (RFC 6455, section 5.5.1).
    closed: bool,
    longest_payload: u64,
}

#[derive(Debug)]
struct Unfinished {
    left: u64,
    is_last: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Data,
    PingOrPong,
    /// What is known of its code, to be checked when both bytes are there.
    Close {
        mask: [u8; 4],
        code: [u8; 2],
        seen: usize,
    },
}

impl Walker {
    /// Walks over `bytes`. Returns how many of them may be decoded: all, or those up to the end
    /// of a Close frame, or those before the frame that is wrong. `message_max` is in bytes.
    pub(super) fn walk(
        &mut self,
        bytes: &[u8],
        message_max: u64,
    ) -> (usize, Result<(), DecodeError>) {
        let mut at = 0;
        let mut frame_start = 0;
        while !self.closed && (at < bytes.len() || self.frame_is_complete()) {
            let step = match &mut self.frame {
                None => {
                    if self.header_length == 0 {
                        frame_start = at;
                    }
                    self.take_header(&bytes[at..], message_max)
                }
                Some(_) => self.take_payload(&bytes[at..]),
            };
            match step {
                Ok(taken) => at += taken,
                Err(error) => return (frame_start, Err(error)),
            }
        }
        (at, Ok(()))
    }

    /// No frame and no fragmented message is open: a new decoder would continue as well.
    pub(super) fn is_at_rest(&self) -> bool {
        self.frame.is_none() && self.header_length == 0 && self.message.is_none() && !self.closed
    }

    /// Length of the longest frame so far: what the decoder's buffer has grown to.
    pub(super) fn longest_payload(&self) -> u64 {
        self.longest_payload
    }

    /// At most so many bytes does a decoder hold: the frame it waits for, whose length it has
    /// reserved, and the message it joins, whose buffer may have doubled.
    pub(super) fn held_bytes_max(&self) -> usize {
        let message = self.message.unwrap_or(0).saturating_mul(2);
        usize::try_from(self.longest_payload.saturating_add(message)).unwrap_or(usize::MAX)
    }

    fn frame_is_complete(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| frame.left == 0)
    }

    fn take_header(&mut self, bytes: &[u8], message_max: u64) -> Result<usize, DecodeError> {
        let before = self.header_length;
        let room = &mut self.header[before..];
        let copied = room.len().min(bytes.len());
        room[..copied].copy_from_slice(&bytes[..copied]);
        let mut cursor = Cursor::new(&self.header[..before + copied]);
        match FrameHeader::parse(&mut cursor) {
            Ok(None) => {
                self.header_length = before + copied;
                Ok(copied)
            }
            Ok(Some((header, length))) => {
                let header_length = cursor.position() as usize;
                if header.len(length) != header_length {
                    return Err(DecodeError::LengthForm);
                }
                self.begin(header, length, message_max)?;
                self.header_length = 0;
                Ok(header_length - before)
            }
            // The only error that a header alone can give.
            Err(_) => Err(DecodeError::Opcode(self.header[0] & 0x0f)),
        }
    }

    fn begin(
        &mut self,
        header: FrameHeader,
        length: u64,
        message_max: u64,
    ) -> Result<(), DecodeError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(DecodeError::ReservedBits);
        }
        let mask = header.mask.ok_or(DecodeError::Unmasked)?;
        let kind = match header.opcode {
            OpCode::Data(data) => self.begin_data(data, length, message_max)?,
            OpCode::Control(_) if !header.is_final => return Err(DecodeError::ControlFragmented),
            OpCode::Control(_) if length > 125 => return Err(DecodeError::ControlLength),
            OpCode::Control(Control::Close) if length == 1 => {
                return Err(DecodeError::ClosePayload);
            }
            OpCode::Control(Control::Close) => Kind::Close { mask, code: [0; 2], seen: 0 },
            OpCode::Control(_) => Kind::PingOrPong,
        };
        self.longest_payload = self.longest_payload.max(length);
        self.frame = Some(Unfinished { left: length, is_last: header.is_final, kind });
        Ok(())
    }

    fn begin_data(
        &mut self,
        data: Data,
        length: u64,
        message_max: u64,
    ) -> Result<Kind, DecodeError> {
        self.fragments = if self.message.is_some() { self.fragments + 1 } else { 1 };
        if self.fragments > FRAGMENTS_MAX {
            return Err(DecodeError::TooManyFragments);
        }
        let before = match (data, self.message) {
            (Data::Continue, None) => return Err(DecodeError::NothingToContinue),
            (Data::Continue, Some(bytes)) => bytes,
            (_, Some(_)) => return Err(DecodeError::Unfinished),
            (_, None) => 0,
        };
        let bytes = before.saturating_add(length);
        if bytes > message_max {
            return Err(DecodeError::TooLarge { bytes_max: message_max });
        }
        self.message = Some(bytes);
        Ok(Kind::Data)
    }

    /// Passes over what there is of the payload, and ends the frame where that is all.
    fn take_payload(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let frame = self.frame.as_mut().expect("called with a frame that is open");
        let taken = usize::try_from(frame.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        if let Kind::Close { mask, code, seen } = &mut frame.kind {
            for byte in bytes[..taken].iter().take(2 - (*seen).min(2)) {
                code[*seen] = byte ^ mask[*seen];
                *seen += 1;
            }
            let code = u16::from_be_bytes(*code);
            if *seen == 2 && !CloseCode::from(code).is_allowed() {
                return Err(DecodeError::CloseCode(code));
            }
        }
        frame.left -= taken as u64;
        if frame.left == 0 {
            match frame.kind {
                Kind::Data if frame.is_last => self.message = None,
                Kind::Close { .. } => self.closed = true,
                Kind::Data | Kind::PingOrPong => {}
            }
            self.frame = None;
        }
        Ok(taken)
    }
}
