//! `import`: records from a file, row by row, in constant memory.
//!
//! `source` reads rows, `json` those of JSON while it is parsed, `shapes` tells rows from pages of rows, `cloud` takes
//! out what only DataStore's rows have, `names` finds fields, `convert` and `dates` give values their type, `identity`
//! gives rows without a key an id that is the same at every run, `batch` checks or saves what came out, `progress`
//! remembers how far that went, `rejects` keeps what does not fit.
//!
//! The public movie list (movies.json, 3,201 rows) imported with `tests/schemas/movies.graphql` shows what
//! does not fit: ten titles that are no text. Nine are bare numbers (rows 22, 23, 1069, 1075, 1076, 1078,
//! 1091, 1113, 1740: "1776" and "9" are films), and one is missing (row 3054). A number is not turned into
//! text, because nothing says which text it was: 9 or 09, 21 or 21.0. All other values fit; every release
//! date ("Jun 12 1998") has one meaning.

mod batch;
mod cloud;
pub(crate) mod convert;
mod dates;
mod identity;
mod json;
mod names;
mod progress;
mod rejects;
mod shapes;
pub(crate) mod source;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use syncline::Store;
use syncline::schema::{FieldKind, Key, Model, Schema};
use tokio::sync::mpsc;

use crate::args::ImportArgs;
use crate::export::{MODEL_COLUMN, REJECTED_COLUMN, SPANS_COLUMN};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, bar, counted, grouped, say};
use crate::store;
use batch::{Act, Importer};
use cloud::Cloud;
use names::Columns;
use progress::{Begin, Taken};
use rejects::{Earlier, Rejects};
use shapes::Shapes;
pub(crate) use shapes::Whole;
use source::{Row, Source};

/// Rows that are saved in one commit.
const BATCH_ROWS: usize = 500;

/// Bytes of a file after which a batch is full, however few rows it has.
const BATCH_BYTES: u64 = 4 << 20;

const BAR: &str = "{msg:>9} [{bar:30.cyan}] {percent:>3}% {bytes}/{total_bytes} {elapsed}";

/// What became of the rows, those that earlier runs took before they were cut off included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Rows read.
    rows: u64,
    /// Records that are new.
    imported: u64,
    /// Records that existed and got other values.
    updated: u64,
    /// Records that existed with these values.
    unchanged: u64,
    /// Records that were changed or deleted here later than the rows, and stay as they are.
    #[serde(default)]
    kept: u64,
    /// Rows that do not fit.
    pub(crate) skipped: u64,
    /// Rows of other models.
    passed_over: u64,
    /// Rows that are marked as deleted.
    deleted: u64,
    /// Rows that earlier runs took.
    resumed: u64,
    /// Records inside rows that were not imported with them, by relation.
    left_out: BTreeMap<String, u64>,
}

/// What came of an import.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    pub(crate) counts: Counts,
    pub(crate) whole: Whole,
}

/// What becomes of records that are here already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    /// They get the values of the rows: who imports a file means what it says.
    Replace,
    /// Those that were changed or deleted later than their rows stay as they are.
    KeepLater,
}

pub(crate) async fn run(args: ImportArgs, out: &mut Out) -> Outcome {
    let began = Instant::now();
    let source = Arc::new(Source::open(&args.file, args.format)?);
    let Imported { counts, .. } =
        store::with(&args.db, async |store| import(store, &args, &source, (Earlier::Refuse, Existing::Replace)).await)
            .await?;
    if args.json {
        out.json(&counts)?;
    }
    say(format_args!("{}, {:.1} s", summary(&counts), began.elapsed().as_secs_f64()));
    Ok(())
}

/// Imports into a store that is open already. Rejected rows of earlier imports are set aside, and no row changes a record
/// that was changed or deleted later than the row says of itself.
pub(crate) async fn take(store: &Store, args: &ImportArgs) -> Outcome<Imported> {
    let source = Arc::new(Source::open(&args.file, args.format)?);
    import(store, args, &source, (Earlier::SetAside, Existing::KeepLater)).await
}

