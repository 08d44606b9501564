//! Each rule on a made-up text that breaks it, and on one beside it that does not.

use crate::source::Source;
use crate::{Rule, manner, order};

/// The rule finds this many violations in `text` as the file `path`.
#[track_caller]
fn finds(rule: Rule, path: &str, text: &str, count: usize) {
    let found: Vec<_> = rule(&Source::new(path, text)).iter().map(|v| v.to_string()).collect();
    assert_eq!(found.len(), count, "{path}: {text}\n{found:?}");
}

#[test]
fn an_import_from_a_later_folder_is_found() {
    let rule = order::imports;
    finds(rule, "src/hub/mod.rs", "use crate::session::Now;\nuse crate::limits;", 0);
    finds(rule, "src/hub/mod.rs", "use crate::shard::Ring;", 1);
    finds(rule, "src/hub/mod.rs", "use crate::{market, wire::{feed, cli}};", 0);
    finds(rule, "src/hub/mod.rs", "use crate::{market, feed::{a, b}, config};", 2);
    finds(rule, "src/wire/line.rs", "fn f() -> crate::hub::Hub { x }", 1);
    finds(rule, "src/wire/line.rs", "#[cfg(test)]\nmod tests { use crate::hub::Hub; }", 1);
    finds(rule, "src/wire/line.rs", "// use crate::hub::Hub;", 0);
    finds(rule, "src/main.rs", "use tapecast::cli::serve;", 0);
    finds(rule, "src/manager/mod.rs", "", 1);
}

#[test]
fn climbing_out_of_a_folder_is_an_import_too() {
    let rule = order::imports;
    finds(rule, "src/wire/line.rs", "use super::hub::A;", 0);
    finds(rule, "src/wire/mod.rs", "use super::hub::A;", 1);
    finds(rule, "src/wire/line.rs", "use super::super::hub::A;", 1);
    finds(rule, "src/wire/line.rs", "mod a; mod b { use super::super::hub::A; }", 0);
    finds(rule, "src/wire/line.rs", "mod b { use super::super::super::{hub, session}; }", 2);
    finds(rule, "src/wire/line/tests.rs", "use super::super::hub::A;", 0);
}

#[test]
fn a_crate_at_the_wrong_place_is_found() {
    finds(order::owned_crates, "src/wire/codec.rs", "use tungstenite::Message;", 0);
    finds(order::owned_crates, "src/cli/load.rs", "use tungstenite::Message;", 1);
    finds(order::owned_crates, "src/feed/nats.rs", "use tokio::net::TcpStream;", 0);
    finds(order::owned_crates, "src/server/mod.rs", "tokio::spawn(a); glommio::spawn(b);", 2);
    finds(order::owned_crates, "src/server/mod.rs", "// tokio\nlet a = \"io_uring\";", 0);
}

#[test]
fn an_impure_name_is_found() {
    finds(order::purity, "src/hub/tape.rs", "use std::net::SocketAddr;", 0);
    finds(order::purity, "src/hub/tape.rs", "use std::net::{SocketAddr, TcpStream};", 1);
    finds(order::purity, "src/session/state.rs", "let now = std::time::Instant::now();", 1);
    finds(order::purity, "src/wire/frame.rs", "std::thread::spawn(f);", 1);
    finds(order::purity, "src/market/tick.rs", "fastrand::u64(..);", 1);
    finds(order::purity, "src/market/tick.rs", "#[cfg(test)] mod tests { use fastrand; }", 0);
    finds(order::purity, "src/feed/synthetic.rs", "fastrand::u64(..);", 0);
}

#[test]
fn unsafe_code_at_the_wrong_place_or_without_reason_is_found() {
    let rule = order::unsafe_code;
    finds(rule, "src/shard/ring.rs", "// SAFETY: it lives.\nunsafe { f() }", 0);
    finds(rule, "src/shard/ring.rs", "// SAFETY: it\n// lives.\nlet a =\n    unsafe { f() };", 0);
    finds(rule, "src/shard/ring.rs", "// It lives.\nunsafe { f() }", 1);
    finds(rule, "src/shard/ring.rs", "// SAFETY: far.\n\n\n\n\nunsafe { f() }", 1);
    finds(rule, "src/hub/mod.rs", "// SAFETY: it lives.\nunsafe { f() }", 1);
}

#[test]
fn what_is_too_long_is_found() {
    let rule = manner::sizes;
    finds(rule, "src/hub/a.rs", &"\n".repeat(400), 0);
    finds(rule, "src/hub/a.rs", &"\n".repeat(401), 1);
    finds(rule, "src/hub/a.rs", &"é".repeat(100), 0);
    finds(rule, "src/hub/a.rs", &"é".repeat(101), 1);
    finds(rule, "src/hub/a.rs", &format!("fn f() {{{}}}", "\n".repeat(69)), 0);
    finds(rule, "src/hub/a.rs", &format!("fn f() {{{}}}", "\n".repeat(70)), 1);
    let tests = |lines| format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(lines));
    finds(rule, "src/hub/a.rs", &tests(148), 0);
    finds(rule, "src/hub/a.rs", &tests(149), 1);
    finds(rule, "src/hub/a/tests.rs", &tests(149), 0);
}

#[test]
fn a_file_without_an_opening_is_found() {
    finds(manner::openings, "src/hub/mod.rs", "//! The hub.\n", 0);
    finds(manner::openings, "src/hub/mod.rs", "// The hub.\n", 1);
    finds(manner::openings, "src/hub/tests.rs", "use super::*;\n", 0);
}

#[test]
fn empty_names_are_found() {
    let rule = manner::names;
    finds(rule, "src/hub/tape.rs", "struct Tape; // no Manager", 0);
    finds(rule, "src/hub/tape.rs", "struct TapeManager;", 1);
    finds(rule, "src/hub/tape.rs", "fn close_handlers() {}", 1);
    finds(rule, "src/hub/utils.rs", "", 1);
    finds(rule, "src/hub/tape.rs", "fn get_tick() {} fn target() { x.get_ref() }", 1);
}

#[test]
fn an_unwrap_in_the_program_is_found() {
    finds(manner::unwraps, "src/hub/a.rs", "f().unwrap();", 1);
    finds(manner::unwraps, "src/hub/a.rs", "f().unwrap_or(0); // .unwrap()", 0);
    finds(manner::unwraps, "src/hub/a.rs", "#[cfg(test)]\nmod tests { f().unwrap(); }", 0);
}

#[test]
fn a_path_of_a_machine_is_found() {
    for (text, count) in [
        ("// see /work/notes", 1),
        ("let a = \"/tmp/x\";", 1),
        ("https://example.org/home/x", 0),
        ("{dir}/tmp/x /proc/sys", 0),
    ] {
        assert_eq!(manner::machine_paths("src/a.rs", text).len(), count, "{text}");
    }
}

#[test]
fn a_download_at_the_root_is_found() {
    assert_eq!(manner::strangers(["src", "Cargo.toml"].into_iter()).len(), 0);
    assert_eq!(manner::strangers(["src", "x-1.0-py3-none-any.whl"].into_iter()).len(), 1);
}
