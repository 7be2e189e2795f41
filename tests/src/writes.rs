//! Writes under a condition, of many records at once and by other fields than the key: typed, in JSON and by the program.

use syncline::{
    DeletedCount, Effect, Error, Filter, ImportEffect, ImportRecord, QueryCondition, RichText, Span, Store, StoreError,
};

use crate::support::program::{assert_sound, init, ok, run};
use crate::support::{Bed, record, sync};
use serde_json::json;

syncline::models!(
    sdl = r#"
type Post @model {
  title: String!
  rating: Int @index(name: "byRating")
  slug: String @index(name: "bySlug")
  comments: [Comment] @hasMany
}
type Comment @model { text: String! post: Post @belongsTo }
"#
);

async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

fn rated(title: &str, rating: i64) -> Post {
    Post { rating: Some(rating), ..Post::new(title) }
}

fn not_met(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::ConditionNotMet { .. }))
}

/// DataStore: `DataStore.delete(Post, post => post.rating.lt(3))` deletes all that match and tells which.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_with_a_predicate_deletes_what_matches_with_its_children_on_every_peer_at_once() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    let saved = here.save_all(&[rated("a", 1), rated("b", 2), rated("c", 3)]).await.unwrap();
    let comment = Comment { post_comments_id: Some(saved[0].record.id.clone()), ..Comment::new("!") };
    here.save(&comment).await.unwrap();
    let listener = there.listen(crate::support::loopback()).await.unwrap();
    sync(&here, listener.url()).await;
    assert_eq!(there.query::<Post>().count().await.unwrap(), 3);

    let deleted = here.delete_where(post::rating.lt(3)).await.unwrap();
    assert_eq!(deleted.records.iter().map(|post| post.title.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(deleted.along.iter().map(|along| &along.effect).collect::<Vec<_>>(), [&Effect::Deleted]);
    let again = here.delete_where(post::rating.lt(3)).await.unwrap();
    assert_eq!((again.records.len(), again.token), (0, None));
    sync(&here, listener.url()).await;
    // The token names the whole delete.
    there.wait_for(&deleted.token.unwrap(), crate::support::PATIENCE).await.unwrap();
    assert_eq!(there.query::<Post>().all().await.unwrap(), [saved[2].record.clone()]);
    assert_eq!(there.query::<Comment>().count().await.unwrap(), 0);
}

/// DataStore: `DataStore.delete(Post, Predicates.ALL)`.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_of_all_records_goes_in_parts_where_one_transaction_cannot_hold_it() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let posts = (0..700).map(|n| record(json!({"title": n.to_string(), "rating": n % 5})));
    store.import_json("Post", posts.collect()).await.unwrap();
    let refused = store.delete_where::<Post>(syncline::Condition::all()).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::TooManyDeletes { .. })), "{refused}");
    let some = store.delete_where(post::rating.eq(0)).await.unwrap();
    assert_eq!(some.records.len(), 140);
    let rest = store.delete_where_in_parts::<Post>(syncline::Condition::all()).await.unwrap();
    assert_eq!(rest, DeletedCount { records: 560, along: 0 });
    assert_eq!(store.query::<Post>().count().await.unwrap(), 0);
}

