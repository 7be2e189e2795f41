//! A model from its definition: settings, fields, managed fields.

use apollo_compiler::{
    Name, Node,
    ast::{Directive, FieldDefinition, Value},
};

use super::{
    auth,
    definitions::{Definitions, Named},
    directives::{self, Place},
    drafts::{Draft, RelationDraft, place_of},
    fields,
    finding::{Checked, Finding, Findings, Spanned},
    keys, relations, renames, types,
};
use crate::{Deletes, EnumType, Field, FieldKind, Managed, Merge, RelationKind, Scalar, Timestamps, did_you_mean};

/// Builds a draft of every model. One with an error is kept, marked, for others to refer to.
pub(super) fn build<'a>(definitions: &Definitions<'a>, enums: &[EnumType], findings: &mut Findings) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for node in &definitions.models {
        let mut draft = Draft::new(node);
        let checked = fill(&mut draft, definitions, enums, findings);
        draft.keyed = findings.keep(checked).is_some();
        draft.failed = !draft.keyed;
        drafts.push(draft);
    }
    drafts
}

fn fill<'a>(
    draft: &mut Draft<'a>,
    definitions: &Definitions<'a>,
    enums: &[EnumType],
    findings: &mut Findings,
) -> Checked<()> {
    let node = draft.node;
    directives::check(&node.directives, Place::Model, findings)?;
    if let Some(interface) = node.implements_interfaces.first() {
        findings.push(
            Finding::warning(interface.span(), format!("`implements {interface}` is not carried over"))
                .help("models stand for themselves"),
        );
    }
    settings(draft, findings)?;
    if node.fields.is_empty() {
        return Err(Finding::error(node.name.span(), format!("model `{}` has no fields", node.name))
            .help(format!("list them: `type {} @model {{ title: String! }}`", node.name)));
    }
    let rules = auth::rules(&node.directives, findings)?;
    let mut all_rules = rules.clone();
    draft.model.auth = rules.into_iter().map(|rule| rule.rule).collect();
    for field in &node.fields {
        directives::check(&field.directives, Place::Field, findings)?;
        refuse_repeated(draft, field)?;
        let rules = auth::rules(&field.directives, findings)?;
        if let Some(directive) = relation_directive(field)? {
            let relation = relation(definitions, field, directive)?;
            if !rules.is_empty() {
                findings.push(relation_auth(field));
            }
            draft.relations.push(relation);
            continue;
        }
        let mut built = fields::build(definitions, enums, field)?;
        built.auth = rules.iter().map(|rule| rule.rule.clone()).collect();
        all_rules.extend(rules);
        draft.model.fields.push(built);
    }
    draft.model.tokenizer = fields::tokenizer(&node.fields)?;
    keys::resolve(draft)?;
    manage_times(draft)?;
    auth::manage_owners(draft, &all_rules)?;
    keys::collect_indexes(draft)
}

fn refuse_repeated(draft: &Draft<'_>, field: &FieldDefinition) -> Checked<()> {
    let name = &field.name;
    let relation = draft.relations.iter().any(|relation| relation.field.name == *name);
    if relation || draft.field(name).is_some() {
        return Err(Finding::error(name.span(), format!("`{}` has two fields named `{name}`", draft.name()))
            .help("rename or remove one"));
    }
    Ok(())
}

/// What `@model`, `@local` and `@renamed` say of the model itself.
fn settings(draft: &mut Draft<'_>, findings: &mut Findings) -> Checked<()> {
    let list = &draft.node.directives;
    draft.model.local = directives::find(list, "local").is_some();
    draft.model.renamed_from = renames::former(list, &draft.node.name)?;
    let Some(model) = directives::find(list, "model") else {
        return Ok(());
    };
    for lost in ["queries", "mutations", "subscriptions"] {
        if let Some(argument) = model.arguments.iter().find(|argument| argument.name == lost) {
            findings.push(
                Finding::warning(argument.name.span(), format!("`{lost}` is not carried over"))
                    .help("there is no generated API to name or switch off; `@auth` says who may do what"),
            );
        }
    }
    draft.model.timestamps = timestamps(model)?;
    draft.model.deletes = deletes(model)?;
    Ok(())
}

