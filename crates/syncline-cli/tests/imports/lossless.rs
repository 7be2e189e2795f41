//! What an export holds, an import makes again: whatever the schema, in every format.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use syncline::{Expand, Mark, Options, Record, Store};

use crate::support::{Bed, ok};

const SDL: &str = r#"
enum Color { RED GREEN }
type Geo { lat: Float! lon: Float note: String }
type Place { street: String geo: Geo color: Color tags: [String] spots: [Geo] extra: AWSJSON }
type Thing @model @auth(rules: [{ allow: owner }]) {
  id: ID!
  word: String
  other: ID
  number: Int
  float: Float
  truth: Boolean
  date: AWSDate
  time: AWSTime
  moment: AWSDateTime
  stamp: AWSTimestamp
  email: AWSEmail
  extra: AWSJSON
  url: AWSURL
  phone: AWSPhone
  ip: AWSIPAddress
  color: Color
  place: Place
  words: [String]
  numbers: [Int!]
  floats: [Float]
  extras: [AWSJSON]
  colors: [Color]
  places: [Place]
  labels: [String!] @set
  marks: [Int!] @set
  sizes: [Float!] @set
  votes: Int @counter
  body: String @text
  rich: String @text(rich: true)
  second: String @text(rich: true)
  best: Int @merge(with: max)
  given: String! @default(value: "as ever")
  parts: [Part] @hasMany
  kinds: [Kind] @manyToMany(relationName: "ThingKinds")
}
type Part @model { id: ID! name: String! thing: Thing @belongsTo }
type Kind @model(timestamps: { createdAt: "made", updatedAt: "touched" }) {
  id: ID!
  name: String!
  things: [Thing] @manyToMany(relationName: "ThingKinds")
}
type Stock @model {
  warehouse: ID! @primaryKey(sortKeyFields: ["shelf"])
  shelf: Int!
  note: String @text
  rich: String @text(rich: true)
  amounts: [Int]
  left: Int @counter
}
type Draft @model @local { id: ID! text: String labels: [String!] @set }
"#;

/// Texts that formats like to lose: empty ones, quotation marks, line ends, what looks like something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "\"",
            "\"\"",
            "\"\"\"",
            "null",
            "1",
            " ",
            "a,b",
            "\r\n",
            "\n",
            "é\u{1f600}",
            "'",
            "[1]",
            "\\N",
            "=1"
        ])
        .prop_map(str::to_owned),
        "[ -~äß\n\r\t,\"]{0,12}",
    ]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -3..3_i64, Just(i64::MAX), Just(i64::MIN)]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>().prop_filter("finite", |float| float.is_finite()), Just(-0.0), Just(7.0), Just(1e300)]
}

/// Any JSON; a string that is given to an AWSJSON field is JSON text.
fn free() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        int().prop_map(Value::from),
        float().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let any = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((text(), inner), 0..3).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    any.prop_map(|value| if value.is_string() || value.is_null() { value.to_string().into() } else { value })
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(values).prop_map(Value::from)
}

fn value<S: Strategy<Value: Into<Value> + 'static> + 'static>(strategy: S) -> BoxedStrategy<Value> {
    strategy.prop_map(Into::into).boxed()
}

fn list(element: BoxedStrategy<Value>, nulls: bool) -> BoxedStrategy<Value> {
    let element = if nulls { prop_oneof![1 => Just(Value::Null), 3 => element].boxed() } else { element };
    vec(element, 0..4).prop_map(Value::from).boxed()
}

fn record(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| {
            prop_oneof![1 => Just(None), 3 => value.prop_map(Some)].prop_map(move |value| (name, value))
        })
        .collect();
    fields
        .prop_map(|fields| {
            Value::Object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
        })
        .boxed()
}

fn color() -> BoxedStrategy<Value> {
    one_of(&["RED", "GREEN"]).boxed()
}

fn geo() -> BoxedStrategy<Value> {
    (float(), of(float()), of(text()))
        .prop_map(|(lat, lon, note)| json!({"lat": lat, "lon": lon, "note": note}))
        .boxed()
}

fn place() -> BoxedStrategy<Value> {
    record(vec![
        ("street", value(text())),
        ("geo", geo()),
        ("color", color()),
        ("tags", list(value(text()), true)),
        ("spots", list(geo(), true)),
        ("extra", free().boxed()),
    ])
}

