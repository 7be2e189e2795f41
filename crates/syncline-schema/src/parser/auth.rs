//! `@auth` rules, and the owner fields that they imply.

use std::{collections::BTreeSet, ops::Range};

use apollo_compiler::{
    Name, Node,
    ast::{DirectiveList, Value},
};

use super::{
    directives::{self, Text},
    drafts::Draft,
    fields,
    finding::{Checked, Finding, Findings, Spanned},
};
use crate::model::{GROUP_CLAIM, IDENTITY_CLAIM, OWNER_FIELD};
use crate::{Allow, AuthRule, ElementKind, FieldKind, Managed, Operation, Scalar, did_you_mean};

const ENTRIES: &[&str] =
    &["allow", "provider", "ownerField", "identityClaim", "groupClaim", "groups", "groupsField", "operations"];

/// A rule, with the place to point at.
#[derive(Clone)]
pub(super) struct PlacedRule {
    pub(super) rule: AuthRule,
    span: Range<usize>,
}

/// Reads the rules of a model or field; empty without `@auth`.
pub(super) fn rules(list: &DirectiveList, findings: &mut Findings) -> Checked<Vec<PlacedRule>> {
    let Some(directive) = directives::find(list, "auth") else {
        return Ok(Vec::new());
    };
    let shape = "a list of rules, such as [{allow: owner}]";
    let Some(argument) = directives::argument(directive, "rules") else {
        return Err(Finding::error(directives::name_span(directive), "`@auth` has no rules")
            .help("write `@auth(rules: [{allow: owner}])`"));
    };
    let items = match argument.value.as_list() {
        Some([]) => {
            return Err(Finding::error(argument.value.span(), "`@auth` has no rules")
                .help("nobody could use it; name who may, or remove `@auth`"));
        }
        Some(items) => items,
        // GraphQL takes one value where a list of one is meant.
        None if argument.value.as_object().is_some() => std::slice::from_ref(&argument.value),
        None => return Err(directives::wrong(&argument.value, "rules", shape)),
    };
    let mut said = BTreeSet::new();
    let mut rules = Vec::new();
    for item in items {
        let Some(entries) = item.as_object() else {
            return Err(directives::wrong(item, "rules", shape));
        };
        let entries = Entries::new(entries)?;
        let rule = rule(&entries, item, &mut said, findings)?;
        let named = entries.value("ownerField").or_else(|| entries.value("groupsField"));
        rules.push(PlacedRule { rule, span: named.unwrap_or(item).span() });
    }
    Ok(rules)
}

fn rule(
    entries: &Entries<'_>,
    item: &Node<Value>,
    said: &mut BTreeSet<&'static str>,
    findings: &mut Findings,
) -> Checked<AuthRule> {
    let Some(allow) = entries.word("allow")? else {
        return Err(Finding::error(item.span(), "the rule does not say whom it allows")
            .help("write `allow: owner`, groups, private, public or custom"));
    };
    if let Some((name, _)) = entries.get("provider")
        && said.insert("provider")
    {
        findings.push(
            Finding::warning(name.span(), "`provider` is not carried over")
                .help("a relay takes identities from the tokens it trusts, whoever issued them"),
        );
    }
    let allow = self::allow(entries, &allow, said, findings)?;
    Ok(AuthRule { allow, operations: operations(entries, said, findings)? })
}

