//! Moments of a record's past, and which changes had been made by then.

use std::collections::BTreeSet;
use std::str::FromStr;

use automerge::ChangeHash;

use super::time::parse_ms;
use crate::change::Change;
use crate::vector::{Token, TokenError};

/// A moment of a record's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// When exactly the changes that a token names were held, with those that they build on: of a save's token,
    /// right after that save.
    Token(Token),
    /// When the changes whose writers' clocks showed this time or an earlier one had been made, in
    /// milliseconds since 1970. A change counts only if all that it builds on does, so a clock that is
    /// ahead hides what was built on its changes.
    Time(i64),
    /// As the writer of a change saw it, right after that change.
    Change(ChangeName),
}

/// A change of a record, as its history names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeName {
    /// `REPLICA:COUNTER`: the replica id in hexadecimal, or its beginning.
    Dot {
        /// Digits of the replica id.
        replica: String,
        /// Its counter.
        counter: u64,
    },
    /// The hash in hexadecimal, or its beginning.
    Hash(String),
}

/// A text names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    /// It begins as a token does.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Anything else.
    #[error(
        "`{0}` is no moment: a token (sl1.…), a time (2026-01-31, 2026-01-31T08:00:00Z, milliseconds since 1970) \
         or a change as `history` names it (3f2a1b2c:7)"
    )]
    Unknown(String),
}

impl From<Token> for At {
    fn from(token: Token) -> Self {
        Self::Token(token)
    }
}

impl From<&Token> for At {
    fn from(token: &Token) -> Self {
        Self::Token(token.clone())
    }
}

/// Fewest digits of a shortened name.
const DIGITS_MIN: usize = 4;

impl FromStr for At {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        if text.starts_with("sl1.") {
            return Ok(Self::Token(text.parse()?));
        }
        let is_hex = |digits: &str| digits.len() >= DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let dot = text.split_once(':').filter(|(replica, _)| is_hex(replica));
        if let Some((replica, counter)) = dot.and_then(|(replica, counter)| Some((replica, counter.parse().ok()?))) {
            return Ok(Self::Change(ChangeName::Dot { replica: replica.to_ascii_lowercase(), counter }));
        }
        // All digits are a time, however many.
        if let Some(ms) =
            text.parse().ok().or_else(|| parse_ms(text)).or_else(|| parse_ms(&format!("{text}T00:00:00Z")))
        {
            return Ok(Self::Time(ms));
        }
        if is_hex(text) {
            return Ok(Self::Change(ChangeName::Hash(text.to_ascii_lowercase())));
        }
        Err(BadMoment::Unknown(text.to_owned()))
    }
}

/// Those of a record's changes that are wanted and build on wanted ones only. `changes` stand each
/// after what it depends on.
pub fn closed<'c>(changes: &'c [Change], wanted: &BTreeSet<ChangeHash>) -> Vec<&'c Change> {
    let mut within: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut closed = Vec::new();
    for change in changes {
        if wanted.contains(&change.hash()) && change.deps().iter().all(|dep| within.contains(dep)) {
            within.insert(change.hash());
            closed.push(change);
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_changes_or_tokens() {
        assert_eq!("1769846400000".parse(), Ok(At::Time(1_769_846_400_000)));
        assert_eq!("1970-01-02".parse(), Ok(At::Time(86_400_000)));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(At::Time(1500)));
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(At::Time(0)));
        let dot = ChangeName::Dot { replica: "3f2a".to_owned(), counter: 7 };
        assert_eq!("3F2A:7".parse(), Ok(At::Change(dot)));
        assert_eq!("beef01".parse(), Ok(At::Change(ChangeName::Hash("beef01".to_owned()))));
        let token = Token::new("default", []);
        assert_eq!(token.to_string().parse(), Ok(At::Token(token)));
    }

    #[test]
    fn what_is_no_moment_is_named_with_good_ones() {
        for bad in ["", "yesterday", "abc", "zzzz:1", "12:00", "3f2a:x"] {
            let said = bad.parse::<At>().unwrap_err().to_string();
            assert!(said.contains("3f2a1b2c:7"), "{bad}: {said}");
        }
        assert!(matches!("sl1.x".parse::<At>(), Err(BadMoment::Token(_))));
    }
}
