//! What a JSON value of a file is: a row, or a page of rows as AppSync and DynamoDB give them.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};
use syncline::schema::Model;

/// What stands around the rows of an AppSync answer.
const AROUND_DATA: [&str; 3] = ["data", "errors", "extensions"];

/// What stands beside the rows of a page of AppSync's.
const BESIDE_ITEMS: [&str; 7] = ["items", "nextToken", "startedAt", "scannedCount", "count", "total", "__typename"];

/// What stands beside the rows of a page of DynamoDB's.
const BESIDE_SCANNED: [&str; 5] = ["Items", "Count", "ScannedCount", "LastEvaluatedKey", "ConsumedCapacity"];

/// Where a row stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// By itself.
    #[default]
    Alone,
    /// In a page of a list query.
    Page,
    /// In an export of a DynamoDB table.
    Table,
}

/// What a file lacks, by its own account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The last page names another one.
    pub(crate) goes_on: bool,
    /// The first error that a query answered with.
    pub(crate) error: Option<String>,
}

impl Whole {
    /// That in words, to be put behind the file's name.
    pub(crate) fn lacks(&self) -> impl Iterator<Item = String> {
        let rest = self.goes_on.then(|| {
            "is not the whole table: its last page names another one (nextToken, LastEvaluatedKey); fetch the pages \
             behind it and import them, too"
                .to_owned()
        });
        let error = self.error.as_ref();
        rest.into_iter()
            .chain(error.map(|error| format!("holds the error of a query, so rows may be missing: {error}")))
    }
}

/// Tells pages from rows, for one model: what the model has under such a name is a row's value.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    own: BTreeSet<String>,
}

/// A JSON value of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Row(Value, Origin),
    Rows(Vec<Value>, Origin),
}

impl Shapes {
    pub(super) fn of(model: &Model) -> Self {
        let fields = model.fields.iter().map(|field| field.name.clone());
        Self { own: fields.chain(model.relations.iter().map(|relation| relation.name.clone())).collect() }
    }

    /// Whether the model has a field or relation of that name.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.own.contains(name)
    }

    /// Whether all these names may stand around or beside rows, and none is the model's.
    pub(super) fn is_around<'k>(&self, mut names: impl Iterator<Item = &'k String>) -> bool {
        names.all(|name| {
            let name = name.as_str();
            let known = AROUND_DATA.contains(&name) || BESIDE_ITEMS.contains(&name) || BESIDE_SCANNED.contains(&name);
            known && !self.is_own(name)
        })
    }

    /// Takes a value apart. What it says of other pages and of errors goes to `whole`.
    pub(super) fn piece(&self, value: Value, whole: &mut Whole) -> Piece {
        let Value::Object(mut object) = value else { return Piece::Row(value, Origin::Alone) };
        if self.is_exported(&object) {
            let item = object.shift_remove("Item").unwrap_or_default();
            return Piece::Row(plain_item(item), Origin::Table);
        }
        if self.is_answer(&object) {
            note_errors(object.get("errors"), whole);
            return match object.shift_remove("data") {
                Some(Value::Object(queries)) => rows_of(queries, whole),
                _ => Piece::Rows(Vec::new(), Origin::Page),
            };
        }
        if is_page(&object) && (!self.is_own("items") || is_surely_page(&object)) {
            return rows_of(Map::from_iter([("page".to_owned(), Value::Object(object))]), whole);
        }
        if is_scanned(&object) && !self.is_own("Items") {
            note_rest(object.get("LastEvaluatedKey"), whole);
            let items = object.shift_remove("Items").unwrap_or_default();
            return Piece::Rows(list(items).into_iter().map(plain_item).collect(), Origin::Table);
        }
        if !object.is_empty() && object.iter().all(|(name, value)| !self.is_own(name) && is_connection(value)) {
            return rows_of(object, whole);
        }
        Piece::Row(Value::Object(object), Origin::Alone)
    }

    fn is_exported(&self, object: &Map<String, Value>) -> bool {
        let item = object.get("Item").and_then(Value::as_object);
        object.len() == 1 && !self.is_own("Item") && item.is_some_and(|item| item.values().all(is_attribute))
    }

    fn is_answer(&self, object: &Map<String, Value>) -> bool {
        let around = object.keys().all(|name| AROUND_DATA.contains(&name.as_str()));
        let queries = object.get("data").and_then(Value::as_object);
        let has_pages = queries.is_some_and(|queries| queries.values().any(is_connection));
        let has_nothing = !self.is_own("data") && object.get("data").is_none_or(is_empty_answer);
        around && !object.is_empty() && (has_pages || (has_nothing && object.contains_key("errors")))
    }
}

