//! A schema with every kind of field, records of it, and replicas that write them.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use automerge::{ActorId, ChangeHash};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_core::change::Change;
use syncline_core::edit::Edits;
use syncline_core::ids::RecordId;
use syncline_core::record::{NewRecord, RecordView, create_edits};
use syncline_core::state::{RecordState, Writer};
use syncline_schema::{
    Deletes, Element, ElementKind, EmbeddedType, EnumType, Field, FieldKind, Key, Managed, Merge, Model, OnDelete,
    Relation, RelationKind, Scalar, Schema, Timestamps, Tokenizer,
};

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub fn field(name: &str, kind: FieldKind) -> Field {
    Field::new(name, kind)
}

pub fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

pub fn scalar(name: &str, scalar: Scalar) -> Field {
    field(name, FieldKind::Scalar(scalar))
}

pub fn element(kind: ElementKind) -> Element {
    Element { kind, required: false }
}

pub fn model(name: &str, key: Key, fields: Vec<Field>) -> Model {
    let moment = |name: &str, managed| Field { managed, ..scalar(name, Scalar::DateTime) };
    let mut all = match key {
        Key::Id => vec![Field { managed: Managed::Id, ..required(scalar("id", Scalar::Id)) }],
        Key::Custom(_) => Vec::new(),
    };
    all.extend(fields);
    all.push(moment("createdAt", Managed::CreatedAt));
    all.push(moment("updatedAt", Managed::UpdatedAt));
    Model {
        name: name.to_owned(),
        fields: all,
        relations: Vec::new(),
        key,
        indexes: Vec::new(),
        deletes: Deletes::DeleteWins,
        local: false,
        timestamps: Timestamps { created_at: Some("createdAt".into()), updated_at: Some("updatedAt".into()) },
        auth: Vec::new(),
        renamed_from: Vec::new(),
        tokenizer: Tokenizer::default(),
    }
}

/// A relation through these fields.
pub fn relation(name: &str, kind: RelationKind, model: &str, fields: &[&str], references: &[&str]) -> Relation {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Relation {
        name: name.to_owned(),
        model: model.to_owned(),
        kind,
        fields: owned(fields),
        references: owned(references),
        required: false,
        join_model: None,
        on_delete: OnDelete::default(),
    }
}

/// Model `Todo` by generated id and `Seat` by custom key, with the same fields of every kind.
pub fn schema() -> Schema {
    let status = || FieldKind::Enum("Status".to_owned());
    let fields = || {
        vec![
            required(scalar("title", Scalar::String)),
            Field { default: Some(json!(3)), ..scalar("priority", Scalar::Int) },
            scalar("weight", Scalar::Float),
            scalar("done", Scalar::Boolean),
            scalar("due", Scalar::Date),
            scalar("at", Scalar::Timestamp),
            scalar("meta", Scalar::Json),
            field("status", status()),
            Field { merge: Merge::Max, ..scalar("best", Scalar::Int) },
            Field { merge: Merge::Min, ..scalar("least", Scalar::Float) },
            Field { merge: Merge::Latest, ..scalar("last", Scalar::String) },
            field("votes", FieldKind::Counter),
            field("address", FieldKind::Embedded("Address".to_owned())),
            field("tags", FieldKind::Set(element(ElementKind::Scalar(Scalar::String)))),
            field("sizes", FieldKind::Set(element(ElementKind::Scalar(Scalar::Float)))),
            field("marks", FieldKind::Set(element(ElementKind::Enum("Status".to_owned())))),
        ]
    };
    let address = EmbeddedType {
        name: "Address".to_owned(),
        fields: vec![
            scalar("city", Scalar::String),
            scalar("zip", Scalar::Int),
            field("lines", FieldKind::List(element(ElementKind::Scalar(Scalar::String)))),
            field("geo", FieldKind::Embedded("Geo".to_owned())),
        ],
    };
    let geo = EmbeddedType {
        name: "Geo".to_owned(),
        fields: vec![scalar("lat", Scalar::Float), scalar("lon", Scalar::Float)],
    };
    let seat_key = [required(scalar("room", Scalar::String)), required(scalar("number", Scalar::Int))];
    let note = vec![
        field("body", FieldKind::Text { rich: false }),
        required(field("head", FieldKind::Text { rich: false })),
        field("items", FieldKind::List(element(ElementKind::Scalar(Scalar::Int)))),
        field("blobs", FieldKind::List(element(ElementKind::Scalar(Scalar::Json)))),
    ];
    Schema {
        models: vec![
            model("Todo", Key::Id, fields()),
            model(
                "Seat",
                Key::Custom(vec!["room".to_owned(), "number".to_owned()]),
                seat_key.iter().cloned().chain(fields()).collect(),
            ),
            Model { deletes: Deletes::UpdateWins, ..model("Sticky", Key::Id, vec![scalar("title", Scalar::String)]) },
            model("Note", Key::Id, note.clone()),
            model("Page", Key::Custom(vec!["room".to_owned()]), seat_key[..1].iter().cloned().chain(note).collect()),
        ],
        enums: vec![EnumType { name: "Status".to_owned(), values: vec!["OPEN".to_owned(), "SHUT".to_owned()] }],
        embedded: vec![address, geo],
        ..Schema::default()
    }
}

pub const RECORD: RecordId = RecordId([7; 16]);

/// One writer's copy of one record.
#[derive(Clone)]
pub struct Replica<'a> {
    pub schema: &'a Schema,
    pub model: &'a Model,
    pub record: RecordId,
    pub state: RecordState,
    actor: ActorId,
    own_last: Option<ChangeHash>,
}

