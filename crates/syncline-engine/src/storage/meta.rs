//! Single values of the store: its ids, namespace, schema, identity.

use rusqlite::{Connection, OptionalExtension, ToSql, types::FromSql};

use crate::error::{Doing, Result};

/// Keys of `syncline_meta`.
pub(crate) mod key {
    pub(crate) const STORE: &str = "store";
    pub(crate) const NAMESPACE: &str = "namespace";
    pub(crate) const SCHEMA: &str = "schema";
    pub(crate) const SDL: &str = "sdl";
    pub(crate) const REPLICA: &str = "replica";
    pub(crate) const ACTOR: &str = "actor";
    pub(crate) const LOG: &str = "log";
    pub(crate) const EPOCH: &str = "epoch";
    pub(crate) const NONCE: &str = "nonce";
    pub(crate) const LIVE: &str = "live";
    pub(crate) const RENEWALS: &str = "renewals";
}

/// Reads one value.
pub(crate) fn read<T: FromSql>(db: &Connection, key: &str) -> Result<Option<T>> {
    db.prepare_cached("SELECT value FROM syncline_meta WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .doing("reading the store's settings")
}

/// Writes one value.
pub(crate) fn write(db: &Connection, key: &str, value: &dyn ToSql) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO syncline_meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    )
    .and_then(|mut statement| statement.execute(rusqlite::params![key, value]))
    .doing("writing the store's settings")?;
    Ok(())
}

/// Reads 16 bytes.
pub(crate) fn read_id(db: &Connection, key: &str) -> Result<Option<[u8; 16]>> {
    read::<[u8; 16]>(db, key)
}

/// Forgets one value.
pub(crate) fn remove(db: &Connection, key: &str) -> Result<()> {
    db.execute("DELETE FROM syncline_meta WHERE key = ?1", [key]).doing("writing the store's settings")?;
    Ok(())
}
