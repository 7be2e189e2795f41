//! Rich texts and cursors, as an app uses them.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]
#![allow(missing_docs, reason = "generated from the schema below")]

use std::time::Duration;

use syncline::{Expand, ExpandRules, Mark, Options, Side, Span, Store};

syncline::models!(
    sdl = r#"
  type Page @model {
    title: String!
    body: String @text(rich: true)
    plain: String @text
  }
"#
);

const LONG: Duration = Duration::from_secs(20);

fn bold(text: &str) -> Span {
    Span::plain(text).with("bold", true)
}

async fn open(folder: &tempfile::TempDir, name: &str) -> Store {
    Store::open(folder.path().join(name), Options::new(SDL)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_mark_and_type_apart_show_the_same_spans_once_they_met() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (open(&folder, "a.db").await, open(&folder, "b.db").await);
    let page = a.save(&Page { body: Some("the quick fox".to_owned()), ..Page::new("p") }).await.unwrap().record;
    let listener = a.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    let marked = a.mark(&page.id, page::body, 4..9, Mark::new("bold", true)).await.unwrap();
    assert_eq!(marked.record.body.as_deref(), Some("the quick fox"));
    b.mark(&page.id, page::body, 0..6, Mark::new("link", "x").expanding(Expand::None)).await.unwrap();
    // Inside what is bold at the other replica and linked here, and inside what is only bold there.
    b.splice("Page", &page.id, "body", 5, 0, "Q").await.unwrap();
    b.splice("Page", &page.id, "body", 9, 0, "C").await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    // At the ends of marks that are known: bold goes on, the link ends where it ends.
    b.splice("Page", &page.id, "body", 11, 0, "est").await.unwrap();
    b.splice("Page", &page.id, "body", 7, 0, "-").await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    let both = |text: &str| bold(text).with("link", "x");
    let expected = vec![Span::plain("the ").with("link", "x"), both("qQu"), bold("-icCkest"), Span::plain(" fox")];
    for store in [&a, &b] {
        assert_eq!(store.spans(&page.id, page::body).await.unwrap(), Some(expected.clone()));
        assert!(store.verify().await.unwrap().is_ok());
    }
    let rules = ExpandRules::from(Expand::None);
    let saved = a.set_spans(&page.id, page::body, vec![both("quick"), Span::plain("!")], rules.clone()).await.unwrap();
    assert_eq!(saved.record.body.as_deref(), Some("quick!"));
    let again = a.set_spans(&page.id, page::body, vec![both("quick"), Span::plain("!")], rules).await.unwrap();
    assert_eq!(again.token, None, "equal spans are no change");
    let unmarked = a.unmark(&page.id, page::body, 0..5, "link", Expand::None).await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    b.wait_for(&unmarked.token.unwrap(), LONG).await.unwrap();
    assert_eq!(b.spans(&page.id, page::body).await.unwrap(), Some(vec![bold("quick"), Span::plain("!")]));
}

// Whether what is typed where another replica's mark ends, before it is known, falls inside of it depends on the
// replica ids. A test that expected one of the two failed now and then.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_apart_at_the_end_of_a_mark_looks_the_same_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (open(&folder, "a.db").await, open(&folder, "b.db").await);
    let page = a.save(&Page { body: Some("the quick fox".to_owned()), ..Page::new("p") }).await.unwrap().record;
    let listener = a.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    a.mark(&page.id, page::body, 4..9, Mark::new("bold", true)).await.unwrap();
    b.mark(&page.id, page::body, 0..9, Mark::new("link", "x").expanding(Expand::None)).await.unwrap();
    b.splice("Page", &page.id, "body", 9, 0, "est").await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    let spans = a.spans(&page.id, page::body).await.unwrap().unwrap();
    assert_eq!(b.spans(&page.id, page::body).await.unwrap(), Some(spans.clone()));
    let both = bold("quick").with("link", "x");
    assert_eq!(spans[..2], [Span::plain("the ").with("link", "x"), both]);
    assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<String>(), "the quickest fox");
    assert!(!spans[2].marks.contains_key("link"), "the link ended where it was known to end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_resolved_on_every_replica_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (open(&folder, "a.db").await, open(&folder, "b.db").await);
    let page = a.save(&Page { body: Some("one two".to_owned()), ..Page::new("p") }).await.unwrap().record;
    let before = a.cursor(&page.id, page::body, 4, Side::Before).await.unwrap();
    let after = a.cursor(&page.id, page::body, 4, Side::After).await.unwrap();
    let listener = a.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    a.splice("Page", &page.id, "body", 0, 0, "<ö>").await.unwrap();
    b.splice("Page", &page.id, "body", 4, 0, "&").await.unwrap();
    b.sync_once(listener.url(), LONG).await.unwrap();
    a.close().await.unwrap();
    let a = open(&folder, "a.db").await;
    for store in [&a, &b] {
        assert_eq!(store.get::<Page>(&page.id).await.unwrap().unwrap().body.as_deref(), Some("<ö>one &two"));
        assert_eq!(store.position_of(&page.id, page::body, &before).await.unwrap(), 7);
        assert_eq!(store.position_of(&page.id, page::body, &after).await.unwrap(), 8);
    }
    let other = a.save(&Page { body: Some("one two".to_owned()), ..Page::new("q") }).await.unwrap().record;
    let refused = a.position_of(&other.id, page::body, &before).await.unwrap_err().to_string();
    assert!(refused.contains("belongs to another text"), "{refused}");
    let ahead = a.cursor(&other.id, page::body, 4, Side::Before).await.unwrap();
    let refused = b.position_of(&other.id, page::body, &ahead).await.unwrap_err().to_string();
    assert!(refused.contains("no record"), "{refused}");
    let refused = a.position_of(&other.id, page::body, &ahead[..ahead.len() - 1]).await.unwrap_err().to_string();
    assert!(refused.contains("copy it whole"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keystrokes_and_marks_that_wait_together_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, "a.db").await;
    let page = store.save(&Page::new("p")).await.unwrap().record;
    let mut text = store.text(&page.id, page::body);
    text.splice(0, 0, "Hello you");
    text.mark(0..9, Mark::new("bold", true).expanding(Expand::None));
    text.splice(0, 1, "J");
    text.unmark(5..9, "bold", Expand::None);
    let expected = vec![Span::plain("J"), bold("ello"), Span::plain(" you")];
    assert_eq!(text.spans().await.unwrap(), Some(expected.clone()));
    let cursor = text.cursor(6, Side::Before).await.unwrap();
    text.splice(0, 0, ">");
    assert_eq!(text.position_of(&cursor).await.unwrap(), 7);
    text.mark(0..99, Mark::new("bold", true));
    assert!(text.flush().await.unwrap_err().to_string().contains("it has 10 characters"));
    let mut plain = store.text(&page.id, page::plain);
    plain.splice(0, 0, "abc");
    plain.mark(0..1, Mark::new("bold", true));
    assert!(plain.flush().await.unwrap_err().to_string().contains("not a rich text"));
    assert_eq!(plain.read().await.unwrap().as_deref(), Some("abc"), "what was typed beside it is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_marks_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, "a.db").await;
    let page = store.save(&Page { body: Some("abc".to_owned()), ..Page::new("p") }).await.unwrap().record;
    let before = store.version().await.unwrap();
    let id = page.id.clone();
    let failed = store
        .transaction(move |tx| {
            tx.mark_json("Page", &id, "body", 0..2, Mark::new("bold", true))?;
            assert_eq!(tx.spans_json("Page", &id, "body")?, Some(vec![bold("ab"), Span::plain("c")]));
            tx.unmark_json("Page", &id, "body", 0..4, "bold", Expand::None).map(drop)
        })
        .await;
    assert!(failed.unwrap_err().to_string().contains("it has 3 characters"));
    assert_eq!(store.spans(&page.id, page::body).await.unwrap(), Some(vec![Span::plain("abc")]));
    assert_eq!(store.version().await.unwrap(), before, "reading spans and cursors makes no change");
    store.delete::<Page>(&page.id).await.unwrap();
    let refused = store.spans(&page.id, page::body).await.unwrap_err().to_string();
    assert!(refused.contains("it is deleted"), "{refused}");
}
