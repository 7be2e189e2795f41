//! One store by itself: saves, edits, transactions, reopening, identity.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use serde_json::{Map, Value, json};
use syncline_engine::{OnDisk, Options, Source, Store, StoreError};

const SDL: &str = r#"
type Todo @model {
  id: ID!
  title: String!
  done: Boolean
  priority: Int
  votes: Int @counter
  tags: [String] @set
  steps: [String]
  body: String @text
}
type Profile @model { id: ID! note: String visits: Int @counter }
type Place @model { name: String! @primaryKey note: String @text rank: Int }
"#;

struct Bed {
    folder: tempfile::TempDir,
    opened: u8,
    now: i64,
}

impl Bed {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), opened: 0, now: 1_800_000_000_000 }
    }

    fn open(&mut self) -> Store {
        self.opened += 1;
        let parsed = syncline_schema::parse("schema.graphql", SDL).unwrap();
        let options = Options { schema: Some((parsed.schema, SDL.to_owned())), ..Options::new([self.opened; 32]) };
        Store::open(Box::new(OnDisk::new(self.folder.path().join("app.db"))), options).unwrap()
    }

    fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn save(store: &mut Store, now: i64, model: &str, record: Value) -> Map<String, Value> {
    store.write(now, |tx| tx.single(|tx| tx.save(model, &map(record), Source::App))).unwrap().record
}

fn get(store: &mut Store, now: i64, model: &str, id: &str) -> Option<Map<String, Value>> {
    store.write(now, |tx| tx.get(model, id)).unwrap()
}

fn id(record: &Map<String, Value>) -> String {
    record["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_saved_record_reads_back_the_same_after_reopening() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let record = save(
        &mut store,
        bed.tick(),
        "Todo",
        json!({"title": "milk", "done": false, "priority": 3, "votes": 2, "tags": ["b", "a"],
               "steps": ["x", "y"], "body": "hello"}),
    );
    assert_eq!(record["title"], "milk");
    assert_eq!(record["votes"], 2);
    assert_eq!(record["tags"], json!(["a", "b"]));
    assert_eq!(record["steps"], json!(["x", "y"]));
    assert_eq!(record["body"], "hello");
    store.close().unwrap();
    drop(store);
    let mut store = bed.open();
    assert_eq!(get(&mut store, bed.tick(), "Todo", &id(&record)), Some(record));
}

#[test]
fn edits_of_every_kind_show_at_once_and_after_reopening() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let record = save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "hello world"}));
    let id = id(&record);
    for round in 0..3 {
        let now = bed.tick();
        store
            .write(now, |tx| {
                tx.update("Todo", &id, &map(json!({"done": true, "priority": round})))?;
                tx.increment("Todo", &id, "votes", 5)?;
                tx.add("Todo", &id, "tags", &json!("red"))?;
                tx.splice("Todo", &id, "body", 0, 1, "J")?;
                tx.update("Todo", &id, &map(json!({"steps": ["a", "b", round.to_string()]})))
            })
            .unwrap();
        let now = bed.tick();
        let shown = get(&mut store, now, "Todo", &id).unwrap();
        assert_eq!(shown["votes"], 5 * (round + 1));
        assert_eq!(shown["tags"], json!(["red"]));
        assert_eq!(shown["body"], "Jello world");
        assert_eq!(shown["steps"], json!(["a", "b", round.to_string()]));
        if round == 1 {
            drop(store);
            store = bed.open();
        }
    }
}

#[test]
fn a_deleted_record_is_gone_until_it_is_undeleted() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let record = save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "text"}));
    let id = id(&record);
    store.write(bed.tick(), |tx| tx.delete("Todo", &id)).unwrap();
    assert_eq!(get(&mut store, bed.tick(), "Todo", &id), None);
    let refused = store.write(bed.tick(), |tx| tx.update("Todo", &id, &map(json!({"done": true}))));
    assert!(matches!(refused, Err(StoreError::NotFound { deleted: true, .. })), "{refused:?}");
    let back = store.write(bed.tick(), |tx| tx.undelete("Todo", &id)).unwrap().record;
    assert_eq!(back["title"], "milk");
    assert_eq!(back["body"], "text");
}

