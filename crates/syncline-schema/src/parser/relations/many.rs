//! Relations to many records: `@hasMany` and `@manyToMany`.

use std::collections::BTreeMap;

use apollo_compiler::{Name, ast::Value};

use super::{
    Checked, Definitions, Draft, Finding, Findings, IndexDraft, KeyPart, Managed, Model, Relation, RelationDraft,
    RelationKind, Scalar, Spanned, camel, capitalised, directives, expect_kind, fields, find, foreign_keys, names_of,
    one::bare,
};
use crate::{Allow, AuthRule, Field, Index, Key, OnDelete, did_you_mean};

/// The other model holds this record's key: in the columns of a named index, in its own key, or
/// in implied fields.
pub(super) fn has_many(drafts: &mut [Draft<'_>], at: usize, relation: &RelationDraft<'_>) -> Checked<Option<Relation>> {
    check_limit(relation)?;
    let Some(target) = find(drafts, relation.target) else {
        return Ok(None);
    };
    let named = directives::names(relation.directive, "fields")?;
    let index = directives::string(relation.directive, "indexName")?;
    let own = match &named {
        Some(texts) => named_parts(&drafts[at], texts)?,
        None => drafts[at].key_parts(),
    };
    if own.is_empty() {
        return Err(Finding::error(directives::name_span(relation.directive), "`fields` is empty")
            .help("name this model's key, or leave `fields` out"));
    }
    let columns = match (&index, &named) {
        (Some(index), _) => index_columns(&drafts[target], index)?,
        (None, Some(_)) => names_of(&drafts[target].key_parts()),
        (None, None) => return implied(drafts, at, target, relation, &own).map(Some),
    };
    let span = index.map_or_else(|| directives::name_span(relation.directive), |index| index.span);
    if columns.len() < own.len() {
        return Err(Finding::error(
            span,
            format!("`{}` is found by {} there, and {} are given", relation.target, columns.join(", "), own.len()),
        )
        .help("the index needs one column for each of `fields`"));
    }
    for (column, part) in columns.iter().zip(&own) {
        let field = drafts[target].expect_field(column, &span)?;
        expect_kind(&field.kind, part, column, &span)?;
    }
    Ok(Some(Relation {
        fields: columns.into_iter().take(own.len()).collect(),
        references: names_of(&own),
        ..bare(relation)
    }))
}

fn check_limit(relation: &RelationDraft<'_>) -> Checked<()> {
    let Some(limit) = directives::argument(relation.directive, "limit") else {
        return Ok(());
    };
    let positive = matches!(&*limit.value, Value::Int(number)
        if number.as_str().parse::<u64>().is_ok_and(|limit| limit > 0));
    if positive {
        return Ok(());
    }
    Err(directives::wrong(&limit.value, "limit", "a positive integer"))
}

/// Named fields of this model, as the parts that the other side must hold.
fn named_parts(draft: &Draft<'_>, texts: &[directives::Text<'_>]) -> Checked<Vec<KeyPart>> {
    let mut parts = Vec::new();
    for text in texts {
        let field = draft.expect_field(text.text, &text.span)?;
        let crate::FieldKind::Scalar(scalar) = field.kind else {
            return Err(Finding::error(
                text.span.clone(),
                format!("`{}` is not a scalar that other records could refer to", text.text),
            )
            .help("name this model's key"));
        };
        parts.push(KeyPart { name: field.name.clone(), document_key: field.document_key.clone(), scalar });
    }
    Ok(parts)
}

/// Columns of the other model's index of that name.
fn index_columns(target: &Draft<'_>, name: &directives::Text<'_>) -> Checked<Vec<String>> {
    let index = target.indexes.iter().find(|index| index.name == name.text);
    let Some(index) = index else {
        let names = target.indexes.iter().map(|index| index.name.as_str());
        let cure = did_you_mean(name.text, names).unwrap_or_else(|| {
            format!("mark the field of `{}` that holds the key: `@index(name: \"{}\")`", target.name(), name.text)
        });
        return Err(
            Finding::error(name.span.clone(), format!("`{}` has no index `{}`", target.name(), name.text)).help(cure)
        );
    };
    Ok(index.fields.iter().map(|(column, _)| column.clone()).collect())
}

