//! The session after the handshake: both logs flow, both ends acknowledge.

use std::collections::BTreeMap;

use super::error::Stop;
use super::filter::Filter;
use super::greeting::{Own, is_overlap, judge_own, told, unexpected};
use super::io::{Early, Io};
use super::receiving::{Numbered, Peer, Receiving};
use super::sending::{OPTIMISTIC_BYTES_MAX, Sending, Step, chain_of_log};
use super::{
    Config, Event, GOODBYE_WAIT_MS, Identity, IncomingRow, LAZY_MS, PeerMisbehaved, Position, Progress, RenewedWhy,
    SessionStore, WELCOME_WAIT_MS,
};
use crate::ids::{Chain, Dot, ReplicaId};
use crate::mutant::{self, Mutant};
use crate::wire::{
    Ack, Batch, ENTRIES_MAX, Entry, Forked, Goodbye, Lane, Message, Renewed, Role, VectorPart, Verified, Welcome,
};

/// Batches per input, so that the store's thread is free for others in between.
const STEPS_MAX: usize = 4;

/// Replica ids that a session may retire on the peer's word.
const RETIRED_MAX: usize = 100_000;

/// What the peer still owes before our log may flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    /// The rest of its vector.
    pub(super) vector: bool,
    /// Whether its chains agree with the vector that we sent.
    pub(super) verified: bool,
}

/// How far the farewell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// We said goodbye and wait for the answer.
    Asked {
        until: u64,
    },
    /// The peer said goodbye; what it is owed waits for the disk.
    Asking {
        until: u64,
    },
    /// We answered; the peer closes.
    Answered {
        until: u64,
    },
}

/// A replica that must be retired.
#[derive(Clone, Copy, Debug)]
struct Found {
    replica: ReplicaId,
    /// The peer does not know.
    tell: bool,
}

/// A welcome that waits for the disk.
#[derive(Debug)]
struct HeldWelcome {
    release_at: u64,
    welcome: Welcome,
    rest: Vec<Entry>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Syncing {
    dialer: bool,
    once: bool,
    pub(super) me: Identity,
    renewals: u32,
    peer: Peer,
    pub(super) filter: Filter,
    sending: Sending,
    receiving: Receiving,
    pub(super) waits: Waits,
    waits_until: Option<u64>,
    /// Our vector as the peer was told, until it has compared it.
    pub(super) told: BTreeMap<ReplicaId, u64>,
    /// The dialer must send its vector once more, since this position.
    pub(super) owes_vector_after: Option<u64>,
    /// The dialer must say whether the chains agree.
    owes_verified: bool,
    found: Vec<Found>,
    retired: usize,
    /// How many of the retired ids that the store knows this session has passed on.
    pub(super) passed_on: usize,
    held: Option<HeldWelcome>,
    early: Early,
    pub(super) frontier: u64,
    /// What `once` waits for, in our log and in the peer's.
    goal: (u64, u64),
    lazy_at: Option<u64>,
    /// There is more to send at once.
    again: bool,
    leaving: Leaving,
    /// The number of the peer's last words before its goodbye, once it has said that.
    peers_last: Option<u64>,
    was_caught_up: bool,
    was_synced: bool,
    progress: Progress,
}

impl Syncing {
    pub(super) fn new(
        config: &Config,
        dialer: bool,
        me: Identity,
        peer: Peer,
        sending: Sending,
        receiving: Receiving,
        waits: Waits,
    ) -> Self {
        Self {
            dialer,
            once: config.once,
            me,
            renewals: 0,
            peer,
            filter: Filter::default(),
            goal: (0, receiving.head),
            sending,
            receiving,
            waits,
            waits_until: None,
            told: BTreeMap::new(),
            owes_vector_after: None,
            owes_verified: false,
            found: Vec::new(),
            retired: 0,
            passed_on: 0,
            held: None,
            early: Early::new(OPTIMISTIC_BYTES_MAX),
            frontier: 0,
            lazy_at: None,
            again: false,
            leaving: Leaving::No,
            peers_last: None,
            was_caught_up: false,
            was_synced: false,
            progress: Progress::default(),
        }
    }

