//! What must hold: named properties, looked at after every step and at the end of a run.

use crate::outcome::Violation;
use crate::schedule::Schedule;
use crate::world::{Happened, World};

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

/// Every check that a run of this schedule is held to.
pub fn all(schedule: &Schedule) -> Vec<Box<dyn Check>> {
    let _ = schedule;
    Vec::new()
}

/// Whether all honest nodes that run hold the same.
pub fn agreement(world: &World) -> Result<(), Violation> {
    let _ = world;
    Ok(())
}