async fn import(
    store: &Store,
    args: &ImportArgs,
    source: &Arc<Source>,
    (earlier, existing): (Earlier, Existing),
) -> Outcome<Imported> {
    let schema = store::schema(store)?;
    let model = store::model(schema, &args.model)?;
    let columns = Columns::of(model);
    check_headers(&columns, &Cloud::of(schema, model), source)?;
    let key = args.key.as_deref().map(|key| key_field(model, &columns, key)).transpose()?;
    let shapes = Shapes::of(model);
    let begin = begin(store, args, source, &shapes, (schema, model, key.as_deref())).await?;
    let importer = || Importer {
        counts: Counts::default(),
        other: None,
        store,
        schema,
        model,
        columns: &columns,
        cloud: Cloud::of(schema, model),
        apart: key.as_deref().filter(|key| !model.is_key_field(key)),
        untyped: source.is_untyped(),
        name: begin.name.clone(),
        taken: Taken::none(),
        rejects: None,
        existing,
    };
    if !args.skip_invalid {
        // Nothing is imported of a file that does not fit as a whole.
        let mut dry = importer();
        pass(&mut dry, Act::Check, source, &shapes, begin.taken.rows).await?;
        refuse_invalid(&dry.counts, &args.model, begin.taken.rows)?;
    }
    let open = |path| Rejects::open(path, (&args.file, store.path()), &begin, earlier);
    let rejects = args.rejected.as_deref().map(open);
    let rejects = rejects.transpose()?;
    let mut importer = importer().at(&begin, rejects);
    let outcome = pass(&mut importer, Act::Save, source, &shapes, begin.taken.rows).await;
    let whole = outcome.map_err(|failure| with_progress(failure, &importer.counts))?;
    if importer.taken.rows > 0 {
        store.remove_bookmark(&begin.name).await?;
    }
    refuse_others(&importer)?;
    warn(source, &whole);
    if !args.skip_invalid {
        // A row can turn out not to fit when it is saved: its record was changed elsewhere meanwhile.
        refuse_rest(&importer.counts)?;
    }
    Ok(Imported { counts: importer.counts, whole })
}

/// Where the import begins: at the first row, or behind those that an earlier run took.
async fn begin(
    store: &Store,
    args: &ImportArgs,
    source: &Arc<Source>,
    shapes: &Shapes,
    (schema, model, key): (&Schema, &Model, Option<&str>),
) -> Outcome<Begin> {
    let format = format!("{:?}", source.format());
    let skip_invalid = if args.skip_invalid { "skip" } else { "" };
    // With another schema, other columns of the rows before may be values, and other rows fit.
    let fields = (&model.fields, &model.relations, &schema.embedded, &schema.enums);
    let fields = serde_json::to_string(&fields).unwrap_or_default();
    let options = [model.first_name(), key.unwrap_or_default(), &format, skip_invalid, &fields];
    let begin = Begin::find(store, source, shapes, &options, args.restart).await?;
    if begin.taken.rows > 0 {
        say(format_args!(
            "going on behind row {}, where an earlier run of this import stopped; --restart begins at the first row",
            grouped(begin.taken.rows)
        ));
    }
    Ok(begin)
}

