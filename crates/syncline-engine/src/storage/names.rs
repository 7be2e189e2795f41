//! Small integers for long names: models, replicas, actors. Kept in memory, append-only in the file.

use std::collections::BTreeMap;

use automerge::ActorId;
use rusqlite::{Connection, OptionalExtension, Row, params};
use syncline_core::ids::{Chain, ReplicaId};
use syncline_core::state::ActorTable;
use syncline_schema::Model;

use crate::error::{Doing, Result};

/// A row of `syncline_replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    /// Its row.
    pub(crate) row: i64,
    /// Its id.
    pub(crate) id: ReplicaId,
    /// All changes up to this one are held.
    pub(crate) counter: u64,
    /// Chain there.
    pub(crate) chain: Chain,
    /// Its newest row of the log, 0 for none.
    pub(crate) tip: u64,
    /// Two histories were found.
    pub(crate) forked: bool,
    /// End of the log when that was found out: who has acknowledged more knows of it.
    pub(crate) forked_at: u64,
    /// This store wrote under this id.
    pub(crate) mine: bool,
}

/// The names of one store, as last read or written.
#[derive(Debug, Default)]
pub(crate) struct Names {
    models: BTreeMap<String, i64>,
    model_names: BTreeMap<i64, String>,
    /// The highest number of a model among the records, as of the first time that it was asked for.
    model_of_records: Option<i64>,
    replicas: BTreeMap<i64, Replica>,
    replica_rows: BTreeMap<ReplicaId, i64>,
    dirty_replicas: Vec<i64>,
    actors: Actors,
    /// Models that the transaction at hand added.
    new_models: Vec<String>,
    /// What it changed, as it was.
    replicas_before: BTreeMap<i64, Option<Replica>>,
}

/// Actors by index and back; new ones are written with the transaction.
#[derive(Debug, Default)]
pub(crate) struct Actors {
    by_index: Vec<Option<ActorId>>,
    by_id: BTreeMap<ActorId, u32>,
    bound: BTreeMap<u32, i64>,
    unwritten: Vec<u32>,
    /// Actors that the transaction at hand added.
    added: Vec<u32>,
    /// What it bound to other replicas, as it was.
    bound_before: BTreeMap<u32, Option<i64>>,
}

impl ActorTable for Actors {
    fn index(&mut self, actor: &ActorId) -> u32 {
        if let Some(index) = self.by_id.get(actor) {
            return *index;
        }
        let index = self.by_index.len() as u32;
        self.insert(index, actor.clone());
        self.unwritten.push(index);
        self.added.push(index);
        index
    }

    fn actor(&self, index: u32) -> Option<ActorId> {
        self.by_index.get(index as usize).cloned().flatten()
    }
}

impl Actors {
    fn insert(&mut self, index: u32, actor: ActorId) {
        if self.by_index.len() <= index as usize {
            self.by_index.resize(index as usize + 1, None);
        }
        self.by_index[index as usize] = Some(actor.clone());
        self.by_id.insert(actor, index);
    }

    /// The replica that used the actor first, if any did.
    pub(crate) fn replica_of(&self, actor: &ActorId) -> Option<i64> {
        self.by_id.get(actor).and_then(|index| self.bound.get(index)).copied()
    }

    /// Binds an actor to the replica that used it first. Whether this is the first.
    pub(crate) fn bind(&mut self, actor: &ActorId, replica: i64) -> bool {
        let index = self.index(actor);
        if self.bound.contains_key(&index) {
            return false;
        }
        let before = self.bound.insert(index, replica);
        self.bound_before.entry(index).or_insert(before);
        if !self.unwritten.contains(&index) {
            self.unwritten.push(index);
        }
        true
    }

    /// The actor belongs to nobody after all.
    pub(crate) fn unbind(&mut self, actor: &ActorId) {
        if let Some(index) = self.by_id.get(actor) {
            let before = self.bound.remove(index);
            self.bound_before.entry(*index).or_insert(before);
        }
    }

