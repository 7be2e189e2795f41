//! Which field a column fills: the one of its name, else the one that is called so but for case and blanks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use syncline_schema::{Model, did_you_mean};

/// The fields of a model, by the names that a file may give them.
pub(super) struct Columns {
    fields: Vec<String>,
    /// Folded name to field; `None` where two fields fold to the same name.
    folded: BTreeMap<String, Option<String>>,
}

impl Columns {
    pub(super) fn of(model: &Model) -> Self {
        let fields: Vec<String> = model.fields.iter().map(|field| field.name.clone()).collect();
        let mut folded: BTreeMap<String, Option<String>> = BTreeMap::new();
        for field in &fields {
            folded.entry(fold(field)).and_modify(|taken| *taken = None).or_insert_with(|| Some(field.clone()));
        }
        Self { fields, folded }
    }

    /// The field that the column fills.
    pub(super) fn field(&self, column: &str) -> Option<&str> {
        if let Some(exact) = self.fields.iter().find(|field| *field == column) {
            return Some(exact);
        }
        self.folded.get(&fold(column))?.as_deref()
    }

    /// What to say of a column that fills none.
    pub(super) fn unknown(&self, column: &str) -> String {
        let names = || self.fields.iter().map(String::as_str);
        let cure =
            did_you_mean(column, names()).unwrap_or_else(|| format!("the fields are {}", self.fields.join(", ")));
        format!("`{column}` is no field; {cure}")
    }

    /// A row with its columns renamed. Columns that fill no field keep their name, for the check to find.
    pub(super) fn rename(&self, row: Map<String, Value>) -> Result<Map<String, Value>, (String, String)> {
        let mut record = Map::with_capacity(row.len());
        for (column, value) in row {
            let field = self.field(&column).unwrap_or(&column).to_owned();
            if record.insert(field.clone(), value).is_some() {
                let reason = format!("two columns fill it, one of them `{column}`: leave one out");
                return Err((field, reason));
            }
        }
        Ok(record)
    }
}

/// A name without case, blanks, `_` and `-`.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !"_-".contains(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(fields: &[&str]) -> Columns {
        let fields: String = fields.iter().map(|field| format!("{field}: String\n")).collect();
        let parsed = syncline_schema::parse("test.graphql", &format!("type Row @model {{ {fields} }}")).unwrap();
        Columns::of(&parsed.schema.models[0])
    }

    #[test]
    fn columns_find_their_field_whatever_the_spelling() {
        let columns = columns(&["usGross", "runningTimeMin", "imdbRating"]);
        assert_eq!(columns.field("US Gross"), Some("usGross"));
        assert_eq!(columns.field("Running Time min"), Some("runningTimeMin"));
        assert_eq!(columns.field("imdb_rating"), Some("imdbRating"));
        assert_eq!(columns.field("IMDB-Rating"), Some("imdbRating"));
        assert_eq!(columns.field("US Net"), None);
    }

    #[test]
    fn of_two_fields_with_nearly_one_name_only_the_exact_one_is_meant() {
        let columns = columns(&["userName", "user_name2", "user_name"]);
        assert_eq!(columns.field("userName"), Some("userName"));
        assert_eq!(columns.field("user_name"), Some("user_name"));
        assert_eq!(columns.field("User Name"), None);
        assert_eq!(columns.field("User Name 2"), Some("user_name2"));
    }

    #[test]
    fn two_columns_for_one_field_are_named() {
        let columns = columns(&["usGross"]);
        let row = json!({"US Gross": 1, "us_gross": 2});
        let (field, reason) = columns.rename(row.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(field, "usGross");
        assert!(reason.contains("`us_gross`"), "{reason}");
    }

    #[test]
    fn a_slip_of_the_finger_is_answered_with_the_field() {
        assert!(columns(&["title"]).unknown("titel").contains("`title`"));
    }
}
