//! The directives: which there are, where they may stand, which arguments they take, and how the
//! arguments are read.

use std::ops::Range;

use apollo_compiler::{
    Name, Node,
    ast::{Argument, Directive, DirectiveList, Value},
};

use super::finding::{Checked, Finding, Findings, Spanned};
use crate::did_you_mean;

/// Where a directive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Model,
    Field,
    Embedded,
    EmbeddedField,
    Enum,
    EnumValue,
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::Field => "a model's field",
            Self::Embedded => "an embedded type",
            Self::EmbeddedField => "an embedded type's field",
            Self::Enum => "an enum",
            Self::EnumValue => "an enum value",
        }
    }
}

/// One directive that is carried over.
struct Known {
    name: &'static str,
    places: &'static [Place],
    arguments: &'static [&'static str],
    repeatable: bool,
}

const fn known(name: &'static str, places: &'static [Place], arguments: &'static [&'static str]) -> Known {
    Known { name, places, arguments, repeatable: false }
}

const EVERYWHERE: &[Place] =
    &[Place::Model, Place::Field, Place::Embedded, Place::EmbeddedField, Place::Enum, Place::EnumValue];

const KNOWN: &[Known] = &[
    known("model", &[Place::Model], &["queries", "mutations", "subscriptions", "timestamps", "deletes"]),
    known("primaryKey", &[Place::Field], &["sortKeyFields"]),
    Known { repeatable: true, ..known("index", &[Place::Field], &["name", "queryField", "sortKeyFields"]) },
    known("default", &[Place::Field, Place::EmbeddedField], &["value"]),
    known("hasOne", &[Place::Field], &["fields", "onDelete"]),
    known("hasMany", &[Place::Field], &["indexName", "fields", "limit", "onDelete"]),
    known("belongsTo", &[Place::Field], &["fields"]),
    known("manyToMany", &[Place::Field], &["relationName", "limit"]),
    known("auth", &[Place::Model, Place::Field], &["rules"]),
    known("local", &[Place::Model], &[]),
    known("text", &[Place::Field], &["rich"]),
    known("counter", &[Place::Field], &[]),
    known("set", &[Place::Field], &[]),
    known("merge", &[Place::Field, Place::EmbeddedField], &["with"]),
    known("renamed", &[Place::Model, Place::Field, Place::EmbeddedField], &["from"]),
    known("fulltext", &[Place::Field], &["tokenize"]),
    known("deprecated", EVERYWHERE, &["reason"]),
];

/// Directives of Gen 1 that mean something outside of the store: name, what is lost.
const NOT_CARRIED: &[(&str, &str)] = &[
    ("function", "Syncline calls no functions; call it from the app, or watch the records from a server of yours"),
    ("http", "Syncline calls no HTTP endpoints; call it from the app"),
    ("predictions", "there are no predictions; call the service from the app"),
    ("searchable", "there is no search cluster; `@fulltext` on the text fields makes them searchable on the device"),
    (
        "mapsTo",
        "tables are named as their models; for a model that had another name in Syncline write `@renamed(from:)`",
    ),
    ("versioned", "every record keeps its causal version; the directive can go"),
    ("sql", "Syncline runs no SQL of the schema; query in the app"),
    ("refersTo", "tables are named as their models"),
    ("aws_api_key", AWS),
    ("aws_auth", AWS),
    ("aws_cognito_user_pools", AWS),
    ("aws_iam", AWS),
    ("aws_lambda", AWS),
    ("aws_oidc", AWS),
    ("aws_publish", AWS),
    ("aws_subscribe", AWS),
];

const AWS: &str = "access is decided by `@auth` rules and the relay's tokens";

/// Checks names, places, repetitions and argument names of a list of directives.
pub(super) fn check(list: &DirectiveList, place: Place, findings: &mut Findings) -> Checked<()> {
    for (at, directive) in list.iter().enumerate() {
        let Some(known) = KNOWN.iter().find(|known| known.name == directive.name.as_str()) else {
            findings.push(foreign(directive)?);
            continue;
        };
        check_place(known, directive, place)?;
        let earlier = list[..at].iter().any(|other| other.name == directive.name);
        if earlier && !known.repeatable {
            return Err(
                Finding::error(name_span(directive), format!("`@{}` stands here twice", known.name)).help("keep one")
            );
        }
        check_arguments(known, directive)?;
    }
    Ok(())
}

fn check_place(known: &Known, directive: &Node<Directive>, place: Place) -> Checked<()> {
    if known.places.contains(&place) {
        return Ok(());
    }
    let places: Vec<_> = known.places.iter().map(|place| place.words()).collect();
    Err(Finding::error(name_span(directive), format!("`@{}` cannot stand on {}", known.name, place.words()))
        .help(format!("it belongs on {}", places.join(", "))))
}

fn check_arguments(known: &Known, directive: &Node<Directive>) -> Checked<()> {
    let arguments = &directive.arguments;
    for (at, argument) in arguments.iter().enumerate() {
        let name = &argument.name;
        if !known.arguments.contains(&name.as_str()) {
            let candidates = known.arguments.iter().copied();
            let cure = did_you_mean(name, candidates).unwrap_or_else(|| match known.arguments {
                [] => "it takes none".to_owned(),
                some => format!("it takes {}", some.join(", ")),
            });
            return Err(Finding::error(name.span(), format!("`@{}` has no argument `{name}`", known.name)).help(cure));
        }
        if arguments[..at].iter().any(|other| other.name == *name) {
            return Err(Finding::error(name.span(), format!("argument `{name}` is given twice")).help("keep one"));
        }
    }
    Ok(())
}

