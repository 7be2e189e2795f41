//! Records of unusual size.

use serde_json::{Map, Value, json};
use syncline::{Error, Options, Store, StoreError};

use crate::support::{Bed, SDL, assert_converged, id, record, sync};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_five_hundred_fields_syncs_field_by_field() {
    let kinds = ["String", "Int", "Float", "Boolean", "Int @counter", "[String!] @set"];
    let fields: String = (0..500).map(|n| format!("  f{n}: {}\n", kinds[n % kinds.len()])).collect();
    let sdl = format!("type Wide @model {{\n{fields}}}\n");
    let value = |n: usize| match n % kinds.len() {
        0 => json!(format!("text {n}")),
        1 => json!(n),
        2 => json!(n as f64 / 4.0),
        3 => json!(n.is_multiple_of(2)),
        4 => json!(n as i64 - 250),
        _ => json!([format!("a{n}"), format!("b{n}")]),
    };
    let whole: Map<String, Value> = (0..500).map(|n| (format!("f{n}"), value(n))).collect();
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let a = Store::open(bed.path("a.db"), Options::new(sdl.clone())).await.unwrap();
    let b = Store::open(bed.path("b.db"), Options::new(sdl)).await.unwrap();
    let saved = a.save_json("Wide", whole.clone()).await.unwrap().record;
    for (name, value) in &whole {
        assert_eq!(&saved[name], value, "{name}");
    }
    sync(&a, &relay.url()).await;
    sync(&b, &relay.url()).await;
    // Each of the two edits its half.
    let halves = [(&a, 0..250), (&b, 250..500)];
    for (store, half) in halves {
        let patch = half.filter(|n| n % kinds.len() == 0).map(|n| (format!("f{n}"), json!("edited"))).collect();
        store.update_json("Wide", &id(&saved), patch).await.unwrap();
    }
    for store in [&a, &b, &a] {
        sync(store, &relay.url()).await;
    }
    assert_converged(&[&a, &b]).await;
    let shown = b.get_json("Wide", &id(&saved)).await.unwrap().unwrap();
    assert!((0..500).step_by(kinds.len()).all(|n| shown[&format!("f{n}")] == "edited"));
}

/// A collaborative text has an operation per character, each of which a replica checks before it takes it: five
/// megabytes of them take minutes where nothing is optimised.
const TEXT_BYTES: usize = if cfg!(debug_assertions) { 1 << 20 } else { 5 << 20 };

/// Text that does not compress to nothing.
fn noise(characters: usize) -> String {
    (0..characters as u64)
        .map(|n| char::from(b'!' + (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as u8 % 90))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_five_megabytes_travels_in_parts() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    let long = noise(5 << 20);
    let saved = a.save_json("Todo", record(json!({"title": long}))).await.unwrap().record;
    sync(&a, &relay.url()).await;
    let report = sync(&b, &relay.url()).await;
    assert_eq!(report.received_changes, 1);
    let shown = b.get_json("Todo", &id(&saved)).await.unwrap().unwrap();
    assert!(shown["title"].as_str() == Some(&long), "the text arrived otherwise");
    // An edit beside it does not send it again.
    b.update_json("Todo", &id(&saved), record(json!({"done": true}))).await.unwrap();
    let report = sync(&b, &relay.url()).await;
    assert!(report.bytes_sent < 2_000, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collaborative_text_of_megabytes_arrives_and_can_be_edited_there() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
    let long = noise(TEXT_BYTES);
    let saved = a.save_json("Todo", record(json!({"title": "long", "body": long}))).await.unwrap().record;
    sync(&a, &relay.url()).await;
    sync(&b, &relay.url()).await;
    let edited = b.splice("Todo", &id(&saved), "body", TEXT_BYTES / 2, 3, "ABC").await.unwrap().record;
    let body = edited["body"].as_str().unwrap();
    let middle = TEXT_BYTES / 2;
    assert_eq!(body.len(), TEXT_BYTES);
    assert_eq!(&body[middle..middle + 3], "ABC");
    assert!(body[..middle] == long[..middle] && body[middle + 3..] == long[middle + 3..]);
    let report = sync(&b, &relay.url()).await;
    assert!(report.bytes_sent < 2_000, "three characters cost no more: {report:?}");
    sync(&a, &relay.url()).await;
    let shown = a.get_json("Todo", &id(&saved)).await.unwrap().unwrap();
    assert!(shown["body"].as_str() == Some(body), "the texts differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_peer_would_take_is_refused_at_home() {
    let bed = Bed::new();
    let a = Store::open(bed.path("a.db"), SDL).await.unwrap();
    let refused = a.save_json("Todo", record(json!({"title": noise(9 << 20)}))).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::Invalid(_) | StoreError::ChangeTooLarge(_))), "{refused}");
    assert!(refused.to_string().contains("at most"), "{refused}");
    assert_eq!(a.status().await.unwrap().store.changes, 0);
    let many = a
        .transaction(|tx| {
            for n in 0..501 {
                tx.save_json("Todo", &record(json!({"title": n.to_string()})))?;
            }
            Ok(())
        })
        .await
        .unwrap_err();
    assert!(many.to_string().contains("501 changes"), "{many}");
    assert_eq!(a.status().await.unwrap().store.changes, 0);
}
