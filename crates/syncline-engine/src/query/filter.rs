//! Filters in SQL: they find exactly the records that `Filter::matches`.

use serde_json::Value;
use syncline_core::filter::{Comparison, Filter, field_at};
use syncline_core::record::{SqlValue, column_value};
use syncline_schema::{Element, ElementKind, FieldKind, Model, Schema};

use super::relation::{Joined, alias, joined, relation_indexes};
use super::sql::{self, Sql};

/// The condition of a resolved filter.
pub(super) fn to_sql(schema: &Schema, model: &Model, filter: &Filter) -> Sql {
    Writer { schema, model, depth: 0 }.condition(filter, true)
}

/// Whether every match stands in a range of an index: a value or range is asked of a column that
/// begins one.
pub(super) fn is_indexed(schema: &Schema, model: &Model, filter: &Filter) -> bool {
    let begins_one = |field: &String| {
        let mut made = relation_indexes(schema, model);
        made.extend_from_slice(&model.indexes);
        made.iter().any(|index| index.fields.first() == Some(field))
    };
    match filter {
        Filter::And(all) => all.iter().any(|filter| is_indexed(schema, model, filter)),
        Filter::Compare { op: Comparison::Ne, .. }
        | Filter::All
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::Contains { .. }
        | Filter::Related { .. } => false,
        Filter::Compare { field, .. }
        | Filter::Between { field, .. }
        | Filter::In { field, .. }
        | Filter::BeginsWith { field, .. } => begins_one(field),
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
                let leaf = self.leaf(filter);
                if wanted { leaf } else { Sql::of([Sql::text("("), leaf, Sql::text(") IS NOT TRUE")]) }
            }
        }
    }

    /// True for the records that match; false or unknown for the others.
    fn leaf(&self, filter: &Filter) -> Sql {
        match filter {
            Filter::All | Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Related { .. } => {
                self.condition(filter, true)
            }
            Filter::Compare { field, op, value } => {
                let operator = match op {
                    Comparison::Eq => " IS ",
                    Comparison::Ne => " IS NOT ",
                    Comparison::Lt => " < ",
                    Comparison::Le => " <= ",
                    Comparison::Gt => " > ",
                    Comparison::Ge => " >= ",
                };
                Sql::of([self.column(field), Sql::text(operator), self.value(field, value)])
            }
            Filter::Between { field, low, high } => Sql::of([
                self.column(field),
                Sql::text(" BETWEEN "),
                self.value(field, low),
                Sql::text(" AND "),
                self.value(field, high),
            ]),
            Filter::In { field, values } => self.one_of(field, values),
            Filter::Contains { field, value } => self.contains(field, value),
            Filter::BeginsWith { field, prefix } => begins_with(&self.column(field), prefix),
        }
    }

    fn one_of(&self, field: &str, values: &[Value]) -> Sql {
        let (nulls, values): (Vec<&Value>, Vec<&Value>) = values.iter().partition(|value| value.is_null());
        let mut either = Vec::new();
        if !values.is_empty() {
            let list = Sql::list(values.into_iter().map(|value| self.value(field, value)).collect());
            either.push(Sql::of([self.column(field), Sql::text(" IN ("), list, Sql::text(")")]));
        }
        if !nulls.is_empty() {
            either.push(Sql::of([self.column(field), Sql::text(" IS NULL")]));
        }
        if either.is_empty() { truth(false) } else { Sql::chain("OR", either) }
    }

    fn contains(&self, field: &str, value: &Value) -> Sql {
        match self.kind(field) {
            Some(FieldKind::List(element) | FieldKind::Set(element)) => {
                let value = Sql::value(column_value(&element_kind(element), value.clone()));
                sql::has_element(self.column(field), value)
            }
            Some(
                FieldKind::Scalar(_)
                | FieldKind::Enum(_)
                | FieldKind::Counter
                | FieldKind::Text { .. }
                | FieldKind::Embedded(_),
            )
            | None => Sql::of([
                Sql::text("instr("),
                self.column(field),
                Sql::text(", "),
                self.value(field, value),
                Sql::text(") > 0"),
            ]),
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

    fn column(&self, field: &str) -> Sql {
        let table = if self.depth == 0 { String::new() } else { format!("{}.", self.table()) };
        Sql::text(&sql::expression_in(&table, field))
    }

    fn value(&self, field: &str, value: &Value) -> Sql {
        let kind = self.kind(field).cloned();
        Sql::value(kind.map_or(SqlValue::Null, |kind| column_value(&kind, value.clone())))
    }

    fn kind(&self, field: &str) -> Option<&FieldKind> {
        field_at(self.schema, self.model, field).ok().map(|field| &field.kind)
    }
}

fn truth(truth: bool) -> Sql {
    Sql::text(if truth { "1" } else { "0" })
}

/// Strings with a beginning are a range in the order of code points, which an index can serve.
fn begins_with(column: &Sql, prefix: &str) -> Sql {
    let from = Sql::of([column.clone(), Sql::text(" >= "), Sql::value(SqlValue::Text(prefix.to_owned()))]);
    match behind_prefix(prefix) {
        None => from,
        Some(end) => Sql::of([
            Sql::text("("),
            from,
            Sql::text(" AND "),
            column.clone(),
            Sql::text(" < "),
            Sql::value(SqlValue::Text(end)),
            Sql::text(")"),
        ]),
    }
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
