//! What two sessions promise when nothing goes wrong but the wire.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a failing test says where")]

mod session_model;

use session_model::*;
use syncline_core::session::{Config, Event, Input};
use syncline_core::wire::{Lane, Message, Role};

fn stores() -> (MemStore, MemStore) {
    (MemStore::new("phone"), MemStore::new("relay"))
}

fn write_many(store: &mut MemStore, count: usize, size: usize) {
    for _ in 0..count {
        store.write(size);
    }
    store.sync();
}

#[test]
fn two_stores_that_meet_have_the_same_changes() {
    let (mut phone, mut laptop) = (MemStore::new("phone"), MemStore::new("laptop"));
    write_many(&mut phone, 1_234, 60);
    write_many(&mut laptop, 777, 60);
    let link = meet_well(&mut phone, &mut laptop, Role::Peer, 1);
    assert_eq!(phone.names(), laptop.names());
    assert_eq!(phone.rows(), 2_011);
    assert_eq!((phone.duplicates, laptop.duplicates), (0, 0));
    let counters = link.dialer.counters();
    assert_eq!((counters.changes_sent, counters.changes_received), (1_234, 777));
    assert!(link.dialer.has(&Event::CaughtUp) && link.dialer.has(&Event::Synced));
}

#[test]
fn an_idle_reconnect_is_one_round_trip_and_500_bytes_whatever_was_there() {
    let (mut phone, mut relay) = stores();
    let mut others: Vec<_> = (0..300).map(|n| MemStore::new(&format!("other {n}"))).collect();
    for other in &mut others {
        write_many(other, 3, 40);
        meet_well(other, &mut relay, Role::Relay, 5);
    }
    write_many(&mut phone, 500, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 6);
    assert_eq!(phone.rows(), 1_400);
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 7);
    let counters = link.dialer.counters();
    assert_eq!(counters.round_trips(), 1);
    assert_eq!((counters.changes_sent, counters.changes_received), (0, 0));
    let bytes = counters.bytes_sent + counters.bytes_received;
    assert!(bytes <= 500, "{bytes} bytes");
}

#[test]
fn ten_edits_cost_one_round_trip_and_little_more_than_themselves() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 2_000, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    write_many(&mut phone, 10, 100);
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 2);
    let counters = link.dialer.counters();
    assert_eq!(counters.round_trips(), 1);
    assert_eq!((counters.changes_sent, counters.changes_received), (10, 0));
    let bytes = counters.bytes_sent + counters.bytes_received;
    assert!(bytes <= 500 + 2 * 10 * 120, "{bytes} bytes");
    assert_eq!(phone.names(), relay.names());
    assert_eq!(phone.pending(), 0);

    let mut laptop = MemStore::new("laptop");
    meet_well(&mut laptop, &mut relay, Role::Relay, 3);
    write_many(&mut phone, 10, 100);
    meet_well(&mut phone, &mut relay, Role::Relay, 4);
    let link = meet_well(&mut laptop, &mut relay, Role::Relay, 5);
    let counters = link.dialer.counters();
    assert_eq!(counters.round_trips(), 1);
    assert_eq!((counters.changes_sent, counters.changes_received), (0, 10));
}

#[test]
fn a_restarted_replica_resends_only_unacknowledged_changes() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 800, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    write_many(&mut phone, 3, 40);
    phone.power_cut();
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 2);
    assert_eq!(link.dialer.counters().changes_sent, 3);
    assert_eq!(phone.names(), relay.names());
    assert_eq!(relay.duplicates, 0);
}

#[test]
fn bytes_may_arrive_one_by_one() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 30, 40);
    write_many(&mut relay, 30, 40);
    let mut link = Link::new(dialing("relay"), Config::new(Role::Relay), 9);
    link.piece_max = 1;
    link.connect(&mut phone, &mut relay);
    link.run(&mut phone, &mut relay);
    assert!(link.dialer.has(&Event::Finished));
    assert_eq!(phone.names(), relay.names());
}