/// Rows of the pages that queries answered with.
fn rows_of(queries: Map<String, Value>, whole: &mut Whole) -> Piece {
    let mut rows = Vec::new();
    for page in queries.into_iter().map(|(_, page)| page) {
        let Value::Object(mut page) = page else { continue };
        note_rest(page.get("nextToken"), whole);
        rows.extend(list(page.shift_remove("items").unwrap_or_default()));
    }
    Piece::Rows(rows, Origin::Page)
}

/// Notes whether a page is the last one.
pub(super) fn note_rest(next: Option<&Value>, whole: &mut Whole) {
    whole.goes_on = next.is_some_and(|next| !next.is_null());
}

/// Notes the first error of an answer.
pub(super) fn note_errors(errors: Option<&Value>, whole: &mut Whole) {
    let Some(first) = errors.and_then(Value::as_array).and_then(|errors| errors.first()) else { return };
    let message = first.get("message").and_then(Value::as_str).map_or_else(|| first.to_string(), str::to_owned);
    whole.error.get_or_insert(message);
}

fn list(items: Value) -> Vec<Value> {
    match items {
        // AppSync gives null for a row that it could not read; the errors beside the data say why.
        Value::Array(items) => items.into_iter().filter(|item| !item.is_null()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    }
}

fn is_empty_answer(data: &Value) -> bool {
    data.as_object().map_or_else(|| data.is_null(), |queries| queries.values().all(Value::is_null))
}

/// Whether a value is records that a relation or query leads to, as AppSync shows them.
pub(super) fn is_connection(value: &Value) -> bool {
    value.as_object().is_some_and(is_page)
}

fn is_page(object: &Map<String, Value>) -> bool {
    object.get("items").is_some_and(Value::is_array) && object.keys().all(|name| BESIDE_ITEMS.contains(&name.as_str()))
}

fn is_surely_page(object: &Map<String, Value>) -> bool {
    object.contains_key("nextToken") || object.contains_key("startedAt")
}

fn is_scanned(object: &Map<String, Value>) -> bool {
    object.get("Items").is_some_and(Value::is_array)
        && object.keys().all(|name| BESIDE_SCANNED.contains(&name.as_str()))
}

/// A row in DynamoDB's JSON as plain JSON. What is none stays, for the check to name.
pub(super) fn plain_item(item: Value) -> Value {
    match item {
        Value::Object(attributes) => {
            Value::Object(attributes.into_iter().map(|(name, value)| (name, plain(value))).collect())
        }
        other => other,
    }
}

fn is_attribute(value: &Value) -> bool {
    const TYPES: [&str; 10] = ["S", "N", "BOOL", "NULL", "L", "M", "SS", "NS", "B", "BS"];
    let object = value.as_object();
    object.is_some_and(|one| one.len() == 1 && one.keys().all(|name| TYPES.contains(&name.as_str())))
}

fn plain(attribute: Value) -> Value {
    if !is_attribute(&attribute) {
        return attribute;
    }
    let Value::Object(typed) = attribute else { return Value::Null };
    match typed.into_iter().next() {
        Some((kind, value)) => of_type(&kind, value),
        None => Value::Null,
    }
}

fn of_type(kind: &str, value: Value) -> Value {
    match (kind, value) {
        ("NULL", _) => Value::Null,
        ("N", Value::String(digits)) => number(digits),
        ("NS", Value::Array(items)) => Value::Array(items.into_iter().map(|item| of_type("N", item)).collect()),
        ("L", Value::Array(items)) => Value::Array(items.into_iter().map(plain).collect()),
        ("M", value) => plain_item(value),
        (_, value) => value,
    }
}

fn number(digits: String) -> Value {
    match serde_json::from_str::<Number>(&digits) {
        Ok(number) => Value::Number(number),
        Err(_) => Value::String(digits),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shapes(own: &[&str]) -> Shapes {
        Shapes { own: own.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn rows(own: &[&str], value: Value) -> (Vec<Value>, Whole) {
        let mut whole = Whole::default();
        match shapes(own).piece(value, &mut whole) {
            Piece::Rows(rows, _) => (rows, whole),
            Piece::Row(row, origin) => panic!("a row of {origin:?}: {row}"),
        }
    }

    #[test]
    fn pages_are_found_with_and_without_what_stands_around_them() {
        let page = json!({"items": [{"id": "1"}, null, {"id": "2"}], "nextToken": null, "startedAt": 7});
        for value in [
            page.clone(),
            json!({"listPosts": page}),
            json!({"data": {"listPosts": page}}),
            json!({"data": {"a": page}, "extensions": {}}),
        ] {
            let (found, whole) = rows(&["id", "title"], value);
            assert_eq!((found, whole), (vec![json!({"id": "1"}), json!({"id": "2"})], Whole::default()));
        }
    }

    #[test]
    fn a_page_that_names_another_is_not_the_last_and_errors_are_kept() {
        let (_, whole) = rows(&["id"], json!({"items": [], "nextToken": "abc"}));
        assert!(whole.goes_on);
        let (found, whole) = rows(&["id"], json!({"data": null, "errors": [{"message": "Not Authorized"}]}));
        assert_eq!((found.len(), whole.error.as_deref()), (0, Some("Not Authorized")));
    }

    #[test]
    fn what_the_model_has_under_such_a_name_is_its_value() {
        for (own, row) in [
            ("items", json!({"items": [{"sku": "a"}]})),
            ("data", json!({"data": {"a": 1}})),
            ("Item", json!({"Item": {"a": {"S": "x"}}})),
        ] {
            let piece = shapes(&[own]).piece(row.clone(), &mut Whole::default());
            assert_eq!(piece, Piece::Row(row, Origin::Alone));
        }
        // An answer around the rows of such a model is one all the same.
        let (found, _) = rows(&["items"], json!({"data": {"listOrders": {"items": [{"items": ["a"]}]}}}));
        assert_eq!(found, [json!({"items": ["a"]})]);
        let (found, _) = rows(&["items"], json!({"items": [{"items": ["a"]}], "nextToken": null}));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn dynamodb_types_become_plain_values() {
        let item = json!({"Item": {
            "id": {"S": "1"}, "n": {"N": "12"}, "f": {"N": "0.5"}, "b": {"BOOL": true}, "z": {"NULL": true},
            "l": {"L": [{"S": "a"}, {"NULL": true}]}, "m": {"M": {"S": {"S": "deep"}}}, "s": {"SS": ["x", "y"]},
            "ns": {"NS": ["1", "2"]},
        }});
        let plain = json!({
            "id": "1", "n": 12, "f": 0.5, "b": true, "z": null, "l": ["a", null], "m": {"S": "deep"}, "s": ["x", "y"],
            "ns": [1, 2],
        });
        assert_eq!(shapes(&["id"]).piece(item, &mut Whole::default()), Piece::Row(plain, Origin::Table));
        let scanned = json!({"Items": [{"id": {"S": "1"}}], "Count": 1, "LastEvaluatedKey": {"id": {"S": "1"}}});
        let (found, whole) = rows(&["id"], scanned);
        assert_eq!((found, whole.goes_on), (vec![json!({"id": "1"})], true));
    }
}
