//! What is wrong with a file, and exactly where.

use std::fmt;
use std::ops::Range;

use syncline_schema::Diagnostics;

/// Why a scenario, a failure file or a setting is not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A place in the file is wrong.
    #[error("{0}")]
    Wrong(Box<Wrong>),
    /// The schema is refused.
    #[error("{0}")]
    Schema(Box<Diagnostics>),
}

/// A wrong place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line, or the part of a long one that matters.
    excerpt: String,
    /// How many characters of the excerpt stand before the marked ones.
    before: usize,
    /// How many characters are marked.
    marked: usize,
}

/// Characters of a line that an excerpt shows at most.
const EXCERPT_MAX: usize = 100;

impl ScenarioError {
    pub(crate) fn at(file: &str, text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::Wrong(Box::new(Wrong::at(file, text, &span, message.into())))
    }

    /// The same with a cure.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    /// The same with a cure, if there is one.
    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        match self {
            Self::Wrong(wrong) => Self::Wrong(Box::new(Wrong { help: help.or(wrong.help), ..*wrong })),
            Self::Schema(diagnostics) => Self::Schema(diagnostics),
        }
    }
}

impl Wrong {
    fn at(file: &str, text: &str, span: &Range<usize>, message: String) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let column = text[line_start..start].chars().count();
        let marked = text[start..end.min(line_end)].chars().count().max(1);
        let skipped = if column > EXCERPT_MAX / 2 { column - EXCERPT_MAX / 4 } else { 0 };
        let excerpt: String = text[line_start..line_end].chars().skip(skipped).take(EXCERPT_MAX).map(plain).collect();
        let before = column - skipped;
        Self {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: column + 1,
            message,
            help: None,
            marked: marked.min(EXCERPT_MAX.saturating_sub(before).max(1)),
            excerpt,
            before,
        }
    }
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// Tabs and the like would move the mark away from what it marks.
fn plain(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, .. } = self;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt.trim_end())?;
        write!(f, "{margin} | {}{}", " ".repeat(self.before), "^".repeat(self.marked))?;
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}
