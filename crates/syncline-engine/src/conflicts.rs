//! Fields that hold concurrent values: who wrote them, when, and which one shows.

use rusqlite::Connection;
use serde::{Serialize, Serializer};
use serde_json::Value;
use syncline_core::record::Unsettled;
use syncline_core::state::OpId;
use syncline_schema::{Merge, Schema};

use crate::error::{Result, StoreError};
use crate::history;
use crate::local::Saved;
use crate::reader::Reader;
use crate::reading::{Found, Reading};
use crate::storage::log::{self, Entry, Kind};
use crate::storage::names::{self, Names};
use crate::storage::{conflicts, records};
use crate::store::Store;
use crate::tx::Tx;

/// A field that holds several values, written by replicas that did not know of each other's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict<V = Value> {
    /// Name of the field, or path into an embedded value: `title`, `address.city`.
    pub field: String,
    /// What decides which value shows. In JSON `winner`, `max`, `min` or `latest`.
    #[serde(serialize_with = "rule_name")]
    pub rule: Merge,
    /// The value that shows, then the others, newest operation first. Equal values of two writers stand twice.
    pub values: Vec<Concurrent<V>>,
}

/// One of several values of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Concurrent<V = Value> {
    /// The value, or null.
    pub value: V,
    /// Whether it is the one that shows.
    pub shows: bool,
    /// Who wrote it; empty for a `@local` model.
    pub replica: String,
    /// The how-manieth of the writer's changes it came with; 0 for a `@local` model.
    pub counter: u64,
    /// Whether this store wrote it.
    pub mine: bool,
    /// Time that the writer's clock showed, in milliseconds since 1970.
    pub time_ms: i64,
}

/// A record with conflicts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflicted {
    /// Its model.
    pub model: String,
    /// Its id, or a JSON object of its key fields.
    pub id: String,
    /// The fields concerned, in the order of the schema; none if it has no conflicts any more.
    pub conflicts: Vec<Conflict>,
}

/// Records with conflicts, and where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConflictPage {
    /// In the order in which the store came to know of them.
    pub records: Vec<Conflicted>,
    /// For the next call; `None` if there are no more.
    pub next: Option<i64>,
}

impl<V> Conflict<V> {
    /// The value that shows.
    pub fn shown(&self) -> Option<&V> {
        self.values.iter().find(|value| value.shows).map(|value| &value.value)
    }

    /// The same conflict with its values seen otherwise.
    pub fn try_map<U, E>(self, see: impl Fn(V) -> Result<U, E>) -> Result<Conflict<U>, E> {
        let values = self.values.into_iter().map(|one| {
            let Concurrent { value, shows, replica, counter, mine, time_ms } = one;
            Ok(Concurrent { value: see(value)?, shows, replica, counter, mine, time_ms })
        });
        Ok(Conflict { field: self.field, rule: self.rule, values: values.collect::<Result<_, E>>()? })
    }
}

fn rule_name<S: Serializer>(rule: &Merge, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match rule {
        Merge::Winner => "winner",
        Merge::Max => "max",
        Merge::Min => "min",
        Merge::Latest => "latest",
    })
}

impl Reader {
    /// The conflicts of a record.
    pub fn conflicts(&self, model: &str, id: &str) -> Result<Vec<Conflict>> {
        self.reading(|reading| reading.conflicts(model, id))
    }

    /// Records with conflicts, of one model or of all, behind the page that ended with `after`.
    pub fn conflicted(&self, model: Option<&str>, after: Option<i64>, limit: u64) -> Result<ConflictPage> {
        self.reading(|reading| reading.conflicted(model, after, limit))
    }

    /// A number for each record with conflicts, by its row: another one for other conflicts.
    pub fn conflict_marks(&self, model: Option<&str>) -> Result<Vec<(i64, u64)>> {
        self.reading(|reading| {
            let numbers = reading.model_filter(model)?;
            let rows = conflicts::page(reading.db, numbers.as_deref(), 0, u64::MAX)?;
            Ok(rows.into_iter().map(|row| (row.record, row.mark)).collect())
        })
    }

    /// The conflicts of the record at a row and their number in [`conflict_marks`](Self::conflict_marks), `None` if it
    /// has none any more; nothing if the number is `known` already, or there is no such record.
    pub fn news_of_conflicts(&self, row: i64, known: Option<u64>) -> Result<Option<(Conflicted, Option<u64>)>> {
        self.reading(|reading| {
            let mark = conflicts::mark_of(reading.db, row)?;
            if mark == known {
                return Ok(None);
            }
            let Some(found) = reading.readable_at(row)? else { return Ok(None) };
            Ok(Some((reading.conflicted_record(&found)?, mark)))
        })
    }
}

impl Store {
    /// The conflicts of a record.
    pub fn conflicts(&self, model: &str, id: &str) -> Result<Vec<Conflict>> {
        self.reading(|reading| reading.conflicts(model, id))
    }

    /// Records with conflicts, of one model or of all, behind the page that ended with `after`.
    pub fn conflicted(&self, model: Option<&str>, after: Option<i64>, limit: u64) -> Result<ConflictPage> {
        self.reading(|reading| reading.conflicted(model, after, limit))
    }
}

