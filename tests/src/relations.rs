//! Relations through the library, the program and relays: what is shown, what dangles and heals, what deletes do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use syncline::{Effect, Error, Include, Query, Store, StoreError};

use crate::support::program::{assert_sound, init, ok, program, run, run_with_input};
use crate::support::{Bed, all_have_all, assert_converged, in_time, loopback, record, sync};

mod blog {
    syncline::models!(
        sdl = r#"
            type Blog @model { name: String! posts: [Post] @hasMany }
            type Post @model {
              title: String!
              blog: Blog @belongsTo
              comments: [Comment] @hasMany
              readers: [Reader] @hasMany(onDelete: "set-null")
              tags: [Tag] @manyToMany(relationName: "PostTags")
            }
            type Comment @model { text: String! stars: Int post: Post @belongsTo author: Person @belongsTo }
            type Person @model { name: String! comments: [Comment] @hasMany }
            type Reader @model { name: String! post: Post @belongsTo }
            type Tag @model { label: String! posts: [Post] @manyToMany(relationName: "PostTags") }
        "#
    );
}

use blog::{Blog, Comment, Person, Post, Reader, SDL, Tag, comment, person, post, tag};

async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

async fn save_post(store: &Store, title: &str) -> Post {
    store.save(&Post::new(title)).await.unwrap().record
}

async fn save_comment(store: &Store, on: &Post, text: &str, stars: i64) -> Comment {
    let comment = Comment { post_comments_id: Some(on.id.clone()), stars: Some(stars), ..Comment::new(text) };
    store.save(&comment).await.unwrap().record
}

/// Titles, or whatever else names a record.
fn each<T>(records: &[T], name: impl Fn(&T) -> &str) -> Vec<&str> {
    records.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_dangles_until_its_record_arrives_by_sync_and_live_queries_show_it_heal() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let (phone, laptop) = (open(&bed, "phone.db").await, open(&bed, "laptop.db").await);
    // The phone has the comment's post on paper only: its id came by another way.
    let post = save_post(&laptop, "Hello").await;
    let comment = save_comment(&phone, &post, "first", 1).await;
    let missing = || phone.query::<Comment>().filter(comment::post.is_missing());
    let dangling = missing().filter(comment::post_comments_id.is_not_null());
    assert_eq!(dangling.all().await.unwrap(), std::slice::from_ref(&comment));
    assert_eq!(phone.related(&comment.id, comment::post).await.unwrap(), None);
    let mut live = phone.query::<Comment>().include(comment::post).observe();
    let shown = in_time(live.next()).await.unwrap().unwrap().items;
    assert_eq!(shown, [(comment.clone(), None).into()]);

    sync(&laptop, &relay.url()).await;
    sync(&phone, &relay.url()).await;
    let shown = in_time(live.next()).await.unwrap().unwrap().items;
    assert_eq!(shown, [(comment.clone(), Some(post.clone())).into()]);
    assert_eq!(missing().count().await.unwrap(), 0);
    // An edit of the post elsewhere is a change of the comment as it is shown.
    laptop.update::<Post>(&post.id, |post| post.title = "Hello, world".to_owned()).await.unwrap();
    sync(&laptop, &relay.url()).await;
    sync(&phone, &relay.url()).await;
    let shown = in_time(live.next()).await.unwrap().unwrap().items;
    assert_eq!(shown[0].1.as_ref().unwrap().title, "Hello, world");
    assert_converged(&[&phone, &laptop]).await;
}

