//! What the parser makes of each part of the schema language, and what `changes` makes of two schemas.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its schemas should fail")]

use std::path::Path;

use syncline_schema::{
    Allow, ChangeKind, Deletes, ElementKind, Field, FieldKind, Key, Managed, Merge, Model, OnDelete, RelationKind,
    Scalar, Schema, Tokenizer, changes, continue_names, parse,
};

/// A schema of `tests/schemas`.
fn good(name: &str) -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas").join(name);
    accepted(&std::fs::read_to_string(path).unwrap())
}

#[track_caller]
fn accepted(source: &str) -> Schema {
    parse("test.graphql", source).unwrap_or_else(|refused| panic!("{refused}")).schema
}

/// The one error's message.
#[track_caller]
fn refused(source: &str) -> String {
    let refused = parse("test.graphql", source).expect_err("the schema was accepted");
    let errors: Vec<_> = refused.errors().collect();
    assert_eq!(errors.len(), 1, "{refused}");
    errors[0].message.clone()
}

fn names(fields: &[Field]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

fn field<'a>(model: &'a Model, name: &str) -> &'a Field {
    model.field(name).unwrap_or_else(|| panic!("no field {name}"))
}

#[test]
fn color_is_only_used_when_asked_for() {
    let refused = parse("test.graphql", "type A @model { a: Strin }").unwrap_err();
    assert!(!refused.render(false).contains('\u{1b}'));
    assert!(refused.render(true).contains('\u{1b}'));
    assert_eq!(refused.to_string(), refused.render(false));
}

#[test]
fn managed_fields_exist_unwritten_with_id_first_and_times_last() {
    let schema = accepted("type Todo @model @auth(rules: [{allow: owner}]) { title: String! }");
    let todo = &schema.models[0];
    assert_eq!(names(&todo.fields), ["id", "title", "owner", "createdAt", "updatedAt"]);
    let managed: Vec<_> = todo.fields.iter().map(|field| field.managed).collect();
    assert_eq!(managed, [Managed::Id, Managed::No, Managed::Owner, Managed::CreatedAt, Managed::UpdatedAt]);
    assert_eq!(todo.key, Key::Id);
}

#[test]
fn written_managed_fields_keep_their_type_and_renamed_times_their_name() {
    let schema = accepted(
        "type T @model(timestamps: {createdAt: \"made\", updatedAt: null}) { made: AWSTimestamp a: Int id: ID! updatedAt: Int }",
    );
    let model = &schema.models[0];
    assert_eq!(names(&model.fields), ["id", "made", "a", "updatedAt"]);
    assert_eq!(field(model, "made").kind, FieldKind::Scalar(Scalar::Timestamp));
    assert_eq!(field(model, "made").managed, Managed::CreatedAt);
    assert_eq!(field(model, "updatedAt").managed, Managed::No);
    assert_eq!(model.timestamps.updated_at, None);
}

#[test]
fn a_custom_key_stands_first_and_replaces_the_id() {
    let shop = good("shop.graphql");
    let product = shop.model("Product").unwrap();
    assert_eq!(product.key, Key::Custom(vec!["warehouse".into(), "sku".into()]));
    assert_eq!(&names(&product.fields)[..3], ["warehouse", "sku", "name"]);
    assert!(product.field("id").is_none());
    // Amplify's optionally managed id stays a generated one.
    let schema = accepted("type T @model { a: Int id: ID! @primaryKey }");
    assert_eq!(schema.models[0].key, Key::Id);
    assert_eq!(schema.models[0].fields[0].managed, Managed::Id);
}

#[test]
fn implied_foreign_keys_have_amplifys_names() {
    let shop = good("shop.graphql");
    let relation = |model: &str, name: &str| {
        let relations = &shop.model(model).unwrap().relations;
        relations.iter().find(|relation| relation.name == name).unwrap().clone()
    };
    // hasOne: the other record's key stands here.
    assert_eq!(relation("Order", "payment").fields, ["orderPaymentId"]);
    let order = shop.model("Order").unwrap();
    assert_eq!(field(order, "orderPaymentId").kind, FieldKind::Scalar(Scalar::Id));
    // hasMany without fields, and the belongsTo that answers it: one field per part of the key.
    let to_product = relation("OrderLine", "product");
    assert_eq!(to_product.kind, RelationKind::BelongsTo);
    assert_eq!(to_product.fields, ["productLinesWarehouse", "productLinesSku"]);
    assert_eq!(to_product.references, ["warehouse", "sku"]);
    let line = shop.model("OrderLine").unwrap();
    assert!(line.indexes.iter().any(|index| index.fields == to_product.fields));
    // belongsTo that answers a hasOne has a key of its own.
    assert_eq!(relation("Payment", "order").fields, ["paymentOrderId"]);
    // hasMany through an index uses its first columns.
    assert_eq!(relation("Customer", "orders").fields, ["customerAccount"]);
    assert_eq!(relation("Customer", "orders").references, ["account"]);
}

