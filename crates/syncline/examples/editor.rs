//! A text that several people type in at once, each in a terminal of their own.
//!
//! `cargo run -p syncline --example editor` opens it and shows an address; in a second terminal
//! `cargo run -p syncline --example editor -- ADDRESS` joins. Esc leaves.

#![allow(missing_docs, reason = "`models!` makes a module for each model")]

use std::error::Error;
use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Position;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};
use syncline::{Live, Options, Side, Store};
use tokio::sync::mpsc;

syncline::models!(
    sdl = r#"
type Page @model {
  title: String!
  body: String @text
}
"#
);

/// Everybody edits the same page.
const PAGE: &str = "page";

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path().join("page.db"), Options::new(SDL)).await?;
    let (mut listener, mut link) = (None, None);
    let status = match std::env::args().nth(1) {
        Some(address) => {
            link = Some(store.connect(address.as_str())?);
            format!("joined {address}")
        }
        None => {
            store.save(&Page { id: PAGE.into(), ..Page::new("A page") }).await?;
            let door = listener.insert(store.listen("127.0.0.1:0".parse()?).await?);
            format!("join with {}", door.url())
        }
    };
    let edited = edit(&store, &status).await;
    ratatui::restore();
    drop((listener, link));
    store.close().await?;
    edited
}

/// Types until Esc.
async fn edit(store: &Store, status: &str) -> Result<(), Box<dyn Error>> {
    let mut pages = store.query::<Page>().observe();
    let mut editor = Editor::open(store, &mut pages).await?;
    let mut keys = keys();
    let mut terminal = ratatui::try_init()?;
    loop {
        terminal.draw(|frame| editor.draw(frame, status))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(key) if key.code != KeyCode::Esc => editor.press(key).await?,
                Some(_) | None => return Ok(()),
            },
            page = pages.next() => match page {
                Some(page) => drop(page?),
                None => return Ok(()),
            },
        }
        editor.look().await?;
    }
}

/// The keys that are pressed, read by a thread that may wait for them.
fn keys() -> mpsc::Receiver<KeyEvent> {
    let (sender, keys) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Event::Key(key) = event
                && key.kind != KeyEventKind::Release
                && sender.blocking_send(key).is_err()
            {
                break;
            }
        }
    });
    keys
}

/// The page as one person sees it.
pub(crate) struct Editor {
    store: Store,
    pub(crate) text: String,
    /// Where the next character goes, in code points.
    at: usize,
    /// The same as a cursor, which keeps its place while others type.
    cursor: String,
}

impl Editor {
    /// Opens the page, which may still be on its way.
    pub(crate) async fn open(store: &Store, pages: &mut Live<Page>) -> Result<Self, Box<dyn Error>> {
        let arrives = async {
            loop {
                match pages.next().await {
                    Some(Ok(page)) if page.items.is_empty() => {}
                    Some(page) => return page.map(drop).map_err(Box::from),
                    None => return Err(Box::<dyn Error>::from("the store was closed")),
                }
            }
        };
        tokio::time::timeout(PATIENCE, arrives).await.map_err(|_| "no page has come; is the address right?")??;
        let cursor = store.cursor(PAGE, page::body, 0, Side::Before).await?;
        let mut editor = Self { store: store.clone(), text: String::new(), at: 0, cursor };
        editor.look().await?;
        Ok(editor)
    }

    /// Does what a key says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing here")]
    pub(crate) async fn press(&mut self, key: KeyEvent) -> Result<(), Box<dyn Error>> {
        match key.code {
            KeyCode::Char(_) if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Ok(()),
            KeyCode::Char(letter) => self.edit(0, 0, letter.to_string()).await,
            KeyCode::Enter => self.edit(0, 0, "\n".to_owned()).await,
            KeyCode::Tab => self.edit(0, 0, "    ".to_owned()).await,
            KeyCode::Backspace => self.edit(1, 0, String::new()).await,
            KeyCode::Delete => self.edit(0, 1, String::new()).await,
            KeyCode::Left => self.go(|_, at| at.saturating_sub(1)).await,
            KeyCode::Right => self.go(|_, at| at + 1).await,
            KeyCode::Up => self.go(|text, at| row_below(text, at, -1)).await,
            KeyCode::Down => self.go(|text, at| row_below(text, at, 1)).await,
            KeyCode::Home => self.go(|text, at| at - place(text, at).1).await,
            KeyCode::End => self.go(row_end).await,
            _ => Ok(()),
        }
    }

