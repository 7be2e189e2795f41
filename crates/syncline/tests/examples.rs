//! The examples tell what they say they do.

#![allow(clippy::unwrap_used, reason = "what cannot go on fails the test")]

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
    let both = "  18 × eggs, 5 × milk = 12.90, coupons: SPRING";
    let expected = [
        "  2 × milk = 3.00, coupons: WELCOME",
        "  6 × eggs, 3 × milk = 6.30, coupons: SPRING WELCOME",
        "  12 × eggs, 4 × milk = 9.60, coupons: SPRING",
        both,
        both,
    ];
    assert_eq!(shown, expected, "{screen}");
    laptop.close().await.unwrap();
    phone.close().await.unwrap();
}
