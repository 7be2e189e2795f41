//! A text being edited: keystrokes in, none of them waits for the one before.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use syncline_core::record::TextEdit;
use syncline_core::rich::{Expand, Mark, Span};
use syncline_core::text_cursor::Side;
use syncline_core::vector::Token;
use tokio::sync::oneshot;

use crate::driver::{Message, Position, QueuedEdit, TextName};
use crate::error::{Error, Result};
use crate::store::{Store, token_of};
use crate::typed::{Model, RecordKey, TextField};

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
    pub fn text<M: Model>(&self, id: impl RecordKey<M>, field: TextField<M>) -> Text {
        self.text_json(M::NAME, id.as_key(), field.name())
    }
}

impl Text {
    /// Deletes `delete` characters at `at`, then inserts. Positions in code points of the text as the edits
    /// before have left it. An edit that does not fit is told by the next [`Text::flush`].
    pub fn splice(&mut self, at: usize, delete: usize, insert: &str) {
        self.hand_over(TextEdit::Splice { at, delete, insert: insert.to_owned() });
    }

    /// Puts a mark on characters of a rich text, as [`Text::splice`] hands an edit over. Positions in code
    /// points of the text as the edits before have left it.
    pub fn mark(&mut self, range: Range<usize>, mark: Mark) {
        self.hand_over(TextEdit::Mark { range, mark });
    }

    /// Takes the marks of a name from characters of a rich text, as [`Text::splice`] hands an edit over.
    pub fn unmark(&mut self, range: Range<usize>, name: &str, expand: Expand) {
        self.hand_over(TextEdit::Unmark { range, name: name.to_owned(), expand });
    }

    fn hand_over(&mut self, edit: TextEdit) {
        self.take_answers();
        let (answer, outcome) = oneshot::channel();
        let edit = QueuedEdit { text: Arc::clone(&self.name), edit, answer: Some(answer) };
        self.store.inner.driver.send(Message::Text(edit));
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

    /// The rich text as it stands, everyone's edits included; `None` if it is null.
    pub async fn spans(&mut self) -> Result<Option<Vec<Span>>> {
        self.flush().await?;
        self.store.spans_json(&self.name.model, &self.name.id, &self.name.field).await
    }

    /// A cursor at a position, as [`Store::cursor_json`] gives it, once the edits handed over are saved.
    pub async fn cursor(&mut self, position: usize, side: Side) -> Result<String> {
        self.flush().await?;
        self.store.cursor_json(&self.name.model, &self.name.id, &self.name.field, position, side).await
    }

    /// Where a cursor stands now, in code points, once the edits handed over are saved.
    pub async fn position_of(&mut self, cursor: &str) -> Result<usize> {
        self.flush().await?;
        self.store.position_of_json(&self.name.model, &self.name.id, &self.name.field, cursor).await
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
