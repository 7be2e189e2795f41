//! What it means for a store's records that the schema changed.
//!
//! Documents keep values under a field's first name, so names can change freely. What cannot
//! change is what a value *is*: the kind of a field, the key of a model.

mod relations;
mod words;

use std::fmt;

use crate::{EnumType, Field, FieldKind, Index, Key, Model, Schema};

/// One difference between two schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What the store must do about it.
    pub kind: ChangeKind,
    /// Model or type, with a field where it concerns one: `Todo.title`.
    pub place: String,
    /// The difference, in one sentence.
    pub sentence: String,
}

/// What a difference asks of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Something new: a model, field, relation, enum value or index. Nothing is lost.
    Additive,
    /// A model, field or relation with another name. Nothing is lost.
    Rename,
    /// A model, field or enum value is gone from the schema. Its values stay in the documents and come back with it.
    Removed,
    /// A rule of use: required, default, merge, access; an index or relation that is gone. Records stay as they are.
    Adjusted,
    /// The records do not fit; the store must not be opened with this schema.
    Incompatible,
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.sentence)
    }
}

/// Every difference from `old` to `new`, in the order of `new`, removals last.
///
/// Names are followed first, as by [`continue_names`]; whoever opens a store with `new` passes it
/// through that function, too.
pub fn changes(old: &Schema, new: &Schema) -> Vec<SchemaChange> {
    let mut new = new.clone();
    continue_names(old, &mut new);
    let mut compare = Compare { old, new: &new, found: Vec::new() };
    compare.models();
    compare.enums();
    compare.embedded();
    compare.found
}

/// Carries first names over: a field of `new` that `old` knows, under its name or its former one,
/// keeps the document key it has in `old`, and a model the former names. So a chain of renames
/// holds even where the file only tells the last step.
///
/// A replica that starts with the file alone does not know the chain; a file should therefore
/// list every former name.
pub fn continue_names(old: &Schema, new: &mut Schema) {
    for model in &mut new.models {
        if let Some(before) = old_model(old, model) {
            continue_fields(&before.fields, &mut model.fields);
            let mut chain = Vec::new();
            if before.name != model.name {
                chain.push(before.name.clone());
            }
            chain.extend(before.renamed_from.iter().cloned());
            for name in chain {
                if name != model.name && !model.renamed_from.contains(&name) {
                    model.renamed_from.push(name);
                }
            }
        }
    }
    for embedded in &mut new.embedded {
        if let Some(before) = old.embedded_type(&embedded.name) {
            continue_fields(&before.fields, &mut embedded.fields);
        }
    }
}

fn continue_fields(old: &[Field], new: &mut [Field]) {
    for field in new {
        if let Some(before) = old_field(old, field) {
            field.document_key.clone_from(&before.document_key);
        }
    }
}

/// The field that `field` was: of the same document key, else of the name that its file gives as
/// the former one, else of the same name.
fn old_field<'a>(old: &'a [Field], field: &Field) -> Option<&'a Field> {
    let by_key = old.iter().find(|before| before.document_key == field.document_key);
    let by_former = || old.iter().find(|before| before.name == field.document_key);
    let by_name = || old.iter().find(|before| before.name == field.name);
    by_key.or_else(by_former).or_else(by_name)
}

/// The model that `model` was: of the same name, else of its newest former name that is known.
fn old_model<'a>(old: &'a Schema, model: &Model) -> Option<&'a Model> {
    let former = || model.renamed_from.iter().find_map(|name| old.model(name));
    old.model(&model.name).or_else(former)
}

struct Compare<'a> {
    old: &'a Schema,
    new: &'a Schema,
    found: Vec<SchemaChange>,
}

