//! The file that an export writes, and how far it is, so that one that was cut off goes on there.
//!
//! Beside the file that is wanted stand `FILE.partial`, with what is written of it, and `FILE.position`, which says how
//! much of that is good and where the export goes on. A page is on disk before the position that covers it. What stands
//! behind the position was being written when the export was cut off, and is written again. Once all is written,
//! `FILE.partial` gets the file's name; a file that is there is never half of an export.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::{Export, Position};
use crate::failure::{Failure, Outcome};
use crate::paths::{alone_in, is_of_store, sync_folder_of, with_end};

/// What an export was begun with. Another one does not go on in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Id of the store, wherever its file lies.
    store: String,
    models: Vec<String>,
    format: String,
    /// Of all that decides how the records are written.
    schema: String,
}

/// What the file of the position holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    export: Begun,
    position: Position,
    bytes: u64,
    /// Of these bytes.
    hash: String,
}

/// The names of an export's files.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    partial: PathBuf,
    position: PathBuf,
    overwrite: bool,
}

/// An export's file that is not whole yet.
#[derive(Debug)]
pub(super) struct Partial {
    place: Place,
    begun: Begun,
    file: File,
    position: Position,
    bytes: u64,
    hash: blake3::Hasher,
}

/// What an earlier run has left.
#[derive(Debug)]
pub(super) enum Opened {
    /// Nothing, or a part.
    Partial(Box<Partial>),
    /// The whole file, with so many records.
    Whole { records: u64 },
}

impl Begun {
    pub(super) fn of(export: &Export<'_>) -> Self {
        let mut hash = blake3::Hasher::new();
        let all = (&export.models, &export.schema.embedded, &export.schema.enums);
        hash.update(serde_json::to_string(&all).unwrap_or_default().as_bytes());
        Self {
            store: export.store.id().to_owned(),
            models: export.models.iter().map(|model| model.name.clone()).collect(),
            format: format!("{:?}", export.format).to_lowercase(),
            schema: hash.finalize().to_hex().to_string(),
        }
    }

    /// What another export was begun with, if that is not the same.
    fn differs(&self, other: &Self) -> Option<String> {
        if self.store != other.store {
            Some("of another store".to_owned())
        } else if self.models != other.models {
            Some(format!("of {}", other.models.join(", ")))
        } else if self.format != other.format {
            Some(format!("as {}", other.format))
        } else if self.schema != other.schema {
            Some("with another schema".to_owned())
        } else {
            None
        }
    }
}

impl Place {
    /// The files for the one that the user names. One that is there already is refused, unless that is meant, and so are
    /// those of the store.
    pub(super) fn of(path: &Path, store: &Path, overwrite: bool) -> Outcome<Self> {
        // What a link leads to is replaced, and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (partial, position) = (with_end(&path, ".partial"), with_end(&path, ".position"));
        let place = Self { path, partial, position, overwrite };
        if [&place.path, &place.partial, &place.position].iter().any(|path| is_of_store(path, store)) {
            return Err(Failure::usage("--output names a file of the store, and would destroy it: name another"));
        }
        Ok(place)
    }

    /// Refuses a file that is there already.
    fn check_free(&self) -> Outcome {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::unwritable(&self.path, &error)),
            Ok(held) if !held.is_file() => Err(Failure::failed(format!(
                "{} is no file that could be replaced; leave --output out to print to stdout",
                self.path.display()
            ))),
            Ok(_) if !self.overwrite => Err(self.is_there()),
            Ok(_) => Ok(()),
        }
    }

    fn is_there(&self) -> Failure {
        Failure::failed(format!(
            "{} is there already; name another file, or add --overwrite to replace it",
            self.path.display()
        ))
    }

    /// How far an earlier run came, if there was one.
    fn note(&self) -> Outcome<Option<Note>> {
        match fs::read(&self.position) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|_| self.unknown(&self.position)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::unreadable(&self.position, &error)),
        }
    }

    fn unknown(&self, path: &Path) -> Failure {
        Failure::failed(format!(
            "{} is not as an export of this version leaves it, and was left as it is: move it away, or name another file \
             with --output",
            path.display()
        ))
    }
}

