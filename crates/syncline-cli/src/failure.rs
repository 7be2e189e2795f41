//! How a command fails: what is said, and with which exit code.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

/// Result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be done.
    Failed(String),
    /// It was not asked for correctly.
    Usage(String),
    /// Its time was over.
    TimedOut(String),
    /// Nobody reads what it prints; not worth a word.
    NobodyReads,
}

impl Failure {
    pub(crate) fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// A file could not be read.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let path = path.display();
        Self::Failed(match error.kind() {
            ErrorKind::NotFound => format!("there is no file {path}"),
            ErrorKind::IsADirectory => format!("{path} is a folder, not a file"),
            ErrorKind::InvalidData => format!("{path} is not text in UTF-8"),
            _ => format!("{path} cannot be read: {error}"),
        })
    }

    /// A file could not be written.
    pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("{} cannot be written: {error}", path.display()))
    }

    /// The program's exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::TimedOut(_) => 3,
            Self::NobodyReads => 0,
        }
    }

    /// What to tell the user; nothing if there is nobody to tell.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::TimedOut(message) => Some(message),
            Self::NobodyReads => None,
        }
    }
}