/// Reads the whole file and does the same to every row behind the first `done`.
async fn pass(
    importer: &mut Importer<'_>,
    act: Act,
    source: &Arc<Source>,
    shapes: &Shapes,
    done: u64,
) -> Outcome<Whole> {
    let bar = match act {
        Act::Check => bar("checking", source.bytes(), BAR),
        Act::Save => bar("importing", source.bytes(), BAR),
    };
    let (sender, mut batches) = mpsc::channel(2);
    let (reading, shapes) = (Arc::clone(source), shapes.clone());
    let reader = tokio::task::spawn_blocking(move || read(&reading, &shapes, done, &sender));
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

/// Sends the file's rows behind the first `done` in batches, until the end or until nobody takes them.
fn read(source: &Source, shapes: &Shapes, done: u64, batches: &mpsc::Sender<Vec<Row>>) -> Outcome<Whole> {
    let mut rows = Vec::new();
    let mut begin = 0;
    let outcome = source.read(shapes, &mut |row| {
        let end = row.read_bytes;
        if row.number <= done {
            begin = end;
            return ControlFlow::Continue(());
        }
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

/// Says what the file lacks by its own account.
fn warn(source: &Source, whole: &Whole) {
    for lack in whole.lacks() {
        say(format_args!("warning: {} {lack}", source.name()));
    }
}

/// Columns that stand at the head of a file are wrong for every row: better said once.
fn check_headers(columns: &Columns, cloud: &Cloud<'_>, source: &Source) -> Outcome {
    for header in source.headers()? {
        let is_ours = [MODEL_COLUMN, SPANS_COLUMN, REJECTED_COLUMN].contains(&header.as_str());
        if columns.field(&header).is_none() && !is_ours && !cloud.is_own_column(&header) {
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

fn refuse_invalid(counts: &Counts, model: &str, done: u64) -> Outcome {
    if counts.skipped == 0 {
        return Ok(());
    }
    let nothing = if done == 0 { "nothing" } else { "nothing more" };
    let rest = counts.rows - counts.skipped - counts.passed_over - counts.deleted;
    let do_not = if counts.skipped == 1 { "does not" } else { "do not" };
    Err(Failure::failed(format!(
        "{} of {} {do_not} fit {model}; {nothing} was imported\n  correct the rows named above, or add --skip-invalid to import the other {}",
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

/// A list query gives records of one model: where all are of another, the file is not the one that was meant.
fn refuse_others(importer: &Importer<'_>) -> Outcome {
    match &importer.other {
        Some(other) if importer.counts.passed_over == importer.counts.rows => Err(Failure::failed(format!(
            "nothing was imported: the rows are no {} but {other}, says their `__typename`; name that model",
            importer.model.name
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A failure in the middle, with what stands nevertheless.
fn with_progress(failure: Failure, counts: &Counts) -> Failure {
    match failure {
        Failure::Failed(message) if counts.rows > 0 => Failure::Failed(format!(
            "{message}\n  before that: {}; run the import again when the cause is gone: it goes on there",
            summary(counts)
        )),
        other => other,
    }
}

/// The counts in a sentence, with a line more for each relation that was left out.
pub(crate) fn summary(counts: &Counts) -> String {
    let mut text = format!(
        "{}: imported {}, updated {}, unchanged {}, skipped {}",
        counted(counts.rows, "row"),
        grouped(counts.imported),
        grouped(counts.updated),
        grouped(counts.unchanged),
        grouped(counts.skipped)
    );
    if counts.kept > 0 {
        text.push_str(&format!(", kept as they are {}", grouped(counts.kept)));
    }
    if counts.passed_over > 0 {
        text.push_str(&format!(", of other models {}", grouped(counts.passed_over)));
    }
    if counts.deleted > 0 {
        text.push_str(&format!(", marked as deleted {}", grouped(counts.deleted)));
    }
    if counts.resumed > 0 {
        text.push_str(&format!(", by earlier runs {}", grouped(counts.resumed)));
    }
    for (relation, count) in &counts.left_out {
        text.push_str(&format!("\n  left out inside rows: {relation} with {}", counted(*count, "record")));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use syncline::Options;

    use super::*;

    const MOVIES: &str = include_str!("../../../../tests/schemas/movies.graphql");

    struct Scene {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Scene {
        async fn set() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path().join("movies.db"), Options::new(MOVIES)).await.unwrap();
            Self { folder, store }
        }

        fn args(&self, content: &Value, key: Option<&str>, skip_invalid: bool) -> ImportArgs {
            let file = self.folder.path().join("rows.json");
            std::fs::write(&file, content.to_string()).unwrap();
            let (db, key) = (self.store.path().to_owned(), key.map(str::to_owned));
            let model = "Movie".to_owned();
            ImportArgs { db, model, file, format: None, key, skip_invalid, rejected: None, restart: false, json: false }
        }

        async fn import(&self, args: &ImportArgs) -> Outcome<Counts> {
            let source = Arc::new(Source::open(&args.file, None)?);
            Ok(import(&self.store, args, &source, (Earlier::Refuse, Existing::Replace)).await?.counts)
        }

        async fn records(&self) -> Vec<syncline::Record> {
            self.store.query_json(syncline::Query::new("Movie")).await.unwrap().records
        }
    }

    fn movies() -> Value {
        json!([
            {"Title": "The Land Girls", "US Gross": 146_083, "Release Date": "Jun 12 1998", "IMDB Rating": 6.1},
            {"Title": 1776, "US Gross": 0, "Release Date": "Nov 09 1972", "IMDB Rating": 7},
            {"Title": null, "US Gross": 6_700, "Release Date": "Aug 25 2006"},
            {"Title": "Big", "US Gross": null, "Release Date": "Jun 03 1988", "Running Time min": 104},
        ])
    }

    #[tokio::test]
    async fn nothing_is_imported_of_a_file_with_a_row_that_does_not_fit() {
        let scene = Scene::set().await;
        let failure = scene.import(&scene.args(&movies(), None, false)).await.unwrap_err();
        assert!(failure.message().unwrap().starts_with("2 of 4 rows do not fit Movie"), "{failure:?}");
        assert_eq!(scene.records().await.len(), 0);
    }

    #[tokio::test]
    async fn rows_that_fit_are_imported_past_those_that_do_not() {
        let scene = Scene::set().await;
        let counts = scene.import(&scene.args(&movies(), None, true)).await.unwrap();
        assert_eq!(counts, Counts { rows: 4, imported: 2, skipped: 2, ..Counts::default() });
        let records = scene.records().await;
        let seen: Vec<_> = records.iter().map(|movie| (&movie["title"], &movie["releaseDate"])).collect();
        assert_eq!(seen, [(&json!("The Land Girls"), &json!("1998-06-12")), (&json!("Big"), &json!("1988-06-03")),]);
        assert_eq!(records[1]["runningTimeMin"], json!(104));
    }

    #[tokio::test]
    async fn each_row_that_does_not_fit_is_named_with_line_field_and_reason() {
        let scene = Scene::set().await;
        let args = scene.args(&movies(), None, true);
        let schema = store::schema(&scene.store).unwrap();
        let model = store::model(schema, "Movie").unwrap();
        let columns = Columns::of(model);
        let mut importer = Importer {
            counts: Counts::default(),
            other: None,
            store: &scene.store,
            schema,
            model,
            columns: &columns,
            cloud: Cloud::of(schema, model),
            apart: None,
            untyped: false,
            name: String::new(),
            taken: Taken::none(),
            rejects: None,
            existing: Existing::Replace,
        };
        let mut rows = Vec::new();
        let source = Source::open(&args.file, None).unwrap();
        let taken = source.read(&Shapes::of(model), &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        });
        taken.unwrap();
        let misfits = importer.batch(Act::Check, rows).await.unwrap();
        let said: Vec<String> = misfits.iter().map(ToString::to_string).collect();
        assert!(said[0].starts_with("row 2 (line 1), title: 1776 is not a String"), "{said:?}");
        assert!(said[1].starts_with("row 3 (line 1), title: it is required"), "{said:?}");
        assert_eq!(said.len(), 2);
    }

    #[tokio::test]
    async fn importing_a_file_again_doubles_nothing() {
        let scene = Scene::set().await;
        let args = scene.args(&movies(), None, true);
        scene.import(&args).await.unwrap();
        let before = scene.records().await;
        let counts = scene.import(&args).await.unwrap();
        assert_eq!(counts, Counts { rows: 4, unchanged: 2, skipped: 2, ..Counts::default() });
        assert_eq!(scene.records().await, before);
    }

    #[tokio::test]
    async fn a_key_field_finds_the_record_wherever_its_row_has_moved() {
        let scene = Scene::set().await;
        let own = json!({"title": "Big", "releaseDate": "1988-06-03"});
        let own = scene.store.save_json("Movie", own.as_object().unwrap().clone()).await.unwrap().record;
        let counts = scene.import(&scene.args(&movies(), Some("Title"), true)).await.unwrap();
        assert_eq!(counts, Counts { rows: 4, imported: 1, updated: 1, skipped: 2, ..Counts::default() });
        let big = scene.store.get_json("Movie", own["id"].as_str().unwrap()).await.unwrap().unwrap();
        assert_eq!(big["runningTimeMin"], json!(104));
        let moved = json!([{"Title": "Big", "Release Date": "Jun 03 1988"}, {"Title": "The Land Girls", "Release Date": "Jun 12 1998"}]);
        scene.import(&scene.args(&moved, Some("title"), false)).await.unwrap();
        assert_eq!(scene.records().await.len(), 2);
    }

    #[tokio::test]
    async fn a_key_that_names_several_records_is_refused() {
        let scene = Scene::set().await;
        for _ in 0..2 {
            let twin = json!({"title": "Twins", "releaseDate": "1988-12-09"});
            scene.store.save_json("Movie", twin.as_object().unwrap().clone()).await.unwrap();
        }
        let rows = json!([{"Title": "Twins", "Release Date": "Dec 09 1988"}]);
        assert!(scene.import(&scene.args(&rows, Some("title"), false)).await.is_err());
        let Err(failure) = scene.import(&scene.args(&rows, Some("source of"), false)).await else { panic!() };
        assert_eq!(failure.code(), 2);
    }

    /// An import went on behind the rows that an earlier one had taken with another schema, and what those rows held for
    /// the schema's new fields never came in.
    #[tokio::test]
    async fn an_import_with_another_schema_begins_at_its_beginning() {
        let scene = Scene::set().await;
        let args = scene.args(&movies(), None, true);
        let source = Arc::new(Source::open(&args.file, None).unwrap());
        let schemas = [MOVIES.to_owned(), MOVIES.to_owned(), MOVIES.replace("title: String!", "title: String")];
        let mut names = Vec::new();
        for sdl in &schemas {
            let schema = syncline::schema::parse("movies.graphql", sdl).unwrap().schema;
            let model = store::model(&schema, "Movie").unwrap();
            let begin = begin(&scene.store, &args, &source, &Shapes::of(model), (&schema, model, None)).await;
            names.push(begin.unwrap().name);
        }
        assert_eq!(names[0], names[1]);
        assert_ne!(names[0], names[2]);
    }

    #[tokio::test]
    async fn rows_of_other_models_are_passed_over() {
        let scene = Scene::set().await;
        let rows = json!([
            {"title": "Big", "releaseDate": "1988-06-03", "__typename": "Movie"},
            {"name": "Penny", "__typename": "Actor"},
        ]);
        let counts = scene.import(&scene.args(&rows, None, false)).await.unwrap();
        assert_eq!(counts, Counts { rows: 2, imported: 1, passed_over: 1, ..Counts::default() });
    }
}
