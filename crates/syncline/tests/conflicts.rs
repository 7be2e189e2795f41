//! Apps hear of concurrent values, see who wrote them, and settle them for everybody.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use syncline::{ConflictObserver, Conflicted, Error, Listener, Options, Store, StoreError};

syncline::models!(
    sdl = r#"
type Room @model { name: String! seats: Int color: Color note: AWSJSON place: Place last: String @merge(with: latest) }
type Shelf @model { label: String! @primaryKey width: Int }
type Place { floor: Int }
enum Color { RED BLUE }
"#
);

const LONG: Duration = Duration::from_secs(20);

/// Two stores, and where the first one listens.
struct Two {
    _folder: tempfile::TempDir,
    a: Store,
    b: Store,
    listener: Listener,
}

impl Two {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let a = Store::open(folder.path().join("a.db"), Options::new(SDL)).await.unwrap();
        let b = Store::open(folder.path().join("b.db"), Options::new(SDL)).await.unwrap();
        let listener = a.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { _folder: folder, a, b, listener }
    }

    async fn meet(&self) {
        self.b.sync_once(self.listener.url(), LONG).await.unwrap();
    }

    /// A room that both hold.
    async fn room(&self) -> Room {
        let room = self.a.save(&Room::new("Blue")).await.unwrap().record;
        self.meet().await;
        room
    }

    /// Both change it before they meet.
    async fn apart(&self, id: &str, ours: Value, theirs: Value) {
        self.a.update_json("Room", id, ours.as_object().unwrap().clone()).await.unwrap();
        self.b.update_json("Room", id, theirs.as_object().unwrap().clone()).await.unwrap();
        self.meet().await;
    }

    async fn close(self) {
        self.b.close().await.unwrap();
        self.a.close().await.unwrap();
    }
}

async fn next(observer: &mut ConflictObserver) -> Conflicted {
    tokio::time::timeout(LONG, observer.next()).await.unwrap().unwrap().unwrap()
}