#[test]
fn changes_travel_to_third_parties_and_never_come_back() {
    let (mut phone, mut relay) = stores();
    let mut laptop = MemStore::new("laptop");
    write_many(&mut phone, 700, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    let link = meet_well(&mut laptop, &mut relay, Role::Relay, 2);
    assert_eq!(link.dialer.counters().changes_sent, 0);
    // Phone and laptop have never met: each has everything, which their vectors prove.
    let link = meet_well(&mut phone, &mut laptop, Role::Peer, 3);
    assert_eq!(link.dialer.counters().changes_sent, 0);
    assert_eq!(link.dialer.counters().changes_received, 0);
    assert_eq!(laptop.names(), phone.names());
}

#[test]
fn live_edits_flow_both_ways_without_a_reconnect() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 5, 40);
    let mut link = Link::new(following("relay"), Config::new(Role::Relay), 4);
    link.connect(&mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    assert!(link.dialer.has(&Event::Synced));
    for round in 0..20 {
        let (side, store) = match round % 2 {
            0 => (Side::Dialer, &mut phone),
            _ => (Side::Acceptor, &mut relay),
        };
        store.write(40);
        link.input(side, Input::Grew, store);
        link.settle(&mut phone, &mut relay);
        assert_eq!(phone.names(), relay.names(), "round {round}");
    }
    assert_eq!((phone.duplicates, relay.duplicates), (0, 0));
    assert_eq!(phone.pending(), 0);
    let live =
        link.dialer.sent.iter().filter(|(lane, message)| matches!(message, Message::Batch(_)) && *lane == Lane::Live);
    assert_eq!(live.count(), 10 + 1);
    // What nobody waits for follows after a moment, and then there is silence.
    link.wait(link.now_ms + 60_000, &mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    while link.wait(link.now_ms + 60_000, &mut phone, &mut relay) {
        link.settle(&mut phone, &mut relay);
    }
    assert_eq!(link.dialer.session.next_deadline(), None);
    assert_eq!(link.acceptor.session.next_deadline(), None);
}

#[test]
fn own_changes_leave_only_when_they_are_durable() {
    let (mut phone, mut relay) = stores();
    let mut link = Link::new(following("relay"), Config::new(Role::Relay), 4);
    link.connect(&mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    phone.write(40);
    link.input(Side::Dialer, Input::Grew, &mut phone);
    while link.deliver(&mut phone, &mut relay) {}
    assert_eq!(relay.rows(), 0);
    phone.sync();
    link.input(Side::Dialer, Input::Durable, &mut phone);
    while link.deliver(&mut phone, &mut relay) {}
    assert_eq!(relay.rows(), 1);
    assert_eq!(phone.pending(), 1, "the relay's disk does not have it yet");
    relay.sync();
    link.input(Side::Acceptor, Input::Durable, &mut relay);
    while link.deliver(&mut phone, &mut relay) {}
    assert_eq!(phone.pending(), 0);
}

#[test]
fn a_change_of_another_is_forwarded_before_it_is_durable_and_its_position_follows() {
    let (mut phone, mut relay) = stores();
    let mut laptop = MemStore::new("laptop");
    let mut uplink = Link::new(following("relay"), Config::new(Role::Relay), 4);
    let mut downlink = Link::new(following("relay"), Config::new(Role::Relay), 5);
    uplink.connect(&mut phone, &mut relay);
    uplink.settle(&mut phone, &mut relay);
    downlink.connect(&mut laptop, &mut relay);
    downlink.settle(&mut laptop, &mut relay);
    phone.write(40);
    phone.sync();
    uplink.input(Side::Dialer, Input::Grew, &mut phone);
    while uplink.deliver(&mut phone, &mut relay) {}
    assert!(!relay.is_durable());
    downlink.input(Side::Acceptor, Input::Grew, &mut relay);
    while downlink.deliver(&mut laptop, &mut relay) {}
    assert_eq!(laptop.rows(), 1);
    let position = |laptop: &MemStore| laptop.saved(relay.store_id()).cursor.map_or(0, |cursor| cursor.seq);
    assert_eq!(position(&laptop), 0);
    let relay_id = relay.store_id();
    downlink.settle(&mut laptop, &mut relay);
    assert_eq!(laptop.saved(relay_id).cursor.map_or(0, |cursor| cursor.seq), 1);
    assert_eq!(laptop.duplicates, 0);
}

#[test]
fn a_change_that_reached_the_relay_by_another_way_is_acknowledged() {
    let (mut phone, mut relay) = stores();
    let mut laptop = MemStore::new("laptop");
    let mut link = Link::new(following("relay"), Config::new(Role::Relay), 4);
    link.connect(&mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    // The phone's link to the relay is slow; the laptop hands the change on.
    phone.write(40);
    phone.sync();
    meet_well(&mut laptop, &mut phone, Role::Peer, 1);
    meet_well(&mut laptop, &mut relay, Role::Relay, 2);
    assert_eq!(phone.pending(), 1);
    link.input(Side::Acceptor, Input::Grew, &mut relay);
    link.settle(&mut phone, &mut relay);
    assert_eq!(phone.pending(), 0);
}

#[test]
fn what_was_sent_on_a_wrong_guess_is_sent_again() {
    let (mut phone, mut relay) = stores();
    let mut other = MemStore::new("other relay");
    write_many(&mut phone, 20, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    write_many(&mut phone, 5, 40);
    // Another store answers at the address now.
    let mut link = Link::new(dialing("relay"), Config::new(Role::Relay), 2);
    link.connect(&mut phone, &mut other);
    link.run(&mut phone, &mut other);
    assert!(link.dialer.has(&Event::Finished));
    assert_eq!(other.names(), phone.names());
    assert_eq!(link.dialer.counters().changes_sent, 5 + 25);
    assert_eq!(link.acceptor.counters().changes_received, 25);
    assert_eq!(phone.pending(), 0);
}

/// A relay was put back from a backup. What a phone had sent it on a guess it passed over, and the phone thought
/// that it had explained the genesis changes: devices that were told by that relay waited for them for ever.
#[test]
fn genesis_changes_of_a_wrong_guess_are_explained_again() {
    let (mut phone, mut relay) = stores();
    let mut other = MemStore::new("other relay");
    write_many(&mut phone, 20, 40);
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    phone.add_genesis(("Todo".to_owned(), "notes".to_owned(), 1));
    write_many(&mut phone, 5, 40);
    let mut link = Link::new(dialing("relay"), Config::new(Role::Relay), 2);
    link.connect(&mut phone, &mut other);
    link.run(&mut phone, &mut other);
    assert_eq!(link.dialer.counters().changes_sent, 5 + 25);
    assert_eq!(other.genesis(), phone.genesis());
}

#[test]
fn rows_that_never_leave_are_passed_over() {
    let (mut phone, mut relay) = stores();
    for n in 0..900 {
        if n % 3 == 0 {
            phone.write(40);
        } else {
            phone.write_local();
        }
    }
    phone.write_local();
    phone.sync();
    meet_well(&mut phone, &mut relay, Role::Relay, 1);
    assert_eq!(relay.rows(), 300);
    let acked = phone.saved(relay.store_id()).acked.unwrap();
    assert_eq!(acked.seq, phone.rows() as u64);
    phone.write_local();
    phone.sync();
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 2);
    let counters = link.dialer.counters();
    assert_eq!((counters.changes_sent, counters.round_trips()), (0, 1));
    assert_eq!(phone.saved(relay.store_id()).acked.unwrap().seq, phone.rows() as u64);
}

#[test]
fn transactions_arrive_whole() {
    let (mut phone, mut relay) = stores();
    for _ in 0..40 {
        phone.write_transaction(&[3_000; 60]);
    }
    phone.sync();
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 1);
    assert_eq!(phone.names(), relay.names());
    for (_, message) in &link.dialer.sent {
        let Message::Batch(batch) = message else { continue };
        let content = syncline_core::wire::BatchContent::unpack(batch).unwrap().content;
        assert_eq!(content.rows.last().unwrap().txn, 0);
        assert_eq!(content.rows.first().unwrap().txn, 59);
    }
}

#[test]
fn a_large_change_travels_in_parts_and_resumes_where_it_was_cut() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 3, 40);
    phone.write(5_000_000);
    write_many(&mut phone, 3, 40);
    let mut sent = 0;
    for attempt in 0..3 {
        let mut link = Link::new(dialing("relay"), Config::new(Role::Relay), attempt);
        link.bytes_left = Some(2_000_000);
        link.connect(&mut phone, &mut relay);
        link.run(&mut phone, &mut relay);
        sent += link.delivered;
    }
    assert_eq!(phone.names(), relay.names());
    assert!(sent < 5_300_000, "{sent} bytes for a change of 5,000,000");
    assert_eq!(relay.staged_bytes(), 0);
}