#[test]
fn a_record_with_a_custom_key_is_one_record_and_updates_when_saved_again() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Place", json!({"name": "here", "note": "a", "rank": 1}));
    let again = save(&mut store, bed.tick(), "Place", json!({"name": "here", "rank": 2}));
    assert_eq!(again["rank"], 2);
    assert_eq!(again["note"], "a");
    store.write(bed.tick(), |tx| tx.splice("Place", "here", "note", 1, 0, "b")).unwrap();
    assert_eq!(get(&mut store, bed.tick(), "Place", "here").unwrap()["note"], "ab");
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let record = save(&mut store, bed.tick(), "Todo", json!({"title": "milk", "body": "x"}));
    let id = id(&record);
    let before = store.committed();
    let failed: Result<(), StoreError> = store.write(bed.tick(), |tx| {
        tx.together(|tx| {
            tx.update("Todo", &id, &map(json!({"title": "gone"})))?;
            tx.splice("Todo", &id, "body", 0, 0, "gone")?;
            Err(StoreError::Aborted("changed my mind".to_owned()))
        })
    });
    assert!(failed.is_err());
    assert_eq!(store.committed(), before);
    assert_eq!(get(&mut store, bed.tick(), "Todo", &id), Some(record));
    save(&mut store, bed.tick(), "Todo", json!({"title": "next"}));
}

#[test]
fn a_clean_close_keeps_the_replica_id_and_an_unclean_one_does_not() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "one"}));
    let first = store.replica().unwrap();
    store.close().unwrap();
    drop(store);
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "two"}));
    assert_eq!(store.replica(), Some(first));
    // The process ends without a chance to close.
    std::mem::forget(store);
    std::fs::remove_file(bed.folder.path().join("app.db-lock")).unwrap();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "three"}));
    assert_ne!(store.replica(), Some(first));
    assert_eq!(store.renewals().unwrap().len(), 1);
}

#[test]
fn a_copied_file_writes_under_another_replica_id() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    save(&mut store, bed.tick(), "Todo", json!({"title": "one"}));
    let first = store.replica().unwrap();
    store.close().unwrap();
    drop(store);
    let copy = tempfile::tempdir().unwrap();
    for name in ["app.db", "app.db-replica"] {
        std::fs::copy(bed.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let mut other = Bed { folder: copy, opened: 100, now: bed.now };
    let mut store = other.open();
    save(&mut store, other.tick(), "Todo", json!({"title": "copy"}));
    assert_ne!(store.replica(), Some(first));
}

#[test]
fn two_processes_on_one_file_share_the_replica_id_and_see_each_other() {
    let mut bed = Bed::new();
    let mut one = bed.open();
    let mut two = bed.open();
    let a = save(&mut one, bed.tick(), "Todo", json!({"title": "from one", "body": "a"}));
    let b = save(&mut two, bed.tick(), "Todo", json!({"title": "from two"}));
    assert_eq!(one.replica(), two.replica());
    let id_a = id(&a);
    two.write(bed.tick(), |tx| tx.splice("Todo", &id_a, "body", 1, 0, "b")).unwrap();
    one.write(bed.tick(), |tx| tx.splice("Todo", &id_a, "body", 2, 0, "c")).unwrap();
    assert_eq!(get(&mut two, bed.tick(), "Todo", &id_a).unwrap()["body"], "abc");
    assert!(get(&mut one, bed.tick(), "Todo", &id(&b)).is_some());
}

#[test]
fn an_invalid_record_is_refused_and_names_every_bad_field() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let refused =
        store.write(bed.tick(), |tx| tx.save("Todo", &map(json!({"title": 7, "done": "yes", "nope": 1})), Source::App));
    let message = refused.unwrap_err().to_string();
    for field in ["title", "done", "nope"] {
        assert!(message.contains(field), "{message}");
    }
    assert_eq!(store.committed(), 0);
}

