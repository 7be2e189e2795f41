//! The definitions of a file, sorted by what they are to Syncline.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::{
    Name, Node,
    ast::{Definition, Document, EnumTypeDefinition, InputObjectTypeDefinition, ObjectTypeDefinition, Type},
};

use super::{
    directives::{self, Place},
    finding::{Checked, Finding, Findings, Spanned},
};
use crate::{EnumType, Scalar};

/// What a name of the file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Model,
    Embedded,
    Enum,
    /// Something that no field can hold; with what to call it.
    Other(&'static str),
}

/// Everything that the file defines.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    pub(super) models: Vec<&'a Node<ObjectTypeDefinition>>,
    pub(super) embedded: Vec<&'a Node<ObjectTypeDefinition>>,
    pub(super) enums: Vec<&'a Node<EnumTypeDefinition>>,
    by_name: BTreeMap<&'a str, Named>,
    /// Types that only root operations return, straight or through others.
    answers: BTreeSet<&'a str>,
}

impl<'a> Definitions<'a> {
    pub(super) fn named(&self, name: &str) -> Option<Named> {
        self.by_name.get(name).copied()
    }

    /// Names that a field's type could be.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.by_name.iter().filter(|(_, named)| !matches!(named, Named::Other(_))).map(|(name, _)| *name)
    }

    /// Names of the models.
    pub(super) fn model_names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.models.iter().map(|model| model.name.as_str())
    }

    /// Whether the embedded type serves root operations only.
    pub(super) fn is_answer(&self, name: &str) -> bool {
        self.answers.contains(name)
    }
}

/// Sorts the definitions; warns of those that are not carried over.
pub(super) fn collect<'a>(document: &'a Document, findings: &mut Findings) -> Definitions<'a> {
    let mut definitions = Definitions::default();
    let mut roots = Vec::new();
    for definition in &document.definitions {
        let checked = sort(&mut definitions, &mut roots, definition, findings);
        findings.keep(checked);
    }
    if definitions.models.is_empty() && !findings.has_errors() {
        findings.push(
            Finding::error(0..0, "the schema has no model")
                .help("mark the types whose records are stored: `type Todo @model { … }`"),
        );
    }
    definitions.answers = answers(&definitions, &roots);
    definitions
}

fn sort<'a>(
    definitions: &mut Definitions<'a>,
    roots: &mut Vec<&'a Type>,
    definition: &'a Definition,
    findings: &mut Findings,
) -> Checked<()> {
    match definition {
        Definition::ObjectTypeDefinition(object) => {
            if is_root(&object.name) {
                roots.extend(object.fields.iter().map(|field| &field.ty));
                findings.push(root_warning(&object.name));
                return define(definitions, &object.name, Named::Other("a root operation type"));
            }
            sort_object(definitions, object)
        }
        Definition::EnumTypeDefinition(enum_type) => {
            define(definitions, &enum_type.name, Named::Enum)?;
            definitions.enums.push(enum_type);
            Ok(())
        }
        Definition::InputObjectTypeDefinition(input) => {
            findings.push(input_warning(input));
            define(definitions, &input.name, Named::Other("an input type"))
        }
        Definition::InterfaceTypeDefinition(interface) => {
            findings.push(not_carried(&interface.name, "interface"));
            define(definitions, &interface.name, Named::Other("an interface"))
        }
        Definition::UnionTypeDefinition(union) => {
            findings.push(not_carried(&union.name, "union"));
            define(definitions, &union.name, Named::Other("a union"))
        }
        Definition::ScalarTypeDefinition(scalar) => scalar_definition(&scalar.name, findings),
        Definition::DirectiveDefinition(directive) => {
            findings.push(
                Finding::warning(directive.name.span(), format!("the definition of `@{}` is ignored", directive.name))
                    .help("Syncline knows its directives; the definition can go"),
            );
            Ok(())
        }
        Definition::ObjectTypeExtension(extension) => {
            if is_root(&extension.name) {
                roots.extend(extension.fields.iter().map(|field| &field.ty));
                findings.push(root_warning(&extension.name));
                return Ok(());
            }
            Err(extension_error(&extension.name))
        }
        Definition::EnumTypeExtension(extension) => Err(extension_error(&extension.name)),
        Definition::InputObjectTypeExtension(extension) => {
            findings.push(not_carried(&extension.name, "input extension"));
            Ok(())
        }
        Definition::InterfaceTypeExtension(extension) => {
            findings.push(not_carried(&extension.name, "interface extension"));
            Ok(())
        }
        Definition::UnionTypeExtension(extension) => {
            findings.push(not_carried(&extension.name, "union extension"));
            Ok(())
        }
        Definition::ScalarTypeExtension(extension) => Err(extension_error(&extension.name)),
        Definition::SchemaDefinition(node) => {
            findings.push(schema_warning(node.span()));
            Ok(())
        }
        Definition::SchemaExtension(node) => {
            findings.push(schema_warning(node.span()));
            Ok(())
        }
        Definition::OperationDefinition(node) => Err(operation_error(node.span())),
        Definition::FragmentDefinition(node) => Err(operation_error(node.span())),
    }
}

fn sort_object<'a>(definitions: &mut Definitions<'a>, object: &'a Node<ObjectTypeDefinition>) -> Checked<()> {
    let is_model = object.directives.iter().any(|directive| directive.name == "model");
    if is_model {
        define(definitions, &object.name, Named::Model)?;
        definitions.models.push(object);
    } else {
        define(definitions, &object.name, Named::Embedded)?;
        definitions.embedded.push(object);
    }
    Ok(())
}