fn fields(record: &Conflicted) -> Vec<&str> {
    record.conflicts.iter().map(|conflict| conflict.field.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_tells_of_conflicts_that_stand_come_change_and_go() {
    let two = Two::new().await;
    let (first, second) = (two.room().await, two.room().await);
    two.apart(&first.id, json!({"seats": 4}), json!({"seats": 6})).await;
    let mut observer = two.a.observe_conflicts();
    let standing = next(&mut observer).await;
    assert_eq!(
        (standing.model.as_str(), &standing.id, fields(&standing)),
        ("Room", &first.id.to_string(), vec!["seats"])
    );
    two.apart(&second.id, json!({"name": "Azure"}), json!({"name": "Navy"})).await;
    let came = next(&mut observer).await;
    assert_eq!((&came.id, fields(&came)), (&second.id.to_string(), vec!["name"]));
    two.apart(&second.id, json!({"seats": 1}), json!({"seats": 2})).await;
    assert_eq!(fields(&next(&mut observer).await), ["name", "seats"]);
    two.a.resolve(&second.id, room::name, "Indigo").await.unwrap();
    assert_eq!(fields(&next(&mut observer).await), ["seats"]);
    two.b.resolve(&first.id, room::seats, 5).await.unwrap();
    two.meet().await;
    let settled = next(&mut observer).await;
    assert_eq!((&settled.id, fields(&settled)), (&first.id.to_string(), Vec::<&str>::new()));
    two.a.delete::<Room>(&second.id).await.unwrap();
    assert_eq!(
        (next(&mut observer).await.id, two.a.conflicted::<Room>(None, 10).await.unwrap().records),
        (second.id.into(), vec![])
    );
    two.close().await;
    assert!(observer.next().await.is_none(), "the store is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_of_one_model_hears_of_no_other() {
    let two = Two::new().await;
    for width in [(&two.a, 40), (&two.b, 60)] {
        width.0.save(&Shelf { width: Some(width.1), ..Shelf::new("upper") }).await.unwrap();
    }
    let room = two.room().await;
    let mut rooms = two.a.observe_conflicts().of::<Room>();
    let mut all = two.a.observe_conflicts();
    assert_eq!(next(&mut all).await.id, r#"{"label":"upper"}"#);
    two.apart(&room.id, json!({"seats": 4}), json!({"seats": 6})).await;
    assert_eq!((next(&mut rooms).await.id, next(&mut all).await.id), (room.id.to_string(), room.id.to_string()));
    let unknown = two.a.observe_conflicts().of_model("Rom").next().await.unwrap().unwrap_err();
    assert!(unknown.to_string().contains("Room"), "{unknown}");
    two.close().await;
}

/// Events are dropped for a follower that nobody reads for long.
#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_missed_events_still_tells_what_holds_now() {
    let two = Two::new().await;
    let (settled, fresh, same) = (two.room().await, two.room().await, two.room().await);
    for id in [&settled.id, &same.id] {
        two.apart(id, json!({"seats": 4}), json!({"seats": 6})).await;
    }
    let mut observer = two.a.observe_conflicts();
    assert_eq!([next(&mut observer).await.id, next(&mut observer).await.id], [settled.id.clone(), same.id]);
    two.a.resolve(&settled.id, room::seats, 5).await.unwrap();
    two.apart(&fresh.id, json!({"seats": 4}), json!({"seats": 6})).await;
    for n in 0..4200 {
        two.a.save(&Shelf { width: Some(n), ..Shelf::new("lower") }).await.unwrap();
    }
    let told = [next(&mut observer).await, next(&mut observer).await];
    let told = told.each_ref().map(|record| (&record.id, record.conflicts.len()));
    assert_eq!(told, [(&settled.id.to_string(), 0), (&fresh.id.to_string(), 1)]);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), observer.next()).await.is_err(),
        "the third did not change"
    );
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_values_are_read_and_settled_by_their_types() {
    let two = Two::new().await;
    let room = two.room().await;
    let ours = json!({"seats": 4, "color": "RED", "place": {"floor": 1}, "note": {"by": "a"}, "last": "a"});
    let theirs = json!({"seats": null, "color": "BLUE", "place": {"floor": 2}, "note": {"by": "b"}, "last": "b"});
    two.a.update_json("Room", &room.id, json!({"seats": 3}).as_object().unwrap().clone()).await.unwrap();
    two.meet().await;
    two.apart(&room.id, ours, theirs).await;
    let all = two.b.conflicts::<Room>(&room.id).await.unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(names, ["seats", "color", "note", "place.floor", "last"]);
    let seats = two.b.conflict(&room.id, room::seats).await.unwrap().unwrap();
    let mut values: Vec<Option<i64>> = seats.values.iter().map(|one| one.value).collect();
    values.sort_unstable();
    assert_eq!(values, [None, Some(4)]);
    let mine: Vec<bool> = seats.values.iter().map(|one| one.mine).collect();
    assert_eq!(mine.iter().filter(|mine| **mine).count(), 1, "{seats:?}");
    let shown = two.b.get::<Room>(&room.id).await.unwrap().unwrap();
    assert_eq!(seats.shown().copied().unwrap(), shown.seats);
    let last = two.b.conflict(&room.id, room::last).await.unwrap().unwrap();
    assert_eq!(last.rule, syncline::schema::Merge::Latest);
    assert_eq!(last.values.iter().map(|one| one.time_ms).max(), Some(last.values[0].time_ms), "{last:?}");
    two.b.resolve(&room.id, room::color, Color::Red).await.unwrap();
    two.b.resolve(&room.id, room::last, "both").await.unwrap();
    two.b.resolve_json("Room", &room.id, "seats", &Value::Null).await.unwrap();
    let id = room.id.clone();
    let kept = two.b.transaction(move |tx| {
        tx.resolve_json("Room", &id, "note", &json!({"by": "both"}))?;
        tx.resolve_json("Room", &id, "place.floor", &json!(3))
    });
    let kept = kept.await.unwrap().record;
    two.meet().await;
    assert_eq!(two.a.conflicts::<Room>(&room.id).await.unwrap(), []);
    assert_eq!(two.a.get_json("Room", &room.id).await.unwrap().unwrap(), kept);
    let facts = [&kept["seats"], &kept["color"], &kept["note"], &kept["place"], &kept["last"]];
    assert_eq!(json!(facts), json!([null, "RED", {"by": "both"}, {"floor": 3}, "both"]));
    let again = two.a.resolve(&room.id, room::seats, 1).await.unwrap_err();
    assert!(matches!(&again, Error::Store(StoreError::NoConflict { field, .. }) if field == "seats"), "{again}");
    two.close().await;
}
