//! Relations: the fields that hold the other record's key, named as Amplify names them, and the
//! join models of `@manyToMany`.

mod deletes;
mod many;
mod one;

use std::ops::Range;

use super::{
    definitions::Definitions,
    directives::{self, Text},
    drafts::{Draft, IndexDraft, KeyPart, RelationDraft},
    fields,
    finding::{Checked, Finding, Findings, Spanned},
    keys::capitalised,
};
use crate::{FieldKind, Managed, Model, Relation, RelationKind, Scalar};

pub(super) use deletes::on_delete;

/// Resolves every relation; gives back the join models. `belongsTo` comes after the others, since it uses the
/// foreign keys that they made.
pub(super) fn resolve(definitions: &Definitions<'_>, drafts: &mut [Draft<'_>], findings: &mut Findings) -> Vec<Model> {
    each(drafts, findings, RelationKind::HasOne, one::has_one);
    each(drafts, findings, RelationKind::HasMany, many::has_many);
    each(drafts, findings, RelationKind::BelongsTo, one::belongs_to);
    each(drafts, findings, RelationKind::HasMany, deletes::check);
    many::join_models(definitions, drafts, findings)
}

/// Resolves one relation of the draft at an index; `None` if the other model is in error itself.
type Resolve = fn(&mut [Draft<'_>], usize, &RelationDraft<'_>) -> Checked<Option<Relation>>;

fn each(drafts: &mut [Draft<'_>], findings: &mut Findings, kind: RelationKind, resolve: Resolve) {
    for at in 0..drafts.len() {
        for nth in 0..drafts[at].relations.len() {
            if drafts[at].failed || drafts[at].relations[nth].kind != kind {
                continue;
            }
            let relation = drafts[at].relations[nth].clone();
            let checked = resolve(drafts, at, &relation);
            match findings.keep(checked) {
                Some(resolved) => drafts[at].relations[nth].resolved = resolved,
                None => drafts[at].failed = true,
            }
        }
    }
}

/// Index of the draft of that name whose fields and key are sound.
fn find(drafts: &[Draft<'_>], name: &str) -> Option<usize> {
    drafts.iter().position(|draft| draft.name() == name && draft.keyed)
}

/// Amplify's way to join words: `projectTeamId`.
fn camel(words: &[&str]) -> String {
    let (first, rest) = words.split_first().unwrap_or((&"", &[]));
    let mut chars = first.chars();
    let start = chars.next().map(|c| c.to_ascii_lowercase());
    let start: String = start.into_iter().chain(chars).collect();
    rest.iter().fold(start, |joined, word| joined + &capitalised(word))
}

/// Adds one foreign key field per key part, or finds them written; gives back their names.
fn foreign_keys(
    draft: &mut Draft<'_>,
    now: [&str; 2],
    first: [&str; 2],
    key: &[KeyPart],
    required: bool,
    span: &Range<usize>,
) -> Checked<Vec<String>> {
    let mut names = Vec::new();
    for part in key {
        let name = camel(&[now[0], now[1], &part.name]);
        if let Some(written) = draft.field(&name) {
            expect_kind(&written.kind, part, &name, span)?;
        } else {
            let mut field = fields::implicit(&name, part.scalar, Managed::No);
            field.document_key = camel(&[first[0], first[1], &part.document_key]);
            field.required = required;
            draft.foreign_keys.push(field);
        }
        names.push(name);
    }
    Ok(names)
}

/// Checks that written fields of `draft` can hold `key`, one for one.
fn holds(draft: &Draft<'_>, texts: &[Text<'_>], key: &[KeyPart], whose: &str) -> Checked<Vec<String>> {
    let span = texts.first().map_or(0..0, |first| first.span.clone());
    if texts.len() != key.len() {
        let names: Vec<_> = key.iter().map(|part| part.name.as_str()).collect();
        return Err(Finding::error(
            span,
            format!("`fields` names {}, and the key of `{whose}` has {}", count(texts.len()), count(key.len())),
        )
        .help(format!("name one field for each of {}, in this order", names.join(", "))));
    }
    for (text, part) in texts.iter().zip(key) {
        let field = draft.expect_field(text.text, &text.span)?;
        expect_kind(&field.kind, part, text.text, &text.span)?;
    }
    Ok(texts.iter().map(|text| text.text.to_owned()).collect())
}

/// Whether a field of that kind can hold the key part. `ID` and `String` hold the same texts.
fn expect_kind(kind: &FieldKind, part: &KeyPart, name: &str, span: &Range<usize>) -> Checked<()> {
    let textual = |scalar: Scalar| matches!(scalar, Scalar::Id | Scalar::String);
    let fits = matches!(kind, FieldKind::Scalar(scalar)
        if *scalar == part.scalar || textual(*scalar) && textual(part.scalar));
    if fits {
        return Ok(());
    }
    Err(Finding::error(span.clone(), format!("`{name}` cannot hold the other record's `{}`", part.name))
        .help(format!("give it the same type: `{name}: {}`", part.scalar.name())))
}

fn count(number: usize) -> String {
    if number == 1 { "1 field".to_owned() } else { format!("{number} fields") }
}

fn names_of(key: &[KeyPart]) -> Vec<String> {
    key.iter().map(|part| part.name.clone()).collect()
}
