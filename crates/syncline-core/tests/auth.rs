//! Whom `@auth` rules allow what.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

mod record_support;

use proptest::prelude::*;
use record_support::Replica;
use serde_json::{Map, Value, json};
use syncline_core::auth::{Access, Identity, decide, may_read_field, readers};
use syncline_schema::{Model, Operation, Schema};

fn model(sdl: &str) -> Model {
    syncline_schema::parse("schema.graphql", sdl).unwrap().schema.models.remove(0)
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn identity(claims: Value) -> Identity {
    Identity::new(map(claims))
}

fn allowed(model: &Model, identity: Option<&Identity>, access: Access<'_>) -> bool {
    decide(model, identity, access).is_ok()
}

/// Create, read, update, delete of one record.
fn all(model: &Model, identity: Option<&Identity>, record: &Value) -> [bool; 4] {
    let (record, mut after) = (map(record.clone()), map(record.clone()));
    after.insert("title".to_owned(), json!("another"));
    [
        allowed(model, identity, Access::Create(&record)),
        allowed(model, identity, Access::Read(&record)),
        allowed(model, identity, Access::Update { before: &record, after: &after }),
        allowed(model, identity, Access::Delete(&record)),
    ]
}

#[test]
fn a_model_without_rules_is_free_to_all() {
    let free = model("type Todo @model { title: String }");
    assert_eq!(all(&free, None, &json!({"title": "a"})), [true; 4]);
}

#[test]
fn an_owner_may_do_everything_and_others_nothing() {
    let owned = model("type Todo @model @auth(rules: [{allow: owner}]) { title: String }");
    let (ada, ben) = (identity(json!({"sub": "ada"})), identity(json!({"sub": "ben"})));
    let of_ada = json!({"title": "a", "owner": "ada"});
    assert_eq!(all(&owned, Some(&ada), &of_ada), [true; 4]);
    assert_eq!(all(&owned, Some(&ben), &of_ada), [false; 4], "and nobody makes records in another's name");
    assert_eq!(all(&owned, None, &of_ada), [false; 4]);
    assert_eq!(all(&owned, Some(&ben), &json!({"title": "a"})), [true, false, false, false], "it becomes Ben's");
    assert_eq!(all(&owned, Some(&identity(json!({}))), &json!({"title": "a"})), [false; 4], "a token names somebody");
}

#[test]
fn an_owner_hands_a_record_over_and_nobody_takes_one() {
    let owned = model("type Todo @model @auth(rules: [{allow: owner}]) { title: String }");
    let (ada, ben) = (identity(json!({"sub": "ada"})), identity(json!({"sub": "ben"})));
    let (of_ada, of_ben) = (map(json!({"owner": "ada"})), map(json!({"owner": "ben"})));
    let over = Access::Update { before: &of_ada, after: &of_ben };
    assert!(allowed(&owned, Some(&ada), over) && !allowed(&owned, Some(&ben), over));
}

#[test]
fn several_owners_and_composite_claims_are_understood() {
    let shared = model(
        "type Todo @model @auth(rules: [{allow: owner, ownerField: \"editors\", identityClaim: \"sub::username\"}]) {
           title: String editors: [String]
         }",
    );
    let ada = identity(json!({"sub": "42", "username": "ada"}));
    assert_eq!(ada.owner("sub::username").as_deref(), Some("42::ada"));
    for named in ["42::ada", "42", "ada"] {
        assert_eq!(all(&shared, Some(&ada), &json!({"editors": ["ben", named]})), [true; 4], "{named}");
    }
    assert_eq!(all(&shared, Some(&ada), &json!({"editors": ["ben", "42::"]})), [false; 4]);
    assert_eq!(all(&shared, Some(&identity(json!({"sub": "42"}))), &json!({"editors": ["42::ada"]})), [false; 4]);
}

#[test]
fn groups_stand_in_the_rule_or_in_the_record() {
    let fixed =
        model("type Todo @model @auth(rules: [{allow: groups, groups: [\"Admins\", \"Staff\"]}]) { title: String }");
    let staff = identity(json!({"sub": "x", "cognito:groups": ["Staff"]}));
    let guest = identity(json!({"sub": "y", "cognito:groups": "Guests"}));
    assert_eq!([all(&fixed, Some(&staff), &json!({})), all(&fixed, Some(&guest), &json!({}))], [[true; 4], [false; 4]]);
    let named =
        model("type Todo @model @auth(rules: [{allow: groups, groupsField: \"team\"}]) { title: String team: String }");
    let of_guests = json!({"team": "Guests"});
    assert_eq!([all(&named, Some(&staff), &of_guests), all(&named, Some(&guest), &of_guests)], [[false; 4], [true; 4]]);
}

