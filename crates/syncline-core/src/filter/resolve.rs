//! Whether a filter fits a model: its fields exist, its operators and values fit their types.

use serde_json::Value;
use syncline_schema::{Element, ElementKind, Field, FieldKind, Model, Scalar, Schema, check_enum, did_you_mean};

use super::related::{RELATION_DEPTH_MAX, relation_at, target};
use super::{Comparison, Filter};

/// Deepest nesting of and, or, not and relations.
const DEPTH_MAX: usize = 64;

/// How deep a part of a filter stands.
#[derive(Clone, Copy)]
struct Depth {
    all: usize,
    relations: usize,
}

/// A filter or order does not fit its model. The caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct InvalidFilter {
    /// Where: `filter.and[1].title.eq`, `order title`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl InvalidFilter {
    pub(super) fn new(place: &str, message: &str) -> Self {
        Self { place: place.to_owned(), message: message.to_owned() }
    }
}

impl Filter {
    /// The filter with every field found and every value in the form of its type.
    pub fn resolve(&self, schema: &Schema, model: &Model) -> Result<Self, InvalidFilter> {
        self.resolve_at(schema, model, "filter", Depth { all: 0, relations: 0 })
    }

    fn resolve_at(&self, schema: &Schema, model: &Model, place: &str, depth: Depth) -> Result<Self, InvalidFilter> {
        if depth.all > DEPTH_MAX {
            return Err(InvalidFilter::new(place, &format!("filters nest at most {DEPTH_MAX} deep")));
        }
        let deeper = Depth { all: depth.all + 1, ..depth };
        let each = |name: &str, filters: &[Self]| -> Result<Vec<Self>, InvalidFilter> {
            let inner = |(index, filter): (usize, &Self)| {
                filter.resolve_at(schema, model, &format!("{place}.{name}[{index}]"), deeper)
            };
            filters.iter().enumerate().map(inner).collect()
        };
        match self {
            Self::All => Ok(Self::All),
            Self::And(all) => Ok(Self::And(each("and", all)?)),
            Self::Or(any) => Ok(Self::Or(each("or", any)?)),
            Self::Not(filter) => {
                let inner = filter.resolve_at(schema, model, &format!("{place}.not"), deeper)?;
                Ok(Self::Not(Box::new(inner)))
            }
            Self::Related { relation, filter } => {
                let place = format!("{place}.{relation}");
                let invalid = |message: String| InvalidFilter::new(&place, &message);
                let found = relation_at(model, relation).map_err(invalid)?;
                let there = target(schema, found).map_err(invalid)?;
                if depth.relations == RELATION_DEPTH_MAX {
                    return Err(invalid(format!("filters follow at most {RELATION_DEPTH_MAX} relations in a row")));
                }
                let deeper = Depth { relations: depth.relations + 1, ..deeper };
                Ok(Self::related(relation, filter.resolve_at(schema, there, &place, deeper)?))
            }
            Self::Compare { field, .. }
            | Self::Between { field, .. }
            | Self::In { field, .. }
            | Self::Contains { field, .. }
            | Self::BeginsWith { field, .. } => {
                let place = format!("{place}.{field}.{}", self.operator());
                self.resolve_leaf(schema, model, field).map_err(|message| InvalidFilter::new(&place, &message))
            }
        }
    }

    /// Checks one comparison; `Err` is the message.
    pub(super) fn resolve_leaf(&self, schema: &Schema, model: &Model, path: &str) -> Result<Self, String> {
        let operand = Operand::of(schema, &field_at(schema, model, path)?.kind);
        let (field, operator) = (path.to_owned(), self.operator());
        match self {
            Self::All | Self::And(_) | Self::Or(_) | Self::Not(_) | Self::Related { .. } => Ok(self.clone()),
            Self::Compare { op: op @ (Comparison::Eq | Comparison::Ne), value, .. } => {
                let value = operand.equal_to(value)?;
                Ok(Self::Compare { field, op: *op, value })
            }
            Self::Compare { op, value, .. } => {
                Ok(Self::Compare { field, op: *op, value: operand.ordered_with(operator, value)? })
            }
            Self::Between { low, high, .. } => {
                let (low, high) = (operand.ordered_with(operator, low)?, operand.ordered_with(operator, high)?);
                Ok(Self::Between { field, low, high })
            }
            Self::In { values, .. } => {
                let values: Result<Vec<Value>, String> = values.iter().map(|value| operand.equal_to(value)).collect();
                Ok(Self::In { field, values: values? })
            }
            Self::Contains { value, .. } => Ok(Self::Contains { field, value: operand.containing(value)? }),
            Self::BeginsWith { prefix, .. } => match operand {
                Operand::Text | Operand::Enum(..) => Ok(Self::BeginsWith { field, prefix: prefix.clone() }),
                Operand::Integer | Operand::Float | Operand::Boolean | Operand::Elements(..) | Operand::OnlyNull(_) => {
                    Err(operand.refuses(operator))
                }
            },
        }
    }

    fn operator(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::And(_) => "and",
            Self::Or(_) => "or",
            Self::Not(_) => "not",
            Self::Compare { op, .. } => op.name(),
            Self::Between { .. } => "between",
            Self::In { .. } => "in",
            Self::Contains { .. } => "contains",
            Self::BeginsWith { .. } => "beginsWith",
            Self::Related { .. } => "related",
        }
    }
}

impl Comparison {
    /// Its name in filter JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }
}

