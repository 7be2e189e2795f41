//! An Amplify Gen 1 project folder as a store.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{Bed, ok, run};

const BLOG: &str = r#"input AMPLIFY { globalAuthRule: AuthRule = { allow: public } }

type Post @model @auth(rules: [{ allow: owner, provider: userPools }, { allow: public, operations: [read] }]) {
  id: ID!
  title: String! @index(name: "byTitle", queryField: "postsByTitle")
  tags: [String]
  comments: [Comment] @hasMany
  topics: [Topic] @manyToMany(relationName: "PostTopics")
}
"#;

const REST: &str = r#"
type Comment @model { id: ID! text: String! post: Post @belongsTo }
type Topic @model { id: ID! name: String! @searchable posts: [Post] @manyToMany(relationName: "PostTopics") }
type Stock @model { warehouse: ID! @primaryKey(sortKeyFields: ["sku"]) sku: String! }
"#;

fn write(bed: &Bed, path: &str, content: &str) {
    let path = bed.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn project(bed: &Bed, rest: &str) -> String {
    write(bed, "app/amplify/backend/api/blog/schema/1-post.graphql", BLOG);
    write(bed, "app/amplify/backend/api/blog/schema/2-rest.graphql", rest);
    write(bed, "app/amplify/backend/api/rest/cli-inputs.json", "{}");
    let transform = json!({"Version": 5, "ResolverConfig": {
        "project": {"ConflictHandler": "AUTOMERGE", "ConflictDetection": "VERSION"},
        "models": {"Comment": {"ConflictHandler": "LAMBDA", "ConflictDetection": "VERSION"}},
    }});
    write(bed, "app/amplify/backend/api/blog/transform.conf.json", &transform.to_string());
    write(bed, "app/amplify/cli.json", r#"{"features":{"graphqltransformer":{"transformerversion":2}}}"#);
    bed.text("app")
}

fn without_searchable() -> String {
    REST.replace(" @searchable", "")
}

#[test]
fn a_project_becomes_a_schema_a_report_a_relay_draft_and_a_store_with_its_tables() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let cloud = |id: &str, rest: Value| {
        let mut row = json!({"id": id, "_version": 1, "_deleted": null, "_lastChangedAt": 1,
                             "createdAt": "2024-03-01T10:00:00.000Z", "updatedAt": "2024-03-01T10:00:00.000Z"});
        row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        row
    };
    let posts = [
        cloud("p1", json!({"title": "One", "owner": "ada", "__typename": "Post"})),
        cloud("p2", json!({"title": "Gone", "_deleted": true})),
        cloud("p3", json!({"title": 3})),
    ];
    let page = json!({"data": {"listPosts": {"items": posts, "nextToken": null}}});
    write(&bed, "data/Post.json", &page.to_string());
    let comment = json!({"Item": {"id": {"S": "c1"}, "text": {"S": "x"}, "postCommentsId": {"S": "p1"}}});
    write(&bed, "data/Comment-k3s5d-dev.ndjson", &format!("{comment}\n"));
    write(&bed, "data/topics.csv", "id,name\nt1,Rust\n");
    write(&bed, "data/PostTopics-k3s5d-dev.json", &json!([{"id": "x", "postId": "p1", "topicId": "t1"}]).to_string());
    write(&bed, "data/Audit.json", "[]");
    let (out, data) = (bed.text("moved/here"), bed.text("data"));
    let before = fs::read_to_string(bed.path("app/amplify/backend/api/blog/schema/1-post.graphql")).unwrap();
    let migrate = ["migrate", "amplify", &app, "--out", &out, "--data", &data];
    let said = ok(&migrate);
    assert_eq!(said.out.trim(), format!("{out}/report.md"));
    let report = fs::read_to_string(said.out.trim()).unwrap();
    for line in [
        "1-post.graphql",
        "2-rest.graphql",
        "transformer 2",
        "### Post",
        "`@hasMany` `comments` leads to Comment",
        "`@manyToMany` `topics` leads to Topic through `PostTopics`",
        "`@index` `byTitle` over `title`",
        "`@auth`: 2 rules",
        "Auto Merge",
        "Lists: `tags`",
        "### Comment",
        "Custom Lambda: its code does not run any more",
        "### PostTopics",
        "a link is named by its pair, `postId`, `topicId`",
        "### Stock",
        "`@primaryKey` of `warehouse`, `sku`",
        "no file of this model was found",
        "`Post.json`: 3 rows: imported 1, updated 0, unchanged 0, skipped 1, marked as deleted 1",
        "1-post.graphql:1`: `input AMPLIFY` is not carried over",
        "1-post.graphql:3`: `provider` is not carried over",
        "`Audit.json` in the data folder is of no model",
        "Correct the 1 row that did not fit",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("/amplify/backend/api/blog/schema/2-rest.graphql:"), "{report}");
    // What was written can be used.
    let store = format!("{out}/store.db");
    ok(&["schema", "check", &format!("{out}/schema.graphql")]);
    assert_eq!(ok(&["get", &store, "Post", "p1"]).json()["owner"], json!("ada"));
    let with = ok(&["query", &store, "Post", "--include", "comments,topics"]).lines();
    assert_eq!((&with[0]["comments"][0]["text"], &with[0]["topics"][0]["name"]), (&json!("x"), &json!("Rust")));
    let rejected = fs::read_to_string(format!("{out}/rejected/Post.ndjson")).unwrap();
    assert!(rejected.contains("\"p3\"") && rejected.lines().count() == 1, "{rejected}");
    assert!(
        fs::read_to_string(format!("{out}/relay.toml")).unwrap().contains("the owner that the field `owner` names")
    );
    // The project is as it was, and a second run makes nothing twice.
    let after = fs::read_to_string(bed.path("app/amplify/backend/api/blog/schema/1-post.graphql")).unwrap();
    assert_eq!(before, after);
    let changes = ok(&["status", &store, "--json"]).json()["changes"].clone();
    ok(&migrate);
    assert_eq!(ok(&["status", &store, "--json"]).json()["changes"], changes);
}

#[test]
fn a_schema_that_is_refused_is_named_by_its_own_file_and_line_and_nothing_is_written() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable().replace("text: String!", "text: Sting!"));
    let out = bed.text("out");
    let said = run(&["migrate", "amplify", &app, "--out", &out]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("2-rest.graphql:2:") && said.err.contains("`String`"), "{}", said.err);
    assert!(!said.err.contains("1-post.graphql"), "warnings of a file without errors hide them: {}", said.err);
    assert!(!bed.path("out").exists());
}

