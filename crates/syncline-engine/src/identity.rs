//! Under which name a store writes, and when that name must change.
//!
//! Two stores that write under one replica id give one dot to two changes. So the id is kept only where
//! continuity is proven: one nonce stands both in the file and in the side file, which no backup holds and
//! which names the file it belongs to. It is destroyed before the first write and renewed at a clean close.
//! A process that finds another one alive on the same file relies on what that one has proven.

use automerge::ActorId;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use syncline_core::ids::{LogId, ReplicaId, StoreId};
use syncline_core::mutant::{self, Mutant};

use crate::error::{Result, StoreError};
use crate::host::Host;
use crate::seed::Seed;
use crate::storage::meta::{self, key};

/// The store took a new replica id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The id until then.
    pub from: String,
    /// The id from then on.
    pub to: String,
    /// Why.
    pub why: RenewalCause,
}

/// Why a store took a new replica id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewalCause {
    /// The store was not closed cleanly, or its file was copied or restored while closed.
    ContinuityNotProven,
    /// A peer holds more of this store's changes than the store itself: its file is an older one.
    PeerKnowsMore,
    /// Two histories were found under the id.
    Forked,
    /// The disk failed while a write was committed: what it holds of that is not known.
    CommitFailed,
}

impl RenewalCause {
    /// The cause in words.
    pub fn explain(self) -> &'static str {
        match self {
            Self::ContinuityNotProven => "the store was not closed cleanly, or its file was copied or restored",
            Self::PeerKnowsMore => "a peer holds newer changes of this store: its file was restored from an older one",
            Self::Forked => "two histories were found under the old replica id: the file was copied and both wrote",
            Self::CommitFailed => "the disk failed while a write was committed: what it holds of it is not known",
        }
    }
}

const RENEWALS_KEPT: usize = 20;

/// The writer of this process.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    /// The replica id.
    pub(crate) replica: ReplicaId,
    /// The Automerge actor: one per process.
    pub(crate) actor: ActorId,
}

/// Decides under which name this process writes. Called inside the first write's transaction.
pub(crate) fn establish(
    db: &Connection,
    host: &mut dyn Host,
    seed: &mut Seed,
    (alone_at_open, is_forked): (bool, &dyn Fn(ReplicaId) -> bool),
    now_ms: i64,
) -> Result<Writer> {
    let stored = meta::read_id(db, key::REPLICA)?.map(ReplicaId);
    if let Some(forked) = stored.filter(|replica| is_forked(*replica)) {
        tracing::warn!(%forked, "the replica id of the file was retired");
        return renew(db, host, seed, (RenewalCause::Forked, false), now_ms);
    }
    if let Some(replica) = stored
        && is_continued(db, host)?
    {
        return Ok(Writer { replica, actor: ActorId::from(seed.id16("actor").to_vec()) });
    }
    let proven = proven(db, host)? || mutant::is_planted(Mutant::ReplicaIdKept);
    file(host, "remove the side file of", |h| h.remove_side())?;
    let writer = match (stored, proven) {
        (Some(replica), true) => Writer { replica, actor: kept_actor(db, seed, alone_at_open)? },
        (from, _) => {
            let replica = ReplicaId(seed.id16("replica"));
            let kept = mutant::is_planted(Mutant::ActorKept);
            let actor = if kept { kept_actor(db, seed, true)? } else { ActorId::from(seed.id16("actor").to_vec()) };
            let writer = Writer { replica, actor };
            if let Some(from) = from {
                note_renewal(db, from, writer.replica, RenewalCause::ContinuityNotProven, now_ms)?;
            }
            writer
        }
    };
    keep(db, &writer)?;
    agree(db, host, seed)?;
    Ok(writer)
}

/// Whether the name in the file is one that a living process has proven or taken.
pub(crate) fn is_continued(db: &Connection, host: &mut dyn Host) -> Result<bool> {
    let agreed = file(host, "read the lock file beside", |h| h.agreed())?;
    let living: Option<String> = meta::read(db, key::LIVE)?;
    Ok(!agreed.is_empty() && living.as_deref() == Some(agreed.as_str()))
}