fn deletes(model: &Node<Directive>) -> Checked<Deletes> {
    let Some(deletes) = directives::string(model, "deletes")? else {
        return Ok(Deletes::DeleteWins);
    };
    match deletes.text {
        "update-wins" => Ok(Deletes::UpdateWins),
        "delete-wins" => Ok(Deletes::DeleteWins),
        other => {
            let cure = did_you_mean(other, ["update-wins", "delete-wins"]).unwrap_or_else(|| {
                "write \"update-wins\" to keep records that somebody edits while another deletes them".to_owned()
            });
            Err(Finding::error(deletes.span, format!("`deletes` cannot be `{other}`")).help(cure))
        }
    }
}

fn timestamps(model: &Node<Directive>) -> Checked<Timestamps> {
    let mut names = Timestamps { created_at: Some("createdAt".to_owned()), updated_at: Some("updatedAt".to_owned()) };
    let mut arguments = model.arguments.iter();
    let Some(argument) = arguments.find(|argument| argument.name == "timestamps") else {
        return Ok(names);
    };
    if argument.value.is_null() {
        return Ok(Timestamps { created_at: None, updated_at: None });
    }
    let shape = "an object such as {createdAt: \"createdOn\", updatedAt: null}";
    let Some(entries) = argument.value.as_object() else {
        return Err(directives::wrong(&argument.value, "timestamps", shape));
    };
    for (key, value) in entries {
        let name = time_name(value)?;
        match key.as_str() {
            "createdAt" => names.created_at = name,
            "updatedAt" => names.updated_at = name,
            other => {
                let cure = did_you_mean(other, ["createdAt", "updatedAt"]);
                return Err(Finding::error(key.span(), format!("`timestamps` has no `{other}`"))
                    .help(cure.unwrap_or_else(|| "it has createdAt and updatedAt".to_owned())));
            }
        }
    }
    if names.created_at.is_some() && names.created_at == names.updated_at {
        return Err(Finding::error(argument.value.span(), "both times have the same name")
            .help("one field holds one time; rename one, or turn one off with null"));
    }
    Ok(names)
}

fn time_name(value: &Node<Value>) -> Checked<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let text = directives::expect_string(value, "timestamps")?;
    if Name::new(text.text).is_err() {
        return Err(Finding::error(text.span, format!("`{}` cannot be the name of a field", text.text))
            .help("names have letters, digits and `_`"));
    }
    Ok(Some(text.text.to_owned()))
}

/// The one directive that makes the field a relation.
fn relation_directive(field: &Node<FieldDefinition>) -> Checked<Option<&Node<Directive>>> {
    let mut relations = field.directives.iter().filter(|d| relation_kind(&d.name).is_some());
    let Some(relation) = relations.next() else {
        return Ok(None);
    };
    if let Some(second) = relations.next() {
        return Err(Finding::error(
            directives::name_span(second),
            format!("`@{}` and `@{}` exclude each other", relation.name, second.name),
        )
        .help("a field is one side of one relation; keep one"));
    }
    let fits = ["auth", "renamed", "deprecated"];
    for other in field.directives.iter().filter(|other| !other.ptr_eq(relation)) {
        if directives::is_known(&other.name) && !fits.contains(&other.name.as_str()) {
            return Err(Finding::error(
                directives::name_span(other),
                format!("`@{}` does not fit the relation `{}`", other.name, field.name),
            )
            .help("a relation holds no value; put it on the field that holds the other record's key"));
        }
    }
    Ok(Some(relation))
}

fn relation_kind(directive: &str) -> Option<RelationKind> {
    match directive {
        "hasOne" => Some(RelationKind::HasOne),
        "hasMany" => Some(RelationKind::HasMany),
        "belongsTo" => Some(RelationKind::BelongsTo),
        "manyToMany" => Some(RelationKind::ManyToMany),
        _ => None,
    }
}

