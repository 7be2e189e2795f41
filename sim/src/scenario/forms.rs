//! What every action is called in a file, and what it needs: one table for reading, writing and explaining.

/// An action's form.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) params: &'static [Param],
}

/// One key of an action.
pub(crate) struct Param {
    /// As the schedule's type has it; of a time, `_ms` included.
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

/// What stands at a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Node,
    Nodes,
    Groups,
    Model,
    /// A field of the record's model.
    Field,
    /// The event that made a record, a backup, or that began to observe.
    Event(&'static [&'static str]),
    /// Fields and their values.
    Values,
    /// One value.
    Element,
    Text,
    Count(u64, u64),
    Integer,
    /// A duration.
    Time,
    /// A duration with a sign.
    SignedTime,
    Choice(&'static [&'static str]),
    /// Writes of one transaction.
    Writes,
}

const fn must(key: &'static str, shape: Shape) -> Param {
    Param { key, shape, required: true }
}

const fn may(key: &'static str, shape: Shape) -> Param {
    Param { key, shape, required: false }
}

const NODE: Param = must("node", Shape::Node);
const MODEL: Param = must("model", Shape::Model);
const RECORD: Param = must("record", Shape::Event(&["create", "together"]));
const FIELD: Param = must("field", Shape::Field);
const VALUES: Param = must("values", Shape::Values);
const FOR: Param = must("for_ms", Shape::Time);
const DOWN: Param = must("down_ms", Shape::Time);
const OPERATIONS: Param = may("after_operations", Shape::Count(0, MOST));
const MOST: u64 = i64::MAX as u64;
const U32: u64 = u32::MAX as u64;

pub(crate) const LANES: &[&str] = &["control", "live", "bulk"];
pub(crate) const POINTS: &[&str] =
    &["after-commit", "before-sync", "after-sync", "after-send", "after-receive", "in-checkpoint", "in-side-file"];
pub(crate) const SURVIVALS: &[&str] = &["everything", "nothing", "prefix", "subset"];
pub(crate) const OPERATION_KINDS: &[&str] = &["read", "write", "sync"];

/// The actions that may stand in a transaction.
pub(crate) const WRITES: &[&str] = &["create", "update", "delete", "undelete", "increment", "add", "remove", "splice"];

pub(crate) const FORMS: &[Form] = &[
    Form { name: "create", about: "saves a record", params: &[NODE, MODEL, VALUES] },
    Form { name: "update", about: "changes fields of a record", params: &[NODE, RECORD, VALUES] },
    Form { name: "delete", about: "deletes a record", params: &[NODE, RECORD] },
    Form { name: "undelete", about: "brings a deleted record back", params: &[NODE, RECORD] },
    Form { name: "increment", about: "adds to a counter", params: &[NODE, RECORD, FIELD, must("by", Shape::Integer)] },
    Form { name: "add", about: "adds to a set", params: &[NODE, RECORD, FIELD, must("element", Shape::Element)] },
    Form {
        name: "remove",
        about: "takes out of a set",
        params: &[NODE, RECORD, FIELD, must("element", Shape::Element)],
    },
    Form {
        name: "splice",
        about: "edits a collaborative text, at a place in thousandths of its length",
        params: &[
            NODE,
            RECORD,
            FIELD,
            must("place", Shape::Count(0, 1000)),
            may("delete", Shape::Count(0, U32)),
            may("insert", Shape::Text),
        ],
    },
    Form {
        name: "together",
        about: "several writes of one node in one transaction",
        params: &[NODE, must("writes", Shape::Writes)],
    },
    Form {
        name: "import",
        about: "makes many records at once",
        params: &[NODE, MODEL, must("count", Shape::Count(1, 10_000_000))],
    },
    Form { name: "observe", about: "follows a model's commits", params: &[NODE, MODEL] },
    Form {
        name: "unobserve",
        about: "ends what an observe began",
        params: &[must("observe", Shape::Event(&["observe"]))],
    },
    Form {
        name: "split",
        about: "groups of nodes do not reach each other; a node in no group reaches everyone",
        params: &[must("groups", Shape::Groups), FOR],
    },
    Form { name: "isolate", about: "a node reaches nobody", params: &[NODE, FOR] },
    Form {
        name: "one-way",
        about: "bytes are lost in one direction",
        params: &[must("from", Shape::Node), must("to", Shape::Node), FOR],
    },
    Form {
        name: "swizzle",
        about: "nodes are cut off one by one and come back in another order",
        params: &[must("clog", Shape::Nodes), must("unclog", Shape::Nodes), must("every_ms", Shape::Time)],
    },
    Form {
        name: "flap",
        about: "a node's lines come and go",
        params: &[
            NODE,
            must("up_ms", Shape::Time),
            must("down_ms", Shape::Time),
            must("count", Shape::Count(1, 100_000)),
        ],
    },
    Form {
        name: "slow",
        about: "a node's lines get slow; 0 bytes per second is no bound",
        params: &[
            NODE,
            must("latency_ms", Shape::Time),
            must("jitter_ms", Shape::Time),
            must("bytes_per_s", Shape::Count(0, MOST)),
            FOR,
        ],
    },
    Form {
        name: "stall",
        about: "one lane of a node's connections stops",
        params: &[NODE, must("lane", Shape::Choice(LANES)), FOR],
    },
    Form {
        name: "reset",
        about: "a node's connections die after so many more bytes",
        params: &[NODE, must("after_bytes", Shape::Count(0, MOST))],
    },
    Form { name: "captive", about: "connections come about and carry nothing", params: &[NODE, FOR] },
    Form { name: "herd", about: "everybody loses a node and dials it in the same millisecond", params: &[NODE] },
    Form { name: "meet", about: "a node keeps a further link", params: &[NODE, must("to", Shape::Node), FOR] },
    Form { name: "start", about: "starts a node that has not been started", params: &[NODE] },
    Form { name: "restart", about: "closes the app in good order and starts it again", params: &[NODE, DOWN] },
    Form { name: "upgrade", about: "closes the app and starts its next version", params: &[NODE, DOWN] },
    Form { name: "kill", about: "ends the process; the disk keeps everything", params: &[NODE, DOWN, OPERATIONS] },
    Form {
        name: "kill-at",
        about: "ends the process the next time it comes to a point",
        params: &[NODE, must("point", Shape::Choice(POINTS)), DOWN],
    },
    Form {
        name: "crash-loop",
        about: "ends the process again and again",
        params: &[NODE, must("times", Shape::Count(1, 1000)), must("up_ms", Shape::Time)],
    },
    Form { name: "pause", about: "the process does nothing and notices nothing", params: &[NODE, FOR] },
    Form {
        name: "power-cut",
        about: "cuts the power; some writes under way had reached the medium",
        params: &[NODE, must("survival", Shape::Choice(SURVIVALS)), DOWN, OPERATIONS],
    },
    Form { name: "lying-syncs", about: "syncs report success and do nothing", params: &[NODE, FOR] },
    Form {
        name: "io-error",
        about: "one disk operation fails",
        params: &[NODE, must("on", Shape::Choice(OPERATION_KINDS)), must("nth", Shape::Count(1, MOST))],
    },
    Form {
        name: "disk-full",
        about: "the disk has so much room left",
        params: &[NODE, must("free_bytes", Shape::Count(0, MOST)), FOR],
    },
    Form { name: "slow-disk", about: "syncs take so long", params: &[NODE, must("sync_ms", Shape::Time), FOR] },
    Form {
        name: "bit-rot",
        about: "bits of the store's file flip",
        params: &[NODE, must("flips", Shape::Count(1, 1_000_000))],
    },
    Form { name: "backup", about: "copies a node's files as they are", params: &[NODE] },
    Form {
        name: "restore",
        about: "puts a backup in the place of a node's files",
        params: &[NODE, must("backup", Shape::Event(&["backup"])), DOWN],
    },
    Form {
        name: "clone",
        about: "copies a node's files to a node that was never started, and starts it",
        params: &[NODE, must("onto", Shape::Node)],
    },
    Form { name: "clock-jump", about: "the wall clock jumps", params: &[NODE, must("by_ms", Shape::SignedTime)] },
    Form { name: "clock-freeze", about: "the wall clock stands still", params: &[NODE, FOR] },
];

