//! Imports: many records in one commit, each by itself, with a bookmark that says how far a file has come.

use std::collections::BTreeMap;

use syncline_engine::RichText;

use crate::error::Result;
use crate::store::{Record, Saved, Store, with_token};

/// A record to import, with what its JSON does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportRecord {
    /// The record.
    pub record: Record,
    /// Its rich texts with their marks, by field; the record holds the same characters.
    pub texts: BTreeMap<String, RichText>,
    /// Nothing is done if the record is here and its last change (a delete is one) is not earlier than the `updatedAt`
    /// of this one, or this one has none: then [`StoreError::NotNewer`](crate::StoreError::NotNewer).
    pub newer_only: bool,
}

impl Store {
    /// Saves many records in one commit. Each stands by itself: an invalid one stops no other, and peers may
    /// see them one after the other. Times that the records carry are kept.
    pub async fn import_json(&self, model: &str, records: Vec<Record>) -> Result<Vec<Result<Saved<Record>>>> {
        let records = records.into_iter().map(|record| ImportRecord { record, ..ImportRecord::default() }).collect();
        self.import(model, records, None::<(String, fn(&[Result<Saved<Record>>]) -> String)>).await
    }

    /// As [`Store::import_json`], and in the same commit keeps a text under a name, made from what became of
    /// the records: what [`Store::bookmark`] returns after a kill at any moment is as true as what was saved.
    pub async fn import_bookmarked(
        &self,
        model: &str,
        records: Vec<ImportRecord>,
        name: &str,
        text: impl FnOnce(&[Result<Saved<Record>>]) -> String + Send + 'static,
    ) -> Result<Vec<Result<Saved<Record>>>> {
        self.import(model, records, Some((name.to_owned(), text))).await
    }

    async fn import(
        &self,
        model: &str,
        records: Vec<ImportRecord>,
        bookmark: Option<(String, impl FnOnce(&[Result<Saved<Record>>]) -> String + Send + 'static)>,
    ) -> Result<Vec<Result<Saved<Record>>>> {
        let model = model.to_owned();
        let namespace = self.inner.namespace.clone();
        self.inner
            .driver
            .exclusive(move |engine, now| {
                let saved = engine.write(now, |tx| {
                    let saved: Vec<Result<Saved<Record>>> = records
                        .iter()
                        .map(|one| {
                            tx.single(|tx| match one.newer_only {
                                true => tx.import_newer(&model, &one.record, &one.texts),
                                false => tx.import(&model, &one.record, &one.texts),
                            })
                        })
                        .map(|outcome| Ok(with_token(&namespace, outcome?)))
                        .collect();
                    if let Some((name, text)) = bookmark {
                        tx.put_bookmark(&name, Some(&text(&saved)))?;
                    }
                    Ok(saved)
                })?;
                Ok(saved)
            })
            .await
    }

    /// The text that [`Store::import_bookmarked`] kept under this name. It stays in this file, whichever process
    /// opens it, and is never sent.
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>> {
        let name = name.to_owned();
        self.inner.driver.look(move |tx| tx.bookmark(&name)).await
    }

    /// Forgets the text under this name.
    pub async fn remove_bookmark(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.inner.driver.exclusive(move |engine, now| Ok(engine.write(now, |tx| tx.put_bookmark(&name, None))?)).await
    }
}
