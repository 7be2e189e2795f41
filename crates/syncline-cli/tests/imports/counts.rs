//! What an import says that it did.

use serde_json::json;

use crate::support::{Bed, run};

const SDL: &str = r#"
type Blog @model { id: ID! name: String! }
type Reading @model { sensor: ID! @primaryKey(sortKeyFields: ["level"]) level: Float! note: String }
"#;

/// New, changed and known records are told apart, also where one file names a record twice, and where the key is of
/// several fields.
#[test]
fn an_import_counts_what_became_of_its_rows() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let import = |model: &str, rows: &[serde_json::Value], more: &[&str]| {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let file = bed.file("rows.ndjson", lines);
        let said = run(&[&["import", &db, model, &file, "--restart"], more].concat());
        said.out + &said.err
    };
    let blog = |id: &str, name: &str| json!({"id": id, "name": name});
    let said = import("Blog", &[blog("a", "A"), blog("b", "B"), blog("a", "A"), blog("b", "C")], &[]);
    assert!(said.contains("imported 2, updated 1, unchanged 1, skipped 0"), "{said}");
    let said =
        import("Blog", &[blog("a", "A"), blog("b", "D"), blog("c", "C"), json!({"id": "d"})], &["--skip-invalid"]);
    assert!(said.contains("imported 1, updated 1, unchanged 1, skipped 1"), "{said}");

    let reading = |level: serde_json::Value, note: &str| json!({"sensor": "s", "level": level, "note": note});
    let said = import("Reading", &[reading(json!(1), "a"), reading(json!(2.5), "a")], &[]);
    assert!(said.contains("imported 2, updated 0"), "{said}");
    let said = import("Reading", &[reading(json!(1), "b"), reading(json!(1.0), "b"), reading(json!(3), "c")], &[]);
    assert!(said.contains("imported 1, updated 1, unchanged 1"), "{said}");
}
