//! From an old and a new whole to few edits, so that concurrent edits elsewhere survive.
//!
//! Deterministic, and bounded in work whatever the input: what no level of detail can tell apart
//! within the bound is replaced whole.

use std::collections::BTreeMap;
use std::ops::Range;

/// Most differences that a comparison follows.
const MAX_DIFFERENCES: usize = 1_000;
/// Most steps of one comparison.
const MAX_STEPS: usize = 20_000_000;

/// Old positions that go, new ones that come in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hunk {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// Replaces `delete` characters at `at`, counted in the text as it is when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextEdit {
    pub(crate) at: usize,
    pub(crate) delete: usize,
    pub(crate) insert: String,
}

/// Compares sequences: hunks in ascending order.
pub(crate) fn sequence<T: Ord>(old: &[T], new: &[T]) -> Vec<Hunk> {
    let (prefix, old_mid, new_mid) = trim(old, new);
    if old_mid.is_empty() && new_mid.is_empty() {
        return Vec::new();
    }
    let mut numbers = BTreeMap::new();
    let old_numbers = number(old_mid, &mut numbers);
    let new_numbers = number(new_mid, &mut numbers);
    let hunks = myers(&old_numbers, &new_numbers)
        .unwrap_or_else(|| vec![Hunk { old: 0..old_mid.len(), new: 0..new_mid.len() }]);
    let shift = |range: Range<usize>| range.start + prefix..range.end + prefix;
    let moved = hunks.into_iter().map(|hunk| Hunk { old: shift(hunk.old), new: shift(hunk.new) });
    moved.collect()
}

/// Compares texts by words, then by lines where words differ too much; what remains of a hunk is
/// trimmed to the characters that differ.
pub(crate) fn text(old: &str, new: &str) -> Vec<TextEdit> {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let (prefix, old_mid, new_mid) = trim(&old, &new);
    let hunks = [words as fn(&[char]) -> Vec<&[char]>, lines]
        .into_iter()
        .find_map(|tokens| token_hunks(&tokens(old_mid), &tokens(new_mid)))
        .unwrap_or_else(|| vec![Hunk { old: 0..old_mid.len(), new: 0..new_mid.len() }]);
    let mut edits = Vec::with_capacity(hunks.len());
    let mut passed_old = 0;
    let mut at = prefix;
    for hunk in hunks {
        at += hunk.old.start - passed_old;
        passed_old = hunk.old.end;
        let (same, gone, come) = trim(&old_mid[hunk.old], &new_mid[hunk.new.clone()]);
        if !gone.is_empty() || !come.is_empty() {
            edits.push(TextEdit { at: at + same, delete: gone.len(), insert: come.iter().collect() });
        }
        at += hunk.new.len();
    }
    edits
}

/// Length of the common beginning, and what is left without the common end.
fn trim<'a, T: PartialEq>(old: &'a [T], new: &'a [T]) -> (usize, &'a [T], &'a [T]) {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[prefix..], &new[prefix..]);
    let suffix = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    (prefix, &old[..old.len() - suffix], &new[..new.len() - suffix])
}

/// Runs of letters and digits; every other character by itself.
fn words(text: &[char]) -> Vec<&[char]> {
    text.chunk_by(|a, b| a.is_alphanumeric() && b.is_alphanumeric()).collect()
}

fn lines(text: &[char]) -> Vec<&[char]> {
    text.split_inclusive(|char| *char == '\n').collect()
}

fn number<'a, T: Ord>(items: &'a [T], numbers: &mut BTreeMap<&'a T, u32>) -> Vec<u32> {
    let mut numbered = Vec::with_capacity(items.len());
    for item in items {
        let next = numbers.len() as u32;
        numbered.push(*numbers.entry(item).or_insert(next));
    }
    numbered
}

/// Hunks in characters from a comparison of tokens, unless that takes too long.
fn token_hunks(old: &[&[char]], new: &[&[char]]) -> Option<Vec<Hunk>> {
    let mut numbers = BTreeMap::new();
    let old_numbers = number(old, &mut numbers);
    let new_numbers = number(new, &mut numbers);
    let hunks = myers(&old_numbers, &new_numbers)?;
    let (old_ends, new_ends) = (ends(old), ends(new));
    let in_chars = hunks.into_iter().map(|hunk| Hunk {
        old: old_ends[hunk.old.start]..old_ends[hunk.old.end],
        new: new_ends[hunk.new.start]..new_ends[hunk.new.end],
    });
    Some(in_chars.collect())
}

/// Where each token begins, and where the last one ends.
fn ends(tokens: &[&[char]]) -> Vec<usize> {
    let mut ends = Vec::with_capacity(tokens.len() + 1);
    let mut end = 0;
    ends.push(0);
    for token in tokens {
        end += token.len();
        ends.push(end);
    }
    ends
}