impl Tx<'_> {
    /// Leaves this value alone in a field that holds several: one of them, or a new one.
    pub fn resolve(&mut self, model: &str, id: &str, field: &str, value: &Value) -> Result<Saved> {
        self.edit(model, id, |view| {
            view.resolve(field, value).map_err(|unsettled| match unsettled {
                Unsettled::Invalid(invalid) => StoreError::Invalid(invalid),
                Unsettled::NoConflict { field } => {
                    StoreError::NoConflict { model: model.to_owned(), id: id.to_owned(), field }
                }
            })
        })
    }
}

/// Notes the conflicts of every record, in a file that has no note of any.
pub(crate) fn note_all(db: &Connection, schema: &Schema) -> Result<()> {
    let reading = Reading { db, schema };
    let names = Names::load(db)?;
    records::each_judged(db, |row| {
        let (record, number) = (row.record, row.model);
        let Some(model) = names.model_name(number).and_then(|name| schema.model_known_as(name)) else { return Ok(()) };
        match reading.found(model, row, names.actors_ref()) {
            Ok(found) => match found.view(schema).conflict_mark() {
                Some(mark) => conflicts::set(db, record, number, Some(mark)),
                None => Ok(()),
            },
            // Nobody can tell what a damaged record holds; `verify` names it.
            Err(error) if error.is_damage() => Ok(()),
            Err(error) => Err(error),
        }
    })
}

impl Reading<'_> {
    fn conflicts(&self, model: &str, id: &str) -> Result<Vec<Conflict>> {
        let found = self.find(model, id)?;
        if !found.view(self.schema).is_live() {
            return Err(StoreError::NotFound { model: model.to_owned(), id: id.to_owned(), deleted: true });
        }
        self.conflicts_of(&found)
    }

    /// The numbers of the model to look for; `None` for all models.
    fn model_filter(&self, model: Option<&str>) -> Result<Option<Vec<i64>>> {
        model.map(|name| names::numbers_of(self.db, self.model(name)?)).transpose()
    }

    fn conflicted(&self, model: Option<&str>, after: Option<i64>, limit: u64) -> Result<ConflictPage> {
        let numbers = self.model_filter(model)?;
        let mut rows = conflicts::page(self.db, numbers.as_deref(), after.unwrap_or(0), limit.saturating_add(1))?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut page = ConflictPage { records: Vec::new(), next: rows.last().filter(|_| more).map(|row| row.record) };
        for row in rows {
            if let Some(found) = self.readable_at(row.record)? {
                page.records.push(self.conflicted_record(&found)?);
            }
        }
        Ok(page)
    }

    fn conflicted_record(&self, found: &Found<'_>) -> Result<Conflicted> {
        let is_live = found.view(self.schema).is_live();
        let conflicts = if is_live { self.conflicts_of(found)? } else { Vec::new() };
        Ok(Conflicted { model: found.model.name.clone(), id: found.id(self.schema), conflicts })
    }

    fn conflicts_of(&self, found: &Found<'_>) -> Result<Vec<Conflict>> {
        let view = found.view(self.schema);
        let held = view.conflicts();
        let wanted: Vec<&OpId> = held.iter().flat_map(|one| one.values.iter().map(|(op, _)| &op.id)).collect();
        let writers = self.writers(found.row.last, &wanted)?;
        let mut next = writers.into_iter();
        let mut conflicts = Vec::with_capacity(held.len());
        for one in held {
            let mut values = Vec::with_capacity(one.values.len());
            for (place, (op, value)) in one.values.into_iter().enumerate() {
                let Writer { replica, counter, mine } = next.next().flatten().unwrap_or_default();
                let shows = place == one.shown;
                values.push(Concurrent { value, shows, replica, counter, mine, time_ms: op.time });
            }
            values.reverse();
            values.sort_by_key(|value| !value.shows);
            conflicts.push(Conflict { field: one.field, rule: one.rule, values });
        }
        Ok(conflicts)
    }

    /// Who wrote these operations of a record, walking back from its newest row. What cannot be read has no
    /// writer.
    fn writers(&self, last: u64, wanted: &[&OpId]) -> Result<Vec<Option<Writer>>> {
        let mut writers: Vec<Option<Writer>> = wanted.iter().map(|_| None).collect();
        let mut next = last;
        while next != 0 && writers.iter().any(Option::is_none) {
            let Some(entry) = log::read(self.db, next)? else { break };
            next = entry.prev.min(next - 1);
            if !entry.kind.in_record() {
                continue;
            }
            let Ok(change) = history::change_of(&entry) else { continue };
            for (op, writer) in wanted.iter().zip(&mut writers) {
                let wrote = op.actor == *change.actor() && (change.start_op()..=change.max_op()).contains(&op.counter);
                if wrote {
                    *writer = Some(self.writer(&entry)?);
                }
            }
        }
        Ok(writers)
    }

    fn writer(&self, entry: &Entry) -> Result<Writer> {
        let author = names::replica_at(self.db, entry.replica)?;
        Ok(Writer {
            replica: author.as_ref().map(|author| author.id.to_string()).unwrap_or_default(),
            counter: entry.counter,
            mine: entry.kind == Kind::Local || author.is_some_and(|author| author.mine),
        })
    }
}

#[derive(Clone, Debug, Default)]
struct Writer {
    replica: String,
    counter: u64,
    mine: bool,
}
