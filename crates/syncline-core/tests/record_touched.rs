//! Which columns must be written again after a change.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod record_support;

use automerge::ScalarValue;
use proptest::prelude::*;
use record_support::{Replica, fields, schema};
use serde_json::json;
use syncline_core::edit::{Edits, RootEdit};
use syncline_core::record::{LIVE, Touched};
use syncline_schema::Model;

fn names<'m>(touched: &Touched, model: &'m Model) -> Vec<&'m str> {
    match touched.fields(model) {
        Some(places) => places.into_iter().map(|place| model.fields[place].name.as_str()).collect(),
        None => vec!["everything"],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Only fields that an update touched show something else after it.
    #[test]
    fn what_reads_otherwise_was_touched(first in fields(), patches in prop::collection::vec(fields(), 1..4)) {
        let schema = schema();
        let mut replica = Replica::new(&schema, "Todo", 1);
        replica.create(first, 1_000);
        for (round, patch) in patches.into_iter().enumerate() {
            let before = replica.view().column_values().unwrap();
            let Some(change) = replica.update(patch, 2_000 + round as i64) else { continue };
            let mut touched = Touched::default();
            touched.add(&change);
            let places = touched.fields(replica.model).unwrap();
            let after = replica.view().column_values().unwrap();
            for (place, (before, after)) in before.iter().zip(&after).enumerate() {
                prop_assert!(before == after || places.contains(&place), "{}", replica.model.fields[place].name);
            }
        }
    }
}

#[test]
fn a_field_is_touched_by_its_key_its_elements_its_inner_fields_and_its_presence() {
    let schema = schema();
    for (key, expected) in [
        ("title", "title"),
        ("tags/a.b", "tags"),
        ("address.geo.lat", "address"),
        ("~some/address", "address"),
        ("~null/tags", "tags"),
    ] {
        let mut replica = Replica::new(&schema, "Todo", 1);
        let root = vec![RootEdit::Put(key.to_owned(), ScalarValue::Int(1))];
        let change = replica.write(&Edits { root, objects: Vec::new() }, 1).unwrap();
        let mut touched = Touched::default();
        touched.add(&change);
        assert_eq!(names(&touched, replica.model), [expected, "createdAt", "updatedAt"], "{key}");
    }
}

#[test]
fn existence_touches_the_managed_times_only_and_what_a_newer_store_may_mean_everything() {
    let schema = schema();
    let mut replica = Replica::new(&schema, "Todo", 1);
    let created = replica.create(json!({"title": "a"}), 1);
    let mut touched = Touched::default();
    touched.add(&created);
    assert!(names(&touched, replica.model).contains(&"title"));
    let live = Edits { root: vec![RootEdit::Toggle(LIVE.to_owned())], objects: Vec::new() };
    let mut touched = Touched::default();
    touched.add(&replica.write(&live, 2).unwrap());
    assert_eq!(names(&touched, replica.model), ["createdAt", "updatedAt"]);
    let newer = Edits { root: vec![RootEdit::Put("~newer".to_owned(), ScalarValue::Int(1))], objects: Vec::new() };
    touched.add(&replica.write(&newer, 3).unwrap());
    assert_eq!(names(&touched, replica.model), ["everything"]);
}
