//! Rows as AppSync's queries and DynamoDB's exports give them.

use serde_json::{Value, json};

use crate::support::{Bed, ok, run};

const BLOG: &str = r#"
type Blog @model @auth(rules: [{ allow: owner }]) {
  id: ID!
  name: String!
  version: Int
  deleted: Boolean
  posts: [Post] @hasMany(indexName: "byBlog", fields: ["id"])
}
type Post @model {
  id: ID!
  title: String!
  status: Status
  place: Place
  extra: AWSJSON
  tags: [String]
  blogID: ID @index(name: "byBlog", sortKeyFields: ["title"])
  blog: Blog @belongsTo(fields: ["blogID"])
  comments: [Comment] @hasMany
  topics: [Topic] @manyToMany(relationName: "PostTopics")
}
type Comment @model { id: ID! text: String! post: Post @belongsTo }
type Topic @model { id: ID! name: String! posts: [Post] @manyToMany(relationName: "PostTopics") }
type Place { city: String lat: Float }
type Order @model { id: ID! items: [String] data: AWSJSON _version: Int Item: String }
enum Status { DRAFT PUBLISHED }
"#;

/// A post as Amplify's own list query asks for it.
fn post(id: &str, title: &str) -> Value {
    json!({
        "id": id, "title": title, "status": "DRAFT", "tags": ["a", null],
        "place": {"city": "Bonn", "lat": 50.7, "__typename": "Place"},
        "extra": "{\"a\":[1,2]}",
        "blogID": "b1", "blog": {"id": "b1", "name": "News", "_version": 2, "_deleted": null, "__typename": "Blog"},
        "comments": {"items": [{"id": "c1", "text": "x"}, {"id": "c2", "text": "y"}], "nextToken": "more",
                     "startedAt": 17, "__typename": "ModelCommentConnection"},
        "topics": {"nextToken": null, "startedAt": null, "__typename": "ModelPostTopicsConnection"},
        "createdAt": "2024-03-01T10:00:00.000Z", "updatedAt": "2024-03-02T11:30:00.500Z",
        "_version": 3, "_deleted": null, "_lastChangedAt": 1_709_379_000_512_u64, "_ttl": null, "__typename": "Post",
    })
}

fn answer(query: &str, items: &[Value], next: Value) -> Value {
    json!({"data": {query: {"items": items, "nextToken": next, "startedAt": 1_709_379_000_000_u64,
                            "__typename": "ModelPostConnection"}}})
}

fn deleted(id: &str) -> Value {
    let mut row = post(id, "gone");
    row["_deleted"] = true.into();
    row["_ttl"] = 1_711_971_000.into();
    row
}

