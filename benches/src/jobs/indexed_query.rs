//! Queries by an index, beside SQL written by hand for the same result.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Row as SqlRow, params};
use serde_json::{Map, Value};
use syncline::{Filter, Order, Query, Store};

use crate::input::models::{Item, item};
use crate::input::{self, Numbers};
use crate::report::{Goal, Row};
use crate::work;
use crate::{Result, Scale};

const JOB: &str = "indexed-query";

/// Queries per round.
const QUERIES: usize = 200;

const COLUMNS: &str = "id, title, done, count, dueAt, ownerId, createdAt, updatedAt";

/// What is asked.
#[derive(Clone, Copy)]
enum Ask {
    OfOwner,
    TypedOfOwner,
    NewestTen,
    Count,
}

/// A record as somebody reads it who writes SQL by hand.
#[derive(Debug)]
struct HandItem {
    _id: String,
    _title: String,
    _done: bool,
    _count: i64,
    _due_at: rusqlite::types::Value,
    _owner_id: String,
    _created_at: rusqlite::types::Value,
    _updated_at: rusqlite::types::Value,
}

impl Ask {
    const ALL: [Self; 4] = [Self::OfOwner, Self::TypedOfOwner, Self::NewestTen, Self::Count];

    fn name(self) -> &'static str {
        match self {
            Self::OfOwner => "100 records of an owner",
            Self::TypedOfOwner => "100 records of an owner, typed",
            Self::NewestTen => "10 records of an owner, ordered by count",
            Self::Count => "count of an owner's records",
        }
    }

    async fn library(self, store: &Store, owner: &str) -> Result<usize> {
        let query = Query { condition: Filter::eq("ownerId", owner).into(), ..Query::new("Item") };
        Ok(match self {
            Self::OfOwner => store.query_json(query).await?.records.len(),
            Self::TypedOfOwner => store.query::<Item>().filter(item::owner_id.eq(owner)).all().await?.len(),
            Self::NewestTen => {
                let query = Query { order: vec![Order::descending("count")], limit: Some(10), ..query };
                store.query_json(query).await?.records.len()
            }
            Self::Count => usize::try_from(store.count_json(query).await?)?,
        })
    }

    /// What the ceiling makes of rows.
    fn hand_name(self) -> &'static str {
        match self {
            Self::OfOwner | Self::NewestTen => "SQL by hand into JSON",
            Self::TypedOfOwner => "SQL by hand into structs",
            Self::Count => "SQL by hand",
        }
    }

    fn by_hand(self, db: &Connection, owner: &str) -> Result<usize> {
        let tail = match self {
            Self::OfOwner | Self::TypedOfOwner => "ORDER BY id",
            Self::NewestTen => "ORDER BY count DESC, id LIMIT 10",
            Self::Count => {
                let mut statement = db.prepare_cached("SELECT count(*) FROM Item WHERE ownerId = ?1")?;
                return Ok(statement.query_row([owner], |row| row.get::<_, i64>(0))? as usize);
            }
        };
        let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM Item WHERE ownerId = ?1 {tail}"))?;
        if matches!(self, Self::TypedOfOwner) {
            let items = statement.query_map(params![owner], HandItem::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            return Ok(items.len());
        }
        let records = statement.query_map(params![owner], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(records.len())
    }
}

impl HandItem {
    fn read(row: &SqlRow<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            _id: row.get(0)?,
            _title: row.get(1)?,
            _done: row.get(2)?,
            _count: row.get(3)?,
            _due_at: row.get(4)?,
            _owner_id: row.get(5)?,
            _created_at: row.get(6)?,
            _updated_at: row.get(7)?,
        })
    }
}

/// A row as JSON, as the library returns it.
fn record(row: &SqlRow<'_>) -> rusqlite::Result<Map<String, Value>> {
    let text = |index: usize| row.get::<_, String>(index).map(Value::from);
    Ok(Map::from_iter([
        ("id".to_owned(), text(0)?),
        ("title".to_owned(), text(1)?),
        ("done".to_owned(), Value::from(row.get::<_, bool>(2)?)),
        ("count".to_owned(), Value::from(row.get::<_, i64>(3)?)),
        ("dueAt".to_owned(), text(4)?),
        ("ownerId".to_owned(), text(5)?),
        ("createdAt".to_owned(), text(6)?),
        ("updatedAt".to_owned(), text(7)?),
    ]))
}

/// Measures every question.
pub(crate) async fn run(scale: Scale) -> Result<Vec<Row>> {
    let count = scale.of(100_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.db");
    work::filled(&path, count).await?;
    let store = work::open(&path).await?;
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut rows = Vec::new();
    for ask in Ask::ALL {
        rows.push(measure(ask, scale, &store, &db, count).await?);
    }
    store.close().await?;
    Ok(rows)
}

async fn measure(ask: Ask, scale: Scale, store: &Store, db: &Connection, count: usize) -> Result<Row> {
    let mut numbers = Numbers::new(17);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=scale.rounds(7) {
        let (mut library, mut hand) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..QUERIES {
            let owner = input::owner(numbers.below(count / 100));
            let (took, found) = work::timed(ask.library(store, &owner)).await?;
            library += took;
            let began = Instant::now();
            let same = ask.by_hand(db, &owner)?;
            hand += began.elapsed();
            if found != same {
                return Err(format!("the library finds {found}, SQL by hand {same}").into());
            }
        }
        // The first round warms both caches.
        if round > 0 {
            ours.push(library.as_secs_f64() * 1e6 / QUERIES as f64);
            theirs.push(hand.as_secs_f64() * 1e6 / QUERIES as f64);
        }
    }
    let row = Row::new(JOB, ask.name(), "µs", ours.into_iter().collect())
        .beside(ask.hand_name(), theirs.into_iter().collect());
    Ok(row.goal(Goal::RatioAtMost(1.2)))
}