    fn keep(&mut self) {
        self.added.clear();
        self.bound_before.clear();
    }

    fn undo(&mut self) {
        for (index, before) in std::mem::take(&mut self.bound_before) {
            match before {
                Some(replica) => self.bound.insert(index, replica),
                None => self.bound.remove(&index),
            };
        }
        for index in std::mem::take(&mut self.added).into_iter().rev() {
            if let Some(actor) = self.by_index.pop().flatten() {
                debug_assert_eq!(self.by_index.len(), index as usize, "actors are added at the end");
                self.by_id.remove(&actor);
            }
        }
        self.unwritten.clear();
    }
}

impl Names {
    /// Reads all names.
    pub(crate) fn load(db: &Connection) -> Result<Self> {
        let mut names = Self::default();
        names.load_models(db).doing("reading the models")?;
        names.load_replicas(db).doing("reading the replicas")?;
        names.load_actors(db).doing("reading the actors")?;
        Ok(names)
    }

    fn load_models(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached("SELECT model, name FROM syncline_models")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (model, name): (i64, String) = (row.get(0)?, row.get(1)?);
            self.models.insert(name.clone(), model);
            self.model_names.insert(model, name);
        }
        Ok(())
    }

    fn load_replicas(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement =
            db.prepare_cached("SELECT replica, id, counter, chain, tip, forked, mine FROM syncline_replicas")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let replica = read_replica(row)?;
            self.replica_rows.insert(replica.id, replica.row);
            self.replicas.insert(replica.row, replica);
        }
        Ok(())
    }

    fn load_actors(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached("SELECT actor, id, replica FROM syncline_actors")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let index: u32 = row.get(0)?;
            let id: Vec<u8> = row.get(1)?;
            self.actors.insert(index, ActorId::from(id));
            if let Some(replica) = row.get::<_, Option<i64>>(2)? {
                self.actors.bound.insert(index, replica);
            }
        }
        Ok(())
    }

    /// What the transaction at hand changed stays: it was committed.
    pub(crate) fn keep(&mut self) {
        self.new_models.clear();
        self.replicas_before.clear();
        self.actors.keep();
    }

    /// Everything as it was when the transaction at hand began, without reading the file, which may not be readable
    /// now.
    pub(crate) fn undo(&mut self) {
        for name in std::mem::take(&mut self.new_models) {
            if let Some(model) = self.models.remove(&name) {
                self.model_names.remove(&model);
            }
        }
        for (row, before) in std::mem::take(&mut self.replicas_before) {
            match before {
                Some(replica) => drop(self.replicas.insert(row, replica)),
                None => {
                    if let Some(replica) = self.replicas.remove(&row) {
                        self.replica_rows.remove(&replica.id);
                    }
                }
            }
        }
        self.dirty_replicas.clear();
        self.actors.undo();
    }

    /// The table of actors.
    pub(crate) fn actors(&mut self) -> &mut Actors {
        &mut self.actors
    }

    /// The table of actors, to read.
    pub(crate) fn actors_ref(&self) -> &Actors {
        &self.actors
    }

    /// Number of a model, given out at first use.
    pub(crate) fn model(&mut self, db: &Connection, name: &str) -> Result<i64> {
        if let Some(model) = self.models.get(name) {
            return Ok(*model);
        }
        let model = self.free_model(db)?;
        db.execute("INSERT INTO syncline_models(model, name) VALUES(?1, ?2)", params![model, name])
            .doing("writing the models")?;
        self.models.insert(name.to_owned(), model);
        self.model_names.insert(model, name.to_owned());
        self.new_models.push(name.to_owned());
        Ok(model)
    }

    /// A number that no model has, nor had: a torn file may hold records of a model whose name it lost, and they must
    /// not become another's.
    fn free_model(&mut self, db: &Connection) -> Result<i64> {
        let of_records = match self.model_of_records {
            Some(model) => model,
            None => db
                .query_row("SELECT coalesce(max(model), 0) FROM syncline_records", [], |row| row.get(0))
                .doing("reading the records")?,
        };
        self.model_of_records = Some(of_records);
        let of_names = self.model_names.last_key_value().map_or(0, |(model, _)| *model);
        Ok(of_names.max(of_records).saturating_add(1))
    }

    /// Numbers of a model, under each of its names that is in use.
    pub(crate) fn numbers_of(&self, model: &Model) -> Vec<i64> {
        model.names().filter_map(|name| self.models.get(name).copied()).collect()
    }

    /// Name of a model's number.
    pub(crate) fn model_name(&self, model: i64) -> Option<&str> {
        self.model_names.get(&model).map(String::as_str)
    }

    /// The replica of that id, if any change or flag of it is held.
    pub(crate) fn replica(&self, id: ReplicaId) -> Option<&Replica> {
        self.replica_rows.get(&id).and_then(|row| self.replicas.get(row))
    }

    /// The replica of that row.
    pub(crate) fn replica_at(&self, row: i64) -> Option<&Replica> {
        self.replicas.get(&row)
    }

    /// All replicas.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.values()
    }

    /// The replica of that id, made if need be. The caller may change it; it is written with the transaction.
    pub(crate) fn replica_mut(&mut self, id: ReplicaId) -> &mut Replica {
        let next = self.replicas.last_key_value().map_or(1, |(row, _)| row + 1);
        let row = *self.replica_rows.entry(id).or_insert(next);
        if !self.dirty_replicas.contains(&row) {
            self.dirty_replicas.push(row);
        }
        if !self.replicas_before.contains_key(&row) {
            self.replicas_before.insert(row, self.replicas.get(&row).cloned());
        }
        self.replicas.entry(row).or_insert(Replica {
            row,
            id,
            counter: 0,
            chain: Chain::EMPTY,
            tip: 0,
            forked: false,
            forked_at: 0,
            mine: false,
        })
    }

    /// Writes what changed since the last call.
    pub(crate) fn flush(&mut self, db: &Connection) -> Result<()> {
        for row in std::mem::take(&mut self.dirty_replicas) {
            if let Some(replica) = self.replicas.get(&row) {
                write_replica(db, replica).doing("writing a replica's tip")?;
            }
        }
        for index in std::mem::take(&mut self.actors.unwritten) {
            if let Some(actor) = self.actors.actor(index) {
                let bound = self.actors.bound.get(&index);
                db.prepare_cached("INSERT OR REPLACE INTO syncline_actors(actor, id, replica) VALUES(?1, ?2, ?3)")
                    .and_then(|mut s| s.execute(params![index, actor.to_bytes(), bound]))
                    .doing("writing an actor")?;
            }
        }
        Ok(())
    }
}

