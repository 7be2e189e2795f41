//! Peers that send rubbish to a relay lose their own connection; everybody else goes on.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::json;
use syncline::Store;
use syncline_core::ids::{Chain, LogId, ReplicaId, StoreId};
use syncline_core::wire::{
    Ack, Batch, Covered, Entry, Forked, Goodbye, Hello, Introduction, Message, Packing, Part, Renewed, Role, VERSION,
    VectorPart, Verified, frame,
};
use syncline_relay::Relay;

use crate::support::{Bed, all_have_all, assert_converged, in_time, record, sync, wait};

/// Trusts whoever answers: the tests know whom they dial.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A peer that speaks bare QUIC.
struct Raw {
    connection: quinn::Connection,
    control: quinn::SendStream,
    answers: quinn::RecvStream,
    _endpoint: quinn::Endpoint,
}

impl Raw {
    async fn dial(address: SocketAddr) -> Self {
        let provider = ring::default_provider();
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        tls.alpn_protocols = vec![syncline_net::ALPN.as_bytes().to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
        let connection = endpoint.connect_with(config, address, "localhost").unwrap().await.unwrap();
        let (mut control, answers) = connection.open_bi().await.unwrap();
        control.write_all(&[syncline_net::Lane::Control.number()]).await.unwrap();
        Self { connection, control, answers, _endpoint: endpoint }
    }

    /// Writes to the control lane; it may be closed under us.
    async fn say(&mut self, bytes: &[u8]) {
        let _ = self.control.write_all(bytes).await;
    }

    /// Waits until the relay has had enough.
    async fn is_thrown_out(&self) {
        in_time(self.connection.closed()).await;
    }
}

/// Two replicas in live contact through a relay.
struct Scene {
    _bed: Bed,
    relay: Relay,
    a: Store,
    b: Store,
    _links: [syncline::Link; 2],
}

impl Scene {
    async fn new() -> Self {
        let bed = Bed::new();
        let relay = bed.relay("relay").await;
        let [a, b] = [bed.store("a.db").await, bed.store("b.db").await];
        let links = [a.connect(relay.url()).unwrap(), b.connect(relay.url()).unwrap()];
        let scene = Self { _bed: bed, relay, a, b, _links: links };
        scene.goes_on().await;
        scene
    }

    fn address(&self) -> SocketAddr {
        self.relay.local_addr()
    }

    /// Live edits pass both ways, and newcomers are served.
    async fn goes_on(&self) {
        for (from, to) in [(&self.a, &self.b), (&self.b, &self.a)] {
            let saved = from.save_json("Todo", record(json!({"title": "still here"}))).await.unwrap();
            wait(to, saved.token.as_ref()).await;
        }
    }

    async fn ends_well(&self) {
        self.goes_on().await;
        let late = self._bed.store("late.db").await;
        sync(&late, &self.relay.url()).await;
        all_have_all(&[&self.a, &self.b, &late]).await;
        assert_converged(&[&self.a, &self.b, &late]).await;
    }
}

/// Reproducible noise.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn intro(seed: u8) -> Introduction {
    Introduction {
        role: Role::Peer,
        store: StoreId([seed; 16]),
        replica: ReplicaId([seed; 16]),
        counter: 0,
        chain: Chain::EMPTY,
        log: LogId([seed; 16]),
        epoch: 1,
    }
}

fn hello(seed: u8) -> Hello {
    Hello {
        version_min: VERSION,
        version_max: VERSION,
        features: 0,
        intro: intro(seed),
        namespace: "default".to_owned(),
        token: None,
        head: 0,
        cursor: None,
        base: 0,
        base_chain: Chain::EMPTY,
        complete: true,
        delta: Vec::new(),
        staged: Vec::new(),
        credit: 1 << 20,
    }
}

