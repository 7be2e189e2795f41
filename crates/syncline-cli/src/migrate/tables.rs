//! Exported tables in a folder: which file is which model's, and what became of its rows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use syncline::Store;
use syncline::schema::Schema;

use super::project::entries;
use crate::args::ImportArgs;
use crate::failure::{Failure, Outcome};
use crate::import::source::told_by_name;
use crate::import::{self, Imported};
use crate::output::say;

/// What became of one model's files.
#[derive(Default)]
pub(super) struct Taken {
    files: Vec<(String, Result<Imported, String>)>,
}

impl Taken {
    /// Files that could not be imported.
    pub(super) fn failed(&self) -> u64 {
        self.files.iter().filter(|(_, end)| end.is_err()).count() as u64
    }

    /// Rows that did not fit.
    pub(super) fn skipped(&self) -> u64 {
        self.imported().map(|imported| imported.counts.skipped).sum()
    }

    /// Whether pages are missing for sure: every file names another page, so none holds the last one.
    pub(super) fn lacks_pages(&self) -> bool {
        let mut imported = self.imported().peekable();
        self.failed() == 0 && imported.peek().is_some() && imported.all(|imported| imported.whole.goes_on)
    }

    /// Whether a file holds the error of a query, so that rows may be missing.
    pub(super) fn has_errors(&self) -> bool {
        self.imported().any(|imported| imported.whole.error.is_some())
    }

    fn imported(&self) -> impl Iterator<Item = &Imported> {
        self.files.iter().filter_map(|(_, end)| end.as_ref().ok())
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, end) in &self.files {
            let imported = match end {
                Ok(imported) => imported,
                Err(why) => {
                    writeln!(f, "- `{name}` was **not imported**: {}", why.replace("\n  ", "; "))?;
                    continue;
                }
            };
            writeln!(f, "- `{name}`: {}", import::summary(&imported.counts).replace("\n  ", "; "))?;
            if self.lacks_pages() {
                writeln!(f, "  - **Incomplete**: its last page names another one, which is in no file here")?;
            } else if imported.whole.goes_on {
                writeln!(f, "  - Its last page names another one: another file here should hold it")?;
            }
            if let Some(error) = &imported.whole.error {
                let error = error.replace(char::is_control, " ");
                writeln!(f, "  - **Incomplete**, maybe: it holds the error of a query: {error}")?;
            }
        }
        Ok(())
    }
}

/// The files of each model, and those of none, by name.
pub(super) struct Tables {
    of_models: BTreeMap<String, Vec<PathBuf>>,
    pub(super) strangers: Vec<String>,
}

impl Tables {
    pub(super) fn find(folder: &Path, schema: &Schema) -> Outcome<Self> {
        if !folder.is_dir() {
            return Err(Failure::failed(format!("there is no folder {}", folder.display())));
        }
        let mut tables = Self { of_models: BTreeMap::new(), strangers: Vec::new() };
        for path in entries(folder)? {
            match model_of(&path, schema) {
                Some(model) if path.is_file() && told_by_name(&path).is_some() => tables.add(model, vec![path]),
                Some(model) if path.is_dir() => {
                    // A folder that cannot be looked into is told as a file is.
                    let Ok((files, rest)) = in_folder(&path) else {
                        tables.add(model, vec![path]);
                        continue;
                    };
                    tables.add(model, files);
                    tables.strangers.extend(rest.iter().filter_map(|path| name_below(folder, path)));
                }
                Some(_) | None if path.is_dir() => {}
                Some(_) | None => tables.strangers.push(file_name(&path)),
            }
        }
        Ok(tables)
    }

    fn add(&mut self, model: String, files: Vec<PathBuf>) {
        self.of_models.entry(model).or_default().extend(files);
    }

