//! The JSON schema of scenario files, for editors that complete and check TOML.

use serde_json::{Map, Value, json};

use super::families::{GROUPS, families};
use super::forms::{FORMS, Form, Param, Shape, WRITES};
use super::topology::{LINES, ROLES};
use super::workloads::workloads;

/// The JSON schema of scenario files.
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Syncline scenario",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1 },
            "name": { "type": "string" },
            "about": { "type": "string", "description": "What the scenario shows." },
            "seed": { "type": "integer", "minimum": 0, "description": "The seed to begin with." },
            "duration": { "$ref": "#/$defs/duration", "description": "How long writes and faults go on." },
            "schema": { "type": "string", "description": "The app's schema, a GraphQL file relative to this one." },
            "newer_schema": {
                "type": "string",
                "description": "The schema of the app's next version, which devices get by the family `rollout`.",
            },
            "topology": topology(),
            "workload": { "oneOf": [workload(), { "type": "array", "items": workload() }] },
            "faults": faults(),
            "at": { "type": "array", "items": { "oneOf": FORMS.iter().map(event).collect::<Vec<_>>() } },
            "expect": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "converge_within": { "$ref": "#/$defs/duration" },
                    "resent_max": { "$ref": "#/$defs/percent" },
                },
            },
        },
        "$defs": definitions(),
    })
}

fn definitions() -> Value {
    let names: Vec<&str> = LINES.iter().map(|(name, _)| *name).collect();
    json!({
        "duration": {
            "type": "string",
            "pattern": r"^\s*(([0-9]+\s*(ms|s|m|h|d|w)\s*)+|[0-9]+:[0-5]?[0-9]:[0-5]?[0-9](\.[0-9]{1,3})?)\s*$",
            "examples": ["90s", "30m", "8h", "00:10:00"],
        },
        "rate": { "type": "string", "examples": ["1/20s", "10/s", "never"] },
        "percent": {
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": 100 },
                { "type": "string", "pattern": r"^\s*[0-9]{1,3}\s*%$" },
            ],
        },
        "names": { "type": "array", "items": { "type": "string" } },
        "node_name": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$" },
        "line": {
            "oneOf": [
                { "enum": names },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "latency": { "$ref": "#/$defs/duration" },
                        "jitter": { "$ref": "#/$defs/duration" },
                        "bytes_per_s": { "type": "integer", "minimum": 0 },
                    },
                },
            ],
        },
    })
}

fn topology() -> Value {
    let roster = json!({
        "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "array", "items": { "$ref": "#/$defs/node_name" } },
        ],
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "relays": roster,
            "devices": roster,
            "links": {
                "oneOf": [
                    { "enum": ["star", "mesh", "relay+peers"] },
                    {
                        "type": "array",
                        "items": { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 },
                    },
                ],
            },
            "line": { "$ref": "#/$defs/line" },
            "durability": { "enum": ["normal", "full", "mixed"] },
            "late": { "type": "integer", "minimum": 0, "description": "How many devices start late." },
            "late_at": { "$ref": "#/$defs/duration" },
            "node": { "type": "array", "items": node() },
        },
    })
}

fn node() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
            "name": { "$ref": "#/$defs/node_name" },
            "role": { "enum": ROLES },
            "durability": { "enum": ["normal", "full"] },
            "starts": { "type": "string", "description": "A duration, or \"never\" until an event starts it." },
            "clock_off": { "type": "string", "examples": ["2h", "-2h", "-10y"] },
            "disk_sync": { "$ref": "#/$defs/duration" },
            "schema": { "type": "string" },
            "features": { "type": "integer", "minimum": 0 },
            "line": { "$ref": "#/$defs/line" },
        },
    })
}

fn workload() -> Value {
    let kinds: Vec<&str> = workloads().iter().map(|info| info.name).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["kind"],
        "properties": {
            "kind": { "enum": kinds },
            "rate": { "$ref": "#/$defs/rate", "description": "Of each device." },
            "share": { "$ref": "#/$defs/percent", "description": "How many of the devices take part." },
            "models": { "$ref": "#/$defs/names" },
            "nodes": { "$ref": "#/$defs/names" },
            "records": { "type": "integer", "minimum": 0 },
            "away": { "$ref": "#/$defs/duration" },
            "from": { "$ref": "#/$defs/duration" },
        },
    })
}

fn faults() -> Value {
    let made = || families().iter().filter(|family| family.made);
    let names: Vec<&str> = made().map(|family| family.name).chain(GROUPS.iter().copied()).collect();
    let mut properties = Map::new();
    properties.insert(
        "families".to_owned(),
        json!({ "oneOf": [{ "enum": ["swarm", "none"] }, { "type": "array", "items": { "enum": names } }] }),
    );
    properties.insert("off".to_owned(), json!({ "type": "array", "items": { "enum": names } }));
    for family in made() {
        let hold = json!({
            "oneOf": [
                { "$ref": "#/$defs/duration" },
                { "type": "array", "items": { "$ref": "#/$defs/duration" }, "minItems": 2, "maxItems": 2 },
            ],
        });
        let settings = json!({
            "type": "object",
            "description": family.about,
            "additionalProperties": false,
            "properties": { "rate": { "$ref": "#/$defs/rate" }, "for": hold, "nodes": { "$ref": "#/$defs/names" } },
        });
        properties.insert(family.name.to_owned(), settings);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn event(form: &Form) -> Value {
    let mut event = action(form);
    event["properties"]["t"] = json!({ "$ref": "#/$defs/duration" });
    event["properties"]["id"] = json!({ "type": "string", "description": "How later events name this one." });
    if let Some(required) = event["required"].as_array_mut() {
        required.push("t".into());
    }
    event
}

/// A time may be written in two ways, so it is not required by either name.
fn action(form: &Form) -> Value {
    let mut properties = Map::new();
    properties.insert("do".to_owned(), json!({ "const": form.name }));
    for param in form.params {
        properties.insert(param.short().to_owned(), shape(param));
        if param.short() != param.key {
            properties.insert(param.key.to_owned(), json!({ "type": "integer" }));
        }
    }
    let required = form.params.iter().filter(|param| param.required && param.short() == param.key);
    let required: Vec<&str> = ["do"].into_iter().chain(required.map(|param| param.key)).collect();
    json!({
        "type": "object",
        "description": form.about,
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn shape(param: &Param) -> Value {
    match param.shape {
        Shape::Node => json!({ "$ref": "#/$defs/node_name" }),
        Shape::Nodes => json!({ "$ref": "#/$defs/names" }),
        Shape::Groups => json!({ "type": "array", "items": { "$ref": "#/$defs/names" } }),
        Shape::Model | Shape::Field | Shape::Text => json!({ "type": "string" }),
        Shape::Event(forms) => {
            json!({ "type": "string", "description": format!("The `id` of a {} above.", forms.join(" or ")) })
        }
        Shape::Values => json!({ "type": ["object", "string"], "description": "Fields, or their JSON." }),
        Shape::Element => json!({ "description": "A value, or its JSON." }),
        Shape::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Integer => json!({ "type": "integer" }),
        Shape::Time => json!({ "$ref": "#/$defs/duration" }),
        Shape::SignedTime => json!({ "type": "string", "examples": ["2h", "-2h", "-10y"] }),
        Shape::Choice(names) => json!({ "enum": names }),
        Shape::Writes => {
            let writes = WRITES.iter().filter_map(|name| Form::of(name)).map(action).collect::<Vec<_>>();
            json!({ "type": "array", "items": { "oneOf": writes } })
        }
    }
}
