//! Queries against real SQLite tables, beside the plain evaluation.

mod aggregates;
mod datastore;
mod includes;
mod laws;
mod pages;
mod plans;
mod related_laws;
mod relations;
mod searches;
mod where_texts;

use rusqlite::Connection;
use serde_json::{Map, Value, json};
use syncline_core::record::{SqlValue, column_values};
use syncline_schema::Schema;

use super::{Query, create_table_sql};

pub(super) fn schema() -> Schema {
    let sdl = r#"
        enum Status { OPEN SHUT }
        type Geo { lat: Float on: Boolean }
        type Address { city: String zip: Int geo: Geo lines: [String] }
        type Todo @model {
            id: ID!
            title: String
            priority: Int @index(name: "byPriority", sortKeyFields: ["title"])
            weight: Float @index(name: "byWeight")
            done: Boolean
            due: AWSDate
            at: AWSTimestamp
            meta: AWSJSON
            status: Status @index(name: "byStatus", sortKeyFields: ["at", "weight"])
            votes: Int @counter
            body: String @text
            address: Address
            tags: [String!] @set
            sizes: [Float!] @set
            numbers: [Int]
            flags: [Boolean]
            states: [Status]
        }
        type Seat @model {
            room: String! @primaryKey(sortKeyFields: ["number"])
            number: Int!
            title: String
        }
        type Note @model {
            title: String @fulltext
            body: String @text @fulltext
            stars: Int @index(name: "byStars")
        }
        type Haiku @model {
            text: String @fulltext(tokenize: "trigram")
            note: String @fulltext
        }
    "#;
    syncline_schema::parse("test.graphql", sdl).unwrap().schema
}

/// A database with the tables of the schema and these records of a model.
pub(super) fn database(schema: &Schema, model: &str, records: &[Map<String, Value>]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    super::register_functions(&db).unwrap();
    for model in &schema.models {
        create_table_sql(schema, model).iter().for_each(|sql| db.execute_batch(sql).unwrap());
        super::relation_index_sql(schema, model).iter().for_each(|(_, sql)| db.execute_batch(sql).unwrap());
    }
    fill(&db, schema, model, records);
    db
}

/// Puts records of a model into its table.
pub(super) fn fill(db: &Connection, schema: &Schema, model: &str, records: &[Map<String, Value>]) {
    let model = schema.model(model).unwrap();
    let places = vec!["?"; model.fields.len()].join(", ");
    let mut insert = db.prepare(&format!("INSERT INTO \"{}\" VALUES(NULL, {places})", model.name)).unwrap();
    for record in records {
        super::bind(&mut insert, &column_values(model, record)).unwrap();
        insert.raw_execute().unwrap();
    }
    if model.fields.iter().any(|field| field.fulltext) {
        let index = super::sql::quoted(&format!("syncline_{}_fulltext", model.name));
        db.execute_batch(&format!("INSERT INTO {index}({index}) VALUES('rebuild')")).unwrap();
    }
}

/// A record with these fields and null in the others.
pub(super) fn record_of(schema: &Schema, model: &str, fields: Value) -> Map<String, Value> {
    let model = schema.model(model).unwrap();
    let mut record: Map<String, Value> = model.fields.iter().map(|field| (field.name.clone(), Value::Null)).collect();
    record.extend(fields.as_object().unwrap().clone());
    record
}

/// A record of `Todo` with these fields and null in the others.
pub(super) fn todo(schema: &Schema, id: &str, fields: Value) -> Map<String, Value> {
    let mut record = record_of(schema, "Todo", fields);
    record.insert("id".to_owned(), json!(id));
    record
}

/// Ids of what a query finds, in its order.
pub(super) fn found(db: &Connection, schema: &Schema, query: &Query) -> Vec<String> {
    ids(&query.run(db, schema).unwrap().records)
}

pub(super) fn ids(records: &[Map<String, Value>]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_record_comes_back_as_it_went_in() {
    let schema = schema();
    let record = todo(
        &schema,
        "a",
        json!({
            "title": "é\u{0}\"'", "priority": i64::MIN, "weight": 2.0, "done": true, "meta": {"a": [1.5, null]},
            "address": {"city": "x", "zip": null, "geo": {"lat": 0.1, "on": false}, "lines": []},
            "tags": ["a"], "sizes": [], "numbers": [1, null], "flags": [true], "votes": 0, "body": "",
        }),
    );
    let db = database(&schema, "Todo", std::slice::from_ref(&record));
    assert_eq!(Query::new("Todo").run(&db, &schema).unwrap().records, [record]);
    let typed: String = db
        .query_row("SELECT typeof(priority) || typeof(weight) || typeof(done) || typeof(meta) FROM Todo", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(typed, "integerrealintegertext");
}

#[test]
fn a_row_is_found_by_its_number() {
    let schema = schema();
    let record = todo(&schema, "a", json!({"title": "x"}));
    let db = database(&schema, "Todo", std::slice::from_ref(&record));
    let model = schema.model("Todo").unwrap();
    assert_eq!(super::record_at(&db, model, 1).unwrap(), Some(record));
    assert_eq!(super::record_at(&db, model, 2).unwrap(), None);
}

#[test]
fn the_table_is_what_the_schema_says() {
    let schema = schema();
    let seat = create_table_sql(&schema, schema.model("Seat").unwrap());
    assert_eq!(
        seat,
        [
            r#"CREATE TABLE "Seat"(syncline_record INTEGER PRIMARY KEY, "room" TEXT, "number" INTEGER, "title" TEXT, "createdAt" TEXT, "updatedAt" TEXT)"#,
            r#"CREATE INDEX "Seat.syncline_key" ON "Seat"("room", "number")"#,
        ]
    );
    let todo = create_table_sql(&schema, schema.model("Todo").unwrap());
    assert_eq!(todo[1], r#"CREATE INDEX "Todo.syncline_key" ON "Todo"("id")"#);
    assert_eq!(todo[2], r#"CREATE INDEX "Todo.byPriority" ON "Todo"("priority", "title")"#);
}

#[test]
fn an_unknown_model_is_refused_with_the_nearest_name() {
    let schema = schema();
    let error = Query::new("Todos").compile(&schema).unwrap_err();
    assert_eq!(error.to_string(), "the schema has no model `Todos`; did you mean `Todo`?");
}

#[test]
fn values_reach_sqlite_as_parameters_only() {
    let schema = schema();
    let query = Query {
        condition: syncline_core::filter::Filter::eq("title", "x\"'; DROP TABLE Todo").into(),
        limit: Some(3),
        ..Query::new("Todo")
    };
    let compiled = query.compile(&schema).unwrap();
    assert!(compiled.sql.ends_with(r#"FROM "Todo" WHERE "title" IS ? ORDER BY "id" LIMIT ?"#), "{}", compiled.sql);
    assert_eq!(compiled.params, [SqlValue::Text("x\"'; DROP TABLE Todo".into()), SqlValue::Integer(3)]);
}
