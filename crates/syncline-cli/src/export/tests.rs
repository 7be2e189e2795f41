//! Exports that are cut off anywhere and run again.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use syncline::{Mark, Options};

use super::*;

const SDL: &str = "type A @model { n: Int body: String @text(rich: true) } type Empty @model { n: Int } \
                   type B @model { n: Int word: String }";

const FORMATS: [Format; 3] = [Format::Ndjson, Format::Json, Format::Csv];

struct Scene {
    folder: tempfile::TempDir,
    store: Store,
}

impl Scene {
    /// A store with seven As and four Bs.
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("app.db"), Options::new(SDL)).await.unwrap();
        for n in 0..7 {
            let record = json!({"id": format!("a{n}"), "n": n, "body": format!("a \"text\",\nof {n}")});
            store.save_json("A", record.as_object().unwrap().clone()).await.unwrap();
            store.mark_json("A", &format!("a{n}"), "body", 0..3, Mark::new("bold", true)).await.unwrap();
        }
        for n in 0..4 {
            let record = json!({"id": format!("b{n}"), "n": n, "word": "b,"});
            store.save_json("B", record.as_object().unwrap().clone()).await.unwrap();
        }
        Self { folder, store }
    }

    /// All models, or the one that a CSV can hold, two records at a time.
    fn export(&self, format: Format) -> Export<'_> {
        let schema = self.store.schema().unwrap();
        let models: Vec<&Model> = schema.models.iter().filter(|of| format != Format::Csv || of.name == "A").collect();
        let mark = models.len() > 1;
        Export { store: &self.store, schema, models, mark, format, page_records: 2 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    async fn run(&self, export: &Export<'_>) -> Outcome {
        self.run_with(export, (false, false)).await
    }

    async fn run_with(&self, export: &Export<'_>, (overwrite, restart): (bool, bool)) -> Outcome {
        let (db, output) = (self.path("app.db"), Some(self.path("out")));
        let args = ExportArgs { db, model: None, format: export.format, output, overwrite, restart };
        export.write(&self.path("out"), &args).await
    }

    /// A run that was cut off behind so many of these pages.
    async fn cut_off(&self, export: &Export<'_>, pages: &[(Vec<u8>, Position)]) {
        let place = Place::of(&self.path("out"), self.store.path(), false).unwrap();
        let Opened::Partial(mut partial) = Partial::open(place, Begun::of(export), false).unwrap() else {
            panic!("there was nothing before");
        };
        for (bytes, at) in pages {
            partial.add(bytes, at).unwrap();
        }
    }

    /// The names of the export's files.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_str().unwrap().to_owned()).collect();
        names.retain(|name| name.starts_with("out"));
        names.sort();
        names
    }
}

async fn pages(export: &Export<'_>) -> Vec<(Vec<u8>, Position)> {
    let (mut at, mut pages) = (Position::default(), Vec::new());
    while !at.whole {
        pages.push((export.next(&mut at).await.unwrap(), at.clone()));
    }
    pages
}

fn message(outcome: Outcome) -> String {
    outcome.unwrap_err().message().unwrap().to_owned()
}

#[tokio::test]
async fn the_bar_comes_to_its_end_with_the_last_record() {
    let scene = Scene::set().await;
    let (export, bar) = (scene.export(Format::Ndjson), ProgressBar::hidden());
    export.pages(Position::default(), &mut Target::Printed(&mut Out::new()), &bar).await.unwrap();
    assert_eq!((bar.position(), export.total().await.unwrap()), (11, 11));
}

