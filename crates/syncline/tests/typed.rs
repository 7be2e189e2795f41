//! The typed face over a store: what comes back is what the JSON face shows.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use syncline::typed::from_json;
use syncline::{Query, Store};

syncline::models!(
    sdl = r#"
  enum Mood { GOOD BAD }
  type Place { city: String zip: Int tags: [String] }
  type Task @model {
    title: String!
    done: Boolean
    weight: Float
    whole: Float
    count: Int
    when: AWSDateTime
    stamp: AWSTimestamp
    extra: AWSJSON
    mood: Mood
    moods: [Mood] @set
    labels: [String!] @set
    steps: [String]
    numbers: [Int!]
    place: Place
    places: [Place]
    votes: Int @counter
    notes: String @text
  }
"#
);

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_query_reads_what_the_json_face_shows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a.db"), SDL).await.unwrap();
    store.save(&Task::new("bare")).await.unwrap();
    let full = serde_json::json!({
        "title": "full", "done": true, "weight": 1.5, "whole": 2.0, "count": -3, "when": "2026-01-02T03:04:05Z",
        "stamp": 12, "extra": "{\"a\":[1,null]}", "mood": "GOOD", "moods": ["BAD"], "labels": ["x", "y"],
        "steps": ["a", null], "numbers": [1, 2], "place": {"city": "Bern", "zip": 3000, "tags": ["t"]},
        "places": [{"city": "Ulm"}], "votes": 4, "notes": "text"
    });
    store.save_json("Task", full.as_object().unwrap().clone()).await.unwrap();
    let typed = store.query::<Task>().order(task::title.asc()).all().await.unwrap();
    let mut query = Query::new("Task");
    query.order.push(syncline::Order::ascending("title"));
    let json = store.query_json(query).await.unwrap().records;
    let expected: Vec<Task> = json.into_iter().map(|record| from_json(record).unwrap()).collect();
    assert_eq!(typed, expected);
    assert_eq!(typed[1].place.as_ref().unwrap().city.as_deref(), Some("Bern"));
    assert_eq!(typed[0].done, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_by_closure_writes_only_what_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a.db"), SDL).await.unwrap();
    let saved = store.save(&Task::new("one")).await.unwrap().record;
    store.update::<Task>(&saved.id, |task| task.count = Some(7)).await.unwrap();
    let history = store.history("Task", &saved.id).await.unwrap();
    let last = &history.last().unwrap().did;
    assert_eq!(last.iter().map(|effect| effect.field()).collect::<Vec<_>>(), [Some("count")]);
    let nothing = store.update::<Task>(&saved.id, |_| {}).await.unwrap();
    assert_eq!(nothing.token, None);
}