/// The device that deletes takes along what it holds. A replica that received the delete and wrote in turn would answer
/// every delete with changes of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_comment_that_was_added_while_its_post_was_deleted_stays_on_every_replica_and_dangles() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let (a, b) = (open(&bed, "a.db").await, open(&bed, "b.db").await);
    let post = save_post(&a, "t").await;
    let known = save_comment(&a, &post, "known", 1).await;
    for store in [&a, &b] {
        sync(store, &relay.url()).await;
    }
    a.delete::<Post>(&post.id).await.unwrap();
    let late = save_comment(&b, &post, "late", 1).await;
    b.update::<Comment>(&known.id, |comment| comment.stars = Some(5)).await.unwrap();
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    for store in [&a, &b] {
        let comments = store.query::<Comment>().include(comment::post).all().await.unwrap();
        assert_eq!(comments, [(late.clone(), None)]);
    }
    assert_converged(&[&a, &b]).await;
    // The post comes back, and the reference leads to it again.
    b.undelete::<Post>(&post.id).await.unwrap();
    sync(&b, &relay.url()).await;
    sync(&a, &relay.url()).await;
    assert_eq!(a.related(&post.id, post::comments).await.unwrap(), [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_link_and_unlink_apart_agree() {
    let bed = Bed::new();
    let (a, b) = (open(&bed, "a.db").await, open(&bed, "b.db").await);
    let post = save_post(&a, "t").await;
    let red = a.save(&Tag::new("red")).await.unwrap().record;
    let blue = a.save(&Tag::new("blue")).await.unwrap().record;
    let listener = a.listen(loopback()).await.unwrap();
    let link = b.connect(listener.url()).unwrap();
    all_have_all(&[&a, &b]).await;
    drop(link);
    a.link(&post.id, post::tags, &red.id).await.unwrap();
    b.link(&red.id, tag::posts, &post.id).await.unwrap();
    b.link(&post.id, post::tags, &blue.id).await.unwrap();
    let again = b.link(&post.id, post::tags, &blue.id).await.unwrap();
    assert_eq!(again.token, None, "it was linked already");
    let _link = b.connect(listener.url()).unwrap();
    all_have_all(&[&a, &b]).await;
    assert_converged(&[&a, &b]).await;
    let tags = a.related(&post.id, post::tags.order(tag::label.asc())).await.unwrap();
    assert_eq!(each(&tags, |tag| &tag.label), ["blue", "red"]);
    assert_eq!(a.count_json(Query::new("PostTags")).await.unwrap(), 2, "both devices made one link");
    let token = a.unlink(&post.id, post::tags, &red.id).await.unwrap().token;
    crate::support::wait(&b, token.as_ref()).await;
    assert_eq!(b.related(&red.id, tag::posts).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_filters_by_related_records_and_reads_them_along() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let blog = store.save(&Blog::new("b")).await.unwrap().record;
    let ann = store.save(&Person::new("Ann")).await.unwrap().record;
    let one = store.save(&Post { blog_posts_id: Some(blog.id.clone()), ..Post::new("one") }).await.unwrap().record;
    let two = save_post(&store, "two").await;
    for (text, stars) in [("good", 3), ("better", 4), ("best", 5)] {
        save_comment(&store, &one, text, stars).await;
    }
    let bad = save_comment(&store, &two, "bad", 1).await;
    store.update::<Comment>(&bad.id, move |bad| bad.person_comments_id = Some(ann.id.clone())).await.unwrap();

    let titles = async |condition| {
        let posts = store.query::<Post>().filter(condition).order(post::title.asc()).all().await.unwrap();
        posts.into_iter().map(|post| post.title).collect::<Vec<_>>()
    };
    assert_eq!(titles(post::comments.any(comment::stars.ge(4) & comment::text.begins_with("b"))).await, ["one"]);
    assert_eq!(titles(post::comments.none(comment::stars.ge(4))).await, ["two"]);
    assert_eq!(titles(post::comments.any(comment::author.matches(person::name.eq("Ann")))).await, ["two"]);
    assert_eq!(titles(post::blog.is_missing()).await, ["two"]);
    assert_eq!(titles(post::tags.is_empty()).await, ["one", "two"]);

    let best = post::comments.order(comment::stars.desc()).limit(2).with(comment::author);
    let posts = store.query::<Post>().order(post::title.asc()).include(post::blog).include(best);
    let posts = posts.all().await.unwrap();
    let [((one, of), first), ((_, none), second)] = posts.as_slice() else { panic!("{posts:?}") };
    assert_eq!((one.title.as_str(), of, none), ("one", &Some(blog), &None));
    assert_eq!(each(first, |(comment, _)| &comment.text), ["best", "better"]);
    assert_eq!(first[0].1, None);
    assert_eq!(second[0].1.as_ref().unwrap().name, "Ann");
    // The same in JSON.
    let query = Query { include: Include::parse("comments.author").unwrap(), ..Query::new("Post") };
    let json = store.query_json(query).await.unwrap().records;
    let authors: BTreeSet<String> = json
        .iter()
        .flat_map(|post| post["comments"].as_array().unwrap())
        .map(|comment| comment["author"]["name"].to_string())
        .collect();
    assert_eq!(authors, BTreeSet::from(["\"Ann\"".to_owned(), "null".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_tells_what_it_took_along_and_can_be_taken_back() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save_post(&store, "t").await;
    let comment = save_comment(&store, &post, "c", 1).await;
    let reader = Reader { post_readers_id: Some(post.id.clone()), ..Reader::new("r") };
    let reader = store.save(&reader).await.unwrap().record;
    let deleted = store.delete_along::<Post>(&post.id).await.unwrap();
    assert_eq!((deleted.saved.record.title.as_str(), deleted.along.len()), ("t", 2));
    assert_eq!(store.get::<Comment>(&comment.id).await.unwrap(), None);
    assert_eq!(store.get::<Reader>(&reader.id).await.unwrap().unwrap().post_readers_id, None);
    // Everything that is needed to take it back was told.
    store.undelete::<Post>(&post.id).await.unwrap();
    for along in deleted.along {
        let id = along.record["id"].as_str().unwrap();
        match along.effect {
            Effect::Deleted => store.undelete_json(&along.model, id).await.unwrap(),
            Effect::Emptied(was) => store.update_json(&along.model, id, was).await.unwrap(),
        };
    }
    assert_eq!(each(&store.related(&post.id, post::comments).await.unwrap(), |c| &c.text), ["c"]);
    assert_eq!(each(&store.related(&post.id, post::readers).await.unwrap(), |r| &r.name), ["r"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_relates_what_it_makes_and_an_error_undoes_its_deletes() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = store
        .transaction(|tx| {
            let post = tx.save(&Post::new("t"))?.record;
            let red = tx.save(&Tag::new("red"))?.record;
            tx.link(&post.id, post::tags, &red.id)?;
            // A reference may be given as the record that it leads to.
            tx.save_json("Comment", &record(json!({"text": "c", "post": {"id": post.id}})))?;
            assert_eq!(tx.related(&post.id, post::tags)?, [red]);
            Ok(post)
        })
        .await
        .unwrap();
    let id = post.id.clone();
    let aborted: Result<(), Error> = store
        .transaction(move |tx| {
            assert_eq!(tx.delete_along::<Post>(&id)?.along.len(), 2);
            Err(Error::abort("no"))
        })
        .await;
    assert!(matches!(aborted, Err(Error::Aborted(_))));
    assert_eq!(store.related(&post.id, post::comments).await.unwrap().len(), 1);
    assert_eq!(store.related(&post.id, post::tags).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_more_below_it_than_a_transaction_holds_goes_in_parts() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save_post(&store, "t").await;
    let comments = (0..1_200).map(|n| record(json!({"text": n.to_string(), "post": {"id": post.id}})));
    store.import_json("Comment", comments.collect()).await.unwrap();
    let refused = store.delete::<Post>(&post.id).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::CascadeTooLarge { .. })), "{refused}");
    assert_eq!(store.query::<Comment>().count().await.unwrap(), 1_200);
    assert_eq!(store.delete_in_parts::<Post>(&post.id).await.unwrap().record.title, "t");
    assert_eq!(store.query::<Comment>().count().await.unwrap(), 0);
    assert_eq!(store.get::<Post>(&post.id).await.unwrap(), None);
}

#[test]
fn the_program_shows_filters_and_deletes_related_records() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    let save = |model: &str, json: Value| ok(["save", &db, model, &json.to_string()]).json();
    let post = save("Post", json!({"id": "p", "title": "t"}));
    save("Tag", json!({"id": "red", "label": "red"}));
    save("Comment", json!({"id": "c", "text": "c", "post": {"id": "p"}, "author": {"id": "ann"}}));
    save("PostTags", json!({"post": {"id": "p"}, "tag": {"id": "red"}}));

    let shown = ok(["query", &db, "Post", "--include", "comments.author,tags,blog"]).json();
    assert_eq!(shown["title"], post["title"]);
    assert_eq!((&shown["comments"][0]["text"], &shown["comments"][0]["author"]), (&json!("c"), &Value::Null));
    assert_eq!((&shown["tags"][0]["id"], &shown["blog"]), (&json!("red"), &Value::Null));
    // The author's record comes later.
    save("Person", json!({"id": "ann", "name": "Ann"}));
    let shown = ok(["query", &db, "Comment", "--include", "author"]).json();
    assert_eq!(shown["author"]["name"], "Ann");
    let filter = r#"{"comments":{"author":{"name":{"eq":"Ann"}}}}"#;
    assert_eq!(ok(["query", &db, "Post", "--filter", filter, "--count"]).text(), "1\n");
    let plan = ok(["query", &db, "Post", "--include", "comments", "--explain"]);
    assert!(
        plan.text().contains("include comments") && plan.text().contains("INDEX Comment.byPostComments"),
        "{plan:?}"
    );

    let refused = run(["query", &db, "Post", "--include", "comment"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("Post has no relation `comment`; did you mean `comments`?"), "{refused:?}");
    assert_eq!(run(["query", &db, "Post", "--include", "tags", "--count"]).code, 2);

    ok(["delete", &db, "PostTags", r#"{"postId":"p","tagId":"red"}"#]);
    let shown = ok(["query", &db, "Post", "--include", "tags"]).json();
    assert_eq!(shown["tags"], json!([]));
    let rows: String = (0..600).map(|n| format!("{}\n", json!({"text": n.to_string(), "post": {"id": "p"}}))).collect();
    let imported = run_with_input(["import", &db, "Comment", "-", "--format", "ndjson"], &rows);
    assert_eq!(imported.code, 0, "{imported:?}");
    let refused = run(["delete", &db, "Post", "p"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("--in-parts"), "{refused:?}");
    assert_eq!(ok(["delete", &db, "Post", "p", "--in-parts"]).json()["title"], post["title"]);
    assert_eq!(ok(["query", &db, "Comment", "--count"]).text(), "0\n");
    assert_sound(&bed.path("app.db"));
}

#[test]
fn a_watch_with_an_include_tells_of_related_records() {
    let bed = Bed::new();
    let db = init(&bed, "app.db", SDL);
    ok(["save", &db, "Comment", r#"{"id":"c","text":"c","post":{"id":"p"}}"#]);
    let mut watching = std::process::Command::new(program())
        .args(["watch", &db, "Comment", "--include", "post"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["record"]["post"], Value::Null);
    assert_eq!(next()["change"], "ready");
    ok(["save", &db, "Post", r#"{"id":"p","title":"t"}"#]);
    let update = next();
    assert_eq!((&update["change"], &update["record"]["post"]["title"]), (&json!("updated"), &json!("t")));
    watching.kill().unwrap();
    watching.wait().unwrap();
}
