//! TOML with places: tables whose keys are known, values of the wanted type, errors that point.

use std::ops::Range;

use serde_json::{Map, Value};
use syncline_schema::did_you_mean;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;
use super::units::{self, Rate};

pub(crate) type Read<T> = Result<T, ScenarioError>;

/// A file and its text.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

/// A table of which all keys are known.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    source: Source<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    what: &'a str,
}

/// A value, and the key it stands at.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    source: Source<'a>,
    /// The key, with what leads there.
    pub(crate) name: &'a str,
    key_span: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Source<'a> {
    pub(crate) fn wrong(self, span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError::at(self.file, self.text, span, message)
    }

    /// The whole file as a tree.
    pub(crate) fn tree(self) -> Read<DeTable<'a>> {
        match DeTable::parse(self.text) {
            Ok(table) => Ok(table.into_inner()),
            Err(error) => {
                let message = error.message().trim().replace('\n', ", ");
                Err(self.wrong(error.span().unwrap_or(0..0), format!("this is not TOML: {message}")))
            }
        }
    }

    pub(crate) fn root(self, table: &'a DeTable<'a>, what: &'a str, keys: &[&str]) -> Read<Section<'a>> {
        Section { source: self, table, span: 0..0, what }.with_keys(keys)
    }
}

impl<'a> Section<'a> {
    pub(crate) fn with_keys(self, keys: &[&str]) -> Read<Self> {
        for item in self.items() {
            if !keys.contains(&item.name) {
                return Err(item.unknown(&format!("{} has no `{}`", self.what, item.name), keys.iter().copied()));
            }
        }
        Ok(self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Item<'a>> {
        self.items().find(|item| item.name == name)
    }

    pub(crate) fn required(&self, name: &str) -> Read<Item<'a>> {
        self.get(name).ok_or_else(|| self.wrong(format!("{} needs `{name}`", self.what)))
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let source = self.source;
        self.table.iter().map(move |(key, value)| Item {
            source,
            name: key.get_ref().as_ref(),
            key_span: key.span(),
            value,
        })
    }

    pub(crate) fn wrong(&self, message: impl Into<String>) -> ScenarioError {
        self.source.wrong(self.span.clone(), message)
    }
}

impl<'a> Item<'a> {
    /// Something is wrong with the value.
    pub(crate) fn wrong(&self, message: impl Into<String>) -> ScenarioError {
        self.source.wrong(self.value.span(), message)
    }

    /// Something is wrong with the key.
    pub(crate) fn wrong_key(&self, message: impl Into<String>) -> ScenarioError {
        self.source.wrong(self.key_span.clone(), message)
    }

    /// The key is none of those that there are.
    pub(crate) fn unknown<'n>(&self, message: &str, names: impl IntoIterator<Item = &'n str>) -> ScenarioError {
        self.wrong_key(message).help(suggestion(self.name, names))
    }

    pub(crate) fn text(&self) -> Read<&'a str> {
        self.value.get_ref().as_str().ok_or_else(|| self.expected("a string"))
    }

    pub(crate) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(crate) fn integer(&self) -> Read<i64> {
        let integer = self.value.get_ref().as_integer().ok_or_else(|| self.expected("a whole number"))?;
        i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix())
            .map_err(|_| self.wrong("the number is too large"))
    }

    pub(crate) fn count(&self, least: u64, most: u64) -> Read<u64> {
        let number = self.integer()?;
        u64::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(format!("`{}` is a number from {least} to {most}", self.name)))
    }

    pub(crate) fn duration_ms(&self) -> Read<u64> {
        let text = match self.value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return Err(self.expected("a duration").help(DURATIONS));
            }
        };
        units::duration_ms(&text).map_err(|message| self.wrong(message).help(DURATIONS))
    }

    pub(crate) fn rate(&self) -> Read<Rate> {
        units::rate(self.text()?).map_err(|message| {
            self.wrong(message).help("write how many in how long: \"1/20s\", \"10/s\", or \"never\"")
        })
    }

    /// `"40%"` or 40.
    pub(crate) fn percent(&self) -> Read<u64> {
        let wrong = || self.wrong(format!("`{}` is a share from 0 % to 100 %", self.name)).help("for instance \"50%\"");
        let number = match self.value.get_ref().as_str() {
            Some(text) => text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)?,
            None => self.count(0, 100)?,
        };
        if number > 100 { Err(wrong()) } else { Ok(number) }
    }

    /// One of these words.
    pub(crate) fn choice(&self, what: &str, names: &[&'a str]) -> Read<&'a str> {
        let text = self.text()?;
        if names.contains(&text) {
            return Ok(text);
        }
        Err(self.wrong(format!("there is no {what} `{text}`")).help(suggestion(text, names.iter().copied())))
    }

    pub(crate) fn list(&self) -> Read<Vec<Self>> {
        let array = self.value.get_ref().as_array().ok_or_else(|| self.expected("a list"))?;
        Ok(array.iter().map(|value| Self { value, ..self.clone() }).collect())
    }

    /// A list of tables; one table counts as a list of one.
    pub(crate) fn tables(&self) -> Read<Vec<Self>> {
        if self.is_table() { Ok(vec![self.clone()]) } else { self.list() }
    }

    pub(crate) fn open_section(&self, what: &'a str) -> Read<Section<'a>> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.expected("a table"))?;
        // A table of a header spans the header; of dotted keys, nothing that one could point at.
        let span = if self.value.span().is_empty() { self.key_span.clone() } else { self.value.span() };
        Ok(Section { source: self.source, table, span, what })
    }

    pub(crate) fn section(&self, what: &'a str, keys: &[&str]) -> Read<Section<'a>> {
        self.open_section(what)?.with_keys(keys)
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> Read<Value> {
        json(self.value.get_ref()).ok_or_else(|| self.wrong("this number cannot be written as JSON"))
    }

    pub(crate) fn expected(&self, what: &str) -> ScenarioError {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("`{}` is {what}, and this is {found}", self.name))
    }
}

pub(crate) const DURATIONS: &str =
    "write a duration with its unit: \"250ms\", \"90s\", \"30m\", \"8h\", \"21d\", or \"00:10:00\"";

/// How many names a help tells at most.
const SHOWN_MAX: usize = 16;

/// The nearest name, or what there is.
pub(crate) fn suggestion<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.as_slice() {
        [] => "there are none".to_owned(),
        [one] => format!("there is only {one}"),
        many if many.len() <= SHOWN_MAX => format!("there are {}", many.join(", ")),
        many => format!("there are {} and {} more", many[..SHOWN_MAX].join(", "), many.len() - SHOWN_MAX),
    })
}

fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()?.into()
        }
        DeValue::Float(float) => serde_json::from_str(&float.as_str().replace(['_', '+'], "")).ok()?,
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Option<_>>()?),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref())?)))
                .collect::<Option<Map<_, _>>>()?,
        ),
    })
}