fn read_replica(row: &Row<'_>) -> rusqlite::Result<Replica> {
    Ok(Replica {
        row: row.get(0)?,
        id: ReplicaId(row.get(1)?),
        counter: row.get::<_, i64>(2)? as u64,
        chain: Chain(row.get::<_, i64>(3)? as u64),
        tip: row.get::<_, i64>(4)? as u64,
        forked: row.get::<_, i64>(5)? != 0,
        forked_at: row.get::<_, i64>(5)?.saturating_sub(1) as u64,
        mine: row.get(6)?,
    })
}

// For those who read the file through another connection and do not hold all names.

/// Numbers of a model, under each of its names that is in use.
pub(crate) fn numbers_of(db: &Connection, model: &Model) -> Result<Vec<i64>> {
    let mut statement =
        db.prepare_cached("SELECT model FROM syncline_models WHERE name = ?1").doing("reading the models")?;
    let mut number = |name| statement.query_row([name], |row| row.get(0)).optional().doing("reading the models");
    model.names().filter_map(|name| number(name).transpose()).collect()
}

/// Name of a model's number.
pub(crate) fn model_name(db: &Connection, model: i64) -> Result<Option<String>> {
    db.prepare_cached("SELECT name FROM syncline_models WHERE model = ?1")
        .and_then(|mut s| s.query_row([model], |row| row.get(0)).optional())
        .doing("reading the models")
}