#[test]
fn an_answer_of_a_list_query_imports_as_it_is() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let rows = [post("p1", "One"), deleted("p2"), post("p3", "Three")];
    let file = bed.file("posts.json", answer("listPosts", &rows, Value::Null).to_string());
    let said = ok(&["import", &db, "Post", &file, "--json"]);
    let counts = said.json();
    assert_eq!(
        (&counts["rows"], &counts["imported"], &counts["deleted"], &counts["skipped"]),
        (&json!(3), &json!(2), &json!(1), &json!(0))
    );
    assert_eq!(counts["left_out"], json!({"comments": 4}));
    assert!(said.err.contains("marked as deleted 1") && said.err.contains("comments with 4 records"), "{}", said.err);
    assert!(!said.err.contains("warning"), "{}", said.err);
    let shown = ok(&["export", &db, "Post"]).lines();
    assert_eq!(shown.len(), 2);
    let expected = json!({
        "id": "p1", "title": "One", "status": "DRAFT", "place": {"city": "Bonn", "lat": 50.7}, "extra": {"a": [1, 2]},
        "tags": ["a", null], "blogID": "b1",
        "createdAt": "2024-03-01T10:00:00.000Z", "updatedAt": "2024-03-02T11:30:00.500Z",
    });
    assert_eq!(shown[0], expected);
    // The reference leads to the blog as soon as that is here.
    ok(&["save", &db, "Blog", r#"{"id":"b1","name":"News"}"#]);
    let with_blog = ok(&["query", &db, "Post", "--filter", r#"{"blog":{"name":{"eq":"News"}}}"#, "--count"]);
    assert_eq!(with_blog.out.trim(), "2");
}

#[test]
fn pages_arrays_and_lines_of_rows_are_the_same_records() {
    let bed = Bed::new();
    let rows: Vec<Value> = (0..7).map(|n| post(&format!("p{n}"), &format!("Post {n}"))).collect();
    let whole = answer("listPosts", &rows, Value::Null);
    let page = whole["data"]["listPosts"].clone();
    let two = [answer("syncPosts", &rows[..4], json!("x")), answer("syncPosts", &rows[4..], Value::Null)];
    let pretty = serde_json::to_string_pretty(&whole).unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let pages: String = two.iter().map(|page| format!("{page}\n")).collect();
    let files = [
        bed.file("whole.json", whole.to_string()),
        bed.file("pretty", pretty),
        bed.file("page.json", page.to_string()),
        bed.file("data.json", whole["data"].to_string()),
        bed.file("array.json", Value::from(rows).to_string()),
        bed.file("rows.ndjson", lines),
        bed.file("pages.ndjson", &pages),
        bed.file("pages.json", Value::from(two.to_vec()).to_string()),
        bed.file("joined.json", pages),
    ];
    let mut exports = Vec::new();
    for (n, file) in files.iter().enumerate() {
        let db = bed.store(&format!("{n}.db"), BLOG);
        let said = ok(&["import", &db, "Post", file, "--json"]);
        assert_eq!(said.json()["imported"], json!(7), "{file}");
        assert!(!said.err.contains("warning"), "{file}: {}", said.err);
        exports.push(ok(&["export", &db, "Post"]).out);
    }
    assert!(exports.iter().all(|export| *export == exports[0]));
}

#[test]
fn a_page_that_is_not_the_last_and_errors_of_a_query_are_told() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let file = bed.file("posts.json", answer("listPosts", &[post("p1", "One")], json!("eyJ2")).to_string());
    let said = ok(&["import", &db, "Post", &file]);
    assert!(said.err.contains("not the whole table") && said.err.contains("nextToken"), "{}", said.err);
    let refused = json!({"data": {"listPosts": null}, "errors": [{"message": "Not Authorized to access listPosts"}]});
    let said = ok(&["import", &db, "Post", &bed.file("refused.json", refused.to_string())]);
    assert!(said.err.contains("Not Authorized to access listPosts"), "{}", said.err);
}

#[test]
fn rows_of_another_model_are_not_taken_for_this_one() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let row = json!({"id": "c1", "text": "x", "__typename": "Comment", "_version": 1});
    let file = bed.file("comments.json", answer("listComments", &[row], Value::Null).to_string());
    let said = run(&["import", &db, "Post", &file]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no Post but Comment"), "{}", said.err);
    assert_eq!(ok(&["import", &db, "Comment", &file, "--json"]).json()["imported"], json!(1));
}

#[test]
fn what_the_schema_has_under_a_name_of_the_clouds_stays_data() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    // Two fields that are called as the cloud's columns but for the underscore.
    let blog = json!({"id": "b1", "name": "News", "version": 9, "deleted": true, "owner": "ada", "_version": 3,
                      "_deleted": false, "_lastChangedAt": 5});
    ok(&["import", &db, "Blog", &bed.file("blogs.json", json!([blog]).to_string())]);
    let shown = ok(&["get", &db, "Blog", "b1"]).json();
    assert_eq!((&shown["version"], &shown["deleted"], &shown["owner"]), (&json!(9), &json!(true), &json!("ada")));
    let blog = json!({"id": "b2", "name": "Only the cloud's", "_version": 3});
    ok(&["import", &db, "Blog", &bed.file("blogs.json", json!([blog]).to_string())]);
    assert_eq!(ok(&["get", &db, "Blog", "b2"]).json()["version"], Value::Null);

    let order = json!({"id": "o1", "items": ["a", "b"], "data": {"items": []}, "_version": 4, "Item": "x"});
    let alone = json!({"items": ["c"]});
    let file = bed.file("orders.ndjson", format!("{order}\n{alone}\n"));
    ok(&["import", &db, "Order", &file]);
    let list = json!([order, alone]).to_string();
    assert_eq!(ok(&["import", &db, "Order", &bed.file("o.json", list), "--json"]).json()["unchanged"], json!(2));
    let shown = ok(&["get", &db, "Order", "o1"]).json();
    for field in ["items", "data", "_version", "Item"] {
        assert_eq!(shown[field], order[field], "{field}");
    }
    // And in an answer of AppSync's as well.
    let other = bed.store("other.db", BLOG);
    let file = bed.file("answer.json", answer("listOrders", std::slice::from_ref(&order), Value::Null).to_string());
    ok(&["import", &other, "Order", &file]);
    let shown = ok(&["get", &other, "Order", "o1"]).json();
    for field in ["items", "data", "_version", "Item"] {
        assert_eq!(shown[field], order[field], "{field}");
    }
}

#[test]
fn faults_of_clouds_rows_are_named_by_row_and_field() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let mut rows = [post("p1", "One"), post("p2", "Two"), post("p3", "Three"), post("p4", "Four")];
    rows[2]["_deleted"] = json!("maybe");
    rows[1]["blog"] = json!({"name": "no key"});
    rows[1].as_object_mut().unwrap().remove("blogID");
    rows[0]["status"] = json!("LOST");
    rows[0]["place"]["__typename"] = json!("Elsewhere");
    rows[3]["blog"] = json!({"name": "its key stands in blogID"});
    let file = bed.file("posts.json", answer("listPosts", &rows, Value::Null).to_string());
    let said = run(&["import", &db, "Post", &file]);
    assert_eq!(said.code, 1);
    for named in [
        "row 3 (line 1), _deleted: expected true, false or null",
        "row 2 (line 1), blog.id: it is missing",
        "row 1 (line 1), status: ",
        "row 1 (line 1), place.__typename: ",
        "3 of 4 rows do not fit Post; nothing was imported",
    ] {
        assert!(said.err.contains(named), "{named}: {}", said.err);
    }
    let rejected = bed.text("rejected.ndjson");
    let said = ok(&["import", &db, "Post", &file, "--skip-invalid", "--rejected", &rejected, "--json"]);
    assert_eq!((&said.json()["imported"], &said.json()["skipped"]), (&json!(1), &json!(3)));
    assert_eq!(said.json()["left_out"]["blog"], json!(1));
    // What was rejected is corrected and imported.
    let corrected = std::fs::read_to_string(&rejected).unwrap();
    let lines: Vec<Value> = corrected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<&Value> = lines.iter().map(|line| &line["~rejected"]["row"]).collect();
    assert_eq!(numbers, [&json!(1), &json!(2), &json!(3)]);
    assert_eq!(
        (&lines[0]["~rejected"]["row"], &lines[0]["~rejected"]["faults"][0]["field"]),
        (&json!(1), &json!("status"))
    );
    let corrected = corrected
        .replace("\"maybe\"", "null")
        .replace("{\"name\":\"no key\"}", "{\"id\":\"b7\"}")
        .replace("LOST", "PUBLISHED")
        .replace("Elsewhere", "Place");
    let counts = ok(&["import", &db, "Post", &bed.file("corrected.ndjson", corrected), "--json"]).json();
    assert_eq!(counts["imported"], json!(3));
    assert_eq!(ok(&["get", &db, "Post", "p2"]).json()["blogID"], json!("b7"));
}

