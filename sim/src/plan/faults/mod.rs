//! What befalls a fleet, as events: each family draws its times, nodes and lengths from a stream of its own.

mod app;
mod clock;
mod disk;
mod network;
mod process;

use super::atlas::Atlas;
use super::draft::Drafts;
use super::random::Stream;
use crate::scenario::{Families, Family, FamilySettings, Scenario};
use crate::schedule::Action;

/// Most events of a family in a run.
const MOST: usize = 20_000;
/// Into how many parts a family's times divide a run, by draw.
const PARTS: [u64; 5] = [2, 4, 6, 10, 16];
/// And in a run that names its families, without saying how often.
const USUAL_PARTS: u64 = 6;

/// The events of every family that a run has.
pub(super) fn draft(scenario: &Scenario, atlas: &mut Atlas, seed: u64, drafts: &mut Drafts) {
    for family in crate::scenario::families() {
        drafts.begin_source();
        if !atlas.has(family.name) {
            continue;
        }
        let settings = scenario.faults.settings.get(family.name).cloned().unwrap_or_default();
        let stream = Stream::new(seed, "faults", family.name);
        let mut trouble = Trouble { scenario, atlas, family, settings, stream, drafts };
        trouble.draft(seed);
    }
}

/// One family at work.
struct Trouble<'a> {
    scenario: &'a Scenario,
    atlas: &'a Atlas,
    family: &'static Family,
    settings: FamilySettings,
    stream: Stream,
    drafts: &'a mut Drafts,
}

impl Trouble<'_> {
    fn draft(&mut self, seed: u64) {
        match self.family.group {
            "network" => self.network(),
            "process" => self.process(),
            "disk" => self.disk(seed),
            "clock" => self.clock(),
            "app" => self.app(),
            // Hostile peers are nodes: the fleet has them.
            _ => {}
        }
    }

    /// When it comes.
    fn times(&mut self) -> Vec<u64> {
        let duration = self.drafts.duration_ms();
        let drawn = PARTS[self.stream.below(PARTS.len() as u64) as usize];
        let parts = if self.scenario.faults.families == Families::Swarm { drawn } else { USUAL_PARTS };
        let gap = match self.settings.rate {
            Some(rate) => rate.gap_ms(),
            None => Some((duration / parts).max(1)),
        };
        let Some(gap) = gap else { return Vec::new() };
        self.stream.times(duration / 50, duration, gap, MOST)
    }

    /// How long it holds: each doubling as likely as any other, and not for most of the run unless told.
    fn hold(&mut self) -> u64 {
        let usual = self.family.hold_ms;
        let (least, most) =
            self.settings.hold_ms.unwrap_or_else(|| (usual.0, usual.1.min(self.drafts.duration_ms() / 5)));
        if least >= most { least } else { self.stream.doubling(least, most) }
    }

    fn push(&mut self, at_ms: u64, action: Action) -> u32 {
        self.drafts.push(at_ms, action)
    }

    /// Nodes that it may strike.
    fn among(&self, nodes: &[String]) -> Vec<String> {
        let named = &self.settings.nodes;
        nodes.iter().filter(|node| named.is_empty() || named.contains(node)).cloned().collect()
    }

    fn one_of(&mut self, nodes: &[String]) -> Option<String> {
        let nodes = self.among(nodes);
        self.stream.pick(&nodes).cloned()
    }

    fn device(&mut self) -> Option<String> {
        let devices = &self.atlas.devices;
        self.one_of(devices)
    }

    /// A device, or, every now and then, a relay.
    fn node(&mut self) -> Option<String> {
        let atlas = self.atlas;
        let relays = self.among(&atlas.relays);
        let devices = self.among(&atlas.devices);
        let relay = self.stream.percent(25);
        let nodes = if devices.is_empty() || (relay && !relays.is_empty()) { relays } else { devices };
        self.stream.pick(&nodes).cloned()
    }

    /// Everyone, in any order.
    fn shuffled(&mut self) -> Vec<String> {
        let atlas = self.atlas;
        let mut nodes: Vec<String> = atlas.relays.iter().chain(&atlas.devices).cloned().collect();
        self.stream.shuffle(&mut nodes);
        nodes
    }
}
