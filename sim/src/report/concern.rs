//! What of a trace matters to a failure: walks back from the violation to nodes, records and messages.

use std::collections::{BTreeMap, BTreeSet};

use crate::outcome::Violation;
use crate::schedule::{Role, Schedule};
use crate::trace::{Entry, What};

/// The nodes and records that a violation is about.
pub(super) struct Concern<'a> {
    pub(super) nodes: BTreeSet<&'a str>,
    pub(super) records: BTreeSet<&'a str>,
    relays: BTreeSet<&'a str>,
    until: usize,
    arrivals: BTreeMap<u64, usize>,
}

/// Entries that are worth telling, by their places, and how much so.
pub(super) type Picks = BTreeMap<usize, u32>;

/// Records whose ids are shorter are not looked for in messages: they would be found by chance.
const ID_LEN_MIN: usize = 4;
/// How far back to look when no write is known to matter.
const LOOK_BACK_MS: u64 = 600_000;
const WRITES_MAX: usize = 8;

impl<'a> Concern<'a> {
    pub(super) fn of(schedule: &'a Schedule, violation: &'a Violation, entries: &'a [Entry]) -> Self {
        let mut records: BTreeSet<&str> = violation.differing.iter().map(|record| record.id.as_str()).collect();
        records.extend(
            entries
                .iter()
                .flat_map(|entry| mentioned(&entry.what))
                .map(id_of)
                .filter(|id| id.len() >= ID_LEN_MIN && violation.message.contains(*id)),
        );
        let mut nodes: BTreeSet<&str> = violation.nodes.iter().map(String::as_str).collect();
        if nodes.is_empty() {
            nodes.extend(violation.differing.iter().flat_map(|record| record.shown.keys()).map(String::as_str));
        }
        if nodes.is_empty() {
            nodes.extend(schedule.fleet.nodes.iter().map(|node| node.name.as_str()));
        }
        let relay = |node: &&crate::schedule::Node| matches!(node.role, Role::Relay);
        Self {
            nodes,
            records,
            relays: schedule.fleet.nodes.iter().filter(relay).map(|node| node.name.as_str()).collect(),
            until: entries.iter().position(|entry| entry.t > violation.at_ms).unwrap_or(entries.len()),
            arrivals: arrivals(entries),
        }
    }

    /// Where a message has arrived.
    pub(super) fn arrival(&self, message: u64) -> Option<usize> {
        self.arrivals.get(&message).copied()
    }

    /// Everything worth telling, and how much so.
    pub(super) fn picks(&self, entries: &'a [Entry]) -> Picks {
        let mut picks = Picks::new();
        let writes = self.writes(entries);
        for &write in &writes {
            raise(&mut picks, write, 90);
            self.follow(entries, write, &mut picks);
        }
        let mut involved = self.nodes.clone();
        involved.extend(writes.iter().map(|&write| entries[write].node.as_str()));
        let start = match writes.first() {
            Some(&first) => first,
            None => self.look_back(entries),
        };
        let over = ended(&entries[..start.min(entries.len())]);
        for node in involved {
            self.ends(entries, node, start, &writes, &mut picks);
            self.news(entries, node, start, &over, &mut picks);
        }
        for (place, entry) in entries[..self.until].iter().enumerate() {
            if matches!(entry.what, What::Healed | What::Converged) {
                raise(&mut picks, place, 45);
            }
        }
        picks
    }

    /// Writes to the records concerned; or, where none is known, the last ones at the nodes concerned.
    fn writes(&self, entries: &[Entry]) -> Vec<usize> {
        let wrote = |entry: &Entry| matches!(&entry.what, What::Event { done: true, record: Some(_), .. });
        let places = || (0..self.until).filter(|&place| wrote(&entries[place]));
        if self.records.is_empty() {
            let mut last: Vec<usize> =
                places().rev().filter(|&place| self.nodes.contains(entries[place].node.as_str())).take(4).collect();
            last.reverse();
            return last;
        }
        let mut writes: Vec<usize> = places().filter(|&place| self.concerns(&entries[place].what)).collect();
        if writes.len() > WRITES_MAX {
            // How it began, and how it ended.
            writes.drain(2..writes.len() - (WRITES_MAX - 2));
        }
        writes
    }