fn relation<'a>(
    definitions: &Definitions<'a>,
    field: &'a Node<FieldDefinition>,
    directive: &'a Node<Directive>,
) -> Checked<RelationDraft<'a>> {
    let target = field.ty.inner_named_type();
    let kind = relation_kind(&directive.name).unwrap_or(RelationKind::HasOne);
    let written = types::resolve(definitions, &field.ty)?;
    if definitions.named(target) != Some(Named::Model) {
        return Err(Finding::error(
            target.span(),
            format!("`@{}` leads to `{target}`, which is not a model", directive.name),
        )
        .maybe_help(
            did_you_mean(target, definitions.model_names())
                .or_else(|| Some(format!("mark `{target}` with `@model`, or drop `@{}`", directive.name))),
        ));
    }
    let many = matches!(kind, RelationKind::HasMany | RelationKind::ManyToMany);
    if many != written.list {
        let right = if many { format!("[{target}]") } else { target.to_string() };
        return Err(Finding::error(
            target.span(),
            format!("`@{}` leads to {}", directive.name, if many { "many records" } else { "one record" }),
        )
        .help(format!("write `{}: {right} @{}`", field.name, directive.name)));
    }
    let former = renames::former(&field.directives, &field.name)?;
    Ok(RelationDraft {
        field,
        directive,
        kind,
        target,
        first_name: renames::first_name(&former, &field.name).to_owned(),
        on_delete: relations::on_delete(directive)?,
        resolved: None,
    })
}

fn relation_auth(field: &FieldDefinition) -> Box<Finding> {
    let span = directives::find(&field.directives, "auth").map_or(0..0, directives::name_span);
    Finding::warning(span, format!("`@auth` on the relation `{}` is not carried over", field.name))
        .help("the other model's rules decide who sees its records")
}

/// Takes over or adds the fields for creation and last-change time.
fn manage_times(draft: &mut Draft<'_>) -> Checked<()> {
    // A key is written by the app; a creation time in it is no longer the engine's.
    let created = draft.model.timestamps.created_at.clone();
    if created.as_deref().is_some_and(|name| draft.model.is_key_field(name)) {
        draft.model.timestamps.created_at = None;
    }
    let times = draft.model.timestamps.clone();
    for (name, managed) in [(times.created_at, Managed::CreatedAt), (times.updated_at, Managed::UpdatedAt)] {
        let Some(name) = name else { continue };
        if !manage(draft, &name, managed)? {
            let field = fields::implicit(&name, Scalar::DateTime, managed);
            draft.managed.push(field);
        }
    }
    Ok(())
}

/// Marks a written time field as managed; whether there is one.
fn manage(draft: &mut Draft<'_>, name: &str, managed: Managed) -> Checked<bool> {
    let span = place_of(draft.node, name);
    if draft.relations.iter().any(|relation| relation.field.name == name) {
        return Err(Finding::error(span, format!("`{name}` is kept by Syncline and cannot be a relation"))
            .help("rename the relation, or rename the time with `@model(timestamps: …)`"));
    }
    let Some(field) = draft.model.fields.iter_mut().find(|field| field.name == name) else {
        return Ok(false);
    };
    let fits = [Scalar::DateTime, Scalar::Timestamp, Scalar::String];
    if !fits.iter().any(|scalar| field.kind == FieldKind::Scalar(*scalar)) {
        return Err(Finding::error(span, format!("`{name}` is kept by Syncline and holds a time"))
            .help("make it `AWSDateTime`, or switch it off with `@model(timestamps: null)`"));
    }
    refuse_extras(field, &span)?;
    field.managed = managed;
    Ok(true)
}

/// Managed fields are filled in one way; defaults and merge rules would never apply.
pub(super) fn refuse_extras(field: &Field, span: &std::ops::Range<usize>) -> Checked<()> {
    let extra = if field.default.is_some() {
        "a default"
    } else if field.merge != Merge::Winner {
        "a merge rule"
    } else if field.local {
        "`@local`"
    } else {
        return Ok(());
    };
    Err(Finding::error(span.clone(), format!("`{}` is filled by Syncline and cannot have {extra}", field.name))
        .help("remove the directive"))
}