#[test]
fn a_table_that_cannot_be_read_is_named_and_the_next_run_goes_on() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let (out, data) = (bed.text("out"), bed.text("data"));
    write(&bed, "data/Post.json", r#"[{"id":"p1","title":"One"},"#);
    write(&bed, "data/Comment.json", r#"[{"id":"c1","text":"x"}]"#);
    let migrate = ["migrate", "amplify", &app, "--out", &out, "--data", &data];
    let said = run(&migrate);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("data/Post.json: ") && said.err.contains("not valid JSON"), "{}", said.err);
    assert!(said.err.contains("1 file could not be imported"), "{}", said.err);
    let report = fs::read_to_string(format!("{out}/report.md")).unwrap();
    for line in ["`Post.json` was **not imported**: ", "`Comment.json`: 1 row: imported 1", "Correct the 1 file that"] {
        assert!(report.contains(line), "{line}: {report}");
    }
    write(&bed, "data/Post.json", r#"[{"id":"p1","title":"One"}]"#);
    ok(&migrate);
    assert_eq!(ok(&["query", &format!("{out}/store.db"), "Post", "--count"]).out.trim(), "1");
    let report = fs::read_to_string(format!("{out}/report.md")).unwrap();
    let comments = "`Comment.json`: 1 row: imported 0, updated 0, unchanged 0, skipped 0, kept as they are 1";
    assert!(report.contains(comments), "{report}");
}

/// A table of which only the first page was fetched stood in the report as if all of it had been imported.
#[test]
fn a_table_whose_last_page_names_another_one_is_incomplete_until_that_is_there() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let (out, data) = (bed.text("out"), bed.text("data"));
    let page = |id: &str, next: Value| {
        json!({"data": {"listPosts": {"items": [{"id": id, "title": id}], "nextToken": next}}}).to_string()
    };
    write(&bed, "data/Post.json", &page("p1", json!("more")));
    write(&bed, "data/Topic.json", r#"{"data":{"listTopics":null},"errors":[{"message":"too\nslow"}]}"#);
    let migrate = ["migrate", "amplify", &app, "--out", &out, "--data", &data];
    let report = || fs::read_to_string(format!("{out}/report.md")).unwrap();
    ok(&migrate);
    for line in [
        "**Incomplete**: its last page names another one",
        "Fetch the rest of `Post`:",
        "it holds the error of a query: too slow",
        "Ask again for the rows of `Topic`:",
    ] {
        assert!(report().contains(line), "{line}: {}", report());
    }
    write(&bed, "data/Post-2.json", &page("p2", json!(null)));
    write(&bed, "data/Topic.json", r#"{"data":{"listTopics":{"items":[]}}}"#);
    ok(&migrate);
    let whole = report();
    assert!(!whole.contains("Incomplete") && whole.contains("another file here should hold it"), "{whole}");
    assert!(!whole.contains("Fetch the rest") && !whole.contains("Ask again"), "{whole}");
    assert_eq!(ok(&["query", &format!("{out}/store.db"), "Post", "--count"]).out.trim(), "2");
}

#[test]
fn what_is_no_gen_1_project_is_told_apart() {
    let bed = Bed::new();
    let out = bed.text("out");
    let refused = |folder: &str, args: &[&str]| {
        let folder = bed.text(folder);
        let mut all = vec!["migrate", "amplify", &folder, "--out", &out];
        all.extend(args);
        run(&all)
    };
    write(&bed, "gen2/amplify/data/resource.ts", "export const schema = a.schema({});");
    assert!(refused("gen2", &[]).err.contains("Amplify Gen 2"));
    write(&bed, "other/package.json", "{}");
    assert!(refused("other", &[]).err.contains("no folder amplify/backend/api"));
    assert!(refused("missing", &[]).err.contains("there is no folder"));
    project(&bed, &without_searchable());
    write(&bed, "app/amplify/backend/api/second/schema.graphql", "type A @model { n: Int }");
    let said = refused("app", &[]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--api with one of blog, second"), "{}", said.err);
    write(&bed, "app/amplify/backend/api/second/transform.conf.json", "{\n  \"Version\": 5,\n  oops\n}");
    let said = refused("app", &["--api", "second"]);
    assert!(said.err.contains("second/transform.conf.json:3: not valid JSON"), "{}", said.err);
    assert!(refused("app", &["--api", "third"]).err.contains("no GraphQL API `third`"));
    let said = refused("app", &["--api", "blog", "--data", &bed.text("nowhere")]);
    assert!(said.err.contains("there is no folder") && said.err.contains("nowhere"), "{}", said.err);
    assert!(!bed.path("out").exists());
}

/// Rows that were corrected in `rejected` were once cut to nothing by the next run, and by `--data OUT/rejected` before
/// they were read.
#[test]
fn a_migration_that_runs_again_keeps_the_rejected_rows_that_were_corrected() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let (out, data, rejected) = (bed.text("out"), bed.text("data"), bed.text("out/rejected"));
    write(&bed, "data/Post.json", r#"[{"id":"p1","title":1}]"#);
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &data]);
    let corrected =
        fs::read_to_string(bed.path("out/rejected/Post.ndjson")).unwrap().replace("\"title\":1", "\"title\":\"One\"");
    write(&bed, "out/rejected/Post.ndjson", &corrected);
    let said = run(&["migrate", "amplify", &app, "--out", &out, "--data", &rejected]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("a folder of their own"), "{}", said.err);
    assert_eq!(fs::read_to_string(bed.path("out/rejected/Post.ndjson")).unwrap(), corrected);
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &data]);
    assert_eq!(fs::read_to_string(bed.path("out/rejected/Post.ndjson.1")).unwrap(), corrected);
    write(&bed, "corrected/Post.ndjson", &corrected);
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &bed.text("corrected")]);
    assert_eq!(ok(&["get", &format!("{out}/store.db"), "Post", "p1"]).json()["title"], json!("One"));
}

