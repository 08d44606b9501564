//! Arguments → command → exit code. 0: done; 1: failed; 2: wrong use.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tapecast::cli::{load, serve, subscribe};
use tapecast::control::LogLevel;

/// Stock ticker fan-out: one market data feed in, very many WebSocket subscribers out.
///
/// Without a command: `serve` with a built-in synthetic feed on 127.0.0.1:9001.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve feeds to WebSocket subscribers
    Serve(serve::ServeArgs),
    /// Print what a subscriber gets
    Subscribe(subscribe::SubscribeArgs),
    /// Put load on a server with many connections, and check every stream
    Load(load::LoadArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = std::env::var("TAPECAST_LOG").unwrap_or_else(|_| "info".to_string());
    let log = match LogLevel::start(&level) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: TAPECAST_LOG: {error}");
            return ExitCode::from(2);
        }
    };
    match arguments.command {
        None => serve::run(&arguments.serve, log),
        Some(Command::Serve(args)) => serve::run(&args, log),
        Some(Command::Subscribe(args)) => subscribe::run(&args),
        Some(Command::Load(args)) => load::run(&args),
    }
}
