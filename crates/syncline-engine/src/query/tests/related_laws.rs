//! SQL finds and includes what relations mean over records in memory: random records with references that lead
//! nowhere, random filters across random relations.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Include, Order, compare_records, complete_order};
use syncline_schema::{Model, Schema};

use super::relations::{Tables, filled, record, schema};
use crate::query::Query;

/// Few ids, so that references often lead somewhere, and to the same.
fn id() -> BoxedStrategy<Value> {
    prop::sample::select(vec!["1", "2", "3", "4", "gone"]).prop_map(Value::from).boxed()
}

fn reference() -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 5 => id()].boxed()
}

fn small() -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 3 => (0..3_i64).prop_map(Value::from)].boxed()
}

fn word() -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 3 => prop::sample::select(vec!["a", "ab", "é"]).prop_map(Value::from)].boxed()
}

/// Up to four records of a model with these fields; keys are those at the front, each used once.
fn table(
    model: &'static str,
    keys: usize,
    fields: Vec<(&'static str, BoxedStrategy<Value>)>,
) -> BoxedStrategy<(String, Vec<Map<String, Value>>)> {
    let schema = schema();
    let values = fields.iter().map(|(_, values)| values.clone()).collect::<Vec<_>>();
    let names: Vec<&str> = fields.into_iter().map(|(name, _)| name).collect();
    prop::collection::vec(values, 0..8)
        .prop_map(move |rows| {
            let mut used = BTreeSet::new();
            let unused = rows.into_iter().filter(|row| used.insert(Value::from(row[..keys].to_vec()).to_string()));
            let records = unused.filter(|row| row[..keys].iter().all(|value| *value != json!("gone")) || keys == 2);
            let fields = |row: Vec<Value>| names.iter().map(|name| (*name).to_owned()).zip(row).collect();
            (model.to_owned(), records.map(|row| record(&schema, model, Value::Object(fields(row)))).collect())
        })
        .boxed()
}

fn tables() -> BoxedStrategy<Tables> {
    let posts = vec![
        ("id", id()),
        ("title", word()),
        ("blogPostsId", reference()),
        ("postCoverId", reference()),
        ("placePostsCountry", reference()),
        ("placePostsNumber", small()),
    ];
    let comments = vec![
        ("id", id()),
        ("postID", reference()),
        ("stars", small()),
        ("text", word()),
        ("commentAnswersId", reference()),
    ];
    let number = (0..3_i64).prop_map(Value::from).boxed();
    (
        table("Blog", 1, vec![("id", id()), ("name", word())]),
        table("Post", 1, posts),
        table("Comment", 1, comments),
        table("Tag", 1, vec![("id", id()), ("label", word())]),
        table("PostTags", 2, vec![("postId", id()), ("tagId", id())]),
        table("Image", 1, vec![("id", id()), ("url", word()), ("imagePostId", reference())]),
        table("Place", 2, vec![("country", id()), ("number", number)]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| Tables::from([a, b, c, d, e, f, g]))
        .boxed()
}

/// A comparison with a field of the model that is no relation's.
fn leaf(model: &str) -> BoxedStrategy<Filter> {
    let text = |name: &'static str| {
        prop_oneof![
            word().prop_map(move |value| Filter::eq(name, value)),
            word().prop_map(move |value| Filter::ne(name, value)),
            Just(Filter::begins_with(name, "a")),
            Just(Filter::contains(name, "b")),
        ]
        .boxed()
    };
    match model {
        "Blog" => text("name"),
        "Post" => text("title"),
        "Comment" => prop_oneof![text("text"), (0..3_i64).prop_map(|n| Filter::ge("stars", n))].boxed(),
        "Tag" => text("label"),
        "Image" => text("url"),
        "PostTags" => id().prop_map(|id| Filter::eq("tagId", id)).boxed(),
        _ => (0..3_i64).prop_map(|n| Filter::lt("number", n)).boxed(),
    }
}

/// Filters of a model, across up to so many relations.
fn filter(schema: &Schema, model: &Model, relations: usize) -> BoxedStrategy<Filter> {
    let mut leaves = vec![leaf(&model.name)];
    if relations > 0 {
        for relation in &model.relations {
            let name = relation.name.clone();
            let there = schema.model(&relation.model).unwrap();
            let inner = filter(schema, there, relations - 1);
            leaves.push(
                prop_oneof![1 => Just(Filter::All), 4 => inner]
                    .prop_map(move |inner| Filter::related(name.clone(), inner))
                    .boxed(),
            );
        }
    }
    proptest::strategy::Union::new(leaves)
        .prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
                inner.prop_map(|filter| !filter),
            ]
        })
        .boxed()
}

fn any_model() -> BoxedStrategy<String> {
    let names: Vec<String> = schema().models.into_iter().map(|model| model.name).collect();
    prop::sample::select(names).boxed()
}

fn filter_of_any() -> BoxedStrategy<(String, Filter)> {
    any_model()
        .prop_flat_map(|name| {
            let schema = schema();
            let filter = filter(&schema, schema.model(&name).unwrap(), 2);
            (Just(name), filter)
        })
        .boxed()
}

