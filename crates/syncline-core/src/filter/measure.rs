//! What is computed of many records at once: counts, sums, extremes, averages.

use syncline_schema::{Field, FieldKind, Model, Scalar, Schema, did_you_mean};

use super::order::is_ordered;
use super::resolve::{InvalidFilter, field_at};

/// One number or value computed of the records of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Under which name it stands in the result: as it is asked for (`sum:votes`), unless named otherwise.
    pub name: String,
    /// What is computed.
    pub function: Function,
    /// Of which field, or path into an embedded value; only [`Function::Count`] does without.
    pub field: Option<String>,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// How many records there are; with a field, how many of them have a value there.
    Count,
    /// How many different values there are; null is none.
    CountDistinct,
    /// Sum of the values; null without any. Of integers exact in 64 bits, or an error.
    Sum,
    /// Smallest value; null without any.
    Min,
    /// Greatest value; null without any.
    Max,
    /// Average of the values as a Float; null without any.
    Avg,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 6] = [Self::Count, Self::CountDistinct, Self::Sum, Self::Min, Self::Max, Self::Avg];

    /// Its name in an aggregate's text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::CountDistinct => "countDistinct",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
        }
    }
}

impl Measure {
    /// How many records there are.
    pub fn count() -> Self {
        Self { name: Function::Count.name().to_owned(), function: Function::Count, field: None }
    }

    /// A function of a field.
    pub fn of(function: Function, field: impl Into<String>) -> Self {
        let field = field.into();
        Self { name: format!("{}:{field}", function.name()), function, field: Some(field) }
    }

    /// The same under another name in the result.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Reads `count,sum:votes,average=avg:priority`: functions of fields, each with a name before it if it wants one.
    pub fn parse(text: &str) -> Result<Vec<Self>, InvalidFilter> {
        text.split(',').map(|one| Self::parse_one(one.trim())).collect()
    }

    fn parse_one(text: &str) -> Result<Self, InvalidFilter> {
        let refused = |message: &str| InvalidFilter::new(&format!("aggregate {text}"), message);
        let (name, asked) =
            text.split_once('=').map_or((None, text), |(name, asked)| (Some(name.trim()), asked.trim()));
        let (word, field) = asked.split_once(':').map_or((asked, None), |(word, field)| (word, Some(field)));
        let Some(function) = Function::ALL.into_iter().find(|function| function.name() == word) else {
            let names = || Function::ALL.into_iter().map(Function::name);
            let cure = did_you_mean(word, names())
                .unwrap_or_else(|| format!("there are {}", names().collect::<Vec<_>>().join(", ")));
            return Err(refused(&format!("there is no aggregate `{word}`; {cure}")));
        };
        let measure = match field {
            Some("") => return Err(refused(&format!("write the field behind the colon: `{word}:votes`"))),
            Some(field) => Self::of(function, field),
            None if function == Function::Count => Self::count(),
            None => return Err(refused(&format!("`{word}` is computed of a field: write `{word}:votes`"))),
        };
        match name {
            Some("") => Err(refused("write a name before `=`, or leave it out")),
            Some(name) => Ok(measure.named(name)),
            None => Ok(measure),
        }
    }

    /// What kind of value the measure is; the error says why it cannot be computed.
    fn kind(&self, schema: &Schema, model: &Model) -> Result<FieldKind, String> {
        let Some(path) = &self.field else {
            let is_count = self.function == Function::Count;
            let refused = || format!("`{}` is computed of a field: name one", self.function.name());
            return is_count.then_some(FieldKind::Scalar(Scalar::Int)).ok_or_else(refused);
        };
        let kind = &field_at(schema, model, path)?.kind;
        let needs = |what: &str| Err(format!("`{}` takes {what}, and `{path}` is none", self.function.name()));
        match self.function {
            Function::Count => Ok(FieldKind::Scalar(Scalar::Int)),
            Function::CountDistinct if is_ordered(kind) => Ok(FieldKind::Scalar(Scalar::Int)),
            Function::Min | Function::Max if is_ordered(kind) => Ok(plain(kind)),
            Function::CountDistinct | Function::Min | Function::Max => needs("a scalar other than AWSJSON"),
            Function::Sum | Function::Avg => match (number(kind), self.function) {
                (None, _) => needs("a number"),
                (Some(scalar), Function::Sum) => Ok(FieldKind::Scalar(scalar)),
                (Some(_), _) => Ok(FieldKind::Scalar(Scalar::Float)),
            },
        }
    }
}

/// Of which type the sum of a field's values is.
fn number(kind: &FieldKind) -> Option<Scalar> {
    match kind {
        FieldKind::Counter | FieldKind::Scalar(Scalar::Int | Scalar::Timestamp) => Some(Scalar::Int),
        FieldKind::Scalar(Scalar::Float) => Some(Scalar::Float),
        FieldKind::Scalar(_)
        | FieldKind::Enum(_)
        | FieldKind::Text { .. }
        | FieldKind::List(_)
        | FieldKind::Set(_)
        | FieldKind::Embedded(_) => None,
    }
}

/// The kind of a value that stands in no record.
fn plain(kind: &FieldKind) -> FieldKind {
    match kind {
        FieldKind::Counter => FieldKind::Scalar(Scalar::Int),
        FieldKind::Text { .. } => FieldKind::Scalar(Scalar::String),
        FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::List(_) | FieldKind::Set(_) | FieldKind::Embedded(_) => {
            kind.clone()
        }
    }
}

/// The columns of a result, as fields: those that groups are made by, then the measures.
pub fn result_fields(
    schema: &Schema,
    model: &Model,
    group_by: &[String],
    measures: &[Measure],
) -> Result<Vec<Field>, InvalidFilter> {
    if measures.is_empty() && group_by.is_empty() {
        return Err(InvalidFilter::new("aggregate", "nothing is asked for: name a measure, as in `count`"));
    }
    let mut fields: Vec<Field> = Vec::new();
    for path in group_by {
        let place = format!("group by {path}");
        let kind = &field_at(schema, model, path).map_err(|message| InvalidFilter::new(&place, &message))?.kind;
        if !is_ordered(kind) {
            let message = "AWSJSON, lists, sets and embedded values make no groups: name a scalar";
            return Err(InvalidFilter::new(&place, message));
        }
        add(&mut fields, path, plain(kind), &place)?;
    }
    for measure in measures {
        let place = format!("aggregate {}", measure.name);
        let kind = measure.kind(schema, model).map_err(|message| InvalidFilter::new(&place, &message))?;
        add(&mut fields, &measure.name, kind, &place)?;
    }
    Ok(fields)
}

fn add(fields: &mut Vec<Field>, name: &str, kind: FieldKind, place: &str) -> Result<(), InvalidFilter> {
    if fields.iter().any(|field| field.name == name) {
        let message = format!("the result has two columns `{name}`: name one otherwise, as in `other=count`");
        return Err(InvalidFilter::new(place, &message));
    }
    fields.push(Field::new(name, kind));
    Ok(())
}
