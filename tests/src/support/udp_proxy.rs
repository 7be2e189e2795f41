//! A line between QUIC clients and one server that does to packets what networks do: it loses, repeats,
//! reorders, delays, damages, forges and cuts off, and gives clients new addresses.
//!
//! What happens to the n-th packet is drawn from a seed. Which packet is the n-th is up to timers, sockets and
//! the scheduler, so a run does not repeat exactly: the simulator does that, this shows that it is honest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{in_time, loopback};

/// A chance that is certain.
const CERTAIN: u32 = 1_000;

/// How long a router's queue in front of a narrow line may get; what comes then is lost.
const QUEUE_MAX: Duration = Duration::from_millis(400);

/// How long a packet is held back so that others overtake it.
const HELD_BACK: Duration = Duration::from_millis(15);

/// Packets from the server that may wait for the line.
const WAITING_MAX: usize = 4_096;

const PACKET_BYTES_MAX: usize = 65_536;

/// What a line does to packets of one direction. Chances are in thousandths; the default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Nothing passes.
    pub(crate) dark: bool,
    /// Handshakes pass, and nothing after them: what a captive portal does.
    pub(crate) handshakes_only: bool,
    /// The chance that a packet is lost.
    pub(crate) lose: u32,
    /// How long everything is lost once a packet is. In time, not in packets: who hears nothing sends ever more
    /// rarely, and would need minutes to send enough of them.
    pub(crate) lose_for: Duration,
    /// The chance that a packet arrives twice.
    pub(crate) repeat: u32,
    /// The chance that a packet is overtaken by later ones.
    pub(crate) reorder: u32,
    /// The chance that a byte of a packet is changed.
    pub(crate) damage: u32,
    /// The chance that a packet is followed by one that nobody sent.
    pub(crate) forge: u32,
    /// How long a packet is under way.
    pub(crate) delay: Duration,
    /// What may be added to it, without changing the order.
    pub(crate) jitter: Duration,
    /// How many bytes pass in a second; 0 for any number.
    pub(crate) bytes_per_second: u64,
    /// The largest packet that passes; 0 for any.
    pub(crate) packet_bytes_max: usize,
}

impl Faults {
    pub(crate) const DARK: Self = Self {
        dark: true,
        handshakes_only: false,
        lose: 0,
        lose_for: Duration::ZERO,
        repeat: 0,
        reorder: 0,
        damage: 0,
        forge: 0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        bytes_per_second: 0,
        packet_bytes_max: 0,
    };
}

/// What has happened on a line, in both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets passed on, repeated ones included.
    pub(crate) passed: u64,
    /// Packets that went into the dark, or were no handshake.
    pub(crate) swallowed: u64,
    /// Packets lost by chance, or in a full queue.
    pub(crate) lost: u64,
    /// Packets that were passed on twice.
    pub(crate) repeated: u64,
    /// Packets held back.
    pub(crate) reordered: u64,
    /// Packets damaged.
    pub(crate) damaged: u64,
    /// Packets that nobody sent.
    pub(crate) forged: u64,
    /// Packets that were too large.
    pub(crate) too_large: u64,
    /// Clients that were given a new address.
    pub(crate) rebound: u64,
}

/// A line to one server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct UdpProxy {
    address: SocketAddr,
    faults: Arc<Mutex<[Faults; 2]>>,
    rebind: mpsc::UnboundedSender<()>,
    counts: watch::Receiver<Counts>,
    line: JoinHandle<()>,
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        self.line.abort();
    }
}

