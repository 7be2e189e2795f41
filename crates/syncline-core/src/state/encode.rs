//! A record's state as bytes of a database row.
//!
//! ```text
//! state    = version:u8(1)  checksum:[u8;4]  body
//! checksum = first 4 bytes of blake3(body)
//! body     = max_op  times  heads  actors  keys
//! times    = 0 | 1 first (last - first)               milliseconds
//! heads    = n  n * [u8;32]                           ascending
//! actors   = n  n * (actor seq)                       actor: number in the store's table
//! keys     = n  n * (len utf8  op+)                   ascending
//! op       = tag  counter  local  when  value
//! tag      = type | 0x80 if another operation of the key follows
//! local    = position in `actors`
//! when     = 0 for time 0, else 1 + time - first
//! value    = 0 null | 1 false | 2 true | 3 int z | 4 uint | 5 f64 [u8;8] | 6 text len utf8
//!          | 7 bytes len.. | 8 counter z | 9 timestamp z | 10 Text object | 11 List object
//!          | 12 other object | 13 unknown type:u8 len..
//! ```
//!
//! All numbers without a type are unsigned LEB128; `z` is LEB128 of the zigzag form; floats are
//! little endian bits. Operations of a key ascend by (counter, actor bytes).

use automerge::{ActorId, ChangeHash, ScalarValue};

use super::{OpId, RecordState, Visible, VisibleOp};
use crate::edit::ObjectKind;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;
const MORE_FOLLOW: u8 = 0x80;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const F64: u8 = 5;
const STR: u8 = 6;
const BYTES: u8 = 7;
const COUNTER: u8 = 8;
const TIMESTAMP: u8 = 9;
const TEXT: u8 = 10;
const LIST: u8 = 11;
const FOREIGN: u8 = 12;
const UNKNOWN: u8 = 13;

/// Actors as small integers. Ties are decided by the actors' bytes, never by their numbers.
pub trait ActorTable {
    /// The actor's number, given to it now if it has none.
    fn index(&mut self, actor: &ActorId) -> u32;
    /// The actor of a number.
    fn actor(&self, index: u32) -> Option<ActorId>;
}

/// Why bytes are not a record's state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedState {
    /// Written by a newer version, or not a state at all.
    #[error("record state of unknown version {0:?}")]
    Version(Option<u8>),
    /// The bytes changed since they were written.
    #[error("record state fails its checksum")]
    Checksum,
    /// The checksum holds, the content does not: `{0}` says which part.
    #[error("record state is malformed at its {0}")]
    Malformed(&'static str),
    /// An actor number that the store's table does not have.
    #[error("record state names actor {0}, which the store does not know")]
    UnknownActor(u32),
}

impl RecordState {
    /// Appends the state's bytes.
    pub fn encode(&self, actors: &mut dyn ActorTable, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([VERSION, 0, 0, 0, 0]);
        self.encode_body(actors, out);
        let sum = checksum(&out[start + HEADER_BYTES..]);
        out[start + 1..start + HEADER_BYTES].copy_from_slice(&sum);
    }

    fn encode_body(&self, actors: &mut dyn ActorTable, out: &mut Vec<u8>) {
        put(out, self.max_op);
        match self.times {
            None => put(out, 0),
            Some((first, last)) => {
                put(out, 1);
                put(out, first as u64);
                put(out, last.wrapping_sub(first) as u64);
            }
        }
        put(out, self.heads.len() as u64);
        for head in &self.heads {
            out.extend_from_slice(&head.0);
        }
        put(out, self.seqs.len() as u64);
        for (actor, seq) in &self.seqs {
            put(out, u64::from(actors.index(actor)));
            put(out, *seq);
        }
        let order: Vec<&ActorId> = self.seqs.keys().collect();
        put(out, self.keys.len() as u64);
        for (key, ops) in &self.keys {
            put_bytes(out, key.as_bytes());
            for (following, op) in (0..ops.len()).rev().zip(ops) {
                self.encode_op(op, following > 0, &order, out);
            }
        }
    }

