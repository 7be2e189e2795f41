//! What one endpoint grants its peers, in connections, bytes and time.

use std::time::Duration;

use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

/// The round-trip time assumed before one is measured. A lost first packet is sent again after
/// three times as long; with the usual 333 ms a handshake timeout of 5 s would leave only three
/// tries, too few when all clients of a restarted relay come back at once.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The bounds of an endpoint. The defaults are those of a relay.
///
/// What one peer can make us hold is bounded by `connection_window_bytes` (arriving) and
/// `send_window_bytes` + 3 × `queue_bytes_max` and one frame per lane (leaving); an idle
/// connection holds none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections accepted at one time; further ones are refused.
    pub connections_max: usize,
    /// Handshakes in flight at one time; further ones are refused.
    pub handshakes_max: usize,
    /// From so many handshakes in flight on, peers must first prove their address (QUIC Retry),
    /// which costs them a round trip and us no memory.
    pub handshakes_before_retry: usize,
    /// How long a handshake may take, dialed or accepted.
    pub handshake_timeout: Duration,
    /// Silence after which a connection counts as lost.
    pub idle_timeout: Duration,
    /// How often a dialer makes itself heard; each connection takes 75 to 100 % of it. Acceptors
    /// leave it to the dialer.
    pub keep_alive: Duration,
    /// Bytes that one lane may have sent us and we have not read.
    pub stream_window_bytes: u32,
    /// Bytes that all lanes together may have sent us and we have not read.
    pub connection_window_bytes: u32,
    /// Bytes of ours that a slow peer may leave unacknowledged in the transport.
    pub send_window_bytes: u64,
    /// Bytes that may wait in a lane's queue before `send` waits.
    pub queue_bytes_max: usize,
    /// Whether the kernel may cut large sends into packets. Off costs about twice the CPU per
    /// byte; needed on network cards that fail with it.
    pub segmentation_offload: bool,
    /// Whether to look for larger packets than 1200 bytes. Off saves about 1 KB per connection.
    pub mtu_discovery: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshakes_max: 512,
            handshakes_before_retry: 64,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(20),
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            send_window_bytes: 2 << 20,
            queue_bytes_max: 256 << 10,
            segmentation_offload: true,
            mtu_discovery: true,
        }
    }
}

impl Limits {
    /// For connections we dial: the peer may open live and bulk, and control is ours to open.
    pub(crate) fn dialing(&self, keep_alive: Duration) -> TransportConfig {
        let mut transport = self.both(0);
        transport.keep_alive_interval(Some(keep_alive));
        transport
    }

    /// For connections we accept: the peer may open all three lanes.
    pub(crate) fn accepting(&self) -> TransportConfig {
        self.both(1)
    }

    fn both(&self, bidirectional: u32) -> TransportConfig {
        let idle_ms = u32::try_from(self.idle_timeout.as_millis()).unwrap_or(u32::MAX);
        let mtu = self.mtu_discovery.then(MtuDiscoveryConfig::default);
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(bidirectional))
            .max_concurrent_uni_streams(VarInt::from_u32(2))
            .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))))
            .stream_receive_window(VarInt::from_u32(self.stream_window_bytes))
            .receive_window(VarInt::from_u32(self.connection_window_bytes))
            .send_window(self.send_window_bytes)
            .datagram_receive_buffer_size(None)
            .initial_rtt(INITIAL_RTT)
            .mtu_discovery_config(mtu)
            .enable_segmentation_offload(self.segmentation_offload);
        transport
    }
}