impl UdpProxy {
    /// A line to this server that does nothing to packets yet.
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let front = Arc::new(UdpSocket::bind(loopback()).await.unwrap());
        let address = front.local_addr().unwrap();
        let faults = Arc::new(Mutex::new([Faults::default(); 2]));
        let (rebind, rebinds) = mpsc::unbounded_channel();
        let (report, counts) = watch::channel(Counts::default());
        let (arrived, from_server) = mpsc::channel(WAITING_MAX);
        let line = Line {
            front,
            server,
            faults: Arc::clone(&faults),
            clients: BTreeMap::new(),
            arrived,
            dice: Dice(seed),
            directions: [Direction::default(), Direction::default()],
            under_way: BinaryHeap::new(),
            numbered: 0,
            counts: Counts::default(),
            report,
        };
        let line = tokio::spawn(line.run(from_server, rebinds));
        Self { address, faults, rebind, counts, line }
    }

    /// The server's URL, by way of this line.
    pub(crate) fn url(&self, url: &str) -> String {
        let (_, pin) = url.split_once('?').unwrap();
        format!("syncline://{}?{pin}", self.address)
    }

    /// What the line does from now on, in both directions.
    pub(crate) fn set(&self, faults: Faults) {
        self.set_each(faults, faults);
    }

    pub(crate) fn set_each(&self, towards_server: Faults, towards_client: Faults) {
        *self.faults.lock().unwrap() = [towards_server, towards_client];
    }

    /// From now on packets pass as they are.
    pub(crate) fn heal(&self) {
        self.set(Faults::default());
    }

    /// Gives every client another address in the server's eyes, as routers do after a pause. What the server
    /// sends to the old one is lost.
    pub(crate) async fn rebind(&self) {
        let before = self.counts().rebound;
        self.rebind.send(()).unwrap();
        self.until(|counts| counts.rebound > before).await;
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits until enough has happened on the line.
    pub(crate) async fn until(&self, enough: impl FnMut(&Counts) -> bool) {
        let mut counts = self.counts.clone();
        in_time(counts.wait_for(enough)).await.unwrap();
    }

    /// Waits until so many packets more were passed on.
    pub(crate) async fn until_passed(&self, more: u64) {
        let before = self.counts().passed;
        self.until(|counts| counts.passed >= before + more).await;
    }

    /// Waits until so many packets more went into the dark.
    pub(crate) async fn until_swallowed(&self, more: u64) {
        let before = self.counts().swallowed;
        self.until(|counts| counts.swallowed >= before + more).await;
    }
}

/// Reproducible choices.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    fn happens(&mut self, chance: u32) -> bool {
        // Always rolled, so that one fault's chance does not move another's dice.
        self.roll(CERTAIN.into()) < chance.into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ToServer,
    ToClient,
}

/// A packet that is under way: sorted by when it arrives, and then by when it was sent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Instant,
    number: u64,
    way: Way,
    client: SocketAddr,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Direction {
    /// Until when everything is lost.
    losing: Option<Instant>,
    /// When a narrow line has passed everything on that it was given.
    free_at: Option<Instant>,
    /// When the last packet arrives that was not held back.
    last_due: Option<Instant>,
}

/// A client as the server sees it: a socket, and the task that reads from it.
#[derive(Debug)]
struct Client {
    socket: Arc<UdpSocket>,
    reader: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

type FromServer = (SocketAddr, Vec<u8>);

struct Line {
    front: Arc<UdpSocket>,
    server: SocketAddr,
    faults: Arc<Mutex<[Faults; 2]>>,
    clients: BTreeMap<SocketAddr, Client>,
    arrived: mpsc::Sender<FromServer>,
    dice: Dice,
    directions: [Direction; 2],
    under_way: BinaryHeap<Reverse<Packet>>,
    numbered: u64,
    counts: Counts,
    report: watch::Sender<Counts>,
}

impl Line {
    async fn run(mut self, mut from_server: mpsc::Receiver<FromServer>, mut rebinds: mpsc::UnboundedReceiver<()>) {
        let front = Arc::clone(&self.front);
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        loop {
            let next = self.under_way.peek().map(|Reverse(packet)| packet.due);
            tokio::select! {
                received = front.recv_from(&mut buffer) => {
                    // A client that is gone makes the system report an error for what was sent to it.
                    if let Ok((bytes, client)) = received {
                        self.take(Way::ToServer, client, &buffer[..bytes]);
                    }
                }
                Some((client, bytes)) = from_server.recv() => self.take(Way::ToClient, client, &bytes),
                Some(()) = rebinds.recv() => self.rebind().await,
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.deliver().await;
            let counts = self.counts;
            self.report.send_if_modified(|said| std::mem::replace(said, counts) != counts);
        }
    }

    /// Decides what becomes of a packet.
    fn take(&mut self, way: Way, client: SocketAddr, bytes: &[u8]) {
        let faults = self.faults.lock().unwrap()[way as usize];
        let mut bytes = bytes.to_vec();
        if faults.dark || (faults.handshakes_only && !is_of_handshake(&bytes)) {
            self.counts.swallowed += 1;
            return;
        }
        if faults.packet_bytes_max > 0 && bytes.len() > faults.packet_bytes_max {
            self.counts.too_large += 1;
            return;
        }
        if self.loses(way, faults) {
            self.counts.lost += 1;
            return;
        }
        if self.dice.happens(faults.damage) {
            self.counts.damaged += 1;
            self.damage(&mut bytes);
        }
        let Some(due) = self.due(way, faults, bytes.len()) else {
            self.counts.lost += 1;
            return;
        };
        if self.dice.happens(faults.forge) {
            self.counts.forged += 1;
            let forged = self.forged(&bytes);
            self.send(way, client, due, forged);
        }
        if self.dice.happens(faults.repeat) {
            self.counts.repeated += 1;
            let later = due + HELD_BACK.mul_f64(self.dice.roll(3) as f64);
            self.send(way, client, later, bytes.clone());
        }
        self.send(way, client, due, bytes);
    }

    fn loses(&mut self, way: Way, faults: Faults) -> bool {
        let now = Instant::now();
        let begins = self.dice.happens(faults.lose);
        let losing = &mut self.directions[way as usize].losing;
        if losing.is_some_and(|until| now < until) {
            return true;
        }
        *losing = begins.then(|| now + faults.lose_for);
        begins
    }

    fn damage(&mut self, bytes: &mut [u8]) {
        let at = self.dice.roll(bytes.len() as u64) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.dice.roll(8);
        }
    }

