//! One field that holds a value: its kind, default, merge rule and names.

use apollo_compiler::{
    Node,
    ast::{Directive, FieldDefinition, Value},
};

use super::{
    definitions::Definitions,
    directives,
    finding::{Checked, Finding, Spanned},
    renames,
    types::{self, Target, Written},
};
use crate::{
    Element, ElementKind, EnumType, Field, FieldKind, Managed, Merge, Scalar, Tokenizer, check_enum, check_scalar,
    did_you_mean,
};

/// Builds a field from its definition. Directives were checked for name, place and arguments.
pub(super) fn build(
    definitions: &Definitions<'_>,
    enums: &[EnumType],
    field: &Node<FieldDefinition>,
) -> Checked<Field> {
    if let Some(argument) = field.arguments.first() {
        return Err(Finding::error(argument.name.span(), format!("field `{}` takes arguments", field.name))
            .help("fields of stored types hold values; remove the arguments"));
    }
    let written = types::resolve(definitions, &field.ty)?;
    let kind = kind(field, &written)?;
    let former = renames::former(&field.directives, &field.name)?;
    let merge = merge(field, &kind)?;
    Ok(Field {
        name: field.name.to_string(),
        document_key: renames::first_name(&former, &field.name).to_owned(),
        required: written.required,
        default: default(enums, field, &kind)?,
        merge,
        managed: Managed::No,
        fulltext: fulltext(field, &kind)?,
        local: directives::find(&field.directives, "local").is_some(),
        auth: Vec::new(),
        kind,
    })
}

/// A field that no one wrote: a foreign key, an owner, a time.
pub(super) fn implicit(name: &str, scalar: Scalar, managed: Managed) -> Field {
    Field { managed, ..Field::new(name, FieldKind::Scalar(scalar)) }
}

fn kind(field: &Node<FieldDefinition>, written: &Written<'_>) -> Checked<FieldKind> {
    let Some(element) = written.element() else {
        return Err(lonely_model(field, written));
    };
    let special = special_directive(field)?;
    let Some(special) = special else {
        return Ok(plain_kind(element, written));
    };
    let refuse = |needed: &str| {
        Err(Finding::error(directives::name_span(special), misfit(special, field))
            .help(format!("`@{}` belongs on {needed}", special.name)))
    };
    match special.name.as_str() {
        "counter" if written.list || written.target != Target::Scalar(Scalar::Int) => refuse("a field of type `Int`"),
        "counter" => Ok(FieldKind::Counter),
        "text" if written.list || written.target != Target::Scalar(Scalar::String) => {
            refuse("a field of type `String`")
        }
        "text" => Ok(FieldKind::Text { rich: directives::boolean(special, "rich")?.unwrap_or(false) }),
        _ if !written.list || matches!(element, ElementKind::Embedded(_)) => {
            refuse("a list of scalars or enum values, such as `tags: [String] @set`")
        }
        _ => Ok(FieldKind::Set(Element { kind: element, required: written.element_required })),
    }
}

fn plain_kind(element: ElementKind, written: &Written<'_>) -> FieldKind {
    if written.list {
        return FieldKind::List(Element { kind: element, required: written.element_required });
    }
    match element {
        ElementKind::Scalar(scalar) => FieldKind::Scalar(scalar),
        ElementKind::Enum(name) => FieldKind::Enum(name),
        ElementKind::Embedded(name) => FieldKind::Embedded(name),
    }
}

fn misfit(directive: &Directive, field: &FieldDefinition) -> String {
    format!("`@{}` does not fit `{}: {}`", directive.name, field.name, field.ty)
}

/// `@counter`, `@text` or `@set`, of which a field has one at most.
fn special_directive(field: &Node<FieldDefinition>) -> Checked<Option<&Node<Directive>>> {
    let special = |directive: &&Node<Directive>| matches!(directive.name.as_str(), "counter" | "text" | "set");
    let mut found = field.directives.iter().filter(special);
    let first = found.next();
    match (first, found.next()) {
        (Some(first), Some(second)) => Err(Finding::error(
            directives::name_span(second),
            format!("`@{}` and `@{}` exclude each other", first.name, second.name),
        )
        .help("a field merges in one way; keep one")),
        _ => Ok(first),
    }
}

fn lonely_model(field: &Node<FieldDefinition>, written: &Written<'_>) -> Box<Finding> {
    let help = if written.list {
        format!("write `{}: {} @hasMany`, or `@manyToMany(relationName: …)`", field.name, field.ty)
    } else {
        format!("write `{}: {} @belongsTo`, or `@hasOne`", field.name, field.ty)
    };
    Finding::error(
        written.name.span(),
        format!("`{}` is a model, and `{}` does not say how it relates to it", written.name, field.name),
    )
    .help(help)
}

fn merge(field: &Node<FieldDefinition>, kind: &FieldKind) -> Checked<Merge> {
    let Some(directive) = directives::find(&field.directives, "merge") else {
        return Ok(Merge::Winner);
    };
    let Some(with) = directives::word(directive, "with")? else {
        return Err(Finding::error(directives::name_span(directive), "`@merge` does not say how")
            .help("write `@merge(with: max)`, `min` or `latest`"));
    };
    let merge = match with.text {
        "max" => Merge::Max,
        "min" => Merge::Min,
        "latest" => Merge::Latest,
        other => {
            let cure = did_you_mean(other, ["max", "min", "latest"])
                .unwrap_or_else(|| "there are max, min and latest".to_owned());
            return Err(Finding::error(with.span, format!("there is no merge `{other}`")).help(cure));
        }
    };
    let ordered = match kind {
        FieldKind::Scalar(scalar) => *scalar != Scalar::Json,
        FieldKind::Enum(_) => false,
        FieldKind::Counter
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => {
            return Err(Finding::error(
                directives::name_span(directive),
                misfit(directive, field),
            )
            .help("it chooses between values of one scalar or enum; counters, texts, lists, sets and embedded types merge by themselves"));
        }
    };
    if merge != Merge::Latest && !ordered {
        return Err(Finding::error(
            with.span,
            format!("`{}: {}` has no order to take the {} of", field.name, field.ty, with.text),
        )
        .help("write `@merge(with: latest)`"));
    }
    Ok(merge)
}

