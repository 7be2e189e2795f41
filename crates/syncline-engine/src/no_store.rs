//! The store of a session that has not said yet which one it wants.

use syncline_core::ids::{Chain, Dot, ReplicaId, StoreId};
use syncline_core::session::{Applied, Identity, IncomingRow, LogRow, PeerState, SessionStore, Tip};
use syncline_core::wire::{Cursor, Entry, GenesisSpec};

use crate::error::{Result, StoreError};

/// Answers nothing: a session that asks before it is admitted is at fault itself.
pub(crate) struct NoStore;

impl SessionStore for NoStore {
    type Error = StoreError;

    fn identity(&mut self) -> Result<Identity> {
        Err(StoreError::Closed)
    }
    fn committed(&mut self) -> Result<u64> {
        Err(StoreError::Closed)
    }
    fn durable(&self) -> u64 {
        0
    }
    fn log_chain(&mut self, _: u64) -> Result<Option<Chain>> {
        Err(StoreError::Closed)
    }
    fn tip(&mut self, _: ReplicaId) -> Result<Option<Tip>> {
        Err(StoreError::Closed)
    }
    fn chain_at(&mut self, _: ReplicaId, _: u64) -> Result<Option<Chain>> {
        Err(StoreError::Closed)
    }
    fn grown_since(&mut self, _: u64) -> Result<Vec<Entry>> {
        Err(StoreError::Closed)
    }
    fn retired_since(&mut self, _: usize) -> Result<Vec<ReplicaId>> {
        Err(StoreError::Closed)
    }
    fn peer(&mut self, _: StoreId) -> Result<PeerState> {
        Err(StoreError::Closed)
    }
    fn peer_at(&mut self, _: &str) -> Result<Option<StoreId>> {
        Err(StoreError::Closed)
    }
    fn acknowledge(&mut self, _: StoreId, _: Cursor, _: Dot) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn save_peer(&mut self, _: StoreId, _: bool, _: &str, _: &PeerState) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn read_log(&mut self, _: u64, _: usize, _: usize) -> Result<Vec<LogRow>> {
        Err(StoreError::Closed)
    }
    fn apply(&mut self, _: StoreId, _: &[IncomingRow], _: Option<Cursor>) -> Result<Applied> {
        Err(StoreError::Closed)
    }
    fn genesis_for(&mut self, _: &[&str]) -> Result<Vec<GenesisSpec>> {
        Err(StoreError::Closed)
    }
    fn learn_genesis(&mut self, _: &[GenesisSpec]) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn retire(&mut self, _: &[ReplicaId]) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn renew_identity(&mut self, _: bool) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn staged(&mut self, _: &[u8; 32]) -> Result<u64> {
        Err(StoreError::Closed)
    }
    fn staged_payloads(&mut self) -> Result<Vec<([u8; 32], u64)>> {
        Err(StoreError::Closed)
    }
    fn stage(&mut self, _: &[u8; 32], _: u64, _: &[u8]) -> Result<()> {
        Err(StoreError::Closed)
    }
    fn take_staged(&mut self, _: &[u8; 32]) -> Result<Vec<u8>> {
        Err(StoreError::Closed)
    }
}