impl Partial {
    /// Goes on with what an earlier run left, or begins.
    pub(super) fn open(place: Place, begun: Begun, restart: bool) -> Outcome<Opened> {
        if let Some(note) = place.note()?.filter(|note| note.position.whole && note.export == begun && !restart)
            && !place.partial.exists()
            && holds(&place.path, &note)
        {
            // The earlier run was ended between its last two steps.
            remove(&place.position)?;
            return Ok(Opened::Whole { records: note.position.records });
        }
        place.check_free()?;
        let is_begun = place.partial.exists();
        let failed = |error: io::Error| Failure::unwritable(&place.partial, &error);
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&place.partial);
        let file = file.and_then(|file| alone_in("export", file)).map_err(failed)?;
        let held_bytes = file.metadata().map_err(failed)?.len();
        // Read again: nobody else writes it from here on.
        let note = place.note()?;
        if note.is_none() && held_bytes > 0 {
            return Err(place.unknown(&place.partial));
        }
        let begin = Self { place, begun, file, position: Position::default(), bytes: 0, hash: blake3::Hasher::new() };
        let partial = match note.filter(|_| is_begun && !restart) {
            Some(note) => begin.behind(&note)?,
            None => begin.anew()?,
        };
        Ok(Opened::Partial(Box::new(partial)))
    }

    /// Where to go on.
    pub(super) fn position(&self) -> Position {
        self.position.clone()
    }

    /// Adds what comes behind, up to a position. Safe against a power cut when it returns.
    pub(super) fn add(&mut self, bytes: &[u8], upto: &Position) -> Outcome {
        self.file.write_all(bytes).and_then(|()| self.file.sync_data()).map_err(|error| self.failed(&error))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.position = upto.clone();
        self.write_note()
    }

    /// Gives the whole file its name.
    pub(super) fn put_in_place(self) -> Outcome {
        let Place { path, partial, position, overwrite } = &self.place;
        let named = TempPath::try_from_path(partial).map_err(|error| self.failed(&error))?;
        let placed = if *overwrite { named.persist(path) } else { named.persist_noclobber(path) };
        if let Err(refused) = placed {
            let is_there = refused.error.kind() == io::ErrorKind::AlreadyExists;
            // Else it would be deleted.
            refused.path.keep().map_err(|refused| self.failed(&refused.error))?;
            return Err(if is_there { self.place.is_there() } else { Failure::unwritable(path, &refused.error) });
        }
        sync_folder_of(path).map_err(|error| Failure::unwritable(path, &error))?;
        remove(position)
    }

    /// From the first record on.
    fn anew(mut self) -> Outcome<Self> {
        // First, so that what is cut off here is never missed.
        self.write_note()?;
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.and_then(|_| sync_folder_of(&self.place.partial)).map_err(|error| self.failed(&error))?;
        Ok(self)
    }

    /// Behind what an earlier run wrote.
    fn behind(mut self, note: &Note) -> Outcome<Self> {
        let partial = self.place.partial.display();
        if let Some(other) = self.begun.differs(&note.export) {
            return Err(Failure::failed(format!(
                "{partial} is a part of an export {other}, and this one cannot go on there; add --restart to begin at the \
                 first record, or name another file with --output"
            )));
        }
        let hash = hash_of_first(&self.file, note.bytes).map_err(|error| self.failed(&error))?;
        let Some(hash) = hash.filter(|hash| hash.finalize().to_hex().as_str() == note.hash) else {
            return Err(Failure::failed(format!(
                "{partial} is not as the earlier run left it; add --restart to begin at the first record"
            )));
        };
        let cut = self.file.set_len(note.bytes).and_then(|()| self.file.seek(SeekFrom::Start(note.bytes)));
        cut.map_err(|error| self.failed(&error))?;
        (self.position, self.bytes, self.hash) = (note.position.clone(), note.bytes, hash);
        Ok(self)
    }

    /// Notes the position: the new one as a whole, or the old one.
    fn write_note(&self) -> Outcome {
        let hash = self.hash.finalize().to_hex().to_string();
        let (export, position) = (self.begun.clone(), self.position.clone());
        let note = Note { export, position, bytes: self.bytes, hash };
        let text = serde_json::to_string(&note).map_err(Failure::failed)?;
        let (path, new) = (&self.place.position, with_end(&self.place.position, ".new"));
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        written.and_then(|()| fs::rename(&new, path)).map_err(|error| Failure::unwritable(path, &error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::unwritable(&self.place.partial, error)
    }
}

/// Whether a file holds exactly what a note says.
fn holds(path: &Path, note: &Note) -> bool {
    let held = File::open(path).and_then(|file| Ok((file.metadata()?.len(), hash_of_first(&file, note.bytes)?)));
    held.is_ok_and(|(bytes, hash)| {
        bytes == note.bytes && hash.is_some_and(|hash| hash.finalize().to_hex().as_str() == note.hash)
    })
}

/// The hash of a file's first bytes; `None` if there are not as many.
fn hash_of_first(file: &File, bytes: u64) -> io::Result<Option<blake3::Hasher>> {
    let mut hash = blake3::Hasher::new();
    let held = io::copy(&mut file.take(bytes), &mut hash)?;
    Ok((held == bytes).then_some(hash))
}

fn remove(path: &Path) -> Outcome {
    fs::remove_file(path).map_err(|error| Failure::unwritable(path, &error))
}
