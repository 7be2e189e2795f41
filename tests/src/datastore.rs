//! The manual for users of Amplify DataStore (`docs/datastore.md`): what it says of each call holds, in its own schema.

use std::collections::BTreeSet;
use std::path::Path;

use syncline::{ChangeKind, Condition, Error, Event, Filter, Origin, Store};

use crate::support::{Bed, id, in_time, record, sync};
use serde_json::json;

const MANUAL: &str = include_str!("../../docs/datastore.md");

syncline::models!(
    sdl = r#"type Post @model {
  title: String! @fulltext
  rating: Int @index(name: "byRating")
  status: Status
  tags: [String]
  labels: [String!] @set
  votes: Int @counter
  body: String @text
  comments: [Comment] @hasMany
  topics: [Topic] @manyToMany(relationName: "PostTopics")
}
type Comment @model { text: String! post: Post @belongsTo }
type Topic @model { name: String! posts: [Post] @manyToMany(relationName: "PostTopics") }
type Product @model { warehouse: ID! @primaryKey(sortKeyFields: ["sku"]) sku: String! price: Float! }
enum Status { DRAFT PUBLISHED }
"#
);

async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

/// Posts with ratings 1 to 5 and none, titled by them.
async fn rated(bed: &Bed) -> Store {
    let store = open(bed, "app.db").await;
    for rating in [Some(3), Some(1), None, Some(5), Some(2), Some(4)] {
        let title = rating.map_or_else(|| "None".to_owned(), |rating| format!("Hello {rating}"));
        let labels = rating.map(|rating| format!("r{rating}")).into_iter().collect();
        store.save(&Post { rating, labels, ..Post::new(title) }).await.unwrap();
    }
    store
}

async fn found(store: &Store, condition: Condition<Post>) -> Vec<Option<i64>> {
    let posts = store.query::<Post>().filter(condition).order(post::rating.asc()).all().await.unwrap();
    posts.into_iter().map(|post| post.rating).collect()
}

#[test]
fn the_manual_shows_the_schema_that_is_tested() {
    assert!(MANUAL.contains(&format!("```graphql\n{SDL}```")));
}

/// The last column of the table of complaints names scenarios, checks and tests: they exist.
#[test]
fn what_shows_that_a_complaint_is_met_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = String::new();
    for folder in [
        "tests/src",
        "crates/syncline-engine/tests",
        "crates/syncline-engine/src/query/tests",
        "crates/syncline-core/tests",
        "sim/tests",
        "sim/src/checks",
    ] {
        gather(&root.join(folder), &mut code);
    }
    let rows = MANUAL.lines().filter(|line| line.starts_with("| C"));
    let mut complaints = BTreeSet::new();
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        complaints.insert(columns[0]);
        let names = columns.last().unwrap().split('`').skip(1).step_by(2);
        for name in names {
            let is_scenario = root.join(format!("sim/scenarios/{name}.toml")).exists();
            let is_known = code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\""));
            assert!(is_scenario || is_known, "{}: there is no scenario, check or test `{name}`", columns[0]);
        }
    }
    assert_eq!(complaints.len(), 25, "{complaints:?}");
}