impl Form {
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        FORMS.iter().find(|form| form.name == name)
    }
}

impl Param {
    /// How the key may also be written: a time without `_ms`, as a duration.
    pub(crate) fn short(&self) -> &'static str {
        match self.shape {
            Shape::Time | Shape::SignedTime => self.key.strip_suffix("_ms").unwrap_or(self.key),
            Shape::Node
            | Shape::Nodes
            | Shape::Groups
            | Shape::Model
            | Shape::Field
            | Shape::Event(_)
            | Shape::Values
            | Shape::Element
            | Shape::Text
            | Shape::Count(..)
            | Shape::Integer
            | Shape::Choice(_)
            | Shape::Writes => self.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schedule::Action;

    #[test]
    fn every_action_has_a_form() {
        let error = serde_json::from_value::<Action>(json!({ "do": "?" })).unwrap_err().to_string();
        let (_, names) = error.split_once("expected one of ").unwrap();
        let (names, _) = names.split_once(" at line").unwrap_or((names, ""));
        let names: Vec<&str> = names.split(", ").map(|name| name.trim_matches('`')).collect();
        let forms: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
        assert_eq!(names, forms);
    }

    #[test]
    fn every_form_is_an_action() {
        for form in FORMS {
            let mut object = serde_json::Map::new();
            object.insert("do".to_owned(), form.name.into());
            object.extend(form.params.iter().map(|param| (param.key.to_owned(), sample(param.shape))));
            let action: Action = serde_json::from_value(Value::Object(object.clone())).unwrap();
            assert_eq!(action.name(), form.name);
            assert_eq!(serde_json::to_value(&action).unwrap(), Value::Object(object), "{}", form.name);
            for param in form.params.iter().filter(|param| !param.required) {
                let mut without = serde_json::to_value(&action).unwrap();
                without.as_object_mut().unwrap().remove(param.key);
                serde_json::from_value::<Action>(without).unwrap();
            }
        }
    }

    fn sample(shape: Shape) -> Value {
        match shape {
            Shape::Node | Shape::Model | Shape::Field | Shape::Text => json!("a"),
            Shape::Nodes => json!(["a"]),
            Shape::Groups => json!([["a"]]),
            Shape::Event(_) | Shape::Count(..) | Shape::Integer | Shape::Time | Shape::SignedTime => json!(1),
            Shape::Values => json!("{}"),
            Shape::Element => json!("1"),
            Shape::Choice(names) => json!(names[0]),
            Shape::Writes => json!([{ "do": "delete", "node": "a", "record": 1 }]),
        }
    }
}
