//! Method: a server of one thread, over real sockets and tungstenite, plays one script a
//! connection; what was printed, what was sent and how the run ended are checked.

use super::*;
use crate::wire::client::mock::{MockServer, Sent};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

type Server = MockServer<TcpStream>;

/// A writer whose content can be read while it is written.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("text").lines().map(str::to_string).collect()
    }
}

/// Serves one connection after the other, each with its script, and then listens no more.
fn serve(scripts: Vec<fn(TcpStream)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has one");
    let played = std::thread::spawn(move || {
        for script in scripts {
            script(listener.accept().expect("a connection").0);
        }
    });
    (format!("ws://{address}"), played)
}

fn args(url: String) -> SubscribeArgs {
    SubscribeArgs {
        url,
        others: Vec::new(),
        symbols: vec!["A".to_string()],
        json: true,
        channels: None,
        max_hz: None,
        heartbeat_ms: None,
        ca_file: None,
        count: None,
        seconds: Some(20.0),
    }
}

fn subscribe_to(args: &SubscribeArgs) -> (Result<(), SubscribeError>, Vec<String>) {
    let output = Output::default();
    let result = subscribe(args, View::to(Box::new(output.clone()), args.json));
    (result, output.lines())
}

/// Greets, and returns the command that the client sends then.
fn greeted(stream: TcpStream, epoch: &str) -> (Server, Value) {
    let mut server = MockServer::accept(stream);
    server.say(&format!(
        r#"[{{"T":"success","msg":"connected","v":1,"epoch":"{epoch}","limits":{{"since":9}}}}]"#
    ));
    let Sent::Text(command) = server.read() else { panic!("a command is sent") };
    server.say(r#"[{"T":"subscription","trades":["A"],"quotes":["A"],"bars":[]}]"#);
    (server, serde_json::from_str(&command).expect("a command is JSON"))
}

const HINT: &str = r#"{"retry_ms":10,"jitter_ms":20}"#;

/// Method: the first server goes away for a restart after data, the second one refuses with 503,
/// the third goes on from where the client was.
#[test]
fn a_lost_stream_is_resumed() {
    let (url, played) = serve(vec![
        |stream| {
            let (mut server, command) = greeted(stream, "e1");
            assert_eq!(command, json!({"action": "subscribe", "trades": ["A"], "quotes": ["A"]}));
            server.say(r#"[{"T":"q","S":"A","bp":1.50,"sq":4,"sn":1},{"T":"t","S":"A","sq":8}]"#);
            server.close(1012, HINT);
        },
        |mut stream| {
            let refusal = b"HTTP/1.1 503 Full\r\nRetry-After: 0\r\n\r\nfull\n";
            stream.write_all(refusal).expect("the client reads");
        },
        |stream| {
            let (mut server, command) = greeted(stream, "e1");
            assert_eq!(command["epoch"], "e1");
            assert_eq!(command["since"], json!({"A": {"quotes": 4, "trades": 8}}));
            server.say(r#"[{"T":"t","S":"A","sq":9}, {"T":"t","S":"A","sq":10}]"#);
            assert_eq!(server.read(), Sent::Close(1000));
        },
    ]);
    let (result, lines) = subscribe_to(&SubscribeArgs { count: Some(3), ..args(url) });
    result.expect("the count is reached");
    let expected = [
        r#"{"T":"q","S":"A","bp":1.50,"sq":4,"sn":1}"#,
        r#"{"T":"t","S":"A","sq":8}"#,
        r#"{"T":"t","S":"A","sq":9}"#,
    ];
    assert_eq!(lines, expected);
    played.join().expect("every script was played");
}

/// Method: a node that is lost, and one that is behind it, so that it gives something again.
#[test]
fn another_node_goes_on_where_the_first_was_lost() {
    let (first, first_played) = serve(vec![|stream| {
        let (mut server, _) = greeted(stream, "e1");
        server.say(r#"[{"T":"t","S":"A","sq":7},{"T":"t","S":"A","sq":8}]"#);
        server.close(1012, HINT);
    }]);
    let (second, second_played) = serve(vec![|stream| {
        let (mut server, command) = greeted(stream, "e1");
        assert_eq!(command["since"], json!({"A": {"trades": 8}}));
        server.say(r#"[{"T":"t","S":"A","sq":8},{"T":"t","S":"A","sq":9}]"#);
        assert_eq!(server.read(), Sent::Close(1000));
    }]);
    let others = vec![second];
    let args = SubscribeArgs { count: Some(3), others, ..args(first) };
    let (result, lines) = subscribe_to(&args);
    result.expect("the count is reached");
    let expected = [7, 8, 9].map(|sq| format!(r#"{{"T":"t","S":"A","sq":{sq}}}"#));
    assert_eq!(lines, expected);
    first_played.join().expect("every script was played");
    second_played.join().expect("every script was played");
}

/// Method: a new epoch on the second connection, and a third one to see what is known then.
#[test]
fn another_epoch_is_told_the_old_one_and_forgets_it() {
    let (url, played) = serve(vec![
        |stream| {
            let (mut server, _) = greeted(stream, "e1");
            server.say(r#"[{"T":"t","S":"A","sq":800}]"#);
            server.close(1012, HINT);
        },
        |stream| {
            let (mut server, command) = greeted(stream, "e2");
            assert_eq!(command["epoch"], "e1");
            server.say(r#"[{"T":"gap","S":"A","ch":"trades","to":3},{"T":"t","S":"A","sq":4}]"#);
            server.close(1013, HINT);
        },
        |stream| {
            let (_server, command) = greeted(stream, "e2");
            assert_eq!(command["epoch"], "e2");
            assert_eq!(command["since"], json!({"A": {"trades": 4}}));
        },
    ]);
    let (result, lines) = subscribe_to(&SubscribeArgs { seconds: Some(2.0), ..args(url) });
    result.expect("a connection was open");
    assert_eq!(lines.len(), 3, "{lines:?}");
    played.join().expect("every script was played");
}

#[test]
fn what_cannot_change_is_not_tried_again() {
    let closes: [fn(TcpStream); 6] = [
        |stream| greeted(stream, "e").0.close(1000, ""),
        |stream| greeted(stream, "e").0.close(1002, ""),
        |stream| greeted(stream, "e").0.close(1003, ""),
        |stream| greeted(stream, "e").0.close(1007, ""),
        |stream| greeted(stream, "e").0.close(1008, "not for you"),
        |stream| greeted(stream, "e").0.close(1009, ""),
    ];
    let others: [fn(TcpStream); 3] = [
        |mut stream| stream.write_all(b"HTTP/1.1 404 No\r\n\r\nno such path").expect("it reads"),
        |mut stream| stream.write_all(b"SSH-2.0-OpenSSH\r\n").expect("it reads"),
        |stream| {
            let error = r#"[{"T":"error","code":405,"msg":"symbol limit exceeded"}]"#;
            let mut server = greeted(stream, "e").0;
            server.say(error);
            assert_eq!(server.read(), Sent::Close(1000));
        },
    ];
    for (script, named) in closes
        .into_iter()
        .zip(["1000", "1002", "1003", "1007", "1008", "1009"])
        .chain(others.into_iter().zip(["404: no such path", "not an HTTP response", "405"]))
    {
        let (url, played) = serve(vec![script]);
        let (result, _) = subscribe_to(&args(url));
        let error = result.expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.exit_code(), ExitCode::from(1));
        played.join().expect("the script was played");
    }
}

#[test]
fn codes_that_pass_are_tried_again() {
    let session = Session::new(View::to(Box::new(io::sink()), true), None, &[]);
    for code in [1001, 1005, 1011, 1012, 1013, 4000] {
        assert!(matches!(session.closed(code, ""), Ending::Lost { hint: None, .. }), "{code}");
        assert!(matches!(session.closed(code, HINT), Ending::Lost { hint: Some(_), .. }));
    }
}

#[test]
fn the_url_and_the_arguments_are_one_wish() {
    let given = SubscribeArgs {
        symbols: vec!["A,B".to_string(), "C".to_string()],
        channels: Some("bars".to_string()),
        ..args("ws://h:9/v1/stream?symbols=B,D&channels=quotes&ts=ns".to_string())
    };
    let plan = plan(&given).expect("good arguments");
    assert_eq!(plan.dialers[0].endpoint().to_string(), "ws://h:9/v1/stream?ts=ns");
    assert_eq!(plan.wish.symbols, ["A", "B", "C", "D"]);
    assert_eq!(plan.wish.channels, ChannelSet::of(Channel::Bars));
}

#[test]
fn wrong_use_is_named() {
    let good = || args("ws://127.0.0.1:9".to_string());
    let cases = [
        (SubscribeArgs { url: "127.0.0.1:9".to_string(), ..good() }, "127.0.0.1:9"),
        (SubscribeArgs { url: "ws://h?encoding=msgpack".to_string(), ..good() }, "encoding"),
        (SubscribeArgs { symbols: vec![], ..good() }, "no symbol"),
        (SubscribeArgs { symbols: vec!["A B".to_string()], ..good() }, "A B"),
        (SubscribeArgs { channels: Some("news".to_string()), ..good() }, "--channels"),
        (SubscribeArgs { count: Some(0), ..good() }, "--count"),
        (SubscribeArgs { seconds: Some(-1.0), ..good() }, "--seconds"),
        (SubscribeArgs { max_hz: Some(f64::NAN), ..good() }, "--max-hz"),
    ];
    for (args, named) in cases {
        let error = subscribe_to(&args).0.expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.exit_code(), ExitCode::from(2));
    }
}

#[test]
fn a_server_that_is_not_there_is_a_failure_at_the_end() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("a bound socket has one");
    drop(free);
    let given = SubscribeArgs { seconds: Some(0.2), ..args(format!("ws://{address}")) };
    assert!(matches!(subscribe_to(&given).0, Err(SubscribeError::NeverOpen)));
}
