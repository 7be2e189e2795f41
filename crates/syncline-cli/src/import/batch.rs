//! A batch of rows: turned into records, then checked or saved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};
use syncline::schema::{Key, Model, Schema};
use syncline::{Error, Filter, Query, Record, Saved, Store, StoreError};

use super::names::Columns;
use super::source::Row;
use super::{Counts, convert, identity};
use crate::export::MODEL_COLUMN;
use crate::failure::Outcome;

/// What to do with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Say which ones do not fit.
    Check,
    /// Save those that fit.
    Save,
}

/// Takes the rows of one file into one model.
pub(super) struct Importer<'a> {
    pub(super) counts: Counts,
    store: &'a Store,
    schema: &'a Schema,
    model: &'a Model,
    columns: &'a Columns,
    /// The field that tells records apart, where it is not the model's key.
    apart: Option<&'a str>,
    untyped: bool,
}

/// A row that does not fit: one line per fault.
#[derive(Debug)]
pub(super) struct Misfit {
    place: Place,
    /// Fields with what is wrong in them; no field where the row as a whole is wrong.
    faults: Vec<(Option<String>, String)>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    line: u64,
}

/// A row as a record of the model, not yet checked.
struct Candidate {
    place: Place,
    record: Record,
}

/// What a row is, apart from a record.
enum Aside {
    /// It belongs to another model.
    OtherModel,
    /// It does not fit.
    Misfit(Misfit),
}

impl<'a> Importer<'a> {
    pub(super) fn new(
        store: &'a Store,
        schema: &'a Schema,
        model: &'a Model,
        columns: &'a Columns,
        key: Option<&'a str>,
        untyped: bool,
    ) -> Self {
        let apart = key.filter(|key| !model.is_key_field(key));
        Self { counts: Counts::default(), store, schema, model, columns, apart, untyped }
    }

    /// Checks or saves the rows. Returns those that do not fit, in their order.
    pub(super) async fn batch(&mut self, act: Act, rows: Vec<Row>) -> Outcome<Vec<Misfit>> {
        let mut misfits = Vec::new();
        let mut candidates = Vec::with_capacity(rows.len());
        for row in rows {
            self.counts.rows += 1;
            match self.candidate(row) {
                Ok(candidate) => candidates.push(candidate),
                Err(Aside::OtherModel) => self.counts.passed_over += 1,
                Err(Aside::Misfit(misfit)) => misfits.push(misfit),
            }
        }
        let candidates = self.identify(candidates, &mut misfits).await?;
        match act {
            Act::Check => self.check(candidates, &mut misfits),
            Act::Save => self.save(candidates, &mut misfits).await?,
        }
        self.counts.skipped += misfits.len() as u64;
        misfits.sort_by_key(|misfit| misfit.place.number);
        Ok(misfits)
    }

    /// The row with its fields found and its values converted.
    fn candidate(&self, row: Row) -> Result<Candidate, Aside> {
        let place = Place { number: row.number, line: row.line };
        let mut columns = row.columns.map_err(|reason| Aside::Misfit(Misfit::whole(place, reason)))?;
        if let Some(model) = columns.shift_remove(MODEL_COLUMN)
            && model != self.model.name.as_str()
        {
            return Err(Aside::OtherModel);
        }
        let mut record =
            self.columns.rename(columns).map_err(|(field, reason)| Aside::Misfit(Misfit::at(place, field, reason)))?;
        for field in &self.model.fields {
            let Some(value) = record.get_mut(&field.name) else { continue };
            *value = match std::mem::take(value) {
                Value::String(cell) if self.untyped => convert::cell(self.schema, &field.kind, &cell),
                value => convert::typed(self.schema, &field.kind, value),
            };
        }
        Ok(Candidate { place, record })
    }

    /// Gives every record that has none an id which is the same at every run.
    async fn identify(&self, candidates: Vec<Candidate>, misfits: &mut Vec<Misfit>) -> Outcome<Vec<Candidate>> {
        let known = match self.apart {
            Some(field) => self.known_by(field, &candidates).await?,
            None => BTreeMap::new(),
        };
        let mut identified = Vec::with_capacity(candidates.len());
        for mut candidate in candidates {
            match self.id(&candidate, &known) {
                Ok(Some(id)) => {
                    candidate.record.insert("id".to_owned(), Value::String(id));
                    identified.push(candidate);
                }
                Ok(None) => identified.push(candidate),
                Err(misfit) => misfits.push(misfit),
            }
        }
        Ok(identified)
    }

    /// The id that the record shall have, unless it stands in the record.
    fn id(&self, candidate: &Candidate, known: &BTreeMap<String, Vec<String>>) -> Result<Option<String>, Misfit> {
        let Candidate { place, record } = candidate;
        let given = record.get("id").filter(|id| !id.is_null());
        match (&self.model.key, self.apart) {
            (Key::Custom(_), _) => Ok(None),
            (Key::Id, None) if given.is_some() => Ok(None),
            (Key::Id, None) => Ok(Some(identity::of_row(&self.model.name, place.number, record))),
            (Key::Id, Some(field)) => {
                let at = |reason| Err(Misfit::at(*place, field.to_owned(), reason));
                let Some(value) = record.get(field).filter(|value| !value.is_null()) else {
                    return at("it tells the records apart, and is empty here".to_owned());
                };
                match (known.get(&identity::text_of(value)).map(Vec::as_slice).unwrap_or_default(), given) {
                    ([], Some(_)) => Ok(None),
                    ([], None) => Ok(Some(identity::of_key(&self.model.name, field, value))),
                    ([id], None) => Ok(Some(id.clone())),
                    ([id], Some(given)) if given == id.as_str() => Ok(None),
                    ([id], Some(given)) => {
                        at(format!("the record with {value} has the id \"{id}\", and the row {given}"))
                    }
                    (many, _) => at(format!("{} records have {value}; it does not tell them apart", many.len())),
                }
            }
        }
    }

