//! Related records that come with those of a query.

use serde_json::{Value, json};
use syncline_core::filter::{Filter, Include, Order};

use super::relations::{blog, filled, record, schema};
use crate::query::Query;

fn including(model: &str, paths: &str) -> Query {
    Query { include: Include::parse(paths).unwrap(), ..Query::new(model) }
}

/// What the query shows, reduced to ids under the names of relations.
fn shown(query: &Query) -> Value {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let page = query.run(&db, &schema).unwrap();
    page.records.into_iter().map(|record| ids(&Value::Object(record), &query.include)).collect()
}

fn ids(record: &Value, include: &[Include]) -> Value {
    let name = record.get("id").or_else(|| record.get("number")).cloned().unwrap_or_default();
    if include.is_empty() {
        return name;
    }
    let mut shown = vec![name];
    for include in include {
        shown.push(match &record[&include.relation] {
            Value::Array(many) => many.iter().map(|one| ids(one, &include.include)).collect(),
            Value::Null => Value::Null,
            one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                ids(one, &include.include)
            }
        });
    }
    Value::Array(shown)
}

#[test]
fn one_record_comes_as_an_object_or_null_and_many_as_a_list_in_key_order() {
    assert_eq!(
        shown(&including("Post", "blog,comments,tags,cover,place")),
        json!([
            ["p1", "b1", ["c1", "c2", "c3"], ["t1", "t2"], "i1", 1],
            ["p2", "b1", ["c4"], ["t1"], null, null],
            ["p3", null, [], [], null, null],
            ["p4", null, [], [], null, null],
        ])
    );
}

#[test]
fn included_records_include_others() {
    assert_eq!(
        shown(&including("Blog", "posts.comments.answers,posts.tags.posts")),
        json!([
            [
                "b1",
                [
                    ["p1", [["c1", ["c2", "c3"]], ["c2", ["c4"]], ["c3", []]], [["t1", ["p1", "p2"]], ["t2", ["p1"]]]],
                    ["p2", [["c4", []]], [["t1", ["p1", "p2"]]]],
                ],
            ],
            ["b2", []],
        ])
    );
    assert_eq!(
        shown(&including("Comment", "post.blog,answerTo")),
        json!([
            ["c1", ["p1", "b1"], null],
            ["c2", ["p1", "b1"], "c1"],
            ["c3", ["p1", "b1"], "c1"],
            ["c4", ["p2", "b1"], "c2"],
            ["c5", null, null],
            ["c6", null, null],
        ])
    );
}

#[test]
fn a_dangling_reference_is_null_beside_the_key_that_it_holds() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let condition = Filter::eq("id", "c5").into();
    let page = Query { condition, ..including("Comment", "post") }.run(&db, &schema).unwrap();
    let mut expected = record(&schema, "Comment", json!({"id": "c5", "postID": "gone", "stars": 2, "text": "yes"}));
    expected.insert("post".to_owned(), Value::Null);
    assert_eq!(page.records, [expected]);
}

#[test]
fn many_records_come_in_an_order_and_up_to_a_limit_each() {
    let comments = |order: &[Order], limit: Option<u64>| {
        let include = Include { order: order.to_vec(), limit, ..Include::new("comments") };
        shown(&Query { include: vec![include], limit: Some(2), ..Query::new("Post") })
    };
    let by_stars = [Order::descending("stars")];
    assert_eq!(comments(&by_stars, None), json!([["p1", ["c2", "c3", "c1"]], ["p2", ["c4"]]]));
    assert_eq!(comments(&by_stars, Some(2)), json!([["p1", ["c2", "c3"]], ["p2", ["c4"]]]));
    assert_eq!(comments(&[], Some(1)), json!([["p1", ["c1"]], ["p2", ["c4"]]]));
    assert_eq!(comments(&[], Some(0)), json!([["p1", []], ["p2", []]]));
    let tags = Include { order: vec![Order::ascending("label")], limit: Some(1), ..Include::new("tags") };
    let query = Query { include: vec![tags], limit: Some(2), ..Query::new("Post") };
    assert_eq!(shown(&query), json!([["p1", ["t2"]], ["p2", ["t1"]]]));
}

#[test]
fn pages_and_counts_stay_what_they_are_without() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let first = Query { limit: Some(1), ..including("Post", "comments") };
    let page = first.run(&db, &schema).unwrap();
    assert_eq!(page.records.len(), 1);
    let next = Query { limit: Some(2), after: page.next, ..including("Post", "comments") };
    let ids: Vec<Value> =
        next.run(&db, &schema).unwrap().records.into_iter().map(|record| record["comments"][0]["id"].clone()).collect();
    assert_eq!(ids, [json!("c4"), Value::Null]);
    assert_eq!(including("Post", "comments").count(&db, &schema).unwrap(), 4);
}

#[test]
fn an_unknown_relation_is_refused_by_those_that_are_there() {
    let schema = schema();
    let refused = |paths: &str| including("Blog", paths).compile(&schema).unwrap_err().to_string();
    assert_eq!(refused("post"), "include post: Blog has no relation `post`; did you mean `posts`?");
    assert_eq!(
        refused("posts.author"),
        "include posts.author: Post has no relation `author`; its relations are blog, comments, tags, cover, place"
    );
}

#[test]
fn each_included_relation_is_one_statement_that_searches_an_index() {
    let schema = schema();
    let db = filled(&schema, &blog(&schema));
    let limited = Include { limit: Some(3), order: vec![Order::ascending("stars")], ..Include::new("comments") };
    let include = [Include::parse("blog.posts,tags").unwrap(), vec![limited]].concat();
    let plan = Query { include, ..Query::new("Post") }.explain(&db, &schema).unwrap();
    let headings: Vec<&str> = plan.lines().filter(|line| line.trim_start().starts_with("include ")).collect();
    assert_eq!(headings, ["include blog", "  include posts", "include tags", "include comments"]);
    for index in [
        "Blog.syncline_key (id=?)",
        "Post.byBlogPosts (blogPostsId=?)",
        "Tag.syncline_key (id=?)",
        "Comment.byPost (postID=?)",
        "USING INTEGER PRIMARY KEY (rowid=?)",
    ] {
        assert!(plan.contains(index), "{index} is not in\n{plan}");
    }
    let walked: Vec<&str> = plan.lines().filter(|line| line.contains("SCAN")).collect();
    let own = |line: &&&str| !line.contains("given VIRTUAL TABLE") && !line.contains("(subquery");
    assert_eq!(walked.iter().filter(own).count(), 1, "only the query's own table is walked\n{plan}");
}
