//! Imports: many records in one commit, each by itself, with a bookmark that says how far a file has come.

use std::collections::BTreeMap;

use syncline_engine::{Draft, Drafting, Imported, RichText, Source};
use uuid::Uuid;

use crate::ahead;
use crate::error::{Error, Result};
use crate::store::{Record, Store};

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

impl ImportRecord {
    /// The draft of its record, if nothing else comes with it. What is wrong with a record is told when it is saved.
    fn draft<'a>(drafting: &Drafting<'a>, one: Self, id: Uuid) -> Result<Draft<'a>, Self> {
        if !one.texts.is_empty() || one.newer_only {
            return Err(one);
        }
        let drafted = drafting.draft(one.record, id);
        drafted.map(|(draft, ())| draft).map_err(|record| Self { record, ..Self::default() })
    }
}

impl Store {
    /// Saves many records in one commit, and says what became of each, in their order. Each stands by itself: an
    /// invalid one stops no other, and peers may see them one after the other. Times that the records carry are kept.
    pub async fn import_json(&self, model: &str, records: Vec<Record>) -> Result<Vec<Result<Imported>>> {
        let records = records.into_iter().map(|record| ImportRecord { record, ..ImportRecord::default() }).collect();
        self.import(model, records, None::<(String, fn(&[Result<Imported>]) -> String)>).await
    }

    /// As [`Store::import_json`], and in the same commit keeps a text under a name, made from what became of
    /// the records: what [`Store::bookmark`] returns after a kill at any moment is as true as what was saved.
    pub async fn import_bookmarked(
        &self,
        model: &str,
        records: Vec<ImportRecord>,
        name: &str,
        text: impl FnOnce(&[Result<Imported>]) -> String + Send + 'static,
    ) -> Result<Vec<Result<Imported>>> {
        self.import(model, records, Some((name.to_owned(), text))).await
    }

    async fn import(
        &self,
        model: &str,
        records: Vec<ImportRecord>,
        bookmark: Option<(String, impl FnOnce(&[Result<Imported>]) -> String + Send + 'static)>,
    ) -> Result<Vec<Result<Imported>>> {
        let model = model.to_owned();
        self.inner
            .driver
            .exclusive(move |engine, now| {
                let imported = engine.write(now, |tx| {
                    let mut imported: Vec<Result<Imported>> = Vec::with_capacity(records.len());
                    let what = (model.as_str(), Source::Import);
                    ahead::drafted(tx, what, records, ImportRecord::draft, |tx, prepared| {
                        let outcome = tx.single(|tx| match prepared {
                            Ok(draft) => tx.import_draft(draft),
                            Err(one) if one.newer_only => tx.import_newer(&model, &one.record, &one.texts),
                            Err(one) => tx.import(&model, &one.record, &one.texts),
                        });
                        imported.push(outcome.map_err(Error::from));
                        // While the next ones are drafted.
                        if imported.len().is_multiple_of(ahead::WRITTEN_AT_ONCE) { tx.flush() } else { Ok(()) }
                    })?;
                    if let Some((name, text)) = bookmark {
                        tx.put_bookmark(&name, Some(&text(&imported)))?;
                    }
                    Ok(imported)
                })?;
                Ok(imported)
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
