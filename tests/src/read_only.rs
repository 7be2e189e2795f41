//! Stores that are only read, beside an app that writes or without one.

use std::path::Path;

use serde_json::{Value, json};
use syncline::{Create, Error, Options, Query, Store, StoreError};

use crate::support::live::Follower;
use crate::support::{Bed, PATIENCE, SDL, export, id, in_time, loopback, record};

async fn look_at(path: &Path) -> Result<Store, Error> {
    Store::open(path, Options::default().read_only()).await
}

fn bytes(bed: &Bed, names: &[&str]) -> Vec<Option<Vec<u8>>> {
    names.iter().map(|name| std::fs::read(bed.path(name)).ok()).collect()
}

fn is_read_only<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Store(StoreError::ReadOnly)))
}

fn todo(title: &str) -> Value {
    json!({"title": title, "body": "words", "steps": ["one"], "tags": ["a"], "votes": 1})
}

/// Everything that there is to read.
async fn read_all(store: &Store, id: &str) {
    assert!(export(store).await.contains("words"));
    assert_eq!(store.count_json(Query::new("Todo")).await.unwrap(), 1);
    assert!(store.get_json("Todo", id).await.unwrap().is_some());
    assert_eq!(store.status().await.unwrap().store.outbox.pending, 2);
    assert_eq!(store.history("Todo", id).await.unwrap().len(), 2);
    assert!(store.conflicted_json(None, None, 10).await.unwrap().records.is_empty());
    assert!(store.conflicts_json("Todo", id).await.unwrap().is_empty());
    assert!(!store.recent_changes(10).await.unwrap().is_empty());
    assert!(!store.pending_changes(10).await.unwrap().is_empty());
    assert!(!store.document("Todo", id).await.unwrap().is_empty());
    assert!(store.verify().await.unwrap().is_ok());
    store.version().await.unwrap();
}

async fn fill(store: &Store) -> String {
    let id = id(&store.save_json("Todo", record(todo("Buy milk"))).await.unwrap().record);
    store.update_json("Todo", &id, record(json!({"body": "words and more"}))).await.unwrap();
    id
}

