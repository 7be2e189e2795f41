//! The end of a run: everything is made whole, nobody writes any more, and the fleet must come to agree.

use super::World;
use super::node::Power;
use super::tasks::Task;
use super::tell::Fact;
use crate::checks;
use crate::outcome::{Kind, Violation};
use crate::schedule::Role;
use crate::trace::What;

/// How soon it is looked again whether the fleet agrees. Later, after one part in so many of the time since: who
/// never agrees is not compared a thousand times.
const LOOK_MS: u64 = 250;
const LOOK_PART: u64 = 16;
/// How long news may be gathered before it is sent, and more than that: then nothing may be said any more.
const LAST_WORDS_MS: u64 = 90_000;
/// How long nothing may be said.
const SILENCE_MS: u64 = 60_000;

/// How far the end is.
#[derive(Debug, Default)]
pub(super) struct Settling {
    healed_at: Option<u64>,
    agreed_at: Option<u64>,
    /// Messages sent when silence had to begin.
    quiet_from: Option<(u64, u64)>,
    /// Messages between nodes that no disk has lied to: a torn store may ask for help for ever.
    pub(super) messages: u64,
    over: bool,
    /// Set when the fleet does not come to agree.
    failed: Option<Violation>,
}

impl Settling {
    pub(super) fn is_healed(&self) -> bool {
        self.healed_at.is_some()
    }
}

impl World {
    pub(super) fn is_over(&self) -> bool {
        self.settling.over
    }

    pub(super) fn settled(&mut self) -> Result<(), Violation> {
        self.settling.failed.take().map_or(Ok(()), Err)
    }

    /// Ends faults and writes.
    pub(super) fn heal(&mut self) {
        self.end_all_faults();
        self.settling.healed_at = Some(self.now_ms);
        self.tasks.retain(|task| !matches!(task, Task::Event(_) | Task::Part(..) | Task::FaultEnds(_)));
        let at = self.at();
        self.teller.tell(at, "", || What::Healed);
        self.fact(Fact::Healed);
        for node in 0..self.nodes.len() {
            let hostile = matches!(self.nodes[node].spec.role, Role::Adversary(_));
            if hostile {
                self.retire_hostile(node);
            } else if self.nodes[node].running.is_none() && self.nodes[node].power != Power::Unborn {
                self.tasks.plan(self.now_ms, Task::Boot(node));
            }
        }
        // Everybody may dial at once: nobody waits for a backoff from bad times.
        for link in 0..self.network.links.len() {
            self.tasks.plan(self.now_ms + 1, Task::Dial(link));
        }
        self.tasks.plan(self.now_ms + LOOK_MS, Task::Look);
    }

    /// A hostile node goes away for good.
    fn retire_hostile(&mut self, node: usize) {
        self.nodes[node].calm();
        for link in &mut self.network.links {
            if link.from == node || link.to == node {
                link.wanted = false;
            }
        }
        for (id, _) in self.network.of(node) {
            self.network.break_now(id, "a hostile node went away", self.now_ms, &mut self.tasks);
        }
    }

    /// Looks whether the fleet agrees, and is silent once it does.
    pub(super) fn look(&mut self) {
        let healed_at = self.settling.healed_at.unwrap_or_default();
        let messages = self.settling.messages;
        match (self.settling.agreed_at, self.settling.quiet_from) {
            (None, _) => {
                let outcome = self.agreement();
                match outcome {
                    Ok(()) => self.agreed(healed_at),
                    Err(mut why) if self.now_ms - healed_at > self.schedule.expect.converge_within_ms => {
                        (why.kind, why.step, why.at_ms) = (Kind::Liveness, self.steps, self.now_ms);
                        self.settling.failed = Some(why);
                    }
                    Err(_) => {
                        let after_ms = LOOK_MS.max((self.now_ms - healed_at) / LOOK_PART);
                        self.tasks.plan(self.now_ms + after_ms, Task::Look);
                    }
                }
            }
            (Some(_), None) => {
                self.settling.quiet_from = Some((self.now_ms, messages));
                self.tasks.plan(self.now_ms + SILENCE_MS, Task::Look);
            }
            (Some(_), Some((_, before))) if before != messages && !checks::has_wreck(self) => {
                self.breaks(
                    "silence",
                    Vec::new(),
                    format!("{} messages were sent long after everybody had everything", messages - before),
                );
            }
            (Some(_), Some(_)) => self.settling.over = true,
        }
    }

    fn agreement(&self) -> Result<(), Violation> {
        if !self.network.is_quiet() {
            return Err(Violation {
                check: "converges".to_owned(),
                kind: Kind::Liveness,
                at_ms: self.now_ms,
                step: self.steps,
                nodes: Vec::new(),
                message: "the fleet still talks: bytes are on their way".to_owned(),
                differing: Vec::new(),
            });
        }
        checks::agreement(self)
    }

    fn agreed(&mut self, healed_at: u64) {
        self.settling.agreed_at = Some(self.now_ms);
        self.stats.converged_after_ms = Some(self.now_ms - healed_at);
        let at = self.at();
        self.teller.tell(at, "", || What::Converged);
        self.tasks.plan(self.now_ms + LAST_WORDS_MS, Task::Look);
    }
}
