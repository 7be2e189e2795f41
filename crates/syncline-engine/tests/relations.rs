//! Relations in a store: what a delete takes along, links, references that dangle and heal, indexes.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod common;

use std::slice::from_ref;

use common::*;
use serde_json::{Map, Value, json};
use syncline_core::filter::{Filter, Include};
use syncline_engine::query::Query;
use syncline_engine::{Deleted, Effect, Origin, Source, Store, StoreError};

const BLOG: &str = r#"
    type Blog @model { name: String posts: [Post] @hasMany }
    type Post @model {
        title: String
        blog: Blog @belongsTo
        comments: [Comment] @hasMany
        drafts: [Draft] @hasMany(onDelete: "keep")
        readers: [Reader] @hasMany(onDelete: "set-null")
        tags: [Tag] @manyToMany(relationName: "PostTags")
        cover: Image @hasOne
        logo: Image @hasOne(onDelete: "keep")
    }
    type Comment @model { text: String post: Post @belongsTo answers: [Comment] @hasMany answerTo: Comment @belongsTo }
    type Draft @model { text: String post: Post @belongsTo }
    type Reader @model { name: String post: Post @belongsTo }
    type Tag @model { label: String posts: [Post] @manyToMany(relationName: "PostTags") }
    type Image @model { url: String }
"#;

struct World {
    bed: Bed,
    store: Store,
}

impl World {
    fn new(seed: u8) -> Self {
        let mut bed = Bed::new(seed);
        let store = bed.open_with(Some(BLOG));
        Self { bed, store }
    }

    fn save(&mut self, model: &str, record: Value) -> String {
        let now = self.bed.tick();
        id(&save(&mut self.store, now, model, record))
    }

    fn delete(&mut self, model: &str, id: &str) -> Result<Deleted, StoreError> {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.single(|tx| tx.delete_along(model, id)))
    }

    fn link(&mut self, post: &str, tag: &str) -> bool {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.single(|tx| tx.link("Post", post, "tags", tag))).unwrap().dot.is_some()
    }

    fn unlink(&mut self, post: &str, tag: &str) -> bool {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.single(|tx| tx.unlink("Post", post, "tags", tag))).unwrap().dot.is_some()
    }

    fn find(&mut self, query: &Query) -> Vec<Map<String, Value>> {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.query(query)).unwrap().records
    }

    fn ids(&mut self, query: &Query) -> Vec<String> {
        self.find(query).iter().map(id).collect()
    }

    fn count(&mut self, model: &str) -> usize {
        self.find(&Query::new(model)).len()
    }

    fn related(&mut self, model: &str, id: &str, relation: &str) -> Vec<Map<String, Value>> {
        let now = self.bed.tick();
        self.store.write(now, |tx| tx.related(model, id, relation)).unwrap()
    }

    fn pull(&mut self, other: &mut Self) {
        pull(&mut self.store, &mut other.store);
    }
}

fn ids_of(records: &[Map<String, Value>]) -> Vec<String> {
    records.iter().map(id).collect()
}

