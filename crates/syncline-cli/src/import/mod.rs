//! `import`: records from a file, row by row, in constant memory.
//!
//! `source` reads rows, `names` finds their fields, `convert` and `dates` give values their type, `identity`
//! gives rows without a key an id that is the same at every run, `batch` checks or saves what came out.

mod batch;
mod convert;
mod dates;
mod identity;
mod names;
mod source;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use indicatif::ProgressBar;
use serde::Serialize;
use syncline::Store;
use syncline::schema::{FieldKind, Key, Model};
use tokio::sync::mpsc;

use crate::args::ImportArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, bar, counted, grouped, say};
use crate::store;
use batch::{Act, Importer};
use names::Columns;
use source::{Row, Source};

/// Rows that are saved in one commit.
const BATCH_ROWS: usize = 500;

/// Bytes of a file after which a batch is full, however few rows it has.
const BATCH_BYTES: u64 = 4 << 20;

const BAR: &str = "{msg:>9} [{bar:30.cyan}] {percent:>3}% {bytes}/{total_bytes} {elapsed}";

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Rows read.
    rows: u64,
    /// Records that are new.
    imported: u64,
    /// Records that existed and got other values.
    updated: u64,
    /// Records that existed with these values.
    unchanged: u64,
    /// Rows that do not fit.
    skipped: u64,
    /// Rows of other models.
    passed_over: u64,
}

pub(crate) async fn run(args: ImportArgs, out: &mut Out) -> Outcome {
    let source = Arc::new(Source::open(&args.file, args.format)?);
    let began = Instant::now();
    let counts = store::with(&args.db, async |store| import(store, &args, &source).await).await?;
    if args.json {
        out.json(&counts)?;
    }
    say(format_args!("{}, {:.1} s", summary(&counts), began.elapsed().as_secs_f64()));
    Ok(())
}

async fn import(store: &Store, args: &ImportArgs, source: &Arc<Source>) -> Outcome<Counts> {
    let schema = store::schema(store)?;
    let model = store::model(schema, &args.model)?;
    let columns = Columns::of(model);
    check_headers(&columns, source)?;
    let key = args.key.as_deref().map(|key| key_field(model, &columns, key)).transpose()?;
    let importer = || Importer::new(store, schema, model, &columns, key.as_deref(), source.is_untyped());
    if !args.skip_invalid {
        // Nothing is imported of a file that does not fit as a whole.
        let mut dry = importer();
        pass(&mut dry, Act::Check, source).await?;
        refuse_invalid(&dry.counts, &args.model)?;
    }
    let mut importer = importer();
    let outcome = pass(&mut importer, Act::Save, source).await;
    outcome.map_err(|failure| with_progress(failure, &importer.counts))?;
    if !args.skip_invalid {
        // A row can turn out not to fit when it is saved: its record was changed elsewhere meanwhile.
        refuse_rest(&importer.counts)?;
    }
    Ok(importer.counts)
}

/// Reads the whole file and does the same to every row.
async fn pass(importer: &mut Importer<'_>, act: Act, source: &Arc<Source>) -> Outcome {
    let bar = match act {
        Act::Check => bar("checking", source.bytes(), BAR),
        Act::Save => bar("importing", source.bytes(), BAR),
    };
    let (sender, mut batches) = mpsc::channel(2);
    let reading = Arc::clone(source);
    let reader = tokio::task::spawn_blocking(move || read(&reading, &sender));
    let mut outcome = Ok(());
    while let Some(rows) = batches.recv().await {
        outcome = batch(importer, act, rows, &bar).await;
        if outcome.is_err() {
            break;
        }
    }
    // The reader ends when nobody takes its rows.
    drop(batches);
    let read = reader.await.map_err(|_| Failure::failed("reading the file broke off"))?;
    bar.finish_and_clear();
    outcome.and(read)
}

