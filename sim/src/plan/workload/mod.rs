//! What apps do, as events: who writes when, and which records they write to.

mod edits;
mod pool;
mod scenes;
mod turns;

use syncline_schema::{FieldKind, Model};

use super::atlas::Atlas;
use super::draft::Drafts;
use super::random::Stream;
use super::values::Values;
use crate::scenario::{EVENTS_MAX, Scenario, Workload};
use pool::Pool;

/// When the first write may come, in milliseconds: nodes start, and find each other.
const FIRST_MS: u64 = 500;

/// The events of one workload.
pub(super) fn draft(
    scenario: &Scenario,
    atlas: &Atlas,
    seed: u64,
    place: usize,
    workload: &Workload,
    drafts: &mut Drafts,
) {
    let purpose = format!("workload {place}");
    let schema = &scenario.schema.parsed;
    let wanted = |model: &&Model| workload.models.is_empty() || workload.models.contains(&model.name);
    let models: Vec<&Model> = schema.models.iter().filter(wanted).collect();
    let devices = taking_part(atlas, workload, &mut Stream::new(seed, &purpose, "devices"));
    if models.is_empty() || devices.is_empty() {
        return;
    }
    let mut writer = Writer {
        values: Values::new(schema, place as u64, scenario.workloads.len() as u64 + 1),
        models,
        devices,
        pool: Pool::default(),
        hot: None,
        observed: Vec::new(),
    };
    let joins_ms = scenes::draft(scenario, atlas, seed, &purpose, workload, &writer, drafts);
    for turn in turns(scenario, atlas, seed, &purpose, workload, &writer.devices, joins_ms) {
        let mut stream = Stream::new(seed, &purpose, &format!("{} {}", turn.node, turn.number));
        writer.turn(workload.kind, &turn, &mut stream, drafts);
    }
}

/// Somebody's turn to do something.
struct Turn {
    at_ms: u64,
    node: String,
    number: usize,
}

/// What a workload knows while it is drafted.
struct Writer<'a> {
    values: Values<'a>,
    models: Vec<&'a Model>,
    devices: Vec<String>,
    pool: Pool,
    /// The one record that everybody writes.
    hot: Option<usize>,
    /// Who follows a model: the node, and the event that began it.
    observed: Vec<(String, u32)>,
}

fn taking_part(atlas: &Atlas, workload: &Workload, stream: &mut Stream) -> Vec<String> {
    let named = |name: &&String| workload.nodes.is_empty() || workload.nodes.contains(name);
    let mut devices: Vec<String> = atlas.devices.iter().filter(named).cloned().collect();
    let share = (devices.len() as u64 * workload.share).div_ceil(100) as usize;
    // One alone has nobody to meet.
    let share = if workload.share == 0 { 0 } else { share.max(2) };
    if share < devices.len() {
        stream.shuffle(&mut devices);
        devices.truncate(share);
        devices.sort_by_key(|name| atlas.devices.iter().position(|device| device == name));
    }
    devices
}

fn turns(
    scenario: &Scenario,
    atlas: &Atlas,
    seed: u64,
    purpose: &str,
    workload: &Workload,
    devices: &[String],
    joins_ms: Option<u64>,
) -> Vec<Turn> {
    let Some(gap) = workload.gap_ms() else { return Vec::new() };
    let most = EVENTS_MAX as usize / devices.len().max(1);
    let mut turns = Vec::new();
    for node in devices {
        let starts = if atlas.joiner.as_ref() == Some(node) { joins_ms } else { starts_ms(scenario, node) };
        let Some(starts) = starts else { continue };
        let times = Stream::new(seed, purpose, node).times(starts + FIRST_MS, scenario.duration_ms, gap, most);
        let turn = |(number, at_ms)| Turn { at_ms, node: node.clone(), number };
        turns.extend(times.into_iter().enumerate().map(turn));
    }
    turns.sort_by_key(|turn| turn.at_ms);
    turns
}

/// When a node starts of its own accord.
fn starts_ms(scenario: &Scenario, node: &String) -> Option<u64> {
    let topology = &scenario.topology;
    let own = topology.nodes.iter().find(|settings| settings.name == *node).and_then(|settings| settings.starts_at_ms);
    let first_late = topology.devices.len().saturating_sub(topology.late as usize);
    let late = topology.devices[first_late..].contains(node);
    let usual = if late { topology.late_at_ms.unwrap_or(scenario.duration_ms / 2) } else { 0 };
    own.unwrap_or(Some(usual))
}

/// Which fields a doing is about.
type Wanted = fn(&FieldKind) -> bool;

fn any(_: &FieldKind) -> bool {
    true
}

fn is_text(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Text { .. })
}

fn is_counter(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Counter)
}

fn is_collection(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::List(_) | FieldKind::Set(_))
}

fn is_value(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_))
}

fn is_switch(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::Scalar(syncline_schema::Scalar::Boolean) | FieldKind::Enum(_))
}
