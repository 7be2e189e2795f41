//! Queries as an app and the program ask them: orders with nulls placed, aggregates, full-text search.

use serde_json::{Value, json};
use syncline::{Aggregation, Hit, Measure, Options, Query, Search, Store, count};

use crate::support::program::{init, ok, run, run_with_input};
use crate::support::{Bed, in_time, sync};

syncline::models!(
    sdl = r#"
  enum Mood { GOOD BAD }
  type Place { city: String  zip: Int }
  type Note @model {
    title: String! @fulltext
    body: String @text @fulltext
    stars: Int @index(name: "byStars")
    weight: Float
    votes: Int @counter
    mood: Mood
    due: AWSDate
    done: Boolean @default(value: "false")
    place: Place
  }
"#
);

async fn filled(bed: &Bed) -> Store {
    let store = Store::open(bed.path("app.db"), Options::new(SDL)).await.unwrap();
    let place = |city: &str, zip: i64| Some(Place { city: Some(city.to_owned()), zip: Some(zip) });
    let notes = [
        Note {
            stars: Some(3),
            mood: Some(Mood::Good),
            weight: Some(0.5),
            place: place("Rome", 1),
            ..Note::new("Oat milk")
        },
        Note {
            stars: Some(1),
            mood: Some(Mood::Good),
            weight: Some(1.0),
            place: place("Rome", 2),
            ..Note::new("Milk shake")
        },
        Note { mood: Some(Mood::Bad), due: Some("2026-01-02".to_owned()), done: Some(true), ..Note::new("Tea") },
        Note {
            stars: Some(3),
            done: Some(true),
            body: Some("with oat milk, or none".to_owned()),
            ..Note::new("Coffee")
        },
    ];
    for note in &notes {
        let saved = store.save(note).await.unwrap().record;
        store.increment::<Note>(&saved.id, note::votes, 2).await.unwrap();
    }
    store
}