/// A look took the lock of a process that writes, and wrote at its end what the next one relies on.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_only_read_is_byte_for_byte_as_it_was_and_its_app_does_not_notice() {
    let bed = Bed::new();
    let names = ["app.db", "app.db-wal", "app.db-lock", "app.db-replica", "app.db-sync", "app.db-identity.pem"];
    let app = bed.store("app.db").await;
    let todo = fill(&app).await;
    // Beside the app that has it open.
    let before = bytes(&bed, &names);
    let reader = look_at(&bed.path("app.db")).await.unwrap();
    read_all(&reader, &todo).await;
    assert!(bytes(&bed, &names) == before);
    // As a kill of the app leaves it.
    for end in ["", "-wal"] {
        std::fs::copy(bed.path(&format!("app.db{end}")), bed.path(&format!("killed.db{end}"))).unwrap();
    }
    let killed = look_at(&bed.path("killed.db")).await.unwrap();
    read_all(&killed, &todo).await;
    killed.close().await.unwrap();
    assert!(bytes(&bed, &["killed.db", "killed.db-wal"]) == before[..2]);
    // The app proves its continuity while somebody looks, and somebody who goes on looking proves nothing.
    let replica = app.status().await.unwrap().store.replica;
    app.close().await.unwrap();
    read_all(&reader, &todo).await;
    let before = bytes(&bed, &names);
    reader.close().await.unwrap();
    assert!(bytes(&bed, &names) == before);
    // With nobody there.
    let reader = look_at(&bed.path("app.db")).await.unwrap();
    read_all(&reader, &todo).await;
    reader.close().await.unwrap();
    assert!(bytes(&bed, &names)[0] == before[0]);
    let app = bed.store("app.db").await;
    app.save_json("Place", record(json!({"name": "here"}))).await.unwrap();
    let status = app.status().await.unwrap().store;
    assert_eq!((status.replica, status.renewals.len()), (replica, 0));
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_reads_sees_what_others_commit() {
    let bed = Bed::new();
    let app = bed.store("app.db").await;
    let reader = look_at(&bed.path("app.db")).await.unwrap();
    let mut live = Follower::new(&reader, Query::new("Todo")).await;
    let mut events = reader.events();
    let todo = id(&app.save_json("Todo", record(todo("Buy milk"))).await.unwrap().record);
    let news = in_time(live.live.next()).await.unwrap().unwrap();
    assert_eq!(news.items[0]["title"], "Buy milk");
    assert!(in_time(events.next()).await.is_some());
    app.delete_json("Todo", &todo).await.unwrap();
    assert!(in_time(live.live.next()).await.unwrap().unwrap().items.is_empty());
    // Nothing that the app does waits for who looks.
    app.clear_with_unsent().await.unwrap();
    assert!(!bed.path("app.db").exists());
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_would_write_is_refused_where_a_store_is_only_read() {
    let bed = Bed::new();
    let app = bed.store("app.db").await;
    let todo = fill(&app).await;
    let names = ["app.db", "app.db-wal", "app.db-identity.pem"];
    let before = bytes(&bed, &names);
    let reader = look_at(&bed.path("app.db")).await.unwrap();
    let other = || record(json!({"title": "Another"}));
    assert!(is_read_only(reader.save_json("Todo", other()).await));
    assert!(is_read_only(reader.update_json("Todo", &todo, other()).await));
    assert!(is_read_only(reader.delete_json("Todo", &todo).await));
    assert!(is_read_only(reader.splice("Todo", &todo, "body", 0, 0, "x").await));
    let mut text = reader.text_json("Todo", &todo, "body");
    text.splice(0, 0, "x");
    assert!(is_read_only(text.flush().await));
    assert!(is_read_only(reader.undo_json("Todo", &todo).await));
    assert!(is_read_only(reader.import_json("Todo", vec![other()]).await));
    assert!(is_read_only(reader.remove_bookmark("any").await));
    assert!(is_read_only(reader.transaction(|tx| tx.get_json("Todo", "any")).await));
    assert!(is_read_only(reader.listen(loopback()).await));
    assert!(is_read_only(reader.connect("syncline://127.0.0.1:1")));
    assert!(is_read_only(reader.sync_once("syncline://127.0.0.1:1", PATIENCE).await));
    assert!(is_read_only(reader.clear().await));
    assert!(is_read_only(reader.clear_with_unsent().await));
    let refused = reader.save_json("Todo", other()).await.unwrap_err().to_string();
    assert!(refused.contains("open it without `read_only`"), "{refused}");
    assert!(bytes(&bed, &names) == before);
    read_all(&reader, &todo).await;
    reader.close().await.unwrap();
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_store_that_is_as_it_should_be_is_opened_to_be_read() {
    let bed = Bed::new();
    let missing = look_at(&bed.path("none.db")).await.unwrap_err();
    assert!(matches!(missing, Error::Store(StoreError::Missing(_))), "{missing}");
    assert!(!bed.path("none.db").exists());
    std::fs::write(bed.path("text.db"), "no database, but a text that is long enough to look like one".repeat(40))
        .unwrap();
    assert!(matches!(look_at(&bed.path("text.db")).await, Err(Error::Store(StoreError::NotAStore { .. }))));
    std::fs::write(bed.path("empty.db"), "").unwrap();
    assert!(matches!(look_at(&bed.path("empty.db")).await, Err(Error::Store(StoreError::Empty(_)))));
    bed.store("app.db").await.close().await.unwrap();
    let with = async |options: Options| Store::open(bed.path("app.db"), options.read_only()).await;
    with(Options::new(SDL).create(Create::Never)).await.unwrap().close().await.unwrap();
    let newer = SDL.replace("rank: Int", "rank: Int size: Int");
    assert!(matches!(with(Options::new(newer)).await, Err(Error::Store(StoreError::OtherSchema))));
    assert!(matches!(
        with(Options::default().namespace("other")).await,
        Err(Error::Store(StoreError::OtherNamespace { .. }))
    ));
    let db = rusqlite::Connection::open(bed.path("app.db")).unwrap();
    for (set, back) in [
        ("PRAGMA user_version = 2", "PRAGMA user_version = 3"),
        (
            "INSERT INTO syncline_meta(key, value) VALUES('stale', 'Todo 0')",
            "DELETE FROM syncline_meta WHERE key = 'stale'",
        ),
    ] {
        db.execute_batch(set).unwrap();
        let outdated = look_at(&bed.path("app.db")).await.unwrap_err();
        assert!(matches!(outdated, Error::Store(StoreError::Outdated { .. })), "{outdated}");
        assert!(outdated.to_string().contains("syncline status"), "{outdated}");
        db.execute_batch(back).unwrap();
    }
    look_at(&bed.path("app.db")).await.unwrap().close().await.unwrap();
}

/// Some may write anywhere; for the others SQLite cannot make what reading takes.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_folder_that_cannot_be_written_to_is_read_or_the_cure_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let bed = Bed::new();
    let folder = bed.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let app = bed.store("folder/app.db").await;
    let todo = fill(&app).await;
    app.close().await.unwrap();
    let allow = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o500);
    let opened = look_at(&folder.join("app.db")).await;
    match opened {
        Ok(reader) => {
            read_all(&reader, &todo).await;
            reader.close().await.unwrap();
        }
        Err(error) => {
            assert!(matches!(error, Error::Store(StoreError::NothingBeside(_))), "{error}");
            assert!(error.to_string().contains("copy it into another folder"), "{error}");
        }
    }
    allow(0o700);
}
