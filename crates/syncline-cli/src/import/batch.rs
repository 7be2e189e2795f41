//! A batch of rows: turned into records, then checked or saved.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use syncline::schema::{Key, Model, Schema};
use syncline::{
    Error, ExpandRules, Filter, ImportEffect, ImportRecord, Imported, Query, Record, RichText, Span, Store, StoreError,
};
use syncline_schema::{FieldKind, Scalar};

use super::cloud::Cloud;
use super::names::Columns;
use super::progress::{self, Begin, Taken};
use super::rejects::{Rejects, Written, was_unreadable, was_untyped};
use super::shapes::Origin;
use super::source::{Row, Unreadable};
use super::{Counts, Existing, cloud, convert, identity};
use crate::export::{MODEL_COLUMN, REJECTED_COLUMN, SPANS_COLUMN};
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
    /// The model that a row of a page said it is of, where it was another one.
    pub(super) other: Option<String>,
    pub(super) store: &'a Store,
    pub(super) schema: &'a Schema,
    pub(super) model: &'a Model,
    pub(super) columns: &'a Columns,
    pub(super) cloud: Cloud<'a>,
    /// The field that tells records apart, where it is not the model's key.
    pub(super) apart: Option<&'a str>,
    pub(super) untyped: bool,
    /// Name of the bookmark.
    pub(super) name: String,
    pub(super) taken: Taken,
    pub(super) rejects: Option<Rejects>,
    pub(super) existing: Existing,
}

/// How far an import has come.
#[derive(Clone)]
struct Reached {
    taken: Taken,
    counts: Counts,
    rejected: Option<Written>,
}

/// A row that does not fit: one line per fault.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) place: Place,
    /// Fields with what is wrong in them; no field where the row as a whole is wrong.
    pub(super) faults: Vec<(Option<String>, String)>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) line: u64,
}

/// A row as a record of the model, not yet checked.
struct Candidate {
    place: Place,
    record: Record,
    texts: BTreeMap<String, RichText>,
}

/// What a row is, apart from a record.
enum Aside {
    /// It belongs to another model.
    OtherModel,
    /// It was deleted, and is not gone yet.
    Deleted,
    /// It does not fit.
    Misfit(Misfit),
}

impl<'a> Importer<'a> {
    /// Begins where an earlier run stopped.
    pub(super) fn at(mut self, begin: &Begin, rejects: Option<Rejects>) -> Self {
        self.name.clone_from(&begin.name);
        self.taken = begin.taken.clone();
        self.counts = Counts { resumed: begin.taken.rows, ..begin.counts.clone() };
        self.rejects = rejects;
        self
    }

    /// Checks or saves the rows. Returns those that do not fit, in their order.
    pub(super) async fn batch(&mut self, act: Act, rows: Vec<Row>) -> Outcome<Vec<Misfit>> {
        let before = self.reached();
        let mut misfits = Vec::new();
        let mut candidates = Vec::with_capacity(rows.len());
        let mut originals = BTreeMap::new();
        for row in rows {
            self.counts.rows += 1;
            self.taken.row(&row);
            if self.rejects.is_some() {
                originals.insert(row.number, row.columns.clone());
            }
            match self.candidate(row) {
                Ok(candidate) => candidates.push(candidate),
                Err(Aside::OtherModel) => self.counts.passed_over += 1,
                Err(Aside::Deleted) => self.counts.deleted += 1,
                Err(Aside::Misfit(misfit)) => misfits.push(misfit),
            }
        }
        let mut candidates = self.identify(candidates, &mut misfits).await?;
        if act == Act::Check || self.rejects.is_some() {
            candidates = self.check(candidates, &mut misfits);
        }
        self.counts.skipped += misfits.len() as u64;
        misfits.sort_by_key(|misfit| misfit.place.number);
        if act == Act::Save {
            if !misfits.is_empty() && self.rejects.as_ref().is_some_and(Rejects::is_empty) {
                // A run that is cut off before the batch is committed finds its own file again.
                self.note(before.clone()).await?;
            }
            self.reject(&misfits, &originals)?;
            let fitting = misfits.len();
            self.save(candidates, before, &mut misfits).await?;
            if self.rejects.is_some() && misfits.len() > fitting {
                self.reject(&misfits[fitting..], &originals)?;
                self.note(self.reached()).await?;
            }
        }
        misfits.sort_by_key(|misfit| misfit.place.number);
        Ok(misfits)
    }

