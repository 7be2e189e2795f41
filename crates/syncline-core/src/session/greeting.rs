//! The handshake: who speaks, where each stands, and what follows from it.

use std::collections::BTreeMap;

use super::error::Stop;
use super::io::{Early, Io};
use super::receiving::{Held, Peer, Receiving};
use super::sending::{OPTIMISTIC_BYTES_MAX, Sending, chain_of_log};
use super::syncing::{Syncing, Waits};
use super::{Config, Event, Identity, PeerMisbehaved, PeerState, RenewedWhy, SessionStore};
use crate::ids::{Chain, ReplicaId};
use crate::mutant::{self, Mutant};
use crate::wire::{Cursor, Entry, Hello, Introduction, Lane, Refused, RefusedCode, Role, StagedPart, VERSION, Welcome};

/// Vector entries in a hello or a welcome; more follow in messages of their own.
const GREETING_ENTRIES_MAX: usize = 500;

/// Payloads that a hello lists.
const GREETING_STAGED_MAX: usize = 64;

const NAMESPACE_BYTES_MAX: usize = 256;

/// The dialer's half of the handshake, until the welcome.
#[derive(Debug)]
pub(super) struct Introducing {
    hello: Hello,
    me: Identity,
    /// The hello leaves when the log is durable up to here.
    release_at: u64,
    is_sent: bool,
    sending: Sending,
    pub(super) early: Early,
    /// How many retired replica ids the store knew when the hello was made.
    retired: usize,
}

/// What the peer knows of our own replica, against what we know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// It holds this many of our changes.
    Holds(u64),
    /// It has more than we have: this file is older.
    Ahead,
    /// It has others.
    Differs,
}

impl Introducing {
    pub(super) fn begin<S: SessionStore>(config: &Config, store: &mut S) -> Result<Self, Stop> {
        let me = store.identity().map_err(Stop::store)?;
        let committed = store.committed().map_err(Stop::store)?;
        let known = match store.peer_at(&config.address).map_err(Stop::store)? {
            Some(peer) => store.peer(peer).map_err(Stop::store)?,
            None => PeerState::default(),
        };
        let base = match known.acked {
            Some(acked) if stands(&acked, &me, store)? => acked.seq,
            Some(_) | None => 0,
        };
        let retired = retired(store)?;
        let mut delta = store.grown_since(base).map_err(Stop::store)?;
        delta.retain(|entry| entry.replica != me.replica || entry.forked);
        let complete = delta.len() <= GREETING_ENTRIES_MAX;
        if !complete {
            delta.clear();
        }
        let hello = Hello {
            version_min: VERSION,
            version_max: VERSION,
            features: config.features,
            intro: introduction(config.role, &me),
            namespace: me.namespace.clone(),
            token: config.token.clone(),
            head: committed,
            cursor: known.cursor,
            base,
            base_chain: chain_of_log(base, store)?,
            complete,
            delta,
            staged: staged(store)?,
            credit: config.credit,
        };
        Ok(Self {
            hello,
            me,
            release_at: committed,
            is_sent: false,
            sending: Sending::new(base, committed, OPTIMISTIC_BYTES_MAX),
            early: Early::new(u64::from(config.credit) + OPTIMISTIC_BYTES_MAX),
            retired,
        })
    }

    /// Sends the hello when what it says is safe, and own changes behind it.
    pub(super) fn send_when_durable<S: SessionStore>(&mut self, store: &mut S, io: &mut Io) -> Result<(), Stop> {
        if self.is_sent || store.durable() < self.release_at {
            return Ok(());
        }
        self.is_sent = true;
        io.send(Lane::Control, self.hello.clone());
        if self.hello.base > 0 {
            self.sending.guess(store, io)?;
        }
        Ok(())
    }

