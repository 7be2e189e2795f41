//! Replicas converge over loopback QUIC: through a relay, and with each other.

use serde_json::{Value, json};
use syncline::{AckState, Audience, ChangeKind, Error, Filter, LinkUp, Options, Query, Record, Store};
use syncline_relay::Relay;

use crate::support::{
    Bed, PATIENCE, SDL, all_have_all, assert_converged, export, id, in_time, loopback, nothing_pending, record,
    relay_file, save_many, sync, wait,
};

/// Three replicas with a standing link to one relay.
struct Linked {
    bed: Bed,
    relay: Relay,
    stores: [Store; 3],
    _links: Vec<syncline::Link>,
}

impl Linked {
    async fn new() -> Self {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let stores = [bed.store("a.db").await, bed.store("b.db").await, bed.store("c.db").await];
        let links = stores.iter().map(|store| store.connect(relay.url()).unwrap()).collect();
        Self { bed, relay, stores, _links: links }
    }

    async fn converge(&self) {
        let [a, b, c] = &self.stores;
        all_have_all(&[a, b, c]).await;
        assert_converged(&[a, b, c]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_that_worked_apart_converge_through_a_relay() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b, c] = [bed.store("a.db").await, bed.store("b.db").await, bed.store("c.db").await];
    save_many(&a, "from a", 40).await;
    save_many(&b, "from b", 30).await;
    save_many(&c, "from c", 20).await;
    for store in [&a, &b, &c] {
        // The same key everywhere is one record.
        let rank = store.path().as_os_str().len();
        store.save_json("Place", record(json!({"name": "here", "rank": rank}))).await.unwrap();
    }
    for store in [&a, &b, &c, &a, &b] {
        sync(store, &relay.url()).await;
    }
    assert_converged(&[&a, &b, &c]).await;
    assert_eq!(a.count_json(Query::new("Todo")).await.unwrap(), 90);
    assert_eq!(a.count_json(Query::new("Place")).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_one_record_from_everywhere_merge_field_by_field() {
    let linked = Linked::new().await;
    let [a, b, c] = &linked.stores;
    let made = record(json!({"title": "shared", "body": "one two three", "tags": ["x"], "steps": ["1", "2"]}));
    let saved = a.save_json("Todo", made).await.unwrap();
    let id = id(&saved.record);
    wait(b, saved.token.as_ref()).await;
    wait(c, saved.token.as_ref()).await;
    let (done, splice, votes) = tokio::join!(
        a.update_json("Todo", &id, record(json!({"done": true, "steps": ["0", "1", "2"]}))),
        b.splice("Todo", &id, "body", 4, 3, "TWO"),
        c.increment_json("Todo", &id, "votes", 5),
    );
    for saved in [done, splice, votes] {
        saved.unwrap();
    }
    b.increment_json("Todo", &id, "votes", 2).await.unwrap();
    b.add_json("Todo", &id, "tags", &json!("y")).await.unwrap();
    c.remove_json("Todo", &id, "tags", &json!("x")).await.unwrap();
    linked.converge().await;
    let shown = a.get_json("Todo", &id).await.unwrap().unwrap();
    let expected = json!({"done": true, "body": "one TWO three", "votes": 7, "tags": ["y"], "steps": ["0", "1", "2"]});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_appears_at_a_live_peer_without_anybody_asking() {
    let linked = Linked::new().await;
    let [a, b, _] = &linked.stores;
    linked.converge().await;
    let mut observer = b.observe_json(Some("Todo".to_owned()));
    let saved = a.save_json("Todo", record(json!({"title": "pushed"}))).await.unwrap();
    let seen = in_time(observer.next()).await.unwrap().unwrap();
    assert_eq!((seen.kind, seen.origin), (ChangeKind::Inserted, syncline::Origin::Peer));
    assert_eq!(seen.record.as_ref(), Some(&saved.record));
    a.delete_json("Todo", &id(&saved.record)).await.unwrap();
    let gone = in_time(observer.next()).await.unwrap().unwrap();
    assert_eq!((gone.kind, gone.record, gone.id), (ChangeKind::Deleted, None, id(&saved.record)));
    // A deleted record's id is the one that it had, also where the app gave it.
    let given = "b1d1d5b6-5f4e-4b54-9a8c-0d6d62ac5e7a";
    a.save_json("Todo", record(json!({"id": given, "title": "named"}))).await.unwrap();
    a.delete_json("Todo", given).await.unwrap();
    let gone = loop {
        let seen = in_time(observer.next()).await.unwrap().unwrap();
        if seen.kind == ChangeKind::Deleted {
            break seen.id;
        }
    };
    assert_eq!(gone, given);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_need_no_relay() {
    let bed = Bed::new();
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    save_many(&a, "from a", 25).await;
    save_many(&b, "from b", 25).await;
    let listener = a.listen(loopback()).await.unwrap();
    let report = sync(&b, listener.url()).await;
    assert_eq!((report.sent_changes, report.received_changes), (25, 25));
    assert_converged(&[&a, &b]).await;
    // And live, both ways.
    let link = b.connect(listener.url()).unwrap();
    let one = a.save_json("Todo", record(json!({"title": "to b"}))).await.unwrap();
    wait(&b, one.token.as_ref()).await;
    let other = b.save_json("Todo", record(json!({"title": "to a"}))).await.unwrap();
    wait(&a, other.token.as_ref()).await;
    link.close().await;
    assert_converged(&[&a, &b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_listener_outlives_it() {
    let bed = Bed::new();
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    let listener = a.listen(loopback()).await.unwrap();
    let (url, address) = (listener.url().to_owned(), listener.local_addr());
    listener.close().await;
    a.close().await.unwrap();
    let a = bed.store("a.db").await;
    save_many(&a, "later", 3).await;
    let again = a.listen(address).await.unwrap();
    assert_eq!(again.url(), url);
    sync(&b, &url).await;
    assert_converged(&[&a, &b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_finds_a_restarted_relay_and_goes_on_where_it_was() {
    let Linked { bed, relay, stores, _links } = Linked::new().await;
    let [a, b, c] = &stores;
    save_many(a, "before", 30).await;
    all_have_all(&[a, b, c]).await;
    nothing_pending(a).await;
    let address = relay.local_addr();
    let url = relay.url();
    relay.stop().await.unwrap();
    drop(relay);
    save_many(a, "meanwhile", 10).await;
    save_many(b, "meanwhile", 10).await;
    let relay = bed.relay_at("relay", address).await;
    assert_eq!(relay.url(), url, "the pin is kept in the data folder");
    all_have_all(&[a, b, c]).await;
    assert_converged(&[a, b, c]).await;
    // Nothing went over the wire twice: only what was missed arrived.
    assert_eq!(relay.stats().await.changes, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_restarted_elsewhere_is_the_same_relay() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    save_many(&a, "before", 30).await;
    sync(&a, &relay.url()).await;
    sync(&b, &relay.url()).await;
    relay.stop().await.unwrap();
    drop(relay);
    let relay = bed.relay("relay").await;
    save_many(&a, "after", 5).await;
    let sent = sync(&a, &relay.url()).await;
    assert_eq!((sent.sent_changes, sent.received_changes), (5, 0));
    let received = sync(&b, &relay.url()).await;
    assert_eq!((received.sent_changes, received.received_changes), (0, 5));
    assert_converged(&[&a, &b]).await;
}

/// Two replicas that are in step through a relay, with so many records.
async fn in_step(records: usize) -> (Bed, Relay, Store, Store) {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    save_many(&a, "record", records).await;
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    (bed, relay, a, b)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_reconnect_costs_one_round_trip_and_the_same_few_bytes_whatever_is_held() {
    let mut costs = Vec::new();
    for records in [50, 2000] {
        let (_bed, relay, a, b) = in_step(records).await;
        for store in [&a, &b] {
            let report = sync(store, &relay.url()).await;
            assert_eq!((report.sent_changes, report.received_changes), (0, 0), "{records} records");
            assert_eq!(report.round_trips, 1, "{records} records: {report:?}");
            let bytes = report.bytes_sent + report.bytes_received;
            assert!(bytes <= 500, "{records} records: {report:?}");
            costs.push(bytes);
        }
    }
    // Numbers take a byte more or less, no more than that.
    let spread = costs.iter().max().unwrap() - costs.iter().min().unwrap();
    assert!(spread <= 40, "{costs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_edits_cost_the_idle_reconnect_and_twice_their_bytes_at_most() {
    let (_bed, relay, a, b) = in_step(500).await;
    let page = a.query_json(Query { limit: Some(10), ..Query::new("Todo") }).await.unwrap();
    for (n, shown) in page.records.iter().enumerate() {
        a.update_json("Todo", &id(shown), record(json!({"title": format!("edited {n}")}))).await.unwrap();
    }
    let edits = newest_bytes(&a, 10);
    let sent = sync(&a, &relay.url()).await;
    let received = sync(&b, &relay.url()).await;
    assert_eq!((sent.sent_changes, received.received_changes), (10, 10));
    for report in [sent, received] {
        assert_eq!(report.round_trips, 1, "{report:?}");
        let bytes = report.bytes_sent + report.bytes_received;
        assert!(bytes <= 500 + 2 * edits, "{bytes} for edits of {edits}: {report:?}");
    }
    assert_converged(&[&a, &b]).await;
}

/// Bytes of the last changes in a store's log.
fn newest_bytes(store: &Store, changes: i64) -> u64 {
    let db = rusqlite::Connection::open(store.path()).unwrap();
    let sql = "SELECT sum(length(bytes)) FROM (SELECT bytes FROM syncline_log ORDER BY seq DESC LIMIT ?1)";
    let bytes: i64 = db.query_row(sql, [changes], |row| row.get(0)).unwrap();
    u64::try_from(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_gets_everything_at_once_and_then_lives_with_the_others() {
    let linked = Linked::new().await;
    let [a, b, _] = &linked.stores;
    save_many(a, "early", 120).await;
    let shown = save_many(b, "doomed", 10).await;
    b.delete_json("Todo", &id(&shown[3])).await.unwrap();
    linked.converge().await;
    let late = linked.bed.store("late.db").await;
    sync(&late, &linked.relay.url()).await;
    assert_converged(&[a, &late]).await;
    assert_eq!(late.count_json(Query::new("Todo")).await.unwrap(), 129);
    let _link = late.connect(linked.relay.url()).unwrap();
    let saved = late.save_json("Todo", record(json!({"title": "late"}))).await.unwrap();
    wait(a, saved.token.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_wins_over_a_concurrent_edit_which_an_undelete_brings_back() {
    let (_bed, relay, a, b) = in_step(3).await;
    let page = a.query_json(Query::new("Todo")).await.unwrap();
    let [first, second, _] = page.records.as_slice() else { panic!("three were saved") };
    a.delete_json("Todo", &id(first)).await.unwrap();
    b.update_json("Todo", &id(first), record(json!({"title": "edited meanwhile"}))).await.unwrap();
    a.delete_json("Todo", &id(second)).await.unwrap();
    b.delete_json("Todo", &id(second)).await.unwrap();
    b.undelete_json("Todo", &id(second)).await.unwrap();
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    assert_converged(&[&a, &b]).await;
    assert_eq!(b.get_json("Todo", &id(first)).await.unwrap(), None, "the delete wins");
    assert!(a.get_json("Todo", &id(second)).await.unwrap().is_some(), "the undelete wins");
    let back = a.undelete_json("Todo", &id(first)).await.unwrap().record;
    assert_eq!(back["title"], "edited meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_seen_whole_or_not_at_all_on_every_peer() {
    let linked = Linked::new().await;
    let [a, b, c] = &linked.stores;
    let mut watched =
        b.observe_query_json(Query { condition: Filter::begins_with("title", "group").into(), ..Query::new("Todo") });
    let mut follower = tokio::spawn(async move {
        let mut sizes = Vec::new();
        while sizes.last() != Some(&200) {
            sizes.push(in_time(watched.next()).await.unwrap().unwrap().items.len());
        }
        sizes
    });
    for group in 0..20 {
        a.transaction(move |tx| {
            for n in 0..10 {
                tx.save_json("Todo", &record(json!({"title": format!("group {group} {n}")})))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    }
    let refused = a
        .transaction(|tx| {
            tx.save_json("Todo", &record(json!({"title": "group never"})))?;
            Err::<(), _>(Error::abort("changed my mind"))
        })
        .await;
    assert!(matches!(refused, Err(Error::Aborted(reason)) if reason == "changed my mind"));
    let sizes = in_time(&mut follower).await.unwrap();
    assert!(sizes.iter().all(|size| size % 10 == 0), "a part of a group was seen: {sizes:?}");
    all_have_all(&[a, b, c]).await;
    assert_converged(&[a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_waits_for_its_write_and_an_acknowledgement_means_a_relay_has_it() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    let saved = a.save_json("Todo", record(json!({"title": "pay 5"}))).await.unwrap();
    let token = saved.token.unwrap();
    // At home it is there at once, and nobody else has it.
    a.wait_for(&token, PATIENCE).await.unwrap();
    assert_eq!(a.ack_state(&token, Audience::Relay).await.unwrap(), AckState::Pending(1));
    let early = b.wait_for(&token, std::time::Duration::from_millis(1)).await;
    assert!(matches!(early, Err(Error::Timeout { .. })), "{early:?}");
    let (waited, _) = tokio::join!(b.wait_for(&token, PATIENCE), async {
        sync(&a, &relay.url()).await;
        sync(&b, &relay.url()).await;
    });
    waited.unwrap();
    assert_eq!(b.get_json("Todo", &id(&saved.record)).await.unwrap(), Some(saved.record));
    assert_eq!(a.ack_state(&token, Audience::Relay).await.unwrap(), AckState::Acknowledged);
    assert_eq!(a.status().await.unwrap().store.outbox.pending, 0);
    // A token is text on its way, and of one namespace.
    let parsed = token.to_string().parse().unwrap();
    assert_eq!(token, parsed);
    let elsewhere = Store::open(bed.path("other.db"), Options::new(SDL).namespace("other")).await.unwrap();
    assert!(matches!(elsewhere.wait_for(&token, PATIENCE).await, Err(Error::OtherNamespace)));
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_of_one_relay_know_nothing_of_each_other() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let open = async |file: &str, namespace: &str| {
        Store::open(bed.path(file), Options::new(SDL).namespace(namespace)).await.unwrap()
    };
    let [red, blue, red2] = [open("r.db", "red").await, open("b.db", "blue").await, open("r2.db", "red").await];
    save_many(&red, "red", 5).await;
    save_many(&blue, "blue", 7).await;
    for store in [&red, &blue, &red2] {
        sync(store, &relay.url()).await;
    }
    assert_converged(&[&red, &red2]).await;
    assert_eq!(blue.count_json(Query::new("Todo")).await.unwrap(), 7);
    assert_eq!(relay.stats().await.namespaces, 2);
    // Two peers of different namespaces turn each other away, and say so.
    let listener = red.listen(loopback()).await.unwrap();
    let refused = blue.sync_once(listener.url(), PATIENCE).await.unwrap_err().to_string();
    assert!(refused.contains("namespace"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_nobody_says_that_it_will_try_again() {
    let bed = Bed::new();
    let a = bed.store("a.db").await;
    let relay = bed.relay("relay").await;
    let (address, url) = (relay.local_addr(), relay.url());
    relay.stop().await.unwrap();
    drop(relay);
    let saved = a.save_json("Todo", record(json!({"title": "offline"}))).await.unwrap();
    let mut link = a.connect(url).unwrap();
    let relay = bed.relay_at("relay", address).await;
    in_time(async {
        while link.state() != LinkUp::Up {
            link.changed().await.unwrap();
        }
    })
    .await;
    nothing_pending(&a).await;
    assert_eq!(a.ack_state(saved.token.as_ref().unwrap(), Audience::Relay).await.unwrap(), AckState::Acknowledged);
    link.close().await;
    drop(relay);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_pin_is_refused_before_anything_is_said() {
    let bed = Bed::new();
    let a = bed.store("a.db").await;
    let relay = bed.relay("relay").await;
    let url = relay.url();
    let (place, pin) = url.split_once("?pin=").unwrap();
    let other: String = pin.chars().rev().collect();
    let refused = a.sync_once(format!("{place}?pin={other}"), PATIENCE).await;
    assert!(matches!(&refused, Err(Error::Connect(_))), "{refused:?}");
    for bad in ["", "http://127.0.0.1:1", "syncline://127.0.0.1", "syncline://127.0.0.1:1?pin=zz"] {
        let refused = a.sync_once(bad, PATIENCE).await;
        assert!(matches!(&refused, Err(Error::Address(_))), "{bad}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_keeps_is_a_sound_store_of_all_changes() {
    let (bed, relay, a, b) = in_step(60).await;
    relay.stop().await.unwrap();
    drop(relay);
    let store = Store::open(relay_file(&bed.path("relay")), Options::default()).await.unwrap();
    assert!(store.schema().is_none(), "a relay looks into no document");
    assert_eq!(store.version().await.unwrap().version(), a.version().await.unwrap().version());
    assert!(store.verify().await.unwrap().is_ok());
    assert_eq!(export(&a).await, export(&b).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_local_never_leaves() {
    const LOCAL: &str = "type Draft @model @local { text: String }\ntype Todo @model { title: String! }";
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let a = Store::open(bed.path("a.db"), LOCAL).await.unwrap();
    let b = Store::open(bed.path("b.db"), LOCAL).await.unwrap();
    let draft = a.save_json("Draft", record(json!({"text": "mine"}))).await.unwrap();
    assert_eq!(draft.token, None);
    a.save_json("Todo", record(json!({"title": "ours"}))).await.unwrap();
    let report = sync(&a, &relay.url()).await;
    assert_eq!(report.sent_changes, 1);
    sync(&b, &relay.url()).await;
    assert_eq!(b.count_json(Query::new("Draft")).await.unwrap(), 0);
    assert_eq!(b.count_json(Query::new("Todo")).await.unwrap(), 1);
    assert!(a.verify().await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_and_a_newer_schema_pass_on_what_only_one_of_them_knows() {
    const OLD: &str = "type Todo @model { title: String! }";
    const NEW: &str = "type Todo @model { title: String! color: String }\ntype Extra @model { n: Int }";
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let new = Store::open(bed.path("new.db"), NEW).await.unwrap();
    let old = Store::open(bed.path("old.db"), OLD).await.unwrap();
    let saved = new.save_json("Todo", record(json!({"title": "t", "color": "red"}))).await.unwrap();
    new.save_json("Extra", record(json!({"n": 1}))).await.unwrap();
    sync(&new, &relay.url()).await;
    sync(&old, &relay.url()).await;
    old.update_json("Todo", &id(&saved.record), record(json!({"title": "edited"}))).await.unwrap();
    sync(&old, &relay.url()).await;
    sync(&new, &relay.url()).await;
    let shown = new.get_json("Todo", &id(&saved.record)).await.unwrap().unwrap();
    assert_eq!((&shown["title"], &shown["color"]), (&json!("edited"), &json!("red")));
    // The old store takes the newer schema without a step by the app.
    old.close().await.unwrap();
    let grown = Store::open(bed.path("old.db"), NEW).await.unwrap();
    let colors: Vec<Value> = shown_colors(&grown).await;
    assert_eq!(colors, [json!("red")]);
    assert_eq!(grown.count_json(Query::new("Extra")).await.unwrap(), 1);
    assert_converged(&[&new, &grown]).await;
}

async fn shown_colors(store: &Store) -> Vec<Value> {
    let page = store.query_json(Query::new("Todo")).await.unwrap();
    page.records.into_iter().map(|shown: Record| shown["color"].clone()).collect()
}