fn thing() -> BoxedStrategy<Value> {
    record(vec![
        ("word", value(text())),
        ("other", value(text())),
        ("number", value(int())),
        ("float", value(float())),
        ("truth", value(any::<bool>())),
        ("date", one_of(&["2024-02-29", "1970-01-01Z", "2024-05-31+02:00", "2024-05-31-07:00"]).boxed()),
        ("time", one_of(&["17:30", "17:30:00.123", "17:30:00Z", "00:00:00+05:30"]).boxed()),
        ("moment", one_of(&["2024-05-31T17:30Z", "2024-05-31T17:30:00.123456Z", "2024-05-31T17:30:00+02:00"]).boxed()),
        ("stamp", value(-9_999_999_999..9_999_999_999_i64)),
        ("email", one_of(&["ada@example.org"]).boxed()),
        ("extra", free().boxed()),
        ("url", one_of(&["https://example.org/a?b=c,d"]).boxed()),
        ("phone", one_of(&["+49 30 901820"]).boxed()),
        ("ip", one_of(&["192.0.2.1", "2001:db8::1/64"]).boxed()),
        ("color", color()),
        ("place", place()),
        ("words", list(value(text()), true)),
        ("numbers", list(value(int()), false)),
        ("floats", list(value(float()), true)),
        ("extras", list(free().boxed(), true)),
        ("colors", list(color(), true)),
        ("places", list(place(), true)),
        ("labels", list(value(text()), false)),
        ("marks", list(value(int()), false)),
        ("sizes", list(value(float()), false)),
        ("votes", value(-99..99_i64)),
        ("body", value(text())),
        ("rich", value(text())),
        ("second", value(text())),
        ("best", value(int())),
        ("given", value(text())),
        ("owner", value("[a-z]{1,4}")),
        ("createdAt", one_of(&["2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00Z"]).boxed()),
    ])
}

fn stock() -> BoxedStrategy<Value> {
    let rest = record(vec![
        ("note", value(text())),
        ("rich", value(text())),
        ("amounts", list(value(int()), true)),
        ("left", value(-9..9_i64)),
    ]);
    ("[a-c,\" ]{1,3}", -2..2_i64, rest)
        .prop_map(|(warehouse, shelf, mut rest)| {
            rest["warehouse"] = warehouse.into();
            rest["shelf"] = shelf.into();
            rest
        })
        .boxed()
}

fn object(value: &Value) -> Record {
    value.as_object().unwrap().clone()
}

/// A store with these records, some of them edited, marked, linked, deleted, brought back.
async fn fill(db: &str, things: &[Value], stocks: &[Value]) {
    let store = Store::open(db, Options::new(SDL)).await.unwrap();
    let kind = store.save_json("Kind", object(&json!({"name": "kind"}))).await.unwrap().record;
    for (n, thing) in things.iter().enumerate() {
        let saved = store.save_json("Thing", object(thing)).await.unwrap().record;
        let id = saved["id"].as_str().unwrap();
        let part = json!({"name": format!("part {n}"), "thing": {"id": id}});
        store.save_json("Part", object(&part)).await.unwrap();
        let link = json!({"thing": {"id": id}, "kind": {"id": kind["id"]}});
        store.save_json("ThingKinds", object(&link)).await.unwrap();
        store.increment_json("Thing", id, "votes", 3).await.unwrap();
        store.update_json("Thing", id, object(&json!({"rich": "Hello you,\n\"all\""}))).await.unwrap();
        let bold = Mark::new("bold", true).expanding(Expand::Both);
        store.mark_json("Thing", id, "rich", n..n + 4, bold).await.unwrap();
        store.mark_json("Thing", id, "rich", 2..9, Mark::new("link", "https://example.org/?a=\"b\"")).await.unwrap();
        match n % 4 {
            1 => drop(store.delete_json("Thing", id).await.unwrap()),
            2 => {
                store.delete_json("Thing", id).await.unwrap();
                store.undelete_json("Thing", id).await.unwrap();
            }
            _ => {}
        }
    }
    for stock in stocks {
        let saved = store.save_json("Stock", object(stock)).await.unwrap().record;
        let key = json!({"warehouse": saved["warehouse"], "shelf": saved["shelf"]}).to_string();
        let text = saved["rich"].as_str().unwrap_or_default().chars().count();
        if text > 0 {
            store.mark_json("Stock", &key, "rich", 0..text, Mark::new("size", 3)).await.unwrap();
        }
    }
    store.save_json("Draft", object(&json!({"text": "", "labels": ["", "a"]}))).await.unwrap();
    store.close().await.unwrap();
}

