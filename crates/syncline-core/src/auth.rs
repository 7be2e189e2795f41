//! `@auth`: whether an identity may do something to a record. The same function on relays and on devices.
//!
//! Rules are ORed: what any of them allows is allowed, and a model without rules is free to all. A field with rules of
//! its own is held to those instead of the model's: who sets or changes it must be allowed by them, and an update of such
//! fields alone is theirs to decide. Whose record it is is read from the record as it was, so an owner may hand a record
//! over, and nobody may take one; for a new record it is read from what is made, and an owner that is left out is the one
//! who makes it. Fields that a new record holds empty, or with the schema's default, count as set by nobody: it shows them
//! so if they are left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use syncline_schema::{Allow, AuthRule, Field, FieldKind, Model, Operation};

use crate::record::{decode_scalar, encode_scalar};

/// Between the parts of a claim that names an identity by several, as Amplify's `sub::username` does.
const PARTS: &str = "::";

/// Somebody who signed in: the claims of their token, already verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    claims: Map<String, Value>,
}

/// What is to be done, with the records that decide. Records are as they print: fields by name, absent ones `null` or
/// left out.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// Make a record, or bring a deleted one back.
    Create(&'a Map<String, Value>),
    /// See a record.
    Read(&'a Map<String, Value>),
    /// Change a record.
    Update {
        /// As it was.
        before: &'a Map<String, Value>,
        /// As it will be.
        after: &'a Map<String, Value>,
    },
    /// Delete a record.
    Delete(&'a Map<String, Value>),
}

/// No rule allows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{identity} may not {verb} this {model}{of}: {cure}", verb = verb(*.operation), of = of(.field.as_deref()))]
pub struct Denied {
    /// The model.
    pub model: String,
    /// What was to be done.
    pub operation: Operation,
    /// The field whose own rules deny it; `None` for those of the model.
    pub field: Option<String>,
    /// Who, in words.
    pub identity: String,
    /// What would be allowed, in words.
    pub cure: String,
}

/// One of those whom a record is visible to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Everybody.
    Public,
    /// Whoever signed in.
    SignedIn,
    /// Members of a group that a claim lists.
    Group {
        /// The claim.
        claim: String,
        /// The group.
        group: String,
    },
    /// The identity that a claim names.
    Owner {
        /// The claim.
        claim: String,
        /// The identity.
        identity: String,
    },
}

impl Identity {
    /// An identity by the claims of its token.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims }
    }

    /// What an owner field says of an identity: the claim, or its parts joined by `::` where it names several.
    pub fn owner(&self, claim: &str) -> Option<String> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        match text(claim) {
            Some(whole) => Some(whole.to_owned()),
            None if claim.contains(PARTS) => {
                Some(claim.split(PARTS).map(text).collect::<Option<Vec<&str>>>()?.join(PARTS))
            }
            None => None,
        }
    }

    /// Everything by which an owner field may name the identity: the whole, or, as Amplify has it, one of its parts.
    fn owners(&self, claim: &str) -> BTreeSet<String> {
        let parts = claim.split(PARTS).filter(|_| claim.contains(PARTS)).filter_map(|part| self.owner(part));
        self.owner(claim).into_iter().chain(parts).collect()
    }

    /// The groups that a claim lists; one text is a list of one.
    fn groups(&self, claim: &str) -> BTreeSet<String> {
        texts(self.claims.get(claim))
    }

    /// The principals that the identity is among, as far as a model's rules ask.
    pub fn principals(&self, model: &Model) -> BTreeSet<Principal> {
        let mut all = BTreeSet::from([Principal::Public, Principal::SignedIn]);
        for rule in &model.auth {
            match &rule.allow {
                Allow::Owner { claim, .. } => {
                    let owner = |identity| Principal::Owner { claim: claim.clone(), identity };
                    all.extend(self.owners(claim).into_iter().map(owner));
                }
                Allow::Groups { claim, .. } | Allow::GroupsField { claim, .. } => {
                    let member = |group| Principal::Group { claim: claim.clone(), group };
                    all.extend(self.groups(claim).into_iter().map(member));
                }
                Allow::SignedIn | Allow::Public | Allow::Custom => {}
            }
        }
        all
    }

    fn in_words(&self) -> String {
        let named = ["sub", "username", "email"].iter().find_map(|claim| self.owner(claim));
        named.map_or_else(|| "this identity".to_owned(), |name| format!("\"{name}\""))
    }
}

