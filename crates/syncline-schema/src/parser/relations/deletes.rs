//! `onDelete`: what a delete of a record does to those that refer to it.

use apollo_compiler::{Node, ast::Directive};

use super::{Checked, Draft, Finding, Relation, RelationDraft, Spanned, directives, find};
use crate::{OnDelete, did_you_mean};

const WORDS: [&str; 3] = ["cascade", "keep", "set-null"];

/// What `onDelete` says; as in DataStore without it.
pub(in super::super) fn on_delete(directive: &Node<Directive>) -> Checked<OnDelete> {
    let Some(word) = directives::word(directive, "onDelete")? else {
        return Ok(OnDelete::default());
    };
    match word.text {
        "cascade" => Ok(OnDelete::Cascade),
        "keep" => Ok(OnDelete::Keep),
        "set-null" if directive.name == "hasOne" => Err(Finding::error(
            word.span,
            "`set-null` has nothing to empty: a `@hasOne` keeps the other record's key on the model that is deleted",
        )
        .help("write \"keep\" to leave the other record alone, or \"cascade\" to delete it, too")),
        "set-null" => Ok(OnDelete::SetNull),
        other => {
            let cure = did_you_mean(other, WORDS).unwrap_or_else(|| {
                "write \"cascade\" to delete the related records with the record (as without `onDelete`), \"keep\" to \
                 leave them as they are, or \"set-null\" to empty their reference"
                    .to_owned()
            });
            Err(Finding::error(word.span, format!("`onDelete` cannot be `{other}`")).help(cure))
        }
    }
}

/// `set-null` needs fields that may be null.
pub(super) fn check(drafts: &mut [Draft<'_>], _: usize, relation: &RelationDraft<'_>) -> Checked<Option<Relation>> {
    let (OnDelete::SetNull, Some(resolved)) = (relation.on_delete, &relation.resolved) else {
        return Ok(relation.resolved.clone());
    };
    let Some(target) = find(drafts, relation.target).map(|at| &drafts[at]) else {
        return Ok(None);
    };
    for name in &resolved.fields {
        let never = if target.model.is_key_field(name) {
            "is part of the key"
        } else if target.field(name).is_some_and(|field| field.required) {
            "is required"
        } else {
            continue;
        };
        let argument = directives::argument(relation.directive, "onDelete");
        let span = argument.map_or_else(|| directives::name_span(relation.directive), |argument| argument.value.span());
        return Err(Finding::error(span, format!("`{name}` of `{}` {never} and cannot be emptied", target.name()))
            .help("choose \"cascade\" or \"keep\", or let the field be null"));
    }
    Ok(Some(resolved.clone()))
}
