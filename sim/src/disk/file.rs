//! One file: its bytes as readers see them, and how to get from them back to what the medium holds.

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Memory is given to a file in steps of this, as a page of SQLite has it.
const STEP_BYTES: usize = 4096;

/// A file. What the medium holds is not kept: it is the bytes with every operation under way undone.
#[derive(Debug, Default)]
pub(super) struct File {
    bytes: Vec<u8>,
    under_way: Vec<UnderWay>,
    /// Open handles.
    pub(super) users: usize,
    /// Whether its bytes count against the room on the disk.
    pub(super) is_named: bool,
}

/// An operation that the medium may not have yet, and what it overwrote.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    len_before: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    /// As many bytes from `at`; those that were there before are `old`.
    Write { at: usize, len: usize, old: Box<[u8]> },
    /// The file was given a length; what was cut off is `old`.
    Resize { old: Box<[u8]> },
}

/// An operation taken back, to be done again where it had reached the medium.
#[derive(Debug)]
pub(super) enum Redo {
    Write { at: usize, bytes: Vec<u8> },
    Resize { len: usize },
}

impl File {
    /// A file that the medium holds as it is.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Numbers of the operations under way, rising.
    pub(super) fn under_way(&self) -> impl Iterator<Item = u64> {
        self.under_way.iter().map(|operation| operation.number)
    }

    pub(super) fn write(&mut self, number: u64, at: usize, bytes: &[u8]) {
        let (len_before, end) = (self.len(), at + bytes.len());
        let old = self.bytes.get(at..end.min(len_before)).unwrap_or_default().into();
        let what = What::Write { at, len: bytes.len(), old };
        self.under_way.push(UnderWay { number, len_before, what });
        self.put(at, bytes);
    }

    pub(super) fn resize(&mut self, number: u64, len: usize) {
        let len_before = self.len();
        let old = self.bytes.get(len..).unwrap_or_default().into();
        self.under_way.push(UnderWay { number, len_before, what: What::Resize { old } });
        self.set_len(len);
    }

    /// The medium has it all.
    pub(super) fn make_durable(&mut self) {
        if self.under_way.capacity() > 64 {
            self.under_way = Vec::new();
        } else {
            self.under_way.clear();
        }
    }

    /// Takes back the operations from a number on, newest first.
    pub(super) fn undo_from(&mut self, number: u64, mut undone: impl FnMut(u64, Redo)) {
        while let Some(operation) = self.under_way.pop_if(|operation| operation.number >= number) {
            let redo = self.undo(&operation);
            undone(operation.number, redo);
        }
    }

    fn undo(&mut self, operation: &UnderWay) -> Redo {
        let redo = match &operation.what {
            What::Write { at, len, old } => {
                let bytes = self.bytes[*at..at + len].to_vec();
                self.bytes[*at..at + old.len()].copy_from_slice(old);
                Redo::Write { at: *at, bytes }
            }
            What::Resize { old } => {
                let len = self.len();
                self.bytes.extend_from_slice(old);
                Redo::Resize { len }
            }
        };
        self.set_len(operation.len_before);
        redo
    }

    /// Does again what had reached the medium; of a write, those sectors that `survives` says.
    pub(super) fn redo(&mut self, redo: &Redo, mut survives: impl FnMut() -> bool) {
        match redo {
            Redo::Resize { len } if survives() => self.set_len(*len),
            Redo::Resize { .. } => {}
            Redo::Write { at, bytes } => {
                let mut from = 0;
                while from < bytes.len() {
                    let to_border = SECTOR_BYTES - (at + from) % SECTOR_BYTES;
                    let to = (from + to_border).min(bytes.len());
                    if survives() {
                        self.put(at + from, &bytes[from..to]);
                    }
                    from = to;
                }
            }
        }
    }

    /// Flips a bit now, and in all that the file was and may become again.
    pub(super) fn flip(&mut self, place: usize, mask: u8) {
        self.bytes[place] ^= mask;
        for operation in &mut self.under_way {
            let (at, old) = match &mut operation.what {
                What::Write { at, old, .. } => (*at, old),
                What::Resize { old } => (operation.len_before - old.len(), old),
            };
            if let Some(byte) = place.checked_sub(at).and_then(|place| old.get_mut(place)) {
                *byte ^= mask;
            }
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.len() < end {
            self.set_len(end);
        }
        self.bytes[at..end].copy_from_slice(bytes);
    }

    fn set_len(&mut self, len: usize) {
        if len > self.bytes.capacity() {
            // A thousand files are held at once: doubling would take twice what they need.
            let room = if len < STEP_BYTES { len } else { (len + len / 8).next_multiple_of(STEP_BYTES) };
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.resize(len, 0);
        if self.bytes.capacity() / 2 > len {
            self.bytes.shrink_to(len);
        }
    }
}
