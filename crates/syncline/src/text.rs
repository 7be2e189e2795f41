//! A text being edited: keystrokes in, none of them waits for the one before.

use std::collections::VecDeque;
use std::sync::Arc;

use syncline_core::record::Splice;
use syncline_core::vector::Token;
use tokio::sync::oneshot;

use crate::driver::{Message, Position, TextEdit, TextName};
use crate::error::{Error, Result};
use crate::store::{Store, token_of};
use crate::typed::{Model, TextField};

/// A collaborative text of one record, open for editing.
///
/// [`Text::splice`] hands an edit over and returns at once. Edits that wait together become one change, so fast
/// typing costs one commit per moment, not per keystroke. [`Text::flush`] waits until all of them are saved.
#[derive(Debug)]
pub struct Text {
    store: Store,
    name: Arc<TextName>,
    /// Answers that are still to come, oldest first.
    waiting: VecDeque<oneshot::Receiver<Result<Position>>>,
    failed: Option<Error>,
    last: Position,
}

impl Store {
    /// Opens a text for editing.
    pub fn text_json(&self, model: &str, id: &str, field: &str) -> Text {
        let name = TextName { model: model.to_owned(), id: id.to_owned(), field: field.to_owned() };
        Text { store: self.clone(), name: Arc::new(name), waiting: VecDeque::new(), failed: None, last: None }
    }

    /// Opens a text for editing.
    pub fn text<M: Model>(&self, id: &str, field: TextField<M>) -> Text {
        self.text_json(M::NAME, id, field.name())
    }
}

impl Text {
    /// Deletes `delete` characters at `at`, then inserts. Positions in code points of the text as the edits
    /// before have left it. An edit that does not fit is told by the next [`Text::flush`].
    pub fn splice(&mut self, at: usize, delete: usize, insert: &str) {
        self.take_answers();
        let (answer, outcome) = oneshot::channel();
        let splice = Splice { at, delete, insert: insert.to_owned() };
        let edit = TextEdit { text: Arc::clone(&self.name), splice, answer: Some(answer) };
        self.store.inner.driver.send(Message::Splice(edit));
        self.waiting.push_back(outcome);
    }

    /// Waits until every edit handed over is saved. The token of the last one; the first failure, if any did
    /// not fit.
    pub async fn flush(&mut self) -> Result<Option<Token>> {
        while let Some(next) = self.waiting.front_mut() {
            let outcome = next.await.map_err(|_| Error::Closed)?;
            self.waiting.pop_front();
            self.note(outcome);
        }
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => Ok(self.last.map(|position| token_of(self.store.namespace(), position))),
        }
    }

    /// The text as it stands, everyone's edits included; `None` if the record is gone or the text is null.
    pub async fn read(&mut self) -> Result<Option<String>> {
        self.flush().await?;
        let record = self.store.get_json(&self.name.model, &self.name.id).await?;
        Ok(record.and_then(|record| record.get(&self.name.field)?.as_str().map(str::to_owned)))
    }

    /// Takes the answers that are there already, so that fast typing does not pile them up.
    fn take_answers(&mut self) {
        while let Some(Ok(outcome)) = self.waiting.front_mut().map(oneshot::Receiver::try_recv) {
            self.waiting.pop_front();
            self.note(outcome);
        }
    }

    fn note(&mut self, outcome: Result<Position>) {
        match outcome {
            Ok(position) => self.last = position.or(self.last),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}
