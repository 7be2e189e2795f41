//! Lines that do something to single packets: the engine sees only delay.

use super::*;

/// Records that each of two replicas makes, in so many steps.
const STEPS: usize = 12;
const IN_A_STEP: usize = 10;

/// Two replicas work at once while both their lines are bad from the first packet on, and stay so. They agree
/// nevertheless, no change goes over a line twice, and no app is told of anything twice.
async fn meet_over(faults: Faults, seed: u64, has_happened: impl Fn(&UdpProxy) -> bool) {
    let fleet = Fleet::patient(2, seed, faults).await;
    let [a, b] = [fleet.store(0), fleet.store(1)];
    let witnesses = [Witness::of(a), Witness::of(b)];
    let a_record = a.save_json("Todo", record(json!({"title": "counted"}))).await.unwrap();
    let counted = id(&a_record.record);
    wait(b, a_record.token.as_ref()).await;
    for step in 0..STEPS {
        save_many(a, &format!("a {step}"), IN_A_STEP).await;
        save_many(b, &format!("b {step}"), IN_A_STEP).await;
        a.increment_json("Todo", &counted, "votes", 1).await.unwrap();
        let saved = b.increment_json("Todo", &counted, "votes", 100).await.unwrap();
        // In step, so that many packets are sent instead of a few full ones.
        wait(a, saved.token.as_ref()).await;
    }
    fleet.agree().await;
    assert_eq!(shown(a, &counted).await["votes"], 101 * STEPS);
    fleet.assert_nothing_went_twice().await;
    let [on_a, on_b] = witnesses;
    on_a.assert_saw_once(STEPS * IN_A_STEP).await;
    on_b.assert_saw_once(STEPS * IN_A_STEP + 1).await;
    assert!([0, 1].iter().any(|at| has_happened(fleet.line(*at))), "the lines were too good");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_percent_of_loss_is_only_delay() {
    let faults = Faults { lose: 100, ..Faults::default() };
    meet_over(faults, 10, |line| line.counts().lost > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_lost_in_bursts_are_only_delay() {
    let faults = Faults { lose: 20, lose_for: Duration::from_millis(30), ..Faults::default() };
    meet_over(faults, 20, |line| line.counts().lost >= 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_percent_of_repeated_packets_are_told_to_nobody() {
    let faults = Faults { repeat: 300, ..Faults::default() };
    meet_over(faults, 30, |line| line.counts().repeated > 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_percent_of_overtaken_packets_are_only_delay() {
    let faults = Faults { reorder: 300, ..Faults::default() };
    meet_over(faults, 40, |line| line.counts().reordered > 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_percent_of_damaged_packets_are_as_good_as_lost() {
    let faults = Faults { damage: 50, ..Faults::default() };
    meet_over(faults, 50, |line| line.counts().damaged > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_nobody_sent_poison_nothing() {
    let faults = Faults { forge: 300, ..Faults::default() };
    meet_over(faults, 60, |line| line.counts().forged > 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_little_of_everything_is_only_delay() {
    let faults = Faults {
        lose: 30,
        repeat: 100,
        reorder: 100,
        damage: 20,
        forge: 50,
        delay: Duration::from_millis(3),
        jitter: Duration::from_millis(10),
        ..Faults::default()
    };
    meet_over(faults, 70, |line| line.counts().lost > 0 && line.counts().repeated > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_percent_of_loss_may_cost_handshakes_and_changes_nothing_else() {
    let fleet = Fleet::patient(2, 80, Faults { lose: 300, ..Faults::default() }).await;
    let [a, b] = [fleet.store(0), fleet.store(1)];
    let witnesses = [Witness::of(a), Witness::of(b)];
    save_many(a, "a", 80).await;
    save_many(b, "b", 80).await;
    fleet.agree().await;
    for node in &fleet.nodes {
        assert_eq!(node.status().await.carried.repeated_changes, 0);
        assert!(node.line.counts().lost > 3, "the line was too good");
    }
    for witness in witnesses {
        witness.assert_saw_once(80).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sync_carries_the_same_over_a_bad_line_as_over_a_good_one() {
    let good = Faults::default();
    let bad = Faults { lose: 60, repeat: 100, reorder: 200, ..good };
    let mut carried = Vec::new();
    for (seed, faults) in [(90, good), (91, bad)] {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
        save_many(&a, "a", 700).await;
        save_many(&b, "b", 300).await;
        let line = UdpProxy::start(relay.local_addr(), seed).await;
        line.set(faults);
        for store in [&a, &b, &a] {
            // Only a dial may fail on a line like this.
            let report = loop {
                match store.sync_once(line.url(&relay.url()), PATIENCE).await {
                    Ok(report) => break report,
                    Err(syncline::Error::Connect(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            };
            carried.push((report.sent_changes, report.received_changes));
        }
        agree(&[&a, &b]).await;
    }
    assert_eq!(carried[..3], [(700, 0), (300, 700), (0, 300)]);
    assert_eq!(carried[3..], carried[..3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_loses_large_packets_from_one_moment_on_carries_small_ones() {
    let fleet = Fleet::patient(2, 100, Faults::default()).await;
    save_many(fleet.store(0), "before", 200).await;
    agree(&fleet.stores()).await;
    for node in &fleet.nodes {
        node.line.set(Faults { packet_bytes_max: 1_200, ..Faults::default() });
    }
    // Each is too large for one packet, and none compresses.
    for (n, store) in fleet.stores().into_iter().enumerate() {
        for page in 0..4 {
            let title = noise(60_000, (n * 10 + page) as u64);
            store.save_json("Todo", record(json!({"title": title}))).await.unwrap();
        }
    }
    fleet.agree().await;
    fleet.assert_nothing_went_twice().await;
    assert!(fleet.line(0).counts().too_large > 0, "no packet was too large");
}