/// Takes the name, unless it is taken or not to be had.
fn define<'a>(definitions: &mut Definitions<'a>, name: &'a Name, named: Named) -> Checked<()> {
    if name.starts_with("__") {
        return Err(Finding::error(name.span(), format!("`{name}` starts with `__`"))
            .help("GraphQL keeps these names for itself; choose another"));
    }
    let built_in = Scalar::ALL.into_iter().any(|scalar| scalar.name() == name.as_str());
    if built_in {
        return Err(Finding::error(name.span(), format!("`{name}` is a built-in scalar")).help("choose another name"));
    }
    if definitions.by_name.contains_key(name.as_str()) {
        return Err(Finding::error(name.span(), format!("`{name}` is defined twice"))
            .help("merge the two definitions, or rename one"));
    }
    definitions.by_name.insert(name, named);
    Ok(())
}

fn is_root(name: &str) -> bool {
    matches!(name, "Query" | "Mutation" | "Subscription")
}

fn root_warning(name: &Name) -> Box<Finding> {
    Finding::warning(name.span(), format!("`type {name}` is not carried over")).help(
        "Syncline has no resolvers: apps query, save and observe models; custom operations stay with a server of yours",
    )
}

fn input_warning(input: &Node<InputObjectTypeDefinition>) -> Box<Finding> {
    let name = &input.name;
    if name != "AMPLIFY" {
        return not_carried(name, "input");
    }
    let finding = Finding::warning(name.span(), "`input AMPLIFY` is not carried over");
    finding.help(
        "there is no global rule: a model without `@auth` is open to whoever the relay lets in; write `@auth` on the models that need it",
    )
}

fn not_carried(name: &Name, what: &str) -> Box<Finding> {
    let finding = Finding::warning(name.span(), format!("`{what} {name}` is not carried over"));
    finding.help("only models, enums and the object types in them are stored")
}

fn schema_warning(span: std::ops::Range<usize>) -> Box<Finding> {
    Finding::warning(span.start..span.start + "schema".len(), "`schema` is not carried over")
        .help("Syncline has no root operations")
}

fn scalar_definition(name: &Name, findings: &mut Findings) -> Checked<()> {
    if Scalar::from_name(name).is_some() {
        findings.push(
            Finding::warning(name.span(), format!("`scalar {name}` is ignored"))
                .help("the scalar is built in; the definition can go"),
        );
        return Ok(());
    }
    let all: Vec<_> = Scalar::ALL.into_iter().map(Scalar::name).collect();
    Err(Finding::error(name.span(), format!("there are no custom scalars such as `{name}`"))
        .help(format!("use one of {}", all.join(", "))))
}

fn extension_error(name: &Name) -> Box<Finding> {
    Finding::error(name.span(), format!("`{name}` is extended"))
        .help("write the added parts into the definition itself")
}

fn operation_error(span: std::ops::Range<usize>) -> Box<Finding> {
    Finding::error(span.start..span.start + 1, "a schema file holds definitions, not operations")
        .help("queries are written in the app; remove this from the schema")
}

/// Embedded types that root operations reach and models do not.
fn answers<'a>(definitions: &Definitions<'a>, roots: &[&'a Type]) -> BTreeSet<&'a str> {
    let stored =
        reachable(definitions, definitions.models.iter().flat_map(|model| &model.fields).map(|field| &field.ty));
    let mut answers = reachable(definitions, roots.iter().copied());
    answers.retain(|name| !stored.contains(name));
    answers
}

fn reachable<'a>(definitions: &Definitions<'a>, from: impl Iterator<Item = &'a Type>) -> BTreeSet<&'a str> {
    let objects = definitions.embedded.iter();
    let objects: BTreeMap<&str, _> = objects.map(|object| (object.name.as_str(), object)).collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Type> = from.collect();
    while let Some(ty) = open.pop() {
        if let Some(object) = objects.get(ty.inner_named_type().as_str())
            && reached.insert(object.name.as_str())
        {
            open.extend(object.fields.iter().map(|field| &field.ty));
        }
    }
    reached
}

/// Checks the enums.
pub(super) fn enums(definitions: &Definitions<'_>, findings: &mut Findings) -> Vec<EnumType> {
    let mut enums = Vec::new();
    for definition in &definitions.enums {
        let checked = enum_type(definition, findings);
        enums.extend(findings.keep(checked));
    }
    enums
}

fn enum_type(definition: &EnumTypeDefinition, findings: &mut Findings) -> Checked<EnumType> {
    let name = &definition.name;
    directives::check(&definition.directives, Place::Enum, findings)?;
    if definition.values.is_empty() {
        return Err(Finding::error(name.span(), format!("enum `{name}` has no values"))
            .help(format!("list them: `enum {name} {{ FIRST SECOND }}`")));
    }
    let mut values = Vec::new();
    for value in &definition.values {
        directives::check(&value.directives, Place::EnumValue, findings)?;
        let text = value.value.to_string();
        if values.contains(&text) {
            return Err(Finding::error(value.value.span(), format!("enum `{name}` has the value `{text}` twice"))
                .help("remove one"));
        }
        values.push(text);
    }
    Ok(EnumType { name: name.to_string(), values })
}
