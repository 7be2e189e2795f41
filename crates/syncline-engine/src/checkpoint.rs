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
/// anew only after a checkpoint that no commit overtook, and where commits never pause there is none. So long it takes
/// 32 MB; a shorter one stops commits more often, and in batches of 500 twice as long a one gained little.
const LENGTH_MAX: u32 = 8 * PAGES;

/// Copies a store's write-ahead log into its file, through a connection of its own, on whichever thread.
#[derive(Debug)]
pub struct Checkpointer {
    db: Connection,
}

impl Checkpointer {
    /// Syncs the write-ahead log, copies what no reader needs to find there, and syncs the file if no commit overtook it.
    /// Neither readers nor writers wait for it. Where another checkpoint runs, or the disk is full, what is not copied
    /// stays for the next.
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
        // Shorter than before, it has begun anew. Where it has and is longer all the same, a checkpoint comes later.
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
    fn failed(&self) -> Option<String> {
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

    /// Whether a checkpoint is due, beside the commits; it counts as begun then. None is where the next commit will run
    /// one, and none after a failed sync: what would be copied is no longer known to be what was written.
    pub fn take_checkpoint(&mut self) -> bool {
        let take =
            |length: &mut Length| length.is_due() && length.pages < LENGTH_MAX && std::mem::take(&mut length.fresh) > 0;
        self.health().is_ok() && self.wal_watch.as_ref().is_some_and(|watch| watch.with(take))
    }

    /// Closes the store for good if a sync failed in a commit's own checkpoint.
    pub(crate) fn heed_checkpoints(&mut self) {
        if let Some(reason) = self.wal_watch.as_ref().and_then(WalWatch::failed) {
            self.failed = Some(reason);
        }
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

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use serde_json::json;

    use super::*;
    use crate::host::OnDisk;
    use crate::local::Source;
    use crate::store::Options;

    const PAGE: u64 = 4096;

    struct Bed {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Bed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let sdl = "type Draft @model @local { body: String! }";
            let schema = syncline_schema::parse("schema.graphql", sdl).unwrap().schema;
            let options = Options { schema: Some((schema, sdl.to_owned())), ..Options::new([1; 32]) };
            let mut store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
            store.checkpoint_beside().unwrap();
            Self { folder, store }
        }

        /// Saves a record that takes a hundred pages and more.
        fn save(&mut self) {
            let record = json!({"body": "x".repeat(100 * PAGE as usize)}).as_object().cloned().unwrap();
            self.store.write(1, |tx| tx.save("Draft", &record, Source::App)).unwrap();
        }

        fn pages(&self, name: &str) -> u64 {
            std::fs::metadata(self.folder.path().join(name)).unwrap().len() / PAGE
        }
    }

    #[test]
    fn commits_leave_the_file_to_a_checkpoint_beside_them() {
        let mut bed = Bed::new();
        let before = bed.pages("app.db");
        let mut saves = 0;
        while !bed.store.take_checkpoint() {
            bed.save();
            saves += 1;
            assert!(saves < 20, "a checkpoint is due after {PAGES} pages");
        }
        assert!(!bed.store.take_checkpoint(), "it has begun");
        assert_eq!(bed.pages("app.db"), before);
        bed.store.checkpointer().unwrap().run().unwrap();
        assert!(bed.pages("app.db") > before + saves * 100, "{} pages", bed.pages("app.db"));
        // No commit overtook it: the log begins anew, and is not longer than before.
        let length = bed.pages("app.db-wal");
        for _ in 0..saves {
            bed.save();
        }
        assert!(bed.pages("app.db-wal") < length + 200);
        assert!(bed.store.verify().unwrap().is_ok());
    }

    #[test]
    fn a_log_that_nobody_checkpoints_is_bounded_by_commits() {
        let mut bed = Bed::new();
        for _ in 0..120 {
            bed.save();
            bed.store.take_checkpoint();
        }
        let most = u64::from(LENGTH_MAX + PAGES) + 1000;
        assert!(bed.pages("app.db-wal") < most, "{} pages", bed.pages("app.db-wal"));
        assert!(bed.pages("app.db") > 10_000);
        assert!(bed.store.verify().unwrap().is_ok());
    }

    #[test]
    fn a_sync_that_fails_in_a_commit_closes_the_store_for_good() {
        for at_close in [false, true] {
            let mut bed = Bed::new();
            bed.save();
            bed.store.wal_watch.as_ref().unwrap().with(|length| {
                (length.fresh, length.failed) = (PAGES, Some("the disk".to_owned()));
            });
            match at_close {
                true => assert!(bed.store.close().is_err()),
                // It is committed, and the last.
                false => bed.save(),
            }
            assert!(bed.store.health().is_err());
            assert!(!bed.store.take_checkpoint());
        }
    }

    #[test]
    fn only_a_failed_sync_is_an_error() {
        let failed = |code| outcome(Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)));
        assert!(failed(ffi::SQLITE_IOERR_FSYNC).is_err());
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE] {
            assert!(!failed(code).unwrap(), "{code}");
        }
        assert!(outcome(Ok((7, 3))).unwrap());
    }

    #[test]
    fn pages_count_as_fresh_until_a_checkpoint_also_in_a_log_that_began_anew() {
        let mut length = Length::default();
        length.grow(600);
        assert!(!length.is_due());
        length.grow(900);
        length.grow(100);
        assert_eq!((length.pages, length.fresh), (100, 1000));
        assert!(length.is_due());
    }
}
