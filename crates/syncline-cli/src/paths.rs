//! Where files are that the user names.

use std::path::{Path, PathBuf};

/// Where a file or folder is, or will be: what is there of its path, without links and detours, and the rest.
pub(crate) fn settled(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|path| path.exists())?;
    let rest = path.strip_prefix(there).ok()?;
    // Joining nothing would say that a file is a folder.
    let there = there.canonicalize().ok()?;
    Some(if rest.as_os_str().is_empty() { there } else { there.join(rest) })
}
