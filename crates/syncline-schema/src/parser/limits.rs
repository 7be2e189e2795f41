//! What SQLite and the document keys do not allow: too many columns, names equal but for case,
//! reserved names, names that were used before.

use std::{collections::BTreeMap, ops::Range};

use apollo_compiler::{Node, ast::ObjectTypeDefinition};

use super::{
    definitions::Definitions,
    drafts::place_of,
    finding::{Checked, Finding, Findings, Spanned},
};
use crate::{EmbeddedType, Field, FieldKind, Model, Schema};

/// SQLite's greatest number of columns in a table.
const COLUMNS_MAX: usize = 2000;

/// Checks the whole schema; one error per definition.
pub(super) fn check(definitions: &Definitions<'_>, schema: &Schema, findings: &mut Findings) {
    let nodes = |name: &str| {
        let mut all = definitions.models.iter().chain(&definitions.embedded);
        all.find(|node| node.name == name).copied()
    };
    for embedded in &schema.embedded {
        let checked =
            nodes(&embedded.name).map_or(Ok(()), |node| check_fields(node, &embedded.fields, std::iter::empty()));
        findings.keep(checked);
    }
    let mut tables = Tables::default();
    for model in &schema.models {
        // A join model has no definition of its own; its place is the relation that names it.
        let node = nodes(&model.name).or_else(|| joined_by(schema, &model.name).and_then(nodes));
        if let Some(node) = node {
            let checked = check_model(schema, model, node, &mut tables);
            findings.keep(checked);
        }
    }
}

fn joined_by<'a>(schema: &'a Schema, join: &str) -> Option<&'a str> {
    let joins = |model: &&Model| {
        let mut relations = model.relations.iter();
        relations.any(|relation| relation.join_model.as_deref() == Some(join))
    };
    schema.models.iter().find(joins).map(|model| model.name.as_str())
}

/// Table names taken so far, in lower case.
#[derive(Default)]
struct Tables(BTreeMap<String, String>);

fn check_model(schema: &Schema, model: &Model, node: &Node<ObjectTypeDefinition>, tables: &mut Tables) -> Checked<()> {
    let span = node.name.span();
    refuse_reserved("model", &model.name, &span)?;
    if let Some(other) = tables.0.insert(model.name.to_lowercase(), model.name.clone()) {
        return Err(Finding::error(span, format!("models `{other}` and `{}` differ only in case", model.name))
            .help("SQLite sees one table name; rename one"));
    }
    for old in &model.renamed_from {
        let taken = schema
            .models
            .iter()
            .find(|other| other.name != model.name && (other.name == *old || other.renamed_from.contains(old)));
        if let Some(other) = taken {
            return Err(Finding::error(
                span,
                format!("`{}` was renamed from `{old}`, a name that `{}` claims, too", model.name, other.name),
            )
            .help("records of the old name can only belong to one model; give the other a fresh name"));
        }
    }
    let relations = model.relations.iter().map(|relation| relation.name.as_str());
    check_fields(node, &model.fields, relations)?;
    let columns = columns(schema, &model.fields);
    if columns > COLUMNS_MAX {
        return Err(Finding::error(
            span,
            format!("`{}` needs {columns} columns, and SQLite's tables have {COLUMNS_MAX} at most", model.name),
        )
        .help("embedded types count with all their fields; move some into a model of their own, or into AWSJSON"));
    }
    Ok(())
}

fn check_fields<'a>(
    node: &Node<ObjectTypeDefinition>,
    fields: &'a [Field],
    relations: impl Iterator<Item = &'a str>,
) -> Checked<()> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for name in fields.iter().map(|field| field.name.as_str()).chain(relations) {
        let span = place_of(node, name);
        refuse_reserved("field", name, &span)?;
        if let Some(other) = names.insert(name.to_lowercase(), name) {
            let (message, help) = if other == name {
                (
                    format!("`{}` has two fields named `{name}`", node.name),
                    "rename or remove one; one of them may be implied by a relation or rule",
                )
            } else {
                (
                    format!("fields `{other}` and `{name}` differ only in case"),
                    "SQLite sees one column name; rename one",
                )
            };
            return Err(Finding::error(span, message).help(help));
        }
    }
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    for field in fields {
        if let Some(other) = keys.insert(&field.document_key, &field.name) {
            return Err(Finding::error(
                place_of(node, &field.name),
                format!("`{other}` and `{}` both keep their values under `{}`", field.name, field.document_key),
            )
            .help(
                "values stay under a field's first name for ever; a new field needs a name that no field had before",
            ));
        }
    }
    Ok(())
}

fn refuse_reserved(what: &str, name: &str, span: &Range<usize>) -> Checked<()> {
    let lower = name.to_lowercase();
    for prefix in ["syncline_", "sqlite_"] {
        if lower.starts_with(prefix) {
            return Err(Finding::error(
                span.clone(),
                format!("{what} `{name}` starts with `{prefix}`, which is reserved"),
            )
            .help("choose another name"));
        }
    }
    // One of SQLite's three names for the row number must stay free.
    if lower == "_rowid_" {
        return Err(
            Finding::error(span.clone(), format!("{what} `{name}` has a name of SQLite's")).help("choose another name")
        );
    }
    Ok(())
}

/// Columns of a table: embedded types are flattened. Cut off where it gets absurd: types that hold
/// types twice over grow exponentially.
fn columns(schema: &Schema, fields: &[Field]) -> usize {
    let mut known = BTreeMap::new();
    fields.iter().fold(0, |sum: usize, field| sum.saturating_add(width(schema, field, &mut known)))
}

fn width<'a>(schema: &'a Schema, field: &'a Field, known: &mut BTreeMap<&'a str, usize>) -> usize {
    let FieldKind::Embedded(name) = &field.kind else {
        return 1;
    };
    if let Some(width) = known.get(name.as_str()) {
        return *width;
    }
    let embedded: Option<&EmbeddedType> = schema.embedded_type(name);
    let inner = embedded.into_iter().flat_map(|embedded| &embedded.fields);
    let sum = inner.fold(0, |sum: usize, field| sum.saturating_add(width(schema, field, known)));
    known.insert(name, sum);
    sum
}