    /// Ids of the records that exist, by their value in `field`, for the values of these rows.
    async fn known_by(&self, field: &str, candidates: &[Candidate]) -> Outcome<BTreeMap<String, Vec<String>>> {
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in self.existing(field, candidates).await? {
            if let Some(Value::String(id)) = record.get("id") {
                known.entry(identity::text_of(&record[field])).or_default().push(id.clone());
            }
        }
        Ok(known)
    }

    /// The records that exist with one of the rows' values in `field`. Values that cannot stand there find none:
    /// the check that follows names them.
    async fn existing(&self, field: &str, candidates: &[Candidate]) -> Outcome<Vec<Record>> {
        let kind = self.model.field(field).map(|field| &field.kind);
        let fits = |value: &&Value| kind.is_some_and(|kind| is_usable(self.schema, kind, value));
        let mut values: Vec<Value> =
            candidates.iter().filter_map(|candidate| candidate.record.get(field)).filter(fits).cloned().collect();
        values.sort_by_cached_key(identity::text_of);
        values.dedup();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Query::new(&self.model.name);
        query.condition = Filter::any_of(field, values).into();
        Ok(self.store.query_json(query).await?.records)
    }

    fn check(&mut self, candidates: Vec<Candidate>, misfits: &mut Vec<Misfit>) {
        for Candidate { place, record } in candidates {
            if let Err(error) = self.store.check_json(&self.model.name, &record) {
                misfits.push(Misfit::of(place, &error));
            }
        }
    }

    async fn save(&mut self, candidates: Vec<Candidate>, misfits: &mut Vec<Misfit>) -> Outcome {
        if candidates.is_empty() {
            return Ok(());
        }
        let mut known = self.known_keys(&candidates).await?;
        let places: Vec<Place> = candidates.iter().map(|candidate| candidate.place).collect();
        let records = candidates.into_iter().map(|candidate| candidate.record).collect();
        let saved = self.store.import_json(&self.model.name, records).await?;
        for (place, outcome) in places.into_iter().zip(saved) {
            match outcome {
                Ok(saved) => self.count(&saved, &mut known),
                Err(error) => misfits.push(Misfit::of(place, &error)),
            }
        }
        Ok(())
    }

    fn count(&mut self, saved: &Saved<Record>, known: &mut BTreeSet<String>) {
        let is_new = known.insert(self.key_text(&saved.record));
        match (is_new, &saved.token) {
            (true, _) => self.counts.imported += 1,
            (false, None) if !self.model.local => self.counts.unchanged += 1,
            (false, _) => self.counts.updated += 1,
        }
    }

    /// Keys of those of the rows' records that exist already.
    async fn known_keys(&self, candidates: &[Candidate]) -> Outcome<BTreeSet<String>> {
        if let [key] = self.model.key_fields().as_slice() {
            let existing = self.existing(key, candidates).await?;
            return Ok(existing.iter().map(|record| self.key_text(record)).collect());
        }
        let mut known = BTreeSet::new();
        for Candidate { record, .. } in candidates {
            let key: Map<String, Value> = self
                .model
                .key_fields()
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), record.get(name)?.clone())))
                .collect();
            // A key that cannot be one is named when the record is saved.
            if let Ok(Some(record)) = self.store.get_json(&self.model.name, &Value::Object(key).to_string()).await {
                known.insert(self.key_text(&record));
            }
        }
        Ok(known)
    }

    fn key_text(&self, record: &Record) -> String {
        let values: Vec<String> = self
            .model
            .key_fields()
            .iter()
            .map(|name| record.get(*name).map(identity::text_of).unwrap_or_default())
            .collect();
        values.join("\u{0}")
    }
}

/// Whether the value may stand in a filter on a field of that kind.
fn is_usable(schema: &Schema, kind: &syncline::schema::FieldKind, value: &Value) -> bool {
    use syncline::schema::FieldKind;
    match kind {
        FieldKind::Scalar(scalar) => syncline::schema::check_scalar(*scalar, value).is_ok(),
        FieldKind::Enum(name) => {
            schema.enum_type(name).is_some_and(|kind| syncline::schema::check_enum(kind, value).is_ok())
        }
        FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => false,
    }
}

impl Misfit {
    fn whole(place: Place, reason: String) -> Self {
        Self { place, faults: vec![(None, reason)] }
    }

    fn at(place: Place, field: String, reason: String) -> Self {
        Self { place, faults: vec![(Some(field), reason)] }
    }

    fn of(place: Place, error: &Error) -> Self {
        let faults = match error {
            Error::Store(StoreError::Invalid(invalid)) => {
                invalid.fields.iter().map(|fault| (Some(fault.field.clone()), fault.message.clone())).collect()
            }
            other => vec![(None, other.to_string())],
        };
        Self { place, faults }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { number, line } = self.place;
        for (index, (field, reason)) in self.faults.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match field {
                Some(field) => write!(f, "{newline}row {number} (line {line}), {field}: {reason}")?,
                None => write!(f, "{newline}row {number} (line {line}): {reason}")?,
            }
        }
        Ok(())
    }
}