/// Whom a record is visible to. Without rules that is everybody; nobody where no rule allows to read.
pub fn readers(model: &Model, record: &Map<String, Value>) -> BTreeSet<Principal> {
    if model.auth.is_empty() {
        return BTreeSet::from([Principal::Public]);
    }
    let mut all = BTreeSet::new();
    for rule in model.auth.iter().filter(|rule| rule.operations.contains(&Operation::Read)) {
        let group = |claim: &String, group: String| Principal::Group { claim: claim.clone(), group };
        match &rule.allow {
            Allow::Owner { field, claim } => {
                let owner = |identity| Principal::Owner { claim: claim.clone(), identity };
                all.extend(texts(record.get(field)).into_iter().map(owner));
            }
            Allow::Groups { groups, claim } => all.extend(groups.iter().map(|of| group(claim, of.clone()))),
            Allow::GroupsField { field, claim } => {
                all.extend(texts(record.get(field)).into_iter().map(|of| group(claim, of)));
            }
            Allow::SignedIn => all.extend([Principal::SignedIn]),
            Allow::Public => all.extend([Principal::Public]),
            Allow::Custom => {}
        }
    }
    all
}

/// Whether an identity, `None` for somebody who did not sign in, may do it.
pub fn decide(model: &Model, identity: Option<&Identity>, access: Access<'_>) -> Result<(), Denied> {
    let operation = access.operation();
    let allows = |rules: &[AuthRule]| allow(rules, identity, access);
    let denied = |field: Option<&Field>, rules: &[AuthRule]| Denied {
        model: model.name.clone(),
        operation,
        field: field.map(|field| field.name.clone()),
        identity: identity.map_or_else(|| "somebody who did not sign in".to_owned(), Identity::in_words),
        cure: cure(rules, operation),
    };
    let touched = access.touched(model);
    for field in touched.iter().filter(|field| !field.auth.is_empty()) {
        if !allows(&field.auth) {
            return Err(denied(Some(field), &field.auth));
        }
    }
    // An update of nothing but fields with rules of their own is theirs to decide.
    let is_for_fields =
        operation == Operation::Update && !touched.is_empty() && touched.iter().all(|f| !f.auth.is_empty());
    if model.auth.is_empty() || is_for_fields || allows(&model.auth) {
        return Ok(());
    }
    Err(denied(None, &model.auth))
}

/// Whether an identity that may see a record may see that field of it.
pub fn may_read_field(field: &Field, identity: Option<&Identity>, record: &Map<String, Value>) -> bool {
    field.auth.is_empty() || allow(&field.auth, identity, Access::Read(record))
}

impl<'a> Access<'a> {
    /// Which operation it is.
    pub fn operation(self) -> Operation {
        match self {
            Self::Create(_) => Operation::Create,
            Self::Read(_) => Operation::Read,
            Self::Update { .. } => Operation::Update,
            Self::Delete(_) => Operation::Delete,
        }
    }

    /// The record that tells whose it is.
    fn decisive(self) -> &'a Map<String, Value> {
        match self {
            Self::Create(record) | Self::Read(record) | Self::Delete(record) => record,
            Self::Update { before, .. } => before,
        }
    }

    /// Fields that it sets or changes; what the engine fills by itself is nobody's doing.
    fn touched(self, model: &Model) -> Vec<&Field> {
        let value = |record: &'a Map<String, Value>, field: &Field| record.get(&field.name).unwrap_or(&Value::Null);
        let touches = |field: &&Field| match self {
            Self::Create(record) => !may_be_unset(field, value(record, field)),
            Self::Update { before, after } => value(before, field) != value(after, field),
            Self::Read(_) | Self::Delete(_) => false,
        };
        use syncline_schema::Managed::{CreatedAt, Id, No, Owner, UpdatedAt};
        let is_apps = |field: &&Field| match field.managed {
            No | Owner => true,
            Id | CreatedAt | UpdatedAt => false,
        };
        model.fields.iter().filter(is_apps).filter(touches).collect()
    }
}

