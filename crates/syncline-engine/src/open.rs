//! Opening a file: is it a store, of which format, and does the schema fit?

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use syncline_core::ids::{LogId, StoreId};
use syncline_core::mutant::{self, Mutant};
use syncline_schema::Schema;

use crate::adopt;
use crate::conflicts;
use crate::error::{Doing, Result, StoreError};
use crate::host::Host;
use crate::query::create_table_sql;
use crate::seed::Seed;
use crate::storage::ddl;
use crate::storage::fulltext;
use crate::storage::meta::{self, key};
use crate::store::{Create, Durability, Ids, OnMigration, Options, Store};

/// How long a write waits for another process's.
const BUSY_MS: u64 = 10_000;

/// Below this statements are not kept at hand either.
const SMALL_CACHE: usize = 8 << 20;

/// Namespace of stores that were given none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// Whether the file may be missing or there.
pub(crate) fn check_presence(host: &dyn Host, options: &Options) -> Result<()> {
    match (host.exists(), options.create) {
        (false, _) if options.read_only => Err(StoreError::Missing(host.path().to_owned())),
        (true, _) if options.read_only => Ok(()),
        (false, Create::Never) => Err(StoreError::Missing(host.path().to_owned())),
        (true, Create::New) => Err(StoreError::Exists(host.path().to_owned())),
        (true, Create::Never | Create::IfMissing) | (false, Create::IfMissing | Create::New) => Ok(()),
    }
}

/// Opens the file as SQLite.
pub(crate) fn connect(host: &dyn Host, options: &Options) -> Result<Connection> {
    check_presence(host, options)?;
    let db = host.connect(!options.read_only).doing("opening the file")?;
    db.busy_timeout(std::time::Duration::from_millis(BUSY_MS)).doing("opening the file")?;
    // Else SQLite compiles a cached statement anew whenever a parameter gets another value.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing("opening the file")?;
    db.set_prepared_statement_cache_capacity(if options.cache_bytes < SMALL_CACHE { 48 } else { 256 });
    crate::query::register_functions(&db).doing("opening the file")?;
    Ok(db)
}

/// Checks that the file is a store, or makes it one if it is empty.
pub(crate) fn prepare(db: &Connection, host: &dyn Host, options: &Options, seed: &mut Seed) -> Result<()> {
    let read = || marks(db).map_err(|source| not_a_store(host, options, source));
    let (mut marks, is_empty) = (read()?, is_empty(db)?);
    if !is_empty {
        // Another process may have made the store in between.
        marks = read()?;
    }
    match marks {
        (0, 0) if is_empty && (options.read_only || options.create == Create::Never) => {
            return Err(StoreError::Empty(host.path().to_owned()));
        }
        (0, 0) if is_empty => {
            set_pragmas(db, options)?;
            create(db, options, seed)?;
        }
        (ddl::APPLICATION_ID, found) if found > ddl::FORMAT => {
            return Err(StoreError::NewerFormat { path: host.path().to_owned(), found, known: ddl::FORMAT });
        }
        (ddl::APPLICATION_ID, found) if found < ddl::FORMAT && options.read_only => {
            return Err(outdated(host, format!("it has store format {found}, and this version reads {}", ddl::FORMAT)));
        }
        (ddl::APPLICATION_ID, found) if found < ddl::FORMAT => migrate(db)?,
        (ddl::APPLICATION_ID, _) => {}
        (_, _) => {
            let found = "an SQLite database of another program".to_owned();
            return Err(StoreError::NotAStore { path: host.path().to_owned(), found });
        }
    }
    check_namespace(db, options)?;
    if options.read_only { set_caches(db, options) } else { set_pragmas(db, options) }
}

fn outdated(host: &dyn Host, reason: String) -> StoreError {
    StoreError::Outdated { path: host.path().to_owned(), reason }
}

fn marks(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    let application = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let format = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((application, format))
}

fn not_a_store(host: &dyn Host, options: &Options, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) if options.read_only => {
            StoreError::NothingBeside(host.path().to_owned())
        }
        Some(rusqlite::ErrorCode::NotADatabase) => {
            StoreError::NotAStore { path: host.path().to_owned(), found: "it is no SQLite database".to_owned() }
        }
        Some(_) | None => StoreError::sqlite("opening the file", source),
    }
}

fn is_empty(db: &Connection) -> Result<bool> {
    db.query_row("SELECT NOT EXISTS(SELECT 1 FROM sqlite_master)", [], |row| row.get(0)).doing("opening the file")
}

/// Makes the engine's tables and gives the file its ids.
fn create(db: &Connection, options: &Options, seed: &mut Seed) -> Result<()> {
    db.execute_batch("BEGIN EXCLUSIVE").doing("making the store")?;
    if !is_empty(db)? {
        // Another process was faster.
        return db.execute_batch("ROLLBACK").doing("making the store");
    }
    let made = create_in_transaction(db, options, seed);
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    db.execute_batch(end).doing("making the store")?;
    made
}

fn create_in_transaction(db: &Connection, options: &Options, seed: &mut Seed) -> Result<()> {
    db.execute_batch(ddl::TABLES).doing("making the store's tables")?;
    db.execute_batch(ddl::TABLES_OF_2).doing("making the store's tables")?;
    meta::write(db, key::STORE, &seed.id16("store"))?;
    meta::write(db, key::LOG, &seed.id16("log"))?;
    meta::write(db, key::EPOCH, &1)?;
    meta::write(db, key::NAMESPACE, &options.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE))?;
    if let Some((schema, sdl)) = &options.schema {
        for model in &schema.models {
            for sql in create_table_sql(schema, model) {
                db.execute_batch(&sql).doing("making a model's table")?;
            }
        }
        write_schema(db, schema, sdl)?;
    }
    mark(db)
}

