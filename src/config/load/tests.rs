use super::*;
use crate::config::{commented_defaults, effective};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A file of its own in the temporary folder, removed when it is dropped.
struct File(PathBuf);

static FILES_COUNT: AtomicU32 = AtomicU32::new(0);

impl File {
    fn new(name: &str, text: &str) -> File {
        let number = FILES_COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tapecast-{}-{number}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a file in the temporary folder");
        File(path)
    }

    fn sources(&self) -> Sources {
        Sources { file: Some(self.0.clone()), ..Sources::default() }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing hangs on it.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, OsString)> {
    pairs.iter().map(|(name, value)| (name.to_string(), OsString::from(value))).collect()
}

fn flags(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, Vec<String>)> {
    pairs.iter().map(|(key, text)| (*key, vec![text.to_string()])).collect()
}

/// What is wrong with a file's text, which is called f.
fn errors_of(text: &str) -> String {
    let file = File::new("errors.toml", text);
    let errors = file.sources().load().expect_err(text).to_string();
    errors.replace(&file.0.display().to_string(), "f")
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let file = File::new("precedence.toml", "\n[admission]\naccept_rate = 1\naccept_burst = 2\n");
    let mut sources = file.sources();
    let load = |sources: &Sources| sources.load().expect("it is right");
    let config = load(&sources);
    assert_eq!((config.settings.admission.accept_rate, config.settings.hub.ping_ms), (1, 45_000));
    assert_eq!(config.origin("accept_rate"), Origin::File { path: file.0.clone(), line: 3 });
    assert_eq!(config.origin("ping_ms"), Origin::Default);
    sources.variables = variables(&[("TAPECAST_ACCEPT_RATE", "3"), ("TAPECAST_SHARDS", "")]);
    let config = load(&sources);
    assert_eq!(config.settings.admission.accept_rate, 3);
    assert_eq!(config.settings.admission.accept_burst, 2);
    assert_eq!(config.origin("accept_rate").to_string(), "TAPECAST_ACCEPT_RATE");
    assert_eq!(config.origin("shards"), Origin::Default, "empty is as good as none");
    sources.flags = flags(&[("accept_rate", "4")]);
    let config = load(&sources);
    assert_eq!(config.settings.admission.accept_rate, 4);
    assert_eq!(config.origin("accept_rate").to_string(), "flag --accept-rate");
}

#[test]
fn the_file_may_be_named_by_a_variable_and_the_flag_wins() {
    let (one, two) =
        (File::new("one.toml", "flush_ms = 1\n"), File::new("two.toml", "flush_ms = 2"));
    let path = |file: &File| file.0.to_str().expect("UTF-8").to_string();
    let variables = variables(&[(FILE_VARIABLE, &path(&one))]);
    let mut sources = Sources { variables, ..Sources::default() };
    assert_eq!(sources.load().expect("it is right").settings.hub.flush_ms, 1);
    sources.file = Some(two.0.clone());
    assert_eq!(sources.load().expect("it is right").settings.hub.flush_ms, 2);
    sources.file = Some("does/not/exist.toml".into());
    let error = sources.load().expect_err("no file").to_string();
    assert!(error.starts_with("error: --config does/not/exist.toml: cannot read"), "{error}");
}

#[test]
fn lists_and_short_names_are_understood() {
    let variables = variables(&[
        ("TAPECAST_FEEDS", "synthetic:rate=5 ; stdin"),
        ("TAPECAST_LOG", "debug"),
        ("TAPECAST_SHARDS", "auto"),
        ("TAPECAST_MEMORY_BUDGET", "2G"),
    ]);
    let mut sources = Sources { variables, ..Sources::default() };
    let settings = sources.load().expect("it is right").settings;
    assert_eq!(settings.feeds, ["synthetic:rate=5", "stdin"]);
    assert_eq!((settings.log.level.as_str(), settings.shards), ("debug", None));
    assert_eq!(settings.memory_budget_bytes, Some(2 << 30));
    sources.variables.push(("TAPECAST_LOG_LEVEL".into(), "warn".into()));
    assert_eq!(sources.load().expect("it is right").settings.log.level, "warn");
}

/// Method: wrong files; each error must be this, or begin like this.
#[test]
fn errors_name_file_line_key_value_and_cure() {
    for (text, expected) in [
        ("shards = 0", "error: f:1: shards = 0: give a number from 1 to 1024, or \"auto\""),
        ("\n\n[deadlines]\nping_ms = '1s'", "error: f:4: deadlines.ping_ms = '1s': give a number"),
        ("echo = 1", "error: f:1: echo = 1: give true or false"),
        ("listen = 'here'", "error: f:1: listen = 'here': give an address and a port, such as"),
        ("[feed]\nfeeds = 'stdin'", "error: f:2: feed.feeds = 'stdin': give one to 16 texts"),
        ("[log]\nlog_level = 'debg'", "error: f:2: log.log_level = 'debg': give off, error"),
        (
            "[admission]\nmax_sesions = 5",
            "error: f:2: admission.max_sesions = 5: there is no such key; \
          did you mean max_sessions?",
        ),
        (
            "max_sessions = 5",
            "error: f:1: max_sessions = 5: there is no such key; its place is in \
          [admission]",
        ),
        (
            "[log]\nflush_ms = 5",
            "error: f:2: log.flush_ms = 5: there is no such key; its place is \
          before the first table",
        ),
        (
            "ping = 5",
            "error: f:1: ping = 5: there is no such key; did you mean ping_ms, in \
          [deadlines]?",
        ),
        (
            "colour = 5",
            "error: f:1: colour = 5: there is no such key; 'tapecast config --default' \
          lists all",
        ),
        (
            "[admision]\nx = 5",
            "error: f:1: [admision]: there is no such table; did you mean \
          [admission]?",
        ),
        ("log = 'debug'", "error: f:1: log is a table; write [log] on a line of its own"),
        ("flush_ms = 1\nflush_ms = 2", "error: f:2: not TOML: duplicate key"),
        ("flush_ms = ", "error: f:1: not TOML: "),
    ] {
        let errors = errors_of(text);
        assert!(errors.starts_with(expected), "{text}: {errors}");
    }
    let errors = errors_of("shards = 0\n[log]\nlog_format = 'xml'\ncolour = true\n");
    let lines: Vec<&str> = errors.lines().map(|line| &line[..10]).collect();
    assert_eq!(lines, ["error: f:1", "error: f:3", "error: f:4"], "all are told");
}

#[test]
fn combinations_that_cannot_be_meant_are_refused_with_both_origins() {
    let errors = errors_of("[boundaries]\nstuck_exit_ms = 1500");
    let expected = "error: f:2: boundaries.stuck_exit_ms = 1500, with stuck_report_ms = 2000 \
                    (default): a stuck shard would";
    assert!(errors.starts_with(expected), "{errors}");
    for (pairs, words) in [
        (vec![("feed_retry_ms", "60000")], "--feed-retry-ms 60000, with feed_retry_ms_max = 30000"),
        (vec![("send_buffer_bytes", "16K")], "--send-buffer-bytes 16384, with notsent_lowat_bytes"),
        (vec![("lag_refuse_ms", "2000")], "--lag-refuse-ms 2000, with lag_widen_ms = 1000"),
        (vec![("shards", "8"), ("max_half_open", "7")], "--max-half-open 7, with --shards 8"),
        (vec![("shards", "8"), ("max_per_address", "7")], "--max-per-address 7, with --shards 8"),
        (vec![("shards", "8"), ("accept_rate", "7")], "--accept-rate 7, with --shards 8"),
        (vec![("shards", "8"), ("accept_burst", "7")], "--accept-burst 7, with --shards 8"),
        (vec![("forwarded_header", "forwarded")], "forwarded, with trusted_proxies = [] (default)"),
        (
            vec![
                ("forwarded_header", "forwarded"),
                ("trusted_proxies", "::1"),
                ("proxy_protocol", "true"),
            ],
            "--forwarded-header forwarded, with --proxy-protocol true",
        ),
    ] {
        let sources = Sources { flags: flags(&pairs), ..Sources::default() };
        let errors = sources.load().expect_err(words).to_string();
        assert!(errors.contains(words), "{errors}");
    }
    let off = flags(&[("lag_widen_ms", "0"), ("lag_refuse_ms", "2000")]);
    assert!(Sources { flags: off, ..Sources::default() }.load().is_ok(), "0 turns it off");
}

#[test]
fn stream_and_admin_port_may_not_want_the_same() {
    let load = |listen, admin| {
        let flags = flags(&[("listen", listen), ("admin", admin)]);
        Sources { flags, ..Sources::default() }.load()
    };
    for (listen, admin) in [
        ("127.0.0.1:9001", "127.0.0.1:9001"),
        ("0.0.0.0:9001", "127.0.0.1:9001"),
        ("127.0.0.1:9001", "0.0.0.0:9001"),
        ("[::]:9001", "127.0.0.1:9001"),
        ("127.0.0.1:9001", "[::ffff:127.0.0.1]:9001"),
    ] {
        let error = load(listen, admin).expect_err("both cannot have it").to_string();
        assert!(error.contains("give admin another port"), "{error}");
    }
    for (listen, admin) in [
        ("127.0.0.1:9001", "127.0.0.2:9001"),
        ("0.0.0.0:9001", "[::1]:9001"),
        ("0.0.0.0:9001", "127.0.0.1:9002"),
        ("127.0.0.1:0", "127.0.0.1:0"),
    ] {
        assert!(load(listen, admin).is_ok(), "{listen} and {admin}");
    }
}

/// Method: a clash of what is sure is told beside other errors; one with a value that is wrong, or
/// with a name that was mistyped, is not.
#[test]
fn clashes_are_told_at_once_with_what_else_is_wrong() {
    let told = |text: &str| errors_of(text).matches(", with ").count();
    assert_eq!(told("[boundaries]\nstuck_exit_ms = 1500\n[log]\nlog_format = 'xml'"), 1);
    assert_eq!(told("colour = 1\n[boundaries]\nstuck_exit_ms = 1500"), 1);
    assert_eq!(told("[boundaries]\nstuck_exit_ms = 1500\nstuck_report_ms = 'soon'"), 0);
    assert_eq!(told("[boundaries]\nstuck_exit_ms = 1500\nstuck_reprt_ms = 1000"), 0);
    assert_eq!(told("[boundaries]\nstuck_exit_ms = 1500\n[log"), 0);
    assert_eq!(
        told("[admission]\nproxy_protocol = true\n[admision]\ntrusted_proxies = ['::1']"),
        0
    );
}

#[test]
fn variables_that_look_like_a_setting_are_told() {
    let sources = Sources {
        variables: variables(&[
            ("TAPECAST_MAX_SESSION", "5"),
            ("TAPECAST_LOGLEVEL", "debug"),
            ("TAPECAST_SERVICE_HOST", "10.0.0.1"),
            ("TAPECAST_RECORDING", "x"),
            ("TAPECAST_LOG", "info"),
            (FILE_VARIABLE, ""),
        ]),
        ..Sources::default()
    };
    let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
    let expected = [
        pair("TAPECAST_MAX_SESSION", "TAPECAST_MAX_SESSIONS"),
        pair("TAPECAST_LOGLEVEL", "TAPECAST_LOG_LEVEL"),
    ];
    assert_eq!(sources.mistyped_variables(), expected);
    assert!(sources.load().is_ok(), "others may have their reasons");
}

#[test]
fn the_file_of_defaults_has_every_key_and_changes_nothing() {
    let text = commented_defaults();
    let file = File::new("defaults.toml", &text);
    let config = file.sources().load().expect("it is right");
    assert_eq!(Settings::default().changes_to(&config.settings), []);
    for (_, setting) in declared() {
        assert_ne!(config.origin(setting.key), Origin::Default, "{} is missing", setting.key);
        let first = setting.means.split_whitespace().next().expect("a text");
        assert!(text.contains(&format!("# {first}")) || text.contains(&format!("] {first}")));
    }
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
}

#[test]
fn what_is_in_force_is_a_file_that_gives_the_same() {
    let given = [("memory_budget", "64M"), ("feeds", "replay:a \"b\\.gz"), ("echo", "true")];
    let variables = variables(&[("TAPECAST_MAX_SESSIONS", "77")]);
    let sources = Sources { flags: flags(&given), variables, file: None };
    let config = sources.load().expect("it is right");
    let text = effective(&config);
    for line in [
        "memory_budget = 67108864                         # flag --memory-budget",
        "max_sessions = 77                                # TAPECAST_MAX_SESSIONS",
        "flush_ms = 0                                     # default",
        "shards = \"auto\"                                  # default",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
    let file = File::new("effective.toml", &text);
    let again = file.sources().load().expect("it is right");
    assert_eq!(config.settings.changes_to(&again.settings), []);
    let line = text.lines().position(|line| line.starts_with("max_sessions")).expect("it is there");
    let origin = Origin::File { path: Path::new(&file.0).into(), line: line + 1 };
    assert_eq!(again.origin("max_sessions"), origin);
}

#[test]
fn changes_are_told_in_the_files_words_and_only_live_ones_are_taken() {
    let old = Settings::default();
    let mut new = old.clone();
    (new.listen, new.admission.accept_rate) = ("0.0.0.0:1".parse().expect("an address"), 9);
    let changes = old.changes_to(&new);
    let words: Vec<String> =
        changes.iter().map(|c| format!("{} {} {} {:?}", c.path, c.old, c.new, c.changes)).collect();
    let expected =
        ["listen \"127.0.0.1:9001\" \"0.0.0.0:1\" Restart", "admission.accept_rate 5000 9 Live"];
    assert_eq!(words, expected);
    let taken = old.with_live_of(&new);
    assert_eq!((taken.listen, taken.admission.accept_rate), (old.listen, 9));
}
