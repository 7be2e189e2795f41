//! Two sessions, and between them three lanes of bytes each way that can be cut anywhere.

use std::collections::VecDeque;

use syncline_core::session::{CloseCode, Config, Counters, Event, Input, Now, Output, Session};
use syncline_core::wire::{FrameReader, Lane, Message, Role, frame};

use super::{MemStore, Rng};

const LANES: [Lane; 3] = [Lane::Control, Lane::Live, Lane::Bulk];

/// Changes a frame's bytes.
pub type Tamper = Box<dyn FnMut(&mut Vec<u8>, &mut Rng)>;

/// One end.
pub struct End {
    pub session: Session,
    pub events: Vec<Event>,
    pub sent: Vec<(Lane, Message)>,
    pub closed: Option<(CloseCode, String)>,
    /// Bytes under way to this end, and what has arrived of them.
    wire: [VecDeque<u8>; 3],
    readers: [FrameReader; 3],
}

/// The connection.
pub struct Link {
    pub dialer: End,
    pub acceptor: End,
    pub rng: Rng,
    pub now_ms: u64,
    /// Bytes after which the connection dies.
    pub bytes_left: Option<usize>,
    /// Largest piece that arrives at once.
    pub piece_max: usize,
    /// Syncs are late.
    pub lazy_disks: bool,
    /// Sees every frame before it is sent.
    pub tamper: Option<Tamper>,
    pub is_cut: bool,
    pub delivered: usize,
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Dialer,
    Acceptor,
}

impl End {
    fn new(session: Session) -> Self {
        Self {
            session,
            events: Vec::new(),
            sent: Vec::new(),
            closed: None,
            wire: Default::default(),
            readers: Default::default(),
        }
    }

    pub fn has(&self, wanted: &Event) -> bool {
        self.events.contains(wanted)
    }

    pub fn counters(&self) -> Counters {
        self.session.counters()
    }

    pub fn misbehaved(&self) -> Option<String> {
        self.events.iter().find_map(|event| match event {
            Event::Misbehaved(what) => Some(what.to_string()),
            _ => None,
        })
    }
}

pub fn dialing(address: &str) -> Config {
    Config { address: address.to_owned(), once: true, ..Config::new(Role::Peer) }
}

pub fn following(address: &str) -> Config {
    Config { once: false, ..dialing(address) }
}

impl Link {
    pub fn new(dialer: Config, acceptor: Config, seed: u64) -> Self {
        Self {
            dialer: End::new(Session::dial(dialer)),
            acceptor: End::new(Session::accept(acceptor)),
            rng: Rng::new(seed),
            now_ms: 1_000,
            bytes_left: None,
            piece_max: 70_000,
            lazy_disks: false,
            tamper: None,
            is_cut: false,
            delivered: 0,
        }
    }