/// Amplify's implied foreign key `<model><Field><Key>` on the other model, with an index.
fn implied(
    drafts: &mut [Draft<'_>],
    at: usize,
    target: usize,
    relation: &RelationDraft<'_>,
    own: &[KeyPart],
) -> Checked<Relation> {
    let now = [drafts[at].name().to_owned(), relation.field.name.to_string()];
    let first = [drafts[at].first_name().to_owned(), relation.first_name.clone()];
    let span = relation.field.name.span();
    let fields = foreign_keys(&mut drafts[target], [&now[0], &now[1]], [&first[0], &first[1]], own, false, &span)?;
    let covered = drafts[target].indexes.iter().any(|index| {
        let mut columns = index.fields.iter().map(|(column, _)| column);
        fields.iter().all(|field| columns.next() == Some(field))
    });
    if !covered {
        drafts[target].indexes.push(IndexDraft {
            name: format!("by{}{}", capitalised(&now[0]), capitalised(&now[1])),
            span: span.clone(),
            fields: fields.iter().map(|field| (field.clone(), span.clone())).collect(),
        });
    }
    Ok(Relation { fields, references: names_of(own), ..bare(relation) })
}

/// One end of a `@manyToMany`: index of the draft, and of the relation in it.
type End = (usize, usize);

/// Pairs the ends by `relationName` and makes a join model of each pair.
pub(super) fn join_models(
    definitions: &Definitions<'_>,
    drafts: &mut [Draft<'_>],
    findings: &mut Findings,
) -> Vec<Model> {
    let mut pairs: BTreeMap<String, Vec<End>> = BTreeMap::new();
    for (at, draft) in drafts.iter_mut().enumerate() {
        for (nth, relation) in draft.relations.iter().enumerate() {
            if draft.failed || relation.kind != RelationKind::ManyToMany {
                continue;
            }
            let checked = check_limit(relation).and_then(|()| relation_name(relation));
            match findings.keep(checked) {
                Some(name) => pairs.entry(name).or_default().push((at, nth)),
                None => draft.failed = true,
            }
        }
    }
    let mut joins = Vec::new();
    for (name, ends) in pairs {
        let checked = join(definitions, drafts, &name, &ends);
        match findings.keep(checked) {
            Some(join) => joins.extend(join),
            None => ends.iter().for_each(|(at, _)| drafts[*at].failed = true),
        }
    }
    joins
}

fn relation_name(relation: &RelationDraft<'_>) -> Checked<String> {
    let Some(name) = directives::string(relation.directive, "relationName")? else {
        return Err(Finding::error(
            directives::name_span(relation.directive),
            "`@manyToMany` does not name the relation",
        )
        .help("give both ends the same: `@manyToMany(relationName: \"PostTags\")`"));
    };
    if Name::new(name.text).is_err() {
        return Err(Finding::error(name.span, format!("`{}` cannot be the name of a model", name.text))
            .help("names have letters, digits and `_`"));
    }
    Ok(capitalised(name.text))
}

fn join(definitions: &Definitions<'_>, drafts: &mut [Draft<'_>], name: &str, ends: &[End]) -> Checked<Option<Model>> {
    let first = &drafts[ends[0].0].relations[ends[0].1];
    let last = ends[ends.len() - 1];
    let last = &drafts[last.0].relations[last.1];
    let place = |relation: &RelationDraft<'_>| {
        let argument = directives::argument(relation.directive, "relationName");
        argument.map_or_else(|| directives::name_span(relation.directive), |argument| argument.value.span())
    };
    if let [_] = ends {
        // The other end may be missing because its model has an error of its own.
        let target = first.target.as_str();
        if drafts.iter().any(|draft| draft.name() == target && draft.failed) {
            return Ok(None);
        }
        return Err(Finding::error(place(first), format!("`{name}` has only one end"))
            .help(format!("`{}` needs a list with the same `@manyToMany(relationName: \"{name}\")`", first.target)));
    }
    let [(a, a_nth), (b, b_nth)] = *ends else {
        return Err(Finding::error(place(last), format!("`{name}` has more than two ends"))
            .help("give this pair a `relationName` of its own"));
    };
    if a == b {
        return Err(Finding::error(place(last), format!("`{name}` joins `{}` with itself", drafts[a].name()))
            .help("write the join model yourself, with two `@belongsTo`"));
    }
    let (to, back) = (first.target.as_str(), last.target.as_str());
    if to != drafts[b].name() || back != drafts[a].name() {
        return Err(Finding::error(place(last), format!("the two ends of `{name}` do not lead to each other"))
            .help("each end is a list of the other end's model"));
    }
    if definitions.named(name).is_some() {
        return Err(Finding::error(place(last), format!("`{name}` is the name of a type already"))
            .help("the relation's name becomes a model's; choose another"));
    }
    let model = join_model(name, &drafts[a], &drafts[b]);
    for ((at, nth), other) in [((a, a_nth), &drafts[a]), ((b, b_nth), &drafts[b])]
        .map(|(end, draft)| (end, (key_names(draft), names_of(&draft.key_parts()))))
    {
        let (fields, references) = other;
        let relation = &drafts[at].relations[nth];
        let resolved = Relation { fields, references, join_model: Some(name.to_owned()), ..bare(relation) };
        drafts[at].relations[nth].resolved = Some(resolved);
    }
    Ok(Some(model))
}

