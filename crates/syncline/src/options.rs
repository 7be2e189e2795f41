//! What a store is opened with.

use std::path::Path;

use syncline_engine::{Create, Durability, Host, Migration, OnDisk, OnMigration};

use crate::error::{Error, Result};

/// What a store is opened with. The default takes schema and namespace from the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    sdl: Option<(String, String)>,
    namespace: Option<String>,
    create: Create,
    durability: Durability,
    seed: Option<[u8; 32]>,
    cache_bytes: Option<usize>,
    progress: Option<OnMigration>,
    read_only: bool,
}

impl Options {
    /// With this schema, in the schema language.
    pub fn new(sdl: impl Into<String>) -> Self {
        Self { sdl: Some(("schema.graphql".to_owned(), sdl.into())), ..Self::default() }
    }

    /// Name of the schema's file, for messages.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        if let Some((file, _)) = &mut self.sdl {
            *file = name.into();
        }
        self
    }

    /// The namespace of a new store; `default` unless named. An existing store must have it.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// Whether a missing file is made, which is the default.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// How safe a save is when its call returns.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Ids from this seed instead of the system's randomness: for tests that must repeat exactly.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Bytes, about, that the store may take to have at hand what it is asked for often; 64 MiB unless named.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = Some(bytes);
        self
    }

    /// Calls `hear` while the tables of models that this schema changes are filled, after every 500 records or so; on
    /// another thread than the one that opens. What is ended in between goes on at the next open.
    #[must_use]
    pub fn on_migration(mut self, hear: impl Fn(&Migration) + Send + Sync + 'static) -> Self {
        self.progress = Some(OnMigration::new(hear));
        self
    }

    /// Only reads, beside a running app or without one: reads, queries, live queries, status, history and conflicts work,
    /// and show what other processes commit; every write, sync and clear fails with
    /// [`StoreError::ReadOnly`](crate::StoreError::ReadOnly). The file stays byte for byte as it is, no replica id is
    /// taken, and an app that closes or clears its store does not wait for this one.
    ///
    /// The store must be there, and a schema that is given be the one it has. SQLite may make `-wal` and `-shm` beside
    /// the file, so its folder must allow that.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(crate) fn open(self, path: &Path) -> Result<(syncline_engine::Store, Vec<String>)> {
        let mut warnings = Vec::new();
        let schema = match self.sdl {
            None => None,
            Some((file, sdl)) => {
                let parsed = syncline_schema::parse(&file, &sdl).map_err(|found| Error::Schema(found.to_string()))?;
                warnings.extend(parsed.warnings.findings.iter().map(|finding| finding.message.clone()));
                Some((parsed.schema, sdl))
            }
        };
        let host: Box<dyn Host> = Box::new(OnDisk::new(path));
        let defaults = syncline_engine::Options::new(self.seed.unwrap_or_else(random_seed));
        let options = syncline_engine::Options {
            schema,
            namespace: self.namespace,
            create: self.create,
            durability: self.durability,
            cache_bytes: self.cache_bytes.unwrap_or(defaults.cache_bytes),
            progress: self.progress,
            read_only: self.read_only,
            ..defaults
        };
        Ok((syncline_engine::Store::open(host, options)?, warnings))
    }
}

/// 32 bytes of the system's randomness.
pub(crate) fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system gives randomness; nothing safe can be done without");
    seed
}
