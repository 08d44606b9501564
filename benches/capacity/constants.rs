//! Every number that the reckoning starts from, and where it is from. What is measured names the
//! file and the row, and the small mode looks whether it still stands there.

use std::path::Path;

/// Where a number is from.
pub enum Origin {
    /// In `file`, below the heading that begins with `section`, a line that begins with `row`
    /// holds `text`. `commit` is the server that was measured.
    Measured {
        file: &'static str,
        section: &'static str,
        row: &'static str,
        text: &'static str,
        commit: &'static str,
    },
    /// Nobody has measured it; the text says what it rests on.
    Assumed(&'static str),
}

pub struct Constant {
    pub value: f64,
    /// With its unit.
    pub what: &'static str,
    pub origin: Origin,
}

const RESULTS: &str = "benches/results/results.md";
const ROUNDS: &str = "benches/results/results.json";
const NOTES: &str = "benches/RESULTS.md";
const USERS: &str = "## Users";
const ENGINE: &str = "## What the engine in between costs";
/// Measured with the server as it was when the row was written.
const OLDER: &str = "the commit of that row";
const NATS: &str = "nats-server 2.9.10";

const fn measured(
    value: f64,
    what: &'static str,
    [file, section, row, text, commit]: [&'static str; 5],
) -> Constant {
    Constant { value, what, origin: Origin::Measured { file, section, row, text, commit } }
}

pub const SEND_ONE: Constant = measured(
    4.837,
    "µs of CPU for a send of 1 update, everybody the same",
    [RESULTS, "## W1", "| tapecast |", "4.837", "84211f6"],
);
pub const UPDATE_OF_50: Constant = measured(
    0.100,
    "µs of CPU for an update, 50 a send, everybody the same",
    [RESULTS, "## W2", "| tapecast |", "0.100", "84211f6"],
);
/// In saturation; most of its rounds do not count as a comparison, and they are the only ones with
/// so much in a send: 130,598,747 updates in 1,753,668 frames.
pub const UPDATE_OF_74: Constant = measured(
    0.093,
    "µs of CPU for an update, 74 a send, in saturation",
    [RESULTS, USERS, "| M1 597 ms | tapecast", "0.093", "7976b33"],
);
pub const SEND_RARE: Constant = measured(
    7.519,
    "µs of CPU for a send of 1 update, once a second",
    [RESULTS, "## W5", "| tapecast |", "7.519", "84211f6"],
);
/// In turns, so beside as many clients of the floor, of which one of four
/// rounds counts; behind one another it was 6.549 at commit 73a383d.
pub const OWN_SEND_ONE: Constant = measured(
    7.412,
    "µs of CPU for a send of 1 update, everybody other symbols",
    [RESULTS, USERS, "| L1 at 65 % | tapecast", "7.412", "1524781"],
);
/// 9,778,928 updates in 1,083,696 frames: 9.0 a send.
pub const OWN_UPDATE_OF_9: Constant = measured(
    0.692,
    "µs of CPU for an update, 9 a send, everybody other symbols",
    [RESULTS, USERS, "| L6 at 65 % | tapecast", "0.692", "7976b33"],
);
/// 19,952,497 updates in 1,107,012 frames: 18.0 a send.
pub const OWN_UPDATE_OF_18: Constant = measured(
    0.397,
    "µs of CPU for an update, 18 a send, everybody other symbols",
    [RESULTS, USERS, "| L6 at 200 Hz at 65 % | tapecast", "0.397", "7976b33"],
);
pub const CONNECT: Constant = measured(
    10.68,
    "µs of CPU for a connect with its upgrade",
    [RESULTS, "## W3", "| tapecast |", "10.68", "84211f6"],
);
pub const SESSION_BYTES: Constant = measured(
    296.0,
    "bytes of the process for a client, everybody the same",
    [RESULTS, "## W3", "| tapecast |", "296", "84211f6"],
);
pub const OWN_SESSION_BYTES: Constant = measured(
    3_239.0,
    "bytes of the process for a client with 100 symbols of its own",
    [ROUNDS, "", "", "3239.096", "7976b33"],
);
pub const SLAB_BYTES: Constant = measured(
    8_971.0,
    "bytes of the kernel for a client, both ends of the connection",
    [RESULTS, "## W3", "| tapecast |", "8971", "84211f6"],
);
pub const STALLED_BYTES: Constant = measured(
    56.0 * 1_024.0,
    "bytes of the kernel for a client that does not read",
    ["README.md", "## Limits", "| kernel memory of a client", "36 to 56 KiB measured", OLDER],
);
/// 15,000,000 updates.
pub const UPDATE_BYTES: Constant = measured(
    1_723_500_000.0 / 15_000_000.0,
    "bytes of an update, JSON with ts=ns, 50 a frame",
    [ROUNDS, "", "", "1723500000", "84211f6"],
);
pub const LINE_NS: Constant = measured(
    410.0,
    "ns of the ingest thread from a line to a numbered tick",
    [NOTES, "## What one feed", "* *with parsing*", "410 ns", "84211f6"],
);
pub const PUSH_NS: Constant = measured(
    11.2,
    "ns of the ingest thread to push a tick to a shard",
    [NOTES, "## What one feed", "| 1 |", "11.2", "84211f6"],
);
pub const ENCODE_NS: Constant = measured(
    104.0,
    "ns of a shard to encode a quote, once for all its clients",
    [NOTES, ENGINE, "| encoding a quote", "104", "efca92b"],
);
pub const MARK_NS: Constant = measured(
    21.2,
    "ns of a shard to note a tick for a cohort",
    [NOTES, ENGINE, "| noting a tick", "21.2", "efca92b"],
);
pub const NATS_IN: Constant = measured(
    3.0,
    "µs of nats-server for a message, without copies; further lines are within the noise",
    [NOTES, ENGINE, "| no | 1 | 5000 | 0 |", "3.0 (2.0–3.5)", NATS],
);
pub const NATS_COPY: Constant = measured(
    (18.9 - 3.0) / 32.0,
    "µs of nats-server for a copy of a message of 1 line: 32 copies against none",
    [NOTES, ENGINE, "| no | 1 | 5000 | 32 |", "18.9 (", NATS],
);
pub const NATS_COPY_LINE: Constant = measured(
    ((13.1 - 2.3) - (7.6 - 3.0)) / 8.0 / 9.0,
    "µs of nats-server for each further line of a copy: 8 copies of 10 lines against 8 of 1",
    [NOTES, ENGINE, "| no | 10 | 5000 | 8 |", "13.1 (", NATS],
);
pub const NATS_STORE: Constant = measured(
    10.8 - 3.0,
    "µs of nats-server more where JetStream stores and acknowledges a message",
    [NOTES, ENGINE, "| yes | 1 | 5000 | 0 |", "10.8 (", NATS],
);
pub const NATS_DISK_BYTES: Constant = measured(
    320.0,
    "bytes on disk of a stored message of 1 line",
    [NOTES, ENGINE, "| yes | 1 | 5000 | 0 |", "| 320 |", NATS],
);
pub const PUBLISHER_TURN_S: Constant = Constant {
    value: 0.010,
    what: "s of a publisher's turn: ticks of a symbol within it are one message",
    origin: Origin::Assumed("less at low load; then messages are more and have fewer lines"),
};
pub const BEHIND_SHARE: Constant = Constant {
    value: 0.1,
    what: "of all clients do not read, at any time",
    origin: Origin::Assumed("as many as S1 stalls; a service for phones may have more"),
};
pub const AIM: Constant = Constant {
    value: 0.6,
    what: "of each resource is used at the planned load",
    origin: Origin::Assumed("the rest is for bursts, for a lost node's clients, for the network"),
};
pub const TRADES: Constant = Constant {
    value: 0.1,
    what: "of all ticks are trades, which are never merged",
    origin: Origin::Assumed("the synthetic market's default"),
};

pub const ALL: [&Constant; 26] = [
    &SEND_ONE,
    &UPDATE_OF_50,
    &UPDATE_OF_74,
    &SEND_RARE,
    &OWN_SEND_ONE,
    &OWN_UPDATE_OF_9,
    &OWN_UPDATE_OF_18,
    &CONNECT,
    &SESSION_BYTES,
    &OWN_SESSION_BYTES,
    &SLAB_BYTES,
    &STALLED_BYTES,
    &UPDATE_BYTES,
    &LINE_NS,
    &PUSH_NS,
    &ENCODE_NS,
    &MARK_NS,
    &NATS_IN,
    &NATS_COPY,
    &NATS_COPY_LINE,
    &NATS_STORE,
    &NATS_DISK_BYTES,
    &PUBLISHER_TURN_S,
    &BEHIND_SHARE,
    &AIM,
    &TRADES,
];

/// A text of the package.
pub fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A result that was measured anew changes its row: then the number here must follow it.
pub fn check() {
    for constant in ALL {
        let Origin::Measured { file, section, row, text, .. } = &constant.origin else { continue };
        let whole = text_of(file);
        let from_section = whole.split_once(&format!("\n{section}")).map(|(_, rest)| rest);
        let place = if section.is_empty() { Some(whole.as_str()) } else { from_section };
        let place = place.unwrap_or_else(|| panic!("{file} has no {section:?} any more"));
        let end = if section.is_empty() { None } else { place.find("\n## ") };
        let found = place[..end.unwrap_or(place.len())]
            .lines()
            .any(|line| line.starts_with(row) && line.contains(text));
        let what = constant.what;
        assert!(found, "{what}: {text:?} is not in {file}, {section}, {row}; put in what is there");
    }
}
