//! The whole server in its own process on one core, `tapecast load` on another, beside floors
//! and peers, in rounds that take turns: `cargo bench --bench fanout -- --help`. Without
//! `--bench`, as `cargo test` runs it, a small mode: one round of one workload, and the report of
//! fixed numbers.
//!
//! A run ([`measure::run`]): the server starts fresh and says its address; the load opens its
//! connections; the market begins; after the warm-up the load counts, and the CPU time of the
//! server's process tree is read at both ends of the window. In cells in turns Tapecast and a floor
//! do so side by side ([`measure::run_in_turns`]).

mod aims;
mod args;
mod charts;
mod feed;
mod load;
mod measure;
mod process;
mod report;
mod results;
mod rounds;
mod search;
mod servers;
mod small;
mod stats;
mod verdict;
mod workload;

use args::Args;
use clap::Parser;
use measure::Plan;
use results::{Machine, Results};
use servers::{FLOORS, Server};
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

fn main() -> ExitCode {
    let outcome = match std::env::args().any(|argument| argument == "--bench") {
        true => run(&Args::parse().settled()),
        false => small::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join(&args.out);
    if args.list {
        list();
        return Ok(());
    }
    if args.publish {
        return publish(&out, args.force);
    }
    if !args.render {
        measure_all(args, &out)?;
    }
    render(&out)?;
    let written = out.join("results.md");
    print!("{}", fs::read_to_string(&written)?);
    eprintln!("{}", written.display());
    Ok(())
}

/// Tables and charts of the results there.
fn render(out: &Path) -> io::Result<Vec<String>> {
    let results = Results::read(out)?;
    fs::write(out.join("results.md"), report::markdown(&results))?;
    charts::draw(&results, out)
}

/// What the README shows is a copy in the repository.
fn publish(out: &Path, force: bool) -> Result<(), Box<dyn Error>> {
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
    let results = Results::read(out)?;
    let note = publishing_note(&results, force)?;
    fs::create_dir_all(&to)?;
    let mut files = render(out)?;
    files.push("results.json".into());
    for file in files {
        fs::copy(out.join(&file), to.join(&file))?;
        println!("benches/results/{file}");
    }
    fs::write(to.join("results.md"), report::markdown(&results) + &note)?;
    println!("benches/results/results.md");
    Ok(())
}

/// What is said behind results that nobody can check out, where they are wanted nevertheless.
fn publishing_note(results: &Results, force: bool) -> Result<String, String> {
    let cells = results.uncommitted().join(", ");
    match (cells.is_empty(), force) {
        (true, _) => Ok(String::new()),
        (false, true) => Ok(format!(
            "\n**Published with `--force`**: of a tree with changes that no commit has: {cells}.\n"
        )),
        (false, false) => Err(format!(
            "--publish: measured with changes that no commit has: {cells}; commit, and measure \
             these again with --keep --workloads, or add --force, which the results will say"
        )),
    }
}

fn measure_all(args: &Args, out: &Path) -> Result<(), Box<dyn Error>> {
    let cells = chosen_cells(args)?;
    let servers = chosen_servers(args)?;
    let descriptors = raise_descriptor_limit();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    two_cores(&cores.iter().map(|core| core.id).collect::<Vec<_>>())?;
    let plan = plan(args);
    let machine = Machine::this(descriptors);
    process::pin_this_thread(plan.core_load);
    let mut results = match args.keep.then(|| Results::read(out)) {
        Some(Ok(kept)) if kept.machine == machine => kept,
        Some(Ok(_)) => return Err("--keep: the results there are of another machine".into()),
        Some(Err(_)) | None => Results { machine, cells: Vec::new() },
    };
    for group in rounds::groups(cells) {
        // Written after each, so that what is measured outlives what comes later.
        let measured = rounds::measure_group(&group, &servers, args.rounds, &plan);
        measured.into_iter().for_each(|measured| results.put(measured));
        results.write(out)?;
    }
    Ok(())
}

/// Servers on the first core, all else on the last. Only the small mode has them share one.
fn plan(args: &Args) -> Plan {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    Plan {
        warmup: Duration::from_secs_f64(args.warmup),
        window: Duration::from_secs_f64(args.seconds),
        core_server: cores.first().map_or(0, |core| core.id),
        core_load: cores.last().map_or(0, |core| core.id),
        tapecast_flags: args.tapecast_flags.clone(),
        quick: args.quick,
    }
}

/// On a single core the load would be measured with the server.
fn two_cores(cores: &[usize]) -> Result<(), String> {
    match cores {
        [_, _, ..] => Ok(()),
        _ => Err(format!(
            "server and load need a core each, and this process may use {}; see taskset(1) and \
             the cpuset of the container",
            cores.len()
        )),
    }
}

fn chosen_cells(args: &Args) -> Result<Vec<workload::Cell>, String> {
    let is_all = args.workloads.iter().any(|name| name == "all");
    let names =
        if is_all { workload::NAMES.map(str::to_string).to_vec() } else { args.workloads.clone() };
    let mut cells = Vec::new();
    for name in with_compared(names) {
        let mut of_name = workload::cells(&name, args.connections_max, args.batch_ms);
        if of_name.is_empty() {
            let all = workload::NAMES.iter();
            let all = all.flat_map(|n| workload::cells(n, args.connections_max, args.batch_ms));
            of_name = all.filter(|cell| cell.name == name).collect();
        }
        if of_name.is_empty() {
            let known = workload::NAMES.join(", ");
            return Err(format!(
                "there is no workload {name:?}; known are {known}, all, and each cell that --list \
                 shows"
            ));
        }
        cells.extend(of_name);
    }
    Ok(cells)
}

/// S1 is told by W2, and what was measured another day says little.
fn with_compared(mut names: Vec<String>) -> Vec<String> {
    if let Some(place) = names.iter().position(|name| name == "S1")
        && !names.iter().any(|name| name == "W2")
    {
        eprintln!("W2 is measured as well: S1 is told by it");
        names.insert(place, "W2".into());
    }
    names
}

/// A floor is built where it is asked for: cargo builds only the bench that it runs.
fn chosen_servers(args: &Args) -> Result<Vec<Server>, Box<dyn Error>> {
    let is_all = args.servers.iter().any(|name| name == "installed");
    match is_all || args.servers.iter().any(|name| FLOORS.contains(&name.as_str())) {
        true => build_floor()?,
        false => eprintln!("no floor is among the servers: no round with ticks will count"),
    }
    if is_all {
        return Ok(Server::installed());
    }
    let mut servers = Vec::new();
    for name in &args.servers {
        let server = Server::named(name)?;
        if !server.is_installed() {
            return Err(format!("{name} is not installed; run benches/peers/install").into());
        }
        servers.push(server);
    }
    Ok(servers)
}

fn build_floor() -> Result<(), String> {
    eprintln!("building the floor");
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["bench", "--quiet", "--no-run", "--bench", "floor"]);
    // What the compiler says goes where all else is said.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let why = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    Err(format!("the floor does not build ({why}); without it nothing counts, see above"))
}

fn list() {
    for name in workload::NAMES {
        for cell in workload::cells(name, 18_000, args::BATCH_MS) {
            println!("{:<24} {:>6} connections: {}", cell.name, cell.connections, cell.shows);
        }
    }
    for server in Server::installed() {
        println!("{:<24} installed", server.name);
    }
}

/// Ours, and so that of all servers and loads that we start.
fn raise_descriptor_limit() -> u64 {
    let limit = tapecast::server::descriptors::raise_descriptor_limit();
    limit.map_or(0, |(_, hard)| hard)
}
