//! Exports into a file that are killed (SIGKILL) or have no room, and run again.

use serde_json::json;

use crate::support::{Bed, ok, run, start};

const SDL: &str = "type Note @model { id: ID! text: String! number: Int }";
const RECORDS: u64 = 12_000;

fn filled(bed: &Bed) -> String {
    let db = bed.store("app.db", SDL);
    let lines: String =
        (0..RECORDS).map(|n| format!("{}\n", json!({"text": format!("note {n}"), "number": n}))).collect();
    ok(&["import", &db, "Note", &bed.file("notes.ndjson", lines)]);
    db
}

#[test]
fn an_export_that_was_killed_goes_on_where_it_was() {
    let bed = Bed::new();
    let db = filled(&bed);
    for format in ["ndjson", "json", "csv"] {
        let expected = ok(&["export", &db, "Note", "--format", format]).out;
        let file = bed.text(&format!("exported.{format}"));
        let export = ["export", &db, "Note", "--format", format, "--output", &file];
        let partial = bed.path(&format!("exported.{format}.partial"));
        let held = || std::fs::metadata(&partial).map_or(0, |held| held.len());
        let mut kills = 0;
        for round in 1..5 {
            let mut child = start(&export);
            while child.try_wait().unwrap().is_none() {
                if held() > expected.len() as u64 * round / 6 {
                    child.kill().unwrap();
                    break;
                }
            }
            child.wait().unwrap();
            if bed.path(&format!("exported.{format}")).exists() {
                break;
            }
            kills += 1;
        }
        assert!(kills > 0, "the export was always faster");
        if !bed.path(&format!("exported.{format}")).exists() {
            let said = ok(&export);
            assert!(said.err.contains("going on behind") && said.err.contains(",000 records"), "{}", said.err);
            assert!(said.err.contains("12,000 records"), "{}", said.err);
        }
        assert!(std::fs::read_to_string(&file).unwrap() == expected, "{format}");
        assert!(!partial.exists());
    }
}

#[cfg(unix)]
#[test]
fn an_export_without_room_says_so_and_goes_on_once_there_is_some() {
    let bed = Bed::new();
    let db = filled(&bed);
    let file = bed.text("notes.ndjson.out");
    let export = ["export", &db, "Note", "-o", &file];
    // No file may be larger than so many kilobytes; the program is told, as of a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 400; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_syncline"));
    let full = std::process::Command::new("bash").args(["-c", &script, "bash"]).args(export).output().unwrap();
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written") && said.contains("it goes on there"), "{said}");
    assert!(!bed.path("notes.ndjson.out").exists());
    let said = ok(&export);
    assert!(said.err.contains("going on behind"), "{}", said.err);
    assert!(std::fs::read_to_string(&file).unwrap() == ok(&["export", &db, "Note"]).out);
    let again = run(&export);
    assert!(again.code == 1 && again.err.contains("--overwrite"), "{again:?}");
}
