//! The apps that run on nodes: each has a schema, and calls things as its version of the schema does.
//!
//! Schedules, and the ledger of what apps wrote, speak the words of the schedule's schema. An app with another schema
//! is told in its own words, and what it shows is told back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use syncline_schema::{FieldKind, Key, Managed, Model, Schema};

use super::values;
use crate::schedule::{Action, EventId};

/// One version of an app.
#[derive(Clone, Debug)]
pub(super) struct App {
    /// Its schema.
    pub(super) schema: Arc<Schema>,
    /// The schema's text.
    pub(super) sdl: String,
    /// What it calls things, where its schema is not the schedule's.
    pub(super) dialect: Option<Arc<Dialect>>,
}

impl App {
    /// The app of the schedule's schema.
    pub(super) fn of_schedule(schema: Schema, sdl: &str) -> Self {
        Self { schema: Arc::new(schema), sdl: sdl.to_owned(), dialect: None }
    }

    /// An app with another schema.
    pub(super) fn other(schedule: &Schema, schema: Schema, sdl: &str) -> Self {
        let dialect = Some(Arc::new(Dialect::new(schedule, &schema)));
        Self { schema: Arc::new(schema), sdl: sdl.to_owned(), dialect }
    }

    /// Its schema in the words of the schedule's.
    pub(super) fn told_schema(&self) -> &Schema {
        self.dialect.as_ref().map_or(&*self.schema, |dialect| &dialect.told)
    }
}

/// How an app's words and the schedule's correspond.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The app's schema with the schedule's names: of keys, models and their fields.
    told: Schema,
    /// By the schedule's name of a model.
    models: BTreeMap<String, Words>,
}

#[derive(Debug)]
struct Words {
    /// What the app calls the model.
    here: String,
    /// The schedule's name of a field → the app's.
    fields: BTreeMap<String, String>,
    /// Fields that the schedule's schema does not have.
    further: Vec<String>,
}

impl Dialect {
    fn new(schedule: &Schema, app: &Schema) -> Self {
        let mut told = app.clone();
        let mut models = BTreeMap::new();
        for (model, told) in app.models.iter().zip(&mut told.models) {
            let same = |other: &&Model| other.names().any(|name| model.names().any(|known| known == name));
            let known = schedule.models.iter().find(same);
            let mut words = Words { here: model.name.clone(), fields: BTreeMap::new(), further: Vec::new() };
            for field in &model.fields {
                let of =
                    known.and_then(|known| known.fields.iter().find(|other| other.document_key == field.document_key));
                if of.is_none() && field.managed == Managed::No && !field.local {
                    words.further.push(field.name.clone());
                }
                words.fields.insert(of.unwrap_or(field).name.clone(), field.name.clone());
            }
            told.name.clone_from(&known.unwrap_or(model).name);
            rename_fields(told, &words);
            models.insert(told.name.clone(), words);
        }
        Self { told, models }
    }

    /// The model as the app calls it.
    pub(super) fn model<'a>(&'a self, model: &'a str) -> &'a str {
        self.models.get(model).map_or(model, |words| &words.here)
    }

    /// The field as the app calls it.
    fn field<'a>(&'a self, model: &str, field: &'a str) -> &'a str {
        self.models.get(model).and_then(|words| words.fields.get(field)).map_or(field, String::as_str)
    }

    fn fields(&self, model: &str, values: &Map<String, Value>) -> Map<String, Value> {
        values.iter().map(|(name, value)| (self.field(model, name).to_owned(), value.clone())).collect()
    }

    /// A record's id as the app writes it.
    pub(super) fn id(&self, model: &str, id: &str) -> String {
        match serde_json::from_str(id) {
            Ok(Value::Object(key)) => Value::Object(self.fields(model, &key)).to_string(),
            Ok(_) | Err(_) => id.to_owned(),
        }
    }

    /// The schedule's name of what the app calls a model.
    pub(super) fn told_model(&self, here: &str) -> String {
        let found = self.models.iter().find(|(_, words)| words.here == here);
        found.map_or(here, |(name, _)| name).to_owned()
    }

    /// What the app shows of a record of `model`, in the schedule's words.
    pub(super) fn told_record(&self, model: &str, record: Map<String, Value>) -> Map<String, Value> {
        let Some(words) = self.models.get(model) else { return record };
        let told: BTreeMap<&str, &str> = words.fields.iter().map(|(name, here)| (&**here, &**name)).collect();
        record
            .into_iter()
            .map(|(name, value)| (told.get(&*name).map_or_else(|| name.clone(), |name| (*name).to_owned()), value))
            .collect()
    }