#[test]
fn a_delete_does_to_related_records_what_the_schema_says() {
    let mut world = World::new(1);
    let cover = world.save("Image", json!({"url": "cover"}));
    let logo = world.save("Image", json!({"url": "logo"}));
    let post = world.save("Post", json!({"title": "t", "cover": {"id": cover}, "logo": {"id": logo}}));
    let other = world.save("Post", json!({"title": "other"}));
    let first = world.save("Comment", json!({"text": "1", "post": {"id": post}}));
    let answer = world.save("Comment", json!({"text": "2", "answerTo": {"id": first}}));
    let foreign = world.save("Comment", json!({"text": "3", "post": {"id": other}}));
    let draft = world.save("Draft", json!({"post": {"id": post}}));
    let reader = world.save("Reader", json!({"name": "x", "post": {"id": post}}));
    let tag = world.save("Tag", json!({"label": "red"}));
    world.link(&post, &tag);
    world.link(&other, &tag);
    world.store.take_commits();

    let deleted = world.delete("Post", &post).unwrap();
    let mut effects: Vec<(String, String)> = deleted
        .along
        .iter()
        .map(|along| {
            let effect = match &along.effect {
                Effect::Deleted => "deleted".to_owned(),
                Effect::Emptied(fields) => json!(fields).to_string(),
            };
            (along.model.clone(), effect)
        })
        .collect();
    effects.sort();
    let gone = |model: &str| (model.to_owned(), "deleted".to_owned());
    let emptied = ("Reader".to_owned(), json!({"postReadersId": post}).to_string());
    assert_eq!(effects, [gone("Comment"), gone("Comment"), gone("Image"), gone("PostTags"), emptied]);
    assert_eq!(deleted.saved.record["title"], "t");
    assert_eq!(world.ids(&Query::new("Comment")), [foreign]);
    assert_eq!(world.ids(&Query::new("Image")), [logo]);
    assert_eq!(world.ids(&Query::new("Draft")), from_ref(&draft));
    assert_eq!(get(&mut world.store, "Draft", &draft).unwrap()["postDraftsId"], json!(post), "its reference dangles");
    assert_eq!(get(&mut world.store, "Reader", &reader).unwrap()["postReadersId"], Value::Null);
    assert_eq!(ids_of(&world.related("Tag", &tag, "posts")), [other]);
    assert_eq!(get(&mut world.store, "Comment", &answer), None);
    // Everything that follows the store hears of each record.
    let commits = world.store.take_commits();
    let changed: Vec<_> = commits.iter().flat_map(|commit| &commit.changes).collect();
    assert_eq!(changed.len(), 6);
    assert!(changed.iter().all(|change| change.origin == Origin::Local));
    assert_verified(&world.store);
}

