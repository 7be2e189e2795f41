//! Makes a failing schedule small: leaves out what the failure does not need.
//!
//! Schedules are explicit, so a smaller one is a part of the larger: kinds of events, nodes, single events,
//! then sizes and times. Every candidate is run, and taken only if it fails in the same [`Class`].

mod arguments;
mod events;
mod nodes;
mod normal;
mod parts;
mod times;

use std::fmt;

use crate::outcome::{Kind, Violation};
use crate::schedule::Schedule;

/// What stays fixed while a schedule shrinks: the same check fails in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The check's name.
    pub check: String,
    /// How it fails.
    pub kind: Kind,
    /// What a panic says, numbers left out: another text is another defect.
    pub panic: Option<String>,
}

impl Class {
    /// The class of a violation.
    pub fn of(violation: &Violation) -> Self {
        let panic = (violation.kind == Kind::Panic).then(|| {
            let first = violation.message.lines().next().unwrap_or_default();
            first.chars().filter(|c| !c.is_ascii_digit()).collect()
        });
        Self { check: violation.check.clone(), kind: violation.kind, panic }
    }

    /// Whether a violation is of this class.
    pub fn holds(&self, violation: &Violation) -> bool {
        *self == Self::of(violation)
    }
}

/// How far shrinking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being tried.
    pub pass: Pass,
    /// Runs so far.
    pub runs: u64,
    /// Events of the smallest schedule so far.
    pub events: usize,
    /// Its nodes.
    pub nodes: usize,
}

/// What is being tried to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Whether it fails at all.
    First,
    /// All events of one kind.
    Kinds,
    /// Nodes with all that concerns them.
    Nodes,
    /// Events.
    Events,
    /// Numbers, texts, fields.
    Arguments,
    /// Time between events.
    Times,
    /// Numbers and names that came about by chance.
    Names,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "once as it is",
            Self::Kinds => "kinds of events",
            Self::Nodes => "nodes",
            Self::Events => "events",
            Self::Arguments => "arguments",
            Self::Times => "times",
            Self::Names => "names",
        })
    }
}

/// Rounds over nodes, events, arguments and times; each later one has less to find.
const ROUNDS_MAX: u32 = 4;

/// How candidates are run.
pub struct Runs<'a> {
    /// How many at once; at least 1.
    pub at_once: usize,
    /// Runs these, and says of each what it violates first.
    pub run: &'a mut dyn FnMut(&[Schedule]) -> Vec<Option<Violation>>,
}

/// Runs candidates one after the other: for [`Runs::run`].
pub fn one_by_one(
    mut run: impl FnMut(&Schedule) -> Option<Violation>,
) -> impl FnMut(&[Schedule]) -> Vec<Option<Violation>> {
    move |candidates| candidates.iter().map(&mut run).collect()
}

/// The smallest schedule found that fails in this class.
///
/// `go_on` is asked before candidates are run; once it says no, the smallest schedule so far is returned. A schedule
/// that does not fail in this class comes back as it was. The result does not depend on how many run at once, but for
/// what `go_on` cuts off.
pub fn shrink(schedule: Schedule, class: &Class, runs: Runs<'_>, go_on: &mut dyn FnMut(Progress) -> bool) -> Schedule {
    let mut search = Search {
        best: schedule,
        class,
        at_once: runs.at_once.max(1),
        run: runs.run,
        go_on,
        pass: Pass::First,
        runs: 0,
        stopped: false,
        at_ms: 0,
    };
    let whole = search.best.clone();
    if !search.try_out(whole) {
        return search.best;
    }
    events::leave_out_what_comes_after(&mut search);
    events::leave_out_kinds(&mut search);
    for _ in 0..ROUNDS_MAX {
        let before = search.best.clone();
        nodes::leave_out(&mut search);
        events::leave_out(&mut search);
        arguments::simplify(&mut search);
        times::compact(&mut search);
        if search.best == before {
            break;
        }
    }
    normal::normalise(&mut search);
    search.best
}

/// The smallest so far, and the means to try another.
struct Search<'a> {
    best: Schedule,
    class: &'a Class,
    at_once: usize,
    run: &'a mut dyn FnMut(&[Schedule]) -> Vec<Option<Violation>>,
    go_on: &'a mut dyn FnMut(Progress) -> bool,
    pass: Pass,
    runs: u64,
    stopped: bool,
    /// When the smallest so far fails.
    at_ms: u64,
}

impl Search<'_> {
    /// Takes a candidate if it fails in the class. Does nothing once stopped.
    fn try_out(&mut self, candidate: Schedule) -> bool {
        self.try_first(vec![candidate]).is_some()
    }

    /// Takes the first of these that fails in the class, and says which it is.
    fn try_first(&mut self, candidates: Vec<Schedule>) -> Option<usize> {
        // The whole is run once; later, what has not changed needs no run.
        let changed = |(_, candidate): &(usize, Schedule)| self.runs == 0 || *candidate != self.best;
        let mut left: Vec<(usize, Schedule)> = candidates.into_iter().enumerate().filter(changed).collect();
        while !left.is_empty() {
            if self.stopped || !self.may_go_on() {
                return None;
            }
            let later = left.split_off(self.at_once.min(left.len()));
            let (places, mut together): (Vec<usize>, Vec<Schedule>) =
                std::mem::replace(&mut left, later).into_iter().unzip();
            self.runs += together.len() as u64;
            for (at, violation) in (self.run)(&together).into_iter().enumerate() {
                if let Some(violation) = violation.filter(|violation| self.class.holds(violation)) {
                    self.at_ms = violation.at_ms;
                    self.best = together.swap_remove(at);
                    return Some(places[at]);
                }
            }
        }
        None
    }

    /// Tries to leave out each of these parts, in this order. Whether any could go.
    fn leave_out<T>(&mut self, parts: &[T], without: impl Fn(&Schedule, &T) -> Schedule) -> bool {
        let mut found = false;
        let mut next = 0;
        while next < parts.len() && !self.stopped {
            let candidates = parts[next..].iter().take(self.at_once);
            let tried = candidates.len();
            let candidates = candidates.map(|part| without(&self.best, part)).collect();
            // What comes after one that goes is tried again without it.
            let gone = self.try_first(candidates);
            found |= gone.is_some();
            next += gone.map_or(tried, |at| at + 1);
        }
        found
    }

    fn may_go_on(&mut self) -> bool {
        let progress = Progress {
            pass: self.pass,
            runs: self.runs,
            events: self.best.events.len(),
            nodes: self.best.fleet.nodes.len(),
        };
        self.stopped = !(self.go_on)(progress);
        !self.stopped
    }
}
