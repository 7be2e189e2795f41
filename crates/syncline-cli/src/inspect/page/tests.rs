//! What a person sees at 80 × 24, and what keys lead to.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use syncline::{Options, Record};

use super::*;
use crate::inspect::{draw, facts};

const SDL: &str = "type Task @model { title: String! done: Boolean notes: String @text }
                   type Seat @model { room: ID! @primaryKey(sortKeyFields: [\"row\"]) row: Int! taken: Boolean }";

fn record(value: serde_json::Value) -> Record {
    value.as_object().cloned().unwrap()
}

async fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(folder.path().join("app.db"), Options::new(SDL)).await.unwrap()
}

async fn read(page: &mut Page, store: &Store) {
    let wish = page.wish();
    let facts = facts::read(store, &wish).await;
    assert!(page.take(&wish, facts));
}

/// Presses keys, one after the other, and reads whenever that is asked for.
async fn press(page: &mut Page, store: &Store, keys: &[KeyCode]) {
    for key in keys {
        if page.press((*key).into()) == Act::Read {
            read(page, store).await;
        }
    }
}

fn screen(page: &mut Page) -> String {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw::draw(page, frame)).unwrap();
    let cells = terminal.backend().buffer().content();
    let lines = cells.chunks(80).map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn typed(text: &str) -> Vec<KeyCode> {
    text.chars().map(KeyCode::Char).chain([KeyCode::Enter]).collect()
}

#[tokio::test]
async fn models_lead_to_records_and_records_to_all_about_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let saved = store.save_json("Task", record(json!({"title": "Buy milk", "done": false}))).await.unwrap().record;
    store.update_json("Task", saved["id"].as_str().unwrap(), record(json!({"done": true}))).await.unwrap();
    store.save_json("Seat", record(json!({"room": "blue", "row": 3}))).await.unwrap();
    let mut page = Page::new(&store);
    read(&mut page, &store).await;
    let models = screen(&mut page);
    assert!(models.contains(" 1 Models  2 Records  3 Outbox  4 Peers  5 Vectors  6 Changes  7 Conflicts"), "{models}");
    assert!(models.contains("2 models") && models.contains("Task  1       id"), "{models}");
    press(&mut page, &store, &[KeyCode::Enter]).await;
    let records = screen(&mut page);
    assert!(
        records.contains("Task: 1 record") && records.contains("Buy milk") && records.contains("true"),
        "{records}"
    );
    press(&mut page, &store, &[KeyCode::Enter]).await;
    let about = screen(&mut page);
    assert!(about.contains("title: Buy milk") && about.contains("done: false → true"), "{about}");
    press(&mut page, &store, &[KeyCode::Esc, KeyCode::Esc, KeyCode::Down, KeyCode::Enter, KeyCode::Enter]).await;
    let seat = screen(&mut page);
    assert!(seat.contains(r#"Seat {"room":"blue","row":3}"#), "{seat}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_records_hold_cannot_reach_the_terminal_as_commands() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let title = format!("\u{1b}[2J日本語 {}", "x".repeat(3_000));
    store.save_json("Task", record(json!({"title": title}))).await.unwrap();
    let mut page = Page::new(&store);
    for view in '1'..='7' {
        press(&mut page, &store, &[KeyCode::Char(view)]).await;
        assert!(!screen(&mut page).contains('\u{1b}'), "{view}");
    }
    press(&mut page, &store, &[KeyCode::Char('2'), KeyCode::Enter]).await;
    let shown = screen(&mut page);
    assert!(shown.contains("\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown}");
    store.close().await.unwrap();
}

/// The page of the outbox told how many changes wait, and not which.
#[tokio::test]
async fn the_outbox_lists_the_newest_changes_that_wait_and_leads_to_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let seats = (0..230).map(|row| record(json!({"room": "r", "row": row}))).collect();
    store.save_all_json("Seat", seats).await.unwrap();
    let saved = store.save_json("Task", record(json!({"title": "Buy milk"}))).await.unwrap().record;
    let mut page = Page::new(&store);
    press(&mut page, &store, &[KeyCode::Char('3')]).await;
    let rows: Vec<&[String]> = page.facts.rows.iter().map(|row| row.cells.as_slice()).collect();
    assert_eq!((rows[2][0].as_str(), rows[2][1].as_str()), ("pending", "231"));
    assert_eq!(rows.len(), 3 + 200, "the counts, and those that are listed");
    assert!(rows[3][1].ends_with(":231") && rows[3][3] == format!("Task {}", saved["id"].as_str().unwrap()));
    assert!(rows[3][2].starts_with("20") && rows[4][1].ends_with(":230"), "{:?}", &rows[3..5]);
    let shown = screen(&mut page);
    assert!(
        shown.contains("Own changes: the newest 200 of 231 pending") && shown.contains("Seat {\"room\""),
        "{shown}"
    );
    press(&mut page, &store, &[KeyCode::Down, KeyCode::Down, KeyCode::Down, KeyCode::Enter]).await;
    assert!(screen(&mut page).contains("title: Buy milk"));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_filter_finds_records_and_a_wrong_one_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    for title in ["uno", "two"] {
        store.save_json("Task", record(json!({"title": title}))).await.unwrap();
    }
    let mut page = Page::new(&store);
    read(&mut page, &store).await;
    press(&mut page, &store, &[KeyCode::Char('/')]).await;
    press(&mut page, &store, &typed("title = 'two'")).await;
    let found = screen(&mut page);
    assert!(found.contains("Task where title = 'two': 1 record") && !found.contains("uno"), "{found}");
    press(&mut page, &store, &[KeyCode::Char('/'), KeyCode::Backspace]).await;
    press(&mut page, &store, &typed(" or nosuch = 1")).await;
    let wrong = screen(&mut page);
    assert!(wrong.contains("error: "), "{wrong}");
    press(&mut page, &store, &[KeyCode::Esc]).await;
    assert!(screen(&mut page).contains("Task: 2 records"));
    store.close().await.unwrap();
}

#[tokio::test]
async fn every_record_is_reached_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let seats = (0..450).map(|row| record(json!({"room": "r", "row": row}))).collect();
    store.save_all_json("Seat", seats).await.unwrap();
    let mut page = Page::new(&store);
    read(&mut page, &store).await;
    press(&mut page, &store, &[KeyCode::Down, KeyCode::Enter]).await;
    for (keys, first, marked) in [
        (&[KeyCode::End, KeyCode::Down][..], "200", 0),
        (&[KeyCode::End, KeyCode::Down, KeyCode::End], "449", 49),
        (&[KeyCode::Home, KeyCode::Up], "399", 199),
    ] {
        press(&mut page, &store, keys).await;
        assert_eq!((page.facts.rows[page.marked].cells[1].as_str(), page.marked), (first, marked));
    }
    store.close().await.unwrap();
}

/// The store was opened to write, took its locks, and was brought up to date at the end.
#[tokio::test]
async fn all_there_is_to_see_is_seen_of_a_store_that_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let app = store(&folder).await;
    app.save_json("Task", record(json!({"title": "Buy milk", "notes": "Two"}))).await.unwrap();
    crate::store::read(app.path(), async |store| {
        let mut page = Page::new(store);
        for view in '1'..='7' {
            press(&mut page, store, &[KeyCode::Char(view)]).await;
            assert_eq!(page.trouble, None, "{view}");
        }
        press(&mut page, store, &[KeyCode::Char('2'), KeyCode::Enter]).await;
        assert_eq!(page.trouble, None);
        assert!(screen(&mut page).contains("History: "), "{}", screen(&mut page));
        Ok(())
    })
    .await
    .unwrap();
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_empty_store_help_and_leaving() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let mut page = Page::new(&store);
    for view in '1'..='7' {
        press(&mut page, &store, &[KeyCode::Char(view)]).await;
        assert_eq!(page.trouble, None, "{view}");
    }
    assert!(screen(&mut page).contains("0 records with concurrent values"));
    press(&mut page, &store, &[KeyCode::Char('?')]).await;
    assert!(screen(&mut page).contains("Nothing here writes"));
    assert_eq!(page.press(KeyCode::Char('q').into()), Act::Nothing, "any key leaves the help first");
    assert_eq!(page.press(KeyCode::Char('q').into()), Act::Leave);
    assert_eq!(page.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Act::Leave);
    store.close().await.unwrap();
}
