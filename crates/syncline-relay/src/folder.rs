//! The data folder: what is in it, and that one relay has it at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use syncline_net::Identity;

use crate::error::StartError;

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, StartError> {
        let namespaces = path.join("namespaces");
        fs::create_dir_all(&namespaces).map_err(|source| failed(path, source))?;
        let lock_path = path.join("relay.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| failed(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::FolderInUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(&lock_path, source)),
        }
    }

    /// The certificate with its key, made at the first start.
    pub(crate) fn identity(&self) -> Result<Identity, StartError> {
        Ok(Identity::load_or_create(self.path.join("identity.pem"))?)
    }

    /// Where the files of namespaces are.
    pub(crate) fn namespaces(&self) -> PathBuf {
        self.path.join("namespaces")
    }
}

fn failed(path: &Path, source: io::Error) -> StartError {
    StartError::Folder { path: path.to_owned(), source }
}
