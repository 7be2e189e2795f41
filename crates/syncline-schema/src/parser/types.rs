//! What a written type means: scalar, enum, embedded type, model, list of those.

use apollo_compiler::{Name, ast::Type};

use super::{
    definitions::{Definitions, Named},
    finding::{Checked, Finding, Spanned},
};
use crate::{ElementKind, Scalar, did_you_mean};

/// A written type, resolved. Lists have one level.
pub(super) struct Written<'a> {
    pub(super) name: &'a Name,
    pub(super) target: Target,
    pub(super) list: bool,
    /// `!` at the end.
    pub(super) required: bool,
    /// `[T!]`; `false` outside of lists.
    pub(super) element_required: bool,
}

/// What a type's name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Scalar(Scalar),
    Enum,
    Embedded,
    Model,
}

impl Written<'_> {
    /// The type as kind of an element; `None` for models.
    pub(super) fn element(&self) -> Option<ElementKind> {
        let name = || self.name.to_string();
        match self.target {
            Target::Scalar(scalar) => Some(ElementKind::Scalar(scalar)),
            Target::Enum => Some(ElementKind::Enum(name())),
            Target::Embedded => Some(ElementKind::Embedded(name())),
            Target::Model => None,
        }
    }
}

/// Resolves a field's type.
pub(super) fn resolve<'a>(definitions: &Definitions<'a>, ty: &'a Type) -> Checked<Written<'a>> {
    let name = ty.inner_named_type();
    let item = ty.item_type();
    if ty.is_list() && item.is_list() {
        return Err(Finding::error(name.span(), format!("a list of lists cannot be merged: `{ty}`"))
            .help("put the inner list into a type of its own and make a list of that type"));
    }
    Ok(Written {
        name,
        target: target(definitions, name)?,
        list: ty.is_list(),
        required: ty.is_non_null(),
        element_required: ty.is_list() && item.is_non_null(),
    })
}

/// What the name stands for. Types of the file go before scalars without `AWS`.
fn target(definitions: &Definitions<'_>, name: &Name) -> Checked<Target> {
    match definitions.named(name) {
        Some(Named::Model) => Ok(Target::Model),
        Some(Named::Embedded) => Ok(Target::Embedded),
        Some(Named::Enum) => Ok(Target::Enum),
        Some(Named::Other(what)) => {
            Err(Finding::error(name.span(), format!("a field cannot have type `{name}`, which is {what}"))
                .help("fields hold scalars, enums, object types, and lists of those"))
        }
        None => Scalar::from_name(name).map(Target::Scalar).ok_or_else(|| {
            Finding::error(name.span(), format!("there is no type `{name}`")).help(nearest(definitions, name))
        }),
    }
}

fn nearest(definitions: &Definitions<'_>, name: &Name) -> String {
    let scalars = Scalar::ALL.into_iter().map(Scalar::name);
    let other = match name.as_str() {
        "Long" | "BigInt" | "Integer" => Some("did you mean `Int`? It has 64 bits"),
        "Double" | "Decimal" | "Number" => Some("did you mean `Float`?"),
        "Text" => Some("did you mean `String @text`?"),
        "Object" | "Map" | "Any" => Some("did you mean `AWSJSON`?"),
        "UUID" => Some("did you mean `ID`?"),
        "Bool" => Some("did you mean `Boolean`?"),
        _ => None,
    };
    if let Some(other) = other {
        return other.to_owned();
    }
    let short = scalars.clone().filter_map(|scalar| scalar.strip_prefix("AWS"));
    let built_in: Vec<&str> = scalars.chain(short).collect();
    let names = definitions.names().chain(built_in);
    did_you_mean(name, names).unwrap_or_else(|| {
        let all: Vec<_> = Scalar::ALL.into_iter().map(Scalar::name).collect();
        format!("define it with `type` or `enum`, or use a scalar: {}", all.join(", "))
    })
}
