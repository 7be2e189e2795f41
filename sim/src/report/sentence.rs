//! One sentence for every kind of entry: a template and the values for its slots.

use super::text::{bytes, list};
use crate::trace::{Entry, What};

/// A sentence with its values apart.
pub(super) struct Sentence {
    /// Text with `{slots}`; `{node}` is the entry's node, the others take the values in order.
    pub(super) template: &'static str,
    /// The values.
    pub(super) values: Vec<Slot>,
    /// Under which heading a page lists it.
    pub(super) group: Group,
    /// By which mark a page draws it.
    pub(super) mark: &'static str,
}

/// A value in a sentence.
pub(super) enum Slot {
    Text(String),
    Number(u64),
    Bytes(u64),
    List(Vec<String>),
}

/// What one can filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Checks,
    Faults,
    Processes,
    Writes,
    Commits,
    Messages,
    Connections,
    Sessions,
    Durability,
    Others,
}

impl Group {
    /// Every group and its name, in the order of their numbers.
    pub(super) const NAMES: [&'static str; 10] = [
        "checks",
        "faults",
        "processes",
        "writes",
        "commits",
        "messages",
        "connections",
        "sessions",
        "durability",
        "other events",
    ];
}

impl Sentence {
    /// The sentence as text.
    pub(super) fn fill(&self, node: &str) -> String {
        let mut said = String::new();
        let mut values = self.values.iter();
        let mut rest = self.template;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, behind) = after.split_once('}').expect("templates close their slots");
            said.push_str(before);
            match slot {
                "node" => said.push_str(if node.is_empty() { FLEET } else { node }),
                _ => said.push_str(&values.next().expect("templates have a value per slot").to_string()),
            }
            rest = behind;
        }
        said + rest
    }
}

/// How the whole fleet is called.
pub(super) const FLEET: &str = "the fleet";

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Bytes(count) => f.write_str(&bytes(*count)),
            Self::List(names) => f.write_str(&list(names)),
        }
    }
}