/// The warning or error for a directive that is not ours.
fn foreign(directive: &Node<Directive>) -> Checked<Box<Finding>> {
    let name = directive.name.as_str();
    let span = name_span(directive);
    if let Some((_, lost)) = NOT_CARRIED.iter().find(|(known, _)| *known == name) {
        return Ok(Finding::warning(span, format!("`@{name}` is not carried over")).help(*lost));
    }
    let replaced =
        |rewrite: &str| Err(Finding::error(span.clone(), format!("`@{name}` has been replaced")).help(rewrite));
    match name {
        "key" => replaced(&key_rewrite(directive)),
        "connection" => replaced(
            "a list: `comments: [Comment] @hasMany(indexName: \"byPost\", fields: [\"id\"])`; one record that refers back: `post: Post @belongsTo(fields: [\"postID\"])`; one record: `team: Team @hasOne`",
        ),
        _ => {
            let all: Vec<String> = KNOWN.iter().map(|known| format!("@{}", known.name)).collect();
            let written = format!("@{name}");
            let cure = did_you_mean(&written, all.iter().map(String::as_str))
                .unwrap_or_else(|| format!("there are {}", all.join(", ")));
            Err(Finding::error(span, format!("there is no directive `@{name}`")).help(cure))
        }
    }
}

/// What this very `@key` is called today.
fn key_rewrite(directive: &Node<Directive>) -> String {
    let fields = names(directive, "fields").ok().flatten().unwrap_or_default();
    let texts: Vec<&str> = fields.iter().map(|field| field.text).collect();
    let [first, rest @ ..] = &texts[..] else {
        return "mark the field itself: `@primaryKey`, or `@index(name: …)`".to_owned();
    };
    let quoted: Vec<String> = rest.iter().map(|name| format!("\"{name}\"")).collect();
    let sort = (!rest.is_empty()).then(|| format!("sortKeyFields: [{}]", quoted.join(", ")));
    let index = string(directive, "name").ok().flatten();
    let written = match (index, sort) {
        (Some(index), Some(sort)) => format!("@index(name: \"{}\", {sort})", index.text),
        (Some(index), None) => format!("@index(name: \"{}\")", index.text),
        (None, Some(sort)) => format!("@primaryKey({sort})"),
        (None, None) => "@primaryKey".to_owned(),
    };
    format!("write `{written}` behind the field `{first}`")
}

/// Whether Syncline has a directive of that name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|known| known.name == name)
}

/// The directive of that name.
pub(super) fn find<'a>(list: &'a DirectiveList, name: &str) -> Option<&'a Node<Directive>> {
    list.iter().find(|directive| directive.name == name)
}

/// `@name`, without the arguments.
pub(super) fn name_span(directive: &Node<Directive>) -> Range<usize> {
    let span = directive.span();
    span.start..directive.name.span().end.max(span.start)
}

/// A text of the file, with its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

/// The argument of that name, if it is written; `null` counts as not written.
pub(super) fn argument<'a>(directive: &'a Directive, name: &str) -> Option<&'a Node<Argument>> {
    let mut arguments = directive.arguments.iter();
    arguments.find(|argument| argument.name == name && !argument.value.is_null())
}

/// A string argument.
pub(super) fn string<'a>(directive: &'a Directive, name: &str) -> Checked<Option<Text<'a>>> {
    argument(directive, name).map(|argument| expect_string(&argument.value, name)).transpose()
}

/// An argument that is a list of strings; one string counts as a list of one.
pub(super) fn names<'a>(directive: &'a Directive, name: &str) -> Checked<Option<Vec<Text<'a>>>> {
    argument(directive, name).map(|argument| expect_strings(&argument.value, name)).transpose()
}

/// A boolean argument.
pub(super) fn boolean(directive: &Directive, name: &str) -> Checked<Option<bool>> {
    argument(directive, name)
        .map(|argument| {
            let value = argument.value.to_bool();
            value.ok_or_else(|| wrong(&argument.value, name, "true or false"))
        })
        .transpose()
}

/// A word of the schema language, as in `with: max`; the same in quotes is taken, too.
pub(super) fn word<'a>(directive: &'a Directive, name: &str) -> Checked<Option<Text<'a>>> {
    argument(directive, name).map(|argument| expect_word(&argument.value, name)).transpose()
}

pub(super) fn expect_word<'a>(value: &'a Node<Value>, name: &str) -> Checked<Text<'a>> {
    let text = value.as_enum().map(Name::as_str).or_else(|| value.as_str());
    let text = text.ok_or_else(|| wrong(value, name, "a word"))?;
    Ok(Text { text, span: value.span() })
}

pub(super) fn expect_string<'a>(value: &'a Node<Value>, name: &str) -> Checked<Text<'a>> {
    let text = value.as_str().ok_or_else(|| wrong(value, name, "a string in double quotes"))?;
    Ok(Text { text, span: value.span() })
}

pub(super) fn expect_strings<'a>(value: &'a Node<Value>, name: &str) -> Checked<Vec<Text<'a>>> {
    let Some(items) = value.as_list() else {
        let one = expect_string(value, name);
        return one.map(|text| vec![text]).map_err(|_| wrong(value, name, "a list of strings, such as [\"a\", \"b\"]"));
    };
    items.iter().map(|item| expect_string(item, name)).collect()
}

/// The error for an argument of the wrong type.
pub(super) fn wrong(value: &Node<Value>, name: &str, expected: &str) -> Box<Finding> {
    Finding::error(value.span(), format!("`{name}` takes {expected}, not {}", kind_of(value)))
        .help(format!("write {expected}"))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Enum(_) => "a bare word",
        Value::Variable(_) => "a variable",
        Value::String(_) => "a string",
        Value::Float(_) => "a fraction",
        Value::Int(_) => "an integer",
        Value::Boolean(_) => "a boolean",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}