    /// Whether an entry is about a record concerned.
    pub(super) fn concerns(&self, what: &What) -> bool {
        mentioned(what).any(|record| self.records.contains(record) || self.records.contains(id_of(record)))
    }

    /// The way of a write: who was sent it, and who of those concerned committed it.
    fn follow(&self, entries: &[Entry], write: usize, picks: &mut Picks) {
        let writer = entries[write].node.as_str();
        let mut carriers = vec![(writer, write)];
        for (place, to) in self.first_sendings(entries, write, writer) {
            if self.relays.contains(to) || self.nodes.contains(to) {
                raise(picks, place, 70);
                let What::Sent { message, .. } = entries[place].what else { continue };
                carriers.extend(self.arrival(message).filter(|_| self.relays.contains(to)).map(|at| (to, at)));
            }
        }
        for &(relay, at) in &carriers[1..] {
            for (place, to) in self.first_sendings(entries, at, relay) {
                if self.nodes.contains(to) && to != writer {
                    raise(picks, place, 65);
                }
            }
        }
        let mut seen = BTreeSet::from([writer]);
        for (place, entry) in entries[..self.until].iter().enumerate().skip(write) {
            let committed = matches!(&entry.what, What::Committed { origin, .. } if origin != "local");
            if committed
                && self.nodes.contains(entry.node.as_str())
                && self.concerns(&entry.what)
                && seen.insert(&entry.node)
            {
                raise(picks, place, 60);
            }
        }
    }

    /// After a place, the first message with changes from a node to each other node.
    fn first_sendings<'e>(&self, entries: &'e [Entry], from: usize, node: &str) -> Vec<(usize, &'e str)> {
        let mut met = BTreeSet::new();
        let mut first = Vec::new();
        for (place, entry) in entries[..self.until].iter().enumerate().skip(from) {
            let Some(to) = carried(entry).filter(|_| entry.node == node) else { continue };
            if met.insert(to) {
                first.push((place, to));
            }
        }
        first
    }

    /// How a node's process ended, and whether a write was lost from sight by it.
    fn ends(&self, entries: &[Entry], node: &str, start: usize, writes: &[usize], picks: &mut Picks) {
        let ends = |place: &usize| {
            let entry = &entries[*place];
            entry.node == node && matches!(entry.what, What::Killed { .. } | What::NotOpened { .. })
        };
        let places: Vec<usize> = (start.min(self.until)..self.until).filter(ends).collect();
        for (back, &place) in places.iter().rev().enumerate() {
            let after_unsent = writes.iter().any(|&write| unsent(entries, write, place));
            let worth = match back {
                _ if after_unsent => 95,
                0 => 72,
                1 | 2 => 52,
                _ => 10,
            };
            raise(picks, place, worth);
        }
    }

    /// Faults, clocks and identity at a node.
    ///
    /// Faults that were over at the start are left out.
    fn news(&self, entries: &[Entry], node: &str, start: usize, over: &BTreeSet<u32>, picks: &mut Picks) {
        let mut told: BTreeMap<u32, u32> = BTreeMap::new();
        for place in (0..self.until).rev() {
            let began = matches!(&entries[place].what, What::FaultBegan { id, .. } if !over.contains(id));
            let Some(worth) = news_worth(&entries[place], node, place >= start || began) else { continue };
            // What befell a writer matters less than what befell those who ended up wrong.
            let worth = if self.nodes.contains(node) { worth } else { worth - 25 };
            let times = told.entry(worth).or_default();
            *times += 1;
            // Of each kind the last few.
            raise(picks, place, if *times <= 3 { worth } else { 5 });
        }
    }

    fn look_back(&self, entries: &[Entry]) -> usize {
        let Some(last) = self.until.checked_sub(1) else { return 0 };
        let from = entries[last].t.saturating_sub(LOOK_BACK_MS);
        entries.iter().position(|entry| entry.t >= from).unwrap_or(0)
    }
}

