//! Filters of related records: what they find, by which indexes, and what a query depends on.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Include, Measure, Order};
use syncline_schema::{RelationKind, Schema};

use super::{database, fill, found};
use crate::query::{Aggregation, Dependency, Query, Use, explained, leading, relation_index_sql};

const SDL: &str = r#"
    type Blog @model { name: String posts: [Post] @hasMany }
    type Post @model {
        title: String
        rank: Int
        blog: Blog @belongsTo
        comments: [Comment] @hasMany(indexName: "byPost", fields: ["id"])
        tags: [Tag] @manyToMany(relationName: "PostTags")
        cover: Image @hasOne
        place: Place @belongsTo
    }
    type Comment @model {
        postID: ID @index(name: "byPost", sortKeyFields: ["stars"])
        stars: Int
        text: String
        post: Post @belongsTo(fields: ["postID"])
        answers: [Comment] @hasMany
        answerTo: Comment @belongsTo
    }
    type Tag @model { label: String posts: [Post] @manyToMany(relationName: "PostTags") }
    type Image @model { url: String post: Post @belongsTo }
    type Place @model { country: String! @primaryKey(sortKeyFields: ["number"]) number: Int! posts: [Post] @hasMany }
"#;

pub(super) type Tables = BTreeMap<String, Vec<Map<String, Value>>>;

pub(super) fn schema() -> Schema {
    syncline_schema::parse("blog.graphql", SDL).unwrap().schema
}

/// A record with these fields, and null in the others.
pub(super) fn record(schema: &Schema, model: &str, fields: Value) -> Map<String, Value> {
    let model = schema.model(model).unwrap();
    let mut record: Map<String, Value> = model.fields.iter().map(|field| (field.name.clone(), Value::Null)).collect();
    for (name, value) in fields.as_object().unwrap() {
        assert!(model.field(name).is_some(), "{} has no {name}", model.name);
        record.insert(name.clone(), value.clone());
    }
    record
}

pub(super) fn filled(schema: &Schema, tables: &Tables) -> Connection {
    let db = database(schema, "Blog", &[]);
    tables.iter().for_each(|(model, records)| fill(&db, schema, model, records));
    db
}

/// Two blogs of four posts, references that lead nowhere among them.
pub(super) fn blog(schema: &Schema) -> Tables {
    let table = |model: &str, records: Value| {
        let records = records.as_array().unwrap().iter().map(|fields| record(schema, model, fields.clone()));
        (model.to_owned(), records.collect::<Vec<_>>())
    };
    BTreeMap::from([
        table("Blog", json!([{"id": "b1", "name": "news"}, {"id": "b2", "name": "olds"}])),
        table(
            "Post",
            json!([
                {"id": "p1", "title": "a", "blogPostsId": "b1", "postCoverId": "i1", "placePostsCountry": "x", "placePostsNumber": 1},
                {"id": "p2", "title": "b", "blogPostsId": "b1", "postCoverId": "gone", "placePostsCountry": "x", "placePostsNumber": 2},
                {"id": "p3", "title": "c", "blogPostsId": "gone", "placePostsCountry": "x"},
                {"id": "p4", "title": "d"},
            ]),
        ),
        table(
            "Comment",
            json!([
                {"id": "c1", "postID": "p1", "stars": 1, "text": "so"},
                {"id": "c2", "postID": "p1", "stars": 5, "text": "no", "commentAnswersId": "c1"},
                {"id": "c3", "postID": "p1", "stars": 3, "text": "yes", "commentAnswersId": "c1"},
                {"id": "c4", "postID": "p2", "stars": 5, "text": "yes", "commentAnswersId": "c2"},
                {"id": "c5", "postID": "gone", "stars": 2, "text": "yes"},
                {"id": "c6", "stars": 2, "text": "yes"},
            ]),
        ),
        table("Tag", json!([{"id": "t1", "label": "red"}, {"id": "t2", "label": "blue"}])),
        table(
            "PostTags",
            json!([
                {"postId": "p1", "tagId": "t2"}, {"postId": "p1", "tagId": "t1"}, {"postId": "p2", "tagId": "t1"},
                {"postId": "p3", "tagId": "gone"}, {"postId": "gone", "tagId": "t2"},
            ]),
        ),
        table("Image", json!([{"id": "i1", "url": "u", "imagePostId": "p1"}])),
        table("Place", json!([{"country": "x", "number": 1}])),
    ])
}

fn with(model: &str, filter: Value) -> Query {
    let schema = schema();
    let filter = Filter::parse_json(&schema, schema.model(model).unwrap(), &filter).unwrap();
    Query { condition: filter.into(), ..Query::new(model) }
}

