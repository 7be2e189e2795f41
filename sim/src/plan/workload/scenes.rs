//! What happens once in a workload: an import, an absence, somebody who joins.

use super::super::atlas::Atlas;
use super::super::draft::Drafts;
use super::super::random::Stream;
use super::{FIRST_MS, Writer};
use crate::scenario::{Scenario, Workload, WorkloadKind};
use crate::schedule::Action;

/// How many records an import makes, unless told.
const IMPORTED: u64 = 2000;
/// In how many of a hundred seeds somebody is away, or imports, in a fleet that does everything.
const SOMETIMES_PERCENT: u64 = 25;

/// The scenes of a workload; when its joiner starts, if it has one.
pub(super) fn draft(
    scenario: &Scenario,
    atlas: &Atlas,
    seed: u64,
    purpose: &str,
    workload: &Workload,
    writer: &Writer<'_>,
    drafts: &mut Drafts,
) -> Option<u64> {
    let mut stream = Stream::new(seed, purpose, "scenes");
    let half = workload.from_ms.unwrap_or(scenario.duration_ms / 2);
    match workload.kind {
        WorkloadKind::Import => {
            import(writer, 0, FIRST_MS * 2, workload.records.unwrap_or(IMPORTED), drafts);
            join(atlas, half, drafts)
        }
        WorkloadKind::NewDevice => join(atlas, half, drafts),
        WorkloadKind::LongAbsence => {
            let from = workload.from_ms.unwrap_or(scenario.duration_ms / 10);
            let away = workload.away_ms.unwrap_or(scenario.duration_ms / 10 * 8);
            absence(writer, from, away, workload.records.unwrap_or(0), stream.percent(50), drafts);
            None
        }
        WorkloadKind::Mixed => {
            let tenth = scenario.duration_ms / 10;
            let (away, brings) = (stream.percent(SOMETIMES_PERCENT), stream.percent(SOMETIMES_PERCENT));
            let (from, length) = (stream.between(tenth, tenth * 4), stream.between(tenth * 2, tenth * 5));
            if away {
                absence(writer, from, length, 0, stream.percent(50), drafts);
            }
            if brings {
                import(writer, 0, stream.between(FIRST_MS, tenth * 5), stream.between(50, 300), drafts);
            }
            join(atlas, stream.between(tenth * 2, tenth * 7), drafts)
        }
        WorkloadKind::Todo
        | WorkloadKind::Text
        | WorkloadKind::Counters
        | WorkloadKind::Lists
        | WorkloadKind::DeleteVsEdit
        | WorkloadKind::HotRecord
        | WorkloadKind::Idle
        | WorkloadKind::Churn => None,
    }
}

fn join(atlas: &Atlas, at_ms: u64, drafts: &mut Drafts) -> Option<u64> {
    let node = atlas.joiner.clone()?;
    drafts.push(at_ms, Action::Start { node });
    Some(at_ms)
}

/// One device is out of reach and works; in some runs its app is closed for a part of that.
fn absence(writer: &Writer<'_>, from: u64, away: u64, records: u64, closes: bool, drafts: &mut Drafts) {
    let place = writer.devices.len() - 1;
    let node = &writer.devices[place];
    drafts.push(from, Action::Isolate { node: node.clone(), for_ms: away });
    import(writer, place, from + away / 2, records, drafts);
    if closes {
        drafts.push(from + away / 5 * 3, Action::Restart { node: node.clone(), down_ms: away / 5 });
    }
}

/// Many records at once, of three models at most.
fn import(writer: &Writer<'_>, device: usize, at_ms: u64, records: u64, drafts: &mut Drafts) {
    let models: Vec<&str> =
        writer.models.iter().filter(|model| !model.local).map(|model| model.name.as_str()).take(3).collect();
    let share = records / models.len().max(1) as u64;
    for (place, model) in models.iter().enumerate() {
        let rest = if place == 0 { records - share * models.len() as u64 } else { 0 };
        let count = (share + rest) as u32;
        if count > 0 {
            let node = writer.devices[device].clone();
            drafts.push(at_ms + place as u64 * 50, Action::Import { node, model: (*model).to_owned(), count });
        }
    }
}
