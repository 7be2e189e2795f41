//! The examples tell what they say they do.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use syncline::{Options, Store};

#[path = "../examples/calendar.rs"]
#[allow(dead_code, reason = "its `main` runs elsewhere")]
mod calendar;

#[path = "../examples/cart.rs"]
#[allow(dead_code, reason = "its `main` runs elsewhere")]
mod cart;

#[path = "../examples/conflict_alert.rs"]
#[allow(dead_code, reason = "its `main` runs elsewhere")]
mod conflict_alert;

#[path = "../examples/editor.rs"]
#[allow(dead_code, reason = "its `main` runs elsewhere")]
mod editor;

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_shows_both_values_with_their_writers_and_that_they_were_settled() {
    let folder = tempfile::tempdir().unwrap();
    let ann = Store::open(folder.path().join("ann.db"), Options::new(conflict_alert::SDL)).await.unwrap();
    let ben = Store::open(folder.path().join("ben.db"), Options::new(conflict_alert::SDL)).await.unwrap();
    let mut screen = Vec::new();
    conflict_alert::tell(&ann, &ben, &mut screen).await.unwrap();
    let screen = String::from_utf8(screen).unwrap();
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines[2], "! Meeting has 2 values of `room`:", "{screen}");
    // Ben wrote twice, yet his first edit may as well be the one of the greater name.
    let line = |value: &str| *lines[3..5].iter().find(|line| line.contains(value)).unwrap();
    assert!(line("\"Green\"").contains("by you"), "{screen}");
    let ben_id = ben.status().await.unwrap().store.replica.unwrap();
    assert!(line("\"Red\"").contains(&format!("by replica {}", &ben_id[..8])), "{screen}");
    assert_eq!(lines[3..5].iter().filter(|line| line.ends_with("shows now")).count(), 1);
    let end = [
        "Ann takes Ben's: Red.",
        "✓ Meeting has no conflicts any more",
        "Ann sees room Red at 14:00, 0 conflicts.",
        "Ben sees room Red at 14:00, 0 conflicts.",
    ];
    assert_eq!(lines[5..], end);
    ben.close().await.unwrap();
    ann.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_events_of_a_shared_calendar_both_survive() {
    let folder = tempfile::tempdir().unwrap();
    let ann = Store::open(folder.path().join("ann.db"), Options::new(calendar::SDL)).await.unwrap();
    let ben = Store::open(folder.path().join("ben.db"), Options::new(calendar::SDL)).await.unwrap();
    let mut screen = Vec::new();
    calendar::tell(&ann, &ben, &mut screen).await.unwrap();
    let screen = String::from_utf8(screen).unwrap();
    let end = [
        "  09:00–10:00 Planning with Cleo, Dan: Agenda: Budget. Hiring.",
        "  10:00–10:30 Standup",
        "  ! Standup and Dentist overlap from 10:15",
        "  10:15–11:00 Dentist",
        "Ben sees the same.",
    ];
    assert_eq!(screen.lines().skip(3).collect::<Vec<_>>(), end, "{screen}");
    ben.close().await.unwrap();
    ann.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_devices_put_into_a_cart_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Store::open(folder.path().join("phone.db"), Options::new(cart::SDL)).await.unwrap();
    let laptop = Store::open(folder.path().join("laptop.db"), Options::new(cart::SDL)).await.unwrap();
    let mut screen = Vec::new();
    cart::tell(&phone, &laptop, &mut screen).await.unwrap();
    let screen = String::from_utf8(screen).unwrap();
    let shown: Vec<&str> = screen.lines().filter(|line| line.starts_with("  ")).collect();
    let both = "  1 × bread, 10 × eggs, 5 × milk = 12.90, coupons: SPRING";
    let expected = [
        "  2 × milk = 3.00, coupons: WELCOME",
        "  6 × eggs, 3 × milk = 6.30, coupons: SPRING WELCOME",
        "  1 × bread, 4 × eggs, 4 × milk = 9.60, coupons: SPRING",
        both,
        both,
    ];
    assert_eq!(shown, expected, "{screen}");
    laptop.close().await.unwrap();
    phone.close().await.unwrap();
}

async fn press(editor: &mut editor::Editor, keys: impl IntoIterator<Item = KeyCode>) {
    for key in keys {
        editor.press(key.into()).await.unwrap();
    }
}

fn letters(text: &str) -> Vec<KeyCode> {
    text.chars().map(|letter| if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) }).collect()
}

/// Until the text is this one; what others type takes a moment.
async fn shows(editor: &mut editor::Editor, text: &str) {
    let arrives = async {
        while editor.text != text {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            editor.look().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), arrives).await;
    assert!(waited.is_ok(), "it shows {:?}", editor.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_type_in_one_text_and_each_cursor_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let ann = Store::open(folder.path().join("ann.db"), Options::new(editor::SDL)).await.unwrap();
    let ben = Store::open(folder.path().join("ben.db"), Options::new(editor::SDL)).await.unwrap();
    ann.save(&editor::Page { id: "page".into(), ..editor::Page::new("A page") }).await.unwrap();
    let door = ann.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let link = ben.connect(door.url()).unwrap();
    let mut one = editor::Editor::open(&ann, &mut ann.query::<editor::Page>().observe()).await.unwrap();
    let mut other = editor::Editor::open(&ben, &mut ben.query::<editor::Page>().observe()).await.unwrap();

    press(&mut one, letters("Milk\nEgs\nBread")).await;
    shows(&mut other, "Milk\nEgs\nBread").await;
    // Ben writes above while Ann corrects a line below, and goes on where she was.
    press(&mut other, [KeyCode::Home]).await;
    press(&mut other, letters("To buy:\n")).await;
    press(&mut one, [KeyCode::Up, KeyCode::Home, KeyCode::Right]).await;
    press(&mut one, letters("g")).await;
    let both = "To buy:\nMilk\nEggs\nBread";
    shows(&mut one, both).await;
    shows(&mut other, both).await;
    press(&mut one, [KeyCode::End, KeyCode::Backspace, KeyCode::Char('?'), KeyCode::Home, KeyCode::Delete]).await;
    let both = "To buy:\nMilk\ngg?\nBread";
    shows(&mut one, both).await;
    shows(&mut other, both).await;

    let mut terminal = Terminal::new(TestBackend::new(32, 5)).unwrap();
    terminal.draw(|frame| one.draw(frame, "here")).unwrap();
    let screen = terminal.backend().to_string();
    let rows: Vec<&str> = screen.lines().map(|row| row.trim_matches('"')).collect();
    assert!(rows[0].contains("A page that several write") && rows[4].contains("here · Esc leaves"), "{screen}");
    assert!(rows[1].contains("To buy:") && rows[3].contains("gg?"), "{screen}");
    terminal.backend_mut().assert_cursor_position((1, 3));
    link.close().await;
    door.close().await;
    ben.close().await.unwrap();
    ann.close().await.unwrap();
}
