//! A disk in memory that forgets what was not synced when its power is cut.
//!
//! Files have two images: what a reader sees now, and what the medium holds. A write goes to the
//! first and into a list of operations under way; a sync of the file carries its operations over
//! to the second. Names are kept likewise, and become durable when their folder is synced. When
//! the power comes back, [`Survival`] says which of the operations under way had reached the
//! medium; a sector either did or did not.
//!
//! Between a cut and the return of power every operation fails, and handles from before the cut
//! fail for good: what a dying process still does must not change what it left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use syncline_engine::Seed;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Which operations under way had reached the medium when the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Survival {
    /// All: only the process ended.
    Everything,
    /// None.
    Nothing,
    /// Those before some point in time, as on a disk that keeps the order.
    Prefix,
    /// Any, sector by sector, as on a disk that does not.
    Subset,
}

impl Survival {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Everything, Self::Nothing, Self::Prefix, Self::Subset];
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// The power is off, or was since the file was opened.
    #[error("the disk has no power")]
    Off,
    /// There is no file of that name.
    #[error("there is no such file")]
    Missing,
}

impl From<DiskError> for std::io::Error {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Off => Self::other(error),
            DiskError::Missing => Self::new(std::io::ErrorKind::NotFound, error),
        }
    }
}

/// An open file. It is worth nothing after the power was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileHandle {
    inode: u64,
    boot: u64,
}

impl FileHandle {
    /// Tells the file from every other that this disk ever had; a copy has another number.
    pub fn inode(self) -> u64 {
        self.inode
    }

    /// How often the power had come back when the file was opened.
    pub fn boot(self) -> u64 {
        self.boot
    }
}

/// A disk. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<u64, File>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    under_way: Vec<Operation>,
    next_inode: u64,
    boot: u64,
    is_on: bool,
    lies: bool,
    operations: u64,
    cut_at: Option<u64>,
    seed: Seed,
    living: BTreeMap<String, Living>,
}

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
}

/// Something that the medium may not have yet.
#[derive(Clone, Debug)]
enum Operation {
    Write { inode: u64, at: usize, bytes: Vec<u8> },
    Resize { inode: u64, len: usize },
    Name { name: String, inode: Option<u64> },
}

/// Which processes have a store open, as locks of the operating system tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living {
    pub(crate) present: BTreeSet<u64>,
    pub(crate) agreed: String,
    pub(crate) sessions: Option<u64>,
}

impl Disk {
    /// An empty disk with power. The seed decides what survives a cut.
    pub fn new(seed: [u8; 32]) -> Self {
        let state = State {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            under_way: Vec::new(),
            next_inode: 1,
            boot: 0,
            is_on: true,
            lies: false,
            operations: 0,
            cut_at: None,
            seed: Seed::new(seed),
            living: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the disk")
    }

    /// Cuts the power now.
    pub fn cut_power(&self) {
        self.lock().is_on = false;
    }

    /// Cuts the power at the n-th operation from now that changes something; that one fails.
    pub fn cut_power_after(&self, operations: u64) {
        let mut state = self.lock();
        state.cut_at = Some(state.operations + operations.max(1));
    }

    /// Whether there is power.
    pub fn is_on(&self) -> bool {
        self.lock().is_on
    }

    /// Operations so far that changed something.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Makes syncs report success and do nothing, as broken disks do.
    pub fn lie_about_syncs(&self, lies: bool) {
        self.lock().lies = lies;
    }

    /// Cuts the power if it is on, decides what survived, and turns the power on.
    pub fn restore_power(&self, survival: Survival) {
        self.lock().restore(survival);
    }

    /// Opens a file, making it if `create` says so.
    pub fn open(&self, name: &str, create: bool) -> Result<FileHandle, DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        let boot = state.boot;
        match state.names.get(name) {
            Some(inode) => Ok(FileHandle { inode: *inode, boot }),
            None if create => {
                let handle = state.create();
                state.operate(Operation::Name { name: name.to_owned(), inode: Some(handle.inode) })?;
                Ok(handle)
            }
            None => Err(DiskError::Missing),
        }
    }

