//! Tests over loopback: two ends in one process, real sockets, no sleeping.

mod hostile;
mod lanes;
mod lifecycle;
mod tls;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::{Address, ClientConfig, Connection, Endpoint, Frame, Identity, Lane, Limits, ServerConfig};

/// A server, a client, and one connection between them.
struct Pair {
    server: Endpoint,
    client: Endpoint,
    dialer: Connection,
    acceptor: Connection,
}

impl Pair {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let (server, address) = server(limits.clone());
        let client = client(limits);
        let (dialer, acceptor) = connect(&client, &server, &address).await;
        Self { server, client, dialer, acceptor }
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A listening endpoint with a fresh identity, and its pinned address.
fn server(limits: Limits) -> (Endpoint, Address) {
    let identity = Identity::generate(&[]).unwrap();
    let server = listen(any_port(), &identity, limits);
    let address = Address::at(server.local_addr().unwrap(), Some(identity.pin()));
    (server, address)
}

fn listen(listen: SocketAddr, identity: &Identity, limits: Limits) -> Endpoint {
    Endpoint::server(ServerConfig { listen, identity: identity.clone(), limits, seed: 1 }).unwrap()
}

fn client(limits: Limits) -> Endpoint {
    Endpoint::client(ClientConfig { limits, ..ClientConfig::default() }).unwrap()
}

async fn connect(client: &Endpoint, server: &Endpoint, address: &Address) -> (Connection, Connection) {
    let dial = client.dial(address, address.trust(None));
    let accept = async { server.accept().await.unwrap().complete().await };
    let (dialed, accepted) = in_time(async { tokio::join!(dial, accept) }).await;
    (dialed.unwrap(), accepted.unwrap())
}

/// Turns a hang into a failure; no test depends on how long it is.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("the test hangs")
}

fn frame(kind: u8, body: &[u8]) -> Frame {
    Frame { kind, body: body.to_vec() }
}

/// Bytes that differ along the way, so that a shift or a swap is seen.
fn pattern(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes).map(|at| ((at * 31 + seed * 7 + at / 251) % 256) as u8).collect()
}

async fn recv(connection: &Connection) -> (Lane, Frame) {
    in_time(connection.recv()).await.expect("a frame, not the end")
}

/// Proves that a connection carries frames both ways.
async fn exchange(one: &Connection, other: &Connection) {
    for (from, to) in [(one, other), (other, one)] {
        from.send(Lane::Live, frame(200, b"still here")).await.unwrap();
        assert_eq!(recv(to).await, (Lane::Live, frame(200, b"still here")));
    }
}