fn allow(
    entries: &Entries<'_>,
    allow: &Text<'_>,
    said: &mut BTreeSet<&'static str>,
    findings: &mut Findings,
) -> Checked<Allow> {
    let group_claim = || entries.string_or("groupClaim", GROUP_CLAIM);
    let relevant: &[&str] = match allow.text {
        "owner" => &["ownerField", "identityClaim"],
        "groups" => &["groups", "groupsField", "groupClaim"],
        _ => &[],
    };
    entries.refuse_others(relevant, allow.text)?;
    match allow.text {
        "owner" => Ok(Allow::Owner {
            field: entries.string_or("ownerField", OWNER_FIELD)?,
            claim: entries.string_or("identityClaim", IDENTITY_CLAIM)?,
        }),
        "groups" => match entries.strings("groups")? {
            Some(groups) if groups.is_empty() => {
                Err(Finding::error(allow.span.clone(), "the rule allows no group")
                    .help("name one: `groups: [\"Admins\"]`"))
            }
            Some(groups) => Ok(Allow::Groups {
                groups: groups.iter().map(|group| group.text.to_owned()).collect(),
                claim: group_claim()?,
            }),
            None => {
                Ok(Allow::GroupsField { field: entries.string_or("groupsField", "groups")?, claim: group_claim()? })
            }
        },
        "private" => Ok(Allow::SignedIn),
        "public" => Ok(Allow::Public),
        "custom" => {
            if said.insert("custom") {
                findings.push(
                    Finding::warning(allow.span.clone(), "`allow: custom` grants nothing")
                        .help("no function of yours runs on the relay; say it with owners and groups, or put the decision into the token's claims"),
                );
            }
            Ok(Allow::Custom)
        }
        other => {
            let known = ["owner", "groups", "private", "public", "custom"];
            let cure = did_you_mean(other, known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
            Err(Finding::error(allow.span.clone(), format!("`allow` cannot be `{other}`")).help(cure))
        }
    }
}

fn operations(
    entries: &Entries<'_>,
    said: &mut BTreeSet<&'static str>,
    findings: &mut Findings,
) -> Checked<Vec<Operation>> {
    let all = Operation::ALL.to_vec();
    let Some((_, value)) = entries.get("operations") else {
        return Ok(all);
    };
    if value.is_null() {
        return Ok(all);
    }
    let items = value.as_list().unwrap_or_else(|| std::slice::from_ref(value));
    if items.is_empty() {
        return Err(Finding::error(value.span(), "the rule allows no operation")
            .help("name some of create, read, update, delete, or leave `operations` out for all"));
    }
    let mut operations = Vec::new();
    for item in items {
        let word = directives::expect_word(item, "operations")?;
        let operation = match word.text {
            "create" => Operation::Create,
            "read" => Operation::Read,
            "update" => Operation::Update,
            "delete" => Operation::Delete,
            "get" | "list" | "search" | "listen" | "sync" => {
                if said.insert("read") {
                    findings.push(
                        Finding::warning(word.span, format!("`{}` counts as `read`", word.text))
                            .help("whoever sees a record sees it in every way: by key, in lists, live and in sync"),
                    );
                }
                Operation::Read
            }
            other => {
                let known = ["create", "read", "update", "delete"];
                let cure = did_you_mean(other, known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
                return Err(Finding::error(word.span, format!("there is no operation `{other}`")).help(cure));
            }
        };
        if !operations.contains(&operation) {
            operations.push(operation);
        }
    }
    Ok(operations)
}

/// The entries of one rule.
struct Entries<'a>(&'a [(Name, Node<Value>)]);

impl<'a> Entries<'a> {
    fn new(entries: &'a [(Name, Node<Value>)]) -> Checked<Self> {
        for (at, (name, _)) in entries.iter().enumerate() {
            if !ENTRIES.contains(&name.as_str()) {
                let cure = did_you_mean(name, ENTRIES.iter().copied())
                    .unwrap_or_else(|| format!("there are {}", ENTRIES.join(", ")));
                return Err(Finding::error(name.span(), format!("a rule has no `{name}`")).help(cure));
            }
            if entries[..at].iter().any(|(other, _)| other == name) {
                return Err(Finding::error(name.span(), format!("`{name}` is given twice")).help("keep one"));
            }
        }
        Ok(Self(entries))
    }

    fn get(&self, name: &str) -> Option<&'a (Name, Node<Value>)> {
        self.0.iter().find(|(entry, _)| entry == name)
    }

    fn value(&self, name: &str) -> Option<&'a Node<Value>> {
        let (_, value) = self.get(name)?;
        (!value.is_null()).then_some(value)
    }

    fn word(&self, name: &str) -> Checked<Option<Text<'a>>> {
        let value = self.value(name);
        value.map(|value| directives::expect_word(value, name)).transpose()
    }

    fn strings(&self, name: &str) -> Checked<Option<Vec<Text<'a>>>> {
        let value = self.value(name);
        value.map(|value| directives::expect_strings(value, name)).transpose()
    }

    fn string_or(&self, name: &str, otherwise: &str) -> Checked<String> {
        let Some(value) = self.value(name) else {
            return Ok(otherwise.to_owned());
        };
        Ok(directives::expect_string(value, name)?.text.to_owned())
    }

    /// Refuses entries that belong to another kind of rule.
    fn refuse_others(&self, relevant: &[&str], allow: &str) -> Checked<()> {
        let always = ["allow", "provider", "operations"];
        for (name, _) in self.0 {
            if !always.contains(&name.as_str()) && !relevant.contains(&name.as_str()) {
                return Err(Finding::error(
                    name.span(),
                    format!("`{name}` says nothing in a rule with `allow: {allow}`"),
                )
                .help("remove it, or change whom the rule allows"));
            }
        }
        Ok(())
    }
}

