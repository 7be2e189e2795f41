//! The result of a query, kept up to date at a cost that goes with what changed.
//!
//! A result follows its query row by row: each changed row is asked whether it belongs, and put in its place among the
//! records that are held. With a limit some more records are held than are shown, so that one that goes is mostly
//! followed by one that is there; only when they run out is the query run again. A related record that changed is led back
//! to the records that show it, or that it may make match (see `asking`). Some queries cannot be followed so, and are run
//! again whenever something that they look at has changed: those with a search, whose ranks hang on all texts, and those
//! far behind an offset. So are queries that hold more than [`LiveResult::ROWS_MAX`] records, deny related ones, or reach
//! them over a `hasOne`, when a record changes that they filter by.
//!
//! What a change does not concern costs no read of the file, as far as the changed record tells (see `concern`).
//!
//! Each step shows one state of the file. It begins with the state that a reader sees and then asks what has changed up
//! to there, so a transaction is shown whole or not at all.

mod asking;
mod concern;
mod signs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use syncline_core::filter::{Order, compare_records, complete_order};
use syncline_schema::Schema;

use crate::error::{Result, StoreError};
use crate::query::{Condition, Dependency, Numbered, Query, QueryError, no_model};
use crate::reader::Reader;
use crate::storage::log;
use concern::Concern;
pub use signs::Signs;

/// Most records that an offset passes over which are held all the same.
const OFFSET_MAX: u64 = 1_000;

/// Least and most records that are held beyond those that a limit shows.
const SPARE: std::ops::RangeInclusive<u64> = 16..=1_024;

/// The result of a query as a follower holds it.
#[derive(Clone, Debug)]
pub struct LiveResult {
    query: Query,
    order: Vec<Order>,
    concern: Concern,
    /// What else decides, or is shown.
    dependencies: Vec<Dependency>,
    /// See [`asking::is_monotone`].
    is_monotone: bool,
    /// The query runs again for every change.
    runs_again: bool,
    items: Vec<Item>,
    held: BTreeMap<i64, Held>,
    /// Everything that matches is held: nothing stands behind the last item.
    is_whole: bool,
    is_loaded: bool,
}

/// A record that is held.
#[derive(Clone, Debug)]
struct Held {
    record: Arc<Map<String, Value>>,
    /// Rows of the records that it includes, at every level, ascending; without the links between them.
    leads: Vec<i64>,
}

/// One record of a result.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its row in the model's table.
    pub row: i64,
    /// The record, with those that the query includes. The same as before if nothing of it has changed.
    pub record: Arc<Map<String, Value>>,
}

/// Rows that changed, each with its model.
pub type Changed = BTreeSet<(String, i64)>;

/// What a reader found out for a result.
#[derive(Debug)]
pub struct News(Found);

#[derive(Debug)]
enum Found {
    /// These rows were asked; those that belong, as they are now.
    Rows(Vec<i64>, Vec<Numbered>),
    /// All that is held from now on.
    Everything(Vec<Numbered>),
}

impl LiveResult {
    /// Most rows that are asked one by one; beyond, one run of the query is cheaper.
    pub const ROWS_MAX: usize = 256;

    /// An empty result, to be filled by the first [`Reader::news`].
    pub fn new(query: Query, schema: &Schema) -> Result<Self, QueryError> {
        // Says what is wrong with a query before it is followed.
        query.compile(schema)?;
        let dependencies = query.dependencies(schema)?;
        let model = schema.model(&query.model).ok_or_else(|| no_model(schema, &query.model))?;
        let filter = match &query.condition {
            Condition::Filter(filter) => Some(filter.resolve(schema, model)?),
            Condition::Where(_) => None,
        };
        let is_monotone = filter.as_ref().is_some_and(asking::is_monotone);
        let runs_again = query.search.is_some() || query.offset > OFFSET_MAX;
        Ok(Self {
            order: complete_order(model, &query.order),
            concern: Concern::new(schema, model, filter.as_ref(), &dependencies),
            dependencies: dependencies.into_iter().collect(),
            is_monotone,
            runs_again,
            items: Vec::new(),
            held: BTreeMap::new(),
            is_whole: false,
            is_loaded: false,
            query,
        })
    }