fn mark(db: &Connection) -> Result<()> {
    db.execute_batch(&format!(
        "PRAGMA application_id = {}; PRAGMA user_version = {};",
        ddl::APPLICATION_ID,
        ddl::FORMAT
    ))
    .doing("making the store")
}

/// Brings a file of an older format up to date. Format 2 came with new tables, whose content is made from the records'
/// states; format 3 changed the tables of models.
fn migrate(db: &Connection) -> Result<()> {
    db.execute_batch("BEGIN EXCLUSIVE").doing("bringing the store up to date")?;
    let done = migrate_in_transaction(db);
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    db.execute_batch(end).doing("bringing the store up to date")?;
    done
}

fn migrate_in_transaction(db: &Connection) -> Result<()> {
    let (_, format) = marks(db).doing("bringing the store up to date")?;
    if format >= ddl::FORMAT {
        // Another process was faster.
        return Ok(());
    }
    let schema = stored_schema(db)?;
    if format < 2 {
        db.execute_batch(ddl::TABLES_OF_2).doing("bringing the store up to date")?;
        if let Some(schema) = &schema {
            conflicts::note_all(db, schema)?;
        }
    }
    if let Some(schema) = &schema {
        adopt::to_format_3(db, schema)?;
    }
    mark(db)
}

/// Stores the schema and the text it came from.
pub(crate) fn write_schema(db: &Connection, schema: &Schema, sdl: &str) -> Result<()> {
    let json = serde_json::to_string(schema).map_err(|error| StoreError::Damaged(error.to_string()))?;
    meta::write(db, key::SCHEMA, &json)?;
    meta::write(db, key::SDL, &sdl)
}

fn check_namespace(db: &Connection, options: &Options) -> Result<()> {
    let held: String = meta::read(db, key::NAMESPACE)?.unwrap_or_default();
    match &options.namespace {
        Some(asked) if *asked != held => Err(StoreError::OtherNamespace { held, asked: asked.clone() }),
        Some(_) | None => Ok(()),
    }
}

fn set_pragmas(db: &Connection, options: &Options) -> Result<()> {
    let synchronous = match options.durability {
        Durability::Normal => "NORMAL",
        Durability::Full if mutant::is_planted(Mutant::FullIsNormal) => "NORMAL",
        Durability::Full => "FULL",
    };
    let mode: String =
        db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).doing("switching to write-ahead logging")?;
    if mode != "wal" {
        return Err(StoreError::Damaged(format!("SQLite keeps journal mode `{mode}` instead of `wal`")));
    }
    db.execute_batch(&format!("PRAGMA synchronous = {synchronous};")).doing("setting the store up")?;
    set_caches(db, options)
}

fn set_caches(db: &Connection, options: &Options) -> Result<()> {
    let pages_kib = (options.cache_bytes / 4096).max(64);
    db.execute_batch(&format!("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{pages_kib};"))
        .doing("setting the store up")
}

/// The schema in the file.
pub(crate) fn stored_schema(db: &Connection) -> Result<Option<Schema>> {
    let Some(json) = meta::read::<String>(db, key::SCHEMA)? else { return Ok(None) };
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| StoreError::Damaged(format!("the schema in the file cannot be read: {error}")))
}

/// The schema to work with: the file's, replaced by a newer compatible one.
pub(crate) fn schema(db: &Connection, options: &Options) -> Result<Option<Schema>> {
    let stored = stored_schema(db)?;
    let Some((new, sdl)) = &options.schema else { return Ok(stored) };
    match stored {
        Some(stored) if stored.means_the_same(new) => Ok(Some(new.clone())),
        Some(_) | None if options.read_only => Err(StoreError::OtherSchema),
        Some(stored) => adopt::replace_schema(db, &stored, new, sdl).map(Some),
        None => adopt::first_schema(db, new, sdl).map(Some),
    }
}

/// The file's ids.
pub(crate) fn ids(db: &Connection) -> Result<Ids> {
    let id = |key: &'static str| {
        meta::read_id(db, key)?.ok_or_else(|| StoreError::Damaged(format!("the store has no `{key}`")))
    };
    Ok(Ids {
        store: StoreId(id(key::STORE)?),
        log: LogId(id(key::LOG)?),
        epoch: meta::read(db, key::EPOCH)?.unwrap_or(1),
        namespace: meta::read(db, key::NAMESPACE)?.unwrap_or_default(),
    })
}

/// Refuses a store that lacks what [`settle`] would make: what it shows would not be what it holds.
pub(crate) fn check_settled(store: &Store) -> Result<()> {
    let Some(schema) = &store.schema else { return Ok(()) };
    if adopt::is_stale(&store.db)? || fulltext::is_missing(&store.db, schema)? {
        return Err(outdated(store.host.as_ref(), "not all of its tables and indexes are filled".to_owned()));
    }
    Ok(())
}

/// Finishes what adopting a schema began: records are projected anew, and relations indexed.
pub(crate) fn settle(store: &mut Store, progress: Option<&OnMigration>) -> Result<()> {
    if let Some(schema) = &store.schema {
        fulltext::make_missing(&store.db, schema)?;
    }
    adopt::project_again(store, progress)?;
    adopt::index_relations(store)
}
