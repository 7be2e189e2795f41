//! What the names of a schema are in Rust: cases, keywords, and collisions that cases make.

use proc_macro2::{Ident, Span};
use std::collections::{BTreeMap, BTreeSet};

use super::ids::Ids;
use crate::{Field, Model, Schema};

/// Words that name nothing in Rust unless written as `r#…`, in any edition.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Words that not even `r#…` makes usable.
const UNUSABLE: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// Names of a scope that are taken. Whoever comes later and wants a taken one gets another.
#[derive(Default)]
pub(crate) struct Taken(BTreeSet<String>);

impl Taken {
    /// The first of the candidates that is free, or the last with underscores behind it.
    pub(crate) fn claim<'a>(&mut self, candidates: impl IntoIterator<Item = &'a str>) -> Ident {
        let mut name = String::new();
        for candidate in candidates {
            name = usable(candidate);
            if self.0.insert(name.clone()) {
                return ident(&name);
            }
        }
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        ident(&name)
    }
}

/// What the schema's types and the modules of their fields are called: one scope.
pub(crate) struct TypeNames<'a> {
    pub(crate) ids: Ids<'a>,
    types: BTreeMap<String, Ident>,
    modules: BTreeMap<String, Ident>,
}

impl<'a> TypeNames<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let mut taken = Taken::default();
        let models = schema.models.iter().map(|model| model.name.as_str());
        let enums = schema.enums.iter().map(|e| e.name.as_str());
        let embedded = schema.embedded.iter().map(|e| e.name.as_str());
        // Types first: a module gives way to a type, never a type to a module.
        let types =
            models.clone().chain(enums).chain(embedded).map(|name| (name.to_owned(), taken.claim([name]))).collect();
        let modules = models
            .map(|name| {
                let snake = snake(name);
                let longer = format!("{snake}_fields");
                (name.to_owned(), taken.claim([snake.as_str(), &longer]))
            })
            .collect();
        Self { ids: Ids::new(schema), types, modules }
    }

    /// The Rust type of a model, enum or embedded type.
    pub(crate) fn of_type(&self, name: &str) -> Ident {
        self.types.get(name).cloned().unwrap_or_else(|| ident(&usable(name)))
    }

    /// The module with a model's fields.
    pub(crate) fn module(&self, model: &str) -> Ident {
        self.modules.get(model).cloned().unwrap_or_else(|| ident(&usable(&snake(model))))
    }
}

/// Names of a struct's members, one for each field. Fields that are in snake case already keep
/// their names, whatever stands before them.
pub(crate) fn members(fields: &[Field]) -> Vec<Ident> {
    claim_members(&mut Taken::default(), fields)
}

/// Names of a model's relations, which stand in one module with its fields and give way to them.
pub(crate) fn relations(model: &Model) -> Vec<Ident> {
    let mut taken = Taken::default();
    claim_members(&mut taken, &model.fields);
    model.relations.iter().map(|relation| taken.claim([snake(&relation.name).as_str()])).collect()
}

fn claim_members(taken: &mut Taken, fields: &[Field]) -> Vec<Ident> {
    let mut named = BTreeMap::new();
    for field in fields.iter().filter(|field| snake(&field.name) == field.name) {
        named.insert(&field.name, taken.claim([field.name.as_str()]));
    }
    let claim = |field: &Field| {
        let kept = named.get(&field.name).cloned();
        kept.unwrap_or_else(|| taken.claim([snake(&field.name).as_str()]))
    };
    fields.iter().map(claim).collect()
}

/// Names of an enum's variants, one for each value, and that of the variant for all others.
pub(crate) fn variants(values: &[String]) -> (Vec<Ident>, Ident) {
    let mut taken = Taken::default();
    let variants = values.iter().map(|value| taken.claim([pascal(value).as_str(), value])).collect();
    (variants, taken.claim(["Unlisted"]))
}

/// `createdAt` → `created_at`, `customerID` → `customer_id`, `HTTPServer` → `http_server`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let after = letters.get(index + 1);
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            });
        if starts_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `IN_PROGRESS` → `InProgress`, `inProgress` → `InProgress`, `_3D` → `_3d`.
fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let shouted = !word.contains(|letter: char| letter.is_ascii_lowercase());
        let (first, rest) = word.split_at(word.len().min(1));
        let rest = if shouted { rest.to_ascii_lowercase() } else { rest.to_owned() };
        first.to_ascii_uppercase() + &rest
    });
    let pascal: String = words.collect();
    if pascal.starts_with(|letter: char| letter.is_ascii_alphabetic()) { pascal } else { format!("_{pascal}") }
}

/// The name, changed if Rust has no way to write it.
fn usable(name: &str) -> String {
    if UNUSABLE.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

fn ident(name: &str) -> Ident {
    if KEYWORDS.contains(&name) { Ident::new_raw(name, Span::call_site()) } else { Ident::new(name, Span::call_site()) }
}

#[cfg(all(test, feature = "parser"))]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_snake_case() {
        for (name, expected) in [
            ("title", "title"),
            ("createdAt", "created_at"),
            ("customerID", "customer_id"),
            ("HTTPServer", "http_server"),
            ("usDvdSales", "us_dvd_sales"),
            ("address2Line", "address2_line"),
            ("already_snake", "already_snake"),
            ("_x", "_x"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn variants_are_in_pascal_case() {
        for (name, expected) in [
            ("KEEN", "Keen"),
            ("IN_PROGRESS", "InProgress"),
            ("inProgress", "InProgress"),
            ("PG13", "Pg13"),
            ("_3D", "_3d"),
            ("__", "_"),
        ] {
            assert_eq!(pascal(name), expected);
        }
    }

    #[test]
    fn values_that_differ_only_in_case_become_different_variants() {
        let values = ["OPEN", "Open", "open", "Unlisted", "SELF", "_"].map(str::to_owned);
        let (variants, other) = variants(&values);
        let variants: Vec<String> = variants.iter().map(Ident::to_string).collect();
        assert_eq!(variants, ["Open", "Open_", "open", "Unlisted", "Self_", "__"]);
        assert_eq!(other.to_string(), "Unlisted_");
    }

    #[test]
    fn a_module_gives_way_to_a_type_of_its_name() {
        let sdl = "type Todo @model { a: todo } type todo { b: Int } type FooBar @model { a: Int } type foo_Bar @model { a: Int }";
        let schema = crate::parse("test", sdl).unwrap().schema;
        let names = TypeNames::new(&schema);
        assert_eq!(names.of_type("todo").to_string(), "todo");
        assert_eq!(names.module("Todo").to_string(), "todo_fields");
        assert_eq!(names.module("FooBar").to_string(), "foo_bar");
        assert_eq!(names.module("foo_Bar").to_string(), "foo_bar_fields");
    }
}