    /// The models whose changes may make the result another.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let related = self.dependencies.iter().map(|dependency| &dependency.model);
        related.chain([&self.query.model]).map(String::as_str).collect::<BTreeSet<_>>().into_iter()
    }

    /// What is shown: the records in the query's order, within its limit and offset.
    pub fn shown(&self) -> &[Item] {
        if self.runs_again {
            return &self.items;
        }
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.items.len());
        let first = place(self.query.offset);
        let end = self.query.limit.map_or(self.items.len(), |limit| place(self.query.offset.saturating_add(limit)));
        &self.items[first..end.max(first)]
    }

    /// Takes up what was found out.
    pub fn take(&mut self, news: News) {
        match news.0 {
            Found::Everything(found) => self.take_everything(found),
            Found::Rows(asked, found) => self.take_rows(&asked, found),
        }
    }

    fn take_everything(&mut self, found: Vec<Numbered>) {
        let before = std::mem::take(&mut self.held);
        self.is_whole = self.to_hold().is_none_or(|most| (found.len() as u64) < most);
        self.is_loaded = true;
        self.items.clear();
        for Numbered { row, record, leads } in found {
            let same = before.get(&row).filter(|held| *held.record == record);
            let record = same.map_or_else(|| Arc::new(record), |held| Arc::clone(&held.record));
            self.held.insert(row, Held { record: Arc::clone(&record), leads });
            self.items.push(Item { row, record });
        }
    }

    fn take_rows(&mut self, asked: &[i64], found: Vec<Numbered>) {
        let mut found: BTreeMap<i64, Numbered> = found.into_iter().map(|found| (found.row, found)).collect();
        for row in asked {
            let before = self.held.get(row).map(|held| Arc::clone(&held.record));
            match (before, found.remove(row)) {
                // It keeps its place, also the last one, behind which others may stand.
                (Some(before), Some(now)) if compare_records(&self.order, &before, &now.record).is_eq() => {
                    self.replace(&before, now);
                }
                (_, now) => {
                    self.let_go(*row);
                    if let Some(now) = now {
                        self.put(now);
                    }
                }
            }
        }
        let most = self.to_hold().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        for beyond in self.items.drain(most.min(self.items.len())..) {
            self.held.remove(&beyond.row);
            self.is_whole = false;
        }
        debug_assert!(!self.is_short(self.items.len()), "news that leave too little are a run of the query");
    }

    fn let_go(&mut self, row: i64) {
        if let Some(at) = self.held.remove(&row).and_then(|held| self.place_of(row, &held.record)) {
            self.items.remove(at);
        }
    }

    /// The record stays where it is, and is the same as before if nothing of it has changed.
    fn replace(&mut self, before: &Arc<Map<String, Value>>, now: Numbered) {
        let Numbered { row, record, leads } = now;
        let record = if **before == record { Arc::clone(before) } else { Arc::new(record) };
        if let Some(at) = self.place_of(row, before) {
            self.items[at].record = Arc::clone(&record);
            self.held.insert(row, Held { record, leads });
        }
    }

    /// Where a record that is held stands.
    fn place_of(&self, row: i64, record: &Map<String, Value>) -> Option<usize> {
        let first = self.items.partition_point(|item| compare_records(&self.order, &item.record, record).is_lt());
        // Hardly ever are two equal in an order: only if both show one key.
        let equal = |item: &&Item| compare_records(&self.order, &item.record, record).is_eq();
        let at = self.items[first..].iter().take_while(equal).position(|item| item.row == row);
        debug_assert!(at.is_some(), "what is held stands where its order says");
        at.map(|at| first + at)
    }

    fn put(&mut self, now: Numbered) {
        let Numbered { row, record, leads } = now;
        if let Some(at) = self.place(&record) {
            let record = Arc::new(record);
            self.held.insert(row, Held { record: Arc::clone(&record), leads });
            self.items.insert(at, Item { row, record });
        }
    }

    /// Where a record would stand; `None` if that is behind the last item and others may stand there, too.
    fn place(&self, record: &Map<String, Value>) -> Option<usize> {
        let at = self.items.partition_point(|item| compare_records(&self.order, &item.record, record).is_lt());
        (self.is_whole || at < self.items.len()).then_some(at)
    }

    /// How many records are held at most.
    fn to_hold(&self) -> Option<u64> {
        let limit = self.query.limit?;
        if self.runs_again {
            return Some(limit);
        }
        let shown = limit.saturating_add(self.query.offset);
        Some(shown.saturating_add((shown / 2).clamp(*SPARE.start(), *SPARE.end())))
    }

    /// Whether some of those to be shown may be missing among so many records.
    fn is_short(&self, held: usize) -> bool {
        let limit = self.query.limit.filter(|_| !self.is_whole && !self.runs_again);
        limit.is_some_and(|limit| (held as u64) < limit.saturating_add(self.query.offset))
    }

    /// Whether so few records would be left that some of those to be shown may be missing.
    fn would_fall_short(&self, asked: &[i64], found: &[Numbered]) -> bool {
        let stays = |row: i64, before: &Map<String, Value>| {
            let now = found.iter().find(|now| now.row == row);
            now.is_some_and(|now| compare_records(&self.order, before, &now.record).is_eq())
        };
        let is_going = |row: &&i64| self.held.get(row).is_some_and(|held| !stays(**row, &held.record));
        let going = asked.iter().filter(is_going).count();
        self.is_short(self.items.len() - going)
    }
}

impl Reader {
    /// What a result must take up to show the state of the file that this call sees.
    ///
    /// `told` is given the position of the log in that state, and gives back every row that changed up to there since
    /// the result was last up to date, or more; `None` if that is not known, and then the query is run again.
    pub fn news(&self, live: &LiveResult, told: impl Fn(u64) -> Option<Changed>) -> Result<News> {
        let (db, schema) = (self.db(), self.schema());
        let reading = |source| StoreError::sqlite("reading for a live query", source);
        let _state = db.unchecked_transaction().map_err(reading)?;
        let (head, _) = log::head(db)?;
        let asked = match told(head) {
            Some(changed) => live.to_ask(db, schema, &changed)?,
            None => None,
        };
        if let Some(asked) = asked {
            let found = live.query.among(db, schema, &asked)?;
            if !live.would_fall_short(&asked, &found) {
                return Ok(News(Found::Rows(asked, found)));
            }
        }
        let offset = if live.runs_again { live.query.offset } else { 0 };
        Ok(News(Found::Everything(live.query.numbered(db, schema, live.to_hold(), offset)?)))
    }
}
