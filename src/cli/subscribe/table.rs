//! A row a symbol, drawn over itself on a terminal.

use crate::wire::client::{Event, printable, shown};
use rustc_hash::FxHashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Faster than the eye follows is only work for the terminal.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Rows and columns where the terminal does not say: those of the first video terminals.
const SIZE_DEFAULT: (usize, usize) = (24, 80);

/// The latest of each symbol, in order of appearance.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    by_symbol: FxHashMap<String, usize>,
    /// Lines of the terminal that hold the table now, above the cursor.
    drawn_count: usize,
    drawn_at: Option<Instant>,
    is_changed: bool,
}

#[derive(Debug, Default)]
struct Row {
    symbol: String,
    bid: String,
    ask: String,
    last: String,
    size: String,
    time: String,
    change_count: u64,
}

impl Table {
    pub fn take(&mut self, event: &Event) {
        let symbol = event.symbol();
        let at = *self.by_symbol.entry(symbol.to_string()).or_insert(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(Row { symbol: printable(symbol), ..Row::default() });
        }
        let row = &mut self.rows[at];
        match &*event.kind {
            "q" => {
                row.bid = format!("{} x {}", shown(event.bp), shown(event.bs));
                row.ask = format!("{} x {}", shown(event.ap), shown(event.ask_size));
            }
            "t" => (row.last, row.size) = (shown(event.p).into(), shown(event.s).into()),
            _ => (row.last, row.size) = (shown(event.c).into(), shown(event.v).into()),
        }
        row.time = event.time_of_day();
        row.change_count += 1;
        self.is_changed = true;
    }

    pub fn draw_if_due(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let is_due = self.drawn_at.is_none_or(|at| at.elapsed() >= DRAW_INTERVAL);
        if is_due { self.draw(out) } else { Ok(()) }
    }

    pub fn draw(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        self.is_changed = false;
        self.drawn_at = Some(Instant::now());
        let (height, width) = terminal_size();
        let lines = self.lines(height, width);
        if self.drawn_count > 0 {
            write!(out, "\x1b[{}A", self.drawn_count)?;
        }
        for line in &lines {
            writeln!(out, "{line}\x1b[K")?;
        }
        // The terminal may have become smaller: what is left below would be stale.
        write!(out, "\x1b[J")?;
        self.drawn_count = lines.len();
        Ok(())
    }

    /// What is written next stands below the table, which is drawn anew below that.
    pub fn leave(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.draw(out)?;
        self.drawn_count = 0;
        self.is_changed = !self.rows.is_empty();
        Ok(())
    }

    /// At most `height - 1` lines, for the cursor has one, and each at most `width` characters,
    /// for one that wraps would be two.
    fn lines(&self, height: usize, width: usize) -> Vec<String> {
        let rows_max = height.saturating_sub(2).max(1);
        let is_all = self.rows.len() <= rows_max;
        let shown_count = if is_all { self.rows.len() } else { rows_max.saturating_sub(1) };
        let mut lines = vec![columns(["SYMBOL", "BID", "ASK", "LAST", "SIZE", "TIME", "CHANGES"])];
        for row in &self.rows[..shown_count] {
            let changes = row.change_count.to_string();
            let Row { symbol, bid, ask, last, size, time, .. } = row;
            lines.push(columns([symbol, bid, ask, last, size, time, &changes]));
        }
        if !is_all {
            let hidden = self.rows.len() - shown_count;
            lines.push(format!("... and {hidden} more; a higher terminal shows more"));
        }
        lines.iter().map(|line| line.chars().take(width).collect()).collect()
    }
}

fn columns(cells: [&str; 7]) -> String {
    let [symbol, bid, ask, last, size, time, changes] = cells;
    format!("{symbol:<10} {bid:>18} {ask:>18} {last:>11} {size:>8}  {time:<15} {changes:>8}")
}

fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            (usize::from(size.ws_row), usize::from(size.ws_col))
        }
        _ => SIZE_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::parse_message;

    fn table(text: &str) -> Table {
        let mut table = Table::default();
        for (_, event) in parse_message(text).expect("a good message") {
            table.take(&event);
        }
        table
    }

    #[test]
    fn a_row_holds_the_latest_of_its_symbol() {
        let table = table(
            r#"[{"T":"q","S":"A","bp":1.5,"bs":2,"ap":1.6,"as":3,"t":0},
                {"T":"t","S":"B","p":7.0,"s":5,"t":0},{"T":"t","S":"A","p":1.55,"s":9,"t":1000}]"#,
        );
        let lines = table.lines(24, 200);
        let words: Vec<Vec<&str>> =
            lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let row_a = ["A", "1.5", "x", "2", "1.6", "x", "3", "1.55", "9", "00:00:00.000001", "2"];
        assert_eq!(words[1], row_a);
        assert_eq!(words[2], ["B", "7.0", "5", "00:00:00.000000", "1"]);
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let many: Vec<String> =
            (0..50).map(|n| format!(r#"{{"T":"t","S":"S{n}","p":1,"t":0}}"#)).collect();
        let table = table(&format!("[{}]", many.join(",")));
        for (height, width) in [(1, 1), (2, 20), (3, 80), (24, 80), (51, 10), (52, 80), (99, 80)] {
            let lines = table.lines(height, width);
            assert!(lines.len() < height.max(3), "{height}: {}", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() <= width));
        }
        assert!(table.lines(24, 80)[22].starts_with("... and 29 more"));
        assert_eq!(table.lines(52, 80).len(), 51);
    }

    /// Method: the second drawing must go up by exactly what the first one wrote.
    #[test]
    fn a_drawing_covers_the_one_before() {
        let mut table = table(r#"[{"T":"t","S":"A","p":1,"t":0},{"T":"t","S":"B","p":1,"t":0}]"#);
        let mut out = Vec::new();
        table.draw(&mut out).expect("a vector takes all");
        let first = String::from_utf8(std::mem::take(&mut out)).expect("text");
        assert_eq!(first.matches('\n').count(), 3);
        table.draw(&mut out).expect("a vector takes all");
        assert!(out.is_empty(), "nothing changed");
        table.is_changed = true;
        table.draw(&mut out).expect("a vector takes all");
        assert!(out.starts_with(b"\x1b[3A"));
    }
}
