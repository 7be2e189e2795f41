//! What `syncline schema rust|typescript|json` prints: the same as stands in `tests/schemas/types`, code that compiles,
//! and a JSON Schema that takes what is really exported and nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use syncline::schema::{Element, ElementKind, Field, FieldKind, Managed, Model, Scalar, Schema};
use syncline::{Options, Record, Store};

use crate::support::Bed;
use crate::support::program::{ok, run, text};

/// What a build script writes and includes.
mod generated {
    macro_rules! generated {
        ($($name:ident: $file:literal,)*) => {
            $(pub(super) mod $name { include!(concat!("../schemas/types/", $file)); })*

            pub(super) const FILES: &[(&str, &str)] = &[$((stringify!($name), $name::SDL)),*];
        };
    }

    generated! {
        school: "school.rust",
        shop: "shop.rust",
        todo: "todo.rust",
    }
}

use generated::{school, shop, todo};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Names of the good schemas.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(schemas()).unwrap().map(|entry| entry.unwrap().path());
    let good = files.filter(|path| path.extension().is_some_and(|extension| extension == "graphql"));
    let mut names: Vec<String> = good.map(|path| text(Path::new(path.file_stem().unwrap()))).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names
}

fn source(name: &str) -> String {
    std::fs::read_to_string(schemas().join(format!("{name}.graphql"))).unwrap()
}

fn parsed(name: &str) -> Schema {
    syncline::schema::parse(name, &source(name)).unwrap().schema
}

fn printed(language: &str, name: &str) -> String {
    let file = text(&schemas().join(format!("{name}.graphql")));
    ok(["schema", language, &file]).text().to_owned()
}

