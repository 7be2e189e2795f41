//! A long keystroke trace through a text field, beside Automerge alone doing the same edits.
//!
//! Three ways: typing through `Store::text`, which waits for no keystroke and makes one change of those that wait
//! together, as an editor does; one awaited call per keystroke, which returns the whole record each time; and
//! transactions of 500 changes, the most that stay together. Automerge alone makes a change per keystroke, in
//! memory. Where a side is so slow that the whole trace would take minutes, both stop at the same keystroke.

use std::time::{Duration, Instant};

use automerge::transaction::{CommitOptions, Transactable as _};
use automerge::{AutoCommit, ObjType, ReadDoc as _};
use serde_json::{Map, Value};
use syncline::Store;

use crate::input::{self, Keystroke};
use crate::report::{Goal, Row};
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "text-trace";

/// Keystrokes of the whole trace.
const KEYSTROKES: usize = 260_000;

/// How long a side may take before the trace is cut.
const LONGEST: Duration = Duration::from_secs(60);

/// Keystrokes between looks at the clock.
const STRETCH: usize = 500;

/// How keystrokes reach the store.
#[derive(Clone, Copy)]
enum Way {
    Typed,
    Awaited,
    Transactions,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed through `text`",
            Self::Awaited => "one awaited call each",
            Self::Transactions => "transactions of 500",
        }
    }
}

/// Measures each way.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let strokes = input::keystrokes(scale.of(KEYSTROKES));
    let mut rows = Vec::new();
    for way in [Way::Typed, Way::Awaited, Way::Transactions] {
        rows.push(measure(&strokes, way).await?);
    }
    Ok(rows)
}

async fn measure(strokes: &[Keystroke], way: Way) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let store = work::open(&folder.path().join("store.db")).await?;
    let (took, done, text) = through_store(&store, strokes, way).await?;
    store.close().await?;
    let (alone, same) = automerge_alone(&strokes[..done])?;
    if text != same {
        return Err("the store's text differs from Automerge's".into());
    }
    let per_key = |took: Duration| crate::samples::Samples::one(took.as_secs_f64() * 1e6 / done as f64);
    let name = format!("{:.0}k keystrokes, {}", done as f64 / 1000.0, way.name());
    let row = Row::new(JOB, name, "µs/key", per_key(took)).beside("Automerge alone, a change per key", per_key(alone));
    Ok(match way {
        Way::Typed => row.goal(Goal::RatioAtMost(1.2)),
        Way::Awaited | Way::Transactions => row,
    })
}

async fn through_store(store: &Store, strokes: &[Keystroke], way: Way) -> Result<(Duration, usize, String)> {
    let page = Map::from_iter([("title".to_owned(), Value::from("trace")), ("body".to_owned(), Value::from(""))]);
    let saved = store.save_json("Page", page).await?;
    let id = saved.record["id"].as_str().unwrap_or_default().to_owned();
    let mut text = store.text_json("Page", &id, "body");
    let began = Instant::now();
    let mut done = 0;
    for stretch in strokes.chunks(STRETCH) {
        match way {
            Way::Typed => {
                for stroke in stretch {
                    text.splice(stroke.at, stroke.delete, stroke.insert);
                }
            }
            Way::Awaited => {
                for stroke in stretch {
                    store.splice("Page", &id, "body", stroke.at, stroke.delete, stroke.insert).await?;
                }
            }
            Way::Transactions => {
                let (id, stretch) = (id.clone(), stretch.to_vec());
                store
                    .transaction(move |tx| {
                        for stroke in &stretch {
                            tx.splice("Page", &id, "body", stroke.at, stroke.delete, stroke.insert)?;
                        }
                        Ok(())
                    })
                    .await?;
            }
        }
        done += stretch.len();
        if began.elapsed() > LONGEST {
            break;
        }
    }
    text.flush().await?;
    let took = began.elapsed();
    let record = store.get_json("Page", &id).await?.ok_or("the page is gone")?;
    Ok((took, done, record["body"].as_str().unwrap_or_default().to_owned()))
}

fn automerge_alone(strokes: &[Keystroke]) -> Result<(Duration, String)> {
    let mut document = AutoCommit::new();
    let body = document.put_object(automerge::ROOT, "body", ObjType::Text)?;
    document.commit();
    let began = Instant::now();
    for stroke in strokes {
        document.splice_text(&body, stroke.at, isize::try_from(stroke.delete)?, stroke.insert)?;
        document.commit_with(CommitOptions::default().with_time(0));
    }
    Ok((began.elapsed(), document.text(&body)?))
}