#[test]
fn rules_are_ored_and_each_allows_its_operations() {
    let blog = model(
        "type Post @model @auth(rules: [{allow: owner}, {allow: public, operations: [read]},
           {allow: private, operations: [create]}, {allow: groups, groups: [\"Mods\"], operations: [delete]}]) { title: String }",
    );
    let of_ada = json!({"owner": "ada"});
    let (ben, moderator) = (json!({"sub": "ben"}), json!({"sub": "m", "cognito:groups": ["Mods"]}));
    assert_eq!(all(&blog, None, &of_ada), [false, true, false, false]);
    assert_eq!(all(&blog, Some(&identity(ben)), &of_ada), [true, true, false, false]);
    assert_eq!(all(&blog, Some(&identity(moderator)), &of_ada), [true, true, false, true]);
}

#[test]
fn a_field_with_rules_is_held_to_those_instead_of_the_models() {
    let staff = model(
        "type Person @model @auth(rules: [{allow: private}]) {
           title: String
           salary: Int @auth(rules: [{allow: groups, groups: [\"HR\"]}])
         }",
    );
    let (hr, other) = (identity(json!({"sub": "h", "cognito:groups": ["HR"]})), identity(json!({"sub": "o"})));
    let (plain, paid) = (map(json!({"title": "a"})), map(json!({"title": "a", "salary": 1})));
    let raise = Access::Update { before: &plain, after: &paid };
    assert!(allowed(&staff, Some(&hr), raise) && !allowed(&staff, Some(&other), raise));
    assert!(
        allowed(&staff, Some(&other), Access::Create(&plain)) && !allowed(&staff, Some(&other), Access::Create(&paid))
    );
    let denied = decide(&staff, Some(&other), raise).unwrap_err();
    assert_eq!((denied.operation, denied.field.as_deref()), (Operation::Update, Some("salary")));
    assert_eq!(denied.to_string(), "\"o\" may not change this Person (its field `salary`): members of HR may");
    let salary = staff.field("salary").unwrap();
    assert!(may_read_field(salary, Some(&hr), &paid) && !may_read_field(salary, Some(&other), &paid));
}

const GUARDED: &str = r#"
type Person @model @auth(rules: [{allow: private}]) {
  name: String!
  role: String @default(value: "user") @auth(rules: [{allow: groups, groups: ["Admins"]}])
  rank: Rank @default(value: "LOW") @auth(rules: [{allow: groups, groups: ["Admins"]}])
  rate: Float @default(value: "1") @auth(rules: [{allow: groups, groups: ["Admins"]}])
  limits: AWSJSON @default(value: "{ \"mail\": 5 }") @auth(rules: [{allow: groups, groups: ["Admins"]}])
  credits: Int @counter @auth(rules: [{allow: groups, groups: ["Admins"]}])
  points: Int @counter @default(value: "10") @auth(rules: [{allow: groups, groups: ["Admins"]}])
  badges: [String!] @set @auth(rules: [{allow: groups, groups: ["Admins"]}])
  notes: [String!]! @auth(rules: [{allow: groups, groups: ["Admins"]}])
  bio: String! @text @default(value: "new here") @auth(rules: [{allow: groups, groups: ["Admins"]}])
}
enum Rank { LOW HIGH }
"#;

/// What a record shows in fields that nobody set: counters 0, sets and lists empty, defaults filled in.
///
/// They counted as set, so that only those whom the fields' own rules allow could create the record at all.
#[test]
fn who_creates_a_record_does_not_set_the_fields_that_fill_themselves() {
    let parsed = syncline_schema::parse("schema.graphql", GUARDED).unwrap().schema;
    let person = parsed.model("Person").unwrap();
    let (admin, user) = (identity(json!({"sub": "a", "cognito:groups": ["Admins"]})), identity(json!({"sub": "u"})));
    let made = as_made(&parsed, json!({"name": "Ada", "notes": []}));
    let filled = json!({
        "role": "user", "rank": "LOW", "rate": 1.0, "limits": {"mail": 5}, "credits": 0, "points": 10, "badges": [],
        "notes": [], "bio": "new here",
    });
    for (field, value) in filled.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }
    decide(person, Some(&user), Access::Create(&made)).unwrap();
    let set = json!({
        "role": "admin", "rank": "HIGH", "rate": 2.0, "limits": {"mail": 6}, "credits": -1, "points": 11,
        "badges": ["x"], "notes": ["x"], "bio": "old hand",
    });
    for (field, value) in set.as_object().unwrap() {
        let mut other = made.clone();
        other.insert(field.clone(), value.clone());
        let denied = decide(person, Some(&user), Access::Create(&other)).unwrap_err();
        assert_eq!((denied.operation, denied.field.as_ref()), (Operation::Create, Some(field)));
        assert!(allowed(person, Some(&admin), Access::Create(&other)), "{field}");
        // Who may not set a field may not put it back either.
        let back = Access::Update { before: &other, after: &made };
        assert!(!allowed(person, Some(&user), back) && allowed(person, Some(&admin), back), "{field}");
    }
    // An app of an older schema knows no default, and no field.
    let older = map(json!({"name": "Ada", "role": null, "points": 0, "notes": [], "bio": ""}));
    assert!(allowed(person, Some(&user), Access::Create(&older)));
}

/// A record as a save makes it and as it prints, but for its text, which only a document shows.
fn as_made(schema: &Schema, given: Value) -> Map<String, Value> {
    let mut replica = Replica::new(schema, "Person", 1);
    replica.create(given, 0);
    let mut shown = replica.view().project().unwrap();
    shown.insert("bio".to_owned(), json!("new here"));
    shown
}

#[test]
fn a_denial_says_who_may() {
    let owned = model("type Todo @model @auth(rules: [{allow: owner}, {allow: custom}]) { title: String }");
    let denied = decide(&owned, None, Access::Delete(&map(json!({"owner": "ada"})))).unwrap_err();
    assert_eq!(denied.to_string(), "somebody who did not sign in may not delete this Todo: who stands in `owner` may");
    let closed = model("type Todo @model @auth(rules: [{allow: public, operations: [read]}]) { title: String }");
    let denied = decide(&closed, None, Access::Create(&map(json!({})))).unwrap_err();
    assert!(denied.to_string().ends_with("no rule allows it to anybody"), "{denied}");
}

const RULES: [&str; 7] = [
    "{allow: owner}",
    "{allow: owner, ownerField: \"editors\", operations: [read, update]}",
    "{allow: groups, groups: [\"A\", \"B\"], operations: [read]}",
    "{allow: groups, groupsField: \"team\"}",
    "{allow: private, operations: [create, read]}",
    "{allow: public, operations: [update]}",
    "{allow: custom}",
];

proptest! {
    /// Relays keep rows by principal; devices and checks ask `decide`. They may never differ.
    #[test]
    fn who_may_read_is_who_is_among_the_readers(
        rules in prop::collection::btree_set(0..RULES.len(), 0..4),
        owner in prop::option::of("[ab]"),
        editors in prop::collection::vec("[ab]", 0..3),
        team in prop::option::of("[ABC]"),
        sub in prop::option::of("[ab]"),
        groups in prop::collection::vec("[ABC]", 0..3),
        signed_in in any::<bool>(),
    ) {
        let rules: Vec<&str> = rules.into_iter().map(|at| RULES[at]).collect();
        let auth = if rules.is_empty() { String::new() } else { format!("@auth(rules: [{}])", rules.join(", ")) };
        let model = model(&format!(
            "type Todo @model {auth} {{ title: String owner: String editors: [String] team: String }}"
        ));
        let record = map(json!({"owner": owner, "editors": editors, "team": team}));
        let who = signed_in.then(|| identity(json!({"sub": sub, "cognito:groups": groups})));
        let principals = who.as_ref().map_or_else(
            || [syncline_core::auth::Principal::Public].into(),
            |who| who.principals(&model),
        );
        let seen = !readers(&model, &record).is_disjoint(&principals);
        prop_assert_eq!(seen, allowed(&model, who.as_ref(), Access::Read(&record)));
    }
}
