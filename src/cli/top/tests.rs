//! Frames from canned answers, on ratatui's test terminal.
//!
//! Method: the JSON is written by hand as the README has it, so that it is also held against the
//! types that read it. Times are made up; nothing waits.

use super::fetch::{FetchError, Snapshot};
use super::input::Act;
use super::page::Page;
use super::view::{Paint, draw, text};
use crate::control::report::{Sessions, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const COLOURED: Paint = Paint { has_colours: true, has_keys: true };

fn used(used: u64) -> Value {
    json!({"used": used, "limit": 100})
}

fn shard(shard: usize, memory: u64) -> Value {
    json!({
        "shard": shard, "core": shard, "state": "turning", "restarts": 0,
        "limits": {
            "sessions": used(12), "half_open": used(0), "descriptors": used(72),
            "inlet": used(88), "memory_bytes": used(memory)
        },
        "breaker": "normal", "lag_refuses": false, "turn_lag_us": 840, "tick_lag_us": 1_250,
        "window_ms": 0, "lagging": 2, "ticks_in": 1_000, "items_out": 5_000, "frames_out": 700,
        "bytes_out": 90_000, "conflated": 3, "gaps": 1, "refused": {"full": 10}, "closed": {},
        "latency_us": {"p50": 310, "p90": 620, "p99": 4_100, "max": 12_500}
    })
}

fn status(shards: usize) -> Value {
    let past = |at: usize| {
        json!({
            "t_s": -295.0 + 5.0 * at as f64, "p50_us": 100 + at, "p99_us": 2_000 + 10 * at,
            "ticks_in": 100_000, "items_out": 500_000, "sessions": 24, "refused": 0
        })
    };
    json!({
        "version": "0.1.0", "epoch": "e1", "uptime_s": 7_500.3,
        "stream": {"listen": "127.0.0.1:9001", "path": "/v1/stream"},
        "state": "serving", "ready": true, "reasons": [], "a_later_field": 1,
        "totals": {
            "sessions": 24, "sessions_max": 200, "ticks_in": 1_000, "items_out": 10_000,
            "frames_out": 1_400, "bytes_out": 180_000, "refused": {"full": 10, "rate": 2},
            "closed": {"bye": 4}, "lagging": 4
        },
        "shards": (0..shards).map(|at| shard(at, 96)).collect::<Vec<_>>(),
        "feeds": [
            {"feed": "synthetic", "state": "live", "ticks": 200_000, "rate": 20_000.4,
             "age_ms": 3, "bad_lines": 0, "reconnects": 0},
            {"feed": "replay", "state": "stale", "ticks": 7, "rate": 0.0, "age_ms": null,
             "bad_lines": 2, "reconnects": 1}
        ],
        "history": (0..60).map(past).collect::<Vec<_>>()
    })
}

fn lagging(count: u64) -> Value {
    let session = |at: u64| {
        json!({
            "session": format!("{at:016x}"), "shard": at % 2, "address": format!("10.0.0.{at}:5"),
            "age_s": 60 + at, "state": "lagging", "subscriptions": 2, "symbols": 500,
            "behind_ticks": 1_000 - at, "behind_ms": 40 * at, "unsent_bytes": 2_048
        })
    };
    json!({
        "sessions": (1..=count).map(session).collect::<Vec<_>>(), "total": count + 600,
        "truncated": true, "silent_shards": [1]
    })
}

fn snapshot(status: Value, lagging: Value, at: Instant) -> Snapshot {
    let status: Status = serde_json::from_value(status).expect("as the README has it");
    let lagging: Sessions = serde_json::from_value(lagging).expect("as the README has it");
    Snapshot { at, status, lagging: Ok(lagging) }
}

fn page(shards: usize, count: u64, at: Instant) -> Page {
    Page::new("http://127.0.0.1:9002/", snapshot(status(shards), lagging(count), at))
}

fn frame(page: &mut Page, (columns, rows): (u16, u16), paint: Paint, now: Instant) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("it cannot fail");
    let mut visible = Default::default();
    let drawn = terminal.draw(|frame| visible = draw(page, frame.buffer_mut(), paint, now));
    drawn.expect("it cannot fail");
    page.see(visible);
    terminal.backend().clone()
}

fn shown(page: &mut Page, size: (u16, u16), now: Instant) -> String {
    frame(page, size, COLOURED, now).to_string()
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
}

#[test]
fn a_small_terminal_has_all_that_matters() {
    let now = Instant::now();
    let small = shown(&mut page(2, 40, now), (80, 24), now);
    has(&small, &["tapecast 0.1.0  serving  ready  up 2h05min", "sessions 24 of 200 (12%)"]);
    has(&small, &["in 20,000 ticks/s", "out 100k updates/s", "refused 12 (full 10, rate 2)"]);
    has(&small, &["0 on 0 ", "72%!", "88%!!", "96%!!!", "turning", "840µs", "4.1ms"]);
    has(&small, &["lagging 640, by ticks behind, 1 to", "NO ANSWER of shard 1"]);
    has(&small, &["0000000000000001", "10.0.0.1:5", "2.00KiB", "q quit"]);
}

#[test]
fn a_large_terminal_has_more() {
    let now = Instant::now();
    let large = shown(&mut page(2, 40, now), (120, 40), now);
    has(&large, &["synthetic", "live", "20,000", "3ms", "replay", "STALE"]);
    has(&large, &["of the last 4min55s", "p50 159µs", "p99 2.6ms", "symbols", "500", "▇"]);
    has(&large, &["; the 40 furthest behind"]);
}

