//! Filters in SQL: they find exactly the records that `Filter::matches`.

use serde_json::Value;
use syncline_core::filter::{Comparison, Filter, field_at};
use syncline_core::record::{SqlValue, column_value};
use syncline_schema::{Element, ElementKind, FieldKind, Model, Schema};

use super::relation::{Joined, alias, begins_index, joined};
use super::sql::{self, Sql};

/// The condition of a resolved filter.
pub(super) fn to_sql(schema: &Schema, model: &Model, filter: &Filter) -> Sql {
    Writer { schema, model, depth: 0 }.condition(filter, true)
}

/// Whether every match stands in ranges of indexes: a value or range is asked of a column that begins one.
pub(super) fn is_indexed(schema: &Schema, model: &Model, filter: &Filter) -> bool {
    in_ranges(filter, true, &|field| begins_index(schema, model, field))
}

/// Whether the records that match (`wanted`) or do not match stand in ranges of columns that begin an index.
fn in_ranges(filter: &Filter, wanted: bool, begins_one: &impl Fn(&str) -> bool) -> bool {
    let each = |filter: &Filter| in_ranges(filter, wanted, begins_one);
    match filter {
        Filter::And(all) if wanted => all.iter().any(each),
        Filter::Or(any) if !wanted => any.iter().any(each),
        Filter::And(filters) | Filter::Or(filters) => !filters.is_empty() && filters.iter().all(each),
        Filter::Not(filter) => in_ranges(filter, !wanted, begins_one),
        Filter::Compare { field, op: Comparison::Eq, value } => (wanted || value.is_null()) && begins_one(field),
        Filter::Compare { field, op: Comparison::Ne, value } => (!wanted || value.is_null()) && begins_one(field),
        Filter::In { field, .. } => wanted && begins_one(field),
        Filter::Compare { field, .. } | Filter::Between { field, .. } | Filter::BeginsWith { field, .. } => {
            begins_one(field)
        }
        Filter::All | Filter::Contains { .. } | Filter::Related { .. } => false,
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    model: &'a Model,
    /// How many relations lead from the query's model to this one.
    depth: usize,
}

impl Writer<'_> {
    /// True for the records that match (`wanted`) or do not match. Negations go down to the leaves:
    /// there SQL's third value is turned into false, and and or keep it harmless above.
    fn condition(&self, filter: &Filter, wanted: bool) -> Sql {
        let each = |filters: &[Filter]| filters.iter().map(|filter| self.condition(filter, wanted)).collect::<Vec<_>>();
        match filter {
            Filter::All => truth(wanted),
            Filter::And(all) if all.is_empty() => truth(wanted),
            Filter::Or(any) if any.is_empty() => truth(!wanted),
            Filter::And(all) => Sql::chain(if wanted { "AND" } else { "OR" }, each(all)),
            Filter::Or(any) => Sql::chain(if wanted { "OR" } else { "AND" }, each(any)),
            Filter::Not(filter) => self.condition(filter, !wanted),
            Filter::Related { relation, filter } => self.related(relation, filter, wanted),
            Filter::Compare { .. }
            | Filter::Between { .. }
            | Filter::In { .. }
            | Filter::Contains { .. }
            | Filter::BeginsWith { .. } => {
                if wanted {
                    self.leaf(filter)
                } else {
                    self.not_leaf(filter)
                }
            }
        }
    }

    /// True for the records that match; false or unknown for the others.
    fn leaf(&self, filter: &Filter) -> Sql {
        match filter {
            Filter::All | Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Related { .. } => {
                self.condition(filter, true)
            }
            Filter::Compare { field, op: Comparison::Eq, value } if value.is_null() => self.column(field, " IS NULL"),
            Filter::Compare { field, op: Comparison::Ne, value } if value.is_null() => {
                self.column(field, self.kind(field).map_or(" IS NOT NULL", |kind| sql::not_null(field, kind)))
            }
            Filter::Compare { field, op, value } => self.compare(field, *op, value),
            Filter::Between { field, low, high } => Sql::of([
                self.column(field, " BETWEEN "),
                self.value(field, low),
                Sql::text(" AND "),
                self.value(field, high),
            ]),
            Filter::In { field, values } => self.one_of(field, values),
            Filter::Contains { field, value } => self.contains(field, value),
            Filter::BeginsWith { field, prefix } => self.begins_with(field, prefix),
        }
    }

    /// True for the records that do not match, where null matches no range: as ranges again, for the sake of indexes.
    fn not_leaf(&self, filter: &Filter) -> Sql {
        let outside = |field: &str, ranges: Vec<Sql>| {
            let null = self.column(field, " IS NULL");
            Sql::chain("OR", ranges.into_iter().chain([null]).collect())
        };
        match filter {
            Filter::Compare { field, op: op @ (Comparison::Eq | Comparison::Ne), value } => {
                let op = if *op == Comparison::Eq { Comparison::Ne } else { Comparison::Eq };
                self.leaf(&Filter::Compare { field: field.clone(), op, value: value.clone() })
            }
            Filter::Compare { field, op, value } => outside(field, vec![self.compare(field, opposite(*op), value)]),
            Filter::Between { field, low, high } => {
                let (below, above) = (Comparison::Lt, Comparison::Gt);
                outside(field, vec![self.compare(field, below, low), self.compare(field, above, high)])
            }
            Filter::BeginsWith { field, prefix } => {
                let below = self.text(field, " < ", prefix);
                let above = behind_prefix(prefix).map(|end| self.text(field, " >= ", &end));
                outside(field, [Some(below), above].into_iter().flatten().collect())
            }
            Filter::All
            | Filter::And(_)
            | Filter::Or(_)
            | Filter::Not(_)
            | Filter::Related { .. }
            | Filter::In { .. }
            | Filter::Contains { .. } => Sql::of([Sql::text("("), self.leaf(filter), Sql::text(") IS NOT TRUE")]),
        }
    }

    fn compare(&self, field: &str, op: Comparison, value: &Value) -> Sql {
        let operator = match op {
            Comparison::Eq => " IS ",
            Comparison::Ne => " IS NOT ",
            Comparison::Lt => " < ",
            Comparison::Le => " <= ",
            Comparison::Gt => " > ",
            Comparison::Ge => " >= ",
        };
        Sql::of([self.column(field, operator), self.value(field, value)])
    }

    /// Strings with a beginning are a range in the order of code points, which an index can serve.
    fn begins_with(&self, field: &str, prefix: &str) -> Sql {
        let from = self.text(field, " >= ", prefix);
        match behind_prefix(prefix) {
            None => from,
            Some(end) => Sql::chain("AND", vec![from, self.text(field, " < ", &end)]),
        }
    }

    fn text(&self, field: &str, operator: &str, text: &str) -> Sql {
        Sql::of([self.column(field, operator), Sql::value(SqlValue::Text(text.to_owned()))])
    }

    fn one_of(&self, field: &str, values: &[Value]) -> Sql {
        let (nulls, values): (Vec<&Value>, Vec<&Value>) = values.iter().partition(|value| value.is_null());
        let mut either = Vec::new();
        if !values.is_empty() {
            let list = Sql::list(values.into_iter().map(|value| self.value(field, value)).collect());
            either.push(Sql::of([self.column(field, " IN ("), list, Sql::text(")")]));
        }
        if !nulls.is_empty() {
            either.push(self.column(field, " IS NULL"));
        }
        if either.is_empty() { truth(false) } else { Sql::chain("OR", either) }
    }

    fn contains(&self, field: &str, value: &Value) -> Sql {
        match self.kind(field) {
            Some(FieldKind::List(element) | FieldKind::Set(element)) => {
                let value = Sql::value(column_value(&element_kind(element), value.clone()));
                sql::has_element(self.column(field, ""), value)
            }
            Some(
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::Embedded(_),
            )
            | None => {
                Sql::of([Sql::text("instr("), self.column(field, ", "), self.value(field, value), Sql::text(") > 0")])
            }
        }
    }

    /// Whether (or whether not) a related record matches.
    fn related(&self, relation: &str, filter: &Filter, wanted: bool) -> Sql {
        let found = self.model.relation(relation);
        let Some((relation, model)) = found.and_then(|of| Some((of, self.schema.model(&of.model)?))) else {
            // A resolved filter names relations that are there.
            return truth(!wanted);
        };
        let there = Writer { schema: self.schema, model, depth: self.depth + 1 };
        let Joined { from, on } = joined(self.schema, relation, &self.table(), &there.table(), "JOIN");
        let mut sql = Sql::text(if wanted { "EXISTS(SELECT 1 FROM " } else { "NOT EXISTS(SELECT 1 FROM " });
        sql.push(&format!("{from} WHERE {on}"));
        if *filter != Filter::All {
            sql.push(" AND ");
            sql.append(there.condition(filter, true));
        }
        sql.push(")");
        sql
    }

    /// The table that the model's columns are of.
    fn table(&self) -> String {
        if self.depth == 0 { sql::quoted(&self.model.name) } else { alias(self.depth) }
    }

    /// A field, and what is written behind it.
    fn column(&self, field: &str, operator: &str) -> Sql {
        let table = if self.depth == 0 { String::new() } else { format!("{}.", self.table()) };
        Sql::text(&format!("{}{operator}", sql::expression_in(&table, field)))
    }

    fn value(&self, field: &str, value: &Value) -> Sql {
        let kind = self.kind(field).cloned();
        Sql::value(kind.map_or(SqlValue::Null, |kind| column_value(&kind, value.clone())))
    }

    fn kind(&self, field: &str) -> Option<&FieldKind> {
        field_at(self.schema, self.model, field).ok().map(|field| &field.kind)
    }
}

/// What holds of two values exactly where `op` does not.
fn opposite(op: Comparison) -> Comparison {
    match op {
        Comparison::Eq => Comparison::Ne,
        Comparison::Ne => Comparison::Eq,
        Comparison::Lt => Comparison::Ge,
        Comparison::Le => Comparison::Gt,
        Comparison::Gt => Comparison::Le,
        Comparison::Ge => Comparison::Lt,
    }
}

fn truth(truth: bool) -> Sql {
    Sql::text(if truth { "1" } else { "0" })
}

/// The smallest string behind all that begin with `prefix`; `None` if there is none.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        let next = match last {
            char::MAX => continue,
            // The next code point would be a surrogate, which no string has.
            '\u{D7FF}' => '\u{E000}',
            other => char::from_u32(u32::from(other) + 1)?,
        };
        head.push(next);
        return Some(head);
    }
    None
}

fn element_kind(element: &Element) -> FieldKind {
    match &element.kind {
        ElementKind::Scalar(scalar) => FieldKind::Scalar(*scalar),
        ElementKind::Enum(name) => FieldKind::Enum(name.clone()),
        ElementKind::Embedded(name) => FieldKind::Embedded(name.clone()),
    }
}
