//! Planted defects, and what finds them: the simulator's own test.
//!
//! Each is one line of the engine, compiled with the feature `mutants` and planted by name. A check that no
//! planted defect makes fail might as well not exist; a defect that no check finds says what is missing.

mod drills;

pub use drills::{drill, drills};
use syncline_core::mutant::Mutant;

/// A defect that can be planted.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Its name, `kebab-case`.
    pub name: &'static str,
    /// What the program then does wrongly.
    pub about: &'static str,
    /// The checks that have been seen to find it.
    pub caught_by: &'static [&'static str],
    /// Within so many seeds, from 1, one of them finds it.
    pub seeds: u64,
    /// In this drill.
    pub preset: &'static str,
    #[cfg_attr(not(feature = "mutants"), expect(dead_code, reason = "only a program with planted defects plants one"))]
    mutant: Mutant,
}

/// Nothing is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no defect is called `{name}`{}", suggestion.iter().map(|said| format!("; {said}")).collect::<String>())]
pub struct UnknownMutant {
    /// What was asked for.
    pub name: String,
    /// "Did you mean", if one is called almost that.
    pub suggestion: Option<String>,
}

/// Every defect that can be planted.
pub fn all() -> &'static [Planted] {
    ALL
}

/// The defect of that name.
pub fn named(name: &str) -> Result<&'static Planted, UnknownMutant> {
    ALL.iter().find(|planted| planted.name == name).ok_or_else(|| UnknownMutant {
        name: name.to_owned(),
        suggestion: syncline_schema::did_you_mean(name, ALL.iter().map(|planted| planted.name)),
    })
}

/// Plants a defect in this process, in the place of any other.
#[cfg(feature = "mutants")]
pub fn plant(name: &str) -> Result<(), UnknownMutant> {
    syncline_core::mutant::plant(Some(named(name)?.mutant));
    Ok(())
}

/// Takes the planted defect out again.
#[cfg(feature = "mutants")]
pub fn unplant() {
    syncline_core::mutant::plant(None);
}

