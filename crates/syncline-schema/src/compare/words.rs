//! What stands in a schema, in the words of a schema file where it has any.

use crate::model::{GROUP_CLAIM, IDENTITY_CLAIM, OWNER_FIELD};
use crate::{
    Allow, AuthRule, Deletes, Element, ElementKind, Field, FieldKind, Managed, Merge, OnDelete, Operation, Relation,
    RelationKind, Tokenizer,
};

/// The kind of a field, as a file would write it.
pub(super) fn kind(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Scalar(scalar) => scalar.name().to_owned(),
        FieldKind::Enum(name) | FieldKind::Embedded(name) => name.clone(),
        FieldKind::Counter => "Int @counter".to_owned(),
        FieldKind::Text { rich: false } => "String @text".to_owned(),
        FieldKind::Text { rich: true } => "String @text(rich: true)".to_owned(),
        FieldKind::List(of) => format!("[{}]", element(of)),
        FieldKind::Set(of) => format!("[{}] @set", element(of)),
    }
}

fn element(element: &Element) -> String {
    let name = match &element.kind {
        ElementKind::Scalar(scalar) => scalar.name(),
        ElementKind::Enum(name) | ElementKind::Embedded(name) => name,
    };
    format!("{name}{}", if element.required { "!" } else { "" })
}

pub(super) fn default(field: &Field) -> String {
    field.default.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
}

pub(super) fn merge(merge: Merge) -> &'static str {
    match merge {
        Merge::Winner => "winner",
        Merge::Max => "max",
        Merge::Min => "min",
        Merge::Latest => "latest",
    }
}

/// Who fills a field that a save leaves out.
pub(super) fn managed(managed: Managed) -> &'static str {
    match managed {
        Managed::No => "by the app",
        Managed::Id => "with a new id",
        Managed::CreatedAt => "with the time of the first change",
        Managed::UpdatedAt => "with the time of the last change",
        Managed::Owner => "with the writer's identity",
    }
}

pub(super) fn tokenizer(tokenizer: Tokenizer) -> &'static str {
    match tokenizer {
        Tokenizer::Words => "words",
        Tokenizer::Trigram => "every three characters",
    }
}

pub(super) fn deletes(deletes: Deletes) -> &'static str {
    match deletes {
        Deletes::DeleteWins => "delete-wins",
        Deletes::UpdateWins => "update-wins",
    }
}

pub(super) fn on_delete(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::Cascade => "cascade",
        OnDelete::Keep => "keep",
        OnDelete::SetNull => "set-null",
    }
}

/// Where a relation leads, and by which fields: `@hasMany Comment (postId = id)`.
pub(super) fn relation(relation: &Relation) -> String {
    let kind = match relation.kind {
        RelationKind::HasOne => "@hasOne",
        RelationKind::HasMany => "@hasMany",
        RelationKind::BelongsTo => "@belongsTo",
        RelationKind::ManyToMany => "@manyToMany",
    };
    let required = if relation.required { "!" } else { "" };
    let through = relation.join_model.as_ref().map_or_else(String::new, |join| format!(" through {join}"));
    let pairs = relation.fields.iter().zip(&relation.references);
    let pairs: Vec<String> = pairs.map(|(field, reference)| format!("{field} = {reference}")).collect();
    format!("{kind} {}{required}{through} ({})", relation.model, pairs.join(", "))
}

/// Rules as `@auth` lists them, without what they would mean anyway.
pub(super) fn rules(rules: &[AuthRule]) -> String {
    if rules.is_empty() {
        return "none".to_owned();
    }
    format!("[{}]", rules.iter().map(rule).collect::<Vec<_>>().join(", "))
}

fn rule(rule: &AuthRule) -> String {
    let mut entries = Vec::new();
    let mut entry = |name: &str, value: &str, usual: &str| {
        if value != usual {
            entries.push(format!("{name}: {value:?}"));
        }
    };
    let allow = match &rule.allow {
        Allow::Owner { field, claim } => {
            entry("ownerField", field, OWNER_FIELD);
            entry("identityClaim", claim, IDENTITY_CLAIM);
            "owner"
        }
        Allow::Groups { groups, claim } => {
            entry("groupClaim", claim, GROUP_CLAIM);
            entries.push(format!("groups: {groups:?}"));
            "groups"
        }
        Allow::GroupsField { field, claim } => {
            entry("groupsField", field, "");
            entry("groupClaim", claim, GROUP_CLAIM);
            "groups"
        }
        Allow::SignedIn => "private",
        Allow::Public => "public",
        Allow::Custom => "custom",
    };
    entries.insert(0, format!("allow: {allow}"));
    if rule.operations.len() < Operation::ALL.len() {
        let operations: Vec<&str> = rule.operations.iter().map(|operation| word(*operation)).collect();
        entries.push(format!("operations: [{}]", operations.join(", ")));
    }
    format!("{{{}}}", entries.join(", "))
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Read => "read",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}