fn fulltext(field: &Node<FieldDefinition>, kind: &FieldKind) -> Checked<bool> {
    let Some(directive) = directives::find(&field.directives, "fulltext") else {
        return Ok(false);
    };
    if !kind.takes_fulltext() {
        return Err(Finding::error(directives::name_span(directive), misfit(directive, field))
            .help("it belongs on a field of type `String`, with or without `@text`"));
    }
    if matches!(field.name.to_lowercase().as_str(), "rank" | "rowid") {
        return Err(Finding::error(
            field.name.span(),
            format!("SQLite's full-text index keeps the name `{}` for itself", field.name),
        )
        .help("choose another name for the field"));
    }
    Ok(true)
}

/// How the model's full-text index cuts texts. Its fields share one index; those that do not say follow those that do.
pub(super) fn tokenizer(fields: &[Node<FieldDefinition>]) -> Checked<Tokenizer> {
    let mut chosen = None;
    for field in fields {
        let Some(directive) = directives::find(&field.directives, "fulltext") else { continue };
        let Some(written) = directives::word(directive, "tokenize")? else { continue };
        let tokenizer = match written.text {
            "words" => Tokenizer::Words,
            "trigram" => Tokenizer::Trigram,
            other => {
                let cure = did_you_mean(other, ["words", "trigram"])
                    .unwrap_or_else(|| "there are \"words\" and \"trigram\"".to_owned());
                return Err(Finding::error(written.span, format!("there is no tokenizer `{other}`")).help(cure));
            }
        };
        match chosen {
            Some((before, name)) if before != tokenizer => {
                let message = format!("`{name}` and `{}` want to be cut in different ways", field.name);
                return Err(Finding::error(written.span, message)
                    .help("the fields of a model share one full-text index; write the same on each"));
            }
            Some(_) | None => chosen = Some((tokenizer, &field.name)),
        }
    }
    Ok(chosen.map(|(tokenizer, _)| tokenizer).unwrap_or_default())
}

/// The default, in the field's type. Amplify writes every default as a string.
fn default(enums: &[EnumType], field: &Node<FieldDefinition>, kind: &FieldKind) -> Checked<Option<serde_json::Value>> {
    let Some(directive) = directives::find(&field.directives, "default") else {
        return Ok(None);
    };
    let Some(argument) = directives::argument(directive, "value") else {
        return Err(Finding::error(directives::name_span(directive), "`@default` has no value")
            .help("write `@default(value: \"…\")`"));
    };
    let written = &argument.value;
    let unfit = |reason: String| Finding::error(written.span(), format!("the default does not fit: {reason}"));
    let value = match kind {
        FieldKind::Scalar(scalar) => scalar_default(*scalar, written).map_err(unfit)?,
        FieldKind::Counter => scalar_default(Scalar::Int, written).map_err(unfit)?,
        FieldKind::Text { .. } => scalar_default(Scalar::String, written).map_err(unfit)?,
        FieldKind::Enum(name) => {
            let text = directives::expect_word(written, "value")?.text;
            let value = serde_json::Value::from(text);
            if let Some(enum_type) = enums.iter().find(|known| known.name == *name) {
                check_enum(enum_type, &value).map_err(unfit)?;
            }
            value
        }
        FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => {
            return Err(Finding::error(
                directives::name_span(directive),
                format!("`{}: {}` cannot have a default", field.name, field.ty),
            )
            .help(
                "defaults are for scalars, enums, counters and texts; set this one when the app creates the record",
            ));
        }
    };
    Ok(Some(value))
}

fn scalar_default(scalar: Scalar, written: &Node<Value>) -> Result<serde_json::Value, String> {
    let value = plain(written)?;
    let value = match (scalar, &value) {
        (Scalar::Int | Scalar::Float | Scalar::Timestamp | Scalar::Boolean, serde_json::Value::String(text)) => {
            // "5" is the number 5; what is no number or boolean is refused as the string it is.
            let parsed = serde_json::from_str::<serde_json::Value>(text.trim()).ok();
            parsed.filter(|parsed| parsed.is_number() || parsed.is_boolean()).unwrap_or(value)
        }
        _ => value,
    };
    check_scalar(scalar, &value)?;
    Ok(value)
}

/// The literal as JSON.
fn plain(written: &Value) -> Result<serde_json::Value, String> {
    match written {
        Value::String(text) => Ok(text.as_str().into()),
        Value::Boolean(flag) => Ok((*flag).into()),
        Value::Int(number) => {
            serde_json::from_str(number.as_str()).map_err(|_| format!("`{}` is not a number of JSON", number.as_str()))
        }
        Value::Float(number) => {
            serde_json::from_str(number.as_str()).map_err(|_| format!("`{}` is not a number of JSON", number.as_str()))
        }
        Value::Enum(word) => Err(format!("the word `{word}` stands without quotes")),
        Value::Null | Value::Variable(_) | Value::List(_) | Value::Object(_) => {
            Err(format!("`{written}` is not a string, number or boolean"))
        }
    }
}
