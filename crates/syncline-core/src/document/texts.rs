//! Texts as they read now, kept while they are edited: taking one out of Automerge costs its whole
//! length many times over.

use std::collections::BTreeMap;

/// Texts of one document by key. What is not held must be read from the document.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    held: BTreeMap<String, Held>,
}

#[derive(Clone, Debug)]
struct Held {
    text: String,
    /// Length in code points.
    chars: usize,
}

impl Texts {
    /// The text at a key, if it is held.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.held.get(key).map(|held| held.text.as_str())
    }

    /// Holds a text.
    pub(super) fn hold(&mut self, key: &str, text: String) {
        let chars = text.chars().count();
        self.held.insert(key.to_owned(), Held { text, chars });
    }

    /// Replaces characters of a held text. False if it is not held.
    pub(super) fn splice(&mut self, key: &str, at: usize, delete: usize, insert: &str) -> bool {
        let Some(held) = self.held.get_mut(key) else {
            return false;
        };
        let from = held.byte_at(at);
        let to = held.byte_at(at + delete);
        held.text.replace_range(from..to, insert);
        held.chars = held.chars - delete + insert.chars().count();
        true
    }

    /// Holds nothing at a key any more.
    pub(super) fn forget(&mut self, key: &str) {
        self.held.remove(key);
    }

    /// Holds nothing any more.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }
}

impl Held {
    /// Where the character of that number begins; the end for the number behind the last.
    fn byte_at(&self, number: usize) -> usize {
        if self.chars == self.text.len() {
            return number;
        }
        let (bytes, mut start, mut left) = (self.text.as_bytes(), 0, number);
        for block in bytes.chunks(BLOCK) {
            let begun = block.iter().filter(|byte| begins(**byte)).count();
            if begun > left {
                break;
            }
            left -= begun;
            start += block.len();
        }
        let rest = bytes[start..].iter().enumerate();
        rest.filter(|(_, byte)| begins(**byte)).nth(left).map_or(bytes.len(), |(place, _)| start + place)
    }
}

/// Bytes whose characters are counted together.
const BLOCK: usize = 1 << 10;

/// Whether the byte begins a character.
fn begins(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use automerge::ActorId;

    use super::*;
    use crate::change::Change;
    use crate::document::Document;
    use crate::edit::{Edits, ObjectEdit, ObjectKind};
    use crate::genesis::Genesis;

    fn edit(document: &mut Document, writer: u8, objects: Vec<ObjectEdit>) -> Vec<Change> {
        let genesis = |key: &str| Genesis { model: "Page".to_owned(), key: key.to_owned(), kind: ObjectKind::Text };
        let edits = Edits { root: Vec::new(), objects };
        let edited = document.edit(&edits, &genesis, &ActorId::from([writer; 16]), 1);
        let edited = edited.unwrap().unwrap();
        edited.genesis.into_iter().chain(edited.changes).collect()
    }

    fn splice(at: usize, delete: usize, insert: &str) -> ObjectEdit {
        ObjectEdit::Splice { key: "body".to_owned(), at, delete, insert: insert.to_owned() }
    }

    #[test]
    fn an_edited_document_reads_as_one_rebuilt_from_its_changes() {
        let mut ours = Document::default();
        let mut all = edit(&mut ours, 1, vec![splice(0, 0, "naïve 日本")]);
        let mut theirs = Document::rebuild(&all).unwrap();
        let whole = |text: &str| ObjectEdit::SetText("body".to_owned(), text.to_owned());
        let rounds = [
            vec![splice(2, 1, "i")],
            vec![splice(0, 0, "ab"), splice(1, 1, "日"), splice(3, 0, "c")],
            vec![whole("something else")],
            vec![splice(4, 5, "é")],
        ];
        for objects in rounds {
            let remote = edit(&mut theirs, 2, vec![splice(0, 0, "<")]);
            let own = edit(&mut ours, 1, objects);
            ours.apply_accepted(&remote).unwrap();
            all.extend(own.iter().chain(&remote).cloned());
            assert_eq!(ours.text("body"), Document::rebuild(&all).unwrap().text("body"));
            all.extend(edit(&mut ours, 1, vec![splice(1, 0, "!")]));
            assert_eq!(ours.text("body"), Document::rebuild(&all).unwrap().text("body"));
        }
    }

    fn spliced(text: &str, at: usize, delete: usize, insert: &str) -> String {
        let before = text.chars().take(at);
        let after = text.chars().skip(at + delete);
        before.chain(insert.chars()).chain(after).collect()
    }

    #[test]
    fn a_held_text_follows_splices_by_code_points_across_blocks() {
        for unit in ["a", "é", "日a", "😀bc"] {
            let mut expected = unit.repeat(BLOCK);
            let mut texts = Texts::default();
            texts.hold("body", expected.clone());
            for step in 0..200 {
                let length = expected.chars().count();
                let at = step * 7919 % (length + 1);
                let delete = (step % 5).min(length - at);
                let insert = ["", "x", "ß", "日本"][step % 4];
                expected = spliced(&expected, at, delete, insert);
                assert!(texts.splice("body", at, delete, insert));
                assert_eq!(texts.get("body"), Some(expected.as_str()));
            }
            let end = expected.chars().count();
            assert!(texts.splice("body", end, 0, "end"));
            assert_eq!(texts.get("body"), Some(format!("{expected}end").as_str()));
        }
    }

    #[test]
    fn a_text_that_is_not_held_is_not_spliced() {
        let mut texts = Texts::default();
        texts.hold("body", "abc".to_owned());
        texts.forget("body");
        assert!(!texts.splice("body", 0, 1, ""));
        assert_eq!(texts.get("body"), None);
    }
}