/// How much it matters that this happened at a node; `None` if it does not.
fn news_worth(entry: &Entry, node: &str, recent: bool) -> Option<u32> {
    const TELLING: [&str; 6] = ["renew", "fork", "misbehav", "refus", "fail", "gave up"];
    if let What::FaultBegan { nodes, name, .. } = &entry.what {
        let worth = lasting(name).or_else(|| recent.then_some(55));
        return worth.filter(|_| nodes.iter().any(|name| name == node));
    }
    if entry.node != node {
        return None;
    }
    if let What::Event { name, done: true, .. } = &entry.what {
        return lasting(name);
    }
    if let What::Session { news, .. } = &entry.what {
        let news = news.to_lowercase();
        return TELLING.iter().any(|telling| news.contains(telling)).then_some(if recent { 85 } else { 30 });
    }
    None
}

/// What changes who a node is, or what its disk holds, matters however long ago it was.
fn lasting(name: &str) -> Option<u32> {
    match name {
        "restore" | "clone" | "bit-rot" | "lying-syncs" => Some(80),
        "io-error" | "disk-full" | "backup" => Some(58),
        "clock-jump" | "clock-freeze" => Some(48),
        _ => None,
    }
}

/// The events whose faults ended in a stretch.
fn ended(entries: &[Entry]) -> BTreeSet<u32> {
    let over = |entry: &Entry| if let What::FaultEnded { id } = entry.what { Some(id) } else { None };
    entries.iter().filter_map(over).collect()
}

/// To whom an entry sent changes, if it did.
pub(super) fn carried(entry: &Entry) -> Option<&str> {
    let What::Sent { to, name, .. } = &entry.what else { return None };
    matches!(name.as_str(), "Batch" | "Part").then_some(to)
}

/// Whether a write's node had sent nobody any changes between the write and its process's end at `end`.
pub(super) fn unsent(entries: &[Entry], write: usize, end: usize) -> bool {
    let node = &entries[write].node;
    if write >= end || *node != entries[end].node || !matches!(entries[end].what, What::Killed { .. }) {
        return false;
    }
    let between = &entries[write..end];
    !between.iter().any(|entry| {
        entry.node == *node && (carried(entry).is_some() || matches!(entry.what, What::Killed { .. } | What::Closed))
    })
}

/// The records that an entry is about.
fn mentioned(what: &What) -> impl Iterator<Item = &str> {
    let (one, many): (Option<&String>, &[String]) = match what {
        What::Event { record, .. } => (record.as_ref(), &[]),
        What::Committed { records, .. } => (None, records),
        What::Opened { .. }
        | What::NotOpened { .. }
        | What::Closed
        | What::Killed { .. }
        | What::Dialing { .. }
        | What::DialFailed { .. }
        | What::Connected { .. }
        | What::Disconnected { .. }
        | What::Sent { .. }
        | What::Received { .. }
        | What::Durable { .. }
        | What::Session { .. }
        | What::FaultBegan { .. }
        | What::FaultEnded { .. }
        | What::Healed
        | What::Converged
        | What::Violated { .. } => (None, &[]),
    };
    one.into_iter().chain(many).map(String::as_str)
}

/// The id in `Model id`.
fn id_of(record: &str) -> &str {
    record.split_once(' ').map_or(record, |(_, id)| id)
}

/// Where each message has arrived.
fn arrivals(entries: &[Entry]) -> BTreeMap<u64, usize> {
    let mut arrivals = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if let What::Received { message, .. } = entry.what {
            arrivals.insert(message, place);
        }
    }
    arrivals
}

fn raise(picks: &mut Picks, place: usize, worth: u32) {
    let at = picks.entry(place).or_default();
    *at = worth.max(*at);
}
