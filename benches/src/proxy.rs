//! A UDP forwarder that counts what passes: the bytes on the wire, whatever the ends believe.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

use crate::Result;

/// IPv4 and UDP headers of a datagram.
const HEADERS: u64 = 28;

/// Forwards datagrams between clients and one server until it is dropped.
pub(crate) struct Proxy {
    url: String,
    bytes: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// In front of the server of this URL.
    pub(crate) async fn start(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL without a scheme")?;
        let (authority, query) = rest.split_once('?').ok_or("a URL without a pin")?;
        let server: SocketAddr = authority.parse()?;
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let url = format!("{scheme}://{}?{query}", front.local_addr()?);
        let bytes = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(forward(front, server, Arc::clone(&bytes)));
        Ok(Self { url, bytes, task })
    }

    /// What clients dial.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Bytes in both directions until now, headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(front: Arc<UdpSocket>, server: SocketAddr, bytes: Arc<AtomicU64>) {
    let mut backs: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut answers = tokio::task::JoinSet::new();
    let mut datagram = vec![0; 65_536];
    while let Ok((length, client)) = front.recv_from(&mut datagram).await {
        let back = match backs.entry(client) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let Ok(back) = UdpSocket::bind("127.0.0.1:0").await else { continue };
                let back = Arc::new(back);
                answers.spawn(answer(Arc::clone(&back), Arc::clone(&front), client, Arc::clone(&bytes)));
                Arc::clone(new.insert(back))
            }
        };
        bytes.fetch_add(length as u64 + HEADERS, Ordering::Relaxed);
        // A datagram may get lost; QUIC sends it again.
        let _ = back.send_to(&datagram[..length], server).await;
    }
}

async fn answer(back: Arc<UdpSocket>, front: Arc<UdpSocket>, client: SocketAddr, bytes: Arc<AtomicU64>) {
    let mut datagram = vec![0; 65_536];
    while let Ok((length, _)) = back.recv_from(&mut datagram).await {
        bytes.fetch_add(length as u64 + HEADERS, Ordering::Relaxed);
        let _ = front.send_to(&datagram[..length], client).await;
    }
}