const ALL: &[Planted] = &[
    Planted {
        name: "put-clears-key",
        about: "a put or delete at a key removes whatever stands there, seen or not",
        caught_by: &["quarantine-only-for-poison", "converges"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::PutClearsKey,
    },
    Planted {
        name: "winner-by-arrival",
        about: "the value that shows is the one that came last, not the greatest",
        caught_by: &["equal-vectors-equal-content", "converges"],
        seeds: 30,
        preset: "drill-edits",
        mutant: Mutant::WinnerByArrival,
    },
    Planted {
        name: "conflict-ignored",
        about: "writing the winner's value on a conflicted key is taken for no change",
        caught_by: &["write-does-what-it-says"],
        seeds: 10,
        preset: "drill-conflicts",
        mutant: Mutant::ConflictIgnored,
    },
    Planted {
        name: "increment-of-all",
        about: "an increment reaches every counter at its key",
        caught_by: &["write-does-what-it-says"],
        seeds: 10,
        preset: "drill-keys",
        mutant: Mutant::IncrementOfAll,
    },
    Planted {
        name: "silent-add",
        about: "adding an element that is there already makes no operation",
        caught_by: &["write-does-what-it-says"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::SilentAdd,
    },
    Planted {
        name: "delete-of-one",
        about: "deleting removes the winner and leaves what it was in conflict with",
        caught_by: &["read-your-writes", "model-existence"],
        seeds: 10,
        preset: "drill-keys",
        mutant: Mutant::DeleteOfOne,
    },
    Planted {
        name: "silent-undelete",
        about: "bringing a record back makes no operation",
        caught_by: &["write-does-what-it-says"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::SilentUndelete,
    },
    Planted {
        name: "silent-update",
        about: "with update-wins an edit does not say again that the record exists",
        caught_by: &["model-existence"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::SilentUpdate,
    },
    Planted {
        name: "positions-in-bytes",
        about: "positions in texts are bytes instead of code points",
        caught_by: &["write-does-what-it-says"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::PositionsInBytes,
    },
    Planted {
        name: "merged-twice",
        about: "a peer's change is merged twice",
        caught_by: &["quarantine-only-for-poison", "write-does-what-it-says"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::MergedTwice,
    },
    Planted {
        name: "dependencies-unchecked",
        about: "a change is merged although changes that it builds on are missing",
        caught_by: &["quarantine-only-for-poison", "causal-order"],
        seeds: 30,
        preset: "drill-withheld",
        mutant: Mutant::DependenciesUnchecked,
    },
    Planted {
        name: "waits-for-ever",
        about: "a change that waits for others is never released",
        caught_by: &["equal-vectors-equal-content", "converges"],
        seeds: 30,
        preset: "drill-withheld",
        mutant: Mutant::WaitsForEver,
    },
    Planted {
        name: "dedup-by-hash",
        about: "of changes with one hash in a batch one is kept, whatever their records",
        caught_by: &["transactions-whole"],
        seeds: 10,
        preset: "drill-twins",
        mutant: Mutant::DedupByHash,
    },
    Planted {
        name: "dot-unknown",
        about: "a change is not recognised by its dot when it comes again",
        caught_by: &["dense-counters", "retired-for-a-reason"],
        seeds: 10,
        preset: "drill-lines",
        mutant: Mutant::DotUnknown,
    },
    Planted {
        name: "tombstone-dropped",
        about: "nothing is kept of a deleted record's state",
        caught_by: &["quarantine-only-for-poison", "database-intact"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::TombstoneDropped,
    },
    Planted {
        name: "state-not-written",
        about: "a record's state is written once and not again",
        caught_by: &["quarantine-only-for-poison", "read-your-writes"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::StateNotWritten,
    },
    Planted {
        name: "row-not-written",
        about: "a peer's edit does not reach the record's row of its model's table",
        caught_by: &["equal-vectors-equal-content", "read-your-writes", "converges"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::RowNotWritten,
    },
    Planted {
        name: "deletion-untold",
        about: "followers of commits are not told of deletions",
        caught_by: &["observers-miss-nothing"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::DeletionUntold,
    },
    Planted {
        name: "rollback-forgotten",
        about: "after a rollback memory keeps what was undone",
        caught_by: &["dense-counters", "synced-tells-the-truth", "writes-follow-reads"],
        seeds: 10,
        preset: "drill-full-disk",
        mutant: Mutant::RollbackForgotten,
    },
    Planted {
        name: "actor-kept",
        about: "a store that takes a new replica id goes on with the old actor",
        caught_by: &["quarantine-only-for-poison"],
        seeds: 10,
        preset: "drill-kills",
        mutant: Mutant::ActorKept,
    },
    Planted {
        name: "replica-id-kept",
        about: "the replica id is kept whether or not continuity is proven",
        caught_by: &["one-change-per-dot"],
        seeds: 10,
        preset: "drill-restored-device",
        mutant: Mutant::ReplicaIdKept,
    },
    Planted {
        name: "forked-writer-goes-on",
        about: "a store goes on under its replica id after that was retired",
        caught_by: &["retired-ids-are-left"],
        seeds: 10,
        preset: "drill-two-histories",
        mutant: Mutant::ForkedWriterGoesOn,
    },
    Planted {
        name: "sent-before-durable",
        about: "own changes leave once they are committed",
        caught_by: &["nothing-leaves-before-durable"],
        seeds: 10,
        preset: "drill-power",
        mutant: Mutant::SentBeforeDurable,
    },
    Planted {
        name: "acked-before-durable",
        about: "acknowledgements leave once what they are for is committed",
        caught_by: &["acknowledged-means-durable"],
        seeds: 10,
        preset: "drill-power",
        mutant: Mutant::AckedBeforeDurable,
    },
    Planted {
        name: "told-before-durable",
        about: "log positions leave once they are committed",
        caught_by: &["nothing-leaves-before-durable"],
        seeds: 10,
        preset: "drill-power",
        mutant: Mutant::ToldBeforeDurable,
    },
    Planted {
        name: "sync-skipped",
        about: "commits are called durable without a sync",
        caught_by: &["log-grows"],
        seeds: 10,
        preset: "drill-power",
        mutant: Mutant::SyncSkipped,
    },
    Planted {
        name: "failed-sync-ignored",
        about: "a sync that failed is tried again as if nothing had happened",
        caught_by: &["failed-sync-is-final"],
        seeds: 10,
        preset: "drill-failing-syncs",
        mutant: Mutant::FailedSyncIgnored,
    },
    Planted {
        name: "full-is-normal",
        about: "`full` durability does not sync either",
        caught_by: &["log-grows"],
        seeds: 10,
        preset: "drill-power",
        mutant: Mutant::FullIsNormal,
    },
    Planted {
        name: "cursor-before-data",
        about: "the position in a peer's log moves in a transaction before that of the changes",
        caught_by: &["positions-are-held"],
        seeds: 10,
        preset: "drill-kills-while-receiving",
        mutant: Mutant::CursorBeforeData,
    },
    Planted {
        name: "cursor-chain-ignored",
        about: "a position in a log is accepted whatever its chain",
        caught_by: &["honest-keep-to-protocol", "converges"],
        seeds: 30,
        preset: "drill-restored-relay",
        mutant: Mutant::CursorChainIgnored,
    },
    Planted {
        name: "vector-chain-ignored",
        about: "a vector entry is believed whatever its chain",
        caught_by: &["converges"],
        seeds: 10,
        preset: "drill-two-histories",
        mutant: Mutant::VectorChainIgnored,
    },
    Planted {
        name: "ack-on-assumption",
        about: "any acknowledgement counts for everything written so far",
        caught_by: &["acknowledged-means-durable"],
        seeds: 10,
        preset: "drill-edits",
        mutant: Mutant::AckOnAssumption,
    },
    Planted {
        name: "offer-counts-as-held",
        about: "what a peer was told of counts as held by it",
        caught_by: &["outbox-is-what-is-unacknowledged"],
        seeds: 10,
        preset: "drill-lines",
        mutant: Mutant::OfferCountsAsHeld,
    },
    Planted {
        name: "fork-not-passed-on",
        about: "vectors and batches do not say which replica ids are retired",
        caught_by: &["converges"],
        seeds: 10,
        preset: "drill-two-histories",
        mutant: Mutant::ForkNotPassedOn,
    },
    Planted {
        name: "transaction-cut",
        about: "a transaction is cut where a batch is full",
        caught_by: &["converges", "honest-keep-to-protocol"],
        seeds: 10,
        preset: "drill-transactions",
        mutant: Mutant::TransactionCut,
    },
    Planted {
        name: "resumes-one-late",
        about: "sending begins one row too late where an earlier session is continued",
        caught_by: &["synced-tells-the-truth", "writes-follow-reads", "converges", "honest-keep-to-protocol"],
        seeds: 10,
        preset: "drill-lines",
        mutant: Mutant::ResumesOneLate,
    },
    Planted {
        name: "backlog-skipped",
        about: "the end of a full batch counts as the end of the log",
        caught_by: &["synced-tells-the-truth"],
        seeds: 10,
        preset: "drill-backlog",
        mutant: Mutant::BacklogSkipped,
    },
    Planted {
        name: "part-dropped",
        about: "the last part of a large change is not sent",
        caught_by: &["converges", "honest-keep-to-protocol"],
        seeds: 10,
        preset: "drill-large",
        mutant: Mutant::PartDropped,
    },
    Planted {
        name: "genesis-not-sent",
        about: "batches lack the geneses that their changes build on",
        caught_by: &["converges"],
        seeds: 10,
        preset: "drill-one-writer",
        mutant: Mutant::GenesisNotSent,
    },
    Planted {
        name: "credit-not-returned",
        about: "the sender is never told that its bytes were taken in",
        caught_by: &["converges"],
        seeds: 10,
        preset: "drill-credit",
        mutant: Mutant::CreditNotReturned,
    },
];
