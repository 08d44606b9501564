//! Every reason a connection is not taken, and how its client is told.

use super::hints::Pace;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refused {
    /// As many sessions as the limit allows.
    SessionsFull,
    /// Too many connections whose upgrade has not come.
    HalfOpenFull,
    /// More new ones a second than allowed.
    OverRate,
    /// Little memory is left.
    MemoryPressure,
    /// The shard is late.
    LagPressure,
    /// Its address has as many as it may. Behind a proxy it has become a session by then, which
    /// ends for the reason of the same name.
    AddressFull,
    /// The system is out of descriptors.
    DescriptorsOut,
    /// The server stops.
    Restart,
    /// It does not come from a trusted proxy, as every connection must.
    NotThroughProxy,
}

/// How the client is told, cheapest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Told {
    /// 101, and a Close frame with code 1013 and the hint.
    Closed,
    /// 503 with `Retry-After`: before anything was read, or because its request did not come.
    Unavailable,
    /// 429, before anything was read.
    TooMany,
    /// What it sent was not an upgrade; it got the answer to that.
    NotAnUpgrade,
    /// It left before it had sent its request.
    Silent,
    /// 403, before anything was read.
    Forbidden,
}

impl Refused {
    pub const ALL: [Refused; 9] = [
        Refused::SessionsFull,
        Refused::HalfOpenFull,
        Refused::OverRate,
        Refused::MemoryPressure,
        Refused::LagPressure,
        Refused::AddressFull,
        Refused::DescriptorsOut,
        Refused::Restart,
        Refused::NotThroughProxy,
    ];

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Refused::SessionsFull => "sessions_full",
            Refused::HalfOpenFull => "half_open_full",
            Refused::OverRate => "over_rate",
            Refused::MemoryPressure => "memory_pressure",
            Refused::LagPressure => "lag_pressure",
            Refused::AddressFull => "address_full",
            Refused::DescriptorsOut => "descriptors_out",
            Refused::Restart => "restart",
            Refused::NotThroughProxy => "not_through_proxy",
        }
    }

    pub fn pace(self) -> Pace {
        match self {
            Refused::OverRate | Refused::Restart => Pace::Room,
            _ => Pace::Full,
        }
    }

    /// The ladder: the best answer that `reading` refusals in progress, of at most `reading_max`,
    /// leave room for.
    pub fn answer(self, reading: usize, reading_max: usize) -> Told {
        match self {
            Refused::AddressFull => Told::TooMany,
            Refused::NotThroughProxy => Told::Forbidden,
            // Without a descriptor to spare, or at the end, nothing is waited for.
            Refused::DescriptorsOut | Refused::Restart => Told::Unavailable,
            _ if reading < reading_max => Told::Closed,
            _ => Told::Unavailable,
        }
    }
}

impl Told {
    pub const ALL: [Told; 6] = [
        Told::Closed,
        Told::Unavailable,
        Told::TooMany,
        Told::NotAnUpgrade,
        Told::Silent,
        Told::Forbidden,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Told::Closed => "close_1013",
            Told::Unavailable => "http_503",
            Told::TooMany => "http_429",
            Told::NotAnUpgrade => "http_4xx",
            Told::Silent => "silent",
            Told::Forbidden => "http_403",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_and_every_answer_has_its_own_word_and_index() {
        for (index, refused) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(refused as usize, index);
        }
        for (index, told) in Told::ALL.into_iter().enumerate() {
            assert_eq!(told as usize, index);
        }
        let words: HashSet<_> = Refused::ALL.into_iter().map(Refused::word).collect();
        assert_eq!(words.len(), Refused::ALL.len());
    }

    #[test]
    fn the_ladder_goes_from_a_close_frame_to_an_http_answer() {
        assert_eq!(Refused::SessionsFull.answer(9, 10), Told::Closed);
        assert_eq!(Refused::SessionsFull.answer(10, 10), Told::Unavailable);
        assert_eq!(Refused::AddressFull.answer(0, 10), Told::TooMany);
        assert_eq!(Refused::DescriptorsOut.answer(0, 10), Told::Unavailable);
    }
}