    /// The acceptor has answered.
    pub(super) fn welcomed<S: SessionStore>(
        self,
        welcome: Welcome,
        config: &Config,
        store: &mut S,
        io: &mut Io,
    ) -> Result<Syncing, Stop> {
        let Self { hello, me, mut sending, is_sent, retired, .. } = self;
        if !is_sent {
            return Err(unexpected("Welcome", "no hello was sent").into());
        }
        if welcome.version != VERSION {
            return Err(PeerMisbehaved::Answer("a version that was not offered").into());
        }
        if welcome.intro.store == me.store {
            return Err(PeerMisbehaved::Answer("it is the same store").into());
        }
        judge_welcome(&welcome, &me, store, io)?;
        let position = welcome.cursor.map_or(0, |cursor| cursor.seq);
        sending.peer_holds_parts(&welcome.staged);
        sending.resume(position, welcome.credit.into());
        let cursor = accepted_cursor(&hello, &welcome)?;
        if hello.cursor.is_some() && cursor.is_none() {
            io.event(Event::CursorRefused { ours: false });
        }
        let peer = peer_of(&welcome.intro);
        let said = Held {
            position: cursor.map_or(0, |cursor| cursor.seq),
            chain: cursor.map_or(Chain::EMPTY, |cursor| cursor.chain),
            ..Held::default()
        };
        let receiving = Receiving::new(cursor, welcome.head, config.credit, None, said);
        let owes_vector = owes_vector(&hello, welcome.cursor.as_ref());
        let waits = Waits { vector: welcome.more, verified: owes_vector };
        let mut syncing = Syncing::new(config, true, me, peer, sending, receiving, waits);
        syncing.passed_on = retired;
        // The frontier belongs to the replica id of the hello, which may be gone by now.
        let same_replica = store.identity().map_err(Stop::store)?.replica == syncing.me.replica;
        let held =
            if mutant::is_planted(Mutant::OfferCountsAsHeld) { syncing.me.tip.counter } else { welcome.your_counter };
        syncing.frontier = if same_replica { held } else { 0 };
        let state = PeerState { cursor, acked: welcome.cursor, frontier: syncing.frontier };
        store.save_peer(peer.store, peer.relay, &config.address, &state).map_err(Stop::store)?;
        syncing.told = told(&hello.delta);
        syncing.set_goal(hello.head);
        syncing.owes_vector_after = owes_vector.then_some(position);
        syncing.introduce(welcome.intro.role, io);
        let own = Entry {
            replica: welcome.intro.replica,
            counter: welcome.intro.counter,
            chain: welcome.intro.chain,
            forked: false,
        };
        syncing.take_entry(&own, store)?;
        syncing.take_vector(&welcome.delta, !welcome.more, store, io)?;
        Ok(syncing)
    }
}

/// What the welcome says about us: we may be an older copy of ourselves, or one of two.
fn judge_welcome<S: SessionStore>(welcome: &Welcome, me: &Identity, store: &mut S, io: &mut Io) -> Result<(), Stop> {
    let own = judge_own(me.replica, welcome.your_counter, welcome.your_chain, store)?;
    if own == Own::Differs {
        // The peer left out what it thinks is ours. Nothing it says in this session may move our position.
        store.retire(&[me.replica]).map_err(Stop::store)?;
        io.event(Event::ForkFound(vec![me.replica]));
        io.event(Event::IdentityRenewed { why: RenewedWhy::Forked, log: false });
    }
    let log_differs = match &welcome.cursor {
        Some(cursor) if (cursor.log, cursor.epoch) != (me.log, me.epoch) => {
            return Err(PeerMisbehaved::Answer("its position is in a log that is not ours").into());
        }
        Some(cursor) => !stands(cursor, me, store)?,
        None => false,
    };
    if own == Own::Ahead || log_differs {
        store.renew_identity(true).map_err(Stop::store)?;
        io.event(Event::IdentityRenewed { why: RenewedWhy::Restored, log: true });
    }
    match own == Own::Holds(welcome.your_counter) && !log_differs {
        true => Ok(()),
        false => Err(Stop::Renewed),
    }
}

fn accepted_cursor(hello: &Hello, welcome: &Welcome) -> Result<Option<Cursor>, PeerMisbehaved> {
    if !welcome.accepted {
        return Ok(None);
    }
    let log = (welcome.intro.log, welcome.intro.epoch);
    match hello.cursor.filter(|cursor| (cursor.log, cursor.epoch) == log) {
        Some(cursor) => Ok(Some(cursor)),
        None => Err(PeerMisbehaved::Answer("it accepted a cursor that is not in its log")),
    }
}

