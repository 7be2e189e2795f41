//! Two stores in one process meet over loopback QUIC.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use syncline::{Options, Query, Record, Store};

const SDL: &str = r#"
type Todo @model {
  id: ID!
  title: String!
  done: Boolean
  votes: Int @counter
  steps: [String]
  body: String @text
}
"#;

const LONG: Duration = Duration::from_secs(20);

fn map(value: Value) -> Record {
    value.as_object().unwrap().clone()
}

async fn all(store: &Store) -> Vec<Record> {
    store.query_json(Query::new("Todo")).await.unwrap().records
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_that_edited_apart_are_equal_after_they_met() {
    let folder = tempfile::tempdir().unwrap();
    let a = Store::open(folder.path().join("a.db"), Options::new(SDL)).await.unwrap();
    let b = Store::open(folder.path().join("b.db"), Options::new(SDL)).await.unwrap();
    for n in 0..20 {
        a.save_json("Todo", map(json!({"title": format!("a{n}"), "body": "hello", "votes": n}))).await.unwrap();
        b.save_json("Todo", map(json!({"title": format!("b{n}")}))).await.unwrap();
    }
    let listener = a.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let report = b.sync_once(listener.url(), LONG).await.unwrap();
    assert_eq!((report.sent_changes, report.received_changes), (20, 20));
    assert_eq!(all(&a).await, all(&b).await);
    assert_eq!(all(&a).await.len(), 40);
    let idle = b.sync_once(listener.url(), LONG).await.unwrap();
    assert_eq!((idle.sent_changes, idle.received_changes, idle.round_trips), (0, 0, 1));
    assert!(idle.bytes_sent + idle.bytes_received <= 500, "{idle:?}");
    // One that has a text: which record comes first is a matter of their ids.
    let records = all(&b).await;
    let id = records.iter().find(|record| record["title"] == "a0").unwrap()["id"].as_str().unwrap().to_owned();
    let _link = b.connect(listener.url()).unwrap();
    let saved = a.splice("Todo", &id, "body", 0, 1, "J").await.unwrap();
    b.wait_for(&saved.token.unwrap(), LONG).await.unwrap();
    assert_eq!(all(&a).await, all(&b).await);
    assert!(a.verify().await.unwrap().is_ok());
    assert!(b.verify().await.unwrap().is_ok());
    b.close().await.unwrap();
    a.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fast_typing_is_saved_whole_and_says_what_did_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a.db"), Options::new(SDL)).await.unwrap();
    let saved = store.save_json("Todo", map(json!({"title": "t"}))).await.unwrap();
    let id = saved.record["id"].as_str().unwrap().to_owned();
    let mut text = store.text_json("Todo", &id, "body");
    let typed: String = ('a'..='z').cycle().take(500).collect();
    for (at, letter) in typed.chars().enumerate() {
        text.splice(at, 0, &letter.to_string());
    }
    assert!(text.flush().await.unwrap().is_some());
    assert_eq!(text.read().await.unwrap(), Some(typed.clone()));
    text.splice(9_999, 0, "beyond");
    text.splice(0, 1, "A");
    assert!(text.flush().await.unwrap_err().to_string().contains("500 characters"));
    assert_eq!(text.read().await.unwrap(), Some(format!("A{}", &typed[1..])));
    let changes = store.history("Todo", &id).await.unwrap().len();
    assert!(changes < 400, "{changes} changes for 500 keystrokes that waited together");
    assert!(store.verify().await.unwrap().is_ok());
}

/// A first sync was cut in the middle. The next one sent everything it had received back to where it came from.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_sync_brought_is_not_sent_back() {
    let folder = tempfile::tempdir().unwrap();
    let full = Store::open(folder.path().join("full.db"), Options::new(SDL)).await.unwrap();
    let records = (0..6_000).map(|n| map(json!({"title": format!("record {n}")}))).collect();
    full.import_json("Todo", records).await.unwrap();
    let listener = full.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let new = Store::open(folder.path().join("new.db"), Options::new(SDL)).await.unwrap();
    let enough = std::sync::Arc::new(tokio::sync::Notify::new());
    let signal = std::sync::Arc::clone(&enough);
    let syncing = new.sync_once_with(listener.url(), LONG, move |at| {
        if at.received > 1_000 {
            signal.notify_one();
        }
    });
    tokio::select! {
        _ = syncing => {}
        () = enough.notified() => {}
    }
    let report = new.sync_once(listener.url(), LONG).await.unwrap();
    assert_eq!(report.sent_changes, 0, "{report:?}");
    assert_eq!(all(&new).await, all(&full).await);
}
