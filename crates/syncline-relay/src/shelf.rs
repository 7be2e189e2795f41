//! Where the relay's stores come from: one file per namespace, made at first contact.

use std::collections::BTreeSet;
use std::path::PathBuf;

use syncline_core::wire::{Refused, RefusedCode};
use syncline_engine::{OnDisk, Options, Shelf, Store};

use crate::error::StartError;
use crate::folder::DataFolder;
use crate::names;

/// When a peer may try again after a limit or a failure of ours.
const RETRY_MS: u64 = 60_000;

/// The stores of a data folder. Dropping it gives the folder free.
#[derive(Debug)]
pub(crate) struct FolderShelf {
    folder: DataFolder,
    namespaces_max: usize,
    /// Files of namespaces that exist.
    files: BTreeSet<String>,
}

impl FolderShelf {
    /// Looks up what the folder holds already.
    pub(crate) fn new(folder: DataFolder, namespaces_max: usize) -> Result<Self, StartError> {
        let path = folder.namespaces();
        let failed = |source| StartError::Folder { path: path.clone(), source };
        let mut files = BTreeSet::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| names::is_namespace_file(name)) {
                files.insert(name.to_owned());
            }
        }
        Ok(Self { folder, namespaces_max, files })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.namespaces().join(file)
    }
}

impl Shelf for FolderShelf {
    fn open(&mut self, namespace: &str, _token: Option<&str>) -> Result<Store, Refused> {
        if let Err(detail) = names::check(namespace) {
            return Err(Refused { code: RefusedCode::Namespace, detail, retry_after_ms: 0 });
        }
        let file = names::file_name(namespace);
        if !self.files.contains(&file) && self.files.len() >= self.namespaces_max {
            tracing::warn!(namespaces_max = self.namespaces_max, "a new namespace was refused");
            return Err(busy("this relay keeps no further namespaces"));
        }
        let mut seed = [0; 32];
        if let Err(error) = getrandom::fill(&mut seed) {
            tracing::error!(%error, "the system has no randomness to give");
            return Err(busy("the relay cannot open the namespace at the moment"));
        }
        let options = Options { namespace: Some(namespace.to_owned()), ..Options::new(seed) };
        match Store::open(Box::new(OnDisk::new(self.path(&file))), options) {
            Ok(store) => {
                self.files.insert(file);
                Ok(store)
            }
            Err(error) => {
                // What is wrong here is not for strangers to read.
                tracing::error!(namespace, %error, "a namespace cannot be opened");
                Err(busy("the relay cannot open the namespace at the moment"))
            }
        }
    }
}

fn busy(detail: &str) -> Refused {
    Refused { code: RefusedCode::Busy, detail: detail.to_owned(), retry_after_ms: RETRY_MS }
}
