//! One store: its file, its transactions, its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;
use syncline_core::ids::{Chain, LogId, ReplicaId, StoreId};
use syncline_core::mutant::{self, Mutant};
use syncline_core::vector::VersionVector;
use syncline_schema::Schema;

use crate::checkpoint::WalWatch;
use crate::commit::{Commit, Origin, RecordChange};
use crate::documents::Documents;
use crate::error::{Doing, Result, StoreError};
use crate::host::{Host, WalSync};
use crate::identity::{self, Renewal, RenewalCause, Writer};
use crate::open;
use crate::projection::Projection;
use crate::seed::Seed;
use crate::storage::chains::{self, Chains};
use crate::storage::meta::{self, key};
use crate::storage::names::Names;
use crate::storage::peers::{self, Acknowledged, Peer};
use crate::storage::{log, records};
use crate::tx::{Parts, Tx};

/// How safe a save is when the call returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Safe against the end of the process; a power cut may take the last moments, of which nothing has left
    /// the device.
    #[default]
    Normal,
    /// Safe against a power cut too: every transaction syncs the disk.
    Full,
}

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The schema with the text it came from; `None` opens with the one in the file, and a relay has none.
    pub schema: Option<(Schema, String)>,
    /// The namespace; `None` takes the file's.
    pub namespace: Option<String>,
    /// Whether a missing file is made.
    pub create: Create,
    /// How safe a save is.
    pub durability: Durability,
    /// Where randomness comes from.
    pub seed: [u8; 32],
    /// Bytes that the store may take, about, to have at hand what it is asked for often: documents of texts and
    /// lists, histories, and a quarter as much for pages of the file. 64 MiB unless said otherwise; what is being
    /// worked on is kept whatever it takes.
    pub cache_bytes: usize,
    /// Who hears how far opening with another schema is, if anybody.
    pub progress: Option<OnMigration>,
    /// Whether the store is only read. Nothing is written to the file then, no replica id is taken and no lock is held:
    /// whoever writes goes on as if nobody looked. The file must be there, and be as this version and the schema, if one
    /// is given, would leave it.
    pub read_only: bool,
}

/// How far a store is that is being opened with another schema: the tables of models that changed are filled from
/// their records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The model whose table is being filled.
    pub model: String,
    /// Its records that were looked at, deleted ones included.
    pub done: u64,
    /// Its records, deleted ones included.
    pub total: u64,
}

/// Hears of each [`Migration`], on the thread that opens the store.
#[derive(Clone)]
pub struct OnMigration(Arc<dyn Fn(&Migration) + Send + Sync>);

impl OnMigration {
    /// Calls this.
    pub fn new(hear: impl Fn(&Migration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn tell(&self, migration: &Migration) {
        (self.0)(migration);
    }
}

impl std::fmt::Debug for OnMigration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnMigration")
    }
}

/// What a store may take for its caches unless the options say otherwise.
const CACHE_BYTES: usize = 64 << 20;

impl Options {
    /// The schema and the namespace that the file has, made if it is missing.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            schema: None,
            namespace: None,
            create: Create::default(),
            durability: Durability::default(),
            seed,
            cache_bytes: CACHE_BYTES,
            progress: None,
            read_only: false,
        }
    }
}

/// Whether opening may make the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Create {
    /// The file must exist.
    Never,
    /// A missing file is made.
    #[default]
    IfMissing,
    /// The file must not exist.
    New,
}

/// An open store. One thread owns it; other processes may have the same file open.
pub struct Store {
    pub(crate) host: Box<dyn Host>,
    pub(crate) db: Connection,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) projections: BTreeMap<String, Projection>,
    pub(crate) names: Names,
    pub(crate) seed: Seed,
    documents: Documents,
    writer: Option<Writer>,
    /// A new replica id that could not be taken yet: nothing is written under the old one any more.
    renewal_due: Option<(RenewalCause, bool)>,
    alone_at_open: bool,
    pub(crate) ids: Ids,
    head: (u64, Chain),
    next_record: i64,
    has_waiting: bool,
    /// The log's end, the greatest record and whether records wait, when the last transaction began: where a rollback
    /// goes back to.
    begun: ((u64, Chain), i64, bool),
    /// Whether a transaction began and neither was committed nor undone in memory. SQLite ends some by itself.
    is_begun: bool,
    data_version: i64,
    seen_schema: i64,
    durability: Durability,
    read_only: bool,
    durable: u64,
    pub(crate) failed: Option<String>,
    /// Set where checkpoints run beside the commits.
    pub(crate) wal_watch: Option<WalWatch>,
    closed: bool,
    commits: Vec<Commit>,
    /// Position of the log up to which commits were handed out or are about to be.
    followed: u64,
    /// What peers acknowledged and no transaction has written yet.
    pub(crate) acks: BTreeMap<StoreId, Acknowledged>,
    /// Replica ids known to be retired, in the order in which this process came to know.
    pub(crate) retired: Vec<ReplicaId>,
    /// First row of the log that is known to be damaged.
    damaged: Option<u64>,
    pub(crate) clock_ms: i64,
}

