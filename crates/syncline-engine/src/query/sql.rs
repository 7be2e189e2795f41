//! Pieces of SQL with their bound values, and the expressions that stand for fields.

use syncline_core::record::{SqlType, SqlValue};
use syncline_schema::{FieldKind, Model};

use super::error::QueryError;

/// Most values of one statement; SQLite's own limit is 32,766.
const VALUES_MAX: usize = 30_000;

/// A statement and the values of its parameters, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The text; every value of the user's is a `?`.
    pub sql: String,
    /// The values.
    pub params: Vec<SqlValue>,
}

/// A piece of SQL.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sql {
    text: String,
    params: Vec<SqlValue>,
}

impl Sql {
    pub(super) fn text(text: &str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    pub(super) fn value(value: SqlValue) -> Self {
        Self { text: "?".to_owned(), params: vec![value] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many values it has.
    pub(super) fn values(&self) -> usize {
        self.params.len()
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn bind(&mut self, value: SqlValue) {
        self.text.push('?');
        self.params.push(value);
    }

    pub(super) fn append(&mut self, piece: Self) {
        self.text.push_str(&piece.text);
        self.params.extend(piece.params);
    }

    /// The pieces in a row: `Sql::of([…])` reads as the text it makes.
    pub(super) fn of<const N: usize>(pieces: [Self; N]) -> Self {
        let mut all = Self::default();
        pieces.into_iter().for_each(|piece| all.append(piece));
        all
    }

    /// The pieces with commas between them.
    pub(super) fn list(pieces: Vec<Self>) -> Self {
        let mut all = Self::default();
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                all.push(", ");
            }
            all.append(piece);
        }
        all
    }

    /// The pieces joined by AND or OR, as a balanced tree: SQLite bounds an expression's depth, and a
    /// chain is as deep as it is long.
    pub(super) fn chain(operator: &str, mut pieces: Vec<Self>) -> Self {
        if pieces.len() < 2 {
            return pieces.pop().unwrap_or_default();
        }
        let right = pieces.split_off(pieces.len() / 2);
        Self::of([
            Self::text("("),
            Self::chain(operator, pieces),
            Self::text(&format!(" {operator} ")),
            Self::chain(operator, right),
            Self::text(")"),
        ])
    }

    pub(super) fn compiled(self) -> Result<Compiled, QueryError> {
        if self.params.len() > VALUES_MAX {
            return Err(QueryError::TooManyValues { found: self.params.len(), most: VALUES_MAX });
        }
        Ok(Compiled { sql: self.text, params: self.params })
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a field or path of the model is in SQL: its column, or a part of an embedded value's JSON.
pub(super) fn expression(path: &str) -> String {
    expression_in("", path)
}

/// The same, of a certain table: `table` is empty, or its name with a dot behind it.
pub(super) fn expression_in(table: &str, path: &str) -> String {
    match path.split_once('.') {
        None => format!("{table}{}", quoted(path)),
        Some((column, inner)) => {
            let steps: Vec<String> = inner.split('.').map(quoted).collect();
            let json_path = format!("$.{}", steps.join(".")).replace('\'', "''");
            format!("json_extract({table}{}, '{json_path}')", quoted(column))
        }
    }
}

/// What stands behind a field that is not null: a range, for SQLite finds nothing in an index by IS NOT NULL.
pub(super) fn not_null(path: &str, kind: &FieldKind) -> &'static str {
    match SqlType::of(kind) {
        _ if path.contains('.') => " IS NOT NULL",
        SqlType::Integer | SqlType::Real => " >= -9e999",
        SqlType::Text => " >= ''",
    }
}

/// Whether the value of a field is JSON of a list.
pub(super) fn is_list(kind: &FieldKind) -> bool {
    matches!(kind, FieldKind::List(_) | FieldKind::Set(_))
}

/// Whether a list or set has the element, which may be null.
pub(super) fn has_element(list: Sql, element: Sql) -> Sql {
    Sql::of([
        Sql::text("EXISTS(SELECT 1 FROM json_each("),
        list,
        Sql::text(") AS element WHERE element.value IS "),
        element,
        Sql::text(")"),
    ])
}

/// The key fields as columns.
pub(super) fn key_columns(model: &Model) -> Vec<String> {
    model.key_fields().into_iter().map(quoted).collect()
}
