//! Relations to one record: `@hasOne` and `@belongsTo`.

use super::{
    Checked, Draft, Finding, Relation, RelationDraft, RelationKind, Spanned, directives, find, foreign_keys, holds,
    names_of,
};

pub(super) fn has_one(drafts: &mut [Draft<'_>], at: usize, relation: &RelationDraft<'_>) -> Checked<Option<Relation>> {
    own_key(drafts, at, relation)
}

/// Uses the foreign key that the other side's `@hasMany` made; has one of its own otherwise.
pub(super) fn belongs_to(
    drafts: &mut [Draft<'_>],
    at: usize,
    relation: &RelationDraft<'_>,
) -> Checked<Option<Relation>> {
    if directives::argument(relation.directive, "fields").is_some() {
        return own_key(drafts, at, relation);
    }
    let Some(target) = find(drafts, relation.target) else {
        return Ok(None);
    };
    let own_name = drafts[at].name();
    let back = |other: &&RelationDraft<'_>| other.kind == RelationKind::HasMany && other.target.as_str() == own_name;
    let sides: Vec<_> = drafts[target].relations.iter().filter(back).collect();
    match &sides[..] {
        [] => own_key(drafts, at, relation),
        [side] => {
            let Some(side) = side.resolved.clone() else {
                return Ok(None);
            };
            if relation.field.ty.is_non_null() {
                require(&mut drafts[at], &side.fields);
            }
            Ok(Some(Relation { fields: side.fields, references: side.references, ..bare(relation) }))
        }
        [first, second, ..] => Err(Finding::error(
            relation.field.name.span(),
            format!(
                "`{}` could answer to `{}` or to `{}` of `{}`",
                relation.field.name, first.field.name, second.field.name, relation.target
            ),
        )
        .help("name the fields that hold the key: `@belongsTo(fields: [\"…\"])`")),
    }
}

/// A reference that must be there stands in fields that must have a value. Written ones say so themselves.
fn require(draft: &mut Draft<'_>, fields: &[String]) {
    for field in draft.foreign_keys.iter_mut().filter(|field| fields.contains(&field.name)) {
        field.required = true;
    }
}

/// The other record's key stands on this model, in named fields or in implied ones.
fn own_key(drafts: &mut [Draft<'_>], at: usize, relation: &RelationDraft<'_>) -> Checked<Option<Relation>> {
    let Some(target) = find(drafts, relation.target) else {
        return Ok(None);
    };
    let key = drafts[target].key_parts();
    let required = relation.field.ty.is_non_null();
    let fields = match directives::names(relation.directive, "fields")? {
        Some(texts) if texts.is_empty() => {
            return Err(Finding::error(directives::name_span(relation.directive), "`fields` is empty")
                .help("name the fields that hold the other record's key, or leave `fields` out"));
        }
        Some(texts) => holds(&drafts[at], &texts, &key, relation.target)?,
        None => {
            let now = [drafts[at].name().to_owned(), relation.field.name.to_string()];
            let first = [drafts[at].first_name().to_owned(), relation.first_name.clone()];
            foreign_keys(
                &mut drafts[at],
                [&now[0], &now[1]],
                [&first[0], &first[1]],
                &key,
                required,
                &relation.field.name.span(),
            )?
        }
    };
    Ok(Some(Relation { fields, references: names_of(&key), ..bare(relation) }))
}

/// The relation without its fields.
pub(super) fn bare(relation: &RelationDraft<'_>) -> Relation {
    Relation {
        name: relation.field.name.to_string(),
        model: relation.target.to_string(),
        kind: relation.kind,
        fields: Vec::new(),
        references: Vec::new(),
        required: relation.field.ty.is_non_null(),
        join_model: None,
        on_delete: relation.on_delete,
    }
}