    /// A file without a name: it is gone when the power is.
    pub fn open_unnamed(&self) -> Result<FileHandle, DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        Ok(state.create())
    }

    /// Whether a file of that name exists.
    pub fn exists(&self, name: &str) -> Result<bool, DiskError> {
        let state = self.lock();
        state.check_power()?;
        Ok(state.names.contains_key(name))
    }

    /// Removes a name. Whoever has the file open keeps it.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        if !state.names.contains_key(name) {
            return Err(DiskError::Missing);
        }
        state.operate(Operation::Name { name: name.to_owned(), inode: None })
    }

    /// Gives a file another name, in place of a file that has it.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        let inode = state.names.get(from).copied().ok_or(DiskError::Missing)?;
        state.operate(Operation::Name { name: to.to_owned(), inode: Some(inode) })?;
        state.operate(Operation::Name { name: from.to_owned(), inode: None })
    }

    /// Makes names durable.
    pub fn sync_names(&self) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.count()?;
        if !state.lies {
            let (done, under_way) =
                state.under_way.drain(..).partition(|operation| matches!(operation, Operation::Name { .. }));
            state.under_way = under_way;
            let done: Vec<Operation> = done;
            done.iter().for_each(|operation| state.make_durable(operation));
        }
        Ok(())
    }

    /// Bytes of a file.
    pub fn len(&self, file: FileHandle) -> Result<usize, DiskError> {
        Ok(self.lock().file(file)?.now.len())
    }

    /// Reads; gives how many bytes there were.
    pub fn read(&self, file: FileHandle, at: usize, into: &mut [u8]) -> Result<usize, DiskError> {
        let mut state = self.lock();
        let bytes = state.file(file)?.now.get(at..).unwrap_or_default();
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Writes; a gap before it reads as zeros.
    pub fn write(&self, file: FileHandle, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.file(file)?;
        state.operate(Operation::Write { inode: file.inode, at, bytes: bytes.to_vec() })
    }

    /// Cuts a file off, or extends it with zeros.
    pub fn resize(&self, file: FileHandle, len: usize) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.file(file)?;
        state.operate(Operation::Resize { inode: file.inode, len })
    }

    /// Makes a file's bytes durable, and not its name.
    pub fn sync(&self, file: FileHandle) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.file(file)?;
        state.count()?;
        if !state.lies {
            let (done, under_way) =
                state.under_way.drain(..).partition(|operation| operation.inode() == Some(file.inode));
            state.under_way = under_way;
            let done: Vec<Operation> = done;
            done.iter().for_each(|operation| state.make_durable(operation));
        }
        Ok(())
    }

    /// Looks at, or changes, who has a store open. Locks are no file and end with the power.
    pub(crate) fn living<T>(&self, name: &str, act: impl FnOnce(&mut Living) -> T) -> T {
        act(self.lock().living.entry(name.to_owned()).or_default())
    }

    /// Tells this disk from others for as long as anyone holds it.
    pub(crate) fn number(&self) -> usize {
        Arc::as_ptr(&self.state).addr()
    }

    /// How often the power has come back.
    pub(crate) fn boot(&self) -> u64 {
        self.lock().boot
    }
}

impl Operation {
    /// The file whose bytes it changes.
    fn inode(&self) -> Option<u64> {
        match self {
            Self::Write { inode, .. } | Self::Resize { inode, .. } => Some(*inode),
            Self::Name { .. } => None,
        }
    }
}

impl State {
    fn check_power(&self) -> Result<(), DiskError> {
        if self.is_on { Ok(()) } else { Err(DiskError::Off) }
    }

    fn file(&mut self, handle: FileHandle) -> Result<&mut File, DiskError> {
        self.check_power()?;
        if handle.boot != self.boot {
            return Err(DiskError::Off);
        }
        self.files.get_mut(&handle.inode).ok_or(DiskError::Off)
    }

    fn create(&mut self) -> FileHandle {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.files.insert(inode, File::default());
        FileHandle { inode, boot: self.boot }
    }

    /// Counts an operation that changes something; the power may go here.
    fn count(&mut self) -> Result<(), DiskError> {
        self.check_power()?;
        self.operations += 1;
        if self.cut_at.is_some_and(|at| self.operations >= at) {
            self.is_on = false;
            return Err(DiskError::Off);
        }
        Ok(())
    }

    fn operate(&mut self, operation: Operation) -> Result<(), DiskError> {
        self.count()?;
        match &operation {
            Operation::Name { name, inode } => set_name(&mut self.names, name, *inode),
            Operation::Write { inode, at, bytes } => {
                if let Some(file) = self.files.get_mut(inode) {
                    write(&mut file.now, *at, bytes);
                }
            }
            Operation::Resize { inode, len } => {
                if let Some(file) = self.files.get_mut(inode) {
                    file.now.resize(*len, 0);
                }
            }
        }
        self.under_way.push(operation);
        Ok(())
    }

    fn make_durable(&mut self, operation: &Operation) {
        match operation {
            Operation::Name { name, inode } => set_name(&mut self.durable_names, name, *inode),
            Operation::Write { inode, at, bytes } => {
                if let Some(file) = self.files.get_mut(inode) {
                    write(&mut file.durable, *at, bytes);
                }
            }
            Operation::Resize { inode, len } => {
                if let Some(file) = self.files.get_mut(inode) {
                    file.durable.resize(*len, 0);
                }
            }
        }
    }