/// The ids of a store that hardly ever change.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub(crate) store: StoreId,
    pub(crate) log: LogId,
    pub(crate) epoch: u32,
    pub(crate) namespace: String,
}

impl Store {
    /// Opens a store, making it if the options say so. Nothing is written to an existing file but a newer
    /// schema and indexes that its relations lack, and nothing if the schema is refused.
    pub fn open(mut host: Box<dyn Host>, options: Options) -> Result<Self> {
        let mut seed = Seed::new(options.seed);
        open::check_presence(host.as_ref(), &options)?;
        // Before the file is opened: whoever deletes the store waits for those that are in, and nobody writes to a
        // file that is gone.
        let path = host.path().to_owned();
        let alone_at_open = match options.read_only {
            // Who only reads must not be the last to leave, and deletes wait for nobody who does.
            true => false,
            false => host.enter().map_err(|source| StoreError::File { doing: "open", path, source })?,
        };
        let db = open::connect(host.as_ref(), &options)?;
        open::prepare(&db, host.as_ref(), &options, &mut seed)?;
        let schema = open::schema(&db, &options)?.map(Arc::new);
        let mut store = Self {
            ids: open::ids(&db)?,
            names: Names::load(&db)?,
            head: (0, Chain::EMPTY),
            next_record: 0,
            has_waiting: false,
            begun: ((0, Chain::EMPTY), 0, false),
            is_begun: false,
            projections: BTreeMap::new(),
            schema: None,
            host,
            db,
            seed,
            documents: Documents::new(options.cache_bytes),
            writer: None,
            renewal_due: None,
            alone_at_open,
            data_version: -1,
            seen_schema: 0,
            // What others commit is not synced by looking at it.
            durability: if options.read_only { Durability::Normal } else { options.durability },
            read_only: options.read_only,
            durable: 0,
            failed: None,
            wal_watch: None,
            closed: false,
            commits: Vec::new(),
            followed: 0,
            acks: BTreeMap::new(),
            retired: Vec::new(),
            damaged: None,
            clock_ms: 0,
        };
        store.take_schema(schema);
        store.refresh_in_transaction()?;
        store.followed = store.head.0;
        // What an earlier process committed may not be on disk yet: the first sync covers it.
        store.durable = 0;
        if store.read_only {
            open::check_settled(&store)?;
            return Ok(store);
        }
        store.look_at_damage_again()?;
        open::settle(&mut store, options.progress.as_ref())?;
        Ok(store)
    }

    fn take_schema(&mut self, schema: Option<Arc<Schema>>) {
        self.projections = schema
            .iter()
            .flat_map(|schema| &schema.models)
            .map(|model| (model.name.clone(), Projection::new(model)))
            .collect();
        self.schema = schema;
    }

