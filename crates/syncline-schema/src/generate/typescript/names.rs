//! What the schema's types, and those made from them, are called in TypeScript: one scope.

use std::collections::{BTreeMap, BTreeSet};

use crate::Schema;

/// Words that cannot name a type, or mean something else where a type stands.
const RESERVED: &str = "\
    abstract any as asserts await bigint boolean break case catch class const continue debugger default delete do \
    else enum export extends false finally for function if implements import in infer instanceof interface \
    intrinsic is keyof let never new null number object package private protected public readonly return satisfies \
    static string super switch symbol this throw true try typeof undefined unique unknown using var void while \
    with yield";

/// A type that is made for a model or an embedded type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Made {
    Id,
    Key,
    Input,
    Patch,
    Relations,
}

impl Made {
    const ALL: [Self; 5] = [Self::Id, Self::Key, Self::Input, Self::Patch, Self::Relations];

    fn suffix(self) -> &'static str {
        match self {
            Self::Id => "Id",
            Self::Key => "Key",
            Self::Input => "Input",
            Self::Patch => "Patch",
            Self::Relations => "Relations",
        }
    }
}

/// The names. What the schema names keeps its name; what is made gives way to it.
pub(super) struct Names {
    types: BTreeMap<String, String>,
    made: BTreeMap<(String, Made), String>,
    pub(super) json: String,
    pub(super) unlisted: String,
    pub(super) found: String,
    pub(super) exported: String,
}

impl Names {
    pub(super) fn new(schema: &Schema) -> Self {
        let reserved: BTreeSet<String> = RESERVED.split(' ').map(str::to_owned).collect();
        let mut taken = reserved.clone();
        let models = schema.models.iter().map(|model| &model.name);
        let enums = schema.enums.iter().map(|e| &e.name);
        let embedded = schema.embedded.iter().map(|e| &e.name);
        // First those that can have their own name: none of them gives way to a reserved word with an underscore.
        let mut all: Vec<&String> = models.clone().chain(enums).chain(embedded.clone()).collect();
        all.sort_by_key(|name| reserved.contains(*name));
        let types = all.into_iter().map(|name| (name.clone(), claim(&mut taken, name))).collect();
        let mut made = BTreeMap::new();
        for name in models.chain(embedded) {
            for what in Made::ALL {
                let wanted = format!("{name}{}", what.suffix());
                made.insert((name.clone(), what), claim(&mut taken, &wanted));
            }
        }
        let mut common = |name: &str| claim(&mut taken, name);
        Self {
            types,
            made,
            json: common("Json"),
            unlisted: common("Unlisted"),
            found: common("Found"),
            exported: common("Exported"),
        }
    }

    /// The type of a model, enum or embedded type.
    pub(super) fn of_type(&self, name: &str) -> &str {
        self.types.get(name).map_or("unknown", String::as_str)
    }

    /// A type made for a model or embedded type.
    pub(super) fn made(&self, name: &str, what: Made) -> &str {
        self.made.get(&(name.to_owned(), what)).map_or("unknown", String::as_str)
    }
}

/// The name, with underscores behind it while it is taken.
fn claim(taken: &mut BTreeSet<String>, name: &str) -> String {
    let mut free = name.to_owned();
    while !taken.insert(free.clone()) {
        free.push('_');
    }
    free
}

#[cfg(all(test, feature = "parser"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_names_keeps_its_name_and_what_is_made_gives_way() {
        let sdl = "type Todo @model { a: TodoInput b: string c: string_ d: Json }
                   type TodoInput { a: Int } type string { a: Int } type string_ { a: Int } enum Json { A }";
        let names = Names::new(&crate::parse("test", sdl).unwrap().schema);
        assert_eq!(names.of_type("Todo"), "Todo");
        assert_eq!(names.of_type("TodoInput"), "TodoInput");
        assert_eq!(names.made("Todo", Made::Input), "TodoInput_");
        assert_eq!(names.made("TodoInput", Made::Input), "TodoInputInput");
        assert_eq!((names.of_type("string"), names.of_type("string_")), ("string__", "string_"));
        assert_eq!((names.of_type("Json"), names.json.as_str()), ("Json", "Json_"));
    }
}
