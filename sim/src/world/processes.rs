//! Processes: started, closed, killed, paused.

use syncline_engine::Input;

use super::World;
use super::happened::NodeIndex;
use super::node::Power;
use super::tasks::Task;
use super::tell::Fact;
use crate::disk::Survival;
use crate::trace::What;

/// When a store that could not be opened is tried again.
const TRY_AGAIN_MS: u64 = 10_000;

impl World {
    /// Starts a node's process, if it does not run.
    pub(super) fn boot(&mut self, node: NodeIndex) {
        if self.nodes[node].running.is_some() {
            return;
        }
        let outcome = self.nodes[node].start(&self.draws, node as u64, self.now_ms);
        self.teller.mark(b'b', [node as u64, self.nodes[node].boots, u64::from(outcome.is_ok())], b"");
        match outcome {
            Ok(()) => self.booted(node),
            Err(error) => {
                self.nodes[node].die(Survival::Everything);
                self.tell(node, || What::NotOpened { error: error.clone() });
                if self.is_healed() && self.nodes[node].excuses.is_empty() {
                    let name = self.nodes[node].spec.name.clone();
                    self.breaks("store-opens", vec![name], format!("its store cannot be opened: {error}"));
                }
                self.fact(Fact::NotOpened { node, error });
                self.tasks.plan(self.now_ms + TRY_AGAIN_MS, Task::Boot(node));
            }
        }
        self.notice_cut(node);
    }

    fn booted(&mut self, node: NodeIndex) {
        let boot = self.nodes[node].boots;
        let replica = self.nodes[node].store().and_then(|store| store.replica());
        let replica = replica.map(|replica| replica.to_string()).unwrap_or_default();
        self.tell(node, || What::Opened { boot, replica });
        self.fact(Fact::Opened { node });
        self.network.forget_dials_of(node);
        self.network.answer_with_resets(node, self.now_ms, &mut self.tasks);
        for link in 0..self.network.links.len() {
            if self.network.links[link].from == node {
                self.tasks.plan(self.now_ms, Task::Dial(link));
            }
        }
    }

    /// Ends a process without a word; it starts again later.
    pub(super) fn kill(&mut self, node: NodeIndex, survival: Survival, down_ms: u64, by: &str) {
        if self.nodes[node].running.is_none() {
            return;
        }
        let logs = self.log_ends(node);
        self.ended(node, survival, logs, down_ms, by);
    }

    /// How far its log is durable, and where it ends.
    fn log_ends(&self, node: NodeIndex) -> (u64, u64) {
        self.nodes[node].store().map_or((0, 0), |store| (store.durable(), store.committed()))
    }

    fn ended(&mut self, node: NodeIndex, survival: Survival, (durable, committed): (u64, u64), down_ms: u64, by: &str) {
        self.nodes[node].die(survival);
        self.teller.mark(b'k', [node as u64, durable, committed], b"");
        self.tell(node, || What::Killed { by: by.to_owned() });
        self.fact(Fact::Died { node, survival, durable, committed });
        self.network.drop_ends_of(node, self.now_ms, &mut self.tasks);
        self.network.forget_dials_of(node);
        self.tasks.plan(self.now_ms + down_ms, Task::Boot(node));
    }

    /// Closes an app in good order; `None` leaves it closed until an event starts it.
    pub(super) fn close_app(&mut self, node: NodeIndex, down_ms: u64) {
        if self.nodes[node].running.is_none() {
            return;
        }
        for (connection, _) in self.network.of(node) {
            let now = self.nodes[node].now(self.now_ms);
            self.nodes[node].handle(now, Input::Finish(connection));
            self.carry_out(node);
            if self.nodes[node].running.is_none() {
                return;
            }
        }
        let now = self.nodes[node].now(self.now_ms);
        let outcome = self.nodes[node].close(now);
        if outcome.is_err() || !self.nodes[node].disk().is_on() {
            // What cannot be closed in good order is left as it is.
            return self.kill(node, Survival::Everything, down_ms, "it could not be closed in good order");
        }
        self.carry_out(node);
        if self.nodes[node].running.is_none() {
            // An event had the process end at something that closing brought about.
            return;
        }
        self.fact(Fact::Closed { node });
        self.tell(node, || What::Closed);
        let logs = self.log_ends(node);
        self.nodes[node].stop();
        if !self.nodes[node].disk().is_on() {
            let survival = self.nodes[node].cut_pending.map_or(Survival::Everything, |(survival, ..)| survival);
            return self.ended(node, survival, logs, down_ms, "ended while SQLite closed its files");
        }
        self.nodes[node].power = Power::Closed;
        self.network.drop_ends_of(node, self.now_ms, &mut self.tasks);
        self.network.forget_dials_of(node);
        self.tasks.plan(self.now_ms + down_ms, Task::Boot(node));
    }

    /// A process goes on, and notices what came to pass meanwhile.
    pub(super) fn resume(&mut self, node: NodeIndex) {
        if self.nodes[node].paused_until.is_some_and(|until| until > self.now_ms) {
            return;
        }
        self.nodes[node].paused_until = None;
        for task in std::mem::take(&mut self.nodes[node].parked) {
            self.tasks.plan(self.now_ms, task);
        }
    }
}
