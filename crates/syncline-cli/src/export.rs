//! `export`: every record as NDJSON, JSON or CSV, page by page, so that `import` makes the same records of it.
//!
//! Pages are printed, or go to a file that `partial` writes, which goes on where it was cut off.

mod partial;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::Path;

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syncline::schema::{FieldKind, Key, Model, Scalar, Schema};
use syncline::{Query, Record, Span, Store};

use crate::args::{ExportArgs, Format};
use crate::failure::{Failure, Outcome};
use crate::import::convert::text_cell;
use crate::output::{self, Out, counted, say};
use crate::store;
use partial::{Begun, Opened, Partial, Place};

/// Records read at a time.
const PAGE_RECORDS: u64 = 1000;

const BAR: &str = "{msg:>9} [{bar:30.cyan}] {percent:>3}% {human_pos}/{human_len} {elapsed}";

/// Column that names a record's model where one file holds several; no field can have this name.
pub(crate) const MODEL_COLUMN: &str = "__typename";

/// Column with the marks of a record's rich texts, by field.
pub(crate) const SPANS_COLUMN: &str = "~spans";

/// Column that says why an import refused a row.
pub(crate) const REJECTED_COLUMN: &str = "~rejected";

pub(crate) async fn run(args: ExportArgs, out: &mut Out) -> Outcome {
    store::with(&args.db, async |store| {
        let schema = store::schema(store)?;
        let models: Vec<&Model> = match &args.model {
            Some(name) => vec![store::model(schema, name)?],
            None => schema.models.iter().collect(),
        };
        let mark = args.model.is_none() && models.len() > 1;
        if mark && args.format == Format::Csv {
            return Err(Failure::usage("a CSV holds the records of one model: name it, as in `export DB MODEL`"));
        }
        let export = Export { store, schema, models, mark, format: args.format, page_records: PAGE_RECORDS };
        match &args.output {
            Some(path) => export.write(path, &args).await,
            None => export.print(out).await,
        }
    })
    .await
}

/// What is exported, and how.
struct Export<'a> {
    store: &'a Store,
    schema: &'a Schema,
    models: Vec<&'a Model>,
    /// Whether each record says its model.
    mark: bool,
    format: Format,
    /// Records read at a time.
    page_records: u64,
}

/// How far an export is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// How many models are written.
    models: usize,
    /// Token of the last record of the model that is being written.
    after: Option<String>,
    /// Records written.
    records: u64,
    /// Whether all is written.
    whole: bool,
}

