//! A disk in memory that forgets what was not synced when its power is cut.
//!
//! A file has one image: what a reader sees now. Beside it stands a list of the operations under way, each with
//! what it overwrote; a sync of the file forgets the list. Names are kept likewise, and become durable when
//! their folder is synced. When the power comes back, [`Survival`] says which of the operations under way had
//! reached the medium; the others are taken back. A sector either had reached it or had not.
//!
//! Between a cut and the return of power every operation fails, and handles from before the cut
//! fail for good: what a dying process still does must not change what it left.
//!
//! Disks also fail without a power cut: single operations ([`Disk::fail`]), want of room ([`Disk::limit`]),
//! syncs that do nothing ([`Disk::lie_about_syncs`]), bits that flip ([`Disk::flip_bits`]). A failed operation
//! has done nothing, and what a failed sync was to make durable stays under way.

mod digest;
mod fault;
mod file;
mod image;
mod state;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

pub use fault::CutPoint;
pub use image::Image;
use state::State;

use crate::schedule::OperationKind;

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
    /// The disk failed this one time.
    #[error("the disk failed")]
    Io,
    /// There is no room for so many bytes.
    #[error("the disk is full")]
    Full,
}

impl From<DiskError> for std::io::Error {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Off | DiskError::Io => Self::other(error),
            DiskError::Missing => Self::new(std::io::ErrorKind::NotFound, error),
            DiskError::Full => Self::new(std::io::ErrorKind::StorageFull, error),
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
    /// Tells the file from every other that this disk ever had; a copy has another number, and files of other
    /// disks have others.
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

/// Which processes have a store open, as locks of the operating system tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living {
    pub(crate) present: BTreeSet<u64>,
    pub(crate) agreed: String,
    pub(crate) sessions: Option<u64>,
}

