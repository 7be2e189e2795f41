//! A space-time diagram in text: a column per node, time downward.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::text::shorten;
use crate::outcome::ClockTime;

/// Columns that fit beside each other.
const NODES_MAX: usize = 6;
const TIME_WIDTH: usize = 14;
/// What one row says at most.
const LABEL_MAX: usize = 60;

/// One line of the diagram.
#[derive(Clone)]
pub(super) struct Row {
    t: u64,
    node: String,
    to: Option<(String, bool)>,
    mark: char,
    label: String,
}

impl Row {
    /// Something at one node.
    pub(super) fn at(t: u64, node: &str, mark: char, label: &str) -> Self {
        Self { t, node: node.to_owned(), to: None, mark, label: label.to_owned() }
    }

    /// A message that arrived or was lost.
    pub(super) fn message(t: u64, from: &str, to: &str, arrived: bool, label: &str) -> Self {
        let label = if arrived { label.to_owned() } else { format!("{label}, lost") };
        Self { t, node: from.to_owned(), to: Some((to.to_owned(), arrived)), mark: 'o', label }
    }

    /// Something of the whole fleet.
    pub(super) fn fleet(t: u64, label: &str) -> Self {
        Self::at(t, "", '-', label)
    }
}

/// The diagram: columns in the order given; of too many nodes, those of the failure and those told first.
pub(super) fn diagram(order: &[&str], failed: &[String], rows: &[Row]) -> String {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row.t);
    let mut told: BTreeSet<&str> = failed.iter().take(NODES_MAX).map(String::as_str).collect();
    for name in rows.iter().flat_map(|row| std::iter::once(&row.node).chain(row.to.as_ref().map(|to| &to.0))) {
        if told.len() < NODES_MAX && !name.is_empty() {
            told.insert(name);
        }
    }
    let columns: Vec<&str> = order.iter().copied().filter(|name| told.contains(name)).collect();
    if columns.is_empty() {
        return String::new();
    }
    let width = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(9, 20) + 3;
    let mut text = format!("{:TIME_WIDTH$}", "time");
    for name in &columns {
        write!(text, "{:width$}", shorten(name, 19)).expect("a String takes everything");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    let mut up = vec![true; columns.len()];
    for row in &rows {
        line(&mut text, row, &columns, &mut up, width);
    }
    text + "\nW write  C commit  o--> message  --x lost  X end of a process  ^ start  # fault  : down  ! failed check\n"
}

fn line(text: &mut String, row: &Row, columns: &[&str], up: &mut [bool], width: usize) {
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let mut cells: Vec<char> = Vec::new();
    for &runs in up.iter() {
        cells.push(if runs { '|' } else { ':' });
        cells.extend(std::iter::repeat_n(' ', width - 1));
    }
    let from = column(&row.node);
    if let Some(from) = from {
        match row.mark {
            'X' => up[from] = false,
            '^' => up[from] = true,
            _ => {}
        }
        if let Some((to, arrived)) = row.to.as_ref().and_then(|(to, arrived)| Some((column(to)?, *arrived))) {
            arrow(&mut cells, from * width, to * width, arrived);
        }
        cells[from * width] = row.mark;
    } else if row.mark == '-' {
        cells[..(columns.len() - 1) * width + 1].fill('-');
    }
    let about = if from.is_none() && !row.node.is_empty() { format!("{}: ", row.node) } else { String::new() };
    let drawn: String = cells.into_iter().collect();
    let time = ClockTime(row.t).to_string();
    writeln!(text, "{time:TIME_WIDTH$}{drawn}{about}{}", shorten(&row.label, LABEL_MAX))
        .expect("a String takes everything");
}

/// From one column to another, over those between; a lost message ends half-way.
fn arrow(cells: &mut [char], from: usize, to: usize, arrived: bool) {
    let (left, right) = (from.min(to), from.max(to));
    let half = if arrived { right - left } else { (right - left) / 2 };
    let (start, end) = if from < to { (left + 1, left + half) } else { (right - half, right - 1) };
    for (place, cell) in cells.iter_mut().enumerate().take(end + 1).skip(start) {
        if place > left && place < right {
            *cell = '-';
        }
    }
    match (arrived, from < to) {
        (true, true) => cells[right - 1] = '>',
        (true, false) => cells[left + 1] = '<',
        (false, true) => cells[left + half] = 'x',
        (false, false) => cells[right - half] = 'x',
    }
}
