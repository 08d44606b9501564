//! A client that does not read is seen with what it is behind by.

use super::{get, json, metric};
use crate::harness::{Raw, Server, wait_for};

#[test]
fn a_client_that_does_not_read_is_listed_with_its_unsent_bytes() {
    let feed = "--shards 2 --feed synthetic:symbols=50,rate=50000";
    let server = Server::start(&format!("{feed} --write-stall-ms 600000"));
    let mut reader = Raw::connect(server.address);
    reader.upgrade("/v1/stream?symbols=AAPL&max_hz=1");
    let mut stuck = Raw::connect_small(server.address, 8 * 1024);
    stuck.upgrade("/v1/stream?symbols=*");
    let address = stuck.stream.local_addr().expect("it is connected").to_string();
    let row = wait_for("the client among those that lag", || {
        let listed = json(&server, "/api/sessions?state=lagging&limit=5");
        let row = listed["sessions"].as_array()?.iter().find(|row| row["address"] == address)?;
        let is_behind = row["behind_ticks"].as_u64() > Some(1_000);
        (is_behind && row["behind_ms"].as_u64() > Some(100)).then(|| row.clone())
    });
    assert_eq!(row["state"], "lagging", "{row}");
    assert!(row["unsent_bytes"].as_u64() > Some(8 * 1024), "{row}");
    assert_eq!(row["subscriptions"], 2, "quotes and trades of *: {row}");
    assert!(row["symbols"].as_u64() > Some(20), "{row}");
    assert_eq!(row["session"].as_str().map(str::len), Some(16), "{row}");
    let all = json(&server, "/api/sessions?state=all&limit=1");
    assert_eq!(all["total"], 2, "{all}");
    assert_eq!(all["truncated"], true, "{all}");
    assert_eq!(all["sessions"][0]["address"], address, "who is furthest behind comes first");
    assert_eq!(all["silent_shards"].as_array().map(Vec::len), Some(0), "{all}");
    let metrics = get(&server, "/metrics").body;
    assert_eq!(metric(&metrics, "tapecast_lagging_sessions", ""), 1.0);

    // It reads on: what it missed was merged, and the trades beyond the tape are gaps.
    let conflated = || metric(&get(&server, "/metrics").body, "tapecast_conflated_total", "");
    wait_for("its catch-up", || {
        assert!(stuck.read(crate::harness::PATIENCE).expect("it is open"));
        stuck.bytes.clear();
        (conflated() > 0.0).then_some(())
    });
    server.stop();
}

#[test]
fn a_stuck_shard_is_named_and_the_process_neither_ready_nor_alive() {
    let server =
        Server::start("--shards 1 --fault-injection --stuck-report-ms 300 --stuck-exit-ms 60000");
    let mut client = Raw::connect(server.address);
    client.upgrade("/v1/stream");
    client.send(
        tapecast::wire::client::Opcode::Text,
        br#"{"action":"fault","at":"stall","ms":20000}"#,
    );
    wait_for("the watchdog's word", || {
        (json(&server, "/api/status")["shards"][0]["state"] == "stuck").then_some(())
    });
    for path in ["/livez", "/readyz"] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.body.contains("shard 0 is stuck"), "{path}: {}", answer.body);
    }
    let listed = json(&server, "/api/sessions?state=all");
    assert_eq!(listed["silent_shards"], serde_json::json!([0]), "{listed}");
    wait_for("the shard's return", || (get(&server, "/livez").status == 200).then_some(()));
    server.stop();
}
