//! The look at a chunk's bytes before Automerge parses them: one plain change, no compressed
//! column, and no more operations than the limit. Automerge would inflate a compressed chunk a
//! thousandfold and follow a run length of 2^60 to its end.

use super::{BadChange, MAX_CHANGE_BYTES, MAX_CHANGE_OPS};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;
const HASH_BYTES: u64 = 32;

/// Columns of a change, in their order: id << 4 | type. Bit 3 would say "deflated".
const COLUMNS: [u64; 14] = [0x01, 0x02, 0x11, 0x13, 0x15, 0x34, ACTION, 0x56, 0x57, PRED_COUNT, 0x71, 0x73, 0x94, 0xa5];
const ACTION: u64 = 0x42;
const PRED_COUNT: u64 = 0x70;

/// Accepts bytes that are safe to parse. Reads each byte at most once.
pub(super) fn inspect(bytes: &[u8]) -> Result<(), BadChange> {
    if bytes.len() > MAX_CHANGE_BYTES {
        return Err(BadChange::TooLarge(bytes.len()));
    }
    if bytes.len() < 9 || bytes[..4] != MAGIC {
        return Err(BadChange::NotAChunk);
    }
    if bytes[8] != CHANGE_CHUNK {
        return Err(BadChange::ChunkType(bytes[8]));
    }
    let mut rest = Reader(&bytes[9..]);
    if rest.uleb()? != rest.0.len() as u64 {
        return Err(BadChange::Length);
    }
    skip_to_columns(&mut rest)?;
    check_columns(&mut rest)
}

fn skip_to_columns(rest: &mut Reader<'_>) -> Result<(), BadChange> {
    let deps = rest.uleb()?;
    rest.take(deps.saturating_mul(HASH_BYTES))?;
    rest.skip_prefixed()?; // actor
    rest.uleb()?; // seq
    rest.uleb()?; // start op
    rest.sleb()?; // time
    rest.skip_prefixed()?; // message
    let other_actors = rest.uleb()?;
    for _ in 0..other_actors {
        rest.skip_prefixed()?;
    }
    Ok(())
}

fn check_columns(rest: &mut Reader<'_>) -> Result<(), BadChange> {
    let count = rest.uleb()?;
    let mut known = COLUMNS.iter();
    let mut found = Vec::with_capacity(COLUMNS.len());
    for _ in 0..count {
        let (spec, len) = (rest.uleb()?, rest.uleb()?);
        if !known.any(|column| *column == spec) {
            return Err(BadChange::Column(spec));
        }
        found.push((spec, len));
    }
    for (spec, len) in found {
        let column = rest.take(len)?;
        if spec == ACTION {
            check_total(column, |_| 1)?;
        } else if spec == PRED_COUNT {
            check_total(column, |preds| preds)?;
        }
    }
    Ok(())
}

/// Sums `weight` over a run-length encoded column and compares with the limit, run by run.
fn check_total(column: &[u8], weight: impl Fn(u64) -> u64) -> Result<(), BadChange> {
    let mut rest = Reader(column);
    let mut total: u64 = 0;
    while !rest.0.is_empty() {
        let run = rest.sleb()?;
        if run > 0 {
            total = total.saturating_add(run.unsigned_abs().saturating_mul(weight(rest.uleb()?)));
            // A run of ops without predecessors weighs nothing and is bounded by the ops.
        } else if run < 0 {
            for _ in 0..run.unsigned_abs() {
                total = total.saturating_add(weight(rest.uleb()?));
            }
        } else {
            return Err(BadChange::NotCanonical);
        }
        if total > MAX_CHANGE_OPS {
            return Err(BadChange::TooManyOps);
        }
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, BadChange> {
        let (first, rest) = self.0.split_first().ok_or(BadChange::Length)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], BadChange> {
        let len = usize::try_from(len).map_err(|_| BadChange::Length)?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(BadChange::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip_prefixed(&mut self) -> Result<(), BadChange> {
        let len = self.uleb()?;
        self.take(len).map(|_| ())
    }

    fn uleb(&mut self) -> Result<u64, BadChange> {
        let mut value = 0;
        for shift in (0_u32..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BadChange::Malformed("a number of more than 64 bits".into()))
    }

    fn sleb(&mut self) -> Result<i64, BadChange> {
        let mut value = 0;
        for shift in (0_u32..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 57_u32.saturating_sub(shift);
                return Ok(if shift < 57 { value << unused >> unused } else { value });
            }
        }
        Err(BadChange::Malformed("a number of more than 64 bits".into()))
    }
}