/// DataStore: `DataStore.save(Post.copyOf(post, …), post => post.rating.eq(1))`. It evaluates the predicate at the
/// server, some time later; here the answer is the call's.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_update_or_delete_with_a_predicate_that_does_not_hold_writes_nothing() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = store.save(&rated("a", 1)).await.unwrap().record;
    let stale = Post { title: "stale".to_owned(), ..post.clone() };
    store.update::<Post>(&post.id, |post| post.rating = Some(2)).await.unwrap();
    let version = store.version().await.unwrap();
    let one = post::rating.eq(1);
    assert!(not_met(&store.save_if(&stale, one.clone()).await.unwrap_err()));
    assert!(not_met(&store.update_if(&post.id, one.clone(), |post| post.title.clear()).await.unwrap_err()));
    assert!(not_met(&store.delete_if(&post.id, one).await.unwrap_err()));
    assert_eq!(store.version().await.unwrap(), version);

    let two = post::rating.eq(2);
    let updated = store.update_if(&post.id, two.clone(), |post| post.title = "b".to_owned()).await.unwrap().record;
    assert_eq!((updated.title.as_str(), updated.rating), ("b", Some(2)));
    let saved = store.save_if(&Post { title: "c".to_owned(), ..updated }, two.clone()).await.unwrap().record;
    assert_eq!(store.delete_if(&post.id, two).await.unwrap().record.title, "c");
    let gone = store.save_if(&saved, syncline::Condition::all()).await.unwrap_err();
    assert!(not_met(&gone) && gone.to_string().contains("not there (or deleted)"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_requires_what_it_builds_on_and_deletes_saves_and_upserts_many() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = store.save(&rated("open", 1)).await.unwrap().record;
    let comment = |text: &str| Comment { post_comments_id: Some(post.id.clone()), ..Comment::new(text) };
    let (first, second, id) = (comment("1"), comment("2"), post.id.clone());
    store
        .transaction(move |tx| {
            tx.require(&id, post::title.eq("open") & !post::comments.any(comment::text.eq("1")))?;
            tx.save_all(&[first, second])?;
            tx.upsert(&Post { slug: Some("s".to_owned()), ..Post::new("by slug") }, post::slug)?;
            assert_eq!(tx.delete_where(comment::text.eq("2"))?.records.len(), 1);
            tx.update_if(&id, post::comments.any(comment::text.eq("1")), |post: &mut Post| post.rating = Some(5))
        })
        .await
        .unwrap();
    assert_eq!(store.query::<Comment>().all().await.unwrap().len(), 1);
    let (id, third) = (post.id.clone(), comment("3"));
    let refused = store.transaction(move |tx| {
        tx.save(&third)?;
        tx.require(&id, post::rating.eq(1))
    });
    assert!(not_met(&refused.await.unwrap_err()));
    assert_eq!(store.query::<Comment>().all().await.unwrap().len(), 1, "what came before is taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_by_several_fields_and_the_json_face_do_the_same() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let keyed = |rating| Post { slug: Some("s".to_owned()), ..rated("t", rating) };
    let first = store.upsert(&keyed(1), (post::slug, post::rating)).await.unwrap().record;
    let again = store.upsert(&keyed(1), (post::slug, post::rating)).await.unwrap();
    assert_eq!((&again.record, again.token), (&first, None), "nothing changed");
    let other = store.upsert(&keyed(2), (post::slug, post::rating)).await.unwrap().record;
    let refused = store.upsert_json("Post", record(json!({"title": "t", "slug": "s"})), &["slug"]).await.unwrap_err();
    assert!(refused.to_string().contains(&*first.id) && refused.to_string().contains(&*other.id), "{refused}");

    let schema = store.schema().unwrap();
    let filter = Filter::parse_json(schema, schema.model("Post").unwrap(), &json!({"rating": {"ge": 2}})).unwrap();
    let patch = || record(json!({"title": "u"}));
    assert!(not_met(&store.update_if_json("Post", &first.id, patch(), filter.clone()).await.unwrap_err()));
    let updated = store.update_if_json("Post", &other.id, patch(), filter.clone()).await.unwrap().record;
    assert_eq!(updated["title"], "u");
    let deleted = store.delete_where_json("Post", filter).await.unwrap().records;
    assert_eq!(deleted.len(), 1);
    assert_eq!((&deleted[0]["id"], &deleted[0]["title"]), (&updated["id"], &updated["title"]));
    let text = QueryCondition::Where("rating < 2".to_owned());
    assert_eq!(store.delete_where_in_parts_json("Post", text).await.unwrap().records, 1);
}

#[test]
fn the_program_deletes_by_condition_and_not_everything_unasked() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let batch = r#"[{"id":"a","title":"a","rating":1},{"id":"b","title":"b","rating":2},{"id":"c","title":"c"}]"#;
    assert_eq!(ok(["save", &db, "Post", batch]).lines().len(), 3);
    ok(["save", &db, "Comment", r#"{"text":"!","post":{"id":"a"}}"#]);
    let deleted = ok(["delete", &db, "Post", "--filter", r#"{"rating":{"le":1}}"#]);
    assert_eq!(deleted.text(), "{\"deleted\":1,\"along\":1}\n");
    assert_eq!(ok(["delete", &db, "Post", "--where", "rating > 5"]).json(), json!({"deleted": 0, "along": 0}));
    assert_eq!(run(["delete", &db, "Post"]).code, 2, "nothing says which");
    assert_eq!(run(["delete", &db, "Post", "b", "--all"]).code, 2);
    let nothing = [r#"{"and":[]}"#, r#"{"and":[{}]}"#, r#"{"or":[{"rating":{"eq":1}},{}]}"#, r#"{"not":{"or":[]}}"#];
    for filter in ["{}"].into_iter().chain(nothing) {
        let everything = run(["delete", &db, "Post", "--filter", filter]);
        assert_eq!(everything.code, 2);
        assert!(everything.err.contains("--all"), "{everything:?}");
    }
    assert_eq!(ok(["query", &db, "Post", "--count"]).text(), "2\n");
    let parts = ok(["delete", &db, "Post", "--all", "--in-parts"]);
    assert_eq!(parts.json(), json!({"deleted": 2, "along": 0}));
    assert_eq!(ok(["query", &db, "Post", "--count"]).text(), "0\n");
    assert_sound(&bed.path("app.db"));
}

#[test]
fn the_program_writes_under_a_condition_and_by_a_field_that_tells_records_apart() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let first = ok(["save", &db, "Post", r#"{"title":"a","slug":"s","rating":1}"#, "--key", "slug"]).json();
    let second = ok(["save", &db, "Post", r#"{"title":"b","slug":"s"}"#, "--key", "slug"]).json();
    assert_eq!((&second["id"], &second["title"], &second["rating"]), (&first["id"], &json!("b"), &json!(1)));
    let id = first["id"].as_str().unwrap();
    let refused = run(["update", &db, "Post", id, r#"{"title":"c"}"#, "--if", r#"{"rating":{"gt":1}}"#]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(id) && refused.err.contains(r#"{"rating":{"gt":1}}"#), "{refused:?}");
    assert_eq!(run(["delete", &db, "Post", id, "--if", "rating IS NULL"]).code, 1);
    assert_eq!(ok(["get", &db, "Post", id]).json(), second);
    let updated = ok(["update", &db, "Post", id, r#"{"rating":2}"#, "--if", "rating = 1"]).json();
    assert_eq!(updated["rating"], 2);
    let saved = json!({"id": id, "title": "d"}).to_string();
    assert_eq!(ok(["save", &db, "Post", &saved, "--if", r#"{"rating":{"eq":2}}"#]).json()["title"], "d");
    assert_eq!(ok(["delete", &db, "Post", id, "--if", "title = 'd'"]).json()["title"], "d");

    let batch = run(["save", &db, "Post", r#"[{"title":"x"},{"rating":"high"}]"#]);
    assert_eq!(batch.code, 1);
    assert!(batch.err.contains("[1]") && batch.err.contains("`title`") && batch.err.contains("`rating`"), "{batch:?}");
    assert_eq!(ok(["query", &db, "Post", "--count"]).text(), "0\n");
    assert_eq!(run(["save", &db, "Post", r#"[{"title":"x"}]"#, "--key", "slug"]).code, 2);
    assert_eq!(run(["delete", &db, "Post", "--all", "--if", "rating = 1"]).code, 2);
}

/// The records of a batch are worked out on several threads, and taken in one after the other: what comes of it is what
/// saves one by one give, whichever records it holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_gives_what_its_records_saved_one_by_one_give() {
    let bed = Bed::new();
    let (batch, single) = (open(&bed, "batch.db").await, open(&bed, "single.db").await);
    let records: Vec<_> = (0..500)
        .map(|n| match n % 7 {
            // Known ids, each met several times, now and then by the next record: creates and updates.
            0..=2 => record(json!({"id": format!("post-{}", n / 8 % 40), "title": n.to_string(), "rating": n})),
            // No title, and no such field.
            3 => record(json!({"rating": n})),
            4 if n % 2 == 0 => record(json!({"title": n.to_string(), "colour": "red"})),
            // A time of its own.
            5 => record(json!({"title": n.to_string(), "updatedAt": format!("2020-01-01T00:00:00.{n:03}Z")})),
            _ => record(json!({"title": n.to_string(), "slug": format!("slug-{n}"), "rating": null})),
        })
        .collect();
    let together = batch.import_json("Post", records.clone()).await.unwrap();
    for (one, together) in records.into_iter().zip(together) {
        let alone = single.import_json("Post", vec![one]).await.unwrap().remove(0);
        let (alone, together) = match (alone, together) {
            (Ok(alone), Ok(together)) => (alone, together),
            (Err(alone), Err(together)) => {
                assert_eq!(alone.to_string(), together.to_string());
                continue;
            }
            (alone, together) => panic!("alone: {alone:?}; in a batch: {together:?}"),
        };
        assert_eq!(alone.effect, together.effect);
        let given = |id: &str| id.starts_with("post-");
        assert_eq!(given(&alone.id), given(&together.id));
        if given(&alone.id) {
            assert_eq!(alone.id, together.id);
            continue;
        }
        let alone = single.get_json("Post", &alone.id).await.unwrap().unwrap();
        let together = batch.get_json("Post", &together.id).await.unwrap().unwrap();
        let fields = ["title", "rating", "slug"];
        assert_eq!(fields.map(|field| &alone[field]), fields.map(|field| &together[field]));
        let is_old = |time: &serde_json::Value| time.as_str().unwrap().starts_with("2020");
        assert_eq!(is_old(&alone["updatedAt"]), is_old(&together["updatedAt"]));
    }
    for n in 0..40 {
        let id = format!("post-{n}");
        let known = |mut post: syncline::Record| {
            post.retain(|name, _| !name.ends_with("At"));
            post
        };
        let here = batch.get_json("Post", &id).await.unwrap().map(known);
        assert_eq!(here, single.get_json("Post", &id).await.unwrap().map(known));
    }
    assert_eq!(batch.query::<Post>().count().await.unwrap(), single.query::<Post>().count().await.unwrap());
    for store in [batch, single] {
        store.close().await.unwrap();
    }
    for name in ["batch.db", "single.db"] {
        assert_sound(&bed.path(name));
    }
}

/// A batch that is saved whole or not at all names every bad record by its place, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_with_bad_records_saves_none_and_names_each() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let bad = |n: &usize| n % 100 == 17;
    let post = |n: usize| if bad(&n) { json!({"rating": n}) } else { json!({"title": n.to_string()}) };
    let refused = store.save_all_json("Post", (0..400).map(|n| record(post(n))).collect()).await.unwrap_err();
    let Error::Store(StoreError::InvalidBatch(faults)) = refused else { panic!("{refused}") };
    let places: Vec<usize> = faults.iter().map(|fault| fault.index).collect();
    assert_eq!(places, [17, 117, 217, 317]);
    assert_eq!(store.query::<Post>().count().await.unwrap(), 0);
    let good = (0..400).filter(|n| !bad(n)).map(|n| record(post(n))).collect();
    assert_eq!(store.save_all_json("Post", good).await.unwrap().len(), 396);
    assert_eq!(store.query::<Post>().count().await.unwrap(), 396);
}

/// What a save of many records tells is worked out before they are written, on several threads.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_what_the_store_shows() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let known = store.save(&rated("known", 1)).await.unwrap().record;
    let records: Vec<_> = (0..200)
        .map(|n| match n {
            150 => record(json!({"id": &known.id, "title": "known still"})),
            _ => record(json!({"title": n.to_string(), "rating": n % 3, "slug": null})),
        })
        .collect();
    let saved = store.save_all_json("Post", records).await.unwrap();
    assert_eq!(saved.len(), 200);
    assert_eq!(saved[150].record["rating"], 1);
    for one in &saved {
        let shown = store.get_json("Post", one.record["id"].as_str().unwrap()).await.unwrap();
        assert_eq!(shown.as_ref(), Some(&one.record));
        assert!(one.token.is_some());
    }
}

/// Part of a batch is written while the rest is drafted: a record that comes again is then no new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_names_records_again_ends_at_the_last_of_each() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = |n: usize| record(json!({"id": format!("p{}", n % 70), "title": n.to_string(), "rating": n % 9}));
    let saved = store.save_all_json("Post", (0..300).map(post).collect()).await.unwrap();
    for (n, one) in saved.iter().enumerate() {
        assert_eq!(one.record["title"], n.to_string());
    }
    for n in 230..300 {
        let shown = store.get_json("Post", &format!("p{}", n % 70)).await.unwrap().unwrap();
        assert_eq!((&shown["title"], &shown["rating"]), (&json!(n.to_string()), &json!(n % 9)));
    }
    assert_eq!(store.query::<Post>().count().await.unwrap(), 70);
    store.close().await.unwrap();
    assert_sound(&bed.path("app.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_long_saves_none_and_the_store_goes_on() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let posts = |count: usize| (0..count).map(|n| record(json!({"title": n.to_string()}))).collect::<Vec<_>>();
    let refused = store.save_all_json("Post", posts(700)).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::TransactionTooLarge { changes: 700, .. })), "{refused}");
    assert_eq!(store.query::<Post>().count().await.unwrap(), 0);
    store.save_all_json("Post", posts(500)).await.unwrap();
    store.save_json("Post", record(json!({"title": "one more"}))).await.unwrap();
    assert_eq!(store.query::<Post>().count().await.unwrap(), 501);
    store.close().await.unwrap();
    assert_sound(&bed.path("app.db"));
}

mod kinds {
    syncline::models!(
        sdl = r#"
        type Reading @model { sensor: ID! @primaryKey(sortKeyFields: ["level"]) level: Float! note: String }
        type Note @model { title: String! body: String @text(rich: true) }
        type Draft @model @local { title: String! }
        "#
    );
}

/// An import tells of each record whether it was created, updated or found as it came, by its id. A key of a Float that
/// came as `1` was created as `1.0`, and refused when it came again: "a key cannot change".
#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_what_became_of_each_record() {
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), kinds::SDL).await.unwrap();
    let effects = async |model: &str, records: Vec<serde_json::Value>| {
        let imported = store.import_json(model, records.into_iter().map(record).collect()).await.unwrap();
        imported.into_iter().map(|one| one.map(|one| (one.id, one.effect)).unwrap()).collect::<Vec<_>>()
    };
    let told = |id: &str, effect| (id.to_owned(), effect);
    let reading = |note: &str| json!({"sensor": "s", "level": 1, "note": note});
    let id = r#"{"sensor":"s","level":1.0}"#;
    assert_eq!(
        effects("Reading", ["a", "a", "b"].map(reading).to_vec()).await,
        [told(id, ImportEffect::Created), told(id, ImportEffect::Unchanged), told(id, ImportEffect::Updated)]
    );
    assert_eq!(effects("Reading", vec![reading("b")]).await, [told(id, ImportEffect::Unchanged)]);
    store.delete_json("Reading", id).await.unwrap();
    assert_eq!(effects("Reading", vec![reading("b")]).await, [told(id, ImportEffect::Created)]);
    assert_eq!(store.get_json("Reading", id).await.unwrap().unwrap()["note"], "b");

    let note = |title: &str| json!({"id": "n", "title": title, "body": "text"});
    assert_eq!(
        effects("Note", vec![note("a"), note("a"), note("b")]).await,
        [told("n", ImportEffect::Created), told("n", ImportEffect::Unchanged), told("n", ImportEffect::Updated)]
    );
    let marked = |bold: bool| {
        let spans = json!([{"text": "text", "marks": {"bold": bold}}]);
        let spans = Span::list_from_json(&spans).unwrap();
        let texts = [("body".to_owned(), RichText { spans, ..RichText::default() })].into();
        ImportRecord { record: record(note("b")), texts, newer_only: false }
    };
    for effect in [ImportEffect::Updated, ImportEffect::Unchanged] {
        let imported = store.import_bookmarked("Note", vec![marked(true)], "notes", |_| "1".to_owned()).await.unwrap();
        assert_eq!(imported[0].as_ref().unwrap().effect, effect);
    }

    let draft = |title: &str| json!({"id": "d", "title": title});
    assert_eq!(
        effects("Draft", vec![draft("a"), draft("a"), draft("b")]).await,
        [told("d", ImportEffect::Created), told("d", ImportEffect::Unchanged), told("d", ImportEffect::Updated)]
    );
    let ids = effects("Draft", (0..100).map(|n| json!({"title": n.to_string()})).collect()).await;
    for (n, (id, effect)) in ids.iter().enumerate() {
        assert_eq!(*effect, ImportEffect::Created);
        assert_eq!(store.get_json("Draft", id).await.unwrap().unwrap()["title"], n.to_string());
    }
    store.close().await.unwrap();
    assert_sound(&bed.path("app.db"));
}
