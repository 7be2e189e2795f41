//! The file of rows that do not fit: each as it was, with what is wrong, to be corrected and imported.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use syncline::Record;

use super::batch::{Misfit, Place};
use super::progress::Begin;
use super::source::Unreadable;
use crate::export::REJECTED_COLUMN;
use crate::failure::{Failure, Outcome};
use crate::output::say;
use crate::paths::{alone_in, is_of_store, is_same_file, sync_folder_of, with_end};

/// What becomes of a file with the name of the rejected rows that this import did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// It is left alone, and the import does not begin.
    Refuse,
    /// It gets another name beside it, with the first number that is free.
    SetAside,
}

/// How far a file of rejected rows was written, and what it held by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// For comparison only: what is no UTF-8 in it is replaced.
    path: String,
    bytes: u64,
    hash: String,
}

/// An open file of rejected rows, NDJSON.
pub(super) struct Rejects {
    path: PathBuf,
    file: BufWriter<File>,
    /// Name of the import's bookmark.
    import: String,
    bytes: u64,
    hash: blake3::Hasher,
    /// Whether something was added since the last flush.
    unwritten: bool,
}

impl Rejects {
    /// Makes the file, or goes on in the one that an earlier run of this import wrote, behind what it noted. A file that holds anything else is never written to. Refuses the file that is imported and those
    /// of the store.
    pub(super) fn open(
        path: &Path,
        (imported, store): (&Path, &Path),
        begin: &Begin,
        earlier: Earlier,
    ) -> Outcome<Self> {
        if is_same_file(path, imported) {
            return Err(Failure::usage(
                "--rejected names the file that is imported, and would overwrite it: name another",
            ));
        }
        if is_of_store(path, store) {
            return Err(Failure::usage("--rejected names a file of the store, and would destroy it: name another"));
        }
        let failed = |error: io::Error| Failure::unwritable(path, &error);
        let written = begin.rejected.as_ref();
        if let Some(written) = written
            && let Some(rejects) = Self::go_on(path, written, begin).map_err(failed)?
        {
            return Ok(rejects);
        }
        if let Some(written) = written.filter(|written| written.bytes > 0) {
            say(format_args!(
                "warning: rows that the earlier run rejected are not written again; they stood in {}, which is not as \
                 it was left; --restart begins at the first row",
                written.path
            ));
        }
        if let Some(file) = empty(path).map_err(failed)? {
            return Ok(Self::at(path, file, 0, begin));
        }
        match earlier {
            Earlier::Refuse => Err(Failure::failed(format!(
                "{} holds something already, and --rejected does not overwrite it: move it away, or name another file",
                path.display()
            ))),
            Earlier::SetAside => {
                set_aside(path).map_err(failed)?;
                let file = OpenOptions::new().create_new(true).write(true).open(path);
                let file = file.and_then(|file| alone_in("import", file)).map_err(failed)?;
                sync_folder_of(path).map_err(failed)?;
                Ok(Self::at(path, file, 0, begin))
            }
        }
    }

    fn at(path: &Path, file: File, bytes: u64, begin: &Begin) -> Self {
        let (path, import) = (path.to_owned(), begin.name.clone());
        Self { path, file: BufWriter::new(file), import, bytes, hash: blake3::Hasher::new(), unwritten: false }
    }

    /// Whether nothing has been added yet, now or by an earlier run.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The file, if it is the one that was written and begins with what was written. What stands behind that was
    /// being written when the import was cut off, and those rows come again.
    fn go_on(path: &Path, written: &Written, begin: &Begin) -> io::Result<Option<Self>> {
        // A file that is not there has no such name.
        if path.canonicalize().map(|path| name_of(&path)).unwrap_or_default() != written.path {
            return Ok(None);
        }
        let mut file = alone_in("import", OpenOptions::new().read(true).write(true).open(path)?)?;
        let mut hash = blake3::Hasher::new();
        let held = io::copy(&mut (&file).take(written.bytes), &mut hash)?;
        if held != written.bytes || hash.finalize().to_hex().as_str() != written.hash {
            return Ok(None);
        }
        // Every file begins with nothing, so what stands behind must say whose it is.
        if !holds_rows_of(&file, begin)? {
            return Ok(None);
        }
        file.set_len(written.bytes)?;
        file.seek(SeekFrom::Start(written.bytes))?;
        Ok(Some(Self { hash, ..Self::at(path, file, written.bytes, begin) }))
    }

    /// What a later run needs to go on behind all that was added.
    pub(super) fn written(&self) -> Written {
        // A file that was taken away meanwhile is not found again under any name.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        Written { path: name_of(&path), bytes: self.bytes, hash: self.hash.finalize().to_hex().to_string() }
    }

