//! The nodes and links of a run.

use super::atlas::Atlas;
use super::random::Stream;
use crate::scenario::{Links, Mix, NodeSettings, Scenario};
use crate::schedule::{Durability, Fleet, Line, Link, Node, Role};

/// 1970 and the last day of 9999, seen from the day on which runs begin.
const CLOCK_ENDS_MS: [i64; 2] = [-1_767_225_600_000, 251_600_000_000_000];
const YEAR_MS: u64 = 365 * 86_400_000;

pub(super) fn fleet(scenario: &Scenario, atlas: &Atlas, seed: u64) -> Fleet {
    let topology = &scenario.topology;
    let mut nodes: Vec<Node> = Vec::new();
    for name in topology.names() {
        let settings = topology.nodes.iter().find(|node| node.name == name);
        let role = match settings.and_then(|node| node.role) {
            Some(role) => role,
            None if topology.relays.contains(&name) => Role::Relay,
            None => Role::Device,
        };
        nodes.push(node(scenario, atlas, seed, Node::new(name, role), settings));
    }
    nodes.extend(atlas.hostile.iter().map(|(name, kind)| Node::new(name, Role::Adversary(*kind))));
    if let Some((of, name)) = atlas.cloned.as_ref().filter(|_| atlas.has("clone")) {
        let like = nodes.iter().find(|node| node.name == *of).cloned();
        let clone = like.unwrap_or_else(|| Node::new(name, Role::Device));
        nodes.push(Node { name: name.clone(), starts_at_ms: None, ..clone });
    }
    Fleet { nodes, links: links(scenario, atlas) }
}

fn node(scenario: &Scenario, atlas: &Atlas, seed: u64, mut node: Node, settings: Option<&NodeSettings>) -> Node {
    let topology = &scenario.topology;
    node.durability = match topology.durability {
        Mix::All(durability) => durability,
        Mix::Mixed if Stream::new(seed, "durability", &node.name).percent(50) => Durability::Full,
        Mix::Mixed => Durability::Normal,
    };
    let first_late = topology.devices.len().saturating_sub(topology.late as usize);
    if topology.devices[first_late..].contains(&node.name) {
        node.starts_at_ms = Some(topology.late_at_ms.unwrap_or(scenario.duration_ms / 2));
    }
    if atlas.joiner.as_ref() == Some(&node.name) {
        node.starts_at_ms = None;
    }
    if atlas.has("skew") {
        node.clock_off_ms = skew(&mut Stream::new(seed, "faults skew", &node.name));
    }
    if atlas.has("versions") {
        node.features = features(&mut Stream::new(seed, "faults versions", &node.name));
    }
    let Some(settings) = settings else { return node };
    Node {
        durability: settings.durability.unwrap_or(node.durability),
        starts_at_ms: settings.starts_at_ms.unwrap_or(node.starts_at_ms),
        clock_off_ms: settings.clock_off_ms.unwrap_or(node.clock_off_ms),
        disk_sync_ms: settings.disk_sync_ms.unwrap_or(node.disk_sync_ms),
        schema: settings.schema.clone().or(node.schema),
        features: settings.features.or(node.features),
        ..node
    }
}

/// Most clocks are right or nearly so, some are wrong by years, and some show the first or the last day there is.
fn skew(stream: &mut Stream) -> i64 {
    let sign = if stream.percent(50) { 1 } else { -1 };
    match stream.below(10) {
        0..4 => 0,
        4..7 => sign * stream.between(1, 300_000) as i64,
        7..9 => sign * stream.doubling(3_600_000, 10 * YEAR_MS) as i64,
        _ => CLOCK_ENDS_MS[stream.below(2) as usize],
    }
}

/// Some programs know everything, some nothing, some a part.
fn features(stream: &mut Stream) -> Option<u64> {
    match stream.below(4) {
        0..2 => None,
        2 => Some(0),
        _ => Some(stream.below(1 << 8)),
    }
}

fn links(scenario: &Scenario, atlas: &Atlas) -> Vec<Link> {
    let topology = &scenario.topology;
    let mut pairs: Vec<(String, String)> = Vec::new();
    let hub = topology.relays.first().or_else(|| topology.devices.first());
    match &topology.links {
        Links::Explicit(given) => pairs.extend(given.iter().cloned()),
        Links::Star | Links::Mesh | Links::RelayAndPeers => {
            for name in topology.names().iter().filter(|name| !topology.relays.contains(name)) {
                let relays =
                    if topology.relays.is_empty() { hub.as_slice().to_vec() } else { topology.relays.iter().collect() };
                pairs.extend(relays.into_iter().filter(|relay| *relay != name).map(|to| (name.clone(), to.clone())));
            }
            pairs.extend(among_devices(&topology.links, &topology.devices));
        }
    }
    for (name, _) in &atlas.hostile {
        pairs.extend(hub.iter().map(|to| (name.clone(), (*to).clone())));
        // A peer too, so that it can tell two of them different things.
        let peer = topology.devices.first().filter(|name| Some(*name) != hub).or_else(|| topology.devices.get(1));
        pairs.extend(peer.into_iter().map(|to| (name.clone(), to.clone())));
    }
    if let Some((of, clone)) = atlas.cloned.as_ref().filter(|_| atlas.has("clone")) {
        let like: Vec<String> = pairs.iter().filter(|(from, _)| from == of).map(|(_, to)| to.clone()).collect();
        pairs.extend(like.into_iter().map(|to| (clone.clone(), to)));
        if pairs.iter().all(|(from, _)| from != clone) {
            pairs.push((clone.clone(), of.clone()));
        }
    }
    pairs.dedup();
    pairs.into_iter().map(|(from, to)| Link { line: line(scenario, &from), from, to }).collect()
}

fn among_devices(links: &Links, devices: &[String]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (place, from) in devices.iter().enumerate() {
        let to: Vec<&String> = match links {
            Links::Mesh => devices.iter().skip(place + 1).collect(),
            Links::RelayAndPeers => devices.iter().skip(place + 1).take(1).collect(),
            Links::Star | Links::Explicit(_) => Vec::new(),
        };
        pairs.extend(to.into_iter().map(|to| (from.clone(), to.clone())));
    }
    pairs
}

fn line(scenario: &Scenario, from: &str) -> Line {
    let own = scenario.topology.nodes.iter().find(|node| node.name == from).and_then(|node| node.line);
    own.unwrap_or(scenario.topology.line)
}
