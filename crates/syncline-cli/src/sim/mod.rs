//! `sim`: whole fleets in virtual time, on the user's own schema.
//!
//! The library `syncline-sim` makes and runs schedules; here is what needs a clock, files and processes. A run
//! happens in this process ([`simulate`]), or, where it may die or many are wanted, in a child ([`job`]).

pub(crate) mod args;
mod chosen;
mod explain;
mod files;
mod init;
mod interrupt;
mod job;
mod list;
mod meta;
mod replay;
mod run;
mod shrink;
mod simulate;
mod summary;
mod swarm;

use std::process::ExitCode;

use syncline_sim::outcome::{Kind, Outcome as Ended, Violation};

use crate::failure::{Failure, Outcome};
use crate::output::Out;
use args::SimCommand;

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing is wrong.
    Passed,
    /// Something is.
    Violated(Kind),
    /// The time was over before there were enough runs.
    TooFewRuns,
    /// The user did not want to wait.
    Interrupted,
}

impl Verdict {
    fn of(ended: &Ended) -> Self {
        ended.violation.as_ref().map_or(Self::Passed, Self::of_violation)
    }

    fn of_violation(violation: &Violation) -> Self {
        Self::Violated(violation.kind)
    }

    fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Violated(Kind::Safety) => 1,
            Self::Violated(Kind::Liveness) => 3,
            Self::Violated(Kind::Nondeterminism) => 4,
            Self::Violated(Kind::Panic) => 5,
            Self::TooFewRuns => 6,
            Self::Interrupted => 130,
        }
    }
}

/// Runs a command; whatever keeps it from its work has the exit code of wrong usage.
pub(crate) fn main(command: SimCommand, report: impl FnOnce(&Failure)) -> ExitCode {
    let mut out = Out::new();
    let verdict = dispatch(command, &mut out).and_then(|verdict| {
        out.flush()?;
        Ok(verdict)
    });
    match verdict {
        Ok(verdict) => ExitCode::from(verdict.code()),
        Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: SimCommand, out: &mut Out) -> Outcome<Verdict> {
    match command {
        SimCommand::Run(args) => run::run(&args, out),
        SimCommand::Swarm(args) => swarm::run(&args, out),
        SimCommand::Replay(args) => replay::run(&args, out),
        SimCommand::Shrink(args) => shrink::run(&args, out),
        SimCommand::Explain(args) => explain::run(&args, out),
        SimCommand::Meta(args) => meta::run(&args, out),
        SimCommand::List(args) => list::run(&args, out),
        SimCommand::Schema => list::json_schema(out),
        SimCommand::Init(args) => init::run(&args),
        SimCommand::Job(args) => job::serve(&args, out),
    }
}
