//! How connections and endpoints begin and end.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::*;
use crate::{BindError, CloseCode, CloseReason, DialError, SendError};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn finishing_delivers_everything_that_was_queued() {
    let pair = Pair::new().await;
    let mut expected = Vec::new();
    for number in 0..40u8 {
        let lane = Lane::ALL[usize::from(number) % 3];
        let sent = Frame { kind: number, body: pattern(usize::from(number) * 1_000, 1) };
        pair.dialer.send(lane, sent.clone()).await.unwrap();
        expected.push((lane, sent));
    }
    // Nobody reads until it is over.
    assert!(in_time(pair.dialer.finish(CloseCode::NORMAL, "done", LONG)).await);
    let reason = in_time(pair.acceptor.closed()).await;
    let said = CloseReason::Peer { code: CloseCode::NORMAL, reason: "done".to_owned() };
    assert_eq!(reason, said);

    let mut got = Vec::new();
    while let Some(next) = in_time(pair.acceptor.recv()).await {
        got.push(next);
    }
    got.sort_by_key(|(_, frame)| frame.kind);
    assert!(got == expected, "{} of {} frames", got.len(), expected.len());
}

#[tokio::test]
async fn an_acceptor_finishes_its_control_lane_too() {
    let pair = Pair::new().await;
    pair.acceptor.send(Lane::Control, frame(1, b"goodbye")).await.unwrap();
    let acceptor = pair.acceptor.clone();
    // The control stream comes with receiving.
    let receiving = tokio::spawn(async move { acceptor.recv().await });
    let finish = pair.acceptor.finish(CloseCode::GOING_AWAY, "restart", LONG);
    assert!(in_time(finish).await);
    assert_eq!(recv(&pair.dialer).await, (Lane::Control, frame(1, b"goodbye")));
    assert_eq!(in_time(pair.dialer.recv()).await, None);
    let reason = "restart".to_owned();
    let code = CloseCode::GOING_AWAY;
    assert_eq!(pair.dialer.closed().await, CloseReason::Peer { code, reason });
    assert_eq!(in_time(receiving).await.unwrap(), None);
}

#[tokio::test]
async fn finishing_gives_up_on_a_peer_that_does_not_read() {
    let limits = Limits { queue_bytes_max: 8 << 20, ..Limits::default() };
    let pair = Pair::with(limits).await;
    for _ in 0..5 {
        let body = vec![0; 1_000_000];
        pair.dialer.send(Lane::Bulk, Frame { kind: 0, body }).await.unwrap();
    }
    let within = Duration::from_millis(50);
    assert!(!in_time(pair.dialer.finish(CloseCode::NORMAL, "", within)).await);
    assert!(matches!(pair.dialer.closed().await, CloseReason::Local { .. }));
}

#[tokio::test]
async fn finishing_an_unused_connection_ends_it() {
    let pair = Pair::new().await;
    assert!(in_time(pair.acceptor.finish(CloseCode::NORMAL, "", LONG)).await);
    assert_eq!(in_time(pair.dialer.recv()).await, None);
}

#[tokio::test]
async fn code_and_reason_of_a_close_reach_the_peer_and_those_who_send() {
    let pair = Pair::new().await;
    pair.dialer.close(CloseCode(4_000), "because");
    let reason = "because".to_owned();
    let code = CloseCode(4_000);
    let local = CloseReason::Local { code, reason: reason.clone() };
    assert_eq!(in_time(pair.dialer.closed()).await, local);
    let refused = pair.dialer.send(Lane::Live, frame(1, b"")).await;
    assert_eq!(refused, Err(SendError::Closed { reason: local.clone() }));

    let said = CloseReason::Peer { code, reason };
    assert_eq!(in_time(pair.acceptor.recv()).await, None);
    assert_eq!(pair.acceptor.close_reason(), Some(said.clone()));
    // Closing what the peer has closed does not rewrite history.
    pair.acceptor.close(CloseCode::NORMAL, "mine");
    assert_eq!(in_time(pair.acceptor.closed()).await, said);
    pair.dialer.close(CloseCode::NORMAL, "again");
    assert_eq!(in_time(pair.dialer.closed()).await, local);
}

