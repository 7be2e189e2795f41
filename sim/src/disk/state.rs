//! All that is on a disk, and what an operation does to it.

use std::collections::{BTreeMap, BTreeSet};

use syncline_engine::Seed;

use super::digest::Digest;
use super::fault::{CutPoint, Faults};
use super::file::{File, Redo};
use super::image::{Image, is_side};
use super::{DiskError, FileHandle, Living, Survival};
use crate::schedule::OperationKind;

/// What [`super::Disk`] shares.
#[derive(Debug)]
pub(super) struct State {
    pub(super) files: BTreeMap<u64, File>,
    pub(super) names: BTreeMap<String, u64>,
    /// Changes of names that the medium may not have yet.
    names_under_way: Vec<NameChange>,
    next_inode: u64,
    pub(super) boot: u64,
    pub(super) is_on: bool,
    pub(super) lies: bool,
    pub(super) operations: u64,
    pub(super) faults: Faults,
    pub(super) digest: Digest,
    /// Bytes of the files that have a name.
    pub(super) used: u64,
    pub(super) seed: Seed,
    pub(super) living: BTreeMap<String, Living>,
}

/// A name that stands for another file than before, or for none. Changes of one number are one operation.
#[derive(Debug)]
struct NameChange {
    number: u64,
    name: String,
    before: Option<u64>,
    after: Option<u64>,
}

/// Kinds of operations, for the digest.
mod kind {
    pub(super) const WRITE: u8 = 1;
    pub(super) const RESIZE: u8 = 2;
    pub(super) const SYNC: u8 = 3;
    pub(super) const NAME: u8 = 4;
    pub(super) const SYNC_NAMES: u8 = 5;
    pub(super) const RESTORE: u8 = 6;
    pub(super) const INSTALL: u8 = 7;
    pub(super) const FLIP: u8 = 8;
}