#[tokio::test]
async fn an_export_that_was_cut_off_anywhere_goes_on_to_the_same_bytes() {
    let scene = Scene::set().await;
    for format in FORMATS {
        let export = scene.export(format);
        let pages = pages(&export).await;
        assert!(pages.len() >= 5, "{format:?} has several pages");
        let whole: Vec<u8> = pages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        for done in 0..=pages.len() {
            let next = pages.get(done).map_or(&b"what never was in it"[..], |(bytes, _)| bytes);
            for torn in [0, next.len() / 2, next.len()] {
                scene.cut_off(&export, &pages[..done]).await;
                let held = [scene.read("out.partial"), next[..torn].to_vec()].concat();
                fs::write(scene.path("out.partial"), held).unwrap();
                scene.run(&export).await.unwrap();
                assert_eq!(scene.read("out"), whole, "{format:?}, {done} pages and {torn} bytes");
                assert_eq!(scene.left(), ["out"]);
                fs::remove_file(scene.path("out")).unwrap();
            }
        }
    }
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn one_that_was_ended_before_its_last_step_is_whole() {
    let scene = Scene::set().await;
    let export = scene.export(Format::Json);
    let pages = pages(&export).await;
    scene.cut_off(&export, &pages).await;
    fs::rename(scene.path("out.partial"), scene.path("out")).unwrap();
    scene.run(&export).await.unwrap();
    assert_eq!(scene.left(), ["out"]);
    assert!(message(scene.run(&export).await).contains("add --overwrite"), "the next one is another export");
    // Somebody else put a file there meanwhile.
    fs::remove_file(scene.path("out")).unwrap();
    scene.cut_off(&export, &pages).await;
    fs::remove_file(scene.path("out.partial")).unwrap();
    fs::write(scene.path("out"), "mine").unwrap();
    assert!(message(scene.run(&export).await).contains("add --overwrite"));
    assert_eq!(scene.read("out"), b"mine");
    scene.run_with(&export, (true, false)).await.unwrap();
    assert!(scene.read("out").len() > 4);
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn records_that_are_written_meanwhile_stand_there_if_their_place_is_not_behind() {
    let scene = Scene::set().await;
    let export = scene.export(Format::Ndjson);
    let pages = pages(&export).await;
    scene.cut_off(&export, &pages[..5]).await;
    let change = |n: i64| json!({"n": n}).as_object().unwrap().clone();
    scene.store.update_json("A", "a0", change(100)).await.unwrap();
    scene.store.update_json("B", "b3", change(103)).await.unwrap();
    scene.store.delete_json("A", "a1").await.unwrap();
    scene.store.delete_json("B", "b2").await.unwrap();
    scene.run(&export).await.unwrap();
    let text = String::from_utf8(scene.read("out")).unwrap();
    let numbers: Vec<u64> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 0, 1, 103]);
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn only_the_export_that_was_begun_goes_on_in_its_file() {
    let scene = Scene::set().await;
    let export = scene.export(Format::Json);
    let pages = pages(&export).await;
    let cut_off = async || {
        for name in scene.left() {
            fs::remove_file(scene.path(&name)).unwrap();
        }
        scene.cut_off(&export, &pages[..2]).await;
        (scene.read("out.partial"), scene.read("out.position"))
    };
    let held = cut_off().await;
    let other_model = Export { models: export.models[..1].to_vec(), mark: false, ..scene.export(Format::Json) };
    let newer = Options::new(format!("{SDL} type C @model {{ n: Int }}").replace("word: String", "word: ID"));
    let other = Store::open(scene.path("other.db"), newer).await.unwrap();
    let other_store = Export { store: &other, ..scene.export(Format::Json) };
    let mut schema = scene.store.schema().unwrap().as_ref().clone();
    schema.models[0].fields.pop();
    let models: Vec<&Model> = schema.models.iter().collect();
    let other_schema = Export { schema: &schema, models, ..scene.export(Format::Json) };
    for (other, differs) in [
        (scene.export(Format::Ndjson), "a part of an export as json"),
        (other_model, "a part of an export of A, Empty, B"),
        (other_store, "a part of an export of another store"),
        (other_schema, "a part of an export with another schema"),
    ] {
        let said = message(scene.run(&other).await);
        assert!(said.contains(differs) && said.contains("add --restart"), "{differs}: {said}");
        assert_eq!((scene.read("out.partial"), scene.read("out.position")), held, "they were left as they were");
    }
    scene.run_with(&scene.export(Format::Ndjson), (false, true)).await.unwrap();
    assert_eq!(scene.read("out").split(|byte| *byte == b'\n').count(), 12);
    other.close().await.unwrap();
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn files_that_are_not_as_an_export_left_them_are_not_gone_on_with() {
    let scene = Scene::set().await;
    let export = scene.export(Format::Json);
    let pages = pages(&export).await;
    scene.cut_off(&export, &pages[..3]).await;
    let held = scene.read("out.partial");
    for changed in [held[1..].to_vec(), held.iter().map(|byte| byte ^ 1).collect()] {
        fs::write(scene.path("out.partial"), &changed).unwrap();
        assert!(message(scene.run(&export).await).contains("--restart"));
        assert_eq!(scene.read("out.partial"), changed);
    }
    // Nothing says that this is an export's, and nothing that it may be written over.
    fs::rename(scene.path("out.position"), scene.path("kept")).unwrap();
    for restart in [false, true] {
        assert!(message(scene.run_with(&export, (false, restart)).await).contains("move it away"));
    }
    fs::write(scene.path("out.position"), "mine").unwrap();
    assert!(message(scene.run_with(&export, (false, true)).await).contains("move it away"));
    fs::rename(scene.path("kept"), scene.path("out.position")).unwrap();
    // Who takes away what was written begins anew.
    fs::remove_file(scene.path("out.partial")).unwrap();
    scene.run(&export).await.unwrap();
    assert_eq!(scene.read("out"), pages.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>());
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn no_file_is_replaced_unless_that_is_meant_and_no_file_of_the_store_ever() {
    let scene = Scene::set().await;
    let export = scene.export(Format::Json);
    fs::write(scene.path("out"), "mine").unwrap();
    assert!(message(scene.run(&export).await).contains("is there already"));
    // One that came meanwhile.
    fs::remove_file(scene.path("out")).unwrap();
    scene.cut_off(&export, &pages(&export).await).await;
    let place = Place::of(&scene.path("out"), scene.store.path(), false).unwrap();
    let Opened::Partial(whole) = Partial::open(place, Begun::of(&export), false).unwrap() else { panic!() };
    let place = || Place::of(&scene.path("out"), scene.store.path(), false).unwrap();
    let second = Partial::open(place(), Begun::of(&export), false).unwrap_err();
    assert!(second.message().unwrap().contains("another export writes to it"), "{second:?}");
    fs::write(scene.path("out"), "mine").unwrap();
    assert!(message(whole.put_in_place()).contains("is there already"));
    assert_eq!(scene.left(), ["out", "out.partial", "out.position"]);
    scene.run_with(&export, (true, false)).await.unwrap();
    assert_eq!(scene.left(), ["out"]);
    for name in ["app.db", "app.db-wal", "app.db-lock"] {
        let refused = Place::of(&scene.path(name), scene.store.path(), true).unwrap_err();
        assert!(refused.message().unwrap().contains("a file of the store"), "{name}");
    }
    let folder = scene.folder.path();
    let refused = Place::of(folder, scene.store.path(), true)
        .and_then(|place| Partial::open(place, Begun::of(&export), false).map(drop));
    assert!(message(refused).contains("is no file"));
    scene.store.close().await.unwrap();
}
