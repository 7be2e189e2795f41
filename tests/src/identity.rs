//! Restored and copied files: a new identity before they write, forked ids retired, nothing lost.

use serde_json::json;
use syncline::{Query, Status, Store};

use crate::support::{
    Bed, all_have_all, assert_converged, copy_store, nothing_pending, record, relay_file, save_many, sync,
};

async fn status(store: &Store) -> Status {
    store.status().await.unwrap()
}

async fn titles(store: &Store) -> Vec<String> {
    let page = store.query_json(Query::new("Todo")).await.unwrap();
    let mut titles: Vec<String> =
        page.records.iter().map(|shown| shown["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

async fn save(store: &Store, title: &str) {
    store.save_json("Todo", record(json!({"title": title}))).await.unwrap();
}

/// A store with a relay, of which a copy was made at "one" and which went on to "two".
struct Past {
    bed: Bed,
    relay: syncline_relay::Relay,
}

impl Past {
    async fn new() -> Self {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let store = bed.store("app.db").await;
        save(&store, "one").await;
        sync(&store, &relay.url()).await;
        store.close().await.unwrap();
        copy_store(&bed.path("app.db"), &bed.path("backup.db"), true);
        let store = bed.store("app.db").await;
        save(&store, "two").await;
        sync(&store, &relay.url()).await;
        store.close().await.unwrap();
        Self { bed, relay }
    }

    async fn witness(&self) -> Store {
        let witness = self.bed.store("witness.db").await;
        sync(&witness, &self.relay.url()).await;
        witness
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_close_keeps_the_name_and_nothing_is_renewed() {
    let past = Past::new().await;
    let store = past.bed.store("app.db").await;
    save(&store, "three").await;
    let status = status(&store).await;
    assert!(status.store.renewals.is_empty(), "{:?}", status.store.renewals);
    assert_eq!(status.store.version_vector.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_file_takes_a_new_name_before_it_writes_and_loses_nothing() {
    let past = Past::new().await;
    let before = status(&past.bed.store("app.db").await).await.store.replica;
    copy_store(&past.bed.path("backup.db"), &past.bed.path("app.db"), false);
    let store = past.bed.store("app.db").await;
    save(&store, "after the restore").await;
    let restored = status(&store).await;
    assert_eq!(restored.store.renewals.len(), 1);
    assert_ne!(restored.store.replica, before);
    assert_eq!(Some(&restored.store.renewals[0].from), before.as_ref());
    let why = serde_json::to_value(restored.store.renewals[0].why).unwrap();
    assert_eq!(why, json!("continuity-not-proven"));
    sync(&store, &past.relay.url()).await;
    assert_eq!(titles(&store).await, ["after the restore", "one", "two"]);
    let witness = past.witness().await;
    assert_converged(&[&store, &witness]).await;
    assert!(status(&store).await.store.forked.is_empty(), "no dot was given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_brings_the_side_file_back_is_found_by_the_first_peer() {
    let past = Past::new().await;
    // The worst restore: file and side file, onto the same inode.
    copy_store(&past.bed.path("backup.db"), &past.bed.path("app.db"), true);
    let store = past.bed.store("app.db").await;
    sync(&store, &past.relay.url()).await;
    assert_eq!(titles(&store).await, ["one", "two"]);
    save(&store, "after the restore").await;
    sync(&store, &past.relay.url()).await;
    let witness = past.witness().await;
    assert_converged(&[&store, &witness]).await;
    let restored = status(&store).await;
    assert!(!restored.store.renewals.is_empty(), "status says what happened");
    assert!(restored.store.forked.is_empty(), "no dot was given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_writes_under_its_old_name_is_retired_and_both_histories_stay() {
    let past = Past::new().await;
    copy_store(&past.bed.path("backup.db"), &past.bed.path("app.db"), true);
    let store = past.bed.store("app.db").await;
    // The dot of "two" is given again, as far as the store knows.
    save(&store, "two again").await;
    let witness = past.witness().await;
    for _ in 0..2 {
        sync(&store, &past.relay.url()).await;
        sync(&witness, &past.relay.url()).await;
    }
    save(&store, "three").await;
    sync(&store, &past.relay.url()).await;
    sync(&witness, &past.relay.url()).await;
    assert_eq!(titles(&store).await, ["one", "three", "two", "two again"]);
    assert_converged(&[&store, &witness]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_copies_of_a_cloned_file_write_and_meet_without_loss() {
    for with_side_file in [false, true] {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let store = bed.store("app.db").await;
        save(&store, "common").await;
        sync(&store, &relay.url()).await;
        store.close().await.unwrap();
        copy_store(&bed.path("app.db"), &bed.path("clone.db"), with_side_file);
        let (store, clone) = (bed.store("app.db").await, bed.store("clone.db").await);
        save(&store, "from the original").await;
        save(&clone, "from the clone").await;
        assert!(status(&store).await.store.renewals.is_empty());
        assert_eq!(status(&clone).await.store.renewals.len(), 1, "the copy is another file");
        for _ in 0..2 {
            sync(&store, &relay.url()).await;
            sync(&clone, &relay.url()).await;
        }
        assert_eq!(titles(&clone).await, ["common", "from the clone", "from the original"]);
        assert_converged(&[&store, &clone]).await;
        // And with each other, without the relay.
        save(&clone, "more").await;
        let listener = store.listen(crate::support::loopback()).await.unwrap();
        if let Err(error) = clone.sync_once(listener.url(), crate::support::PATIENCE).await {
            panic!("{error}: {:?} {:?}", status(&clone).await, status(&store).await);
        }
        assert_converged(&[&store, &clone]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_put_in_the_places_of_two_stores_forks_and_is_healed() {
    // Two machines restored from one image, each with file and side file in place of what stood there.
    let past = Past::new().await;
    copy_store(&past.bed.path("backup.db"), &past.bed.path("app.db"), true);
    let one = past.bed.store("app.db").await;
    save(&one, "one's").await;
    let two = past.bed.store("backup.db").await;
    save(&two, "two's").await;
    let _links = [one.connect(past.relay.url()).unwrap(), two.connect(past.relay.url()).unwrap()];
    nothing_pending(&one).await;
    nothing_pending(&two).await;
    save_many(&one, "more of one", 3).await;
    save_many(&two, "more of two", 3).await;
    nothing_pending(&one).await;
    nothing_pending(&two).await;
    all_have_all(&[&one, &two]).await;
    let witness = past.witness().await;
    all_have_all(&[&one, &two, &witness]).await;
    assert_converged(&[&one, &two, &witness]).await;
    assert_eq!(titles(&witness).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_restored_from_an_older_backup_is_given_again_what_it_lost() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    save_many(&a, "kept", 20).await;
    save_many(&b, "kept", 5).await;
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    relay.stop().await.unwrap();
    drop(relay);
    let file = relay_file(&bed.path("relay"));
    copy_store(&file, &bed.path("relay-backup.db"), false);
    let relay = bed.relay("relay").await;
    save_many(&a, "lost", 15).await;
    sync(&a, &relay.url()).await;
    sync(&b, &relay.url()).await;
    assert_eq!(status(&a).await.store.outbox.pending, 0);
    relay.stop().await.unwrap();
    drop(relay);
    copy_store(&bed.path("relay-backup.db"), &file, false);
    let relay = bed.relay("relay").await;
    assert_eq!(relay.stats().await.changes, 0, "no namespace is open yet");
    let report = sync(&a, &relay.url()).await;
    assert_eq!(report.sent_changes, 15, "what the relay lost, and nothing else: {report:?}");
    assert_eq!(status(&a).await.store.outbox.pending, 0);
    assert_eq!(relay.stats().await.changes, 40);
    let late = bed.store("late.db").await;
    sync(&late, &relay.url()).await;
    sync(&b, &relay.url()).await;
    assert_converged(&[&a, &b, &late]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lost_everything_makes_everything_pending() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let a = bed.store("a.db").await;
    save_many(&a, "record", 12).await;
    sync(&a, &relay.url()).await;
    assert_eq!(status(&a).await.store.outbox.pending, 0);
    relay.stop().await.unwrap();
    drop(relay);
    let empty = bed.relay("another folder").await;
    // Another relay at another place knows nothing: all is pending there, though not everywhere.
    let report = sync(&a, &empty.url()).await;
    assert_eq!(report.sent_changes, 12);
    let outbox = status(&a).await.store.outbox;
    assert_eq!((outbox.pending, outbox.acknowledged), (0, 12));
}
