//! The configuration: a file that is read again while clients are served, and what is wrong with
//! one.
//!
//! Method: the binary with a file that the test writes. What a reload did is seen by clients, and
//! waited for; what it said is read from the log.

use crate::harness::{Client, Message, Server, server::BINARY, wait_for};
use rustix::process::Signal;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};

/// One quote at the start, and the next in an hour.
const SLOW: &str = "synthetic:symbols=1,names=SYM,trades=0,test_symbols=off,burst=1,interval_ms=";

/// A configuration file in a place of its own.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let name = format!("tapecast-e2e-{}-{name}.toml", std::process::id());
        let file = File(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("the temporary folder is writable");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the temporary folder's name is UTF-8")
    }

    fn serve(&self, flags: &str) -> Server {
        Server::start(&format!("--config {} {flags}", self.path()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing hangs on it.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tapecast(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).envs(variables.iter().copied());
    command.output().expect("the binary that cargo has just built")
}

/// Has the server read its file, and waits for it to say what came of it.
fn reload(server: &Server, answer: &str) {
    let answers = |server: &Server| server.log().matches(answer).count();
    let before = answers(server);
    server.signal(Signal::HUP);
    wait_for(&format!("{answer:?} once more"), || (answers(server) > before).then_some(()));
}

/// Whether a client is let in. One that is not must be told to come back later.
fn is_let_in(server: &Server) -> bool {
    let stream = TcpStream::connect(server.address).expect("listening");
    match Client::open(stream, "/v1/stream").next() {
        Message::Text(_) => true,
        Message::Closed(1013, reason) => {
            assert!(reason.contains("retry_ms"), "{reason}");
            false
        }
        other => panic!("{other:?} in place of a welcome or a refusal"),
    }
}

/// Method: two clients within a limit of three, which becomes two: nobody else is let in, and both
/// go on. A bad file changes nothing; a good one lets the next one in. A flag wins throughout, and
/// what needs a restart is told and not applied.
#[test]
fn a_limit_changes_live_and_a_bad_file_keeps_the_old_one() {
    let file = File::new("limit", "tape_ticks = 5000\n[admission]\nmax_sessions = 3\n");
    let server = file.serve("--shards 1 --accept-burst 100");
    let mut clients: Vec<Client> =
        (0..2).map(|_| Client::connect(server.address, "/v1/stream?symbols=*")).collect();
    assert!(is_let_in(&server));

    file.write("tape_ticks = 6000\n[admission]\nmax_sessions = 2\naccept_burst = 1\n");
    reload(&server, "reloaded");
    let log = server.log();
    assert!(log.contains("admission.max_sessions: 3 → 2"), "{log}");
    assert!(log.contains("tape_ticks: 5000 → 6000 needs a restart and is not applied"), "{log}");
    assert!(log.contains("1 changed, 1 need a restart") && !log.contains("accept_burst:"), "{log}");
    wait_for("a refusal", || (!is_let_in(&server)).then_some(()));
    for client in &mut clients {
        client.send(serde_json::json!({"action": "ping", "id": 7}));
        client.find("an answer", |event| event["T"] == "pong");
    }

    file.write("[admission]\nmax_sesions = 50\n");
    reload(&server, "the old configuration goes on");
    let log = server.log();
    let words = format!("{}:2: admission.max_sesions = 50: there is no such key", file.path());
    assert!(log.contains(&words) && log.contains("did you mean max_sessions?"), "{log}");
    assert!(!is_let_in(&server), "nothing has changed");

    file.write("[admission]\nmax_sessions = 1000000000\n");
    reload(&server, "the old configuration goes on");
    let words = format!("{}:2: admission.max_sessions = 1000000000: ", file.path());
    assert!(server.log().contains(&words), "{}", server.log());
    assert!(!is_let_in(&server), "nothing has changed");

    std::fs::remove_file(&file.0).expect("it was written above");
    reload(&server, "the old configuration goes on");
    assert!(!is_let_in(&server), "nothing has changed");

    file.write("[admission]\nmax_sessions = 3\n");
    reload(&server, "reloaded");
    wait_for("room", || is_let_in(&server).then_some(()));
    server.stop();
}

/// Method: a feed that would give its next quote in an hour; then its interval is 50 ms, and then
/// it is an hour again and a tick is due within 100 ms.
#[test]
fn a_feeds_pace_and_when_it_is_stale_change_live() {
    let text = |interval_ms: u32, stale_ms: u32| {
        format!("[feed]\nfeeds = [\"{SLOW}{interval_ms}\"]\nfeed_stale_ms = {stale_ms}\n")
    };
    let file = File::new("feed", &text(3_600_000, 3_600_000));
    let server = file.serve("--shards 1");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=SYM0001");
    file.write(&text(50, 3_600_000));
    reload(&server, "reloaded");
    for _ in 0..3 {
        client.find("a quote that no snapshot has", |e| e["T"] == "q" && e["sn"].is_null());
    }
    file.write(&text(3_600_000, 100));
    reload(&server, "reloaded");
    client.find("that the feed is stale", |event| event["state"] == "stale");

    file.write(&text(3_600_000, 100).replace("SYM", "XYZ"));
    reload(&server, "reloaded");
    let log = server.log();
    assert!(log.contains("needs a restart and is not applied") && log.contains("XYZ"), "{log}");
    server.stop();
}

/// Method: at "info" no line is logged for a session; at "debug" its end is one.
#[test]
fn the_level_of_the_log_changes_live_and_json_is_json() {
    let file = File::new("log", "[log]\nlog_format = 'json'\n");
    let server = file.serve("--shards 1");
    let mut client = Client::connect(server.address, "/v1/stream");
    file.write("[log]\nlog_format = 'json'\nlog_level = 'tapecast=debug,info'\n");
    reload(&server, "reloaded");
    assert!(!server.log().contains("DEBUG"), "{}", server.log());
    client.send(serde_json::json!({"action": "ping"}));
    client.find("an answer", |event| event["T"] == "pong");
    client.close();
    server.wait_for_log("session ended");
    for line in server.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
    }
    server.stop();
}

/// Method: from "warn" to "info" and back; each reload says what it has changed, since one of both
/// levels shows it.
#[test]
fn a_change_of_the_logs_level_is_told_in_both_directions() {
    let file = File::new("told", "[log]\nlog_level = 'warn'\n");
    let server = file.serve("--shards 1");
    for (level, words) in [
        ("info", r#"log.log_level: "warn" → "info""#),
        ("warn", r#"log.log_level: "info" → "warn""#),
    ] {
        file.write(&format!("[log]\nlog_level = '{level}'\n"));
        reload(&server, "reloaded");
        assert!(server.log().contains(words), "{words}: {}", server.log());
    }
    server.stop();
}

#[test]
fn sighup_without_a_file_ends_nothing() {
    let server = Server::start("--shards 1");
    reload(&server, "there is no file to read");
    assert!(is_let_in(&server));
    server.stop();
}

#[test]
fn what_is_wrong_at_start_is_exit_code_2_with_its_place() {
    let file = File::new("wrong", "listen = '127.0.0.1:0'\n\n[sockets]\nbaklog = 5\nbacklog = 0\n");
    let path = file.path();
    let place = |rest: &str| format!("error: {path}:{rest}");
    let output = tapecast(&["serve", "--config", path], &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let unknown = place("4: sockets.baklog = 5: there is no such key; did you mean backlog?");
    let wrong = place("5: sockets.backlog = 0: give a number from 1 to 16777216");
    assert_eq!(text.lines().collect::<Vec<_>>(), [unknown, wrong]);

    // Feeds beside all else.
    let output = tapecast(&["serve", "--feed", "nasdaq", "--shards", "0", "--feed", "tcp:x"], &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = |words: &str| text.lines().any(|line| line.contains(words));
    assert!(["--shards 0", "--feed nasdaq", "--feed tcp: \"x\""].into_iter().all(told), "{text}");

    file.write("[feed]\nfeeds = ['stdin', 'nasdaq']\n");
    for (arguments, variables, words) in [
        (&["serve"][..], &[("TAPECAST_CONFIG", path)][..], place("2: feed.feeds: nasdaq: unknown")),
        (&["serve"], &[("TAPECAST_SHARDS", "0")], "TAPECAST_SHARDS=0: give a number".into()),
        (&["config"], &[("TAPECAST_FEEDS", "stdin;stdin")], "TAPECAST_FEEDS: stdin: it is".into()),
        (
            &["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--max-sessions", "1000000000"],
            &[],
            "error: --max-sessions 1000000000: 1000000000 sessions need".into(),
        ),
        (
            &["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--memory-budget", "2M"],
            &[],
            "error: --memory-budget 2097152: a memory limit of 2 MiB".into(),
        ),
        (
            &["serve", "--stuck-exit-ms", "900"],
            &[],
            "error: --stuck-exit-ms 900, with stuck_report_ms = 2000 (default): ".into(),
        ),
    ] {
        let output = tapecast(arguments, variables);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(&words), "{arguments:?}: {words} is not in: {text}");
    }
}

/// Method: a value from each place; the output is given back as a file, and must come to the same.
#[test]
fn config_prints_what_is_in_force_and_where_it_is_from() {
    let file = File::new("origins", "flush_ms = 5\n[deadlines]\nping_ms = 1000\npong_ms = 900\n");
    let path = file.path();
    let variables = [("TAPECAST_PONG_MS", "800"), ("TAPECAST_PING_MS", "700")];
    let arguments = ["config", "--config", path, "--ping-ms", "600"];
    let output = tapecast(&arguments, &variables);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0));
    for (value, origin) in [
        ("ping_ms = 600", "flag --ping-ms".to_string()),
        ("pong_ms = 800", "TAPECAST_PONG_MS".to_string()),
        ("flush_ms = 5", format!("{path}:1")),
        ("close_ms = 5000", "default".to_string()),
    ] {
        let line = text.lines().find(|line| line.split(" # ").next().map(str::trim) == Some(value));
        let found = line.and_then(|line| line.split(" # ").nth(1));
        assert_eq!(found, Some(origin.as_str()), "{value} in {text}");
    }
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap_or("").trim().to_string()).collect()
    };
    file.write(&text);
    let again = tapecast(&["config", "--config", path], &[]);
    assert_eq!(values(&String::from_utf8_lossy(&again.stdout)), values(&text));

    let defaults = tapecast(&["config", "--default"], &[]);
    file.write(&String::from_utf8_lossy(&defaults.stdout));
    let again = tapecast(&["config", "--config", path], &[]);
    let plain = tapecast(&["config"], &[]);
    assert_eq!((again.status.code(), plain.status.code()), (Some(0), Some(0)));
    let [again, plain] =
        [again, plain].map(|output| values(&String::from_utf8_lossy(&output.stdout)));
    assert_eq!(again, plain);
}
