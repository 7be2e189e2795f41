//! Followers of commits: a copy that only commits keep up to date is never wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use syncline_core::ids::RecordId;
use syncline_engine::query::Query;
use syncline_engine::{ChangeKind, Commit, Reader, RecordChange};
use syncline_schema::Model;

use super::content::{id_of, is_torn};
use super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::schedule::EventId;
use crate::world::{Happened, NodeIndex, World};

/// A copy of a model's records, kept by commits alone, equals a fresh query.
#[derive(Default)]
pub(super) struct MissNothing {
    copies: BTreeMap<(NodeIndex, EventId), Copied>,
    decided: u64,
}

impl MissNothing {
    fn begin_and_end(&mut self, world: &World, node: NodeIndex) {
        let state = &world.nodes()[node];
        let followed = state.observed();
        if followed.is_empty() && self.copies.is_empty() {
            return;
        }
        let boot = state.boots();
        self.copies.retain(|(at, event), copy| *at != node || (copy.boot == boot && followed.contains_key(event)));
        for (event, model) in followed {
            if !self.copies.contains_key(&(node, *event))
                && let Some(copy) = Copied::begin(world, node, model)
            {
                self.copies.insert((node, *event), copy);
            }
        }
    }

    fn look(&mut self, world: &World) -> Result<(), Broken> {
        for ((node, _), copy) in &mut self.copies {
            let state = &world.nodes()[*node];
            let is_whole = state.boots() == copy.boot && !is_torn(world, *node);
            let (Some(store), Some(schema)) = (state.store().filter(|_| is_whole), state.schema()) else { continue };
            let Some((model, reader)) = schema.model(&copy.model).zip(store.reader().ok()) else { continue };
            let Some(fresh) = query(&reader, model) else { continue };
            if copy.catch_up(&reader).is_none() {
                continue;
            }
            self.decided += 1;
            copy.compare(&fresh).map_err(|message| Broken::new([*node], message))?;
        }
        Ok(())
    }
}

impl Check for MissNothing {
    about!(
        "observers-miss-nothing",
        "Who follows a model's commits and applies them to a first query has what a fresh query gives, and is told \
         rightly of each record whether it came, changed or went."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        if let Happened::Committed { node, commit } = happened {
            // In a file that lost some of its pages tables contradict each other, and what was there is not sure.
            for ((at, _), copy) in &mut self.copies {
                if at == node && !is_torn(world, *node) {
                    copy.commit(commit)
                        .map_err(|message| Broken::new([*node], message).at(world, "observers-miss-nothing"))?;
                }
            }
        }
        if let Some(node) = super::view::node_of(happened) {
            self.begin_and_end(world, node);
        }
        Ok(())
    }

    fn looks(&self) -> bool {
        true
    }

    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world).map_err(|broken| broken.at(world, self.name()))
    }

    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        self.look(world).map_err(|broken| broken.at(world, self.name()))
    }
}

/// A copy of one model's records.
#[derive(Default)]
struct Copied {
    boot: u64,
    model: String,
    /// What the first query saw: earlier commits are in it.
    since: u64,
    present: BTreeSet<RecordId>,
    values: BTreeMap<RecordId, Map<String, Value>>,
    /// What commits named and was not read yet.
    touched: BTreeMap<RecordId, i64>,
}

impl Copied {
    fn begin(world: &World, node: NodeIndex, model: &str) -> Option<Self> {
        let state = &world.nodes()[node];
        let (store, schema) = (state.store()?, state.schema()?);
        let values = query(&store.reader().ok()?, schema.model(model)?)?;
        Some(Self {
            boot: state.boots(),
            model: model.to_owned(),
            since: store.committed(),
            present: values.keys().copied().collect(),
            values,
            touched: BTreeMap::new(),
        })
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), String> {
        if commit.seq <= self.since {
            return Ok(());
        }
        let mut once = BTreeSet::new();
        let model = self.model.clone();
        for change in commit.changes.iter().filter(|change| change.model == model) {
            if !once.insert(change.record) {
                return Err(format!("one commit told twice of {} {:?}", self.model, change.record));
            }
            self.change(change)?;
        }
        Ok(())
    }

