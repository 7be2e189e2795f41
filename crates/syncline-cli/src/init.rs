//! `init`: a new store, or a newer schema for an old one.

use std::path::Path;

use syncline::schema::{self, ChangeKind, Schema, SchemaChange};
use syncline::{Create, Error, Options, Store, StoreError};

use crate::args::InitArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{bar, counted, say, stderr_is_colored};
use crate::store;

pub(crate) async fn run(args: InitArgs) -> Outcome {
    let sdl = std::fs::read_to_string(&args.schema).map_err(|error| Failure::unreadable(&args.schema, &error))?;
    let file = args.schema.display().to_string();
    let parsed = schema::parse(&file, &sdl)
        .map_err(|found| Failure::failed(format!("the schema was refused\n\n{}", found.render(stderr_is_colored()))))?;
    if !parsed.warnings.is_empty() {
        say(parsed.warnings.render(stderr_is_colored()));
    }
    let mut options = Options::new(sdl).file_name(file);
    if let Some(namespace) = &args.namespace {
        options = options.namespace(namespace);
    }
    if is_store(&args.db).await? {
        return update(&args, options.create(Create::Never), &parsed.schema).await;
    }
    let store = Store::open(&args.db, options.create(Create::IfMissing)).await?;
    let namespace = store.namespace().to_owned();
    store.close().await?;
    say(format_args!("made {} with {}, namespace `{namespace}`", args.db.display(), models(&parsed.schema)));
    Ok(())
}

/// Whether there is a store. What is left of an init that was killed at once is none yet.
async fn is_store(db: &Path) -> Outcome<bool> {
    match Store::open(db, Options::default().create(Create::Never)).await {
        Err(Error::Store(StoreError::Missing(_) | StoreError::Empty(_))) => Ok(false),
        opened => {
            opened?.close().await?;
            Ok(true)
        }
    }
}

/// Gives an existing store the schema, unless its records cannot follow or it lacks what they have.
async fn update(args: &InitArgs, options: Options, new: &Schema) -> Outcome {
    let db = args.db.display();
    let old = store::with(&args.db, async |store| Ok(store.schema().cloned())).await?;
    let changes = old.map(|old| schema::changes(&old, new)).unwrap_or_default();
    refuse_incompatible(&changes)?;
    refuse_removals(args, &changes)?;
    let bar = bar("", 0, "filling {msg} {bar:30} {human_pos} of {human_len} records");
    let shown = bar.clone();
    let options = options.on_migration(move |migration| {
        shown.set_message(migration.model.clone());
        shown.set_length(migration.total);
        shown.set_position(migration.done);
    });
    let opened = Store::open(&args.db, options).await;
    bar.finish_and_clear();
    opened?.close().await?;
    if changes.is_empty() {
        say(format_args!("{db} is a store already and has this schema; its records are as they were"));
        return Ok(());
    }
    say(format_args!("{db} has the new schema now:"));
    for change in changes {
        say(format_args!("  {change}"));
    }
    Ok(())
}

/// Refuses a schema that the records cannot follow, whatever is accepted, in the words of opening.
fn refuse_incompatible(changes: &[SchemaChange]) -> Outcome {
    let incompatible = changes.iter().filter(|change| change.kind == ChangeKind::Incompatible);
    let incompatible: Vec<String> = incompatible.map(|change| format!("- {change}")).collect();
    if incompatible.is_empty() {
        return Ok(());
    }
    Err(Error::Store(StoreError::IncompatibleSchema(incompatible.join("\n"))).into())
}

/// Refuses a schema without models, fields or enum values that the store has, unless that is meant.
fn refuse_removals(args: &InitArgs, changes: &[SchemaChange]) -> Outcome {
    let removed = changes.iter().filter(|change| change.kind == ChangeKind::Removed);
    let removed: String = removed.map(|change| format!("\n  {change}")).collect();
    if removed.is_empty() || args.accept_removals {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} is a store already, and this schema lacks what it has; it was left as it was:{removed}\n\
         if that is meant, add --accept-removals: nothing is lost, and it comes back with its schema",
        args.db.display()
    )))
}

fn models(schema: &Schema) -> String {
    let names: Vec<&str> = schema.models.iter().map(|model| model.name.as_str()).collect();
    let count = counted(names.len() as u64, "model");
    if names.len() > 8 { count } else { format!("{count} ({})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `init` of one store with one schema after the other: what the last one came to.
    async fn last_of(schemas: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let (db, schema) = (folder.path().join("app.db"), folder.path().join("schema.graphql"));
        let mut outcome = Ok(());
        for sdl in schemas {
            std::fs::write(&schema, sdl).unwrap();
            let args = InitArgs { db: db.clone(), schema: schema.clone(), namespace: None, accept_removals: false };
            outcome = run(args).await;
        }
        outcome
    }

    /// The indexes that the schema has by itself for relations are named after models.
    #[tokio::test]
    async fn a_renamed_model_and_an_index_that_is_gone_need_no_leave() {
        let old = "type Post @model { title: String @index(name: \"byTitle\") comments: [Comment] @hasMany }
                   type Comment @model { text: String post: Post @belongsTo }";
        let new = "type Article @model @renamed(from: \"Post\") { title: String comments: [Comment] @hasMany }
                   type Comment @model { text: String post: Article @belongsTo }";
        last_of(&[old, new]).await.unwrap();
        for lacking in [
            "type Comment @model { text: String }",
            "type Post @model { id: ID! } type Comment @model { text: String }",
        ] {
            let refused = last_of(&[old, lacking]).await.unwrap_err();
            assert!(refused.message().unwrap().contains("--accept-removals"), "{refused:?}");
        }
    }

    /// The first run said that nothing is lost with --accept-removals, and only the second one refused.
    #[tokio::test]
    async fn what_records_cannot_follow_is_said_before_any_removal_is_asked_about() {
        let old = "type Todo @model { size: Int note: String }";
        let refused = last_of(&[old, "type Todo @model { size: Float }"]).await.unwrap_err();
        let message = refused.message().unwrap();
        assert!(message.contains("Todo.size: the field held Int and would hold Float"), "{message}");
        assert!(!message.contains("--accept-removals"), "{message}");
    }
}
