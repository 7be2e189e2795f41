//! AppSync's filter JSON: `{"done": {"eq": false}, "or": [{"priority": {"ge": 3}}, …]}`.

use serde_json::{Value, json};
use syncline_schema::{FieldKind, Model, Relation, Schema, did_you_mean};

use super::related::target;
use super::resolve::{InvalidFilter, field_at};
use super::{Comparison, Filter};

const OPERATORS: [&str; 13] = [
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "between",
    "in",
    "notIn",
    "contains",
    "notContains",
    "beginsWith",
    "attributeExists",
];

impl Filter {
    /// Reads a filter; several fields, and several operators of a field, must all match.
    pub fn parse_json(schema: &Schema, model: &Model, json: &Value) -> Result<Self, InvalidFilter> {
        let reader = Reader { schema, model };
        let filter = reader.filter(json, "filter", 0)?;
        // Depth and widths once more for the tree as a whole; leaves are resolved already.
        filter.resolve(schema, model)
    }

    /// The filter as JSON that [`Filter::parse_json`] reads to the same meaning.
    pub fn to_json(&self) -> Value {
        let each = |filters: &[Self]| Value::from_iter(filters.iter().map(Self::to_json));
        let at = |field: &str, operator: &str, value: Value| json!({ field: { operator: value } });
        match self {
            Self::All => json!({}),
            Self::And(all) => json!({ "and": each(all) }),
            Self::Or(any) => json!({ "or": each(any) }),
            Self::Not(filter) => json!({ "not": filter.to_json() }),
            Self::Compare { field, op, value } => at(field, op.name(), value.clone()),
            Self::Between { field, low, high } => at(field, "between", json!([low, high])),
            Self::In { field, values } => at(field, "in", json!(values)),
            Self::Contains { field, value } => at(field, "contains", value.clone()),
            Self::BeginsWith { field, prefix } => at(field, "beginsWith", json!(prefix)),
            Self::Related { relation, filter } => json!({ relation: filter.to_json() }),
        }
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    model: &'a Model,
}

impl Reader<'_> {
    fn filter(&self, json: &Value, place: &str, depth: usize) -> Result<Filter, InvalidFilter> {
        let Value::Object(entries) = json else {
            return Err(InvalidFilter::new(
                place,
                &format!("expected an object like {{\"field\": {{\"eq\": 1}}}}, found {json}"),
            ));
        };
        if depth > 128 {
            return Err(InvalidFilter::new(place, "the filter nests too deep"));
        }
        let mut all = Filter::All;
        for (name, value) in entries {
            let place = format!("{place}.{name}");
            let part = match name.as_str() {
                "and" => Filter::And(self.filters(value, &place, depth)?),
                "or" => Filter::Or(self.filters(value, &place, depth)?),
                "not" => !self.filter(value, &place, depth + 1)?,
                name => match self.model.relation(name) {
                    Some(relation) => self.relation(relation, value, &place, depth)?,
                    None => self.field(name, value, &place)?,
                },
            };
            all = all & part;
        }
        Ok(all)
    }

    fn filters(&self, json: &Value, place: &str, depth: usize) -> Result<Vec<Filter>, InvalidFilter> {
        match json {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.filter(item, &format!("{place}[{index}]"), depth + 1))
                .collect(),
            // AppSync accepts one filter in place of a list of one.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Ok(vec![self.filter(json, place, depth + 1)?])
            }
        }
    }

    /// A filter of the related records, or null for those without one.
    fn relation(&self, relation: &Relation, json: &Value, place: &str, depth: usize) -> Result<Filter, InvalidFilter> {
        let there = target(self.schema, relation).map_err(|message| InvalidFilter::new(place, &message))?;
        let compared_with_null = |operator: &str| {
            there.field(operator).is_none()
                && json.as_object().is_some_and(|only| only.len() == 1 && only.get(operator) == Some(&Value::Null))
        };
        if json.is_null() || compared_with_null("eq") {
            return Ok(Filter::unrelated(&relation.name));
        }
        if compared_with_null("ne") {
            return Ok(Filter::related(&relation.name, Filter::All));
        }
        if !json.is_object() {
            let message = format!("expected a filter of {}, or null for no record, found {json}", there.name);
            return Err(InvalidFilter::new(place, &message));
        }
        let reader = Reader { schema: self.schema, model: there };
        Ok(Filter::related(&relation.name, reader.filter(json, place, depth + 1)?))
    }

    /// The operators at one field, or at the fields inside an embedded one.
    fn field(&self, path: &str, json: &Value, place: &str) -> Result<Filter, InvalidFilter> {
        let field = field_at(self.schema, self.model, path).map_err(|message| InvalidFilter::new(place, &message))?;
        let Value::Object(operators) = json else {
            return Err(InvalidFilter::new(
                place,
                &format!("expected operators like {{\"eq\": {json}}}, found {json}"),
            ));
        };
        let inner = match &field.kind {
            FieldKind::Embedded(name) => self.schema.embedded_type(name).map_or(&[][..], |embedded| &embedded.fields),
            FieldKind::Scalar(_)
            | FieldKind::Enum(_)
            | FieldKind::Counter
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_) => &[],
        };
        let mut all = Filter::All;
        for (name, value) in operators {
            let place = format!("{place}.{name}");
            let part = if inner.iter().any(|field| field.name == *name) {
                self.field(&format!("{path}.{name}"), value, &place)?
            } else {
                self.operator(path, name, value).map_err(|message| InvalidFilter::new(&place, &message))?
            };
            all = all & part;
        }
        Ok(all)
    }

    fn operator(&self, path: &str, name: &str, value: &Value) -> Result<Filter, String> {
        let compare = |op| Filter::Compare { field: path.to_owned(), op, value: value.clone() };
        let (filter, negated) = match name {
            "eq" => (compare(Comparison::Eq), false),
            "ne" => (compare(Comparison::Ne), false),
            "lt" => (compare(Comparison::Lt), false),
            "le" => (compare(Comparison::Le), false),
            "gt" => (compare(Comparison::Gt), false),
            "ge" => (compare(Comparison::Ge), false),
            "between" => match value.as_array().map(Vec::as_slice) {
                Some([low, high]) => (Filter::between(path, low.clone(), high.clone()), false),
                _ => {
                    return Err(format!("`between` takes two values, [low, high], found {value}"));
                }
            },
            "in" | "notIn" => match value.as_array() {
                Some(values) => (Filter::any_of(path, values.clone()), name == "notIn"),
                None => return Err(format!("`{name}` takes a list of values, found {value}")),
            },
            "contains" | "notContains" => (Filter::contains(path, value.clone()), name == "notContains"),
            "beginsWith" => match value.as_str() {
                Some(prefix) => (Filter::begins_with(path, prefix), false),
                None => return Err(format!("`beginsWith` takes a string, found {value}")),
            },
            "attributeExists" => match value.as_bool() {
                Some(exists) => (Filter::ne(path, Value::Null), !exists),
                None => {
                    return Err(format!("`attributeExists` takes true or false, found {value}"));
                }
            },
            unknown => {
                let cure = did_you_mean(unknown, OPERATORS)
                    .unwrap_or_else(|| format!("the operators are {}", OPERATORS.join(", ")));
                return Err(format!("there is no operator `{unknown}`; {cure}"));
            }
        };
        let resolved = filter.resolve_leaf(self.schema, self.model, path)?;
        Ok(if negated { !resolved } else { resolved })
    }
}