/// Takes a new name, whatever was proven.
pub(crate) fn renew(
    db: &Connection,
    host: &mut dyn Host,
    seed: &mut Seed,
    (why, new_log): (RenewalCause, bool),
    now_ms: i64,
) -> Result<Writer> {
    file(host, "remove the side file of", |h| h.remove_side())?;
    let writer = Writer { replica: ReplicaId(seed.id16("replica")), actor: ActorId::from(seed.id16("actor").to_vec()) };
    if let Some(from) = meta::read_id(db, key::REPLICA)? {
        note_renewal(db, ReplicaId(from), writer.replica, why, now_ms)?;
    }
    keep(db, &writer)?;
    if new_log {
        // Two files of one store id would overwrite each other's positions at every peer.
        meta::write(db, key::STORE, &StoreId(seed.id16("store")).0)?;
        meta::write(db, key::LOG, &LogId(seed.id16("log")).0)?;
    }
    agree(db, host, seed)?;
    Ok(writer)
}

/// Tells the other living processes, present and later, that the name in the file is a proven one.
fn agree(db: &Connection, host: &mut dyn Host, seed: &mut Seed) -> Result<()> {
    let token = seed.hex("living process");
    meta::write(db, key::LIVE, &token)?;
    file(host, "write the lock file beside", |h| h.set_agreed(&token))
}

/// Writes the nonce that lets the next process keep the name. The caller has made everything else durable.
pub(crate) fn prove(db: &Connection, host: &mut dyn Host, seed: &mut Seed) -> Result<()> {
    let nonce = seed.hex("nonce");
    let side = format!("{nonce} {}\n", file(host, "identify", |h| h.file_id())?);
    file(host, "write the side file of", |h| h.write_side(&side))?;
    meta::write(db, key::NONCE, &nonce)
}

/// All renewals that are remembered, oldest first.
pub(crate) fn renewals(db: &Connection) -> Result<Vec<Renewal>> {
    let text: Option<String> = match meta::read(db, key::RENEWALS) {
        // They are for people to read; nothing hangs on them.
        Err(error) if error.is_damage() => None,
        read => read?,
    };
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn proven(db: &Connection, host: &mut dyn Host) -> Result<bool> {
    let nonce: Option<String> = meta::read(db, key::NONCE)?;
    let side = file(host, "read the side file of", |h| h.read_side())?;
    let id = file(host, "identify", |h| h.file_id())?;
    Ok(match (nonce, side) {
        (Some(nonce), Some(side)) => side.trim_end() == format!("{nonce} {id}"),
        (None, _) | (_, None) => false,
    })
}

fn kept_actor(db: &Connection, seed: &mut Seed, alone: bool) -> Result<ActorId> {
    Ok(match meta::read_id(db, key::ACTOR)? {
        Some(actor) if alone => ActorId::from(actor.to_vec()),
        Some(_) | None => ActorId::from(seed.id16("actor").to_vec()),
    })
}

fn keep(db: &Connection, writer: &Writer) -> Result<()> {
    meta::write(db, key::REPLICA, &writer.replica.0)?;
    meta::write(db, key::ACTOR, &writer.actor.to_bytes())
}

fn note_renewal(db: &Connection, from: ReplicaId, to: ReplicaId, why: RenewalCause, at: i64) -> Result<()> {
    let mut all = renewals(db)?;
    all.push(Renewal { at, from: from.to_string(), to: to.to_string(), why });
    let first = all.len().saturating_sub(RENEWALS_KEPT);
    let text = serde_json::to_string(&all[first..]).map_err(|error| StoreError::Damaged(error.to_string()))?;
    meta::write(db, key::RENEWALS, &text)
}

fn file<T>(
    host: &mut dyn Host,
    doing: &'static str,
    act: impl FnOnce(&mut dyn Host) -> std::io::Result<T>,
) -> Result<T> {
    let path = host.path().to_owned();
    act(host).map_err(|source| StoreError::File { doing, path, source })
}