fn includes(schema: &Schema, model: &Model, depth: usize) -> BoxedStrategy<Vec<Include>> {
    if depth == 0 || model.relations.is_empty() {
        return Just(Vec::new()).boxed();
    }
    let each: Vec<BoxedStrategy<Include>> = model
        .relations
        .iter()
        .map(|relation| {
            let (name, is_to_one) = (relation.name.clone(), relation.is_to_one());
            let deeper = includes(schema, schema.model(&relation.model).unwrap(), depth - 1);
            (deeper, prop::option::weighted(0.3, 0..3_u64))
                .prop_map(move |(include, limit)| Include {
                    limit: limit.filter(|_| !is_to_one),
                    include,
                    ..Include::new(name.clone())
                })
                .boxed()
        })
        .collect();
    prop::sample::subsequence((0..each.len()).collect::<Vec<_>>(), 0..=each.len())
        .prop_flat_map(move |chosen| chosen.into_iter().map(|at| each[at].clone()).collect::<Vec<_>>())
        .boxed()
}

/// What an include shows of records in memory.
fn shown(
    schema: &Schema,
    model: &Model,
    tables: &Tables,
    includes: &[Include],
    record: &Map<String, Value>,
) -> Map<String, Value> {
    let mut whole = record.clone();
    for include in includes {
        let relation = model.relation(&include.relation).unwrap();
        let there = schema.model(&relation.model).unwrap();
        let here = syncline_core::filter::Tables::new(schema, model, tables);
        let mut related = here.related(record, relation);
        related.sort_by(|a, b| compare_records(&complete_order(there, &include.order), a, b));
        related.truncate(include.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
        let mut related =
            related.into_iter().map(|other| Value::Object(shown(schema, there, tables, &include.include, other)));
        let value = if relation.is_to_one() { related.next().unwrap_or_default() } else { related.collect() };
        whole.insert(include.relation.clone(), value);
    }
    whole
}

/// Which records of a model are found, by key.
fn sorted(model: &Model, mut records: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    records.sort_by(|a, b| compare_records(&complete_order(model, &[]), a, b));
    records
}

fn ordered((field, descending, is_null_first): (String, bool, bool)) -> Order {
    let key = if descending { Order::descending(field) } else { Order::ascending(field) };
    if is_null_first { key.nulls_first() } else { key.nulls_last() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn sql_finds_what_the_filter_matches_across_relations(
        tables in tables(),
        filters in prop::collection::vec(filter_of_any(), 12),
    ) {
        let schema = schema();
        let db = filled(&schema, &tables);
        for (model, filter) in filters {
            let model = schema.model(&model).unwrap();
            let resolved = filter.resolve(&schema, model).unwrap();
            let seen = syncline_core::filter::Tables::new(&schema, model, &tables);
            let matching = tables[&model.name].iter().filter(|record| resolved.matches_with(record, &seen));
            let expected = sorted(model, matching.cloned().collect());
            let query = Query { condition: filter.into(), ..Query::new(model.name.clone()) };
            prop_assert_eq!(&query.run(&db, &schema).unwrap().records, &expected, "{:?}", query.compile(&schema));
            prop_assert_eq!(query.count(&db, &schema).unwrap(), expected.len() as u64);
        }
    }

    #[test]
    fn an_include_shows_what_relations_lead_to(
        tables in tables(),
        queries in prop::collection::vec(
            any_model().prop_flat_map(|name| {
                let schema = schema();
                let includes = includes(&schema, schema.model(&name).unwrap(), 3);
                (Just(name), includes)
            }),
            6,
        ),
    ) {
        let schema = schema();
        let db = filled(&schema, &tables);
        for (model, include) in queries {
            let model = schema.model(&model).unwrap();
            let all = tables[&model.name].iter().map(|record| shown(&schema, model, &tables, &include, record));
            let expected = sorted(model, all.collect());
            let query = Query { include, ..Query::new(model.name.clone()) };
            prop_assert_eq!(query.run(&db, &schema).unwrap().records, expected, "{:?}", query.include);
        }
    }
    #[test]
    fn pages_show_together_what_the_whole_shows(
        tables in tables(),
        queries in prop::collection::vec(
            filter_of_any().prop_flat_map(|(name, filter)| {
                let schema = schema();
                let model = schema.model(&name).unwrap();
                let fields: Vec<String> = model.fields.iter().map(|field| field.name.clone()).collect();
                let keys = (prop::sample::select(fields), any::<bool>(), any::<bool>()).prop_map(ordered);
                let order = prop::collection::vec(keys, 0..3);
                (Just(name.clone()), Just(filter), includes(&schema, model, 1), order)
            }),
            6,
        ),
        limit in 1..4_u64,
    ) {
        let schema = schema();
        let db = filled(&schema, &tables);
        for (model, filter, include, order) in queries {
            let whole = Query { condition: filter.into(), include, order, ..Query::new(model) };
            let expected = whole.run(&db, &schema).unwrap().records;
            let mut query = Query { limit: Some(limit), ..whole };
            let mut paged = Vec::new();
            loop {
                let page = query.run(&db, &schema).unwrap();
                paged.extend(page.records);
                let Some(next) = page.next else { break };
                query.after = Some(next);
            }
            prop_assert_eq!(paged, expected, "{:?}", query.compile(&schema));
        }
    }
}
