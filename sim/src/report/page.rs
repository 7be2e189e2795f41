//! The page: what can be read without a script as HTML, the rest as data for the script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::bands::{downs, faults};
use super::columns::Columns;
use super::sentence::Group;
use super::story::{self, Story};
use super::text::{bytes, duration, escape, script_json, time};
use super::thin::{Kept, thin};
use super::words_of_action;
use crate::outcome::{Differing, Kind, Outcome, Violation};
use crate::schedule::Schedule;
use crate::trace::{Entry, What};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: [&str; 4] = [
    include_str!("page/data.js"),
    include_str!("page/view.js"),
    include_str!("page/draw.js"),
    include_str!("page/page.js"),
];

/// The page, with at most `max` entries.
pub(super) fn html(schedule: &Schedule, outcome: &Outcome, entries: &[Entry], max: usize) -> String {
    let story = Story::of(schedule, outcome, entries);
    let told: BTreeSet<usize> = story.told.iter().filter_map(|told| told.place).collect();
    let kept = thin(entries, centre(outcome, entries), max, &told);
    let places: BTreeMap<usize, usize> =
        kept.places.iter().enumerate().map(|(new, &old)| (old, new)).filter(|(old, _)| told.contains(old)).collect();
    fill(&[
        ("TITLE", &escape(&format!("{}, seed {}: {}", schedule.scenario, schedule.seed, verdict(outcome).1))),
        ("STYLE", STYLE),
        ("HEAD", &head(schedule, outcome)),
        ("NOTE", &note(entries, &kept)),
        ("DIFFERING", &outcome.violation.as_ref().map_or_else(String::new, differing)),
        ("STORY", &told_html(&story, &places)),
        ("NUMBERS", &numbers(outcome)),
        ("DATA", &script_json(&data(schedule, outcome, entries, &kept))),
        ("SCRIPT", &SCRIPT.concat()),
    ])
}

/// Puts each part in its place; nothing in a part is taken for a place.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("<!--@") {
        let (name, behind) = after.split_once("@-->").expect("the template closes its places");
        let part = parts.iter().find(|(part, _)| *part == name).expect("the template names parts that exist").1;
        page.push_str(before);
        page.push_str(part);
        rest = behind;
    }
    page + rest
}

/// Around when things are interesting: the failure, or the moment when everything was healed.
fn centre(outcome: &Outcome, entries: &[Entry]) -> u64 {
    let healed = || entries.iter().find(|entry| matches!(entry.what, What::Healed)).map(|entry| entry.t);
    outcome.violation.as_ref().map(|violation| violation.at_ms).or_else(healed).unwrap_or(outcome.stats.virtual_ms)
}

/// The class of the header, and what it says.
fn verdict(outcome: &Outcome) -> (&'static str, String) {
    match &outcome.violation {
        None => ("passed", "passed".to_owned()),
        Some(violation) => ("failed", format!("failed: {}", violation.check)),
    }
}

fn head(schedule: &Schedule, outcome: &Outcome) -> String {
    let (class, verdict) = verdict(outcome);
    let mark = if class == "passed" { "✔" } else { "✘" };
    let mut html = format!(
        "<header class=\"{class}\"><h1><span class=\"verdict\">{mark} {}</span> {} <small>seed {}</small></h1>",
        escape(&verdict),
        escape(&schedule.scenario),
        schedule.seed
    );
    if let Some(violation) = &outcome.violation {
        put(
            &mut html,
            &format!(
                "<p class=\"wrong\">{} <span class=\"quiet\">{} on {}, at {}, step {}</span></p>",
                escape(&violation.message),
                kind(violation.kind),
                escape(&super::text::list(&violation.nodes)),
                time(violation.at_ms),
                violation.step
            ),
        );
    }
    let stats = &outcome.stats;
    put(
        &mut html,
        &format!(
            "<p class=\"facts\">{} nodes · {} of virtual time · {} steps · {} changes · {} sent · {} connections{}</p>",
            schedule.fleet.nodes.len(),
            duration(stats.virtual_ms),
            stats.steps,
            stats.changes,
            bytes(stats.bytes),
            stats.connections,
            stats
                .converged_after_ms
                .map(|ms| format!(" · agreed {} after everything was healed", duration(ms)))
                .unwrap_or_default()
        ),
    );
    put(&mut html, &next_steps(schedule, outcome));
    html + "</header>"
}