#[test]
fn related_records_decide_which_records_are_found() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    for (model, filter, expected) in [
        ("Post", json!({"comments": {"text": {"contains": "e"}}}), vec!["p1", "p2"]),
        ("Post", json!({"comments": {"text": {"eq": "yes"}, "stars": {"ge": 5}}}), vec!["p2"]),
        ("Post", json!({"not": {"comments": {"stars": {"ge": 5}}}}), vec!["p3", "p4"]),
        ("Post", json!({"comments": null}), vec!["p3", "p4"]),
        ("Post", json!({"blog": null}), vec!["p3", "p4"]),
        ("Post", json!({"blog": null, "blogPostsId": {"ne": null}}), vec!["p3"]),
        ("Post", json!({"place": {}}), vec!["p1"]),
        ("Post", json!({"place": {"number": {"lt": 5}}}), vec!["p1"]),
        ("Post", json!({"cover": {"post": {"title": {"eq": "a"}}}}), vec!["p1"]),
        ("Post", json!({"tags": {"label": {"eq": "red"}}}), vec!["p1", "p2"]),
        ("Post", json!({"and": [{"tags": {"label": {"eq": "red"}}}, {"tags": {"label": {"eq": "blue"}}}]}), vec!["p1"]),
        ("Post", json!({"tags": null}), vec!["p3", "p4"]),
        (
            "Tag",
            json!({"posts": {"comments": {"stars": {"eq": 5}}, "blog": {"name": {"eq": "news"}}}}),
            vec!["t1", "t2"],
        ),
        ("Tag", json!({"posts": {"title": {"eq": "b"}}}), vec!["t1"]),
        ("Comment", json!({"answerTo": {"answerTo": {"text": {"eq": "so"}}}}), vec!["c4"]),
        ("Comment", json!({"answers": {"answers": {"post": {"title": {"eq": "b"}}}}}), vec!["c1"]),
        ("Comment", json!({"or": [{"post": null}, {"post": {"title": {"in": ["b"]}}}]}), vec!["c4", "c5", "c6"]),
    ] {
        assert_eq!(found(&db, &schema, &with(model, filter.clone())), expected, "{filter}");
    }
}

#[test]
fn every_foreign_key_has_an_index_that_begins_with_it() {
    let schema = schema();
    let made = |model: &str| -> Vec<String> {
        relation_index_sql(&schema, schema.model(model).unwrap()).into_iter().map(|(name, _)| name).collect()
    };
    // The parser declares indexes for implied foreign keys of `hasMany`; the pair is the key of a join model.
    assert_eq!(made("Comment"), Vec::<String>::new());
    assert_eq!(made("PostTags"), Vec::<String>::new());
    assert_eq!(made("Image"), ["Image.syncline_to.imagePostId"]);
    assert_eq!(made("Post"), Vec::<String>::new());
    let by_name = syncline_schema::parse(
        "s",
        r#"type A @model { name: String bs: [B] @hasMany(indexName: "by", fields: ["name"]) }
           type B @model { of: String @index(name: "by") on: ID a: A @belongsTo c: A @belongsTo(fields: ["on"]) }"#,
    );
    let by_name = by_name.unwrap().schema;
    let made = |model: &str| relation_index_sql(&by_name, by_name.model(model).unwrap());
    assert_eq!(
        made("A"),
        [("A.syncline_to.name".to_owned(), r#"CREATE INDEX "A.syncline_to.name" ON "A"("name")"#.to_owned())]
    );
    assert_eq!(made("B")[0].0, "B.syncline_to.on");
}

#[test]
fn related_records_are_looked_up_by_index_at_every_depth() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    for (model, filter, wanted) in [
        ("Post", json!({"comments": {"text": {"eq": "x"}}}), vec!["Comment.byPost (postID=?"]),
        ("Post", json!({"comments": {"stars": {"ge": 3}}}), vec!["Comment.byPost (postID=? AND stars>?)"]),
        ("Comment", json!({"post": {"title": {"eq": "x"}}}), vec!["Post.syncline_key (id=?)"]),
        ("Post", json!({"place": {}}), vec!["Place.syncline_key (country=? AND number=?)"]),
        ("Post", json!({"not": {"cover": {}}}), vec!["Image.syncline_key (id=?)"]),
        ("Post", json!({"not": {"tags": {"label": {"eq": "x"}}}}), vec!["PostTags", "Tag.syncline_key (id=?)"]),
        (
            "Blog",
            json!({"posts": {"comments": {"answers": {"text": {"eq": "x"}}}}}),
            vec!["Post.byBlogPosts", "Comment.byPost", "Comment.byCommentAnswers"],
        ),
    ] {
        let plan = with(model, filter.clone()).explain(&db, &schema).unwrap();
        for index in wanted {
            assert!(plan.contains(index), "{filter}: {index} is not in\n{plan}");
        }
        let scans = plan.lines().filter(|line| line.trim_start().starts_with("SCAN")).count();
        assert_eq!(scans, 1, "{filter}: only the query's own table is walked\n{plan}");
    }
}

#[test]
fn where_text_sends_whoever_names_a_relation_to_filters() {
    let schema = schema();
    for text in ["comments = 1", "comments.text = 'x'", "Post.comments IS NULL"] {
        let query = Query { condition: crate::query::Condition::Where(text.to_owned()), ..Query::new("Post") };
        let refused = query.compile(&schema).unwrap_err().to_string();
        assert!(refused.contains("`comments` of Post is a relation") && refused.contains("--filter"), "{refused}");
    }
}

#[test]
fn a_query_tells_what_it_depends_on() {
    let schema = schema();
    let of = |model: &str, columns: &[&str], path: &[&str], used: Use| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Dependency { model: model.to_owned(), columns: owned(columns), path: owned(path), used }
    };
    let filter = json!({"or": [{"comments": {"post": {"title": {"eq": "x"}}}}, {"not": {"tags": null}}]});
    let include = Include::parse("blog.posts,tags").unwrap();
    let query = Query { include, ..with("Post", filter) };
    let expected = [
        of("Blog", &["id"], &["blog"], Use::Shown),
        of("Comment", &["postID"], &["comments"], Use::Found),
        of("Post", &["blogPostsId"], &["blog", "posts"], Use::Shown),
        of("Post", &["id"], &["comments", "post"], Use::Found),
        of("PostTags", &["postId", "tagId"], &["tags"], Use::Found),
        of("PostTags", &["postId", "tagId"], &["tags"], Use::Shown),
        of("Tag", &["id"], &["tags"], Use::Found),
        of("Tag", &["id"], &["tags"], Use::Shown),
    ];
    assert_eq!(query.dependencies(&schema).unwrap().into_iter().collect::<Vec<_>>(), expected);
    assert!(Query::new("Post").dependencies(&schema).unwrap().is_empty());
}

