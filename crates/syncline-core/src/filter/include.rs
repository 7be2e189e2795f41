//! Which related records are read along with those of a query.

use syncline_schema::{Model, Schema};

use super::order::{Order, resolve_order};
use super::related::{RELATION_DEPTH_MAX, relation_at, target};
use super::resolve::InvalidFilter;

/// A relation whose records come with each record: the record, or null, of a `belongsTo` or `hasOne`; a list of a
/// `hasMany` or `manyToMany`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Include {
    /// Name of the relation, and of the key under which its records stand.
    pub relation: String,
    /// In which order many records come; the key fields follow as its last keys.
    pub order: Vec<Order>,
    /// At most so many of many records, per record that they belong to.
    pub limit: Option<u64>,
    /// What comes with the related records.
    pub include: Vec<Self>,
}

impl Include {
    /// All that a relation leads to, in the order of the key.
    pub fn new(relation: impl Into<String>) -> Self {
        Self { relation: relation.into(), ..Self::default() }
    }

    /// Reads `comments.author,tags`: relations, and relations of what they lead to behind dots.
    pub fn parse(text: &str) -> Result<Vec<Self>, InvalidFilter> {
        let mut includes = Vec::new();
        for path in text.split(',').map(str::trim) {
            let mut level = &mut includes;
            for (depth, name) in path.split('.').map(str::trim).enumerate() {
                if name.is_empty() {
                    let message = "an include names relations: `comments.author,tags`";
                    return Err(InvalidFilter::new("include", message));
                }
                if depth == RELATION_DEPTH_MAX {
                    return Err(too_deep("include"));
                }
                level = &mut place_of(level, name).include;
            }
        }
        Ok(includes)
    }

    /// Checks that the relations exist, each once, and that order and limit are asked of many records only.
    pub fn resolve(schema: &Schema, model: &Model, includes: &[Self]) -> Result<(), InvalidFilter> {
        resolve(schema, model, includes, "include ", 1)
    }
}

impl From<&str> for Include {
    fn from(relation: &str) -> Self {
        Self::new(relation)
    }
}

impl From<String> for Include {
    fn from(relation: String) -> Self {
        Self::new(relation)
    }
}

fn too_deep(place: &str) -> InvalidFilter {
    InvalidFilter::new(place, &format!("includes follow at most {RELATION_DEPTH_MAX} relations in a row"))
}

/// The include of that name, made if it is not there.
fn place_of<'a>(includes: &'a mut Vec<Include>, name: &str) -> &'a mut Include {
    let at = includes.iter().position(|include| include.relation == name).unwrap_or_else(|| {
        includes.push(Include::new(name));
        includes.len() - 1
    });
    &mut includes[at]
}

fn resolve(
    schema: &Schema,
    model: &Model,
    includes: &[Include],
    before: &str,
    depth: usize,
) -> Result<(), InvalidFilter> {
    for (at, include) in includes.iter().enumerate() {
        let place = format!("{before}{}", include.relation);
        let invalid = |message: String| InvalidFilter::new(&place, &message);
        if depth > RELATION_DEPTH_MAX {
            return Err(too_deep(&place));
        }
        let relation = relation_at(model, &include.relation).map_err(invalid)?;
        let there = target(schema, relation).map_err(invalid)?;
        if includes[..at].iter().any(|other| other.relation == include.relation) {
            return Err(invalid("the relation is included twice: keep one".to_owned()));
        }
        if relation.is_to_one() && (include.limit.is_some() || !include.order.is_empty()) {
            return Err(invalid("it leads to one record, which needs no order and no limit".to_owned()));
        }
        resolve_order(schema, there, &include.order)
            .map_err(|error| InvalidFilter::new(&format!("{place}, {}", error.place), &error.message))?;
        resolve(schema, there, &include.include, &format!("{place}."), depth + 1)?;
    }
    Ok(())
}
