//! What an encoded line depends on: the encoding, and how times are written.

/// JSON in text frames, or MessagePack in binary frames. Chosen in the upgrade, then fixed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Encoding {
    #[default]
    Json,
    MessagePack,
}

impl Encoding {
    /// The value of the URL's `encoding`.
    pub fn from_name(name: &str) -> Option<Encoding> {
        match name {
            "json" => Some(Encoding::Json),
            "msgpack" => Some(Encoding::MessagePack),
            _ => None,
        }
    }
}

/// How times are written. Belongs to the connection and may change by a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TimeStyle {
    /// RFC 3339 text in JSON, the timestamp extension type in MessagePack.
    #[default]
    Rfc3339,
    /// An integer: ns since the Unix epoch.
    Nanos,
}

impl TimeStyle {
    /// The value of `ts` in the URL and in commands.
    pub fn from_name(name: &str) -> Option<TimeStyle> {
        match name {
            "rfc3339" => Some(TimeStyle::Rfc3339),
            "ns" => Some(TimeStyle::Nanos),
            _ => None,
        }
    }
}

/// Encoding and time style together: sessions that share it can share encoded lines.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Format {
    pub encoding: Encoding,
    pub times: TimeStyle,
}

impl Format {
    pub const COUNT: usize = 4;

    /// Every format, at the place of its [`Format::index`].
    pub const ALL: [Format; Format::COUNT] = [
        Format { encoding: Encoding::Json, times: TimeStyle::Rfc3339 },
        Format { encoding: Encoding::Json, times: TimeStyle::Nanos },
        Format { encoding: Encoding::MessagePack, times: TimeStyle::Rfc3339 },
        Format { encoding: Encoding::MessagePack, times: TimeStyle::Nanos },
    ];

    /// 0 to [`Format::COUNT`] − 1, for tables by format.
    pub fn index(self) -> usize {
        self.encoding as usize * 2 + self.times as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_stands_at_its_index() {
        for (index, format) in Format::ALL.into_iter().enumerate() {
            assert_eq!(format.index(), index);
        }
        assert_eq!(Format::default().index(), 0);
    }
}