fn next_steps(schedule: &Schedule, outcome: &Outcome) -> String {
    let steps: Vec<String> = story::commands(schedule, outcome)
        .into_iter()
        .map(|(command, to)| format!("<span>To {to}: <code>{}</code></span>", escape(&command)))
        .collect();
    format!(
        "<p class=\"next\">{} <button type=\"button\" id=\"save\" hidden>Save the schedule</button></p>",
        steps.join(" ")
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Safety => "Something false, lost or doubled",
        Kind::Liveness => "Something that should have happened by now",
        Kind::Panic => "The program panicked",
        Kind::Nondeterminism => "Two runs of one schedule differ",
    }
}

fn note(entries: &[Entry], kept: &Kept) -> String {
    let gone = entries.len() - kept.places.len();
    if gone == 0 {
        return String::new();
    }
    let within = match kept.messages_within {
        Some((from, to)) => format!("Messages are complete from {} to {}. ", time(from), time(to)),
        None => String::new(),
    };
    format!(
        "<p class=\"note\">This page shows {} of {} entries: {gone} were left out, messages far from the interesting \
         moment first. {within}The JSON lines trace has them all.</p>",
        kept.places.len(),
        entries.len()
    )
}

/// Records side by side, a row per field, a column per node.
fn differing(violation: &Violation) -> String {
    let tables: Vec<String> = violation.differing.iter().map(record_table).collect();
    if tables.is_empty() {
        return String::new();
    }
    format!("<section aria-label=\"Records that differ\"><h2>States differ here</h2>{}</section>", tables.concat())
}

fn record_table(record: &Differing) -> String {
    let fields: BTreeSet<&String> =
        record.shown.values().flatten().flat_map(|shown| shown.keys()).filter(|name| *name != "id").collect();
    let mut html = format!(
        "<div class=\"wide\"><table class=\"differing\"><caption>{} <code>{}</code></caption><thead><tr>\
         <th scope=\"col\">field</th>",
        escape(&record.model),
        escape(&record.id)
    );
    for node in record.shown.keys() {
        put(&mut html, &format!("<th scope=\"col\">{}</th>", escape(node)));
    }
    html.push_str("</tr></thead><tbody>");
    row(&mut html, "(exists)", record.shown.values().map(|shown| Some(Value::Bool(shown.is_some()))).collect());
    for field in fields {
        let cells = record
            .shown
            .values()
            .map(|shown| shown.as_ref().map(|shown| shown.get(field).cloned().unwrap_or(Value::Null)));
        row(&mut html, field, cells.collect());
    }
    html + "</tbody></table></div>"
}

/// A row, with the cells marked that are not what most nodes show.
fn row(html: &mut String, name: &str, cells: Vec<Option<Value>>) {
    let texts: Vec<String> =
        cells.iter().map(|cell| cell.as_ref().map_or_else(|| "no record".to_owned(), Value::to_string)).collect();
    let usual = story::usual(&texts);
    put(html, &format!("<tr><th scope=\"row\">{}</th>", escape(name)));
    for text in &texts {
        if usual == Some(text) {
            put(html, &format!("<td>{}</td>", escape(text)));
        } else {
            put(html, &format!("<td class=\"differs\"><span class=\"mark\">≠</span> {}</td>", escape(text)));
        }
    }
    html.push_str("</tr>");
}

fn told_html(story: &Story, places: &BTreeMap<usize, usize>) -> String {
    let mut html = String::from("<ol>");
    for told in &story.told {
        let text = escape(&told.text);
        match told.place.and_then(|place| places.get(&place)) {
            Some(place) => put(
                &mut html,
                &format!("<li>{text} <button type=\"button\" class=\"show\" data-entry=\"{place}\">show</button></li>"),
            ),
            None => put(&mut html, &format!("<li>{text}</li>")),
        }
    }
    html.push_str("</ol>");
    if !story.diagram.is_empty() {
        put(&mut html, &format!("<pre class=\"diagram\">{}</pre>", escape(&story.diagram)));
    }
    html
}

