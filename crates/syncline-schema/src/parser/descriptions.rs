//! What the file says of its types and their members, in the words of whoever wrote it.

use std::collections::BTreeMap;

use apollo_compiler::Node;

use super::definitions::Definitions;

/// The descriptions by `Type` and `Type.member`; empty ones are left out.
pub(super) fn collect(definitions: &Definitions<'_>) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let mut keep = |of: String, description: &Option<Node<str>>| {
        if let Some(text) = description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            said.insert(of, text.to_owned());
        }
    };
    for object in definitions.models.iter().chain(&definitions.embedded) {
        keep(object.name.to_string(), &object.description);
        for field in &object.fields {
            keep(format!("{}.{}", object.name, field.name), &field.description);
        }
    }
    for enum_type in &definitions.enums {
        keep(enum_type.name.to_string(), &enum_type.description);
        for value in &enum_type.values {
            keep(format!("{}.{}", enum_type.name, value.value), &value.description);
        }
    }
    said
}