/// `postId` for `Post`.
fn key_names(draft: &Draft<'_>) -> Vec<String> {
    let parts = draft.key_parts();
    parts.iter().map(|part| camel(&[draft.name(), &part.name])).collect()
}

/// One record per linked pair. The pair is the key, so two replicas that link the same records
/// make one link.
fn join_model(name: &str, a: &Draft<'_>, b: &Draft<'_>) -> Model {
    let mut model = Draft::new(a.node).model;
    model.name = name.to_owned();
    for end in [a, b] {
        let names = key_names(end);
        for (part, name) in end.key_parts().iter().zip(&names) {
            let mut field = fields::implicit(name, part.scalar, Managed::No);
            field.document_key = camel(&[end.first_name(), &part.document_key]);
            field.required = true;
            model.fields.push(field);
        }
        model.indexes.push(Index { name: format!("by{}", end.name()), fields: names.clone() });
        model.relations.push(Relation {
            name: camel(&[end.name()]),
            model: end.name().to_owned(),
            kind: RelationKind::BelongsTo,
            fields: names,
            references: names_of(&end.key_parts()),
            required: true,
            join_model: None,
            on_delete: OnDelete::default(),
        });
        for rule in end.model.auth.iter().map(link_rule) {
            if !model.auth.contains(&rule) {
                model.auth.push(rule);
            }
        }
        model.local |= end.model.local;
    }
    let key = model.fields.iter().map(|field| field.name.clone()).collect();
    model.key = Key::Custom(key);
    model.fields.extend(owners(&model));
    for (name, managed) in [("createdAt", Managed::CreatedAt), ("updatedAt", Managed::UpdatedAt)] {
        model.fields.push(fields::implicit(name, Scalar::DateTime, managed));
    }
    model
}

/// The rule as it holds for links. A link has no field that names groups; a rule that needs one
/// grants nothing there, but still stands, so that the links do not lie open.
fn link_rule(rule: &AuthRule) -> AuthRule {
    let allow = match &rule.allow {
        Allow::GroupsField { .. } => Allow::Custom,
        other @ (Allow::Owner { .. } | Allow::Groups { .. } | Allow::SignedIn | Allow::Public | Allow::Custom) => {
            other.clone()
        }
    };
    AuthRule { allow, operations: rule.operations.clone() }
}

/// Owner fields that the rules of the ends bring along.
fn owners(model: &Model) -> Vec<Field> {
    let mut owners: Vec<Field> = Vec::new();
    for rule in &model.auth {
        if let Allow::Owner { field, .. } = &rule.allow
            && model.field(field).is_none()
            && !owners.iter().any(|owner| owner.name == *field)
        {
            owners.push(fields::implicit(field, Scalar::String, Managed::Owner));
        }
    }
    owners
}