    /// Something like the packet: its head with another tail, only a part of it, or noise.
    fn forged(&mut self, like: &[u8]) -> Vec<u8> {
        let mut bytes = like.to_vec();
        match self.dice.roll(3) {
            0 => bytes.truncate(self.dice.roll(like.len() as u64) as usize),
            1 => bytes.iter_mut().skip(20).for_each(|byte| *byte = self.dice.roll(256) as u8),
            _ => bytes.iter_mut().for_each(|byte| *byte = self.dice.roll(256) as u8),
        }
        bytes
    }

    /// When the packet arrives; never, if the queue is full.
    fn due(&mut self, way: Way, faults: Faults, bytes: usize) -> Option<Instant> {
        let now = Instant::now();
        let held_back = self.dice.happens(faults.reorder);
        let jitter = Duration::from_micros(self.dice.roll(faults.jitter.as_micros() as u64 + 1));
        let direction = &mut self.directions[way as usize];
        let begins = direction.free_at.map_or(now, |at| at.max(now));
        if begins > now + QUEUE_MAX {
            return None;
        }
        let takes = (bytes as u64 * 1_000_000).checked_div(faults.bytes_per_second).unwrap_or(0);
        let sent = begins + Duration::from_micros(takes);
        direction.free_at = Some(sent);
        let due = sent + faults.delay + jitter;
        let due = direction.last_due.map_or(due, |last| last.max(due));
        if held_back {
            self.counts.reordered += 1;
            return Some(due + HELD_BACK);
        }
        direction.last_due = Some(due);
        Some(due)
    }

    fn send(&mut self, way: Way, client: SocketAddr, due: Instant, bytes: Vec<u8>) {
        self.numbered += 1;
        self.under_way.push(Reverse(Packet { due, number: self.numbered, way, client, bytes }));
    }

    /// Passes on what has arrived. A socket that takes nothing loses it, as sockets do.
    async fn deliver(&mut self) {
        let now = Instant::now();
        while self.under_way.peek().is_some_and(|Reverse(packet)| packet.due <= now) {
            let Some(Reverse(packet)) = self.under_way.pop() else { return };
            self.counts.passed += 1;
            let _ = match packet.way {
                Way::ToClient => self.front.send_to(&packet.bytes, packet.client).await,
                Way::ToServer => {
                    let socket = self.socket(packet.client).await;
                    socket.send_to(&packet.bytes, self.server).await
                }
            };
        }
    }

    /// The socket by which a client reaches the server.
    async fn socket(&mut self, client: SocketAddr) -> Arc<UdpSocket> {
        if let Some(known) = self.clients.get(&client) {
            return Arc::clone(&known.socket);
        }
        let socket = Arc::new(UdpSocket::bind(loopback()).await.unwrap());
        let reader = tokio::spawn(read(Arc::clone(&socket), client, self.arrived.clone()));
        self.clients.insert(client, Client { socket: Arc::clone(&socket), reader });
        socket
    }

    async fn rebind(&mut self) {
        // The old sockets stay bound until the new ones are, so that no port comes again at once.
        let old = std::mem::take(&mut self.clients);
        for client in old.keys() {
            self.socket(*client).await;
        }
        self.counts.rebound += old.len().max(1) as u64;
    }
}

async fn read(socket: Arc<UdpSocket>, client: SocketAddr, arrived: mpsc::Sender<FromServer>) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        if let Ok((bytes, _)) = socket.recv_from(&mut buffer).await
            && arrived.send((client, buffer[..bytes].to_vec())).await.is_err()
        {
            return;
        }
    }
}

/// QUIC's packets have long headers until the handshake is done.
fn is_of_handshake(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x80 != 0)
}
