//! Where rejected rows are written, and what is never overwritten by them.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Bed, Said, ok, run};

const SDL: &str = "type Blog @model { id: ID! name: String! }";

/// The second row does not fit.
const BLOGS: &str = "{\"id\":\"b1\",\"name\":\"One\"}\n{\"id\":\"b2\"}\n";

fn reject_to(bed: &Bed, db: &str, file: &str, rejected: &str) -> Said {
    let file = bed.text(file);
    run(&["import", db, "Blog", &file, "--skip-invalid", "--rejected", &bed.text(rejected)])
}

/// `--rejected FILE` once cut whatever FILE was to nothing: notes, a file of rows that had been corrected since, the
/// store itself.
#[test]
fn rejected_rows_overwrite_no_file_that_holds_something() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    bed.file("blogs.ndjson", BLOGS);
    bed.file("notes.txt", "mine");
    let said = reject_to(&bed, &db, "blogs.ndjson", "notes.txt");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("notes.txt holds something already") && said.err.contains("move it"), "{}", said.err);
    assert_eq!(fs::read_to_string(bed.path("notes.txt")).unwrap(), "mine");
    assert_eq!(ok(&["query", &db, "Blog", "--count"]).out.trim(), "0");
    // An empty file is nobody's work, and one that was written by an import that is over is the user's.
    bed.file("rejected.ndjson", "");
    assert_eq!(reject_to(&bed, &db, "blogs.ndjson", "rejected.ndjson").code, 0);
    let held = fs::read_to_string(bed.path("rejected.ndjson")).unwrap();
    assert!(held.contains("\"b2\"") && held.lines().count() == 1, "{held}");
    assert_eq!(reject_to(&bed, &db, "blogs.ndjson", "rejected.ndjson").code, 1);
    assert_eq!(fs::read_to_string(bed.path("rejected.ndjson")).unwrap(), held);
}

/// Of a row that could not be read only the reason was kept: whoever corrected the file did not see what had stood there.
#[test]
fn a_row_that_cannot_be_read_is_kept_as_text() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    bed.file("blogs.ndjson", "{\"id\":\"b1\",\"name\":\"One\"}\n{\"id\":\"b2\",\"name\":Two}\n[1]\n");
    bed.file("blogs.csv", "id,name\nb3\n");
    for (file, rejected, texts) in [
        ("blogs.ndjson", "lines.ndjson", vec!["{\"id\":\"b2\",\"name\":Two}", "[1]"]),
        ("blogs.csv", "cells.ndjson", vec!["b3"]),
    ] {
        assert_eq!(reject_to(&bed, &db, file, rejected).code, 0);
        let held = fs::read_to_string(bed.path(rejected)).unwrap();
        let rows = held.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let kept: Vec<Value> = rows.map(|row| row["~rejected"]["text"].clone()).collect();
        assert_eq!(kept, texts);
    }
    // Rejected again, nothing of it is lost.
    for (file, again, kept) in [("lines.ndjson", "again.ndjson", "\"name\":Two"), ("cells.ndjson", "more.ndjson", "b3")]
    {
        let said = reject_to(&bed, &db, file, again);
        assert!(said.err.contains("row 1 (line 1): the row could not be read"), "{}", said.err);
        let held = fs::read_to_string(bed.path(again)).unwrap();
        let first: Value = serde_json::from_str(held.lines().next().unwrap()).unwrap();
        assert!(first["~rejected"]["text"].as_str().unwrap().contains(kept), "{held}");
        assert_eq!(first["~rejected"].get("untyped").is_some(), file == "cells.ndjson");
    }
}

