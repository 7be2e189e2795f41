//! Full-text search: what is asked, and its SQL.
//!
//! What a user types is never a pattern of SQLite's: it is cut into words and phrases, and each of them is a quoted
//! string of the expression that the index gets.

use serde_json::{Map, Value};
use syncline_core::record::SqlValue;
use syncline_schema::{Model, Tokenizer};

use super::error::QueryError;
use super::sql::{self, Sql};
use crate::storage::fulltext::{self, indexed_fields};

/// Key of a found record's score: the greater, the better it fits. No field can have this name.
pub const SCORE: &str = "~score";

/// Key of a found record's snippet. No field can have this name.
pub const SNIPPET: &str = "~snippet";

/// How many columns found records have beside their fields, where the index is asked.
pub(super) const COLUMNS: usize = 2;

/// Characters of a word that an index of trigrams can look for.
const TRIGRAM: usize = 3;

/// Characters that are no letters of their own: the index leaves them out.
const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// SQLite's own limit for the words of a snippet.
const SNIPPET_WORDS_MAX: u32 = 64;

/// Words that are looked for in the fields of a model that are marked `@fulltext`.
///
/// Every word must be there, in any order and in any of the fields; what stands in double quotes must be there as a
/// phrase. Case does not matter, nor do accents. A text without words finds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What the user typed.
    pub text: String,
    /// The last word may go on: `mil` finds "milk".
    pub prefix: bool,
    /// How snippets look.
    pub snippet: Snippet,
}

/// How the place that was found is shown. Texts are shown as they are: escape them where they become HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Stands before what was found.
    pub open: String,
    /// Stands behind what was found.
    pub close: String,
    /// Stands where the text goes on.
    pub ellipsis: String,
    /// Length in words, 64 at most; with trigrams, in characters.
    pub words: u32,
}

impl Default for Snippet {
    fn default() -> Self {
        Self { open: "[".to_owned(), close: "]".to_owned(), ellipsis: "…".to_owned(), words: 16 }
    }
}

impl Search {
    /// Looks for these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), prefix: false, snippet: Snippet::default() }
    }

    /// The last word may go on, as while somebody types.
    pub fn prefix(self) -> Self {
        Self { prefix: true, ..self }
    }

    /// What stands before and behind the found words of a snippet.
    pub fn marks(mut self, open: impl Into<String>, close: impl Into<String>) -> Self {
        (self.snippet.open, self.snippet.close) = (open.into(), close.into());
        self
    }
}

impl From<&str> for Search {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Search {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A search that fits its model.
pub(super) struct Prepared<'a> {
    model: &'a Model,
    search: &'a Search,
    /// What the index gets; `None` if it cannot look for any of the words.
    expression: Option<String>,
    /// Words that are too short for the index: they are looked for in every record.
    short: Vec<String>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(model: &'a Model, search: &'a Search) -> Result<Self, QueryError> {
        if indexed_fields(model).next().is_none() {
            return Err(QueryError::NoFulltext { model: model.name.clone(), example: example(model) });
        }
        let words = words(&search.text);
        let length = |word: &str| word.chars().filter(|letter| !ACCENTS.contains(letter)).count();
        let is_short = |word: &String| model.tokenizer == Tokenizer::Trigram && length(word) < TRIGRAM;
        let (short, long): (Vec<String>, Vec<String>) = words.into_iter().partition(is_short);
        let mut expression: String = long.iter().map(|word| format!("\"{word}\" ")).collect();
        if search.prefix && !expression.is_empty() {
            expression.push('*');
        }
        Ok(Self { model, search, expression: Some(expression).filter(|text| !text.is_empty()), short })
    }

    /// The tables with a row for each record that is found.
    pub(super) fn source(&self) -> Sql {
        let table = sql::quoted(&self.model.name);
        let Some(expression) = &self.expression else { return Sql::text(&table) };
        let index = sql::quoted(&fulltext::table_name(self.model));
        let mut source =
            Sql::text(&format!("{table} JOIN (SELECT rowid AS \"~hit\", -bm25({index}) AS {}", sql::quoted(SCORE)));
        source.append(self.snippet(&index));
        source.push(&format!(" FROM {index} WHERE {index} MATCH "));
        source.bind(SqlValue::Text(expression.clone()));
        source.push(") ON \"~hit\" = syncline_record");
        source
    }

    fn snippet(&self, index: &str) -> Sql {
        let Snippet { open, close, ellipsis, words } = &self.search.snippet;
        let words = i64::from((*words).clamp(1, SNIPPET_WORDS_MAX));
        let text = |text: &String| Sql::value(SqlValue::Text(text.clone()));
        let settings = vec![text(open), text(close), text(ellipsis), Sql::value(SqlValue::Integer(words))];
        Sql::of([
            Sql::text(&format!(", snippet({index}, -1, ")),
            Sql::list(settings),
            Sql::text(&format!(") AS {}", sql::quoted(SNIPPET))),
        ])
    }

    /// The columns that found records have beside their fields.
    pub(super) fn columns(&self) -> String {
        match self.expression {
            Some(_) => format!(", {}, {}", sql::quoted(SCORE), sql::quoted(SNIPPET)),
            None => String::new(),
        }
    }