impl<'a> Replica<'a> {
    pub fn new(schema: &'a Schema, model: &str, actor: u8) -> Self {
        Self {
            schema,
            model: schema.model(model).unwrap(),
            record: RECORD,
            state: RecordState::default(),
            actor: ActorId::from([actor; 16]),
            own_last: None,
        }
    }

    pub fn view(&self) -> RecordView<'_> {
        RecordView { schema: self.schema, model: self.model, record: self.record, state: &self.state, document: None }
    }

    /// Commits the root edits; `None` if they change nothing.
    pub fn write(&mut self, edits: &Edits, time: i64) -> Option<Change> {
        let writer = Writer { actor: &self.actor, own_last: self.own_last };
        let change = self.state.build(&edits.root, &writer, time).unwrap()?;
        self.own_last = Some(change.hash());
        self.state.apply(&change);
        Some(change)
    }

    pub fn create(&mut self, record: Value, time: i64) -> Change {
        let new = NewRecord::check(self.schema, self.model, &object(record)).unwrap();
        self.record = new.record_id(self.model).unwrap_or(RECORD);
        self.write(&create_edits(self.schema, self.model, &new), time).unwrap()
    }

    pub fn update(&mut self, patch: Value, time: i64) -> Option<Change> {
        let edits = self.view().update(&object(patch)).unwrap();
        self.write(&edits, time)
    }

    pub fn shows(&self) -> Option<Value> {
        self.view().project().map(Value::Object)
    }

    pub fn field(&self, name: &str) -> Value {
        self.view().project_deleted()[name].clone()
    }

    /// Another writer that has seen the same.
    pub fn fork(&self, actor: u8) -> Self {
        Self { actor: ActorId::from([actor; 16]), own_last: None, ..self.clone() }
    }
}

fn opt(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 4 => values].boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[a-c%_é𝕏/~.\"']{0,4}".prop_map(|text| text)].boxed()
}

fn float() -> BoxedStrategy<Value> {
    prop_oneof![
        (-3..3_i32).prop_map(|number| json!(f64::from(number) / 2.0)),
        any::<i32>().prop_map(|number| json!(f64::from(number) * 1.25)),
        Just(json!(2)),
    ]
    .boxed()
}

fn address() -> BoxedStrategy<Value> {
    let geo = opt((opt(float()), opt(float())).prop_map(|(lat, lon)| json!({"lat": lat, "lon": lon})));
    let lines = opt(prop::collection::vec(text(), 0..3).prop_map(|lines| json!(lines)));
    (opt(text().prop_map(Value::from)), opt(any::<i64>().prop_map(Value::from)), lines, geo)
        .prop_map(|(city, zip, lines, geo)| json!({"city": city, "zip": zip, "lines": lines, "geo": geo}))
        .boxed()
}

/// Random values for any of the fields of `Todo` and `Seat`; `title` always.
pub fn fields() -> BoxedStrategy<Value> {
    let json = prop_oneof![
        Just(json!({"a": [1, null, "x"], "b": {}})),
        Just(json!([])),
        Just(json!(1.5)),
        Just(json!("\"s\"")),
        Just(json!(true))
    ];
    let status = || prop::sample::select(vec!["OPEN", "SHUT"]);
    let values: Vec<(&str, BoxedStrategy<Value>)> = vec![
        ("priority", opt(prop_oneof![(-3..3_i64), any::<i64>()].prop_map(Value::from))),
        ("weight", opt(float())),
        ("done", opt(any::<bool>().prop_map(Value::from))),
        ("due", opt(prop::sample::select(vec!["2024-05-31", "1999-01-01", "2024-06-01Z"]).prop_map(Value::from))),
        ("at", opt((-1_000_000..1_000_000_i64).prop_map(Value::from))),
        ("meta", opt(json)),
        ("status", opt(status().prop_map(Value::from))),
        ("best", opt((0..5_i64).prop_map(Value::from))),
        ("least", opt(float())),
        ("last", opt(text().prop_map(Value::from))),
        ("votes", (-9..9_i64).prop_map(Value::from).boxed()),
        ("address", opt(address())),
        ("tags", prop::collection::btree_set(text(), 0..4).prop_map(|set| json!(set)).boxed()),
        ("sizes", prop::collection::vec(float(), 0..4).prop_map(Value::from).boxed()),
        ("marks", prop::collection::btree_set(status(), 0..3).prop_map(|set| json!(set)).boxed()),
    ];
    let optional: Vec<BoxedStrategy<Option<(String, Value)>>> = values
        .into_iter()
        .map(|(name, values)| {
            prop::option::weighted(0.7, values.prop_map(move |value| (name.to_owned(), value))).boxed()
        })
        .collect();
    (text(), optional)
        .prop_map(|(title, fields)| {
            let mut record = Map::from_iter([("title".to_owned(), Value::String(title))]);
            record.extend(fields.into_iter().flatten());
            Value::Object(record)
        })
        .boxed()
}

/// What a record must show after a field got this value: sets sorted, floats as floats.
pub fn shown(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("weight" | "least" | "lat" | "lon", Value::Number(number)) => json!(number.as_f64()),
        ("sizes", Value::Array(items)) => {
            let mut sizes: Vec<f64> = items.iter().filter_map(Value::as_f64).map(|size| size + 0.0).collect();
            sizes.sort_by(f64::total_cmp);
            sizes.dedup();
            json!(sizes)
        }
        ("address" | "geo", Value::Object(fields)) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect())
        }
        ("votes", Value::Null) => json!(0),
        ("tags" | "sizes" | "marks", Value::Null) => json!([]),
        _ => value.clone(),
    }
}