    fn reached(&self) -> Reached {
        let rejected = self.rejects.as_ref().map(Rejects::written);
        Reached { taken: self.taken.clone(), counts: self.counts.clone(), rejected }
    }

    /// Keeps how far the import has come.
    async fn note(&self, reached: Reached) -> Outcome {
        let bookmark = move |_: &[Result<Imported, Error>]| reached.bookmark();
        self.store.import_bookmarked(&self.model.name, Vec::new(), &self.name, bookmark).await?;
        Ok(())
    }

    fn reject(&mut self, misfits: &[Misfit], originals: &BTreeMap<u64, Result<Record, Unreadable>>) -> Outcome {
        let Some(rejects) = &mut self.rejects else { return Ok(()) };
        for misfit in misfits {
            let row = originals.get(&misfit.place.number).cloned().unwrap_or_else(|| Ok(Record::new()));
            rejects.write(row, misfit, self.untyped)?;
        }
        rejects.flush()
    }

    /// The row with its fields found and its values converted.
    fn candidate(&mut self, row: Row) -> Result<Candidate, Aside> {
        let place = Place { number: row.number, line: row.line };
        let at = |(field, reason)| Aside::Misfit(Misfit::at(place, field, reason));
        let mut columns = row.columns.map_err(|unreadable| Aside::Misfit(Misfit::whole(place, unreadable.reason)))?;
        if let Some(Value::String(other)) = columns.shift_remove(MODEL_COLUMN)
            && !other.is_empty()
            && !self.model.names().any(|name| name == other)
        {
            if row.origin == Origin::Page {
                self.other.get_or_insert(other);
            }
            return Err(Aside::OtherModel);
        }
        let rejected = columns.shift_remove(REJECTED_COLUMN);
        if columns.is_empty() && rejected.as_ref().is_some_and(was_unreadable) {
            let reason = "the row could not be read once: put what its `text` should say beside it, as columns";
            return Err(Aside::Misfit(Misfit::whole(place, reason.to_owned())));
        }
        let untyped = self.untyped || rejected.is_some_and(|mark| was_untyped(&mark));
        if self.cloud.is_deleted(&mut columns).map_err(at)? {
            return Err(Aside::Deleted);
        }
        let spans = columns.shift_remove(SPANS_COLUMN);
        let left_out = &mut self.counts.left_out;
        cloud::without_nested(self.model, &mut columns, |relation, count| {
            *left_out.entry(relation.name.clone()).or_default() += count;
        });
        let mut record = self.columns.rename(columns).map_err(at)?;
        for field in &self.model.fields {
            let Some(value) = record.get_mut(&field.name) else { continue };
            *value = match (std::mem::take(value), &field.kind) {
                (Value::String(cell), kind) if untyped => convert::cell(self.schema, kind, &cell),
                (Value::String(text), FieldKind::Scalar(Scalar::Json)) if row.origin == Origin::Table => {
                    convert::json_of_table(text)
                }
                (value, kind) => convert::typed(self.schema, kind, value),
            };
        }
        let texts = self.texts(spans, &record).map_err(at)?;
        Ok(Candidate { place, record, texts })
    }

