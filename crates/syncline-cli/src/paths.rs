//! Where files are that the user names.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What SQLite and the store put behind the name of its file to name those beside it.
const BESIDE_STORE: [&str; 7] = ["", "-wal", "-shm", "-journal", "-lock", "-sync", "-replica"];

/// Where a file or folder is, or will be: what is there of its path, without links and detours, and the rest.
pub(crate) fn settled(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|path| path.exists())?;
    let rest = path.strip_prefix(there).ok()?;
    // Joining nothing would say that a file is a folder.
    let there = there.canonicalize().ok()?;
    Some(if rest.as_os_str().is_empty() { there } else { there.join(rest) })
}

/// Whether a name leads to a store, or to what is kept beside it.
pub(crate) fn is_of_store(path: &Path, store: &Path) -> bool {
    BESIDE_STORE.iter().any(|end| is_same_file(path, &with_end(store, end)))
}

/// The name with something behind it.
pub(crate) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Whether both names lead to one file, or would if it were there.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    if let (Some(one), Some(other)) = (settled(one), settled(other))
        && one == other
    {
        return true;
    }
    is_linked(one, other)
}

/// Whether both are hard links to one file.
#[cfg(unix)]
fn is_linked(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    place(one).is_some_and(|one| place(other) == Some(one))
}

#[cfg(not(unix))]
fn is_linked(_: &Path, _: &Path) -> bool {
    false
}

/// The file, unless another command of this kind writes to it. Where there are no locks nobody looks.
pub(crate) fn alone_in(kind: &str, file: File) -> io::Result<File> {
    if !file.metadata()?.is_file() {
        // A device is nobody's.
        return Ok(file);
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other(format!("another {kind} writes to it"))),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}
