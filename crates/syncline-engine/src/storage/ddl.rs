//! The engine's own tables. `docs/storage.md` explains them.

/// Format of the file, in `PRAGMA user_version`. Newer ones are refused, older ones migrated.
pub(crate) const FORMAT: i64 = 3;

/// `PRAGMA application_id`: the letters `Sync`.
pub(crate) const APPLICATION_ID: i64 = 0x5379_6e63;

/// The engine's tables. The log has no secondary index: `prev` and `rprev` lead to a record's and a
/// replica's earlier rows, and the chains stand in each row.
/// Every 256th row of a replica is marked, so that a walk back to one of its changes is short.
pub(crate) const TABLES: &str = "
CREATE TABLE syncline_meta(
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
CREATE TABLE syncline_models(
    model INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE syncline_replicas(
    replica INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    counter INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    tip INTEGER NOT NULL,
    forked INTEGER NOT NULL DEFAULT 0,
    mine INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE syncline_actors(
    actor INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    replica INTEGER
);
CREATE TABLE syncline_log(
    seq INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    record INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    replica INTEGER NOT NULL,
    rprev INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    txn INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    log_chain INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL
);
CREATE TABLE syncline_marks(
    replica INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY(replica, counter)
) WITHOUT ROWID;
CREATE TABLE syncline_records(
    record INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    model INTEGER NOT NULL,
    last INTEGER NOT NULL,
    state BLOB
);
CREATE TABLE syncline_snapshots(
    record INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE TABLE syncline_genesis(
    hash BLOB PRIMARY KEY,
    model TEXT NOT NULL,
    key TEXT NOT NULL,
    kind INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE syncline_pending(
    seq INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    missing BLOB NOT NULL
);
CREATE INDEX syncline_pending_record ON syncline_pending(record);
CREATE TABLE syncline_quarantine(
    seq INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE syncline_peers(
    store BLOB PRIMARY KEY,
    relay INTEGER NOT NULL,
    address TEXT NOT NULL,
    cursor_log BLOB, cursor_epoch INTEGER, cursor_seq INTEGER, cursor_chain INTEGER,
    acked_log BLOB, acked_epoch INTEGER, acked_seq INTEGER, acked_chain INTEGER,
    frontier_replica BLOB, frontier INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE syncline_parts(
    payload BLOB NOT NULL,
    at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY(payload, at)
) WITHOUT ROWID;
CREATE TABLE syncline_rejected(
    seq INTEGER PRIMARY KEY,
    reason TEXT NOT NULL
);
";

/// The tables that came with format 2.
pub(crate) const TABLES_OF_2: &str = "
CREATE TABLE syncline_conflicts(
    record INTEGER PRIMARY KEY,
    model INTEGER NOT NULL,
    mark INTEGER NOT NULL
);
CREATE TABLE syncline_undo(
    seq INTEGER PRIMARY KEY,
    edit INTEGER NOT NULL,
    undone INTEGER NOT NULL
);
";
