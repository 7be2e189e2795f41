//! The relay over loopback: namespaces, hostile and slow peers, restart and end.

#[expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests fail by panicking")]
mod support;

use std::net::UdpSocket;

use support::{Client, closed_by_relay, config, dial, hello, next_message, start};
use syncline_core::wire::{Message, RefusedCode};
use syncline_net::{Address, CloseCode, Frame, Lane, Limits};
use syncline_relay::{Relay, StartError};
use tempfile::tempdir;

#[tokio::test]
async fn without_authentication_a_relay_does_not_start_and_says_what_to_do() {
    let folder = tempdir().unwrap();
    let mut config = config(&folder.path().join("data"));
    config.dev = false;
    let error = Relay::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::NoAuthentication));
    assert!(error.to_string().contains("--dev"));
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn a_change_reaches_the_clients_of_its_namespace_and_no_others() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |_| {}).await;
    let mut clients = Vec::new();
    for (name, namespace) in [("a", "One"), ("b", "One"), ("c", "one"), ("d", "one")] {
        clients.push(Client::connect(&relay, folder.path(), name, namespace).await);
    }
    let [a, b, c, d] = clients.try_into().ok().unwrap();
    let (mut a, mut b, mut c, mut d): (Client, Client, Client, Client) = (a, b, c, d);
    a.save("of One");
    a.until_acknowledged().await;
    b.until_held(1).await;
    c.save("of one");
    c.until_acknowledged().await;
    d.until_held(1).await;
    assert_eq!((a.titles(), b.titles()), (vec!["of One".to_owned()], vec!["of One".to_owned()]));
    assert_eq!((c.titles(), d.titles()), (vec!["of one".to_owned()], vec!["of one".to_owned()]));
    let stats = relay.stats().await;
    assert_eq!((stats.connections, stats.namespaces, stats.changes), (4, 2, 2));
}

#[tokio::test]
async fn changes_are_pushed_to_a_client_that_is_connected() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |_| {}).await;
    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    let mut b = Client::connect(&relay, folder.path(), "b", "default").await;
    for count in 1..=5 {
        a.save(&format!("{count}"));
        a.until_acknowledged().await;
        b.until_held(count).await;
    }
}

#[tokio::test]
async fn a_second_relay_on_the_folder_is_refused_and_a_restarted_one_keeps_its_pin_and_changes() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let relay = start(&data, |_| {}).await;
    let second = Relay::start(config(&data)).await.unwrap_err();
    assert!(matches!(&second, StartError::FolderInUse(path) if *path == data), "{second}");

    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    a.save("kept");
    a.until_acknowledged().await;
    let pin = |relay: &Relay| relay.url().parse::<Address>().unwrap().pin().unwrap();
    let before = pin(&relay);
    relay.stop().await.unwrap();

    let relay = start(&data, |_| {}).await;
    assert_eq!(pin(&relay), before);
    let mut b = Client::connect(&relay, folder.path(), "b", "default").await;
    b.until_held(1).await;
    assert_eq!(b.titles(), ["kept"]);
}

#[tokio::test]
async fn stopping_tells_every_client_and_frees_port_and_folder() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let relay = start(&data, |_| {}).await;
    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    a.save("said");
    a.until_acknowledged().await;
    let silent = dial(&relay, Limits::default()).await;
    silent.send(Lane::Control, hello("default")).await.unwrap();
    assert!(matches!(next_message(&silent).await, Message::Welcome(_)));
    let port = relay.local_addr();
    let (stopped, said, silenced) = tokio::join!(relay.stop(), a.until_closed(), closed_by_relay(&silent));
    stopped.unwrap();
    assert_eq!((said.0, silenced.0), (CloseCode::GOING_AWAY, CloseCode::GOING_AWAY));
    assert_eq!(relay.stats().await, Default::default());
    let again = start(&data, |config| config.listen = port).await;
    assert_eq!(again.local_addr(), port);
}

#[tokio::test]
async fn a_dropped_relay_ends_its_connections() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |_| {}).await;
    let connection = dial(&relay, Limits::default()).await;
    connection.send(Lane::Control, hello("default")).await.unwrap();
    assert!(matches!(next_message(&connection).await, Message::Welcome(_)));
    drop(relay);
    assert_eq!(closed_by_relay(&connection).await.0, CloseCode::GOING_AWAY);
}

