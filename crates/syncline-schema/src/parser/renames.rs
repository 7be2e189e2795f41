//! `@renamed(from:)`: the names that a field or model had before.

use apollo_compiler::{Name, ast::DirectiveList};

use super::{
    directives,
    finding::{Checked, Finding},
};

/// Former names, newest first; empty without `@renamed`.
pub(super) fn former(list: &DirectiveList, name: &Name) -> Checked<Vec<String>> {
    let Some(directive) = directives::find(list, "renamed") else {
        return Ok(Vec::new());
    };
    let Some(former) = directives::names(directive, "from")?.filter(|names| !names.is_empty()) else {
        return Err(Finding::error(
            directives::name_span(directive),
            "`@renamed` does not say what the name was before",
        )
        .help("write `@renamed(from: \"oldName\")`; several old names as a list, newest first"));
    };
    let mut seen: Vec<String> = Vec::new();
    for old in former {
        if Name::new(old.text).is_err() {
            return Err(Finding::error(old.span, format!("`{}` cannot have been a name", old.text))
                .help("names have letters, digits and `_`"));
        }
        if old.text == name.as_str() || seen.iter().any(|other| other == old.text) {
            return Err(Finding::error(old.span, format!("`{name}` cannot be renamed from `{}`", old.text))
                .help("list each former name once, newest first, without the present one"));
        }
        seen.push(old.text.to_owned());
    }
    Ok(seen)
}

/// The first name ever: the oldest former name, or the present one.
pub(super) fn first_name<'a>(former: &'a [String], name: &'a str) -> &'a str {
    former.last().map_or(name, String::as_str)
}
