//! How many machines: what subscribers, symbols and ticks ask of publisher, NATS and nodes,
//! reckoned from what the other benchmarks measured. `cargo bench --bench capacity` prints the
//! tables that README.md and tuning/README.md show; `-- --nats` measures nats-server. Without
//! `--bench`, as `cargo test` runs it, a small mode.

mod bytes;
mod constants;
mod engine;
mod model;
mod nats;
mod readers;
mod storm;
mod tables;

use constants::Origin;
use nats::Case;
use std::error::Error;
use std::process::ExitCode;

/// Medians of so many rounds, which take turns.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let outcome = match (has("--bench"), has("--nats")) {
        (true, true) => measure_nats(),
        (true, false) => {
            print();
            Ok(())
        }
        (false, _) => small(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("capacity: {error}");
            ExitCode::FAILURE
        }
    }
}

fn small() -> Result<(), Box<dyn Error + Send + Sync>> {
    constants::check();
    bytes::check();
    model::check();
    engine::check();
    readers::check();
    storm::check();
    tables::check();
    check_texts();
    for is_stored in [false, true] {
        let case = Case { is_stored, lines: 2, messages_hz: 1_000, copies: 2 };
        let figures = nats::measure(case, 0.1)?;
        assert!(figures.message_us > 0.0, "{figures:?}");
        assert_eq!(figures.disk_bytes > 0.0, is_stored, "{figures:?}");
    }
    Ok(())
}

/// The tables in the texts are what is printed; who changed a constant copies them there.
fn check_texts() {
    for (file, tables) in [("README.md", tables::all()), ("tuning/README.md", tables::tuning())] {
        let text = constants::text_of(file);
        for table in tables {
            let missing = table.lines().find(|line| !text.contains(line));
            assert!(
                text.contains(&table),
                "a table of {file} is not what `cargo bench --bench capacity` prints \
                 ({missing:?}); put in what it prints"
            );
        }
    }
}

fn print() {
    for table in tables::all().into_iter().chain(tables::tuning()) {
        println!("{table}");
    }
    println!("| value | what | from |\n| ---: | --- | --- |");
    for constant in constants::ALL {
        let from = match &constant.origin {
            Origin::Measured { file, section, row, commit, .. } => {
                format!("{file}, {section}, `{row}`; {commit}").replace(", ,", ",")
            }
            Origin::Assumed(why) => format!("assumed: {why}"),
        };
        println!("| {} | {} | {} |", constant.value, constant.what, from);
    }
}

fn cases() -> Vec<Case> {
    let case =
        |is_stored, lines, messages_hz, copies| Case { is_stored, lines, messages_hz, copies };
    vec![
        case(false, 1, 5_000, 0),
        case(false, 1, 5_000, 1),
        case(false, 1, 5_000, 8),
        case(false, 1, 5_000, 32),
        case(false, 10, 5_000, 0),
        case(false, 10, 5_000, 8),
        case(false, 1, 50_000, 0),
        case(false, 1, 50_000, 4),
        case(true, 1, 5_000, 0),
        case(true, 1, 5_000, 8),
        case(true, 10, 5_000, 0),
        case(true, 10, 5_000, 8),
        case(true, 1, 20_000, 0),
    ]
}

fn measure_nats() -> Result<(), Box<dyn Error + Send + Sync>> {
    let cases = cases();
    let mut rounds: Vec<Vec<nats::Figures>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (case, figures) in cases.iter().zip(&mut rounds) {
            figures.push(nats::measure(*case, 3.0)?);
        }
    }
    println!(
        "| stored | lines | messages/s | copies | CPU µs a message | bytes in | bytes a copy \
         | bytes on disk | MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (case, mut figures) in cases.into_iter().zip(rounds) {
        figures.sort_by(|a, b| a.message_us.total_cmp(&b.message_us));
        let (least, most) = (figures[0].message_us, figures[figures.len() - 1].message_us);
        let middle = figures[figures.len() / 2];
        println!(
            "| {} | {} | {} | {} | {:.1} ({least:.1}–{most:.1}) | {} | {} | {:.0} | {:.0} |",
            if case.is_stored { "yes" } else { "no" },
            case.lines,
            case.messages_hz,
            case.copies,
            middle.message_us,
            middle.publish_bytes,
            middle.copy_bytes,
            middle.disk_bytes,
            middle.memory_mib,
        );
    }
    Ok(())
}
