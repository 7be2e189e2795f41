//! The typed face: structs from a schema, closures that update, streams that follow.

use std::future::Future;

use serde_json::json;
use syncline::{ChangeKind, Create, Diff, Error, Id, Live, LiveQuery, Observer, Options, Query, Store, Transaction};

use crate::support::{Bed, PATIENCE, all_have_all, assert_converged, in_time, loopback, record, sync, wait};

/// A schema in the source; see `tests/schemas` for larger ones.
mod app {
    syncline::models!(
        sdl = r#"
            type Todo @model {
              title: String!
              done: Boolean! @default(value: "false")
              priority: Int
              votes: Int! @counter @default(value: "0")
              tags: [String!] @set
              steps: [String!]
              body: String @text
              place: Place
              mood: Mood
            }
            type Seat @model { row: Int! @primaryKey(sortKeyFields: ["number"]) number: Int! taken: Boolean }
            type Place { city: String! zip: Int }
            enum Mood { KEEN TIRED }
        "#
    );
}

/// Amplify's shapes and ours, from a file.
mod tasks {
    syncline::models!("schemas/todo.graphql");
}

use app::{Mood, Place, SDL, Seat, Todo, todo};

async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_save_apart_connect_and_agree() {
    let bed = Bed::new();
    let (phone, laptop) = (open(&bed, "phone.db").await, open(&bed, "laptop.db").await);
    let milk = phone.save(&Todo::new("Milk")).await.unwrap().record;
    laptop.save(&Todo { priority: Some(2), ..Todo::new("Bread") }).await.unwrap();
    let listener = phone.listen(loopback()).await.unwrap();
    let _link = laptop.connect(listener.url()).unwrap();
    all_have_all(&[&phone, &laptop]).await;
    let done = laptop.update::<Todo>(&milk.id, |todo| todo.done = true).await.unwrap();
    wait(&phone, done.token.as_ref()).await;
    let open = phone.query::<Todo>().filter(todo::done.eq(false)).all().await.unwrap();
    assert_eq!(open.iter().map(|todo| todo.title.as_str()).collect::<Vec<_>>(), ["Bread"]);
    assert_converged(&[&phone, &laptop]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_field_has_its_edits() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let saved = store
        .save(&Todo {
            place: Some(Place { zip: Some(1), ..Place::new("Here") }),
            mood: Some(Mood::Keen),
            body: Some("hello".to_owned()),
            ..Todo::new("t")
        })
        .await
        .unwrap()
        .record;
    let id = saved.id.as_str();
    store.edit_text(id, todo::body, 5, 0, " world").await.unwrap();
    store.set_text(id, todo::body, "Hello world!").await.unwrap();
    store.increment(id, todo::votes, 3).await.unwrap();
    store.add(id, todo::tags, &"red".to_owned()).await.unwrap();
    store.add(id, todo::tags, &"blue".to_owned()).await.unwrap();
    store.remove(id, todo::tags, &"red".to_owned()).await.unwrap();
    let updated = store
        .update::<Todo>(id, |todo| {
            todo.place.as_mut().unwrap().zip = Some(2);
            todo.steps = Some(vec!["one".to_owned()]);
            todo.mood = Some(Mood::Tired);
        })
        .await
        .unwrap()
        .record;
    assert_eq!(updated.body.as_deref(), Some("Hello world!"));
    assert_eq!((updated.votes, &updated.mood), (3, &Some(Mood::Tired)));
    assert_eq!(updated.tags, ["blue"]);
    assert_eq!(updated.place, Some(Place { zip: Some(2), ..Place::new("Here") }));
    assert_eq!(store.get::<Todo>(id).await.unwrap(), Some(updated));
    let seat = store.save(&Seat::new(4, 7)).await.unwrap().record;
    store.update::<Seat>(&Seat::key_of(4, 7), |seat| seat.taken = Some(true)).await.unwrap();
    assert_eq!(store.get::<Seat>(&Seat::key_of(seat.row, seat.number)).await.unwrap().unwrap().taken, Some(true));
    store.delete::<Todo>(id).await.unwrap();
    assert_eq!(store.get::<Todo>(id).await.unwrap(), None);
    assert_eq!(store.undelete::<Todo>(id).await.unwrap().record.votes, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_writes_only_what_its_closure_changed() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let (a, b) = (open(&bed, "a.db").await, open(&bed, "b.db").await);
    let saved = a.save(&Todo { priority: Some(1), ..Todo::new("t") }).await.unwrap().record;
    sync(&a, &relay.url()).await;
    sync(&b, &relay.url()).await;
    a.update::<Todo>(&saved.id, |todo| todo.priority = Some(5)).await.unwrap();
    b.update::<Todo>(&saved.id, |todo| todo.title = "edited".to_owned()).await.unwrap();
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    let merged = a.get::<Todo>(&saved.id).await.unwrap().unwrap();
    assert_eq!((merged.title.as_str(), merged.priority), ("edited", Some(5)));
    let unchanged = a.update::<Todo>(&saved.id, |_| {}).await.unwrap();
    assert_eq!(unchanged.token, None, "nothing changed, so nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_filters_orders_limits_and_counts() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    for n in 0..10 {
        store.save(&Todo { priority: (n % 3 != 0).then_some(n), ..Todo::new(format!("t{n}")) }).await.unwrap();
    }
    let query = || store.query::<Todo>().filter(todo::priority.ge(2) & !todo::title.begins_with("t5"));
    assert_eq!(query().count().await.unwrap(), 4);
    let top = query().order(todo::priority.desc()).limit(2).all().await.unwrap();
    assert_eq!(top.iter().map(|todo| todo.priority).collect::<Vec<_>>(), [Some(8), Some(7)]);
    let next = query().order(todo::priority.desc()).offset(2).first().await.unwrap().unwrap();
    assert_eq!(next.priority, Some(4));
    assert_eq!(store.query::<Todo>().filter(todo::priority.is_null()).count().await.unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_all_or_nothing_and_reads_what_it_wrote() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let id = store
        .transaction(|tx: &mut Transaction<'_, '_>| {
            let saved = tx.save(&Todo::new("one"))?.record;
            tx.update::<Todo>(&saved.id, |todo| todo.done = true)?;
            assert!(tx.get::<Todo>(&saved.id)?.unwrap().done);
            Ok(saved.id)
        })
        .await
        .unwrap();
    let failed: Result<(), Error> = store
        .transaction(move |tx| {
            tx.delete::<Todo>(&id)?;
            tx.save(&Todo::new("two"))?;
            Err(Error::abort("no"))
        })
        .await;
    assert!(matches!(failed, Err(Error::Aborted(_))));
    assert_eq!(store.query::<Todo>().count().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_tells_each_change_once_and_in_order() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&Todo::new("before")).await.unwrap();
    let mut observer = store.observe::<Todo>();
    let mut expected: Vec<(ChangeKind, String)> = Vec::new();
    for n in 0..50 {
        let saved = store.save(&Todo::new(format!("t{n}"))).await.unwrap().record;
        expected.push((ChangeKind::Inserted, saved.id.to_string()));
        if n % 3 == 0 {
            store.update::<Todo>(&saved.id, |todo| todo.done = true).await.unwrap();
            expected.push((ChangeKind::Updated, saved.id.to_string()));
        }
        if n % 5 == 0 {
            store.delete::<Todo>(&saved.id).await.unwrap();
            expected.push((ChangeKind::Deleted, saved.id.into()));
        }
    }
    store.save(&Seat::new(1, 1)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        let observed = in_time(observer.next()).await.unwrap().unwrap();
        assert_eq!(observed.model, "Todo");
        let is_deleted = store.get::<Todo>(&observed.id).await.unwrap().is_none();
        assert_eq!(observed.record.map(|todo| todo.id), (!is_deleted).then(|| observed.id.as_str().into()));
        seen.push((observed.kind, observed.id));
    }
    assert_eq!(seen, expected);
    store.close().await.unwrap();
    assert!(in_time(observer.next()).await.is_none(), "the end of the store is the end of the stream");
}

/// Applies the steps of a snapshot to the items of the one before.
fn follow(mut items: Vec<syncline::Record>, changes: &[Diff]) -> Vec<syncline::Record> {
    for change in changes {
        match change.clone() {
            Diff::Removed { index, record } => assert_eq!(items.remove(index), *record),
            Diff::Inserted { index, record } => items.insert(index, (*record).clone()),
            Diff::Updated { index, record } => items[index] = (*record).clone(),
            Diff::Moved { from, to, record } => {
                items.remove(from);
                items.insert(to, (*record).clone());
            }
        }
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_has_no_gap_and_no_double_however_fast_others_write() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..200_i64 {
            let saved = writer.save(&Todo { priority: Some(n % 17), ..Todo::new(format!("t{n}")) }).await.unwrap();
            if n % 4 == 0 {
                writer.update::<Todo>(&saved.record.id, |todo| todo.priority = Some(99)).await.unwrap();
            }
            if n % 7 == 0 {
                writer.delete::<Todo>(&saved.record.id).await.unwrap();
            }
        }
        writer.save(&Todo { priority: Some(1_000), ..Todo::new("last") }).await.unwrap();
    });
    let mut query = Query::new("Todo");
    query.condition = syncline::Filter::ge("priority", 5).into();
    query.order = vec![syncline::Order::descending("priority"), syncline::Order::ascending("title")];
    query.limit = Some(20);
    let mut live = store.observe_query_json(query.clone());
    let mut items = Vec::new();
    loop {
        let snapshot = in_time(live.next()).await.unwrap().unwrap();
        items = follow(items, &snapshot.changes);
        let shown: Vec<_> = snapshot.items.iter().map(|item| (**item).clone()).collect();
        assert_eq!(items, shown, "the steps lead to the result");
        assert!(items.len() <= 20);
        if items.first().is_some_and(|first| first["title"] == "last") {
            break;
        }
    }
    writing.await.unwrap();
    assert_eq!(items, store.query_json(query).await.unwrap().records);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_concern_a_live_query_does_not_wake_it() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut live: Live<Todo> = store.query::<Todo>().filter(todo::done.eq(true)).observe();
    assert!(in_time(live.next()).await.unwrap().unwrap().items.is_empty());
    store.save(&Todo::new("open")).await.unwrap();
    store.save(&Seat::new(1, 1)).await.unwrap();
    let done = store.save(&Todo { done: true, ..Todo::new("done") }).await.unwrap().record;
    let next = in_time(live.next()).await.unwrap().unwrap();
    assert_eq!(next.items, [done.into()]);
    assert_eq!(next.changes.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_turns_synced_once_when_a_peer_has_given_all() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let (a, b) = (open(&bed, "a.db").await, open(&bed, "b.db").await);
    for n in 0..30 {
        a.save(&Todo::new(format!("t{n}"))).await.unwrap();
    }
    sync(&a, &relay.url()).await;
    let mut live = b.query::<Todo>().observe();
    assert!(!in_time(live.next()).await.unwrap().unwrap().is_synced);
    let _link = b.connect(relay.url()).unwrap();
    let mut edges = 0;
    let mut was_synced = false;
    let mut held = 0;
    while !was_synced {
        let snapshot = in_time(live.next()).await.unwrap().unwrap();
        edges += usize::from(snapshot.is_synced != was_synced);
        was_synced = snapshot.is_synced;
        held = snapshot.items.len();
    }
    assert_eq!(held, 30, "synced means that all of it shows");
    let _link = a.connect(relay.url()).unwrap();
    a.save(&Todo::new("live")).await.unwrap();
    let snapshot = in_time(live.next()).await.unwrap().unwrap();
    edges += usize::from(snapshot.is_synced != was_synced);
    assert_eq!((snapshot.items.len(), edges), (31, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn futures_that_are_dropped_lose_no_news_and_undo_no_write() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut observer = store.observe::<Todo>();
    let mut live = store.query::<Todo>().observe();
    in_time(live.next()).await.unwrap().unwrap();
    for n in 0..40 {
        // Polled once each, then dropped, wherever they are.
        let mut saving = Box::pin(store.save_json("Todo", record(json!({"title": format!("t{n}")}))));
        let mut observing = Box::pin(observer.next());
        let mut living = Box::pin(live.next());
        let _ = futures_poll_once(&mut saving).await;
        let early = futures_poll_once(&mut observing).await;
        let _ = futures_poll_once(&mut living).await;
        drop((saving, observing, living));
        let seen = match early {
            Some(seen) => seen,
            None => in_time(observer.next()).await,
        };
        let seen = seen.unwrap().unwrap();
        assert_eq!(seen.record.unwrap().title, format!("t{n}"));
    }
    assert_eq!(store.query::<Todo>().count().await.unwrap(), 40);
    let mut shown = 0;
    store.save(&Todo::new("end")).await.unwrap();
    while shown < 41 {
        shown = in_time(live.next()).await.unwrap().unwrap().items.len();
    }
    assert_eq!(shown, 41);
}

/// Polls a future once.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_of_a_schema_file_open_a_store_and_take_records() {
    let bed = Bed::new();
    let store = Store::open(bed.path("tasks.db"), tasks::SDL).await.unwrap();
    let task = store.save(&tasks::Task::new("Buy milk")).await.unwrap().record;
    let task = store.increment(&task.id, tasks::task::minutes_spent, 20).await.unwrap().record;
    assert_eq!((task.heading.as_str(), task.minutes_spent), ("Buy milk", 20));
}

mod strict {
    syncline::models!(sdl = "type Todo @model { tags: [String!] steps: [Step!]! } type Step { words: [String!] }");
}

/// `[T]` became `[T!]`, which opens a store in place. Records that hold null among their elements could not be read any
/// more, although they could be opened, queried as JSON and synced.
#[tokio::test(flavor = "multi_thread")]
async fn null_among_elements_that_are_required_by_now_is_left_out() {
    let bed = Bed::new();
    let path = bed.path("app.db");
    let lenient = "type Todo @model { tags: [String] steps: [Step]! } type Step { words: [String] }";
    let store = Store::open(&path, lenient).await.unwrap();
    let old = json!({ "id": "a", "tags": ["x", null], "steps": [null, { "words": [null, "y"] }] });
    store.save_json("Todo", record(old)).await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(&path, strict::SDL).await.unwrap();
    let mut todo = store.get::<strict::Todo>("a").await.unwrap().unwrap();
    assert_eq!(todo.tags, Some(vec!["x".to_owned()]));
    assert_eq!(todo.steps, [strict::Step { words: Some(vec!["y".to_owned()]) }]);
    todo = store.update::<strict::Todo>(&todo.id, |todo| todo.tags = Some(vec!["z".to_owned()])).await.unwrap().record;
    assert_eq!(todo.tags, Some(vec!["z".to_owned()]));
    let shown = store.get_json("Todo", "a").await.unwrap().unwrap();
    assert_eq!((&shown["tags"], &shown["steps"][0]), (&json!(["z"]), &json!(null)), "only what was edited is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_says_so_to_everybody() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let other = store.clone();
    store.save(&Todo::new("t")).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(other.save(&Todo::new("t")).await, Err(Error::Closed)));
    assert!(matches!(other.query::<Todo>().count().await, Err(Error::Closed)));
    assert!(matches!(other.wait_for(&other_token(), PATIENCE).await, Err(Error::Closed)));
    // The file is free, and everything is in it.
    let options = Options::default().create(Create::Never);
    let again = Store::open(bed.path("app.db"), options).await.unwrap();
    assert_eq!(again.query::<Todo>().count().await.unwrap(), 1);
}

fn other_token() -> syncline::Token {
    let entry = syncline_core::vector::TokenEntry { counter: 9, chain: syncline_core::ids::Chain(1) };
    syncline::Token::new("default", [(syncline_core::ids::ReplicaId([1; 16]), entry)])
}

/// Every future of the library can move between threads, and every handle can be shared.
#[test]
fn futures_are_send_and_handles_are_shared() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<Error>();
    fn check(store: &Store, mut observer: Observer<Todo>, mut live: LiveQuery, mut typed: Live<Todo>) {
        send(&store.save_json("Todo", record(json!({}))));
        send(&store.update::<Todo>("", |todo| todo.done = true));
        send(&store.save(&Todo::new("")));
        send(&store.query::<Todo>().all());
        send(&store.query::<Todo>().count());
        send(&store.transaction(|_| Ok(())));
        send(&store.import_json("Todo", Vec::new()));
        send(&store.document("", ""));
        send(&store.wait_for(&other_token(), PATIENCE));
        send(&store.sync_once("", PATIENCE));
        send(&store.listen(loopback()));
        send(&store.close());
        send(&store.events().next());
        send(&observer.next());
        send(&live.next());
        send(&typed.next());
    }
    // It compiles: that is the test; calling it would need a store that does nothing.
    let _: fn(&Store, Observer<Todo>, LiveQuery, Live<Todo>) = check;
}

mod boards {
    syncline::models!(
        sdl = r#"
            type Board @model { name: String! cards: [Card] @hasMany people: [Person] @manyToMany(relationName: "Seen") }
            type Card @model { title: String! board: Board @belongsTo anything: ID }
            type Person @model { boards: [Board] @manyToMany(relationName: "Seen") }
        "#
    );
}

/// A relation's key takes the ids of its model alone, and an id that is empty is generated on save.
#[tokio::test(flavor = "multi_thread")]
async fn ids_know_their_model_and_are_what_the_json_face_shows() {
    use boards::{Board, Card, Person, SDL, Seen, board, card};
    let bed = Bed::new();
    let store = Store::open(bed.path("app.db"), SDL).await.unwrap();
    let board = store.save(&Board::new("b")).await.unwrap().record;
    let id: Id<Board> = board.id.clone();
    let card = Card { board_cards_id: Some(id.clone()), anything: Some("x".to_owned()), ..Card::new("c") };
    let card = store.save(&card).await.unwrap().record;
    assert_eq!(store.get_json("Card", &card.id).await.unwrap().unwrap()["boardCardsId"], json!(board.id));
    let found = store.query::<Card>().filter(card::board_cards_id.eq(&id)).all().await.unwrap();
    assert_eq!(found, std::slice::from_ref(&card));
    let found = store.query::<Card>().filter(card::id.is_in([&card.id])).all().await.unwrap();
    assert_eq!(found.len(), 1);
    let ids: std::collections::BTreeSet<Id<Card>> = found.into_iter().map(|card| card.id).collect();
    assert!(ids.contains(&card.id) && ids.contains(card.id.as_str()));
    let person = store.save(&Person::default()).await.unwrap().record;
    store.link(&board.id, board::people, &person.id).await.unwrap();
    let links = store.query::<Seen>().all().await.unwrap();
    assert_eq!((&links[0].board_id, &links[0].person_id), (&board.id, &person.id));
}
