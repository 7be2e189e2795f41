//! How an adversary puts into its own log what its engine would never write.
//!
//! A ghost is a peer that exists only as frames on a connection of the adversary's own engine. It greets the
//! engine and sends it one batch of rows, under whatever replica ids it likes, with counters and chains that fit.
//! The engine takes that as it takes everything from peers, and from then on passes it on in good order: what
//! reaches the others is false in content and flawless in form.

use std::collections::BTreeMap;

use syncline_core::ids::{Chain, Dot, LogId, RecordId, ReplicaId, StoreId};
use syncline_core::session::{Config, SessionStore as _};
use syncline_core::wire::{
    Batch, BatchContent, BatchReplica, BatchRow, GenesisSpec, Hello, Introduction, Lane, Message, Role, VERSION,
    Welcome, change_hash,
};
use syncline_engine::{ConnectionId, Engine, Input, Now};

use super::dice::Dice;

/// The ghost's connection; drivers count theirs from below.
pub(super) const GHOST: ConnectionId = ConnectionId::MAX;

/// A row to be smuggled in, under the next counter of its replica id.
#[derive(Clone, Debug)]
pub(super) struct Forgery {
    pub(super) replica: ReplicaId,
    pub(super) model: String,
    pub(super) record: RecordId,
    pub(super) txn: u16,
    pub(super) bytes: Vec<u8>,
}

/// What became part of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smuggled {
    pub(super) dot: Dot,
    pub(super) record: RecordId,
    pub(super) hash: [u8; 32],
}

#[derive(Debug)]
pub(super) struct Ghost {
    store: StoreId,
    log: LogId,
    replica: ReplicaId,
    errand: Option<(Vec<Forgery>, Vec<GenesisSpec>)>,
}

impl Ghost {
    pub(super) fn new(dice: &mut Dice) -> Self {
        Self { store: StoreId(dice.id()), log: LogId(dice.id()), replica: ReplicaId(dice.id()), errand: None }
    }

    /// Greets the engine; the rows follow its welcome. Does nothing while an earlier errand is under way.
    pub(super) fn go(
        &mut self,
        now: Now,
        engine: &mut Engine,
        namespace: &str,
        rows: Vec<Forgery>,
        genesis: Vec<GenesisSpec>,
    ) -> bool {
        if self.errand.is_some() || rows.is_empty() {
            return false;
        }
        if engine.open_session(now, GHOST, false, Config::new(Role::Peer)).is_err() {
            return false;
        }
        self.errand = Some((rows, genesis));
        say(now, engine, Lane::Control, self.hello(namespace).into());
        true
    }

    /// The engine has answered: sends the rows and is gone.
    pub(super) fn welcomed(&mut self, now: Now, engine: &mut Engine, welcome: &Welcome) -> Vec<Smuggled> {
        let Some((rows, genesis)) = self.errand.take() else { return Vec::new() };
        let (content, smuggled) = compose(engine, rows, genesis);
        let mut done = Vec::new();
        if let Ok((packing, unpacked_len, content)) = content.pack() {
            let after = welcome.cursor.map_or(0, |cursor| cursor.seq);
            let (upto, upto_chain) = (after + 1, Chain(after + 1));
            let batch = Batch { number: 1, after, upto, upto_chain, head: upto, packing, unpacked_len, content };
            let before = engine.store().committed();
            say(now, engine, Lane::Bulk, batch.into());
            if engine.store().committed() > before {
                done = smuggled;
            }
        }
        self.leave(now, engine);
        done
    }

    /// Ends the errand, whatever came of it.
    pub(super) fn leave(&mut self, now: Now, engine: &mut Engine) {
        self.errand = None;
        engine.handle(now, Input::Closed(GHOST));
    }

    fn hello(&self, namespace: &str) -> Hello {
        Hello {
            version_min: VERSION,
            version_max: VERSION,
            features: 0,
            intro: Introduction {
                role: Role::Peer,
                store: self.store,
                replica: self.replica,
                counter: 0,
                chain: Chain::EMPTY,
                log: self.log,
                epoch: 1,
            },
            namespace: namespace.to_owned(),
            token: None,
            head: 0,
            cursor: None,
            base: 0,
            base_chain: Chain::EMPTY,
            complete: true,
            delta: Vec::new(),
            staged: Vec::new(),
            // It wants nothing of the engine's log.
            credit: 0,
        }
    }
}

fn say(now: Now, engine: &mut Engine, lane: Lane, message: Message) {
    let (kind, body) = message.encode();
    engine.handle(now, Input::Frame { connection: GHOST, lane, kind, body });
}

/// Rows with the next counters and the right chains of their replica ids, as the engine has them.
fn compose(engine: &mut Engine, rows: Vec<Forgery>, genesis: Vec<GenesisSpec>) -> (BatchContent, Vec<Smuggled>) {
    let mut content = BatchContent { genesis, ..BatchContent::default() };
    let mut places: BTreeMap<ReplicaId, (u32, u64)> = BTreeMap::new();
    let mut smuggled = Vec::new();
    for row in rows {
        let Some(hash) = change_hash(&row.bytes) else { continue };
        let (place, counter) = match places.get(&row.replica) {
            Some((place, counter)) => (*place, counter + 1),
            None => {
                let tip = engine.store_mut().tip(row.replica).ok().flatten().unwrap_or_default();
                let place = content.replicas.len() as u32;
                content.replicas.push(BatchReplica { replica: row.replica, before: tip.chain, forked: tip.forked });
                (place, tip.counter + 1)
            }
        };
        places.insert(row.replica, (place, counter));
        let known = content.models.iter().position(|model| *model == row.model);
        let model = known.unwrap_or_else(|| {
            content.models.push(row.model.clone());
            content.models.len() - 1
        });
        let dot = Dot { replica: row.replica, counter };
        smuggled.push(Smuggled { dot, record: row.record, hash });
        content.rows.push(BatchRow {
            replica: place,
            counter,
            txn: row.txn,
            model: model as u32,
            record: row.record,
            bytes: row.bytes,
        });
    }
    (content, smuggled)
}
