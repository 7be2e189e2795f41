//! What people do, over lines that fail while they do it.

use super::*;
use crate::support::loopback;

/// Bad, and far from hopeless.
const BAD: Faults = Faults {
    dark: false,
    handshakes_only: false,
    lose: 60,
    lose_for: Duration::from_millis(4),
    repeat: 100,
    reorder: 150,
    damage: 10,
    forge: 20,
    delay: Duration::from_millis(2),
    jitter: Duration::from_millis(6),
    bytes_per_second: 0,
    packet_bytes_max: 0,
};

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_exact_whatever_connections_do() {
    const ROUNDS: i64 = 4;
    let mut fleet = Fleet::brief(3, 500).await;
    let counted = shared(&fleet, json!({"title": "counted"})).await;
    for node in &fleet.nodes {
        node.line.set(BAD);
    }
    for round in 0..ROUNDS {
        let cut = round as usize % 3;
        fleet.line(cut).set(Faults::DARK);
        for n in 0..10 {
            for (at, store) in fleet.stores().into_iter().enumerate() {
                store.increment_json("Todo", &counted, "votes", [1, 100, -7][at] + n).await.unwrap();
            }
        }
        fleet.nodes[cut].until_down().await;
        fleet.line(cut).set(BAD);
        fleet.nodes[cut].until_up().await;
    }
    fleet.heal_and_agree().await;
    let expected = ROUNDS * (10 * (1 + 100 - 7) + 3 * 45);
    for store in fleet.stores() {
        assert_eq!(shown(store, &counted).await["votes"], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_type_into_one_text_is_all_there_and_in_their_order() {
    let fleet = Fleet::patient(2, 510, BAD).await;
    let text = shared(&fleet, json!({"title": "text", "body": "|"})).await;
    let typed = ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    let typing = [0, 1].map(|at: usize| {
        let (store, text) = (fleet.store(at).clone(), text.clone());
        tokio::spawn(async move {
            for letter in typed[at].chars() {
                // Behind the last letter of one's own, wherever the other has moved it.
                let text = text.clone();
                let type_it = move |tx: &mut syncline::Transaction<'_, '_>| {
                    let body: Vec<char> =
                        tx.get_json("Todo", &text)?.unwrap()["body"].as_str().unwrap().chars().collect();
                    let own = body.iter().rposition(|c| typed[at].contains(*c));
                    let place = own.map_or([0, body.len()][at], |last| last + 1);
                    tx.splice("Todo", &text, "body", place, 0, &letter.to_string())
                };
                store.transaction(type_it).await.unwrap();
            }
        })
    });
    for one in typing {
        in_time(one).await.unwrap();
    }
    fleet.agree().await;
    fleet.assert_nothing_went_twice().await;
    let body = shown(fleet.store(0), &text).await["body"].as_str().unwrap().to_owned();
    assert_eq!(body.chars().count(), 53, "{body}");
    for typed in typed {
        let own: String = body.chars().filter(|c| typed.contains(*c)).collect();
        assert_eq!(own, typed, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_wins_over_edits_that_a_bad_line_held_up() {
    let mut fleet = Fleet::brief(2, 520).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(shared(&fleet, json!({"title": format!("{n}")})).await);
    }
    fleet.line(0).set(Faults::DARK);
    fleet.nodes[0].until_down().await;
    for (n, id) in ids.iter().enumerate() {
        let (deletes, edits) = (fleet.store(n % 2), fleet.store(1 - n % 2));
        deletes.delete_json("Todo", id).await.unwrap();
        edits.update_json("Todo", id, record(json!({"title": "edited meanwhile"}))).await.unwrap();
    }
    fleet.line(0).set(BAD);
    fleet.agree().await;
    for id in &ids {
        assert_eq!(shown(fleet.store(0), id).await, Value::Null, "the delete wins");
    }
    let back = fleet.store(1).undelete_json("Todo", &ids[0]).await.unwrap().record;
    assert_eq!(back["title"], "edited meanwhile");
    fleet.heal_and_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_gets_a_mass_import_once_over_a_bad_line() {
    const RECORDS: usize = 3_000;
    let mut fleet = Fleet::patient(1, 530, Faults::default()).await;
    save_many(fleet.store(0), "import", RECORDS).await;
    nothing_pending(fleet.store(0)).await;
    let late = fleet.bed.store("late.db").await;
    let witness = Witness::of(&late);
    fleet.join(late, 531, Faults { lose: 30, ..BAD }, None).await;
    fleet.agree().await;
    fleet.assert_nothing_went_twice().await;
    witness.assert_saw_once(RECORDS).await;
    // And lives with the others.
    save_many(fleet.store(1), "late", 10).await;
    fleet.agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_many_packets_crosses_a_bad_line_and_holds_up_nothing_for_good() {
    const PASTED: usize = 400_000;
    let mut fleet = Fleet::brief(2, 540).await;
    let text = shared(&fleet, json!({"title": "paste", "body": ""})).await;
    let bad = Faults { lose: 10, lose_for: Duration::ZERO, bytes_per_second: 800_000, ..BAD };
    fleet.line(0).set(bad);
    fleet.store(0).splice("Todo", &text, "body", 0, 0, &noise(PASTED, 1)).await.unwrap();
    fleet.line(0).until_passed(100).await;
    // Cut in the middle of it.
    fleet.line(0).set(Faults::DARK);
    assert!(fleet.nodes[0].status().await.store.outbox.pending > 0, "it was over before it was cut");
    fleet.nodes[0].until_down().await;
    save_many(fleet.store(0), "behind it", 20).await;
    fleet.line(0).set(bad);
    fleet.agree().await;
    assert_eq!(shown(fleet.store(1), &text).await["body"].as_str().unwrap().len(), PASTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_two_ways_is_told_once() {
    let fleet = Fleet::patient(2, 550, BAD).await;
    let [a, b] = [fleet.store(0), fleet.store(1)];
    let listener = a.listen(loopback()).await.unwrap();
    let line = UdpProxy::start(listener.local_addr(), 552).await;
    line.set(BAD);
    let _peers = b.connect(line.url(listener.url())).unwrap();
    let witnesses = [Witness::of(a), Witness::of(b)];
    let counted = shared(&fleet, json!({"title": "counted"})).await;
    for step in 0..10 {
        for store in [a, b] {
            save_many(store, &format!("step {step}"), 5).await;
            store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
        }
    }
    fleet.agree().await;
    assert_eq!(shown(a, &counted).await["votes"], 20);
    for store in [a, b] {
        let status = store.status().await.unwrap();
        let foreign = status.store.changes - status.store.outbox.acknowledged;
        let carried = status.carried;
        // Once by each way at most; by one way a replica may hear of its own changes what went the other.
        assert!(carried.received_changes <= 2 * status.store.changes, "{carried:?}");
        assert_eq!(carried.sessions, 2, "{carried:?}");
        assert_eq!(carried.received_changes - carried.repeated_changes, foreign, "{carried:?}");
    }
    let [on_a, on_b] = witnesses;
    on_a.assert_saw_once(50).await;
    on_b.assert_saw_once(51).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_walk_in_and_out_of_coverage_lose_nothing() {
    let mut fleet = Fleet::brief(3, 560).await;
    let counted = shared(&fleet, json!({"title": "counted", "tags": []})).await;
    for round in 0..3 {
        for at in 0..3 {
            fleet.line(at).set(Faults::DARK);
            let store = fleet.store(at);
            store.add_json("Todo", &counted, "tags", &json!(format!("{round}.{at}"))).await.unwrap();
            store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
            save_many(store, "outside", 3).await;
            fleet.line(at).until_swallowed(1).await;
            // Back under another address, on a worse line.
            fleet.line(at).rebind().await;
            fleet.line(at).set(BAD);
            fleet.nodes[at].until_up().await;
        }
    }
    fleet.heal_and_agree().await;
    let all = shown(fleet.store(2), &counted).await;
    assert_eq!(all["votes"], 9);
    assert_eq!(all["tags"].as_array().unwrap().len(), 9);
}
