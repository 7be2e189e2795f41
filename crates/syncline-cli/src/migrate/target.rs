//! The folder that a migration writes into: a new one, or one in which a migration goes on.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::output::say;
use crate::paths;

/// Stands in every folder that a migration made, before anything else does.
const MARK: &str = "migration.txt";

const MARK_TEXT: &str =
    "Made by `syncline migrate amplify`, which goes on here when it is run again with this folder.\n";

/// A folder that is a migration's own.
pub(super) struct Target<'a> {
    folder: &'a Path,
}

impl<'a> Target<'a> {
    /// Makes the folder, or takes up one that a migration made. One that holds other things is refused, and so is one in
    /// the project's backend, which Amplify takes for a part of the project.
    pub(super) fn open(folder: &'a Path, backend: &Path) -> Outcome<Self> {
        if let (Some(target), Ok(backend)) = (paths::settled(folder), backend.canonicalize())
            && target.starts_with(&backend)
        {
            return Err(Failure::usage(format!(
                "--out: {} lies in the project's backend, {}; name a folder outside of it",
                folder.display(),
                backend.display()
            )));
        }
        let unusable = |error: std::io::Error| {
            Failure::failed(format!("the folder {} cannot be made or read: {error}", folder.display()))
        };
        fs::create_dir_all(folder).map_err(unusable)?;
        let is_empty = fs::read_dir(folder).map_err(unusable)?.next().is_none();
        let target = Self { folder };
        if is_empty {
            target.create(MARK, MARK_TEXT)?;
        } else if !target.path(MARK).is_file() {
            return Err(Failure::failed(format!(
                "{} holds files that no migration made; they were left as they are: name a new folder",
                folder.display()
            )));
        }
        Ok(target)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that the migration stands on. One with another text is refused.
    pub(super) fn write(&self, name: &str, text: &str) -> Outcome {
        if self.create(name, text)? || self.holds(name, text)? {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{} is not as this migration would write it, and was left as it is: move it away if the project has changed \
             since, or name a new folder",
            self.path(name).display()
        )))
    }

    /// Writes a draft for people to go on from. One that was changed is kept.
    pub(super) fn draft(&self, name: &str, text: &str) -> Outcome {
        if !self.create(name, text)? && !self.holds(name, text)? {
            say(format_args!("{} was changed since, and is left as it is", self.path(name).display()));
        }
        Ok(())
    }

    /// Writes a file anew: whole, or not at all.
    pub(super) fn renew(&self, name: &str, text: &str) -> Outcome {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|error| Failure::unwritable(&path, &error))
    }

    /// Whether there was no such file, and now it has this text.
    fn create(&self, name: &str, text: &str) -> Outcome<bool> {
        let path = self.path(name);
        match File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| Failure::unwritable(&path, &error))?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Failure::unwritable(&path, &error)),
        }
    }

    fn holds(&self, name: &str, text: &str) -> Outcome<bool> {
        let path = self.path(name);
        let held = fs::read(&path).map_err(|error| Failure::unreadable(&path, &error))?;
        Ok(held == text.as_bytes())
    }
}