    fn change(&mut self, change: &RecordChange) -> Result<(), String> {
        let record = change.record;
        let was_there = match change.kind {
            ChangeKind::Inserted => !self.present.insert(record),
            ChangeKind::Updated => self.present.contains(&record),
            ChangeKind::Deleted => {
                self.values.remove(&record);
                self.present.remove(&record)
            }
        };
        match change.kind {
            ChangeKind::Inserted | ChangeKind::Updated => self.touched.insert(record, change.row),
            ChangeKind::Deleted => self.touched.remove(&record),
        };
        match (change.kind, was_there) {
            (ChangeKind::Inserted, false) | (ChangeKind::Updated | ChangeKind::Deleted, true) => Ok(()),
            (kind, _) => {
                let was = if was_there { "was there" } else { "was not" };
                Err(format!("a commit calls {} {record:?} {kind:?}, and it {was} before", self.model))
            }
        }
    }

    /// Reads what commits named.
    fn catch_up(&mut self, reader: &Reader) -> Option<()> {
        for (record, row) in std::mem::take(&mut self.touched) {
            if let Some(values) = reader.at(&self.model, row).ok()? {
                self.values.insert(record, values);
            }
        }
        Some(())
    }

    fn compare(&self, fresh: &BTreeMap<RecordId, Map<String, Value>>) -> Result<(), String> {
        let all: BTreeSet<&RecordId> = self.values.keys().chain(fresh.keys()).collect();
        for record in all {
            let (copy, now) = (self.values.get(record), fresh.get(record));
            if copy != now {
                let text = |values: Option<&Map<String, Value>>| {
                    values.map_or_else(|| "nothing".to_owned(), |values| Value::Object(values.clone()).to_string())
                };
                let (copy, now) = (text(copy), text(now));
                return Err(format!("who follows {} has {copy} for a record, and a query gives {now}", self.model));
            }
        }
        Ok(())
    }
}

fn query(reader: &Reader, model: &Model) -> Option<BTreeMap<RecordId, Map<String, Value>>> {
    let records = reader.query(&Query::new(&model.name)).ok()?.records;
    // What a record shows as its key does not say by itself which one it is: hostile peers make some by no rule.
    let id = |record: &_| reader.record_id(&model.name, &id_of(model, record)).ok()?;
    records.into_iter().map(|record| Some((id(&record)?, record))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syncline_engine::Origin;

    use super::*;

    fn commit(seq: u64, kind: ChangeKind) -> Commit {
        let change = RecordChange {
            model: "Todo".to_owned(),
            record: RecordId([1; 16]),
            row: 1,
            kind,
            origin: Origin::Peer,
            conflicts: false,
        };
        Commit { seq, changes: vec![change] }
    }

    fn copied() -> Copied {
        Copied { model: "Todo".to_owned(), since: 3, ..Copied::default() }
    }

    #[test]
    fn a_deletion_of_what_is_not_there_and_a_second_insertion_are_noticed() {
        let mut copy = copied();
        assert!(copy.commit(&commit(3, ChangeKind::Deleted)).is_ok(), "it was in the first query");
        assert!(copy.commit(&commit(4, ChangeKind::Inserted)).is_ok());
        assert!(copy.commit(&commit(5, ChangeKind::Updated)).is_ok());
        assert!(copy.commit(&commit(6, ChangeKind::Inserted)).is_err());
        let mut copy = copied();
        assert!(copy.commit(&commit(4, ChangeKind::Deleted)).is_err());
        assert!(copied().commit(&commit(4, ChangeKind::Updated)).is_err());
    }

    #[test]
    fn a_copy_that_missed_an_event_is_noticed() {
        let mut copy = copied();
        let record = json!({"title": "a"}).as_object().cloned().unwrap();
        copy.values.insert(RecordId([1; 16]), record.clone());
        assert!(copy.compare(&BTreeMap::from([(RecordId([1; 16]), record)])).is_ok());
        assert!(copy.compare(&BTreeMap::new()).is_err());
    }
}
