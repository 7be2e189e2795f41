//! What an idle store costs in a simulation: alone in this binary, for it measures the process.

use std::sync::Arc;

use serde_json::json;
use syncline_engine::{Options, Source, Store};
use syncline_sim::{Disk, SimHost, vfs};

const STORES: usize = 200;
const SDL: &str = "type Note @model { title: String! stars: Int @counter body: String @text tags: [String] @set }";

#[test]
fn a_thousand_idle_stores_leave_more_than_a_third_of_a_gibibyte_free() {
    let schema = syncline_schema::parse("note.graphql", SDL).unwrap().schema;
    let before = (resident(), vfs::sqlite_memory_bytes());
    let mut disks = Vec::new();
    let mut stores = Vec::new();
    for number in 0..STORES {
        let disk = Disk::new([number as u8; 32]);
        let place = Arc::new(vfs::register(&disk));
        let options = Options {
            schema: Some((schema.clone(), SDL.to_owned())),
            cache_bytes: 1 << 20,
            ..Options::new([number as u8; 32])
        };
        let mut store = Store::open(Box::new(SimHost::new(&place, "app.db", 1)), options).unwrap();
        for id in 0..30 {
            let record = json!({ "id": id.to_string(), "title": "a title", "stars": 1, "body": "some words" });
            store.write(1, |tx| tx.save("Note", record.as_object().unwrap(), Source::App).map(drop)).unwrap();
        }
        store.sync_now().unwrap();
        disks.push((disk, place));
        stores.push(store);
    }
    let files = disks.iter().map(|(disk, _)| disk.bytes()).sum::<u64>() / STORES as u64;
    let sqlite = (vfs::sqlite_memory_bytes() - before.1) / STORES as u64;
    println!("per store: {files} bytes of files, {sqlite} of SQLite");
    if let (Some(before), Some(now)) = (before.0, resident()) {
        println!("per store: {} bytes of the process", (now - before) / STORES as u64);
    }
    // Every table, empty or not, is a page in the file, one in its log and one in memory.
    assert!(files + sqlite < (560 << 20) / 1_000, "{files} of files, {sqlite} of SQLite");
}

/// Memory that the process has, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}
