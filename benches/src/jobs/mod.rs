//! The jobs, one module each: what is measured, and what it is held against.

mod file_size;
mod first_sync;
mod indexed_query;
mod live_latency;
mod live_queries;
mod local_create;
mod opening;
mod reconnect;
mod relay_memory;
mod simulator;
mod text_trace;

use clap::ValueEnum;

use crate::report::Row;
use crate::{Result, Scale};

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// Records created by one call each, by many calls at a time, and in batches.
    LocalCreate,
    /// Queries by an index over 100k records.
    IndexedQuery,
    /// 10k and 100k records through a relay to a new store.
    FirstSync,
    /// Ten edits of 10k and 100k records.
    Delta,
    /// A reconnect with nothing to say, at 10k and 100k records.
    Idle,
    /// An edit until it is visible on the other side of a relay, alone and beside a backfill.
    LiveLatency,
    /// What live queries over 100k records cost commits.
    LiveQueries,
    /// Opening a store of a million records.
    Opening,
    /// A long keystroke trace through a text.
    TextTrace,
    /// What 1k idle clients cost a relay.
    RelayMemory,
    /// The file of 100k records.
    FileSize,
    /// Whole fleets in virtual time.
    Simulator,
}

impl Job {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// Measures.
    pub(crate) async fn run(self, scale: Scale) -> Result<Vec<Row>> {
        match self {
            Self::LocalCreate => local_create::run(scale).await,
            Self::IndexedQuery => indexed_query::run(scale).await,
            Self::FirstSync => first_sync::run(scale).await,
            Self::Delta => reconnect::delta(scale).await,
            Self::Idle => reconnect::idle(scale).await,
            Self::LiveLatency => live_latency::run(scale).await,
            Self::LiveQueries => live_queries::run(scale).await,
            Self::Opening => opening::run(scale).await,
            Self::TextTrace => text_trace::run(scale).await,
            Self::RelayMemory => relay_memory::run(scale).await,
            Self::FileSize => file_size::run(scale).await,
            Self::Simulator => simulator::run(scale).await,
        }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("job", |value| value.get_name()))
    }
}