#[tokio::test]
async fn a_close_wakes_those_who_wait_for_room() {
    let limits = Limits { queue_bytes_max: 1, ..Limits::default() };
    let pair = Pair::with(limits).await;
    let dialer = pair.dialer.clone();
    let sender = tokio::spawn(async move {
        loop {
            let body = vec![0; 500_000];
            if let Err(error) = dialer.send(Lane::Bulk, Frame { kind: 0, body }).await {
                return error;
            }
        }
    });
    while pair.dialer.queued_bytes(Lane::Bulk) == 0 {
        tokio::task::yield_now().await;
    }
    pair.acceptor.close(CloseCode::BUSY, "");
    let error = in_time(sender).await.unwrap();
    let code = CloseCode::BUSY;
    let reason = CloseReason::Peer { code, reason: String::new() };
    assert_eq!(error, SendError::Closed { reason });
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_connection() {
    let pair = Pair::new().await;
    let clone = pair.dialer.clone();
    drop(pair.dialer);
    exchange(&clone, &pair.acceptor).await;
    drop(clone);
    assert_eq!(in_time(pair.acceptor.recv()).await, None);
    let code = CloseCode::NORMAL;
    let reason = CloseReason::Peer { code, reason: String::new() };
    assert_eq!(pair.acceptor.close_reason(), Some(reason));
}

#[tokio::test]
async fn two_hundred_connections_share_one_socket() {
    let (server, address) = server(Limits::default());
    let echo = tokio::spawn({
        let server = server.clone();
        async move {
            while let Some(handshake) = server.accept().await {
                tokio::spawn(async move {
                    let connection = handshake.complete().await.unwrap();
                    while let Some((lane, frame)) = connection.recv().await {
                        connection.send(lane, frame).await.unwrap();
                    }
                });
            }
        }
    });
    let client = client(Limits::default());
    let mut clients = tokio::task::JoinSet::new();
    // More at once overflow the socket's buffer and test only the retransmission.
    let turns = Arc::new(Semaphore::new(20));
    for number in 0..200usize {
        let (client, address, turns) = (client.clone(), address.clone(), Arc::clone(&turns));
        clients.spawn(async move {
            let turn = turns.acquire().await.unwrap();
            let connection = client.dial(&address, address.trust(None)).await.unwrap();
            drop(turn);
            for lane in Lane::ALL {
                let sent = frame(1, &pattern(500, number));
                connection.send(lane, sent.clone()).await.unwrap();
                assert_eq!(connection.recv().await, Some((lane, sent)));
            }
            connection
        });
    }
    let open = in_time(clients.join_all()).await;
    assert_eq!(server.stats().accepted_open, 200);
    assert_eq!(server.stats().handshakes_done, 200);
    drop(open);
    let emptied = async {
        while server.stats().accepted_open > 0 {
            tokio::task::yield_now().await;
        }
    };
    in_time(emptied).await;
    server.close(CloseCode::NORMAL, "");
    in_time(echo).await.unwrap();
}

#[tokio::test]
async fn a_restarted_server_is_found_again_under_its_old_address() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("identity.pem");
    let identity = Identity::load_or_create(&kept).unwrap();
    let first = listen(any_port(), &identity, Limits::default());
    let socket = first.local_addr().unwrap();
    let address = Address::at(socket, Some(identity.pin()));
    let client = client(Limits::default());
    let (dialer, acceptor) = connect(&client, &first, &address).await;

    first.close(CloseCode::GOING_AWAY, "restart");
    let reason = "restart".to_owned();
    let code = CloseCode::GOING_AWAY;
    assert_eq!(in_time(dialer.closed()).await, CloseReason::Peer { code, reason });
    in_time(first.wait_idle()).await;
    drop((first, acceptor));

    let identity = Identity::load_or_create(&kept).unwrap();
    let second = in_time(async {
        loop {
            let config =
                ServerConfig { listen: socket, identity: identity.clone(), limits: Limits::default(), seed: 2 };
            match Endpoint::server(config) {
                Ok(server) => break server,
                // The old socket is freed by a task of its own.
                Err(BindError::InUse { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    let (dialer, acceptor) = connect(&client, &second, &address).await;
    exchange(&dialer, &acceptor).await;
}

/// Accepts for ever and keeps whatever it accepts.
fn keep_accepting(server: &Endpoint) -> tokio::task::JoinHandle<()> {
    let server = server.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(handshake) = server.accept().await {
            if let Ok(connection) = handshake.complete().await {
                kept.push(connection);
            }
        }
    })
}

#[tokio::test]
async fn a_full_server_refuses_and_says_so() {
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let (server, address) = server(limits);
    let accepting = keep_accepting(&server);
    let client = client(Limits::default());
    let dial = || in_time(client.dial(&address, address.trust(None)));
    let (_one, _two) = (dial().await.unwrap(), dial().await.unwrap());
    let error = dial().await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
    assert!(!error.is_permanent());
    assert_eq!(server.stats().refused, 1);
    accepting.abort();
}

#[tokio::test]
async fn a_server_that_stops_accepting_keeps_those_it_has() {
    let pair = Pair::new().await;
    let accepting = keep_accepting(&pair.server);
    pair.server.stop_accepting();
    let address = Address::at(pair.server.local_addr().unwrap(), None);
    let pin = Identity::generate(&[]).unwrap().pin();
    let refused = in_time(pair.client.dial(&address, crate::Trust::Pin(pin))).await;
    assert!(matches!(refused, Err(DialError::Refused { .. })), "{refused:?}");
    exchange(&pair.dialer, &pair.acceptor).await;
    accepting.abort();
}

#[tokio::test]
async fn under_load_peers_must_prove_their_address_first() {
    let limits = Limits { handshakes_before_retry: 0, ..Limits::default() };
    let (server, address) = server(limits);
    let client = client(Limits::default());
    let (dialer, acceptor) = connect(&client, &server, &address).await;
    exchange(&dialer, &acceptor).await;
    assert_eq!(server.stats().retried, 1);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_way_out() {
    let taken = UdpSocket::bind(any_port()).unwrap();
    let address = taken.local_addr().unwrap();
    let identity = Identity::generate(&[]).unwrap();
    let config = ServerConfig { listen: address, identity, limits: Limits::default(), seed: 0 };
    let error = Endpoint::server(config).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&format!("port {}", address.port())), "{message}");
    assert!(message.contains("choose another port"), "{message}");
}

#[test]
fn an_endpoint_outside_a_runtime_is_an_error_and_not_a_panic() {
    let made = Endpoint::client(ClientConfig::default());
    assert!(matches!(made, Err(BindError::NoRuntime)));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_named() {
    let client = client(Limits::default());
    let address = Address::new("relay.invalid", 4433, None).unwrap();
    let pin = Identity::generate(&[]).unwrap().pin();
    let error = in_time(client.dial(&address, crate::Trust::Pin(pin))).await.unwrap_err();
    assert!(matches!(error, DialError::Resolve { .. }), "{error}");
    assert!(error.to_string().contains("relay.invalid"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_nobody_answers_ends_at_its_deadline() {
    let silent = UdpSocket::bind(any_port()).unwrap();
    let pin = Identity::generate(&[]).unwrap().pin();
    let address = Address::at(silent.local_addr().unwrap(), Some(pin));
    let client = client(Limits::default());
    let error = client.dial(&address, address.trust(None)).await.unwrap_err();
    assert!(matches!(error, DialError::TimedOut { .. }), "{error}");
    assert!(!error.is_permanent());
    assert!(error.to_string().contains(&address.port().to_string()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_idle_timeout_ends_a_connection() {
    let limits = Limits {
        // Longer than the idle timeout: it never speaks up.
        keep_alive: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let pair = Pair::with(limits).await;
    assert_eq!(pair.acceptor.recv().await, None);
    assert_eq!(pair.acceptor.closed().await, CloseReason::IdleTimeout);
    assert_eq!(pair.dialer.closed().await, CloseReason::IdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_dialer_keeps_an_idle_connection_alive() {
    let pair = Pair::new().await;
    tokio::time::sleep(Limits::default().idle_timeout * 5).await;
    assert_eq!(pair.acceptor.close_reason(), None);
    assert_eq!(pair.dialer.close_reason(), None);
}