/// `--rejected app.db` once cut the store to nothing while it was open.
#[test]
fn rejected_rows_are_never_written_to_the_store_whatever_name_it_goes_by() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    ok(&["save", &db, "Blog", r#"{"id":"b0","name":"Kept"}"#]);
    bed.file("blogs.ndjson", BLOGS);
    fs::create_dir(bed.path("folder")).unwrap();
    let mut names = vec!["app.db", "app.db-wal", "app.db-shm", "app.db-journal", "folder/../app.db"];
    #[cfg(unix)]
    {
        fs::hard_link(&db, bed.path("linked.db")).unwrap();
        std::os::unix::fs::symlink(&db, bed.path("symbolic.db")).unwrap();
        names.extend(["linked.db", "symbolic.db"]);
    }
    for name in names {
        let said = reject_to(&bed, &db, "blogs.ndjson", name);
        assert_eq!(said.code, 2, "{name}: {said:?}");
        assert!(said.err.contains("a file of the store"), "{name}: {}", said.err);
    }
    assert_eq!(ok(&["get", &db, "Blog", "b0"]).json()["name"], json!("Kept"));
    ok(&["verify", &db]);
}

#[test]
fn the_file_that_is_imported_is_not_overwritten_by_its_rejected_rows() {
    let bed = Bed::new();
    let db = bed.store("app.db", SDL);
    let file = bed.file("blogs.ndjson", "{\"id\":\"b1\"}\n");
    let said = run(&["import", &db, "Blog", &file, "--skip-invalid", "--rejected", &file]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("name another"), "{}", said.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"id\":\"b1\"}\n");
}

/// Of a line that is no JSON nothing but what is wrong with it stands in the rejected file. Imported from there it became
/// an empty record where no field is required.
#[test]
fn a_rejected_row_of_which_nothing_is_left_makes_no_empty_record() {
    let bed = Bed::new();
    let db = bed.store("app.db", "type Note @model { text: String }");
    bed.file("notes.ndjson", "{\"id\":\"n1\",\"text\":\"x\"}\n{\"id\":\"n2\" oops\n");
    let rejected = bed.text("rejected.ndjson");
    ok(&["import", &db, "Note", &bed.text("notes.ndjson"), "--skip-invalid", "--rejected", &rejected]);
    assert!(fs::read_to_string(bed.path("rejected.ndjson")).unwrap().contains("~rejected"));
    let again = run(&["import", &db, "Note", &rejected]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("could not be read"), "{}", again.err);
    assert_eq!(ok(&["query", &db, "Note", "--count"]).out.trim(), "1");
}

/// Rows that only the save refuses were written behind the bookmark that counted them as taken: a run that was cut off
/// there never told of them again.
#[cfg(target_os = "linux")]
#[test]
fn rows_that_only_the_save_refuses_are_rejected_again_if_their_file_could_not_be_written() {
    let bed = Bed::new();
    let sdl = "type Blog @model { id: ID! name: String! } type Other @model { id: ID! name: String! }";
    let (db, twin) = (bed.store("app.db", sdl), bed.store("twin.db", sdl));
    ok(&["save", &twin, "Blog", r#"{"id":"b2","name":"Two"}"#]);
    ok(&["save", &db, "Other", r#"{"id":"o1","name":"Here first"}"#]);
    // A record of another model that bears the number of the blog: no row that is checked by itself shows that.
    let open = |db: &str| rusqlite::Connection::open(db).unwrap();
    let taken: Vec<u8> = open(&twin).query_row("SELECT id FROM syncline_records", [], |row| row.get(0)).unwrap();
    assert_eq!(open(&db).execute("UPDATE syncline_records SET id = ?1", [taken]).unwrap(), 1);
    bed.file("blogs.ndjson", "{\"id\":\"b1\",\"name\":\"One\"}\n{\"id\":\"b2\",\"name\":\"Two\"}\n");
    let import = |rejected: &str| {
        run(&["import", &db, "Blog", &bed.text("blogs.ndjson"), "--skip-invalid", "--rejected", rejected, "--json"])
    };
    let full = import("/dev/full");
    assert_eq!(full.code, 1, "{full:?}");
    assert_eq!(ok(&["query", &db, "Blog", "--count"]).out.trim(), "1");
    let said = import(&bed.text("rejected.ndjson"));
    assert_eq!((said.code, &said.json()["skipped"]), (0, &json!(1)), "{said:?}");
    let held = fs::read_to_string(bed.path("rejected.ndjson")).unwrap();
    assert!(held.contains("a record of Other has this id") && held.lines().count() == 1, "{held}");
}
