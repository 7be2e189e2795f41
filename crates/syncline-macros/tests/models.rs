//! `models!` over real and awkward schemas: what it writes compiles, reads and writes records, and
//! makes the filters that the JSON face would.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

// The expansion names `::syncline`; here that is this test, with the typed layer and nothing else.
extern crate self as syncline;
pub use {serde, serde_json};

#[allow(dead_code, reason = "the tests use a part of it")]
#[path = "../../syncline/src/typed/mod.rs"]
pub mod typed;

use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Include, Order};
use syncline_core::record::NewRecord;
use typed::{Condition, CounterField, Includes as _, Mismatch, Model, OrderBy, SetField, TextField};

/// Every schema of the suite, each in a module of its own.
mod suite {
    macro_rules! suite {
        ($($name:ident: $file:literal,)*) => {
            $(pub(crate) mod $name { syncline_macros::models!($file); })*

            pub(crate) const FILES: &[(&str, &str)] = &[$(($file, $name::SDL)),*];
        };
    }

    suite! {
        blog: "../../tests/schemas/blog.graphql",
        calendar: "../../tests/schemas/calendar.graphql",
        chat: "../../tests/schemas/chat.graphql",
        field_service: "../../tests/schemas/field_service.graphql",
        health: "../../tests/schemas/health.graphql",
        inventory: "../../tests/schemas/inventory.graphql",
        movies: "../../tests/schemas/movies.graphql",
        school: "../../tests/schemas/school.graphql",
        shop: "../../tests/schemas/shop.graphql",
        social: "../../tests/schemas/social.graphql",
        todo: "../../tests/schemas/todo.graphql",
        todo_gen1: "../../tests/schemas/todo_gen1.graphql",
    }
}

/// Names that only just work.
mod awkward {
    syncline_macros::models!("tests/names.graphql");
}

/// A schema in the source.
mod notes {
    syncline_macros::models!(
        sdl = r#"
            type Note @model {
              title: String!
              body: String! @text
              comment: String @text
              votes: Int @counter
              stars: Int! @counter @default(value: "3")
              tags: [String!] @set
              steps: [String]!
              shade: Shade
              weight: Float! @default(value: "2")
              done: Boolean! @default(value: "false")
              priority: Int
              data: AWSJSON
              address: Address
            }
            type Address { street: String! city: String place: Place }
            type Place { lat: Float lon: Float names: [String!] }
            enum Shade { DARK LIGHT_GREY }
        "#
    );
}

use notes::{Address, Note, Place, Shade, note};

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// What a store would show of a note that was saved with little.
fn shown() -> Map<String, Value> {
    object(json!({
        "id": "0190b0a0-0000-7000-8000-000000000000",
        "title": "Milk", "body": "", "comment": null, "votes": 0, "stars": 3, "tags": ["b", "a"],
        "steps": [null, "x"], "shade": "LIGHT_GREY", "weight": 2.0, "done": true, "priority": null,
        "data": {"k": [null]},
        "address": {"street": "High St", "city": null, "place": {"lat": 1.5, "lon": null, "names": null}},
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-02T00:00:00.000Z"
    }))
}

fn filter(condition: Condition<Note>) -> Filter {
    condition.into()
}

/// The filter of AppSync's JSON, which the typed one must equal.
fn parsed(json: Value) -> Filter {
    let schema = syncline_schema::parse("notes", notes::SDL).unwrap().schema;
    Filter::parse_json(&schema, schema.model("Note").unwrap(), &json).unwrap()
}

#[test]
fn the_suite_covers_every_schema_file_and_keeps_its_text() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, sdl) in suite::FILES {
        assert_eq!(std::fs::read_to_string(root.join(file)).unwrap(), *sdl);
    }
    let graphql = std::fs::read_dir(root.join("../../tests/schemas")).unwrap();
    let graphql = graphql.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|extension| extension == "graphql")
    });
    assert_eq!(graphql.count(), suite::FILES.len(), "a schema is not in the list above");
}

#[test]
fn a_record_comes_back_from_its_struct_as_it_was() {
    let note: Note = typed::from_json(shown()).unwrap();
    assert_eq!(note.shade, Some(Shade::LightGrey));
    assert_eq!(note.steps, [None, Some("x".to_owned())]);
    assert_eq!(note.data, Some(json!({"k": [null]})));
    assert_eq!(note.address.as_ref().unwrap().street, "High St");
    assert_eq!(typed::to_json(&note).unwrap(), shown());
}

