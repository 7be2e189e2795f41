//! What must hold: named properties, looked at after every step and at the end of a run.
//!
//! Each check decides by a small core that is fed with plain data, so that tests can show it failing without a
//! fleet. What several of them need, every node's log as it grew, is read once, by `logs`, and shared.

mod acknowledged;
mod causal;
mod content;
mod cursors;
mod dots;
mod effects;
mod files;
mod hostile;
mod leaving;
mod logs;
mod model;
mod observers;
mod outbox;
mod reads;
mod saved;
mod sessions;
mod traffic;
mod view;

use std::cell::RefCell;
use std::rc::Rc;

use crate::outcome::{Differing, Kind, Violation};
use crate::schedule::Schedule;
use crate::world::{Happened, NodeIndex, World};

pub use content::{agreement, has_wreck};

/// One property.
///
/// A check sees everything that happens, in order, and may look at the whole world each time: keep what it does
/// per step proportional to the step.
pub trait Check {
    /// Its name, `kebab-case`, unique.
    fn name(&self) -> &'static str;

    /// What it says, in a sentence.
    fn says(&self) -> &'static str;

    /// How often it was decided so far.
    fn count(&self) -> u64 {
        0
    }

    /// Something happened.
    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let _ = (world, happened);
        Ok(())
    }

    /// Whether it looks at everything every now and then.
    fn looks(&self) -> bool {
        false
    }

    /// Looks at everything, every now and then: it may cost as much as the world is large.
    fn sometimes(&mut self, world: &World) -> Result<(), Violation> {
        let _ = world;
        Ok(())
    }

    /// The fleet is healed and has settled.
    fn at_end(&mut self, world: &World) -> Result<(), Violation> {
        let _ = world;
        Ok(())
    }
}

/// Every check that a run of this schedule is held to. They belong together: the first reads the logs for all.
pub fn all(schedule: &Schedule) -> Vec<Box<dyn Check>> {
    let view = Rc::new(RefCell::new(view::View::new(schedule)));
    let shared = || Rc::clone(&view);
    vec![
        Box::new(logs::LogGrows::new(shared())),
        Box::new(logs::DenseCounters::new(shared())),
        Box::new(logs::VectorNeverFalls::new(shared())),
        Box::new(dots::OneChangePerDot::new(shared())),
        Box::new(dots::NeverReissued::new(shared())),
        Box::new(dots::AppliedOnce::new(shared())),
        Box::new(dots::RetiredForAReason::new(shared())),
        Box::new(dots::RetiredAreLeft::new(shared())),
        Box::new(causal::CausalOrder::new(shared())),
        Box::new(causal::WritesFollowReads::new(shared())),
        Box::new(causal::TransactionsWhole::new(shared())),
        Box::new(leaving::NothingLeaves::new(shared())),
        Box::new(acknowledged::MeansDurable::new(shared())),
        Box::new(outbox::Outbox::new(shared())),
        Box::new(saved::SavedIsKept::new(shared())),
        Box::new(effects::DoesWhatItSays::default()),
        Box::new(reads::ReadYourWrites::default()),
        Box::new(reads::MonotonicReads::default()),
        Box::new(reads::ReopenedEqualsMemory::new(shared())),
        Box::new(observers::MissNothing::default()),
        Box::new(sessions::SyncedTellsTheTruth::new(shared())),
        Box::new(sessions::HonestKeepToProtocol::default()),
        Box::new(cursors::AreHeld::new(shared())),
        Box::new(traffic::IdleReconnectIsCheap::new(shared())),
        Box::new(traffic::ResentBounded::new(shared(), schedule)),
        Box::new(traffic::MemoryBounded::default()),
        Box::new(hostile::QuarantineOnlyForPoison::new(shared())),
        Box::new(hostile::ChangesNothing::new(shared())),
        Box::new(content::EqualVectors::new(shared())),
        Box::new(files::Verifies::new(shared())),
        Box::new(files::DatabaseIntact::new(shared())),
        Box::new(files::FailedSyncIsFinal::default()),
        Box::new(model::Counters::new(shared())),
        Box::new(model::Sets::new(shared())),
        Box::new(model::Existence::new(shared())),
        Box::new(model::Texts::new(shared())),
        Box::new(model::Scalars::new(shared())),
        Box::new(model::Lists::new(shared())),
        Box::new(model::Keys::default()),
    ]
}

/// Something that does not hold, before it is known where in the run that was found.
#[derive(Clone, Debug, Default, PartialEq)]
struct Broken {
    nodes: Vec<NodeIndex>,
    message: String,
    differing: Vec<Differing>,
}

impl Broken {
    fn new(nodes: impl Into<Vec<NodeIndex>>, message: impl Into<String>) -> Self {
        Self { nodes: nodes.into(), message: message.into(), differing: Vec::new() }
    }

    fn at(self, world: &World, check: &str) -> Violation {
        Violation {
            check: check.to_owned(),
            kind: Kind::Safety,
            at_ms: world.now_ms(),
            step: world.steps(),
            nodes: self.nodes.iter().map(|node| world.nodes()[*node].name().to_owned()).collect(),
            message: self.message,
            differing: self.differing,
        }
    }
}

/// What a check is called, what it says, and how often it was decided.
macro_rules! about {
    ($name:literal, $says:literal) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn says(&self) -> &'static str {
            $says
        }

        fn count(&self) -> u64 {
            self.decided
        }
    };
}
use about;