    /// Adds a row. `untyped` says that all its values are text that their fields must give a type.
    pub(super) fn write(&mut self, row: Result<Record, Unreadable>, misfit: &Misfit, untyped: bool) -> Outcome {
        let faults: Vec<Value> =
            misfit.faults.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
        let Place { number, line } = misfit.place;
        let mut why = json!({"import": self.import, "row": number, "line": line, "faults": faults});
        let mut row = row.unwrap_or_else(|unreadable| {
            // Not even its columns are known: it stands there as text.
            why["text"] = unreadable.text.into();
            Record::new()
        });
        // A row may be rejected for the second time.
        let before = row.shift_remove(REJECTED_COLUMN).unwrap_or_default();
        if row.is_empty() && was_unreadable(&before) {
            why["text"] = before["text"].clone();
        }
        if untyped || was_untyped(&before) {
            why["untyped"] = Value::Bool(true);
        }
        let rest = Value::Object(row).to_string();
        // Whose row it is stands first: of a line that was cut off that is what is there.
        let comma = if rest == "{}" { "" } else { "," };
        let line = format!("{{\"{REJECTED_COLUMN}\":{why}{comma}{}\n", &rest[1..]);
        self.bytes += line.len() as u64;
        self.hash.update(line.as_bytes());
        self.unwritten = true;
        self.file.write_all(line.as_bytes()).map_err(|error| Failure::unwritable(&self.path, &error))
    }

    /// Safe against a power cut when it returns: the bookmark that says so is written next.
    pub(super) fn flush(&mut self) -> Outcome {
        if !std::mem::take(&mut self.unwritten) {
            return Ok(());
        }
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        flushed.map_err(|error| Failure::unwritable(&self.path, &error))
    }
}

/// Whether each line from here on is a row that this import rejected and that comes again; the last may have been cut
/// off.
fn holds_rows_of(file: &File, begin: &Begin) -> io::Result<bool> {
    let is_of = |row: &Record| {
        let Some(why) = row.get(REJECTED_COLUMN) else { return false };
        why["import"] == begin.name.as_str() && why["row"].as_u64().is_some_and(|row| row > begin.taken.rows)
    };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            let begins = format!("{{\"{REJECTED_COLUMN}\":{{\"import\":\"{}\"", begin.name);
            return Ok(begins.as_bytes().starts_with(&line) || line.starts_with(begins.as_bytes()));
        }
        let row: Option<Record> = serde_json::from_slice(&line).ok();
        if !row.is_some_and(|row| is_of(&row)) {
            return Ok(false);
        }
    }
}

/// A new file, or one that is there and empty; `None` where there is one that holds something.
fn empty(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().create_new(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        opened => {
            let file = alone_in("import", opened?)?;
            sync_folder_of(path)?;
            return Ok(Some(file));
        }
    }
    let file = alone_in("import", OpenOptions::new().append(true).open(path)?)?;
    Ok(if file.metadata()?.len() == 0 { Some(file) } else { None })
}

/// Gives a file the first name with a number behind that no other has.
fn set_aside(path: &Path) -> io::Result<()> {
    let is_free = |name: &PathBuf| fs::symlink_metadata(name).is_err();
    match (1..=u32::MAX).map(|n| with_end(path, &format!(".{n}"))).find(is_free) {
        Some(name) => fs::rename(path, name),
        None => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether a row that was rejected once was no row at all.
pub(super) fn was_unreadable(mark: &Value) -> bool {
    mark.get("text").is_some()
}

/// Whether a row that was rejected once came from a file without types.
pub(super) fn was_untyped(mark: &Value) -> bool {
    mark.get("untyped").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that was killed between its first rejected rows and the commit of their batch refused its own file; then it
    /// took the file of any import for its own, and emptied it.
    #[test]
    fn a_file_of_rows_that_no_commit_tells_of_is_gone_on_with_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.ndjson");
        let (imported, store) = (folder.path().join("rows.ndjson"), folder.path().join("app.db"));
        let mut begin = Begin::anew("import:mine".to_owned());
        let open = |begin: &Begin| Rejects::open(&path, (&imported, &store), begin, Earlier::Refuse);
        begin.taken.rows = 1;
        let first = open(&begin).unwrap();
        assert!(open(&begin).err().unwrap().message().unwrap().contains("another import"), "two at once");
        let announced = first.written();
        drop(first);
        let ours = r#"{"~rejected":{"import":"import:mine","row":2},"id":2}"#;
        for (held, is_ours) in [
            (format!("{ours}\n{{\"~rej"), true),
            (format!("{ours}\n{{\"~rejected\":{{\"import\":\"import:mine\",\"row\":3,\"fau"), true),
            (format!("{ours}\n{{\"~rejected\":{{\"import\":\"import:other\",\"row\":3,\"fau"), false),
            (r#"{"all":"in one line"}"#.to_owned(), false),
            (format!("{ours}\n{{\"id\":3}}\n"), false),
            (ours.replace("mine", "other") + "\n", false),
            (ours.replace("\"row\":2", "\"row\":1") + "\n", false),
            ("notes\n".to_owned(), false),
        ] {
            fs::write(&path, &held).unwrap();
            begin.rejected = None;
            assert!(open(&begin).is_err(), "{held}");
            begin.rejected = Some(announced.clone());
            assert_eq!(open(&begin).is_ok(), is_ours, "{held}");
            assert_eq!(fs::read_to_string(&path).unwrap(), if is_ours { "" } else { &held });
        }
    }
}