async fn batch(importer: &mut Importer<'_>, act: Act, rows: Vec<Row>, bar: &ProgressBar) -> Outcome {
    let read_bytes = rows.last().map_or(0, |row| row.read_bytes);
    for misfit in importer.batch(act, rows).await? {
        bar.suspend(|| say(misfit));
    }
    bar.set_position(read_bytes);
    Ok(())
}

/// Sends the file's rows in batches, until the end or until nobody takes them.
fn read(source: &Source, batches: &mpsc::Sender<Vec<Row>>) -> Outcome {
    let mut rows = Vec::new();
    let mut begin = 0;
    let outcome = source.read(&mut |row| {
        let end = row.read_bytes;
        rows.push(row);
        if rows.len() < BATCH_ROWS && end - begin < BATCH_BYTES {
            return ControlFlow::Continue(());
        }
        begin = end;
        match batches.blocking_send(std::mem::take(&mut rows)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    if !rows.is_empty() {
        // Nobody takes them only where something else failed, and that is told.
        let _ = batches.blocking_send(rows);
    }
    outcome
}

/// Columns that stand at the head of a file are wrong for every row: better said once.
fn check_headers(columns: &Columns, source: &Source) -> Outcome {
    for header in source.headers()? {
        if columns.field(&header).is_none() && header != crate::export::MODEL_COLUMN {
            return Err(Failure::failed(format!(
                "{}: {}; rename the column or leave it out",
                source.name(),
                columns.unknown(&header)
            )));
        }
    }
    Ok(())
}

/// The field that `--key` names, if it can tell records apart.
fn key_field(model: &Model, columns: &Columns, key: &str) -> Outcome<String> {
    let Some(name) = columns.field(key) else {
        return Err(Failure::usage(format!("--key: {}", columns.unknown(key))));
    };
    let kind = model.field(name).map(|field| &field.kind);
    if !matches!(kind, Some(FieldKind::Scalar(_) | FieldKind::Enum(_))) {
        return Err(Failure::usage(format!("--key {name}: only a scalar or an enum tells records apart")));
    }
    if matches!(model.key, Key::Custom(_)) && !model.is_key_field(name) {
        return Err(Failure::usage(format!(
            "--key {name}: records of {} are told apart by {}, which every row must have; leave --key out",
            model.name,
            model.key_fields().join(", ")
        )));
    }
    Ok(name.to_owned())
}

fn refuse_invalid(counts: &Counts, model: &str) -> Outcome {
    if counts.skipped == 0 {
        return Ok(());
    }
    let rest = counts.rows - counts.skipped - counts.passed_over;
    let do_not = if counts.skipped == 1 { "does not" } else { "do not" };
    Err(Failure::failed(format!(
        "{} of {} {do_not} fit {model}; nothing was imported\n  correct the rows named above, or add --skip-invalid to import the other {}",
        grouped(counts.skipped),
        counted(counts.rows, "row"),
        grouped(rest)
    )))
}

fn refuse_rest(counts: &Counts) -> Outcome {
    if counts.skipped == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!("some rows could not be saved ({}); the others are imported", summary(counts))))
}

/// A failure in the middle, with what stands nevertheless.
fn with_progress(failure: Failure, counts: &Counts) -> Failure {
    match failure {
        Failure::Failed(message) if counts.rows > 0 => Failure::Failed(format!(
            "{message}\n  before that: {}; run the import again when the cause is gone, no row is imported twice",
            summary(counts)
        )),
        other => other,
    }
}

fn summary(counts: &Counts) -> String {
    let mut text = format!(
        "{}: imported {}, updated {}, unchanged {}, skipped {}",
        counted(counts.rows, "row"),
        grouped(counts.imported),
        grouped(counts.updated),
        grouped(counts.unchanged),
        grouped(counts.skipped)
    );
    if counts.passed_over > 0 {
        text.push_str(&format!(", of other models {}", grouped(counts.passed_over)));
    }
    text
}
