//! Who may be harmed, and how: a run's damage stays within what a fleet promises to survive.
//!
//! - At most one node's disk lies or goes back to an older state, and never one that would be the only holder.
//! - At most one device is cloned, another one.
//! - At most two peers are hostile, and they are nodes of their own.
//!
//! What is drawn here does not depend on which families are on, but for those that it is about.

use super::random::Stream;
use crate::scenario::{Families, Faults, Scenario, WorkloadKind};
use crate::schedule::{Adversary, Role};

/// The parts that nodes play in a run.
pub(super) struct Atlas {
    /// The devices, without those that are hostile or cloned onto.
    pub(super) devices: Vec<String>,
    /// The relays.
    pub(super) relays: Vec<String>,
    /// The one whose disk may lose what it called durable.
    pub(super) damaged: Option<String>,
    /// The device that may be cloned, and what its clone is called.
    pub(super) cloned: Option<(String, String)>,
    /// The hostile peers.
    pub(super) hostile: Vec<(String, Adversary)>,
    /// A device that an event of a workload starts.
    pub(super) joiner: Option<String>,
    /// Which families there are in this run, by name.
    pub(super) on: Vec<&'static str>,
}

/// Names of the families that add a peer.
const PEERS: [(&str, Adversary); 8] = [
    ("garbage", Adversary::Garbage),
    ("wrong-state", Adversary::WrongState),
    ("equivocation", Adversary::Equivocation),
    ("inflated-vector", Adversary::InflatedVector),
    ("withholding", Adversary::Withholding),
    ("forged-writer", Adversary::ForgedWriter),
    ("bomb", Adversary::Bomb),
    ("poison", Adversary::Poison),
];

/// How many of a hundred seeds have a family, in a swarm.
const ON_PERCENT: u64 = 30;
/// How many of a hundred swarms have one hostile peer; half as many have two.
const HOSTILE_PERCENT: u64 = 40;

/// In how many of a hundred seeds somebody joins a fleet that does everything.
const JOINS_PERCENT: u64 = 25;

impl Atlas {
    pub(super) fn draw(scenario: &Scenario, seed: u64) -> Self {
        let role =
            |name: &String| scenario.topology.nodes.iter().find(|node| node.name == *name).and_then(|node| node.role);
        let relays = scenario.topology.relays.clone();
        let extra = scenario.topology.names().into_iter().filter(|name| role(name) == Some(Role::Device));
        let never = |name: &String| {
            scenario.topology.nodes.iter().any(|node| node.name == *name && node.starts_at_ms == Some(None))
        };
        let devices: Vec<String> =
            scenario.topology.devices.iter().cloned().chain(extra).filter(|name| !never(name)).collect();
        let joiner = joiner(scenario, seed, &devices);
        let (damaged, cloned) = harmed(scenario, seed, &devices, &relays, joiner.as_ref());
        Self {
            on: on(&scenario.faults, seed),
            hostile: hostile(scenario, seed),
            devices,
            relays,
            damaged,
            cloned,
            joiner,
        }
    }

    /// Whether a family is part of this run.
    pub(super) fn has(&self, family: &str) -> bool {
        self.on.contains(&family)
    }
}

/// The last device starts when a workload says so, if there is one that has somebody join.
fn joiner(scenario: &Scenario, seed: u64, devices: &[String]) -> Option<String> {
    let wanted = scenario.workloads.iter().any(|workload| match workload.kind {
        WorkloadKind::Import | WorkloadKind::NewDevice => true,
        WorkloadKind::Mixed => Stream::new(seed, "atlas", "joiner").percent(JOINS_PERCENT),
        WorkloadKind::Todo
        | WorkloadKind::Text
        | WorkloadKind::Counters
        | WorkloadKind::Lists
        | WorkloadKind::DeleteVsEdit
        | WorkloadKind::HotRecord
        | WorkloadKind::LongAbsence
        | WorkloadKind::Idle
        | WorkloadKind::Churn => false,
    });
    let named =
        |name: &String| scenario.topology.nodes.iter().any(|node| node.name == *name && node.starts_at_ms.is_some());
    let last = devices.last().filter(|name| !named(name))?;
    (wanted && devices.len() > 2 && scenario.topology.late == 0).then(|| last.clone())
}

fn harmed(
    scenario: &Scenario,
    seed: u64,
    devices: &[String],
    relays: &[String],
    joiner: Option<&String>,
) -> (Option<String>, Option<(String, String)>) {
    let mut stream = Stream::new(seed, "atlas", "harmed");
    let settled: Vec<&String> = devices.iter().filter(|name| Some(*name) != joiner).collect();
    let wanted = ["lying-syncs", "restore", "bit-rot"]
        .iter()
        .find_map(|family| scenario.faults.settings.get(family)?.nodes.first());
    let relay_falls = stream.percent(35);
    let device = stream.pick(&settled).copied();
    let damaged = match wanted {
        Some(name) => Some(name),
        None if relay_falls && !relays.is_empty() => relays.first(),
        None => device,
    };
    // Somebody else must hold what it forgets.
    let damaged = damaged.filter(|_| devices.len() + relays.len() > 1).cloned();
    let others: Vec<&String> = settled.into_iter().filter(|name| Some(*name) != damaged.as_ref()).collect();
    let wanted = scenario.faults.settings.get("clone").and_then(|settings| settings.nodes.first());
    let source = stream.pick(&others).copied();
    let cloned = wanted.or(source).map(|name| (name.clone(), free_name(scenario, &format!("{name}-clone"))));
    (damaged, cloned)
}

fn free_name(scenario: &Scenario, wanted: &str) -> String {
    let names = scenario.topology.names();
    let mut name = wanted.to_owned();
    while names.contains(&name) {
        name.push('-');
    }
    name
}

/// Each family has its own coin.
fn on(faults: &Faults, seed: u64) -> Vec<&'static str> {
    let families = crate::scenario::families().iter().map(|family| family.name);
    let drawn = |name: &str| match &faults.families {
        Families::Swarm => Stream::new(seed, "swarm", name).percent(ON_PERCENT),
        Families::These(_) => true,
    };
    families.filter(|name| faults.may_have(name) && drawn(name)).collect()
}

/// Two places at most, each with its own draw: leaving a kind out empties its place and fills no other.
fn hostile(scenario: &Scenario, seed: u64) -> Vec<(String, Adversary)> {
    let faults = &scenario.faults;
    let listed: Vec<(&str, Adversary)> = match &faults.families {
        Families::Swarm => PEERS.to_vec(),
        Families::These(these) => PEERS.into_iter().filter(|(name, _)| these.contains(name)).collect(),
    };
    let swarm = faults.families == Families::Swarm;
    let mut stream = Stream::new(seed, "atlas", "hostile");
    let mut places = listed;
    stream.shuffle(&mut places);
    places.truncate(2);
    let taken = [stream.percent(HOSTILE_PERCENT), stream.percent(HOSTILE_PERCENT / 2)];
    places
        .into_iter()
        .zip(taken)
        .filter(|((name, _), taken)| (*taken || !swarm) && !faults.off.contains(name))
        .map(|((name, kind), _)| (free_name(scenario, name), kind))
        .collect()
}
