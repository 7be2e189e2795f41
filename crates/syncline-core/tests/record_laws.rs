//! Laws of records: what is saved is what is shown, rows say the same as JSON, replicas agree.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use proptest::prelude::*;
use record_support::{Replica, fields, object, schema, shown};
use serde_json::{Map, Value, json};
use syncline_core::change::MAX_COUNTER;
use syncline_core::record::{NewRecord, check_foreign, column_values, columns, record_from_columns};

/// What the record must show of the fields of the strategy.
fn expected(record: &Map<String, Value>) -> Map<String, Value> {
    let names = schema().models[0].fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    let own = names.into_iter().filter(|name| !matches!(name.as_str(), "id" | "createdAt" | "updatedAt"));
    own.map(|name| {
        let value = match (name.as_str(), record.get(&name)) {
            ("priority", None) => json!(3),
            (name, value) => shown(name, value.unwrap_or(&Value::Null)),
        };
        (name, value)
    })
    .collect()
}

fn own_fields(record: &Map<String, Value>) -> Map<String, Value> {
    let managed = ["id", "room", "number", "createdAt", "updatedAt"];
    record.iter().filter(|(name, _)| !managed.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn seat(mut record: Map<String, Value>) -> Value {
    record.insert("room".to_owned(), json!("A"));
    record.insert("number".to_owned(), json!(4));
    Value::Object(record)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_saved_record_shows_what_was_saved(record in fields(), shared in any::<bool>()) {
        let schema = schema();
        let record = object(record);
        let mut replica = Replica::new(&schema, if shared { "Seat" } else { "Todo" }, 1);
        let json = if shared { seat(record.clone()) } else { Value::Object(record.clone()) };
        let change = replica.create(json, 1000);
        let projected = replica.view().project().unwrap();
        prop_assert_eq!(own_fields(&projected), expected(&record));
        prop_assert_eq!(&projected["createdAt"], "1970-01-01T00:00:01.000Z");
        prop_assert_eq!(check_foreign(&schema, replica.model, replica.record, change.expanded()), Ok(()));
    }

    #[test]
    fn a_row_says_the_same_as_the_json_record(record in fields()) {
        let schema = schema();
        let mut replica = Replica::new(&schema, "Todo", 1);
        replica.create(record, 1000);
        let projected = replica.view().project().unwrap();
        let row = replica.view().column_values().unwrap();
        prop_assert_eq!(&row, &column_values(replica.model, &projected));
        prop_assert_eq!(row.len(), columns(replica.model).len());
        prop_assert_eq!(record_from_columns(replica.model, row), projected);
    }

    #[test]
    fn a_shown_record_saved_elsewhere_shows_the_same(record in fields()) {
        let schema = schema();
        let mut replica = Replica::new(&schema, "Todo", 1);
        replica.create(record, 1_234_567);
        let exported = replica.view().project().unwrap();
        let new = NewRecord::check(&schema, replica.model, &exported).unwrap();
        let mut other = Replica::new(&schema, "Todo", 2);
        other.create(Value::Object(exported.clone()), new.updated_at_ms.unwrap());
        prop_assert_eq!(other.view().project().unwrap(), exported);
    }

    #[test]
    fn a_patch_changes_the_named_fields_and_no_others(before in fields(), patch in fields()) {
        let schema = schema();
        let mut replica = Replica::new(&schema, "Todo", 1);
        let mut now = expected(&object(before.clone()));
        replica.create(before, 1000);
        let change = replica.update(patch.clone(), 2000);
        for (name, value) in object(patch.clone()) {
            let new = shown(&name, &value);
            now.insert(name, new);
        }
        let projected = replica.view().project().unwrap();
        prop_assert_eq!(own_fields(&projected), now);
        prop_assert_eq!(replica.update(patch, 3000), None, "a patch that changes nothing makes no change");
        if let Some(change) = change {
            prop_assert_eq!(check_foreign(&schema, replica.model, replica.record, change.expanded()), Ok(()));
        }
    }

    #[test]
    fn a_revived_record_shows_only_the_given_fields(before in fields(), after in fields()) {
        let schema = schema();
        let mut replica = Replica::new(&schema, "Seat", 1);
        replica.create(seat(object(before)), 1000);
        let delete = replica.view().delete();
        replica.write(&delete, 2000);
        prop_assert_eq!(replica.shows(), None);
        let new = NewRecord::check(&schema, replica.model, &object(seat(object(after.clone())))).unwrap();
        let edits = replica.view().revive(&new);
        let change = replica.write(&edits, 3000).unwrap();
        prop_assert_eq!(own_fields(&replica.view().project().unwrap()), expected(&object(after)));
        prop_assert_eq!(check_foreign(&schema, replica.model, replica.record, change.expanded()), Ok(()));
    }

    #[test]
    fn of_two_creates_of_one_key_one_wins_whole(a in fields(), b in fields()) {
        let schema = schema();
        let (a, b) = (object(a), object(b));
        let (mut left, mut right) = (Replica::new(&schema, "Seat", 1), Replica::new(&schema, "Seat", 2));
        let first = left.create(seat(a.clone()), 1000);
        let second = right.create(seat(b.clone()), 1000);
        left.state.apply(&second);
        right.state.apply(&first);
        let shown = left.view().project().unwrap();
        prop_assert_eq!(Some(Value::Object(shown.clone())), right.shows());
        // Sets unite, counters add up, fields with @merge choose for themselves, presence of an embedded value is a
        // set of one: everything else is one creator's.
        let (loser, winner) = (expected(&a), expected(&b));
        for name in ["title", "priority", "weight", "done", "due", "at", "meta", "status"] {
            prop_assert_eq!(&shown[name], &winner[name], "{}", name);
        }
        let votes = |record: &Map<String, Value>| record["votes"].as_i64().unwrap();
        prop_assert_eq!(votes(&shown), (votes(&loser) + votes(&winner)).clamp(-MAX_COUNTER, MAX_COUNTER));
    }

    #[test]
    fn concurrent_patches_converge(before in fields(), a in fields(), b in fields()) {
        let schema = schema();
        let mut left = Replica::new(&schema, "Todo", 1);
        left.create(before, 1000);
        let mut right = left.fork(2);
        let first = left.update(a, 2000);
        let second = right.update(b, 3000);
        second.iter().for_each(|change| left.state.apply(change));
        first.iter().for_each(|change| right.state.apply(change));
        prop_assert_eq!(left.shows(), right.shows());
        prop_assert_eq!(left.view().column_values(), right.view().column_values());
    }
}