    pub fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialer => &mut self.dialer,
            Side::Acceptor => &mut self.acceptor,
        }
    }

    pub fn connect(&mut self, dialer: &mut MemStore, acceptor: &mut MemStore) {
        self.input(Side::Dialer, Input::Connected, dialer);
        self.input(Side::Acceptor, Input::Connected, acceptor);
    }

    pub fn input(&mut self, side: Side, input: Input, store: &mut MemStore) {
        let now = Now { mono_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms };
        self.end(side).session.handle(now, input, store);
        self.collect(side);
    }

    fn collect(&mut self, side: Side) {
        let (from, to) = match side {
            Side::Dialer => (&mut self.dialer, &mut self.acceptor),
            Side::Acceptor => (&mut self.acceptor, &mut self.dialer),
        };
        while let Some(output) = from.session.poll_output() {
            match output {
                Output::Send { lane, message } => {
                    let mut bytes = frame(&message);
                    assert_eq!(bytes.len(), message.frame_len());
                    assert!(bytes.len() <= 4 + syncline_core::wire::FRAME_BYTES_MAX);
                    if let Some(tamper) = &mut self.tamper {
                        tamper(&mut bytes, &mut self.rng);
                    }
                    to.wire[lane as usize].extend(bytes);
                    from.sent.push((lane, message));
                }
                Output::Close { code, reason } => from.closed = Some((code, reason)),
                Output::Event(event) => from.events.push(event),
            }
        }
    }

    /// Delivers one piece of some lane. `false` if nothing is under way.
    pub fn deliver(&mut self, dialer: &mut MemStore, acceptor: &mut MemStore) -> bool {
        let mut busy = Vec::new();
        for side in [Side::Dialer, Side::Acceptor] {
            let end = self.end(side);
            let lanes = LANES.into_iter().filter(|lane| !end.wire[*lane as usize].is_empty());
            busy.extend(lanes.map(|lane| (side, lane)));
        }
        if busy.is_empty() || self.is_over() {
            return false;
        }
        let (side, lane) = busy[self.rng.below(busy.len())];
        let mut piece = 1 + self.rng.below(self.piece_max);
        if let Some(left) = &mut self.bytes_left {
            piece = piece.min(*left);
            *left -= piece.min(*left);
        }
        let end = self.end(side);
        let queue = &mut end.wire[lane as usize];
        let piece: Vec<u8> = queue.drain(..piece.min(queue.len())).collect();
        end.readers[lane as usize].push(&piece);
        self.delivered += piece.len();
        loop {
            let end = self.end(side);
            let next = end.readers[lane as usize].next_message();
            let store = match side {
                Side::Dialer => &mut *dialer,
                Side::Acceptor => &mut *acceptor,
            };
            match next {
                Ok(Some(message)) => self.input(side, Input::Frame { lane, message }, store),
                Ok(None) => break,
                Err(bad) => {
                    self.input(side, Input::Malformed(bad), store);
                    break;
                }
            }
        }
        if self.bytes_left == Some(0) {
            self.is_cut = true;
        }
        true
    }

    pub fn is_over(&self) -> bool {
        self.is_cut || self.dialer.closed.is_some() || self.acceptor.closed.is_some()
    }

    /// Syncs disks whose log is not durable, and says so.
    pub fn sync(&mut self, dialer: &mut MemStore, acceptor: &mut MemStore) -> bool {
        let mut any = false;
        for (side, store) in [(Side::Dialer, dialer), (Side::Acceptor, acceptor)] {
            if !store.is_durable() {
                store.sync();
                self.input(side, Input::Durable, store);
                any = true;
            }
        }
        any
    }

    /// Lets time pass to the next deadline, if there is one up to `until_ms`.
    pub fn wait(&mut self, until_ms: u64, dialer: &mut MemStore, acceptor: &mut MemStore) -> bool {
        let deadlines = [self.dialer.session.next_deadline(), self.acceptor.session.next_deadline()];
        let Some(next) = deadlines.into_iter().flatten().min().filter(|next| *next <= until_ms) else {
            return false;
        };
        self.now_ms = self.now_ms.max(next);
        for (side, due, store) in [(Side::Dialer, deadlines[0], dialer), (Side::Acceptor, deadlines[1], acceptor)] {
            if due.is_some_and(|due| due <= self.now_ms) {
                self.input(side, Input::Deadline, store);
            }
        }
        true
    }

    /// Runs until nothing more happens by itself, or the connection is over.
    pub fn run(&mut self, dialer: &mut MemStore, acceptor: &mut MemStore) {
        let until_ms = self.now_ms + 60_000;
        let mut steps = 0;
        while !self.is_over() {
            steps += 1;
            assert!(steps < 2_000_000, "the session does not come to rest");
            if self.lazy_disks && self.rng.chance(80) && self.deliver(dialer, acceptor) {
                continue;
            }
            if self.sync(dialer, acceptor) || self.deliver(dialer, acceptor) || self.wait(until_ms, dialer, acceptor) {
                continue;
            }
            break;
        }
        if self.is_over() {
            self.input(Side::Dialer, Input::Closed, dialer);
            self.input(Side::Acceptor, Input::Closed, acceptor);
        }
    }

    /// Lets both ends talk until nothing is under way, without letting time pass.
    pub fn settle(&mut self, dialer: &mut MemStore, acceptor: &mut MemStore) {
        while self.sync(dialer, acceptor) || self.deliver(dialer, acceptor) {}
    }
}

/// One whole meeting; dials again when an end asks for it.
pub fn meet(dialer: &mut MemStore, acceptor: &mut MemStore, role: Role, seed: u64) -> Link {
    for attempt in 0..6 {
        dialer.sync();
        acceptor.sync();
        let mut link = Link::new(dialing(acceptor.name()), Config::new(role), seed + attempt);
        link.connect(dialer, acceptor);
        link.run(dialer, acceptor);
        let codes = [&link.dialer, &link.acceptor].map(|end| end.closed.as_ref().map(|(code, _)| *code));
        if codes.contains(&Some(CloseCode::Renewed)) || codes.contains(&Some(CloseCode::Again)) {
            continue;
        }
        return link;
    }
    panic!("the stores keep renewing themselves");
}

/// A meeting that must end well.
pub fn meet_well(dialer: &mut MemStore, acceptor: &mut MemStore, role: Role, seed: u64) -> Link {
    let link = meet(dialer, acceptor, role, seed);
    let ends = (&link.dialer.closed, &link.acceptor.closed);
    assert!(link.dialer.has(&Event::Finished), "{ends:?} {:?} {:?}", link.dialer.events, link.acceptor.events);
    link
}