    /// Replaces characters around the cursor. As one transaction: what others typed meanwhile has moved the cursor.
    async fn edit(&mut self, before: usize, behind: usize, insert: String) -> Result<(), Box<dyn Error>> {
        let cursor = self.cursor.clone();
        let edited = self.store.transaction(move |tx| {
            let at = tx.position_of(PAGE, page::body, &cursor)?;
            let len = tx.get::<Page>(PAGE)?.and_then(|page| page.body).unwrap_or_default().chars().count();
            let (start, end) = (at.saturating_sub(before), (at + behind).min(len));
            tx.edit_text(PAGE, page::body, start, end - start, &insert)?;
            tx.cursor(PAGE, page::body, start + insert.chars().count(), Side::Before)
        });
        self.cursor = edited.await?;
        self.look().await
    }

    /// Goes where a step leads from the place in the text as both are now, not as they were shown last.
    async fn go(&mut self, step: fn(&str, usize) -> usize) -> Result<(), Box<dyn Error>> {
        let cursor = self.cursor.clone();
        let gone = self.store.transaction(move |tx| {
            let text = tx.get::<Page>(PAGE)?.and_then(|page| page.body).unwrap_or_default();
            let to = step(&text, tx.position_of(PAGE, page::body, &cursor)?).min(text.chars().count());
            tx.cursor(PAGE, page::body, to, Side::Before)
        });
        self.cursor = gone.await?;
        self.look().await
    }

    /// Takes up the text and the cursor's place as they are now.
    pub(crate) async fn look(&mut self) -> Result<(), Box<dyn Error>> {
        let cursor = self.cursor.clone();
        let seen = self.store.transaction(move |tx| {
            Ok((tx.get::<Page>(PAGE)?.and_then(|page| page.body), tx.position_of(PAGE, page::body, &cursor)?))
        });
        let (text, at) = seen.await?;
        (self.text, self.at) = (text.unwrap_or_default(), at);
        Ok(())
    }

    /// Shows the page.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>, status: &str) {
        let block =
            Block::bordered().title(" A page that several write ").title_bottom(format!(" {status} · Esc leaves "));
        let inside = block.inner(frame.area());
        let (row, column) = place(&self.text, self.at);
        let line = self.text.split('\n').nth(row).unwrap_or_default();
        let width = Line::raw(line.chars().take(column).collect::<String>()).width();
        let cell = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        // The row and the column of the cursor stay in sight.
        let (down, right) = (cell(row + 1).saturating_sub(inside.height), cell(width + 1).saturating_sub(inside.width));
        let lines: Vec<Line<'_>> = self.text.split('\n').map(Line::raw).collect();
        frame.render_widget(Paragraph::new(lines).block(block).scroll((down, right)), frame.area());
        frame.set_cursor_position(Position::new(inside.x + cell(width) - right, inside.y + cell(row) - down));
    }
}

/// Row and column of a place, in code points.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before: Vec<char> = text.chars().take(at).collect();
    let column = before.iter().rev().take_while(|letter| **letter != '\n').count();
    (before.iter().filter(|letter| **letter == '\n').count(), column)
}

fn row_len(text: &str, row: usize) -> usize {
    text.split('\n').nth(row).map_or(0, |line| line.chars().count())
}

fn row_end(text: &str, at: usize) -> usize {
    let (row, column) = place(text, at);
    at - column + row_len(text, row)
}

/// The place so many rows below, in the same column as far as that row goes.
fn row_below(text: &str, at: usize, rows: isize) -> usize {
    let (row, column) = place(text, at);
    let row = row.saturating_add_signed(rows).min(text.matches('\n').count());
    let before: usize = (0..row).map(|row| row_len(text, row) + 1).sum();
    before + column.min(row_len(text, row))
}
