//! Trouble with disks, and copies of them.

use super::super::random::Stream;
use super::super::values::Values;
use super::Trouble;
use crate::disk::Survival;
use crate::schedule::{Action, OperationKind};

/// How long the app of a cloned device is taken to run before its user works on, in milliseconds.
const CLONE_RUNS_MS: u64 = 2000;

impl Trouble<'_> {
    pub(super) fn disk(&mut self, seed: u64) {
        match self.family.name {
            "restore" => self.restores(),
            "clone" => self.clone_one(seed),
            _ => {
                for at_ms in self.times() {
                    let Some(action) = self.disk_event(at_ms) else { return };
                    self.push(at_ms, action);
                }
            }
        }
    }

    fn disk_event(&mut self, at_ms: u64) -> Option<Action> {
        Some(match self.family.name {
            "power-cut" => {
                let (node, down_ms) = (self.node()?, self.hold());
                let after_operations = self.operations();
                Action::PowerCut { node, survival: self.survival(), down_ms, after_operations }
            }
            "lying-syncs" => {
                let (node, for_ms) = (self.atlas.damaged.clone()?, self.hold());
                // Only a cut shows that it lied.
                let cut = at_ms + self.stream.between(for_ms / 2, for_ms);
                let survival = self.survival();
                let down_ms = self.stream.between(500, 20_000);
                self.push(cut, Action::PowerCut { node: node.clone(), survival, down_ms, after_operations: 0 });
                Action::LyingSyncs { node, for_ms }
            }
            "io-error" => {
                let node = self.node()?;
                let on = *self.stream.pick(&[OperationKind::Read, OperationKind::Write, OperationKind::Sync])?;
                Action::IoError { node, on, nth: self.stream.doubling(1, 100) }
            }
            "disk-full" => {
                let (node, for_ms) = (self.node()?, self.hold());
                let free_bytes = if self.stream.percent(30) { 0 } else { self.stream.doubling(1000, 200_000) };
                Action::DiskFull { node, free_bytes, for_ms }
            }
            "slow-disk" => {
                let (node, for_ms) = (self.node()?, self.hold());
                Action::SlowDisk { node, sync_ms: self.stream.doubling(20, 3000), for_ms }
            }
            "bit-rot" => {
                let node = self.atlas.damaged.clone()?;
                Action::BitRot { node, flips: self.stream.between(1, 8) as u32 }
            }
            _ => return None,
        })
    }

    fn survival(&mut self) -> Survival {
        [Survival::Nothing, Survival::Prefix, Survival::Subset][self.stream.below(3) as usize]
    }

    /// Copies of one node, each of which may come back once.
    fn restores(&mut self) {
        let Some(node) = self.atlas.damaged.clone() else { return };
        let duration = self.drafts.duration_ms();
        for at_ms in self.times() {
            let backup = self.push(at_ms, Action::Backup { node: node.clone() });
            let age = self.stream.doubling((duration / 100).max(1), (duration / 2).max(1));
            let down_ms = self.hold();
            if at_ms + age < duration {
                self.push(at_ms + age, Action::Restore { node: node.clone(), backup, down_ms });
            }
        }
    }

    /// One device comes to life twice, and both write.
    fn clone_one(&mut self, seed: u64) {
        let Some((node, onto)) = self.atlas.cloned.clone() else { return };
        let duration = self.drafts.duration_ms();
        let at_ms = self.stream.between(duration / 10, duration / 10 * 7);
        self.push(at_ms, Action::Clone { node: node.clone(), onto: onto.clone() });
        let workloads = self.scenario.workloads.len() as u64;
        let schema = &self.scenario.schema.parsed;
        let mut values = Values::new(schema, workloads, workloads + 1);
        let models: Vec<_> = schema.models.iter().filter(|model| !model.local).collect();
        for writer in [onto, node] {
            let mut stream = Stream::new(seed, "faults clone", &writer);
            let gap = (duration / 40).max(1);
            for at_ms in stream.times(at_ms + CLONE_RUNS_MS, duration, gap, 20) {
                let Some(model) = stream.pick(&models) else { return };
                let values = values.record(model, &mut stream, false);
                self.push(at_ms, Action::Create { node: writer.clone(), model: model.name.clone(), values });
            }
        }
    }
}
