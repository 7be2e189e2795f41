//! How far an import has come, so that one that was cut off goes on there.
//!
//! With every batch of rows a bookmark is kept in the store, in the same transaction: how many rows were taken, and
//! a hash of all they held. It is found again by the model with its fields and relations, the options and the first row,
//! whatever the file is called and wherever it lies, and it counts only if the file's first rows are still those: another
//! file, or one that was changed before that place, begins at its beginning.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncline::Store;

use super::Counts;
use super::rejects::Written;
use super::shapes::Shapes;
use super::source::{Row, Source};
use crate::failure::{Failure, Outcome};

/// A running hash over rows.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) rows: u64,
    hash: blake3::Hasher,
}

impl Taken {
    pub(super) fn none() -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(b"syncline import bookmark 2");
        Self { rows: 0, hash }
    }

    pub(super) fn row(&mut self, row: &Row) {
        self.rows = row.number;
        let content = match &row.columns {
            Ok(columns) => serde_json::to_vec(columns).unwrap_or_default(),
            Err(unreadable) => [unreadable.reason.as_bytes(), unreadable.text.as_bytes()].join(&0),
        };
        self.hash.update(&(content.len() as u64).to_be_bytes());
        self.hash.update(&content);
    }

    fn hash(&self) -> String {
        self.hash.finalize().to_hex().to_string()
    }
}

/// What a store keeps of an import that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bookmark {
    rows: u64,
    hash: String,
    counts: Counts,
    rejected: Option<Written>,
}

/// Where an import begins.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    /// Name of its bookmark.
    pub(super) name: String,
    /// The rows that an earlier run has done.
    pub(super) taken: Taken,
    /// What became of them.
    pub(super) counts: Counts,
    /// The file of rejected rows by then, if there was one.
    pub(super) rejected: Option<Written>,
}

impl Begin {
    /// At the first row.
    pub(super) fn anew(name: String) -> Self {
        Self { name, taken: Taken::none(), counts: Counts::default(), rejected: None }
    }

    /// Looks whether an earlier run came to a place in this file.
    pub(super) async fn find(
        store: &Store,
        source: &Arc<Source>,
        shapes: &Shapes,
        options: &[&str],
        restart: bool,
    ) -> Outcome<Self> {
        let first = taken(source, shapes, 1).await?;
        let mut name = first.hash.clone();
        for option in options {
            name.update(&(option.len() as u64).to_be_bytes());
            name.update(option.as_bytes());
        }
        let name = format!("import:{}", name.finalize().to_hex());
        let anew = Self::anew(name);
        let kept = store.bookmark(&anew.name).await?;
        // A bookmark that cannot be read was written by another version of this program.
        let Some(kept) = kept.and_then(|text| serde_json::from_str::<Bookmark>(&text).ok()) else { return Ok(anew) };
        if restart {
            return Ok(anew);
        }
        let taken = taken(source, shapes, kept.rows).await?;
        if taken.rows != kept.rows || taken.hash() != kept.hash {
            return Ok(anew);
        }
        Ok(Self { taken, counts: kept.counts, rejected: kept.rejected, ..anew })
    }
}

/// The text of a bookmark.
pub(super) fn bookmark(taken: &Taken, counts: Counts, rejected: Option<Written>) -> String {
    let bookmark = Bookmark { rows: taken.rows, hash: taken.hash(), counts, rejected };
    serde_json::to_string(&bookmark).unwrap_or_default()
}

/// Reads the first rows of the file.
async fn taken(source: &Arc<Source>, shapes: &Shapes, rows: u64) -> Outcome<Taken> {
    let (source, shapes) = (Arc::clone(source), shapes.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let mut taken = Taken::none();
        source.read(&shapes, &mut |row| {
            if taken.rows < rows {
                taken.row(&row);
            }
            if taken.rows < rows { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(taken)
    });
    reading.await.map_err(|_| Failure::failed("reading the file broke off"))?
}
