//! A long keystroke trace through a text field, beside Automerge alone doing the same edits.
//!
//! Each keystroke is a change of its own on both sides; transactions hold 500 changes at most, so the second
//! pair commits once per 500 keystrokes, on disk here and in memory there. Where a side is so slow that the
//! whole trace would take minutes, both stop at the same keystroke.

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

/// Measures both ways of committing.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let strokes = input::keystrokes(scale.of(KEYSTROKES));
    let mut rows = Vec::new();
    for per_commit in [1, STRETCH] {
        rows.push(measure(&strokes, per_commit).await?);
    }
    Ok(rows)
}

async fn measure(strokes: &[Keystroke], per_commit: usize) -> Result<Row> {
    let folder = tempfile::tempdir()?;
    let store = work::open(&folder.path().join("store.db")).await?;
    let (took, done, text) = through_store(&store, strokes, per_commit).await?;
    store.close().await?;
    let (alone, same) = automerge_alone(&strokes[..done])?;
    if text != same {
        return Err("the store's text differs from Automerge's".into());
    }
    let per_key = |took: Duration| crate::samples::Samples::one(took.as_secs_f64() * 1e6 / done as f64);
    let name = format!("{:.0}k keystrokes, {per_commit} per commit", done as f64 / 1000.0);
    Ok(Row::new(JOB, name, "µs/key", per_key(took))
        .beside("Automerge alone, a change per key", per_key(alone))
        .goal(Goal::RatioAtMost(1.2)))
}

async fn through_store(store: &Store, strokes: &[Keystroke], per_commit: usize) -> Result<(Duration, usize, String)> {
    let page = Map::from_iter([("title".to_owned(), Value::from("trace")), ("body".to_owned(), Value::from(""))]);
    let saved = store.save_json("Page", page).await?;
    let id = saved.record["id"].as_str().unwrap_or_default().to_owned();
    let began = Instant::now();
    let mut done = 0;
    for stretch in strokes.chunks(STRETCH) {
        if per_commit == 1 {
            for stroke in stretch {
                store.splice("Page", &id, "body", stroke.at, stroke.delete, stroke.insert).await?;
            }
        } else {
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
        done += stretch.len();
        if began.elapsed() > LONGEST {
            break;
        }
    }
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
