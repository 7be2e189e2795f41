//! The first change of a record.

use automerge::ScalarValue;
use serde_json::{Map, Value};
use syncline_schema::{Field, FieldKind, Managed, Model, Schema};

use super::check::NewRecord;
use super::key::RecordKey;
use super::{LIVE, encode, items, nested_key, null_key, some_key, view};
use crate::edit::{Edits, ObjectEdit, ObjectKind, RootEdit};

/// The edits that create a record.
///
/// With a generated id: what has a value, and every object. With a key that another replica may
/// use at the same time: every scalar in the order of the schema, nulls included and before
/// anything whose number varies, so that of two concurrent creates one wins whole; objects come
/// from genesis then, so that their contents meet, and counters add up.
pub fn create_edits(schema: &Schema, model: &Model, new: &NewRecord) -> Edits {
    let mut create = Create {
        schema,
        shared_key: new.key.is_some(),
        root: vec![RootEdit::Toggle(LIVE.to_owned())],
        after_scalars: Vec::new(),
        objects: Vec::new(),
    };
    let key_values = stored_key(model, new);
    for field in &model.fields {
        let key = &field.document_key;
        if model.is_key_field(&field.name) {
            if let Some(value) = key_values.get(&field.name) {
                create.field(field, key, Some(value));
            }
        } else if field.managed != Managed::UpdatedAt {
            create.field(field, key, new.values.get(&field.name));
        }
    }
    let mut root = create.root;
    root.append(&mut create.after_scalars);
    Edits { root, objects: create.objects }
}

/// Key fields that stand in the document: all but an id that the record id says already.
fn stored_key(model: &Model, new: &NewRecord) -> Map<String, Value> {
    match &new.key {
        None | Some(RecordKey::Generated(_)) => Map::new(),
        Some(key) => key.fields(model).into_iter().collect(),
    }
}

struct Create<'a> {
    schema: &'a Schema,
    shared_key: bool,
    root: Vec<RootEdit>,
    after_scalars: Vec<RootEdit>,
    objects: Vec<ObjectEdit>,
}

impl Create<'_> {
    fn field(&mut self, field: &Field, key: &str, value: Option<&Value>) {
        match (&field.kind, value) {
            (FieldKind::Counter, value) => self.counter(key, value.and_then(Value::as_i64)),
            (FieldKind::Set(element), value) => {
                let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let texts = items.iter().filter_map(|item| encode::element_text(&element.kind, item));
                self.after_scalars.extend(texts.map(|text| RootEdit::Toggle(super::element_key(key, &text))));
            }
            (FieldKind::Embedded(_), value) => self.embedded(field, key, value.and_then(Value::as_object)),
            (FieldKind::Text { .. }, value) => {
                let text = value.and_then(Value::as_str);
                let set = text
                    .filter(|text| !text.is_empty())
                    .map(|text| ObjectEdit::SetText(key.to_owned(), text.to_owned()));
                self.object(field, key, ObjectKind::Text, text.is_some(), set);
            }
            (FieldKind::List(element), value) => {
                let items = value.and_then(Value::as_array);
                let set = items.filter(|items| !items.is_empty()).map(|items| {
                    ObjectEdit::SetList(key.to_owned(), items::stored_list(self.schema, &element.kind, items))
                });
                self.object(field, key, ObjectKind::List, items.is_some(), set);
            }
            (FieldKind::Scalar(_) | FieldKind::Enum(_), value) => self.scalar(field, key, value),
        }
    }

    fn scalar(&mut self, field: &Field, key: &str, value: Option<&Value>) {
        let scalar = encode::scalar_of(&field.kind);
        match value.zip(scalar).and_then(|(value, scalar)| encode::encode_scalar(scalar, value)) {
            Some(value) if self.shared_key || value != ScalarValue::Null => {
                self.root.push(RootEdit::Put(key.to_owned(), value));
            }
            Some(_) => {}
            None if self.shared_key => self.root.push(RootEdit::Put(key.to_owned(), ScalarValue::Null)),
            None => {}
        }
    }

    fn counter(&mut self, key: &str, initial: Option<i64>) {
        self.root.push(RootEdit::Put(key.to_owned(), ScalarValue::counter(0)));
        if let Some(initial) = initial.filter(|initial| *initial != 0) {
            self.after_scalars.push(RootEdit::Increment(key.to_owned(), initial));
        }
    }

    fn embedded(&mut self, field: &Field, key: &str, value: Option<&Map<String, Value>>) {
        let Some(embedded) = view::embedded_type(self.schema, &field.kind) else {
            return;
        };
        if value.is_some() {
            self.after_scalars.push(RootEdit::Toggle(some_key(key)));
        }
        for inner in &embedded.fields {
            let inner_key = nested_key(key, &inner.document_key);
            let inner_value = value.and_then(|value| value.get(&inner.name)).filter(|value| !value.is_null());
            match &inner.kind {
                FieldKind::List(_) | FieldKind::Set(_) => self.inner_list(&inner.kind, &inner_key, inner_value),
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::Embedded(_) => self.field(inner, &inner_key, inner_value),
            }
        }
    }

    /// A list inside an embedded value is one scalar, merged as a whole.
    fn inner_list(&mut self, kind: &FieldKind, key: &str, value: Option<&Value>) {
        let text = value.map(|value| ScalarValue::from(items::stored(self.schema, kind, value).to_string()));
        if self.shared_key || text.is_some() {
            self.root.push(RootEdit::Put(key.to_owned(), text.unwrap_or(ScalarValue::Null)));
        }
    }

    fn object(&mut self, field: &Field, key: &str, kind: ObjectKind, given: bool, content: Option<ObjectEdit>) {
        let empty = content.is_none();
        if !self.shared_key {
            self.objects.push(ObjectEdit::Make(key.to_owned(), kind));
            if !given && !field.required {
                self.after_scalars.push(RootEdit::Toggle(null_key(key)));
            }
        } else if given && empty && !field.required {
            self.after_scalars.push(RootEdit::Toggle(some_key(key)));
        }
        self.objects.extend(content);
    }
}
