//! Locks and shared memory of the connections to one file.
#![allow(unsafe_code, reason = "SQLite reads and writes shared memory through raw pointers")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use rusqlite::ffi::{SQLITE_LOCK_EXCLUSIVE, SQLITE_LOCK_NONE, SQLITE_LOCK_RESERVED, SQLITE_LOCK_SHARED};

/// Locks of shared memory that SQLite knows.
const SLOTS: usize = 8;

/// Which file: a disk, how often its power had come back, and the file's number.
pub(super) type Key = (usize, u64, u64);

/// The locks of every file that is open. Only opening and closing look here; a connection keeps what it found.
static OPEN: Mutex<BTreeMap<Key, Shared>> = Mutex::new(BTreeMap::new());

/// The locks of one file.
type Shared = Arc<Mutex<Sharing>>;

/// What the connections to one file share.
#[derive(Default)]
struct Sharing {
    mapped: usize,
    levels: BTreeMap<u64, c_int>,
    slots: [Slot; SLOTS],
    regions: Vec<Region>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    shared: u32,
    exclusive: bool,
}

/// A piece of shared memory at a fixed place.
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory belongs to the region, which is only made and freed under the lock of
// its file; its bytes are SQLite's, which orders access to them itself.
unsafe impl Send for Region {}

impl Region {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), 16).expect("SQLite asks for 32 KiB");
        // SAFETY: the layout has a size above 0.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, layout }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// One connection's share in the locks of a file.
pub(super) struct Claims {
    key: Key,
    file: Shared,
    me: u64,
    mapped: bool,
    shared: [bool; SLOTS],
    exclusive: [bool; SLOTS],
}

impl Claims {
    /// A connection without locks.
    pub(super) fn new(key: Key) -> Self {
        let file = Arc::clone(OPEN.lock().expect("nothing panics while it holds the locks").entry(key).or_default());
        let me = with(&file, |sharing| {
            // Free among those present: numbers are compared, never shown.
            (0..).find(|number| !sharing.levels.contains_key(number)).inspect(|number| {
                sharing.levels.insert(*number, SQLITE_LOCK_NONE);
            })
        });
        let me = me.expect("there are more numbers than connections");
        Self { key, file, me, mapped: false, shared: [false; SLOTS], exclusive: [false; SLOTS] }
    }

    /// Raises the file lock; false if another connection is in the way.
    pub(super) fn raise(&mut self, to: c_int) -> bool {
        let me = self.me;
        with(&self.file, |sharing| {
            let own = sharing.levels.get(&me).copied().unwrap_or(SQLITE_LOCK_NONE);
            let others = sharing.levels.iter().filter(|(id, _)| **id != me).map(|(_, level)| *level).max();
            let others = others.unwrap_or(SQLITE_LOCK_NONE);
            let free = match to {
                SQLITE_LOCK_NONE => true,
                SQLITE_LOCK_SHARED => others <= SQLITE_LOCK_RESERVED,
                SQLITE_LOCK_RESERVED => others < SQLITE_LOCK_RESERVED,
                _ => others == SQLITE_LOCK_NONE,
            };
            if own >= to || free {
                sharing.levels.insert(me, own.max(to));
            }
            own >= to || free
        })
    }

    /// Lowers the file lock.
    pub(super) fn lower(&mut self, to: c_int) {
        let me = self.me;
        with(&self.file, |sharing| {
            let level = sharing.levels.entry(me).or_insert(SQLITE_LOCK_NONE);
            *level = (*level).min(to);
        });
    }

    /// Whether any connection means to write, by the file lock.
    pub(super) fn is_reserved(&self) -> bool {
        with(&self.file, |sharing| {
            sharing.levels.values().any(|level| (SQLITE_LOCK_RESERVED..=SQLITE_LOCK_EXCLUSIVE).contains(level))
        })
    }

    /// The start of a piece of shared memory; `None` if there is none yet and none is to be made.
    pub(super) fn map(&mut self, index: usize, bytes: usize, extend: bool) -> Option<NonNull<u8>> {
        let first = !std::mem::replace(&mut self.mapped, true);
        with(&self.file, |sharing| {
            sharing.mapped += usize::from(first);
            while extend && sharing.regions.len() <= index {
                sharing.regions.push(Region::new(bytes));
            }
            sharing.regions.get(index).map(|region| region.start)
        })
    }

    /// Gives the shared memory back; the last to do so frees it.
    pub(super) fn unmap(&mut self) {
        self.release(0..SLOTS);
        if std::mem::take(&mut self.mapped) {
            with(&self.file, |sharing| {
                sharing.mapped -= 1;
                if sharing.mapped == 0 {
                    sharing.regions.clear();
                }
            });
        }
    }

    /// Takes slots for reading; false if another connection has one for itself.
    pub(super) fn share(&mut self, slots: std::ops::Range<usize>) -> bool {
        let free = |sharing: &Sharing, slot: usize| !sharing.slots[slot].exclusive || self.exclusive[slot];
        let taken = with(&self.file, |sharing| {
            let all = slots.clone().all(|slot| free(sharing, slot));
            for slot in slots.clone().filter(|slot| all && !self.shared[*slot]) {
                sharing.slots[slot].shared += 1;
            }
            all
        });
        if taken {
            self.shared[slots].fill(true);
        }
        taken
    }

    /// Takes slots alone; false if another connection has one.
    pub(super) fn exclude(&mut self, slots: std::ops::Range<usize>) -> bool {
        let free = |sharing: &Sharing, slot: usize| {
            let others = sharing.slots[slot].shared - u32::from(self.shared[slot]);
            others == 0 && (!sharing.slots[slot].exclusive || self.exclusive[slot])
        };
        let taken = with(&self.file, |sharing| {
            let all = slots.clone().all(|slot| free(sharing, slot));
            for slot in slots.clone().filter(|_| all) {
                sharing.slots[slot].exclusive = true;
            }
            all
        });
        if taken {
            self.exclusive[slots].fill(true);
        }
        taken
    }

    /// Gives slots back.
    pub(super) fn release(&mut self, slots: std::ops::Range<usize>) {
        with(&self.file, |sharing| {
            for slot in slots {
                sharing.slots[slot].shared -= u32::from(std::mem::take(&mut self.shared[slot]));
                if std::mem::take(&mut self.exclusive[slot]) {
                    sharing.slots[slot].exclusive = false;
                }
            }
        });
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.unmap();
        let mut open = OPEN.lock().expect("nothing panics while it holds the locks");
        with(&self.file, |sharing| sharing.levels.remove(&self.me));
        // The list's and this one.
        if Arc::strong_count(&self.file) == 2 {
            open.remove(&self.key);
        }
    }
}

fn with<T>(file: &Shared, act: impl FnOnce(&mut Sharing) -> T) -> T {
    act(&mut file.lock().expect("nothing panics while it holds the locks"))
}
