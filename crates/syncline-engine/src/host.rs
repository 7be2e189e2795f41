//! Where a store lives: its SQLite file, the files beside it, and how its log is made durable.
//!
//! [`OnDisk`] is the real thing. The simulator brings its own [`Host`] over a virtual disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// What a store needs of the place it lives in.
pub trait Host: Send + 'static {
    /// The file's path, for messages.
    fn path(&self) -> &Path;
    /// Whether the file exists.
    fn exists(&self) -> bool;
    /// Opens a connection; `write` creates the file if it is missing.
    fn connect(&self, write: bool) -> rusqlite::Result<Connection>;
    /// What tells this file from a copy of it (device and inode), where the system can.
    fn file_id(&self) -> io::Result<String>;
    /// Reads the side file, which is not part of backups.
    fn read_side(&self) -> io::Result<Option<String>>;
    /// Writes the side file; durable when it returns.
    fn write_side(&self, text: &str) -> io::Result<()>;
    /// Removes the side file; durable when it returns.
    fn remove_side(&self) -> io::Result<()>;
    /// Says that this process has the store open. True if no other process has.
    fn enter(&mut self) -> io::Result<bool>;
    /// Takes back what [`Host::enter`] said. True if no other process has the store open; none can enter then
    /// until [`Host::release`].
    fn leave(&mut self) -> io::Result<bool>;
    /// Lets others enter after [`Host::leave`].
    fn release(&mut self) {}
    /// What the living processes agreed on: see [`Host::set_agreed`].
    fn agreed(&mut self) -> io::Result<String>;
    /// Tells the other living processes; need not be durable.
    fn set_agreed(&mut self, text: &str) -> io::Result<()>;
    /// Becomes the one process that holds sessions for this store, or learns that another is.
    fn claim_sessions(&mut self) -> io::Result<bool>;
    /// A handle that makes committed transactions durable; it may be used on another thread.
    fn syncer(&self) -> Box<dyn WalSync>;
}

/// Makes everything that was committed before the call durable against power loss.
pub trait WalSync: Send {
    /// Blocks until it is so.
    fn sync(&mut self) -> io::Result<()>;
}

/// How often a process tries to enter a store that others delete.
const ENTRIES: u32 = 100;

/// A store in a file of the operating system.
#[derive(Debug)]
pub struct OnDisk {
    path: PathBuf,
    lock: Option<File>,
    sessions: Option<File>,
}

impl OnDisk {
    /// A store at this path. Beside it stand `PATH-lock`, `PATH-sync` and `PATH-replica`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: None, sessions: None }
    }

    /// Deletes the store: its file and everything that stands beside it. False, and nothing is deleted, while any
    /// process has it open.
    pub fn delete(&self) -> io::Result<bool> {
        let mut locks = Vec::new();
        for suffix in ["-lock", "-sync"] {
            let file = self.lock_file(suffix)?;
            match file.try_lock() {
                // Another process deleted the store, and a third may have made it anew.
                Ok(()) if !is_at(&file, &self.beside(suffix))? => return Ok(false),
                Ok(()) => locks.push(file),
                Err(TryLockError::WouldBlock) => return Ok(false),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        // First what proves continuity: a file that stays because this ends half way takes a new replica id.
        for suffix in ["-replica", "-replica.new", "", "-wal", "-shm", "-sync", "-lock"] {
            match std::fs::remove_file(self.beside(suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        sync_folder_of(&self.path)?;
        Ok(true)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    fn lock_file(&self, suffix: &str) -> io::Result<File> {
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(self.beside(suffix))
    }
}

impl Host for OnDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn exists(&self) -> bool {
        self.path.exists()
    }

    fn connect(&self, write: bool) -> rusqlite::Result<Connection> {
        let access = if write {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    fn file_id(&self) -> io::Result<String> {
        let meta = std::fs::metadata(&self.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(format!("{:x}.{:x}", meta.dev(), meta.ino()))
        }
        #[cfg(not(unix))]
        {
            let created = meta.created().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            Ok(format!("{:x}", created.map_or(0, |age| age.as_nanos())))
        }
    }

    fn read_side(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(self.beside("-replica")) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_side(&self, text: &str) -> io::Result<()> {
        let draft = self.beside("-replica.new");
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, self.beside("-replica"))?;
        sync_folder_of(&self.path)
    }

    fn remove_side(&self) -> io::Result<()> {
        match std::fs::remove_file(self.beside("-replica")) {
            Ok(()) => sync_folder_of(&self.path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn enter(&mut self) -> io::Result<bool> {
        for _ in 0..ENTRIES {
            let file = self.lock_file("-lock")?;
            let alone = match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)?;
                    true
                }
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => return Err(error),
            };
            file.lock_shared()?;
            // Whoever deleted the store held the lock until now, and it stood for a file that is gone.
            if is_at(&file, &self.beside("-lock"))? {
                self.lock = Some(file);
                return Ok(alone);
            }
        }
        Err(io::Error::other("the lock file is another one each time that it is looked at"))
    }

    fn leave(&mut self) -> io::Result<bool> {
        let Some(file) = &self.lock else { return Ok(false) };
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => {
                self.lock = None;
                Ok(false)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn release(&mut self) {
        self.lock = None;
    }

    fn agreed(&mut self) -> io::Result<String> {
        let Some(file) = &mut self.lock else { return Ok(String::new()) };
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    fn set_agreed(&mut self, text: &str) -> io::Result<()> {
        let Some(file) = &mut self.lock else { return Ok(()) };
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())
    }

    fn claim_sessions(&mut self) -> io::Result<bool> {
        if self.sessions.is_some() {
            return Ok(true);
        }
        let file = self.lock_file("-sync")?;
        match file.try_lock() {
            Ok(()) => {
                self.sessions = Some(file);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn syncer(&self) -> Box<dyn WalSync> {
        Box::new(WalFile { path: self.path.clone(), wal: self.beside("-wal"), folder_synced: false })
    }
}

/// Whether the path still leads to this file; elsewhere than on Unix nobody looks.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let here = file.metadata()?;
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// Syncs the `-wal` file through a handle of its own: the write-ahead log is one file for as long as any
/// connection is open, and a sync concerns the file, not the handle that wrote.
struct WalFile {
    path: PathBuf,
    wal: PathBuf,
    folder_synced: bool,
}

impl WalSync for WalFile {
    fn sync(&mut self) -> io::Result<()> {
        match File::open(&self.wal) {
            Ok(file) => file.sync_data()?,
            // Nothing was written since the file was made, or every frame was checkpointed, which syncs.
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(&self.path)?.sync_data()?,
            Err(error) => return Err(error),
        }
        if !self.folder_synced {
            sync_folder_of(&self.path)?;
            self.folder_synced = true;
        }
        Ok(())
    }
}

/// Makes the names in a file's folder durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}
