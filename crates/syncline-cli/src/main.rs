//! The `syncline` program: stores, relays and sync from the terminal.
//!
//! `args` says what can be asked for; each other module does one kind of work with the library and says how
//! it went. Data goes to stdout, messages and progress to stderr. Exit codes: 0 done, 1 failed, 2 wrong
//! usage, 3 timed out; `sim` has its own.

mod args;
mod conflicts;
mod demo;
mod export;
mod failure;
mod history;
mod import;
mod init;
mod inspect;
mod json;
mod migrate;
mod output;
mod paths;
mod query;
mod records;
mod relay;
mod schema;
mod sim;
mod status;
mod store;
mod sync;
mod texts;
mod versions;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, MigrateCommand, RelayCommand, SchemaCommand};
use failure::{Failure, Outcome};
use output::Out;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // What an engine warns of in a simulation is the simulation's doing.
    let level = if matches!(cli.command, Command::Sim(_)) { "off" } else { "warn" };
    if let Err(failure) = start_logging(level) {
        report(&failure);
        return ExitCode::from(failure.code());
    }
    // Simulations need no runtime, and have exit codes of their own.
    let command = match cli.command {
        Command::Sim(command) => return sim::main(command, report),
        command => command,
    };
    let Err(failure) = run(command) else { return ExitCode::SUCCESS };
    report(&failure);
    ExitCode::from(failure.code())
}

fn report(failure: &Failure) {
    if let Some(message) = failure.message() {
        let label = output::styled("error:", "1;31", output::stderr_is_colored());
        output::say(format_args!("{label} {}", message.trim_end()));
    }
}

fn run(command: Command) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the system has no threads to give: {error}")))?;
    runtime.block_on(async {
        let mut out = Out::new();
        dispatch(command, &mut out).await?;
        out.flush()
    })
}

async fn dispatch(command: Command, out: &mut Out) -> Outcome {
    match command {
        Command::Demo => demo::run(out).await,
        Command::Init(args) => init::run(args).await,
        Command::Save(args) => records::save(args, out).await,
        Command::Update(args) => records::update(args, out).await,
        Command::Get(args) => records::get(args, out).await,
        Command::Delete(args) => records::delete(args, out).await,
        Command::Undelete(args) => records::undelete(args, out).await,
        Command::Edit(args) => texts::edit(args, out).await,
        Command::Mark(args) => texts::mark(args, out).await,
        Command::Unmark(args) => texts::unmark(args, out).await,
        Command::Spans(args) => texts::spans(args, out).await,
        Command::SetSpans(args) => texts::set_spans(args, out).await,
        Command::Cursor(args) => texts::cursor(args, out).await,
        Command::Increment(args) => records::increment(args, out).await,
        Command::Document(args) => records::document(args, out).await,
        Command::Query(args) => query::run(args, out).await,
        Command::Watch(args) => watch::run(args, out).await,
        Command::Import(args) => import::run(args, out).await,
        Command::Export(args) => export::run(args, out).await,
        Command::Migrate(MigrateCommand::Amplify(args)) => migrate::amplify(args, out).await,
        Command::Relay(RelayCommand::Run(args)) => relay::run(args, out).await,
        Command::Serve(args) => relay::serve(args, out).await,
        Command::Sync(args) => sync::run(args, out).await,
        Command::Status(args) => status::run(args, out).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Vector(args) => versions::vector(args, out).await,
        Command::Compare(args) => versions::compare(&args, out),
        Command::History(args) => history::run(args, out).await,
        Command::Undo(args) => records::undo(args, out).await,
        Command::Redo(args) => records::redo(args, out).await,
        Command::Conflicts(args) => conflicts::run(args, out).await,
        Command::Resolve(args) => conflicts::resolve(args, out).await,
        Command::Verify(args) => status::verify(args, out).await,
        // `main` has taken it.
        Command::Sim(_) => Ok(()),
        Command::Schema(SchemaCommand::Check(args)) => schema::check(&args, out),
        Command::Schema(SchemaCommand::Diff(args)) => schema::diff(&args, out),
        Command::Schema(SchemaCommand::Rust(args)) => schema::rust(&args, out),
        Command::Schema(SchemaCommand::Typescript(args)) => schema::typescript(&args, out),
        Command::Schema(SchemaCommand::Json(args)) => schema::json(&args, out),
    }
}

fn start_logging(usual: &str) -> Outcome {
    let wanted = std::env::var("SYNCLINE_LOG").unwrap_or_default();
    let filter = if wanted.is_empty() { usual } else { &wanted };
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(format!(
            "SYNCLINE_LOG=`{wanted}` cannot be used ({error}); a good value is `info` or `syncline_net=debug`"
        ))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_is_colored())
        .init();
    Ok(())
}
