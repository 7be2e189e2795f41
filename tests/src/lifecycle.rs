//! How an app's use of a store begins, ends, and goes on beside other processes.

use std::time::Duration;

use serde_json::json;
use syncline::{Error, Event, Query, Store};

use crate::support::{Bed, PATIENCE, in_time, record};

syncline::models!(sdl = "type Task @model { title: String! } type Note @model { text: String! }");

const RENAMED: &str = r#"type Job @model @renamed(from: "Task") { title: String! } type Note @model { text: String! }"#;

async fn open(bed: &Bed, name: &str) -> Store {
    Store::open(bed.path(name), SDL).await.unwrap()
}

/// What no relay had was deleted without a word: a sign-out lost the work of the last days.
#[tokio::test(flavor = "multi_thread")]
async fn clearing_refuses_to_lose_what_no_relay_has() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let store = open(&bed, "app.db").await;
    store.save(&Task::new("Unsent")).await.unwrap();
    let refused = store.clear().await.unwrap_err();
    assert!(matches!(refused, Error::Unsent { changes: 1 }), "{refused}");
    assert!(store.wait_until_sent(Duration::from_millis(20)).await.is_err());
    store.save(&Task::new("It goes on")).await.unwrap();

    let link = store.connect(relay.url()).unwrap();
    store.wait_until_sent(PATIENCE).await.unwrap();
    link.close().await;
    store.clear().await.unwrap();
    assert!(!bed.path("app.db").exists());
    assert!(matches!(store.save(&Task::new("Too late")).await, Err(Error::Closed)));
}

/// Commits no longer copy SQLite's log into the file every so often: it is done beside them, and not put off to the end.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_reaches_the_file_while_the_store_is_open() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let length = |name: &str| std::fs::metadata(bed.path(name)).map_or(0, |file| file.len());
    let begun = length("app.db");
    let text = "x".repeat(400_000);
    for _ in 0..10 {
        store.save(&Note::new(text.as_str())).await.unwrap();
    }
    // Nobody saves any more, or closes the store.
    in_time(async {
        while length("app.db") < begun + 2 * text.len() as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    store.close().await.unwrap();
    assert!(!bed.path("app.db-wal").exists(), "whoever closes last copies all of it");
    let store = open(&bed, "app.db").await;
    assert_eq!(store.query::<Note>().count().await.unwrap(), 10);
    assert!(store.verify().await.unwrap().is_ok());
}

/// The thread that syncs kept the engine's thread waiting for its reports: a store that was dropped stayed open, with its
/// threads and its locks, until the process ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_is_closed() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&Task::new("Not closed")).await.unwrap();
    assert!(!bed.path("app.db-replica").exists());
    drop(store);
    in_time(async {
        while !bed.path("app.db-replica").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let store = open(&bed, "app.db").await;
    assert_eq!(store.query::<Task>().count().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_counts_what_another_process_saved() {
    let bed = Bed::new();
    let (here, elsewhere) = (open(&bed, "app.db").await, open(&bed, "app.db").await);
    elsewhere.save(&Task::new("Unsent")).await.unwrap();
    elsewhere.close().await.unwrap();
    assert!(matches!(here.clear().await, Err(Error::Unsent { changes: 1 })));
    here.clear_with_unsent().await.unwrap();
    assert!(!bed.path("app.db").exists());
}

/// Whoever followed a model that another process renamed heard nothing any more, not even an error.
#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_model_that_another_process_renamed_are_told() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&Task::new("Buy milk")).await.unwrap();
    let (mut live, mut observer) = (store.observe_query_json(Query::new("Task")), store.observe::<Task>());
    let (mut notes, mut events) = (store.query::<Note>().observe(), store.events());
    assert_eq!(in_time(live.next()).await.unwrap().unwrap().items.len(), 1);
    assert!(in_time(notes.next()).await.unwrap().unwrap().items.is_empty());

    let renewed = Store::open(bed.path("app.db"), RENAMED).await.unwrap();
    renewed.save_json("Job", record(json!({"title": "Buy bread"}))).await.unwrap();
    renewed.save_json("Note", record(json!({"text": "Still here"}))).await.unwrap();
    let refused = in_time(live.next()).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::SchemaChanged { reason } if reason.contains("Task")), "{refused}");
    assert!(in_time(live.next()).await.is_none());
    assert!(matches!(in_time(observer.next()).await, Some(Err(Error::SchemaChanged { .. }))));
    assert!(matches!(store.query::<Task>().all().await, Err(Error::SchemaChanged { .. })));
    assert_eq!(in_time(notes.next()).await.unwrap().unwrap().items[0].text, "Still here");
    loop {
        if let Event::SchemaChanged { gone } = in_time(events.next()).await.unwrap().unwrap() {
            assert_eq!(gone, ["Task"]);
            break;
        }
    }
}

/// For a moment the read failed with SQLite's own words, "no such column".
#[tokio::test(flavor = "multi_thread")]
async fn a_read_right_after_a_rename_elsewhere_says_that_the_schema_is_another() {
    let bed = Bed::new();
    let sdl = r#"type Task @model { name: String! @renamed(from: "title") } type Note @model { text: String! }"#;
    for (name, renamed) in [("field.db", sdl), ("model.db", RENAMED)] {
        let store = open(&bed, name).await;
        store.save(&Task::new("Buy milk")).await.unwrap();
        assert_eq!(store.query::<Task>().all().await.unwrap().len(), 1);
        let renewed = Store::open(bed.path(name), renamed).await.unwrap();
        // Nothing else was committed, and the store has not looked by itself.
        let refused = store.query::<Task>().all().await.unwrap_err();
        assert!(matches!(refused, Error::SchemaChanged { .. }), "{refused}");
        assert!(store.query::<Note>().all().await.unwrap().is_empty());
        for store in [store, renewed] {
            store.close().await.unwrap();
        }
    }
}

/// SQLite took the name of a column that was not there any more for a text, so that every task was called "title".
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_another_process_renamed_is_missed_and_not_made_up() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&Task::new("Buy milk")).await.unwrap();
    let mut live = store.query::<Task>().observe();
    assert_eq!(in_time(live.next()).await.unwrap().unwrap().items[0].title, "Buy milk");
    let sdl = r#"type Task @model { name: String! @renamed(from: "title") } type Note @model { text: String! }"#;
    let renewed = Store::open(bed.path("app.db"), sdl).await.unwrap();
    renewed.save_json("Note", record(json!({"text": "A commit"}))).await.unwrap();
    assert!(matches!(in_time(live.next()).await, Some(Err(Error::SchemaChanged { .. }))));
    let refused = store.query::<Task>().all().await.unwrap_err();
    assert!(matches!(refused, Error::SchemaChanged { .. }), "{refused:?}");
    assert!(matches!(
        store.query::<Task>().filter(task::title.eq("title")).count().await,
        Err(Error::SchemaChanged { .. })
    ));
}
