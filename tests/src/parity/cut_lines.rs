//! Lines that are cut, and links that are dialed again.

use super::*;
use crate::support::loopback;

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_a_split_work_on_and_meet_again() {
    let mut fleet = Fleet::brief(3, 200).await;
    // The first two also have each other.
    let listener = fleet.store(0).listen(loopback()).await.unwrap();
    let _peers = fleet.store(1).connect(listener.url()).unwrap();
    shared(&fleet, json!({"title": "before"})).await;
    for at in [0, 1] {
        fleet.line(at).set(Faults::DARK);
        fleet.nodes[at].until_down().await;
    }
    save_many(fleet.store(0), "here", 20).await;
    save_many(fleet.store(2), "there", 20).await;
    agree(&[fleet.store(0), fleet.store(1)]).await;
    assert_eq!(fleet.store(1).count_json(Query::new("Todo")).await.unwrap(), 21, "nothing crosses a split");
    fleet.heal_and_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_replica_works_on_and_the_others_do_not_wait_for_it() {
    let mut fleet = Fleet::brief(3, 210).await;
    let counted = shared(&fleet, json!({"title": "before"})).await;
    fleet.line(2).set(Faults::DARK);
    fleet.nodes[2].until_down().await;
    for store in fleet.stores() {
        save_many(store, "meanwhile", 15).await;
        store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
    }
    agree(&[fleet.store(0), fleet.store(1)]).await;
    fleet.line(2).until_swallowed(2).await;
    assert_eq!(shown(fleet.store(2), &counted).await["votes"], 1);
    fleet.heal_and_agree().await;
    assert_eq!(shown(fleet.store(2), &counted).await["votes"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_carries_one_way_only_is_given_up_and_dialed_again() {
    for (towards_server, towards_client) in [(Faults::DARK, Faults::default()), (Faults::default(), Faults::DARK)] {
        let mut fleet = Fleet::brief(2, 220).await;
        shared(&fleet, json!({"title": "before"})).await;
        fleet.line(0).set_each(towards_server, towards_client);
        for store in fleet.stores() {
            save_many(store, "meanwhile", 10).await;
        }
        fleet.nodes[0].until_down().await;
        fleet.heal_and_agree().await;
        assert!(fleet.nodes[0].status().await.carried.sessions >= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_carries_between_two_who_never_meet() {
    let bed = Bed::new();
    let [a, bridge, b] = [bed.store("a.db").await, bed.store("m.db").await, bed.store("b.db").await];
    let listeners = [a.listen(loopback()).await.unwrap(), b.listen(loopback()).await.unwrap()];
    let mut lines = Vec::new();
    let mut links = Vec::new();
    for (seed, listener) in [230, 231].into_iter().zip(&listeners) {
        let line = UdpProxy::start(listener.local_addr(), seed).await;
        line.set(Faults::DARK);
        links.push(bridge.connect(options(&line.url(listener.url()), Some(BRIEF))).unwrap());
        lines.push(line);
    }
    save_many(&a, "from a", 20).await;
    save_many(&b, "from b", 20).await;
    // Only one side can be reached at a time.
    lines[0].heal();
    agree(&[&a, &bridge]).await;
    lines[0].set(Faults::DARK);
    until(&mut links[0], |state| matches!(state, LinkUp::Down { .. })).await;
    lines[1].heal();
    agree(&[&bridge, &b]).await;
    assert_eq!(a.count_json(Query::new("Todo")).await.unwrap(), 20);
    lines[0].heal();
    agree(&[&a, &bridge, &b]).await;
    assert_eq!(a.count_json(Query::new("Todo")).await.unwrap(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_go_one_by_one_and_come_back_in_another_order_agree() {
    let mut fleet = Fleet::brief(4, 240).await;
    let counted = shared(&fleet, json!({"title": "before"})).await;
    for at in [2, 0, 3, 1] {
        fleet.line(at).set(Faults::DARK);
        fleet.nodes[at].until_down().await;
        for store in fleet.stores() {
            store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
        }
    }
    for at in [1, 3, 2, 0] {
        fleet.line(at).heal();
        fleet.nodes[at].until_up().await;
        save_many(fleet.store(at), "back", 5).await;
    }
    fleet.agree().await;
    assert_eq!(shown(fleet.store(0), &counted).await["votes"], 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_comes_and_goes_gets_everything_across() {
    let fleet = Fleet::brief(2, 250).await;
    let counted = shared(&fleet, json!({"title": "before"})).await;
    for round in 0..8 {
        fleet.line(0).set(Faults::DARK);
        for store in fleet.stores() {
            save_many(store, &format!("round {round}"), 5).await;
            store.increment_json("Todo", &counted, "votes", 1).await.unwrap();
        }
        fleet.line(0).until_swallowed(2).await;
        fleet.line(0).heal();
        fleet.line(0).until_passed(2).await;
    }
    fleet.agree().await;
    assert_eq!(shown(fleet.store(1), &counted).await["votes"], 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_dies_in_the_middle_sends_again_only_what_was_not_acknowledged() {
    const RECORDS: u64 = 2_000;
    let bed = Bed::new();
    let store = bed.store("0.db").await;
    save_noise(&store, RECORDS as usize).await;
    let relay = bed.relay("relay").await;
    let mut fleet = Fleet { bed, relay, nodes: Vec::new() };
    let narrow = Faults { bytes_per_second: 120_000, ..Faults::default() };
    fleet.join(store, 260, narrow, Some(BRIEF)).await;
    let mut acknowledged = 0;
    let mut window = 0;
    for _ in 0..2 {
        while fleet.nodes[0].status().await.store.outbox.acknowledged <= acknowledged {
            fleet.line(0).until_passed(5).await;
        }
        fleet.line(0).set(Faults::DARK);
        let outbox = fleet.nodes[0].status().await.store.outbox;
        assert!(outbox.pending > 0, "the transfer was over before it was cut");
        acknowledged = outbox.acknowledged;
        window += outbox.pending;
        fleet.nodes[0].until_down().await;
        fleet.line(0).set(narrow);
        fleet.nodes[0].until_up().await;
    }
    let late = fleet.bed.store("late.db").await;
    fleet.join(late, 265, Faults::default(), None).await;
    fleet.heal_and_agree().await;
    let carried = fleet.nodes[0].status().await.carried;
    assert!(carried.sessions >= 3, "{carried:?}");
    assert!(carried.sent_changes <= RECORDS + window, "{carried:?}, window {window}");
    let late = fleet.nodes[1].status().await.carried;
    assert_eq!((late.received_changes, late.repeated_changes), (RECORDS, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_dies_in_the_middle_receives_nothing_twice() {
    const RECORDS: usize = 2_000;
    let mut fleet = Fleet::brief(1, 270).await;
    save_noise(fleet.store(0), RECORDS).await;
    nothing_pending(fleet.store(0)).await;
    let narrow = Faults { bytes_per_second: 120_000, ..Faults::default() };
    let late = fleet.bed.store("late.db").await;
    let witness = Witness::of(&late);
    fleet.join(late, 275, narrow, Some(BRIEF)).await;
    let mut held = 0;
    for _ in 0..2 {
        while fleet.nodes[1].status().await.store.changes <= held {
            fleet.line(1).until_passed(5).await;
        }
        fleet.line(1).set(Faults::DARK);
        fleet.nodes[1].until_down().await;
        held = fleet.nodes[1].status().await.store.changes;
        assert!(held < RECORDS as u64, "the transfer was over before it was cut");
        fleet.line(1).set(narrow);
        fleet.nodes[1].until_up().await;
    }
    fleet.heal_and_agree().await;
    let carried = fleet.nodes[1].status().await.carried;
    assert!(carried.sessions >= 3, "{carried:?}");
    assert_eq!((carried.received_changes, carried.repeated_changes), (RECORDS as u64, 0), "{carried:?}");
    witness.assert_saw_once(RECORDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_captive_portal_a_link_stands_and_falls_until_the_user_has_logged_in() {
    let mut fleet = Fleet::brief(2, 280).await;
    shared(&fleet, json!({"title": "before"})).await;
    fleet.line(0).set(Faults { handshakes_only: true, ..Faults::default() });
    for store in fleet.stores() {
        save_many(store, "meanwhile", 10).await;
    }
    for _ in 0..2 {
        fleet.nodes[0].until_down().await;
        fleet.nodes[0].until_up().await;
    }
    assert_eq!(fleet.store(0).count_json(Query::new("Todo")).await.unwrap(), 11, "a portal lets nothing through");
    fleet.heal_and_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_herd_that_comes_back_at_once_from_new_addresses_is_served() {
    const HERD: usize = 8;
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let line = UdpProxy::start(relay.local_addr(), 290).await;
    let url = line.url(&relay.url());
    let mut herd = Vec::new();
    for n in 0..HERD {
        let store = bed.store(&format!("{n}.db")).await;
        let link = store.connect(options(&url, Some(BRIEF))).unwrap();
        herd.push((store, link));
    }
    let stores: Vec<Store> = herd.iter().map(|(store, _)| store.clone()).collect();
    let stores: Vec<&Store> = stores.iter().collect();
    agree(&stores).await;
    line.set(Faults::DARK);
    for (store, link) in &mut herd {
        save_many(store, "meanwhile", 10).await;
        until(link, |state| matches!(state, LinkUp::Down { .. })).await;
    }
    line.rebind().await;
    line.heal();
    agree(&stores).await;
    assert_eq!(relay.stats().await.changes, 10 * HERD as u64);
    for store in &stores {
        nothing_pending(store).await;
        assert_eq!(store.status().await.unwrap().carried.repeated_changes, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_vanishes_without_a_word_is_found_again() {
    let mut fleet = Fleet::brief(2, 300).await;
    shared(&fleet, json!({"title": "before"})).await;
    for node in &fleet.nodes {
        node.line.set(Faults::DARK);
    }
    // Nobody hears its farewell.
    let address = fleet.relay.local_addr();
    fleet.relay.stop().await.unwrap();
    fleet.relay = fleet.bed.relay_at("relay", address).await;
    for node in &mut fleet.nodes {
        node.line.heal();
        save_many(&node.store, "meanwhile", 20).await;
    }
    fleet.agree().await;
    for node in &fleet.nodes {
        let carried = node.status().await.carried;
        assert!(carried.sessions >= 2, "{carried:?}");
        assert_eq!(carried.repeated_changes, 0, "{carried:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_address_changes_in_the_middle_keeps_its_connection() {
    const RECORDS: usize = 2_000;
    let bed = Bed::new();
    let [full, fresh] = [bed.store("0.db").await, bed.store("1.db").await];
    save_noise(&full, RECORDS).await;
    let relay = bed.relay("relay").await;
    let mut fleet = Fleet { bed, relay, nodes: Vec::new() };
    let narrow = Faults { bytes_per_second: 120_000, ..Faults::default() };
    // Short enough for a keep-alive to tell the relay of the new address soon.
    let idle = Some(Duration::from_secs(6));
    fleet.join(full, 310, narrow, idle).await;
    fleet.join(fresh, 311, narrow, idle).await;
    let all = fleet.store(0).version().await.unwrap();
    let mut moves = 0;
    loop {
        tokio::select! {
            arrived = fleet.store(1).wait_for(&all, PATIENCE) => break arrived.unwrap(),
            () = fleet.line(1).until_passed(40) => {
                for node in &fleet.nodes {
                    node.line.rebind().await;
                }
                moves += 1;
            }
        }
    }
    assert!(moves >= 3, "the transfer was too fast");
    fleet.heal_and_agree().await;
    fleet.assert_nothing_went_twice().await;
}