fn titles(notes: &[Note]) -> Vec<&str> {
    notes.iter().map(|note| note.title.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_orders_say_where_null_stands() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let ordered =
        async |by| titles(&store.query::<Note>().order(by).order(note::title.asc()).all().await.unwrap()).join(", ");
    assert_eq!(ordered(note::stars.asc()).await, "Tea, Milk shake, Coffee, Oat milk");
    assert_eq!(ordered(note::stars.asc().nulls_last()).await, "Milk shake, Coffee, Oat milk, Tea");
    assert_eq!(ordered(note::stars.desc()).await, "Coffee, Oat milk, Milk shake, Tea");
    assert_eq!(ordered(note::stars.desc().nulls_first()).await, "Tea, Coffee, Oat milk, Milk shake");
    assert_eq!(ordered(note::place::zip.desc()).await, "Milk shake, Oat milk, Coffee, Tea");
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_pages_go_on_behind_a_record_whatever_is_written_in_between() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let by_stars = || store.query::<Note>().order(note::stars.desc().nulls_first()).order(note::title.asc()).limit(2);
    let first = by_stars().page().await.unwrap();
    assert_eq!(titles(&first.records), ["Tea", "Coffee"]);
    store.save(&Note::new("Before the first page")).await.unwrap();
    store.save(&Note { stars: Some(2), ..Note::new("Soup") }).await.unwrap();
    store.delete::<Note>(&first.records[1].id).await.unwrap();
    let second = by_stars().after(first.next.unwrap()).page().await.unwrap();
    assert_eq!(titles(&second.records), ["Oat milk", "Soup"]);
    let third = by_stars().after(second.next.unwrap()).page().await.unwrap();
    assert_eq!((titles(&third.records), third.next), (vec!["Milk shake"], None));
    let refused = store.query::<Note>().order(note::title.asc()).after("00").page().await;
    assert!(refused.unwrap_err().to_string().contains("leave it out to start from the first page"));
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_aggregates_come_in_the_types_of_their_fields() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let of_all = store
        .query::<Note>()
        .aggregate((
            count(),
            note::votes.sum(),
            note::stars.avg(),
            note::due.max(),
            note::weight.sum(),
            note::mood.min(),
        ))
        .await
        .unwrap();
    assert_eq!(of_all, (4, Some(8), Some(7.0 / 3.0), Some("2026-01-02".to_owned()), Some(1.5), Some(Mood::Bad)));
    let done = store.query::<Note>().filter(note::done.eq(true));
    assert_eq!(done.clone().aggregate(note::stars.count()).await.unwrap(), 1);
    assert_eq!(done.aggregate((note::weight.min(),)).await.unwrap(), (None,));
    assert_eq!(store.query::<Note>().aggregate(note::stars.count_distinct()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_groups_have_their_keys_and_can_be_chosen_and_ordered_by_what_is_computed() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let by_mood = store.query::<Note>().group_by(note::mood).aggregate((count(), note::votes.sum())).await.unwrap();
    assert_eq!(by_mood, [(None, (1, Some(2))), (Some(Mood::Bad), (1, Some(2))), (Some(Mood::Good), (2, Some(4)))]);
    let votes = note::votes.sum();
    let best = store
        .query::<Note>()
        .group_by((note::mood, note::done))
        .having(count().ge(1) & votes.lt(4))
        .order(note::stars.max().desc())
        .limit(1)
        .aggregate((count(), votes.clone(), note::stars.max()))
        .await
        .unwrap();
    assert_eq!(best, [((None, Some(true)), (1, Some(2), Some(3)))]);
    let by_city = store.query::<Note>().group_by(note::place::city).order(note::place::city.desc()).aggregate(count());
    assert_eq!(by_city.await.unwrap(), [(Some("Rome".to_owned()), 2), (None, 2)]);
    // What is not computed cannot be asked for.
    let refused = store.query::<Note>().group_by(note::mood).having(votes.gt(1)).aggregate(count()).await;
    assert!(refused.unwrap_err().to_string().starts_with("having.sum:votes.gt: the result has no field `sum:votes`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_searches_give_records_or_hits_and_go_with_everything_else() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let milk = store.query::<Note>().search("oat milk").all().await.unwrap();
    assert_eq!(titles(&milk), ["Oat milk", "Coffee"]);
    let hits: Vec<Hit<Note>> =
        store.query::<Note>().search(Search::new("oat mil").prefix().marks("<b>", "</b>")).hits().await.unwrap();
    assert_eq!(hits[0].record, milk[0]);
    assert!(hits[0].score > hits[1].score, "{hits:?}");
    assert_eq!(hits[1].snippet, "with <b>oat</b> <b>milk</b>, or none");
    let done = store.query::<Note>().search("milk").filter(note::done.eq(true));
    assert_eq!(titles(&done.clone().all().await.unwrap()), ["Coffee"]);
    assert_eq!(done.clone().count().await.unwrap(), 1);
    assert_eq!(done.aggregate(note::stars.sum()).await.unwrap(), Some(3));
    let by_title =
        store.query::<Note>().search("milk").order(note::title.desc()).limit(2).offset(1).all().await.unwrap();
    assert_eq!(titles(&by_title), ["Milk shake", "Coffee"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_computes_with_what_it_has_written() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let counted = store.transaction(|tx| {
        tx.save(&Note::new("one more"))?;
        tx.aggregate_json(&Aggregation::new(Query::new("Note"), vec![Measure::count()]))
    });
    assert_eq!(json!(counted.await.unwrap()), json!([{"count": 5}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_search_follows_what_peers_write() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let here = Store::open(bed.path("here.db"), Options::new(SDL)).await.unwrap();
    let there = Store::open(bed.path("there.db"), Options::new(SDL)).await.unwrap();
    let mut live = here.query::<Note>().search("milk").observe();
    assert!(in_time(live.next()).await.unwrap().unwrap().items.is_empty());
    there.save(&Note::new("Oat milk")).await.unwrap();
    there.save(&Note::new("Tea")).await.unwrap();
    sync(&there, &relay.url()).await;
    sync(&here, &relay.url()).await;
    let found = loop {
        let snapshot = in_time(live.next()).await.unwrap().unwrap();
        if !snapshot.items.is_empty() {
            break snapshot.items.into_iter().map(std::sync::Arc::unwrap_or_clone).collect::<Vec<_>>();
        }
    };
    assert_eq!(titles(&found), ["Oat milk"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reads_at_once_are_all_answered_and_a_close_waits_for_them() {
    let bed = Bed::new();
    let store = filled(&bed).await;
    let reads: Vec<_> = (0..64)
        .map(|n: i64| {
            let store = store.clone();
            tokio::spawn(async move { store.query::<Note>().filter(note::stars.ge(n % 4)).count().await })
        })
        .collect();
    for (n, read) in reads.into_iter().enumerate() {
        let expected = [3, 3, 2, 2][n % 4];
        assert_eq!(in_time(read).await.unwrap().unwrap(), expected);
    }
    let reading = store.query::<Note>().count();
    in_time(store.close()).await.unwrap();
    assert!(matches!(in_time(reading).await, Err(syncline::Error::Closed)));
}

/// A store of the program with these notes.
fn program_store(bed: &Bed) -> String {
    let db = init(bed, "app.db", SDL);
    let rows = [
        json!({"id": "a", "title": "Oat milk", "stars": 3, "votes": 1, "mood": "GOOD"}),
        json!({"id": "b", "title": "Milk shake", "stars": 1, "votes": 2, "mood": "GOOD", "body": "a shake of oat milk"}),
        json!({"id": "c", "title": "Tea", "votes": 5}),
    ];
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    assert_eq!(run_with_input(["import", &db, "Note", "-", "--format", "ndjson"], &rows).code, 0);
    db
}

#[test]
fn the_program_orders_with_nulls_where_they_are_asked_for() {
    let bed = Bed::new();
    let db = program_store(&bed);
    let ordered = |order: &str| -> String {
        let lines = ok(["query", &db, "Note", "--order", order]).lines();
        lines.iter().map(|record| record["id"].as_str().unwrap()).collect()
    };
    assert_eq!(ordered("stars"), "cba");
    assert_eq!(ordered("stars:nulls-last"), "bac");
    assert_eq!(ordered("stars:desc:nulls-first"), "cab");
    assert_eq!(ordered("mood:desc,stars"), "bac");
    let refused = run(["query", &db, "Note", "--order", "stars:down"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`down` is no direction: write asc, desc, nulls-first, nulls-last"), "{refused:?}");
}

#[test]
fn the_program_computes_and_groups() {
    let bed = Bed::new();
    let db = program_store(&bed);
    let computed = |args: &[&str]| json!(ok(["query", &db, "Note"].iter().chain(args).copied()).lines());
    assert_eq!(
        computed(&["--aggregate", "count,votes=sum:votes,avg:stars"]),
        json!([{"count": 3, "votes": 8, "avg:stars": 2.0}])
    );
    let groups = ["--aggregate", "count,sum:votes", "--group-by", "mood"];
    assert_eq!(
        computed(&groups),
        json!([{"mood": null, "count": 1, "sum:votes": 5}, {"mood": "GOOD", "count": 2, "sum:votes": 3}])
    );
    assert_eq!(
        computed(&[&groups[..], &["--having", r#"{"count":{"gt":1}}"#, "--where", "stars > 1"]].concat()),
        json!([])
    );
    assert_eq!(
        computed(&[&groups[..], &["--order", "sum:votes:desc", "--limit", "1"]].concat()),
        json!([{"mood": null, "count": 1, "sum:votes": 5}])
    );
    assert_eq!(computed(&["--group-by", "mood"]), json!([{"mood": null}, {"mood": "GOOD"}]));
    let plan = ok(["query", &db, "Note", "--aggregate", "max:votes", "--where", "stars = 3", "--explain"]);
    assert!(plan.text().contains("SEARCH Note USING INDEX Note.byStars"), "{plan:?}");
    for (args, said) in [
        (["--aggregate", "sum:title"], "`sum` takes a number, and `title` is none"),
        (["--aggregate", "median:votes"], "there is no aggregate `median`"),
        (["--group-by", "moood"], "did you mean `mood`?"),
    ] {
        let refused = run(["query", &db, "Note"].into_iter().chain(args));
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains(said), "{refused:?}");
    }
}

#[test]
fn the_program_searches_with_scores_and_snippets() {
    let bed = Bed::new();
    let db = program_store(&bed);
    let hits = ok(["query", &db, "Note", "--search", "oat mil", "--prefix", "--marks", "<", ">"]).lines();
    assert_eq!(hits.len(), 2);
    let by_id = |id: &str| -> &Value { hits.iter().find(|hit| hit["id"] == id).unwrap() };
    assert_eq!(by_id("a")["~snippet"], "<Oat> <milk>");
    assert_eq!(by_id("b")["~snippet"], "a shake of <oat> <milk>");
    assert!(hits[0]["~score"].as_f64() >= hits[1]["~score"].as_f64());
    let ordered = ok(["query", &db, "Note", "--search", "milk", "--order", "stars", "--limit", "1"]);
    assert_eq!(ordered.lines()[0]["id"], "b");
    assert_eq!(ok(["query", &db, "Note", "--search", "milk", "--where", "stars = 3", "--count"]).text(), "1\n");
    let counted = ok(["query", &db, "Note", "--search", "milk", "--aggregate", "sum:votes"]);
    assert_eq!(counted.lines()[0]["sum:votes"], 3);
    let plan = ok(["query", &db, "Note", "--search", "milk", "--explain"]);
    assert!(plan.text().contains("syncline_Note_fulltext VIRTUAL TABLE INDEX"), "{plan:?}");
    let bare = init(&bed, "bare.db", "type Todo @model { name: String }");
    let refused = run(["query", &bare, "Todo", "--search", "x"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("mark the fields to search in the schema, as in `name: String @fulltext`"),
        "{refused:?}"
    );
}