    /// The welcome leaves when the log is durable up to `release_at`.
    pub(super) fn hold(&mut self, release_at: u64, welcome: Welcome, rest: Vec<Entry>) {
        self.held = Some(HeldWelcome { release_at, welcome, rest });
    }

    pub(super) fn introduce(&self, role: Role, io: &mut Io) {
        let Peer { store, replica, .. } = self.peer;
        io.event(Event::PeerKnown { store, replica, role });
    }

    /// What `once` has to send: everything that is committed now.
    pub(super) fn set_goal(&mut self, committed: u64) {
        self.goal.0 = committed;
    }

    pub(super) fn next_deadline(&self, now_ms: u64) -> Option<u64> {
        if self.again {
            return Some(now_ms);
        }
        let leaving = match self.leaving {
            Leaving::No => None,
            Leaving::Asked { until } | Leaving::Asking { until } | Leaving::Answered { until } => Some(until),
        };
        let waits = self.waits_until.filter(|_| self.waits != Waits::default());
        [leaving, waits, self.lazy_at].into_iter().flatten().min()
    }

    /// Takes a message in, or keeps it until the welcome has left.
    pub(super) fn message<S: SessionStore>(
        &mut self,
        message: Message,
        store: &mut S,
        io: &mut Io,
    ) -> Result<(), Stop> {
        match self.held {
            Some(_) => Ok(self.early.push(message)?),
            None => self.take(message, store, io),
        }
    }

    fn take<S: SessionStore>(&mut self, message: Message, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let name = message.name();
        match message {
            Message::Batch(batch) => self.numbered(Numbered::Batch(batch), store, io),
            Message::Covered(covered) => self.numbered(Numbered::Covered(covered), store, io),
            Message::Part(part) => self.receiving.part(&part, store),
            Message::Ack(ack) => self.acknowledged(&ack, store, io),
            Message::VectorPart(part) if self.waits.vector => self.take_vector(&part.entries, part.last, store, io),
            Message::Verified(verified) if self.waits.verified && !self.waits.vector => {
                self.verified(&verified, store, io)
            }
            Message::Forked(forked) => self.retire(&forked.replicas, store, io),
            Message::Renewed(renewed) => {
                self.peer_renewed(&renewed);
                Ok(())
            }
            Message::Goodbye(goodbye) => self.goodbye(&goodbye, io),
            Message::Hello(_)
            | Message::Welcome(_)
            | Message::Refused(_)
            | Message::VectorPart(_)
            | Message::Verified(_) => Err(unexpected(name, "changes are exchanged").into()),
        }
    }

    /// Everything that follows from an input, whatever it was.
    pub(super) fn advance<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.notice_renewal(store, io)?;
        if !self.release(store, io)? {
            return Ok(());
        }
        self.check_deadlines(io)?;
        self.pass_on_forks(store, io)?;
        if self.leaving == Leaving::No {
            self.receiving.look(&self.peer, store)?;
            self.pump(store, io)?;
        }
        self.speak(store, io)?;
        self.report(store, io)?;
        self.leave(store, io)
    }

    /// Says goodbye; what is left unsaid is said the next time.
    pub(super) fn shut_down<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<bool, Stop> {
        if self.held.is_some() {
            return Ok(false);
        }
        if self.leaving == Leaving::No {
            self.say_goodbye(store, io)?;
        }
        Ok(true)
    }

    /// Whether the connection may end now without anything being amiss.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    // The handshake's rest.

    /// One entry of the peer's vector. What must be retired is gathered.
    pub(super) fn take_entry<S: SessionStore>(&mut self, entry: &Entry, store: &mut S) -> Result<(), Stop> {
        if entry.forked {
            if !self.filter.is_forked(entry.replica) {
                self.found.push(Found { replica: entry.replica, tell: false });
            }
        } else if self.filter.claim(entry, store)? {
            self.found.push(Found { replica: entry.replica, tell: true });
        }
        Ok(())
    }