    fn encode_op(&self, op: &VisibleOp, more: bool, order: &[&ActorId], out: &mut Vec<u8>) {
        let tag = out.len();
        out.push(0);
        put(out, op.id.counter);
        let local = order.binary_search(&&op.id.actor);
        put(out, local.expect("the actor of a visible operation made a change of the record") as u64);
        let first = self.times.map_or(0, |(first, _)| first);
        put(out, if op.time == 0 { 0 } else { (op.time.wrapping_sub(first) as u64).wrapping_add(1) });
        let kind = put_value(&op.value, out);
        out[tag] = kind | if more { MORE_FOLLOW } else { 0 };
    }

    /// Reads a state back. Damaged bytes are an error, never a panic.
    pub fn decode(bytes: &[u8], actors: &dyn ActorTable) -> Result<Self, DamagedState> {
        let Some((header, body)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(DamagedState::Version(bytes.first().copied()));
        };
        if header[0] != VERSION {
            return Err(DamagedState::Version(Some(header[0])));
        }
        if header[1..] != checksum(body) {
            return Err(DamagedState::Checksum);
        }
        Reader(body).state(actors)
    }
}

fn checksum(body: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(body);
    let bytes = hash.as_bytes();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_value(value: &Visible, out: &mut Vec<u8>) -> u8 {
    match value {
        Visible::Object(ObjectKind::Text) => TEXT,
        Visible::Object(ObjectKind::List) => LIST,
        Visible::Foreign => FOREIGN,
        Visible::Scalar(scalar) => put_scalar(scalar, out),
    }
}

fn put_scalar(value: &ScalarValue, out: &mut Vec<u8>) -> u8 {
    match value {
        ScalarValue::Null => NULL,
        ScalarValue::Boolean(false) => FALSE,
        ScalarValue::Boolean(true) => TRUE,
        ScalarValue::Int(int) => {
            put_signed(out, *int);
            INT
        }
        ScalarValue::Uint(uint) => {
            put(out, *uint);
            UINT
        }
        ScalarValue::F64(float) => {
            out.extend_from_slice(&float.to_bits().to_le_bytes());
            F64
        }
        ScalarValue::Str(text) => {
            put_bytes(out, text.as_bytes());
            STR
        }
        ScalarValue::Bytes(bytes) => {
            put_bytes(out, bytes);
            BYTES
        }
        ScalarValue::Counter(counter) => {
            put_signed(out, counter.into());
            COUNTER
        }
        ScalarValue::Timestamp(time) => {
            put_signed(out, *time);
            TIMESTAMP
        }
        ScalarValue::Unknown { type_code, bytes } => {
            out.push(*type_code);
            put_bytes(out, bytes);
            UNKNOWN
        }
    }
}

struct Reader<'a>(&'a [u8]);

type Read<T> = Result<T, DamagedState>;

impl<'a> Reader<'a> {
    fn state(&mut self, table: &dyn ActorTable) -> Read<RecordState> {
        let mut state =
            RecordState { max_op: self.number("greatest operation")?, times: self.times()?, ..RecordState::default() };
        for _ in 0..self.number("heads")? {
            state.heads.insert(self.hash()?);
        }
        let mut actors = Vec::new();
        for _ in 0..self.number("actors")? {
            let index = self.number("actors")?;
            let index = u32::try_from(index).map_err(|_| DamagedState::Malformed("actors"))?;
            let actor = table.actor(index).ok_or(DamagedState::UnknownActor(index))?;
            state.seqs.insert(actor.clone(), self.number("actors")?);
            actors.push(actor);
        }
        let first = state.times.map_or(0, |(first, _)| first);
        for _ in 0..self.number("keys")? {
            let key = self.text("keys")?.to_owned();
            let ops = self.ops(&actors, first)?;
            state.keys.insert(key, ops);
        }
        if self.0.is_empty() { Ok(state) } else { Err(DamagedState::Malformed("end")) }
    }

