//! SQLite's own randomness, which a process has one of: alone in this binary for that reason.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use syncline_engine::rusqlite::{Connection, OpenFlags};
use syncline_sim::{Disk, vfs};

#[test]
fn equal_seeds_give_files_that_are_equal_byte_by_byte() {
    assert_eq!(files_of_a_run(7), files_of_a_run(7));
    assert_ne!(files_of_a_run(7), files_of_a_run(8));
}

/// The database and its write-ahead log after a few commits, the log's salts included.
fn files_of_a_run(seed: u32) -> Vec<Vec<u8>> {
    vfs::seed_sqlite(seed);
    let disk = Disk::new([0; 32]);
    let place = vfs::register(&disk);
    let db = Connection::open_with_flags_and_vfs(place.path("db"), OpenFlags::default(), vfs::NAME).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(n); INSERT INTO t VALUES (random())").unwrap();
    let read = |name: &str| {
        let file = disk.open(name, false).unwrap();
        let mut bytes = vec![0; disk.len(file).unwrap()];
        disk.read(file, 0, &mut bytes).unwrap();
        bytes
    };
    let files = vec![read("db"), read("db-wal")];
    vfs::seed_sqlite(0);
    files
}