/// Where the pages of an export go.
enum Target<'a> {
    Printed(&'a mut Out),
    Written(&'a mut Partial),
}

impl Export<'_> {
    async fn print(&self, out: &mut Out) -> Outcome {
        // A terminal that shows the records has no room for a bar.
        let bar = if std::io::stdout().is_terminal() { ProgressBar::hidden() } else { self.bar().await? };
        let outcome = self.pages(Position::default(), &mut Target::Printed(out), &bar).await;
        bar.finish_and_clear();
        outcome.map(drop)
    }

    async fn write(&self, path: &Path, args: &ExportArgs) -> Outcome {
        let begun = Begun::of(self);
        let place = Place::of(path, self.store.path(), args.overwrite)?;
        let records = match Partial::open(place, begun, args.restart)? {
            Opened::Whole { records } => records,
            Opened::Partial(mut partial) => {
                let records = self.fill(&mut partial).await?;
                partial.put_in_place()?;
                records
            }
        };
        say(format_args!("wrote {}: {}", path.display(), counted(records, "record")));
        Ok(())
    }

    /// Writes what is not written yet.
    async fn fill(&self, partial: &mut Partial) -> Outcome<u64> {
        let from = partial.position();
        if from != Position::default() {
            say(format_args!(
                "going on behind {}, where an earlier run of this export stopped; --restart begins at the first record",
                counted(from.records, "record")
            ));
        }
        let bar = self.bar().await?;
        bar.set_position(from.records);
        let mut target = Target::Written(partial);
        let outcome = tokio::select! {
            outcome = self.pages(from, &mut target, &bar) => outcome,
            outcome = store::interrupted() => outcome.and_then(|()| Err(Failure::failed("interrupted"))),
        };
        bar.finish_and_clear();
        outcome.map_err(|failure| match failure {
            Failure::Failed(message) => {
                Failure::Failed(format!("{message}\n  run the export again when the cause is gone: it goes on there"))
            }
            other => other,
        })
    }

    /// A bar for so many records; nothing where stderr is no terminal.
    async fn bar(&self) -> Outcome<ProgressBar> {
        if !std::io::stderr().is_terminal() {
            return Ok(ProgressBar::hidden());
        }
        Ok(output::bar("exporting", self.total().await?, BAR))
    }

    async fn total(&self) -> Outcome<u64> {
        let mut records = 0;
        for model in &self.models {
            records += self.store.count_json(Query::new(&model.name)).await?;
        }
        Ok(records)
    }

    /// Hands out one page after the other from a position on; returns how many records there are in all.
    async fn pages(&self, mut at: Position, target: &mut Target<'_>, bar: &ProgressBar) -> Outcome<u64> {
        while !at.whole {
            let bytes = self.next(&mut at).await?;
            match target {
                Target::Printed(out) => out.bytes(&bytes)?,
                Target::Written(partial) => partial.add(&bytes, &at)?,
            }
            bar.set_position(at.records);
        }
        Ok(at.records)
    }

    /// What comes next, the position moved behind it.
    async fn next(&self, at: &mut Position) -> Outcome<Vec<u8>> {
        let mut bytes = if *at == Position::default() { self.head()? } else { Vec::new() };
        match self.models.get(at.models) {
            Some(model) => self.page(model, at, &mut bytes).await?,
            None => {
                bytes.extend_from_slice(self.tail());
                at.whole = true;
            }
        }
        Ok(bytes)
    }

    /// Adds a model's next page, and moves the position behind it.
    async fn page(&self, model: &Model, at: &mut Position, bytes: &mut Vec<u8>) -> Outcome {
        let page = self.store.export_page(&model.name, at.after.take(), self.page_records).await?;
        let mut records = page.records;
        let rich: Vec<&str> = rich_texts(model).collect();
        if !rich.is_empty() {
            for record in &mut records {
                add_spans(self.store, model, &rich, record).await?;
            }
            // Texts may have changed since the page was read.
            self.store.durable().await?;
        }
        for mut record in records {
            if self.mark {
                record.insert(MODEL_COLUMN.to_owned(), model.name.as_str().into());
            }
            self.record(model, record, at.records == 0, bytes)?;
            at.records += 1;
        }
        at.after = page.next;
        at.models += usize::from(at.after.is_none());
        Ok(())
    }

    /// What stands before the first record.
    fn head(&self) -> Outcome<Vec<u8>> {
        match (self.format, self.models.as_slice()) {
            (Format::Csv, [model, ..]) => cells(columns(model).map(str::to_owned)),
            (Format::Csv, []) | (Format::Ndjson, _) => Ok(Vec::new()),
            (Format::Json, _) => Ok(b"[".to_vec()),
        }
    }

    fn record(&self, model: &Model, record: Record, is_first: bool, bytes: &mut Vec<u8>) -> Outcome {
        match self.format {
            Format::Ndjson => bytes.extend_from_slice(format!("{}\n", Value::Object(record)).as_bytes()),
            Format::Json => {
                let comma = if is_first { "" } else { "," };
                bytes.extend_from_slice(format!("{comma}\n{}", Value::Object(record)).as_bytes());
            }
            Format::Csv => {
                let cell = |column| {
                    let kind = model.field(column).map(|field| &field.kind);
                    record.get(column).map_or_else(String::new, |value| cell(kind, value))
                };
                bytes.extend(cells(columns(model).map(cell))?);
            }
        }
        Ok(())
    }

    /// What stands behind the last record.
    fn tail(&self) -> &'static [u8] {
        match self.format {
            Format::Ndjson | Format::Csv => b"",
            Format::Json => b"\n]\n",
        }
    }
}

fn rich_texts(model: &Model) -> impl Iterator<Item = &str> {
    let is_rich = |kind: &FieldKind| matches!(kind, FieldKind::Text { rich: true });
    model.fields.iter().filter(move |field| is_rich(&field.kind)).map(|field| field.name.as_str())
}

/// Adds the marks of rich texts that have any.
async fn add_spans(store: &Store, model: &Model, rich: &[&str], record: &mut Record) -> Outcome {
    let mut all = Map::new();
    for field in rich {
        if record.get(*field).is_none_or(Value::is_null) {
            continue;
        }
        let Some(spans) = store.spans_json(&model.name, &key_of(model, record), field).await? else { continue };
        if spans.iter().any(|span| !span.marks.is_empty()) {
            let text: String = spans.iter().map(|span| span.text.as_str()).collect();
            record.insert((*field).to_owned(), text.into());
            let rules = store.expand_rules_json(&model.name, &key_of(model, record), field).await?;
            let mut spans = Span::list_to_json(&spans);
            rules.add_to_spans(&mut spans);
            all.insert((*field).to_owned(), spans);
        }
    }
    if !all.is_empty() {
        record.insert(SPANS_COLUMN.to_owned(), Value::Object(all));
    }
    Ok(())
}

/// The record's key as commands take it.
fn key_of(model: &Model, record: &Record) -> String {
    let field = |name: &str| (name.to_owned(), record.get(name).cloned().unwrap_or_default());
    match &model.key {
        Key::Id => record.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Key::Custom(names) => Value::Object(names.iter().map(|name| field(name)).collect()).to_string(),
    }
}

/// One line of a CSV.
fn cells(cells: impl Iterator<Item = String>) -> Outcome<Vec<u8>> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells.collect::<Vec<_>>()).map_err(Failure::failed)?;
    line.into_inner().map_err(Failure::failed)
}

fn columns(model: &Model) -> impl Iterator<Item = &str> {
    let spans = rich_texts(model).next().map(|_| SPANS_COLUMN);
    model.fields.iter().map(|field| field.name.as_str()).chain(spans)
}

/// A value as a cell that an import reads as this value.
fn cell(kind: Option<&FieldKind>, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Some(FieldKind::Scalar(Scalar::String | Scalar::Id) | FieldKind::Text { .. }), Value::String(text)) => {
            text_cell(text)
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.to_string(),
    }
}