#[test]
fn a_new_struct_has_its_defaults_and_nothing_of_what_the_store_fills() {
    let note = Note::new("Milk", "whole", Vec::new());
    assert_eq!((note.stars, note.weight, note.done), (3, 2.0, false));
    assert_eq!((note.id.as_str(), &note.created_at), ("", &None));
    let record = typed::to_json(&note).unwrap();
    for filled in ["id", "createdAt", "updatedAt"] {
        assert!(!record.contains_key(filled), "{filled}");
    }
}

#[test]
fn what_new_makes_passes_the_check_of_a_save() {
    let schema = syncline_schema::parse("notes", notes::SDL).unwrap().schema;
    let note = Note {
        address: Some(Address::new("High St")),
        shade: Some(Shade::Dark),
        ..Note::new("Milk", "", vec![Some("x".to_owned())])
    };
    let model = schema.model(Note::NAME).unwrap();
    let checked = NewRecord::check(&schema, model, &typed::to_json(&note).unwrap()).unwrap();
    assert_eq!(checked.key, None);
    assert_eq!(checked.values["address"]["street"], "High St");
}

#[test]
fn what_default_makes_is_refused_by_a_save_where_a_value_is_due() {
    let sdl = "type A @model { kind: Kind! on: AWSDate! } enum Kind { X }";
    let schema = syncline_schema::parse("a", sdl).unwrap().schema;
    mod a {
        syncline_macros::models!(sdl = "type A @model { kind: Kind! on: AWSDate! } enum Kind { X }");
    }
    let record = typed::to_json(&a::A::default()).unwrap();
    let refused = NewRecord::check(&schema, &schema.models[0], &record).unwrap_err();
    let fields: Vec<&str> = refused.fields.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["kind", "on"]);
}

#[test]
fn null_in_a_required_field_reads_as_its_default_or_empty() {
    let record = object(json!({
        "title": null, "weight": null, "stars": null, "steps": null, "tags": null,
        "address": {"street": null}
    }));
    let note: Note = typed::from_json(record).unwrap();
    assert_eq!((note.title.as_str(), note.weight, note.stars), ("", 2.0, 3));
    assert!(note.steps.is_empty() && note.tags.is_empty());
    assert_eq!(note.address.unwrap(), Address::default());
}

#[test]
fn an_enum_value_of_a_newer_schema_is_kept() {
    let mut record = shown();
    record.insert("shade".to_owned(), json!("PALE"));
    let note: Note = typed::from_json(record.clone()).unwrap();
    assert_eq!(note.shade, Some(Shade::Unlisted("PALE".to_owned())));
    assert_eq!(typed::to_json(&note).unwrap(), record);
    assert_eq!(Shade::from("LIGHT_GREY"), Shade::LightGrey);
    assert_eq!(Shade::LightGrey.to_string(), "LIGHT_GREY");
}

#[test]
fn fields_of_a_newer_schema_are_left_out() {
    let mut record = shown();
    record.insert("later".to_owned(), json!(1));
    let note: Note = typed::from_json(record).unwrap();
    assert_eq!(typed::to_json(&note).unwrap(), shown());
}

#[test]
fn a_record_of_another_schema_is_refused_by_the_field_at_fault() {
    let mut record = shown();
    record.insert("priority".to_owned(), json!("high"));
    let error = typed::from_json::<Note>(record).unwrap_err();
    assert!(matches!(error, Mismatch::Record { model: "Note", .. }));
    let text = error.to_string();
    assert!(text.contains("field `priority`: invalid type: string \"high\", expected i64"), "{text}");
    assert!(text.contains("open the store with the schema"), "{text}");
}

#[test]
fn a_patch_holds_only_what_differs() {
    let before: Note = typed::from_json(shown()).unwrap();
    let mut after = before.clone();
    assert_eq!(typed::changed(&before, &after).unwrap(), Map::new());
    after.title = "Oat milk".to_owned();
    after.votes += 2;
    after.shade = None;
    let patch = typed::changed(&before, &after).unwrap();
    assert_eq!(Value::Object(patch), json!({"title": "Oat milk", "votes": 2, "shade": null}));
}