/// A save under the id of another model's record went into that record and showed in no table. Apps of Amplify use the
/// id of the signed-in user in several tables.
#[test]
fn one_id_in_two_models_names_two_records() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let made = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "made here"})));
    let given = "b1d1d5b6-5f4e-4b54-9a8c-0d6d62ac5e7a".to_owned();
    save(&mut store, bed.tick(), "Todo", json!({"id": given, "title": "given"}));
    for id in [&made, &given] {
        assert_eq!(get(&mut store, bed.tick(), "Profile", id), None);
        let now = bed.tick();
        let absent = store.write(now, |tx| tx.update("Profile", id, &map(json!({"note": "n"})))).unwrap_err();
        assert!(matches!(absent, StoreError::NotFound { deleted: false, .. }), "{absent}");
        save(&mut store, now, "Profile", json!({"id": id, "note": "of it"}));
        save(&mut store, now, "Profile", json!({"id": id, "visits": 1}));
        let both = ["Todo", "Profile"].map(|model| get(&mut store, now, model, id).unwrap());
        assert_eq!((&both[0]["id"], &both[1]["id"]), (&json!(id), &json!(id)));
        assert_eq!((&both[1]["note"], &both[1]["visits"]), (&json!("of it"), &json!(1)));
        store.write(now, |tx| tx.delete("Todo", id)).unwrap();
        assert!(get(&mut store, now, "Todo", id).is_none() && get(&mut store, now, "Profile", id).is_some());
    }
    assert!(store.verify().unwrap().is_ok());
}

fn rename(store: &mut Store, bed: &mut Bed, model: &str, from: &str, to: uuid::Uuid) -> Store {
    store.close().unwrap();
    let file = rusqlite::Connection::open(bed.folder.path().join("app.db")).unwrap();
    let from = uuid::Uuid::try_parse(from).unwrap();
    let done = file.execute("UPDATE syncline_records SET id = ?2 WHERE id = ?1", [from.into_bytes(), to.into_bytes()]);
    assert_eq!(done.unwrap(), 1);
    let sql = format!("UPDATE \"{model}\" SET id = ?2 WHERE id = ?1");
    assert_eq!(file.execute(&sql, [from.to_string(), to.to_string()]).unwrap(), 1);
    drop(file);
    bed.open()
}

#[test]
fn a_record_whose_id_bears_no_mark_is_found_and_one_of_another_model_is_not_written_over() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let unmarked = uuid::Uuid::try_parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    let made = id(&save(&mut store, bed.tick(), "Todo", json!({"title": "early"})));
    let mut store = rename(&mut store, &mut bed, "Todo", &made, unmarked);
    let name = unmarked.to_string();
    assert_eq!(get(&mut store, bed.tick(), "Todo", &name).unwrap()["id"], name);
    save(&mut store, bed.tick(), "Todo", json!({"id": name, "title": "later"}));
    let all = store.reader().unwrap().query(&syncline_engine::query::Query::new("Todo")).unwrap().records;
    assert_eq!(all.iter().map(|record| &record["title"]).collect::<Vec<_>>(), ["later"]);

    // Nobody makes such an id but a peer that means it, or one in sixteen million pairs of models.
    let todo = store.schema().unwrap().model("Todo").unwrap();
    let taken = uuid::Uuid::from_bytes(syncline_core::record::RecordKey::generate(todo, unmarked).0);
    let profile = id(&save(&mut store, bed.tick(), "Profile", json!({"note": "here first"})));
    let mut store = rename(&mut store, &mut bed, "Profile", &profile, taken);
    let now = bed.tick();
    let record = map(json!({"id": taken.to_string(), "title": "over it"}));
    let refused = store.write(now, |tx| tx.save("Todo", &record, Source::App)).unwrap_err();
    assert!(refused.to_string().contains("a record of Profile has this id"), "{refused}");
    assert_eq!(get(&mut store, now, "Todo", &taken.to_string()), None);
    assert_eq!(get(&mut store, now, "Profile", &taken.to_string()).unwrap()["note"], "here first");
}

/// Files of format 2 have in the column of a counter what one of several counters at its key shows.
#[test]
fn a_file_of_format_2_gets_the_sums_of_its_counters() {
    let mut bed = Bed::new();
    let mut store = bed.open();
    let profile = id(&save(&mut store, bed.tick(), "Profile", json!({"visits": 5})));
    store.close().unwrap();
    let file = rusqlite::Connection::open(bed.folder.path().join("app.db")).unwrap();
    file.execute_batch("UPDATE \"Profile\" SET visits = 2; PRAGMA user_version = 2;").unwrap();
    drop(file);
    let store = bed.open();
    let column: i64 = rusqlite::Connection::open(bed.folder.path().join("app.db"))
        .unwrap()
        .query_row("SELECT visits FROM \"Profile\" WHERE id = ?1", [profile], |row| row.get(0))
        .unwrap();
    assert_eq!(column, 5);
    assert!(store.verify().unwrap().is_ok());
}