/// The field at a name or path; `Err` is a message with a suggestion.
pub fn field_at<'a>(schema: &'a Schema, model: &'a Model, path: &str) -> Result<&'a Field, String> {
    // A column of an aggregate's result may have a path for its name.
    if let Some(field) = model.field(path) {
        return Ok(field);
    }
    let mut owner = model.name.as_str();
    let mut fields = &model.fields;
    let mut steps = path.split('.').peekable();
    loop {
        let name = steps.next().unwrap_or_default();
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(no_field(owner, fields, model, name));
        };
        if steps.peek().is_none() {
            return Ok(field);
        }
        let FieldKind::Embedded(inner) = &field.kind else {
            return Err(format!("`{name}` of {owner} is no embedded value, so nothing is inside it"));
        };
        let Some(embedded) = schema.embedded_type(inner) else {
            return Err(format!("the schema has no type {inner}"));
        };
        (owner, fields) = (embedded.name.as_str(), &embedded.fields);
    }
}

fn no_field(owner: &str, fields: &[Field], model: &Model, name: &str) -> String {
    if owner == model.name && model.relations.iter().any(|relation| relation.name == name) {
        return format!(
            "`{name}` of {owner} is a relation and holds no value itself; filter JSON (`--filter`) asks for its records: \
             {{\"{name}\": {{…}}}}"
        );
    }
    let names = || fields.iter().map(|field| field.name.as_str());
    let cure = did_you_mean(name, names())
        .unwrap_or_else(|| format!("its fields are {}", names().collect::<Vec<_>>().join(", ")));
    format!("{owner} has no field `{name}`; {cure}")
}

/// What a field can be compared with.
enum Operand<'a> {
    Text,
    Enum(&'a str, &'a Schema),
    Integer,
    Float,
    Boolean,
    /// A list or set, and what its elements are compared with.
    Elements(Box<Self>, &'static str),
    /// A kind of value that only null is compared with, by its name.
    OnlyNull(&'static str),
}

impl<'a> Operand<'a> {
    fn of(schema: &'a Schema, kind: &'a FieldKind) -> Self {
        match kind {
            FieldKind::Scalar(scalar) => Self::of_scalar(*scalar),
            FieldKind::Enum(name) => Self::Enum(name, schema),
            FieldKind::Counter => Self::Integer,
            FieldKind::Text { .. } => Self::Text,
            FieldKind::List(element) => Self::of_elements(schema, element, "a list"),
            FieldKind::Set(element) => Self::of_elements(schema, element, "a set"),
            FieldKind::Embedded(_) => Self::OnlyNull("an embedded value"),
        }
    }

    fn of_elements(schema: &'a Schema, element: &'a Element, name: &'static str) -> Self {
        let operand = match &element.kind {
            ElementKind::Scalar(scalar) => Self::of_scalar(*scalar),
            ElementKind::Enum(name) => Self::Enum(name, schema),
            ElementKind::Embedded(_) => Self::OnlyNull("an embedded value"),
        };
        Self::Elements(Box::new(operand), name)
    }

    fn of_scalar(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Int | Scalar::Timestamp => Self::Integer,
            Scalar::Float => Self::Float,
            Scalar::Boolean => Self::Boolean,
            Scalar::Json => Self::OnlyNull("AWSJSON"),
            Scalar::Id
            | Scalar::String
            | Scalar::Date
            | Scalar::Time
            | Scalar::DateTime
            | Scalar::Email
            | Scalar::Url
            | Scalar::Phone
            | Scalar::IpAddress => Self::Text,
        }
    }

    fn equal_to(&self, value: &Value) -> Result<Value, String> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match self {
            Self::Enum(name, schema) => match schema.enum_type(name) {
                Some(enum_type) => check_enum(enum_type, value).map(|()| value.clone()),
                None => Err(format!("the schema has no enum {name}")),
            },
            Self::Elements(_, name) => {
                Err(format!("{name} can only be compared with null; `contains` looks for an element"))
            }
            Self::OnlyNull(name) => Err(format!("{name} can only be compared with null")),
            Self::Text | Self::Integer | Self::Float | Self::Boolean => self.typed(value),
        }
    }

    fn ordered_with(&self, operator: &str, value: &Value) -> Result<Value, String> {
        match self {
            Self::Text | Self::Enum(..) | Self::Integer | Self::Float => self.typed(value),
            Self::Boolean | Self::Elements(..) | Self::OnlyNull(_) => Err(self.refuses(operator)),
        }
    }

    fn containing(&self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Text | Self::Enum(..) => self.typed(value),
            Self::Elements(element, _) => element.equal_to(value),
            Self::Integer | Self::Float | Self::Boolean | Self::OnlyNull(_) => Err(self.refuses("contains")),
        }
    }

    /// A value of the operand's type that is not null.
    fn typed(&self, value: &Value) -> Result<Value, String> {
        let typed = match self {
            Self::Text | Self::Enum(..) => value.as_str().map(Value::from),
            Self::Integer => value.as_i64().map(Value::from),
            Self::Float => value.as_f64().map(Value::from),
            Self::Boolean => value.as_bool().map(Value::from),
            Self::Elements(..) | Self::OnlyNull(_) => None,
        };
        typed.ok_or_else(|| format!("the field holds {}, and {value} is none", self.name()))
    }

    fn refuses(&self, operator: &str) -> String {
        format!("`{operator}` does not work on {}", self.name())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Enum(..) => "an enum value",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Boolean => "true or false",
            Self::Elements(_, name) | Self::OnlyNull(name) => name,
        }
    }
}
