//! Method: exact text for JSON; MessagePack is read back by another path and compared as JSON.

use super::*;
use crate::limits::CLOSE_REASON_BYTES_MAX;

const PACKED: Format = Format { encoding: Encoding::MessagePack, times: TimeStyle::Nanos };

/// The JSON text that `write` makes, after its frame header was checked and cut off. Also writes
/// it in MessagePack and compares.
fn text(write: impl Fn(Format, &mut Vec<u8>)) -> String {
    let nanos = Format { encoding: Encoding::Json, times: TimeStyle::Nanos };
    let (mut json, mut packed) = (Vec::new(), Vec::new());
    write(nanos, &mut json);
    write(PACKED, &mut packed);
    let value: serde_json::Value = serde_json::from_slice(payload(&json, 0x81)).expect("JSON");
    let unpacked: serde_json::Value =
        rmp_serde::from_slice(payload(&packed, 0x82)).expect("MessagePack");
    assert_eq!(value, unpacked);
    String::from_utf8(payload(&json, 0x81).to_vec()).expect("UTF-8")
}

fn payload(frame: &[u8], first: u8) -> &[u8] {
    assert_eq!(frame[0], first);
    let (header, length) = match frame[1] {
        126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
        short => (2, usize::from(short)),
    };
    assert_eq!(frame.len(), header + length);
    &frame[header..]
}

#[test]
fn events_are_exact() {
    let limits = Limits { symbols: 20_000, since: 1000, message_bytes: 262_144 };
    assert_eq!(
        text(|format, out| connected(format, "e1", "s-7", &limits, out)),
        concat!(
            r#"[{"T":"success","msg":"connected","v":1,"epoch":"e1","session":"s-7","#,
            r#""limits":{"symbols":20000,"since":1000,"message_bytes":262144}}]"#
        )
    );
    assert_eq!(text(authenticated), r#"[{"T":"success","msg":"authenticated"}]"#);
    let id = MessageId::Text("a\"".into());
    assert_eq!(
        text(|format, out| error(format, 405, "too many", Some(&id), out)),
        r#"[{"T":"error","code":405,"msg":"too many","id":"a\""}]"#
    );
    assert_eq!(
        text(|format, out| error(format, 400, "no", None, out)),
        r#"[{"T":"error","code":400,"msg":"no"}]"#
    );
    assert_eq!(
        text(|format, out| heartbeat(format, 5, FeedState::Ok, None, 9, out)),
        r#"[{"T":"hb","t":5,"feed":"ok","age_ms":null,"n":9}]"#
    );
    assert_eq!(
        text(|format, out| feed(format, FeedState::Stale, &["A", "B"], out)),
        r#"[{"T":"feed","state":"stale","S":["A","B"]}]"#
    );
    assert_eq!(
        text(|format, out| shutdown(format, 3000, 5000, out)),
        r#"[{"T":"shutdown","in_ms":3000,"retry_ms":5000}]"#
    );
    assert_eq!(text(|format, out| epoch(format, "e2", out)), r#"[{"T":"epoch","epoch":"e2"}]"#);
}

#[test]
fn a_subscription_tells_what_is_in_force() {
    let id = MessageId::Number(7);
    let subscribed = Subscription {
        id: Some(&id),
        symbols: [&["AAPL"], &["*", "MSFT"], &[]],
        max_hz: Rate { millihertz: 4000 },
        heartbeat_ms: 0,
    };
    assert_eq!(
        text(|format, out| subscription(format, &subscribed, out)),
        concat!(
            r#"[{"T":"subscription","id":7,"trades":["AAPL"],"quotes":["*","MSFT"],"bars":[],"#,
            r#""max_hz":4,"heartbeat_ms":0}]"#
        )
    );
    let slow = Subscription { id: None, max_hz: Rate { millihertz: 250 }, ..subscribed };
    assert!(text(|format, out| subscription(format, &slow, out)).contains(r#""max_hz":0.25,"#));
}

#[test]
fn times_follow_the_style() {
    let write = |format| {
        let mut out = Vec::new();
        pong(format, None, 1_381_239_981_414_000_000, &mut out);
        out
    };
    assert_eq!(write(Format::default())[2..], *br#"[{"T":"pong","t":"2013-10-08T13:46:21.414Z"}]"#);
    let packed = write(Format { times: TimeStyle::Rfc3339, ..PACKED });
    let mut expected = vec![0xa1, b't', 0xd7, 0xff];
    expected.extend((414_000_000_u64 << 34 | 1_381_239_981).to_be_bytes());
    assert!(packed.ends_with(&expected), "{packed:02x?}");
}

#[test]
fn the_retry_hint_fits_a_close_frame() {
    assert_eq!(retry_reason(5000, 6000), r#"{"retry_ms":5000,"jitter_ms":6000}"#);
    assert!(retry_reason(u64::MAX, u64::MAX).len() <= CLOSE_REASON_BYTES_MAX);
}
