//! The report of a migration, in Markdown: what carries over, what changes, what is lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use syncline::schema::{Diagnostics, FieldKind, Key, Managed, Model, Parsed, RelationKind};

use super::project::Project;
use super::tables::Taken;
use crate::output::counted;

/// What a report is made from.
pub(super) struct Facts<'a> {
    pub(super) project: &'a Project,
    pub(super) parsed: &'a Parsed,
    /// The schema's warnings, by file.
    pub(super) warnings: &'a [Diagnostics],
    /// What became of each table; nothing where no data was named.
    pub(super) tables: Option<&'a BTreeMap<String, Taken>>,
    /// Files of the data folder that are no model's.
    pub(super) strangers: &'a [String],
}

pub(super) fn text(facts: &Facts<'_>) -> String {
    let mut out = String::new();
    // Writing into a String does not fail.
    let _ = head(&mut out, facts);
    for model in &facts.parsed.schema.models {
        let _ = of_model(&mut out, facts, model);
    }
    let _ = lost(&mut out, facts);
    let _ = next_steps(&mut out, facts);
    out
}

fn head(out: &mut String, facts: &Facts<'_>) -> std::fmt::Result {
    let Facts { project, parsed, .. } = facts;
    let name = project.api.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    writeln!(out, "# From Amplify to Syncline: {name}\n")?;
    for file in project.schema.names() {
        writeln!(out, "- Schema: `{file}`")?;
    }
    let models = counted(parsed.schema.models.len() as u64, "model");
    writeln!(out, "- Holds {models} (join models of `@manyToMany` included).")?;
    match project.transformer {
        Some(version) => writeln!(out, "- GraphQL transformer {version}, by `cli.json`.")?,
        None => writeln!(out, "- `cli.json` names no GraphQL transformer.")?,
    }
    writeln!(out, "\n## What changes for all models\n")?;
    for line in [
        "`_version`, `_lastChangedAt`, `_deleted` end: a record is what its changes add up to, and `history` lists them.",
        "New ids are UUID v7 instead of v4; ids that exist stay.",
        "`@default` is applied on the device instead of the server.",
        "Deletes take `hasOne` and `hasMany` records along as in DataStore, links of `@manyToMany` too; `onDelete` in the \
         schema changes that.",
        "Lists merge element by element instead of being appended; `@set`, `@counter` and `@text` are there for fields \
         that want more.",
        "`@auth` rules are read, checked and kept, and not enforced by a relay yet.",
    ] {
        writeln!(out, "- {line}")?;
    }
    writeln!(out, "\n## Models\n")
}

fn of_model(out: &mut String, facts: &Facts<'_>, model: &Model) -> std::fmt::Result {
    writeln!(out, "### {}\n", model.name)?;
    let key = match &model.key {
        Key::Id => "`id`".to_owned(),
        Key::Custom(fields) => format!("`@primaryKey` of `{}`", fields.join("`, `")),
    };
    if is_join(facts, model) {
        let fields = model.key_fields().join("`, `");
        writeln!(
            out,
            "Changes: a link is named by its pair, `{fields}`. The `id` of a row is left out, and rows of one pair become \
             one link."
        )?;
        return data(out, facts, model);
    }
    let own = model.fields.iter().filter(|field| field.managed == Managed::No).count();
    writeln!(out, "Carries over: key {key}, {}.", counted(own as u64, "field"))?;
    for relation in &model.relations {
        let kind = match relation.kind {
            RelationKind::HasOne => "@hasOne",
            RelationKind::HasMany => "@hasMany",
            RelationKind::BelongsTo => "@belongsTo",
            RelationKind::ManyToMany => "@manyToMany",
        };
        let through = relation.join_model.as_ref().map_or_else(String::new, |join| format!(" through `{join}`"));
        let fields = relation.fields.join("`, `");
        writeln!(
            out,
            "- `{kind}` `{}` leads to {}{through}; the key stands in `{fields}`",
            relation.name, relation.model
        )?;
    }
    for index in &model.indexes {
        writeln!(
            out,
            "- `@index` `{}` over `{}` is an index of SQLite's; its `queryField` names no query any more",
            index.name,
            index.fields.join("`, `")
        )?;
    }
    if !model.auth.is_empty() {
        writeln!(out, "- `@auth`: {} kept, not enforced yet", counted(model.auth.len() as u64, "rule"))?;
    }
    writeln!(out, "\nChanges: {}", conflict(facts.project.conflicts.of(&model.name)))?;
    let lists = model.fields.iter().filter(|field| matches!(field.kind, FieldKind::List(_)));
    let lists: Vec<&str> = lists.map(|field| field.name.as_str()).collect();
    if !lists.is_empty() {
        writeln!(out, "- Lists: `{}`. Where each value should stand once, `@set` says so.", lists.join("`, `"))?;
    }
    data(out, facts, model)
}