    /// Marks that came with the row's rich texts; an error is what is wrong, and where.
    fn texts(&self, column: Option<Value>, record: &Record) -> Result<BTreeMap<String, RichText>, (String, String)> {
        let whole = |reason: String| (SPANS_COLUMN.to_owned(), reason);
        let fields = match column {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::String(cell)) if cell.is_empty() => return Ok(BTreeMap::new()),
            Some(Value::String(cell)) => serde_json::from_str(&cell).map_err(|error| whole(error.to_string()))?,
            Some(value) => value,
        };
        let Value::Object(fields) = fields else {
            return Err(whole(format!("expected an object of rich texts and their spans, found {fields}")));
        };
        let of_field = |(name, spans): (String, Value)| {
            let at = |reason: String| (format!("{SPANS_COLUMN}.{name}"), reason);
            let kind = self.model.field(&name).map(|field| &field.kind);
            if !matches!(kind, Some(FieldKind::Text { rich: true })) {
                return Err(at(format!("{} has no rich text of that name", self.model.name)));
            }
            let expand = ExpandRules::of_spans(&spans).map_err(|bad| at(bad.to_string()))?;
            let spans = Span::list_from_json(&spans).map_err(|bad| at(bad.to_string()))?;
            let text: String = spans.iter().map(|span| span.text.as_str()).collect();
            if record.get(&name).and_then(Value::as_str) != Some(text.as_str()) {
                return Err(at(format!("its characters are not those of `{name}`: correct one, or leave it out")));
            }
            Ok((name, RichText { spans, expand }))
        };
        fields.into_iter().map(of_field).collect()
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
        let Candidate { place, record, .. } = candidate;
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

    /// Those that fit.
    fn check(&self, candidates: Vec<Candidate>, misfits: &mut Vec<Misfit>) -> Vec<Candidate> {
        let mut fitting = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.store.check_json(&self.model.name, &candidate.record) {
                Ok(()) => fitting.push(candidate),
                Err(error) => misfits.push(Misfit::of(candidate.place, &error)),
            }
        }
        fitting
    }

    /// Saves the records, and with them how far the import has come. Where some turn out not to fit, that is still
    /// where it was before: they are not in the file of rejected rows yet.
    async fn save(&mut self, candidates: Vec<Candidate>, before: Reached, misfits: &mut Vec<Misfit>) -> Outcome {
        let places: Vec<Place> = candidates.iter().map(|candidate| candidate.place).collect();
        let newer_only = self.existing == Existing::KeepLater;
        let records = candidates
            .into_iter()
            .map(|Candidate { record, texts, .. }| ImportRecord { record, texts, newer_only })
            .collect();
        let after = self.reached();
        let bookmark = move |imported: &[Result<Imported, Error>]| {
            if after.rejected.is_some() && imported.iter().any(|outcome| outcome.as_ref().is_err_and(is_misfit)) {
                return before.bookmark();
            }
            Reached { counts: after.counts.with(imported), ..after }.bookmark()
        };
        let imported = self.store.import_bookmarked(&self.model.name, records, &self.name, bookmark).await?;
        self.counts = std::mem::take(&mut self.counts).with(&imported);
        for (place, outcome) in places.into_iter().zip(imported) {
            if let Err(error) = outcome
                && is_misfit(&error)
            {
                misfits.push(Misfit::of(place, &error));
            }
        }
        Ok(())
    }
}

impl Counts {
    /// These records counted, too.
    fn with(mut self, imported: &[Result<Imported, Error>]) -> Self {
        for outcome in imported {
            let count = match outcome {
                Ok(Imported { effect: ImportEffect::Created, .. }) => &mut self.imported,
                Ok(Imported { effect: ImportEffect::Updated, .. }) => &mut self.updated,
                Ok(Imported { effect: ImportEffect::Unchanged, .. }) => &mut self.unchanged,
                Err(error) if is_misfit(error) => &mut self.skipped,
                Err(_) => &mut self.kept,
            };
            *count += 1;
        }
        self
    }
}

/// Whether the record does not fit, and is not merely older than the one that is here.
fn is_misfit(error: &Error) -> bool {
    !matches!(error, Error::Store(StoreError::NotNewer { .. }))
}

impl Reached {
    fn bookmark(self) -> String {
        progress::bookmark(&self.taken, self.counts, self.rejected)
    }
}

/// Whether the value may stand in a filter on a field of that kind.
fn is_usable(schema: &Schema, kind: &FieldKind, value: &Value) -> bool {
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