#[test]
fn rejected_rows_of_a_csv_keep_their_meaning() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let file = bed.file("blogs.csv", "id,name,version,_version\nb1,,7,1\nb2,Two,many,1\nb3,Three,3,1\n");
    let rejected = bed.text("rejected.ndjson");
    let counts = ok(&["import", &db, "Blog", &file, "--skip-invalid", "--rejected", &rejected, "--json"]).json();
    assert_eq!((&counts["imported"], &counts["skipped"]), (&json!(1), &json!(2)));
    let corrected = std::fs::read_to_string(&rejected).unwrap();
    let corrected = corrected.replace("\"name\":\"\"", "\"name\":\"One\"").replace("\"many\"", "\"12\"");
    ok(&["import", &db, "Blog", &bed.file("corrected.ndjson", corrected)]);
    let versions: Vec<Value> = ok(&["export", &db, "Blog"]).lines().iter().map(|row| row["version"].clone()).collect();
    assert_eq!(versions, [json!(7), json!(12), json!(3)]);
}

#[test]
fn rows_of_a_join_table_become_links_named_by_their_pair() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let link = |id: &str| {
        json!({"id": id, "postId": "p1", "topicId": "t1", "post": {"id": "p1", "title": "One", "__typename": "Post"},
               "topic": {"id": "t1", "name": "Rust"}, "_version": 1, "_deleted": null, "__typename": "PostTopics"})
    };
    let mut gone = link("l3");
    gone["_deleted"] = true.into();
    let file =
        bed.file("links.json", answer("listPostTopics", &[link("l1"), link("l2"), gone], Value::Null).to_string());
    let counts = ok(&["import", &db, "PostTopics", &file, "--json"]).json();
    assert_eq!(
        (&counts["imported"], &counts["unchanged"], &counts["deleted"]),
        (&json!(1), &json!(1), &json!(1)),
        "{counts}"
    );
    ok(&["save", &db, "Post", r#"{"id":"p1","title":"One"}"#]);
    ok(&["save", &db, "Topic", r#"{"id":"t1","name":"Rust"}"#]);
    let posts = ok(&["query", &db, "Post", "--include", "topics"]).lines();
    assert_eq!(posts[0]["topics"][0]["name"], json!("Rust"));
}

#[test]
fn exports_of_dynamodb_tables_import_as_they_are() {
    let bed = Bed::new();
    let db = bed.store("app.db", BLOG);
    let item = json!({
        "id": {"S": "p1"}, "title": {"S": "One"}, "status": {"S": "DRAFT"}, "blogID": {"S": "b1"},
        "place": {"M": {"city": {"S": "Bonn"}, "lat": {"N": "50.7"}}},
        "extra": {"M": {"a": {"L": [{"N": "1"}, {"BOOL": false}]}}},
        "tags": {"L": [{"S": "a"}, {"NULL": true}]}, "blogID#title": {"S": "b1#One"},
        "createdAt": {"S": "2024-03-01T10:00:00.000Z"}, "updatedAt": {"S": "2024-03-02T11:30:00.500Z"},
        "_version": {"N": "3"}, "_lastChangedAt": {"N": "1709379000512"}, "__typename": {"S": "Post"},
    });
    let mut gone = item.clone();
    gone["id"]["S"] = json!("p2");
    gone["_deleted"] = json!({"BOOL": true});
    gone["_ttl"] = json!({"N": "1711971000"});
    let mut word = item.clone();
    word["id"]["S"] = json!("p3");
    word["extra"] = json!({"S": "a word"});
    let lines = format!("{}\n{}\n{}\n", json!({"Item": item}), json!({"Item": gone}), json!({"Item": word}));
    let counts = ok(&["import", &db, "Post", &bed.file("table.ndjson", lines), "--json"]).json();
    assert_eq!((&counts["imported"], &counts["deleted"]), (&json!(2), &json!(1)));
    let shown = ok(&["get", &db, "Post", "p1"]).json();
    assert_eq!(shown["place"], json!({"city": "Bonn", "lat": 50.7}));
    assert_eq!(shown["extra"], json!({"a": [1, false]}));
    assert_eq!((&shown["tags"], &shown["updatedAt"]), (&json!(["a", null]), &json!("2024-03-02T11:30:00.500Z")));
    assert_eq!(ok(&["get", &db, "Post", "p3"]).json()["extra"], json!("\"a word\""));
    let scan = json!({"Items": [item], "Count": 1, "ScannedCount": 1, "ConsumedCapacity": null});
    let counts = ok(&["import", &db, "Post", &bed.file("scan.json", scan.to_string()), "--json"]).json();
    assert_eq!(counts["unchanged"], json!(1));
}

/// Every column with a `#` in its name was left out without a word, as that of an index over several fields is.
#[test]
fn a_column_that_only_looks_like_that_of_an_index_is_told() {
    let bed = Bed::new();
    let db = bed.store("app.db", "type Person @model { name: String! status: String }");
    let row = json!({"id": "p1", "name": "Ann", "status#createdAt": "new#2024", "status#name": "new#Ann"});
    bed.file("people.ndjson", row.to_string());
    ok(&["import", &db, "Person", &bed.text("people.ndjson")]);
    bed.file("contacts.csv", "id,name,Phone #\np2,Ben,+1 555 0100\n");
    let said = run(&["import", &db, "Person", &bed.text("contacts.csv")]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("Phone #"), "{}", said.err);
    assert_eq!(ok(&["query", &db, "Person", "--count"]).out.trim(), "1");
}