#[test]
fn no_size_is_too_small() {
    let now = Instant::now();
    let mut page = page(16, 40, now);
    page.act(Act::Help);
    for size in [(1, 1), (3, 2), (20, 5), (79, 10), (40, 60), (300, 100)] {
        shown(&mut page, size, now);
        assert!(!text(&page, size.0, now).is_empty());
    }
    has(&shown(&mut page, (80, 24), now), &["Any key closes this."]);
}

#[test]
fn rates_are_differences_of_two_answers_of_one_process() {
    let before = Instant::now();
    let now = before + Duration::from_secs(2);
    let mut page = page(1, 0, before);
    let mut later = status(1);
    later["totals"]["ticks_in"] = json!(41_000);
    later["totals"]["items_out"] = json!(3_010_000);
    later["totals"]["bytes_out"] = json!(180_000 + 4 * 1_024 * 1_024);
    later["totals"]["refused"] = json!({"full": 16});
    page.take(Ok(snapshot(later.clone(), lagging(0), now)), now);
    let told = ["in 20,000 ticks/s", "out 1.50M updates/s (2.00MiB/s)", "full 16), 2/s now"];
    has(&text(&page, 200, now), &told);

    later["epoch"] = json!("e2");
    later["history"] = json!([]);
    page.take(Ok(snapshot(later, lagging(0), now)), now);
    has(&text(&page, 200, now), &["in - ticks/s", "out - updates/s", "known after some seconds"]);
}

#[test]
fn a_silent_server_is_told_and_its_last_numbers_are_dimmed() {
    let began = Instant::now();
    let mut page = page(2, 4, began);
    let refused = || Err(FetchError::Refused("http://127.0.0.1:9002/".into()));
    page.take(refused(), began + Duration::from_secs(1));
    page.take(refused(), began + Duration::from_secs(11));
    let now = began + Duration::from_secs(13);
    for size in [(80, 24), (120, 40)] {
        let backend = frame(&mut page, size, COLOURED, now);
        let shown = backend.to_string();
        has(&shown, &["NO ANSWER for 12s: nothing listens at http://127.0.0.1:9002/"]);
        has(&shown, &["are 13s old", "sessions 24 of 200"]);
        let is_dimmed = |at| backend.buffer()[at].modifier.contains(Modifier::DIM);
        assert!(!is_dimmed((0, 0)) && is_dimmed((0, 3)) && is_dimmed((5, size.1 - 1)));
    }
    page.take(Ok(snapshot(status(2), lagging(4), now)), now);
    assert!(!text(&page, 80, now).contains("NO ANSWER for"), "it answers again");
}

#[test]
fn what_is_wrong_is_told_in_words_too() {
    let now = Instant::now();
    let mut wrong = status(1);
    wrong["state"] = json!("draining");
    wrong["ready"] = json!(false);
    wrong["reasons"] = json!(["the server stops"]);
    wrong["shards"][0]["state"] = json!("stuck");
    wrong["shards"][0]["breaker"] = json!("shed");
    wrong["shards"][0]["restarts"] = json!(2);
    let mut page = Page::new("http://a/", snapshot(wrong, lagging(0), now));
    page.shown.lagging = Err(FetchError::Late("http://a/".into()));
    let plain = frame(&mut page, (120, 40), Paint { has_colours: false, has_keys: true }, now);
    let shown = plain.to_string();
    has(&shown, &["DRAINING", "NOT READY: the server stops", "STUCK", "SHED", "2 restarts"]);
    has(&shown, &["not known: http://a/ has not answered within 2 s"]);
    let cells = plain.buffer().content().iter();
    assert!(cells.clone().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    let coloured = frame(&mut page, (120, 40), COLOURED, now);
    assert!(coloured.buffer().content().iter().any(|cell| cell.fg == Color::Red));
}

#[test]
fn keys_sort_scroll_and_pause() {
    let now = Instant::now();
    let mut page = page(16, 40, now);
    let size = (100, 30);
    has(&shown(&mut page, size, now), &["by ticks behind", "10.0.0.1:5"]);
    page.act(Act::Sort);
    has(&shown(&mut page, size, now), &["by time without progress", "10.0.0.40:5"]);
    page.act(Act::Bottom);
    has(&shown(&mut page, size, now), &["to 40 of 40", "10.0.0.1:5"]);
    page.act(Act::Scroll(-1));
    has(&shown(&mut page, size, now), &["to 39 of 40"]);
    page.act(Act::ScrollPage(-1));
    page.act(Act::Top);
    has(&shown(&mut page, size, now), &["progress, 1 to"]);
    page.act(Act::NextPane);
    page.act(Act::ScrollPage(9));
    has(&shown(&mut page, size, now), &["▸shards, ", "to 16 of 16", "15 on 15"]);
    page.act(Act::Pause);
    has(&shown(&mut page, size, now), &["PAUSED", "p go on"]);
    page.act(Act::Help);
    page.act(Act::Redraw);
    assert!(page.has_help, "a new size closes nothing");
    page.act(Act::Sort);
    assert!(!page.has_help, "any key closes it");
    assert!(!page.act(Act::Quit));
}

#[test]
fn text_has_every_row() {
    let now = Instant::now();
    let whole = text(&page(16, 40, now), 100, now);
    has(&whole, &["15 on 15", "10.0.0.40:5", "synthetic", "p99 2.6ms"]);
    assert!(!whole.contains("q quit") && !whole.contains('▸'));
    assert!(whole.lines().all(|line| line == line.trim_end()));
    let none = json!({"sessions": [], "total": 0, "truncated": false, "silent_shards": []});
    let page = Page::new("http://a/", snapshot(status(1), none, now));
    has(&text(&page, 100, now), &["nobody lags"]);
}
