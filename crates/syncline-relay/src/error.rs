//! Why a relay does not start, or did not stop cleanly.

use std::path::PathBuf;

use syncline_engine::StoreError;
use syncline_net::{BindError, IdentityError};

/// Why a relay did not start. Nothing is listening then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no way yet to tell who somebody is, and nobody asked to go without.
    #[error(
        "the relay has no authentication configured and would serve every namespace to everybody: \
         to try it on your own machine or a trusted network, start it with --dev \
         (`dev = true` under [relay])"
    )]
    NoAuthentication,
    /// The data folder cannot be made or used.
    #[error("cannot use {} as the relay's data folder: {source}; it must be a folder that this user may write to", .path.display())]
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another relay has the data folder.
    #[error("another relay is running on {}: stop that one, or give this one another folder", .0.display())]
    FolderInUse(PathBuf),
    /// The certificate cannot be read or made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system has no socket address, thread or randomness to give.
    #[error("the system refused {what}: {problem}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        problem: String,
    },
}

/// What a stop could not finish. The relay has stopped all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// A store was not closed cleanly. What was acknowledged is on disk.
    #[error("a namespace was not closed cleanly: {0}")]
    Store(#[from] StoreError),
    /// The relay had ended before.
    #[error("the relay's thread ended by itself; its last words are in the log")]
    Crashed,
}
