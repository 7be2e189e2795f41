//! Trouble between nodes.

use super::Trouble;
use crate::schedule::{Action, Lane};

/// One way, jitter, bytes per second: from a good mobile line to one that hardly is one.
const LINES: [(u64, u64, u64); 6] = [
    (100, 50, 1_000_000),
    (300, 200, 60_000),
    (800, 400, 12_000),
    (1500, 1500, 4_000),
    (3000, 2000, 2_000),
    (5000, 5000, 1_000),
];

impl Trouble<'_> {
    pub(super) fn network(&mut self) {
        for at_ms in self.times() {
            let name = self.family.name;
            let action = match name {
                "split" => self.split(),
                "isolate" => self.isolate(),
                "one-way" => self.one_way(),
                "bridge" => self.bridge(),
                "swizzle" => self.swizzle(),
                "flap" => self.flap(),
                "slow" => self.slow(),
                "stall" => self.stall(),
                "reset" => self.reset(),
                "captive" => self.captive(),
                "mobile" => self.mobile(at_ms),
                "herd" => self.herd(),
                "dup-path" => self.dup_path(),
                "relay-down" => self.relay_down(),
                _ => None,
            };
            if let Some(action) = action {
                self.push(at_ms, action);
            }
        }
    }

    /// Two groups, sometimes three, of any sizes.
    fn split(&mut self) -> Option<Action> {
        let mut nodes = self.shuffled();
        let mut groups = Vec::new();
        let parts = if nodes.len() > 3 && self.stream.percent(25) { 3 } else { 2 };
        for left in (1..parts).rev() {
            let most = nodes.len().checked_sub(left)?;
            let size = self.stream.between(1, most.max(1) as u64) as usize;
            groups.push(nodes.split_off(nodes.len().checked_sub(size)?));
        }
        groups.push(nodes);
        groups.retain(|group| !group.is_empty());
        let for_ms = self.hold();
        (groups.len() > 1).then_some(Action::Split { groups, for_ms })
    }

    fn isolate(&mut self) -> Option<Action> {
        let (node, for_ms) = (self.node()?, self.hold());
        Some(Action::Isolate { node, for_ms })
    }

    fn one_way(&mut self) -> Option<Action> {
        let (one, for_ms) = (self.device()?, self.hold());
        let hubs = if self.atlas.relays.is_empty() { &self.atlas.devices } else { &self.atlas.relays };
        let other = self.stream.pick(hubs).filter(|hub| **hub != one)?.clone();
        let (from, to) = if self.stream.percent(50) { (one, other) } else { (other, one) };
        Some(Action::OneWay { from, to, for_ms })
    }

    /// The one in no group reaches both.
    fn bridge(&mut self) -> Option<Action> {
        let mut nodes = self.shuffled();
        nodes.pop()?;
        let size = self.stream.between(1, (nodes.len() as u64).saturating_sub(1).max(1)) as usize;
        let other = nodes.split_off(size.min(nodes.len()));
        let for_ms = self.hold();
        (!other.is_empty() && !nodes.is_empty()).then(|| Action::Split { groups: vec![nodes, other], for_ms })
    }

    fn swizzle(&mut self) -> Option<Action> {
        let mut clog = self.shuffled();
        clog.truncate(self.stream.between(2, 6) as usize);
        let mut unclog = clog.clone();
        self.stream.shuffle(&mut unclog);
        let every_ms = self.hold();
        (clog.len() > 1).then_some(Action::Swizzle { clog, unclog, every_ms })
    }

    fn flap(&mut self) -> Option<Action> {
        let (node, up_ms, down_ms) = (self.node()?, self.hold(), self.hold());
        let count = self.stream.between(2, 10) as u32;
        Some(Action::Flap { node, up_ms, down_ms, count })
    }

    fn slow(&mut self) -> Option<Action> {
        let (node, for_ms) = (self.node()?, self.hold());
        let &(latency_ms, jitter_ms, bytes_per_s) = self.stream.pick(&LINES)?;
        Some(Action::Slow { node, latency_ms, jitter_ms, bytes_per_s, for_ms })
    }

    fn stall(&mut self) -> Option<Action> {
        let (node, for_ms) = (self.node()?, self.hold());
        let lane = *self.stream.pick(&[Lane::Control, Lane::Live, Lane::Bulk])?;
        Some(Action::Stall { node, lane, for_ms })
    }

    /// Now, within a frame or two, or within a batch.
    fn reset(&mut self) -> Option<Action> {
        let node = self.node()?;
        let after_bytes = match self.stream.below(4) {
            0 => 0,
            1..3 => self.stream.between(1, 300),
            _ => self.stream.doubling(300, 100_000),
        };
        Some(Action::Reset { node, after_bytes })
    }

    fn captive(&mut self) -> Option<Action> {
        let (node, for_ms) = (self.device()?, self.hold());
        Some(Action::Captive { node, for_ms })
    }

    /// A dead zone, and what follows when one comes out of it.
    fn mobile(&mut self, at_ms: u64) -> Option<Action> {
        let (node, dead) = (self.device()?, self.hold());
        let out = at_ms + dead;
        let kind = self.stream.below(10);
        let next = self.hold().min(600_000);
        match kind {
            0..3 => {
                self.push(out, Action::Captive { node: node.clone(), for_ms: next });
            }
            3..6 => {
                let (latency_ms, jitter_ms, bytes_per_s) = LINES[self.stream.below(4) as usize];
                let slow = Action::Slow { node: node.clone(), latency_ms, jitter_ms, bytes_per_s, for_ms: next };
                self.push(out, slow);
            }
            6..8 => {
                let (up_ms, down_ms) = (self.stream.doubling(500, 20_000), self.stream.doubling(500, 20_000));
                self.push(out, Action::Flap { node: node.clone(), up_ms, down_ms, count: 4 });
            }
            _ => {}
        }
        Some(Action::Isolate { node, for_ms: dead })
    }

    fn herd(&mut self) -> Option<Action> {
        let atlas = self.atlas;
        let hub = self.one_of(&atlas.relays).or_else(|| self.device());
        hub.map(|node| Action::Herd { node })
    }

    fn dup_path(&mut self) -> Option<Action> {
        let (node, for_ms) = (self.device()?, self.hold());
        let others: Vec<&String> = self.atlas.devices.iter().filter(|other| **other != node).collect();
        let to = (*self.stream.pick(&others)?).clone();
        Some(Action::Meet { node, to, for_ms })
    }

    fn relay_down(&mut self) -> Option<Action> {
        let atlas = self.atlas;
        let (node, down_ms) = (self.one_of(&atlas.relays)?, self.hold());
        Some(if self.stream.percent(50) {
            Action::Restart { node, down_ms }
        } else {
            Action::Kill { node, down_ms, after_operations: 0 }
        })
    }
}
