//! One sentence for every action that a schedule can hold.

use super::text::{bytes, count, duration, fields, list, ordinal, shorten, value};
use crate::disk::Survival;
use crate::schedule::{Action, Lane, OperationKind, Point};

/// The sentence.
pub(super) fn words(action: &Action) -> String {
    match action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Delete { .. }
        | Action::Undelete { .. }
        | Action::Increment { .. }
        | Action::Add { .. }
        | Action::Remove { .. }
        | Action::Splice { .. }
        | Action::Together { .. }
        | Action::Import { .. }
        | Action::Observe { .. }
        | Action::Unobserve { .. } => app(action),
        Action::Split { .. }
        | Action::Isolate { .. }
        | Action::OneWay { .. }
        | Action::Swizzle { .. }
        | Action::Flap { .. }
        | Action::Slow { .. }
        | Action::Stall { .. }
        | Action::Reset { .. }
        | Action::Captive { .. }
        | Action::Herd { .. }
        | Action::Meet { .. } => network(action),
        Action::Start { node } => format!("{node} is started for the first time."),
        Action::Restart { node, down_ms } => {
            format!("{node} closes its app in good order and opens it again {} later.", duration(*down_ms))
        }
        Action::Upgrade { node, down_ms } => {
            format!("{node} closes its app and opens its next version {} later.", duration(*down_ms))
        }
        Action::Kill { node, down_ms, after_operations } => format!(
            "{node}'s process is ended {}; it is down for {}.",
            operations(*after_operations),
            duration(*down_ms)
        ),
        Action::KillAt { node, point, down_ms } => format!(
            "{node}'s process is ended the next time that {}; it is down for {}.",
            self::point(*point),
            duration(*down_ms)
        ),
        Action::CrashLoop { node, times, up_ms } => {
            format!("{node}'s process ends {} over, {} after each start.", times_said(*times), duration(*up_ms))
        }
        Action::Pause { node, for_ms } => {
            format!("{node}'s process stands still for {} and notices nothing.", duration(*for_ms))
        }
        Action::PowerCut { .. }
        | Action::LyingSyncs { .. }
        | Action::IoError { .. }
        | Action::DiskFull { .. }
        | Action::SlowDisk { .. }
        | Action::BitRot { .. }
        | Action::Backup { .. }
        | Action::Restore { .. }
        | Action::Clone { .. } => disk(action),
        Action::ClockJump { node, by_ms } => {
            let way = if *by_ms < 0 { "back" } else { "forward" };
            format!("{node}'s wall clock jumps {} {way}.", duration(by_ms.unsigned_abs()))
        }
        Action::ClockFreeze { node, for_ms } => {
            format!("{node}'s wall clock stands still for {}.", duration(*for_ms))
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller tells the families apart, variant by variant")]
fn app(action: &Action) -> String {
    match action {
        Action::Create { node, model, values } if values.is_empty() => format!("{node} saves a {model}."),
        Action::Create { node, model, values } => format!("{node} saves a {model} with {}.", fields(values)),
        Action::Update { node, record, values } => {
            format!("{node} changes the record of event {record}: {}.", fields(values))
        }
        Action::Delete { node, record } => format!("{node} deletes the record of event {record}."),
        Action::Undelete { node, record } => format!("{node} brings back the record of event {record}."),
        Action::Increment { node, record, field, by } => {
            format!("{node} adds {by} to {field} of the record of event {record}.")
        }
        Action::Add { node, record, field, element } => {
            format!("{node} adds {} to {field} of the record of event {record}.", value(element))
        }
        Action::Remove { node, record, field, element } => {
            format!("{node} takes {} out of {field} of the record of event {record}.", value(element))
        }
        Action::Splice { node, record, field, place, delete, insert } => splice(
            node,
            &format!("{field} of the record of event {record}"),
            &format!("at {place}/1000 of its length"),
            *delete,
            insert,
        ),
        Action::Together { node, writes } => {
            let writes: Vec<String> =
                writes.iter().map(|write| words(write).trim_end_matches('.').to_owned()).collect();
            format!("{node} writes in one transaction: {}.", shorten(&writes.join("; "), 400))
        }
        Action::Import { node, model, count } => format!("{node} imports {count} {model} records at once."),
        Action::Observe { node, model } => format!("{node} follows the {model} records from here on."),
        Action::Unobserve { observe } => format!("Nobody follows any more what event {observe} began to follow."),
        _ => String::new(),
    }
}

fn splice(node: &str, text: &str, place: &str, delete: u32, insert: &str) -> String {
    let put = value(&insert.into());
    let taken = count(u64::from(delete), "character");
    match (delete, insert) {
        (0, "") => format!("{node} edits nothing in {text}."),
        (0, _) => format!("{node} puts {put} into {text}, {place}."),
        (_, "") => format!("{node} takes up to {taken} out of {text}, {place}."),
        _ => format!("{node} replaces up to {taken} by {put} in {text}, {place}."),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller tells the families apart, variant by variant")]
fn network(action: &Action) -> String {
    match action {
        Action::Split { groups, for_ms } => {
            let groups: Vec<String> = groups.iter().map(|group| list(group)).collect();
            format!("For {} these do not reach each other: {}.", duration(*for_ms), groups.join(" | "))
        }
        Action::Isolate { node, for_ms } => format!("{node} reaches nobody for {}.", duration(*for_ms)),
        Action::OneWay { from, to, for_ms } => {
            format!("For {} nothing that {from} sends reaches {to}; the other way is open.", duration(*for_ms))
        }
        Action::Swizzle { clog, unclog, every_ms } => format!(
            "Every {} one more is cut off, {}; then they come back in this order: {}.",
            duration(*every_ms),
            list(clog),
            list(unclog)
        ),
        Action::Flap { node, up_ms, down_ms, count } => format!(
            "{node}'s lines come and go {}: {} up, {} down.",
            times_said(*count),
            duration(*up_ms),
            duration(*down_ms)
        ),
        Action::Slow { node, latency_ms, jitter_ms, bytes_per_s, for_ms } => {
            let rate = match bytes_per_s {
                0 => String::new(),
                _ => format!(" and carry {} per second", bytes(*bytes_per_s)),
            };
            let (latency, most) = (duration(*latency_ms), duration(latency_ms.saturating_add(*jitter_ms)));
            format!("For {} {node}'s lines take {latency} to {most} one way{rate}.", duration(*for_ms))
        }
        Action::Stall { node, lane, for_ms } => format!(
            "For {} the {} lane of {node}'s connections carries nothing; the others go on.",
            duration(*for_ms),
            self::lane(*lane)
        ),
        Action::Reset { node, after_bytes: 0 } => format!("{node}'s connections die."),
        Action::Reset { node, after_bytes } => format!("{node}'s connections die after {} more.", bytes(*after_bytes)),
        Action::Captive { node, for_ms } => {
            format!("For {} {node} can connect, but nothing gets through: a captive portal.", duration(*for_ms))
        }
        Action::Herd { node } => {
            format!("All connections of {node} die, and everybody dials it again in the same millisecond.")
        }
        Action::Meet { node, to, for_ms } => format!("For {} {node} keeps a link to {to} too.", duration(*for_ms)),
        _ => String::new(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller tells the families apart, variant by variant")]
fn disk(action: &Action) -> String {
    match action {
        Action::PowerCut { node, survival, down_ms, after_operations } => format!(
            "{node}'s power is cut {}; of the writes under way {}; it is dark for {}.",
            operations(*after_operations),
            self::survival(*survival),
            duration(*down_ms)
        ),
        Action::LyingSyncs { node, for_ms } => {
            format!("For {} {node}'s disk says that it has synced, and has not.", duration(*for_ms))
        }
        Action::IoError { node, on, nth } => {
            let kind = match on {
                OperationKind::Read => "read",
                OperationKind::Write => "write",
                OperationKind::Sync => "sync",
            };
            format!("The {} {kind} from now on {node}'s disk fails.", ordinal(*nth))
        }
        Action::DiskFull { node, free_bytes, for_ms } => {
            format!("For {} {node}'s disk has room for {} and no more.", duration(*for_ms), bytes(*free_bytes))
        }
        Action::SlowDisk { node, sync_ms, for_ms } => {
            format!("For {} each sync of {node}'s disk takes {}.", duration(*for_ms), duration(*sync_ms))
        }
        Action::BitRot { node, flips } => {
            let verb = if *flips == 1 { "flips" } else { "flip" };
            format!("{} of {node}'s file {verb}.", count(u64::from(*flips), "bit"))
        }
        Action::Backup { node } => format!("{node}'s files are copied as they are."),
        Action::Restore { node, backup, down_ms } => format!(
            "{node} is stopped, the copy made by event {backup} takes the place of its files, and it starts {} later.",
            duration(*down_ms)
        ),
        Action::Clone { node, onto } => {
            format!("{node}'s files are copied as they are to {onto}, which is started with them.")
        }
        _ => String::new(),
    }
}

fn operations(after: u64) -> String {
    match after {
        0 => "at once".to_owned(),
        _ => format!("at the {} disk operation from now", ordinal(after)),
    }
}

fn times_said(times: u32) -> String {
    count(u64::from(times), "time")
}

fn point(point: Point) -> &'static str {
    match point {
        Point::AfterCommit => "a transaction is committed and nothing of it has been sent",
        Point::BeforeSync => "a sync is asked for and has not begun",
        Point::AfterSync => "a sync is done and the engine does not know it yet",
        Point::AfterSend => "a frame is handed to the network",
        Point::AfterReceive => "a frame was taken in and its answers are still to be sent",
        Point::InCheckpoint => "the write-ahead log is being carried over into the file",
        Point::InSideFile => "the side file is being renewed",
    }
}

fn survival(survival: Survival) -> &'static str {
    match survival {
        Survival::Everything => "all reach the disk",
        Survival::Nothing => "none reaches the disk",
        Survival::Prefix => "the first ones reach the disk",
        Survival::Subset => "some sectors reach the disk, others do not",
    }
}

fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Control => "control",
        Lane::Live => "live",
        Lane::Bulk => "bulk",
    }
}
