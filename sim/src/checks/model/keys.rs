//! Keys: one record per key, wherever it was made.

use std::collections::BTreeMap;

use syncline_core::ids::RecordId;

use super::super::view::short;
use super::super::{Broken, Check, about};
use crate::outcome::Violation;
use crate::world::{Happened, World};

/// A key names one record, and a record has one key.
#[derive(Default)]
pub(in super::super) struct Keys {
    names: Names,
    decided: u64,
}

impl Check for Keys {
    about!(
        "one-record-per-key",
        "Nodes that make a record under one key without knowing of each other make one record, and no other key names \
         it."
    );

    fn after(&mut self, world: &World, happened: &Happened<'_>) -> Result<(), Violation> {
        let Happened::Wrote { write: Some(write), node, .. } = happened else { return Ok(()) };
        self.decided += 1;
        self.names
            .take(&write.model, &write.id, write.record)
            .map_err(|message| Broken::new([*node], message).at(world, self.name()))
    }
}

#[derive(Default)]
struct Names {
    records: BTreeMap<(String, String), RecordId>,
    keys: BTreeMap<RecordId, (String, String)>,
}

impl Names {
    fn take(&mut self, model: &str, id: &str, record: RecordId) -> Result<(), String> {
        let name = (model.to_owned(), id.to_owned());
        let known = *self.records.entry(name.clone()).or_insert(record);
        if known != record {
            let (one, other) = (short(&known.0), short(&record.0));
            return Err(format!("{model} {id} is record {one} and record {other}"));
        }
        let first = self.keys.entry(record).or_insert_with(|| name.clone());
        if *first != name {
            return Err(format!("{model} {id} and {} {} are one record", first.0, first.1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_records_of_one_key_and_two_keys_of_one_record_are_noticed() {
        let mut names = Names::default();
        let record = |n: u8| RecordId([n; 16]);
        assert!(names.take("Todo", "a", record(1)).is_ok());
        assert!(names.take("Todo", "a", record(1)).is_ok());
        assert!(names.take("Todo", "a", record(2)).is_err());
        assert!(names.take("Todo", "b", record(1)).is_err());
    }
}
