//! The methods of an open file.
#![allow(unsafe_code, reason = "SQLite calls them through C functions and raw pointers")]

use std::ffi::{c_int, c_void};

use rusqlite::ffi::{
    SQLITE_BUSY, SQLITE_FULL, SQLITE_IOCAP_POWERSAFE_OVERWRITE, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSTAT,
    SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    SQLITE_NOTFOUND, SQLITE_OK, SQLITE_SHM_LOCK, SQLITE_SHM_SHARED, sqlite3_file, sqlite3_int64, sqlite3_io_methods,
};

use super::locks::Claims;
use crate::disk::{Disk, DiskError, FileHandle};

/// A file as SQLite sees it: its methods, then what is ours.
#[repr(C)]
pub(super) struct CFile {
    pub(super) base: sqlite3_file,
    state: *mut OpenFile,
}

/// A file as we see it.
pub(super) struct OpenFile {
    disk: Disk,
    handle: FileHandle,
    name: String,
    claims: Claims,
    /// The next sync also makes names durable.
    pub(super) syncs_names: bool,
    pub(super) deletes_on_close: bool,
}

impl OpenFile {
    pub(super) fn new(disk: Disk, handle: FileHandle, name: &str) -> Self {
        let claims = Claims::new((disk.number(), handle.boot(), handle.inode()));
        Self { disk, handle, name: name.to_owned(), claims, syncs_names: false, deletes_on_close: false }
    }
}

/// Fills in what SQLite will hand back to the methods.
///
/// # Safety
/// `file` points to room for a [`CFile`] that stays there until its close.
pub(super) unsafe fn put(file: *mut CFile, opened: OpenFile) {
    // SAFETY: the caller says so.
    unsafe {
        (*file).state = Box::into_raw(Box::new(opened));
        (*file).base.pMethods = &raw const METHODS;
    }
}

/// Our part of a file.
///
/// # Safety
/// `file` was filled by [`put`] and not closed. SQLite uses a file from one thread at a time.
unsafe fn state<'a>(file: *mut sqlite3_file) -> &'a mut OpenFile {
    // SAFETY: the caller says so.
    unsafe { &mut *(*file.cast::<CFile>()).state }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

// SAFETY of all that follows: SQLite calls a file's methods with a file that it has opened and not
// closed, with buffers of the lengths it names, and with places for what it wants to know.

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: made by `Box::into_raw` in `put`, and SQLite closes once.
    let closed = unsafe { Box::from_raw((*file.cast::<CFile>()).state) };
    if closed.deletes_on_close {
        // Without power the file is gone or stays, like any other.
        let _ = closed.disk.remove(&closed.name);
    }
    closed.disk.close(closed.handle);
    SQLITE_OK
}

/// SQLite's word for a failed operation; `code` names the operation.
fn failed(error: DiskError, code: c_int) -> c_int {
    match error {
        DiskError::Full => SQLITE_FULL,
        DiskError::Off | DiskError::Missing | DiskError::Io => code,
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, len: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let (file, into) = unsafe { (state(file), std::slice::from_raw_parts_mut(into.cast::<u8>(), len as usize)) };
    match file.disk.read(file.handle, at as usize, into) {
        Ok(count) if count == into.len() => SQLITE_OK,
        Ok(count) => {
            into[count..].fill(0);
            SQLITE_IOERR_SHORT_READ
        }
        Err(_) => SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, len: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let (file, from) = unsafe { (state(file), std::slice::from_raw_parts(from.cast::<u8>(), len as usize)) };
    match file.disk.write(file.handle, at as usize, from) {
        Ok(()) => SQLITE_OK,
        Err(error) => failed(error, SQLITE_IOERR_WRITE),
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let file = unsafe { state(file) };
    match file.disk.resize(file.handle, len as usize) {
        Ok(()) => SQLITE_OK,
        Err(error) => failed(error, SQLITE_IOERR_TRUNCATE),
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: see above.
    let file = unsafe { state(file) };
    if file.disk.sync(file.handle).is_err() {
        return SQLITE_IOERR_FSYNC;
    }
    if file.syncs_names && file.disk.sync_names().is_err() {
        return SQLITE_IOERR_DIR_FSYNC;
    }
    file.syncs_names = false;
    SQLITE_OK
}

unsafe extern "C" fn size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let file = unsafe { state(file) };
    match file.disk.len(file.handle) {
        Ok(len) => {
            // SAFETY: see above.
            unsafe { *out = len as sqlite3_int64 };
            SQLITE_OK
        }
        Err(_) => SQLITE_IOERR_FSTAT,
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, to: c_int) -> c_int {
    // SAFETY: see above.
    if unsafe { state(file) }.claims.raise(to) { SQLITE_OK } else { SQLITE_BUSY }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, to: c_int) -> c_int {
    // SAFETY: see above.
    unsafe { state(file) }.claims.lower(to);
    SQLITE_OK
}

unsafe extern "C" fn check_reserved(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: see above.
    unsafe { *out = c_int::from(state(file).claims.is_reserved()) };
    SQLITE_OK
}

unsafe extern "C" fn control(_file: *mut sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut sqlite3_file) -> c_int {
    4096
}

/// Nothing beyond what disks do: with more, SQLite leaves out syncs that this disk needs.
unsafe extern "C" fn characteristics(_file: *mut sqlite3_file) -> c_int {
    SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    index: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: see above.
    let region = unsafe { state(file) }.claims.map(index as usize, bytes as usize, extend != 0);
    let start = region.map_or(std::ptr::null_mut(), |start| start.as_ptr().cast::<c_void>());
    // SAFETY: see above.
    unsafe { *out = start };
    SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: see above.
    let claims = &mut unsafe { state(file) }.claims;
    let slots = first as usize..(first + count) as usize;
    let done = match (flags & SQLITE_SHM_LOCK != 0, flags & SQLITE_SHM_SHARED != 0) {
        (true, true) => claims.share(slots),
        (true, false) => claims.exclude(slots),
        (false, _) => {
            claims.release(slots);
            true
        }
    };
    if done { SQLITE_OK } else { SQLITE_BUSY }
}

unsafe extern "C" fn shm_barrier(_file: *mut sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: see above.
    unsafe { state(file) }.claims.unmap();
    SQLITE_OK
}
