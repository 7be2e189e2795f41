//! Two people change the same field while apart; an alert tells of it, with who wrote what and when, and one of them
//! settles it for both.
//!
//! `cargo run -p syncline --example conflict_alert`

#![allow(missing_docs, reason = "`models!` makes a module for each model")]

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use syncline::{Conflict, ConflictObserver, Conflicted, Options, Store};

syncline::models!(
    sdl = r#"
type Meeting @model {
  title: String!
  room: String!
  begins: AWSTime
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

    let meeting = ann.save(&Meeting::new("Planning", "Blue")).await?.record;
    meet().await?;
    writeln!(screen, "Ann and Ben both have the meeting `{}` in room {}, and part.", meeting.title, meeting.room)?;

    // An app would run this loop in a task of its own for as long as the store is open.
    let mut alerts = ann.observe_conflicts().of::<Meeting>();

    ann.update::<Meeting>(&meeting.id, |meeting| meeting.room = "Green".to_owned()).await?;
    ben.update::<Meeting>(&meeting.id, |meeting| meeting.room = "Red".to_owned()).await?;
    ben.update::<Meeting>(&meeting.id, |meeting| meeting.begins = Some("14:00".into())).await?;
    writeln!(screen, "Ann moves it to Green; Ben moves it to Red, and sets when it begins. They meet again.")?;
    meet().await?;

    let alert = next(&mut alerts).await?;
    show(&alert, screen)?;

    // The values are typed where the field is named; here the app's user has chosen one of them.
    let rooms = ann.conflict(&alert.id, meeting::room).await?.ok_or("nothing to choose from")?;
    let chosen = rooms.values.iter().find(|one| !one.mine).and_then(|one| one.value.clone()).ok_or("no other value")?;
    writeln!(screen, "Ann takes Ben's: {chosen}.")?;
    ann.resolve(&alert.id, meeting::room, chosen).await?;
    show(&next(&mut alerts).await?, screen)?;

    meet().await?;
    for (name, store) in [("Ann", ann), ("Ben", ben)] {
        let meeting = store.get::<Meeting>(&meeting.id).await?.ok_or("the meeting is gone")?;
        let open = store.conflicts::<Meeting>(&meeting.id).await?.len();
        let begins = meeting.begins.map_or_else(|| "?".to_owned(), |begins| begins.to_string());
        writeln!(screen, "{name} sees room {} at {begins}, {open} conflicts.", meeting.room)?;
    }
    Ok(())
}

async fn next(alerts: &mut ConflictObserver) -> Result<Conflicted, Box<dyn Error>> {
    let alert = tokio::time::timeout(PATIENCE, alerts.next()).await?;
    Ok(alert.ok_or("the store was closed")??)
}

fn show(alert: &Conflicted, screen: &mut impl Write) -> std::io::Result<()> {
    if alert.conflicts.is_empty() {
        return writeln!(screen, "✓ {} has no conflicts any more", alert.model);
    }
    for Conflict { field, values, .. } in &alert.conflicts {
        writeln!(screen, "! {} has {} values of `{field}`:", alert.model, values.len())?;
        for one in values {
            let shows = if one.shows { "shows now" } else { "" };
            let who = if one.mine { "you".to_owned() } else { format!("replica {}", &one.replica[..8]) };
            let line = format!("    {:<8} written {} by {who:<18} {shows}", one.value.to_string(), clock(one.time_ms));
            writeln!(screen, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// What a clock that is set to UTC showed.
fn clock(time_ms: i64) -> String {
    let seconds = time_ms.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
