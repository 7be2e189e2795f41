//! `sim shrink`: a failure file with less in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use syncline_sim::failure::Failure as Failed;
use syncline_sim::outcome::Violation;
use syncline_sim::schedule::Schedule;
use syncline_sim::shrink::{Class, Progress, Runs, shrink};

use super::Verdict;
use super::args::ShrinkArgs;
use super::chosen::plant;
use super::files;
use super::interrupt::Interrupt;
use super::job::{Alone, Ask, Death, Report};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Out, counted, say};

/// How long one candidate may take, unless the failure is that it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &ShrinkArgs, out: &mut Out) -> Outcome<Verdict> {
    let failed = files::read(&args.file)?;
    plant(args.mutant.as_deref())?;
    let interrupt = Interrupt::listen();
    let before = (failed.schedule.events.len(), failed.schedule.fleet.nodes.len());
    let smaller = smaller(&failed, args.mutant.as_deref(), args.time_budget, &interrupt)?;
    let Some(Smaller { failed, runs, took, ended_early }) = smaller else {
        return Err(Failure::failed(format!(
            "{} does not fail in this program, so there is nothing to shrink; `syncline sim replay` says more",
            args.file.display()
        )));
    };
    let path = args.output.clone().unwrap_or_else(|| small_name(&args.file));
    files::save(&path, &failed)?;
    let after = (failed.schedule.events.len(), failed.schedule.fleet.nodes.len());
    out.line(format_args!(
        "events {} → {}, nodes {} → {}, in {} and {:.1} s",
        output::grouped(before.0 as u64),
        after.0,
        before.1,
        after.1,
        counted(runs, "run"),
        took.as_secs_f64()
    ))?;
    out.line(format_args!("{}", failed.violation))?;
    out.flush()?;
    if ended_early {
        say("the time was over before everything was tried; --time-budget gives more");
    }
    files::say_what_next(&path, args.mutant.as_deref());
    Ok(if interrupt.seen() { Verdict::Interrupted } else { Verdict::Passed })
}

/// `fail.toml` → `fail.small.toml`.
fn small_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{}.small.toml", stem.trim_end_matches(".small")))
}

/// What became of a failure.
pub(super) struct Smaller {
    pub(super) failed: Failed,
    pub(super) runs: u64,
    pub(super) took: Duration,
    pub(super) ended_early: bool,
}

/// Shrinks for so long; `None` if it does not fail in its class at all.
pub(super) fn smaller(
    failed: &Failed,
    mutant: Option<&str>,
    budget: Duration,
    interrupt: &Interrupt,
) -> Outcome<Option<Smaller>> {
    let mut runner = Runner::new(mutant);
    let first = runner.run(std::slice::from_ref(&failed.schedule)).pop().flatten();
    runner.unstuck()?;
    // A schedule written by hand says nothing of how it fails: then it is as it does.
    let class = match (&first, failed.has_failed()) {
        (Some(violation), false) => Class::of(violation),
        (_, _) => Class::of(&failed.violation),
    };
    if !first.is_some_and(|violation| class.holds(&violation)) {
        return Ok(None);
    }
    let began = Instant::now();
    let bar = bar();
    let (mut runs, mut ended_early) = (0, false);
    let at_once = runner.children.len();
    let run = Runs { at_once, run: &mut |schedules| runner.run(schedules) };
    let small = shrink(failed.schedule.clone(), &class, run, &mut |progress| {
        runs = progress.runs;
        bar.set_message(words(progress));
        ended_early = began.elapsed() >= budget || interrupt.seen();
        !ended_early
    });
    bar.finish_and_clear();
    runner.unstuck()?;
    let took = began.elapsed();
    let failed = runner.last(small, failed)?;
    Ok(Some(Smaller { failed, runs, took, ended_early }))
}

fn words(progress: Progress) -> String {
    let Progress { pass, runs, events, nodes } = progress;
    let (events, nodes) = (counted(events as u64, "event"), counted(nodes as u64, "node"));
    format!("shrinking: {events} on {nodes}; trying {pass}, {}", counted(runs, "run"))
}

fn bar() -> ProgressBar {
    output::bar("shrinking", 0, "{spinner} {msg}")
}

/// Runs candidates in children, as many at once as there are cores.
struct Runner {
    children: Vec<Alone>,
    /// What kept one from being run.
    stuck: Option<Failure>,
}

impl Runner {
    fn new(mutant: Option<&str>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let child = || Alone::of_schedules(mutant.map(str::to_owned), PATIENCE);
        Self { children: std::iter::repeat_with(child).take(cores).collect(), stuck: None }
    }

    /// What each of these violates; no more of them than there are children. Nothing once one could not be run.
    fn run(&mut self, schedules: &[Schedule]) -> Vec<Option<Violation>> {
        if self.stuck.is_some() {
            return schedules.iter().map(|_| None).collect();
        }
        let begun = self.children.iter_mut().zip(schedules);
        let begun: Vec<Outcome> =
            begun.map(|(child, schedule)| child.begin(&Ask::schedule(schedule.clone()))).collect();
        let ended = self.children.iter_mut().zip(begun).map(|(child, begun)| begun.and_then(|()| child.wait()));
        let ended: Vec<_> = ended.collect();
        ended.into_iter().map(|ended| self.violation(ended)).collect()
    }

    fn violation(&mut self, ended: Outcome<Result<Box<Report>, Death>>) -> Option<Violation> {
        match ended {
            Ok(Ok(report)) => report.ended.violation,
            Ok(Err(death)) => Some(death.violation()),
            Err(failure) => {
                self.stuck.get_or_insert(failure);
                None
            }
        }
    }

    fn unstuck(&mut self) -> Outcome {
        self.stuck.take().map_or(Ok(()), Err)
    }

    /// The smallest once more, to be told.
    fn last(&mut self, small: Schedule, before: &Failed) -> Outcome<Failed> {
        let ask = Ask { story: true, ..Ask::schedule(small.clone()) };
        let Some(child) = self.children.first_mut() else { return Err(Failure::failed("no run was begun")) };
        Ok(match child.run(&ask)? {
            Ok(report) => {
                let Report { ended, story, .. } = *report;
                let violation = ended.violation.unwrap_or_else(|| before.violation.clone());
                files::failed(small, &ended.hash, violation, story)
            }
            Err(death) => files::failed(small, "", death.violation(), String::new()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_failure_stands_beside_the_larger() {
        assert_eq!(small_name(Path::new("a/sim-failure-7.toml")), Path::new("a/sim-failure-7.small.toml"));
        assert_eq!(small_name(Path::new("x.small.toml")), Path::new("x.small.toml"));
    }
}
