//! The scenario that `sim init` writes: the user's schema, and what can be said, in comments.

use syncline_schema::{FieldKind, Managed, Model, Schema};

use super::families::{GROUPS, families};
use super::workloads::workloads;

/// A scenario for an app, with comments. `sdl` is its schema's text; without it the example is a to-do list's.
pub fn template(schema_file: &str, sdl: Option<&str>) -> String {
    let parsed = sdl.and_then(|sdl| syncline_schema::parse(schema_file, sdl).ok());
    let schema = parsed.map(|parsed| parsed.schema).unwrap_or_default();
    let quoted = toml::Value::String(schema_file.to_owned());
    format!(
        r#"# A scenario for `syncline sim run`: a fleet of your app in virtual time.
# Durations are "250ms", "90s", "30m", "8h", "21d" or "00:10:00"; rates "1/20s", "10/s" or "never".
version = 1
name = "my fleet"
duration = "10m"
schema = {quoted}{has}
# newer_schema = "next.graphql"   # your app's next version, which devices get one after the other

[topology]
relays = 1
devices = 3                 # or names: ["ada", "ben", "phone-3"]
links = "star"              # "mesh", "relay+peers", or pairs: [["d1", "relay"], ["d2", "d1"]]
line = "home"               # "lan", "mobile", "edge", "satellite", or {{ latency = "80ms", jitter = "60ms" }}
durability = "mixed"        # "normal" survives the end of the process, "full" a power cut, once a save returned

# What the apps do. One [workload], or several [[workload]]:
{kinds}
[[workload]]
kind = "mixed"
rate = "1/10s"              # of each device
{models}
# What befalls them. "swarm": every seed draws its own families and rates. Or a list of families or groups
# ({groups}), or "none":
{families}
[faults]
families = "swarm"
# off = ["clone"]
# split = {{ rate = "1/5m", for = ["10s", "2m"] }}

# What happens besides, at times of its own:
#
# [[at]]
# t = "00:02:00"
# do = "split"
# groups = [["d1"], ["d2", "d3", "relay"]]
# for = "3m"
{event}
[expect]
converge_within = "5m"      # after everything is healed
resent_max = "2%"           # changes sent twice, beyond what lost connections explain
"#,
        has = summary(&schema),
        kinds = listed(workloads().iter().map(|info| (info.name, info.about))),
        models = models(&schema),
        groups = GROUPS.join(", "),
        families = listed(families().iter().filter(|f| f.in_swarm()).map(|family| (family.name, family.about))),
        event = event(&schema),
    )
}

fn listed(entries: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    entries.map(|(name, about)| format!("#   {name:<20}{about}\n")).collect()
}

fn summary(schema: &Schema) -> String {
    let names: Vec<&str> = schema.models.iter().map(|model| model.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("   # {}", names.join(", ")) }
}

fn models(schema: &Schema) -> String {
    let Some(model) = schema.models.first() else { return String::new() };
    format!("# models = [\"{}\"]{}# only these; all unless said\n", model.name, " ".repeat(2))
}

/// A create and an update of the app's first model.
fn event(schema: &Schema) -> String {
    let Some((model, field)) = schema.models.iter().find_map(|model| Some((model, example_field(model)?))) else {
        return String::new();
    };
    format!(
        "#\n# [[at]]\n# t = \"90s\"\n# do = \"import\"\n# node = \"d1\"\n# model = \"{model}\"\n\
         # count = 100                 # records with every field filled, {field} for one\n",
        model = model.name,
    )
}

fn example_field(model: &Model) -> Option<&str> {
    let fills = |field: &&syncline_schema::Field| {
        field.managed == Managed::No && matches!(field.kind, FieldKind::Scalar(_) | FieldKind::Text { .. })
    };
    model.fields.iter().find(fills).map(|field| field.name.as_str())
}
