//! Where a simulated store lives: a [`Host`] over a virtual disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use syncline_engine::{Host, WalSync};

use crate::disk::{Disk, DiskError, FileHandle};
use crate::vfs::{self, Registered};

/// After how many pages a write-ahead log is carried over into its file: less than SQLite takes by itself, so that
/// runs meet checkpoints often, and a thousand logs have room in memory.
const CHECKPOINT_PAGES: u32 = 32;

/// The store of one name on a virtual disk, as one simulated process has it.
#[derive(Debug)]
pub struct SimHost {
    place: Arc<Registered>,
    /// The file's name on the disk.
    name: String,
    /// The same, for messages: it names no file of the system.
    path: PathBuf,
    process: u64,
    boot: u64,
}

impl SimHost {
    /// A process (any number that no other living process on the disk has) that is to open the
    /// store `name`.
    pub fn new(place: &Arc<Registered>, name: &str, process: u64) -> Self {
        let path = PathBuf::from(format!("disk:/{name}"));
        Self { place: Arc::clone(place), path, name: name.to_owned(), process, boot: place.disk().boot() }
    }

    fn disk(&self) -> &Disk {
        self.place.disk()
    }

    fn beside(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.name)
    }

    /// Fails if the process ended with the power.
    fn check_alive(&self) -> io::Result<()> {
        if self.disk().is_on() && self.disk().boot() == self.boot { Ok(()) } else { Err(DiskError::Off.into()) }
    }

    fn read_all(&self, file: FileHandle) -> Result<Vec<u8>, DiskError> {
        let mut bytes = vec![0; self.disk().len(file)?];
        self.disk().read(file, 0, &mut bytes)?;
        Ok(bytes)
    }

    fn replace(&self, file: FileHandle, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk().resize(file, 0)?;
        self.disk().write(file, 0, bytes)?;
        self.disk().sync(file)
    }

    /// The number of a disk depends on what else the process did; what a run says must not.
    fn without_number(&self, error: rusqlite::Error, path: &str) -> rusqlite::Error {
        if let rusqlite::Error::SqliteFailure(code, Some(text)) = error {
            let text = text.replace(path, &self.path.to_string_lossy());
            return rusqlite::Error::SqliteFailure(code, Some(text));
        }
        error
    }

    fn give_up_locks(&self) -> bool {
        self.disk().living(&self.name, |living| {
            living.present.remove(&self.process);
            if living.sessions == Some(self.process) {
                living.sessions = None;
            }
            living.present.is_empty()
        })
    }
}

impl Host for SimHost {
    fn path(&self) -> &Path {
        &self.path
    }

    fn exists(&self) -> bool {
        self.disk().exists(&self.name).unwrap_or(false)
    }

    fn connect(&self, write: bool) -> rusqlite::Result<Connection> {
        let access = if write {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let path = self.place.path(&self.name);
        let db = Connection::open_with_flags_and_vfs(&path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX, vfs::NAME)
            .map_err(|error| self.without_number(error, &path))?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(db)
    }

    fn file_id(&self) -> io::Result<String> {
        let file = self.disk().open(&self.name, false)?;
        self.disk().close(file);
        Ok(file.inode().to_string())
    }

    fn read_side(&self) -> io::Result<Option<String>> {
        self.check_alive()?;
        let file = match self.disk().open(&self.beside("-replica"), false) {
            Ok(file) => file,
            Err(DiskError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = self.read_all(file);
        self.disk().close(file);
        String::from_utf8(bytes?).map(Some).map_err(io::Error::other)
    }

    fn write_side(&self, text: &str) -> io::Result<()> {
        self.check_alive()?;
        let draft = self.beside("-replica.new");
        let file = self.disk().open(&draft, true)?;
        let written = self.replace(file, text.as_bytes());
        self.disk().close(file);
        written?;
        self.disk().rename(&draft, &self.beside("-replica"))?;
        Ok(self.disk().sync_names()?)
    }

    fn remove_side(&self) -> io::Result<()> {
        self.check_alive()?;
        match self.disk().remove(&self.beside("-replica")) {
            Ok(()) => Ok(self.disk().sync_names()?),
            Err(DiskError::Missing) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn enter(&mut self) -> io::Result<bool> {
        self.check_alive()?;
        Ok(self.disk().living(&self.name, |living| {
            let alone = living.present.is_empty();
            if alone {
                living.agreed.clear();
            }
            living.present.insert(self.process);
            alone
        }))
    }

    fn leave(&mut self) -> io::Result<bool> {
        self.check_alive()?;
        let present = self.disk().living(&self.name, |living| living.present.contains(&self.process));
        Ok(present && self.give_up_locks())
    }

    fn agreed(&mut self) -> io::Result<String> {
        self.check_alive()?;
        Ok(self.disk().living(&self.name, |living| living.agreed.clone()))
    }

    fn set_agreed(&mut self, text: &str) -> io::Result<()> {
        self.check_alive()?;
        self.disk().living(&self.name, |living| text.clone_into(&mut living.agreed));
        Ok(())
    }

    fn claim_sessions(&mut self) -> io::Result<bool> {
        self.check_alive()?;
        Ok(self.disk().living(&self.name, |living| *living.sessions.get_or_insert(self.process) == self.process))
    }

    fn syncer(&self) -> Box<dyn WalSync> {
        Box::new(SimWal { disk: self.disk().clone(), name: self.name.clone(), boot: self.boot, names_synced: false })
    }
}

impl Drop for SimHost {
    fn drop(&mut self) {
        // Locks went with the power that this process was started under; those of now are others'.
        if self.check_alive().is_ok() {
            self.give_up_locks();
        }
    }
}

/// Syncs the write-ahead log as a process with a handle of its own does.
#[derive(Debug)]
struct SimWal {
    disk: Disk,
    name: String,
    boot: u64,
    names_synced: bool,
}

impl SimWal {
    fn open(&self, suffix: &str) -> Result<FileHandle, DiskError> {
        let file = self.disk.open(&format!("{}{suffix}", self.name), false)?;
        if file.boot() == self.boot { Ok(file) } else { Err(DiskError::Off) }
    }

    fn sync_file(&self) -> Result<(), DiskError> {
        let file = match self.open("-wal") {
            Err(DiskError::Missing) => self.open("")?,
            other => other?,
        };
        let synced = self.disk.sync(file);
        self.disk.close(file);
        synced
    }
}

impl WalSync for SimWal {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_file()?;
        if !self.names_synced {
            self.disk.sync_names()?;
            self.names_synced = true;
        }
        Ok(())
    }
}
