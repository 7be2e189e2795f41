//! Every honest node's log as it grew, read once and kept in few bytes per row.
//!
//! The first of all checks calls [`View::follow`] for each thing that happens; the others look at what was new.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use syncline_core::change::Change;
use syncline_core::edit::ObjectKind;
use syncline_core::genesis::Genesis;
use syncline_core::ids::{Dot, RecordId, ReplicaId};
use syncline_core::session::Event;
use syncline_core::vector::VersionVector;
use syncline_engine::{LogRow, Store};
use syncline_schema::{FieldKind, Schema};

use super::Broken;
use super::content::is_torn;
use crate::disk::Survival;
use crate::schedule::{Role, Schedule};
use crate::world::{Excuse, Happened, NodeIndex, World};

/// The view that the checks of one run share.
pub(super) type Shared = Rc<RefCell<View>>;

/// Names a change, whoever holds it: a record and a hash.
pub(super) type ChangeId = u32;

/// What a node was put through that makes its file another than it was.
const MISLAID: [Excuse; 4] = [Excuse::DiskLied, Excuse::Restored, Excuse::Cloned, Excuse::BitsFlipped];

/// All logs.
pub(super) struct View {
    pub(super) names: Vec<String>,
    pub(super) changes: Changes,
    pub(super) nodes: Vec<Held>,
    /// What the last call of [`View::follow`] found.
    pub(super) news: News,
    owners: BTreeMap<ReplicaId, BTreeSet<NodeIndex>>,
    writes_seen: usize,
    pub(super) has_hostile: bool,
    /// Records of which a change waited or was refused somewhere.
    pub(super) held_up: BTreeSet<RecordId>,
    /// Changes that a torn file was the first to hold, and may have given out though nobody wrote them.
    doubtful: BTreeSet<ChangeId>,
    /// What apps did to each record, once the run is over.
    pub(super) past: Option<Rc<Vec<super::model::Past>>>,
}

/// What is new in one node's log.
#[derive(Default)]
pub(super) struct News {
    pub(super) node: NodeIndex,
    /// Rows that were not there before.
    pub(super) rows: Vec<Row>,
    /// The store was opened since it was looked at last.
    pub(super) reopened: Option<Reopened>,
    /// The version vector was read again; this was the one before, in the same life.
    pub(super) version_before: Option<VersionVector>,
}

/// A store was opened again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reopened {
    /// Rows that it had then.
    pub(super) kept: u64,
    /// The file may be another one: nothing follows from what it held before.
    pub(super) mislaid: bool,
    /// Rows that had to be there.
    pub(super) must: u64,
    /// Changes that were held before and are not any more.
    pub(super) lost: Vec<Dot>,
}

/// A row that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) change: ChangeId,
    pub(super) dot: Option<Dot>,
    pub(super) kind: &'static str,
    /// The counter that was the replica's turn.
    pub(super) turn: u64,
    /// Something that it builds on and that is not in the log before it.
    pub(super) missing: Option<[u8; 32]>,
    /// The change was in the log before.
    pub(super) again: bool,
}

/// Changes of the whole fleet.
#[derive(Default)]
pub(super) struct Changes {
    ids: BTreeMap<(RecordId, [u8; 32]), ChangeId>,
    known: Vec<Known>,
    geneses: BTreeSet<[u8; 32]>,
}

/// One change.
pub(super) struct Known {
    pub(super) record: RecordId,
    pub(super) hash: [u8; 32],
    deps: Vec<[u8; 32]>,
    digest: u128,
}

/// One node's log.
#[derive(Default)]
pub(super) struct Held {
    boot: u64,
    rows: Vec<Place>,
    have: Vec<u64>,
    tips: BTreeMap<ReplicaId, Vec<u32>>,
    /// As the store last said.
    pub(super) version: VersionVector,
    /// Rows that were durable by the engine's word, ever since.
    pub(super) durable: u64,
    /// Rows that must be there when it is opened again.
    must: u64,
    /// Sum over the changes held: equal for equal sets.
    pub(super) digest: u128,
    /// When a row came last.
    pub(super) grew_at_ms: u64,
    /// Whether the log could be read the last time.
    pub(super) readable: bool,
}

