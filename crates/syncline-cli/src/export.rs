//! `export`: every record as NDJSON, JSON or CSV, page by page, so that `import` makes the same records of it.

use std::io::IsTerminal;

use indicatif::ProgressBar;
use serde_json::{Map, Value};
use syncline::schema::{FieldKind, Key, Model, Scalar};
use syncline::{Query, Record, Span, Store};

use crate::args::{ExportArgs, Format};
use crate::failure::{Failure, Outcome};
use crate::import::convert::text_cell;
use crate::output::{self, Out};
use crate::store;

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
        let mut file = File { out, format: args.format, records: 0, bar: bar(store, &models).await? };
        let outcome = all(store, &models, mark, &mut file).await;
        file.bar.finish_and_clear();
        outcome
    })
    .await
}

/// A bar for so many records; nothing where these go to a terminal, which they would share.
async fn bar(store: &Store, models: &[&Model]) -> Outcome<ProgressBar> {
    if !std::io::stderr().is_terminal() || std::io::stdout().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    Ok(output::bar("exporting", total(store, models).await?, BAR))
}

async fn total(store: &Store, models: &[&Model]) -> Outcome<u64> {
    let mut records = 0;
    for model in models {
        records += store.count_json(Query::new(&model.name)).await?;
    }
    Ok(records)
}

async fn all(store: &Store, models: &[&Model], mark: bool, file: &mut File<'_>) -> Outcome {
    file.begin(models)?;
    for each in models {
        model(store, each, mark, file).await?;
    }
    file.end()
}

async fn model(store: &Store, model: &Model, mark: bool, file: &mut File<'_>) -> Outcome {
    let rich: Vec<&str> = rich_texts(model).collect();
    let mut after = None;
    loop {
        let page = store.export_page(&model.name, after, PAGE_RECORDS).await?;
        let mut records = page.records;
        if !rich.is_empty() {
            for record in &mut records {
                add_spans(store, model, &rich, record).await?;
            }
            // Texts may have changed since the page was read.
            store.durable().await?;
        }
        for record in records {
            file.record(model, marked(record, mark.then_some(&model.name)))?;
        }
        file.bar.set_position(file.records);
        after = page.next;
        if after.is_none() {
            return Ok(());
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

fn marked(mut record: Record, model: Option<&String>) -> Record {
    if let Some(model) = model {
        record.insert(MODEL_COLUMN.to_owned(), model.as_str().into());
    }
    record
}

/// What is written, in its format.
struct File<'a> {
    out: &'a mut Out,
    format: Format,
    records: u64,
    bar: ProgressBar,
}

impl File<'_> {
    fn begin(&mut self, models: &[&Model]) -> Outcome {
        match (self.format, models) {
            (Format::Csv, [model, ..]) => self.cells(columns(model).map(str::to_owned)),
            (Format::Csv, []) | (Format::Ndjson, _) => Ok(()),
            (Format::Json, _) => self.out.bytes(b"["),
        }
    }

    fn record(&mut self, model: &Model, record: Record) -> Outcome {
        self.records += 1;
        match self.format {
            Format::Ndjson => self.out.json(&record),
            Format::Json => {
                let line = Value::Object(record).to_string();
                let comma = if self.records == 1 { "" } else { "," };
                self.out.bytes(format!("{comma}\n{line}").as_bytes())
            }
            Format::Csv => {
                let cell = |column| {
                    let kind = model.field(column).map(|field| &field.kind);
                    record.get(column).map_or_else(String::new, |value| cell(kind, value))
                };
                self.cells(columns(model).map(cell))
            }
        }
    }

    fn end(&mut self) -> Outcome {
        match self.format {
            Format::Ndjson | Format::Csv => Ok(()),
            Format::Json => self.out.line("\n]"),
        }
    }

    fn cells(&mut self, cells: impl Iterator<Item = String>) -> Outcome {
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(cells.collect::<Vec<_>>()).map_err(Failure::failed)?;
        let bytes = line.into_inner().map_err(Failure::failed)?;
        self.out.bytes(&bytes)
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syncline::Options;

    use super::*;

    #[tokio::test]
    async fn the_bar_comes_to_its_end_with_the_last_record() {
        let folder = tempfile::tempdir().unwrap();
        let sdl = "type A @model { n: Int } type B @model { n: Int }";
        let store = Store::open(folder.path().join("app.db"), Options::new(sdl)).await.unwrap();
        for (model, n) in [("A", 1), ("A", 2), ("B", 3)] {
            store.save_json(model, json!({"n": n}).as_object().unwrap().clone()).await.unwrap();
        }
        let models: Vec<&Model> = store.schema().unwrap().models.iter().collect();
        let mut out = Out::new();
        let mut file = File { out: &mut out, format: Format::Ndjson, records: 0, bar: ProgressBar::hidden() };
        all(&store, &models, true, &mut file).await.unwrap();
        assert_eq!((file.bar.position(), total(&store, &models).await.unwrap()), (3, 3));
        store.close().await.unwrap();
    }
}
