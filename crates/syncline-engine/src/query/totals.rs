//! Sums and averages that lose nothing on their way, as functions of SQLite.
//!
//! SQLite's own sum of integers fails if it ever leaves 64 bits, even where the end is within them: whether it does
//! depends on the order of the rows, which differs between replicas.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

/// Sum of the first argument's values; the second names the sum where it is beyond its type.
pub(super) const SUM: &str = "syncline_sum";

/// Average of the first argument's values; the second as for [`SUM`].
pub(super) const AVG: &str = "syncline_avg";

/// How the error of a sum beyond its type begins.
const TOO_GREAT: &str = "syncline: too great: ";

/// Makes the functions known to a connection.
pub(crate) fn register(db: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_aggregate_function(SUM, 2, flags, Of(Total::sum))?;
    db.create_aggregate_function(AVG, 2, flags, Of(Total::avg))
}

/// The second argument of the sum that was beyond its type.
pub(super) fn too_great(error: &Error) -> Option<usize> {
    let Error::SqliteFailure(_, Some(message)) = error else { return None };
    message.strip_prefix(TOO_GREAT)?.parse().ok()
}

/// What is made of a total at the end.
struct Of(fn(Total) -> Result<Value>);

/// What was added up so far.
#[derive(Debug, Default)]
struct Total {
    name: i64,
    count: u64,
    /// Exact: 2^63 values of 64 bits each would have to come.
    integers: i128,
    floats: Option<Floats>,
}

/// A sum of floats, with what rounding took from it (Neumaier).
#[derive(Clone, Copy, Debug, Default)]
struct Floats {
    sum: f64,
    lost: f64,
}

impl Floats {
    fn add(self, value: f64) -> Self {
        let sum = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        Self { sum, lost: self.lost + lost }
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

impl Total {
    fn add(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Integer(number) => self.integers += i128::from(number),
            ValueRef::Real(number) => self.floats = Some(self.floats.unwrap_or_default().add(number)),
            // What is no number is none of the field's values: another schema wrote it.
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => return,
        }
        self.count += 1;
    }

    fn sum(self) -> Result<Value> {
        match self.floats {
            _ if self.count == 0 => Ok(Value::Null),
            Some(floats) => self.finite(floats.total() + self.integers as f64),
            None => i64::try_from(self.integers).map(Value::Integer).map_err(|_| self.too_great()),
        }
    }

    fn avg(self) -> Result<Value> {
        let floats = self.floats.unwrap_or_default().total();
        if self.count == 0 { Ok(Value::Null) } else { self.finite((floats + self.integers as f64) / self.count as f64) }
    }

    fn finite(&self, number: f64) -> Result<Value> {
        if number.is_finite() { Ok(Value::Real(number)) } else { Err(self.too_great()) }
    }

    fn too_great(&self) -> Error {
        Error::UserFunctionError(format!("{TOO_GREAT}{}", self.name).into())
    }
}

impl Aggregate<Total, Value> for Of {
    fn init(&self, ctx: &mut Context<'_>) -> Result<Total> {
        Ok(Total { name: ctx.get(1)?, ..Total::default() })
    }

    fn step(&self, ctx: &mut Context<'_>, total: &mut Total) -> Result<()> {
        total.add(ctx.get_raw(0));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Value> {
        self.0(total.unwrap_or_default())
    }
}
