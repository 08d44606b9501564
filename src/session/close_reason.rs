//! Every reason a session can end.

/// Each knows its close code (RFC 6455, section 7.4), its log word and its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseReason {
    /// The client sent a Close frame.
    ClientClosed,
    /// The TCP connection ended without a Close frame: end of stream.
    PeerLeft,
    /// The TCP connection failed: reset, or the kernel gave the peer up.
    PeerLost,
    /// What came was not an upgrade; answered with an HTTP status.
    UpgradeRefused,
    /// The upgrade did not come whole in time.
    UpgradeTimeout,
    ProtocolError,
    UnsupportedData,
    BadUtf8,
    /// Too many refused or unreadable commands.
    Abuse,
    /// Commands were sent and their answers not read until the answers' limit was reached.
    AnswersUnread,
    MessageTooLarge,
    /// A ping stayed without answer.
    PongTimeout,
    /// The socket took no byte for too long.
    WriteStall,
    /// Our own error in what is this session's alone.
    Internal,
    /// The server stops or restarts.
    Restart,
    /// The server is full.
    Overload,
    /// Behind a proxy, its address turned out to have as many as it may; answered with HTTP 429.
    AddressFull,
    /// A trusted proxy began the connection without a header of the PROXY protocol.
    BadProxyHeader,
}

/// What is done with the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// A Close frame with this code, then an orderly end.
    Close(u16),
    /// An orderly end: what is unsent is still delivered.
    Finish,
    /// A reset: nobody is there to read.
    Abort,
}

impl CloseReason {
    pub const ALL: [CloseReason; 18] = [
        CloseReason::ClientClosed,
        CloseReason::PeerLeft,
        CloseReason::PeerLost,
        CloseReason::UpgradeRefused,
        CloseReason::UpgradeTimeout,
        CloseReason::ProtocolError,
        CloseReason::UnsupportedData,
        CloseReason::BadUtf8,
        CloseReason::Abuse,
        CloseReason::AnswersUnread,
        CloseReason::MessageTooLarge,
        CloseReason::PongTimeout,
        CloseReason::WriteStall,
        CloseReason::Internal,
        CloseReason::Restart,
        CloseReason::Overload,
        CloseReason::AddressFull,
        CloseReason::BadProxyHeader,
    ];

    pub fn farewell(self) -> Farewell {
        match self {
            // The codec has already queued the reply to the client's Close frame.
            CloseReason::ClientClosed | CloseReason::UpgradeRefused => Farewell::Finish,
            CloseReason::PeerLeft | CloseReason::AddressFull => Farewell::Finish,
            CloseReason::PeerLost | CloseReason::UpgradeTimeout => Farewell::Abort,
            CloseReason::PongTimeout | CloseReason::WriteStall => Farewell::Abort,
            // Whoever it is takes this for another protocol, and would not read an answer.
            CloseReason::BadProxyHeader => Farewell::Abort,
            CloseReason::ProtocolError => Farewell::Close(1002),
            CloseReason::UnsupportedData => Farewell::Close(1003),
            CloseReason::BadUtf8 => Farewell::Close(1007),
            CloseReason::Abuse | CloseReason::AnswersUnread => Farewell::Close(1008),
            CloseReason::MessageTooLarge => Farewell::Close(1009),
            CloseReason::Internal => Farewell::Close(1011),
            CloseReason::Restart => Farewell::Close(1012),
            CloseReason::Overload => Farewell::Close(1013),
        }
    }

    /// The `error` event that goes before the Close frame, in Alpaca's numbers.
    pub fn error_code(self) -> Option<u16> {
        match self {
            CloseReason::AnswersUnread => Some(407),
            CloseReason::Internal => Some(500),
            _ => None,
        }
    }

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            CloseReason::ClientClosed => "client_closed",
            CloseReason::PeerLeft => "peer_left",
            CloseReason::PeerLost => "peer_lost",
            CloseReason::UpgradeRefused => "upgrade_refused",
            CloseReason::UpgradeTimeout => "upgrade_timeout",
            CloseReason::ProtocolError => "protocol_error",
            CloseReason::UnsupportedData => "unsupported_data",
            CloseReason::BadUtf8 => "bad_utf8",
            CloseReason::Abuse => "abuse",
            CloseReason::AnswersUnread => "answers_unread",
            CloseReason::MessageTooLarge => "message_too_large",
            CloseReason::PongTimeout => "pong_timeout",
            CloseReason::WriteStall => "write_stall",
            CloseReason::Internal => "internal",
            CloseReason::Restart => "restart",
            CloseReason::Overload => "overload",
            CloseReason::AddressFull => "address_full",
            CloseReason::BadProxyHeader => "bad_proxy_header",
        }
    }

    /// Index of its counter in an array of `ALL.len()`.
    pub fn counter(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_its_own_counter_and_word() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.counter(), index);
        }
        let words: HashSet<_> = CloseReason::ALL.into_iter().map(CloseReason::word).collect();
        assert_eq!(words.len(), CloseReason::ALL.len());
    }
}