/// Myers' greedy comparison, remembering how far each diagonal got per number of differences.
fn myers(old: &[u32], new: &[u32]) -> Option<Vec<Hunk>> {
    let mut trace: Vec<Vec<usize>> = Vec::new();
    let mut steps = 0;
    let mut far = vec![0];
    for differences in 0..=MAX_DIFFERENCES.min(old.len() + new.len()) {
        // Diagonal k = x - y runs from -differences to differences; index k + differences.
        let mut next = vec![0; 2 * differences + 1];
        for at in (0..=2 * differences).step_by(2) {
            let mut x = begin(&far, differences, at);
            let k = at as isize - differences as isize;
            let Some(mut y) = x.checked_add_signed(-k) else {
                continue;
            };
            if x > old.len() || y > new.len() {
                next[at] = x;
                continue;
            }
            let snake = old[x..].iter().zip(&new[y..]).take_while(|(a, b)| a == b).count();
            (x, y) = (x + snake, y + snake);
            steps += snake + 1;
            next[at] = x;
            if x == old.len() && y == new.len() {
                trace.push(next);
                return Some(walk_back(&trace, old.len(), new.len()));
            }
        }
        if steps > MAX_STEPS {
            return None;
        }
        trace.push(next.clone());
        far = next;
    }
    None
}

/// Where a diagonal begins with this many differences, from where its neighbours ended with one
/// less: `far[i]` is diagonal i - (differences - 1).
fn begin(far: &[usize], differences: usize, at: usize) -> usize {
    if differences == 0 {
        return 0;
    }
    let after_insert = far.get(at).copied();
    let after_delete = at.checked_sub(2).and_then(|at| far.get(at)).map(|x| x + 1);
    after_insert.max(after_delete).unwrap_or(0)
}

fn walk_back(trace: &[Vec<usize>], old_len: usize, new_len: usize) -> Vec<Hunk> {
    let (mut x, mut y) = (old_len, new_len);
    let mut hunks: Vec<Hunk> = Vec::new();
    for differences in (1..trace.len()).rev() {
        let at = (x as isize - y as isize + differences as isize) as usize;
        let far = &trace[differences - 1];
        let after_insert = far.get(at).copied();
        let after_delete = at.checked_sub(2).and_then(|at| far.get(at)).map(|x| x + 1);
        let inserts = after_insert >= after_delete;
        let start = after_insert.max(after_delete).unwrap_or(0);
        let y_start = (start as isize - (x as isize - y as isize)) as usize;
        let (old_from, new_from) = if inserts { (start, y_start - 1) } else { (start - 1, y_start) };
        push_front(&mut hunks, old_from..start, new_from..y_start);
        (x, y) = (old_from, new_from);
    }
    hunks.reverse();
    hunks
}

/// Joins with the hunk that follows directly; hunks are kept last first.
fn push_front(hunks: &mut Vec<Hunk>, old: Range<usize>, new: Range<usize>) {
    match hunks.last_mut() {
        Some(next) if next.old.start == old.end && next.new.start == new.end => {
            next.old.start = old.start;
            next.new.start = new.start;
        }
        Some(_) | None => hunks.push(Hunk { old, new }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(old: &str, edits: &[TextEdit]) -> String {
        let mut chars: Vec<char> = old.chars().collect();
        for edit in edits {
            chars.splice(edit.at..edit.at + edit.delete, edit.insert.chars());
        }
        chars.into_iter().collect()
    }

    #[test]
    fn edits_turn_the_old_text_into_the_new_one() {
        let texts =
            ["", "a", "hello world", "hello brave new world", "helo wörld", "x y z\nx\ny\n", "ab ab ab", "b a b a"];
        for old in texts {
            for new in texts {
                assert_eq!(replay(old, &text(old, new)), new, "{old:?} to {new:?}");
            }
        }
    }

    #[test]
    fn a_changed_word_leaves_its_neighbours_alone() {
        let edits = text("one two three four", "one 2 three for");
        let expected =
            [(4, 3, "2"), (15, 1, "")].map(|(at, delete, insert)| TextEdit { at, delete, insert: insert.to_owned() });
        assert_eq!(edits[0], expected[0]);
        assert_eq!(edits.len(), 2);
    }

    #[test]
    fn random_sequences_are_rebuilt_from_their_hunks() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let mut some = || -> Vec<u64> { (0..random(12)).map(|_| random(4)).collect() };
            let (old, new) = (some(), some());
            let mut rebuilt = old.clone();
            for hunk in sequence(&old, &new).into_iter().rev() {
                rebuilt.splice(hunk.old, new[hunk.new].iter().copied());
            }
            assert_eq!(rebuilt, new, "from {old:?}");
        }
    }

    #[test]
    fn texts_without_anything_in_common_are_replaced_whole() {
        let old: String = (0..40_000_u32).map(|n| format!("a{n} ")).collect();
        let new: String = (0..40_000_u32).map(|n| format!("b{n}\n")).collect();
        let edits = text(&old, &new);
        assert_eq!(edits.len(), 1);
        assert_eq!(replay(&old, &edits), new);
    }
}
