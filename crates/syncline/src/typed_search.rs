//! Typed queries that look for words.

use syncline_engine::query::{SCORE, SNIPPET, Search};

use crate::error::Result;
use crate::typed::{Model, from_json};
use crate::typed_store::TypedQuery;

/// A record that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit<M> {
    /// The record.
    pub record: M,
    /// How well it fits: the greater the better. Comparable within one result only.
    pub score: f64,
    /// The best place that was found, with its marks. Not escaped: it is text, not HTML.
    pub snippet: String,
}

impl<M: Model> TypedQuery<M> {
    /// Only records with these words in their fields marked `@fulltext`, the best first unless ordered otherwise:
    /// `search("oat milk")`, or a [`Search`] that says more.
    pub fn search(mut self, search: impl Into<Search>) -> Self {
        self.query.search = Some(search.into());
        self
    }

    /// The records that the search found, each with its score and snippet. Without a search nothing is scored, and
    /// snippets are empty.
    pub async fn hits(self) -> Result<Vec<Hit<M>>> {
        let page = self.store.query_json(self.query).await?;
        let hit = |mut record: crate::store::Record| {
            let score = record.remove(SCORE).and_then(|score| score.as_f64()).unwrap_or_default();
            let snippet = record.remove(SNIPPET).and_then(|snippet| snippet.as_str().map(str::to_owned));
            Ok(Hit { record: from_json(record)?, score, snippet: snippet.unwrap_or_default() })
        };
        page.records.into_iter().map(hit).collect()
    }
}