/// The replica of that row; `None` for that of `@local` changes.
pub(crate) fn replica_at(db: &Connection, row: i64) -> Result<Option<Replica>> {
    db.prepare_cached("SELECT replica, id, counter, chain, tip, forked, mine FROM syncline_replicas WHERE replica = ?1")
        .and_then(|mut s| s.query_row([row], read_replica).optional())
        .doing("reading the replicas")
}

/// The replica of that id.
pub(crate) fn replica(db: &Connection, id: ReplicaId) -> Result<Option<Replica>> {
    db.prepare_cached("SELECT replica, id, counter, chain, tip, forked, mine FROM syncline_replicas WHERE id = ?1")
        .and_then(|mut s| s.query_row([id.0], read_replica).optional())
        .doing("reading the replicas")
}

fn write_replica(db: &Connection, replica: &Replica) -> rusqlite::Result<()> {
    let values = params![
        replica.row,
        replica.id.0,
        replica.counter as i64,
        replica.chain.0 as i64,
        replica.tip as i64,
        if replica.forked { replica.forked_at as i64 + 1 } else { 0 },
        replica.mine,
    ];
    let updated = db
        .prepare_cached(
            "UPDATE syncline_replicas SET id = ?2, counter = ?3, chain = ?4, tip = ?5, forked = ?6, mine = ?7
             WHERE replica = ?1",
        )?
        .execute(values)?;
    if updated == 0 {
        db.prepare_cached(
            "INSERT INTO syncline_replicas(replica, id, counter, chain, tip, forked, mine)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(values)?;
    }
    Ok(())
}

/// Actors as they stand in the file.
pub(crate) struct StoredActors<'a>(pub(crate) &'a Connection);

impl ActorTable for StoredActors<'_> {
    /// Nothing is encoded through this table.
    fn index(&mut self, _: &ActorId) -> u32 {
        u32::MAX
    }

    fn actor(&self, index: u32) -> Option<ActorId> {
        let found = self
            .0
            .prepare_cached("SELECT id FROM syncline_actors WHERE actor = ?1")
            .and_then(|mut s| s.query_row([index], |row| row.get::<_, Vec<u8>>(0)).optional());
        found.ok().flatten().map(ActorId::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A commit failed, and so did reading the names again: the store said that it held what had been rolled back.
    #[test]
    fn names_are_undone_without_the_file() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE syncline_models(model INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE syncline_records(record INTEGER PRIMARY KEY, model INTEGER);
             CREATE TABLE syncline_replicas(replica INTEGER PRIMARY KEY, id BLOB, counter INTEGER, chain INTEGER,
                 tip INTEGER, forked INTEGER, mine INTEGER);
             CREATE TABLE syncline_actors(actor INTEGER PRIMARY KEY, id BLOB, replica INTEGER)",
        )
        .unwrap();
        let actor = |byte: u8| ActorId::from([byte]);
        let mut names = Names::default();
        let transaction = |names: &mut Names, byte: u8| {
            names.model(&db, &format!("Model{byte}")).unwrap();
            for replica in 1..=byte {
                let held = names.replica_mut(ReplicaId([replica; 16]));
                held.counter += 1;
                held.mine = true;
            }
            names.actors().bind(&actor(byte), 1);
            names.flush(&db).unwrap();
            names.actors().index(&actor(100 + byte));
        };
        transaction(&mut names, 2);
        names.flush(&db).unwrap();
        names.keep();
        let before = format!("{names:?}");
        transaction(&mut names, 4);
        names.actors().unbind(&actor(2));
        assert_ne!(format!("{names:?}"), before);
        names.undo();
        assert_eq!(format!("{names:?}"), before);
    }
}