/// A second run took every table again, and put its old values over what had been edited in the store since; later it
/// did so only where rows had moved or changed, as they do in every second export of DynamoDB.
#[test]
fn a_migration_that_runs_again_puts_nothing_over_what_was_changed_later() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let (out, data) = (bed.text("out"), bed.text("data"));
    let db = format!("{out}/store.db");
    let row = |id: &str, title: &str, updated: &str| {
        format!("{{\"id\":\"{id}\",\"title\":\"{title}\",\"updatedAt\":\"{updated}T10:00:00Z\"}}\n")
    };
    let timeless = "{\"id\":\"p5\",\"title\":\"Without a time\"}\n";
    let first = ["p1", "p2", "p3", "p4"].map(|id| row(id, "Old", "2024-03-01"));
    write(&bed, "data/Post.ndjson", &(first.concat() + timeless));
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &data]);
    ok(&["update", &db, "Post", "p1", r#"{"title":"Edited"}"#]);
    ok(&["delete", &db, "Post", "p2"]);
    ok(&["update", &db, "Post", "p5", r#"{"title":"Edited, too"}"#]);
    // Another export: rows moved, one was changed in the cloud later than it was imported, one was added.
    let second = [row("p9", "Added", "2024-03-09"), row("p4", "Cloud", "2024-03-09"), first[2].clone()];
    let changed_before = [row("p2", "Cloud", "2024-03-09"), row("p1", "Cloud", "2024-03-09"), timeless.to_owned()];
    write(&bed, "data/Post.ndjson", &(second.concat() + &changed_before.concat()));
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &data]);
    let titles: Vec<Value> = ok(&["query", &db, "Post", "--order", "id"]).lines();
    let titles: Vec<_> = titles
        .iter()
        .map(|post| (&post["id"], &post["title"]))
        .map(|(id, title)| (id.as_str().unwrap(), title.as_str().unwrap()))
        .collect();
    let expected = [("p1", "Edited"), ("p3", "Old"), ("p4", "Cloud"), ("p5", "Edited, too"), ("p9", "Added")];
    assert_eq!(titles, expected);
    let report = fs::read_to_string(format!("{out}/report.md")).unwrap();
    assert!(report.contains("6 rows: imported 1, updated 1, unchanged 0, skipped 0, kept as they are 4"), "{report}");
    // What was changed in the cloud between the second export and its import comes with the third.
    write(&bed, "data/Post.ndjson", &row("p4", "Cloud again", "2024-03-10"));
    ok(&["migrate", "amplify", &app, "--out", &out, "--data", &data]);
    let post = ok(&["get", &db, "Post", "p4"]).json();
    assert_eq!((&post["title"], &post["updatedAt"]), (&json!("Cloud again"), &json!("2024-03-10T10:00:00.000Z")));
    ok(&["verify", &db]);
}

/// A migration wrote its schema and its draft over whatever had those names, took a `store.db` that it had not made for
/// its own, and put both into the project's backend if it was told to.
#[test]
fn a_migration_writes_into_a_folder_of_its_own_and_over_nothing() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let read = |path: &str| fs::read_to_string(bed.path(path)).unwrap();

    for (out, file) in [("mine", "mine/schema.graphql"), ("old", "old/store.db"), ("notes", "notes/todo.txt")] {
        write(&bed, file, "mine");
        let refused = run(&["migrate", "amplify", &app, "--out", &bed.text(out)]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains("name a new folder"), "{refused:?}");
        assert_eq!((read(file).as_str(), fs::read_dir(bed.path(out)).unwrap().count()), ("mine", 1));
    }
    for inside in ["app/amplify/backend/out", "app/amplify/../amplify/backend/api/out", "app/amplify/backend"] {
        let refused = run(&["migrate", "amplify", &app, "--out", &bed.text(inside)]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("lies in the project's backend"), "{refused:?}");
    }
    assert!(!bed.path("app/amplify/backend/out").exists());

    let out = bed.text("out");
    ok(&["migrate", "amplify", &app, "--out", &out]);
    write(&bed, "out/relay.toml", "# edited");
    write(&bed, "out/report.md", "old");
    let again = ok(&["migrate", "amplify", &app, "--out", &out]);
    assert!(again.err.contains("relay.toml was changed since"), "{again:?}");
    assert_eq!(read("out/relay.toml"), "# edited");
    assert_ne!(read("out/report.md"), "old");
    write(&bed, "out/schema.graphql", "type Mine @model { n: Int }");
    let refused = run(&["migrate", "amplify", &app, "--out", &out]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("schema.graphql is not as this migration would write it"), "{refused:?}");
    assert_eq!(read("out/schema.graphql"), "type Mine @model { n: Int }");
}