/// One row, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) change: ChangeId,
    pub(super) dot: Option<Dot>,
}

impl View {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let nodes = &schedule.fleet.nodes;
        let mut changes = Changes::default();
        let schemas = nodes.iter().filter_map(|node| node.schema.as_ref());
        let schemas = schemas.chain(&schedule.newer_schema).chain([&schedule.schema]);
        for text in schemas.collect::<BTreeSet<_>>() {
            if let Ok(parsed) = syncline_schema::parse("schema.graphql", text) {
                changes.geneses.extend(geneses(&parsed.schema));
            }
        }
        Self {
            names: nodes.iter().map(|node| node.name.clone()).collect(),
            changes,
            nodes: nodes.iter().map(|_| Held::default()).collect(),
            news: News::default(),
            owners: BTreeMap::new(),
            writes_seen: 0,
            has_hostile: nodes.iter().any(|node| matches!(node.role, Role::Adversary(_))),
            held_up: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            past: None,
        }
    }

    /// Takes in what happened.
    pub(super) fn follow(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Broken> {
        self.news = News::default();
        for write in &world.written()[self.writes_seen..] {
            self.owners.entry(write.replica.unwrap_or_default()).or_default().insert(write.node);
        }
        self.writes_seen = world.written().len();
        let Some(node) = node_of(happened) else { return Ok(()) };
        self.news.node = node;
        let state = &world.nodes()[node];
        if !state.is_honest() {
            return Ok(());
        }
        if let Happened::Died { survival, durable, .. } = happened {
            self.nodes[node].died(*survival, *durable);
        }
        let Some(store) = state.store() else { return Ok(()) };
        if self.nodes[node].boot != state.boots() {
            self.nodes[node].boot = state.boots();
            let mislaid = state.excuses().iter().any(|excuse| MISLAID.contains(excuse));
            return self.reopen(world, store, mislaid);
        }
        let committed = store.committed();
        if committed < self.nodes[node].len() {
            let had = self.nodes[node].len();
            return Err(Broken::new([node], format!("its log had {had} rows and now has {committed}")));
        }
        let may_retire =
            matches!(happened, Happened::Session { news: Event::ForkFound(_) | Event::IdentityRenewed { .. }, .. });
        if committed > self.nodes[node].len() || may_retire {
            self.read(world, store)?;
            if !self.nodes[node].readable {
                // A fault of the disk hit the reading; the next look reads again.
                return Ok(());
            }
            let version = store.version();
            self.news.version_before = Some(std::mem::replace(&mut self.nodes[node].version, version));
        }
        let held = &mut self.nodes[node];
        held.durable = held.durable.max(store.durable());
        held.must = held.len();
        Ok(())
    }

    fn reopen(&mut self, world: &World, store: &Store, mislaid: bool) -> Result<(), Broken> {
        let node = self.news.node;
        let (kept, held) = (store.committed(), &mut self.nodes[node]);
        let must = held.must;
        let from = if mislaid { 0 } else { kept.min(held.len()) };
        let last = held.rows.get((from as usize).wrapping_sub(1)).copied();
        let lost = held.truncate(from, &self.changes);
        held.durable = held.durable.min(kept);
        self.news.reopened = Some(Reopened { kept, mislaid, must, lost });
        if let Some(last) = last
            && let Ok(rows) = store.log_after(from - 1)
            && let Some(row) = rows.first()
            && (self.changes.find(row.record, row.hash), row.dot) != (Some(last.change), last.dot)
        {
            let message = format!("row {from} of its log is another change than before it was opened again");
            return Err(Broken::new([node], message));
        }
        self.read(world, store)?;
        // A write that was told as failed may stand all the same, if its disk failed when it had been written.
        for replica in store.own_replicas().filter(|_| !is_torn(world, node)) {
            self.owners.entry(replica).or_default().insert(node);
        }
        let held = &mut self.nodes[node];
        held.version = store.version();
        held.durable = held.durable.max(store.durable());
        held.must = held.len();
        Ok(())
    }

    fn read(&mut self, world: &World, store: &Store) -> Result<(), Broken> {
        let node = self.news.node;
        let rows = store.log_after(self.nodes[node].len());
        self.nodes[node].readable = rows.is_ok();
        for row in rows.unwrap_or_default() {
            let expected = self.nodes[node].len() + 1;
            if row.seq != expected {
                if is_torn(world, node) {
                    self.nodes[node].readable = false;
                    break;
                }
                return Err(Broken::new([node], format!("row {expected} of its log is missing")));
            }
            let first = self.changes.known.len() as ChangeId;
            self.push(node, &row);
            if is_torn(world, node) {
                self.doubtful.extend(first..self.changes.known.len() as ChangeId);
            }
            self.nodes[node].grew_at_ms = world.now_ms();
        }
        Ok(())
    }

    /// Takes in one row.
    pub(super) fn push(&mut self, node: NodeIndex, row: &LogRow) {
        let change = self.changes.intern(row);
        let known = &self.changes.known[change as usize];
        let held = &mut self.nodes[node];
        let missing = known.deps.iter().find(|dep| {
            let held_dep = self.changes.find(known.record, **dep).is_some_and(|dep| held.has(dep));
            !held_dep && !self.changes.geneses.contains(*dep)
        });
        if matches!(row.kind, "pending" | "quarantined") {
            self.held_up.insert(row.record);
        }
        let turn = row.dot.map_or(0, |dot| held.counter(dot.replica) + 1);
        let again = held.has(change);
        self.news.rows.push(Row {
            seq: row.seq,
            change,
            dot: row.dot,
            kind: row.kind,
            turn,
            missing: missing.copied(),
            again,
        });
        held.push(Place { change, dot: row.dot }, known.digest);
    }

    /// Whether a torn file may have made this up.
    pub(super) fn is_doubtful(&self, change: ChangeId) -> bool {
        self.doubtful.contains(&change)
    }

    /// The replica's writers.
    pub(super) fn owners(&self, replica: ReplicaId) -> impl Iterator<Item = NodeIndex> + '_ {
        self.owners.get(&replica).into_iter().flatten().copied()
    }

    /// Replica ids that a node has written under.
    pub(super) fn owned_by(&self, node: NodeIndex) -> impl Iterator<Item = ReplicaId> + '_ {
        self.owners.iter().filter(move |(_, owners)| owners.contains(&node)).map(|(replica, _)| *replica)
    }

    /// Whether one of the replica's writers was put through one of these, or lied about.
    pub(super) fn is_excused(&self, world: &World, replica: ReplicaId, excuses: &[Excuse]) -> bool {
        let mut owners = self.owners(replica).peekable();
        if owners.peek().is_none() && self.has_hostile {
            return true;
        }
        let has = |node: NodeIndex| {
            let had = world.nodes()[node].excuses();
            had.contains(&Excuse::Hostile) || excuses.iter().any(|excuse| had.contains(excuse))
        };
        owners.any(has) || (self.has_hostile && is_lied_about(world, replica))
    }

    /// As a list for people.
    pub(super) fn name(&self, node: NodeIndex) -> &str {
        self.names.get(node).map_or("?", String::as_str)
    }
}

