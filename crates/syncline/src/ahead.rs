//! Batches: what needs only its own record is worked out on other cores, while the engine's thread takes the records
//! in their order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, mpsc};

use syncline_engine::{Batch, Drafting, Saved, Source, StoreError, Tx};
use uuid::Uuid;

use crate::store::Record;

/// Items that a thread works on at a time.
const PIECE: usize = 16;

/// Records that are written into the file's tables together.
pub(crate) const WRITTEN_AT_ONCE: usize = 16;

/// A batch of fewer items costs less than a thread.
const BATCH_MIN: usize = 4 * PIECE;

/// Pieces that are made and not yet taken: a long batch is not held twice.
const PIECES_AHEAD: usize = 32;

/// Taking them in is not as fast as more threads could make them.
const THREADS_MAX: usize = 3;

/// Saves every item with `save`, in their order, as `draft` prepared it with a new id, for a record that brings none; as
/// it is where no records of the model can be drafted.
pub(crate) fn drafted<'a, T: Send, D: Send>(
    tx: &mut Tx<'a>,
    (model, source): (&str, Source),
    items: Vec<T>,
    draft: impl Fn(&Drafting<'a>, T, Uuid) -> Result<D, T> + Sync,
    mut save: impl FnMut(&mut Tx<'a>, Result<D, T>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // What is wrong with a model is told when a record of it is saved.
    let Some(drafting) = tx.drafting(model, source).ok().flatten() else {
        return items.into_iter().try_for_each(|item| save(tx, Err(item)));
    };
    let items = items.into_iter().map(|item| (item, tx.fresh_id())).collect();
    in_order(items, |(item, id)| draft(&drafting, item, id), |prepared| save(tx, prepared))
}

/// Whether a batch of so many items is worked out on several cores.
pub(crate) fn is_shared(items: usize) -> bool {
    items >= BATCH_MIN
}

/// As [`Tx::save_all`], with drafts, in a transaction of its own: if it fails, so does that.
pub(crate) fn save_all(tx: &mut Tx<'_>, model: &str, records: Vec<Record>) -> Result<Vec<Saved>, StoreError> {
    tx.together(|tx| {
        let (mut batch, mut taken) = (Batch::default(), 0_usize);
        drafted(tx, (model, Source::App), records, Drafting::draft_shown, |tx, prepared| {
            batch.add(match prepared {
                Ok((draft, shown)) => tx.save_draft(draft, shown),
                // What is wrong with it is told here.
                Err(record) => tx.save(model, &record, Source::App),
            })?;
            taken += 1;
            // While the next ones are drafted.
            if taken.is_multiple_of(WRITTEN_AT_ONCE) && batch.may_be_saved() { tx.flush() } else { Ok(()) }
        })?;
        batch.end()
    })
}

/// Calls `take` with what `make` made of every item, in the order of the items. The calls of `make` run ahead on other
/// threads if there are cores for it, and in no order; they end before this returns. An error of `take` ends it.
///
/// What an item is made of is freed where it is made, beside the thread that takes.
fn in_order<T: Send, D: Send, E>(
    items: Vec<T>,
    make: impl Fn(T) -> D + Sync,
    mut take: impl FnMut(D) -> Result<(), E>,
) -> Result<(), E> {
    let helpers = if is_shared(items.len()) { other_cores().min(THREADS_MAX) } else { 0 };
    let pieces = items.len().div_ceil(PIECE);
    let work = Work { left: Mutex::new((0, items.into_iter())), make: &make };
    std::thread::scope(|scope| {
        let (sender, made) = mpsc::sync_channel(PIECES_AHEAD);
        for _ in 0..helpers {
            let (sender, work) = (sender.clone(), &work);
            let help = move || while work.piece().is_some_and(|made| sender.send(made).is_ok()) {};
            if std::thread::Builder::new().name("syncline-drafter".to_owned()).spawn_scoped(scope, help).is_err() {
                // The system has no thread to give: the work is done here.
                break;
            }
        }
        drop(sender);
        let mut early = BTreeMap::new();
        for at in 0..pieces {
            let piece = loop {
                if let Some(piece) = early.remove(&at) {
                    break piece;
                }
                // Rather than wait for a piece, another is made.
                let next = made.try_recv().ok().or_else(|| work.piece()).or_else(|| made.recv().ok());
                let (at, piece) = next.expect("each piece is made by whoever claims it, or the scope panics");
                early.insert(at, piece);
            };
            if let Err(error) = piece.into_iter().try_for_each(&mut take) {
                work.forget();
                return Err(error);
            }
        }
        Ok(())
    })
}

struct Work<'a, T, F> {
    /// The number of the next piece, and the items that nobody has claimed.
    left: Mutex<(usize, std::vec::IntoIter<T>)>,
    make: &'a F,
}

impl<T, D, F: Fn(T) -> D> Work<'_, T, F> {
    /// Makes the next piece that nobody has claimed; its number, and what was made of it.
    fn piece(&self) -> Option<(usize, Vec<D>)> {
        let (at, items) = self.claim();
        (!items.is_empty()).then(|| (at, items.into_iter().map(self.make).collect()))
    }

    fn claim(&self) -> (usize, Vec<T>) {
        let mut left = self.lock();
        let at = left.0;
        left.0 += 1;
        (at, left.1.by_ref().take(PIECE).collect())
    }

    /// Leaves nothing to claim.
    fn forget(&self) {
        self.lock().1.by_ref().for_each(drop);
    }

    fn lock(&self) -> MutexGuard<'_, (usize, std::vec::IntoIter<T>)> {
        self.left.lock().expect("nobody panics while holding it")
    }
}

/// How many cores there are beside this thread's.
fn other_cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_taken_in_their_order_each_with_its_own() {
        for count in [0, 1, BATCH_MIN - 1, BATCH_MIN, 1000, 4 * PIECES_AHEAD * PIECE] {
            let items: Vec<usize> = (0..count).collect();
            let mut taken = Vec::new();
            let outcome = in_order(
                items.clone(),
                |item| (item, item * 3),
                |made| {
                    taken.push(made);
                    Ok::<(), ()>(())
                },
            );
            assert_eq!(outcome, Ok(()));
            assert_eq!(taken, items.iter().map(|item| (*item, item * 3)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it_whatever_was_made_ahead() {
        let items: Vec<usize> = (0..4 * PIECES_AHEAD * PIECE).collect();
        let outcome = in_order(items, |item| item, |made| if made == 100 { Err(made) } else { Ok(()) });
        assert_eq!(outcome, Err(100));
    }
}
