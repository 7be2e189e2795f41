//! House rules: which crate may know which, and that no file is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Which crates of ours a crate may depend on. What is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("syncline-schema", &[]),
    ("syncline-core", &["syncline-schema"]),
    ("syncline-engine", &["syncline-core", "syncline-schema"]),
    ("syncline-net", &["syncline-core"]),
    ("syncline-macros", &["syncline-schema"]),
    ("syncline", &["syncline-engine", "syncline-net", "syncline-macros", "syncline-core", "syncline-schema"]),
    ("syncline-relay", &["syncline-engine", "syncline-net", "syncline-core"]),
    ("syncline-sim", &["syncline-engine", "syncline-core", "syncline-schema"]),
    ("syncline-cli", &["syncline", "syncline-relay", "syncline-sim", "syncline-schema"]),
];

/// Crates of others that would bring in what a crate must not know.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("syncline-schema", &["tokio", "quinn", "rusqlite", "automerge", "getrandom"]),
    ("syncline-core", &["tokio", "quinn", "rusqlite", "getrandom", "apollo-compiler"]),
    ("syncline-engine", &["tokio", "quinn", "getrandom", "apollo-compiler"]),
    ("syncline-net", &["rusqlite", "automerge"]),
    ("syncline-sim", &["tokio", "quinn", "getrandom"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(folder: &Path) -> Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

/// The workspace's packages by name.
fn packages() -> BTreeMap<String, (PathBuf, Table)> {
    let workspace = manifest(&root());
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| root().join(member.as_str().unwrap()));
    let named = folders.map(|folder| {
        let manifest = manifest(&folder);
        (manifest["package"]["name"].as_str().unwrap().to_owned(), (folder, manifest))
    });
    named.collect()
}

/// What a package is built with, tests left out.
fn dependencies(manifest: &Table) -> BTreeMap<&str, &Value> {
    let plain = manifest.get("dependencies").into_iter();
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets.into_iter().flat_map(Table::values).filter_map(|target| target.get("dependencies"));
    let tables = plain.chain(of_targets).filter_map(Value::as_table);
    tables.flatten().map(|(name, how)| (name.as_str(), how)).collect()
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let packages = packages();
    for (name, allowed) in ARROWS {
        let (_, manifest) = &packages[*name];
        for dependency in dependencies(manifest).keys().filter(|name| packages.contains_key(**name)) {
            assert!(allowed.contains(dependency), "{name} → {dependency} is no arrow of the design");
        }
    }
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let tools = ["syncline-tests", "syncline-bench"];
    for name in packages.keys().filter(|name| !tools.contains(&name.as_str())) {
        assert!(listed.contains(name.as_str()), "{name} has no line among the arrows");
    }
}

#[test]
fn crates_do_not_bring_in_what_they_must_not_know() {
    let packages = packages();
    for (name, forbidden) in FORBIDDEN {
        let (_, manifest) = &packages[*name];
        let dependencies = dependencies(manifest);
        for dependency in *forbidden {
            let optional_parser = *name == "syncline-schema";
            assert!(optional_parser || !dependencies.contains_key(dependency), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn the_core_knows_the_schema_without_its_parser() {
    let packages = packages();
    let workspace = manifest(&root());
    let shared = &workspace["workspace"]["dependencies"]["syncline-schema"];
    assert_eq!(shared["default-features"], Value::Boolean(false));
    let (_, core) = &packages["syncline-core"];
    let features = dependencies(core)["syncline-schema"].get("features").and_then(Value::as_array);
    let parser = features.is_some_and(|features| features.iter().any(|one| one.as_str() == Some("parser")));
    assert!(!parser, "the core asks for the parser");
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "peers" && !name.starts_with('.') {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    assert!(files.len() > 100, "only {} files were found", files.len());
    let without = files.iter().filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//! "));
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

#[test]
fn no_file_of_tests_is_forgotten() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let folder = file.parent().unwrap();
        let parent = match (stem, folder == source) {
            ("main" | "lib", true) => continue,
            ("mod", false) => source.join("main.rs"),
            (_, true) => source.join("main.rs"),
            (_, false) => folder.join("mod.rs"),
        };
        let module = if stem == "mod" { folder.file_name().unwrap().to_str().unwrap() } else { stem };
        let text = std::fs::read_to_string(&parent).unwrap();
        let declared = text
            .lines()
            .any(|line| line.trim_end_matches(';').split(' ').next_back() == Some(module) && line.contains("mod "));
        assert!(declared, "{} is not declared in {}", file.display(), parent.display());
    }
}

#[test]
fn words_that_the_design_does_not_use_are_not_used() {
    // Public names that would hide who decides.
    let banned = ["Manager", "Service", "Helper", "Utils"];
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("pub struct") || line.trim_start().starts_with("pub trait"))
        {
            assert!(!banned.iter().any(|word| line.contains(word)), "{}: {line}", file.display());
        }
    }
}
