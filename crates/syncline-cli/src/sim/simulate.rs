//! One run in this process.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::panic;
use std::path::Path;
use std::time::{Duration, Instant};

use syncline_sim::outcome::Outcome as Ended;
use syncline_sim::schedule::Schedule;
use syncline_sim::trace::{Entry, Recorder};
use syncline_sim::{report, world};

use super::args::ToldArgs;
use crate::failure::{Failure, Outcome};

/// A run that is over.
pub(super) struct Ran {
    pub(super) ended: Ended,
    /// How long it took, in real time.
    pub(super) took: Duration,
    /// What happened, if that was kept.
    pub(super) entries: Option<Vec<Entry>>,
}

/// Runs a schedule. What panics in it is part of the outcome and not printed.
pub(super) fn simulate(schedule: &Schedule, recorder: Option<&mut dyn Recorder>) -> Ended {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let ended = world::run(schedule, recorder);
    panic::set_hook(hook);
    ended
}

/// Runs a schedule and writes down what is asked for.
pub(super) fn simulate_and_tell(schedule: &Schedule, told: &ToldArgs) -> Outcome<Ran> {
    let began = Instant::now();
    if told.trace.is_none() && told.html.is_none() {
        let ended = simulate(schedule, None);
        return Ok(Ran { ended, took: began.elapsed(), entries: None });
    }
    let mut tee = Tee::new(told)?;
    let ended = simulate(schedule, Some(&mut tee));
    let took = began.elapsed();
    let entries = tee.finish(told)?;
    if let (Some(path), Some(entries)) = (&told.html, &entries) {
        write(path, &report::html(schedule, &ended, entries))?;
    }
    Ok(Ran { ended, took, entries })
}

/// The run's story; the run is repeated if nobody kept what happened.
pub(super) fn story(schedule: &Schedule, ran: &Ran) -> String {
    match &ran.entries {
        Some(entries) => told(schedule, &ran.ended, entries),
        None => {
            let mut entries = Vec::new();
            let ended = simulate(schedule, Some(&mut entries));
            told(schedule, &ended, &entries)
        }
    }
}

fn told(schedule: &Schedule, ended: &Ended, entries: &[Entry]) -> String {
    let told = report::explain(schedule, ended, entries);
    // It ends in commands for a file whose name only the program knows.
    let story: Vec<&str> = told.lines().take_while(|line| !line.contains(": syncline sim ")).collect();
    format!("{}\n", story.join("\n").trim_end())
}

pub(super) fn write(path: &Path, text: &str) -> Outcome {
    std::fs::write(path, text).map_err(|error| Failure::unwritable(path, &error))
}

/// Keeps entries, writes them as lines, or both.
struct Tee {
    entries: Option<Vec<Entry>>,
    lines: Option<BufWriter<File>>,
    failed: Option<io::Error>,
}

impl Tee {
    fn new(told: &ToldArgs) -> Outcome<Self> {
        let lines = match &told.trace {
            Some(path) => Some(BufWriter::new(File::create(path).map_err(|error| Failure::unwritable(path, &error))?)),
            None => None,
        };
        Ok(Self { entries: told.html.is_some().then(Vec::new), lines, failed: None })
    }

    fn line(&mut self, entry: &Entry) -> io::Result<()> {
        let Some(lines) = &mut self.lines else { return Ok(()) };
        serde_json::to_writer(&mut *lines, entry)?;
        lines.write_all(b"\n")
    }

    /// The entries, once the lines are in their file.
    fn finish(mut self, told: &ToldArgs) -> Outcome<Option<Vec<Entry>>> {
        let flushed = self.lines.as_mut().map_or(Ok(()), BufWriter::flush);
        let failed = self.failed.or_else(|| flushed.err());
        match (failed, &told.trace) {
            (Some(error), Some(path)) => Err(Failure::unwritable(path, &error)),
            _ => Ok(self.entries),
        }
    }
}

impl Recorder for Tee {
    fn record(&mut self, entry: Entry) {
        if self.failed.is_none() {
            self.failed = self.line(&entry).err();
        }
        if let Some(entries) = &mut self.entries {
            entries.push(entry);
        }
    }
}