impl Compare<'_> {
    fn note(&mut self, kind: ChangeKind, place: impl Into<String>, sentence: impl Into<String>) {
        self.found.push(SchemaChange { kind, place: place.into(), sentence: sentence.into() });
    }

    /// Something has another value.
    fn turned(&mut self, place: &str, what: &str, was: &str, is: &str) {
        self.note(ChangeKind::Adjusted, place, format!("{what} was {was} and is now {is}"));
    }

    fn models(&mut self) {
        let mut known = Vec::new();
        for model in &self.new.models {
            let Some(before) = old_model(self.old, model) else {
                self.note(ChangeKind::Additive, &model.name, "the model is new");
                continue;
            };
            known.push(&before.name);
            self.model(before, model);
        }
        for gone in self.old.models.iter().filter(|model| !known.contains(&&model.name)) {
            let sentence = "the model is gone; its records are kept and passed on, but cannot be queried";
            self.note(ChangeKind::Removed, &gone.name, sentence);
        }
    }

    fn model(&mut self, old: &Model, new: &Model) {
        if old.name != new.name {
            let sentence = format!("the model was called {}", old.name);
            self.note(ChangeKind::Rename, &new.name, sentence);
        }
        self.key(old, new);
        if old.local != new.local {
            let sentence = if new.local {
                "the model became @local, but its records have already left the device"
            } else {
                "the model was @local, and its records were promised never to leave the device"
            };
            self.note(ChangeKind::Incompatible, &new.name, sentence);
        }
        self.fields(&new.name, &old.fields, &new.fields);
        self.indexes(old, new);
        if old.auth != new.auth {
            self.turned(&new.name, "`@auth`", &words::rules(&old.auth), &words::rules(&new.auth));
        }
        if old.tokenizer != new.tokenizer {
            let (was, is) = (words::tokenizer(old.tokenizer), words::tokenizer(new.tokenizer));
            self.note(
                ChangeKind::Adjusted,
                &new.name,
                format!("full texts were cut into {was} and are now cut into {is}"),
            );
        }
        if old.deletes != new.deletes {
            let (was, is) = (words::deletes(old.deletes), words::deletes(new.deletes));
            self.turned(&new.name, "what a delete does to a concurrent edit", was, is);
        }
        self.relations(old, new);
    }

    /// An index is what it finds records by, whatever it and its fields are called.
    fn indexes(&mut self, old: &Model, new: &Model) {
        let has = |model: &Model, keys: &[&str]| model.indexes.iter().any(|index| indexed(model, index) == keys);
        for index in new.indexes.iter().filter(|index| !has(old, &indexed(new, index))) {
            let sentence = format!("index {} over {} is new", index.name, index.fields.join(", "));
            self.note(ChangeKind::Additive, &new.name, sentence);
        }
        for index in old.indexes.iter().filter(|index| !has(new, &indexed(old, index))) {
            let sentence = format!("index {} over {} is gone", index.name, index.fields.join(", "));
            self.note(ChangeKind::Adjusted, &new.name, sentence);
        }
    }

    /// Key fields may be renamed, nothing else: record ids are made from the key.
    fn key(&mut self, old: &Model, new: &Model) {
        let documents = |model: &Model| {
            let fields = model.key_fields().into_iter().filter_map(|name| model.field(name));
            fields.map(|field| field.document_key.clone()).collect::<Vec<_>>()
        };
        let same_sort = matches!((&old.key, &new.key), (Key::Id, Key::Id) | (Key::Custom(_), Key::Custom(_)));
        if !same_sort || documents(old) != documents(new) {
            let sentence = format!(
                "the key was {} and is now {}; records are named by their key, which cannot change",
                old.key_fields().join(", "),
                new.key_fields().join(", ")
            );
            self.note(ChangeKind::Incompatible, &new.name, sentence);
        }
    }

    fn fields(&mut self, owner: &str, old: &[Field], new: &[Field]) {
        for (at, field) in new.iter().enumerate() {
            let place = format!("{owner}.{}", field.name);
            let twin = new[..at].iter().find(|other| other.document_key == field.document_key);
            if let Some(twin) = twin {
                let sentence = format!(
                    "the field would share the values of {}, which had this name before; give the new field a fresh name",
                    twin.name
                );
                self.note(ChangeKind::Incompatible, place, sentence);
                continue;
            }
            match old.iter().find(|before| before.document_key == field.document_key) {
                Some(before) => self.field(&place, before, field),
                None => self.note(ChangeKind::Additive, place, "the field is new"),
            }
        }
        for gone in old {
            if !new.iter().any(|field| field.document_key == gone.document_key) {
                let sentence = "the field is gone; its values are kept and come back with it";
                self.note(ChangeKind::Removed, format!("{owner}.{}", gone.name), sentence);
            }
        }
    }

    fn field(&mut self, place: &str, old: &Field, new: &Field) {
        if old.name != new.name {
            let sentence = format!("the field was called {}", old.name);
            self.note(ChangeKind::Rename, place, sentence);
        }
        if !self.same_kind(&old.kind, &new.kind) {
            let sentence = format!(
                "the field held {} and would hold {}; keep its type and add a new field for the other",
                words::kind(&old.kind),
                words::kind(&new.kind)
            );
            self.note(ChangeKind::Incompatible, place, sentence);
            return;
        }
        if old.local != new.local {
            let sentence = if new.local {
                "the field became @local, but its values have already left the device"
            } else {
                "the field was @local, and its values were promised never to leave the device"
            };
            self.note(ChangeKind::Incompatible, place, sentence);
        }
        if new.required && !old.required {
            let sentence = "the field became required; records saved without it show null until their next save";
            self.note(ChangeKind::Adjusted, place, sentence);
        }
        if old.required && !new.required {
            self.note(ChangeKind::Adjusted, place, "the field is no longer required");
        }
        self.rules_of_use(place, old, new);
    }

    fn rules_of_use(&mut self, place: &str, old: &Field, new: &Field) {
        if old.kind != new.kind {
            self.turned(place, "the type", &words::kind(&old.kind), &words::kind(&new.kind));
        }
        if old.default != new.default {
            self.turned(place, "the default", &words::default(old), &words::default(new));
        }
        if old.merge != new.merge {
            self.turned(place, "the merge rule", words::merge(old.merge), words::merge(new.merge));
        }
        if old.managed != new.managed {
            let (was, is) = (words::managed(old.managed), words::managed(new.managed));
            self.note(ChangeKind::Adjusted, place, format!("the field was filled {was} and is now filled {is}"));
        }
        if old.fulltext != new.fulltext {
            let sentence = match new.fulltext {
                true => "the field is now part of the full-text index",
                false => "the field is no longer part of the full-text index",
            };
            self.note(ChangeKind::Adjusted, place, sentence);
        }
        if old.auth != new.auth {
            self.turned(place, "`@auth`", &words::rules(&old.auth), &words::rules(&new.auth));
        }
    }

    /// Whether values of the one kind are values of the other, nullability and marks aside.
    fn same_kind(&self, old: &FieldKind, new: &FieldKind) -> bool {
        match (old, new) {
            (FieldKind::Scalar(old), FieldKind::Scalar(new)) => old == new,
            (FieldKind::Enum(old), FieldKind::Enum(new)) => self.same_enum(old, new),
            (FieldKind::Counter, FieldKind::Counter) => true,
            (FieldKind::Text { .. }, FieldKind::Text { .. }) => true,
            (FieldKind::List(old), FieldKind::List(new)) | (FieldKind::Set(old), FieldKind::Set(new)) => {
                self.same_element(&old.kind, &new.kind)
            }
            (FieldKind::Embedded(old), FieldKind::Embedded(new)) => self.same_embedded(old, new),
            (
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::List(_)
                | FieldKind::Set(_)
                | FieldKind::Embedded(_),
                _,
            ) => false,
        }
    }

    fn same_element(&self, old: &crate::ElementKind, new: &crate::ElementKind) -> bool {
        use crate::ElementKind::{Embedded, Enum, Scalar};
        match (old, new) {
            (Scalar(old), Scalar(new)) => old == new,
            (Enum(old), Enum(new)) => self.same_enum(old, new),
            (Embedded(old), Embedded(new)) => self.same_embedded(old, new),
            (Scalar(_) | Enum(_) | Embedded(_), _) => false,
        }
    }

    /// The same enum, or one of another name that has every value of the old.
    fn same_enum(&self, old: &str, new: &str) -> bool {
        let (Some(before), Some(after)) = (self.old.enum_type(old), self.new.enum_type(new)) else {
            return old == new;
        };
        old == new || before.values.iter().all(|value| after.values.contains(value))
    }

    /// The same type, or one of another name that holds the old one's values as it did.
    fn same_embedded(&self, old: &str, new: &str) -> bool {
        if old == new {
            return true;
        }
        let (Some(before), Some(after)) = (self.old.embedded_type(old), self.new.embedded_type(new)) else {
            return false;
        };
        before.fields.iter().all(|field| {
            let mut others = after.fields.iter();
            others.any(|other| other.document_key == field.document_key && self.same_kind(&field.kind, &other.kind))
        })
    }

    fn enums(&mut self) {
        for enum_type in &self.new.enums {
            if let Some(before) = self.old.enum_type(&enum_type.name) {
                self.enum_values(before, enum_type);
            }
        }
    }

    fn enum_values(&mut self, old: &EnumType, new: &EnumType) {
        for value in new.values.iter().filter(|value| !old.values.contains(value)) {
            self.note(ChangeKind::Additive, &new.name, format!("the value {value} is new"));
        }
        for value in old.values.iter().filter(|value| !new.values.contains(value)) {
            let sentence = format!("the value {value} is gone; records that have it keep it");
            self.note(ChangeKind::Removed, &new.name, sentence);
        }
    }

    fn embedded(&mut self) {
        for embedded in &self.new.embedded {
            if let Some(before) = self.old.embedded_type(&embedded.name) {
                self.fields(&embedded.name, &before.fields, &embedded.fields);
            }
        }
    }
}

/// Document keys of an index's fields, which stay through renames.
fn indexed<'a>(model: &'a Model, index: &Index) -> Vec<&'a str> {
    let fields = index.fields.iter().filter_map(|name| model.field(name));
    fields.map(|field| field.document_key.as_str()).collect()
}