fn gather(folder: &Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_find_what_those_of_datastore_find() {
    let bed = Bed::new();
    let store = rated(&bed).await;
    let some = |ratings: &[i64]| ratings.iter().copied().map(Some).collect::<Vec<_>>();
    assert_eq!(found(&store, post::rating.eq(4)).await, some(&[4]));
    assert_eq!(found(&store, post::rating.ne(4)).await, [None, Some(1), Some(2), Some(3), Some(5)]);
    assert_eq!(found(&store, post::rating.lt(3)).await, some(&[1, 2]));
    assert_eq!(found(&store, post::rating.le(3)).await, some(&[1, 2, 3]));
    assert_eq!(found(&store, post::rating.gt(3)).await, some(&[4, 5]));
    assert_eq!(found(&store, post::rating.ge(3)).await, some(&[3, 4, 5]));
    assert_eq!(found(&store, post::rating.between(2, 4)).await, some(&[2, 3, 4]));
    assert_eq!(found(&store, post::rating.is_in([1, 4])).await, some(&[1, 4]));
    assert_eq!(found(&store, post::rating.not_in([1, 4])).await, [None, Some(2), Some(3), Some(5)]);
    assert_eq!(found(&store, post::rating.is_not_null()).await, some(&[1, 2, 3, 4, 5]));
    assert_eq!(found(&store, post::title.contains("lo 2")).await, some(&[2]));
    assert_eq!(found(&store, !post::title.contains("Hello")).await, [None]);
    assert_eq!(found(&store, post::title.begins_with("He")).await, some(&[1, 2, 3, 4, 5]));
    assert_eq!(found(&store, post::labels.has("r5")).await, some(&[5]));
    let either = post::rating.eq(1) | post::rating.eq(5);
    assert_eq!(found(&store, either & !post::title.contains("5")).await, some(&[1]));

    let schema = store.schema().unwrap();
    let json = json!({ "or": [{ "rating": { "ge": 5 } }, { "title": { "notContains": "Hello" } }] });
    let filter = Filter::parse_json(schema, schema.model("Post").unwrap(), &json).unwrap();
    let query = syncline::Query { condition: filter.into(), ..syncline::Query::new("Post") };
    assert_eq!(store.count_json(query).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sorted_pages_show_every_record_once() {
    let bed = Bed::new();
    let store = rated(&bed).await;
    let sorted = || store.query::<Post>().order(post::rating.desc()).order(post::title.asc());
    let all: Vec<Option<i64>> = sorted().all().await.unwrap().iter().map(|post| post.rating).collect();
    assert_eq!(all, [Some(5), Some(4), Some(3), Some(2), Some(1), None]);
    let second: Vec<Option<i64>> =
        sorted().offset(2).limit(2).all().await.unwrap().iter().map(|post| post.rating).collect();
    assert_eq!(second, [Some(3), Some(2)]);
    let page = sorted().limit(4).page().await.unwrap();
    store.save(&Post { rating: Some(9), ..Post::new("new") }).await.unwrap();
    let rest = sorted().after(page.next.unwrap()).all().await.unwrap();
    assert_eq!(rest.iter().map(|post| post.rating).collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(store.query::<Post>().search("hello").count().await.unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_updating_and_deleting_are_one_call_each() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = store.save(&Post::new("Hello")).await.unwrap().record;
    let post = store.update::<Post>(&post.id, |post| post.status = Some(Status::Published)).await.unwrap().record;
    assert_eq!(store.get::<Post>(&post.id).await.unwrap(), Some(post.clone()));
    let born = Some("2020-01-01T00:00:00.000Z".to_owned());
    let given = born.clone();
    let post = store.update::<Post>(&post.id, move |post| post.created_at.clone_from(&given)).await.unwrap().record;
    assert_eq!(post.created_at, born, "a creation time may be given later, and is kept");
    store.save(&Product::new("w1", "A-7", 2.0)).await.unwrap();
    store.save(&Product::new("w1", "A-7", 3.0)).await.unwrap();
    let key = Product::key_of("w1", "A-7");
    assert_eq!(store.get::<Product>(&key).await.unwrap().unwrap().price, 3.0);

    // A save on a condition: what DataStore sends along to be judged later is judged here.
    let which = post.id.clone();
    let refused = store.transaction(move |tx| match tx.get::<Post>(&which)? {
        Some(post) if post.votes < 1 => Err(Error::abort("nobody voted for it")),
        _ => tx.delete::<Post>(&which),
    });
    assert!(matches!(refused.await, Err(Error::Aborted(_))));

    let comment = Comment { post_comments_id: Some(post.id.clone()), ..Comment::new("first") };
    store.save(&comment).await.unwrap();
    let early = store.save_json("Comment", record(json!({ "text": "early", "post": { "id": "not-here-yet" } })));
    let early = id(&early.await.unwrap().record);
    store.delete::<Post>(&post.id).await.unwrap();
    let left = store.query::<Comment>().all().await.unwrap();
    assert_eq!(left.iter().map(|comment| &comment.id).collect::<Vec<_>>(), [&early], "children go with their parent");
    assert_eq!(store.related(&early, comment::post).await.unwrap(), None);
    assert_eq!(store.undelete::<Post>(&post.id).await.unwrap().record.title, "Hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_by_a_predicate_is_a_transaction() {
    let bed = Bed::new();
    let store = rated(&bed).await;
    let query = syncline::Query { condition: Filter::ge("rating", 3).into(), ..syncline::Query::new("Post") };
    let gone = store
        .transaction(move |tx| {
            let records = tx.query_json(&query)?.records;
            for record in &records {
                tx.delete::<Post>(record["id"].as_str().unwrap_or_default())?;
            }
            Ok(records.len())
        })
        .await
        .unwrap();
    assert_eq!((gone, store.query::<Post>().count().await.unwrap()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_are_read_one_by_one_along_and_through_links() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = store.save(&Post::new("Hello")).await.unwrap().record;
    let comment = Comment { post_comments_id: Some(post.id.clone()), ..Comment::new("nice!") };
    let comment = store.save(&comment).await.unwrap().record;
    let topic = store.save(&Topic::new("news")).await.unwrap().record;
    store.link(&post.id, post::topics, &topic.id).await.unwrap();
    assert_eq!(store.related(&comment.id, comment::post).await.unwrap(), Some(post.clone()));
    assert_eq!(store.related(&post.id, post::comments.limit(10)).await.unwrap(), std::slice::from_ref(&comment));
    assert_eq!(store.related(&post.id, post::topics).await.unwrap(), [topic]);
    let loud = store.query::<Post>().filter(post::comments.any(comment::text.contains("!")));
    assert_eq!(loud.include(post::comments).all().await.unwrap(), [(post, vec![comment])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_tells_each_change_once_and_leaves_with_what_no_longer_matches() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut all = store.observe::<Post>();
    let mut top = store.query::<Post>().filter(post::rating.ge(4)).limit(50).observe();
    assert!(in_time(top.next()).await.unwrap().unwrap().items.is_empty());
    let post = store.save(&Post { rating: Some(5), ..Post::new("Hello") }).await.unwrap().record;
    assert_eq!(in_time(top.next()).await.unwrap().unwrap().items, [post.clone().into()]);
    store.update::<Post>(&post.id, |post| post.rating = Some(1)).await.unwrap();
    assert!(in_time(top.next()).await.unwrap().unwrap().items.is_empty());
    for kind in [ChangeKind::Inserted, ChangeKind::Updated] {
        let observed = in_time(all.next()).await.unwrap().unwrap();
        assert_eq!((observed.kind, observed.origin, observed.id.as_str()), (kind, Origin::Local, post.id.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_tells_the_events_of_the_hub_and_turns_synced_once() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    there.save(&Post::new("Hello")).await.unwrap();
    let listener = there.listen(crate::support::loopback()).await.unwrap();
    let (mut events, mut live) = (here.events(), here.query::<Post>().observe());
    assert!(!in_time(live.next()).await.unwrap().unwrap().is_synced);
    sync(&here, listener.url()).await;
    let mut names = BTreeSet::new();
    while !names.contains("ready") {
        names.extend(hub_name(&in_time(events.next()).await.unwrap().unwrap()));
    }
    let expected = ["networkStatus", "ready", "subscriptionsEstablished", "syncQueriesReady", "syncQueriesStarted"];
    assert_eq!(names, BTreeSet::from(expected));
    // Who looked only when the session was over missed that there had been one.
    while !here.status().await.unwrap().links.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    loop {
        let snapshot = in_time(live.next()).await.unwrap().unwrap();
        if snapshot.is_synced {
            assert_eq!(snapshot.items.len(), 1);
            break;
        }
    }
}

/// What DataStore's Hub calls it.
fn hub_name(event: &Event) -> Option<&'static str> {
    let is = [
        (matches!(event, Event::NetworkStatus { active: true }), "networkStatus"),
        (matches!(event, Event::SubscriptionsEstablished { .. }), "subscriptionsEstablished"),
        (matches!(event, Event::SyncQueriesStarted), "syncQueriesStarted"),
        (matches!(event, Event::SyncQueriesReady), "syncQueriesReady"),
        (matches!(event, Event::Ready), "ready"),
    ];
    is.into_iter().find_map(|(is, name)| is.then_some(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_says_when_it_fills_and_when_it_is_empty() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let store = open(&bed, "app.db").await;
    let mut events = store.events();
    store.save(&Post::new("One")).await.unwrap();
    store.save(&Post::new("Two")).await.unwrap();
    let link = store.connect(relay.url()).unwrap();
    assert_eq!(outbox_statuses(&mut events, 2).await, [false, true]);
    store.save(&Post::new("Three")).await.unwrap();
    assert_eq!(outbox_statuses(&mut events, 2).await, [false, true]);
    assert_eq!(store.status().await.unwrap().store.outbox.pending, 0);
    link.close().await;
    store.close().await.unwrap();
    while let Some(event) = events.next().await {
        assert!(!matches!(event.unwrap(), Event::OutboxStatus { .. }), "an edge told twice");
    }
}

async fn outbox_statuses(events: &mut syncline::Events, count: usize) -> Vec<bool> {
    let mut told = Vec::new();
    while told.len() < count {
        if let Event::OutboxStatus { is_empty } = in_time(events.next()).await.unwrap().unwrap() {
            told.push(is_empty);
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_deletes_the_store_and_nothing_of_a_store_that_another_process_has_open() {
    let bed = Bed::new();
    let (here, elsewhere) = (open(&bed, "app.db").await, open(&bed, "app.db").await);
    let before = here.save(&Post::new("Hello")).await.unwrap().token.unwrap();
    elsewhere.listen(crate::support::loopback()).await.unwrap();
    assert!(matches!(here.clear_with_unsent().await, Err(Error::InUse(path)) if path == bed.path("app.db")));
    assert!(matches!(here.query::<Post>().count().await, Err(Error::Closed)));
    assert_eq!(elsewhere.query::<Post>().count().await.unwrap(), 1);

    elsewhere.clear_with_unsent().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(bed.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    let anew = open(&bed, "app.db").await;
    assert_eq!(anew.query::<Post>().count().await.unwrap(), 0);
    let after = anew.save(&Post::new("Anew")).await.unwrap().token.unwrap();
    assert!(!after.version().covers(&before.version()), "it kept its replica id");
}