#[test]
fn what_leads_to_a_record_is_what_it_is_reached_from_and_indexes_find_it() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let all = |model: &str| -> Vec<i64> {
        let mut rows = db.prepare(&format!("SELECT syncline_record FROM \"{model}\" ORDER BY 1")).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let mut checked = 0;
    for model in &schema.models {
        for relation in &model.relations {
            let include = vec![Include::new(&relation.name)];
            let query = Query { include, ..Query::new(&model.name) };
            for dependency in query.dependencies(&schema).unwrap() {
                if relation.kind == RelationKind::HasOne {
                    assert_eq!(dependency.leading(&db, &schema, model, &[1], 100).unwrap(), None, "it has no index");
                    continue;
                }
                for row in all(&dependency.model) {
                    let mut led = dependency.leading(&db, &schema, model, &[row], 100).unwrap().unwrap();
                    led.sort_unstable();
                    let reaches = |start: &i64| {
                        let found = query.among(&db, &schema, &[*start]).unwrap();
                        let joined = dependency.model != relation.model;
                        if joined {
                            links(&db, &model.name, *start).contains(&row)
                        } else {
                            found[0].leads.contains(&row)
                        }
                    };
                    let expected: Vec<i64> = all(&model.name).into_iter().filter(|start| reaches(start)).collect();
                    assert_eq!(led, expected, "{}.{} to row {row} of {}", model.name, relation.name, dependency.model);
                    checked += led.len();
                }
                let from = (dependency.model.as_str(), dependency.model != relation.model);
                let compiled = leading::statement(&schema, (model, relation), from, &[1], 9).unwrap();
                let plan = explained(&db, compiled).unwrap();
                let scans = plan.iter().filter(|step| step.trim_start().starts_with("SCAN"));
                assert_eq!(scans.count(), 1, "only the given rows are walked through: {plan:#?}");
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

/// Rows of the links of a post or a tag.
fn links(db: &Connection, model: &str, start: i64) -> Vec<i64> {
    let column = if model == "Post" { "postId" } else { "tagId" };
    let sql = format!(
        "SELECT link.syncline_record FROM PostTags AS link JOIN {model} AS one ON one.id = link.{column} \
         WHERE one.syncline_record = ?1"
    );
    let mut rows = db.prepare(&sql).unwrap();
    rows.query_map([start], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_deepest_filter_that_is_allowed_runs() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let deep = (0..8).fold(Filter::eq("text", "so"), |inner, n| {
        let and = Filter::And(vec![!Filter::eq("text", "x"), inner]);
        Filter::related(if n % 2 == 0 { "answerTo" } else { "answers" }, and)
    });
    let query = Query { condition: deep.into(), ..Query::new("Comment") };
    assert_eq!(found(&db, &schema, &query), ["c1"]);
}

#[test]
fn a_search_goes_with_filters_of_related_records_includes_and_pages() {
    let sdl = r#"
        type Blog @model { name: String @fulltext posts: [Post] @hasMany }
        type Post @model { title: String @fulltext stars: Int blog: Blog @belongsTo }
    "#;
    let schema = syncline_schema::parse("blog.graphql", sdl).unwrap().schema;
    let db = database(&schema, "Blog", &[]);
    let blogs = [json!({"id": "b1", "name": "Oat News"}), json!({"id": "b2", "name": "Tea Times"})];
    let posts = [
        json!({"id": "p1", "title": "oat milk", "stars": 2, "blogPostsId": "b1"}),
        json!({"id": "p2", "title": "oat bran", "stars": 1, "blogPostsId": "b1"}),
        json!({"id": "p3", "title": "oat tea", "stars": 3, "blogPostsId": "b2"}),
        json!({"id": "p4", "title": "oat", "stars": 4}),
    ];
    let blogs: Vec<_> = blogs.into_iter().map(|fields| record(&schema, "Blog", fields)).collect();
    let posts: Vec<_> = posts.into_iter().map(|fields| record(&schema, "Post", fields)).collect();
    fill(&db, &schema, "Blog", &blogs);
    fill(&db, &schema, "Post", &posts);
    let of_news = Filter::related("blog", Filter::eq("name", "Oat News"));
    let query = Query {
        search: Some("oat".into()),
        condition: of_news.into(),
        include: vec!["blog".into()],
        ..Query::new("Post")
    };
    // Ranked, with what the relation leads to behind score and snippet.
    let page = query.run(&db, &schema).unwrap();
    let shown: Vec<_> = page.records.iter().map(|post| (post["id"].clone(), post["blog"]["name"].clone())).collect();
    assert_eq!(shown, [(json!("p1"), json!("Oat News")), (json!("p2"), json!("Oat News"))]);
    assert!(page.records.iter().all(|post| post["~snippet"].as_str().unwrap().starts_with("[oat]")), "{page:?}");
    assert_eq!(query.count(&db, &schema).unwrap(), 2);
    let total = Aggregation::new(query.clone(), Measure::parse("count,sum:stars").unwrap());
    let total = Value::Object(total.run(&db, &schema).unwrap().remove(0));
    assert_eq!(total, json!({"count": 2, "sum:stars": 3}));
    // In an order of its own it has pages, and each page its includes.
    let ordered = Query { order: Order::parse("stars").unwrap(), limit: Some(1), ..query };
    let first = ordered.run(&db, &schema).unwrap();
    let second = Query { after: first.next.clone(), ..ordered.clone() }.run(&db, &schema).unwrap();
    assert_eq!((&first.records[0]["id"], &second.records[0]["id"]), (&json!("p2"), &json!("p1")));
    assert_eq!(second.records[0]["blog"]["id"], "b1");
    assert_eq!(second.next, None);
    let plan = ordered.explain(&db, &schema).unwrap();
    assert!(plan.contains("VIRTUAL TABLE") && plan.contains("include blog"), "{plan}");
}

#[test]
fn what_a_related_filter_denies_may_be_null_there() {
    let schema = schema();
    let db = filled(&schema, &BTreeMap::new());
    let posts = [json!({"id": "p1"}), json!({"id": "p2"})];
    let posts: Vec<_> = posts.into_iter().map(|fields| record(&schema, "Post", fields)).collect();
    fill(&db, &schema, "Post", &posts);
    let comments = [
        json!({"id": "c1", "postID": "p1", "stars": null, "text": "x"}),
        json!({"id": "c2", "postID": "p2", "stars": 5, "text": "abc"}),
    ];
    let comments: Vec<_> = comments.into_iter().map(|fields| record(&schema, "Comment", fields)).collect();
    fill(&db, &schema, "Comment", &comments);
    // `id` stands in both tables: a column of the wrong one would find the wrong posts.
    for (denied, expected) in [
        (Filter::lt("stars", 9), vec!["p1"]),
        (Filter::between("stars", 1, 9), vec!["p1"]),
        (Filter::begins_with("text", "a"), vec!["p1"]),
        (Filter::ge("id", "c2"), vec!["p1"]),
        (Filter::between("id", "c1", "c1"), vec!["p2"]),
        (Filter::eq("stars", Value::Null), vec!["p2"]),
    ] {
        let query = Query { condition: Filter::related("comments", !denied.clone()).into(), ..Query::new("Post") };
        assert_eq!(found(&db, &schema, &query), expected, "{denied:?}");
    }
}