#[test]
fn a_patch_reaches_into_embedded_values_and_replaces_json_as_a_whole() {
    let before: Note = typed::from_json(shown()).unwrap();
    let mut after = before.clone();
    let address = after.address.as_mut().unwrap();
    address.city = Some("Bath".to_owned());
    address.place.as_mut().unwrap().lon = Some(-2.0);
    after.data = Some(json!({"k": [null], "more": 1}));
    let patch = typed::changed(&before, &after).unwrap();
    let expected = json!({
        "address": {"city": "Bath", "place": {"lon": -2.0}},
        "data": {"k": [null], "more": 1}
    });
    assert_eq!(Value::Object(patch), expected);

    let mut gone = before.clone();
    gone.address = None;
    let patch = typed::changed(&before, &gone).unwrap();
    assert_eq!(Value::Object(patch), json!({"address": null}));
    let patch = typed::changed(&gone, &before).unwrap();
    assert_eq!(patch["address"], shown()["address"]);
}

#[test]
fn typed_conditions_are_the_filters_of_the_json_face() {
    for (typed, json) in [
        (note::title.eq("a"), json!({"title": {"eq": "a"}})),
        (note::title.ne("a"), json!({"title": {"ne": "a"}})),
        (note::priority.lt(3), json!({"priority": {"lt": 3}})),
        (note::priority.le(3), json!({"priority": {"le": 3}})),
        (note::weight.gt(3), json!({"weight": {"gt": 3.0}})),
        (note::weight.ge(0.5), json!({"weight": {"ge": 0.5}})),
        (note::priority.between(1, 3), json!({"priority": {"between": [1, 3]}})),
        (note::shade.is_in([Shade::Dark, Shade::LightGrey]), json!({"shade": {"in": ["DARK", "LIGHT_GREY"]}})),
        (note::title.not_in(["a", "b"]), json!({"title": {"notIn": ["a", "b"]}})),
        (note::shade.is_null(), json!({"shade": {"eq": null}})),
        (note::address.is_not_null(), json!({"address": {"ne": null}})),
        (note::body.contains("ab"), json!({"body": {"contains": "ab"}})),
        (!note::body.contains("ab"), json!({"body": {"notContains": "ab"}})),
        (note::comment.begins_with("ab"), json!({"comment": {"beginsWith": "ab"}})),
        (note::shade.begins_with("LIGHT"), json!({"shade": {"beginsWith": "LIGHT"}})),
        (note::tags.has("x"), json!({"tags": {"contains": "x"}})),
        (note::steps.has("x"), json!({"steps": {"contains": "x"}})),
        (note::votes.ge(1), json!({"votes": {"ge": 1}})),
        (note::done.eq(false), json!({"done": {"eq": false}})),
        (note::created_at.ge("2026-01-01T00:00:00Z"), json!({"createdAt": {"ge": "2026-01-01T00:00:00Z"}})),
        (note::address::city.eq("Bath"), json!({"address": {"city": {"eq": "Bath"}}})),
        (note::address::place::lat.lt(1.5), json!({"address": {"place": {"lat": {"lt": 1.5}}}})),
        (
            note::done.eq(false) & (note::priority.ge(3) | !note::title.eq("a")),
            json!({"done": {"eq": false}, "or": [{"priority": {"ge": 3}}, {"not": {"title": {"eq": "a"}}}]}),
        ),
    ] {
        assert_eq!(filter(typed), parsed(json.clone()), "{json}");
    }
    assert_eq!(filter(Condition::all()), parsed(json!({})));
}

#[test]
fn typed_orders_are_those_of_the_json_face() {
    let orders: [OrderBy<Note>; 3] = [note::priority.desc(), note::body.asc(), note::address::city.asc()];
    let orders: Vec<Order> = orders.into_iter().map(Order::from).collect();
    assert_eq!(orders, Order::parse("priority:desc,body,address.city").unwrap());
}

#[test]
fn texts_counters_and_sets_have_fields_of_their_own_kinds() {
    fn text<M: Model>(field: TextField<M>) -> &'static str {
        field.name()
    }
    fn counter<M: Model>(field: CounterField<M>) -> &'static str {
        field.name()
    }
    fn set<M: Model, E>(field: SetField<M, E>, _: impl Into<E>) -> &'static str {
        field.name()
    }
    let names = (text(note::body), counter(note::votes), set(note::tags, "x"));
    assert_eq!(names, ("body", "votes", "tags"));
}

