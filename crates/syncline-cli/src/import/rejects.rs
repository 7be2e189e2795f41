//! The file of rows that do not fit: each as it was, with what is wrong, to be corrected and imported.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use syncline::Record;

use super::batch::Misfit;
use crate::export::REJECTED_COLUMN;
use crate::failure::{Failure, Outcome};

/// An open file of rejected rows, NDJSON.
pub(super) struct Rejects {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Rejects {
    /// Makes the file, or cuts it back to the length that it had where an earlier run stopped. Refuses the file that
    /// is imported.
    pub(super) fn open(path: &Path, imported: &Path, bytes: u64) -> Outcome<Self> {
        if let (Ok(path), Ok(imported)) = (path.canonicalize(), imported.canonicalize())
            && path == imported
        {
            return Err(Failure::usage(
                "--rejected names the file that is imported, and would overwrite it: name another",
            ));
        }
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path).and_then(|mut file| {
            // Where it was shortened or removed meanwhile, what it held is the user's affair.
            let bytes = bytes.min(file.metadata()?.len());
            file.set_len(bytes)?;
            file.seek(SeekFrom::Start(bytes))?;
            Ok((file, bytes))
        });
        match opened {
            Ok((file, bytes)) => Ok(Self { path: path.to_owned(), file: BufWriter::new(file), bytes }),
            Err(error) => Err(unwritten(path, &error)),
        }
    }

    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a row. `untyped` says that all its values are text that their fields must give a type.
    pub(super) fn write(&mut self, mut row: Record, misfit: &Misfit, untyped: bool) -> Outcome {
        let faults: Vec<Value> =
            misfit.faults.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
        let mut why = json!({"row": misfit.place.number, "line": misfit.place.line, "faults": faults});
        if untyped {
            why["untyped"] = Value::Bool(true);
        }
        row.insert(REJECTED_COLUMN.to_owned(), why);
        let line = format!("{}\n", Value::Object(row));
        self.bytes += line.len() as u64;
        self.file.write_all(line.as_bytes()).map_err(|error| unwritten(&self.path, &error))
    }

    pub(super) fn flush(&mut self) -> Outcome {
        self.file.flush().map_err(|error| unwritten(&self.path, &error))
    }
}

/// Whether a row that was rejected once came from a file without types.
pub(super) fn was_untyped(mark: &Value) -> bool {
    mark.get("untyped").and_then(Value::as_bool) == Some(true)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}
