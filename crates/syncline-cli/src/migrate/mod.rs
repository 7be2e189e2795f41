//! `migrate amplify`: an Amplify Gen 1 project as a store, a schema, a draft of a relay's configuration, and a report
//! of what carries over, what changes and what is lost.

mod project;
mod report;
mod tables;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syncline::schema::{Allow, Diagnostics, Schema};
use syncline::{Options, Store};

use crate::args::MigrateAmplifyArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, counted, say};
use project::Project;
use report::Facts;
use tables::{Tables, Taken};
use target::Target;

pub(crate) async fn amplify(args: MigrateAmplifyArgs, out: &mut Out) -> Outcome {
    let project = Project::read(&args.folder, args.api.as_deref())?;
    let parsed = project.schema.parse()?;
    let tables = args.data.as_deref().map(|data| Tables::find(data, &parsed.schema)).transpose()?;
    let rejected = args.out.join("rejected");
    tables.as_ref().map_or(Ok(()), |tables| tables.refuse_below(&rejected))?;
    let warnings = project.schema.apart(Diagnostics { findings: parsed.warnings.findings.clone(), ..blank() });
    // Nothing is written before all that can be wrong with the project has been looked at.
    let target = Target::open(&args.out, &project.backend)?;
    let sdl = project.schema.text();
    target.write("schema.graphql", &sdl)?;
    target.draft("relay.toml", &relay_config(&parsed.schema))?;
    let taken = match &tables {
        Some(tables) => {
            make_folder(&rejected)?;
            let path = target.path("store.db");
            let options = Options::new(sdl).file_name("schema.graphql".to_owned());
            let store = Store::open(&path, options).await?;
            let taken = tables.import(&store, &rejected, args.restart).await;
            store.close().await?;
            Some(taken)
        }
        None => None,
    };
    let strangers = tables.as_ref().map(|tables| tables.strangers.as_slice()).unwrap_or_default();
    let facts = Facts { project: &project, parsed: &parsed, warnings: &warnings, tables: taken.as_ref(), strangers };
    target.renew("report.md", &report::text(&facts))?;
    say(format_args!("read {}; what it means stands in the report", project.api.display()));
    out.line(target.path("report.md").display())?;
    match taken.iter().flat_map(BTreeMap::values).map(Taken::failed).sum() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!(
            "{} could not be imported, named above and in the report; run the migration again when the cause is gone",
            counted(failed, "file")
        ))),
    }
}

fn blank() -> Diagnostics {
    Diagnostics { findings: Vec::new(), file: String::new(), source: String::new() }
}

fn make_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path)
        .map_err(|error| Failure::failed(format!("the folder {} cannot be made: {error}", path.display())))
}

/// A relay's configuration with what its operator has to decide.
fn relay_config(schema: &Schema) -> String {
    let mut text = String::from(
        "# A draft of a relay's configuration: syncline relay run --config relay.toml\n\
         # Relays do not authenticate yet, and start only with `dev = true`, open to everybody who reaches them.\n\
         # Run one only where all who reach it may read and write everything.\n\
         #\n\
         # Whom the schema's @auth rules name, for the day they are enforced:\n",
    );
    let whom: BTreeSet<String> =
        schema.models.iter().flat_map(|model| &model.auth).map(|rule| whom(&rule.allow)).collect();
    for line in &whom {
        // A name from the schema must not end the comment.
        text.push_str(&format!("#   {}\n", line.replace(char::is_control, " ")));
    }
    if whom.is_empty() {
        text.push_str("#   nobody: without rules everybody may do everything\n");
    }
    text.push_str("\n[relay]\ndata = \"relay\"\nlisten = \"0.0.0.0:4433\"\ndev = false\n");
    text
}

fn whom(allow: &Allow) -> String {
    match allow {
        Allow::Owner { field, claim } => format!("the owner that the field `{field}` names, by the claim `{claim}`"),
        Allow::Groups { groups, claim } => format!("the groups {}, by the claim `{claim}`", groups.join(", ")),
        Allow::GroupsField { field, claim } => {
            format!("the groups that the field `{field}` names, by the claim `{claim}`")
        }
        Allow::SignedIn => "everybody who is signed in".to_owned(),
        Allow::Public => "everybody".to_owned(),
        Allow::Custom => "whom a function of your own allowed: kept in the schema, and never granted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_can_read_the_draft_of_its_configuration() {
        let sdl = "type A @model @auth(rules: [{ allow: owner }, { allow: groups, groups: [\"a\\n[x]\"] }]) { n: Int }";
        let parsed = syncline::schema::parse("a.graphql", sdl).unwrap();
        let config = syncline_relay::RelayConfig::from_toml(&relay_config(&parsed.schema)).unwrap();
        assert!(!config.dev);
    }
}
