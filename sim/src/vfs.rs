//! SQLite on virtual disks: a VFS named [`NAME`] whose files live on [`Disk`]s.
//!
//! A file's path is `/DISK/NAME`, with the number that [`register`] gave for the disk, so any
//! number of disks (one per simulated machine) share the one VFS that a process can have under a
//! name. On the disk the file is called `NAME`. The VFS is not the default one: whoever wants it
//! says so when opening.
//!
//! Locks and shared memory are not on the disk. They end with the power, and every connection of
//! a simulated machine sees the same ones.
#![allow(unsafe_code, reason = "SQLite calls a VFS through C functions and raw pointers; nothing else here needs it")]

mod files;
mod locks;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, Once};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_ACCESS, SQLITE_IOERR_DELETE, SQLITE_IOERR_DELETE_NOENT,
    SQLITE_IOERR_DIR_FSYNC, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_DELETEONCLOSE, SQLITE_OPEN_MAIN_JOURNAL,
    SQLITE_OPEN_WAL, SQLITE_TESTCTRL_PRNG_SEED, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_test_control,
    sqlite3_vfs, sqlite3_vfs_register,
};
use syncline_engine::Seed;

use crate::disk::{Disk, DiskError};
use files::OpenFile;

/// The VFS's name, for opening a database on a virtual disk.
pub const NAME: &str = "syncline-sim";

/// The time that SQL sees, which never goes on: 2027-01-15, in milliseconds of the Julian day.
const JULIAN_MS: i64 = 210_866_760_000_000 + 1_800_000_000_000;

/// What the VFS knows besides what each file knows.
struct Registry {
    disks: BTreeMap<u64, Disk>,
    next: u64,
    seed: Seed,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// A disk that SQLite can open files on. Dropping it takes the disk away from SQLite again; files
/// that are open stay open.
#[derive(Debug)]
pub struct Registered {
    disk: Disk,
    number: u64,
}

/// Makes a disk known to SQLite.
pub fn register(disk: &Disk) -> Registered {
    static ONCE: Once = Once::new();
    ONCE.call_once(install);
    with_registry(|registry| {
        let number = registry.next;
        registry.next += 1;
        registry.disks.insert(number, disk.clone());
        Registered { disk: disk.clone(), number }
    })
}

impl Registered {
    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The path under which SQLite finds a file of the disk.
    pub fn path(&self, name: &str) -> String {
        format!("/{}/{name}", self.number)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        with_registry(|registry| registry.disks.remove(&self.number));
    }
}

/// Makes what SQLite itself draws at random (salts of write-ahead logs, `random()`) begin anew and depend on
/// the seed; 0 takes the system's randomness again.
///
/// SQLite has one source per process: runs that shall be equal byte by byte must not share the
/// process with others.
pub fn seed_sqlite(seed: u32) {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&seed.to_le_bytes());
    with_registry(|registry| registry.seed = Seed::new(key));
    // SAFETY: the operation takes an int and a connection, which may be null.
    unsafe {
        sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, seed as c_int, std::ptr::null_mut::<c_void>());
        // Forgets the state that was drawn from the earlier seed.
        rusqlite::ffi::sqlite3_randomness(0, std::ptr::null_mut());
    }
}

/// Bytes of memory that SQLite has, for all connections of the process.
pub fn sqlite_memory_bytes() -> u64 {
    // SAFETY: the function takes nothing and may be called at any time.
    unsafe { rusqlite::ffi::sqlite3_memory_used() as u64 }
}

fn with_registry<T>(act: impl FnOnce(&mut Registry) -> T) -> T {
    let mut guard: MutexGuard<'_, Option<Registry>> =
        REGISTRY.lock().expect("nothing panics while it holds the registry");
    act(guard.get_or_insert_with(|| Registry { disks: BTreeMap::new(), next: 1, seed: Seed::new([0; 32]) }))
}

/// Finds the disk that a path names, and the file's name on it.
fn find(path: &str) -> Option<(Disk, &str)> {
    let (number, name) = path.strip_prefix('/')?.split_once('/')?;
    let number = number.parse().ok()?;
    let disk = with_registry(|registry| registry.disks.get(&number).cloned())?;
    Some((disk, name))
}

fn install() {
    let vfs = Box::new(sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<files::CFile>() as c_int,
        mxPathname: 512,
        pNext: std::ptr::null_mut(),
        zName: c"syncline-sim".as_ptr(),
        pAppData: std::ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the structure lives as long as the process, as SQLite demands, and its functions
    // keep the contracts of `sqlite3_vfs`.
    let code = unsafe { sqlite3_vfs_register(Box::into_raw(vfs), 0) };
    assert_eq!(code, SQLITE_OK, "SQLite registers a VFS as long as it has memory");
}

/// Reads a path that SQLite handed over.
///
/// # Safety
/// `text` is null or a C string that outlives the result.
unsafe fn read_path<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let file = file.cast::<files::CFile>();
    // SAFETY: SQLite gives szOsFile bytes. Without methods it does not close what failed to open.
    unsafe { (*file).base.pMethods = std::ptr::null() };
    let opened = if name.is_null() {
        Disk::new([0; 32]).open_unnamed_alone()
    } else {
        // SAFETY: the name is a C string for as long as the file is open.
        unsafe { read_path(name) }.ok_or(DiskError::Missing).and_then(|path| open_named(path, flags))
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(DiskError::Off | DiskError::Missing | DiskError::Io) => return SQLITE_CANTOPEN,
        Err(DiskError::Full) => return SQLITE_FULL,
    };
    // SAFETY: as above; the state is taken back by the file's close.
    unsafe { files::put(file, opened) };
    if !out_flags.is_null() {
        // SAFETY: SQLite gives null or a place for an int.
        unsafe { *out_flags = flags };
    }
    SQLITE_OK
}

