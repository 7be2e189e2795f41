//! `observe`, as Amplify DataStore documents it and its public tests ask of it: of everything, of a model, of a record,
//! of what a predicate matches. Where it is another thing here, `docs/datastore.md` says so and why.

use serde_json::json;
use syncline::{ChangeKind, Condition, Diff, Live, LiveSnapshot, Observed, Observer, Origin, Store};

use crate::support::{Bed, in_time, loopback, nothing_pending, sync, wait};

syncline::models!(
    sdl = r#"
        type Post @model { title: String! rating: Int comments: [Comment] @hasMany }
        type Comment @model { content: String! post: Post @belongsTo author: User @belongsTo }
        type User @model { name: String! comments: [Comment] @hasMany profile: Profile @hasOne }
        type Profile @model { firstName: String! }
        type Product @model { warehouse: ID! @primaryKey(sortKeyFields: ["sku"]) sku: String! price: Float! }
    "#
);

pub(crate) async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

pub(crate) async fn save(store: &Store, title: &str) -> Post {
    store.save(&Post { rating: Some(1), ..Post::new(title) }).await.unwrap().record
}

pub(crate) async fn retitle(store: &Store, post: &Post, title: &'static str) -> Post {
    store.update::<Post>(&post.id, move |post| post.title = title.to_owned()).await.unwrap().record
}

pub(crate) async fn comment(store: &Store, content: &str, of: &Post) -> Comment {
    let comment = Comment { post_comments_id: Some(of.id.clone()), ..Comment::new(content) };
    store.save(&comment).await.unwrap().record
}

async fn told<R>(observer: &mut Observer<R>) -> Observed<R> {
    in_time(observer.next()).await.unwrap().unwrap()
}

/// The next result of a live query: what `observe` with an id or a predicate is here.
pub(crate) async fn shown<R>(live: &mut Live<R>) -> LiveSnapshot<R> {
    in_time(live.next()).await.unwrap().unwrap()
}

/// The only step of a snapshot, in DataStore's words, and the record's title.
fn step(snapshot: &LiveSnapshot<Post>) -> (&'static str, &str) {
    let [step] = snapshot.changes.as_slice() else { panic!("not one step: {:?}", snapshot.changes) };
    let (kind, record) = match step {
        Diff::Inserted { record, .. } => ("INSERT", record),
        Diff::Updated { record, .. } | Diff::Moved { record, .. } => ("UPDATE", record),
        Diff::Removed { record, .. } => ("DELETE", record),
    };
    (kind, record["title"].as_str().unwrap())
}

