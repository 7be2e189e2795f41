//! Two changes under one dot: what each peer was told of the adversary's own replica id.
//!
//! Each peer is told a history that fits by itself. So nobody who talks to the adversary alone can notice, and
//! the adversary's own engine does not either, because what a peer says of the other history is put right on its
//! way in.

use std::collections::BTreeMap;

use syncline_core::ids::{Chain, Dot, ReplicaId, StoreId};
use syncline_core::session::SessionStore as _;
use syncline_core::wire::{Batch, BatchContent, Entry, Message, change_hash};
use syncline_engine::Engine;

use super::Lies;
use super::dice::Dice;
use super::poison;

/// Where each peer stands in the history that it was told.
#[derive(Debug, Default)]
pub(super) struct Branches {
    told: BTreeMap<(StoreId, ReplicaId), (u64, Chain)>,
}

impl Branches {
    /// Tells a peer another story than the engine does: in this batch if `lie`, and in what follows from earlier
    /// lies anyway. `None` if the batch stays as it is.
    pub(super) fn tell(
        &mut self,
        dice: &mut Dice,
        batch: &Batch,
        (peer, own): (StoreId, ReplicaId),
        same_actor: bool,
        lie: bool,
        lies: &mut Lies,
    ) -> Option<Batch> {
        let mut content = BatchContent::unpack(batch).ok()?.content;
        let place = content.replicas.iter().position(|listed| listed.replica == own && !listed.forked)? as u32;
        let rows: Vec<usize> = (0..content.rows.len()).filter(|at| content.rows[*at].replica == place).collect();
        let first = content.rows[*rows.first()?].counter;
        let standing = self.told.get(&(peer, own)).copied().filter(|(counter, _)| counter + 1 == first);
        if let Some((_, chain)) = standing {
            content.replicas[place as usize].before = chain;
        }
        let mut changed = standing.is_some();
        if lie {
            let at = *dice.pick(&rows)?;
            let row = &mut content.rows[at];
            if let Some(other) = poison::twin(dice, &row.bytes, !same_actor) {
                row.bytes = other;
                lies.equivocated.insert(Dot { replica: own, counter: row.counter });
                lies.accused.insert(own);
                if same_actor {
                    lies.records.insert(row.record);
                }
                changed = true;
            }
        }
        if !changed {
            return None;
        }
        let mut chain = content.replicas[place as usize].before;
        let mut counter = first - 1;
        for at in rows {
            let row = &content.rows[at];
            // A change in parts keeps its hash, which is not in the batch: the story ends before it.
            let hash = change_hash(&row.bytes)?;
            counter = row.counter;
            chain = chain.after_change(Dot { replica: own, counter }, row.record, &hash);
        }
        self.told.insert((peer, own), (counter, chain));
        let (packing, unpacked_len, content) = content.pack().ok()?;
        Some(Batch { packing, unpacked_len, content, ..batch.clone() })
    }

    /// Puts right what a peer says of the history that it was told.
    pub(super) fn put_right(&self, message: &mut Message, peer: Option<StoreId>, own: ReplicaId, engine: &mut Engine) {
        let Some((told, _)) = peer.and_then(|peer| self.told.get(&(peer, own))) else { return };
        let mut right = |counter: u64, chain: &mut Chain| {
            if counter <= *told
                && let Ok(Some(ours)) = engine.store_mut().chain_at(own, counter)
            {
                *chain = ours;
            }
        };
        let mut all = |entries: &mut Vec<Entry>| {
            for entry in entries.iter_mut().filter(|entry| entry.replica == own) {
                right(entry.counter, &mut entry.chain);
            }
        };
        match message {
            Message::Hello(hello) => all(&mut hello.delta),
            Message::VectorPart(part) => all(&mut part.entries),
            Message::Welcome(welcome) => {
                all(&mut welcome.delta);
                right(welcome.your_counter, &mut welcome.your_chain);
            }
            Message::Ack(ack) => right(ack.your_counter, &mut ack.your_chain),
            Message::Refused(_)
            | Message::Verified(_)
            | Message::Forked(_)
            | Message::Batch(_)
            | Message::Part(_)
            | Message::Covered(_)
            | Message::Renewed(_)
            | Message::Goodbye(_) => {}
        }
    }
}
