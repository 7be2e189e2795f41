//! Peers that break the rules: they lose their own connection and nothing else.

use std::net::UdpSocket;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use quinn::{ConnectionError, VarInt};

use super::*;
use crate::trust::client_tls_for;
use crate::{AcceptError, CloseCode, CloseReason, Trust, Violation};

/// Reproducible noise.
fn random(count: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; count];
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]).fill_bytes(&mut bytes);
    bytes
}

/// A server with an honest connection beside a peer that speaks bare QUIC.
struct Scene {
    pair: Pair,
    raw: quinn::Connection,
    victim: Connection,
    endpoint: quinn::Endpoint,
}

impl Scene {
    async fn new() -> Self {
        let (server, address) = server(Limits::default());
        let client = client(Limits::default());
        let (dialer, acceptor) = connect(&client, &server, &address).await;
        let endpoint = quinn::Endpoint::client(any_port()).unwrap();
        let connecting = raw_dial(&endpoint, &address, crate::ALPN);
        let accept = async { server.accept().await.unwrap().complete().await.unwrap() };
        let (raw, victim) = in_time(async { tokio::join!(connecting, accept) }).await;
        Self { pair: Pair { server, client, dialer, acceptor }, raw: raw.unwrap(), victim, endpoint }
    }

    /// The victim stops listening because of `violation`, the peer hears `code`, and the honest
    /// connection goes on.
    async fn ends_with(self, violation: Violation, code: CloseCode) {
        assert_eq!(in_time(self.victim.recv()).await, None);
        let reason = in_time(self.victim.closed()).await;
        assert_eq!(reason, CloseReason::Violation(violation));
        let heard = in_time(self.raw.closed()).await;
        let ConnectionError::ApplicationClosed(close) = heard else {
            panic!("{heard}");
        };
        assert_eq!(close.error_code, VarInt::from_u32(code.0));
        assert!(!close.reason.is_empty());
        exchange(&self.pair.dialer, &self.pair.acceptor).await;
    }

    async fn send_uni(&self, bytes: &[u8]) -> quinn::SendStream {
        let mut stream = self.raw.open_uni().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }
}

async fn raw_dial(
    endpoint: &quinn::Endpoint,
    address: &Address,
    alpn: &str,
) -> Result<quinn::Connection, ConnectionError> {
    let tls = client_tls_for(&Trust::Pin(address.pin().unwrap()), alpn).unwrap();
    let socket = (address.host().parse::<std::net::IpAddr>().unwrap(), address.port()).into();
    let config = quinn::ClientConfig::new(tls.config);
    endpoint.connect_with(config, socket, "localhost").unwrap().await
}

const BULK: u8 = 2;
const LIVE: u8 = 1;

/// A whole frame on a lane: kind 7, body "ok".
fn whole(lane: u8) -> [u8; 8] {
    [lane, 3, 0, 0, 0, 7, b'o', b'k']
}