#[test]
fn an_implied_foreign_key_keeps_the_first_names_of_model_and_field() {
    let schema = accepted(
        "type Article @model @renamed(from: \"Post\") { remarks: [Comment] @hasMany @renamed(from: \"comments\") } type Comment @model { a: Int }",
    );
    let comment = schema.model("Comment").unwrap();
    assert_eq!(field(comment, "articleRemarksId").document_key, "postCommentsId");
}

#[test]
fn many_to_many_makes_a_join_model_whose_key_is_the_pair() {
    let blog = good("blog.graphql");
    let join = blog.model("PostTags").unwrap();
    assert_eq!(join.key, Key::Custom(vec!["postId".into(), "tagId".into()]));
    assert_eq!(names(&join.fields), ["postId", "tagId", "owner", "createdAt", "updatedAt"]);
    let indexes: Vec<_> = join.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["byPost", "byTag"]);
    let tags = &blog.model("Post").unwrap().relations[2];
    assert_eq!(tags.kind, RelationKind::ManyToMany);
    assert_eq!(tags.join_model.as_deref(), Some("PostTags"));
    assert_eq!(tags.fields, ["postId"]);
}

#[test]
fn a_delete_takes_related_records_along_unless_the_schema_says_otherwise() {
    let schema = accepted(
        "type A @model { bs: [B] @hasMany c: C @hasOne d: D @hasOne(onDelete: keep) }
         type B @model { cs: [C] @hasMany(onDelete: \"keep\") ds: [D] @hasMany(onDelete: \"set-null\") }
         type C @model { x: Int } type D @model { x: Int }",
    );
    let on_delete = |model: &str| -> Vec<OnDelete> {
        schema.model(model).unwrap().relations.iter().map(|relation| relation.on_delete).collect()
    };
    assert_eq!(on_delete("A"), [OnDelete::Cascade, OnDelete::Cascade, OnDelete::Keep]);
    assert_eq!(on_delete("B"), [OnDelete::Keep, OnDelete::SetNull]);
}

#[test]
fn a_required_reference_is_required_wherever_its_field_comes_from() {
    let schema = accepted("type A @model { bs: [B] @hasMany } type B @model { a: A! @belongsTo c: A! @hasOne }");
    let b = schema.model("B").unwrap();
    assert!(field(b, "aBsId").required && field(b, "bCId").required);
}

#[test]
fn a_many_to_many_finds_its_way_through_the_join_model() {
    let blog = good("blog.graphql");
    let tags = blog.model("Post").unwrap().relation("tags").unwrap();
    let (join, on) = tags.join(&blog).unwrap();
    assert_eq!((join.name.as_str(), &on.fields[0], &on.references[0]), ("PostTags", &"tagId".into(), &"id".into()));
    assert_eq!(blog.model("Comment").unwrap().relation("post").unwrap().join(&blog), None);
}

#[test]
fn links_of_models_with_dynamic_groups_do_not_lie_open() {
    let rule = "@auth(rules: [{allow: groups, groupsField: \"g\"}])";
    let schema = accepted(&format!(
        "type A @model {rule} {{ g: [String] bs: [B] @manyToMany(relationName: \"AB\") }}
         type B @model {rule} {{ g: [String] as: [A] @manyToMany(relationName: \"AB\") }}"
    ));
    assert_eq!(schema.model("AB").unwrap().auth[0].allow, Allow::Custom);
}

#[test]
fn synclines_own_directives_reach_the_representation() {
    let schema = good("todo.graphql");
    let task = schema.model("Task").unwrap();
    assert_eq!(task.deletes, Deletes::UpdateWins);
    assert_eq!(task.renamed_from, ["Todo"]);
    assert_eq!(field(task, "heading").document_key, "name");
    assert!(field(task, "heading").fulltext);
    assert_eq!(field(task, "notes").kind, FieldKind::Text { rich: true });
    assert_eq!(field(task, "minutesSpent").kind, FieldKind::Counter);
    assert_eq!(field(task, "minutesSpent").default, Some(0.into()));
    assert!(matches!(&field(task, "moods").kind,
        FieldKind::Set(element) if element.kind == ElementKind::Enum("Mood".into()) && !element.required));
    assert_eq!(field(task, "priority").merge, Merge::Max);
    assert_eq!(field(task, "due").merge, Merge::Min);
    assert_eq!(field(task, "mood").merge, Merge::Latest);
    assert_eq!(field(task, "done").default, Some(false.into()));
    assert!(schema.model("Draft").unwrap().local);
    assert_eq!(schema.embedded_type("Place").unwrap().fields[0].document_key, "label");
}

#[test]
fn the_fields_of_a_full_text_index_share_one_tokenizer() {
    let tokenizer = |fields: &str| accepted(&format!("type T @model {{ {fields} }}")).models[0].tokenizer;
    assert_eq!(tokenizer("a: String @fulltext"), Tokenizer::Words);
    assert_eq!(tokenizer("a: String"), Tokenizer::Words);
    assert_eq!(tokenizer("a: String @fulltext b: String @text @fulltext(tokenize: \"trigram\")"), Tokenizer::Trigram);
    let plain = accepted("type T @model { a: String @fulltext }");
    let trigram = accepted("type T @model { a: String @fulltext(tokenize: trigram) }");
    let changes: Vec<String> = changes(&plain, &trigram).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["T: full texts were cut into words and are now cut into every three characters"]);
    // Schemas that were stored before there was a choice.
    let mut stored = serde_json::to_value(&plain).unwrap();
    stored["models"][0].as_object_mut().unwrap().remove("tokenizer");
    assert_eq!(serde_json::from_value::<Schema>(stored).unwrap(), plain);
}

#[test]
fn auth_rules_are_kept_with_their_defaults() {
    let schema = good("chat.graphql");
    let room = schema.model("Room").unwrap();
    assert_eq!(room.auth[0].allow, Allow::GroupsField { field: "members".into(), claim: "cognito:groups".into() });
    assert_eq!(room.auth[1].allow, Allow::Groups { groups: vec!["Moderators".into()], claim: "roles".into() });
    let message = schema.model("Message").unwrap();
    assert_eq!(message.auth[1].operations.len(), 1);
    assert_eq!(message.auth[2].operations.len(), 4);
    assert_eq!(field(message, "owner").managed, Managed::Owner);
    let social = good("social.graphql");
    assert_eq!(field(social.model("Profile").unwrap(), "birthday").auth.len(), 1);
}

#[test]
fn scalars_are_accepted_with_and_without_aws() {
    for scalar in Scalar::ALL {
        for name in [scalar.name(), scalar.name().trim_start_matches("AWS")] {
            let schema = accepted(&format!("type T @model {{ x: {name} y: [{name}!]! }}"));
            let model = &schema.models[0];
            assert_eq!(field(model, "x").kind, FieldKind::Scalar(scalar));
            assert!(matches!(&field(model, "y").kind, FieldKind::List(element) if element.required));
        }
    }
    // A type of the file goes before a scalar without AWS.
    let schema = accepted("type T @model { x: Date } enum Date { TODAY }");
    assert_eq!(field(&schema.models[0], "x").kind, FieldKind::Enum("Date".into()));
}

#[test]
fn defaults_are_converted_to_the_fields_type_and_checked() {
    let source =
        |ty: &str, default: &str| format!("type T @model {{ x: {ty} @default(value: {default}) }} enum E {{ A }}");
    for (ty, default, value) in [
        ("Int", "\"5\"", serde_json::json!(5)),
        ("Int", "5", serde_json::json!(5)),
        ("Float", "\"1.5\"", serde_json::json!(1.5)),
        ("Boolean", "\"true\"", serde_json::json!(true)),
        ("String", "\"5\"", serde_json::json!("5")),
        ("E", "\"A\"", serde_json::json!("A")),
        ("E", "A", serde_json::json!("A")),
        ("AWSJSON", "\"{}\"", serde_json::json!("{}")),
    ] {
        let schema = accepted(&source(ty, default));
        assert_eq!(field(&schema.models[0], "x").default, Some(value));
    }
    for (ty, default) in [
        ("Int", "\"1.0\""),
        ("Int", "\"x\""),
        ("Int", "99999999999999999999"),
        ("Boolean", "\"yes\""),
        ("String", "5"),
        ("E", "\"a\""),
        ("AWSDate", "\"2023-02-29\""),
        ("[Int]", "\"5\""),
        ("Float", "1e999"),
    ] {
        refused(&source(ty, default));
    }
}

#[test]
fn each_definition_tells_its_first_error_and_its_neighbours_theirs() {
    let source = "type A @model { x: Sting y: Flot }\ntype B @model { a: [A] @hasMany }\ntype C @model { x: Nope }";
    let refused = parse("test.graphql", source).unwrap_err();
    let places: Vec<_> = refused.errors().map(|error| (error.line, error.column)).collect();
    assert_eq!(places, [(1, 20), (3, 20)]);
    assert_eq!(&source[refused.findings[0].span.clone()], "Sting");
}

#[test]
fn columns_count_characters_and_spans_bytes() {
    let source = "# ünïcödé\ntype T @model { \"äöü\" a: Sting }";
    let refused = parse("test.graphql", source).unwrap_err();
    assert_eq!((refused.findings[0].line, refused.findings[0].column), (2, 26));
    assert_eq!(&source[refused.findings[0].span.clone()], "Sting");
}

#[test]
fn tables_have_no_more_columns_than_sqlite_can_hold() {
    let fields: String = (0..1999).map(|n| format!("f{n}: Int ")).collect();
    accepted(&format!("type T @model(timestamps: null) {{ {fields} }}"));
    let message = refused(&format!("type T @model {{ {fields} }}"));
    assert_eq!(message, "`T` needs 2002 columns, and SQLite's tables have 2000 at most");
    // Fields of embedded types are columns; types that hold types twice grow without measure.
    let nested: String = (0..100).map(|n| format!("type E{n} {{ a: E{next} b: E{next} }} ", next = n + 1)).collect();
    let message = refused(&format!("type T @model {{ e: E0 }} {nested} type E100 {{ x: Int }}"));
    assert!(message.contains("columns"), "{message}");
}

#[test]
fn deep_nesting_is_refused_and_brackets_in_texts_do_not_count() {
    for bracket in ["[", "{", "("] {
        let message = refused(&format!("type T @model {{ a: {} }}", bracket.repeat(100_000)));
        assert_eq!(message, "brackets are nested more than 64 deep");
    }
    let many = "[".repeat(100);
    accepted(&format!("# {many}\n\"{many}\" type T @model {{ \"\"\"{many} \\\"\"\" {many}\"\"\" a: Int }}"));
    refused("");
    refused("query { a }");
}

#[test]
fn a_new_schema_is_accepted_unless_values_or_keys_change_their_nature() {
    let old = accepted("type T @model { a: Int b: String c: E } enum E { X Y } type Gone @model { a: Int }");
    let new = accepted(
        "type U @model @renamed(from: \"T\") { a: Int! z: String @renamed(from: \"b\") c: E n: [Int] } enum E { X Z }",
    );
    let found = changes(&old, &new);
    let kinds: Vec<_> = found.iter().map(|change| (change.kind, change.place.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::Rename, "U"),
            (ChangeKind::Adjusted, "U.a"),
            (ChangeKind::Rename, "U.z"),
            (ChangeKind::Additive, "U.n"),
            (ChangeKind::Removed, "Gone"),
            (ChangeKind::Additive, "E"),
            (ChangeKind::Removed, "E"),
        ]
    );
    assert_eq!(changes(&old, &old), []);
    for incompatible in [
        "type T @model { a: Float b: String c: E } enum E { X Y }",
        "type T @model { a: Int @counter b: String c: E } enum E { X Y }",
        "type T @model { a: Int b: String! @primaryKey c: E } enum E { X Y }",
        "type T @model @local { a: Int b: String c: E } enum E { X Y }",
    ] {
        let found = changes(&old, &accepted(incompatible));
        assert!(found.iter().any(|change| change.kind == ChangeKind::Incompatible), "{incompatible}");
    }
}

/// A store was asked to accept the removal of the indexes that the schema has by itself for relations: they were compared
/// by names that are made of the model's.
#[test]
fn a_renamed_model_leaves_the_indexes_of_its_relations_as_they_are() {
    let models = |post: &str, mark: &str| {
        accepted(&format!(
            "type {post} @model {mark} {{
               title: String @index(name: \"byTitle\")
               comments: [Comment] @hasMany
               topics: [Topic] @manyToMany(relationName: \"PostTopics\")
             }}
             type Comment @model {{ text: String post: {post} @belongsTo }}
             type Topic @model {{ name: String posts: [{post}] @manyToMany(relationName: \"PostTopics\") }}"
        ))
    };
    let found = changes(&models("Post", ""), &models("Article", "@renamed(from: \"Post\")"));
    let others = found.iter().filter(|change| change.kind != ChangeKind::Rename).collect::<Vec<_>>();
    assert!(others.is_empty(), "{others:?}");
    // By its name alone an index finds nothing; what it is over is the index.
    let of = |fields: &str| accepted(&format!("type T @model {{ {fields} }}"));
    let found = changes(&of("a: Int @index(name: \"x\") b: Int"), &of("a: Int b: Int @index(name: \"x\")"));
    let kinds: Vec<_> = found.iter().map(|change| (change.kind, change.sentence.as_str())).collect();
    let (new, gone) =
        ((ChangeKind::Additive, "index x over b is new"), (ChangeKind::Adjusted, "index x over a is gone"));
    assert_eq!(kinds, [new, gone]);
}

#[test]
fn a_difference_says_from_what_to_what() {
    let old = accepted(
        "type T @model @auth(rules: [{allow: owner}]) {
           a: Int b: String @text c: [Int] d: String e: Int @default(value: \"1\") f: String
           us: [U] @hasMany(onDelete: \"keep\") v: V @belongsTo
         }
         type U @model { n: Int } type V @model { n: Int }",
    );
    let new = accepted(
        "type T @model(deletes: \"update-wins\")
           @auth(rules: [{allow: owner, ownerField: \"by\"}, {allow: private, operations: [read]}]) {
           a: Int @merge(with: max) b: String @text(rich: true) c: [Int!] d: String @default(value: \"x\") e: Int
           f: String @fulltext by: String us: [U] @hasMany w: V @belongsTo(fields: [\"f\"])
         }
         type U @model { n: Int } type V @model { n: Int }",
    );
    let found: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
    for expected in [
        "T.a: the merge rule was winner and is now max",
        "T.b: the type was String @text and is now String @text(rich: true)",
        "T.c: the type was [Int] and is now [Int!]",
        "T.d: the default was none and is now \"x\"",
        "T.e: the default was 1 and is now none",
        "T.f: the field is now part of the full-text index",
        "T: `@auth` was [{allow: owner}] and is now \
         [{allow: owner, ownerField: \"by\"}, {allow: private, operations: [read]}]",
        "T: what a delete does to a concurrent edit was delete-wins and is now update-wins",
        "T.us: what a delete of the record does to the related ones was keep and is now cascade",
        "T.w: the relation is new: @belongsTo V (f = id)",
        "T.v: the relation is gone: @belongsTo V (tVId = id)",
    ] {
        assert!(found.iter().any(|change| change == expected), "{expected}: {found:#?}");
    }
    assert!(found.iter().all(|change| !change.ends_with("changed")), "{found:#?}");
}

#[test]
fn a_chain_of_renames_leads_to_the_first_name_even_if_each_file_tells_one_step() {
    let first = accepted("type T @model { a: Int }");
    let mut second = accepted("type T @model { b: Int @renamed(from: \"a\") }");
    continue_names(&first, &mut second);
    let mut third = accepted("type T @model { c: Int @renamed(from: \"b\") }");
    continue_names(&second, &mut third);
    assert_eq!(field(&third.models[0], "c").document_key, "a");
    let mut dropped = accepted("type T @model { c: Int }");
    continue_names(&third, &mut dropped);
    assert_eq!(field(&dropped.models[0], "c").document_key, "a");
    // The first name is taken for good.
    let reused = accepted("type T @model { c: Int a: Int }");
    let found = changes(&third, &reused);
    assert!(found.iter().any(|change| change.kind == ChangeKind::Incompatible), "{found:?}");
}

#[test]
fn a_schema_from_before_delete_policies_cascades() {
    let schema = good("blog.graphql");
    let json = serde_json::to_string(&schema).unwrap().replace(",\"on_delete\":\"Cascade\"", "");
    assert!(!json.contains("on_delete"));
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
}

#[test]
fn a_schema_survives_json() {
    for name in ["todo.graphql", "shop.graphql", "blog.graphql"] {
        let schema = good(name);
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
    }
}