impl From<&String> for Slot {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&str> for Slot {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Slot {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&u64> for Slot {
    fn from(number: &u64) -> Self {
        Self::Number(*number)
    }
}

impl From<&u32> for Slot {
    fn from(number: &u32) -> Self {
        Self::Number(u64::from(*number))
    }
}

/// The sentence of an entry.
pub(super) fn of(entry: &Entry) -> Sentence {
    match &entry.what {
        What::Event { id, name, outcome, done, record } => event(*id, name, outcome, *done, record.as_deref()),
        What::Opened { boot, replica } if replica.is_empty() => {
            process("open", "{node} opened its store (start {boot}).", [boot.into()])
        }
        What::Opened { boot, replica } => process(
            "open",
            "{node} opened its store (start {boot}) as replica {replica}.",
            [boot.into(), replica.into()],
        ),
        What::NotOpened { error } => process("not-open", "{node} could not open its store: {error}.", [stop(error)]),
        What::Closed => process("close", "{node} closed its store in good order.", []),
        What::Killed { by } => process(
            if by.contains("power") { "power-cut" } else { "kill" },
            "{node}'s process ended without a word, by {by}.",
            [Slot::Text(by.trim_end_matches('.').replace('-', " "))],
        ),
        What::Dialing { to } => line("dial", "{node} dialled {to}.", [to.into()]),
        What::DialFailed { to, why } => {
            line("dial-failed", "{node} did not reach {to}: {why}.", [to.into(), stop(why)])
        }
        What::Connected { connection, to } => {
            line("connect", "{node} and {to} are connected (connection {connection}).", [to.into(), connection.into()])
        }
        What::Disconnected { connection, to, why } => line(
            "disconnect",
            "{node} lost its connection {connection} to {to}: {why}.",
            [connection.into(), to.into(), stop(why)],
        ),
        What::Sent { message, connection, to, lane, name, bytes } => sentence(
            Group::Messages,
            "sent",
            match vowel(name) {
                false => {
                    "{node} sent {to} a {name} of {bytes} on the {lane} lane (message {message}, connection {connection})."
                }
                true => {
                    "{node} sent {to} an {name} of {bytes} on the {lane} lane (message {message}, connection {connection})."
                }
            },
            vec![to.into(), name.into(), Slot::Bytes(*bytes as u64), lane.into(), message.into(), connection.into()],
        ),
        What::Received { message, connection, from, name } => sentence(
            Group::Messages,
            "received",
            match vowel(name) {
                false => "{node} received a {name} from {from} (message {message}, connection {connection}).",
                true => "{node} received an {name} from {from} (message {message}, connection {connection}).",
            },
            vec![name.into(), from.into(), message.into(), connection.into()],
        ),
        What::Committed { seq, origin, records } => committed(*seq, origin, records),
        What::Durable { seq } => sentence(
            Group::Durability,
            "durable",
            "{node} has everything up to log position {seq} safe on its disk.",
            vec![seq.into()],
        ),
        What::Session { connection, with, news } => session(connection, with, news),
        What::FaultBegan { id, name, nodes, cut } => fault_began(*id, name, nodes, cut),
        What::FaultEnded { id } => {
            sentence(Group::Faults, "fault-end", "What event {id} began is over.", vec![id.into()])
        }
        What::Healed => sentence(
            Group::Faults,
            "healed",
            "Everything that was broken is whole again, and nobody writes any more.",
            Vec::new(),
        ),
        What::Converged => sentence(Group::Checks, "converged", "Everyone has what everyone has.", Vec::new()),
        What::Violated { violation } => sentence(
            Group::Checks,
            "violated",
            "The check {check} did not hold: {message}.",
            vec![(&violation.check).into(), stop(&violation.message)],
        ),
    }
}

fn event(id: u32, name: &str, outcome: &str, done: bool, record: Option<&str>) -> Sentence {
    let mark = match name {
        "clock-jump" | "clock-freeze" => "clock",
        _ if wrote(name).is_some() => "write",
        _ => "event",
    };
    let group = if mark == "write" { Group::Writes } else { Group::Others };
    let name_said = || Slot::Text(name.replace('-', " "));
    if !done {
        return match outcome {
            "" => sentence(
                group,
                "skipped",
                "Event {id}, {name} at {node}, found nothing to do.",
                vec![(&id).into(), name_said()],
            ),
            _ => sentence(
                group,
                "skipped",
                "Event {id}, {name} at {node}, did nothing: {outcome}.",
                vec![(&id).into(), name_said(), stop(outcome)],
            ),
        };
    }
    match (wrote(name), record) {
        (Some(did), Some(record)) if outcome.is_empty() || outcome == record => {
            sentence(group, mark, "{node} {did} {record} (event {id}).", vec![did.into(), record.into(), (&id).into()])
        }
        (Some(did), Some(record)) => sentence(
            group,
            mark,
            "{node} {did} {record} (event {id}): {outcome}.",
            vec![did.into(), record.into(), (&id).into(), stop(outcome)],
        ),
        _ if outcome.is_empty() => {
            sentence(group, mark, "Event {id} came up at {node}: {name}.", vec![(&id).into(), name_said()])
        }
        _ => sentence(
            group,
            mark,
            "Event {id} came up at {node}: {name}: {outcome}.",
            vec![(&id).into(), name_said(), stop(outcome)],
        ),
    }
}

/// What an app did, by the name of the action; `None` for what is no write.
pub(super) fn wrote(name: &str) -> Option<&'static str> {
    Some(match name {
        "create" => "saved",
        "update" => "changed",
        "delete" => "deleted",
        "undelete" => "brought back",
        "increment" => "added to a counter of",
        "add" => "added to a set of",
        "remove" => "took something out of a set of",
        "splice" => "edited a text of",
        "together" => "wrote in one transaction to",
        "import" => "imported",
        _ => return None,
    })
}

fn committed(seq: u64, origin: &str, records: &[String]) -> Sentence {
    let (mark, with, without) = match origin {
        "local" => (
            "commit-local",
            "{node} committed its own changes to {records} (log position {seq}).",
            "{node} committed its own changes, up to log position {seq}.",
        ),
        _ => (
            "commit-peer",
            "{node} committed a peer's changes to {records} (log position {seq}).",
            "{node} committed a peer's changes, up to log position {seq}.",
        ),
    };
    match records {
        [] => sentence(Group::Commits, mark, without, vec![(&seq).into()]),
        _ => sentence(Group::Commits, mark, with, vec![Slot::List(records.to_vec()), (&seq).into()]),
    }
}

/// News of a session: in words where they are one of those that every session has.
fn session(connection: &u64, with: &String, news: &str) -> Sentence {
    let name: String = news.chars().take_while(char::is_ascii_alphanumeric).collect();
    let template = match name.as_str() {
        "CaughtUp" => "{node} has everything that {with} had (connection {connection}).",
        "Synced" => "{node} and {with} have what the other has, safe on their disks (connection {connection}).",
        "Finished" => "{node} ended its session with {with} in good order (connection {connection}).",
        _ => "",
    };
    if news == name && !template.is_empty() {
        return sentence(Group::Sessions, "session", template, vec![with.into(), connection.into()]);
    }
    let template = match name.as_str() {
        "PeerKnown" => "{node} and {with} shook hands (connection {connection}): {news}.",
        "Acknowledged" => {
            "{node} learnt that {with} has more of its changes safe on its disk (connection {connection}): {news}."
        }
        "Refused" => "{node} was turned away by {with} (connection {connection}): {news}.",
        "CursorRefused" => "{node} and {with} must compare a whole log (connection {connection}): {news}.",
        "ForkFound" => {
            "{node} found two histories under one replica id, with {with} (connection {connection}): {news}."
        }
        "IdentityRenewed" => "{node} gave up its replica id, with {with} (connection {connection}): {news}.",
        "StoreFailed" => "{node}'s store failed in the session with {with} (connection {connection}): {news}.",
        "Misbehaved" => "{node} saw {with} do what the protocol forbids (connection {connection}): {news}.",
        _ => "{node} in session with {with} (connection {connection}): {news}.",
    };
    sentence(Group::Sessions, "session", template, vec![with.into(), connection.into(), stop(news)])
}

fn vowel(name: &str) -> bool {
    name.starts_with(['A', 'E', 'I', 'O', 'U'])
}

fn fault_began(id: u32, name: &str, nodes: &[String], cut: &[(String, String)]) -> Sentence {
    let name = Slot::Text(name.replace('-', " "));
    let nodes = Slot::List(if nodes.is_empty() { vec![FLEET.to_owned()] } else { nodes.to_vec() });
    let pairs: Vec<String> = cut.iter().map(|(from, to)| format!("{from} → {to}")).collect();
    match pairs.as_slice() {
        [] => sentence(
            Group::Faults,
            "fault",
            "Fault at {nodes} from now on: {name} (event {id}).",
            vec![nodes, name, (&id).into()],
        ),
        _ => sentence(
            Group::Faults,
            "fault",
            "Fault at {nodes} from now on: {name} (event {id}); cut off: {pairs}.",
            vec![nodes, name, (&id).into(), Slot::List(pairs)],
        ),
    }
}

fn process<const N: usize>(mark: &'static str, template: &'static str, values: [Slot; N]) -> Sentence {
    sentence(Group::Processes, mark, template, values.into())
}

fn line<const N: usize>(mark: &'static str, template: &'static str, values: [Slot; N]) -> Sentence {
    sentence(Group::Connections, mark, template, values.into())
}

fn sentence(group: Group, mark: &'static str, template: &'static str, values: Vec<Slot>) -> Sentence {
    Sentence { template, values, group, mark }
}

/// A foreign text without its full stop: the template has one.
fn stop(text: &str) -> Slot {
    Slot::Text(text.trim_end_matches('.').to_owned())
}
