//! Arguments → command → exit code. 0: done; 1: failed; 2: wrong use.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tapecast::cli::{check, config, load, publish, record, serve, start_log, subscribe, top};

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
    // What these are for stands with their flags.
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Config(config::ConfigArgs),
    Publish(publish::PublishArgs),
    /// Print what a subscriber gets
    Subscribe(subscribe::SubscribeArgs),
    // What it is for stands with its flags.
    Record(record::RecordArgs),
    /// Show a server's status in the terminal
    Top(top::TopArgs),
    /// Put load on a server with many connections, and check every stream
    Load(load::LoadArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve::run(&arguments.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Config(args)) => config::run(&args),
        Some(Command::Publish(args)) => publish::run(&args),
        Some(Command::Subscribe(args)) => {
            start_log();
            subscribe::run(&args)
        }
        Some(Command::Record(args)) => {
            start_log();
            record::run(&args)
        }
        Some(Command::Top(args)) => top::run(&args),
        Some(Command::Load(args)) => {
            start_log();
            load::run(&args)
        }
    }
}
