//! `observeQuery`, as Amplify DataStore documents it and its public tests ask of it. Where it is another thing here,
//! `docs/datastore.md` says so and why.

use std::sync::Arc;

use syncline::{Diff, Live, LiveSnapshot, Store};

use crate::datastore_observe::{
    Comment, Post, Product, Profile, User, comment, open, post, product, retitle, save, shown, user,
};
use crate::support::{Bed, PATIENCE, in_time, loopback, sync, wait};

fn titles(snapshot: &LiveSnapshot<Post>) -> Vec<&str> {
    snapshot.items.iter().map(|post| post.title.as_str()).collect()
}

/// So many posts that are rated by their number.
async fn posts(store: &Store, count: i64) -> Vec<Post> {
    let mut posts = Vec::new();
    for n in 0..count {
        posts.push(store.save(&Post { rating: Some(n), ..Post::new(format!("post {n}")) }).await.unwrap().record);
    }
    posts
}

/// What is saved now is all that the next snapshot tells: none waits that tells something else, or nothing.
async fn assert_no_news(store: &Store, live: &mut Live<Post>) {
    let post = save(store, "after all").await;
    let next = shown(live).await;
    assert_eq!(next.changes.len(), 1, "{:?}", next.changes);
    assert!(next.items.contains(&Arc::new(post)));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_begins_with_what_is_there() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    posts(&store, 5).await;
    let first = shown(&mut store.query::<Post>().observe()).await;
    assert_eq!(titles(&first), ["post 0", "post 1", "post 2", "post 3", "post 4"]);
    assert!(first.changes.iter().all(|step| matches!(step, Diff::Inserted { .. })));
    assert_eq!((first.changes.len(), first.is_synced), (5, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_of_an_empty_model_begins_with_nothing() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&User::new("of another model")).await.unwrap();
    let mut live = store.query::<Post>().observe();
    let first = shown(&mut live).await;
    assert_eq!((first.items.len(), first.changes.len(), first.is_synced), (0, 0, false));
    assert_no_news(&store, &mut live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_goes_on_with_what_is_saved_later() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut expected = posts(&store, 5).await;
    let mut live = store.query::<Post>().observe();
    shown(&mut live).await;
    for n in 5..15 {
        expected.push(save(&store, &format!("post {n}")).await);
        let next = shown(&mut live).await;
        let items: Vec<Post> = next.items.iter().map(|post| (**post).clone()).collect();
        assert_eq!(items, expected, "each has all");
        assert!(matches!(next.changes.as_slice(), [Diff::Inserted { index, .. }] if *index == n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_shows_updates_in_their_place() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let all = posts(&store, 3).await;
    let mut live = store.query::<Post>().observe();
    shown(&mut live).await;
    retitle(&store, &all[1], "edited").await;
    let next = shown(&mut live).await;
    assert_eq!(titles(&next), ["post 0", "edited", "post 2"]);
    assert!(matches!(next.changes.as_slice(), [Diff::Updated { index: 1, .. }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_shows_only_what_matches() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    save(&store, "post 0, omit").await;
    save(&store, "post 1, include").await;
    let mut live = store.query::<Post>().filter(post::title.contains("include")).observe();
    assert_eq!(titles(&shown(&mut live).await), ["post 1, include"]);
    save(&store, "post 2, omit").await;
    save(&store, "post 3, include").await;
    assert_eq!(titles(&shown(&mut live).await), ["post 1, include", "post 3, include"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_drops_a_record_that_an_update_takes_out_of_the_filter() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (one, other) = (save(&store, "one, include").await, save(&store, "other, include").await);
    let mut live = store.query::<Post>().filter(post::title.contains("include")).observe();
    shown(&mut live).await;
    retitle(&store, &one, "one, omit").await;
    let next = shown(&mut live).await;
    assert_eq!(titles(&next), ["other, include"]);
    // The step has it as it was.
    assert!(matches!(&next.changes[..], [Diff::Removed { index: 0, record }] if record["title"] == "one, include"));
    retitle(&store, &one, "back, include").await;
    assert_eq!(titles(&shown(&mut live).await), ["back, include", "other, include"]);
    retitle(&store, &other, "other, omit").await;
    assert_eq!(titles(&shown(&mut live).await), ["back, include"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_drops_deleted_records() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let all = posts(&store, 5).await;
    let mut whole = store.query::<Post>().observe();
    let mut filtered = store.query::<Post>().filter(post::title.begins_with("post")).observe();
    for live in [&mut whole, &mut filtered] {
        assert_eq!(shown(live).await.items.len(), 5);
    }
    store.delete::<Post>(&all[4].id).await.unwrap();
    for live in [&mut whole, &mut filtered] {
        assert_eq!(titles(&shown(live).await), ["post 0", "post 1", "post 2", "post 3"]);
    }
    store.delete_where(post::rating.lt(2)).await.unwrap();
    for live in [&mut whole, &mut filtered] {
        assert_eq!(titles(&shown(live).await), ["post 2", "post 3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_sorts_in_both_directions() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    for title in ["b", "d"] {
        save(&store, title).await;
    }
    let mut up = store.query::<Post>().order(post::title.asc()).observe();
    let mut down = store.query::<Post>().order(post::title.desc()).observe();
    assert_eq!(titles(&shown(&mut up).await), ["b", "d"]);
    assert_eq!(titles(&shown(&mut down).await), ["d", "b"]);
    for title in ["c", "a", "e"] {
        save(&store, title).await;
        for live in [&mut up, &mut down] {
            let next = shown(live).await;
            assert_eq!(next.changes.len(), 1, "it comes where it belongs");
        }
    }
    save(&store, "f").await;
    assert_eq!(titles(&shown(&mut up).await), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(titles(&shown(&mut down).await), ["f", "e", "d", "c", "b", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_sorts_by_several_fields() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut live = store.query::<Post>().order(post::rating.desc()).order(post::title.asc()).observe();
    shown(&mut live).await;
    for (rating, title) in [(1, "b"), (2, "b"), (1, "a"), (2, "a"), (3, "z")] {
        store.save(&Post { rating: Some(rating), ..Post::new(title) }).await.unwrap();
        shown(&mut live).await;
    }
    store.save(&Post::new("unrated")).await.unwrap();
    let last = shown(&mut live).await;
    let rated: Vec<_> = last.items.iter().map(|post| (post.rating, post.title.as_str())).collect();
    assert_eq!(
        rated,
        [(Some(3), "z"), (Some(2), "a"), (Some(2), "b"), (Some(1), "a"), (Some(1), "b"), (None, "unrated")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_moves_a_record_whose_place_changes() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let all = posts(&store, 4).await;
    let mut live = store.query::<Post>().order(post::rating.asc()).observe();
    shown(&mut live).await;
    store.update::<Post>(&all[0].id, |post| post.rating = Some(9)).await.unwrap();
    let next = shown(&mut live).await;
    assert_eq!(titles(&next), ["post 1", "post 2", "post 3", "post 0"]);
    assert!(matches!(next.changes.as_slice(), [Diff::Moved { from: 0, to: 3, .. }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_filters_by_related_records() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (mine, other) = (save(&store, "mine").await, save(&store, "other").await);
    let of_mine = comment::post.matches(post::title.eq("mine"));
    let mut belonging = store.query::<Comment>().filter(of_mine).observe();
    let mut having = store.query::<Post>().filter(post::comments.any(comment::content.eq("good"))).observe();
    assert!(shown(&mut belonging).await.items.is_empty() && shown(&mut having).await.items.is_empty());
    comment(&store, "bad", &other).await;
    let good = comment(&store, "good", &mine).await;
    assert_eq!(shown(&mut belonging).await.items, [good.clone().into()]);
    assert_eq!(titles(&shown(&mut having).await), ["mine"]);
    // What DataStore does not see: the related record changes, and with it who matches.
    retitle(&store, &mine, "no longer").await;
    assert!(shown(&mut belonging).await.items.is_empty());
    assert_eq!(titles(&shown(&mut having).await), ["no longer"]);
    store.update::<Comment>(&good.id, |comment| comment.content = "worse".to_owned()).await.unwrap();
    assert!(shown(&mut having).await.items.is_empty());
    retitle(&store, &other, "mine").await;
    assert_eq!(shown(&mut belonging).await.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_shows_the_record_that_one_belongs_to_as_a_query_does() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let old = save(&store, "old post").await;
    let query = || store.query::<Comment>().include(comment::post);
    let mut live = query().observe();
    shown(&mut live).await;
    let made = comment(&store, "content", &old).await;
    let next = shown(&mut live).await;
    assert_eq!(next.items, [(made.clone(), Some(old)).into()]);
    // Then it belongs to another.
    let new = save(&store, "new post").await;
    let to = new.id.clone();
    let moved = store.update::<Comment>(&made.id, move |comment| comment.post_comments_id = Some(to.clone()));
    let moved = moved.await.unwrap().record;
    let next = shown(&mut live).await;
    assert_eq!(next.items, [(moved, Some(new)).into()]);
    assert_eq!(*next.items[0], query().all().await.unwrap()[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_shows_the_one_record_that_one_has_as_a_query_does() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let profile = async |name: &str| store.save(&Profile::new(name)).await.unwrap().record;
    let query = || store.query::<User>().include(user::profile);
    let mut live = query().observe();
    shown(&mut live).await;
    let old = profile("Ada").await;
    let ada = User { user_profile_id: Some(old.id.clone()), ..User::new("ada") };
    let ada = store.save(&ada).await.unwrap().record;
    assert_eq!(shown(&mut live).await.items, [(ada.clone(), Some(old)).into()]);
    let new = profile("Countess Ada").await;
    let to = new.id.clone();
    let ada = store.update::<User>(&ada.id, move |user| user.user_profile_id = Some(to.clone())).await.unwrap().record;
    let next = shown(&mut live).await;
    assert_eq!(next.items, [(ada, Some(new)).into()]);
    assert_eq!(*next.items[0], query().all().await.unwrap()[0]);
}

/// DataStore's snapshots say nothing of related records, which are loaded when they are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_tells_when_a_record_changes_that_is_included_at_any_depth() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let profile = store.save(&Profile::new("Ada")).await.unwrap().record;
    let user = User { user_profile_id: Some(profile.id.clone()), ..User::new("ada") };
    let user = store.save(&user).await.unwrap().record;
    let post = save(&store, "post").await;
    let by_ada = Comment {
        post_comments_id: Some(post.id.clone()),
        user_comments_id: Some(user.id.clone()),
        ..Comment::new("first")
    };
    store.save(&by_ada).await.unwrap();
    let decoy = save(&store, "decoy").await;
    let authors = || comment::author.with(user::profile);
    let query = || store.query::<Post>().filter(post::title.eq("post")).include(post::comments.with(authors()));
    let mut live = query().observe();
    shown(&mut live).await;
    store.save(&Profile::new("of nobody")).await.unwrap();
    comment(&store, "elsewhere", &decoy).await;
    store.update::<Profile>(&profile.id, |profile| profile.first_name = "Augusta".to_owned()).await.unwrap();
    let next = shown(&mut live).await;
    assert!(matches!(next.changes.as_slice(), [Diff::Updated { index: 0, .. }]));
    let (_, comments) = &*next.items[0];
    let (_, author) = &comments[0];
    let (_, profile_shown) = author.as_ref().unwrap();
    assert_eq!(profile_shown.as_ref().unwrap().first_name, "Augusta");
    store.update::<User>(&user.id, |user| user.name = "augusta".to_owned()).await.unwrap();
    assert_eq!(*shown(&mut live).await.items[0], query().all().await.unwrap()[0]);
    comment(&store, "second", &post).await;
    assert_eq!(shown(&mut live).await.items[0].1.len(), 2);
    store.delete::<Profile>(&profile.id).await.unwrap();
    assert_eq!(*shown(&mut live).await.items[0], query().all().await.unwrap()[0]);
}

/// DataStore waits for a page of changes or two seconds; here the reader sets the pace.
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_tells_many_saves_at_once() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut live = store.query::<Post>().order(post::rating.asc()).observe();
    shown(&mut live).await;
    let all = posts(&store, 1_100).await;
    retitle(&store, &all[7], "edited meanwhile").await;
    let next = shown(&mut live).await;
    assert_eq!((next.items.len(), next.changes.len()), (1_100, 1_100), "in one snapshot");
    assert_eq!(next.items[7].title, "edited meanwhile");
    assert_no_news(&store, &mut live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_ends_with_its_subscription() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let (mut one, mut other) = (store.query::<Post>().observe(), store.query::<Post>().observe());
    assert!(shown(&mut one).await.items.is_empty() && shown(&mut other).await.items.is_empty());
    drop(one);
    assert_no_news(&store, &mut other).await;
    // Who begins again begins with everything.
    assert_eq!(titles(&shown(&mut store.query::<Post>().observe()).await), ["after all"]);
    store.close().await.unwrap();
    assert!(in_time(other.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_follows_custom_keys() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    store.save(&Product::new("w2", "A-7", 1.0)).await.unwrap();
    let mut live = store.query::<Product>().filter(product::warehouse.eq("w1")).observe();
    assert!(shown(&mut live).await.items.is_empty());
    for (sku, price) in [("B-1", 2.0), ("A-7", 3.0), ("B-1", 4.0)] {
        store.save(&Product::new("w1", sku, price)).await.unwrap();
        shown(&mut live).await;
    }
    store.delete::<Product>(&Product::key_of("w1", "A-7")).await.unwrap();
    let last = shown(&mut live).await;
    assert_eq!(last.items.iter().map(|of| (of.sku.as_str(), of.price)).collect::<Vec<_>>(), [("B-1", 4.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_without_a_peer_is_not_synced() {
    let bed = Bed::new();
    let store = open(&bed, "app.db").await;
    let mut live = store.query::<Post>().observe();
    assert!(!shown(&mut live).await.is_synced);
    // Nobody is there.
    store.sync_once("syncline://127.0.0.1:1", PATIENCE).await.unwrap_err();
    save(&store, "local").await;
    assert!(!shown(&mut live).await.is_synced);
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_turns_synced_once_with_local_and_remote_records() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    posts(&there, 40).await;
    save(&here, "local").await;
    let listener = there.listen(loopback()).await.unwrap();
    let mut live = here.query::<Post>().observe();
    let first = shown(&mut live).await;
    assert_eq!((titles(&first), first.is_synced), (vec!["local"], false));
    sync(&here, listener.url()).await;
    let synced = until_synced(&mut live).await;
    assert_eq!(synced.items.len(), 41, "synced means that all of it shows");
    // The next sync, and one that brings something, tell of no second edge and of no first.
    sync(&here, listener.url()).await;
    assert_no_news(&here, &mut live).await;
    save(&there, "remote").await;
    sync(&here, listener.url()).await;
    let next = shown(&mut live).await;
    assert_eq!((next.items.len(), next.changes.len(), next.is_synced), (43, 1, true));
}

/// Snapshots up to the one that says so.
async fn until_synced<R>(live: &mut Live<R>) -> LiveSnapshot<R> {
    loop {
        let snapshot = shown(live).await;
        if snapshot.is_synced {
            return snapshot;
        }
    }
}

/// Where the other end has nothing at all, and where it has records of other models alone.
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_of_an_empty_model_turns_synced_once() {
    let bed = Bed::new();
    let relay = bed.relay("relay").await;
    let there = open(&bed, "there.db").await;
    for (users, name) in ["first.db", "second.db"].into_iter().enumerate() {
        let here = open(&bed, name).await;
        let posts = || here.query::<Post>();
        let mut lives = [posts().observe(), posts().filter(post::rating.gt(0)).observe()];
        for live in &mut lives {
            assert!(!shown(live).await.is_synced);
        }
        sync(&there, &relay.url()).await;
        sync(&here, &relay.url()).await;
        assert_eq!(here.query::<User>().count().await.unwrap(), users as u64);
        for live in &mut lives {
            let synced = shown(live).await;
            assert_eq!((synced.items.len(), synced.changes.len(), synced.is_synced), (0, 0, true));
        }
        there.save(&User::new("of another model")).await.unwrap();
        sync(&here, &relay.url()).await;
        let first = save(&here, "first").await;
        for live in &mut lives {
            let next = shown(live).await;
            assert_eq!((next.items.as_slice(), next.is_synced), (&[first.clone().into()][..], true), "no other edge");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_of_a_store_in_sync_is_synced_from_the_first() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    let listener = there.listen(loopback()).await.unwrap();
    let link = here.connect(listener.url()).unwrap();
    let mut live = here.query::<Post>().observe();
    while !shown(&mut live).await.is_synced {}
    let mut late = here.query::<Post>().observe();
    let first = shown(&mut late).await;
    assert_eq!((first.items.len(), first.is_synced), (0, true));
    // And stays so when the line goes.
    link.close().await;
    save(&here, "alone").await;
    assert!(shown(&mut late).await.is_synced);
}

/// The snapshots of DataStore end when it is stopped (JavaScript), or begin anew when it is started again (Swift).
#[tokio::test(flavor = "multi_thread")]
async fn datastore_observe_query_goes_on_over_a_stop_and_a_start() {
    let bed = Bed::new();
    let (here, there) = (open(&bed, "here.db").await, open(&bed, "there.db").await);
    let listener = there.listen(loopback()).await.unwrap();
    let mut live = here.query::<Post>().observe();
    let link = here.connect(listener.url()).unwrap();
    assert!(until_synced(&mut live).await.items.is_empty());
    link.close().await;
    save(&here, "meanwhile").await;
    assert_eq!(titles(&shown(&mut live).await), ["meanwhile"]);
    let _link = here.connect(listener.url()).unwrap();
    let saved = there.save(&Post::new("later")).await.unwrap();
    wait(&here, saved.token.as_ref()).await;
    let next = shown(&mut live).await;
    assert_eq!((next.items.len(), next.changes.len(), next.is_synced), (2, 1, true));
}