/// Answers a hello. The welcome leaves when what it says is durable.
pub(super) fn welcome<S: SessionStore>(
    hello: Hello,
    config: &Config,
    store: &mut S,
    io: &mut Io,
) -> Result<Syncing, Stop> {
    check_hello(&hello, store)?;
    renew_if_restored(&hello, config, store, io)?;
    let me = store.identity().map_err(Stop::store)?;
    let committed = store.committed().map_err(Stop::store)?;
    let peer = peer_of(&hello.intro);
    let mut known = store.peer(peer.store).map_err(Stop::store)?;
    let accepted = match &hello.cursor {
        Some(cursor) => stands(cursor, &me, store)?.then_some(*cursor),
        None => None,
    };
    if hello.cursor.is_some() && accepted.is_none() {
        io.event(Event::CursorRefused { ours: true });
    }
    known.cursor = known.cursor.filter(|cursor| (cursor.log, cursor.epoch) == (peer.log, peer.epoch));
    let fell_back = known.acked.is_some_and(|acked| accepted.is_none_or(|accepted| accepted.seq < acked.seq));
    if fell_back {
        known.frontier = 0;
    }
    known.acked = accepted;
    store.save_peer(peer.store, peer.relay, "", &known).map_err(Stop::store)?;

    let position = accepted.map_or(0, |cursor| cursor.seq);
    let tip = store.tip(peer.replica).map_err(Stop::store)?.unwrap_or_default();
    let (your_counter, your_chain) = match tip.forked {
        true => (0, Chain::EMPTY),
        false => (tip.counter, tip.chain),
    };
    let said = Held {
        position: known.cursor.map_or(0, |cursor| cursor.seq),
        chain: known.cursor.map_or(Chain::EMPTY, |cursor| cursor.chain),
        consumed: 0,
        your_counter,
        your_chain,
    };
    let mut sending = Sending::new(position, committed, hello.credit.into());
    sending.peer_holds_parts(&hello.staged);
    // A dialer that guesses begins at its base. Positions alone may agree by chance, in a copy of its log.
    let guess_fits = known.cursor.is_some_and(|cursor| (cursor.seq, cursor.chain) == (hello.base, hello.base_chain));
    let wrong_guess = (!guess_fits && hello.base > 0).then_some(hello.base);
    let receiving = Receiving::new(known.cursor, hello.head, config.credit, wrong_guess, said);
    let owed_vector = owes_vector(&hello, known.cursor.as_ref());
    let waits = Waits { vector: owed_vector, verified: owed_vector };
    let mut syncing = Syncing::new(config, false, me.clone(), peer, sending, receiving, waits);
    syncing.passed_on = retired(store)?;
    syncing.frontier = known.frontier;
    let own =
        Entry { replica: hello.intro.replica, counter: hello.intro.counter, chain: hello.intro.chain, forked: false };
    // Before our own vector is read, so that a fork found now travels with it.
    syncing.take_entry(&own, store)?;
    for entry in &hello.delta {
        syncing.take_entry(entry, store)?;
    }
    let found = syncing.retire_found(store, io)?;

    let mut delta = store.grown_since(position).map_err(Stop::store)?;
    delta.retain(|entry| entry.replica != me.replica || entry.forked);
    add_forks(&mut delta, &found);
    syncing.told = told(&delta);
    // Where the dialer is behind its own replica it will notice by itself and say nothing else.
    syncing.filter.confirm(&BTreeMap::from([(peer.replica, your_counter)]));
    syncing.told.remove(&peer.replica);
    syncing.waits.verified |= overlaps(&syncing.told, &hello);
    let now = store.identity().map_err(Stop::store)?;
    let rest = delta.split_off(delta.len().min(GREETING_ENTRIES_MAX));
    let answer = Welcome {
        version: VERSION,
        features: config.features & hello.features,
        intro: introduction(config.role, &now),
        head: committed,
        accepted: accepted.is_some(),
        your_counter,
        your_chain,
        cursor: known.cursor,
        more: !rest.is_empty(),
        delta,
        staged: staged(store)?,
        credit: config.credit,
    };
    syncing.me = now;
    syncing.hold(committed, answer, rest);
    syncing.introduce(hello.intro.role, io);
    Ok(syncing)
}

fn check_hello<S: SessionStore>(hello: &Hello, store: &mut S) -> Result<(), Stop> {
    let me = store.identity().map_err(Stop::store)?;
    if hello.common_version().is_none() {
        let detail = format!("this end speaks version {VERSION}; update the other");
        return Err(refuse(RefusedCode::Version, detail));
    }
    if hello.namespace.len() > NAMESPACE_BYTES_MAX || hello.namespace != me.namespace {
        let detail = format!("the namespace kept here is `{}`", me.namespace);
        return Err(refuse(RefusedCode::Namespace, detail));
    }
    if hello.intro.store == me.store {
        let detail = "both ends are copies of one store; the dialing one takes a new identity".to_owned();
        return Err(refuse(RefusedCode::SameStore, detail));
    }
    Ok(())
}

/// A dialer that knows more of our log, or of our replica, than we do tells us that this file is older.
/// A relay does not give up its log on anybody's word: its chains refuse what does not fit.
fn renew_if_restored<S: SessionStore>(hello: &Hello, config: &Config, store: &mut S, io: &mut Io) -> Result<(), Stop> {
    let me = store.identity().map_err(Stop::store)?;
    let ours = |cursor: &&Cursor| (cursor.log, cursor.epoch) == (me.log, me.epoch);
    let log_differs = match hello.cursor.as_ref().filter(ours) {
        Some(cursor) => !stands(cursor, &me, store)?,
        None => false,
    };
    let mut ahead = false;
    for entry in hello.delta.iter().filter(|entry| entry.replica == me.replica && !entry.forked) {
        ahead |= judge_own(me.replica, entry.counter, entry.chain, store)? == Own::Ahead;
    }
    let log = config.role == Role::Peer;
    if ahead || (log_differs && log) {
        store.renew_identity(log).map_err(Stop::store)?;
        io.event(Event::IdentityRenewed { why: RenewedWhy::Restored, log });
    }
    Ok(())
}