#[tokio::test]
async fn a_lane_that_ends_in_the_middle_of_a_frame_closes_its_connection() {
    let scene = Scene::new().await;
    let mut stream = scene.send_uni(&[BULK, 10, 0, 0, 0, 1, 2, 3]).await;
    stream.finish().unwrap();
    let lane = Lane::Bulk;
    scene.ends_with(Violation::HalfFrame { lane }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_peer_that_closes_in_the_middle_of_a_frame_is_simply_gone() {
    let scene = Scene::new().await;
    let stream = scene.send_uni(&whole(LIVE)).await;
    let _half = scene.send_uni(&[BULK, 10, 0, 0, 0, 1, 2, 3]).await;
    assert_eq!(recv(&scene.victim).await, (Lane::Live, frame(7, b"ok")));
    scene.raw.close(VarInt::from_u32(300), b"so long");
    drop(stream);
    assert_eq!(in_time(scene.victim.recv()).await, None);
    let reason = "so long".to_owned();
    let expected = CloseReason::Peer { code: CloseCode(300), reason };
    assert_eq!(scene.victim.closed().await, expected);
}

#[tokio::test]
async fn an_oversize_frame_closes_its_connection_before_it_is_read() {
    let scene = Scene::new().await;
    let _stream = scene.send_uni(&[BULK, 1, 0, 16, 0]).await;
    let violation = Violation::FrameTooLarge { lane: Lane::Bulk, bytes: (1 << 20) + 1 };
    scene.ends_with(violation, CloseCode::FRAME_TOO_LARGE).await;
}

#[tokio::test]
async fn a_frame_without_a_kind_closes_its_connection() {
    let scene = Scene::new().await;
    let _stream = scene.send_uni(&[LIVE, 0, 0, 0, 0]).await;
    let lane = Lane::Live;
    scene.ends_with(Violation::EmptyFrame { lane }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_stream_for_an_unknown_lane_closes_its_connection() {
    let scene = Scene::new().await;
    let _stream = scene.send_uni(&[9]).await;
    scene.ends_with(Violation::UnknownLane { number: 9 }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn control_on_a_stream_of_one_direction_closes_its_connection() {
    let scene = Scene::new().await;
    let _stream = scene.send_uni(&whole(0)).await;
    scene.ends_with(Violation::UnknownLane { number: 0 }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn live_on_the_stream_for_control_closes_its_connection() {
    let scene = Scene::new().await;
    let (mut stream, _back) = scene.raw.open_bi().await.unwrap();
    stream.write_all(&whole(LIVE)).await.unwrap();
    scene.ends_with(Violation::UnknownLane { number: 1 }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_second_stream_for_a_lane_closes_its_connection() {
    let scene = Scene::new().await;
    let _first = scene.send_uni(&whole(LIVE)).await;
    assert_eq!(recv(&scene.victim).await, (Lane::Live, frame(7, b"ok")));
    let _second = scene.send_uni(&[LIVE]).await;
    let lane = Lane::Live;
    scene.ends_with(Violation::DuplicateLane { lane }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_stream_that_ends_before_it_names_its_lane_closes_its_connection() {
    let scene = Scene::new().await;
    scene.raw.open_uni().await.unwrap().finish().unwrap();
    scene.ends_with(Violation::UnnamedStream, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_lane_that_is_reset_closes_its_connection() {
    let scene = Scene::new().await;
    let mut stream = scene.send_uni(&whole(LIVE)).await;
    assert_eq!(recv(&scene.victim).await, (Lane::Live, frame(7, b"ok")));
    stream.reset(VarInt::from_u32(1)).unwrap();
    scene.ends_with(Violation::LaneReset, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_lane_that_the_peer_refuses_to_read_closes_its_connection() {
    let scene = Scene::new().await;
    scene.victim.send(Lane::Live, frame(1, b"take this")).await.unwrap();
    let mut stream = in_time(scene.raw.accept_uni()).await.unwrap();
    stream.stop(VarInt::from_u32(1)).unwrap();
    let insist = async {
        while scene.victim.send(Lane::Live, frame(1, b"and this")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    in_time(insist).await;
    let lane = Lane::Live;
    scene.ends_with(Violation::LaneStopped { lane }, CloseCode::PROTOCOL_VIOLATION).await;
}

#[tokio::test]
async fn a_stall_in_the_middle_of_a_frame_holds_up_neither_other_lanes_nor_other_peers() {
    let scene = Scene::new().await;
    let mut bulk = scene.send_uni(&[BULK, 5, 0]).await;
    let mut live = scene.send_uni(&[LIVE, 3]).await;
    let (mut control, _back) = scene.raw.open_bi().await.unwrap();
    control.write_all(&whole(0)).await.unwrap();
    assert_eq!(recv(&scene.victim).await, (Lane::Control, frame(7, b"ok")));
    live.write_all(&whole(LIVE)[2..]).await.unwrap();
    assert_eq!(recv(&scene.victim).await, (Lane::Live, frame(7, b"ok")));
    exchange(&scene.pair.dialer, &scene.pair.acceptor).await;
    bulk.write_all(&[0, 0, 8, 1, 2, 3, 4]).await.unwrap();
    assert_eq!(recv(&scene.victim).await, (Lane::Bulk, frame(8, &[1, 2, 3, 4])));
}

#[tokio::test]
async fn a_stream_that_stalls_before_its_lane_number_holds_up_nothing() {
    let scene = Scene::new().await;
    // Opening the second stream opens the first, which stays empty.
    let mut silent = scene.raw.open_uni().await.unwrap();
    let _live = scene.send_uni(&whole(LIVE)).await;
    assert_eq!(recv(&scene.victim).await, (Lane::Live, frame(7, b"ok")));
    silent.write_all(&whole(BULK)).await.unwrap();
    assert_eq!(recv(&scene.victim).await, (Lane::Bulk, frame(7, b"ok")));
}

#[tokio::test]
async fn random_bytes_on_streams_harm_only_their_own_connection() {
    let Scene { pair, endpoint, .. } = Scene::new().await;
    let address = Address::at(pair.server.local_addr().unwrap(), Some(pair_pin(&pair)));
    for seed in 0..30u8 {
        let connecting = raw_dial(&endpoint, &address, crate::ALPN);
        let accept = async { pair.server.accept().await.unwrap().complete().await.unwrap() };
        let (raw, victim) = in_time(async { tokio::join!(connecting, accept) }).await;
        let raw = raw.unwrap();
        let mut stream = raw.open_uni().await.unwrap();
        let mut noise = random(4_000, seed);
        // Half of the peers get past the lane number.
        if seed % 2 == 0 {
            noise[0] = LIVE + seed / 2 % 2;
        }
        stream.write_all(&noise).await.unwrap();
        stream.finish().unwrap();
        while in_time(victim.recv()).await.is_some() {}
        let reason = in_time(victim.closed()).await;
        assert!(matches!(reason, CloseReason::Violation(_)), "seed {seed}: {reason}");
    }
    exchange(&pair.dialer, &pair.acceptor).await;
}

/// The pin that the pair's server shows.
fn pair_pin(pair: &Pair) -> crate::Pin {
    let chain = pair.dialer.quic().peer_identity().unwrap();
    let chain = chain.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().unwrap();
    crate::Pin::of(&chain[0]).unwrap()
}

#[tokio::test]
async fn datagrams_that_are_not_quic_disturb_nobody() {
    let pair = Pair::new().await;
    let port = pair.server.local_addr().unwrap();
    let noise = UdpSocket::bind(any_port()).unwrap();
    for seed in 0..250u8 {
        let mut datagram = random(usize::from(seed) * 5, seed);
        // A third of them look like first packets of QUIC version 1.
        if seed % 3 == 0 && datagram.len() > 20 {
            datagram[..7].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8, 1]);
        }
        noise.send_to(&datagram, port).unwrap();
        if seed % 50 == 0 {
            exchange(&pair.dialer, &pair.acceptor).await;
        }
    }
    let address = Address::at(port, Some(pair_pin(&pair)));
    let (dialer, acceptor) = connect(&pair.client, &pair.server, &address).await;
    exchange(&dialer, &acceptor).await;
    exchange(&pair.dialer, &pair.acceptor).await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_never_finished_ends_at_its_deadline() {
    let (server, address) = server(Limits::default());
    // A dialer's first packet, caught on its way and sent by somebody who never reads.
    let trap = tokio::net::UdpSocket::bind(any_port()).await.unwrap();
    let trapped = Address::at(trap.local_addr().unwrap(), address.pin());
    let client = client(Limits::default());
    let dial = tokio::spawn(async move { client.dial(&trapped, trapped.trust(None)).await });
    let mut first = [0; 2_000];
    let bytes = trap.recv(&mut first).await.unwrap();
    dial.abort();
    let mute = UdpSocket::bind(any_port()).unwrap();
    mute.send_to(&first[..bytes], server.local_addr().unwrap()).unwrap();

    let handshake = server.accept().await.unwrap();
    assert_eq!(handshake.remote_addr(), mute.local_addr().unwrap());
    assert_eq!(server.stats().handshakes, 1);
    let peer = mute.local_addr().unwrap();
    let after = Limits::default().handshake_timeout;
    let error = handshake.complete().await.unwrap_err();
    assert_eq!(error, AcceptError::TimedOut { peer, after });
    let stats = server.stats();
    assert_eq!((stats.handshakes, stats.accepted_open, stats.handshakes_failed), (0, 0, 1));
}

#[tokio::test]
async fn a_dialer_of_another_protocol_is_told_so_in_the_handshake() {
    let (server, address) = server(Limits::default());
    let endpoint = quinn::Endpoint::client(any_port()).unwrap();
    let connecting = raw_dial(&endpoint, &address, "h3");
    let accept = async { server.accept().await.unwrap().complete().await };
    let (raw, accepted) = in_time(async { tokio::join!(connecting, accept) }).await;
    assert!(raw.is_err());
    match accepted.unwrap_err() {
        AcceptError::Failed { reason, .. } => assert_eq!(reason, CloseReason::Version),
        other @ AcceptError::TimedOut { .. } => panic!("{other}"),
    }
}