    /// Entries of the peer's vector, and what follows when they are complete.
    pub(super) fn take_vector<S: SessionStore>(
        &mut self,
        entries: &[Entry],
        last: bool,
        store: &mut S,
        io: &mut Io,
    ) -> Result<(), Stop> {
        for entry in entries {
            if entry.replica == self.me.replica && !entry.forked {
                self.judge_own(entry.counter, entry.chain, store, io)?;
            }
            if self.dialer && !entry.forked {
                let dialers = self.told.get(&entry.replica);
                self.owes_verified |= dialers.is_some_and(|dialers| is_overlap(*dialers, Some(&entry.counter)));
            }
            self.take_entry(entry, store)?;
        }
        self.waits.vector = !last;
        match last {
            true => self.vector_is_complete(store, io),
            false => Ok(()),
        }
    }

    fn vector_is_complete<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        if self.dialer {
            // The acceptor had our vector before it sent its own, and has left no fork unsaid.
            self.filter.confirm(&std::mem::take(&mut self.told));
        }
        let tell: Vec<_> = self.found.iter().filter(|found| found.tell).map(|found| found.replica).collect();
        self.retire_found(store, io)?;
        if let Some(position) = self.owes_vector_after.take() {
            self.owes_verified = true;
            self.send_vector(position, store, io)?;
        }
        if !self.dialer || self.owes_verified {
            io.send(Lane::Control, Verified { forked: tell });
        } else if !tell.is_empty() {
            io.send(Lane::Control, Forked { replicas: tell });
        }
        Ok(())
    }

    fn send_vector<S: SessionStore>(&mut self, after: u64, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let mut entries = store.grown_since(after).map_err(Stop::store)?;
        entries.retain(|entry| entry.replica != self.me.replica || entry.forked);
        self.told = told(&entries);
        send_parts(entries, io);
        Ok(())
    }

    fn verified<S: SessionStore>(&mut self, verified: &Verified, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.waits.verified = false;
        self.retire(&verified.forked, store, io)?;
        self.filter.confirm(&std::mem::take(&mut self.told));
        Ok(())
    }

    /// Sends the welcome when the disk has what it says. `true` if it has left.
    fn release<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<bool, Stop> {
        let Some(held) = self.held.take_if(|held| held.release_at <= store.durable()) else {
            return Ok(self.held.is_none());
        };
        let more = held.welcome.more;
        io.send(Lane::Control, held.welcome);
        if more {
            send_parts(held.rest, io);
        }
        for message in self.early.take() {
            self.take(message, store, io)?;
        }
        Ok(true)
    }

    // Forks and identity.

    /// Retires what was found. Returns it.
    pub(super) fn retire_found<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<Vec<ReplicaId>, Stop> {
        let found: Vec<_> = std::mem::take(&mut self.found).into_iter().map(|found| found.replica).collect();
        self.retire(&found, store, io)?;
        Ok(found)
    }

    /// Retires replica ids that two chains, or the peer's word, call forked.
    fn retire<S: SessionStore>(&mut self, found: &[ReplicaId], store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let mut new = Vec::new();
        for replica in found {
            self.filter.forget(*replica);
            let tip = store.tip(*replica).map_err(Stop::store)?;
            if !tip.is_some_and(|tip| tip.forked) && !new.contains(replica) {
                new.push(*replica);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.retired += new.len();
        if self.retired > RETIRED_MAX {
            let (bytes, allowed) = (self.retired as u64, RETIRED_MAX as u64);
            return Err(PeerMisbehaved::TooMuch { what: "forked replicas", bytes, allowed }.into());
        }
        let own = store.identity().map_err(Stop::store)?.replica;
        store.retire(&new).map_err(Stop::store)?;
        if new.contains(&own) {
            io.event(Event::IdentityRenewed { why: RenewedWhy::Forked, log: false });
        }
        io.event(Event::ForkFound(new));
        Ok(())
    }

    fn retire_and_tell<S: SessionStore>(
        &mut self,
        found: Vec<ReplicaId>,
        store: &mut S,
        io: &mut Io,
    ) -> Result<(), Stop> {
        if found.is_empty() {
            return Ok(());
        }
        self.retire(&found, store, io)?;
        io.send(Lane::Control, Forked { replicas: found });
        Ok(())
    }

    /// Tells the peer which replica ids other sessions, or another process, retired while this session stands.
    fn pass_on_forks<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let news = store.retired_since(self.passed_on).map_err(Stop::store)?;
        self.passed_on += news.len();
        let untold: Vec<_> = news.into_iter().filter(|replica| self.filter.forget(*replica)).collect();
        if mutant::is_planted(Mutant::ForkNotPassedOn) {
            return Ok(());
        }
        for replicas in untold.chunks(ENTRIES_MAX) {
            io.send(Lane::Control, Forked { replicas: replicas.to_vec() });
        }
        Ok(())
    }

    /// What the peer says of our own replica.
    fn judge_own<S: SessionStore>(
        &mut self,
        counter: u64,
        chain: Chain,
        store: &mut S,
        io: &mut Io,
    ) -> Result<u64, Stop> {
        match judge_own(self.me.replica, counter, chain, store)? {
            Own::Holds(counter) => Ok(counter),
            Own::Ahead => {
                store.renew_identity(true).map_err(Stop::store)?;
                io.event(Event::IdentityRenewed { why: RenewedWhy::Restored, log: true });
                Err(Stop::Renewed)
            }
            Own::Differs => {
                self.retire_and_tell(vec![self.me.replica], store, io)?;
                Ok(0)
            }
        }
    }

    /// This or another session, or the first write after opening, may have given the store a new identity.
    fn notice_renewal<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let now = store.identity().map_err(Stop::store)?;
        if (now.store, now.log, now.epoch) != (self.me.store, self.me.log, self.me.epoch) {
            return Err(Stop::Renewed);
        }
        if now.replica != self.me.replica && self.held.is_none() {
            let old = std::mem::replace(&mut self.me, now).replica;
            self.renewals += 1;
            self.frontier = 0;
            let is_forked = store.tip(old).map_err(Stop::store)?.is_some_and(|tip| tip.forked);
            if is_forked && self.filter.forget(old) {
                io.send(Lane::Control, Forked { replicas: vec![old] });
            }
            io.send(Lane::Control, Renewed { replica: self.me.replica });
        }
        Ok(())
    }

    fn peer_renewed(&mut self, renewed: &Renewed) {
        self.peer.replica = renewed.replica;
        self.peer.renewals += 1;
        self.receiving.peer_renewed();
    }

    // Both directions.

    fn numbered<S: SessionStore>(&mut self, message: Numbered, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.receiving.enqueue(message)?;
        while let Some(message) = self.receiving.dequeue() {
            match message {
                Numbered::Batch(batch) => self.batch(&batch, store, io)?,
                Numbered::Covered(covered) => self.receiving.cover(&covered, &self.peer, store)?,
            }
        }
        Ok(())
    }

    fn batch<S: SessionStore>(&mut self, batch: &Batch, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let Some(incoming) = self.receiving.unpack(batch, &self.peer, store)? else {
            return Ok(());
        };
        let forks = match incoming.check(&self.filter, store) {
            Err(stop @ Stop::Peer(PeerMisbehaved::Gap { .. })) => {
                self.forget_cursor(store)?;
                return Err(stop);
            }
            checked => checked?,
        };
        self.retire_and_tell(forks, store, io)?;
        self.leave_shared_id(&incoming.rows, store, io)?;
        self.receiving.apply(&incoming, &self.peer, &mut self.filter, store, io)
    }

    /// Changes of the own replica that this store never made: its file is an older copy of itself or one of two, or
    /// somebody forges. There may be more of them, so that the next number of that id need not be free.
    fn leave_shared_id<S: SessionStore>(&self, rows: &[IncomingRow], store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let own = self.me.replica;
        let Some(last) = rows.iter().filter(|row| row.dot.replica == own).map(|row| row.dot.counter).max() else {
            return Ok(());
        };
        let tip = store.tip(own).map_err(Stop::store)?.unwrap_or_default();
        // A batch before it may have brought the renewal already.
        let is_ours = store.identity().map_err(Stop::store)?.replica == own;
        if is_ours && !tip.forked && last > tip.counter {
            store.renew_identity(false).map_err(Stop::store)?;
            io.event(Event::IdentityRenewed { why: RenewedWhy::Restored, log: false });
        }
        Ok(())
    }

    /// The gap may be in what this store remembers, if its disk lost changes and kept the cursor: the next session
    /// compares the whole log.
    fn forget_cursor<S: SessionStore>(&self, store: &mut S) -> Result<(), Stop> {
        let mut state = store.peer(self.peer.store).map_err(Stop::store)?;
        state.cursor = None;
        store.save_peer(self.peer.store, self.peer.relay, "", &state).map_err(Stop::store)
    }

    fn pump<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.again = false;
        if self.waits != Waits::default() {
            self.waits_until.get_or_insert(io.now.mono_ms + WELCOME_WAIT_MS);
            return Ok(());
        }
        for _ in 0..STEPS_MAX {
            let mut found = Vec::new();
            let step = self.sending.step(&mut self.filter, &mut found, store, io)?;
            self.retire_and_tell(found, store, io)?;
            if step != Step::Moved {
                if self.sending.sent >= store.committed().map_err(Stop::store)? {
                    self.filter.pass();
                }
                return Ok(());
            }
        }
        self.again = true;
        Ok(())
    }

    fn acknowledged<S: SessionStore>(&mut self, ack: &Ack, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let moved = self.sending.acknowledged(ack, store)?;
        let frontier = match ack.renewals == self.renewals {
            true if mutant::is_planted(Mutant::AckOnAssumption) => {
                store.tip(self.me.replica).map_err(Stop::store)?.unwrap_or_default().counter
            }
            true => self.judge_own(ack.your_counter, ack.your_chain, store, io)?,
            false => self.frontier,
        };
        if !moved && frontier == self.frontier {
            return Ok(());
        }
        self.frontier = frontier;
        let seq = self.sending.acked;
        let position = Position { seq, chain: chain_of_log(seq, store)? };
        let acked = position.cursor(self.me.log, self.me.epoch);
        // Of the id that the peer knows: a write may have renewed it since this session last looked.
        let of = Dot { replica: self.me.replica, counter: frontier };
        store.acknowledge(self.peer.store, acked, of).map_err(Stop::store)?;
        io.event(Event::Acknowledged { position: seq, frontier: of });
        Ok(())
    }

    /// Acknowledgements and positions: at once what somebody waits for, the rest after a while.
    fn speak<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        if matches!(self.leaving, Leaving::Asked { .. } | Leaving::Answered { .. }) {
            return Ok(());
        }
        let due = self.lazy_at.is_some_and(|at| at <= io.now.mono_ms);
        let unsaid = self.receiving.acknowledge(due, store.durable(), &self.peer, io);
        let untold = self.waits == Waits::default() && self.sending.tell(due, store, io)?;
        self.lazy_at = match (unsaid || untold, due) {
            (false, _) => None,
            (true, true) => Some(io.now.mono_ms + LAZY_MS),
            (true, false) => Some(self.lazy_at.unwrap_or(io.now.mono_ms + LAZY_MS)),
        };
        Ok(())
    }

    fn report<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let committed = store.committed().map_err(Stop::store)?;
        let progress = Progress {
            received: self.receiving.position - self.receiving.start,
            to_receive: self.receiving.head - self.receiving.start,
            sent: self.sending.acked - self.sending.start,
            to_send: committed - self.sending.start.min(committed),
        };
        if progress != self.progress {
            self.progress = progress;
            io.event(Event::Progress(progress));
        }
        let caught_up = self.receiving.is_caught_up() && !self.waits.vector;
        if caught_up && !self.was_caught_up {
            io.event(Event::CaughtUp);
        }
        self.was_caught_up = caught_up;
        let synced = caught_up
            && self.waits == Waits::default()
            && self.receiving.is_settled()
            && self.sending.sent >= committed
            && self.sending.acked >= self.sending.last_row;
        if synced && !self.was_synced {
            io.event(Event::Synced);
        }
        self.was_synced = synced;
        Ok(())
    }

    // The end.

    /// Whether both ends have what the other had when the session began.
    fn has_reached_goal(&self) -> bool {
        let (ours, theirs) = self.goal;
        self.waits == Waits::default()
            && self.receiving.position >= theirs
            && self.receiving.is_settled()
            && self.sending.sent >= ours
            && self.sending.acked >= self.sending.last_row.min(ours)
    }

    fn leave<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        let heard_out = self.peers_last.is_some_and(|last| self.receiving.has_taken(last));
        match self.leaving {
            Leaving::No if self.once && self.dialer && self.has_reached_goal() => self.say_goodbye(store, io),
            Leaving::Asking { .. } if heard_out && self.receiving.is_settled() => self.answer_goodbye(store, io),
            Leaving::Asked { .. } if heard_out => Err(Stop::Done),
            Leaving::No | Leaving::Asked { .. } | Leaving::Asking { .. } | Leaving::Answered { .. } => Ok(()),
        }
    }

    /// Says what was kept for later.
    fn say_the_rest<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        io.over = true;
        self.lazy_at = None;
        self.again = false;
        self.receiving.acknowledge(true, store.durable(), &self.peer, io);
        if self.waits == Waits::default() {
            self.sending.tell(true, store, io)?;
        }
        io.send(Lane::Control, Goodbye { last: self.sending.number });
        Ok(())
    }

    fn say_goodbye<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.leaving = Leaving::Asked { until: io.now.mono_ms + GOODBYE_WAIT_MS };
        self.say_the_rest(store, io)
    }

    fn answer_goodbye<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        self.leaving = Leaving::Answered { until: io.now.mono_ms + GOODBYE_WAIT_MS };
        // What the goodbye's companions moved is passed over without being sent.
        self.say_the_rest(store, io)
    }

    fn goodbye(&mut self, goodbye: &Goodbye, io: &mut Io) -> Result<(), Stop> {
        if self.peers_last.replace(goodbye.last).is_some() {
            return Err(unexpected("Goodbye", "it was said already").into());
        }
        if self.leaving == Leaving::No {
            io.over = true;
            self.leaving = Leaving::Asking { until: io.now.mono_ms + GOODBYE_WAIT_MS };
        }
        Ok(())
    }

    fn check_deadlines(&mut self, io: &mut Io) -> Result<(), Stop> {
        let now = io.now.mono_ms;
        match self.leaving {
            Leaving::No if self.waits == Waits::default() => self.waits_until = None,
            Leaving::No if self.waits_until.is_some_and(|until| until <= now) => {
                return Err(PeerMisbehaved::TooSlow("the rest of its vector").into());
            }
            Leaving::Asked { until } | Leaving::Asking { until } | Leaving::Answered { until } if until <= now => {
                return Err(Stop::Done);
            }
            Leaving::No | Leaving::Asked { .. } | Leaving::Asking { .. } | Leaving::Answered { .. } => {}
        }
        Ok(())
    }
}

fn send_parts(entries: Vec<Entry>, io: &mut Io) {
    let mut rest = entries;
    loop {
        let later = rest.split_off(rest.len().min(ENTRIES_MAX));
        let last = later.is_empty();
        io.send(Lane::Control, VectorPart { entries: rest, last });
        if last {
            return;
        }
        rest = later;
    }
}