/// Marks or adds the owner fields that the rules name; checks the fields that name groups.
pub(super) fn manage_owners(draft: &mut Draft<'_>, rules: &[PlacedRule]) -> Checked<()> {
    for PlacedRule { rule, span } in rules {
        match &rule.allow {
            Allow::Owner { field, .. } => manage_owner(draft, field, span)?,
            Allow::GroupsField { field, .. } => check_groups_field(draft, field, span)?,
            Allow::Groups { .. } | Allow::SignedIn | Allow::Public | Allow::Custom => {}
        }
    }
    Ok(())
}

fn manage_owner(draft: &mut Draft<'_>, name: &str, span: &Range<usize>) -> Checked<()> {
    if draft.relations.iter().any(|relation| relation.field.name == name) {
        return Err(Finding::error(span.clone(), format!("the owner field `{name}` is a relation"))
            .help("name a field that holds the identity: `ownerField: \"…\"`"));
    }
    if draft.managed.iter().any(|field| field.name == name) {
        return Ok(());
    }
    let is_key = draft.model.is_key_field(name);
    let Some(field) = draft.model.fields.iter_mut().find(|field| field.name == name) else {
        if Name::new(name).is_err() {
            return Err(Finding::error(span.clone(), format!("`{name}` cannot be the name of a field"))
                .help("names have letters, digits and `_`"));
        }
        let owner = fields::implicit(name, Scalar::String, Managed::Owner);
        // Before the times, which stay last.
        draft.managed.insert(0, owner);
        return Ok(());
    };
    match &field.kind {
        FieldKind::Scalar(scalar) if holds_identity(*scalar) => {
            if field.managed == Managed::No && !is_key && field.default.is_none() {
                field.managed = Managed::Owner;
            }
            Ok(())
        }
        FieldKind::List(element) | FieldKind::Set(element) if matches!(element.kind, ElementKind::Scalar(scalar) if holds_identity(scalar)) => {
            Ok(())
        }
        FieldKind::Scalar(_)
        | FieldKind::Enum(_)
        | FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => {
            Err(Finding::error(span.clone(), format!("the owner field `{name}` cannot hold an identity"))
                .help(format!("make it `{name}: String`, or `[String]` for several owners")))
        }
    }
}

fn holds_identity(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::String | Scalar::Id | Scalar::Email)
}

fn check_groups_field(draft: &Draft<'_>, name: &str, span: &Range<usize>) -> Checked<()> {
    let written = draft.field(name);
    let fits = written.is_some_and(|field| match &field.kind {
        FieldKind::Scalar(scalar) => matches!(scalar, Scalar::String | Scalar::Id),
        FieldKind::List(element) | FieldKind::Set(element) => {
            matches!(element.kind, ElementKind::Scalar(Scalar::String | Scalar::Id))
        }
        FieldKind::Enum(_) => true,
        FieldKind::Counter | FieldKind::Text { .. } | FieldKind::Embedded(_) => false,
    });
    if fits {
        return Ok(());
    }
    let message = match written {
        Some(_) => format!("the groups field `{name}` cannot hold groups"),
        None => format!("`{}` has no field `{name}` to take the groups from", draft.name()),
    };
    Err(Finding::error(span.clone(), message)
        .help(format!("declare `{name}: [String]`, or name fixed groups with `groups: […]`")))
}