const MODELS: [&str; 6] = ["Thing", "Part", "Kind", "ThingKinds", "Stock", "Draft"];

fn export(db: &str, model: &str, format: &str) -> String {
    ok(&["export", db, model, "--format", format]).out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_imported_into_a_new_store_exports_the_same_bytes(
        things in vec(thing(), 1..8),
        stocks in vec(stock(), 0..5),
    ) {
        let bed = Bed::new();
        let db = bed.text("one.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(fill(&db, &things, &stocks));
        let whole = ok(&["export", &db]).out;
        prop_assert!(whole.contains("~spans"));
        for format in ["ndjson", "json", "csv"] {
            let other = bed.store(&format!("{format}.db"), SDL);
            for model in MODELS {
                let content = export(&db, model, format);
                let file = bed.file(&format!("{model}.{format}"), &content);
                ok(&["import", &other, model, &file]);
                prop_assert_eq!(export(&other, model, format), content, "{}", format);
            }
            prop_assert_eq!(&ok(&["export", &other]).out, &whole, "{}", format);
            // What came in this way is the same as what is there: a second import finds nothing to change.
            for model in MODELS {
                let file = bed.text(&format!("{model}.{format}"));
                let counts = ok(&["import", &db, model, &file, "--json"]).json();
                let touched: Map<String, Value> = ["imported", "updated", "skipped"]
                    .iter()
                    .filter(|kind| counts[**kind] != json!(0) && model != "Draft")
                    .map(|kind| ((*kind).to_owned(), counts[*kind].clone()))
                    .collect();
                prop_assert!(touched.is_empty(), "{} {}: {:?}", format, model, counts);
            }
        }
    }
}

#[test]
fn deleted_records_are_not_exported_and_not_made_again() {
    let bed = Bed::new();
    let [one, other] = ["one.db", "other.db"].map(|name| bed.store(name, SDL));
    for name in ["kept", "gone"] {
        ok(&["save", &one, "Kind", &json!({"id": name, "name": name}).to_string()]);
    }
    ok(&["delete", &one, "Kind", "gone"]);
    let file = bed.file("kinds.json", export(&one, "Kind", "json"));
    ok(&["import", &other, "Kind", &file]);
    assert_eq!(ok(&["query", &other, "Kind", "--count"]).out.trim(), "1");
    assert_eq!(export(&other, "Kind", "csv").lines().count(), 2);
}

#[test]
fn an_export_of_several_models_is_one_json_file_and_a_csv_asks_for_the_model() {
    let bed = Bed::new();
    let db = bed.store("one.db", SDL);
    let whole = ok(&["export", &db, "--format", "json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), json!([]));
    ok(&["save", &db, "Kind", r#"{"name":"a"}"#]);
    ok(&["save", &db, "Draft", r#"{"text":"b"}"#]);
    let whole: Value = serde_json::from_str(&ok(&["export", &db, "--format", "json"]).out).unwrap();
    assert_eq!((&whole[0]["__typename"], &whole[1]["__typename"]), (&json!("Kind"), &json!("Draft")));
    let said = crate::support::run(&["export", &db, "--format", "csv"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("export DB MODEL"), "{}", said.err);
}

#[test]
fn marks_that_do_not_belong_to_their_text_are_refused_by_row_and_field() {
    let bed = Bed::new();
    let db = bed.store("one.db", SDL);
    let rows = [
        json!({"rich": "abc", "~spans": {"rich": [{"text": "abd", "marks": {}}]}}),
        json!({"rich": "abc", "~spans": {"body": []}}),
        json!({"rich": "abc", "~spans": {"rich": [{"text": "abc", "marks": {"bold": [1]}}]}}),
        json!({"rich": "abc", "~spans": 7}),
    ];
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let said = crate::support::run(&["import", &db, "Thing", &bed.file("things.ndjson", lines)]);
    assert_eq!(said.code, 1);
    for named in [
        "row 1 (line 1), ~spans.rich: ",
        "row 2 (line 2), ~spans.body: ",
        "row 3 (line 3), ~spans.rich: ",
        "row 4 (line 4), ~spans: ",
    ] {
        assert!(said.err.contains(named), "{named}: {}", said.err);
    }
}
