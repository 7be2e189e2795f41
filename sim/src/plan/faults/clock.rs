//! Trouble with clocks.

use super::Trouble;
use crate::schedule::Action;

const YEAR_MS: u64 = 365 * 86_400_000;

impl Trouble<'_> {
    pub(super) fn clock(&mut self) {
        // Clocks that are wrong from the start are the fleet's.
        if self.family.name == "skew" {
            return;
        }
        for at_ms in self.times() {
            let Some(node) = self.node() else { return };
            let action = match self.family.name {
                "jump" => Action::ClockJump { node, by_ms: self.jump() },
                "freeze" => Action::ClockFreeze { node, for_ms: self.hold() },
                _ => return,
            };
            self.push(at_ms, action);
        }
    }

    /// Mostly a second to some hours, sometimes years, either way.
    fn jump(&mut self) -> i64 {
        let sign = if self.stream.percent(50) { 1 } else { -1 };
        let most = if self.stream.percent(20) { 10 * YEAR_MS } else { 6 * 3_600_000 };
        sign * self.stream.doubling(1000, most) as i64
    }
}
