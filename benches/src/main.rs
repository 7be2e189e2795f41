//! Syncline's measurements: `syncline-bench [JOB…] [--json FILE] [--quick]`.
//!
//! Every number stands beside its ceiling, measured in the same run on the same machine: the same rows put
//! into the same tables by hand, hand-written SQL, the same bytes through a bare QUIC stream, Automerge
//! alone. Runs of both alternate; the table shows medians with the least and the greatest. Nothing asserts:
//! numbers depend on the machine, ratios less so.
//!
//! Relays, and clients whose memory counts, run as processes of their own: this program starts itself with
//! one of the words of [`child`].

mod by_hand;
mod child;
mod input;
mod jobs;
mod machine;
mod proxy;
mod quic;
mod report;
mod samples;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::jobs::Job;
use crate::report::Report;

/// Result of anything here; a failure ends the run with its message.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures Syncline, each number beside its ceiling.
#[derive(Debug, Parser)]
#[command(name = "syncline-bench", version)]
struct Arguments {
    /// What to measure; everything if none is named.
    jobs: Vec<Job>,
    /// Also write everything, samples included, to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A tenth of the work: to see that it runs, not to quote.
    #[arg(long)]
    quick: bool,
}

/// How much work a job does.
#[derive(Clone, Copy, Debug)]
struct Scale {
    quick: bool,
}

impl Scale {
    /// So many, or a tenth of it.
    fn of(self, count: usize) -> usize {
        if self.quick { count.div_ceil(10) } else { count }
    }

    /// So many rounds, or two.
    fn rounds(self, count: usize) -> usize {
        if self.quick { count.min(2) } else { count }
    }
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match child::Command::parse(&arguments) {
        Some(command) => runtime.block_on(command.run()),
        None => runtime.block_on(measure(Arguments::parse())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &(dyn std::error::Error + Send + Sync)) -> ExitCode {
    eprintln!("syncline-bench: {error}");
    ExitCode::FAILURE
}

async fn measure(arguments: Arguments) -> Result<()> {
    let mut report = Report::new(machine::facts(arguments.quick)?);
    report.begin()?;
    let jobs = if arguments.jobs.is_empty() { Job::all() } else { arguments.jobs };
    for job in jobs {
        eprintln!("{job} …");
        for row in job.run(Scale { quick: arguments.quick }).await.map_err(|error| format!("{job}: {error}"))? {
            report.add(row)?;
        }
    }
    report.end()?;
    if let Some(path) = arguments.json {
        std::fs::write(&path, report.to_json()?)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