#[test]
fn what_a_delete_takes_along_is_one_transaction_on_every_peer() {
    let (mut one, mut two) = (World::new(1), World::new(2));
    let post = one.save("Post", json!({}));
    for n in 0..5 {
        one.save("Comment", json!({"text": n.to_string(), "post": {"id": post}}));
    }
    two.pull(&mut one);
    let before = one.store.committed();
    one.delete("Post", &post).unwrap();
    let rows = rows(&mut one.store, before);
    assert_eq!(rows.iter().map(|row| row.txn).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
    two.pull(&mut one);
    assert_eq!((two.count("Post"), two.count("Comment")), (0, 0));
}

/// A replica that wrote because of what it received would answer every delete with changes of its own.
#[test]
fn a_delete_that_arrives_takes_nothing_along_and_a_child_added_meanwhile_stays_dangling() {
    let (mut one, mut two) = (World::new(1), World::new(2));
    let post = one.save("Post", json!({"title": "t"}));
    let known = one.save("Comment", json!({"post": {"id": post}}));
    two.pull(&mut one);
    one.delete("Post", &post).unwrap();
    let late = two.save("Comment", json!({"text": "late", "post": {"id": post}}));
    let written = two.store.committed();
    two.pull(&mut one);
    assert_eq!(two.store.committed(), written + 2, "two changes came, and none was made");
    one.pull(&mut two);
    for world in [&mut one, &mut two] {
        assert_eq!(world.ids(&Query::new("Comment")), from_ref(&late));
        assert_eq!(get(&mut world.store, "Comment", &known), None);
        let query = Query { include: vec![Include::new("post")], ..Query::new("Comment") };
        let shown = &world.find(&query)[0];
        assert_eq!((&shown["post"], &shown["postCommentsId"]), (&Value::Null, &json!(post)));
        assert_verified(&world.store);
    }
}

#[test]
fn a_dangling_reference_is_found_and_heals_when_the_record_arrives_or_comes_back() {
    let (mut one, mut two) = (World::new(1), World::new(2));
    let post = one.save("Post", json!({"title": "t"}));
    let comment = two.save("Comment", json!({"post": {"id": post}}));
    let unset = two.save("Comment", json!({}));
    let dangling = Filter::unrelated("post") & Filter::ne("postCommentsId", Value::Null);
    let dangling = Query { condition: dangling.into(), ..Query::new("Comment") };
    let without = Query { condition: Filter::unrelated("post").into(), ..Query::new("Comment") };
    let with = Query { condition: Filter::related("post", Filter::eq("title", "t")).into(), ..Query::new("Comment") };
    let mut both = vec![comment.clone(), unset];
    both.sort();
    assert_eq!(two.ids(&dangling), from_ref(&comment));
    assert_eq!(two.ids(&without), both);
    assert!(two.related("Comment", &comment, "post").is_empty());
    // It arrives.
    two.pull(&mut one);
    assert!(two.ids(&dangling).is_empty());
    assert_eq!(two.ids(&with), from_ref(&comment));
    assert_eq!(ids_of(&two.related("Comment", &comment, "post")), from_ref(&post));
    assert_eq!(ids_of(&two.related("Post", &post, "comments")), from_ref(&comment));
    // It goes where the comment is not known, and comes back.
    one.delete("Post", &post).unwrap();
    two.pull(&mut one);
    assert_eq!(two.ids(&dangling), from_ref(&comment));
    let now = one.bed.tick();
    one.store.write(now, |tx| tx.single(|tx| tx.undelete("Post", &post))).unwrap();
    two.pull(&mut one);
    assert!(two.ids(&dangling).is_empty());
    assert_eq!(two.ids(&with), [comment]);
}

#[test]
fn replicas_that_link_the_same_two_make_one_link_and_an_unlink_removes_it_everywhere() {
    let (mut one, mut two) = (World::new(1), World::new(2));
    let post = one.save("Post", json!({}));
    let tag = one.save("Tag", json!({"label": "red"}));
    two.pull(&mut one);
    assert!(one.link(&post, &tag) && two.link(&post, &tag));
    assert!(!one.link(&post, &tag), "they are linked already");
    one.pull(&mut two);
    two.pull(&mut one);
    for world in [&mut one, &mut two] {
        assert_eq!(world.count("PostTags"), 1);
        assert_eq!(ids_of(&world.related("Post", &post, "tags")), from_ref(&tag));
        assert_eq!(ids_of(&world.related("Tag", &tag, "posts")), from_ref(&post));
    }
    assert!(two.unlink(&post, &tag) && !two.unlink(&post, &tag));
    one.pull(&mut two);
    assert!(one.related("Post", &post, "tags").is_empty());
    assert!(one.link(&post, &tag), "a link that was removed can be made again");
    two.pull(&mut one);
    assert_eq!(ids_of(&two.related("Tag", &tag, "posts")), [post]);
    assert_verified(&one.store);
    assert_verified(&two.store);
}

#[test]
fn links_go_with_either_end_and_can_be_made_from_either() {
    let mut world = World::new(1);
    let (post, other) = (world.save("Post", json!({})), world.save("Post", json!({})));
    let (red, blue) = (world.save("Tag", json!({})), world.save("Tag", json!({})));
    let now = world.bed.tick();
    world.store.write(now, |tx| tx.link("Tag", &red, "posts", &post)).unwrap();
    assert!(!world.link(&post, &red), "it is the same link");
    world.link(&post, &blue);
    world.link(&other, &red);
    world.delete("Tag", &red).unwrap();
    assert_eq!(world.count("PostTags"), 1);
    world.delete("Post", &post).unwrap();
    assert_eq!((world.count("PostTags"), world.count("Tag"), world.count("Post")), (0, 1, 1));
}

#[test]
fn a_link_may_be_saved_as_a_record_with_its_two_ends() {
    let mut world = World::new(1);
    let (post, tag) = (world.save("Post", json!({})), world.save("Tag", json!({})));
    let now = world.bed.tick();
    let link = json!({"post": {"id": post}, "tag": {"id": tag}});
    let saved = save(&mut world.store, now, "PostTags", link);
    assert_eq!((&saved["postId"], &saved["tagId"]), (&json!(post), &json!(tag)));
    assert!(!world.link(&post, &tag));
}

#[test]
fn only_a_many_to_many_is_linked() {
    let mut world = World::new(1);
    let post = world.save("Post", json!({}));
    for (relation, said) in [
        (
            "comments",
            "`comments` is no @manyToMany: save the Comment with `postCommentsId` instead; its @manyToMany are tags",
        ),
        ("blog", "`blog` is no @manyToMany: save the Post with `blogPostsId` instead"),
        ("tag", "it has no relation `tag`; its @manyToMany are tags"),
    ] {
        let refused = world.store.write(1, |tx| tx.link("Post", &post, relation, "x")).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let refused = world.store.write(1, |tx| tx.related("Post", &post, "tag")).unwrap_err().to_string();
    assert_eq!(refused, "include tag: Post has no relation `tag`; did you mean `tags`?");
    let refused = world.store.write(1, |tx| tx.related("Post", "none", "tags")).unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }));
}

