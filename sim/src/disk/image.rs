//! Copies of all that is on a disk, as backups and cloned devices have them.

use std::sync::Arc;

/// The files of a disk as they were at one moment, with their names. Cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Databases first, then their write-ahead logs, then the rest.
    files: Vec<(String, Arc<[u8]>)>,
}

impl Image {
    pub(super) fn new<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut files: Vec<(String, Arc<[u8]>)> = files
            .filter(|(name, _)| !name.ends_with("-shm"))
            .map(|(name, bytes)| (name.to_owned(), bytes.into()))
            .collect();
        files.sort_by_key(|(name, _)| (is_side(name), name.ends_with("-wal")));
        Self { files }
    }

    /// Without the write-ahead logs: what a copy of the database alone holds.
    #[must_use]
    pub fn without_wal(mut self) -> Self {
        self.files.retain(|(name, _)| !name.ends_with("-wal"));
        self
    }

    /// Names and bytes, databases first.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), &**bytes))
    }
}

/// Whether it is a side file, which belongs to one file on one disk.
pub(super) fn is_side(name: &str) -> bool {
    name.ends_with("-replica") || name.ends_with("-replica.new")
}
