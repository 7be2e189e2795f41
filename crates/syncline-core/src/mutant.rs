//! Defects that the simulator must find, each planted in one line of the program.
//!
//! They show that the simulator's checks can fail. Without the feature `mutants` nothing is ever planted, which
//! the compiler knows: what is shipped is what it would be without this file. With it, a process plants one at
//! a time.

/// A defect: each variant says what the program then does wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    // Merging.
    /// A put or delete at a key removes whatever stands there, seen or not.
    PutClearsKey,
    /// The winner at a key is what came last, not what is greatest.
    WinnerByArrival,
    /// Writing the winner's value on a conflicted key is taken for no change.
    ConflictIgnored,
    /// An increment reaches every counter at its key, and so is counted more than once.
    IncrementOfAll,
    /// Adding an element that is there already makes no operation.
    SilentAdd,
    /// Deleting a record or element removes the winner and leaves what it was in conflict with.
    DeleteOfOne,
    /// Bringing a record back makes no operation.
    SilentUndelete,
    /// With update-wins an edit does not say again that the record exists.
    SilentUpdate,
    /// Positions in texts are bytes.
    PositionsInBytes,
    /// A peer's change is merged twice.
    MergedTwice,
    /// A change is merged although changes that it builds on are missing.
    DependenciesUnchecked,
    /// A change that waits for others waits for ever.
    WaitsForEver,
    /// Of changes with one hash in a batch, one is kept, whatever their records.
    DedupByHash,
    /// A change is not recognised by its dot when it comes again.
    DotUnknown,

    // The file.
    /// Nothing is kept of a deleted record's state.
    TombstoneDropped,
    /// A record's state is not written when its row is not new.
    StateNotWritten,
    /// A peer's edit of a living record does not reach its row of the model's table.
    RowNotWritten,
    /// Followers of commits are not told of deletions.
    DeletionUntold,
    /// After a rollback memory keeps what was undone.
    RollbackForgotten,

    // Identity.
    /// A store that takes a new replica id goes on with the old actor.
    ActorKept,
    /// The replica id is kept whether or not continuity is proven.
    ReplicaIdKept,
    /// The store goes on under its replica id after that was retired.
    ForkedWriterGoesOn,

    // What may leave when.
    /// Own changes leave once they are committed.
    SentBeforeDurable,
    /// Acknowledgements leave once what they are for is committed.
    AckedBeforeDurable,
    /// Log positions leave once they are committed.
    ToldBeforeDurable,
    /// Commits are called durable without a sync.
    SyncSkipped,
    /// A sync that failed is tried again as if nothing had happened.
    FailedSyncIgnored,
    /// `Full` durability does not sync either.
    FullIsNormal,

    // Replication.
    /// The position in a peer's log moves in a transaction before that of the changes.
    CursorBeforeData,
    /// A position in our log is accepted whatever its chain.
    CursorChainIgnored,
    /// A vector entry is believed whatever its chain.
    VectorChainIgnored,
    /// Any acknowledgement counts for everything written so far.
    AckOnAssumption,
    /// What a peer was told of counts as held by it.
    OfferCountsAsHeld,
    /// Vectors do not say which replica ids are retired.
    ForkNotPassedOn,
    /// Transactions are cut where a batch is full.
    TransactionCut,
    /// Sending begins one row too late where an earlier session is continued.
    ResumesOneLate,
    /// The end of a full batch counts as the end of the log.
    BacklogSkipped,
    /// The last part of a large change is not sent.
    PartDropped,
    /// Batches lack the geneses that their changes build on.
    GenesisNotSent,
    /// The sender is never told that its bytes were taken in.
    CreditNotReturned,
}

/// Whether this defect is planted.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_planted(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use planting::{is_planted, plant};

#[cfg(feature = "mutants")]
mod planting {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mutant;

    const NONE: u8 = u8::MAX;

    /// One simulation runs in a process at a time, so one defect is enough.
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    /// Whether this defect is planted.
    pub fn is_planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as u8
    }

    /// Plants this defect in the whole process, in the place of any other; `None` plants none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.store(mutant.map_or(NONE, |mutant| mutant as u8), Ordering::Relaxed);
    }
}
