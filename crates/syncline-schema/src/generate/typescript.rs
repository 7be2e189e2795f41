//! TypeScript: types of the JSON in which records are shown, saved and patched.
//!
//! `names` says what things are called; `interfaces` writes what holds members, this file the rest.

mod interfaces;
mod names;

use crate::{EnumType, Key, Model, Schema};
use interfaces::{Face, Writer, comment};
use names::Names;

const HEADER: &str = "\
// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.
";

/// The types of a schema's records, inputs, patches and enums, as one module without imports.
pub fn typescript(schema: &Schema) -> String {
    let names = Names::new(schema);
    let writer = Writer { schema, names: &names };
    let mut parts = vec![HEADER.to_owned()];
    parts.extend(common(&writer));
    parts.extend(schema.enums.iter().map(|e| enumeration(&writer, e)));
    for model in &schema.models {
        parts.extend(of_model(&writer, model));
    }
    for embedded in &schema.embedded {
        for face in [Face::Record, Face::Input, Face::Patch] {
            parts.push(writer.embedded(embedded, face));
        }
    }
    if schema.models.len() > 1 {
        parts.push(exported(&writer));
    }
    parts.join("\n")
}

/// Types that do not depend on the schema, of which those that it uses.
fn common(writer: &Writer<'_>) -> Vec<String> {
    let names = writer.names;
    let json = &names.json;
    let mut parts = vec![format!(
        "/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */\n\
         export type {json} = null | boolean | number | string | {json}[] | {{ [key: string]: {json} }};\n"
    )];
    if !writer.schema.enums.is_empty() {
        parts.push(format!(
            "/** A value of an enum that this schema does not list: a newer one does. */\n\
             export type {} = string & {{}};\n",
            names.unlisted
        ));
    }
    if writer.schema.models.iter().any(|model| model.fields.iter().any(|field| field.fulltext)) {
        parts.push(format!(
            "/** What a search adds to each record that it finds. */\n\
             export interface {} {{\n  \
             /** The greater the better; comparable within one result. */\n  \"~score\": number;\n  \
             /** Where the words stand; not escaped for HTML. */\n  \"~snippet\": string;\n}}\n",
            names.found
        ));
    }
    parts
}

fn enumeration(writer: &Writer<'_>, enum_type: &EnumType) -> String {
    let values: Vec<String> = enum_type.values.iter().map(|value| format!("\"{value}\"")).collect();
    let ident = writer.names.of_type(&enum_type.name);
    let said = |value: &String| {
        let said = writer.schema.member_description(&enum_type.name, value)?;
        Some(format!("`{value}`: {said}"))
    };
    let own = writer.schema.description(&enum_type.name).map(str::to_owned);
    let words: Vec<String> = own.into_iter().chain(enum_type.values.iter().filter_map(said)).collect();
    let words = (!words.is_empty()).then(|| words.join("\n\n"));
    let doc = comment("", words.as_deref(), &format!("Enum `{}`.", enum_type.name));
    format!("{doc}export type {ident} = {};\n", values.join(" | "))
}

fn of_model(writer: &Writer<'_>, model: &Model) -> Vec<String> {
    let mut parts = Vec::new();
    if model.key == Key::Id {
        parts.push(writer.id(model));
    }
    parts.push(writer.record(model));
    parts.push(writer.key(model));
    parts.push(writer.input(model));
    parts.push(writer.patch(model));
    if !model.relations.is_empty() {
        parts.push(writer.relations(model));
    }
    parts
}

fn exported(writer: &Writer<'_>) -> String {
    let names = writer.names;
    let lines = writer
        .schema
        .models
        .iter()
        .map(|model| format!("\n  | ({} & {{ __typename: \"{}\" }})", names.of_type(&model.name), model.name));
    format!(
        "/** A line of an export of the whole store. */\nexport type {} ={};\n",
        names.exported,
        lines.collect::<String>()
    )
}