    /// Refuses files in the folder that rejected rows are written to.
    pub(super) fn refuse_below(&self, rejected: &Path) -> Outcome {
        // Where that folder is not there yet, nothing is in it.
        let Ok(folder) = rejected.canonicalize() else { return Ok(()) };
        let is_below = |file: &&PathBuf| file.canonicalize().is_ok_and(|file| file.starts_with(&folder));
        match self.of_models.values().flatten().find(is_below) {
            Some(file) => Err(Failure::usage(format!(
                "--data: {} lies in {}, where rows that do not fit are written; copy the corrected files to a folder \
                 of their own and name that",
                file.display(),
                rejected.display()
            ))),
            None => Ok(()),
        }
    }

    /// Imports all of them; rows that do not fit go to a file of their model in `rejected`, and what earlier runs
    /// wrote there is kept under other names. A file that cannot be imported stops no other.
    pub(super) async fn import(&self, store: &Store, rejected: &Path, restart: bool) -> BTreeMap<String, Taken> {
        let mut all: BTreeMap<String, Taken> = BTreeMap::new();
        for (model, files) in &self.of_models {
            for (nth, file) in files.iter().enumerate() {
                let end = if nth == 0 { String::new() } else { format!("-{}", nth + 1) };
                let args = ImportArgs {
                    db: store.path().to_owned(),
                    model: model.clone(),
                    file: file.clone(),
                    format: None,
                    key: None,
                    skip_invalid: true,
                    rejected: Some(rejected.join(format!("{model}{end}.ndjson"))),
                    restart,
                    json: false,
                };
                let end = import::take(store, &args)
                    .await
                    .map_err(|failure| failure.message().unwrap_or_default().to_owned());
                match &end {
                    Ok(Imported { counts, .. }) => {
                        say(format_args!("{model}, {}: {}", file.display(), import::summary(counts)));
                    }
                    Err(why) => say(format_args!("error: {}: {why}", file.display())),
                }
                all.entry(model.clone()).or_default().files.push((file_name(file), end));
            }
        }
        all
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The file beside the data of an export of a DynamoDB table.
const MANIFEST: &str = "manifest-summary.json";

/// Files with rows in a folder that has the name of a table, and those that cannot be read or are not taken: of several
/// exports of the table the last one counts.
fn in_folder(folder: &Path) -> Outcome<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut exports = vec![folder.to_owned()];
    for below in [folder.to_owned(), folder.join("AWSDynamoDB")].iter().filter(|below| below.is_dir()) {
        exports.extend(entries(below)?);
    }
    exports.retain(|export| export.join(MANIFEST).is_file());
    let Some(last) = exports.pop() else { return Ok(sorted_out(entries(folder)?)) };
    let data = last.join("data");
    let (files, mut rest) = sorted_out(entries(if data.is_dir() { &data } else { &last })?);
    rest.retain(|path| !file_name(path).starts_with("manifest-"));
    rest.extend(exports);
    let files = files.into_iter().filter(|path| !file_name(path).starts_with("manifest-")).collect();
    Ok((files, rest))
}

fn sorted_out(paths: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let paths = paths.into_iter().filter(|path| !file_name(path).starts_with('.'));
    paths.partition(|path| path.is_file() && told_by_name(path).is_some())
}

fn name_below(folder: &Path, path: &Path) -> Option<String> {
    Some(path.strip_prefix(folder).ok()?.display().to_string())
}

/// The model of `Post.json`, `posts.csv.gz`, or of a file or folder `Post-k3s…-dev` as DynamoDB's tables are called.
fn model_of(path: &Path, schema: &Schema) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.split(['-', '.']).next().unwrap_or(name);
    let is_meant = |model: &str| {
        let folded = name.to_ascii_lowercase();
        let model = model.to_ascii_lowercase();
        folded == model || folded == format!("{model}s") || folded == format!("list{model}s")
    };
    let models = || schema.models.iter().map(|model| model.name.as_str());
    models().find(|model| *model == name).or_else(|| models().find(|model| is_meant(model))).map(str::to_owned)
}