    /// A record's id as the schedule has it.
    pub(super) fn told_id(&self, model: &str, id: &str) -> String {
        match serde_json::from_str(id) {
            Ok(Value::Object(key)) => Value::Object(self.told_record(model, key)).to_string(),
            Ok(_) | Err(_) => id.to_owned(),
        }
    }

    /// The write as an app of this version makes it: with values for what only this version has.
    pub(super) fn asked(&self, action: &Action, model: &str, event: EventId) -> Action {
        let mut asked = action.clone();
        if let Action::Create { values, .. } | Action::Update { values, .. } = &mut asked {
            let is_create = matches!(action, Action::Create { .. });
            for (name, value) in self.further(model, event) {
                if is_create || event.is_multiple_of(2) {
                    values.entry(name).or_insert(value);
                }
            }
        }
        asked
    }

    /// Values of an event for the plain fields that only this version has.
    fn further(&self, model: &str, event: EventId) -> Vec<(String, Value)> {
        let Some((words, told)) = self.models.get(model).zip(self.told.model(model)) else { return Vec::new() };
        let is_plain = |name: &String| {
            let kind = told.field(name).map(|field| &field.kind);
            kind.is_some_and(|kind| !matches!(kind, FieldKind::Counter | FieldKind::Text { .. }))
        };
        let plain: Vec<&String> = words.further.iter().filter(|name| is_plain(name)).collect();
        if plain.is_empty() {
            return Vec::new();
        }
        let counted = values::counted(&self.told, told, event, 0);
        plain.into_iter().filter_map(|name| Some((name.clone(), counted.get(name)?.clone()))).collect()
    }

    /// A write of one record of `model`, in the app's words.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other actions name no fields")]
    pub(super) fn spoken(&self, action: &Action, model: &str) -> Action {
        let mut spoken = action.clone();
        match &mut spoken {
            Action::Create { model: named, values, .. } => {
                *values = self.fields(model, values);
                self.model(model).clone_into(named);
            }
            Action::Update { values, .. } => *values = self.fields(model, values),
            Action::Increment { field, .. }
            | Action::Add { field, .. }
            | Action::Remove { field, .. }
            | Action::Splice { field, .. } => *field = self.field(model, field).to_owned(),
            _ => {}
        }
        spoken
    }
}

fn rename_fields(told: &mut Model, words: &Words) {
    let name = |here: &str| words.fields.iter().find(|(_, other)| *other == here).map(|(name, _)| name.clone());
    for field in &mut told.fields {
        if let Some(name) = name(&field.name) {
            field.name = name;
        }
    }
    if let Key::Custom(fields) = &mut told.key {
        for field in fields {
            if let Some(name) = name(field) {
                *field = name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OLD: &str = "type Todo @model { name: String! @primaryKey done: Boolean }";
    const NEW: &str = "type Task @model @renamed(from: \"Todo\") {
        title: String! @primaryKey @renamed(from: \"name\") done: Boolean weight: Int note: String @text
    }";

    fn app() -> App {
        let parse = |sdl| syncline_schema::parse("a.graphql", sdl).unwrap().schema;
        App::other(&parse(OLD), parse(NEW), NEW)
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_app_is_told_in_its_own_words_and_tells_back_in_those_of_the_schedule() {
        let dialect = app().dialect.unwrap();
        let create = Action::Create { node: "d".into(), model: "Todo".into(), values: map(json!({"name": "a"})) };
        let asked = dialect.asked(&create, "Todo", 4);
        let Action::Create { values, .. } = &asked else { unreachable!() };
        assert_eq!(values.keys().collect::<Vec<_>>(), ["name", "weight"], "a text is left to edits");
        let Action::Create { model, values, .. } = dialect.spoken(&asked, "Todo") else { unreachable!() };
        assert_eq!((model.as_str(), &values["title"]), ("Task", &json!("a")));
        assert_eq!(dialect.told_record("Todo", values)["name"], "a");
        let id = dialect.id("Todo", r#"{"name":"a"}"#);
        assert_eq!(id, r#"{"title":"a"}"#);
        assert_eq!(dialect.told_id(&dialect.told_model("Task"), &id), r#"{"name":"a"}"#);
        assert_eq!(app().told_schema().model("Todo").unwrap().key_fields(), ["name"]);
    }

    #[test]
    fn every_second_update_fills_what_only_the_newer_app_has() {
        let dialect = app().dialect.unwrap();
        let update = Action::Update { node: "d".into(), record: 1, values: map(json!({"done": true})) };
        let asks =
            |event| matches!(dialect.asked(&update, "Todo", event), Action::Update { values, .. } if values.len() == 2);
        assert_eq!([asks(4), asks(5)], [true, false]);
    }
}