    /// What ranked records are ordered by before their keys.
    pub(super) fn rank(&self) -> Option<String> {
        self.expression.as_ref().map(|_| format!("{} DESC", sql::quoted(SCORE)))
    }

    /// What must hold of each record beside [`Prepared::source`]; empty for nothing.
    pub(super) fn condition(&self) -> Sql {
        if self.expression.is_none() && self.short.is_empty() {
            return Sql::text("0");
        }
        Sql::chain("AND", self.short.iter().map(|word| self.anywhere(word)).collect())
    }

    /// What must hold of each record where the model's table stands alone.
    pub(super) fn whole_condition(&self) -> Sql {
        let Some(expression) = &self.expression else { return self.condition() };
        let index = sql::quoted(&fulltext::table_name(self.model));
        let mut found = Sql::text(&format!("syncline_record IN (SELECT rowid FROM {index} WHERE {index} MATCH "));
        found.bind(SqlValue::Text(expression.clone()));
        found.push(")");
        let rest = self.condition();
        if rest.is_empty() { found } else { Sql::chain("AND", vec![found, rest]) }
    }

    fn anywhere(&self, word: &str) -> Sql {
        let pattern = format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let likes = indexed_fields(self.model).map(|field| {
            let column = sql::quoted(&field.name);
            let pattern = Sql::value(SqlValue::Text(pattern.clone()));
            Sql::of([Sql::text(&format!("{column} LIKE ")), pattern, Sql::text(" ESCAPE '\\'")])
        });
        Sql::chain("OR", likes.collect())
    }

    /// Adds score and snippet to a record: from the row, or made here if the index had nothing to look for.
    pub(super) fn complete(&self, record: &mut Map<String, Value>, row: Option<(f64, String)>) {
        let (score, snippet) = row.unwrap_or_else(|| (0.0, self.cut_snippet(record)));
        record.insert(SCORE.to_owned(), score.into());
        record.insert(SNIPPET.to_owned(), snippet.into());
    }

    /// Whether [`Prepared::complete`] is given what the row has.
    pub(super) fn is_ranked(&self) -> bool {
        self.expression.is_some()
    }

    fn cut_snippet(&self, record: &Map<String, Value>) -> String {
        let texts = indexed_fields(self.model).filter_map(|field| record.get(&field.name)?.as_str());
        let place = |text: &'_ str| {
            let folded = text.to_ascii_lowercase();
            let mut places = self.short.iter();
            places.find_map(|word| folded.find(&word.to_ascii_lowercase()).map(|at| (at, at + word.len())))
        };
        let found = texts.filter_map(|text| Some((text, place(text)?))).next();
        found.map_or_else(String::new, |(text, (from, to))| excerpt(text, from, to, &self.search.snippet))
    }
}

/// A part of a text around what was found at these bytes.
fn excerpt(text: &str, from: usize, to: usize, snippet: &Snippet) -> String {
    let around = (snippet.words.clamp(1, SNIPPET_WORDS_MAX) / 2) as usize;
    let (before, found, after) = (&text[..from], &text[from..to], &text[to..]);
    let start = before.char_indices().rev().nth(around.saturating_sub(1)).map_or(0, |(at, _)| at);
    let end = after.char_indices().nth(around).map_or(after.len(), |(at, _)| at);
    let Snippet { open, close, ellipsis, .. } = snippet;
    let gap = |cut: bool| if cut { ellipsis.as_str() } else { "" };
    let (before, head, after, tail) = (&before[start..], gap(start > 0), &after[..end], gap(end < after.len()));
    format!("{head}{before}{open}{found}{close}{after}{tail}")
}

/// A field that could be marked, for a message.
fn example(model: &Model) -> String {
    let mut fields = model.fields.iter().filter(|field| field.kind.takes_fulltext());
    let name = fields.next().map_or("title", |field| field.name.as_str());
    format!("{name}: String @fulltext")
}

/// The words and phrases of a text, none of them empty or with a double quote inside.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        // Every other part stands in quotes; a quote that nobody closed goes to the end.
        let is_phrase = index % 2 == 1;
        // SQLite takes a NUL for the end of the expression.
        let part = part.replace('\0', " ");
        if is_phrase {
            words.push(part.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words_and_phrases() {
        for (text, expected) in [
            ("oat milk", vec!["oat", "milk"]),
            ("  oat\u{a0}\tmilk ", vec!["oat", "milk"]),
            ("\"oat  milk\" tea", vec!["oat milk", "tea"]),
            ("tea \"oat mi", vec!["tea", "oat mi"]),
            ("a\"b\"c", vec!["a", "b", "c"]),
            ("NOT (a OR b*) title:x", vec!["NOT", "(a", "OR", "b*)", "title:x"]),
            ("a\0b", vec!["a", "b"]),
            ("\"\" \" \"", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_excerpt_shows_what_was_found_and_a_bit_around_it() {
        let snippet = Snippet { words: 4, ..Snippet::default() };
        let cut = |text: &str, word: &str| {
            let from = text.find(word).unwrap_or_default();
            excerpt(text, from, from + word.len(), &snippet)
        };
        assert_eq!(cut("abcdefgh", "de"), "…bc[de]fg…");
        assert_eq!(cut("東京塔へ", "東京"), "[東京]塔へ");
        assert_eq!(cut("去年の東京塔は高い", "東京"), "…年の[東京]塔は…");
    }
}