/// One of each message that a client has no business to say first.
fn out_of_place() -> Vec<Message> {
    let entry = Entry { replica: ReplicaId([9; 16]), counter: u64::MAX, chain: Chain(7), forked: false };
    vec![
        VectorPart { entries: vec![entry], last: true }.into(),
        Verified { forked: vec![ReplicaId([9; 16])] }.into(),
        Forked { replicas: vec![ReplicaId([9; 16])] }.into(),
        Batch {
            number: 1,
            after: 0,
            upto: 5,
            upto_chain: Chain(3),
            head: 5,
            packing: Packing::Zstd,
            unpacked_len: u32::MAX,
            content: noise(900, 3),
        }
        .into(),
        Part { payload: [1; 32], offset: 1 << 40, total: u64::MAX, bytes: vec![0; 64] }.into(),
        Covered { number: 9, upto: u64::MAX, upto_chain: Chain(1), head: 0 }.into(),
        Ack {
            position: u64::MAX,
            chain: Chain(5),
            consumed: u64::MAX,
            renewals: 9,
            your_counter: 7,
            your_chain: Chain(2),
        }
        .into(),
        Renewed { replica: ReplicaId([4; 16]) }.into(),
        Goodbye { last: 0 }.into(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_on_the_port_disturb_nobody() {
    let scene = Scene::new().await;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for seed in 0..300 {
        // Some look like the beginning of a QUIC handshake.
        let mut datagram = noise(1 + (seed as usize * 37) % 1400, seed);
        if seed % 3 == 0 {
            datagram[0] |= 0xc0;
        }
        socket.send_to(&datagram, scene.address()).unwrap();
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_inside_a_connection_end_that_connection_only() {
    let scene = Scene::new().await;
    for seed in 0..12 {
        let mut raw = Raw::dial(scene.address()).await;
        if seed % 2 == 0 {
            raw.say(&frame(&hello(seed as u8 + 1).into())).await;
        }
        raw.say(&noise(5_000, seed)).await;
        raw.is_thrown_out().await;
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_cut_off_or_too_long_end_their_connection_only() {
    let scene = Scene::new().await;
    let whole = frame(&hello(1).into());
    for cut in [1, 3, 5, 20, whole.len() - 1] {
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&whole[..cut]).await;
        raw.control.finish().unwrap();
        raw.is_thrown_out().await;
    }
    for length in [0_u32, (1 << 20) + 1, u32::MAX] {
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&length.to_le_bytes()).await;
        raw.say(&[1; 64]).await;
        raw.is_thrown_out().await;
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_at_the_wrong_time_ends_its_connection_only() {
    let scene = Scene::new().await;
    for message in out_of_place() {
        // Before anything else was said.
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&frame(&message)).await;
        raw.is_thrown_out().await;
    }
    for message in out_of_place() {
        // Behind an honest hello. Some of it is allowed there; none of it may hurt.
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&frame(&hello(2).into())).await;
        let mut answer = [0; 5];
        in_time(raw.answers.read_exact(&mut answer)).await.unwrap();
        raw.say(&frame(&message)).await;
        raw.say(&frame(&hello(2).into())).await;
        raw.is_thrown_out().await;
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_nobody_can_serve_is_answered_and_turned_away() {
    let scene = Scene::new().await;
    let greetings = [
        Hello { version_min: VERSION + 1, version_max: VERSION + 3, ..hello(3) },
        Hello { namespace: String::new(), ..hello(3) },
        Hello { namespace: "x".repeat(4_000), ..hello(3) },
        Hello { namespace: "a\u{0}b".to_owned(), ..hello(3) },
    ];
    for greeting in greetings {
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&frame(&greeting.into())).await;
        raw.is_thrown_out().await;
    }
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stall_in_the_middle_of_a_frame_hold_up_nobody() {
    let scene = Scene::new().await;
    let whole = frame(&hello(5).into());
    let mut stalled = Vec::new();
    for cut in [0, 2, 4, 5, whole.len() / 2, whole.len() - 1] {
        let mut raw = Raw::dial(scene.address()).await;
        raw.say(&whole[..cut]).await;
        stalled.push(raw);
    }
    // One that said hello, and one that announces a batch it never sends.
    let mut greeted = Raw::dial(scene.address()).await;
    greeted.say(&whole).await;
    let mut answer = [0; 5];
    in_time(greeted.answers.read_exact(&mut answer)).await.unwrap();
    let mut bulk = greeted.connection.open_uni().await.unwrap();
    bulk.write_all(&[syncline_net::Lane::Bulk.number(), 0, 0, 8, 0, 7, 1, 2, 3]).await.unwrap();
    // All of them are there, and everybody else works.
    for _ in 0..5 {
        scene.goes_on().await;
    }
    scene.ends_well().await;
    drop((stalled, greeted, bulk));
    scene.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    let scene = Scene::new().await;
    let mut deaf = Raw::dial(scene.address()).await;
    deaf.say(&frame(&hello(6).into())).await;
    // It is owed everything that happens from now on, and takes none of it.
    let body = "x".repeat(20_000);
    for _ in 0..100 {
        scene.a.save_json("Todo", record(json!({"title": body}))).await.unwrap();
    }
    scene.ends_well().await;
    drop(deaf);
}