fn open_named(path: &str, flags: c_int) -> Result<OpenFile, DiskError> {
    let (disk, name) = find(path).ok_or(DiskError::Missing)?;
    let creates = flags & SQLITE_OPEN_CREATE != 0 && !disk.exists(name)?;
    let handle = disk.open(name, creates)?;
    let mut opened = OpenFile::new(disk, handle, name);
    // As the system's own VFS does it: the first sync of a new journal makes its name durable.
    opened.syncs_names = creates && flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) != 0;
    opened.deletes_on_close = flags & SQLITE_OPEN_DELETEONCLOSE != 0;
    Ok(opened)
}

impl Disk {
    /// A file on a disk of its own, for what SQLite wants to forget.
    fn open_unnamed_alone(self) -> Result<OpenFile, DiskError> {
        let handle = self.open_unnamed()?;
        Ok(OpenFile::new(self, handle, ""))
    }
}

unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite gives a C string.
    let Some(path) = (unsafe { read_path(name) }) else { return SQLITE_IOERR_DELETE };
    let Some((disk, name)) = find(path) else { return SQLITE_IOERR_DELETE };
    let removed = disk.remove(name).and_then(|()| if sync_folder != 0 { disk.sync_names() } else { Ok(()) });
    match removed {
        Ok(()) => SQLITE_OK,
        Err(DiskError::Missing) => SQLITE_IOERR_DELETE_NOENT,
        Err(DiskError::Io) => SQLITE_IOERR_DIR_FSYNC,
        Err(DiskError::Off | DiskError::Full) => SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(_vfs: *mut sqlite3_vfs, name: *const c_char, _flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a C string.
    let path = unsafe { read_path(name) };
    let exists = path.and_then(find).map(|(disk, name)| disk.exists(name));
    match exists.unwrap_or(Ok(false)) {
        Ok(exists) => {
            // SAFETY: SQLite gives a place for an int.
            unsafe { *out = c_int::from(exists) };
            SQLITE_OK
        }
        Err(_) => SQLITE_IOERR_ACCESS,
    }
}

unsafe extern "C" fn full_path(_vfs: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives a C string.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if usize::try_from(room).is_ok_and(|room| bytes.len() <= room) {
        // SAFETY: `out` has `room` bytes, and SQLite's two buffers do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
        SQLITE_OK
    } else {
        SQLITE_CANTOPEN
    }
}

unsafe extern "C" fn randomness(_vfs: *mut sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let mut written = 0;
    while written < count {
        let drawn = with_registry(|registry| registry.seed.id16("sqlite"));
        for byte in drawn.iter().take((count - written) as usize) {
            // SAFETY: `out` has `count` bytes.
            unsafe { *out.offset(written as isize) = *byte as c_char };
            written += 1;
        }
    }
    count
}

unsafe extern "C" fn sleep(_vfs: *mut sqlite3_vfs, us: c_int) -> c_int {
    // Nobody else acts meanwhile: whoever waits for a lock fails as if the time were over.
    us
}

unsafe extern "C" fn current_time_ms(_vfs: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a place for the number.
    unsafe { *out = JULIAN_MS };
    SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    let mut ms = 0;
    // SAFETY: SQLite gives a place for the number.
    unsafe {
        current_time_ms(vfs, &raw mut ms);
        *out = ms as f64 / 86_400_000.0;
    }
    SQLITE_OK
}

unsafe extern "C" fn last_error(_vfs: *mut sqlite3_vfs, _room: c_int, _out: *mut c_char) -> c_int {
    0
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::*;
    use crate::disk::Survival;

    fn connect(place: &Registered) -> Connection {
        Connection::open_with_flags_and_vfs(place.path("db"), OpenFlags::default(), NAME).unwrap()
    }

    fn numbers(db: &Connection) -> Vec<i64> {
        let mut rows = db.prepare("SELECT n FROM t ORDER BY n").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn two_connections_share_a_write_ahead_log_and_exclude_each_other() {
        let place = register(&Disk::new([1; 32]));
        let (one, other) = (connect(&place), connect(&place));
        one.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(n); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
            .unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        assert_eq!(numbers(&other), Vec::<i64>::new());
        assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
        one.execute_batch("COMMIT").unwrap();
        assert_eq!(numbers(&other), [1]);
        other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        drop(one);
        assert_eq!(numbers(&other), [1, 2]);
    }

    #[test]
    fn a_commit_under_full_survives_every_cut_and_one_under_normal_need_not() {
        for (synchronous, loses) in [("FULL", false), ("NORMAL", true)] {
            let disk = Disk::new([2; 32]);
            let place = register(&disk);
            let db = connect(&place);
            db.execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; CREATE TABLE t(n)"
            ))
            .unwrap();
            disk.sync_names().unwrap();
            db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (1)").unwrap();
            disk.cut_power();
            drop(db);
            disk.restore_power(Survival::Nothing);
            assert_eq!(numbers(&connect(&place)).is_empty(), loses, "{synchronous}");
        }
    }

    #[test]
    fn a_process_that_ends_loses_nothing_and_its_locks_go_with_it() {
        let disk = Disk::new([4; 32]);
        let place = register(&disk);
        let dying = connect(&place);
        dying.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(n); INSERT INTO t VALUES (1); BEGIN IMMEDIATE; INSERT INTO t VALUES (2)").unwrap();
        disk.cut_power();
        disk.restore_power(Survival::Everything);
        let db = connect(&place);
        db.execute_batch("INSERT INTO t VALUES (3)").unwrap();
        drop(dying);
        assert_eq!(numbers(&db), [1, 3]);
    }
}
