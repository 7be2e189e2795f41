//! Which names a namespace may have, and which file holds it.

use std::fmt::Write as _;

/// Longest name of a namespace.
const NAME_BYTES_MAX: usize = 128;

/// Longest file name before a hash takes the place of the rest. Files beside it have longer names.
const STEM_BYTES_MAX: usize = 120;

/// Bytes of such a name that stay readable.
const STEM_READABLE_BYTES: usize = 64;

/// Checks a name that a peer asks for; the error is a sentence for that peer.
pub(crate) fn check(namespace: &str) -> Result<(), String> {
    if namespace.is_empty() {
        return Err("the namespace has no name".to_owned());
    }
    if namespace.len() > NAME_BYTES_MAX {
        let found = namespace.len();
        return Err(format!("the namespace's name has {found} bytes, at most {NAME_BYTES_MAX} are allowed"));
    }
    match namespace.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("the namespace's name has a control character, U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

/// The name of a namespace's file, without folder.
///
/// Small letters, digits, `_` and `-` stand for themselves; every other byte is `%` and two
/// hexadecimal digits. Capital letters are among the others, so that two names never meet in one
/// file where the system does not tell them apart. Long names end in a hash.
pub(crate) fn file_name(namespace: &str) -> String {
    let mut stem = String::new();
    let mut readable = 0;
    for byte in namespace.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => stem.push(char::from(byte)),
            other => write!(stem, "%{other:02x}").expect("a string takes everything"),
        }
        if stem.len() <= STEM_READABLE_BYTES {
            readable = stem.len();
        }
    }
    if stem.len() > STEM_BYTES_MAX {
        stem.truncate(readable);
        stem.push('~');
        stem.push_str(&blake3::hash(namespace.as_bytes()).to_hex()[..32]);
    }
    stem.push_str(SUFFIX);
    stem
}

/// What the files of namespaces end in.
const SUFFIX: &str = ".db";

/// Whether a file in the folder holds a namespace, as opposed to standing beside one that does.
pub(crate) fn is_namespace_file(name: &str) -> bool {
    name.strip_suffix(SUFFIX).is_some_and(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn plain_names_stay_readable_and_others_are_escaped() {
        assert_eq!(file_name("default"), "default.db");
        assert_eq!(file_name("team-7_x"), "team-7_x.db");
        assert_eq!(file_name("../etc/passwd"), "%2e%2e%2fetc%2fpasswd.db");
        assert_eq!(file_name("ä"), "%c3%a4.db");
    }

    #[test]
    fn names_that_differ_have_files_that_differ_in_any_letter_case() {
        let long = "x".repeat(127);
        let names = [
            "a",
            "A",
            "%41",
            "%61",
            ".",
            "..",
            "a.db",
            "a/b",
            "a\\b",
            "a:b",
            "~",
            "é",
            &format!("{long}a"),
            &format!("{long}b"),
            &"É".repeat(64),
            &"È".repeat(64),
        ];
        let files: BTreeSet<String> = names.iter().map(|name| file_name(name).to_lowercase()).collect();
        assert_eq!(files.len(), names.len());
    }

    #[test]
    fn every_allowed_name_has_a_file_name_that_file_systems_take() {
        for namespace in ["𝄞".repeat(32), "x".repeat(128), "%".repeat(128), "Q".repeat(128)] {
            assert_eq!(check(&namespace), Ok(()));
            let file = file_name(&namespace);
            assert!(file.len() <= STEM_BYTES_MAX + SUFFIX.len(), "{file}");
            assert!(file.bytes().all(|b| b.is_ascii_graphic() && b != b'/'), "{file}");
            assert!(is_namespace_file(&file));
        }
        assert!(!is_namespace_file("default.db-wal"));
    }

    #[test]
    fn a_bad_name_is_told_what_is_wrong_with_it() {
        assert!(check("").unwrap_err().contains("no name"));
        assert!(check(&"x".repeat(129)).unwrap_err().contains("129 bytes"));
        assert!(check("a\nb").unwrap_err().contains("U+000A"));
    }
}