/// A live query of these posts, its first result read.
async fn following(store: &Store, condition: Condition<Post>) -> Live<Post> {
    let mut live = store.query::<Post>().filter(condition).observe();
    shown(&mut live).await;
    live
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_inserts_updates_and_deletes_with_the_whole_record() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut observer = store.observe::<Post>();
    let post = save(&store, "Smurfs").await;
    let insert = told(&mut observer).await;
    assert_eq!((insert.kind, insert.model.as_str(), insert.id.as_str()), (ChangeKind::Inserted, "Post", &*post.id));
    assert_eq!(insert.record.as_ref(), Some(&post));
    let post = retitle(&store, &post, "More Smurfs").await;
    let update = told(&mut observer).await;
    assert_eq!((update.kind, update.record.as_ref()), (ChangeKind::Updated, Some(&post)));
    assert_eq!(post.rating, Some(1), "with the fields that were left alone");
    store.delete::<Post>(&post.id).await.unwrap();
    // DataStore tells the record that is gone, too.
    let delete = told(&mut observer).await;
    assert_eq!((delete.kind, delete.id.as_str(), delete.record), (ChangeKind::Deleted, &*post.id, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_all_models() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut observer = store.observe_json(None);
    let post = save(&store, "Smurfs").await;
    let comment = comment(&store, "blue", &post).await;
    let user = store.save(&User::new("Papa")).await.unwrap().record;
    for (model, id) in [("Post", &*post.id), ("Comment", &*comment.id), ("User", &*user.id)] {
        let insert = told(&mut observer).await;
        assert_eq!((insert.kind, insert.model.as_str(), insert.id.as_str()), (ChangeKind::Inserted, model, id));
        assert_eq!(insert.record.unwrap()["id"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_one_model_and_no_other() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save(&store, "Smurfs").await;
    let mut observer = store.observe::<Post>();
    store.save(&User::new("decoy")).await.unwrap();
    comment(&store, "decoy", &post).await;
    retitle(&store, &post, "More Smurfs").await;
    let update = told(&mut observer).await;
    assert_eq!((update.kind, update.record.unwrap().title), (ChangeKind::Updated, "More Smurfs".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_one_record_by_its_id() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save(&store, "Smurfs").await;
    let mut live = following(&store, post::id.eq(post.id.clone())).await;
    let decoy = save(&store, "decoy").await;
    retitle(&store, &decoy, "another decoy").await;
    let post = retitle(&store, &post, "More Smurfs").await;
    let update = shown(&mut live).await;
    assert_eq!((step(&update), update.items.as_slice()), (("UPDATE", "More Smurfs"), &[post.clone().into()][..]));
    store.delete::<Post>(&decoy.id).await.unwrap();
    store.delete::<Post>(&post.id).await.unwrap();
    assert_eq!(step(&shown(&mut live).await), ("DELETE", "More Smurfs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_what_matches_a_predicate() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save(&store, "some title").await;
    let mut live = following(&store, post::title.contains("new title")).await;
    save(&store, "decoy").await;
    save(&store, "a new title").await;
    assert_eq!(step(&shown(&mut live).await), ("INSERT", "a new title"));
    // DataStore calls it an update that a record begins to match; here it comes to those that are observed.
    let post = retitle(&store, &post, "new title 1").await;
    assert_eq!(step(&shown(&mut live).await), ("INSERT", "new title 1"));
    let post = retitle(&store, &post, "new title 2").await;
    assert_eq!(step(&shown(&mut live).await), ("UPDATE", "new title 2"));
    // And says nothing when one no longer does.
    retitle(&store, &post, "old").await;
    assert_eq!(step(&shown(&mut live).await), ("DELETE", "new title 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_deletes_of_what_matches_a_predicate() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (post, decoy) = (save(&store, "some value").await, save(&store, "decoy").await);
    let mut live = following(&store, post::title.contains("value")).await;
    store.delete::<Post>(&decoy.id).await.unwrap();
    store.delete::<Post>(&post.id).await.unwrap();
    assert_eq!(step(&shown(&mut live).await), ("DELETE", "some value"), "with what it held");
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_by_the_record_that_one_belongs_to() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (target, other) = (save(&store, "my post").await, save(&store, "NOT my post").await);
    let of_target = comment::post.matches(post::title.eq("my post"));
    let mut live = store.query::<Comment>().filter(of_target).observe();
    shown(&mut live).await;
    comment(&store, "bad", &other).await;
    let good = comment(&store, "good", &target).await;
    assert_eq!(shown(&mut live).await.items, [good.into()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_by_the_records_that_one_has() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (target, other) = (save(&store, "my post").await, save(&store, "NOT my post").await);
    comment(&store, "bad", &other).await;
    for content in ["before the good one", "good", "after the good one"] {
        comment(&store, content, &target).await;
    }
    let mut live = following(&store, post::comments.any(comment::content.eq("good"))).await;
    retitle(&store, &other, "decoy update").await;
    retitle(&store, &target, "expected update").await;
    assert_eq!(step(&shown(&mut live).await), ("UPDATE", "expected update"));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_from_the_subscription_to_its_end() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    save(&store, "before").await;
    let (mut first, mut second) = (store.observe::<Post>(), store.observe::<Post>());
    save(&store, "both").await;
    for observer in [&mut first, &mut second] {
        assert_eq!(told(observer).await.record.unwrap().title, "both");
    }
    // Who unsubscribes takes nothing from the others, and hears of nothing when it begins again.
    drop(first);
    save(&store, "one").await;
    let mut again = store.observe::<Post>();
    let last = save(&store, "again").await;
    assert_eq!(told(&mut second).await.record.unwrap().title, "one");
    assert_eq!(told(&mut again).await.id, *last.id);
    store.close().await.unwrap();
    assert!(in_time(again.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_what_a_peer_did() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    let listener = there.listen(loopback()).await.unwrap();
    let mut observer = here.observe::<Post>();
    let post = save(&there, "Smurfs").await;
    sync(&here, listener.url()).await;
    let insert = told(&mut observer).await;
    assert_eq!((insert.kind, insert.origin, insert.record.as_ref()), (ChangeKind::Inserted, Origin::Peer, Some(&post)));
    let post = retitle(&there, &post, "More Smurfs").await;
    sync(&here, listener.url()).await;
    let update = told(&mut observer).await;
    assert_eq!((update.kind, update.origin, update.record.as_ref()), (ChangeKind::Updated, Origin::Peer, Some(&post)));
    there.delete::<Post>(&post.id).await.unwrap();
    sync(&here, listener.url()).await;
    let delete = told(&mut observer).await;
    assert_eq!((delete.kind, delete.origin, delete.id.as_str()), (ChangeKind::Deleted, Origin::Peer, &*post.id));
}

/// DataStore tells the author again when the server has answered, and when its subscription brings the change back.
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_a_change_of_the_author_once() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    let mut observer = here.observe::<Post>();
    let _links = [here.connect(relay.url()).unwrap(), there.connect(relay.url()).unwrap()];
    let saved = here.save(&Post::new("Smurfs")).await.unwrap();
    nothing_pending(&here).await;
    wait(&there, saved.token.as_ref()).await;
    let second = save(&here, "More Smurfs").await;
    for id in [&saved.record.id, &second.id] {
        let insert = told(&mut observer).await;
        assert_eq!((insert.kind, insert.origin, insert.id.as_str()), (ChangeKind::Inserted, Origin::Local, &**id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_no_save_that_changes_nothing() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save(&store, "Smurfs").await;
    let mut observer = store.observe::<Post>();
    store.save(&post).await.unwrap();
    retitle(&store, &post, "Smurfs").await;
    let post = retitle(&store, &post, "More Smurfs").await;
    let other = save(&store, "Gargamel").await;
    for (kind, id) in [(ChangeKind::Updated, &post.id), (ChangeKind::Inserted, &other.id)] {
        let observed = told(&mut observer).await;
        assert_eq!((observed.kind, observed.id.as_str()), (kind, &**id));
    }
}

/// DataStore's event has a copy of the record; here the record is read when its event is.
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_a_record_as_it_stands_when_its_event_is_read() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut observer = store.observe::<Post>();
    let post = save(&store, "first").await;
    let post = retitle(&store, &post, "second").await;
    for kind in [ChangeKind::Inserted, ChangeKind::Updated] {
        let observed = told(&mut observer).await;
        assert_eq!((observed.kind, observed.record.as_ref()), (kind, Some(&post)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_every_record_that_a_delete_takes_along() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let post = save(&store, "Smurfs").await;
    let (one, two) = (comment(&store, "one", &post).await, comment(&store, "two", &post).await);
    let lone = store.save(&Comment::new("of nobody")).await.unwrap().record;
    let mut observer = store.observe_json(None);
    store.delete::<Post>(&post.id).await.unwrap();
    store.delete_where(comment::content.eq("of nobody")).await.unwrap();
    let mut gone = Vec::new();
    for _ in 0..4 {
        let delete = told(&mut observer).await;
        assert_eq!(delete.kind, ChangeKind::Deleted);
        gone.push(delete.id);
    }
    gone[..3].sort();
    let mut expected = [&*post.id, &*one.id, &*two.id, &*lone.id];
    expected[..3].sort();
    assert_eq!(gone, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observes_records_by_custom_keys() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut observer = store.observe::<Product>();
    let key = Product::key_of("w1", "A-7");
    store.save(&Product::new("w1", "A-7", 2.0)).await.unwrap();
    assert_eq!(told(&mut observer).await.record.unwrap().price, 2.0);
    store.save(&Product::new("w1", "A-7", 3.0)).await.unwrap();
    let update = told(&mut observer).await;
    assert_eq!((update.kind, update.record.unwrap().price), (ChangeKind::Updated, 3.0));
    store.delete::<Product>(&key).await.unwrap();
    let delete = told(&mut observer).await;
    assert_eq!((delete.kind, delete.record), (ChangeKind::Deleted, None));
    let named: serde_json::Value = serde_json::from_str(&delete.id).unwrap();
    assert_eq!(named, json!({"warehouse": "w1", "sku": "A-7"}), "the key that it had");
}
