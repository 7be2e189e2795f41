//! A calendar that two people share: what both put into it while apart survives, also where it overlaps, and both are
//! shown that it does.
//!
//! `cargo run -p syncline --example calendar`

#![allow(missing_docs, reason = "`models!` makes a module for each model")]

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use syncline::{Live, Options, Store};

syncline::models!(
    sdl = r#"
type Event @model {
  title: String!
  begins: AWSDateTime! @index(name: "byBegin")
  ends: AWSDateTime!
  guests: [String!] @set
  notes: String @text
}
"#
);

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let ann = Store::open(folder.path().join("ann.db"), Options::new(SDL)).await?;
    let ben = Store::open(folder.path().join("ben.db"), Options::new(SDL)).await?;
    tell(&ann, &ben, &mut std::io::stdout()).await?;
    ben.close().await?;
    ann.close().await?;
    Ok(())
}

/// The whole story, on Ann's screen.
pub(crate) async fn tell(ann: &Store, ben: &Store, screen: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let door = ann.listen("127.0.0.1:0".parse()?).await?;
    let meet = async || ben.sync_once(door.url(), PATIENCE).await;
    let mut day = monday(ann);

    let planning = ann.save(&Event { notes: Some("Budget.".into()), ..at("Planning", "09:00", "10:00") }).await?.record;
    meet().await?;
    writeln!(screen, "Ann and Ben share a calendar, and part. On Monday Ann sees:")?;
    show(&next(&mut day, 1).await?, screen)?;

    ann.save(&at("Standup", "10:00", "10:30")).await?;
    ann.add(&planning.id, event::guests, "Cleo").await?;
    ann.edit_text(&planning.id, event::notes, 0, 0, "Agenda: ").await?;
    ben.save(&at("Dentist", "10:15", "11:00")).await?;
    ben.add(&planning.id, event::guests, "Dan").await?;
    ben.edit_text(&planning.id, event::notes, 7, 0, " Hiring.").await?;
    writeln!(screen, "Both add an event, a guest and a note without a network. They meet again:")?;
    meet().await?;
    show(&next(&mut day, 3).await?, screen)?;

    let same = monday(ben).next().await.ok_or("the store was closed")??.items;
    let here = next(&mut monday(ann), 3).await?;
    writeln!(screen, "Ben sees {}.", if same == here { "the same" } else { "something else" })?;
    Ok(())
}

/// An event on Monday.
fn at(title: &str, begins: &str, ends: &str) -> Event {
    Event::new(title, format!("2027-05-03T{begins}:00Z"), format!("2027-05-03T{ends}:00Z"))
}

/// What stands on Monday, now and after each change.
fn monday(store: &Store) -> Live<Event> {
    let on_monday = event::begins.between("2027-05-03T00:00:00Z", "2027-05-03T23:59:59Z");
    store.query::<Event>().filter(on_monday).order(event::begins.asc()).observe()
}

/// The day once it has so many events; a sync may arrive in several steps.
async fn next(day: &mut Live<Event>, events: usize) -> Result<Vec<std::sync::Arc<Event>>, Box<dyn Error>> {
    loop {
        let snapshot = tokio::time::timeout(PATIENCE, day.next()).await?.ok_or("the store was closed")??;
        if snapshot.items.len() == events {
            return Ok(snapshot.items);
        }
    }
}

fn show(day: &[std::sync::Arc<Event>], screen: &mut impl Write) -> std::io::Result<()> {
    let clock = |time: &str| time.get(11..16).unwrap_or(time).to_owned();
    for (place, event) in day.iter().enumerate() {
        let guests = if event.guests.is_empty() { String::new() } else { format!(" with {}", event.guests.join(", ")) };
        let notes = event.notes.as_ref().map(|notes| format!(": {notes}")).unwrap_or_default();
        writeln!(screen, "  {}–{} {}{guests}{notes}", clock(&event.begins), clock(&event.ends), event.title)?;
        for later in day[place + 1..].iter().filter(|later| later.begins < event.ends) {
            writeln!(screen, "  ! {} and {} overlap from {}", event.title, later.title, clock(&later.begins))?;
        }
    }
    Ok(())
}