#[test]
fn a_key_is_the_id_or_an_object_of_the_key_fields() {
    assert_eq!(Note::default().key(), None);
    let note: Note = typed::from_json(shown()).unwrap();
    assert_eq!(note.key().unwrap(), "0190b0a0-0000-7000-8000-000000000000");
    let product = suite::shop::Product::new("w", "s", "Chair", 20.0);
    assert_eq!(product.key().unwrap(), r#"{"warehouse":"w","sku":"s"}"#);
    assert_eq!(suite::shop::Product::key_of("w", "s"), product.key().unwrap());
    assert_eq!(suite::school::Student::key_of(7), r#"{"number":7}"#);
}

#[test]
fn names_that_are_rusts_own_still_name_the_schemas_fields() {
    let option = awkward::Option {
        self_: Some(1),
        self__: Some(2),
        foo_bar: Some(3),
        foo_bar_: Some(4),
        string: Some(awkward::Vec::InProgress),
        r#match: Some(awkward::r#match { r: Some(1.0) }),
        ..awkward::Option::new("n")
    };
    let expected = json!({
        "type": "x", "self": 1, "Self_": 2, "fooBar": 4, "foo_bar": 3, "String": "IN_PROGRESS",
        "match": {"r": 1.0}, "name": "n"
    });
    assert_eq!(Value::Object(typed::to_json(&option).unwrap()), expected);

    let of_self = awkward::Self_::new("k", 1, 2);
    assert_eq!(of_self.key().unwrap(), r#"{"key":"k","match":1,"at":2}"#);
    let record = typed::to_json(&of_self).unwrap();
    assert_eq!(record["super"], json!(-1.5));
    assert_eq!(record["settings"], json!({"a": [1, null]}));
    assert_eq!((&record["fn"], &record["state"]), (&json!(true), &json!("SELF")));
    assert_eq!(awkward::self_::r#match.name(), "match");
    assert_eq!(awkward::option::r#type.name(), "type");
    assert_eq!(awkward::i64_fields::r#as::inner::r#dyn.name(), "as.inner.dyn");
    assert_eq!((awkward::knot::foo_bar.name(), awkward::knot::foo_bar_.name()), ("foo_bar", "fooBar"));
    assert_eq!((awkward::knot::r#loop.name(), awkward::rope::self_.name()), ("loop", "self"));
    assert_eq!((awkward::knot::r#yield.name(), awkward::rope::r#in.name()), ("yield", "in"));
}

#[test]
fn typed_relations_filter_and_include_as_the_json_face_does() {
    use suite::blog::{SDL, blog, comment, post};
    let schema = syncline_schema::parse("blog", SDL).unwrap().schema;
    let filters = |condition: Filter, model: &str, json: Value| {
        let model = schema.model(model).unwrap();
        let parsed = Filter::parse_json(&schema, model, &json).unwrap();
        assert_eq!(condition.resolve(&schema, model).unwrap(), parsed);
    };
    let told = comment::content.contains("x");
    filters(post::comments.any(told.clone()).into(), "Post", json!({"comments": {"content": {"contains": "x"}}}));
    filters(post::comments.none(told).into(), "Post", json!({"not": {"comments": {"content": {"contains": "x"}}}}));
    filters(post::blog.matches(blog::name.eq("b")).into(), "Post", json!({"blog": {"name": {"eq": "b"}}}));
    filters(post::blog.is_missing().into(), "Post", json!({"blog": null}));
    filters(post::blog.is_there().into(), "Post", json!({"blog": {"ne": null}}));
    filters(post::tags.is_empty().into(), "Post", json!({"tags": null}));

    let deep = blog::posts.with(post::comments.limit(3).order(comment::created_at.desc())).with(post::tags);
    let comments = Include { limit: Some(3), order: vec![Order::descending("createdAt")], ..Include::new("comments") };
    let posts = Include { include: vec![comments, Include::new("tags")], ..Include::new("posts") };
    assert_eq!(deep.include(), posts);
    Include::resolve(&schema, schema.model("Blog").unwrap(), &[posts]).unwrap();
    // A record without related ones, as one whose reference dangles.
    assert_eq!(post::blog.read(Vec::new()).unwrap(), None);
    assert_eq!(blog::posts.read(Vec::new()).unwrap(), []);
}

#[test]
fn embedded_types_have_defaults_and_a_constructor() {
    let place = Place { lat: Some(1.0), ..Place::new() };
    assert_eq!(serde_json::to_value(place).unwrap(), json!({"lat": 1.0, "lon": null, "names": null}));
}