fn data(out: &mut String, facts: &Facts<'_>, model: &Model) -> std::fmt::Result {
    match facts.tables.map(|tables| tables.get(&model.name)) {
        Some(Some(taken)) => writeln!(out, "\nData:\n{taken}"),
        Some(None) => writeln!(out, "\nData: no file of this model was found.\n"),
        None => writeln!(out),
    }
}

/// Whether the schema has the model by itself, for a `@manyToMany`.
fn is_join(facts: &Facts<'_>, model: &Model) -> bool {
    let mut relations = facts.parsed.schema.models.iter().flat_map(|model| &model.relations);
    relations.any(|relation| relation.join_model.as_ref() == Some(&model.name))
}

/// What becomes of the way in which conflicts were resolved.
fn conflict(handler: Option<&str>) -> String {
    match handler {
        None => "no conflict resolution is configured (`transform.conf.json`), so this was no DataStore model; \
                 concurrent edits merge field by field."
            .to_owned(),
        Some("AUTOMERGE") => {
            "Auto Merge: concurrent edits of different fields both stay, as before; of one field, one \
                              wins on every device alike, not the server's, and the others stay readable."
                .to_owned()
        }
        Some("OPTIMISTIC_CONCURRENCY") => "Optimistic Concurrency: no write is refused for its version any more; \
                                           concurrent edits merge, and `conflicts` lists what met."
            .to_owned(),
        Some("LAMBDA") => "**Custom Lambda: its code does not run any more.** Say in the schema what it did \
                           (`@merge(with: max | min | latest)`, `@counter`, `@set`), or settle in the app with \
                           `observe_conflicts` and `resolve`."
            .to_owned(),
        Some(other) => format!("`{other}` is no way of resolving conflicts that is known; concurrent edits merge."),
    }
}

fn lost(out: &mut String, facts: &Facts<'_>) -> std::fmt::Result {
    writeln!(out, "## What is lost\n")?;
    if facts.warnings.iter().all(Diagnostics::is_empty) {
        writeln!(out, "Nothing in the schema.\n")?;
    }
    for found in facts.warnings {
        for finding in &found.findings {
            let help = finding.help.as_ref().map_or_else(String::new, |help| format!(": {}", help.replace('\n', " ")));
            writeln!(out, "- `{}:{}`: {}{help}", found.file, finding.line, finding.message)?;
        }
    }
    writeln!(
        out,
        "\nOf the data: versions and the times of single changes, rows that are deleted already, and what stands in \
         no table (files in S3, users in Cognito, functions)."
    )?;
    for name in facts.strangers {
        writeln!(out, "- `{name}` in the data folder is of no model and was not read")?;
    }
    writeln!(out)
}

fn next_steps(out: &mut String, facts: &Facts<'_>) -> std::fmt::Result {
    writeln!(out, "## What to do next\n")?;
    let failed: u64 = facts.tables.into_iter().flat_map(BTreeMap::values).map(Taken::failed).sum();
    if failed > 0 {
        writeln!(
            out,
            "1. Correct the {} that could not be imported, and run the migration again: what is in the store already \
             and was changed there since stays as it is.",
            counted(failed, "file")
        )?;
    }
    let lacking = models_where(facts, Taken::lacks_pages);
    if !lacking.is_empty() {
        writeln!(
            out,
            "1. Fetch the rest of {lacking}: ask again with the `nextToken` of the last page (of a scan, with its \
             `LastEvaluatedKey`) until a page names no other, put each answer into the data folder as `MODEL-2.json`, \
             `MODEL-3.json` and so on, and run the migration again: what is in the store stays as it is."
        )?;
    }
    let failing = models_where(facts, Taken::has_errors);
    if !failing.is_empty() {
        writeln!(
            out,
            "1. Ask again for the rows of {failing}: a query answered with an error. Put the answer in place of the \
             file that holds it, and run the migration again."
        )?;
    }
    let rejected: u64 = facts.tables.into_iter().flat_map(BTreeMap::values).map(Taken::skipped).sum();
    if rejected > 0 {
        writeln!(
            out,
            "1. Correct the {} that did not fit (`rejected/`) and import them: `syncline import store.db MODEL \
             rejected/MODEL.ndjson`.",
            counted(rejected, "row")
        )?;
    }
    for line in [
        "1. Read the models above; change `schema.graphql` where merging should do more, before the app ships.",
        "1. `relay.toml` is a draft of a relay's configuration: `syncline relay run --config relay.toml`.",
        "1. Sync the store to the relay from **one** place: `syncline sync store.db URL`; devices get it from there.",
        "1. What each call of DataStore is here stands in `docs/datastore.md`.",
    ] {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Names of the models of whose tables this holds.
fn models_where(facts: &Facts<'_>, holds: impl Fn(&Taken) -> bool) -> String {
    let tables = facts.tables.into_iter().flatten().filter(|(_, taken)| holds(taken));
    tables.map(|(model, _)| format!("`{model}`")).collect::<Vec<_>>().join(", ")
}