fn is_lied_about(world: &World, replica: ReplicaId) -> bool {
    let mut lies = world.nodes().iter().filter_map(|node| node.lies());
    lies.any(|lies| lies.may_have_retired(replica) || lies.invented.contains(&replica))
}

/// Short text of a hash or an id.
pub(super) fn short(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// A change's name for people.
pub(super) fn dot_text(dot: Dot) -> String {
    format!("change {} of replica {}", dot.counter, short(&dot.replica.0))
}

impl Changes {
    fn intern(&mut self, row: &LogRow) -> ChangeId {
        let next = self.known.len() as ChangeId;
        let id = *self.ids.entry((row.record, row.hash)).or_insert(next);
        if id == next {
            let parsed = Change::parse(&row.bytes);
            let deps = parsed.map(|change| change.deps().iter().map(|dep| dep.0).collect()).unwrap_or_default();
            let mut hasher = blake3::Hasher::new();
            hasher.update(&row.record.0).update(&row.hash);
            let mut digest = [0; 16];
            hasher.finalize_xof().fill(&mut digest);
            let digest = u128::from_le_bytes(digest);
            self.known.push(Known { record: row.record, hash: row.hash, deps, digest });
        }
        id
    }

    pub(super) fn find(&self, record: RecordId, hash: [u8; 32]) -> Option<ChangeId> {
        self.ids.get(&(record, hash)).copied()
    }

    pub(super) fn get(&self, change: ChangeId) -> &Known {
        &self.known[change as usize]
    }
}

impl Held {
    /// How many rows the log has.
    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn has(&self, change: ChangeId) -> bool {
        self.have.get(change as usize / 64).is_some_and(|word| word >> (change % 64) & 1 == 1)
    }

    /// How many rows of a replica there are.
    pub(super) fn counter(&self, replica: ReplicaId) -> u64 {
        self.tips.get(&replica).map_or(0, |rows| rows.len() as u64)
    }

    /// Replica ids with rows, and how many.
    pub(super) fn counters(&self) -> impl Iterator<Item = (ReplicaId, u64)> + '_ {
        self.tips.iter().map(|(replica, rows)| (*replica, rows.len() as u64))
    }

    /// Where the change of that name stands, while its replica id is not retired here.
    pub(super) fn position(&self, dot: Dot) -> Option<u64> {
        let rows = self.tips.get(&dot.replica)?;
        let seq = u64::from(*rows.get((dot.counter as usize).checked_sub(1)?)?);
        (self.rows.get(seq as usize - 1)?.dot == Some(dot)).then_some(seq)
    }

    /// Rows after a position up to another.
    pub(super) fn rows(&self, after: u64, upto: u64) -> &[Place] {
        let upto = (upto as usize).min(self.rows.len());
        &self.rows[(after as usize).min(upto)..upto]
    }

    /// Whether a replica id is retired here: it has rows, and the vector does not speak of it.
    pub(super) fn has_retired(&self, replica: ReplicaId) -> bool {
        self.tips.contains_key(&replica) && self.version.counter(replica) == 0
    }

    fn push(&mut self, place: Place, digest: u128) {
        self.rows.push(place);
        let (word, bit) = (place.change as usize / 64, place.change % 64);
        if self.have.len() <= word {
            self.have.resize(word + 1, 0);
        }
        if self.have[word] >> bit & 1 == 0 {
            self.have[word] |= 1 << bit;
            // Changes without a name stay on their device.
            self.digest = self.digest.wrapping_add(if place.dot.is_some() { digest } else { 0 });
        }
        if let Some(dot) = place.dot {
            self.tips.entry(dot.replica).or_default().push(self.rows.len() as u32);
        }
    }

    /// Forgets rows after a position. Gives their names.
    fn truncate(&mut self, keep: u64, changes: &Changes) -> Vec<Dot> {
        if keep == self.len() {
            return Vec::new();
        }
        let mut rows = std::mem::take(&mut self.rows);
        let lost = rows.split_off(keep as usize);
        (self.have, self.tips, self.digest) = (Vec::new(), BTreeMap::new(), 0);
        for place in rows {
            self.push(place, changes.get(place.change).digest);
        }
        lost.into_iter().filter_map(|place| place.dot).collect()
    }

    fn died(&mut self, survival: Survival, durable: u64) {
        // Rows of the step in which it died were never read, and may be among the durable ones.
        self.durable = self.durable.max(durable);
        self.must = if survival == Survival::Everything { self.must.max(durable) } else { self.durable };
    }
}

