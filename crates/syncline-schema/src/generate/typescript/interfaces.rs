//! Interfaces: records, keys, inputs, patches, and what an include adds.

use super::names::{Made, Names};
use crate::generate::describe::{always_has_value, describe, meaning, saved, updated};
use crate::{
    Deletes, Element, ElementKind, EmbeddedType, Field, FieldKind, Key, Managed, Model, Relation, RelationKind, Scalar,
    Schema,
};

/// Greatest width of a line of comment.
const WIDTH: usize = 120;

/// On which side of a call a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// As it is shown.
    Record,
    /// As a save takes it.
    Input,
    /// As an update takes it.
    Patch,
}

/// Whose field it is.
#[derive(Clone, Copy)]
pub(super) enum Owner<'a> {
    Model(&'a Model),
    Embedded(&'a EmbeddedType),
}

impl<'a> Owner<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Model(model) => &model.name,
            Self::Embedded(embedded) => &embedded.name,
        }
    }

    fn model(self) -> Option<&'a Model> {
        match self {
            Self::Model(model) => Some(model),
            Self::Embedded(_) => None,
        }
    }
}

/// Writes the types of one schema.
pub(super) struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) names: &'a Names,
}

impl Writer<'_> {
    pub(super) fn id(&self, model: &Model) -> String {
        let id = model.field("id").map_or("string", |field| self.scalar_kind(&field.kind));
        format!("/** Id of a {}. */\nexport type {} = {id};\n", model.name, self.names.made(&model.name, Made::Id))
    }

    pub(super) fn record(&self, model: &Model) -> String {
        let mut doc = format!("A record of `{}`, named by `{}`.", model.name, model.key_fields().join("` and `"));
        if model.local {
            doc.push_str(" It never leaves the device.");
        }
        if model.deletes == Deletes::UpdateWins {
            doc.push_str(" An edit wins over a concurrent delete.");
        }
        let members = model.fields.iter().map(|field| self.shown(field, Owner::Model(model)));
        interface(self.schema.description(&model.name), &doc, self.names.of_type(&model.name), members)
    }

    pub(super) fn key(&self, model: &Model) -> String {
        let doc = match model.key {
            Key::Id => format!("What names a {} where another record refers to it.", model.name),
            Key::Custom(_) => format!(
                "What names a {}: as JSON text where an id is asked for, as an object where another record refers to it.",
                model.name
            ),
        };
        let members = model.fields.iter().filter(|field| model.is_key_field(&field.name));
        let members =
            members.map(|field| format!("  {}: {};\n", field.name, self.value(field, Some(model), Face::Input)));
        interface(None, &doc, self.names.made(&model.name, Made::Key), members)
    }

    pub(super) fn input(&self, model: &Model) -> String {
        let doc = format!("What a save of a `{}` takes; fields left out get their default, or are null.", model.name);
        let fields = model.fields.iter().map(|field| self.given(field, Owner::Model(model)));
        let references = model.relations.iter().filter_map(|relation| self.reference(relation, model));
        interface(None, &doc, self.names.made(&model.name, Made::Input), fields.chain(references))
    }

    pub(super) fn patch(&self, model: &Model) -> String {
        let doc = format!("What an update of a `{}` takes; fields left out stay as they are.", model.name);
        let is_patched = |field: &&Field| match field.managed {
            Managed::Id | Managed::UpdatedAt => false,
            Managed::No | Managed::CreatedAt | Managed::Owner => !model.is_key_field(&field.name),
        };
        let fields = model.fields.iter().filter(is_patched).map(|field| self.patched(field, Owner::Model(model)));
        let is_in_key = |relation: &&Relation| relation.fields.iter().any(|name| model.is_key_field(name));
        let relations = model.relations.iter().filter(|relation| !is_in_key(relation));
        let references = relations.filter_map(|relation| self.reference(relation, model));
        interface(None, &doc, self.names.made(&model.name, Made::Patch), fields.chain(references))
    }

    /// What an include adds, under the names of the relations.
    pub(super) fn relations(&self, model: &Model) -> String {
        let doc = format!("What a query adds to a `{}` for each relation that it is asked to include.", model.name);
        let members = model.relations.iter().map(|relation| {
            let there = self.names.of_type(&relation.model);
            let (ty, directive) = match relation.kind {
                RelationKind::HasOne => (format!("{there} | null"), "hasOne"),
                RelationKind::BelongsTo => (format!("{there} | null"), "belongsTo"),
                RelationKind::HasMany => (format!("{there}[]"), "hasMany"),
                RelationKind::ManyToMany => (format!("{there}[]"), "manyToMany"),
            };
            let dangling =
                if relation.is_to_one() { " Null also if the record that it refers to is not here." } else { "" };
            let words = self.schema.member_description(&model.name, &relation.name);
            let doc = comment("  ", words, &format!("The {} of a `@{directive}`.{dangling}", relation.model));
            format!("{doc}  {}?: {ty};\n", relation.name)
        });
        interface(None, &doc, self.names.made(&model.name, Made::Relations), members)
    }

    pub(super) fn embedded(&self, embedded: &EmbeddedType, face: Face) -> String {
        let name = &embedded.name;
        let fields = embedded.fields.iter();
        match face {
            Face::Record => {
                let members = fields.map(|field| self.shown(field, Owner::Embedded(embedded)));
                let doc = format!("A value of `{name}`, as it is shown.");
                interface(self.schema.description(name), &doc, self.names.of_type(name), members)
            }
            Face::Input => {
                let doc = format!("A value of `{name}`, as a save takes it.");
                let members = fields.map(|field| self.given(field, Owner::Embedded(embedded)));
                interface(None, &doc, self.names.made(name, Made::Input), members)
            }
            Face::Patch => {
                let doc =
                    format!("What changes of a value of `{name}`. Where there is none yet, it takes what a save does.");
                let members = fields.map(|field| self.patched(field, Owner::Embedded(embedded)));
                interface(None, &doc, self.names.made(name, Made::Patch), members)
            }
        }
    }

    /// A member as a record shows it.
    fn shown(&self, field: &Field, owner: Owner<'_>) -> String {
        let model = owner.model();
        let mut said = meaning(field);
        let value = self.value(field, model, Face::Record);
        if always_has_value(field, model) {
            return self.member(field, owner, "", &value, &said);
        }
        if field.required {
            let old = match model {
                Some(_) => "Null only if a schema that does not demand it wrote the record.",
                None => {
                    "Null only if a schema that does not demand it wrote the value, or a concurrent edit emptied it."
                }
            };
            said = if said.is_empty() { old.to_owned() } else { format!("{said} {old}") };
        }
        self.member(field, owner, "", &or_null(&value), &said)
    }

    /// A member as a save takes it.
    fn given(&self, field: &Field, owner: Owner<'_>) -> String {
        let model = owner.model();
        let value = self.value(field, model, Face::Input);
        let is_key = model.is_some_and(|model| model.is_key_field(&field.name));
        let is_demanded =
            field.managed == Managed::No && field.required && field.default.is_none() && !starts_empty(field);
        let is_due = is_demanded || is_key && field.managed != Managed::Id;
        let by_relation = |relation: &Relation| relation.is_to_one() && relation.fields.contains(&field.name);
        let has_another_way = model.is_some_and(|model| model.relations.iter().any(by_relation));
        let optional = if is_due && !has_another_way { "" } else { "?" };
        let value = if is_due || always_has_value(field, model) { value } else { or_null(&value) };
        self.member(field, owner, optional, &value, saved(field))
    }

    /// A member as an update takes it.
    fn patched(&self, field: &Field, owner: Owner<'_>) -> String {
        let model = owner.model();
        let value = self.value(field, model, Face::Patch);
        let value = if field.required || starts_empty(field) { value } else { or_null(&value) };
        self.member(field, owner, "?", &value, updated(field))
    }

    /// A member with a comment: the schema's words, how it writes the field, and what else there is to say.
    fn member(&self, field: &Field, owner: Owner<'_>, optional: &str, ty: &str, said: &str) -> String {
        let mut doc = format!("`{}`", describe(field));
        if let Some(default) = &field.default {
            doc.push_str(&format!(", default `{default}`"));
        }
        if !said.is_empty() {
            doc.push_str(&format!(". {said}"));
        }
        let words = self.schema.member_description(owner.name(), &field.name);
        format!("{}  {}{optional}: {ty};\n", comment("  ", words, &doc), field.name)
    }

    /// The member that names another record by its key, in place of the fields that hold the key.
    fn reference(&self, relation: &Relation, model: &Model) -> Option<String> {
        if !relation.is_to_one() {
            return None;
        }
        let key = self.names.made(&relation.model, Made::Key);
        let is_due = |name: &String| model.is_key_field(name) || model.field(name).is_some_and(|field| field.required);
        let never_null = relation.required || relation.fields.iter().any(is_due);
        let ty = if never_null { key.to_owned() } else { or_null(key) };
        let fields: Vec<String> = relation.fields.iter().map(|name| format!("`{name}`")).collect();
        let doc = format!("In place of {}: the {} with this key.", fields.join(", "), relation.model);
        let words = self.schema.member_description(&model.name, &relation.name);
        Some(format!("{}  {}?: {ty};\n", comment("  ", words, &doc), relation.name))
    }

    /// Type of the values of a field, null aside.
    fn value(&self, field: &Field, model: Option<&Model>, face: Face) -> String {
        if let Some(there) = model.and_then(|model| self.names_record_of(field, model)) {
            return self.names.made(&there.name, Made::Id).to_owned();
        }
        match &field.kind {
            FieldKind::Enum(name) => self.enum_value(name, face),
            FieldKind::Embedded(name) => self.embedded_value(name, face).to_owned(),
            FieldKind::List(element) => {
                let one = self.element(element, face);
                // As with fields: what is shown may come from a schema that does not demand it.
                let is_whole = element.required && face != Face::Record;
                list(&if is_whole { one } else { or_null(&one) })
            }
            FieldKind::Set(element) => list(&self.element(element, face)),
            kind @ (FieldKind::Scalar(_) | FieldKind::Counter | FieldKind::Text { .. }) => {
                self.scalar_kind(kind).to_owned()
            }
        }
    }

    fn element(&self, element: &Element, face: Face) -> String {
        // Elements have no patches: a list is given whole, and compared.
        let face = if face == Face::Patch { Face::Input } else { face };
        match &element.kind {
            ElementKind::Scalar(scalar) => self.scalar(*scalar).to_owned(),
            ElementKind::Enum(name) => self.enum_value(name, face),
            ElementKind::Embedded(name) => self.embedded_value(name, face).to_owned(),
        }
    }

    fn enum_value(&self, name: &str, face: Face) -> String {
        let ident = self.names.of_type(name);
        match face {
            Face::Record => format!("{ident} | {}", self.names.unlisted),
            Face::Input | Face::Patch => ident.to_owned(),
        }
    }

    fn embedded_value(&self, name: &str, face: Face) -> &str {
        match face {
            Face::Record => self.names.of_type(name),
            Face::Input => self.names.made(name, Made::Input),
            Face::Patch => self.names.made(name, Made::Patch),
        }
    }

    fn scalar_kind(&self, kind: &FieldKind) -> &str {
        match kind {
            FieldKind::Scalar(scalar) => self.scalar(*scalar),
            FieldKind::Counter => "number",
            FieldKind::Enum(_)
            | FieldKind::Text { .. }
            | FieldKind::List(_)
            | FieldKind::Set(_)
            | FieldKind::Embedded(_) => "string",
        }
    }

    fn scalar(&self, scalar: Scalar) -> &str {
        match scalar {
            Scalar::Int | Scalar::Timestamp | Scalar::Float => "number",
            Scalar::Boolean => "boolean",
            Scalar::Json => &self.names.json,
            Scalar::Id
            | Scalar::String
            | Scalar::Date
            | Scalar::Time
            | Scalar::DateTime
            | Scalar::Email
            | Scalar::Url
            | Scalar::Phone
            | Scalar::IpAddress => "string",
        }
    }

    /// The model whose id the field of `model` holds: its own, or that of a relation from either side.
    fn names_record_of(&self, field: &Field, model: &Model) -> Option<&Model> {
        if field.managed == Managed::Id {
            return self.schema.model(&model.name);
        }
        let own = model.relations.iter().filter(|relation| relation.is_to_one());
        let own = own.filter(|relation| relation.fields.contains(&field.name)).find_map(|relation| {
            let at = relation.fields.iter().position(|name| *name == field.name)?;
            let there = self.schema.model(&relation.model)?;
            (relation.references.get(at)? == "id").then_some(there)
        });
        let from_there = || {
            self.schema.models.iter().find(|there| {
                there.relations.iter().any(|relation| {
                    relation.kind == RelationKind::HasMany
                        && relation.model == model.name
                        && relation.fields == [field.name.as_str()]
                        && relation.references == ["id"]
                })
            })
        };
        own.or_else(from_there).filter(|there| there.key == Key::Id)
    }
}

