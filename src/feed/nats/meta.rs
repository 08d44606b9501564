//! What a publisher says of itself on `PREFIX.meta`.

use super::headers::is_epoch;
use serde::{Deserialize, Serialize};

/// How often it says so, in ms, and at once when something changes.
pub const META_EVERY_MS: u64 = 500;

/// That a publisher is there, and how it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub epoch: String,
    pub term: u64,
    /// Which process it is: host and process id.
    pub instance: String,
    /// Of the feed that it publishes.
    pub state: PublisherState,
    /// Sequence number in the JetStream stream up to which all that it sent before this is
    /// stored; `None` without JetStream.
    pub stream_seq: Option<u64>,
    pub every_ms: u64,
    /// It stops in order, and says so last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// How a publisher's feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublisherState {
    Ok,
    Stale,
    Down,
}

/// What stands around it: its type.
#[derive(Serialize, Deserialize)]
#[serde(tag = "T", rename_all = "lowercase")]
enum Said<M> {
    Publisher(M),
}

impl Meta {
    /// `None` where it is none, or its epoch is none.
    pub fn parse(payload: &[u8]) -> Option<Meta> {
        let Said::Publisher(meta) = serde_json::from_slice::<Said<Meta>>(payload).ok()?;
        is_epoch(&meta.epoch).then_some(meta)
    }

    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(&Said::Publisher(self)).expect("texts and numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_as_written_in_the_contract() {
        let meta = Meta {
            epoch: "e1".into(),
            term: 4,
            instance: "host-7".into(),
            state: PublisherState::Stale,
            stream_seq: None,
            every_ms: META_EVERY_MS,
            leaving: false,
        };
        let text = concat!(
            r#"{"T":"publisher","epoch":"e1","term":4,"instance":"host-7","#,
            r#""state":"stale","stream_seq":null,"every_ms":500}"#
        );
        assert_eq!(meta.to_payload(), text.as_bytes());
        assert_eq!(Meta::parse(text.as_bytes()), Some(meta));
        assert_eq!(Meta::parse(text.replace("publisher", "other").as_bytes()), None);
        assert_eq!(Meta::parse(text.replace("e1", "e 1").as_bytes()), None);
        assert_eq!(Meta::parse(b"{}"), None);
    }
}