impl State {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let mut seed = Seed::new(seed);
        // Files of different disks have different numbers, as they have on devices.
        let next_inode = (seed.below("disk", 1 << 31) << 32) + 1;
        Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            names_under_way: Vec::new(),
            next_inode,
            boot: 0,
            is_on: true,
            lies: false,
            operations: 0,
            faults: Faults::default(),
            digest: Digest::default(),
            used: 0,
            seed,
            living: BTreeMap::new(),
        }
    }

    pub(super) fn check_power(&self) -> Result<(), DiskError> {
        if self.is_on { Ok(()) } else { Err(DiskError::Off) }
    }

    pub(super) fn file(&mut self, handle: FileHandle) -> Result<&mut File, DiskError> {
        self.check_power()?;
        if handle.boot != self.boot {
            return Err(DiskError::Off);
        }
        self.files.get_mut(&handle.inode).ok_or(DiskError::Off)
    }

    pub(super) fn create(&mut self) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.files.insert(inode, File::default());
        inode
    }

    pub(super) fn handle(&mut self, inode: u64) -> FileHandle {
        if let Some(file) = self.files.get_mut(&inode) {
            file.users += 1;
        }
        FileHandle { inode, boot: self.boot }
    }

    pub(super) fn close(&mut self, handle: FileHandle) {
        if handle.boot != self.boot {
            return;
        }
        if let Some(file) = self.files.get_mut(&handle.inode) {
            file.users = file.users.saturating_sub(1);
            self.forget_if_unused(handle.inode);
        }
    }

    pub(super) fn write(&mut self, handle: FileHandle, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        let number = self.step_on(handle)?;
        self.faults.count(OperationKind::Write)?;
        let file = self.file(handle)?;
        let (len, is_named) = (file.len(), file.is_named);
        self.take_room(len, len.max(at + bytes.len()), is_named)?;
        self.digest.take(kind::WRITE, handle.inode, at as u64, bytes);
        self.file(handle)?.write(number, at, bytes);
        Ok(())
    }

    pub(super) fn resize(&mut self, handle: FileHandle, len: usize) -> Result<(), DiskError> {
        let number = self.step_on(handle)?;
        self.faults.count(OperationKind::Write)?;
        let file = self.file(handle)?;
        let (before, is_named) = (file.len(), file.is_named);
        self.take_room(before, len, is_named)?;
        self.digest.take(kind::RESIZE, handle.inode, len as u64, &[]);
        self.file(handle)?.resize(number, len);
        Ok(())
    }

    pub(super) fn sync(&mut self, handle: FileHandle) -> Result<(), DiskError> {
        self.step_on(handle)?;
        self.faults.count(OperationKind::Sync)?;
        self.digest.take(kind::SYNC, handle.inode, 0, &[]);
        if !self.lies {
            self.file(handle)?.make_durable();
        }
        Ok(())
    }

    pub(super) fn sync_names(&mut self) -> Result<(), DiskError> {
        let concerns_side = self.names_under_way.iter().any(|change| is_side(&change.name));
        self.step(|_| concerns_side.then_some(CutPoint::InSideFile))?;
        self.faults.count(OperationKind::Sync)?;
        self.digest.take(kind::SYNC_NAMES, 0, 0, &[]);
        if !self.lies {
            for change in std::mem::take(&mut self.names_under_way) {
                change.before.into_iter().chain(change.after).for_each(|inode| self.forget_if_unused(inode));
            }
        }
        Ok(())
    }

    /// Lets names stand for other files, in one operation.
    pub(super) fn set_names(&mut self, changes: &[(&str, Option<u64>)]) -> Result<(), DiskError> {
        let concerns_side = changes.iter().any(|(name, _)| is_side(name));
        let number = self.step(|_| concerns_side.then_some(CutPoint::InSideFile))?;
        for (name, after) in changes {
            self.digest.take(kind::NAME, after.unwrap_or(0), 0, name.as_bytes());
            let before = set_name(&mut self.names, name, *after);
            self.names_under_way.push(NameChange { number, name: (*name).to_owned(), before, after: *after });
        }
        for change in self.names_under_way.iter().filter(|change| change.number == number) {
            for inode in change.before.iter().chain(&change.after) {
                let is_named = self.names.values().any(|named| named == inode);
                let Some(file) = self.files.get_mut(inode) else { continue };
                match (file.is_named, is_named) {
                    (false, true) => self.used += file.len() as u64,
                    (true, false) => self.used -= file.len() as u64,
                    (false, false) | (true, true) => {}
                }
                file.is_named = is_named;
            }
        }
        Ok(())
    }

    /// Counts an operation on a file that changes something; the power may go here.
    fn step_on(&mut self, handle: FileHandle) -> Result<u64, DiskError> {
        self.file(handle)?;
        self.step(|state| state.point_of(handle.inode))
    }

    fn step(&mut self, point: impl FnOnce(&Self) -> Option<CutPoint>) -> Result<u64, DiskError> {
        self.check_power()?;
        self.operations += 1;
        let point = if self.faults.waits_for_points() { point(self) } else { None };
        if self.faults.cuts(self.operations, point) {
            self.is_on = false;
            return Err(DiskError::Off);
        }
        Ok(self.operations)
    }

    fn point_of(&self, inode: u64) -> Option<CutPoint> {
        let (name, _) = self.names.iter().find(|(_, named)| **named == inode)?;
        if is_side(name) {
            return Some(CutPoint::InSideFile);
        }
        let log = self.names.get(&format!("{name}-wal")).and_then(|inode| self.files.get(inode))?;
        (log.len() > 0).then_some(CutPoint::InCheckpoint)
    }

    fn take_room(&mut self, before: usize, after: usize, is_named: bool) -> Result<(), DiskError> {
        if !is_named {
            return Ok(());
        }
        let used = self.used - before as u64 + after as u64;
        if after > before && self.faults.room.is_some_and(|room| used > room) {
            return Err(DiskError::Full);
        }
        self.used = used;
        Ok(())
    }

    /// A file goes when nobody can reach it any more, also not after a power cut.
    fn forget_if_unused(&mut self, inode: u64) {
        let is_open = self.files.get(&inode).is_some_and(|file| file.users > 0 || file.is_named);
        let may_return =
            || self.names_under_way.iter().any(|change| [change.before, change.after].contains(&Some(inode)));
        if !is_open && !may_return() {
            self.files.remove(&inode);
        }
    }

    /// Decides what the medium holds, and turns the power on.
    pub(super) fn restore(&mut self, survival: Survival) {
        match survival {
            Survival::Everything => {}
            Survival::Nothing => self.undo_from(0, |_, _| ()),
            Survival::Prefix => {
                let first_lost = self.first_lost();
                self.undo_from(first_lost, |_, _| ());
            }
            Survival::Subset => self.keep_some(),
        }
        self.files.values_mut().for_each(File::make_durable);
        self.names_under_way.clear();
        self.digest.take(kind::RESTORE, survival as u64, self.boot, &[]);
        self.start_anew();
    }

    /// Numbers of everything under way, rising.
    fn under_way(&self) -> BTreeSet<u64> {
        let files = self.files.values().flat_map(File::under_way);
        files.chain(self.names_under_way.iter().map(|change| change.number)).collect()
    }

    fn first_lost(&mut self) -> u64 {
        let under_way = self.under_way();
        let kept = self.seed.below("prefix", under_way.len() as u64 + 1) as usize;
        under_way.into_iter().nth(kept).unwrap_or(u64::MAX)
    }

    /// Takes operations back, newest first of each file and of the names.
    fn undo_from(&mut self, number: u64, mut undone: impl FnMut(u64, Undone)) {
        for (inode, file) in &mut self.files {
            file.undo_from(number, |number, redo| undone(number, Undone::Bytes(*inode, redo)));
        }
        while let Some(change) = self.names_under_way.pop_if(|change| change.number >= number) {
            set_name(&mut self.names, &change.name, change.before);
            undone(change.number, Undone::Name(change.name, change.after));
        }
    }

    /// Takes everything back and does some of it again, in the order in which it was done.
    fn keep_some(&mut self) {
        let mut by_number: BTreeMap<u64, Vec<Undone>> = BTreeMap::new();
        self.undo_from(0, |number, undone| by_number.entry(number).or_default().push(undone));
        for of_one in by_number.into_values() {
            let mut names = Vec::new();
            for undone in of_one {
                match undone {
                    Undone::Name(name, inode) => names.push((name, inode)),
                    Undone::Bytes(inode, redo) => {
                        if let Some(file) = self.files.get_mut(&inode) {
                            file.redo(&redo, || coin(&mut self.seed));
                        }
                    }
                }
            }
            if !names.is_empty() && coin(&mut self.seed) {
                for (name, inode) in &names {
                    set_name(&mut self.names, name, *inode);
                }
            }
        }
    }

    /// What is on the disk is there; who had it open, is not.
    fn start_anew(&mut self) {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|inode, _| named.contains(inode));
        for file in self.files.values_mut() {
            file.users = 0;
            file.is_named = true;
        }
        self.used = self.files.values().map(|file| file.len() as u64).sum();
        self.living.clear();
        self.boot += 1;
        self.is_on = true;
        self.faults.clear_cuts();
    }

    pub(super) fn copy(&self) -> Image {
        let bytes = |inode| self.files.get(inode).map(File::bytes).unwrap_or_default();
        Image::new(self.names.iter().map(|(name, inode)| (name.as_str(), bytes(inode))))
    }

    pub(super) fn install(&mut self, image: &Image, keep_side: bool) {
        self.files.clear();
        self.names.clear();
        self.names_under_way.clear();
        for (name, bytes) in image.files().filter(|(name, _)| keep_side || !is_side(name)) {
            let inode = self.create();
            self.files.insert(inode, File::durable(bytes.to_vec()));
            self.names.insert(name.to_owned(), inode);
            self.digest.take(kind::INSTALL, inode, 0, bytes);
        }
        self.start_anew();
    }

    pub(super) fn flip_bits(&mut self, name: &str, flips: u32) -> usize {
        let Some(inode) = self.names.get(name) else { return 0 };
        let Some(file) = self.files.get_mut(inode) else { return 0 };
        let bits = file.len() as u64 * 8;
        let mut places = BTreeSet::new();
        while (places.len() as u64) < u64::from(flips).min(bits) {
            places.insert(self.seed.below("flip", bits));
        }
        for place in &places {
            file.flip((place / 8) as usize, 1 << (place % 8));
            self.digest.take(kind::FLIP, *inode, *place, &[]);
        }
        places.len()
    }
}

/// What was taken back.
enum Undone {
    Bytes(u64, Redo),
    Name(String, Option<u64>),
}

fn coin(seed: &mut Seed) -> bool {
    seed.below("sector", 2) == 0
}

/// Gives what the name stood for before.
fn set_name(names: &mut BTreeMap<String, u64>, name: &str, inode: Option<u64>) -> Option<u64> {
    match inode {
        Some(inode) => names.insert(name.to_owned(), inode),
        None => names.remove(name),
    }
}