fn numbers(outcome: &Outcome) -> String {
    let stats = &outcome.stats;
    let mut html = String::from("<div class=\"tables\">");
    let names: BTreeSet<&String> = stats.done.keys().chain(stats.skipped.keys()).collect();
    let of = |map: &BTreeMap<String, u64>, name: &String| map.get(name).copied().unwrap_or(0).to_string();
    let events = names.iter().map(|name| vec![(*name).clone(), of(&stats.done, name), of(&stats.skipped, name)]);
    table(&mut html, "Scheduled events", &["event", "done", "found nothing to do"], events.collect());
    let checks = stats.checks.iter().map(|(name, count)| vec![name.clone(), count.to_string()]);
    table(&mut html, "Checks", &["check", "made"], checks.collect());
    let rest = [
        ("changes that apps made", stats.changes.to_string()),
        ("changes sent", stats.changes_sent.to_string()),
        ("changes that came to who held them", stats.changes_duplicate.to_string()),
        ("bytes of frames sent", stats.bytes.to_string()),
        ("most bytes under way on one connection", stats.under_way_max.to_string()),
        ("connections", stats.connections.to_string()),
        ("steps", stats.steps.to_string()),
        ("hash of the run", outcome.hash.clone()),
    ];
    let rest = rest.map(|(name, count)| vec![name.to_owned(), count]);
    table(&mut html, "The run", &["what", "number"], rest.into());
    html + "</div>"
}

fn table(html: &mut String, caption: &str, heads: &[&str], rows: Vec<Vec<String>>) {
    put(html, &format!("<table><caption>{caption}</caption><thead><tr>"));
    for head in heads {
        put(html, &format!("<th scope=\"col\">{head}</th>"));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            put(html, &format!("<td>{}</td>", escape(&cell)));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
}

/// What the script reads.
fn data(schedule: &Schedule, outcome: &Outcome, entries: &[Entry], kept: &Kept) -> Value {
    let last = entries.last().map_or(0, |entry| entry.t);
    let end = outcome.stats.virtual_ms.max(last).max(1);
    let mut columns = Columns::new(schedule.fleet.nodes.iter().map(|node| node.name.as_str()));
    for &place in &kept.places {
        columns.push(&entries[place]);
    }
    let downs: Vec<Value> = downs(schedule, entries, end)
        .iter()
        .map(|down| json!([columns.node(down.node), down.from, down.to, down.how.words()]))
        .collect();
    let faults: Vec<Value> = faults(entries, end)
        .iter()
        .map(|fault| {
            let nodes: Vec<usize> = fault.nodes.iter().map(|node| columns.node(node)).collect();
            let cut: Vec<[usize; 2]> =
                fault.cut.iter().map(|(from, to)| [columns.node(from), columns.node(to)]).collect();
            json!([fault.id, fault.name.replace('-', " "), fault.from, fault.to, nodes, cut])
        })
        .collect();
    let violation = outcome.violation.as_ref().map(|violation| {
        let nodes: Vec<usize> = violation.nodes.iter().map(|node| columns.node(node)).collect();
        json!({ "at": violation.at_ms, "check": violation.check, "message": violation.message, "nodes": nodes })
    });
    let events: Vec<Value> =
        schedule.events.iter().map(|event| json!([event.id, event.at_ms, words_of_action(&event.action)])).collect();
    json!({
        "end": end,
        "duration": schedule.duration_ms,
        "file": format!("{}-{}.toml", file_name(&schedule.scenario), schedule.seed),
        "groups": Group::NAMES,
        "nodes": columns.node_names(),
        "roles": schedule.fleet.nodes.iter().map(|node| json!(node.role)).collect::<Vec<_>>(),
        "columns": columns.json(),
        "downs": downs,
        "faults": faults,
        "violation": violation,
        "events": events,
        "messagesWithin": kept.messages_within,
        "schedule": toml::to_string(schedule).ok(),
    })
}

/// A name that every file system and shell takes.
pub(super) fn file_name(scenario: &str) -> String {
    let words: Vec<String> = scenario
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    if words.is_empty() { "run".to_owned() } else { words.join("-") }
}

fn put(html: &mut String, text: &str) {
    html.write_str(text).expect("a String takes everything");
}