#[tokio::test]
async fn names_and_the_number_of_namespaces_are_checked() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |config| config.limits.namespaces_max = 1).await;
    let mut refusals = Vec::new();
    for namespace in ["kept", "a\nb", "", &"x".repeat(129), "one too many", "kept"] {
        let connection = dial(&relay, Limits::default()).await;
        connection.send(Lane::Control, hello(namespace)).await.unwrap();
        let answer = next_message(&connection).await;
        refusals.push(if let Message::Refused(refused) = answer { Some(refused.code) } else { None });
    }
    let (name, full) = (Some(RefusedCode::Namespace), Some(RefusedCode::Busy));
    assert_eq!(refusals, [None, name, name, name, full, None]);
}

#[tokio::test]
async fn garbage_costs_its_sender_the_connection_and_disturbs_nobody() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |_| {}).await;
    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    let mut b = Client::connect(&relay, folder.path(), "b", "default").await;

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..200_u32 {
        let noise = blake3::hash(&number.to_le_bytes());
        let datagram: Vec<u8> = noise.as_bytes().iter().copied().cycle().take(1 + number as usize * 7).collect();
        socket.send_to(&datagram, relay.local_addr()).unwrap();
    }
    let whole = hello("default");
    let half = Frame { kind: whole.kind, body: whole.body[..whole.body.len() / 2].to_vec() };
    let huge = Frame { kind: whole.kind, body: vec![0xff; 500_000] };
    let unknown = Frame { kind: 200, body: vec![1, 2, 3] };
    for (number, frame) in [half, huge, unknown].into_iter().enumerate() {
        let connection = dial(&relay, Limits::default()).await;
        connection.send(Lane::Control, frame).await.unwrap();
        assert_eq!(closed_by_relay(&connection).await.0, CloseCode::PROTOCOL_VIOLATION, "frame {number}");
        let title = format!("after {number}");
        a.save(&title);
        a.until_acknowledged().await;
        b.until_held(number + 1).await;
    }
    let in_session = dial(&relay, Limits::default()).await;
    in_session.send(Lane::Control, whole.clone()).await.unwrap();
    assert!(matches!(next_message(&in_session).await, Message::Welcome(_)));
    in_session.send(Lane::Bulk, Frame { kind: 7, body: vec![9; 1000] }).await.unwrap();
    assert_eq!(closed_by_relay(&in_session).await.0, CloseCode::PROTOCOL_VIOLATION);
    a.save("last");
    a.until_acknowledged().await;
    b.until_held(4).await;
}

#[tokio::test]
async fn whoever_says_nothing_is_closed_and_nobody_waits_for_it() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |_| {}).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(dial(&relay, Limits::default()).await);
    }
    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    let mut b = Client::connect(&relay, folder.path(), "b", "default").await;
    a.save("meanwhile");
    a.until_acknowledged().await;
    b.until_held(1).await;
    for connection in silent {
        assert_eq!(closed_by_relay(&connection).await.0, CloseCode::TOO_SLOW);
    }
    assert_eq!(relay.stats().await.connections, 2);
}

#[tokio::test]
async fn whoever_reads_nothing_is_closed_and_nobody_waits_for_it() {
    let folder = tempdir().unwrap();
    let relay = start(&folder.path().join("data"), |config| config.limits.stall_seconds_max = 1).await;
    let narrow = Limits { stream_window_bytes: 64 << 10, connection_window_bytes: 64 << 10, ..Limits::default() };
    let deaf = dial(&relay, narrow).await;
    deaf.send(Lane::Control, hello("default")).await.unwrap();
    assert!(matches!(next_message(&deaf).await, Message::Welcome(_)));

    let mut a = Client::connect(&relay, folder.path(), "a", "default").await;
    let mut b = Client::connect(&relay, folder.path(), "b", "default").await;
    let notes = 64;
    for number in 0..notes {
        a.save(&noise(number, 32 << 10));
    }
    let (_, _, closed) = tokio::join!(a.until_acknowledged(), b.until_held(notes), closed_by_relay(&deaf));
    assert_eq!(closed.0, CloseCode::TOO_SLOW);
    assert_eq!(a.titles(), b.titles());
}

/// Text that does not compress well.
fn noise(number: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut part = 0_usize;
    while text.len() < bytes {
        let hash = blake3::hash(&[number.to_le_bytes(), part.to_le_bytes()].concat());
        text.push_str(&hash.to_hex());
        part += 1;
    }
    text
}
