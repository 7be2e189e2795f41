//! The schemas in `tests/schemas`: good ones are accepted with exactly the expected warnings, bad
//! ones refused with exactly the expected message. Expectations stand beside the schemas;
//! `UPDATE_EXPECTED=1` writes them anew, for reading in the diff.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its schemas should fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use syncline_schema::parse;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/schemas")
}

fn schemas_in(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "graphql"))
        .collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Compares with the `.expected` file beside the schema.
fn compare(path: &Path, rendered: &str) {
    let expected = path.with_extension("expected");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, rendered).unwrap();
    }
    let wanted = fs::read_to_string(&expected).unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
    assert_eq!(rendered, wanted, "{}", file_name(path));
}

#[test]
fn every_good_schema_is_accepted_with_the_expected_warnings() {
    let paths = schemas_in(&folder());
    assert!(paths.len() >= 12);
    for path in paths {
        let source = fs::read_to_string(&path).unwrap();
        let parsed = parse(&file_name(&path), &source).unwrap_or_else(|refused| panic!("{refused}"));
        compare(&path, &parsed.warnings.render(false));
    }
}

#[test]
fn every_bad_schema_is_refused_with_the_expected_message() {
    let paths = schemas_in(&folder().join("bad"));
    assert!(paths.len() >= 20);
    for path in paths {
        let source = fs::read_to_string(&path).unwrap();
        let refused = parse(&file_name(&path), &source).expect_err(&file_name(&path));
        assert!(refused.errors().next().is_some());
        compare(&path, &refused.render(false));
    }
}

/// Every schema of the folder, good and bad.
fn sources() -> Vec<String> {
    let mut paths = schemas_in(&folder());
    paths.extend(schemas_in(&folder().join("bad")));
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Roughly the tokens of SDL: words, and single other characters.
fn tokens(source: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (token, behind) = rest.split_at(word.max(first.len_utf8()));
        tokens.push(token);
        rest = behind;
    }
    tokens
}

fn parse_and_render(source: &str) {
    let diagnostics = match parse("mutated.graphql", source) {
        Ok(parsed) => parsed.warnings,
        Err(refused) => {
            assert!(refused.errors().next().is_some(), "refused without an error");
            refused
        }
    };
    diagnostics.render(false);
    for finding in &diagnostics.findings {
        assert!(source.get(finding.span.clone()).is_some(), "span {:?}", finding.span);
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Delete(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, &'static str),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    let piece = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "!",
        "@",
        ":",
        "\"",
        "\"\"\"",
        "#",
        "\n",
        "null",
        "-0",
        "1e9",
        "$x",
        "&",
        "=",
        "é",
        "\u{feff}",
        "[[",
        "type",
        "input",
        "extend",
        "@model",
        "id",
        "from: []",
        "fields: []",
        "😀",
    ]);
    prop_oneof![
        index().prop_map(Edit::Delete),
        (index(), index()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (index(), index()).prop_map(|(a, b)| Edit::Copy(a, b)),
        (index(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
    ]
}

fn apply(tokens: &mut Vec<&str>, edit: &Edit) {
    if tokens.is_empty() {
        return;
    }
    match edit {
        Edit::Delete(at) => {
            tokens.remove(at.index(tokens.len()));
        }
        Edit::Swap(a, b) => {
            let (a, b) = (a.index(tokens.len()), b.index(tokens.len()));
            tokens.swap(a, b);
        }
        Edit::Copy(from, to) => {
            let token = tokens[from.index(tokens.len())];
            tokens.insert(to.index(tokens.len()), token);
        }
        Edit::Insert(at, piece) => tokens.insert(at.index(tokens.len()), piece),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_of_tokens_makes_the_parser_panic(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let sources = sources();
        let mut tokens = tokens(which.get::<String>(&sources));
        for edit in &edits {
            apply(&mut tokens, edit);
        }
        parse_and_render(&tokens.concat());
    }

    #[test]
    fn no_edit_of_bytes_makes_the_parser_panic(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let sources = sources();
        let mut bytes = which.get(&sources).clone().into_bytes();
        for (at, byte) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        parse_and_render(&String::from_utf8_lossy(&bytes));
    }
}