/// Compares with the file in `types`; `UPDATE_EXPECTED=1` writes it anew, for reading in the diff.
fn compare(language: &str, name: &str, extension: &str) {
    let printed = printed(language, name);
    let path = schemas().join("types").join(format!("{name}.{extension}"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(printed == expected, "schema {language} {name} prints something else than {}", path.display());
}

#[test]
fn types_of_every_schema_are_as_they_were_read_and_approved() {
    for name in names() {
        compare("typescript", &name, "ts");
        compare("json", &name, "json");
    }
    for (name, sdl) in generated::FILES {
        compare("rust", name, "rust");
        assert_eq!(*sdl, source(name), "the text of {name} survives as a literal");
    }
}

/// A file with the line ends of Windows was printed as a raw string, in which the compiler drops the carriage returns:
/// the constant was not the file's text.
#[test]
fn the_text_of_a_schema_keeps_its_carriage_returns() {
    let bed = Bed::new();
    let file = bed.path("dos.graphql");
    std::fs::write(&file, "type Todo @model {\r\n  title: String!\r\n}\r\n").unwrap();
    let said = ok(["schema", "rust", &text(&file)]);
    let literal = r#""type Todo @model {\r\n  title: String!\r\n}\r\n""#;
    assert!(said.text().contains(literal), "{}", said.text());
}

#[test]
fn rust_is_printed_for_every_schema_whatever_its_names() {
    let mut files: Vec<PathBuf> = names().iter().map(|name| schemas().join(format!("{name}.graphql"))).collect();
    files.push(schemas().join("../../crates/syncline-macros/tests/names.graphql"));
    for file in files {
        let said = ok(["schema", "rust", &text(&file)]);
        assert!(said.text().contains("pub const SDL"), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_types_of_a_build_script_take_records_as_those_of_the_macro_do() {
    let bed = Bed::new();
    let store = Store::open(bed.path("todo.db"), todo::SDL).await.unwrap();
    let task = store.save(&todo::Task::new("Buy milk")).await.unwrap().record;
    let task = store.increment(&task.id, todo::task::minutes_spent, 20).await.unwrap().record;
    let task = store.add(&task.id, todo::task::moods, todo::Mood::Keen).await.unwrap().record;
    assert_eq!((task.minutes_spent, task.moods), (20, vec![todo::Mood::Keen]));

    let store = Store::open(bed.path("shop.db"), shop::SDL).await.unwrap();
    let product = shop::Product::new("w1", "A-7", "Bolt", 0.5);
    store.save(&product).await.unwrap();
    let found = store.get::<shop::Product>(&shop::Product::key_of("w1", "A-7")).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.currency), ("Bolt", shop::Currency::Eur));

    let store = Store::open(bed.path("school.db"), school::SDL).await.unwrap();
    let course = store.save(&school::Course::new("Botany")).await.unwrap().record;
    store.save(&school::Student::new(7, "Ada")).await.unwrap();
    store.link(&course.id, school::course::students, &school::Student::key_of(7)).await.unwrap();
    let students = store.related(&course.id, school::course::students).await.unwrap();
    assert_eq!(students.iter().map(|student| student.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_schema_takes_every_exported_record_and_no_broken_one() {
    let mut broken = 0;
    for name in names() {
        let (bed, schema) = (Bed::new(), parsed(&name));
        let db = bed.path("app.db");
        fill(&db, &source(&name), &schema).await;
        let checked: Value = serde_json::from_str(&printed("json", &name)).unwrap();
        let lines = ok(["export", &text(&db)]).lines();
        assert_eq!(lines.len(), 2 * schema.models.len(), "{name}");
        for line in lines {
            fits(&checked, &checked, &line).unwrap_or_else(|fault| panic!("{name}: {fault}: {line}"));
        }
        for model in &schema.models {
            let definition = &checked["$defs"][&model.name];
            for record in ok(["export", &text(&db), &model.name]).lines() {
                fits(&checked, definition, &record).unwrap_or_else(|fault| panic!("{name}: {fault}: {record}"));
                for (what, wrong) in breakages(model, &record) {
                    assert!(fits(&checked, definition, &wrong).is_err(), "{name}: {what} passes: {wrong}");
                    broken += 1;
                }
            }
        }
    }
    assert!(broken > 500, "only {broken} records were broken");
}

/// A store is opened with a schema that demands more than the one before. Its records have no value there, or null
/// among the elements of a list, and show it: to a reader who trusts the types, that must not come as a surprise.
#[tokio::test(flavor = "multi_thread")]
async fn the_json_schema_takes_records_that_are_older_than_what_it_demands() {
    let bed = Bed::new();
    let (db, file) = (bed.path("app.db"), bed.path("new.graphql"));
    let older = "type Todo @model { title: String! tags: [String] steps: [Step] } type Step { text: String }";
    let store = Store::open(&db, older).await.unwrap();
    let milk = json!({ "title": "Milk", "tags": ["a", null], "steps": [null, { "text": null }] });
    store.save_json("Todo", milk.as_object().unwrap().clone()).await.unwrap();
    store.close().await.unwrap();
    let newer = "type Todo @model { title: String! tags: [String!] steps: [Step!]! rank: Int! mood: Mood! }
                 type Step { text: String! } enum Mood { GOOD BAD }";
    std::fs::write(&file, newer).unwrap();
    Store::open(&db, newer).await.unwrap().close().await.unwrap();
    let checked = ok(["schema", "json", &text(&file)]).json();
    let record = ok(["export", &text(&db)]).json();
    assert_eq!((&record["rank"], &record["mood"]), (&Value::Null, &Value::Null));
    assert_eq!((&record["tags"], &record["steps"]), (&milk["tags"], &milk["steps"]));
    fits(&checked, &checked, &record).unwrap();
}

const USE_OF_TODO: &str = r#"
import type { Exported, Found, Step, Task, TaskInput, TaskKey, TaskPatch, TaskRelations } from "./todo";

const input: TaskInput = { heading: "Buy milk", moods: ["KEEN"], steps: [{ text: "go" }], list: { id: "groceries" } };
const patch: TaskPatch = { notes: null, place: { position: { lat: 1.5 } }, createdAt: "2024-05-31T17:30Z" };
const key: TaskKey = { id: "a" };
export function words(task: Task & TaskRelations & Partial<Found>): string[] {
  const minutes: number = task.minutesSpent;
  const labels: string[] = task.labels;
  const step: string | null | undefined = task.steps?.[0]?.text;
  const list: string | null | undefined = task.list?.name;
  return [task.heading ?? "", String(minutes), ...labels, step ?? "", list ?? "", task["~snippet"] ?? ""];
}
export function heading(line: Exported): string | null {
  return line.__typename === "Task" ? line.heading : null;
}
// @ts-expect-error: a save demands it
const none: TaskInput = {};
// @ts-expect-error: no such value
const wrong: TaskInput = { heading: "x", moods: ["BORED"] };
// @ts-expect-error: it cannot become null
const emptied: TaskPatch = { heading: null };
// @ts-expect-error: a record may be older than the field
const certain: (task: Task) => string = (task) => task.heading;
// @ts-expect-error: an older schema may have left it empty
const elements: (task: Task) => Step[] = (task) => task.steps ?? [];
// @ts-expect-error: no such field
const unknown: TaskPatch = { headline: "x" };
export { input, patch, key, none, wrong, emptied, certain, elements, unknown };
"#;

/// Without `tsc` on the machine the files are only compared with those that were checked where there is one.
#[test]
fn typescript_takes_what_fits_and_refuses_what_does_not() {
    if Command::new("tsc").arg("--version").output().is_err() {
        return;
    }
    let bed = Bed::new();
    let mut check = Command::new("tsc");
    check.args(["--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"]);
    for name in names() {
        std::fs::write(bed.path(&format!("{name}.ts")), printed("typescript", &name)).unwrap();
        check.arg(bed.path(&format!("{name}.ts")));
    }
    let names = schemas().join("../../crates/syncline-macros/tests/names.graphql");
    std::fs::write(bed.path("names.ts"), ok(["schema", "typescript", &text(&names)]).text()).unwrap();
    std::fs::write(bed.path("use.ts"), USE_OF_TODO).unwrap();
    let said = check.arg(bed.path("names.ts")).arg(bed.path("use.ts")).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn a_schema_without_types_is_refused_at_its_place() {
    let bad = text(&schemas().join("bad/syntax_typo.graphql"));
    for language in ["rust", "typescript", "json"] {
        let said = run(["schema", language, &bad]);
        assert_eq!((said.code, said.out.len()), (1, 0), "{said:?}");
        assert!(said.err.contains("syntax_typo.graphql:"), "{said:?}");
        let said = run(["schema", language, "no/such.graphql"]);
        assert_eq!((said.code, said.out.len()), (1, 0), "{said:?}");
        assert!(said.err.contains("no/such.graphql"), "{said:?}");
        assert_eq!(run(["schema", language]).code, 2);
    }
}

/// Two records of each model: one with a value in every field, and one with what a save demands.
async fn fill(db: &Path, sdl: &str, schema: &Schema) {
    let store = Store::open(db, Options::new(sdl)).await.unwrap();
    for model in &schema.models {
        let records = vec![record(schema, model, 1, |_| true), record(schema, model, 2, |field| field.required)];
        for imported in store.import_json(&model.name, records).await.unwrap() {
            imported.unwrap();
        }
    }
    store.close().await.unwrap();
}

fn record(schema: &Schema, model: &Model, number: i64, has: impl Fn(&Field) -> bool) -> Record {
    let given = model.fields.iter().filter(|field| match field.managed {
        Managed::No | Managed::Owner => has(field) || model.is_key_field(&field.name),
        Managed::Id | Managed::CreatedAt | Managed::UpdatedAt => model.is_key_field(&field.name),
    });
    given.map(|field| (field.name.clone(), example(schema, &field.kind, number))).collect()
}

fn example(schema: &Schema, kind: &FieldKind, number: i64) -> Value {
    match kind {
        FieldKind::Scalar(scalar) => example_of(*scalar, number),
        FieldKind::Counter => json!(number),
        FieldKind::Text { .. } => json!(format!("text {number}")),
        FieldKind::Enum(name) => json!(schema.enum_type(name).unwrap().values[0]),
        FieldKind::Set(element) => json!([element_of(schema, element, number)]),
        FieldKind::List(element) if element.required => json!([element_of(schema, element, number)]),
        FieldKind::List(element) => json!([element_of(schema, element, number), null]),
        FieldKind::Embedded(name) => embedded(schema, name, number),
    }
}

fn element_of(schema: &Schema, element: &Element, number: i64) -> Value {
    match &element.kind {
        ElementKind::Scalar(scalar) => example_of(*scalar, number),
        ElementKind::Enum(name) => json!(schema.enum_type(name).unwrap().values[0]),
        ElementKind::Embedded(name) => embedded(schema, name, number),
    }
}

/// A value whose optional fields are there in every other record.
fn embedded(schema: &Schema, name: &str, number: i64) -> Value {
    let fields = schema.embedded_type(name).unwrap().fields.iter();
    let given = fields.filter(|field| field.required || number == 1);
    Value::Object(given.map(|field| (field.name.clone(), example(schema, &field.kind, number))).collect())
}

fn example_of(scalar: Scalar, number: i64) -> Value {
    match scalar {
        Scalar::Id | Scalar::String => json!(format!("text {number}")),
        Scalar::Int => json!(number),
        Scalar::Float => json!(number as f64 + 0.5),
        Scalar::Boolean => json!(number == 1),
        Scalar::Date => json!("2024-05-31"),
        Scalar::Time => json!("17:30"),
        Scalar::DateTime => json!("2024-05-31T17:30Z"),
        Scalar::Timestamp => json!(1_717_176_600),
        Scalar::Email => json!("ada@example.org"),
        Scalar::Json => json!({ "a": [number, null] }),
        Scalar::Url => json!("https://example.org/a"),
        Scalar::Phone => json!("+49 30 901820"),
        Scalar::IpAddress => json!("192.0.2.1"),
    }
}

/// Ways to break a record, each with its name: a member that is missing, of another type, or unknown.
fn breakages(model: &Model, record: &Value) -> Vec<(String, Value)> {
    let whole = record.as_object().unwrap();
    let mut broken = Vec::new();
    let mut note = |what: String, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut wrong = whole.clone();
        change(&mut wrong);
        broken.push((what, Value::Object(wrong)));
    };
    for field in &model.fields {
        note(format!("no {}", field.name), &|record| drop(record.shift_remove(&field.name)));
        if field.kind != FieldKind::Scalar(Scalar::Json) {
            note(format!("an object in {}", field.name), &|record| record[&field.name] = json!({ "~wrong": 1 }));
        }
    }
    note("a member more".to_owned(), &|record| drop(record.insert("~more".to_owned(), Value::Null)));
    note("another model's name".to_owned(), &|record| drop(record.insert("__typename".to_owned(), json!("~other"))));
    broken
}

/// Whether a value fits a JSON Schema, as far as the program uses the language: another keyword is a failure.
fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let faults = schema.as_object().unwrap().iter().filter_map(|(keyword, rule)| {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "description" | "default" => true,
            "$ref" => {
                let there = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                return fits(root, there, value).err();
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|one| fits(root, one, value).is_ok()),
            "type" => match rule.as_array() {
                Some(any) => any.iter().any(|one| is_of_type(one, value)),
                None => is_of_type(rule, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                return items.find_map(|item| fits(root, rule, item).err());
            }
            "uniqueItems" => {
                value.as_array().is_none_or(|items| (1..items.len()).all(|at| !items[..at].contains(&items[at])))
            }
            "properties" => {
                let mut members = value.as_object().into_iter().flatten();
                return members.find_map(|(name, member)| fits(root, rule.get(name)?, member).err());
            }
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                assert_eq!(rule, false);
                value.as_object().into_iter().flatten().all(|(name, _)| schema["properties"].get(name).is_some())
            }
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        (!holds).then(|| format!("{value} does not fit {keyword} {rule}"))
    });
    faults.into_iter().next().map_or(Ok(()), Err)
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type `{other}`"),
    }
}
