//! `inspect`: a store on a page of the terminal, which looks and writes nothing: the store is open to be
//! read only.
//!
//! `page` is what is shown and what keys do to it, `facts` reads what that takes from the store, `draw` puts it on the
//! screen, `shown` makes any text harmless. Reading goes on beside the keys, so that none waits for a long query.

mod draw;
mod facts;
mod page;
mod shown;

use std::io::IsTerminal;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use syncline::Store;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::args::InspectArgs;
use crate::failure::{Failure, Outcome};
use crate::store;
use facts::{Facts, Wish};
use page::{Act, Page};

/// How long news wait at most until they show, and how long at least between two readings.
const REST: Duration = Duration::from_millis(200);

/// How often what no event tells is read again, as what a peer acknowledged to another process.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: InspectArgs) -> Outcome {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if is_dumb || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "inspect is a page for a terminal, and this is none; `syncline status`, `query`, `history` and `conflicts` \
             print the same",
        ));
    }
    store::read(&args.db, async |store| {
        let mut terminal =
            ratatui::try_init().map_err(|error| Failure::failed(format!("the terminal cannot be used: {error}")))?;
        let outcome = tokio::select! {
            outcome = show(store, &mut terminal) => outcome,
            outcome = store::interrupted() => outcome,
        };
        ratatui::restore();
        outcome
    })
    .await
}

/// Shows the store until somebody has seen enough.
async fn show(store: &Store, terminal: &mut DefaultTerminal) -> Outcome {
    let mut page = Page::new(store);
    let mut events = store.events();
    let mut keys = keys();
    let mut reading: Option<(Wish, JoinHandle<Outcome<Facts>>)> = None;
    let mut due = Some(Instant::now());
    loop {
        let drawn = terminal.draw(|frame| draw::draw(&mut page, frame));
        drawn.map_err(|error| Failure::failed(format!("the terminal cannot be drawn on: {error}")))?;
        if reading.is_none() && due.is_some_and(|due| due <= Instant::now()) {
            let wish = page.wish();
            let (store, asked) = (store.clone(), wish.clone());
            reading = Some((wish, tokio::spawn(async move { facts::read(&store, &asked).await })));
            due = None;
        }
        let wake = due.unwrap_or_else(|| Instant::now() + LOOK_AGAIN);
        tokio::select! {
            key = keys.recv() => match key.map(|key| page.press(key)) {
                Some(Act::Nothing) => {}
                Some(Act::Read) => due = Some(Instant::now()),
                Some(Act::Leave) | None => return Ok(()),
            },
            facts = arrived(&mut reading) => {
                let (wish, facts) = facts;
                let wanted = page.take(&wish, facts);
                due = if wanted { due.map(|_| Instant::now() + REST) } else { Some(Instant::now()) };
            }
            event = events.next() => match event {
                Some(_) => due = Some(due.unwrap_or_else(|| Instant::now() + REST)),
                None => return Ok(()),
            },
            () = sleep_until(wake) => due = Some(due.unwrap_or_else(Instant::now)),
        }
    }
}

/// What was being read; never, if nothing is.
async fn arrived(reading: &mut Option<(Wish, JoinHandle<Outcome<Facts>>)>) -> (Wish, Outcome<Facts>) {
    let Some((_, handle)) = reading else { return std::future::pending().await };
    let facts = handle.await.unwrap_or_else(|_| Err(Failure::failed("reading broke off")));
    let wish = reading.take().map(|(wish, _)| wish).unwrap_or_default();
    (wish, facts)
}

/// The keys that are pressed, read by a thread that may wait for them. Another size of the terminal is told as a key
/// that means nothing, so that the page is drawn anew.
fn keys() -> mpsc::Receiver<KeyEvent> {
    let (sender, keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => key,
                Event::Resize(..) => KeyEvent::from(event::KeyCode::Null),
                Event::Key(_) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => continue,
            };
            if sender.blocking_send(key).is_err() {
                break;
            }
        }
    });
    keys
}
