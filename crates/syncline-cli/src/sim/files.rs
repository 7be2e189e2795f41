//! Failure files: their names, and what stands in them.

use std::path::{Path, PathBuf};

use syncline_sim::failure::Failure as Failed;
use syncline_sim::outcome::{Outcome as Ended, Violation};
use syncline_sim::schedule::Schedule;
use syncline_sim::shrink::Class;

use super::chosen::{refused, shown};
use super::simulate::write;
use crate::failure::{Failure, Outcome};
use crate::output::{say, stderr_is_colored, styled};

/// What failure files call this program.
pub(super) const PROGRAM: &str = concat!("syncline ", env!("CARGO_PKG_VERSION"));

/// A failed run as a file has it.
pub(super) fn failed(schedule: Schedule, hash: &str, violation: Violation, story: String) -> Failed {
    Failed { program: PROGRAM.to_owned(), hash: hash.to_owned(), violation, schedule, story }
}

pub(super) fn read(path: &Path) -> Outcome<Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    Failed::from_toml(&shown(path), &text).map_err(|error| refused(&error))
}

/// Writes a failure, and makes the folder if it is missing.
pub(super) fn save(path: &Path, failed: &Failed) -> Outcome {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format!("the folder {} cannot be made: {error}", folder.display())))?;
    }
    write(path, &failed.to_toml())
}

/// Where the failure of a seed goes: to a file of that name, or to a file of its own in a folder.
pub(super) fn place(wanted: Option<&Path>, seed: u64) -> PathBuf {
    let name = format!("sim-failure-{seed}.toml");
    match wanted {
        None => PathBuf::from(name),
        Some(path) if path.is_dir() || shown(path).ends_with('/') => path.join(name),
        Some(path) => path.to_owned(),
    }
}

/// Says what to do with a saved failure.
pub(super) fn say_what_next(path: &Path, mutant: Option<&str>) {
    let colored = stderr_is_colored();
    let path = super::chosen::shell(&[shown(path)]);
    let mutant = mutant.map(|name| format!(" --mutant {name}")).unwrap_or_default();
    say(format_args!("\nwritten to {path}"));
    let smaller = (!path.contains(".small.")).then_some(("make it smaller", "shrink"));
    for (what, command) in [("replay it", "replay")].into_iter().chain(smaller).chain([("have it told", "explain")]) {
        let what = styled(format_args!("{:<18}", format!("to {what}")), "2", colored);
        say(format_args!("  {what} syncline sim {command} {path}{mutant}"));
    }
}

/// Whether a run failed as the file says: the same check in the same way.
pub(super) fn is_the_same(failed: &Failed, ended: &Ended) -> bool {
    ended.violation.as_ref().is_some_and(|now| Class::of(&failed.violation).holds(now))
}
