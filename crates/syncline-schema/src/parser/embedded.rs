//! Embedded types: object types without `@model`, which live inside records.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::{Node, ast::ObjectTypeDefinition};

use super::{
    definitions::{Definitions, Named},
    directives::{self, Place},
    fields,
    finding::{Checked, Finding, Findings, Spanned},
};
use crate::{EmbeddedType, EnumType, Field};

/// Builds the embedded types. Those that only root operations return are left out with a warning
/// if they hold what no record can.
pub(super) fn build(definitions: &Definitions<'_>, enums: &[EnumType], findings: &mut Findings) -> Vec<EmbeddedType> {
    let cycles = Cycles::new(definitions);
    let mut types = Vec::new();
    for object in &definitions.embedded {
        let mut own = Findings::default();
        let checked = embedded_type(definitions, enums, &cycles, object, &mut own);
        if definitions.is_answer(&object.name) && checked.is_err() {
            findings.push(
                Finding::warning(object.name.span(), format!("`type {}` is not carried over", object.name))
                    .help("only root operations return it, and it holds what no record can"),
            );
            continue;
        }
        findings.append(own);
        types.extend(findings.keep(checked));
    }
    types
}

fn embedded_type(
    definitions: &Definitions<'_>,
    enums: &[EnumType],
    cycles: &Cycles<'_>,
    object: &Node<ObjectTypeDefinition>,
    findings: &mut Findings,
) -> Checked<EmbeddedType> {
    let name = &object.name;
    directives::check(&object.directives, Place::Embedded, findings)?;
    if object.fields.is_empty() {
        return Err(Finding::error(name.span(), format!("type `{name}` has no fields"))
            .help(format!("list them: `type {name} {{ street: String city: String }}`")));
    }
    cycles.refuse(object)?;
    let mut built: Vec<Field> = Vec::new();
    for field in &object.fields {
        directives::check(&field.directives, Place::EmbeddedField, findings)?;
        built.push(fields::build(definitions, enums, field)?);
    }
    Ok(EmbeddedType { name: name.to_string(), fields: built })
}

/// Which embedded types hold which, to find those that hold themselves.
struct Cycles<'a> {
    holds: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Cycles<'a> {
    fn new(definitions: &Definitions<'a>) -> Self {
        let holds = definitions.embedded.iter().map(|object| {
            let types = object.fields.iter().map(|field| field.ty.inner_named_type().as_str());
            let held = types.filter(|name| definitions.named(name) == Some(Named::Embedded));
            (object.name.as_str(), held.collect())
        });
        Self { holds: holds.collect() }
    }

    /// Refuses the type if a field of it leads back to it.
    fn refuse(&self, object: &ObjectTypeDefinition) -> Checked<()> {
        for field in &object.fields {
            let ty = field.ty.inner_named_type();
            if self.reaches(ty, &object.name) {
                return Err(Finding::error(
                    ty.span(),
                    format!("`{}` would hold itself through `{}`", object.name, field.name),
                )
                .help("embedded types are stored inside a record and must end; make it a `@model` with a relation"));
            }
        }
        Ok(())
    }

    fn reaches<'n>(&'n self, from: &'n str, to: &str) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            for held in self.holds.get(name).into_iter().flatten() {
                if seen.insert(*held) {
                    open.push(held);
                }
            }
        }
        false
    }
}