fn packed(content: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn exports_of_dynamodb_are_taken_as_they_lie_in_their_bucket() {
    let bed = Bed::new();
    let app = project(&bed, &without_searchable());
    let (out, data) = (bed.text("out"), bed.text("data"));
    let rows = |ids: &[&str]| {
        let row = |id: &&str| format!("{{\"Item\":{{\"id\":{{\"S\":\"{id}\"}},\"text\":{{\"S\":\"of {id}\"}}}}}}\n");
        packed(&ids.iter().map(row).collect::<String>())
    };
    let export = "data/Comment-k3s5d-dev/AWSDynamoDB/01732-ab";
    write(&bed, &format!("{export}/manifest-summary.json"), r#"{"version":"2020-06-30","itemCount":3}"#);
    write(&bed, &format!("{export}/manifest-files.json"), r#"{"itemCount":3,"dataFileS3Key":"x"}"#);
    fs::create_dir(bed.path(&format!("{export}/data"))).unwrap();
    bed.file(&format!("{export}/data/b.json.gz"), rows(&["c1", "c2"]));
    bed.file(&format!("{export}/data/c.json.gz"), rows(&["c3"]));
    bed.file("data/topics.csv.gz", packed("id,name\nt1,Rust\n"));
    write(&bed, "data/pictures/one.json", "{}");
    // An older export of the table, and what is no table of rows.
    write(&bed, "data/Comment-k3s5d-dev/AWSDynamoDB/01600-aa/manifest-summary.json", "{}");
    write(&bed, "data/Comment-k3s5d-dev/AWSDynamoDB/01600-aa/data/a.json", r#"{"Item":{"id":{"S":"old"}}}"#);
    write(&bed, &format!("{export}/data/c.ion.gz"), "x");
    write(&bed, "data/post-photos/one.jpg", "x");
    #[cfg(unix)]
    std::os::unix::fs::symlink(".", bed.path("data/post-photos/loop")).unwrap();
    let migrate = ["migrate", "amplify", &app, "--out", &out, "--data", &data];
    ok(&migrate);
    let store = format!("{out}/store.db");
    let found = ok(&["query", &store, "Comment", "--order", "id"]).lines();
    let texts: Vec<_> = found.iter().map(|comment| comment["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["of c1", "of c2", "of c3"]);
    assert_eq!(ok(&["get", &store, "Topic", "t1"]).json()["name"], json!("Rust"));
    let report = fs::read_to_string(format!("{out}/report.md")).unwrap();
    for passed_over in ["c.ion.gz", "AWSDynamoDB/01600-aa", "post-photos/one.jpg"] {
        assert!(report.contains(passed_over), "{passed_over}: {report}");
    }
    // One that was cut off in the download is told, and stops no other.
    let whole = rows(&["c4"]);
    bed.file(&format!("{export}/data/b.json.gz"), &whole[..whole.len() - 12]);
    let said = run(&migrate);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("b.json.gz") && said.err.contains("1 file could not be imported"), "{}", said.err);
}