/// Its files, as processes use them.
impl Disk {
    /// An empty disk with power. The seed decides what survives a cut, and everything else that is left open.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the disk")
    }

    /// Opens a file, making it if `create` says so.
    pub fn open(&self, name: &str, create: bool) -> Result<FileHandle, DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        match state.names.get(name).copied() {
            Some(inode) => Ok(state.handle(inode)),
            None if create => {
                let inode = state.create();
                let named = state.set_names(&[(name, Some(inode))]);
                let handle = state.handle(inode);
                if named.is_err() {
                    state.close(handle);
                }
                named.map(|()| handle)
            }
            None => Err(DiskError::Missing),
        }
    }

    /// A file without a name: it is gone when it is closed or the power goes.
    pub fn open_unnamed(&self) -> Result<FileHandle, DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        let inode = state.create();
        Ok(state.handle(inode))
    }

    /// Ends the use of a file, once for every time it was opened. The bytes of one that was removed go then; a
    /// handle that is not closed does no other harm.
    pub fn close(&self, file: FileHandle) {
        self.lock().close(file);
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
        state.set_names(&[(name, None)])
    }

    /// Gives a file another name, in place of a file that has it, in one operation.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.lock();
        state.check_power()?;
        let inode = state.names.get(from).copied().ok_or(DiskError::Missing)?;
        state.set_names(&[(to, Some(inode)), (from, None)])
    }

    /// Makes names durable.
    pub fn sync_names(&self) -> Result<(), DiskError> {
        self.lock().sync_names()
    }

    /// Bytes of a file.
    pub fn len(&self, file: FileHandle) -> Result<usize, DiskError> {
        Ok(self.lock().file(file)?.len())
    }

    /// Reads; gives how many bytes there were.
    pub fn read(&self, file: FileHandle, at: usize, into: &mut [u8]) -> Result<usize, DiskError> {
        let mut state = self.lock();
        state.file(file)?;
        state.faults.count(OperationKind::Read)?;
        let bytes = state.file(file)?.bytes().get(at..).unwrap_or_default();
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Writes; a gap before it reads as zeros.
    pub fn write(&self, file: FileHandle, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        self.lock().write(file, at, bytes)
    }

    /// Cuts a file off, or extends it with zeros.
    pub fn resize(&self, file: FileHandle, len: usize) -> Result<(), DiskError> {
        self.lock().resize(file, len)
    }

    /// Makes a file's bytes durable, and not its name.
    pub fn sync(&self, file: FileHandle) -> Result<(), DiskError> {
        self.lock().sync(file)
    }

    /// Looks at, or changes, who has a store open. Locks are no file and end with the power.
    pub(crate) fn living<T>(&self, name: &str, act: impl FnOnce(&mut Living) -> T) -> T {
        let mut state = self.lock();
        match state.living.get_mut(name) {
            Some(living) => act(living),
            None => act(state.living.entry(name.to_owned()).or_default()),
        }
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

/// Its power.
impl Disk {
    /// Cuts the power now.
    pub fn cut_power(&self) {
        self.lock().is_on = false;
    }

    /// Cuts the power at the n-th operation from now that changes something; that one fails.
    pub fn cut_power_after(&self, operations: u64) {
        let mut state = self.lock();
        state.faults.cut_at = Some(state.operations + operations.max(1));
    }

    /// Cuts the power the next time that a store comes to a point: at one of the first eight writes of a
    /// checkpoint, or of the first four operations on side files, counted on where there are fewer; that one
    /// fails.
    pub fn cut_power_at(&self, point: CutPoint) {
        let mut state = self.lock();
        let most = match point {
            CutPoint::InCheckpoint => 8,
            CutPoint::InSideFile => 4,
        };
        let nth = 1 + state.seed.below("point", most);
        state.faults.cut_at_point(point, nth);
    }

    /// Forgets the cuts that were to come. So does the return of power.
    pub fn clear_cuts(&self) {
        self.lock().faults.clear_cuts();
    }

    /// From now on this seed decides what is left open.
    pub fn reseed(&self, seed: [u8; 32]) {
        self.lock().seed = syncline_engine::Seed::new(seed);
    }

    /// Whether there is power.
    pub fn is_on(&self) -> bool {
        self.lock().is_on
    }

    /// Cuts the power if it is on, decides what survived, and turns the power on.
    pub fn restore_power(&self, survival: Survival) {
        self.lock().restore(survival);
    }
}

/// Its faults.
impl Disk {
    /// Makes the n-th operation of a kind from now fail, once. Several may be waiting; they also wait through
    /// power cuts.
    pub fn fail(&self, kind: OperationKind, nth: u64) {
        self.lock().faults.fail(kind, nth);
    }

    /// How many operations failed so far because [`Disk::fail`] said so.
    pub fn faults_fired(&self) -> u64 {
        self.lock().faults.fired
    }

    /// Forgets the operations that were to fail.
    pub fn clear_faults(&self) {
        self.lock().faults.clear_errors();
    }

    /// Lets files grow by so many bytes in all, and no further; what is cut off or removed gives room back.
    /// `None` is room without end.
    pub fn limit(&self, free_bytes: Option<u64>) {
        let mut state = self.lock();
        state.faults.room = free_bytes.map(|free| state.used.saturating_add(free));
    }

    /// Makes syncs report success and do nothing, as broken disks do.
    pub fn lie_about_syncs(&self, lies: bool) {
        self.lock().lies = lies;
    }

    /// Flips so many bits of a file, on the medium and as readers see it; which ones, the seed says. Gives how
    /// many: fewer if there is no such file or it has not so many.
    pub fn flip_bits(&self, name: &str, flips: u32) -> usize {
        self.lock().flip_bits(name, flips)
    }
}

/// Copies of it, and what is known about it.
impl Disk {
    /// Copies all files as readers see them, as a backup of a running system does.
    pub fn copy(&self) -> Image {
        self.lock().copy()
    }

    /// Ends whatever has files open, as a power cut does, and puts a copy, durably, in the place of all files.
    /// They are new files, also if the copy is of this disk. The copy's side files come along only if
    /// `keep_side` says so.
    pub fn install(&self, image: &Image, keep_side: bool) {
        self.lock().install(image, keep_side);
    }

    /// Operations so far that changed something, or were to.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// A hash over every operation so far that changed something: what, where and which bytes.
    pub fn digest(&self) -> u64 {
        self.lock().digest.value()
    }

    /// Bytes of all files that have a name.
    pub fn bytes(&self) -> u64 {
        self.lock().used
    }
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

    fn filled(name: &str, bytes: &[u8]) -> (Disk, FileHandle) {
        let disk = Disk::new([5; 32]);
        let file = disk.open(name, true).unwrap();
        disk.write(file, 0, bytes).unwrap();
        disk.sync(file).unwrap();
        disk.sync_names().unwrap();
        (disk, file)
    }

    /// Any operations, on a disk and on a model of it that keeps every operation and both images.
    #[test]
    fn what_a_cut_leaves_is_the_synced_operations_and_those_before_some_point() {
        for seed in 0..300 {
            let mut dice = syncline_engine::Seed::new([seed as u8; 32]);
            let disk = Disk::new([(seed / 2) as u8; 32]);
            let file = disk.open("a", true).unwrap();
            disk.sync_names().unwrap();
            let mut images = vec![Vec::new()];
            for _ in 0..dice.below("length", 30) {
                let mut image: Vec<u8> = images.last().unwrap().clone();
                let at = dice.below("at", 3000) as usize;
                match dice.below("what", 8) {
                    0 => {
                        disk.sync(file).unwrap();
                        images = vec![image];
                        continue;
                    }
                    1 => {
                        disk.resize(file, at).unwrap();
                        image.resize(at, 0);
                    }
                    _ => {
                        let bytes = vec![dice.below("byte", 256) as u8; dice.below("len", 1500) as usize];
                        disk.write(file, at, &bytes).unwrap();
                        image.resize(image.len().max(at + bytes.len()), 0);
                        image[at..at + bytes.len()].copy_from_slice(&bytes);
                    }
                }
                images.push(image);
            }
            assert_eq!(content(&disk, "a").as_ref(), images.last());
            let survival = Survival::ALL[(seed % 3) as usize];
            disk.restore_power(survival);
            let after = content(&disk, "a").unwrap();
            match survival {
                Survival::Everything => assert_eq!(Some(&after), images.last()),
                Survival::Nothing => assert_eq!(Some(&after), images.first()),
                Survival::Prefix | Survival::Subset => assert!(images.contains(&after), "seed {seed}"),
            }
            assert_eq!(disk.bytes(), after.len() as u64);
        }
    }

    #[test]
    fn files_of_a_prefix_stand_at_one_point_in_time() {
        for seed in 0..100 {
            let disk = Disk::new([seed; 32]);
            let (a, b) = (disk.open("a", true).unwrap(), disk.open("b", true).unwrap());
            disk.sync_names().unwrap();
            for round in 1..=20 {
                disk.write(a, 0, &[round]).unwrap();
                disk.write(b, 0, &[round]).unwrap();
            }
            disk.restore_power(Survival::Prefix);
            let first = |name| content(&disk, name).unwrap().first().copied().unwrap_or(0);
            assert!(first("a") == first("b") || first("a") == first("b") + 1, "{} {}", first("a"), first("b"));
        }
    }

    #[test]
    fn one_operation_of_a_kind_fails_and_has_done_nothing() {
        let (disk, file) = filled("a", b"old");
        disk.fail(OperationKind::Write, 2);
        disk.fail(OperationKind::Sync, 1);
        disk.fail(OperationKind::Read, 1);
        disk.write(file, 0, b"n").unwrap();
        assert_eq!(disk.write(file, 1, b"e"), Err(DiskError::Io));
        assert_eq!(disk.sync(file), Err(DiskError::Io));
        assert_eq!(disk.read(file, 0, &mut [0]), Err(DiskError::Io));
        assert_eq!(disk.faults_fired(), 3);
        assert_eq!(content(&disk, "a").unwrap(), b"nld");
        disk.sync(file).unwrap();
        disk.restore_power(Survival::Nothing);
        assert_eq!(content(&disk, "a").unwrap(), b"nld");
    }

    #[test]
    fn a_full_disk_takes_what_needs_no_room_and_more_once_something_is_gone() {
        let (disk, file) = filled("a", &[1; 100]);
        let other = disk.open("b", true).unwrap();
        disk.limit(Some(10));
        disk.write(other, 0, &[2; 10]).unwrap();
        assert_eq!(disk.write(other, 10, &[2]), Err(DiskError::Full));
        assert_eq!(disk.resize(other, 11), Err(DiskError::Full));
        disk.write(file, 50, &[3; 50]).unwrap();
        disk.resize(file, 99).unwrap();
        disk.write(other, 10, &[2]).unwrap();
        disk.remove("a").unwrap();
        disk.write(other, 0, &[4; 110]).unwrap();
        assert_eq!(disk.bytes(), 110);
        assert_eq!(disk.write(other, 110, &[4]), Err(DiskError::Full));
        disk.limit(None);
        disk.write(other, 110, &[4]).unwrap();
    }

    #[test]
    fn flipped_bits_are_flipped_for_readers_and_on_the_medium() {
        let (disk, file) = filled("a", &[0; 1000]);
        disk.write(file, 0, &[0; 600]).unwrap();
        assert_eq!(disk.flip_bits("a", 40), 40);
        assert_eq!(disk.flip_bits("b", 40), 0);
        let ones = |disk: &Disk| content(disk, "a").unwrap().iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert_eq!(ones(&disk), 40);
        disk.restore_power(Survival::Nothing);
        assert_eq!(ones(&disk), 40);
    }

    #[test]
    fn power_goes_in_a_checkpoint_only_while_there_is_a_log_to_carry_over() {
        let (disk, file) = filled("db", b"page");
        disk.cut_power_at(CutPoint::InCheckpoint);
        (0..20).for_each(|_| disk.write(file, 0, b"page").unwrap());
        let log = disk.open("db-wal", true).unwrap();
        (0..20).for_each(|_| disk.write(log, 0, b"frame").unwrap());
        let written = (0..20).take_while(|_| disk.write(file, 0, b"page").is_ok()).count();
        assert!(written < 8 && !disk.is_on(), "{written}");
    }

    #[test]
    fn power_goes_while_the_side_file_is_renewed_unless_the_cut_is_called_off() {
        for seed in 0..20 {
            let disk = Disk::new([seed; 32]);
            let renew = || {
                let draft = disk.open("db-replica.new", true)?;
                disk.write(draft, 0, b"proof")?;
                disk.sync(draft)?;
                disk.rename("db-replica.new", "db-replica")?;
                disk.sync_names()
            };
            disk.cut_power_at(CutPoint::InSideFile);
            disk.clear_cuts();
            renew().unwrap();
            disk.cut_power_at(CutPoint::InSideFile);
            assert_eq!(renew(), Err(DiskError::Off));
        }
    }

    #[test]
    fn a_copy_comes_to_life_on_another_disk_as_new_files_without_side_files() {
        let (disk, file) = filled("db", b"page");
        for name in ["db-wal", "db-replica"] {
            let beside = disk.open(name, true).unwrap();
            disk.write(beside, 0, b"beside").unwrap();
        }
        let image = disk.copy();
        let names = |image: &Image| image.files().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&image), ["db", "db-wal", "db-replica"]);
        assert_eq!(names(&image.clone().without_wal()), ["db", "db-replica"]);
        let other = Disk::new([9; 32]);
        other.install(&image, false);
        other.restore_power(Survival::Nothing);
        assert_eq!(names(&other.copy()), ["db", "db-wal"]);
        assert_ne!(other.open("db", false).unwrap().inode(), file.inode());
        disk.install(&image, true);
        assert_eq!(disk.read(file, 0, &mut [0]), Err(DiskError::Off));
        assert_ne!(disk.open("db", false).unwrap().inode(), file.inode());
        assert_eq!(disk.copy(), image);
    }

    #[test]
    fn a_removed_file_goes_once_nobody_has_it_open_and_no_cut_can_bring_it_back() {
        let (disk, file) = filled("a", &[1; 100]);
        let files = |disk: &Disk| disk.lock().files.len();
        disk.remove("a").unwrap();
        assert_eq!((disk.bytes(), files(&disk)), (0, 1));
        disk.sync_names().unwrap();
        disk.read(file, 0, &mut [0]).unwrap();
        disk.close(file);
        assert_eq!(files(&disk), 0);
    }

    #[test]
    fn equal_operations_give_equal_digests_and_other_bytes_others() {
        let of = |bytes: &[u8]| filled("a", bytes).0.digest();
        assert_eq!(of(b"page"), of(b"page"));
        assert_ne!(of(b"page"), of(b"pagf"));
    }
}