    /// The schema; `None` in a relay's store.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// Whether it was opened to be read only.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.ids.namespace
    }

    /// The file's id.
    pub fn id(&self) -> StoreId {
        self.ids.store
    }

    /// The replica id under which this process writes, once it has written.
    pub fn replica(&self) -> Option<ReplicaId> {
        self.writer.as_ref().map(|writer| writer.replica)
    }

    /// Replica ids under which this file was written, in no particular order: the present one once it has changes,
    /// those it gave up, and those of a file of which it is a copy.
    pub fn own_replicas(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.names.replicas().filter(|replica| replica.mine).map(|replica| replica.id)
    }

    /// The replica id in the file.
    pub(crate) fn stored_replica(&self) -> Result<Option<ReplicaId>> {
        Ok(meta::read_id(&self.db, key::REPLICA)?.map(ReplicaId))
    }

    /// Changes of the store's name that are remembered, oldest first.
    pub fn renewals(&self) -> Result<Vec<Renewal>> {
        identity::renewals(&self.db)
    }

    /// The path of the file.
    pub fn path(&self) -> &std::path::Path {
        self.host.path()
    }

    /// Runs `act` in one transaction and commits what it did, or leaves the store as it was.
    ///
    /// The changes are in the file when this returns, so they survive the end of the process; under
    /// [`Durability::Full`] a power cut as well. If the disk fails during the commit itself, the store goes on
    /// without them, and only a crash before the next commit, or a copy of the file from before it, may bring them
    /// back: the next write takes a new replica id, so that they are in nobody's way.
    pub fn write<T>(&mut self, now_ms: i64, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        match self.renewal_due {
            Some((why, new_log)) => self.renew(why, new_log, now_ms)?,
            None if self.writer.is_none() => self.establish(now_ms)?,
            None => {}
        }
        self.begin()?;
        match self.run(now_ms, act) {
            Ok((value, changes)) => {
                let committed = self.commit(changes);
                if committed.is_err() {
                    // The write-ahead log may hold it all the same: its numbers must not name other changes.
                    self.renewal_due.get_or_insert((RenewalCause::CommitFailed, false));
                }
                committed.map(|()| value)
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Runs `act`, which only reads, on the records as they stand with their live documents: for what no table
    /// shows. It takes no replica id and makes no change.
    pub fn look<T>(&mut self, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        // What it was refused is no reason to forget the documents.
        self.write_unnamed(|tx| Ok(act(tx)))?
    }

    fn check_open(&self) -> Result<()> {
        match &self.failed {
            Some(reason) => Err(StoreError::SyncFailed(reason.clone())),
            None if self.closed => Err(StoreError::Closed),
            None => Ok(()),
        }
    }

    fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.read_only { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<()> {
        if self.is_begun || !self.db.is_autocommit() {
            // Somebody's closure panicked in the middle of a transaction.
            self.roll_back();
        }
        // Who only reads needs one state of the file, and not the right to change it.
        let begin = if self.read_only { "BEGIN" } else { "BEGIN IMMEDIATE" };
        execute(&self.db, begin).doing("beginning a transaction")?;
        let refreshed = self.refresh_in_transaction();
        self.begun = (self.head, self.next_record, self.has_waiting);
        self.is_begun = true;
        if let Err(error) = refreshed.and_then(|()| self.follow()) {
            self.roll_back();
            return Err(error);
        }
        Ok(())
    }

    fn run<T>(&mut self, now_ms: i64, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<(T, Vec<RecordChange>)> {
        let mut tx = Tx::new(Parts {
            db: &self.db,
            schema: self.schema.as_ref(),
            projections: &self.projections,
            names: &mut self.names,
            documents: &mut self.documents,
            seed: &mut self.seed,
            writer: self.writer.clone(),
            head: &mut self.head,
            next_record: &mut self.next_record,
            has_waiting: &mut self.has_waiting,
            now_ms,
        });
        let value = act(&mut tx)?;
        tx.finish()?;
        Ok((value, tx.into_commits()))
    }

    fn commit(&mut self, changes: Vec<RecordChange>) -> Result<()> {
        let put = self.acks.iter().try_for_each(|(peer, ack)| peers::acknowledge(&self.db, *peer, ack));
        if let Err(error) = put.and_then(|()| execute(&self.db, "COMMIT").doing("committing")) {
            self.roll_back();
            return Err(error);
        }
        self.is_begun = false;
        self.names.keep();
        self.acks.clear();
        if self.durability == Durability::Full {
            self.durable = self.head.0;
        }
        self.followed = self.head.0;
        self.heed_checkpoints();
        if !changes.is_empty() {
            self.commits.push(Commit { seq: self.head.0, changes });
        }
        Ok(())
    }

    /// Whether what peers acknowledged waits for the next transaction.
    pub(crate) fn has_unwritten_acks(&self) -> bool {
        !self.acks.is_empty()
    }

    /// Writes what peers acknowledged since the last transaction.
    pub(crate) fn write_acks(&mut self) -> Result<()> {
        if self.has_unwritten_acks() { self.write_unnamed(|_| Ok(())) } else { Ok(()) }
    }

    /// All peers, as they spoke last.
    pub(crate) fn peer_rows(&self) -> Result<Vec<Peer>> {
        let with_acks = |peer: Peer| {
            let ack = self.acks.get(&peer.store);
            peer.with(ack)
        };
        Ok(peers::all(&self.db)?.into_iter().map(with_acks).collect())
    }

    /// The peer of that store, as it spoke last.
    pub(crate) fn peer_row(&self, store: StoreId) -> Result<Option<Peer>> {
        Ok(peers::find(&self.db, store)?.map(|peer| peer.with(self.acks.get(&store))))
    }

    fn roll_back(&mut self) {
        if !self.db.is_autocommit() {
            // Where this fails the connection is lost, and the next call says so.
            if let Err(error) = self.db.execute_batch("ROLLBACK") {
                tracing::warn!(%error, "rolling back failed");
            }
        }
        // The log's end, names and documents may speak of what was undone. They are set right even where nothing can
        // be read: a sync must not declare durable what will be written there, and nobody be told that it is held.
        (self.head, self.next_record, self.has_waiting) = self.begun;
        self.documents.clear();
        if !mutant::is_planted(Mutant::RollbackForgotten) {
            self.names.undo();
            self.data_version = -1;
        }
        self.is_begun = false;
        if !self.db.is_autocommit() {
            // What is read now is what could not be undone.
            return;
        }
        if let Err(error) = self.refresh_in_transaction() {
            tracing::warn!(%error, "reading the store again after a rollback failed");
        }
    }

    /// Decides under which name this process writes, in a transaction of its own: what it destroys must not
    /// come back with the rollback of somebody's change.
    fn establish(&mut self, now_ms: i64) -> Result<()> {
        self.begin()?;
        let names = &self.names;
        let is_forked = |replica| names.replica(replica).is_some_and(|held| held.forked);
        let established =
            identity::establish(&self.db, self.host.as_mut(), &mut self.seed, (self.alone_at_open, &is_forked), now_ms);
        match established {
            Ok(writer) => {
                self.commit(Vec::new())?;
                self.writer = Some(writer);
                Ok(())
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Reads again what another process may have changed.
    fn refresh_in_transaction(&mut self) -> Result<()> {
        let version = self.version_of_file()?;
        if version == self.data_version {
            return Ok(());
        }
        // All or nothing is taken: a version beyond the log's end would be a lie.
        let names = Names::load(&self.db)?;
        let head = log::head(&self.db)?;
        let next_record = records::greatest(&self.db)?;
        let has_waiting = records::any_waiting(&self.db)?;
        let ids = open::ids(&self.db)?;
        (self.names, self.head, self.ids) = (names, head, ids);
        (self.next_record, self.has_waiting) = (next_record, has_waiting);
        self.notice_retired();
        self.documents.clear();
        self.follow_identity()?;
        let schema_version: i64 =
            self.db.query_row("PRAGMA schema_version", [], |row| row.get(0)).doing("reading the store's version")?;
        if self.seen_schema != 0 && schema_version != self.seen_schema {
            let schema = open::stored_schema(&self.db)?.map(Arc::new);
            self.take_schema(schema);
        }
        self.seen_schema = schema_version;
        self.damaged = records::damaged(&self.db)?.first().copied();
        // Last: what could not be read whole is read again.
        self.data_version = version;
        Ok(())
    }

    /// Another number once another process has committed.
    fn version_of_file(&self) -> Result<i64> {
        self.db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .doing("reading the store's version")
    }

    /// Lists replica ids that another process has retired.
    fn notice_retired(&mut self) {
        let known: BTreeSet<ReplicaId> = self.retired.iter().copied().collect();
        let forked = self.names.replicas().filter(|replica| replica.forked).map(|replica| replica.id);
        self.retired.extend(forked.filter(|replica| !known.contains(replica)));
    }

    /// Hands out what other processes committed since the last commit that was handed out.
    fn follow(&mut self) -> Result<()> {
        if self.head.0 <= self.followed {
            return Ok(());
        }
        let changes = match crate::history::changed_since(self, self.followed, Origin::Process) {
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, "what another process committed cannot be read");
                Vec::new()
            }
            other => other?,
        };
        self.followed = self.head.0;
        if !changes.is_empty() {
            self.commits.push(Commit { seq: self.head.0, changes });
        }
        Ok(())
    }

    /// Another process may have taken a new replica id for the store.
    fn follow_identity(&mut self) -> Result<()> {
        let stored = meta::read_id(&self.db, key::REPLICA)?.map(ReplicaId);
        if let (Some(writer), Some(stored)) = (&mut self.writer, stored) {
            if writer.replica != stored {
                writer.actor = automerge::ActorId::from(self.seed.id16("actor").to_vec());
            }
            writer.replica = stored;
        }
        Ok(())
    }

    /// Reads what other processes committed since the last call, as commits of [`Origin::Process`]. Cheap when
    /// there is nothing.
    pub fn refresh(&mut self) -> Result<()> {
        self.check_open()?;
        if self.data_version == self.version_of_file()? && self.head.0 <= self.followed {
            return Ok(());
        }
        execute(&self.db, "BEGIN").doing("reading the store")?;
        let followed = self.refresh_in_transaction().and_then(|()| self.follow());
        execute(&self.db, "ROLLBACK").doing("reading the store")?;
        followed
    }

    /// Rows that were found to be damaged may read well again: the file was repaired, or memory failed.
    fn look_at_damage_again(&mut self) -> Result<()> {
        let mut healed = Vec::new();
        for seq in records::damaged(&self.db)? {
            let reads_well = log::read(&self.db, seq).and_then(|row| {
                let Some(row) = row else { return Ok(()) };
                crate::history::check(&row)?;
                let place = chains::place(&self.db, &self.names, &row)?;
                Chains::default().follow(&self.db, &row, &place)
            });
            if reads_well.is_ok() {
                healed.push(seq);
            }
        }
        if healed.is_empty() {
            return Ok(());
        }
        self.write_unnamed(|tx| healed.iter().try_for_each(|seq| records::release(tx.db, *seq)))?;
        self.damaged = records::damaged(&self.db)?.first().copied();
        Ok(())
    }

    /// Puts the record of a damaged row in quarantine: `status` shows it, and no peer gets what stands after
    /// the row, for nothing is left out silently.
    pub(crate) fn note_damage(&mut self, seq: u64, reason: &str) -> Result<()> {
        self.write_unnamed(|tx| tx.note_damage(seq, reason))?;
        self.damaged = Some(self.damaged.map_or(seq, |first| first.min(seq)));
        Ok(())
    }

    /// Last position of the log that peers may learn of: a damaged row ends it.
    pub(crate) fn readable(&self) -> u64 {
        self.damaged.map_or(self.head.0, |damaged| self.head.0.min(damaged.saturating_sub(1)))
    }

    /// Becomes the process that holds this store's sessions.
    pub fn claim_sessions(&mut self) -> Result<()> {
        self.check_writable()?;
        let path = self.host.path().to_owned();
        match self.host.claim_sessions() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::SessionsElsewhere(path)),
            Err(source) => Err(StoreError::File { doing: "lock the sessions of", path, source }),
        }
    }

    /// The wall clock for what sessions write.
    pub fn set_time(&mut self, now_ms: i64) {
        self.clock_ms = now_ms;
    }

    /// Fails if the store can no longer be used.
    pub fn health(&self) -> Result<()> {
        self.check_open()
    }

    /// All changes held, per replica; forked ids are left out.
    pub fn version(&self) -> VersionVector {
        self.names.replicas().filter(|r| !r.forked && r.counter > 0).map(|r| (r.id, r.counter)).collect()
    }

    /// Commits since the last call, oldest first.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.commits)
    }

    /// Last committed position of the log.
    pub fn committed(&self) -> u64 {
        self.head.0
    }

    /// Position of the log up to which [`Store::take_commits`] has told, or will, what was committed.
    pub fn followed(&self) -> u64 {
        self.followed
    }

    /// The log's chain at its end.
    pub(crate) fn head(&self) -> (u64, Chain) {
        self.head
    }

    /// Last position of the log that is safe against power loss. Nothing beyond it leaves.
    pub fn durable(&self) -> u64 {
        if mutant::is_planted(Mutant::SyncSkipped) { self.head.0 } else { self.durable }
    }

    /// A handle that makes commits durable; run it on a thread of its own, then call [`Store::synced`].
    pub fn syncer(&self) -> Box<dyn WalSync> {
        self.host.syncer()
    }

    /// A sync that began when the log stood at `seq` has ended. A failed one closes the store for good: what
    /// the disk holds is no longer known.
    pub fn synced(&mut self, seq: u64, outcome: std::io::Result<()>) {
        match outcome {
            Ok(()) => self.durable = self.durable.max(seq),
            Err(_) if mutant::is_planted(Mutant::FailedSyncIgnored) => {}
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// Makes everything committed so far durable, on this thread.
    pub fn sync_now(&mut self) -> Result<()> {
        self.check_open()?;
        let seq = self.head.0;
        let outcome = self.host.syncer().sync();
        self.synced(seq, outcome);
        self.heed_checkpoints();
        self.check_open()
    }

    /// Closes the store: checkpoints, and proves the continuity that lets the next process keep the replica id.
    pub fn close(&mut self) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let outcome = self.settle_down();
        self.closed = true;
        outcome
    }

    fn settle_down(&mut self) -> Result<()> {
        self.check_open()?;
        self.write_acks()?;
        let path = self.host.path().to_owned();
        let last = self.host.leave().map_err(|source| StoreError::File { doing: "unlock", path, source })?;
        let proven = if last { self.prove() } else { Ok(()) };
        self.host.release();
        proven
    }

    /// The last process to leave proves that everything written so far belongs to one history. It need not have
    /// written itself, if those that did wrote while it was there.
    fn prove(&mut self) -> Result<()> {
        if self.renewal_due.is_some() {
            return Ok(());
        }
        if self.writer.is_some() || identity::is_continued(&self.db, self.host.as_mut())? {
            identity::prove(&self.db, self.host.as_mut(), &mut self.seed)?;
            self.sync_now()?;
        }
        Ok(())
    }

    /// Takes a new replica id before the next write. If that fails, the next write begins with it.
    pub(crate) fn renew(&mut self, why: RenewalCause, new_log: bool, now_ms: i64) -> Result<()> {
        let new_log = new_log || self.renewal_due.is_some_and(|(_, log_is_due)| log_is_due);
        self.renewal_due = Some((why, new_log));
        self.begin()?;
        let renewed = identity::renew(&self.db, self.host.as_mut(), &mut self.seed, (why, new_log), now_ms);
        match renewed.and_then(|writer| Ok((writer, open::ids(&self.db)?))) {
            Ok((writer, ids)) => {
                self.commit(Vec::new())?;
                self.writer = Some(writer);
                self.renewal_due = None;
                self.ids = ids;
                Ok(())
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the store was not closed cleanly; it takes a new replica id at the next write");
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.host.path()).field("head", &self.head.0).finish_non_exhaustive()
    }
}

impl Store {
    /// A transaction that writes no own change and so needs no name.
    pub(crate) fn write_unnamed<T>(&mut self, act: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.check_open()?;
        self.begin()?;
        match self.run(0, act) {
            Ok((value, changes)) => self.commit(changes).map(|()| value),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }
}

/// One statement that is kept compiled: what frames every transaction costs as much as a small one.
fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::OnDisk;
    use crate::local::Source;

    /// SQLite ends some transactions by itself, as on a full disk. If the app's closure then panicked, the store went on
    /// saying that it held what was never committed.
    #[test]
    fn a_transaction_that_sqlite_ended_is_undone_in_memory_before_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let sdl = "type Todo @model { title: String! }";
        let schema = syncline_schema::parse("schema.graphql", sdl).unwrap().schema;
        let options = Options { schema: Some((schema, sdl.to_owned())), ..Options::new([1; 32]) };
        let mut store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
        let todo = json!({"title": "t"}).as_object().cloned().unwrap();
        store.write(1, |tx| tx.save("Todo", &todo, Source::App)).unwrap();
        let before = (store.committed(), store.version());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(2, |tx| -> Result<()> {
                tx.save("Todo", &todo, Source::App)?;
                tx.db.execute_batch("ROLLBACK").unwrap();
                panic!("the app's closure");
            })
        }));
        assert!(panicked.is_err());
        store.look(|_| Ok(())).unwrap();
        assert_eq!((store.committed(), store.version()), before);
        store.write(3, |tx| tx.save("Todo", &todo, Source::App)).unwrap();
        assert!(store.verify().unwrap().is_ok());
    }

    /// Imports write records while the transaction goes on. Where SQLite had ended it by itself, each would have been
    /// committed alone, without its change in the log.
    #[test]
    fn nothing_is_written_after_sqlite_ended_the_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let sdl = "type Todo @model { title: String! }";
        let schema = syncline_schema::parse("schema.graphql", sdl).unwrap().schema;
        let options = Options { schema: Some((schema, sdl.to_owned())), ..Options::new([1; 32]) };
        let mut store = Store::open(Box::new(OnDisk::new(folder.path().join("app.db"))), options).unwrap();
        let todo = json!({"title": "t"}).as_object().cloned().unwrap();
        let refused = store.write(1, |tx| {
            tx.save("Todo", &todo, Source::App)?;
            tx.db.execute_batch("ROLLBACK").unwrap();
            tx.flush()
        });
        assert!(matches!(refused, Err(StoreError::Aborted(_))), "{refused:?}");
        let rows: i64 = store.db.query_row("SELECT count(*) FROM syncline_records", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0);
        store.write(2, |tx| tx.save("Todo", &todo, Source::App)).unwrap();
        assert!(store.verify().unwrap().is_ok());
    }
}
