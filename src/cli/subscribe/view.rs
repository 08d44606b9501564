//! Events on stdout: raw lines, aligned lines, or a table that is updated in place.

use super::table::Table;
use crate::wire::client::{Event, printable, shown};
use std::io::{self, IsTerminal, Write};

/// Where events go, and in which form.
pub struct View {
    out: Box<dyn Write>,
    form: Form,
}

enum Form {
    /// One event a line, as the server wrote it.
    Json,
    /// One event a line, in columns.
    Lines,
    /// A row a symbol; only on a terminal.
    Table(Box<Table>),
}

impl View {
    pub fn stdout(is_json: bool) -> View {
        let out = Box::new(io::BufWriter::new(io::stdout()));
        let form = match (is_json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Table(Box::default()),
            (false, false) => Form::Lines,
        };
        View { out, form }
    }

    #[cfg(test)]
    pub fn to(out: Box<dyn Write>, is_json: bool) -> View {
        View { out, form: if is_json { Form::Json } else { Form::Lines } }
    }

    /// `raw` is the event's own text.
    pub fn event(&mut self, raw: &str, event: &Event) -> io::Result<()> {
        match &mut self.form {
            Form::Json => writeln!(self.out, "{raw}"),
            Form::Lines => writeln!(self.out, "{}", line(event).trim_end()),
            Form::Table(table) if event.is_data() => {
                table.take(event);
                Ok(())
            }
            Form::Table(_) if event.kind == "hb" => Ok(()),
            Form::Table(table) => {
                table.leave(&mut self.out)?;
                writeln!(self.out, "{}", line(event))
            }
        }
    }

    /// After each message, and from time to time without one.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Form::Table(table) = &mut self.form {
            table.draw_if_due(&mut self.out)?;
        }
        self.out.flush()
    }

    /// The last state, at the end.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Form::Table(table) = &mut self.form {
            table.draw(&mut self.out)?;
        }
        self.out.flush()
    }

    /// About the connection, not part of the data: to stderr, below a table.
    pub fn note(&mut self, text: &str) {
        if let Form::Table(table) = &mut self.form {
            // A terminal that cannot be written is noticed with the next event.
            let _ = table.leave(&mut self.out).and_then(|()| self.out.flush());
        }
        eprintln!("tapecast: {}", printable(text));
    }
}

fn line(event: &Event) -> String {
    let head = |kind: &str| {
        format!("{:<15}  {:<10}  {kind:<5}", event.time_of_day(), printable(event.symbol()))
    };
    match &*event.kind {
        "q" => format!(
            "{}  {:>12} x {:<8}  {:>12} x {:<8}",
            head("quote"),
            shown(event.bp),
            shown(event.bs),
            shown(event.ap),
            shown(event.ask_size)
        ),
        "t" => format!("{}  {:>12} x {:<8}", head("trade"), shown(event.p), shown(event.s)),
        "b" => format!(
            "{}  open {} high {} low {} close {} volume {}",
            head("bar"),
            shown(event.o),
            shown(event.h),
            shown(event.l),
            shown(event.c),
            shown(event.v)
        ),
        "gap" => {
            let number = |sq: Option<u64>, or: &str| sq.map_or(or.to_string(), |sq| sq.to_string());
            format!(
                "{}  {} from {} to {} will not come",
                head("gap"),
                event.ch.as_deref().unwrap_or("events"),
                number(event.from, "the last one got"),
                number(event.to, "now")
            )
        }
        other => remark(other, event),
    }
}

/// Events that are of no symbol.
fn remark(kind: &str, event: &Event) -> String {
    let text = match kind {
        "hb" => format!(
            "heartbeat: feed {}, last tick {} ms ago",
            event.feed.as_deref().unwrap_or("-"),
            shown(event.age_ms)
        ),
        "feed" => format!("the feed is {}", event.state.as_deref().unwrap_or("-")),
        "epoch" => "sequence numbers start again".to_string(),
        "shutdown" => format!("the server closes in {} ms", event.in_ms.unwrap_or(0)),
        "error" => {
            format!("error {}: {}", event.code.unwrap_or(0), event.msg.as_deref().unwrap_or(""))
        }
        other => format!("event {other}"),
    };
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::parse_message;

    fn lines(text: &str) -> Vec<String> {
        let events = parse_message(text).expect("a good message");
        events.iter().map(|(_, event)| line(event).trim_end().to_string()).collect()
    }

    #[test]
    fn columns_are_aligned() {
        let got = lines(
            r#"[{"T":"q","S":"AAPL","bp":168.0,"bs":3,"ap":168.05,"as":12,"t":0,"sq":1},
                {"T":"t","S":"BRK.B","p":13.84,"s":100,"t":1500,"sq":1},
                {"T":"gap","S":"A","ch":"trades","to":9},{"T":"error","code":405,"msg":"a\tb"}]"#,
        );
        assert_eq!(
            got,
            [
                "00:00:00.000000  AAPL        quote         168.0 x 3               168.05 x 12",
                "00:00:00.000001  BRK.B       trade         13.84 x 100",
                concat!(
                    "-                A           gap    ",
                    "trades from the last one got to 9 will not come"
                ),
                "error 405: ab",
            ]
        );
    }
}