#[test]
fn relations_are_read_within_a_transaction_and_by_readers() {
    let mut world = World::new(1);
    let blog = world.save("Blog", json!({"name": "b"}));
    let now = world.bed.tick();
    let included = Query { include: Include::parse("posts.comments").unwrap(), ..Query::new("Blog") };
    let seen = world.store.write(now, |tx| {
        tx.together(|tx| {
            let post = tx.save("Post", &map(json!({"title": "t", "blog": {"id": blog}})), Source::App)?;
            let text = map(json!({"text": "c", "post": post.record}));
            tx.save("Comment", &text, Source::App)?;
            tx.query(&included)
        })
    });
    let seen = seen.unwrap().records;
    assert_eq!(seen[0]["posts"][0]["comments"][0]["text"], "c");
    let reader = world.store.reader().unwrap();
    assert_eq!(reader.query(&included).unwrap().records, seen);
    let posts = reader.related("Blog", &blog, "posts").unwrap();
    assert_eq!(posts[0]["title"], "t");
    let post = id(&posts[0]);
    assert_eq!(ids_of(&reader.related("Post", &post, "blog").unwrap()), [blog]);
}

fn many(world: &mut World, model: &str, reference: &str, id: &str, count: usize) {
    let now = world.bed.tick();
    let record = map(json!({reference: {"id": id}}));
    world.store.write(now, |tx| (0..count).try_for_each(|_| tx.save(model, &record, Source::App).map(|_| ()))).unwrap();
}

#[test]
fn a_delete_of_more_than_a_transaction_holds_is_refused_and_goes_in_parts() {
    let mut world = World::new(1);
    let blog = world.save("Blog", json!({}));
    let post = world.save("Post", json!({"blog": {"id": blog}}));
    many(&mut world, "Comment", "post", &post, 499);
    let refused = world.delete("Blog", &blog).unwrap_err();
    assert!(matches!(refused, StoreError::CascadeTooLarge { .. }));
    let said = refused.to_string();
    assert!(said.contains("takes more than 499 related records along") && said.contains("--in-parts"), "{said}");
    assert_eq!(world.count("Comment"), 499, "nothing was deleted");
    // One less is just right.
    let deleted = world.delete("Post", &post).unwrap();
    assert_eq!(deleted.along.len(), 499);

    let post = world.save("Post", json!({"blog": {"id": blog}}));
    many(&mut world, "Comment", "post", &post, 700);
    many(&mut world, "Reader", "post", &post, 600);
    let mut parts = 0;
    loop {
        let now = world.bed.tick();
        let before = world.store.committed();
        let done = world.store.write(now, |tx| tx.single(|tx| tx.delete_part("Blog", &blog))).unwrap();
        let changes = world.store.committed() - before;
        assert!(changes > 0 && changes <= 500, "{changes}");
        parts += 1;
        let orphans = Filter::unrelated("post") & Filter::ne("postCommentsId", Value::Null);
        let orphans = Query { condition: orphans.into(), ..Query::new("Comment") };
        assert!(world.find(&orphans).is_empty(), "what depends on others goes first");
        if done.is_some() {
            break;
        }
    }
    assert_eq!((world.count("Blog"), world.count("Post"), world.count("Comment")), (0, 0, 0));
    let readers = world.find(&Query::new("Reader"));
    assert!(readers.len() == 600 && readers.iter().all(|reader| reader["postReadersId"].is_null()));
    assert_eq!(parts, 3);
    assert_verified(&world.store);
}