/// Compares what the peer holds of `replica`, which is ours, with our chain.
pub(super) fn judge_own<S: SessionStore>(
    replica: ReplicaId,
    counter: u64,
    chain: Chain,
    store: &mut S,
) -> Result<Own, Stop> {
    let tip = store.tip(replica).map_err(Stop::store)?.unwrap_or_default();
    if counter == 0 || tip.forked {
        return Ok(Own::Holds(counter));
    }
    if counter > tip.counter {
        return Ok(Own::Ahead);
    }
    match store.chain_at(replica, counter).map_err(Stop::store)? {
        Some(ours) if ours != chain => Ok(Own::Differs),
        Some(_) | None => Ok(Own::Holds(counter)),
    }
}

/// Whether the dialer's hello lacks entries that the acceptor needs, seen from the acceptor's position. Both ends
/// compute it.
fn owes_vector(hello: &Hello, position: Option<&Cursor>) -> bool {
    !hello.complete || position.map_or(0, |cursor| cursor.seq) < hello.base
}

/// Whether the dialer is ahead on a replica of which the acceptor has rows to send: it must say whether they are
/// on one branch. Both ends compute it.
pub(super) fn is_overlap(dialers: u64, acceptors: Option<&u64>) -> bool {
    acceptors.is_some_and(|acceptors| *acceptors < dialers)
}

fn overlaps(told: &BTreeMap<ReplicaId, u64>, hello: &Hello) -> bool {
    let claims = hello.delta.iter().filter(|entry| !entry.forked);
    claims.into_iter().any(|entry| is_overlap(entry.counter, told.get(&entry.replica)))
}

pub(super) fn told(delta: &[Entry]) -> BTreeMap<ReplicaId, u64> {
    let unforked = delta.iter().filter(|entry| !entry.forked);
    unforked.map(|entry| (entry.replica, entry.counter)).collect()
}

fn add_forks(delta: &mut Vec<Entry>, found: &[ReplicaId]) {
    for replica in found {
        match delta.iter_mut().find(|entry| entry.replica == *replica) {
            Some(entry) => entry.forked = true,
            None => delta.push(Entry { replica: *replica, counter: 0, chain: Chain::EMPTY, forked: true }),
        }
    }
}

/// Whether our log still has this position.
pub(super) fn stands<S: SessionStore>(cursor: &Cursor, me: &Identity, store: &mut S) -> Result<bool, Stop> {
    if (cursor.log, cursor.epoch) != (me.log, me.epoch) {
        return Ok(false);
    }
    if cursor.seq > store.committed().map_err(Stop::store)? {
        return Ok(false);
    }
    Ok(chain_of_log(cursor.seq, store)? == cursor.chain || mutant::is_planted(Mutant::CursorChainIgnored))
}

/// How many retired replica ids the store knows: they stand in its vector.
fn retired<S: SessionStore>(store: &mut S) -> Result<usize, Stop> {
    Ok(store.retired_since(0).map_err(Stop::store)?.len())
}

fn staged<S: SessionStore>(store: &mut S) -> Result<Vec<StagedPart>, Stop> {
    let all = store.staged_payloads().map_err(Stop::store)?;
    let listed = all.into_iter().take(GREETING_STAGED_MAX);
    Ok(listed.map(|(payload, bytes)| StagedPart { payload, bytes }).collect())
}

fn introduction(role: Role, me: &Identity) -> Introduction {
    Introduction {
        role,
        store: me.store,
        replica: me.replica,
        counter: match me.tip.forked {
            true => 0,
            false => me.tip.counter,
        },
        chain: me.tip.chain,
        log: me.log,
        epoch: me.epoch,
    }
}

fn peer_of(intro: &Introduction) -> Peer {
    Peer {
        store: intro.store,
        replica: intro.replica,
        log: intro.log,
        epoch: intro.epoch,
        relay: intro.role == Role::Relay,
        renewals: 0,
    }
}

fn refuse(code: RefusedCode, detail: String) -> Stop {
    Stop::Refuse(Refused { code, detail, retry_after_ms: 0 })
}

pub(super) fn unexpected(message: &'static str, state: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected { message, state }
}