/// Whether a new record may show this in a field that nobody set. A store whose schema lacks the field fills in no
/// default, so empty is unset there, too.
fn may_be_unset(field: &Field, value: &Value) -> bool {
    let is_empty = match &field.kind {
        FieldKind::Counter => *value == 0,
        FieldKind::List(_) | FieldKind::Set(_) => value.as_array().is_some_and(Vec::is_empty),
        FieldKind::Text { .. } => value == "",
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => false,
    };
    value.is_null() || is_empty || default_as_shown(field).as_ref() == Some(value)
}

/// The default as a record prints it: that of a Float may stand in the schema as an integer, that of AWSJSON as text.
fn default_as_shown(field: &Field) -> Option<Value> {
    let default = field.default.as_ref()?;
    match &field.kind {
        FieldKind::Scalar(scalar) => Some(decode_scalar(*scalar, &encode_scalar(*scalar, default)?)),
        FieldKind::Enum(_)
        | FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => Some(default.clone()),
    }
}

/// Whether one of the rules allows it.
fn allow(rules: &[AuthRule], identity: Option<&Identity>, access: Access<'_>) -> bool {
    let mut able = rules.iter().filter(|rule| rule.operations.contains(&access.operation()));
    able.any(|rule| matches(&rule.allow, identity, access))
}

fn matches(allow: &Allow, identity: Option<&Identity>, access: Access<'_>) -> bool {
    match (allow, identity) {
        (Allow::Public, _) => true,
        (Allow::Custom, _) | (_, None) => false,
        (Allow::SignedIn, Some(_)) => true,
        (Allow::Groups { groups, claim }, Some(identity)) => {
            let member = identity.groups(claim);
            groups.iter().any(|group| member.contains(group))
        }
        (Allow::GroupsField { field, claim }, Some(identity)) => {
            !identity.groups(claim).is_disjoint(&texts(access.decisive().get(field)))
        }
        (Allow::Owner { field, claim }, Some(identity)) => {
            let mine = identity.owners(claim);
            let owners = texts(access.decisive().get(field));
            // Who makes a record without an owner becomes its owner, if the token says who that is.
            let becomes = matches!(access, Access::Create(_)) && owners.is_empty() && !mine.is_empty();
            becomes || !mine.is_disjoint(&owners)
        }
    }
}

/// The texts of a field or claim that holds one or several; empty ones name nobody.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let some = |text: &Value| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(some).collect(),
        Some(value) => some(value).into_iter().collect(),
        None => BTreeSet::new(),
    }
}

fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Read => "see",
        Operation::Update => "change",
        Operation::Delete => "delete",
    }
}

fn of(field: Option<&str>) -> String {
    field.map(|field| format!(" (its field `{field}`)")).unwrap_or_default()
}

/// Who may, in words.
fn cure(rules: &[AuthRule], operation: Operation) -> String {
    let able: Vec<String> = rules
        .iter()
        .filter(|rule| rule.operations.contains(&operation))
        .filter_map(|rule| match &rule.allow {
            Allow::Owner { field, .. } => Some(format!("who stands in `{field}`")),
            Allow::Groups { groups, .. } => Some(format!("members of {}", groups.join(", "))),
            Allow::GroupsField { field, .. } => Some(format!("members of the groups in `{field}`")),
            Allow::SignedIn => Some("whoever signed in".to_owned()),
            Allow::Public => Some("everybody".to_owned()),
            Allow::Custom => None,
        })
        .collect();
    match able.is_empty() {
        true => "no rule allows it to anybody".to_owned(),
        false => format!("{} may", able.join(", and ")),
    }
}