    fn restore(&mut self, survival: Survival) {
        let under_way = std::mem::take(&mut self.under_way);
        let kept = match survival {
            Survival::Nothing => 0,
            Survival::Prefix => self.seed.below("prefix", under_way.len() as u64 + 1) as usize,
            Survival::Everything | Survival::Subset => under_way.len(),
        };
        for operation in &under_way[..kept] {
            match survival {
                Survival::Subset => self.make_partly_durable(operation),
                Survival::Everything | Survival::Prefix | Survival::Nothing => self.make_durable(operation),
            }
        }
        self.names = self.durable_names.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|inode, _| named.contains(inode));
        for file in self.files.values_mut() {
            file.now = file.durable.clone();
        }
        self.living.clear();
        self.boot += 1;
        self.is_on = true;
        self.cut_at = None;
    }

    fn make_partly_durable(&mut self, operation: &Operation) {
        let Operation::Write { inode, at, bytes } = operation else {
            if self.coin() {
                self.make_durable(operation);
            }
            return;
        };
        let mut from = 0;
        while from < bytes.len() {
            let to_border = SECTOR_BYTES - (at + from) % SECTOR_BYTES;
            let to = (from + to_border).min(bytes.len());
            if self.coin() {
                let sector = bytes[from..to].to_vec();
                self.make_durable(&Operation::Write { inode: *inode, at: at + from, bytes: sector });
            }
            from = to;
        }
    }

    fn coin(&mut self) -> bool {
        self.seed.below("sector", 2) == 0
    }
}

fn set_name(names: &mut BTreeMap<String, u64>, name: &str, inode: Option<u64>) {
    match inode {
        Some(inode) => names.insert(name.to_owned(), inode),
        None => names.remove(name),
    };
}

fn write(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
        let file = disk.open(name, false).ok()?;
        let mut bytes = vec![0; disk.len(file).unwrap()];
        disk.read(file, 0, &mut bytes).unwrap();
        Some(bytes)
    }

    fn disk_with_one_synced_file() -> (Disk, FileHandle) {
        let disk = Disk::new([3; 32]);
        let file = disk.open("a", true).unwrap();
        disk.write(file, 0, &[1; 2000]).unwrap();
        disk.sync(file).unwrap();
        disk.sync_names().unwrap();
        (disk, file)
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_does_not() {
        let (disk, file) = disk_with_one_synced_file();
        disk.write(file, 0, &[2; 10]).unwrap();
        disk.resize(file, 5).unwrap();
        disk.restore_power(Survival::Nothing);
        assert_eq!(content(&disk, "a"), Some(vec![1; 2000]));
    }

    #[test]
    fn the_end_of_a_process_loses_nothing() {
        let (disk, file) = disk_with_one_synced_file();
        disk.resize(file, 5).unwrap();
        disk.write(file, 7, &[2]).unwrap();
        disk.restore_power(Survival::Everything);
        assert_eq!(content(&disk, "a"), Some(vec![1, 1, 1, 1, 1, 0, 0, 2]));
    }

    #[test]
    fn a_name_is_lost_or_comes_back_unless_the_folder_was_synced() {
        let (disk, _) = disk_with_one_synced_file();
        let new = disk.open("b", true).unwrap();
        disk.write(new, 0, b"b").unwrap();
        disk.sync(new).unwrap();
        disk.remove("a").unwrap();
        assert!(!disk.exists("a").unwrap());
        disk.restore_power(Survival::Nothing);
        assert_eq!(content(&disk, "a"), Some(vec![1; 2000]));
        assert_eq!(content(&disk, "b"), None);
    }

    #[test]
    fn a_renamed_file_is_whole_under_one_of_its_names_after_any_cut() {
        for seed in 0..50 {
            let disk = Disk::new([seed; 32]);
            let old = disk.open("side", true).unwrap();
            disk.write(old, 0, b"old").unwrap();
            disk.sync(old).unwrap();
            disk.sync_names().unwrap();
            let draft = disk.open("side.new", true).unwrap();
            disk.write(draft, 0, b"new").unwrap();
            disk.sync(draft).unwrap();
            disk.rename("side.new", "side").unwrap();
            disk.restore_power(Survival::Subset);
            let side = content(&disk, "side").unwrap();
            assert!(side == b"old" || side == b"new", "{side:?}");
        }
    }

    #[test]
    fn sectors_survive_one_by_one_and_never_in_part() {
        let (disk, file) = disk_with_one_synced_file();
        disk.write(file, 100, &[2; 1900]).unwrap();
        disk.restore_power(Survival::Subset);
        let after = content(&disk, "a").unwrap();
        assert_eq!(&after[..100], &[1; 100]);
        let borders = [100, 512, 1024, 1536, 2000];
        for pair in borders.windows(2) {
            let sector = &after[pair[0]..pair[1]];
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
    }

    #[test]
    fn nothing_works_without_power_and_old_handles_never_again() {
        let (disk, file) = disk_with_one_synced_file();
        disk.cut_power_after(2);
        disk.write(file, 0, &[2]).unwrap();
        assert_eq!(disk.write(file, 0, &[3]), Err(DiskError::Off));
        assert!(!disk.is_on());
        assert_eq!(disk.open("a", true), Err(DiskError::Off));
        disk.restore_power(Survival::Everything);
        assert_eq!(disk.read(file, 0, &mut [0]), Err(DiskError::Off));
        assert_eq!(content(&disk, "a").unwrap()[0], 2);
    }

    #[test]
    fn a_lying_disk_forgets_what_it_said_was_safe() {
        let (disk, file) = disk_with_one_synced_file();
        disk.lie_about_syncs(true);
        disk.write(file, 0, &[2]).unwrap();
        disk.sync(file).unwrap();
        disk.restore_power(Survival::Nothing);
        assert_eq!(content(&disk, "a").unwrap()[0], 1);
    }
}