/// Writes of several callers share a transaction. What a refused delete has read is not what it has written, so the
/// others' work stands.
#[test]
fn a_refused_delete_leaves_the_work_of_others_in_the_same_transaction() {
    let mut world = World::new(1);
    let post = world.save("Post", json!({}));
    many(&mut world, "Comment", "post", &post, 500);
    let now = world.bed.tick();
    let (saved, refused) = world
        .store
        .write(now, |tx| {
            let saved = tx.single(|tx| tx.save("Post", &map(json!({"title": "kept"})), Source::App))?;
            let refused = tx.single(|tx| tx.delete("Post", &post));
            tx.single(|tx| tx.update("Post", &post, &map(json!({"title": "too"}))))?;
            Ok((saved, refused))
        })
        .unwrap();
    assert!(matches!(refused, Err(StoreError::CascadeTooLarge { .. })));
    assert_eq!(get(&mut world.store, "Post", &id(&saved.record)).unwrap()["title"], "kept");
    assert_eq!(get(&mut world.store, "Post", &post).unwrap()["title"], "too");
    assert_verified(&world.store);
}

#[test]
fn records_that_refer_to_each_other_in_a_circle_are_deleted_once() {
    let mut world = World::new(1);
    let first = world.save("Comment", json!({}));
    let second = world.save("Comment", json!({"answerTo": {"id": first}}));
    let now = world.bed.tick();
    world.store.write(now, |tx| tx.update("Comment", &first, &map(json!({"answerTo": {"id": second}})))).unwrap();
    let deleted = world.delete("Comment", &first).unwrap();
    assert_eq!(deleted.along.len(), 1);
    assert_eq!(world.count("Comment"), 0);
    // A record of itself.
    let alone = world.save("Comment", json!({}));
    let now = world.bed.tick();
    world.store.write(now, |tx| tx.update("Comment", &alone, &map(json!({"answerTo": {"id": alone}})))).unwrap();
    assert!(world.delete("Comment", &alone).unwrap().along.is_empty());
}

#[test]
fn a_record_made_in_the_same_transaction_is_deleted_with_what_was_made_for_it() {
    let mut world = World::new(1);
    let now = world.bed.tick();
    let deleted = world.store.write(now, |tx| {
        tx.together(|tx| {
            let post = tx.save("Post", &map(json!({})), Source::App)?.record;
            tx.save("Comment", &map(json!({"post": post})), Source::App)?;
            tx.delete_along("Post", post["id"].as_str().unwrap())
        })
    });
    assert_eq!(deleted.unwrap().along.len(), 1);
    assert_eq!((world.count("Post"), world.count("Comment")), (0, 0));
    let gone = world.save("Draft", json!({}));
    let now = world.bed.tick();
    world.store.write(now, |tx| tx.delete("Draft", &gone)).unwrap();
    let again = world.delete("Draft", &gone).unwrap_err();
    assert!(matches!(again, StoreError::NotFound { deleted: true, .. }));
}

fn indexes(bed: &Bed) -> Vec<String> {
    let db = bed.sql();
    let mut statement =
        db.prepare("SELECT name FROM sqlite_master WHERE name LIKE '%syncline_to%' ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Stores from before relations were indexed have the tables and nothing else.
#[test]
fn a_store_of_an_older_layout_opens_and_gets_the_indexes_of_its_relations() {
    const SDL: &str = r#"
        type A @model { bs: [B] @hasMany(indexName: "by", fields: ["id"]) }
        type B @model { aID: ID @index(name: "by") cID: ID c: C @belongsTo(fields: ["cID"]) a: A @belongsTo(fields: ["aID"]) }
        type C @model { x: Int }
    "#;
    let mut bed = Bed::new(1);
    let mut store = bed.open_with(Some(SDL));
    save(&mut store, 1, "B", json!({"cID": "c"}));
    drop(store);
    assert_eq!(indexes(&bed), ["B.syncline_to.cID"]);
    bed.sql().execute_batch("DROP INDEX \"B.syncline_to.cID\"").unwrap();
    // Without a schema file, as the program opens stores.
    drop(bed.open_with(None));
    assert_eq!(indexes(&bed), ["B.syncline_to.cID"]);
    // A relation that goes takes its index, one that comes brings it.
    let other = SDL
        .replace("c: C @belongsTo(fields: [\"cID\"])", "")
        .replace("x: Int", "x: ID b: B @belongsTo(fields: [\"x\"])");
    let other = other.replace("x: ID", "x: Int y: ID").replace("[\"x\"]", "[\"y\"]");
    let store = bed.open_with(Some(&other));
    assert_eq!(indexes(&bed), ["C.syncline_to.y"]);
    assert_verified(&store);
}
