//! How records are named (`@primaryKey`), and the indexes of a model.

use std::ops::Range;

use apollo_compiler::{
    Node,
    ast::{Directive, FieldDefinition},
};

use super::{
    directives,
    drafts::{Draft, IndexDraft, place_of},
    fields,
    finding::{Checked, Finding, Spanned},
    models::refuse_extras,
};
use crate::{FieldKind, Key, Managed, Merge, Scalar};

/// Finds the key, puts its fields first, adds `id` where it is the key and not written.
pub(super) fn resolve(draft: &mut Draft<'_>) -> Checked<()> {
    let Some((field, directive)) = primary_key(draft)? else {
        return manage_id(draft);
    };
    let sort = directives::names(directive, "sortKeyFields")?.unwrap_or_default();
    if field.name == "id" && sort.is_empty() {
        return manage_id(draft);
    }
    let mut key = vec![field.name.to_string()];
    check_key_field(draft, &field.name, &field.name.span())?;
    for part in sort {
        check_key_field(draft, part.text, &part.span)?;
        if key.iter().any(|name| name == part.text) {
            return Err(Finding::error(part.span, format!("the key names `{}` twice", part.text)).help("remove one"));
        }
        key.push(part.text.to_owned());
    }
    let place = |name: &str| key.iter().position(|part| part == name).unwrap_or(key.len());
    draft.model.fields.sort_by_key(|field| place(&field.name));
    draft.model.key = Key::Custom(key);
    Ok(())
}

type Marked<'a> = (&'a Node<FieldDefinition>, &'a Node<Directive>);

fn primary_key<'a>(draft: &Draft<'a>) -> Checked<Option<Marked<'a>>> {
    let node = draft.node;
    let mut marked = node
        .fields
        .iter()
        .filter_map(|field| directives::find(&field.directives, "primaryKey").map(|directive| (field, directive)));
    let first = marked.next();
    if let Some((second, directive)) = marked.next() {
        return Err(Finding::error(
            directives::name_span(directive),
            format!("`{}` has a second primary key, `{}`", node.name, second.name),
        )
        .help("a model has one; further parts of the key go into `sortKeyFields`"));
    }
    Ok(first)
}

fn check_key_field(draft: &Draft<'_>, name: &str, span: &Range<usize>) -> Checked<()> {
    let field = draft.expect_field(name, span)?;
    let scalar = match &field.kind {
        FieldKind::Scalar(scalar) if *scalar != Scalar::Json => *scalar,
        FieldKind::Scalar(_)
        | FieldKind::Enum(_)
        | FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => {
            return Err(Finding::error(
                span.clone(),
                format!("`{name}` cannot be part of the key: it is not a scalar"),
            )
            .help("keys are made of scalars other than AWSJSON; a `String` can hold an enum's value"));
        }
    };
    if !field.required {
        return Err(Finding::error(span.clone(), format!("`{name}` is part of the key and may be empty"))
            .help(format!("write `{name}: {}!`", scalar.name())));
    }
    if field.merge != Merge::Winner || field.default.is_some() || field.local {
        return Err(Finding::error(
            span.clone(),
            format!("`{name}` is part of the key, which is given once and never changes"),
        )
        .help("remove `@merge`, `@default` and `@local` from it"));
    }
    if draft.model.timestamps.updated_at.as_deref() == Some(name) {
        return Err(Finding::error(
            span.clone(),
            format!("`{name}` changes with every edit and cannot be part of the key"),
        )
        .help("use the creation time, or turn this time off with `@model(timestamps: {updatedAt: null})`"));
    }
    Ok(())
}

/// Makes `id` the first field, written or not.
fn manage_id(draft: &mut Draft<'_>) -> Checked<()> {
    let span = place_of(draft.node, "id");
    if draft.relations.iter().any(|relation| relation.field.name == "id") {
        return Err(Finding::error(span, "`id` names the record and cannot be a relation").help("rename the relation"));
    }
    let written = draft.model.fields.iter().position(|field| field.name == "id");
    let mut id = match written {
        Some(at) => draft.model.fields.remove(at),
        None => fields::implicit("id", Scalar::Id, Managed::Id),
    };
    if !matches!(id.kind, FieldKind::Scalar(Scalar::Id | Scalar::String)) {
        return Err(Finding::error(span, "`id` is generated and cannot be of this type")
            .help("write `id: ID!`, or choose a key of your own with `@primaryKey`"));
    }
    refuse_extras(&id, &span)?;
    id.managed = Managed::Id;
    id.required = true;
    draft.model.fields.insert(0, id);
    Ok(())
}

/// Notes the `@index` directives; their columns are checked when every field is known.
pub(super) fn collect_indexes(draft: &mut Draft<'_>) -> Checked<()> {
    for field in &draft.node.fields {
        for directive in field.directives.iter().filter(|directive| directive.name == "index") {
            let index = index(field, directive)?;
            draft.indexes.push(index);
        }
    }
    Ok(())
}

fn index(field: &FieldDefinition, directive: &Node<Directive>) -> Checked<IndexDraft> {
    directives::string(directive, "queryField")?;
    let sort = directives::names(directive, "sortKeyFields")?.unwrap_or_default();
    let mut fields = vec![(field.name.to_string(), field.name.span())];
    fields.extend(sort.into_iter().map(|part| (part.text.to_owned(), part.span)));
    let name = match directives::string(directive, "name")? {
        Some(name) if name.text.trim().is_empty() => {
            return Err(Finding::error(name.span, "an index cannot be nameless")
                .help("give it a name, such as \"byOwner\", or leave `name` out"));
        }
        Some(name) => name.text.to_owned(),
        None => default_name(&fields),
    };
    Ok(IndexDraft { name, span: directives::name_span(directive), fields })
}

/// `byAuthorAndCreatedAt`.
fn default_name(fields: &[(String, Range<usize>)]) -> String {
    let words: Vec<String> = fields.iter().map(|(name, _)| capitalised(name)).collect();
    format!("by{}", words.join("And"))
}

/// The word with a capital first letter.
pub(super) fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
