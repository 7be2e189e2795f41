//! Checkpoints beside the commits: what the write-ahead log holds is copied into the file on another thread. SQLite by
//! itself lets every so many commits wait until that is done and synced.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use crate::error::{Doing, Result};
use crate::store::Store;

/// Pages of the write-ahead log that are worth a checkpoint; SQLite's own number.
const PAGES: u32 = 1000;

/// From this length of the write-ahead log on, in pages, a commit checkpoints as SQLite does by itself: the log begins
/// anew only after a checkpoint that no commit overtook. With what is written until then it mostly stays below 4,062
/// pages, the first block of SQLite's index of it, so that reads look in one block.
const LENGTH_MAX: u32 = 3 * PAGES;

/// Copies a store's write-ahead log into its file, through a connection of its own, on whichever thread.
#[derive(Debug)]
pub struct Checkpointer {
    db: Connection,
}

impl Checkpointer {
    /// Syncs the write-ahead log, copies what no reader needs to find there, and syncs the file. Neither readers nor
    /// writers wait for it. Where another checkpoint runs, or the disk is full, what is not copied stays for the next.
    ///
    /// # Errors
    ///
    /// A sync that failed: what the disk holds is no longer known, and [`Store::synced`] must hear of it.
    pub fn run(&self) -> io::Result<()> {
        outcome(self.db.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)).map(drop)
    }
}

/// What was made of a checkpoint: whether it came as far as it could; an error only of a failed sync.
fn outcome(checkpointed: rusqlite::Result<(i32, i32)>) -> io::Result<bool> {
    match checkpointed {
        Ok(_) => Ok(true),
        Err(error) if is_failed_sync(&error) => Err(io::Error::other(error)),
        Err(error) => {
            tracing::debug!(%error, "a checkpoint did not end");
            Ok(false)
        }
    }
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC)
}

/// What the commits of a store have told of its write-ahead log.
#[derive(Debug, Default)]
struct Length {
    /// Its pages at the last commit.
    pages: u32,
    /// Those that came since the last checkpoint began.
    fresh: u32,
    /// Why a sync failed.
    failed: Option<String>,
}

impl Length {
    /// Takes how long the write-ahead log is after a commit.
    fn grow(&mut self, pages: u32) {
        // Shorter than before, it has begun anew.
        self.fresh += pages.checked_sub(self.pages).unwrap_or(pages);
        self.pages = pages;
    }

    fn is_due(&self) -> bool {
        self.fresh >= PAGES
    }
}

/// The write-ahead log of a store whose checkpoints run beside its commits. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct WalWatch(Arc<Mutex<Length>>);

impl WalWatch {
    fn with<T>(&self, act: impl FnOnce(&mut Length) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// After each commit.
    fn committed(&self, wal: &mut Wal, pages: u32) {
        self.with(|length| {
            length.grow(pages);
            if pages < LENGTH_MAX || !length.is_due() {
                return;
            }
            match outcome(wal.checkpoint_v2(CheckpointMode::PASSIVE)) {
                Ok(true) => length.fresh = 0,
                // Most likely because one runs beside: the next commit tries again.
                Ok(false) => {}
                Err(error) => length.failed = Some(error.to_string()),
            }
        });
    }

    /// Why a sync failed during a commit.
    pub(crate) fn failed(&self) -> Option<String> {
        self.with(|length| length.failed.take())
    }
}

impl Store {
    /// Leaves checkpoints to whoever calls [`Store::take_checkpoint`] after commits. Only where the write-ahead log is
    /// long all the same, a commit runs one.
    pub fn checkpoint_beside(&mut self) -> Result<()> {
        let watch = WalWatch::default();
        let told = watch.clone();
        let hook = move |wal: &mut Wal, pages: i32| {
            told.committed(wal, pages.unsigned_abs());
            Ok(())
        };
        self.db.wal_hook(Some(hook)).doing("setting the store up")?;
        self.wal_watch = Some(watch);
        Ok(())
    }

    /// Whether a checkpoint is due, beside the commits; it counts as begun then.
    pub fn take_checkpoint(&mut self) -> bool {
        let take = |length: &mut Length| length.is_due() && std::mem::take(&mut length.fresh) > 0;
        self.wal_watch.as_ref().is_some_and(|watch| watch.with(take))
    }

    /// What runs the checkpoints of this store beside its commits.
    pub fn checkpointer(&self) -> Result<Checkpointer> {
        let db = self.host.connect(true).doing("opening a connection for checkpoints")?;
        // A connection that has not read the file does not know that it has a write-ahead log.
        db.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
            .doing("opening a connection for checkpoints")?;
        Ok(Checkpointer { db })
    }
}