    fn times(&mut self) -> Read<Option<(i64, i64)>> {
        if self.number("times")? == 0 {
            return Ok(None);
        }
        let first = self.number("times")? as i64;
        Ok(Some((first, first.wrapping_add(self.number("times")? as i64))))
    }

    fn hash(&mut self) -> Read<ChangeHash> {
        let bytes = self.take(32, "heads")?;
        Ok(ChangeHash(bytes.try_into().map_err(|_| DamagedState::Malformed("heads"))?))
    }

    fn ops(&mut self, actors: &[ActorId], first: i64) -> Read<Vec<VisibleOp>> {
        let mut ops = Vec::with_capacity(1);
        loop {
            let tag = self.byte("operations")?;
            let counter = self.number("operations")?;
            let local = usize::try_from(self.number("operations")?).ok();
            let actor = local.and_then(|local| actors.get(local));
            let actor = actor.ok_or(DamagedState::Malformed("operations"))?.clone();
            let time = match self.number("operations")? {
                0 => 0,
                since => first.wrapping_add((since - 1) as i64),
            };
            let value = self.value(tag & !MORE_FOLLOW)?;
            let id = OpId { counter, actor };
            ops.push(VisibleOp { id, value, time });
            if tag & MORE_FOLLOW == 0 {
                return Ok(ops);
            }
        }
    }

    fn value(&mut self, kind: u8) -> Read<Visible> {
        let scalar = match kind {
            NULL => ScalarValue::Null,
            FALSE => ScalarValue::Boolean(false),
            TRUE => ScalarValue::Boolean(true),
            INT => ScalarValue::Int(self.signed()?),
            UINT => ScalarValue::Uint(self.number("values")?),
            F64 => ScalarValue::F64(self.float()?),
            STR => ScalarValue::Str(self.text("values")?.into()),
            BYTES => ScalarValue::Bytes(self.bytes("values")?.to_vec()),
            COUNTER => ScalarValue::counter(self.signed()?),
            TIMESTAMP => ScalarValue::Timestamp(self.signed()?),
            UNKNOWN => ScalarValue::Unknown { type_code: self.byte("values")?, bytes: self.bytes("values")?.to_vec() },
            TEXT => return Ok(Visible::Object(ObjectKind::Text)),
            LIST => return Ok(Visible::Object(ObjectKind::List)),
            FOREIGN => return Ok(Visible::Foreign),
            _ => return Err(DamagedState::Malformed("values")),
        };
        Ok(Visible::Scalar(scalar))
    }

    fn byte(&mut self, part: &'static str) -> Read<u8> {
        let (first, rest) = self.0.split_first().ok_or(DamagedState::Malformed(part))?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, len: u64, part: &'static str) -> Read<&'a [u8]> {
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let (taken, rest) = split.ok_or(DamagedState::Malformed(part))?;
        self.0 = rest;
        Ok(taken)
    }

    fn bytes(&mut self, part: &'static str) -> Read<&'a [u8]> {
        let len = self.number(part)?;
        self.take(len, part)
    }

    fn text(&mut self, part: &'static str) -> Read<&'a str> {
        std::str::from_utf8(self.bytes(part)?).map_err(|_| DamagedState::Malformed(part))
    }

    fn float(&mut self) -> Read<f64> {
        let bytes = self.take(8, "values")?;
        let bytes = bytes.try_into().map_err(|_| DamagedState::Malformed("values"))?;
        Ok(f64::from_bits(u64::from_le_bytes(bytes)))
    }

    fn signed(&mut self) -> Read<i64> {
        let value = self.number("values")?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn number(&mut self, part: &'static str) -> Read<u64> {
        let mut value = 0;
        for shift in (0_u32..64).step_by(7) {
            let byte = self.byte(part)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DamagedState::Malformed(part))
    }
}
