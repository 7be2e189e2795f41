//! A trace as columns: sentences' templates and values in tables, numbers as differences.
//!
//! An entry takes about ten bytes this way; as text it would take two hundred.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::sentence::{self, Sentence, Slot};
use super::text::base64;
use crate::trace::Entry;

/// Takes entries in, one by one.
#[derive(Default)]
pub(super) struct Columns {
    nodes: Table<String>,
    strings: Table<String>,
    templates: Table<Template>,
    time: Vec<u8>,
    step: Vec<u8>,
    node: Vec<u8>,
    template: Vec<u8>,
    values: Vec<u8>,
    values_count: usize,
    count: usize,
    last_time: u64,
    last_step: u64,
    last_numbers: BTreeMap<(usize, usize), u64>,
}

/// A kind of sentence: its text, the types of its values, and how a page shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    text: &'static str,
    types: String,
    group: sentence::Group,
    mark: &'static str,
}

impl Columns {
    /// With these nodes first, in this order; 0 stands for the whole fleet.
    pub(super) fn new<'a>(nodes: impl Iterator<Item = &'a str>) -> Self {
        let mut columns = Self::default();
        columns.nodes.place(String::new());
        for node in nodes {
            columns.nodes.place(node.to_owned());
        }
        columns
    }

    /// The number of a node.
    pub(super) fn node(&mut self, name: &str) -> usize {
        self.nodes.place(name.to_owned())
    }

    /// Takes one in.
    pub(super) fn push(&mut self, entry: &Entry) {
        let Sentence { template, values, group, mark } = sentence::of(entry);
        let types = values.iter().map(Slot::letter).collect();
        let template = self.templates.place(Template { text: template, types, group, mark });
        signed(&mut self.time, entry.t, &mut self.last_time);
        signed(&mut self.step, entry.n, &mut self.last_step);
        let node = self.node(&entry.node);
        varint(&mut self.node, node as u64);
        varint(&mut self.template, template as u64);
        for (place, value) in values.into_iter().enumerate() {
            self.value(template, place, value);
        }
        self.count += 1;
    }

    fn value(&mut self, template: usize, place: usize, value: Slot) {
        match value {
            Slot::Text(text) => self.string(text),
            Slot::Number(number) | Slot::Bytes(number) => {
                let last = self.last_numbers.entry((template, place)).or_default();
                signed(&mut self.values, number, last);
                self.values_count += 1;
            }
            Slot::List(names) => {
                varint(&mut self.values, names.len() as u64);
                self.values_count += 1;
                for name in names {
                    self.string(name);
                }
            }
        }
    }

    fn string(&mut self, text: String) {
        let place = self.strings.place(text);
        varint(&mut self.values, place as u64);
        self.values_count += 1;
    }

    /// The names of the nodes by their numbers.
    pub(super) fn node_names(&self) -> &[String] {
        &self.nodes.items
    }

    /// All of it.
    pub(super) fn json(&self) -> Value {
        let templates: Vec<Value> = self
            .templates
            .items
            .iter()
            .map(|template| json!([template.text, template.types, template.group as usize, template.mark]))
            .collect();
        json!({
            "count": self.count,
            "valuesCount": self.values_count,
            "strings": self.strings.items,
            "templates": templates,
            "time": base64(&self.time),
            "step": base64(&self.step),
            "node": base64(&self.node),
            "template": base64(&self.template),
            "values": base64(&self.values),
        })
    }
}

impl Slot {
    /// The type of the value, for the reader.
    fn letter(&self) -> char {
        match self {
            Self::Text(_) => 't',
            Self::Number(_) => 'n',
            Self::Bytes(_) => 'b',
            Self::List(_) => 'l',
        }
    }
}

/// Different things, each once, in the order of their first coming.
struct Table<T> {
    places: BTreeMap<T, usize>,
    items: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), items: Vec::new() }
    }
}

impl<T: Ord + Clone> Table<T> {
    fn place(&mut self, item: T) -> usize {
        if let Some(&place) = self.places.get(&item) {
            return place;
        }
        self.items.push(item.clone());
        self.places.insert(item, self.items.len() - 1);
        self.items.len() - 1
    }
}

/// The difference to the number before, zigzag-coded.
fn signed(to: &mut Vec<u8>, number: u64, last: &mut u64) {
    let difference = number.wrapping_sub(*last).cast_signed();
    *last = number;
    varint(to, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
}

/// Seven bits per byte, the lowest first.
fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        to.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    to.push(number as u8);
}
