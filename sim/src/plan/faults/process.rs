//! Trouble with processes.

use super::Trouble;
use crate::schedule::{Action, Point};

impl Trouble<'_> {
    pub(super) fn process(&mut self) {
        // Versions are the fleet's.
        if self.family.name == "versions" {
            return;
        }
        for at_ms in self.times() {
            let Some(node) = self.node() else { return };
            let for_ms = self.hold();
            let action = match self.family.name {
                "kill" => Action::Kill { node, down_ms: for_ms, after_operations: self.operations() },
                "kill-at" => {
                    let point = Point::ALL[self.stream.below(Point::ALL.len() as u64) as usize];
                    Action::KillAt { node, point, down_ms: for_ms }
                }
                "crash-loop" => Action::CrashLoop { node, times: self.stream.between(2, 6) as u32, up_ms: for_ms },
                "restart" => Action::Restart { node, down_ms: for_ms },
                "pause" => Action::Pause { node, for_ms },
                _ => return,
            };
            self.push(at_ms, action);
        }
    }

    /// At once, or at one of the next operations of the disk.
    pub(super) fn operations(&mut self) -> u64 {
        if self.stream.percent(30) { 0 } else { self.stream.doubling(1, 300) }
    }
}
