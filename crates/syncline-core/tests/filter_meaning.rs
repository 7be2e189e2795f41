//! What filters mean, how they are read, and what is said of wrong ones.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use proptest::prelude::*;
use record_support::{fields, model, object, relation, scalar, schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use syncline_core::filter::{
    Filter, Function, Include, Measure, Nulls, Order, Tables, compare_records, complete_order, resolve_order,
    result_fields,
};
use syncline_schema::{Field, FieldKind, Key, Model, Relation, RelationKind, Scalar, Schema};

fn read(json: Value) -> Filter {
    let schema = schema();
    Filter::parse_json(&schema, schema.model("Todo").unwrap(), &json).unwrap()
}

fn refused(json: Value) -> String {
    let schema = schema();
    Filter::parse_json(&schema, schema.model("Todo").unwrap(), &json).unwrap_err().to_string()
}

fn record() -> Map<String, Value> {
    object(json!({
        "title": "100% of_é", "priority": 3, "weight": 1.5, "done": false, "due": null, "status": "OPEN",
        "tags": ["a", "b"], "address": {"city": "Rome", "zip": null}, "meta": {"a": 1}, "votes": 2,
    }))
}

#[test]
fn every_operator_means_what_datastore_means() {
    let table = [
        (json!({}), true),
        (json!({"done": {"eq": false}}), true),
        (json!({"done": {"ne": false}}), false),
        (json!({"due": {"eq": null}}), true),
        (json!({"due": {"ne": "2024-05-31"}}), true),
        (json!({"due": {"in": ["2024-05-31", null]}}), true),
        (json!({"due": {"notIn": ["2024-05-31"]}}), true),
        (json!({"due": {"lt": "2024-05-31"}}), false),
        (json!({"due": {"ge": "2024-05-31"}}), false),
        (json!({"due": {"between": ["1970-01-01", "2999-01-01"]}}), false),
        (json!({"due": {"contains": ""}}), false),
        (json!({"due": {"notContains": "x"}}), true),
        (json!({"due": {"beginsWith": ""}}), false),
        (json!({"due": {"attributeExists": false}}), true),
        (json!({"priority": {"gt": 2, "le": 3}}), true),
        (json!({"priority": {"between": [3, 3]}}), true),
        (json!({"priority": {"between": [4, 2]}}), false),
        (json!({"weight": {"gt": 1}}), true),
        (json!({"weight": {"eq": 1.5}}), true),
        (json!({"title": {"contains": "%"}}), true),
        (json!({"title": {"contains": "f_é"}}), true),
        (json!({"title": {"contains": "O"}}), false),
        (json!({"title": {"beginsWith": "100%"}}), true),
        (json!({"title": {"beginsWith": "_00"}}), false),
        (json!({"title": {"gt": "10"}}), true),
        (json!({"status": {"beginsWith": "OP"}}), true),
        (json!({"tags": {"contains": "a"}}), true),
        (json!({"tags": {"contains": "ab"}}), false),
        (json!({"tags": {"notContains": "c"}}), true),
        (json!({"address": {"city": {"eq": "Rome"}}}), true),
        (json!({"address.zip": {"eq": null}}), true),
        (json!({"address": {"ne": null}}), true),
        (json!({"meta": {"eq": null}}), false),
        (json!({"votes": {"ge": 2}}), true),
        (json!({"and": []}), true),
        (json!({"or": []}), false),
        (json!({"not": {"due": {"lt": "2024-05-31"}}}), true),
        (json!({"or": [{"done": {"eq": true}}, {"priority": {"eq": 3}}]}), true),
        (json!({"and": {"done": {"eq": true}}}), false),
        (json!({"done": {"eq": false}, "priority": {"eq": 4}}), false),
    ];
    for (filter, expected) in table {
        assert_eq!(read(filter.clone()).matches(&record()), expected, "{filter}");
    }
}

/// Blogs of posts with comments, tags and a cover; people and who they work for.
fn blog() -> Schema {
    use RelationKind::{BelongsTo, HasMany, HasOne, ManyToMany};
    let text = |name: &str| scalar(name, Scalar::String);
    let with =
        |name: &str, fields: Vec<Field>, relations: Vec<Relation>| Model { relations, ..model(name, Key::Id, fields) };
    let linked = |name: &str, model: &str, by: &str| Relation {
        join_model: Some("PostTags".to_owned()),
        ..relation(name, ManyToMany, model, &[by], &["id"])
    };
    let link = Model {
        relations: vec![
            relation("post", BelongsTo, "Post", &["postId"], &["id"]),
            relation("tag", BelongsTo, "Tag", &["tagId"], &["id"]),
        ],
        ..model("PostTags", Key::Custom(vec!["postId".into(), "tagId".into()]), vec![text("postId"), text("tagId")])
    };
    let posts = vec![
        relation("blog", BelongsTo, "Blog", &["blogId"], &["id"]),
        relation("comments", HasMany, "Comment", &["postId"], &["id"]),
        linked("tags", "Tag", "postId"),
        relation("cover", HasOne, "Image", &["coverId"], &["id"]),
    ];
    let people = vec![
        relation("boss", BelongsTo, "Person", &["bossId"], &["id"]),
        relation("team", HasMany, "Person", &["bossId"], &["id"]),
    ];
    let on_post = vec![relation("post", BelongsTo, "Post", &["postId"], &["id"])];
    let models = vec![
        with("Blog", vec![text("name")], vec![relation("posts", HasMany, "Post", &["blogId"], &["id"])]),
        with("Post", vec![text("title"), text("blogId"), text("coverId")], posts),
        with("Comment", vec![text("text"), scalar("stars", Scalar::Int), text("postId")], on_post),
        with("Tag", vec![text("label")], vec![linked("posts", "Post", "tagId")]),
        link,
        with("Image", vec![text("url")], Vec::new()),
        with("Person", vec![text("name"), text("bossId")], people),
    ];
    Schema { models, ..Schema::default() }
}

/// Ids of the records of a model that a filter finds among some.
fn found(model: &str, filter: Value) -> Vec<String> {
    let schema = blog();
    let model = schema.model(model).unwrap();
    let filter = Filter::parse_json(&schema, model, &filter).unwrap_or_else(|error| panic!("{error}"));
    let table = |records: Value| records.as_array().unwrap().iter().cloned().map(object).collect::<Vec<_>>();
    let records = BTreeMap::from([
        ("Blog".to_owned(), table(json!([{"id": "b", "name": "news"}]))),
        (
            "Post".to_owned(),
            table(json!([
                {"id": "1", "title": "a", "blogId": "b", "coverId": "i"},
                {"id": "2", "title": "b", "blogId": "gone", "coverId": null},
                {"id": "3", "title": "c", "blogId": null, "coverId": "gone"},
            ])),
        ),
        (
            "Comment".to_owned(),
            table(json!([
                {"id": "c1", "text": "yes", "stars": 1, "postId": "1"},
                {"id": "c2", "text": "no", "stars": 5, "postId": "1"},
                {"id": "c3", "text": "yes", "stars": 5, "postId": "2"},
                {"id": "c4", "text": "yes", "stars": 5, "postId": "gone"},
                {"id": "c5", "text": "yes", "stars": 5, "postId": null},
            ])),
        ),
        ("Tag".to_owned(), table(json!([{"id": "red", "label": "x"}, {"id": "blue", "label": "y"}]))),
        (
            "PostTags".to_owned(),
            table(
                json!([{"postId": "1", "tagId": "red"}, {"postId": "3", "tagId": "gone"}, {"postId": "gone", "tagId": "blue"}]),
            ),
        ),
        ("Image".to_owned(), table(json!([{"id": "i", "url": "u"}]))),
        (
            "Person".to_owned(),
            table(json!([{"id": "p", "name": "x", "bossId": null}, {"id": "q", "name": "y", "bossId": "p"}])),
        ),
    ]);
    let tables = Tables::new(&schema, model, &records);
    let all = records[&model.name].iter();
    all.filter(|record| filter.matches_with(record, &tables))
        .map(|record| record["id"].as_str().unwrap().into())
        .collect()
}

#[test]
fn a_filter_of_related_records_asks_for_at_least_one() {
    for (model, filter, expected) in [
        ("Post", json!({"comments": {"text": {"eq": "yes"}}}), vec!["1", "2"]),
        ("Post", json!({"comments": {"text": {"eq": "yes"}, "stars": {"ge": 5}}}), vec!["2"]),
        (
            "Post",
            json!({"and": [{"comments": {"text": {"eq": "yes"}}}, {"comments": {"stars": {"ge": 5}}}]}),
            vec!["1", "2"],
        ),
        ("Post", json!({"not": {"comments": {"text": {"eq": "yes"}}}}), vec!["3"]),
        ("Post", json!({"comments": {"text": {"ne": "yes"}}}), vec!["1"]),
        ("Post", json!({"comments": {}}), vec!["1", "2"]),
        ("Post", json!({"comments": null}), vec!["3"]),
        ("Post", json!({"blog": {"name": {"beginsWith": "n"}}}), vec!["1"]),
        ("Post", json!({"cover": {"url": {"eq": "u"}}}), vec!["1"]),
        ("Post", json!({"blog": null}), vec!["2", "3"]),
        ("Post", json!({"blog": {"eq": null}, "blogId": {"ne": null}}), vec!["2"]),
        ("Post", json!({"blog": {"ne": null}}), vec!["1"]),
        ("Post", json!({"tags": {"label": {"in": ["x", "y"]}}}), vec!["1"]),
        ("Post", json!({"tags": null}), vec!["2", "3"]),
        ("Tag", json!({"posts": {"comments": {"stars": {"eq": 5}}}}), vec!["red"]),
        ("Comment", json!({"post": {"blog": {"posts": {"title": {"eq": "a"}}}}}), vec!["c1", "c2"]),
        ("Comment", json!({"or": [{"post": null}, {"stars": {"eq": 1}}]}), vec!["c1", "c4", "c5"]),
        ("Person", json!({"boss": {"name": {"eq": "x"}}}), vec!["q"]),
        ("Person", json!({"team": {"boss": {"team": {"name": {"eq": "y"}}}}}), vec!["p"]),
    ] {
        assert_eq!(found(model, filter.clone()), expected, "{filter}");
    }
}

#[test]
fn relations_lead_nowhere_without_who_knows_them() {
    let post = object(json!({"id": "1", "blogId": "b"}));
    assert!(!Filter::related("blog", Filter::All).matches(&post));
    assert!(Filter::unrelated("blog").matches(&post));
}

#[test]
fn a_wrong_filter_of_related_records_is_refused_with_its_place_and_a_cure() {
    let schema = blog();
    let refused = |model: &str, filter: &Value| {
        Filter::parse_json(&schema, schema.model(model).unwrap(), filter).unwrap_err().to_string()
    };
    for (model, filter, message) in [
        (
            "Post",
            json!({"comments": {"txt": {"eq": "x"}}}),
            "filter.comments.txt: Comment has no field `txt`; did you mean `text`?",
        ),
        (
            "Post",
            json!({"comments": "x"}),
            "filter.comments: expected a filter of Comment, or null for no record, found \"x\"",
        ),
        (
            "Tag",
            json!({"posts": {"or": [{"comments": {"stars": {"ge": "5"}}}]}}),
            "filter.posts.or[0].comments.stars.ge: the field holds an integer, and \"5\" is none",
        ),
    ] {
        assert_eq!(refused(model, &filter), message);
    }
    let person = schema.model("Person").unwrap();
    let chain = |length: usize| (0..length).fold(Filter::All, |inner, _| Filter::related("boss", inner));
    assert!(chain(8).resolve(&schema, person).is_ok());
    let deep = chain(9).resolve(&schema, person).unwrap_err().to_string();
    assert!(deep.ends_with("boss: filters follow at most 8 relations in a row"), "{deep}");
    let unknown = Filter::related("bos", Filter::All).resolve(&schema, person).unwrap_err();
    assert_eq!(unknown.to_string(), "filter.bos: Person has no relation `bos`; did you mean `boss`?");
    let as_field = Filter::eq("boss", "x").resolve(&schema, person).unwrap_err().to_string();
    assert!(as_field.contains("`boss` of Person is a relation and holds no value itself"), "{as_field}");
}

#[test]
fn includes_are_read_from_paths_and_checked() {
    let schema = blog();
    let post = schema.model("Post").unwrap();
    let nested = |inner: Vec<Include>| Include { include: inner, ..Include::new("comments") };
    let read = Include::parse("comments.post, tags,comments.post.blog").unwrap();
    let blog = Include { include: vec![Include::new("blog")], ..Include::new("post") };
    assert_eq!(read, [nested(vec![blog]), Include::new("tags")]);
    assert!(Include::resolve(&schema, post, &read).is_ok());
    let refused = |includes: &[Include]| Include::resolve(&schema, post, includes).unwrap_err().to_string();
    let unknown = Include::parse("comments.blog").unwrap();
    assert_eq!(refused(&unknown), "include comments.blog: Comment has no relation `blog`; its relations are post");
    let without = Include::parse("cover.x").unwrap();
    assert_eq!(refused(&without), "include cover.x: Image has no relation `x`; it has none");
    let twice = [Include::new("tags"), Include::new("tags")];
    assert_eq!(refused(&twice), "include tags: the relation is included twice: keep one");
    let limited = Include { limit: Some(1), ..Include::new("blog") };
    assert!(refused(&[limited]).contains("it leads to one record"));
    let ordered = Include { order: vec![Order::ascending("txt")], ..Include::new("comments") };
    assert!(refused(&[ordered]).starts_with("include comments, order txt: Comment has no field `txt`"));
    assert!(Include::parse("a..b").is_err() && Include::parse("").is_err());
    let deep = ["boss"; 9].join(".");
    assert!(Include::parse(&deep).unwrap_err().to_string().contains("at most 8 relations in a row"));
}

#[test]
fn a_wrong_filter_is_refused_with_its_place_and_a_cure() {
    for (filter, message) in [
        (
            json!({"and": [{}, {"titel": {"eq": "x"}}]}),
            "filter.and[1].titel: Todo has no field `titel`; did you mean `title`?",
        ),
        (
            json!({"title": {"beginWith": "x"}}),
            "filter.title.beginWith: there is no operator `beginWith`; did you mean `beginsWith`?",
        ),
        (json!({"priority": {"eq": "3"}}), "filter.priority.eq: the field holds an integer, and \"3\" is none"),
        (json!({"priority": {"lt": null}}), "filter.priority.lt: the field holds an integer, and null is none"),
        (json!({"done": {"lt": true}}), "filter.done.lt: `lt` does not work on true or false"),
        (
            json!({"status": {"eq": "OPNE"}}),
            "filter.status.eq: \"OPNE\" is not a value of Status; did you mean `OPEN`?",
        ),
        (
            json!({"tags": {"eq": ["a"]}}),
            "filter.tags.eq: a set can only be compared with null; `contains` looks for an element",
        ),
        (json!({"meta": {"contains": "a"}}), "filter.meta.contains: `contains` does not work on AWSJSON"),
        (
            json!({"address": {"ctiy": {"eq": "a"}}}),
            "filter.address.ctiy: there is no operator `ctiy`; the operators are eq, ne, lt, le, gt, ge, between, in, notIn, contains, notContains, beginsWith, attributeExists",
        ),
        (
            json!({"title.x": {"eq": "a"}}),
            "filter.title.x: `title` of Todo is no embedded value, so nothing is inside it",
        ),
        (json!({"title": "a"}), "filter.title: expected operators like {\"eq\": \"a\"}, found \"a\""),
        (
            json!({"priority": {"between": [1]}}),
            "filter.priority.between: `between` takes two values, [low, high], found [1]",
        ),
        (json!([]), "filter: expected an object like {\"field\": {\"eq\": 1}}, found []"),
    ] {
        assert_eq!(refused(filter), message);
    }
    let deep = (0..70).fold(json!({}), |inner, _| json!({"not": inner}));
    assert!(refused(deep).ends_with("filters nest at most 64 deep"));
}

#[test]
fn filters_built_in_rust_are_those_read_from_json() {
    let built = (Filter::eq("done", false) & Filter::ge("priority", 3)) | !Filter::contains("title", "x");
    let json = json!({"or": [{"done": {"eq": false}, "priority": {"ge": 3}}, {"title": {"notContains": "x"}}]});
    assert_eq!(built, read(json));
    assert_eq!(Filter::any_of("priority", [1, 2]), read(json!({"priority": {"in": [1, 2]}})));
    assert_eq!(Filter::All & Filter::eq("done", true), Filter::eq("done", true));
}

#[test]
fn an_order_ends_with_the_key_and_names_scalars_only() {
    let schema = schema();
    let (todo, seat) = (schema.model("Todo").unwrap(), schema.model("Seat").unwrap());
    let orders = Order::parse("priority:desc, title").unwrap();
    assert_eq!(orders, [Order::descending("priority"), Order::ascending("title")]);
    assert_eq!(complete_order(todo, &orders)[2], Order::ascending("id"));
    assert_eq!(
        complete_order(seat, &[Order::descending("number")]),
        [Order::descending("number"), Order::ascending("room")]
    );
    assert!(resolve_order(&schema, todo, &orders).is_ok());
    assert!(resolve_order(&schema, todo, &[Order::ascending("tags")]).is_err());
    let unknown = resolve_order(&schema, todo, &[Order::ascending("prio")]).unwrap_err();
    assert_eq!(unknown.place, "order prio");
    let nowhere = resolve_order(&schema, todo, &Order::parse("title:down").unwrap()).unwrap_err().to_string();
    assert_eq!(nowhere, "order title:down: `down` is no direction: write asc, desc, nulls-first, nulls-last");
    assert!(Order::parse("").is_err());
}

#[test]
fn null_counts_as_smallest_unless_an_order_places_it() {
    let (null, one) = (object(json!({"priority": null})), object(json!({"priority": 1})));
    for (text, is_null_first) in [
        ("priority", true),
        ("priority:asc", true),
        ("priority:desc", false),
        ("priority:nulls-last", false),
        ("priority:desc:nulls-first", true),
        ("priority:nulls-first:desc", true),
    ] {
        let orders = Order::parse(text).unwrap();
        assert_eq!(compare_records(&orders, &null, &one).is_lt(), is_null_first, "{text}");
        assert_eq!(compare_records(&orders, &one, &null).is_gt(), is_null_first, "{text}");
    }
    for text in ["priority:asc:desc", "priority:nulls-first:nulls-last", ":desc"] {
        assert!(Order::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_order_reads_datastores_json() {
    let key = |json: Value| Order::parse_json(&json).map_err(|error| error.to_string());
    assert_eq!(
        key(json!([{"field": "priority", "sortDirection": "DESCENDING"}, {"field": "due", "nulls": "last"}])),
        Ok(vec![Order::descending("priority"), Order::ascending("due").nulls_last()])
    );
    assert_eq!(key(json!({"field": "title", "sortDirection": "ASC"})), Ok(vec![Order::ascending("title")]));
    for (json, message) in [
        (json!([{"sortDirection": "ASCENDING"}]), "order[0]: a key is an object like"),
        (json!([{"field": "a"}, {"field": "b", "sortDirection": "UP"}]), "order[1].sortDirection: write \"ASCENDING\""),
        (json!({"field": "a", "nulls": true}), "order.nulls: write \"first\" or \"last\""),
        (json!({"field": "a", "sortdirection": "ASC"}), "order: a key has no `sortdirection`; did you mean"),
        (json!(["title"]), "order[0]: a key is an object like"),
    ] {
        let refused = key(json).unwrap_err();
        assert!(refused.starts_with(message), "{refused}");
    }
}

#[test]
fn the_columns_of_a_result_have_the_kinds_of_what_is_computed() {
    let schema = schema();
    let todo = schema.model("Todo").unwrap();
    let measures = Measure::parse("count, sum:priority,mean=avg:priority,max:title").unwrap();
    assert_eq!(measures[2], Measure::of(Function::Avg, "priority").named("mean"));
    let fields = result_fields(&schema, todo, &["status".to_owned()], &measures).unwrap();
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["status", "count", "sum:priority", "mean", "max:title"]);
    let scalars: Vec<Option<Scalar>> = fields
        .iter()
        .map(|field| if let FieldKind::Scalar(scalar) = field.kind { Some(scalar) } else { None })
        .collect();
    let expected = [None, Some(Scalar::Int), Some(Scalar::Int), Some(Scalar::Float), Some(Scalar::String)];
    assert_eq!(scalars, expected);
    assert_eq!(fields[0].kind, todo.field("status").unwrap().kind);
}

proptest! {
    #[test]
    fn an_order_is_the_same_from_both_sides(a in fields(), b in fields(), descending in any::<bool>(), last in any::<bool>()) {
        let nulls = if last { Nulls::Last } else { Nulls::First };
        let orders: Vec<Order> = ["done", "weight", "status", "address.zip", "title"]
            .into_iter()
            .map(|field| Order { field: field.to_owned(), descending, nulls })
            .collect();
        let (a, b) = (object(a), object(b));
        prop_assert_eq!(compare_records(&orders, &a, &b), compare_records(&orders, &b, &a).reverse());
        prop_assert!(compare_records(&orders, &a, &a).is_eq());
    }
}
