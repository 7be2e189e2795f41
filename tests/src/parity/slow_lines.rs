//! Lines that are slow, narrow, or stand still for a while.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_carries_what_a_fast_one_does() {
    let faults = Faults {
        delay: Duration::from_millis(60),
        jitter: Duration::from_millis(40),
        bytes_per_second: 64_000,
        ..Faults::default()
    };
    let fleet = Fleet::patient(2, 400, faults).await;
    let counted = shared(&fleet, json!({"title": "before"})).await;
    for step in 0..5 {
        for store in fleet.stores() {
            save_many(store, &format!("step {step}"), 20).await;
            store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
        }
    }
    fleet.agree().await;
    fleet.assert_nothing_went_twice().await;
    assert_eq!(shown(fleet.store(0), &counted).await["votes"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_others_pass_a_large_backlog_on_a_narrow_line() {
    const RECORDS: usize = 2_500;
    let bed = Bed::new();
    let full = bed.store("0.db").await;
    save_noise(&full, RECORDS).await;
    let relay = bed.relay("relay").await;
    let mut fleet = Fleet { bed, relay, nodes: Vec::new() };
    let narrow = Faults { bytes_per_second: 60_000, delay: Duration::from_millis(10), ..Faults::default() };
    fleet.join(full, 410, narrow, None).await;
    let other = fleet.bed.store("1.db").await;
    fleet.join(other, 411, Faults::default(), None).await;
    let mut passed = 0;
    while fleet.nodes[0].status().await.store.outbox.pending > 0 {
        let saved = fleet.store(1).save_json("Todo", record(json!({"title": "meanwhile"}))).await.unwrap();
        wait(fleet.store(0), saved.token.as_ref()).await;
        passed += 1;
    }
    assert!(passed >= 5, "only {passed} edits passed the backlog");
    fleet.agree().await;
    fleet.assert_nothing_went_twice().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_stands_still_while_small_packets_pass_goes_on_where_it_was() {
    const RECORDS: usize = 2_000;
    let bed = Bed::new();
    let store = bed.store("0.db").await;
    save_noise(&store, RECORDS).await;
    let relay = bed.relay("relay").await;
    let mut fleet = Fleet { bed, relay, nodes: Vec::new() };
    let narrow = Faults { bytes_per_second: 60_000, ..Faults::default() };
    fleet.join(store, 420, narrow, None).await;
    fleet.nodes[0].until_up().await;
    fleet.line(0).until_passed(20).await;
    fleet.line(0).set(Faults { packet_bytes_max: 150, ..narrow });
    fleet.line(0).until(|counts| counts.too_large >= 5).await;
    assert!(fleet.nodes[0].status().await.store.outbox.pending > 0, "the transfer was over before it stood still");
    let late = fleet.bed.store("1.db").await;
    fleet.join(late, 421, Faults::default(), None).await;
    fleet.heal_and_agree().await;
    fleet.assert_nothing_went_twice().await;
}