/// Hashes of the geneses that a schema's records may have.
fn geneses(schema: &Schema) -> Vec<[u8; 32]> {
    let of = |model: &str, key: &str, kind| Genesis { model: model.to_owned(), key: key.to_owned(), kind }.hash().0;
    let mut all = Vec::new();
    for model in &schema.models {
        let names = [&model.name].into_iter().chain(&model.renamed_from);
        for name in names {
            for field in &model.fields {
                match field.kind {
                    FieldKind::Text { .. } => all.push(of(name, &field.document_key, ObjectKind::Text)),
                    FieldKind::List(_) => all.push(of(name, &field.document_key, ObjectKind::List)),
                    FieldKind::Scalar(_)
                    | FieldKind::Enum(_)
                    | FieldKind::Counter
                    | FieldKind::Set(_)
                    | FieldKind::Embedded(_) => {}
                }
            }
        }
    }
    all
}

/// The node that something happened to.
pub(super) fn node_of(happened: &Happened<'_>) -> Option<NodeIndex> {
    match happened {
        Happened::Opened { node }
        | Happened::NotOpened { node, .. }
        | Happened::Closed { node }
        | Happened::Died { node, .. }
        | Happened::Wrote { node, .. }
        | Happened::Committed { node, .. }
        | Happened::Durable { node, .. }
        | Happened::SyncFailed { node, .. }
        | Happened::Sent { node, .. }
        | Happened::Connected { node, .. }
        | Happened::Session { node, .. }
        | Happened::Disconnected { node, .. } => Some(*node),
        Happened::Healed => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A view of so many nodes, `n0`, `n1`, ….
    pub(in super::super) fn view(nodes: usize) -> View {
        View {
            names: (0..nodes).map(|node| format!("n{node}")).collect(),
            changes: Changes::default(),
            nodes: (0..nodes).map(|_| Held { readable: true, ..Held::default() }).collect(),
            news: News::default(),
            owners: BTreeMap::new(),
            writes_seen: 0,
            has_hostile: false,
            held_up: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            past: None,
        }
    }

    pub(in super::super) fn replica(n: u8) -> ReplicaId {
        ReplicaId([n; 16])
    }

    pub(in super::super) fn dot(n: u8, counter: u64) -> Dot {
        Dot { replica: replica(n), counter }
    }

    /// Appends a change that is no real one.
    pub(in super::super) fn row(view: &mut View, node: NodeIndex, dot: Dot, hash: u8) {
        let seq = view.nodes[node].len() + 1;
        let row = LogRow {
            seq,
            dot: Some(dot),
            record: RecordId([1; 16]),
            hash: [hash; 32],
            kind: "applied",
            bytes: Vec::new(),
        };
        view.push(node, &row);
        let counter = view.nodes[node].counter(dot.replica);
        view.nodes[node].version.raise(dot.replica, counter);
    }

    #[test]
    fn a_log_knows_its_rows_by_name_and_forgets_those_it_lost() {
        let mut view = view(1);
        for counter in 1..=3 {
            row(&mut view, 0, dot(7, counter), counter as u8);
        }
        assert_eq!(view.nodes[0].position(dot(7, 3)), Some(3));
        let before = view.nodes[0].digest;
        let View { nodes, changes, .. } = &mut view;
        assert_eq!(nodes[0].truncate(2, changes), vec![dot(7, 3)]);
        assert_eq!(nodes[0].position(dot(7, 3)), None);
        assert!(nodes[0].digest != before && nodes[0].counter(replica(7)) == 2);
    }

    #[test]
    fn a_power_cut_may_take_what_was_not_durable_and_a_kill_nothing() {
        let mut held = Held { must: 9, ..Held::default() };
        held.rows = vec![Place { change: 0, dot: None }; 9];
        held.died(Survival::Everything, 4);
        assert_eq!(held.must, 9);
        held.died(Survival::Subset, 5);
        assert_eq!(held.must, 5);
    }
}
