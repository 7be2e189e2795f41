//! What is looked at, and what each key does to it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use syncline::Store;

use super::facts::{Facts, ROWS, Target, View, Wish};
use super::shown::shown;
use crate::failure::{Failure, Outcome};

/// What a key asks of whoever shows the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// At most to draw it again.
    Nothing,
    /// To read what it wishes for.
    Read,
    /// To end.
    Leave,
}

/// The page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) wish: Wish,
    /// A filter that is being typed.
    pub(super) typed: Option<String>,
    /// The row that is marked.
    pub(super) marked: usize,
    /// First line that shows of the record that is looked at.
    pub(super) scrolled: usize,
    /// Lines that the record has room for, as last drawn.
    pub(super) room: usize,
    pub(super) helps: bool,
    pub(super) facts: Facts,
    /// Why the last reading failed.
    pub(super) trouble: Option<String>,
    /// The first model, for the list of records before any was chosen.
    first_model: Option<String>,
}

impl Page {
    pub(super) fn new(store: &Store) -> Self {
        let first_model = store.schema().and_then(|schema| schema.models.first()).map(|model| model.name.clone());
        Self { first_model, ..Self::default() }
    }

    /// What is to be read for it.
    pub(super) fn wish(&self) -> Wish {
        self.wish.clone()
    }

    /// Takes what was read. Whether that is still what is wished for.
    pub(super) fn take(&mut self, wish: &Wish, facts: Outcome<Facts>) -> bool {
        if *wish != self.wish {
            return false;
        }
        match facts {
            Ok(facts) => {
                self.marked = self.marked.min(facts.rows.len().saturating_sub(1));
                self.facts = facts;
                self.trouble = None;
            }
            Err(failure) => self.trouble = Some(shown(&words(&failure))),
        }
        true
    }

    /// Does what a key says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing here")]
    pub(super) fn press(&mut self, key: KeyEvent) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { Act::Leave } else { Act::Nothing };
        }
        if self.typed.is_some() {
            return self.type_filter(key.code);
        }
        if std::mem::take(&mut self.helps) {
            return Act::Nothing;
        }
        match key.code {
            KeyCode::Char('q') => Act::Leave,
            KeyCode::Char('?') => {
                self.helps = true;
                Act::Nothing
            }
            KeyCode::Char('r') => Act::Read,
            KeyCode::Char('/') => {
                self.typed = Some(self.wish.filter.clone());
                Act::Nothing
            }
            KeyCode::Char(digit @ '1'..='7') => self.go(View::ALL[digit as usize - '1' as usize]),
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.turn(1),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.turn(View::ALL.len() - 1),
            KeyCode::Esc | KeyCode::Backspace => self.back(),
            KeyCode::Enter => self.open(),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.step(self.room.max(2) as isize - 1),
            KeyCode::PageUp => self.step(1 - self.room.max(2) as isize),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX / 2),
            _ => Act::Nothing,
        }
    }

    /// The next view, so many on.
    fn turn(&mut self, by: usize) -> Act {
        let at = View::ALL.iter().position(|view| *view == self.wish.view).unwrap_or(0);
        self.go(View::ALL[(at + by) % View::ALL.len()])
    }

    fn go(&mut self, view: View) -> Act {
        let model = self.wish.model.take().or_else(|| self.first_model.clone());
        let filter = std::mem::take(&mut self.wish.filter);
        self.look(Wish { view, model, filter, ..Wish::default() })
    }

    fn look(&mut self, wish: Wish) -> Act {
        self.wish = wish;
        (self.marked, self.scrolled, self.trouble) = (0, 0, None);
        self.facts = Facts { head: std::mem::take(&mut self.facts.head), ..Facts::default() };
        Act::Read
    }

    fn open(&mut self) -> Act {
        match self.facts.rows.get(self.marked).and_then(|row| row.target.clone()) {
            Some(Target::Model(model)) => {
                self.look(Wish { view: View::Records, model: Some(model), ..Wish::default() })
            }
            Some(record @ Target::Record { .. }) if self.wish.record.is_none() => {
                (self.wish.record, self.scrolled) = (Some(record), 0);
                Act::Read
            }
            Some(Target::Record { .. }) | None => Act::Nothing,
        }
    }

    /// Leaves the record, then the filter, then the model.
    fn back(&mut self) -> Act {
        if self.wish.record.take().is_some() {
            self.trouble = None;
            self.facts.record.clear();
            return Act::Nothing;
        }
        if !self.wish.filter.is_empty() {
            self.wish.filter.clear();
            return self.go(self.wish.view);
        }
        if self.wish.view == View::Models { Act::Nothing } else { self.go(View::Models) }
    }

    /// Moves the mark, or the lines of the record that is looked at.
    fn step(&mut self, by: isize) -> Act {
        if self.wish.record.is_some() {
            let last = self.facts.record.len().saturating_sub(self.room.max(1));
            self.scrolled = self.scrolled.saturating_add_signed(by).min(last);
            return Act::Nothing;
        }
        let last = self.facts.rows.len().saturating_sub(1);
        let to = self.marked.saturating_add_signed(by);
        if to > last && self.facts.more && self.marked == last {
            self.wish.first += ROWS;
            self.marked = 0;
            return Act::Read;
        }
        if by < 0 && self.marked == 0 && self.wish.first > 0 {
            self.wish.first -= ROWS.min(self.wish.first);
            self.marked = ROWS as usize - 1;
            return Act::Read;
        }
        self.marked = to.min(last);
        Act::Nothing
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing here")]
    fn type_filter(&mut self, key: KeyCode) -> Act {
        let Some(typed) = &mut self.typed else { return Act::Nothing };
        match key {
            KeyCode::Char(letter) => typed.push(letter),
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Esc => self.typed = None,
            KeyCode::Enter => {
                let filter = std::mem::take(typed).trim().to_owned();
                self.typed = None;
                let model = self.wish.model.take().or_else(|| self.first_model.clone());
                return self.look(Wish { view: View::Records, model, filter, ..Wish::default() });
            }
            _ => {}
        }
        Act::Nothing
    }
}

/// The message without the lines behind the first, for which a page has no room.
fn words(failure: &Failure) -> String {
    failure.message().unwrap_or("it cannot be read").lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