#[test]
fn no_more_than_the_credit_is_in_flight() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 300, 10_000);
    let mut link = Link::new(dialing("relay"), Config { credit: 600_000, ..Config::new(Role::Relay) }, 1);
    link.connect(&mut phone, &mut relay);
    // The relay's disk is slow: it takes in, and cannot acknowledge.
    while link.deliver(&mut phone, &mut relay) {}
    let sent: u64 = link.dialer.sent.iter().map(|(_, message)| message.credit_len()).sum();
    assert!((600_000..600_000 + 300_000).contains(&sent), "{sent} bytes");
    link.run(&mut phone, &mut relay);
    assert_eq!(phone.names(), relay.names());
}

#[test]
fn genesis_changes_are_explained_once_per_session() {
    let (mut phone, mut relay) = stores();
    phone.add_genesis(("Todo".to_owned(), "notes".to_owned(), 1));
    write_many(&mut phone, 1_500, 40);
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 1);
    assert_eq!(relay.genesis(), phone.genesis());
    let explained = link.dialer.sent.iter().filter_map(|(_, message)| match message {
        Message::Batch(batch) => Some(syncline_core::wire::BatchContent::unpack(batch).unwrap().content.genesis.len()),
        _ => None,
    });
    assert_eq!(explained.sum::<usize>(), 1);
}