fn interface(words: Option<&str>, doc: &str, name: &str, members: impl Iterator<Item = String>) -> String {
    format!("{}export interface {name} {{\n{}}}\n", comment("", words, doc), members.collect::<String>())
}

/// Counters start at 0, sets without elements: neither is ever null.
fn starts_empty(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Counter | FieldKind::Set(_))
}

fn or_null(ty: &str) -> String {
    format!("{ty} | null")
}

fn list(element: &str) -> String {
    if element.contains('|') { format!("({element})[]") } else { format!("{element}[]") }
}

/// A comment: the schema's words, if it has any, and behind them what else there is to say. In lines of at most
/// [`WIDTH`], where words allow it.
pub(super) fn comment(indent: &str, words: Option<&str>, text: &str) -> String {
    let text = text.replace("*/", "*\\/");
    if words.is_none() && indent.len() + text.len() + 8 <= WIDTH {
        return format!("{indent}/** {text} */\n");
    }
    let words = words.map(|words| words.replace("*/", "*\\/")).unwrap_or_default();
    let mut lines: Vec<String> = words.lines().map(|line| line.trim_end().to_owned()).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(folded(&text, indent.len()));
    let line = |line: &String| format!("{indent} * {line}").trim_end().to_owned() + "\n";
    format!("{indent}/**\n{}{indent} */\n", lines.iter().map(line).collect::<String>())
}

fn folded(text: &str, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if indent + 3 + line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