#[test]
fn many_replicas_first_meet_with_their_vectors_in_pieces() {
    let (mut phone, mut laptop) = (MemStore::new("phone"), MemStore::new("laptop"));
    let mut hub = MemStore::new("hub");
    for _ in 0..1_300 {
        hub.write(40);
        hub.power_cut_after_sync();
    }
    meet_well(&mut phone, &mut hub, Role::Peer, 1);
    meet_well(&mut laptop, &mut hub, Role::Peer, 2);
    write_many(&mut phone, 5, 40);
    write_many(&mut laptop, 5, 40);
    let link = meet_well(&mut phone, &mut laptop, Role::Peer, 3);
    assert_eq!(phone.names(), laptop.names());
    let counters = link.dialer.counters();
    assert_eq!((counters.changes_sent, counters.changes_received), (5, 5));
    assert_eq!((phone.duplicates, laptop.duplicates), (0, 0));
}

#[test]
fn a_goodbye_is_answered_when_the_disk_has_what_came_before_it() {
    let (mut phone, mut relay) = stores();
    let mut link = Link::new(following("relay"), Config::new(Role::Relay), 4);
    link.connect(&mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    phone.write(40);
    phone.sync();
    link.input(Side::Dialer, Input::Grew, &mut phone);
    link.input(Side::Dialer, Input::Shutdown, &mut phone);
    while link.deliver(&mut phone, &mut relay) {}
    assert!(!link.dialer.has(&Event::Finished));
    link.run(&mut phone, &mut relay);
    assert!(link.dialer.has(&Event::Finished));
    assert_eq!(phone.pending(), 0);
}

#[test]
fn a_shut_down_session_says_what_it_kept_for_later() {
    let (mut phone, mut relay) = stores();
    write_many(&mut phone, 5, 40);
    let mut link = Link::new(following("relay"), Config::new(Role::Relay), 4);
    link.connect(&mut phone, &mut relay);
    link.settle(&mut phone, &mut relay);
    link.input(Side::Dialer, Input::Shutdown, &mut phone);
    link.run(&mut phone, &mut relay);
    assert!(link.dialer.has(&Event::Finished) && link.acceptor.has(&Event::Finished));
    let link = meet_well(&mut phone, &mut relay, Role::Relay, 5);
    let bytes = link.dialer.counters().bytes_sent + link.dialer.counters().bytes_received;
    assert!(bytes <= 500, "{bytes} bytes");
}
